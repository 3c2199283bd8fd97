"""The Poisson deviance of counts from their expectation, without cancellation.

A count `n` expected to be `e` contributes `2 [n ln(n/e) - n + e] = (n - e)^2 / e * g` to twice the log-likelihood
ratio. The factor `g` is 1 for `n = e`, 2 for `n = 0`, positive and smooth: all that is small sits in the difference
`n - e`, which the callers know exactly. So `Z = (n - e) sqrt(g / e)` has the right sign, a finite slope at zero, and no
square root of a difference.
"""

import sys
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from hepcuts._core.precision import namespace

_SERIES_TERMS = 16  # the first neglected term is below 1e-18 for |y| < 0.3


def deviance_factor(observed: Any, expected: Any, difference: Any) -> Any:
    """The factor `g` above; `difference` is `observed - expected`, better known than by subtraction.

    With `y = (n - e)/(n + e)` one has `ln(n/e) = 2 artanh(y)` and `g = (1 - y) [1 + (1 + y) (artanh(y) - y) / y^2]`,
    where no two terms cancel. The three arguments may share a common factor.
    """
    xp = namespace(observed, expected)
    total = observed + expected
    y, one_minus_y, one_plus_y = difference / total, 2 * expected / total, 2 * observed / total
    near = xp.abs(y) < 0.3
    if xp is np and near.all():
        rest = y * _series(y)
    elif xp is np and not near.any():
        rest = _far(observed, expected, y)
    else:
        rest = xp.where(near, y * _series(xp.where(near, y, 0.0)), _far(observed, expected, xp.where(near, 1.0, y), y))
    return one_minus_y * (1 + one_plus_y * rest)


def _series(y: Any) -> Any:
    """The series of (artanh(y) - y) / y^3."""
    square = y * y
    series = square / (2 * _SERIES_TERMS + 1)
    for k in reversed(range(1, _SERIES_TERMS - 1)):
        series += 1 / (2 * k + 3)
        series *= square
    return series + 1 / 3


def _far(observed: Any, expected: Any, divisor: Any, y: Any = None) -> Any:
    """(artanh(y) - y) / y^2, the division by a `divisor` that is not small where y is."""
    xp = namespace(observed, expected)
    y = divisor if y is None else y
    # An observation of zero: 0 ln 0 = 0. The smallest float stands for it in the logarithm, times an exact zero.
    ratio = xp.maximum(observed / expected, sys.float_info.min)
    return (xp.log(ratio) / 2 - y) / divisor**2


def signed_root(on: Array, off: Array, tau: Array, weighted_excess: Array) -> Array:
    """Signed square root of the profile likelihood ratio of an on and an off count with one common background.

    `weighted_excess` is `on * tau - off`. The background-only expectations are `(on + off) / (1 + tau)` and `tau` times
    that; the two counts deviate from them by the same amount.
    """
    expected = (on + off) / (1 + tau)
    difference = weighted_excess / (1 + tau)
    on_factor = deviance_factor(on, expected, difference)
    off_factor = deviance_factor(off, tau * expected, -difference)
    return difference * jnp.sqrt((on_factor + off_factor / tau) / expected)
