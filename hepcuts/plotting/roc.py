"""Working points: rejection against efficiency, and the thresholds that it takes."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

from ._style import CURVES, INK, Panel, color, legend_on_top, look, marker, own_or_new_axes, style
from .views import EfficienciesView, WorkingPointsView, require

_LABELS = MappingProxyType({"rejection": "Background rejection", "efficiency": "Background efficiency"})
_NAMES = MappingProxyType({"training": "events that chose the cuts", "held_out": "held-out events"})


@dataclasses.dataclass(frozen=True, eq=False)
class RocCurves(Panel):
    """What `roc` drew.

    Attributes:
        curves: ``"training"`` and, if there are any, ``"held_out"`` to their curves.
        bands: one standard deviation around each.
        others: label to the other curves.
        legend: the legend.
    """

    curves: Mapping[str, Line2D]
    bands: Mapping[str, PolyCollection]
    others: Mapping[str, Line2D]
    legend: Legend


@dataclasses.dataclass(frozen=True, eq=False)
class ThresholdCurves(Panel):
    """What `threshold_curves` drew.

    Attributes:
        curves: name of the threshold to its curve.
        legend: the legend.
    """

    curves: Mapping[str, Line2D]
    legend: Legend


def roc(
    result: WorkingPointsView,
    *,
    quantity: Literal["rejection", "efficiency"] = "rejection",
    others: Mapping[str, Any] = MappingProxyType({}),
    ax: Any = None,
) -> RocCurves:
    """Draw background rejection, or efficiency, against signal efficiency.

    The points lie at the efficiencies that were measured; bands are one standard deviation of the background's. A
    point that no background event passes is not drawn: all that is known of it is a limit.

    Args:
        result: of `hepcuts.working_points`.
        quantity: ``"rejection"``, the inverse of the background efficiency, or ``"efficiency"``.
        others: label to the signal and background efficiencies of another curve, two arrays of one shape, as of a
            discriminant.
        ax: axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not a result of `hepcuts.working_points`, another quantity, or a curve that is not made of two
            arrays of one shape.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> points = hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.5, 0.8])
        >>> drawn = roc(points, others={"guess": ([0.5, 0.8], [0.5, 0.8])})
        >>> drawn.curves["training"].get_xdata().round(2)
        array([0.5, 0.8])
        >>> plt.close(drawn.figure)
    """
    require(result, WorkingPointsView, "the result of hepcuts.working_points")
    if quantity not in _LABELS:
        raise InputError(f"quantity is {quantity!r}; expected 'rejection' or 'efficiency'.")
    beside = {name: _other(name, curve) for name, curve in others.items()}
    with style():
        (axes,) = own_or_new_axes(ax, figsize=(8.0, 6.0))
        drawn = {
            name: _draw(axes, found, quantity, number)
            for number, (name, found) in enumerate((("training", result.training), ("held_out", result.held_out)))
            if found is not None
        }
        lines = {
            name: _draw_other(axes, curve, quantity, number, name)
            for number, (name, curve) in enumerate(beside.items())
        }
        axes.set_yscale("log")
        axes.set(xlim=(0.0, 1.0), xlabel="Signal efficiency", ylabel=_LABELS[quantity])
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.1, high * 1.1)
        handles = [(band, curve) for curve, band in drawn.values()] + list(lines.values())
        legend, _ = legend_on_top(axes, handles, [*(_NAMES[name] for name in drawn), *lines])
    curves = MappingProxyType({name: curve for name, (curve, _) in drawn.items()})
    bands = MappingProxyType({name: band for name, (_, band) in drawn.items()})
    return RocCurves(axes, curves, bands, MappingProxyType(lines), legend)


def _other(name: str, curve: Any) -> tuple[FloatArray, FloatArray]:
    try:
        signal, background = (np.asarray(values, dtype=np.float64) for values in curve)
    except (TypeError, ValueError) as error:
        raise InputError(f"The curve {name!r} came as {type(curve).__name__}; expected two arrays.") from error
    if signal.ndim != 1 or signal.shape != background.shape:
        raise InputError(
            f"The curve {name!r} has signal efficiencies of shape {signal.shape} and background efficiencies of shape "
            f"{background.shape}; expected two arrays of one length."
        )
    return signal, background


def _draw(ax: Axes, found: EfficienciesView, quantity: str, number: int) -> tuple[Line2D, PolyCollection]:
    some = found.background > 0
    values, sigma = found.background[some], found.background_uncertainty[some]
    if quantity == "rejection":
        values, sigma = found.rejection[some], found.rejection_uncertainty[some]
    x = found.signal[some]
    # On a logarithmic axis a band that reaches zero has no lower end; a tenth of the value is below any figure.
    low, high = np.maximum(values - sigma, 0.1 * values), values + sigma
    band = ax.fill_between(x, low, high, color=color(number), alpha=0.25, linewidth=0)
    (line,) = ax.plot(x, values, marker=marker(number), markersize=5, **look(number))
    return line, band


def _draw_other(ax: Axes, curve: tuple[FloatArray, FloatArray], quantity: str, number: int, name: str) -> Line2D:
    some = curve[1] > 0
    signal, background = curve[0][some], curve[1][some]
    values = 1.0 / background if quantity == "rejection" else background
    own = look(number + 2) | {"color": (INK, *CURVES[2:])[number % (len(CURVES) - 1)]}
    (line,) = ax.plot(signal, values, label=name, zorder=1.8, **own)
    return line


def threshold_curves(result: WorkingPointsView, *, ax: Any = None) -> ThresholdCurves:
    """Draw the thresholds against the signal efficiency, each in its normal scores.

    Normal scores are ranks among half signal, half background events, as standard deviations of a normal
    distribution, so that variables of any unit share an axis. A cut beyond all events, which removes nothing, is left
    out of its curve.

    Args:
        result: of `hepcuts.working_points`.
        ax: axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not a result of `hepcuts.working_points`.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> drawn = threshold_curves(hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.5, 0.8]))
        >>> drawn.curves["x"].get_xdata()
        array([0.5, 0.8])
        >>> plt.close(drawn.figure)
    """
    require(result, WorkingPointsView, "the result of hepcuts.working_points")
    with style():
        (axes,) = own_or_new_axes(ax, figsize=(8.0, 6.0))
        heights = np.where(result.idle, np.nan, result.positions)
        curves = {}
        for number, name in enumerate(result.names):
            shape = look(number) | {"marker": marker(number), "markersize": 5}
            (curves[name],) = axes.plot(result.efficiencies, heights[:, number], **shape)
        axes.set(xlim=(0.0, 1.0), xlabel="Signal efficiency", ylabel="Threshold [normal scores]")
        legend, _ = legend_on_top(axes, list(curves.values()), list(curves))
    return ThresholdCurves(axes, MappingProxyType(curves), legend)
