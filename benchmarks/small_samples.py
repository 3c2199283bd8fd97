"""Few simulated events: what the cuts are worth in truth, against those of another version, and what is promised.

Ten seeds of each family, none of which was used to choose anything; both versions see the same events. The other
version is a checkout, whose folder ``--baseline`` or the environment variable ``HEPCUTS_BASELINE`` names.
"""

import concurrent.futures
import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Measurement, in_fresh_process
from numpy.typing import NDArray
from report import Result, Target
from session import Session
from small_families import FAMILIES

SEEDS = tuple(range(1000, 1010))
DIVISIONS = tuple(range(1000, 1003))
REAL = "12 features of real events"
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "small_samples.csv"

Array = NDArray[np.float64]


def small_samples(session: Session) -> Result:
    """500 to 10 000 events of each class, 8 to 20 features: true significance, and the cross-validated one over it."""
    works = {family.name: ("family", {"number": n, "seeds": SEEDS}) for n, family in enumerate(FAMILIES)}
    works[REAL] = ("real", {"seeds": DIVISIONS})
    versions = {"hepcuts": None} | ({"baseline": session.baseline} if session.baseline else {})

    def run(name: str, version: str) -> Measurement:
        task, arguments = works[name]
        session.progress(f"{name}, {version}")
        return in_fresh_process("small_tasks", task, checkout=versions[version], **arguments)

    # What they take is not compared.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {name: {version: pool.submit(run, name, version) for version in versions} for name in works}
        rows = {name: {v: future.result() for v, future in both.items()} for name, both in waiting.items()}
    shown = {f"{name}, {version}": row for name, both in rows.items() for version, row in both.items()}
    families = {name: both for name, both in rows.items() if name != REAL}
    _write_table(families)
    return Result((small_samples.__doc__ or "").rstrip("."), shown, tuple(_targets(families, rows[REAL])))


CASES: dict[str, Callable[[Session], Result]] = {"small_samples": small_samples}


def _of_seeds(row: Measurement, what: str) -> Array:
    return np.array([value for key, value in row.remarks.items() if key.split(" ", 1)[1] == what])


def _targets(families: dict[str, dict[str, Measurement]], real: dict[str, Measurement]) -> list[Target]:
    mine = {name: both["hepcuts"] for name, both in families.items() if not both["hepcuts"].skipped}
    promised = {n: float(_of_seeds(r, "validated").sum() / _of_seeds(r, "true").sum()) for n, r in mine.items()}
    total = sum(_of_seeds(r, "validated").sum() for r in mine.values()) / sum(
        _of_seeds(r, "true").sum() for r in mine.values()
    )
    worst = max(promised, key=promised.__getitem__)
    gain, error = gain_of(families)
    return [
        Target("gain of true Z over the baseline, mean", gain, 0.01),
        Target("the same, lower 95 % bound", gain - 1.96 * error, 0.0),
        Target("gain on real events left out, ratio", 1.0 + gain_of({REAL: real})[0], 0.99),
        Target("cross-validated over true Z, all families", float(total), 1.10, at_least=False),
        Target(f"the same, worst family ({worst})", promised[worst], 1.25, at_least=False),
    ]


def gain_of(rows: dict[str, dict[str, Measurement]]) -> tuple[float, float]:
    """Mean paired gain over the baseline, relative to the mean of that in each row, and its standard error."""
    gains = []
    for both in rows.values():
        if "baseline" in both and not any(row.skipped for row in both.values()):
            ours, theirs = (_of_seeds(both[version], "true") for version in ("hepcuts", "baseline"))
            gains.append((ours - theirs) / theirs.mean())
    if not gains:
        return float("nan"), float("nan")
    together = np.concatenate(gains)
    return float(together.mean()), float(together.std(ddof=1) / np.sqrt(len(together)))


def _write_table(families: dict[str, dict[str, Measurement]]) -> None:
    """The table of the documentation."""
    header = ["family", "true Z", "gain over the baseline", "cross-validated over true Z", "effective background"]
    table = []
    for name, both in families.items():
        row = both["hepcuts"]
        if row.skipped or "baseline" not in both:
            return
        gain, error = gain_of({name: both})
        true, promised = _of_seeds(row, "true"), _of_seeds(row, "validated")
        table.append(
            [
                name,
                f"{true.mean():.3f}",
                f"{100 * gain:.1f} ± {100 * error:.1f} %",
                f"{promised.sum() / true.sum():.2f}",
                f"{_of_seeds(row, 'effective').mean():.0f}",
            ]
        )
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])
