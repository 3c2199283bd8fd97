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
    followed = [places[n] for value, n in tried[:_FOLLOWED] if value > worthwhile]
    if not followed:
        return None
    # Few events have an optimum of their own: with it, not with where the search is, other ends are compared.
    own, *ends = (_followed(few, start, factor) for start in (walk.position, *followed))
    end, value = max(((end, _value(few, end, widths)) for end in ends), key=lambda pair: pair[1])
    if value <= _enough(_value(few, own, widths)):
        return None
    end = _followed(search, end, factor)
    found, here = (_value(search.reached(at, widths), at, widths) for at in (end, walk.position))
    return end if found > _enough(here) else None


def _enough(value: float) -> float:
    return value + _WORTHWHILE * abs(value) if np.isfinite(value) else value


def _value(search: Search, position: FloatArray, widths: FloatArray) -> float:
    """The guarded objective, larger is better; minus infinity where it has no value."""
    found = search.problem.goal.sign * search.evaluate(position, widths).guarded
    return float(found) if np.isfinite(found) else -np.inf


def _followed(search: Search, start: FloatArray, factor: float) -> FloatArray:
    """The end of a stage from a start; the start if the stage cannot be gone through."""
    walk = Walk(search, start)
    with contextlib.suppress(OptimizationError):
        walk.advance(factor)
    return walk.position


def _places(search: Search) -> list[FloatArray]:
    """Combinations of thresholds, each at a signal efficiency of its own."""
    number = search.num_unknowns
    tightest = max(_TIGHTEST, _TIGHTEST_TOGETHER ** (1.0 / number))
    of_level = np.array([search.at_efficiency(level) for level in np.linspace(_LOOSEST, tightest, _LEVELS)])
    shares = stats.qmc.Sobol(number, scramble=False).random(_TRIED)
    levels = (shares * _LEVELS).astype(np.int64)[:, np.maximum(search.unknowns, 0)]
    return list(of_level[levels, np.arange(len(search.unknowns))])
