"""Significances of likelihoods that differ a little from one that was fitted, many at a time.

Less of a systematic, more simulation, more luminosity: each makes another likelihood, whose expected Z takes a fit. But
the minimum has moved little, and what the first fit learned of its surroundings (the covariance) still holds nearly. So
all of them go on together from where the fit ended, by Newton steps with that one matrix, to which the changes of
the constraint terms are added exactly. A step takes the gradient of each likelihood and no second derivatives, and two
or three are enough; those likelihoods that are not at their minimum then are fitted one by one.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.deviance import poisson_deviance, slope_and_inverse
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.gradient import by_parameters
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.minima import CONVERGED
from hepcuts.histfactory.solver.rates import Expectation, Lanes, spread

from .batch import Batch
from .changes import Change, changed
from .likelihood import HistFactory
from .minimization import numbers_of
from .searches import free_parameters, nominal_parameters, search


@dataclasses.dataclass(frozen=True)
class ChordSteps:
    """How far likelihoods go without second derivatives of their own.

    Attributes:
        most: steps; on published likelihoods nine in ten lanes need two, and what needs more than these is fitted
            sooner.
        edm: expected distance to the minimum, relative to q0, at which one is reached; a tenth of a per mille of a
            price of one percent of Z.
    """

    most: int = 6
    edm: float = 1e-6


DEFAULT_STEPS = ChordSteps()
_ROUNDING = 1e-12
"""A distance to the minimum that is none."""
_NUMBERS = 500_000
"""Cells of a chunk of lanes: their tables fit a processor's cache, as those of `hepcuts.histfactory.searches`."""


