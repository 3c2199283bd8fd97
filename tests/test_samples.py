"""Samples: what is read, what is refused and with which words, and that nothing changes them afterwards."""

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepcuts import HistoSys, NormSys, Sample
from hepcuts._core.errors import InputError, SampleError
from hepcuts.samples.modifiers import Variation
from hepcuts.samples.sample import check_samples
from tests.unchecked import unchecked  # noqa: F401

X, PT, W = [1.0, 2.0, 3.0], [10, 20, 30], [0.5, -0.25, 2.0]

FORMS = {
    "mapping-of-lists": {"x": X, "pt": PT, "w": W},
    "mapping-of-arrays": {"x": np.array(X, dtype=np.float32), "pt": np.array(PT, dtype=np.int16), "w": np.array(W)},
    "data-frame": pd.DataFrame({"x": X, "pt": PT, "w": W}, index=[7, 3, 7]),
    "data-frame-of-objects": pd.DataFrame({"x": X, "pt": PT, "w": W}, dtype=object),
    "data-frame-nullable": pd.DataFrame({"x": X, "pt": pd.array(PT, dtype="Int64"), "w": W}),
    "structured-array": np.array(
        list(zip(X, PT, W, strict=True)), dtype=[("x", np.float64), ("pt", np.int32), ("w", np.float32)]
    ),
}


@pytest.mark.parametrize("columns", FORMS.values(), ids=FORMS)
def test_every_form_of_columns_is_read_to_the_same(columns: Any) -> None:
    sample = Sample("tt", columns, weights="w")
    assert set(sample.columns) == {"x", "pt"}
    for name, expected in (("x", X), ("pt", PT)):
        assert sample.column(name).dtype == np.float64
        np.testing.assert_array_equal(sample.columns[name], expected)
    np.testing.assert_array_equal(sample.weights, W)
    assert len(sample) == 3
    assert sample.total == 2.25
    assert not sample.signal


@pytest.mark.parametrize(
    ("weights", "expected"),
    [(None, [1.0, 1.0, 1.0]), ("w", W), (W, W), (np.array([1, 2, 3]), [1.0, 2.0, 3.0]), (pd.Series(W, [5, 6, 7]), W)],
    ids=["none", "column", "list", "integers", "series"],
)
def test_weights(weights: Any, expected: list[float]) -> None:
    sample = Sample("tt", FORMS["mapping-of-lists"], weights=weights)
    np.testing.assert_array_equal(sample.weights, expected)
    assert ("w" in sample.columns) == (not isinstance(weights, str))


def test_a_sample_of_nothing_but_weights_counts() -> None:
    sample = Sample("tt", {"w": W}, weights="w")
    assert (len(sample), sample.total, [*sample.columns]) == (3, 2.25, [])


