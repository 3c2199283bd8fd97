"""Templates, hard and soft, against sums of NumPy over masked events."""

import itertools
import pickle
import warnings
from typing import Any

import hist
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hist import axis as ax
from hypothesis import given, settings
from hypothesis import strategies as st

from hepcuts import Cut, HistoSys, Lumi, NormFactor, NormSys, Sample, Selection, ShapeSys, Window, fill, workspace
from hepcuts._core.errors import EmptySelectionError, InputError, OutsideAxisWarning, SampleError
from hepcuts.cuts.steps import step
from hepcuts.samples.modifiers import Variation
from hepcuts.templates.events import Block, blocks_of
from hepcuts.templates.filling import EventTable, soft_fill, structure_of
from hepcuts.templates.hard_sums import hard_sums
from hepcuts.templates.templates import Templates, Yields
from hepcuts.templates.uncertainties import background_variance
from tests.unchecked import unchecked  # noqa: F401

SELECTION = Selection([Cut("x", ">", 1.0), Window("m", 80.0, 130.0)])


def events(seed: int, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = {
        "x": rng.exponential(2.0, size),
        "m": rng.normal(100, 20, size),
        "n": rng.integers(0, 6, size).astype(float),
        "phi": rng.uniform(-7, 7, size),
    }
    # A quarter of the weights is negative.
    return columns, rng.uniform(0.1, 2.0, size) * np.where(rng.uniform(size=size) < 0.25, -1, 1)


def make_samples(seed: int = 1, size: int = 400) -> list[Sample]:
    (cs, ws), (cb, wb), (cd, wd) = (events(seed + i, size + 10 * i) for i in range(3))
    return [
        Sample("sig", cs, weights=ws, signal=True, modifiers=[HistoSys("pileup", up=ws * 1.5, down=ws * 0.75)]),
        Sample(
            "ttbar",
            cb,
            weights=wb,
            modifiers=[
                HistoSys("jes", up={"x": cb["x"] * 1.1, "m": cb["m"] * 1.02}, down={"x": cb["x"] * 0.9}),
                HistoSys("model", up=Variation({"m": cb["m"] + 3.0}, wb * 1.2), down="mirror"),
                NormSys("xsec", 1.1, 0.9),
            ],
        ),
        Sample("diboson", cd, weights=wd, modifiers=[HistoSys("jes", up={"x": cd["x"] * 1.2}, down="nominal")]),
    ]


SAMPLES = make_samples()


def numpy_bins(values: np.ndarray, axis: Any) -> np.ndarray:
    """Bin of each event by nothing but edges and modulus; -1 outside."""
    if axis is None:
        return np.zeros(len(values), dtype=int)
    edges = np.asarray(axis.edges)
    if axis.traits.circular:
        values = edges[0] + np.mod(values - edges[0], edges[-1] - edges[0])
    if not axis.traits.continuous:
        values = np.floor(values)
    if isinstance(axis, ax.IntCategory):
        categories = [axis.bin(i) for i in range(len(axis))]
        return np.array([categories.index(v) if v in categories else -1 for v in values])
    found = np.searchsorted(edges, values, side="right") - 1
    return np.where((found < 0) | (found >= len(edges) - 1), -1, found)


def numpy_sums(columns: Any, weights: np.ndarray, axis: Any, selection: Selection = SELECTION) -> list[np.ndarray]:
    """Sums of weights and of squares of what passes the selection, which is spelled out again here."""
    passed = np.ones(len(weights), dtype=bool)
    for cut in selection.cuts:
        low, high = (cut.threshold, np.inf) if isinstance(cut, Cut) else (cut.low, cut.high)
        passed &= (columns[cut.variable] > low) & (columns[cut.variable] < high)
    bins = numpy_bins(columns[axis.name], axis) if axis is not None else np.zeros(len(weights), dtype=int)
    number = 1 if axis is None else len(axis)
    return [np.array([np.sum(weights[passed & (bins == b)] ** power) for b in range(number)]) for power in (1, 2)]


AXES = {
    "counting": None,
    "regular": ax.Regular(4, 60, 150, name="m"),
    "regular-without-flow": ax.Regular(4, 60, 150, name="m", flow=False),
    "logarithmic": ax.Regular(3, 0.5, 20, name="x", transform=ax.transform.log),
    "variable": ax.Variable([60, 95, 100, 150], name="m"),
    "integer": ax.Integer(1, 5, name="n"),
    "categories": ax.IntCategory([0, 4, 2], name="n"),
    "circular": ax.Regular(5, 0, 2 * np.pi, name="phi", circular=True),
}


def without_outside_warnings(function: Any, *args: Any, **kwargs: Any) -> Templates:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideAxisWarning)
        return function(*args, **kwargs)


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_hard_templates_are_sums_over_the_events_that_pass(axis: Any) -> None:
    templates = without_outside_warnings(fill, SAMPLES, SELECTION, axis=axis)
    assert templates.samples == ("sig", "ttbar", "diboson")
    assert templates.structure.variations == (
        *("nominal", "pileup_up", "pileup_down", "jes_up", "jes_down", "model_up", "model_down"),
    )
    sig, ttbar, diboson = SAMPLES
    nominal = {s.name: numpy_sums(s.columns, s.weights, axis) for s in SAMPLES}
    x, m, w = ttbar.columns["x"], ttbar.columns["m"], ttbar.weights
    expected = {
        ("pileup", "up", "sig"): numpy_sums(sig.columns, sig.weights * 1.5, axis),
        ("pileup", "down", "sig"): numpy_sums(sig.columns, sig.weights * 0.75, axis),
        ("jes", "up", "ttbar"): numpy_sums({**ttbar.columns, "x": x * 1.1, "m": m * 1.02}, w, axis),
        ("jes", "down", "ttbar"): numpy_sums({**ttbar.columns, "x": x * 0.9}, w, axis),
        ("jes", "up", "diboson"): numpy_sums(
            {**diboson.columns, "x": diboson.columns["x"] * 1.2}, diboson.weights, axis
        ),
        ("model", "up", "ttbar"): numpy_sums({**ttbar.columns, "m": m + 3.0}, w * 1.2, axis),
    }
    mirrored = 2 * nominal["ttbar"][0] - expected["model", "up", "ttbar"][0]
    expected["model", "down", "ttbar"] = [mirrored, nominal["ttbar"][1]]
    # Rounding of a few hundred terms of size 2.
    close = {"rtol": 1e-12, "atol": 1e-12}
    for number, name in enumerate(templates.samples):
        np.testing.assert_allclose(templates.nominal[number], nominal[name][0], **close)
        np.testing.assert_allclose(templates.variance[number], nominal[name][1], **close)
        for systematic in ("pileup", "jes", "model"):
            for side in ("up", "down"):
                # A sample that a systematic does not touch, and a side without events, are nominal.
                value, variance = expected.get((systematic, side, name), nominal[name])
                np.testing.assert_allclose(templates.varied(systematic, side)[number], value, **close)
                at = templates.structure.position(systematic, side)
                np.testing.assert_allclose(templates.yields.variances[at, number], variance, **close)
    # The test has something to tell: the shifted scale moves events across the threshold.
    assert not np.allclose(templates.varied("jes", "up"), templates.nominal)


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_to_hist_has_the_numbers_and_the_axes(axis: Any) -> None:
    templates = without_outside_warnings(fill, SAMPLES, SELECTION, axis=axis)
    histogram = templates.to_hist()
    assert histogram.axes.name == ("sample", "variation", "count" if axis is None else axis.name)
    assert histogram.storage_type is hist.storage.Weight
    for number, name in enumerate(templates.samples):
        for position, variation in enumerate(templates.structure.variations):
            part = histogram[name, variation, :]
            np.testing.assert_array_equal(part.values(), templates.yields.values[position, number])
            np.testing.assert_array_equal(part.variances(), templates.yields.variances[position, number])
    assert histogram.sum(flow=True).value == pytest.approx(templates.yields.values.sum())


