"""Phase diagrams: a quantity over two parameters in color, with lines where something changes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.special
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import ArrayLike

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

from ._style import INK, Panels, own_or_new_axes, style

_LINES: tuple[tuple[str, Any, float], ...] = (
    (INK, "-", 2.0),
    ("#e76300", (0, (2, 2)), 2.0),
    ("white", (0, (5, 2)), 1.6),
)
"""Color, dashes and width of the lines, in their order: the first two stay visible on top of each other."""
_FRACTIONS = (1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
"""Ticks of an axis of fractions."""
_SCALES: Mapping[str, tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]] = MappingProxyType(
    {"linear": (np.asarray, np.asarray), "log": (np.log, np.exp), "logit": (scipy.special.logit, scipy.special.expit)}
)
"""Scales of an axis: to coordinates on paper, and back."""
_POINT: Mapping[str, Any] = MappingProxyType(
    {
        "color": "white",
        "markeredgecolor": "black",
        "markersize": 13,
        "linestyle": "none",
        "zorder": 5,
    }
)
_POINT_MARKERS = "*PXD"


@dataclasses.dataclass(frozen=True, eq=False)
class PhasePanel:
    """What one panel shows.

    Attributes:
        x: parameter along x, shape (x,), ascending.
        y: parameter along y, shape (y,), ascending.
        values: the quantity in color, shape (y, x); infinite values have the color beyond the scale, NaN none.
        title: above the panel.
        lines: name to a quantity of shape (y, x) and the level at which it is drawn as a line. A line is absent where
            the quantity is not finite.
        points: name to a place (x, y) that is marked.
    """

    x: FloatArray
    y: FloatArray
    values: FloatArray
    title: str = ""
    lines: Mapping[str, tuple[FloatArray, float]] = dataclasses.field(default_factory=dict)
    points: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class PhaseMap(Panels):
    """What `phase` drew.

    Attributes:
        meshes: the colored fields.
        lines: for each panel, name to its line.
        points: for each panel, name to its marker.
        colorbar: the color scale.
    """

    meshes: tuple[QuadMesh, ...]
    lines: tuple[Mapping[str, QuadContourSet], ...]
    points: tuple[Mapping[str, Line2D], ...]
    colorbar: Colorbar


def phase(
    panels: PhasePanel | Sequence[PhasePanel],
    *,
    label: str,
    limits: tuple[float, float] = (0.0, 1.0),
    diverging: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
    columns: int = 3,
    ax: Any = None,
) -> PhaseMap:
    """Draw a quantity over two parameters, in one or several panels with one color scale.

    Args:
        panels: what to draw; several must have the same parameters along x and y.
        label: name of the quantity, beside the color scale.
        limits: of the color scale. Values beyond them have the color of the limit; the scale then ends in arrows.
        diverging: colors that diverge from the middle of the limits, rather than from dark to bright.
        xlabel: below the panels.
        ylabel: beside the panels.
        xscale: ``"linear"``, ``"log"``, or ``"logit"`` for fractions between 0 and 1.
        yscale: the same for y.
        columns: number of panels beside each other in a new figure.
        ax: axes to draw into, as many as panels, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: no panels, arrays of different shapes, an unknown scale, or not as many axes as panels.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> values = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
        >>> panel = PhasePanel(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]), values)
        >>> drawn = phase(panel, label="Z / best Z")
        >>> drawn.colorbar.ax.get_ylabel()
        'Z / best Z'
        >>> plt.close(drawn.figure)
    """
    shown = [panels] if isinstance(panels, PhasePanel) else list(panels)
    _check(shown)
    for name, scale in (("xscale", xscale), ("yscale", yscale)):
        if scale not in _SCALES:
            raise InputError(f"{name} is {scale!r}; expected one of {', '.join(_SCALES)}.")
    rows = -(-len(shown) // columns)
    across = min(columns, len(shown))
    with style():
        axes = own_or_new_axes(
            ax,
            len(shown),
            nrows=rows,
            ncols=across,
            figsize=(2.6 + 3.4 * across, 1.8 + 3.2 * rows),
            sharex=True,
            sharey=True,
        )
        axes, unused = axes[: len(shown)], axes[len(shown) :]
        for panel_axes in unused:
            panel_axes.set_visible(False)
        cells = (_edges(shown[0].x, xscale), _edges(shown[0].y, yscale))
        meshes = [_mesh(a, p, cells, limits, diverging=diverging) for a, p in zip(axes, shown, strict=True)]
        lines = [_lines(a, p) for a, p in zip(axes, shown, strict=True)]
        points = [_points(a, p) for a, p in zip(axes, shown, strict=True)]
        for a, p in zip(axes, shown, strict=True):
            _frame(a.xaxis, p.x, xscale)
            _frame(a.yaxis, p.y, yscale)
            a.set_title(p.title)
        _label(axes, across, xlabel, ylabel)
        beyond = _beyond(shown, limits)
        bar = axes[0].figure.colorbar(meshes[0], ax=axes, label=label, extend=beyond, aspect=30, pad=0.02)
        drawn = {name for named in (*lines, *points) for name in named}
        _legend(axes, shown, drawn, new=ax is None)
    return PhaseMap(tuple(axes), tuple(meshes), tuple(lines), tuple(points), bar)


def _check(panels: Sequence[PhasePanel]) -> None:
    if not panels or not all(isinstance(panel, PhasePanel) for panel in panels):
        got = ", ".join(type(panel).__name__ for panel in panels) or "nothing"
        raise InputError(f"A phase diagram is made of hepcuts.plotting.PhasePanel, got {got}.")
    for panel in panels:
        shape = (len(panel.y), len(panel.x))
        fields = {"values": panel.values} | {name: field for name, (field, _) in panel.lines.items()}
        for name, field in fields.items():
            if np.shape(field) != shape:
                raise InputError(
                    f"Panel {panel.title!r}: {name} has the shape {np.shape(field)}; expected {shape}, (y, x)."
                )
        if min(shape) < 2:
            raise InputError(
                f"Panel {panel.title!r} has the shape {shape}; a diagram needs two values along each axis."
            )


def _edges(values: ArrayLike, scale: str) -> FloatArray:
    """Edges of the cells around values, halfway between them on the scale of the axis."""
    to, back = _SCALES[scale]
    centers = to(np.asarray(values, dtype=np.float64))
    steps = np.diff(centers) / 2
    edges: FloatArray = back(np.concatenate([centers[:1] - steps[:1], centers[:-1] + steps, centers[-1:] + steps[-1:]]))
    return edges


def _mesh(
    ax: Axes,
    panel: PhasePanel,
    cells: tuple[FloatArray, FloatArray],
    limits: tuple[float, float],
    *,
    diverging: bool,
) -> QuadMesh:
    # Infinite values are drawn as lying beyond the scale; matplotlib would leave them out.
    far = 10.0 * max(abs(limits[0]), abs(limits[1]))
    return ax.pcolormesh(
        *cells,
        np.clip(panel.values, -far, far),
        cmap="RdBu_r" if diverging else "viridis",
        vmin=limits[0],
        vmax=limits[1],
        rasterized=True,
    )


def _lines(ax: Axes, panel: PhasePanel) -> Mapping[str, QuadContourSet]:
    drawn = {}
    for number, (name, (field, level)) in enumerate(panel.lines.items()):
        known = np.ma.masked_invalid(field)
        # matplotlib warns of a line that is nowhere.
        if known.count() and known.min() < level < known.max():
            color, dashes, width = _LINES[number % len(_LINES)]
            drawn[name] = ax.contour(
                panel.x, panel.y, known, levels=[level], colors=color, linestyles=[dashes], linewidths=width
            )
    return MappingProxyType(drawn)


def _points(ax: Axes, panel: PhasePanel) -> Mapping[str, Line2D]:
    drawn = {
        name: ax.plot(*place, _POINT_MARKERS[number % len(_POINT_MARKERS)], **_POINT)[0]
        for number, (name, place) in enumerate(panel.points.items())
    }
    return MappingProxyType(drawn)


def _frame(axis: Any, values: ArrayLike, scale: str) -> None:
    """Scale, limits and ticks of one axis; an axis of fractions has ticks that can be read."""
    known = np.asarray(values)
    getattr(axis.axes, f"set_{axis.axis_name}scale")(scale)
    if scale == "logit":
        ticks = [f for f in _FRACTIONS if known.min() <= f <= known.max()]
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(
            FixedFormatter([f"{t:g}" if t >= 1e-3 else f"$10^{{{round(np.log10(t))}}}$" for t in ticks])
        )
    if scale != "log":
        axis.set_minor_locator(NullLocator())
    getattr(axis.axes, f"set_{axis.axis_name}lim")(known.min(), known.max())


def _label(axes: Sequence[Axes], across: int, xlabel: str, ylabel: str) -> None:
    for number, ax in enumerate(axes):
        if number % across == 0:
            ax.set_ylabel(ylabel)
        if number + across >= len(axes):
            ax.set_xlabel(xlabel)
            ax.tick_params(labelbottom=True)


def _beyond(panels: Sequence[PhasePanel], limits: tuple[float, float]) -> str:
    below = any(np.nanmin(panel.values) < limits[0] for panel in panels)
    above = any(np.nanmax(panel.values) > limits[1] for panel in panels)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def _legend(axes: Sequence[Axes], panels: Sequence[PhasePanel], drawn: set[str], *, new: bool) -> None:
    """One legend of all that was drawn: below the panels of a new figure, else inside the first axes."""
    handles: dict[str, Line2D] = {}
    for panel in panels:
        for number, name in enumerate(panel.lines):
            color, dashes, width = _LINES[number % len(_LINES)]
            handles[name] = Line2D([], [], color=color, linestyle=dashes, linewidth=width)
        for number, name in enumerate(panel.points):
            handles[name] = Line2D([], [], marker=_POINT_MARKERS[number % len(_POINT_MARKERS)], **_POINT)
    handles = {name: handle for name, handle in handles.items() if name in drawn}
    frame: dict[str, Any] = {"facecolor": "0.75", "frameon": True, "edgecolor": "none"}
    if handles and new:
        axes[0].figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2, **frame)
    elif handles:
        axes[0].legend(list(handles.values()), list(handles), loc="lower right", fontsize="small", **frame)
