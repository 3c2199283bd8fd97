"""The batched Newton search, on functions whose minima are known."""

import dataclasses
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hepcuts.histfactory.solver import newton
from hepcuts.histfactory.solver.expansion import Expansion


@dataclasses.dataclass
class Functions:
    """Stands in for a batch of likelihoods: a function in each lane, never negative (as a deviance).

    Attributes:
        of_lane: for each lane a function of x that returns value, gradient, Hessian and information.
        free: which of the parameters are variables, shape (free,).
        void: parameters that are fixed nevertheless, shape (parameter, lane).
        kinked: whether the functions have a kink where a variable is zero.
    """

    of_lane: list[Callable[[np.ndarray], tuple[Any, ...]]]
    free: np.ndarray
    void: np.ndarray
    kinked: bool = False

    @property
    def layout(self) -> SimpleNamespace:
        return SimpleNamespace(free=self.free)

    @property
    def kinks(self) -> np.ndarray:
        return np.full(len(self.free), self.kinked)

    def take(self, lanes: np.ndarray) -> "Functions":
        kept = [function for function, keep in zip(self.of_lane, lanes, strict=True) if keep]
        return Functions(kept, self.free, self.void[:, lanes], self.kinked)

    def expand(self, parameters: np.ndarray) -> Expansion:
        assert parameters.shape[1] == len(self.of_lane)
        if not self.of_lane:
            value, vector, matrix = (np.zeros((*(len(self.free),) * rank, 0)) for rank in range(3))
            return Expansion(value, vector, hessian=matrix, slopes=matrix, weights=vector, prior=vector)
        lanes = [function(x) for function, x in zip(self.of_lane, parameters[self.free].T, strict=True)]
        value, gradient, hessian, information = (np.stack(part, axis=-1) for part in zip(*lanes, strict=True))
        slopes = np.linalg.cholesky(information.transpose(2, 0, 1)).transpose(1, 2, 0)
        ones = np.ones((len(self.free), len(self.of_lane)))
        return Expansion(value, gradient, hessian=hessian, slopes=slopes, weights=ones, prior=0.0 * ones)


def search(of_lane, start, *, limit: float = 10.0, kinked: bool = False, **options) -> newton.Minima:
    """Minimize over all parameters, each between -limit and limit; `start` has shape (parameter, lane)."""
    start = np.asarray(start, dtype=np.float64)
    functions = Functions(list(of_lane), np.arange(len(start)), np.zeros(start.shape, dtype=bool), kinked)
    return newton.minimize(functions, start, (np.full(len(start), -limit), np.full(len(start), limit)), **options)


def quadratic(matrix: np.ndarray, center: np.ndarray):
    return lambda x: (0.5 * (x - center) @ matrix @ (x - center), matrix @ (x - center), matrix, matrix)


def random_quadratic(seed: int, size: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    a = generator.normal(size=(size, size))
    return a @ a.T + 0.1 * np.eye(size), 2.0 * generator.normal(size=size)


def rosenbrock(x: np.ndarray) -> tuple[Any, ...]:
    residuals = np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])
    jacobian = np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])
    information = 2.0 * jacobian.T @ jacobian
    hessian = information + np.diag([-40.0 * residuals[0], 0.0])
    return residuals @ residuals, 2.0 * jacobian.T @ residuals, hessian, information


def double_well(x: np.ndarray) -> tuple[Any, ...]:
    """(x^2 - 1/2)^2 + y^2: a saddle at the origin, minima at x = +-sqrt(1/2)."""
    gradient = np.array([4.0 * x[0] ** 3 - 2.0 * x[0], 2.0 * x[1]])
    return (x[0] ** 2 - 0.5) ** 2 + x[1] ** 2, gradient, np.diag([12.0 * x[0] ** 2 - 2.0, 2.0]), 2.0 * np.eye(2)


def not_a_number(x: np.ndarray) -> tuple[Any, ...]:
    return np.nan, x, np.eye(len(x)), np.eye(len(x))


def infinite(x: np.ndarray) -> tuple[Any, ...]:
    return np.inf, np.full(len(x), np.nan), np.eye(len(x)), np.eye(len(x))


