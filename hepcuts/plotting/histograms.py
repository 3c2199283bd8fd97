"""Distributions of the samples in one variable, with a cut drawn into them."""

import dataclasses
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import hist
import numpy as np
from numpy.typing import ArrayLike

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import EmptySelectionError, InputError
from hepcuts._core.histograms import Contents
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.samples.histogram import Histogram, are_histograms, of_same_bins
from hepcuts.samples.sample import Sample

from ._stack import Distributions, SignalScale, draw, set_thresholds
from ._style import Panels, own_or_new_axes, style


@dataclasses.dataclass(frozen=True, eq=False)
class BeforeAfter(Panels):
    """What `before_after` drew.

    Attributes:
        before: the distributions before the selection.
        after: those after it, in the same bins.
    """

    before: Distributions
    after: Distributions


def distributions(
    samples: Iterable[Sample | Histogram],
    variable: str,
    *,
    selection: Selection | AbstractCut | None = None,
    cut: AbstractCut | None = None,
    bins: int | ArrayLike = 50,
    log: bool = False,
    signal_scale: SignalScale = 1.0,
    ax: Any = None,
) -> Distributions:
    """Draw the distributions of the samples in one variable.

    Backgrounds are filled and stacked, the first at the bottom; signals are lines, each from zero. Missing values are
    not drawn. Small triangles at the ends of the axis tell of events outside of the bins. The y axis says how wide
    equal bins are, with the unit that a variable (or its label in a configuration) ends with in brackets.

    Args:
        samples: signals and backgrounds; of `hepcuts.Histogram` their own bins are drawn, and all of them.
        variable: a column of all samples.
        selection: draw only the events that pass it, or None for all.
        cut: a cut on the variable, drawn as lines with the rejected side shaded, or None.
        bins: number of bins over the whole range of the events, or edges. Whole numbers get a bin each, if there are
            no more of them than bins.
        log: whether the y axis is logarithmic.
        signal_scale: by what signals are multiplied, which the legend says; ``"auto"``: by the power of ten with which
            they reach from a tenth of the height of the backgrounds to all of it, if the y axis is linear.
        ax: axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        SampleError: a sample does not have the variable.
        EmptySelectionError: no event is left to be drawn.
        InputError: no samples, unusable bins, or a cut on another variable or without its threshold.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> drawn = distributions(hc.datasets.tutorial(seed=1), "x", cut=hc.Cut("x", ">", 3.0))
        >>> drawn.ax.get_xlabel(), len(drawn.backgrounds), len(drawn.signals)
        ('x', 1, 1)
        >>> plt.close(drawn.figure)
    """
    given = tuple(samples)
    _check_cut(cut, variable)
    if are_histograms(given):
        histograms = tuple(_of_contents(one.contents, variable) for one in of_same_bins(given, variable))
    else:
        values, weights = _columns(_checked(given), variable, selection)
        histograms = _histograms(values, weights, _edges(values, bins, variable), variable)
    with style():
        (axes,) = own_or_new_axes(ax)
        return draw(axes, given, histograms, cut, log=log, signal_scale=signal_scale)


def before_after(
    samples: Iterable[Sample],
    result_or_selection: Any,
    variable: str,
    *,
    bins: int | ArrayLike = 40,
    log: bool = False,
    signal_scale: SignalScale = 1.0,
    axes: Any = None,
) -> BeforeAfter:
    """Draw the distributions of one variable before and after a selection, in the same bins.

    Args:
        samples: signals and backgrounds.
        result_or_selection: a `Selection`, a cut, or a result that has a ``selection``.
        variable: a column of all samples; if there is a cut on it, it is drawn.
        bins: see `distributions`.
        log: see `distributions`.
        signal_scale: see `distributions`; ``"auto"`` may find another one before than after.
        axes: two axes to draw into, or None for a new figure.

    Returns:
        The artists.

    Raises:
        InputError: not a selection, or as `distributions`.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> import hepcuts as hc
        >>> drawn = before_after(hc.datasets.tutorial(seed=1), hc.Cut("x", ">", 3.0), "x")
        >>> before, after = (panel.histograms[0].sum().value for panel in (drawn.before, drawn.after))
        >>> before > after
        True
        >>> plt.close(drawn.figure)
    """
    samples = _checked(samples)
    selection = _selection(getattr(result_or_selection, "selection", result_or_selection))
    cut = next((c for c in selection.cuts if c.variable == variable), None)
    _check_cut(cut, variable)
    everything, weights = _columns(samples, variable, None)
    edges = _edges(everything, bins, variable)
    before = _histograms(everything, weights, edges, variable)
    after = _histograms(*_columns(samples, variable, selection), edges, variable)
    with style():
        left, right = own_or_new_axes(axes, 2, ncols=2, figsize=(13.0, 5.5))
        panels = (left, before), (right, after)
        drawn = [draw(ax, samples, h, cut, log=log, signal_scale=signal_scale) for ax, h in panels]
        left.set_title("Before the selection", loc="left")
        right.set_title(_title(selection), loc="left")
    return BeforeAfter((left, right), *drawn)


