"""The command ``hepcuts prices``."""

from collections.abc import Sequence
from pathlib import Path

import click

from hepcuts._core.errors import InputError
from hepcuts._core.numbers import as_json as in_json

from .afterwards import say


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--patch", "patches", multiple=True, type=click.Path(path_type=Path), help="JSON patch or patch set.")
@click.option("--point", help="Which point of the patch set.")
@click.option("--measurement", help="Name of the measurement; the first if not given.")
@click.option("--poi", help="Name of the parameter of interest; the measurement's if not given.")
@click.option("--step", type=float, default=10.0, show_default=True, help="Steps, in percent; simulation is doubled.")
@click.option("--gain", type=float, default=0.1, show_default=True, help="Gain in Z that is priced; 0 for none.")
@click.option("--group", "groups", multiple=True, help="NAME=PATTERN: systematics that get better together.")
@click.option("--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw the prices, too (PNG, PDF, SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prices(
    workspace: Path,
    *,
    patches: Sequence[Path],
    point: str | None,
    measurement: str | None,
    poi: str | None,
    step: float,
    gain: float,
    groups: Sequence[str],
    figure: Path | None,
    as_json: bool,
) -> None:
    """What each systematic, simulation and the luminosity are worth in expected Z, of a pyhf WORKSPACE.

    WORKSPACE is what ``hepcuts significance`` takes.
    """
    from hepcuts.evaluation.prices import prices as prices_of  # noqa: PLC0415 (what a command needs is imported here)

    found = prices_of(
        workspace,
        step=step / 100.0,
        gain=gain or None,
        groups=_groups(groups),
        measurement=measurement,
        patches=patches,
        point=point,
        poi=poi,
    )
    say(in_json(found.to_dict()) if as_json else repr(found))
    if figure is not None:
        from hepcuts.plotting.saving import save  # noqa: PLC0415

        save(found.plot(), figure)


def _groups(given: Sequence[str]) -> dict[str, list[str]]:
    """Patterns of each group; a group may be named several times."""
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, pattern = text.partition("=")
        if not (name and equals and pattern):
            raise InputError(f"--group {text}: expected NAME=PATTERN, such as jets='JES_*'.")
        found.setdefault(name, []).append(pattern)
    return found
