"""The theory of one cut against mpmath: published formulas, numerical derivatives, quadrature, root searches."""

import dataclasses
import itertools
import math

import mpmath as mp
import numpy as np
import pyhf
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import hepcuts as hc
from hepcuts import classification, counting, datasets, theory
from hepcuts._core.errors import InputError
from hepcuts.merit.registry import FIGURES
from hepcuts.merit.theory import CutProblem, SoftCrossEntropy, agreement, conditions
from tests import theory_truth
from tests.theory_truth import Truth

RATIOS = (1e-6, 0.03, 0.7, 2.5, 40.0, 3e4)
SPREADS = (1e-5, 0.2, 1.0, 30.0, 1e4)
SCENARIOS = tuple(datasets.SCENARIOS)
CLOSED = ("bce", "bce_balanced", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "asimov")
ENDLESS = {("exp10-exp100", "s_over_sqrt_b"), ("exp10-gauss50x1", "bce")}  # test_optimum_without_end


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(theory_truth.DIGITS):
        yield


# What each figure of merit asks for: minus the ratio of its partial derivatives, differentiated numerically.


def asked_by(z, r: float, b: float = 7.0) -> float:
    """`-(dZ/dB) / (dZ/dS)` of a function of S and B, with mpmath's numerical derivatives."""
    s, b = mp.mpf(r) * b, mp.mpf(b)
    # The square has the same ratio of derivatives and is smoother at small signals.
    square = lambda s, b: z(s, b) ** 2  # noqa: E731
    with mp.workdps(2 * theory_truth.DIGITS):
        return float(-mp.diff(square, (s, b), (0, 1)) / mp.diff(square, (s, b), (1, 0)))


@pytest.mark.parametrize("r", RATIOS)
def test_condition_of_a_known_background(r):
    assert conditions.s_over_sqrt_b(r) == pytest.approx(asked_by(lambda s, b: s / mp.sqrt(b), r), rel=1e-14)
    assert conditions.s_over_sqrt_s_plus_b(r) == pytest.approx(asked_by(lambda s, b: s / mp.sqrt(s + b), r), rel=1e-14)
    assert conditions.asimov(r) == pytest.approx(asked_by(theory_truth.asimov, r), rel=1e-13)
    closed = float(mp.mpf(r) / mp.log(1 + mp.mpf(r)) - 1)
    assert conditions.asimov(r) == pytest.approx(closed, rel=1e-13)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0], ids=lambda f: f"systematic={f}")
@pytest.mark.parametrize("k", SPREADS, ids=lambda k: f"k={k}")
@pytest.mark.parametrize("r", RATIOS, ids=lambda r: f"r={r}")
def test_condition_of_an_uncertain_background(r, k, share):
    b = 7.0
    # sigma^2 = f^2 B^2 + g B with f^2 B + g = k, of which f^2 B is the systematic share.
    f2, g = mp.mpf(share) * k / b, (1 - mp.mpf(share)) * k
    variance = lambda b: f2 * b**2 + g * b  # noqa: E731
    poisson = asked_by(lambda s, b: theory_truth.asimov_poisson(s, b, variance(b)), r, b)
    assert conditions.asimov(r, k, share) == pytest.approx(poisson, rel=1e-12)
    ratio = asked_by(lambda s, b: s / mp.sqrt(b + variance(b)), r, b)
    assert conditions.s_over_sqrt_b_plus_variance(r, k, share) == pytest.approx(ratio, rel=1e-14)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0], ids=lambda f: f"systematic={f}")
@pytest.mark.parametrize("k", [0.2, 1.0, 30.0], ids=lambda k: f"k={k}")
@pytest.mark.parametrize("r", [0.03, 2.5, 40.0], ids=lambda r: f"r={r}")
def test_condition_of_a_gaussian_constraint(r, k, share):
    b = 7.0
    f2, g = mp.mpf(share) * k / b, (1 - mp.mpf(share)) * k
    square = lambda s, b: theory_truth.asimov_gaussian(s, b, f2 * b**2 + g * b) ** 2  # noqa: E731
    s, h = mp.mpf(r) * b, mp.mpf(10) ** -12
    along_s = square(s + h, mp.mpf(b)) - square(s - h, mp.mpf(b))
    along_b = square(s, b + h) - square(s, b - h)
    assert conditions.asimov_gaussian(r, k, share) == pytest.approx(float(-along_b / along_s), rel=1e-12)


