"""Which final width generalizes: cross-validation of the stages, all folds in step.

A narrow soft cut follows the events that choose it, a wide one smooths over them: the width is the regularizer. Each
fold is left out once; the others go through the stages, and after each stage the hard cuts are tried on what was left
out. The folds' templates are summed before the objective is taken: a fold alone has a significance of its own, of
fewer events, that fluctuates much more.
"""

import concurrent.futures
import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hepcuts._types import FloatArray
from hepcuts.errors import InputError, OptimizationError
from hepcuts.objectives import Part
from hepcuts.samples import Sample
from hepcuts.soft.events import SoftEvents
from hepcuts.soft.search import Search

from .polish import polish
from .walk import Walk

T = TypeVar("T")

_TOLERANCE = 1e-4
"""Relative precision of the folds' optima; far less than what a fold's fluctuations change."""

_NO_EVIDENCE = 0.5
"""Standard deviations by which a wider stage may be worse than the best and still be taken for as good."""

_AT_MOST = 0.05
"""Relative difference by which it may be worse at most."""

_PATIENCE = 2
"""Stages, each worse than the one before, after which narrower ones are not tried."""


@dataclasses.dataclass(frozen=True, eq=False)
class Validation:
    """Cross-validated values of the stages.

    Attributes:
        factors: the stages tried, in units of the widths.
        values: pooled objective on events left out, shape (stage,), negated for losses; minus infinity where cuts
            had no value or too little simulated background.
        chosen: number of the chosen stage.
        thresholds: thresholds of each fold after each stage, shape (stage, fold, threshold).
    """

    factors: tuple[float, ...]
    values: FloatArray
    chosen: int
    thresholds: FloatArray


