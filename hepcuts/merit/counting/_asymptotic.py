"""Significances from the likelihood ratio of a counting experiment, in the asymptotic (Wilks) approximation."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from hepcuts._core.precision import array_function, namespace, native_function

from ._deviance import deviance_factor, signed_root
from ._exact import float_arrays, product_minus

_TINY = 1e-100
"""A smaller spread has an infinite inverse, or nearly."""
_CACHED = 8192
"""Numbers of one part."""


@native_function
def asimov_significance(s: ArrayLike, b: ArrayLike, sigma_b: ArrayLike | None = None) -> Array:
    """Median discovery significance of an expected signal over an expected background, known or uncertain.

    Without uncertainty `sqrt(2 [(s + b) ln(1 + s/b) - s])`. With it, `b` is measured in an auxiliary Poisson count of
    `b^2 / sigma_b^2` events, and the result is that of `li_ma_significance` on the Asimov data.

    Accurate to 1e-14, relative, for `s / b` of either sign down to 1e-9 and up to 1e9 and any `sigma_b / b`, zero
    included. Slopes are finite, `1 / sqrt(b + sigma_b^2)` in `s` at `s = 0`, and accurate relative to the significance
    over the argument: less than that is rounding where it hardly depends on the argument.

    Behavior at zero: `b = 0` has no value, NaN: a background model that predicts nothing makes any signal infinitely
    significant. `s = 0` gives 0, a deficit `s < 0` a negative significance. `s = -b` (no event at all) is the last
    value, `-sqrt(2 b)` for a known background; its slope in `s` is infinite and given as that at the smallest positive
    float. `s < -b` and a negative `b` or `sigma_b` are NaN. `sigma_b = 0` is the same as None.

    Args:
        s: expected signal events, any shape that broadcasts with the others.
        b: expected background events.
        sigma_b: uncertainty of `b`, one standard deviation, in events; None for a known background.

    Returns:
        The significance in standard deviations, in the common shape.

    Reference: Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71 (2011) 1554, arXiv:1007.1727, eq. 97; with `sigma_b`
    Cowan, "Discovery sensitivity for a counting experiment with background uncertainty" (2012), eq. 20.

    Example:
        >>> import numpy as np
        >>> print(asimov_significance(10.0, np.array([50.0, 1.0, 0.0])).round(3))
        [1.371 5.723   nan]
        >>> print(asimov_significance(10.0, 50.0, sigma_b=np.array([0.0, 5.0, 20.0])).round(3))
        [1.371 1.107 0.445]
    """
    given = (s, b) if sigma_b is None else (s, b, sigma_b)
    arrays = float_arrays(*given)
    significance: Array
    if namespace(*arrays) is np:
        significance = _asimov_numpy(*arrays)
    else:
        significance = _asimov_jax(*arrays, *(() if sigma_b is not None else (jnp.zeros_like(arrays[0]),)))
    return significance


def _asimov_numpy(*arrays: NDArray[np.float64]) -> Any:
    """In parts that a processor's cache holds."""
    flat = [array.ravel() for array in arrays]
    result = np.empty(len(flat[0]))
    for first in range(0, len(result), _CACHED):
        s, b, *sigma_b = (array[first : first + _CACHED] for array in flat)
        values = None if sigma_b and sigma_b[0].any() else _known_far_above(s, b)
        if values is None:
            values = _asimov(s, b, sigma_b[0] if sigma_b else np.zeros_like(s))
        result[first : first + _CACHED] = values
    return result.reshape(arrays[0].shape)


def _known_far_above(s: Any, b: Any) -> Any:
    """For a known background where the signal is not small; None elsewhere."""
    ratio = (s + b) / b
    if not ((ratio > 1.25) & (b > 0)).all():
        return None
    half = b * ratio
    half *= np.log(ratio)
    half -= s
    half *= 2.0
    return np.sqrt(half, out=half)


def _asimov(s: Any, b: Any, sigma_b: Any) -> Any:
    xp = namespace(s)
    valid = (b > 0) & (s >= -b) & (sigma_b >= 0)
    if not (xp is np and valid.all()):
        s, b, sigma_b = (xp.where(valid, value, 1.0) for value in (s, b, sigma_b))
    # With n_on = s + b, n_off = b tau, tau = 1 / spread. All is written in `spread`, which may be zero, and n_off and
    # its expectation are both divided by tau.
    spread = sigma_b**2 / b
    on = s + b
    expected = (b + on * spread) / (1 + spread)
    difference = s / (1 + spread)
    if xp is np and (spread > _TINY).all() and (on > 1.25 * expected).all():
        # Written down as it is, the likelihood ratio's terms cancel by a factor of ten at most.
        half = on * np.log(on / expected) - b / spread * np.log1p(spread * difference / b)
        return np.where(valid, np.sqrt(2.0 * half), np.nan)
    on_factor = deviance_factor(on, expected, difference)
    if xp is np and not spread.any():
        return np.where(valid, difference * np.sqrt(on_factor / expected), np.nan)
    off_factor = deviance_factor(b, expected, -difference * spread)
    return xp.where(valid, difference * xp.sqrt((on_factor + spread * off_factor) / expected), xp.nan)


_asimov_jax = jax.jit(_asimov)


@array_function
def li_ma_significance(n_on: ArrayLike, n_off: ArrayLike, tau: ArrayLike) -> Array:
    """Significance of an observed count over a background measured in another region, from the likelihood ratio.

    `sqrt(2) [n_on ln((1 + tau) n_on / (n_on + n_off)) + n_off ln((1 + 1/tau) n_off / (n_on + n_off))]^(1/2)`, negative
    for a deficit, `n_on < n_off / tau`. Asymptotic: good from about ten events in each region.

    Accurate to 1e-14, relative, for counts up to 1e12, also where the excess is a small difference of large numbers:
    the excess of exactly the given floats, so pass counts and `tau` rather than rounded quotients of them.

    Behavior at zero: one count may be zero (`0 ln 0 = 0`); its slope is then infinite and given as that at the
    smallest positive float. Both zero gives 0, the limit: nothing seen where nothing is expected. Negative counts and
    `tau = 0` or negative have no value, NaN.

    Args:
        n_on: events in the signal region, any shape that broadcasts with the others.
        n_off: events in the background region.
        tau: background expected in the background region over that in the signal region (Li and Ma's `1 / alpha`).

    Returns:
        The significance in standard deviations, in the common shape.

    Reference: Li, Ma, Astrophys. J. 272 (1983) 317, eq. 17.

    Example:
        >>> import numpy as np
        >>> print(li_ma_significance(np.array([18, 5, 0]), 97, 10.0).round(3))
        [ 2.242 -1.601 -4.3  ]
    """
    significance: Array = _li_ma(*map(jnp.asarray, float_arrays(n_on, n_off, tau)))
    return significance


@jax.jit
def _li_ma(n_on: Array, n_off: Array, tau: Array) -> Array:
    valid = (n_on >= 0) & (n_off >= 0) & (tau > 0)
    seen = valid & (n_on + n_off > 0)
    n_on, n_off, tau = (jnp.where(seen, value, 1.0) for value in (n_on, n_off, tau))
    significance = signed_root(n_on, n_off, tau, product_minus(n_on, tau, n_off, jnp.zeros_like(n_off)))
    return jnp.where(seen, significance, jnp.where(valid, 0.0, jnp.nan))
