"""What the sums in a box of thresholds can be, and whether any of its cuts can keep what is asked for."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.merit.rows import Rows
from hepcuts.templates.corners import Corners, RankedEvents
from hepcuts.templates.simulated import FEW_SIGNAL, Backgrounds
from hepcuts.templates.templates import Structure, effective_events

ROUNDING = 1e-9
"""By how much, relative, the number of effective events may be off as numbers of 64 bits."""


@dataclasses.dataclass(frozen=True, eq=False)
class Extremes:
    """Sums in each box of a grid.

    Attributes:
        fewest: smallest yields, shape (variation, sample, box).
        most: largest yields, likewise.
        signal: largest yields of the signals, shape (signal, box).
        lower: smallest yields of the backgrounds, shape (background, box).
        upper: the largest.
        tightest: yields of the samples at the tightest corner, shape (sample, box).
        squares: sums of squared weights there.
        grown: sums of the positive weights that looser cuts add.
        weights: smallest absolute weight of what they add, of each sample; infinite if nothing is, shape (sample,).
        background: positions of the backgrounds.
    """

    fewest: FloatArray
    most: FloatArray
    signal: FloatArray
    lower: FloatArray
    upper: FloatArray
    tightest: FloatArray
    squares: FloatArray
    grown: FloatArray
    weights: FloatArray
    background: NDArray[np.int64]

    @classmethod
    def of(cls, corners: Corners, background: NDArray[np.int64]) -> "Extremes":
        """Of a grid, with the positions of the backgrounds."""
        loose, tight = corners.loose, corners.tight
        fewest, most = tight[0] - loose[1], loose[0] - tight[1]
        signal, lower, upper = np.delete(most[0], background, axis=0), fewest[0, background], most[0, background]
        tightest, grown = (tight[0] - tight[1])[0], (loose[0] - tight[0])[0]
        return cls(fewest, most, signal, lower, upper, tightest, tight[2, 0], grown, corners.least, background)

    def least_weight(self, samples: NDArray[np.int64]) -> float:
        """Smallest absolute weight that looser cuts add of some samples, 0 if they add none."""
        weight = float(self.weights[samples].min())
        return weight if np.isfinite(weight) else 0.0

    def most_events(self, samples: NDArray[np.int64]) -> FloatArray:
        """The largest effective number of simulated events of some samples together, shape (box,)."""
        total, squares, grown = (table[samples].sum(0) for table in (self.tightest, self.squares, self.grown))
        weight = self.least_weight(samples)
        # (B + x)^2 / (V + w x) falls and then rises with x.
        with np.errstate(all="ignore"):
            ends = [
                np.where(events > 0, events**2 / (squares + weight * more), 0.0)
                for events, more in ((total, 0.0), (total + grown, grown))
            ]
            return np.nan_to_num(np.maximum(*ends), nan=np.inf, posinf=np.inf)


@dataclasses.dataclass(frozen=True, eq=False)
class BoxGuard:
    """What is asked of the simulated and of the expected events after the cuts, as a scan and an optimizer ask it.

    Attributes:
        events: effective number of simulated events of the weakest background, see `hepcuts.templates.simulated`.
        signal_events: the same of the signal.
        expected: expected background.
        backgrounds: of which each is guarded.
        background: their positions.
        signal: positions of the signals.
    """

    events: float
    signal_events: float
    expected: float
    backgrounds: Backgrounds
    background: NDArray[np.int64]
    signal: NDArray[np.int64]

    @classmethod
    def of(cls, ranked: RankedEvents, events: float, expected: float) -> "BoxGuard":
        """For events; no more signal is asked for than there is."""
        structure: Structure = ranked.structure
        background = np.flatnonzero([not component.signal for component in structure.components])
        signal = np.flatnonzero([component.signal for component in structure.components])
        weights = ranked.weights[np.isin(ranked.cells, signal)]
        there = float(effective_events(np.array(weights.sum()), np.array((weights**2).sum())))
        few = FEW_SIGNAL if events > 0 and there >= FEW_SIGNAL else 0.0
        return cls(events, few, expected, Backgrounds.of(structure), background, signal)

    def holds(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether it does in each row, shape (row,), but for rounding: ten events of one weight are ten."""
        less = 1.0 - ROUNDING
        found: NDArray[np.bool_] = (
            (rows.effective_background >= self.events * less)
            & (rows.effective_signal >= self.signal_events * less)
            & (rows.background >= self.expected * less)
        )
        return found

    def possible(self, at: Extremes) -> NDArray[np.bool_]:
        """Whether it can hold for any cuts of each box, shape (box,)."""
        upper = at.upper.sum(0) * (1.0 + 3 * ROUNDING)
        found = (upper > 0) & (upper >= self.expected) & self._enough(at, self.background, self.events)
        found &= self._enough(at, self.signal, self.signal_events)
        if len(self.background) == 1:
            return np.asarray(found)
        for position, one in self.backgrounds.guarded:
            # At stake after all cuts of the box.
            fewest = np.maximum(at.fewest[0, position], 0.0) * (1.0 - ROUNDING)
            surely = fewest + one > self.backgrounds.share * upper
            found &= ~surely | self._enough(at, np.array([position]), self.events)
        return np.asarray(found)

    @staticmethod
    def _enough(at: Extremes, samples: NDArray[np.int64], least: float) -> NDArray[np.bool_]:
        return np.asarray(at.most_events(samples) * (1.0 + 3 * ROUNDING) >= least)
