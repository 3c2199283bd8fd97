"""One step of the sequential quadratic program: a quadratic model within a box, and what it learns from a step."""

import numpy as np

from hepcuts._types import FloatArray


def quadratic_step(
    model: tuple[FloatArray, FloatArray],
    gradient: FloatArray,
    constraints: tuple[FloatArray, FloatArray],
    box: tuple[FloatArray, FloatArray],
    multipliers: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Minimum of a quadratic model on the linear model of the constraints, within a box.

    Steps that leave the box are put on its wall, one set after the other; the next program may take them off again.

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
    matrix = np.kron(coupling, np.eye(each))
    slopes = np.zeros((size, size * each))
    for point in range(size):
        block = slice(point * each, (point + 1) * each)
        matrix[block, block] += hessians[point]
        slopes[point, block] = slopes_of[point]
    low, high, step = box[0].ravel(), box[1].ravel(), np.zeros(size * each)
    free = np.ones(size * each, dtype=bool)
    for _ in range(size * each):
        inner = slopes[:, free]
        stuck = ~np.any(np.abs(inner) > 1e-9, axis=1)
        inner = np.where(stuck[:, None], 0.0, inner)
        system = np.block([[matrix[np.ix_(free, free)], inner.T], [inner, np.diag(stuck.astype(float))]])
        on_wall = ~free
        right = -gradient.ravel()[free] - matrix[np.ix_(free, on_wall)] @ step[on_wall]
        wanted = np.where(stuck, multipliers, -values - slopes[:, on_wall] @ step[on_wall])
        solution = np.linalg.solve(system, np.append(right, wanted))
        step[free], found = solution[: free.sum()], solution[free.sum() :]
        outside = free & ((step < low - 1e-12) | (step > high + 1e-12))
        if not np.any(outside):
            break
        step = np.where(outside, np.clip(step, low, high), step)
        free &= ~outside
    return step.reshape(size, each), found


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
