"""Which parameters of a fit belong to single bins, so that they can be eliminated from its linear systems.

A staterror, shapesys or shapefactor has a parameter for each bin. Such a *local* parameter meets the others of its bin
and the *core*, the parameters of whole channels, but none of another bin: with the local ones last, the Hessian is an
arrow, a block of the core, a border, and small blocks along the diagonal. Local parameters that share a bin, or that
are joined through bins that another one of them shares (one gamma in two channels), make one block.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Index = NDArray[np.int64]

MOST_BINS, LARGEST_BLOCK = 6, 16
"""A parameter of more bins, and one of a larger block, is not local: it would make the elimination expensive."""
WORTH_LOCAL = 64
"""Local parameters from which on a fit gains by their elimination."""


class Tier(NamedTuple):
    """Blocks of one size.

    Attributes:
        size: local parameters of each block.
        number: of blocks.
        first: position of the first of its local parameters; they are counted slot by slot, block by block.
        flat: position of the first of its matrix elements; they are counted row by row, column by column, block by
            block.
    """

    size: int
    number: int
    first: int
    flat: int

    @property
    def locals(self) -> slice:
        """Positions of its local parameters."""
        return slice(self.first, self.first + self.size * self.number)

    @property
    def elements(self) -> slice:
        """Positions of its matrix elements."""
        return slice(self.flat, self.flat + self.size**2 * self.number)


class Partition(NamedTuple):
    """Local parameters, the core, and where they act. Parameters are counted among the free ones.

    Attributes:
        core: parameters of the core, those of additive variations first, shape (core,).
        local: local parameters, tier by tier, shape (local,).
        tiers: blocks by size.
        diagonal: matrix element of each local parameter, shape (local,).
        row: local parameter of each matrix element's row, shape (element,).
        column: likewise of its column.
        entry_local: local parameter that multiplies a cell, in order, shape (entry,).
        entry_cell: that cell.
        pair_local: local parameter that changes a bin, in order, shape (pair,).
        pair_bin: that bin.
        pair_of_entry: shape (entry,).
        product: pairs of one bin, two by two, and the matrix element of their parameters, shape (3, product).
        crossing: entries of one cell and two parameters, and the matrix element of these, shape (3, crossing).
        channel_starts: first bin of each channel.
        block_of_cell: shape (cell,).
        scaling: entry of the multiplicative variations, block and core parameter, shape (3, scaling).
        multiplier: parameter (counted among all), block and core parameter, shape (3, multiplier).
    """

    core: Index
    local: Index
    tiers: tuple[Tier, ...]
    diagonal: Index
    row: Index
    column: Index
    entry_local: Index
    entry_cell: Index
    pair_local: Index
    pair_bin: Index
    pair_of_entry: Index
    product: Index
    crossing: Index
    channel_starts: Index
    block_of_cell: Index
    scaling: Index
    multiplier: Index


class Acting(NamedTuple):
    """Where free parameters act, as far as it matters here.

    Attributes:
        cells: cell that each one multiplies, shape (action,).
        moved: free parameter that does, shape (action,).
        shifts: free parameters of the additive variations.
        scaling: entry of the multiplicative variations, block and free parameter, shape (3, scaling).
    """

    cells: Index
    moved: Index
    shifts: Index
    scaling: Index


def partition_of(acting: Acting, free: Index, channel_of_bin: Any, samples: int) -> Partition | None:
    """The partition, or None if none is local, or one of the core multiplies parts of channels, or a cell twice.

    Args:
        acting: where free parameters act.
        free: these parameters, counted among all.
        channel_of_bin: shape (bin,).
        samples: number of samples.
    """
    bins = len(channel_of_bin)
    starts = np.flatnonzero(np.diff(channel_of_bin, prepend=-1))
    if len(starts) != len(np.unique(channel_of_bin)) or _repeated(acting.moved * samples * bins + acting.cells):
        return None
    block_of_cell = (np.arange(samples)[:, None] * len(starts) + channel_of_bin[None, :]).ravel()
    actions = _actions(acting, block_of_cell)
    tiers, local = _tiers(_blocks(acting, np.isin(np.arange(len(free)), actions.parts, invert=True), bins))
    if not len(local):
        return None
    position = np.full(len(free), -1)
    position[local] = np.arange(len(local))
    others = np.setdiff1d(np.arange(len(free)), [*local, *acting.shifts])
    core = np.concatenate([acting.shifts, others]).astype(np.int64)
    rank = np.full(len(free), -1)
    rank[core] = np.arange(len(core))
    inside = position[acting.moved] >= 0
    block, moved = actions.blocks[:, position[actions.blocks[1]] < 0]
    scaling = np.vstack([acting.scaling[:2], rank[acting.scaling[2]]])
    twice = np.isin(scaling[1] * len(core) + scaling[2], block * len(core) + rank[moved])
    if twice.any() or (position[actions.parts] < 0).any():
        return None
    order = np.lexsort((acting.cells[inside], position[acting.moved[inside]]))
    entry_local, entry_cell = position[acting.moved[inside]][order], acting.cells[inside][order]
    pairs, pair_of_entry = np.unique(entry_local * bins + entry_cell % bins, return_inverse=True)
    pair_local, pair_bin = pairs // bins, pairs % bins
    element, row, column = _elements(tiers, len(local))
    product = _joined(pair_bin)
    crossing = _joined(entry_cell)
    crossing = crossing[:, entry_local[crossing[0]] != entry_local[crossing[1]]]
    every = np.arange(len(local))
    return Partition(
        core,
        local,
        tiers,
        element(every, every),
        row,
        column,
        entry_local,
        entry_cell,
        pair_local,
        pair_bin,
        pair_of_entry.ravel(),
        np.vstack([product, element(pair_local[product[0]], pair_local[product[1]])]),
        np.vstack([crossing, element(entry_local[crossing[0]], entry_local[crossing[1]])]),
        starts,
        block_of_cell,
        scaling,
        np.vstack([free[moved], block, rank[moved]]),
    )


def _repeated(keys: Index) -> bool:
    return len(np.unique(keys)) < len(keys)


class _Actions(NamedTuple):
    """What multiplies cells, by blocks: these and the free parameters, shape (2, action); and who multiplies parts."""

    blocks: Index
    parts: Index


def _actions(acting: Acting, block_of_cell: Index) -> _Actions:
    sizes = np.bincount(block_of_cell)
    keys, counts = np.unique(acting.moved * len(sizes) + block_of_cell[acting.cells], return_counts=True)
    moved, block = keys // len(sizes), keys % len(sizes)
    return _Actions(np.vstack([block, moved]), np.unique(moved[counts < sizes[block]]))


def _blocks(acting: Acting, whole: NDArray[np.bool_], bins: int) -> list[Index]:
    """Local parameters of each block; who multiplies whole channels may be one if these have one bin."""
    number = len(whole)
    pairs = np.unique(acting.moved * bins + acting.cells % bins)
    moved, touched = pairs // bins, pairs % bins
    counts = np.bincount(moved, minlength=number)
    local = (counts <= MOST_BINS) & ~(whole & (counts > 1))
    local[acting.shifts] = local[acting.scaling[2]] = False
    links = moved[local[moved]], number + touched[local[moved]]
    graph = coo_array((np.ones(len(links[0])), links), shape=(number + bins, number + bins))
    label = connected_components(graph, directed=False)[1][:number]
    chosen = np.flatnonzero(local)
    chosen = chosen[np.argsort(label[chosen], kind="stable")]
    blocks = np.split(chosen, np.flatnonzero(np.diff(label[chosen])) + 1)
    return [block for block in blocks if 0 < len(block) <= LARGEST_BLOCK]


def _tiers(blocks: list[Index]) -> tuple[tuple[Tier, ...], Index]:
    """The blocks by size, and their parameters in order."""
    tiers, members, first, flat = [], [], 0, 0
    for size in sorted({len(block) for block in blocks}):
        chosen = np.array([block for block in blocks if len(block) == size]).T
        tiers.append(Tier(size, chosen.shape[1], first, flat))
        members.append(chosen.ravel())
        first, flat = first + chosen.size, flat + size * chosen.size
    return tuple(tiers), np.concatenate([np.zeros(0, dtype=np.int64), *members])


def _elements(tiers: tuple[Tier, ...], number: int) -> tuple[Any, Index, Index]:
    """A function to the matrix element of two local parameters of one block; and row and column of each element."""
    flat, step, slot, size = (np.zeros(number, dtype=np.int64) for _ in range(4))
    rows, columns = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for tier in tiers:
        local = np.arange(tier.size * tier.number).reshape(tier.size, tier.number)
        flat[tier.locals] = tier.flat + local.ravel() % tier.number
        step[tier.locals], slot[tier.locals], size[tier.locals] = tier.number, local.ravel() // tier.number, tier.size
        shape = (tier.size, tier.size, tier.number)
        rows.append(np.broadcast_to(tier.first + local[:, None], shape).ravel())
        columns.append(np.broadcast_to(tier.first + local[None, :], shape).ravel())

    def element(row: Index, column: Index) -> Index:
        result: Index = flat[row] + (slot[row] * size[row] + slot[column]) * step[row]
        return result

    return element, np.concatenate(rows), np.concatenate(columns)


def _joined(keys: Index) -> Index:
    """All ordered pairs of positions with equal keys, each with itself, too, shape (2, pair)."""
    order = np.argsort(keys, kind="stable")
    _, starts, group, counts = np.unique(keys[order], return_index=True, return_inverse=True, return_counts=True)
    repeats = counts[group.ravel()]
    first = np.repeat(np.arange(len(keys)), repeats)
    within = np.arange(len(first)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return np.vstack([order[first], order[starts[group.ravel()[first]] + within]])
