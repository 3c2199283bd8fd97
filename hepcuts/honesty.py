"""What a result has to say of itself: how certain it is, how much too good, and how much each threshold matters."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Optimism, bootstrap, optimism
from .course import Outcome
from .errors import InputError
from .optimization_result import OptimizationResult
from .samples import Sample
from .search import Search
from .sensitivity import sensitivity


def judged(
    result: OptimizationResult,
    outcome: Outcome,
    search: Search,
    training: Sequence[Sample],
    *,
    members: Sequence[NDArray[Any]] | None,
    replicas: int,
    generator: np.random.Generator,
) -> OptimizationResult:
    """The result with its bootstrap, its optimism and, when asked for, its sensitivity.

    Args:
        result: without them.
        outcome: where the course ended.
        search: with the training events.
        training: these events.
        members: fold of each of them, sample by sample, or None.
        replicas: number of bootstrap replicas, 0 for none.
        generator: of the replicas.
    """
    options: dict[str, Any] = {
        "objective": search.problem.goal,
        "axis": result.axis,
        "regions": result.regions,
        "replicas": replicas,
    }
    widths = search.widths * outcome.schedule[-1]
    find = functools.partial(sensitivity, search, outcome.position, widths)
    if replicas == 0:
        return dataclasses.replace(result, _find_sensitivity=find)
    streams = generator.spawn(2)
    return dataclasses.replace(
        result,
        bootstrap=bootstrap(result.samples, result.selection, seed=streams[0], **options),
        optimism=_optimism(result, outcome, search, training, members, options | {"seed": streams[1]}),
        _find_sensitivity=find,
    )


def _optimism(
    result: OptimizationResult,
    outcome: Outcome,
    search: Search,
    training: Sequence[Sample],
    members: Sequence[NDArray[Any]] | None,
    options: dict[str, Any],
) -> Optimism | None:
    if outcome.folds is None or members is None:
        return None
    try:
        selections = [search.selection.at(thresholds) for thresholds in outcome.folds]
    except InputError:
        return None  # a fold ended at cuts that nothing can pass
    return optimism(training, result.selection, (selections, members), **options)
