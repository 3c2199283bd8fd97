"""Positive definite systems by the thousand: (parameter, parameter, lane) matrices, one right-hand side each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from .arrow import Arrow

Values = NDArray[np.float64]


def finite(matrix: Any) -> NDArray[np.bool_]:
    """Where all elements of matrices are finite, shape (lane,); of an array or of an `Arrow`."""
    found: NDArray[np.bool_] = matrix.finite() if isinstance(matrix, Arrow) else np.isfinite(matrix).all(axis=(0, 1))
    return found


def solve_scaled(
    matrix: Any, root: Values, moving: NDArray[np.bool_], added: Values, sides: Values
) -> tuple[Values, NDArray[np.bool_]]:
    """Solve symmetric systems after scaling, for some of the parameters.

    Args:
        matrix: shape (parameter, parameter, lane), or an `Arrow`.
        root: what rows and columns are multiplied by, shape (parameter, lane).
        moving: parameters that count, shape (parameter, lane).
        added: to the diagonal, also for parameters that do not count, shape (parameter, lane).
        sides: right-hand sides, shape (parameter, lane).

    Returns:
        As `solve_positive`.
    """
    if isinstance(matrix, Arrow):
        return matrix.scaled(np.where(moving, root, 0.0), added).solve(sides)
    scaled = matrix * root[:, None]
    scaled *= root[None, :]
    if not moving.all():
        scaled[~(moving[:, None] & moving[None, :])] = 0.0
    diagonal = np.arange(len(root))
    scaled[diagonal, diagonal] += added
    return solve_positive(scaled, sides)


def solve_positive(matrices: Values, sides: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Solve symmetric systems by Cholesky factorization.

    Args:
        matrices: shape (parameter, parameter, lane).
        sides: shape (parameter, lane).

    Returns:
        Solutions of shape (parameter, lane), and for which lanes the matrix is positive definite; elsewhere the
        solution means nothing.
    """
    size, lanes = sides.shape
    if size == 1:
        positive = matrices[0, 0] > 0
        return sides / np.where(positive, matrices[0], 1.0), positive
    # A step over all lanes costs some calls of NumPy, a lane of its own some of LAPACK: seconds, roughly.
    together = 12e-6 * size + 0.6e-9 * size**3 * lanes
    alone = lanes * (9e-6 + 0.05e-9 * size**3)
    return (_together if together < alone else _alone)(matrices, sides)


def _alone(matrices: Values, sides: Values) -> tuple[Values, NDArray[np.bool_]]:
    solutions = np.zeros_like(sides)
    positive = np.zeros(sides.shape[1], dtype=bool)
    for lane in range(sides.shape[1]):
        matrix = np.array(matrices[:, :, lane], order="F")
        factor, info = lapack.dpotrf(matrix, lower=1, overwrite_a=1, clean=0)
        if info == 0 and np.isfinite(factor[-1, -1]):
            solutions[:, lane], _ = lapack.dpotrs(factor, sides[:, lane], lower=1)
            positive[lane] = True
    return solutions, positive


def _together(matrices: Values, sides: Values) -> tuple[Values, NDArray[np.bool_]]:
    work, solution = matrices.copy(), sides.copy()
    size = len(sides)
    positive = np.ones(sides.shape[1], dtype=bool)
    roots = np.empty_like(sides)
    for i in range(size):
        pivot = work[i, i]
        positive &= pivot > 0
        roots[i] = 1.0 / np.sqrt(np.where(positive, pivot, 1.0))
        solution[i] *= roots[i]
        if i + 1 < size:
            column = work[i + 1 :, i]
            column *= roots[i]
            for k in range(i + 1, size):
                work[k:, k] -= column[k - i - 1 :] * column[k - i - 1]
            solution[i + 1 :] -= column * solution[i]
    for i in range(size - 1, -1, -1):
        if i + 1 < size:
            solution[i] -= (work[i + 1 :, i] * solution[i + 1 :]).sum(axis=0)
        solution[i] *= roots[i]
    return solution, positive
