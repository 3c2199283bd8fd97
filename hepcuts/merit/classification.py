"""Classification losses of a cut: what it costs to call everything that passes "signal".

A cut is a classifier. Which loss do I need?

- `log_loss`: of *hard* decisions, probability 1 for what passes and 0 for what does not, as scikit-learn's
  ``log_loss`` defines it, clipping included. It is the error rate times a constant (36.04 for 64-bit floats), because
  every wrong decision costs the same, namely minus the logarithm of the clipping constant.
- `binary_cross_entropy`: of *soft* pass weights read as probabilities; the loss that networks are trained with.
- `squared_error`: of soft pass weights (the tutorial's loss, and Brier's score).
- `accuracy`: fraction of correct decisions.

All take event weights, and arrays of one shape. ``balanced=True`` scales signal and background to equal total weight,
as classifiers are often trained: that answers another question than the one asked, which has its own ratio of signal
to background.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike as JaxArrayLike

from hepcuts._core.errors import InputError
from hepcuts._core.precision import array_function

ArrayLike: TypeAlias = JaxArrayLike | Sequence[Any]
"""Of NumPy or JAX, perhaps traced, or a list."""

LOG_LOSS_EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to [epsilon, 1 - epsilon], as by scikit-learn for 64-bit floats."""


def _events(
    is_signal: ArrayLike, decision: ArrayLike, weights: ArrayLike | None, *, balanced: bool
) -> tuple[Array, Array, Array]:
    """Truth, decision and weights, each of shape (event,); balanced weights have equal sums over both classes.

    Raises:
        InputError: the shapes differ.
    """
    signal, decided = jnp.asarray(is_signal, dtype=bool), jnp.asarray(decision)
    w = jnp.ones(signal.shape, dtype=float) if weights is None else jnp.asarray(weights, dtype=float)
    if not signal.shape == decided.shape == w.shape:
        raise InputError(
            f"is_signal, the decisions and the weights have shapes {signal.shape}, {decided.shape} and {w.shape}; "
            "expected arrays of one shape, (event,)."
        )
    return signal, decided, _balanced(signal, w) if balanced else w


def _balanced(signal: Array, w: Array) -> Array:
    total_signal, total_background = jnp.sum(jnp.where(signal, w, 0.0)), jnp.sum(jnp.where(signal, 0.0, w))
    half = 0.5 * (total_signal + total_background)
    return jnp.where(signal, w * half / total_signal, w * half / total_background)


def _mean(losses: Array, weights: Array, *, normalize: bool) -> Array:
    total = jnp.sum(weights * losses)
    return total / jnp.sum(weights) if normalize else total


@array_function
def log_loss(
    is_signal: ArrayLike,
    passed: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    balanced: bool = False,
    normalize: bool = True,
) -> Array:
    """Log loss of hard decisions, as ``sklearn.metrics.log_loss(is_signal, passed, sample_weight=weights)``.

    Args:
        is_signal: shape (event,), true for signal.
        passed: shape (event,), true where the event passes the cut.
        weights: event weights, shape (event,), or None for 1 each.
        balanced: scale signal and background to equal total weight.
        normalize: mean over the total weight if true, else sum.

    Returns:
        A scalar.

    Example:
        >>> print(round(log_loss([True, True, False, False], [True, False, False, False]), 4))
        9.0109
    """
    signal, accepted, w = _events(is_signal, passed, weights, balanced=balanced)
    wrong, right = -np.log(LOG_LOSS_EPSILON), -np.log1p(-LOG_LOSS_EPSILON)
    return _mean(jnp.where(signal == accepted.astype(bool), right, wrong), w, normalize=normalize)


@array_function
def binary_cross_entropy(
    is_signal: ArrayLike,
    log_pass: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    balanced: bool = False,
    normalize: bool = True,
) -> Array:
    """Binary cross-entropy (BCE) of soft pass weights, from their logarithms, which keep it finite and smooth.

    Args:
        is_signal: shape (event,), true for signal.
        log_pass: natural logarithms of the pass weights, shape (event,), not positive; see
            `hepcuts.Selection.log_pass_weights`.
        weights: event weights, shape (event,), or None for 1 each.
        balanced: scale signal and background to equal total weight.
        normalize: mean over the total weight if true, else sum.

    Returns:
        A scalar. The logarithm of one minus the pass weight is cut at that of the smallest normal number where the
        pass weight is 1 to machine precision.

    Example:
        >>> print(round(binary_cross_entropy([True, False], np.log([0.8, 0.3])), 4))
        0.2899
    """
    signal, logs, w = _events(is_signal, log_pass, weights, balanced=balanced)
    logs = logs.astype(float)
    return _mean(-jnp.where(signal, logs, _log_one_minus_exp(logs)), w, normalize=normalize)


def _log_one_minus_exp(x: Array) -> Array:
    """The logarithm of 1 - exp(x) for x <= 0, accurate on both ends (Maechler 2012), and finite at x = 0."""
    tiny = float(np.finfo(np.float64).tiny)
    x = jnp.minimum(x, -tiny)
    near = x > -np.log(2.0)
    close, far = jnp.where(near, x, -1.0), jnp.where(near, -1.0, x)
    return jnp.where(near, jnp.log(-jnp.expm1(close)), jnp.log1p(-jnp.exp(far)))


@array_function
def squared_error(
    is_signal: ArrayLike,
    pass_weights: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    balanced: bool = False,
    normalize: bool = True,
) -> Array:
    """Squared difference of truth (1 or 0) and pass weight.

    Args:
        is_signal: shape (event,), true for signal.
        pass_weights: shape (event,), in [0, 1].
        weights: event weights, shape (event,), or None for 1 each.
        balanced: scale signal and background to equal total weight.
        normalize: mean over the total weight if true, else sum.

    Example:
        >>> print(round(squared_error([True, False], [0.8, 0.3]), 4))
        0.065
    """
    signal, passed, w = _events(is_signal, pass_weights, weights, balanced=balanced)
    return _mean((signal.astype(float) - passed.astype(float)) ** 2, w, normalize=normalize)


@array_function
def accuracy(
    is_signal: ArrayLike, passed: ArrayLike, *, weights: ArrayLike | None = None, balanced: bool = False
) -> Array:
    """Fraction of the weight that is decided correctly.

    Args:
        is_signal: shape (event,), true for signal.
        passed: shape (event,), true where the event passes the cut.
        weights: event weights, shape (event,), or None for 1 each.
        balanced: scale signal and background to equal total weight.

    Example:
        >>> print(accuracy([True, True, False, False], [True, False, False, False]))
        0.75
    """
    signal, accepted, w = _events(is_signal, passed, weights, balanced=balanced)
    return _mean((signal == accepted.astype(bool)).astype(float), w, normalize=True)