def _title(selection: Selection) -> str:
    """The selection over as many lines as it needs, none of them broken within a cut."""
    unbroken = " & ".join(str(cut).replace(" ", "\N{NO-BREAK SPACE}") for cut in selection.cuts)
    return "\n".join(textwrap.wrap(f"After {unbroken}", 60))


def _checked(samples: Iterable[Any]) -> tuple[Sample, ...]:
    """A figure does not need signal and background, but something to draw."""
    checked = tuple(samples)
    if not checked or not all(isinstance(sample, Sample) for sample in checked):
        came = ", ".join(type(sample).__name__ for sample in checked) or "nothing"
        raise InputError(f"Samples to draw came as {came}; expected at least one hepcuts.Sample.")
    return checked


def _selection(given: Any) -> Selection:
    if isinstance(given, AbstractCut):
        return Selection([given])
    if not isinstance(given, Selection):
        raise InputError(
            f"Got a {type(given).__name__}; expected a hepcuts.Selection, a cut, or the result of hepcuts.optimize."
        )
    return given


def _check_cut(cut: Any, variable: str) -> None:
    if cut is None:
        return
    if not isinstance(cut, AbstractCut) or cut.variable != variable:
        raise InputError(f"The cut to draw is {cut}; expected a hepcuts.Cut or Window on {variable!r}.")
    set_thresholds(cut)


def _columns(
    samples: Sequence[Sample], variable: str, selection: Selection | AbstractCut | None
) -> tuple[list[FloatArray], list[FloatArray]]:
    """For each sample the values that exist and pass, and their weights, each of shape (event,)."""
    values, weights = [], []
    for sample in samples:
        column = sample.column(variable)
        drawn = ~is_missing(column, sample.missing)
        if selection is not None:
            drawn &= _selection(selection).mask(sample.columns, missing=sample.missing)
        values.append(column[drawn])
        weights.append(sample.weights[drawn])
    if not any(map(len, values)):
        passing = "has a value" if selection is None else f"passes {selection} and has a value"
        raise EmptySelectionError(f"No event of {len(samples)} samples {passing} of {variable!r}; nothing to draw.")
    return values, weights


def _edges(values: Sequence[FloatArray], bins: int | ArrayLike, variable: str) -> FloatArray:
    together = np.concatenate(values)
    try:
        edges = np.histogram_bin_edges(together, np.asarray(bins))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"bins for {variable!r} are {bins!r} ({error}); expected a number or ascending edges."
        ) from error
    if len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise InputError(f"bins for {variable!r} are {bins!r}; expected a number or ascending edges.")
    if np.ndim(bins) == 0 and edges[-1] - edges[0] < len(edges) - 1 and np.all(together == np.round(together)):
        edges = np.arange(np.min(together) - 0.5, np.max(together) + 1.0)
    # The last edge belongs to the last bin, as in NumPy: the largest value is not outside.
    return np.append(edges[:-1], np.nextafter(edges[-1], np.inf)).astype(np.float64)


def _histograms(
    values: Sequence[FloatArray], weights: Sequence[FloatArray], edges: FloatArray, variable: str
) -> "tuple[hist.Hist[Any], ...]":
    axis = hist.axis.Variable(edges, label=variable)
    return tuple(
        hist.Hist(axis, storage=hist.storage.Weight()).fill(v, weight=w) for v, w in zip(values, weights, strict=True)
    )


def _of_contents(contents: Contents, variable: str) -> "hist.Hist[Any]":
    """A histogram as it is, what lies beyond its edges included."""
    drawn = hist.Hist(hist.axis.Variable(contents.edges, label=variable), storage=hist.storage.Weight())
    view: Any = drawn.view(flow=True)
    view["value"], view["variance"] = contents.values, contents.variances
    return drawn
