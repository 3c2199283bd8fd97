"""Events laid out for an optimizer: coordinates instead of values, cell by cell, in chunks of equal shape.

`SoftEvents.of` lays them out; `SoftEvents.sums` is one pass; `SoftEvents.take` makes another set of some of them, for
the folds of a cross-validation, or to leave out what no threshold within reach can select
(`hepcuts.templates.soft_sampling`).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import EmptySelectionError
from hepcuts._core.executors import Executor
from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.cuts.steps import AbstractStep
from hepcuts.samples.sample import Sample

from .coordinates import AbstractCoordinate, Linear
from .events import Multiplicity, blocks_of
from .filling import EventTable, structure_of
from .soft_layouts import Layout, hard_mask, layout_of, rows_of
from .soft_sums import (
    BLOCK,
    Chunk,
    chunk_pass_weights,
    chunk_sums,
    chunks_of,
    finished_chunk_sums,
    pass_weight,
    pieces_of,
)
from .templates import Structure

BEYOND = 1e29
"""Coordinate beyond all values, but not beyond those that stand for what is missing and fails."""


@dataclasses.dataclass(frozen=True, eq=False)
class SoftEvents:
    """Events of one region, ordered by cell.

    Attributes:
        values: coordinates, shape (row, event).
        weights: shape (event,).
        squares: what an event adds to the variance of its cell where it passes, shape (event,): its squared weight,
            unless it stands for others that were left out, too.
        cell: position in the flattened (variation, sample, bin), shape (event,), not decreasing.
        origin: number of the event within its sample, shape (event,).
        layout: what the rows mean.
        structure: samples, variations and bins.
        block: number of events in a block of the compiled function, the same for all subsets.
        index: positions of its thresholds among those of the search, shape (threshold,).
        executor: who makes the sums with slopes; None for JAX in this process, which has threads of its own.
    """

    values: NDArray[Any]
    weights: FloatArray
    squares: FloatArray
    cell: NDArray[np.int32]
    origin: NDArray[np.int32]
    layout: Layout
    structure: Structure
    block: int
    index: NDArray[np.int64]
    executor: Executor | None = None

    @classmethod
    def of(
        cls,
        samples: Sequence[Sample],
        selection: Selection,
        coordinates: Sequence[AbstractCoordinate],
        *,
        axis: Any = None,
        channel: str = "signal_region",
        index: Sequence[int] | None = None,
        multiplicity: Multiplicity | None = None,
    ) -> "SoftEvents":
        """Lay out the events of checked samples.

        Args:
            samples: at least one signal and one background.
            selection: the cuts; their own thresholds are not used.
            coordinates: one for each cut.
            axis: as in `hepcuts.fill`; events outside of it are left out.
            channel: as in `hepcuts.fill`.
            index: positions of the selection's thresholds among those of the search, or None for their own order.
            multiplicity: how often each event counts, or None for once.

        Raises:
            SampleError: a column is missing.
            EmptySelectionError: no event lies on the axis.
        """
        structure = structure_of(samples, axis=axis, channel=channel)
        layout = layout_of(selection)
        exact = any(isinstance(c, Linear) for c in coordinates)
        dtype, parts = np.float64 if exact else np.float32, []
        for block in blocks_of(samples, structure, selection.columns):
            rows, there = rows_of(selection, coordinates, block, dtype), block.filled
            rows = rows if isinstance(there, slice) else np.take(rows, there, axis=1)
            weights, times = block.weights[there], block.times(multiplicity, there)
            parts.append((rows, weights * times, weights**2 * times, block.cells(there), block.origin[there]))
        values, weights, squares, cells, origin = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        if not np.any(cells < len(samples) * structure.num_bins):
            raise EmptySelectionError(f"No event of any sample lies on the axis {axis.name!r}.")
        filled = len(np.unique(cells))
        size = next((size for size in (BLOCK, BLOCK // 4) if len(cells) >= size * filled), BLOCK // 16)
        order = np.argsort(cells, kind="stable") if np.any(np.diff(cells) < 0) else slice(None)
        return cls(
            np.ascontiguousarray(values[:, order]),
            weights[order],
            squares[order],
            cells[order].astype(np.int32),
            origin[order].astype(np.int32),
            layout,
            structure,
            size,
            np.arange(len(selection.names)) if index is None else np.asarray(index),
        )

    def __len__(self) -> int:
        return len(self.weights)

    @functools.cached_property
    def sample(self) -> NDArray[Any]:
        """Position of each event's sample, shape (event,)."""
        of_cells = self.cell[self.starts] // self.structure.num_bins % len(self.structure.components)
        return np.repeat(of_cells, np.diff(self.starts, append=len(self)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of variations, samples and bins."""
        return len(self.structure.variations), len(self.structure.components), self.structure.num_bins

    def take(self, events: NDArray[Any], *, factor: float = 1.0) -> "SoftEvents":
        """Some of the events, indices in ascending order, all weights times a factor.

        They are what there is: with a factor of two the variance is four times that of these events, and twice that
        of all.
        """
        return self._with(events, self.weights[events] * factor, self.squares[events] * factor**2)

    def standing_for_all(self, events: NDArray[Any], factor: FloatArray) -> "SoftEvents":
        """Some of the events in place of all: sums of weights and variances are about those of all events.

        Args:
            events: indices in ascending order.
            factor: how many events each stands for, of the same shape.
        """
        return self._with(events, self.weights[events] * factor, self.squares[events] * factor)

    def _with(self, events: NDArray[Any], weights: FloatArray, squares: FloatArray) -> "SoftEvents":
        return dataclasses.replace(
            self,
            values=np.take(self.values, events, axis=1),  # unlike an index, it leaves rows contiguous
            weights=weights,
            squares=squares,
            cell=self.cell[events],
            origin=self.origin[events],
        )

    def in_order_of(self, table: EventTable) -> FloatArray:
        """Weights in the order of a table of all events, shape (event,); zero for those that are not here."""
        found = np.zeros(len(table.weights))
        order = np.lexsort((table.origin, table.cell))
        key = np.asarray(table.cell)[order].astype(np.int64) * (2**32) + np.asarray(table.origin)[order]
        mine = self.cell.astype(np.int64) * (2**32) + self.origin
        found[order[np.searchsorted(key, mine)]] = self.weights
        return found

    @functools.cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the events of each cell that has any begin."""
        return np.flatnonzero(np.diff(self.cell, prepend=-1))

    @functools.cached_property
    def _pieces(self) -> list[tuple[int, int]]:
        return pieces_of(self.starts, len(self), self.block)

    @functools.cached_property
    def _chunks(self) -> list[Chunk]:
        return chunks_of(self._pieces, self.values, (self.weights, self.squares), self.cell, self.block)

    @functools.cached_property
    def _handles(self) -> Sequence[Any]:
        both = self.weights, self.squares
        chunks = chunks_of(self._pieces, self.values, both, self.cell, self.block)
        return () if self.executor is None else self.executor.lay_out(chunks)

    def __getstate__(self) -> dict[str, Any]:
        # What is laid out here stays here; in another process there is nobody else to do the work.
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"executor": None}

    @float64_scope
    def sums(self, thresholds: FloatArray, widths: FloatArray, step: AbstractStep) -> tuple[FloatArray, FloatArray]:
        """One pass over the events.

        The variances are those of a hard cut of the same yields, sums of w^2 p: a thousand events that pass with
        weight 1/1000 each are, to a hard cut, one event.

        Args:
            thresholds: in the coordinates, shape (threshold,).
            widths: in the coordinates, shape (threshold,), positive.
            step: the step function.

        Returns:
            Sums of w p and w^2 p, shape (cell, 2), and their derivatives, shape (cell, threshold, 2).
        """
        num_cells = int(np.prod(self.shape))
        sums, slopes = np.zeros((num_cells, 2)), np.zeros((num_cells, len(thresholds), 2))
        if self.executor is None:
            # Chunks are started one after the other without waiting for the results, so that they can overlap.
            started = [
                chunk_sums(chunk, thresholds, widths, layout=self.layout, step=step, num_cells=num_cells)
                for chunk in self._chunks
            ]
        else:
            finished = functools.partial(finished_chunk_sums, layout=self.layout, step=step, num_cells=num_cells)
            started = self.executor.map(finished, self._handles, (thresholds, widths))
        for more, slope in started:
            sums += np.asarray(more)
            slopes += np.asarray(slope)
        return sums, slopes

    @float64_scope
    def pass_weights(
        self, thresholds: FloatArray, widths: FloatArray, step: AbstractStep, *, but_one: bool = False
    ) -> NDArray[Any]:
        """Pass weight of each event, shape (event,), in the precision of the values.

        With `but_one` those without their smallest factor, the most if one edge moves anywhere; other arguments as in
        `sums`.
        """
        found = np.empty(len(self), dtype=self.values.dtype)
        started = [
            chunk_pass_weights((values, number), thresholds, widths, layout=self.layout, step=step)
            for values, _, _, number in self._chunks
        ]
        passed = (row for products, _ in started for row in np.asarray(products))
        smallest = (row for _, factors in started for row in np.asarray(factors))
        for (begin, end), row, factor in zip(self._pieces, passed, smallest, strict=False):
            found[begin:end] = (row / factor if but_one else row)[: end - begin]
        return found

    def sums_along(
        self, number: int, places: FloatArray, thresholds: FloatArray, widths: FloatArray, step: AbstractStep
    ) -> FloatArray:
        """Sums of w p and w^2 p with one edge at many places, at little more than the cost of one.

        Args:
            number: of an edge, of a cut that is not inverted and has one threshold only.
            places: of its threshold, shape (place,).
            thresholds: as in `sums`, of all others.
            widths: as in `sums`.
            step: as in `sums`.

        Returns:
            Shape (place, cell, 2).
        """
        edge, first = self.layout.edges[number], self.layout.first[number]
        others = thresholds.copy()
        others[first] = -edge.sign * BEYOND
        rest = self.pass_weights(others, widths, step)
        distances = edge.sign * (self.values[edge.row] - places[:, None].astype(self.values.dtype))
        passed = rest * np.where(np.isnan(distances), 1.0, pass_weight(step, distances, widths[first]))
        starts = self.starts
        found = np.zeros((len(places), int(np.prod(self.shape)), 2))
        for power, weights in enumerate((self.weights, self.squares)):
            found[:, self.cell[starts], power] = np.add.reduceat(passed * weights, starts, axis=1)
        return found

    def hard_mask(self, thresholds: FloatArray) -> NDArray[np.bool_]:
        """Which events pass hard cuts at thresholds in the coordinates, shape (event,)."""
        return hard_mask(self.layout, self.values, thresholds)

    def hard_sums(self, thresholds: FloatArray) -> FloatArray:
        """Sums of w and w^2 of the events that pass hard cuts, shape (cell, 2)."""
        passed, number = self.hard_mask(thresholds), int(np.prod(self.shape))
        cell, both = self.cell[passed], (self.weights[passed], self.squares[passed])
        # Of no events at all NumPy's sums are integers.
        return np.stack([np.bincount(cell, w, minlength=number).astype(np.float64) for w in both], axis=1)