def lying(x: np.ndarray) -> tuple[Any, ...]:
    """The gradient points downhill where it should point uphill: no step lowers the function."""
    return 0.5 * x @ x, -x - 1.0, np.eye(len(x)), np.eye(len(x))


def exact_minimum(matrix: np.ndarray, center: np.ndarray, limit: float) -> tuple[float, np.ndarray]:
    """Of a quadratic within bounds, by enumeration of what may be at a bound."""
    value = lambda x: 0.5 * (x - center) @ matrix @ (x - center)  # noqa: E731
    best = (np.inf, center)
    for pattern in itertools.product((-limit, None, limit), repeat=len(center)):
        x = np.array([0.0 if p is None else p for p in pattern])
        free = np.array([p is None for p in pattern])
        if free.any():
            rest = -(matrix[np.ix_(free, ~free)] @ (x - center)[~free])
            x[free] = center[free] + np.linalg.solve(matrix[np.ix_(free, free)], rest)
        if np.all(np.abs(x) <= limit + 1e-12) and value(x) < best[0]:
            best = (value(x), x)
    return best


@pytest.mark.parametrize("size", [1, 2, 4])
def test_bounded_quadratics_side_by_side_with_known_minima(size):
    problems = [random_quadratic(seed, size) for seed in range(30)]
    expected = [exact_minimum(*problem, limit=1.0) for problem in problems]
    starts = np.random.default_rng(0).uniform(-3, 3, size=(size, len(problems)))
    result = search([quadratic(*problem) for problem in problems], starts, limit=1.0)
    np.testing.assert_array_equal(result.status, newton.CONVERGED)
    np.testing.assert_allclose(result.value, [value for value, _ in expected], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.parameters.T, [x for _, x in expected], atol=1e-7)
    assert np.all(np.abs(result.parameters) <= 1.0)
    assert np.all((result.edm >= 0) & (result.edm < 1e-8))


@pytest.mark.parametrize("seed", [23, 39, 50])
def test_where_parameters_stop_at_bounds_the_others_follow(seed):
    """Strongly correlated ones; if the step were only cut at the bounds it would lead up, and take 22 to 37 steps."""
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(8, 3)), 3.0 * generator.normal(size=8)
    function = quadratic(a @ a.T + 0.01 * np.eye(8), b)
    found = search([function], np.zeros((8, 1)), limit=1.0)
    value, _ = exact_minimum(a @ a.T + 0.01 * np.eye(8), b, 1.0)
    assert found.value[0] == pytest.approx(value, rel=1e-9)
    assert found.num_steps[0] <= 8


def test_an_unbounded_quadratic_takes_one_step_and_one_to_see_it():
    result = search([quadratic(*random_quadratic(3))], np.zeros((4, 1)))
    assert result.num_steps[0] == 2
    np.testing.assert_allclose(result.parameters[:, 0], random_quadratic(3)[1], rtol=1e-9)


@pytest.mark.parametrize("exponent", [-6, 0, 6])
def test_the_scale_of_parameters_does_not_matter(exponent):
    scale = 10.0 ** (exponent * np.linspace(-1, 1, 4))
    matrix, center = random_quadratic(5)
    scaled = quadratic(matrix / np.outer(scale, scale), center * scale)
    bounds = np.full(4, -np.inf), np.full(4, np.inf)
    functions = Functions([scaled], np.arange(4), np.zeros((4, 1), dtype=bool))
    result = newton.minimize(functions, np.zeros((4, 1)), bounds)
    assert result.status[0] == newton.CONVERGED
    np.testing.assert_allclose(result.parameters[:, 0], center * scale, rtol=1e-8)


EVERYWHERE = [(-1.2, 1.0), (0.0, 0.0), (1.0, 1.0), (-3.0, -4.0), (2.0, 2.0), (5.0, -5.0)]


@pytest.mark.parametrize("start", EVERYWHERE, ids=str)
def test_the_curved_valley_of_rosenbrock(start):
    result = search([rosenbrock], np.array([start]).T)
    assert result.status[0] == newton.CONVERGED
    np.testing.assert_allclose(result.parameters, 1.0, rtol=1e-7)


