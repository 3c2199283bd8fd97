"""The space that thresholds are searched in: coordinates, widths, bounds, starts, and what moves together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.executors import in_threads
from hepcuts._core.quantiles import WeightedQuantiles
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.edges import edges_of, require_edges
from hepcuts.samples.sample import Sample
from hepcuts.templates.coordinates import AbstractCoordinate, Linear, normal_scores
from hepcuts.templates.spreads import DEFAULT_WIDTH, quantities_of, spread

from .problem import Problem

_COMPARED = 1000
"""Events of each sample that have to pass the edges of a cut as they pass the cut; chosen by hand."""


def coordinates_of(samples: Sequence[Sample], problem: Problem) -> list[AbstractCoordinate]:
    """One for each cut; cuts that are tied have the same."""
    cuts = problem.selection.cuts
    tied = _tied_cuts(problem.selection, problem.tied)

    def of_cut(number: int) -> AbstractCoordinate:
        group = [cuts[other] for other in tied[number]]
        both = [
            np.concatenate([quantities_of(samples, cut, signal=signal)[0] for cut in group]) for signal in (True, False)
        ]
        if problem.linear or any(_is_linear(cut) for cut in group):
            low, high = min(b.min() for b in both), max(b.max() for b in both)
            scale = 1.0 if problem.linear else min(spread(samples, cut) for cut in group)
            return Linear(scale, (float(low), float(high)))
        _spread_or_values(both, cuts[number].variable)
        return normal_scores(both[0], both[1], _exact(group))

    return in_threads(of_cut, range(len(cuts)))


def _tied_cuts(selection: Selection, tied: Sequence[Sequence[str]]) -> list[list[int]]:
    """For each cut the positions of those that a threshold of it is tied to, itself among them, in their order."""
    groups = [{selection.cut_of_threshold[selection.names.index(name)] for name in group} for group in tied]
    return [
        next((sorted(group) for group in groups if number in group), [number]) for number in range(len(selection.cuts))
    ]


def _is_linear(cut: AbstractCut) -> bool:
    return cut.width is not None or any(edge.along is not None for edge in edges_of(cut))


def _exact(cuts: Sequence[AbstractCut]) -> list[tuple[float, int]]:
    """Thresholds and bounds that were given, with the sign of their threshold."""
    return [
        (number, sign)
        for cut in cuts
        for threshold, sign in zip(cut.thresholds, cut.plain.signs, strict=True)
        for number in (threshold, *(cut.bounds or ()))
        if number is not None
    ]


def _spread_or_values(both: Sequence[FloatArray], variable: str) -> None:
    if all(values.min() == values.max() == both[0][0] for values in both):
        raise InputError(f"The variable {variable!r} has hardly more than one value; there is nothing to cut on.")


def widths_of(selection: Selection, coordinates: Sequence[AbstractCoordinate]) -> FloatArray:
    """Widths of the soft cuts in the coordinates, shape (threshold,)."""
    given = [selection.cuts[cut].width for cut in selection.cut_of_threshold]
    return np.array(
        [
            DEFAULT_WIDTH if width is None else width / (c.scale if isinstance(c, Linear) else 1.0)
            for width, c in zip(given, coordinates, strict=True)
        ]
    )


def bounds_of(
    selection: Selection, coordinates: Sequence[AbstractCoordinate], signs: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Bounds of the thresholds in the coordinates, each of shape (threshold,)."""
    pairs = []
    for position, coordinate, sign in zip(selection.cut_of_threshold, coordinates, signs, strict=True):
        bounds = selection.cuts[position].bounds
        pairs.append(coordinate.limits if bounds is None else tuple(coordinate.score(b, sign) for b in bounds))
    low, high = np.array(pairs, dtype=np.float64).T
    return low, high


def start_of(samples: Sequence[Sample], selection: Selection, lost: float) -> list[float]:
    """Where the search starts: as given, or where each threshold loses a share of the signal."""
    start = []
    for threshold, sign, position in zip(
        selection.thresholds, selection.signs, selection.cut_of_threshold, strict=True
    ):
        cut = selection.cuts[position]
        signal = WeightedQuantiles.of(*quantities_of(samples, cut, signal=True))
        if cut.inverted and len(edges_of(cut)) > 1:
            # Both sides together lose it, around the middle.
            loose = signal.at(0.5 + 0.5 * lost * sign)
        else:
            loose = signal.at(lost if sign > 0 else 1.0 - lost)
        start.append(loose if threshold is None else threshold)
    return start


def unknowns_of(selection: Selection, fixed: Sequence[str], tied: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """For each threshold the number of what the solver moves, or -1 if it stays, shape (threshold,)."""
    names = list(selection.names)
    _check_names(selection, fixed, tied)
    found = np.full(len(names), -1)
    count = 0
    for number, name in enumerate(names):
        group = next((g for g in tied if name in g), (name,))
        if any(other in fixed for other in group) or found[number] >= 0:
            continue
        for other in group:
            found[names.index(other)] = count
        count += 1
    return found


def require_soft_cuts(samples: Sequence[Sample], selection: Selection) -> None:
    """Make sure that the soft problem is that of the cuts.

    Raises:
        InputError: a cut gives no edges, or some that select other events than it does.
    """
    for cut in selection.cuts:
        for sample in samples:
            columns = {name: sample.column(name)[:_COMPARED] for name in cut.columns}
            require_edges(cut, columns, sample.missing)


def _check_names(selection: Selection, fixed: Sequence[str], tied: Sequence[Sequence[str]]) -> None:
    names = list(selection.names)
    for name in (*fixed, *(n for group in tied for n in group)):
        if name not in names:
            raise InputError(f"There is no threshold {name!r} to be fixed or tied; there are {', '.join(names)}.")
    for name in fixed:
        if selection.thresholds[names.index(name)] is None:
            raise InputError(f"The threshold {name!r} is to stay where it is, but is not set; give it in its cut.")
    for group in tied:
        if 0 < len(set(group) & set(fixed)) < len(set(group)):
            raise InputError(f"Of the thresholds {', '.join(group)}, which are tied, some are fixed; fix all or none.")