def test_conditions_without_excess_or_spread_are_limits():
    assert conditions.asimov(np.array([0.0, 1e-100])).tolist() == [0.0, 5e-101]
    assert conditions.asimov_gaussian(0.0, 2.0) == 0.0
    for k, share in itertools.product((0.0, 1e-13), (0.0, 1.0)):
        assert conditions.asimov(3.0, k, share) == pytest.approx(3 / math.log(4) - 1, rel=1e-11)
        assert conditions.asimov_gaussian(3.0, k, share) == pytest.approx(3 / math.log(4) - 1, rel=1e-11)


@given(st.floats(1e-3, 1e3), st.floats(0.0, 1e4), st.floats(0.0, 1.0), st.sampled_from(["asimov", "asimov_gaussian"]))
def test_conditions_grow_with_the_ratio(r, k, share, name):
    condition = getattr(conditions, name)
    assert condition(1.01 * r, k, share) > condition(r, k, share)


# Where they agree with BCE, s = b.


def test_agreement_for_a_known_background():
    # r = 2 ln(1 + r): with y = 1 + r, (-y/2) exp(-y/2) = -exp(-1/2) / 2.
    lambert = -1 - 2 * mp.lambertw(-mp.exp(-mp.mpf(1) / 2) / 2, -1)
    assert abs(lambert.imag) < mp.mpf(10) ** -35
    assert agreement() == pytest.approx(float(lambert.real), rel=1e-14)
    assert mp.nstr(lambert.real, 20) == "2.512862417252339354"  # the number of the documentation
    assert agreement(conditions.s_over_sqrt_b) == pytest.approx(2.0, rel=1e-14)
    assert agreement(conditions.s_over_sqrt_s_plus_b) == math.inf


@pytest.mark.parametrize("t", ["2.5", "1", "0.1", "1e-3"])
def test_agreement_with_a_relative_uncertainty_has_a_closed_form(t):
    """`k = 1/(exp(t/2) - 1) - 1/t` and `r = (1 + k) t`; at `t = 2.5129` the background is known."""
    t = mp.mpf(t)
    k = 1 / (mp.exp(t / 2) - 1) - 1 / t
    assert agreement(k=float(k)) == pytest.approx(float((1 + k) * t), rel=1e-10)
    # The Gaussian constraint: the background of the fit, gamma = 2 ln(y) / (y - 1), decides.
    y = 1 + t / 2
    gamma = 2 * mp.log(y) / (y - 1)
    k = (gamma - 1) / (y - 1)
    assert agreement(conditions.asimov_gaussian, k=float(k)) == pytest.approx(float(gamma * y - 1), rel=1e-10)


def test_agreement_between_its_limits():
    falling = [agreement(k=k) for k in (0.0, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e6)]
    assert np.all(np.diff(falling) < 0)
    # For t to zero k is 1/t - 1/2 and r = (1 + k) t is 1 + t/2: nothing but S/B counts.
    assert falling[-1] == pytest.approx(1.0 + 0.5e-6, abs=1e-9)
    assert agreement(conditions.s_over_sqrt_b_plus_variance, k=3.0) == pytest.approx(2 * 4 / 7, rel=1e-14)


def test_agreement_with_finite_simulation():
    """`(1 + r)^2 = u^(2 + 1/k)` with `r = (u - 1)(1 + 1/k)`; a square and a golden ratio are among the solutions."""
    golden = (1 + mp.sqrt(5)) / 2
    assert agreement(k=0.5, systematic=0.0) == pytest.approx(3.0, rel=1e-13)  # u = 2
    assert agreement(k=1.0, systematic=0.0) == pytest.approx(float(2 * golden), rel=1e-13)  # u = golden^2
    # Infinitely little simulation: (1 + r) ln(1 + r) = 2 r.
    limit = -1 - 2 / mp.lambertw(-2 * mp.exp(-2))
    assert agreement(k=1e7, systematic=0.0) == pytest.approx(float(limit), rel=1e-6)
    # HistFactory's constraint with one simulated event for each expected one: as for a known background.
    assert agreement(conditions.asimov_gaussian, k=1.0, systematic=0.0) == pytest.approx(agreement(), rel=1e-13)