def hyperbola(x: np.ndarray) -> tuple[Any, ...]:
    """3e6 (x y - 1)^2 + x^2, which falls for as long as y grows, along a valley of a width of a part in a thousand."""
    jacobian = np.sqrt(3e6) * np.array([x[1], x[0]])
    residual = np.sqrt(3e6) * (x[0] * x[1] - 1.0)
    information = 2.0 * np.outer(jacobian, jacobian) + np.diag([2.0, 1e-9])
    hessian = information + 2.0 * np.sqrt(3e6) * residual * np.array([[0.0, 1.0], [1.0, 0.0]])
    return residual**2 + x[0] ** 2, 2.0 * residual * jacobian + [2.0 * x[0], 0.0], hessian, information


@pytest.mark.parametrize("start", [(1.0, 1.0), (0.5, 1.5), (3.0, 3.0)], ids=str)
def test_along_a_narrow_curved_valley_steps_are_not_as_short_as_it_is_narrow(start):
    """Straight steps that lead down at once are a thousand; beside it, a lane that is done in three."""
    result = search([hyperbola, quadratic(np.eye(2), np.ones(2)), hyperbola], np.array([start] * 3).T)
    np.testing.assert_array_equal(result.status, newton.CONVERGED)
    assert result.num_steps.max() <= 300
    np.testing.assert_allclose(result.parameters[:, 0], [0.1, 10.0], rtol=1e-8)
    np.testing.assert_array_equal(result.parameters[:, 0], result.parameters[:, 2])
    np.testing.assert_allclose(result.parameters[:, 1], 1.0)


def test_it_says_which_lanes_ran_out_of_steps():
    starts = np.array([[-1.2, 1.0], [1.0, 1.0], [-1.2, 1.0]]).T
    short = search([rosenbrock] * 3, starts, max_steps=3)
    np.testing.assert_array_equal(short.status, [newton.TOO_MANY_STEPS, newton.CONVERGED, newton.TOO_MANY_STEPS])
    assert short.num_steps[0] == 3
    assert short.value[0] == pytest.approx(rosenbrock(short.parameters[:, 0])[0], rel=1e-14)
    assert short.value[0] < rosenbrock(starts[:, 0])[0]


SADDLES = {
    "on it": (0.0, 0.0),
    "on the ridge": (0.0, 3.0),
    "beside it": (1e-9, 0.0),
    "beside the ridge": (-1e-3, -2.0),
}


@pytest.mark.parametrize("start", SADDLES.values(), ids=SADDLES)
def test_a_saddle_point_is_left(start):
    result = search([double_well], np.array([start]).T)
    assert result.status[0] == newton.CONVERGED
    assert result.value[0] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(np.abs(result.parameters[:, 0]), [np.sqrt(0.5), 0.0], atol=1e-6)


def test_a_top_that_is_nearly_flat_is_left_soon():
    """Its curvature says that the valleys are much farther away: a variation to the same side at both ends."""

    def flat(x: np.ndarray) -> tuple[Any, ...]:
        value = 1.0 + 1e3 * (x[0] ** 2 - 1e-3) ** 2 + x[1] ** 2
        bend = 1e3 * (12.0 * x[0] ** 2 - 4e-3)
        gradient = np.array([4e3 * x[0] * (x[0] ** 2 - 1e-3), 2.0 * x[1]])
        return value, gradient, np.diag([bend, 2.0]), np.diag([8e3 * x[0] ** 2 + 1e-6, 2.0])

    found = search([flat], np.zeros((2, 1)))
    assert abs(found.parameters[0, 0]) == pytest.approx(np.sqrt(1e-3), rel=1e-6)
    assert found.num_steps[0] <= 20


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_saddle_point_at_a_bound_is_left_to_the_inside(side):
    bounds = np.sort([0.0, side * 5.0])
    functions = Functions([double_well], np.arange(2), np.zeros((2, 1), dtype=bool))
    result = newton.minimize(functions, np.zeros((2, 1)), (np.array([bounds[0], -5.0]), np.array([bounds[1], 5.0])))
    assert result.status[0] == newton.CONVERGED
    np.testing.assert_allclose(result.parameters[:, 0], [side * np.sqrt(0.5), 0.0], atol=1e-6)


