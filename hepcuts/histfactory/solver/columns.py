"""Where the three kinds of modifiers act, and the columns of derivatives that a dense expansion makes of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .segments import GroupedRows

Index = NDArray[np.int64]


class Shifts(NamedTuple):
    """Additive variations (histosys).

    Attributes:
        parameter: parameter of each variation, shape (variation,).
        touches: cells that each one shifts, shape (variation, cell, 1).
        free: variations with a free parameter.
        to: those parameters, counted among the free ones.
    """

    parameter: Index
    touches: NDArray[np.bool_]
    free: Index | slice
    to: Index


class Scalings(NamedTuple):
    """Multiplicative variations (normsys).

    Attributes:
        parameter: parameter of each entry, shape (entry,).
        table: positions in the flattened table (normsys, block), shape (entry,).
        of_block: entries of each block.
        block_of_cell: shape (cell,).
        cells_of_block: the same as groups.
        source: entry behind each pair of cell and column, shape (pair,).
        cell: shape (pair,).
        column: shape (pair,).
        of_free: pairs of each free parameter.
    """

    parameter: Index
    table: Index
    of_block: GroupedRows
    block_of_cell: Index
    cells_of_block: GroupedRows
    source: Index
    cell: Index
    column: Index
    of_free: GroupedRows


class Multipliers(NamedTuple):
    """Parameters that multiply cells (normfactor, lumi, shapefactor, shapesys, staterror).

    Attributes:
        parameter: parameter of each layer and cell, one past the last for none, shape (layer, cell).
        source: parameter behind each pair of cell and column, shape (pair,).
        cell: shape (pair,).
        column: shape (pair,).
    """

    parameter: Index
    source: Index
    cell: Index
    column: Index


def with_pairs(scalings: Scalings, rank: Index) -> tuple[Scalings, Index]:
    """With the pairs of cell and column, and the free parameter of each column."""
    moved = rank[scalings.parameter]
    entry = np.flatnonzero(moved >= 0)
    cells = np.argsort(scalings.block_of_cell, kind="stable")
    counts = np.bincount(scalings.block_of_cell, minlength=int(scalings.block_of_cell.max(initial=-1)) + 1)
    starts, block = np.cumsum(counts) - counts, scalings.of_block.targets[entry]
    source = np.repeat(entry, counts[block])
    within = np.arange(len(source)) - np.repeat(np.cumsum(counts[block]) - counts[block], counts[block])
    cell = cells[np.repeat(starts[block], counts[block]) + within]
    to, column = np.unique(moved[source], return_inverse=True)
    of_free = GroupedRows(moved[source], int(rank.max()) + 1)
    return scalings._replace(source=source, cell=cell, column=column.ravel(), of_free=of_free), to


def with_columns(multipliers: Multipliers, rank: Index, first: int) -> tuple[Multipliers, Index]:
    """With the pairs of cell and column, columns counted from `first` on, and the free parameter of each column."""
    layer, cell = np.nonzero(rank[multipliers.parameter] >= 0)
    source = multipliers.parameter[layer, cell]
    # One parameter may multiply a cell twice: each time has a column of its own.
    keys = source * (int(cell.max(initial=0)) + 1) + cell
    order = np.argsort(keys, kind="stable")
    _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    time = np.empty_like(keys)
    time[order] = np.arange(len(keys)) - np.repeat(starts, counts)
    times = int(time.max(initial=0)) + 1
    columns, column = np.unique(source * times + time, return_inverse=True)
    return multipliers._replace(source=source, cell=cell, column=first + column.ravel()), rank[columns // times]
