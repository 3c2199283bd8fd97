"""Does minimizing BCE maximize the significance? The theorem and its numbers, by mpmath and by brute force.

Nothing is taken from `hepcuts.merit.conditions` where the truth is stated: figures of merit are those of the published
formulas with 40 digits (`tests.theory_truth`), prices are their numerical derivatives, and the best of all selections
of a few cells is found by trying all of them.
"""

import itertools
import pickle
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy.stats import norm

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.merit.closed_forms import Punzi
from hepcuts.merit.cross_entropy import WeightedCrossEntropy
from hepcuts.merit.theory import conditions
from hepcuts.samples.datasets import SCENARIOS, Distribution

from .theory_truth import asimov, asimov_poisson


def asimov_gaussian(s, b, variance):
    """With a Gaussian constraint: twice the smallest negative logarithm of the likelihood, at the root of its slope."""
    n = s + b
    fitted = (b - variance + ((b - variance) ** 2 + 4 * n * variance) ** 0.5) / 2
    log = mp.log if isinstance(n, mp.mpf) else np.log
    return (2 * (n * log(n / fitted) - n + fitted + (fitted - b) ** 2 / (2 * variance))) ** 0.5


F, G = 0.2, 0.7
"""Relative uncertainty, and expected events per simulated one."""

FIGURES = {
    "asimov": (asimov, conditions.asimov, lambda _: (0.0, 1.0)),
    "s_over_sqrt_b": (lambda s, b: s / mp.sqrt(b), conditions.s_over_sqrt_b, lambda _: (0.0, 1.0)),
    "s_over_sqrt_s_plus_b": (lambda s, b: s / mp.sqrt(s + b), conditions.s_over_sqrt_s_plus_b, lambda _: (0.0, 1.0)),
    "relative": (lambda s, b: asimov_poisson(s, b, (F * b) ** 2), conditions.asimov, lambda b: (F**2 * b, 1.0)),
    "simulation": (lambda s, b: asimov_poisson(s, b, G * b), conditions.asimov, lambda _: (G, 0.0)),
    "staterror": (lambda s, b: asimov_gaussian(s, b, G * b), conditions.asimov_gaussian, lambda _: (G, 0.0)),
    "both": (
        lambda s, b: asimov_poisson(s, b, (F * b) ** 2 + G * b),
        conditions.asimov,
        lambda b: (F**2 * b + G, F**2 * b / (F**2 * b + G)),
    ),
    "gaussian": (
        lambda s, b: asimov_gaussian(s, b, (F * b) ** 2),
        conditions.asimov_gaussian,
        lambda b: (F**2 * b, 1.0),
    ),
}
"""Figure of merit of signal and background, its condition, and `k` and `systematic` at a background."""


def price(figure, s, b):
    """-(dZ/dB) / (dZ/dS) by numerical derivatives."""
    return -mp.diff(figure, (s, b), (0, 1)) / mp.diff(figure, (s, b), (1, 0))


# --- the threshold ---


@pytest.mark.parametrize(
    ("r", "expected"), [(0.1, 0.047), (0.5, 0.189), (1, 0.307), (2.51286241725, 0.5), (5, 0.642), (10, 0.760)]
)
def test_the_referees_thresholds(r, expected):
    assert round(float(hc.theory.posterior_threshold(r)), 3) == expected


@pytest.mark.parametrize("r", [1e-12, 1e-6, 1e-3, 0.3, 1.0, 2.5, 30.0, 1e6, 1e12])
def test_the_threshold_is_one_minus_a_logarithm(r):
    with mp.workdps(40):
        exact = 1 - mp.log(1 + mp.mpf(r)) / mp.mpf(r)
    assert float(hc.theory.posterior_threshold(r)) == pytest.approx(float(exact), rel=1e-13)