def test_a_maximum_is_left_in_one_dimension():
    well = lambda x: ((x[0] ** 2 - 0.5) ** 2, 4 * x**3 - 2 * x, np.array([12 * x**2 - 2]), np.eye(1))  # noqa: E731
    result = search([well], [[0.0]])
    assert result.status[0] == newton.CONVERGED
    assert abs(result.parameters[0, 0]) == pytest.approx(np.sqrt(0.5), rel=1e-7)


def lasso(matrix: np.ndarray, center: np.ndarray, weight: float):
    """A quadratic and weight * sum |x|, with the derivatives that hold to the left of zero at zero."""

    def function(x):
        side = np.where(x > 0, 1.0, -1.0)
        value, gradient, *rest = quadratic(matrix, center)(x)
        return value + weight * np.abs(x).sum(), gradient + weight * side, *rest

    return function


def exact_lasso(matrix: np.ndarray, center: np.ndarray, weight: float) -> np.ndarray:
    """Its minimum, by enumeration of signs."""
    value = lambda x: lasso(matrix, center, weight)(x)[0]  # noqa: E731
    best = np.zeros_like(center)
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=len(center)):
        sign, x = np.array(signs), np.zeros_like(center)
        some = np.flatnonzero(sign)
        x[some] = np.linalg.solve(matrix[np.ix_(some, some)], (matrix @ center)[some] - weight * sign[some])
        if np.all(x * sign >= 0) and value(x) < value(best):
            best = x
    return best


@pytest.mark.parametrize("weight", [0.3, 2.0, 100.0])
def test_minima_on_kinks_and_off_them(weight):
    problems = [(*random_quadratic(seed, 3), weight) for seed in range(20)]
    starts = np.random.default_rng(3).uniform(-3, 3, size=(3, len(problems)))
    starts[:, 10:] = 0.0
    result = search([lasso(*problem) for problem in problems], starts, kinked=True)
    np.testing.assert_array_equal(result.status, newton.CONVERGED)
    expected = np.array([exact_lasso(*problem) for problem in problems]).T
    assert np.any(expected == 0.0)
    np.testing.assert_allclose(result.parameters, expected, atol=1e-6)


@pytest.mark.parametrize("start", [0.0, 0.3, -0.3, 3.0])
def test_a_kink_that_is_a_maximum_is_left(start):
    """Half of (|x| - 1)^2."""
    side = lambda x: np.where(x > 0, 1.0, -1.0)  # noqa: E731
    roof = lambda x: (0.5 * (abs(x[0]) - 1) ** 2, (np.abs(x) - 1) * side(x), np.eye(1), np.eye(1))  # noqa: E731
    result = search([roof], [[start]], kinked=True)
    assert result.status[0] == newton.CONVERGED
    assert abs(result.parameters[0, 0]) == pytest.approx(1.0, rel=1e-7)


@pytest.mark.parametrize("start", [0.0, -1e-12, -1.0, -3.0, 2.0])
def test_a_side_that_is_flat_where_it_meets_a_kink_is_not_the_end(start):
    """1 + x^2 / 2, less 0.7 x to the right of zero: the slope at zero is zero on the left; the minimum is at 0.7."""
    slope = lambda x: np.where(x > 0, 0.7, 0.0)  # noqa: E731
    bay = lambda x: (1.0 + 0.5 * x[0] ** 2 - slope(x)[0] * x[0], x - slope(x), np.eye(1), np.eye(1))  # noqa: E731
    result = search([bay], [[start]], kinked=True)
    assert result.status[0] == newton.CONVERGED
    assert result.parameters[0, 0] == pytest.approx(0.7, rel=1e-7)
    assert result.value[0] == pytest.approx(1.0 - 0.5 * 0.7**2, rel=1e-10)


