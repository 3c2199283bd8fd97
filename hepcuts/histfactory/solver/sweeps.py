"""Profiles along single parameters from a minimum, on the `Sketch`: beyond which of them another may be."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .linear import half_solved, solve_spread
from .lookout import Lookout
from .sketch import Sketch, even

Values = NDArray[np.float64]

_WIDE = 10.0
"""Width of a free factor in a sweep of another parameter, relative to its size."""
_LARGEST = 50.0
"""Logarithm of a factor that is no physics any more."""
_FEW_BINS, _MANY_LANES = 16, 30
"""Where steps over all lanes are faster than LAPACK lane by lane."""
_LEAST_SIZE = 0.25
"""Of a free factor; what is less counts as near zero."""


def from_sweeps(sweep: "Sweep", lookout: Lookout) -> Iterator[tuple[int, Values]]:
    """Lanes and places: parameters beyond which the profile rises too little, the most missing first."""
    missing, target = sweep.constrained(lookout)
    if not missing.size:
        return
    best = missing.argmax(axis=0)
    score = np.take_along_axis(missing, best[None], axis=0)[0]
    order = np.argsort(-score, axis=0)[: lookout.most_sweeps]
    for row, lane in np.argwhere(np.take_along_axis(score, order, axis=0) > lookout.missing).tolist():
        number = order[row, lane]
        place = sweep.found[:, lane].copy()
        place[sweep.alphas[number]] = target[best[number, lane], number, lane]
        yield lane, place


def from_factors(sweep: "Sweep", lookout: Lookout) -> Iterator[tuple[int, Values]]:
    """Lanes and places: free factors at a multiple and a fraction, the loosest first.

    One that has ended at its upper bound is tried at the lower one. Multiples of zero are none: one that has ended
    there is tried at those of its uncertainty, and halfway to its upper bound.
    """
    uncertainty = np.where(sweep.here.value > lookout.least_of_factors, sweep.free(), 0.0)
    order = np.argsort(-uncertainty, axis=0)[: lookout.most_factors]
    for row, lane in np.argwhere(np.take_along_axis(uncertainty, order, axis=0) > lookout.loose).tolist():
        number = sweep.sketch.free_factors[order[row, lane]]
        now, upper = sweep.found[number, lane], sweep.sketch.upper[number, 0]
        if now >= upper:
            tries = sweep.sketch.lower[number, 0], now / lookout.multiple
        elif now < _LEAST_SIZE:
            tries = lookout.multiple * _LEAST_SIZE * max(1.0, uncertainty[order[row, lane], lane]), 0.5 * upper
        else:
            tries = lookout.multiple * now, now / lookout.multiple
        for value in tries:
            place = sweep.nominal[:, lane].copy()
            place[number] = value
            yield lane, place


class Sweep:
    """Profiles along single parameters from a minimum, the others following linearly."""

    def __init__(self, sketch: Sketch, found: Values, lanes: NDArray[np.int64]) -> None:
        self.sketch, self.found, self.lanes = sketch, found, lanes
        self.here = sketch.at(found, lanes)
        slopes = sketch.slopes(found, self.here, lanes)
        several, one = sketch.several, sketch.one
        width = np.where(sketch.constrained, sketch.width, _WIDE * np.maximum(np.abs(found), 0.3))
        self.width = np.where(sketch.moved, width, 0.0)
        center = np.where(sketch.constrained, sketch.center_of(lanes), found)
        self.back = np.where(sketch.moved, center - found, 0.0)
        self.center = center
        self.nominal = np.where(sketch.moved, center, found)
        self.diagonal = self.here.rates.copy()
        np.add.at(self.diagonal, sketch.bin_of_one, (slopes.one * self.width[one]) ** 2)
        self.slopes, self.bends = slopes.several, slopes.bent
        side = sketch.counts_of(lanes) - self.here.rates - np.einsum("bpl,pl->bl", self.slopes, self.back[several])
        np.subtract.at(side, sketch.bin_of_one, slopes.one * self.back[one])
        self.side = side
        self.among = np.flatnonzero(sketch.moved[sketch.alphas, 0])
        self.alphas = sketch.alphas[self.among]

    def _solve(self, sides: Values) -> Values:
        return solve_spread(self.diagonal, self.slopes * self.width[self.sketch.several], sides)

    def constrained(self, lookout: Lookout) -> tuple[Values, Values]:
        """Share of the constraint's rise that is missing, and the points, both of shape (point, alpha, lane)."""
        sketch, alphas = self.sketch, self.alphas
        if not len(alphas):
            return np.zeros((0, 0, len(self.lanes))), np.zeros((0, 0, len(self.lanes)))
        center, now, width = self.center[alphas], self.found[alphas], self.width[alphas]
        grid = center + width * np.array(lookout.grid)[:, None, None]
        # The minimum itself is the last point: there the sketch need not be at a minimum of its own.
        target = np.concatenate([grid, (2.0 * center - now)[None], now[None]])
        target = np.clip(target, sketch.lower[alphas], sketch.upper[alphas])
        by = self.slopes[:, sketch.rank[alphas]]
        sides = np.repeat((self.side[:, None] + by * self.back[alphas])[:, None], len(target), axis=1)
        sides[:, :-1] -= self._gained(target[:-1])
        profile, across, own = self._forms(sides, by)
        rest = np.maximum(1.0 - width**2 * own, 1e-6)
        rise = profile + across**2 * width**2 / rest + ((target - center) / width) ** 2
        distance = np.abs(target - now) / width
        with np.errstate(divide="ignore", invalid="ignore"):
            missing = np.where(distance > lookout.far, 1.0 - (rise - rise[-1]) / distance**2, -np.inf)
        return missing[:-1], target[:-1]

    def _forms(self, sides: Values, by: Values) -> tuple[Values, Values, Values]:
        """Quadratic forms s' M^-1 s, b' M^-1 s and b' M^-1 b with M = D + G G', of sides s and slopes b."""
        bins, lanes = self.diagonal.shape
        number = sides.shape[1] * sides.shape[2]
        columns = np.concatenate([sides.reshape(bins, number, lanes), by], axis=1)
        if bins <= _FEW_BINS and lanes >= _MANY_LANES:
            solved = columns = half_solved(self.diagonal, self.slopes * self.width[self.sketch.several], columns)
            by = columns[:, number:]
        else:
            solved = self._solve(columns)
        own = np.einsum("bsl,bsl->sl", columns, solved)
        across = np.einsum("bal,bpal->pal", by, solved[:, :number].reshape(sides.shape))
        return own[:number].reshape(sides.shape[1:]), across, own[number:]

    def _gained(self, target: Values) -> Values:
        """Change of the rates with one alpha at a time at its target, shape (bin, point, alpha, lane)."""
        now = self.found[self.alphas]
        odd, bent = target - now, even(target) - even(now)
        shifted = self.sketch.shifted(self.here, self.lanes)
        count = len(self.sketch.alphas)
        result: Values = shifted[:, None, self.among] * odd + shifted[:, None, count + self.among] * bent
        if len(self.sketch.scaled.bin):
            result += self._multiplied(odd, bent)
        return result

    def _multiplied(self, odd: Values, bent: Values) -> Values:
        """As `_gained`, of the cells that an alpha multiplies; steps of shape (point, alpha, lane)."""
        bins, samples, alphas, groups = self.sketch.scaled
        every = len(self.sketch.alphas)
        if len(self.among) < every:
            whole = np.zeros((2, len(odd), every, odd.shape[-1]))
            whole[:, :, self.among] = odd, bent
            odd, bent = whole
        step = odd[:, alphas], bent[:, alphas]
        additive, exponent = (self._change(table, step) for table in self.sketch.tables)
        cells, product = self.here.cells[bins, samples], self.here.product[bins, samples]
        change = (additive * product + cells) * np.exp(np.minimum(exponent, _LARGEST)) - cells
        points, lanes = len(odd), len(self.lanes)
        summed = groups.sum(change.transpose(1, 0, 2).reshape(len(bins), points * lanes))
        shape = len(self.here.rates), every, points, lanes
        result: Values = summed.reshape(shape).transpose(0, 2, 1, 3)
        return result[:, :, self.among] if len(self.among) < every else result

    def _change(self, table: Values, step: tuple[Values, Values]) -> Values:
        """(template set, bin, sample, feature) -> (point, pair, lane)."""
        bins, samples, alphas, _ = self.sketch.scaled
        some = table if len(table) == 1 else table[self.lanes]
        odd, bent = (some[:, bins, samples, a].T for a in (alphas, alphas + len(self.sketch.alphas)))
        result: Values = odd * step[0] + bent * step[1]
        return result

    def free(self) -> Values:
        """Relative uncertainty of the free factors, shape (factor, lane)."""
        factors = self.sketch.free_factors
        by = self.slopes[:, self.sketch.rank[factors]]
        if not len(factors):
            return np.zeros((0, len(self.lanes)))
        size = np.maximum(np.abs(self.found[factors]), _LEAST_SIZE)
        information = (by * self._solve(by)).sum(axis=0) * self.width[factors] ** 2
        variance = self.width[factors] ** 2 * np.maximum(1.0 - information, 0.0)
        result: Values = np.sqrt(variance) / size
        return result

    def sharp(self, lookout: Lookout) -> NDArray[np.bool_]:
        """In which lanes a variation is bent by more than a bin's counts allow, shape (lane,)."""
        deviation = np.sqrt(np.maximum(self.here.rates, 1.0))[:, None]
        bent = np.abs(self.bends) > 2.0 * lookout.sharp * deviation
        bent &= self.sketch.moved[self.sketch.alphas]
        return np.asarray(bent.any(axis=(0, 1)))
