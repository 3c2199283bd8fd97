"""Scanning one cut: every metric at every threshold, hard and exact."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcuts._core.errors import EmptySelectionError, InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Window
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.cumulative import Cumulative, YieldsAfter
from hepcuts.templates.events import blocks_of
from hepcuts.templates.filling import structure_of, warn_outside
from hepcuts.templates.hard_sums import hard_sums

from .metrics import AbstractMetric, ClosedForm, Table, closed_forms, metric
from .optima import FEW_EVENTS, Choice, Optimum
from .profiling import PROFILE
from .result import ScanResult
from .soft_loss import SOFT
from .windows import windows_of

__all__ = ["Choice", "Optimum", "ScanResult", "scan"]


def scan(
    samples: Iterable[Sample],
    cut: AbstractCut,
    *,
    metrics: Sequence[str] = ("bce", "s_over_sqrt_b", "asimov", "profile"),
    thresholds: ArrayLike | None = None,
    axis: Any = None,
    punzi_a: float = 5.0,
    min_background: float = FEW_EVENTS,
    replicas: int = 100,
    folds: int = 5,
    seed: int = 0,
) -> ScanResult:
    """Evaluate metrics at every threshold of one cut, hard and exact.

    Args:
        samples: at least one signal and one background.
        cut: variable and direction, or a window; its own thresholds are not used.
        metrics: names: ``"bce"`` (log loss of hard decisions), ``"bce_balanced"``, ``"bce_soft"`` (of a sigmoid of the
            cut's width), ``"s_over_sqrt_b"``,
            ``"s_over_sqrt_s_plus_b"``, ``"s_over_sqrt_b_plus_variance"``, ``"asimov"``, ``"asimov_uncertainty"``,
            ``"binomial"``, ``"punzi"``, ``"profile"`` (the discovery significance with all systematics).
        thresholds: thresholds to evaluate, or None for all that make a difference (halfway between neighboring
            values). Of more than some thousands the profile likelihood is evaluated around its optimum only. Of a
            window the edges, of which all pairs are evaluated, or pairs of shape (threshold, 2); None for a grid of
            edges that is refined around each optimum down to neighboring values.
        axis: an axis of `hist.axis` for the observable behind the cut, or None to count.
        punzi_a: number of standard deviations in Punzi's figure of merit.
        min_background: least effective number of simulated background events behind the optimum of a figure of merit:
            with fewer, it would be where the simulation ends. All values are there nonetheless; 0 to switch it off.
        replicas: number of bootstrap replicas for the uncertainties of the optima, or 0.
        folds: number of parts for the values on events that did not choose the optimum, or 0.
        seed: of replicas and parts.

    Returns:
        Values, optima, a data frame, a figure.

    Raises:
        InputError: an unknown metric, thresholds that are not finite, or not a cut.
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
    samples = check_samples(samples)
    if not isinstance(cut, (Cut, Window)):
        raise InputError(
            f"A scan takes one hepcuts.Cut or hepcuts.Window, got {type(cut).__name__}; hepcuts.optimize takes more."
        )
    _check_numbers(min_background, replicas, folds)
    structure = structure_of(samples, axis=axis, channel="signal_region")
    chosen = _checked_metrics(metrics, samples, cut)
    cumulative = Cumulative(samples, cut, structure)
    totals = [sum(float(np.sum(s.weights)) for s in samples if s.signal == signal) for signal in (True, False)]
    if axis is not None:
        warn_outside(hard_sums(blocks_of(samples, structure, nominal=True), None, structure).outside, structure)

    def tabulate(points: FloatArray | YieldsAfter) -> Table:
        yields = points if isinstance(points, YieldsAfter) else cumulative.at(points)
        return Table.of(yields.thresholds, structure, yields, (totals[0], totals[1]), punzi_a=punzi_a)

    given = None if thresholds is None else _checked_thresholds(thresholds, cut)
    if isinstance(cut, Window):
        given = windows_of(cumulative, tabulate, chosen, given, min_background)
    table = tabulate(cumulative.distinct() if given is None else given)
    points = table.thresholds
    if not table.totals.any():
        raise EmptySelectionError(f"No event of any sample passes {cut} at any of {len(points)} thresholds.")
    values, evaluated = _evaluated(chosen, table, min_background)
    return ScanResult(
        cut,
        points,
        values,
        table,
        samples,
        chosen,
        evaluated,
        cumulative,
        min_background=float(min_background),
        replicas=replicas,
        folds=folds,
        seed=seed,
    )


def _evaluated(
    metrics: Sequence[AbstractMetric], table: Table, min_background: float
) -> tuple[dict[str, FloatArray], dict[str, NDArray[np.bool_]]]:
    closed = [m for m in metrics if isinstance(m, ClosedForm)]
    found = dict(zip([m.name for m in closed], closed_forms(closed, table), strict=True))
    everywhere = np.ones(len(table.thresholds), dtype=bool)
    evaluated = dict.fromkeys([m.name for m in metrics], everywhere)
    for m in metrics:
        if m is PROFILE:
            found[m.name], evaluated[m.name] = PROFILE.around_optimum(table, min_background)
        elif m not in closed:
            found[m.name] = m(table)
    return {m.name: found[m.name] for m in metrics}, evaluated


def _checked_metrics(names: Sequence[str], samples: Sequence[Sample], cut: AbstractCut) -> tuple[AbstractMetric, ...]:
    if isinstance(names, str):
        raise InputError(f"metrics are {names!r}; expected a sequence of names, such as [{names!r}].")
    if not names:
        raise InputError("No metrics were named; choose for example ('bce', 'asimov', 'profile').")
    found = tuple(metric(name, (PROFILE, SOFT)) for name in names)
    if SOFT in found and not isinstance(cut, Cut):
        raise InputError(f"Metric {SOFT.name!r} is that of one threshold, and {cut} has two; leave it out.")
    return tuple(SOFT.of(samples, cut) if m is SOFT and isinstance(cut, Cut) else m for m in found)


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
    if isinstance(cut, Cut):
        raise InputError(f"thresholds have shape {points.shape}; expected one dimension, since {cut} has one edge.")
    if points.ndim > 2 or points.shape[1] != 2 or not np.all(points[:, 0] < points[:, 1]):
        raise InputError(
            f"The windows have shape {points.shape}; expected edges of shape (edge,) or (low, high) pairs of shape "
            "(window, 2), low below high."
        )
    return np.unique(points, axis=0)


def _check_numbers(min_background: float, replicas: int, folds: int) -> None:
    if not (np.isfinite(min_background) and min_background >= 0):
        raise InputError(f"min_background is {min_background}; expected a finite number of events, 0 or more.")
    if replicas < 0 or replicas == 1:
        raise InputError(f"replicas is {replicas}; expected 0, or at least 2 for a spread.")
    if folds < 0 or folds == 1:
        raise InputError(f"folds is {folds}; expected 0, or at least 2 parts.")
