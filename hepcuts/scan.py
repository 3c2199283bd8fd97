"""Scanning one cut: every metric at every threshold, hard and exact."""

import dataclasses
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._types import FloatArray
from .cumulative import distinct_thresholds, yields_behind
from .cuts import Cut, Selection
from .errors import EmptySelectionError, InputError
from .filling import bins_of, require_columns, structure_of, warn_outside
from .histfactory import HistFactory, TemplateMapper, significances
from .metrics import AbstractMetric, Table, metric
from .samples import Sample, check_samples
from .templates import Templates, Yields
from .workspace import workspace

_BATCH = 256
"""Thresholds of which the profile likelihood is fitted at once."""
_EVERYWHERE = 2048
"""Up to so many thresholds the profile likelihood is evaluated at all of them, beyond that around its optimum."""


@dataclasses.dataclass(frozen=True)
class Optimum:
    """Where a metric is best, and what that rests on.

    Attributes:
        metric: name of the metric.
        threshold: the best threshold.
        value: the metric there.
        plateau: smallest and largest threshold around it at which the metric is within 1 % of the best.
        signal: expected signal behind the cut.
        background: expected background behind the cut.
        effective_background: effective number of simulated background events behind the cut.
        message: what to keep in mind.
    """

    metric: str
    threshold: float
    value: float
    plateau: tuple[float, float]
    signal: float
    background: float
    effective_background: float
    message: str


@dataclasses.dataclass(frozen=True, eq=False)
class ScanResult:
    """All metrics at all thresholds of one cut.

    Attributes:
        cut: the cut that was scanned.
        thresholds: shape (threshold,), ascending.
        values: metric to values, each of shape (threshold,); NaN where a metric has no value (see `reason`).
        table: yields behind each threshold.
        samples: the samples.
        evaluated: metric to where it was evaluated at all, each of shape (threshold,); only the profile likelihood
            of many thresholds is not everywhere.
    """

    cut: Cut
    thresholds: FloatArray
    values: Mapping[str, FloatArray]
    table: Table
    samples: tuple[Sample, ...]
    _metrics: tuple[AbstractMetric, ...]
    evaluated: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, AbstractMetric]:
        """The metrics by name."""
        return {m.name: m for m in self._metrics}

    @property
    def signal_efficiency(self) -> FloatArray:
        """Fraction of the signal behind the cut, shape (threshold,)."""
        return self.table.signal / self.table.all_signal

    @property
    def background_efficiency(self) -> FloatArray:
        """Fraction of the background behind the cut, shape (threshold,)."""
        return self.table.background / self.table.all_background

    @property
    def purity(self) -> FloatArray:
        """S / (S + B) behind the cut, shape (threshold,); NaN where nothing is left."""
        total = self.table.signal + self.table.background
        return np.divide(self.table.signal, total, out=np.full_like(total, np.nan), where=total != 0)

    def _known(self, name: str) -> AbstractMetric:
        if name not in self.metrics:
            raise InputError(f"Metric {name!r} was not scanned; the scan has {', '.join(self.metrics)}.")
        return self.metrics[name]

    def optimum(self, name: str) -> Optimum:
        """The best threshold of a metric.

        It was chosen by the events that it is evaluated on, and is therefore on average too good.

        Raises:
            InputError: the metric was not scanned, or has no value at any threshold.
        """
        sign, values = self._known(name).sign, self.values[name]
        if not np.any(np.isfinite(values)):
            raise InputError(
                f"Metric {name!r} has no value at any of {len(values)} thresholds: {self.reason(name, 0)}."
            )
        best = int(np.nanargmax(sign * values))
        slack = 0.01 * abs(values[best])
        good = np.isnan(values) & ~np.asarray(self.evaluated[name]) | (sign * values >= sign * values[best] - slack)
        bad = np.flatnonzero(~good)
        first, last = bad[bad < best].max(initial=-1) + 1, bad[bad > best].min(initial=len(values)) - 1
        effective = float(self.table.effective_background[best])
        warning = f"rests on {effective:.1f} effective simulated background events; " if effective < 10 else ""
        return Optimum(
            name,
            float(self.thresholds[best]),
            float(values[best]),
            (float(self.thresholds[first]), float(self.thresholds[last])),
            float(self.table.signal[best]),
            float(self.table.background[best]),
            effective,
            warning + "chosen and evaluated on the same events",
        )

    def reason(self, name: str, position: int) -> str:
        """Why a metric is NaN at a threshold; an empty string where it is not."""
        self._known(name)
        if np.isfinite(self.values[name][position]):
            return ""
        if not self.evaluated[name][position]:
            return "not evaluated: of many thresholds the profile likelihood is evaluated only around its optimum"
        return self.table.reason(position)

    def to_dataframe(self) -> pd.DataFrame:
        """One row for each threshold: yields, efficiencies, purity and all metrics."""
        table = {
            "threshold": self.thresholds,
            "signal": self.table.signal,
            "background": self.table.background,
            "signal_efficiency": self.signal_efficiency,
            "background_efficiency": self.background_efficiency,
            "purity": self.purity,
            "effective_background": self.table.effective_background,
        }
        return pd.DataFrame(table | dict(self.values))

    def plot(self, ax: Any = None) -> Any:
        """Draw the normalized metrics (`hepcuts.plotting.scan`) and return the artists."""
        from . import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.scan(self, ax=ax)

    def rows(self) -> list[tuple[str, ...]]:
        """The optima as text: metric, threshold, plateau, value, signal, background."""
        found = [self.optimum(name) for name in self.metrics if np.any(np.isfinite(self.values[name]))]
        return [
            (
                o.metric,
                f"{o.threshold:.5g}",
                f"{o.plateau[0]:.4g} to {o.plateau[1]:.4g}",
                f"{o.value:.5g}",
                f"{o.signal:.5g}",
                f"{o.background:.5g}",
            )
            for o in found
        ]

    def __repr__(self) -> str:
        title = f"Scan of {self.cut} at {len(self.thresholds)} thresholds (optima on the events that chose them)"
        head = ("metric", "best cut", "within 1 %", "value", "signal", "background")
        return "\n".join(
            [title, *("  {:<28s}{:>10s}{:>24s}{:>12s}{:>12s}{:>12s}".format(*r) for r in [head, *self.rows()])]
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{c}</th>" for c in ("metric", "best cut", "within 1 %", "value", "signal", "background"))
        body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in self.rows())
        return f"<table><caption>Scan of {html.escape(str(self.cut))}</caption><tr>{head}</tr>{body}</table>"


