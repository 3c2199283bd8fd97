"""An arrow without those local directions whose curvature is large enough: what eigenvalues are worth looking at."""

import numpy as np
from numpy.typing import NDArray

from .arrow import Arrow

Values = NDArray[np.float64]


class Reduction:
    """One matrix, to be minimized over with all steep local directions following the others.

    Each local block is turned into its eigendirections. Steep ones are eliminated, others join the core, so that
    minima, flat directions and negative curvatures of the whole are those of a small matrix.

    Args:
        arrow: of one lane.
        steep: curvature from which on a local direction is eliminated.

    Attributes:
        matrix: of the core and the local directions that join it, shape (reduced, reduced).
    """

    def __init__(self, arrow: Arrow, steep: float) -> None:
        self._partition = arrow.partition
        self._turns = []
        border, curvatures = arrow.border[0].copy(), np.zeros(len(arrow.partition.local))
        for tier in arrow.partition.tiers:
            blocks = arrow.blocks[0, tier.elements].reshape(tier.size, tier.size, tier.number)
            values, vectors = np.linalg.eigh(blocks.transpose(2, 0, 1))
            curvatures[tier.locals] = values.T.ravel()
            self._turns.append((tier, vectors))
        self._turn(border, back=False)
        self._kept = curvatures > steep
        self._curvatures, self._border = curvatures[self._kept], border[self._kept]
        joined, size = border[~self._kept], arrow.core.shape[1]
        self.matrix = np.zeros((size + len(joined), size + len(joined)))
        self.matrix[:size, :size] = arrow.core[0] - self._border.T @ (self._border / self._curvatures[:, None])
        self.matrix[size:, :size], self.matrix[:size, size:] = joined, joined.T
        self.matrix[size:, size:] = np.diag(curvatures[~self._kept])

    def _turn(self, rows: Values, *, back: bool) -> None:
        """From local parameters to eigendirections, or back, in place: shape (local, column)."""
        for tier, vectors in self._turns:
            part = rows[tier.locals].reshape(tier.size, tier.number, rows.shape[1])
            rows[tier.locals] = np.einsum("bij,jbc->ibc" if back else "bji,jbc->ibc", vectors, part).reshape(
                tier.size * tier.number, rows.shape[1]
            )

    def fold(self, gradient: Values) -> tuple[Values, Values]:
        """The gradient, shape (free,), of the reduced problem, and of the directions that are eliminated."""
        local = gradient[self._partition.local][:, None]
        self._turn(local, back=False)
        kept = local[self._kept, 0]
        core = gradient[self._partition.core] - self._border.T @ (kept / self._curvatures)
        return np.concatenate([core, local[~self._kept, 0]]), kept

    def unfold(self, reduced: Values, kept: Values | None = None) -> Values:
        """All components of steps of the reduced problem that eliminated directions follow.

        Args:
            reduced: the steps, shape (reduced, step).
            kept: gradient of the directions that are eliminated, as of `fold`, shape (eliminated, step); None for none.

        Returns:
            Shape (free, step).
        """
        size = self._border.shape[1]
        local = np.zeros((len(self._kept), reduced.shape[1]))
        pull = -self._border @ reduced[:size] if kept is None else kept - self._border @ reduced[:size]
        local[self._kept] = pull / self._curvatures[:, None]
        local[~self._kept] = reduced[size:]
        self._turn(local, back=True)
        result = np.zeros((size + len(local), reduced.shape[1]))
        result[self._partition.core], result[self._partition.local] = reduced[:size], local
        return result

    def eliminated(self) -> Values:
        """Inverse of the local blocks in the directions that are eliminated, shape (element,) as in an `Arrow`."""
        inverse = np.zeros(len(self._kept))
        inverse[self._kept] = 1.0 / self._curvatures
        parts = [np.zeros(0)]
        for tier, vectors in self._turns:
            of_block = inverse[tier.locals].reshape(tier.size, tier.number)
            parts.append(np.einsum("bik,kb,bjk->ijb", vectors, of_block, vectors).ravel())
        return np.concatenate(parts)

    def gain(self, kept: Values) -> float:
        """What eliminated directions gain by themselves: gradient times inverse curvature times gradient."""
        return float(np.sum(kept**2 / self._curvatures))
