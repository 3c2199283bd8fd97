"""What all cuts have in common, the inversion of any of them, and selections of several that an event has to pass.

One module, since each is made of the other: ``cut & cut`` is a selection, a selection consists of cuts.
"""

import abc
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import Numbers
from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, ColumnsLike, FloatArray

from .edges import CutEdge, SoftCutReading
from .expressions import PrintedCut, PrintedSelection
from .parsing import Compared, comparisons
from .soft_reading import SoftReading


@dataclasses.dataclass(frozen=True)
class AbstractCut(SoftCutReading, PrintedCut, abc.ABC):
    """A requirement on one variable.

    Attributes:
        variable: the column that is cut on.
        bounds: range in which an optimizer or a scan may move the thresholds, or None for the range of the events.
        width: width of the soft cut in the units of the variable, or None to derive it from the events' spread.
        missing: what happens to an event whose value is missing: ``"fail"`` (default) or ``"pass"``.
    """

    variable: str
    bounds: tuple[float, float] | None
    width: float | None
    missing: Literal["fail", "pass"]

    @property
    @abc.abstractmethod
    def thresholds(self) -> tuple[float | None, ...]:
        """The thresholds, None where one is still to be found."""

    @abc.abstractmethod
    def at(self, thresholds: Sequence[float]) -> "AbstractCut":
        """The same cut at other thresholds."""

    @property
    @abc.abstractmethod
    def signs(self) -> tuple[int, ...]:
        """For each threshold +1 if values above it pass, -1 if values below it pass."""

    @abc.abstractmethod
    def value(self, thresholds: Sequence[float]) -> Any:
        """Thresholds as a user reads them: a number, a pair for a window, one for each knot of a sliding cut."""

    @abc.abstractmethod
    def compare(self, thresholds: Sequence[float], *values: FloatArray) -> NDArray[np.bool_]:
        """Which values pass, none of them being missing.

        Args:
            thresholds: all of them.
            values: for each of `columns`, shape (event,).
        """

    @classmethod
    def of_comparison(cls, comparison: Compared) -> "AbstractCut | None":  # noqa: ARG003 (of kinds that are written)
        """The cut of this kind that a text means, see `Selection.parse`; None if it means another kind."""
        return None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, the variable first."""
        return (self.variable,)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """For each threshold what tells it from the others of this cut."""
        return {1: ("",), 2: (":low", ":high")}[len(self.thresholds)]

    @property
    def plain(self) -> "AbstractCut":
        """The cut itself, or the one that it inverts."""
        return self

    @property
    def inverted(self) -> bool:
        """Whether it keeps what fails `plain`."""
        return self.plain is not self

    def passes(self, columns: Columns, *, missing: float | None = None) -> NDArray[np.bool_]:
        """Hard reading of events by their columns: which pass, shape (event,).

        Args:
            columns: variable to values, each of shape (event,).
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a threshold is not set.
        """
        thresholds = [threshold for threshold in self.thresholds if threshold is not None]
        if len(thresholds) < len(self.thresholds):
            raise InputError(
                f"The threshold of {self} is not set, and a hard selection needs one; give it, as in "
                f"hepcuts.Cut({self.variable!r}, '>', 40.0), or find it with hepcuts.scan or hepcuts.optimize."
            )
        values, absent = self.read(columns, missing)
        return np.where(absent, self.missing == "pass", self.compare(thresholds, *values))

    def mask(self, values: Numbers, *, missing: float | None = None) -> NDArray[np.bool_]:
        """Hard reading of a cut on one column: which events pass.

        Args:
            values: the variable, shape (event,).
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a threshold is not set, or depends on another column.
        """
        if len(self.columns) > 1:
            raise InputError(
                f"{self}: the threshold depends on {self.columns[1]!r}; use passes({{{self.columns[0]!r}: ..., "
                f"{self.columns[1]!r}: ...}}), or a hepcuts.Selection's mask of all columns."
            )
        return self.passes({self.variable: np.asarray(values, dtype=np.float64)}, missing=missing)

    def __and__(self, other: "AbstractCut | Selection") -> "Selection":
        return Selection([self]) & other

    def __invert__(self) -> "AbstractCut":
        return Not(self)


@dataclasses.dataclass(frozen=True)
class Not(AbstractCut):
    """Keep events that fail a cut; made with ``~cut``, as for a control region.

    Every event passes either the cut or its inversion: one that stands on the threshold passes here, and one whose
    value is missing passes here if it fails the cut, so that `missing` is the opposite of the cut's.

    Args:
        cut: the cut to fail.

    Raises:
        InputError: not a cut, or one that is an inversion itself.

    Example:
        >>> import hepcuts as hc
        >>> print(~hc.Cut("mt", ">", 100))
        not (mt > 100)
        >>> (~hc.Window("mass", 105, 140)).mask([90.0, 120.0, 150.0])
        array([ True, False,  True])
    """

    variable: str = dataclasses.field(init=False)
    bounds: tuple[float, float] | None = dataclasses.field(init=False)
    width: float | None = dataclasses.field(init=False)
    missing: Literal["fail", "pass"] = dataclasses.field(init=False)
    cut: AbstractCut

    def __post_init__(self) -> None:
        if not isinstance(self.cut, AbstractCut):
            raise InputError(f"Only a cut can be inverted, got {type(self.cut).__name__}; invert the cuts one by one.")
        if self.cut.inverted:
            raise InputError(f"The cut {self.cut} is inverted already; take its cut, or write ~cut, which does.")
        for field in ("variable", "bounds", "width"):
            object.__setattr__(self, field, getattr(self.cut, field))
        object.__setattr__(self, "missing", "fail" if self.cut.missing == "pass" else "pass")

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """See `AbstractCut.thresholds`."""
        return self.cut.thresholds

    @property
    def signs(self) -> tuple[int, ...]:
        """See `AbstractCut.signs`: the opposite of the cut's."""
        return tuple(-sign for sign in self.cut.signs)

    @property
    def columns(self) -> tuple[str, ...]:
        """See `AbstractCut.columns`."""
        return self.cut.columns

    @property
    def suffixes(self) -> tuple[str, ...]:
        """See `AbstractCut.suffixes`."""
        return self.cut.suffixes

    def edges(self) -> tuple[CutEdge, ...] | None:
        """See `AbstractCut.edges`: those of the cut that it inverts."""
        return self.cut.edges()

    def quantity(self, *values: FloatArray) -> FloatArray:
        """See `AbstractCut.quantity`."""
        return self.cut.quantity(*values)

    @property
    def plain(self) -> AbstractCut:
        """See `AbstractCut.plain`."""
        return self.cut

    def at(self, thresholds: Sequence[float]) -> "Not":
        """See `AbstractCut.at`."""
        return Not(self.cut.at(thresholds))

    def value(self, thresholds: Sequence[float]) -> Any:
        """See `AbstractCut.value`."""
        return self.cut.value(thresholds)

    def compare(self, thresholds: Sequence[float], *values: FloatArray) -> NDArray[np.bool_]:
        """See `AbstractCut.compare`."""
        return ~self.cut.compare(thresholds, *values)

    def __invert__(self) -> AbstractCut:
        return self.cut

    def __str__(self) -> str:
        return f"not ({self.cut})"


