"""Sums over the events that pass hard cuts, block by block: masks to sums."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from hepcuts._core.executors import Executor
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection

from .events import Block, Multiplicity
from .templates import Structure


@dataclasses.dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums over the events of one block that pass hard cuts.

    Attributes:
        at: positions of its variation and its sample.
        values: sum of weights, shape (bin,).
        variances: sum of squared weights, shape (bin,).
        outside: expected events without any variation that pass but are in no bin.
        passed: number of simulated events that pass, in a bin or not.
    """

    at: tuple[int, int]
    values: FloatArray
    variances: FloatArray
    outside: float
    passed: int


@dataclasses.dataclass(frozen=True, eq=False)
class HardSums:
    """Sums over events that pass hard cuts. They add.

    Attributes:
        values: sums of weights, shape (variation, sample, bin).
        variances: sums of squared weights, of the same shape.
        outside: expected events without any variation that pass but are in no bin, shape (sample,).
        passed: number of simulated events that pass, in a bin or not, in any variation.
    """

    values: FloatArray
    variances: FloatArray
    outside: FloatArray
    passed: int

    def __add__(self, other: "HardSums") -> "HardSums":
        mine, theirs = (dataclasses.astuple(sums) for sums in (self, other))
        return HardSums(*(a + b for a, b in zip(mine, theirs, strict=True)))


def hard_sums(
    blocks: Iterable[Block],
    selection: Selection | None,
    structure: Structure,
    multiplicity: Multiplicity | None = None,
    *,
    executor: Executor | None = None,
) -> HardSums:
    """Sum up the events of some blocks that pass hard cuts.

    Args:
        blocks: events with the columns of the cuts; from anywhere.
        selection: the cuts with their thresholds, or None for all events.
        structure: of the templates.
        multiplicity: how often each event counts, or None for once.
        executor: who sums; None to take one block after the other, none of which is kept.
    """
    shape = len(structure.variations), len(structure.components), structure.num_bins
    values, variances, outside = np.zeros(shape), np.zeros(shape), np.zeros(len(structure.components))
    passed = 0
    found: Iterable[BlockSums] = (block_sums(block, selection, multiplicity) for block in blocks)
    if executor is not None:
        found = executor.map(block_sums, executor.lay_out(blocks), (selection, multiplicity))
    for sums in found:
        values[sums.at] += sums.values
        variances[sums.at] += sums.variances
        outside[sums.at[1]] += sums.outside
        passed += sums.passed
    return HardSums(values, variances, outside, passed)


def block_sums(block: Block, selection: Selection | None, multiplicity: Multiplicity | None = None) -> BlockSums:
    """Sum up the events of one block; arguments as in `hard_sums`."""
    every = np.ones(len(block), dtype=bool)
    passes = every if selection is None else selection.mask(block.columns, missing=block.missing)
    passed, outside = int(np.count_nonzero(passes)), 0.0
    if block.structure.axis is not None:
        lost = np.flatnonzero(passes & ~block.inside)
        if block.variation == 0:
            outside = float(np.sum(block.weights[lost] * block.times(multiplicity, lost)))
        passes = passes & block.inside
    rows = np.flatnonzero(passes)
    weights, times, number = block.weights[rows], block.times(multiplicity, rows), block.structure.num_bins
    values, variances = (
        np.array([np.sum(w)]) if number == 1 else np.bincount(block.bins[rows], w, number).astype(np.float64)
        for w in (weights * times, weights**2 * times)
    )
    return BlockSums((block.variation, block.sample), values, variances, outside, passed)
