"""Exact significances and limits of one Poisson count over a known background: sums, no asymptotic formula.

A count is a whole number, so what it is worth comes in steps. The *median* over experiments jumps with them: it can
fall where there is *less* background (Bhattiprolu, Martin, Wells, Eur. Phys. J. C 81 (2021) 123, arXiv:2009.07249), and
is nothing to maximize. The *mean* over experiments has no steps, and a slope.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.precision import array_function
from hepcuts._core.types import FloatArray

from ._exact import float_arrays
from ._normal import significance_of_log_p

_NODES = 257
"""Counts of a sum. Up to 256 expected events they are all that matter, of more expected ones every second, and so on:
eight standard deviations to either side."""
MOST_COUNTS = 1e8
"""Expected events beyond which nothing is summed: there logarithms of probabilities are differences of numbers that
leave seven digits, and the asymptotic formula has as many right."""
_SERIES = 200
"""Terms of the logarithm of a p-value below what a float can be."""
_LEAST_P = 1e-200
_NEWTON_STEPS = 6
"""Twice what the last digit takes from no background to a million events."""
_HALF = float(np.log(0.5))


@jax.custom_jvp
def _log_p(n: Array, b: Array) -> Array:
    """Logarithm of the probability of at least n events, n > 0, where b are expected."""
    p = jax.scipy.special.gammainc(n, b)
    far = p < _LEAST_P
    ratio = jnp.where(far, b + 0.0 * n, 0.0)

    def add(k: Any, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        term = sums[0] * ratio / (n + k)
        return term, sums[1] + term

    _, total = jax.lax.fori_loop(1, _SERIES, add, (jnp.ones_like(ratio), jnp.ones_like(ratio)))
    tail = _log_probability(n, b) + jnp.log(total)
    return jnp.where(far, tail, jnp.log(jnp.where(far, 1.0, p)))


@_log_p.defjvp
def _log_p_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    # A count has no slope; dP(at least n) / db is the probability of n - 1.
    n, b = primals
    log_p = _log_p(n, b)
    return log_p, jnp.exp(_log_probability(n - 1.0, b) - log_p) * tangents[1]


def _log_probability(n: Array, expected: Array) -> Array:
    """Logarithm of the probability of n events."""
    found: Array = n * jnp.log(expected) - expected - jax.scipy.special.gammaln(n + 1.0)
    return found


def _significance(n: Array, b: Array) -> Array:
    """Z of a count, zero where it is no excess."""
    log_p = _log_p(jnp.maximum(n, 1.0), b)
    excess = (n > 0) & (log_p < _HALF)
    return jnp.where(excess, significance_of_log_p(jnp.where(excess, log_p, _HALF - 1.0)), 0.0)


def _mean(value: Callable[[Array], Array], expected: Array) -> Array:
    """Mean of a function of the count, shape (..., node) -> (..., node), over its Poisson distribution."""
    center = jax.lax.stop_gradient(expected)[..., None]
    step = jnp.ceil(jnp.maximum(16.0 * jnp.sqrt(center) / (_NODES - 1), 1.0))
    first = jnp.maximum(jnp.floor(center) - step * (_NODES // 2), 0.0)
    n = first + step * jnp.arange(_NODES)
    mean = expected[..., None]
    weights = jnp.exp(_log_probability(n, mean))
    total: Array = (weights * value(n)).sum(-1) / weights.sum(-1)
    return total


@jax.jit
def _mean_significance(s: Array, b: Array) -> Array:
    valid = (b > 0) & (s + b > 0) & (jnp.maximum(b, s + b) <= MOST_COUNTS)
    s, b = (jnp.where(valid, value, 1.0) for value in (s, b))
    return jnp.where(valid, _mean(lambda n: _significance(n, b[..., None]), s + b), jnp.nan)


@array_function
def mean_significance(s: ArrayLike, b: ArrayLike) -> Array:
    """Mean discovery significance of a count, exact: over all counts, each with the Z of its own p-value.

    A count without excess (p > 1/2) counts as zero. Without steps and differentiable; where many events are expected,
    and Z is well above zero, it is `asimov_significance`.

    Behavior at zero: `b = 0` or negative has no value, NaN, and neither has `s + b = 0`. Beyond 1e8 expected events
    there is no sum, NaN: take `asimov_significance`.

    Args:
        s: expected signal events, any shape that broadcasts with `b`.
        b: expected background events, known.

    Returns:
        The mean in standard deviations, in the common shape.

    Example:
        >>> import numpy as np
        >>> print(mean_significance(3.0, np.array([0.5, 50.0])).round(3))
        [2.427 0.604]
    """
    result: Array = _mean_significance(*map(jnp.asarray, float_arrays(s, b)))
    return result


def median_significance(s: Any, b: Any) -> Any:
    """Exact discovery significance of the median count: what half of the experiments find at least.

    It comes in steps and can fall where there is less background: for comparison, and to check `asimov_significance`.
    To maximize, take `mean_significance`.

    Args:
        s: expected signal events, any shape that broadcasts with `b`.
        b: expected background events, known; without any, NaN.

    Returns:
        Standard deviations, in the common shape; 0 where the median count is no excess.

    Example:
        >>> print(median_significance(3.0, [0.4, 0.5, 0.6]).round(2))
        [2.41 2.19 1.99]
    """
    s, b = np.broadcast_arrays(np.asarray(s, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return poisson_significance(_median(s + b), b)


@array_function
def poisson_significance(n: ArrayLike, b: ArrayLike) -> Array:
    """Exact significance of an observed count over a known background: Z of the probability of at least so many.

    Args:
        n: observed events, any shape that broadcasts with `b`.
        b: expected background events, known; without any, NaN.

    Returns:
        Standard deviations, in the common shape; 0 where the count is no excess (p > 1/2).

    Example:
        >>> print(poisson_significance([0, 3, 3], [0.5, 0.5, 3.0]).round(3))
        [0.    2.187 0.   ]
    """
    result: Array = _significance_of_count(*map(jnp.asarray, float_arrays(n, b)))
    return result


@jax.jit
def _significance_of_count(n: Array, b: Array) -> Array:
    valid = (b > 0) & (n >= 0)
    return jnp.where(valid, _significance(jnp.where(valid, n, 0.0), jnp.where(valid, b, 1.0)), jnp.nan)


# --- upper limits ---


def _limit(n: Any, b: Any, alpha: Any) -> FloatArray:
    """Signal events at which P(at most n | s + b) = alpha P(at most n | b)."""
    n, b, alpha = (np.asarray(value, dtype=np.float64) for value in (n, b, alpha))
    target = alpha * np.maximum(scipy.special.gammaincc(n + 1.0, b), np.finfo(np.float64).tiny)
    return np.asarray(scipy.special.gammainccinv(n + 1.0, target) - b, dtype=np.float64)


@jax.custom_jvp
def _limit_in_jax(n: Array, b: Array, alpha: Array) -> Array:
    """As `_limit`. The logarithm of P(at most n | mean) is concave in the mean: Newton's method is monotone."""
    target = jnp.log(alpha * jnp.maximum(jax.scipy.special.gammaincc(n + 1.0, b), 1e-290))
    # Wilson and Hilferty's quantile of a gamma distribution is close by.
    a = n + 1.0
    start = a * (1.0 - 1.0 / (9.0 * a) + significance_of_log_p(target) / (3.0 * jnp.sqrt(a))) ** 3

    def newton(_: Any, mean: Array) -> Array:
        below = jax.scipy.special.gammaincc(n + 1.0, mean)
        return mean + (jnp.log(below) - target) * below / jnp.exp(_log_probability(n, mean))

    found: Array = jax.lax.fori_loop(0, _NEWTON_STEPS, newton, start) - b
    return found


