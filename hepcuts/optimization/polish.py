"""The last step: from the optimum of the soft cuts to that of the hard ones, no further than the events warrant.

A soft cut of finite width has its optimum beside that of the hard cut. So each hard threshold is tried at others
around it, on the exact objective of the training events. The best of many would be the one that fluctuations
favor; a threshold moves only if the gain is larger than its statistical uncertainty, three times: of so many thresholds
one is nearly always better by once or twice as much. The events between the two are all that the gain rests on:
its variance is, to first order, the sum over cells of the squared slope of the objective to the yield times the sum of
their squared weights.
"""

import dataclasses

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.optimization.soft.lines import gains_along, gains_of
from hepcuts.optimization.soft.search import Search


@dataclasses.dataclass(frozen=True, eq=False)
class Polished:
    """What the polish did.

    Attributes:
        position: thresholds in the coordinates, shape (threshold,).
        gain: of the objective on the training events (larger is better, for losses too).
        uncertainty: of the gain, from the events between the thresholds.
        moves: number of moves of single thresholds.
    """

    position: FloatArray
    gain: float
    uncertainty: float
    moves: int


def polish(search: Search, position: FloatArray, widths: FloatArray) -> Polished:
    """Improve hard thresholds where the training events warrant it.

    Args:
        search: with the training events.
        position: thresholds in the coordinates, shape (threshold,).
        widths: of the stage that ended there, shape (threshold,).

    Returns:
        Where the thresholds are then; where they were for a loss of single events, which has no hard counterpart of
        the same optimum.
    """
    if not search.has_templates:
        return Polished(position, 0.0, 0.0, 0)
    options = search.tuning.polish
    low, high = around(search, position, widths)
    near = search.passing(low, high)
    start, moves = position.copy(), 0
    for _ in range(options.most_sweeps):
        before = moves
        for members in search.space.groups:
            first = int(np.argmax(members))
            candidates = near.candidates(first, low[members].max(), high[members].min(), options.thresholds)
            gains, sigma = gains_along(near, position, members, candidates)
            warranted = gains - options.deviations * sigma
            if np.max(warranted, initial=-np.inf) > 0:
                position, moves = np.where(members, candidates[int(np.argmax(warranted))], position), moves + 1
        if moves == before:
            break
    change, uncertainty = gain(near, start, position) if moves else (0.0, 0.0)
    return Polished(position, change, uncertainty, moves)


def around(search: Search, position: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest thresholds that a polish may get to, each of shape (threshold,)."""
    reach = search.tuning.polish.around * widths
    low, high = position - reach, position + reach
    return np.maximum(search.space.lower, low), np.minimum(search.space.upper, high)


def gain(search: Search, first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Gain of some thresholds over others, and its standard deviation."""
    sums = [np.stack(pair) for pair in zip(search.hard_sums(first), search.hard_sums(second), strict=True)]
    gains, sigma = gains_of(search, sums)
    return float(gains[0]), float(sigma[0])
