"""One search for the best cuts: events laid out once, objective compiled once, soft cuts narrowed in stages."""

import copy
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import tqdm

from ._columns import is_missing
from ._precision import float64_scope
from ._types import FloatArray
from .cuts import Selection
from .errors import InputError, OptimizationError
from .filling import EventTable
from .objectives import AbstractObjective, Soft
from .relaxations import AbstractStep
from .samples import Sample
from .solvers import AbstractSolver, Ending
from .templates import Templates, Yields

_DEFAULT_WIDTH = 0.2
"""Final width of a soft cut in units of the spread of signal or background, whichever is smaller."""


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """The way of an optimization.

    Attributes:
        names: names of the thresholds.
        thresholds: shape (step, threshold).
        values: soft value of the objective, shape (step,).
        gradients: of the objective with respect to the thresholds, shape (step, threshold).
        stages: number of the width stage, shape (step,). Values of different stages are of different widths and
            not comparable.
        widths: widths of the soft cuts, shape (step, threshold).
    """

    names: tuple[str, ...]
    thresholds: FloatArray
    values: FloatArray
    gradients: FloatArray
    stages: Any
    widths: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    def end_of_stage(self, stage: int) -> FloatArray:
        """Thresholds at the end of a stage, shape (threshold,)."""
        return np.asarray(self.thresholds[np.flatnonzero(self.stages == stage)[-1]])

    def to_dataframe(self) -> Any:
        """A pandas data frame with one row for each step."""
        table = {"stage": self.stages, "value": self.values}
        columns = {name: self.thresholds[:, i] for i, name in enumerate(self.names)}
        return pd.DataFrame(table | columns)

    def lines(self) -> list[str]:
        """The log of cuts: one line for each step."""
        return [
            f"{step:4d}  {value: .8g}  " + "  ".join(f"{n}={t:.6g}" for n, t in zip(self.names, row, strict=True))
            for step, (value, row) in enumerate(zip(self.values, self.thresholds, strict=True))
        ]


