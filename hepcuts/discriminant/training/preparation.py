"""What a training is given, checked and put together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core import checks
from hepcuts._core.counters import VALIDATION
from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut, Cut, Selection
from hepcuts.discriminant import Discriminant
from hepcuts.evaluation.resampling import HeldOut, replicas_of
from hepcuts.merit.cross_entropy import AbstractCrossEntropy
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.losses import AbstractEventFigure
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.soft.directions import find_directions
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.solvers import AbstractSolver
from hepcuts.optimization.solvers import solver as find_solver
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import as_selection

from .course import Plan

_SHARED = ("axis", "regions", "min_background", "constraints", "fixed", "tied", "step")
"""Options of `hepcuts.optimize` that hold in the training, too."""

_OF_CUTS = ("folds", "log", "replicas", "throw", "tuning", "executor")
"""Options of `hepcuts.optimize` for the hard cuts alone."""


def check_options(options: Mapping[str, Any]) -> None:
    """Raise before anything is trained if `hepcuts.optimize` would not know an option.

    Raises:
        InputError: it would not.
    """
    unknown = sorted(set(options) - {*_SHARED, *_OF_CUTS})
    if unknown:
        raise InputError(
            f"There is no option {', '.join(unknown)}; besides its own arguments hepcuts.train takes "
            f"{', '.join((*_SHARED, *_OF_CUTS))}."
        )
    checks.folds(options.get("folds", 0))
    checks.path("log", options.get("log"))
    replicas_of(options.get("replicas", 0), seed=0)


def beside(checkpoint: Path) -> Path:
    """Where the search for the hard cuts after a training keeps its own state.

    Example:
        >>> str(beside(Path("network.json")))
        'network.cuts.json'
    """
    return checkpoint.with_name(f"{checkpoint.stem}.cuts{checkpoint.suffix}")


def checked_selection(selection: Selection | AbstractCut, discriminant: Discriminant) -> Selection:
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


def check_scores(samples: Sequence[Sample], name: str) -> None:
    """Raise if all scores are equal.

    Raises:
        InputError: they are.
    """
    if all(np.all(sample.column(name) == samples[0].column(name)[0]) for sample in samples):
        raise InputError(
            f"All scores of {name!r} are {samples[0].column(name)[0]:.6g}: at its parameters the function does not "
            "depend on its features. Start from other parameters."
        )


def masks(samples: Sequence[Sample], validation: float, seed: int) -> list[NDArray[np.bool_]]:
    """For each sample which of its events train, each of shape (event,)."""
    validation = checks.fraction("validation", validation, zero=True)
    if validation == 0:
        return [np.ones(len(sample), dtype=bool) for sample in samples]
    parts = HeldOut(validation, seed, VALIDATION)
    found = [~parts.held_out(sample.identity) for sample in samples]
    for sample, mask in zip(samples, found, strict=True):
        if np.all(mask) or not np.any(mask):
            raise InputError(
                f"A fraction of {validation} of the {len(sample)} events of sample {sample.name!r} leaves none to "
                "train or none to validate; choose another fraction or seed, or validation=0."
            )
    return found


def figures(given: Any, cut_objective: Any) -> tuple[AbstractFigureOfMerit, AbstractFigureOfMerit]:
    """Objectives of the training and of the hard cuts."""
    figure = figure_of_merit(given)
    if isinstance(figure, AbstractEventFigure) and not isinstance(figure, AbstractCrossEntropy):
        raise InputError(
            f"A discriminant cannot be trained on {figure.name!r}; choose an objective of the templates, 'bce', "
            "'bce_balanced' or 'weighted_bce'."
        )
    if cut_objective is not None:
        return figure, figure_of_merit(cut_objective)
    return figure, figure_of_merit("profile") if isinstance(figure, AbstractEventFigure) else figure


def plan(
    solver: str | AbstractSolver, anneal: Sequence[float], pretraining: int, patience: int, weight_decay: float
) -> Plan:
    """How a training goes, of checked numbers.

    Raises:
        InputError: a number out of its range, or an unknown solver.
    """
    return Plan(
        find_solver(solver),
        checks.stages(anneal, example="(5, 2.5, 1.25)"),
        checks.count("pretraining", pretraining, what="steps"),
        checks.count("patience", patience, least=1, what="steps"),
        checks.amount("weight_decay", weight_decay),
    )


def problem(
    samples: Sequence[Sample], selection: Selection, figure: AbstractFigureOfMerit, options: Mapping[str, Any]
) -> Problem:
    """What is asked of the training; `options` are those of `optimize`."""
    shared = {name: options[name] for name in _SHARED if name in options}
    return Problem.of(find_directions(samples, selection), figure, **shared)
