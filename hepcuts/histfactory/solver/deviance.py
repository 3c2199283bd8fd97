"""The Poisson deviance and its derivatives, without cancellation where rate and count are close."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_SMALLEST = 1e-305
"""A smaller rate counts as zero: its inverse might be infinite, and no zero times infinity shall come of it."""


def slope_and_inverse(counts: Values, rates: Values) -> tuple[Values, Values]:
    """Derivative of the Poisson deviance with respect to the rate, and 1 / rate (zero where the rate is)."""
    positive = rates > _SMALLEST
    inverse = np.where(positive, 1.0 / np.where(positive, rates, 1.0), 0.0)
    return np.where(positive & (counts > 0), 2.0 * (rates - counts) * inverse, 2.0), inverse


def poisson_deviance(counts: Values, rates: Values) -> Values:
    """-2 ln [Pois(n | rate) / Pois(n | n)], without cancellation, as `hepcuts.histfactory.density.poisson_deviance`."""
    some = (counts > 0) & (rates > 0)
    if some.all():
        return 2.0 * counts * _excess(counts, rates)
    n, rate = np.where(some, counts, 1.0), np.where(some, rates, 1.0)
    possible = (rates >= 0) & (counts == 0)
    rest = np.where(possible, 2.0 * rates, np.inf)
    return np.where(some, 2.0 * n * _excess(n, rate), rest)


def _excess(counts: Values, rates: Values) -> Values:
    """X - ln(1 + x) with 1 + x = rate / count.

    For small x by the series of 2 artanh(r), r = x / (2 + x), whose first terms cancel exactly.
    """
    x = (rates - counts) / counts
    with np.errstate(divide="ignore"):
        # Where the rate is much below the count, x is -1 to the last digit and ln(1 + x) has none left.
        result = x - np.where(np.abs(x) < 0.5, np.log1p(x), np.log(rates / counts))
    small = np.abs(x) < 0.05
    if small.any():
        y = np.where(small, x, 0.0)
        r = y / (2.0 + y)
        q = r * r
        series = q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11)))))
        result = np.where(small, r * (y - 2.0 * series), result)
    return result
