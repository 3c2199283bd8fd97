"""A workspace as a datacard of CMS combine, with the histograms that belong to it.

What becomes what, what is equal and what is interpolated differently is in the table of the page "To other programs".
The line ``autoMCStats`` of a channel has three numbers: the threshold, which decides between the parameters of a
``staterror`` (0: one Gaussian for each bin) and those of a ``shapesys`` (a large one: a Poisson for each process and
bin); 1, that signals count with the others for it; and 2, that templates are varied as they are, as in HistFactory, and
not shape and rate apart.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hepcuts._core.decimals import exact
from hepcuts._core.tables import SummaryTable
from hepcuts._core.types import FloatArray
from hepcuts._core.version import __version__

from . import histograms
from .effects import Cell, Effects, Modifier, effects
from .given import Channel, Gaussian, Given, place
from .naming import Names

POI = "r"
"""Combine's own name of the parameter that scales all signals."""
_BY_TEMPLATE = 2
"""The mode of ``autoMCStats`` in which templates are varied as they are."""


def datacard(given: Given, shapes: str) -> tuple[str, dict[str, Any]]:
    """The text of the card, and the histograms of the file that it names.

    Args:
        given: the workspace.
        shapes: name of the ROOT file, as the card has to name it.

    Returns:
        The text, and histograms by their path in the file.

    Raises:
        UnsupportedModelError: combine cannot express a part of the workspace; it is named.
    """
    found = effects(given)
    _check(given, found)
    names = Names(given, found, reserved={"sample": (histograms.DATA,), "modifier": (POI,)})
    cells = [(channel["name"], sample["name"]) for channel in given.channels for sample in channel["samples"]]
    ids = _ids(given, found, cells)
    blocks = [
        f"# Written by hepcuts {__version__}: measurement {given.measurement}\n"
        f"# The parameter of interest, {given.poi!r} in the workspace, is {POI!r} in combine.",
        f"imax {len(given.channels)}\njmax {len(ids) - 1}\nkmax *",
        f"shapes * * {shapes} $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC",
        _observations(given, names),
        _processes(given, names, cells, ids),
        _systematics(found, names, cells),
        _factors(given, found, names),
        _simulation(given, found, names),
    ]
    text = f"\n{'-' * 40}\n".join(filter(None, blocks)) + "\n"
    return text, histograms.templates(given, found, names)


def _check(given: Given, found: Effects) -> None:
    """Refuse what combine would leave out or set to something else."""
    for channel in given.channels:
        types: set[str] = set()
        for sample in channel["samples"]:
            cell = channel["name"], sample["name"]
            _check_templates(given, found, cell, np.asarray(sample["data"]))
            for modifier in found.simulation.get(cell, []):
                types.add(modifier["type"])
                _check_simulation(given, place(channel, sample, modifier), modifier, found.simulation[cell], types)


def _check_templates(given: Given, found: Effects, cell: Cell, template: FloatArray) -> None:
    where = f"sample {cell[1]!r} of channel {cell[0]!r}"
    varied = {name: shapes[cell] for name, shapes in found.shapes.items() if cell in shapes}
    for what, one in [("", template), *((f" under {name!r}", one) for name, both in varied.items() for one in both)]:
        if one.min() < 0:
            raise given.refusal(
                where, f"expects {one.min():g} events in a bin{what}, which combine would set to 0; merge bins."
            )
        if one.any() and not template.any():
            raise given.refusal(where, f"has events{what} only; combine leaves out what has no nominal events.")


def _check_simulation(
    given: Given, where: str, modifier: Modifier, beside: Sequence[Modifier], types: Collection[str]
) -> None:
    if len(beside) > 1:
        raise given.refusal(
            where,
            "is one of several uncertainties of single bins of this sample; combine takes one, from its histogram. Add "
            "them in quadrature.",
        )
    if len(types) > 1:
        raise given.refusal(
            where,
            "stands beside one of another type in this channel; combine has one rule (autoMCStats) for all samples of "
            "a channel. Use staterror or shapesys for all of them.",
        )
    if given.is_fixed(modifier["name"]):
        raise given.refusal(
            where, "is fixed by the measurement, but combine makes these parameters itself. Take the modifier out."
        )


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    return SummaryTable("", [*rows]).text()


