"""Published likelihoods: Z, gradients and limits by hepcuts, its earlier version, pyhf and NextStat."""

import csv
import itertools
from collections.abc import Callable
from pathlib import Path

from measure import Measurement
from report import Result, Target
from session import Session, Work

NAMES = (
    "atlas-sbottom",
    "stau_combined_with_signal",
    "wz_onshell_with_signal",
    "ewk_1Lbb",
    "ttbar_ljets",
    "compressed_ewkinos_with_signal",
    "four_tops",
)
KINDS = ("expected", "observed", "gradient", "limits")
MINE, BEFORE, SCIPY, MINUIT, NEXTSTAT = "hepcuts", "before", "pyhf, scipy", "pyhf, minuit", "NextStat"
PATIENCE = 120.0
"""Seconds after which another tool is given up: what takes that long for one number is no way to choose cuts."""
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "likelihoods.csv"

Rows = dict[str, Measurement]


def likelihoods(session: Session) -> Result:
    """One expected Z, one observed, a gradient and six limits of published likelihoods, with NumPy and one machine."""
    rows: Rows = {}
    for name, kind in itertools.product(NAMES, KINDS):
        works = _works(session, name, kind)
        for tool in [t for t in works if _given_up(rows.get(f"{name}, expected, {t}"))]:
            rows[f"{name}, {kind}, {tool}"] = Measurement(skipped="as expected")
            del works[tool]
        rows |= session.take_turns({f"{name}, {kind}, {tool}": work for tool, work in works.items()})
        _write_table(rows)  # what an interrupted run leaves
    return Result(_title(likelihoods), rows, tuple(_targets(rows)))


def search_cost(session: Session) -> Result:
    """One expected Z with the search for other minima, called plainly, in jax.jit and for each of 32 in a batch."""
    versions = {MINE: {}} | ({BEFORE: {"checkout": session.baseline}} if session.baseline else {})
    works = {
        f"{name}, {version}": Work.of("hepcuts_tasks", "ways", name=name, sets=32, **checkout)
        for name in NAMES
        for version, checkout in versions.items()
    }
    rows = session.take_turns(works)
    ways = ("plain", "jit", "vmap")
    table = [["likelihood", *(way if version == MINE else f"{way}, {version}" for version in versions for way in ways)]]
    for name in NAMES:
        both = [rows[f"{name}, {version}"] for version in versions]
        table.append([name, *(row.skipped or f"{1e3 * row.remarks[way]:.2g}" for row in both for way in ways)])
    _write(TABLE.with_name("search_cost.csv"), table)
    return Result(_title(search_cost), rows)


def price_cost(session: Session) -> Result:
    """A price list in units of one observed discovery test, which is two fits."""
    versions = {MINE: {}} | ({BEFORE: {"checkout": session.baseline}} if session.baseline else {})
    works = {
        f"{name}, {version}": Work.of("hepcuts_tasks", "priced", name=name, **checkout)
        for name in NAMES
        for version, checkout in versions.items()
    }
    rows = session.take_turns(works)
    kinds = ("observed test", "expected test", "prices")
    columns = [
        f"{what}{'' if version == MINE else f', {version}'}" for version in versions for what in (*kinds, "ratio")
    ]
    table = [["likelihood", "prices listed", *columns]]
    for name in NAMES:
        line = [name, str(len(rows[f"{name}, {MINE}"].significance))]
        for version in versions:
            row = rows[f"{name}, {version}"]
            spent = row.remarks
            line += [row.skipped or f"{1e3 * spent[kind]:.2g}" for kind in kinds]
            line.append(row.skipped or f"{spent['prices'] / spent['observed test']:.2g}")
        table.append(line)
    _write(TABLE.with_name("price_cost.csv"), table)
    return Result(_title(price_cost), rows)


CASES: dict[str, Callable[[Session], Result]] = {
    "likelihoods": likelihoods,
    "search_cost": search_cost,
    "price_cost": price_cost,
}


def _given_up(row: Measurement | None) -> bool:
    return row is not None and row.skipped.startswith("no result")


def _title(case: Callable[[Session], Result]) -> str:
    return (case.__doc__ or "").rstrip(".")


def _works(session: Session, name: str, kind: str) -> dict[str, Work]:
    """Who does it, and how."""
    same = {"name": name, "kind": kind}
    works = {MINE: Work.of("hepcuts_tasks", "published", **same)}
    if session.baseline:
        works[BEFORE] = Work.of("hepcuts_tasks", "published", **same, checkout=session.baseline)
    if kind == "gradient":
        return works
    for tool, optimizer in ((SCIPY, "scipy"), (MINUIT, "minuit")):
        works[tool] = Work.of("published_tasks", "by_pyhf", **same, optimizer=optimizer, seconds=PATIENCE)
    works[NEXTSTAT] = Work.of("nextstat_tasks", "published", **same, seconds=PATIENCE)
    return works


def _targets(rows: Rows) -> list[Target]:
    """How much longer the others take, with the largest difference in Z or in limits."""
    found = []
    for key, row in rows.items():
        start, tool = key.split(", ", 2)[:2], key.split(", ", 2)[2]
        mine = rows[", ".join((*start, MINE))]
        if tool != MINE and not row.skipped and not mine.skipped:
            ratio, fastest = row.remarks["processor_s"] / mine.remarks["processor_s"], row.best_s / mine.best_s
            what = f"{key}, over hepcuts, processor time"
            found.append(Target(what, ratio, None, fastest=fastest, difference=row.differs_from(mine)))
    return found


def _write_table(rows: Rows) -> None:
    """One line for each likelihood and kind: processor time of each tool, and how far its numbers are from ours."""
    others = (BEFORE, SCIPY, MINUIT, NEXTSTAT)
    table = [["likelihood", "what", "first call", MINE, *others]]
    for name, kind in itertools.product(NAMES, KINDS):
        mine = rows.get(f"{name}, {kind}, {MINE}", Measurement(skipped="not done"))
        line = [name, kind, *(["", mine.skipped] if mine.skipped else [_of_first(mine), _seconds(mine)])]
        for tool in others:
            row = rows.get(f"{name}, {kind}, {tool}")
            line.append("" if row is None else _cell(row, mine))
        table.append(line)
    _write(TABLE, table)


def _write(path: Path, table: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


def _cell(row: Measurement, mine: Measurement) -> str:
    return row.skipped or f"{_seconds(row)} ({row.differs_from(mine):.0e})"


def _of_first(row: Measurement) -> str:
    return f"{row.remarks['first_processor_s']:.2g}"


def _seconds(row: Measurement) -> str:
    return f"{row.remarks['processor_s']:.2g}"
