"""Columns of events as users hand them in: read once, checked, read-only."""

import datetime as dt
import sys
from collections.abc import Mapping, Sequence, Sized
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, SampleError
from .histograms import is_histogram
from .jagged import is_awkward, is_jagged, of_arrow, of_objects
from .lazy import narwhals
from .types import Columns, ColumnsLike, FloatArray


def frozen(values: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy."""
    copy = np.array(values)
    copy.setflags(write=False)
    return copy


_NO_NUMBERS = (str, bytes, complex, np.complexfloating, np.datetime64, np.timedelta64, dt.timedelta)

Numbers: TypeAlias = ArrayLike | Sequence[Any]
"""One number per event, in any form that NumPy reads."""

MISSING_HINT = (
    "If NaN means 'does not exist', say so: Sample(..., missing=float('nan')), in a configuration missing = nan; if "
    "another number does, name that one: missing=-999.0."
)


def read_column(
    values: Numbers, *, sample: str, column: str, missing: float | None = None, hint: str = ""
) -> FloatArray:
    """Check one column of events and return it as a read-only array of floats; of 32 bits if it came so, else of 64.

    Args:
        values: the values, shape (event,).
        sample: the sample's name, for messages.
        column: the column's name, for messages.
        missing: a value that stands for "does not exist", or None.
        hint: what to do about values that are not finite, for messages.

    Returns:
        The values, shape (event,).

    Raises:
        SampleError: not one-dimensional, not numeric, empty, or with NaN or infinite values other than `missing`.
    """
    where = f"Sample {sample!r}, column {column!r}"
    if is_jagged(values):
        raise SampleError(
            f"{where}: has a list of numbers for each event; choose one, or combine them, as in "
            f"hepcuts.io.read_columns(table, columns=['{column}[0]', 'len({column})', 'sum({column})'])."
        )
    try:
        array = numbers(values)
    except (TypeError, ValueError) as error:
        rows = len(values) if isinstance(values, Sized) else 1
        raise SampleError(
            f"{where}: cannot be read as numbers ({error}; {rows} rows); expected one number per event."
        ) from error
    if array.ndim != 1:
        raise SampleError(f"{where}: has shape {array.shape}; expected one dimension, (event,).")
    if array.size == 0:
        raise SampleError(f"{where}: has 0 rows; a sample needs at least one event.")
    bad = ~np.isfinite(array) & ~is_missing(array, missing)
    if bad.any():
        raise SampleError(
            f"{where}: {int(bad.sum())} of {array.size} rows are NaN or infinite (first at row {int(bad.argmax())}); "
            f"expected finite values. {hint}".rstrip()
        )
    array.setflags(write=False)
    return array


def read_weights(values: Numbers, *, sample: str) -> FloatArray:
    """As `read_column`, but always in 64 bits: sums of squares of 32 bits would keep hardly more than four digits."""
    weights = read_column(values, sample=sample, column="weights")
    return weights if weights.dtype == np.float64 else frozen(weights.astype(np.float64))


def numbers(values: Any) -> FloatArray:
    """As floats what is numbers already: no text, no dates, no complex numbers. What is masked or null is NaN.

    Null are None, pandas' NA, and the missing values of nullable pandas, awkward and pyarrow arrays; a missing date is
    a date. Floats of 16 and 32 bits come back in 32 bits, everything else in 64. An array of one's own, unless the
    given one is read-only and nobody else's.

    Raises:
        TypeError: they are not numbers.
        ValueError: they are not an array.
    """
    array = _array(values)
    if array.dtype.kind not in "biufO":
        raise TypeError("text" if array.dtype.kind in "SU" else f"type {array.dtype}")
    if array.dtype.kind == "O":
        array = _of_objects(array)
    narrow = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    kept = array.astype(np.float32 if narrow else np.float64, copy=array.flags.writeable or array.base is not None)
    mask = np.ma.getmask(kept)
    plain = kept if mask is np.ma.nomask else np.ma.filled(kept, np.nan)
    return cast(FloatArray, plain)


def _array(values: Any) -> NDArray[Any]:
    """As an array, which keeps its mask if it has one."""
    if isinstance(values, np.ma.MaskedArray):
        return values
    if type(values).__module__.partition(".")[0] == "awkward":
        # NumPy asks for an array without mask, which awkward refuses if a value is missing.
        return np.asanyarray(values.to_numpy(allow_missing=True))
    return np.asarray(values)


def _of_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Python objects as floats; null is NaN."""
    # Only pandas makes its NA: whoever has one has loaded it.
    null = getattr(sys.modules.get("pandas"), "NA", None)
    masked = np.ma.getmaskarray(array).flat
    values = np.ma.getdata(array).flat
    found = [None if gone or value is null else value for value, gone in zip(values, masked, strict=True)]
    for value in found:
        if isinstance(value, _NO_NUMBERS) or hasattr(value, "isoformat"):
            raise TypeError("text" if isinstance(value, str | bytes) else f"type {type(value).__name__}")
    return np.array(found, dtype=object).reshape(array.shape).astype(np.float64)


def is_missing(values: FloatArray, missing: float | None) -> NDArray[np.bool_]:
    """Where `values`, shape (event,), hold the number that stands for a missing value (NaN matches NaN)."""
    if missing is None:
        return np.zeros(values.shape, dtype=bool)
    if np.isnan(missing):
        return np.isnan(values)
    # A column that was stored in 32 bits holds the number as 32 bits can: -999.9 is another one in 64.
    in_32_bits = float(np.float32(missing)) if abs(missing) < float(np.finfo(np.float32).max) else missing
    # Compared as numbers of 64 bits, which hold all of 32.
    found = np.equal(values, np.float64(missing))
    return found if in_32_bits == missing else found | np.equal(values, np.float64(in_32_bits))


def stacked(columns: ColumnsLike, names: Sequence[str], *, of: str) -> FloatArray:
    """Columns side by side, shape (event, column).

    Args:
        columns: name to values, each of shape (event,).
        names: the columns, in their order.
        of: what takes them, in words, for the message.

    Raises:
        InputError: there is no column of such a name.

    Example:
        >>> stacked({"x": [1.0, 2.0], "y": [3.0, 4.0]}, ["y", "x"], of="Score 'd'")
        array([[3., 1.],
               [4., 2.]])
    """
    absent = [name for name in names if name not in columns]
    if absent:
        raise InputError(f"{of}: there is no column {', '.join(absent)}; there are {', '.join(map(str, columns))}.")
    return np.stack([np.asarray(columns[name], dtype=np.float64) for name in names], axis=1)


def raw_columns(data: ColumnsLike, sample: str) -> dict[str, Any]:
    """Columns of a mapping, a data frame, awkward records or a structured array as a plain dict."""
    pairs = _pairs(data, sample)
    names = [name for name, _ in pairs]
    for name in names:
        if not isinstance(name, str) or not name:
            raise SampleError(f"Sample {sample!r}: a column is named {name!r}; expected a string that is not empty.")
        if names.count(name) > 1:
            raise SampleError(
                f"Sample {sample!r}: {names.count(name)} columns of {len(data)} rows are named {name!r}; names must "
                "differ."
            )
    if not names:
        raise SampleError(f"Sample {sample!r}: has no columns; expected at least one.")
    return {name: of_objects(values) for name, values in pairs}


def _pairs(data: Any, sample: str) -> list[tuple[Any, Any]]:
    if is_histogram(data):
        raise SampleError(
            f"Sample {sample!r}: columns came as a histogram. Its bins are no events: take "
            f"hepcuts.Histogram({sample!r}, histogram)."
        )
    if isinstance(data, Mapping):
        return list(data.items())
    if isinstance(data, np.ndarray) and data.dtype.names is not None:
        return [(name, data[name]) for name in data.dtype.names]
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return [(name, data.iloc[:, i].to_numpy()) for i, name in enumerate(data.columns)]
    if is_awkward(data) and data.fields:
        return [(name, data[name]) for name in data.fields]
    return _of_frame(data, sample)


def _of_frame(data: Any, sample: str) -> list[tuple[str, Any]]:
    """Columns of any data frame that narwhals knows: polars, pyarrow and others."""
    frame = narwhals.from_native(data, eager_only=True, pass_through=True)
    if frame is data:
        raise SampleError(
            f"Sample {sample!r}: columns came as {type(data).__name__}; expected a mapping of arrays, a data frame "
            "(pandas, polars, pyarrow), awkward records or a structured NumPy array."
        )
    return [
        (series.name, of_arrow(series.to_arrow()) if _has_lists(series) else series.to_numpy())
        for series in (frame.get_column(name) for name in frame.columns)
    ]


def _has_lists(series: Any) -> bool:
    return str(series.dtype).startswith(("List", "Array"))


def checked_columns(data: ColumnsLike, sample: str, missing: float | None) -> Columns:
    columns = {
        name: read_column(values, sample=sample, column=name, missing=missing, hint=MISSING_HINT)
        for name, values in raw_columns(data, sample).items()
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise SampleError(f"Sample {sample!r}: columns have unequal lengths {lengths}; expected one value per event.")
    return MappingProxyType(columns)
