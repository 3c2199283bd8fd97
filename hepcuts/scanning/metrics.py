"""Metrics of a scan: every figure of merit as a function of the yields behind many thresholds at once.

A metric is a class that turns a `Table` into one value for each threshold, and says whether larger is better. Where
it has no value it is NaN, and `Table.reason` tells why.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.merit import counting
from hepcuts.merit.classification import LOG_LOSS_EPSILON
from hepcuts.templates.templates import Structure, Yields, background_variance

_NUMBERS = 4_000_000
"""Yields that are held at once; a scan of many thresholds, systematics and bins has more."""


_CACHED = 16384
"""Rows of which a formula is evaluated at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Yields behind each threshold, in short: what closed forms need.

    A *row* is one selection: a threshold, or the two edges of a window.

    Attributes:
        thresholds: shape (row,), or (row, 2) for a window.
        structure: samples and variations.
        yields_at: positions of rows -> their values and variances, shape (row, variation, sample, bin).
        bins: expected signal and background, each of shape (row, bin).
        totals: expected events of each sample, shape (row, sample).
        sigma_background: uncertainty of the background from systematics and finite simulation, shape (row,).
        effective_background: effective number of simulated background events, shape (row,).
        all_signal: expected signal before the cut, a number or shape (row,).
        all_background: expected background before the cut, a number or shape (row,).
        punzi_a: number of standard deviations of Punzi's figure of merit.
    """

    thresholds: FloatArray
    structure: Structure
    yields_at: Callable[[Any], Yields]
    bins: tuple[FloatArray, FloatArray]
    totals: FloatArray
    sigma_background: FloatArray
    effective_background: FloatArray
    all_signal: Any
    all_background: Any
    punzi_a: float = 5.0

    @classmethod
    def of(
        cls,
        thresholds: FloatArray,
        structure: Structure,
        yields_at: Callable[[Any], Yields],
        totals: tuple[Any, Any],
        *,
        punzi_a: float = 5.0,
    ) -> "Table":
        """Sum up the yields of all rows, some rows at a time.

        Args:
            thresholds: shape (row,) or (row, 2).
            structure: samples and variations.
            yields_at: as the attribute.
            totals: expected signal and background before the cut.
            punzi_a: as the attribute.
        """
        # Copies: views would keep the yields of all variations of all parts.
        parts = [
            [np.array(column) for column in _in_short(structure, yields_at(chunk))]
            for chunk in chunks_of(len(thresholds), structure)
        ]
        joined = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
        signal, background, by_sample, sigma, effective = joined
        return cls(
            thresholds,
            structure,
            yields_at,
            (signal, background),
            by_sample,
            sigma,
            effective,
            *totals,
            punzi_a=punzi_a,
        )

    def take(self, rows: Any) -> "Table":
        """Some of the rows."""
        all_signal, all_background = (
            total[rows] if np.ndim(total) else total for total in (self.all_signal, self.all_background)
        )
        return dataclasses.replace(
            self,
            thresholds=self.thresholds[rows],
            yields_at=lambda at: self.yields_at(np.arange(len(self.thresholds))[rows][at]),
            bins=(self.bins[0][rows], self.bins[1][rows]),
            totals=self.totals[rows],
            sigma_background=self.sigma_background[rows],
            effective_background=self.effective_background[rows],
            all_signal=all_signal,
            all_background=all_background,
        )

    @functools.cached_property
    def signal(self) -> FloatArray:
        """Expected signal behind the cut, shape (row,)."""
        return _over_bins(self.bins[0])

    @functools.cached_property
    def background(self) -> FloatArray:
        """Expected background behind the cut, shape (row,)."""
        return _over_bins(self.bins[1])

    @functools.cached_property
    def all_have_background(self) -> bool:
        """Whether any background is expected in every row."""
        return bool(np.all(self.background > 0))

    def reason(self, position: int) -> str:
        """Why a metric has no value at a threshold, in words."""
        s, b = self.signal[position], self.background[position]
        if b == 0:
            return f"no background is left ({s:.4g} signal events expected)"
        if b < 0:
            return f"the background's negative weights outweigh the positive ones (sum {b:.4g})"
        if s + b < 0:
            return f"signal plus background is negative ({s + b:.4g})"
        for component, total in zip(self.structure.components, self.totals[position], strict=True):
            if total < 0:
                return f"sample {component.name!r} has a negative yield ({total:.4g})"
        signal, background = (part[position] for part in self.bins)
        bad = np.flatnonzero((background < 0) | ((background == 0) & (signal != 0)))
        if len(bad):
            return f"no positive background is left in bin {', '.join(map(str, bad))}"
        return "the formula has no value here"


def chunks_of(rows: int, structure: Structure) -> list[slice]:
    """Rows in parts whose yields are held at once."""
    size = max(1, _NUMBERS // (len(structure.variations) * len(structure.components) * structure.num_bins))
    return [slice(first, first + size) for first in range(0, rows, size)]


def _over_bins(yields: FloatArray) -> FloatArray:
    total: FloatArray = yields[:, 0] if yields.shape[1] == 1 else yields.sum(-1)
    return total


def _in_short(structure: Structure, yields: Yields) -> tuple[FloatArray, ...]:
    """Signal and background by bin, totals by sample, uncertainty and effective events of the background."""
    values, variances = np.asarray(yields.values)[:, 0], np.asarray(yields.variances)[:, 0]
    is_signal = np.array([component.signal for component in structure.components])
    signal, background = (_over_samples(values, chosen) for chosen in (is_signal, ~is_signal))
    squares, total = _over_bins(_over_samples(variances, ~is_signal)), _over_bins(background)
    effective = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    variance = np.asarray(background_variance(structure, yields), dtype=np.float64)
    by_sample = values[..., 0] if values.shape[-1] == 1 else values.sum(-1)
    return signal, background, by_sample, np.sqrt(variance), effective


def _over_samples(values: FloatArray, chosen: Any) -> FloatArray:
    positions = np.flatnonzero(chosen)
    total: FloatArray = values[:, positions[0]] if len(positions) == 1 else values[:, positions].sum(1)
    return total


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
        if self.sign < 0 or table.all_have_background:
            return values
        return np.where(table.background > 0, values, np.nan)

    def __reduce__(self) -> Any:
        # Formulas are functions without a name of their own.
        return metric, (self.name,)


def _in_quadrature(formula: Callable[[Any, Any], Any]) -> Callable[[Table], Any]:
    """Bins are independent experiments: their squared significances add. Bins without any events add nothing."""

    def combined(table: Table) -> Any:
        s, b = table.bins
        if s.shape[-1] == 1:
            return formula(table.signal, table.background)
        empty = (s == 0) & (b == 0)
        values = np.where(empty, 0.0, formula(s, np.where(empty, 1.0, b)))
        return np.sqrt(np.sum(values**2, axis=-1))

    return combined


def fraction(part: Any, whole: Any) -> FloatArray:
    """A part of a total; NaN where that is zero, as in replicas of few events."""
    found: FloatArray = part / np.where(whole == 0, np.nan, whole)
    return found


def hard_log_loss(table: Table) -> FloatArray:
    """Log loss of the cut's decisions: the error rate times a constant, see `hepcuts.merit.classification.log_loss`."""
    wrong = table.all_signal - table.signal + table.background
    return _of_error_rate(fraction(wrong, table.all_signal + table.all_background))


