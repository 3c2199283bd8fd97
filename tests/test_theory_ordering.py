"""Neyman and Pearson order events, and say neither where to cut nor how to order them if more than counts matters."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import hepcuts as hc
from hepcuts.merit.theory import CutProblem
from hepcuts.samples.datasets import SCENARIOS, Distribution
from tests.theory_orderings import PeakAndScore, ShiftedFeature, TwoFeatures, behind, counted, fitted

CUTS = np.linspace(-4.0, 8.0, 2401)


def likelihood(s, b, change=None):
    """HistFactory with one channel of some bins; `change` of the background is a histosys of one standard deviation."""
    s, b = np.atleast_1d(s).tolist(), np.atleast_1d(b)
    modifiers = []
    if change is not None:
        data = {"hi_data": (b + change).tolist(), "lo_data": (b - change).tolist()}
        modifiers = [{"name": "scale", "type": "histosys", "data": data}]
    samples = [
        {"name": "signal", "data": s, "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "background", "data": b.tolist(), "modifiers": modifiers},
    ]
    spec = {
        "channels": [{"name": "c", "samples": samples}],
        "observations": [{"name": "c", "data": b.tolist()}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    return hc.HistFactory.from_workspace(spec)


def z_of(*yields):
    """Discovery significance of the profile likelihood."""
    return float(hc.discovery_significance(likelihood(*yields)))


# (1) Counting: the likelihood ratio orders, and its threshold is another matter.

SCORES = TwoFeatures((1.2, 0.9), signal=1000.0, background=20_000.0)


def test_the_likelihood_ratio_is_the_best_ordering_for_counts():
    """Sums over a grid of cells: no other direction, and no other boundary, has a better Z at its best cut."""
    x, s, b = SCORES.grid()
    order = np.argsort(-(s / b), axis=None)
    kept_s, kept_b = np.cumsum(s.ravel()[order]), np.cumsum(b.ravel()[order])
    by_ratio = hc.counting.asimov_significance(kept_s[1000:], kept_b[1000:]).max()
    at = lambda angle: hc.counting.asimov_significance(*SCORES.along(angle, CUTS)).max()  # noqa: E731
    assert by_ratio == pytest.approx(at(SCORES.best_angle), rel=1e-4)
    for angle in SCORES.best_angle + np.array([-0.8, -0.2, 0.2, 0.8]):
        assert at(angle) < 0.995 * by_ratio
    box = (x[:, None] > 1.0) & (x[None, :] > 0.5)
    assert hc.counting.asimov_significance(s[box].sum(), b[box].sum()) < by_ratio


def test_the_threshold_of_one_half_is_not_the_best():
    """Score: the posterior S/(S+B) at the event. 1/2 is where s = b; the best cut is at another score."""
    d = SCORES.separation
    problem = CutProblem(
        Distribution("norm", (d, 1.0), 1000),
        Distribution("norm", (0.0, 1.0), 20_000),
    )
    score = lambda c: 1 / (1 + 20 * math.exp(-d * (c - d / 2)))  # noqa: E731
    half, best = problem.optimum("bce"), problem.optimum("asimov")
    assert score(half.threshold) == pytest.approx(0.5, abs=1e-12)
    assert score(best.threshold) == pytest.approx(0.209, abs=0.001)
    # The same from cells of the plane.
    _, s, b = SCORES.grid()
    posterior = s / (s + b)
    z = [hc.counting.asimov_significance(s[posterior > p].sum(), b[posterior > p].sum()) for p in (0.5, 0.209)]
    assert z == pytest.approx([float(problem.value("asimov", half.threshold)), best.value], rel=3e-3)
    assert problem.worth("bce") == pytest.approx(z[0] / z[1], rel=3e-3)
    assert problem.worth("bce") < 0.86


# (2) A systematic uncertainty that prefers some events: the ordering is wrong, too.

SHIFTED = ShiftedFeature((1.5, 1.2), signal=500.0, background=10_000.0, shift=0.2)


def best_cut(problem, angle):
    """Value and place of the best cut along a direction."""
    z = problem.significance(angle, CUTS)
    return float(np.nanmax(z)), float(CUTS[np.nanargmax(z)])


def test_a_weaker_variable_beats_every_cut_on_the_likelihood_ratio():
    ratio, where = best_cut(SHIFTED, SHIFTED.best_angle)
    other, there = best_cut(SHIFTED, math.pi / 2)
    assert SHIFTED.means[1] < SHIFTED.means[0]
    assert other > 1.2 * ratio
    # Yields and uncertainty again, from cells of the plane.
    x, s, b = SHIFTED.grid()
    change = SHIFTED.change_on_grid()
    for angle, c in ((SHIFTED.best_angle, where), (math.pi / 2, there)):
        kept = x[:, None] * math.cos(angle) + x[None, :] * math.sin(angle) > c
        sums = [float(cells[kept].sum()) for cells in (s, b, change)]
        expected = [*SHIFTED.along(angle, c), SHIFTED.sigma(angle, c)]
        assert sums == pytest.approx([float(e) for e in expected], rel=5e-3, abs=0.5)
    # And with HistFactory's likelihood, whose constraint is another one, at all cuts on the likelihood ratio.
    angle = SHIFTED.best_angle
    tried = np.concatenate([np.arange(-4.0, 3.0, 0.5), np.arange(3.0, 6.0, 0.1)])
    profile = [z_of(*SHIFTED.along(angle, c), SHIFTED.sigma(angle, c)) for c in tried]
    assert max(profile) == pytest.approx(6.78, abs=0.01)  # the gallery quotes both
    assert z_of(*SHIFTED.along(math.pi / 2, there)) == pytest.approx(7.13, abs=0.01)


def test_without_the_systematic_the_likelihood_ratio_wins():
    known = ShiftedFeature(SHIFTED.means, 500.0, 10_000.0, shift=0.0)
    angles = np.linspace(0.0, math.pi / 2, 91)
    best = [best_cut(known, angle)[0] for angle in angles]
    assert angles[np.argmax(best)] == pytest.approx(known.best_angle, abs=math.radians(1.0))


def test_the_best_region_prices_the_uncertain_background():
    """Best of all: `s > kappa (b + price * db)` with `kappa = -Z_b / Z_s` and `price = Z_sigma / Z_b` of its yields."""

    def z(sums):
        return float(hc.counting.asimov_significance(sums[0], sums[1], abs(sums[2])))

    def minus_z(parameters):
        return -z(SHIFTED.region(math.exp(parameters[0]), parameters[1]))

    starts = [(math.log(k), p) for k in np.geomspace(0.1, 5.0, 15) for p in np.linspace(0.0, 8.0, 17)]
    options = {"xatol": 1e-9, "fatol": 1e-15}
    found = scipy.optimize.minimize(minus_z, min(starts, key=minus_z), method="Nelder-Mead", options=options)
    lines = max(best_cut(SHIFTED, angle)[0] for angle in np.linspace(0.0, math.pi / 2, 181))
    assert -found.fun > 1.1 * lines
    # Among the lines the likelihood ratio is not the best; as a region it has the price zero.
    ratio = max(-minus_z((log_kappa, 0.0)) for log_kappa in np.linspace(-12.0, 4.0, 801))
    assert ratio == pytest.approx(best_cut(SHIFTED, SHIFTED.best_angle)[0], rel=1e-4)
    # dZ = Z_s ds + Z_b db + Z_sigma d(change) says whether an event is worth its place, differentiated numerically.
    kappa, price = math.exp(found.x[0]), found.x[1]
    at = SHIFTED.region(kappa, price)
    z_s, z_b, z_sigma = ((z(at + h) - z(at - h)) / 2e-4 for h in np.diag([1e-4] * 3))
    assert kappa == pytest.approx(-z_b / z_s, rel=1e-4)
    assert price == pytest.approx(z_sigma / z_b, rel=1e-4)
    # The same yields from cells of the plane.
    _, s, b = SHIFTED.grid()
    change = SHIFTED.change_on_grid()
    kept = s > kappa * (b + price * change)
    assert [s[kept].sum(), b[kept].sum()] == pytest.approx(at[:2].tolist(), rel=5e-3)
    assert change[kept].sum() == pytest.approx(at[2], abs=5e-3 * at[1])  # a small difference of large parts


# (3) Several bins.


def test_no_cut_is_best_if_the_discriminant_is_fitted():
    """A fit in fine bins of x sees more than any cut on x; every cut only throws away."""
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10")

    def density(x):
        s, b = problem.densities(x)
        return 2 * ((s + b) * math.log1p(s / b) - s)

    def z(c):
        return math.sqrt(scipy.integrate.quad(density, c, 140.0, limit=200)[0])

    assert z(-40.0) == pytest.approx(15.174, abs=1e-3)
    assert z(-40.0) > z(30.0) > z(47.0) > problem.optimum("asimov").value
    # In bins of 1 and 10 it is between the two, and the likelihood of pyhf's model says the same.
    fits = []
    for width in (1.0, 10.0):
        edges = np.arange(-10.0, 111.0, width)
        s, b = (-np.diff(y) for y in problem.yields(edges))
        fits.append(z_of(s, b))
        assert fits[-1] == pytest.approx(fitted(s, b), rel=1e-6)
    assert z(-40.0) > fits[0] > fits[1] > problem.optimum("asimov").value
    assert SCENARIOS["gauss40x10-gauss50x10"].signal.size == 1000


@pytest.mark.parametrize(("signal", "background"), [(1000.0, 10_000.0), (100.0, 100_000.0)])
def test_what_is_fitted_must_not_be_cut_on(signal, background):
    """Counted, the joint likelihood ratio is the best cut; fitted, the mass would be used twice."""
    problem = PeakAndScore(signal, background)
    scores, ratios = np.linspace(-3.0, 5.0, 801), np.linspace(-12.0, 5.0, 1701)
    alone, joint = [problem.same_cut(c) for c in scores], [problem.joint_cut(k) for k in ratios]
    best = {
        (how.__name__, what): max(how(*y) for y in cuts)
        for how in (counted, fitted)
        for what, cuts in (("alone", alone), ("joint", joint))
    }
    assert best["counted", "joint"] > 1.3 * best["counted", "alone"]
    assert best["fitted", "alone"] > 1.005 * best["fitted", "joint"]
    # pyhf's model at the two best cuts of the fit.
    chosen = [max(cuts, key=lambda y: fitted(*y)) for cuts in (alone, joint)]
    assert z_of(*chosen[0]) > 1.005 * z_of(*chosen[1])


def test_bins_choose_one_cut_only_as_far_as_signal_is_small():
    """Each bin has its own best cut, `s/b = r/ln(1+r) - 1`; for small `r` it is `r/2` and does not know the bin."""

    def spread_of_cuts(signal):
        problem = PeakAndScore(signal, 100_000.0, bins=10)
        best = []
        for s, b in zip(problem.signal[3:7], problem.background[3:7], strict=True):

            def loss(c, s=s, b=b):
                return -hc.counting.asimov_significance(s * behind(c, 1.0), b * behind(c, 0.0))

            best.append(
                scipy.optimize.minimize_scalar(loss, bounds=(-2, 4), method="bounded", options={"xatol": 1e-9}).x
            )
        return np.ptp(best)

    assert spread_of_cuts(1.0) < 1e-3
    assert spread_of_cuts(1e5) > 0.05
