"""What a case found, as a table for people and as JSON for programs."""

import dataclasses
import math
import os
import platform
from importlib import metadata
from typing import Any

from measure import Measurement


@dataclasses.dataclass(frozen=True)
class Target:
    """A number to reach, with what it is compared to.

    Attributes:
        what: what was divided by what, or which number this is.
        measured: the number; NaN if a tool was missing.
        goal: what it should be; None if it is only told.
        at_least: whether larger is better.
        fastest: the ratio of each tool's fastest call in place of the medians, or None.
        difference: largest |dZ| between the two tools, where the same sets were done by both; None if it says nothing.
    """

    what: str
    measured: float
    goal: float | None
    at_least: bool = True
    fastest: float | None = None
    difference: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the goal is reached, in a word."""
        if math.isnan(self.measured):
            return "not measured"
        if self.goal is None:
            return ""
        reached = self.measured >= self.goal if self.at_least else self.measured <= self.goal
        return "reached" if reached else "missed"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a case found.

    Attributes:
        title: what was done.
        rows: what each tool took, by its name.
        targets: ratios and other numbers to reach.
        reference: name of the row that `Measurement.differs_from` is taken against in the table; empty for none.
        values: further numbers, by name.
        skipped: why there is no result; empty if there is one.
    """

    title: str
    rows: dict[str, Measurement] = dataclasses.field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    reference: str = ""
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    skipped: str = ""

    def difference(self, name: str) -> float:
        """Largest |dZ| of a row against the reference; NaN if there is none."""
        if not self.reference or name == self.reference:
            return float("nan")
        return self.rows[name].differs_from(self.rows[self.reference])

    def as_json(self) -> dict[str, Any]:
        """The result without the single values of Z."""
        rows = {
            name: {
                "first_s": row.first_s,
                "best_first_s": row.best_first_s,
                "run_s": row.run_s,
                "best_s": row.best_s,
                "sets": row.sets,
                "per_set_s": row.per_set_s,
                "peak_MiB": row.peak_mib,
                "max_abs_dZ": self.difference(name),
                **row.remarks,
            }
            if not row.skipped
            else {"skipped": row.skipped}
            for name, row in self.rows.items()
        }
        targets = [dataclasses.asdict(target) | {"verdict": target.verdict} for target in self.targets]
        found = {"title": self.title, "rows": rows, "targets": targets, "values": self.values, "skipped": self.skipped}
        result: dict[str, Any] = _without_nan({key: value for key, value in found.items() if value})
        return result


def show(name: str, result: Result) -> None:
    """Print one case as tables."""
    print(f"\n{name}: {result.title}")
    if result.skipped:
        print(f"  skipped: {result.skipped}")
    if result.rows:
        _show_rows(result)
    if result.targets:
        _show_targets(result.targets)
    for key, value in result.values.items():
        print(f"  {key:<44s}{_number(value, 6):>12s}")


def _show_rows(result: Result) -> None:
    against = f"max |dZ| to {result.reference}" if result.reference else ""
    print(f"  {'':<44s}{'first/s':>10s}{'run/s':>10s}{'sets':>7s}{'per set/s':>11s}{'peak/MiB':>10s}  {against}")
    for name, row in result.rows.items():
        if row.skipped:
            print(f"  {name:<44s}skipped: {row.skipped}")
            continue
        numbers = f"{_number(row.first_s):>10s}{_number(row.run_s):>10s}{row.sets:>7d}{_number(row.per_set_s):>11s}"
        difference = _number(result.difference(name), 2) if result.reference else ""
        print(f"  {name:<44s}{numbers}{_number(row.peak_mib):>10s}  {difference}")
        for key, value in row.remarks.items():
            print(f"    {key:<42s}{_number(value):>10s}")


def _show_targets(targets: tuple[Target, ...]) -> None:
    compared = any(target.difference is not None for target in targets)
    header = f"{'measured':>10s}{'target':>12s}  {'':<14s}"
    print(f"  {'':<72s}{header}{'of fastest':>10s}  max |dZ|" if compared else f"  {'':<72s}{header}")
    for target in targets:
        goal = "" if target.goal is None else f"{'>=' if target.at_least else '<='} {target.goal:g}"
        numbers = f"{_number(target.measured):>10s}{goal:>12s}  {target.verdict:<14s}"
        rest = f"{_number(target.fastest):>10s}  {_number(target.difference, 2)}" if compared else ""
        print(f"  {target.what:<72s}{numbers}{rest}")


def environment() -> dict[str, Any]:
    """Processor, how busy it is, Python and the versions of what was compared; nothing that names the machine."""
    packages = (
        "hepcuts",
        "jax",
        "jaxlib",
        "numpy",
        "scipy",
        "pyhf",
        "iminuit",
        "everwillow",
        "nextstat",
        "optimistix",
        "cma",
        "cabin",
        "torch",
    )
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}g}"


def _without_nan(found: Any) -> Any:
    """NaN, which JSON does not know, as None."""
    if isinstance(found, dict):
        return {key: _without_nan(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_without_nan(value) for value in found]
    return None if isinstance(found, float) and math.isnan(found) else found
