"""Scanning one cut: every figure of merit at every threshold, hard and exact."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.errors import EmptySelectionError, InputError
from hepcuts._core.executors import Executor
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Window
from hepcuts.cuts.edges import edges_of, require_edges
from hepcuts.evaluation.bin_replicas import bin_replicas
from hepcuts.evaluation.resampling import AbstractFolds, AbstractResampling, ReplicasLike, replicas_of
from hepcuts.evaluation.splitters import FoldsLike, folds_of
from hepcuts.merit.closed_forms import Punzi
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractCurve, AbstractFigureOfMerit
from hepcuts.merit.registry import Given, figures_of_merit
from hepcuts.samples.histogram import Histogram, are_histograms, check_histograms
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.binned import HistogramSums, SumsAfter
from hepcuts.templates.cumulative import Cumulative, YieldsAfter
from hepcuts.templates.events import CHUNK, blocks_of
from hepcuts.templates.filling import structure_of, warn_outside
from hepcuts.templates.hard_sums import hard_sums
from hepcuts.templates.integers import told_of_integers
from hepcuts.templates.simulated import FEW_EVENTS

from .optima import Choice, Optimum, guarded
from .result import ScanResult
from .stability import Resampled
from .table import Refinement, Table
from .windows import windows_of

__all__ = ["Choice", "Optimum", "Refinement", "ScanResult", "scan"]

DEFAULT_REFINEMENT = Refinement()
"""All of some thousands of thresholds, of more those around the optimum."""


def scan(
    samples: Iterable[Sample | Histogram],
    cut: AbstractCut,
    *,
    metrics: Sequence[Given] = ("bce", "s_over_sqrt_b", "asimov", "profile"),
    thresholds: ArrayLike | None = None,
    axis: Any = None,
    punzi_a: float = 5.0,
    min_background: float = FEW_EVENTS,
    replicas: ReplicasLike = 100,
    folds: FoldsLike = 5,
    seed: int | np.random.Generator = 0,
    refinement: Refinement = DEFAULT_REFINEMENT,
    executor: Executor | None = None,
) -> ScanResult:
    """Evaluate figures of merit at every threshold of one cut, hard and exact.

    Args:
        samples: at least one signal and one background. Of `hepcuts.Histogram` every edge of the bins is a threshold,
            every two a window. They have no single events: folds are left out, and replicas are those of the bins,
            see `hepcuts.evaluation.bin_replicas.BinReplicas`.
        cut: variable and direction, or a window, or a cut kind of one's own that gives such edges
            (`hepcuts.cuts.AbstractCut.edges`); its own thresholds are not used, its bounds are.
        metrics: figures of merit: names, objects, or functions of yields and structure, see `hepcuts.merit.registry`.
            Each has a name of its own, by which the result knows it.
        thresholds: thresholds to evaluate, or None for all that make a difference (halfway between neighboring
            values); in either case those within the bounds of the cut. Of more than some thousands a figure of merit
            of the likelihood is evaluated around its optimum only. Of a window the edges, of which all pairs are
            evaluated, or pairs of shape (threshold, 2); None for a grid of edges that is refined around each optimum
            down to neighboring values.
        axis: an axis of `hist.axis` for the observable after the cut, or None to count.
        punzi_a: number of standard deviations of ``"punzi"``, if it is given by its name.
        min_background: least effective number of simulated events, after the cut, of each background that matters
            (`hepcuts.templates.simulated`) at the optimum of a figure of merit that divides by the background: with
            fewer, it would be where the simulation ends. All values are there nonetheless; 0 to switch it off.
        replicas: number of bootstrap replicas for the uncertainties of the optima, or 0; or a resampling of another
            kind, see `hepcuts.evaluation.resampling`.
        folds: number of parts for the values on events that did not choose the optimum, or 0. Or a splitter with
            scikit-learn's ``split`` and ``get_n_splits``, such as ``GroupKFold``, that tests every event once.
        seed: of replicas and parts, or a generator that it is drawn from.
        refinement: at how many thresholds a figure of merit of the likelihood is evaluated.
        executor: who sorts and sums the events, see `hepcuts._core.executors`; None for threads.

    Returns:
        Values, optima, a data frame, a figure.

    Raises:
        InputError: an unknown figure of merit, two of one name, thresholds that are not finite or not within the
            bounds, not a cut, one whose edges are neither one threshold nor those of a window, or no executor.
        SampleError: as `hepcuts.fill`.

    Warns:
        OutsideAxisWarning: events before the cut lie outside the axis and are not counted.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> result = hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "asimov"), thresholds=range(1, 100))
        >>> result.optimum("asimov").threshold, result.optimum("bce").threshold
        (46.0, 67.0)
    """
    given, figures = tuple(samples), _with_punzi(metrics, punzi_a)
    min_background, seed = checks.min_background(min_background), as_seed(seed)
    if are_histograms(given):
        histograms = check_histograms(given)
        bins, drawn = bin_replicas(histograms, replicas, seed=seed)
        inputs = _of_histograms(histograms, cut, figures, axis=axis)._replace(drawn=drawn, resampled=bins)
    else:
        events = check_samples(given)
        _check_cut(cut, events)
        cut = told_of_integers(events, cut) if thresholds is None else cut
        inputs = _of_events(events, cut, figures, axis=axis, executor=executor)
        inputs = inputs._replace(drawn=replicas_of(replicas, seed=seed), parts=folds_of(folds, events, seed=seed))
    cumulative, structure = inputs.cumulative, inputs.cumulative.structure
    warn_outside(inputs.outside, structure)
    cut, totals = cumulative.cut, totals_of(given)

    def tabulate(yields: YieldsAfter | SumsAfter) -> Table:
        return Table.of(yields.thresholds, structure, yields, totals, inputs.curves)

    yields = _yields(cumulative, thresholds)
    if len(cut.signs) > 1:
        edges, all_pairs = yields.thresholds, thresholds is not None
        windows = windows_of(edges, lambda p: tabulate(cumulative.at(p)), figures, min_background, all_pairs=all_pairs)
        yields = cumulative.at(windows)
    table = tabulate(yields)
    if not table.rows.totals.any():
        raise EmptySelectionError(f"No event of any sample passes {cut} at any of {len(table.thresholds)} thresholds.")
    values, evaluated = _evaluated(figures, table, min_background, refinement)
    return ScanResult(
        cut,
        table.thresholds,
        values,
        table,
        given,
        figures,
        evaluated,
        cumulative,
        min_background=min_background,
        replicas=0 if inputs.drawn is None else inputs.drawn.size,
        folds=0 if inputs.parts is None else inputs.parts.size,
        seed=seed,
        _parts=inputs.parts,
        _drawn=inputs.drawn,
        _resampled=inputs.resampled,
    )


class _Inputs(NamedTuple):
    """What is summed up at any thresholds, what the single events tell beside it, and what lies outside the axis."""

    cumulative: Cumulative | HistogramSums
    curves: dict[str, AbstractCurve]
    outside: FloatArray
    drawn: AbstractResampling | None = None
    parts: AbstractFolds | None = None
    resampled: Sequence[Resampled] = ()


def _of_events(
    samples: Sequence[Sample],
    cut: AbstractCut,
    figures: Sequence[AbstractFigureOfMerit],
    *,
    axis: Any,
    executor: Executor | None,
) -> _Inputs:
    structure = structure_of(samples, axis=axis, channel="signal_region")
    found = {figure.name: figure.curve(samples, cut) for figure in figures}
    curves = {name: curve for name, curve in found.items() if curve is not None}
    cumulative = Cumulative(samples, cut, structure, executor)
    outside = np.zeros(len(samples))
    if axis is not None:
        blocks = blocks_of(samples, structure, chunk=CHUNK, nominal=True)
        outside = hard_sums(blocks, None, structure, executor=executor).outside
    return _Inputs(cumulative, curves, outside, resampled=samples)


def _of_histograms(
    histograms: Sequence[Histogram], cut: AbstractCut, figures: Sequence[AbstractFigureOfMerit], *, axis: Any
) -> _Inputs:
    """Histograms in place of events.

    Raises:
        InputError: an axis, or a figure of merit of single events.
    """
    _check_cut(cut, ())
    if axis is not None:
        raise InputError("Histograms are counted after the cut; leave out axis=.")
    if of_events := [figure.name for figure in figures if type(figure).curve is not AbstractFigureOfMerit.curve]:
        raise InputError(f"{', '.join(of_events)} is a figure of merit of single events, and histograms have none.")
    structure = structure_of(histograms, axis=None, channel="signal_region")
    return _Inputs(HistogramSums(histograms, cut, structure), {}, np.zeros(len(histograms)))


def _check_cut(cut: AbstractCut, samples: Sequence[Sample]) -> None:
    """Check that what passes a cut is what lies on one side of a threshold, or between two.

    Raises:
        InputError: something else passes, or it does not say what.
    """
    if not isinstance(cut, AbstractCut):
        raise InputError(f"A scan takes one cut, such as hepcuts.Cut or hepcuts.Window, got {type(cut).__name__}.")
    edges = edges_of(cut)
    known = tuple(edge.sign for edge in edges) in {(1,), (-1,), (1, -1)}
    if cut.inverted or not known or any(edge.along is not None for edge in edges):
        raise InputError(
            "A scan takes a cut with one threshold, or with a lower and an upper one, such as hepcuts.Cut and "
            f"hepcuts.Window, got {type(cut).__name__}, {cut}; hepcuts.optimize takes more."
        )
    for sample in () if type(cut) in {Cut, Window} else samples:
        require_edges(cut, {name: sample.column(name) for name in cut.columns}, sample.missing)


def _evaluated(
    figures: Sequence[AbstractFigureOfMerit], table: Table, min_background: float, refinement: Refinement
) -> tuple[dict[str, FloatArray], dict[str, NDArray[np.bool_]]]:
    size = len(table.thresholds)
    values, evaluated = np.empty((len(figures), size)), np.ones((len(figures), size), dtype=bool)
    for number, figure in enumerate(figures):
        if figure.expensive and figure.name not in table.curves:
            allowed = guarded(figure, table.rows, min_background)
            values[number], evaluated[number] = table.around_optimum(figure, allowed, refinement)
        else:
            values[number] = table.values(figure)
    names = [figure.name for figure in figures]
    return dict(zip(names, values, strict=True)), dict(zip(names, evaluated, strict=True))


def _with_punzi(metrics: Sequence[Given], a: float) -> tuple[AbstractFigureOfMerit, ...]:
    """The figures of merit, that of Punzi with the number of standard deviations if it was given by its name."""
    figures = figures_of_merit(metrics)
    named = {given for given in metrics if isinstance(given, str)}
    return tuple(
        dataclasses.replace(figure, a=a) if isinstance(figure, Punzi) and figure.name in named else figure
        for figure in figures
    )


def _yields(cumulative: Cumulative | HistogramSums, thresholds: ArrayLike | None) -> YieldsAfter | SumsAfter:
    """Yields at the thresholds within the bounds of the cut; of a window at its edges or, if given, at windows.

    Raises:
        InputError: none is within the bounds.
    """
    cut = cumulative.cut
    yields = cumulative.distinct() if thresholds is None else cumulative.at(_checked_thresholds(thresholds, cut))
    if cut.bounds is None:
        return yields
    points, (low, high) = yields.thresholds, cut.bounds
    inside = ((points >= low) & (points <= high)).reshape(len(points), -1).all(axis=1)
    if not inside.any():
        raise InputError(
            f"None of {len(points)} thresholds lies within the bounds {low:g} to {high:g} of {cut}; widen the bounds."
        )
    return cumulative.at(points[inside] if thresholds is not None else cumulative.within(points, cut.bounds))


def _checked_thresholds(thresholds: ArrayLike, cut: AbstractCut) -> FloatArray:
    """Thresholds, ascending and each once; of a window its edges, shape (edge,), or windows, shape (row, 2)."""
    try:
        points = np.asarray(list(thresholds) if isinstance(thresholds, range) else thresholds, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.array([])
    if points.size == 0 or not np.all(np.isfinite(points)):
        raise InputError(f"thresholds are {thresholds!r}; expected a sequence of finite numbers.")
    if points.ndim < 2:
        return np.unique(points)
    if len(cut.signs) == 1:
        raise InputError(f"thresholds have shape {points.shape}; expected one dimension, since {cut} has one edge.")
    if points.ndim > 2 or points.shape[1] != 2 or not np.all(points[:, 0] < points[:, 1]):
        raise InputError(
            f"The windows have shape {points.shape}; expected edges of shape (edge,) or (low, high) pairs of shape "
            "(window, 2), low below high."
        )
    return np.unique(points, axis=0)
