"""Optimizing many cuts at once: from thresholds through soft templates and the JAX likelihood, by gradient.

The soft cuts start wide, so that every threshold feels all events, and are narrowed in stages. Then the cuts are made
hard, and everything that is quoted comes from hard cuts: the objective's value, the significance of the profile
likelihood, pyhf's own confirmation, and, if a part of the events was held out, all of it on events that did not
choose the cuts. The difference of soft and hard value tells how far the narrowest soft cut was from the hard one.
"""

import dataclasses
import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _files
from ._types import FloatArray
from .cuts import AbstractCut, Selection
from .errors import InputError, OptimizationError, YieldError
from .evaluation import HardEvaluation, effective_background, evaluate
from .filling import fill, quietly
from .histfactory import HistFactory, discovery_significance
from .objectives import AbstractObjective
from .objectives import objective as find_objective
from .relaxations import AbstractStep
from .relaxations import step as find_step
from .samples import Sample, check_samples
from .search import History, Search
from .solvers import AbstractSolver
from .solvers import solver as find_solver
from .workspace import workspace


@dataclasses.dataclass(frozen=True, eq=False)
class OptimizationResult:
    """Optimized cuts and what they are worth.

    Attributes:
        thresholds: variable to hard threshold, or to a pair for a window.
        selection: the hard selection.
        objective: name of the objective.
        label: its label for figures, in mathtext.
        soft_value: its value at the final widths, on the training events.
        training: what the hard selection is worth on the events that chose it.
        held_out: the same on events that did not, or None if none were held out.
        start: thresholds before the optimization, shape (threshold,).
        history: the way.
        success: whether the last stage converged (or did all its steps).
        message: why it stopped.
        num_steps: number of steps in all stages.
        anneal: the stages of widths that were gone through.
        validation: cross-validated value of the objective after each stage that was considered (negated for losses),
            or None if there was no choice.
    """

    thresholds: dict[str, float | tuple[float, float]]
    selection: Selection
    objective: str
    label: str
    soft_value: float
    training: HardEvaluation
    held_out: HardEvaluation | None
    start: FloatArray
    history: History
    success: bool
    message: str
    num_steps: int
    anneal: tuple[float, ...]
    validation: tuple[float, ...] | None

    @property
    def quoted(self) -> HardEvaluation:
        """What to quote: the held-out evaluation if there is one, else that of training."""
        return self.training if self.held_out is None else self.held_out

    @property
    def significance(self) -> float:
        """Discovery significance at the hard cuts, on held-out events if there are any (see `quoted`)."""
        return self.quoted.significance

    @property
    def hard_value(self) -> float:
        """The objective at the hard cuts, on the training events."""
        return self.training.value

    @property
    def workspace(self) -> dict[str, Any]:
        """The pyhf workspace at the hard cuts, of the events that are quoted.

        Raises:
            YieldError: the hard templates make no workspace; the message says why.
        """
        if self.quoted.workspace is None:
            raise YieldError(f"There is no workspace at the hard cuts: {self.quoted.message}")
        return self.quoted.workspace

    def plot(self, ax: Any = None) -> Any:
        """Draw the history (`hepcuts.plotting.history`) and return the artists."""
        from . import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.history(self, ax=ax)

    def write_log(self, path: str | Path) -> Path:
        """Write the log of cuts, one line for each step, and return its path."""
        return _files.write_text(path, "\n".join(self.history.lines()) + "\n")

    def rows(self) -> list[tuple[str, str]]:
        """The summary as pairs of label and text."""
        where = "held-out events" if self.held_out else "the events that chose the cuts (none were held out)"
        difference = self.soft_value - self.hard_value
        verdict = self.quoted.pyhf
        rows = [("cuts", str(self.selection)), ("significance", f"{self.significance:.4f} on {where}")]
        rows.append(("confirmed by pyhf", f"{verdict.significance:.4f}" if verdict else f"no: {self.quoted.message}"))
        if self.held_out is not None:
            rows.append(("on training events", f"{self.training.significance:.4f}"))
        soft_hard = f"{self.soft_value:.6g} soft, {self.hard_value:.6g} hard, difference {difference:.2g}"
        rows.append((f"objective {self.objective}", soft_hard))
        rows.append(("background behind cuts", f"{self.quoted.effective_background:.1f} effective simulated events"))
        rows.append(("search", f"{self.message} ({self.num_steps} steps)"))
        return rows

    def __repr__(self) -> str:
        return "\n".join(["Optimized cuts", *(f"  {label:<24s} {text}" for label, text in self.rows())])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{html.escape(label)}</th><td>{html.escape(text)}</td></tr>" for label, text in self.rows()
        )
        return f"<table><caption>Optimized cuts</caption>{cells}</table>"


