"""Yields of replicas and of parts of the events, in one pass over them each.

Each event is put between two thresholds once. A replica then counts it as often as it was drawn, in all variations
alike, and a part leaves it out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray

from .cumulative import Cumulative, SortedBlock
from .templates import Yields

Counts = Sequence[FloatArray]
"""How often each event counts: for each sample an array of shape (event,)."""


class Places:
    """The places of all events between the thresholds of some rows.

    With the edges e_0 < e_1 < ... of all rows, an event between e_i and e_(i+1) has place 2 i + 2, one on e_i has
    place 2 i + 1. So it passes ``> e_i`` from place 2 i + 2 on, and ``< e_j`` up to place 2 j.

    Args:
        cumulative: the events.
        thresholds: shape (row,), or (row, 2) for a window.
    """

    def __init__(self, cumulative: Cumulative, thresholds: FloatArray) -> None:
        self.structure, self._blocks = cumulative.structure, cumulative.blocks
        edges, number = np.unique(thresholds, return_inverse=True)
        number = number.reshape(thresholds.shape)
        self._num_places = 2 * len(edges) + 1
        self._flat = [_flat_places(block, edges, self._num_places) for block in self._blocks]
        signs = cumulative.cut.signs
        columns = number if number.ndim > 1 else number[:, None]
        # Sums of what lies from `first` on, without what lies from `beyond` on.
        self._first = 2 * columns[:, 0] + 2 if 1 in signs else np.zeros(len(columns), dtype=np.int64)
        self._beyond = 2 * columns[:, -1] + 1 if -1 in signs else np.full(len(columns), self._num_places)
        self._below = signs == (-1,)
        self.rows = len(thresholds)

    def yields(self, counts: Counts, squares: Counts) -> Yields:
        """Hard yields of all rows.

        Args:
            counts: how often each event counts.
            squares: by how much each event's squared weight counts: as `counts` for copies of an event, and their
                squares for a weight that is scaled.

        Returns:
            Values and variances of shape (row, variation, sample, bin).
        """
        structure = self.structure
        shape = (len(structure.variations), len(structure.components), structure.num_bins, self.rows)
        values, variances = np.zeros(shape), np.zeros(shape)
        for block, flat in zip(self._blocks, self._flat, strict=True):
            for target, times, power in ((values, counts, 1), (variances, squares, 2)):
                factors = times[block.sample]
                sums = self._sums(flat, block.weights**power * factors[block.origin])
                weights, bins, origin = block.always
                sums += np.bincount(bins, weights**power * factors[origin], minlength=structure.num_bins)[:, None]
                target[block.variation, block.sample] = sums
        complete = structure.complete(values, variances)
        return Yields(
            np.moveaxis(np.asarray(complete.values), -1, 0), np.moveaxis(np.asarray(complete.variances), -1, 0)
        )

    def _sums(self, flat: NDArray[np.int64], weights: FloatArray) -> FloatArray:
        """Sums behind all rows, shape (bin, row)."""
        bins = self.structure.num_bins
        counted = np.bincount(flat, weights, minlength=bins * self._num_places).reshape(bins, self._num_places)
        sums = np.zeros((bins, self._num_places + 1))
        if self._below:
            # Summed from where few events are left, so that the tail is exact.
            np.cumsum(counted, axis=1, out=sums[:, 1:])
            return sums[:, self._beyond]
        sums[:, :-1] = np.cumsum(counted[:, ::-1], axis=1)[:, ::-1]
        return sums[:, self._first] - sums[:, np.maximum(self._beyond, self._first)]


def _flat_places(block: SortedBlock, edges: FloatArray, size: int) -> NDArray[np.int64]:
    """Place of each event, counted on from bin to bin, shape (event,)."""
    places = np.searchsorted(edges, block.x, side="left") + np.searchsorted(edges, block.x, side="right")
    return places if block.bins is None else places + size * block.bins
