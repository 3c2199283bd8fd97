"""Train a discriminant, then fix it and find the cuts."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.identity import identify
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.discriminant import Discriminant
from hepcuts.evaluation.bootstrap import bootstrap
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.evaluation.resampling import HOLDOUT, AbstractResampling, HoldoutLike, hold_out, replicas_of
from hepcuts.merit.figures import AbstractFigureOfMerit, AbstractTemplateFigure
from hepcuts.merit.registry import Given
from hepcuts.optimization.optimize import optimize
from hepcuts.optimization.options import STAGES
from hepcuts.optimization.result import OptimizationResult
from hepcuts.optimization.solvers import AbstractSolver
from hepcuts.optimization.stages import Checkpoint
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import without_outside_warnings

from . import preparation as prepare
from .descent import run
from .layout import Laid
from .result import TrainingResult

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
    holdout: HoldoutLike = HOLDOUT,
    seed: int | np.random.Generator = 0,
    checkpoint: str | Path | None = None,
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
        objective: that of `hepcuts.optimize`, of templates; or a binary cross-entropy, with which all events classify,
            without cuts: ``"bce"`` or ``"bce_balanced"``, for comparison, or ``"weighted_bce"``. The latter trains in
            rounds, each with the weight of the background that the Asimov significance of what the last one accepts
            asks for (:doc:`/bce_or_significance`); a weight of one's own is given as
            `hepcuts.merit.cross_entropy.WeightedCrossEntropy`.
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
        checkpoint: as in `hepcuts.optimize`: a file that is written after each stage, and from which a training of the
            same problem goes on. The search for the hard cuts has its own beside it, with ``.cuts`` before its ending.
        options: further arguments of `hepcuts.optimize` for the hard cuts: ``folds``, ``log``, ``replicas``, ``throw``,
            ``tuning``, ``executor``; and ``axis``, ``regions``, ``min_background``, ``constraints``, ``fixed``,
            ``tied`` and ``step``, which hold in the training, too.

    Returns:
        The discriminant, the cuts, what both are worth, and the history.

    Raises:
        InputError: there is no such cut, a feature has no column, a column has the discriminant's name, or a score is
            not finite. Or the checkpoint is that of another problem, or something cannot be told from others.
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
    samples, seed, checkpoint = check_samples(samples), as_seed(seed), checks.path("checkpoint", checkpoint)
    training, held_out = hold_out(samples, holdout, seed=seed)
    prepared = discriminant.standardized(training)
    figure, cut_figure = prepare.figures(objective, cut_objective)
    how = prepare.plan(solver, anneal, pretraining, patience, weight_decay)
    masks = prepare.masks(training, validation, seed)
    scored = prepared.samples(training)
    prepare.check_scores(scored, discriminant.name)
    asked = prepare.problem(
        scored, chosen, figure if isinstance(figure, AbstractTemplateFigure) else cut_figure, options
    )
    parts = asked.parts | vars(how) | {"discriminant": discriminant, "selection": chosen, "objective": figure}
    parts |= {"validation": validation, "holdout": holdout, "seed": seed}
    keeper = Checkpoint.at(checkpoint, lambda: identify(samples=samples, **parts))
    trained = without_outside_warnings(run)(Laid(scored, prepared, masks, asked), figure, how, keeper)
    fixed = prepared.at(trained.parameters, location=trained.units.location, spread=trained.units.spread)
    # The trained thresholds are a start that wide soft cuts would forget.
    narrow = [1.0] if any(cut.width is not None for cut in chosen.cuts) else [s for s in STAGES if s < 1.25]
    start, scored = trained.selection, fixed.samples(training)
    beside = None if checkpoint is None else prepare.beside(checkpoint)
    options |= {"holdout": None, "checkpoint": beside}
    found = optimize(scored, start, objective=cut_figure, seed=seed, anneal=narrow, **options)
    if held_out is not None:
        drawn = replicas_of(options.get("replicas", 100), seed=seed)
        found = _quoted_on(fixed.samples(held_out), found, cut_figure, drawn)
    return TrainingResult(
        discriminant=fixed,
        optimization=found,
        objective=figure.name,
        validated=figure.sign * trained.validated,
        warm_start=figure.sign * trained.warm_start,
        rounds=trained.rounds,
        history=trained.history,
        success=trained.success and found.success,
        message=trained.message,
        seed=seed,
    )


def _quoted_on(
    events: Sequence[Sample],
    found: OptimizationResult,
    objective: AbstractFigureOfMerit,
    replicas: AbstractResampling | None,
) -> OptimizationResult:
    """The same cuts, quoted on events that took part in nothing, and with the uncertainties of these."""
    how: dict[str, Any] = {"axis": found.axis, "regions": found.regions, "objective": objective}
    worth = without_outside_warnings(evaluate)(events, found.selection, **how)
    spread = None
    if replicas is not None:
        spread = without_outside_warnings(bootstrap)(events, found.selection, replicas=replicas, **how)
    return dataclasses.replace(found, held_out=worth, bootstrap=spread, samples=tuple(events))