BAD = {
    "nan": ({"x": [1.0, np.nan, 3.0]}, {}, r"'tt', column 'x': 1 of 3 rows are NaN or infinite \(first at row 1\)"),
    "infinite": ({"x": [1.0, 2.0, -np.inf]}, {}, r"'tt', column 'x': 1 of 3 rows are NaN or infinite \(first at row 2"),
    "nan-although-another-number-means-missing": ({"x": [np.nan, -999.0]}, {"missing": -999.0}, "1 of 2 rows are NaN"),
    "nan-weight": ({"x": X}, {"weights": [1.0, np.nan, np.inf]}, "'tt', column 'weights': 2 of 3 rows are NaN"),
    "nan-weight-although-nan-means-missing": (
        {"x": X, "w": [np.nan, 1, 1]},
        {"weights": "w", "missing": np.nan},
        "column 'weights': 1 of 3 rows",
    ),
    "unequal-lengths": ({"x": X, "y": [1.0]}, {}, r"'tt': columns have unequal lengths \{'x': 3, 'y': 1\}"),
    "unequal-weights": ({"x": X}, {"weights": [1.0, 2.0]}, "'tt': 2 weights for 3 events"),
    "unknown-weights": ({"x": X}, {"weights": "w"}, "'tt': no column 'w' to take the weights from.* 3 rows are x"),
    "duplicate-frame-columns": (
        pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["x", "x"]),
        {},
        "'tt': 2 columns of 2 rows are named 'x'",
    ),
    "nameless-column": ({"": X}, {}, "'tt': a column is named ''"),
    "column-number": (pd.DataFrame([[1.0, 2.0]]), {}, "'tt': a column is named 0; expected a string"),
    "empty": ({"x": []}, {}, "'tt', column 'x': has 0 rows; a sample needs at least one event"),
    "no-columns": ({}, {}, "'tt': has no columns"),
    "text": ({"x": ["1.0", "2.0"]}, {}, r"'tt', column 'x': cannot be read as numbers \(text; 2 rows\)"),
    "text-in-objects": (pd.DataFrame({"x": [1.0, "2"]}, dtype=object), {}, r"column 'x'.*\(text; 2 rows\)"),
    "pandas-missing": (
        pd.DataFrame({"x": pd.array([1, None], dtype="Int64")}),
        {},
        "column 'x': (1 of 2 rows are NaN|cannot be read.*NA)",
    ),
    "complex": ({"x": np.array([1 + 1j])}, {}, r"column 'x'.*type complex128; 1 rows"),
    "dates": ({"x": np.array(["2020-01-01"], dtype="datetime64[D]")}, {}, r"column 'x'.*datetime64"),
    "ragged": ({"x": [[1.0], [1.0, 2.0]]}, {}, "column 'x': cannot be read as numbers .*2 rows"),
    "masked": ({"x": np.ma.masked_array([1.0, 2.0], [False, True])}, {}, "1 of 2 rows are NaN"),
    "two-dimensional": ({"x": np.ones((3, 2))}, {}, r"column 'x': has shape \(3, 2\); expected one dimension"),
    "two-dimensional-weights": ({"x": X}, {"weights": np.ones((3, 1))}, r"'weights': has shape \(3, 1\)"),
    "scalar": ({"x": 1.0}, {}, r"column 'x': has shape \(\)"),
    "scalar-weight": ({"x": X}, {"weights": 0.5}, r"column 'weights': has shape \(\)"),
    "all-weights-zero": ({"x": X}, {"weights": [0, 0, 0]}, "'tt': all 3 weights are zero"),
    "not-columns": ([1.0, 2.0], {}, "'tt': columns came as list; expected a mapping"),
    "plain-array": (np.ones((2, 2)), {}, "'tt': columns came as ndarray"),
    "missing-is-text": ({"x": X}, {"missing": "none"}, "'tt': missing is 'none'; expected a number"),
    "not-a-modifier": ({"x": X}, {"modifiers": ["jes"]}, "'tt': 'jes' is not a modifier"),
    "modifier-twice": (
        {"x": X},
        {"modifiers": [NormSys("a", 1.1, 0.9), NormSys("a", 1.2, 0.9)]},
        "'tt': two NormSys are named 'a'",
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("columns", "options", "match"), BAD.values(), ids=BAD)
def test_refusals_name_the_sample_the_column_and_the_rows(columns: Any, options: dict[str, Any], match: str) -> None:
    error = InputError if "missing is" in match else SampleError
    with pytest.raises(error, match=match):
        Sample("tt", columns, **options)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["", "  ", None, 3], ids=repr)
def test_a_sample_needs_a_name(name: Any) -> None:
    with pytest.raises(InputError, match="The name of a sample is"):
        Sample(name, {"x": X})


def test_the_hint_on_missing_values_is_for_columns_not_for_weights() -> None:
    with pytest.raises(SampleError, match=r"missing=-999\.0"):
        Sample("tt", {"x": [np.nan]})
    with pytest.raises(SampleError) as caught:
        Sample("tt", {"x": X}, weights=[np.nan, 1, 1])
    assert "missing" not in str(caught.value)


