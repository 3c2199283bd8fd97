"""The solver's parts: sums over groups, interpolation, linear systems, the Poisson term.

The whole deviance is in test_expansion.py, the search for its minimum in test_newton.py.
"""

from types import SimpleNamespace

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pyhf
import pytest
from hypothesis import given

from hepcuts.histfactory import interpolation
from hepcuts.histfactory.reading import as_pyhf_does
from hepcuts.histfactory.solver import deviance, linear
from hepcuts.histfactory.solver.segments import GroupedRows


@st.composite
def groups(draw):
    """Targets in any order, some of the targets without a row; rows of whole numbers, whose sums are exact."""
    size, lanes = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    targets = np.array(draw(st.lists(st.integers(0, size - 1), max_size=10)), dtype=np.int64)
    rows = draw(st.lists(st.integers(-3, 3), min_size=len(targets) * lanes, max_size=len(targets) * lanes))
    return targets, size, np.array(rows, dtype=np.float64).reshape(len(targets), lanes)


def looped(targets, size, rows, *, product: bool) -> np.ndarray:
    result = np.full((size, rows.shape[1]), float(product))
    for target, row in zip(targets, rows, strict=True):
        for lane, number in enumerate(row):
            result[target, lane] = result[target, lane] * number if product else result[target, lane] + number
    return result


@given(groups())
def test_sums_and_products_of_groups_against_loops(case):
    targets, size, rows = case
    before = rows.copy()
    segments = GroupedRows(targets, size)
    np.testing.assert_array_equal(segments.sum(rows), looped(targets, size, rows, product=False))
    np.testing.assert_array_equal(segments.product(rows), looped(targets, size, rows, product=True))
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize(
    ("targets", "size", "sums", "products"),
    [
        ([], 0, [], []),
        ([], 2, [0.0, 0.0], [1.0, 1.0]),
        ([0, 1, 2], 3, [2.0, 3.0, 5.0], [2.0, 3.0, 5.0]),
        ([2, 0, 1], 3, [3.0, 5.0, 2.0], [3.0, 5.0, 2.0]),
        ([1, 1, 1], 3, [0.0, 10.0, 0.0], [1.0, 30.0, 1.0]),
        ([3, 1, 3], 5, [0.0, 3.0, 0.0, 7.0, 0.0], [1.0, 3.0, 1.0, 10.0, 1.0]),
    ],
    ids=["nothing", "no rows", "one each", "one each, unsorted", "all in one", "missing targets"],
)
def test_groups_in_every_order(targets, size, sums, products):
    rows = np.array([[2.0], [3.0], [5.0]])[: len(targets)]
    segments = GroupedRows(np.array(targets, dtype=np.int64), size)
    np.testing.assert_array_equal(segments.sum(rows)[:, 0], sums)
    np.testing.assert_array_equal(segments.product(rows)[:, 0], products)


SMOOTH = np.array([-4.0, -2.3, -1.001, -0.999, -0.6, -0.1, 0.1, 0.4, 0.999, 1.001, 1.7, 4.0])
"""On both sides of every branch limit, and not on one."""
LIMITS = np.array([-1.0, 0.0, 1.0])


def derivatives(function, alpha: np.ndarray) -> list[np.ndarray]:
    """Value, first and second derivative by automatic differentiation."""
    first = jax.grad(function)
    return [np.asarray(jax.vmap(f)(jnp.asarray(alpha))) for f in (function, first, jax.grad(first))]


def of_pairs(code: str, alpha: np.ndarray, down: float, nominal: float, up: float) -> list[np.ndarray]:
    return [pair.up * (up - nominal) + pair.down * (nominal - down) for pair in interpolation.ADDITIVE[code](alpha)]


def by_pyhf(code: str, alpha: np.ndarray, down: float, nominal: float, up: float) -> np.ndarray:
    """Shift or factor as pyhf interpolates it."""
    name = code.removeprefix("code")
    interpolate = pyhf.interpolators.get(int(name) if name.isdigit() else name)(np.array([[[[down], [nominal], [up]]]]))
    return np.asarray(interpolate(alpha[None, :]))[0, 0, :, 0]


VARIATIONS = {
    "two-sided": (47.0, 50.0, 55.0),
    "one-sided": (50.0, 50.0, 58.0),
    "same side": (52.0, 50.0, 53.0),
    "crossed": (60.0, 50.0, 45.0),
    "to nothing": (0.0, 50.0, 100.0),
}
of_all_variations = pytest.mark.parametrize("variation", VARIATIONS.values(), ids=VARIATIONS)


