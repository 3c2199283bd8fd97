"""Train a discriminant, then fix it and find the cuts."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.counters import as_seed
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.discriminant import Discriminant
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.evaluation.resampling import HOLDOUT, hold_out
from hepcuts.merit.figures import AbstractFigureOfMerit, AbstractTemplateFigure
from hepcuts.merit.losses import BinaryCrossEntropy
from hepcuts.merit.registry import Given
from hepcuts.optimization.optimize import optimize
from hepcuts.optimization.options import STAGES
from hepcuts.optimization.solvers import LBFGS, AbstractSolver
from hepcuts.optimization.stages import AbstractDescent, descend, progress
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import without_outside_warnings

from . import preparation as prepare
from .course import Course, Plan, Point
from .layout import Laid
from .result import TrainingResult
from .scored_events import Units

ANNEAL = (5.0, 2.5, 1.25, 0.6, 0.3)
"""Default widths of the stages, in units of 0.2 spreads of the score and of each other cut's own width."""


def train(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    discriminant: Discriminant,
    *,
    objective: Given = "profile",
    cut_objective: Given | None = None,
    solver: str | AbstractSolver = "lbfgs",
    anneal: Sequence[float] = ANNEAL,
    pretraining: int = 100,
    validation: float = 0.25,
    patience: int = 20,
    weight_decay: float = 0.0,
    holdout: float | None = HOLDOUT,
    seed: int | np.random.Generator = 0,
    **options: Any,
) -> TrainingResult:
    """Train a discriminant on the objective itself, together with the cuts on it and beside it.

    The objective is that of soft cuts, differentiated by the likelihood, the sums over events and the function, down
    to its parameters. Far from good parameters it has hardly a gradient; so the training starts with a few steps on
    BCE (the warm start), and goes on through stages of narrower soft cuts. The parameters kept are those that are best
    on a part of the events that does not train. Then the discriminant is fixed, and `hepcuts.optimize` finds the hard
    cuts.

    Args:
        samples: at least one signal and one background. Features are standardized with their events.
        selection: a cut ``Cut(discriminant.name, ">")``, without threshold, bounds or width, which would have no
            unit, and any other cuts.
        discriminant: with the parameters that the training starts from.
        objective: that of `hepcuts.optimize`, of templates; or, for comparison, ``"bce"`` or ``"bce_balanced"``, with
            which all events classify, without cuts.
        cut_objective: objective of the hard cuts; None for that of the training, or ``"profile"`` after BCE.
        solver: ``"lbfgs"``, ``"adam"`` or an object of `hepcuts.optimization.solvers`; for each stage.
        anneal: widths of the soft cuts, stage by stage, in units of 0.2 spreads of the score and of each other cut's
            own width.
        pretraining: largest number of steps of the warm start (L-BFGS, signal and background with equal weight); 0 to
            start from the given parameters.
        validation: fraction of the training events that validates; 0 to use all of them to train.
        patience: steps without a better validated value after which a stage ends.
        weight_decay: the loss, in units of the objective's value at the start, has this times half the sum of the
            squares of the parameters added to it.
        holdout: fraction of events that takes part in nothing, and on which the result is quoted.
        seed: seed of the splits, and of the folds of `hepcuts.optimize`.
        options: further arguments of `hepcuts.optimize` for the hard cuts. ``axis``, ``regions``, ``min_background``,
            ``constraints``, ``fixed``, ``tied`` and ``step`` hold in the training, too.

    Returns:
        The discriminant, the cuts, what both are worth, and the history.

    Raises:
        InputError: there is no such cut, a feature has no column, a column has the discriminant's name, or a score is
            not finite.
        OptimizationError: the objective has no finite value, or the search for the hard cuts failed.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.many_features(2, seed=1, num_signal=2000, num_background=10_000)
        >>> sum_of_both = hc.discriminant.linear("sum", ["x0", "x1"])
        >>> result = hc.train(samples, hc.Cut("sum", ">"), sum_of_both, objective="asimov", holdout=0.5)
        >>> result.optimization.held_out.value > 0.9  # by the closed form
        True
    """
    prepare.check_options(options)
    chosen = prepare.checked_selection(selection, discriminant)
    seed = as_seed(seed)
    training, held_out = hold_out(check_samples(samples), holdout, seed=seed)
    prepared = discriminant.standardized(training)
    figure, cut_figure = prepare.figures(objective, cut_objective)
    how = prepare.plan(solver, anneal, pretraining, patience, weight_decay)
    masks = prepare.masks(training, validation, seed)
    scored = prepared.samples(training)
    prepare.check_scores(scored, discriminant.name)
    asked = prepare.problem(
        scored, chosen, figure if isinstance(figure, AbstractTemplateFigure) else cut_figure, options
    )
    trained = without_outside_warnings(_run)(Laid(scored, prepared, masks, asked), figure, how)
    fixed = prepared.at(trained.parameters, location=trained.units.location, spread=trained.units.spread)
    # The trained thresholds are a start that wide soft cuts would forget.
    narrow = [1.0] if any(cut.width is not None for cut in chosen.cuts) else [s for s in STAGES if s < 1.25]
    start, scored = trained.selection, fixed.samples(training)
    found = optimize(scored, start, objective=cut_figure, seed=seed, anneal=narrow, holdout=None, **options)
    if held_out is not None:
        quoted = {"axis": asked.axis, "regions": asked.regions, "objective": cut_figure}
        worth = without_outside_warnings(evaluate)(fixed.samples(held_out), found.selection, **quoted)
        found = dataclasses.replace(found, held_out=worth)
    return TrainingResult(
        discriminant=fixed,
        optimization=found,
        objective=figure.name,
        validated=figure.sign * trained.validated,
        warm_start=figure.sign * trained.warm_start,
        history=tuple(trained.course.rows),
        success=trained.course.success and found.success,
        message=trained.course.messages[-1],
        seed=seed,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Trained:
    """Where a training ended: a point of its course, in the terms of the user."""

    parameters: Any
    units: Units
    selection: Selection
    validated: float
    warm_start: float
    course: Course


def _run(laid: Laid, figure: AbstractFigureOfMerit, how: Plan) -> _Trained:
    """Through the course."""
    with progress("training") as bar:
        course = Course(
            laid.end_to_end(train=True),
            laid.end_to_end(train=False) if laid.validates else None,
            members=laid.members,
            plan=how,
            report=bar.update,
        )
        if isinstance(figure, BinaryCrossEntropy):
            vector = course.classify(laid.losses(balanced=figure.balanced), laid.scorer.start, how.solver)
            return _trained(laid, course, course.point(vector, how.anneal[-1]), np.nan)
        return _staged(laid, course, how)


def _staged(laid: Laid, course: Course, how: Plan) -> _Trained:
    vector = laid.scorer.start
    if how.pretraining:
        solver = LBFGS(max_steps=how.pretraining, tolerance=how.pretraining_precision)
        vector = course.classify(laid.losses(balanced=True), vector, solver)
        course.success = True  # it need not converge
    descent = _TrainingDescent(course, vector)
    if descend(descent):
        course.interrupt()
    return _trained(laid, course, descent.points[-1], descent.warm.validated)


class _TrainingDescent(AbstractDescent):
    """The stages of a training; each starts from the best of the warm start and the stage before, at its widths.

    Args:
        course: the training.
        vector: parameters of the warm start, shape (parameter,).

    Attributes:
        points: where each stage ended.
        warm: the warm start at the widths of the last stage.
    """

    def __init__(self, course: Course, vector: FloatArray) -> None:
        self._course, self._vector = course, vector
        self.points: list[Point] = []
        self.warm = course.point(vector, course.plan.anneal[0])

    @property
    def num_stages(self) -> int:
        """See `AbstractDescent.num_stages`."""
        return len(self.points)

    def stages(self) -> Iterable[int]:
        """See `AbstractDescent.stages`."""
        return range(self.num_stages, len(self._course.plan.anneal))

    def advance(self, stage: int) -> None:
        """See `AbstractDescent.advance`."""
        warm = start = self.warm
        if stage:
            factor = self._course.plan.anneal[stage]
            warm = self._course.point(self._vector, factor)
            start = max(warm, self._course.again(self.points[-1], factor), key=lambda p: p.validated)
        point = self._course.stage(stage, start)
        self.warm = warm
        self.points.append(point)

    def back_to(self, stage: int) -> None:
        """See `AbstractDescent.back_to`."""
        self.points = self.points[: stage + 1]


def _trained(laid: Laid, course: Course, point: Point, warm_start: float) -> _Trained:
    thresholds = laid.search.space.thresholds(point.thresholds)
    members = list(laid.members)
    thresholds[members] = point.thresholds[members]  # in units already
    selection = laid.search.space.selection.at(thresholds)
    validated = point.validated if np.isfinite(warm_start) else np.nan
    return _Trained(laid.scorer.parameters(point.vector), point.units, selection, validated, warm_start, course)
