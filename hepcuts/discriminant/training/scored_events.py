"""Events of one region with the scores of a discriminant that is still learning.

The score is one more row of the soft cuts' coordinates. A step of the training goes through the events three times:
features to scores; scores to soft sums with their slopes (`hepcuts.templates.soft_events`); and, once the likelihood
has told what each sum is worth, slopes to the scores back to the parameters. Only the score of each event is kept in
between.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.cuts.steps import AbstractStep
from hepcuts.discriminant import Discriminant
from hepcuts.discriminant.scorer import CHUNK, Chunks, chunks_of
from hepcuts.samples.sample import Sample
from hepcuts.templates.events import blocks_of
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.soft_layouts import Layout
from hepcuts.templates.soft_sums import pass_weights


@dataclasses.dataclass(frozen=True)
class Units:
    """Units of scores: location and spread of events, half signal and half background."""

    location: float
    spread: float


@dataclasses.dataclass(frozen=True, eq=False)
class ScoredEvents:
    """Events of one region.

    Attributes:
        events: with a row for the score, whose numbers are replaced at each step.
        row: that row, or None if the region does not cut on the score.
        members: positions of the score's thresholds among those of the region.
        chunks: the features.
        shares: what each event contributes to the units of the scores, shape (event,), not negative; the nominal
            signal and the nominal background sum up to 1/2 each.
    """

    events: SoftEvents
    row: int | None
    members: tuple[int, ...]
    chunks: Chunks
    shares: FloatArray

    @classmethod
    def of(
        cls, events: SoftEvents, samples: Sequence[Sample], selection: Selection, discriminant: Discriminant
    ) -> "ScoredEvents":
        """Find the features of events that were laid out.

        Args:
            events: of the region.
            samples: from which they were laid out.
            selection: the region's cuts.
            discriminant: standardized.
        """
        inputs = np.empty((len(events), len(discriminant.features)))
        number = events.cell // events.structure.num_bins
        for block in blocks_of(samples, events.structure, discriminant.features):
            here = np.flatnonzero(number == block.variation * len(samples) + block.sample)
            of_block = discriminant.inputs(block.columns, missing=block.missing)
            inputs[here] = of_block[events.origin[here]]
        exact = dataclasses.replace(events, values=events.values.astype(np.float64))
        row, members = _position(selection, discriminant.name, events.layout)
        return cls(exact, row, members, chunks_of(inputs), _shares(events))

    def units(self, scores: FloatArray) -> Units:
        """Units of raw scores, shape (event,)."""
        location = float(np.sum(self.shares * scores))
        return Units(location, float(np.sqrt(np.sum(self.shares * (scores - location) ** 2))))

    def with_scores(self, scores: FloatArray) -> SoftEvents:
        """The events with scores in their units, shape (event,)."""
        if self.row is None:
            return self.events
        values = self.events.values.copy()
        # A missing value of another cut is not one of the score.
        values[self.row] = scores
        return dataclasses.replace(self.events, values=values)

    @float64_scope
    def slopes(
        self, scored: SoftEvents, slope: FloatArray, at: tuple[FloatArray, FloatArray], step: AbstractStep
    ) -> FloatArray:
        """Slopes of the objective to the scores in their units, shape (event,).

        Args:
            scored: from `with_scores`.
            slope: of the objective to the sums of w p and w^2 p, shape (cell, 2).
            at: thresholds and widths of the region, each of shape (threshold,).
            step: the step function.
        """
        found = np.zeros(len(scored))
        if self.row is None:
            return found
        size = min(CHUNK, 1 << (len(scored) - 1).bit_length())
        for begin in range(0, len(scored), size):
            part = slice(begin, min(begin + size, len(scored)))
            number = part.stop - begin
            values, pull = np.zeros((len(scored.values), size)), np.zeros(size)
            values[:, :number] = scored.values[:, part]
            of_sums = slope[scored.cell[part]]
            pull[:number] = scored.weights[part] * of_sums[:, 0] + scored.squares[part] * of_sums[:, 1]
            options: dict[str, Any] = {"layout": scored.layout, "step": step, "members": self.members}
            found[part] = np.asarray(_slopes(values, pull, *at, **options))[:number]
        return found


@functools.partial(jax.jit, static_argnames=("layout", "step", "members"))
def _slopes(
    values: Any,
    pull: Any,
    thresholds: Any,
    widths: Any,
    *,
    layout: Layout,
    step: AbstractStep,
    members: tuple[int, ...],
) -> Any:
    """Slopes to the scores, from those to the pass weights, shape (event,)."""
    passed, slopes = pass_weights(layout, step, values, thresholds, widths)
    # A score that moves up is thresholds that move down.
    return -pull * passed * slopes[np.asarray(members)].sum(axis=0)


def _position(selection: Selection, name: str, layout: Layout) -> tuple[int | None, tuple[int, ...]]:
    """Row of the score, and its thresholds, in a region's layout."""
    if name not in selection.variables:
        return None, ()
    cut = selection.variables.index(name)
    members = tuple(t for t, c in enumerate(selection.cut_of_threshold) if c == cut)
    return next(edge.row for edge in layout.edges if edge.cut == cut), members


def _shares(events: SoftEvents) -> FloatArray:
    """Shares of the nominal events by absolute weight, shape (event,)."""
    signal = np.array([component.signal for component in events.structure.components])[events.sample]
    nominal = events.cell < len(events.structure.components) * events.structure.num_bins
    shares = np.zeros(len(events))
    for kind in (True, False):
        chosen: NDArray[np.bool_] = nominal & (signal == kind)
        weights = np.abs(events.weights[chosen])
        shares[chosen] = 0.5 * weights / max(float(weights.sum()), np.finfo(np.float64).tiny)
    return shares
