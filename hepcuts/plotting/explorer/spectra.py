"""Histograms of a scan's samples over the range of its thresholds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.columns import is_missing
from hepcuts._core.histograms import weighted_histogram
from hepcuts._core.types import FloatArray
from hepcuts.plotting.views import ScanView
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample

_NUM_BINS = 80
_MOST_BINS = 100


def spectra(result: ScanView) -> dict[str, Any]:
    """Distributions of all samples in the variable of the cut, in the same bins.

    Args:
        result: from `hepcuts.scan`.

    Returns:
        ``edges``; ``uncertainty`` of the whole background in each bin, from the sums of squared weights; and for each
        sample its ``values`` and the sums of weights ``below`` and ``above`` all bins and of ``missing`` values.
    """
    histograms = [sample for sample in result.samples if isinstance(sample, Histogram)]
    if histograms:
        return _of_histograms(histograms)
    events = [sample for sample in result.samples if isinstance(sample, Sample)]
    columns, absent = [], []
    for sample in events:
        column = sample.column(result.cut.variable)
        columns.append(column)
        absent.append(is_missing(column, sample.missing))
    present = [column[~missing] for column, missing in zip(columns, absent, strict=True)]
    edges = bin_edges(result.thresholds, present)
    variance = np.zeros(len(edges) - 1)
    samples = []
    for sample, values, missing in zip(events, present, absent, strict=True):
        weights = sample.weights[~missing]
        samples.append(
            {
                "name": sample.name,
                "signal": sample.signal,
                "total": sample.total,
                "values": weighted_histogram(values, edges, weights).tolist(),
                "below": float(weights[values < edges[0]].sum()),
                "above": float(weights[values > edges[-1]].sum()),
                "missing": float(sample.weights[missing].sum()),
            }
        )
        if not sample.signal:
            variance += weighted_histogram(values, edges, weights**2)
    return {"edges": edges.tolist(), "uncertainty": np.sqrt(variance).tolist(), "samples": samples}


def _of_histograms(histograms: Sequence[Histogram]) -> dict[str, Any]:
    """The bins of samples that are histograms already."""
    variances = [one.contents.variances[1:-1] for one in histograms if not one.signal]
    samples = [
        {
            "name": one.name,
            "signal": one.signal,
            "total": one.total,
            "values": one.contents.values[1:-1].tolist(),
            "below": float(one.contents.values[0]),
            "above": float(one.contents.values[-1]),
            "missing": 0.0,
        }
        for one in histograms
    ]
    uncertainty = np.sqrt(np.sum(variances, axis=0))
    return {"edges": histograms[0].contents.edges.tolist(), "uncertainty": uncertainty.tolist(), "samples": samples}


def bin_edges(thresholds: FloatArray, columns: list[FloatArray]) -> FloatArray:
    """Edges of the bins: the range of the thresholds in even parts; of whole numbers each bin has equally many.

    Args:
        thresholds: any shape.
        columns: the values of each sample, each of shape (event,).

    Example:
        >>> bin_edges(np.array([0.5, 1.5, 2.5]), [np.array([0.0, 1.0, 2.0, 3.0])])
        array([0.5, 1.5, 2.5])
        >>> len(bin_edges(np.array([0.0, 10.0]), [np.array([0.1, 5.0])]))
        81
    """
    low, high = float(np.min(thresholds)), float(np.max(thresholds))
    if low == high:
        # A single threshold has no range; then it is that of the events.
        everything = np.concatenate([*columns, [low]])
        low, high = float(everything.min()), float(everything.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    if high - low < 2.0**52 and all(np.array_equal(column, np.round(column)) for column in columns):
        first, last = np.floor(low + 0.5) - 0.5, np.ceil(high - 0.5) + 0.5
        width = np.ceil((last - first) / _MOST_BINS)
        return np.asarray(first + width * np.arange(np.ceil((last - first) / width) + 1), dtype=np.float64)
    return np.linspace(low, high, _NUM_BINS + 1)
