"""Roots of rising functions side by side."""

import numpy as np
import pytest

from hepcuts.histfactory.solver.roots import rising_roots


def lanes_of(*functions):
    """Functions that return value and slope, as `rising_roots` takes them; and how often each was called."""
    calls = np.zeros((2, len(functions)), dtype=int)

    def together(lanes, at, exact):
        for lane, is_exact in zip(lanes, exact, strict=True):
            calls[int(is_exact), lane] += 1
        pairs = [functions[lane](x) for lane, x in zip(lanes, at, strict=True)]
        value, slope = np.array(pairs).T
        return value, slope, np.isfinite(value)

    return together, calls


def test_roots_of_very_different_lanes_at_once():
    scales = np.array([1e-6, 1.0, 3e7])
    functions = [lambda x, a=a: (np.log(x / a) + x / a - 1.0, 1.0 / x + 1.0 / a) for a in scales]
    together, calls = lanes_of(*functions)
    np.testing.assert_allclose(rising_roots(together, np.array([1.0, 1.0, 1.0])), scales, rtol=1e-11)
    assert np.all(calls[1] >= 1)


def test_near_the_root_two_values_are_enough():
    together, calls = lanes_of(
        lambda x: (np.sqrt(x + x**2) - np.sqrt(6.0), (1.0 + 2.0 * x) / (2.0 * np.sqrt(x + x**2)))
    )
    assert rising_roots(together, np.array([2.001]))[0] == pytest.approx(2.0, rel=1e-11)
    assert calls.sum() == 2


def test_slopes_that_lead_astray_are_caught_by_the_bracket():
    """A step function: its slope is nearly nothing, so that Newton's proposals are useless."""
    together, _ = lanes_of(
        lambda x: (np.tanh(50.0 * (x - 3.0)), 50.0 / np.cosh(np.clip(50.0 * (x - 3.0), -300, 300)) ** 2)
    )
    assert rising_roots(together, np.array([0.1]))[0] == pytest.approx(3.0, rel=1e-9)


def test_without_a_root_there_is_none():
    """One that never rises, one that is no number; the lane beside them has its own."""
    together, _ = lanes_of(lambda _: (-1.0, 0.0), lambda _: (np.nan, np.nan), lambda x: (x - 2.0, 1.0))
    roots = rising_roots(together, np.ones(3))
    np.testing.assert_array_equal(np.isnan(roots), [True, True, False])
    assert roots[2] == pytest.approx(2.0, rel=1e-12)


def test_a_last_value_that_is_lower_than_those_before_goes_on():
    """As when the search for other minima finds one at the end."""

    def function(lanes, at, exact):
        shift = np.where(exact, 1.0, 0.0)
        return at - 2.0 - shift, np.ones(1), np.ones(1, dtype=bool)

    assert rising_roots(function, np.ones(1))[0] == pytest.approx(3.0, rel=1e-12)
