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

from hepcuts._core.precision import is_traced


def floats(tree: Any) -> Any:
    """What `call` is to expect: 64-bit numbers, of the shapes of the leaves of a pytree."""
    return jax.tree.map(lambda leaf: _expected(np.shape(leaf), np.float64), tree)


def _expected(shape: tuple[int, ...], kind: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, kind)  # type: ignore[no-untyped-call]


def call(function: Callable[..., Any], results: Any, *trees: Any) -> Any:
    """Call a function of pytrees of NumPy arrays on the host.

    Args:
        function: takes `trees` with NumPy leaves, all with the same number of additional leading axes (leaves without
            any element or without a trace have none), and returns a pytree of arrays with those axes in front.
        results: pytree of `jax.ShapeDtypeStruct` of 64-bit numbers, without batch axes.
        trees: the arguments.
    """
    leaves, structure = jax.tree.flatten(trees)
    # What is known already, and what is empty, need not travel.
    travels = [is_traced(leaf) and np.size(leaf) > 0 for leaf in leaves]
    known = [None if moves else _without_trace(leaf) for leaf, moves in zip(leaves, travels, strict=True)]
    if not any(travels):
        return function(*jax.tree.unflatten(structure, known))
    operands = [leaf for leaf, moves in zip(leaves, travels, strict=True) if moves]
    kinds = [np.dtype(leaf.dtype) for leaf in operands]

    wanted, results_structure = jax.tree.flatten(results)
    sizes = [int(np.prod(w.shape)) for w in wanted]

    def on_host(*arrays: Any) -> Any:
        arrived = iter(_decode(np.asarray(a), kind) for a, kind in zip(arrays, kinds, strict=True))
        found = [next(arrived) if moves else leaf for leaf, moves in zip(known, travels, strict=True)]
        returned = jax.tree.leaves(function(*jax.tree.unflatten(structure, found)))
        lead = np.shape(returned[0])[: np.ndim(returned[0]) - len(wanted[0].shape)]
        flat = [np.reshape(r, (*lead, size)) for r, size in zip(returned, sizes, strict=True)]
        return np.ascontiguousarray(np.concatenate(flat, axis=-1, dtype=np.float64)).view(np.uint32)

    words = jax.pure_callback(
        on_host, _expected((2 * sum(sizes),), np.uint32), *map(_bits, operands), vmap_method="expand_dims"
    )
    numbers = jax.lax.bitcast_convert_type(words.reshape(-1, 2), jnp.float64)
    ends = np.cumsum(sizes)
    parts = [numbers[end - size : end].reshape(w.shape) for end, size, w in zip(ends, sizes, wanted, strict=True)]
    return jax.tree.unflatten(results_structure, parts)


def _without_trace(leaf: Any) -> Any:
    return np.zeros(np.shape(leaf), dtype=leaf.dtype) if is_traced(leaf) else np.asarray(leaf)


# Callbacks run on threads of their own, where JAX's 64-bit flag, set in a scope of the calling thread, is off and
# would cut numbers to 32 bits. As pairs of 32-bit words they pass unharmed; results all in one array, since each
# conversion is something to compile.


def _bits(value: Any) -> Any:
    return jax.lax.bitcast_convert_type(value, jnp.uint32) if value.dtype == jnp.float64 else value


def _decode(value: Any, kind: np.dtype[Any]) -> Any:
    if kind != np.float64:
        return value
    return np.ascontiguousarray(value).view(np.float64)[..., 0]
