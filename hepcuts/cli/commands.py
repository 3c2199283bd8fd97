"""The command line: ``hepcuts study``, ``scan``, ``optimize``, ``significance`` and ``prices``.

What a command needs is imported when it runs, so that ``--help`` and mistyped arguments are answered at once.
"""

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepcuts._core import files
from hepcuts._core.errors import HepcutsError, HepcutsWarning
from hepcuts._core.version import __version__

from .afterwards import Afterwards, result_of, say
from .prices import prices

if TYPE_CHECKING:
    from hepcuts.histfactory import SignificanceResult
    from hepcuts.optimization.result import OptimizationResult

    from .configuration import Configuration


class _Group(click.Group):
    """Shows our own errors and warnings as one message, without a traceback; everything else is a bug and keeps it."""

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _shown_by(warnings.showwarning)
            try:
                return super().invoke(ctx)
            except HepcutsError as error:
                raise click.ClickException(str(error)) from error


def _shown_by(usual: Callable[..., None]) -> Callable[..., None]:
    """Show our own warnings as the messages that they are, others as usual."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, HepcutsWarning):
            click.echo(f"Warning: {message}", err=True)
        else:
            usual(message, category, *where, **more)

    return show


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hepcuts")
def main() -> None:
    """Choose selection cuts by the significance that the analysis will publish."""


@main.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("hepcuts-study"),
    show_default=True,
    help="Folder of the report.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the simulated events.")
@click.option("--scenario", "scenarios", multiple=True, help="Scenario to study; all five if none is named.")
@click.option("--grid/--no-grid", default=True, show_default=True, help="Also phase diagrams and size of simulation.")
@click.option("--quick", is_flag=True, help="Coarse grids and few simulations: a first look.")
def study(output: Path, *, seed: int, scenarios: Sequence[str], grid: bool, quick: bool) -> None:
    """Where does each metric cut, and what is it worth? A report on scenarios and grids; needs no data."""
    from hepcuts import study as study_module

    files.try_folder(output)
    cases = study_module.run(scenarios or None, seed=seed)
    with result_of(lambda: study_module.summary(cases), output):
        study_module.write_numbers(cases, output, seed=seed)
    say(study_module.summary(cases))
    afterwards, grids = Afterwards(), None
    if grid:
        with afterwards.step("the grids"):
            grids = study_module.run_grids(scenarios or None, seed=seed, quick=quick)
    with afterwards.step("the report"):
        written = study_module.write(cases, output, seed=seed, grids=grids)
        say(f"\nWrote {len(written)} files to {output}; read {output / 'report.html'}")


@main.command("scan")
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("hepcuts-scan"), show_default=True)
def scan_command(config: Path, output: Path) -> None:
    """Scan every cut of CONFIG (TOML): table, figure and a page to explore; the other cuts are not applied.

    A cut whose direction is to be found is scanned in both; a sliding cut, which has no one threshold, in none.
    """
    from hepcuts import plotting
    from hepcuts.plotting.saving import save
    from hepcuts.scanning.scan import scan

    from . import configuration
    from .scanned import scanned

    files.try_folder(output)
    given, afterwards = configuration.load(config), Afterwards()
    cuts, left_out = scanned(given.selection)
    for remark in left_out:
        afterwards.remark(remark)
    for name, cut in cuts.items():
        result = scan(given.samples, cut, **given.scan)
        table = result.summary()
        with result_of(table.text, output), files.atomic_path(output / f"{name}.csv") as temporary:
            result.to_dataframe().to_csv(temporary, index=False)
        say(table.text())
        with afterwards.step(f"the figure of {name}"):
            save(plotting.scan(result), output / f"{name}.png")
        with afterwards.step(f"the page of {name}"):
            result.explorer(output / f"{name}.html")
    say(f"Wrote to {output}")


@main.command("optimize")
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("hepcuts-optimize"), show_default=True)
@click.option("--compare/--no-compare", default=True, show_default=True, help="Also the best single cut and no cut.")
def optimize_command(config: Path, output: Path, *, compare: bool) -> None:
    """Optimize the cuts of CONFIG (TOML) and write summary, log of cuts, workspace and figures.

    Summary and workspace are written first. What fails afterwards (a figure, the comparison) is a remark in the
    summary; Ctrl-C keeps what there is, and ends with status 130.
    """
    from hepcuts.optimization.optimize import optimize
    from hepcuts.optimization.single_cuts import comparisons

    from . import configuration
    from .summaries import summary_of

    files.try_folder(output)
    given = configuration.load(config)
    result = optimize(given.samples, given.selection, log=output / "cuts.log", **given.optimize)
    summary = summary_of(result)
    afterwards = Afterwards(lambda remarks: _write_json(summary | {"remarks": remarks}, output / "result.json"))
    with result_of(lambda: result.summary().text(), output):
        _write_json(summary | {"remarks": []}, output / "result.json")
        _write_json(result.workspace, output / "workspace.json")
    say(f"Wrote the result to {output}")
    with afterwards.step("the printed summary"):
        say(result.summary().text())
    _draw_optimization(result, given, output, afterwards)
    if result.interrupted:
        afterwards.stop("the search was interrupted")
    if compare:
        say("For comparison, the significance on the same events of")
        for what, step in comparisons(given.samples, given.selection, **given.optimize).items():
            with afterwards.step(f"the comparison with {what}"):
                name, value = step()
                summary["comparison"][name] = value
                _write_json(summary | {"remarks": afterwards.remarks}, output / "result.json")
                say(f"  {name:<40s} {value:.4f}")
    say(f"Wrote to {output}")


def _write_json(document: Any, path: Path) -> None:
    files.write_text(path, json.dumps(_without_nan(document), indent=1) + "\n")


def _draw_optimization(
    result: "OptimizationResult", given: "Configuration", output: Path, afterwards: Afterwards
) -> None:
    from hepcuts import plotting
    from hepcuts.plotting.saving import save

    with afterwards.step("the figure of the history"):
        save(plotting.history(result), output / "history.png")
    for cut in result.selection.cuts:
        with afterwards.step(f"the figure of {cut.variable}"):
            drawing = plotting.before_after(given.samples, result, cut.variable)
            save(drawing, output / f"before-after-{cut.variable}.png")


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: null in its place."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@main.command()
@click.argument("workspace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--patch", "patches", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--measurement", help="Name of the measurement; the first if not given.")
@click.option("--toys", "num_toys", type=click.IntRange(min=1), help="Check its p-value with so many toys.")
@click.option("--pulls", is_flag=True, help="Print pulls and constraints of the nuisance parameters, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def significance(
    workspace: Path,
    *,
    patches: Sequence[Path],
    measurement: str | None,
    num_toys: int | None,
    pulls: bool,
    as_json: bool,
) -> None:
    """Expected and observed discovery significance of a pyhf WORKSPACE (JSON).

    A workspace of hepcuts itself says so if its observations are Asimov data; they are not called observed then.
    """
    from hepcuts.histfactory import HistFactory, discovery_test, discovery_toys
    from hepcuts.histfactory.likelihood import OBSERVED

    likelihood = HistFactory.from_workspace(workspace, measurement=measurement, patches=patches)
    data = likelihood.observed_data
    # Our own workspaces are written before there are data.
    observed = "observed" if likelihood.kind_of(data) == OBSERVED else "workspace_asimov"
    tests = {
        "expected": discovery_test(likelihood),
        "expected_postfit": discovery_test(likelihood, fitted_to=data),
        observed: discovery_test(likelihood, data),
    }
    rows: dict[str, Any] = {kind: _test_as_dict(test) for kind, test in tests.items()}
    if not as_json:
        for test in tests.values():
            click.echo(repr(test))
    afterwards = Afterwards()
    with contextlib.ExitStack() as last:
        if as_json:
            # Also if the toys are interrupted.
            last.callback(lambda: click.echo(json.dumps(_without_nan(rows), indent=1)))
        if num_toys is not None:
            with afterwards.step("the toys"):
                at = tests[observed].background_only
                toys = discovery_toys(likelihood, parameters=at, num_toys=num_toys).p_value(tests[observed].q0)
                rows[observed]["p0_toys"] = dict(zip(("value", "low", "high"), toys, strict=True))
                if not as_json:
                    click.echo("  p-value of {} toys: {:.4g} (68 % interval {:.4g} to {:.4g})".format(num_toys, *toys))
    if pulls and not as_json:
        click.echo(f"\nUnconditional fit to the {tests[observed].dataset} data")
        click.echo(repr(tests[observed].unconditional_fit.nuisance_parameters))


def _test_as_dict(test: "SignificanceResult") -> dict[str, Any]:
    fields = ("dataset", "significance", "p0", "q0", "mu_hat", "mu_uncertainty", "success", "message")
    row = {field: getattr(test, field) for field in fields}
    fits = {"unconditional": test.unconditional_fit, "background_only": test.background_only_fit}
    row["at_bound"] = {kind: list(fit.at_bound) for kind, fit in fits.items()}
    row["bands"] = {str(n): z for n, z in test.bands.items()}
    found = test.unconditional_fit.nuisance_parameters
    columns = {
        "value": found.values,
        "uncertainty": found.uncertainties,
        "pull": found.pulls,
        "constraint": found.constraints,
    }
    row["nuisance_parameters"] = {
        name: {key: float(column[i]) for key, column in columns.items()} for i, name in enumerate(found.names)
    }
    return row


main.add_command(prices)

if __name__ == "__main__":
    sys.exit(main())
