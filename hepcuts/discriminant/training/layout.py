"""A training's events, laid out once: those that train and those that validate, of all regions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts.discriminant import Discriminant
from hepcuts.discriminant.scorer import Scorer
from hepcuts.merit.counts import totals_of
from hepcuts.merit.cross_entropy import AbstractCrossEntropy
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import without_outside_warnings
from hepcuts.templates.soft_events import SoftEvents

from .losses import Classification, EndToEnd
from .scored_events import ScoredEvents


class Laid:
    """Events, compiled function and compiled objective of a training.

    Args:
        samples: with the score that the training starts from as a column.
        discriminant: standardized.
        masks: for each sample which of its events train, shape (event,).
        problem: cuts and objective.

    Attributes:
        search: for the objective and the coordinates of the cuts.
        scorer: the discriminant's function.
        members: positions of the score's thresholds among those of the search.
        validates: whether there are events that do not train.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        discriminant: Discriminant,
        masks: Sequence[NDArray[np.bool_]],
        problem: Problem,
    ) -> None:
        self._samples, self._discriminant, self._masks = samples, discriminant, masks
        self.search = without_outside_warnings(Search.of)(samples, problem)
        self.scorer = Scorer(discriminant.function, discriminant.parameters)
        selection = self.search.space.selection
        cut = selection.variables.index(discriminant.name)
        self.members = tuple(t for t, c in enumerate(selection.cut_of_threshold) if c == cut)
        self.validates = not all(np.all(mask) for mask in masks)

    @property
    def totals(self) -> tuple[float, float]:
        """Expected signal and background."""
        return totals_of(self._samples)

    def losses(self, figure: AbstractCrossEntropy) -> tuple[Classification, Classification | None]:
        """BCE of the events that train, and of the others."""

        def of(masks: Sequence[NDArray[np.bool_]]) -> Classification:
            part = [sample.take(mask) for sample, mask in zip(self._samples, masks, strict=True)]
            return Classification(part, self._discriminant, self.scorer, figure)

        return of(self._masks), of([~mask for mask in self._masks]) if self.validates else None

    def end_to_end(self, *, train: bool) -> EndToEnd:
        """The objective of the events that train, or of the others, each with yields and variances of all."""
        chosen = [mask if train else ~mask for mask in self._masks]
        factors = np.array([len(mask) / max(int(mask.sum()), 1) for mask in chosen])

        def choose(region: SoftEvents) -> SoftEvents:
            mask = np.zeros(len(region), dtype=bool)
            for s, of_sample in enumerate(chosen):
                mine = region.sample == s
                mask[mine] = of_sample[region.origin[mine]]
            kept = np.flatnonzero(mask)
            return region.standing_for_all(kept, factors[region.sample[kept]])

        selections = self.search.problem.selections()
        regions = [
            ScoredEvents.of(region, self._samples, selection, self._discriminant)
            for region, selection in zip(self.search.some(choose).regions, selections, strict=True)
        ]
        return EndToEnd(self.search, regions, self.scorer)
