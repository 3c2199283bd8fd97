"""Drawing filled histograms, and a cut over them."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import hist
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample

from ._style import INK, Panel, background_color, legend_on_top, signal_color
from .heights import height_label

SignalScale = float | Literal["auto"]
"""By what signals are multiplied where they are drawn; ``"auto"``: by a power of ten with which they are seen."""
_FURTHEST = 1e-6
"""A logarithmic axis ends at this fraction of its largest value, however small a weight is."""


def set_thresholds(cut: AbstractCut) -> list[float]:
    """The thresholds of a cut that has them all.

    Raises:
        InputError: one is not set.
    """
    thresholds = [threshold for threshold in cut.thresholds if threshold is not None]
    if len(thresholds) < len(cut.thresholds):
        raise InputError(f"The cut {cut} has no threshold to draw; give it, or find it with hepcuts.scan.")
    return thresholds


@dataclasses.dataclass(frozen=True, eq=False)
class CutMarks:
    """A cut as it is drawn: a line at each threshold, and a veil over what is rejected.

    Attributes:
        ax: the axes it is in; their limits bound the veil.
        lines: one for each threshold.
        shades: one for each threshold, from there to the end of the axis.
        label: the cut in the legend.
    """

    ax: Axes
    lines: tuple[Line2D, ...]
    shades: tuple[Rectangle, ...]
    label: Text

    def move(self, cut: AbstractCut) -> None:
        """Show the cut at other thresholds."""
        low, high = self.ax.get_xlim()
        self.label.set_text(str(cut))
        for line, shade, sign, threshold in zip(self.lines, self.shades, cut.signs, set_thresholds(cut), strict=True):
            line.set_xdata([threshold, threshold])
            left, right = (low, threshold) if sign > 0 else (threshold, high)
            shade.set_x(left)
            shade.set_width(max(0.0, right - left))


@dataclasses.dataclass(frozen=True, eq=False)
class Distributions(Panel):
    """What `distributions` drew.

    Attributes:
        histograms: one `hist.Hist` for each sample, in the order of the samples.
        backgrounds: fills, stacked, in the order of the backgrounds.
        signals: lines, in the order of the signals.
        band: statistical uncertainty of the whole background, or None without backgrounds.
        cut: the cut, or None.
    """

    histograms: "tuple[hist.Hist[Any], ...]"
    backgrounds: tuple[StepPatch, ...]
    signals: tuple[StepPatch, ...]
    band: StepPatch | None
    cut: CutMarks | None


def draw(
    ax: Axes,
    samples: Sequence[Sample | Histogram],
    histograms: "tuple[hist.Hist[Any], ...]",
    cut: AbstractCut | None,
    *,
    log: bool,
    signal_scale: SignalScale = 1.0,
) -> Distributions:
    """Histograms, cut, limits and legend into given axes."""
    pairs = list(zip(samples, histograms, strict=True))
    backgrounds = [(s.name, h) for s, h in pairs if not s.signal]
    signals = [(s.name, h) for s, h in pairs if s.signal]
    edges = histograms[0].axes[0].edges
    if log:
        ax.set_yscale("log")
    fills, band = _draw_backgrounds(ax, backgrounds) if backgrounds else ((), None)
    factor = _factor(signal_scale, backgrounds, signals, log=log)
    signals = [
        (name if factor == 1.0 else f"{name} \N{MULTIPLICATION SIGN} {factor:g}", h * factor) for name, h in signals
    ]
    lines = tuple(_draw_signal(ax, h, i) for i, (_, h) in enumerate(signals))
    thresholds = () if cut is None else set_thresholds(cut)
    ax.set_xlim(min(edges[0], *thresholds, edges[0]), max(edges[-1], *thresholds, edges[-1]))
    _fit_limits(ax, [h for _, h in backgrounds], [h for _, h in signals])
    handles: list[Any] = [*lines, *fills[::-1], *([band] if band else [])]
    labels = [n for n, _ in signals] + [n for n, _ in backgrounds[::-1]] + (["stat. uncertainty"] if band else [])
    if cut is not None:
        handles.append(Line2D([], [], color=INK, linestyle="--"))
        labels.append(str(cut))
    legend, left = legend_on_top(ax, handles, labels)
    marks = None if cut is None else _draw_cut(ax, cut, left, legend.get_texts()[-1])
    ax.set_xlabel(histograms[0].axes[0].label)
    ax.set_ylabel(height_label(edges, histograms[0].axes[0].label))
    return Distributions(ax, histograms, fills, lines, band, marks)


def _factor(given: Any, backgrounds: Sequence[Any], signals: Sequence[Any], *, log: bool) -> float:
    """By what signals are multiplied; ``"auto"`` leaves the tallest bin of any below that of all backgrounds."""
    if given != "auto":
        if isinstance(given, str) or not np.isfinite(given) or given <= 0:
            raise InputError(f"signal_scale is {given!r}; expected a positive number or 'auto'.")
        return float(given)
    if log or not backgrounds or not signals:
        return 1.0
    tallest = max(float(np.max(h.values())) for _, h in signals)
    ratio = float(np.max(sum(h.values() for _, h in backgrounds))) / tallest if tallest > 0 else 1.0
    return float(10.0 ** np.floor(np.log10(ratio))) if ratio >= 10 else 1.0


def _draw_backgrounds(
    ax: Axes, backgrounds: "Sequence[tuple[str, hist.Hist[Any]]]"
) -> tuple[tuple[StepPatch, ...], StepPatch]:
    """The stack, and the uncertainty of its sum."""
    stack = [h for _, h in backgrounds]
    colors = [background_color(i) for i in range(len(stack))]
    drawn = mplhep.histplot(stack, stack=True, histtype="fill", color=colors, ax=ax, flow="hint")
    total = sum(stack[1:], start=stack[0])
    values, sigma = total.values(), _sigma(total)
    band = ax.stairs(
        values + sigma,
        total.axes[0].edges,
        baseline=values - sigma,
        fill=False,
        hatch="//////",
        edgecolor=INK,
        linewidth=0,
    )
    # mplhep draws the whole stack first and the lowest sample last, over it.
    return tuple(artists.stairs for artists in drawn)[::-1], band


def _sigma(histogram: "hist.Hist[Any]") -> FloatArray:
    """Statistical uncertainty from the sums of squared weights, shape (bin,)."""
    return np.sqrt(np.asarray(histogram.variances(), dtype=np.float64))


def _draw_signal(ax: Axes, histogram: "hist.Hist[Any]", number: int) -> StepPatch:
    color = signal_color(number)
    (drawn,) = mplhep.histplot(histogram, histtype="step", yerr=False, color=color, linewidth=2.0, ax=ax, flow="hint")
    artist: StepPatch = drawn.stairs
    return artist


def _fit_limits(ax: Axes, backgrounds: "Sequence[hist.Hist[Any]]", signals: "Sequence[hist.Hist[Any]]") -> None:
    """Limits of y, so that all is seen."""
    shown: list[Any] = [h.values() for h in signals]
    if backgrounds:
        total = sum(backgrounds[1:], start=backgrounds[0])
        shown += [total.values(), total.values() + _sigma(total)]
    heights = np.concatenate(shown)
    top = heights.max() if heights.max() > 0 else 1.0
    if ax.get_yscale() == "log":
        smallest = heights[heights > 0].min(initial=top)
        ax.set_ylim(0.5 * max(smallest, _FURTHEST * top), 1.5 * top)
    else:
        ax.set_ylim(min(0.0, 1.05 * heights.min()), 1.05 * top)


def _draw_cut(ax: Axes, cut: AbstractCut, height: float, label: Text) -> CutMarks:
    """Lines and shades up to a fraction of the axes' height."""
    number = len(cut.thresholds)
    lines = tuple(ax.axvline(0.0, ymax=height, color=INK, linestyle="--", zorder=4) for _ in range(number))
    shades = tuple(ax.axvspan(0.0, 1.0, ymax=height, color="0.6", alpha=0.35, lw=0, zorder=3) for _ in range(number))
    marks = CutMarks(ax, lines, shades, label)
    marks.move(cut)
    return marks
