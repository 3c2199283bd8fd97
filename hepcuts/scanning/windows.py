"""The windows that a scan evaluates: all pairs of some edges, finer around each optimum."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.merit.figures import AbstractFigureOfMerit

from .optima import best_row, guarded
from .table import Table

_EDGES = 64
"""Edges of the coarse grid."""
_FINER = 4
"""By how much the spacing shrinks in each round; as many edges on either side of the best one are tried."""


def windows_of(
    edges: FloatArray,
    tabulate: Callable[[FloatArray], Table],
    figures: Sequence[AbstractFigureOfMerit],
    min_background: float,
    *,
    all_pairs: bool,
) -> FloatArray:
    """The windows to evaluate, shape (row, 2), sorted.

    Args:
        edges: shape (edge,); or windows, shape (row, 2), that are taken as they are.
        tabulate: makes the table of some windows.
        figures: around whose optima the grid is refined.
        min_background: as in `hepcuts.scan`.
        all_pairs: whether to take all pairs of edges; else, if they are not few, of a grid of some that holds equally
            many values between neighbors, refined around each optimum down to neighboring edges.

    Raises:
        InputError: only one edge.
    """
    if edges.ndim == 2:
        return edges
    if len(edges) < 2:
        raise InputError(f"There is only one edge, {edges[0]:g}; a window needs at least two.")
    if all_pairs or len(edges) <= _EDGES:
        every: FloatArray = edges[_pairs(np.arange(len(edges)))]
        return every
    spacing = len(edges) // _EDGES
    rows = _pairs(np.unique(np.append(np.arange(0, len(edges), spacing), len(edges) - 1)))
    new, best = rows, {m.name: (-np.inf, rows[0]) for m in figures}
    while True:
        table = tabulate(edges[new])
        for m in figures:
            values = table.values(m)
            row = best_row(m, values, guarded(m, table.rows, min_background))
            if row >= 0 and m.sign * values[row] > best[m.name][0]:
                best[m.name] = (m.sign * values[row], new[row])
        if spacing == 1:
            # Each optimum with all other places of either edge: how it falls off on both sides.
            crosses = [_cross(at, np.unique(rows)) for _, at in best.values()]
            found: FloatArray = edges[np.unique(np.concatenate([rows, *crosses]), axis=0)]
            return found
        spacing = max(1, spacing // _FINER)
        around = [_around(at, spacing, len(edges)) for _, at in best.values()]
        new = np.unique(np.concatenate(around), axis=0)
        rows = np.unique(np.concatenate([rows, new]), axis=0)


def _pairs(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    low, high = np.triu_indices(len(positions), k=1)
    return np.stack([positions[low], positions[high]], axis=1)


def _cross(window: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    low, high = positions[positions < window[1]], positions[positions > window[0]]
    sides = (low, np.full(len(low), window[1])), (np.full(len(high), window[0]), high)
    return np.concatenate([np.stack(side, axis=1) for side in sides])


def _around(window: NDArray[np.int64], spacing: int, size: int) -> NDArray[np.int64]:
    steps = spacing * np.arange(-_FINER, _FINER + 1)
    low, high = np.meshgrid(window[0] + steps, window[1] + steps, indexing="ij")
    good = (low >= 0) & (high < size) & (low < high)
    return np.stack([low[good], high[good]], axis=1)
