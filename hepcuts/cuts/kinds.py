"""The two usual cuts: one threshold, and a window."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray, FloatLike

from .checks import COMPARE, check_cut, maybe_float, pair, shown, whole
from .edges import CutEdge
from .expressions import Clauses
from .languages import Condition
from .parsing import Compared
from .selection import AbstractCut


@dataclasses.dataclass(frozen=True)
class Cut(AbstractCut):
    """Keep events on one side of a threshold; the threshold itself does not pass.

    Args:
        variable: the column that is cut on.
        direction: ``">"`` keeps larger values, ``"<"`` smaller ones; ``"auto"`` lets `hepcuts.optimize` choose. Of
            whole numbers ``">="`` and ``"<="``, too: ``n >= 4`` is ``n > 3.5`` with `integer`.
        threshold: in the units of the variable, or None if it is to be found.
        bounds: see `AbstractCut`.
        width: see `AbstractCut`.
        missing: see `AbstractCut`.
        integer: whether the variable takes whole numbers only; a threshold between two of them is then printed as
            ``n >= 2``. `hepcuts.optimize` and `hepcuts.scan` find out by themselves.

    Raises:
        InputError: an unknown direction, a number that is not finite, or ``>=`` of a fraction.

    Example:
        >>> cut = Cut("x", ">", 40.0) & Cut("pt", "<", bounds=(20, 200))
        >>> print(cut)
        x > 40 & pt < ?
        >>> print(Cut("n", ">", 1.5, integer=True) & Cut("m", "<=", 3))
        n >= 2 & m <= 3
    """

    direction: Literal[">", "<", "auto"]
    threshold: float | None
    integer: bool = dataclasses.field(default=False, compare=False)

    def __init__(
        self,
        variable: str,
        direction: Literal[">", "<", ">=", "<=", "auto"],
        threshold: FloatLike | None = None,
        *,
        bounds: tuple[FloatLike, FloatLike] | None = None,
        width: FloatLike | None = None,
        missing: Literal["fail", "pass"] = "fail",
        integer: bool = False,
    ) -> None:
        value = maybe_float(threshold, f"Cut on {variable!r}: the threshold")
        if direction in (">=", "<="):
            value = _between(value, direction, variable)
            direction, integer = ">" if direction == ">=" else "<", True
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "threshold", value)
        object.__setattr__(self, "bounds", pair(bounds, variable))
        object.__setattr__(self, "width", maybe_float(width, f"Cut on {variable!r}: width"))
        object.__setattr__(self, "missing", missing)
        object.__setattr__(self, "integer", integer)
        if direction not in (">", "<", "auto"):
            raise InputError(
                f"Cut on {variable!r}: the direction is {direction!r}; expected '>', '<' or 'auto', or, of whole "
                "numbers, '>=' or '<='; what is to be equal to a number is a hepcuts.OneOf."
            )
        check_cut(self)

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """See `AbstractCut.thresholds`."""
        return (self.threshold,)

    @property
    def signs(self) -> tuple[int, ...]:
        """See `AbstractCut.signs`."""
        if self.direction == "auto":
            raise InputError(
                f"The direction of the cut on {self.variable!r} is still to be found; hepcuts.optimize finds it, "
                "everything else wants '>' or '<'."
            )
        return (1,) if self.direction == ">" else (-1,)

    @classmethod
    def of_comparison(cls, comparison: Compared) -> "Cut | None":
        """See `AbstractCut.of_comparison`."""
        if len(comparison.sides) != 1 or comparison.sides[0][0] in {"==", "!="}:
            return None
        (operator, threshold), *_ = comparison.sides
        return cls(comparison.variable, operator, threshold)  # type: ignore[arg-type]  # one of them

    def edges(self) -> tuple[CutEdge, ...]:
        """See `AbstractCut.edges`."""
        return (CutEdge(self.signs[0]),)

    def at(self, thresholds: Sequence[float]) -> "Cut":
        """See `AbstractCut.at`."""
        return dataclasses.replace(self, threshold=float(thresholds[0]))

    def value(self, thresholds: Sequence[float]) -> float:
        """See `AbstractCut.value`."""
        return float(thresholds[0])

    def compare(self, thresholds: Sequence[float], *values: FloatArray) -> NDArray[np.bool_]:
        """See `AbstractCut.compare`."""
        return np.asarray(COMPARE[self.signs[0]](values[0], thresholds[0]))

    def clauses(self) -> Clauses:
        """See `AbstractCut.clauses`."""
        return (_comparisons(self, integer=self.integer),)

    def __str__(self) -> str:
        if self.integer and self.direction != "auto":
            return f"{self.variable} {self.direction}= {_whole(self.threshold, self.signs[0])}"
        direction = "?" if self.direction == "auto" else self.direction
        return f"{self.variable} {direction} {shown(self.threshold)}"


@dataclasses.dataclass(frozen=True)
class Window(AbstractCut):
    """Keep events between two thresholds; the thresholds themselves do not pass.

    Args:
        variable: the column that is cut on.
        low: lower threshold, or None if it is to be found.
        high: upper threshold, or None if it is to be found.
        bounds: see `AbstractCut`.
        width: see `AbstractCut`.
        missing: see `AbstractCut`.
        integer: whether the variable takes whole numbers only; a threshold between two of them is then printed as
            ``n >= 2``. `hepcuts.optimize` and `hepcuts.scan` find out by themselves.

    Raises:
        InputError: low is not below high, or a number is not finite.

    Example:
        >>> print(Window("mass", 105, 140))
        105 < mass < 140
    """

    low: float | None
    high: float | None
    integer: bool = dataclasses.field(default=False, compare=False)

    def __init__(
        self,
        variable: str,
        low: FloatLike | None = None,
        high: FloatLike | None = None,
        *,
        bounds: tuple[FloatLike, FloatLike] | None = None,
        width: FloatLike | None = None,
        missing: Literal["fail", "pass"] = "fail",
        integer: bool = False,
    ) -> None:
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "low", maybe_float(low, f"Window on {variable!r}: low"))
        object.__setattr__(self, "high", maybe_float(high, f"Window on {variable!r}: high"))
        object.__setattr__(self, "bounds", pair(bounds, variable))
        object.__setattr__(self, "width", maybe_float(width, f"Cut on {variable!r}: width"))
        object.__setattr__(self, "missing", missing)
        object.__setattr__(self, "integer", integer)
        check_cut(self)
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise InputError(f"Window on {variable!r}: low {self.low} is not below high {self.high}.")

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """See `AbstractCut.thresholds`."""
        return (self.low, self.high)

    @property
    def signs(self) -> tuple[int, ...]:
        """See `AbstractCut.signs`."""
        return (1, -1)

    @classmethod
    def of_comparison(cls, comparison: Compared) -> "Window | None":
        """See `AbstractCut.of_comparison`."""
        if len(comparison.sides) != 2 or comparison.sides[0][0] in {"==", "!="}:
            return None
        integer = any(operator.endswith("=") for operator, _ in comparison.sides)
        low, high = (
            _between(threshold, operator if operator.endswith("=") else f"{operator}!", comparison.variable)
            if integer
            else threshold
            for operator, threshold in comparison.sides
        )
        return cls(comparison.variable, low, high, integer=integer)

    def edges(self) -> tuple[CutEdge, ...]:
        """See `AbstractCut.edges`."""
        return CutEdge(1), CutEdge(-1)

    def at(self, thresholds: Sequence[float]) -> "Window":
        """See `AbstractCut.at`."""
        return dataclasses.replace(self, low=float(thresholds[0]), high=float(thresholds[1]))

    def value(self, thresholds: Sequence[float]) -> tuple[float, float]:
        """See `AbstractCut.value`."""
        return float(thresholds[0]), float(thresholds[1])

    def compare(self, thresholds: Sequence[float], *values: FloatArray) -> NDArray[np.bool_]:
        """See `AbstractCut.compare`."""
        return np.asarray((values[0] > thresholds[0]) & (values[0] < thresholds[1]))

    def clauses(self) -> Clauses:
        """See `AbstractCut.clauses`."""
        return (_comparisons(self, integer=self.integer),)

    def __str__(self) -> str:
        known = self.low is not None and self.high is not None
        if self.integer and not (known and whole(self.low, 1) > whole(self.high, -1)):  # type: ignore[arg-type]  # known
            return f"{_whole(self.low, 1)} <= {self.variable} <= {_whole(self.high, -1)}"
        return f"{shown(self.low)} < {self.variable} < {shown(self.high)}"


def _whole(threshold: float | None, sign: int) -> str:
    """The outermost whole number that passes, as it is printed."""
    return shown(threshold if threshold is None else whole(threshold, sign))


def _between(value: float | None, operator: str, variable: str) -> float | None:
    """The threshold between two whole numbers that ``>=`` or ``<=`` means; ``>!`` and ``<!`` leave the number out."""
    if value is None:
        return None
    if value != int(value):
        raise InputError(
            f"Cut on {variable!r}: {operator} {value:g} is no comparison of whole numbers; for fractions write "
            f"{operator[0]!r}: no event stands exactly on a threshold between values."
        )
    return value - 0.5 if operator in {">=", "<!"} else value + 0.5


def _comparisons(cut: AbstractCut, *, integer: bool) -> tuple[Condition, ...]:
    """One for each threshold."""
    sides = [(sign, t) for sign, t in zip(cut.signs, cut.thresholds, strict=True) if t is not None]
    if integer:
        return tuple(Condition(cut.variable, ">=" if sign > 0 else "<=", whole(t, sign)) for sign, t in sides)
    return tuple(Condition(cut.variable, ">" if sign > 0 else "<", t) for sign, t in sides)
