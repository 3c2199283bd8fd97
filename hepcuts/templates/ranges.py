"""Sums of neighbors, none of which is a difference.

A sum from one position to another as the difference of two cumulative sums loses what is small beside what came
before: simulation in slices of momentum has weights that span 15 decades, and their squares 30.
"""

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray


def segment_sums(values: FloatArray, bounds: NDArray[np.int64]) -> FloatArray:
    """Sums of the values from each bound to the next, shape (bound - 1,).

    Args:
        values: shape (value,).
        bounds: positions, not decreasing, the end not included, shape (bound,).

    Example:
        >>> segment_sums(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 2, 2, 4]))
        array([ 3.,  0., 12.])
    """
    found = np.zeros(max(len(bounds) - 1, 0))
    filled = np.flatnonzero(bounds[1:] > bounds[:-1])
    if len(filled):
        found[filled] = np.add.reduceat(values[: bounds[-1]], bounds[filled])
    return found


def range_sums(values: FloatArray, first: NDArray[np.int64], last: NDArray[np.int64]) -> FloatArray:
    """Sums of consecutive values.

    With positions in binary: where the first and the last differ in a bit, and in none above it, the boundary at that
    bit lies between them, and the sum is that from the first up to the boundary and from the boundary to the last.
    Those are cumulative sums from boundaries, one pass over the values for each bit.

    Args:
        values: shape (..., value).
        first: position of the first value of each sum, shape (sum,).
        last: position of the last value, which is included, shape (sum,). Before the first: the sum is zero.

    Returns:
        Shape (..., sum).

    Example:
        >>> range_sums(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 1, 3]), np.array([3, 2, 3]))
        array([15.,  6.,  8.])
    """
    found = np.zeros((*values.shape[:-1], len(first)))
    one = np.flatnonzero(first == last)
    found[..., one] = values[..., first[one]]
    several = np.flatnonzero(first < last)
    bits = np.frexp((first[several] ^ last[several]).astype(np.float64))[1]
    for bit in np.unique(bits):
        at, size = several[bits == bit], 1 << (int(bit) - 1)
        missing = -values.shape[-1] % size
        padded = np.concatenate([values, np.zeros((*values.shape[:-1], missing))], axis=-1)
        blocks = padded.reshape(*values.shape[:-1], -1, size)
        from_start = np.cumsum(blocks, axis=-1).reshape(padded.shape)
        to_end = np.cumsum(blocks[..., ::-1], axis=-1)[..., ::-1].reshape(padded.shape)
        found[..., at] = to_end[..., first[at]] + from_start[..., last[at]]
    return found
