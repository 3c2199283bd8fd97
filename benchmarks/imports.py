"""What it takes to load hepcuts and to answer the first question, beyond the libraries that it stands on."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable

from measure import Measurement
from report import Result, Target
from session import Session

_FILL = (
    "import hepcuts as hc; signal = hc.Sample('s', {'x': [1.0, 2.0]}, signal=True); "
    "hc.fill([signal, hc.Sample('b', {'x': [1.0, 2.0]})], hc.Cut('x', '>', 1.5))"
)
_NAMES = "import hepcuts as hc; [getattr(hc, name) for name in hc.__all__]"
_COMMANDS = {
    "jax and pyhf": ("-c", "import jax, pyhf"),
    "jax, pyhf and hepcuts": ("-c", "import jax, pyhf, hepcuts"),
    "jax, pyhf, hist and equinox": ("-c", "import jax, pyhf, hist, equinox"),
    "the same and every public name": ("-c", f"import jax, pyhf, hist, equinox; {_NAMES}"),
    "every public name alone": ("-c", _NAMES),
    "a first fill": ("-c", _FILL),
    "hepcuts --help": ("-m", "hepcuts", "--help"),
    "hepcuts --version": ("-m", "hepcuts", "--version"),
}
_BEYOND = {
    "import hepcuts, beyond jax and pyhf": ("jax, pyhf and hepcuts", "jax and pyhf", 0.3),
    "every public name, beyond jax, pyhf, hist, equinox": (
        "the same and every public name",
        "jax, pyhf, hist and equinox",
        0.5,
    ),
}
_PROCESSES = 5
"""Of each command, all of them taking turns; as many rounds as the other cases have are too few for differences."""


def import_time(session: Session) -> Result:
    """Processor seconds until hepcuts is loaded, or has answered, in fresh processes."""
    seconds: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        # Byte code as an installation has it, whatever this process was told; the first round writes it.
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        for turn in range(-1, _PROCESSES):
            for name, command in _COMMANDS.items():
                session.progress(f"{name}, {turn + 1} of {_PROCESSES}")
                taken = _processor_seconds(command, environment)
                if turn >= 0:
                    seconds[name].append(taken)
    rows = {name: Measurement(run_s=statistics.median(times), best_s=min(times)) for name, times in seconds.items()}
    targets = [
        Target(f"{what}: s", _difference(seconds[more], seconds[less]), goal, False)
        for what, (more, less, goal) in _BEYOND.items()
    ]
    targets += [Target(f"{name}: s", rows[name].run_s, 0.5, False) for name in _COMMANDS if name.startswith("hepcuts")]
    return Result("Processor seconds of fresh processes that load hepcuts", rows, tuple(targets))


def _processor_seconds(arguments: tuple[str, ...], environment: dict[str, str]) -> float:
    """User and system time of a Python process: waiting for a busy machine does not count."""
    before = os.times()
    subprocess.run(  # noqa: S603
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment, check=True
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _difference(more: list[float], less: list[float]) -> float:
    """Median over the rounds: what runs one after the other is disturbed alike."""
    return statistics.median(a - b for a, b in zip(more, less, strict=True))


CASES: dict[str, Callable[[Session], Result]] = {import_time.__name__: import_time}
