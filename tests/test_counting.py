"""Counting experiments, against 50-digit arithmetic on exactly the same floats."""

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from hepcuts import counting
from hepcuts._core.errors import PrecisionError

# The formulas under test, as in the papers, with enough digits (100) that their cancellations leave 50.


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(100):
        yield


def _n_log(n: mpf, ratio: mpf) -> mpf:
    return n * mp.log(ratio) if n else mpf(0)


def exact_asimov(s: float, b: float, sigma: float = 0.0) -> mpf:
    s, b, sigma = mpf(s), mpf(b), mpf(sigma)
    if s == 0:
        return mpf(0)
    if sigma == 0:
        half_q0 = _n_log(s + b, 1 + s / b) - s
    else:
        on, v = s + b, sigma**2
        half_q0 = _n_log(on, on * (b + v) / (b**2 + on * v)) - b**2 / v * mp.log(1 + v * s / (b * (b + v)))
    return mp.sign(s) * mp.sqrt(2 * half_q0)


def exact_li_ma(on: float, off: float, tau: float) -> mpf:
    on, off, tau = mpf(on), mpf(off), mpf(tau)
    half_q0 = _n_log(on, (1 + tau) * on / (on + off)) + _n_log(off, (1 + 1 / tau) * off / (on + off))
    return mp.sign(on * tau - off) * mp.sqrt(2 * half_q0)


def exact_log_tail(a: mpf, b: mpf, x: mpf) -> mpf:
    """ln I_x(a, b) by brute force: the integrand in log-odds, downwards from the cut until it has vanished."""

    def log_density(w: mpf) -> mpf:
        return -a * mp.log1p(mp.exp(-w)) - b * mp.log1p(mp.exp(w))

    cut = mp.log(x / (1 - x))
    at_cut = log_density(cut)
    step = 1 / (1 + abs(a - (a + b) * x) + mp.sqrt((a + b) * x * (1 - x)))
    points, peak = [mpf(0), step], mpf(0)
    while (drop := log_density(cut - points[-1]) - at_cut) > peak - 80:
        peak = max(peak, drop)
        step *= mpf("1.6")
        points.append(points[-1] + step)
    integral = mp.quad(lambda u: mp.exp(log_density(cut - u) - at_cut), points, method="gauss-legendre", maxdegree=5)
    return at_cut + mp.log(integral) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b)


def exact_z(log_p: mpf) -> mpf:
    """The normal quantile of the upper tail probability exp(log_p)."""
    z = mp.sqrt(-2 * log_p) if log_p < -3 else mpf(1)
    for _ in range(100):
        ratio = mp.erfc(z / mp.sqrt(2)) * mp.sqrt(mp.pi / 2) * mp.exp(z**2 / 2)
        step = ratio * (mp.log(ratio / mp.sqrt(2 * mp.pi)) - z**2 / 2 - log_p)
        z += step
        if abs(step) < mpf(10) ** -35 * max(1, abs(z)):
            return z
    raise AssertionError("the reference does not converge")


def exact_binomial(on: float, off: float, tau: float) -> mpf:
    with mpmath.workdps(50):
        a, b, x = mpf(on), mpf(off) + 1, 1 / (1 + mpf(tau))
        if a > (a + b) * x:
            return exact_z(exact_log_tail(a, b, x))
        return -exact_z(exact_log_tail(b, a, 1 - x))


def worst(function: Callable[..., Any], exact: Callable[..., mpf], points: np.ndarray, floor: float = 0.0) -> float:
    """Largest deviation over the points (one a row), relative to the reference or to the floor if that is larger."""
    values = function(*points.T)
    assert values.dtype == np.float64
    references = [exact(*point) for point in points.tolist()]
    return max(
        float(abs(v - r) / max(abs(r), floor)) if r else abs(v)
        for v, r in zip(values.tolist(), references, strict=True)
    )


def grid(*axes: Any) -> np.ndarray:
    return np.array(list(product(*axes)), dtype=float)


RATIOS = np.concatenate([10.0 ** np.arange(-9, 10), 3.7 * 10.0 ** np.arange(-3, 2), [0.3, 0.85, 0.86, 0.9]])
DEFICITS = [-1e-9, -1e-6, -1e-3, -0.1, -0.45, -0.47, -0.5, -0.9, -0.999, -1 + 1e-9, -1]
SPREADS = [0.0, 1e-9, 1e-6, 1e-3, 0.03, 0.3, 1.0, 3.0, 10.0]


