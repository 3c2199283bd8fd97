"""Significances of likelihoods that differ a little from one that was fitted, many at a time.

Less of a systematic, more simulation, more luminosity: each makes another likelihood, whose expected Z takes a fit. But
the minimum has moved little, and the second derivatives of the first fit still nearly hold. So all of them go on
together from where it ended, by Newton steps with that one matrix, to which the changes of the constraint terms are
added exactly, and then what the steps themselves tell of it (L-BFGS). A step takes the gradient of each likelihood
and no second derivatives. What it will gain is known before it is taken, so that most likelihoods take none or one;
those that are not at their minimum in the end are fitted, one by one.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.arrow import Arrow
from hepcuts.histfactory.solver.covariance import Covariance
from hepcuts.histfactory.solver.minima import CONVERGED
from hepcuts.histfactory.solver.rates import spread

from .batch import Batch
from .changed_lanes import ChangedLanes, Changer
from .changes import Change, changed
from .likelihood import HistFactory
from .searches import search


@dataclasses.dataclass(frozen=True)
class ChordSteps:
    """How far likelihoods go without second derivatives of their own.

    Attributes:
        most: steps; on published likelihoods nine in ten need one or two, the others five or many.
        share: of the largest change of Z, that another step may add for a minimum to be reached. It is added without
            being taken, so that what is missing in the end is less.
    """

    most: int = 6
    share: float = 1e-4


DEFAULT_STEPS = ChordSteps()
_ROUNDING = 1e-9
"""A change of Z, relative to it, that is none."""
_SURE = 0.3
"""A change of Z is what it looks like if another step adds less than this part of it."""
_STIFF = 1e9
"""Curvature in units of that of a parameter, with which it does not move."""
_EQUAL = 1e-12
"""A relative difference of values that is rounding."""
_NUMBERS = 500_000
"""Cells of a chunk of lanes: their tables fit a processor's cache, as those of `hepcuts.histfactory.searches`."""


