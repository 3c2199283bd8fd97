"""Where figures of merit are stationary: the ratio of densities `s / b` at the cut that each of them asks for.

Each function takes `r = S / B` after the cut and returns `-(dZ/dB) / (dZ/dS)`. With an uncertainty `sigma_B` of the
background two more numbers matter: `k = sigma_B^2 / B`, the variance in units of the Poisson variance, and
`systematic`, the share of `sigma_B^2` that grows like `B^2` under a moving cut (a relative uncertainty); the rest
grows like `B` (finite simulation). All are positive sums or differences that do not cancel, accurate for any `r > 0`.

How the two with uncertainty come about. Let `b-hat` be the background that the fit without signal finds, and
`1 + v = (S + B) / b-hat` the excess it leaves. By the envelope theorem the derivatives of `q0 / 2` are partial ones:
`dq0/dS = 2 ln(1 + v)`, and `dq0/dB` the same plus what moving the auxiliary measurement adds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

from hepcuts._core.errors import InputError
from hepcuts._core.precision import namespace
from hepcuts._core.types import FloatArray

Condition = Callable[[Any, Any, Any], Any]
"""A function of `r`, `k` and `systematic` as above: the ratio of densities that a figure of merit asks for."""


def log1p_deficit(x: Any) -> FloatArray:
    """`x - ln(1 + x)` without cancellation, for `x > -1`, of NumPy or JAX.

    With `y = x / (2 + x)` it is `2 [y^2 / (1 - y) - (artanh(y) - y)]`.
    """
    xp = namespace(x)
    x = xp.asarray(x, dtype=float)
    y = x / (2.0 + x)
    near = xp.abs(y) < 0.2
    small = xp.where(near, y, 0.0)
    series = xp.zeros_like(small)
    for order in range(25, 1, -2):
        series = (series + 1.0 / order) * small**2
    deficit: FloatArray = xp.where(near, 2.0 * (small**2 / (1.0 - small) - small * series), x - xp.log1p(x))
    return deficit


def poisson_excess(r: Any, k: Any) -> tuple[FloatArray, FloatArray]:
    """`t = r / (1 + k)` and the excess `v = t / (1 + k t)`: the background was counted in an auxiliary region."""
    t = np.asarray(r, dtype=np.float64) / (1.0 + k)
    return t, t / (1.0 + k * t)


def gaussian_excess(r: Any, k: Any) -> FloatArray:
    """The excess `v` if the background has a Gaussian constraint: positive root of `k v^2 + (1 + k) v = r`."""
    r = np.asarray(r, dtype=np.float64)
    excess: FloatArray = 2.0 * r / (1.0 + k + np.sqrt((1.0 + k) ** 2 + 4.0 * k * r))
    return excess


def deficit_over(k: Any, t: FloatArray) -> FloatArray:
    """`[k t - ln(1 + k t)] / k`, which goes to zero with `k`."""
    k = np.broadcast_to(np.asarray(k, dtype=np.float64), np.shape(t * np.asarray(k)))
    quotient: FloatArray = np.divide(log1p_deficit(k * t), k, out=np.zeros_like(k, dtype=np.float64), where=k > 0)
    return quotient


def _over_log1p(numerator: Any, v: FloatArray) -> FloatArray:
    """`numerator / ln(1 + v)`, zero without an excess: all numerators here are of second order in `v`."""
    numerator = np.asarray(numerator, dtype=np.float64)
    quotient: FloatArray = np.divide(numerator, np.log1p(v), out=np.zeros_like(numerator), where=v > 0)
    return quotient


def s_over_sqrt_b(r: Any, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:  # noqa: ARG001 (one signature for all)
    """`S / sqrt(B)`: `r / 2`."""
    ratio: FloatArray = np.asarray(r, dtype=np.float64) / 2.0
    return ratio


def s_over_sqrt_s_plus_b(r: Any, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:  # noqa: ARG001 (see above)
    """`S / sqrt(S + B)`: `r / (r + 2)`, below 1 for any `r`: always looser than BCE."""
    r = np.asarray(r, dtype=np.float64)
    ratio: FloatArray = r / (r + 2.0)
    return ratio


def s_over_sqrt_b_plus_variance(r: Any, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:
    """`S / sqrt(B + sigma_B^2)`: `(r / 2) [1 + systematic k / (1 + k)]`."""
    ratio: FloatArray = np.asarray(r, dtype=np.float64) / 2.0 * (1.0 + systematic * k / (1.0 + k))
    return ratio


def asimov(r: Any, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:
    """Asimov significance; the background is known (`k = 0`) or from an auxiliary Poisson count.

    For a known background `r / ln(1 + r) - 1`. For a relative uncertainty (`systematic = 1`)
    `t / ln(1 + t / (1 + k t)) - 1` with `t = r / (1 + k)`; for finite simulation (`systematic = 0`)
    `ln(1 + k t) / [k ln(1 + t / (1 + k t))] - 1`; and in general the linear interpolation of the two.

    Example:
        >>> import numpy as np
        >>> print(asimov(np.array([1e-6, 2.51286241725234, 100.0])).round(7))
        [5.00000000e-07 1.00000000e+00 2.06679065e+01]
    """
    t, v = poisson_excess(r, k)
    return _over_log1p(k * t * v + log1p_deficit(v) - (1.0 - systematic) * deficit_over(k, t), v)


def asimov_known(r: Any, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:  # noqa: ARG001 (see above)
    """Asimov significance of a known background, whatever is said about its uncertainty."""
    return asimov(r)


def asimov_gaussian(r: Any, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:
    """Asimov significance with a Gaussian constraint of the background, as of HistFactory's ``staterror``.

    `[v - ln(1 + v) + (1 + systematic) k v^2 / 2] / ln(1 + v)` with `k v^2 + (1 + k) v = r`. For `k = 1` and
    `systematic = 0`, one simulated event for each expected one, it is that of a known background.
    """
    v = gaussian_excess(r, k)
    return _over_log1p(log1p_deficit(v) + (1.0 + systematic) * (k * v) * v / 2.0, v)


def posterior_threshold(r: Any, condition: Condition = asimov, *, k: Any = 0.0, systematic: Any = 1.0) -> FloatArray:
    """Where a figure of merit cuts a calibrated posterior `p = s / (s + b)` if it is to leave `r = S / B`.

    Events are kept whose density ratio `s / b` is above the `kappa` that the figure of merit asks for: whose posterior
    is above `kappa / (1 + kappa)`. For the Asimov significance of a known background this is `1 - ln(1 + r) / r`, which
    grows from `r / 2` for small `r` to 1, and is 1/2 where `r = 2.513`; for `S / sqrt(B)` it is `r / (r + 2)`, and for
    `S / sqrt(S + B)` half the purity, `S / (2 S + 2 B)`.

    Args:
        r: S / B after the cut, any shape; infinite where no background is left.
        condition: a function of this module.
        k: variance of the background in units of its Poisson variance, `sigma_B^2 / B`, after the cut.
        systematic: share of the variance that grows like `B^2`, between 0 and 1.

    Returns:
        Between 0 and 1, of the arguments' common shape; its limit for a known background where `r` is 0 (0) or
        infinite; NaN where `r` is NaN.

    Raises:
        InputError: a negative `r` or `k`, or `systematic` outside of 0 to 1.

    Example:
        >>> print(posterior_threshold([0.0, 0.1, 1.0, 2.51286241725234, 10.0]).round(3))
        [0.    0.047 0.307 0.5   0.76 ]
        >>> print(posterior_threshold(2.0, s_over_sqrt_b).round(3), posterior_threshold(1.0, k=1.0).round(3))
        0.5 0.425
    """
    r = np.asarray(r, dtype=np.float64)
    k, systematic = _checked_uncertainty(k, systematic)
    if np.any(r < 0):
        raise InputError(f"S / B after the cut is {np.min(r):g}; expected zero or more.")
    known = np.isfinite(r)
    # Infinite for all figures of merit but S / sqrt(S + B), which asks for 1 at most.
    limit = np.where(np.isnan(r), np.nan, condition(1e300, 0.0, 1.0))
    kappa = np.where(known, condition(np.where(known, r, 1.0), k, systematic), limit)
    threshold: FloatArray = kappa / (1.0 + kappa)
    return threshold


def _checked_uncertainty(k: Any, systematic: Any) -> tuple[FloatArray, FloatArray]:
    k, share = (np.asarray(given, dtype=np.float64) for given in (k, systematic))
    if not (np.all(np.isfinite(k) & (k >= 0)) and np.all((share >= 0) & (share <= 1))):
        raise InputError(
            f"k is {k} and systematic {share}; expected k = sigma_B^2 / B >= 0 and a share between 0 and 1."
        )
    return k, share


def agreement(condition: Condition = asimov, *, k: float = 0.0, systematic: float = 1.0) -> float:
    """The ratio `r = S / B` after the cut at which a figure of merit cuts where BCE cuts, `s = b`.

    If S / B after the *best* cut is below it, the cut of the smallest error rate is too tight, or the same; above it,
    too loose. This needs no assumption on the densities. Of S / B after the cut of the smallest error rate the same
    holds where `s / b` grows with the variable, and else only close to that cut.

    Args:
        condition: a function of this module.
        k: variance of the background in units of its Poisson variance, `sigma_B^2 / B`, after the cut.
        systematic: share of the variance that grows like `B^2`, between 0 and 1.

    Returns:
        `r`; infinity if there is none (`S / sqrt(S + B)`).

    Raises:
        InputError: a negative or infinite `k`, or `systematic` outside of 0 to 1.

    Example:
        >>> print(f"{agreement():.14f} {agreement(s_over_sqrt_b):.6f} {agreement(s_over_sqrt_s_plus_b)}")
        2.51286241725234 2.000000 inf
        >>> print(" ".join(f"{agreement(k=k):.4f}" for k in (0.1, 1.0, 10.0)))
        2.1102 1.3589 1.0480
    """
    _checked_uncertainty(k, systematic)
    high = 1e6
    if condition(high, k, systematic) < 1:
        return float("inf")
    found: float = scipy.optimize.brentq(
        lambda r: float(condition(r, k, systematic)) - 1.0, 1e-6, high, xtol=1e-15, rtol=4 * np.finfo(float).eps
    )
    return found
