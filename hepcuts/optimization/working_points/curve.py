"""The soft problem of all working points, and its solver.

The axis along which thresholds are smooth is the normal quantile of the efficiency, and the thresholds are in normal
scores: where both samples are normal the thresholds of a single cut are a straight line, which the penalty leaves
alone. Each point counts by its share of the axis, so that more points between the same ends change the resolution and
nothing else.

The solver is a sequential quadratic program. Its quadratic model knows the penalty exactly and learns the rest, point
by point, from the gradients (damped BFGS): it takes few passes over the events, however many points there are.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.special

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.errors import OptimizationError
from hepcuts._core.executors import in_threads
from hepcuts._core.types import FloatArray
from hepcuts.optimization.history import Row
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.soft_events import SoftEvents
from hepcuts.templates.soft_layouts import loosest_is_low

from .options import DEFAULT_CURVE_TUNING, CurveTuning
from .program import learn, quadratic_step


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """What is known of all points at some thresholds.

    Attributes:
        log_background: logarithm of the background efficiency, shape (point,).
        background_slopes: to the thresholds, shape (point, threshold).
        excess: logarithm of the signal efficiency over the one that is wanted, shape (point,).
        signal_slopes: of `excess`, shape (point, threshold).
    """

    log_background: FloatArray
    background_slopes: FloatArray
    excess: FloatArray
    signal_slopes: FloatArray

    @property
    def finite(self) -> bool:
        """Whether all values exist."""
        return bool(np.all(np.isfinite(self.log_background)) and np.all(np.isfinite(self.excess)))


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Where the search is.

    Attributes:
        positions: thresholds in the coordinates, shape (point, threshold).
        rates: relative change of the background for one of the signal, at the optimum, shape (point,).
        log_background: logarithm of the background efficiency, shape (point,).
        converged: whether the last program did.
        stage: number of the stage of widths.
        rows: the steps so far; of each the positions, flattened, and what is minimized: the mean logarithm of the
            background efficiency with the penalty on curvature.
        interrupted: whether the user ended the search.
    """

    positions: FloatArray
    rates: FloatArray
    log_background: FloatArray
    converged: bool = False
    stage: int = 0
    rows: tuple[Row, ...] = ()
    interrupted: bool = False

    @property
    def num_steps(self) -> int:
        """Number of steps so far."""
        return len(self.rows)


