"""The metrics of a scan as curves against the threshold."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from hepcuts._types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.errors import InputError
from hepcuts.scan import ScanResult

from ._style import CURVES, DASHES, MARKERS, AnyFigure, legend_on_top, own_or_new_axes, style


@dataclasses.dataclass(frozen=True, eq=False)
class ScanCurves:
    """What `scan` drew.

    Attributes:
        figure: the figure.
        ax: the axes.
        curves: metric to its normalized curve.
        optima: metric to the marker at its best threshold.
        legend: the legend.
        top: the fraction of the axes' height beneath the legend.
    """

    figure: AnyFigure
    ax: Axes
    curves: Mapping[str, Line2D]
    optima: Mapping[str, Line2D]
    legend: Legend
    top: float


def scan(result: ScanResult, *, metrics: Sequence[str] | None = None, ax: Any = None) -> ScanCurves:
    """Draw all metrics of a scan against the threshold, each normalized so that its best value is 1.

    A gain is divided by its best value; of a loss the best value is divided by it (see `normalized`). Where a metric
    has no value its curve is open; thresholds at which it was only not evaluated are passed over.

    Args:
        result: from `hepcuts.scan`.
        metrics: names of the metrics to draw, or None for all.
        ax: axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: a metric was not scanned, or has no value at any threshold.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> samples, cut = hc.datasets.tutorial(seed=1), hc.Cut("x", ">")
        >>> result = hc.scan(samples, cut, metrics=("bce", "asimov"), thresholds=range(-4, 8))
        >>> drawn = scan(result)
        >>> drawn.optima["asimov"].get_xdata()
        array([3.])
        >>> plt.close(drawn.figure)
    """
    if not isinstance(result, ScanResult):
        raise InputError(f"Got a {type(result).__name__}; expected the result of hepcuts.scan.")
    names = tuple(result.metrics) if metrics is None else tuple(metrics)
    if not names:
        raise InputError(f"No metrics to draw; choose among {', '.join(result.metrics)}, or leave the argument out.")
    # Unknown names, and metrics without any value, are refused here.
    best = {name: result.optimum(name).threshold for name in names}
    with style():
        (axes,) = own_or_new_axes(ax)
        curves = {name: _draw_metric(axes, result, name, number) for number, name in enumerate(names)}
        optima = {name: _draw_optimum(axes, best[name], number) for number, name in enumerate(names)}
        low = min(0.0, *(np.nanmin(curve.get_ydata()) for curve in curves.values()))
        axes.set_ylim(low, 1.05)
        if len(result.thresholds) > 1:
            axes.set_xlim(result.thresholds[0], result.thresholds[-1])
        handles = [(curves[name], optima[name]) for name in names]
        labels = [f"{result.metrics[name].label}, best at {best[name]:.4g}" for name in names]
        legend, top = legend_on_top(axes, handles, labels)
        axes.set_xlabel(threshold_label(result.cut))
        axes.set_ylabel("Metric relative to its best value")
    return ScanCurves(axes.figure, axes, MappingProxyType(curves), MappingProxyType(optima), legend, top)


def normalized(values: FloatArray, sign: int) -> FloatArray:
    """Values of a metric on a scale on which the best is 1 and all else is less.

    Args:
        values: shape (threshold,); NaN stays NaN.
        sign: +1 if larger is better (values are divided by the best), -1 for a loss (the best is divided by the
            values). If the best is not positive no ratio keeps the order; then the distance to the best, in units of
            the range of the values, is taken off 1.

    Returns:
        Shape (threshold,).

    Example:
        >>> normalized(np.array([1.0, 4.0, np.nan]), +1), normalized(np.array([1.0, 4.0, np.nan]), -1)
        (array([0.25, 1. ,  nan]), array([1. , 0.25,  nan]))
    """
    best = np.nanmax(sign * values) * sign
    if best > 0:
        return values / best if sign > 0 else best / values
    span = np.nanmax(values) - np.nanmin(values)
    return 1.0 - np.abs(values - best) / (span if span > 0 else 1.0)


def threshold_label(cut: AbstractCut) -> str:
    """What the x axis of a scan shows."""
    return f"Threshold of {cut.variable}"


def _draw_metric(ax: Axes, result: ScanResult, name: str, number: int) -> Line2D:
    values = result.values[name]
    # NaN that was never evaluated is no gap of the metric: the curve goes on to the next value.
    known = np.flatnonzero(result.evaluated[name])
    (curve,) = ax.plot(
        result.thresholds[known],
        normalized(values, result.metrics[name].sign)[known],
        color=CURVES[number % len(CURVES)],
        linestyle=DASHES[number % len(DASHES)],
        zorder=2.0,
    )
    return curve


def _draw_optimum(ax: Axes, threshold: float, number: int) -> Line2D:
    (marker,) = ax.plot(
        [threshold],
        [1.0],
        MARKERS[number % len(MARKERS)],
        color=CURVES[number % len(CURVES)],
        markeredgecolor="white",
        markersize=9,
        zorder=4,
    )
    return marker
