"""Matrices of the form of an arrow: a core, local blocks, and a border between them; one for each lane."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from .partition import Partition, Tier

Values = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Arrow:
    """Symmetric matrices of the free parameters.

    Attributes:
        partition: which parameters are local.
        core: shape (lane, core, core).
        border: shape (lane, local, core).
        blocks: elements of the local blocks, shape (lane, element).
    """

    partition: Partition
    core: Values
    border: Values
    blocks: Values

    def take(self, lanes: Any) -> "Arrow":
        """Those of some lanes."""
        return Arrow(self.partition, self.core[lanes], self.border[lanes], self.blocks[lanes])

    def where(self, lanes: NDArray[np.bool_], other: "Arrow") -> "Arrow":
        """Those of `other` in some lanes, these elsewhere."""
        by_rows = lanes[:, None]
        return Arrow(
            self.partition,
            np.where(by_rows[:, None], other.core, self.core),
            np.where(by_rows[:, None], other.border, self.border),
            np.where(by_rows, other.blocks, self.blocks),
        )

    def __add__(self, other: "Arrow") -> "Arrow":
        """Their sum."""
        return Arrow(self.partition, self.core + other.core, self.border + other.border, self.blocks + other.blocks)

    def __rmul__(self, factor: float) -> "Arrow":
        """Times a number."""
        return Arrow(self.partition, factor * self.core, factor * self.border, factor * self.blocks)

    def diagonal(self) -> Values:
        """Their diagonals, shape (free, lane)."""
        result = np.zeros((len(self.partition.core) + len(self.partition.local), len(self.core)))
        result[self.partition.core] = np.diagonal(self.core, axis1=1, axis2=2).T
        result[self.partition.local] = self.blocks[:, self.partition.diagonal].T
        return result

    def finite(self) -> NDArray[np.bool_]:
        """Whether all numbers are, shape (lane,)."""
        parts = (np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in (self.core, self.border, self.blocks))
        result: NDArray[np.bool_] = np.logical_and.reduce(tuple(parts))
        return result

    def dense(self) -> Values:
        """All elements, shape (free, free, lane)."""
        core, local, row, column = (getattr(self.partition, name) for name in ("core", "local", "row", "column"))
        size = len(core) + len(local)
        result = np.zeros((size, size, len(self.core)))
        result[core[:, None], core] = self.core.transpose(1, 2, 0)
        result[local[:, None], core] = self.border.transpose(1, 2, 0)
        result[core[:, None], local] = self.border.transpose(2, 1, 0)
        result[local[row], local[column]] = self.blocks.T
        return result

    def product(self, vectors: Values) -> Values:
        """Times vectors, one for each lane, shape (free, lane)."""
        core, local, row, column = (getattr(self.partition, name) for name in ("core", "local", "row", "column"))
        inner, outer = vectors[core], vectors[local]
        result = np.zeros_like(vectors)
        result[core] = np.einsum("lpq,ql->pl", self.core, inner) + np.einsum("lbp,bl->pl", self.border, outer)
        result[local] = np.einsum("lbp,pl->bl", self.border, inner)
        np.add.at(result, local[row], self.blocks.T * outer[column])
        return result

    def scaled(self, root: Any, added: Any) -> "Arrow":
        """With rows and columns times `root`, and something added to the diagonal.

        Args:
            root: zero for parameters that shall be left out, shape (free, lane).
            added: shape (free, lane).
        """
        of_core, of_local = root[self.partition.core].T, root[self.partition.local].T
        core = self.core * of_core[:, :, None]
        core *= of_core[:, None]
        border = self.border * of_local[:, :, None]
        border *= of_core[:, None]
        blocks = self.blocks * of_local[:, self.partition.row] * of_local[:, self.partition.column]
        every = np.arange(core.shape[1])
        core[:, every, every] += added[self.partition.core].T
        blocks[:, self.partition.diagonal] += added[self.partition.local].T
        return Arrow(self.partition, core, border, blocks)

    def solve(self, sides: Values) -> tuple[Values, NDArray[np.bool_]]:
        """Solve by Cholesky factorization, local parameters first, *in place of the matrices*.

        Args:
            sides: shape (free, lane).

        Returns:
            Solutions of shape (free, lane), and for which lanes the matrix is positive definite; elsewhere the
            solution means nothing.
        """
        solutions, positive = np.zeros_like(sides), np.zeros(sides.shape[1], dtype=bool)
        for lane in range(sides.shape[1]):
            core, local = sides[self.partition.core, lane], sides[self.partition.local, lane]
            parts = self.core[lane], self.border[lane], self.blocks[lane]
            positive[lane] = _solved(self.partition.tiers, parts, core, local)
            solutions[self.partition.core, lane] = core
            solutions[self.partition.local, lane] = local
        return solutions, positive


def _solved(tiers: tuple[Tier, ...], parts: tuple[Values, Values, Values], core: Values, local: Values) -> bool:
    """Replace right-hand sides by solutions, and the matrix by its factors; whether it is positive definite."""
    matrix, border, blocks = parts
    if not all(_eliminated(*_views(tier, border, blocks, local)) for tier in tiers):
        return False
    if len(core):
        matrix -= border.T @ border
        # The transposed of C order is Fortran's; the matrix is symmetric.
        factor, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
        if info or not np.isfinite(factor[-1, -1]):
            return False
        core[:], _ = lapack.dpotrs(factor, core - border.T @ local, lower=1)
        local -= border @ core
    for tier in tiers:
        factor, _, side = _views(tier, border, blocks, local)
        for i in reversed(range(tier.size)):
            for k in range(i + 1, tier.size):
                side[i] -= factor[k, i] * side[k]
            side[i] /= factor[i, i]
    return True


def _eliminated(blocks: Values, border: Values, side: Values) -> bool:
    """Factorize blocks, and divide their border and right-hand sides by the factors; whether that was possible."""
    if not _factorize(blocks):
        return False
    for i in range(len(blocks)):
        for k in range(i):
            border[i] -= blocks[i, k, :, None] * border[k]
            side[i] -= blocks[i, k] * side[k]
        border[i] /= blocks[i, i, :, None]
        side[i] /= blocks[i, i]
    return True


def _views(tier: Tier, border: Values, blocks: Values, local: Values) -> tuple[Values, Values, Values]:
    """Blocks of shape (slot, slot, block), their border (slot, block, core), their right-hand sides (slot, block)."""
    shape = (tier.size, tier.number)
    return (
        blocks[tier.elements].reshape(tier.size, *shape),
        border[tier.locals].reshape(*shape, border.shape[1]),
        local[tier.locals].reshape(shape),
    )


def _factorize(blocks: Values) -> bool:
    """Cholesky factors in the lower triangles, in place; whether all blocks are positive definite."""
    for i in range(len(blocks)):
        for j in range(i + 1):
            for k in range(j):
                blocks[i, j] -= blocks[i, k] * blocks[j, k]
            if j < i:
                blocks[i, j] /= blocks[j, j]
        if not (blocks[i, i] > 0).all():
            return False
        np.sqrt(blocks[i, i], out=blocks[i, i])
    return True
