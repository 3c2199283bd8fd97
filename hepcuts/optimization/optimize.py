"""Optimizing many cuts at once: from thresholds through soft templates and the JAX likelihood, by gradient.

The soft cuts start wide, so that every threshold feels all events, and are narrowed in stages. How far is decided by
cross-validation: narrow cuts follow the events that choose them, and a search that maximizes harder on its own events
does worse on others. Then the cuts are made hard, and everything that is quoted comes from hard cuts: the objective's
value, the significance of the profile likelihood, pyhf's own confirmation, and, if a part of the events was held out,
all of it on events that did not choose the cuts.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core import checks, files
from hepcuts._core.counters import as_seed
from hepcuts._core.described import described
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts._core.executors import Executor, executor_of
from hepcuts._core.identity import identify
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.cuts.steps import AbstractStep
from hepcuts.evaluation.bootstrap import Bootstrap, Optimism
from hepcuts.evaluation.evaluation import HardEvaluation, evaluate
from hepcuts.evaluation.resampling import HOLDOUT, HoldoutLike, ReplicasLike, hold_out, replicas_of
from hepcuts.evaluation.splitters import FoldsLike
from hepcuts.merit.likelihood import NO_SIGNIFICANCE, WITHOUT_SIGNIFICANCE
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.optimization.soft.directions import find_directions
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.soft.spaces import require_something_to_search
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import without_outside_warnings
from hepcuts.templates.integers import told_of_integers
from hepcuts.templates.simulated import FEW_EVENTS

from .certificate import Certificate
from .certify import certify
from .course import Outcome, run
from .folds import folds_of_training
from .given_up import without_given_up
from .history import History
from .options import DEFAULT_TUNING, Tuning
from .reliability import bootstrap_and_optimism
from .result import OptimizationResult
from .sensitivity import hidden_systematics, sensitivity
from .solvers import AbstractSolver, Ending
from .stages import Checkpoint


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
    holdout: HoldoutLike = HOLDOUT,
    folds: FoldsLike = 4,
    seed: int | np.random.Generator = 0,
    min_background: float = FEW_EVENTS,
    constraints: Mapping[str, float] | None = None,
    fixed: Iterable[str] | str = (),
    tied: Iterable[Sequence[str]] = (),
    log: str | Path | None = None,
    checkpoint: str | Path | None = None,
    replicas: ReplicasLike = 100,
    throw: bool = True,
    tuning: Tuning | None = None,
    executor: Executor | None = None,
) -> OptimizationResult:
    """Find the cuts that optimize an objective.

    Thresholds are searched along the ranks of the events (`hepcuts.templates.coordinates`): the answer does not
    depend on the units of a variable, nor on whether it or its logarithm is cut on.

    Args:
        samples: at least one signal and one background.
        selection: the cuts. A threshold that is given is where the search starts; one that is not starts where 95 %
            of the signal's weight pass. The direction ``"auto"`` is found from the events. A cut's ``bounds`` limit its
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
            is quoted, and its workspace made; or a resampling of one part, see `hepcuts.evaluation.resampling`. None to
            use all events for both: the significance is then overstated, the background underestimated, and the
            workspace not to be unblinded with, as the name of its measurement says.
        folds: number of folds of the cross-validation among the training events; 0 to go through all of `anneal`. Or
            a splitter with scikit-learn's ``split`` and ``get_n_splits``, such as ``GroupKFold``, that tests every
            event once.
        seed: of the events that are held out, of the folds and of the replicas; or a generator that it is drawn from.
        min_background: effective number of simulated events of each background that matters
            (`hepcuts.templates.simulated`) that the search wants to keep after the cuts. Where it runs out of them the
            significance grows without limit and means nothing.
        constraints: what there has to be after the hard cuts on the training events, as in ``{"signal": 5,
            "signal_efficiency": 0.3, "effective_background": 20, "ttbar": 1}``; see
            `hepcuts.optimization.soft.constraints`.
        fixed: names of thresholds (see `Selection.names`) that stay as they are given.
        tied: groups of names of thresholds that shall be equal, as in ``[("lepton1_pt", "lepton2_pt")]``.
        log: file for the log of cuts, one line for each step.
        checkpoint: file that is written after each stage; if it exists, the optimization goes on from there, if it
            is that of the same problem: events, modifiers, cuts, objective (a function counts by its code), options
            and version of hepcuts. An interrupt (Ctrl-C) ends the search with the best of the stages so far.
        replicas: number of bootstrap replicas of the events for the uncertainties of what is quoted and of its
            optimism; 0 for none. Or a resampling of another kind, see `hepcuts.evaluation.resampling`.
        throw: whether to raise if the search fails; otherwise ``success`` and ``message`` tell.
        tuning: the numbers that steer the search, see `hepcuts.optimization.options`; None for the usual ones.
        executor: who sums the events, goes through the folds and sums up replicas, see `hepcuts._core.executors`; None
            for threads. The answer does not depend on it.

    Returns:
        Hard cuts with their significance, the history, the workspace, and soft and hard values.

    Raises:
        OptimizationError: the objective has no finite value at the start, or the search failed and `throw` is set.
        SampleError: as `hepcuts.fill`.
        InputError: an unknown name, an empty schedule, a fraction that is not between 0 and 1, a checkpoint of another
            problem, a checkpoint for an objective that cannot be told from others, a folder of log or checkpoint that
            cannot be written to, or no executor.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> result = hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov")
        >>> abs(result.thresholds["x"] - 28.0) < 1.0
        True
    """
    samples = check_samples(samples)
    chosen = Selection([selection]) if isinstance(selection, AbstractCut) else selection
    seed = as_seed(seed)
    tuning = DEFAULT_TUNING if tuning is None else tuning
    if anneal is not None:
        tuning = dataclasses.replace(tuning, anneal=dataclasses.replace(tuning.anneal, stages=checks.stages(anneal)))
    log, checkpoint = checks.path("log", log), checks.path("checkpoint", checkpoint)
    if log is not None:
        files.try_folder(log.parent)
    drawn, executor = replicas_of(replicas, seed=seed), None if executor is None else executor_of(executor)
    training, held_out = hold_out(samples, holdout, seed=seed)
    problem = Problem.of(
        Selection([told_of_integers(samples, cut) for cut in find_directions(training, chosen).cuts]),
        figure_of_merit(objective),
        solver=solver,
        step=step,
        axis=axis,
        regions=regions,
        min_background=min_background,
        constraints=constraints,
        fixed=fixed,
        tied=tied,
        tuning=tuning,
    )
    search = without_outside_warnings(Search.of)(training, problem).carried_out_by(executor)
    require_something_to_search(search.space)
    parts = folds_of_training(folds, training, seed=seed)
    schedule = _schedule(problem)
    options = {"stages": schedule, "holdout": holdout, "folds": parts, "seed": seed}
    asked = problem.parts | {"selection": str(chosen), "anneal": schedule, "holdout": holdout, "folds": folds}
    keeper = Checkpoint.at(checkpoint, lambda: identify(samples=samples, **problem.parts, **options))
    outcome = run(search, training, schedule, folds=parts, checkpoint=keeper, executor=executor)
    history = outcome.walk.history()
    if log is not None:
        files.write_secondary(log, "\n".join(history.lines()) + "\n", "The log of cuts")
    events = (training, held_out)
    assess = functools.partial(
        bootstrap_and_optimism, problem, events=events, folds=parts, replicas=drawn, executor=executor
    )
    asked = described(asked | {"replicas": replicas, "seed": seed})
    return _result(outcome, history, search, events, assess=assess, throw=throw, seed=seed, asked=asked)


def _result(
    outcome: Outcome,
    history: History,
    search: Search,
    events: tuple[Sequence[Sample], Sequence[Sample] | None],
    *,
    assess: Callable[..., tuple[Bootstrap | None, Optimism | None]],
    throw: bool,
    seed: int,
    asked: Mapping[str, Any],
) -> OptimizationResult:
    problem, (training, held_out) = search.problem, events
    ending = _with_significance(outcome.ending, problem, history)
    if throw and not ending.success:
        raise OptimizationError(f"The search for the best cuts ended after {len(history)} steps: {ending.message}.")
    hard, given_up = _hard_cuts(search, outcome, training)
    sign, validation, interrupted = problem.objective.sign, outcome.validation, outcome.interrupted
    spread: Bootstrap | None = None
    optimism: Optimism | None = None
    try:
        spread, optimism = assess(hard, outcome.folds)
        if optimism is not None and outcome.validated is not None:
            optimism = optimism.corrected(sign * outcome.validated.excess)
    except KeyboardInterrupt:
        interrupted = True  # the cuts are found; only their uncertainties are not
    widths = search.space.widths * outcome.schedule[-1]
    options: dict[str, Any] = {"objective": problem.objective, "axis": problem.axis, "regions": problem.regions}
    # What is quoted is confirmed at once.
    there = evaluate(training, hard, chose=True, confirm=held_out is None, **options)
    return OptimizationResult(
        thresholds=hard.to_dict([threshold for threshold in hard.thresholds if threshold is not None]),
        selection=hard,
        given_up=given_up,
        objective=problem.objective.name,
        label=problem.objective.label,
        soft_value=float(history.values[-1]),
        training=there,
        held_out=None if held_out is None else without_outside_warnings(evaluate)(held_out, hard, **options),
        validated=None if outcome.validated is None else sign * outcome.validated.plain,
        penalty=None if outcome.validated is None else outcome.validated.penalty,
        start=search.space.thresholds(search.space.start),
        history=history,
        success=ending.success and not interrupted,
        interrupted=interrupted,
        message=f"interrupted; until then: {ending.message}" if interrupted else ending.message,
        num_steps=len(history),
        anneal=outcome.schedule,
        validation=None if validation is None else tuple(validation.values.tolist()),
        polish=outcome.polish,
        polish_validated=outcome.polish_validated,
        min_background=problem.min_background,
        seed=seed,
        options=asked,
        samples=tuple(training if held_out is None else held_out),
        axis=problem.axis,
        regions=problem.regions,
        bootstrap=spread,
        optimism=optimism,
        hidden=hidden_systematics(search, outcome.position),
        _find_sensitivity=functools.partial(sensitivity, search, outcome.position, widths),
        _certify=_referee(problem, training, hard, there),
    )


def _referee(
    problem: Problem, training: Sequence[Sample], hard: Selection, there: HardEvaluation
) -> Callable[..., Certificate]:
    monotone = problem.objective.monotone(there.templates.structure) is not None
    return functools.partial(
        certify,
        tuple(training),
        hard,
        # What is refused by its name anyway need not travel with the result: a function may not be able to.
        objective=problem.objective if monotone else problem.objective.name,
        min_background=problem.min_background,
        fixed=problem.fixed,
    )


def _with_significance(ending: Ending, problem: Problem, history: History) -> Ending:
    """The ending, which is no success if the significance was zero wherever the search was."""
    if not problem.objective.is_significance or np.nanmax(np.abs(history.values), initial=0.0) > NO_SIGNIFICANCE:
        return ending
    return dataclasses.replace(ending, success=False, message=WITHOUT_SIGNIFICANCE)


def _hard_cuts(search: Search, outcome: Outcome, training: Sequence[Sample]) -> tuple[Selection, tuple[str, ...]]:
    """The cuts that were found, without those that were given up, and the names of thresholds of the latter."""
    problem = search.problem
    try:
        hard = problem.selection.at(search.space.thresholds(outcome.position))
    except InputError as error:
        raise OptimizationError(f"The search ended at cuts that nothing can pass: {error}") from error
    names, of_threshold = problem.selection.names, problem.selection.cut_of_threshold
    fixed = {problem.selection.variables[of_threshold[names.index(name)]] for name in problem.fixed}
    in_regions = {variable for region in problem.regions for variable in (*region.inverted, *region.without)}
    return without_given_up(training, hard, fixed | in_regions)


def _schedule(problem: Problem) -> tuple[float, ...]:
    given = any(cut.width is not None for cut in problem.selection.cuts) or problem.linear
    return problem.tuning.anneal.schedule(widths_given=given)
