"""``hepcuts export``: a workspace for other programs."""

from collections.abc import Sequence
from pathlib import Path

import click

from hepcuts._core.texts import listed

from .afterwards import say

# The keys of hepcuts.histfactory.exporting.FORMATS, which is imported when the command runs; a test compares them.
NAMES = ("hs3", "combine", "cabinetry")


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--to", "target", type=click.Choice(NAMES), required=True, help="Which format.")
@click.option("--patch", "patches", multiple=True, type=click.Path(path_type=Path), help="JSON patch or patch set.")
@click.option("--point", help="Which point of the patch set.")
@click.option("--measurement", help="Name of the measurement; the first if not given.")
def export(
    workspace: Path,
    output: Path,
    *,
    target: str,
    patches: Sequence[Path],
    point: str | None,
    measurement: str | None,
) -> None:
    """Write a pyhf WORKSPACE to OUTPUT as HS3 JSON, a datacard of CMS combine, or a configuration of cabinetry.

    A datacard and a configuration have a ROOT file of histograms beside them. What the format cannot express is refused
    by name. WORKSPACE is as for hepcuts significance.
    """
    from hepcuts._core import files  # noqa: PLC0415
    from hepcuts.histfactory.exporting import FORMATS  # noqa: PLC0415

    files.try_folder(output.parent)
    written = FORMATS[target](workspace, output, measurement=measurement, patches=patches, point=point)
    say(f"Wrote {listed(written)}")
