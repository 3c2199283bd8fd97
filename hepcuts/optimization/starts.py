"""Several starts, most of them rejected early: out of local optima that no single threshold leads out of.

Where two thresholds have to be tight together and neither alone, wide soft cuts see nothing, and a jump of one of them
gains nothing. So combinations of thresholds, spread evenly over signal efficiencies, are tried at a width that can
tell, on a few events. Those that are better there than where the search is go their own way through this stage; the
search goes on from the best of their ends, if that is better than its own.
"""

import numpy as np
import scipy.stats

from hepcuts._types import FloatArray
from hepcuts.errors import OptimizationError
from hepcuts.soft.search import Search

from .walk import Walk

_FEW = 5_000
"""Events of each sample that starts are tried on."""

_TRIED = 64
"""Combinations of thresholds; a power of two, as a Sobol sequence wants it."""

_FOLLOWED = 3
"""Starts that go their own way, at most."""

_LEVELS = 16
_LOOSEST, _TIGHTEST, _TIGHTEST_TOGETHER = 0.995, 0.05, 0.01
"""Signal efficiencies of the single thresholds of a start, and the least of all together if each was that tight."""

_WORTHWHILE = 0.01
"""Relative gain of the objective below which the search stays where it is."""


def better_start(walk: Walk, factor: float) -> FloatArray | None:
    """Where the stage had better have led, in the coordinates, shape (threshold,); None if there is no such place.

    Args:
        walk: at the end of a stage.
        factor: width of this stage, in units of the search's own.
    """
    search, widths = walk.search, walk.search.widths * factor
    if not search.has_templates:
        return None
    few = search.thinned(_FEW)
    worthwhile = _enough(_value(few, walk.position, widths))
    places = [np.where(search.unknowns < 0, walk.position, place) for place in _places(search)]
    tried = sorted(((_value(few, place, widths), n) for n, place in enumerate(places)), reverse=True)
    found = None
    for value, number in tried[:_FOLLOWED]:
        if value < worthwhile:
            break
        end = _followed(search, places[number], factor)
        if end is None:
            continue
        best = walk.position if found is None else found
        own = _value(search.reached(best, widths), best, widths)
        if _value(search.reached(end, widths), end, widths) > _enough(own):
            found = end
    return found


def _enough(value: float) -> float:
    return value + _WORTHWHILE * abs(value) if np.isfinite(value) else value


def _value(search: Search, position: FloatArray, widths: FloatArray) -> float:
    """The guarded objective, larger is better; minus infinity where it has no value."""
    found = search.problem.goal.sign * search.evaluate(position, widths).guarded
    return float(found) if np.isfinite(found) else -np.inf


def _followed(search: Search, start: FloatArray, factor: float) -> FloatArray | None:
    """The end of a stage from a start."""
    walk = Walk(search, start)
    try:
        walk.advance(factor)
    except OptimizationError:
        return None
    return walk.position


def _places(search: Search) -> list[FloatArray]:
    """Combinations of thresholds, each at a signal efficiency of its own."""
    number = search.num_unknowns
    tightest = max(_TIGHTEST, _TIGHTEST_TOGETHER ** (1.0 / number))
    of_level = np.array([search.at_efficiency(level) for level in np.linspace(_LOOSEST, tightest, _LEVELS)])
    shares = scipy.stats.qmc.Sobol(number, scramble=False).random(_TRIED)
    levels = (shares * _LEVELS).astype(np.int64)[:, np.maximum(search.unknowns, 0)]
    return list(of_level[levels, np.arange(len(search.unknowns))])
