"""Bins of one variable, and why there are so many."""

import dataclasses
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from ._stack import Distributions
from ._style import CURVES, INK, Panels, frame_of_numbers, own_or_new_axes, style
from .histograms import distributions
from .views import BinsView, require


@dataclasses.dataclass(frozen=True, eq=False)
class BinFigure(Panels):
    """What `binning` drew.

    Attributes:
        distributions: the samples in the bins.
        values: the metric of each bin.
        curves: the metric and the significance of the shape fit against the number of bins, each on the events that
            chose and held out.
        chosen: line at the number of bins that was chosen.
    """

    distributions: Distributions
    values: StepPatch
    curves: tuple[Line2D, ...]
    chosen: Line2D


def binning(result: BinsView, *, axes: Any = None) -> BinFigure:
    """Draw the samples in the best bins, what each bin adds, and how the number of bins was chosen.

    Args:
        result: of `hepcuts.bin_edges`.
        axes: three axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not the result of `hepcuts.bin_edges`, or not three axes.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> from hepcuts.binning import bin_edges
        >>> drawn = binning(bin_edges(hc.datasets.tutorial(seed=1), "x", max_bins=4))
        >>> len(drawn.values.get_data().values), len(drawn.curves)
        (4, 4)
        >>> plt.close(drawn.figure)
    """
    require(result, BinsView, "the result of hepcuts.bin_edges")
    with style():
        stack, bars, choice = own_or_new_axes(axes, 3, ncols=3, figsize=(19.0, 5.5))
        drawn = distributions(
            result.samples, result.variable, selection=result.selection, bins=result.edges, log=True, ax=stack
        )
        for edge in result.edges[1:-1]:
            stack.axvline(edge, color=INK, linewidth=0.6, linestyle=":", zorder=4)
        stack.set_title("Events in the bins", loc="left")
        values = bars.stairs(result.bin_values, result.edges, fill=True, color=CURVES[0])
        bars.set(xlim=stack.get_xlim(), ylim=(0.0, 1.1 * max(result.bin_values.max(), 1e-12)))
        bars.set(xlabel=result.variable, ylabel=f"{result.label} of the bin")
        bars.set_title(f"In quadrature {result.value:.3f}", loc="left")
        curves, line = _draw_choice(choice, result)
    return BinFigure((stack, bars, choice), drawn, values, curves, line)


def _draw_choice(ax: Axes, result: BinsView) -> tuple[tuple[Line2D, ...], Line2D]:
    """Values against the number of bins."""
    numbers = [one.num_bins for one in result.candidates]
    shown = {
        f"{result.label}, all events": ("value", CURVES[0], "-", "o"),
        f"{result.label}, held out": ("held_out_value", CURVES[0], "--", "s"),
        "shape fit, all events": ("significance", CURVES[1], "-", "D"),
        "shape fit, held out": ("held_out_significance", CURVES[1], "--", "^"),
    }
    curves = []
    for name, (field, color, dashes, marker) in shown.items():
        heights = [getattr(one, field) for one in result.candidates]
        curves += ax.plot(numbers, heights, color=color, linestyle=dashes, marker=marker, markersize=4, label=name)
    line = ax.axvline(result.num_bins, color=INK, linestyle=":", label=f"chosen: {result.num_bins}")
    frame_of_numbers(ax, numbers, curves, line)
    ax.set(xlabel="Number of bins", ylabel="Significance")
    ax.set_title("Before edges were moved", loc="left")
    return tuple(curves), line