@dataclasses.dataclass(frozen=True)
class _Profile(AbstractMetric):
    """Placeholder among the metrics: the profile likelihood is fitted by the scan itself, in batches."""

    def __call__(self, table: Table) -> FloatArray:
        raise NotImplementedError


_PROFILE = _Profile("profile", r"$Z$ (profile likelihood)")


def scan(
    samples: Iterable[Sample],
    cut: Cut,
    *,
    metrics: Sequence[str] = ("bce", "s_over_sqrt_b", "asimov", "profile"),
    thresholds: ArrayLike | None = None,
    axis: Any = None,
    punzi_a: float = 5.0,
) -> ScanResult:
    """Evaluate metrics at every threshold of one cut, hard and exact.

    Args:
        samples: at least one signal and one background.
        cut: variable and direction; its own threshold is not used.
        metrics: names: ``"bce"`` (log loss of hard decisions), ``"bce_balanced"``, ``"s_over_sqrt_b"``,
            ``"s_over_sqrt_s_plus_b"``, ``"s_over_sqrt_b_plus_variance"``, ``"asimov"``, ``"asimov_uncertainty"``,
            ``"binomial"``, ``"punzi"``, ``"profile"`` (the discovery significance with all systematics).
        thresholds: thresholds to evaluate, or None for all that make a difference (halfway between neighboring
            values). Of more than some thousands the profile likelihood is evaluated around its optimum only.
        axis: an axis of `hist.axis` for the observable behind the cut, or None to count.
        punzi_a: number of standard deviations in Punzi's figure of merit.

    Returns:
        Values, optima, a data frame, a figure.

    Raises:
        InputError: an unknown metric, thresholds that are not finite, or not a `Cut`.
        SampleError: as `hepcuts.fill`.

    Warns:
        OutsideAxisWarning: events before the cut lie outside the axis and are not counted.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> result = hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "asimov"), thresholds=range(1, 100))
        >>> result.optimum("asimov").threshold, result.optimum("bce").threshold
        (46.0, 67.0)
    """
    samples = check_samples(samples)
    if not isinstance(cut, Cut):
        raise InputError(f"A scan takes one hepcuts.Cut, got {type(cut).__name__}; hepcuts.optimize takes more.")
    chosen = _checked_metrics(metrics)
    structure = structure_of(samples, axis=axis, channel="signal_region")
    for sample in samples:
        require_columns(sample, Selection([cut]), axis)
    points = distinct_thresholds(samples, cut) if thresholds is None else _checked_thresholds(thresholds)
    yields = yields_behind(samples, cut, points, structure)
    everything = {
        signal: sum(float(np.sum(s.weights)) for s in samples if s.signal == signal) for signal in (True, False)
    }
    if axis is not None:
        on_axis = [bins_of(structure, s.columns, len(s), missing=s.missing)[1] for s in samples]
        warn_outside(np.array([s.weights[~on].sum() for s, on in zip(samples, on_axis, strict=True)]), structure)
    table = Table(points, yields, structure, everything[True], everything[False], punzi_a)
    if not np.any(np.asarray(yields.values)[:, 0]):
        raise EmptySelectionError(f"No event of any sample passes {cut} at any of {len(points)} thresholds.")
    values: dict[str, FloatArray] = {}
    evaluated: dict[str, Any] = {}
    for m in chosen:
        evaluated[m.name] = np.ones(len(points), dtype=bool)
        if m is _PROFILE:
            values[m.name], evaluated[m.name] = _profile(table)
        else:
            values[m.name] = m(table)
    return ScanResult(cut, points, values, table, samples, chosen, evaluated)