@pytest.mark.parametrize("b", [1e-6, 1e-3, 0.7, 1.0, 50.0, 12345.6, 1e9, 1e12], ids=lambda b: f"b={b:g}")
def test_asimov(b):
    points = [(s, b) for s in np.concatenate([RATIOS, DEFICITS]) * b if s <= 1e12]
    assert worst(counting.asimov_significance, exact_asimov, np.array(points)) < 2e-15


@pytest.mark.parametrize("b", [1e-3, 1.0, 50.0, 1e6, 1e12], ids=lambda b: f"b={b:g}")
def test_asimov_with_uncertainty(b):
    points = [(s, b, sigma) for s, sigma in grid(np.append(RATIOS, DEFICITS) * b, np.array(SPREADS) * b) if s <= 1e12]
    assert worst(counting.asimov_significance, exact_asimov, np.array(points)) < 3e-15


@pytest.mark.parametrize("tau", [1e-3, 0.1, 1.0, 3.3, 1e3], ids=lambda tau: f"tau={tau:g}")
def test_li_ma_over_the_whole_range(tau):
    counts = [0.0, 0.3, 1.0, 7.0, 40.5, 1e3, 123456.0, 1e9, 1e12]
    assert worst(counting.li_ma_significance, exact_li_ma, grid(counts, counts, [tau])[1:]) < 3e-15


@pytest.mark.parametrize("off", [3.0, 97.0, 1e6 + 1 / 3, 1e12 - 1], ids=lambda off: f"off={off:g}")
def test_li_ma_of_a_vanishing_excess(off):
    points = []
    for tau, shift in product([1e-3, 0.1, 1 / 3, 1.2, 7.7, 1e3], [0, 1e-15, 1e-13, -1e-11, 1e-9, -1e-6, 1e-3]):
        points += [(off / tau * (1 + shift), off, tau), (np.nextafter(off / tau, 0), off, tau)]
    assert worst(counting.li_ma_significance, exact_li_ma, np.array(points)) < 2e-15


def binomial_points(rng: np.random.Generator, number: int, tau_power: float, on_powers: tuple[float, float]) -> Any:
    """Counts of any size: far from the background, within a few standard deviations of it, integer or not."""
    tau = 10 ** rng.uniform(-tau_power, tau_power, number)
    on, far_off = 10 ** rng.uniform(*on_powers, (2, number))
    near_off = np.abs(on * tau + rng.normal(scale=3, size=number) * np.sqrt(on * tau * (1 + tau)))
    off = np.minimum(np.where(rng.random(number) < 0.3, far_off, near_off), 1e12)
    whole = rng.random(number) < 0.5
    return np.stack([np.where(whole, np.ceil(on), on), np.where(whole, np.rint(off), off), tau], axis=1)


# Close to its zero only the absolute accuracy of Z_Bi means something, hence a floor.
@pytest.mark.parametrize("on_powers", [(-1, 0.5), (0, 2), (2, 6), (6, 12)], ids=["few", "some", "many", "huge"])
def test_binomial(on_powers):
    points = binomial_points(np.random.default_rng(5), 12, 3, on_powers)
    assert worst(counting.binomial_significance, exact_binomial, points, floor=0.1) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("on_powers", [(-9, -1), (-1, 2), (0, 12)], ids=["tiny", "few", "any"])
def test_binomial_many_points(on_powers):
    points = binomial_points(np.random.default_rng(6), 300, 3, on_powers)
    assert worst(counting.binomial_significance, exact_binomial, points, floor=0.1) < 1e-13


@pytest.mark.parametrize(
    "point",
    [(1e12, 0, 1.0), (1e12, 1e12, 1e3), (1, 1e12, 1e-3), (1e12, 1e12 + 3e6, 1.0), (1e12, 1e9 + 1e5, 1e-3), (38, 0, 1)],
    ids=str,
)
def test_binomial_far_out(point):
    assert worst(counting.binomial_significance, exact_binomial, np.array([point], dtype=float)) < 1e-14


def test_binomial_in_closed_form():
    # n_off = 0: p = w^n_on. n_on = 1: 1 - p = (1 - w)^(n_off + 1).
    counts, taus = 10.0 ** np.arange(-9, 13, 3), 10.0 ** np.arange(-3, 4) / 3

    def power(n: float, log_base: mpf) -> mpf:
        log_p = n * log_base
        log_rest = mp.log(-mp.expm1(log_p))
        return exact_z(log_p) if log_p < log_rest else -exact_z(log_rest)

    def only_on(on: float, _: float, tau: float) -> mpf:
        return power(mpf(on), -mp.log(1 + mpf(tau)))

    def one_on(_: float, off: float, tau: float) -> mpf:
        return -power(mpf(off) + 1, -mp.log(1 + 1 / mpf(tau)))

    assert worst(counting.binomial_significance, only_on, grid(counts, [0.0], taus), floor=1) < 5e-15
    assert worst(counting.binomial_significance, one_on, grid([1.0], counts, taus), floor=1) < 5e-15


