"""Which derivatives meet where: what a dense expansion multiplies, found once for each layout.

Few parameters act on a cell. A second derivative is a sum over the cells in which its two parameters meet, and over the
bins that both change: products of rows, each summed into one element of the matrix, for all lanes side by side.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Multipliers, Scalings, Shifts
from .segments import GroupedRows

Index = NDArray[np.int64]

MOST = 5000
"""Products from which on those of whole matrices are faster."""
SHARE = 0.125
"""Share of the products of whole matrices up to which single ones are faster: 0.9 times the time of an expansion at a
tenth, 1.6 times at a fifth (300 lanes, 5 bins of 3 samples, 2 and 4 normsys)."""


class Pairs(NamedTuple):
    """Factors of cells by free parameters (*entries*), and products of derivatives.

    Attributes:
        source: of each entry: which scaling has its logarithmic derivative, or, after all scalings, which parameter
            is the factor itself, shape (entry,).
        cell: of each entry, shape (entry,).
        of_slope: entries of each parameter and bin.
        left: of each product: an entry, after all entries a shift and its cell, after all of those a parameter and its
            bin, shape (product,).
        right: of each product: an entry, or after all entries a parameter and its bin, shape (product,).
        of_element: products of each element above the diagonal of the matrix.
    """

    source: Index
    cell: Index
    of_slope: GroupedRows
    left: Index
    right: Index
    of_element: GroupedRows

    @classmethod
    def of(cls, modifiers: tuple[Shifts, Scalings, Multipliers], rank: Index, sizes: tuple[int, int]) -> "Pairs":
        """From where modifiers act.

        Args:
            modifiers: of the three kinds.
            rank: of each parameter among the free ones, or -1; one more for none.
            sizes: number of cells, and of bins.
        """
        shifts, scalings, multipliers = modifiers
        cells, bins = sizes
        free = int(rank.max(initial=-1)) + 1
        layer, cell = np.nonzero(rank[multipliers.parameter] >= 0)
        parameter = multipliers.parameter[layer, cell]
        source = np.concatenate([scalings.source, len(scalings.parameter) + parameter])
        cell = np.concatenate([scalings.cell, cell])
        moved = np.concatenate([rank[scalings.parameter[scalings.source]], rank[parameter]])
        order = np.lexsort((cell % bins, moved))
        source, cell, moved = source[order], cell[order], moved[order]
        entries = len(cell)

        variation, shifted = np.nonzero(shifts.touches[shifts.free, :, 0])
        changed = np.unique(np.concatenate([moved * bins + cell % bins, shifts.to[variation] * bins + shifted % bins]))
        first, second = _meeting(cell, cell)
        apart = first < second
        shift, other = _meeting(shifted, cell)
        one, two = _meeting(changed % bins, changed % bins)
        beside = one < two
        left = np.concatenate(
            [
                first[apart],
                entries + variation[shift] * cells + shifted[shift],
                entries + len(shifts.to) * cells + changed[one[beside]],
            ]
        )
        right = np.concatenate([second[apart], other, entries + changed[two[beside]]])
        rows = np.concatenate([moved[first[apart]], shifts.to[variation[shift]], changed[one[beside]] // bins])
        columns = np.concatenate([moved[second[apart]], moved[other], changed[two[beside]] // bins])
        of_slope = GroupedRows(moved * bins + cell % bins, free * bins)
        return cls(source, cell, of_slope, left, right, GroupedRows(rows * free + columns, free * free))


def few_pairs(modifiers: tuple[Shifts, Scalings, Multipliers], rank: Index, sizes: tuple[int, int]) -> Pairs | None:
    """The pairs, or None where products of whole matrices are faster."""
    found = Pairs.of(modifiers, rank, sizes)
    cells, bins = sizes
    free, columns = int(rank.max(initial=-1)) + 1, len(np.unique(found.of_slope.targets // max(bins, 1)))
    whole = cells * columns * (columns + len(modifiers[0].to)) + bins * free**2
    return found if len(found.left) <= min(MOST, SHARE * whole) else None


def _meeting(left: Index, right: Index) -> tuple[Index, Index]:
    """Positions in two lists of places, of all pairs that are at the same place."""
    order = np.argsort(right, kind="stable")
    starts, ends = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
    counts = ends - starts
    first = np.repeat(np.arange(len(left)), counts)
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, order[np.repeat(starts, counts) + within]
