"""Sums of weights in bins."""

import numpy as np

from .types import FloatArray


def weighted_histogram(values: FloatArray, edges: FloatArray, weights: FloatArray) -> FloatArray:
    """Sums of weights in bins, shape (bin,); a bin holds its lower edge, the last one its upper edge, too.

    `numpy.histogram` takes differences of cumulative sums where weights are given: beside large weights it loses small
    ones. Here each bin is summed for itself.

    Args:
        values: shape (event,).
        edges: increasing, shape (bin + 1,).
        weights: shape (event,).

    Example:
        >>> weighted_histogram(np.array([0.5, 1.5, 2.0]), np.array([0.0, 1.0, 2.0]), np.array([1e20, 1.0, 2.0]))
        array([1.e+20, 3.e+00])
    """
    number = len(edges) - 1
    bins = np.searchsorted(edges, values, side="right") - 1
    bins[values == edges[-1]] = number - 1
    inside = (bins >= 0) & (bins < number)
    return np.bincount(bins[inside], weights[inside], minlength=number).astype(np.float64)
