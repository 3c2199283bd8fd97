"""Who does the work on blocks of events: threads, this thread, other processes, or an object of the user's own.

An executor lays blocks out once, where they will be used, and maps functions with small arguments over them. Which one
do I need?

- `Threads`, the default: side by side on all cores of this machine, with the blocks where they are. NumPy on large
  arrays and compiled JAX leave Python's lock alone.
- `Serial`: one after the other, as for a look with a debugger or a profiler, or if the cores are others'.
- `Processes`: side by side in processes of their own, where what is Python runs side by side, too. Blocks are copied
  once to the process that works on them, and stay there. They are spawned: a fork of a process in which JAX has
  computed may hang.
- Any object with the methods of `Executor`: for `lay_out` and `map` a cluster's client has ``scatter`` and ``map``.

`hepcuts.fill`, `hepcuts.scan`, `hepcuts.optimize` and `hepcuts.evaluation.bootstrap.bootstrap` take one as
``executor``. Results do not depend on it: what is found of the blocks is added in their order.
"""

import concurrent.futures
import dataclasses
import functools
import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from .errors import InputError

T = TypeVar("T")
R = TypeVar("R")


@runtime_checkable
class Executor(Protocol):
    """What lays out blocks and maps functions over them.

    Blocks pickle, and so do functions (they are those of modules) and arguments; an executor that stays in this process
    need not make use of it.
    """

    def lay_out(self, blocks: Iterable[Any]) -> Sequence[Any]:
        """Put blocks where they will be used.

        Returns:
            A handle for each, in their order. What is laid out is needed as long as its handle is there.
        """

    def map(self, function: Callable[..., Any], handles: Sequence[Any], arguments: tuple[Any, ...] = ()) -> list[Any]:
        """``function(block, *arguments)`` of each block, in the order of the handles; the first error is raised."""


def executor_of(executor: Executor | None) -> Executor:
    """The executor that is asked for; `Threads` if none is.

    Raises:
        InputError: it has not the two methods.
    """
    if executor is None:
        return Threads()
    if isinstance(executor, type) or not isinstance(executor, Executor):
        raise InputError(
            f"executor is {executor!r}; expected an object with the methods lay_out and map, such as "
            "hepcuts.executors.Processes(4), or None for threads."
        )
    return executor


@dataclasses.dataclass(frozen=True)
class Threads:
    """Side by side in threads of this process.

    Attributes:
        number: of threads at most; None for one on each core.

    Example:
        >>> threads = Threads()
        >>> threads.map(pow, threads.lay_out([1, 2, 3]), (2,))
        [1, 4, 9]
    """

    number: int | None = None

    def __post_init__(self) -> None:
        _check(self.number, "threads")

    def lay_out(self, blocks: Iterable[T]) -> list[T]:
        """See `Executor.lay_out`: the blocks themselves."""
        return list(blocks)

    def map(self, function: Callable[..., R], handles: Sequence[Any], arguments: tuple[Any, ...] = ()) -> list[R]:
        """See `Executor.map`."""
        workers = min(self.number or _cores(), len(handles))
        if workers < 2:
            return Serial().map(function, handles, arguments)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda block: function(block, *arguments), handles))


@dataclasses.dataclass(frozen=True)
class Serial:
    """One block after the other, in this thread.

    Example:
        >>> Serial().map(pow, [1, 2, 3], (2,))
        [1, 4, 9]
    """

    def lay_out(self, blocks: Iterable[T]) -> list[T]:
        """See `Executor.lay_out`: the blocks themselves."""
        return list(blocks)

    def map(self, function: Callable[..., R], handles: Sequence[Any], arguments: tuple[Any, ...] = ()) -> list[R]:
        """See `Executor.map`."""
        return [function(block, *arguments) for block in handles]


@dataclasses.dataclass(frozen=True, eq=False)
class Processes:
    """Side by side in processes of their own, which start when they are first needed and stay until `close`.

    A script that makes one has ``if __name__ == "__main__":`` around what it does, since each process imports it.

    Attributes:
        number: of processes; None for one on each core.

    Example:
        >>> with Processes(2) as processes:
        ...     processes.map(pow, processes.lay_out([1, 2, 3]), (2,))
        [1, 4, 9]
    """

    number: int | None = None

    def __post_init__(self) -> None:
        _check(self.number, "processes")

    def lay_out(self, blocks: Iterable[Any]) -> "list[_Handle]":
        """See `Executor.lay_out`: block by block to one process after the other."""
        handles, waiting = [], []
        for block in blocks:
            number = next(self._numbers)
            handle = _Handle(self._workers[number % len(self._workers)], number)
            waiting.append(handle.worker.pool.submit(_put, number, block, handle.worker.forgotten()))
            handles.append(handle)
        for future in waiting:
            future.result()
        return handles

    def map(self, function: Callable[..., R], handles: "Sequence[_Handle]", arguments: tuple[Any, ...] = ()) -> list[R]:
        """See `Executor.map`."""
        waiting = [h.worker.pool.submit(_apply, function, h.number, arguments) for h in handles]
        return [future.result() for future in waiting]

    def close(self) -> None:
        """End the processes; they start anew when they are needed."""
        for worker in self.__dict__.pop("_workers", ()):
            worker.pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # The processes are this one's.
        return {"number": self.number}

    @functools.cached_property
    def _workers(self) -> "list[_Worker]":
        return [_Worker() for _ in range(self.number or _cores())]

    @functools.cached_property
    def _numbers(self) -> "itertools.count[int]":
        return itertools.count()


class _Worker:
    """One process, so that it is known where a block is."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self.pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
        self.dropped: deque[int] = deque()

    def forgotten(self) -> list[int]:
        """Numbers of the blocks that are needed no more, each told once."""
        return [self.dropped.popleft() for _ in range(len(self.dropped))]


class _Handle:
    """Stands for a block in a process."""

    def __init__(self, worker: _Worker, number: int) -> None:
        self.worker, self.number = worker, number

    def __del__(self) -> None:
        # No more than a note: this may run anywhere, also within the pool's own locks.
        self.worker.dropped.append(self.number)


@functools.cache
def _blocks_here() -> dict[int, Any]:
    """The blocks that are laid out in this process, by their numbers; there are some in those of `Processes` only."""
    return {}


def _put(number: int, block: Any, forgotten: Sequence[int]) -> None:
    for other in forgotten:
        _blocks_here().pop(other, None)
    _blocks_here()[number] = block


def _apply(function: Callable[..., R], number: int, arguments: tuple[Any, ...]) -> R:
    return function(_blocks_here()[number], *arguments)


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The function of each item, in their order; the first error is raised."""
    return Threads().map(function, list(items))


def ahead(function: Callable[[], R]) -> Callable[[], R]:
    """Start something whose result is wanted later; what is returned waits for it, and raises its error."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(function)
    pool.shutdown(wait=False)
    return future.result


def _check(number: Any, what: str) -> None:
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
        raise InputError(f"number is {number!r}; expected how many {what}, at least 1, or None for one on each core.")


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
