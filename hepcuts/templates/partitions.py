"""The best partition of a row of fine bins into a given number of bins: dynamic programming."""

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray

Partition = NDArray[np.int64]
"""Where each bin begins among the fine bins, and where the last one ends, shape (bin + 1,), ascending."""


def best_partitions(gains: FloatArray, most: int) -> list[tuple[Partition, float]]:
    """The partitions with the largest sum of gains, for each number of bins.

    A best partition into k bins that ends somewhere holds a best partition into k - 1 bins of what comes before its
    last bin (the principle of optimality: R. Bellman, Dynamic Programming, 1957). So n fine bins and k bins take k n^2
    sums, and the optimum is the global one. Of equal sums, that partition is taken whose last bins begin first.

    Args:
        gains: what one bin from fine bin i to j, both included, adds, shape (fine, fine); minus infinity where such a
            bin is not allowed, and for j < i.
        most: largest number of bins.

    Returns:
        Partition and sum for 1, 2, ... bins. Not for numbers of which no partition is allowed.

    Example:
        >>> gains = np.array([[1.0, 3.0], [-np.inf, 1.0]])
        >>> best_partitions(gains, 2)
        [(array([0, 2]), 3.0), (array([0, 1, 2]), 2.0)]
    """
    size = len(gains)
    best = gains[0]
    begins: list[NDArray[np.int64]] = []
    found: list[tuple[Partition, float]] = []
    for number in range(1, min(most, size) + 1):
        if number > 1:
            # What ends with fine bin i, and one bin more from i + 1 to j.
            sums = best[:-1, None] + gains[1:]
            last = np.argmax(sums, axis=0)
            begins.append(last + 1)
            best = sums[last, np.arange(size)]
        if np.isfinite(best[-1]):
            found.append((_traced_back(begins, size), float(best[-1])))
    return found


def _traced_back(begins: list[NDArray[np.int64]], size: int) -> Partition:
    edges = [size]
    for begin in reversed(begins):
        edges.append(int(begin[edges[-1] - 1]))
    return np.array([0, *reversed(edges)], dtype=np.int64)
