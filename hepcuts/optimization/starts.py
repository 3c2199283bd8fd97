"""Several starts, most of them rejected early: out of local optima that no single threshold leads out of.

Where two thresholds have to be tight together and neither alone, wide soft cuts see nothing, and a jump of one of them
gains nothing. So combinations of thresholds, spread evenly over signal efficiencies, are tried at a width that can
tell, on a few events. Those that are better there than where the search is go their own way through this stage, still
on these events; if the best of their ends is better than that of the search's own way on them, it is followed with all
events, and the search goes on from there if it is better with these, too.
"""

import contextlib

import numpy as np

from hepcuts._core.errors import OptimizationError
from hepcuts._core.lazy import stats
from hepcuts._core.types import FloatArray
from hepcuts.optimization.soft.search import Search

from .walk import Walk


def better_start(walk: Walk, factor: float) -> FloatArray | None:
    """Where the stage would better have led, in the coordinates, shape (threshold,); None if it led to the best.

    Args:
        walk: at the end of a stage.
        factor: width of this stage, in units of the search's own.
    """
    search, widths = walk.search, walk.search.space.widths * factor
    if not search.has_templates:
        return None
    options, few = search.tuning.restarts, search.subsample(search.tuning.sampling.restart_events)

    def enough(value: float) -> float:
        """What another start has to reach."""
        return value + options.worthwhile * abs(value) if np.isfinite(value) else value

    least = enough(_value(few, walk.position, widths))
    space = search.space
    starts = [space.together(np.where(space.group < 0, walk.position, start)) for start in _starts(search)]
    compared = sorted(((_value(few, start, widths), n) for n, start in enumerate(starts)), reverse=True)
    followed = [starts[n] for value, n in compared[: options.followed] if value > least]
    if not followed:
        return None
    # Few events have an optimum of their own: with it, not with where the search is, other ends are compared.
    own, *ends = (_followed(few, start, factor) for start in (walk.position, *followed))
    end, value = max(((end, _value(few, end, widths)) for end in ends), key=lambda pair: pair[1])
    if value <= enough(_value(few, own, widths)):
        return None
    end = _followed(search, end, factor)
    found, here = (_value(search.reached(at, widths), at, widths) for at in (end, walk.position))
    return end if found > enough(here) else None


def _value(search: Search, position: FloatArray, widths: FloatArray) -> float:
    """The guarded objective, larger is better; minus infinity where it has no value."""
    found = search.problem.objective.sign * search.evaluate(position, widths).guarded
    return float(found) if np.isfinite(found) else -np.inf


def _followed(search: Search, start: FloatArray, factor: float) -> FloatArray:
    """The end of a stage from a start; the start if the stage cannot be gone through."""
    walk = Walk(search, start)
    with contextlib.suppress(OptimizationError):
        walk.advance(factor)
    return walk.position


def _starts(search: Search) -> list[FloatArray]:
    """Combinations of thresholds, each at a signal efficiency of its own."""
    space, options = search.space, search.tuning.restarts
    number = len(space.groups)
    tightest = max(options.tightest, options.tightest_together ** (1.0 / number))
    efficiencies = np.linspace(options.loosest, tightest, options.levels)
    of_level = np.array([space.at_efficiency(efficiency) for efficiency in efficiencies])
    shares = stats.qmc.Sobol(number, scramble=False).random(options.combinations)
    levels = (shares * options.levels).astype(np.int64)[:, np.maximum(space.group, 0)]
    return list(of_level[levels, np.arange(len(space.group))])
