"""The course of an optimization: all stages, their validation, the polish; interrupted, resumed."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hepcuts._core.executors import Executor
from hepcuts._core.progress import progress
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import Ending
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import without_outside_warnings

from .feasibility import enforce
from .history import History
from .jumps import advance_stage
from .left_out import HardValue
from .polish import Polished, gain, polish
from .stages import AbstractDescent, Checkpoint, descend
from .validation import StageValues, Validator
from .walk import Walk

_NOTHING_BETTER = "converged, but nowhere better than at the start, whose cuts are kept"


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """Where a course ended.

    Attributes:
        walk: the way, with its last position.
        ending: of the last stage.
        position: hard thresholds in the coordinates, shape (threshold,).
        schedule: the stages up to the chosen one.
        validation: of the stages, or None.
        polish: what the polish did.
        validated: the value of the hard cuts in the cross-validation, or None.
        polish_validated: what the polish gained in the cross-validation, penalties aside, or None.
        interrupted: whether the user did.
        folds: thresholds that each fold would have, shape (fold, threshold), or None.
    """

    walk: Walk
    ending: Ending
    position: FloatArray
    schedule: tuple[float, ...]
    validation: StageValues | None
    polish: Polished
    validated: HardValue | None
    polish_validated: float | None
    interrupted: bool
    folds: FloatArray | None = None


def run(
    search: Search,
    samples: Sequence[Sample],
    schedule: tuple[float, ...],
    *,
    folds: AbstractFolds | None,
    checkpoint: Checkpoint | None = None,
    executor: Executor | None = None,
) -> Outcome:
    """Go through the stages, choose one, polish.

    An interrupt (KeyboardInterrupt) ends the stages; those before count. In the first stage there are none, and the
    interrupt goes on to the caller.

    Args:
        search: with the training events.
        samples: these events.
        schedule: widths of the stages in units of the search's own.
        folds: of the events, or None for no cross-validation.
        checkpoint: written after each stage, and what a later run of the same problem goes on from.
        executor: who goes through the folds; None for threads.

    Raises:
        InputError: the checkpoint is that of another problem.
        OptimizationError: the objective has no finite value at the start, or constraints cannot be fulfilled.
    """
    with progress("optimizing cuts") as bar:
        choose = folds is not None and len(schedule) > 1
        walked = search.coarse(search.tuning.anneal.coarse_precision) if choose else search
        walk = Walk(walked, search.space.start, bar.update)
        validator = None
        if choose and folds is not None:
            validator = Validator(search, samples, schedule, folds=folds, report=bar.update, executor=executor)

        def report(stage: int) -> None:
            bar.set_postfix_str(f"stage {stage + 1} of at most {len(schedule)}")

        interrupted = descend(_CutDescent(walk, validator, schedule), report, checkpoint=checkpoint)
        if validator is not None and validator.num_stages == 0:
            validator = None  # interrupted before anything was to be compared
        outcome = _conclude(walk, search, schedule, validator, interrupted=interrupted)
        return _no_worse_than_the_start(outcome, search, validator)


class _CutDescent(AbstractDescent):
    """The walk with all events and, beside it, those of the folds."""

    def __init__(self, walk: Walk, validator: Validator | None, schedule: tuple[float, ...]) -> None:
        self._walk, self._validator, self._schedule = walk, validator, schedule

    @property
    def num_stages(self) -> int:
        """See `AbstractDescent.num_stages`."""
        return self._walk.num_stages

    def stages(self) -> Iterator[int]:
        """The stages that are worthwhile."""
        for stage in range(self.num_stages, len(self._schedule)):
            if self._validator is not None and not self._validator.worthwhile:
                break
            yield stage

    def advance(self, stage: int) -> None:
        """See `AbstractDescent.advance`."""
        advance_stage(self._walk, self._schedule[stage])
        if self._validator is not None:
            without_outside_warnings(self._validator.advance)()

    def back_to(self, stage: int) -> None:
        """See `AbstractDescent.back_to`."""
        self._walk.back_to(stage)

    @property
    def state(self) -> dict[str, Any]:
        """See `AbstractDescent.state`."""
        return {"walk": self._walk.state, "validator": None if self._validator is None else self._validator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `AbstractDescent.restore`."""
        self._walk.restore(state["walk"])
        if self._validator is not None:
            self._validator.restore(state["validator"])

    @property
    def history(self) -> History:
        """See `AbstractDescent.history`."""
        return self._walk.history()


def _conclude(
    walk: Walk, search: Search, schedule: tuple[float, ...], validator: Validator | None, *, interrupted: bool
) -> Outcome:
    """The chosen stage again, to full precision, and its hard cuts polished if that stands the validation."""
    if validator is None:
        chosen = schedule[: walk.num_stages]
        done = _polished(search, walk.position, chosen[-1])
        return Outcome(walk, walk.ending, done.position, chosen, None, done, None, None, interrupted)
    validation = validator.result()
    chosen = schedule[: validation.chosen + 1]
    walk.back_to(validation.chosen)
    ending = walk.repeat(chosen[-1], walk.position, search=search)
    done = _polished(search, walk.position, chosen[-1])
    value, gained = validation.hard, None
    folds = validation.thresholds
    if done.moves:
        polished = without_outside_warnings(validator.polished)(validation.chosen)
        gained = polished.plain - value.plain
        if polished.guarded < value.guarded:
            done = dataclasses.replace(
                done, position=enforce(search, walk.position), gain=0.0, uncertainty=0.0, moves=0
            )
        else:
            value, folds = polished, validator.polished_thresholds
    return Outcome(walk, ending, done.position, chosen, validation, done, value, gained, interrupted, folds)


def _polished(search: Search, position: FloatArray, factor: float) -> Polished:
    """The polish of hard cuts for which the guards hold: where they do not, any move that helps them is a gain."""
    done = polish(search, enforce(search, position), search.space.widths * factor)
    return dataclasses.replace(done, position=enforce(search, done.position))


def _no_worse_than_the_start(outcome: Outcome, search: Search, validator: Validator | None) -> Outcome:
    """The outcome, or the start if there is evidence that hard cuts there are better.

    On the events left out in the cross-validation, or, without one, on those of the search.
    """
    start = enforce(search, search.space.start)
    ending = dataclasses.replace(outcome.ending, message=_NOTHING_BETTER)
    found: dict[str, Any] = {"position": start, "ending": ending, "polish": Polished(start, 0.0, 0.0, 0)}
    if validator is None or outcome.folds is None or outcome.validated is None:
        change, sigma = gain(search, start, outcome.position) if search.has_templates else (0.0, 0.0)
        return dataclasses.replace(outcome, **found) if -change > search.tuning.validation.sure * sigma else outcome
    value = validator.start_is_better(outcome.folds, outcome.validated)
    if value is None:
        return outcome
    return dataclasses.replace(outcome, **found, validated=value.hard, polish_validated=None, folds=value.thresholds)
