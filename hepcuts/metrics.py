"""Metrics of a scan: every figure of merit as a function of the yields behind many thresholds at once.

A metric is a class that turns a `Table` into one value for each threshold, and says whether larger is better. Where
it has no value it is NaN, and `Table.reason` tells why.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import counting
from ._types import FloatArray
from .classification import LOG_LOSS_EPSILON
from .errors import InputError
from .templates import Structure, Yields, background_variance


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Yields behind each threshold.

    Attributes:
        thresholds: shape (threshold,).
        yields: values and variances of shape (threshold, variation, sample, bin).
        structure: samples and variations.
        all_signal: expected signal before the cut.
        all_background: expected background before the cut.
        punzi_a: number of standard deviations of Punzi's figure of merit.
    """

    thresholds: FloatArray
    yields: Yields
    structure: Structure
    all_signal: float
    all_background: float
    punzi_a: float = 5.0

    @functools.cached_property
    def bins(self) -> tuple[FloatArray, FloatArray]:
        """Expected signal and background, each of shape (threshold, bin)."""
        signal = np.array([component.signal for component in self.structure.components])
        nominal = np.asarray(self.yields.values)[:, 0]
        return nominal[:, signal].sum(1), nominal[:, ~signal].sum(1)

    @property
    def signal(self) -> FloatArray:
        """Expected signal behind the cut, shape (threshold,)."""
        total: FloatArray = self.bins[0].sum(-1)
        return total

    @property
    def background(self) -> FloatArray:
        """Expected background behind the cut, shape (threshold,)."""
        total: FloatArray = self.bins[1].sum(-1)
        return total

    @property
    def sigma_background(self) -> FloatArray:
        """Its uncertainty from systematics and finite simulation, shape (threshold,)."""
        variance: FloatArray = np.asarray(background_variance(self.structure, self.yields), dtype=np.float64)
        return np.sqrt(variance)

    @property
    def effective_background(self) -> FloatArray:
        """Effective number of simulated background events behind the cut, shape (threshold,)."""
        background = np.array([not component.signal for component in self.structure.components])
        total = np.asarray(self.yields.values)[:, 0][:, background].sum((-2, -1))
        squares = np.asarray(self.yields.variances)[:, 0][:, background].sum((-2, -1))
        effective: FloatArray = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
        return effective

    def reason(self, position: int) -> str:
        """Why a metric has no value at a threshold, in words."""
        s, b = self.signal[position], self.background[position]
        if b == 0:
            return f"no background is left ({s:.4g} signal events expected)"
        if b < 0:
            return f"the background's negative weights outweigh the positive ones (sum {b:.4g})"
        if s + b < 0:
            return f"signal plus background is negative ({s + b:.4g})"
        for component, total in zip(
            self.structure.components, np.asarray(self.yields.values)[position, 0].sum(-1), strict=True
        ):
            if total < 0:
                return f"sample {component.name!r} has a negative yield ({total:.4g})"
        signal, background = (part[position] for part in self.bins)
        bad = np.flatnonzero((background < 0) | ((background == 0) & (signal != 0)))
        if len(bad):
            return f"no positive background is left in bin {', '.join(map(str, bad))}"
        return "the formula has no value here"


@dataclasses.dataclass(frozen=True)
class AbstractMetric(abc.ABC):
    """Interface of the metrics.

    Attributes:
        name: the name by which `metric` finds it.
        label: for axes of figures, in mathtext.
        sign: +1 if larger is better, -1 for a loss.
    """

    name: str
    label: str
    sign: int = 1

    @abc.abstractmethod
    def __call__(self, table: Table) -> FloatArray:
        """Values, shape (threshold,)."""


@dataclasses.dataclass(frozen=True)
class ClosedForm(AbstractMetric):
    """A formula of signal, background and their context, vectorized over thresholds."""

    formula: Callable[[Table], Any] = lambda table: table.signal

    def __call__(self, table: Table) -> FloatArray:
        """See `AbstractMetric.__call__`."""
        values = np.asarray(self.formula(table), dtype=np.float64)
        return np.where(table.background > 0, values, np.nan) if self.sign > 0 else values


