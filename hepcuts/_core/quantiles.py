"""Quantiles of weighted values."""

import dataclasses

import numpy as np

from .types import FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class WeightedQuantiles:
    """Values with weights, sorted once: below which value is a share of the weight?

    An event stands for the middle of its weight in the sum of all up to it, the first for 0 and the last for 1; with
    equal weights these are NumPy's quantiles. Negative weights let the share fall here and there along the values: in
    its place stands the mean of the largest share so far and the smallest from there on, which only grows. If the
    weights have no positive sum, their absolute values count.

    Attributes:
        values: ascending, shape (event,).
        shares: of the weight, ascending from 0 to 1, shape (event,); None for equal weights.
    """

    values: FloatArray
    shares: FloatArray | None

    @classmethod
    def of(cls, values: FloatArray, weights: FloatArray) -> "WeightedQuantiles":
        """Of at least one value, in any order, both of shape (event,)."""
        if np.all(weights == weights[0]):
            return cls(np.sort(values), None)
        order = np.argsort(values, kind="stable")
        weights = weights[order] if np.sum(weights) > 0 else np.abs(weights[order])
        middles = np.cumsum(weights) - 0.5 * weights
        shares = (middles - middles[0]) / (middles[-1] - middles[0]) if middles[-1] > middles[0] else middles * 0.0
        highest, lowest = np.maximum.accumulate(shares), np.minimum.accumulate(shares[::-1])[::-1]
        return cls(values[order], np.clip(0.5 * (highest + lowest), 0.0, 1.0))

    def at(self, share: float) -> float:
        """The value below which there is a share of the weight, between values in proportion.

        Example:
            >>> WeightedQuantiles.of(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])).at(0.5)
            2.0
        """
        if self.shares is None:
            return float(np.quantile(self.values, share))
        return float(np.interp(share, self.shares, self.values))

    def nearest(self, share: float) -> float:
        """One of the values: that nearest to `at`, by share."""
        if self.shares is None:
            return float(self.values[round((len(self.values) - 1) * share)])
        above = int(np.searchsorted(self.shares, share).clip(1, len(self.shares) - 1)) if len(self.shares) > 1 else 0
        below = max(above - 1, 0)
        return float(self.values[below if share - self.shares[below] <= self.shares[above] - share else above])


def quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    """The value below which there is a share of the weight; see `WeightedQuantiles`."""
    return WeightedQuantiles.of(values, weights).at(share)
