"""From wide to narrow soft cuts, and from one kind of cuts to another.

At a given signal efficiency there are several optima: a cut that costs signal before it removes background is best
either given up or made in earnest, and which of them is better changes along the efficiency. No gradient leads from
one to the other. So, at each width, each threshold of each point is tried at some other thresholds, with the others
moved together so that the signal efficiency is kept, on a part of the events; and each point is tried with the cuts of
its neighbors. What gains enough is where the gradient goes on from.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.optimization.history import History, Row, packed, unpacked
from hepcuts.optimization.stages import AbstractDescent, Checkpoint, descend

from .curve import Curve, State


def solve(curve: Curve, stages: Sequence[FloatArray], *, checkpoint: Checkpoint | None = None) -> tuple[State, History]:
    """The optimum at the last of several widths, which are gone through from wide to narrow.

    Args:
        curve: the problem.
        stages: widths of the soft cuts in the coordinates, each of shape (threshold,).
        checkpoint: written after each stage, and what a later run of the same problem goes on from.

    Returns:
        The last state; if the user interrupted, that of the last stage that was done. And the way to it.

    Raises:
        OptimizationError: as `Curve.solve`.
        InputError: the checkpoint is that of another problem.
    """
    descent = _CurveDescent(curve, stages)
    interrupted = descend(descent, checkpoint=checkpoint)
    return dataclasses.replace(descent.states[-1], interrupted=interrupted), descent.history


class _CurveDescent(AbstractDescent):
    """All working points through the stages.

    Attributes:
        states: at the end of each stage.
    """

    def __init__(self, curve: Curve, widths: Sequence[FloatArray]) -> None:
        self._curve, self._widths = curve, widths
        self.states: list[State] = []

    @property
    def num_stages(self) -> int:
        """See `AbstractDescent.num_stages`."""
        return len(self.states)

    def stages(self) -> Iterable[int]:
        """See `AbstractDescent.stages`."""
        return range(self.num_stages, len(self._widths))

    def advance(self, stage: int) -> None:
        """See `AbstractDescent.advance`."""
        curve, widths = self._curve, self._widths[stage]
        state = dataclasses.replace(self.states[-1] if self.states else curve.start(), stage=stage)
        state = curve.solve_from(state, state.positions, widths)
        may = np.ones(len(state.positions), dtype=bool)
        for _ in range(curve.tuning.leaps.most_rounds):
            positions = np.where(may[:, None], leap(curve, state, widths), state.positions)
            if np.array_equal(positions, state.positions):
                break
            state, kept = _follow(curve, state, positions, widths)
            may &= kept
        self.states.append(state)

    def back_to(self, stage: int) -> None:
        """See `AbstractDescent.back_to`."""
        self.states = self.states[: stage + 1]

    @property
    def state(self) -> dict[str, Any]:
        """See `AbstractDescent.state`."""
        # The steps of a state are among those of the next.
        states = [packed(dataclasses.replace(state, rows=())) for state in self.states]
        return {"states": states, "rows": [packed(row) for row in self.states[-1].rows]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `AbstractDescent.restore`."""
        rows = [Row(**unpacked(row)) for row in state["rows"]]
        self.states = [
            State(**(unpacked(of_stage) | {"rows": tuple(row for row in rows if row.stage <= number)}))
            for number, of_stage in enumerate(state["states"])
        ]

    @property
    def history(self) -> History:
        """See `AbstractDescent.history`."""
        space, rows = self._curve.search.space, self.states[-1].rows
        names = [f"{name} at {efficiency:g}" for efficiency in self._curve.efficiencies for name in space.names]
        scores = np.array([row.position for row in rows]).reshape(len(rows), len(names))
        thresholds = [[space.thresholds(position) for position in row.reshape(-1, len(space.names))] for row in scores]
        return History.of(rows, names, np.array(thresholds).reshape(scores.shape), scores=scores)


def _follow(curve: Curve, before: State, positions: FloatArray, widths: FloatArray) -> tuple[State, NDArray[np.bool_]]:
    """The optimum from other positions, and whether each point did not leap in vain; those that did are put back."""
    leapt = np.any(positions != before.positions, axis=1)
    after = curve.solve_from(before, positions, widths)
    in_vain = leapt & (after.log_background > before.log_background - 0.5 * curve.tuning.leaps.worthwhile)
    if np.any(in_vain):
        after = curve.solve_from(after, np.where(in_vain[:, None], before.positions, after.positions), widths)
    return after, ~in_vain


def leap(curve: Curve, state: State, widths: FloatArray) -> FloatArray:
    """Positions of shape (point, threshold), those of a point replaced where a candidate has less background."""
    options = curve.tuning.leaps
    points, moved, candidates = _candidates(curve, state.positions)
    efficiencies, events = curve.efficiencies[points], [curve.search.subsample(options.events).regions[0]] * len(points)
    tighter, low, high = curve.tighter, curve.search.space.lower, curve.search.space.upper
    for _ in range(options.shifts):
        found = curve.points(events, candidates, widths, efficiencies)
        slopes = np.sum(found.signal_slopes * tighter * moved, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.clip(-found.excess / slopes, -options.largest_shift, options.largest_shift)
        shift = np.where(np.isfinite(shift), shift, 0.0)
        candidates = np.clip(candidates + shift[:, None] * tighter * moved, low, high)
    found = curve.points(events, candidates, widths, efficiencies)
    # What is missing to the efficiency is paid at the rate of the optimum, which holds for small differences.
    at_target = found.log_background - state.rates[points] * found.excess
    at_target = np.where(np.abs(found.excess) < options.off_target, at_target, np.inf)
    # What is near is left to the gradient.
    far = np.max(np.abs(candidates - state.positions[points]), axis=1) > curve.tuning.steps.jump
    positions = state.positions.copy()
    num_background = np.sum(~curve.of_signal[events[0].sample])
    least = options.worthwhile + options.deviations / np.sqrt(num_background * np.exp(found.log_background))
    for point in range(len(positions)):
        mine = np.flatnonzero(points == point)
        best = mine[np.argmin(np.where(far[mine], np.nan_to_num(at_target[mine], nan=np.inf), np.inf))]
        if far[best] and at_target[best] < at_target[mine[0]] - least[mine[0]]:
            positions[point] = candidates[best]
    return positions


def _candidates(curve: Curve, positions: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Point of each candidate, which thresholds may be moved, and where they are; of each point itself first."""
    search, size = curve.search, len(positions)
    elsewhere = np.array([search.space.at_efficiency(e) for e in curve.tuning.leaps.efficiencies])
    points, moved, found = [], [], []
    for point, position in enumerate(positions):
        around = [position, *(positions[i] for i in (point - 1, point + 1) if 0 <= i < size)]
        rows, free = list(around), [np.ones(len(position))] * len(around)
        for threshold in range(len(position)) if len(position) > 1 else ():
            one = np.arange(len(position)) == threshold
            rows += [np.where(one, other, position) for other in elsewhere]
            free += [1.0 - one] * len(elsewhere)
        points += [point] * len(rows)
        moved += free
        found += rows
    return np.array(points), np.array(moved), np.array(found)
