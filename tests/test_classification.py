"""Classification losses against scikit-learn and against many digits."""

from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mpmath import mp, mpf

from hepcuts._core.errors import InputError
from hepcuts.merit.classification import LOG_LOSS_EPSILON, accuracy, binary_cross_entropy, log_loss, squared_error

RNG = np.random.default_rng(5)
TRUTH = RNG.uniform(size=200) < 0.3
PASSED = RNG.uniform(size=200) < np.where(TRUTH, 0.8, 0.2)
PASS_WEIGHTS = np.clip(RNG.normal(np.where(TRUTH, 0.7, 0.3), 0.2), 1e-3, 1 - 1e-3)
WEIGHTS = RNG.uniform(0.1, 3.0, 200)


def balanced_weights(truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Signal and background scaled to half the total each."""
    half = weights.sum() / 2
    return np.where(truth, weights * half / weights[truth].sum(), weights * half / weights[~truth].sum())


CASES = [(w, balanced) for w in (None, WEIGHTS) for balanced in (False, True)]
IDS = ["plain", "balanced", "weighted", "weighted-balanced"]


def sample_weight(weights: Any, balanced: bool) -> Any:
    if not balanced:
        return weights
    return balanced_weights(TRUTH, np.ones(len(TRUTH)) if weights is None else weights)


@pytest.mark.parametrize(("weights", "balanced"), CASES, ids=IDS)
@pytest.mark.parametrize("normalize", [True, False], ids=["mean", "sum"])
def test_log_loss_of_hard_decisions_is_scikit_learns(weights: Any, balanced: bool, normalize: bool) -> None:
    mine = log_loss(TRUTH, PASSED, weights=weights, balanced=balanced, normalize=normalize)
    theirs = sklearn.metrics.log_loss(
        TRUTH, PASSED.astype(float), sample_weight=sample_weight(weights, balanced), normalize=normalize
    )
    assert mine == pytest.approx(theirs, rel=1e-13)


@pytest.mark.parametrize(
    ("truth", "passed"), [([1, 0], [1, 0]), ([1, 0], [0, 1]), ([1, 0, 0], [1, 1, 0])], ids=["right", "wrong", "mixed"]
)
def test_clipping_is_scikit_learns(truth: list[int], passed: list[int]) -> None:
    expected = sklearn.metrics.log_loss(truth, np.array(passed, dtype=float))
    # Also where every decision is right, and the loss is nothing but the clipping constant, 2.2e-16.
    assert log_loss(truth, passed) == pytest.approx(expected, rel=1e-12, abs=0)
    assert -np.log(LOG_LOSS_EPSILON) == pytest.approx(36.04, abs=0.005)


@pytest.mark.parametrize(("weights", "balanced"), CASES, ids=IDS)
def test_bce_of_moderate_pass_weights_is_scikit_learns(weights: Any, balanced: bool) -> None:
    mine = binary_cross_entropy(TRUTH, np.log(PASS_WEIGHTS), weights=weights, balanced=balanced)
    theirs = sklearn.metrics.log_loss(TRUTH, PASS_WEIGHTS, sample_weight=sample_weight(weights, balanced))
    assert mine == pytest.approx(theirs, rel=1e-13)


@pytest.mark.parametrize(("weights", "balanced"), CASES, ids=IDS)
def test_squared_error_and_accuracy_are_scikit_learns(weights: Any, balanced: bool) -> None:
    w = sample_weight(weights, balanced)
    mine = squared_error(TRUTH, PASS_WEIGHTS, weights=weights, balanced=balanced)
    assert mine == pytest.approx(sklearn.metrics.brier_score_loss(TRUTH, PASS_WEIGHTS, sample_weight=w), rel=1e-13)
    total = squared_error(TRUTH, PASS_WEIGHTS, weights=weights, balanced=balanced, normalize=False)
    assert total == pytest.approx(mine * (len(TRUTH) if weights is None else WEIGHTS.sum()), rel=1e-13)
    mine = accuracy(TRUTH, PASSED, weights=weights, balanced=balanced)
    assert mine == pytest.approx(sklearn.metrics.accuracy_score(TRUTH, PASSED, sample_weight=w), rel=1e-13)
    if balanced:
        expected = sklearn.metrics.balanced_accuracy_score(TRUTH, PASSED, sample_weight=weights)
        assert mine == pytest.approx(expected, rel=1e-13)


@settings(max_examples=50, deadline=None)
@given(
    decisions=arrays(np.bool_, (2, 12)),
    weights=arrays(np.float64, 12, elements=st.floats(-1.0, 2.0)).filter(lambda w: abs(w.sum()) > 0.1),
)
def test_the_log_loss_is_the_error_rate_times_a_constant(decisions: np.ndarray, weights: np.ndarray) -> None:
    truth, passed = decisions
    error_rate = 1.0 - accuracy(truth, passed, weights=weights)
    constant = -np.log(LOG_LOSS_EPSILON) + np.log1p(-LOG_LOSS_EPSILON)
    expected = constant * error_rate - np.log1p(-LOG_LOSS_EPSILON)
    # Negative weights may cancel in the total, of which not less than 0.1 is left of 24.
    assert log_loss(truth, passed, weights=weights) == pytest.approx(expected, rel=1e-11, abs=1e-11)


LOG_PASS = [-745.0, -700.0, -300.0, -50.0, -5.0, -1.0, -np.log(2.0), -0.5, -1e-3, -1e-12, -1e-17, -1e-100, -1e-300]


@pytest.mark.parametrize("log_pass", LOG_PASS, ids=str)
def test_bce_of_one_event_against_many_digits(log_pass: float) -> None:
    with mpmath.workdps(800):
        as_signal = -mpf(log_pass)
        as_background = float(-mp.log(-mp.expm1(mpf(log_pass))))
        slope = float(mp.exp(mpf(log_pass)) / -mp.expm1(mpf(log_pass)))
    assert binary_cross_entropy([True], [log_pass]) == float(as_signal)
    assert binary_cross_entropy([False], [log_pass]) == pytest.approx(as_background, rel=1e-14, abs=1e-320)
    with jax.enable_x64(True):
        gradient = jax.grad(lambda x: binary_cross_entropy(jnp.array([False]), x))(jnp.array([log_pass]))
    # exp(-700) keeps 13 digits, and the smallest slopes are flushed to zero.
    assert float(gradient[0]) == pytest.approx(slope, rel=1e-12, abs=1e-303)


@pytest.mark.parametrize("log_pass", [0.0, -0.0, -5e-324, -1e-310, -745.0, -1e4, -1e300], ids=str)
@pytest.mark.parametrize("truth", [True, False], ids=["signal", "background"])
def test_bce_and_its_gradient_are_finite_at_the_ends(truth: bool, log_pass: float) -> None:
    with jax.enable_x64(True):
        call = lambda x: binary_cross_entropy(jnp.array([truth, not truth]), jnp.array([0.0, -0.7]) + x)  # noqa: E731
        value, gradient = jax.value_and_grad(call)(jnp.array([log_pass, 0.0]))
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))
    if not truth and log_pass > -1e-300:
        # Certain and wrong: cut at the logarithm of the smallest normal number, 708.4.
        smallest = -np.log(np.finfo(float).tiny) + 0.7
        assert float(value) == pytest.approx(smallest / 2, rel=1e-12)


def test_gradients_equal_finite_differences() -> None:
    with jax.enable_x64(True):
        truth, weights = jnp.array(TRUTH[:20]), jnp.array(WEIGHTS[:20])
        log_pass = jnp.log(PASS_WEIGHTS[:20])
        for loss, point in ((binary_cross_entropy, log_pass), (squared_error, jnp.exp(log_pass))):
            call = lambda x, loss=loss: loss(truth, x, weights=weights, balanced=True)  # noqa: E731
            gradient = jax.jit(jax.grad(call))(point)
            for i in (0, 7, 19):
                e = 1e-6 * np.eye(20)[i]
                # Central differences: truncation 1e-12 (third derivatives up to 1 here), rounding 1e-16 / 1e-6.
                assert float(gradient[i]) == pytest.approx(float(call(point + e) - call(point - e)) / 2e-6, abs=1e-9)


def test_scalars_come_as_numpy_and_jax_stays_jax() -> None:
    assert isinstance(log_loss(TRUTH, PASSED), np.float64)
    assert isinstance(accuracy([True], jnp.array([True])), jax.Array)


MISFITS = {
    "decisions": lambda: log_loss([1, 0, 1], [1, 0]),
    "column": lambda: log_loss(np.ones((3, 1)), [1, 0, 1]),
    "weights": lambda: accuracy([1, 0, 1], [1, 0, 1], weights=[1.0, 2.0]),
    "weights-column": lambda: squared_error([1, 0, 1], [1, 0, 1], weights=np.ones((3, 1))),
    "pass-weights": lambda: squared_error([1, 0, 1], [[1.0, 0.0, 1.0]]),
    "log-pass": lambda: binary_cross_entropy([1, 0, 1], [-1.0]),
}


@pytest.mark.parametrize("call", MISFITS.values(), ids=MISFITS)
def test_arrays_of_different_shapes_are_refused(call: Any) -> None:
    with pytest.raises(InputError, match="of one shape"):
        call()
