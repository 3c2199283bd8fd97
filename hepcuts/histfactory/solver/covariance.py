"""Covariance of the parameters of a fit: the inverse of a Hessian that may be singular."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrow import Arrow
from .partition import Partition
from .reduction import Reduction

Values = NDArray[np.float64]

_NO_CURVATURE = 1e-12
"""Relative curvature of a direction that the data do not determine."""
_NO_PART = 1e-8
"""Squared component along such a direction that rounding may give to a parameter that is determined."""
_STEEP = 1e-3
"""Curvature of local directions, in units of that of single parameters, from which on they are eliminated."""


class Covariance:
    """The inverse of a symmetric matrix whose rows may differ in scale by many orders of magnitude.

    Rows that have a part in a direction without (or with negative) curvature are NaN, the others what they are.

    Args:
        information: half of the Hessian of one lane, shape (free, free, 1), or an `Arrow`.
        moved: free parameters that count; rows of others are zero, shape (free,).
        free: numbers of the free parameters, shape (free,).

    Attributes:
        free: as given.
        variances: the diagonal, shape (free,).
    """

    def __init__(self, information: Any, moved: NDArray[np.bool_], free: NDArray[np.int64]) -> None:
        self.free = free
        sparse = isinstance(information, Arrow)
        diagonal = (information.diagonal() if sparse else np.diagonal(information).T)[:, 0]
        self._root = np.where(moved, 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
        self._undetermined = moved.copy()
        self._partition: Partition | None = None
        self._rows, self._own = np.zeros((len(free), 0)), np.zeros(0)
        whole = bool(information.finite().all()) if sparse else bool(np.isfinite(information).all())
        if whole and sparse:
            self._of_arrow(information.scaled(self._root[:, None], 1.0 - moved[:, None]))
        elif whole:
            values, vectors = np.linalg.eigh(information[:, :, 0] * np.outer(self._root, self._root))
            self._separate(values, vectors)
        self.variances = self._variances()

    def _variances(self) -> Values:
        result: Values = (self._rows**2).sum(axis=1)
        if self._partition is not None:
            result[self._partition.local] += self._own[self._partition.diagonal]
        result *= self._root**2
        result[self._undetermined] = np.nan
        return result

    def _of_arrow(self, scaled: Arrow) -> None:
        reduction = Reduction(scaled, _STEEP)
        self._partition, self._own = scaled.partition, reduction.eliminated()
        values, vectors = np.linalg.eigh(reduction.matrix)
        self._separate(values, reduction.unfold(vectors))

    def _separate(self, values: Values, directions: Values) -> None:
        """Keep the directions that the data determine, and note who has a part in the others."""
        good = values > _NO_CURVATURE * max(1.0, float(np.max(values, initial=0.0)))
        self._rows = directions[:, good] / np.sqrt(values[good])
        others = directions[:, ~good]
        part = (others**2 / (others**2).sum(axis=0)).sum(axis=1)
        self._undetermined &= part > _NO_PART

    def matrix(self) -> Values:
        """All elements, shape (free, free)."""
        result: Values = self._rows @ self._rows.T
        if self._partition is not None:
            local, row, column = self._partition.local, self._partition.row, self._partition.column
            result[local[row], local[column]] += self._own
        result *= self._root[:, None] * self._root[None, :]
        result[self._undetermined] = result[:, self._undetermined] = np.nan
        return result
