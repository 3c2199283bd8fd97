"""Yields after every threshold of one cut at once: events are sorted once, then summed from the thin side.

No yield is a difference of cumulative sums: of one edge the sums are cumulative, and those of a window are put
together of sums between edges (`hepcuts.templates.ranges`).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.errors import InputError
from hepcuts._core.executors import Executor, Serial, executor_of
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.sample import Sample

from .events import blocks_of
from .ranges import range_sums
from .sorted_events import Segments, SortedBlock, are_equal
from .templates import Structure, Yields

Counts = Sequence[FloatArray]
"""How often each event counts: for each sample an array of shape (event,)."""

_FEW = 200_000
"""Events that are sorted sooner than threads are started; set by scans of 11 000 and 150 000 on two cores."""

_MOST_RANKS = 20_000_000
"""Positions of thresholds among the events that are kept."""


class Cumulative:
    """The events of all samples and variations, sorted, to be summed after a cut at any thresholds.

    Args:
        samples: with the columns that are needed.
        cut: a cut or a window; its own thresholds are not used.
        structure: of the templates.
        executor: who sorts them, see `hepcuts._core.executors`; None for threads, unless there are few.

    Attributes:
        blocks: the sorted events.
        cut: as given.
        structure: as given.
        remark: what there is not: nothing.
    """

    remark = ""

    def __init__(
        self, samples: Sequence[Sample], cut: AbstractCut, structure: Structure, executor: Executor | None = None
    ) -> None:
        self.cut, self.structure = cut, structure
        few = executor is None and sum(map(len, samples)) < _FEW
        workers = Serial() if few else executor_of(executor)
        handles = workers.lay_out(blocks_of(samples, structure, cut.columns))
        self.blocks: list[SortedBlock] = workers.map(SortedBlock.of, handles, (cut,))

    def distinct(self) -> "YieldsAfter":
        """The yields at all thresholds that make a difference, ascending.

        Halfway between neighboring values of any sample or variation, and one on either side of all values would
        select all or none: the one that selects all is included (of a window, which has two edges, both).

        Raises:
            InputError: no event has a value of the variable.
        """
        values = np.concatenate([block.x for block in self.blocks])
        if len(values) == 0:
            raise InputError(f"No event has a value of {self.cut.variable!r} to cut on.")
        # A stable sort merges what is sorted in parts.
        order = np.argsort(values, kind="stable")
        values = values[order]
        above, different = self.cut.signs == (1,), values[1:] != values[:-1]
        # Of equal values the first one if it and those after it pass, else the last one.
        chosen: Any = np.append(True, different) if above else np.append(different, True)
        chosen = slice(None) if different.all() else chosen
        ranks = None
        if self.structure.num_bins == 1 and len(self.cut.signs) == 1 and len(values) * len(self.blocks) < _MOST_RANKS:
            # How many events of each block lie below: what would have to be searched for again.
            block = np.repeat(np.arange(len(self.blocks), dtype=np.int32), [len(b.x) for b in self.blocks])[order]
            below = np.zeros((len(self.blocks), len(values) + 1), dtype=np.int32)
            for number, count in enumerate(below):
                np.cumsum(block == number, out=count[1:])
            ranks = (below[:, :-1] if above else below[:, 1:])[:, chosen]
        return YieldsAfter(self, _between(values[chosen], self.cut), ranks)

    def at(self, thresholds: FloatArray) -> "YieldsAfter":
        """The yields at some thresholds, shape (row,), or (row, 2) for a window."""
        return YieldsAfter(self, thresholds)

    def within(self, points: FloatArray, bounds: tuple[float, float]) -> FloatArray:
        """Thresholds within bounds, and these themselves: they select what those beyond, up to the next value, do."""
        return np.unique(np.clip(points, *bounds))

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
        ranks: number of events of each block below each threshold, shape (block, row), if it is known.
    """

    events: Cumulative
    thresholds: FloatArray
    ranks: NDArray[np.int32] | None = None

    def __call__(self, rows: Any = slice(None)) -> Yields:
        """Yields of some rows: values and variances of shape (row, variation, sample, bin)."""
        sums = self._of_edge(rows) if self.thresholds.ndim == 1 else self._joined(self._segments, rows)
        for block in self.events.blocks:
            if len(block.always):
                sums[:, block.variation, block.sample] += block.kept[..., None]
        return self._completed(sums)

    def resampled(self, counts: Counts, squares: Counts) -> Yields:
        """Yields of all rows if events count more or less often than once; quick if the rows are few.

        Args:
            counts: how often each event counts, in all variations alike.
            squares: by how much each event's squared weight counts: as `counts` for copies of an event, and their
                squares for a weight that is scaled.
        """
        found = self._sums_in_segments((counts, squares))
        if self.thresholds.ndim == 1:
            sums = self._joined(found)
        else:
            with one_blas_thread():
                sums = found @ self._within
        for block in self.events.blocks:
            always = block.always
            for target, times, weights in ((sums[0], counts, always.weights), (sums[1], squares, always.squares)):
                kept = np.bincount(always.bins, weights * times[block.sample][always.origin], minlength=sums.shape[3])
                target[block.variation, block.sample] += kept[:, None]
        return self._completed(sums)

    def _empty(self, columns: int) -> FloatArray:
        """Zeros for sums of weights and of squares, shape (2, variation, sample, bin, column)."""
        structure = self.events.structure
        return np.zeros((2, len(structure.variations), len(structure.components), structure.num_bins, columns))

    def _completed(self, sums: FloatArray) -> Yields:
        """Yields with the rows in front, from sums of shape (2, variation, sample, bin, row)."""
        complete = self.events.structure.complete(*sums)
        return Yields(*(np.moveaxis(np.asarray(a), -1, 0) for a in (complete.values, complete.variances)))

    def _of_edge(self, rows: Any) -> FloatArray:
        """Sums that pass one edge, shape (2, variation, sample, bin, row)."""
        side: Any = "left" if self.events.cut.signs == (-1,) else "right"
        points, found = self.thresholds[rows], self._empty(len(self.thresholds[rows]))
        for number, (block, bin_number, x, tails) in enumerate(self.events.tails):
            at = np.searchsorted(x, points, side=side) if self.ranks is None else self.ranks[number, rows]
            for target, tail in zip(found, tails, strict=True):
                # All positions are among the tail's; "clip" lets NumPy write them into place without a copy.
                np.take(tail, at, out=target[block.variation, block.sample, bin_number], mode="clip")
        return found

    @functools.cached_property
    def _edges(self) -> tuple[FloatArray, NDArray[np.int64]]:
        """All edges, ascending, and which of them are those of each row."""
        edges, numbers = np.unique(self.thresholds, return_inverse=True)
        return edges, numbers.reshape(self.thresholds.shape)

    @property
    def _num_segments(self) -> int:
        """Segments into which the edges divide the events: of windows those on each edge, and those between two."""
        return len(self._edges[0]) if self.thresholds.ndim == 1 else 2 * len(self._edges[0]) - 1

    @functools.cached_property
    def _parts(self) -> list[Segments]:
        return [Segments.of(block, self.events.cut.signs, self._edges[0]) for block in self.events.blocks]

    @functools.cached_property
    def _segments(self) -> FloatArray:
        return self._sums_in_segments()

    def _sums_in_segments(self, times: tuple[Counts, Counts] | None = None) -> FloatArray:
        """Sums of weights and of squares, shape (2, variation, sample, bin, segment); see `resampled`."""
        found = self._empty(self._num_segments)
        for part in self._parts:
            at = part.block.variation, part.block.sample
            for power, weights in enumerate(part.weights):
                found[power][at] = part.sums(weights * (1.0 if times is None else times[power][at[1]][part.origin]))
        return found

    @functools.cached_property
    def _within(self) -> FloatArray:
        """Which segments are in each window, 0 or 1, shape (segment, row)."""
        numbers, segment = self._edges[1], np.arange(self._num_segments)[:, None]
        return ((segment > 2 * numbers[:, 0]) & (segment < 2 * numbers[:, 1])).astype(np.float64)

    def _joined(self, segments: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Sums that pass, shape (..., row), from those in segments; none is a difference."""
        numbers, signs = self._edges[1][rows], self.events.cut.signs
        if len(signs) > 1:
            return range_sums(segments, 2 * numbers[:, 0] + 1, 2 * numbers[:, 1] - 1)
        # From where few events are left, so that the tail is exact.
        backwards = slice(None, None, -signs[0])
        return np.cumsum(segments[..., backwards], axis=-1)[..., backwards][..., numbers]


def _tail(weights: FloatArray, *, below: bool) -> FloatArray:
    """Sums of all weights from each position on (or, of those below it)."""
    size = len(weights)
    if size and are_equal(weights):
        numbers = np.arange(size + 1.0) if below else np.arange(size, -1.0, -1.0)
        numbers *= weights[0]
        return numbers
    sums = np.zeros(size + 1)
    if below:
        np.cumsum(weights, out=sums[1:])
    else:
        np.cumsum(weights[::-1], out=sums[-2::-1])
    return sums


def _between(values: FloatArray, cut: AbstractCut) -> FloatArray:
    """Thresholds between ascending values, each of which is there once.

    Those between values of 32 bits are numbers of 32 bits, so that a comparison in 32 bits selects the same events as
    one in 64: NumPy makes the former, ROOT the latter.
    """
    low, high = values[:-1], values[1:]
    middle = low + high
    middle *= 0.5
    # Of neighbors that differ in the last bit the middle may round to the one that would not pass.
    if 1 in cut.signs:
        np.copyto(middle, low, where=middle >= high)
    else:
        np.maximum(middle, np.nextafter(low, np.inf), out=middle)
    first = _beyond(values[:2], -1) if 1 in cut.signs else values[:0]
    last = _beyond(values[:-3:-1], 1) if -1 in cut.signs else values[:0]
    return np.concatenate([first, middle, last], dtype=np.float64)


def _beyond(outermost: FloatArray, side: int) -> FloatArray:
    """The threshold beyond the outermost of two values, half as far as they are apart; shape (1,)."""
    one = outermost[:1]
    apart = abs(one - outermost[1]) if len(outermost) > 1 else np.maximum(abs(one), 1)
    with np.errstate(over="ignore"):
        far = (one + side * 0.5 * apart).astype(outermost.dtype)
    nearest = np.nextafter(one, np.asarray(side * np.inf, dtype=outermost.dtype))
    return np.where(np.isfinite(far) & (side * far > side * one), far, nearest)
