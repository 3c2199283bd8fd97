"""A training as a staged descent: BCE first, then soft cuts of one width after the other."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hepcuts._core.progress import progress
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.merit.cross_entropy import AbstractCrossEntropy, BinaryCrossEntropy, WeightedCrossEntropy
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.rounds import Round, Rounds
from hepcuts.optimization.history import History, Row, packed, unpacked
from hepcuts.optimization.solvers import LBFGS
from hepcuts.optimization.stages import AbstractDescent, Checkpoint, descend

from .course import Course, Plan, Point
from .layout import Laid
from .scored_events import Units
from .weighting import weighted_rounds


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """Where a training ended, in the terms of the user.

    Attributes:
        parameters: of the discriminant.
        units: of its score.
        selection: soft cuts as hard ones, where the search for these starts.
        validated: the objective on events that validate, larger is better; NaN for a classification loss.
        warm_start: the same at the parameters that BCE gave.
        rounds: those of a weighted BCE whose weight was to be found, or None.
        history: all steps.
        success: whether no stage failed.
        message: why the last one ended.
    """

    parameters: Any
    units: Units
    selection: Selection
    validated: float
    warm_start: float
    rounds: Rounds | None
    history: History
    success: bool
    message: str


def run(laid: Laid, figure: AbstractFigureOfMerit, how: Plan, checkpoint: Checkpoint | None = None) -> Trained:
    """Go through the stages.

    An interrupt (KeyboardInterrupt) ends them; those before count. In the first there are none, and the interrupt goes
    on to the caller.

    Args:
        laid: the events.
        figure: what is trained on.
        how: the stages.
        checkpoint: written after each stage, and what a later training of the same problem goes on from.

    Raises:
        InputError: the checkpoint is that of another problem.
        OptimizationError: the objective has no finite value.
    """
    with progress("training") as bar:
        course = Course(
            laid.end_to_end(train=True),
            laid.end_to_end(train=False) if laid.validates else None,
            members=laid.members,
            plan=how,
            report=bar.update,
        )
        descent = _TrainingDescent(course, laid, figure)
        if descend(descent, checkpoint=checkpoint):
            course.interrupt()
        return descent.trained()


_BALANCED = BinaryCrossEntropy("warm_start", "balanced BCE", balanced=True)
"""The loss of the warm start."""


class _TrainingDescent(AbstractDescent):
    """The stages of a training: BCE, and then the widths.

    Each of the latter starts from the best of the warm start and the stage before, at its widths. If the training is on
    BCE there is nothing after it, without pretraining nothing before the widths.

    Args:
        course: the training.
        laid: its events.
        figure: what is trained on.
    """

    def __init__(self, course: Course, laid: Laid, figure: AbstractFigureOfMerit) -> None:
        self._course, self._laid = course, laid
        self._loss = figure if isinstance(figure, AbstractCrossEntropy) else None
        widths = range(1, 1 + len(course.plan.anneal)) if self._loss is None else range(0)
        self._numbers = ([0] if self._loss is not None or course.plan.pretraining else []) + [*widths]
        self._done = 0
        self._vector: FloatArray = laid.scorer.start
        self._warm: Point | None = None
        self._rounds: Rounds | None = None
        self._points: list[Point] = []

    @property
    def num_stages(self) -> int:
        """See `AbstractDescent.num_stages`."""
        return self._done

    def stages(self) -> Iterable[int]:
        """See `AbstractDescent.stages`."""
        return range(self._done, len(self._numbers))

    def advance(self, stage: int) -> None:
        """See `AbstractDescent.advance`."""
        if self._numbers[stage] == 0:
            self._classify()
        else:
            self._narrow(self._numbers[stage] - 1)
        self._done = stage + 1

    def _classify(self) -> None:
        course, laid, plan, loss = self._course, self._laid, self._course.plan, self._loss
        start = np.append(laid.scorer.start, 0.0)
        if isinstance(loss, WeightedCrossEntropy) and loss.background_weight is None:
            vector, self._rounds = weighted_rounds(laid, course, loss)
        elif loss is not None:
            vector = course.classify(laid.losses(loss), start, plan.solver)
        else:
            solver = LBFGS(max_steps=plan.pretraining, tolerance=plan.pretraining_precision)
            vector = course.classify(laid.losses(_BALANCED), start, solver)
            course.success = True  # it need not converge
        self._vector = vector[:-1]

    def _narrow(self, number: int) -> None:
        factor = self._course.plan.anneal[number]
        warm = start = self._course.point(self._vector, factor)
        if self._points:
            start = max(warm, self._course.again(self._points[-1], factor), key=lambda p: p.validated)
        self._points.append(self._course.stage(number, start))
        self._warm = warm

    def back_to(self, stage: int) -> None:
        """See `AbstractDescent.back_to`."""
        self._done = stage + 1
        self._points = self._points[: sum(number > 0 for number in self._numbers[: self._done])]
        self._course.rows = [row for row in self._course.rows if row.stage <= self._numbers[stage]]

    @property
    def state(self) -> dict[str, Any]:
        """See `AbstractDescent.state`."""
        course = self._course
        return {
            "done": self._done,
            "vector": self._vector.tolist(),
            "warm": None if self._warm is None else packed(self._warm),
            "points": [packed(point) for point in self._points],
            "rows": [packed(row) for row in course.rows],
            "rounds": None if self._rounds is None else dataclasses.asdict(self._rounds),
            "messages": course.messages,
            "success": course.success,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `AbstractDescent.restore`."""
        course = self._course
        self._done, self._vector = int(state["done"]), np.array(state["vector"])
        self._warm = None if state["warm"] is None else _point(state["warm"])
        self._points = [_point(point) for point in state["points"]]
        course.rows = [Row(**unpacked(row)) for row in state["rows"]]
        rounds = state["rounds"]
        if rounds is not None:
            self._rounds = Rounds(**(rounds | {"rounds": [Round(**one) for one in rounds["rounds"]]}))
        course.messages, course.success = list(state["messages"]), bool(state["success"])

    @property
    def history(self) -> History:
        """See `AbstractDescent.history`."""
        rows = self._course.rows
        return History.of(rows, validation=np.array([row.validation for row in rows]))

    def trained(self) -> Trained:
        """Where it ended."""
        course, laid, plan = self._course, self._laid, self._course.plan
        if self._points:
            point = self._points[-1]
        else:
            point = course.point(self._vector, plan.anneal[0 if self._loss is None else -1])
        warm = point if self._warm is None else self._warm
        validated, warm_start = (one.validated if self._loss is None else np.nan for one in (point, warm))
        thresholds = laid.search.space.thresholds(point.thresholds)
        members = list(laid.members)
        thresholds[members] = point.thresholds[members]  # in units already
        return Trained(
            laid.scorer.parameters(point.vector),
            point.units,
            laid.search.space.selection.at(thresholds),
            validated,
            warm_start,
            self._rounds,
            self.history,
            course.success,
            course.messages[-1],
        )


def _point(state: Mapping[str, Any]) -> Point:
    return Point(**(unpacked(state) | {"units": Units(**state["units"])}))
