"""A discriminant's function, compiled: scores of all events, and slopes pulled back to its parameters.

Events go through the function chunk by chunk, so that what a network keeps of each event is bounded by a chunk.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from hepcuts._core.precision import float64, float64_scope
from hepcuts._core.types import FloatArray

CHUNK = 65_536
"""Events that a discriminant is given at a time, at most."""

Function = Callable[[Any, Any], Any]
"""Parameters, and features of shape (event, feature), to scores of shape (event,). Pure JAX."""

Chunks = Sequence[tuple[Any, int]]
"""Features in parts of one shape, on the device, each with its number of events; the rest is padding."""


class Scorer:
    """A function with its parameters as one vector.

    Attributes:
        start: the given parameters, shape (parameter,).

    Args:
        function: see `Function`.
        parameters: a pytree of arrays.
    """

    start: FloatArray

    def __init__(self, function: Function, parameters: Any) -> None:
        with float64():
            flat, unravel = ravel_pytree(parameters)
            self.start = np.asarray(flat, dtype=np.float64)
        self._unravel = unravel

        def forward(vector: Any, features: Any) -> Any:
            return function(unravel(vector), features)

        def backward(vector: Any, features: Any, slopes: Any) -> Any:
            return jax.vjp(lambda v: forward(v, features), vector)[1](slopes)[0]

        self._forward, self._backward = jax.jit(forward), jax.jit(backward)

    @float64_scope
    def parameters(self, vector: FloatArray) -> Any:
        """A vector of shape (parameter,) as a pytree like the given one."""
        return self._unravel(jnp.asarray(vector))

    @float64_scope
    def scores(self, vector: FloatArray, chunks: Chunks) -> FloatArray:
        """Scores at parameters of shape (parameter,), shape (event,)."""
        # Started one after the other without waiting, so that they can overlap.
        started = [self._forward(vector, features) for features, _ in chunks]
        parts = [np.asarray(s, dtype=np.float64)[:number] for s, (_, number) in zip(started, chunks, strict=True)]
        return np.concatenate(parts)

    @float64_scope
    def pull_back(self, vector: FloatArray, chunks: Chunks, slopes: FloatArray) -> FloatArray:
        """Gradient to the parameters, shape (parameter,), from slopes to the scores, shape (event,)."""
        gradient, begin = np.zeros_like(self.start), 0
        for features, number in chunks:
            padded = np.zeros(features.shape[0])
            padded[:number] = slopes[begin : begin + number]
            gradient += np.asarray(self._backward(vector, features, padded))
            begin += number
        return gradient


def chunks_of(features: FloatArray) -> Chunks:
    """Features of shape (event, feature) in chunks."""
    # A power of two where events are few: few shapes to compile.
    size = min(CHUNK, 1 << (len(features) - 1).bit_length())
    parts = []
    for begin in range(0, len(features), size):
        part = features[begin : begin + size]
        # Padded with what the function takes anyhow: zeros may not be in its domain.
        padding = np.broadcast_to(part[:1], (size - len(part), part.shape[1]))
        with float64():
            parts.append((jnp.asarray(np.concatenate([part, padding])), len(part)))
    return parts
