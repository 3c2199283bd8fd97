"""One step of the sequential quadratic program: a quadratic model within a box, and what it learns from a step."""

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray

_TOUCH = 1e-9
"""Distance from a wall, slope or step that is none."""

_MOST_SETS = 100
"""Sets of walls that are tried, at most."""


def quadratic_step(
    model: tuple[FloatArray, FloatArray],
    gradient: FloatArray,
    constraints: tuple[FloatArray, FloatArray],
    box: tuple[FloatArray, FloatArray],
    multipliers: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Minimum of a quadratic model on the linear model of the constraints, within a box.

    Unknowns that leave the box are put on its walls, and taken off again one by one where they would rather be inside.

    Args:
        model: Hessians of the points, shape (point, threshold, threshold), and the matrix that couples the points,
            the same for all thresholds, shape (point, point).
        gradient: shape (point, threshold).
        constraints: their values, shape (point,), and slopes, shape (point, threshold).
        box: smallest and largest steps, each of shape (point, threshold).
        multipliers: kept for a point all of whose thresholds are on walls, shape (point,).

    Returns:
        Step, shape (point, threshold), and the constraints' multipliers, shape (point,).
    """
    (hessians, coupling), (values, slopes_of) = model, constraints
    size, each = gradient.shape
    matrix = np.asarray(np.kron(coupling, np.eye(each)), dtype=np.float64)
    slopes = np.zeros((size, size * each))
    for point in range(size):
        block = slice(point * each, (point + 1) * each)
        matrix[block, block] += hessians[point]
        slopes[point, block] = slopes_of[point]
    low, high, step = box[0].ravel(), box[1].ravel(), np.zeros(size * each)
    free = np.ones(size * each, dtype=bool)
    for _ in range(_MOST_SETS):
        step, found = _on_walls((matrix, gradient.ravel()), (values, slopes), (step, free), multipliers)
        beyond = np.where(free, np.maximum(low - step, step - high), 0.0)
        step = np.clip(step, low, high)
        if np.max(beyond) > _TOUCH:
            # One of each point: the others may stay inside once it is on its wall.
            worst = np.arange(size) * each + np.argmax(beyond.reshape(size, each), axis=1)
            free[worst[beyond[worst] > _TOUCH]] = False
            continue
        # What is on a wall that it would leave for less: the worst one is freed.
        slope = gradient.ravel() + matrix @ step + slopes.T @ found
        pressed = np.where(free, 0.0, np.where(step <= low, -slope, slope))
        if np.max(pressed) < _TOUCH:
            break
        free[np.argmax(pressed)] = True
    return step.reshape(size, each), found


def _on_walls(
    model: tuple[FloatArray, FloatArray],
    constraints: tuple[FloatArray, FloatArray],
    walls: tuple[FloatArray, NDArray[np.bool_]],
    multipliers: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Minimum with some unknowns where they are, and the multipliers; those of a point without free ones as given."""
    (matrix, gradient), (values, slopes), (step, free) = model, constraints, walls
    inner = slopes[:, free]
    stuck = ~np.any(np.abs(inner) > _TOUCH, axis=1)
    inner = np.where(stuck[:, None], 0.0, inner)
    system = np.block([[matrix[np.ix_(free, free)], inner.T], [inner, np.diag(stuck.astype(float))]])
    right = -gradient[free] - matrix[np.ix_(free, ~free)] @ step[~free]
    wanted = np.where(stuck, multipliers, -values - slopes[:, ~free] @ step[~free])
    solution = np.linalg.solve(system, np.append(right, wanted))
    moved = step.copy()
    moved[free] = solution[: free.sum()]
    return moved, solution[free.sum() :]


def learn(hessians: FloatArray, steps: FloatArray, changes: FloatArray) -> None:
    """Damped BFGS update of each point's Hessian in place (Powell's rule, which keeps it positive definite)."""
    for hessian, step, change in zip(hessians, steps, changes, strict=True):
        along = hessian @ step
        curvature = float(step @ along)
        if curvature < 1e-14:
            continue
        product = float(step @ change)
        theta = 1.0 if product >= 0.2 * curvature else 0.8 * curvature / (curvature - product)
        damped = theta * change + (1.0 - theta) * along
        gained = np.outer(damped, damped) / float(step @ damped)
        hessian[...] = hessian + gained - np.outer(along, along) / curvature
