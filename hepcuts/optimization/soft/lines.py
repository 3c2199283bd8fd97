"""The objective of hard cuts along a line: one threshold moves (or several that are tied), the others stay.

Where to it may move are the candidates, positions between events. The events that pass the other cuts are found once.
At how many candidates each passes the cut that moves follows from its value, so that the exact sums at all candidates
are one pass over these events, and the objective is evaluated at all of them side by side.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.templates.soft_events import BEYOND, SoftEvents
from hepcuts.templates.soft_layouts import Edge, loosest_is_low

from .search import Search


class Line:
    """Hard cuts along a line.

    Args:
        search: with the events; its objective is one of the templates.
        position: thresholds in the coordinates, shape (threshold,).
        members: which of them move, together, shape (threshold,).
    """

    def __init__(self, search: Search, position: FloatArray, members: NDArray[np.bool_]) -> None:
        self._search, self._position, self._members = search, position, members
        self._first = int(np.argmax(members))
        low, high = np.where(members, -BEYOND, position), np.where(members, BEYOND, position)
        self._near = search.passing(low, high)

    @property
    def rejects_nothing(self) -> bool:
        """Whether all events that pass the other cuts pass this one, too."""
        return all(bool(np.all(r.hard_mask(self._position[r.index]))) for r in self._near.regions)

    @functools.cached_property
    def _events(self) -> tuple[FloatArray, FloatArray]:
        """Coordinates of the events, ascending, and the share of all up to each: signal and background count alike."""
        region = self._near.regions[0]
        edge = next(e for e, moves in _edges(region, self._members) if moves.any())
        values = region.values[edge.row].astype(np.float64)
        there = np.flatnonzero(np.abs(values) < BEYOND)
        signal = np.array([component.signal for component in region.structure.components])[region.sample[there]]
        counts = np.maximum(np.bincount(signal, minlength=2), 1)
        order = np.argsort(values[there])
        return values[there][order], np.cumsum(0.5 / counts[signal.astype(np.int64)][order])

    @functools.cached_property
    def candidates(self) -> FloatArray:
        """The ends of the line and, ascending, all candidates between events that differ, shape (candidate,)."""
        low, high = self._search.space.lower[self._first], self._search.space.upper[self._first]
        values, _ = self._events
        middles = 0.5 * (values[1:] + values[:-1])
        return np.concatenate([[low], np.unique(middles[(middles > low) & (middles < high)]), [high]])

    @property
    def below(self) -> int:
        """Number of the last candidate below the threshold, or at it."""
        found = int(np.searchsorted(self.candidates, self._position[self._first], side="right")) - 1
        return min(max(found, 0), len(self.candidates) - 2)

    def divided(self, parts: int) -> NDArray[np.int64]:
        """Numbers of candidates that divide the events into parts of equal share, and of the ends."""
        values, share = self._events
        ends = [0, len(self.candidates) - 1]
        if len(values) == 0:
            return np.array(ends)
        at = np.searchsorted(share, share[-1] * np.arange(1, parts) / parts).clip(max=len(values) - 1)
        inside = np.searchsorted(self.candidates, values[at]).clip(max=len(self.candidates) - 1)
        return np.unique([*ends, *inside.tolist()])

    def threshold(self, candidate: int | None = None) -> float:
        """The threshold at a candidate, or where it is, as it is quoted."""
        if candidate is None:
            return float(self._search.space.thresholds(self._position)[self._first])
        cut = self._search.space.selection.cut_of_threshold[self._first]
        return self._search.space.coordinates[cut].threshold(float(self.candidates[candidate]))

    def end(self, candidate: int) -> float:
        """The threshold at an end of the line: infinite, unless there is a bound."""
        cut = self._search.space.selection.cuts[self._search.space.selection.cut_of_threshold[self._first]]
        upwards = candidate > 0
        if cut.bounds is not None:
            return float(cut.bounds[upwards])
        return np.inf if upwards else -np.inf

    def gains(self, candidates: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Gain of the objective at some candidates over where the threshold is, and its uncertainty.

        Args:
            candidates: numbers of candidates, shape (candidate,).

        Returns:
            Gain (minus infinity where there is no value) and standard deviation, each of shape (candidate,).
        """
        gain, sigma = gains_along(self._near, self._position, self._members, self.candidates[candidates])
        return np.where(np.isposinf(gain), -np.inf, gain), sigma