def test_limits_and_shapes_of_the_threshold():
    r = np.array([[0.0, np.inf], [np.nan, 2.0]])
    found = hc.theory.posterior_threshold(r)
    np.testing.assert_array_equal(found[:, 0], [0.0, np.nan])
    assert found[0, 1] == 1.0
    assert hc.theory.posterior_threshold(np.inf, conditions.s_over_sqrt_s_plus_b) == 0.5
    assert hc.theory.posterior_threshold([1.0, 2.0], k=[[0.0], [0.1], [1.0]]).shape == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        ((-0.1,), {}, "S / B after the cut is -0.1"),
        (([1.0, -2.0],), {}, "is -2"),
        ((1.0,), {"k": -1.0}, "k is -1"),
        ((1.0,), {"systematic": 1.5}, "a share between 0 and 1"),
    ],
)
def test_what_has_no_threshold(arguments, options, match):
    with pytest.raises(InputError, match=match):
        hc.theory.posterior_threshold(*arguments, **options)


@pytest.mark.parametrize("name", FIGURES)
def test_the_threshold_of_each_figure_of_merit(name):
    figure, condition, spread = FIGURES[name]
    with mp.workdps(40):
        for s, b in ((0.5, 20), (7, 7), (50, 3), (300, 900)):
            kappa = price(figure, mp.mpf(s), mp.mpf(b))
            k, systematic = spread(b)
            found = hc.theory.posterior_threshold(s / b, condition, k=k, systematic=systematic)
            assert float(found) == pytest.approx(float(kappa / (1 + kappa)), rel=1e-9)


def test_simple_counterparts():
    r = np.geomspace(1e-3, 1e3, 20)
    np.testing.assert_allclose(hc.theory.posterior_threshold(r, conditions.s_over_sqrt_b), r / (r + 2))
    half_the_purity = 0.5 * r / (1 + r)
    np.testing.assert_allclose(hc.theory.posterior_threshold(r, conditions.s_over_sqrt_s_plus_b), half_the_purity)


def test_the_posterior_at_the_best_cut_of_the_page_on_ordering():
    distance = np.hypot(1.2, 0.9)
    problem = hc.theory.CutProblem(
        Distribution("norm", (distance, 1.0), 1000), Distribution("norm", (0.0, 1.0), 20_000)
    )
    best = problem.optimum("asimov")
    posterior = best.density_ratio / (1 + best.density_ratio)
    assert posterior == pytest.approx(0.20912446707, abs=1e-11)
    assert float(hc.theory.posterior_threshold(best.ratio)) == pytest.approx(posterior, rel=1e-12)


# --- the theorem ---


@pytest.mark.parametrize("name", FIGURES)
def test_the_signal_needed_is_concave_in_the_background(name):
    """Curves of constant significance: the second derivative along them is negative, also where Z^2 is not convex."""
    figure = FIGURES[name][0]
    random = np.random.default_rng(3)
    with mp.workdps(40):
        for _ in range(15):
            s, b = (mp.mpf(10) ** random.uniform(-2, 3) for _ in range(2))
            q = lambda s, b: figure(s, b) ** 2  # noqa: E731
            by_s, by_b = mp.diff(q, (s, b), (1, 0)), mp.diff(q, (s, b), (0, 1))
            ss, sb, bb = (mp.diff(q, (s, b), n) for n in ((2, 0), (1, 1), (0, 2)))
            assert by_s > 0 > by_b
            # d2S/dB2 at constant q
            curvature = -(ss * (by_b / by_s) ** 2 - 2 * sb * by_b / by_s + bb) / by_s
            assert curvature < 0
            if name not in ("relative", "both", "gaussian"):
                # Convex and homogeneous: Euler's identity, and no determinant.
                assert mp.almosteq(s * by_s + b * by_b, q(s, b), 1e-10)
                assert abs(ss * bb - sb**2) <= 1e-8 * abs(ss * bb)
                assert ss > 0


def test_the_square_is_not_convex_if_the_uncertainty_is_relative():
    with mp.workdps(40):
        q = lambda s, b: asimov_poisson(s, b, (F * b) ** 2) ** 2  # noqa: E731
        ss, sb, bb = (mp.diff(q, (mp.mpf(50), mp.mpf(1000)), n) for n in ((2, 0), (1, 1), (0, 2)))
        assert ss * bb - sb**2 < 0


