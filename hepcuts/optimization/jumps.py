"""Jumps of single thresholds: out of local optima that no gradient leaves.

A cut that costs signal before it removes background has two optima, one of them with the cut given up. So, between the
wide stages, each threshold in turn is tried elsewhere, at some candidates, with all others where they are, on a part of
the events: the best candidate is only where the gradient starts from.
"""

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.soft_events import SoftEvents

from .starts import better_start
from .walk import Walk


def advance_stage(walk: Walk, factor: float) -> None:
    """Advance by one stage, jump, and if a threshold did, advance again; then see whether it is better elsewhere."""
    widths, tuning = walk.search.space.widths * factor, walk.search.tuning
    walk.advance(factor)
    if walk.search.problem.linear:
        return
    for _ in range(tuning.jumps.most if np.all(widths >= tuning.jumps.least_width) else 0):
        position = jump(walk.search, walk.position, widths)
        if np.array_equal(position, walk.position):
            break
        walk.repeat(factor, position)
    low, high = tuning.restarts.widths
    if low < factor < high and (start := better_start(walk, factor)) is not None:
        walk.repeat(factor, start)


def jump(search: Search, position: FloatArray, widths: FloatArray) -> FloatArray:
    """Thresholds after each was moved, in turn, to the best of some candidates; in the coordinates, shape (threshold,).

    Args:
        search: with the events; only some of them are used.
        position: thresholds to start from, shape (threshold,).
        widths: of the soft cuts, shape (threshold,).
    """
    some, sign, options = search.around(position, widths), search.problem.objective.sign, search.tuning.jumps
    position = position.copy()
    best = sign * some.evaluate(position, widths).guarded
    space = search.space
    candidates = np.clip([space.at_efficiency(e) for e in options.efficiencies], space.lower, space.upper)
    for members in space.groups:
        along = candidates[:, int(np.argmax(members))]
        values = sign * values_along(some, members, along, position, widths)
        values = np.where(np.isfinite(values), values, -np.inf)
        if values.max() > best + options.worthwhile * abs(best):
            position, best = np.where(members, along[int(np.argmax(values))], position), float(values.max())
    return position


def values_along(
    search: Search, members: NDArray[np.bool_], candidates: FloatArray, position: FloatArray, widths: FloatArray
) -> FloatArray:
    """The guarded objective of soft cuts with some thresholds at one of many candidates, shape (candidate,).

    Args:
        search: with the events.
        members: which thresholds move, together, shape (threshold,).
        candidates: where to, shape (candidate,).
        position: all thresholds, shape (threshold,).
        widths: of the soft cuts, shape (threshold,).
    """
    edges = [_alone(region, members) for region in search.regions]
    if not search.has_templates or None in edges:
        others = [np.where(members, candidate, position) for candidate in candidates]
        return np.array([search.evaluate(other, widths).guarded for other in others])
    step = search.problem.step
    sums = [
        region.sums_along(edge, candidates, position[region.index], widths[region.index], step)
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
