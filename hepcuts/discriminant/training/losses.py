"""What a training makes small, as functions of one vector: the parameters first, then what else is moved.

`EndToEnd` is the objective after soft cuts, on the score and on whatever else is cut on, with its gradient to
parameters and thresholds. `Classification` is binary cross-entropy (BCE), which knows of no cut.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.special

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.discriminant import Discriminant
from hepcuts.discriminant.scorer import Scorer, chunks_of
from hepcuts.merit.counts import totals_of
from hepcuts.merit.cross_entropy import AbstractCrossEntropy
from hepcuts.optimization.soft.evaluators import too_narrow
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample
from hepcuts.templates.soft_events import SoftEvents

from .scored_events import ScoredEvents, Units


@dataclasses.dataclass(frozen=True, eq=False)
class Slope:
    """The objective at parameters and soft cuts.

    Attributes:
        value: with the guards of the search (`hepcuts.optimization.soft.evaluators`).
        to_parameters: its gradient, shape (parameter,).
        to_thresholds: likewise, shape (threshold,).
        units: those of the scores.
    """

    value: float
    to_parameters: FloatArray
    to_thresholds: FloatArray
    units: Units


class EndToEnd:
    """The objective of some events as a function of parameters and thresholds.

    Thresholds and widths of the score are in its units: its mean and spread among these very events. What the
    parameters do to the units is in the gradient.

    Args:
        search: for the objective and the step function.
        regions: the events.
        scorer: the discriminant's function.
    """

    def __init__(self, search: Search, regions: Sequence[ScoredEvents], scorer: Scorer) -> None:
        self.search, self.regions, self.scorer = search, regions, scorer

    def scored(self, vector: FloatArray, units: Units | None = None) -> tuple[list[SoftEvents], Units]:
        """The events of each region with their scores, and the units of these.

        Args:
            vector: parameters, shape (parameter,).
            units: of other events, or None for those of these events.

        Raises:
            InputError: scores that are not finite, or all equal.
        """
        raw = [
            np.zeros(len(region.events)) if region.row is None else self.scorer.scores(vector, region.chunks)
            for region in self.regions
        ]
        bad = sum(int(np.sum(~np.isfinite(scores))) for scores in raw)
        if bad:
            raise InputError(
                f"{bad} scores became NaN or infinite in the training. Keep the function finite for all parameters and "
                "events (no logarithm of what can be negative), or restrain the parameters with weight_decay."
            )
        found = self.regions[0].units(raw[0]) if units is None else units
        if not found.spread > 1e-12 * (1.0 + abs(found.location)):
            raise InputError(
                f"All scores are {found.location:.6g}: at these parameters the function does not depend on its "
                "features. Start from other parameters."
            )
        in_units = [(scores - found.location) / found.spread for scores in raw]
        return [region.with_scores(s) for region, s in zip(self.regions, in_units, strict=True)], found

    def value(self, scored: Sequence[SoftEvents], thresholds: FloatArray, widths: FloatArray) -> float:
        """The objective, with the guards of the search, of events with their scores.

        Args:
            scored: from `scored`.
            thresholds: in the coordinates of the search, in units of scores where it is the score that is cut on,
                shape (threshold,).
            widths: likewise.
        """
        step = self.search.problem.step
        sums = [events.sums(thresholds[events.index], widths[events.index], step)[0] for events in scored]
        guarded, _ = self.search.of_sums(sums)
        penalty, _ = too_narrow(scored[0], thresholds, widths)
        return guarded - self.search.problem.objective.sign * abs(guarded) * penalty

    def slope(self, vector: FloatArray, thresholds: FloatArray, widths: FloatArray) -> Slope:
        """The objective at parameters of shape (parameter,) and its gradient; the rest as in `value`."""
        scored, units = self.scored(vector)
        step, sign = self.search.problem.step, self.search.problem.objective.sign
        at = [(thresholds[events.index], widths[events.index]) for events in scored]
        passes = [events.sums(*where, step) for events, where in zip(scored, at, strict=True)]
        guarded, slopes = self.search.of_sums([sums for sums, _ in passes])
        penalty, narrow = too_narrow(scored[0], thresholds, widths)
        factor = 1.0 - sign * np.sign(guarded) * penalty
        to_thresholds = -sign * abs(guarded) * narrow
        for (_, jacobian), slope, events in zip(passes, slopes, scored, strict=True):
            to_thresholds[events.index] += factor * np.einsum("ck,ctk->t", slope, jacobian)
        to_scores = [
            factor * region.slopes(events, slope, where, step)
            for region, events, slope, where in zip(self.regions, scored, slopes, at, strict=True)
        ]
        to_parameters = self._pull_back(vector, scored, to_scores, units)
        return Slope(guarded - sign * abs(guarded) * penalty, to_parameters, to_thresholds, units)

    def _pull_back(
        self, vector: FloatArray, scored: Sequence[SoftEvents], to_scores: Sequence[FloatArray], units: Units
    ) -> FloatArray:
        """Gradient to the parameters from slopes to the scores in their units, which move with the parameters."""
        rows = [events.values[r.row] for r, events in zip(self.regions, scored, strict=True) if r.row is not None]
        slopes = [c for r, c in zip(self.regions, to_scores, strict=True) if r.row is not None]
        regions = [r for r in self.regions if r.row is not None]
        to_location = sum(float(np.sum(c)) for c in slopes)
        to_spread = sum(float(np.sum(c * row)) for c, row in zip(slopes, rows, strict=True))
        total = np.zeros_like(vector)
        for number, (region, slope) in enumerate(zip(regions, slopes, strict=True)):
            # The first region, whose events define the units, is the signal region.
            moved = slope - region.shares * (to_location + to_spread * rows[0]) if number == 0 else slope
            total += self.scorer.pull_back(vector, region.chunks, moved / units.spread)
        return total


class Classification:
    """BCE of the raw scores plus an offset, the last number of the vector, read as logarithms of odds.

    Args:
        samples: their nominal events are classified.
        discriminant: standardized.
        scorer: the discriminant's function.
        figure: says what background counts in units of the signal.
    """

    def __init__(
        self, samples: Sequence[Sample], discriminant: Discriminant, scorer: Scorer, figure: AbstractCrossEntropy
    ) -> None:
        inputs = [discriminant.inputs(s.columns, missing=s.missing) for s in samples]
        self._chunks, self._scorer = chunks_of(np.concatenate(inputs)), scorer
        self._truth = np.concatenate([np.full(len(s), float(s.signal)) for s in samples])
        self._expected = np.concatenate([s.weights for s in samples])
        signal, background = totals_of(samples)
        of_background = float(figure.weight_of_background(signal, background))
        total = signal + of_background * background
        self._weights = self._expected * np.where(self._truth > 0, 1.0, of_background) / total

    def value(self, vector: FloatArray) -> float:
        """BCE at parameters and offset, shape (parameter + 1,)."""
        logits = self._logits(vector)
        return float(np.sum(self._weights * (np.logaddexp(0.0, logits) - self._truth * logits)))

    def slope(self, vector: FloatArray) -> tuple[float, FloatArray]:
        """BCE and its gradient."""
        logits = self._logits(vector)
        value = float(np.sum(self._weights * (np.logaddexp(0.0, logits) - self._truth * logits)))
        slopes = self._weights * (scipy.special.expit(logits) - self._truth)
        gradient = self._scorer.pull_back(vector[:-1], self._chunks, slopes)
        return value, np.append(gradient, slopes.sum())

    def accepted(self, vector: FloatArray) -> tuple[float, float]:
        """Expected signal and background of the events that are called signal, with odds above 1."""
        passed = self._expected * (self._logits(vector) > 0)
        signal = float(passed @ self._truth)
        return signal, float(np.sum(passed)) - signal

    def _logits(self, vector: FloatArray) -> FloatArray:
        return np.asarray(self._scorer.scores(vector[:-1], self._chunks) + vector[-1])