def _in_quadrature(formula: Callable[[Any, Any], Any]) -> Callable[[Table], Any]:
    """Bins are independent experiments: their squared significances add. Bins without any events add nothing."""

    def combined(table: Table) -> Any:
        s, b = table.bins
        empty = (s == 0) & (b == 0)
        values = np.where(empty, 0.0, formula(s, np.where(empty, 1.0, b)))
        return values[..., 0] if values.shape[-1] == 1 else np.sqrt(np.sum(values**2, axis=-1))

    return combined


def hard_log_loss(table: Table) -> FloatArray:
    """Log loss of the cut's decisions: the error rate times a constant, see `hepcuts.classification.log_loss`."""
    total = table.all_signal + table.all_background
    errors = (table.all_signal - table.signal + table.background) / total
    return _of_error_rate(errors)


def _of_error_rate(errors: FloatArray) -> FloatArray:
    loss: FloatArray = -np.log(LOG_LOSS_EPSILON) * errors - np.log1p(-LOG_LOSS_EPSILON) * (1.0 - errors)
    return loss


def _balanced_log_loss(table: Table) -> FloatArray:
    missed = (table.all_signal - table.signal) / table.all_signal
    errors = 0.5 * (missed + table.background / table.all_background)
    return _of_error_rate(errors)


def _z_bi(table: Table) -> Any:
    """Z_Bi of the Asimov counts: on = S + B, with the background known as from tau = B / sigma_B^2 times as many."""
    b, variance = table.background, table.sigma_background**2
    good = (b > 0) & (variance > 0)
    tau = np.divide(b, variance, out=np.ones_like(b), where=good)
    return np.where(good, counting.binomial_significance(table.signal + b, tau * b, tau), np.nan)


METRICS: tuple[AbstractMetric, ...] = (
    ClosedForm("bce", "log loss (hard BCE)", sign=-1, formula=hard_log_loss),
    ClosedForm("bce_balanced", "balanced log loss", sign=-1, formula=_balanced_log_loss),
    ClosedForm("s_over_sqrt_b", r"$S/\sqrt{B}$", formula=_in_quadrature(counting.s_over_sqrt_b)),
    ClosedForm("s_over_sqrt_s_plus_b", r"$S/\sqrt{S+B}$", formula=_in_quadrature(counting.s_over_sqrt_s_plus_b)),
    ClosedForm(
        "s_over_sqrt_b_plus_variance",
        r"$S/\sqrt{B+\sigma_B^2}$",
        formula=lambda t: counting.s_over_sqrt_b_plus_variance(t.signal, t.background, t.sigma_background),
    ),
    ClosedForm("asimov", r"$Z_A$", formula=_in_quadrature(counting.asimov_significance)),
    ClosedForm(
        "asimov_uncertainty",
        r"$Z_A$ with $\sigma_B$",
        formula=lambda t: counting.asimov_significance(t.signal, t.background, t.sigma_background),
    ),
    ClosedForm("binomial", r"$Z_\mathrm{Bi}$", formula=_z_bi),
    ClosedForm(
        "punzi",
        r"Punzi $\epsilon_S/(a/2+\sqrt{B})$",
        formula=lambda t: counting.punzi(t.signal / t.all_signal, t.background, t.punzi_a),
    ),
)


def metric(name: str, extra: tuple[AbstractMetric, ...] = ()) -> AbstractMetric:
    """A metric by its name.

    Raises:
        InputError: the name is unknown; the message lists the known ones.
    """
    by_name = {m.name: m for m in (*METRICS, *extra)}
    if name not in by_name:
        raise InputError(f"There is no metric {name!r}; choose among {', '.join(by_name)}.")
    return by_name[name]
