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

from .columns import Multipliers, Scalings, Shifts, with_columns, with_pairs
from .pairs import Pairs, few_pairs
from .partition import WORTH_LOCAL, Acting, Partition, partition_of
from .segments import GroupedRows

Index = NDArray[np.int64]


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
        partition: parameters of single bins, where it pays to eliminate them; then the pairs of cell and column of
            scalings and multipliers, and `to`, are not made. Else None.
        pairs: the products of which second derivatives are made, where they are few. Else None.
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
    staterror: GroupedRows
    shapesys_entry: Index
    shapesys: GroupedRows
    has_staterror: NDArray[np.bool_]
    has_shapesys: NDArray[np.bool_]
    normal: ConstraintIndex
    poisson: ConstraintIndex
    partition: Partition | None
    pairs: Pairs | None

    @property
    def unknowns(self) -> int:
        """Unknowns of the largest linear system."""
        return len(self.free) if self.partition is None else len(self.partition.core)

    @property
    def numbers(self) -> int:
        """Numbers in the largest array of an expansion, for each lane."""
        cells = self.samples * self.bins
        if self.pairs is not None:
            return int(max(len(self.pairs.left), len(self.free) ** 2, cells * (len(self.shifts.to) + 2)))
        if self.partition is None:
            return cells * (len(self.to) + len(self.shifts.to) + 8)
        return cells * (len(self.shifts.to) + 8) + (self.bins + len(self.partition.local)) * len(self.partition.core)

    def kinks(self, shifts: bool, scalings: bool) -> NDArray[np.bool_]:
        """Free parameters of the additive and of the multiplicative variations, if either is asked for, (free,)."""
        moved = [p for p, wanted in ((self.shifts.parameter, shifts), (self.scalings.parameter, scalings)) if wanted]
        return np.isin(self.free, np.concatenate([*moved, np.zeros(0, dtype=np.int64)]))


def layout_of(structure: LikelihoodStructure, free: NDArray[np.bool_], *, worth_local: int = WORTH_LOCAL) -> CellIndex:
    """The layout for a structure of NumPy arrays and the parameters that a fit moves; equal ones are made once.

    Args:
        structure: the structure.
        free: shape (parameter,).
        worth_local: parameters of single bins from which on they are eliminated.
    """
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
    return _layout(tuple((np.asarray(a).tobytes(), np.shape(a), np.asarray(a).dtype.str) for a in arrays), worth_local)


@functools.lru_cache(maxsize=256)
def _layout(key: tuple[tuple[bytes, tuple[int, ...], str], ...], worth_local: int) -> CellIndex:
    arrays = [np.frombuffer(data, dtype=kind).reshape(shape) for data, shape, kind in key]
    factor, histosys, histosys_mask, normsys, normsys_mask, channel_of_bin, staterror, shapesys = arrays[:8]
    normal, normal_data, poisson, poisson_data, free = arrays[8:]
    sizes = len(normal), len(poisson)
    samples, bins = factor.shape[1:] if len(factor) else histosys_mask.shape[1:]
    rank = np.full(len(free) + 1, -1)
    rank[:-1][free] = np.arange(free.sum())
    shifts = _shifts(histosys, histosys_mask, rank)
    scalings = _scalings(normsys, normsys_mask, channel_of_bin)
    multipliers = _multipliers(factor.reshape(len(factor), samples * bins))
    moved = np.flatnonzero(free)
    partition = _partition((shifts, scalings, multipliers), rank, moved, channel_of_bin, worth_local)
    to, pairs = np.zeros(0, dtype=np.int64), None
    if partition is None:
        scalings, to = with_pairs(scalings, rank)
        multipliers, more = with_columns(multipliers, rank, len(to))
        to = np.concatenate([to, more])
        pairs = few_pairs((shifts, scalings, multipliers), rank, (samples * bins, bins))
    stat = np.flatnonzero(staterror.ravel() < sizes[0])
    shape = np.flatnonzero(shapesys.ravel() < sizes[1])
    return CellIndex(
        samples,
        bins,
        len(free),
        moved,
        shifts,
        scalings,
        multipliers,
        to,
        len(np.unique(to)) < len(to),
        stat,
        GroupedRows(staterror.ravel()[stat], sizes[0]),
        shape,
        GroupedRows(shapesys.ravel()[shape], sizes[1]),
        np.isin(np.arange(sizes[0]), staterror),
        np.isin(np.arange(sizes[1]), shapesys),
        ConstraintIndex.of(normal, normal_data, rank),
        ConstraintIndex.of(poisson, poisson_data, rank),
        partition,
        pairs,
    )


def _partition(
    acting: tuple[Shifts, Scalings, Multipliers], rank: Index, free: Index, channel_of_bin: Any, worth_local: int
) -> Partition | None:
    """The partition, if there are enough local parameters."""
    shifts, scalings, multipliers = acting
    if len(free) < worth_local:
        return None
    layer, cells = np.nonzero(rank[multipliers.parameter] >= 0)
    entry = np.flatnonzero(rank[scalings.parameter] >= 0)
    moves = Acting(
        cells,
        rank[multipliers.parameter[layer, cells]],
        shifts.to,
        np.vstack([entry, scalings.of_block.targets[entry], rank[scalings.parameter[entry]]]),
    )
    samples = len(scalings.block_of_cell) // len(channel_of_bin)
    found = partition_of(moves, free, channel_of_bin, samples)
    return None if found is None or len(found.local) < worth_local else found


def _shifts(parameter: Any, mask: Any, rank: Index) -> Shifts:
    free = np.flatnonzero(rank[parameter] >= 0)
    return Shifts(
        parameter.astype(np.int64),
        mask.reshape(len(mask), mask.shape[1] * mask.shape[2], 1),
        slice(None) if len(free) == len(parameter) else free,
        rank[parameter[free]],
    )


def _scalings(parameter: Any, mask: Any, channel_of_bin: Any) -> Scalings:
    """All but the pairs."""
    samples, channels = mask.shape[1:]
    variation, block = np.nonzero(mask.reshape(len(mask), samples * channels))
    block_of_cell = (np.arange(samples)[:, None] * channels + channel_of_bin[None, :]).ravel()
    none = np.zeros(0, dtype=np.int64)
    return Scalings(
        parameter[variation].astype(np.int64),
        variation * samples * channels + block,
        GroupedRows(block, samples * channels),
        block_of_cell,
        GroupedRows(block_of_cell, samples * channels),
        none,
        none,
        none,
        GroupedRows(none, 0),
    )


def _multipliers(parameter: Any) -> Multipliers:
    """All but the pairs."""
    none = np.zeros(0, dtype=np.int64)
    return Multipliers(parameter.astype(np.int64), none, none, none)
