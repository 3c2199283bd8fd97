"""Soft sums over events against plain NumPy sums over the same events, and their slopes against differences."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import hist
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from hepcuts import Cut, HistoSys, Sample, Selection, SlidingCut, Window, fill
from hepcuts._core.errors import EmptySelectionError
from hepcuts.cuts import AbstractCut
from hepcuts.cuts.steps import step as find_step
from hepcuts.templates import soft_sums as sums
from hepcuts.templates.coordinates import Linear, normal_scores
from hepcuts.templates.filling import without_outside_warnings
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.soft_sampling import _OF_DISTANCES, _ROUNDING, sampled, within_reach

MISSING = -999.0
STEPS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": scipy.special.expit,
    "erf": lambda z: 0.5 * scipy.special.erfc(-z),
    "balanced": lambda z: 0.5 * (1.0 + z / np.sqrt(1.0 + z**2)),
}

SELECTIONS = {
    "above": Selection([Cut("x", ">", 0.3)]),
    "below-and-above": Selection([Cut("x", "<", 0.7), Cut("y", ">", -0.2)]),
    "window": Selection([Window("x", -0.5, 0.8), Cut("y", "<", 0.5)]),
    "missing-passes": Selection([Cut("x", ">", 0.1, missing="pass"), Window("y", -1.0, 1.2, missing="pass")]),
    "inverted": Selection([~Cut("x", ">", 0.4), Cut("y", ">", -0.5)]),
    "inverted-window": Selection([~Window("x", -0.4, 0.6), Cut("y", ">", -0.5, missing="pass")]),
    "inverted-missing-passes": Selection([~Cut("x", ">", 0.1, missing="pass"), ~Window("y", -1.0, 1.2)]),
    "sliding": Selection([SlidingCut("x", ">", along="y", knots=(-1, 0, 1.5), thresholds=(0.2, -0.3, 0.5))]),
    "sliding-inverted": Selection(
        [
            Window("z", -1.0, 1.5),
            ~SlidingCut("x", "<", along="y", knots=(-0.5, 0.5), thresholds=(0.2, -0.3), missing="pass"),
        ]
    ),
}


def columns(r: np.random.Generator, size: int, shift: float) -> dict[str, np.ndarray]:
    found = {name: r.normal(shift, 1.0, size) for name in ("x", "y", "z", "m")}
    found["x"][r.random(size) < 0.1] = MISSING
    found["y"][r.random(size) < 0.1] = MISSING
    return found


def make_samples(seed: int = 5, size: int = 300) -> list[Sample]:
    """Weights of both signs, missing values, variations of columns and of weights."""
    r = np.random.default_rng(seed)
    signal, background, other = columns(r, size, 0.5), columns(r, 2 * size, 0.0), columns(r, size // 2, -0.5)
    w = r.uniform(0.5, 1.5, 2 * size) * np.where(r.random(2 * size) < 0.2, -1.0, 1.0)
    shifted = np.where(background["x"] == MISSING, MISSING, 1.1 * background["x"] + 0.05)
    return [
        Sample("s", signal, weights=r.uniform(0.1, 0.3, size), signal=True, missing=MISSING),
        Sample(
            "b",
            background,
            weights=w,
            missing=MISSING,
            modifiers=[
                HistoSys("scale", up={"x": shifted}, down="mirror"),
                HistoSys("shape", up=1.2 * w, down=0.9 * w),
            ],
        ),
        Sample("c", other, missing=MISSING),
    ]


SAMPLES = make_samples()
AXES = {"counting": None, "bins": hist.axis.Regular(3, -1.5, 1.5, name="m")}


def linear(selection: Selection) -> list[Linear]:
    return [Linear(1.0, (-5.0, 5.0)) for _ in selection.cuts]


def laid_out(selection: Selection, axis: Any = None, samples: Sequence[Sample] = SAMPLES) -> SoftEvents:
    return SoftEvents.of(samples, selection, linear(selection), axis=axis)


def numpy_pass_weight(cut: AbstractCut, x: Any, thresholds: Any, width: float, step: Callable[[Any], Any]) -> Any:
    """Of one cut, spelled out: a product of steps, one minus it for an inverted cut."""
    inner = cut.plain
    absent = np.any([x[column] == MISSING for column in inner.columns], axis=0)
    if isinstance(inner, SlidingCut):
        sign = 1 if inner.direction == ">" else -1
        found = step(sign * (x[inner.variable] - np.interp(x[inner.along], inner.knots, thresholds)) / width)
    elif isinstance(inner, Window):
        low, high = thresholds
        found = step((x[inner.variable] - low) / width) * step((high - x[inner.variable]) / width)
    else:
        assert isinstance(inner, Cut)
        found = step((1 if inner.direction == ">" else -1) * (x[inner.variable] - thresholds[0]) / width)
    found = np.where(absent, 1.0 if inner.missing == "pass" else 0.0, found)
    return found if inner is cut else 1.0 - found


def numpy_sums(selection: Selection, axis: Any, thresholds: Any, width: float, step: Callable[[Any], Any]) -> Any:
    """Sums of w p and w^2 p, shape (cell, 2), one event set after the other."""
    num_bins = 1 if axis is None else len(axis)
    variations = ["nominal", "scale_up", "scale_down", "shape_up", "shape_down"]
    sums = np.zeros((len(variations), len(SAMPLES), num_bins, 2))
    for s, sample in enumerate(SAMPLES):
        sides = {"nominal": (dict(sample.columns), sample.weights)}
        for modifier in sample.modifiers:
            assert isinstance(modifier, HistoSys)
            sides |= {f"{modifier.name}_{side}": sample.varied(v) for side, v in modifier.sides.items()}
        for name, (x, w) in sides.items():
            p, start = np.ones(len(w)), 0
            for cut in selection.cuts:
                number = len(cut.thresholds)
                p = p * numpy_pass_weight(cut, x, thresholds[start : start + number], width, step)
                start += number
            bins = np.zeros(len(w), int) if axis is None else np.floor((x["m"] + 1.5) / 1.0).astype(int)
            for b in range(num_bins):
                here = bins == b
                sums[variations.index(name), s, b] = np.sum(w[here] * p[here]), np.sum(w[here] ** 2 * p[here])
    return sums.reshape(-1, 2)


def fourth_order(function: Callable[[Any], Any], point: np.ndarray, h: float) -> np.ndarray:
    """Central differences of fourth order along each component, the last axis of the result."""
    found = []
    for shift in h * np.eye(len(point)):
        near = function(point + shift) - function(point - shift)
        far = function(point + 2 * shift) - function(point - 2 * shift)
        found.append((8 * near - far) / (12 * h))
    return np.stack(found, axis=-1)


CASES = [(of, name, "bins") for of in SELECTIONS for name in STEPS] + [("window", "sigmoid", "counting")]


@pytest.mark.parametrize(("of", "name", "along"), CASES, ids=str)
@pytest.mark.slow(*(f"{of}-{name}-bins" for of in list(SELECTIONS)[1:] for name in list(STEPS)[1:]))
def test_sums_and_slopes_are_those_of_numpy(of: str, name: str, along: str) -> None:
    selection, axis = SELECTIONS[of], AXES[along]
    events = laid_out(selection, axis)
    thresholds = np.array(selection.thresholds, dtype=float)
    width = 0.4
    sums, slopes = events.sums(thresholds, np.full(len(thresholds), width), find_step(name))
    expected = numpy_sums(selection, axis, thresholds, width, STEPS[name])
    # Of about a thousand events; NumPy's balanced step cancels to 1e-16 in each of them.
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-11)
    # Truncation (h / width)^4 / 30 of each event's slope, and rounding 1e-13 / h.
    differences = fourth_order(lambda t: numpy_sums(selection, axis, t, width, STEPS[name]), thresholds, 1e-3)
    np.testing.assert_allclose(np.moveaxis(slopes, 1, 2), differences, rtol=1e-8, atol=2e-8)
    # Bins are those of hepcuts.fill.
    filled = without_outside_warnings(fill)(SAMPLES, None, axis=axis)
    assert filled.structure.num_bins == events.structure.num_bins


@pytest.mark.parametrize("block", [8, 64])
def test_blocks_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Many chunks of a few blocks, most of them not full."""
    selection, step = SELECTIONS["inverted-window"], find_step("sigmoid")
    thresholds = np.array(selection.thresholds, dtype=float)
    widths = np.full(len(thresholds), 0.3)
    whole = laid_out(selection, AXES["bins"])
    expected, passed = whole.sums(thresholds, widths, step), whole.pass_weights(thresholds, widths, step)
    monkeypatch.setattr(sums, "CHUNK", 24)
    small = dataclasses.replace(whole, block=block)
    assert len(small._chunks) > 1
    for one, other in zip(small.sums(thresholds, widths, step), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(small.pass_weights(thresholds, widths, step), passed, rtol=1e-15)


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.slow("above", "window", "inverted", "inverted-window", "sliding")
def test_soft_goes_to_hard_and_hard_is_that_of_fill(selection: Selection) -> None:
    axis = AXES["bins"]
    events = laid_out(selection, axis)
    thresholds = np.array(selection.thresholds, dtype=float)
    filled = without_outside_warnings(fill)(SAMPLES, selection, axis=axis).yields
    hard = events.hard_sums(thresholds)
    for name in STEPS:
        # The nearest of the events is some 1e-4 from its threshold; the balanced step falls as 1 / (4 z^2).
        soft, _ = events.sums(thresholds, np.full(len(thresholds), 1e-12), find_step(name))
        np.testing.assert_allclose(soft, hard, rtol=1e-12, atol=1e-11)
    yields = events.structure.complete(*(hard[:, k].reshape(events.shape) for k in (0, 1)))
    np.testing.assert_allclose(yields.values, filled.values, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(yields.variances, filled.variances, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_the_hard_mask_is_that_of_the_selection(selection: Selection) -> None:
    """Event by event, of the nominal ones; in normal scores where no cut slides."""
    coordinates: list[Any] = linear(selection)
    if not any(isinstance(cut.plain, SlidingCut) for cut in selection.cuts):
        coordinates = []
        for cut in selection.cuts:
            both = [
                np.concatenate([s.column(cut.variable) for s in SAMPLES if s.signal == kind]) for kind in (True, False)
            ]
            exact = [(t, sign) for t, sign in zip(cut.thresholds, cut.plain.signs, strict=True) if t is not None]
            coordinates.append(normal_scores(*(values[values != MISSING] for values in both), exact))
    events = SoftEvents.of(SAMPLES, selection, coordinates)
    each = zip(selection.cut_of_threshold, selection.thresholds, strict=True)
    signs = [sign for cut in selection.cuts for sign in cut.plain.signs]
    scores = np.array([coordinates[c].score(t, s) for (c, t), s in zip(each, signs, strict=True)])
    passed = events.hard_mask(scores)
    for s, sample in enumerate(SAMPLES):
        nominal = (events.sample == s) & (events.cell < len(SAMPLES))
        found = passed[nominal][np.argsort(events.origin[nominal])]
        np.testing.assert_array_equal(found, selection.mask(sample.columns, missing=MISSING))


REACH = {name: laid_out(SELECTIONS[name]) for name in ("window", "inverted-window", "sliding", "missing-passes")}


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(list(REACH)),
    step=st.sampled_from(["sigmoid", "erf"]),
    size_and_width=st.tuples(st.floats(0.05, 0.5), st.floats(0.02, 0.2)),
    tolerance=st.sampled_from([1e-1, 1e-3, 1e-6]),
    seed=st.integers(0, 2**20),
)
def test_what_cannot_be_reached_is_worth_no_more_than_the_bound(
    name: str, step: str, size_and_width: tuple[float, float], tolerance: float, seed: int
) -> None:
    size, width = size_and_width
    events, found = REACH[name], find_step(step)
    center = np.array(SELECTIONS[name].thresholds, dtype=float)
    box, widths = (center - size, center + size), np.full(len(center), width)
    kept, bound = within_reach(events, box, widths, found, tolerance=tolerance)
    assert bound <= tolerance * (1 + 1e-12)
    yields = np.abs(events.sums(0.5 * (box[0] + box[1]), widths, found)[0][:, 0])
    r = np.random.default_rng(seed)
    corner = np.where(r.random(len(center)) < 0.5, *box)
    for thresholds in (corner, r.uniform(*box)):
        lost = np.abs(events.sums(thresholds, widths, found)[0] - kept.sums(thresholds, widths, found)[0])[:, 0]
        assert np.all(lost <= bound * yields + 1e-12 * (1.0 + yields))


def test_events_out_of_reach_are_left_out() -> None:
    events = laid_out(SELECTIONS["window"])
    center = np.array(SELECTIONS["window"].thresholds, dtype=float)
    kept, _ = within_reach(events, (center - 0.1, center + 0.1), np.full(3, 0.01), find_step("sigmoid"), tolerance=1e-4)
    # Those that pass the loosest thresholds, and a few on the slopes outside.
    loosest = np.sum(events.hard_mask(center + 0.1 * np.array([-1, 1, 1])))
    assert loosest <= len(kept) < 1.3 * loosest < 0.5 * len(events)


def test_no_event_at_all_sums_to_zero() -> None:
    none = laid_out(SELECTIONS["above"]).take(np.zeros(0, dtype=np.int64))
    sums, slopes = none.sums(np.zeros(1), np.ones(1), find_step("sigmoid"))
    assert not np.any(sums)
    assert not np.any(slopes)
    assert none.hard_sums(np.zeros(1)).shape == sums.shape


def test_parts_add_to_the_whole_and_factors_multiply() -> None:
    events, step = laid_out(SELECTIONS["window"], AXES["bins"]), find_step("erf")
    thresholds, widths = np.array(SELECTIONS["window"].thresholds, dtype=float), np.full(3, 0.2)
    mask = np.random.default_rng(1).random(len(events)) < 0.3
    whole = events.sums(thresholds, widths, step)[0]
    first, second = (events.take(np.flatnonzero(m)).sums(thresholds, widths, step)[0] for m in (mask, ~mask))
    np.testing.assert_allclose(first + second, whole, rtol=1e-12, atol=1e-12)
    tripled = events.take(np.flatnonzero(mask), factor=3.0).sums(thresholds, widths, step)[0]
    np.testing.assert_allclose(tripled, first * [3.0, 9.0], rtol=1e-12)
    standing = events.standing_for_all(np.flatnonzero(mask), np.full(int(mask.sum()), 3.0))
    np.testing.assert_allclose(standing.sums(thresholds, widths, step)[0], 3.0 * first, rtol=1e-12)


def test_a_sample_of_the_events_has_sums_near_those_of_all() -> None:
    """1/n of relative variance with n events at the loosest corner, times the ratio of the yields."""
    samples = [
        Sample(name, {"x": np.random.default_rng(seed).normal(size=40_000)}, signal=seed == 1)
        for name, seed in (("s", 1), ("b", 2))
    ]
    selection, step = Selection([Cut("x", ">", 1.0)]), find_step("sigmoid")
    events = laid_out(selection, samples=samples)
    box, widths = (np.array([0.8]), np.array([1.2])), np.array([0.1])
    number = 2000
    chosen = sampled(events, box, widths, step, number=number)
    assert 2 * number * 0.9 < len(chosen) < 2 * number * 1.1
    for threshold in (0.8, 1.0, 1.2):
        at = np.array([threshold])
        all_of_them, some = (e.sums(at, widths, step)[0][:, 0] for e in (events, chosen))
        ratio = events.sums(box[0], widths, step)[0][:, 0] / all_of_them
        assert np.all(np.abs(some / all_of_them - 1.0) < 4.0 * np.sqrt(ratio / number))


def test_no_event_on_the_axis_is_an_error() -> None:
    with pytest.raises(EmptySelectionError, match="No event of any sample lies on the axis 'm'"):
        laid_out(SELECTIONS["above"], hist.axis.Regular(2, 50, 60, name="m"))


def test_hard_cuts_select_the_same_events_in_32_bits() -> None:
    """A threshold beside, on, or between two events of 32 bits."""
    r = np.random.default_rng(5)
    x = r.normal(size=500)
    samples = [Sample("s", {"x": x}, signal=True), Sample("b", {"x": r.normal(size=500)})]
    coordinate = normal_scores(*(sample.column("x") for sample in samples))
    for direction in (">", "<"):
        events = SoftEvents.of(samples, Selection([Cut("x", direction)]), [coordinate])
        values = events.values[0].astype(np.float64)
        assert events.values.dtype == np.float32
        for at in (*values[:20], *np.nextafter(values[:20], 9.0), *np.nextafter(values[:20], -9.0), 1e29, -1e29, 1e300):
            expected = values > at if direction == ">" else values < at
            np.testing.assert_array_equal(events.hard_mask(np.array([at])), expected)


def test_the_smallest_factor_can_be_divided_out() -> None:
    r = np.random.default_rng(6)
    samples = [Sample(n, {"x": r.normal(size=300), "y": r.normal(size=300)}, signal=n == "s") for n in ("s", "b")]
    coordinates = [normal_scores(*(sample.column(v) for sample in samples)) for v in ("x", "y")]
    events = SoftEvents.of(samples, Selection([Cut("x", ">"), Cut("y", ">")]), coordinates)
    thresholds, widths = np.array([0.2, -0.1]), np.array([0.1, 0.02])
    factors = scipy.special.expit((events.values - thresholds[:, None]) / widths[:, None])
    found = events.pass_weights(thresholds, widths, find_step("sigmoid"), but_one=True)
    np.testing.assert_allclose(found, factors.max(axis=0), rtol=1e-4, atol=1e-17)


@pytest.mark.parametrize("width", [1.0, 0.05, 0.001])
def test_pass_weights_in_32_bits_are_within_what_bounds_allow_for(width: float) -> None:
    r = np.random.default_rng(1)
    names = [f"x{k}" for k in range(8)]
    samples = [Sample(n, {name: r.normal(size=20_000) for name in names}, signal=n == "s") for n in ("s", "b")]
    coordinates = [normal_scores(*(sample.column(name) for sample in samples)) for name in names]
    events = SoftEvents.of(samples, Selection([Cut(name, ">") for name in names]), coordinates)
    thresholds, widths = r.normal(0.0, 0.3, len(names)), np.full(len(names), width)
    truth = scipy.special.log_expit((events.values.astype(np.float64) - thresholds[:, None]) / width).sum(axis=0)
    found = events.pass_weights(thresholds, widths, find_step("sigmoid")).astype(np.float64)
    some = truth > np.log(1e-18)
    assert some.sum() > 100
    error = np.abs(np.log(found[some]) - truth[some]).max()
    assert error < np.sum(_ROUNDING + _OF_DISTANCES / widths)


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_events_that_count_several_times_are_as_many_events(axis: Any) -> None:
    selection = Selection([Cut("x", ">"), Cut("y", "<")])

    def times(identity: np.ndarray) -> np.ndarray:
        return (identity % np.uint64(3)).astype(float)

    copies = [s.take(np.repeat(np.arange(len(s)), times(s.identity).astype(int))) for s in SAMPLES]
    drawn = SoftEvents.of(SAMPLES, selection, linear(selection), axis=axis, multiplicity=times)
    at, widths = np.array([0.1, 0.3]), np.array([0.2, 0.4])
    for found, expected in zip(
        drawn.sums(at, widths, find_step("sigmoid")),
        laid_out(selection, axis, copies).sums(at, widths, find_step("sigmoid")),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
