"""The Newton step of each lane: by the exact Hessian, or by what comes near and is positive."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expansion import Expansion
from .linear import solve_positive

Values = NDArray[np.float64]

EDM_ROUNDING = 1e-8
"""Expected distance that may remain where rounding keeps -2 ln L from falling any further."""
_PROMISE = 3.0
"""How much more than half of the deviance the quadratic model of a step may promise to gain."""


_FLAT, _NO_SLOPE = 1e-10, 1e-9
"""What rounding leaves of curvature and slope along a direction that the data do not determine."""


def newton_step(at: Expansion, damping: Values, moving: NDArray[np.bool_]) -> tuple[Values, Values, NDArray[np.bool_]]:
    """The damped step of the moving parameters, its EDM, and where the exact Hessian made it."""
    size = len(moving)
    diagonal = np.arange(size)
    scale = at.information_diagonal()
    # A parameter without any effect has neither gradient nor curvature; it stays where it is.
    idle = ~(scale > 0)
    root = 1.0 / np.sqrt(np.where(idle, 1.0, scale))
    gradient = np.where(moving, at.gradient * root, 0.0)
    unit = np.where(moving, damping + idle, 1.0)
    everything = bool(moving.all())
    both = moving[:, None] & moving[None, :]

    def scaled(matrix: Values, lanes: Any) -> Values:
        result: Values = matrix * root[:, None, lanes]
        result *= root[None, :, lanes]
        if not everything:
            result[~both[:, :, lanes]] = 0.0
        result[diagonal, diagonal] += unit[:, lanes]
        return result

    step, exact = solve_positive(scaled(at.hessian, slice(None)), gradient)
    # The deviance cannot fall below zero: what promises more is as useless as what is not positive.
    exact &= (gradient * step).sum(axis=0) <= _PROMISE * at.value + EDM_ROUNDING
    if not exact.all():
        rest = np.flatnonzero(~exact)
        information = at.information(rest)
        # Halfway to the information is often positive, and nearer to the truth.
        step[:, rest], halfway = solve_positive(
            scaled(0.5 * (at.hessian[:, :, rest] + information), rest), gradient[:, rest]
        )
        halfway &= (gradient[:, rest] * step[:, rest]).sum(axis=0) <= _PROMISE * at.value[rest]
        if not halfway.all():
            rest, information = rest[~halfway], information[:, :, ~halfway]
            # The information may be singular (more parameters than data); a trace of damping makes it positive.
            last = scaled(information, rest)
            last[diagonal, diagonal] += 1e-9
            step[:, rest], positive = solve_positive(last, gradient[:, rest])
            step[:, rest] = np.where(positive, step[:, rest], np.nan)
    return step * root, 0.5 * (gradient * step).sum(axis=0), exact


def level_step(at: Expansion, moving: NDArray[np.bool_]) -> tuple[Values, Values, NDArray[np.bool_]]:
    """The step where the Hessian is singular, without a part along flat directions; its EDM; and where that will do.

    It does where no curvature is negative and flat directions have no slope, both by more than rounding.
    """
    diagonal = np.abs(np.diagonal(at.hessian).T)
    root = np.where(moving, 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    values, vectors = np.linalg.eigh((at.hessian * root[:, None] * root[None, :]).transpose(2, 0, 1))
    slopes = np.einsum("lpv,pl->lv", vectors, at.gradient * root)
    steep = values > _FLAT
    along = np.where(steep, slopes / np.where(steep, values, 1.0), 0.0)
    level = (steep | ((values > -_FLAT) & (np.abs(slopes) < _NO_SLOPE))).all(axis=1)
    return root * np.einsum("lpv,lv->pl", vectors, along), 0.5 * (along * slopes).sum(axis=1), level


def kick(hessian: Values, moving: NDArray[np.bool_], kicks: NDArray[np.int64]) -> Values:
    """A step along the most negative curvature of each lane, of about one unit in the deviance, either way in turn."""
    both = moving[:, None] & moving[None, :]
    values, vectors = np.linalg.eigh(np.where(both, hessian, 0.0).transpose(2, 0, 1))
    length = np.sqrt(2.0 / np.maximum(-values[:, 0], 1e-12)) * np.where(kicks % 2 == 0, 1.0, -0.5)
    return np.where(moving, (vectors[:, :, 0] * np.minimum(length, 10.0)[:, None]).T, 0.0)
