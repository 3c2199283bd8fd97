"""Profiles of the likelihood along the parameter of interest: fits at one value after the other.

A fit at mu begins where those before it lead: from the last one along the line through the last two, or along the
tangent of the first, which comes from its second derivatives. So it takes a few steps, also where the nuisance
parameters have been pulled far from their nominal values.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.linear import solve_scaled
from hepcuts.histfactory.solver.minima import CONVERGED, SAME_MINIMUM, Minima

from .batch import Batch
from .interest import required_poi
from .minimization import slope_of_poi
from .searches import free_parameters, likelihoods, nominal_parameters, search
from .structure import LikelihoodStructure

_SAME = 1e-9
"""Relative distance of two values of mu that is too small for a direction."""


class Profiles:
    """Fits of the nuisance parameters along the parameter of interest, for a batch of likelihoods.

    Args:
        structure: of NumPy arrays.
        batch: templates and data.
        parameters: of a minimum of each lane over all parameters, or at its parameter of interest: (parameter, lane).
        also_from: where exact fits begin once more, with their own parameter of interest, shape (parameter,).

    Attributes:
        parameters: of the last fit of each lane, shape (parameter, lane).
        uncertainty: of the parameter of interest, from the second derivatives at the minimum that was given; NaN where
            they are not positive, shape (lane,).
    """

    def __init__(
        self, structure: LikelihoodStructure, batch: Batch, parameters: FloatArray, *, also_from: Any = None
    ) -> None:
        self._structure, self._batch, self._poi = structure, batch, required_poi(structure)
        self.parameters, self._also_from = np.array(parameters, dtype=np.float64), also_from
        self.uncertainty, self._tangent = _tangent(structure, batch, self.parameters)

    def deviance(
        self, lanes: NDArray[np.int64], mu: FloatArray, exact: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """The profile and its slope (by the envelope theorem), and where the fits converged, each of shape (lane,).

        Args:
            lanes: which of the batch.
            mu: value of the parameter of interest of each of them.
            exact: where other minima are looked for, too, as by `hepcuts.histfactory.searches.search`.
        """
        structure, part = self._structure, self._batch.take(lanes)
        value, found = np.zeros(len(lanes)), self.along(lanes, mu)
        good = np.zeros(len(lanes), dtype=bool)
        for elsewhere in (False, True):
            some = np.flatnonzero(exact == elsewhere)
            if len(some):
                minima = self._fitted(part.take(some), found[:, some], lanes[some], elsewhere=elsewhere)
                value[some], found[:, some], good[some] = minima.value, minima.parameters, minima.status == CONVERGED
        self._go_to(lanes[good], found[:, good])
        return value, slope_of_poi(structure, part, found), good

    def _fitted(self, part: Batch, start: FloatArray, lanes: NDArray[np.int64], *, elsewhere: bool) -> Minima:
        """The lowest minima at the signal strengths of `start`."""
        structure = self._structure
        found = search(structure, part, start, fix_poi=True, retries=0, elsewhere=elsewhere)
        failed = np.flatnonzero(found.status != CONVERGED)
        if len(failed):
            last = self.parameters[:, lanes[failed]]
            last[self._poi] = start[self._poi, failed]
            found.replace(failed, search(structure, part.take(failed), last, fix_poi=True, elsewhere=elsewhere))
        if elsewhere and self._also_from is not None:
            other = np.repeat(self._also_from[:, None], part.lanes, axis=1)
            other[self._poi] = start[self._poi]
            again = search(structure, part, other, fix_poi=True, retries=0, elsewhere=False)
            lower = (again.status == CONVERGED) & ~(again.value > found.value - SAME_MINIMUM * (1.0 + again.value))
            found.replace(lower, again.take(lower))
        return found

    def along(self, lanes: NDArray[np.int64], mu: FloatArray) -> FloatArray:
        """Where fits at `mu` are expected to end, shape (parameter, lane)."""
        before = self.parameters[:, lanes]
        lower, upper = (np.asarray(side)[:, None] for side in (self._structure.lower, self._structure.upper))
        result = before + self._tangent[:, lanes] * (mu - before[self._poi])
        result = np.where(self._tangent[:, lanes] == 0, before, np.clip(result, lower, upper))
        result[self._poi] = mu
        return result

    def _go_to(self, lanes: NDArray[np.int64], found: FloatArray) -> None:
        moved = found - self.parameters[:, lanes]
        distance = moved[self._poi]
        far = np.abs(distance) > _SAME * np.abs(found[self._poi])
        self._tangent[:, lanes[far]] = moved[:, far] / distance[far]
        self.parameters[:, lanes] = found


def _tangent(structure: LikelihoodStructure, batch: Batch, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Uncertainty of the parameter of interest, (lane,), and how the others follow it, (parameter, lane)."""
    layout = layout_of(structure, free_parameters(structure, fix_poi=False))
    nominal, free = nominal_parameters(structure, batch.asimov_mu), layout.free
    is_poi = (free == structure.poi)[:, None]
    lower, upper = (np.asarray(side)[free][:, None] for side in (structure.lower, structure.upper))
    uncertainty, tangent = np.full(batch.lanes, np.nan), np.zeros(parameters.shape)
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        for lanes, likelihood in likelihoods(structure, layout, batch, nominal):
            here = parameters[:, lanes]
            expansion: Any = likelihood.expand(here)
            inside = is_poi | ((here[free] > lower) & (here[free] < upper))
            moving = inside & ~likelihood.void[free] & (expansion.information_diagonal() > 0)
            root = 1.0 / np.sqrt(np.where(moving, expansion.information_diagonal(), 1.0))
            # Half of the Hessian of -2 ln L is the observed information.
            sides = 2.0 * is_poi * np.where(moving, root, 0.0)
            column, positive = solve_scaled(expansion.curvature(slice(None)), root, moving, 1.0 * ~moving, sides)
            column = column * root
            variance = (column * is_poi).sum(axis=0)
            good = positive & np.isfinite(column).all(axis=0) & (variance > 0)
            uncertainty[lanes] = np.sqrt(np.where(good, variance, np.nan))
            tangent[free, lanes] = np.where(good, column / np.where(good, variance, 1.0), 0.0)
    return uncertainty, tangent
