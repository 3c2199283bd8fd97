"""Few expected events: exact sums over Poisson counts against mpmath and SciPy, and asymptotic formulas there."""

import dataclasses

import jax
import mpmath
import numpy as np
import pyhf
import pytest
from scipy.stats import norm, poisson

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.precision import float64_scope
from hepcuts.histfactory import equivalent_events, expected_upper_limit, upper_limit
from hepcuts.merit.registry import FIGURES

from . import models


def one_bin(s: float, b: float) -> hc.HistFactory:
    spec = {"channels": [models.channel("c", models.sample("s", [s], models.MU), models.sample("b", [b]))]}
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu"))


def exact_limit(n: int, b: float) -> float:
    """CLs limit on the signal events with mpmath: sums of probabilities, and a root."""
    with mpmath.workdps(30):

        def at_most(mean: mpmath.mpf) -> mpmath.mpf:
            return mpmath.fsum(mpmath.exp(-mean) * mean**k / mpmath.factorial(k) for k in range(n + 1))

        def excess(s: mpmath.mpf) -> mpmath.mpf:
            return at_most(s + b) / at_most(mpmath.mpf(b)) - 0.05

        return float(mpmath.findroot(excess, (0.5, n + 20.0), solver="illinois", tol=1e-24))


# Background, asymptotic expected limit, exact one at the median count: numbers of a review.
LIMITS = [
    (1e-4, 1.92, 3.00),
    (0.01, 1.97, 3.00),
    (0.1, 2.24, 3.00),
    (0.5, 2.88, 3.00),
    (1.0, 3.40, 4.11),
    (3.0, 4.78, 5.40),
]


@pytest.mark.parametrize(("b", "asymptotic", "exact"), LIMITS)
def test_asymptotic_limits_reward_an_empty_region(b: float, asymptotic: float, exact: float) -> None:
    assert float(expected_upper_limit(one_bin(1.0, b))) == pytest.approx(asymptotic, abs=0.006)
    assert counting.median_upper_limit(b) == pytest.approx(exact, abs=0.006)
    median = int(poisson.median(b))
    assert counting.median_upper_limit(b) == pytest.approx(exact_limit(median, b), rel=1e-10)
    assert counting.mean_upper_limit(1.0, b) >= 2.9957


