"""Optima of a scan, and what is to be known beside them: an optimum is not a number."""

import dataclasses
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.decimals import between, exact
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.rows import Rows
from hepcuts.templates.binned import HistogramSums
from hepcuts.templates.cumulative import Cumulative
from hepcuts.templates.simulated import FEW_EVENTS, FEW_SIGNAL
from hepcuts.templates.templates import Yields
from hepcuts.templates.uncertainties import hidden, same_sided

from .table import Table

Threshold = float | tuple[float, float]
"""Of a cut, or the two edges of a window."""
Range = tuple[float, float] | tuple[tuple[float, float], tuple[float, float]]
"""Smallest and largest threshold; of a window that of either edge."""

_NEIGHBORS = 40
"""Cuts that the effects of systematics at an optimum are compared with. Chosen by hand."""

HEAD = ("metric", "best cut", "within 1 %", "68 % of replicas", "value", "held out", "signal", "background", "events")
RESAMPLED = ("68 % of replicas", "held out")
"""Columns that take replicas and parts of the events."""


@dataclasses.dataclass(frozen=True)
class Optimum:
    """Where a metric is best, and what that rests on.

    Attributes:
        metric: name of the metric.
        threshold: the best threshold; of a window its two edges.
        value: the metric there, on the events that chose the threshold: on average too good.
        uncertainty: one standard deviation of the metric at this threshold from the finite simulation, by bootstrap
            replicas of the events.
        held_out: the metric on events that did not choose the threshold: each part of the events after the cut that
            the other parts choose, summed over the parts. What it is too large of few events on average is taken off
            to first order (`hepcuts.evaluation.convexity`), unless there are more than 200 samples times bins.
        plateau: smallest and largest threshold around the best at which the metric is within 1 % of its best.
        statistical_plateau: smallest and largest threshold at which the metric is within one standard deviation of its
            best (of the difference, which is much smaller than that of the value). Between them there may be worse
            ones: from event to event a metric fluctuates.
        interval: where the best threshold of a replica of the events lies, central 68 %.
        signal: expected signal after the cut.
        background: expected background after the cut.
        effective_background: effective number of simulated events of the weakest background after the cut.
        vanished: in words, each background of which no simulated event is left after the cut.
        excluded: what the guard against too few of them excluded, "" if nothing.
        message: what to keep in mind.
        text: the threshold with as few digits as select the same events.
    """

    metric: str
    threshold: Any
    value: float
    plateau: Any
    signal: float
    background: float
    effective_background: float
    message: str
    uncertainty: float = np.nan
    held_out: float = np.nan
    statistical_plateau: Any = (np.nan, np.nan)
    interval: Any = (np.nan, np.nan)
    excluded: str = ""
    text: str = ""
    vanished: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """As text, one cell for each column of `HEAD`."""
        return (
            self.metric,
            self.text or shown(self.threshold),
            _between(self.plateau),
            _between(self.interval),
            f"{self.value:.5g}" + (f" +- {self.uncertainty:.2g}" if np.isfinite(self.uncertainty) else ""),
            f"{self.held_out:.5g}" if np.isfinite(self.held_out) else "",
            f"{self.signal:.5g}",
            f"{self.background:.5g}",
            f"{self.effective_background:.4g}" + (" !" if self.effective_background < FEW_EVENTS else ""),
        )


@dataclasses.dataclass(frozen=True)
class Choice:
    """The threshold that one metric chooses, judged by another one (the profile likelihood).

    Attributes:
        metric: name of the metric.
        threshold: its best threshold.
        value: the metric there.
        plateau: thresholds around it at which the metric is within 1 % of its best.
        significance: discovery significance of the profile likelihood at this threshold; NaN if it has none.
        loss: by how much that is less than the best one.
        fraction: that significance over the best one.
        held_out: significance on events that did not choose the threshold, see `Optimum`; NaN without folds.
        effective_background: effective number of simulated events of the weakest background after the cut.
    """

    metric: str
    threshold: Any
    value: float
    plateau: Any
    significance: float
    loss: float
    fraction: float
    held_out: float
    effective_background: float


