"""The command ``hepcuts optimize``."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepcuts._core import files
from hepcuts._core.numbers import write_json

from .afterwards import Afterwards, result_of, say
from .config_commands import CONFIG, SET, as_settings

if TYPE_CHECKING:
    from hepcuts._core.pages import Figure
    from hepcuts._core.tables import SummaryTable
    from hepcuts.optimization.record.completing import Recorded
    from hepcuts.optimization.result import OptimizationResult

    from .configuration import Configuration


def _print_schema(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from hepcuts.optimization.record.schema import json_schema  # noqa: PLC0415 (what is needed when it is)

        say(json.dumps(json_schema(), indent=1))
        context.exit()


@click.command("optimize")
@CONFIG
@SET
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("hepcuts-optimize"), show_default=True)
@click.option(
    "--start-from",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="result.json of an optimization, at whose thresholds the search starts.",
)
@click.option(
    "--compare/--no-compare", default=True, show_default=True, help="Also no cut, each cut alone, and the cuts of BCE."
)
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="JSON schema of result.json.",
)
def optimize_command(
    config: Path, output: Path, start_from: Path | None, settings: Sequence[str], *, compare: bool
) -> None:
    """Optimize the cuts of CONFIG (TOML) and write result, workspace, tables, figures and a report.

    Result and workspace are written first. What fails afterwards (a figure, the comparison) is a remark in the
    result; Ctrl-C keeps what there is, and ends with status 130.
    """
    from hepcuts.optimization.optimize import optimize  # noqa: PLC0415
    from hepcuts.optimization.record.completing import Recorded  # noqa: PLC0415
    from hepcuts.optimization.record.reading import read_result  # noqa: PLC0415

    from . import configuration  # noqa: PLC0415
    from .checking import yields  # noqa: PLC0415
    from .origin import origin_of  # noqa: PLC0415

    files.try_folder(output)
    given = configuration.load(config, settings=as_settings(settings))
    selection = given.selection if start_from is None else read_result(start_from).start(given.selection)
    origin = origin_of(config, as_settings(settings), start=start_from)
    say(yields(given.samples).text() + "\n")
    result = optimize(given.samples, selection, log=output / "cuts.log", **given.optimize)
    with result_of(lambda: result.summary().text(), output):
        if given.document.prune is not None:
            result = result.pruned(given.document.prune)
        written = _Written(Recorded.of(result, **origin), output)
        written.write()
        if result.quoted.workspace is not None:
            write_json(result.workspace, output / "workspace.json")
    say(f"Wrote the result to {output}")
    afterwards = Afterwards(lambda remarks: written.update(remarks=list(remarks)))
    if result.quoted.workspace is None:
        afterwards.remark(f"no workspace: {result.quoted.message}")
    _complete(result, written, afterwards)
    figures = _draw(result, given, output, afterwards)
    with afterwards.step("the report"):
        written.report(figures)
    if result.interrupted:
        afterwards.stop("the search was interrupted")
    if compare:
        _compare(given, written, afterwards)
        with afterwards.step("the report"):
            written.report(figures)
    say(f"Wrote to {output}; read {output / REPORT}")


REPORT = "report.html"
"""File of the report."""


class _Written:
    """A record and its file, which is written anew whenever something is added."""

    def __init__(self, recorded: "Recorded", folder: Path) -> None:
        self.recorded, self.folder = recorded, folder

    def write(self) -> None:
        """Write the record."""
        write_json(self.recorded.record.model_dump(), self.folder / "result.json")

    def replace(self, recorded: "Recorded") -> None:
        """Write the record with more in it."""
        self.recorded = recorded
        self.write()

    def update(self, **parts: Any) -> None:
        """Write the record with other parts."""
        self.replace(self.recorded.updated(**parts))

    def report(self, figures: "Sequence[Figure]") -> None:
        """Write the page."""
        from hepcuts.optimization.record.report import page  # noqa: PLC0415

        origin = self.recorded.record.configuration
        title = "Optimized cuts" + (f" of {origin.path}" if origin else "")
        files.write_text(self.folder / REPORT, page(self.recorded, figures, self.folder, title=title))


def _complete(result: "OptimizationResult", written: _Written, afterwards: Afterwards) -> None:
    """The summary, and what takes time: cutflow, N-1 table, systematics, sensitivity; printed and written."""
    from hepcuts.optimization.record.completing import PARTS  # noqa: PLC0415

    with afterwards.step("the printed summary"):
        say(result.summary().text())
    for what, part in PARTS.items():
        with afterwards.step(what):
            written.replace(part(written.recorded, result))
    for key, table in written.recorded.tables.items():
        with afterwards.step(f"the table of {key}"):
            _write_table(written, key)
            if key not in {"sensitivity", "pruned"}:  # they are in the summary
                say(f"\n{table.text()}")
    with afterwards.step("the cuts as text"):
        table = result.selection.table()
        _write_forms(written.folder / "tables" / "cuts", table, table.csv())
        expressions = written.recorded.record.expressions
        files.write_text(
            written.folder / "cuts.txt", "".join(f"{name}: {text}\n" for name, text in expressions.items())
        )
    for sentence in written.recorded.record.careful:
        say(f"\nBe careful: {sentence}")


def _write_table(written: _Written, key: str) -> None:
    """One table as CSV (all digits), Markdown and LaTeX."""
    from hepcuts._core.tables import data_frame  # noqa: PLC0415

    rows = [row.model_dump() for row in getattr(written.recorded.record, key)]
    _write_forms(written.folder / "tables" / key, written.recorded.tables[key], data_frame(rows).to_csv(index=False))


def _write_forms(stem: Path, table: "SummaryTable", csv: str) -> None:
    for ending, text in (("csv", csv), ("md", table.markdown()), ("tex", table.latex())):
        files.write_text(stem.with_name(f"{stem.name}.{ending}"), text.rstrip("\n") + "\n")


def _draw(result: "OptimizationResult", given: "Configuration", folder: Path, afterwards: Afterwards) -> "list[Figure]":
    from hepcuts.optimization.record.report import drawings  # noqa: PLC0415

    from .figure_labels import labeled  # noqa: PLC0415

    figures = []
    finish = functools.partial(labeled, document=given.document)
    for what, draw in drawings(result, finish).items():
        with afterwards.step(what):
            figures.append(draw(folder))
    return figures


def _compare(given: "Configuration", written: _Written, afterwards: Afterwards) -> None:
    """Other cuts on the same events; each is written when it is found."""
    from hepcuts.optimization import single_cuts  # noqa: PLC0415
    from hepcuts.optimization.record.schema import ComparisonRecord  # noqa: PLC0415

    say("\nFor comparison, the significance on the same events of")
    found = single_cuts.comparisons(given.samples, given.selection, **given.optimize)
    steps: list[tuple[str, Any, Callable[[], Any]]] = [
        (name, "no cut" if name == "no cut" else "fewer cuts", step) for name, step in found.items()
    ]
    if given.optimize.get("objective") != "bce":
        bce = functools.partial(single_cuts.compare_with_bce, given.samples, given.selection, **given.optimize)
        steps.append(("the cuts of BCE", "BCE", bce))
    for name, kind, step in steps:
        with afterwards.step(f"the comparison with {name}"):
            one = step()
            row = ComparisonRecord(kind=kind, cuts=one.cuts, significance=one.significance, training=one.training)
            written.update(comparison=[*written.recorded.record.comparison, row])
            say(f"  {'BCE: ' * (kind == 'BCE')}{one.cuts:<40s} {one.significance:.4f}")
