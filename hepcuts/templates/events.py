"""The one layout of events from which everything is summed.

`blocks_of` gives blocks: some rows of one sample under one variation, with the columns that were asked for. A `Block`
may come from memory, from a file or from a worker, and whatever adds takes any iterable of them, so that not all
events have to be in memory at once. Four kinds of sums are made of blocks:

- mask to sums: `hepcuts.templates.hard_sums`, after hard cuts;
- sorted to cumulative: `hepcuts.templates.cumulative.Cumulative`, after every threshold of one cut;
- soft to sums and slopes: `hepcuts.templates.soft_events.SoftEvents` and `hepcuts.templates.filling.EventTable`;
- index to lattice: `hepcuts.templates.lattice.Lattice` and `hepcuts.binning.fine.FineBins`, in fine bins.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.counters import Bits
from hepcuts._core.types import Columns, FloatArray
from hepcuts.samples.modifiers import HistoSys
from hepcuts.samples.sample import Sample

from .templates import Structure

Multiplicity = Callable[[Bits], FloatArray]
"""How often events count: their identities, shape (event,) -> shape (event,).

A function, so that it is the same for any block size or order and no array of all replicas and events is ever held.
"""

CHUNK = 1 << 16
"""Rows of a block whose columns and masks stay in the processor's cache: cuts on a million events take three quarters
of the time that they take in one piece."""


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """Events of one sample under one variation: all of them, or some rows.

    Attributes:
        variation: position of the variation.
        sample: position of the sample.
        columns: those asked for, of 32 or 64 bits as the sample has them, each of shape (event,).
        weights: shape (event,).
        missing: the number that stands for a missing value, or None.
        structure: samples, variations and bins.
        numbers: of the events within their sample, a range or an array of shape (event,).
        source: the sample, which knows the identity of its events; None where the block has come without it.
        known: their identity where there is no sample, shape (event,).
    """

    variation: int
    sample: int
    columns: Columns
    weights: FloatArray
    missing: float | None
    structure: Structure
    numbers: range | NDArray[np.int64]
    source: Sample | None
    known: Bits | None = None

    def __len__(self) -> int:
        return len(self.weights)

    @functools.cached_property
    def origin(self) -> NDArray[np.int64]:
        """Number of each event within its sample, shape (event,)."""
        if isinstance(self.numbers, range):
            return np.arange(self.numbers.start, self.numbers.stop)
        return self.numbers

    @functools.cached_property
    def identity(self) -> Bits:
        """Identity of each event (`hepcuts.Sample.identity`), shape (event,)."""
        some = self.numbers
        if self.source is None:
            return np.zeros(0, dtype=np.uint64) if self.known is None else self.known
        return self.source.identity[slice(some.start, some.stop) if isinstance(some, range) else some]

    @functools.cached_property
    def squares(self) -> FloatArray:
        """Squared weights, shape (event,)."""
        return self.weights**2

    @functools.cached_property
    def bins(self) -> NDArray[np.int64]:
        """Bin of each event, -1 where it is in none, shape (event,).

        An event whose observable is missing is in no bin, whatever number stands for it.
        """
        axis = self.structure.axis
        if axis is None:
            return np.zeros(len(self), dtype=np.int64)
        bins = _index(axis, self.values(axis.name))
        out = (bins < 0) | (bins >= self.structure.num_bins) | self.absent(axis.name)
        bins[out] = -1
        return bins

    @functools.cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Which events are in a bin, shape (event,)."""
        if self.structure.axis is None:
            return np.ones(len(self), dtype=bool)
        return np.asarray(self.bins >= 0)

    @property
    def filled(self) -> Any:
        """Numbers of the events that are in a bin, or a slice of all."""
        return slice(None) if self.inside.all() else np.flatnonzero(self.inside)

    def cells(self, rows: Any = slice(None)) -> NDArray[np.int64]:
        """Position of events in the flattened (variation, sample, bin), shape (event,); only of those in a bin."""
        position = self.variation * len(self.structure.components) + self.sample
        return np.asarray(self.bins[rows] + position * self.structure.num_bins, dtype=np.int64)

    def take(self, rows: NDArray[Any]) -> "Block":
        """Some of the events: their positions in the block, shape (row,)."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        numbers = rows + self.numbers.start if isinstance(self.numbers, range) else self.numbers[rows]
        known = None if self.known is None else self.known[rows]
        weights = self.weights[rows]
        return dataclasses.replace(self, columns=columns, weights=weights, numbers=numbers, known=known)

    def __getstate__(self) -> dict[str, Any]:
        # To another process go these events with their identity, and not all of the sample.
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"source": None, "known": self.identity}

    def values(self, column: str) -> FloatArray:
        """One column as floats of 64 bits, shape (event,)."""
        return np.asarray(self.columns[column], dtype=np.float64)

    def absent(self, column: str) -> NDArray[np.bool_]:
        """Where a column has no value, shape (event,)."""
        return is_missing(self.columns[column], self.missing)

    def times(self, multiplicity: Multiplicity | None, rows: Any = slice(None)) -> FloatArray | float:
        """How often events count, shape (event,), or 1 if there is no multiplicity."""
        return 1.0 if multiplicity is None else multiplicity(self.identity[rows])


def blocks_of(
    samples: Iterable[Sample],
    structure: Structure,
    columns: Iterable[str] = (),
    *,
    chunk: int | None = None,
    nominal: bool = False,
) -> Iterator[Block]:
    """The events of samples and of their variations, block by block.

    Args:
        samples: in the order of the structure.
        structure: of the templates; the column of its axis is among the columns.
        columns: names of those that are read.
        chunk: most rows of a block, or None for all rows of a sample and variation in one.
        nominal: whether to leave the variations out.

    Raises:
        SampleError: a sample lacks a column.
    """
    names = list(dict.fromkeys((*columns, *(() if structure.axis is None else (structure.axis.name,)))))
    for number, sample in enumerate(samples):
        for name in names:
            sample.column(name)
        for variation, table, weights in _variations(sample, structure, nominal=nominal):
            size = len(weights)
            for first in range(0, size, chunk or size):
                numbers = range(first, min(first + (chunk or size), size))
                rows = slice(numbers.start, numbers.stop)
                some = {name: table[name][rows] for name in names}
                yield Block(variation, number, some, weights[rows], sample.missing, structure, numbers, sample)


def _variations(sample: Sample, structure: Structure, *, nominal: bool) -> Iterator[tuple[int, Columns, FloatArray]]:
    """Position, columns and weights of all that has events of its own."""
    yield 0, sample.columns, sample.weights
    for modifier in () if nominal else sample.modifiers:
        if isinstance(modifier, HistoSys):
            for side, variation in modifier.sides.items():
                yield structure.position(modifier.name, side), *sample.varied(variation)


def _index(axis: Any, values: NDArray[Any]) -> NDArray[np.int64]:
    """Bin of each value, shape (event,); out of range where there is none."""
    if not axis.traits.continuous:
        # Axes of integers take nothing but integers, of 32 bits.
        limits = np.iinfo(np.int32)
        values = np.floor(np.clip(np.nan_to_num(values, nan=limits.min), limits.min, limits.max)).astype(np.int64)
    if not values.size:  # taken for text by boost-histogram before 1.5
        return np.zeros(values.shape, dtype=np.int64)
    if not isinstance(axis, hist.axis.IntCategory):
        return np.asarray(axis.index(values), dtype=np.int64)
    # Of categories hist wants to be asked for none but those it has.
    bins = np.full(values.shape, -1, dtype=np.int64)
    for number in range(len(axis)):
        bins[values == axis.bin(number)] = number
    return bins
