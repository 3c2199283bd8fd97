"""Expected events and constraint terms, in NumPy, for many template sets side by side.

Arrays carry the lanes of a batch on their last axis, or a lane axis of length one where all lanes share the numbers.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.blas import one_blas_thread
from hepcuts.histfactory.interpolation import ADDITIVE, Multiplicative
from hepcuts.histfactory.structure import LikelihoodStructure

from .layout import CellIndex

Values = NDArray[np.float64]

TINY = 1e-120
"""Stands in for a factor of exactly zero where derivatives need the product of the others."""


class Lanes(NamedTuple):
    """`LikelihoodTemplates` of a batch: the same tables with the lanes on one more, last axis.

    An axis of length one stands for numbers that all lanes share.
    """

    nominal: Values
    histosys_up: Values
    histosys_down: Values
    normsys_up: Values
    normsys_down: Values
    staterror: Values
    shapesys: Values

    def take(self, lanes: Any) -> "Lanes":
        """Some of the lanes."""
        return Lanes(*(table if table.shape[-1] == 1 else table[..., lanes] for table in self))


class Rates(NamedTuple):
    """Expected events, and what their derivatives are made of.

    Attributes:
        main: of each bin, shape (bin, lane).
        cells: of each cell before clipping, factors of zero taken as tiny, shape (cell, lane).
        product: product of the factors of each cell, shape (cell, lane).
        clipped: cells that pyhf's clipping holds, shape (cell, lane) or (1, 1).
        shifts: coefficients of the additive variations with their derivatives, or None.
        scales: factors of the multiplicative variations with their derivatives, or None.
    """

    main: Values
    cells: Values
    product: Values
    clipped: NDArray[np.bool_]
    shifts: Any
    scales: Any


class Expectation:
    """What a batch of template sets predicts.

    Args:
        layout: index lists.
        structure: of NumPy arrays.
        templates: template sets side by side.
    """

    def __init__(self, layout: CellIndex, structure: LikelihoodStructure, templates: Lanes) -> None:
        self.layout = layout
        self._auxiliary = len(structure.auxdata)
        self._clip_sample, self._clip_bin = structure.clip_sample, structure.clip_bin
        self.additive = ADDITIVE[structure.histosys_code]
        self._given_sigma = np.asarray(structure.normal_sigma, dtype=np.float64)[:, None]
        self._given_factor = np.asarray(structure.poisson_factor, dtype=np.float64)[:, None]
        cells = layout.samples * layout.bins
        self.table_rows = tuple(int(np.prod(table.shape[:-1])) for table in templates)
        flat = {name: _rows(table) for name, table in templates._asdict().items()}
        self.nominal = flat["nominal"].reshape(cells, -1)
        self.up, self.down = self._shifts(flat["histosys_up"]), -self._shifts(flat["histosys_down"])
        entries = layout.scalings.table
        self.scale = Multiplicative(structure.normsys_code, flat["normsys_down"][entries], flat["normsys_up"][entries])
        self.kinks = layout.kinks(structure.histosys_code == "code0", structure.normsys_code == "code1")
        """Free parameters with a kink at zero, shape (free,)."""
        self._constrain(flat["staterror"], flat["shapesys"])

    def _shifts(self, varied: Values) -> Values:
        """Differences of varied yields and nominal ones, shape (variation, cell, lane)."""
        touches = self.layout.shifts.touches
        found = np.where(touches, varied.reshape(*touches.shape[:2], varied.shape[-1]) - self.nominal, 0.0)
        # Cell by cell in memory where a sparse expansion multiplies them so.
        return found if self.layout.partition is None else np.ascontiguousarray(found.T).T

    def _constrain(self, staterror: Values, shapesys: Values) -> None:
        """Widths, rate factors and void parameters, as `hepcuts.histfactory.density.constraints`."""
        layout = self.layout
        cells = len(self.nominal)
        stat = layout.staterror_entry
        self.staterror = staterror[stat]
        squares = layout.staterror.sum(self.staterror**2)
        total = layout.staterror.sum(self.nominal[stat % cells])
        filled = (squares > 0) & (total > 0)
        self.staterror_total = np.where(filled, total, np.inf)
        width = np.sqrt(np.where(filled, squares, 1.0)) / np.where(filled, total, 1.0)
        follows = layout.has_staterror[:, None]
        self.sigma = np.where(follows, width, self._given_sigma)

        entry = layout.shapesys_entry
        self.shapesys = layout.shapesys.sum(shapesys[entry])
        uncertainty = self.shapesys
        rate = layout.shapesys.sum(self.nominal[entry % cells])
        usable = (uncertainty > 0) & (rate > 0)
        self.shapesys_total = np.where(usable, rate, np.inf)
        tau = (np.where(usable, rate, 1.0) / np.where(usable, uncertainty, 1.0)) ** 2
        follows_tau = layout.has_shapesys[:, None]
        self.factor = np.where(follows_tau, tau, self._given_factor)

        void = np.zeros((layout.parameters, max(filled.shape[1], usable.shape[1])), dtype=bool)
        void[layout.normal.parameter] = follows & ~filled
        void[layout.poisson.parameter] |= follows_tau & ~usable
        self.void = void
        """Parameters whose constraint has no content at these templates and which are fixed, (parameter, lane)."""

    def take(self, lanes: Any) -> Self:
        """The same of some lanes."""
        other = object.__new__(type(self))
        for name, value in vars(self).items():
            batched = isinstance(value, np.ndarray) and value.ndim > 1 and value.shape[-1] > 1
            if isinstance(value, Multiplicative):
                setattr(other, name, value.take(lanes))
            else:
                setattr(other, name, value[..., lanes] if batched else value)
        return other

    def expected_data(self, parameters: Values) -> Values:
        """Expected main and auxiliary data at parameters of shape (parameter, lane): (data, lane)."""
        layout = self.layout
        with one_blas_thread(layout.unknowns):
            main = self.rates(parameters).main
        lanes = max(main.shape[1], self.factor.shape[1], self.sigma.shape[1], parameters.shape[1])
        result = np.zeros((self.layout.bins + self._auxiliary, lanes))
        result[: self.layout.bins] = main
        auxiliary = result[self.layout.bins :]
        auxiliary[layout.normal.data] = parameters[layout.normal.parameter]
        auxiliary[layout.poisson.data] = parameters[layout.poisson.parameter] * self.factor
        return result

    def rates(self, parameters: Values) -> Rates:
        """Expected events at parameters of shape (parameter, lane)."""
        layout = self.layout
        additive = self.nominal
        shifts: Any = None
        if len(layout.shifts.parameter):
            shifts = self.additive(parameters[layout.shifts.parameter])
            additive = additive + combined(shifts[0].up, self.up) + combined(shifts[0].down, self.down)
        scales: Any = None
        product = np.ones((1, 1))
        if len(layout.scalings.table):
            scales = self.scale(parameters[layout.scalings.parameter])
            product = layout.scalings.of_block.product(scales.value)[layout.scalings.block_of_cell]
        zero = np.zeros((1, 1), dtype=bool)
        if len(layout.multipliers.parameter):
            extended = np.concatenate([parameters, np.ones((1, parameters.shape[1]))])
            zeros = extended == 0
            if zeros.any():
                zero = zeros[layout.multipliers.parameter].any(axis=0)
                extended[zeros] = TINY
            for layer in layout.multipliers.parameter:
                product = product * extended[layer]
        rates = additive * product
        clipped = np.zeros((1, 1), dtype=bool)
        exact = np.where(zero, 0.0, rates) if zero.any() else rates
        if self._clip_sample is not None:
            clipped = exact < self._clip_sample
            exact = np.maximum(exact, self._clip_sample)
        main = exact.reshape(layout.samples, layout.bins, -1).sum(axis=0)
        if self._clip_bin is not None:
            low = main < self._clip_bin
            main = np.maximum(main, self._clip_bin)
            clipped = clipped | tiled(low, layout.samples)
        return Rates(main, rates, spread(product, rates.shape), clipped, shifts, scales)


def combined(coefficients: Values, tables: Values) -> Values:
    """Sum of tables times coefficients: (variation, lane), (variation, cell, lane) -> (cell, lane)."""
    if tables.shape[-1] == 1:
        return tables[:, :, 0].T @ coefficients
    result: Values = np.einsum("vl,vcl->cl", spread(coefficients, (len(tables), tables.shape[-1])), tables)
    return result


def projected(tables: Values, weights: Values) -> Values:
    """Sum over cells of tables times weights: (variation, cell, lane), (cell, lane) -> (variation, lane)."""
    if tables.shape[-1] == 1:
        return tables[:, :, 0] @ weights
    result: Values = np.einsum("vcl,cl->vl", tables, weights)
    return result


def spread(values: Values, shape: tuple[int, ...]) -> Values:
    """`numpy.broadcast_to`, which is slow for what it does, only where it is needed."""
    return values if values.shape == shape else np.broadcast_to(values, shape)


def tiled(values: Any, times: int) -> Any:
    """Bins repeated for each sample: (bin, lane) -> (cell, lane)."""
    return np.concatenate([values] * times)


def _rows(table: Values) -> Values:
    """A table of shape (..., lane) with its other axes joined."""
    return table.reshape(int(np.prod(table.shape[:-1])), table.shape[-1])
