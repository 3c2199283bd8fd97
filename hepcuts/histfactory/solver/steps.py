"""The Newton step of each lane: by the exact Hessian, or by what comes near and is positive."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrow import Arrow
from .curvature import AbstractExpansion, taken
from .linear import solve_scaled
from .rates import spread
from .reduction import Reduction

Values = NDArray[np.float64]

EDM_ROUNDING = 1e-8
"""Expected distance that may remain where rounding keeps -2 ln L from falling any further."""
_PROMISE = 3.0
"""How much more than half of the deviance the quadratic model of a step may promise to gain."""


_MOST_CUTS = 8
"""How often a step is made again whose parameters have stopped at bounds; the next step takes up the rest."""
_SHORTER = 0.4
"""A step off a saddle point that did not lead down, and the next one."""
_FLAT, _NO_SLOPE = 1e-10, 1e-9
"""What rounding leaves of curvature and slope along a direction that the data do not determine."""


def newton_step(
    at: AbstractExpansion, damping: Values, moving: NDArray[np.bool_]
) -> tuple[Values, Values, NDArray[np.bool_]]:
    """The damped step of the moving parameters, its EDM, and where the exact Hessian made it."""
    scale = at.information_diagonal()
    # A parameter without any effect has neither gradient nor curvature; it stays where it is.
    idle = ~(scale > 0)
    root = 1.0 / np.sqrt(np.where(idle, 1.0, scale))
    gradient = np.where(moving, at.gradient * root, 0.0)
    unit = np.where(moving, damping + idle, 1.0)

    def solve(matrix: Any, lanes: Any) -> Any:
        return solve_scaled(matrix, root[:, lanes], moving[:, lanes], unit[:, lanes], gradient[:, lanes])

    step, exact = solve(at.curvature(slice(None)), slice(None))
    # The deviance cannot fall below zero: what promises more is as useless as what is not positive.
    exact &= (gradient * step).sum(axis=0) <= _PROMISE * at.value + EDM_ROUNDING
    if not exact.all():
        rest = np.flatnonzero(~exact)
        information = at.information(rest)
        # Halfway to the information is often positive, and nearer to the truth.
        step[:, rest], halfway = solve(0.5 * (at.curvature(rest) + information), rest)
        halfway &= (gradient[:, rest] * step[:, rest]).sum(axis=0) <= _PROMISE * at.value[rest]
        if not halfway.all():
            rest, information = rest[~halfway], taken(information, ~halfway)
            # The information may be singular (more parameters than data); a trace of damping makes it positive.
            unit += 1e-9
            step[:, rest], positive = solve(information, rest)
            step[:, rest] = np.where(positive, step[:, rest], np.nan)
    return step * root, 0.5 * (gradient * step).sum(axis=0), exact


def within_bounds(
    at: AbstractExpansion,
    damping: Values,
    moving: NDArray[np.bool_],
    found: tuple[Values, Values, NDArray[np.bool_]],
    room: tuple[Values, Values],
) -> tuple[Values, Values]:
    """Steps and their EDM whose parameters stop at their bounds, with the others following.

    What is only cut at a bound need not lead down: where parameters are correlated, the others would have to make up
    for the missing part. With a dozen parameters at their bounds that is 5 steps in place of 130.

    Args:
        at: where the steps begin.
        damping: of each lane.
        moving: parameters that may move, shape (free, lane).
        found: of `newton_step`; steps by other matrices than the exact Hessian stay what they are.
        room: the least and the greatest step, each of shape (free, lane).
    """
    step, edm, exact = found
    least, most = (spread(side, step.shape) for side in room)
    lanes = np.flatnonzero(exact & (moving & ((step < least) | (step > most))).any(axis=0))
    if not len(lanes):
        return step, edm
    moving, stops = moving.copy(), np.zeros_like(step)
    for _ in range(_MOST_CUTS):
        cut = moving[:, lanes] & ((step[:, lanes] < least[:, lanes]) | (step[:, lanes] > most[:, lanes]))
        lanes, cut = lanes[cut.any(axis=0)], cut[:, cut.any(axis=0)]
        if not len(lanes):
            break
        stops[:, lanes] = np.where(cut, np.clip(step[:, lanes], least[:, lanes], most[:, lanes]), stops[:, lanes])
        moving[:, lanes] &= ~cut
        others, gain, lanes = _following(at, damping, moving, stops, lanes)
        step[:, lanes], edm[lanes] = stops[:, lanes] + others, gain
    return step, edm


def _following(
    at: AbstractExpansion, damping: Values, moving: NDArray[np.bool_], stops: Values, lanes: NDArray[np.int64]
) -> tuple[Values, Values, NDArray[np.int64]]:
    """Steps of the parameters that have not stopped, the EDM of both together, and the lanes where that leads down."""
    here, stop = at.take(lanes), stops[:, lanes]
    hessian = here.curvature(slice(None))
    pull = hessian.product(stop) if isinstance(hessian, Arrow) else np.einsum("pql,ql->pl", hessian, stop)
    pull += damping[lanes] * here.information_diagonal() * stop
    gain = ((here.gradient - 0.5 * pull) * stop).sum(axis=0)
    here.gradient = here.gradient - pull
    step, edm, exact = newton_step(here, damping[lanes], moving[:, lanes])
    good = exact & (gain + edm > 0)
    return step[:, good], (gain + edm)[good], lanes[good]


def level_step(at: AbstractExpansion, moving: NDArray[np.bool_]) -> tuple[Values, Values, NDArray[np.bool_]]:
    """The step where the Hessian is singular, without a part along flat directions; its EDM; and where that will do.

    It does where no curvature is negative and flat directions have no slope, both by more than rounding.
    """
    hessian = at.curvature(slice(None))
    diagonal = np.abs(hessian.diagonal() if isinstance(hessian, Arrow) else np.diagonal(hessian).T)
    root = np.where(moving, 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    gradient = at.gradient * root
    if isinstance(hessian, Arrow):
        steps, gains, level = _level_arrows(hessian.scaled(root, 1.0 - moving), gradient)
    else:
        values, vectors = np.linalg.eigh((hessian * root[:, None] * root[None, :]).transpose(2, 0, 1))
        slopes = np.einsum("lpv,pl->lv", vectors, gradient)
        along, gains, level = _level(values, slopes)
        steps = np.einsum("lpv,lv->pl", vectors, along)
    return root * steps, 0.5 * gains, level


def _level(values: Values, slopes: Values) -> tuple[Values, Any, Any]:
    """Steps along eigendirections, what they gain twice, and whether curvatures and slopes are those of a valley."""
    steep = values > _FLAT
    along = np.where(steep, slopes / np.where(steep, values, 1.0), 0.0)
    level = (steep | ((values > -_FLAT) & (np.abs(slopes) < _NO_SLOPE))).all(axis=-1)
    return along, (along * slopes).sum(axis=-1), level


def _level_arrows(hessian: Arrow, gradient: Values) -> tuple[Values, Values, NDArray[np.bool_]]:
    """Scaled steps, twice their EDM, and where they will do."""
    steps, gains = np.zeros_like(gradient), np.zeros(gradient.shape[1])
    level = np.zeros(gradient.shape[1], dtype=bool)
    for lane in range(gradient.shape[1]):
        reduction = Reduction(hessian.take([lane]), _FLAT)
        values, vectors = np.linalg.eigh(reduction.matrix)
        rest, kept = reduction.fold(gradient[:, lane])
        along, gain, level[lane] = _level(values, rest @ vectors)
        steps[:, lane] = reduction.unfold((vectors @ along)[:, None], kept[:, None])[:, 0]
        gains[lane] = gain + reduction.gain(kept)
    return steps, gains, level


def kick(hessian: Any, moving: NDArray[np.bool_], kicks: NDArray[np.int64]) -> Values:
    """A step along the most negative curvature of each lane, of about one unit in the deviance, either way in turn.

    Curvature that is slightly negative soon turns up again: a variation to the same side at both ends makes valleys on
    both sides of a flat top. So each step from the same place is shorter than the one before.

    Args:
        hessian: shape (free, free, lane), or an `Arrow`.
        moving: parameters that may be changed, shape (free, lane).
        kicks: how often each lane was pushed before.
    """
    if isinstance(hessian, Arrow):
        lowest, direction = _lowest_of_arrows(hessian.scaled(1.0 * moving, 1.0 - moving))
    else:
        both = moving[:, None] & moving[None, :]
        values, vectors = np.linalg.eigh(np.where(both, hessian, 0.0).transpose(2, 0, 1))
        lowest, direction = values[:, 0], vectors[:, :, 0].T
    length = np.sqrt(2.0 / np.maximum(-lowest, 1e-12)) * (-_SHORTER) ** kicks
    return np.where(moving, direction * np.minimum(length, 10.0), 0.0)


def _lowest_of_arrows(hessian: Arrow) -> tuple[Values, Values]:
    """The lowest eigenvalue of each reduced matrix, and all components of its direction, shape (free, lane)."""
    lowest, directions = [], []
    for lane in range(len(hessian.core)):
        reduction = Reduction(hessian.take([lane]), 0.0)
        values, vectors = np.linalg.eigh(reduction.matrix)
        lowest.append(values[0])
        directions.append(reduction.unfold(vectors[:, :1])[:, 0])
    return np.array(lowest), np.array(directions).T
