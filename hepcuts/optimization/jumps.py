"""Jumps of single thresholds: out of local optima that no gradient leaves.

A cut that costs signal before it removes background has two optima, one of them with the cut given up. So, between the
wide stages, each threshold in turn is tried at some places, with all others where they are, on a part of the events:
the best place is only where the gradient starts from.
"""

import numpy as np

from hepcuts._types import FloatArray
from hepcuts.soft.search import Search

from .walk import Walk

_EFFICIENCIES = (0.995, 0.95, 0.85, 0.7, 0.5, 0.3, 0.15, 0.05)
"""Signal efficiencies of a single threshold that are tried."""

_FEW = 20_000
"""Events of each sample that are tried on."""

_WORTHWHILE = 0.01
"""Relative gain of the objective below which a threshold stays where it is."""


_LEAST_WIDTH = 0.2
"""Width, in the coordinates, below which the events tried on are too few to jump by."""

_MOST_JUMPS = 3


def go_on(walk: Walk, factor: float) -> None:
    """Advance by one stage, jump, and if a threshold did, advance again."""
    widths = walk.search.widths * factor
    walk.advance(factor)
    if walk.search.problem.linear or np.any(widths < _LEAST_WIDTH):
        return
    for _ in range(_MOST_JUMPS):
        position = jump(walk.search, walk.position, widths)
        if np.array_equal(position, walk.position):
            return
        walk.repeat(factor, position)


def jump(search: Search, position: FloatArray, widths: FloatArray) -> FloatArray:
    """Thresholds after each was moved, in turn, to the best of some places; in the coordinates, shape (threshold,).

    Args:
        search: with the events; only some of them are used.
        position: thresholds to start from, shape (threshold,).
        widths: of the soft cuts, shape (threshold,).
    """
    some, sign = search.thinned(_FEW), search.problem.goal.sign
    position = position.copy()
    best = sign * some.evaluate(position, widths).guarded
    places = np.clip([search.at_efficiency(e) for e in _EFFICIENCIES], search.lower, search.upper)
    for unknown in range(search.num_unknowns):
        members = search.unknowns == unknown
        for place in places:
            other = np.where(members, place[np.argmax(members)], position)
            value = sign * some.evaluate(other, widths).guarded
            if np.isfinite(value) and value > best + _WORTHWHILE * abs(best):
                position, best = other, value
    return position
