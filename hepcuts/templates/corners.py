"""Yields after all cuts of a box of thresholds: sums at the corners of a grid, and what can lie between them.

A threshold has as many *levels* as it has distinct effects: at level 0 nothing is cut away, at each further one the
events of one more value are. A higher level keeps less, whatever the direction. An event has a *rank* along each
threshold: the highest level that it passes. So sums of positive weights only fall with each level, and the sums after
any cuts of a box lie between those at its loosest and at its tightest corner.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.edges import edges_of
from hepcuts.samples.sample import Sample

from .events import blocks_of
from .filling import structure_of
from .templates import Structure, Templates, Yields

Range = tuple[int, int]
"""Loosest and tightest level of a threshold."""

_NEVER = -1
"""Rank of an event that passes at no level."""


@dataclasses.dataclass(frozen=True, eq=False)
class Levels:
    """All thresholds of one edge of a cut that differ in any event.

    Attributes:
        name: of the threshold, see `hepcuts.Selection.names`.
        values: distinct values of the events, increasing, shape (value,).
        sign: +1 if larger values pass, -1 if smaller ones do.
        bounds: within which the threshold has to be.
        most: how many levels are considered, with as many values between neighbors; or None for all.
        fixed: the only threshold that is considered, or None.

    Example:
        >>> levels = Levels("x", np.array([1.0, 2.0, 4.0]), 1, (-np.inf, np.inf))
        >>> [levels.threshold(level) for level in range(4)]
        [0.5, 1.5, 3.0, 4.5]
    """

    name: str
    values: FloatArray
    sign: int
    bounds: tuple[float, float]
    most: int | None = None
    fixed: float | None = None

    @functools.cached_property
    def considered(self) -> NDArray[np.int64]:
        """The levels that are considered, in numbers of values that do not pass, shape (level,)."""
        limits = self.bounds if self.fixed is None else (self.fixed, self.fixed)
        loosest, tightest = sorted(map(self._failing, limits))
        number = tightest - loosest + 1 if self.most is None else min(self.most, tightest - loosest + 1)
        return np.linspace(loosest, tightest, number).round().astype(np.int64)

    def _failing(self, threshold: float) -> int:
        """The number of values that do not pass a threshold."""
        if self.sign > 0:
            return int(np.searchsorted(self.values, threshold, side="right"))
        return len(self.values) - int(np.searchsorted(self.values, threshold, side="left"))

    @property
    def all(self) -> Range:
        """Loosest and tightest level."""
        return 0, len(self.considered) - 1

    def threshold(self, level: int) -> float:
        """A threshold of a level: halfway between two values if the bounds allow."""
        if self.fixed is not None:
            return self.fixed
        failing = int(self.considered[level])
        below = failing if self.sign > 0 else len(self.values) - failing
        gap = float(self.values[1] - self.values[0]) if len(self.values) > 1 else 2.0
        around = np.concatenate([[self.values[0] - gap], self.values, [self.values[-1] + gap]])
        low, high = (min(max(float(edge), self.bounds[0]), self.bounds[1]) for edge in around[below : below + 2])
        middle = low + (high - low) / 2
        # Between neighboring floats there is none: the value that does not pass then is the threshold.
        return middle if self._failing(middle) == failing else low if self.sign > 0 else high

    def ranks(self, values: FloatArray, absent: NDArray[np.bool_], *, missing_passes: bool) -> NDArray[np.int32]:
        """Highest level that each event passes, shape (event,)."""
        below = np.searchsorted(self.values, values)
        passed = below if self.sign > 0 else len(self.values) - 1 - below
        ranks = np.searchsorted(self.considered, passed, side="right") - 1
        return np.where(absent, len(self.considered) - 1 if missing_passes else _NEVER, ranks).astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    """All cuts between two levels of each threshold, with the events that differ between them.

    Attributes:
        ranges: of each threshold.
        rows: numbers of the events among which those are, shape (row,).
        base: sums over events that pass all cuts of the box, shape (3, variation * sample): of positive weights, of
            negative ones without their sign, and of squares.
    """

    ranges: tuple[Range, ...]
    rows: NDArray[np.int32]
    base: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class Corners:
    """Sums at the corners of a grid over a box.

    Attributes:
        levels: along each threshold, shape (corner,) each.
        sums: as `Box.base`, shape (3, variation, sample, *corners).
        least: smallest absolute weight of each sample's events that differ, infinite if none does; shape (sample,).
        box: the box with the events that differ.
    """

    levels: tuple[NDArray[np.int32], ...]
    sums: FloatArray
    least: FloatArray
    box: Box

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of boxes of the grid along each threshold; one where there is only one level."""
        return tuple(max(len(levels) - 1, 1) for levels in self.levels)

    @functools.cached_property
    def loose(self) -> FloatArray:
        """The sums at the loosest corner of each box of the grid, shape (3, variation, sample, box)."""
        return self._at(tuple(slice(0, size) for size in self.cells))

    @functools.cached_property
    def tight(self) -> FloatArray:
        """The sums at the tightest corner, likewise."""
        return self._at(tuple(slice(-size, None) for size in self.cells))

    def _at(self, where: tuple[slice, ...]) -> FloatArray:
        return self.sums[(slice(None),) * 3 + where].reshape(*self.sums.shape[:3], -1)

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Boxes of the grid that hold no other cuts than their corners, shape (box,)."""
        found: NDArray[np.bool_] = np.ones((), dtype=bool)
        for levels in self.levels:
            steps = np.diff(levels) if len(levels) > 1 else np.zeros(1)
            found = found[..., None] & (steps <= 1)
        return found.ravel()

    def yields(self, structure: Structure) -> Yields:
        """Yields at all corners, shape (corner, variation, sample, 1)."""
        flat = self.sums.reshape(*self.sums.shape[:3], -1)
        found = structure.complete(flat[0] - flat[1], flat[2])
        return Yields(*(np.moveaxis(np.asarray(table), -1, 0)[..., None] for table in (found.values, found.variances)))


@dataclasses.dataclass(frozen=True, eq=False)
class RankedEvents:
    """Events with their ranks along each threshold.

    Attributes:
        structure: samples and variations, one bin.
        levels: of each threshold.
        ranks: shape (threshold, event).
        cells: position in the flattened (variation, sample), shape (event,).
        weights: shape (event,).
    """

    structure: Structure
    levels: tuple[Levels, ...]
    ranks: NDArray[np.int32]
    cells: NDArray[np.int32]
    weights: FloatArray

    @classmethod
    def of(
        cls, samples: Sequence[Sample], selection: Selection, *, most: int | None = None, fixed: Sequence[str] = ()
    ) -> "RankedEvents":
        """Lay out the events of samples.

        Args:
            samples: at least one signal and one background.
            selection: the cuts.
            most: how many levels of each threshold are considered, or None for all.
            fixed: names of thresholds that stay as they are given.

        Raises:
            InputError: an inverted cut, or one whose threshold depends on another variable.
            SampleError: a sample lacks a column.
        """
        structure = structure_of(samples, axis=None, channel="signal_region")
        columns = [column for cut in selection.cuts for column in cut.columns]
        blocks = list(blocks_of(samples, structure, columns))
        levels, ranks = [], []
        for cut in selection.cuts:
            _check_edges(cut)
            read = [cut.measured(block.columns, missing=block.missing) for block in blocks]
            values, absent = (np.concatenate(parts) for parts in zip(*read, strict=True))
            distinct = np.unique(values[~absent])
            if len(distinct) == 0:
                raise InputError(f"{cut}: no event has a value.")
            for sign, suffix, threshold in zip(cut.signs, cut.suffixes, cut.thresholds, strict=True):
                name, bounds = f"{cut.variable}{suffix}", cut.bounds or (-np.inf, np.inf)
                one = Levels(name, distinct, sign, bounds, most, threshold if name in fixed else None)
                levels.append(one)
                ranks.append(one.ranks(values, absent, missing_passes=cut.missing == "pass"))
        cells = np.concatenate([np.full(len(b), b.variation * len(samples) + b.sample, dtype=np.int32) for b in blocks])
        weights = np.concatenate([block.weights for block in blocks])
        return cls(structure, tuple(levels), np.stack(ranks), cells, weights)

    @property
    def lead(self) -> tuple[int, int]:
        """Number of variations and of samples."""
        return len(self.structure.variations), len(self.structure.components)

    @property
    def reference(self) -> Templates:
        """Templates in which every yield is positive that is so after any cuts: sums of absolute weights."""
        size = int(np.prod(self.lead))
        sums = [np.bincount(self.cells, np.abs(self.weights) ** power, minlength=size) for power in (1, 2)]
        yields = self.structure.complete(*(table.reshape(*self.lead, 1) for table in sums))
        return Templates(self.structure, yields, np.zeros(self.lead[1]))

    @property
    def whole(self) -> Box:
        """The box of all cuts that are considered."""
        rows = np.arange(len(self.weights), dtype=np.int32)
        return Box(tuple(one.all for one in self.levels), rows, np.zeros((3, int(np.prod(self.lead)))))

    def corners(self, box: Box, most: int) -> Corners:
        """Sums at the corners of a grid over a box.

        Args:
            box: of this or of a wider grid.
            most: how many corners the grid may have; two along each threshold it has anyway.
        """
        levels = _grid(box.ranges, most)
        cells, weights = self.cells[box.rows], self.weights[box.rows]
        flat, passed, always = cells.astype(np.int64), np.ones(len(cells), dtype=bool), np.ones(len(cells), dtype=bool)
        for ranks, along in zip(self.ranks, levels, strict=True):
            index = np.searchsorted(along, ranks[box.rows], side="right") - 1
            passed &= index >= 0
            always &= index == len(along) - 1
            flat = flat * len(along) + index
        shape = tuple(len(along) for along in levels)
        size, corners = int(np.prod(self.lead)), int(np.prod(shape))
        flat, some = flat[passed], weights[passed]
        sums = np.zeros((3, size * corners))
        sums[0] = np.bincount(flat, np.maximum(some, 0.0), minlength=size * corners)
        if np.any(some < 0):
            sums[1] = np.bincount(flat, np.maximum(-some, 0.0), minlength=size * corners)
        sums[2] = np.bincount(flat, some**2, minlength=size * corners)
        by_cell = sums.reshape(3, size, corners)
        by_cell[..., -1] += box.base
        table = by_cell.reshape(3, *self.lead, *shape)
        for axis in range(3, table.ndim):
            table = np.flip(np.cumsum(np.flip(table, axis), axis=axis), axis)
        differ = passed & ~always
        least = np.array([np.abs(weights[differ & (cells == s)]).min(initial=np.inf) for s in range(self.lead[1])])
        return Corners(levels, table, least, self._narrowed(box, differ, by_cell[..., -1]))

    def _narrowed(self, box: Box, differ: NDArray[np.bool_], base: FloatArray) -> Box:
        """The box with the events that differ, if they are so few that it is worth to keep them apart."""
        if 2 * int(differ.sum()) > len(box.rows):
            return box
        return dataclasses.replace(box, rows=box.rows[differ], base=base)


def _check_edges(cut: AbstractCut) -> None:
    if cut.inverted:
        raise InputError(f"{cut}: an inverted cut keeps more where its thresholds keep less; only plain cuts are told.")
    if any(edge.along is not None for edge in edges_of(cut)):
        raise InputError(f"{cut}: its threshold depends on {cut.columns[1]!r}; only cuts of fixed thresholds are told.")


def _grid(ranges: Sequence[Range], most: int) -> tuple[NDArray[np.int32], ...]:
    """Levels of a grid, as equally fine along all thresholds as their numbers of levels allow."""
    sizes, left = {}, float(most)
    for rest, t in zip(range(len(ranges), 0, -1), np.argsort([high - low for low, high in ranges]), strict=True):
        low, high = ranges[t]
        sizes[t] = min(high - low + 1, max(2, int(left ** (1 / rest) * (1 + 1e-9))))
        left = max(left / sizes[t], 1.0)
    return tuple(np.linspace(low, high, sizes[t]).round().astype(np.int32) for t, (low, high) in enumerate(ranges))