def test_binomial_is_the_sum_over_the_binomial_distribution():
    # Rational arithmetic, no beta function: the probability of at least n_on of n_on + n_off events in the on region.
    for on, off, tau in [(1, 0, 1), (4, 5, 5), (12, 7, 3), (2, 60, 20), (140, 100, 2), (3, 900, 4)]:
        w, total = Fraction(1, 1 + tau), on + off
        p = sum(math.comb(total, k) * w**k * (1 - w) ** (total - k) for k in range(on, total + 1))
        log_p, log_rest = (mp.log(mpf(q.numerator) / q.denominator) for q in (p, 1 - p))
        expected = exact_z(log_p) if p < 0.5 else -exact_z(log_rest)
        assert abs(counting.binomial_significance(on, off, tau) - expected) < 1e-14 * max(1, abs(expected))


def test_published_values():
    # J. T. Linnemann, PHYSTAT 2003, arXiv:physics/0312059, table 1: Z_Bi of published observations.
    on = [4, 6, 9, 17, 50, 67, 200, 523, 498426, 2119449]
    off = [5, 18.78, 17.83, 40.11, 55, 15, 10, 2327, 493434, 23650096]
    tau = [5.0, 14.44, 4.69, 10.56, 2.0, 0.5, 0.1, 5.99, 1.0, 11.21]
    published = [1.66, 2.63, 1.82, 4.46, 2.93, 2.89, 2.20, 5.93, 5.01, 6.40]
    np.testing.assert_allclose(counting.binomial_significance(*map(np.array, (on, off, tau))), published, atol=0.006)
    # gammapy, documentation of gammapy.stats: n_on = 18, n_off = 97, alpha = 1/10.
    assert counting.li_ma_significance(18, 97, 10.0) == pytest.approx(2.2421704424844875, rel=1e-14)


RATIO_FORMULAS = {
    "s_over_sqrt_b": (counting.s_over_sqrt_b, lambda s, b: s / mp.sqrt(b), 2),
    "s_over_sqrt_s_plus_b": (counting.s_over_sqrt_s_plus_b, lambda s, b: s / mp.sqrt(mpf(s) + mpf(b)), 2),
    "s_over_sqrt_b_plus_variance": (
        counting.s_over_sqrt_b_plus_variance,
        lambda s, b, sigma: s / mp.sqrt(b + mpf(sigma) ** 2),
        3,
    ),
    "punzi": (counting.punzi, lambda e, b, a: e / (mpf(a) / 2 + mp.sqrt(b)), 3),
}


@pytest.mark.parametrize("name", RATIO_FORMULAS)
def test_ratios(name):
    function, exact, arity = RATIO_FORMULAS[name]
    assert worst(function, exact, grid(*[[1e-9, 1e-3, 0.7, 3.0, 1e6, 1e12]] * arity)) < 5e-16


# Behavior at zero


nan = np.nan
AT_ZERO = {
    "s/rt(b)": (counting.s_over_sqrt_b, [([1, 0, -1, 1], [0, 0, 4, -1]), [nan, nan, -0.5, nan]]),
    "s/rt(s+b)": (counting.s_over_sqrt_s_plus_b, [([0, 4, 0, -1, 3], [0, 0, 1, 1, -2]), [nan, 2, 0, nan, nan]]),
    "s/rt(b+var)": (
        counting.s_over_sqrt_b_plus_variance,
        [(3, [0, 0, 1, -1, 1], [0, 2, 0, 2, -1]), [nan, 1.5, 3, nan, nan]],
    ),
    "punzi": (counting.punzi, [(0.5, [0, 0, 1, -1, 1], [2, 0, 0, 2, -1]), [0.5, nan, 0.5, nan, nan]]),
    "asimov": (
        counting.asimov_significance,
        [([1, 0, 0, -2, -2.1, 1, nan], [0, 0, 1, 2, 2, -1, 1]), [nan, nan, 0, -2, nan, nan, nan]],
    ),
    "asimov-sigma": (
        counting.asimov_significance,
        [([1, 0, 1, 0, 1], [0, 0, 1, 1, 1], [1, 1, -1, 1, nan]), [nan, nan, nan, 0, nan]],
    ),
    "li-ma": (
        counting.li_ma_significance,
        [([0, 1, -1, 1, 1], [0, 0, 1, -1, 1], [1, 1, 1, 1, 0]), [0, math.sqrt(2 * math.log(2)), nan, nan, nan]],
    ),
    "binomial": (
        counting.binomial_significance,
        [([0, 0, 1, -1, 1, 1], [0, 5, 0, 1, -1, 1], [1, 1, 1, 1, 1, 0]), [-np.inf, -np.inf, 0, nan, nan, nan]],
    ),
}


