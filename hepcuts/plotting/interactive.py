"""A cut to be moved by hand, with what every metric says about it."""

import dataclasses
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.widgets import Slider

from hepcuts._core.errors import InputError

from ._stack import Distributions
from ._style import INK, Panels, own_or_new_axes, style
from .curves import ScanCurves, scan
from .histograms import distributions
from .views import ScanView, require

_NUM_BINS = 50
"""Bins of the distributions, over the range of the thresholds."""


@dataclasses.dataclass(frozen=True, eq=False)
class CutSlider(Panels):
    """What `slider` drew, and the handle to move it. Keep it: the slider works as long as it lives.

    Attributes:
        axes: of the distributions, of the metrics and of the slider.
        result: the scan that all numbers are looked up in.
        slider: the widget.
        distributions: the upper panel.
        curves: the lower panel.
        line: the threshold in the lower panel.
        points: the metrics at the threshold.
        text: expected events and metrics at the threshold.
    """

    result: ScanView
    slider: Slider
    distributions: Distributions
    curves: ScanCurves
    line: Line2D
    points: Line2D
    text: Text

    @property
    def threshold(self) -> float:
        """Where the cut is: always one of the scanned thresholds."""
        return float(self.result.thresholds[self._nearest(self.slider.val)])

    def set(self, threshold: float) -> None:
        """Move the cut to the nearest scanned threshold, as if by hand."""
        self.slider.set_val(self.result.thresholds[self._nearest(threshold)])

    def _nearest(self, threshold: float) -> int:
        return int(np.argmin(np.abs(self.result.thresholds - threshold)))

    def _show(self, value: float) -> None:
        """Look up and show the numbers of a threshold."""
        position = self._nearest(value)
        threshold = float(self.result.thresholds[position])
        if self.distributions.cut is not None:
            self.distributions.cut.move(self.result.cut.at([threshold]))
        self.line.set_xdata([threshold, threshold])
        self.points.set_data(*_points(self.curves, threshold))
        self.text.set_text(_text(self.result, position))
        self.slider.valtext.set_text(f"{threshold:.5g}")


def slider(result: ScanView, *, threshold: float | None = None, log: bool = False, ax: Any = None) -> CutSlider:
    """Draw the samples of a scan with a cut to be moved by hand; a second panel shows where that is on every curve.

    The positions of the slider are the thresholds of the scan; moving the cut looks its numbers up. In a notebook use
    ``%matplotlib widget`` (the package ipympl), or call `CutSlider.set`.

    Args:
        result: from `hepcuts.scan`, of one threshold, or anything else that is a `hepcuts.plotting.views.ScanView`.
            All panels show the range of its thresholds; triangles tell of events outside of it.
        threshold: where the slider starts, or None for the threshold of the cut, or, if it has none, the optimum of
            the last metric.
        log: whether the y axis of the distributions is logarithmic.
        ax: three axes (distributions, metrics, slider), or None for a new figure.

    Returns:
        The artists and the widget.

    Raises:
        InputError: not the result of a scan, or one of a window or of a single threshold.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> samples, cut = hc.datasets.tutorial(seed=1), hc.Cut("x", ">", 3.0)
        >>> drawn = slider(hc.scan(samples, cut, metrics=("bce", "asimov"), thresholds=range(-4, 8)))
        >>> drawn.set(5.2)
        >>> drawn.threshold
        5.0
        >>> plt.close(drawn.figure)
    """
    require(result, ScanView, "the result of hepcuts.scan")
    start = _start(result, threshold)
    with style():
        axes = own_or_new_axes(ax, 3, nrows=3, figsize=(8.5, 9.0), height_ratios=(12, 10, 1))
        # All panels have the x axis of the scan, so that knob and lines are above each other.
        bins = np.linspace(result.thresholds[0], result.thresholds[-1], _NUM_BINS + 1)
        cut = result.cut.at([start])
        upper = distributions(result.samples, cut.variable, cut=cut, bins=bins, log=log, ax=axes[0])
        lower = cast(ScanCurves, scan(result, ax=axes[1]))
        widget = _widget(axes[2], result, start)
        drawn = CutSlider(
            axes=(axes[0], axes[1], axes[2]),
            result=result,
            slider=widget,
            distributions=upper,
            curves=lower,
            line=axes[1].axvline(start, ymax=lower.top, color=INK, linestyle="--", zorder=3),
            points=axes[1].plot([], [], "o", color=INK, markersize=5, zorder=5)[0],
            text=axes[0].set_title("", loc="left", linespacing=1.4),
        )
        drawn._show(start)
    widget.on_changed(drawn._show)
    return drawn


def _start(result: ScanView, threshold: float | None) -> float:
    """The scanned threshold where the slider starts."""
    if result.thresholds.ndim > 1:
        raise InputError(f"A slider moves one threshold, and {result.cut} has two; scan a hepcuts.Cut.")
    if len(result.thresholds) < 2:
        raise InputError(f"The slider has one position, {result.thresholds[0]:g}; expected at least two thresholds.")
    (own,) = result.cut.thresholds
    wanted = own if threshold is None else threshold
    if wanted is None:
        wanted = result.optimum([*result.metrics][-1]).threshold
    return float(result.thresholds[np.argmin(np.abs(result.thresholds - wanted))])


def _widget(ax: Axes, result: ScanView, start: float) -> Slider:
    at = result.thresholds
    widget = Slider(ax, result.cut.variable, at[0], at[-1], valinit=start, valstep=at, color=INK)
    # matplotlib's mark of the first value looks like one more threshold.
    widget.vline.set_visible(False)
    return widget


def _points(curves: ScanCurves, threshold: float) -> tuple[list[float], list[float]]:
    """Where the threshold is on each curve that has a value there."""
    found = []
    for curve in curves.curves.values():
        x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
        found += [float(value) for value in y[x == threshold]]
    return [threshold] * len(found), found


def _text(result: ScanView, position: int) -> str:
    """Cut, expected events and metrics at a threshold; two metrics a line."""
    table, cut = result.table, result.cut.at([float(result.thresholds[position])])
    reason = next(filter(None, (result.reason(name, position) for name in result.values)), "")
    head = f"{cut}:   $S$ = {table.signal[position]:.5g},   $B$ = {table.background[position]:.5g}"
    parts = [
        f"{m.label}: " + ("no value" if np.isnan(values[position]) else f"{values[position]:.4g}")
        for m, values in zip(result.metrics.values(), result.values.values(), strict=True)
    ]
    pairs = [",   ".join(parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return "\n".join([f"{head}; {reason}" if reason else head, *pairs])
