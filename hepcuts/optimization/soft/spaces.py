"""The space that thresholds are searched in: coordinates, widths, bounds, starts, and what moves together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.executors import in_threads
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection, SlidingCut, Window
from hepcuts.samples.sample import Sample
from hepcuts.templates.coordinates import AbstractCoordinate, Linear, normal_scores
from hepcuts.templates.spreads import DEFAULT_WIDTH, columns_of, spread

from .problem import Problem


def coordinates_of(samples: Sequence[Sample], problem: Problem) -> list[AbstractCoordinate]:
    """One for each cut; cuts that are tied have the same."""
    groups = [{name.split(":")[0] for name in group} for group in problem.tied]

    def of_cut(cut: AbstractCut) -> AbstractCoordinate:
        tied = next((sorted(group) for group in groups if cut.variable in group), [cut.variable])
        both = [
            np.concatenate([columns_of(samples, variable, signal=signal) for variable in tied])
            for signal in (True, False)
        ]
        if problem.linear or any(_is_linear(other) for other in problem.selection.cuts if other.variable in tied):
            low, high = min(b.min() for b in both), max(b.max() for b in both)
            scale = 1.0 if problem.linear else min(spread(samples, variable) for variable in tied)
            return Linear(scale, (float(low), float(high)))
        _spread_or_values(both, cut.variable)
        return normal_scores(both[0], both[1], _exact(problem.selection, tied))

    return in_threads(of_cut, problem.selection.cuts)


def _is_linear(cut: AbstractCut) -> bool:
    return cut.width is not None or isinstance(cut.plain, SlidingCut)


def _exact(selection: Selection, variables: Sequence[str]) -> list[tuple[float, int]]:
    """Thresholds and bounds that were given, with the sign of their threshold."""
    return [
        (number, sign)
        for cut in selection.cuts
        if cut.variable in variables
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
        values = columns_of(samples, cut.variable, signal=True)
        if cut.inverted and isinstance(cut.plain, Window):
            # Both sides together lose it, around the middle.
            loose = float(np.quantile(values, 0.5 + 0.5 * lost * sign))
        else:
            loose = float(np.quantile(values, lost if sign > 0 else 1.0 - lost))
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
