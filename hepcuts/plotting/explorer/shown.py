"""Which thresholds of a scan a page shows: all of few, of many a part that contains the optima."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray

Positions = NDArray[np.intp]
"""Numbers of thresholds within a scan, ascending."""


_PIXELS = (1000, 500, 250, 125)
"""Parts of the axis, of each of which a curve's first, last, lowest and highest point are kept: as many as there is
room for."""


@dataclasses.dataclass(frozen=True, eq=False)
class PageCurve:
    """What is drawn against the thresholds.

    Attributes:
        values: shape (threshold,); NaN where there is none.
        evaluated: whether there was any attempt to find one, shape (threshold,).
    """

    values: FloatArray
    evaluated: NDArray[np.bool_]


def of_cut(thresholds: FloatArray, required: FloatArray, most: int, curves: Sequence[PageCurve] = ()) -> Positions:
    """Positions of the thresholds of a cut to show.

    A third of them evenly by rank; of each curve all points if it was evaluated at some thresholds only, with the next
    one that was not, so that a gap is seen as such; else those that can be told apart on a screen; and those required.

    Args:
        thresholds: shape (threshold,), ascending.
        required: numbers that have to be among those shown, shape (number,); one between two thresholds stands for
            both.
        most: how many to show of many, besides those required.
        curves: that are drawn.

    Returns:
        Shape (shown,), ascending.

    Example:
        >>> of_cut(np.arange(100.0), np.array([37.0]), most=4)
        array([ 0, 33, 37, 66, 99])
    """
    if len(thresholds) <= most:
        return np.arange(len(thresholds))
    needed = _neighbors(thresholds, required)
    if not curves:
        return np.union1d(_evenly(len(thresholds), most), needed)
    needed = np.union1d(_evenly(len(thresholds), most // 3), needed)
    for curve in curves:
        here = np.flatnonzero(curve.evaluated)
        if len(here) <= most // 3:
            needed = np.union1d(needed, np.append(here, np.minimum(here + 1, len(thresholds) - 1)))
    found: Positions = needed
    for pixels in _PIXELS:
        found = np.union1d(needed, np.concatenate([_extremes(thresholds, curve, pixels) for curve in curves]))
        if len(found) <= most:
            break
    return found


def _extremes(thresholds: FloatArray, curve: PageCurve, pixels: int) -> Positions:
    """Of each part of the axis the first, the last, the lowest and the highest point of a curve, and of its gaps."""
    span = thresholds[-1] - thresholds[0]
    pixel = np.minimum((pixels * ((thresholds - thresholds[0]) / span)).astype(np.int64), pixels - 1)
    found = []
    for rows in (np.flatnonzero(np.isfinite(curve.values)), np.flatnonzero(np.isnan(curve.values) & curve.evaluated)):
        for order in (rows, rows[np.lexsort((curve.values[rows], pixel[rows]))]):
            new = np.flatnonzero(np.diff(pixel[order], prepend=-1))
            found += [order[new], order[np.append(new[1:], len(order)) - 1] if len(order) else order]
    return np.concatenate(found)


def of_windows(
    windows: FloatArray, optima: FloatArray, required: FloatArray, most: int, curves: Sequence[FloatArray] = ()
) -> Positions:
    """Positions of the windows to show: all pairs of a part of the edges, so that one can move while the other stays.

    The part is taken of the scan's grid: the edges that are in as many windows as all pairs of them make. Edges by
    which the scan refined the grid are shown together with the edges of the optimum. While one edge stays, the best
    window between any two shown positions of the other one is shown, too, of each curve: no maximum is left out.

    Args:
        windows: low and high edges, shape (window, 2).
        optima: windows whose edges are combined with all others shown, shape (optimum, 2).
        required: further windows to show, shape (required, 2).
        most: how many to show of many, besides those required and those of the refinement.
        curves: figures of merit, the larger the better, NaN where there is none, each of shape (window,).

    Returns:
        Shape (shown,), ascending.

    Example:
        >>> low, high = np.triu_indices(50, k=1)
        >>> windows = np.stack([low, high], axis=1).astype(float)
        >>> found = of_windows(windows, np.array([[10.0, 21.0]]), np.array([[8.0, 21.0]]), most=16)
        >>> np.unique(windows[found])
        array([ 0.,  8., 10., 16., 21., 33., 49.])
    """
    if len(windows) <= most:
        return np.arange(len(windows))
    edges, ranks = np.unique(windows, return_inverse=True)
    low, high = ranks.reshape(windows.shape).T
    counts = np.bincount(low, minlength=len(edges)) + np.bincount(high, minlength=len(edges))
    # All pairs of n edges: each of them is in n - 1 windows. n is the largest number for which there are so many.
    enough = np.sort(counts)[::-1] >= np.arange(len(edges))
    grid = np.flatnonzero(counts >= np.flatnonzero(enough)[-1])
    best = np.searchsorted(edges, optima.ravel())

    def chosen(number: int) -> NDArray[np.bool_]:
        return _mask(len(edges), grid[_evenly(len(grid), number)], best)

    def pairs(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(part[low] & part[high] | _mask(len(windows), *_best_between(part, low, high, curves)))

    few, many = 2, len(grid) + 1
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if np.count_nonzero(pairs(chosen(middle))) <= most else (few, middle)
    part = chosen(few)
    finer = part | ~_mask(len(edges), grid)
    on_slice = np.isin(windows[:, 0], optima[:, 0]) | np.isin(windows[:, 1], optima[:, 1])
    shown = pairs(part) | (on_slice & finer[low] & finer[high])
    for window in required:
        shown |= np.all(windows == window, axis=1)
    return np.flatnonzero(shown)


def _best_between(part: NDArray[np.bool_], low: Any, high: Any, curves: Sequence[FloatArray]) -> list[Positions]:
    """Of each curve the best windows while an edge of the part stays and the other one is between two of the part."""
    between, found = np.cumsum(part), []
    for held, moving in ((low, high), (high, low)):
        for curve in curves:
            rows = np.flatnonzero(part[held] & np.isfinite(curve))
            place = held[rows] * (between[-1] + 1) + between[moving[rows]]
            order = np.lexsort((curve[rows], place))
            last = np.flatnonzero(np.diff(place[order], append=-1))
            found.append(rows[order[last]])
    return found


def _evenly(size: int, number: int) -> Positions:
    """So many positions, from the first to the last."""
    found: Positions = np.unique(np.round(np.linspace(0, size - 1, min(number, size))).astype(np.intp))
    return found


def _neighbors(ascending: FloatArray, numbers: FloatArray) -> Positions:
    """Positions that the numbers have, or lie between."""
    right = np.searchsorted(ascending, numbers)
    left = np.searchsorted(ascending, numbers, side="right") - 1
    found: Positions = np.clip(np.concatenate([left, right]), 0, len(ascending) - 1)
    return found


def _mask(size: int, *positions: Any) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=bool)
    for part in positions:
        mask[part] = True
    return mask
