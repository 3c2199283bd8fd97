"""Regions beside the signal region: channels of the same likelihood whose cuts are shared, inverted or left out."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from hepcuts._core.errors import InputError

from . import AbstractCut, Selection


@dataclasses.dataclass(frozen=True)
class Region:
    """A control region, whose thresholds move with those of the signal region.

    Args:
        name: name of the channel.
        inverted: variables whose cuts events have to fail.
        without: variables that are not cut on.
        axis: axis of its observable, or None to count.

    Raises:
        InputError: no name, or a variable both inverted and left out.

    Example:
        >>> import hepcuts as hc
        >>> signal_region = hc.Selection([hc.Cut("mt", ">", 100.0), hc.Cut("met", ">", 200.0)])
        >>> print(Region("control", inverted=["mt"]).selection(signal_region))
        not (mt > 100) & met > 200
    """

    name: str
    inverted: tuple[str, ...]
    without: tuple[str, ...]
    axis: Any

    def __init__(
        self, name: str, *, inverted: Iterable[str] = (), without: Iterable[str] = (), axis: Any = None
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "inverted", (inverted,) if isinstance(inverted, str) else tuple(inverted))
        object.__setattr__(self, "without", (without,) if isinstance(without, str) else tuple(without))
        object.__setattr__(self, "axis", axis)
        if not name:
            raise InputError("A region has no name; expected that of its channel.")
        both = set(self.inverted) & set(self.without)
        if both:
            raise InputError(f"Region {name!r}: {', '.join(sorted(both))} cannot be both inverted and left out.")

    def selection(self, signal_region: Selection) -> Selection:
        """The region's selection, in which each cut of the signal region appears, is inverted, or is left out.

        Raises:
            InputError: a variable that the signal region does not cut on, or no cut left.
        """
        unknown = [v for v in (*self.inverted, *self.without) if v not in signal_region.variables]
        if unknown:
            raise InputError(f"Region {self.name!r}: {', '.join(unknown)} is not cut on; the cuts are {signal_region}.")
        kept: list[AbstractCut] = [
            ~cut if cut.variable in self.inverted else cut
            for cut in signal_region.cuts
            if cut.variable not in self.without
        ]
        if not kept:
            raise InputError(f"Region {self.name!r} has no cut left; fill its templates beside the optimization.")
        return Selection(kept)


def regions_of(given: Any) -> tuple[Region, ...]:
    """Regions as they may be given: several, or a single one.

    Raises:
        InputError: something else.
    """
    if isinstance(given, Region):
        return (given,)
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(region, Region) for region in found):
        raise InputError(f"regions is {given!r}; expected hepcuts.Region objects.")
    return found


def positions(selection: Selection, signal_region: Selection) -> list[int]:
    """Where the thresholds of a region's selection stand among those of the signal region."""
    names: Sequence[str] = signal_region.names
    return [names.index(name) for name in selection.names]