CELLS = 9


def cells(seed):
    """Expected signal and background of some cells, and of all of their 511 selections."""
    random = np.random.default_rng(seed)
    s, b = random.lognormal(0.0, 1.5, CELLS), random.lognormal(1.0, 1.5, CELLS)
    chosen = np.array(list(itertools.product([False, True], repeat=CELLS)))[1:]
    return s, b, chosen, chosen @ s, chosen @ b


@pytest.mark.parametrize("name", FIGURES)
def test_of_all_selections_the_best_one_cuts_the_posterior(name):
    figure = FIGURES[name][0]
    for seed in range(3):
        s, b, chosen, signal, background = cells(seed)
        best = int(np.argmax([figure(x, y) for x, y in zip(signal, background, strict=True)]))
        kappa = float(price(figure, mp.mpf(signal[best]), mp.mpf(background[best])))
        errors = (s.sum() - signal) + kappa * background
        assert int(np.argmin(errors)) == best  # the least weighted errors
        np.testing.assert_array_equal(chosen[best], s / (s + b) > kappa / (1 + kappa))  # a cut on the posterior


@pytest.mark.parametrize("name", FIGURES)
def test_no_round_is_worse_than_the_one_before(name):
    """Among a random set of selections, not all of them: the theorem does not ask for all."""
    figure = FIGURES[name][0]
    for seed in range(4):
        _, _, _, signal, background = cells(seed)
        some = np.random.default_rng(seed).choice(len(signal), 60, replace=False)
        signal, background = signal[some], background[some]
        at, values = int(np.argmin(signal)), []
        for _ in range(30):
            values.append(float(figure(mp.mpf(signal[at]), mp.mpf(background[at]))))
            kappa = float(price(figure, mp.mpf(signal[at]), mp.mpf(background[at])))
            at = int(np.argmax(signal - kappa * background))
        assert np.all(np.diff(values) >= -1e-12)
        assert values[-1] > values[0]


def test_what_bce_keeps_is_told_by_the_ratio_after_the_best_cut():
    """Less than 2.513 there: BCE keeps less background; more: more. Without any assumption on the densities."""
    agreement, sides = hc.theory.agreement(), set()
    for seed in range(200):
        _, _, _, signal, background = cells(seed)
        some = np.random.default_rng(seed).choice(len(signal), 40, replace=False)
        signal, background = signal[some], background[some]
        z = np.sqrt(2 * ((signal + background) * np.log1p(signal / background) - signal))
        best, bce = int(np.argmax(z)), int(np.argmax(signal - background))
        side = np.sign(signal[best] / background[best] - agreement)
        assert side * (background[bce] - background[best]) >= 0
        sides.add((side, best == bce))
    assert {(-1.0, False), (1.0, False)} <= sides


def test_the_ratio_after_the_cut_of_bce_may_mislead():
    """Two peaks: after BCE's cut S/B is above 2.513, and yet the best cut is far below it, not above."""
    cuts = np.linspace(0, 100, 100_001)
    signal = 400 * norm.sf(cuts, 20, 2) + 30 * norm.sf(cuts, 80, 3)
    background = 10_000 * np.exp(-cuts / 10)
    z = np.sqrt(2 * ((signal + background) * np.log1p(signal / background) - signal))
    bce, best = int(np.argmax(signal - background)), int(np.argmax(z))
    assert round(cuts[bce], 1) == 74.2
    assert round(signal[bce] / background[bce], 2) == 4.86
    assert round(cuts[best], 1) == 16.7
    assert round(signal[best] / background[best], 2) == 0.22
    assert (round(z[bce], 2), round(z[best], 2)) == (8.13, 9.14)


# --- the rounds on known densities ---


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_rounds_find_the_best_cut(name):
    problem = hc.theory.CutProblem.of_scenario(name)
    found, best = hc.theory.rounds(problem), problem.optimum("asimov")
    assert found.threshold == pytest.approx(best.threshold, rel=1e-6)
    assert found.value == pytest.approx(best.value, rel=1e-12)
    assert np.all(np.diff([one.value for one in found.rounds]) >= -1e-12)
    assert found.converged or name == "exp10-exp100"  # whose significance is flat over forty units
    assert found.background_weight == pytest.approx(best.density_ratio, rel=1e-6)


