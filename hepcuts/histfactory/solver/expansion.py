"""The deviance with its gradient and Hessian, in NumPy, for many template sets side by side.

The likelihood of `hepcuts.histfactory.density` once more, for the one purpose of minimizing it: derivatives with
respect to the parameters are written out, arrays carry the lanes of a batch on their last axis (or a lane axis of
length one where all lanes share the numbers), and nothing is compiled. With r the yield of a cell, u = d ln f / d theta
of its factors and t = d shift / d theta of its additive part, the second derivatives of r are r u u' (two factors),
m t u (a shift and a factor; m is the product of the factors) and zero (two shifts), and of each with itself r f''/f or
m times the second derivative of the shift.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory.structure import Structure

from .interpolation import ADDITIVE, Multiplicative
from .layout import Layout

Values = NDArray[np.float64]

_TINY = 1e-120
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


@dataclasses.dataclass
class Expansion:
    """The deviance of each lane at a point, to second order.

    Attributes:
        value: shape (lane,).
        gradient: with respect to the free parameters, shape (free, lane).
        hessian: shape (free, free, lane).
        slopes: derivative of the expected events of each bin, shape (free, bin, lane).
        weights: expected curvature of each bin, 2 / rate, shape (bin, lane).
        prior: expected curvature of the constraint terms, shape (free, lane).
    """

    value: Values
    gradient: Values
    hessian: Values
    slopes: Values
    weights: Values
    prior: Values

    def information(self, lanes: Any = slice(None)) -> Values:
        """Twice the Fisher information, which is never negative, shape (free, free, lane)."""
        slopes = self.slopes[:, :, lanes]
        result = _gram(slopes * self.weights[:, lanes], slopes)
        diagonal = np.arange(len(result))
        result[diagonal, diagonal] += self.prior[:, lanes]
        return result

    def information_diagonal(self) -> Values:
        """Its diagonal alone, shape (free, lane)."""
        result: Values = np.einsum("pbl,pbl,bl->pl", self.slopes, self.slopes, self.weights) + self.prior
        return result

    def take(self, lanes: NDArray[np.bool_]) -> "Expansion":
        """The same of some lanes."""
        return Expansion(*(getattr(self, field.name)[..., lanes] for field in dataclasses.fields(self)))

    def replace(self, lanes: NDArray[np.bool_], other: "Expansion") -> "Expansion":
        """With the numbers of `other` in some lanes."""
        if lanes.all():
            return other
        if not lanes.any():
            return self
        names = [field.name for field in dataclasses.fields(self)]
        return Expansion(*(np.where(lanes, getattr(other, name), getattr(self, name)) for name in names))


def _gram(left: Values, right: Values) -> Values:
    """Sum over rows of left times right: (column, row, lane) each -> (column, column, lane)."""
    if left.shape[-1] == 1:
        return (left[:, :, 0] @ right[:, :, 0].T)[:, :, None]
    if len(left) <= 4:
        small: Values = np.einsum("pbl,qbl->pql", left, right)
        return small
    a, b = np.ascontiguousarray(left.transpose(2, 0, 1)), np.ascontiguousarray(right.transpose(2, 1, 0))
    return np.ascontiguousarray((a @ b).transpose(1, 2, 0))


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


class Likelihood:
    """The deviance of a batch of template sets, ready to be expanded.

    Args:
        layout: index lists.
        structure: of NumPy arrays.
        templates: template sets side by side.
        data: main and auxiliary data, shape (data, lane); None for the expectation at `nominal`.
        nominal: parameters that make the Asimov dataset, shape (parameter,).
    """

    def __init__(
        self, layout: Layout, structure: Structure, templates: Lanes, data: Values | None, nominal: Values
    ) -> None:
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
        of_entry = self.nominal[layout.shifts.cell]
        self.up = flat["histosys_up"][layout.shifts.table] - of_entry
        self.down = of_entry - flat["histosys_down"][layout.shifts.table]
        entries = layout.scalings.table
        self.scale = Multiplicative(structure.normsys_code, flat["normsys_down"][entries], flat["normsys_up"][entries])
        self.kinks = layout.kinks(structure.histosys_code == "code0", structure.normsys_code == "code1")
        """Free parameters with a kink at zero, shape (free,)."""
        self._constrain(flat["staterror"], flat["shapesys"])
        if data is None:
            data = self.expected_data(nominal[:, None])
        self.data = data
        self.counts = data[: layout.bins]
        auxiliary = data[layout.bins :]
        self.normal_data = auxiliary[layout.normal.data]
        self.poisson_data = auxiliary[layout.poisson.data]

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

    def take(self, lanes: NDArray[np.bool_]) -> "Likelihood":
        """The same of some lanes."""
        other = object.__new__(Likelihood)
        for name, value in vars(self).items():
            batched = isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] > 1
            if isinstance(value, Multiplicative):
                setattr(other, name, value.take(lanes))
            else:
                setattr(other, name, value[:, lanes] if batched else value)
        return other

    def expected_data(self, parameters: Values) -> Values:
        """Expected main and auxiliary data at parameters of shape (parameter, lane): (data, lane)."""
        layout = self.layout
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
        if len(layout.shifts.table):
            shifts = self.additive(parameters[layout.shifts.parameter])
            variation = layout.shifts.variation
            entries = shifts[0].up[variation] * self.up + shifts[0].down[variation] * self.down
            additive = additive + layout.shifts.of_cell.sum(entries)
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
                extended[zeros] = _TINY
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
            clipped = clipped | _tiled(low, layout.samples)
        return Rates(main, rates, _spread(product, rates.shape), clipped, shifts, scales)

    def expand(self, parameters: Values) -> Expansion:
        """Expand the deviance at parameters of shape (parameter, lane)."""
        layout = self.layout
        lanes = parameters.shape[1]
        main, rates, product, clipped, shifts, scales = self.rates(parameters)
        rates, product = _spread(rates, (len(rates), lanes)), _spread(product, (len(rates), lanes))
        if clipped.any():
            keep = ~clipped
            rates, product = rates * keep, product * keep
        counts = self.counts
        slope, inverse = slope_and_inverse(counts, main)
        value = poisson_deviance(counts, main).sum(axis=0) + np.zeros(lanes)

        free = len(layout.free)
        hessian = np.zeros((free, free, lanes))
        slopes = np.zeros((free, layout.bins, lanes))
        cell_slope = _tiled(slope, layout.samples)
        logs = self._by_factor(parameters, scales, lanes)
        by_factor = logs * rates
        weighted = by_factor * cell_slope
        diagonal = np.zeros((free, lanes))
        if len(layout.to):
            self._add_factors(hessian, slopes, logs, by_factor, weighted)
            if scales is not None and len(layout.scalings.source):
                bends = rates[layout.scalings.cell] * cell_slope[layout.scalings.cell]
                bends = bends * scales.curvature[layout.scalings.source]
                diagonal += layout.scalings.of_free.sum(bends)
        if shifts is not None and len(layout.shifts.to):
            self._add_shifts(hessian, slopes, diagonal, logs, (product, cell_slope), shifts)
        gradient = np.einsum("pbl,bl->pl", slopes, _spread(slope, (layout.bins, lanes)))
        hessian += _gram(slopes * (2.0 * counts * inverse**2), slopes)
        prior = np.zeros((free, lanes))
        value = value + self._add_constraints(parameters, gradient, diagonal, prior)
        every = np.arange(free)
        hessian[every, every] += diagonal
        return Expansion(value, gradient, hessian, slopes, _spread(2.0 * inverse, (layout.bins, lanes)), prior)

    def _by_factor(self, parameters: Values, scales: Any, lanes: int) -> Values:
        """Derivative of the logarithm of each cell with respect to each multiplicative column."""
        layout = self.layout
        logs = np.zeros((len(layout.to), len(self.nominal), lanes))
        if scales is not None and len(layout.scalings.source):
            logs[layout.scalings.column, layout.scalings.cell] = scales.slope[layout.scalings.source]
        if len(layout.multipliers.source):
            moved = parameters[layout.multipliers.source]
            logs[layout.multipliers.column, layout.multipliers.cell] = 1.0 / np.where(moved == 0, _TINY, moved)
        return logs

    def _add_factors(self, hessian: Values, slopes: Values, logs: Values, by_factor: Values, weighted: Values) -> None:
        layout = self.layout
        bins = by_factor.reshape(len(layout.to), layout.samples, layout.bins, -1).sum(axis=1)
        pairs = _gram(weighted, logs)
        columns = np.arange(len(layout.to))
        pairs[columns, columns] = 0.0
        if layout.repeats:
            np.add.at(slopes, layout.to, bins)
            np.add.at(hessian, (layout.to[:, None], layout.to[None, :]), pairs)
        elif len(layout.to) == len(layout.free) and np.array_equal(layout.to, np.arange(len(layout.to))):
            slopes += bins
            hessian += pairs
        else:
            slopes[layout.to] += bins
            hessian[layout.to[:, None], layout.to[None, :]] += pairs

    def _add_shifts(  # noqa: PLR0917
        self,
        hessian: Values,
        slopes: Values,
        diagonal: Values,
        logs: Values,
        cells: tuple[Values, Values],
        shifts: Any,
    ) -> None:
        layout, table = self.layout, self.layout.shifts
        product, cell_slope = cells
        entry, cell = table.free_entry, table.cell[table.free_entry]
        variation = table.variation[entry]
        up, down = self.up[entry], self.down[entry]
        _, first, second = shifts
        here = product[cell]
        slope = np.zeros((len(table.to), len(self.nominal), here.shape[1]))
        slope[table.column, cell] = here * (first.up[variation] * up + first.down[variation] * down)
        slopes[table.to] += slope.reshape(len(table.to), layout.samples, layout.bins, -1).sum(axis=1)
        bends = here * cell_slope[cell] * (second.up[variation] * up + second.down[variation] * down)
        diagonal += table.of_free.sum(bends)
        if len(layout.to):
            pairs = _gram(slope * cell_slope, logs)
            rows, columns = np.broadcast_arrays(table.to[:, None], layout.to[None, :])
            if layout.repeats:
                np.add.at(hessian, (rows, columns), pairs)
                np.add.at(hessian, (columns, rows), pairs)
            else:
                hessian[rows, columns] += pairs
                hessian[columns, rows] += pairs

    def _add_constraints(self, parameters: Values, gradient: Values, diagonal: Values, prior: Values) -> Values:
        """Add the constraint terms' derivatives; return their part of the deviance."""
        layout = self.layout
        pulls = (self.normal_data - parameters[layout.normal.parameter]) / self.sigma
        value: Values = (pulls**2).sum(axis=0)
        moves, rank = layout.normal.moved, layout.normal.to
        curvature = _spread(2.0 / self.sigma**2, pulls.shape)[moves]
        gradient[rank] += (-2.0 * pulls / self.sigma)[moves]
        diagonal[rank] += curvature
        prior[rank] += curvature

        if len(self.factor):
            expected = parameters[layout.poisson.parameter] * self.factor
            counts = self.poisson_data
            value = value + poisson_deviance(counts, expected).sum(axis=0)
            slope, inverse = slope_and_inverse(counts, expected)
            moves, rank = layout.poisson.moved, layout.poisson.to
            gradient[rank] += (slope * self.factor)[moves]
            diagonal[rank] += (2.0 * counts * (inverse * self.factor) ** 2)[moves]
            prior[rank] += (2.0 * self.factor**2 * inverse)[moves]
        return value