@_limit_in_jax.defjvp
def _limit_in_jax_jvp(primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]) -> Any:
    # Of alpha P(n | b) = P(n | s + b) on either side: alpha p(n | b) db = p(n | s + b) (ds + db).
    n, b, alpha = primals
    s = _limit_in_jax(n, b, alpha)
    ratio = alpha * jnp.exp(s + n * jnp.log(b / (s + b)))
    return s, (ratio - 1.0) * tangents[1]


def poisson_upper_limit(n: Any, b: Any, *, confidence_level: float = 0.95) -> Any:
    """Exact CLs upper limit on the signal events of an observed count over a known background.

    Args:
        n: observed events, any shape that broadcasts with `b`.
        b: expected background events, known.
        confidence_level: of the limit.

    Returns:
        Signal events, in the common shape. Never below -ln(1 - confidence_level), 3.00 at 95 %.

    Raises:
        InputError: the confidence level is not between 0 and 1.

    Reference: Read, J. Phys. G 28 (2002) 2693; Zech, Nucl. Instrum. Meth. A 277 (1989) 608.

    Example:
        >>> print(poisson_upper_limit([0, 0, 3], [0.0, 2.0, 3.0]).round(3))
        [2.996 2.996 5.395]
    """
    counts, background = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return _limit(counts, background, _alpha(confidence_level))[()]