def _ids(given: Given, found: Effects, cells: Sequence[Cell]) -> dict[str, int]:
    """Numbers of the samples: 0 and below of signals, 1 and above of backgrounds."""
    signals = [
        sample for sample in dict.fromkeys(s for _, s in cells) if any((c, sample) in found.signals for c, _ in cells)
    ]
    for cell in cells:
        if cell[1] in signals and cell not in found.signals:
            raise given.refusal(
                f"sample {cell[1]!r}",
                f"is scaled by {given.poi!r} in another channel, but not in {cell[0]!r}; combine knows signal in all "
                "channels or in none. Give it two names.",
            )
    backgrounds = [sample for sample in dict.fromkeys(s for _, s in cells) if sample not in signals]
    numbers = {sample: -number for number, sample in enumerate(signals)}
    return numbers | {sample: number for number, sample in enumerate(backgrounds, start=1)}


def _observations(given: Given, names: Names) -> str:
    totals = [exact(sum(given.observed(channel["name"]))) for channel in given.channels]
    return _aligned([["bin", *names.channels.values()], ["observation", *totals]])


def _processes(given: Given, names: Names, cells: Sequence[Cell], ids: Mapping[str, int]) -> str:
    rates = [exact(sum(sample["data"])) for channel in given.channels for sample in channel["samples"]]
    channels, samples = zip(*map(names.cell, cells), strict=True)
    numbers = [str(ids[sample]) for _, sample in cells]
    return _aligned([["bin", *channels], ["process", *samples], ["process", *numbers], ["rate", *rates]])


def _systematics(found: Effects, names: Names, cells: Sequence[Cell]) -> str:
    """One line for each parameter with a Gaussian constraint: factors on rates, templates, or both."""
    rows = []
    for name in sorted({*found.rates, *found.shapes}):
        rates, shapes = found.rates.get(name, {}), found.shapes.get(name, {})
        kind = "lnN" if not shapes else "shape?" if rates else "shape"
        row = []
        for cell in cells:
            low, high = rates.get(cell, (None, None))
            row.append(f"{exact(low)}/{exact(high)}" if low and high else "1" if cell in shapes else "-")
        rows.append([names.parameters[name], kind, *row])
    return _aligned(rows) + _frozen([*found.rates, *found.shapes], found.given, names) if rows else ""


def _factors(given: Given, found: Effects, names: Names) -> str:
    rows = []
    for name, cells in found.factors.items():
        (one,) = given.parameters[name]
        bounds = f"[{exact(one.low)},{exact(one.high)}]"
        rows += [[names.parameters[name], "rateParam", *names.cell(c), exact(one.init), bounds] for c in cells]
        if isinstance(one.constraint, Gaussian):
            width = exact(one.constraint.mean), exact(one.constraint.sigma)
            rows.append([names.parameters[name], "param", *width, "", ""])
    return _aligned(rows) + _frozen(found.factors, given, names) if rows else ""


def _frozen(modifiers: Iterable[str], given: Given, names: Names) -> str:
    fixed = [name for name in dict.fromkeys(modifiers) if given.is_fixed(name)]
    return "".join(f"\nnuisance edit freeze {names.parameters[name]}" for name in fixed)


def _simulation(given: Given, found: Effects, names: Names) -> str:
    """How finite simulation is treated in each channel."""
    rows = []
    for channel in given.channels:
        cells = [(channel["name"], sample["name"]) for sample in channel["samples"]]
        types = {modifier["type"] for cell in cells for modifier in found.simulation.get(cell, [])}
        # Without any the line is there for the way in which templates are varied.
        threshold = _beyond(channel) if "shapesys" in types else 0 if types else -1
        name = names.channels[channel["name"]]
        rows.append([name, "autoMCStats", str(threshold), "1", str(_BY_TEMPLATE)])
    return _aligned(rows)


def _beyond(channel: Channel) -> int:
    """A threshold above the effective simulated events of all bins and samples, with room for factors on rates."""
    contents = np.array([sample["data"] for sample in channel["samples"]])
    variances = np.square([histograms.uncertainties(channel, sample) for sample in channel["samples"]])
    contents, variances = np.vstack([contents, contents.sum(0)]), np.vstack([variances, variances.sum(0)])
    effective = np.divide(contents**2, variances, out=np.zeros_like(contents), where=variances > 0)
    return 10 * math.ceil(float(effective.max())) + 10
