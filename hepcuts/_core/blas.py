"""One BLAS thread where more would only wait for each other.

NumPy and SciPy each bring an OpenBLAS with threads of its own, which keep the processor busy while they wait for work.
Where a calculation goes to and fro between the two, as fits and SciPy's L-BFGS-B do, the threads of the one take the
processor from those of the other: a fit of 160 parameters took 90 ms on two cores with two threads, and 8 ms with one
(case ``blas_threads`` of the benchmarks). Only large systems gain.

The number of threads is the process's, not the caller's. It is therefore counted who wants it to be one: the first to
come remembers what it was, the last to leave restores it.
"""

import contextlib
import ctypes
import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np  # noqa: F401 -- to have its BLAS loaded
import scipy.linalg  # noqa: F401 -- likewise
from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")

LARGE = 1500
"""Unknowns from which on threads pay: two made a fit take 1.1 times as long at 1300 parameters, 0.85 times at 1800."""


def one_blas_thread(size: int = 0) -> contextlib.AbstractContextManager[None]:
    """A block within which NumPy's and SciPy's BLAS use one thread; afterwards as many as before.

    Blocks may be nested, and overlap in several threads; entering takes some microseconds. If somebody else changes the
    number meanwhile, theirs stays. Only OpenBLAS with threads of its own, as in the wheels of NumPy and SciPy, is
    switched: others (OpenMP's, MKL's) share one pool between all libraries, and a number for each calling thread.

    Args:
        size: number of unknowns of the linear systems in the block; from `LARGE` on nothing is switched.

    Example:
        >>> with one_blas_thread():
        ...     solution = scipy.linalg.solve(2.0 * np.eye(2), np.ones(2))
        >>> solution
        array([0.5, 0.5])
    """
    return contextlib.nullcontext() if size >= LARGE else _SWITCH


def outside(function: Callable[P, R]) -> Callable[P, R]:
    """A function of the caller's, to be called within `one_blas_thread` with as many threads as outside of it."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        _SWITCH.leave()
        try:
            return function(*args, **kwargs)
        finally:
            _SWITCH.enter()

    return called


class _Pool(NamedTuple):
    """The threads of one library."""

    get: Callable[[], int]
    set: Callable[[int], None]


class _Switch:
    """To one thread and back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._pools: list[_Pool] | None = None
        self._before: list[int] = []

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> None:
        with self._lock:
            if not self._users:
                # Once, since looking for libraries takes milliseconds; late, so that importing does nothing.
                self._pools = _found() if self._pools is None else self._pools
                self._before = [pool.get() for pool in self._pools]
                for pool, before in zip(self._pools, self._before, strict=True):
                    if before != 1:
                        pool.set(1)
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                for pool, before in zip(self._pools or [], self._before, strict=True):
                    if before != 1 and pool.get() == 1:
                        pool.set(before)


_SWITCH = _Switch()


def _found() -> list[_Pool]:
    """The libraries in this process that have threads of their own, the same for all that call."""
    libraries = ThreadpoolController().select(internal_api="openblas").lib_controllers
    found = (_pool(library.filepath) for library in libraries if library.threading_layer == "pthreads")
    return [pool for pool in found if pool is not None]


def _pool(path: str) -> _Pool | None:
    """How to call a library. threadpoolctl's own setter ignores, from 3.8 on, all threads but the first to call it."""
    # A library by `PyDLL` keeps Python's lock: to wait for it again would take far longer than the call.
    library: Any = ctypes.PyDLL(path)
    for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
        get, set_ = (getattr(library, f"{prefix}openblas_{verb}_num_threads{suffix}", None) for verb in ("get", "set"))
        if get is not None and set_ is not None:
            return _Pool(get, set_)
    return None
