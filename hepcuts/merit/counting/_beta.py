"""Logarithm of the tail of a beta distribution, to full relative accuracy for any size of its parameters.

The tail is the density at the cut `x` times a Mills-type integral over the distance in log-odds,

    I_x(a, b) = x^a (1-x)^b / B(a, b) * R,    R = int_0^inf exp(-(a - nu x) v - nu K(v)) dv,    nu = a + b,

where `K(v) = ln(1 - x + x e^-v) + x v` is the centred cumulant generating function of one yes-or-no draw. Nothing in it
cancels: the density is a Poisson deviance times Stirling remainders, `K` a sum of positive terms, and the integrand
falls from 1, like an exponential far out in the tail and like a Gaussian near the median, whatever the counts. Fejer's
rule with a fixed number of nodes, stretched to where the integrand has vanished, integrates it to rounding accuracy.
"""

import math
import sys
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_NODES = 72
_VANISHED = 42.0  # exp(-42) is below the rounding of a sum that starts with 1
_LIFTS = 6
_BISECTIONS = 10
_STIRLING_FROM = 10
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)


def stirling_remainder(x: Array) -> Array:
    """`ln Gamma(x)` minus Stirling's formula `(x - 1/2) ln x - x + ln(2 pi) / 2` (DLMF 5.11.1).

    Below 10 by recurrence: the remainder falls by `(x + 1/2) ln(1 + 1/x) - 1` from `x` to `x + 1`.
    """
    near = x < _STIRLING_FROM
    start = jnp.where(near, x, 1.0)
    steps = start[..., None] + np.arange(_STIRLING_FROM)
    fall = jnp.sum((steps + 0.5) * jnp.log1p(1 / steps) - 1, axis=-1)
    large = jnp.where(near, x + _STIRLING_FROM, x)
    series = jnp.zeros_like(x)
    for coefficient in reversed(_STIRLING):
        series = series / large**2 + coefficient
    return series / large + jnp.where(near, fall, 0.0)


def _exp_remainder(x: Array) -> Array:
    """`exp(x) - 1 - x`."""
    near = jnp.abs(x) < 0.5
    small = jnp.where(near, x, 0.0)
    series = jnp.ones_like(x)
    for k in reversed(range(3, 16)):
        series = 1 + small / k * series
    return jnp.where(near, small**2 / 2 * series, jnp.expm1(x) - x)


def _exponent(v: Array, slope: Array, nu: Array, x: Array, one_minus_x: Array) -> Array:
    """Negative logarithm of the integrand of R; `slope` is `a - nu x`."""
    growth = x * _exp_remainder(-one_minus_x * v) + one_minus_x * _exp_remainder(x * v)
    return slope * v + nu * jnp.log1p(growth)


def _vanishing_point(slope: Array, nu: Array, x: Array, one_minus_x: Array) -> Array:
    """Where the integrand has dropped to `exp(-42)`, about: bisection of ln(v) between two bounds.

    The exponent is convex. It is at least `slope v` and `a v + nu ln(1 - x)`, and for `v < 1` at most
    `slope v + nu x (1 - x) 0.72 v^2`.
    """
    steepness = jnp.maximum(slope, sys.float_info.min)
    lower = jnp.minimum(_VANISHED / 2 / steepness, jnp.sqrt(_VANISHED / 1.44 / (nu * x * one_minus_x)))
    # Of a tiny x the float next to 1 - x is 1, whose logarithm times many events is not what is wanted.
    log_rest = jnp.where(x < 0.5, jnp.log1p(-jnp.minimum(x, 0.5)), jnp.log(one_minus_x))
    upper = jnp.minimum(_VANISHED / steepness, (_VANISHED - nu * log_rest) / (slope + nu * x))

    def bisect(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        lower, upper = bounds
        middle = jnp.sqrt(lower * upper)
        vanished = _exponent(middle, slope, nu, x, one_minus_x) > _VANISHED
        return jnp.where(vanished, lower, middle), jnp.where(vanished, middle, upper)

    bounds: tuple[Array, Array] = jax.lax.fori_loop(0, _BISECTIONS, bisect, (jnp.minimum(lower, 1.0), upper))
    return bounds[1]


def _fejer_rule() -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of Fejer's first rule on (0, 1), which unlike Gauss's are known to the last digit."""
    angles = (np.arange(_NODES) + 0.5) * math.pi / _NODES
    k = np.arange(1, _NODES // 2 + 1)[:, None]
    weights = (1 - 2 * np.sum(np.cos(2 * k * angles) / (4 * k**2 - 1), axis=0)) / _NODES
    return np.cos(angles / 2) ** 2, weights


def mills_integral(a: Array, nu: Array, slope: Array, x: Array, one_minus_x: Array) -> Array:
    """The integral R; `slope` is `a - nu x`.

    For small `a` the integrand has a long exponential tail. It is cut short by integrating by parts a few times,
    `R(a) = [1 + nu x R(a + 1)] / a`, a sum of positive terms again.
    """
    lifted, lifted_nu = slope + _LIFTS * one_minus_x, nu + _LIFTS
    arguments = jax.lax.stop_gradient((lifted, lifted_nu, x, one_minus_x))  # where the nodes are changes nothing
    end = _vanishing_point(*arguments)
    nodes, weights = _fejer_rule()
    v = end[..., None] * nodes
    exponent = _exponent(v, lifted[..., None], lifted_nu[..., None], x[..., None], one_minus_x[..., None])
    integral = end * jnp.sum(weights * jnp.exp(-exponent), axis=-1)
    for k in reversed(range(_LIFTS)):
        integral = (1 + (nu + k) * x * integral) / (a + k)
    return integral
