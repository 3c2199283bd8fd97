"""Train a discriminant, then fix it and find the cuts."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm
from numpy.typing import NDArray

from hepcuts._types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Selection
from hepcuts.directions import find_directions
from hepcuts.discriminant import Discriminant
from hepcuts.discriminant.scorer import Scorer
from hepcuts.errors import InputError
from hepcuts.evaluation import evaluate
from hepcuts.filling import as_selection, quietly
from hepcuts.objectives import AbstractEventObjective, AbstractObjective, AbstractTemplateObjective, BinaryCrossEntropy
from hepcuts.objectives import objective as find_objective
from hepcuts.optimize import STAGES, optimize
from hepcuts.problem import Problem
from hepcuts.relaxations import step as find_step
from hepcuts.samples import Sample, check_samples
from hepcuts.search import Search
from hepcuts.soft_events import SoftEvents
from hepcuts.solvers import LBFGS, AbstractSolver
from hepcuts.solvers import solver as find_solver

from .course import Course, Plan, Point
from .losses import Classification, EndToEnd
from .result import TrainingResult
from .scored_events import ScoredEvents, Units

ANNEAL = (5.0, 2.5, 1.25, 0.6, 0.3)
"""Default widths of the stages, in units of 0.2 spreads of the score and of each other cut's own width."""

_SHARED = ("axis", "regions", "min_background", "constraints", "fixed", "tied", "step")
"""Options of `optimize` that hold in the training, too."""