class Curve:
    """The soft problem of all working points.

    Args:
        search: the events, of samples without variations, laid out; its objective is not used.
        efficiencies: of the signal, increasing, shape (point,).
        smoothness: weight of the mean square of a threshold's second derivative along the axis, against the mean
            logarithm of the background.
        tuning: the numbers that steer the search.
    """

    def __init__(
        self,
        search: Search,
        efficiencies: FloatArray,
        smoothness: float,
        tuning: CurveTuning = DEFAULT_CURVE_TUNING,
    ) -> None:
        self.search, self.efficiencies, self.tuning = search, efficiencies, tuning
        axis = scipy.special.ndtri(efficiencies)
        self.shares = shares(axis)
        self._rows, self._amplitudes = second_differences(axis)
        self._rows = np.sqrt(2.0 * smoothness) * self._rows
        events = search.regions[0]
        self.tighter = np.where(loosest_is_low(events.layout), 1.0, -1.0)
        self.of_signal = np.array([c.signal for c in events.structure.components])
        totals = np.bincount(events.cell, events.weights, minlength=len(self.of_signal))
        self._total = float(totals[self.of_signal].sum()), float(totals[~self.of_signal].sum())
        self.bend(np.zeros((len(efficiencies), len(search.space.names))))

    def start(self) -> State:
        """Cuts that each lose the same share of the signal, were they independent."""
        number = len(self.search.space.names)
        positions = [self.search.space.at_efficiency(float(e) ** (1.0 / number)) for e in self.efficiencies]
        return State(np.array(positions), np.ones(len(positions)), np.zeros(len(positions)))

    def bend(self, positions: FloatArray) -> None:
        """Cut the penalty wherever a threshold jumps at some positions, shape (point, threshold).

        For all thresholds: where one begins to take part the others can be looser.
        """
        smooth = np.all(np.abs(self._amplitudes @ positions) < self.tuning.steps.jump, axis=1)
        self.bent = self._rows[smooth].T @ self._rows[smooth]

    def solve(self, state: State, widths: FloatArray) -> State:
        """The optimum at some widths.

        Args:
            state: to start from.
            widths: of the soft cuts, in the coordinates, shape (threshold,).

        Raises:
            OptimizationError: a background or signal yield that is not positive at the start.
        """
        for _ in range(self.tuning.steps.most_moves):
            near = [self.search.reached(p, widths).regions[0] for p in state.positions]
            boxes = [self.search.box(p, widths) for p in state.positions]
            low, high = (np.array(side) for side in zip(*boxes, strict=True))
            state = self._descend(near, state, (low, high), widths)
            at_wall = (state.positions <= low) & (low > self.search.space.lower)
            at_wall |= (state.positions >= high) & (high < self.search.space.upper)
            if not np.any(at_wall):
                break
        return state

    def solve_from(self, state: State, positions: FloatArray, widths: FloatArray) -> State:
        """The optimum from other positions, with the penalty cut where they jump."""
        self.bend(positions)
        return self.solve(dataclasses.replace(state, positions=positions), widths)

    def points(
        self,
        events: Sequence[SoftEvents],
        positions: FloatArray,
        widths: FloatArray,
        efficiencies: FloatArray | None = None,
    ) -> Points:
        """Yields of points, each with its own events.

        Args:
            events: one for each point.
            positions: shape (point, threshold).
            widths: shape (threshold,).
            efficiencies: that are wanted, shape (point,), or None for those of the curve.
        """
        wanted = self.efficiencies if efficiencies is None else efficiencies
        step = self.search.problem.step
        pairs = zip(events, positions, strict=True)
        passes = in_threads(lambda pair: pair[0].sums(pair[1], widths, step), pairs)
        sums, slopes = (np.array(parts)[..., 0] for parts in zip(*passes, strict=True))
        found = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for kind, total in zip((~self.of_signal, self.of_signal), self._total[::-1], strict=True):
                yields = sums[:, kind].sum(axis=1)
                found += [np.log(yields / total), slopes[:, kind].sum(axis=1) / yields[:, None]]
        return Points(found[0], found[1], found[2] - np.log(wanted), found[3])

    def _penalized(self, points: Points, positions: FloatArray) -> float:
        return float(self.shares @ points.log_background) + 0.5 * float(np.sum(positions * self._pull(positions)))

    def _pull(self, positions: FloatArray) -> FloatArray:
        """Gradient of the penalty, shape (point, threshold)."""
        return np.asarray(self.bent @ positions)

    def _descend(
        self,
        events: Sequence[SoftEvents],
        state: State,
        box: tuple[FloatArray, FloatArray],
        widths: FloatArray,
    ) -> State:
        """Sequential quadratic programs within a box, with the events that it can reach."""
        positions, options = state.positions, self.tuning.steps
        now = self.points(events, positions, widths)
        if not now.finite:
            raise OptimizationError(
                "The soft background or signal yield of a working point is not positive, so that it has no logarithm. "
                "Leave out the smallest efficiencies, or use more events."
            )
        hessians = self.shares[:, None, None] * np.eye(positions.shape[1])
        multipliers, price = -self.shares * state.rates, np.zeros(len(positions))
        rows = list(state.rows)

        def ended(*, converged: bool) -> State:
            return State(positions, rates, now.log_background, converged, state.stage, tuple(rows))

        for _ in range(options.most_steps):
            gradient = self.shares[:, None] * now.background_slopes + self._pull(positions)
            room = (
                np.maximum(box[0] - positions, -options.largest_step),
                np.minimum(box[1] - positions, options.largest_step),
            )
            constraints = now.excess, now.signal_slopes
            with one_blas_thread(positions.size):
                step, multipliers = quadratic_step((hessians, self.bent), gradient, constraints, room, multipliers)
            price = np.maximum(price, 1.5 * np.abs(multipliers))
            # What bounds leave of the excess is no reason to go on.
            nearer = np.abs(now.excess) - np.abs(now.excess + np.sum(now.signal_slopes * step, axis=1))
            expected = float(np.sum(gradient * step)) - float(price @ nearer)
            rates = -multipliers / self.shares
            done = -expected < options.precision * self.shares.sum() and np.max(nearer) < options.on_target
            if done:
                return ended(converged=True)
            found = self._line_search(events, (positions, now), (step, expected), price, widths)
            if found is None:
                return ended(converged=bool(np.max(nearer) < 10.0 * options.on_target))
            there, then = found
            change = self._lagrangian(then, multipliers) - self._lagrangian(now, multipliers)
            learn(hessians, there - positions, change)
            positions, now = there, then
            rows.append(Row(state.stage, self._penalized(now, positions), positions.ravel()))
        return ended(converged=False)

    def _line_search(
        self,
        events: Sequence[SoftEvents],
        now: tuple[FloatArray, Points],
        direction: tuple[FloatArray, float],
        price: FloatArray,
        widths: FloatArray,
    ) -> tuple[FloatArray, Points] | None:
        """The first of ever shorter steps that lowers the objective plus the price of missing the efficiencies."""
        (positions, points), (step, expected) = now, direction
        merit = self._penalized(points, positions) + float(price @ np.abs(points.excess))
        for halving in range(self.tuning.steps.most_halvings):
            there = positions + 0.5**halving * step
            then = self.points(events, there, widths)
            enough = merit + 1e-4 * 0.5**halving * min(expected, 0.0) + 1e-10
            if then.finite and self._penalized(then, there) + float(price @ np.abs(then.excess)) <= enough:
                return there, then
        return None

    def _lagrangian(self, points: Points, multipliers: FloatArray) -> FloatArray:
        """Gradient of the Lagrangian without the penalty, shape (point, threshold)."""
        return self.shares[:, None] * points.background_slopes + multipliers[:, None] * points.signal_slopes