class Nearby:
    """Likelihoods around one, each on its own prefit Asimov data.

    Args:
        likelihood: that was fitted.
        parameters: of its background-only fit to its prefit Asimov data, shape (parameter,).
        covariance: of that fit, shape (parameter, parameter).
        steps: how far to go without fits.
    """

    def __init__(
        self,
        likelihood: HistFactory,
        parameters: FloatArray,
        covariance: FloatArray,
        *,
        steps: ChordSteps = DEFAULT_STEPS,
    ) -> None:
        structure = likelihood.structure
        self._likelihood, self._start, self._steps = likelihood, parameters, steps
        self._numbers = numbers_of(structure, likelihood.templates)
        self._direction = np.where(parameters <= structure.lower, 1.0, np.where(parameters >= structure.upper, -1.0, 0))
        movable = free_parameters(structure, fix_poi=True) & ~self._numbers.void[:, 0]
        self._variances = np.diagonal(covariance)
        inside = movable & (self._direction == 0)
        self._free = np.flatnonzero(inside & (self._variances > 0))
        self._held = np.flatnonzero(movable & (self._direction != 0))
        self._loose = np.flatnonzero(inside & ~(self._variances > 0))
        known = self._held[self._variances[self._held] > 0]
        self._inverse = 0.5 * _conditional(covariance, self._free, known)

    def significances(self, changes: Sequence[Change]) -> FloatArray:
        """Expected Z of each change, shape (change,); NaN where a fit did not converge."""
        size = max(1, _NUMBERS // self._likelihood.templates.nominal.size)
        found = []
        with one_blas_thread(len(self._free)), np.errstate(all="ignore"):
            for first in range(0, len(changes), size):
                some = changes[first : first + size]
                values, missing = self._near(_ChangedLanes.of(self._likelihood, self._numbers, some))
                for lane in missing:
                    values[lane] = self._fitted(some[lane])
                found.append(np.sqrt(np.maximum(values, 0.0)))
        return np.concatenate([np.zeros(0), *found])

    def _near(self, lanes: "_ChangedLanes") -> tuple[FloatArray, Any]:
        """q0 of each lane, and which of them did not come to their minimum."""
        structure, free = self._likelihood.structure, self._free
        bounds = [np.asarray(side)[free, None] for side in (structure.lower, structure.upper)]
        bend = lanes.bend(self._start)[free]
        parameters = self._start[:, None]  # of all lanes, until they part
        values, left = np.full(lanes.size, np.nan), np.arange(lanes.size)
        if structure.clip_sample is not None or structure.clip_bin is not None:
            return values, left
        for _ in range(self._steps.most):
            value, gradient = lanes.take(left).expand(parameters)
            step = self._step(gradient[free], bend[:, left])
            edm = 0.5 * (gradient[free] * step).sum(axis=0)
            enough = self._steps.edm * value + _ROUNDING
            done = np.isfinite(value) & (np.abs(edm) <= enough) & (self._gain_of_others(gradient) <= enough)
            values[left[done]] = (value - edm)[done]
            left = left[~done]
            if not len(left):
                break
            parameters = np.array(spread(parameters, gradient.shape)[:, ~done])
            parameters[free] = np.clip(parameters[free] - step[:, ~done], *bounds)
        return values, left

    def _step(self, gradient: FloatArray, bend: FloatArray) -> FloatArray:
        """Newton steps backwards, with the Hessian of the fit and what is added to its diagonal, shape (free, lane)."""
        step: FloatArray = self._inverse @ gradient
        for lane in np.flatnonzero(bend.any(axis=0)):
            bent = np.flatnonzero(bend[:, lane])
            columns = self._inverse[:, bent]
            step[:, lane] -= columns @ np.linalg.solve(
                np.diag(1.0 / bend[bent, lane]) + columns[bent], step[bent, lane]
            )
        return step

    def _gain_of_others(self, gradient: FloatArray) -> FloatArray:
        """What there is to gain by parameters that stay, roughly: on bounds, or without curvature, shape (lane,)."""
        inwards = np.minimum(gradient[self._held] * self._direction[self._held, None], 0.0)
        loose = gradient[self._loose]
        slopes, widths = np.concatenate([inwards, loose]), self._variances[np.concatenate([self._held, self._loose])]
        gains = 0.25 * slopes**2 * np.where(widths > 0, widths, 1.0)[:, None]
        return np.asarray(gains.sum(axis=0))

    def _fitted(self, change: Change) -> float:
        """q0 by a fit, from where that of the likelihood ended, to the minimum there.

        Others were looked for when the likelihood was fitted; of changes this small it is the same one that is lowest.
        """
        other = changed(self._likelihood, change)
        batch = Batch.of(other.templates, None)
        found = search(other.structure, batch, self._start, fix_poi=True, elsewhere=False)
        return float(found.value[0]) if found.status[0] == CONVERGED else np.nan


def _conditional(covariance: FloatArray, free: Any, held: Any) -> FloatArray:
    """Covariance of free parameters if others are held."""
    inside = covariance[np.ix_(free, free)]
    if not len(held):
        return inside
    across = covariance[np.ix_(free, held)]
    result: FloatArray = inside - across @ np.linalg.solve(covariance[np.ix_(held, held)], across.T)
    return result


@dataclasses.dataclass(frozen=True, eq=False)
class _ChangedLanes:
    """Changed likelihoods side by side.

    Attributes:
        numbers: of the unchanged likelihood.
        init: nominal parameters, shape (parameter,).
        yields: factors of the samples, shape (sample, lane).
        counts: Asimov data, shape (bin, lane).
        sigma: widths of the Gaussian constraints, shape (normal, lane).
        factor: rate factors of the Poisson constraints, shape (poisson, lane).
    """

    numbers: Likelihood
    init: FloatArray
    yields: FloatArray
    counts: FloatArray
    sigma: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, likelihood: HistFactory, numbers: Likelihood, changes: Sequence[Change]) -> "_ChangedLanes":
        structure = likelihood.structure
        nominal = nominal_parameters(structure)
        yields = np.array([change.yields for change in changes]).T
        cells = numbers.rates(nominal[:, None]).cells.reshape(len(yields), -1, 1)
        terms = _constraint_terms(likelihood, changes)
        widths = np.array([change.widths for change in changes]).T
        return cls(
            numbers,
            nominal,
            yields,
            (cells * yields[:, None]).sum(axis=0),
            terms.sigma * widths[numbers.layout.normal.parameter],
            terms.factor / widths[numbers.layout.poisson.parameter] ** 2,
        )

    @property
    def size(self) -> int:
        """Number of lanes."""
        return int(self.yields.shape[1])

    def take(self, lanes: Any) -> "_ChangedLanes":
        """Some of them."""
        if len(lanes) == self.size:
            return self
        tables = {name: getattr(self, name)[:, lanes] for name in ("yields", "counts", "sigma", "factor")}
        return dataclasses.replace(self, **tables)

    def bend(self, at: FloatArray) -> FloatArray:
        """Second derivatives of the constraint terms less those of the unchanged ones, shape (parameter, lane)."""
        layout, before = self.numbers.layout, self.numbers
        result = np.zeros((len(at), self.size))
        result[layout.normal.parameter] = 2.0 / self.sigma**2 - 2.0 / before.sigma**2
        counts = self.init[layout.poisson.parameter, None]
        result[layout.poisson.parameter] = 2.0 * counts * (self.factor - before.factor)
        result[layout.poisson.parameter] /= at[layout.poisson.parameter, None] ** 2
        return result

    def expand(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The deviance, shape (lane,), and its gradient, shape (parameter, lane)."""
        layout = self.numbers.layout
        rates = self.numbers.rates(parameters)
        cells = rates.cells.reshape(len(self.yields), -1, parameters.shape[1])
        main = (cells * self.yields[:, None]).sum(axis=0)
        slope, _ = slope_and_inverse(self.counts, main)
        by_cell = (slope * self.yields[:, None]).reshape(-1, self.size)
        gradient = by_parameters(self.numbers, parameters, rates, by_cell)
        normal, poisson = layout.normal.parameter, layout.poisson.parameter
        pulls = (parameters[normal] - self.init[normal, None]) / self.sigma
        counts, expected = self.init[poisson, None] * self.factor, parameters[poisson] * self.factor
        gradient[normal] += 2.0 * pulls / self.sigma
        gradient[poisson] += slope_and_inverse(counts, expected)[0] * self.factor
        value = poisson_deviance(self.counts, main).sum(axis=0) + (pulls**2).sum(axis=0)
        return value + poisson_deviance(counts, expected).sum(axis=0), gradient


def _constraint_terms(likelihood: HistFactory, changes: Sequence[Change]) -> Expectation:
    """What follows the simulation of each change: widths and rate factors, without any variation or parameter."""
    structure, templates = likelihood.structure, likelihood.templates
    cells = structure.histosys_mask.shape[1:]
    index = np.zeros(0, dtype=np.int32)
    bare = dataclasses.replace(
        structure,
        factor=np.full((1, *cells), len(structure.init), dtype=np.int32),
        histosys=index,
        histosys_mask=np.zeros((0, *cells), dtype=bool),
        normsys=index,
        normsys_mask=np.zeros((0, *structure.normsys_mask.shape[1:]), dtype=bool),
    )
    yields, simulated = (np.array([getattr(c, name) for c in changes]).T[:, None] for name in ("yields", "simulated"))
    relative = yields / np.sqrt(simulated)
    nothing = np.zeros((0, *cells, 1))
    empty = np.zeros((0, *structure.normsys_mask.shape[1:], 1))
    lanes = Lanes(
        np.asarray(templates.nominal)[..., None] * yields,
        nothing,
        nothing,
        empty,
        empty,
        np.asarray(templates.staterror)[..., None] * relative,
        np.asarray(templates.shapesys)[..., None] * relative,
    )
    return Expectation(layout_of(bare, free_parameters(bare, fix_poi=True)), bare, lanes)
