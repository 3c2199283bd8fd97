"""Best rectangular cuts, a classifier's score with one cut, its bins: what each is worth on events that chose nothing.

1250 simulated events of each class train and choose, all others judge, for six divisions of the events. The data are
the ATLAS simulation of the Higgs machine-learning challenge, with the tau energy scale and a normalization known to
10 %, and eight generated features (`hepcuts.datasets.many_features`). Boosted trees of scikit-learn.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Measurement, in_fresh_process
from numpy.typing import NDArray
from report import Result, Target
from session import Session

SEEDS = tuple(range(2000, 2006))
DATA = {"Higgs challenge, 12 features": "higgsml", "generated, 8 features": "generated"}
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "score.csv"
WAYS = {
    "no cut": "no cut",
    "cuts": "best rectangular cuts",
    "score, cut (part)": "score, one cut",
    "score, bins (part)": "score, bins",
    "score, cut (mean)": "score, the same cut, judged by the mean of the models",
    "score, bins (mean)": "score, the same bins, judged by the mean of the models",
    "half, cut": "score of half of the events, one cut",
    "half, quoted": "what is quoted of that by the other half",
}

Array = NDArray[np.float64]


def score(session: Session) -> Result:
    """1250 events of each class train and choose, all others judge: cuts, a score with one cut, its bins."""
    rows = {}
    for name, data in DATA.items():
        session.progress(name)
        rows[name] = in_fresh_process("score_tasks", "divisions", data=data, seeds=SEEDS)
    known = {name: row for name, row in rows.items() if not row.skipped}
    _write_table(known)
    return Result((score.__doc__ or "").rstrip("."), rows, tuple(_targets(known)))


def noise(session: Session) -> Result:
    """Bins of a score of noise: by how much the quoted squared significance is too large, over that of no bins."""
    session.progress("400 simulations")
    row = in_fresh_process("noise_tasks", "excesses", replicas=400)
    targets: list[Target] = []
    if not row.skipped:
        excess, error = (row.remarks[f"held out, trained nothing{of}"] for of in ("", ", error"))
        targets = [
            Target("excess where nothing was trained on, lower 95 % bound", excess - 1.96 * error, 0.0, at_least=False)
        ]
    return Result((noise.__doc__ or "").rstrip("."), {"hepcuts": row}, tuple(targets))


CASES: dict[str, Callable[[Session], Result]] = {"score": score, "score_of_noise": noise}


def _of_seeds(row: Measurement, what: str) -> Array:
    return np.array([row.remarks[f"{seed} {what}"] for seed in SEEDS])


def ratio(row: Measurement, way: str, other: str) -> tuple[float, float]:
    """Of the mean significances of two ways, and its standard error from the paired divisions."""
    one, two = _of_seeds(row, way), _of_seeds(row, other)
    found = float(one.mean() / two.mean())
    return found, float(np.std(one - found * two, ddof=1) / np.sqrt(len(one)) / two.mean())


def _targets(rows: dict[str, Measurement]) -> list[Target]:
    found = []
    for name, row in rows.items():
        for way, other in (("score, cut (part)", "cuts"), ("score, bins (part)", "score, cut (part)")):
            value, error = ratio(row, way, other)
            found.append(Target(f"{name}: {WAYS[way]} over {WAYS[other]}, lower 95 % bound", value - 1.96 * error, 1.0))
    return found


def _write_table(rows: dict[str, Measurement]) -> None:
    """The table of the documentation."""
    table = [["data", "way", "significance", "over the best cuts"]]
    for name, row in rows.items():
        for way, words in WAYS.items():
            values, (over, error) = _of_seeds(row, way), ratio(row, way, "cuts")
            spread = np.std(values, ddof=1) / np.sqrt(len(values))
            shown = "" if way == "cuts" else f"{over:.2f} ± {error:.2f}"
            table.append([name, words, f"{values.mean():.3f} ± {spread:.3f}", shown])
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(table)
