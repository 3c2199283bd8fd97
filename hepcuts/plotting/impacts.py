"""Pulls and impacts of nuisance parameters, and the prices of an analysis, as bars."""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer

from ._style import CURVES, INK, Panel, Panels, own_or_new_axes, style
from .views import ImpactsView, PriceListView, require

_KINDS = ("luminosity", "signal", "background", "simulation", "systematic", "group")
"""Kinds of prices, each with a color of its own."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImpactBars(Panels):
    """What `impacts` drew, into the left and the right axes.

    Attributes:
        pulls: best fits with their uncertainties, in widths of the constraints.
        up: change of mu with the parameter one standard deviation up, after the fit.
        down: likewise down.
        prefit: outlines, of the widths before the fit: down and up.
    """

    pulls: ErrorbarContainer
    up: BarContainer
    down: BarContainer
    prefit: tuple[BarContainer, BarContainer]


@dataclasses.dataclass(frozen=True, eq=False)
class PriceListBars(Panel):
    """What `price_list` drew.

    Attributes:
        bars: one for each price.
    """

    bars: BarContainer


def impacts(result: ImpactsView, *, most: int = 15, axes: Any = None) -> ImpactBars:
    """Draw pulls of the nuisance parameters and, beside them, their impacts on the signal strength.

    Args:
        result: of `hepcuts.impacts`.
        most: number of parameters that are drawn, those with the largest impact.
        axes: two axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not the result of `hepcuts.impacts`, or not two axes.

    Example:
        >>> import matplotlib.pyplot as plt, pyhf
        >>> import hepcuts as hc
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> drawn = impacts(hc.impacts(hc.HistFactory(model)))
        >>> len(drawn.up)
        1
        >>> plt.close(drawn.figure)
    """
    require(result, ImpactsView, "the result of hepcuts.impacts")
    number = min(most, len(result.names))
    rows = np.arange(number)
    with style():
        left, right = own_or_new_axes(
            axes, 2, ncols=2, sharey=True, figsize=(11.0, 1.8 + 0.42 * number), width_ratios=(2, 3)
        )
        for reach, color in ((2.0, "0.94"), (1.0, "0.86")):
            left.axvspan(-reach, reach, color=color, zorder=0)
        left.axvline(0.0, color=INK, linestyle=":", linewidth=1.0)
        pulls = left.errorbar(
            result.pulls[:number], rows, xerr=result.constraints[:number], fmt="o", color="black", markersize=4
        )
        reach = np.nanmax(np.abs(result.pulls[:number]) + result.constraints[:number], initial=2.0)
        left.set(xlim=(-1.1 * reach, 1.1 * reach), xlabel=r"$(\hat{\theta} - \theta_0)\,/\,\Delta\theta$")
        down, up = (
            right.barh(rows, result.mu_postfit[:number, side], height=0.7, color=CURVES[side], label=label, alpha=0.85)
            for side, label in enumerate((r"$\hat{\theta} - 1\sigma$ (after the fit)", r"$\hat{\theta} + 1\sigma$"))
        )
        outlines = tuple(
            right.barh(
                rows, result.mu_prefit[:number, side], height=0.7, fill=False, edgecolor=CURVES[side], linestyle="--"
            )
            for side in (0, 1)
        )
        outlines[0].set_label("before the fit")
        right.axvline(0.0, color=INK, linewidth=1.0)
        farthest = 1.15 * np.nanmax(np.abs([result.mu_postfit[:number], result.mu_prefit[:number]]), initial=1e-12)
        right.set(xlim=(-farthest, farthest), xlabel=r"Impact on $\hat{\mu}$")
        _named(left, result.names[:number])
        right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=10)
    return ImpactBars((left, right), pulls, up, down, (outlines[0], outlines[1]))


def price_list(result: PriceListView, *, most: int = 15, ax: Any = None) -> PriceListBars:
    """Draw by how much Z grows if one thing gets better.

    Args:
        result: of `hepcuts.prices`.
        most: number of prices that are drawn, the largest.
        ax: axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not the result of `hepcuts.prices`, or not axes.

    Example:
        >>> import matplotlib.pyplot as plt, pyhf
        >>> import hepcuts as hc
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> drawn = price_list(hc.prices(hc.HistFactory(model)))
        >>> len(drawn.bars)
        4
        >>> plt.close(drawn.figure)
    """
    require(result, PriceListView, "the result of hepcuts.prices")
    shown = result.prices[:most]
    with style():
        (panel,) = own_or_new_axes(ax, figsize=(9.0, 1.6 + 0.42 * len(shown)))
        colors = [CURVES[_KINDS.index(one.kind)] for one in shown]
        gains = np.array([one.gain for one in shown])
        bars = panel.barh(np.arange(len(shown)), gains, height=0.7, color=colors)
        panel.bar_label(bars, [f" {gain:+.3g}" for gain in gains], fontsize=11, color=INK)
        low, high = min(0.0, gains.min(initial=0.0)), gains.max(initial=1e-12)
        panel.set(xlim=(1.15 * low, 1.2 * high), xlabel=f"Gain in Z (of {result.significance:.3g})")
        _named(panel, [f"{one.label}, {one.change}" for one in shown])
    return PriceListBars(panel, bars)


def _named(ax: Axes, names: Any) -> None:
    """Rows with names, the first on top."""
    ax.set_yticks(np.arange(len(names)), names, fontsize=11)
    ax.tick_params(axis="y", which="both", length=0)
    ax.set_ylim(len(names) - 0.4, -0.6)
