"""Events of a block in the order of the variable that is cut on, and divided by some edges."""

import dataclasses
import functools
import itertools
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut

from .events import Block
from .ranges import segment_sums


@dataclasses.dataclass(frozen=True, eq=False)
class SortedBlock:
    """Events of one sample and variation, in the order of the variable that is cut on.

    Attributes:
        variation: position of the variation.
        sample: position of the sample.
        x: values of the cut's quantity, ascending, shape (event,); of 32 bits if these hold them. Those of events
            without a value are not among them.
        weights: shape (event,).
        bins: bin of each event, shape (event,); None if there is only one.
        column: values of the quantity of all events of the sample, not sorted.
        present: numbers of those that are here, shape (event,), or None for all.
        always: events without a value that pass whatever the threshold.
    """

    variation: int
    sample: int
    x: FloatArray
    weights: FloatArray
    bins: NDArray[np.int64] | None
    column: FloatArray
    present: NDArray[np.int64] | None
    always: Block

    @classmethod
    def of(cls, block: Block, cut: AbstractCut) -> Self:
        """Sort the events of a block that holds all of a sample and variation."""
        x, absent = cut.measured(block.columns, missing=block.missing)
        if all(block.columns[name].dtype == np.float32 for name in cut.columns):
            x = _in_32_bits(x)
        number = block.structure.num_bins
        present = block.inside & ~absent
        here = None if present.all() else np.flatnonzero(present)
        lost = np.flatnonzero(block.inside & absent) if cut.missing == "pass" else np.zeros(0, dtype=np.int64)
        always = block.take(lost)
        rest: tuple[Any, ...] = x, here, always
        if here is None and number == 1 and len(x) and are_equal(block.weights):
            # Of equal weights nothing but the values has to be sorted.
            return cls(block.variation, block.sample, np.sort(x), block.weights, None, *rest)
        order = _sorted_order(x, here)
        ordered = None if number == 1 else block.bins[order]
        return cls(block.variation, block.sample, x[order], block.weights[order], ordered, *rest)

    @functools.cached_property
    def origin(self) -> NDArray[np.int64]:
        """Number of each event within its sample, shape (event,)."""
        return _sorted_order(self.column, self.present)

    @functools.cached_property
    def kept(self) -> FloatArray:
        """Sums of weights and of squared weights of those that always pass, shape (2, bin)."""
        bins, number = self.always.bins, self.always.structure.num_bins
        sums = [np.bincount(bins, w, minlength=number) for w in (self.always.weights, self.always.squares)]
        return np.asarray(sums, dtype=np.float64)

    def in_bin(self, number: int) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
        """Values of the events of one bin, ascending, and their weights and squared weights, each of shape (event,)."""
        here = slice(None) if self.bins is None else np.flatnonzero(self.bins == number)
        return self.x[here], (self.weights[here], self.weights[here] ** 2)


def are_equal(values: FloatArray) -> bool:
    """Whether all values are the same; there are some."""
    return bool(values.min() == values.max())


def _in_32_bits(values: FloatArray) -> FloatArray:
    """The same values in half of the memory, if they are numbers of 32 bits."""
    narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values, equal_nan=True) else values  # type: ignore[return-value]


def _sorted_order(column: FloatArray, present: NDArray[np.int64] | None) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.argsort(column) if present is None else present[np.argsort(column[present])]
    return order


@dataclasses.dataclass(frozen=True, eq=False)
class Segments:
    """The events of a block, divided by some edges: bin by bin, in each by the variable.

    Attributes:
        block: the events.
        order: of the block's events, an array or a slice of all.
        weights: weights and their squares, each of shape (event,).
        bounds: where the segments of each bin begin, and where the last one ends, shape (bin, segment + 1).
    """

    block: SortedBlock
    order: Any
    weights: tuple[FloatArray, FloatArray]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, block: SortedBlock, signs: tuple[int, ...], edges: FloatArray) -> Self:
        """Divide the events of a block.

        Args:
            block: the events.
            signs: of the cut. With one edge the segments are those between edges and up to the end of what passes; of a
                window those on each edge, and those between two.
            edges: shape (edge,), ascending.
        """
        order: Any = slice(None) if block.bins is None else np.argsort(block.bins, kind="stable")
        x, bins, number = block.x[order], block.bins, block.always.structure.num_bins
        ends = [0, len(x)] if bins is None else np.searchsorted(bins[order], np.arange(number + 1))
        bounds = []
        for first, last in itertools.pairwise(ends):
            below, through = (first + np.searchsorted(x[first:last], edges, side) for side in ("left", "right"))
            if len(signs) > 1:
                bounds.append(np.stack([below, through], axis=1).ravel())
            else:
                bounds.append(np.append(through, last) if signs[0] > 0 else np.append(first, below))
        weights = block.weights[order]
        return cls(block, order, (weights, weights**2), np.stack(bounds))

    @functools.cached_property
    def origin(self) -> NDArray[np.int64]:
        """Number of each event within its sample, shape (event,)."""
        origin: NDArray[np.int64] = self.block.origin[self.order]
        return origin

    def sums(self, weights: FloatArray) -> FloatArray:
        """Sums of some weights of the events, shape (bin, segment)."""
        # What lies between the last segment of a bin and the first of the next one is dropped.
        return np.append(segment_sums(weights, self.bounds.ravel()), 0.0).reshape(self.bounds.shape)[:, :-1]