@pytest.mark.parametrize("name", AT_ZERO)
def test_at_zero(name):
    function, (arguments, expected) = AT_ZERO[name]
    np.testing.assert_allclose(function(*map(np.array, arguments)), expected, atol=1e-15)


# Derivatives: central differences of the 50-digit formulas


def exact_slopes(exact: Callable[..., mpf], point: tuple[float, ...]) -> list[float]:
    slopes = []
    for i, value in enumerate(point):
        h = mpf(10) ** -14 * (abs(mpf(value)) or 1)
        up, down = ([*point[:i], mpf(value) + sign * h, *point[i + 1 :]] for sign in (1, -1))
        slopes.append(float((exact(*up) - exact(*down)) / (2 * h)))
    return slopes


POINTS = 32
"""At which slopes are taken at once: one shape, for which JAX compiles once."""


@functools.cache
def compiled_slopes(function: Callable[..., Any], arity: int) -> Callable[..., Any]:
    return jax.jit(jax.vmap(jax.grad(function, argnums=tuple(range(arity)))))


def slopes(function: Callable[..., Any], points: np.ndarray) -> np.ndarray:
    """Gradients at all the points (one a row), jitted and mapped, in 64 bits."""
    gradient, number = compiled_slopes(function, points.shape[1]), len(points)
    padded = points[np.minimum(np.arange(-(-number // POINTS) * POINTS), number - 1)]
    with jax.enable_x64(True):
        parts = [np.stack(gradient(*jnp.asarray(part).T), axis=1) for part in np.split(padded, len(padded) // POINTS)]
    return np.concatenate(parts)[:number]


GRADIENTS = {
    "asimov": (
        counting.asimov_significance,
        exact_asimov,
        [(s * b, b) for s, b in grid([-0.999, -0.5, -1e-6, 0, 1e-9, 1e-3, 0.5, 1, 30, 1e9], [0.1, 50, 1e9])],
    ),
    "asimov-sigma": (
        counting.asimov_significance,
        exact_asimov,
        [
            (s * b, b, sigma * b)
            for s, b, sigma in grid([-0.999, -0.3, 0, 1e-9, 1e-3, 1, 30, 1e6], [0.1, 50, 1e9], [1e-9, 1e-3, 0.1, 1, 10])
        ],
    ),
    "li-ma": (
        counting.li_ma_significance,
        exact_li_ma,
        [*grid([0.1, 5, 18, 1e6, 1e12], [0.5, 97, 1e6], [1e-3, 0.7, 10, 1e3]), (10, 100, 10), (1e12, 1e12, 1)],
    ),
    "binomial": (
        counting.binomial_significance,
        exact_binomial,
        [(4, 5, 5), (0.7, 0.1, 2), (900, 5, 0.1), (3e9, 3e12, 1e3)],
    ),
    "s_over_sqrt_b_plus_variance": (
        counting.s_over_sqrt_b_plus_variance,
        RATIO_FORMULAS["s_over_sqrt_b_plus_variance"][1],
        [(0, 1, 1), (3, 4, 5), (-1, 1e-3, 0.1)],
    ),
    "punzi": (counting.punzi, RATIO_FORMULAS["punzi"][1], [(0, 1, 3), (0.5, 100, 5)]),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "binomial" else ()) for n in GRADIENTS]
)
def test_gradients(name):
    function, exact, points = GRADIENTS[name]
    points = np.array([tuple(point) for point in points], dtype=float)
    expected = np.array([exact_slopes(exact, tuple(point)) for point in points.tolist()])
    # Where Z hardly depends on an argument, only the slope relative to Z / argument is accurate.
    unit = np.abs(function(*points.T)[:, None] / np.where(points, points, np.inf))
    tolerance = 1e-11 * np.abs(expected) + 1e-14 * unit + 1e-300
    np.testing.assert_array_less(np.abs(slopes(function, points) - expected), tolerance)


def test_slopes_where_there_is_no_signal():
    points = grid([0.0], [0.3, 50.0, 1e9], [0.0, 0.1, 7.0])
    expected = 1 / np.sqrt(points[:, 1] + points[:, 2] ** 2)
    zero = np.zeros_like(expected)
    np.testing.assert_allclose(
        slopes(counting.asimov_significance, points), np.stack([expected, zero, zero], axis=1), rtol=1e-14
    )


def test_slopes_for_a_known_background():
    points = grid([-20.0, 1e-6, 10.0, 1e5], [50.0], [0.0])
    known = slopes(counting.asimov_significance, points[:, :2])
    np.testing.assert_allclose(slopes(counting.asimov_significance, points), np.c_[known, np.zeros(4)], rtol=1e-14)


def test_slopes_at_the_edge_are_finite():
    edge = slopes(counting.asimov_significance, np.array([[-50.0, 50.0, 0.0], [-50.0, 50.0, 5.0]]))
    assert np.isfinite(edge).all()
    assert (edge[:, 0] > 50).all()
    empty = slopes(counting.li_ma_significance, np.array([[0.0, 97.0, 10.0], [18.0, 0.0, 10.0], [0.0, 0.0, 10.0]]))
    assert np.isfinite(empty).all()
    # Z = -sqrt(2 n_off ln(1 + 1/tau)) and sqrt(2 n_on ln(1 + tau))
    slope_in_tau = [math.sqrt(97 / 2 / math.log(1.1)) / 110, math.sqrt(18 / 2 / math.log(11)) / 11, 0]
    np.testing.assert_allclose(empty[:, 2], slope_in_tau, rtol=1e-13)


def test_slopes_are_finite_where_there_is_no_value():
    for function, arity in [(counting.asimov_significance, 3), (counting.li_ma_significance, 3), (counting.punzi, 3)]:
        assert np.isfinite(slopes(function, -np.ones((1, arity)))).all()


@pytest.mark.slow
@pytest.mark.parametrize("function", [counting.li_ma_significance, counting.binomial_significance])
def test_second_derivatives(function):
    # The custom derivative rules must themselves be differentiable. Reference: differences of the first derivative.
    point = np.array([18.0, 97.0, 10.0])
    with jax.enable_x64(True):
        curvature = jax.jit(jax.hessian(lambda x: function(*x)))(jnp.asarray(point))
    shifts = np.diag(1e-5 * point)
    difference = (slopes(function, point + shifts) - slopes(function, point - shifts)) / (2e-5 * point[:, None])
    np.testing.assert_allclose(curvature, difference, rtol=1e-7)


# Invariants

yields = st.floats(1e-3, 1e6)
ratios = st.floats(1e-6, 10.0)


@settings(max_examples=40, deadline=None)
@given(s=st.floats(-0.9, 1e4), more=st.floats(1e-9, 10.0), b=yields, sigma=ratios)
def test_asimov_grows_with_the_signal(s, more, b, sigma):
    lower, upper = counting.asimov_significance(np.array([s, s + more]) * b, b, sigma * b)
    assert lower < upper


@settings(max_examples=40, deadline=None)
@given(s=st.floats(-1, 1e4), b=yields, sigma=st.floats(0, 10), factor=st.integers(-20, 20))
def test_asimov_scales_as_the_root_of_the_luminosity(s, b, sigma, factor):
    z = counting.asimov_significance(s * b, b, sigma * math.sqrt(b))
    scaled = counting.asimov_significance(4.0**factor * s * b, 4.0**factor * b, 2.0**factor * sigma * math.sqrt(b))
    assert scaled == pytest.approx(2.0**factor * z, rel=1e-14)


@settings(max_examples=40, deadline=None)
@given(s=st.floats(-1, 1e6), b=yields, relative=st.floats(0, 1e-9))
def test_asimov_without_uncertainty_is_a_smooth_limit(s, b, relative):
    known = counting.asimov_significance(s * b, b)
    assert counting.asimov_significance(s * b, b, 0.0) == known
    # q0 changes by at most its own size times sigma^2 / b (s + b) / b
    change = (relative**2 * b) * (2 + abs(s))
    assert counting.asimov_significance(s * b, b, relative * b) == pytest.approx(known, rel=change + 1e-14)


@settings(max_examples=40, deadline=None)
@given(s=st.floats(-1, 1e3), b=yields, sigma=st.floats(0.01, 10))
def test_asimov_is_li_ma_of_the_asimov_data(s, b, sigma):
    z = counting.asimov_significance(s * b, b, sigma * b)
    tau = b / (sigma * b) ** 2
    li_ma = counting.li_ma_significance(s * b + b, b * tau, tau)
    # Rounding the Asimov counts shifts the excess by their last digit.
    rounding = 4e-16 * (1 + abs(s)) * math.sqrt(b) / math.sqrt(1 + sigma**2 * b)
    assert li_ma == pytest.approx(z, rel=1e-12, abs=10 * rounding)


@settings(max_examples=40, deadline=None)
@given(on=st.floats(0.01, 1e7), off=st.floats(0, 1e7), tau=st.floats(1e-3, 1e3))
def test_on_off_significances_grow_with_n_on_and_fall_with_n_off(on, off, tau):
    for function in (counting.li_ma_significance, counting.binomial_significance):
        z, more_on, more_off = function(np.array([on, 1.01 * on, on]), np.array([off, off, off + 1]), tau)
        assert more_off < z < more_on


@settings(max_examples=40, deadline=None)
@given(on=st.integers(1, 10**9), off=st.integers(0, 10**9), tau=st.floats(1e-3, 1e3))
def test_binomial_changes_sign_with_the_regions(on, off, tau):
    # P(at least n_on in the on region) + P(at least n_off + 1 in the off region) = 1, with the same number in total.
    z = counting.binomial_significance(on, off, tau)
    swapped = counting.binomial_significance(off + 1.0, on - 1.0, 1 / tau)
    assert swapped == pytest.approx(-z, rel=1e-9, abs=1e-9)


# Arrays, precision


ALL = {
    "s_over_sqrt_b": (counting.s_over_sqrt_b, (10.0, 50.0)),
    "s_over_sqrt_s_plus_b": (counting.s_over_sqrt_s_plus_b, (10.0, 50.0)),
    "s_over_sqrt_b_plus_variance": (counting.s_over_sqrt_b_plus_variance, (10.0, 50.0, 5.0)),
    "asimov_significance": (counting.asimov_significance, (10.0, 50.0, 5.0)),
    "binomial_significance": (counting.binomial_significance, (18.0, 97.0, 10.0)),
    "li_ma_significance": (counting.li_ma_significance, (18.0, 97.0, 10.0)),
    "punzi": (counting.punzi, (0.5, 50.0, 5.0)),
    "mean_significance": (counting.mean_significance, (10.0, 50.0)),
    "mean_upper_limit": (counting.mean_upper_limit, (10.0, 50.0)),
    "poisson_significance": (counting.poisson_significance, (60.0, 50.0)),
}
JUMPING = ("median_significance", "median_upper_limit", "poisson_upper_limit")
"""Of whole counts, in NumPy only; see test_few_expected.py."""


def test_every_function_is_here():
    assert sorted(["MOST_COUNTS", *ALL, *JUMPING]) == sorted(counting.__all__)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.slow("mean_upper_limit", "poisson_significance")
def test_array_kinds(name):
    function, point = ALL[name]
    scalar = function(*point)
    assert type(scalar) is np.float64
    table = function(np.full((3, 1), point[0]), np.full(4, point[1]), *point[2:])
    assert type(table) is np.ndarray
    assert table.shape == (3, 4)
    np.testing.assert_allclose(table, scalar, rtol=1e-15)  # vectors and scalars may round differently
    on_device = function(*map(jnp.asarray, point))
    assert isinstance(on_device, jax.Array)
    assert on_device.dtype == np.float64
    assert float(on_device) == pytest.approx(scalar, rel=1e-15)
    assert function(*(np.array([x], dtype=np.float32) for x in point)).dtype == np.float64


@pytest.mark.parametrize("name", ALL)
def test_inside_transformations(name):
    function, point = ALL[name]
    with jax.enable_x64(True):
        mapped = jax.jit(jax.vmap(function))(*(jnp.full(2, x) for x in point))
    assert mapped.dtype == np.float64
    np.testing.assert_allclose(mapped, function(*point), rtol=1e-14)
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="jax_enable_x64"):
        jax.jit(function)(*point)


def test_uncertainty_is_optional():
    assert counting.asimov_significance(10, 50) == counting.asimov_significance(10, 50, sigma_b=None)
    with jax.enable_x64(True):
        assert float(jax.jit(counting.asimov_significance)(10.0, 50.0)) == counting.asimov_significance(10, 50)
