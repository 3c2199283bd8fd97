"""A skeleton of a cabinetry configuration for a workspace, with the histograms that it reads."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from . import histograms
from .effects import Cell, Effects, effects
from .given import Gaussian, Given
from .naming import Names

Entry: TypeAlias = dict[str, Any]


def configuration(given: Given, shapes: str) -> tuple[Entry, dict[str, Any]]:
    """The configuration, and the histograms of the file that it names.

    Args:
        given: the workspace.
        shapes: path of the ROOT file, as the configuration has to name it.

    Returns:
        The configuration as a mapping, and histograms by their path in the file.

    Raises:
        UnsupportedModelError: cabinetry cannot express a part of the workspace; it is named.
    """
    found = effects(given)
    names = Names(given, found, reserved={"sample": (histograms.DATA,)})
    general: Entry = {
        "Measurement": given.measurement,
        "POI": given.poi,
        "InputPath": f"{shapes}:{{RegionPath}}/{{SamplePath}}{{VariationPath}}",
        "HistogramFolder": "histograms/",
        "VariationPath": "",
    }
    fixed = [name for name in dict.fromkeys([*found.rates, *found.shapes, *found.factors]) if given.is_fixed(name)]
    if fixed:
        general["Fixed"] = [{"Name": name, "Value": given.parameters[name][0].init} for name in fixed]
    made = {
        "General": general,
        "Regions": [{"Name": name, "RegionPath": path} for name, path in names.channels.items()],
        "Samples": [*_samples(given, found, names), {"Name": "Data", "SamplePath": histograms.DATA, "Data": True}],
        "Systematics": _systematics(given, found, names),
        "NormFactors": _norm_factors(given, found),
    }
    return made, histograms.templates(given, found, names)


def _samples(given: Given, found: Effects, names: Names) -> list[Entry]:
    made = []
    for sample, path in names.samples.items():
        regions = [region for region, other in _cells(given) if other == sample]
        entry: Entry = {"Name": sample, "SamplePath": path}
        if len(regions) < len(given.channels):
            entry["Regions"] = regions
        if not any((region, sample) in found.simulation for region in regions):
            entry["DisableStaterror"] = True
        made.append(entry)
    return made


def _cells(given: Given) -> list[Cell]:
    return [(channel["name"], sample["name"]) for channel in given.channels for sample in channel["samples"]]


def _systematics(given: Given, found: Effects, names: Names) -> list[Entry]:
    """Those of one name are one entry for each effect: an entry has one effect on all its regions and samples."""
    groups: dict[str, list[tuple[Entry, list[Cell]]]] = {}
    for name, rates in found.rates.items():
        by_effect: dict[tuple[float, float], list[Cell]] = {}
        for cell, sides in rates.items():
            by_effect.setdefault(sides, []).append(cell)
        groups.setdefault(name, []).extend((_normalization(*sides), cells) for sides, cells in by_effect.items())
    for name, shapes in found.shapes.items():
        paths = {side: {"VariationPath": f"_{names.parameters[name]}{side}"} for side in ("Up", "Down")}
        groups.setdefault(name, []).append(({"Type": "NormPlusShape", **paths}, list(shapes)))
    for name, cells in found.factors.items():
        constraint = given.parameters[name][0].constraint
        if isinstance(constraint, Gaussian):
            width = constraint.sigma / constraint.mean
            groups.setdefault(name, []).append((_normalization(1 - width, 1 + width), cells))
    return [entry for name, group in groups.items() for entry in _entries(name, group)]


def _normalization(low: float, high: float) -> Entry:
    return {"Type": "Normalization", "Up": _relative(high), "Down": _relative(low)}


def _relative(factor: float) -> Entry:
    # Without the last bits that the difference leaves: the file is read by people.
    return {"Normalization": round(factor - 1, 12)}


def _entries(name: str, group: Iterable[tuple[Entry, list[Cell]]]) -> list[Entry]:
    blocks = [(effect, *block) for effect, cells in group for block in _blocks(cells)]
    made = []
    for number, (effect, regions, samples) in enumerate(blocks, start=1):
        titles = {"Name": f"{name} ({number})", "ModifierName": name} if number > 1 else {"Name": name}
        made.append({**titles, **effect, "Regions": regions, "Samples": samples})
    return made


def _blocks(cells: Iterable[Cell]) -> list[tuple[list[str], list[str]]]:
    """Regions and samples that all belong together."""
    samples: dict[str, tuple[str, ...]] = {}
    for region, sample in cells:
        samples[region] = (*samples.get(region, ()), sample)
    regions: dict[tuple[str, ...], list[str]] = {}
    for region, those in samples.items():
        regions.setdefault(those, []).append(region)
    return [(where, list(those)) for those, where in regions.items()]


def _norm_factors(given: Given, found: Effects) -> list[Entry]:
    free = {name: cells for name, cells in found.factors.items() if given.parameters[name][0].constraint is None}
    signals = [cell for cell in _cells(given) if cell in found.signals]
    return [_norm_factor(given, name, cells) for name, cells in ({str(given.poi): signals} | free).items()]


def _norm_factor(given: Given, name: str, cells: list[Cell]) -> Entry:
    regions, samples = (list(dict.fromkeys(names)) for names in zip(*cells, strict=True))
    for cell in _cells(given):
        if cell[0] in regions and cell[1] in samples and cell not in cells:
            raise given.refusal(
                f"modifier {name!r} (normfactor)",
                f"is not on sample {cell[1]!r} in channel {cell[0]!r}, but on both elsewhere; to cabinetry it acts on "
                "all its samples in all its regions. Give it another name there.",
            )
    (one,) = given.parameters[name]
    bounds = [one.low, one.high]
    return {"Name": name, "Samples": samples, "Regions": regions, "Nominal": one.init, "Bounds": bounds}
