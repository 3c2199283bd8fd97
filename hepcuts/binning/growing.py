"""How many bins along each discriminant: one more at a time, judged on held-out events."""

from collections.abc import Sequence

import numpy as np

from hepcuts._core.types import FloatArray

from .solving import Shape, Solver, Tried

_PATIENCE = 2
"""Numbers of bins, each held out worse than the best, after which no larger ones are tried."""


def grown(solver: Solver, smallest: Shape, discriminants: int, most: int) -> list[Tried]:
    """Numbers of bins, from the smallest on, each with one bin more, as long as that may be worth it.

    Args:
        solver: the events.
        smallest: where to begin.
        discriminants: how many of the first axes may get more bins.
        most: largest number of categories.
    """
    shape: Shape | None = smallest
    tried: list[Tried] = []
    while shape is not None and solver.lattice.num_categories(shape) <= most:
        one = solver.attempt(shape, soft=False)
        if one is None:
            break
        tried.append(one)
        values = [t.held_out for t in tried]
        if not np.isfinite(values[-1]) or len(values) - 1 - int(np.nanargmax(values)) >= _PATIENCE:
            break
        shape = _larger(solver, shape, discriminants)
    return tried


def _larger(solver: Solver, shape: Shape, discriminants: int) -> Shape | None:
    """One bin more, along the discriminant where that gains most; None if nowhere."""
    lattice, best, gained = solver.everything, None, -np.inf
    for number in range(discriminants):
        other = (*shape[:number], shape[number] + 1, *shape[number + 1 :])
        start = solver.start(lattice, other) if other[number] <= lattice.axes[number].size else None
        if start is None:
            continue
        if discriminants == 1:
            return other
        value = float(solver.judge(other)([lattice.merged(start)])[0])
        if value > gained:
            best, gained = other, value
    return best


def standard_errors(solver: Solver, tried: Sequence[Tried]) -> FloatArray:
    """Standard errors of the differences of the held-out values to the best one, shape (tried,)."""
    values = np.array([one.held_out for one in tried])
    if not np.isfinite(values).any():
        return np.full(len(tried), np.nan)
    best = tried[int(np.nanargmax(values))]
    return np.array([solver.deviation(one.factors - best.factors) for one in tried])
