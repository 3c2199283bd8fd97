"""Categories along one or more discriminants, what is in them, and why there are so many."""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hepcuts._core.histograms import weighted_histogram

from ._style import (
    BACKGROUNDS,
    CURVES,
    INK,
    SIGNALS,
    Panels,
    frame_of_numbers,
    labelled_legend,
    legend_on_top,
    own_or_new_axes,
    style,
)
from .views import CategoriesView, require

_POINTS = 3000
"""Events drawn of each sample, at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class CategoryFigure(Panels):
    """What `categories` drew.

    Attributes:
        edges: the edges of the categories in the plane of the first two discriminants, or along the only one.
        bars: expected signal and background of each category.
        curves: the objective against the number of categories, on the events that chose and held out.
    """

    edges: LineCollection
    bars: tuple[BarContainer, BarContainer]
    curves: tuple[Line2D, ...]


def categories(result: CategoriesView, *, axes: Any = None) -> CategoryFigure:
    """Draw where the categories lie, what is in them, and how their number was chosen.

    Args:
        result: of `hepcuts.categorize`.
        axes: three axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not the result of `hepcuts.categorize`, or not three axes.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> samples = hc.datasets.many_features(2, seed=1, num_signal=2000, num_background=4000)
        >>> drawn = categories(hc.categorize(samples, ["x0", "x1"], num_bins=2, folds=0))
        >>> len(drawn.bars[0])
        4
        >>> plt.close(drawn.figure)
    """
    require(result, CategoriesView, "the result of hepcuts.categorize")
    with style():
        where, inside, choice = own_or_new_axes(axes, 3, ncols=3, figsize=(19.0, 5.5))
        lines = _draw_plane(where, result) if len(result.edges) > 1 else _draw_line(where, result)
        where.set_title("Categories", loc="left")
        bars = _draw_yields(inside, result)
        curves = _draw_choice(choice, result)
    return CategoryFigure((where, inside, choice), lines, bars, curves)


def _drawn_events(result: CategoriesView, names: tuple[str, ...]) -> list[tuple[bool, list[Any]]]:
    """For signal and background: some events that pass, with values of the discriminants."""
    found = []
    for sample in result.samples:
        rows = result.numbers(sample.columns, missing=sample.missing) >= 0
        if result.selection is not None:
            rows &= result.selection.mask(sample.columns, missing=sample.missing)
        some = np.flatnonzero(rows)
        some = some[np.linspace(0, len(some) - 1, min(_POINTS, len(some))).round().astype(np.int64)]
        found.append((sample.signal, [sample.column(name)[some] for name in names] + [sample.weights[some]]))
    return found


def _draw_plane(ax: Axes, result: CategoriesView) -> LineCollection:
    """Events and edges in the plane of the first two discriminants; samples beneath each other, the signal on top."""
    (x, first), (y, second) = list(result.edges.items())[:2]
    for signal, (xs, ys, _) in sorted(_drawn_events(result, (x, y)), key=lambda one: one[0]):
        ax.scatter(xs, ys, s=3, color=SIGNALS[0] if signal else BACKGROUNDS[0], alpha=0.35, linewidths=0)
    low, high = (first[0], second[0]), (first[-1], second[-1])
    upright = [[(e, low[1]), (e, high[1])] for e in first[1:-1]]
    level = [[(low[0], e), (high[0], e)] for e in second[1:-1]]
    if result.kind == "argmax":
        # Edges of a score count where it is the largest.
        upright = [[(e, low[1]), (e, min(e, high[1]))] for e in first[1:-1]]
        level = [[(low[0], e), (min(e, high[0]), e)] for e in second[1:-1]]
        ends = max(low), min(high)
        upright.append([(ends[0], ends[0]), (ends[1], ends[1])])
    lines = LineCollection(upright + level, colors=INK, linewidths=1.2, zorder=4)
    ax.add_collection(lines)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=x, ylabel=y)
    handles = [Line2D([], [], color=c, marker="o", linestyle="") for c in (SIGNALS[0], BACKGROUNDS[0])]
    legend_on_top(ax, handles, ["signal", "background"])
    return lines


def _draw_line(ax: Axes, result: CategoriesView) -> LineCollection:
    """Shares of signal and background along the only discriminant."""
    ((x, edges),) = result.edges.items()
    grid = np.linspace(edges[0], edges[-1], 61)
    for kind, color, label in ((False, BACKGROUNDS[0], "background"), (True, SIGNALS[0], "signal")):
        parts = [values for signal, values in _drawn_events(result, (x,)) if signal == kind]
        counts = sum(weighted_histogram(v, grid, w) / max(abs(w.sum()), 1e-300) for v, w in parts) / len(parts)
        ax.stairs(counts, grid, color=color, fill=not kind, label=label)
    ax.set_ylim(0.0, ax.dataLim.y1 * 1.05)
    lines = LineCollection([[(e, 0.0), (e, ax.get_ylim()[1])] for e in edges[1:-1]], colors=INK, linestyles=":")
    ax.add_collection(lines)
    ax.set(xlim=(grid[0], grid[-1]), xlabel=x, ylabel="Share of events")
    handles, labels = ax.get_legend_handles_labels()
    legend_on_top(ax, handles, labels)
    return lines


def _draw_yields(ax: Axes, result: CategoriesView) -> tuple[BarContainer, BarContainer]:
    number = np.arange(result.num_categories)
    background = ax.bar(number, result.background, width=0.8, color=BACKGROUNDS[0], label="background")
    signal = ax.bar(number, result.signal, width=0.4, color=SIGNALS[0], label="signal")
    positive = np.concatenate([result.signal, result.background])
    positive = positive[positive > 0]
    ax.set_yscale("log")
    ax.set(ylim=(0.5 * positive.min(), 2.0 * positive.max()), xlim=(-0.6, len(number) - 0.4))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="Category", ylabel="Expected events")
    ax.set_title(f"{result.label} = {result.value:.3f}", loc="left")
    labelled_legend(ax, signal, background)
    return signal, background


def _draw_choice(ax: Axes, result: CategoriesView) -> tuple[Line2D, ...]:
    """The objective against the number of categories: the candidates, and what was taken."""
    numbers = [one.num_categories for one in result.candidates]
    shown = (("value", "-", "o", "all events"), ("held_out_value", "--", "s", "held out"))
    curves = []
    for field, dashes, marker, label in shown:
        drawn = [getattr(one, field) for one in result.candidates]
        curves += ax.plot(numbers, drawn, color=CURVES[0], linestyle=dashes, marker=marker, markersize=4, label=label)
        taken = [getattr(result, field)]
        curves += ax.plot(
            [result.num_categories], taken, color=CURVES[1], linestyle="", marker=marker, label=f"taken, {label}"
        )
    frame_of_numbers(ax, [1, result.num_categories, *numbers], curves)
    ax.set(xlabel="Number of categories", ylabel=result.label)
    return tuple(curves)