@pytest.mark.parametrize("b", [1e-4, 0.3, 2.0, 30.0, 700.0])
def test_the_mean_limit_is_the_sum_over_counts(b: float) -> None:
    n = np.arange(0, int(b + 12 * np.sqrt(b) + 20))
    limits = counting.poisson_upper_limit(n, b)
    assert counting.mean_upper_limit(2.0, b) == pytest.approx(np.sum(poisson.pmf(n, b) * limits) / 2.0, rel=1e-7)
    for count in n[:: max(1, len(n) // 4)]:
        below = poisson.cdf(count, limits[count] + b) / poisson.cdf(count, b)
        assert below == pytest.approx(0.05, rel=1e-9)


def test_the_mean_limit_falls_with_the_background_to_three_events() -> None:
    b = np.geomspace(1e-5, 100.0, 100)
    limits = counting.mean_upper_limit(1.0, b)
    assert np.all(np.diff(limits) > 0)
    assert limits[0] == pytest.approx(-np.log(0.05), rel=1e-4)


@pytest.mark.parametrize(("s", "b"), [(3.0, 0.5), (10.0, 50.0), (5.0, 1e-3), (100.0, 20.0), (500.0, 2000.0)])
def test_the_mean_significance_is_the_sum_over_counts(s: float, b: float) -> None:
    n = np.arange(0, int(s + b + 12 * np.sqrt(s + b) + 30))
    z = np.maximum(norm.isf(poisson.sf(n - 1, b)), 0.0)
    assert counting.mean_significance(s, b) == pytest.approx(np.sum(poisson.pmf(n, s + b) * z), rel=1e-7)


def test_far_in_the_tail_against_mpmath() -> None:
    with mpmath.workdps(40):
        p = mpmath.gammainc(300, 0, mpmath.mpf("0.1"), regularized=True)
        log_p = float(mpmath.log(p))
    z = float(counting.poisson_significance(300.0, 0.1))
    assert norm.logsf(z) == pytest.approx(log_p, rel=1e-12)


def test_the_median_of_few_events() -> None:
    """A review: 3 over 0.5, exact Z of the median count 2.19, where the Asimov value is 2.76."""
    assert counting.median_significance(3.0, 0.5) == pytest.approx(2.19, abs=0.005)
    assert counting.median_significance(3.0, 0.5) == pytest.approx(norm.isf(poisson.sf(2, 0.5)), rel=1e-10)
    assert counting.asimov_significance(3.0, 0.5) == pytest.approx(2.76, abs=0.005)


def test_the_median_falls_where_there_is_less_background_and_the_mean_does_not() -> None:
    b = np.linspace(0.6, 0.75, 400)
    assert np.any(np.diff(counting.median_significance(3.0, b)) > 0.3)
    assert np.all(np.diff(counting.mean_significance(3.0, b)) < 0)


def test_many_events_are_asymptotic() -> None:
    s, b = np.array([200.0, 500.0, 900.0]), np.array([1e4, 2e4, 1e5])
    np.testing.assert_allclose(counting.mean_significance(s, b), counting.asimov_significance(s, b), rtol=0.03)
    np.testing.assert_allclose(counting.median_significance(s, b), counting.asimov_significance(s, b), rtol=0.02)


@pytest.mark.parametrize("name", ["mean_significance", "mean_upper_limit"])
@pytest.mark.slow("mean_upper_limit")
def test_slopes_are_those_of_differences(name: str) -> None:
    formula = getattr(counting, name)
    slopes = float64_scope(jax.jit(jax.vmap(jax.grad(formula, argnums=(0, 1)))))
    s, b = np.array([3.0, 1.0, 20.0, 300.0]), np.array([0.5, 0.01, 40.0, 900.0])
    for number, found in enumerate(slopes(s, b)):
        step = 1e-5 * (s, b)[number]
        more, less = (formula(*(v + sign * step * (k == number) for k, v in enumerate((s, b)))) for sign in (1, -1))
        np.testing.assert_allclose(found, (more - less) / (2 * step), rtol=2e-5)


@pytest.mark.parametrize("confidence_level", [0.0, 1.0, 1.5])
def test_confidence_levels_that_are_none(confidence_level: float) -> None:
    with pytest.raises(hc.errors.InputError, match="expected a number between 0 and 1"):
        counting.poisson_upper_limit(1, 1.0, confidence_level=confidence_level)


def test_no_value_without_background_or_signal() -> None:
    assert np.isnan(counting.mean_significance(1.0, 0.0))
    assert np.isnan(counting.mean_upper_limit(0.0, 1.0))
    assert np.isnan(counting.poisson_significance(1.0, 0.0))


@pytest.mark.parametrize(("b", "rate"), [(0.1, 0.11), (0.3, 0.20), (1.0, 0.44), (2.0, 0.81), (10.0, 1.18)])
def test_how_often_few_events_exceed_three_sigma(b: float, rate: float) -> None:
    """A review: the asymptotic formula is careful below two expected events; over what a Gaussian has."""
    n = np.arange(np.ceil(b), 100.0)
    z = np.sqrt(2.0 * (n * np.log(n / b) - n + b))
    fewest = n[np.flatnonzero(z > 3.0)[0]]
    assert poisson.sf(fewest - 1, b) / norm.sf(3.0) == pytest.approx(rate, abs=0.006)
    likelihood = one_bin(1.0 + b, b)
    found = [hc.discovery_test(likelihood, data=[count]).significance for count in (fewest - 1, fewest)]
    assert found[0] < 3.0 < found[1]


# Separation of two normal distributions, signal and background before the cut, sigma; chances that a review had.
CHANCES = [((3.0, 5.0, 200.0, 3.0), (0.33, 0.49)), ((4.0, 4.0, 1000.0, 5.0), (0.11, 0.23))]


@pytest.mark.parametrize(("problem", "chances"), CHANCES)
def test_what_the_best_asimov_significance_costs(problem: tuple[float, ...], chances: tuple[float, float]) -> None:
    """1 % of the mean significance, and a third or half of the chance to exceed three or five sigma."""
    separation, s, b, sigma = problem
    cuts = np.linspace(1.0, 6.0, 1001)
    signal, background = s * norm.sf(cuts - separation), b * norm.sf(cuts)
    asimov = np.asarray(counting.asimov_significance(signal, background))
    # The fewest events whose exact significance is as large.
    needed = poisson.isf(norm.sf(sigma), background) + 1
    chance = poisson.sf(needed - 1, signal + background)
    chosen = int(np.argmax(asimov))
    assert chance[chosen] == pytest.approx(chances[0], abs=0.006)
    assert chance.max() == pytest.approx(chances[1], abs=0.006)
    n = np.arange(0, 400)[:, None]
    z = np.maximum(norm.isf(poisson.sf(n - 1, background)), 0.0)
    weight = poisson.pmf(n, signal + background)
    mean = np.sum(np.where(weight > 1e-14, weight * np.where(np.isfinite(z), z, 0.0), 0.0), axis=0)
    assert 0.0 < 1.0 - mean[chosen] / mean.max() < 0.012


# --- warnings and guards ---


def test_few_expected_events_are_told() -> None:
    assert "only 3.1 events are expected" in str(hc.discovery_test(one_bin(3.0, 0.05)))
    assert "are expected" not in str(hc.discovery_test(one_bin(3.0, 5.0)))
    assert "only 0.05 events are expected" in str(upper_limit(one_bin(3.0, 0.05)))
    assert "are expected" not in str(upper_limit(one_bin(3.0, 6.0)))


def test_equivalent_events_of_bins() -> None:
    one = equivalent_events(np.array([7.0]), np.array([3.0]), np.array([4.0]))
    same = equivalent_events(np.array([2.0] * 10), np.array([1.0] * 10), np.array([1.0] * 10))
    # All of the power in the small bin.
    small = equivalent_events(np.array([2.0, 1e4]), np.array([1.9, 0.1]), np.array([0.1, 9999.9]))
    assert (one, same) == (pytest.approx(7.0), pytest.approx(20.0))
    assert small == pytest.approx(2.0, rel=0.05)


def rare(seed: int = 2) -> list[hc.Sample]:
    r = np.random.default_rng(seed)
    size = 20000
    return [
        hc.Sample("s", {"x": r.normal(5.0, 1.0, size)}, weights=np.full(size, 4.0 / size), signal=True),
        hc.Sample("b", {"x": r.exponential(1.0, size)}, weights=np.full(size, 60.0 / size)),
    ]


def test_the_limit_does_not_go_where_nothing_is_expected() -> None:
    samples, cut = rare(), hc.Cut("x", ">")
    scan = hc.scan(
        samples,
        cut,
        metrics=("upper_limit", "mean_upper_limit"),
        thresholds=np.linspace(0, 7, 141),
        replicas=0,
        folds=0,
    )
    found = scan.optimum("upper_limit")
    assert found.background >= 5.0
    assert "or 5 expected ones" in found.message
    believed = dataclasses.replace(FIGURES["upper_limit"], min_expected=0.0)
    free = hc.scan(samples, cut, metrics=(believed,), thresholds=np.linspace(0, 7, 141), replicas=0, folds=0)
    assert free.optimum("upper_limit").background < 2.0
    # The exact one is right everywhere, and needs no guard.
    best = scan.optimum("mean_upper_limit")
    at = int(np.searchsorted(scan.thresholds, best.threshold))
    s, b = scan.table.signal[at], scan.table.background[at]
    n = np.arange(0, 60)
    exact = np.sum(poisson.pmf(n, b) * counting.poisson_upper_limit(n, b)) / s
    assert best.value == pytest.approx(exact, rel=1e-9)
    assert "are expected" not in best.message


@pytest.mark.parametrize(
    "objective",
    [
        "upper_limit",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("mean_upper_limit", "mean_significance")),
    ],
)
@pytest.mark.slow("upper_limit")
def test_the_optimizer_takes_them(objective: str) -> None:
    samples = rare()
    result = hc.optimize(samples, hc.Cut("x", ">"), objective=objective, replicas=0, folds=0)
    background = samples[1].weights[samples[1].columns["x"] > result.thresholds["x"]].sum()
    if objective == "upper_limit":
        assert background >= 5.0 * (1 - 1e-9)
        return
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=(objective,), replicas=0, folds=0)
    assert result.hard_value == pytest.approx(scan.optimum(objective).value, rel=0.02)


def test_few_events_after_optimized_cuts_are_told() -> None:
    samples = rare()
    result = hc.optimize(samples, hc.Cut("x", ">"), objective="asimov", replicas=0, folds=0)
    assert result.quoted.expected_events < 5.0
    assert "few events" in str(result)
