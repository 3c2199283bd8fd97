"""What may stand in a table of a configuration file: a wrong type is refused, never read as something else."""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hepcuts._core.errors import InputError


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        words: what is expected, for messages.
        fits: whether a value is one.
    """

    words: str
    fits: Callable[[Any], bool]

    def __or__(self, other: "Kind") -> "Kind":
        return Kind(f"{self.words}, or {other.words}", lambda value: self.fits(value) or other.fits(value))


def _is_number(value: Any) -> bool:
    # To Python, true is 1.
    return isinstance(value, int | float) and not isinstance(value, bool)


TEXT = Kind("text in quotes", lambda value: isinstance(value, str) and bool(value.strip()))
FLAG = Kind("true or false, without quotes", lambda value: isinstance(value, bool))
ANY_NUMBER = Kind("a number, without quotes", _is_number)
NUMBER = Kind("a finite number, without quotes", lambda value: _is_number(value) and math.isfinite(value))
WHOLE = Kind("a whole number, without quotes", lambda value: _is_number(value) and isinstance(value, int))
TABLE = Kind("a table, {...}", lambda value: isinstance(value, dict))


def one_of(*choices: str) -> Kind:
    """One of some words."""
    return Kind(" or ".join(f'"{choice}"' for choice in choices), lambda value: value in choices)


def list_of(kind: Kind, size: int | None = None) -> Kind:
    """A list of values of one kind, as many as `size` says.

    Example:
        >>> list_of(NUMBER, 2).fits([20.0, 200.0]), list_of(NUMBER, 2).fits(5)
        (True, False)
    """
    words = f"a list [...]{'' if size is None else f' of {size}'}, each {kind.words}"
    return Kind(words, lambda v: isinstance(v, list) and size in {None, len(v)} and all(map(kind.fits, v)))


def check(entry: Any, kinds: Mapping[str, Kind], where: str, *, needed: Collection[str] = ()) -> None:
    """Check the keys of a table and the kinds of their values.

    Args:
        entry: the table.
        kinds: key to what it may be.
        where: the table, for messages.
        needed: keys that it must have.

    Raises:
        InputError: not a table, an unknown or missing key, or a value of another kind.

    Example:
        >>> check({"up": 1.1, "down": "0.9"}, {"up": NUMBER, "down": NUMBER}, "systematic 1")
        Traceback (most recent call last):
        hepcuts._core.errors.InputError: systematic 1: down is '0.9'; expected a finite number, without quotes.
    """
    if not isinstance(entry, dict):
        raise InputError(f"{where}: is {entry!r}; expected a table with the keys {', '.join(sorted(kinds))}.")
    unknown = sorted(set(entry) - set(kinds))
    if unknown:
        raise InputError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(kinds))}.")
    for key in needed:
        if key not in entry:
            raise InputError(f"{where}: {key!r} is missing.")
    for key, value in entry.items():
        if not kinds[key].fits(value):
            raise InputError(f"{where}: {key} is {value!r}; expected {kinds[key].words}.")


def tables(document: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """The tables of one key, each written ``[[key]]``; none if there is no such key.

    Raises:
        InputError: it was written otherwise.
    """
    found = document.get(key, [])
    if not isinstance(found, list):
        raise InputError(f"{where}: {key} is one table or value; write [[{key}]], with two brackets, for each.")
    return found
