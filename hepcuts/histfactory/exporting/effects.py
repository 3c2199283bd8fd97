"""What the modifiers of a workspace do, sorted by the words that datacards and configurations have for it."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from hepcuts._core.types import FloatArray

from .given import Channel, Given, place

Cell: TypeAlias = tuple[str, str]
"""Channel and sample."""
Modifier: TypeAlias = Mapping[str, Any]
_Sample: TypeAlias = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Effects:
    """The modifiers of a workspace; by name, those of constrained parameters.

    Attributes:
        given: the workspace.
        rates: factors down and up of the cells whose rate it changes.
        shapes: templates down and up of the cells whose template it changes, each of shape (bin,).
        factors: modifiers that are factors on a rate themselves, with their cells.
        signals: cells that the parameter of interest scales.
        simulation: modifiers of single bins of each cell that has some.
    """

    given: Given
    rates: dict[str, dict[Cell, tuple[float, float]]] = dataclasses.field(default_factory=dict)
    shapes: dict[str, dict[Cell, tuple[FloatArray, FloatArray]]] = dataclasses.field(default_factory=dict)
    factors: dict[str, list[Cell]] = dataclasses.field(default_factory=dict)
    signals: set[Cell] = dataclasses.field(default_factory=set)
    simulation: dict[Cell, list[Modifier]] = dataclasses.field(default_factory=dict)


def effects(given: Given) -> Effects:
    """Sort the modifiers of a workspace.

    A ``normsys`` and a ``histosys`` of one name on one sample of a channel become one change of the template, with the
    factors multiplied in.

    Raises:
        UnsupportedModelError: a ``shapefactor``, a parameter of interest that is no ``normfactor``, or constraints that
            are no standard normal distributions.
    """
    found = Effects(given)
    for channel in given.channels:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                _SORT[modifier["type"]](found, channel, sample, modifier)
    for name, shapes in found.shapes.items():
        rates = found.rates.get(name, {})
        for cell in set(shapes) & set(rates):
            (low, high), (down, up) = rates.pop(cell), shapes[cell]
            shapes[cell] = low * down, high * up
    if not found.signals:
        raise given.refusal(
            f"the parameter of interest {given.poi!r}", "is no normfactor; choose a measurement that has one."
        )
    return found


def _cell(channel: Channel, sample: _Sample) -> Cell:
    return channel["name"], sample["name"]


def _normfactor(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    if modifier["name"] == found.given.poi:
        found.signals.add(_cell(channel, sample))
    else:
        _lumi(found, channel, sample, modifier)


def _lumi(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    found.factors.setdefault(modifier["name"], []).append(_cell(channel, sample))


def _normsys(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    _check_constraint(found, channel, sample, modifier)
    sides = float(modifier["data"]["lo"]), float(modifier["data"]["hi"])
    found.rates.setdefault(modifier["name"], {})[_cell(channel, sample)] = sides


def _histosys(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    _check_constraint(found, channel, sample, modifier)
    down, up = (np.asarray(modifier["data"][side], dtype=np.float64) for side in ("lo_data", "hi_data"))
    found.shapes.setdefault(modifier["name"], {})[_cell(channel, sample)] = down, up


def _check_constraint(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    if modifier["name"] == found.given.poi or not found.given.unit_constraint(modifier["name"]):
        raise found.given.refusal(
            place(channel, sample, modifier),
            "is the parameter of interest, or has auxdata or sigmas of its own; expected is a Gaussian around 0 of "
            "width 1. Rescale its variations.",
        )


def _single_bins(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    found.simulation.setdefault(_cell(channel, sample), []).append(modifier)


def _refused(found: Effects, channel: Channel, sample: _Sample, modifier: Modifier) -> None:
    raise found.given.refusal(
        place(channel, sample, modifier),
        "has a free factor for each bin, for which there is no word there. Make a channel of each bin, with a "
        "normfactor.",
    )


_SORT: Mapping[str, Callable[[Effects, Channel, _Sample, Modifier], None]] = MappingProxyType(
    {
        "histosys": _histosys,
        "lumi": _lumi,
        "normfactor": _normfactor,
        "normsys": _normsys,
        "shapefactor": _refused,
        "shapesys": _single_bins,
        "staterror": _single_bins,
    }
)