def optimize(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    objective: str | AbstractObjective | Callable[..., Any] = "profile",
    solver: str | AbstractSolver = "lbfgs",
    step: str | AbstractStep = "sigmoid",
    anneal: Sequence[float] = (5.0, 2.0, 1.0),
    axis: Any = None,
    holdout: float | None = None,
    folds: int = 4,
    seed: int | np.random.Generator = 0,
    min_background: float = 10.0,
    log: str | Path | None = None,
    throw: bool = True,
) -> OptimizationResult:
    """Find the cuts that optimize an objective.

    Args:
        samples: at least one signal and one background.
        selection: the cuts. A threshold that is given is where the search starts; one that is not starts where 95 %
            of the signal pass. A cut's ``bounds`` limit its thresholds, its ``width`` is the final width of the soft
            cut (default: 0.2 of the spread of signal or background, whichever is smaller).
        objective: a name, an object, or a function of yields and structure; see `hepcuts.objectives`.
        solver: ``"lbfgs"``, ``"adam"`` or an object of `hepcuts.solvers`.
        step: the step function of the soft cuts; see `hepcuts.relaxations`.
        anneal: the widths of the soft cuts, stage by stage, in units of each cut's own; decreasing. How far to go is
            chosen by cross-validation (the last stages may be left out), since narrower cuts follow the training
            events more closely: the narrowest width whose value on events left out is within 2 % of the best.
        axis: an axis of `hist.axis` for a shape fit, or None to count.
        holdout: fraction of events, between 0 and 1, that does not take part in the search and on which its result
            is quoted; None to use all events for both, which overstates the result.
        folds: number of folds of the cross-validation among the training events; 0 to go through all of `anneal`.
        seed: seed of the split and of the folds.
        min_background: effective number of simulated background events that the search wants to keep behind the
            cuts. Where it runs out of them the significance grows without limit and means nothing.
        log: file for the log of cuts, one line for each step.
        throw: whether to raise if the search fails; otherwise ``success`` and ``message`` tell.

    Returns:
        Hard cuts with their significance, the history, the workspace, and soft and hard values.

    Raises:
        OptimizationError: the objective has no finite value at the start, or the search failed and `throw` is set.
        SampleError: as `hepcuts.fill`.
        InputError: an unknown name, an empty schedule, or a fraction that is not between 0 and 1.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> result = hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov")
        >>> abs(result.thresholds["x"] - 28.0) < 1.0
        True
    """
    samples = check_samples(samples)
    chosen = Selection([selection]) if isinstance(selection, AbstractCut) else selection
    goal, walker, relaxation = find_objective(objective), find_solver(solver), find_step(step)
    if len(anneal) == 0 or not np.all(np.asarray(anneal) > 0):
        raise InputError(f"anneal is {anneal}; expected at least one positive factor, such as (5, 2, 1).")
    generator = np.random.default_rng(seed)
    training, held_out = _split(samples, holdout, generator)
    search = quietly(Search)(
        training, chosen, goal=goal, walker=walker, relaxation=relaxation, axis=axis, min_background=min_background
    )
    schedule = tuple(anneal)
    validation = None
    if len(schedule) > 1 and folds:
        validation = quietly(_cross_validate)(search, training, schedule, folds, generator)
        # The narrowest within 2 % of the best: a smaller difference is no evidence, and narrow is closer to hard.
        # Where no width stands the validation, the widest.
        good = np.flatnonzero(np.isfinite(validation) & (validation >= validation.max() - 0.02 * abs(validation.max())))
        schedule = schedule[: int(good.max(initial=0)) + 1]
    ending, history = search.run(schedule)
    if log is not None:
        _files.write_text(log, "\n".join(history.lines()) + "\n")
    if throw and not ending.success:
        raise OptimizationError(
            f"The search for the best cuts stopped after {ending.num_steps} steps: {ending.message}."
        )
    hard = _hard(chosen, ending.position)
    return OptimizationResult(
        thresholds=hard.to_dict(ending.position),
        selection=hard,
        objective=goal.name,
        label=goal.label,
        soft_value=float(history.values[-1]),
        training=evaluate(training, hard, objective=goal, axis=axis),
        held_out=None if held_out is None else quietly(evaluate)(held_out, hard, objective=goal, axis=axis),
        start=search.start,
        history=history,
        success=ending.success,
        message=ending.message,
        num_steps=len(history),
        anneal=schedule,
        validation=None if validation is None else tuple(validation.tolist()),
    )


