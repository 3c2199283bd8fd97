"""The normal distribution in the far tail: significance from the logarithm of a p-value."""

import math

import jax
import jax.numpy as jnp
from jax import Array

_TAIL = 5.0  # from here on the continued fraction, which gains digits with z, where erfc loses them
_FRACTION_TERMS = 25
_NEWTON_STEPS = 7


def mills_ratio(z: Array) -> Array:
    """Survival function over density of the standard normal distribution (Abramowitz and Stegun 26.2.14)."""
    far = z > _TAIL
    tail = jnp.where(far, z, _TAIL)
    fraction = tail
    for k in reversed(range(1, _FRACTION_TERMS + 1)):
        fraction = tail + k / fraction
    body = jnp.where(far, _TAIL, z)
    ratio = math.sqrt(math.pi / 2) * jnp.exp(body**2 / 2) * jax.scipy.special.erfc(body / math.sqrt(2))
    return jnp.where(far, 1 / fraction, ratio)


@jax.custom_jvp
def significance_of_log_p(log_p: Array) -> Array:
    """The `z` at which the survival function is `exp(log_p)`, for `p` up to about 0.9 and down to any size.

    Newton's method on the logarithm of the survival function, which is concave and nearly quadratic. The start is on
    the side from which Newton's method is monotone, since the survival function is below `exp(-z^2/2) / 2`.
    """
    start = jnp.sqrt(jnp.maximum(-2 * (log_p + math.log(2)), 0.0))

    def newton(_: int, z: Array) -> Array:
        ratio = mills_ratio(z)
        return z + ratio * (jnp.log(ratio / math.sqrt(2 * math.pi)) - z**2 / 2 - log_p)

    root: Array = jax.lax.fori_loop(0, _NEWTON_STEPS, newton, start)
    return root


@significance_of_log_p.defjvp
def _significance_of_log_p_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    z = significance_of_log_p(*primals)
    return z, -mills_ratio(z) * tangents[0]