class Validator:
    """The folds, one stage after the other.

    Each fold starts a stage from where the walk with all events ended it. What a fold left out so had a say in which
    of several optima is looked at, but not in where it is.

    Args:
        search: the search among all training events.
        samples: these events.
        members: fold of each event, sample by sample.
        report: called at every step.

    Attributes:
        polished_thresholds: those of each fold after `polished`, shape (fold, threshold), else None.
    """

    def __init__(
        self,
        search: Search,
        samples: Sequence[Sample],
        *,
        members: Sequence[NDArray[Any]],
        report: Callable[[], object],
    ) -> None:
        self._search = search.hasty(_TOLERANCE)
        self._members, self._folds = members, 1 + max(int(member.max()) for member in members)
        folds = self._folds
        self._walks = [Walk(self._search.fold(members, k, folds), search.start, report) for k in range(folds)]
        self._samples = samples
        self._left_out = [search.only(members, k) for k in range(folds)] if search.has_templates else []
        self._factors: list[float] = []
        self._values: list[float] = []
        self._positions: list[list[FloatArray]] = []
        self.polished_thresholds: FloatArray | None = None

    def advance(self, factor: float, start: FloatArray) -> None:
        """Try one more stage from a start."""
        near = self._search.reached(start, self._search.widths * factor)

        def attempt(fold: int) -> bool:
            try:
                around = near.fold(self._members, fold, self._folds)
                self._walks[fold].advance(factor, start=start, near=around)
            except OptimizationError:
                return False
            return True

        there = self._in_parallel(attempt)
        positions = [walk.position for walk in self._walks]
        self._values.append(self._score(positions) if all(there) else float("-inf"))
        self._factors.append(factor)
        self._positions.append(positions)

    def _in_parallel(self, function: Callable[[int], T]) -> list[T]:
        """A function of each fold; the compiled parts of them run side by side."""
        with concurrent.futures.ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(function, range(self._folds)))

    def _score(self, positions: Sequence[FloatArray]) -> float:
        """The pooled objective with its guards, larger is better; minus infinity if it has no value."""
        search = self._search
        if search.has_templates:
            parts = [events.hard_sums(p) for events, p in zip(self._left_out, positions, strict=True)]
            value, _ = search.of_sums([np.sum(regions, axis=0) for regions in zip(*parts, strict=True)])
        else:
            there = [
                _part(search, [s.take(m == k) for s, m in zip(self._samples, self._members, strict=True)], position)
                for k, position in enumerate(positions)
            ]
            found = [part for part in there if part is not None]
            value = search.problem.goal.pooled(found) if len(found) == len(there) else float("nan")
        return search.problem.goal.sign * value if np.isfinite(value) else float("-inf")

    @property
    def num_stages(self) -> int:
        """Number of stages tried."""
        return len(self._values)

    @property
    def worthwhile(self) -> bool:
        """Whether it makes sense to try another stage: not if the last ones were each worse than the one before."""
        last = self._values[-_PATIENCE - 1 :]
        worse = len(last) > _PATIENCE and all(now < before for before, now in itertools.pairwise(last))
        return not (worse and np.isfinite(last[0]))

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs, of numbers and lists."""
        positions = [[p.tolist() for p in stage] for stage in self._positions]
        return {"factors": self._factors, "values": self._values, "positions": positions}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where a validator of the same events was."""
        self._factors, self._values = list(state["factors"]), list(state["values"])
        self._positions = [[np.array(p) for p in stage] for stage in state["positions"]]

    def polished(self, stage: int) -> float:
        """The value of a stage if the folds' hard cuts are polished, larger is better."""
        widths = self._search.widths * self._factors[stage]

        def attempt(fold: int) -> FloatArray:
            without = self._search.fold(self._members, fold, self._folds)
            return polish(without, self._positions[stage][fold], widths).position

        positions = self._in_parallel(attempt)
        self.polished_thresholds = np.array([self._search.thresholds(position) for position in positions])
        return self._score(positions)

    def result(self) -> Validation:
        """What was found so far."""
        values = np.array(self._values)
        thresholds = np.array([[self._search.thresholds(p) for p in stage] for stage in self._positions])
        return Validation(tuple(self._factors), values, self._choice(values), thresholds)

    def _choice(self, values: FloatArray) -> int:
        """The best stage, or a wider one that is not worse by more than half the uncertainty of the difference.

        The difference rests on the left-out events that one of the two stages selects and the other does not.
        """
        best = int(np.argmax(values))
        if not self._search.has_templates or not np.isfinite(values[best]):
            return best
        # Nor by more than a few percent: where a guard is violated slopes, and so uncertainties, are huge.
        near = [s for s in range(best + 1) if values[s] >= values[best] - _AT_MOST * abs(values[best])]
        slopes = {s: self._slopes(s) for s in near}
        for stage in [s for s in slopes if s < best]:
            variance = 0.0
            for region in range(len(self._search.regions)):
                differing = sum(
                    _differing(events.regions[region], first, second)
                    for events, first, second in zip(
                        self._left_out, self._positions[stage], self._positions[best], strict=True
                    )
                )
                slope = 0.5 * (slopes[stage][region] + slopes[best][region])[:, 0]
                variance += float(np.sum(slope**2 * differing))
            if values[best] - values[stage] < _NO_EVIDENCE * np.sqrt(variance):
                return stage
        return best

    def _slopes(self, stage: int) -> list[FloatArray]:
        """Slopes of the objective to the pooled sums behind the cuts of a stage, shape (cell, 2) in each region."""
        parts = [events.hard_sums(p) for events, p in zip(self._left_out, self._positions[stage], strict=True)]
        return self._search.of_sums([np.sum(regions, axis=0) for regions in zip(*parts, strict=True)])[1]


def _differing(events: SoftEvents, first: FloatArray, second: FloatArray) -> FloatArray:
    """Sums of squared weights of the events that one of two sets of hard cuts selects, shape (cell,)."""
    mask = events.hard_mask(first[events.index]) ^ events.hard_mask(second[events.index])
    return np.bincount(events.cell[mask], events.squares[mask], minlength=int(np.prod(events.shape))).astype(np.float64)


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def fold_members(samples: Sequence[Sample], folds: int, generator: np.random.Generator) -> list[NDArray[Any]]:
    """A fold for each event, sample by sample, each of shape (event,).

    Raises:
        InputError: fewer than two folds, or more than a sample has events.
    """
    fewest = min(len(sample) for sample in samples)
    if not 2 <= folds <= fewest:
        raise InputError(
            f"folds is {folds}; expected at least 2 and no more than the {fewest} events of the smallest sample, or 0 "
            "to go through all widths without validation."
        )
    return [generator.permutation(len(sample)) % folds for sample in samples]


def _part(search: Search, events: Sequence[Sample], position: FloatArray) -> Part | None:
    """What a loss of single events needs of a fold."""
    try:
        hard = search.selection.at(search.thresholds(position))
        return events, search.problem.templates_of(events, hard), hard
    except InputError:
        return None  # cuts that nothing can pass, or that nothing left out passes
