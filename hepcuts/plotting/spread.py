"""How a number scatters: median and interval of several choices against one quantity."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

from ._style import INK, Panel, color, marker, own_or_new_axes, style

_NARROWEST, _WIDER = 1.8, 2.6
"""Widths of the bars, in points: of the last choice, and by how much that of each one before it is wider."""


@dataclasses.dataclass(frozen=True, eq=False)
class SpreadCurves(Panel):
    """What `spread` drew.

    Attributes:
        curves: name to its markers and bars.
        reference: the line at the reference value, or None.
    """

    curves: Mapping[str, ErrorbarContainer]
    reference: Line2D | None


def spread(
    x: FloatArray,
    intervals: Mapping[str, FloatArray],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    reference: float | None = None,
    ax: Any = None,
) -> SpreadCurves:
    """Draw median and interval of several choices against a positive quantity on a logarithmic axis.

    All choices stand at their x; that their bars can be told apart, those of the later ones are narrower and lie above.

    Args:
        x: shape (x,), positive and ascending.
        intervals: name to low end, median and high end, shape (3, x); NaN is not drawn.
        xlabel: below the axes.
        ylabel: beside the axes.
        title: above the axes.
        reference: a value to mark by a line, or None.
        ax: axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: nothing to draw, or arrays of other shapes.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> drawn = spread(np.array([10.0, 100.0]), {"bce": np.array([[1.0, 2.0], [2.0, 2.5], [3.0, 2.6]])},
        ...                xlabel="Simulated events", ylabel="Cut")
        >>> list(drawn.curves)
        ['bce']
        >>> plt.close(drawn.figure)
    """
    x = np.asarray(x, dtype=np.float64)
    _check(x, intervals)
    curves = {}
    with style():
        (axes,) = own_or_new_axes(ax, figsize=(10.5, 5.5))
        line = None if reference is None else axes.axhline(reference, color=INK, linestyle="--", linewidth=1.2)
        for number, (name, (low, middle, high)) in enumerate(intervals.items()):
            wider = _WIDER * (len(intervals) - 1 - number)
            curves[name] = axes.errorbar(
                x,
                middle,
                yerr=[middle - low, high - middle],
                color=color(number),
                marker=marker(number),
                markersize=6,
                linewidth=1.0,
                elinewidth=_NARROWEST + wider,
                zorder=2.0 + 0.01 * number,
                label=name,
            )
            for bars in curves[name].lines[2]:
                bars.set_alpha(0.45)
        axes.set_xscale("log")
        step = np.log(x[-1] / x[0]) / (len(x) - 1) if len(x) > 1 else 1.0
        margin = np.exp(0.5 * step)
        axes.set_xlim(x[0] / margin, x[-1] * margin)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return SpreadCurves(axes, MappingProxyType(curves), line)


def _check(x: FloatArray, intervals: Mapping[str, FloatArray]) -> None:
    if x.ndim != 1 or not len(x) or not np.all(np.diff(x, prepend=0.0) > 0):
        raise InputError(f"x is {x!r}; expected positive numbers in ascending order.")
    if not intervals:
        raise InputError("There are no intervals to draw; expected name to low end, median and high end.")
    for name, values in intervals.items():
        if np.shape(values) != (3, len(x)):
            raise InputError(
                f"The interval of {name!r} has the shape {np.shape(values)}; expected (3, {len(x)}): low, median, high."
            )
