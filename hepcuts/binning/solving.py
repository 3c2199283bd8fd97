"""The best categories for given numbers of bins, and what they are worth on events that did not choose them."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.gains import ASIMOV, Gain
from hepcuts.templates.lattice import Lattice, Partitions

from .fine import Guard
from .fits import polish
from .judging import Judge
from .soft_edges import HardEdges, SoftEdges
from .starts import alternating, apart, even, shaken

Shape = tuple[int, ...]
"""Number of bins along each axis of the lattice."""

START, MOVED, SOFT, BOTH = "dynamic programming", "hard edges moved", "soft edges", "soft edges, then hard ones moved"
"""Ways to edges: where every search begins, and what may be better."""

_PATIENCE = 2
"""Numbers of bins, each held out worse than the best, after which no larger ones are tried."""


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """Categories of some events, found in several ways.

    Attributes:
        edges: of each way; where one is no better than the start on the events that chose, the start.
        values: the objective there, negated for a loss.
    """

    edges: dict[str, Partitions]
    values: dict[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Tried:
    """Numbers of bins that were tried.

    Attributes:
        shape: numbers of bins.
        categories: number of categories.
        solution: on all events.
        way: the best one on events held out, or without folds on all events.
        continued: for each way the mean over folds of the continued objective (`Judge.tangent`); NaN without folds.
        factors: what one event adds to `held_out`, for each row of the lattice, shape (row,).
    """

    shape: Shape
    categories: int
    solution: Solution
    way: str
    continued: dict[str, float]
    factors: FloatArray

    @property
    def held_out(self) -> float:
        """The continued objective of the chosen way."""
        return self.continued[self.way]


class Solver:
    """The events, all of them and without each fold.

    Args:
        lattice: with a part for each fold, or one part.
        figure: the figure of merit.
        guard: what each category needs at least.
        totals: expected signal and background before any selection.
    """

    def __init__(self, lattice: Lattice, figure: AbstractTemplateFigure, guard: Guard, totals: Totals) -> None:
        self.lattice, self.figure, self.guard, self._totals = lattice, figure, guard, totals
        parts = range(lattice.num_parts)
        self.everything = lattice.chosen(parts)
        folds = parts if lattice.num_parts > 1 else range(0)
        self.training = [lattice.chosen(part for part in parts if part != fold) for fold in folds]
        self.others = [lattice.chosen([fold]) for fold in folds]
        # Where no sum over bins is known, that of the Asimov significance is a good start.
        self.gain: Gain = figure.gain or ASIMOV
        self.judge = functools.cache(self._judge)

    def _judge(self, shape: Shape) -> Judge:
        reference, observable = self.everything.reference(shape), self.lattice.lead[2]
        return Judge(self.figure, reference, self._totals, self.guard, observable=observable)

    def start(self, lattice: Lattice, shape: Shape) -> Partitions | None:
        """Edges of dynamic programming that satisfy the guard; None if none are found."""
        begins = [even(lattice, shape)]
        if sum(bins > 1 for bins in shape) > 1:
            begins.append(apart(lattice, shape, self.gain, self.guard))
        found = [self._alternating(lattice, shape, begin) for begin in begins]
        allowed = [partitions for partitions in found if partitions is not None]
        if not allowed:
            return None
        values = np.nan_to_num(self.judge(shape)([lattice.merged(one) for one in allowed]), nan=-np.inf)
        best = allowed[int(np.argmax(values))]
        return best if len(begins) == 1 else shaken(lattice, best, self.gain, self.guard)

    def _alternating(self, lattice: Lattice, shape: Shape, begin: Partitions) -> Partitions | None:
        found = alternating(lattice, begin, self.gain, self.guard)
        repaired = HardEdges(lattice, self.judge(shape), found).repaired()
        if repaired is None or repaired is found:
            return repaired
        return alternating(lattice, repaired, self.gain, self.guard)

    def solve(self, lattice: Lattice, shape: Shape, *, soft: bool) -> Solution | None:
        """The best categories of some events; None if the guard allows none.

        Args:
            lattice: the events, of one part.
            shape: numbers of bins.
            soft: whether to search with soft edges, too, and not only to move hard ones.
        """
        judge, start = self.judge(shape), self.start(lattice, shape)
        if start is None:
            return None
        edges = {START: start}
        if not self._known_best(shape) and any(bins > 1 for bins in shape):
            softly = SoftEdges(lattice, shape, judge).optimum(start) if soft else start
            repaired = HardEdges(lattice, judge, softly).repaired()
            edges[SOFT] = start if repaired is None else repaired
            edges[MOVED], edges[BOTH] = polish(judge, [HardEdges(lattice, judge, edges[way]) for way in (START, SOFT)])
        values = dict(zip(edges, judge([lattice.merged(one) for one in edges.values()]), strict=True))
        if not np.isfinite(values[START]):
            return None
        worse = {way: not value > values[START] for way, value in values.items()}
        return Solution(
            {way: start if worse[way] else one for way, one in edges.items()},
            {way: values[START] if worse[way] else float(value) for way, value in values.items()},
        )

    def _known_best(self, shape: Shape) -> bool:
        """Whether dynamic programming along one axis has found the best of all."""
        alone = sum(bins > 1 for bins in shape) <= 1 and len(self.lattice.blocks) == 1
        return alone and self.figure.gain is not None

    def attempt(self, shape: Shape, *, soft: bool) -> Tried | None:
        """Solve for all events, and for each fold's training events; None if the guard allows none."""
        whole = self.solve(self.everything, shape, soft=soft)
        if whole is None:
            return None
        solutions = [self.solve(lattice, shape, soft=soft) for lattice in self.training]
        known = [one for one in solutions if one is not None]
        ways, rows = list(whole.edges), sum(len(block.cell) for block in self.lattice.blocks)
        judged = {way: (float("nan"), np.zeros(rows)) for way in ways}
        if known and len(known) == len(solutions):
            judged = {way: self._held_out(shape, [one.edges[way] for one in known]) for way in ways}
        compared = {way: judged[way][0] for way in ways} if known else whole.values
        best = max(ways, key=lambda way: (np.nan_to_num(compared[way], nan=-np.inf), way == START))
        continued = {way: judged[way][0] for way in ways}
        return Tried(shape, self.lattice.num_categories(shape), whole, best, continued, judged[best][1])

    def _held_out(self, shape: Shape, partitions: Sequence[Partitions]) -> tuple[float, FloatArray]:
        """Mean of the tangents, and what an event of each row adds to it."""
        judge, total, found = self.judge(shape), 0.0, []
        for fold, edges in enumerate(partitions):
            value, slopes = judge.tangent(self.training[fold].sums(edges), self.others[fold].sums(edges))
            total += value / len(partitions)
            found.append(self.by_row(edges, slopes, fold))
        return total, np.sum(found, axis=0)

    def by_row(self, partitions: Partitions, slopes: FloatArray, part: int | None = None) -> FloatArray:
        """What one event in each row of the lattice, and its variations with it, add to an objective.

        Args:
            partitions: the categories.
            slopes: of the objective to the sums, shape (variation, sample, bin, 2).
            part: zero for rows of others; None for all parts.

        Returns:
            Shape (row,), all blocks one after the other; zero for rows that are variations.
        """
        lattice, found, first = self.lattice, [], 0
        variations, samples, bins = lattice.lead
        # Under a variation nearly all events stay in their categories.
        together = slopes[..., 0].sum(axis=0)
        for block in lattice.blocks:
            category = lattice.categories(block, partitions)
            number, sample = block.cell // (bins * samples), block.cell // bins % samples
            counted = (category >= 0) & (number % variations == 0)
            if part is not None:
                counted &= number // variations == part
            at = (first + np.maximum(category, 0)) * bins + block.cell % bins
            found.append(np.where(counted, together[sample, at], 0.0))
            first += int(np.prod(lattice.dims(block, [len(p) - 1 for p in partitions])))
        return np.concatenate(found)

    def deviation(self, factors: FloatArray) -> float:
        """Standard deviation, from finite simulation, of the sum of factors of shape (row,) over events."""
        squares = np.concatenate([block.weights[:, 1] for block in self.lattice.blocks])
        return float(np.sqrt(np.sum(factors**2 * squares)))


