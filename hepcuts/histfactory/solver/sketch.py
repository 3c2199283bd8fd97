"""A sketch of the likelihood, cheap enough to try many places where another minimum may be.

Interpolation is what makes several minima: a variation that goes to the same side at both ends, or a factor times a
shape. Beyond one standard deviation all codes are linear in alpha on either side (in the yield, or in its logarithm),
with another slope on each. The sketch keeps that, and joins the sides as code 4p does, by the odd function alpha and
the even one E(alpha). With F = (alpha, E(alpha)) the rate of a bin is

    sum over samples of (nominal + A F) exp(B F) (factors that are parameters),

two products of matrices for any number of places side by side. Gauss-Newton steps, solved in the space of the bins or
of the parameters, whichever is smaller, lead from each place down; parameters that act on one bin only are eliminated.
Where they end is where the likelihood itself is to be searched. The sketch is never quoted.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory.structure import LikelihoodStructure

from .deviance import poisson_deviance
from .expansion import Likelihood
from .linear import solve_spread
from .rates import Lanes
from .segments import GroupedRows

Values = NDArray[np.float64]
Stop = Callable[[NDArray[np.int64], Values, Values], NDArray[np.bool_]]

_GAIN, _PATIENCE = 2e-3, 3
"""So many steps in a row that gain less in the deviance are the last."""
_SHORTEST, _LONGEST = 1e-3, 32.0
"""By how much a step is made shorter, and one along a valley longer, at most."""
_ROOMY = 3.0
"""Width of a step of a free factor, which nothing constrains, relative to its size. Chosen by hand."""
_BENT = 0.5
"""By how much of a constraint's curvature bending may make a valley wider: the matrix stays positive below 1."""
_TINY = 1e-9
"""A factor that counts as zero."""
_LEAST = 1e-3
"""Share of the counts (of one event where there are none) below which rates go on linearly."""
_ROOM = 0.3
"""Least size of a free factor: it moves by about itself in one step."""
_LARGEST = 50.0
"""Logarithm of a factor that is no physics any more."""


class _Place(NamedTuple):
    """Where lanes are.

    Attributes:
        value: deviance, shape (lane,).
        rates: shape (bin, lane).
        cells: rates of each sample, shape (bin, sample, lane).
        product: factors of each sample, shape (bin, sample, lane).
    """

    value: Values
    rates: Values
    cells: Values
    product: Values

    def where(self, better: NDArray[np.bool_], other: "_Place") -> "_Place":
        return _Place(*(np.where(better, new, old) for new, old in zip(other, self, strict=True)))

    def take(self, lanes: Any) -> "_Place":
        return _Place(*(part[..., lanes] for part in self))


class Scaled(NamedTuple):
    """Pairs of a cell and an alpha that multiplies it.

    Attributes:
        bin: of each pair, shape (pair,).
        sample: of each pair.
        alpha: of each pair, as its number.
        of_bin_and_alpha: the pairs as groups.
    """

    bin: NDArray[np.int64]
    sample: NDArray[np.int64]
    alpha: NDArray[np.int64]
    of_bin_and_alpha: GroupedRows


class _SketchSlopes(NamedTuple):
    """Derivatives of the rates: by parameters that act on several bins, by those that act on one, by bent features."""

    several: Values
    one: Values
    bent: Values


