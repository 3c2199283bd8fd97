"""Arguments of cuts, checked, and thresholds for people."""

import operator
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.decimals import exact
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatLike

COMPARE = MappingProxyType({1: operator.gt, -1: operator.lt})
"""By sign: how a value that passes compares to the threshold, which itself does not pass."""


def check_cut(cut: Any) -> None:
    """Check what all cuts have.

    Args:
        cut: with ``variable``, ``missing``, ``width``, ``bounds`` and ``thresholds``.

    Raises:
        InputError: one of them is of no use; the message says which.
    """
    if not isinstance(cut.variable, str) or not cut.variable:
        raise InputError(f"A cut's variable is {cut.variable!r}; expected the name of a column.")
    if cut.missing not in ("fail", "pass"):
        raise InputError(f"Cut on {cut.variable!r}: missing is {cut.missing!r}; expected 'fail' or 'pass'.")
    if cut.width is not None and not 0 <= cut.width < np.inf:
        raise InputError(f"Cut on {cut.variable!r}: width is {cut.width}; expected a finite number, 0 or more.")
    if cut.bounds is not None:
        low, high = cut.bounds
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InputError(f"Cut on {cut.variable!r}: bounds are {cut.bounds}; expected (low, high), low < high.")
    for threshold in cut.thresholds:
        if threshold is not None and not np.isfinite(threshold):
            raise InputError(f"Cut on {cut.variable!r}: the threshold is {threshold}; expected a finite number.")


def maybe_float(value: FloatLike | None, what: str) -> float | None:
    """A number that may be left out.

    Raises:
        InputError: neither a number nor None.
    """
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} is {value!r}; expected a number, or None.") from error


def pair(bounds: tuple[FloatLike, FloatLike] | None, variable: str) -> tuple[float, float] | None:
    """Bounds that may be left out.

    Raises:
        InputError: not two numbers.
    """
    if bounds is None:
        return None
    try:
        low, high = bounds
        return float(low), float(high)
    except (TypeError, ValueError) as error:
        raise InputError(f"Cut on {variable!r}: bounds are {bounds!r}; expected two numbers, (low, high).") from error


def shown(threshold: float | None) -> str:
    """A threshold for people, with all its digits: what is printed selects the same events."""
    return "?" if threshold is None else exact(threshold)


def whole(threshold: float, sign: int) -> float:
    """The first whole number that passes: of those above a threshold, or with sign -1 of those below it."""
    return float(np.floor(threshold) + 1.0 if sign > 0 else np.ceil(threshold) - 1.0)
