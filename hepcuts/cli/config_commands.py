"""The commands around a configuration: check it, write one, evaluate given cuts."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hepcuts._core import files
from hepcuts._core.errors import InputError

from .afterwards import say

CONFIG = click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="In place of what CONFIG says: optimize.seed=3, sample.ttbar.scale=1.2, cut.1.threshold=30.",
)


def as_settings(given: Sequence[str]) -> dict[str, Any]:
    """Values of ``--set``, read as in the file; what is none there is text.

    Raises:
        InputError: not KEY=VALUE.
    """
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set {one}: expected KEY=VALUE.")
        try:
            found[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = value.strip()
    return found


@click.command()
@CONFIG
@SET
def check(config: Path, settings: Sequence[str]) -> None:
    """Read CONFIG and its events, and say what is in them; no search.

    Prints expected yields, ranges of the variables, and what looks like a mistake.
    """
    from . import checking, configuration

    given = configuration.load(config, settings=as_settings(settings))
    say(checking.yields(given.samples).text())
    say("\n" + checking.ranges(given).text())
    for sentence in checking.suspicions(given):
        click.echo(f"Warning: {sentence}", err=True)
    say(f"\nCuts: {given.selection}")


@click.command()
@click.argument("inputs", nargs=-1, metavar="FILE...")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it, or stdout.")
@click.option("--schema", is_flag=True, help="The JSON schema of configurations, for editors.")
def init(inputs: Sequence[str], output: Path | None, *, schema: bool) -> None:
    """Write a commented configuration for FILEs, the first of which is the signal.

    A file may be FILE:TREE. Every FILE becomes a sample, its columns are listed.
    """
    from .starting import json_schema, starting

    text = json.dumps(json_schema(), indent=1) + "\n" if schema else starting(inputs)
    if output is None:
        say(text.rstrip("\n"))
        return
    if output.exists():
        raise InputError(f"{output} is there already; choose another name, so that nothing of yours is lost.")
    files.write_text(output, text)
    say(f"Wrote {output}; now: hepcuts check {output}")


CUTS = click.option(
    "--cuts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="result.json of hepcuts optimize, whose cuts are taken; else those of CONFIG.",
)


@click.command("cutflow")
@CONFIG
@CUTS
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "markdown", "latex", "csv"]),
    default="text",
    show_default=True,
    help="How the table is printed.",
)
@SET
def cutflow_command(config: Path, cuts: Path | None, style: str, settings: Sequence[str]) -> None:
    """What each cut leaves of the samples of CONFIG, one after the other, with the significance."""
    from hepcuts.evaluation.cutflow import cutflow

    from . import configuration
    from .evaluating import with_cuts

    given = configuration.load(config, settings=as_settings(settings))
    selection = given.selection if cuts is None else with_cuts(given, cuts)
    found = cutflow(given.samples, selection, axis=given.axis, prune=given.document.prune)
    say(found.to_dataframe().to_csv(index=False).rstrip() if style == "csv" else getattr(found.summary(), style)())


@click.command()
@CONFIG
@CUTS
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("hepcuts-evaluate"), show_default=True)
@click.option("--unblind", is_flag=True, help="Read [data]: its counts are the observations of workspace.json.")
@SET
def evaluate(config: Path, cuts: Path | None, output: Path, settings: Sequence[str], *, unblind: bool) -> None:
    """Yields and significance after given cuts, with the samples of CONFIG; no search.

    These may be other samples, another luminosity or other systematics than those that chose the cuts. Observed data
    are read with --unblind only; what they say is told by hepcuts significance workspace.json.
    """
    from . import configuration
    from .evaluating import evaluated, with_cuts

    files.try_folder(output)
    given = configuration.load(config, settings=as_settings(settings))
    selection = given.selection if cuts is None else with_cuts(given, cuts)
    found = evaluated(given, selection, unblind=unblind)
    files.write_text(output / "evaluation.json", json.dumps(found.to_dict(), indent=1) + "\n")
    files.write_text(output / "workspace.json", json.dumps(found.workspace, indent=1) + "\n")
    say(found.table().text())
    say(f"Wrote to {output}")
    if unblind:
        document = output / "workspace.json"
        say(f"The observed counts are in {document}; now: hepcuts significance {document}")
