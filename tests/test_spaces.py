"""Where thresholds are searched: what is tied moves together, and shares of the signal are those of its weight."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.quantiles import WeightedQuantiles, quantile
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.spreads import spread


def search_of(samples, cuts, **options):
    selection = hc.Selection(cuts) if isinstance(cuts, hc.Cut) else cuts
    return Search.of(samples, Problem.of(selection, figure_of_merit("asimov"), **options))


# --- tied ------------------------------------------------------------------------------------------------------------


def make_leptons(first, second):
    rng = np.random.default_rng(1)
    return [
        hc.Sample(
            name,
            {first: rng.exponential(scale, 2000), second: rng.exponential(0.5 * scale, 2000)},
            weights=np.full(2000, total / 2000),
            signal=name == "s",
        )
        for name, scale, total in (("s", 40.0, 50.0), ("b", 20.0, 1000.0))
    ]


@pytest.mark.parametrize("names", [("l:1", "l:2"), ("l1", "l2"), ("a:low", "a:low:low")])
def test_thresholds_are_tied_whatever_their_columns_are_called(names):
    cuts = hc.Selection([hc.Cut(name, ">") for name in names])
    options = {"objective": "asimov", "folds": 0, "replicas": 0, "anneal": (3.0, 1.0)}
    result = hc.optimize(make_leptons(*names), cuts, tied=[names], **options)
    assert result.thresholds[names[0]] == result.thresholds[names[1]]
    assert all(row[0] == row[1] for row in result.history.thresholds)


def test_thresholds_that_start_far_apart_are_tied():
    samples = make_leptons("l1", "l2")
    cuts = hc.Cut("l1", ">", 1.0) & hc.Cut("l2", ">", 100.0)
    search = search_of(samples, cuts, tied=[("l1", "l2")])
    first, second = search.space.thresholds(search.space.start)
    assert first == second


# --- shares of the weight --------------------------------------------------------------------------------------------


def make_weighted(light=0.1, heavy=1.9):
    """Signal of two components: half the events, at small values, have little weight."""
    rng = np.random.default_rng(2)
    signal = np.concatenate([rng.normal(-2.0, 1.0, 5000), rng.normal(2.0, 1.0, 5000)])
    weights = np.repeat([light, heavy], 5000)
    background = hc.Sample("b", {"x": rng.normal(-1.0, 2.0, 10_000)}, weights=np.full(10_000, 0.1))
    return [hc.Sample("s", {"x": signal}, weights=weights, signal=True), background]


def efficiency(samples, threshold, direction):
    kept = hc.Cut("x", direction, threshold).mask(samples[0].column("x"))
    return samples[0].weights[kept].sum() / samples[0].total


@pytest.mark.parametrize("direction", [">", "<"])
@pytest.mark.parametrize(
    "samples",
    [make_weighted(), make_weighted(1.0, 1.0), make_weighted(1.9, -0.2)],
    ids=["weighted", "equal", "negative"],
)
def test_a_search_starts_where_95_percent_of_the_weight_pass(samples, direction):
    search = search_of(samples, hc.Cut("x", direction))
    (threshold,) = search.space.thresholds(search.space.start)
    assert efficiency(samples, threshold, direction) == pytest.approx(0.95, abs=0.01)
    for wanted in (0.9, 0.5, 0.1):
        (threshold,) = search.space.thresholds(search.space.at_efficiency(wanted))
        assert efficiency(samples, threshold, direction) == pytest.approx(wanted, abs=0.01)


def test_a_spread_is_that_of_the_weight():
    samples = make_weighted(0.0, 1.0)
    alone = hc.Sample("s", {"x": samples[0].column("x")[5000:]}, signal=True)
    cut = hc.Cut("x", ">")
    assert spread(samples, cut) == pytest.approx(spread([alone, samples[1]], cut), rel=1e-3)


def test_equal_weights_are_numpys_quantiles():
    values = np.random.default_rng(3).normal(size=101)
    equal = WeightedQuantiles.of(values, np.full(101, 0.3))
    nearly = WeightedQuantiles.of(values, np.full(101, 0.3) + 1e-13 * np.arange(101))
    for share in (0.0, 0.05, 0.333, 0.5, 0.95, 1.0):
        assert equal.at(share) == np.quantile(values, share)
        assert nearly.at(share) == pytest.approx(np.quantile(values, share), abs=1e-9)
        assert nearly.nearest(share) == equal.nearest(share)


def test_a_weight_is_that_many_events():
    rng = np.random.default_rng(4)
    values, counts = rng.normal(size=2000), rng.integers(0, 5, 2000)
    repeated = np.repeat(values, counts)
    for share in (0.05, 0.3, 0.84):
        found = quantile(values, counts.astype(float), share)
        assert np.mean(repeated < found) == pytest.approx(share, abs=2e-3)


def test_negative_weights_take_away():
    # A copy of negative weight beside each of the events at small values: nothing is left of them.
    values = np.concatenate([np.linspace(-2.0, -1.0, 100), np.linspace(-2.0, -1.0, 100), np.linspace(1.0, 2.0, 100)])
    weights = np.concatenate([np.ones(100), -np.ones(100), np.ones(100)])
    assert quantile(values, weights, 0.5) == pytest.approx(1.5, abs=0.02)
    mirrored = quantile(-values, weights, 0.3)
    assert mirrored == pytest.approx(-quantile(values, weights, 0.7), abs=0.02)
    shares = WeightedQuantiles.of(values, weights).shares
    assert shares is not None
    assert np.all(np.diff(shares) >= 0)


@pytest.mark.parametrize("weights", [[-1.0, -2.0, -1.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
def test_there_is_always_a_value(weights):
    found = WeightedQuantiles.of(np.array([1.0, 2.0, 3.0]), np.array(weights))
    for share in (0.0, 0.5, 1.0):
        assert 1.0 <= found.at(share) <= 3.0
        assert found.nearest(share) in {1.0, 2.0, 3.0}
    assert WeightedQuantiles.of(np.array([2.0]), np.array([1.0])).nearest(0.7) == 2.0