def test_a_jump_that_nothing_is_known_of_ends_the_search_soon():
    """1 + (x + 2)^2 / 2, and 50 more below -1: the search comes to the edge, and no step leads on."""
    cliff = lambda x: (1.0 + 0.5 * (x[0] + 2.0) ** 2 + 50.0 * (x[0] < -1.0), x + 2.0, np.eye(1), np.eye(1))  # noqa: E731
    result = search([cliff], [[3.0]])
    assert result.status[0] == newton.STALLED
    assert result.parameters[0, 0] == pytest.approx(-1.0, abs=1e-9)
    assert result.num_steps[0] < 100


@pytest.mark.parametrize("limit", [5.0, 7.0, 1e6])
def test_a_last_step_along_a_flat_direction_does_not_leave_the_valley(limit):
    """1 + (x + y - 1)^2 / 2, whose gradient has a rounding error along the valley: Newton's step there is far too long.

    Near the bounds it would be cut in one variable and not in the other.
    """

    def valley(x):
        rest = x.sum() - 1.0
        hessian = np.ones((2, 2)) + 1e-14 * np.eye(2)
        return 1.0 + 0.5 * rest**2, rest * np.ones(2) + 1e-13 * np.array([1.0, -1.0]), hessian, hessian + np.eye(2)

    result = search([valley], [[1.0], [0.0]], limit=limit)
    assert result.status[0] == newton.CONVERGED
    assert valley(result.parameters[:, 0])[0] == pytest.approx(result.value[0], rel=1e-12)


@pytest.mark.parametrize("function", [not_a_number, infinite])
def test_a_start_without_a_finite_value_is_told(function):
    result = search([function], [[1.0], [2.0]])
    assert result.status[0] == newton.NOT_FINITE
    np.testing.assert_array_equal(result.parameters[:, 0], [1.0, 2.0])
    assert not np.isfinite(result.value[0])


def test_a_function_that_no_step_lowers_is_told():
    result = search([lying], [[1.0], [2.0]])
    assert result.status[0] == newton.STALLED
    assert result.value[0] <= 2.5


def test_a_minimum_beside_forbidden_values_is_found():
    """Minus the logarithm: what lies beyond zero is infinite, and the first steps lead there."""

    def barrier(x):
        if x[0] <= 0:
            return np.inf, np.array([np.nan]), np.eye(1), np.eye(1)
        return x[0] - 1.0 - np.log(x[0]), 1.0 - 1.0 / x, np.array([1.0 / x**2]), np.array([1.0 / x**2])

    result = search([barrier], [[9.0]])
    assert result.status[0] == newton.CONVERGED
    assert result.parameters[0, 0] == pytest.approx(1.0, rel=1e-7)


def different_lanes() -> tuple[list[Any], np.ndarray]:
    """Easy and hard lanes, and every way to fail."""
    functions = [quadratic(*random_quadratic(seed, 2)) for seed in range(5)]
    functions[1:1] = [not_a_number, rosenbrock]
    functions[4:4] = [lying, double_well, infinite]
    starts = np.random.default_rng(2).uniform(-2, 2, size=(2, len(functions)))
    starts[:, functions.index(double_well)] = 0.0
    starts[:, functions.index(rosenbrock)] = -1.2, 1.0
    return functions, starts


def assert_same(one: newton.Minima, other: newton.Minima) -> None:
    np.testing.assert_array_equal(one.status, other.status)
    np.testing.assert_array_equal(one.num_steps, other.num_steps)
    np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(one.value, other.value, rtol=1e-12, atol=1e-12)


def test_each_lane_ends_where_it_ends_alone():
    functions, starts = different_lanes()
    together = search(functions, starts, limit=3.0)
    assert {newton.CONVERGED, newton.NOT_FINITE} < set(together.status)
    for lane, function in enumerate(functions):
        alone = search([function], starts[:, [lane]], limit=3.0)
        assert_same(together.take([lane]), alone)


def test_the_order_of_the_lanes_and_their_number_do_not_matter():
    functions, starts = different_lanes()
    together = search(functions, starts, limit=3.0)
    number = len(functions)
    order = np.random.default_rng(1).integers(number, size=100)
    many = search([functions[k] for k in order], starts[:, order], limit=3.0)
    assert_same(many, together.take(order))