@pytest.mark.parametrize("missing", [-999.0, np.nan, np.inf], ids=str)
def test_missing_values_are_legal_where_they_are_named(missing: float) -> None:
    sample = Sample("tt", {"x": [1.0, missing]}, missing=missing)
    np.testing.assert_array_equal(sample.columns["x"], [1.0, missing])


def test_a_missing_value_is_known_in_32_bits_too() -> None:
    from hepcuts import Cut

    stored = np.array([50.0, -999.9], dtype=np.float32)
    sample = Sample("tt", {"x": stored}, missing=-999.9)
    assert stored.astype(np.float64)[1] != -999.9
    passed = Cut("x", ">", 0.0, missing="pass").mask(sample.columns["x"], missing=sample.missing)
    np.testing.assert_array_equal(passed, [True, True])


def test_nothing_can_be_changed_afterwards() -> None:
    x, w, varied = np.array(X), np.array(W), np.array([3.0, 2.0, 1.0])
    sample = Sample("tt", {"x": x}, weights=w, modifiers=[HistoSys("jes", up={"x": varied}, down=varied)])
    for array in (x, w, varied):
        array[:] = 77.0
    np.testing.assert_array_equal(sample.columns["x"], X)
    np.testing.assert_array_equal(sample.weights, W)
    jes = sample.modifiers[0]
    assert isinstance(jes, HistoSys)
    np.testing.assert_array_equal(jes.up.columns["x"], [3.0, 2.0, 1.0])
    for array in (sample.weights, sample.columns["x"], jes.up.columns["x"], jes.sides["down"].weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.name = "other"
    with pytest.raises(TypeError, match="does not support item assignment"):
        sample.columns["y"] = x
    with pytest.raises(TypeError, match="does not support item assignment"):
        jes.up.columns["y"] = x


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["copy", "pickle"])  # noqa: S301
@pytest.mark.parametrize("columns", [{"x": X, "w": W}, {"w": W}], ids=["columns", "weights-only"])
def test_samples_can_be_sent_to_other_processes(remake: Any, columns: dict[str, Any]) -> None:
    modifiers = [HistoSys("jes", up=Variation({"x": PT} if "x" in columns else {}, W), down="mirror")]
    sample = Sample("tt", columns, weights="w", signal=True, modifiers=modifiers, missing=-1.0, staterror=False)
    other = remake(sample)
    assert repr(other) == repr(sample)
    assert (other.signal, other.missing, other.staterror) == (True, -1.0, False)
    assert {**other.columns}.keys() == {**sample.columns}.keys()
    np.testing.assert_array_equal(other.weights, sample.weights)
    np.testing.assert_array_equal(other.modifiers[0].up.weights, W)
    assert other.modifiers[0].down == "mirror"
    assert not other.weights.flags.writeable
    assert not other.modifiers[0].up.weights.flags.writeable


def test_repr_gives_yield_and_its_uncertainty() -> None:
    assert repr(Sample("tt", {"x": X}, weights=[3, 4, 0])) == (
        "Sample('tt', background, 3 events, yield 7 +- 5, columns: x)"
    )


def test_an_unknown_column_is_refused_with_those_there_are() -> None:
    with pytest.raises(SampleError, match="'tt' has no column 'mass'; its columns of 3 rows are x, pt"):
        Sample("tt", {"x": X, "pt": PT}).column("mass")


def test_one_modifier_needs_no_list() -> None:
    jes = NormSys("a", 1.1, 0.9)
    assert Sample("tt", {"x": X}, modifiers=jes).modifiers == (jes,)


VARIATIONS = {
    "columns": ({"x": [4, 5, 6]}, [4, 5, 6], W),
    "weights": ([1, 2, 3], X, [1, 2, 3]),
    "both": (Variation({"x": [4, 5, 6]}, [1, 2, 3]), [4, 5, 6], [1, 2, 3]),
}


