"""64-bit floating point, whatever the caller's JAX flags say.

Importing hepcuts leaves JAX's 64-bit flag alone. Public functions work in a local 64-bit scope instead. Inside a
transformation of the caller (`jax.jit`, `jax.grad`, `jax.vmap`) the precision was chosen outside, before hepcuts is
called: there the flag must be on, and a clear error says so if it is not.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

import jax
import jax.experimental
import jax.numpy as jnp
import numpy as np

from .errors import PrecisionError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def float64() -> AbstractContextManager[Any]:
    """A block in which JAX works in 64 bits, whatever the caller's flag says."""
    # Before jax 0.8 it was experimental.
    enable = (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64
    scope: AbstractContextManager[Any] = enable(True)
    return scope


def is_traced(*trees: Any) -> bool:
    """Whether any leaf of the pytrees is a tracer of a running JAX transformation."""
    # Most leaves are arrays of NumPy, of which that is known at once.
    return any(
        not isinstance(leaf, np.ndarray) and isinstance(leaf, jax.core.Tracer)
        for leaf in jax.tree_util.tree_leaves(trees)
    )


def require_float64(*trees: Any) -> None:
    """Raise if the pytrees are traced and JAX's 64-bit flag is off.

    Raises:
        PrecisionError: traced in 32 bits; the message says how to switch to 64.
    """
    if is_traced(*trees) and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise PrecisionError(
            "hepcuts was called inside a JAX transformation (jit, grad, vmap) that runs in 32 bits, and likelihood "
            "differences drown in 32 bits. Switch to 64 bits before the transformation starts: "
            'jax.config.update("jax_enable_x64", True), or "with jax.enable_x64(True):" around the call '
            "(jax.experimental.enable_x64 before jax 0.8)."
        )


def float64_scope(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that its body runs in 64 bits; in a caller's 32-bit transformation it raises.

    JAX arrays in the result become NumPy arrays unless they are traced: a 64-bit JAX array that leaves the scope would
    be cut to 32 bits by the first operation of a caller whose flag is off.
    """

    @functools.wraps(function)
    def in_scope(*args: P.args, **kwargs: P.kwargs) -> R:
        require_float64(args, kwargs)
        with float64():
            return to_numpy(function(*args, **kwargs))

    return in_scope


def to_numpy(tree: T) -> T:
    """The pytree with its JAX arrays as NumPy arrays (scalars as `numpy.float64`); traced ones stay."""

    def convert(leaf: Any) -> Any:
        concrete = isinstance(leaf, jax.Array) and not isinstance(leaf, jax.core.Tracer)
        return np.asarray(leaf)[()] if concrete else leaf

    converted: T = jax.tree_util.tree_map(convert, tree)
    return converted


_NATIVE = frozenset({np.ndarray, np.float64, float, int, type(None)})
"""Types of which NumPy makes something by itself."""


def native_function(function: Callable[P, Any]) -> Callable[P, Any]:
    """As `array_function` for a function that works on arrays of either kind, see `namespace`: no JAX for NumPy."""
    return _array_function(function, native=True)


def array_function(function: Callable[P, Any]) -> Callable[P, Any]:
    """Decorate a function of arrays: 64 bits; NumPy in, NumPy out; JAX in (or traced), JAX out.

    Scalars count as NumPy. A NumPy result without dimensions is returned as `numpy.float64`. Zeros that the function
    handles itself are no warnings.
    """
    return _array_function(function, native=False)


def _array_function(function: Callable[P, Any], *, native: bool) -> Callable[P, Any]:

    @functools.wraps(function)
    def dispatch(*args: P.args, **kwargs: P.kwargs) -> Any:
        if native and all(type(value) in _NATIVE for value in (*args, *kwargs.values())):
            with np.errstate(all="ignore"):
                return np.asarray(function(*args, **kwargs))[()]
        require_float64(args, kwargs)
        leaves = jax.tree_util.tree_leaves((args, kwargs))
        with float64(), np.errstate(all="ignore"):
            result = function(*args, **kwargs)
        if any(isinstance(leaf, jax.Array) for leaf in leaves):
            return result
        return np.asarray(result)[()]

    return dispatch


def namespace(*values: Any) -> Any:
    """`jax.numpy` if any of the values is an array of JAX, else `numpy`, for which nothing has to be compiled."""
    numpy_only = all(isinstance(value, np.ndarray) for value in values)  # known at once, other than what follows
    return np if numpy_only or not any(isinstance(value, jax.Array) for value in values) else jnp