def test_a_shifted_scale_moves_events_across_the_threshold() -> None:
    jes = HistoSys("jes", up={"x": [1.1, 3.3, 4.4]}, down={"x": [0.9, 2.7, 3.6]})
    b = Sample("b", {"x": [1.0, 3.0, 4.0]}, weights=[1.0, 10.0, 100.0], modifiers=[jes])
    s = Sample("s", {"x": [5.0]}, signal=True)
    templates = fill([s, b], Cut("x", ">", 2.9))
    assert templates.nominal.tolist() == [[1.0], [110.0]]
    assert templates.varied("jes", "up").tolist() == [[1.0], [110.0]]
    assert templates.varied("jes", "down").tolist() == [[1.0], [100.0]]
    assert fill([s, b], Cut("x", ">", 1.05)).varied("jes", "up").tolist() == [[1.0], [111.0]]


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=3), axis=st.sampled_from([*AXES]))
def test_chunks_add_to_the_whole(cuts: list[int], axis: str) -> None:
    whole = without_outside_warnings(fill, SAMPLES, SELECTION, axis=AXES[axis])
    edges = sorted({0, *cuts, 400})
    total = None
    for low, high in itertools.pairwise(edges):
        try:
            part = [s.take(np.arange(low * len(s) // 400, high * len(s) // 400)) for s in SAMPLES]
            templates = without_outside_warnings(fill, part, SELECTION, axis=AXES[axis])
        except EmptySelectionError:
            # A chunk of which no event passes has nothing to add.
            continue
        total = templates if total is None else total + templates
    for name in ("values", "variances"):
        np.testing.assert_allclose(getattr(total.yields, name), getattr(whole.yields, name), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(total.outside, whole.outside, rtol=1e-11, atol=1e-11)


S = Sample("s", {"x": [1.0, 2.0]}, signal=True)


def test_a_chunk_off_the_axis_tells_what_is_outside() -> None:
    axis = ax.Regular(2, 7, 9, name="x")
    with pytest.warns(OutsideAxisWarning, match="s: 2, b: 6 expected events"):
        templates = fill([S, Sample("b", {"x": [1.0, 2.0]}, weights=[2.0, 4.0])], None, axis=axis)
    assert not np.any(templates.yields.values)
    assert not np.any(templates.yields.variances)
    assert templates.outside.tolist() == [2.0, 6.0]
    # A chunk may be empty, a channel of a likelihood not.
    with pytest.raises(EmptySelectionError, match=r"'signal_region' has no event of any sample; .* widen the axis 'x'"):
        workspace(templates)


def test_a_chunk_of_which_only_varied_events_pass_is_not_lost() -> None:
    b = Sample("b", {"x": [1.0, 2.0]}, modifiers=HistoSys("jes", up={"x": [5.0, 6.0]}, down="nominal"))
    templates = fill([S, b], Cut("x", ">", 4.0))
    assert templates.nominal.tolist() == [[0.0], [0.0]]
    assert templates.varied("jes", "up").tolist() == [[0.0], [2.0]]


@settings(max_examples=25, deadline=None)
@given(chunk=st.integers(1, 450), axis=st.sampled_from([*AXES]), drawn=st.booleans())
def test_blocks_of_any_size_sum_up_to_the_same(chunk: int, axis: str, drawn: bool) -> None:
    structure = structure_of(SAMPLES, axis=AXES[axis], channel="c")

    def times(identity: np.ndarray) -> np.ndarray:
        return (identity % np.uint64(4)).astype(float)

    def sums(size: int | None) -> Any:
        blocks = blocks_of(SAMPLES, structure, SELECTION.columns, chunk=size)
        return hard_sums(blocks, SELECTION, structure, times if drawn else None)

    whole, parts = sums(None), sums(chunk)
    assert whole.passed == parts.passed
    for name in ("values", "variances", "outside"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12, atol=1e-11)
    if not drawn:
        return
    # An event that counts k times is k events.
    copies = [s.take(np.repeat(np.arange(len(s)), times(s.identity).astype(int))) for s in SAMPLES]
    filled = without_outside_warnings(fill, copies, SELECTION, axis=AXES[axis])
    complete = structure.complete(whole.values, whole.variances)
    for name in ("values", "variances"):
        np.testing.assert_allclose(getattr(complete, name), getattr(filled.yields, name), rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(whole.outside, filled.outside, rtol=1e-12, atol=1e-11)


def test_sums_add_whatever_made_them() -> None:
    structure = structure_of(SAMPLES, axis=None, channel="c")
    blocks = list(blocks_of(SAMPLES, structure, SELECTION.columns, chunk=100))
    # Blocks travel to a worker and back.
    first, second = (
        hard_sums(pickle.loads(pickle.dumps(part)), SELECTION, structure)  # noqa: S301
        for part in (blocks[::2], blocks[1::2])
    )
    both, filled = first + second, fill(SAMPLES, SELECTION)
    np.testing.assert_allclose(structure.complete(both.values, both.variances).values, filled.yields.values, rtol=1e-12)


def test_blocks_keep_columns_of_32_bits() -> None:
    structure = structure_of([S, B], axis=None, channel="c")
    narrow = {"x": np.array([0.1, 0.2, 0.3], dtype=np.float32)}
    block = Block(0, 1, narrow, np.ones(3), None, structure, range(5, 8), B)
    assert block.columns["x"].dtype == np.float32
    assert block.origin.tolist() == [5, 6, 7]
    # The threshold is compared in 64 bits: as a number of 32 bits 0.1 is above 0.1.
    assert hard_sums([block], Selection([Cut("x", ">", 0.1)]), structure).values[0].tolist() == [[0.0], [3.0]]


def bkg(name: str = "b", modifiers: Any = (), **options: Any) -> Templates:
    b = Sample(name, {"x": [1.0, 2.0]}, modifiers=modifiers, staterror=options.pop("staterror", True))
    return fill([S, b], None, **options)


DIFFERENT = {
    "channel": (bkg, lambda: bkg(channel="other")),
    "axis-or-none": (bkg, lambda: bkg(axis=ax.Regular(2, 0, 4, name="x"))),
    "bins": (lambda: bkg(axis=ax.Regular(2, 0, 3, name="x")), lambda: bkg(axis=ax.Regular(2, 0, 4, name="x"))),
    "sample": (bkg, lambda: bkg("other")),
    "staterror": (bkg, lambda: bkg(staterror=False)),
    "modifier": (bkg, lambda: bkg(modifiers=NormSys("a", 1.1, 0.9))),
    "size-of-modifier": (
        lambda: bkg(modifiers=NormSys("a", 1.1, 0.9)),
        lambda: bkg(modifiers=NormSys("a", 1.2, 0.9)),
    ),
    "kind-of-down-side": (
        lambda: bkg(modifiers=HistoSys("a", up=[1, 2], down="mirror")),
        lambda: bkg(modifiers=HistoSys("a", up=[1, 2], down="nominal")),
    ),
}


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_templates_of_different_structure_do_not_add(one: Any, other: Any) -> None:
    with pytest.raises(InputError, match="cannot be added; they must agree in channel, axis, samples and their mod"):
        one() + other()
    # The same made twice does.
    np.testing.assert_array_equal((one() + one()).nominal, 2 * one().nominal)


def test_outside_the_axis() -> None:
    axis = ax.Regular(2, 0, 2, name="x")
    b = Sample("b", {"x": [-1.0, 0.5, 2.0, 9.0], "y": [1.0, 1.0, 1.0, 0.0]}, weights=[1.0, 2.0, 4.0, 8.0])
    s = Sample("s", {"x": [0.5, 1.5], "y": [1.0, 1.0]}, signal=True)
    with pytest.warns(OutsideAxisWarning, match=r"outside the axis 'x' .*\(s: 0, b: 5 expected events\)") as caught:
        templates = fill([s, b], Cut("y", ">", 0.5), axis=axis)
    # The warning points to this line, not into hepcuts. The run-time type checker puts a frame of its own between.
    assert hasattr(fill, "__wrapped__") or caught[0].filename == __file__
    assert templates.outside.tolist() == [0.0, 5.0]
    assert templates.nominal.tolist() == [[1.0, 1.0], [2.0, 0.0]]
    # Flow bins stay empty.
    assert templates.to_hist().sum(flow=True).value == 4.0
    # What was not selected is not missed.
    assert fill([s, b], Window("x", -0.5, 1.9), axis=axis).outside.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("missing", [-999.0, 0.5, np.nan], ids=str)
@pytest.mark.parametrize("axis", [ax.Regular(4, -1000, 1000, name="x"), ax.Integer(-1000, 3, name="x")], ids=["r", "i"])
def test_a_missing_observable_is_in_no_bin(axis: Any, missing: float) -> None:
    s = Sample("s", {"x": [1.0, 2.0]}, signal=True)
    b = Sample("b", {"x": [1.0, missing]}, weights=[1.0, 7.0], missing=missing)
    with pytest.warns(OutsideAxisWarning, match="b: 7 expected events"):
        templates = fill([s, b], None, axis=axis)
    assert templates.nominal.sum(axis=1).tolist() == [2.0, 1.0]
    assert templates.outside.tolist() == [0.0, 7.0]
    soft = soft_fill([s, b], Cut("x", ">", 0.0, missing="pass"), widths=0.0, axis=axis)
    np.testing.assert_array_equal(soft.nominal, templates.nominal)


def test_integer_axes_take_any_number() -> None:
    s = Sample("s", {"x": [0.0, 1.0, 1.9, 1e12, -1e300]}, signal=True)
    with pytest.warns(OutsideAxisWarning, match="s: 2, b: 0"):
        templates = fill([s, Sample("b", {"x": [0.0]})], None, axis=ax.Integer(0, 3, name="x"))
    assert templates.nominal.tolist() == [[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]]


B = Sample("b", {"x": [1.0, 2.0]})

BAD = {
    "no-event": (lambda: fill([S, B], Cut("x", ">", 5)), EmptySelectionError, "Selection x > 5: no event of any"),
    "soft-none-on-axis": (
        lambda: soft_fill([S, B], Cut("x", ">", 1), widths=1.0, axis=ax.Regular(2, 7, 9, name="x")),
        EmptySelectionError,
        "No event of any sample lies on the axis 'x'",
    ),
    "unknown-cut": (lambda: fill([S, B], Cut("pt", ">", 5)), SampleError, "'s' has no column 'pt'.* 2 rows are x"),
    "unknown-observable": (
        lambda: fill([S, B], None, axis=ax.Regular(2, 0, 1, name="mass")),
        SampleError,
        "'s' has no column 'mass'",
    ),
    "soft-unknown-cut": (lambda: soft_fill([S, B], Cut("pt", ">", 5), widths=1), SampleError, "has no column 'pt'"),
    "unset": (lambda: fill([S, B], Cut("x", ">")), InputError, r"The threshold of x > \? is not set"),
    "soft-unset": (lambda: soft_fill([S, B], Cut("x", ">"), widths=1), InputError, r"A threshold of x > \? is not set"),
    "selection": (lambda: fill([S, B], ["x > 1"]), InputError, "selection came as list; expected a hepcuts.Selection"),
    "soft-selection": (lambda: soft_fill([S, B], None, widths=1), InputError, "Soft templates need a selection"),
    "nameless-axis": (lambda: fill([S, B], None, axis=ax.Regular(2, 0, 1)), InputError, "its name is the column"),
    "reserved-axis": (
        lambda: fill([S, B], None, axis=ax.Regular(2, 0, 1, name="variation")),
        InputError,
        "The axis is named 'variation'",
    ),
    "axis": (lambda: fill([S, B], None, axis="x"), InputError, "axis came as str; expected an axis of hist.axis"),
    "text-axis": (
        lambda: fill([S, B], None, axis=ax.StrCategory(["a"], name="x")),
        InputError,
        "axis came as StrCategory",
    ),
    "growing-axis": (
        lambda: fill([S, B], None, axis=ax.Regular(2, 0, 1, name="x", growth=True)),
        InputError,
        "The axis 'x' grows",
    ),
    "no-signal": (lambda: fill([B], None), SampleError, "No signal among the samples"),
    "widths": (lambda: soft_fill([S, B], SELECTION, widths=[1, 2]), SampleError, "has no column 'm'"),
    "number-of-widths": (
        lambda: soft_fill([S, B], Cut("x", ">", 1), widths=[1, 2]),
        InputError,
        "expected one finite number, 0 or more, or one for each of x",
    ),
    "negative-width": (lambda: soft_fill([S, B], Cut("x", ">", 1), widths=-1), InputError, "widths are -1; expected"),
    "step": (lambda: soft_fill([S, B], Cut("x", ">", 1), widths=1, step="soft"), InputError, "no step function 'soft'"),
    "variation": (lambda: fill([S, B], None).varied("jes", "up"), InputError, "have up and down of no HistoSys"),
    "side": (lambda: fill(SAMPLES, None).varied("jes", "left"), InputError, "up and down of pileup, jes, model"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("make", "error", "match"), BAD.values(), ids=BAD)
def test_refusals_say_what_to_do(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_a_sample_of_which_nothing_passes_has_zero_yield() -> None:
    templates = fill([S, Sample("b", {"x": [0.0]})], Cut("x", ">", 0.5))
    assert templates.nominal.tolist() == [[2.0], [0.0]]
    assert templates.effective_events.tolist() == [[2.0], [0.0]]


def test_effective_events() -> None:
    b = Sample("b", {"x": [0.0, 0.0, 1.0]}, weights=[3.0, 4.0, -2.0])
    templates = fill([S, b], None, axis=ax.Integer(0, 3, name="x"))
    np.testing.assert_allclose(templates.effective_events, [[0, 1, 1], [49 / 25, 1.0, 0.0]])


def test_repr_and_pickle() -> None:
    templates = fill([S, Sample("b", {"x": [1.0]}, modifiers=HistoSys("a", up=[3.0], down="mirror"))], None)
    assert repr(templates) == (
        "Templates of channel 'signal_region' (1 bin, variations nominal, a_up, a_down)\n  s: 2 +- 1.41\n  b: 1 +- 1"
    )
    # As filled by other processes.
    other = pickle.loads(pickle.dumps(templates))  # noqa: S301
    np.testing.assert_array_equal((templates + other).varied("a", "down"), [[4.0], [-2.0]])


@pytest.mark.parametrize("axis", [AXES["counting"], AXES["variable"]], ids=["counting", "variable"])
@pytest.mark.parametrize("name", ["sigmoid", "erf", "balanced", "hard"])
def test_soft_templates_go_to_the_hard_ones(name: str, axis: Any) -> None:
    hard = without_outside_warnings(fill, SAMPLES, SELECTION, axis=axis)
    # No event is nearer to a threshold than 1e-5, so that at width 1e-9 the longest tail, 1/(4 z^2), is 2.5e-9 each.
    for width, tolerance in ((0.0, 1e-12), (1e-200, 1e-12), (1e-9, 1e-6)):
        soft = soft_fill(SAMPLES, SELECTION, widths=width, step=name, axis=axis)
        np.testing.assert_allclose(soft.yields.values, hard.yields.values, rtol=0, atol=tolerance + 1e-11)
        np.testing.assert_allclose(soft.yields.variances, hard.yields.variances, rtol=0, atol=tolerance + 1e-11)
    distances = [np.abs(s.columns[v] - t) for s in SAMPLES for v, t in (("x", 1.0), ("m", 80.0), ("m", 130.0))]
    assert np.concatenate(distances).min() > 1e-5


def test_soft_templates_at_a_width_are_weighted_sums() -> None:
    soft = soft_fill(SAMPLES, SELECTION, widths=[0.5, 5.0, 8.0], step="sigmoid")
    assert isinstance(soft.nominal, np.ndarray)
    ttbar = SAMPLES[1]

    def passed(x: np.ndarray, m: np.ndarray) -> np.ndarray:
        z = np.array([(x - 1.0) / 0.5, (m - 80.0) / 5.0, (130.0 - m) / 8.0])
        return np.prod(1 / (1 + np.exp(-z)), axis=0)

    x, m, w = ttbar.columns["x"], ttbar.columns["m"], ttbar.weights
    nominal = w * passed(x, m)
    assert soft.nominal[1, 0] == pytest.approx(nominal.sum(), rel=1e-12)
    assert soft.variance[1, 0] == pytest.approx((nominal**2).sum(), rel=1e-12)
    assert soft.varied("jes", "up")[1, 0] == pytest.approx((w * passed(x * 1.1, m * 1.02)).sum(), rel=1e-12)
    model = (1.2 * w * passed(x, m + 3.0)).sum()
    assert soft.varied("model", "down")[1, 0] == pytest.approx(2 * nominal.sum() - model, rel=1e-10)


def test_soft_gradients_equal_finite_differences_for_every_yield() -> None:
    table = EventTable.of(SAMPLES, SELECTION, axis=AXES["variable"])
    widths = np.array([0.7, 6.0, 6.0])

    @jax.jit
    def yields(t: Any) -> Any:
        both = table.soft_yields(t, widths, step("erf"))
        return jnp.stack([both.values, both.variances])

    with jax.enable_x64(True):
        point = np.array([1.0, 80.0, 130.0])
        jacobian = np.asarray(jax.jit(jax.jacfwd(yields))(point))
        for i in range(3):
            h = 1e-3 * widths[i]
            f = lambda k, i=i, h=h: np.asarray(yields(point + k * h * np.eye(3)[i]))  # noqa: E731
            # Fourth order: truncation 1e-12 / width, rounding 1e-16 / 1e-3 / width, for sums of some hundred.
            difference = (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * h)
            np.testing.assert_allclose(jacobian[..., i], difference, atol=1e-8)
        assert np.abs(jacobian).max() > 1


def test_the_event_table_knows_signal_and_nominal_events() -> None:
    table = EventTable.of(SAMPLES, SELECTION)
    assert table.num_nominal == sum(len(s) for s in SAMPLES)
    assert np.asarray(table.is_signal).sum() == len(SAMPLES[0])
    np.testing.assert_array_equal(table.weights[: len(SAMPLES[0])], SAMPLES[0].weights)
    # Nominal, two sides of pileup (signal), two of jes and one of model (ttbar), one of jes (diboson).
    sizes = [len(s) for s in SAMPLES]
    assert table.values.shape == (2, 3 * sizes[0] + 4 * sizes[1] + 2 * sizes[2])


def variance_of(*samples: Sample) -> float:
    templates = fill([S, *samples], None)
    return float(background_variance(templates.structure, templates.yields))


def backgrounds(*modifiers: Any, name: str = "b", weights: Any = (10.0, 20.0), staterror: bool = False) -> Sample:
    return Sample(name, {"x": [1.0, 2.0]}, weights=weights, modifiers=modifiers, staterror=staterror)


VARIANCES = {
    "none": ([backgrounds()], 0.0),
    "staterror": ([backgrounds(staterror=True)], 100 + 400),
    "normsys": ([backgrounds(NormSys("a", 1.2, 0.9))], (0.2 * 30) ** 2),
    "lumi": ([backgrounds(Lumi(0.1))], 3.0**2),
    "shapesys": ([backgrounds(ShapeSys("a", 0.1))], 3.0**2),
    "normfactor": ([backgrounds(NormFactor("a"))], 0.0),
    "histosys": ([backgrounds(HistoSys("a", up=[12, 24], down=[9, 19]))], 6.0**2),
    "histosys-mirror": ([backgrounds(HistoSys("a", up=[12, 24], down="mirror"))], 6.0**2),
    "histosys-one-sided": ([backgrounds(HistoSys("a", up=[12, 24], down="nominal"))], 6.0**2),
    "histosys-one-sided-lowering": ([backgrounds(HistoSys("a", up=[9, 19], down="nominal"))], 2.0**2),
    "histosys-same-side": ([backgrounds(HistoSys("a", up=[12, 24], down=[11, 22]))], 6.0**2),
    "opposite-one-sided-samples": (
        [
            backgrounds(HistoSys("a", up=[12, 24], down="nominal")),
            backgrounds(HistoSys("a", up=[1, 1], down=[9, 9]), name="c", weights=[5.0, 5.0]),
        ],
        8.0**2,
    ),
    "independent": ([backgrounds(NormSys("a", 1.1, 0.9), NormSys("b", 1.2, 0.8))], 3.0**2 + 6.0**2),
    "correlated-samples": (
        [backgrounds(NormSys("a", 1.1, 0.9)), backgrounds(NormSys("a", 1.2, 0.8), name="c", weights=[5.0, 5.0])],
        (3.0 + 2.0) ** 2,
    ),
    "anticorrelated-samples": (
        [backgrounds(NormSys("a", 1.1, 0.9)), backgrounds(NormSys("a", 0.8, 1.2), name="c", weights=[5.0, 5.0])],
        (3.0 - 2.0) ** 2,
    ),
    "correlated-kinds": (
        [backgrounds(NormSys("a", 1.1, 0.9), HistoSys("a", up=[12, 24], down="mirror"))],
        (3.0 + 6.0) ** 2,
    ),
    "everything": (
        [backgrounds(NormSys("a", 1.1, 0.9), ShapeSys("b", 0.2), staterror=True), backgrounds(Lumi(0.1), name="c")],
        3.0**2 + 6.0**2 + 500 + 3.0**2,
    ),
}


@pytest.mark.parametrize(("samples", "expected"), VARIANCES.values(), ids=VARIANCES)
def test_background_variance_by_hand(samples: list[Sample], expected: float) -> None:
    assert variance_of(*samples) == pytest.approx(expected, rel=1e-12)


def test_background_variance_sums_bins_and_keeps_leading_axes() -> None:
    b = backgrounds(ShapeSys("a", [0.1, 0.2]), NormSys("n", 1.1, 0.9))
    templates = fill([S, b], None, axis=ax.Integer(1, 3, name="x"))
    one = background_variance(templates.structure, templates.yields)
    # Bins of 10 and 20: independent 1 and 4, together 3.
    assert float(one) == pytest.approx(1.0 + 16.0 + 9.0)
    many = Yields(*(np.stack([x, 2 * x, 3 * x]) for x in (templates.yields.values, templates.yields.variances)))
    np.testing.assert_allclose(background_variance(templates.structure, many), 26.0 * np.array([1, 4, 9]))
    none = fill([S, backgrounds()], None)
    many = Yields(*(np.stack([x, x, x]) for x in (none.yields.values, none.yields.variances)))
    assert background_variance(none.structure, many).shape == (3,)
