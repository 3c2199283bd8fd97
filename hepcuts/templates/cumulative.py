"""Yields after every threshold of one cut at once: events are sorted once, then summed from the thin side.

No yield is a difference of cumulative sums: of one edge the sums are cumulative, and those of a window are put
together of sums between edges (`hepcuts.templates.ranges`).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.sample import Sample

from .events import Block, Multiplicity, blocks_of
from .filling import structure_of
from .ranges import range_sums, segment_sums
from .templates import Structure, Yields

_MOST_RANKS = 20_000_000
"""Positions of thresholds among the events that are kept."""


@dataclasses.dataclass(frozen=True, eq=False)
class SortedBlock:
    """Events of one sample and variation, in the order of the variable that is cut on.

    Attributes:
        variation: position of the variation.
        sample: position of the sample.
        x: values of the variable, ascending, shape (event,). Events without a value are not among them.
        weights: shape (event,).
        times: how often each event counts, shape (event,), or 1 for all.
        bins: bin of each event, shape (event,); None if there is only one.
        column: values of all events of the sample, not sorted.
        present: numbers of those that are here, shape (event,), or None for all.
        always: events without a value that pass whatever the threshold, as weights, bins and origins.
        kept: sums over these of weights and of squared weights, shape (2, bin).
    """

    variation: int
    sample: int
    x: FloatArray
    weights: FloatArray
    times: FloatArray | float
    bins: NDArray[np.int64] | None
    column: FloatArray
    present: NDArray[np.int64] | None
    always: tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]
    kept: FloatArray

    @classmethod
    def of(cls, block: Block, cut: AbstractCut, multiplicity: Multiplicity | None = None) -> Self:
        """Sort the events of a block that holds all of a sample and variation."""
        x, number = block.columns[cut.variable], block.structure.num_bins
        absent = block.absent(cut.variable)
        present = block.inside & ~absent
        here = None if present.all() else np.flatnonzero(present)
        lost = np.flatnonzero(block.inside & absent) if cut.missing == "pass" else np.zeros(0, dtype=np.int64)
        always = block.weights[lost], block.bins[lost], block.origin[lost]
        times = block.times(multiplicity, lost)
        kept = np.stack([np.bincount(always[1], always[0] ** p * times, minlength=number) for p in (1, 2)])
        rest: tuple[Any, ...] = x, here, always, kept.astype(np.float64)
        if here is None and number == 1 and multiplicity is None and len(x) and _are_equal(block.weights):
            # Of equal weights nothing but the values has to be sorted.
            return cls(block.variation, block.sample, np.sort(x), block.weights, 1.0, None, *rest)
        order = _sorted_order(x, here)
        ordered = None if number == 1 else block.bins[order]
        times = block.times(multiplicity, order)
        return cls(block.variation, block.sample, x[order], block.weights[order], times, ordered, *rest)

    @functools.cached_property
    def origin(self) -> NDArray[np.int64]:
        """Number of each event within its sample, shape (event,)."""
        return _sorted_order(self.column, self.present)

    def in_bin(self, number: int) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
        """Values of the events of one bin, ascending, and their weights and squared weights, each of shape (event,)."""
        here = slice(None) if self.bins is None else np.flatnonzero(self.bins == number)
        weights = self.weights[here]
        if isinstance(self.times, float):
            return self.x[here], (weights, weights**2)
        return self.x[here], (weights * self.times[here], weights**2 * self.times[here])


def _are_equal(values: FloatArray) -> bool:
    return bool(values.min() == values.max())


def _sorted_order(column: FloatArray, present: NDArray[np.int64] | None) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.argsort(column) if present is None else present[np.argsort(column[present])]
    return order


class Cumulative:
    """The events of all samples and variations, sorted, to be summed after a cut at any thresholds.

    Args:
        samples: with the columns that are needed.
        cut: a cut or a window; its own thresholds are not used.
        structure: of the templates.
        multiplicity: how often each event counts, or None for once.

    Attributes:
        blocks: the sorted events.
        cut: as given.
        structure: as given.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        cut: AbstractCut,
        structure: Structure,
        multiplicity: Multiplicity | None = None,
    ) -> None:
        self.cut, self.structure = cut, structure
        self.blocks = [
            SortedBlock.of(block, cut, multiplicity) for block in blocks_of(samples, structure, [cut.variable])
        ]

    def distinct(self) -> "YieldsAfter":
        """The yields at all thresholds that make a difference, ascending; see `distinct_thresholds`."""
        values = np.concatenate([block.x for block in self.blocks])
        # A stable sort merges what is sorted in parts.
        order = np.argsort(values, kind="stable")
        values = values[order]
        last = np.append(values[1:] != values[:-1], True) if len(values) else np.zeros(0, dtype=bool)
        thresholds = _between_values(values, self.cut)
        ranks = None
        if self.structure.num_bins == 1 and len(self.cut.signs) == 1 and len(values) * len(self.blocks) < _MOST_RANKS:
            # How many events of each block lie below: what would have to be searched for again.
            block = np.repeat(np.arange(len(self.blocks), dtype=np.int32), [len(b.x) for b in self.blocks])[order]
            counts = [np.cumsum(block == number, dtype=np.int32) for number in range(len(self.blocks))]
            counts = counts if last.all() else [count[last] for count in counts]
            above = self.cut.signs == (1,)
            ranks = [np.append(np.int32(0), count[:-1]) if above else count for count in counts]
        return YieldsAfter(self, thresholds, ranks)

    def at(self, thresholds: FloatArray) -> "YieldsAfter":
        """The yields at some thresholds, shape (row,), or (row, 2) for a window."""
        return YieldsAfter(self, thresholds)

    @functools.cached_property
    def tails(self) -> list[tuple[SortedBlock, int, FloatArray, tuple[FloatArray, FloatArray]]]:
        """For each block and bin: values, ascending, and the sums of weights and squares of what passes one edge.

        The sums are those behind each event, of shape (event + 1,), summed from the far end, where few events are
        left, so that the tail is exact.
        """
        below, found = self.cut.signs == (-1,), []
        for block in self.blocks:
            for number in range(self.structure.num_bins):
                x, (weights, squares) = block.in_bin(number)
                found.append((block, number, x, (_tail(weights, below=below), _tail(squares, below=below))))
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class YieldsAfter:
    """Hard yields after a cut, at each of some thresholds.

    Attributes:
        events: sorted.
        thresholds: shape (row,), or (row, 2) for a window.
        ranks: for each block of events the number of them below each threshold, shape (row,), if it is known.
    """

    events: Cumulative
    thresholds: FloatArray
    ranks: Sequence[NDArray[np.integer[Any]]] | None = None

    def __call__(self, rows: Any = slice(None)) -> Yields:
        """Yields of some rows: values and variances of shape (row, variation, sample, bin)."""
        sums = self._of_edges(rows) if self.thresholds.ndim == 1 else self._of_windows(rows)
        for block in self.events.blocks:
            for target, kept in zip(sums, block.kept, strict=True):
                if kept.any():
                    target[block.variation, block.sample] += kept[:, None]
        complete = self.events.structure.complete(*sums)
        return Yields(*(np.moveaxis(np.asarray(a), -1, 0) for a in (complete.values, complete.variances)))

    def _empty(self, columns: int) -> tuple[FloatArray, FloatArray]:
        """Zeros for sums of weights and for sums of squares, shape (variation, sample, bin, column)."""
        structure = self.events.structure
        shape = len(structure.variations), len(structure.components), structure.num_bins, columns
        return np.zeros(shape), np.zeros(shape)

    def _of_edges(self, rows: Any) -> tuple[FloatArray, FloatArray]:
        """Sums of weights and of squares that pass one edge, each of shape (variation, sample, bin, row)."""
        side: Any = "left" if self.events.cut.signs == (-1,) else "right"
        points, of_events = self.thresholds[rows], self.events.tails
        found = self._empty(len(points))
        for number, (block, bin_number, x, tails) in enumerate(of_events):
            at = np.searchsorted(x, points, side=side) if self.ranks is None else self.ranks[number][rows]
            for target, tail in zip(found, tails, strict=True):
                target[block.variation, block.sample, bin_number] = tail[at]
        return found

    def _of_windows(self, rows: Any) -> tuple[FloatArray, FloatArray]:
        """Sums of weights and of squares between two edges, of the same shapes."""
        numbers, (sums, squares) = self._segments
        first, last = 2 * numbers[rows, 0] + 1, 2 * numbers[rows, 1] - 1
        return range_sums(sums, first, last), range_sums(squares, first, last)

    @functools.cached_property
    def _segments(self) -> tuple[NDArray[np.int64], tuple[FloatArray, FloatArray]]:
        """Numbers of the edges of each window, and sums of weights and squares on and between neighboring edges.

        Of the sums, shape (variation, sample, bin, segment), number 2 i is that of events on edge i, number 2 i + 1
        that of events between the edges i and i + 1.
        """
        edges, numbers = np.unique(self.thresholds, return_inverse=True)
        found = self._empty(2 * len(edges) - 1)
        for block in self.events.blocks:
            for number in range(self.events.structure.num_bins):
                x, weights = block.in_bin(number)
                bounds = np.stack([np.searchsorted(x, edges, side) for side in ("left", "right")], axis=1).ravel()
                for target, summands in zip(found, weights, strict=True):
                    target[block.variation, block.sample, number] = segment_sums(summands, bounds)
        return numbers.reshape(self.thresholds.shape), found