def shares(axis: FloatArray) -> FloatArray:
    """Share of each point in the axis (trapezoidal rule), shape (point,); 1 for a single point.

    Example:
        >>> shares(np.array([0.0, 1.0, 3.0]))
        array([0.5, 1.5, 1. ])
    """
    if len(axis) == 1:
        return np.ones(1)
    steps = np.diff(axis)
    return np.asarray(0.5 * (np.append(steps, 0.0) + np.append(0.0, steps)))


def second_differences(axis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Matrices of the curvature of what is given at the points, each of shape (inner point, point).

    Returns:
        One whose rows, squared and summed, are the integral of the squared second derivative, and one for the
        distance of each inner point from the line between its neighbors.

    Example:
        >>> axis = np.array([0.0, 1.0, 3.0, 4.0])
        >>> rows, distances = second_differences(axis)
        >>> bool(np.allclose(rows @ (2.0 - 3.0 * axis), 0.0)), (distances @ np.array([0.0, 1.0, 0.0, 0.0])).round(3)
        (True, array([ 1.   , -0.333]))
    """
    number = max(len(axis) - 2, 0)
    second, distances = np.zeros((number, len(axis))), np.zeros((number, len(axis)))
    for row in range(number):
        left, right = np.diff(axis[row : row + 3])
        around = 0.5 * (left + right)
        distances[row, row : row + 3] = [-right / (left + right), 1.0, -left / (left + right)]
        # The second derivative is -2 distance / (left right).
        second[row] = distances[row] * 2.0 / (left * right) * np.sqrt(around)
    return second, distances
