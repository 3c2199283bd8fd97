"""A cut to be moved by hand, with what every metric says about it."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.widgets import Slider
from numpy.typing import ArrayLike

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Cut
from hepcuts.samples.sample import Sample
from hepcuts.scanning.scan import ScanResult
from hepcuts.scanning.scan import scan as scan_metrics

from ._stack import Distributions
from ._style import INK, AnyFigure, own_or_new_axes, style
from .curves import ScanCurves, scan
from .histograms import distributions

_NUM_POSITIONS = 201
"""Positions of the slider, if none are given."""
_NUM_BINS = 50
"""Bins of the distributions, over the range of the thresholds."""


@dataclasses.dataclass(frozen=True, eq=False)
class CutSlider:
    """What `slider` drew, and the handle to move it. Keep it: the slider works as long as it lives.

    Attributes:
        figure: the figure.
        axes: of the distributions, of the metrics and of the slider.
        result: the scan that all numbers are looked up in.
        slider: the widget.
        distributions: the upper panel.
        curves: the lower panel.
        line: the threshold in the lower panel.
        points: the metrics at the threshold.
        text: expected events and metrics at the threshold.
    """

    figure: AnyFigure
    axes: tuple[Axes, Axes, Axes]
    result: ScanResult
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


def slider(
    samples: Iterable[Sample],
    cut: Cut,
    *,
    metrics: Sequence[str] = ("bce", "asimov", "profile"),
    thresholds: ArrayLike | None = None,
    log: bool = False,
    ax: Any = None,
) -> CutSlider:
    """Draw the samples with a cut to be moved by hand; a second panel shows where that is on every metric's curve.

    Everything is scanned once, here; moving the cut looks the numbers up. In a notebook use ``%matplotlib widget``
    (the package ipympl), or call `CutSlider.set`.

    Args:
        samples: at least one signal and one background.
        cut: variable and direction. The slider starts at its threshold, or, if it has none, at the optimum of the
            last metric.
        metrics: names of the metrics, see `hepcuts.scan`.
        thresholds: positions of the slider, at least two, or None for 201 over the cut's bounds or the range of the
            events. All panels show the range of the thresholds; triangles tell of events outside of it.
        log: whether the y axis of the distributions is logarithmic.
        ax: three axes (distributions, metrics, slider), or None for a new figure.

    Returns:
        The artists, the widget and the scan.

    Raises:
        InputError: not a `Cut`, less than two thresholds, or as `hepcuts.scan`.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> drawn = slider(hc.datasets.tutorial(seed=1), hc.Cut("x", ">", 3.0), metrics=("bce", "asimov"),
        ...                thresholds=range(-4, 8))
        >>> drawn.set(5.2)
        >>> drawn.threshold
        5.0
        >>> plt.close(drawn.figure)
    """
    samples = tuple(samples)
    if not isinstance(cut, Cut):
        raise InputError(f"A slider moves one hepcuts.Cut, got {type(cut).__name__}.")
    points = _positions(samples, cut) if thresholds is None else thresholds
    result = scan_metrics(samples, cut, metrics=metrics, thresholds=points, replicas=0, folds=0)
    if len(result.thresholds) < 2:
        raise InputError(f"The slider has one position, {result.thresholds[0]:g}; expected at least two thresholds.")
    wanted = result.optimum(metrics[-1]).threshold if cut.threshold is None else cut.threshold
    start = float(result.thresholds[np.argmin(np.abs(result.thresholds - wanted))])
    with style():
        axes = own_or_new_axes(ax, 3, nrows=3, figsize=(8.5, 9.0), height_ratios=(12, 10, 1))
        # All panels have the x axis of the scan, so that knob and lines are above each other.
        bins = np.linspace(result.thresholds[0], result.thresholds[-1], _NUM_BINS + 1)
        upper = distributions(samples, cut.variable, cut=cut.at([start]), bins=bins, log=log, ax=axes[0])
        lower = scan(result, ax=axes[1])
        if not isinstance(lower, ScanCurves):
            raise InputError(f"A slider moves one threshold, and {cut} has two.")
        widget = _widget(axes[2], result, start)
        drawn = CutSlider(
            figure=upper.figure,
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


def _positions(samples: Sequence[Sample], cut: Cut) -> FloatArray:
    """Evenly over the bounds of the cut, or the range of the values that exist."""
    if cut.bounds is not None:
        return np.linspace(*cut.bounds, _NUM_POSITIONS)
    values = np.concatenate([s.column(cut.variable) for s in samples])
    absent = np.concatenate([is_missing(s.column(cut.variable), s.missing) for s in samples])
    return np.linspace(values[~absent].min(), values[~absent].max(), _NUM_POSITIONS)


def _widget(ax: Axes, result: ScanResult, start: float) -> Slider:
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


def _text(result: ScanResult, position: int) -> str:
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