class Nearby:
    """Likelihoods around one, each on its own prefit Asimov data.

    Args:
        likelihood: that was fitted.
        parameters: of its background-only fit to its prefit Asimov data, shape (parameter,).
        steps: how far to go without fits.

    Attributes:
        start: the parameters.
        fits: number of likelihoods that were fitted.
        gradients: number of gradients that were taken.
    """

    def __init__(self, likelihood: HistFactory, parameters: FloatArray, *, steps: ChordSteps = DEFAULT_STEPS) -> None:
        structure = likelihood.structure
        self.fits = self.gradients = 0
        self._likelihood, self.start, self._steps = likelihood, parameters, steps
        self._changer = Changer(likelihood)
        numbers = self._changer.numbers
        every = numbers.layout.free[~numbers.void[numbers.layout.free, 0]]
        self._inwards = np.where(parameters <= structure.lower, 1.0, np.where(parameters >= structure.upper, -1.0, 0))
        inside = np.isin(numbers.layout.free, every) & (self._inwards[numbers.layout.free] == 0)
        with one_blas_thread(len(every)), np.errstate(all="ignore"):
            here = numbers.expand(parameters[:, None])
            information = 0.5 * here.curvature(slice(None))
            covariance = Covariance(information, inside, numbers.layout.free)
            known = covariance.variances > 0
            self._inverse = 0.5 * covariance.matrix()[np.ix_(known, known)]
        self._free = numbers.layout.free[known]
        self._lower, self._upper = (np.asarray(side)[self._free, None] for side in (structure.lower, structure.upper))
        self._others = np.setdiff1d(every, self._free)
        diagonal = np.full(len(parameters), 2.0)
        diagonal[numbers.layout.free] = 2.0 * _diagonal(information)
        self._slack = 0.5 / np.where(diagonal > 0, diagonal, 2.0)[self._others]
        self._z = float(np.sqrt(max(here.value[0], 0.0)))

    def significances(self, changes: Sequence[Change]) -> FloatArray:
        """Expected Z of each change, shape (change,); NaN where a fit did not converge."""
        size = max(1, _NUMBERS // self._likelihood.templates.nominal.size)
        chunks = [changes[first : first + size] for first in range(0, len(changes), size)]
        return np.concatenate([np.zeros(0), *(self.minima(chunk)[0] for chunk in chunks)])

    def minima(
        self, changes: Sequence[Change], starts: FloatArray | None = None, *, within: float | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Expected Z of each change and the parameters there.

        Args:
            changes: of the likelihood.
            starts: where to start each, shape (parameter, change); None for `start`.
            within: what another step may add to Z; None for a share of the largest change.

        Returns:
            Z, shape (change,), NaN where a fit did not converge; and parameters, shape (parameter, change).
        """
        starts = self.start[:, None] if starts is None else starts
        with one_blas_thread(len(self._free)), np.errstate(all="ignore"):
            lanes = self._changer.lanes(changes)
            values, parameters, missing = self._near(lanes, starts, within)
            self.fits += len(missing)
            for lane in missing:
                values[lane], parameters[:, lane] = self._fitted(changes[lane])
        return np.sqrt(np.maximum(values, 0.0)), parameters

    def _near(self, lanes: ChangedLanes, starts: FloatArray, within: float | None) -> Any:
        """q0 of each lane, where it ended, and which lanes did not come to their minimum."""
        structure, free = self._likelihood.structure, self._free
        values, ends = np.full(lanes.size, np.nan), np.array(spread(starts, (len(starts), lanes.size)))
        left, trial = np.arange(lanes.size), starts
        if structure.clip_sample is not None or structure.clip_bin is not None:
            return values, ends, left
        bend, way = lanes.bend(self.start)[free], _Descent(free)
        for _ in range(self._steps.most):
            way.see(trial, *lanes.take(left).expand(trial))
            self.gradients += len(left)
            step, gain = self._next(way, bend[:, left])
            more = np.abs(gain) + self._gain_of_others(way.gradient, way.parameters)
            distance = np.sqrt(way.value) - np.sqrt(np.maximum(way.value - more, 0.0))
            if within is None:
                within = self._steps.share * self._largest(way.value - gain, distance)
            done = distance <= np.maximum(within, _ROUNDING * np.sqrt(way.value))
            values[left[done]] = (way.value - gain)[done]
            ends[:, left] = way.parameters
            trial = way.parameters.copy()
            trial[free] = np.clip(trial[free] - way.reach * step, self._lower, self._upper)
            ends[:, left[done]] = trial[:, done]
            left, trial = left[~done], trial[:, ~done]
            if not len(left):
                break
            way.keep(~done)
        return values, ends, left

    def _next(self, way: "_Descent", bend: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The step backwards of each lane, shape (free, lane), and what it gains in q0, shape (lane,)."""
        at, slope = way.parameters[self._free], way.gradient[self._free]
        # What would leave its bounds stays there: as if it bent without end.
        stuck = ((slope > 0) & (at <= self._lower)) | ((slope < 0) & (at >= self._upper))
        slope = np.where(stuck, 0.0, slope)
        if stuck.any():
            bend = np.where(stuck, _STIFF / np.diagonal(self._inverse)[:, None], bend)
        step = way.step(slope, lambda side: self._step(side, bend))
        return step, 0.5 * (slope * step).sum(axis=0)

    def _largest(self, value: FloatArray, distance: FloatArray) -> float:
        """The largest change of Z of those that are nearly known."""
        change = np.abs(np.sqrt(np.maximum(value, 0.0)) - self._z)
        return float(np.max(change, where=distance < _SURE * change, initial=0.0))

    def _step(self, gradient: FloatArray, bend: FloatArray) -> FloatArray:
        """Newton steps backwards, with the Hessian of the fit and what is added to its diagonal, shape (free, lane)."""
        step: FloatArray = self._inverse @ gradient
        bent = bend != 0
        one = np.flatnonzero(bent.sum(axis=0) == 1)
        if len(one):
            row = bent[:, one].argmax(axis=0)
            column = self._inverse[:, row]
            step[:, one] -= column * (step[row, one] / (1.0 / bend[row, one] + self._inverse[row, row]))
        for lane in np.flatnonzero(bent.sum(axis=0) > 1):
            rows = np.flatnonzero(bent[:, lane])
            columns = self._inverse[:, rows]
            step[:, lane] -= columns @ np.linalg.solve(
                np.diag(1.0 / bend[rows, lane]) + columns[rows], step[rows, lane]
            )
        return step

    def _gain_of_others(self, gradient: FloatArray, parameters: FloatArray) -> FloatArray:
        """What there is to gain by parameters that stay, roughly: on bounds, or without curvature, shape (lane,)."""
        others = self._others
        slopes, inwards = gradient[others], self._inwards[others, None]
        at_bound = (inwards != 0) & (parameters[others] == self.start[others, None])
        slopes = np.where(at_bound, np.minimum(slopes * inwards, 0.0), slopes)
        return np.asarray(self._slack @ slopes**2)

    def _fitted(self, change: Change) -> tuple[float, FloatArray]:
        """q0 and parameters by a fit, from where that of the likelihood ended, to the minimum there.

        Others were looked for when the likelihood was fitted; of changes this small it is the same one that is lowest.
        """
        other = changed(self._likelihood, change)
        found = search(other.structure, Batch.of(other.templates, None), self.start, fix_poi=True, elsewhere=False)
        return (float(found.value[0]) if found.status[0] == CONVERGED else np.nan), found.parameters[:, 0]


def _diagonal(matrix: Any) -> FloatArray:
    """Of one lane, shape (free, free, 1), or an `Arrow`."""
    found = matrix.diagonal()[:, 0] if isinstance(matrix, Arrow) else np.diagonal(matrix)[0]
    return np.asarray(found)


class _Descent:
    """The best points of many lanes, and what those tried tell of second derivatives (L-BFGS, with all of them).

    Args:
        free: numbers of the parameters that move.

    Attributes:
        parameters: shape (parameter, lane).
        value: of the deviance there, shape (lane,).
        gradient: shape (parameter, lane).
        reach: part of the next step that is to be taken: less after those that led up, shape (lane,).
    """

    def __init__(self, free: Any) -> None:
        self._free = free
        self._pairs: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        self.parameters = self.value = self.gradient = self.reach = np.zeros(0)

    def see(self, parameters: FloatArray, value: FloatArray, gradient: FloatArray) -> None:
        """Remember a point of each lane."""
        if not self.gradient.size:
            self.parameters = np.array(spread(parameters, gradient.shape))
            self.value, self.gradient, self.reach = value, gradient, np.ones(len(value))
            return
        move, turn = (parameters - self.parameters)[self._free], (gradient - self.gradient)[self._free]
        curvature = (move * turn).sum(axis=0)
        up = curvature > 0
        self._pairs.append((np.where(up, move, 0.0), np.where(up, turn, 0.0), np.where(up, 1.0 / curvature, 0.0)))
        better = value <= self.value * (1.0 + _EQUAL)
        self.parameters, self.gradient = (
            np.where(better, new, old) for new, old in ((parameters, self.parameters), (gradient, self.gradient))
        )
        self.value, self.reach = np.where(better, value, self.value), np.where(better, 1.0, 0.5 * self.reach)

    def keep(self, lanes: Any) -> None:
        """Forget the other lanes."""
        self.parameters, self.gradient = self.parameters[:, lanes], self.gradient[:, lanes]
        self.value, self.reach = self.value[lanes], self.reach[lanes]
        self._pairs = [(move[:, lanes], turn[:, lanes], weight[lanes]) for move, turn, weight in self._pairs]

    def step(self, slope: FloatArray, first: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Steps backwards: of a first matrix, with all that was seen since, shape (free, lane)."""
        parts = []
        for move, turn, weight in reversed(self._pairs):
            parts.append(weight * (move * slope).sum(axis=0))
            slope = slope - parts[-1] * turn
        result = first(slope)
        for (move, turn, weight), part in zip(self._pairs, reversed(parts), strict=True):
            result = result + (part - weight * (turn * result).sum(axis=0)) * move
        return result
