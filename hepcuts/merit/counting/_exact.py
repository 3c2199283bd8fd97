"""The inputs in 64 bits, and differences of nearly equal counts without the rounding error of their products."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hepcuts._core.precision import namespace


def float_arrays(*values: ArrayLike) -> list[Any]:
    """The values as 64-bit arrays of their common shape: of JAX if any of them is one, else of NumPy."""
    xp = namespace(*values)
    return list(xp.broadcast_arrays(*(xp.asarray(value, xp.float64) for value in values)))


def _split(x: Array) -> tuple[Array, Array]:
    """Write `x` as the exact sum of two numbers with at most 26 bits each, so that their products are exact.

    The upper half is cut out of the bit pattern. The textbook way (multiply by 2**27 + 1 and subtract) breaks when a
    compiler fuses the multiplication with the subtraction, as XLA may.
    """
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    upper = jax.lax.bitcast_convert_type((bits + 2**26) & ~(2**27 - 1), jnp.float64)
    return upper, x - upper


def _two_sum(x: Array, y: Array) -> tuple[Array, Array]:
    """The rounded sum and its rounding error (Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B)."""
    total = x + y
    rest = total - x
    return total, (x - (total - rest)) + (y - rest)


@jax.custom_jvp
def product_minus(x: Array, y: Array, first: Array, second: Array) -> Array:
    """`x * y - first - second` to full relative accuracy, however close to zero the result is."""
    (x_upper, x_lower), (y_upper, y_lower) = _split(x), _split(y)
    terms = (-first, -second, x_upper * y_lower, x_lower * y_upper, x_lower * y_lower)  # each of them exact
    total, error = x_upper * y_upper, jnp.zeros_like(x)
    for term in terms:
        total, lost = _two_sum(total, term)
        error = error + lost
    return total + error


@product_minus.defjvp
def _product_minus_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    # Bit patterns have no derivative, the difference has.
    x, y, *_ = primals
    x_dot, y_dot, first_dot, second_dot = tangents
    return product_minus(*primals), x_dot * y + x * y_dot - first_dot - second_dot
