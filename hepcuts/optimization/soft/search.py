"""One search for the best cuts: events laid out once, objective compiled once, soft cuts narrowed in stages."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts.regions import positions
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.losses import AbstractEventFigure
from hepcuts.optimization.solvers import LBFGS
from hepcuts.samples.sample import Sample
from hepcuts.templates.coordinates import AbstractCoordinate
from hepcuts.templates.filling import EventTable, fill, without_outside_warnings
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.soft_layouts import loosest_is_low
from hepcuts.templates.spreads import columns_of
from hepcuts.templates.templates import Templates

from .constraints import AtLeast, effective_background, read_constraints
from .evaluators import Evaluation, EventEvaluator, TemplateEvaluator, as_yields
from .problem import Problem
from .spaces import bounds_of, coordinates_of, start_of, unknowns_of, widths_of

_REACH = 2.0
"""How far a stage may move thresholds, in widths, before the events within reach are looked for again."""

_TOLERANCE = 1e-4
"""Yield that may be lost by leaving out events that cannot be reached, relative to the yield of their cell."""

_FEW = 30_000
"""Events of each sample that a hasty search is content with; if there are fewer in all, all are always looked at."""

_FEWER = 10_000
"""Events of each sample that are enough to tell whether a threshold had better be elsewhere."""


class Search:
    """One search: events laid out once, objective compiled once."""

    def __init__(self, samples: Sequence[Sample], problem: Problem) -> None:
        self.problem, self.selection = problem, problem.selection
        self.names = self.selection.names
        self.unknowns = unknowns_of(self.selection, problem.fixed, problem.tied)
        everything = without_outside_warnings(fill)(samples, None, axis=problem.axis)
        self.constraints = read_constraints(problem.constraints, everything.structure, everything)
        self.guards: tuple[AtLeast, ...] = self.constraints
        if problem.min_background > 0:
            self.guards += (effective_background(everything.structure, problem.min_background),)
        self._evaluator_of_templates: TemplateEvaluator | None = None
        self._totals, goal = totals_of(samples), problem.goal
        if isinstance(goal, AbstractTemplateFigure) and goal.reusable and not problem.regions:
            self._evaluator_of_templates = TemplateEvaluator(goal, [everything], self.guards, self._totals)
        self.coordinates = coordinates_of(samples, problem)
        of_threshold = [self.coordinates[cut] for cut in self.selection.cut_of_threshold]
        self._of_threshold = of_threshold
        # Of the cuts themselves, also where they are inverted: on which side of a threshold its own value is.
        self._signs = [sign for cut in self.selection.cuts for sign in cut.plain.signs]
        self.widths = widths_of(self.selection, of_threshold)
        self.lower, self.upper = bounds_of(self.selection, of_threshold, self._signs)
        self.start = np.clip(self._scores(start_of(samples, self.selection, 0.05)), self.lower, self.upper)
        self._signal = [
            np.sort(columns_of(samples, self.selection.variables[cut], signal=True))
            for cut in self.selection.cut_of_threshold
        ]
        self.num_events = max(len(sample) for sample in samples)
        self.regions = self._lay_out(samples)
        self._evaluate = self._evaluator(samples)
        self._sampling = False

    def _lay_out(self, samples: Sequence[Sample]) -> list[SoftEvents]:
        names = ["signal_region", *(region.name for region in self.problem.regions)]
        axes = [self.problem.axis, *(region.axis for region in self.problem.regions)]
        laid_out = []
        for selection, name, axis in zip(self.problem.selections(), names, axes, strict=True):
            coordinates = [self.coordinates[self.selection.variables.index(v)] for v in selection.variables]
            index = positions(selection, self.selection)
            laid_out.append(SoftEvents.of(samples, selection, coordinates, axis=axis, channel=name, index=index))
        return laid_out

    def _evaluator(self, samples: Sequence[Sample]) -> Callable[..., Evaluation]:
        goal, step = self.problem.goal, self.problem.relaxation
        if isinstance(goal, AbstractTemplateFigure):
            evaluator = self._evaluator_of_templates or TemplateEvaluator(
                goal, self._references(), self.guards, self._totals
            )
            self._evaluator_of_templates = evaluator
            return lambda regions, thresholds, widths: evaluator(regions, thresholds, widths, step)
        if not isinstance(goal, AbstractEventFigure):
            raise InputError(f"{goal.name!r} is a function of neither templates nor events, and cannot be optimized.")
        table = _table_in_coordinates(samples, self.problem, self.coordinates)
        of_events = EventEvaluator(goal, table, step, self.guards)

        def evaluate(regions: Sequence[SoftEvents], thresholds: FloatArray, widths: FloatArray) -> Evaluation:
            return of_events(regions, thresholds, widths, regions[0].in_order_of(table))

        return evaluate

    def _references(self) -> list[Templates]:
        """Soft templates at the start, so that no bin is empty: pyhf builds the model's structure from them."""
        found = []
        for region in self.regions:
            sums, _ = region.sums(self.start[region.index], self.widths[region.index], self.problem.relaxation)
            zero = np.zeros(len(region.structure.components))
            found.append(Templates(region.structure, as_yields(sums, region.structure), zero))
        return found

    def some(self, choose: Callable[[SoftEvents], SoftEvents]) -> "Search":
        """The same search with some of the events of each region; nothing is compiled again."""
        other = copy.copy(self)
        other.regions = [choose(region) for region in self.regions]
        return other

    def fold(self, members: Sequence[NDArray[Any]], left_out: int, folds: int) -> "Search":
        """The search without one fold, whose members are given sample by sample; each of shape (event,)."""
        kept = [np.asarray(member != left_out) for member in members]
        return self.some(lambda region: region.take(_chosen(region, kept), factor=folds / (folds - 1)))

    def only(self, members: Sequence[NDArray[Any]], fold: int) -> "Search":
        """The search with the events of one fold, which stand for no others."""
        kept = [np.asarray(member == fold) for member in members]
        return self.some(lambda region: region.take(_chosen(region, kept)))

    def hasty(self, tolerance: float) -> "Search":
        """The same search for a look: with a solver of lower tolerance, and with fewer events if there are many."""
        walker = self.problem.walker
        other = copy.copy(self)
        other._sampling = True
        if isinstance(walker, LBFGS):
            quick = dataclasses.replace(walker, tolerance=max(walker.tolerance, tolerance))
            other.problem = dataclasses.replace(self.problem, walker=quick)
        return other

    def thinned(self, few: int) -> "Search":
        """Every n-th event in place of all, of each sample that has many: enough for a first look anywhere."""

        def choose(region: SoftEvents) -> SoftEvents:
            variations, samples, bins = region.shape
            counts = np.bincount(region.sample, minlength=samples) / variations
            every = np.maximum(1, counts // (few * bins)).astype(np.int32)[region.sample]
            kept = np.flatnonzero(region.origin % every == 0)
            return region.standing_for_all(kept, every[kept].astype(np.float64))

        return self.some(choose)

    def around(self, position: FloatArray, widths: FloatArray) -> "Search":
        """With the events that matter if one threshold moves anywhere; all, if there are few."""
        if not self.large:
            return self
        step = self.problem.relaxation
        return self.some(
            lambda region: region.sampled_but_one(
                position[region.index], widths[region.index], step, number=_FEWER // region.structure.num_bins
            )
        )

    def at_efficiency(self, efficiency: float) -> FloatArray:
        """Thresholds in the coordinates that, each alone, keep a share of the signal, shape (threshold,)."""
        quantiles = [
            values[round((len(values) - 1) * (1.0 - efficiency if sign > 0 else efficiency))]
            for values, sign in zip(self._signal, self.selection.signs, strict=True)
        ]
        return np.clip(self._scores(quantiles), self.lower, self.upper)

    def box(self, position: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How far a stage may go before the events within reach are looked for again, each of shape (threshold,)."""
        if self.problem.linear:
            return self.lower, self.upper
        return np.maximum(self.lower, position - _REACH * widths), np.minimum(self.upper, position + _REACH * widths)

    def reached(self, position: FloatArray, widths: FloatArray) -> "Search":
        """With the events that thresholds in the box can select; all, if there are few.

        See `SoftEvents.within_reach` for what is lost, and `SoftEvents.sampled` for a search that is `hasty`.
        """
        if not self.large:
            return self
        low, high = self.box(position, widths)

        def choose(region: SoftEvents) -> SoftEvents:
            box, of_region = (low[region.index], high[region.index]), widths[region.index]
            step = self.problem.relaxation
            if self._sampling:
                return region.sampled(box, of_region, step, number=_FEW // region.structure.num_bins)
            return region.within_reach(box, of_region, step, tolerance=_TOLERANCE)[0]

        return self.some(choose)

    def passing(self, low: FloatArray, high: FloatArray) -> "Search":
        """Only the events that some hard thresholds in a box select."""

        def choose(region: SoftEvents) -> SoftEvents:
            loosest = np.where(loosest_is_low(region.layout), low[region.index], high[region.index])
            return region.take(np.flatnonzero(region.hard_mask(loosest)))

        return self.some(choose)

    def places(self, threshold: int, low: float, high: float, number: int) -> FloatArray:
        """Places for a threshold between events of the signal region, at equal numbers of events, shape (place,)."""
        row = next(
            edge.row
            for edge, first in zip(self.regions[0].layout.edges, self.regions[0].layout.first, strict=True)
            if first <= threshold < first + len(edge.knots)
        )
        values = np.unique(self.regions[0].values[row].astype(np.float64))
        values = values[(values >= low) & (values <= high)]
        if len(values) < 2:
            return values
        middles = 0.5 * (values[1:] + values[:-1])
        return np.asarray(middles[np.unique(np.linspace(0, len(middles) - 1, number).round().astype(np.int64))])

    def hard_sums(self, position: FloatArray) -> list[FloatArray]:
        """Sums of hard cuts in each region, of shape (cell, 2), at thresholds in the coordinates."""
        return [region.hard_sums(position[region.index]) for region in self.regions]

    def soft_sums(self, position: FloatArray, widths: FloatArray) -> list[FloatArray]:
        """Sums of soft cuts in each region, of shape (cell, 2), at thresholds and widths in the coordinates."""
        step = self.problem.relaxation
        return [region.sums(position[region.index], widths[region.index], step)[0] for region in self.regions]

    def of_sums(self, sums: Sequence[FloatArray]) -> tuple[float, list[FloatArray]]:
        """The objective, with its guards, of sums in each region, and its slopes to them."""
        return cast("TemplateEvaluator", self._evaluator_of_templates).of_sums(sums)

    def of_many_sums(self, sums: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
        """As `of_sums`, side by side, of sums of shape (place, cell, 2) in each region."""
        return cast("TemplateEvaluator", self._evaluator_of_templates).of_many_sums(sums)

    @property
    def large(self) -> bool:
        """Whether there are enough events for it to matter how many are looked at."""
        return self.has_templates and len(self.regions[0]) > _FEW

    @property
    def has_templates(self) -> bool:
        """Whether the objective is one of the templates, not a loss of single events."""
        return isinstance(self.problem.goal, AbstractTemplateFigure)

    def evaluate(self, scores: FloatArray, widths: FloatArray) -> Evaluation:
        """Value and gradient at thresholds in the coordinates; NaN where there is none."""
        return self._evaluate(self.regions, scores, widths)

    def thresholds(self, scores: FloatArray) -> FloatArray:
        """Thresholds of the variables, as they are quoted, shape (threshold,)."""
        each = zip(self._of_threshold, scores, self._signs, strict=True)
        found = np.array([c.threshold(float(score), sign) for c, score, sign in each])
        given = self.selection.thresholds
        for number, cut in enumerate(self.selection.cut_of_threshold):
            bounds = self.selection.cuts[cut].bounds
            found[number] = found[number] if bounds is None else np.clip(found[number], *bounds)
        for number, unknown in enumerate(self.unknowns):
            if unknown < 0:
                found[number] = given[number]
        return found

    def slopes(self, scores: FloatArray) -> FloatArray:
        """Derivatives of the thresholds to the coordinates, shape (threshold,)."""
        h = 0.02
        pairs = [c.between(np.array([s - h, s + h])) for c, s in zip(self._of_threshold, scores, strict=True)]
        return np.array([(above - below) / (2.0 * h) for below, above in pairs])

    def _scores(self, thresholds: Sequence[float]) -> FloatArray:
        each = zip(self._of_threshold, thresholds, self._signs, strict=True)
        return np.array([c.score(float(threshold), sign) for c, threshold, sign in each])

    # --- what the solver moves ---

    @property
    def num_unknowns(self) -> int:
        """Number of independent thresholds."""
        return int(self.unknowns.max(initial=-1)) + 1

    def expand(self, unknowns: FloatArray, position: FloatArray) -> FloatArray:
        """All thresholds, from the independent ones; those that are fixed stay as in `position`."""
        return np.where(self.unknowns < 0, position, unknowns[np.maximum(self.unknowns, 0)] if len(unknowns) else 0.0)

    def reduce(self, values: FloatArray, how: Any = np.mean) -> FloatArray:
        """One number for each independent threshold, from one for each threshold."""
        return np.array([how(values[self.unknowns == u]) for u in range(self.num_unknowns)])


def _chosen(region: SoftEvents, kept: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """Events of a region, of all variations, that are chosen sample by sample."""
    first = np.cumsum([0, *(len(keep) for keep in kept[:-1])])
    return np.flatnonzero(np.concatenate(kept)[region.origin + first[region.sample]])


def _table_in_coordinates(
    samples: Sequence[Sample], problem: Problem, coordinates: Sequence[AbstractCoordinate]
) -> EventTable:
    """The events of all samples and variations with coordinates instead of values."""
    table = EventTable.of(samples, problem.selection, axis=problem.axis)
    rows = np.stack([c.scores(row) for c, row in zip(coordinates, np.asarray(table.values), strict=True)])
    return dataclasses.replace(table, values=rows)
