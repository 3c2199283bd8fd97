"""Jumps of single thresholds: out of local optima that no gradient leaves.

A cut that costs signal before it removes background has two optima, one of them with the cut given up. So, between the
wide stages, each threshold in turn is tried at some places, with all others where they are, on a part of the events:
the best place is only where the gradient starts from.
"""

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.soft_events import SoftEvents

from .starts import better_start
from .walk import Walk

_EFFICIENCIES = (0.995, 0.95, 0.85, 0.7, 0.5, 0.3, 0.15, 0.05)
"""Signal efficiencies of a single threshold that are tried."""

_WORTHWHILE = 0.01
"""Relative gain of the objective below which a threshold stays where it is."""


_LEAST_WIDTH = 0.2
"""Width, in the coordinates, below which the events tried on are too few to jump by."""

_MOST_JUMPS = 3

_DETAILED = (0.5, 1.5)
"""Widths, in units of each cut's own, between which soft cuts show what wider ones blur, and few events are enough."""


def go_on(walk: Walk, factor: float) -> None:
    """Advance by one stage, jump, and if a threshold did, advance again; then see whether it is better elsewhere."""
    widths = walk.search.widths * factor
    walk.advance(factor)
    if walk.search.problem.linear:
        return
    for _ in range(_MOST_JUMPS if np.all(widths >= _LEAST_WIDTH) else 0):
        position = jump(walk.search, walk.position, widths)
        if np.array_equal(position, walk.position):
            break
        walk.repeat(factor, position)
    low, high = _DETAILED
    if low < factor < high and (start := better_start(walk, factor)) is not None:
        walk.repeat(factor, start)


def jump(search: Search, position: FloatArray, widths: FloatArray) -> FloatArray:
    """Thresholds after each was moved, in turn, to the best of some places; in the coordinates, shape (threshold,).

    Args:
        search: with the events; only some of them are used.
        position: thresholds to start from, shape (threshold,).
        widths: of the soft cuts, shape (threshold,).
    """
    some, sign = search.around(position, widths), search.problem.goal.sign
    position = position.copy()
    best = sign * some.evaluate(position, widths).guarded
    places = np.clip([search.at_efficiency(e) for e in _EFFICIENCIES], search.lower, search.upper)
    for unknown in range(search.num_unknowns):
        members = search.unknowns == unknown
        tried = places[:, int(np.argmax(members))]
        values = sign * values_along(some, members, tried, position, widths)
        values = np.where(np.isfinite(values), values, -np.inf)
        if values.max() > best + _WORTHWHILE * abs(best):
            position, best = np.where(members, tried[int(np.argmax(values))], position), float(values.max())
    return position


def values_along(
    search: Search, members: NDArray[np.bool_], places: FloatArray, position: FloatArray, widths: FloatArray
) -> FloatArray:
    """The guarded objective of soft cuts with some thresholds at one of many places, shape (place,).

    Args:
        search: with the events.
        members: which thresholds move, together, shape (threshold,).
        places: where to, shape (place,).
        position: all thresholds, shape (threshold,).
        widths: of the soft cuts, shape (threshold,).
    """
    edges = [_alone(region, members) for region in search.regions]
    if not search.has_templates or None in edges:
        others = [np.where(members, place, position) for place in places]
        return np.array([search.evaluate(other, widths).guarded for other in others])
    step = search.problem.relaxation
    sums = [
        region.sums_along(edge, places, position[region.index], widths[region.index], step)
        for region, edge in zip(search.regions, edges, strict=True)
        if edge is not None
    ]
    return search.of_many_sums(sums)[0]


def _alone(region: SoftEvents, members: NDArray[np.bool_]) -> int | None:
    """The one edge that moves, if it is all of its cut; None if there is none such."""
    layout = region.layout
    moving = [n for n, first in enumerate(layout.first) if members[region.index[first]]]
    if len(moving) != 1 or np.count_nonzero(members[region.index]) != 1:
        return None
    cut = layout.edges[moving[0]].cut
    alone = sum(edge.cut == cut for edge in layout.edges) == 1 and layout.edges[moving[0]].along is None
    return moving[0] if alone and not layout.inverted[cut] else None
