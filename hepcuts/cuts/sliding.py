"""A cut whose threshold depends on another variable."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray, FloatLike

from .checks import COMPARE, check_cut, maybe_float, pair, shown
from .edges import CutEdge
from .expressions import Clauses
from .languages import Condition, Segment
from .selection import AbstractCut


@dataclasses.dataclass(frozen=True)
class SlidingCut(AbstractCut):
    """Keep events on one side of a threshold that depends on another variable.

    The threshold is given at some values of the other variable (the knots), linear in between, constant beyond.

    Args:
        variable: the column that is cut on.
        direction: ``">"`` keeps larger values, ``"<"`` smaller ones.
        along: the column that the threshold depends on.
        knots: at least two values of `along`, increasing.
        thresholds: one threshold for each knot, None where one is to be found; or None if all are.
        bounds: see `AbstractCut`.
        width: see `AbstractCut`.
        missing: see `AbstractCut`; an event without a value of `along` counts as missing, too.

    Raises:
        InputError: fewer than two knots, knots that do not increase, or another number of thresholds.

    Example:
        >>> cut = SlidingCut("iso", "<", along="pt", knots=(20, 100), thresholds=(0.1, 0.3))
        >>> cut.passes({"iso": np.array([0.15, 0.15]), "pt": np.array([20.0, 60.0])})
        array([False,  True])
    """

    direction: Literal[">", "<"]
    along: str
    knots: tuple[float, ...]
    thresholds: tuple[float | None, ...] = ()  # a field, in the place of the abstract property

    def __init__(
        self,
        variable: str,
        direction: Literal[">", "<"],
        *,
        along: str,
        knots: Iterable[FloatLike],
        thresholds: Iterable[FloatLike | None] | None = None,
        bounds: tuple[FloatLike, FloatLike] | None = None,
        width: FloatLike | None = None,
        missing: Literal["fail", "pass"] = "fail",
    ) -> None:
        where = f"Cut on {variable!r} along {along!r}"
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "along", along)
        object.__setattr__(self, "knots", _increasing(_several(knots, f"{where}: a knot"), where))
        given = [None for _ in self.knots] if thresholds is None else thresholds
        object.__setattr__(self, "thresholds", _several(given, f"{where}: a threshold"))
        object.__setattr__(self, "bounds", pair(bounds, variable))
        object.__setattr__(self, "width", maybe_float(width, f"{where}: width"))
        object.__setattr__(self, "missing", missing)
        if direction not in (">", "<"):
            raise InputError(f"{where}: the direction is {direction!r}; expected '>' or '<'.")
        if not isinstance(along, str) or not along or along == variable:  # type: ignore[redundant-expr]
            raise InputError(f"{where}: expected the name of another column for the threshold to depend on.")
        if len(self.thresholds) != len(self.knots):
            raise InputError(f"{where}: {len(self.thresholds)} thresholds came for {len(self.knots)} knots.")
        check_cut(self)

    @property
    def signs(self) -> tuple[int, ...]:
        """See `AbstractCut.signs`."""
        return (1 if self.direction == ">" else -1,) * len(self.knots)

    @property
    def columns(self) -> tuple[str, ...]:
        """See `AbstractCut.columns`."""
        return (self.variable, self.along)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """See `AbstractCut.suffixes`."""
        return tuple(f":{self.along}={shown(knot)}" for knot in self.knots)

    def edges(self) -> tuple[CutEdge, ...]:
        """See `AbstractCut.edges`: one, whose threshold is interpolated between the knots."""
        return (CutEdge(self.signs[0], self.along, self.knots),)

    def at(self, thresholds: Sequence[float]) -> "SlidingCut":
        """See `AbstractCut.at`."""
        return dataclasses.replace(self, thresholds=tuple(thresholds))

    def value(self, thresholds: Sequence[float]) -> tuple[float, ...]:
        """See `AbstractCut.value`."""
        return tuple(float(threshold) for threshold in thresholds)

    def compare(self, thresholds: Sequence[float], *values: FloatArray) -> NDArray[np.bool_]:
        """See `AbstractCut.compare`."""
        variable, along = values
        threshold = np.interp(along, self.knots, thresholds)
        return np.asarray(COMPARE[self.signs[0]](variable, threshold))

    def clauses(self) -> Clauses:
        """See `AbstractCut.clauses`: one alternative below the knots, one between any two, one above them."""
        knots, thresholds = self.knots, [float(threshold) for threshold in self.thresholds if threshold is not None]

        def kept(threshold: float | Segment) -> Condition:
            return Condition(self.variable, self.direction, threshold)

        between = tuple(
            (
                Condition(self.along, ">=", left),
                Condition(self.along, "<", right),
                kept(Segment(self.along, (left, right), (first, second))),
            )
            for (left, right), (first, second) in zip(
                itertools.pairwise(knots), itertools.pairwise(thresholds), strict=True
            )
        )
        below = Condition(self.along, "<", knots[0]), kept(thresholds[0])
        return below, *between, (Condition(self.along, ">=", knots[-1]), kept(thresholds[-1]))

    def __str__(self) -> str:
        thresholds, knots = (", ".join(map(shown, numbers)) for numbers in (self.thresholds, self.knots))
        return f"{self.variable} {self.direction} ({thresholds}) at {self.along} = ({knots})"


def _several(numbers: Iterable[FloatLike | None], what: str) -> tuple[float | None, ...]:
    try:
        return tuple(maybe_float(number, what) for number in numbers)
    except TypeError as error:
        raise InputError(f"{what} is one of {numbers!r}; expected several numbers.") from error


def _increasing(knots: tuple[float | None, ...], where: str) -> tuple[float, ...]:
    numbers = tuple(knot for knot in knots if knot is not None and np.isfinite(knot))
    if len(numbers) < max(2, len(knots)) or not np.all(np.diff(numbers) > 0):
        raise InputError(f"{where}: the knots are {knots}; expected at least two numbers, increasing.")
    return numbers