class Search:
    """One search: events laid out once, objective compiled once, widths narrowed in stages."""

    def __init__(
        self,
        samples: Sequence[Sample],
        selection: Selection,
        *,
        goal: AbstractObjective,
        walker: AbstractSolver,
        relaxation: AbstractStep,
        axis: Any,
        min_background: float,
    ) -> None:
        self.goal, self.walker, self.selection = goal, walker, selection
        self.table = EventTable.of(samples, selection, axis=axis)
        self.scale = _scales(samples, selection)
        self.lower, self.upper = _bounds(samples, selection)
        self.start = np.clip(_start(samples, selection), self.lower, self.upper)
        given = [selection.cuts[cut].width for cut in selection.cut_of_threshold]
        default = default_widths(samples, selection)
        self.widths = np.array([d if w is None else w for w, d in zip(given, default, strict=True)])
        reference = self._reference(relaxation)
        self.min_background = min_background
        self._value_and_gradient = _guarded(goal, goal.prepare(reference, relaxation), relaxation, min_background)
        self._plain: dict[bytes, float] = {}
        self.rows: list[tuple[FloatArray, float, FloatArray, int, FloatArray]] = []

    def _reference(self, relaxation: AbstractStep) -> Templates:
        """Templates at the start, soft, so that no bin is empty: pyhf builds the model's structure from them."""
        soft = eqx.filter_jit(lambda table, x, w: table.soft_yields(x, w, relaxation))
        yields = float64_scope(soft)(self.table, self.start, np.maximum(self.widths, _DEFAULT_WIDTH * self.scale))
        return Templates(
            self.table.structure,
            Yields(np.asarray(yields.values), np.asarray(yields.variances)),
            np.zeros(len(self.table.structure.components)),
        )

    def with_weights(self, factors: FloatArray) -> "Search":
        """The same search with all weights times factors of shape (event,); nothing is compiled again."""
        other = copy.copy(self)
        other.table = dataclasses.replace(self.table, weights=self.table.weights * factors)
        other.rows = []
        return other

    def run(self, anneal: Sequence[float]) -> tuple[Ending, History]:
        """Walk through the stages of widths; the ending's position is in the units of the variables."""
        position = self.start
        unit = self.scale if self.walker.unit == "scale" else np.ones_like(self.scale)
        # Quiet when not on a terminal.
        bar = tqdm.tqdm(total=None, desc="optimizing cuts", unit=" steps", disable=not sys.stderr.isatty(), leave=False)
        with bar:
            for stage, factor in enumerate(anneal):
                widths = self.widths * factor
                self._require_finite(position, widths)

                def function(u: FloatArray, widths: FloatArray = widths) -> tuple[float, FloatArray]:
                    value, gradient = self.evaluate(u * unit, widths)
                    return -self.goal.sign * value, -self.goal.sign * gradient * unit

                def report(u: FloatArray, f: float, g: FloatArray, stage: int = stage, w: FloatArray = widths) -> None:
                    bar.update()
                    plain = self._plain.get((u * unit).tobytes(), -self.goal.sign * f)
                    self.rows.append((u * unit, plain, -self.goal.sign * g / unit, stage, w))

                limits = (self.lower / unit, self.upper / unit)
                ending = self.walker.minimize(function, position / unit, limits, report)
                position = ending.position * unit
        if not np.array_equal(self.rows[-1][0], position):
            _, gradient = self.evaluate(position, widths)
            self.rows.append((position, self._plain[position.tobytes()], gradient, len(anneal) - 1, widths))
        names = self.selection.names
        thresholds, values, gradients, stages, all_widths = (
            np.array(column) for column in zip(*self.rows, strict=True)
        )
        ending = dataclasses.replace(ending, position=position)
        return ending, History(names, thresholds, values, gradients, stages, all_widths)

    def evaluate(self, thresholds: FloatArray, widths: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient; a value far below all others where there is none, to turn a line search back."""
        guarded, gradient = self._evaluate(thresholds, widths)
        if not np.isfinite(guarded) or not np.all(np.isfinite(gradient)):
            return -self.goal.sign * 1e6, np.zeros_like(thresholds)
        return guarded, gradient

    def plain(self, thresholds: FloatArray, widths: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient as they are, NaN included."""
        return self._evaluate(thresholds, widths)

    def _evaluate(self, thresholds: FloatArray, widths: FloatArray) -> tuple[float, FloatArray]:
        (guarded, plain), gradient = float64_scope(self._value_and_gradient)(self.table, thresholds, widths)
        self._plain[thresholds.tobytes()] = float(plain)
        return float(guarded), np.asarray(gradient)

    def _require_finite(self, thresholds: FloatArray, widths: FloatArray) -> None:
        value, gradient = self._evaluate(thresholds, widths)
        if not np.isfinite(value) or not np.all(np.isfinite(gradient)):
            at = ", ".join(f"{n} = {t:.6g}" for n, t in zip(self.selection.names, thresholds, strict=True))
            raise OptimizationError(
                f"The objective {self.goal.name!r} has no finite value or gradient at {at} (value {value}). Start "
                "from looser cuts, where signal and background both pass."
            )


def _guarded(goal: AbstractObjective, soft: Soft, relaxation: AbstractStep, min_background: float) -> Any:
    """Value and gradient of the objective, kept away from cuts that mean nothing.

    The objective, in units of its own size, loses the square of ln(n / n_eff) below the wanted number n of effective
    background events, and the square of 1 - (high - low) / (sum of widths) for a window narrower than its soft edges:
    nothing elsewhere, smooth, and soon more than what a significance gains where events run out. The plain value comes
    as second value.
    """

    def function(thresholds: Any, table: EventTable, widths: Any) -> tuple[Any, Any]:
        value = soft(table, thresholds, widths)
        yields = table.soft_yields(thresholds, widths, relaxation, of_hard_cut=True)
        penalty = _too_few(table, yields, min_background) + _too_narrow(table.selection, thresholds, widths)
        return value - goal.sign * jnp.abs(value) * penalty, value

    @eqx.filter_jit
    def evaluate(table: EventTable, thresholds: Any, widths: Any) -> Any:
        return jax.value_and_grad(function, has_aux=True)(thresholds, table, widths)

    return evaluate


def _too_few(table: EventTable, yields: Yields, min_background: float) -> Any:
    background = jnp.asarray([not component.signal for component in table.structure.components])[:, None]
    total = jnp.where(background, yields.nominal, 0.0).sum()
    squares = jnp.where(background, yields.variance, 0.0).sum()
    enough = (squares > 0) & (total**2 >= min_background * squares)
    # Inside a logarithm only where it is wanted; 1e-300 stands for a total that has vanished altogether.
    deficit = jnp.where(enough, 1.0, min_background * squares / jnp.where(enough, 1.0, total**2 + 1e-300))
    return jnp.where(enough, 0.0, jnp.log(deficit) ** 2)


def _too_narrow(selection: Selection, thresholds: Any, widths: Any) -> Any:
    penalty = jnp.asarray(0.0)
    for low in range(len(selection.names) - 1):
        if selection.cut_of_threshold[low] == selection.cut_of_threshold[low + 1]:
            room = (thresholds[low + 1] - thresholds[low]) / (widths[low] + widths[low + 1])
            penalty += jnp.maximum(1.0 - room, 0.0) ** 2
    return penalty


def _columns(samples: Sequence[Sample], variable: str, *, signal: bool) -> FloatArray:
    """Values of a variable that exist, of all signals or all backgrounds, shape (event,)."""
    parts = []
    for sample in samples:
        if sample.signal == signal:
            values = sample.column(variable)
            parts.append(values[~is_missing(values, sample.missing)])
    joined = np.concatenate(parts)
    if len(joined) == 0:
        raise InputError(f"No {'signal' if signal else 'background'} event has a value of {variable!r} to cut on.")
    return joined


def default_widths(samples: Sequence[Sample], selection: Selection) -> FloatArray:
    """Widths of soft cuts that were not given any, shape (threshold,)."""
    return _DEFAULT_WIDTH * _scales(samples, selection)


def _scales(samples: Sequence[Sample], selection: Selection) -> FloatArray:
    """Spread of each threshold's variable, shape (threshold,): half the central 68 %, of signal or background.

    The smaller of the two: a soft cut has to be narrow against both.
    """
    scales = []
    for position in selection.cut_of_threshold:
        variable = selection.variables[position]
        spreads = [
            0.5 * np.diff(np.quantile(_columns(samples, variable, signal=signal), [0.16, 0.84]))[0]
            for signal in (True, False)
        ]
        positive = [spread for spread in spreads if spread > 0]
        if not positive:
            raise InputError(f"The variable {variable!r} has hardly more than one value; there is nothing to cut on.")
        scales.append(min(positive))
    return np.array(scales)


def _bounds(samples: Sequence[Sample], selection: Selection) -> tuple[FloatArray, FloatArray]:
    """Bounds of the thresholds, each of shape (threshold,): given, or the range of the events."""
    pairs = []
    for position in selection.cut_of_threshold:
        cut = selection.cuts[position]
        values = np.concatenate([_columns(samples, cut.variable, signal=signal) for signal in (True, False)])
        pairs.append((values.min(), values.max()) if cut.bounds is None else cut.bounds)
    low, high = np.array(pairs, dtype=np.float64).T
    return low, high


def _start(samples: Sequence[Sample], selection: Selection) -> FloatArray:
    """Where the search starts, shape (threshold,): as given, or where 95 % of the signal pass."""
    start = []
    for threshold, sign, position in zip(
        selection.thresholds, selection.signs, selection.cut_of_threshold, strict=True
    ):
        values = _columns(samples, selection.variables[position], signal=True)
        start.append(np.quantile(values, 0.05 if sign > 0 else 0.95) if threshold is None else threshold)
    return np.array(start, dtype=np.float64)