def _spread(values: Values, shape: tuple[int, ...]) -> Values:
    """`numpy.broadcast_to`, which is slow for what it does, only where it is needed."""
    return values if values.shape == shape else np.broadcast_to(values, shape)


def _tiled(values: Any, times: int) -> Any:
    """Bins repeated for each sample: (bin, lane) -> (cell, lane)."""
    return np.concatenate([values] * times)


def _rows(table: Values) -> Values:
    """A table of shape (..., lane) with its other axes joined."""
    return table.reshape(int(np.prod(table.shape[:-1])), table.shape[-1])


def slope_and_inverse(counts: Values, rates: Values) -> tuple[Values, Values]:
    """Derivative of the Poisson deviance with respect to the rate, and 1 / rate (zero where that is not positive)."""
    positive = rates > 0
    inverse = np.where(positive, 1.0 / np.where(positive, rates, 1.0), 0.0)
    return np.where(positive & (counts > 0), 2.0 * (rates - counts) * inverse, 2.0), inverse


def poisson_deviance(counts: Values, rates: Values) -> Values:
    """-2 ln [Pois(n | rate) / Pois(n | n)], without cancellation, as `hepcuts.histfactory.density.poisson_deviance`."""
    some = (counts > 0) & (rates > 0)
    if some.all():
        return 2.0 * counts * _excess(counts, rates)
    n, rate = np.where(some, counts, 1.0), np.where(some, rates, 1.0)
    possible = (rates >= 0) & (counts == 0)
    rest = np.where(possible, 2.0 * rates, np.inf)
    return np.where(some, 2.0 * n * _excess(n, rate), rest)


def _excess(counts: Values, rates: Values) -> Values:
    """X - ln(1 + x) with 1 + x = rate / count.

    For small x by the series of 2 artanh(r), r = x / (2 + x), whose first terms cancel exactly.
    """
    x = (rates - counts) / counts
    with np.errstate(divide="ignore"):
        # Where the rate is much below the count, x is -1 to the last digit and ln(1 + x) has none left.
        result = x - np.where(np.abs(x) < 0.5, np.log1p(x), np.log(rates / counts))
    small = np.abs(x) < 0.05
    if small.any():
        y = np.where(small, x, 0.0)
        r = y / (2.0 + y)
        q = r * r
        series = q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11)))))
        result = np.where(small, r * (y - 2.0 * series), result)
    return result
