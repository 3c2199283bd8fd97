"""No yield is a difference of large sums: weights over 15 decades, and their squares over 30."""

import itertools
import math
from typing import Any

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hepcuts as hc
from hepcuts import Cut, HistoSys, Sample, Selection, Window
from hepcuts._core.errors import EmptySelectionError
from hepcuts._core.histograms import weighted_histogram
from hepcuts.optimization.working_points import efficiencies_of
from hepcuts.plotting.explorer.spectra import spectra
from hepcuts.templates.cumulative import Cumulative
from hepcuts.templates.filling import structure_of
from hepcuts.templates.ranges import range_sums, segment_sums
from hepcuts.templates.templates import Yields

SIGNAL = Sample("s", {"x": np.zeros(20)}, weights=np.full(20, 0.5), signal=True)
HEAVY = Sample("b", {"x": [0.0] * 20 + [1.0] * 20}, weights=[1.0] * 20 + [1e9] * 20)


def test_a_window_of_small_weights_beside_large_ones() -> None:
    metrics = ("asimov", "asimov_uncertainty", "profile")
    result = hc.scan([SIGNAL, HEAVY], Window("x"), metrics=metrics, thresholds=[(-0.5, 0.5)])
    assert result.table.effective_background.tolist() == [20.0]
    values = {name: float(found[0]) for name, found in result.values.items()}
    # Signal 10, background 20 with an uncertainty of sqrt(20).
    assert values["asimov"] == pytest.approx(math.sqrt(2 * (30 * math.log(1.5) - 10)), rel=1e-12)
    assert values["asimov_uncertainty"] == pytest.approx(
        hc.counting.asimov_significance(10.0, 20.0, 20**0.5), rel=1e-12
    )
    assert values["asimov_uncertainty"] == pytest.approx(1.419, abs=1e-3)
    likelihood = hc.HistFactory.from_workspace(hc.workspace(hc.fill([SIGNAL, HEAVY], Window("x", -0.5, 0.5))))
    assert values["profile"] == pytest.approx(float(hc.discovery_significance(likelihood)), rel=1e-6)
    assert values["profile"] == pytest.approx(1.419, abs=1e-3)


@pytest.mark.parametrize("decades", [6, 9, 12, 15])
def test_windows_of_x_and_of_minus_x_agree(decades: int) -> None:
    rng = np.random.default_rng(decades)
    x, y = (np.round(rng.uniform(0, 1, 200), 2) for _ in range(2))
    edges = np.arange(-0.005, 1.01, 0.05)

    def values(sign: int) -> Any:
        s = Sample("s", {"x": sign * x}, weights=0.1 * 10.0 ** (-decades * x), signal=True)
        b = Sample("b", {"x": sign * y}, weights=10.0 ** (-decades * y))
        result = hc.scan([s, b], Window("x"), metrics=("s_over_sqrt_b", "asimov_uncertainty"), thresholds=sign * edges)
        windows = np.sort(np.round(sign * result.thresholds, 3), axis=1)
        return {name: found[np.lexsort(windows.T)] for name, found in result.values.items()}

    up, down = values(1), values(-1)
    for name in up:
        np.testing.assert_allclose(up[name], down[name], rtol=1e-12)


@pytest.mark.parametrize("decades", [6, 9, 12, 15])
def test_cuts_on_x_and_on_minus_x_agree(decades: int) -> None:
    rng = np.random.default_rng(decades)
    x, y = (np.round(rng.uniform(0, 1, 200), 2) for _ in range(2))

    def values(sign: int, *, above: bool) -> Any:
        s = Sample("s", {"x": sign * x}, weights=0.1 * 10.0 ** (-decades * x), signal=True)
        b = Sample("b", {"x": sign * y}, weights=10.0 ** (-decades * y))
        edges = np.arange(-0.005, 0.7, 0.05)
        cut = Cut("x", ">" if above else "<")
        result = hc.scan([s, b], cut, metrics=("s_over_sqrt_b", "asimov_uncertainty"), thresholds=sign * edges)
        return {name: found[::sign] for name, found in result.values.items()}

    for above in (True, False):
        up, down = values(1, above=above), values(-1, above=not above)
        for name in up:
            np.testing.assert_allclose(up[name], down[name], rtol=1e-12)


EVENTS = st.lists(
    st.tuples(st.integers(0, 12), st.floats(-7.5, 7.5), st.integers(0, 2), st.booleans()), min_size=1, max_size=60
)


