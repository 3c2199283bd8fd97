"""The metrics of a scan as curves against the threshold."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut

from ._style import AnyFigure, Panel, color, legend_on_top, look, marker, own_or_new_axes, style
from .views import ScanView, require


@dataclasses.dataclass(frozen=True, eq=False)
class ScanCurves(Panel):
    """What `scan` drew.

    Attributes:
        curves: metric to its normalized curve.
        optima: metric to the marker at its best threshold.
        intervals: metric to the bar of the best thresholds of replicas (central 68 %).
        legend: the legend.
        top: the fraction of the axes' height beneath the legend.
    """

    curves: Mapping[str, Line2D]
    optima: Mapping[str, Line2D]
    intervals: Mapping[str, Line2D]
    legend: Legend
    top: float


@dataclasses.dataclass(frozen=True, eq=False)
class WindowCurves:
    """What `scan` drew of a window: the metrics against either edge, the other one where it is best.

    Attributes:
        figure: the figure.
        low: the lower edge.
        high: the upper edge.
    """

    figure: AnyFigure
    low: ScanCurves
    high: ScanCurves


@dataclasses.dataclass(frozen=True)
class _MetricCurve:
    """One metric against one edge.

    Attributes:
        points: thresholds at which it was evaluated, shape (point,).
        values: relative to the best value, shape (point,).
        trusted: whether enough simulated background is after the cut, shape (point,).
        gaps: whether there are thresholds that were not evaluated before the next point, shape (point - 1,).
        best: the best threshold.
        interval: central 68 % of the best thresholds of replicas.
        label: for the legend.
    """

    points: FloatArray
    values: FloatArray
    trusted: Any
    gaps: Any
    best: float
    interval: tuple[float, float]
    label: str


def scan(result: ScanView, *, metrics: Sequence[str] | None = None, ax: Any = None) -> ScanCurves | WindowCurves:
    """Draw all metrics of a scan against the threshold, each relative to its best value.

    A gain is divided by its best value; of a loss the best value is divided by it (see `normalized`). Where a metric
    has no value its curve is open; thresholds at which it was only not evaluated are passed over. What the guard
    against few simulated events excludes from the optimum is faint. The bar at each optimum is where the best
    thresholds of replicas of the events lie (central 68 %).

    Args:
        result: from `hepcuts.scan`, or anything else that is a `hepcuts.plotting.views.ScanView`.
        metrics: names of the metrics to draw, or None for all.
        ax: axes to draw into (two of them for a window), or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not the result of a scan, or a metric was not scanned or has no value at any threshold.

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
    require(result, ScanView, "the result of hepcuts.scan")
    names = tuple(result.metrics) if metrics is None else tuple(metrics)
    if not names:
        raise InputError(f"No metrics to draw; choose among {', '.join(result.metrics)}, or leave the argument out.")
    label = threshold_label(result.cut)
    if result.thresholds.ndim == 1:
        # Unknown names, and metrics without any value, are refused here.
        curves = {name: _curve(result, name, None) for name in names}
        with style():
            (axes,) = own_or_new_axes(ax)
            return _draw(axes, curves, label)
    sides = [{name: _curve(result, name, edge) for name in names} for edge in (0, 1)]
    with style():
        panels = own_or_new_axes(ax, 2, ncols=2, figsize=(13.0, 6.0))
        drawn = [
            _draw(panel, side, f"{which} threshold of {result.cut.variable}")
            for panel, side, which in zip(panels, sides, ("Lower", "Upper"), strict=True)
        ]
    return WindowCurves(panels[0].figure, drawn[0], drawn[1])


def _curve(result: ScanView, name: str, edge: int | None) -> _MetricCurve:
    """The metric against the threshold, or against one edge of a window with the other where it is best."""
    optimum = result.optimum(name)
    m, thresholds = result.metrics[name], result.thresholds
    # NaN that was never evaluated is no gap of the metric: a thin line goes on to the next value.
    rows, there = np.arange(len(thresholds)), result.evaluated[name]
    best, interval = optimum.threshold, optimum.interval
    if edge is not None:
        rows = rows[thresholds[rows, 1 - edge] == best[1 - edge]]
        rows = rows[np.argsort(thresholds[rows, edge])]
        best, interval = best[edge], interval[edge]
        thresholds = thresholds[:, edge]
    places = np.flatnonzero(there[rows])
    rows, gaps = rows[places], np.diff(places) > 1
    values = normalized(result.values[name][rows], m.sign, best=optimum.value)
    trusted = result.allowed(name)[rows]
    return _MetricCurve(thresholds[rows], values, trusted, gaps, best, interval, f"{m.label}, best at {best:.4g}")


