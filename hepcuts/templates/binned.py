"""Sums over the bins of histograms, in place of those over events: of all bins, and after cuts at their edges."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.decimals import exact
from hepcuts._core.errors import EmptySelectionError, InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Selection, Window
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.modifiers import HistoSys

from .ranges import range_sums
from .templates import Component, Structure, Templates, Yields

_SAME = 1e-6
"""A threshold is that edge from which it differs by less than this share of a bin: numbers are written with less than
all their digits."""


class HistogramSums:
    """The bins of all histograms and variations, to be summed after a cut at any of their edges.

    It stands where `hepcuts.templates.cumulative.Cumulative` stands for events.

    Args:
        histograms: checked.
        cut: a cut or a window on their variable; its own thresholds are not used.
        structure: of the templates, which count.

    Attributes:
        cut: as given, told of whole numbers.
        structure: as given.
        blocks: none: there are no events.
        remark: what there is not.

    Raises:
        InputError: a cut of another kind, or on another variable.
    """

    remark = "of histograms, which have no single events: no held-out values, replicas of bins"
    blocks = ()

    def __init__(self, histograms: Sequence[Histogram], cut: AbstractCut, structure: Structure) -> None:
        first = histograms[0]
        if type(cut) not in {Cut, Window}:
            raise InputError(f"{cut}: histograms are cut on with hepcuts.Cut or hepcuts.Window.")
        if cut.variable != first.variable:
            raise InputError(f"{cut}: the histograms are of {first.variable!r}, and know no other variable.")
        self.cut = dataclasses.replace(cut, integer=True) if first.contents.integer else cut  # type: ignore[call-arg]
        self.structure = structure
        self.edges = first.contents.edges
        self._sums = table_of(histograms, structure)

    def distinct(self) -> "SumsAfter":
        """The yields at all edges, but those which nothing would pass."""
        some = np.any(self._sums != 0, axis=(0, 1, 2))
        chosen = np.ones(len(self.edges), dtype=bool)
        if self.cut.signs == (1,):
            chosen[-1] = some[-1]
        elif self.cut.signs == (-1,):
            chosen[0] = some[0]
        return SumsAfter(self, self.edges[chosen])

    def at(self, thresholds: FloatArray) -> "SumsAfter":
        """The yields at some edges, shape (row,), or (row, 2) for a window.

        Raises:
            InputError: one is no edge.
        """
        return SumsAfter(self, self.edges[self._numbers(thresholds)])

    def within(self, points: FloatArray, bounds: tuple[float, float]) -> FloatArray:
        """Edges within bounds; these themselves are perhaps none."""
        return points[(points >= bounds[0]) & (points <= bounds[1])]

    def _numbers(self, thresholds: FloatArray) -> NDArray[np.int64]:
        """Positions of edges."""
        nearest = np.abs(self.edges[:, None] - np.ravel(thresholds)).argmin(axis=0).reshape(np.shape(thresholds))
        off = np.abs(self.edges[nearest] - thresholds) > _SAME * np.diff(self.edges).min()
        for wrong in thresholds[off]:
            around = np.clip(np.searchsorted(self.edges, wrong) + np.array([-1, 0]), 0, len(self.edges) - 1)
            edges = " and ".join(dict.fromkeys(exact(edge) for edge in self.edges[around]))
            raise InputError(
                f"Cut on {self.cut.variable!r}: {exact(wrong)} is no edge of the histograms, so that what passes is "
                f"not known; the nearest: {edges}."
            )
        return np.asarray(nearest, dtype=np.int64)

    def after(self, thresholds: FloatArray, times: FloatArray | float = 1.0) -> FloatArray:
        """Sums of weights and of squares, shape (2, variation, sample, row); none is a difference.

        Args:
            thresholds: edges, shape (row,) or (row, 2).
            times: how often each bin counts, shape (2, 1, sample, bin + 2).
        """
        numbers = self._numbers(thresholds)
        size = len(self.edges)
        if len(self.cut.signs) > 1:
            first, last = numbers[:, 0] + 1, numbers[:, 1]
        elif self.cut.signs == (1,):
            first, last = numbers + 1, np.full(len(numbers), size)
        else:
            first, last = np.zeros(len(numbers), dtype=np.int64), numbers
        return range_sums(self._sums * times, first, last)


@dataclasses.dataclass(frozen=True, eq=False)
class SumsAfter:
    """Yields after a cut, at each of some edges; as `hepcuts.templates.cumulative.YieldsAfter`.

    Attributes:
        sums: of the histograms.
        thresholds: shape (row,), or (row, 2) for a window.
    """

    sums: HistogramSums
    thresholds: FloatArray

    def __call__(self, rows: Any = slice(None)) -> Yields:
        """Yields of some rows: values and variances of shape (row, variation, sample, bin)."""
        return self._completed(self.sums.after(self.thresholds[rows]))

    def resampled(self, counts: Sequence[FloatArray], squares: Sequence[FloatArray]) -> Yields:
        """Yields of all rows if bins count more or less often than once; see `YieldsAfter.resampled`."""
        times = np.stack([np.stack(counts), np.stack(squares)])[:, None]
        return self._completed(self.sums.after(self.thresholds, times))

    def _completed(self, sums: FloatArray) -> Yields:
        complete = self.sums.structure.complete(*sums[..., None, :])
        return Yields(*(np.moveaxis(np.asarray(a), -1, 0) for a in (complete.values, complete.variances)))


def table_of(histograms: Sequence[Histogram], structure: Structure) -> FloatArray:
    """Sums of weights and of squares, shape (2, variation, sample, bin + 2), zero where there is no histogram."""
    size = len(histograms[0].contents.values)
    table = np.zeros((2, len(structure.variations), len(histograms), size))
    for number, one in enumerate(histograms):
        filled: dict[int, Any] = {0: one.contents}
        for modifier in one.modifiers:
            for side, variation in modifier.sides.items() if isinstance(modifier, HistoSys) else ():
                filled[structure.position(modifier.name, side)] = variation.histogram
        for position, contents in filled.items():
            table[:, position, number] = contents.values, contents.variances
    return table


def axis_of(histograms: Sequence[Histogram]) -> Any:
    """The axis of the histograms, as one of hist."""
    return hist.axis.Variable(histograms[0].contents.edges, name=histograms[0].variable)


def binned_templates(histograms: Sequence[Histogram], selection: Selection | None, structure: Structure) -> Templates:
    """Templates after a cut at edges of the histograms, which count; or, without one, of all bins or of their sum.

    Args:
        histograms: checked.
        selection: one cut on their variable, or None.
        structure: without a cut perhaps with their axis.

    Raises:
        InputError: another selection, or a threshold that is no edge.
        EmptySelectionError: nothing passes.
    """
    if selection is None:
        table = table_of(histograms, structure)
        if structure.axis is None:
            return Templates(structure, structure.complete(*table.sum(-1, keepdims=True)), np.zeros(len(histograms)))
        outside = table[0, 0, :, 0] + table[0, 0, :, -1]
        return Templates(structure, structure.complete(*table[..., 1:-1]), outside)
    yields = _after(histograms, selection, structure)
    if not np.any(yields.variance):
        raise EmptySelectionError(f"Selection {selection}: no event of any sample passes; loosen the cuts.")
    return Templates(structure, yields, np.zeros(len(histograms)))


def contents_after(histogram: Histogram, selection: Selection) -> float:
    """What of one histogram passes a cut at its edges; errors are those of `binned_templates`."""
    structure = Structure("", None, (Component(histogram.name, histogram.signal, (), staterror=False),))
    return float(_after((histogram,), selection, structure).nominal[0, 0])


def _after(histograms: Sequence[Histogram], selection: Selection, structure: Structure) -> Yields:
    if len(selection.cuts) != 1 or None in selection.thresholds:
        raise InputError(f"Histograms of one variable take one cut with its thresholds, not {selection}.")
    thresholds = np.array(selection.thresholds, dtype=np.float64)
    sums = HistogramSums(histograms, selection.cuts[0], structure)
    yields = sums.at(thresholds if len(thresholds) == 1 else thresholds[None])()
    return Yields(yields.values[0], yields.variances[0])
