"""Which final width generalizes: cross-validation of the stages, all folds in step.

A narrow soft cut follows the events that choose it, a wide one smooths over them: the width is the regularizer. Each
fold is left out once; the others go their own way through the stages (`hepcuts.optimization.folds`), and after each
stage their hard cuts are tried on what was left out (`hepcuts.optimization.left_out`).

So stages are judged by what is quoted, the objective of hard cuts. That hangs on few events, and the best of several
such values is often the luckiest. So the stage whose soft cuts have the width that each cut has by itself is taken,
unless another one is found better twice: by its hard cuts, by a good part of the uncertainty of the gain, and by soft
cuts at the same thresholds, which hang less on single events. They alone would not do: over a steep background a soft
cut lets too much pass, and prefers what is wide.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepcuts._core.executors import Executor, executor_of
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample

from .folds import FoldEnd, SearchFold, parts_of
from .history import packed, unpacked
from .left_out import HardValue, LeftOut
from .options import Validation


@dataclasses.dataclass(frozen=True, eq=False)
class StageValues:
    """Cross-validated values of the stages.

    Attributes:
        values: what they are compared by: the pooled objective of hard cuts on events left out, shape (stage,), negated
            for losses; minus infinity where cuts had no value.
        chosen: number of the chosen stage.
        hard: the value of the chosen stage.
        thresholds: of each fold after the chosen stage, shape (fold, threshold); None if a fold had no value.
    """

    values: FloatArray
    chosen: int
    hard: HardValue
    thresholds: FloatArray | None


class StartValue(NamedTuple):
    """The cross-validated value of the start, and thresholds of each fold there, shape (fold, threshold)."""

    hard: HardValue
    thresholds: FloatArray


class Validator:
    """The folds, one stage after the other.

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
        self._search, self._schedule = search, schedule
        self._options: Validation = search.tuning.validation
        self._usual = int(np.argmin(np.abs(np.log(schedule))))
        parts, numbers = parts_of(folds, samples), range(folds.size)
        self._executor = executor_of(executor)
        self._folds = self._executor.lay_out(
            SearchFold.of(search, samples, [p != k for p in parts], k, scale=folds.scale, report=report)
            for k in numbers
        )
        self._left_out = LeftOut(search, samples, parts, folds.size)
        self._ends: list[list[FoldEnd | None]] = []
        self._values: dict[int, HardValue] = {}
        self.polished_thresholds: FloatArray | None = None

    @property
    def num_stages(self) -> int:
        """Number of stages that the folds went through."""
        return len(self._ends)

    def advance(self) -> None:
        """Let each fold go through its next stage."""
        stage = self.num_stages
        before = self._ends[-1] if stage else []
        self._ends.append(self._executor.map(SearchFold.advanced, self._folds, (stage, self._schedule[stage], before)))

    def _known(self, stage: int) -> list[FoldEnd] | None:
        """Where the folds ended a stage; None if one of them had no value."""
        known = [end for end in self._ends[stage] if end is not None]
        return known if len(known) == len(self._ends[stage]) else None

    def _value(self, stage: int) -> HardValue:
        """Of the folds' hard cuts after a stage; computed when it is asked for first."""
        if stage not in self._values:
            known = self._known(stage)
            nothing = HardValue(float("-inf"), float("-inf"))
            self._values[stage] = nothing if known is None else self._left_out.hard([end.hard for end in known])
        return self._values[stage]

    @property
    def worthwhile(self) -> bool:
        """Whether it makes sense to try a narrower stage: not if the last ones were all worse than one before."""
        if self.num_stages <= self._usual:
            return True
        values = [self._value(stage).plain for stage in range(self._usual, self.num_stages)]
        return not _exhausted(values, self._options.patience)

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs, of numbers and lists."""
        return {"ends": [[None if end is None else packed(end) for end in stage] for stage in self._ends]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where a validator of the same events was."""
        self._ends = [[None if e is None else FoldEnd(**unpacked(e)) for e in stage] for stage in state["ends"]]

    def polished(self, stage: int) -> HardValue:
        """The value of a stage if the folds' hard cuts are polished."""
        ends = self._executor.map(SearchFold.polished, self._folds, (self._known(stage), self._schedule[stage]))
        self.polished_thresholds = np.array([end.hard for end in ends])
        return self._left_out.hard([end.hard for end in ends])

    def start_is_better(self, thresholds: FloatArray, value: HardValue) -> StartValue | None:
        """What hard cuts where the folds start are worth, if that is better with evidence; else None.

        Args:
            thresholds: what it is compared to, of each fold, shape (fold, threshold).
            value: the value there.
        """
        found = self._executor.map(SearchFold.started, self._folds)
        if any(end is None for end in found):
            return None
        hard = [end.hard for end in found]
        start = self._left_out.hard(hard)
        sigma = self._left_out.uncertainty(list(thresholds), hard) if self._search.has_templates else 0.0
        if not start.plain - value.plain > self._options.sure * sigma:
            return None
        return StartValue(start, np.array(hard))

    def result(self) -> StageValues:
        """What was found so far."""
        chosen = self._choice()
        values = np.array([self._value(stage).plain for stage in range(self.num_stages)])
        known = self._known(chosen)
        thresholds = None if known is None else np.array([end.hard for end in known])
        return StageValues(values, chosen, self._value(chosen), thresholds)

    def _choice(self) -> int:
        """The usual stage, or another one that is found better with evidence."""
        values = [self._value(stage).plain for stage in range(self.num_stages)]
        best, usual = int(np.argmax(values)), min(self._usual, self.num_stages - 1)
        if not self._search.has_templates or not np.isfinite(values[usual]):
            return best
        better = [stage for stage in range(self.num_stages) if self._is_better(stage, usual)]
        return max(better, key=values.__getitem__, default=usual)

    def _is_better(self, stage: int, usual: int) -> bool:
        """Whether another stage is better by hard cuts and by soft ones."""
        gain = self._value(stage).plain - self._value(usual).plain
        if not gain > 0.0 or not gain > self._options.likely * self._uncertainty(usual, stage):
            return False
        return self._soft(stage) > self._soft(usual)

    def _soft(self, stage: int) -> float:
        """The value of soft cuts after a stage, of the width that is the same for all of them."""
        ends = self._known(stage) or []
        return self._left_out.value([end.soft for end in ends], self._options.confirmed_at)

    def _uncertainty(self, first: int, second: int) -> float:
        """Of the difference of two stages with values."""
        ends = self._known(first) or [], self._known(second) or []
        return self._left_out.uncertainty(*([end.hard for end in of_stage] for of_stage in ends))


def _exhausted(values: Sequence[float], patience: int) -> bool:
    """Whether the last values are all worse than one before."""
    before = max(values[:-patience], default=float("-inf"))
    return bool(np.isfinite(before)) and all(value < before for value in values[-patience:])