@pytest.mark.parametrize("code", interpolation.ADDITIVE)
@of_all_variations
def test_additive_codes_against_automatic_differentiation(code, variation, x64):
    function = lambda alpha: of_pairs(code, alpha, *variation)[0]  # noqa: E731
    found = of_pairs(code, SMOOTH, *variation)
    for ours, theirs in zip(found, derivatives(function, SMOOTH), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("code", ["code0", "code2", "code4p"])
@of_all_variations
def test_additive_codes_are_those_of_pyhf_at_the_limits_of_branches_too(code, variation, x64):
    alpha = np.concatenate([SMOOTH, LIMITS])
    theirs = by_pyhf(code, alpha, *variation)
    rule = as_pyhf_does(code)  # its releases differ in code 2
    for ours in (of_pairs(rule, alpha, *variation)[0], of_pairs(rule, jnp.asarray(alpha), *variation)[0]):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-12)


FACTORS = {
    "two-sided": (0.85, 1.1),
    "one-sided": (1.0, 1.2),
    "same side": (1.1, 1.2),
    "crossed": (1.2, 0.7),
    "tiny": (1.0 - 1e-7, 1.0 + 1e-7),
    "huge": (0.05, 20.0),
}
of_all_factors = pytest.mark.parametrize("factors", FACTORS.values(), ids=FACTORS)


