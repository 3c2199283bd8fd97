"""Where the search for categories begins: dynamic programming along one variable after the other.

At given edges of all other variables, the best edges along one of them, for a sum over bins, are found exactly
(`hepcuts.templates.partitions`). Taken in turn until none changes, each step is no worse than the one before. For one
variable the first step is the global optimum; of several `shaken` leaves local ones.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.merit.gains import Gain
from hepcuts.templates.lattice import Lattice, Partitions
from hepcuts.templates.partitions import Partition, best_partitions

from .fine import Bins, FineBins, Guard
from .fits import neighbors

_ROUNDS = 10

_BETTER = 1e-9

_FREE = Guard(0.0, 0.0)


def alternating(lattice: Lattice, start: Partitions, gain: Gain, guard: Guard) -> Partitions:
    """Improve partitions along one axis at a time, until none changes; of one part of the events."""
    at, single = start, sum(len(p) > 2 for p in start) == 1
    for _ in range(1 if single else _ROUNDS):
        before = at
        for number, partition in enumerate(at):
            if len(partition) > 2:
                better = _best_along(lattice, number, at, gain, guard)
                at = (*at[:number], partition if better is None else better, *at[number + 1 :])
        if all(np.array_equal(a, b) for a, b in zip(at, before, strict=True)):
            break
    return at


def apart(lattice: Lattice, shape: Sequence[int], gain: Gain, guard: Guard) -> Partitions:
    """The best bins along each axis, all others not divided (cuts as in `even`)."""
    whole = even(
        lattice, [bins if axis.kept is not None else 1 for axis, bins in zip(lattice.axes, shape, strict=True)]
    )
    found = list(even(lattice, shape))
    for number, axis in enumerate(lattice.axes):
        if axis.kept is None and shape[number] > 1:
            alone = (*whole[:number], found[number], *whole[number + 1 :])
            best = _best_along(lattice, number, alone, gain, guard)
            found[number] = found[number] if best is None else best
    return tuple(found)


def _best_along(lattice: Lattice, number: int, at: Partitions, gain: Gain, guard: Guard) -> Partition | None:
    """The best partition of one axis; None if none is allowed."""
    axis, bins = lattice.axes[number], len(at[number]) - 1
    gains = gains_along(lattice, number, at, gain, guard)
    if axis.kept is None:
        found = best_partitions(gains, bins)
        return found[-1][0] if len(found) == bins else None
    # Of a cut one bin counts: from the first edge on, up to the last one, or in between.
    begins = slice(0, 1) if axis.kept == 0 else slice(1, None)
    ends = slice(None, -1) if axis.kept < bins - 1 else slice(-1, None)
    some = gains[begins, ends]
    if not np.isfinite(some).any():
        return None
    first, last = np.unravel_index(np.argmax(some), some.shape)
    begin, end = np.arange(axis.size)[begins][first], np.arange(axis.size)[ends][last] + 1
    return np.unique([0, begin, end, axis.size]).astype(np.int64)


def gains_along(lattice: Lattice, number: int, at: Partitions, gain: Gain, guard: Guard) -> FloatArray:
    """What a bin from fine bin i to j of one axis adds in all categories of the others, shape (fine, fine)."""
    size = lattice.axes[number].size
    total = np.zeros((size, size))
    for table in lattice.along(number, at):
        if table is None:
            continue
        tables = table.reshape(*lattice.lead, *table.shape[1:])
        for column in range(tables.shape[3]):
            whole = _fine(lattice, number, tables[:, :, :, column].sum(axis=2))
            guarded = whole.gains(gain, guard)
            if lattice.lead[2] == 1:
                total += guarded
                continue
            parts = (_fine(lattice, number, tables[:, :, o, column]) for o in range(lattice.lead[2]))
            total += np.where(np.isfinite(guarded), sum(part.gains(gain, _FREE) for part in parts), -np.inf)
    return total


def _fine(lattice: Lattice, number: int, sums: FloatArray) -> FineBins:
    """Fine bins of one axis, from sums of shape (variation, sample, fine, 2)."""
    return FineBins(
        lattice.axes[number].edges, lattice.structure, sums[None, ..., 0], sums[None, ..., 1], lattice.outside
    )


def shaken(lattice: Lattice, at: Partitions, gain: Gain, guard: Guard) -> Partitions:
    """Out of local optima along single axes: one edge is moved, and the others follow as is best for them.

    Each move of one edge by some fine bins is tried, with the best edges of the next divided axis for it; the best pair
    is taken, and all axes take their turns again, as long as the sum over categories grows.
    """
    best = _total(lattice, at, gain, guard)
    for _ in range(_ROUNDS):
        tried = [(value, one) for value, one in _shakes(lattice, at, gain, guard) if value > best * (1.0 + _BETTER)]
        if not tried:
            break
        found = alternating(lattice, max(tried, key=lambda pair: pair[0])[1], gain, guard)
        best, at = _total(lattice, found, gain, guard), found
    return at


def _shakes(lattice: Lattice, at: Partitions, gain: Gain, guard: Guard) -> Iterator[tuple[float, Partitions]]:
    divided = [number for number, partition in enumerate(at) if len(partition) > 2]
    for place, number in enumerate(divided):
        other = divided[(place + 1) % len(divided)]
        for moved in neighbors(at[number]):
            one = (*at[:number], moved, *at[number + 1 :])
            better = _best_along(lattice, other, one, gain, guard)
            if better is not None:
                one = (*one[:other], better, *one[other + 1 :])
                yield _total(lattice, one, gain, guard), one


def _total(lattice: Lattice, at: Partitions, gain: Gain, guard: Guard) -> float:
    """The sum over categories; minus infinity where one is not allowed."""
    yields = lattice.merged(at)
    bins = Bins.of(lattice.structure, yields, gain)
    whole = Bins.of(lattice.structure, lattice.over_observable(yields))
    if not (np.all(whole.allowed(guard)) and np.all(bins.allowed(_FREE))):
        return -np.inf
    return float(np.sum(gain(bins.signal, bins.background, bins.variance)))


def even(lattice: Lattice, shape: Sequence[int]) -> Partitions:
    """Bins of equally many fine bins; cuts that let almost everything pass."""
    found = []
    for axis, bins in zip(lattice.axes, shape, strict=True):
        inner = np.arange(1, bins) * axis.size / bins
        if axis.kept is not None:
            inner = np.array([1] if axis.kept == 1 else [axis.size - 1]) if bins == 2 else np.array([1, axis.size - 1])
        found.append(np.array([0, *np.round(inner), axis.size], dtype=np.int64))
    return tuple(found)
