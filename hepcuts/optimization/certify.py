"""The certified best cuts: that no other cuts are better on these events, by branch and bound.

An optimizer finds good cuts, and cannot say that there are no better ones. For few cuts this can: yields only fall
where a cut is tightened, so that the figure of merit of a whole box of thresholds is at most that of the signal at its
loosest and the background at its tightest corner (`hepcuts.optimization.box_bounds`). The thresholds are laid into a
coarse grid; boxes that cannot hold better cuts than those found are dismissed, the others are laid into finer grids,
down to every distinct value of the events.

What is certified is the best on *these* events. On others the best cuts are worth less: they follow the fluctuations.

The number of boxes that are left grows like n^(d/2) for d thresholds of n values each. On 600 000 events (Gaussian
signal and background, one systematic of 10 %), all distinct values of two cuts take 1 s of a processor's time, of three
5 s. With four cuts, 50 levels of each take 5 s; of all distinct values 50 million boxes, in 30 s, leave a gap of 24 %.
The profile likelihood with systematics is fitted for each box that is left: two cuts take 3 s. A wide spread of
weights, or negative ones, make bounds wider and the search longer.
"""

import dataclasses
import heapq
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from hepcuts._core import checks
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.merit import counting
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.registry import FIGURES, Given, figure_of_merit
from hepcuts.merit.rows import Rows
from hepcuts.samples.envelopes import require_no_envelope
from hepcuts.samples.sample import LIMITED, Sample, check_samples
from hepcuts.templates.corners import Box, Corners, RankedEvents
from hepcuts.templates.filling import as_selection, fill

from .box_bounds import FIT, BoxBounds
from .box_guard import BoxGuard
from .box_parts import parts_of
from .certificate import Certificate

_ROUNDING = 1e-11
"""Relative difference of two values below which they are equal: sums of a million numbers of 64 bits."""

_NUMBERS = 1 << 22
"""Sums that are held at once, of all variations and samples."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How far to go.

    Attributes:
        boxes: largest number of boxes of thresholds that are looked at. The usual number takes a minute or two.
        corners: of a grid of boxes; chosen by hand: the events' sums and the values then take about equally long.
        within: relative gap that is small enough, 0 for none.
        levels: how many levels of each threshold are considered, with as many values of events between neighbors; None
            for every distinct value.
    """

    boxes: int = 50_000_000
    corners: int = 1 << 16
    within: float = 0.0
    levels: int | None = None

    def __post_init__(self) -> None:
        if self.levels is not None:
            checks.count("levels", self.levels, least=2)
        checks.count("boxes", self.boxes, least=1)
        checks.count("corners", self.corners, least=1)
        checks.amount("within", self.within)


DEFAULT_EFFORT = Effort()