@pytest.mark.parametrize(("side", "x", "weights"), VARIATIONS.values(), ids=VARIATIONS)
@pytest.mark.parametrize("where", ["up", "down"])
def test_what_a_variation_changes_and_what_it_leaves(where: str, side: Any, x: Any, weights: Any) -> None:
    sides = {"up": [1.0, 1.0, 1.0], "down": "mirror"} | {where: side}
    sample = Sample("tt", {"x": X, "pt": PT}, weights=W, modifiers=[HistoSys("jes", **sides)])
    columns, varied_weights = sample.varied(sample.modifiers[0].sides[where])
    np.testing.assert_array_equal(columns["x"], x)
    np.testing.assert_array_equal(columns["pt"], PT)
    np.testing.assert_array_equal(varied_weights, weights)
    columns, nominal_weights = sample.varied(None)
    np.testing.assert_array_equal(columns["x"], X)
    np.testing.assert_array_equal(nominal_weights, W)


BAD_VARIATIONS = {
    "short-column": ({"x": [1.0]}, "mirror", "tt: HistoSys 'jes', up: column 'x' has 1 rows for 3 events"),
    "short-weights": ([1.0], "mirror", "tt: HistoSys 'jes', up: column 'weights' has 1 rows for 3 events"),
    "short-down": (W, {"pt": [1, 2]}, "tt: HistoSys 'jes', down: column 'pt' has 2 rows for 3 events"),
    "unknown-column": ({"mass": X}, "mirror", "'tt' has no column 'mass'"),
    "nan": ({"x": [1, 2, np.nan]}, "mirror", r"tt: HistoSys 'jes', up\", column 'x': 1 of 3 rows are NaN"),
    "two-dimensional": ({"x": np.ones((3, 3))}, "mirror", r"HistoSys 'jes', up\", column 'x': has shape \(3, 3\)"),
}


@pytest.mark.parametrize(("up", "down", "match"), BAD_VARIATIONS.values(), ids=BAD_VARIATIONS)
def test_variations_that_do_not_fit_the_sample_are_refused(up: Any, down: Any, match: str) -> None:
    with pytest.raises(SampleError, match=match):
        Sample("tt", {"x": X, "pt": PT}, modifiers=[HistoSys("jes", up=up, down=down)])


def test_a_varied_column_may_hold_missing_values() -> None:
    jes = HistoSys("jes", up={"x": [1.0, -999.0, np.nan]}, down="nominal")
    with pytest.raises(SampleError, match="1 of 3 rows are NaN"):
        Sample("tt", {"x": [1.0, -999.0, 2.0]}, modifiers=[jes], missing=-999.0)
    jes = HistoSys("jes", up={"x": [1.0, -999.0, -999.0]}, down="nominal")
    assert len(Sample("tt", {"x": [1.0, -999.0, 2.0]}, modifiers=[jes], missing=-999.0)) == 3


