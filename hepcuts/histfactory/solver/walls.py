"""Minima on a wall: where a bin without data would expect a negative number of events beyond.

Nothing keeps a parameter from making a bin's expectation negative, but a Poisson rate cannot be. In a bin with events
the deviance grows without limit before that; in a bin without, it falls to zero and ends. A minimum there has a slope,
and Newton's method does not see it. This slow, sequential search does: each step solves a quadratic program (the
deviance to second order, walls and bounds to first), is bent until it ends at the walls, which may be curved, and is
damped if the deviance did not fall. Multipliers of the walls enter the next Hessian (sequential quadratic programming).

Kinks of interpolation codes 0 and 1 are walls, too: one side of each is searched at a time.
"""

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.quadratic import Bowl, Program

from .expansion import Expansion, Likelihood
from .minima import CONVERGED, Minima
from .proposals import KINK

Values = NDArray[np.float64]
Side = tuple[Values, Values]

_EPSILON = float(np.finfo(np.float64).eps)
_MOST_STEPS = 1000
_MOST_BENDS = 8
_DONE = 1e-12
"""Gain in the deviance, relative to it where it is small, below which a step is the last."""
_SMALLEST_DAMPING, _FIRST_DAMPING, _LARGEST_DAMPING = 1e-10, 1e-8, 1e12
"""Curvature added to steps, in units of the information: less than the first is none, more than the last no step."""
_NEAR = 1e-9
"""What is nearer than this to zero or to a bound may be meant to be there."""
_MARGINS = (64.0, 0.0)
"""How far from their wall rates shall stay, in units of their rounding; zero where there is no room."""


@dataclasses.dataclass
class _WallMinimum:
    """Where a search ended: parameters that move, their deviance, the last gain promised, steps, and if it is one."""

    x: Values
    value: float
    gain: float
    steps: int
    converged: bool


def search_along_walls(likelihood: Likelihood, start: Values, bounds: tuple[Values, Values]) -> Minima | None:
    """The minimum of one lane that has bins without data, or None if there is none, or none was found.

    Args:
        likelihood: of one lane.
        start: shape (parameter,).
        bounds: lower and upper, each of shape (parameter,).
    """
    search = _WallSearch(likelihood, start, bounds)
    if not len(search.empty) or not len(search.free):
        return None
    found = search.lowest(np.asarray(start, dtype=np.float64)[search.free])
    x = search.possible(found) if found.converged else None
    if x is None:
        return None
    value, not_regular = np.array([search.value(x)]), np.zeros(1, dtype=bool)
    steps, status = np.array([found.steps]), np.array([CONVERGED])
    return Minima(search.whole(x), value, np.array([max(found.gain, 0.0)]), steps, status, not_regular)