def median_upper_limit(b: Any, *, confidence_level: float = 0.95) -> Any:
    """Exact CLs upper limit on the signal events at the median count without signal; it comes in steps.

    Args:
        b: expected background events, known, any shape.
        confidence_level: of the limit.

    Returns:
        Signal events, of the shape of `b`.

    Example:
        >>> print(median_upper_limit([0.0001, 0.5, 1.0, 3.0]).round(2))
        [3.   3.   4.11 5.4 ]
    """
    background = np.asarray(b, dtype=np.float64)
    return poisson_upper_limit(_median(background), background, confidence_level=confidence_level)


@array_function
def mean_upper_limit(s: ArrayLike, b: ArrayLike, *, confidence_level: float = 0.95) -> Array:
    """Mean exact CLs upper limit on the signal strength, over all counts without signal.

    Without steps and differentiable. It does not fall below 3.00 / `s` (at 95 %) however little background there is.
    Beyond 1e8 expected events there is no sum, NaN.

    Args:
        s: expected signal events at signal strength 1, any shape that broadcasts with `b`; NaN if not positive.
        b: expected background events, known; NaN if not positive.
        confidence_level: of the limit.

    Returns:
        Signal strength, in the common shape.

    Raises:
        InputError: the confidence level is not between 0 and 1.

    Example:
        >>> import numpy as np
        >>> print(mean_upper_limit(1.0, np.array([1e-4, 1.0, 100.0])).round(3))
        [ 2.996  4.187 22.452]
    """
    signal, background = map(jnp.asarray, float_arrays(s, b))
    result: Array = _mean_limit(signal, background, _alpha(confidence_level))
    return result


@jax.jit
def _mean_limit(s: Array, b: Array, alpha: Array) -> Array:
    valid = (s > 0) & (b > 0) & (b <= MOST_COUNTS)
    s, b = (jnp.where(valid, value, 1.0) for value in (s, b))

    def limit(n: Array) -> Array:
        return _limit_in_jax(*jnp.broadcast_arrays(n, b[..., None], alpha))

    return jnp.where(valid, _mean(limit, b) / s, jnp.nan)


def _alpha(confidence_level: float) -> float:
    if not 0.0 < confidence_level < 1.0:
        raise InputError(f"confidence_level is {confidence_level}; expected a number between 0 and 1, such as 0.95.")
    return 1.0 - confidence_level


def _median(expected: NDArray[np.float64]) -> FloatArray:
    """Median of a Poisson count."""
    near = np.maximum(np.floor(expected) - 2.0, 0.0)[..., None] + np.arange(5.0)
    enough = scipy.special.gammaincc(near + 1.0, expected[..., None]) >= 0.5
    return np.asarray(near[..., 0] + np.argmax(enough, axis=-1), dtype=np.float64)
