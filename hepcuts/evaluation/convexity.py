"""By how much a figure of merit of few simulated events is on average larger than that of the expected yields.

A significance is convex in the background: of few simulated events it is on average larger than that of the expected
ones, as E[1/b] > 1/E[b]. To first order in the variance the excess is half of it times the second derivative, summed
over samples and bins, which fluctuate independently. It is taken off values on events that did not choose the cuts.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hepcuts._core.types import FloatArray

_STEP = 0.05
"""Relative step of yields for second derivatives, in which a significance is smooth."""

_MOST_CELLS = 200
"""Samples times bins, all regions together, up to which the excess is taken off: two evaluations each."""


@dataclasses.dataclass(frozen=True, eq=False)
class Nudged:
    """Yields as they are, and with one of them after the other a little smaller and a little larger.

    Each yield varies by the root of its sum of squared weights, with all its variations, which are of the same events,
    and its sum of squared weights in proportion. Of too many yields there is only what they are, and no excess.

    Attributes:
        tables: sums of weights and of their squares in each region, of shape (row, variation, cell, 2): row 0 as they
            are, then two rows for each cell that has events.
        variances: relative ones of these cells, shape (cell,).

    Example:
        Of a Poisson count n the mean of 1/n is larger than the inverse of its mean, by a relative 1/n to first order.

        >>> nudged = Nudged.of([np.array([[[50.0, 50.0]]])])
        >>> excess = nudged.excess(1.0 / nudged.tables[0][:, 0, 0, 0])
        >>> print(f"{excess * 50.0:.4f}")
        0.0201
    """

    tables: list[FloatArray]
    variances: FloatArray

    @classmethod
    def of(cls, tables: Sequence[FloatArray]) -> "Nudged":
        """Nudge sums of weights and of their squares in each region, of shape (variation, cell, 2)."""
        if sum(table.shape[1] for table in tables) > _MOST_CELLS:
            return cls([table[None] for table in tables], np.zeros(0))
        cells = [
            (region, cell)
            for region, table in enumerate(tables)
            for cell, (nominal, squares) in enumerate(table[0])
            if squares > 0.0 and nominal > 0.0
        ]
        moved = [np.repeat(table[None], 1 + 2 * len(cells), axis=0) for table in tables]
        for number, (region, cell) in enumerate(cells):
            moved[region][1 + 2 * number, :, cell] *= 1.0 - _STEP
            moved[region][2 + 2 * number, :, cell] *= 1.0 + _STEP
        sums = np.array([tables[region][0, cell] for region, cell in cells]).reshape(-1, 2)
        return cls(moved, sums[:, 1] / sums[:, 0] ** 2)

    def __len__(self) -> int:
        return 1 + 2 * len(self.variances)

    def excess(self, values: FloatArray) -> float:
        """Mean excess of a figure of merit, of its values in all rows; 0 where it has none in some of them."""
        curvature = (values[1:].reshape(-1, 2).sum(axis=1) - 2.0 * values[0]) / _STEP**2
        total = 0.5 * float(np.sum(curvature * self.variances))
        return total if np.isfinite(total) else 0.0
