"""Yields of the events after hard cuts, and of bootstrap replicas of them.

A replica counts each event as often as a resampling says (`hepcuts.evaluation.resampling`), in all regions and
variations alike.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from hepcuts._core.counters import Bits
from hepcuts._core.errors import FitError, InputError, YieldError
from hepcuts._core.executors import Executor, executor_of
from hepcuts._core.types import Columns, FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.rows import Rows
from hepcuts.samples.sample import Sample
from hepcuts.templates.events import blocks_of
from hepcuts.templates.filling import as_selection, structure_of
from hepcuts.templates.templates import Structure, Yields

from .resampling import AbstractFolds, AbstractResampling

_NUMBERS = 1_000_000
"""How often events count in replicas: so many numbers are held at once by each thread. Chosen by hand, some caches."""


@dataclasses.dataclass(frozen=True, eq=False)
class HardCuts:
    """Cuts with all of their thresholds: the same for all events, or for those of each fold what the others chose.

    Attributes:
        selections: one, or one for each fold; all cut on the same columns.
        folds: which event is in which fold, or None.
        without: the variable of a cut to leave out in all regions, or None.

    Raises:
        InputError: a threshold is not set, or there are not as many selections as folds.
    """

    selections: tuple[Selection, ...]
    folds: AbstractFolds | None = None
    without: str | None = None

    def __post_init__(self) -> None:
        for selection in self.selections:
            complete_selection(selection)
        if self.folds is not None and len(self.selections) != self.folds.size:
            raise InputError(f"{len(self.selections)} selections came for {self.folds.size} folds; expected one each.")

    def columns(self, region: Region | None = None) -> set[str]:
        """The columns that they read, in the signal region (None) or in another."""
        return set(_region(self.selections[0], region).columns)

    def passes(
        self, identity: Bits, columns: Columns, *, missing: float | None, region: Region | None = None
    ) -> NDArray[np.bool_]:
        """Which events pass, in the signal region (None) or in another, shape (event,)."""
        part = np.zeros(len(identity), dtype=np.int64) if self.folds is None else self.folds.part(identity)
        passed = np.zeros(len(identity), dtype=bool)
        for number, selection in enumerate(self.selections):
            passed |= (part == number) & self._mask(_region(selection, region), columns, missing)
        return passed

    def _mask(self, selection: Selection, columns: Columns, missing: float | None) -> NDArray[np.bool_]:
        kept = [cut for cut in selection.cuts if cut.variable != self.without]
        everything = np.ones(len(next(iter(columns.values()))), dtype=bool)
        return Selection(kept).mask(columns, missing=missing) if kept else everything


def _region(selection: Selection, region: Region | None) -> Selection:
    return selection if region is None else region.selection(selection)


def complete_selection(selection: Selection | AbstractCut) -> Selection:
    """A selection with all of its thresholds.

    Raises:
        InputError: there is none, or a threshold is not set.
    """
    chosen = as_selection(selection)
    if chosen is None or None in chosen.thresholds:
        raise InputError(f"The selection is {chosen}; expected cuts with all of their thresholds.")
    return chosen


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """Where some weights of a sample's events are summed.

    Attributes:
        sums: of weights and of their squares, shape (2, bin, row), to be filled.
        bins: bin of each event, -1 where it is in none, shape (event,).
        weights: shape (event,).
    """

    sums: FloatArray
    bins: NDArray[np.int64]
    weights: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class _Events:
    """Some events of a sample, to be summed in all of its pieces: a block for an executor.

    Attributes:
        identity: shape (event,).
        pieces: bins and weights in each piece, each of shape (event,), and how many bins it has.
    """

    identity: Bits
    pieces: list[tuple[NDArray[np.int64], FloatArray, int]]


def replicated_yields(
    samples: Sequence[Sample],
    cuts: Sequence[HardCuts],
    *,
    axis: Any,
    regions: Sequence[Region],
    replicas: AbstractResampling | None,
    executor: Executor | None = None,
) -> tuple[list[Structure], list[list[Yields]]]:
    """Hard yields of the events and of replicas of them, which are the same for all cuts.

    Args:
        samples: checked samples.
        cuts: any number of hard cuts of the signal region.
        axis: of the signal region.
        regions: further regions.
        replicas: None for none.
        executor: who sums, see `hepcuts._core.executors`; None for threads.

    Returns:
        The structure of each region, the signal region first; and for each of `cuts` the yields of each region, of
        shape (row, variation, sample, bin). Row 0 is the events themselves, the others are replicas.
    """
    channels = [("signal_region", axis, None), *((r.name, r.axis, r) for r in regions)]
    structures = [structure_of(samples, axis=along, channel=name) for name, along, _ in channels]
    rows = 1 + (0 if replicas is None else replicas.size)
    sums = [[np.zeros((2, *_shape(structure), rows)) for structure in structures] for _ in cuts]
    pieces: list[list[_Piece]] = [[] for _ in samples]
    for number, (structure, (_, _, region)) in enumerate(zip(structures, channels, strict=True)):
        names = set().union(*(hard.columns(region) for hard in cuts))
        for block in blocks_of(samples, structure, names):
            for of_cuts, hard in zip(sums, cuts, strict=True):
                passed = hard.passes(block.identity, block.columns, missing=block.missing, region=region)
                bins = np.where(passed & block.inside, block.bins, -1)
                target = of_cuts[number][:, block.variation, block.sample]
                pieces[block.sample].append(_Piece(target, bins, block.weights))
    for mine, sample in zip(pieces, samples, strict=True):
        _fill(mine, sample.identity, replicas, executor)
    return structures, [
        [_completed(structure, found) for structure, found in zip(structures, of_cuts, strict=True)] for of_cuts in sums
    ]


def replicated_totals(
    samples: Sequence[Sample], replicas: AbstractResampling, executor: Executor | None = None
) -> Totals:
    """Expected signal and background before any cut, rows as in `replicated_yields`, each of shape (row,)."""
    sums = np.zeros((len(samples), 2, 1, 1 + replicas.size))
    for target, sample in zip(sums, samples, strict=True):
        everywhere = np.zeros(len(sample), dtype=np.int64)
        _fill([_Piece(target, everywhere, sample.weights)], sample.identity, replicas, executor)
    signal = np.array([sample.signal for sample in samples])
    return sums[signal, 0, 0].sum(axis=0), sums[~signal, 0, 0].sum(axis=0)


def values_in_rows(
    figure: AbstractFigureOfMerit,
    structures: Sequence[Structure],
    yields: Sequence[Yields],
    totals: Totals = (np.nan, np.nan),
) -> FloatArray:
    """A figure of merit of many rows side by side, NaN where it has no value, shape (row,).

    Args:
        figure: the figure of merit.
        structures: of each channel.
        yields: of each channel, of shape (row, variation, sample, bin).
        totals: expected signal and background before the cuts, numbers or of shape (row,).
    """
    regions = [Rows.of_yields(structure, found, totals) for structure, found in zip(structures, yields, strict=True)]
    try:
        values = figure.values(regions)
    except (FitError, YieldError):
        return np.full(len(regions[0]), np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _shape(structure: Structure) -> tuple[int, int, int]:
    return len(structure.variations), len(structure.components), structure.num_bins


def _completed(structure: Structure, sums: FloatArray) -> Yields:
    complete = structure.complete(sums[0], sums[1])
    return Yields(*(np.moveaxis(np.asarray(a), -1, 0) for a in (complete.values, complete.variances)))


def _fill(
    pieces: Sequence[_Piece], identity: Bits, replicas: AbstractResampling | None, executor: Executor | None
) -> None:
    """Sum up the weights of one sample, whose events count in all pieces alike; block by block of events."""
    somewhere = np.flatnonzero(np.any([piece.bins >= 0 for piece in pieces], axis=0))
    rows = 1 + (0 if replicas is None else replicas.size)
    blocks = (
        _Events(identity[some], [(p.bins[some], p.weights[some], p.sums.shape[1]) for p in pieces])
        for some in np.array_split(somewhere, 1 + len(somewhere) * rows // _NUMBERS)
    )
    workers = executor_of(executor)
    for found in workers.map(_sums_of, workers.lay_out(blocks), (replicas,)):
        for piece, sums in zip(pieces, found, strict=True):
            piece.sums[...] += sums


def _sums_of(events: _Events, replicas: AbstractResampling | None) -> list[FloatArray]:
    """Sums of some events in each piece, shape (2, bin, row)."""
    drawn = 0 if replicas is None else replicas.size
    times, found = np.ones((len(events.identity), 1 + drawn)), []
    if replicas is not None:
        times[:, 1:] = replicas.block(range(drawn), events.identity).T
    for bins, weights, number in events.pieces:
        inside = np.flatnonzero(bins >= 0)
        at, shape = (bins[inside], inside), (number, len(bins))
        found.append(
            np.stack([scipy.sparse.csr_array((weights[inside] ** p, at), shape=shape) @ times for p in (1, 2)])
        )
    return found
