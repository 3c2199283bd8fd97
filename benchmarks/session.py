"""One run of the benchmarks: its progress lines, and how often tools take turns."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from measure import Measurement, in_fresh_process


class Work(NamedTuple):
    """What a fresh process is to do.

    Attributes:
        module: name of a module of this folder.
        function: name of a function in it that returns a `Measurement`.
        arguments: its keyword arguments.
    """

    module: str
    function: str
    arguments: dict[str, Any]

    @classmethod
    def of(cls, module: str, function: str, **arguments: Any) -> "Work":
        """The same with the arguments as keywords."""
        return cls(module, function, arguments)


@dataclasses.dataclass(frozen=True)
class Session:
    """One run of the benchmarks.

    Attributes:
        progress: is told what is going on.
        rounds: how often the tools of a case take turns, so that a busy minute does not hit one of them alone.
        budget: seconds for a search of ten cuts that would otherwise go on, less for fewer cuts.
        baseline: folder of another checkout to compare with, or None.
    """

    progress: Callable[[str], None]
    rounds: int
    budget: float = 60.0
    baseline: str | None = None

    def take_turns(self, works: dict[str, Work]) -> dict[str, Measurement]:
        """Measure each work in a fresh process of its own, all of them in turn, for as many rounds as there are."""
        found: dict[str, list[Measurement]] = {name: [] for name in works}
        for turn in range(self.rounds):
            for name, work in works.items():
                if any(measurement.skipped for measurement in found[name]):
                    continue
                self.progress(f"{name}, {turn + 1} of {self.rounds}")
                found[name].append(in_fresh_process(work.module, work.function, **work.arguments))
        return {name: merged(measurements) for name, measurements in found.items()}


def merged(measurements: list[Measurement]) -> Measurement:
    """Medians of several measurements of the same work, and the least where the fastest is asked for."""
    last = measurements[-1]
    if last.skipped:
        return last
    firsts = [m.first_s for m in measurements if m.first_s is not None]
    peaks = [m.peak_mib for m in measurements if m.peak_mib is not None]
    return dataclasses.replace(
        last,
        first_s=float(np.median(firsts)) if firsts else None,
        best_first_s=min(firsts) if firsts else None,
        run_s=float(np.median([m.run_s for m in measurements])),
        best_s=min(m.best_s for m in measurements),
        peak_mib=max(peaks) if peaks else None,
        remarks={key: float(np.median([m.remarks[key] for m in measurements])) for key in last.remarks},
    )