def guarded(
    metric: AbstractFigureOfMerit,
    rows: Rows,
    min_background: float,
    min_expected: float | None = None,
    *,
    share: float = 1.0,
    replicas: int = 1,
) -> NDArray[np.bool_]:
    """Rows whose value of a metric may be trusted, shape (row,).

    A figure of merit divides by the background: where a fluctuation has left few simulated events of it, it is best.
    Losses do not. What counts is the weakest background (`hepcuts.templates.simulated`). Where a
    formula needs so many expected ones they are asked for, too; by default as many as the metric says. And if any row
    of a replica has `FEW_SIGNAL` effective signal events, its others are not trusted.

    Args:
        metric: the metric.
        rows: of all replicas, those of one after those of the other.
        min_background: least effective number of simulated background events.
        min_expected: least expected background; None for what the metric says.
        share: of the simulated events that the rows are of: as much less is asked for, so that parts of the events
            choose among the cuts that all events may choose.
        replicas: how many.
    """
    if not metric.needs_background:
        return np.ones(len(rows.effective_background), dtype=bool)
    enough = rows.effective_background >= share * min_background
    if min_background > 0:
        signal, few = rows.effective_signal.reshape(replicas, -1), share * FEW_SIGNAL
        without = signal.max(axis=-1, keepdims=True, initial=0.0) < few
        enough = enough & (without | (signal >= few)).ravel()
    expected = metric.min_expected if min_expected is None else min_expected
    return enough & (rows.background >= expected) if expected > 0 else enough


def trusted(metric: AbstractFigureOfMerit, rows: Rows, values: FloatArray, least: float) -> NDArray[np.bool_]:
    """Rows among which the optimum is, shape (row,): those of the first guard that leaves any with a value."""
    guards = [guarded(metric, rows, *wanted) for wanted in lowered(metric, least)]
    return next((allowed for allowed in guards if np.any(allowed & np.isfinite(values))), guards[-1])


def lowered(metric: AbstractFigureOfMerit, least: float) -> tuple[tuple[float, float], ...]:
    """The guard and those in its place if no row satisfies it: simulated and expected background events.

    Any simulated event of each background that matters; any number of expected ones; nothing at all.
    """
    any_event = min(least, float(np.finfo(np.float64).tiny))
    return (least, metric.min_expected), (any_event, metric.min_expected), (any_event, 0.0), (0.0, 0.0)


def best_row(metric: AbstractFigureOfMerit, values: FloatArray, allowed: NDArray[np.bool_]) -> int:
    """The row at which a metric is best among those allowed; -1 if there is none."""
    usable = np.where(allowed, metric.sign * values, np.nan)
    return int(np.nanargmax(usable)) if np.any(np.isfinite(usable)) else -1


def exclusion(
    metric: AbstractFigureOfMerit, table: Table, values: FloatArray, best: int, min_background: float
) -> tuple[str, bool]:
    """What the guard excluded, in words, and whether any of it would have been better."""
    out = ~guarded(metric, table.rows, min_background) & np.isfinite(values)
    if not out.any():
        return "", False
    expected = f", or {metric.min_expected:g} expected ones" if metric.min_expected > 0 else ""
    few = (table.rows.effective_signal < FEW_SIGNAL)[out].any() and table.rows.effective_signal.max() >= FEW_SIGNAL
    few_signal = f", or {FEW_SIGNAL:g} of the signal" if few else ""
    what = (
        f"{out.sum()} of {len(values)} thresholds with less than {min_background:g} effective background "
        f"events{expected}{few_signal}"
    )
    top = best_row(metric, values, out)
    if metric.sign * values[top] <= metric.sign * values[best]:
        return f"{what} (none is better)", False
    effective = table.rows.effective_background[top]
    gone = "".join(f" ({words})" for words in table.rows.vanished(top))
    return (
        f"{what}; the best is {shown(table.thresholds[top])}: {values[top]:.5g} on {effective:.1f} events{gone}",
        True,
    )


