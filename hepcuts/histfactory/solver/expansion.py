"""The deviance with its gradient and Hessian, in NumPy, for many template sets side by side.

The likelihood of `hepcuts.histfactory.density` once more, for the one purpose of minimizing it: derivatives with
respect to the parameters are written out, arrays carry the lanes of a batch on their last axis (or a lane axis of
length one where all lanes share the numbers), and nothing is compiled. With r the yield of a cell, u = d ln f / d theta
of its factors and t = d shift / d theta of its additive part, the second derivatives of r are r u u' (two factors),
m t u (a shift and a factor; m is the product of the factors) and zero (two shifts), and of each with itself r f''/f or
m times the second derivative of the shift.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory.interpolation import Pair
from hepcuts.histfactory.structure import LikelihoodStructure

from .curvature import AbstractExpansion, Here
from .deviance import poisson_deviance, slope_and_inverse
from .layout import CellIndex
from .pairs import Pairs
from .rates import TINY, Expectation, Lanes, projected, spread, tiled
from .sparse import sparse_expansion

Values = NDArray[np.float64]


@dataclasses.dataclass
class Expansion(AbstractExpansion):
    """The deviance of each lane at a point, to second order, with all elements of its second derivatives.

    Attributes:
        hessian: shape (free, free, lane).
        slopes: derivative of the expected events of each bin, shape (free, bin, lane).
    """

    hessian: Values
    slopes: Values

    def curvature(self, lanes: Any) -> Values:
        """The Hessian matrices of some lanes, shape (free, free, lane)."""
        return self.hessian[:, :, lanes]

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


def _gram(left: Values, right: Values) -> Values:
    """Sum over rows of left times right: (column, row, lane) each -> (column, column, lane)."""
    if left.shape[-1] == 1:
        return (left[:, :, 0] @ right[:, :, 0].T)[:, :, None]
    if len(left) <= 4:
        small: Values = np.einsum("pbl,qbl->pql", left, right)
        return small
    a, b = np.ascontiguousarray(left.transpose(2, 0, 1)), np.ascontiguousarray(right.transpose(2, 1, 0))
    return np.ascontiguousarray((a @ b).transpose(1, 2, 0))


class Likelihood(Expectation):
    """The deviance of a batch of template sets, ready to be expanded.

    Args:
        layout: index lists.
        structure: of NumPy arrays.
        templates: template sets side by side.
        data: main and auxiliary data, shape (data, lane); None for the expectation at `nominal`.
        nominal: parameters that make the Asimov dataset, shape (parameter,).
    """

    def __init__(
        self, layout: CellIndex, structure: LikelihoodStructure, templates: Lanes, data: Values | None, nominal: Values
    ) -> None:
        super().__init__(layout, structure, templates)
        if data is None:
            data = self.expected_data(nominal[:, None])
        self.data = data
        self.counts = data[: layout.bins]
        auxiliary = data[layout.bins :]
        self.normal_data = auxiliary[layout.normal.data]
        self.poisson_data = auxiliary[layout.poisson.data]

    def expand(self, parameters: Values, *, relief: Values | None = None) -> Any:
        """Expand the deviance at parameters of shape (parameter, lane).

        It is infinite where a rate is negative. With a `relief`, shape (bin, 1), bins without data go on linearly
        there, and each is lessened by its relief times its rate.

        Returns:
            An `Expansion`, or a `SparseExpansion` if the layout has a partition.
        """
        layout = self.layout
        lanes = parameters.shape[1]
        main, rates, product, clipped, shifts, scales = self.rates(parameters)
        rates, product = spread(rates, (len(rates), lanes)), spread(product, (len(rates), lanes))
        if clipped.any():
            keep = ~clipped
            rates, product = rates * keep, product * keep
        counts = self.counts
        slope, inverse = slope_and_inverse(counts, main)
        per_bin = poisson_deviance(counts, main)
        if relief is not None:
            slope = np.where(counts == 0, 2.0 - relief, slope)
            per_bin = np.where(counts == 0, (2.0 - relief) * main, per_bin)
        value = per_bin.sum(axis=0) + np.zeros(lanes)
        bend = 2.0 * counts * inverse * inverse  # in this order: no zero times infinity
        here = Here(parameters, value, slope, bend, tiled(slope, layout.samples), rates, product, shifts, scales)
        weights = spread(2.0 * inverse, (layout.bins, lanes))
        return self._dense(here, weights) if layout.partition is None else sparse_expansion(self, here, weights)

    def _dense(self, here: Here, weights: Values) -> Expansion:
        layout = self.layout
        shape = len(layout.free), len(here.value)
        pairs = layout.pairs
        hessian, slopes, diagonal = self._by_columns(here) if pairs is None else self._by_pairs(here, pairs)
        if here.scales is not None and len(layout.scalings.source):
            cell, source = layout.scalings.cell, layout.scalings.source
            bends = here.rates[cell] * here.cell_slope[cell] * here.scales.curvature[source]
            diagonal += layout.scalings.of_free.sum(bends)
        gradient = np.einsum("pbl,bl->pl", slopes, spread(here.slope, (layout.bins, shape[1])))
        prior = np.zeros(shape)
        value = here.value + self.add_constraints(here.parameters, gradient, diagonal, prior)
        every = np.arange(len(layout.free))
        hessian[every, every] += diagonal
        return Expansion(value, gradient, weights, prior, hessian, slopes)

    def _by_pairs(self, here: Here, pairs: Pairs) -> tuple[Values, Values, Values]:
        """Hessian and slopes of the bins, and what is to be added to the diagonal, where few parameters meet.

        Without constraints, and without the second derivatives of single factors.
        """
        layout, lanes = self.layout, len(here.value)
        factors = [] if here.scales is None else [here.scales.slope]
        moved = np.where(here.parameters == 0, TINY, here.parameters)
        logs = spread(np.concatenate([*factors, 1.0 / moved])[pairs.source], (len(pairs.cell), lanes))
        entries = logs * here.rates[pairs.cell]
        slopes = pairs.of_slope.sum(entries).reshape(len(layout.free), layout.bins, lanes)
        diagonal = np.zeros((len(layout.free), lanes))
        left = [entries * here.cell_slope[pairs.cell]]
        if here.shifts is not None and len(layout.shifts.to):
            slope = self._shifted(here, slopes, diagonal)
            left.append((slope * here.cell_slope).reshape(-1, lanes))
        bent = slopes * here.bend
        left.append(bent.reshape(-1, lanes))
        right = np.concatenate([logs, slopes.reshape(-1, lanes)])
        above = pairs.of_element.sum(np.concatenate(left)[pairs.left] * right[pairs.right])
        above = above.reshape(len(slopes), len(slopes), lanes)
        diagonal += np.einsum("pbl,pbl->pl", bent, slopes)
        return above + above.transpose(1, 0, 2), slopes, diagonal

    def _by_columns(self, here: Here) -> tuple[Values, Values, Values]:
        """As `_by_pairs`, by products of whole matrices."""
        layout, rates, lanes = self.layout, here.rates, len(here.value)
        free = len(layout.free)
        hessian, slopes = np.zeros((free, free, lanes)), np.zeros((free, layout.bins, lanes))
        diagonal = np.zeros((free, lanes))
        logs = self._by_factor(here.parameters, here.scales, lanes)
        if len(layout.to):
            by_factor = logs * rates
            self._add_factors(hessian, slopes, logs, by_factor, by_factor * here.cell_slope)
        if here.shifts is not None and len(layout.shifts.to):
            slope = self._shifted(here, slopes, diagonal)
            self._add_pairs(hessian, _gram(slope * here.cell_slope, logs))
        hessian += _gram(slopes * here.bend, slopes)
        return hessian, slopes, diagonal

    def _by_factor(self, parameters: Values, scales: Any, lanes: int) -> Values:
        """Derivative of the logarithm of each cell with respect to each multiplicative column."""
        layout = self.layout
        logs = np.zeros((len(layout.to), len(self.nominal), lanes))
        if scales is not None and len(layout.scalings.source):
            logs[layout.scalings.column, layout.scalings.cell] = scales.slope[layout.scalings.source]
        if len(layout.multipliers.source):
            moved = parameters[layout.multipliers.source]
            logs[layout.multipliers.column, layout.multipliers.cell] = 1.0 / np.where(moved == 0, TINY, moved)
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
        else:
            slopes[layout.to] += bins
            hessian[layout.to[:, None], layout.to[None, :]] += pairs

    def _shifted(self, here: Here, slopes: Values, diagonal: Values) -> Values:
        """Derivative of each cell with respect to each additive variation; added to those of the bins."""
        table = self.layout.shifts
        up, down = self.up[table.free], self.down[table.free]
        _, first, second = (Pair(side.up[table.free], side.down[table.free]) for side in here.shifts)
        slope: Values = here.product * (first.up[:, None] * up + first.down[:, None] * down)
        slopes[table.to] += slope.reshape(len(table.to), self.layout.samples, self.layout.bins, -1).sum(axis=1)
        weight = here.product * here.cell_slope
        diagonal[table.to] += second.up * projected(up, weight) + second.down * projected(down, weight)
        return slope

    def _add_pairs(self, hessian: Values, pairs: Values) -> None:
        """Second derivatives by an additive variation and a multiplicative column."""
        layout = self.layout
        rows, columns = np.broadcast_arrays(layout.shifts.to[:, None], layout.to[None, :])
        if layout.repeats:
            np.add.at(hessian, (rows, columns), pairs)
            np.add.at(hessian, (columns, rows), pairs)
        else:
            hessian[rows, columns] += pairs
            hessian[columns, rows] += pairs

    def add_constraints(self, parameters: Values, gradient: Values, diagonal: Values, prior: Values) -> Values:
        """Add the constraint terms' derivatives; return their part of the deviance."""
        layout = self.layout
        pulls = (self.normal_data - parameters[layout.normal.parameter]) / self.sigma
        value: Values = (pulls**2).sum(axis=0)
        moves, rank = layout.normal.moved, layout.normal.to
        curvature = spread(2.0 / self.sigma**2, pulls.shape)[moves]
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