def test_a_few_rounds_from_the_cut_of_bce():
    problem = hc.theory.CutProblem.of_scenario("gauss40x10-gauss50x10")
    found = hc.theory.rounds(problem, background_weight=1.0, max_rounds=13)
    assert found.rounds[0].threshold == pytest.approx(problem.optimum("bce").threshold)
    assert round(found.threshold, 2) == 47.42
    assert not found.converged
    assert found.message == "the cut still moves after 13 rounds; allow more"


@pytest.mark.parametrize("objective", ["asimov_uncertainty", "s_over_sqrt_b_plus_variance", "s_over_sqrt_s_plus_b"])
def test_the_rounds_of_other_figures_of_merit(objective):
    problem = hc.theory.CutProblem.of_scenario(
        "gauss40x10-gauss50x10", relative_uncertainty=0.05, simulated_background=5000
    )
    found, best = hc.theory.rounds(problem, objective), problem.optimum(objective)
    assert found.value == pytest.approx(best.value, rel=1e-9)
    assert np.all(np.diff([one.value for one in found.rounds]) >= -1e-12)


def test_rounds_that_cannot_be():
    problem = hc.theory.CutProblem.of_scenario("exp10-gauss50x1")
    with pytest.raises(InputError, match="Nothing is kept by the best classification with background weights of 1;"):
        hc.theory.rounds(problem, background_weight=1.0)
    with pytest.raises(InputError, match="known of closed forms only, and not of 'punzi'"):
        hc.theory.rounds(problem, Punzi())
    with pytest.raises(InputError, match="background_weight is -1"):
        hc.theory.rounds(problem, background_weight=-1.0)


# --- cut or fit ---


@pytest.mark.parametrize(
    ("name", "bce", "best", "fit"),
    [
        ("exp10-gauss50x10", 413.5, 441.4, 470.5),
        ("exp10-gauss30x1", 32.9, 32.9, 48.6),
        ("exp10-exp100", 159.2, 243.4, 357.6),  # integrated up to 400 only: 335.6
        ("exp10-gauss50x1", 0.0, 1.06, 1.91),
        ("gauss40x10-gauss50x10", 6.0, 12.1, 15.2),
    ],
)
def test_cut_or_fit(name, bce, best, fit):
    problem = hc.theory.CutProblem.of_scenario(name)
    digits = 2 if best < 2 else 1
    assert round(problem.worth("bce") * problem.optimum("asimov").value, digits) == bce
    assert round(problem.optimum("asimov").value, digits) == best
    assert round(hc.theory.fitted_significance(problem), digits) == fit


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_fit_by_mpmath(name):
    truth = SCENARIOS[name]

    def density(part, x):
        loc, scale = (mp.mpf(p) for p in part.parameters)
        z = (x - loc) / scale
        shape = mp.npdf(z) if part.family == "norm" else mp.exp(-z)
        return part.size * shape / scale

    def square(x):
        s, b = density(truth.signal, x), density(truth.background, x)
        return 2 * ((s + b) * mp.log1p(s / b) - s)

    low = -100 if truth.background.family == "norm" else 0
    with mp.workdps(25):
        exact = mp.sqrt(mp.quad(square, [low, *range(10, 101, 10), 150, 200, 400, 800, 1600, 5000]))
    found = hc.theory.fitted_significance(hc.theory.CutProblem.of_scenario(name))
    assert found == pytest.approx(float(exact), rel=1e-10)


def test_the_fit_of_an_uncertain_background_is_another_one():
    problem = hc.theory.CutProblem.of_scenario("exp10-gauss50x10", relative_uncertainty=0.1)
    with pytest.raises(InputError, match="no independent experiments"):
        hc.theory.fitted_significance(problem)


# --- cuts that depend on another variable ---