def _of_error_rate(errors: FloatArray) -> FloatArray:
    right, wrong = -np.log1p(-LOG_LOSS_EPSILON), -np.log(LOG_LOSS_EPSILON)
    loss: FloatArray = errors * (wrong - right)
    loss += right
    return loss


def _balanced_log_loss(table: Table) -> FloatArray:
    missed = fraction(table.all_signal - table.signal, table.all_signal)
    return _of_error_rate(0.5 * (missed + fraction(table.background, table.all_background)))


_SAME_SHAPE = 1024
"""Rows at which Z_Bi is evaluated at once."""


def _z_bi(table: Table) -> Any:
    """Z_Bi of the Asimov counts: on = S + B, with the background known as from tau = B / sigma_B^2 times as many."""
    b, variance = table.background, table.sigma_background**2
    # No event expected at all has a p-value of 1: minus infinity, which nothing can be compared with.
    good = np.flatnonzero((b > 0) & (variance > 0) & (table.signal + b > 0))
    values = np.full(len(b), np.nan)
    s, b, tau = table.signal[good], b[good], b[good] / variance[good]
    for first in range(0, len(good), _SAME_SHAPE):
        part = slice(first, first + _SAME_SHAPE)
        # JAX compiles for each shape anew: the last part is filled up.
        filled = (np.resize(a[part], _SAME_SHAPE) for a in (s + b, tau * b, tau))
        values[good[part]] = counting.binomial_significance(*filled)[: len(good[part])]
    return values


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
        formula=lambda t: counting.punzi(fraction(t.signal, t.all_signal), t.background, t.punzi_a),
    ),
)


def closed_forms(metrics: Sequence[AbstractMetric], table: Table) -> list[FloatArray]:
    """Values of some metrics, each of shape (row,), in parts whose intermediate results a processor's cache holds."""
    values = np.empty((len(metrics), len(table.thresholds)))
    for first in range(0, len(table.thresholds), _CACHED):
        rows = slice(first, first + _CACHED)
        part = table.take(rows)
        for m, target in zip(metrics, values, strict=True):
            target[rows] = m(part)
    return list(values)


def metric(name: str, extra: tuple[AbstractMetric, ...] = ()) -> AbstractMetric:
    """A metric by its name.

    Raises:
        InputError: the name is unknown; the message lists the known ones.
    """
    by_name = {m.name: m for m in (*METRICS, *extra)}
    if name not in by_name:
        raise InputError(f"There is no metric {name!r}; choose among {', '.join(by_name)}.")
    return by_name[name]
