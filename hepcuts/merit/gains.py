"""What one bin adds to the figure of merit of a binning, and what it is worth on other events.

All are squares of significances, f(s, b, v) with the variance v of the background, and f(s, b, v) = b f(s/b, 1, v/b).
A signal that is not positive adds nothing.

The plain value of f on other events is too large, too: f grows with the difference between s/b of two bins, and these
differ by chance in any finite simulation. So the more bins, the larger the sum, though there were nothing to separate.
f is convex in s, therefore lies above its tangents, and the tangent at the ratio r = s/b of the events that chose the
bin is, with t(r) = df/ds,

    b f(r, 1, v/b) + t(r) (s - r b) <= f(s, b, v),

linear in the yields s and b of the other events: its mean over their fluctuations is that of infinitely many events,
and it is the larger the closer r comes to the truth. For a known background it is twice the expected logarithm of the
likelihood ratio, log(1 + r) for each event and -r b, of the likelihood that was made from the events that chose.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from hepcuts._core.types import FloatArray

from .counting import asimov_significance

_Formula = Callable[[FloatArray, FloatArray], FloatArray]


@dataclasses.dataclass(frozen=True)
class Gain:
    """Squared significance of one bin.

    Attributes:
        uncertain: whether it takes the uncertainty of the background.
        per_background: ratios s/b and v/b -> f(s/b, 1, v/b).
        slope: ratios s/b and v/b -> df/ds.
    """

    uncertain: bool
    per_background: _Formula
    slope: _Formula

    def __call__(self, signal: FloatArray, background: FloatArray, variance: FloatArray) -> FloatArray:
        """Squared significances of bins with positive background, of any common shape."""
        positive = np.maximum(signal, 0.0)
        return background * self.per_background(positive / background, variance / background)

    def tangent(self, signal: FloatArray, background: FloatArray, relative: FloatArray) -> FloatArray:
        """What one expected signal and one expected background event of other events add.

        Args:
            signal: expected signal of the events that chose the bins, shape (bin,).
            background: likewise, positive.
            relative: variance of the background over the background, shape (bin,).

        Returns:
            The two factors, shape (2, bin).
        """
        ratio = np.maximum(signal, 0.0) / background
        slope = self.slope(ratio, relative)
        return np.stack([slope, self.per_background(ratio, relative) - ratio * slope])


def _asimov(ratio: FloatArray, relative: FloatArray) -> FloatArray:
    squared: FloatArray = np.asarray(asimov_significance(ratio, 1.0, np.sqrt(relative))) ** 2
    return squared


def _asimov_slope(ratio: FloatArray, relative: FloatArray) -> FloatArray:
    # 2 ln(n / beta) with n = 1 + r events, of which the background-only fit expects beta = (1 + n v) / (1 + v).
    slope: FloatArray = 2.0 * (np.log1p(ratio) - np.log1p(relative * ratio / (1.0 + relative)))
    return slope


def _known_asimov(ratio: FloatArray, _: FloatArray) -> FloatArray:
    return _asimov(ratio, np.zeros_like(ratio))


def _known_asimov_slope(ratio: FloatArray, _: FloatArray) -> FloatArray:
    slope: FloatArray = 2.0 * np.log1p(ratio)
    return slope


def _ratio(ratio: FloatArray, _: FloatArray) -> FloatArray:
    squared: FloatArray = ratio**2
    return squared


def _ratio_slope(ratio: FloatArray, _: FloatArray) -> FloatArray:
    return 2.0 * ratio


def _ratio_with_variance(ratio: FloatArray, relative: FloatArray) -> FloatArray:
    squared: FloatArray = ratio**2 / (1.0 + relative)
    return squared


def _ratio_with_variance_slope(ratio: FloatArray, relative: FloatArray) -> FloatArray:
    return 2.0 * ratio / (1.0 + relative)


ASIMOV = Gain(False, _known_asimov, _known_asimov_slope)
ASIMOV_UNCERTAINTY = Gain(True, _asimov, _asimov_slope)
S_OVER_SQRT_B = Gain(False, _ratio, _ratio_slope)
S_OVER_SQRT_B_PLUS_VARIANCE = Gain(True, _ratio_with_variance, _ratio_with_variance_slope)
