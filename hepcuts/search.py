"""One search for the best cuts: events laid out once, objective compiled once, soft cuts narrowed in stages."""

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._columns import is_missing
from ._types import FloatArray
from .constraints import AtLeast, effective_background, read_constraints
from .coordinates import AbstractCoordinate, Linear, normal_scores
from .cuts import Selection, SlidingCut
from .errors import InputError, OptimizationError
from .evaluators import Evaluation, EventEvaluator, TemplateEvaluator, as_yields
from .filling import EventTable, fill, quietly
from .layouts import loosest_is_low
from .objectives import AbstractEventObjective, AbstractObjective, AbstractTemplateObjective
from .regions import Region, positions
from .relaxations import AbstractStep
from .samples import Sample
from .soft_events import SoftEvents
from .solvers import LBFGS, AbstractSolver, Ending
from .templates import Templates

DEFAULT_WIDTH = 0.2
"""Width of a soft cut, in normal scores, or of a linear coordinate in units of the spread."""

_REACH = 1.5
"""How far a stage may move thresholds, in widths, before the events within reach are looked for again."""

_TOLERANCE = 1e-4
"""Yield that may be lost by leaving out events that cannot be reached, relative to the yield of their cell."""

_FEW = 60_000
"""Events of each sample that a hasty search is content with; if there are fewer in all, all are always looked at."""

