"""Two versions of hepcuts, this one and a checkout that ``--baseline`` names, by the same calls in turn."""

import csv
import json
from pathlib import Path

import numpy as np
from measure import Measurement, in_fresh_process
from report import Result, Target
from session import Session, merged
from version_tasks import TASKS

STORED = Path(__file__).with_name("versions.json")
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "versions.csv"
NOT_WORSE = 1.05
"""Ratio of this version to the other that counts as none."""


def versions(session: Session) -> Result:
    """Processor time of this version over that of the baseline, paired, in fresh processes that take turns."""
    if not session.baseline:
        return Result((versions.__doc__ or "").rstrip("."), skipped="there is no --baseline")
    rows: dict[str, Measurement] = {}
    targets: list[Target] = []
    table: dict[str, dict[str, float]] = {}
    for task in TASKS:
        pairs = _in_turn(session, task)
        now, before = (merged([pair[k] for pair in pairs]) for k in (0, 1))
        rows |= {f"{task}, now": now, f"{task}, before": before}
        if now.skipped or before.skipped:
            continue
        logs = np.log([new.run_s / old.run_s for new, old in pairs])
        ratio, error = float(np.exp(logs.mean())), float(logs.std(ddof=1) / np.sqrt(len(logs)))
        # The fastest ratio that two standard errors do not exclude.
        targets.append(Target(f"{task}: {ratio:.3f} +- {error:.3f}", ratio - 2.0 * error, NOT_WORSE, at_least=False))
        first = (now.first_s or np.nan) / (before.first_s or np.nan)
        table[task] = {"now_s": now.run_s, "before_s": before.run_s, "ratio": ratio, "error": error, "first": first}
        _write(table)  # what an interrupted run leaves
    return Result((versions.__doc__ or "").rstrip("."), rows, tuple(targets))


def _write(table: dict[str, dict[str, float]]) -> None:
    """As JSON, and for the documentation."""
    STORED.write_text(json.dumps(table, indent=1) + "\n")
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["call", "now", "before", "ratio", "ratio of first calls"])
        for task, row in table.items():
            times = [f"{1e3 * row[key]:.3g}" for key in ("now_s", "before_s")]
            writer.writerow([task, *times, f"{row['ratio']:.2f} ± {row['error']:.2f}", f"{row['first']:.2f}"])


def _in_turn(session: Session, task: str) -> list[tuple[Measurement, Measurement]]:
    pairs = []
    for turn in range(max(session.rounds, 3)):
        session.progress(f"{task}, {turn + 1}")
        order = (None, session.baseline) if turn % 2 else (session.baseline, None)
        found = {checkout: in_fresh_process("version_tasks", "one", task=task, checkout=checkout) for checkout in order}
        pairs.append((found[None], found[session.baseline]))
        if any(row.skipped for row in pairs[-1]):
            return pairs[-1:]
    return pairs


CASES = {"versions": versions}