class Sketch:
    """The sketch of the likelihoods of a batch.

    Args:
        likelihood: of the batch.
        structure: of NumPy arrays.
        templates: template sets side by side.
        bounds: lower and upper, each of shape (parameter,).

    Attributes:
        alphas: parameters that interpolate, shape (alpha,).
        free_factors: factors that a fit moves and nothing constrains, shape (factor,).
        center: values that the auxiliary data say, shape (parameter, lane).
        width: of the constraints, zero for parameters without, shape (parameter, lane or 1).
        moved: parameters that a fit moves, shape (parameter, 1).
    """

    def __init__(
        self, likelihood: Likelihood, structure: LikelihoodStructure, templates: Lanes, bounds: tuple[Values, Values]
    ) -> None:
        size = len(structure.init)
        self.lower, self.upper = (np.asarray(side, dtype=np.float64)[:, None] for side in bounds)
        self.counts = likelihood.counts
        self.moved = np.zeros((size, 1), dtype=bool)
        self.moved[likelihood.layout.free] = True
        self.moved = self.moved & ~likelihood.void.any(axis=1, keepdims=True)
        self.alphas = np.unique(np.concatenate([structure.histosys, structure.normsys])).astype(np.int64)
        self._constrain(likelihood, size)
        self._interpolate(structure, templates)
        self._multiply(structure, size)

    def _constrain(self, likelihood: Likelihood, size: int) -> None:
        """Constraints, those of counts as if they were Gaussian."""
        layout = likelihood.layout
        shape = size, max(likelihood.data.shape[1], likelihood.factor.shape[1])
        self.center, self.width = np.zeros(shape), np.zeros((size, 1))
        self.center[layout.normal.parameter] = likelihood.normal_data
        counts, factor = likelihood.poisson_data, likelihood.factor
        self.center[layout.poisson.parameter] = counts / factor
        self.width[layout.normal.parameter] = likelihood.sigma.max(axis=1, keepdims=True)
        self.width[layout.poisson.parameter] = (np.sqrt(np.maximum(counts, 0.5)) / factor).max(axis=1, keepdims=True)
        self.constrained = self.width > 0

    def _interpolate(self, structure: LikelihoodStructure, templates: Lanes) -> None:
        """The tables A and B, of shape (template set, bin, sample, feature)."""
        nominal = templates.nominal
        mask = np.asarray(structure.histosys_mask)[..., None]
        up = np.where(mask, templates.histosys_up - nominal, 0.0)
        down = np.where(mask, nominal - templates.histosys_down, 0.0)
        self.nominal = _in_front(nominal)
        self._additive = self._features(structure.histosys, up, down)
        mask = np.asarray(structure.normsys_mask)[..., None]
        up, down = (
            np.log(np.where(mask & (table > 0), table, 1.0))[:, :, structure.channel_of_bin]
            for table in (templates.normsys_up, templates.normsys_down)
        )
        self._exponent = self._features(structure.normsys, up, -down)
        count, bins = len(self.alphas), self.nominal.shape[1]
        used = (self._exponent != 0).any(axis=0)
        used = used[..., :count] | used[..., count:]
        bin_, sample, alpha = np.nonzero(used)
        self.scaled = Scaled(bin_, sample, alpha, GroupedRows(bin_ * count + alpha, bins * count))
        self._shifting = np.where(np.concatenate([used, used], axis=-1), 0.0, self._additive)

    def _features(self, parameter: Any, up: Values, down: Values) -> Values:
        """Tables of shape (variation, sample, bin, lane) by feature."""
        count = len(self.alphas)
        result = np.zeros((2 * count, *np.broadcast_shapes(up.shape[1:], down.shape[1:])))
        rank = np.searchsorted(self.alphas, parameter)  # each has one variation of a kind
        result[rank], result[count + rank] = 0.5 * (up + down), up - down
        return _in_front(result)

    def shifted(self, here: _Place, lanes: Any) -> Values:
        """Change of the rates by each feature of cells that it does not multiply, shape (bin, feature, place)."""
        return _summed(self._shifting, here.product, lanes)

    def _multiply(self, structure: LikelihoodStructure, size: int) -> None:
        """Which factors that are parameters act on which cells."""
        self._layers = np.asarray(structure.factor).transpose(0, 2, 1).astype(np.int64)
        bins, samples = self._layers.shape[1:]
        layer, bin_, sample = np.nonzero(self._layers < size)
        parameter = self._layers[layer, bin_, sample]
        pairs, which = np.unique(parameter * bins + bin_, return_inverse=True)
        self._pair_parameter, self._pair_bin = pairs // bins, pairs % bins
        self._pair_cell = bin_ * samples + sample
        self._of_pair = GroupedRows(which.ravel(), len(pairs))
        times = np.bincount(self._pair_parameter, minlength=size)
        alone = (times == 1) & self.constrained[:, 0]
        alone[self.alphas] = False
        self._one = alone[self._pair_parameter]
        self.one, self.bin_of_one = self._pair_parameter[self._one], self._pair_bin[self._one]
        factors = np.unique(self._pair_parameter)
        self.free_factors = factors[self.moved[factors, 0] & ~self.constrained[factors, 0]]
        several = np.setdiff1d(np.union1d(factors, self.alphas), self.one)
        self.several = several[self.moved[several, 0]]
        self.rank = np.full(size, -1)
        self.rank[self.several] = np.arange(len(self.several))

    @property
    def tables(self) -> tuple[Values, Values]:
        """The tables A and B, of shape (template set, bin, sample, feature)."""
        return self._additive, self._exponent

    def center_of(self, lanes: Any) -> Values:
        """`center` of some lanes."""
        return _of(self.center, lanes)

    def counts_of(self, lanes: Any) -> Values:
        """Counts of the bins in some lanes."""
        return _of(self.counts, lanes)

    def at(self, parameters: Values, lanes: Any) -> _Place:
        """Deviance and rates at parameters of shape (parameter, place); `lanes` says of which lane each place is."""
        alpha = parameters[self.alphas]
        features = np.concatenate([alpha, even(alpha)])
        product = np.exp(np.minimum(_times(self._exponent, features, lanes), _LARGEST))
        extended = np.concatenate([_not_zero(parameters), np.ones((1, parameters.shape[1]))])
        for layer in self._layers:
            product = product * extended[layer]
        nominal = self.nominal[..., 0].transpose(1, 2, 0)
        cells = (_of(nominal, lanes) + _times(self._additive, features, lanes)) * product
        rates = cells.sum(axis=1)
        counts = _of(self.counts, lanes)
        least = _LEAST * np.maximum(counts, 1.0)
        safe = np.maximum(rates, least)
        value = (poisson_deviance(counts, safe) + 2.0 * np.abs(counts / safe - 1.0) * (safe - rates)).sum(axis=0)
        some = self.constrained[:, 0]
        pulls = (parameters - _of(self.center, lanes))[some] / self.width[some]
        return _Place(value + (pulls**2).sum(axis=0), safe, cells, product)

    def slopes(self, parameters: Values, here: _Place, lanes: Any) -> _SketchSlopes:
        """Derivatives of the rates, of shapes (bin, parameter, place), (parameter, place) and (bin, alpha, place)."""
        count = len(self.alphas)
        bins, _, places = here.cells.shape
        by_feature = _summed(self._additive, here.product, lanes) + _summed(self._exponent, here.cells, lanes)
        bend = even_slope(parameters[self.alphas])
        several = np.zeros((bins, len(self.several), places))
        moved = self.rank[self.alphas] >= 0
        several[:, self.rank[self.alphas[moved]]] = (by_feature[:, :count] + by_feature[:, count:] * bend)[:, moved]
        by_pair = self._of_pair.sum(here.cells.reshape(-1, places)[self._pair_cell])
        by_pair = by_pair / _not_zero(parameters)[self._pair_parameter]
        other = ~self._one & (self.rank[self._pair_parameter] >= 0)
        np.add.at(several, (self._pair_bin[other], self.rank[self._pair_parameter[other]]), by_pair[other])
        return _SketchSlopes(several, by_pair[self._one], by_feature[:, count:])

    def descend(self, start: Values, lanes: NDArray[np.int64], *, steps: int, stop: Stop) -> tuple[Values, Values]:
        """Where Gauss-Newton steps lead.

        Along a valley that curvature has flattened steps are short by some factor, elsewhere they are right. So every
        second step is taken as it is; what is left for the others is along the valley, and they are made long.

        Args:
            start: shape (parameter, place).
            lanes: the lane of each place, shape (place,).
            steps: number of steps.
            stop: of the numbers of places, their parameters and deviances: which of them need not go on.

        Returns:
            Parameters of shape (parameter, place), and the sketch's deviance there.
        """
        result = np.where(self.moved, np.clip(start, self.lower, self.upper), start)
        here, left = result.copy(), np.arange(start.shape[1])
        now, lengths = self.at(here, lanes), np.ones((2, start.shape[1]))
        value, idle = now.value.copy(), np.zeros(start.shape[1], dtype=np.int64)
        for number in range(steps):
            length = lengths[number % 2]
            other = np.clip(here + length * self._step(here, now, lanes[left]), self.lower, self.upper)
            other = np.where(self.moved, other, here)
            then = self.at(other, lanes[left])
            better = then.value < now.value
            idle = np.where(better, np.where(now.value - then.value > _GAIN, 0, idle + 1), idle)
            here, now = np.where(better, other, here), now.where(better, then)
            most = 1.0 if number % 2 == 0 else _LONGEST
            lengths[number % 2] = np.where(better, np.minimum(3.0 * length, most), 0.3 * length)
            result[:, left], value[left] = here, now.value
            going = (idle < _PATIENCE) & (lengths > _SHORTEST).all(axis=0) & ~stop(left, here, now.value)
            if not going.all():
                left, here, now = left[going], here[:, going], now.take(going)
                lengths, idle = lengths[:, going], idle[going]
            if not len(left):
                break
        return result, value

    def _step(self, here: Values, now: _Place, lanes: Any) -> Values:
        """The Gauss-Newton step of each place."""
        # Without a constraint nothing but this keeps a factor near where the slopes are right.
        width = np.where(self.constrained, self.width, _ROOMY * np.maximum(np.abs(here), _ROOM))
        center = np.where(self.constrained, _of(self.center, lanes), here)
        missing = _of(self.counts, lanes) - now.rates
        slopes = self.slopes(here, now, lanes)
        several, one = self.several, self.one
        slope = (here - center) / width**2
        slope[several] -= np.einsum("bpl,bl->pl", slopes.several, missing / now.rates)
        slope[one] -= slopes.one * (missing / now.rates)[self.bin_of_one]
        # Part of the bending makes a valley narrower, or wider; as much as keeps the matrix positive.
        stiff = 1.0 + np.maximum(self._bent(here, now, missing / now.rates, lanes), -_BENT)
        center[self.alphas] = here[self.alphas] + (center - here)[self.alphas] / stiff
        width[self.alphas] = width[self.alphas] / np.sqrt(stiff)
        held = ((here <= self.lower) & (slope > 0)) | ((here >= self.upper) & (slope < 0)) | ~self.moved
        width, center = np.where(held, 0.0, width), np.where(held, here, center)
        back = center - here
        diagonal = now.rates.copy()
        np.add.at(diagonal, self.bin_of_one, (slopes.one * width[one]) ** 2)
        side = missing - np.einsum("bpl,pl->bl", slopes.several, back[several])
        np.subtract.at(side, self.bin_of_one, slopes.one * back[one])
        spread = slopes.several * width[several]
        forces = solve_spread(diagonal, spread, side[:, None])[:, 0]
        back[several] += width[several] * np.einsum("bpl,bl->pl", spread, forces)
        back[one] += width[one] ** 2 * slopes.one * forces[self.bin_of_one]
        return back

    def _bent(self, here: Values, now: _Place, pressure: Values, lanes: Any) -> Values:
        """Curvature that comes from bending yields, in units of the constraints', shape (alpha, place)."""
        count = len(self.alphas)
        product, cells = now.product * pressure[:, None], now.cells * pressure[:, None]
        by = _summed(self._additive, product, lanes) + _summed(self._exponent, cells, lanes)
        square = np.minimum(here[self.alphas] ** 2, 1.0)
        even_curvature = 0.125 * (15.0 + square * (45.0 * square - 60.0))
        result: Values = -by[:, count:].sum(axis=0) * even_curvature * self.width[self.alphas] ** 2
        return result


