"""Index lists of a likelihood: which entry of which table acts on which cell, with which parameter.

Made once for each structure and set of free parameters, from the masks of
`hepcuts.histfactory.structure.LikelihoodStructure`. A *cell* is one bin of one sample (sample-major), a *block* one
channel of one sample. Derivatives of the yields are taken by *columns*: a free parameter through the factors of a cell
(multiplicative), or through its additive shifts.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory.structure import LikelihoodStructure

from .segments import Segments

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
    of_block: Segments
    block_of_cell: Index
    cells_of_block: Segments
    source: Index
    cell: Index
    column: Index
    of_free: Segments


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


class ConstraintIndex(NamedTuple):
    """Constraint terms of one kind.

    Attributes:
        parameter: shape (constraint,).
        data: position of their auxiliary data, shape (constraint,).
        moved: constraints of free parameters.
        to: their parameters, counted among the free ones.
    """

    parameter: Index
    data: Index
    moved: Index
    to: Index

    @classmethod
    def of(cls, parameter: Any, data: Any, rank: Index) -> "ConstraintIndex":
        """From the parameters of all constraints, and the rank of each parameter among the free ones (or -1)."""
        moved = np.flatnonzero(rank[parameter] >= 0)
        return cls(parameter.astype(np.int64), data.astype(np.int64), moved, rank[parameter[moved]])


class CellIndex(NamedTuple):
    """All of it.

    Attributes:
        samples: number of samples.
        bins: number of bins.
        parameters: number of parameters.
        free: free parameters, shape (free,).
        shifts: additive variations.
        scalings: multiplicative variations.
        multipliers: factors that are parameters.
        to: parameter of each multiplicative column, counted among the free ones, shape (column,).
        repeats: whether a parameter has several multiplicative columns.
        staterror_entry: positions in the flattened table (layer, cell) that contribute to a width, shape (entry,).
        staterror: Gaussian constraint of each of them, as groups.
        shapesys_entry: likewise for Poisson constraints.
        shapesys: likewise.
        has_staterror: Gaussian constraints whose width follows the templates, shape (normal,).
        has_shapesys: Poisson constraints whose rate factor follows the templates, shape (poisson,).
        normal: Gaussian constraints.
        poisson: Poisson constraints.
    """

    samples: int
    bins: int
    parameters: int
    free: Index
    shifts: Shifts
    scalings: Scalings
    multipliers: Multipliers
    to: Index
    repeats: bool
    staterror_entry: Index
    staterror: Segments
    shapesys_entry: Index
    shapesys: Segments
    has_staterror: NDArray[np.bool_]
    has_shapesys: NDArray[np.bool_]
    normal: ConstraintIndex
    poisson: ConstraintIndex

    def kinks(self, shifts: bool, scalings: bool) -> NDArray[np.bool_]:
        """Free parameters of the additive and of the multiplicative variations, if either is asked for, (free,)."""
        moved = [p for p, wanted in ((self.shifts.parameter, shifts), (self.scalings.parameter, scalings)) if wanted]
        return np.isin(self.free, np.concatenate([*moved, np.zeros(0, dtype=np.int64)]))


def layout_of(structure: LikelihoodStructure, free: NDArray[np.bool_]) -> CellIndex:
    """The layout for a structure of NumPy arrays and the parameters that a fit moves; equal ones are made once."""
    arrays = (
        structure.factor,
        structure.histosys,
        structure.histosys_mask,
        structure.normsys,
        structure.normsys_mask,
        structure.channel_of_bin,
        structure.staterror,
        structure.shapesys,
        structure.normal_parameter,
        structure.normal_data,
        structure.poisson_parameter,
        structure.poisson_data,
        free,
    )
    return _layout(tuple((np.asarray(a).tobytes(), np.shape(a), np.asarray(a).dtype.str) for a in arrays))


@functools.lru_cache(maxsize=256)
def _layout(key: tuple[tuple[bytes, tuple[int, ...], str], ...]) -> CellIndex:
    arrays = [np.frombuffer(data, dtype=kind).reshape(shape) for data, shape, kind in key]
    factor, histosys, histosys_mask, normsys, normsys_mask, channel_of_bin, staterror, shapesys = arrays[:8]
    normal, normal_data, poisson, poisson_data, free = arrays[8:]
    sizes = len(normal), len(poisson)
    samples, bins = factor.shape[1:] if len(factor) else histosys_mask.shape[1:]
    rank = np.full(len(free) + 1, -1)
    rank[:-1][free] = np.arange(free.sum())
    columns: dict[tuple[str, int, int], int] = {}
    scalings = _scalings(normsys, normsys_mask, channel_of_bin, rank, columns)
    multipliers = _multipliers(factor.reshape(len(factor), -1), rank, columns)
    to = np.array([rank[parameter] for _, parameter, _ in columns], dtype=np.int64)
    stat = np.flatnonzero(staterror.ravel() < sizes[0])
    shape = np.flatnonzero(shapesys.ravel() < sizes[1])
    return CellIndex(
        samples,
        bins,
        len(free),
        np.flatnonzero(free),
        _shifts(histosys, histosys_mask, rank),
        scalings,
        multipliers,
        to,
        len(np.unique(to)) < len(to),
        stat,
        Segments(staterror.ravel()[stat], sizes[0]),
        shape,
        Segments(shapesys.ravel()[shape], sizes[1]),
        np.isin(np.arange(sizes[0]), staterror),
        np.isin(np.arange(sizes[1]), shapesys),
        ConstraintIndex.of(normal, normal_data, rank),
        ConstraintIndex.of(poisson, poisson_data, rank),
    )


def _shifts(parameter: Any, mask: Any, rank: Index) -> Shifts:
    free = np.flatnonzero(rank[parameter] >= 0)
    return Shifts(
        parameter.astype(np.int64),
        mask.reshape(len(mask), mask.shape[1] * mask.shape[2], 1),
        slice(None) if len(free) == len(parameter) else free,
        rank[parameter[free]],
    )


def _scalings(parameter: Any, mask: Any, channel_of_bin: Any, rank: Index, columns: dict[Any, int]) -> Scalings:
    samples, channels = mask.shape[1:]
    variation, block = np.nonzero(mask.reshape(len(mask), samples * channels))
    block_of_cell = (np.arange(samples)[:, None] * channels + channel_of_bin[None, :]).ravel()
    source: list[int] = []
    cell: list[int] = []
    column: list[int] = []
    target: list[int] = []
    for entry, (number, where) in enumerate(zip(variation, block, strict=True)):
        moved = int(parameter[number])
        if rank[moved] >= 0:
            touched = np.flatnonzero(block_of_cell == where)
            source.extend([entry] * len(touched))
            cell.extend(touched)
            column.extend([columns.setdefault(("scaling", moved, 0), len(columns))] * len(touched))
            target.extend([rank[moved]] * len(touched))
    return Scalings(
        parameter[variation].astype(np.int64),
        variation * samples * channels + block,
        Segments(block, samples * channels),
        block_of_cell,
        Segments(block_of_cell, samples * channels),
        np.array(source, dtype=np.int64),
        np.array(cell, dtype=np.int64),
        np.array(column, dtype=np.int64),
        Segments(np.array(target, dtype=np.int64), int(rank.max()) + 1),
    )


def _multipliers(parameter: Any, rank: Index, columns: dict[Any, int]) -> Multipliers:
    layers, cells = np.nonzero(rank[parameter] >= 0)
    source, column = [], []
    seen: dict[tuple[int, int], int] = {}
    for layer, cell in zip(layers.tolist(), cells.tolist(), strict=True):
        moved = int(parameter[layer, cell])
        # One parameter may multiply a cell twice: each time has a column of its own.
        time = seen.get((moved, cell), 0)
        seen[moved, cell] = time + 1
        source.append(moved)
        column.append(columns.setdefault(("multiplier", moved, time), len(columns)))
    return Multipliers(
        parameter.astype(np.int64),
        np.array(source, dtype=np.int64),
        cells.astype(np.int64),
        np.array(column, dtype=np.int64),
    )