def test_lanes_that_fail_disturb_no_other():
    functions, starts = different_lanes()
    good = [k for k, function in enumerate(functions) if function not in (not_a_number, infinite, lying)]
    together = search(functions, starts, limit=3.0)
    np.testing.assert_array_equal(together.status[good], newton.CONVERGED)
    assert_same(together.take(good), search([functions[k] for k in good], starts[:, good], limit=3.0))


def test_parameters_that_are_not_free_or_void_stay():
    """Parameter 1 is none of the variables; parameter 2 is void in the second lane, where it lies out of bounds."""
    matrix, center = random_quadratic(1, 3)
    void = np.zeros((4, 2), dtype=bool)
    void[2, 1] = True
    functions = Functions([quadratic(matrix, center)] * 2, np.array([0, 2, 3]), void)
    start = np.array([[0.0, 77.0, 0.0, 0.0], [0.0, 77.0, 20.0, 0.0]]).T
    limits = np.array([100.0, 10.0, 10.0, 100.0])
    result = newton.minimize(functions, start, (-limits, limits))
    np.testing.assert_array_equal(result.status, newton.CONVERGED)
    np.testing.assert_array_equal(result.parameters[1], 77.0)
    np.testing.assert_allclose(result.parameters[[0, 2, 3], 0], center, rtol=1e-8)
    assert result.parameters[2, 1] == 20.0
    some = [0, 2]
    expected = center[some] - np.linalg.solve(matrix[np.ix_(some, some)], matrix[some, 1] * (20.0 - center[1]))
    np.testing.assert_allclose(result.parameters[[0, 3], 1], expected, rtol=1e-8)


def test_a_parameter_without_any_effect_stays_where_it_is():
    matrix, center = random_quadratic(1, 2)
    padded = np.zeros((3, 3))
    padded[:2, :2] = matrix

    def flat(x):
        step = padded @ (x - np.append(center, 0.0))
        return 0.5 * (x - np.append(center, 0.0)) @ step, step, padded, padded + 0.0

    start = np.array([[0.0, 0.0, 3.0]]).T
    functions = Functions([flat], np.arange(3), np.zeros((3, 1), dtype=bool))
    functions.expand = lambda parameters: expansion_without_cholesky(flat, parameters)  # type: ignore[method-assign]
    result = newton.minimize(functions, start, (np.full(3, -10.0), np.full(3, 10.0)))
    assert result.status[0] == newton.CONVERGED
    np.testing.assert_allclose(result.parameters[:, 0], [*center, 3.0], rtol=1e-8)


def expansion_without_cholesky(function, parameters: np.ndarray) -> Expansion:
    """Of one lane whose information is singular."""
    value, gradient, hessian, information = function(parameters[:, 0])
    values, vectors = np.linalg.eigh(information)
    slopes = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, :, None]
    ones = np.ones((len(parameters), 1))
    matrices = {"hessian": hessian[:, :, None], "slopes": slopes}
    return Expansion(np.array([value]), gradient[:, None], weights=ones, prior=np.zeros_like(ones), **matrices)


def test_no_lanes_at_all():
    result = search([], np.zeros((2, 0)))
    assert result.parameters.shape == (2, 0)
    assert len(result.status) == 0


def test_the_start_is_moved_into_the_bounds_and_left_alone():
    start = np.array([[50.0, -50.0]]).T
    kept = start.copy()
    result = search([quadratic(np.eye(2), np.array([20.0, 0.0]))], start)
    np.testing.assert_allclose(result.parameters[:, 0], [10.0, 0.0], atol=1e-9)
    np.testing.assert_array_equal(start, kept)


def test_minima_are_joined_taken_and_replaced():
    result = search([quadratic(*random_quadratic(seed, 2)) for seed in range(3)], np.zeros((2, 3)))
    both = result.take([0]).join(result.take([2]))
    np.testing.assert_array_equal(both.parameters, result.parameters[:, [0, 2]])
    both.replace([1], result.take([1]))
    np.testing.assert_array_equal(both.value, result.value[[0, 1]])
