"""The figure of merit with its gradient at soft cuts: sums over events first, then what never sees an event.

`TemplateEvaluator` is for those of the templates: one pass over the events gives yields and their slopes, the
likelihood (or a closed form) gives the value and its gradient to the yields, and a product of the two is the gradient
to the thresholds. `EventEvaluator` is for losses of single events, differentiated as a whole.

Both keep the search away from cuts that mean nothing. The figure of merit, in units of its own size, loses the square
of ln(wanted / found) (beyond one only in proportion to it) for each quantity that falls below what is wanted of it, and
the square of 1 - (high - low) / (sum of widths) for a window narrower than its soft edges: nothing elsewhere, smooth,
and soon more than what a significance gains where events run out.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.executors import ahead
from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts.steps import AbstractStep
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.losses import AbstractEventFigure
from hepcuts.samples.sample import LIMITED
from hepcuts.templates.filling import EventTable
from hepcuts.templates.simulated import counted
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.templates import Structure, Templates, Yields

from .constraints import AtLeast

_PULL = 4.0
"""Weight of a user's constraint against the objective's own size."""

_FITS, _CLOSED_FORMS = 32, 8
"""Sets of sums that are evaluated side by side."""


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
        self._of_many: Callable[..., Any]
        self._totals = totals
        if figure.expensive:
            both = _value_and_slopes(figure, references, guards)
            # One fit does not wait for others.
            self._function: Callable[..., Any] = jax.jit(both)
            self._of_many, self._together = jax.jit(jax.vmap(both, in_axes=(0, 0, None))), _FITS
            return
        self._function, self._together = self._of_one, _CLOSED_FORMS
        if figure.reusable:
            compiled = _compiled_ahead(figure, references, guards)

            def of_many(sums: Sequence[Any], narrow: Any, totals: Totals) -> Any:
                return compiled()(sums, narrow, totals)

            self._of_many = of_many
        else:
            self._of_many = _closed_form(figure, references, guards)

    def _of_one(self, sums: Sequence[Any], narrow: Any, totals: Totals) -> Any:
        many = [np.broadcast_to(raw, (self._together, *raw.shape)) for raw in sums]
        return jax.tree.map(lambda a: np.asarray(a)[0], self._of_many(many, np.full(self._together, narrow), totals))

    @float64_scope
    def __call__(
        self, regions: Sequence[SoftEvents], thresholds: FloatArray, widths: FloatArray, step: AbstractStep
    ) -> Evaluation:
        """Evaluate at thresholds and widths in the coordinates, each of shape (threshold,)."""
        passes = [region.sums(thresholds[region.index], widths[region.index], step) for region in regions]
        narrow, narrow_slope = too_narrow(regions[0], thresholds, widths)
        (guarded, plain), (slopes, of_narrow) = self._function([sums for sums, _ in passes], narrow, self._totals)
        gradient = np.asarray(of_narrow) * narrow_slope
        for (_, jacobian), slope, region in zip(passes, slopes, regions, strict=True):
            gradient[region.index] += np.einsum("ck,ctk->t", np.asarray(slope), jacobian)
        return Evaluation(float(guarded), float(plain), gradient)

    @float64_scope
    def of_sums(self, sums: Sequence[FloatArray]) -> tuple[float, list[FloatArray]]:
        """The guarded figure of merit of sums of each region, shape (cell, 2), and its slopes, of the same shapes."""
        (guarded, _), (slopes, _) = self._function(list(sums), 0.0, self._totals)
        return float(guarded), [np.asarray(slope) for slope in slopes]

    @float64_scope
    def of_many_sums(self, sums: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
        """As `of_sums`, side by side, of sums of shape (candidate, cell, 2): values, shape (candidate,), and slopes."""
        number, values = len(sums[0]), []
        slopes: list[list[FloatArray]] = [[] for _ in sums]
        for first in range(0, number, self._together):
            # One shape, for which JAX compiles once.
            chosen = np.minimum(np.arange(first, first + self._together), number - 1)
            (guarded, _), (of_sums, _) = self._of_many(
                [raw[chosen] for raw in sums], np.zeros(self._together), self._totals
            )
            values.append(np.asarray(guarded))
            for parts, slope in zip(slopes, of_sums, strict=True):
                parts.append(np.asarray(slope))
        return np.concatenate(values)[:number], [np.concatenate(parts)[:number] for parts in slopes]


def _value_and_slopes(
    figure: AbstractTemplateFigure, references: Sequence[Templates], guards: Sequence[AtLeast]
) -> Callable[..., Any]:
    """Guarded and plain value of sums and a penalty for narrow windows, and the slopes of the former to both."""
    structures = [reference.structure for reference in references]
    of_yields = float64_scope(figure.of_yields)(references)

    def function(sums: Sequence[Any], narrow: Any, totals: Totals) -> tuple[Any, Any]:
        yields = [as_yields(raw, structure) for raw, structure in zip(sums, structures, strict=True)]
        value = of_yields(yields, totals)
        penalty = narrow + penalties(yields[0], structures[0], guards)
        return value - figure.sign * jnp.abs(value) * penalty, value

    return jax.value_and_grad(function, argnums=(0, 1), has_aux=True)


def _closed_form(figure: AbstractTemplateFigure, references: Sequence[Templates], guards: Sequence[AtLeast]) -> Any:
    """Many sets of sums at once: compiled once for one and for many, and as fast as possible: it takes no time."""
    both = jax.vmap(_value_and_slopes(figure, references, guards), in_axes=(0, 0, None))
    return jax.jit(both, compiler_options={"xla_backend_optimization_level": 0})


@dataclasses.dataclass(frozen=True)
class _Compilation:
    """A closed form to be compiled; equal ones, of any templates of one structure, are compiled once."""

    figure: AbstractTemplateFigure
    guards: tuple[AtLeast, ...]
    structures: tuple[Any, ...]
    references: Sequence[Templates] = dataclasses.field(compare=False)

    @float64_scope
    def compiled(self) -> Callable[..., Any]:
        """Of several sets of sums of all cells at once."""
        structures = [reference.structure for reference in self.references]
        cells = [len(s.variations) * len(s.components) * s.num_bins for s in structures]
        sums = [np.ones((_CLOSED_FORMS, number, 2)) for number in cells]
        function = _closed_form(self.figure, self.references, self.guards)
        made: Callable[..., Any] = function.lower(sums, np.zeros(_CLOSED_FORMS), (1.0, 1.0)).compile()
        return made


@functools.lru_cache(maxsize=64)
def _compiled_once(form: _Compilation) -> Callable[[], Callable[..., Any]]:
    return ahead(form.compiled)


def _compiled_ahead(
    figure: AbstractTemplateFigure, references: Sequence[Templates], guards: Sequence[AtLeast]
) -> Callable[[], Callable[..., Any]]:
    """A closed form, compiled while others lay out the events: what is returned waits for it."""
    structures = [reference.structure for reference in references]
    signatures = tuple(
        (repr(s.axis), tuple((c.signature, c.one_event if c.empty == LIMITED else None) for c in s.components))
        for s in structures
    )
    form = _Compilation(figure, tuple(guards), signatures, references)
    try:
        return _compiled_once(form)
    except TypeError:
        return ahead(form.compiled)  # arrays among the modifiers


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
        self.table = table
        of_events = figure.of_events(step)

        def function(thresholds: Any, weights: Any, widths: Any, narrow: Any) -> tuple[Any, Any]:
            events = dataclasses.replace(table, weights=weights)
            value = of_events(events, thresholds, widths)
            yields = events.soft_yields(thresholds, widths, step, of_hard_cut=True)
            penalty = narrow + penalties(yields, table.structure, guards)
            return value - figure.sign * jnp.abs(value) * penalty, value

        self._function = jax.jit(jax.value_and_grad(function, argnums=(0, 3), has_aux=True))

    @float64_scope
    def __call__(
        self, regions: Sequence[SoftEvents], thresholds: FloatArray, widths: FloatArray, weights: FloatArray
    ) -> Evaluation:
        """Evaluate with weights of shape (event,), in the order of the table."""
        narrow, narrow_slope = too_narrow(regions[0], thresholds, widths)
        (guarded, plain), (gradient, of_narrow) = self._function(thresholds, weights, widths, narrow)
        return Evaluation(float(guarded), float(plain), np.asarray(gradient) + np.asarray(of_narrow) * narrow_slope)


def as_yields(sums: Any, structure: Structure) -> Yields:
    """Sums of shape (cell, 2) as yields, with what has no events of its own, and what vanished as it counts."""
    shape = (len(structure.variations), len(structure.components), structure.num_bins)
    return counted(structure, structure.complete(sums[:, 0].reshape(shape), sums[:, 1].reshape(shape)))


def penalties(yields: Yields, structure: Structure, guards: Sequence[AtLeast]) -> Any:
    """Sum of the penalties of what falls short, in units of the figure of merit."""
    total = jnp.asarray(0.0)
    for guard in guards:
        found = guard.quantity(yields, structure)
        enough = found >= guard.least
        # Inside a logarithm only where it is wanted; 1e-300 stands for what has vanished altogether.
        deficit = jnp.where(enough, 1.0, guard.least / jnp.where(enough, 1.0, jnp.maximum(found, 1e-300)))
        total += jnp.where(enough, 0.0, (1.0 if guard.soft else _PULL) * _huber(jnp.log(deficit))).sum()
    return total


def _huber(deficit: Any) -> Any:
    """The square up to one, linear beyond: a stage that starts far off must not be thrown across the whole range."""
    return jnp.where(deficit < 1.0, deficit**2, 2.0 * deficit - 1.0)


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
