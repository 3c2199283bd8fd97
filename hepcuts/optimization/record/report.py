"""A page about an optimization: the answer on its first screen, then what it rests on."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hepcuts._core import files
from hepcuts._core.decimals import measured
from hepcuts._core.numbers import as_json
from hepcuts._core.pages import (
    AbstractBlock,
    Cards,
    Code,
    Figure,
    Folded,
    Gallery,
    Heading,
    Notice,
    Paragraph,
    TableBlock,
    to_html,
)
from hepcuts._core.tables import SummaryTable
from hepcuts.cuts import Selection

from .completing import Recorded
from .schema import ComparisonRecord, FigureRecord, ResultRecord
from .views import RecordedResult

HISTORY = "history.png"
"""File of the figure of the search."""
_MANY = 1000
"""Ratios above it are not told: they are of a Z next to zero."""


def write_report(result: RecordedResult, path: str | Path, *, title: str) -> Path:
    """See `hepcuts.optimization.result.OptimizationResult.report`."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = [draw(Path(folder)) for draw in drawings(result).values()]
        return files.write_text(path, page(Recorded.of(result).completed(result), drawn, Path(folder), title=title))


def drawings(
    result: RecordedResult, finish: Callable[[Any], Any] = lambda drawing: drawing
) -> dict[str, Callable[[Path], Figure]]:
    """What the figures of a result show, to functions that draw one into a folder.

    Args:
        result: the result.
        finish: what is done to each drawing before it is saved, such as to label it.

    Each function takes the folder and returns the figure's block. They are of the events that are quoted; where there
    are several cuts each variable is shown with all other cuts applied, too.
    """
    from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)
    from hepcuts.plotting.saving import save  # noqa: PLC0415

    def history(folder: Path) -> Figure:
        save(finish(plotting.history(result)), folder / HISTORY)
        return Figure(HISTORY, "The search: objective of soft cuts and thresholds at each step; right, the hard cuts.")

    def before_after(variable: str, folder: Path) -> Figure:
        name = f"before-after-{files.named(variable)}.png"
        save(finish(plotting.before_after(result.samples, result, variable, signal_scale="auto")), folder / name)
        return Figure(name, f"{variable} before and after all cuts.", wide=True)

    def n_minus_one(number: int, folder: Path) -> Figure:
        cuts = result.selection.cuts
        cut, others = cuts[number], Selection([*cuts[:number], *cuts[number + 1 :]])
        name = f"n-minus-one-{files.named(cut.variable)}.png"
        variable = cut.variable
        drawing = plotting.distributions(result.samples, variable, selection=others, cut=cut, signal_scale="auto")
        save(finish(drawing), folder / name)
        return Figure(name, f"{cut.variable} of events that pass all other cuts.")

    found: dict[str, Callable[[Path], Figure]] = {}
    cuts = result.selection.cuts
    for number, cut in enumerate(cuts if len(cuts) > 1 else ()):
        found[f"the figure of {cut.variable} after all other cuts"] = functools.partial(n_minus_one, number)
    found["the figure of the history"] = history
    for cut in cuts:
        found[f"the figure of {cut.variable}"] = functools.partial(before_after, cut.variable)
    return found


def page(recorded: Recorded, figures: Sequence[Figure], folder: Path, *, title: str) -> str:
    """The page as HTML.

    Args:
        recorded: what is known.
        figures: what was drawn.
        folder: where the files of the figures are.
        title: heading.
    """
    record = recorded.record
    blocks = [Heading(title, 1), *_answer(record), *_tables(recorded)]
    if figures:
        blocks += [Heading("Figures"), Gallery(tuple(figures))]
    return to_html([*blocks, *_provenance(record)], folder)


def _answer(record: ResultRecord) -> Iterator[AbstractBlock]:
    """The first screen."""
    yield Code("\n".join(cut.text for cut in record.cuts))
    yield Cards((_significance(record), *_gains(record)))
    careful = [*record.careful, *(f"Left out: {remark}" for remark in record.remarks)]
    yield Notice("Be careful", tuple(careful)) if careful else Paragraph("Nothing was found to be careful about.")


def _significance(record: ResultRecord) -> tuple[str, str, str]:
    of_training = next(
        (f for f in record.figures_of_merit if f.events == "training" and f.name == "significance"), None
    )
    if record.quoted_on == "training":
        note = "on the events that chose the cuts: too large"
    else:
        note = "on held-out events" + (f"; {_z(of_training.value)} on those that chose" if of_training else "")
    value = _with_uncertainty(record.significance, record.significance_uncertainty)
    return "Expected significance Z", value, note