@pytest.mark.parametrize(("separation", "expected"), [(0.5, 0.56), (1.0, 1.41), (2.0, 106), (3.0, 1.8e5)])
def test_the_best_threshold_differs_between_bins(separation, expected):
    """Of a score that separates differently in each bin of a mass: s/b = r/2 with the bin's own efficiencies."""
    c = np.linspace(-8, 12, 400_001)
    z = norm.sf(c, separation) / np.sqrt(norm.sf(c))  # S / sqrt(B) up to yields
    best = c[np.argmax(z)]
    ratio = norm.pdf(best, separation) / norm.pdf(best)
    assert ratio == pytest.approx(expected, rel=0.02)


# --- the weighted loss as a figure of merit ---


@pytest.fixture(scope="module")
def samples():
    return hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)


def test_the_weighted_loss_is_the_log_loss_with_weights(samples):
    figure = WeightedCrossEntropy(background_weight=0.3)
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=(figure,), thresholds=[30.0, 50.0, 60.0])
    x = np.concatenate([sample.column("x") for sample in samples])
    signal = np.repeat([sample.signal for sample in samples], [len(sample) for sample in samples])
    weights = np.concatenate([sample.weights for sample in samples]) * np.where(signal, 1.0, 0.3)
    expected = [hc.classification.log_loss(signal, x > t, weights=weights) for t in scan.thresholds]
    np.testing.assert_allclose(scan.values["weighted_bce"], expected, rtol=1e-12)


def test_by_name_the_weight_is_the_one_that_no_cut_asks_for(samples):
    totals = [sample.total for sample in samples]
    r = totals[0] / totals[1]
    given = WeightedCrossEntropy(background_weight=float(conditions.asimov(r)))
    scans = [
        hc.scan(samples, hc.Cut("x", ">"), metrics=(m,), thresholds=range(20, 80)).values["weighted_bce"]
        for m in ("weighted_bce", given)
    ]
    np.testing.assert_allclose(*scans, rtol=1e-12)


def test_the_weighted_loss_agrees_with_bce_at_weight_one(samples):
    figures = ("bce", WeightedCrossEntropy(background_weight=1.0))
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=figures, thresholds=range(20, 80))
    np.testing.assert_allclose(scan.values["bce"], scan.values["weighted_bce"], rtol=1e-14)


def test_the_scan_of_the_weighted_loss_cuts_where_the_significance_does(samples):
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov",), thresholds=np.linspace(30, 70, 401))
    best = scan.optimum("asimov").threshold
    at = int(np.flatnonzero(scan.thresholds == best)[0])
    passed = [sample.weights[sample.column("x") > best].sum() for sample in samples]
    weight = float(conditions.asimov(passed[0] / passed[1]))
    figure = WeightedCrossEntropy(background_weight=weight)
    weighted = hc.scan(samples, hc.Cut("x", ">"), metrics=(figure,), thresholds=scan.thresholds)
    assert int(np.argmin(weighted.values["weighted_bce"])) == at


@pytest.mark.slow
def test_the_optimizer_takes_the_weighted_loss(samples):
    figure = WeightedCrossEntropy(background_weight=0.2746)
    options: dict[str, Any] = {"replicas": 0, "holdout": None, "folds": 2}
    result = hc.optimize(samples, hc.Cut("x", ">"), objective=figure, **options)
    bce = hc.optimize(samples, hc.Cut("x", ">"), objective="bce", **options)
    assert result.thresholds["x"] == pytest.approx(
        hc.theory.CutProblem.of_scenario("gauss40x10-gauss50x10").optimum(figure).threshold, abs=3.0
    )
    assert bce.thresholds["x"] > result.thresholds["x"] + 5


def test_the_weighted_loss_pickles_and_refuses_weights_that_are_none():
    figure = WeightedCrossEntropy(background_weight=0.5)
    assert pickle.loads(pickle.dumps(figure)) == figure  # noqa: S301
    for weight in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InputError, match="background_weight is"):
            WeightedCrossEntropy(background_weight=weight)
