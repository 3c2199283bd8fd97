"""Workspaces for other programs: HS3, datacards of CMS combine, and configurations of cabinetry.

A workspace as `hepcuts.workspace` makes it, or any other of pyhf's, is read, checked and written; what the other format
cannot express is refused by name, never left out. pyhf, cabinetry and everything else that reads pyhf's JSON take the
workspace as it is.

Example:
    >>> import json, tempfile
    >>> import hepcuts as hc
    >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
    >>> workspace = hc.workspace(hc.fill(samples, hc.Cut("x", ">", 20.0)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (written,) = hc.export.hs3(workspace, f"{folder}/hs3.json")
    ...     [d["type"] for d in json.loads(written.read_text())["distributions"]]
    ['histfactory_dist', 'poisson_dist', 'poisson_dist']
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from hepcuts._core import files

from .given import Workspace, given

Files: TypeAlias = tuple[Path, ...]

__all__ = ["FORMATS", "cabinetry", "combine", "hs3"]


def hs3(
    workspace: Workspace,
    path: str | Path,
    *,
    measurement: str | None = None,
    patches: Sequence[Any] = (),
    point: str | None = None,
) -> Files:
    """Write a workspace as HS3 JSON, the HEP Statistics Serialization Standard, which ROOT and pyhs3 read.

    Nothing is approximated. ``staterror``, ``shapesys`` and ``lumi`` are written as factors with their constraints
    beside them, because programs read their short forms in different ways.

    Args:
        workspace: a pyhf workspace or its path, as `hepcuts.HistFactory.from_workspace` takes it.
        path: the file to write.
        measurement: name of the measurement, or None for the first.
        patches: see `hepcuts.HistFactory.from_workspace`.
        point: see `hepcuts.HistFactory.from_workspace`.

    Returns:
        The path of the file.

    Raises:
        InputError: the workspace cannot be read or is not valid.
        UnsupportedModelError: HS3 cannot express a part of it, which is named.
    """
    from .hs3_document import document  # noqa: PLC0415 (only what is asked for)

    found = given(workspace, measurement, patches, point)
    return (files.write_text(path, json.dumps(document(found), indent=1) + "\n"),)


def combine(
    workspace: Workspace,
    path: str | Path,
    *,
    measurement: str | None = None,
    patches: Sequence[Any] = (),
    point: str | None = None,
) -> Files:
    """Write a workspace as a datacard of CMS combine, with its ROOT file beside it. Needs uproot (``hepcuts[root]``).

    Names become letters, digits and underscores, the parameter of interest becomes combine's ``r``, and the bins have
    their numbers as edges, which a workspace does not know.

    Args:
        workspace: as `hs3`.
        path: the card to write; the ROOT file has the same name with the ending ``.root``.
        measurement: as `hs3`.
        patches: as `hs3`.
        point: as `hs3`.

    Returns:
        The paths of card and ROOT file.

    Raises:
        InputError: the workspace cannot be read or is not valid, or uproot is not installed.
        UnsupportedModelError: combine cannot express a part of it, which is named.
    """
    from .datacard import datacard  # noqa: PLC0415
    from .histograms import write  # noqa: PLC0415

    card = Path(path)
    shapes = card.with_suffix(".root")
    text, histograms = datacard(given(workspace, measurement, patches, point), shapes.name)
    write(shapes, histograms)
    return files.write_text(card, text), shapes


def cabinetry(
    workspace: Workspace,
    path: str | Path,
    *,
    measurement: str | None = None,
    patches: Sequence[Any] = (),
    point: str | None = None,
) -> Files:
    """Write a configuration of cabinetry for a workspace, with its ROOT file beside it. Needs uproot.

    It is a skeleton to go on from, with regions, samples, systematics and factors under their names: cabinetry has one
    ``staterror`` for all samples of a region, which stands for every modifier of single bins, and a change of the rate
    for ``lumi``.

    Args:
        workspace: as `hs3`.
        path: the configuration (YAML) to write; the ROOT file has the same name with the ending ``.root``.
        measurement: as `hs3`.
        patches: as `hs3`.
        point: as `hs3`.

    Returns:
        The paths of configuration and ROOT file.

    Raises:
        InputError: the workspace cannot be read or is not valid, or uproot is not installed.
        UnsupportedModelError: cabinetry cannot express a part of it, which is named.
    """
    import yaml  # noqa: PLC0415

    from .configuration import configuration  # noqa: PLC0415
    from .histograms import write  # noqa: PLC0415

    target = Path(path)
    shapes = target.with_suffix(".root")
    found, histograms = configuration(given(workspace, measurement, patches, point), str(shapes))
    write(shapes, histograms)
    return files.write_text(target, yaml.safe_dump(found, sort_keys=False, width=120)), shapes


FORMATS: Mapping[str, Callable[..., Files]] = MappingProxyType({"hs3": hs3, "combine": combine, "cabinetry": cabinetry})
"""What can be written, by the name of the format."""