def with_more_bins(solver: Solver, smallest: Shape, discriminants: int, most: int) -> list[Tried]:
    """Numbers of bins, from the smallest on, each with one bin more, as long as that may be worth it.

    Args:
        solver: the events.
        smallest: where to begin.
        discriminants: how many of the first axes may get more bins.
        most: largest number of categories.
    """
    shape: Shape | None = smallest
    tried: list[Tried] = []
    while shape is not None and solver.lattice.num_categories(shape) <= most:
        one = solver.attempt(shape, soft=False)
        if one is None:
            break
        tried.append(one)
        values = [t.held_out for t in tried]
        if not np.isfinite(values[-1]) or len(values) - 1 - int(np.nanargmax(values)) >= _PATIENCE:
            break
        shape = _larger(solver, shape, discriminants)
    return tried


def _larger(solver: Solver, shape: Shape, discriminants: int) -> Shape | None:
    """One bin more, along the discriminant where that gains most; None if nowhere."""
    lattice, best, gained = solver.everything, None, -np.inf
    for number in range(discriminants):
        other = (*shape[:number], shape[number] + 1, *shape[number + 1 :])
        start = solver.start(lattice, other) if other[number] <= lattice.axes[number].size else None
        if start is None:
            continue
        if discriminants == 1:
            return other
        value = float(solver.judge(other)([lattice.merged(start)])[0])
        if value > gained:
            best, gained = other, value
    return best
