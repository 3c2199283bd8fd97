"""Cuts and selections: what an event has to pass, as a hard mask or as a soft pass weight.

A selection has two readings. *Hard*: a boolean mask, ``x > threshold``, the numbers one quotes. *Soft*: a pass weight
between 0 and 1, differentiable in the thresholds, the way to find them. Both are made from the same thing, the signed
distance of a value to its threshold, so that a new kind of cut is a new class with its own `AbstractCut.distances`.
"""

import abc
import dataclasses
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from ._columns import Numbers, is_missing
from ._types import Columns, ColumnsLike, FloatArray, FloatLike
from .errors import InputError
from .relaxations import AbstractStep

Thresholds = float | tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class AbstractCut(abc.ABC):
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
    def value(self, thresholds: Sequence[float]) -> float | tuple[float, float]:
        """Thresholds as a user reads them: a number, or a pair for a window."""

    def mask(self, values: Numbers, *, missing: float | None = None) -> NDArray[np.bool_]:
        """Hard reading: which events pass.

        Args:
            values: the variable, shape (event,).
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a threshold is not set.
        """
        numbers = np.asarray(values, dtype=np.float64)
        passed = np.ones(numbers.shape, dtype=bool)
        compare = {1: operator.gt, -1: operator.lt}
        for sign, threshold in zip(self.signs, self.thresholds, strict=True):
            if threshold is None:
                raise InputError(
                    f"The threshold of {self} is not set, and a hard selection needs one; give it, as in "
                    f"hepcuts.Cut({self.variable!r}, '>', 40.0), or find it with hepcuts.scan or hepcuts.optimize."
                )
            passed &= compare[sign](numbers, threshold)
        return np.where(is_missing(numbers, missing), self.missing == "pass", passed)

    def _check(self) -> None:
        if not isinstance(self.variable, str) or not self.variable:  # type: ignore[redundant-expr]
            raise InputError(f"A cut's variable is {self.variable!r}; expected the name of a column.")
        if self.missing not in ("fail", "pass"):
            raise InputError(f"Cut on {self.variable!r}: missing is {self.missing!r}; expected 'fail' or 'pass'.")
        if self.width is not None and not 0 <= self.width < np.inf:
            raise InputError(f"Cut on {self.variable!r}: width is {self.width}; expected a finite number, 0 or more.")
        if self.bounds is not None:
            low, high = self.bounds
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise InputError(
                    f"Cut on {self.variable!r}: bounds are {self.bounds}; expected (low, high), low < high."
                )
        for threshold in self.thresholds:
            if threshold is not None and not np.isfinite(threshold):
                raise InputError(f"Cut on {self.variable!r}: the threshold is {threshold}; expected a finite number.")

    def __and__(self, other: "AbstractCut | Selection") -> "Selection":
        return Selection([self]) & other


def _maybe_float(value: FloatLike | None, what: str) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} is {value!r}; expected a number, or None.") from error


def _pair(bounds: tuple[FloatLike, FloatLike] | None, variable: str) -> tuple[float, float] | None:
    if bounds is None:
        return None
    try:
        low, high = bounds
        return float(low), float(high)
    except (TypeError, ValueError) as error:
        raise InputError(f"Cut on {variable!r}: bounds are {bounds!r}; expected two numbers, (low, high).") from error


