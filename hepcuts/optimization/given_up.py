"""Cuts that a search gave up: thresholds beyond all events. Such a cut is no cut, and leaves the selection."""

from collections.abc import Collection, Sequence
from typing import Any

from hepcuts.cuts import AbstractCut, Cut, Selection, Window
from hepcuts.samples.sample import Sample

_SOME = 1000
"""Events of a sample that are looked at first: nearly always they tell."""


def without_given_up(
    samples: Sequence[Sample], selection: Selection, kept: Collection[str]
) -> tuple[Selection, tuple[str, ...]]:
    """The selection without cuts, or sides of windows, that reject no event, and the names of their thresholds.

    A cut that no value fails but that events without a value do stays. If nothing would be left all cuts stay.

    Args:
        samples: the events that chose the thresholds.
        selection: with its thresholds.
        kept: variables whose cuts stay as they are: their thresholds were fixed, or a control region is made of them.

    Example:
        >>> import hepcuts as hc
        >>> samples = [hc.Sample("s", {"x": [2, 3], "y": [1, 4]}, signal=True), hc.Sample("b", {"x": [1], "y": [5]})]
        >>> left, names = without_given_up(samples, hc.Cut("x", ">", 1.5) & hc.Window("y", 0.5, 4.5), ())
        >>> print(left, names)
        x > 1.5 & y < 4.5 ('y:low',)
    """
    found: list[AbstractCut] = []
    names: list[str] = []
    for cut in selection.cuts:
        if cut.variable in kept or cut.inverted:
            found.append(cut)
        elif _rejects_nothing(samples, cut):
            names += [cut.variable + suffix for suffix in cut.suffixes]
        elif (side := _needed_side(samples, cut)) is not None:
            found.append(side)
            names.append(f"{cut.variable}:{'low' if side.signs == (-1,) else 'high'}")
        else:
            found.append(cut)
    return (Selection(found) if found else selection), tuple(names)


def _needed_side(samples: Sequence[Sample], cut: AbstractCut) -> Cut | None:
    """The one side of a window that rejects events, or None if both do, or it is no window."""
    if type(cut) is not Window:
        return None
    options: dict[str, Any] = {"bounds": cut.bounds, "width": cut.width, "missing": cut.missing, "integer": cut.integer}
    above, below = Cut(cut.variable, ">", cut.low, **options), Cut(cut.variable, "<", cut.high, **options)
    needed = [other for one, other in ((above, below), (below, above)) if _rejects_nothing(samples, one)]
    return needed[0] if needed else None


def _rejects_nothing(samples: Sequence[Sample], cut: AbstractCut) -> bool:
    for sample in samples:
        columns = {name: sample.column(name) for name in cut.columns}
        for some in ({name: values[:_SOME] for name, values in columns.items()}, columns):
            if not cut.passes(some, missing=sample.missing).all():
                return False
    return True
