"""The course of a training: BCE first, then stages of narrower soft cuts, each stopped where validation says so."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from hepcuts._core.errors import OptimizationError
from hepcuts._core.quantiles import WeightedQuantiles
from hepcuts._core.types import FloatArray
from hepcuts.optimization.history import Row
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import AbstractSolver, ValueAndGradient
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.spreads import DEFAULT_WIDTH

from .losses import Classification, EndToEnd
from .scored_events import Units


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """Parameters with thresholds.

    Attributes:
        vector: parameters, shape (parameter,).
        thresholds: in the coordinates of the search, shape (threshold,).
        units: of the scores, among the events that train.
        training: the objective on the events that train.
        validated: the same on the others, or on these if there are no others.
    """

    vector: FloatArray
    thresholds: FloatArray
    units: Units
    training: float
    validated: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a training goes.

    Attributes:
        solver: of the stages.
        anneal: widths of the stages in units of the search's own.
        pretraining: largest number of steps with BCE.
        patience: steps without a better validated value after which a stage ends.
        weight_decay: of half the sum of the parameters' squares, in units of the objective.
        efficiencies: of the signal, at which the threshold of a trained score is tried first; chosen by hand.
        pretraining_precision: relative precision of BCE at which the warm start ends; chosen by hand: it is a start.
    """

    solver: AbstractSolver
    anneal: tuple[float, ...]
    pretraining: int
    patience: int
    weight_decay: float
    efficiencies: tuple[float, ...] = (*np.arange(0.95, 0.07, -0.05).tolist(), 0.05, 0.03, 0.02)
    pretraining_precision: float = 1e-6


class _Enough(Exception):  # noqa: N818 (no error)
    """Raised out of a solver to stop it."""


class Keeper:
    """Remembers the best validated step, and stops a solver that has had no better one for a while.

    Args:
        start: kept if no step is better.
        patience: for so many steps.
        validate: of a step's vector; its values on events that train and on the others, both larger if better.
        note: told of both.
    """

    def __init__(
        self,
        start: FloatArray,
        patience: int,
        validate: Callable[[FloatArray], tuple[float, float]],
        note: Callable[[float, float], None],
    ) -> None:
        self.best = start
        self.values = (-np.inf, -np.inf)
        self.patience, self._validate, self._note, self._waited = patience, validate, note, 0

    def __call__(self, vector: FloatArray, value: float, gradient: FloatArray) -> None:  # noqa: ARG002
        """Take notice of a step."""
        found = self._validate(vector)
        self._note(*found)
        self._waited += 1
        if found[1] > self.values[1]:
            self.best, self.values, self._waited = vector.copy(), found, 0
        if self._waited >= self.patience:
            raise _Enough


