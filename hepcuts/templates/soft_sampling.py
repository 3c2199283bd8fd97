"""Fewer events in place of all: without those that cannot pass, or some that stand for all of them."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.cuts.steps import AbstractStep

from .soft_events import SoftEvents
from .soft_layouts import loosest_is_low

Box = tuple[FloatArray, FloatArray]
"""Lowest and highest thresholds in the coordinates, each of shape (threshold,)."""

_ROUNDING, _OF_DISTANCES = 1e-5, 2e-6
"""Errors of the logarithm of one factor above 1e-20 in 32 bits, at most: what is computed of the scaled distance, and,
times the inverse width, the distance between coordinates of up to 6."""


def within_reach(
    events: SoftEvents, box: Box, widths: FloatArray, step: AbstractStep, *, tolerance: float
) -> tuple[SoftEvents, float]:
    """The events without those that no thresholds in a box can select.

    Pass weights are monotone in each threshold, so that the loosest corner of the box bounds them all. In each cell an
    event is left out if its bound, in absolute weight, is no more than its equal share of `tolerance` times what passes
    in the cell at the box's center: together they then are no more than that anywhere in the box.

    Args:
        events: of one region.
        box: lowest and highest thresholds.
        widths: as in `SoftEvents.sums`.
        step: as in `SoftEvents.sums`.
        tolerance: relative to the yields at the box's center.

    Returns:
        The events kept, and the largest of the cells' bounds on the error, relative to the yield at the center.
    """
    bound = _most_passing(events, box, widths, step) * np.abs(events.weights)
    if events.values.dtype == np.float32:
        bound *= np.exp(np.sum(_ROUNDING + _OF_DISTANCES / widths))
    num_cells = int(np.prod(events.shape))
    yields = np.abs(events.sums(0.5 * (box[0] + box[1]), widths, step)[0][:, 0])
    share = tolerance * yields / np.maximum(np.bincount(events.cell, minlength=num_cells), 1)
    keep = bound > share[events.cell]
    lost = np.bincount(events.cell[~keep], bound[~keep], minlength=num_cells)
    worst = float(np.max(np.where(yields > 0, lost / np.where(yields > 0, yields, 1.0), 0.0)))
    return events.take(np.flatnonzero(keep)), worst


def _most_passing(events: SoftEvents, box: Box, widths: FloatArray, step: AbstractStep) -> NDArray[Any]:
    """The pass weights at the loosest corner of a box, shape (event,)."""
    return events.pass_weights(np.where(loosest_is_low(events.layout), *box), widths, step)


def sampled(events: SoftEvents, box: Box, widths: FloatArray, step: AbstractStep, *, number: int) -> SoftEvents:
    """About so many events of each cell in place of all, chosen in proportion to the most that can pass of them.

    An event whose pass weight is at most p anywhere in the box is taken with a probability proportional to p and
    weighted with its inverse, so that sums are unbiased, and what the choice adds to their variance is small where it
    matters: n events of equal weight at the loosest corner of the box add 1/n to the relative variance, times the ratio
    of yields at that corner and at the thresholds. The choice is that of equal steps along the sum of the
    probabilities, without any random number.

    Args:
        events: of one region.
        box: as in `within_reach`.
        widths: as in `SoftEvents.sums`.
        step: as in `SoftEvents.sums`.
        number: events of each cell, at least if there are so many.
    """
    return _standing_for_all(events, _most_passing(events, box, widths, step), number)


def sampled_but_one(
    events: SoftEvents, thresholds: FloatArray, widths: FloatArray, step: AbstractStep, *, number: int
) -> SoftEvents:
    """As `sampled`, for one edge that moves anywhere while all others stay."""
    return _standing_for_all(events, events.pass_weights(thresholds, widths, step, but_one=True), number)


def _standing_for_all(events: SoftEvents, bound: NDArray[Any], number: int) -> SoftEvents:
    """About so many events of each cell, chosen in proportion to a bound on their pass weights, shape (event,)."""
    chosen, factors = [], []
    for begin, end in itertools.pairwise(np.append(events.starts, len(events))):
        share = bound[begin:end].astype(np.float64)
        share *= number / max(float(share.sum()), 1e-300)
        steps = np.cumsum(np.minimum(share, 1.0, out=share))
        of_cell = np.searchsorted(steps, np.arange(0.5, steps[-1]))
        # Where events are certain to be taken, rounding may hit one twice.
        of_cell = of_cell[np.diff(of_cell, prepend=-1) > 0]
        chosen.append(begin + of_cell)
        factors.append(1.0 / share[of_cell])
    return events.standing_for_all(np.concatenate(chosen), np.concatenate(factors))
