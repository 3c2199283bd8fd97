"""One search for the best cuts: events laid out once, objective compiled once, soft cuts narrowed in stages."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.executors import Executor
from hepcuts._core.types import FloatArray
from hepcuts.cuts.regions import positions
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractFigureOfMerit, AbstractTemplateFigure
from hepcuts.merit.losses import AbstractEventFigure
from hepcuts.optimization.options import Tuning
from hepcuts.optimization.solvers import LBFGS
from hepcuts.samples.sample import Sample
from hepcuts.templates.coordinates import AbstractCoordinate
from hepcuts.templates.filling import EventTable, fill, without_outside_warnings
from hepcuts.templates.simulated import FEW_SIGNAL
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.soft_layouts import loosest_is_low
from hepcuts.templates.soft_sampling import sampled, sampled_but_one, within_reach
from hepcuts.templates.templates import Templates

from .compilation import as_yields
from .constraints import AtLeast, effective_background, effective_signal, expected_background, read_constraints
from .evaluators import Evaluation, EventEvaluator, TemplateEvaluator
from .problem import Problem
from .spaces import Space


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """One search: events laid out once, objective compiled once.

    Attributes:
        problem: what is asked.
        space: where thresholds are.
        regions: events of each region.
        constraints: that are to hold.
        guards: the constraints, and what is wished besides.
        of_templates: the objective, if it is one of templates.
        of_events: the objective, if it is a loss of single events.
        num_events: of the largest sample of the whole search.
        sampled: whether a part of the events within reach is enough.
    """

    problem: Problem
    space: Space
    regions: list[SoftEvents]
    constraints: tuple[AtLeast, ...]
    guards: tuple[AtLeast, ...]
    of_templates: TemplateEvaluator | None
    of_events: EventEvaluator | None
    num_events: int
    sampled: bool = False

    @classmethod
    def of(cls, samples: Sequence[Sample], problem: Problem, *, compiled_by: "Search | None" = None) -> "Search":
        """Lay out events and compile the objective.

        Args:
            samples: the events.
            problem: what is asked.
            compiled_by: a search for the same problem among other events of the same samples, whose objective and
                guards serve again.

        Raises:
            InputError: constraints, names of thresholds or cuts that make no sense.
            SampleError: a column is missing.
        """
        if compiled_by is not None and compiled_by.of_templates is not None:
            return compiled_by._among(samples)
        everything = without_outside_warnings(fill)(samples, None, axis=problem.axis)
        constraints = read_constraints(problem.constraints, everything.structure, everything)
        guards: tuple[AtLeast, ...] = constraints
        if problem.min_background > 0:
            guards += (effective_background(everything.structure, problem.min_background),)
            signal = effective_signal(everything.structure, FEW_SIGNAL)
            # What cannot be had is not wished for: nothing else would be got either.
            guards += (signal,) if signal.quantity(everything.yields, everything.structure) >= FEW_SIGNAL else ()
        if problem.objective.min_expected > 0:
            guards += (expected_background(everything.structure, problem.objective.min_expected),)
        of_templates, of_events = None, None
        totals, figure = totals_of(samples), problem.objective
        if _is_closed_form(figure, everything) and not problem.regions:
            # Compiled while the events are laid out.
            of_templates = TemplateEvaluator(figure, [everything], guards, totals)
        space = Space.of(samples, problem)
        regions = _lay_out(samples, problem, space)
        if of_templates is None and isinstance(figure, AbstractTemplateFigure):
            of_templates = TemplateEvaluator(figure, _references(problem, space, regions), guards, totals)
        elif isinstance(figure, AbstractEventFigure):
            table = _table_in_coordinates(samples, problem, space.coordinates)
            of_events = EventEvaluator(figure, table, problem.step, guards)
        elif of_templates is None:
            raise InputError(f"{figure.name!r} is a function of neither templates nor events, and cannot be optimized.")
        num_events = max(len(sample) for sample in samples)
        return cls(problem, space, regions, constraints, guards, of_templates, of_events, num_events)

    def _among(self, samples: Sequence[Sample]) -> "Search":
        """The same question to other events of the same samples: all that is taken of events is taken of these."""
        of_templates = cast("TemplateEvaluator", self.of_templates).of_totals(totals_of(samples))
        space = Space.of(samples, self.problem)
        regions, num_events = _lay_out(samples, self.problem, space), max(len(sample) for sample in samples)
        return dataclasses.replace(
            self, space=space, regions=regions, of_templates=of_templates, num_events=num_events, sampled=False
        )

    def carried_out_by(self, executor: Executor | None) -> "Search":
        """The same search, whose sums with slopes an executor makes; None for this thread."""
        if all(region.executor is executor for region in self.regions):
            return self
        return dataclasses.replace(self, regions=[dataclasses.replace(r, executor=executor) for r in self.regions])

    # --- parts of the events ---

    def some(self, choose: Callable[[SoftEvents], SoftEvents]) -> "Search":
        """The same search with some of the events of each region; nothing is compiled again."""
        return dataclasses.replace(self, regions=[choose(region) for region in self.regions])

    def only(self, members: Sequence[NDArray[Any]], fold: int) -> "Search":
        """The search with the events of one fold, which stand for no others."""
        kept = [np.asarray(member == fold) for member in members]
        return self.some(lambda region: region.take(_chosen(region, kept)))

    def coarse(self, precision: float) -> "Search":
        """The same search for a look: with a solver of lower precision, and with fewer events if there are many."""
        solver, problem = self.problem.solver, self.problem
        if isinstance(solver, LBFGS):
            quick = dataclasses.replace(solver, tolerance=max(solver.tolerance, precision))
            problem = dataclasses.replace(problem, solver=quick)
        return dataclasses.replace(self, problem=problem, sampled=True)

    def subsample(self, number: int) -> "Search":
        """Every n-th event of each sample in place of all, about so many for each bin: enough for a first look."""

        def choose(region: SoftEvents) -> SoftEvents:
            variations, samples, bins = region.shape
            counts = np.bincount(region.sample, minlength=samples) / variations
            every = np.maximum(1, counts // (number * bins)).astype(np.int32)[region.sample]
            kept = np.flatnonzero(region.origin % every == 0)
            return region.standing_for_all(kept, every[kept].astype(np.float64))

        return self.some(choose)

    def around(self, position: FloatArray, widths: FloatArray) -> "Search":
        """With the events that matter if one threshold moves anywhere; all, if there are few."""
        if not self.large:
            return self
        step, number = self.problem.step, self.tuning.sampling.jump_events
        return self.some(
            lambda region: sampled_but_one(
                region, position[region.index], widths[region.index], step, number=number // region.structure.num_bins
            )
        )

    def reached(self, position: FloatArray, widths: FloatArray) -> "Search":
        """With the events that thresholds in the box can select; all, if there are few.

        See `hepcuts.templates.soft_sampling` for what is lost, and for one that is `coarse`.
        """
        if not self.large:
            return self
        low, high = self.box(position, widths)
        step, sampling = self.problem.step, self.tuning.sampling

        def choose(region: SoftEvents) -> SoftEvents:
            box, of_region = (low[region.index], high[region.index]), widths[region.index]
            if self.sampled:
                return sampled(region, box, of_region, step, number=sampling.stage_events // region.structure.num_bins)
            return within_reach(region, box, of_region, step, tolerance=sampling.lost)[0]

        return self.some(choose)

    def passing(self, low: FloatArray, high: FloatArray) -> "Search":
        """Only the events that some hard thresholds in a box select."""

        def choose(region: SoftEvents) -> SoftEvents:
            loosest = np.where(loosest_is_low(region.layout), low[region.index], high[region.index])
            return region.take(np.flatnonzero(region.hard_mask(loosest)))

        return self.some(choose)

    def candidates(self, threshold: int, low: float, high: float, number: int) -> FloatArray:
        """Thresholds between events of the signal region, at equal numbers of events, shape (candidate,)."""
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
        step = self.problem.step
        return [region.sums(position[region.index], widths[region.index], step)[0] for region in self.regions]

    def of_sums(self, sums: Sequence[FloatArray]) -> tuple[float, list[FloatArray]]:
        """The objective, with its guards, of sums in each region, and its slopes to them."""
        return cast("TemplateEvaluator", self.of_templates).of_sums(sums)

    def plain_of_sums(self, sums: Sequence[FloatArray]) -> float:
        """The objective of sums in each region, without guards."""
        return cast("TemplateEvaluator", self.of_templates).plain_of_sums(sums)

    def of_many_sums(self, sums: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
        """As `of_sums`, side by side, of sums of shape (candidate, cell, 2) in each region."""
        return cast("TemplateEvaluator", self.of_templates).of_many_sums(sums)

    def box(self, position: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How far a stage may go before the events within reach are looked for again, each of shape (threshold,)."""
        return self.space.box(position, self.tuning.anneal.reach * widths)

    @property
    def tuning(self) -> Tuning:
        """The numbers that steer the search."""
        return self.problem.tuning

    @property
    def large(self) -> bool:
        """Whether there are enough events for it to matter how many are looked at."""
        return self.has_templates and len(self.regions[0]) > self.tuning.sampling.stage_events

    @property
    def has_templates(self) -> bool:
        """Whether the objective is one of the templates, not a loss of single events."""
        return isinstance(self.problem.objective, AbstractTemplateFigure)

    def evaluate(self, scores: FloatArray, widths: FloatArray) -> Evaluation:
        """Value and gradient at thresholds in the coordinates; NaN where there is none."""
        if self.of_templates is not None:
            return self.of_templates(self.regions, scores, widths, self.problem.step)
        of_events = cast("EventEvaluator", self.of_events)
        return of_events(self.regions, scores, widths, self.regions[0].in_order_of(of_events.table))