_MOST_MOVES = 8
"""How often, at most, the events within reach are looked for again in a stage."""


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """The way of an optimization.

    Attributes:
        names: names of the thresholds.
        thresholds: shape (step, threshold).
        values: soft value of the objective, shape (step,).
        gradients: of the objective with respect to the thresholds, shape (step, threshold).
        stages: number of the width stage, shape (step,). Values of different stages are of different widths and
            not comparable.
        widths: widths of the soft cuts in the coordinates of the search (normal scores, or spreads where a width was
            given), shape (step, threshold).
        scores: the thresholds in these coordinates, shape (step, threshold).
    """

    names: tuple[str, ...]
    thresholds: FloatArray
    values: FloatArray
    gradients: FloatArray
    stages: Any
    widths: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    def end_of_stage(self, stage: int) -> FloatArray:
        """Thresholds at the end of a stage, shape (threshold,)."""
        return np.asarray(self.thresholds[np.flatnonzero(self.stages == stage)[-1]])

    def to_dataframe(self) -> Any:
        """A pandas data frame with one row for each step."""
        table = {"stage": self.stages, "value": self.values}
        columns = {name: self.thresholds[:, i] for i, name in enumerate(self.names)}
        return pd.DataFrame(table | columns)

    def lines(self) -> list[str]:
        """The log of cuts: one line for each step."""
        return [
            f"{step:4d}  {value: .8g}  " + "  ".join(f"{n}={t:.6g}" for n, t in zip(self.names, row, strict=True))
            for step, (value, row) in enumerate(zip(self.values, self.thresholds, strict=True))
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is asked: everything but the events.

    Attributes:
        selection: the cuts of the signal region, directions known.
        goal: the objective.
        walker: the solver.
        relaxation: the step function.
        axis: axis of the signal region's observable.
        regions: control regions.
        min_background: effective simulated background events wanted.
        constraints: name to least value, see `hepcuts.constraints`.
        fixed: names of thresholds that stay where they are.
        tied: groups of names of thresholds that are equal in the units of their variables.
        linear: whether all coordinates are the variables themselves.
    """

    selection: Selection
    goal: AbstractObjective
    walker: AbstractSolver
    relaxation: AbstractStep
    axis: Any = None
    regions: tuple[Region, ...] = ()
    min_background: float = 0.0
    constraints: Mapping[str, float] | None = None
    fixed: tuple[str, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()
    linear: bool = False

    def selections(self) -> list[Selection]:
        """The selection of each region, the signal region first."""
        return [self.selection, *(region.selection(self.selection) for region in self.regions)]

    def hard_templates(self, samples: Sequence[Sample], thresholds: FloatArray) -> list[Templates]:
        """Hard templates of each region at thresholds of shape (threshold,).

        Raises:
            InputError: as `hepcuts.fill`; the thresholds cannot be those of a selection.
        """
        return self.templates_of(samples, self.selection.at(thresholds))

    def templates_of(self, samples: Sequence[Sample], hard: Selection) -> list[Templates]:
        """Hard templates of each region behind the signal region's hard selection."""
        beside = [
            fill(samples, region.selection(hard), axis=region.axis, channel=region.name) for region in self.regions
        ]
        return [fill(samples, hard, axis=self.axis), *beside]


class Search:
    """One search: events laid out once, objective compiled once."""

    def __init__(self, samples: Sequence[Sample], problem: Problem) -> None:
        self.problem, self.selection = problem, problem.selection
        self.names = self.selection.names
        self.unknowns = _unknowns(self.selection, problem.fixed, problem.tied)
        self.coordinates = _coordinates(samples, problem)
        of_threshold = [self.coordinates[cut] for cut in self.selection.cut_of_threshold]
        self._of_threshold = of_threshold
        # Of the cuts themselves, also where they are inverted: on which side of a threshold its own value is.
        self._signs = [sign for cut in self.selection.cuts for sign in cut.plain.signs]
        self.widths = _widths(self.selection, of_threshold)
        self.lower, self.upper = _bounds(self.selection, of_threshold, self._signs)
        self.start = np.clip(self._scores(_start(samples, self.selection, 0.05)), self.lower, self.upper)
        self._signal = [
            np.sort(_columns(samples, self.selection.variables[cut], signal=True))
            for cut in self.selection.cut_of_threshold
        ]
        self.num_events = max(len(sample) for sample in samples)
        self.regions = self._lay_out(samples)
        everything = quietly(fill)(samples, None, axis=problem.axis)
        self.constraints = read_constraints(problem.constraints, everything.structure, everything)
        self.guards: tuple[AtLeast, ...] = self.constraints
        if problem.min_background > 0:
            self.guards += (effective_background(everything.structure, problem.min_background),)
        self._evaluator_of_templates: TemplateEvaluator | None = None
        self._evaluate = self._evaluator(samples)
        self._thinned: dict[int, Search] = {}
        self._sampling = False

    def _lay_out(self, samples: Sequence[Sample]) -> list[SoftEvents]:
        names = ["signal_region", *(region.name for region in self.problem.regions)]
        axes = [self.problem.axis, *(region.axis for region in self.problem.regions)]
        laid_out = []
        for selection, name, axis in zip(self.problem.selections(), names, axes, strict=True):
            coordinates = [self.coordinates[self.selection.variables.index(v)] for v in selection.variables]
            index = positions(selection, self.selection)
            laid_out.append(
                SoftEvents.of(samples, selection, coordinates, axis=axis, channel=name, index=index)
            )
        return laid_out

    def _evaluator(self, samples: Sequence[Sample]) -> Callable[..., Evaluation]:
        goal, step = self.problem.goal, self.problem.relaxation
        if isinstance(goal, AbstractTemplateObjective):
            evaluator = TemplateEvaluator(goal, self._references(), self.guards)
            self._evaluator_of_templates = evaluator
            return lambda regions, thresholds, widths: evaluator(regions, thresholds, widths, step)
        assert isinstance(goal, AbstractEventObjective)  # there are no others
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
        other.regions, other._thinned = [choose(region) for region in self.regions], {}
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
        """The same search for a look: of a lower tolerance if the solver has one, with fewer events if there are many."""
        walker = self.problem.walker
        other = copy.copy(self)
        other._sampling = True
        if isinstance(walker, LBFGS):
            quick = dataclasses.replace(walker, tolerance=max(walker.tolerance, tolerance))
            other.problem, other._thinned = dataclasses.replace(self.problem, walker=quick), {}
        return other

    def thinned(self, few: int) -> "Search":
        """Every n-th event in place of all, of each sample that has many: enough for a first look anywhere."""

        def choose(region: SoftEvents) -> SoftEvents:
            variations, samples, bins = region.shape
            counts = np.bincount(region.sample, minlength=samples) / variations
            every = np.maximum(1, counts // (few * bins)).astype(np.int64)[region.sample]
            kept = np.flatnonzero(region.origin % every == 0)
            return region.standing_for_all(kept, every[kept].astype(np.float64))

        if few not in self._thinned:
            self._thinned[few] = self.some(choose)
        return self._thinned[few]

    def at_efficiency(self, efficiency: float) -> FloatArray:
        """Thresholds in the coordinates that, each alone, keep a share of the signal, shape (threshold,)."""
        quantiles = [
            values[round((len(values) - 1) * (1.0 - efficiency if sign > 0 else efficiency))]
            for values, sign in zip(self._signal, self.selection.signs, strict=True)
        ]
        return np.clip(self._scores(quantiles), self.lower, self.upper)

    def box(self, position: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How far a stage may go before the events within reach are looked for again, each of shape (threshold,)."""
        if not self.large:
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

    def of_sums(self, sums: Sequence[FloatArray]) -> tuple[float, list[FloatArray]]:
        """The objective, with its guards, of sums in each region, and its slopes to them."""
        assert self._evaluator_of_templates is not None  # there are templates
        return self._evaluator_of_templates.of_sums(sums)

    def of_many_sums(self, sums: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
        """As `of_sums`, side by side, of sums of shape (place, cell, 2) in each region."""
        assert self._evaluator_of_templates is not None  # there are templates
        return self._evaluator_of_templates.of_many_sums(sums)

    @property
    def large(self) -> bool:
        """Whether there are enough events for it to matter how many are looked at."""
        return self.has_templates and len(self.regions[0]) > _FEW

    @property
    def has_templates(self) -> bool:
        """Whether the objective is one of the templates, not a loss of single events."""
        return isinstance(self.problem.goal, AbstractTemplateObjective)

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
        pairs = [
            c.between(np.array([s - h, s + h])) for c, s in zip(self._of_threshold, scores, strict=True)
        ]
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


class Walk:
    """One way through the stages of widths."""

    def __init__(self, search: Search, start: FloatArray, report: Callable[[], object] = lambda: None) -> None:
        self.search, self.position = search, start
        self.rows: list[tuple[FloatArray, float, FloatArray, int, FloatArray]] = []
        self.num_stages = 0
        self.ending: Ending | None = None
        self._endings: dict[int, Ending] = {}
        self._report = report

    def advance(self, factor: float, *, start: FloatArray | None = None, near: Search | None = None) -> Ending:
        """Go to the optimum at widths of `factor` times the search's own.

        Args:
            factor: in units of the search's own widths.
            start: thresholds in the coordinates, or None to go on from where it is.
            near: the search with only the events that can be reached from the start (`Search.reached`), if they are
                known already.
        """
        widths = self.search.widths * factor
        if start is not None:
            self.position = start
        elif self.num_stages:
            self.position = self._revived()
        self.ending = self._endings[self.num_stages] = self._go(widths, near)
        self.num_stages += 1
        return self.ending

    def repeat(self, factor: float, start: FloatArray) -> Ending:
        """Go through the last stage again, from another start."""
        self.num_stages -= 1
        return self.advance(factor, start=start)

    def back_to(self, stage: int) -> None:
        """Forget all stages after one, and where it ended be again."""
        self.rows = [row for row in self.rows if row[3] <= stage]
        self.ending = self._endings[stage]
        self.num_stages, self.position = stage + 1, self.ending.position

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs, of numbers and lists."""
        rows = [[row[0].tolist(), row[1], row[2].tolist(), row[3], row[4].tolist()] for row in self.rows]
        endings = [dataclasses.asdict(self._endings[stage]) for stage in range(self.num_stages)]
        return {"rows": rows, "endings": [e | {"position": e["position"].tolist()} for e in endings]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where a walk of the same search was."""
        self.rows = [(np.array(p), v, np.array(g), stage, np.array(w)) for p, v, g, stage, w in state["rows"]]
        endings = [Ending(**(e | {"position": np.array(e["position"])})) for e in state["endings"]]
        self._endings = dict(enumerate(endings))
        self.num_stages = len(endings)
        if endings:
            self.back_to(len(endings) - 1)

    def _go(self, widths: FloatArray, near: Search | None) -> Ending:
        """To the optimum, with no more events than thresholds can reach from where they are."""
        search = self.search
        for _ in range(_MOST_MOVES):
            around = search.reached(self.position, widths) if near is None else near
            low, high = search.box(self.position, widths)
            ending = self._minimize(around, (low, high), widths)
            self.position, near = ending.position, None
            # At a wall of the box that is none of the search there is further to go.
            at_wall = (ending.position <= low) & (low > search.lower)
            at_wall |= (ending.position >= high) & (high < search.upper)
            if not np.any(at_wall & (search.unknowns >= 0)):
                break
        return ending

    def _revived(self) -> FloatArray:
        """The position, with thresholds that had been given up back where they lose a percent of the signal.

        A wide step that loses signal even where all of it is above the threshold is best given up; a narrower one
        may not be, and would not feel any event from where it was left.
        """
        search, signs = self.search, np.array(self.search.selection.signs)
        loose = search.at_efficiency(0.99)
        loose = np.where(signs > 0, np.maximum(self.position, loose), np.minimum(self.position, loose))
        # Where signal and background are alike, nothing is gained and nothing is lost.
        return np.where(search.unknowns >= 0, search.expand(search.reduce(loose), self.position), self.position)

    def _minimize(self, search: Search, box: tuple[FloatArray, FloatArray], widths: FloatArray) -> Ending:
        sign, remembered = search.problem.goal.sign, dict[bytes, Evaluation]()
        _require_finite(search, self.position, widths)
        origin = self.position

        def function(unknowns: FloatArray) -> tuple[float, FloatArray]:
            position = search.expand(unknowns, origin)
            found = search.evaluate(position, widths)
            remembered[unknowns.tobytes()] = found
            if not np.isfinite(found.guarded) or not np.all(np.isfinite(found.gradient)):
                # Far below all others where there is no value, to turn a line search back.
                return 1e6, np.zeros_like(unknowns)
            return -sign * found.guarded, -sign * search.reduce(found.gradient, np.sum)

        def report(unknowns: FloatArray, f: float, g: FloatArray) -> None:  # noqa: ARG001
            self._report()
            found = remembered[unknowns.tobytes()]
            position = search.expand(unknowns, origin)
            self.rows.append((position, found.plain, found.gradient, self.num_stages, widths))

        limits = search.reduce(box[0], np.max), search.reduce(box[1], np.min)
        start = np.clip(search.reduce(self.position), *limits)
        ending = search.problem.walker.minimize(function, start, limits, report)
        if search.expand(ending.position, origin).tobytes() != self.rows[-1][0].tobytes():
            if ending.position.tobytes() not in remembered:
                function(ending.position)
            report(ending.position, 0.0, ending.position)
        return dataclasses.replace(ending, position=search.expand(ending.position, origin))

    def history(self) -> History:
        """All steps so far."""
        positions_, values, gradients, stages, widths = (np.array(c) for c in zip(*self.rows, strict=True))
        thresholds = np.array([self.search.thresholds(p) for p in positions_])
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.array([self.search.slopes(p) for p in positions_])
            gradients = np.where(slopes > 0, gradients / slopes, 0.0)
        return History(self.search.names, thresholds, values, gradients, stages, widths, positions_)


def _chosen(region: SoftEvents, kept: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """Events of a region, of all variations, that are chosen sample by sample."""
    mask = np.zeros(len(region), dtype=bool)
    for s, keep in enumerate(kept):
        of_sample = region.sample == s
        mask[of_sample] = keep[region.origin[of_sample]]
    return np.flatnonzero(mask)


def _require_finite(search: Search, scores: FloatArray, widths: FloatArray) -> None:
    found = search.evaluate(scores, widths)
    if not np.isfinite(found.guarded) or not np.all(np.isfinite(found.gradient)):
        thresholds = search.thresholds(scores)
        at = ", ".join(f"{n} = {t:.6g}" for n, t in zip(search.names, thresholds, strict=True))
        raise OptimizationError(
            f"The objective {search.problem.goal.name!r} has no finite value or gradient at {at} (value "
            f"{found.plain}). Start from looser cuts, where signal and background both pass."
        )


def _columns(samples: Sequence[Sample], variable: str, *, signal: bool) -> FloatArray:
    """Values of a variable that exist, of all signals or all backgrounds, shape (event,)."""
    parts = []
    for sample in samples:
        if sample.signal == signal:
            values = sample.column(variable)
            parts.append(values[~is_missing(values, sample.missing)])
    joined = np.concatenate(parts)
    if len(joined) == 0:
        raise InputError(f"No {'signal' if signal else 'background'} event has a value of {variable!r} to cut on.")
    return joined


def default_widths(samples: Sequence[Sample], selection: Selection) -> FloatArray:
    """Widths, in the units of the variables, of soft cuts that were not given any, shape (threshold,)."""
    return np.array(
        [DEFAULT_WIDTH * _spread(samples, selection.variables[cut]) for cut in selection.cut_of_threshold]
    )


def _spread(samples: Sequence[Sample], variable: str) -> float:
    """Half the central 68 % of a variable, of signal or background: a soft cut has to be narrow against both."""
    spreads = [
        0.5 * float(np.diff(np.quantile(_columns(samples, variable, signal=signal), [0.16, 0.84]))[0])
        for signal in (True, False)
    ]
    positive = [spread for spread in spreads if spread > 0]
    if not positive:
        raise InputError(f"The variable {variable!r} has hardly more than one value; there is nothing to cut on.")
    return min(positive)


def _coordinates(samples: Sequence[Sample], problem: Problem) -> list[AbstractCoordinate]:
    """One for each cut; cuts that are tied have the same."""
    groups = [{name.split(":")[0] for name in group} for group in problem.tied]
    found: list[AbstractCoordinate] = []
    for cut in problem.selection.cuts:
        tied = next((sorted(group) for group in groups if cut.variable in group), [cut.variable])
        both = [
            np.concatenate([_columns(samples, variable, signal=signal) for variable in tied])
            for signal in (True, False)
        ]
        if problem.linear or cut.width is not None or isinstance(cut.plain, SlidingCut):
            low, high = min(b.min() for b in both), max(b.max() for b in both)
            scale = 1.0 if problem.linear else min(_spread(samples, variable) for variable in tied)
            found.append(Linear(scale, (float(low), float(high))))
        else:
            _spread_or_values(both, cut.variable)
            found.append(normal_scores(both[0], both[1], _exact(problem.selection, tied)))
    return found


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


def _widths(selection: Selection, coordinates: Sequence[AbstractCoordinate]) -> FloatArray:
    """Widths of the soft cuts in the coordinates, shape (threshold,)."""
    given = [selection.cuts[cut].width for cut in selection.cut_of_threshold]
    return np.array(
        [
            DEFAULT_WIDTH if width is None else width / (c.scale if isinstance(c, Linear) else 1.0)
            for width, c in zip(given, coordinates, strict=True)
        ]
    )


def _bounds(
    selection: Selection, coordinates: Sequence[AbstractCoordinate], signs: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Bounds of the thresholds in the coordinates, each of shape (threshold,)."""
    pairs = []
    for position, coordinate, sign in zip(selection.cut_of_threshold, coordinates, signs, strict=True):
        bounds = selection.cuts[position].bounds
        pairs.append(coordinate.limits if bounds is None else tuple(coordinate.score(b, sign) for b in bounds))
    low, high = np.array(pairs, dtype=np.float64).T
    return low, high


def _start(samples: Sequence[Sample], selection: Selection, lost: float) -> list[float]:
    """Where the search starts: as given, or where each threshold loses a share of the signal."""
    start = []
    for threshold, sign, position in zip(
        selection.thresholds, selection.signs, selection.cut_of_threshold, strict=True
    ):
        if threshold is None:
            values = _columns(samples, selection.variables[position], signal=True)
            threshold = float(np.quantile(values, lost if sign > 0 else 1.0 - lost))
        start.append(threshold)
    return start


def _unknowns(
    selection: Selection, fixed: Sequence[str], tied: Sequence[Sequence[str]]
) -> NDArray[np.int64]:
    """For each threshold the number of what the solver moves, or -1 if it stays, shape (threshold,)."""
    names = list(selection.names)
    for name in (*fixed, *(n for group in tied for n in group)):
        if name not in names:
            raise InputError(f"There is no threshold {name!r} to be fixed or tied; there are {', '.join(names)}.")
    for name in fixed:
        if selection.thresholds[names.index(name)] is None:
            raise InputError(f"The threshold {name!r} is to stay where it is, but is not set; give it in its cut.")
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


def _table_in_coordinates(
    samples: Sequence[Sample], problem: Problem, coordinates: Sequence[AbstractCoordinate]
) -> EventTable:
    """The events of all samples and variations with coordinates instead of values."""
    table = EventTable.of(samples, problem.selection, axis=problem.axis)
    rows = np.stack([c.scores(row) for c, row in zip(coordinates, np.asarray(table.values), strict=True)])
    return dataclasses.replace(table, values=rows)
