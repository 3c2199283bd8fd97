"""Significances of a grid of signals."""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from ._style import CURVES, INK, Panels, own_or_new_axes, style
from .views import PointsView, PointView, require

_ROW = 0.28
"""Height of a row in inches."""
_NUMBERED = 40
"""Points of which each has its significance written in; of more there is no place, and the color has to tell."""
_AREAS = (450, 90)
"""Of a point with and without a number, in square points."""


@dataclasses.dataclass(frozen=True, eq=False)
class PointsFigure(Panels):
    """What `points` drew.

    Attributes:
        maps: expected and observed significances in the plane of two values, or none.
        expected: expected significances with their 68 % bands, one row for each point, or None.
        observed: observed significances, likewise.
    """

    maps: tuple[PathCollection, ...] = ()
    expected: ErrorbarContainer | None = None
    observed: Line2D | None = None


def points(result: PointsView, *, axes: Any = None) -> PointsFigure:
    """Draw the significances of signals: in the plane of their two values, such as masses, or row by row.

    Args:
        result: such as `hepcuts.histfactory.SignalPoints`.
        axes: to draw into, two for signals of two values and one for others; None for a new figure.

    Returns:
        The artists. Points without a result are not drawn.

    Raises:
        InputError: not such a result, or another number of axes.
    """
    require(result, PointsView, "signal points, such as those of hepcuts.histfactory.tested_points")
    drawn = [point for point in result.points if point.tests]
    with style():
        if len(result.labels) == 2 and all(isinstance(v, int | float) for point in drawn for v in point.values):
            both = own_or_new_axes(axes, 2, ncols=2, figsize=(15.0, 6.0))
            kinds = ("expected", result.observed)
            maps = [_draw_map(ax, kind, result, drawn) for ax, kind in zip(both, kinds, strict=True)]
            return PointsFigure(tuple(both), tuple(maps))
        (ax,) = own_or_new_axes(axes, 1, figsize=(8.0, 1.6 + _ROW * len(drawn)))
        return PointsFigure((ax,), (), *_draw_rows(ax, result, drawn))


def _title(kind: str) -> str:
    return {"expected": "Expected", "observed": "Observed"}.get(kind, "Workspace's Asimov data")


def _draw_map(ax: Axes, kind: str, result: PointsView, drawn: list[PointView]) -> PathCollection:
    """A disc for each point, with its significance in color and, of a few, in numbers."""
    x, y = np.array([point.values for point in drawn], dtype=np.float64).reshape(-1, 2).T
    found = np.array([point.significance(kind) for point in drawn])
    highest = max((point.significance(k) for point in drawn for k in ("expected", result.observed)), default=1.0)
    numbered = len(drawn) <= _NUMBERED
    area = _AREAS[0] if numbered else _AREAS[1]
    discs = ax.scatter(x, y, c=found, s=area, cmap="Blues", vmin=0.0, vmax=max(highest, 1e-9), edgecolors=INK)
    for at in zip(x, y, found, strict=True) if numbered else ():
        ink = "white" if at[2] > 0.6 * highest else "black"
        ax.annotate(f"{at[2]:.1f}", at[:2], ha="center", va="center", fontsize=8, color=ink)
    ax.figure.colorbar(discs, ax=ax)
    ax.margins(0.12)
    ax.autoscale_view()
    ax.set(xlabel=result.labels[0], ylabel=result.labels[1])
    ax.set_title(f"{_title(kind)} significance", loc="left")
    return discs


def _draw_rows(ax: Axes, result: PointsView, drawn: list[PointView]) -> tuple[ErrorbarContainer, Line2D]:
    """One row for each point: the expected significance with its 68 % band, and the observed one."""
    rows = np.arange(len(drawn))
    expected, data = (np.array([p.significance(k) for p in drawn]) for k in ("expected", result.observed))
    bands = np.array([[p.tests["expected"].bands[n] for p in drawn] for n in (-1, 1)]).reshape(2, -1)
    spans = np.maximum(np.abs(bands - expected), 0.0)
    bars = ax.errorbar(expected, rows, xerr=spans, fmt="o", color=CURVES[0], capsize=3, markerfacecolor="white")
    (dots,) = ax.plot(data, rows, linestyle="", marker="o", color=INK)
    ax.set_yticks(rows, [point.name for point in drawn], fontsize=10)
    ax.tick_params(axis="y", which="minor", left=False, right=False)
    ax.set(xlabel="Significance", ylim=(len(drawn) - 0.5, -0.5), xlim=(0.0, None))
    names = ["Expected, 68 % of experiments", _title(result.observed)]
    ax.legend([bars, dots], names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return bars, dots
