"""What a result has to say of itself: how certain it is, and how much too good on the events that chose the cuts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.evaluation.bootstrap import Bootstrap, Optimism, bootstrap, optimism
from hepcuts.optimization.soft.problem import Problem
from hepcuts.samples.sample import Sample


def judged(
    problem: Problem,
    hard: Selection,
    folds: FloatArray | None,
    *,
    events: tuple[Sequence[Sample], Sequence[Sample] | None],
    members: Sequence[NDArray[Any]] | None,
    replicas: int,
    generator: np.random.Generator,
) -> tuple[Bootstrap | None, Optimism | None]:
    """Bootstrap of what is quoted, and optimism.

    Args:
        problem: what was asked.
        hard: the cuts that were found.
        folds: thresholds of each fold of the cross-validation, shape (fold, threshold), or None if there was none.
        events: those that chose the cuts, and those held out or None.
        members: for each sample the folds of its training events, or None.
        replicas: number of replicas, 0 for none.
        generator: of the replicas.

    Returns:
        Both None without replicas; the latter None if there was no cross-validation, or a fold found cuts that
        nothing can pass.
    """
    if replicas == 0:
        return None, None
    training, held_out = events
    streams = generator.spawn(2)
    options: dict[str, Any] = {"objective": problem.objective, "axis": problem.axis, "regions": problem.regions}
    options["replicas"] = replicas
    quoted = bootstrap(training if held_out is None else held_out, hard, seed=streams[0], **options)
    if folds is None or members is None:
        return quoted, None
    try:
        chosen = [problem.selection.at(row) for row in folds]
    except InputError:
        return quoted, None
    return quoted, optimism(training, hard, (chosen, members), seed=streams[1], **options)