def _checked_metrics(names: Sequence[str]) -> tuple[AbstractMetric, ...]:
    if isinstance(names, str):
        raise InputError(f"metrics are {names!r}; expected a sequence of names, such as [{names!r}].")
    if not names:
        raise InputError("No metrics were named; choose for example ('bce', 'asimov', 'profile').")
    return tuple(metric(name, (_PROFILE,)) for name in names)


def _checked_thresholds(thresholds: ArrayLike) -> FloatArray:
    try:
        points = np.asarray(list(thresholds) if isinstance(thresholds, range) else thresholds, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.array([])
    if points.size == 0 or not np.all(np.isfinite(points)):
        raise InputError(f"thresholds are {thresholds!r}; expected a sequence of finite numbers.")
    return np.unique(points)


def _reference(table: Table) -> Templates:
    """Templates of which every yield is positive that is positive behind any threshold: pyhf builds the model of them.

    Not the templates before the cut: where negative weights cancel there, they may not do so behind it.
    """
    largest = [np.maximum(np.asarray(y).max(axis=0), 0.0) for y in (table.yields.values, table.yields.variances)]
    return Templates(table.structure, Yields(*largest), np.zeros(len(table.structure.components)))


def _profile(table: Table) -> tuple[FloatArray, Any]:
    """Discovery significance at the thresholds, and where it was evaluated."""
    reference = _reference(table)
    likelihood = HistFactory.from_workspace(workspace(reference))
    mapper = TemplateMapper(likelihood, [reference.structure])
    values = np.full(len(table.thresholds), np.nan)
    evaluated = np.zeros(len(table.thresholds), dtype=bool)
    nominal = np.asarray(table.yields.values)[:, 0]
    background = np.array([not component.signal for component in table.structure.components])
    per_bin, signal = nominal[:, background].sum(1), nominal[:, ~background].sum(1)
    # A bin with signal but no background has no finite significance; one without either is no matter. What
    # `hepcuts.workspace` refuses has none either: a sample or a bin with a negative yield.
    possible = np.all((per_bin > 0) | ((per_bin == 0) & (signal == 0)), axis=-1) & (per_bin.sum(-1) > 0)
    possible &= np.all(nominal.sum(-1) >= 0, axis=-1) & np.all(per_bin + signal >= 0, axis=-1)

    def evaluate(positions: Any) -> None:
        wanted = positions[~evaluated[positions]]
        evaluated[wanted] = True
        fitted = wanted[possible[wanted]]
        if len(fitted):
            part = Yields(np.asarray(table.yields.values)[fitted], np.asarray(table.yields.variances)[fitted])
            values[fitted] = significances(likelihood, mapper([part]))

    everywhere = np.arange(len(values))
    if len(values) <= _EVERYWHERE:
        evaluate(everywhere)
        return values, evaluated
    spacing = len(values) // _BATCH
    window = everywhere[::spacing]
    while True:
        evaluate(window)
        if spacing == 1 or not np.any(np.isfinite(values)):
            return values, evaluated
        best = int(np.nanargmax(values))
        low, high = max(0, best - 2 * spacing), min(len(values), best + 2 * spacing + 1)
        spacing = max(1, (high - low) // _BATCH)
        window = everywhere[low:high:spacing]