def filled(samples: list[Sample], cut: Any, axis: Any, structure: Any) -> Any:
    try:
        return hc.fill(samples, cut, axis=axis).yields
    except EmptySelectionError:
        nothing = np.zeros((len(structure.variations), len(samples), structure.num_bins))
        return Yields(nothing, nothing)


CUTS = {"above": Cut("x", ">"), "below": Cut("x", "<", missing="pass"), "window": Window("x", missing="pass")}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@settings(max_examples=15, deadline=None)
@given(events=EVENTS)
def test_yields_of_a_scan_are_those_of_fill(cut: Any, events: list[Any]) -> None:
    x, decade, bins, absent = (np.array(column) for column in zip(*events, strict=True))
    x = np.where(absent, -99.0, x.astype(float))
    scale = HistoSys("scale", up={"x": np.where(absent, x, x + 1.0)}, down="nominal")
    columns = {"x": x, "n": bins.astype(float)}
    b = Sample("b", columns, weights=10.0**decade, missing=-99.0, modifiers=scale)
    s = Sample("s", {"x": [5.0, 9.0], "n": [0.0, 1.0]}, signal=True)
    axis = hist.axis.Integer(0, 3, name="n")
    structure = structure_of([s, b], axis=axis, channel="signal_region")
    edges = np.arange(-0.5, 15.0)
    rows = edges if isinstance(cut, Cut) else np.array([(i, j) for i in edges for j in edges if i < j])[::5]
    found = Cumulative([s, b], cut, structure).at(rows)()
    for row, at in enumerate(rows):
        expected = filled([s, b], cut.at(np.atleast_1d(at)), axis, structure)
        # Sixty positive numbers, in whatever order.
        np.testing.assert_allclose(found.values[row], expected.values, rtol=1e-14)
        np.testing.assert_allclose(found.variances[row], expected.variances, rtol=1e-14)


@settings(max_examples=60, deadline=None)
@given(decades=st.lists(st.floats(-150, 150), min_size=1, max_size=70), data=st.data())
def test_sums_of_neighbors_have_no_rounding_but_their_own(decades: list[float], data: Any) -> None:
    values = 10.0 ** np.array(decades)
    position = st.integers(0, len(values) - 1)
    pairs = np.array(data.draw(st.lists(st.tuples(position, position), min_size=1, max_size=20)))
    found = range_sums(np.stack([values, 2.0 * values]), pairs[:, 0], pairs[:, 1])
    exact = [math.fsum(values[first : last + 1]) for first, last in pairs]
    np.testing.assert_allclose(found, [exact, np.multiply(2.0, exact)], rtol=1e-14)
    bounds = np.sort(pairs.ravel())
    exact = [math.fsum(values[first:last]) for first, last in itertools.pairwise(bounds)]
    np.testing.assert_allclose(segment_sums(values, bounds), exact, rtol=1e-14)


def test_yields_know_their_own_thresholds() -> None:
    rng = np.random.default_rng(1)
    s = Sample("s", {"x": rng.normal(1.0, 1.0, 50)}, signal=True)
    b = Sample("b", {"x": rng.normal(0.0, 1.0, 50)})
    structure = structure_of([s, b], axis=None, channel="signal_region")
    cumulative = Cumulative([s, b], Cut("x", ">"), structure)
    distinct = cumulative.distinct()
    # Asking for all thresholds changes nothing for others, equal ones among them.
    for thresholds in (distinct.thresholds, distinct.thresholds.copy(), distinct.thresholds[::3]):
        found = cumulative.at(thresholds)()
        np.testing.assert_array_equal(found.values[:, 0, 0, 0], [np.sum(s.columns["x"] > t) for t in thresholds])
    np.testing.assert_array_equal(distinct().values, cumulative.at(distinct.thresholds)().values)


