"""Yields of replicas of the events behind hard cuts: what a bootstrap needs of the events.

A replica counts each event as often as a Poisson distribution of mean 1 says, in all regions and variations alike. The
number of simulated events is thus random, as in a staterror. Events that nothing tells apart, of one weight and in the
same bins, are drawn together: how often any of n events is drawn is a Poisson number of mean n. With equal weights, a
million events cost no more than ten.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, FloatArray
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.samples.sample import Sample
from hepcuts.templates.events import blocks_of
from hepcuts.templates.filling import structure_of
from hepcuts.templates.templates import Structure, Yields

_NUMBERS = 4_000_000
"""Random numbers that are held at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class HardCuts:
    """Hard cuts, the same for all events or for each part of them its own.

    Attributes:
        selections: one, or one for each part.
        members: part of each event, sample by sample, each of shape (event,); None if there is one selection.
    """

    selections: tuple[Selection, ...]
    members: tuple[NDArray[Any], ...] | None = None

    def __post_init__(self) -> None:
        for selection in self.selections:
            if None in selection.thresholds:
                raise InputError(f"A threshold of {selection} is not set; a bootstrap wants cuts with all of them.")

    def columns(self, region: Region | None = None) -> set[str]:
        """The columns that they read."""
        selections = self.selections if region is None else [region.selection(s) for s in self.selections]
        return {column for selection in selections for column in selection.columns}

    def passes(
        self, sample: int, columns: Columns, *, missing: float | None, region: Region | None = None
    ) -> NDArray[np.bool_]:
        """Which events of a sample pass, in the signal region (None) or in another, shape (event,)."""
        selections = self.selections if region is None else [region.selection(s) for s in self.selections]
        masks = [selection.mask(columns, missing=missing) for selection in selections]
        if self.members is None:
            return masks[0]
        part = self.members[sample]
        return np.asarray(np.stack(masks)[part, np.arange(len(part))])


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

    def fill(self) -> None:
        """Sum up the events themselves, where there are no replicas."""
        inside = np.flatnonzero(self.bins >= 0)
        bins, weights = self.bins[inside], self.weights[inside]
        for row, power in enumerate((1, 2)):
            self.sums[row, :, 0] += np.bincount(bins, weights**power, minlength=self.sums.shape[1])


def replicated_yields(
    samples: Sequence[Sample],
    cuts: Sequence[HardCuts],
    *,
    axis: Any,
    regions: Sequence[Region],
    replicas: int,
    generator: np.random.Generator,
) -> tuple[list[Structure], list[list[Yields]]]:
    """Hard yields of the events and of replicas of them, which are the same behind all cuts.

    Args:
        samples: checked samples.
        cuts: any number of hard cuts of the signal region.
        axis: of the signal region.
        regions: further regions.
        replicas: number of replicas.
        generator: of the random numbers; those of one sample do not depend on the others.

    Returns:
        The structure of each region, the signal region first; and for each of `cuts` the yields of each region, of
        shape (row, variation, sample, bin). Row 0 is the events themselves, the others are replicas.
    """
    channels = [("signal_region", axis, None), *((r.name, r.axis, r) for r in regions)]
    structures = [structure_of(samples, axis=along, channel=name) for name, along, _ in channels]
    sums = [[np.zeros((2, *_shape(structure), 1 + replicas)) for structure in structures] for _ in cuts]
    pieces: list[list[_Piece]] = [[] for _ in samples]
    for number, (structure, (_, _, region)) in enumerate(zip(structures, channels, strict=True)):
        names = set().union(*(hard.columns(region) for hard in cuts))
        for block in blocks_of(samples, structure, names):
            for of_cuts, hard in zip(sums, cuts, strict=True):
                passed = hard.passes(block.sample, block.columns, missing=block.missing, region=region)
                bins = np.where(passed & block.inside, block.bins, -1)
                piece = _Piece(of_cuts[number][:, block.variation, block.sample], bins, block.weights)
                if replicas:
                    pieces[block.sample].append(piece)
                else:
                    piece.fill()
    for mine, stream in zip(pieces, generator.spawn(len(samples)), strict=True):
        _fill(mine, replicas, stream)
    return structures, [
        [_completed(structure, found) for structure, found in zip(structures, of_cuts, strict=True)] for of_cuts in sums
    ]


