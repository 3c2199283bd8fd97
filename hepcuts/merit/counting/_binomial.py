"""Significance of an on and an off count from the exact (conditional) p-value."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hepcuts._core.precision import array_function

from ._beta import mills_integral, stirling_remainder
from ._deviance import signed_root
from ._exact import float_arrays, product_minus
from ._normal import significance_of_log_p


@array_function
def binomial_significance(n_on: ArrayLike, n_off: ArrayLike, tau: ArrayLike) -> Array:
    """Significance Z_Bi of an observed count over a background measured in another region, from the exact p-value.

    Given the sum of the counts, `n_on` is binomial without a signal: the p-value is `I_w(n_on, n_off + 1)`, the
    regularized incomplete beta function at `w = 1 / (1 + tau)`. Right for any counts, conservative for few; Z is the
    one-sided equivalent, negative for `p > 1/2`.

    The p-value is handled as a logarithm, so Z is right far beyond 38, where p is no float any more. Accurate to 1e-14
    times the larger of ``|Z|`` and 1 for counts up to 1e12 and `tau` from 1e-3 to 1e3: Z has a zero, near
    `n_on = n_off / tau`, and close to it only the absolute accuracy means something. (For larger `tau` the same, unless
    `n_on` is below 0.1: then to 1e-9.) Slopes are as accurate.

    Behavior at zero: `n_on = 0` gives minus infinity (p = 1). `n_off = 0` is an observation like any other, and
    counts need not be integers. Negative counts and `tau = 0` or negative have no value, NaN.

    Args:
        n_on: events in the signal region, any shape that broadcasts with the others.
        n_off: events in the background region.
        tau: background expected in the background region over that in the signal region.

    Returns:
        The significance in standard deviations, in the common shape.

    Reference: Cousins, Linnemann, Tucker, Nucl. Instrum. Meth. A 595 (2008) 480, arXiv:physics/0702156: p_Bi and Z_Bi.

    Example:
        >>> import numpy as np
        >>> n_on, n_off, tau = np.array([[4, 5, 5.0], [140, 100, 1.2], [0, 5, 5.0]]).T
        >>> print(binomial_significance(n_on, n_off, tau).round(3))
        [1.664 3.934  -inf]
    """
    significance: Array = _binomial(*float_arrays(n_on, n_off, tau))
    return significance


@jax.jit
def _binomial(n_on: Array, n_off: Array, tau: Array) -> Array:
    valid = (n_on >= 0) & (n_off >= 0) & (tau > 0)
    seen = valid & (n_on > 0)
    n_on, n_off, tau = (jnp.where(seen, value, 1.0) for value in (n_on, n_off, tau))
    a, b = n_on, n_off + 1  # p is the integral of the beta distribution of these parameters up to w
    excess = product_minus(a, tau, n_off, jnp.ones_like(n_off))
    w, one_minus_w, slope = 1 / (1 + tau), tau / (1 + tau), excess / (1 + tau)

    # Which of p and 1 - p to integrate: the one without the mean a / (a + b). For a << 1 the median is far below the
    # mean, and 1 - p is the small one anyway.
    above = (slope > 0) & (a > 0.1)
    first, sign = jnp.where(above, a, b), jnp.where(above, 1.0, -1.0)
    left, right = jnp.where(above, w, one_minus_w), jnp.where(above, one_minus_w, w)
    integral = mills_integral(first, a + b, sign * slope, left, right)
    root = signed_root(a, b, tau, excess)
    remainders = stirling_remainder(a + b) - stirling_remainder(a) - stirling_remainder(b)
    log_tail = jnp.log(integral * jnp.sqrt(a / (a + b) * b / (2 * math.pi))) + remainders - root**2 / 2
    return jnp.where(seen, sign * significance_of_log_p(log_tail), jnp.where(valid, -jnp.inf, jnp.nan))
