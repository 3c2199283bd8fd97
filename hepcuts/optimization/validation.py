"""Which final width generalizes: cross-validation of the stages, all folds in step.

A narrow soft cut follows the events that choose it, a wide one smooths over them: the width is the regularizer. Each
fold is left out once; the others go through the stages, and after each stage the hard cuts are tried on what was left
out. The folds' templates are summed before the objective is taken: a fold alone has a significance of its own, of
fewer events, that fluctuates much more.

The value of hard cuts on events left out hangs on few of them, and the best of several such values is mostly the
luckiest. So stages are compared by soft cuts at the thresholds that they found, of one width for all of them: that is
blunt against single events, not against thresholds that are off by more than this width. The best of even these values
is often the luckiest where few events are left. So the stage whose soft cuts have the width that each cut has by itself
is taken, unless another one is found better with some evidence: most of all, a gain has to be larger than its own
uncertainty lets expect by chance. What is quoted is the value of hard cuts, which had no part in the choice.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hepcuts._core.executors import Executor, executor_of
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample
from hepcuts.templates.soft_events import SoftEvents

from .folds import SearchFold, part_of, parts_of
from .options import Validation


@dataclasses.dataclass(frozen=True, eq=False)
class StageValues:
    """Cross-validated values of the stages.

    Attributes:
        values: what they are compared by: the pooled objective on events left out, shape (stage,), negated for losses;
            minus infinity where cuts had no value or too little simulated background, NaN where a stage was not tried.
            Of soft cuts if the objective is one of templates.
        chosen: number of the chosen stage.
        hard: the value of hard cuts of the chosen stage.
        thresholds: thresholds of each fold after the chosen stage, shape (fold, threshold).
    """

    values: FloatArray
    chosen: int
    hard: "HardValue"
    thresholds: FloatArray


@dataclasses.dataclass(frozen=True)
class HardValue:
    """The pooled value of hard cuts on the events left out; larger is better, minus infinity if there is none.

    Attributes:
        guarded: with the penalties of the search for too few events; by this cuts are compared.
        plain: the objective itself; this is quoted.
    """

    guarded: float
    plain: float


@dataclasses.dataclass(frozen=True, eq=False)
class _Attempt:
    """A stage that was tried: where each fold ended, whether all found a value, and values by width."""

    positions: list[FloatArray]
    known: bool
    values: dict[float, float] = dataclasses.field(default_factory=dict)


class Validator:
    """The folds, one stage after the other.

    Each fold starts a stage from where the walk with all events ended it. What a fold left out so had a say in which
    of several optima is looked at, but not in where it is.

    Args:
        search: the search among all training events.
        samples: these events.
        schedule: widths of the stages in units of the search's own.
        folds: of the events.
        report: called at every step.
        executor: who goes through the folds; None for threads.

    Attributes:
        polished_thresholds: those of each fold after `polished`, shape (fold, threshold), else None.
    """

    def __init__(
        self,
        search: Search,
        samples: Sequence[Sample],
        schedule: Sequence[float],
        *,
        folds: AbstractFolds,
        report: Callable[[], object],
        executor: Executor | None = None,
    ) -> None:
        self._search, self._schedule = search.coarse(search.tuning.validation.precision), schedule
        self._options: Validation = search.tuning.validation
        self._usual = int(np.argmin(np.abs(np.log(schedule))))
        self._parts, numbers = parts_of(folds, samples), range(folds.size)
        self._executor = executor_of(executor)
        # Whoever goes through a fold makes its sums alone: the others have folds of their own.
        alone = self._search.carried_out_by(None)
        self._folds = self._executor.lay_out(SearchFold(alone, self._parts, k, folds.size, report) for k in numbers)
        self._samples = samples
        self._left_out = [search.only(self._parts, k) for k in numbers] if search.has_templates else []
        self._attempts: dict[int, _Attempt] = {}
        self.polished_thresholds: FloatArray | None = None

    def wants(self, stage: int) -> bool:
        """Whether a stage had better be tried as soon as it was gone through."""
        return stage >= self._usual

    def advance(self, stage: int, start: FloatArray) -> None:
        """Try a stage, from where the walk with all events ended it."""
        factor, search = self._schedule[stage], self._search
        near = search.reached(start, search.space.widths * factor)
        arguments = factor, start, None if near is search else near.carried_out_by(None)
        found = self._executor.map(SearchFold.advanced, self._folds, arguments)
        known = all(position is not None for position in found)
        self._attempts[stage] = _Attempt([start if position is None else position for position in found], known)

    def _value(self, stage: int, width: float = 0.0) -> float:
        """As `_score`, of a stage; computed when it is asked for first."""
        attempt, width = self._attempts[stage], width if self._search.has_templates else 0.0
        if width not in attempt.values:
            attempt.values[width] = self._score(attempt.positions, width) if attempt.known else float("-inf")
        return attempt.values[width]

    def _positions(self, stage: int) -> list[FloatArray]:
        return self._attempts[stage].positions

    def _hard_positions(self, stage: int) -> list[FloatArray]:
        """Where each fold's hard cuts end: loosened, as those of all events are, until the guards hold."""
        found: list[FloatArray] = self._executor.map(SearchFold.loosened, self._folds, (self._positions(stage),))
        return found

    def _score(self, positions: Sequence[FloatArray], width: float = 0.0) -> float:
        """The pooled objective with its guards, larger is better; minus infinity if it has no value.

        Args:
            positions: thresholds of each fold.
            width: of soft cuts, in units of each cut's own, or 0 for hard ones; a loss of single events is always that
                of hard ones.
        """
        search = self._search
        if search.has_templates:
            value, _ = search.of_sums(self._pooled(positions, width))
        else:
            there = [
                part_of(search, [s.take(m == k) for s, m in zip(self._samples, self._parts, strict=True)], position)
                for k, position in enumerate(positions)
            ]
            found = [part for part in there if part is not None]
            value = search.problem.objective.pooled(found) if len(found) == len(there) else float("nan")
        return search.problem.objective.sign * value if np.isfinite(value) else float("-inf")

    def _hard(self, positions: Sequence[FloatArray]) -> HardValue:
        """The value of each fold's hard cuts on what it left out."""
        guarded, search = self._score(positions), self._search
        if not search.has_templates or not np.isfinite(guarded):
            return HardValue(guarded, guarded)
        return HardValue(guarded, search.problem.objective.sign * search.plain_of_sums(self._pooled(positions)))

    def _pooled(self, positions: Sequence[FloatArray], width: float = 0.0) -> list[FloatArray]:
        """Sums of the events left out, in each region, all folds together."""
        search = self._search
        if width:
            parts = [events.soft_sums(p, width * search.space.widths) for events, p in self._pairs(positions)]
        else:
            parts = [events.hard_sums(p) for events, p in self._pairs(positions)]
        return [np.sum(regions, axis=0) for regions in zip(*parts, strict=True)]

    def _pairs(self, positions: Sequence[FloatArray]) -> list[tuple[Search, FloatArray]]:
        return list(zip(self._left_out, positions, strict=True))

    @property
    def stages(self) -> list[int]:
        """Numbers of the stages tried, ascending."""
        return sorted(self._attempts)

    @property
    def worthwhile(self) -> bool:
        """Whether it makes sense to try a narrower stage: not if the last ones were all worse than one before."""
        for width in self._options.compared_at:
            values = [self._value(stage, width) for stage in self.stages]
            if not _exhausted(values, self._options.patience):
                return True
        return False

    @property
    def wider(self) -> int | None:
        """The wide stage that makes sense to be tried, too: if the widest of those that were is the best."""
        widest = min(self._attempts, default=0)
        if widest == 0 or self._bluntest_best() != widest:
            return None
        return widest - 1

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs, of numbers and lists."""
        stages = []
        for stage, attempt in self._attempts.items():
            positions = [position.tolist() for position in attempt.positions]
            stages.append({"stage": stage, "positions": positions, "known": attempt.known})
        return {"stages": stages}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where a validator of the same events was."""
        for attempt in state["stages"]:
            positions = [np.array(position) for position in attempt["positions"]]
            self._attempts[int(attempt["stage"])] = _Attempt(positions, attempt["known"])

    def polished(self, stage: int) -> HardValue:
        """The value of a stage if the folds' hard cuts are polished."""
        widths = self._search.space.widths * self._schedule[stage]
        positions = self._executor.map(SearchFold.polished, self._folds, (self._hard_positions(stage), widths))
        self.polished_thresholds = np.array([self._search.space.thresholds(position) for position in positions])
        return self._hard(positions)

    def result(self) -> StageValues:
        """What was found so far."""
        chosen = self._choice()
        values = np.full(max(self.stages) + 1, np.nan)
        values[self.stages] = [self._value(stage, self._options.compared_at[0]) for stage in self.stages]
        positions = self._hard_positions(chosen)
        thresholds = np.array([self._search.space.thresholds(p) for p in positions])
        found = self._attempts[chosen].positions is not None
        none = HardValue(float("-inf"), float("-inf"))
        return StageValues(values, chosen, self._hard(positions) if found else none, thresholds)

    def _bluntest_best(self) -> int:
        return max(self.stages, key=lambda stage: self._value(stage, self._options.compared_at[0]))

    def _choice(self) -> int:
        """The usual stage, or another one that is found better with evidence: a narrower one with sharper cuts, too."""
        best = self._bluntest_best()
        if not self._search.has_templates or not np.isfinite(self._value(best, self._options.compared_at[0])):
            return best
        chosen = self._usual if np.isfinite(self._value(self._usual, self._options.compared_at[0])) else best
        for width in self._options.compared_at:
            of_chosen = self._value(chosen, width)
            others = [n for n in self.stages if n > chosen or width == self._options.compared_at[0]]
            gains = {n: self._value(n, width) - of_chosen for n in others if self._value(n, width) > of_chosen}
            better = [
                n for n, gain in gains.items() if gain > self._options.enough(self._uncertainty(chosen, n), of_chosen)
            ]
            chosen = max(better, key=gains.__getitem__, default=chosen)
        return chosen

    def _uncertainty(self, first: int, second: int) -> float:
        """Of the difference of two stages: it rests on the events left out that hard cuts of one of the two select."""
        positions = [self._positions(stage) for stage in (first, second)]
        slopes = [self._search.of_sums(self._pooled(of_stage))[1] for of_stage in positions]
        variance = 0.0
        for region, (one, other) in enumerate(zip(*slopes, strict=True)):
            differing = sum(
                _differing(events.regions[region], positions[0][fold], positions[1][fold])
                for fold, events in enumerate(self._left_out)
            )
            variance += float(np.sum((0.5 * (one + other)[:, 0]) ** 2 * differing))
        return float(np.sqrt(variance))


def _exhausted(values: Sequence[float], patience: int) -> bool:
    """Whether the last values are all worse than one before."""
    before = max(values[:-patience], default=float("-inf"))
    return bool(np.isfinite(before)) and all(value < before for value in values[-patience:])


def _differing(events: SoftEvents, first: FloatArray, second: FloatArray) -> FloatArray:
    """Sums of squared weights of the events that one of two sets of hard cuts selects, shape (cell,)."""
    mask = events.hard_mask(first[events.index]) ^ events.hard_mask(second[events.index])
    return np.bincount(events.cell[mask], events.squares[mask], minlength=int(np.prod(events.shape))).astype(np.float64)
