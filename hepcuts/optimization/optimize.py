"""Optimizing many cuts at once: from thresholds through soft templates and the JAX likelihood, by gradient.

The soft cuts start wide, so that every threshold feels all events, and are narrowed in stages. How far is decided by
cross-validation: narrow cuts follow the events that choose them, and a search that maximizes harder on its own events
does worse on others. Then the cuts are made hard, and everything that is quoted comes from hard cuts: the objective's
value, the significance of the profile likelihood, pyhf's own confirmation, and, if a part of the events was held out,
all of it on events that did not choose the cuts.
"""

import copy
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core import files
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts._core.identity import identify
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.cuts.steps import AbstractStep
from hepcuts.cuts.steps import step as find_step
from hepcuts.evaluation.bootstrap import Bootstrap, Optimism, check_replicas
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.optimization.soft.directions import find_directions
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample, check_samples, hold_out
from hepcuts.templates.filling import without_outside_warnings

from .checkpoint import Checkpoint
from .course import Outcome, run
from .honesty import judged
from .result import OptimizationResult
from .sensitivity import sensitivity
from .solvers import AbstractSolver
from .solvers import solver as find_solver
from .validation import fold_members
from .walk import History

STAGES = (5.0, 3.0, 1.8, 1.1, 0.65, 0.4, 0.25)
"""Default widths of the stages in units of each cut's own."""


def optimize(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    objective: Given = "profile",
    solver: str | AbstractSolver = "lbfgs",
    step: str | AbstractStep = "sigmoid",
    anneal: Sequence[float] | None = None,
    axis: Any = None,
    regions: Iterable[Region] | Region = (),
    holdout: float | None = None,
    folds: int = 4,
    seed: int | np.random.Generator = 0,
    min_background: float = 10.0,
    constraints: Mapping[str, float] | None = None,
    fixed: Iterable[str] | str = (),
    tied: Iterable[Sequence[str]] = (),
    log: str | Path | None = None,
    checkpoint: str | Path | None = None,
    replicas: int = 100,
    throw: bool = True,
) -> OptimizationResult:
    """Find the cuts that optimize an objective.

    Thresholds are searched along the ranks of the events (`hepcuts.templates.coordinates`): the answer does not
    depend on the units of a variable, nor on whether it or its logarithm is cut on.

    Args:
        samples: at least one signal and one background.
        selection: the cuts. A threshold that is given is where the search starts; one that is not starts where 95 %
            of the signal pass. The direction ``"auto"`` is found from the events. A cut's ``bounds`` limit its
            thresholds. A cut's ``width`` is the width of its soft cut in the units of the variable, in which it is
            then searched, too; by default 0.2 standard deviations of its normal scores.
        objective: a name, an object, or a function of yields and structure; see `hepcuts.merit.registry`.
        solver: ``"lbfgs"``, ``"adam"`` or an object of `hepcuts.optimization.solvers`.
        step: the step function of the soft cuts; see `hepcuts.cuts.steps`.
        anneal: the widths of the soft cuts, stage by stage, in units of each cut's own; decreasing. By default from
            5 to 0.25, for cuts with a ``width`` from 5 to 1. How far to go is chosen by cross-validation
            (`hepcuts.optimization.validation`).
        axis: an axis of `hist.axis` for a shape fit, or None to count.
        regions: control regions, whose cuts are those of the signal region, inverted or left out.
        holdout: fraction of events, between 0 and 1, that does not take part in the search and on which its result
            is quoted; None to use all events for both, which overstates the result.
        folds: number of folds of the cross-validation among the training events; 0 to go through all of `anneal`.
        seed: seed of the split and of the folds.
        min_background: effective number of simulated background events that the search wants to keep behind the
            cuts. Where it runs out of them the significance grows without limit and means nothing.
        constraints: what there has to be behind the hard cuts on the training events, as in ``{"signal": 5,
            "signal_efficiency": 0.3, "effective_background": 20, "ttbar": 1}``; see
            `hepcuts.optimization.soft.constraints`.
        fixed: names of thresholds (see `Selection.names`) that stay as they are given.
        tied: groups of names of thresholds that shall be equal, as in ``[("lepton1_pt", "lepton2_pt")]``.
        log: file for the log of cuts, one line for each step.
        checkpoint: file that is written after each stage; if it exists, the optimization goes on from there, if it
            is that of the same problem: events, modifiers, cuts, objective (a function counts by its code), options
            and version of hepcuts. An interrupt (Ctrl-C) ends the search with the best of the stages so far.
        replicas: number of bootstrap replicas of the events for the uncertainties of what is quoted and of its
            optimism; 0 for none.
        throw: whether to raise if the search fails; otherwise ``success`` and ``message`` tell.

    Returns:
        Hard cuts with their significance, the history, the workspace, and soft and hard values.

    Raises:
        OptimizationError: the objective has no finite value at the start, or the search failed and `throw` is set.
        SampleError: as `hepcuts.fill`.
        InputError: an unknown name, an empty schedule, a fraction that is not between 0 and 1, a checkpoint of another
            problem, or a checkpoint for an objective that cannot be told from others.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> result = hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov")
        >>> abs(result.thresholds["x"] - 28.0) < 1.0
        True
    """
    samples = check_samples(samples)
    chosen = Selection([selection]) if isinstance(selection, AbstractCut) else selection
    generator = np.random.default_rng(seed)
    unused = copy.deepcopy(generator)
    training, held_out = hold_out(samples, holdout, seed=generator)
    goal, walker, replicas = figure_of_merit(objective), find_solver(solver), check_replicas(replicas)
    problem = Problem(
        find_directions(training, chosen),
        goal,
        walker,
        find_step(step),
        axis,
        (regions,) if isinstance(regions, Region) else tuple(regions),
        min_background,
        constraints,
        (fixed,) if isinstance(fixed, str) else tuple(fixed),
        tuple(tuple(group) for group in tied),
        walker.unit == "variable",
    )
    search = without_outside_warnings(Search)(training, problem)
    members = fold_members(training, folds, generator) if folds else None
    schedule = _schedule(anneal, problem)
    options = {"stages": schedule, "holdout": holdout, "folds": folds, "seed": unused}
    keeper = None if checkpoint is None else Checkpoint(Path(checkpoint), _identity(samples, problem, options))
    outcome = run(search, training, schedule, members=members, checkpoint=keeper)
    history = outcome.walk.history()
    if log is not None:
        files.write_text(log, "\n".join(history.lines()) + "\n")
    events = (training, held_out)
    judge = functools.partial(judged, problem, events=events, members=members, replicas=replicas, generator=generator)
    return _result(outcome, history, search, events, judge=judge, throw=throw, seed=seed)


