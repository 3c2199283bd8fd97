"""The command line: ``hepcuts study``, ``scan``, ``optimize``, ``significance`` and ``prices``.

What a command needs is imported when it runs, so that ``--help`` and mistyped arguments are answered at once.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from hepcuts._core import files
from hepcuts._core.errors import HepcutsError, HepcutsWarning
from hepcuts._core.version import __version__

from .afterwards import Afterwards, result_of, say
from .completion import completion
from .config_commands import CONFIG, SET, as_settings, check, cutflow_command, evaluate, init
from .exporting import export
from .optimizing import optimize_command
from .prices import prices
from .verbosity import options, warn


class _Group(click.Group):
    """Shows our own errors and warnings as one message, without a traceback; everything else is a bug and keeps it."""

    def invoke(self, ctx: click.Context) -> Any:
        # Where stderr is closed there is none, and libraries write to it: NumPy 2.0 cannot even be imported whole.
        with contextlib.redirect_stderr(sys.stderr or io.StringIO()), warnings.catch_warnings():
            warnings.showwarning = _shown_by(warnings.showwarning)
            try:
                return super().invoke(ctx)
            except HepcutsError as error:
                raise click.ClickException(str(error)) from error


def _shown_by(usual: Callable[..., None]) -> Callable[..., None]:
    """Show our own warnings as the messages that they are, others as usual."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, HepcutsWarning):
            warn(str(message))
        else:
            usual(message, category, *where, **more)

    return show


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hepcuts")
def main() -> None:
    """Choose selection cuts by the significance that the analysis will publish."""


for _command in (check, completion, cutflow_command, evaluate, export, init, optimize_command):
    main.add_command(_command)


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
@CONFIG
@SET
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("hepcuts-scan"), show_default=True)
def scan_command(config: Path, output: Path, settings: Sequence[str]) -> None:
    """Scan every cut of CONFIG (TOML): table, figure and a page to explore; the other cuts are not applied.

    A cut whose direction is to be found is scanned in both; a sliding cut, which has no one threshold, in none.
    """
    from hepcuts import plotting
    from hepcuts.plotting.saving import save
    from hepcuts.scanning.scan import scan

    from . import configuration
    from .checking import yields
    from .figure_labels import labeled
    from .scanned import scanned

    files.try_folder(output)
    given, afterwards = configuration.load(config, settings=as_settings(settings)), Afterwards()
    say(yields(given.samples).text() + "\n")
    cuts, left_out = scanned(given.selection)
    for remark in left_out:
        afterwards.remark(remark)
    for name, cut in cuts.items():
        result = scan(given.samples, cut, **given.scan)
        table = result.summary()
        with result_of(table.text, output), files.atomic_path(output / f"{files.named(name)}.csv") as temporary:
            result.to_dataframe().to_csv(temporary, index=False)
        say(table.text())
        with afterwards.step(f"the figure of {name}"):
            save(labeled(plotting.scan(result), given.document), output / f"{files.named(name)}.png")
        with afterwards.step(f"the page of {name}"):
            result.explorer(output / f"{files.named(name)}.html")
    say(f"Wrote to {output}")


@main.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--patch", "patches", multiple=True, type=click.Path(path_type=Path), help="JSON patch or patch set.")
@click.option("--point", help="Which point of the patch set.")
@click.option("--list-points", is_flag=True, help="Print the points of the patch set.")
@click.option("--all-points", is_flag=True, help="Test all points of the patch set: table, JSON and figure.")
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("hepcuts-points"), show_default=True)
@click.option("--verify/--no-verify", default=True, show_default=True, help="Whether the digest has to agree.")
@click.option("--measurement", help="Name of the measurement; the first if not given.")
@click.option("--poi", help="Name of the parameter of interest; the measurement's if not given.")
@click.option("--clip-bin", type=float, help="Least expectation of each bin.")
@click.option("--clip-sample", type=float, help="Least expectation of each sample in each bin.")
@click.option("--toys", "num_toys", type=click.IntRange(min=1), help="Check its p-value with so many toys.")
@click.option("--pulls", is_flag=True, help="Print pulls and constraints of the nuisance parameters, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def significance(
    workspace: Path,
    *,
    patches: Sequence[Path],
    point: str | None,
    list_points: bool,
    all_points: bool,
    output: Path,
    verify: bool,
    measurement: str | None,
    poi: str | None,
    clip_bin: float | None,
    clip_sample: float | None,
    num_toys: int | None,
    pulls: bool,
    as_json: bool,
) -> None:
    """Expected and observed discovery significance of a pyhf WORKSPACE.

    WORKSPACE is a JSON file, compressed or not, an archive as HEPData has it (ARCHIVE, ARCHIVE/FOLDER or
    ARCHIVE/FOLDER/FILE.json), or HistFactory's XML. One of hepcuts itself says so if its observations are Asimov data;
    they are not called observed then.
    """
    from . import significances

    if (point is not None) + list_points + all_points > 1:
        raise click.UsageError("--point, --list-points and --all-points exclude each other.")
    if list_points:
        say(significances.listed_points(workspace, patches, as_json=as_json))
        return
    options: dict[str, Any] = {"measurement": measurement, "poi": poi, "verify_digest": verify}
    clips = {"clip_bin_data": clip_bin, "clip_sample_data": clip_sample}
    options |= {name: value for name, value in clips.items() if value is not None}
    if all_points:
        if num_toys is not None or pulls:
            raise click.UsageError("--toys and --pulls are of one signal; name it with --point.")
        significances.quote_all(workspace, patches, output, options, as_json=as_json)
        return
    significances.quote_one(
        workspace, {"patches": patches, "point": point} | options, num_toys=num_toys, pulls=pulls, as_json=as_json
    )


main.add_command(prices)
for _command in (main, *main.commands.values()):
    _command.params.extend(options())

if __name__ == "__main__":
    sys.exit(main())
