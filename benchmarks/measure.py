"""Timing, memory, and fresh processes.

The time to the first result and the time of later ones are measured in a process that has done nothing else: what JAX
compiled for another case, or what another tool left in the caches, would not be seen otherwise. Imports are made before
the clock starts, and `start_jax` makes those that JAX puts off until its first program.
"""

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

_TOO_LONG_S = 900.0
"""Seconds after which a process is given up."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one tool took for one piece of work.

    Attributes:
        first_s: seconds to the first result, compilation included; None if nothing is compiled.
        run_s: median of the seconds of later calls.
        best_s: the fastest of them, which other work on the machine disturbs least.
        sets: template sets of one call.
        peak_mib: peak of the process's memory above what imports and models had taken, in MiB; None if unknown.
        significance: Z of the template sets in `indices`.
        indices: positions of these template sets.
        remarks: further numbers, by name.
        skipped: why there is no result; empty if there is one.
        best_first_s: least seconds to the first result of several processes; None as for `first_s`.
    """

    first_s: float | None = None
    run_s: float = float("nan")
    best_s: float = float("nan")
    sets: int = 1
    peak_mib: float | None = None
    significance: tuple[float, ...] = ()
    indices: tuple[int, ...] = ()
    remarks: dict[str, float] = dataclasses.field(default_factory=dict)
    skipped: str = ""
    best_first_s: float | None = None

    @property
    def per_set_s(self) -> float:
        """Median seconds per template set."""
        return self.run_s / self.sets

    def differs_from(self, other: "Measurement") -> float:
        """Largest absolute difference in Z over the template sets that both have; NaN if there are none."""
        mine = dict(zip(self.indices, self.significance, strict=True))
        theirs = dict(zip(other.indices, other.significance, strict=True))
        common = mine.keys() & theirs.keys()
        return float(np.max([abs(mine[i] - theirs[i]) for i in common])) if common else float("nan")


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def processor_timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor that one call takes, of all threads, and its result: other work hardly changes them."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def repeated(function: Callable[[], Any], *, most: int = 15, seconds: float = 5.0) -> tuple[float, float]:
    """Median and least seconds of `most` calls, or of fewer, at least one, if those take `seconds` together."""
    times: list[float] = []
    while len(times) < most and sum(times) < seconds:
        times.append(timed(function)[0])
    return float(np.median(times)), min(times)


def start_jax() -> None:
    """Let JAX compile a trivial program: its compiler is loaded with the first, whatever that is."""
    jax.jit(lambda x: x + 1)(0.0).block_until_ready()


class PeakMemory:
    """Peak of this process's resident memory above that at construction, as Linux reports it."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):  # forgets the peak of what came before, such as the drawing of events
            Path("/proc/self/clear_refs").write_text("5")
        self._before = self._status("VmRSS")

    def mib(self) -> float | None:
        """The peak so far in MiB; None where the system does not tell."""
        now = self._status("VmHWM")
        return None if now is None or self._before is None else (now - self._before) / 1024

    @staticmethod
    def _status(name: str) -> int | None:
        file = Path("/proc/self/status")
        found = re.search(rf"{name}:\s+(\d+) kB", file.read_text()) if file.is_file() else None
        return int(found[1]) if found else None


def in_fresh_process(
    module: str, function: str, *, checkout: str | None = None, seconds: float = _TOO_LONG_S, **arguments: Any
) -> Measurement:
    """Let a fresh Python process import `module` of this folder and measure with one of its functions.

    Args:
        module: name of the module.
        function: name of a function in it that returns a `Measurement`.
        checkout: folder of the hepcuts that it imports; None for the one that this process would.
        seconds: after which the process is given up.
        arguments: its keyword arguments, as JSON knows them.

    Returns:
        What it measured; where it failed or took too long, a `Measurement` that says so.
    """
    worker = Path(__file__).with_name("worker.py")
    command = [sys.executable, str(worker), module, function, json.dumps(arguments)]
    # As users have it, of whom hardly one sets the number of threads.
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment = kept | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    if checkout is not None:
        environment["PYTHONPATH"] = checkout
    try:
        done = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, text=True, env=environment, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return Measurement(skipped=f"no result in {seconds:g} s")
    if done.returncode != 0:
        return Measurement(skipped=f"failed with exit status {done.returncode}; see standard error")
    fields = json.loads(done.stdout.splitlines()[-1])
    fields |= {name: tuple(fields[name]) for name in ("significance", "indices")}
    return Measurement(**fields)
