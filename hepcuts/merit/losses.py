"""Losses of single events: what an optimizer minimizes softly, and what is quoted of decisions."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.cuts.steps import AbstractStep
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import EventTable
from hepcuts.templates.templates import Templates

from . import classification
from .closed_forms import fraction
from .counts import Counts, Totals
from .figures import AbstractFigureOfMerit, Part, summed
from .rows import Rows, in_parts

OfEvents = Callable[[EventTable, Any, Any], Any]
"""A function of events, thresholds and widths, the last two of shape (threshold,): one scalar. Pure JAX."""


@dataclasses.dataclass(frozen=True)
class AbstractEventFigure(AbstractFigureOfMerit):
    """Interface of the losses of single events.

    Such a loss has two readings. The *soft* one is that of the pass weights of soft cuts, which an optimizer
    differentiates; the *hard* one is what is quoted of a cut, and of a threshold in a scan.
    """

    @abc.abstractmethod
    def of_events(self, step: AbstractStep) -> OfEvents:
        """The soft reading, with the step function of the soft cuts."""

    @property
    def needs_background(self) -> bool:
        """See `AbstractFigureOfMerit.needs_background`; a loss does not divide by it."""
        return False


@dataclasses.dataclass(frozen=True)
class AbstractDecisionLoss(AbstractEventFigure):
    """Interface of the losses whose hard reading is one of decisions: signal is what passes, and lies on the axis."""

    @abc.abstractmethod
    def of_decisions(self, missed: Any, accepted: Any, totals: Totals) -> Any:
        """The hard reading, of arrays of any common shape.

        Args:
            missed: expected signal that fails.
            accepted: expected background that passes.
            totals: expected signal and background in all.
        """

    def values(self, regions: Sequence[Rows]) -> FloatArray:
        """See `AbstractFigureOfMerit.values`; of the first region."""
        return in_parts(self.of_counts, regions[0])

    def of_counts(self, counts: Counts) -> FloatArray:
        """The hard reading of counts of NumPy; NaN where the wrong decisions of a kind have a negative sum."""
        s, b = counts.passed
        # A difference of large numbers, but one that is compared to them: its rounding is 1e-16 of all signal, and so
        # is that of the loss, in which what is missed stands beside the weight of all events.
        missed = counts.all_signal - s
        # Nothing is missed up to the rounding of two sums.
        none = -1e-12 * np.abs(counts.all_signal)
        values: FloatArray = np.asarray(self.of_decisions(missed, b, (counts.all_signal, counts.all_background)))
        if np.min(b) >= 0 and np.min(missed) >= 0:
            return values
        return np.where((b < 0) | (missed < none), np.nan, values)

    def reason(self, rows: Rows, position: int) -> str:
        """See `AbstractFigureOfMerit.reason`."""
        s, b, all_signal = (
            np.broadcast_to(a, len(rows))[position] for a in (rows.signal, rows.background, rows.all_signal)
        )
        if b < 0:
            return rows.reason(position)
        if all_signal - s < 0:
            return (
                f"the negative weights of the signal that fails outweigh the positive ones (sum {all_signal - s:.4g})"
            )
        return "there is no signal or no background at all"

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:
        """See `AbstractFigureOfMerit.hard`."""
        return self.pooled([(samples, templates, selection)])

    def pooled(self, parts: Sequence[Part]) -> float:
        """See `AbstractFigureOfMerit.pooled`."""
        templates, totals = summed(parts)
        return float(self.values([Rows.of_templates(templates[0], totals)])[0])


@dataclasses.dataclass(frozen=True)
class SquaredError(AbstractDecisionLoss):
    """Squared difference of truth and pass weight, summed over all events; of decisions the sum of the wrong ones.

    Attributes:
        balanced: whether signal and background count equally in total.
    """

    sign: int = -1
    balanced: bool = dataclasses.field(default=False, kw_only=True)

    def of_events(self, step: AbstractStep) -> OfEvents:
        """See `AbstractEventFigure.of_events`."""

        def soft(table: EventTable, thresholds: Any, widths: Any) -> Any:
            n = table.num_nominal
            passed = table.selection.pass_weights(table.values[:, :n], table.missing[:, :n], thresholds, widths, step)
            return classification.squared_error(
                table.is_signal, passed, weights=table.weights[:n], balanced=self.balanced, normalize=False
            )

        return soft

    def of_decisions(self, missed: Any, accepted: Any, totals: Totals) -> Any:
        """See `AbstractDecisionLoss.of_decisions`."""
        if not self.balanced:
            return missed + accepted
        half = 0.5 * (totals[0] + totals[1])
        return half * (fraction(missed, totals[0]) + fraction(accepted, totals[1]))