@pytest.mark.parametrize("cut", [Cut("x", "<"), Window("x")], ids=["cut", "window"])
@pytest.mark.parametrize("axis", [None, hist.axis.Regular(3, -2, 2, name="m")], ids=["counting", "shape"])
def test_events_that_count_several_times_are_as_many_events(cut: Any, axis: Any) -> None:
    rng = np.random.default_rng(2)

    counts = [((np.arange(60) * 7919 + number) % 3).astype(float) for number in range(2)]

    def sample(name: str) -> Sample:
        columns = {"x": np.round(rng.normal(0, 2, 60)), "m": rng.normal(0, 1, 60)}
        return Sample(name, columns, weights=rng.uniform(0.5, 2.0, 60), signal=name == "s", missing=0.0)

    samples = [sample("s"), sample("b")]
    copies = [one.take(np.repeat(np.arange(60), c.astype(int))) for one, c in zip(samples, counts, strict=True)]
    structure = structure_of(samples, axis=axis, channel="signal_region")
    edges = np.arange(-3.5, 4.0)
    rows = edges if isinstance(cut, Cut) else np.array([(i, j) for i in edges for j in edges if i < j])
    found, expected = (
        Cumulative(samples, cut, structure).at(rows).resampled(counts, counts),
        Cumulative(copies, cut, structure).at(rows)(),
    )
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)
    np.testing.assert_allclose(found.variances, expected.variances, rtol=1e-12)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_replicas_over_fifteen_decades_of_weights_are_those_of_their_own_events(cut: Any) -> None:
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(0, 12, 300), 1)
    s = Sample("s", {"x": x[:100], "n": rng.integers(0, 3, 100)}, signal=True)
    # Both what lies below a window and what lies above it outweighs what is in it.
    b = Sample("b", {"x": x, "n": rng.integers(0, 3, 300)}, weights=10.0 ** (15 * np.abs(x - 6.0) / 6.0 - 7.5))
    structure = structure_of([s, b], axis=hist.axis.Integer(0, 3, name="n"), channel="signal_region")
    edges = np.arange(0.0, 12.0, 0.5)
    rows = edges if isinstance(cut, Cut) else np.array([(i, j) for i in edges for j in edges if i < j])[::3]
    yields = Cumulative([s, b], cut, structure).at(rows)
    counts = [rng.poisson(1.0, len(one)).astype(float) for one in (s, b)]
    found = yields.resampled(counts, counts)
    drawn = [one.take(np.repeat(np.arange(len(one)), c.astype(int))) for one, c in zip((s, b), counts, strict=True)]
    for row, at in enumerate(rows):
        expected = filled(drawn, cut.at(np.atleast_1d(at)), structure.axis, structure)
        np.testing.assert_allclose(found.values[row], expected.values, rtol=1e-13)
        np.testing.assert_allclose(found.variances[row], expected.variances, rtol=1e-13)


def test_the_uncertainty_of_an_efficiency_knows_small_weights_that_fail() -> None:
    s = Sample("s", {"x": [1.0] + [0.0] * 20}, weights=[1e9] + [1.0] * 20, signal=True)
    found = efficiencies_of([s, HEAVY], [Selection([Cut("x", ">", 0.5)])])
    total = 1e9 + 20.0
    expected = math.sqrt((20.0 / total) ** 2 * 1e18 + (1e9 / total) ** 2 * 20.0) / total
    assert found.signal_uncertainty[0] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_bins_of_a_histogram_are_summed_for_themselves(events: list[Any]) -> None:
    x, decade, *_ = (np.array(column, dtype=float) for column in zip(*events, strict=True))
    edges = np.array([1.0, 2.0, 3.5, 9.0])
    weights = 10.0**decade
    found = weighted_histogram(x, edges, weights)
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        here = (x >= low) & ((x < high) | ((x == high) & (high == 9.0)))
        assert found[number] == pytest.approx(math.fsum(weights[here]), rel=1e-14)
    np.testing.assert_allclose(weighted_histogram(x, edges, np.ones(len(x))), np.histogram(x, edges)[0])


def test_the_spectra_of_the_explorer_keep_small_weights_beside_large_ones() -> None:
    b = Sample("b", {"x": [0.1] * 20 + [0.9] * 20}, weights=[1e9] * 20 + [1.0] * 20)
    s = Sample("s", {"x": [0.1, 0.9]}, signal=True)
    result = hc.scan([s, b], Cut("x", ">"), metrics=("s_over_sqrt_b",), thresholds=[0.0, 1.0], replicas=0, folds=0)
    drawn = spectra(result)
    bin_of = int(np.searchsorted(drawn["edges"], 0.9, side="right")) - 1
    assert drawn["samples"][1]["values"][bin_of] == 20.0
    assert drawn["uncertainty"][bin_of] == pytest.approx(math.sqrt(20.0), rel=1e-14)
