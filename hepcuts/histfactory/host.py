"""From JAX to NumPy and back: calling the solver on the host, inside and outside of JAX's transformations.

Outside, a call is a call. Inside `jax.jit`, `jax.vmap` or `jax.grad`, it becomes a `jax.pure_callback`, for which XLA
has next to nothing to compile, and which works for programs on any device. Under `jax.vmap` the function is called
once with arrays that have the batch's axes in front, of length one where an argument is not batched.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._precision import is_traced


def floats(tree: Any) -> Any:
    """What `call` is to expect: 64-bit numbers, of the shapes of the leaves of a pytree."""
    return jax.tree.map(lambda leaf: _expected(np.shape(leaf), np.float64), tree)


def _expected(shape: tuple[int, ...], kind: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, kind)  # type: ignore[no-untyped-call]


def call(function: Callable[..., Any], results: Any, *trees: Any) -> Any:
    """Call a function of pytrees of NumPy arrays on the host.

    Args:
        function: takes `trees` with NumPy leaves, all with the same number of additional leading axes, and returns a
            pytree of arrays with those axes in front.
        results: pytree of `jax.ShapeDtypeStruct`, without batch axes.
        trees: the arguments.
    """
    if not is_traced(trees):
        return function(*jax.tree.map(np.asarray, trees))
    leaves, structure = jax.tree.flatten(trees)
    kinds = [np.dtype(jnp.result_type(leaf)) for leaf in leaves]

    def on_host(*arrays: Any) -> Any:
        found = [_decode(np.asarray(a), kind) for a, kind in zip(arrays, kinds, strict=True)]
        returned = function(*jax.tree.unflatten(structure, found))
        return jax.tree.map(lambda value, wanted: _encode(np.asarray(value, dtype=wanted.dtype)), returned, results)

    def coded(wanted: Any) -> Any:
        floating = wanted.dtype == np.float64
        return _expected((*wanted.shape, 2), np.uint32) if floating else wanted

    operands = [_bits(jnp.asarray(leaf)) for leaf in leaves]
    answer = jax.pure_callback(on_host, jax.tree.map(coded, results), *operands, vmap_method="expand_dims")
    return jax.tree.map(
        lambda value, wanted: jax.lax.bitcast_convert_type(value, jnp.float64) if wanted.dtype == np.float64 else value,
        answer,
        results,
    )


# Callbacks run on threads of their own, where JAX's 64-bit flag, set in a scope of the calling thread, is off and
# would cut numbers to 32 bits. As pairs of 32-bit words they pass unharmed.


def _bits(value: Any) -> Any:
    return jax.lax.bitcast_convert_type(value, jnp.uint32) if value.dtype == jnp.float64 else value


def _decode(value: Any, kind: np.dtype[Any]) -> Any:
    if kind != np.float64:
        return value
    return np.ascontiguousarray(value).view(np.float64)[..., 0]


def _encode(value: Any) -> Any:
    if value.dtype != np.float64:
        return value
    return np.ascontiguousarray(value.reshape(*value.shape, 1)).view(np.uint32)