def _gains(record: ResultRecord) -> Iterator[tuple[str, str, str]]:
    """Against no cut, the cuts of BCE, and the best single cut; on the same events."""
    for kind, label in _GAINED.items():
        those = [one for one in record.comparison if one.kind == kind]
        # The one that its own events say is the best, as one would have chosen it.
        one = max(those, key=lambda one: one.training or 0.0, default=None)
        if one is not None:
            what = "" if kind == "no cut" else f": {one.cuts}"
            said = label.replace("single cut", "of fewer cuts") if record.regions else label
            yield said, _ratio(record.significance, one.significance), f"Z = {_z(one.significance)}{what}"


_GAINED: Mapping[str, str] = MappingProxyType(
    {
        "no cut": "Gained over no cut",
        "BCE": "Gained over the cuts of BCE",
        "fewer cuts": "Gained over the best single cut",
    }
)
"""Kind of comparison to what is said of it."""


def _tables(recorded: Recorded) -> Iterator[AbstractBlock]:
    for key, title in _TITLES.items():
        if key in recorded.tables:
            table = recorded.tables[key]
            yield Heading(title)
            yield TableBlock(dataclasses.replace(table, title="") if table.title in _SAID else table)
    record = recorded.record
    if record.comparison:
        yield from (Heading("Other cuts, on the same events"), TableBlock(comparison_table(record.comparison)))
    yield from (Heading("All values"), TableBlock(_figures_table(record.figures_of_merit)))


_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "yields": "Yields",
        "cutflow": "Cutflow",
        "drop_one": "Without each cut",
        "systematics": "Systematics",
        "pruned": "Systematics that were left out",
        "sensitivity": "How much each threshold matters",
    }
)
"""Key of a table to the heading above it."""
_SAID = frozenset({"Cutflow", "Pruned systematics", "Sensitivity to each threshold"})
"""Titles of tables that their headings say already."""


def comparison_table(comparison: Sequence[ComparisonRecord]) -> SummaryTable:
    """Other cuts as they are printed."""
    rows = [(one.kind, _z(one.significance), _z(one.training), one.cuts) for one in comparison]
    return SummaryTable("", rows, head=("", "Z", "Z on those that chose", "cuts"), align="lrrl")


def _figures_table(figures: Sequence[FigureRecord]) -> SummaryTable:
    rows = [
        (one.name, _with_uncertainty(one.value, one.uncertainty), f"{one.cuts} cuts", one.events) for one in figures
    ]
    return SummaryTable("", rows, head=("figure of merit", "value", "", "events"), align="lrll")


def _provenance(record: ResultRecord) -> Iterator[AbstractBlock]:
    yield Heading("For other programs")
    yield Code("\n".join(f"{language}: {text}" for language, text in record.expressions.items()))
    yield Heading("Where it comes from")
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    regions = [(f"control region {name}", cuts) for name, cuts in record.regions.items()]
    search = ("search", f"{record.message} ({record.num_steps} steps)")
    yield TableBlock(SummaryTable("", [search, ("seed", str(record.seed)), *regions, ("versions", versions)]))
    if record.inputs:
        rows = [(one.path, "" if one.size is None else str(one.size), one.sha256 or "") for one in record.inputs]
        yield TableBlock(SummaryTable("Files", rows, head=("file", "bytes", "SHA-256"), align="lrl"))
    if record.configuration is not None:
        settings = "".join(f"\n# --set {name}={value}" for name, value in record.configuration.settings.items())
        yield Folded(record.configuration.path, (Code(record.configuration.text.rstrip() + settings),))
    yield Folded("Options of hepcuts.optimize", (Code(as_json(record.options)),))


def _z(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _with_uncertainty(value: float | None, uncertainty: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if uncertainty is None else measured(value, uncertainty).replace("+-", "\N{PLUS-MINUS SIGN}")


def _ratio(value: float | None, other: float | None) -> str:
    if value is None or not other:
        return "no number"
    times = value / other
    return f"\N{MULTIPLICATION SIGN} {times:.3g}" if times < _MANY else f"over \N{MULTIPLICATION SIGN} {_MANY}"
