"""Losses of single events: what an optimizer minimizes softly, and what is quoted of decisions."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Selection
from hepcuts.cuts.steps import AbstractStep, Sigmoid
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import EventTable
from hepcuts.templates.spreads import default_widths
from hepcuts.templates.templates import Templates

from . import classification
from .classification import LOG_LOSS_EPSILON
from .closed_forms import fraction
from .counts import Counts, Totals
from .figures import AbstractCurve, AbstractFigureOfMerit, Part, summed
from .rows import Rows, in_parts
from .soft_loss import SoftLossCurve
from .stationarity import AbstractStationarity, ErrorRate, TremblingCut

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
class BinaryCrossEntropy(AbstractDecisionLoss):
    """Binary cross-entropy, mean over the total weight.

    Its soft reading is the cross-entropy of the pass weights. Its hard reading is the log loss of decisions as
    scikit-learn defines it: their error rate times a constant, see `hepcuts.merit.classification.log_loss`.
    `SoftCrossEntropy` quotes the soft reading.

    Attributes:
        balanced: whether signal and background count equally in total.
    """

    sign: int = -1
    balanced: bool = dataclasses.field(default=False, kw_only=True)

    def of_events(self, step: AbstractStep) -> OfEvents:
        """See `AbstractEventFigure.of_events`."""
        return _cross_entropy(step, balanced=self.balanced)

    def of_decisions(self, missed: Any, accepted: Any, totals: Totals) -> Any:
        """See `AbstractDecisionLoss.of_decisions`."""
        if self.balanced:
            return _of_error_rate(0.5 * (fraction(missed, totals[0]) + fraction(accepted, totals[1])))
        return _of_error_rate(fraction(missed + accepted, totals[0] + totals[1]))

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`."""
        return ErrorRate(balanced=self.balanced)


def _of_error_rate(errors: Any) -> Any:
    right, wrong = -np.log1p(-LOG_LOSS_EPSILON), -np.log(LOG_LOSS_EPSILON)
    return errors * (wrong - right) + right


def _cross_entropy(step: AbstractStep, *, balanced: bool) -> OfEvents:
    def soft(table: EventTable, thresholds: Any, widths: Any) -> Any:
        n = table.num_nominal
        log_pass = table.selection.log_pass_weights(table.values[:, :n], table.missing[:, :n], thresholds, widths, step)
        return classification.binary_cross_entropy(
            table.is_signal, log_pass, weights=table.weights[:n], balanced=balanced
        )

    return soft


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


@dataclasses.dataclass(frozen=True)
class SoftCrossEntropy(AbstractEventFigure):
    """Binary cross-entropy of soft cuts of a fixed width as it stands, mean over the total weight.

    In a scan that of a sigmoid around each threshold. An optimizer moves through the soft stages of any objective, so
    there its soft reading is that of `BinaryCrossEntropy`; what is quoted is the one of this width.

    Attributes:
        width: of all cuts, in the units of their variables; None for each cut's own, or the default of
            `hepcuts.optimize`.

    Raises:
        InputError: the width is not positive and finite.

    Example:
        >>> from hepcuts.merit.theory import CutProblem
        >>> problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
        >>> print(round(problem.optimum(SoftCrossEntropy(width=10.0)).threshold, 6))
        68.025851
    """

    name: str = "bce_soft"
    label: str = "BCE of the soft cut"
    sign: int = -1
    width: float | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.width is not None and not (np.isfinite(self.width) and self.width > 0):
            raise InputError(f"The width of the sigmoid is {self.width:g}; expected a positive number.")

    @property
    def expensive(self) -> bool:
        """See `AbstractFigureOfMerit.expensive`."""
        return True

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`; known of a width that is given."""
        return None if self.width is None else TremblingCut(self.width)

    def of_events(self, step: AbstractStep) -> OfEvents:
        """See `AbstractEventFigure.of_events`."""
        return _cross_entropy(step, balanced=False)

    def curve(self, samples: Sequence[Sample], cut: AbstractCut) -> AbstractCurve | None:
        """See `AbstractFigureOfMerit.curve`."""
        if not isinstance(cut, Cut):
            raise InputError(f"{self.name!r} is that of one threshold, and {cut} has two; leave it out.")
        return SoftLossCurve.of(samples, cut, self._widths(samples, Selection([cut]))[0])

    def values(self, regions: Sequence[Rows]) -> FloatArray:  # noqa: ARG002
        """It has none of yields.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.name!r} is a function of the single events, not of yields; take 'bce'.")

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """See `AbstractFigureOfMerit.hard`; of the soft cuts of its width at these thresholds."""
        return self._loss(samples, selection)[0]

    def pooled(self, parts: Sequence[Part]) -> float:
        """See `AbstractFigureOfMerit.pooled`."""
        losses, weights = zip(*(self._loss(samples, selection) for samples, _, selection in parts), strict=True)
        return float(np.average(losses, weights=weights))

    def _widths(self, samples: Sequence[Sample], selection: Selection) -> FloatArray:
        if self.width is not None:
            return np.full(len(selection.cut_of_threshold), self.width)
        own = [selection.cuts[cut].width for cut in selection.cut_of_threshold]
        if None not in own:
            return np.array(own, dtype=np.float64)
        default = default_widths(samples, selection)
        return np.array([d if w is None else w for w, d in zip(own, default, strict=True)], dtype=np.float64)

    def _loss(self, samples: Sequence[Sample], selection: Selection) -> tuple[float, float]:
        """The loss of a selection, and the weight of the events."""
        table = EventTable.of(samples, selection)
        widths = self._widths(samples, selection)
        soft = float64_scope(_cross_entropy(Sigmoid(), balanced=False))
        weight = sum(float(np.sum(sample.weights)) for sample in samples)
        return float(soft(table, np.array(selection.thresholds, dtype=np.float64), widths)), weight
