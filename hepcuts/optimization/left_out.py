"""What cuts are worth on the events that did not choose them: those that each fold leaves out, all folds together.

The folds' templates are summed before the objective is taken: a fold alone has a significance of its own, of fewer
events, that fluctuates much more.

Of few simulated events a significance is on average larger than that of the expected yields. To first order that is
taken off what is quoted (`hepcuts.evaluation.convexity`); not with many bins, where it takes too long.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.evaluation.convexity import Nudged
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample
from hepcuts.templates.soft_events import SoftEvents

from .folds import part_of


@dataclasses.dataclass(frozen=True)
class HardValue:
    """The pooled value of hard cuts on the events left out; larger is better, minus infinity if there is none.

    Attributes:
        guarded: with the penalties of the search for too few events; the polish is judged by it.
        pooled: the objective itself.
        excess: by how much it is on average larger than that of the expected yields, as there are few events.
    """

    guarded: float
    pooled: float
    excess: float = 0.0

    @property
    def plain(self) -> float:
        """The objective without the excess: by this stages are compared, and it is quoted."""
        return self.pooled - self.excess

    @property
    def penalty(self) -> float:
        """Of the search, for too few events."""
        return self.pooled - self.guarded


class LeftOut:
    """The events that each fold leaves out.

    Args:
        search: among all training events.
        samples: these events.
        parts: number of the fold of each event, sample by sample, each of shape (event,).
        size: number of folds.
    """

    def __init__(
        self, search: Search, samples: Sequence[Sample], parts: Sequence[NDArray[np.int64]], size: int
    ) -> None:
        self._search, self._samples, self._members = search, samples, parts
        self._parts = [search.only(parts, k) for k in range(size)] if search.has_templates else []

    def value(self, thresholds: Sequence[FloatArray], width: float = 0.0) -> float:
        """The objective with its guards, larger is better; minus infinity if it has no value.

        Args:
            thresholds: of each fold, each of shape (threshold,).
            width: of soft cuts, in units of each cut's own, or 0 for hard ones; a loss of single events is always that
                of hard ones.
        """
        search = self._search
        value = search.of_sums(self._sums(thresholds, width))[0] if search.has_templates else self._loss(thresholds)
        return search.problem.objective.sign * value if np.isfinite(value) else float("-inf")

    def hard(self, thresholds: Sequence[FloatArray]) -> HardValue:
        """The value of hard cuts, for comparisons and to be quoted."""
        guarded, search = self.value(thresholds), self._search
        if not search.has_templates or not np.isfinite(guarded):
            return HardValue(guarded, guarded)
        sums, sign = self._sums(thresholds), search.problem.objective.sign
        return HardValue(guarded, sign * search.plain_of_sums(sums), sign * self._excess(sums))

    def uncertainty(self, first: Sequence[FloatArray], second: Sequence[FloatArray]) -> float:
        """Of the difference of the values of hard cuts: it rests on the events that only one of the two selects."""
        both = first, second
        slopes = [self._search.of_sums(self._sums(thresholds))[1] for thresholds in both]
        positions = [self._positions(thresholds) for thresholds in both]
        variance = 0.0
        for region, (one, other) in enumerate(zip(*slopes, strict=True)):
            differing = sum(
                _differing(part.regions[region], *at) for part, *at in zip(self._parts, *positions, strict=True)
            )
            variance += float(np.sum((0.5 * (one + other)[:, 0]) ** 2 * differing))
        return float(np.sqrt(variance))

    def _positions(self, thresholds: Sequence[FloatArray]) -> list[FloatArray]:
        return [self._search.space.scores(of_fold.tolist()) for of_fold in thresholds]

    def _sums(self, thresholds: Sequence[FloatArray], width: float = 0.0) -> list[FloatArray]:
        """Sums in each region, of shape (cell, 2), all folds together."""
        pairs = zip(self._parts, self._positions(thresholds), strict=True)
        if width:
            parts = [events.soft_sums(p, width * self._search.space.widths) for events, p in pairs]
        else:
            parts = [events.hard_sums(p) for events, p in pairs]
        return [np.sum(regions, axis=0) for regions in zip(*parts, strict=True)]

    def _loss(self, thresholds: Sequence[FloatArray]) -> float:
        there = [
            part_of(self._search, [s.take(m == k) for s, m in zip(self._samples, self._members, strict=True)], at)
            for k, at in enumerate(thresholds)
        ]
        found = [part for part in there if part is not None]
        return self._search.problem.objective.pooled(found) if len(found) == len(there) else float("nan")

    def _excess(self, sums: Sequence[FloatArray]) -> float:
        """Mean excess of the objective over that of the expected yields, to first order; 0 with too many cells."""
        search = self._search
        pairs = zip(sums, search.regions, strict=True)
        nudged = Nudged.of([table.reshape(region.shape[0], -1, 2) for table, region in pairs])
        rows = zip(*nudged.tables, strict=True)
        return nudged.excess(np.array([search.plain_of_sums([t.reshape(-1, 2) for t in row]) for row in rows]))


def _differing(events: SoftEvents, first: FloatArray, second: FloatArray) -> FloatArray:
    """Sums of squared weights of the events that one of two sets of hard cuts selects, shape (cell,)."""
    mask = events.hard_mask(first[events.index]) ^ events.hard_mask(second[events.index])
    return np.bincount(events.cell[mask], events.squares[mask], minlength=int(np.prod(events.shape))).astype(np.float64)
