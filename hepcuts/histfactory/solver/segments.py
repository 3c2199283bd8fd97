"""Sums and products over groups of rows, for arrays whose last axis counts the lanes of a batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class GroupedRows:
    """Rows grouped by the target that they contribute to.

    Args:
        targets: for each row the target, shape (row,).
        size: number of targets.

    Attributes:
        targets: as given.
    """

    def __init__(self, targets: NDArray[np.integer[Any]], size: int) -> None:
        self.targets = targets
        self._order = np.argsort(targets, kind="stable")
        self._targets, self._starts = np.unique(targets[self._order], return_index=True)
        self._sorted = bool(np.all(self._order == np.arange(len(targets))))
        self._one_each = self._sorted and len(self._targets) == len(targets) == size
        self._size = size

    def sum(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the rows of each target, zero where there is none: (row, lane) -> (target, lane)."""
        return self._reduce(np.add, rows, 0.0)

    def product(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Product of the rows of each target, one where there is none: (row, lane) -> (target, lane)."""
        return self._reduce(np.multiply, rows, 1.0)

    def _reduce(self, operation: np.ufunc, rows: NDArray[np.float64], empty: float) -> NDArray[np.float64]:
        if self._one_each:
            return rows
        result = np.full((self._size, rows.shape[1]), empty)
        if len(rows):
            grouped = rows if self._sorted else rows[self._order]
            result[self._targets] = operation.reduceat(grouped, self._starts, axis=0)
        return result
