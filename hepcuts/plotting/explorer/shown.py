"""Which thresholds of a scan a page shows: all of few, of many a part that contains the optima."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray

Positions = NDArray[np.intp]
"""Numbers of thresholds within a scan, ascending."""


def of_cut(thresholds: FloatArray, required: FloatArray, most: int) -> Positions:
    """Positions of the thresholds of a cut to show: evenly by rank, and those required.

    Args:
        thresholds: shape (threshold,), ascending.
        required: numbers that have to be among those shown, shape (number,); one between two thresholds stands for
            both.
        most: how many to show of many, besides those required.

    Returns:
        Shape (shown,), ascending.

    Example:
        >>> of_cut(np.arange(100.0), np.array([37.0]), most=4)
        array([ 0, 33, 37, 66, 99])
    """
    if len(thresholds) <= most:
        return np.arange(len(thresholds))
    return np.union1d(_evenly(len(thresholds), most), _neighbors(thresholds, required))


def of_windows(windows: FloatArray, optima: FloatArray, required: FloatArray, most: int) -> Positions:
    """Positions of the windows to show: all pairs of a part of the edges, so that one can move while the other stays.

    The part is taken of the scan's grid: the edges that are in as many windows as all pairs of them make. Edges by
    which the scan refined the grid are shown together with the edges of the optimum.

    Args:
        windows: low and high edges, shape (window, 2).
        optima: windows whose edges are combined with all others shown, shape (optimum, 2).
        required: further windows to show, shape (required, 2).
        most: how many to show of many, besides those required and those of the refinement.

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

    few, many = 2, len(grid) + 1
    while many - few > 1:
        middle = (few + many) // 2
        part = chosen(middle)
        few, many = (middle, many) if np.count_nonzero(part[low] & part[high]) <= most else (few, middle)
    part = chosen(few)
    finer = part | ~_mask(len(edges), grid)
    on_slice = np.isin(windows[:, 0], optima[:, 0]) | np.isin(windows[:, 1], optima[:, 1])
    shown = (part[low] & part[high]) | (on_slice & finer[low] & finer[high])
    for window in required:
        shown |= np.all(windows == window, axis=1)
    return np.flatnonzero(shown)


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
