"""What chose may not predict: half of the events are held out by default, and templates of others say so."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.binning import bin_edges
from hepcuts.histfactory.specification import ASIMOV
from hepcuts.templates.workspace import CHOSEN_ON, DISCOVERY


def samples(seed=0, size=400, features=1):
    """A signal of higher values of each feature, on an exponential background; ten expected events for each one."""
    draw = np.random.default_rng(seed)
    columns = {
        "signal": {f"x{i}": draw.normal(1.0, 0.3, size) for i in range(features)},
        "background": {f"x{i}": draw.exponential(0.5, size) for i in range(features)},
    }
    return [
        hc.Sample(name, table, weights=np.full(size, 10.0 if name == "background" else 0.2), signal=name == "signal")
        for name, table in columns.items()
    ]


def measurement(workspace):
    """Its name, which says at its end that there are no data."""
    name = workspace["measurements"][0]["name"]
    assert name.endswith(f" {ASIMOV}")
    return name.removesuffix(f" {ASIMOV}")


RESULTS = {
    "optimize": lambda events, **options: hc.optimize(events, hc.Cut("x0", ">"), replicas=0, folds=0, **options),
    "bin_edges": lambda events, **options: bin_edges(events, "x0", num_bins=2, **options),
    "categorize": lambda events, **options: hc.categorize(events, "x0", num_bins=2, soft=False, **options),
}


@pytest.mark.parametrize("name", RESULTS)
def test_by_default_half_of_the_events_make_the_workspace(name):
    events = samples()
    result = RESULTS[name](events)
    quoted = result.samples
    assert [len(sample) for sample in quoted] == pytest.approx([200, 200], abs=50)
    assert [sample.total for sample in quoted] == pytest.approx([80.0, 4000.0], rel=1e-12)
    assert measurement(result.workspace) == DISCOVERY == "discovery"


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("none", [None, 0])
def test_a_workspace_of_the_events_that_chose_says_so(name, none):
    result = RESULTS[name](samples(), holdout=none)
    assert [len(sample) for sample in result.samples] == [400, 400]
    assert measurement(result.workspace) == CHOSEN_ON
    assert "not to be unblinded" in CHOSEN_ON


def test_training_events_never_lend_their_workspace():
    result = hc.optimize(samples(), hc.Cut("x0", ">"), replicas=0, folds=0)
    assert measurement(result.training.workspace) == CHOSEN_ON
    assert measurement(result.held_out.workspace) == DISCOVERY


@pytest.mark.parametrize("name", ["bin_edges", "categorize"])
def test_bins_quote_events_that_did_not_choose(name):
    result = RESULTS[name](samples())
    expected = hc.discovery_significance(hc.HistFactory.from_workspace(result.workspace))
    assert result.quoted_significance == pytest.approx(float(expected), rel=1e-9)
    assert f"{result.quoted_significance:.4f} on held-out events" in str(result.summary())
    assert "on the events that chose (none were held out)" in str(RESULTS[name](samples(), holdout=None).summary())


def pulls(holdout, number, **options):
    """Of the background after the cuts that were found, in units of what a simulation of that size knows it by."""
    found = []
    for seed in range(number):
        result = hc.optimize(
            samples(seed, size=1000, features=5),
            hc.Selection([hc.Cut(f"x{i}", ">") for i in range(5)]),
            objective="asimov_uncertainty",
            holdout=holdout,
            replicas=0,
            seed=seed,
            throw=False,
            **options,
        )
        lower = np.maximum([result.thresholds[f"x{i}"] for i in range(5)], 0.0)
        truth = 10_000.0 * np.exp(-np.sum(lower) / 0.5)
        weight = 10.0 if holdout is None else 20.0
        predicted = float(np.asarray(result.quoted.templates.nominal)[1].sum())
        found.append((predicted - truth) / np.sqrt(truth * weight))
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(number))


@pytest.mark.slow
def test_the_background_is_predicted_without_bias_only_by_events_that_did_not_choose():
    """The true yield of any cuts is a product of exponentials here; `benchmarks/coverage.py` has more of this kind."""
    narrow = {"folds": 0, "anneal": (3.0, 1.0, 0.3)}  # cuts that follow single events, as cross-validation avoids
    for options in ({}, narrow):
        mean, error = pulls(0.5, 40, **options)
        assert abs(mean) < 3.0 * error
    biased, error = pulls(None, 40, **narrow)
    assert biased < -3.0 * error


@pytest.mark.parametrize("value", [1.0, -0.1, "0.5", True, False])
def test_other_fractions_are_refused(value):
    with pytest.raises(InputError, match="holdout is"):
        hc.optimize(samples(), hc.Cut("x0", ">"), holdout=value)