@settings(max_examples=40, deadline=None)
@given(size=st.integers(2, 60), fraction=st.floats(0.02, 0.98), seed=st.integers(0, 2**32 - 1))
def test_split_is_a_partition_that_keeps_the_yield(size: int, fraction: float, seed: int) -> None:
    x = np.arange(float(size))
    jes = HistoSys("jes", up=Variation({"x": x + 0.25}, np.full(size, 3.0)), down={"x": x - 0.25})
    sample = Sample("tt", {"x": x}, weights=np.full(size, 2.0), modifiers=[jes, NormSys("n", 1.1, 0.9)], signal=True)
    try:
        halves = sample.split(fraction, seed=seed)
    except InputError as error:
        assert "leaves one part without events" in str(error)  # noqa: PT017 (whether it does, the seed says)
        return
    # Every event in exactly one part.
    np.testing.assert_array_equal(np.sort(np.concatenate([h.columns["x"] for h in halves])), x)
    for half in halves:
        assert half.total == pytest.approx(sample.total, rel=1e-12)
        assert half.signal
        assert half.modifiers[1] == NormSys("n", 1.1, 0.9)
        carried = half.modifiers[0]
        # The varied events stay beside their nominal ones, and their weights are scaled alike.
        np.testing.assert_array_equal(carried.up.columns["x"], half.columns["x"] + 0.25)
        np.testing.assert_array_equal(carried.down.columns["x"], half.columns["x"] - 0.25)
        assert carried.up.weights.sum() == pytest.approx(3.0 * size, rel=1e-12)
        assert carried.down.weights is None
    again = sample.split(fraction, seed=seed)
    np.testing.assert_array_equal(halves[0].columns["x"], again[0].columns["x"])


def test_split_depends_on_the_seed_and_takes_a_generator() -> None:
    sample = Sample("tt", {"x": np.arange(100.0)})
    first = sample.split(0.5, seed=1)[0].columns["x"]
    assert not np.array_equal(first, sample.split(0.5, seed=2)[0].columns["x"])
    drawn, again = (sample.split(0.5, seed=np.random.default_rng(1))[0].columns["x"] for _ in range(2))
    np.testing.assert_array_equal(drawn, again)
    with pytest.raises(InputError, match="seed is 'a'; expected a whole number"):
        sample.split(0.5, seed="a")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8])
def test_each_event_is_in_the_first_part_with_the_probability_that_was_asked_for(fraction: float) -> None:
    sizes = np.array([len(Sample("tt", {"x": np.zeros(400)}).split(fraction, seed=seed)[0]) for seed in range(400)])
    # 160 000 events know a probability to sqrt(p (1 - p) / 160 000), a binomial spread to 3.5 %.
    assert sizes.mean() / 400 == pytest.approx(fraction, abs=4 * np.sqrt(fraction * (1 - fraction) / 160_000))
    assert sizes.std() == pytest.approx(np.sqrt(400 * fraction * (1 - fraction)), rel=0.15)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 1.5, np.nan, 1e-9], ids=str)
def test_split_refuses_a_part_without_events(fraction: float) -> None:
    match = "leaves one part without events" if fraction == 1e-9 else "expected one between 0 and 1"
    with pytest.raises(InputError, match=match):
        Sample("tt", {"x": X}).split(fraction, seed=1)


@pytest.mark.parametrize("down", ["mirror", "nominal"])
def test_take_carries_one_sided_systematics(down: str) -> None:
    sample = Sample("tt", {"x": X}, weights=W, modifiers=[HistoSys("jes", up=[1, 2, 3], down=down)])
    part = sample.take(np.array([True, False, True]), scale=2.0)
    assert part.modifiers[0].down == down
    np.testing.assert_array_equal(part.modifiers[0].up.weights, [2.0, 6.0])
    np.testing.assert_array_equal(part.weights, [1.0, 4.0])
    with pytest.raises(SampleError, match="0 rows"):
        sample.take(np.zeros(3, dtype=bool))


S, B = Sample("s", {"x": X}, signal=True), Sample("b", {"x": X})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("samples", "match"),
    [
        ([], "No signal among the samples"),
        ([S], r"No background among the samples \['s'\]; add one with signal=False"),
        ([B], r"No signal among the samples \['b'\]; mark one with Sample\(..., signal=True\)"),
        ([S, B, B], r"Samples share the names \['b'\]"),
        ([S, {"x": X}], "Expected hepcuts.Sample objects, got dict"),
    ],
    ids=["none", "no-background", "no-signal", "same-name", "no-sample"],
)
def test_lists_of_samples_that_make_no_likelihood(samples: list[Any], match: str) -> None:
    with pytest.raises(SampleError, match=match):
        check_samples(samples)
