"""How far an optimum can be trusted: replicas of the events (bootstrap), and events that did not choose it (folds)."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.counters import Bits
from hepcuts._core.progress import steps
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.bin_replicas import NumberedBins
from hepcuts.evaluation.resampling import AbstractFolds, AbstractResampling
from hepcuts.merit.closed_forms import fraction
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.rows import Rows
from hepcuts.samples.sample import Sample
from hepcuts.templates.binned import HistogramSums, SumsAfter
from hepcuts.templates.cumulative import Counts, Cumulative, YieldsAfter
from hepcuts.templates.templates import Yields, joined

from .choosing import Candidates, some, spread
from .optima import best_row, trusted
from .pooled import pooled_values
from .table import Table

_NEAR = 80
"""Rows near the optimum of each metric at which replicas are evaluated, besides those among which they choose."""
_NEAR_FITTED = 40
"""The same of a likelihood."""
_DRAWN = 200_000
"""Events of several replicas that are drawn at once; chosen by hand."""
_NUMBERS = 4_000_000
"""Yields of replicas that are held at once."""
_SMALL = 100
"""Yields of a model of which the profile likelihood is fitted at as many points as other metrics are evaluated."""
_SLOW = 20_000_000
"""Events and yields of all replicas from which on progress is shown."""


Resampled = Sample | NumberedBins
"""What counts more or less often in a replica: events, or bins."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stability:
    """What replicas and folds say about the optima of a scan.

    Attributes:
        rows: positions of the thresholds that were looked at, ascending, shape (point,).
        replicas: metric to its values in replicas of the events, shape (replica, point).
        best: metric to the best row of each replica in which it has a value, shape (at most replica,).
        held_out: metric to its value on events that did not choose the threshold; NaN without folds.
        held_out_significance: metric to the profile likelihood's significance there.
    """

    rows: NDArray[np.int64]
    replicas: Mapping[str, FloatArray]
    best: Mapping[str, NDArray[np.int64]]
    held_out: Mapping[str, float]
    held_out_significance: Mapping[str, float]

    @classmethod
    def nothing(cls, metrics: Sequence[str], size: int) -> "Stability":
        """Neither replicas nor folds, of a scan of so many thresholds."""
        nan = dict.fromkeys(metrics, np.nan)
        none = dict.fromkeys(metrics, np.zeros(0, dtype=np.int64))
        return cls(np.arange(size), dict.fromkeys(metrics, np.zeros((0, size))), none, nan, nan)

    def uncertainty(self, metric: str, row: int) -> float:
        """Standard deviation of a metric at a row over the replicas; NaN without any."""
        found = self.replicas[metric][:, np.searchsorted(self.rows, row)]
        found = found[np.isfinite(found)]
        return float(np.std(found, ddof=1)) if len(found) > 1 else np.nan

    def not_worse(self, metric: AbstractFigureOfMerit, values: FloatArray, row: int) -> NDArray[np.bool_]:
        """Points at which a metric is within one standard deviation of its value at a row, shape (point,).

        Of the difference, since both move together from replica to replica. Points without replicas do not count.
        """
        replicas = self.replicas[metric.name]
        differences = replicas[:, [np.searchsorted(self.rows, row)]] - replicas
        known = np.isfinite(differences).sum(axis=0) > 1
        spread = np.full(len(self.rows), -np.inf)
        spread[known] = np.nanstd(differences[:, known], axis=0, ddof=1)
        gap = metric.sign * (values[row] - values[self.rows])
        return np.asarray((gap <= spread) | (self.rows == row))