def _tail(weights: FloatArray, *, below: bool) -> FloatArray:
    """Sums of all weights from each position on (or, of those below it)."""
    size = len(weights)
    if size and _are_equal(weights):
        numbers = np.arange(size + 1.0) if below else np.arange(size, -1.0, -1.0)
        numbers *= weights[0]
        return numbers
    sums = np.zeros(size + 1)
    if below:
        np.cumsum(weights, out=sums[1:])
    else:
        np.cumsum(weights[::-1], out=sums[-2::-1])
    return sums


def distinct_thresholds(samples: Sequence[Sample], cut: AbstractCut) -> FloatArray:
    """All thresholds that make a difference, shape (threshold,), ascending.

    Halfway between neighboring values of any sample or variation, and one on either side of all values would select
    all or none: the one that selects all is included (of a window, which has two edges, both).

    Raises:
        InputError: no event has a value of the variable.
    """
    structure = structure_of(samples, axis=None, channel="")
    blocks = blocks_of(samples, structure, [cut.variable])
    values = np.concatenate([block.columns[cut.variable][~block.absent(cut.variable)] for block in blocks])
    return _between_values(np.sort(values), cut)


def _between_values(values: FloatArray, cut: AbstractCut) -> FloatArray:
    """Thresholds between ascending values."""
    if len(values) == 0:
        raise InputError(f"No event has a value of {cut.variable!r} to cut on.")
    different = values[1:] != values[:-1]
    if not different.all():
        values = values[np.append(True, different)]
    middle = 0.5 * (values[1:] + values[:-1])
    # Of neighbors that differ in the last bit the middle may round to the one that would not pass.
    if 1 in cut.signs:
        middle = np.where(middle >= values[1:], values[:-1], middle)
    else:
        middle = np.maximum(middle, np.nextafter(values[:-1], np.inf))
    first = [np.nextafter(values[0], -np.inf)] if 1 in cut.signs else []
    last = [np.nextafter(values[-1], np.inf)] if -1 in cut.signs else []
    return np.concatenate([first, middle, last])
