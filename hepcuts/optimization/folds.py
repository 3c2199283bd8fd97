"""One fold of a search: what its other events choose, wherever it is worked on."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError, OptimizationError
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.evaluation.splitters import FoldsLike, folds_of
from hepcuts.merit.figures import Part
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample

from .feasibility import enforce
from .polish import around, polish
from .walk import Walk


@dataclasses.dataclass(frozen=True, eq=False)
class SearchFold:
    """The search without one fold: a block for an executor.

    Attributes:
        search: among all training events. No fold has a copy of its events: what it can reach is taken of what all can.
        parts: number of the fold of each event, sample by sample, each of shape (event,).
        number: of this fold.
        size: number of folds.
        report: called at every step; not in another process.
    """

    search: Search
    parts: Sequence[NDArray[np.int64]]
    number: int
    size: int
    report: Callable[[], object]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"report": _silently}

    def advanced(self, factor: float, start: FloatArray, near: Search | None) -> FloatArray | None:
        """Thresholds after a stage, in the coordinates, shape (threshold,); None if they have no value at its start.

        Args:
            factor: width of the stage in units of the search's own.
            start: thresholds in the coordinates, shape (threshold,).
            near: the search with the events that can be reached from there, or None for all events.
        """
        walk = Walk(self.search, start, self.report, reach=self._reached)
        try:
            walk.advance(factor, start=start, near=self._without(self.search if near is None else near))
        except OptimizationError:
            return None
        return walk.position

    def polished(self, positions: Sequence[FloatArray], widths: FloatArray) -> FloatArray:
        """Thresholds after the polish of hard cuts; of the positions of all folds it takes its own."""
        position = positions[self.number]
        near = self.search.passing(*around(self.search, position, widths))
        return polish(self._without(near), position, widths).position

    def loosened(self, positions: Sequence[FloatArray]) -> FloatArray:
        """Its own of the thresholds of all folds, loosened until the guards hold for hard cuts if they can."""
        position = positions[self.number]
        try:
            return enforce(self._without(self.search), position)
        except OptimizationError:
            return position

    def _reached(self, position: FloatArray, widths: FloatArray) -> Search:
        return self._without(self.search.reached(position, widths))

    def _without(self, search: Search) -> Search:
        return search.fold(self.parts, self.number, self.size)


def _silently() -> None:
    """Report to nobody."""


def folds_of_training(folds: FoldsLike, samples: Sequence[Sample], *, seed: int) -> AbstractFolds | None:
    """The folds of the events that choose, None for none.

    Raises:
        InputError: as `hepcuts.evaluation.splitters.folds_of`, or more folds than a sample has events.
    """
    found, fewest = folds_of(folds, samples, seed=seed), min(len(sample) for sample in samples)
    if found is not None and found.size > fewest:
        raise InputError(
            f"folds is {folds}; expected at least 2 and no more than the {fewest} events of the smallest sample, or 0 "
            "to go through all widths without validation."
        )
    return found


def parts_of(folds: AbstractFolds, samples: Sequence[Sample]) -> list[NDArray[np.int64]]:
    """Number of the fold of each event, sample by sample, each of shape (event,)."""
    return [folds.part(sample.identity) for sample in samples]


def part_of(search: Search, events: Sequence[Sample], position: FloatArray) -> Part | None:
    """What a loss of single events needs of a fold's events; None if cuts at the position select none of them."""
    try:
        hard = search.space.selection.at(search.space.thresholds(position))
        return events, search.problem.templates_of(events, hard), hard
    except InputError:
        return None