@dataclasses.dataclass(frozen=True)
class Cut(AbstractCut):
    """Keep events on one side of a threshold; the threshold itself does not pass.

    Args:
        variable: the column that is cut on.
        direction: ``">"`` keeps larger values, ``"<"`` smaller ones.
        threshold: in the units of the variable, or None if it is to be found.
        bounds: see `AbstractCut`.
        width: see `AbstractCut`.
        missing: see `AbstractCut`.

    Raises:
        InputError: an unknown direction, or a number that is not finite.

    Example:
        >>> cut = Cut("x", ">", 40.0) & Cut("pt", "<", bounds=(20, 200))
        >>> print(cut)
        x > 40 & pt < ?
    """

    direction: Literal[">", "<"]
    threshold: float | None

    def __init__(
        self,
        variable: str,
        direction: Literal[">", "<"],
        threshold: FloatLike | None = None,
        *,
        bounds: tuple[FloatLike, FloatLike] | None = None,
        width: FloatLike | None = None,
        missing: Literal["fail", "pass"] = "fail",
    ) -> None:
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "threshold", _maybe_float(threshold, f"Cut on {variable!r}: the threshold"))
        object.__setattr__(self, "bounds", _pair(bounds, variable))
        object.__setattr__(self, "width", _maybe_float(width, f"Cut on {variable!r}: width"))
        object.__setattr__(self, "missing", missing)
        if direction not in (">", "<"):
            raise InputError(f"Cut on {variable!r}: the direction is {direction!r}; expected '>' or '<'.")
        self._check()

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """See `AbstractCut.thresholds`."""
        return (self.threshold,)

    @property
    def signs(self) -> tuple[int, ...]:
        """See `AbstractCut.signs`."""
        return (1,) if self.direction == ">" else (-1,)

    def at(self, thresholds: Sequence[float]) -> "Cut":
        """See `AbstractCut.at`."""
        return dataclasses.replace(self, threshold=float(thresholds[0]))

    def value(self, thresholds: Sequence[float]) -> float:
        """See `AbstractCut.value`."""
        return float(thresholds[0])

    def __str__(self) -> str:
        return f"{self.variable} {self.direction} {_shown(self.threshold)}"


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

    Raises:
        InputError: low is not below high, or a number is not finite.

    Example:
        >>> print(Window("mass", 105, 140))
        105 < mass < 140
    """

    low: float | None
    high: float | None

    def __init__(
        self,
        variable: str,
        low: FloatLike | None = None,
        high: FloatLike | None = None,
        *,
        bounds: tuple[FloatLike, FloatLike] | None = None,
        width: FloatLike | None = None,
        missing: Literal["fail", "pass"] = "fail",
    ) -> None:
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "low", _maybe_float(low, f"Window on {variable!r}: low"))
        object.__setattr__(self, "high", _maybe_float(high, f"Window on {variable!r}: high"))
        object.__setattr__(self, "bounds", _pair(bounds, variable))
        object.__setattr__(self, "width", _maybe_float(width, f"Cut on {variable!r}: width"))
        object.__setattr__(self, "missing", missing)
        self._check()
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

    def at(self, thresholds: Sequence[float]) -> "Window":
        """See `AbstractCut.at`."""
        return dataclasses.replace(self, low=float(thresholds[0]), high=float(thresholds[1]))

    def value(self, thresholds: Sequence[float]) -> tuple[float, float]:
        """See `AbstractCut.value`."""
        return float(thresholds[0]), float(thresholds[1])

    def __str__(self) -> str:
        return f"{_shown(self.low)} < {self.variable} < {_shown(self.high)}"


def _shown(threshold: float | None) -> str:
    return "?" if threshold is None else f"{threshold:.6g}"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Several cuts that an event has to pass all; combine with ``&``.

    The thresholds of all cuts, one after the other (a window has two), form the vector that scans and optimizers
    move; its axis is called ``threshold``.

    Args:
        cuts: `Cut` and `Window` objects, at most one for each variable.

    Raises:
        InputError: no cuts, or two on one variable.

    Example:
        >>> selection = Selection([Cut("x", ">", 1.0), Window("mass", 105, 140)])
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
        repeated = sorted({v for v in self.variables if self.variables.count(v) > 1})
        if repeated:
            raise InputError(
                f"More than one cut on {', '.join(repeated)}; use hepcuts.Window(variable, low, high) for two sides, "
                "and only the tighter of two cuts on one side."
            )

    def __and__(self, other: "AbstractCut | Selection") -> "Selection":
        if isinstance(other, AbstractCut):
            return Selection((*self.cuts, other))
        if isinstance(other, Selection):
            return Selection((*self.cuts, *other.cuts))
        return NotImplemented

    def __str__(self) -> str:
        return " & ".join(str(cut) for cut in self.cuts)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables, one for each cut."""
        return tuple(cut.variable for cut in self.cuts)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each threshold: the variable, with ``:low`` and ``:high`` for a window."""
        suffixes = {1: ("",), 2: (":low", ":high")}
        return tuple(cut.variable + suffix for cut in self.cuts for suffix in suffixes[len(cut.thresholds)])

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """All thresholds, shape (threshold,); None where one is still to be found."""
        return tuple(threshold for cut in self.cuts for threshold in cut.thresholds)

    @property
    def signs(self) -> tuple[int, ...]:
        """For each threshold +1 if values above it pass, -1 if values below it pass, shape (threshold,)."""
        return tuple(sign for cut in self.cuts for sign in cut.signs)

    @property
    def cut_of_threshold(self) -> tuple[int, ...]:
        """For each threshold the position of its cut, shape (threshold,)."""
        return tuple(position for position, cut in enumerate(self.cuts) for _ in cut.thresholds)

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
        numbers = self._numbers(thresholds)
        return Selection([cut.at([next(numbers) for _ in cut.thresholds]) for cut in self.cuts])

    def to_dict(self, thresholds: Sequence[float] | FloatArray) -> dict[str, float | tuple[float, float]]:
        """Thresholds of shape (threshold,) by variable: a number, or a pair for a window."""
        numbers = self._numbers(thresholds)
        return {cut.variable: cut.value([next(numbers) for _ in cut.thresholds]) for cut in self.cuts}

    def mask(self, columns: ColumnsLike, *, missing: float | None = None) -> NDArray[np.bool_]:
        """Hard reading: which events pass all cuts, shape (event,).

        Args:
            columns: variable to values, each of shape (event,); a mapping, a data frame or `Sample.columns`.
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a threshold is not set, or a variable has no column.
        """
        passed: NDArray[np.bool_] | bool = True
        for cut in self.cuts:
            if cut.variable not in columns:
                raise InputError(f"{cut}: there is no column {cut.variable!r}; there are {', '.join(columns)}.")
            passed = passed & cut.mask(columns[cut.variable], missing=missing)
        return np.asarray(passed)

    def events(self, columns: Columns, *, missing: float | None = None) -> tuple[FloatArray, NDArray[np.int8]]:
        """What the soft reading needs of the events.

        Returns:
            The variables, shape (cut, event), with missing values replaced by zero; and a code of the same shape:
            0 where the value decides, +1 where it is missing and passes, -1 where it is missing and fails.
        """
        values = np.stack([np.asarray(columns[variable], dtype=np.float64) for variable in self.variables])
        absent = np.stack([is_missing(row, missing) for row in values])
        code = np.array([[1 if cut.missing == "pass" else -1] for cut in self.cuts], dtype=np.int8)
        return np.where(absent, 0.0, values), np.where(absent, code, np.int8(0)).astype(np.int8)

    def log_pass_weights(self, values: Any, missing: Any, thresholds: Any, widths: Any, step: AbstractStep) -> Array:
        """Logarithms of the soft pass weights; see `pass_weights`."""
        return sum(
            (
                jnp.where(code == 0, step.log_pass_weight(distance, width), jnp.where(code > 0, 0.0, -700.0))
                for distance, width, code in self._distances(values, missing, thresholds, widths)
            ),
            start=jnp.zeros(values.shape[-1]),
        )

    def pass_weights(self, values: Any, missing: Any, thresholds: Any, widths: Any, step: AbstractStep) -> Array:
        """Soft reading: pass weights in [0, 1], the product over all thresholds; differentiable. Pure JAX.

        Args:
            values: from `events`, shape (cut, event).
            missing: from `events`, shape (cut, event).
            thresholds: shape (threshold,).
            widths: shape (threshold,).
            step: the step function.

        Returns:
            Shape (event,).
        """
        weights = jnp.ones(values.shape[-1])
        for distance, width, code in self._distances(values, missing, thresholds, widths):
            weights *= jnp.where(code == 0, step.pass_weight(distance, width), jnp.where(code > 0, 1.0, 0.0))
        return weights

    def _distances(self, values: Any, missing: Any, thresholds: Any, widths: Any) -> Iterable[tuple[Any, Any, Any]]:
        """For each threshold: signed distances, shape (event,), its width, and the code of missing values."""
        for number, (position, sign) in enumerate(zip(self.cut_of_threshold, self.signs, strict=True)):
            yield sign * (values[position] - thresholds[number]), widths[number], missing[position]