def certify(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    objective: Given = "profile",
    min_background: float = 10.0,
    fixed: Iterable[str] | str = (),
    effort: Effort = DEFAULT_EFFORT,
) -> Certificate:
    """The best cuts, and the proof that no cuts of these variables are better on these events.

    All thresholds that differ in any event are considered. Two cuts on 600 000 events take about 1 s of a processor's
    time, three 5 s. With four, or with more than one window, which have two thresholds each, the number of boxes may
    end before the gap is closed. Then the gap is told; fewer ``levels`` (see `Effort`) close it.

    Args:
        samples: at least one signal and one background; weights may be negative, which makes the bounds wider.
        selection: up to four cuts or windows with known directions. If all thresholds are given, the value there is
            compared. A cut's ``bounds`` limit its thresholds.
        objective: a figure of merit that is proven to be monotone: ``"profile"`` for backgrounds with their own Poisson
            constraints (``staterror="poisson"``) or none, and scaling systematics each of which raises all of them or
            lowers all of them; ``"s_over_sqrt_b"``, ``"s_over_sqrt_s_plus_b"``, ``"s_over_sqrt_b_plus_variance"``,
            ``"asimov"`` and ``"asimov_uncertainty"`` with any systematics.
        min_background: effective number of simulated events that cuts have to keep of each background that matters, see
            `hepcuts.templates.simulated`. If it is not 0, ten of the signal are asked for, too, if there are so many.
        fixed: names of thresholds (see `Selection.names`) that stay as they are given.
        effort: how far to go.

    Returns:
        The best cuts that were found, with the largest value that any others can have.

    Raises:
        InputError: an objective that is not proven to be monotone, more than four cuts, cuts that are no plain cuts of
            fixed thresholds, or unknown names.
        OptimizationError: no cuts that were looked at have a value and keep so many background events.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> found = certify(samples, hc.Cut("x", ">", 25.0), objective="asimov")
        >>> found
        Certified cuts
          best cuts   ...
          asimov      ...
          none above  ... (gap 0)
          given cuts  ... of the bound)
          looked at   ... boxes for ... different cuts
          no cuts of these variables are better on these events
        >>> found.gap
        0.0
    """
    samples, chosen = check_samples(samples), as_selection(selection)
    if chosen is None or len(chosen.cuts) > _MOST_CUTS:
        count = 0 if chosen is None else len(chosen.cuts)
        raise InputError(f"There are {count} cuts; expected one to {_MOST_CUTS}. More are not certified in any time.")
    if limited := [sample.name for sample in samples if sample.empty == LIMITED]:
        raise InputError(f"{', '.join(limited)}: what counts as one event where none is left does not fall with cuts.")
    for sample in samples:
        require_no_envelope(sample.modifiers, "A certificate")
    figure, least = figure_of_merit(objective), checks.min_background(min_background)
    events = RankedEvents.of(samples, chosen, most=effort.levels, fixed=_checked_names(chosen, fixed))
    form = figure.monotone(events.structure)
    if form is None:
        raise InputError(_not_proven(figure, events))
    guard = BoxGuard.of(events, least, figure.min_expected)
    bounds = BoxBounds.of(form, events, totals_of(samples), guard)
    search = _BranchAndBound(events, bounds, effort, likelihood=figure.expensive)
    search.run()
    return search.certificate(chosen, figure, _value_of(samples, chosen, figure, guard))


_MOST_CUTS = 4


