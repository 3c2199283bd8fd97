"""Quadratic programs: the lowest point of a bowl within linear limits, some of which may be equalities."""

from typing import NamedTuple

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

Values = NDArray[np.float64]

_FLATTEST = 1e-11
"""Least curvature of a direction, in units of the scale; what has less could go anywhere."""
_NO_ROOM = 1e-12
"""Residual of the dual problem below which the limits contradict each other."""


class Program(NamedTuple):
    """Solution of a quadratic program.

    Attributes:
        step: shape (parameter,).
        gain: by how much the quadratic model falls.
        forces: multipliers of the limits, zero or positive, shape (limit,).
        pulls: multipliers of the equalities, shape (equality,).
    """

    step: Values
    gain: float
    forces: Values
    pulls: Values


class Bowl:
    """A quadratic model, made positive: directions of negative curvature count as if it were positive.

    Args:
        gradient: shape (parameter,).
        hessian: shape (parameter, parameter).
        scale: typical sizes of the parameters' steps, shape (parameter,).
        damping: curvature to add, in units of the scale.
    """

    def __init__(self, gradient: Values, hessian: Values, scale: Values, damping: float) -> None:
        values, self._vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
        self._curvatures = np.maximum(np.abs(values), _FLATTEST) + damping
        self._scale, self._gradient = scale, gradient * scale
        self._matrix = (self._vectors * self._curvatures) @ self._vectors.T

    def solve(self, rows: Values, limits: Values, equalities: tuple[Values, Values] | None = None) -> Program | None:
        """The lowest point with ``rows @ step >= limits``; None if nothing satisfies them.

        Args:
            rows: shape (limit, parameter).
            limits: shape (limit,).
            equalities: more rows and what they have to be equal to, of shapes (equality, parameter) and (equality,).
        """
        if equalities is not None:
            # An equality is a limit from either side.
            same, values = equalities
            found = self.solve(np.vstack([rows, same, -same]), np.concatenate([limits, values, -values]))
            if found is None:
                return None
            above, below = np.split(found.forces[len(limits) :], 2)
            return found._replace(forces=found.forces[: len(limits)], pulls=above - below)
        rows = rows * self._scale
        length = np.linalg.norm(rows, axis=1)
        if np.any(limits[length == 0] > 0):
            return None
        length = np.where(length > 0, length, 1.0)
        unit, distance = rows / length[:, None], limits / length
        active = self._active(unit, distance)
        if active is None:
            return None
        step, forces = self._held(unit[active], distance[active])
        every = np.zeros(len(limits))
        every[active] = forces / length[active]
        # Against a limit the slopes may be large and cancel with the forces; what these hold back moves by the limits.
        along = (self._gradient - unit[active].T @ forces) @ step + forces @ distance[active]
        gain = float(-(along + 0.5 * step @ self._matrix @ step))
        return Program(step * self._scale, gain, every, np.zeros(0))

    def _active(self, rows: Values, limits: Values) -> NDArray[np.int64] | None:
        """The limits that hold the lowest point; None if they contradict each other.

        By the dual problem, which is one of non-negative least squares (Lawson and Hanson, *Solving Least Squares
        Problems*, chapter 23), where the bowl is a sphere.
        """
        roots = np.sqrt(self._curvatures)
        lowest = -self._vectors @ (self._vectors.T @ self._gradient / self._curvatures)
        short = limits - rows @ lowest
        if not np.any(short > 0):
            return np.zeros(0, dtype=np.int64)
        inwards = rows @ self._vectors / roots
        length = np.linalg.norm(inwards, axis=1)
        length = np.where(length > 0, length, 1.0)
        system = np.vstack([(inwards / length[:, None]).T, short / length])
        target = np.append(np.zeros(rows.shape[1]), 1.0)
        weights, rest = scipy.optimize.nnls(system, target, maxiter=100 * max(system.shape))
        return None if rest < _NO_ROOM else np.flatnonzero(weights > 0)

    def _held(self, rows: Values, limits: Values) -> tuple[Values, Values]:
        """The lowest point where some limits are equalities, to the last digits, and their multipliers."""
        size = rows.shape[1]
        if not len(rows):
            return -self._vectors @ (self._vectors.T @ self._gradient / self._curvatures), np.zeros(0)
        left, sizes, right = np.linalg.svd(rows, full_matrices=True)
        rank = int(np.sum(sizes > 1e-12 * sizes[0]))
        there = right[:rank].T @ (left[:, :rank].T @ limits / sizes[:rank])
        along = right[rank:].T
        if rank < size:
            # As least squares: curvatures may differ by more than the digits of a matrix of them.
            roots = np.sqrt(self._curvatures)
            height = self._vectors.T @ self._gradient / roots + roots * (self._vectors.T @ there)
            there = there - along @ np.linalg.lstsq(roots[:, None] * (self._vectors.T @ along), height)[0]
        slope = self._gradient + self._matrix @ there
        return there, left[:, :rank] @ (right[:rank] @ slope / sizes[:rank])
