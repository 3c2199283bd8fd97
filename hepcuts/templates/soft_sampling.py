"""Some events in place of all: by equal steps along the sum of probabilities, without any random number."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray


def sampled(bound: NDArray[Any], ends: NDArray[np.int64], number: int) -> tuple[NDArray[np.int64], FloatArray]:
    """About so many events of each cell, chosen in proportion to a bound on their pass weights.

    Args:
        bound: the most that can pass of each event, shape (event,).
        ends: where the events of each cell begin, and where the last ones end, shape (cell + 1,).
        number: events of each cell, at least if there are so many.

    Returns:
        Numbers of the events, ascending, and how many each stands for, each of shape (chosen,).
    """
    chosen, factors = [], []
    for begin, end in itertools.pairwise(ends):
        share = bound[begin:end].astype(np.float64)
        share *= number / max(float(share.sum()), 1e-300)
        steps = np.cumsum(np.minimum(share, 1.0, out=share))
        of_cell = np.searchsorted(steps, np.arange(0.5, steps[-1]))
        # Where events are certain to be taken, rounding may hit one twice.
        of_cell = of_cell[np.diff(of_cell, prepend=-1) > 0]
        chosen.append(begin + of_cell)
        factors.append(1.0 / share[of_cell])
    return np.concatenate(chosen), np.concatenate(factors)
