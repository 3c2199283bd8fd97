"""Whether a score is a posterior, and the score made into one: the share of signal among the expected events at it."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from hepcuts._core import checks
from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.lazy import stats
from hepcuts._core.quantiles import WeightedQuantiles
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.types import FloatArray
from hepcuts.samples.sample import Sample, check_samples


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration(Tabular):
    """What a posterior says against what the events say, in bins of it.

    Attributes:
        predicted: mean posterior in each bin, shape (bin,).
        found: share of signal among the expected events, shape (bin,).
        uncertainty: of that share, one standard deviation, from finite simulation, shape (bin,).
        expected: expected events, shape (bin,).
    """

    predicted: FloatArray
    found: FloatArray
    uncertainty: FloatArray
    expected: FloatArray

    @property
    def error(self) -> float:
        """Mean distance of posterior and share over the expected events; fluctuations alone make it positive."""
        return float(np.average(np.abs(self.predicted - self.found), weights=self.expected))

    @property
    def chi2(self) -> float:
        """Sum of the squared pulls of the bins."""
        known = self.uncertainty > 0
        return float(np.sum(((self.found - self.predicted)[known] / self.uncertainty[known]) ** 2))

    @property
    def p_value(self) -> float:
        """Probability of so large a `chi2` if the posterior is calibrated."""
        return float(stats.chi2.sf(self.chi2, max(1, int(np.sum(self.uncertainty > 0)))))

    def overview(self) -> SummaryTable:
        """One row for each bin."""
        rows = [
            (f"{p:.4g}", f"{f:.4g} +- {u:.2g}", f"{n:.4g}")
            for p, f, u, n in zip(self.predicted, self.found, self.uncertainty, self.expected, strict=True)
        ]
        foot = (f"mean distance {self.error:.3g}, chi2 {self.chi2:.3g} in {len(rows)} bins (p = {self.p_value:.2g})",)
        return SummaryTable("Calibration", rows, ("posterior", "share of signal", "events"), foot=foot)


def calibration(samples: Sequence[Sample], score: str, *, bins: int = 10) -> Calibration:
    """Compare a score that is read as a posterior with the events.

    Args:
        samples: at least one signal and one background; none of their events may have trained the score.
        score: the column.
        bins: of equally many events, half of them signal and half background.

    Raises:
        InputError: a score outside of 0 to 1, or too few different ones.
        SampleError: there is no such column.

    Example:
        >>> import hepcuts as hc
        >>> problem = hc.theory.CutProblem.of_scenario("gauss40x10-gauss50x10")
        >>> samples = [s.with_columns({"p": 1 / (1 + np.exp(-problem.log_density_ratio(s.column("x"))))}, ())
        ...            for s in hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)]
        >>> calibration(samples, "p").p_value > 0.01
        True
    """
    events = Scored.of(check_samples(samples), score)
    if not events.in_range:
        raise InputError(
            f"The score {score!r} goes from {np.min(events.score):.4g} to {np.max(events.score):.4g}; a posterior lies "
            "between 0 and 1."
        )
    edges = events.edges(checks.count("bins", bins, least=2))
    at = np.searchsorted(edges, events.score, side="right")
    s, b = events.by_kind
    signal, background, p, of_signal, of_background = (
        _sums(at, weights, len(edges) + 1) for weights in (s, b, events.weights * events.score, s**2, b**2)
    )
    some = signal + background > 0
    total = (signal + background)[some]
    found, predicted = signal[some] / total, p[some] / total
    # As if the posterior were right: a bin without a simulated signal event is not known to have none.
    variance = ((1.0 - predicted) ** 2 * of_signal[some] + predicted**2 * of_background[some]) / total**2
    return Calibration(predicted, found, np.sqrt(variance), total)


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Nominal events with a score.

    Attributes:
        score: shape (event,).
        weights: likewise.
        signal: likewise, whether it is.
    """

    score: FloatArray
    weights: FloatArray
    signal: NDArray[np.bool_]

    @classmethod
    def of(cls, samples: Sequence[Sample], score: str, parts: Sequence[NDArray[np.bool_]] | None = None) -> "Scored":
        """The events of samples, or those of a mask for each.

        Raises:
            InputError: an event has no score.
        """
        masks = [np.ones(len(sample), dtype=bool) for sample in samples] if parts is None else parts
        values = np.concatenate([sample.column(score)[mask] for sample, mask in zip(samples, masks, strict=True)])
        weights = np.concatenate([sample.weights[mask] for sample, mask in zip(samples, masks, strict=True)])
        signal = np.concatenate([np.full(int(np.sum(m)), s.signal) for s, m in zip(samples, masks, strict=True)])
        missing = sum(int(np.sum(is_missing(sample.column(score), sample.missing))) for sample in samples)
        if missing:
            raise InputError(f"{missing} events have no score {score!r}; expected one of each.")
        return cls(values, weights, signal)

    @property
    def by_kind(self) -> tuple[FloatArray, FloatArray]:
        """Weights of the signal and of the background, zero for the other, each of shape (event,)."""
        return np.where(self.signal, self.weights, 0.0), np.where(self.signal, 0.0, self.weights)

    @property
    def in_range(self) -> bool:
        """Whether all scores lie between 0 and 1."""
        return bool(np.min(self.score) >= 0 and np.max(self.score) <= 1)

    def edges(self, bins: int) -> FloatArray:
        """Inner edges of bins of equally many events, half of them signal and half background."""
        totals = {kind: np.abs(self.weights[self.signal == kind]).sum() for kind in (True, False)}
        weights = np.abs(self.weights) / np.where(self.signal, totals[True], totals[False])
        quantiles = WeightedQuantiles.of(self.score, weights)
        return np.unique([quantiles.at(share) for share in np.arange(1, bins) / bins])