def replicated_decisions(
    samples: Sequence[Sample], cuts: Sequence[HardCuts], *, axis: Any, replicas: int, generator: np.random.Generator
) -> list[FloatArray]:
    """Sums of the weights of events that fail and of those that pass, nominal and in the signal region.

    An event that lies off the axis fails: it is not counted.

    Args:
        samples: as in `replicated_yields`.
        cuts: likewise.
        axis: likewise.
        replicas: likewise.
        generator: likewise.

    Returns:
        For each of `cuts` shape (row, sample, 2), rows as in `replicated_yields`.
    """
    structure = structure_of(samples, axis=axis, channel="signal_region")
    sums = [np.zeros((len(samples), 2, 2, 1 + replicas)) for _ in cuts]
    names = set().union(*(hard.columns() for hard in cuts))
    blocks = blocks_of(samples, structure, names, nominal=True)
    for block, stream in zip(blocks, generator.spawn(len(samples)), strict=True):
        s = block.sample
        passed = [hard.passes(s, block.columns, missing=block.missing) & block.inside for hard in cuts]
        pieces = [_Piece(found[s], p.astype(np.int64), block.weights) for found, p in zip(sums, passed, strict=True)]
        _fill(pieces, replicas, stream)
    return [np.moveaxis(found[:, 0], -1, 0) for found in sums]


def _shape(structure: Structure) -> tuple[int, int, int]:
    return len(structure.variations), len(structure.components), structure.num_bins


def _completed(structure: Structure, sums: FloatArray) -> Yields:
    complete = structure.complete(sums[0], sums[1])
    return Yields(*(np.moveaxis(np.asarray(a), -1, 0) for a in (complete.values, complete.variances)))


def _fill(pieces: Sequence[_Piece], replicas: int, generator: np.random.Generator) -> None:
    """Sum up the weights of one sample, all pieces with the same random numbers."""
    if not pieces:
        return
    somewhere = np.flatnonzero(np.any([piece.bins >= 0 for piece in pieces], axis=0))
    first, alike = _kinds([column[somewhere] for piece in pieces for column in (piece.weights, piece.bins)])
    kinds = somewhere[first]
    for part in np.array_split(np.arange(len(kinds)), 1 + len(kinds) * (1 + replicas) // _NUMBERS):
        times = np.empty((len(part), 1 + replicas))
        times[:, 0] = alike[part]
        times[:, 1:] = generator.poisson(alike[part, None], (len(part), replicas))
        for piece in pieces:
            bins, weights = piece.bins[kinds[part]], piece.weights[kinds[part]]
            inside = np.flatnonzero(bins >= 0)
            shape = (piece.sums.shape[1], len(part))
            for row, power in enumerate((1, 2)):
                matrix = scipy.sparse.csr_array((weights[inside] ** power, (bins[inside], inside)), shape=shape)
                piece.sums[row] += matrix @ times


def _kinds(columns: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Events that agree in all columns: the first of each kind, and how many there are; each of shape (kind,)."""
    size = len(columns[0])
    kind = np.zeros(size, dtype=np.int64)
    for column in columns:
        values, number = np.unique(column, return_inverse=True)
        known, kind = np.unique(kind * len(values) + number, return_inverse=True)
        if 2 * len(known) > size:
            # Hardly two are alike.
            return np.arange(size), np.ones(size, dtype=np.int64)
    _, first, alike = np.unique(kind, return_index=True, return_counts=True)
    return first, alike