def _result(
    outcome: Outcome,
    history: History,
    search: Search,
    events: tuple[Sequence[Sample], Sequence[Sample] | None],
    *,
    judge: Callable[..., tuple[Bootstrap | None, Optimism | None]],
    throw: bool,
    seed: int | np.random.Generator,
) -> OptimizationResult:
    ending, problem, (training, held_out) = outcome.ending, search.problem, events
    if throw and not ending.success:
        raise OptimizationError(
            f"The search for the best cuts stopped after {ending.num_steps} steps: {ending.message}."
        )
    thresholds = search.thresholds(outcome.position)
    try:
        hard = problem.selection.at(thresholds)
    except InputError as error:
        raise OptimizationError(f"The search ended at cuts that nothing can pass: {error}") from error
    sign, validation, interrupted = problem.goal.sign, outcome.validation, outcome.interrupted
    spread: Bootstrap | None = None
    optimism: Optimism | None = None
    try:
        spread, optimism = judge(hard, outcome.folds)
    except KeyboardInterrupt:
        interrupted = True  # the cuts are found; only their uncertainties are not
    widths = search.widths * outcome.schedule[-1]
    options: dict[str, Any] = {"objective": problem.goal, "axis": problem.axis, "regions": problem.regions}
    return OptimizationResult(
        thresholds=hard.to_dict(thresholds),
        selection=hard,
        objective=problem.goal.name,
        label=problem.goal.label,
        soft_value=float(history.values[-1]),
        training=evaluate(training, hard, **options),
        held_out=None if held_out is None else without_outside_warnings(evaluate)(held_out, hard, **options),
        validated=None if outcome.validated is None else sign * outcome.validated,
        start=search.thresholds(search.start),
        history=history,
        success=ending.success and not interrupted,
        interrupted=interrupted,
        message=f"interrupted; until then: {ending.message}" if interrupted else ending.message,
        num_steps=len(history),
        anneal=outcome.schedule,
        validation=None if validation is None else tuple(validation.values.tolist()),
        polish=outcome.polish,
        polish_validated=outcome.polish_validated,
        seed=None if isinstance(seed, np.random.Generator) else int(seed),
        samples=tuple(training if held_out is None else held_out),
        axis=problem.axis,
        regions=problem.regions,
        bootstrap=spread,
        optimism=optimism,
        _find_sensitivity=functools.partial(sensitivity, search, outcome.position, widths),
    )


def _identity(samples: Sequence[Sample], problem: Problem, options: Mapping[str, Any]) -> dict[str, str]:
    """Digests of all that the way of a search depends on."""
    return identify(
        samples=samples,
        selection=problem.selection,
        objective=problem.goal,
        axis=problem.axis,
        regions=problem.regions,
        constraints=problem.constraints,
        fixed=problem.fixed,
        tied=problem.tied,
        min_background=problem.min_background,
        solver=problem.walker,
        step=problem.relaxation,
        **options,
    )


def _schedule(anneal: Sequence[float] | None, problem: Problem) -> tuple[float, ...]:
    if anneal is None:
        given = any(cut.width is not None for cut in problem.selection.cuts) or problem.linear
        return (*(stage for stage in STAGES if stage > 1.0), 1.0) if given else STAGES
    if len(anneal) == 0 or not np.all(np.asarray(anneal) > 0):
        raise InputError(f"anneal is {anneal}; expected at least one positive factor, such as (5, 2, 1).")
    return tuple(float(factor) for factor in anneal)
