"""Every kind of null that pandas, awkward, NumPy and pyarrow know is missing; dates and text are no numbers."""

import awkward as ak
import numpy as np
import pandas as pd
import pytest

import hepcuts as hc
from hepcuts._core.errors import SampleError

NAN = float("nan")
DATES = np.array(["2020", "2021", "2022"], dtype="M8[D]")


def arrow(kind):
    def make():
        pa = pytest.importorskip("pyarrow")
        return {
            "array": lambda: pa.array([1, None, 3]),
            "chunks": lambda: pa.chunked_array([[1, None], [3]]),
            "pandas integers": lambda: pd.Series([1, None, 3], dtype="int64[pyarrow]"),
            "pandas floats": lambda: pd.Series([1, None, 3], dtype="double[pyarrow]"),
            "dates": lambda: pa.array([pd.Timestamp("2020"), None, None]),
            "pandas dates": lambda: pd.Series([pd.Timestamp("2020"), None, None], dtype="timestamp[ns][pyarrow]"),
        }[kind]()

    return make


NULLS = {
    "Int64": lambda: pd.Series([1, None, 3], dtype="Int64"),
    "UInt8": lambda: pd.Series([1, None, 3], dtype="UInt8"),
    "Float32": lambda: pd.Series([1, None, 3], dtype="Float32"),
    "Float64": lambda: pd.Series([1, pd.NA, 3], dtype="Float64"),
    "array of pandas": lambda: pd.array([1, None, 3], dtype="Int64"),
    "None": lambda: [1, None, 3],
    "NA": lambda: [1, pd.NA, 3],
    "NA in an array": lambda: np.array([1, pd.NA, 3], dtype=object),
    "masked": lambda: np.ma.array([1, 2, 3], mask=[0, 1, 0]),
    "masked objects": lambda: np.ma.array([1, "two", 3], mask=[0, 1, 0], dtype=object),
    "awkward": lambda: ak.Array([1, None, 3]),
    "awkward floats": lambda: ak.Array([1.0, None, 3.0]),
    "awkward of 32 bits": lambda: ak.values_astype(ak.Array([1.0, None, 3.0]), np.float32),
    "awkward mask": lambda: ak.mask(ak.Array([1.0, 2.0, 3.0]), np.array([True, False, True])),
    "awkward index": lambda: ak.Array([1.0, 3.0])[ak.Array([0, None, 1])],
    "arrow": arrow("array"),
    "arrow in chunks": arrow("chunks"),
    "arrow integers of pandas": arrow("pandas integers"),
    "arrow floats of pandas": arrow("pandas floats"),
}


@pytest.mark.parametrize("make", NULLS.values(), ids=NULLS)
def test_a_null_is_missing(make):
    values = make()
    given = {"x": values}
    for columns in (given, pd.DataFrame(given)) if isinstance(values, pd.Series) else (given,):
        sample = hc.Sample("b", columns, missing=NAN)
        np.testing.assert_array_equal(sample.columns["x"], [1.0, np.nan, 3.0])
        with pytest.raises(SampleError, match="1 of 3 rows are NaN"):
            hc.Sample("b", columns)


def test_flags_with_a_null():
    column = pd.Series([True, None, False], dtype="boolean")
    np.testing.assert_array_equal(hc.Sample("b", {"x": column}, missing=NAN).columns["x"], [1.0, np.nan, 0.0])


def test_a_masked_column_of_32_bits_stays_one():
    column = np.ma.array(np.array([1, 2, 3], np.float32), mask=[0, 1, 0])
    found = hc.Sample("b", {"x": column}, missing=NAN).columns["x"]
    assert found.dtype == np.float32
    assert type(found) is np.ndarray


def test_a_variation_may_have_nulls_too():
    up = hc.HistoSys("e", up={"x": ak.Array([1, None, 4])}, down="mirror")
    sample = hc.Sample("b", {"x": ak.Array([1, None, 3])}, modifiers=up, missing=NAN)
    np.testing.assert_array_equal(sample.modifiers[0].up.columns["x"], [1.0, np.nan, 4.0])


NO_NUMBERS = {
    "NaT": lambda: np.array([1, pd.NaT, 3], dtype=object),
    "NaT of NumPy": lambda: np.array([1, np.datetime64("NaT"), 3], dtype=object),
    "a date": lambda: np.array([1, pd.Timestamp("2020"), 3], dtype=object),
    "a time span": lambda: np.array([1, pd.Timedelta("1s"), 3], dtype=object),
    "dates": lambda: pd.Series([pd.Timestamp("2020"), None, None]),
    "masked dates": lambda: np.ma.array(DATES, mask=[0, 1, 0]),
    "masked text": lambda: np.ma.array(["1", "2", "3"], mask=[0, 1, 0]),
    "masked complex": lambda: np.ma.array([1j, 2.0, 3.0], mask=[0, 1, 0]),
    "complex": lambda: np.array([1, None, 3j], dtype=object),
    "awkward dates": lambda: ak.Array(DATES),
    "awkward text": lambda: ak.Array(["1", None, "3"]),
    "jagged": lambda: ak.Array([[1.0], [], [2.0, 3.0]]),
    "arrow dates": arrow("dates"),
    "arrow dates of pandas": arrow("pandas dates"),
}


@pytest.mark.parametrize("make", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_refused(make):
    with pytest.raises(SampleError, match=r"column 'x': (cannot be read as numbers|has a list of numbers)"):
        hc.Sample("b", {"x": make()}, missing=NAN)
