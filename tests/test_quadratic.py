"""Quadratic programs: of what they return the conditions of Karush, Kuhn and Tucker are checked, and nothing else."""

import numpy as np
import pytest

from hepcuts._core.quadratic import Bowl
from hepcuts.optimization.working_points.program import quadratic_step


def problem_of(seed):
    """Points coupled along a curve, each with a constraint of its own and a box around zero."""
    rng = np.random.default_rng(seed)
    points, each = rng.integers(1, 8), rng.integers(2, 7)
    roots = rng.normal(size=(points, each, each))
    hessians = roots @ roots.transpose(0, 2, 1) / each + 0.1 * np.eye(each)
    curvature = rng.normal(size=(max(points - 2, 0), points))
    gradient, slopes = rng.normal(size=(2, points, each))
    values = rng.normal(0.0, 0.1, points)
    box = -rng.uniform(0.0, 0.6, (points, each)), rng.uniform(0.0, 0.6, (points, each))
    return (hessians, curvature.T @ curvature), gradient, (values, slopes), box


def reachable(values, slopes, box):
    low, high = (np.sum(np.where(slopes > 0, *pair) * slopes, axis=1) for pair in (box, box[::-1]))
    return (low < -values) & (-values < high)


@pytest.mark.parametrize("seed", range(40))
def test_a_step_is_the_lowest_point_in_its_box_on_the_constraints(seed):
    (hessians, coupling), gradient, (values, slopes), box = problem_of(seed)
    kept = np.full(len(values), 0.7)
    step, multipliers = quadratic_step((hessians, coupling), gradient, (values, slopes), box, kept)
    assert np.all(step >= box[0])
    assert np.all(step <= box[1])
    good = reachable(values, slopes, box)
    np.testing.assert_allclose(values[good] + np.sum(slopes * step, axis=1)[good], 0.0, atol=1e-10)
    # Of a constraint that cannot be satisfied all thresholds are in their corner, and its multiplier is what it was.
    corner = np.where(slopes * np.sign(values)[:, None] > 0, *box)
    np.testing.assert_allclose(step[~good], corner[~good], atol=1e-6)
    np.testing.assert_array_equal(multipliers[~good], kept[~good])
    force = gradient + np.einsum("pij,pj->pi", hessians, step) + coupling @ step + multipliers[:, None] * slopes
    at_low, at_high = step - box[0] < 1e-10, box[1] - step < 1e-10
    inside = good[:, None] & ~at_low & ~at_high
    np.testing.assert_allclose(force[inside], 0.0, atol=1e-8)
    assert np.all(force[good[:, None] & at_low] > -1e-8)
    assert np.all(force[good[:, None] & at_high] < 1e-8)


def test_without_room_nothing_moves():
    (hessians, coupling), gradient, constraints, _ = problem_of(3)
    none = np.zeros_like(gradient)
    step, multipliers = quadratic_step((hessians, coupling), gradient, constraints, (none, none), np.ones(len(none)))
    np.testing.assert_array_equal(step, none)
    np.testing.assert_array_equal(multipliers, 1.0)


def test_what_no_constraint_depends_on_is_where_the_bowl_is_lowest():
    model = np.eye(2)[None], np.zeros((1, 1))
    box = np.full((1, 2), -1.0), np.full((1, 2), 1.0)
    step, _ = quadratic_step(model, np.full((1, 2), 0.5), (np.array([5.0]), np.array([[1.0, 0.0]])), box, np.zeros(1))
    np.testing.assert_allclose(step, [[-1.0, -0.5]])


def test_equalities_that_contradict_limits_have_no_solution():
    bowl = Bowl(np.ones(2), np.eye(2), np.ones(2), 0.0)
    rows = np.array([[1.0, 0.0]])
    assert bowl.solve(rows, np.array([1.0]), (rows, np.array([0.5]))) is None
    found = bowl.solve(rows, np.array([1.0]), (rows, np.array([2.0])))
    assert found is not None
    np.testing.assert_allclose(found.step, [2.0, -1.0])
    # gradient + step = pulls along the row
    np.testing.assert_allclose(found.pulls, [3.0])


def test_curvatures_that_differ_by_more_than_their_digits_give_a_step():
    """From nothing to 18 decades: what holds a step is singular to the digits of its matrix; the caller tries it."""
    for seed in range(20, 40):  # 32 raised
        generator, size = np.random.default_rng(seed), 5
        vectors, _ = np.linalg.qr(generator.normal(size=(size, size)))
        hessian = (vectors * 10.0 ** generator.uniform(-30, 18, size)) @ vectors.T
        ends, ones = np.vstack([np.eye(size), -np.eye(size)]), np.ones(2 * size)
        program = Bowl(generator.normal(size=size), hessian, ones[:size], 0.0).solve(ends, -ones)
        assert program is not None
        assert np.all(np.isfinite(program.step))
        assert np.isfinite(program.gain)
