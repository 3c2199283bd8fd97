"""Interpolation between the up and down variation of a systematic uncertainty, by pyhf's codes.

Additive codes (``histosys``) change the yield. All of them are linear in the two shifts, ``up - nominal`` and
``nominal - down``: a code is a pair of functions of alpha that multiply them. Multiplicative ones (``normsys``) are a
factor: an exponential, or (code 4) a polynomial within one standard deviation and an exponential beyond.

The formulas are those of the HistFactory note :cite:p:`histfactory` *as pyhf evaluates them*, branch limits included:
the likelihood has to equal pyhf's, and where pyhf departs from the note (code 2 beyond one standard deviation) so do
we. They take arrays of NumPy or of JAX. Newton's method, in NumPy, needs the first two derivatives, too: they are
written out, and the tests differentiate the values automatically and compare.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from hepcuts._core.precision import namespace

Values = Any
"""Arrays of NumPy or of JAX, of any shape."""


class Pair(NamedTuple):
    """Coefficients of the upward and of the downward shift."""

    up: Values
    down: Values


Derivatives = tuple[Pair, Pair, Pair]
"""Value, first and second derivative with respect to alpha."""


def _code0(alpha: Values) -> Derivatives:
    """Piecewise linear."""
    above = (alpha > 0).astype(np.float64)
    zero = 0.0 * above
    return Pair(alpha * above, alpha * (1.0 - above)), Pair(above, 1.0 - above), Pair(zero, zero)


def _code2(alpha: Values, *, offset: float = 1.0) -> Derivatives:
    """Quadratic within one standard deviation, linear beyond.

    With a = (up + down) / 2 - nominal and b = (up - down) / 2, pyhf extrapolates to (b + 2a)(alpha - 1) above and to
    (b - 2a)(alpha + offset) below, which is neither continuous nor the note's formula; it is reproduced here because it
    is the likelihood that pyhf fits. Up to its release 0.7 `offset` is 0, and from 0.8 on 1.
    """
    xp = namespace(alpha)
    above, below = alpha > 1, alpha < -1

    def choose(high: Values, inside: Values, low: Values) -> Values:
        return xp.where(above, high, xp.where(below, low, inside))

    half, one = xp.full_like(alpha, 0.5), xp.ones_like(alpha)
    value = Pair(
        choose(1.5 * (alpha - 1.0), 0.5 * (alpha**2 + alpha), -0.5 * (alpha + offset)),
        choose(-0.5 * (alpha - 1.0), 0.5 * (alpha - alpha**2), 1.5 * (alpha + offset)),
    )
    slope = Pair(choose(3.0 * half, alpha + 0.5, -half), choose(-half, 0.5 - alpha, 3.0 * half))
    return value, slope, Pair(choose(0.0 * one, one, 0.0 * one), choose(0.0 * one, -one, 0.0 * one))


def _code4p(alpha: Values) -> Derivatives:
    """Sixth-order polynomial within one standard deviation, linear beyond."""
    xp = namespace(alpha)
    above, below = alpha > 1, alpha < -1
    inside = ~(above | below)
    x = xp.where(inside, alpha, 0.0)
    square = x**2
    even = 0.0625 * square * (15.0 + square * (3.0 * square - 10.0))
    even1 = 0.125 * x * (15.0 + square * (9.0 * square - 20.0))
    even2 = xp.where(inside, 0.125 * (15.0 + square * (45.0 * square - 60.0)), 0.0)
    half = 0.5 * inside
    value = Pair(0.5 * x + even + alpha * above, 0.5 * x - even + alpha * below)
    return value, Pair(half + even1 + above, half - even1 + below), Pair(even2, -even2)


CODE2_OF_07 = "code2 of pyhf 0.7"
"""Code 2 as pyhf evaluates it up to its release 0.7."""
JUMPING = frozenset({"code2", CODE2_OF_07})
"""Codes whose rates jump at one standard deviation."""

ADDITIVE: Mapping[str, Callable[[Values], Derivatives]] = MappingProxyType(
    {"code0": _code0, "code2": _code2, CODE2_OF_07: functools.partial(_code2, offset=0.0), "code4p": _code4p}
)


MULTIPLICATIVE = ("code1", "code4")


class Factors(NamedTuple):
    """Factors of normalization uncertainties at some alpha.

    Attributes:
        value: the factors.
        slope: derivative of their logarithm.
        curvature: second derivative over the value.
    """

    value: Values
    slope: Values
    curvature: Values


class Multiplicative:
    """The factors between `down` and `up`, each of shape (row, lane), prepared for many values of alpha.

    The polynomial of code 4 has value 1 at zero and meets the exponentials at plus and minus one with equal first and
    second derivatives. Its even and odd parts decouple: `e` and `o` are half the sum and half the difference of the
    exponentials' value, slope and curvature at the two ends.

    Args:
        code: one of `MULTIPLICATIVE`: ``code1`` (exponential) or ``code4``.
        down: factors at -1 sigma.
        up: factors at +1 sigma.
    """

    def __init__(self, code: str, down: Values, up: Values) -> None:
        self._xp = namespace(down, up)
        down, up = self._xp.broadcast_arrays(down, up)
        self._up, self._down = up, down
        self._log_up, self._log_down = self._xp.log(up), self._xp.log(down)
        self._polynomial = code == "code4"
        if self._polynomial:
            log_up, log_down = self._log_up, self._log_down
            e0, o0 = 0.5 * (up + down) - 1.0, 0.5 * (up - down)
            e1, o1 = 0.5 * (up * log_up + down * log_down), 0.5 * (up * log_up - down * log_down)
            e2, o2 = 0.5 * (up * log_up**2 + down * log_down**2), 0.5 * (up * log_up**2 - down * log_down**2)
            self._odd = ((15 * o0 - 7 * o1 + o2) / 8, (-5 * o0 + 5 * o1 - o2) / 4, (3 * o0 - 3 * o1 + o2) / 8)
            self._even = ((24 * e0 - 9 * e1 + e2) / 8, (-12 * e0 + 7 * e1 - e2) / 4, (8 * e0 - 5 * e1 + e2) / 8)

    def take(self, lanes: Any) -> "Multiplicative":
        """The same of some lanes."""
        if self._log_up.shape[-1] == 1:
            return self
        other = object.__new__(Multiplicative)
        other._xp = self._xp
        other._polynomial = self._polynomial
        other._up, other._down = self._up[:, lanes], self._down[:, lanes]
        other._log_up, other._log_down = self._log_up[:, lanes], self._log_down[:, lanes]
        if self._polynomial:
            other._odd = tuple(c[:, lanes] for c in self._odd)
            other._even = tuple(c[:, lanes] for c in self._even)
        return other

    def value(self, alpha: Values) -> Values:
        """The factors at `alpha`, shape (row, lane)."""
        xp = self._xp
        outside = xp.exp(alpha * self._slope_outside(alpha))
        if not self._polynomial:
            return outside
        # Beyond one standard deviation the polynomial is not used; at zero its (unused) gradient is finite.
        inside = xp.abs(alpha) < 1
        return xp.where(inside, self._polynomial_at(xp.where(inside, alpha, 0.0)), outside)

    def _slope_outside(self, alpha: Values) -> Values:
        return self._xp.where(alpha > 0, self._log_up, -self._log_down)

    def _polynomial_at(self, x: Values) -> Values:
        q = x * x
        (a1, a3, a5), (a2, a4, a6) = self._odd, self._even
        return 1.0 + x * (a1 + q * (a3 + q * a5)) + q * (a2 + q * (a4 + q * a6))

    def __call__(self, alpha: Values) -> Factors:
        """The factors at `alpha` with their derivatives, shape (row, lane); NumPy only."""
        inside = np.abs(alpha) < 1
        if not self._polynomial or not inside.any():
            slope = self._slope_outside(alpha)
            return Factors(np.exp(alpha * slope), slope, slope**2)
        beyond = not inside.all()
        x = np.where(inside, alpha, 0.0) if beyond else alpha
        q = x * x
        (a1, a3, a5), (a2, a4, a6) = self._odd, self._even
        # Only broken variations make the polynomial vanish; the fit then sees a non-finite derivative and steps back.
        value = self._polynomial_at(x)
        first = (a1 + q * (3 * a3 + 5 * q * a5) + x * (2 * a2 + q * (4 * a4 + 6 * q * a6))) / value
        second = (x * (6 * a3 + 20 * q * a5) + 2 * a2 + q * (12 * a4 + 30 * q * a6)) / value
        if beyond:
            outside = np.broadcast_to(~inside, value.shape)
            slope = self._slope_outside(alpha)[outside]
            value[outside] = np.exp(np.broadcast_to(alpha, value.shape)[outside] * slope)
            first[outside], second[outside] = slope, slope**2
        return Factors(value, first, second)

    def by_variations(self, alpha: Values) -> tuple[Values, Values]:
        """Derivatives of the logarithm of the factors by `down` and by `up`, at fixed alpha; NumPy only."""
        by_up = np.where(alpha > 0, alpha / self._up, 0.0)
        by_down = np.where(alpha > 0, 0.0, -alpha / self._down)
        if not self._polynomial:
            return by_down, by_up
        inside = np.abs(alpha) < 1
        x = np.where(inside, alpha, 0.0)
        q = x * x
        # What multiplies half the sum (even) and the difference (odd) of values, slopes and curvatures at the ends.
        even = q * (3 - q * (3 - q)), -q * (9 / 8 - q * (7 / 4 - 5 * q / 8)), q * (1 - q * (2 - q)) / 8
        odd = x * (15 - q * (10 - 3 * q)) / 8, -x * (7 - q * (10 - 3 * q)) / 8, x * (1 - q * (2 - q)) / 8
        value = self.value(alpha)
        down = [0.5 * (e - o) for e, o in zip(even, odd, strict=True)]
        up = [0.5 * (e + o) for e, o in zip(even, odd, strict=True)]
        return (
            np.where(inside, _blended(down, self._log_down) / value, by_down),
            np.where(inside, _blended(up, self._log_up) / value, by_up),
        )


def _blended(halves: Sequence[Values], log: Values) -> Values:
    """Derivative of the blend by the logarithm of a variation, through value, slope and curvature at its end."""
    return halves[0] + halves[1] * (log + 1.0) + halves[2] * (log * (log + 2.0))