def even(alpha: Values) -> Values:
    """The even part of code 4p: half of the absolute value beyond one, a polynomial within."""
    square = np.minimum(alpha * alpha, 1.0)
    inside = 0.0625 * square * (15.0 + square * (3.0 * square - 10.0))
    return np.where(np.abs(alpha) < 1.0, inside, 0.5 * np.abs(alpha))


def even_slope(alpha: Values) -> Values:
    """Its derivative."""
    x = np.clip(alpha, -1.0, 1.0)
    square = x * x
    return 0.125 * x * (15.0 + square * (9.0 * square - 20.0))


def _not_zero(factors: Values) -> Values:
    """Factors, with something tiny where they are zero: a rate over its factor is its slope."""
    return np.where(factors == 0, _TINY, factors)


def _in_front(table: Values) -> Values:
    """(feature, sample, bin, lane) or (sample, bin, lane) -> (lane, bin, sample, feature), of one feature if none."""
    table = table[None] if table.ndim == 3 else table
    return np.ascontiguousarray(table.transpose(3, 2, 1, 0))


def _of(values: Values, lanes: Any) -> Values:
    """The rows of the lanes that places belong to; an axis of length one is that of all."""
    return values if values.shape[-1] == 1 else values[..., lanes]


def _times(table: Values, features: Values, lanes: Any) -> Values:
    """(template set, bin, sample, feature), (feature, place) -> (bin, sample, place)."""
    one = len(table) == 1
    result: Values = table[0] @ features if one else np.einsum("pbsf,fp->bsp", table[lanes], features)
    return result


def _summed(table: Values, cells: Values, lanes: Any) -> Values:
    """(template set, bin, sample, feature), (bin, sample, place) -> (bin, feature, place)."""
    one = len(table) == 1
    result: Values = table[0].transpose(0, 2, 1) @ cells if one else np.einsum("pbsf,bsp->bfp", table[lanes], cells)
    return result
