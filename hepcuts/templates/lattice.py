"""Events of all samples and variations, laid once into fine bins of several variables.

What `hepcuts.binning.fine` is for one variable. Only fine bins that hold events are kept, so that neither the number of
events nor, for many variables, that of all fine bins matters. Categories are bins along one or more variables; a cut is
a variable with two bins (a window one with three) of which one is kept. In each category the events may be laid along
the axis of an observable, whose bins are as given.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import hist
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray

from .coordinates import NormalScores
from .partitions import Partition
from .templates import Structure, Templates, Yields

_CHUNK = 1 << 15
"""Fine bins whose pass weights are held at once."""

Partitions = tuple[Partition, ...]
"""A partition of the fine bins of each axis."""


@dataclasses.dataclass(frozen=True, eq=False)
class FineAxis:
    """One variable, laid into fine bins.

    Attributes:
        variable: the column.
        edges: of the fine bins, shape (fine + 1,).
        kept: of a cut, which of its bins passes; None if all bins are categories.
    """

    variable: str
    edges: FloatArray
    kept: int | None = None

    @property
    def size(self) -> int:
        """Number of fine bins."""
        return len(self.edges) - 1

    @property
    def coordinate(self) -> NormalScores:
        """Normal scores, in which a soft edge moves; an edge between fine bins is a knot."""
        return NormalScores(self.edges[1:-1])

    @property
    def scores(self) -> FloatArray:
        """Coordinates of the fine bins, shape (fine,)."""
        # A bin holds its lower edge, and the coordinate of an edge is that of what lies below.
        return self.coordinate.scores(np.nextafter(self.edges[:-1], np.inf))

    def categories(self, bins: int) -> int:
        """How many of some number of bins are categories."""
        return bins if self.kept is None else 1

    def chosen(self, table: FloatArray) -> FloatArray:
        """Of a table whose last axis is that of all bins, those that are categories."""
        return table if self.kept is None else table[..., self.kept : self.kept + 1]

    def index(self, values: FloatArray) -> NDArray[np.int64]:
        """Fine bin of each value, shape (event,); a bin holds its lower edge."""
        return np.asarray(np.searchsorted(self.edges, values, side="right") - 1, dtype=np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class FineCells:
    """Fine bins with the events that the same variables divide into categories.

    Attributes:
        axes: numbers of the lattice's axes that do.
        sizes: numbers of their fine bins.
        cell: position in the flattened (part, variation, sample, observable), shape (row,), not decreasing.
        index: fine bin along each axis, shape (axis, row).
        weights: sums of weights and of squared weights in the fine bins, shape (row, 2).
    """

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    cell: NDArray[np.int64]
    index: NDArray[np.int64]
    weights: FloatArray

    def collected(self) -> "FineCells":
        """The same with one row for each fine bin that holds events."""
        size = int(np.prod(self.sizes))
        key = self.cell * size + np.ravel_multi_index(tuple(self.index), self.sizes)
        unique, inverse = np.unique(key, return_inverse=True)
        sums = [np.bincount(inverse, self.weights[:, power], minlength=len(unique)) for power in (0, 1)]
        index = np.stack(np.unravel_index(unique % size, self.sizes))
        return dataclasses.replace(self, cell=unique // size, index=index, weights=np.stack(sums, axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class Lattice:
    """Sums of weights in fine bins of several variables, for each part of the events.

    Attributes:
        axes: the variables.
        blocks: the events; categories of one block follow those of the one before.
        structure: samples and variations, with the axis of the observable.
        outside: expected events that are selected but on no axis, shape (sample,).
        num_parts: number of parts of the events.
    """

    axes: tuple[FineAxis, ...]
    blocks: tuple[FineCells, ...]
    structure: Structure
    outside: FloatArray
    num_parts: int

    @property
    def lead(self) -> tuple[int, int, int]:
        """Number of variations, samples and bins of the observable."""
        return len(self.structure.variations), len(self.structure.components), self.structure.num_bins

    def dims(self, block: FineCells, shape: Sequence[int]) -> tuple[int, ...]:
        """Number of categories along each axis of a block, from the number of bins along each axis of the lattice."""
        return tuple(self.axes[a].categories(shape[a]) for a in block.axes)

    def num_categories(self, shape: Sequence[int]) -> int:
        """Number of categories for numbers of bins along the axes."""
        return sum(int(np.prod(self.dims(block, shape))) for block in self.blocks)

    def structure_of(self, shape: Sequence[int]) -> Structure:
        """Structure of the templates: the bins of the observable in one category after the other."""
        bins = self.num_categories(shape) * self.structure.num_bins
        axis = hist.axis.Regular(bins, 0.0, 1.0, name="category")
        return dataclasses.replace(self.structure, axis=axis)

    def reference(self, shape: Sequence[int]) -> Templates:
        """Templates with all events in every bin: for the structure of a likelihood, which asks for non-empty bins."""
        structure = self.structure_of(shape)
        sums = np.zeros((*self.lead[:2], 2))
        for block in self.blocks:
            np.add.at(sums.reshape(-1, 2), block.cell // self.lead[2] % (self.lead[0] * self.lead[1]), block.weights)
        tables = (np.repeat(sums[..., power, None], structure.num_bins, axis=-1) for power in (0, 1))
        return Templates(structure, structure.complete(*tables), self.outside)

    def chosen(self, parts: Iterable[int], *, whole: bool = True) -> "Lattice":
        """Some of the parts as one; see `hepcuts.binning.fine.FineBins.chosen`."""
        numbers = np.array(list(parts))
        scale = self.num_parts / len(numbers) if whole else 1.0
        cells = int(np.prod(self.lead))
        blocks = []
        for block in self.blocks:
            rows = np.isin(block.cell // cells, numbers)
            some = FineCells(
                block.axes, block.sizes, block.cell[rows] % cells, block.index[:, rows], block.weights[rows]
            )
            blocks.append(dataclasses.replace(some, weights=some.weights * scale).collected())
        return dataclasses.replace(self, blocks=tuple(blocks), num_parts=1)

    # --- hard categories; of one part ---

    def categories(self, block: FineCells, partitions: Partitions) -> NDArray[np.int64]:
        """Number of the category of each row within its block, shape (row,); -1 for what fails a cut."""
        shape = [len(partition) - 1 for partition in partitions]
        found, passed = np.zeros(len(block.cell), dtype=np.int64), np.ones(len(block.cell), dtype=bool)
        for number, index in zip(block.axes, block.index, strict=True):
            bins = np.searchsorted(partitions[number][1:-1], index, side="right")
            axis = self.axes[number]
            if axis.kept is None:
                found = found * shape[number] + bins
            else:
                passed &= bins == axis.kept
        return np.where(passed, found, -1)

    def sums(self, partitions: Partitions) -> FloatArray:
        """Sums of weights and of squared weights in hard categories, shape (variation, sample, bin, 2)."""
        shape = [len(partition) - 1 for partition in partitions]
        found = []
        for block in self.blocks:
            number = int(np.prod(self.dims(block, shape)))
            category = self.categories(block, partitions)
            rows = np.flatnonzero(category >= 0)
            flat, size = block.cell[rows] * number + category[rows], int(np.prod(self.lead)) * number
            both = [np.bincount(flat, block.weights[rows, power], minlength=size) for power in (0, 1)]
            found.append(np.stack(both, axis=-1).reshape(-1, number, 2))
        return self.in_bins(np.concatenate(found, axis=1))

    def merged(self, partitions: Partitions) -> Yields:
        """Yields in hard categories, of shape (variation, sample, bin)."""
        return self.as_yields(self.sums(partitions))

    def as_yields(self, sums: FloatArray) -> Yields:
        """Sums of shape (variation, sample, bin, 2) as yields, with what has no events of its own."""
        return self.structure.complete(sums[..., 0], sums[..., 1])

    def over_observable(self, yields: Yields) -> Yields:
        """Yields of `merged`, summed over the bins of the observable, of shape (variation, sample, category)."""
        tables = (np.asarray(table) for table in (yields.values, yields.variances))
        return Yields(*(table.reshape(*table.shape[:2], -1, self.lead[2]).sum(axis=-1) for table in tables))

    def in_bins(self, sums: FloatArray) -> FloatArray:
        """Sums of shape (cell, category, 2) as (variation, sample, bin, 2), the observable's bins side by side."""
        table = sums.reshape(*self.lead, sums.shape[-2], 2)
        return np.moveaxis(table, 2, 3).reshape(*self.lead[:2], -1, 2)

    def _in_cells(self, table: FloatArray) -> FloatArray:
        """The inverse of `in_bins`."""
        split = table.reshape(*self.lead[:2], -1, self.lead[2], 2)
        return np.moveaxis(split, 3, 2).reshape(int(np.prod(self.lead)), -1, 2)

    def along(self, number: int, partitions: Partitions) -> list[FloatArray | None]:
        """What lies in the fine bins of one axis, in each category of the others.

        Returns:
            For each block sums of shape (cell, category of the others, fine bin, 2); None if the axis is none of its.
        """
        shape = [len(partition) - 1 for partition in partitions]
        found: list[FloatArray | None] = []
        for block in self.blocks:
            if number not in block.axes:
                found.append(None)
                continue
            at = block.axes.index(number)
            others = tuple(a for a in block.axes if a != number)
            rest = dataclasses.replace(block, axes=others, index=np.delete(block.index, at, axis=0))
            category, size = self.categories(rest, partitions), block.sizes[at]
            columns = int(np.prod(self.dims(rest, shape)))
            rows = np.flatnonzero(category >= 0)
            flat = (block.cell[rows] * columns + category[rows]) * size + block.index[at, rows]
            cells = int(np.prod(self.lead)) * columns * size
            both = [np.bincount(flat, block.weights[rows, power], minlength=cells) for power in (0, 1)]
            found.append(np.asarray(np.stack(both, axis=-1), dtype=np.float64).reshape(-1, columns, size, 2))
        return found

    def merged_along(self, number: int, tables: Sequence[FloatArray | None], partitions: Partitions) -> Yields:
        """As `merged`, from the tables of `along` for one axis; for blocks without it the sums go through the rows."""
        axis, shape = self.axes[number], [len(partition) - 1 for partition in partitions]
        found = []
        for block, table in zip(self.blocks, tables, strict=True):
            if table is None:
                alone = dataclasses.replace(self, blocks=(block,)).sums(partitions)
                found.append(self._in_cells(alone))
                continue
            bins = np.moveaxis(np.add.reduceat(table, partitions[number][:-1], axis=2), 2, -1)
            at, dims = block.axes.index(number), self.dims(block, shape)
            kept = np.moveaxis(axis.chosen(bins), -1, 2)
            split = kept.reshape(len(kept), *dims[:at], *dims[at + 1 :], dims[at], 2)
            found.append(np.moveaxis(split, -2, 1 + at).reshape(len(kept), -1, 2))
        return self.as_yields(self.in_bins(np.concatenate(found, axis=1)))

    # --- soft categories; of one part ---

    def soft_sums(self, shares: Sequence[FloatArray]) -> FloatArray:
        """Sums in soft categories.

        Args:
            shares: for each axis the share of each fine bin in each category, shape (fine, category).

        Returns:
            Sums of w p and w^2 p, p the product of the shares, shape (variation, sample, bin, 2).
        """
        found = []
        for block in self.blocks:
            number = int(np.prod([shares[a].shape[1] for a in block.axes]))
            sums = np.zeros((int(np.prod(self.lead)), number, 2))
            for rows in _chunks(len(block.cell)):
                passed = np.ones((rows.stop - rows.start, 1))
                for a, index in zip(block.axes, block.index, strict=True):
                    passed = (passed[:, :, None] * shares[a][index[rows], None, :]).reshape(len(passed), -1)
                cells, starts = np.unique(block.cell[rows], return_index=True)
                for power in (0, 1):
                    weighted = passed * block.weights[rows, power, None]
                    sums[cells, :, power] += np.add.reduceat(weighted, starts, axis=0)
            found.append(sums)
        return self.in_bins(np.concatenate(found, axis=1))

    def slopes(self, shares: Sequence[FloatArray], by_sums: FloatArray) -> list[FloatArray]:
        """Slopes of an objective to the shares, of their shapes, from those to `soft_sums`, of its shape."""
        found = [np.zeros_like(share) for share in shares]
        by_cells, first = self._in_cells(by_sums), 0
        for block in self.blocks:
            dims = tuple(shares[a].shape[1] for a in block.axes)
            mine = by_cells[:, first : first + int(np.prod(dims))]
            first += int(np.prod(dims))
            for rows in _chunks(len(block.cell)):
                slope = np.einsum("rck,rk->rc", mine[block.cell[rows]], block.weights[rows]).reshape(-1, *dims)
                factors = [shares[a][index[rows]] for a, index in zip(block.axes, block.index, strict=True)]
                for at, a in enumerate(block.axes):
                    rest = slope
                    for other in reversed(range(len(dims))):
                        if other != at:
                            rest = np.einsum("r...k,rk->r...", np.moveaxis(rest, 1 + other, -1), factors[other])
                    flat = block.index[at, rows, None] * dims[at] + np.arange(dims[at])
                    sums = np.bincount(flat.ravel(), rest.ravel(), minlength=found[a].size)
                    found[a] += sums.reshape(found[a].shape)
        return found


def _chunks(size: int) -> list[slice]:
    return [slice(begin, min(begin + _CHUNK, size)) for begin in range(0, size, _CHUNK)]
