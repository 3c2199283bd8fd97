"""Checks of arguments that many functions take: the same words and the same errors everywhere.

Each check takes the argument's name and what came, and returns it in its plain form (an `int`, a `float`, a tuple); if
it cannot be used an `InputError` says what came and what was expected.
"""

import itertools
import math
import numbers
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError


def count(name: str, value: Any, *, least: int = 0, what: str = "") -> int:
    """A whole number.

    Args:
        name: of the argument.
        value: what came.
        least: smallest number allowed.
        what: what is counted, for the message.

    Raises:
        InputError: not a whole number, or too small a one.

    Example:
        >>> count("folds", np.int64(4))
        4
    """
    if not _is_whole(value) or value < least:
        counted = f" of {what}" if what else ""
        raise InputError(f"{name} is {value!r}; expected a whole number{counted}, {least} or more.")
    return int(value)


def amount(name: str, value: Any, *, what: str = "") -> float:
    """A finite number that is zero or positive.

    Raises:
        InputError: it is not.

    Example:
        >>> amount("min_background", 10)
        10.0
    """
    if not _is_number(value) or not 0 <= value < math.inf:
        counted = f" of {what}" if what else ""
        raise InputError(f"{name} is {value!r}; expected a finite number{counted}, 0 or more.")
    return float(value)


def positive(name: str, value: Any, *, what: str = "a positive number") -> float:
    """A finite number above zero.

    Raises:
        InputError: it is not.
    """
    if not _is_number(value) or not 0 < value < math.inf:
        raise InputError(f"{name} is {value!r}; expected {what}.")
    return float(value)


def fraction(name: str, value: Any, *, zero: bool = False, none: bool = False) -> float:
    """A fraction between 0 and 1, neither of them.

    Args:
        name: of the argument.
        value: what came.
        zero: whether it may be 0.
        none: whether the message shall name None as the way to do without; the caller lets None pass.

    Raises:
        InputError: it is not.

    Example:
        >>> fraction("holdout", 0.5)
        0.5
    """
    if not _is_number(value) or not (0 < value < 1 or (zero and value == 0)):
        wanted = "0, or a fraction between 0 and 1" if zero else "a fraction between 0 and 1"
        raise InputError(f"{name} is {value!r}; expected {wanted}{', or None' if none else ''}.")
    return float(value)


def min_background(value: Any) -> float:
    """Effective number of simulated background events that is wanted.

    Raises:
        InputError: not a finite number that is zero or positive.
    """
    return amount("min_background", value, what="effective simulated background events")


def folds(value: Any, *, none: bool = True, without: str = "") -> int:
    """Number of parts of a cross-validation.

    Args:
        value: what came.
        none: whether there may be no cross-validation, 0.
        without: what 0 means, or why it cannot be, for the message.

    Raises:
        InputError: not a whole number, 1, or negative.
    """
    if not _is_whole(value) or not (value >= 2 or (none and value == 0)):
        zero = ", or 0 for no cross-validation" if none else ""
        raise InputError(f"folds is {value!r}; expected a whole number of parts, at least 2{zero}{without}.")
    return int(value)


def replicas(value: Any, *, none: bool = True) -> int:
    """Number of bootstrap replicas.

    Args:
        value: what came.
        none: whether there may be none, 0.

    Raises:
        InputError: not a whole number, 1 (which has no spread), or negative.
    """
    if not _is_whole(value) or not (value >= 2 or (none and value == 0)):
        zero = ", or 0 for none" if none else ""
        raise InputError(f"replicas is {value!r}; expected a whole number, at least 2 for a spread{zero}.")
    return int(value)


def holdout(value: Any) -> float | None:
    """Fraction of events that take no part in a search; None, also written 0, for none.

    Raises:
        InputError: neither a fraction between 0 and 1 nor None.
    """
    return None if value is None or (_is_number(value) and value == 0) else fraction("holdout", value, none=True)


def seed(value: Any) -> int | np.random.Generator:
    """A seed of random numbers, or a generator.

    Raises:
        InputError: neither a whole number, 0 or more, nor a generator.
    """
    if isinstance(value, np.random.Generator):
        return value
    if not _is_whole(value) or value < 0:
        raise InputError(f"seed is {value!r}; expected a whole number, 0 or more, or a numpy.random.Generator.")
    return int(value)


def stages(value: Any, *, name: str = "anneal", example: str = "(5, 2, 1)") -> tuple[float, ...]:
    """Widths of stages, each narrower than the one before.

    Raises:
        InputError: not a sequence, empty, not positive and finite, or not decreasing.

    Example:
        >>> stages([5, 1])
        (5.0, 1.0)
    """
    wanted = f"{name} is {value!r}; expected at least one positive factor, each smaller than the one before, such as"
    found = _listed(value)
    if not found or not all(_is_number(factor) and 0 < factor < math.inf for factor in found):
        raise InputError(f"{wanted} {example}.")
    if any(after >= before for before, after in itertools.pairwise(found)):
        raise InputError(f"{wanted} {example}: soft cuts start wide and are narrowed.")
    return tuple(float(factor) for factor in found)


def names(name: str, value: Any, *, what: str = "names of thresholds") -> tuple[str, ...]:
    """Several names, or a single one.

    Raises:
        InputError: neither a string nor strings.

    Example:
        >>> names("fixed", "x")
        ('x',)
    """
    found = (value,) if isinstance(value, str) else _listed(value)
    if found is None or not all(isinstance(one, str) for one in found):
        raise InputError(f"{name} is {value!r}; expected {what}, such as ['pt', 'mass:low'].")
    return tuple(found)


def groups(name: str, value: Any) -> tuple[tuple[str, ...], ...]:
    """Groups of at least two names.

    Raises:
        InputError: not groups of several different names.

    Example:
        >>> groups("tied", [["a", "b"]])
        (('a', 'b'),)
    """
    found = [_listed(group) for group in _listed(value) or ()]
    none_came = _listed(value) == ()
    good = all(g is not None and len(set(g)) > 1 and all(isinstance(one, str) for one in g) for g in found)
    if not good or not (found or none_came):
        raise InputError(
            f"{name} is {value!r}; expected groups of at least two names of thresholds, such as "
            "[('lepton1_pt', 'lepton2_pt')]."
        )
    return tuple(tuple(group) for group in found if group is not None)


def path(name: str, value: Any) -> Path | None:
    """A file's path, or None.

    Raises:
        InputError: neither.
    """
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"{name} is {value!r}; expected the path of a file, or None.")
    return Path(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _listed(value: Any) -> tuple[Any, ...] | None:
    """What can be gone through as a tuple; None for text and for what cannot."""
    if isinstance(value, Sequence | np.ndarray | Iterable) and not isinstance(value, str | bytes):
        return tuple(value)
    return None
