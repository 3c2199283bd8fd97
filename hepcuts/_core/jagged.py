"""Branches with a list of numbers for each event, as awkward holds them, beside plain columns."""

import importlib
import sys
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError


def awkward() -> Any:
    """Whoever has an awkward array has loaded it."""
    return sys.modules["awkward"]


def is_awkward(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "awkward"


def is_jagged(values: Any) -> bool:
    return is_awkward(values) and values.ndim > 1


def plain(values: Any) -> Any:
    """An awkward array of one number per event as one of NumPy, with NaN where there is none."""
    if is_jagged(values):
        return values
    return filled(values) if is_awkward(values) else np.asarray(values)


def filled(values: Any) -> NDArray[Any]:
    found: Any = values.to_numpy(allow_missing=True)
    if np.ma.is_masked(found):
        return np.ma.filled(found.astype(np.float64), np.nan)
    return np.asarray(np.ma.getdata(found))


def _converted(values: Any, kind: type[np.generic]) -> Any:
    if not is_awkward(values):
        return np.asarray(values, dtype=kind)
    return awkward().values_astype(values, kind)


def real(values: Any) -> Any:
    """In floats of 64 bits."""
    return _converted(values, np.float64)


def wide(values: Any) -> Any:
    """In 64 bits: a number of 32 bits is compared with all digits of the other one. Whole numbers stay such."""
    dtype = (
        np.asarray(awkward().flatten(values, axis=None)[:0]).dtype if is_awkward(values) else np.asarray(values).dtype
    )
    if dtype.kind == "f":
        return _converted(values, np.float64)
    return values if dtype.itemsize == 8 else _converted(values, np.int64)


def concatenated(parts: Sequence[Any]) -> Any:
    """Columns of several files, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return awkward().concatenate(parts) if any(map(is_awkward, parts)) else np.concatenate(parts)


def of_objects(values: Any) -> Any:
    """Python objects that are arrays or lists, one for each event, as an awkward array; anything else as it is.

    That is what ``RDataFrame.AsNumpy`` makes of a branch of vectors, and uproot with ``library="np"``.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind != "O" or values.ndim != 1:
        return values
    first = next((one for one in values if one is not None), None)
    if not isinstance(first, Sized) or isinstance(first, str | bytes | Mapping):
        return values
    try:
        lists = [np.asarray([] if one is None else one) for one in values]
    except (TypeError, ValueError):
        return values
    if any(one.ndim != 1 for one in lists):
        return values
    whole = np.concatenate([one for one in lists if len(one)] or [np.zeros(0)])
    return optional("awkward", "root").unflatten(whole, [len(one) for one in lists])


def of_arrow(column: Any) -> Any:
    """An array of pyarrow's as one of NumPy's; lists of each event as an awkward array."""
    if str(column.type).startswith("list<"):
        # awkward does not do everything with places of 32 bits.
        column = column.cast(optional("pyarrow", "parquet").large_list(column.type.value_type))
    if "list" in str(column.type):
        return optional("awkward", "root").from_arrow(column)
    return column.to_numpy(zero_copy_only=False)


def optional(module: str, extra: str) -> Any:
    """A library that only some formats need.

    Raises:
        InputError: it is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"this needs {module.partition('.')[0]}; install hepcuts[{extra}]") from error