# Values, against the rest of the package and pyhf.


def test_values_are_those_of_the_package():
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10", relative_uncertainty=0.07, simulated_background=5e4)
    cuts = np.linspace(-10.0, 130.0, 57)
    s, b = problem.yields(cuts)
    sigma = np.sqrt((0.07 * b) ** 2 + b * 0.2)
    expected = {
        "s_over_sqrt_b": counting.s_over_sqrt_b(s, b),
        "s_over_sqrt_s_plus_b": counting.s_over_sqrt_s_plus_b(s, b),
        "s_over_sqrt_b_plus_variance": counting.s_over_sqrt_b_plus_variance(s, b, sigma),
        "asimov": counting.asimov_significance(s, b),
        "asimov_uncertainty": counting.asimov_significance(s, b, sigma),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(problem.value(name, cuts), values, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("balanced", [False, True])
def test_bce_is_the_log_loss_of_events(balanced):
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    x = np.concatenate([problem.signal.frozen.ppf(quantiles), problem.background.frozen.ppf(quantiles)])
    is_signal = np.repeat([True, False], 20_000)
    weights = np.repeat([problem.totals[0], problem.totals[1]], 20_000)
    name = "bce_balanced" if balanced else "bce"
    for c in (30.0, 55.0):
        loss = classification.log_loss(is_signal, x > c, weights=weights, balanced=balanced)
        assert problem.value(name, c) == pytest.approx(float(loss), abs=36.1 / 20_000)


@pytest.mark.parametrize("modifier", ["staterror", "shapesys"])
def test_significance_is_that_of_pyhfs_likelihood(modifier):
    """A staterror is the Gaussian constraint, a shapesys the Poisson one; Z from pyhf's own fit."""
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10", simulated_background=4000.0)
    s, b = (float(y) for y in problem.yields(55.0))
    sigma = math.sqrt(b * problem.totals[1] / 4000.0)
    spec = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "s", "data": [s], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
                    {"name": "b", "data": [b], "modifiers": [{"name": "g", "type": modifier, "data": [sigma]}]},
                ],
            }
        ]
    }
    model = pyhf.Model(spec, poi_name="mu")
    data = model.expected_data(model.config.suggested_init())
    free = np.array(model.config.suggested_init())

    def twice_nll(gamma):
        pars = free.copy()
        pars[model.config.poi_index] = 0.0
        pars[1 - model.config.poi_index] = gamma
        return -2.0 * float(model.logpdf(pars, data)[0])

    conditional = scipy.optimize.minimize_scalar(
        twice_nll, bounds=(0.5, 3.0), method="bounded", options={"xatol": 1e-9}
    )
    z = math.sqrt(conditional.fun + 2.0 * float(model.logpdf(free, data)[0]))
    metric = "asimov_gaussian" if modifier == "staterror" else "asimov_uncertainty"
    assert problem.value(metric, 55.0) == pytest.approx(z, rel=1e-9)
    assert hc.discovery_significance(hc.HistFactory(model)) == pytest.approx(
        float(problem.value(metric, 55.0)), rel=1e-9
    )


# Optima of the five scenarios, to all digits.