def gains_along(
    search: Search, position: FloatArray, members: NDArray[np.bool_], candidates: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gain of the objective of hard cuts if some thresholds move to a candidate, and its uncertainty.

    Args:
        search: with the events.
        position: thresholds in the coordinates, shape (threshold,).
        members: which of them move, together, shape (threshold,).
        candidates: where to, in the coordinates, shape (candidate,).

    Returns:
        As `gains_of`.
    """
    at = np.append(position[int(np.argmax(members))], candidates)
    return gains_of(search, [hard_sums_along(r, position, members, at) for r in search.regions])


def gains_of(search: Search, sums: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Gain of sums of hard cuts over the first of them, and its uncertainty.

    The events between are all that a gain rests on: its variance is, to first order, the sum over cells of the squared
    slope of the objective to the yield (the mean of those at both ends) times the sum of their squared weights.

    Args:
        search: whose objective it is.
        sums: of each region, shape (1 + candidate, cell, 2).

    Returns:
        Gain (minus infinity where there is no value, infinity where there is none to start from) and standard
        deviation, each of shape (candidate,).
    """
    values, slopes = search.of_many_sums(sums)
    variance = np.zeros(len(values) - 1)
    for of_region, slope in zip(sums, slopes, strict=True):
        mean = 0.5 * (slope[0, :, 0] + slope[1:, :, 0])
        variance += np.sum(mean**2 * np.abs(of_region[1:, :, 1] - of_region[0, :, 1]), axis=1)
    there = np.isfinite(values[1:])
    gain = np.where(there, search.problem.objective.sign * (values[1:] - values[0]), -np.inf)
    if not np.isfinite(values[0]):
        return np.where(there, np.inf, -np.inf), np.zeros(len(gain))
    good = there & np.isfinite(variance)
    return np.where(good, gain, -np.inf), np.sqrt(np.where(good, variance, 0.0))


def _edges(region: SoftEvents, members: NDArray[np.bool_]) -> list[tuple[Edge, NDArray[np.bool_]]]:
    """The edges of a region, and which of their thresholds, shape (knot,), are among the members."""
    mine = members[region.index]
    layout = region.layout
    return [(e, mine[first : first + len(e.knots)]) for e, first in zip(layout.edges, layout.first, strict=True)]


def hard_sums_along(
    region: SoftEvents, position: FloatArray, members: NDArray[np.bool_], candidates: FloatArray
) -> FloatArray:
    """Sums of w and w^2 of the events that pass hard cuts, shape (candidate, cell, 2).

    Args:
        region: the events.
        position: thresholds of the search, shape (threshold,).
        members: which of them are put at the candidates, shape (threshold,).
        candidates: in the coordinates, shape (candidate,).
    """
    order = np.argsort(candidates, kind="stable")
    loosest = np.where(loosest_is_low(region.layout), -BEYOND, BEYOND)
    somewhere = region.hard_mask(np.where(members[region.index], loosest, position[region.index]))
    region = region.take(np.flatnonzero(somewhere))
    begin, end = _passing_candidates(region, position[region.index], members, candidates[order])
    number, cells = len(candidates), int(np.prod(region.shape))
    found = np.zeros((number, cells, 2))
    for power, weights in enumerate((region.weights, region.squares)):
        for candidate, sums in enumerate(_sums(region.cell, weights, (begin, end), (number, cells))):
            found[order[candidate], :, power] = sums
    return found


def _sums(
    cell: NDArray[Any],
    weights: FloatArray,
    interval: tuple[NDArray[np.int64], NDArray[np.int64]],
    shape: tuple[int, int],
) -> FloatArray:
    """Sums at each candidate of the events that pass there, shape (candidate, cell)."""
    (begin, end), (number, cells) = interval, shape
    some = np.flatnonzero(begin < end)
    begin, end, cell, weights = begin[some], end[some], cell[some], weights[some]
    # Summed up from where none passes: differences of sums would leave rounding where nothing is.
    if np.all(begin == 0):
        counts = np.bincount((number - end) * cells + cell, weights, minlength=number * cells)
        return np.asarray(np.cumsum(counts.reshape(number, cells), axis=0)[::-1])
    if np.all(end == number):
        counts = np.bincount(begin * cells + cell, weights, minlength=number * cells)
        return np.asarray(np.cumsum(counts.reshape(number, cells), axis=0))
    passes = [(begin <= candidate) & (candidate < end) for candidate in range(number)]
    return np.array([np.bincount(cell[p], weights[p], minlength=cells) for p in passes], dtype=np.float64)


def _passing_candidates(
    region: SoftEvents, thresholds: FloatArray, members: NDArray[np.bool_], candidates: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First candidate at which each event passes, and the first after it at which it fails, each of shape (event,)."""
    size, number = len(region), len(candidates)
    begin, end = np.zeros(size, dtype=np.int64), np.full(size, number)
    edges = _edges(region, members)
    for cut, inverted in enumerate(region.layout.inverted):
        first, last = np.zeros(size, dtype=np.int64), np.full(size, number)
        for (edge, moves), start in zip(edges, region.layout.first, strict=True):
            if edge.cut == cut:
                own = thresholds[start : start + len(edge.knots)]
                low, high = _of_edge(region, edge, np.where(moves, 0.0, own), moves, candidates)
                first, last = np.maximum(first, low), np.minimum(last, high)
        if inverted:
            # Up to the first candidate or from the last one on: an event fails on one side only.
            never = first >= last
            first, last = (
                np.where(never | (first > 0), 0, last),
                np.where(never, number, np.where(first > 0, first, number)),
            )
        begin, end = np.maximum(begin, first), np.minimum(end, last)
    return begin, end


def _of_edge(
    region: SoftEvents, edge: Edge, fixed: FloatArray, moves: NDArray[np.bool_], candidates: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same for one edge, whose threshold is that of the fixed knots plus a share of the candidate."""
    values, number = region.values[edge.row].astype(np.float64), len(candidates)
    if edge.along is None:
        base, share = np.full(len(values), fixed[0]), np.full(len(values), float(moves[0]))
    else:
        along = region.values[edge.along]
        base, share = np.interp(along, edge.knots, fixed), np.interp(along, edge.knots, moves.astype(np.float64))
    passes = ((values > base) if edge.sign > 0 else (values < base)) | np.isnan(values)
    begin, end = np.zeros(len(values), dtype=np.int64), np.where(passes, number, 0)
    moving = np.flatnonzero((share > 0) & ~np.isnan(values))
    critical = (values[moving] - base[moving]) / share[moving]
    if edge.sign > 0:
        end[moving] = np.searchsorted(candidates, critical, side="left")
    else:
        begin[moving], end[moving] = np.searchsorted(candidates, critical, side="right"), number
    return begin, end