def _draw(axes: Axes, found: Mapping[str, _MetricCurve], label: str) -> ScanCurves:
    drawn = {name: _draw_metric(axes, curve, number) for number, (name, curve) in enumerate(found.items())}
    low = min(0.0, *(np.nanmin(curve.values) for curve in found.values()))
    axes.set_ylim(low, 1.05)
    every = np.concatenate([curve.points for curve in found.values()])
    if every.min() < every.max():
        axes.set_xlim(every.min(), every.max())
    handles = [(line, optimum) for line, optimum, _ in drawn.values()]
    legend, top = legend_on_top(axes, handles, [curve.label for curve in found.values()])
    axes.set_xlabel(label)
    axes.set_ylabel("Metric relative to its best value")
    curves, optima, intervals = (
        MappingProxyType({name: artists[kind] for name, artists in drawn.items()}) for kind in range(3)
    )
    return ScanCurves(axes, curves, optima, intervals, legend, top)


def normalized(values: FloatArray, sign: int, *, best: float | None = None) -> FloatArray:
    """Values of a metric on a scale on which the best is 1 and all else is less.

    Args:
        values: shape (threshold,); NaN stays NaN.
        sign: +1 if larger is better (values are divided by the best), -1 for a loss (the best is divided by the
            values). If the best is not positive no ratio keeps the order; then the distance to the best, in units of
            the range of the values, is taken off 1.
        best: what counts as the best value, or None for the best of all.

    Returns:
        Shape (threshold,).

    Example:
        >>> normalized(np.array([1.0, 4.0, np.nan]), +1), normalized(np.array([1.0, 4.0, np.nan]), -1)
        (array([0.25, 1. ,  nan]), array([1. , 0.25,  nan]))
    """
    best = float(np.nanmax(sign * values) * sign) if best is None else best
    if best > 0:
        return values / best if sign > 0 else best / values
    span = np.nanmax(values) - np.nanmin(values)
    return 1.0 - sign * (best - values) / (span if span > 0 else 1.0)


def threshold_label(cut: AbstractCut) -> str:
    """What the x axis of a scan shows."""
    return f"Threshold of {cut.variable}"


def _opened(curve: _MetricCurve) -> tuple[FloatArray, FloatArray, Any]:
    """Points, values and whether they are trusted, with a value that is none within each gap."""
    at = np.flatnonzero(curve.gaps) + 1
    points, values = np.insert(curve.points, at, curve.points[at]), np.insert(curve.values, at, np.nan)
    return points, values, np.insert(curve.trusted, at, False)


def _draw_metric(ax: Axes, curve: _MetricCurve, number: int) -> tuple[Line2D, Line2D, Line2D]:
    """The curve, the marker at its optimum, and the bar of the optima of replicas."""
    points, values, trusted = _opened(curve)
    if not np.all(curve.trusted):
        ax.plot(points, values, **look(number), alpha=0.3, linewidth=1.0, zorder=1.9)
    (line,) = ax.plot(points, np.where(trusted, values, np.nan), **look(number), zorder=2.0)
    if np.any(curve.gaps):
        # Between evaluated points that are not neighbors nothing is known.
        ends = np.flatnonzero(np.append(curve.gaps, False) | np.append(False, curve.gaps))
        ax.plot(curve.points, curve.values, color=color(number), linestyle=":", linewidth=0.8, zorder=1.8)
        ax.plot(curve.points[ends], curve.values[ends], ".", color=color(number), markersize=3, zorder=1.9)
    wide: dict[str, Any] = {"linewidth": 5.0, "alpha": 0.45, "solid_capstyle": "butt", "zorder": 3.5}
    (bar,) = ax.plot(curve.interval, [1.0, 1.0], color=color(number), **wide)
    shape: dict[str, Any] = {"markeredgecolor": "white", "markersize": 9, "zorder": 4}
    (optimum,) = ax.plot([curve.best], [1.0], marker(number), color=color(number), **shape)
    return line, optimum, bar
