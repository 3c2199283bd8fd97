"""What a scan found: all metrics at all thresholds, their optima, and how far these can be trusted."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.evaluation.resampling import AbstractFolds, AbstractResampling
from hepcuts.histfactory import FEW_EXPECTED, few_expected
from hepcuts.merit.closed_forms import fraction
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.likelihood import NO_SIGNIFICANCE, WITHOUT_SIGNIFICANCE
from hepcuts.merit.rows import Rows
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample
from hepcuts.samples.signals import together
from hepcuts.templates.binned import HistogramSums
from hepcuts.templates.cumulative import Cumulative
from hepcuts.templates.simulated import FEW_EVENTS

from .optima import (
    HEAD,
    RESAMPLED,
    Choice,
    Optimum,
    best_row,
    exclusion,
    guarded,
    no_value,
    plain,
    ranges,
    shortest,
    systematics_at,
    trusted,
)
from .stability import Resampled, Resampler, Stability
from .table import Table


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ScanResult(Tabular):
    """All metrics at all thresholds of one cut.

    Attributes:
        cut: the cut (or window) that was scanned.
        thresholds: shape (threshold,), ascending; of a window low and high edges, shape (threshold, 2).
        values: metric to values, each of shape (threshold,); NaN where a metric has no value (see `reason`).
        samples: the samples, events or histograms.
        evaluated: metric to where it was evaluated at all, each of shape (threshold,); only the profile likelihood
            of many thresholds is not everywhere.
        min_background: least effective number of simulated background events behind the optimum of a figure of merit,
            of each background that matters.
        replicas: number of bootstrap replicas behind the uncertainties.
        folds: number of parts of the events behind the held-out values, or 0.
        seed: of replicas and parts.
    """

    cut: AbstractCut
    thresholds: FloatArray
    values: Mapping[str, FloatArray]
    _table: Table
    samples: tuple[Sample | Histogram, ...]
    _metrics: tuple[AbstractFigureOfMerit, ...]
    evaluated: Mapping[str, Any]
    _cumulative: Cumulative | HistogramSums
    min_background: float = FEW_EVENTS
    replicas: int = 0
    folds: int = 0
    seed: int = 0
    _parts: AbstractFolds | None = None
    _drawn: AbstractResampling | None = None
    _resampled: Sequence[Resampled] = ()

    @property
    def table(self) -> Rows:
        """Yields behind each threshold."""
        return self._table.rows

    @property
    def metrics(self) -> dict[str, AbstractFigureOfMerit]:
        """The metrics by name."""
        return {m.name: m for m in self._metrics}

    @property
    def signal_efficiency(self) -> FloatArray:
        """Fraction of the signal after the cut, shape (threshold,)."""
        return np.asarray(fraction(self.table.signal, self.table.all_signal), dtype=np.float64)

    @property
    def background_efficiency(self) -> FloatArray:
        """Fraction of the background after the cut, shape (threshold,)."""
        return np.asarray(fraction(self.table.background, self.table.all_background), dtype=np.float64)

    @property
    def purity(self) -> FloatArray:
        """S / (S + B) after the cut, shape (threshold,); NaN where nothing is left."""
        return np.asarray(fraction(self.table.signal, self.table.signal + self.table.background), dtype=np.float64)

    def _known(self, name: str) -> AbstractFigureOfMerit:
        if name not in self.metrics:
            raise InputError(f"Metric {name!r} was not scanned; the scan has {', '.join(self.metrics)}.")
        return self.metrics[name]

    @functools.cached_property
    def stability(self) -> Stability:
        """All metrics in replicas and in parts of the events; evaluated when first asked for."""
        return self._with_replicas(self.min_background)

    def optimum(self, name: str, *, min_background: float | None = None) -> Optimum:
        """The best threshold of a metric, and what that rests on.

        It was chosen by the events that it is evaluated on, and is therefore on average too good: see its `held_out`.
        Replicas and parts of the events (`stability`) are evaluated for all metrics when one of them is first asked
        for, and each time if another `min_background` is; a scan with ``replicas=0, folds=0`` does without.

        Args:
            name: of the metric.
            min_background: least effective number of simulated background events after the cut, or None for that of
                the scan; losses are not concerned. If no threshold has so many, those with any event of each
                background that matters are taken, or else all, and the message says so.

        Raises:
            InputError: the metric was not scanned, or has no value at any threshold.
        """
        m, values = self._known(name), self.values[name]
        if not np.any(np.isfinite(values)):
            raise no_value(name, len(values), self.reason(name, 0))
        least = self.min_background if min_background is None else checks.min_background(min_background)
        stability = self.stability if least == self.min_background else self._with_replicas(least)
        found, row, allowed = self._found(m, least)
        return dataclasses.replace(
            found,
            uncertainty=stability.uncertainty(name, row),
            held_out=stability.held_out[name],
            statistical_plateau=self._statistical_plateau(m, row, (stability, allowed)),
            message="; ".join([*systematics_at(self.table, row), found.message]),
            interval=self._interval(name, stability),
        )

    def allowed(self, name: str) -> NDArray[np.bool_]:
        """Where the optimum of a metric may lie, shape (threshold,): where enough events are left for its formula.

        That is enough simulated events of each background that matters and of the signal, and enough expected ones
        (see `optimum`). Losses may have theirs anywhere.

        Args:
            name: of the metric.

        Raises:
            InputError: the metric was not scanned.
        """
        return trusted(self._known(name), self.table, self.values[name], self.min_background)

    def _found(self, m: AbstractFigureOfMerit, least: float) -> tuple[Optimum, int, Any]:
        """The optimum as far as the scan itself tells, its row, and which rows are allowed."""
        values = self.values[m.name]
        best, excluded, message = self._best(m, least)
        allowed = trusted(m, self.table, values, least)
        good = allowed & (m.sign * values >= m.sign * values[best] - 0.01 * abs(values[best]))
        seen = np.flatnonzero(self.evaluated[m.name])
        found = Optimum(
            m.name,
            plain(self.thresholds[best]),
            float(values[best]),
            ranges(self.thresholds[seen], int(np.searchsorted(seen, best)), good[seen]),
            float(self.table.signal[best]),
            float(self.table.background[best]),
            float(self.table.effective_background[best]),
            message,
            excluded=excluded,
            text=shortest(self._cumulative, self.thresholds[best]),
            vanished=self.table.vanished(best),
        )
        return found, best, allowed

    def _best(self, m: AbstractFigureOfMerit, least: float) -> tuple[int, str, str]:
        """Row of the best threshold, what the guard excluded, and what to keep in mind."""
        values = self.values[m.name]
        best, notes, excluded = best_row(m, values, trusted(m, self.table, values, least)), [], ""
        if not guarded(m, self.table, least)[best]:
            expected = f" and {m.min_expected:g} expected ones" if m.min_expected > 0 else ""
            notes.append(f"no threshold has {least:g} effective background events{expected} behind it")
        else:
            excluded, better = exclusion(m, self._table, values, best, least)
            notes += [f"excluded are {excluded}"] if better else []
        if (effective := self.table.effective_background[best]) < FEW_EVENTS:
            notes.append(f"rests on {effective:.1f} effective simulated background events")
        notes += self.table.vanished(best)
        notes += [WITHOUT_SIGNIFICANCE] if m.is_significance and values[best] <= NO_SIGNIFICANCE else []
        events = self.table.expected_events(best)
        if m.needs_background and not m.exact and events < FEW_EXPECTED:
            notes.append(few_expected(events))
        if least not in {0.0, self.min_background} and not np.all(self.evaluated[m.name]):
            notes.append(f"evaluated around the optima of min_background={self.min_background:g} and 0 only")
        notes += [self._cumulative.remark] if self._cumulative.remark else []
        return best, excluded, "; ".join([*notes, "chosen and evaluated on the same events"])

    @property
    def _with_values(self) -> list[AbstractFigureOfMerit]:
        """Metrics that have a value at any threshold."""
        return [m for m in self._metrics if np.any(np.isfinite(self.values[m.name]))]

    def _with_replicas(self, least: float) -> Stability:
        known = [(m, self.values[m.name]) for m in self._with_values]
        if self._drawn is None and self._parts is None:
            return Stability.nothing([m.name for m, _ in known], len(self.thresholds))
        resampler = Resampler(self._cumulative, self._table, known, self._resampled, least)
        return resampler.run(replicas=self._drawn, folds=self._parts)

    def _statistical_plateau(self, m: AbstractFigureOfMerit, best: int, context: tuple[Stability, Any]) -> Any:
        """Thresholds around the best that are not worse by more than one standard deviation of the difference."""
        stability, allowed = context
        edges = (np.nan, np.nan)
        if self.replicas < 2:
            return edges if self.thresholds.ndim == 1 else (edges, edges)
        good = stability.not_worse(m, self.values[m.name], best) & allowed[stability.rows]
        position = int(np.searchsorted(stability.rows, best))
        return ranges(self.thresholds[stability.rows], position, good, gaps=True)

    def _interval(self, name: str, stability: Stability) -> Any:
        """Central 68 % of the best thresholds of the replicas."""
        found = self.thresholds[stability.best[name]]
        if len(found) < 2:
            found = np.full((1, *self.thresholds.shape[1:]), np.nan)
        central = np.quantile(found, [0.15865525, 0.84134475], axis=0).T
        return plain(central) if central.ndim == 1 else tuple(map(plain, central))

    def choices(self) -> tuple[Choice, ...]:
        """What the optimum of each metric is worth: the significance of the profile likelihood there.

        Raises:
            InputError: the scan does not have the metric ``"profile"``, or it has no value anywhere.
        """
        judge = next((m for m in self._metrics if m.is_significance), None)
        if judge is None:
            raise InputError(
                f"'profile' was not scanned, and no other discovery significance; the scan has "
                f"{', '.join(self.metrics)}."
            )
        best = self.optimum(judge.name)
        found = []
        for m in self._with_values:
            row, _, _ = self._best(m, self.min_background)
            z = float(self.values[judge.name][row])
            if not self.evaluated[judge.name][row]:
                z = float(judge.values([self.table.take(np.array([row]))])[0])
            chosen = self.optimum(m.name)
            found.append(
                Choice(
                    m.name,
                    chosen.threshold,
                    chosen.value,
                    chosen.plateau,
                    z,
                    best.value - z,
                    z / best.value if best.value else np.nan,
                    self.stability.held_out_significance[m.name],
                    chosen.effective_background,
                )
            )
        return tuple(found)

    def reason(self, name: str, position: int) -> str:
        """Why a metric is NaN at a threshold; an empty string where it is not."""
        figure = self._known(name)
        if np.isfinite(self.values[name][position]):
            return ""
        if not self.evaluated[name][position]:
            return "not evaluated: of many thresholds a likelihood is evaluated only around its optimum"
        return figure.reason(self.table, position)

    def to_dataframe(self) -> DataFrame:
        """One row for each threshold: yields, efficiencies, purity and all metrics."""
        edges = {"threshold": self.thresholds}
        if self.thresholds.ndim > 1:
            edges = {"low": self.thresholds[:, 0], "high": self.thresholds[:, 1]}
        table = {
            "signal": self.table.signal,
            "background": self.table.background,
            "signal_efficiency": self.signal_efficiency,
            "background_efficiency": self.background_efficiency,
            "purity": self.purity,
            "effective_background": self.table.effective_background,
        }
        return data_frame(edges | table | dict(self.values))

    def plot(self, ax: Any = None) -> Any:
        """Draw the normalized metrics (`hepcuts.plotting.scan`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.scan(self, ax=ax)

    def slider(self, *, threshold: float | None = None, log: bool = False, ax: Any = None) -> Any:
        """Draw a cut to be moved by hand (`hepcuts.plotting.slider`) and return the artists.

        Args:
            threshold: where it starts, or None for that of the cut, or else the optimum of the last metric.
            log: whether the y axis of the distributions is logarithmic.
            ax: three axes to draw into, or None for a new figure.
        """
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.slider(self, threshold=threshold, log=log, ax=ax)

    def explorer(self, path: str | Path, *, title: str | None = None) -> Path:
        """Write a self-contained HTML page with a cut to drag (`hepcuts.plotting.explorer`) and return its path."""
        from hepcuts.plotting import explorer  # noqa: PLC0415 (only needed when a page is written)

        return explorer.write(self, path, title=title)

    def overview(self) -> SummaryTable:
        """The optima, without what takes replicas and parts of the events: that is in `summary`."""
        optima = [self._found(m, self.min_background)[0] for m in self._with_values]
        more = [f"{self.replicas} replicas"] * (self.replicas > 0) + [f"{self.folds} folds"] * (self.folds > 0)
        foot = self._notes
        foot += [f"uncertainties and held-out values, from {' and '.join(more)}: summary()"] if more else []
        chosen = [number for number, name in enumerate(HEAD) if name not in RESAMPLED]
        rows = [tuple(row[number] for number in chosen) for row in (optimum.cells for optimum in optima)]
        return SummaryTable(self._title, rows, [HEAD[number] for number in chosen], foot)

    def summary(self) -> SummaryTable:
        """The optima with uncertainties, intervals and held-out values; evaluates `stability`."""
        rows = [self.optimum(m.name).cells for m in self._with_values]
        return SummaryTable(self._title, rows, HEAD, self._notes)

    @property
    def _notes(self) -> list[str]:
        """That several signals are one hypothesis, and what there is not of histograms."""
        signals, remark = together(self.table.structure.components), self._cumulative.remark
        return [*([f"signals: {signals}"] if signals else []), *([remark] if remark else [])]

    @property
    def _title(self) -> str:
        return f"Scan of {self.cut} at {len(self.thresholds)} threshold{'s' if len(self.thresholds) != 1 else ''}"
