"""Several cuts that an event has to pass all."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, ColumnsLike, FloatArray

from .abstract import AbstractCut
from .edges import edges_of
from .steps import AbstractStep


@dataclasses.dataclass(frozen=True)
class Selection:
    """Several cuts that an event has to pass all; combine with ``&``.

    The thresholds of all cuts, one after the other (a window has two), form the vector that scans and optimizers
    move; its axis is called ``threshold``.

    Args:
        cuts: `Cut`, `Window` and `SlidingCut` objects and their inversions, at most one for each variable.

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
        """A name for each threshold: the variable, with ``:low`` and ``:high`` for a window, ``:pt=20`` for a knot."""
        return tuple(cut.variable + suffix for cut in self.cuts for suffix in cut.suffixes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the cuts read, each once."""
        return tuple(dict.fromkeys(column for cut in self.cuts for column in cut.columns))

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

    def to_dict(self, thresholds: Sequence[float] | FloatArray) -> dict[str, float | tuple[float, ...]]:
        """Thresholds of shape (threshold,) by variable: a number, a pair for a window, several for a sliding cut."""
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
            for column in cut.columns:
                if column not in columns:
                    raise InputError(f"{cut}: there is no column {column!r}; there are {', '.join(columns)}.")
            passed = passed & cut.passes(columns, missing=missing)
        return np.asarray(passed)

    def events(self, columns: Columns, *, missing: float | None = None) -> tuple[FloatArray, NDArray[np.int8]]:
        """What the soft reading needs of the events.

        Returns:
            The cuts' quantities, shape (cut, event), with missing values replaced by zero; and a code of the same
            shape: 0 where the value decides, +1 where it is missing and passes, -1 where it is missing and fails.

        Raises:
            InputError: a cut that is no product of steps along one quantity: inverted, sliding, or without edges.
        """
        others = [str(cut) for cut in self.cuts if cut.inverted or any(edge.along for edge in edges_of(cut))]
        if others:
            raise InputError(
                f"Soft templates and losses of single events take Cut and Window only, not {', '.join(others)}; "
                "hepcuts.optimize takes all cuts for objectives of the templates, such as 'profile'."
            )
        values, absent = map(np.stack, zip(*(cut.measured(columns, missing=missing) for cut in self.cuts), strict=True))
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
