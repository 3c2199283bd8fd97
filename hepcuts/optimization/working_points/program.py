"""One step of the sequential quadratic program: a quadratic model within a box, and what it learns from a step."""

import numpy as np

from hepcuts._core.quadratic import Bowl
from hepcuts._core.types import FloatArray

_INSIDE = 1e-9
"""What a target has to be inside of what its box lets it reach; in units of one and of this range. Rounding."""


def quadratic_step(
    model: tuple[FloatArray, FloatArray],
    gradient: FloatArray,
    constraints: tuple[FloatArray, FloatArray],
    box: tuple[FloatArray, FloatArray],
    multipliers: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Minimum of a quadratic model on the linear model of the constraints, within a box.

    A constraint that no step within the box can satisfy is satisfied as nearly as one can.

    Args:
        model: Hessians of the points, shape (point, threshold, threshold), and the matrix that couples the points,
            the same for all thresholds, shape (point, point).
        gradient: shape (point, threshold).
        constraints: their values, shape (point,), and slopes, shape (point, threshold).
        box: smallest and largest steps, each of shape (point, threshold).
        multipliers: kept for constraints that cannot be satisfied, shape (point,).

    Returns:
        Step, shape (point, threshold), and the constraints' multipliers, shape (point,).
    """
    (hessians, coupling), (values, slopes) = model, constraints
    (low, high), (size, each) = box, gradient.shape
    matrix = np.asarray(np.kron(coupling, np.eye(each)), dtype=np.float64)
    rows = np.zeros((size, size * each))
    for point in range(size):
        block = slice(point * each, (point + 1) * each)
        matrix[block, block] += hessians[point]
        rows[point, block] = slopes[point]
    # The steps that change each constraint least and most: beyond them it stays unsatisfied, its point in the corner.
    least, most = np.where(slopes > 0, low, high), np.where(slopes > 0, high, low)
    smallest, largest = np.sum(slopes * least, axis=1), np.sum(slopes * most, axis=1)
    margin = _INSIDE * (1.0 + largest - smallest)
    over, under = -values < smallest + margin, -values > largest - margin
    corner, met = np.where(over[:, None], least, most), ~(over | under)
    loose = met[:, None] | (slopes == 0)
    low, high = np.where(loose, low, corner), np.where(loose, high, corner)
    unit, kept = np.eye(size * each), multipliers.copy()
    found = Bowl(gradient.ravel(), matrix, np.ones(size * each), 0.0).solve(
        np.vstack([unit, -unit]), np.concatenate([low.ravel(), -high.ravel()]), (rows[met], -values[met])
    )
    if found is None:
        # By rounding: a step that satisfies the constraints, if not the best.
        share = np.where(met, (-values - smallest) / np.where(met, largest - smallest, 1.0), 0.0)
        return np.where(met[:, None], least + share[:, None] * (most - least), np.clip(corner, low, high)), kept
    kept[met] = -found.pulls
    return np.clip(found.step.reshape(size, each), low, high), kept


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