class _WallSearch:
    """Everything that stays the same in the search of one lane."""

    def __init__(self, likelihood: Likelihood, start: Values, bounds: tuple[Values, Values]) -> None:
        free = likelihood.layout.free
        self.likelihood = likelihood
        self.empty = np.flatnonzero(likelihood.counts[:, 0] == 0)
        self.moved = ~likelihood.void[free, 0]
        self.free = free[self.moved]
        self.kinks = likelihood.kinks[self.moved]
        self.bounds = tuple(np.asarray(side, dtype=np.float64)[self.free] for side in bounds)
        self._start = np.array(start, dtype=np.float64)
        self._ends = np.vstack([np.eye(len(self.free)), -np.eye(len(self.free))])

    def whole(self, x: Values) -> Values:
        """All parameters, shape (parameter, 1)."""
        parameters = self._start.copy()
        parameters[self.free] = x
        return parameters[:, None]

    def rates(self, x: Values) -> tuple[Values, Values]:
        """Rates of the empty bins, and by how much they may be off by rounding, both of shape (empty bin,)."""
        at = self.likelihood.rates(self.whole(x))
        nominal = np.broadcast_to(self.likelihood.nominal, at.cells.shape) * at.product
        size = np.abs(nominal) + np.abs(at.cells - nominal)
        per_bin = size.reshape(self.likelihood.layout.samples, self.likelihood.layout.bins, -1).sum(axis=0)
        return at.main[self.empty, 0], _EPSILON * per_bin[self.empty, 0]

    def value(self, x: Values) -> float:
        """The deviance, infinite beyond a wall."""
        return float(self.likelihood.expand(self.whole(x)).value[0])

    def _value_at_walls(self, x: Values) -> float:
        """The deviance where a rate that should be zero may be negative by rounding."""
        rates, rounding = self.rates(x)
        at = self._expand(x, np.zeros(len(self.empty)))
        # What a parameter may be off by rounding moves a rate, too.
        moves = np.abs(at.slopes[self.moved][:, self.empty, 0]).T @ (np.abs(x) + self._scale(at))
        return float(at.value[0]) if np.all(rates >= -16.0 * (rounding + _EPSILON * moves)) else np.inf

    def _expand(self, x: Values, forces: Values) -> Expansion:
        relief = np.zeros((self.likelihood.layout.bins, 1))
        relief[self.empty, 0] = forces
        expansion: Expansion = self.likelihood.expand(self.whole(x), relief=relief)
        return expansion

    def lowest(self, x: Values) -> _WallMinimum:
        """Search from `x`, on its side of each kink, and on the other sides for as long as that leads down."""
        lower, upper = self.bounds
        above = x > 0
        best = self._descend(np.clip(x, lower, upper), self._side(above))
        steps, improved = best.steps, bool(self.kinks.any()) and np.isfinite(best.value)
        while improved:
            improved = False
            for i in np.flatnonzero(self.kinks & (np.abs(best.x) < _NEAR)):
                other = above.copy()
                other[i] = not above[i]
                found = self._descend(best.x, self._side(other))
                steps += found.steps
                if found.value < best.value - _DONE * (1.0 + best.value):
                    best, above, improved = found, other, True
        return dataclasses.replace(best, steps=steps)

    def _side(self, above: NDArray[np.bool_]) -> Side:
        """Bounds of one side of each kink."""
        lower, upper = self.bounds
        kinked = self.kinks & (lower < 0) & (upper > 0)
        return np.where(kinked & above, KINK, lower), np.where(kinked & ~above, 0.0, upper)

    def _descend(self, x: Values, side: Side) -> _WallMinimum:
        """Quadratic programs until the last promises nothing."""
        x = np.clip(x, *side)
        value, gain, damping, forces = self._value_at_walls(x), np.inf, 0.0, np.zeros(len(self.empty))
        if not np.isfinite(value):
            return _WallMinimum(x, value, gain, 0, False)
        for step in range(1, _MOST_STEPS + 1):
            program, candidate = self._step((x, forces), side, damping)
            new, gain, slack = np.inf, np.inf, 4.0 * _EPSILON * (1.0 + value) + 2.0 * self.rates(x)[1].sum()
            # Flat directions may leave no digits to a program without damping, and a gain below zero.
            if program is not None and program.gain > -slack:
                new, gain = self._value_at_walls(candidate), abs(program.gain) * (1.0 + damping)
            near = gain < _DONE * min(value, 1.0) + slack
            if near and damping <= _FIRST_DAMPING:
                x, value = (candidate, new) if new <= value + slack else (x, value)
                return _WallMinimum(x, value, gain, step, True)
            if program is not None and new < value - slack:
                x, value, forces = candidate, new, program.forces[2 * len(x) :]
                damping = damping / 5.0 if damping > _SMALLEST_DAMPING and not near else 0.0
            else:
                damping = 0.0 if near else max(10.0 * damping, _FIRST_DAMPING)
            if damping > _LARGEST_DAMPING:
                break
        return _WallMinimum(x, value, gain, step, False)

    def _step(self, here: tuple[Values, Values], side: Side, damping: float) -> tuple[Program | None, Values]:
        """One quadratic program at some x and multipliers, bent until no rate is negative; and where it leads."""
        x, forces = here
        at = self._expand(x, forces)
        if not np.all(np.isfinite(at.hessian)):
            return None, x
        slopes = at.slopes[self.moved][:, self.empty, 0].T
        gradient = at.gradient[self.moved, 0] + forces @ slopes
        bowl = Bowl(gradient, at.hessian[np.ix_(self.moved, self.moved)][:, :, 0], self._scale(at), damping)
        rates, _ = self.rates(x)
        rows, limits = np.vstack([self._ends, slopes]), np.concatenate([side[0] - x, x - side[1], -rates])
        first, candidate = None, x
        for _ in range(_MOST_BENDS):
            program = bowl.solve(rows, limits)
            if program is None:
                return first, candidate
            first = first or program
            low, high = program.forces[: len(x)] > 0, program.forces[len(x) : 2 * len(x)] > 0
            candidate = np.where(low, side[0], np.where(high, side[1], np.clip(x + program.step, *side)))
            if np.isfinite(self._value_at_walls(candidate)):
                break
            there, _ = self.rates(candidate)
            limits[2 * len(x) :] = slopes @ program.step - there
        return first, candidate

    def _scale(self, at: Expansion) -> Values:
        """Typical steps of the parameters: what the bins with data, and the constraints, leave of room."""
        filled = self.likelihood.counts[:, 0] > 0
        slopes = at.slopes[self.moved][:, filled, 0]
        information = (slopes**2) @ at.weights[filled, 0] + at.prior[self.moved, 0]
        return 1.0 / np.sqrt(np.where(information > 0, information, 1.0))

    def possible(self, found: _WallMinimum) -> Values | None:
        """The end of a search, moved by rounding so that no rate is negative; None if that is not enough."""
        x = found.x
        snapped = x.copy()
        for target in (np.zeros_like(x), *self.bounds):
            snapped = np.where(np.abs(x - target) < _NEAR, target, snapped)
        for margin, candidate, at_bounds in itertools.product(_MARGINS, (x, snapped), (False, True)):
            moved = self._pushed(candidate, margin, at_bounds)
            if moved is not None and self.value(moved) <= found.value + _DONE * (1.0 + found.value):
                return moved
        return None

    def _pushed(self, x: Values, margin: float, at_bounds: bool) -> Values | None:
        """The nearest point where all rates are above their wall by a margin; parameters at a bound move if told so."""
        inside = (x > self.bounds[0]) & (x < self.bounds[1])
        for _ in range(6):
            rates, rounding = self.rates(x)
            short = margin * rounding - rates
            away = short > 0
            if not away.any():
                return x
            at = self._expand(x, np.zeros(len(self.empty)))
            scale = self._scale(at) * (inside | at_bounds)
            slopes = at.slopes[self.moved][:, self.empty[away], 0].T * scale
            # Twice the distance, so that rounding does not keep the rate below.
            x = np.clip(x + scale * np.linalg.lstsq(slopes, 2.0 * short[away], rcond=1e-10)[0], *self.bounds)
        return None