def _cross_validate(
    search: Search, samples: Sequence[Sample], schedule: tuple[float, ...], folds: int, generator: np.random.Generator
) -> FloatArray:
    """Pooled hard objective on events left out, after each stage, shape (stage,); larger is better.

    Each fold is left out once by giving its events no weight, so that all folds share one compiled search.
    """
    if folds < 2:
        raise InputError(f"folds is {folds}; expected at least 2, or 0 to go through all widths without validation.")
    members = [generator.permutation(len(sample)) % folds for sample in samples]
    fold_of_event = np.concatenate([m[search.table.origin[search.table.sample == s]] for s, m in enumerate(members)])
    # Back from sample by sample to the order of the table.
    order = np.argsort(search.table.sample, kind="stable")
    fold = np.empty_like(fold_of_event)
    fold[order] = fold_of_event
    parts: list[list[Any]] = [[] for _ in schedule]
    for k in range(folds):
        _, history = search.with_weights(np.where(fold == k, 0.0, folds / (folds - 1))).run(schedule)
        left_out = [sample.take(m == k) for sample, m in zip(samples, members, strict=True)]
        for stage, part in enumerate(parts):
            try:
                selection = search.selection.at(history.end_of_stage(stage))
                part.append((left_out, fill(left_out, selection, axis=search.table.structure.axis), selection))
            except InputError:
                continue  # cuts that nothing can pass, or that nothing left out passes
    return np.array([_score(search, part) if len(part) == folds else -np.inf for part in parts])


def _score(search: Search, parts: list[Any]) -> float:
    """The pooled objective, larger is better; minus infinity if it has no value or too little simulated background."""
    value = search.goal.pooled(parts)
    effective = effective_background(sum((more for _, more, _ in parts[1:]), start=parts[0][1]))
    return search.goal.sign * value if np.isfinite(value) and effective >= search.min_background else -np.inf


def _hard(selection: Selection, thresholds: FloatArray) -> Selection:
    try:
        return selection.at(thresholds)
    except InputError as error:
        raise OptimizationError(f"The search ended at cuts that nothing can pass: {error}") from error


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


def compare_with_single_cuts(
    samples: Iterable[Sample], selection: Selection, *, axis: Any = None, **options: Any
) -> dict[str, float]:
    """Significance without any cut and with each cut of a selection alone, optimized in the same way.

    Args:
        samples: as in `optimize`.
        selection: as in `optimize`.
        axis: as in `optimize`.
        options: further arguments of `optimize`; with the same seed the same events are held out.

    Returns:
        Description to significance of the profile likelihood, on held-out events if ``holdout`` is given.
    """
    samples = check_samples(samples)
    training, held_out = _split(samples, options.get("holdout"), np.random.default_rng(options.get("seed", 0)))
    everything = fill(training if held_out is None else held_out, None, axis=axis)
    found = {"no cut": float(discovery_significance(HistFactory.from_workspace(workspace(everything))))}
    for cut in selection.cuts:
        result = optimize(samples, cut, axis=axis, **options)
        found[str(result.selection)] = result.significance
    return found
