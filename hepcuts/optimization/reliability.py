"""How far a result can be trusted: how certain it is, and how much too good on the events that chose the cuts."""

from collections.abc import Sequence
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts._core.executors import Executor
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.evaluation.bootstrap import Bootstrap, Optimism, bootstrap, optimism
from hepcuts.evaluation.resampling import AbstractFolds, AbstractResampling
from hepcuts.optimization.soft.problem import Problem
from hepcuts.samples.sample import Sample


def bootstrap_and_optimism(
    problem: Problem,
    hard: Selection,
    of_folds: FloatArray | None,
    *,
    events: tuple[Sequence[Sample], Sequence[Sample] | None],
    folds: AbstractFolds | None,
    replicas: AbstractResampling | None,
    executor: Executor | None = None,
) -> tuple[Bootstrap | None, Optimism | None]:
    """Bootstrap of what is quoted, and optimism.

    Args:
        problem: what was asked.
        hard: the cuts that were found.
        of_folds: thresholds of each fold of the cross-validation, shape (fold, threshold), or None if there was none.
        events: those that chose the cuts, and those held out or None.
        folds: of the events that chose, or None.
        replicas: of the events, or None.
        executor: who sums the events.

    Returns:
        Both None without replicas; the latter None if there was no cross-validation, or a fold found cuts that
        nothing can pass.
    """
    if replicas is None:
        return None, None
    training, held_out = events
    options: dict[str, Any] = {"objective": problem.objective, "axis": problem.axis, "regions": problem.regions}
    options |= {"replicas": replicas, "executor": executor}
    quoted = bootstrap(training if held_out is None else held_out, hard, **options)
    if of_folds is None or folds is None:
        return quoted, None
    try:
        chosen = [problem.selection.at(row) for row in of_folds]
    except InputError:
        return quoted, None
    return quoted, optimism(training, hard, (chosen, folds), **options)
