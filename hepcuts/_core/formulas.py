"""Quantities of events as formulas of their columns: ``sqrt(2*pt*met*(1 - cos(dphi)))``, ``trig && njet >= 4``.

The same text means the same in Python, in a configuration file and on the command line. It is read as Python's grammar
reads it, but for ``&``, ``|`` and ``!``, which bind as in C++ (and as people write cuts): weaker than comparisons, and
``!`` stronger. Only what stands in the tables below is evaluated; nothing is ever handed to Python itself.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .formula_terms import Term, TermReader
from .jagged import is_jagged


@dataclasses.dataclass(frozen=True)
class Formula:
    """A quantity of each event, computed from columns.

    Operators: ``+ - * / // % **``, comparisons (also chained, ``90 < mass < 160``), ``&`` or ``&&`` or ``and``, ``|``
    or ``||`` or ``or``, ``!`` or ``~`` or ``not``. Functions: those of NumPy and ROOT by their short names (``sqrt``,
    ``abs``, ``log``, ``atan2``, ``min(a, b)``; ``TMath::`` and ``std::`` may stand before them) and
    ``where(condition, a, b)``. Of a jagged branch: ``jet_pt[0]`` (NaN where there is none), ``jet_pt[jet_pt > 30]``,
    ``len``, ``sum``, ``min``, ``max``, ``any``, ``all``. A name with other characters stands between backticks. A
    division is never one of whole numbers; for that there is ``//``.

    Attributes:
        text: as it was given.
        names: columns that it needs, in the order of the text.
        is_name: whether it is nothing but the name of a column.

    Raises:
        InputError: it cannot be read, or has something in it that is not listed above; the message names it.

    Example:
        >>> mt = Formula("sqrt(2*pt*met*(1 - cos(dphi)))")
        >>> mt.names
        ('pt', 'met', 'dphi')
        >>> mt({"pt": np.array([40.0]), "met": np.array([30.0]), "dphi": np.array([np.pi])}).round(2)
        array([69.28])
    """

    text: str
    names: tuple[str, ...] = dataclasses.field(init=False, compare=False)
    is_name: bool = dataclasses.field(init=False, compare=False)
    _term: Term = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        reader = TermReader(self.text)
        object.__setattr__(self, "_term", reader.term)
        object.__setattr__(self, "names", tuple(reader.names))
        object.__setattr__(self, "is_name", reader.is_name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Formula, (self.text,)

    def __call__(self, columns: Mapping[str, Any]) -> NDArray[Any]:
        """The quantity of each event, shape (event,).

        A column that stands for itself keeps its type; all that is computed is computed in 64 bits.

        Args:
            columns: name to values of shape (event,), or to an awkward array of lists.

        Raises:
            InputError: a column is missing or no numbers, a condition is none, or each event has several numbers.
        """
        value = self.lists(columns)
        if is_jagged(value):
            raise InputError(
                f"{self.text!r} has a list of numbers for each event; choose one, as in jet_pt[0], or combine them: "
                "len(...), sum(...), max(...), min(...), any(...), all(...)."
            )
        if np.ndim(value):
            return np.asarray(value)
        return np.full(len(next(iter(columns.values()))), value)

    def lists(self, columns: Mapping[str, Any]) -> Any:
        """As the call, but lists of each event are a result, too (an awkward array), and so is one number for all."""
        with np.errstate(all="ignore"):
            return self._term(columns)


@functools.lru_cache(maxsize=256)
def formula(text: str) -> Formula:
    """The `Formula` of a text, read once."""
    return Formula(text)