@dataclasses.dataclass(frozen=True, eq=False)
class Resampler:
    """Evaluates the metrics of a scan on replicas and parts of its events.

    Args:
        cumulative: the sorted events.
        table: of the scan.
        metrics: with their values in the scan, shape (row,); those without any are left out.
        samples: the events.
        min_background: least effective number of simulated background events of an optimum.
    """

    cumulative: Cumulative | HistogramSums
    table: Table
    metrics: Sequence[tuple[AbstractFigureOfMerit, FloatArray]]
    samples: Sequence[Resampled]
    min_background: float

    def run(self, *, replicas: AbstractResampling | None, folds: AbstractFolds | None) -> Stability:
        """Evaluate replicas and folds.

        Args:
            replicas: of the events, or None.
            folds: of the events, or None.
        """
        rows = self._rows()
        yields = self.cumulative.at(self.table.thresholds[rows])
        number = 0 if replicas is None else replicas.size
        slow = number * (sum(map(len, self.samples)) + self._cells * len(rows)) > _SLOW
        counts = self._counts(replicas)
        drawn = steps(counts, "replicas", total=number) if slow else counts
        values, best = self._evaluate(rows, yields, ((c, c) for c in drawn), common=True)
        for metric, of_scan in self._metrics(of_events=True):
            factors = self._factors(lambda identity: _block(replicas, identity, range(number)))
            points = self._points(metric, of_scan, rows)
            values[metric.name], best[metric.name] = self._resample(metric, rows, (number, factors), points)
        held_out, significance = self._held_out(rows, yields, folds)
        chosen = {name: rows[at[at >= 0]] for name, at in best.items()}
        return Stability(rows, values, chosen, held_out, significance)

    def _counts(self, replicas: AbstractResampling | None) -> Iterator[Counts]:
        """How often events count, replica by replica; of few events several replicas are drawn at once."""
        size = 0 if replicas is None else replicas.size
        step = max(1, _DRAWN // sum(map(len, self.samples)))
        for numbers in (range(first, min(first + step, size)) for first in range(0, size, step)):
            drawn = [_block(replicas, sample.identity, numbers) for sample in self.samples]
            yield from ([of_sample[row] for of_sample in drawn] for row in range(len(numbers)))

    def _factors(self, of_identity: Callable[[Bits], FloatArray]) -> Any:
        """By how much weights are multiplied, as a function of the numbers of samples and of events within them."""
        first = np.cumsum([0, *map(len, self.samples)])
        identity = np.concatenate([sample.identity for sample in self.samples])
        return lambda sample, origin: of_identity(identity[first[sample] + origin])

    @property
    def _cells(self) -> int:
        """Number of yields of one row."""
        structure = self.table.rows.structure
        return len(structure.variations) * len(structure.components) * structure.num_bins

    def _metrics(self, *, of_events: bool) -> list[tuple[AbstractFigureOfMerit, FloatArray]]:
        """Metrics of events, or those of yields."""
        return [(m, v) for m, v in self.metrics if (m.name in self.table.curves) == of_events]

    def _rows(self) -> NDArray[np.int64]:
        """Some rows all over the scan, more of them near each optimum."""
        size = len(self.table.thresholds)
        chosen = [spread(size)]
        if len(chosen[0]) < size:
            for metric, values in self.metrics:
                near = self._near_optimum(metric, values, np.arange(size), 0.05)
                chosen += [some(near, _NEAR), np.array([self._best(metric, values)])]
        return np.unique(np.concatenate(chosen)).astype(np.int64)

    def _best(self, metric: AbstractFigureOfMerit, values: FloatArray) -> int:
        return best_row(metric, values, trusted(metric, self.table.rows, values, self.min_background))

    def _near_optimum(self, metric: AbstractFigureOfMerit, values: FloatArray, rows: Any, fraction: float) -> Any:
        """Those of some rows whose value is within a fraction of the best."""
        allowed = trusted(metric, self.table.rows, values, self.min_background)
        best = values[best_row(metric, values, allowed)]
        good = allowed & (metric.sign * (best - values) <= fraction * abs(best))
        return rows[good[rows]]

    def _points(self, metric: AbstractFigureOfMerit, values: FloatArray, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Points at which a metric is compared with its optimum: one that takes time only near it."""
        if not metric.expensive:
            return np.arange(len(rows))
        near = self._near_optimum(metric, values, rows, 0.1)
        # Fits of large models take long: fewer points tell as much of the width.
        number = int(np.clip(_NEAR_FITTED * _SMALL / self._cells, 12, _NEAR_FITTED))
        return np.searchsorted(rows, np.unique(np.append(some(near, number), self._best(metric, values))))

    def _evaluate(
        self,
        rows: NDArray[np.int64],
        yields: YieldsAfter | SumsAfter,
        weighted: Iterable[tuple[Counts, Counts]],
        *,
        share: float = 1.0,
        common: bool = False,
    ) -> tuple[dict[str, FloatArray], dict[str, NDArray[np.int64]]]:
        """Values of all metrics, shape (replica, point), and the best point of each replica or -1.

        Each has a share of the simulated events. Values of a likelihood only if they are wanted at points that all
        replicas have in common.
        """
        candidates = Candidates.of(yields.thresholds, rows, len(self.table.thresholds))
        size = max(1, _NUMBERS // (self._cells * len(rows)))
        metrics = self._metrics(of_events=False)
        values: dict[str, list[FloatArray]] = {m.name: [np.zeros((0, len(rows)))] for m, _ in metrics}
        best: dict[str, list[int]] = {m.name: [] for m, _ in metrics}
        waiting: list[tuple[Yields, tuple[float, float]]] = []

        def evaluate() -> None:
            stacked = self._stacked(waiting)
            for metric, of_scan in metrics:
                points = self._points(metric, of_scan, rows) if common else None
                allowed = candidates.allowed(metric, stacked, self.min_background, share)
                found, at = candidates.choose(metric, allowed, _values(metric, stacked), points)
                values[metric.name].append(found)
                best[metric.name].extend(at)
            waiting.clear()

        for counts, squares in weighted:
            waiting.append((yields.resampled(counts, squares), self._totals(counts)))
            if len(waiting) == size:
                evaluate()
        if waiting:
            evaluate()
        chosen = {name: np.array(found, dtype=np.int64) for name, found in best.items()}
        return {name: np.concatenate(parts) for name, parts in values.items()}, chosen

    def _resample(
        self,
        metric: AbstractFigureOfMerit,
        rows: NDArray[np.int64],
        resampled: tuple[int, Any],
        common: NDArray[np.int64] | None = None,
    ) -> tuple[FloatArray, NDArray[np.int64]]:
        """As `_evaluate` for a metric of events.

        Args:
            metric: the metric.
            rows: that are looked at.
            resampled: number of replicas or parts, and by how much weights are multiplied in them.
            common: points at which the values of all replicas are wanted, or None.
        """
        number, factors = resampled
        thresholds, curve = self.table.thresholds[rows], self.table.curves[metric.name]

        def evaluate(wanted: NDArray[np.bool_]) -> FloatArray:
            columns = np.flatnonzero(np.any(wanted, axis=0))
            values = np.zeros(wanted.shape)
            values[:, columns] = curve.resampled(thresholds[columns], factors)
            return values[wanted]

        candidates = Candidates.of(thresholds, rows, len(self.table.thresholds))
        allowed = np.broadcast_to(candidates.among, (number, len(rows)))
        values, best = candidates.choose(metric, allowed, evaluate, common)
        return values, np.array(best, dtype=np.int64)

    def _totals(self, counts: Counts) -> tuple[float, float]:
        """Expected signal and background before the cut."""
        pairs = list(zip(self.samples, counts, strict=True))
        signal, background = (
            sum(float(np.sum(s.weights * c)) for s, c in pairs if s.signal == kind) for kind in (True, False)
        )
        return signal, background

    def _stacked(self, parts: Sequence[tuple[Yields, tuple[float, float]]]) -> Rows:
        """Several sets of yields, one below the other."""
        yields = joined([yields for yields, _ in parts])
        rows = len(yields.values) // len(parts)
        signal, background = (np.repeat([totals[side] for _, totals in parts], rows) for side in (0, 1))
        return Rows.of_yields(self.table.rows.structure, yields, (signal, background))

    def _held_out(
        self, rows: NDArray[np.int64], yields: YieldsAfter | SumsAfter, folds: AbstractFolds | None
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Each metric, and the profile likelihood, on the events of each part after the cut of the other parts."""
        names = [metric.name for metric, _ in self.metrics]
        nothing = dict.fromkeys(names, np.nan)
        if folds is None:
            return nothing, nothing
        training = ([folds.training(fold, s.identity) for s in self.samples] for fold in range(folds.size))
        _, best = self._evaluate(rows, yields, ((c, [x**2 for x in c]) for c in training), share=1.0 / folds.scale)
        of_metric: dict[str, float] = {}
        for metric, _ in self._metrics(of_events=True):
            best[metric.name], of_metric[metric.name] = self._soft_held_out(metric, rows, folds)
        usable = [name for name in names if np.all(best[name] >= 0)]
        total: dict[str, Yields] = {}
        for fold in range(folds.size):
            counts = [folds.test(fold, s.identity) for s in self.samples]
            passed = yields.resampled(counts, counts)
            for name in usable:
                mine = jax.tree.map(lambda table, row=best[name][fold]: table[row : row + 1], passed)
                total[name] = total[name] + mine if name in total else mine
        if not usable:
            return nothing, nothing
        whole = self._totals([np.ones(len(sample)) for sample in self.samples])
        of_yields = [metric for metric, _ in self._metrics(of_events=False)]
        judge = next((m for m, _ in self.metrics if m.is_significance), None)
        structure = self.table.rows.structure
        own, significance = pooled_values(of_yields, judge, structure, {n: total[n] for n in usable}, whole)
        return nothing | of_metric | own, nothing | significance

    def _soft_held_out(
        self, metric: AbstractFigureOfMerit, rows: NDArray[np.int64], folds: AbstractFolds
    ) -> tuple[NDArray[np.int64], float]:
        """Best points of the other parts, and the loss of all parts there."""
        numbers = np.arange(folds.size)[:, None]
        others = self._factors(lambda identity: (folds.part(identity) != numbers).astype(np.float64))
        mine = self._factors(lambda identity: (folds.part(identity) == numbers).astype(np.float64))
        _, best = self._resample(metric, rows, (folds.size, others))
        losses = np.diagonal(self.table.curves[metric.name].resampled(self.table.thresholds[rows[best]], mine))
        weights = [np.bincount(folds.part(s.identity), s.weights, minlength=folds.size) for s in self.samples]
        of_part = np.sum(weights, axis=0)
        # Some parts of few events are empty and have no loss; if all others are, nothing chose a threshold.
        known = float(fraction(np.nansum(losses * of_part), np.sum(of_part)))
        return best, known if np.all(best >= 0) else np.nan


def _block(replicas: AbstractResampling | None, identity: Bits, some: range) -> FloatArray:
    """How often events count in some replicas, shape (replica, event); there may be none."""
    if replicas is None:
        return np.zeros((0, len(identity)))
    return replicas.block(some, identity).astype(np.float64)


def _values(metric: AbstractFigureOfMerit, rows: Rows) -> Callable[[NDArray[np.bool_]], FloatArray]:
    """The values at some of the rows, as `Candidates.choose` asks for them."""
    return lambda wanted: metric.values([rows.take(np.flatnonzero(wanted))])
