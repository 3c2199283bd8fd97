"""The space that thresholds are searched in: coordinates, widths, bounds, starts, and what moves together."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

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
from hepcuts.templates.spreads import DEFAULT_WIDTH, quantities_of, spread, varied_quantities

from .problem import Problem


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """The space that thresholds are searched in.

    Attributes:
        selection: the cuts, directions known; a threshold that is given and fixed stays exactly where it is.
        coordinates: one for each cut.
        group: for each threshold the number of the group that it moves with, or -1 if it is fixed, shape (threshold,).
        widths: of the soft cuts in the coordinates, shape (threshold,).
        lower: lowest thresholds in the coordinates, shape (threshold,).
        upper: highest ones, shape (threshold,).
        start: where the search starts, in the coordinates, shape (threshold,).
        signal: for each threshold the signal along it.
        linear: whether all coordinates are the variables themselves.
    """

    selection: Selection
    coordinates: Sequence[AbstractCoordinate]
    group: NDArray[np.int64]
    widths: FloatArray
    lower: FloatArray
    upper: FloatArray
    start: FloatArray
    signal: Sequence[WeightedQuantiles]
    linear: bool

    @classmethod
    def of(cls, samples: Sequence[Sample], problem: Problem) -> "Space":
        """The space of a problem.

        Raises:
            InputError: a cut without edges, a variable with hardly more than one value, or an unknown threshold.
        """
        selection = problem.selection
        require_soft_cuts(samples, selection)
        group = groups_of(selection, problem.fixed, problem.tied)
        coordinates = coordinates_of(samples, problem)
        of_threshold = [coordinates[cut] for cut in selection.cut_of_threshold]
        lower, upper = bounds_of(selection, of_threshold, _signs(selection))
        signal = [
            WeightedQuantiles.of(*quantities_of(samples, selection.cuts[cut], signal=True))
            for cut in selection.cut_of_threshold
        ]
        widths = widths_of(selection, of_threshold)
        free = cls(selection, coordinates, group, widths, lower, upper, lower, signal, problem.linear)
        start = np.clip(free.scores(start_of(samples, selection, 0.05)), lower, upper)
        return dataclasses.replace(free, start=free.together(start))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the thresholds."""
        return self.selection.names

    @functools.cached_property
    def of_threshold(self) -> list[AbstractCoordinate]:
        """The coordinate of each threshold."""
        return [self.coordinates[cut] for cut in self.selection.cut_of_threshold]

    @functools.cached_property
    def _signs(self) -> list[int]:
        return _signs(self.selection)

    def thresholds(self, scores: FloatArray) -> FloatArray:
        """Thresholds of the variables, as they are quoted, shape (threshold,)."""
        each = zip(self.of_threshold, scores, self._signs, strict=True)
        found = np.array([c.threshold(float(score), sign) for c, score, sign in each])
        given = self.selection.thresholds
        for number, cut in enumerate(self.selection.cut_of_threshold):
            bounds = self.selection.cuts[cut].bounds
            found[number] = found[number] if bounds is None else np.clip(found[number], *bounds)
        for number in np.flatnonzero(self.group < 0).tolist():
            found[number] = given[number]
        return found

    def scores(self, thresholds: Sequence[float]) -> FloatArray:
        """Thresholds of the variables in the coordinates, shape (threshold,)."""
        each = zip(self.of_threshold, thresholds, self._signs, strict=True)
        return np.array([c.score(float(threshold), sign) for c, threshold, sign in each])

    def slopes(self, scores: FloatArray) -> FloatArray:
        """Derivatives of the thresholds to the coordinates, shape (threshold,)."""
        h = 0.02
        pairs = [c.between(np.array([s - h, s + h])) for c, s in zip(self.of_threshold, scores, strict=True)]
        return np.array([(above - below) / (2.0 * h) for below, above in pairs])

    def at_efficiency(self, efficiency: float) -> FloatArray:
        """Thresholds in the coordinates that, each alone, keep a share of the signal, shape (threshold,)."""
        quantiles = [
            values.nearest(1.0 - efficiency if sign > 0 else efficiency)
            for values, sign in zip(self.signal, self.selection.signs, strict=True)
        ]
        return np.clip(self.scores(quantiles), self.lower, self.upper)

    def box(self, position: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Thresholds within reach of a position, lowest and highest, each of shape (threshold,)."""
        if self.linear:
            return self.lower, self.upper
        return np.maximum(self.lower, position - reach), np.minimum(self.upper, position + reach)

    # --- what moves together ---

    @functools.cached_property
    def groups(self) -> list[NDArray[np.bool_]]:
        """For each group which thresholds move together, each of shape (threshold,)."""
        return [self.group == number for number in range(int(self.group.max(initial=-1)) + 1)]

    def expand(self, moved: FloatArray, position: FloatArray) -> FloatArray:
        """All thresholds, from one number for each group; those that are fixed stay as in `position`."""
        return np.where(self.group < 0, position, moved[np.maximum(self.group, 0)] if len(moved) else 0.0)

    def together(self, position: FloatArray) -> FloatArray:
        """A position with thresholds that are tied at one place, the mean of theirs, shape (threshold,)."""
        return self.expand(self.reduce(position), position)

    def reduce(self, values: FloatArray, how: Any = np.mean) -> FloatArray:
        """One number for each group, from one for each threshold."""
        return np.array([how(values[members]) for members in self.groups])


def _signs(selection: Selection) -> list[int]:
    """Of the cuts themselves, also where they are inverted: on which side of a threshold its own value is."""
    return [sign for cut in selection.cuts for sign in cut.plain.signs]


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
        _require_several_values(both, cuts[number].variable)
        varied = np.concatenate([varied_quantities(samples, cut) for cut in group])
        return normal_scores(both[0], both[1], _exact(group), varied)

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


def _require_several_values(both: Sequence[FloatArray], variable: str) -> None:
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


def groups_of(selection: Selection, fixed: Sequence[str], tied: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """For each threshold the number of the group that it moves with, or -1 if it stays, shape (threshold,)."""
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


def require_something_to_search(space: Space) -> None:
    """Make sure that thresholds can move.

    Raises:
        InputError: all are fixed, or their bounds leave them one place only; the message says which.
    """
    if not space.groups:
        raise InputError(
            f"Every threshold of {space.selection} is fixed, so that there is nothing to search. Fill its templates "
            "with hepcuts.fill for what it is worth, or leave a threshold free."
        )
    low, high = space.reduce(space.lower, np.max), space.reduce(space.upper, np.min)
    if np.any(low < high):
        return
    cuts = {space.selection.cut_of_threshold[n]: None for n in np.flatnonzero(space.group >= 0).tolist()}
    bounds = ", ".join(f"{c.variable}: {c.bounds}" for c in (space.selection.cuts[number] for number in cuts))
    raise InputError(
        f"Within the bounds ({bounds}) no threshold selects other events than another, since no event has a value "
        "there: there is nothing to search. Widen the bounds."
    )


def require_soft_cuts(samples: Sequence[Sample], selection: Selection) -> None:
    """Make sure that the soft problem is that of the cuts.

    Raises:
        InputError: a cut gives no edges, or some that select other events than it does.
    """
    for cut in selection.cuts:
        for sample in samples:
            require_edges(cut, {name: sample.column(name) for name in cut.columns}, sample.missing)


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