@dataclasses.dataclass(frozen=True, eq=False)
class Isotonic:
    """A posterior that grows with a score in steps: of all such the nearest to the events, by their weights.

    The pool-adjacent-violators algorithm finds it. Its steps are the edges of the concave hull of signal against
    background, so that a cut on it is one of the corners, the only cuts that can be best for any weight.

    Attributes:
        starts: lowest score of each step, ascending, shape (step,).
        ends: highest score of each step, shape (step,).
        posterior: of each step, ascending, shape (step,).
    """

    starts: FloatArray
    ends: FloatArray
    posterior: FloatArray

    @classmethod
    def of(cls, events: Scored) -> "Isotonic":
        """Of events; where weights cancel, neighboring scores share a cell."""
        score, at = np.unique(events.score, return_inverse=True)
        signal, total = (_sums(at, weights, len(score)) for weights in (events.by_kind[0], events.weights))
        cell = _positive_cells(total)
        signal, total = (_sums(cell, values, cell[-1] + 1) for values in (signal, total))
        first = np.searchsorted(cell, np.arange(len(total)))
        last = np.append(first[1:], len(score)) - 1
        fitted = scipy.optimize.isotonic_regression(signal / total, weights=total)
        steps = fitted.blocks
        posterior = np.clip(fitted.x[steps[:-1]], 0.0, 1.0)
        return cls(score[first[steps[:-1]]], score[last[steps[1:] - 1]], posterior)

    def __call__(self, score: FloatArray) -> FloatArray:
        """Posterior of scores of any shape; beyond all events that of the first or last step."""
        at = np.searchsorted(self._edges, score, side="right")
        values: FloatArray = self.posterior[at]
        return values

    def threshold(self, posterior: float) -> float:
        """The cut on the score whose events have a larger posterior; between two scores."""
        step = int(np.searchsorted(self.posterior, posterior, side="right"))
        if step == 0:
            return float(np.nextafter(self.starts[0], -np.inf))
        return float(self.ends[-1] if step == len(self.posterior) else self._edges[step - 1])

    @property
    def _edges(self) -> FloatArray:
        """Middle between neighboring steps, shape (step - 1,)."""
        edges: FloatArray = 0.5 * (self.ends[:-1] + self.starts[1:])
        return edges


def _sums(at: NDArray[np.int64], weights: FloatArray, size: int) -> FloatArray:
    """Sums of weights by their number from 0, shape (size,)."""
    sums: FloatArray = np.bincount(at, weights, size).astype(np.float64)
    return sums


def _positive_cells(total: FloatArray) -> NDArray[np.int64]:
    """Numbers of cells of neighboring values, ascending from 0, so that each cell has a positive sum."""
    if np.all(total > 0):
        return np.arange(len(total))
    cells, sums = np.zeros(len(total), dtype=np.int64), [0.0]
    for place, value in enumerate(total):
        cells[place] = len(sums) - 1
        sums[-1] += float(value)
        if sums[-1] > 0:
            sums.append(0.0)
    # What is left over at the end belongs to the cells before it.
    last = len(sums) - 1
    while last and not sums[last] > 0:
        sums[last - 1] += sums[last]
        last -= 1
    if not sums[0] > 0:
        raise InputError("The weights of all events have no positive sum.")
    return np.minimum(cells, last)