class _BranchAndBound:
    """Branch and bound; the state of one search."""

    def __init__(self, events: RankedEvents, bounds: BoxBounds, effort: Effort, *, likelihood: bool) -> None:
        self.events, self.bounds, self.effort, self.likelihood = events, bounds, effort, likelihood
        # Fits are not as accurate as sums.
        self.rounding = 2 * FIT if bounds.form.expensive else _ROUNDING
        self.corners = max(min(effort.corners, _NUMBERS // int(np.prod(events.lead))), 1)
        self.best, self.levels = -np.inf, np.zeros(len(events.levels), dtype=np.int64)
        self.dismissed, self.boxes = -np.inf, 0
        self.left: list[tuple[float, int, Box]] = []

    def run(self) -> None:
        """Go through the boxes, those that promise most first, until none can be better, or there were too many."""
        numbers = itertools.count()
        self.left = [(-np.inf, next(numbers), self.events.whole)]
        while self.left and -self.left[0][0] > self.enough and self.boxes < self.effort.boxes:
            box = heapq.heappop(self.left)[2]
            corners = self.events.corners(box, self.corners)
            self.boxes += int(np.prod(corners.cells))
            self._see(corners)
            worth = self.bounds.of_boxes(corners, self.enough)
            alive = (worth > self.enough) & ~corners.resolved
            self.dismissed = max(self.dismissed, float(worth[~alive & ~corners.resolved].max(initial=-np.inf)))
            for bound, part in parts_of(corners, np.where(alive, worth, -np.inf).reshape(corners.cells)):
                heapq.heappush(self.left, (-bound, next(numbers), part))

    @property
    def enough(self) -> float:
        """What a box has to promise more than."""
        return self.best + (self.effort.within + self.rounding) * abs(self.best) if np.isfinite(self.best) else -np.inf

    def _values(self, corners: Corners) -> FloatArray:
        """The figure of merit at all corners, NaN where the guard does not hold or it is surely no better.

        Shape (corner,). A known background is never worse than one that has to be fitted.
        """
        rows = Rows.of_yields(self.events.structure, corners.yields(self.events.structure), self.bounds.totals)
        allowed = self.bounds.guard.holds(rows)
        worth = allowed & rows.have_likelihood if self.likelihood else allowed
        if self.bounds.form.expensive:
            with np.errstate(all="ignore"):
                worth &= np.asarray(counting.asimov_significance(rows.signal, rows.background)) > self.best
        values = np.full(len(rows), np.nan)
        values[worth] = self.bounds.values_of([rows.take(np.flatnonzero(worth))]) if worth.any() else np.nan
        return values

    def _see(self, corners: Corners) -> None:
        values = self._values(corners)
        values = np.where(np.isfinite(values), values, -np.inf)
        top = int(np.argmax(values))
        if values[top] > self.best:
            at = np.unravel_index(top, [len(along) for along in corners.levels])
            self.best = float(values[top])
            self.levels = np.array([along[i] for along, i in zip(corners.levels, at, strict=True)])

    def certificate(
        self, selection: Selection, figure: AbstractFigureOfMerit, given: tuple[float, bool]
    ) -> Certificate:
        """What was found."""
        if not np.isfinite(self.best):
            raise OptimizationError(
                f"No cuts that were looked at keep {self.bounds.guard.events:g} effective simulated background "
                "events and have a value; ask for fewer (min_background), or widen the bounds."
            )
        thresholds = [one.threshold(int(level)) for one, level in zip(self.events.levels, self.levels, strict=True)]
        open_ended = -self.left[0][0] if self.left else -np.inf
        bound = max(self.best, self.dismissed, open_ended)
        bound = self.best if bound <= self.best + self.rounding * abs(self.best) else bound
        return Certificate(
            thresholds=selection.to_dict(thresholds),
            selection=selection.at(thresholds),
            objective=figure.name,
            label=figure.label,
            value=self.best,
            bound=bound,
            given=given[0],
            given_allowed=given[1],
            boxes=self.boxes,
            cuts=float(np.prod([float(len(one.considered)) for one in self.events.levels])),
            message=self._message(bound, stopped=open_ended > self.enough),
        )

    def _message(self, bound: float, *, stopped: bool) -> str:
        levels = self.effort.levels
        where = "on these events" if levels is None else f"at {levels} levels of each threshold on these events"
        if bound == self.best:
            return f"no cuts of these variables are better {where}"
        said = f"no cuts of these variables are better by more than {bound - self.best:.2g} {where}"
        return f"{said}; stopped after {self.boxes} boxes, more close the gap (effort)" if stopped else said


def _checked_names(selection: Selection, fixed: Iterable[str] | str) -> tuple[str, ...]:
    """Names of thresholds that stay fixed.

    Raises:
        InputError: an unknown name, or a threshold that is not given.
    """
    given = dict(zip(selection.names, (t for cut in selection.cuts for t in cut.thresholds), strict=True))
    names = checks.names("fixed", fixed)
    for name in names:
        if given.get(name) is None:
            raise InputError(f"fixed names {name!r}; expected thresholds that are given, of {', '.join(given)}.")
    return names


def _value_of(
    samples: Sequence[Sample], selection: Selection, figure: AbstractFigureOfMerit, guard: BoxGuard
) -> tuple[float, bool]:
    """The value of cuts with thresholds, NaN if one is missing, and whether they keep enough simulated background."""
    if any(threshold is None for cut in selection.cuts for threshold in cut.thresholds):
        return float("nan"), True
    templates, totals = fill(samples, selection), totals_of(samples)
    value = figure.hard(samples, [templates], selection)
    return value, bool(guard.holds(Rows.of_templates(templates, totals))[0])


def _not_proven(figure: AbstractFigureOfMerit, events: RankedEvents) -> str:
    proven = ", ".join(name for name, one in FIGURES.items() if one.monotone(events.structure) is not None)
    return (
        f"{figure.name!r} is not proven to grow with the signal and to fall with the background and its uncertainty "
        f"for these samples; of the figures of merit with a name {proven} are."
    )
