"""Work that leaves Python's lock alone (NumPy on large arrays, compiled JAX), side by side on all cores."""

import concurrent.futures
import os
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The function of each item, in their order; the first error is raised."""
    with concurrent.futures.ThreadPoolExecutor(_cores()) as pool:
        return list(pool.map(function, items))


def ahead(function: Callable[[], R]) -> Callable[[], R]:
    """Start something whose result is wanted later; what is returned waits for it, and raises its error."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(function)
    pool.shutdown(wait=False)
    return future.result


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
