"""First-order solvers, against the positions of optax's (reference_steps.py)."""

import numpy as np
import pytest

from hepcuts.optimization.solvers import Adam, GradientDescent

from . import reference_steps as reference

WIDE = (np.full(3, -10.0), np.full(3, 10.0))
SOLVERS = {
    "adam": (Adam(learning_rate=reference.ADAM_STEP, steps=60), reference.ADAM),
    "gradient descent": (GradientDescent(learning_rate=reference.SGD_STEP, steps=60), reference.SGD),
}
of_both = pytest.mark.parametrize(("solver", "expected"), SOLVERS.values(), ids=SOLVERS)


def walked(solver, bounds=WIDE):
    """All positions of a walk down the valley, and how it ended."""
    positions = []
    ending = solver.minimize(
        reference.valley, np.array(reference.START), bounds, lambda position, *_: positions.append(position)
    )
    return positions, ending


@of_both
def test_the_positions_are_those_of_optax_to_64_bits(solver, expected):
    positions, _ = walked(solver)
    for number, position in zip(reference.AFTER, expected, strict=True):
        np.testing.assert_allclose(positions[number], position, rtol=1e-13)


@of_both
def test_a_solver_remembers_nothing_of_its_last_walk(solver, expected):
    (first, _), (second, _) = walked(solver), walked(solver)
    np.testing.assert_array_equal(first, second)


@of_both
def test_bounds_hold_and_the_best_position_is_returned(solver, expected):
    bounds = np.array([-1.2, 0.5, 0.0]), np.array([-0.9, 1.0, 0.4])
    positions, ending = walked(solver, bounds)
    assert np.all(np.array(positions) >= bounds[0])
    assert np.all(np.array(positions) <= bounds[1])
    best = min(positions, key=lambda position: reference.valley(position)[0])
    np.testing.assert_array_equal(ending.position, best)
    assert (ending.success, ending.num_steps) == (True, 60)
