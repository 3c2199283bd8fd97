"""Mistakes that a scan once made: few events, guards, one event far out, memory."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from hepcuts import Cut, HistoSys, NormSys, Sample, Window, datasets, scan
from hepcuts._core.errors import InputError
from hepcuts.merit import rows
from hepcuts.merit.cross_entropy import SoftCrossEntropy
from hepcuts.samples.modifiers import Variation
from hepcuts.scanning.table import Refinement, Table
from hepcuts.templates.filling import structure_of
from hepcuts.templates.templates import Yields
from tests.unchecked import unchecked  # noqa: F401

CLOSED = (
    "bce",
    "bce_balanced",
    "s_over_sqrt_b",
    "s_over_sqrt_s_plus_b",
    "s_over_sqrt_b_plus_variance",
    "asimov",
    "asimov_uncertainty",
    "binomial",
    "punzi",
)


@pytest.mark.parametrize("folds", [2, 5, 50])
def test_replicas_and_parts_of_single_events_have_no_warnings(folds: int) -> None:
    """Warnings are errors: replicas and parts without any signal or background divide nothing by zero."""
    samples = [Sample("s", {"x": [2.0]}, signal=True), Sample("b", {"x": [1.0, 3.0]})]
    result = scan(samples, Cut("x", ">", width=1.0), metrics=(*CLOSED, "bce_soft"), folds=folds, replicas=20)
    found = {name: result.optimum(name) for name in result.metrics}
    # Between 1 and 2: S = B = 1.
    assert found["s_over_sqrt_b"].value == 1.0
    assert found["s_over_sqrt_b"].threshold == 1.5
    # A replica without signal has no balanced loss, one with has.
    balanced = result.stability.replicas["bce_balanced"]
    assert 0 < np.isnan(balanced).all(axis=1).sum() < 20


def test_weights_that_cancel_have_no_efficiency() -> None:
    samples = [Sample("s", {"x": [1.0, 2.0]}, weights=[1.0, -1.0], signal=True), Sample("b", {"x": [0.0, 3.0]})]
    result = scan(samples, Cut("x", ">"), metrics=("punzi", "asimov"), replicas=0)
    assert np.isnan(result.signal_efficiency).all()
    np.testing.assert_allclose(result.background_efficiency, [1.0, 0.5, 0.5, 0.5])
    assert np.isnan(result.values["punzi"]).all()


def test_if_all_events_are_in_one_part_nothing_is_held_out() -> None:
    samples = [Sample("s", {"x": [2.0]}, signal=True, identity=[7]), Sample("b", {"x": [1.0]}, identity=[7])]
    result = scan(samples, Cut("x", ">", width=1.0), metrics=["bce_soft"], folds=3, replicas=0)
    # One event of each sample: both are in one part, and the other parts hold nothing that could choose.
    assert np.isnan(result.optimum("bce_soft").held_out)


def test_choices_without_any_signal_left() -> None:
    samples = [Sample("s", {"x": [1.0]}, signal=True), Sample("b", {"x": np.arange(10.0)})]
    result = scan(samples, Cut("x", ">"), metrics=("bce", "profile"), thresholds=[4.0, 6.0], min_background=0)
    (choice,) = [c for c in result.choices() if c.metric == "profile"]
    assert choice.significance == 0.0
    assert np.isnan(choice.fraction)


@pytest.mark.parametrize("direction", [">", "<"], ids=["above", "below"])
def test_guarded_optimum_of_many_thresholds_is_that_of_all(direction: Any) -> None:
    signal, background = (s.take(np.arange(0, len(s), 4)) for s in datasets.scenario("exp10-exp100", seed=2))
    samples = [signal, Sample("b", background.columns, modifiers=NormSys("norm", 1.02, 0.98))]
    options: dict[str, Any] = {"metrics": ["profile"], "replicas": 0, "folds": 0}
    refined = scan(samples, Cut("x", direction), **options)
    assert not np.all(refined.evaluated["profile"])
    exhaustive = scan(samples, Cut("x", direction), refinement=Refinement(everywhere=10**9), **options)
    for least in (0.0, 10.0):
        one, other = (r.optimum("profile", min_background=least) for r in (refined, exhaustive))
        assert (one.threshold, one.value) == (other.threshold, other.value)
        # Both ends are thresholds that were evaluated and are within 1 %.
        at = np.searchsorted(refined.thresholds, one.plateau)
        assert np.all(refined.values["profile"][at] >= 0.99 * one.value)
    assert "around the optima of min_background=10 and 0 only" in refined.optimum("profile", min_background=50).message
    assert "around the optima" not in exhaustive.optimum("profile", min_background=50).message


@pytest.mark.parametrize("cut", [Cut("x", ">"), Window("x")], ids=["cut", "window"])
def test_the_guard_of_an_optimum_is_that_of_a_scan(cut: Any) -> None:
    rng = np.random.default_rng(3)
    samples = [
        Sample("s", {"x": rng.normal(2.0, 1.0, 25)}, weights=np.full(25, 0.2), signal=True),
        Sample("b", {"x": rng.normal(0.0, 1.0, 60)}),
    ]
    options: dict[str, Any] = {"metrics": ["asimov"], "thresholds": np.linspace(-3.0, 2.0, 21), "replicas": 30}
    guarded, free, strict, any_event = (
        scan(samples, cut, min_background=least, **options) for least in (30.0, 0.0, 1e6, 1e-9)
    )
    assert guarded.optimum("asimov") != free.optimum("asimov")
    assert guarded.optimum("asimov", min_background=0) == free.optimum("asimov")
    # A guard that nothing passes gives way to that of any event at all, in the ranges too.
    given_way, without = strict.optimum("asimov"), any_event.optimum("asimov")
    assert given_way.statistical_plateau == without.statistical_plateau
    assert given_way.plateau == without.plateau


def test_a_signal_that_cancels_the_background_has_no_infinite_significance() -> None:
    samples = [Sample("s", {"x": [5.0]}, weights=[-1.0], signal=True), Sample("b", {"x": np.arange(6.0)})]
    result = scan(samples, Cut("x", ">"), metrics=["binomial"], replicas=50)
    # Behind 4.5 one background event and minus one of signal: S + B = 0.
    assert np.isnan(result.values["binomial"][-1])
    assert np.isfinite(result.values["binomial"][:-1]).all()
    assert result.reason("binomial", 5).startswith("sample 's' has a negative yield")
    assert np.isfinite(result.optimum("binomial").uncertainty)


@pytest.mark.parametrize("width", [1e-200, 1e-9, 0.3, 40.0, 1e200])
@pytest.mark.parametrize("direction", [">", "<"], ids=["above", "below"])
def test_soft_cross_entropy_with_one_event_far_out(width: float, direction: Any) -> None:
    rng = np.random.default_rng(1)
    x, w = np.append(rng.normal(1e3, 1.0, 400), 1e9), rng.uniform(-0.2, 1.0, 401)
    truth = np.where(rng.uniform(size=401) < 0.3, 1.0, -1.0)
    samples = [
        Sample(name, {"x": x[truth == t]}, weights=w[truth == t], signal=t > 0) for name, t in (("s", 1), ("b", -1))
    ]
    points = np.append(np.linspace(990.0, 1010.0, 3000), 1e9)
    options: dict[str, Any] = {"metrics": ["bce_soft"], "thresholds": points, "replicas": 0, "folds": 0}
    found = scan(samples, Cut("x", direction, width=width), **options).values["bce_soft"]
    sign = 1.0 if direction == ">" else -1.0
    distances = sign * truth * (x - points[:, None]) / width
    expected = np.logaddexp(0.0, -distances) @ w / w.sum()
    # 1e-9: the interpolation's own statement; of sums of weights of either sign.
    scale = np.logaddexp(0.0, -distances) @ np.abs(w) / w.sum()
    assert np.max(np.abs(found - expected) / scale) < 1e-9


def test_one_event_far_out_does_not_make_the_soft_cross_entropy_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.append(np.random.default_rng(1).normal(0.0, 1.0, 5000), 1e9)
    samples = [Sample("s", {"x": x[:2000]}, signal=True), Sample("b", {"x": x[2000:]})]
    events = SoftCrossEntropy().curve(samples, Cut("x", ">", width=0.5))
    calls = []
    at = type(events)._at
    monkeypatch.setattr(type(events), "_at", lambda self, node: calls.append(node) or at(self, node))
    events.values(np.sort(x))
    # A range of eight in steps of 0.1, and two nodes at the end.
    assert len(calls) < 100


def test_a_table_keeps_no_yields_of_the_variations(monkeypatch: pytest.MonkeyPatch) -> None:
    shifts = [HistoSys(f"h{i}", up=Variation(weights=[1.1, 1.0]), down="mirror") for i in range(40)]
    samples = [Sample("s", {"x": [1.0, 2.0]}, signal=True), Sample("b", {"x": [1.0, 2.0]}, modifiers=shifts)]
    structure = structure_of(samples, axis=None, channel="c")
    shape = (81, 2, 1)  # variations, samples, bins

    def yields_at(rows: Any) -> Yields:
        size = len(range(4000)[rows])
        # In memory as the sums over the sorted events are: rows last.
        values = np.moveaxis(np.ones((*shape, size)), -1, 0)
        return Yields(values, values.copy())

    monkeypatch.setattr(rows, "_NUMBERS", 100 * 81 * 2)
    tracemalloc.start()
    table = Table.of(np.arange(4000.0), structure, yields_at, (2.0, 2.0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(table.rows.signal, np.ones(4000))
    # Values of all rows and variations are 5 MB; a hundred rows at a time, and six numbers for each row, are not.
    assert peak < 0.5 * 4000 * 81 * 2 * 8


@pytest.mark.usefixtures("unchecked")
def test_thresholds_of_a_cut_have_one_dimension() -> None:
    samples = [Sample("s", {"x": [1.0, 2.0]}, signal=True), Sample("b", {"x": [1.0, 2.0]})]
    with pytest.raises(InputError, match=r"shape \(1, 2\); expected one dimension"):
        scan(samples, Cut("x", ">"), thresholds=[[0.0, 1.5]])