def systematics_at(rows: Rows, best: int) -> tuple[str, ...]:
    """In words, what to keep in mind of systematics after a cut: see `hepcuts.templates.uncertainties`.

    Neighboring cuts leave between half and twice as much background.
    """
    if not rows.structure.systematics:
        return ()
    near = np.flatnonzero(
        (rows.background > 0.5 * rows.background[best]) & (rows.background < 2 * rows.background[best])
    )
    chosen = near[np.unique(np.linspace(0, len(near) - 1, _NEIGHBORS).round().astype(int))] if len(near) else near
    yields = rows.yields_at(np.append(best, chosen))
    here, *there = (Yields(*tables) for tables in zip(yields.values, yields.variances, strict=True))
    return *same_sided(rows.structure, here), *hidden(rows.structure, here, there)


def ranges(thresholds: FloatArray, best: int, good: NDArray[np.bool_], *, gaps: bool = False) -> Range:
    """Smallest and largest threshold around the best one up to which all are good; each edge of a window for itself.

    Args:
        thresholds: shape (row,), ascending, or (row, 2).
        best: the best row.
        good: shape (row,).
        gaps: whether there may be worse ones between: the smallest and the largest good one.
    """
    if thresholds.ndim == 1:
        return _around(thresholds, best, good, gaps=gaps)
    sides = []
    for edge in (0, 1):
        # The other edge stays where it is.
        rows = np.flatnonzero(thresholds[:, 1 - edge] == thresholds[best, 1 - edge])
        rows = rows[np.argsort(thresholds[rows, edge])]
        position = int(np.flatnonzero(rows == best)[0])
        sides.append(_around(thresholds[rows, edge], position, good[rows], gaps=gaps))
    return sides[0], sides[1]


def _around(points: FloatArray, best: int, good: NDArray[np.bool_], *, gaps: bool) -> tuple[float, float]:
    if gaps:
        within = points[good]
        return float(within.min()), float(within.max())
    bad = np.flatnonzero(~good)
    first, last = bad[bad < best].max(initial=-1) + 1, bad[bad > best].min(initial=len(points)) - 1
    return float(points[first]), float(points[last])


def plain(threshold: Any) -> Threshold:
    """A row's threshold as a number, or a pair of them."""
    return float(threshold) if np.ndim(threshold) == 0 else (float(threshold[0]), float(threshold[1]))


def shown(threshold: Any) -> str:
    """A threshold as text, rounded for a message."""
    if np.ndim(threshold) == 0:
        return f"{float(threshold):.5g}"
    return f"{float(threshold[0]):.4g}, {float(threshold[1]):.4g}"


def _between(found: Any) -> str:
    if np.ndim(found) > 1:
        return ", ".join(_between(edge) for edge in found)
    return f"{found[0]:.4g} to {found[1]:.4g}" if np.all(np.isfinite(found)) else ""


def no_value(metric: str, size: int, reason: str) -> InputError:
    """The error of a metric without any value."""
    return InputError(f"Metric {metric!r} has no value at any of {size} thresholds: {reason}.")


def shortest(events: Cumulative | HistogramSums, thresholds: Any) -> str:
    """A threshold, or those of a window, with as few digits as select the same events of all variations."""
    each = zip(np.atleast_1d(thresholds).tolist(), events.cut.signs, strict=True)
    return ", ".join(_shortest(events, threshold, sign) for threshold, sign in each)


def _shortest(events: Cumulative | HistogramSums, threshold: float, sign: int) -> str:
    side: Literal["left", "right"] = "right" if sign > 0 else "left"
    low, high = -np.inf, np.inf
    for block in events.blocks:
        at = int(np.searchsorted(block.x, threshold, side=side))
        low = max(low, *block.x[max(at - 1, 0) : at].tolist(), -np.inf)
        high = min(high, *block.x[at : at + 1].tolist(), np.inf)
    texts = [exact(threshold), *([exact(between(low, high, sign))] if np.isfinite(high - low) else [])]
    return min(texts, key=len)