def train(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    discriminant: Discriminant,
    *,
    objective: str | AbstractObjective | Callable[..., Any] = "profile",
    cut_objective: str | AbstractObjective | Callable[..., Any] | None = None,
    solver: str | AbstractSolver = "lbfgs",
    anneal: Sequence[float] = ANNEAL,
    pretraining: int = 100,
    validation: float = 0.25,
    patience: int = 20,
    weight_decay: float = 0.0,
    holdout: float | None = None,
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
        solver: ``"lbfgs"``, ``"adam"`` or an object of `hepcuts.solvers`; for each stage.
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
        >>> result.significance > 1.0
        True
    """
    chosen = _checked_selection(selection, discriminant)
    generator = np.random.default_rng(seed)
    training, held_out = _split(check_samples(samples), holdout, generator)
    prepared = discriminant.standardized(training)
    goal, cut_goal = _goals(objective, cut_objective)
    plan = _plan(solver, anneal, pretraining, patience, weight_decay)
    masks = _masks(training, validation, generator)
    scored = prepared.samples(training)
    problem = _problem(scored, chosen, goal if isinstance(goal, AbstractTemplateObjective) else cut_goal, options)
    trained = quietly(_Training(scored, prepared, masks, problem, plan).run)(goal)
    fixed = prepared.at(trained.parameters, location=trained.units.location, spread=trained.units.spread)
    start = chosen.at(trained.thresholds)
    # The trained thresholds are a start that wide soft cuts would forget.
    narrow = {"anneal": [1.0] if any(c.width is not None for c in start.cuts) else [s for s in STAGES if s < 1.25]}
    found = optimize(fixed.samples(training), start, objective=cut_goal, seed=seed, **(narrow | options))
    if held_out is not None:
        quoted = {"axis": problem.axis, "regions": problem.regions, "objective": cut_goal}
        worth = quietly(evaluate)(fixed.samples(held_out), found.selection, **quoted)
        found = dataclasses.replace(found, held_out=worth)
    return TrainingResult(
        discriminant=fixed,
        optimization=found,
        objective=goal.name,
        validated=goal.sign * trained.validated,
        warm_start=goal.sign * trained.warm_start,
        history=tuple(trained.course.rows),
        success=trained.course.success and found.success,
        message=trained.course.messages[-1],
        seed=None if isinstance(seed, np.random.Generator) else int(seed),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Trained:
    parameters: Any
    units: Units
    thresholds: FloatArray
    validated: float
    warm_start: float
    course: Course


class _Training:
    """A training with everything laid out.

    Args:
        samples: with the score that the training starts from as a column.
        discriminant: standardized.
        masks: for each sample which of its events train, shape (event,).
        problem: cuts and objective.
        plan: how it goes.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        discriminant: Discriminant,
        masks: Sequence[NDArray[np.bool_]],
        problem: Problem,
        plan: Plan,
    ) -> None:
        self._samples, self._discriminant, self._masks, self._plan = samples, discriminant, masks, plan
        self._search = quietly(Search)(samples, problem)
        self._scorer = Scorer(discriminant.function, discriminant.parameters)
        self._validates = not all(np.all(mask) for mask in masks)

    def run(self, goal: AbstractObjective) -> _Trained:
        """Through the course."""
        cut = self._search.selection.variables.index(self._discriminant.name)
        members = [t for t, c in enumerate(self._search.selection.cut_of_threshold) if c == cut]
        # Quiet when not on a terminal.
        quiet = not sys.stderr.isatty()
        with tqdm.tqdm(total=None, desc="training", unit=" steps", disable=quiet, leave=False) as bar:
            validation = self._end_to_end(train=False) if self._validates else None
            options: dict[str, Any] = {"members": members, "plan": self._plan, "report": bar.update}
            course = Course(self._end_to_end(train=True), validation, **options)
            if isinstance(goal, BinaryCrossEntropy):
                return self._classified(course, balanced=goal.balanced)
            return self._staged(course)

    def _classified(self, course: Course, *, balanced: bool) -> _Trained:
        vector = course.classify(self._losses(balanced=balanced), self._scorer.start, self._plan.solver)
        point = course.point(vector, self._plan.anneal[-1])
        return self._trained(point, course, np.nan, np.nan)

    def _staged(self, course: Course) -> _Trained:
        vector = self._scorer.start
        if self._plan.pretraining:
            solver = LBFGS(max_steps=self._plan.pretraining, tolerance=1e-6)
            vector = course.classify(self._losses(balanced=True), vector, solver)
            course.success = True  # it need not converge
        first, *others = self._plan.anneal
        warm = course.point(vector, first)
        point = course.stage(0, warm)
        try:
            for number, factor in enumerate(others, start=1):
                warm = course.point(vector, factor)
                start = max(warm, course.again(point, factor), key=lambda p: p.validated)
                point = course.stage(number, start)
        except KeyboardInterrupt:
            course.interrupt()
        return self._trained(point, course, point.validated, warm.validated)

    def _trained(self, point: Point, course: Course, validated: float, warm_start: float) -> _Trained:
        parameters = self._scorer.parameters(point.vector)
        thresholds = self._search.thresholds(point.thresholds)
        thresholds[course.members] = point.thresholds[course.members]  # in units already
        return _Trained(parameters, point.units, thresholds, validated, warm_start, course)

    def _losses(self, *, balanced: bool) -> tuple[Classification, Classification | None]:
        """BCE of the events that train, and of the others."""

        def of(masks: Sequence[NDArray[np.bool_]]) -> Classification:
            part = [sample.take(mask) for sample, mask in zip(self._samples, masks, strict=True)]
            return Classification(part, self._discriminant, self._scorer, balanced=balanced)

        others = [~mask for mask in self._masks]
        return of(self._masks), of(others) if self._validates else None

    def _end_to_end(self, *, train: bool) -> EndToEnd:
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

        selections = self._search.problem.selections()
        regions = [
            ScoredEvents.of(region, self._samples, selection, self._discriminant)
            for region, selection in zip(self._search.some(choose).regions, selections, strict=True)
        ]
        return EndToEnd(self._search, regions, self._scorer)


