"""What no cuts of a box of thresholds can exceed.

Between the loosest and the tightest cuts of a box the signal is at most that of the loosest, and the background at
least that of the tightest. The uncertainty of the background follows neither, so it is bounded by sigma^2 >= a B +
r^2 B^2 with numbers a and r that hold for all cuts of the box:

- finite simulation: of V = sum w^2 over B = sum w the events that some cuts of the box keep and others do not can
  lower the ratio to no less than their smallest weight;
- systematics: each of the relative shifts is a mean over the backgrounds, weighted by yields that lie between those of
  the two corners.

With them, the significance of the Asimov data grows with S and falls with B. It is 2 min_b [D(S + B; b) + t D(B; b)]
squared, with D(n; e) = n ln(n/e) - n + e >= 0 and t = B / sigma^2: it grows with S and with t, for a fixed t its slope
in B is ln((S + B)/b) + t ln(B/b) <= 0 as b = (S + B + t B)/(1 + t) and the logarithm is concave, and
t = 1 / (a + r^2 B) falls with B. (For a fixed sigma it does *not* always fall with B.)

The profile likelihood of one bin, of backgrounds each of which has its own Poisson constraint from finite simulation,
and of scaling systematics that raise all of them or lower all of them, is bounded by a fit: with the backgrounds of the
tightest corner, each with the smallest V / B. With y = (S + B) / e >= 1, e being the events that are fitted without
signal, and a background's fitted factors f >= 1 of systematics and g >= 1 of simulation, the slope of half q0 in its
yield for fixed V / B is ln y - f (y - 1) g ln g / (g - 1) <= ln y - (y - 1) <= 0.

Weights may be negative: then positive and negative ones are summed apart, and each sum takes its extreme value.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.merit import counting
from hepcuts.merit.closed_forms import AbstractCountFigure
from hepcuts.merit.counts import Counts, Totals
from hepcuts.merit.figures import AbstractTemplateFigure, OfRows
from hepcuts.merit.rows import Rows
from hepcuts.samples.modifiers import HistoSys, Modifier
from hepcuts.templates.corners import Corners, RankedEvents
from hepcuts.templates.templates import Structure, Yields

from .box_guard import ROUNDING, BoxGuard, Extremes

FIT = 1e-8
"""By how much, relative, a fitted significance may be off."""


@dataclasses.dataclass(frozen=True, eq=False)
class BoxBounds:
    """Bounds of a figure of merit for boxes of thresholds.

    Attributes:
        form: a monotone figure of merit of one bin, see `hepcuts.merit.figures.AbstractFigureOfMerit.monotone`.
        structure: samples and variations.
        totals: expected signal and background before the cuts.
        guard: what is asked for after the cuts.
        least_background: what any cuts leave that leave those, or any background at all.
        values_of: the figure of merit of rows, prepared for these samples.
        shifts: what each systematic does to the total background, in terms of yields of all variations and samples:
            shape (systematic, side, variation, sample).
    """

    form: AbstractTemplateFigure
    structure: Structure
    totals: Totals
    guard: BoxGuard
    least_background: float
    values_of: OfRows
    shifts: FloatArray

    @classmethod
    def of(cls, form: AbstractTemplateFigure, events: RankedEvents, totals: Totals, guard: BoxGuard) -> "BoxBounds":
        """For events, with the weights that they have."""
        structure = events.structure
        background = np.array([not component.signal for component in structure.components])
        mine = events.weights[(events.cells < len(background)) & background[events.cells % len(background)]]
        smallest = float(np.abs(mine[mine != 0]).min(initial=np.inf)) if np.any(mine) else 0.0
        # (sum w)^2 >= n sum w^2 >= n min|w| sum w; and some event is left where there is any background.
        least = smallest * guard.events if guard.events > 0 or np.any(mine < 0) else smallest
        least = max(least, guard.expected) * (1.0 - 3 * ROUNDING)
        values_of = form.prepared([events.reference])
        return cls(form, structure, totals, guard, least, values_of, _shifts(structure))

    def of_boxes(self, corners: Corners, enough: float = -np.inf) -> FloatArray:
        """What no cuts of each box of a grid exceed, shape (box,); minus infinity where none is allowed.

        Args:
            corners: of the grid.
            enough: below that a looser bound will do.
        """
        at = Extremes.of(corners, self.guard.background)
        with np.errstate(all="ignore"):
            least = np.maximum(at.lower.sum(0), self.least_background)
            squares = at.squares[at.background].sum(0)
            least = np.maximum(least, np.sqrt(self.guard.events * squares) * (1.0 - 3 * ROUNDING))
            if isinstance(self.form, AbstractCountFigure):
                values = self._of_formula(self.form, at, least)
            else:
                values = self._of_likelihood(at, least, enough)
        values = np.where(at.signal.sum(0) > 0, np.where(np.isnan(values), np.inf, values), 0.0)
        possible = self.guard.possible(at) & (at.upper.sum(0) * (1.0 + ROUNDING) >= self.least_background)
        return np.where(possible, values, -np.inf)

    def _of_formula(self, form: AbstractCountFigure, at: Extremes, least: FloatArray) -> FloatArray:
        """By the formula, shape (box,)."""
        background = at.background
        weight = at.least_weight(background) if self._uncertain.all() else 0.0
        squares = at.squares[background[self._uncertain]].sum(0)
        total, grown = at.tightest[background].sum(0), at.grown[background].sum(0)
        per_event = _least_per_event(total, squares, grown, weight)
        sigma = np.sqrt(per_event * least + self._relative(at) * least**2)
        return np.asarray(form.of_counts(_counts(at.signal.sum(0), least, sigma, self.totals)), dtype=np.float64)

    def _of_likelihood(self, at: Extremes, least: FloatArray, enough: float) -> FloatArray:
        """By fits, where a known background, which is never worse, promises more than enough; shape (box,)."""
        found = np.asarray(counting.asimov_significance(at.signal.sum(0), least))
        lower = least[None] if len(at.lower) == 1 else at.lower
        worth = np.flatnonzero((found > enough) & np.all(lower >= 0, axis=0) & (lower.sum(0) > 0))
        if len(worth) == 0:
            return found
        per_event = np.zeros_like(lower)
        for number, position in enumerate(at.background):
            if self._uncertain[number]:
                weight = at.least_weight(np.array([position]))
                given = at.tightest[position], at.squares[position], at.grown[position]
                per_event[number] = _least_per_event(*given, weight)
        shape = (len(worth), len(self.structure.variations), len(self.structure.components), 1)
        values, variances = np.zeros(shape), np.zeros(shape)
        signal = np.setdiff1d(np.arange(shape[2]), at.background)
        values[:, :, signal, 0] = at.signal[:, worth].T[:, None]
        values[:, :, at.background, 0] = lower[:, worth].T[:, None]
        variances[:, :, at.background, 0] = (per_event * lower)[:, worth].T[:, None]
        fitted = self.values_of([Rows.of_yields(self.structure, Yields(values, variances), self.totals)])
        found[worth] = np.fmin(found[worth], fitted * (1.0 + FIT))
        return found

    @property
    def _uncertain(self) -> NDArray[np.bool_]:
        """Which backgrounds are uncertain from finite simulation."""
        return np.array([bool(self.structure.components[s].staterror) for s in self.guard.background])

    def _relative(self, at: Extremes) -> FloatArray:
        """The smallest squared effect of systematics, over the squared background, shape (box,)."""
        found = np.zeros(at.most.shape[-1])
        for sides in self.shifts:
            effects = [self._least_effect(side, at) for side in sides if np.any(side)]
            found += np.max(effects, axis=0, initial=0.0) ** 2
        return found

    @staticmethod
    def _least_effect(side: FloatArray, at: Extremes) -> FloatArray:
        """The smallest absolute shift over the background, shape (box,)."""
        factors, lower, upper = side[0, at.background], at.lower, at.upper
        if np.any(side[1:]):
            given = side[..., None]
            low, high = (end(given * at.fewest, given * at.most).sum((0, 1)) for end in (np.minimum, np.maximum))
            nearest = np.maximum(0.0, np.maximum(low, -high))
            return np.where(upper.sum(0) > 0, nearest / upper.sum(0), 0.0)
        if len(factors) == 1:
            return np.full(lower.shape[-1], abs(factors[0]))
        return np.where(np.all(lower >= 0, axis=0), _least_mean(factors, lower, upper), 0.0)


def _counts(signal: FloatArray, background: FloatArray, sigma: FloatArray, totals: Totals) -> Counts:
    return Counts(signal[:, None], background[:, None], *totals, lambda: sigma[:, None])


def _least_per_event(total: FloatArray, squares: FloatArray, grown: FloatArray, weight: float) -> FloatArray:
    """The smallest sum of squared weights over that of weights, shape (box,).

    Args:
        total: sum of weights at the tightest corner.
        squares: that of squared weights.
        grown: positive weights that looser cuts add at most.
        weight: the smallest of them.
    """
    # From no more events to all of them the ratio is monotone.
    ends = [
        np.where(events > 0, (squares + weight * more) / events, np.inf)
        for events, more in ((total, 0.0), (total + grown, grown))
    ]
    found: FloatArray = np.minimum(*ends)
    return np.where(np.isfinite(found), found, 0.0)


def _least_mean(factors: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """The smallest absolute mean of factors, with weights between bounds of shape (factor, box); shape (box,)."""

    def smallest(factors: FloatArray) -> FloatArray:
        order = np.argsort(factors)
        found = np.full(lower.shape[-1], np.inf)
        # The best weights are the largest for the smallest factors, and the smallest for all others.
        for number in range(len(factors) + 1):
            weights = np.concatenate([upper[order[:number]], lower[order[number:]]])
            total = weights.sum(0)
            mean = (factors[order][:, None] * weights).sum(0) / np.where(total > 0, total, 1.0)
            found = np.where(total > 0, np.minimum(found, mean), found)
        return np.where(np.isfinite(found), found, 0.0)

    return np.maximum(0.0, np.maximum(smallest(factors), smallest(-factors)))


def _shifts(structure: Structure) -> FloatArray:
    """See `BoxBounds.shifts`: what modifiers say of unit yields, all of it being linear in the yields."""
    found: dict[tuple[str, int], FloatArray] = {}
    shape = (2, len(structure.variations), len(structure.components))
    for number, component in enumerate(structure.components):
        if component.signal:
            continue
        for modifier in component.modifiers:
            *sides, spread = (np.asarray(of) for of in _of_unit_yields(modifier))
            together = found.setdefault((modifier.name, -1), np.zeros(shape))
            for at, effect in enumerate(sides):
                _add(together[at, :, number], effect, structure, modifier)
            if np.any(spread > 0):
                found[modifier.name, number] = np.zeros(shape)
                found[modifier.name, number][0, 0, number] = np.sqrt(spread[0])
    return np.array(list(found.values())) if found else np.zeros((0, *shape))


def _of_unit_yields(modifier: Modifier) -> list[FloatArray]:
    """Shifts and variance of a nominal yield of one alone, and of its variations up and down, each of shape (3,)."""
    found = modifier.linear_uncertainty(*np.eye(3)[:, :, None])
    return [np.broadcast_to(np.asarray(effect, dtype=np.float64), 3) for effect in found]


def _add(table: FloatArray, effect: FloatArray, structure: Structure, modifier: Modifier) -> None:
    """Add the effect of a sample's yields to a table of shape (variation,)."""
    nominal, up, down = effect
    table[0] += nominal
    if not isinstance(modifier, HistoSys):
        return
    table[structure.position(modifier.name, "up")] += up
    if "down" in modifier.sides:
        table[structure.position(modifier.name, "down")] += down
    else:
        table[0] += down * modifier.completed_down(1.0, 0.0)
        table[structure.position(modifier.name, "up")] += down * modifier.completed_down(0.0, 1.0)