def _is_closed_form(figure: AbstractFigureOfMerit, everything: Templates) -> TypeGuard[AbstractTemplateFigure]:
    """Whether it can be compiled for templates of which nothing is known but their structure."""
    cheap = isinstance(figure, AbstractTemplateFigure) and not figure.expensive
    return cheap and cast("AbstractTemplateFigure", figure).dependence([everything]) == ()


def _lay_out(samples: Sequence[Sample], problem: Problem, space: Space) -> list[SoftEvents]:
    """Events of each region, the signal region first."""
    names = ["signal_region", *(region.name for region in problem.regions)]
    axes = [problem.axis, *(region.axis for region in problem.regions)]
    laid_out = []
    for selection, name, axis in zip(problem.selections(), names, axes, strict=True):
        coordinates = [space.coordinates[problem.selection.variables.index(v)] for v in selection.variables]
        index = positions(selection, problem.selection)
        laid_out.append(SoftEvents.of(samples, selection, coordinates, axis=axis, channel=name, index=index))
    return laid_out


def _references(problem: Problem, space: Space, regions: Sequence[SoftEvents]) -> list[Templates]:
    """Soft templates at the start, so that no bin is empty: pyhf builds the model's structure from them."""
    found = []
    for region in regions:
        sums, _ = region.sums(space.start[region.index], space.widths[region.index], problem.step)
        zero = np.zeros(len(region.structure.components))
        found.append(Templates(region.structure, as_yields(sums, region.structure), zero))
    return found


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
