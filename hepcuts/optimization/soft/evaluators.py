"""The figure of merit with its gradient at soft cuts: sums over events first, then what never sees an event.

`TemplateEvaluator` is for those of the templates: one pass over the events gives yields and their slopes, the
likelihood (or a closed form) gives the value and its gradient to the yields, and a product of the two is the gradient
to the thresholds. `EventEvaluator` is for losses of single events, differentiated as a whole.

Both keep the search away from cuts that mean nothing. The figure of merit, in units of its own size, loses the square
of ln(wanted / found) (beyond one only in proportion to it) for each quantity that falls below what is wanted of it, and
the square of 1 - (high - low) / (sum of widths) for a window narrower than its soft edges: nothing elsewhere, smooth,
and soon more than what a significance gains where events run out.
"""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts.steps import AbstractStep
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.losses import AbstractEventFigure
from hepcuts.templates.filling import EventTable
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.templates import Templates

from .compilation import compiled, penalties
from .constraints import AtLeast


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A figure of merit at soft cuts.

    Attributes:
        guarded: with the penalties; what is searched along.
        plain: without.
        gradient: of `guarded` to the thresholds, shape (threshold,).
    """

    guarded: float
    plain: float
    gradient: FloatArray


class TemplateEvaluator:
    """A figure of merit of the templates.

    Args:
        figure: the figure of merit.
        references: templates of each region after loose cuts.
        guards: what is wanted after the cuts of the first region.
        totals: expected signal and background before the cuts.
    """

    def __init__(
        self,
        figure: AbstractTemplateFigure,
        references: Sequence[Templates],
        guards: Sequence[AtLeast],
        totals: Totals,
    ) -> None:
        self._given = figure, references, guards, totals
        self._compiled, self._totals = compiled(figure, references, guards), totals

    def __reduce__(self) -> tuple[Any, ...]:
        return TemplateEvaluator, self._given  # another process compiles for itself

    def of_totals(self, totals: Totals) -> "TemplateEvaluator":
        """The same for other events, with so many expected before the cuts."""
        found = copy.copy(self)
        found._given, found._totals = (*self._given[:-1], totals), totals
        return found

    @float64_scope
    def __call__(
        self, regions: Sequence[SoftEvents], thresholds: FloatArray, widths: FloatArray, step: AbstractStep
    ) -> Evaluation:
        """Evaluate at thresholds and widths in the coordinates, each of shape (threshold,)."""
        passes = [region.sums(thresholds[region.index], widths[region.index], step) for region in regions]
        narrow, narrow_slope = too_narrow(regions[0], thresholds, widths)
        (guarded, plain), (slopes, of_narrow) = self._compiled.of_one(
            [sums for sums, _ in passes], narrow, self._totals
        )
        gradient = np.asarray(of_narrow) * narrow_slope
        for (_, jacobian), slope, region in zip(passes, slopes, regions, strict=True):
            gradient[region.index] += np.einsum("ck,ctk->t", np.asarray(slope), jacobian)
        return Evaluation(float(guarded), float(plain), gradient)

    @float64_scope
    def of_sums(self, sums: Sequence[FloatArray]) -> tuple[float, list[FloatArray]]:
        """The guarded figure of merit of sums of each region, shape (cell, 2), and its slopes, of the same shapes."""
        (guarded, _), (slopes, _) = self._compiled.of_one(list(sums), 0.0, self._totals)
        return float(guarded), [np.asarray(slope) for slope in slopes]

    @float64_scope
    def plain_of_sums(self, sums: Sequence[FloatArray]) -> float:
        """The figure of merit of sums of each region, shape (cell, 2), without penalties: what is quoted."""
        (_, plain), _ = self._compiled.of_one(list(sums), 0.0, self._totals)
        return float(plain)

    @float64_scope
    def of_many_sums(self, sums: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
        """As `of_sums`, side by side, of sums of shape (candidate, cell, 2): values, shape (candidate,), and slopes."""
        number, values, together = len(sums[0]), [], self._compiled.together
        slopes: list[list[FloatArray]] = [[] for _ in sums]
        for first in range(0, number, together):
            # One shape, for which JAX compiles once.
            chosen = np.minimum(np.arange(first, first + together), number - 1)
            (guarded, _), (of_sums, _) = self._compiled.of_many(
                [raw[chosen] for raw in sums], np.zeros(together), self._totals
            )
            values.append(np.asarray(guarded))
            for parts, slope in zip(slopes, of_sums, strict=True):
                parts.append(np.asarray(slope))
        return np.concatenate(values)[:number], [np.concatenate(parts)[:number] for parts in slopes]


class EventEvaluator:
    """A loss of single events.

    Args:
        figure: the loss.
        table: the events, in the coordinates.
        step: the step function.
        guards: what is wanted after the cuts.
    """

    def __init__(
        self, figure: AbstractEventFigure, table: EventTable, step: AbstractStep, guards: Sequence[AtLeast]
    ) -> None:
        self.table, self._given = table, (figure, table, step, guards)
        of_events = figure.of_events(step)

        def function(thresholds: Any, weights: Any, widths: Any, narrow: Any) -> tuple[Any, Any]:
            events = dataclasses.replace(table, weights=weights)
            value = of_events(events, thresholds, widths)
            yields = events.soft_yields(thresholds, widths, step, of_hard_cut=True)
            penalty = narrow + penalties(yields, table.structure, guards)
            return value - figure.sign * jnp.abs(value) * penalty, value

        self._function = jax.jit(jax.value_and_grad(function, argnums=(0, 3), has_aux=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return EventEvaluator, self._given

    @float64_scope
    def __call__(
        self, regions: Sequence[SoftEvents], thresholds: FloatArray, widths: FloatArray, weights: FloatArray
    ) -> Evaluation:
        """Evaluate with weights of shape (event,), in the order of the table."""
        narrow, narrow_slope = too_narrow(regions[0], thresholds, widths)
        (guarded, plain), (gradient, of_narrow) = self._function(thresholds, weights, widths, narrow)
        return Evaluation(float(guarded), float(plain), np.asarray(gradient) + np.asarray(of_narrow) * narrow_slope)


def too_narrow(events: SoftEvents, thresholds: FloatArray, widths: FloatArray) -> tuple[float, FloatArray]:
    """Penalty of windows narrower than their edges, and its slope, shape (threshold,)."""
    penalty, slope = 0.0, np.zeros_like(thresholds)
    edges, first = events.layout.edges, events.layout.first
    for number in range(len(edges) - 1):
        low, high = first[number], first[number + 1]
        if edges[number].cut != edges[number + 1].cut:
            continue
        reach = widths[low] + widths[high]
        short = max(1.0 - (thresholds[high] - thresholds[low]) / reach, 0.0)
        penalty += short**2
        slope[low] += 2.0 * short / reach
        slope[high] -= 2.0 * short / reach
    return penalty, slope