def _checked_selection(selection: Selection | AbstractCut, discriminant: Discriminant) -> Selection:
    """The selection, whose cut on the score keeps large values."""
    chosen = as_selection(selection)
    if not isinstance(discriminant, Discriminant):
        raise InputError(f"discriminant came as {type(discriminant).__name__}; expected a hepcuts.Discriminant.")
    name = discriminant.name
    cut = next((c for c in chosen.cuts if c.variable == name), None) if chosen is not None else None
    if chosen is None or cut is None:
        raise InputError(f"There is no cut on the discriminant {name!r} in {chosen}; add hepcuts.Cut({name!r}, '>').")
    given = (cut.thresholds, cut.bounds, cut.width)
    if not isinstance(cut, Cut) or cut.direction == "<" or given != ((None,), None, None):
        raise InputError(
            f"The cut on the discriminant is {cut}; expected hepcuts.Cut({name!r}, '>') without threshold, bounds or "
            "width, since the scale of a score is known only after the training."
        )
    cuts = [Cut(name, ">", missing=c.missing) if c is cut else c for c in chosen.cuts]
    return Selection(cuts)


def _split(
    samples: Sequence[Sample], holdout: float | None, generator: np.random.Generator
) -> tuple[tuple[Sample, ...], tuple[Sample, ...] | None]:
    """Training and held-out samples; each part stands for the whole yield."""
    if holdout is None:
        return tuple(samples), None
    if not 0 < holdout < 1:
        raise InputError(f"holdout is {holdout}; expected a fraction between 0 and 1, or None.")
    parts = [sample.split(1.0 - holdout, seed=generator) for sample in samples]
    return tuple(first for first, _ in parts), tuple(second for _, second in parts)


def _masks(samples: Sequence[Sample], validation: float, generator: np.random.Generator) -> list[NDArray[np.bool_]]:
    """For each sample which of its events train, each of shape (event,)."""
    if not 0 <= validation < 1:
        raise InputError(f"validation is {validation}; expected a fraction of 0 or more, less than 1.")
    masks = []
    for sample in samples:
        mask = np.ones(len(sample), dtype=bool)
        others = round(validation * len(sample))
        mask[generator.permutation(len(sample))[:others]] = False
        if validation and not 0 < others < len(sample):
            raise InputError(
                f"A fraction of {validation} of the {len(sample)} events of sample {sample.name!r} leaves none to "
                "train or none to validate; choose another, or validation=0."
            )
        masks.append(mask)
    return masks


def _goals(given: Any, cut_objective: Any) -> tuple[AbstractObjective, AbstractObjective]:
    """Objectives of the training and of the hard cuts."""
    goal = find_objective(given)
    if isinstance(goal, AbstractEventObjective) and not isinstance(goal, BinaryCrossEntropy):
        raise InputError(
            f"A discriminant cannot be trained on {goal.name!r}; choose an objective of the templates, 'bce' or "
            "'bce_balanced'."
        )
    if cut_objective is not None:
        return goal, find_objective(cut_objective)
    return goal, find_objective("profile") if isinstance(goal, AbstractEventObjective) else goal


def _plan(
    solver: str | AbstractSolver, anneal: Sequence[float], pretraining: int, patience: int, weight_decay: float
) -> Plan:
    factors = tuple(float(factor) for factor in anneal)
    if not factors or not all(0 < factor < np.inf for factor in factors):
        raise InputError(f"anneal is {anneal}; expected at least one positive factor, such as (5, 2.5, 1.25).")
    if pretraining < 0 or patience < 1 or not 0 <= weight_decay < np.inf:
        raise InputError(
            f"pretraining is {pretraining}, patience {patience}, weight_decay {weight_decay}; expected 0 or more "
            "steps, 1 or more steps, and a number that is 0 or more."
        )
    return Plan(find_solver(solver), factors, pretraining, patience, weight_decay)


def _problem(
    samples: Sequence[Sample], selection: Selection, goal: AbstractObjective, options: Mapping[str, Any]
) -> Problem:
    """What is asked of the training; `options` are those of `optimize`."""
    shared = {name: options[name] for name in _SHARED if name in options}
    return Problem(
        find_directions(samples, selection),
        goal,
        find_solver("lbfgs"),
        find_step(shared.get("step", "sigmoid")),
        shared.get("axis"),
        tuple(shared.get("regions", ())),
        shared.get("min_background", 10.0),
        shared.get("constraints"),
        tuple(shared.get("fixed", ())),
        tuple(tuple(group) for group in shared.get("tied", ())),
    )