@dataclasses.dataclass(frozen=True)
class Selection(SoftReading, PrintedSelection):
    """Several cuts that an event has to pass all; combine with ``&``.

    The thresholds of all cuts, one after the other (a window has two), form the vector that scans and optimizers
    move; its axis is called ``threshold``.

    Args:
        cuts: `Cut`, `Window`, `SlidingCut` and `OneOf` objects and their inversions, at most one for each variable.

    Raises:
        InputError: no cuts, or two on one variable.

    Example:
        >>> import hepcuts as hc
        >>> selection = Selection([hc.Cut("x", ">", 1.0), hc.Window("mass", 105, 140)])
        >>> selection.names
        ('x', 'mass:low', 'mass:high')
        >>> selection.mask({"x": np.array([0.0, 2.0, 2.0]), "mass": np.array([120.0, 120.0, 90.0])})
        array([False,  True, False])
    """

    cuts: tuple[AbstractCut, ...]

    def __init__(self, cuts: "Iterable[AbstractCut] | AbstractCut") -> None:
        object.__setattr__(self, "cuts", (cuts,) if isinstance(cuts, AbstractCut) else tuple(cuts))
        if not self.cuts:
            raise InputError("A selection has no cuts; expected at least one Cut or Window.")
        for cut in self.cuts:
            if not isinstance(cut, AbstractCut):
                raise InputError(f"A selection is made of Cut and Window objects, got {type(cut).__name__}.")
        if repeated := sorted({v for v in self.variables if self.variables.count(v) > 1}):
            raise InputError(
                f"More than one cut on {', '.join(repeated)}; use hepcuts.Window(variable, low, high) for two sides, "
                "and only the tighter of two cuts on one side."
            )

    @classmethod
    def parse(cls, text: str) -> "Selection":
        """Read a selection from text, ``?`` being thresholds to be found; ``str`` of a selection reads back to itself.

        A variable may be a formula. Both operators of a window, ``>=`` and ``<=`` of whole numbers, ``==``, ``!=`` and
        sets (``njet in {2, 3}``), ``&``, ``&&`` and ``and`` are read, and ``not (...)`` around a cut.

        Raises:
            InputError: a part is no cut; the message quotes it.

        Example:
            >>> import hepcuts as hc
            >>> print(hc.Selection.parse("pt > 30 && 90 < mass < 160 && njet >= 4 && abs(eta) < ?"))
            pt > 30 & 90 < mass < 160 & njet >= 4 & abs(eta) < ?
        """
        cuts = []
        for one in comparisons(text):
            found = next((cut for kind in all_kinds() if (cut := kind.of_comparison(one)) is not None), None)
            if found is None:
                raise InputError(f"{text!r}: no kind of cut is written like what is said of {one.variable}.")
            cuts.append(~found if one.inverted else found)
        return cls(cuts)

    def __and__(self, other: "AbstractCut | Selection") -> "Selection":
        if isinstance(other, AbstractCut):
            return Selection((*self.cuts, other))
        if isinstance(other, Selection):
            return Selection((*self.cuts, *other.cuts))
        return NotImplemented

    def __str__(self) -> str:
        return " & ".join(str(cut) for cut in self.cuts)

    def _numbers(self, thresholds: Sequence[float] | FloatArray) -> Iterator[float]:
        if len(thresholds) != len(self.names):
            raise InputError(
                f"{len(thresholds)} thresholds came for {self}; expected {len(self.names)}: {', '.join(self.names)}."
            )
        return iter([float(threshold) for threshold in thresholds])

    def at(self, thresholds: Sequence[float] | FloatArray) -> "Selection":
        """The same cuts at other thresholds, shape (threshold,).

        Raises:
            InputError: more or fewer thresholds than the selection has.
        """
        left = self._numbers(thresholds)
        return Selection([cut.at([next(left) for _ in cut.thresholds]) for cut in self.cuts])

    def to_dict(self, thresholds: Sequence[float] | FloatArray) -> dict[str, float | tuple[float, ...]]:
        """Thresholds of shape (threshold,) by variable: a number, a pair for a window, several for a sliding cut."""
        numbers = self._numbers(thresholds)
        cuts = [cut for cut in self.cuts if cut.thresholds]
        return {cut.variable: cut.value([next(numbers) for _ in cut.thresholds]) for cut in cuts}

    def mask(self, columns: ColumnsLike, *, missing: float | None = None) -> NDArray[np.bool_]:
        """Hard reading: which events pass all cuts, shape (event,).

        Args:
            columns: variable to values, each of shape (event,); a mapping, a data frame or `Sample.columns`.
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a threshold is not set, or a variable has no column.
        """
        passed: Any = True
        for cut in self.cuts:
            for column in (column for column in cut.columns if column not in columns):
                raise InputError(f"{cut}: there is no column {column!r}; there are {', '.join(columns)}.")
            passed = passed & cut.passes(columns, missing=missing)
        return np.asarray(passed)


def all_kinds(base: Any = AbstractCut) -> Iterator[type[AbstractCut]]:
    """All kinds of cuts, those of others included."""
    for kind in base.__subclasses__():
        yield kind
        yield from all_kinds(kind)
