"""The price of wrong decisions along a variable, below the events that are decided of."""

import dataclasses
import math
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from ._style import BACKGROUNDS, CURVES, INK, SIGNALS, Panels, labelled_legend, own_or_new_axes, style
from .views import PriceView, require


@dataclasses.dataclass(frozen=True, eq=False)
class PriceBars(Panels):
    """What `price` drew, into the upper and the lower axes.

    Attributes:
        background: expected background.
        signal: expected signal.
        accepting: the price of accepting what is below the threshold.
        rejecting: the price of rejecting what is above it.
        threshold: the best cut, in the lower axes.
        half: the cut of BCE, or None.
    """

    background: StepPatch
    signal: StepPatch
    accepting: StepPatch
    rejecting: StepPatch
    threshold: Line2D
    half: Line2D | None


def price(result: PriceView, *, ax: Any = None) -> PriceBars:
    """Draw what a wrong decision costs along a variable, below the expected events.

    Args:
        result: bins with their price, such as `hepcuts.merit.price.PriceOfDecisions`.
        ax: two axes to draw into, the upper and the lower one, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not a price of decisions, or not two axes.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> from hepcuts.merit.theory import CutProblem, price_of_decisions
        >>> drawn = price(price_of_decisions(CutProblem.of_scenario("gauss40x10-gauss50x10")))
        >>> round(drawn.half.get_xdata()[0], 1)
        68.0
        >>> plt.close(drawn.figure)
    """
    require(result, PriceView, "a price of decisions")
    with style():
        upper, lower = own_or_new_axes(
            ax, 2, nrows=2, sharex=True, figsize=(8.0, 7.0), gridspec_kw={"height_ratios": [3, 2]}
        )
        edges = result.edges
        background = upper.stairs(result.background, edges, fill=True, color=BACKGROUNDS[0], label="background")
        signal = upper.stairs(result.signal, edges, color=SIGNALS[0], linewidth=2.0, label="signal")
        upper.set_yscale("log")
        positive = [*result.signal[result.signal > 0], *result.background[result.background > 0]]
        top = max(positive, default=1.0)
        upper.set_ylim(max(min(positive, default=0.1) / 2, 1e-5 * top), 2 * top)
        # Signal-like is p > p*, that is (1 - p*) s > p* b.
        like_signal = (1.0 - result.posterior_threshold) * result.signal > (
            result.posterior_threshold * result.background
        )
        accepting = _bars(lower, result, ~like_signal, BACKGROUNDS[0], "of accepting")
        rejecting = _bars(lower, result, like_signal, SIGNALS[0], "of rejecting")
        star = f"best cut: $p$ > {result.posterior_threshold:.3g}"
        (threshold,) = [
            panel.axvline(result.threshold, color=INK, linewidth=1.8, label=star) for panel in (upper, lower)
        ][1:]
        half = None
        if math.isfinite(result.half):
            (half,) = [
                panel.axvline(result.half, color=CURVES[2], linestyle="--", linewidth=1.8, label="BCE: $p$ > 1/2")
                for panel in (upper, lower)
            ][1:]
        lower.set(xlim=(edges[0], edges[-1]), ylim=(0.0, 1.05 * float(result.price.max() or 1.0)))
        lower.set(xlabel=result.variable, ylabel="Price of a wrong\ndecision [events]")
        upper.set_ylabel("Expected events")
        labelled_legend(upper, background, signal)
        shown = (accepting, rejecting, threshold, half)
        legend, _ = labelled_legend(lower, *(artist for artist in shown if artist is not None))
        # The lines of the cuts run up to the top.
        legend.set_frame_on(True)
        legend.get_frame().set(facecolor="white", edgecolor="none", alpha=1.0)
    return PriceBars((upper, lower), background, signal, accepting, rejecting, threshold, half)


def _bars(ax: Any, result: PriceView, some: Any, color: str, label: str) -> StepPatch:
    bars: StepPatch = ax.stairs(result.price * some, result.edges, fill=True, color=color, alpha=0.75, label=label)
    return bars