class Course:
    """One training.

    Args:
        training: the objective of the events that train.
        validation: that of the others, or None.
        members: positions of the score's thresholds.
        plan: how it goes.
        report: called at every step.
    """

    def __init__(
        self,
        training: EndToEnd,
        validation: EndToEnd | None,
        *,
        members: Sequence[int],
        plan: Plan,
        report: Callable[[], object],
    ) -> None:
        self.training, self.validation, self.plan = training, validation, plan
        self.search: Search = training.search
        self.rows: list[Row] = []
        self.messages: list[str] = []
        self.success = True
        self.validates = validation is not None
        self.members, self._report = list(members), report
        self._sign = self.search.problem.objective.sign

    def widths(self, factor: float) -> FloatArray:
        """Widths of a stage, shape (threshold,); those of the score in its units."""
        widths = self.search.space.widths.copy()
        widths[self.members] = DEFAULT_WIDTH
        return np.asarray(widths * factor)

    # --- classification ---

    def classify(
        self, losses: tuple[Classification, Classification | None], start: FloatArray, solver: AbstractSolver
    ) -> FloatArray:
        """Parameters and offset of the least BCE, shape (parameter + 1,).

        Args:
            losses: of the events that train, and of the others.
            start: parameters and offset, shape (parameter + 1,).
            solver: finds them.
        """
        training, validation = losses

        def validate(vector: FloatArray) -> tuple[float, float]:
            value = training.value(vector)
            return -value, -(value if validation is None else validation.value(vector))

        def function(vector: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = training.slope(vector)
            return value + self._decay(vector[:-1]), gradient + np.append(self.plan.weight_decay * vector[:-1], 0.0)

        keeper = Keeper(start, self.plan.patience, validate, lambda t, v: self._note(0, -t, -v))
        free = np.full(len(start), np.inf)
        self._solve(solver, function, start, (-free, free), keeper)
        return keeper.best

    # --- end to end ---

    def point(self, vector: FloatArray, factor: float) -> Point:
        """Parameters with the best of some thresholds on the score, the other cuts at their start."""
        thresholds, widths = self.search.space.start.copy(), self.widths(factor)
        scored, units = self.training.scored(vector)
        found = []
        signal = self._of_signal(scored[0])
        for threshold in (signal.at(1.0 - efficiency) for efficiency in self.plan.efficiencies):
            thresholds[self.members] = threshold
            found.append((self._sign * self.training.value(scored, thresholds, widths), threshold))
        finite = [pair for pair in found if np.isfinite(pair[0])]
        if not finite:
            raise OptimizationError(
                f"The objective {self.search.problem.objective.name!r} has no value at any threshold on the score. "
                "Start the other cuts from looser thresholds, where signal and background both pass."
            )
        value, threshold = max(finite)
        thresholds[self.members] = threshold
        return Point(vector, thresholds, units, value, self._validated(vector, thresholds, widths, units, value))

    def again(self, point: Point, factor: float) -> Point:
        """A point at other widths."""
        widths = self.widths(factor)
        value = self._sign * self.training.value(self.training.scored(point.vector)[0], point.thresholds, widths)
        validated = self._validated(point.vector, point.thresholds, widths, point.units, value)
        return dataclasses.replace(point, training=value, validated=validated)

    def stage(self, number: int, start: Point) -> Point:
        """Go on from a point at the widths of a stage; the best validated point, the start among them."""
        widths = self.widths(self.plan.anneal[number])
        search, size, sign = self.search, len(start.vector), self._sign
        scale = abs(start.training) or 1.0
        last: dict[bytes, tuple[float, Units]] = {}

        def function(vector: FloatArray) -> tuple[float, FloatArray]:
            found = self.training.slope(vector[:size], search.space.expand(vector[size:], start.thresholds), widths)
            last[vector.tobytes()] = found.value, found.units
            slope = np.append(found.to_parameters, search.space.reduce(found.to_thresholds, np.sum))
            if not np.isfinite(found.value) or not np.all(np.isfinite(slope)):
                # Far above all others where there is no value, to turn a line search back.
                return 1e6, np.zeros_like(vector)
            decay = np.append(self.plan.weight_decay * vector[:size], np.zeros(len(vector) - size))
            return -sign * found.value / scale + self._decay(vector[:size]), -sign * slope / scale + decay

        def validate(vector: FloatArray) -> tuple[float, float]:
            if vector.tobytes() not in last:
                function(vector)
            value, units = last[vector.tobytes()]
            at = vector[:size], search.space.expand(vector[size:], start.thresholds)
            return sign * value, self._validated(*at, widths, units, sign * value)

        low, high = self._bounds()
        free = np.full(size, np.inf)
        bounds = np.append(-free, search.space.reduce(low, np.max)), np.append(free, search.space.reduce(high, np.min))
        beginning = np.append(start.vector, search.space.reduce(start.thresholds))
        note = functools.partial(self._note, number + 1)
        keeper = Keeper(beginning, self.plan.patience, validate, lambda t, v: note(sign * t, sign * v))
        self._solve(self.plan.solver, function, beginning, bounds, keeper)
        best, units = keeper.best, last[keeper.best.tobytes()][1]
        return Point(best[:size], search.space.expand(best[size:], start.thresholds), units, *keeper.values)

    def interrupt(self) -> None:
        """Note that the user interrupted it."""
        self.success = False
        self.messages.append(f"interrupted; until then: {self.messages[-1]}")

    # --- helpers ---

    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        """Bounds of the thresholds, each of shape (threshold,); the score has none."""
        low, high = self.search.space.lower.copy(), self.search.space.upper.copy()
        low[self.members], high[self.members] = -np.inf, np.inf
        return low, high

    def _solve(
        self,
        solver: AbstractSolver,
        function: ValueAndGradient,
        start: FloatArray,
        bounds: tuple[FloatArray, FloatArray],
        keeper: Keeper,
    ) -> None:
        try:
            ending = solver.minimize(function, start, bounds, keeper)
        except _Enough:
            self.messages.append(f"no better validated value in {keeper.patience} steps")
        else:
            self.messages.append(ending.message)
            self.success &= ending.success

    def _decay(self, vector: FloatArray) -> float:
        return 0.5 * self.plan.weight_decay * float(vector @ vector)

    def _note(self, stage: int, training: float, validated: float) -> None:
        self._report()
        self.rows.append(Row(stage, training, validation=validated if self.validates else float("nan")))

    def _validated(
        self, vector: FloatArray, thresholds: FloatArray, widths: FloatArray, units: Units, otherwise: float
    ) -> float:
        """The objective on the events that validate, larger is better, or what it is without them."""
        if self.validation is None:
            return otherwise
        return self._sign * self.validation.value(self.validation.scored(vector, units)[0], thresholds, widths)

    def _of_signal(self, scored: SoftEvents) -> WeightedQuantiles:
        """Scores of the nominal signal that trains, in their units."""
        region = self.training.regions[0]
        signal = np.array([component.signal for component in scored.structure.components])[scored.sample]
        chosen = signal & (region.shares > 0)
        return WeightedQuantiles.of(np.asarray(scored.values[region.row][chosen]), scored.weights[chosen])
