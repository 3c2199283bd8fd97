"""The five scenarios: every metric is scanned, and the cut that each would choose is measured by the likelihood.

The measure is the discovery significance of the profile likelihood, the number that an analysis publishes, on the
events that chose the cut, and on held-out events beside it.
"""

import dataclasses
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hepcuts import plotting
from hepcuts._core.progress import steps
from hepcuts._core.tables import SummaryTable
from hepcuts._core.version import __version__
from hepcuts.cuts import Cut
from hepcuts.samples.datasets import SCENARIOS, scenario
from hepcuts.samples.sample import Sample
from hepcuts.scanning.optima import Choice
from hepcuts.scanning.scan import ScanResult, scan
from hepcuts.templates.simulated import FEW_EVENTS

from .sentences import percent, sentences

METRICS = ("bce", "bce_balanced", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "asimov", "asimov_uncertainty", "profile")
CUTS = tuple(range(1, 100))


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
    return result.choices()


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
    for name in steps(chosen, "scanning scenarios"):
        samples = scenario(name, seed=seed)
        result = scan(samples, Cut("x", ">"), metrics=METRICS, thresholds=thresholds)
        cases.append(Case(name, samples, result, choices(result)))
    return tuple(cases)


def drawings(case: Case) -> dict[str, Any]:
    """The figures of one scenario by kind: distributions with the best cut, and normalized metrics."""
    best = case.scan.optimum("profile").threshold
    return {
        "distributions": plotting.distributions(case.samples, "x", cut=Cut("x", ">", best), log=True),
        "metrics": plotting.scan(case.scan, metrics=("bce", "s_over_sqrt_b", "asimov", "profile")),
    }


def to_json(cases: Sequence[Case], *, seed: int) -> dict[str, Any]:
    """The scenarios as JSON: optima and all values; what has no value is null, with its reason."""

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


HEAD = ("metric", "cut", "within 1 %", "replicas", "Z", "of best", "held out", "background")
"""Columns of the table of a scenario; `rows` fills them."""

NOTES = sentences("notes", few=FEW_EVENTS)
"""What is to be known about that table."""


def rows(case: Case) -> tuple[tuple[str, ...], ...]:
    """The choices of one scenario as text, one row for each metric."""
    return tuple(
        (
            choice.metric,
            f"{choice.threshold:g}",
            _interval(choice.plateau),
            _interval(case.scan.optimum(choice.metric).interval),
            _number(choice.significance),
            "" if np.isnan(choice.fraction) else percent(choice.fraction, 1),
            _number(choice.held_out),
            f"{choice.effective_background:.0f}" + (" !" if choice.effective_background < FEW_EVENTS else ""),
        )
        for choice in case.choices
    )


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "none"


def summary(cases: Sequence[Case]) -> str:
    """The scenarios as readable text."""
    lines = ["Where would each metric cut, and what is that cut worth?", *textwrap.wrap(NOTES, 118)]
    for case in cases:
        signal, background = (f"{sample.total:g}" for sample in case.samples)
        title = f"{case.name}: {signal} signal and {background} background events"
        lines += ["", SummaryTable(title, rows(case), HEAD).text()]
    return "\n".join(lines)
