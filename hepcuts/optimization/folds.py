"""One fold of a search: what the other events choose, without any knowledge of those that are left out."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, cast

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
from .jumps import advance_stage
from .polish import polish
from .walk import Walk


@dataclasses.dataclass(frozen=True, eq=False)
class FoldEnd:
    """Where a fold ended a stage.

    Attributes:
        position: in the fold's own coordinates, shape (threshold,).
        soft: the same as thresholds of the variables, shape (threshold,).
        hard: the thresholds of its hard cuts, loosened as those of all events are until the guards hold, likewise.
    """

    position: FloatArray
    soft: FloatArray
    hard: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class SearchFold:
    """The search without one fold: a block for an executor.

    It is a search of its own from first to last: coordinates, start and bounds, too, come from its events alone.

    Attributes:
        search: among the events that are not left out; None where they cannot be searched among.
        number: of this fold.
        report: called at every step; not in another process.
    """

    search: Search | None
    number: int
    report: Callable[[], object]

    @classmethod
    def of(
        cls,
        search: Search,
        samples: Sequence[Sample],
        kept: Sequence[NDArray[np.bool_]],
        number: int,
        *,
        scale: float,
        report: Callable[[], object],
    ) -> "SearchFold":
        """The fold of a search.

        Args:
            search: among all events; of it only what knows no event is used: the problem and what is compiled of it.
            samples: all events.
            kept: which events the fold does not leave out, sample by sample, each of shape (event,).
            number: of this fold.
            scale: by which weights grow for the events kept to stand for all.
            report: called at every step.
        """
        try:
            some = [sample.take(mask, scale=scale) for sample, mask in zip(samples, kept, strict=True)]
            own = Search.of(some, search.problem, compiled_by=search)
        except InputError:
            return cls(None, number, report)
        # Whoever goes through a fold makes its sums alone: the others have folds of their own.
        return cls(own.coarse(search.tuning.validation.precision).carried_out_by(None), number, report)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"report": _silently}

    def advanced(self, stage: int, factor: float, before: Sequence[FoldEnd | None]) -> FoldEnd | None:
        """Where the fold is after its next stage; None if it has no value there.

        Args:
            stage: number of the stage, from 0.
            factor: its width in units of the search's own.
            before: where each fold ended the stage before; not looked at for the first.
        """
        start = before[self.number] if stage else None
        if self.search is None or (stage and start is None):
            return None
        walk = Walk(self.search, self.search.space.start if start is None else start.position, self.report)
        walk.num_stages = stage
        try:
            advance_stage(walk, factor)
        except OptimizationError:
            return None
        return self._end(walk.position)

    def started(self) -> FoldEnd | None:
        """Where the fold starts; None if it cannot be searched in."""
        return None if self.search is None else self._end(self.search.space.start)

    def polished(self, ends: Sequence[FoldEnd], factor: float) -> FoldEnd:
        """Where the polish leads from the hard cuts at the end of a stage; of all folds' ends it takes its own."""
        search, end = cast("Search", self.search), ends[self.number]
        position = search.space.scores(end.hard.tolist())
        return self._end(polish(search, position, search.space.widths * factor).position)

    def _end(self, position: FloatArray) -> FoldEnd:
        search = cast("Search", self.search)
        try:
            hard = enforce(search, position)
        except OptimizationError:
            hard = position
        return FoldEnd(position, search.space.thresholds(position), search.space.thresholds(hard))


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


def part_of(search: Search, events: Sequence[Sample], thresholds: FloatArray) -> Part | None:
    """What a loss of single events needs of a fold's events; None if cuts at the thresholds select none of them."""
    try:
        hard = search.space.selection.at(thresholds.tolist())
        return events, search.problem.templates_of(events, hard), hard
    except InputError:
        return None
