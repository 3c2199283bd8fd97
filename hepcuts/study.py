"""The study: does the cut that minimizes binary cross-entropy maximize the significance?

For each scenario every metric is scanned; the cut that each metric would choose is judged by the discovery
significance of the profile likelihood, the number that an analysis publishes.
"""

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tqdm

from . import _files, plotting
from ._version import __version__
from .cuts import Cut
from .datasets import SCENARIOS, scenario
from .errors import InputError
from .plotting.saving import save
from .samples import Sample
from .scan import ScanResult, scan

METRICS = ("bce", "bce_balanced", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "asimov", "asimov_uncertainty", "profile")
CUTS = tuple(range(1, 100))


@dataclasses.dataclass(frozen=True)
class Choice:
    """The cut that one metric chooses, judged by the profile likelihood.

    Attributes:
        metric: name of the metric.
        threshold: its best threshold.
        value: the metric there.
        plateau: thresholds around it at which the metric is within 1 % of its best.
        significance: discovery significance of the profile likelihood at this threshold; NaN if it has none.
        fraction: that significance over the best one.
        effective_background: effective number of simulated background events behind the cut.
    """

    metric: str
    threshold: float
    value: float
    plateau: tuple[float, float]
    significance: float
    fraction: float
    effective_background: float


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One scenario: its scan, and what each metric chooses."""

    name: str
    samples: tuple[Sample, ...]
    scan: ScanResult
    choices: tuple[Choice, ...]


def choices(result: ScanResult) -> tuple[Choice, ...]:
    """The cut of each metric, and the profile-likelihood significance that it buys.

    Args:
        result: a scan with the metric ``"profile"``.
    """
    best = result.optimum("profile")
    found = []
    for name in result.metrics:
        if not np.any(np.isfinite(result.values[name])):
            continue
        optimum = result.optimum(name)
        at = int(np.searchsorted(result.thresholds, optimum.threshold))
        z = float(result.values["profile"][at])
        found.append(
            Choice(
                name,
                optimum.threshold,
                optimum.value,
                optimum.plateau,
                z,
                z / best.value,
                optimum.effective_background,
            )
        )
    return tuple(found)


def run(names: Iterable[str] | None = None, *, seed: int = 1, thresholds: Sequence[float] = CUTS) -> tuple[Case, ...]:
    """Scan the scenarios, "keep above", at the notebook's cuts.

    Args:
        names: scenarios, or None for all five.
        seed: seed of the events.
        thresholds: cuts to scan.

    Raises:
        InputError: an unknown scenario.

    Example:
        >>> case, = run(["gauss40x10-gauss50x10"], thresholds=range(40, 70, 2))
        >>> {c.metric: c.threshold for c in case.choices}["bce"]
        66.0
    """
    chosen = list(SCENARIOS if names is None else names)
    cases = []
    # Quiet when not on a terminal.
    for name in tqdm.tqdm(chosen, desc="scanning scenarios", disable=not sys.stderr.isatty(), leave=False):
        samples = scenario(name, seed=seed)
        result = scan(samples, Cut("x", ">"), metrics=METRICS, thresholds=thresholds)
        cases.append(Case(name, samples, result, choices(result)))
    return tuple(cases)


def write(cases: Sequence[Case], folder: str | Path, *, seed: int) -> list[Path]:
    """Write figures, the table as JSON and as text, and return their paths.

    Raises:
        InputError: `folder` is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; expected a folder to write to.")
    written = []
    for case in cases:
        for kind, drawing in drawings(case).items():
            written.append(save(drawing, folder / f"{case.name}-{kind}.png"))
    written.append(_files.write_text(folder / "study.txt", summary(cases) + "\n"))
    written.append(_files.write_text(folder / "study.json", json.dumps(to_json(cases, seed=seed), indent=1) + "\n"))
    return written


def drawings(case: Case) -> dict[str, Any]:
    """The figures of one scenario by kind: distributions with the best cut, and normalized metrics."""
    best = case.scan.optimum("profile").threshold
    return {
        "distributions": plotting.distributions(case.samples, "x", cut=Cut("x", ">", best), log=True),
        "metrics": plotting.scan(case.scan, metrics=("bce", "s_over_sqrt_b", "asimov", "profile")),
    }


def to_json(cases: Sequence[Case], *, seed: int) -> dict[str, Any]:
    """The whole study as JSON: optima and all values; what has no value is null, with its reason."""

    def numbers(values: Any) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in values]

    def clean(row: dict[str, Any]) -> dict[str, Any]:
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}

    return {
        "hepcuts": __version__,
        "seed": seed,
        "scenarios": {
            case.name: {
                "choices": [clean(dataclasses.asdict(choice)) for choice in case.choices],
                "thresholds": case.scan.thresholds.tolist(),
                "values": {name: numbers(values) for name, values in case.scan.values.items()},
                "reasons": {
                    name: {
                        f"{t:g}": case.scan.reason(name, i)
                        for i, t in enumerate(case.scan.thresholds)
                        if not np.isfinite(values[i])
                    }
                    for name, values in case.scan.values.items()
                },
            }
            for case in cases
        },
    }


def summary(cases: Sequence[Case]) -> str:
    """The study as readable text."""
    lines = [
        "Where would each metric cut, and what is that cut worth?",
        "Z: discovery significance of the profile likelihood (finite simulation included) at each metric's best cut,",
        "and as a fraction of the best Z. Cuts chosen and judged on the same events. Background: effective number of",
        "simulated events behind the cut; below 10 (!) the cut is where the simulation ends, not where physics says.",
    ]
    for case in cases:
        signal, background = (f"{sample.total:g}" for sample in case.samples)
        lines += ["", f"{case.name}: {signal} signal and {background} background events"]
        lines.append(f"  {'metric':<24s}{'cut':>8s}{'within 1 %':>16s}{'Z':>10s}{'of best':>9s}{'background':>12s}")
        for c in case.choices:
            plateau = f"{c.plateau[0]:g} to {c.plateau[1]:g}"
            few = " !" if c.effective_background < 10 else ""
            has_one = np.isfinite(c.significance)
            worth = f"{c.significance:>10.4g}{c.fraction:>9.1%}" if has_one else f"{'none':>10s}{'':>9s}"
            row = f"  {c.metric:<24s}{c.threshold:>8g}{plateau:>16s}{worth}{c.effective_background:>12.0f}{few}"
            lines.append(row)
    return "\n".join(lines)