@pytest.mark.parametrize("code", interpolation.MULTIPLICATIVE)
@of_all_factors
def test_multiplicative_codes_against_automatic_differentiation(code, factors, x64):
    function = interpolation.Multiplicative(code, *map(jnp.asarray, factors)).value
    value, first, second = derivatives(function, SMOOTH)
    down, up = factors
    found = interpolation.Multiplicative(code, np.array([[down]]), np.array([[up]]))(SMOOTH[None, :])
    np.testing.assert_allclose(found.value[0], value, rtol=1e-13)
    np.testing.assert_allclose(found.slope[0] * value, first, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(found.curvature[0] * value, second, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("code", interpolation.MULTIPLICATIVE)
@of_all_factors
def test_multiplicative_codes_are_those_of_pyhf(code, factors, x64):
    down, up = factors
    alpha = np.concatenate([SMOOTH, LIMITS])
    theirs = by_pyhf(code, alpha, down, 1.0, up)
    for kind in (np.asarray, jnp.asarray):
        ours = interpolation.Multiplicative(code, kind(down), kind(up)).value(kind(alpha))
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("code", interpolation.MULTIPLICATIVE)
@of_all_factors
def test_multiplicative_codes_meet_both_variations(code, factors):
    down, up = factors
    found = interpolation.Multiplicative(code, np.array([[down]]), np.array([[up]]))(LIMITS[None, :])
    np.testing.assert_allclose(found.value[0], [down, 1.0, up], rtol=1e-14)


@pytest.mark.parametrize("widths", [(3, 3), (1, 1), (3, 1), (1, 3)], ids=["both", "neither", "down", "up"])
@pytest.mark.parametrize("code", interpolation.MULTIPLICATIVE)
def test_factors_of_some_lanes_are_those_of_all(code, widths):
    """Whichever of the two variations has lanes of its own."""
    down, up = np.array([[0.8, 0.9, 0.95]])[:, : widths[0]], np.array([[1.1, 1.2, 1.3]])[:, : widths[1]]
    lanes, alpha = np.array([True, False, True]), np.array([[0.3, -0.2, 1.5]])
    every = interpolation.Multiplicative(code, down, up)
    some = every.take(lanes)(alpha[:, lanes])
    for part, whole in zip(some, every(alpha), strict=True):
        np.testing.assert_array_equal(part, np.broadcast_to(whole, (1, 3))[:, lanes])


def positive_systems(size: int, lanes: int, seed: int = 0) -> SimpleNamespace:
    """Systems whose rows differ in scale by orders of magnitude, with their solutions by LU decomposition."""
    generator = np.random.default_rng(seed)
    roots = generator.normal(size=(lanes, size, size)) + 2.0 * np.eye(size)
    scales = 10.0 ** generator.uniform(-2, 2, size=(lanes, size))
    matrices = scales[:, :, None] * (roots @ roots.transpose(0, 2, 1)) * scales[:, None, :]
    sides = scales * generator.normal(size=(lanes, size))
    expected = np.linalg.solve(matrices, sides[:, :, None])[:, :, 0]
    return SimpleNamespace(
        matrices=np.ascontiguousarray(matrices.transpose(1, 2, 0)), sides=sides.T.copy(), expected=expected.T
    )


SOLVERS = pytest.mark.parametrize(
    "solve", [linear._together, linear._alone, linear.solve_positive], ids=["together", "alone", "chosen"]
)


@SOLVERS
@pytest.mark.parametrize("lanes", [1, 7, 300])
@pytest.mark.parametrize("size", [2, 5, 12])
def test_positive_systems_against_lu_decomposition(solve, size, lanes):
    case = positive_systems(size, lanes)
    matrices, sides = case.matrices.copy(), case.sides.copy()
    found, positive = solve(matrices, sides)
    assert positive.all()
    residuals = np.einsum("pql,ql->pl", case.matrices, found) - case.sides
    scale = np.einsum("pql,ql->pl", np.abs(case.matrices), np.abs(found))
    assert np.all(np.abs(residuals) <= 1e-13 * scale)
    np.testing.assert_allclose(found, case.expected, rtol=1e-6)
    np.testing.assert_array_equal(matrices, case.matrices)
    np.testing.assert_array_equal(sides, case.sides)


def broken(kind: str, size: int) -> np.ndarray:
    matrix = np.eye(size)
    if kind == "negative":
        matrix[-1, -1] = -1.0
    elif kind == "indefinite":
        matrix[0, 1] = matrix[1, 0] = 2.0
    elif kind == "singular":
        matrix[:2, :2] = 1.0
    else:
        matrix[0, 0] = np.nan
    return matrix


@SOLVERS
@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("kind", ["negative", "indefinite", "singular", "nan"])
def test_systems_that_are_not_positive_are_told_and_disturb_no_other(solve, kind, size):
    case = positive_systems(size, 6)
    wrong = [1, 4]
    matrices = case.matrices.copy()
    matrices[:, :, wrong] = broken(kind, size)[:, :, None]
    found, positive = solve(matrices, case.sides)
    np.testing.assert_array_equal(np.flatnonzero(~positive), wrong)
    undisturbed, _ = solve(case.matrices, case.sides)
    np.testing.assert_array_equal(found[:, positive], undisturbed[:, positive])


@pytest.mark.parametrize("pivot", [0.0, -1.0, np.nan])
def test_a_system_of_one_equation(pivot):
    found, positive = linear.solve_positive(np.array([[[2.0, pivot]]]), np.array([[3.0, 3.0]]))
    np.testing.assert_array_equal(positive, [True, False])
    assert found[0, 0] == 1.5


def exact_deviance(count: float, rate: float) -> float:
    """2 (rate - n - n ln(rate / n)) in 60 digits."""
    with mpmath.workdps(60):
        n, r = mpmath.mpf(count), mpmath.mpf(rate)
        return float(2 * (r - n - n * mpmath.log(r / n)) if n > 0 else 2 * r)


COUNTS = [1e-6, 0.3, 1.0, 7.0, 1e3, 1e7]


@pytest.mark.parametrize("ratio", [1e-2, 0.3, 0.949, 0.951, 1 - 1e-3, 1 - 1e-9, 1.0, 1 + 1e-12, 1.04, 1.06, 2.0, 1e5])
def test_poisson_deviance_against_mpmath(ratio):
    counts = np.array(COUNTS)
    rates = counts * ratio
    expected = [exact_deviance(n, r) for n, r in zip(counts, rates, strict=True)]
    np.testing.assert_allclose(deviance.poisson_deviance(counts, rates), expected, rtol=2e-14, atol=0.0)


@pytest.mark.parametrize("ratio", [1e-6, 1e-12, 1e-15, 1e-20, 1e-200])
def test_poisson_deviance_of_counts_far_above_the_rate_against_mpmath(ratio):
    counts = np.array(COUNTS)
    rates = counts * ratio
    expected = [exact_deviance(n, r) for n, r in zip(counts, rates, strict=True)]
    np.testing.assert_allclose(deviance.poisson_deviance(counts, rates), expected, rtol=2e-14, atol=0.0)


@pytest.mark.parametrize(
    ("count", "rate", "expected"),
    [(0.0, 0.0, 0.0), (0.0, 3.0, 6.0), (2.0, 0.0, np.inf), (0.0, -1e-9, np.inf), (2.0, -1.0, np.inf), (3.0, 3.0, 0.0)],
)
@pytest.mark.parametrize("company", [[], [(5.0, 4.0)]], ids=["alone", "beside an ordinary bin"])
def test_poisson_deviance_where_count_or_rate_is_nothing(count, rate, expected, company):
    counts, rates = np.array([(count, rate), *company]).T
    assert deviance.poisson_deviance(counts, rates)[0] == expected
