"""How many bins: the best partition for each number of them, and what it is worth on events that did not choose it."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.merit.gains import Gain
from hepcuts.templates.partitions import Partition, best_partitions

from .fine import Bins, FineBins, Guard

WITHIN = 0.01
"""Loss of significance that is accepted for fewer bins."""


@dataclasses.dataclass(frozen=True, eq=False)
class PartitionCandidate:
    """The best bins for one number of them.

    Attributes:
        partition: chosen by all events.
        of_folds: chosen by the events of all folds but one, for each fold; empty if one of them has no such bins.
        value: square of the metric, on all events.
        held_out: its value on the events of each fold in the bins of the others, summed over folds; NaN without.
        factors: what one signal and one background event in each fine bin of each fold add to `held_out`, shape
            (fold, 2, fine).
    """

    partition: Partition
    of_folds: tuple[Partition, ...]
    value: float
    held_out: float
    factors: FloatArray

    @property
    def num_bins(self) -> int:
        """Number of bins."""
        return len(self.partition) - 1


def candidates(fine: FineBins, gain: Gain, guard: Guard, most: int) -> list[PartitionCandidate]:
    """The best bins for 1, 2, ... of them, as many as the guard allows."""
    everything = best_partitions(fine.gains(gain, guard), most)
    folds = range(fine.num_parts if fine.num_parts > 1 else 0)
    of_folds = [best_partitions(training(fine, fold).gains(gain, guard), len(everything)) for fold in folds]
    found = []
    for number, (partition, value) in enumerate(everything):
        known = all(len(one) > number for one in of_folds)
        partitions = tuple(one[number][0] for one in of_folds) if known else ()
        found.append(PartitionCandidate(partition, partitions, value, *held_out_value(fine, partitions, gain)))
    return found


def held_out_value(fine: FineBins, partitions: Sequence[Partition], gain: Gain) -> tuple[float, FloatArray]:
    """Value and factors of `PartitionCandidate` for the partition of each fold; NaN and zeros without any."""
    if not partitions:
        return np.nan, np.zeros((fine.num_parts, 2, fine.size))
    factors = np.stack([_factors(fine, training(fine, fold), p, gain) for fold, p in enumerate(partitions)])
    return float(np.sum(factors * _signal_and_background(fine, fine.values))), factors


def training(fine: FineBins, fold: int) -> FineBins:
    """The events of all folds but one, with the yields of all."""
    return fine.chosen(part for part in range(fine.num_parts) if part != fold)


def _factors(fine: FineBins, other: FineBins, partition: Partition, gain: Gain) -> FloatArray:
    """Factors of `Gain.tangent` for each fine bin, shape (2, fine)."""
    chosen = Bins.of(other.structure, other.merged(partition), gain)
    # How uncertain the background is, all events say: on few, squared weights fluctuate more than yields.
    relative = Bins.of(fine.structure, fine.merged(partition), gain).relative_variance
    return np.repeat(gain.tangent(chosen.signal, chosen.background, relative), np.diff(partition), axis=-1)


def _signal_and_background(fine: FineBins, sums: FloatArray) -> FloatArray:
    """Nominal sums, shape (part, 2, fine)."""
    signal = np.array([component.signal for component in fine.structure.components])
    return np.stack([sums[:, 0, signal].sum(axis=1), sums[:, 0, ~signal].sum(axis=1)], axis=1)


def deviation(fine: FineBins, factors: FloatArray) -> float:
    """Standard deviation, from finite simulation, of the sum of factors of shape (fold, 2, fine) over events."""
    return float(np.sqrt(np.sum(factors**2 * _signal_and_background(fine, fine.variances))))


class HeldOutValue(Protocol):
    """Numbers of bins with their value on held-out events."""

    @property
    def held_out(self) -> float:
        """Sum over events of factors; NaN if there is none."""

    @property
    def factors(self) -> FloatArray:
        """What single events add to it."""


def standard_errors(tried: Sequence[HeldOutValue], deviation: Callable[[FloatArray], float]) -> FloatArray:
    """Standard error of the difference of each held-out value to the best one, shape (tried,); NaN without.

    From the finite simulation: all values are sums over the same events.

    Args:
        tried: numbers of bins.
        deviation: standard deviation of the sum of some factors.
    """
    known = np.array([np.isfinite(one.held_out) for one in tried], dtype=bool)
    if not known.any():
        return np.full(len(tried), np.nan)
    best = tried[int(np.nanargmax([one.held_out for one in tried]))]
    return np.where(known, [deviation(one.factors - best.factors) for one in tried], np.nan)


def require_folds(folds: AbstractFolds | None) -> None:
    """Raise if there are no folds on which a number of bins could be chosen.

    Raises:
        InputError: there are none.
    """
    if folds is None:
        raise InputError(
            "folds is 0 and num_bins is not given; the number of bins is chosen on held-out events, on all events more "
            "bins are always better. Give num_bins, or at least 2 folds."
        )


def choose(values: FloatArray, deviations: FloatArray) -> int:
    """Position of the smallest number of bins whose held-out value is hardly worse than the best; 0 without values.

    By not more than one standard error of the difference, or by 1 % of the significance.

    Args:
        values: squares of the held-out values, of ascending numbers of bins, shape (candidate,).
        deviations: standard errors of their differences to the best, shape (candidate,).
    """
    if not np.isfinite(values).any():
        return 0
    best = np.nanmax(values)
    tolerated = np.maximum(deviations, (1.0 - (1.0 - WITHIN) ** 2) * abs(best))
    return int(np.argmax(values >= best - tolerated))