@pytest.mark.parametrize(("name", "metric"), [c for c in itertools.product(SCENARIOS, CLOSED) if c not in ENDLESS])
def test_optimum_of_a_scenario(name, metric):
    truth, found = Truth(name), CutProblem.of_scenario(name).optimum(metric)
    low, high = 0.0, 180.0
    rough = truth.best_on_grid(metric, np.linspace(low, high, 721))
    root = mp.findroot(truth.condition(metric), (rough - 0.25, rough + 0.25), solver="anderson", tol=1e-60)
    merit = truth.merit(metric)
    assert abs(root - rough) < 0.25
    # The maximum, not only a stationary point: direct comparison, at a precision where both differ.
    assert all(merit(root) > merit(root + d) for d in (mp.mpf(10) ** -9, -(mp.mpf(10) ** -9)))
    assert found.threshold == pytest.approx(float(root), rel=1e-13, abs=1e-13)
    assert abs(found.residual) < 1e-13
    assert found.message == "stationary"
    s, b = truth.yields(root)
    ds, db = truth.densities(root)
    assert (found.signal, found.background) == pytest.approx((float(s), float(b)), rel=1e-12)
    assert (found.ratio, found.density_ratio) == pytest.approx((float(s / b), float(ds / db)), rel=1e-11)


