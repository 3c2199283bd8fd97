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
    together = 15e-6 * size + 0.12e-9 * size**3 * lanes
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
    """Column by column of the factor, each from those before it."""
    size, lanes = sides.shape
    factor, roots, solution = np.empty_like(matrices), np.empty_like(sides), np.array(sides)
    positive = np.ones(lanes, dtype=bool)
    for i in range(size):
        before = factor[i, :i]
        column = matrices[i:, i]
        if i:
            column = column - np.einsum("pkl,kl->pl", factor[i:, :i], before)
            solution[i] -= np.einsum("kl,kl->l", before, solution[:i])
        positive &= column[0] > 0
        roots[i] = 1.0 / np.sqrt(np.where(positive, column[0], 1.0))
        factor[i:, i] = column * roots[i]
        solution[i] *= roots[i]
    for i in range(size - 1, -1, -1):
        if i + 1 < size:
            solution[i] -= np.einsum("pl,pl->l", factor[i + 1 :, i], solution[i + 1 :])
        solution[i] *= roots[i]
    return solution, positive


def solve_spread(diagonal: Values, spread: Values, sides: Values) -> Values:
    """Solve (D + G G') y = s: (bin, lane), (bin, parameter, lane), (bin, side, lane) -> (bin, side, lane)."""
    columns, right = spread.transpose(2, 0, 1), sides.transpose(2, 0, 1)
    scale = diagonal.T[:, :, None]
    if len(diagonal) <= spread.shape[1]:
        matrix = columns @ columns.transpose(0, 2, 1)
        every = np.arange(len(diagonal))
        matrix[:, every, every] += diagonal.T
        direct: Any = np.linalg.solve(matrix, right)
        solved: Values = direct.transpose(1, 2, 0)
        return solved
    over, right = columns / scale, right / scale
    inner = np.eye(spread.shape[1]) + columns.transpose(0, 2, 1) @ over
    result: Values = (right - over @ np.linalg.solve(inner, columns.transpose(0, 2, 1) @ right)).transpose(1, 2, 0)
    return result


def half_solved(diagonal: Values, spread: Values, sides: Values) -> Values:
    """L^-1 s, with L L' = D + G G', of many lanes with few bins: shapes as those of `solve_spread`."""
    matrix = np.einsum("bpl,cpl->bcl", spread, spread)
    every = np.arange(len(diagonal))
    matrix[every, every] += diagonal
    factor, result = np.empty_like(matrix), np.array(sides)
    for i in range(len(diagonal)):
        before = factor[i, :i]
        column = matrix[i:, i]
        if i:
            column = column - np.einsum("pkl,kl->pl", factor[i:, :i], before)
            result[i] -= np.einsum("kl,ksl->sl", before, result[:i])
        root = 1.0 / np.sqrt(column[0])
        factor[i:, i] = column * root
        result[i] *= root
    return result
