"""Minima of likelihoods that jump: interpolation code 2 does at one standard deviation, as pyhf evaluates it.

Between its jumps the deviance is smooth. A search therefore stays in one *piece* of each such parameter at a time
(below minus one, between, above one), with the ends of the piece as bounds. From the minimum it looks into the other
pieces of each parameter in turn, and stays there for as long as that leads down.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .minima import CONVERGED, Minima

Values = NDArray[np.float64]
Bounds = tuple[Values, Values]
Pieces = NDArray[np.int64]
Search = Callable[[Any, Values, Bounds], Minima]
"""From some lanes, their starts and the bounds of all of them to where they end."""

BEYOND = float(np.nextafter(1.0, 2.0))
"""Where the outer pieces begin; one standard deviation itself belongs to the piece in the middle."""
_FROM = np.array([-np.inf, -1.0, BEYOND])
_TO = np.array([-BEYOND, 1.0, np.inf])
_LOWER = 1e-10
"""Fall of the deviance, relative to it where it is large, that makes another piece the better one."""


def search_across_jumps(search: Search, start: Values, bounds: Bounds, jumping: NDArray[np.int64]) -> Minima:
    """The ends of searches of each lane, over all pieces that lead down one after the other.

    Args:
        search: how to search within bounds.
        start: shape (parameter, lane).
        bounds: lower and upper, each of shape (parameter,).
        jumping: the parameters to which the rates jump.
    """
    lower, upper = bounds[0][jumping], bounds[1][jumping]
    pieces = _pieces(np.clip(start[jumping], lower[:, None], upper[:, None]))
    result = _within(search, np.arange(start.shape[1]), start, (bounds, jumping, pieces))
    searching = np.ones(start.shape[1], dtype=bool)
    seen = {(lane, pieces[:, lane].tobytes()) for lane in range(len(searching))}
    while searching.any():
        before, searching = searching, np.zeros_like(searching)
        for row, piece in itertools.product(range(len(jumping)), range(len(_FROM))):
            possible = _FROM[piece] <= upper[row] and _TO[piece] >= lower[row]
            other = pieces.copy()
            other[row] = piece
            new = [(lane, other[:, lane].tobytes()) for lane in np.flatnonzero(before & possible).tolist()]
            lanes = np.array([lane for lane, where in new if (lane, where) not in seen], dtype=np.int64)
            if not len(lanes):
                continue
            seen.update(new)
            other = other[:, lanes]
            found = _within(search, lanes, result.parameters[:, lanes], (bounds, jumping, other))
            result.num_steps[lanes] += found.num_steps
            found.num_steps = result.num_steps[lanes]
            slack = _LOWER * (1.0 + found.value)
            better = (found.status == CONVERGED) & (found.value + slack < result.value[lanes])
            result.replace(lanes[better], found.take(better))
            pieces[:, lanes[better]] = other[:, better]
            searching[lanes[better]] = True
    return result


def _pieces(values: Values) -> Pieces:
    """The piece that each value lies in: 0, 1 or 2."""
    return np.where(values > 1.0, 2, np.where(values < -1.0, 0, 1)).astype(np.int64)


def _within(
    search: Search, lanes: NDArray[np.int64], start: Values, where: tuple[Bounds, NDArray[np.int64], Pieces]
) -> Minima:
    """The end of each lane in its own pieces; lanes with the same ones side by side."""
    bounds, jumping, pieces = where
    kinds, kind = np.unique(pieces, axis=1, return_inverse=True)
    groups, found = [], []
    for number in range(kinds.shape[1]):
        lower, upper = (np.array(side) for side in bounds)
        lower[jumping] = np.maximum(lower[jumping], _FROM[kinds[:, number]])
        upper[jumping] = np.minimum(upper[jumping], _TO[kinds[:, number]])
        group = np.flatnonzero(kind.ravel() == number)
        found.append(search(lanes[group], start[:, group], (lower, upper)))
        groups.append(group)
    joined = found[0]
    for other in found[1:]:
        joined = joined.join(other)
    return joined.take(np.argsort(np.concatenate(groups)))
