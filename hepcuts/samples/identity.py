"""What an event is called, whatever block it comes in: the identity that folds, halves and replicas depend on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcuts._core.counters import Bits, key_of, mixed
from hepcuts._core.errors import SampleError

Identity = str | Sequence[str] | ArrayLike
"""Names of columns, or integers, one for each event."""


def numbered(sample: str, size: int) -> Bits:
    """Identities of events that are known by their number in their sample alone, shape (event,).

    The sample's name is part of them: event 7 of one sample has nothing to do with event 7 of another.
    """
    return mixed(np.arange(size, dtype=np.uint64) + np.uint64(key_of(*sample.encode())))


def given(identity: Identity, columns: Mapping[str, Any], sample: str) -> Bits:
    """Identities that the user names or gives, shape (event,).

    The sample's name is no part of them: the same event in two samples has one identity.

    Args:
        identity: see `hepcuts.Sample`.
        columns: the columns as they came, before they were read as floats, which do not hold all large integers.
        sample: the sample's name, for messages.

    Raises:
        SampleError: no such column, not integers, or values that are missing.
    """
    names = _names(identity)
    if names is None:
        return _words(identity, f"Sample {sample!r}: identity", integers=True)
    found: Any = np.uint64(0)
    for name in names:
        if name not in columns:
            raise SampleError(
                f"Sample {sample!r}: no column {name!r} to take the identity of events from; its columns are "
                f"{', '.join(columns)}."
            )
        words = _words(columns[name], f"Sample {sample!r}, column {name!r} of the identity", integers=False)
        found = mixed(words + found)
    return np.asarray(found)


def _names(identity: Identity) -> tuple[str, ...] | None:
    if isinstance(identity, str):
        return (identity,)
    if isinstance(identity, tuple | list) and identity and all(isinstance(name, str) for name in identity):
        return tuple(str(name) for name in identity)
    return None


def _words(values: Any, where: str, *, integers: bool) -> Bits:
    """One word for each value: equal ones for equal values, whatever their type."""
    array = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        array = np.array([None])
    if array.dtype.kind == "O":
        # Integers that pandas keeps as objects; what is missing among them stays an object or becomes NaN.
        array = np.asarray(array.tolist())
    allowed = "iu" if integers else "biuf"
    if array.ndim != 1 or array.dtype.kind not in allowed or not np.all(np.isfinite(array)):
        kind = f"{array.dtype}, shape {array.shape}" if array.dtype.kind not in "fO" else "missing values or fractions"
        raise SampleError(f"{where}: came as {kind}; expected one {'integer' if integers else 'number'} per event.")
    if array.dtype.kind != "f":
        return array.astype(np.uint64)
    return _words_of_floats(array.astype(np.float64))


def _words_of_floats(values: NDArray[np.float64]) -> Bits:
    """As integers where they are some, else their bits, mixed so as to be no small integers."""
    whole = (values == np.floor(values)) & (np.abs(values) < 2.0**63)
    return np.where(whole, np.where(whole, values, 0.0).astype(np.int64).view(np.uint64), mixed(values.view(np.uint64)))
