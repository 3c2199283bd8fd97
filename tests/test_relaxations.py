"""Step functions against 60-digit arithmetic, and no NaN or infinity anywhere."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from hepcuts._core.errors import InputError
from hepcuts.cuts.steps import AbstractStep, Balanced, ErrorFunction, Hard, Sigmoid, step

pytestmark = pytest.mark.usefixtures("x64")

SOFT = {"sigmoid": Sigmoid(), "erf": ErrorFunction(), "balanced": Balanced()}
ALL = SOFT | {"hard": Hard()}


def exact_complement(name: str, z: mpf) -> mpf:
    """pass(-z) for z >= 0: the small one of the two."""
    if name == "sigmoid":
        return 1 / (1 + mp.exp(z))
    if name == "erf":
        return mp.erfc(z) / 2
    return (1 - z / mp.sqrt(1 + z * z)) / 2


def exact(name: str, z: float) -> tuple[float, float]:
    """Pass weight and its logarithm."""
    small = exact_complement(name, abs(mpf(z)))
    return (float(1 - small), float(mp.log1p(-small))) if z > 0 else (float(small), float(mp.log(small)))


def exact_slope(name: str, z: float) -> float:
    z = mpf(z)
    if name == "sigmoid":
        small = exact_complement(name, abs(z))
        return float(small * (1 - small))
    return float(mp.exp(-z * z) / mp.sqrt(mp.pi)) if name == "erf" else float((1 + z * z) ** mpf(-1.5) / 2)


@pytest.mark.parametrize("name", SOFT)
def test_values_and_slopes_against_many_digits(name: str) -> None:
    reach = SOFT[name].reach
    z = np.concatenate([-np.geomspace(0.999 * reach, 1e-9, 30), [0.0], np.geomspace(1e-9, 0.999 * reach, 30)])
    with mpmath.workdps(400):
        values, logs = np.array([exact(name, x) for x in z]).T
        slopes = np.array([exact_slope(name, x) for x in z])
    # The relative rounding of exp(-E) is E times that of E; E goes up to 700 here.
    tolerance = 4 * 700 * np.finfo(float).eps
    np.testing.assert_allclose(SOFT[name].pass_weight(z, 1.0), values, rtol=tolerance)
    np.testing.assert_allclose(SOFT[name].log_pass_weight(z, 1.0), logs, rtol=tolerance)
    slope = jax.jit(jax.vmap(jax.grad(lambda d: SOFT[name].pass_weight(d, 1.0))))
    # JAX's logistic function takes its slope as p (1 - p), which is exact to the rounding of 1 where p is nearly 1.
    np.testing.assert_allclose(slope(z), slopes, rtol=tolerance, atol=1e-16)
    np.testing.assert_allclose(slope(z)[z <= 0], slopes[z <= 0], rtol=tolerance, atol=1e-300)
    log_slope = jax.jit(jax.vmap(jax.grad(lambda d: SOFT[name].log_pass_weight(d, 1.0))))
    np.testing.assert_allclose(log_slope(z), slopes / values, rtol=tolerance, atol=1e-300)


@pytest.mark.parametrize("name", SOFT)
def test_pass_weight_and_slope_of_its_logarithm_at_once(name: str) -> None:
    reach = SOFT[name].reach
    z = np.concatenate([-np.geomspace(0.999 * reach, 1e-9, 30), [0.0], np.geomspace(1e-9, 0.999 * reach, 30)])
    with mpmath.workdps(400):
        values = np.array([exact(name, x)[0] for x in z])
        slopes = np.array([exact_slope(name, x) for x in z]) / values
    passed, slope = SOFT[name].pass_and_slope(jnp.asarray(z))
    tolerance = 4 * 700 * np.finfo(float).eps
    np.testing.assert_allclose(passed, values, rtol=tolerance)
    np.testing.assert_allclose(slope, slopes, rtol=tolerance, atol=1e-16)
    # Beyond the reach both stay finite, and no event far out has any weight in a derivative.
    far = jnp.asarray([-1e300, -1e30, 1e30, 1e300])
    passed, slope = SOFT[name].pass_and_slope(far)
    np.testing.assert_allclose(passed, [0, 0, 1, 1], atol=1e-16)
    np.testing.assert_allclose(passed * slope, 0.0, atol=1e-16)


@settings(max_examples=60, deadline=None)
@given(
    distance=st.floats(allow_nan=False, allow_infinity=False),
    width=st.floats(0, 1e300),
    near=st.booleans(),
    name=st.sampled_from([*SOFT]),
)
def test_values_lie_between_0_and_1_and_are_symmetric(distance: float, width: float, near: bool, name: str) -> None:
    if near:
        # Anywhere on the slope, not only far out on either side.
        distance = np.clip(distance, -30.0, 30.0) * width
    value, mirrored = (float(ALL[name].pass_weight(d, width)) for d in (distance, -distance))
    assert 0 <= value <= 1
    log_value = float(ALL[name].log_pass_weight(distance, width))
    assert log_value <= 0
    assert np.exp(log_value) == pytest.approx(value, rel=1e-12, abs=1e-16)
    # JAX's compiler takes subnormal numbers for zero.
    if abs(distance) >= np.finfo(float).tiny:
        assert value + mirrored == pytest.approx(1.0, abs=4e-16)
        assert (value >= 0.5) == (distance > 0) or value == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("width", [1e-99, 1e-12, 1.0, 1e12])
def test_one_half_at_distance_zero_with_the_full_slope(name: str, width: float) -> None:
    assert SOFT[name].pass_weight(0.0, width) == 0.5
    at_one = {"sigmoid": 0.25, "erf": 1 / np.sqrt(np.pi), "balanced": 0.5}[name]
    slope = jax.grad(SOFT[name].pass_weight)(0.0, width)
    assert slope == pytest.approx(at_one / width, rel=1e-14)
    assert jax.grad(SOFT[name].log_pass_weight)(0.0, width) == pytest.approx(2 * at_one / width, rel=1e-14)


@pytest.mark.parametrize("name", ALL)
def test_width_zero_and_the_hard_step_fail_at_the_threshold_as_the_hard_cut(name: str) -> None:
    distance = np.array([-1.0, -5e-324, 0.0, 1e-300, 1.0])
    np.testing.assert_array_equal(ALL[name].pass_weight(distance, 0.0), distance > 1e-305)
    np.testing.assert_array_equal(Hard().pass_weight(distance, 1.0), distance > 1e-305)


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("width", [1e-3, 1.0, 1e3])
def test_monotone(name: str, width: float) -> None:
    z = np.concatenate([np.linspace(-40, 40, 4001), np.geomspace(1e-6, 2 * SOFT[name].reach, 500)])
    z = np.unique(np.concatenate([z, -z]))
    for function in (SOFT[name].pass_weight, SOFT[name].log_pass_weight):
        values = np.asarray(function(z * width, width))
        # Neighbors may differ in the wrong direction by rounding only (see the first test).
        assert np.all(np.diff(values) >= -1e-12 * np.abs(values[1:]))
        assert values[0] < values[-1]


MAGNITUDES = [
    5e-324,
    1e-310,
    1e-300,
    1e-100,
    1e-12,
    1.0,
    20.0,
    26.0,
    37.0,
    699.0,
    701.0,
    745.0,
    1e8,
    1e12,
    1e100,
    1e300,
]
DISTANCES = np.array([0.0, *MAGNITUDES, *[-m for m in MAGNITUDES]])
WIDTHS = np.array([0.0, 5e-324, 1e-300, 1e-100, 2e-100, 1e-12, 1e-3, 1.0, 7.0, 1e12, 1e100, 1e300])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("function", ["pass_weight", "log_pass_weight"])
def test_nothing_is_nan_or_infinite_in_value_or_gradient(name: str, function: str) -> None:
    distances, widths = (grid.ravel() for grid in np.meshgrid(DISTANCES, WIDTHS))
    call = getattr(ALL[name], function)
    both = jax.jit(jax.vmap(jax.value_and_grad(call, (0, 1))))
    value, (by_distance, by_width) = both(distances, widths)
    for what, numbers in (("value", value), ("d/d(distance)", by_distance), ("d/d(width)", by_width)):
        bad = ~np.isfinite(numbers)
        assert not bad.any(), f"{what} at distance {distances[bad]}, width {widths[bad]}"
    if function == "pass_weight":
        # Nor where it is one of several factors, whose gradient multiplies the others.
        product = jax.jit(jax.grad(lambda d, w: jnp.prod(call(d, w)), (0, 1)))
        assert all(np.all(np.isfinite(g)) for g in product(distances, widths))
    # Without compilation and without batches the same comes out.
    for d, w, v in list(zip(distances, widths, value, strict=True))[::131]:
        assert call(d, w) == pytest.approx(float(v), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("name", SOFT)
def test_gradients_equal_finite_differences(name: str) -> None:
    @jax.jit
    @jax.vmap
    def gradients(d: Any, w: Any) -> Any:
        return jax.grad(SOFT[name].pass_weight, (0, 1))(d, w)

    rng = np.random.default_rng(11)
    w = rng.uniform(0.1, 10.0, 50)
    d = rng.uniform(-4, 4, 50) * w
    h = 1e-3 * w

    def difference(f: Callable[[Any], Any]) -> Any:
        # Of fourth order: truncation (h/w)^4 = 1e-12 of the slope, rounding 1e-16 / 1e-3.
        return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)

    by_distance, by_width = gradients(d, w)
    np.testing.assert_allclose(by_distance, difference(lambda x: SOFT[name].pass_weight(d + x, w)), atol=1e-9)
    np.testing.assert_allclose(by_width, difference(lambda x: SOFT[name].pass_weight(d, w + x)), atol=1e-9)


def test_the_logarithm_stays_finite_and_falls_to_the_reach() -> None:
    for name, found in SOFT.items():
        floor = found.log_pass_weight(-1e300, 1.0)
        with mpmath.workdps(60):
            expected = exact(name, -found.reach)[1]
        assert floor == pytest.approx(expected, rel=1e-12)
    assert Hard().log_pass_weight(-1.0, 1.0) == -700.0
    assert Hard().log_pass_weight(1.0, 1.0) == 0.0


def test_hard_has_no_slope() -> None:
    by_distance, by_width = jax.vmap(jax.grad(Hard().pass_weight, (0, 1)))(np.array([-1.0, 0.0, 1.0]), np.ones(3))
    assert not np.any(by_distance)
    assert not np.any(by_width)


def test_distances_and_widths_broadcast() -> None:
    assert Sigmoid().pass_weight(np.zeros((3, 1)), np.ones(4)).shape == (3, 4)
    assert Sigmoid().pass_weight(1, 2) == pytest.approx(1 / (1 + np.exp(-0.5)))


@pytest.mark.parametrize("name", ALL)
def test_steps_are_found_by_name(name: str) -> None:
    assert step(name) == ALL[name]
    assert step(name).name == name
    assert step(ALL[name]) is ALL[name]


@pytest.mark.parametrize("name", ["Sigmoid", "heaviside", ""])
def test_unknown_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=f"no step function '{name}'; choose one of sigmoid, erf, balanced, hard"):
        step(name)


def test_the_interface_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        AbstractStep()
