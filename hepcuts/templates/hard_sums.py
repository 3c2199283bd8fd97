"""Sums over the events that pass hard cuts, block by block: masks to sums."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection

from .events import Block, Multiplicity
from .templates import Structure


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
) -> HardSums:
    """Sum up the events of some blocks that pass hard cuts.

    Args:
        blocks: events with the columns of the cuts; from anywhere, one after the other.
        selection: the cuts with their thresholds, or None for all events.
        structure: of the templates.
        multiplicity: how often each event counts, or None for once.
    """
    shape = len(structure.variations), len(structure.components), structure.num_bins
    values, variances, outside = np.zeros(shape), np.zeros(shape), np.zeros(len(structure.components))
    passed = 0
    for block in blocks:
        at = block.variation, block.sample
        every = np.ones(len(block), dtype=bool)
        passes = every if selection is None else selection.mask(block.columns, missing=block.missing)
        passed += int(np.count_nonzero(passes))
        if structure.axis is not None:
            lost = np.flatnonzero(passes & ~block.inside)
            if block.variation == 0:
                outside[block.sample] += np.sum(block.weights[lost] * block.times(multiplicity, lost))
            passes = passes & block.inside
        rows = np.flatnonzero(passes)
        weights, times = block.weights[rows], block.times(multiplicity, rows)
        for target, summands in ((values, weights * times), (variances, weights**2 * times)):
            if structure.num_bins == 1:
                target[*at, 0] += np.sum(summands)
            else:
                target[at] += np.bincount(block.bins[rows], summands, minlength=structure.num_bins)
    return HardSums(values, variances, outside, passed)
