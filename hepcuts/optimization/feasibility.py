"""Making sure of constraints: hard cuts are loosened, all together, until what is wanted passes them.

The search pays for what falls short of a constraint, and so ends near it, on either side: soft cuts are not hard ones.
Here hard cuts are moved toward looser ones by one shift in the coordinates for all thresholds, the smallest that does,
so that none of them has to bear it alone.
"""

from collections.abc import Sequence

import numpy as np

from hepcuts._core.errors import OptimizationError
from hepcuts._core.types import FloatArray
from hepcuts.optimization.soft.compilation import as_yields
from hepcuts.optimization.soft.constraints import AtLeast, violated
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.soft_layouts import loosest_is_low


def enforce(search: Search, position: FloatArray) -> FloatArray:
    """The thresholds, loosened as little as it takes for constraints, and wishes if possible, to hold for hard cuts.

    Bounds are kept, thresholds that are fixed stay, and tied ones move together; those that are tied to each other so
    that one would be tightened stay, too.

    Args:
        search: with the training events; its `constraints` are to hold, its other guards are wishes: where there is
            no fulfilling them all, the constraints alone count.
        position: thresholds in the coordinates, shape (threshold,).

    Returns:
        Shape (threshold,); `position` itself if the constraints hold there.

    Raises:
        OptimizationError: they do not hold at the loosest thresholds that the bounds allow; the message says which.
    """
    wishes = tuple(guard for guard in search.guards if guard.soft)
    for wanted in ((*search.constraints, *wishes), search.constraints):
        found = _loosened(search, position, wanted)
        if found is not None:
            return found
    loosest = _moved(position, _room(search, position), np.inf)
    raise OptimizationError(
        "The constraints cannot be fulfilled: at the loosest cuts that bounds and fixed thresholds allow, "
        f"{'; '.join(short_of(search, loosest))}. Ask for less, or widen the bounds."
    )


def _loosened(search: Search, position: FloatArray, wanted: Sequence[AtLeast]) -> FloatArray | None:
    """Moved by the smallest shift that does; None if none does."""
    if not short_of(search, position, wanted):
        return position
    room = _room(search, position)

    # What is wanted need not grow with every event: weights can be negative, and one of large weight makes the
    # effective number of events smaller. So look from the smallest shift on, then between the last two.
    shifts = np.linspace(0.0, float(room[1].max()), search.tuning.loosening.shifts + 1)
    found = next(
        (n for n in range(1, len(shifts)) if not short_of(search, _moved(position, room, shifts[n]), wanted)), None
    )
    if found is None:
        return None
    low, high = shifts[found - 1], shifts[found]
    while high - low > search.tuning.loosening.precision:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if short_of(search, _moved(position, room, middle), wanted) else (low, middle)
    return _moved(position, room, high)


def _moved(position: FloatArray, room: tuple[FloatArray, FloatArray], shift: float) -> FloatArray:
    signs, most = room
    return position + signs * np.minimum(shift, most)


def short_of(search: Search, position: FloatArray, wanted: Sequence[AtLeast] | None = None) -> list[str]:
    """What falls short of what is wanted after hard cuts at a position, in words; by default of the constraints."""
    sums, structure = search.hard_sums(position)[0], search.regions[0].structure
    return violated(search.constraints if wanted is None else wanted, as_yields(sums, structure), structure)


def _room(search: Search, position: FloatArray) -> tuple[FloatArray, FloatArray]:
    """For each threshold the sign of what is looser, and how far it may move there, each of shape (threshold,)."""
    layout = search.regions[0].layout
    signs = np.where(loosest_is_low(layout), -1.0, 1.0)
    room = np.where(signs < 0, position - search.space.lower, search.space.upper - position)
    for edge, before, first in zip(layout.edges[1:], layout.edges, layout.first[1:], strict=False):
        if edge.cut == before.cut and layout.inverted[edge.cut]:
            between = slice(first - 1, first + 1)
            room[between] = np.minimum(
                room[between], search.tuning.loosening.closest * (position[first] - position[first - 1])
            )
    for members in search.space.groups:
        same = len(set(signs[members].tolist())) == 1
        room[members] = room[members].min() if same else 0.0
    return signs, np.where(search.space.group < 0, 0.0, np.maximum(room, 0.0))
