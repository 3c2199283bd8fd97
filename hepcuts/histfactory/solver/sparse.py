"""The expansion of a deviance whose layout has a partition: what the core does, and what single bins do.

The same derivatives as in `hepcuts.histfactory.solver.expansion`, of which most are zero. Factors of the core are the
same in all cells of a block (one channel of one sample), so that their products need sums over blocks only. A local
parameter has a row in two sparse matrices: its derivatives by bins, and by cells. Lane by lane.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .arrow import Arrow
from .curvature import AbstractExpansion, Here
from .partition import Index, Partition
from .rates import TINY, projected

Values = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Slopes:
    """Derivatives of the expected events of each bin.

    Attributes:
        core: shape (lane, bin, core).
        local: of each pair of local parameter and bin, shape (lane, pair).
    """

    core: Values
    local: Values

    def take(self, lanes: Any) -> "Slopes":
        """Those of some lanes."""
        return Slopes(self.core[lanes], self.local[lanes])

    def where(self, lanes: NDArray[np.bool_], other: "Slopes") -> "Slopes":
        """Those of `other` in some lanes, these elsewhere."""
        by_rows = lanes[:, None]
        return Slopes(np.where(by_rows[:, None], other.core, self.core), np.where(by_rows, other.local, self.local))


@dataclasses.dataclass
class SparseExpansion(AbstractExpansion):
    """The deviance of each lane at a point, to second order.

    Attributes:
        hessian: without its zeros.
        slopes: likewise.
    """

    hessian: Arrow
    slopes: Slopes

    def curvature(self, lanes: Any) -> Arrow:
        """The Hessian matrices of some lanes."""
        return self.hessian.take(lanes)

    def information(self, lanes: Any = slice(None)) -> Arrow:
        """Twice the Fisher information, which is never negative."""
        partition, slopes = self.hessian.partition, self.slopes.take(lanes)
        weights = self.weights[:, lanes].T
        parts = [_by_bins(partition, *lane) for lane in zip(slopes.core, slopes.local, weights, strict=True)]
        result = Arrow(partition, *(np.array(part) for part in zip(*parts, strict=True)))
        return result.scaled(np.ones_like(self.prior[:, lanes]), self.prior[:, lanes])

    def information_diagonal(self) -> Values:
        """Its diagonal alone, shape (free, lane)."""
        partition, slopes = self.hessian.partition, self.slopes
        result = self.prior.copy()
        result[partition.core] += np.einsum("lbp,lbp,bl->pl", slopes.core, slopes.core, self.weights)
        squares = slopes.local.T**2 * self.weights[partition.pair_bin]
        for lane in range(squares.shape[1]):
            result[partition.local, lane] += _summed(partition.pair_local, squares[:, lane], len(partition.local))
        return result


def _by_bins(partition: Partition, core: Values, local: Values, weights: Values) -> tuple[Values, Values, Values]:
    """Sum over bins of slope times weight times slope: parts of an arrow.

    Args:
        partition: the partition.
        core: slopes, shape (bin, core).
        local: slopes, shape (pair,).
        weights: shape (bin,), not negative.
    """
    rooted = core * np.sqrt(weights)[:, None]
    rows = partition.pair_local, partition.pair_bin, (len(partition.local), len(weights))
    border = _sparse(weights[partition.pair_bin] * local, *rows) @ core
    first, second, to = partition.product
    products = local[first] * local[second] * weights[partition.pair_bin[first]]
    return rooted.T @ rooted, border, _summed(to, products, len(partition.row))


def _summed(targets: Index, values: Values, size: int) -> Values:
    """Sum of the values of each target, shape (size,)."""
    # Without any, NumPy counts in integers.
    return np.zeros(size) + np.bincount(targets, values, size)


def _sparse(values: Values, rows: Index, columns: Index, shape: tuple[int, int]) -> Any:
    """A sparse matrix from its elements in the order of rows."""
    starts = np.zeros(shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=shape[0]), out=starts[1:])
    return csr_array((values, columns, starts), shape=shape)


def _add_bends(likelihood: Any, here: Here, diagonal: Values) -> None:
    """Add what comes through the second derivatives of the rates by one parameter each."""
    layout, shifts = likelihood.layout, here.shifts
    partition: Partition = layout.partition
    weight = here.cell_slope * here.product
    if shifts is not None and len(layout.shifts.to):
        table, second = layout.shifts.free, shifts[2]
        for table_of_side, bends in ((likelihood.up, second.up[table]), (likelihood.down, second.down[table])):
            if bends.any():
                diagonal[layout.shifts.to] += bends * projected(table_of_side[table], weight)
    if here.scales is not None:
        entry, block, core = partition.scaling
        of_blocks = layout.scalings.cells_of_block.sum(here.rates * here.cell_slope)
        bends = of_blocks[block] * here.scales.curvature[entry]
        np.add.at(diagonal, partition.core[core], bends)


class _Lane(NamedTuple):
    """One lane of what an expansion starts from.

    Attributes:
        slope: shape (bin,).
        bend: shape (bin,).
        cell_slope: shape (cell,).
        rates: shape (cell,).
        logs: derivative of the logarithm of each block's factors, shape (block, core).
        by_shift: derivative of each cell by the additive variations, shape (cell, shift).
        multipliers: the local parameters, zeros as tiny, shape (local,).
    """

    slope: Values
    bend: Values
    cell_slope: Values
    rates: Values
    logs: Values
    by_shift: Values
    multipliers: Values


def sparse_expansion(likelihood: Any, here: Here, weights: Values) -> SparseExpansion:
    """The expansion of a likelihood whose layout has a partition.

    Args:
        likelihood: the `hepcuts.histfactory.solver.expansion.Likelihood`.
        here: where.
        weights: expected curvature of each bin, shape (bin, lane).
    """
    layout = likelihood.layout
    partition: Partition = layout.partition
    lanes = len(here.value)
    gradient, diagonal, prior = (np.zeros((len(layout.free), lanes)) for _ in range(3))
    _add_bends(likelihood, here, diagonal)
    value = here.value + likelihood.add_constraints(here.parameters, gradient, diagonal, prior)
    parts, slopes = [], []
    for number in range(lanes):
        lane = _lane(likelihood, here, number)
        core, local = _slopes(partition, lane)
        gradient[partition.core, number] += lane.slope @ core
        by_pair = local * lane.slope[partition.pair_bin]
        gradient[partition.local, number] += _summed(partition.pair_local, by_pair, len(partition.local))
        arrow = _by_bins(partition, core, local, lane.bend)
        _add_crossed(partition, lane, arrow)
        parts.append(arrow)
        slopes.append((core, local))
    hessian = Arrow(partition, *(np.array(part) for part in zip(*parts, strict=True)))
    every = np.arange(len(partition.core))
    hessian.core[:, every, every] += diagonal[partition.core].T
    hessian.blocks[:, partition.diagonal] += diagonal[partition.local].T
    stacked = Slopes(*(np.array(part) for part in zip(*slopes, strict=True)))
    return SparseExpansion(value, gradient, weights, prior, hessian, stacked)


def _of(values: Values, lane: int) -> Values:
    """One lane of values that all lanes may share."""
    result: Values = values[..., lane if values.shape[-1] > 1 else 0]
    return result


def _lane(likelihood: Any, here: Here, number: int) -> _Lane:
    layout = likelihood.layout
    partition: Partition = layout.partition
    logs = np.zeros((layout.samples * len(partition.channel_starts), len(partition.core)))
    parameters = _of(here.parameters, number)
    parameter, block, core = partition.multiplier
    logs[block, core] = 1.0 / np.where(parameters[parameter] == 0, TINY, parameters[parameter])
    if here.scales is not None:
        entry, block, core = partition.scaling
        logs[block, core] += _of(here.scales.slope, number)[entry]
    multipliers = parameters[layout.free[partition.local]]
    by_shift = np.zeros((len(here.rates), 0))
    if here.shifts is not None and len(layout.shifts.to):
        table = layout.shifts.free
        first = here.shifts[1]
        up, down = (_of(side, number).T[:, table] for side in (likelihood.up, likelihood.down))
        by_shift = up * _of(first.up, number)[table]
        by_shift += down * _of(first.down, number)[table]
        by_shift *= here.product[:, number, None]
    return _Lane(
        _of(here.slope, number),
        _of(here.bend, number),
        _of(here.cell_slope, number),
        here.rates[:, number],
        logs,
        by_shift,
        np.where(multipliers == 0, TINY, multipliers),
    )


def _slopes(partition: Partition, lane: _Lane) -> tuple[Values, Values]:
    """Slopes of all bins by the core, shape (bin, core), and by pair of local parameter and bin, shape (pair,)."""
    bins, channels = len(lane.slope), len(partition.channel_starts)
    samples = len(lane.rates) // bins
    core = np.zeros((bins, len(partition.core)))
    rates, logs = lane.rates.reshape(samples, bins), lane.logs.reshape(samples, channels, len(partition.core))
    ends = [*partition.channel_starts[1:].tolist(), bins]
    for channel, (start, end) in enumerate(zip(partition.channel_starts.tolist(), ends, strict=True)):
        core[start:end] = rates[:, start:end].T @ logs[:, channel]
    shifts = lane.by_shift.shape[1]
    core[:, :shifts] += lane.by_shift.reshape(samples, bins, shifts).sum(axis=0)
    by_entry = lane.rates[partition.entry_cell] / lane.multipliers[partition.entry_local]
    return core, _summed(partition.pair_of_entry, by_entry, len(partition.pair_bin))


def _add_crossed(partition: Partition, lane: _Lane, arrow: tuple[Values, Values, Values]) -> None:
    """Add what comes through the second derivatives of the rates by two parameters."""
    matrix, border, blocks = arrow
    bins, shifts = len(lane.slope), lane.by_shift.shape[1]
    weighted = lane.rates * lane.cell_slope
    of_blocks = _summed(partition.block_of_cell, weighted, len(lane.logs))
    pairs = lane.logs.T @ (lane.logs * of_blocks[:, None])
    np.fill_diagonal(pairs, 0.0)
    matrix += pairs
    by_shift = lane.by_shift * lane.cell_slope[:, None]
    by_sample = by_shift.reshape(len(by_shift) // bins, bins, shifts)
    by_block = np.add.reduceat(by_sample, partition.channel_starts, axis=1).reshape(len(lane.logs), shifts)
    pairs = by_block.T @ lane.logs
    matrix[:shifts] += pairs
    matrix[:, :shifts] += pairs.T

    inverse = 1.0 / lane.multipliers[partition.entry_local]
    rows = partition.entry_local, partition.block_of_cell[partition.entry_cell], (len(border), len(lane.logs))
    border += _sparse(weighted[partition.entry_cell] * inverse, *rows) @ lane.logs
    rows = partition.entry_local, partition.entry_cell, (len(border), len(lane.rates))
    border[:, :shifts] += _sparse(inverse, *rows) @ by_shift
    first, second, to = partition.crossing
    crossed = weighted[partition.entry_cell[first]] * inverse[first] * inverse[second]
    blocks += _summed(to, crossed, len(blocks))