@pytest.mark.parametrize("relative", [0.01, 0.3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_optimum_with_an_uncertainty(name, relative):
    truth = Truth(name, relative)
    found = CutProblem.of_scenario(name, relative_uncertainty=relative).optimum("asimov_uncertainty")
    rough = truth.best_on_grid("asimov_uncertainty", np.linspace(0.0, 240.0, 481))
    assert abs(found.threshold - rough) < 0.5
    slope = truth.slope("asimov_uncertainty")
    root = mp.findroot(slope, found.threshold, tol=1e-40)
    assert found.threshold == pytest.approx(float(root), rel=1e-12)
    assert slope(root - mp.mpf("1e-6")) > 0 > slope(root + mp.mpf("1e-6"))


def test_optimum_of_two_exponentials_in_closed_form():
    """Of exp10-exp100: `s/b = exp(9c/100)/10 = r/10` everywhere, so every condition is one for `r` alone."""
    problem = CutProblem.of_scenario("exp10-exp100")
    cut = lambda r: float(mp.log(r) * 100 / 9)  # noqa: E731
    significance = mp.findroot(lambda r: r / mp.log(1 + r) - 1 - r / 10, (2e4, 2.4e4), solver="anderson")
    assert problem.optimum("bce").threshold == pytest.approx(cut(10), rel=1e-14)
    assert problem.optimum("s_over_sqrt_s_plus_b").threshold == pytest.approx(cut(8), rel=1e-14)
    assert problem.optimum("asimov").threshold == pytest.approx(cut(significance), rel=1e-14)
    # As much missed as accepted: 1 - y = y^10 with y = exp(-c/100).
    y = mp.findroot(lambda y: 1 - y - y**10, (0.5, 1.0), solver="anderson")
    assert problem.optimum("bce_steep").threshold == pytest.approx(float(-100 * mp.log(y)), rel=1e-13)


def test_optimum_without_end():
    """S/sqrt(B) of two exponentials grows like exp(c/25); ten signal events are nowhere denser than the background."""
    endless = CutProblem.of_scenario("exp10-exp100").optimum("s_over_sqrt_b")
    assert endless.threshold == math.inf
    assert math.isnan(endless.value)
    assert "without end" in endless.message
    rare = CutProblem.of_scenario("exp10-gauss50x1")
    cuts = np.linspace(0.0, 100.0, 10_001)
    assert np.all(np.exp(rare.log_density_ratio(cuts)) < 1)
    nothing = rare.optimum("bce")
    assert (nothing.threshold, nothing.signal, nothing.background) == (math.inf, 0.0, 0.0)
    assert nothing.value == pytest.approx(-math.log(2**-52) * 10 / 10_010, rel=1e-12)
    assert rare.worth("bce") == 0.0


def test_optimum_of_no_cut():
    """Signal below the background: whatever is cut away above is signal."""
    problem = CutProblem(datasets.Distribution("norm", (0.0, 1.0), 100), datasets.Distribution("norm", (3.0, 1.0), 10))
    assert problem.optimum("asimov").threshold == -math.inf
    assert problem.optimum("asimov").signal == 100.0
    assert problem.worth("asimov") == 1.0


KNOWN = [name for name, figure in FIGURES.items() if figure.stationarity is not None]


def problems(metrics):
    """Two normal distributions, and a figure of merit."""
    return given(
        separation=st.floats(0.3, 4.0),
        width=st.floats(0.5, 2.0),
        log_ratio=st.floats(-3.0, 1.0),
        uncertainty=st.sampled_from([0.0, 0.1, 1.0]),
        metric=st.sampled_from(metrics),
    )


@settings(max_examples=10, deadline=None)
@problems(KNOWN)
def test_no_cut_is_better_than_the_optimum(separation, width, log_ratio, uncertainty, metric):
    no_cut_is_better(separation, width, log_ratio, uncertainty, metric)


def no_cut_is_better(separation, width, log_ratio, uncertainty, metric):
    """Brute force over a grid that the search does not use."""
    problem = CutProblem(
        datasets.Distribution("norm", (separation, width), 10**5),
        datasets.Distribution("norm", (0.0, 1.0), 10**5),
        signal_strength=10.0**log_ratio,
        relative_uncertainty=uncertainty,
    )
    values, sign = problem.value(metric, np.linspace(-8.0, 7.0, 3001)), FIGURES[metric].sign
    if np.all(np.isnan(values)):  # Z_Bi of a background without uncertainty
        with pytest.raises(InputError, match=r"'binomial' has no value at any cut"):
            problem.optimum(metric)
        return
    best = problem.optimum(metric)
    if math.isfinite(best.value):
        assert sign * best.value >= np.nanmax(sign * values) - 1e-12 * abs(best.value)
    else:
        assert np.nanargmax(sign * values) == len(values) - 1


# The agreement, the luminosity, the balance.


@pytest.mark.parametrize(("separation", "weakest"), [(0.5, -3.0), (1.5, -7.0), (3.0, -14.0)])
def test_bce_cuts_where_the_significance_cuts_at_one_ratio_only(separation, weakest):
    """The signal strength is found at which `r` behind BCE's cut is the special one; there both cuts are the same."""

    def problem(log_strength):
        normal = [datasets.Distribution("norm", (mean, 1.0), 1000) for mean in (separation, 0.0)]
        return CutProblem(*normal, signal_strength=math.exp(log_strength))

    special = scipy.optimize.brentq(
        lambda a: problem(a).optimum("bce").ratio - 2.512862417252339354, weakest, 8, xtol=1e-13
    )
    at = lambda a, metric: problem(a).optimum(metric).threshold  # noqa: E731
    assert at(special, "bce") == pytest.approx(at(special, "asimov"), abs=1e-11)
    # With less signal behind it BCE cuts too tightly, with more too loosely.
    assert at(special - 0.1, "bce") > at(special - 0.1, "asimov")
    assert at(special + 0.1, "bce") < at(special + 0.1, "asimov")
    assert problem(special).worth("bce") == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("name", SCENARIOS)
def test_luminosity_moves_only_cuts_with_a_systematic(name):
    one, more = (CutProblem.of_scenario(name, luminosity=x, relative_uncertainty=0.1) for x in (1.0, 30.0))
    for metric in ("bce", "bce_balanced", "bce_steep", "s_over_sqrt_s_plus_b", "asimov"):
        assert more.optimum(metric).threshold == pytest.approx(one.optimum(metric).threshold, rel=1e-12)
    assert more.optimum("asimov").value == pytest.approx(math.sqrt(30) * one.optimum("asimov").value, rel=1e-12)
    # More events: the systematic matters more, and the cut goes for purity.
    assert more.optimum("asimov_uncertainty").threshold > one.optimum("asimov_uncertainty").threshold + 1e-3
    # Finite simulation does not move with luminosity if there is more of it in proportion.
    grown = [CutProblem.of_scenario(name, luminosity=x, simulated_background=x * 5000.0) for x in (1.0, 30.0)]
    thresholds = [problem.optimum("asimov_gaussian").threshold for problem in grown]
    assert thresholds[0] == pytest.approx(thresholds[1], rel=1e-12)


def test_balance_answers_for_equally_much_signal_and_background():
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
    equal = dataclasses.replace(problem, signal_strength=10.0)
    assert problem.optimum("bce_balanced").threshold == pytest.approx(equal.optimum("bce").threshold, abs=1e-12)
    assert problem.optimum("bce_balanced").threshold == pytest.approx(45.0, abs=1e-12)  # halfway, by symmetry


# The BCE of a sigmoid.


def soft_bce(c, width, *, name="gauss40x10-gauss50x10"):
    """By its definition, with mpmath's quadrature."""
    truth = Truth(name)

    def wrong(density, sign):
        """Mean of the softplus, piece by piece; a normal distribution from -15 to +15 standard deviations."""
        breaks = {mp.mpf(density.loc + density.scale * z) for z in (-15, -4, -2, -1, 0, 1, 2, 4, 15, 40)}
        breaks |= {mp.mpf(c + width * v) for v in (-40, -8, -2, 0, 2, 8, 40)}
        if density.family == "expon":
            breaks = {x for x in breaks if x >= density.loc}
        softplus = lambda y: mp.log1p(mp.exp(y)) if y < 60 else y + mp.exp(-y)  # noqa: E731
        return mp.quad(lambda x: density.pdf(x) * softplus(sign * (c - x) / width), sorted(breaks))

    weights = [size / sum(truth.sizes) for size in truth.sizes]
    return weights[0] * wrong(truth.signal, 1) + weights[1] * wrong(truth.background, -1)


@pytest.mark.parametrize("name", ["gauss40x10-gauss50x10", "exp10-gauss50x10"])
@pytest.mark.parametrize(("c", "width"), [(45.0, 0.3), (60.0, 10.0), (20.0, 40.0)])
def test_soft_bce_is_its_integral(name, c, width):
    problem = CutProblem.of_scenario(name)
    with mp.workdps(20):
        integral = float(soft_bce(mp.mpf(c), mp.mpf(width), name=name))
    assert float(problem.value(SoftCrossEntropy(width=width), c)) == pytest.approx(integral, rel=1e-11)


def test_steep_bce_balances_missed_and_accepted():
    for name in SCENARIOS:
        problem = CutProblem.of_scenario(name)
        found = problem.optimum("bce_steep")
        missed = problem.totals[0] - found.signal
        assert missed == pytest.approx(found.background, rel=1e-12)
        # Equal numbers of passing events and of signal: precision is efficiency, the break-even point.
        purity, efficiency = found.signal / (found.signal + found.background), found.signal / problem.totals[0]
        assert purity == pytest.approx(efficiency, rel=1e-12)


def test_steep_bce_is_the_limit_of_soft_bce():
    problem = CutProblem.of_scenario("exp10-gauss50x10")
    steep = problem.optimum("bce_steep").threshold
    away = [abs(problem.optimum(SoftCrossEntropy(width=w)).threshold - steep) for w in (1.0, 0.5, 0.25, 0.125)]
    # The first correction is of second order in the width: a symmetric noise in the cut.
    assert np.array(away[:-1]) / np.array(away[1:]) == pytest.approx([4.0] * 3, rel=0.05)


@pytest.mark.slow
def test_soft_bce_with_a_free_slope_is_the_posterior_of_two_gaussians():
    """Width sigma^2 / (difference of means); the sigmoid is 1/2 where s = b. Other widths cut elsewhere."""
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
    loss = lambda log_width: problem.optimum(SoftCrossEntropy(width=math.exp(log_width))).value  # noqa: E731
    best = scipy.optimize.minimize_scalar(loss, bounds=(0.0, 4.0), method="bounded", options={"xatol": 1e-10})
    assert math.exp(best.x) == pytest.approx(10.0, rel=1e-5)
    exact = 45.0 + 10.0 * math.log(10.0)
    assert problem.optimum(SoftCrossEntropy(width=10.0)).threshold == pytest.approx(exact, abs=1e-11)
    assert problem.optimum("bce").threshold == pytest.approx(exact, abs=1e-11)
    assert problem.optimum(SoftCrossEntropy(width=5.0)).threshold < exact - 5.0
    # The derivative along the width vanishes there, too, by mpmath's quadrature of the definition.
    with mp.workdps(20):
        slopes = [
            mp.diff(lambda w: soft_bce(mp.mpf(exact), w), mp.mpf(10), h=mp.mpf("1e-4")),
            mp.diff(lambda c: soft_bce(c, mp.mpf(10)), mp.mpf(exact), h=mp.mpf("1e-4")),
        ]
    assert [float(abs(slope)) for slope in slopes] == pytest.approx([0.0, 0.0], abs=1e-9)


# How flat, and what it is worth.


@pytest.mark.parametrize("name", SCENARIOS)
def test_plateau_ends_where_the_loss_is_reached(name):
    problem = CutProblem.of_scenario(name)
    best = problem.optimum("asimov")
    low, high = problem.plateau("asimov", loss=0.02)
    assert low < best.threshold < high
    assert problem.value("asimov", [low, high]) == pytest.approx(0.98 * best.value, rel=1e-12)
    inside = problem.value("asimov", np.linspace(low, high, 101)[1:-1])
    assert np.all(inside > 0.98 * best.value)


@pytest.mark.parametrize("name", SCENARIOS)
def test_flatness_follows_from_density_and_slope_of_purity(name):
    """Of the documentation: `Z'' / Z = -b ln(1 + r) / Z^2 d/dc [s/b - r/ln(1+r) + 1]`, against numerical `Z''`."""
    truth = Truth(name)
    c = mp.mpf(CutProblem.of_scenario(name).optimum("asimov").threshold)
    c = mp.findroot(truth.condition("asimov"), c)
    z = truth.merit("asimov")

    def difference(c):
        (s, b), (ds, db) = truth.yields(c), truth.densities(c)
        return ds / db - (s / b / mp.log(1 + s / b) - 1)

    (s, b), (_, db) = truth.yields(c), truth.densities(c)
    formula = -db * mp.log(1 + s / b) / z(c) ** 2 * mp.diff(difference, c)
    assert float(formula) == pytest.approx(float(mp.diff(z, c, 2) / z(c)), rel=1e-10)


def test_worth_is_between_nothing_and_all():
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
    z = [
        theory_truth.asimov(*Truth("gauss40x10-gauss50x10").yields(mp.mpf(c))) for c in (68.02585092994046, 47.1662713)
    ]
    assert problem.worth("bce") == pytest.approx(float(z[0] / z[1]), rel=1e-12)
    assert problem.worth("asimov") == 1.0


# Refusals.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"luminosity": 0.0}, "luminosity is 0.0; expected a positive"),
        ({"signal_strength": -1.0}, "signal strength"),
        ({"relative_uncertainty": -0.1}, "relative uncertainty"),
        ({"simulated_background": math.nan}, "simulated background"),
        ({"signal": datasets.Distribution("norm", (0.0, 0.0), 10)}, "positive scale"),
        ({"background": datasets.Distribution("uniform", (0.0, 1.0), 10)}, "'norm', 'expon', got 'uniform'"),
        ({"background": datasets.Distribution("norm", (0.0, 1.0), 0)}, "background's size is 0"),
    ],
)
def test_impossible_problems(changes, message):
    problem = CutProblem.of_scenario("exp10-exp100")
    with pytest.raises(InputError, match=message):
        dataclasses.replace(problem, **changes)


def test_other_refusals():
    problem = CutProblem.of_scenario("exp10-exp100")
    with pytest.raises(InputError, match="no scenario 'exp'"):
        CutProblem.of_scenario("exp")
    with pytest.raises(InputError, match="theory does not know 'profile'"):
        problem.optimum("profile")
    with pytest.raises(InputError, match="cannot judge"):
        problem.worth("bce", judge="s_over_sqrt_b")
    with pytest.raises(InputError, match="cannot judge"):
        problem.worth("asimov", judge="bce")
    with pytest.raises(InputError, match="no finite best cut"):
        problem.plateau("s_over_sqrt_b")
    with pytest.raises(InputError, match="between 0 and 1"):
        problem.plateau("asimov", loss=1.0)
    with pytest.raises(InputError, match="width"):
        SoftCrossEntropy(width=0.0)
    with pytest.raises(InputError, match="expected k"):
        agreement(k=-1.0)
    assert set(theory.__all__) <= set(dir(theory))
