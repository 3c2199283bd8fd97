"""The look of all figures: style, colors, axes, legends.

matplotlib reads some settings when an artist is made and some when it is drawn, which happens long after the style
was left. So the style names its fonts (rather than a family to be looked up later), and the functions here fix limits
and scales at once; a figure then looks the same wherever it is drawn, and nobody's rcParams are changed.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.pyplot as plt
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hepcuts._core.errors import InputError

AnyFigure: TypeAlias = Figure | SubFigure
"""What axes may belong to."""

BACKGROUNDS = ("#3f90da", "#ffa90e", "#94a4a2", "#b9ac70", "#92dadd", "#a96b59", "#717581")
"""Fills of the backgrounds, from the color-blind friendly set of Petroff (arXiv:2107.02270)."""
SIGNALS = ("#bd1f01", "#832db6", "#e76300")
"""Lines of the signals, from the same set."""
CURVES = ("#3f90da", "#e76300", "#832db6", "#bd1f01", "#a96b59", "#ffa90e", "#92dadd", "#b9ac70", "#717581", "#94a4a2")
"""Lines of the metrics, from the same set; the grays, which are seen least, last."""
DASHES: tuple[Any, ...] = ("-", "--", (0, (5, 1, 1, 1)), (0, (1, 1)))
"""Line styles of the metrics: curves that coincide stay visible beneath each other."""
MARKERS = "osD^vP*X<>"
"""Markers of the optima."""
_DARKER = 0.6
"""How light a color is that is used for the second time."""
INK = "0.15"
"""Lines that are about all samples: thresholds, uncertainties."""

_LOOK: Mapping[Any, Any] = MappingProxyType(
    {
        "axes.autolimit_mode": "data",
        "axes.formatter.limits": [-3, 5],
        "axes.labelpad": 6,
        "axes.labelsize": 15,
        "axes.titlesize": 13,
        "axes.unicode_minus": True,
        "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
        "font.size": 13,
        "legend.borderpad": 0.4,
        "legend.fontsize": 12,
        "lines.linewidth": 1.8,
        "mathtext.fontset": "stixsans",
        "xtick.labelsize": 13,
        "ytick.labelsize": 13,
        "ytick.major.size": 8,
        "ytick.minor.size": 4,
    }
)


def style() -> AbstractContextManager[None]:
    """The style of high-energy physics, for a `with` block; rcParams are restored after it, whatever happened."""
    return mpl.rc_context(mplhep.style.ATLAS | _LOOK)


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """What a function drew into one axes; the artists are named by the classes derived from it.

    Attributes:
        ax: the axes.
    """

    ax: Axes

    @property
    def figure(self) -> AnyFigure:
        """The figure."""
        return self.ax.figure


@dataclasses.dataclass(frozen=True, eq=False)
class Panels:
    """What a function drew into several axes; the artists are named by the classes derived from it.

    Attributes:
        axes: the axes, in the order in which the function takes them.
    """

    axes: tuple[Axes, ...]

    @property
    def figure(self) -> AnyFigure:
        """The figure."""
        return self.axes[0].figure


def color(number: int) -> Any:
    """The color of one of several curves."""
    return CURVES[number % len(CURVES)]


def background_color(number: int) -> str:
    """The fill of one of several backgrounds; no two share one."""
    return _shaded(BACKGROUNDS, number)


def signal_color(number: int) -> str:
    """The line of one of several signals; no two share one."""
    return _shaded(SIGNALS, number)


def _shaded(colors: Sequence[str], number: int) -> str:
    """The colors of a set, then the same darker, and again."""
    red, green, blue = (part * _DARKER ** (number // len(colors)) for part in to_rgb(colors[number % len(colors)]))
    return str(to_hex((red, green, blue)))


def look(number: int) -> dict[str, Any]:
    """Color and dashes of one of several curves."""
    return {"color": color(number), "linestyle": DASHES[number % len(DASHES)]}


def marker(number: int) -> str:
    """The marker of one of several curves."""
    return MARKERS[number % len(MARKERS)]


def own_or_new_axes(given: Any, number: int = 1, **options: Any) -> list[Axes]:
    """The caller's axes, checked, or those of a new figure.

    Args:
        given: None, an axes, or a sequence of them.
        number: how many are needed.
        options: for `matplotlib.pyplot.subplots`.

    Raises:
        InputError: not axes, or not as many as needed.
    """
    if given is None:
        _, made = plt.subplots(layout="constrained", squeeze=False, **options)
        return list(made.flat)
    axes = [given] if isinstance(given, Axes) else list(np.ravel(np.asarray(given, dtype=object)))
    if len(axes) != number or not all(isinstance(ax, Axes) for ax in axes):
        raise InputError(
            f"Got {len(axes)} axes ({', '.join(type(ax).__name__ for ax in axes)}); this figure draws into {number} "
            "matplotlib axes. Leave the argument out to get a new figure."
        )
    return axes


def frame_of_numbers(ax: Axes, numbers: Sequence[int], curves: Sequence[Line2D], *others: Line2D) -> None:
    """Limits, ticks and legend of curves against whole numbers, from the least to the largest of these.

    Args:
        ax: axes.
        numbers: that are to be seen.
        curves: with labels; all their values are seen.
        others: lines with labels.
    """
    heights = np.concatenate([np.asarray(curve.get_ydata(), dtype=np.float64) for curve in curves])
    heights = heights[np.isfinite(heights)]
    margin = 0.05 * max(float(np.ptp(heights)), 1e-3 * float(np.abs(heights).max()), 1e-12)
    ax.set(xlim=(min(numbers) - 0.5, max(numbers) + 0.5), ylim=(heights.min() - margin, heights.max() + margin))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    labelled_legend(ax, *curves, *others)


def labelled_legend(ax: Axes, *artists: Any, twin: Axes | None = None) -> tuple[Legend, float]:
    """As `legend_on_top`, of artists that have labels."""
    return legend_on_top(ax, artists, [str(artist.get_label()) for artist in artists], twin=twin)


def legend_on_top(
    ax: Axes, handles: Sequence[Any], labels: Sequence[str], *, twin: Axes | None = None
) -> tuple[Legend, float]:
    """A legend above the data: the y axis is extended until nothing is drawn where the legend is.

    The legend has two columns if they fit beside each other, and small print if it is long.

    Args:
        ax: axes whose limits fit the data.
        handles: artists.
        labels: their names.
        twin: axes in the same place, or None; they are extended too.

    Returns:
        The legend, and the fraction of the axes' height that is left to the data.
    """
    place = ax.get_window_extent()
    large = float(mpl.rcParams["legend.fontsize"])
    for size, columns in ((large, 2), (large, 1), (0.8 * large, 2), (0.8 * large, 1)):
        legend = ax.legend(handles, labels, loc="upper right", ncols=columns, fontsize=size)
        box = legend.get_window_extent()
        if box.width < 0.95 * place.width and box.height < 0.4 * place.height:
            break
    # A little more than it takes now: titles that come later make the axes lower.
    left = max(0.3, 0.98 - 1.1 * box.height / place.height)
    for panel in (ax,) if twin is None else (ax, twin):
        low, high = panel.get_ylim()
        ratio = high / low if panel.get_yscale() == "log" else math.nan
        panel.set_ylim(low, low + (high - low) / left if math.isnan(ratio) else low * ratio ** (1.0 / left))
    return legend, left
