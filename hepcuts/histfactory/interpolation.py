"""Interpolation between the up and down variation of a systematic uncertainty, by pyhf's codes.

Additive codes (``histosys``) return a change of the yield, multiplicative ones (``normsys``) a factor. The formulas
are those of the HistFactory note :cite:p:`histfactory` *as pyhf evaluates them*, branch limits included: the
likelihood has to equal pyhf's, and where pyhf departs from the note (code 2 beyond one standard deviation) so do we.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

Values = Float[Any, "..."]


def additive_code0(alpha: Values, down: Values, nominal: Values, up: Values) -> Values:
    """Piecewise linear."""
    return alpha * jnp.where(alpha > 0, up - nominal, nominal - down)


def additive_code2(alpha: Values, down: Values, nominal: Values, up: Values) -> Values:
    """Quadratic within one standard deviation, linear beyond.

    pyhf extrapolates to (b + 2a)(alpha - 1) above and to (b - 2a) alpha below, which is neither continuous nor the
    note's formula; it is reproduced here because it is the likelihood that pyhf fits.
    """
    a = 0.5 * (up + down) - nominal
    b = 0.5 * (up - down)
    above = (b + 2.0 * a) * (alpha - 1.0)
    below = (b - 2.0 * a) * alpha
    return jnp.where(alpha > 1, above, jnp.where(alpha >= -1, a * alpha**2 + b * alpha, below))


def additive_code4p(alpha: Values, down: Values, nominal: Values, up: Values) -> Values:
    """Sixth-order polynomial within one standard deviation, linear beyond."""
    delta_up, delta_down = up - nominal, nominal - down
    even = 0.0625 * (delta_up - delta_down)
    square = alpha**2
    inside = 0.5 * (delta_up + delta_down) * alpha + even * square * (15.0 + square * (3.0 * square - 10.0))
    return jnp.where(alpha < -1, alpha * delta_down, jnp.where(alpha > 1, alpha * delta_up, inside))


def multiplicative_code1(alpha: Values, down: Values, up: Values) -> Values:
    """Piecewise exponential."""
    return jnp.exp(jnp.where(alpha > 0, alpha * jnp.log(up), -alpha * jnp.log(down)))


def multiplicative_code4(alpha: Values, down: Values, up: Values) -> Values:
    """Sixth-order polynomial within one standard deviation, exponential beyond.

    The polynomial has value 1 at zero and meets the exponentials at plus and minus one with equal first and second
    derivatives. Its even and odd parts decouple: `e` and `o` are half the sum and half the difference of the
    exponentials' value, slope and curvature at the two ends.
    """
    log_up, log_down = jnp.log(up), jnp.log(down)
    e0, o0 = 0.5 * (up + down) - 1.0, 0.5 * (up - down)
    e1, o1 = 0.5 * (up * log_up + down * log_down), 0.5 * (up * log_up - down * log_down)
    e2, o2 = 0.5 * (up * log_up**2 + down * log_down**2), 0.5 * (up * log_up**2 - down * log_down**2)
    # Beyond one standard deviation the polynomial is not used; clipping keeps its (unused) gradient finite.
    x = jnp.clip(alpha, -1.0, 1.0)
    square = x**2
    odd = x * (
        (15.0 * o0 - 7.0 * o1 + o2) / 8.0
        + square * ((-5.0 * o0 + 5.0 * o1 - o2) / 4.0 + square * (3.0 * o0 - 3.0 * o1 + o2) / 8.0)
    )
    even = square * (
        (24.0 * e0 - 9.0 * e1 + e2) / 8.0
        + square * ((-12.0 * e0 + 7.0 * e1 - e2) / 4.0 + square * (8.0 * e0 - 5.0 * e1 + e2) / 8.0)
    )
    outside = jnp.exp(jnp.where(alpha > 0, alpha * log_up, -alpha * log_down))
    return jnp.where(jnp.abs(alpha) < 1, 1.0 + odd + even, outside)


ADDITIVE: Mapping[str, Callable[[Values, Values, Values, Values], Values]] = MappingProxyType(
    {"code0": additive_code0, "code2": additive_code2, "code4p": additive_code4p}
)
MULTIPLICATIVE: Mapping[str, Callable[[Values, Values, Values], Values]] = MappingProxyType(
    {"code1": multiplicative_code1, "code4": multiplicative_code4}
)
