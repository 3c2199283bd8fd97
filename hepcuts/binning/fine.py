"""Events of all samples and variations, laid once into fine bins, from which all other bins are merged."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Self

import hist
import numpy as np
from numpy.typing import NDArray

from hepcuts._core import checks
from hepcuts._core.errors import EmptySelectionError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.merit.gains import Gain
from hepcuts.samples.envelopes import require_no_envelope
from hepcuts.samples.sample import Sample
from hepcuts.templates.events import Block, Multiplicity, blocks_of
from hepcuts.templates.filling import structure_of
from hepcuts.templates.partitions import Partition
from hepcuts.templates.simulated import Backgrounds, counted, vanished
from hepcuts.templates.templates import Structure, Yields
from hepcuts.templates.uncertainties import background_variance

_NUMBERS = 2_000_000
"""Yields of bins that are held at once."""
_ROUNDING = 1e-9
"""Relative, of sums of weights: in another order, or scaled, they must not lead to other edges."""


@dataclasses.dataclass(frozen=True, eq=False)
class Guard:
    """What a bin needs at least.

    Attributes:
        min_background: effective number of simulated events, (sum w)^2 / sum w^2, of each background that matters, see
            `hepcuts.templates.simulated`.
        min_expected: expected background events.

    Raises:
        InputError: a number that is negative or not finite.
    """

    min_background: float
    min_expected: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "min_background", checks.min_background(self.min_background))
        object.__setattr__(self, "min_expected", checks.amount("min_expected", self.min_expected))

    def __str__(self) -> str:
        return (
            f"each bin expects at least {self.min_expected:g} background events and has at least "
            f"{self.min_background:g} effective simulated ones of each background that matters"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Bins:
    """Yields of some bins, all of one shape, such as (bin,).

    Attributes:
        signal: expected signal.
        background: expected background.
        effective: effective number of simulated events of the weakest background.
        variance: variance of the background, or zero for a metric that does not take it.
    """

    signal: FloatArray
    background: FloatArray
    effective: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, structure: Structure, yields: Yields, gain: Gain | None = None) -> Self:
        """What the guard, and a sum over bins if there is one, need of yields (variation, sample, any bins)."""
        # Each bin is an experiment of its own, shape (any bins, variation, sample, 1).
        tables = (np.asarray(table) for table in (yields.values, yields.variances))
        single = counted(
            dataclasses.replace(structure, axis=None),
            Yields(*(np.moveaxis(table, (0, 1), (-2, -1))[..., None] for table in tables)),
        )
        nominal, squares = (np.asarray(table)[..., 0] for table in (single.nominal, single.variance))
        signal = np.array([component.signal for component in structure.components])
        background = nominal[..., ~signal].sum(axis=-1)
        variance = np.zeros_like(background)
        if gain is not None and gain.uncertain:
            variance = np.asarray(background_variance(structure, single), dtype=np.float64)
        effective = Backgrounds.of(structure).weakest(nominal, squares)
        return cls(nominal[..., signal].sum(axis=-1), background, effective, variance)

    def allowed(self, guard: Guard) -> NDArray[np.bool_]:
        """Which bins satisfy the guard."""
        least = 1.0 - _ROUNDING
        enough = (self.background >= least * guard.min_expected) & (self.effective >= least * guard.min_background)
        # A bin without background has no significance, and one that expects less than nothing no likelihood.
        return enough & (self.background > 0) & (self.signal + self.background >= 0)

    @property
    def relative_variance(self) -> FloatArray:
        """Variance of the background over the background."""
        zero = np.zeros_like(self.background)
        return np.divide(self.variance, self.background, out=zero, where=self.background > 0)


@dataclasses.dataclass(frozen=True, eq=False)
class FineBins:
    """Sums of weights in fine bins, of each part of the events.

    Attributes:
        edges: of the fine bins, shape (fine + 1,).
        structure: samples and variations, with the axis of the fine bins.
        values: sums of weights, shape (part, variation, sample, fine).
        variances: sums of squared weights, likewise.
        outside: expected events beyond the outermost edges, shape (sample,).
    """

    edges: FloatArray
    structure: Structure
    values: FloatArray
    variances: FloatArray
    outside: FloatArray

    @classmethod
    def of(
        cls,
        samples: Sequence[Sample],
        variable: str,
        *,
        selection: Selection | None,
        bounds: tuple[float, float] | None,
        fine_bins: int,
        folds: AbstractFolds | None,
        multiplicity: Multiplicity | None = None,
    ) -> "FineBins":
        """Lay out the events.

        Args:
            samples: at least one signal and one background.
            variable: a column of all samples.
            selection: which events, or None for all.
            bounds: outermost edges, or None for what takes all events.
            fine_bins: number of quantiles.
            folds: the parts, or None for one part.
            multiplicity: how often each event counts, or None for once.

        Raises:
            EmptySelectionError: no signal, or no background, is left within the bounds.
        """
        for sample in samples:
            require_no_envelope(sample.modifiers, "Binning")
        bare = structure_of(samples, axis=None, channel="signal_region")
        columns = (variable, *(() if selection is None else selection.columns))
        blocks = [_chosen(block, variable, selection) for block in blocks_of(samples, bare, columns)]
        edges = fine_edges(blocks, variable, bounds, fine_bins)
        structure = structure_of(samples, axis=hist.axis.Variable(edges, name=variable), channel="signal_region")
        size, count = len(edges) - 1, 1 if folds is None else folds.size
        shape = (count, len(structure.variations), len(samples), size)
        values, variances, outside = np.zeros(shape), np.zeros(shape), np.zeros(len(samples))
        for every in blocks:
            block = dataclasses.replace(every, structure=structure)
            if block.variation == 0:
                lost = np.flatnonzero(~block.inside)
                outside[block.sample] = np.sum(block.weights[lost] * block.times(multiplicity, lost))
            here = block.filled
            weights, times = block.weights[here], block.times(multiplicity, here)
            cell = (0 if folds is None else folds.part(block.identity[here])) * size + block.bins[here]
            for target, summands in ((values, weights * times), (variances, weights**2 * times)):
                sums = np.bincount(cell, summands, minlength=count * size)
                target[:, block.variation, block.sample] = sums.reshape(count, size)
        return cls(edges, structure, values, variances, outside)

    @property
    def size(self) -> int:
        """Number of fine bins."""
        return len(self.edges) - 1

    @property
    def num_parts(self) -> int:
        """Number of parts of the events."""
        return len(self.values)

    def chosen(self, parts: Iterable[int], *, whole: bool = True) -> "FineBins":
        """Some of the parts as one.

        Args:
            parts: their numbers.
            whole: whether to scale them to the yields of all parts (and to their simulation: variances are scaled by
                the same factor).
        """
        numbers = list(parts)
        scale = self.num_parts / len(numbers) if whole else 1.0
        values, variances = (scale * sums[numbers].sum(axis=0, keepdims=True) for sums in (self.values, self.variances))
        return dataclasses.replace(self, values=values, variances=variances)

    def merged(self, partition: Partition) -> Yields:
        """Yields of all parts together in merged bins, of shape (variation, sample, bin)."""
        sums = (np.add.reduceat(table.sum(axis=0), partition[:-1], axis=-1) for table in (self.values, self.variances))
        return self.structure.complete(*sums)

    def gains(self, gain: Gain, guard: Guard) -> FloatArray:
        """What every bin from fine bin i to j adds, shape (fine, fine); minus infinity where it is not allowed."""
        found = np.full((self.size, self.size), -np.inf)
        # A metric of the yields alone does not ask for the variations.
        variations = slice(None) if gain.uncertain else slice(0, 1)
        structure = self.structure if gain.uncertain else _without_systematics(self.structure)
        totals = [table.sum(axis=0)[variations] for table in (self.values, self.variances)]
        cells = totals[0].shape[0] * totals[0].shape[1] * self.size
        step = max(1, _NUMBERS // cells)
        for first in range(0, self.size, step):
            rows = np.arange(first, min(first + step, self.size))
            ends = np.arange(self.size) >= rows[:, None]
            # Each bin is summed up from its own beginning: differences of sums from the first would not be exact.
            sums = (np.cumsum(np.where(ends, table[..., None, :], 0.0), axis=-1) for table in totals)
            bins = Bins.of(structure, structure.complete(*sums), gain)
            row, end = np.nonzero(ends & bins.allowed(guard))
            found[rows[row], end] = gain(bins.signal[row, end], bins.background[row, end], bins.variance[row, end])
        return found


def gone(structure: Structure, yields: Yields) -> str:
    """What no simulated event is left of in any bin and how to go on, to be added to a refusal; "" if nothing."""
    words = "; ".join(vanished(structure, np.asarray(yields.variance).sum(axis=-1)))
    return f' {words}. If it is known to be little: Sample(..., empty="limit") or empty="ignore".' if words else ""


def _without_systematics(structure: Structure) -> Structure:
    bare = tuple(dataclasses.replace(component, modifiers=()) for component in structure.components)
    return dataclasses.replace(structure, components=bare)


def _chosen(block: Block, variable: str, selection: Selection | None) -> Block:
    """The events that pass and have a value of the variable."""
    passed = ~block.absent(variable)
    if selection is not None:
        passed &= selection.mask(block.columns, missing=block.missing)
    return block if passed.all() else block.take(np.flatnonzero(passed))


def fine_edges(
    blocks: Sequence[Block], variable: str, bounds: tuple[float, float] | None, fine_bins: int
) -> FloatArray:
    """Edges of the fine bins, shape (fine + 1,), between quantiles of equal parts of signal and background.

    Of equal parts, and not as many of each as are expected: a rare signal would have no fine bins where it is.

    Args:
        blocks: events that all have a value of the variable.
        variable: a column.
        bounds: outermost edges, or None for what takes all events.
        fine_bins: number of quantiles.

    Raises:
        EmptySelectionError: no signal, or no background, is left within the bounds.
    """
    if bounds is not None:
        columns = [block.values(variable) for block in blocks]
        rows = [np.flatnonzero((x >= bounds[0]) & (x <= bounds[1])) for x in columns]
        blocks = [block.take(kept) for block, kept in zip(blocks, rows, strict=True)]
    everything = np.unique(np.concatenate([block.values(variable) for block in blocks]))
    positions, shares = [], []
    for kind in (True, False):
        mine = [b for b in blocks if b.variation == 0 and b.structure.components[b.sample].signal == kind]
        weights = np.abs(np.concatenate([block.weights for block in mine]))
        if not weights.sum() > 0:
            raise EmptySelectionError(
                f"No {'signal' if kind else 'background'} event has a value to lay into bins"
                f"{'' if bounds is None else f' from {bounds[0]:g} to {bounds[1]:g}'}; loosen the cuts or the bounds."
            )
        positions.append(np.searchsorted(everything, np.concatenate([block.values(variable) for block in mine])))
        shares.append(weights / weights.sum())
    share = np.bincount(np.concatenate(positions), np.concatenate(shares), minlength=len(everything))
    below = np.cumsum(share)
    begins = 1 + np.searchsorted(below / below[-1], np.arange(1, fine_bins) / fine_bins - _ROUNDING)
    return _between(everything, np.unique(begins[begins < len(everything)]), bounds)


def _between(values: FloatArray, begins: NDArray[np.int64], bounds: tuple[float, float] | None) -> FloatArray:
    """Edges halfway between neighbors of some ascending values, and around all of them."""
    middle = 0.5 * values[begins - 1] + 0.5 * values[begins]
    # A bin holds its lower edge. Of neighbors that differ in the last bit the middle may round to the lower one.
    middle = np.where(middle <= values[begins - 1], values[begins], middle)
    low, high = (values[0], values[-1]) if bounds is None else bounds
    # The last bin does not hold its upper edge, and values such as 1 of a classifier lie on it.
    return np.concatenate([[low], middle, [np.nextafter(high, np.inf) if values[-1] == high else high]])
