"""Binary cross-entropies: of equal, balanced and given weights of the background, and of a soft cut as it stands."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts._core.precision import float64_scope, namespace
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
from .conditions import log1p_deficit
from .counts import Totals
from .figures import AbstractCurve, Part
from .losses import AbstractDecisionLoss, AbstractEventFigure, OfEvents
from .rows import Rows
from .soft_loss import SoftLossCurve
from .stationarity import AbstractStationarity, ErrorRate, TremblingCut


@dataclasses.dataclass(frozen=True)
class AbstractCrossEntropy(AbstractDecisionLoss):
    """Interface of the binary cross-entropies, means over the total weight, that differ in the background's weight.

    Their soft reading is the cross-entropy of the pass weights. Their hard reading is the log loss of decisions as
    scikit-learn defines it: their error rate times a constant, see `hepcuts.merit.classification.log_loss`.
    `SoftCrossEntropy` quotes the soft reading.
    """

    @abc.abstractmethod
    def weight_of_background(self, signal: Any, background: Any) -> Any:
        """What background counts, in units of the signal.

        Args:
            signal: expected before the cuts, of NumPy or JAX and of any shape.
            background: likewise.
        """

    def of_events(self, step: AbstractStep) -> OfEvents:
        """See `AbstractEventFigure.of_events`."""
        return _cross_entropy(step, self.weight_of_background)

    def of_decisions(self, missed: Any, accepted: Any, totals: Totals) -> Any:
        """See `AbstractDecisionLoss.of_decisions`."""
        weight = self.weight_of_background(*totals)
        return _of_error_rate(fraction(missed + weight * accepted, totals[0] + weight * totals[1]))

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`."""
        return ErrorRate(self.weight_of_background)


@dataclasses.dataclass(frozen=True)
class BinaryCrossEntropy(AbstractCrossEntropy):
    """Binary cross-entropy.

    Attributes:
        balanced: whether signal and background count equally in total.
    """

    sign: int = -1
    balanced: bool = dataclasses.field(default=False, kw_only=True)

    def weight_of_background(self, signal: Any, background: Any) -> Any:
        """See `AbstractCrossEntropy.weight_of_background`."""
        return fraction(signal, background) if self.balanced else 1.0


@dataclasses.dataclass(frozen=True)
class WeightedCrossEntropy(AbstractCrossEntropy):
    """Binary cross-entropy in which background counts `background_weight` times.

    Of all selections the one with the best Asimov significance also has the smallest loss, if the weight is
    `r / ln(1 + r) - 1` with its `r = S / B` (`hepcuts.theory.conditions.asimov`). `hepcuts.theory.rounds`,
    `hepcuts.discriminant.cut_score` and `hepcuts.train` find that weight.

    Attributes:
        background_weight: what an accepted background event costs in units of a missed signal event, positive; None
            for the first weight of that search, that of S / B before the cuts. Its selection is never worse than none.

    Raises:
        InputError: the weight is not positive and finite.

    Example:
        >>> from hepcuts.merit.theory import CutProblem
        >>> problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
        >>> best = problem.optimum("asimov")
        >>> weighted = WeightedCrossEntropy(background_weight=best.density_ratio)
        >>> print(f"{best.threshold:.6f} {problem.optimum(weighted).threshold:.6f}")
        47.166271 47.166271
    """

    name: str = "weighted_bce"
    label: str = "weighted log loss"
    sign: int = -1
    background_weight: float | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.background_weight is not None:
            checks.positive("background_weight", self.background_weight)

    def weight_of_background(self, signal: Any, background: Any) -> Any:
        """See `AbstractCrossEntropy.weight_of_background`."""
        if self.background_weight is not None:
            return self.background_weight
        ratio = fraction(signal, background)
        return log1p_deficit(ratio) / namespace(ratio).log1p(ratio)


def _equal(signal: Any, background: Any) -> float:  # noqa: ARG001 (see AbstractCrossEntropy.weight_of_background)
    return 1.0


def _of_error_rate(errors: Any) -> Any:
    right, wrong = -np.log1p(-LOG_LOSS_EPSILON), -np.log(LOG_LOSS_EPSILON)
    return errors * (wrong - right) + right


def _cross_entropy(step: AbstractStep, weight_of_background: Callable[[Any, Any], Any]) -> OfEvents:
    def soft(table: EventTable, thresholds: Any, widths: Any) -> Any:
        n = table.num_nominal
        log_pass = table.selection.log_pass_weights(table.values[:, :n], table.missing[:, :n], thresholds, widths, step)
        weights = jnp.asarray(table.weights[:n])
        signal = jnp.sum(jnp.where(table.is_signal, weights, 0.0))
        of_background = weight_of_background(signal, jnp.sum(weights) - signal)
        weights = jnp.where(table.is_signal, weights, of_background * weights)
        return classification.binary_cross_entropy(table.is_signal, log_pass, weights=weights)

    return soft


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
        return _cross_entropy(step, _equal)

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
        soft = float64_scope(_cross_entropy(Sigmoid(), _equal))
        weight = sum(float(np.sum(sample.weights)) for sample in samples)
        return float(soft(table, np.array(selection.thresholds, dtype=np.float64), widths)), weight
