"""The landscape of a soft objective, and the way of an optimization through it."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

from ._style import CURVES, DASHES, INK, Panel, Panels, legend_on_top, own_or_new_axes, style
from .curves import threshold_label
from .views import HistoryView, LandscapeView, OptimizationView, require

_STAR: Mapping[str, Any] = MappingProxyType({"markersize": 14, "markeredgewidth": 0.8, "zorder": 4})
_BESIDE = 0.06
"""How far beside the last step the hard cuts are drawn, in numbers of steps."""
_MANY = 100
"""From so many steps on they are not marked one by one."""


@dataclasses.dataclass(frozen=True, eq=False)
class LossAndGradient(Panels):
    """What `loss_and_gradient` drew.

    Attributes:
        axes: of the value and of the gradient.
        value: curve of the objective.
        gradient: curve of its derivative.
        zero: the zero line of the gradient.
        optimum: marker at the best value.
    """

    value: Line2D
    gradient: Line2D
    zero: Line2D
    optimum: Line2D


@dataclasses.dataclass(frozen=True, eq=False)
class HistoryCurves(Panel):
    """What `history` drew.

    Attributes:
        ax: the axes of the objective, on the left.
        right: the axes of the thresholds, on the right.
        values: the objective, one curve for each stage.
        thresholds: name of a threshold to its curve.
        ends: name of a threshold to the marker of the hard cut; none for one that was given up.
        boundaries: lines between the stages, and between the last and the hard cuts.
        final: marker of the objective at the hard cuts, the value that is quoted.
    """

    right: Axes
    values: tuple[Line2D, ...]
    thresholds: Mapping[str, Line2D]
    ends: Mapping[str, Line2D]
    boundaries: tuple[Line2D, ...]
    final: Line2D


def loss_and_gradient(landscape: LandscapeView, *, axes: Any = None) -> LossAndGradient:
    """Draw a soft objective along one threshold, and below it its gradient.

    Args:
        landscape: from `hepcuts.optimization.landscape.landscape`.
        axes: two axes, for value and gradient, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not a landscape, or one without any value.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> from hepcuts.optimization.landscape import landscape
        >>> found = landscape(hc.datasets.tutorial(seed=1), hc.Cut("x", ">", width=1.0), thresholds=[2.0, 3.0, 4.0],
        ...                   objective="squared_error")
        >>> drawn = loss_and_gradient(found)
        >>> drawn.optimum.get_xdata()
        array([3.])
        >>> plt.close(drawn.figure)
    """
    require(landscape, LandscapeView, "the result of hepcuts.optimization.landscape.landscape")
    if not np.any(np.isfinite(landscape.values)):
        raise InputError(
            f"{landscape.objective.name!r} has no value at any of {len(landscape.thresholds)} thresholds; nothing to "
            "draw. Choose thresholds at which signal and background pass."
        )
    best = int(np.nanargmax(landscape.objective.sign * landscape.values))
    at = landscape.thresholds
    with style():
        options = {"nrows": 2, "sharex": True, "figsize": (8.0, 7.0), "height_ratios": (3, 2)}
        upper, lower = own_or_new_axes(axes, 2, **options)
        (value,) = upper.plot(at, landscape.values, color=CURVES[0])
        (gradient,) = lower.plot(at, landscape.gradients, color=CURVES[1])
        zero = lower.axhline(0.0, color=INK, linewidth=1.0)
        (optimum,) = upper.plot(at[[best]], landscape.values[[best]], "o", color=INK, zorder=4)
        lower.set_xlim(at.min(), at.max())
        upper.margins(y=0.08)
        upper.set_ylim(upper.get_ylim())
        lower.margins(y=0.1)
        lower.set_ylim(lower.get_ylim())
        labels = [f"{_capital(landscape.objective.label)}, width {landscape.width:.3g}", f"best at {at[best]:.4g}"]
        _, height = legend_on_top(upper, [value, optimum], labels)
        for ax, top in ((upper, height), (lower, 1.0)):
            ax.axvline(at[best], ymax=top, color=INK, linewidth=1.0, linestyle=":")
        upper.set_ylabel(_capital(landscape.objective.label))
        lower.set_ylabel("Gradient")
        lower.set_xlabel(threshold_label(landscape.cut))
    return LossAndGradient((upper, lower), value, gradient, zero, optimum)


def history(result: OptimizationView, *, ax: Any = None) -> HistoryCurves:
    """Draw the way of an optimization: the soft objective (left axis) and the thresholds (right axis) at each step.

    The objective is one curve for each stage, since values of different widths are not comparable; thin lines part
    the stages. A single threshold is shown as it is. Several, perhaps of different units, are each shown as the
    distance from their start in units of the range they went through: all begin at 0. Beside the last step stand the
    hard cuts, as they are quoted: their thresholds, and as a star the objective, on held-out events if there are any.
    The legend tells where each threshold started, and that of the hard cuts.

    Args:
        result: from `hepcuts.optimize`.
        ax: axes to draw into (a twin is made for the thresholds), or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not the result of an optimization.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> drawn = history(hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov", anneal=(1.0,)))
        >>> drawn.ax.get_xlabel(), [*drawn.thresholds]
        ('Step', ['x'])
        >>> plt.close(drawn.figure)
    """
    require(result, OptimizationView, "the result of hepcuts.optimize")
    way = result.history
    label = result.label
    with style():
        (left,) = own_or_new_axes(ax)
        right = left.twinx()
        values = _draw_stages(left, way)
        thresholds = _draw_thresholds(right, way)
        # Hard cuts are no step of the way: they stand beside it, on either axis.
        at = len(way.values) - 1 + _BESIDE * max(len(way.values), 10)
        (final,) = left.plot([at], [result.quoted_value], "*", color=CURVES[0], markeredgecolor=INK, **_STAR)
        ends = _draw_ends(right, way, result.hard_thresholds, at)
        _fit_limits(left, right, at)
        quoted = "the events that chose them" if result.held_out is None else "held-out events"
        ways = [_way(name, line[0], result.hard_thresholds[name]) for name, line in _lines(way)]
        labels = [f"{label}, soft", f"hard cuts, {quoted}: {result.quoted_value:.4g}", *ways]
        _, height = legend_on_top(left, [values[0], final, *thresholds.values()], labels, twin=right)
        changes = [*(np.flatnonzero(np.diff(way.stages)) + 0.5), 0.5 * (len(way.values) - 1 + at)]
        boundaries = tuple(left.axvline(change, ymax=height, color="0.6", linewidth=0.8) for change in changes)
        left.set_xlabel("Step")
        left.set_ylabel(_capital(label), color=CURVES[0])
    return HistoryCurves(left, right, values, MappingProxyType(thresholds), MappingProxyType(ends), boundaries, final)


def _lines(way: HistoryView) -> list[tuple[str, FloatArray]]:
    """Name and way of each threshold."""
    return list(zip(way.names, way.thresholds.T, strict=True))


def _way(name: str, start: float, end: float | None) -> str:
    return f"{name}: {start:.4g}, given up" if end is None else f"{name}: {start:.4g} to {end:.4g}"


def _shown(line: FloatArray, values: Any, *, single: bool) -> Any:
    """Thresholds as the right axis has them."""
    return values if single else (values - line[0]) / (np.ptp(line) or 1.0)


def _draw_ends(ax: Axes, way: HistoryView, thresholds: Mapping[str, float | None], at: float) -> dict[str, Line2D]:
    """The thresholds of the hard cuts; none for those that were given up."""
    ends: dict[str, Line2D] = {}
    for number, (name, line) in enumerate(_lines(way)):
        end = thresholds[name]
        if end is not None:
            height = _shown(line, end, single=len(way.names) == 1)
            (ends[name],) = ax.plot([at], [height], "o", color=_color(number), markersize=6, zorder=3)
    return ends


def _color(number: int) -> str:
    return CURVES[1 + number % (len(CURVES) - 1)]


def _capital(label: str) -> str:
    """A label as an axis shows it; formulas stay as they are."""
    return label[:1].upper() + label[1:]


def _fit_limits(left: Axes, right: Axes, last: float) -> None:
    """All steps with some room beside the last, whole numbers as ticks."""
    room = max(0.5, 0.02 * last)
    left.set_xlim(-room, last + room)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.xaxis.set_minor_locator(NullLocator())
    for panel in (left, right):
        panel.margins(y=0.08)
        panel.set_ylim(panel.get_ylim())


def _draw_stages(ax: Axes, way: HistoryView) -> tuple[Line2D, ...]:
    steps = np.arange(len(way.values))
    curves: list[Line2D] = []
    marker = "o-" if len(way.values) < _MANY else "-"
    for stage in np.unique(way.stages):
        here = way.stages == stage
        curves += ax.plot(steps[here], way.values[here], marker, color=CURVES[0], markersize=4)
    return tuple(curves)


def _draw_thresholds(ax: Axes, way: HistoryView) -> dict[str, Line2D]:
    curves = {}
    single = len(way.names) == 1
    for number, (name, line) in enumerate(_lines(way)):
        shown, dash = _shown(line, line, single=single), DASHES[1 + number % (len(DASHES) - 1)]
        (curves[name],) = ax.plot(np.arange(len(way.values)), shown, color=_color(number), linestyle=dash)
    if single:
        ax.set_ylabel(f"Threshold of {way.names[0]}", color=CURVES[1])
    else:
        ax.set_ylabel("Threshold: (now $-$ start) / range")
    return curves
