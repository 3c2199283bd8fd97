"""Likelihoods that are one with changes of its yields, simulation and constraints, side by side."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.deviance import poisson_deviance, slope_and_inverse
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.gradient import by_parameters
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.rates import Expectation, Lanes

from .batch import Batch
from .changes import Change
from .likelihood import HistFactory
from .searches import free_parameters, nominal_parameters


@dataclasses.dataclass(frozen=True, eq=False)
class ChangedLanes:
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

    @property
    def size(self) -> int:
        """Number of lanes."""
        return int(self.yields.shape[1])

    def take(self, lanes: Any) -> "ChangedLanes":
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
        apart: Any = np.arange(self.size)
        same: Any = slice(None)
        if parameters.shape[1] == 1:  # at one point only lanes of other yields differ
            _, apart, same = np.unique(self.yields, axis=1, return_index=True, return_inverse=True)
        yields, counts = self.yields[:, None, apart], self.counts[:, apart]
        main = (cells * yields).sum(axis=0)
        slope, _ = slope_and_inverse(counts, main)
        by_cell = (slope * yields).reshape(-1, len(apart))
        gradient = by_parameters(self.numbers, parameters, rates, by_cell)[:, same]
        value = poisson_deviance(counts, main).sum(axis=0)[same]
        normal, poisson = layout.normal.parameter, layout.poisson.parameter
        pulls = (parameters[normal] - self.init[normal, None]) / self.sigma
        data, expected = self.init[poisson, None] * self.factor, parameters[poisson] * self.factor
        gradient[normal] += 2.0 * pulls / self.sigma
        gradient[poisson] += slope_and_inverse(data, expected)[0] * self.factor
        return value + (pulls**2).sum(axis=0) + poisson_deviance(data, expected).sum(axis=0), gradient


class Changer:
    """Makes lanes of changes.

    Args:
        likelihood: that is changed.

    Attributes:
        numbers: of it, on its prefit Asimov data, with the parameter of interest fixed.
    """

    def __init__(self, likelihood: HistFactory) -> None:
        structure = likelihood.structure
        free, batch = free_parameters(structure, fix_poi=True), Batch.of(likelihood.templates, None)
        self._templates = batch.templates
        self._nominal = nominal_parameters(structure)
        layout = layout_of(structure, free)
        with np.errstate(all="ignore"):
            self.numbers = Likelihood(layout, structure, batch.templates, None, self._nominal)
            self._cells = self.numbers.rates(self._nominal[:, None]).cells
        # Widths that follow the simulation need no variation and no parameter.
        cells, none = structure.histosys_mask.shape[1:], np.zeros(0, dtype=np.int32)
        self._bare = dataclasses.replace(
            structure,
            factor=np.full((1, *cells), len(structure.init), dtype=np.int32),
            histosys=none,
            histosys_mask=np.zeros((0, *cells), dtype=bool),
            normsys=none,
            normsys_mask=np.zeros((0, *structure.normsys_mask.shape[1:]), dtype=bool),
        )
        self._layout = layout_of(self._bare, free)

    def lanes(self, changes: Sequence[Change]) -> ChangedLanes:
        """The changed likelihoods."""
        layout = self.numbers.layout
        yields, widths = (np.array([getattr(c, name) for c in changes]).T for name in ("yields", "widths"))
        simulated = np.array([change.simulated for change in changes]).T
        terms: Expectation = self.numbers
        if np.any(yields != 1.0) or np.any(simulated != 1.0):
            terms = self._terms(yields[:, None], simulated[:, None])
        cells = self._cells.reshape(len(yields), -1, 1)
        return ChangedLanes(
            self.numbers,
            self._nominal,
            yields,
            (cells * yields[:, None]).sum(axis=0),
            terms.sigma * widths[layout.normal.parameter],
            terms.factor / widths[layout.poisson.parameter] ** 2,
        )

    def _terms(self, yields: FloatArray, simulated: FloatArray) -> Expectation:
        """Widths and rate factors of each lane that follow its simulation."""
        relative, given = yields / np.sqrt(simulated), self._templates
        nothing, empty = np.zeros((0, *given.nominal.shape[:2], 1)), np.zeros((0, *given.normsys_up.shape[1:-1], 1))
        spreads = given.staterror * relative, given.shapesys * relative
        lanes = Lanes(given.nominal * yields, nothing, nothing, empty, empty, *spreads)
        return Expectation(self._layout, self._bare, lanes)
