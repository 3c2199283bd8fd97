"""Yields behind every threshold at once: one sort, cumulative sums."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.sample import Sample

from .filling import bins_of, blocks
from .templates import Structure, Yields

_MOST_RANKS = 20_000_000
"""Positions of thresholds among the events that are kept."""


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """Events of one sample and variation, in the order of the variable that is cut on.

    Attributes:
        variation: position of the variation.
        sample: position of the sample.
        x: values of the variable, ascending, shape (event,). Events without a value are not among them.
        weights: shape (event,).
        bins: bin of each event, or -1 for none, shape (event,); None if there is one bin that takes all.
        column: values of all events of the sample, not sorted.
        present: numbers of those that are here, shape (event,), or None for all.
        always: events without a value that pass whatever the threshold, as weights, bins and origins.
    """

    variation: int
    sample: int
    x: FloatArray
    weights: FloatArray
    bins: NDArray[np.int64] | None
    column: FloatArray
    present: NDArray[np.int64] | None
    always: tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]

    @classmethod
    def of(cls, variation: int, sample: int, events: tuple[Sample, Any, FloatArray], *, like: Any) -> Self:
        """Sort the events.

        Args:
            variation: its position.
            sample: its position.
            events: the sample, and columns and weights of the variation.
            like: the cut, and the structure of the templates.
        """
        source, columns, weights = events
        cut, structure = like
        x = np.asarray(columns[cut.variable])
        absent = is_missing(x, source.missing)
        bins, inside = bins_of(structure, columns, len(weights), missing=source.missing)
        present = inside & ~absent
        here = None if present.all() else np.flatnonzero(present)
        kept = np.flatnonzero(inside & absent) if cut.missing == "pass" else np.zeros(0, dtype=np.int64)
        always = weights[kept], bins[kept], kept
        if here is None and structure.num_bins == 1 and len(x) and weights.min() == weights.max():
            # Of equal weights nothing but the values has to be sorted.
            return cls(variation, sample, np.sort(x), weights, None, x, None, always)
        origin = _sorted_order(x, here)
        ordered = None if structure.num_bins == 1 else bins[origin]
        return cls(variation, sample, x[origin], weights[origin], ordered, x, here, always)

    @functools.cached_property
    def origin(self) -> NDArray[np.int64]:
        """Number of each event within its sample, shape (event,)."""
        return _sorted_order(self.column, self.present)

    def in_bin(self, number: int) -> NDArray[np.int64] | slice:
        """The events of one bin."""
        return slice(None) if self.bins is None else np.flatnonzero(self.bins == number)


def _sorted_order(column: FloatArray, present: NDArray[np.int64] | None) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.argsort(column) if present is None else present[np.argsort(column[present])]
    return order


class Cumulative:
    """The events of all samples and variations, sorted, to be summed up behind any thresholds.

    Args:
        samples: with the columns that are needed.
        cut: a cut or a window; its own thresholds are not used.
        structure: of the templates.

    Attributes:
        blocks: the sorted events.
        cut: as given.
        structure: as given.
    """

    def __init__(self, samples: Sequence[Sample], cut: AbstractCut, structure: Structure) -> None:
        self.cut, self.structure = cut, structure
        like = (cut, structure)
        self.blocks = [
            Block.of(variation, s, (sample, columns, weights), like=like)
            for variation, s, columns, weights, sample in blocks(samples, structure)
        ]
        self._distinct: FloatArray | None = None
        self._ranks: list[NDArray[np.integer[Any]]] = []
        self._sums = [
            _Sums.of(block, number, cut.signs) for block in self.blocks for number in range(structure.num_bins)
        ]

    def distinct(self) -> FloatArray:
        """All thresholds that make a difference, shape (threshold,), ascending; see `distinct_thresholds`."""
        values = np.concatenate([block.x for block in self.blocks])
        # A stable sort merges what is sorted in parts.
        order = np.argsort(values, kind="stable")
        values = values[order]
        last = np.append(values[1:] != values[:-1], True) if len(values) else np.zeros(0, dtype=bool)
        thresholds = _between_values(values, self.cut)
        if self.structure.num_bins == 1 and len(self.cut.signs) == 1 and len(values) * len(self.blocks) < _MOST_RANKS:
            # How many events of each block lie below: what would have to be searched for again.
            block = np.repeat(np.arange(len(self.blocks), dtype=np.int32), [len(b.x) for b in self.blocks])[order]
            counts = [np.cumsum(block == number, dtype=np.int32) for number in range(len(self.blocks))]
            counts = counts if last.all() else [count[last] for count in counts]
            above = self.cut.signs == (1,)
            self._ranks = [np.append(np.int32(0), count[:-1]) if above else count for count in counts]
            self._distinct = thresholds
        return thresholds

    def yields(self, thresholds: FloatArray, rows: Any = slice(None)) -> Yields:
        """Hard yields of some selections.

        Args:
            thresholds: shape (row,), ascending, or (row, 2) for a window.
            rows: which of them.

        Returns:
            Values and variances of shape (row, variation, sample, bin).
        """
        structure = self.structure
        known = thresholds is self._distinct
        points = thresholds[rows]
        shape = (len(structure.variations), len(structure.components), structure.num_bins, len(points))
        values, variances = np.zeros(shape), np.zeros(shape)
        for number, sums in enumerate(self._sums):
            target = sums.variation, sums.sample, sums.bin
            values[target], variances[target] = sums.behind(points, self._ranks[number][rows] if known else None)
        complete = structure.complete(values, variances)
        return Yields(
            np.moveaxis(np.asarray(complete.values), -1, 0), np.moveaxis(np.asarray(complete.variances), -1, 0)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Sums:
    """Cumulative sums of one block's weights in one bin.

    Attributes:
        x: values, ascending, shape (event,).
        sums: of the weights and of their squares, behind each event, each of shape (event + 1,). Summed from the far
            end, where few events are left, so that the tail is exact.
        always: sums that pass whatever the threshold.
        signs: of the cut's thresholds.
    """

    variation: int
    sample: int
    bin: int
    x: FloatArray
    sums: tuple[FloatArray, FloatArray]
    always: tuple[float, float]
    signs: tuple[int, ...]

    @classmethod
    def of(cls, block: Block, number: int, signs: tuple[int, ...]) -> Self:
        """Sum up the events of one bin."""
        here = block.in_bin(number)
        weights, bins, _ = block.always
        kept = weights[bins == number]
        below = signs == (-1,)
        sums = tuple(_tail(w, below=below) for w in (block.weights[here], block.weights[here] ** 2))
        always = float(np.sum(kept)), float(np.sum(kept**2))
        return cls(block.variation, block.sample, number, block.x[here], (sums[0], sums[1]), always, signs)

    def behind(self, thresholds: FloatArray, ranks: NDArray[np.integer[Any]] | None) -> tuple[FloatArray, FloatArray]:
        """Sums of weights and of squared weights of what passes, each of shape (row,).

        Args:
            thresholds: shape (row,) or (row, 2).
            ranks: number of events below each threshold, shape (row,), if it is known.
        """
        if len(self.signs) == 1:
            side: Any = "left" if self.signs == (-1,) else "right"
            at = np.searchsorted(self.x, thresholds, side=side) if ranks is None else ranks
            first, second = (total[at] for total in self.sums)
        else:
            low = np.searchsorted(self.x, thresholds[:, 0], side="right")
            high = np.maximum(np.searchsorted(self.x, thresholds[:, 1], side="left"), low)
            first, second = (total[low] - total[high] for total in self.sums)
        if not any(self.always):
            return first, second
        return first + self.always[0], second + self.always[1]


def _tail(weights: FloatArray, *, below: bool) -> FloatArray:
    """Sums of all weights from each position on (or, of those below it)."""
    size = len(weights)
    if size and weights.min() == weights.max():
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
    parts = []
    for sample in samples:
        sample.column(cut.variable)
        for columns in [sample.columns, *(sample.varied(v)[0] for m in sample.modifiers for v in m.variations)]:
            values = columns[cut.variable]
            parts.append(values[~is_missing(values, sample.missing)])
    return _between_values(np.sort(np.concatenate(parts)), cut)


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
