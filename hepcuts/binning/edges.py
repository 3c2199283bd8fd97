"""The best bin edges of one variable."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.errors import InputError, YieldError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.evaluation.resampling import HOLDOUT, AbstractFolds, HoldoutLike, hold_out
from hepcuts.evaluation.splitters import FoldsLike, folds_of
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.gains import Gain
from hepcuts.merit.registry import FIGURES, Given, figure_of_merit
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import as_selection, warn_outside
from hepcuts.templates.partitions import Partition
from hepcuts.templates.simulated import FEW_EVENTS

from .choice import (
    WITHIN,
    PartitionCandidate,
    candidates,
    choose,
    deviation,
    held_out_value,
    require_folds,
    standard_errors,
    training,
)
from .fine import Bins, FineBins, Guard, gone
from .fits import PolishTask, Values, held_out_significance, polish, shape_fits, signed_root
from .result import Binning, BinningResult

_MOST = 2000
"""Fine bins whose pairs are held at once."""


def bin_edges(
    samples: Iterable[Sample],
    variable: str,
    *,
    num_bins: int | None = None,
    max_bins: int = 20,
    fine_bins: int = 200,
    metric: Given = "asimov",
    selection: Selection | AbstractCut | None = None,
    min_background: float = FEW_EVENTS,
    min_expected: float = 1.0,
    bounds: tuple[float, float] | None = None,
    holdout: HoldoutLike = HOLDOUT,
    folds: FoldsLike = 5,
    seed: int | np.random.Generator = 0,
    polish_edges: bool = True,
) -> BinningResult:
    """Find the bin edges of one variable with the largest significance of a shape fit.

    Dynamic programming finds, for each number of bins, the global optimum of the squared significances summed over
    bins, among edges between fine bins. The number of bins is the smallest that is hardly worse on held-out events
    than the best: by not more than one standard error of the difference of the squared values, or 1 % of the
    significance. The sum knows no uncertainty that moves bins together, the shape fit does: its significance is given
    for each number of bins, and finally the edges are moved one at a time among the fine ones as long as it grows.
    Such a move is kept if moves in the same way on parts of the events do not make those held out worse.

    Args:
        samples: at least one signal and one background.
        variable: a column of all samples. A missing value is in no bin.
        num_bins: number of bins, or None to choose it.
        max_bins: largest number to choose from.
        fine_bins: number of quantiles, of equal parts signal and background, between which edges may lie. So the bins
            do not depend on a monotone map of the variable. Equal values stay together.
        metric: a figure of merit, name or object, whose square is a sum over bins (it has a `gain`): ``"asimov"``,
            ``"s_over_sqrt_b"``, or with the uncertainty of the background in each bin from finite simulation and all
            systematics, taken as independent between bins, ``"asimov_uncertainty"`` or
            ``"s_over_sqrt_b_plus_variance"``.
        selection: which events, or None for all.
        min_background: least effective number of simulated events, (sum w)^2 / sum w^2, in a bin, of each background
            that matters there (`hepcuts.templates.simulated`). Its root is the inverse of the relative uncertainty from
            finite simulation.
        min_expected: least expected number of background events in a bin: asymptotic formulas need some.
        bounds: outermost edges, or None for what takes all events.
        holdout: fraction of events, between 0 and 1, that does not choose, and of which templates and workspace are
            made: those of events that chose follow their own fluctuations. None to use all events for both; the
            workspace is then not to be unblinded with, as the name of its measurement says.
        folds: number of parts of the other events, for the values on events left out, or 0; then `num_bins` has to be
            given. Or a splitter with scikit-learn's ``split`` and ``get_n_splits``, that tests every event once.
        seed: of the events held out and of the parts, or a generator that it is drawn from.
        polish_edges: whether to move edges to increase the significance of the shape fit.

    Returns:
        Edges and axis, the candidates for each number of bins, yields of the bins, guard and message.

    Raises:
        InputError: an unknown metric, a number that makes no sense, or no bins that satisfy the guard.
        SampleError: as `hepcuts.fill`.
        EmptySelectionError: no signal, or no background, is left.

    Warns:
        OutsideAxisWarning: selected events lie outside the bounds and are not counted.

    Example:
        >>> import hepcuts as hc
        >>> from hepcuts.binning import bin_edges
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> result = bin_edges(samples, "x", num_bins=3)
        >>> print(result.edges[1:-1].round(1), round(result.significance, 1))
        [47.9 55.7] 7.9
    """
    seed = as_seed(seed)
    samples, held_out = hold_out(check_samples(samples), holdout, seed=seed)
    figure, guard = figure_of_merit(metric), Guard(min_background, min_expected)
    gain = _gain_of(figure)
    most = checks.count(*(("max_bins", max_bins) if num_bins is None else ("num_bins", num_bins)), least=1)
    parts = folds_of(folds, samples, seed=seed)
    _check(most, checks.count("fine_bins", fine_bins, least=2), parts, choice=num_bins is None)
    chosen_events, limits = as_selection(selection), _checked_bounds(bounds)
    fine = FineBins.of(samples, variable, selection=chosen_events, bounds=limits, fine_bins=fine_bins, folds=parts)
    warn_outside(fine.outside, fine.structure)
    found = candidates(fine, gain, guard, most)
    if len(found) < (num_bins or 1):
        raise _not_allowed(fine, guard, num_bins or 1, len(found))
    found = found if num_bins is None else found[-1:]
    deviations = standard_errors(found, functools.partial(deviation, fine))
    judged, refusal = _judged(fine, found, deviations)
    chosen = choose(np.array([one.held_out for one in found]), deviations)
    message = _chosen_by(found, chosen, given=num_bins is not None, most=most) + _better_shape(judged, chosen)
    best, partition = judged[chosen], found[chosen].partition
    if refusal:
        message += f"; no shape fit: {refusal}"
    elif polish_edges and best.num_bins > 1:
        partition, best, moved = _polished(fine, gain, guard, found[chosen], judged[chosen])
        message += f"; {moved}"
    return BinningResult(
        variable=variable,
        metric=figure.name,
        label=figure.label,
        best=best,
        start=judged[chosen],
        candidates=judged,
        **_of_bins(fine, gain, partition),
        fine_edges=fine.edges,
        guard=str(guard),
        message=message,
        samples=samples if held_out is None else held_out,
        chose=held_out is None,
        selection=chosen_events,
    )


def _gain_of(figure: AbstractFigureOfMerit) -> Gain:
    if figure.gain is None:
        known = ", ".join(name for name, one in FIGURES.items() if one.gain is not None)
        raise InputError(
            f"{figure.name!r} is no root of a sum of squares over bins; choose among {known}, or an object with a gain."
        )
    return figure.gain


def _of_bins(fine: FineBins, gain: Gain, partition: Partition) -> dict[str, FloatArray]:
    """What the result says of each bin, shape (bin,)."""
    bins = Bins.of(fine.structure, fine.merged(partition), gain)
    return {
        "signal": bins.signal,
        "background": bins.background,
        "effective_background": bins.effective,
        "bin_values": np.sqrt(gain(bins.signal, bins.background, bins.variance)),
    }


def _check(most: int, fine_bins: int, folds: AbstractFolds | None, *, choice: bool) -> None:
    if not most <= fine_bins <= _MOST:
        raise InputError(
            f"{most} bins were asked for among {fine_bins} fine bins; expected at least 1, and 2 to {_MOST} fine bins, "
            "not fewer than bins."
        )
    if choice:
        require_folds(folds)


def _checked_bounds(bounds: Any) -> tuple[float, float] | None:
    if bounds is None:
        return None
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"bounds are {bounds!r}; expected the outermost edges, two finite numbers (low, high).")
    return low, high


def _not_allowed(fine: FineBins, guard: Guard, number: int, possible: int) -> InputError:
    everything = fine.merged(np.array([0, fine.size]))
    whole = Bins.of(fine.structure, everything)
    allowed = "not even one bin is" if possible == 0 else f"at most {possible} are"
    return InputError(
        f"{number} bin{'' if number == 1 else 's'} of {fine.structure.axis.name!r}: {allowed} possible if {guard}. "
        f"All {fine.size} fine bins together expect {whole.signal[0]:.4g} signal and "
        f"{whole.background[0]:.4g} background events, simulated by {whole.effective[0]:.4g} effective ones. Lower the "
        f"guards, ask for fewer bins, or simulate more.{gone(fine.structure, everything)}"
    )


def _judged(
    fine: FineBins, found: Sequence[PartitionCandidate], deviations: FloatArray
) -> tuple[tuple[Binning, ...], str]:
    """The candidates with the significances of their shape fits, and why there are none."""
    judged, refusal = [], ""
    for one, of_held_out in zip(found, deviations, strict=True):
        fitted = [np.nan, np.nan]
        if not refusal:
            try:
                fitted = _significances(shape_fits(fine, one.num_bins), fine, one.partition, one.of_folds)
            except YieldError as error:
                refusal = str(error)
        edges, value = fine.edges[one.partition], float(np.sqrt(one.value))
        judged.append(Binning(one.num_bins, edges, value, signed_root(one.held_out), float(of_held_out), *fitted))
    return tuple(judged), refusal


def _significances(fits: Values, fine: FineBins, partition: Partition, of_folds: Sequence[Partition]) -> list[float]:
    """Significances of the shape fit on all events, and held out."""
    return [float(fits([fine.merged(partition)])[0]), held_out_significance(fits, fine, of_folds)]


def _chosen_by(found: Sequence[PartitionCandidate], chosen: int, *, given: bool, most: int) -> str:
    if given:
        return "number of bins as given; edges from all events"
    if not np.isfinite(found[chosen].held_out):
        return "one bin: on parts of the events no bins satisfy the guard"
    limit = "" if len(found) == most else " (no more are possible)"
    return (
        f"smallest number of bins, of up to {len(found)}{limit}, that is held out within one standard error or "
        f"{100 * WITHIN:g} % of the best; edges from all events"
    )


def _better_shape(judged: Sequence[Binning], chosen: int) -> str:
    """A note if the shape fit, which knows more uncertainties than the sum over bins, is better with other bins."""
    values = np.array([one.held_out_significance for one in judged])
    if not np.isfinite(values).any():
        return ""
    best = int(np.nanargmax(values))
    if values[best] * (1.0 - WITHIN) <= values[chosen]:
        return ""
    return (
        f"; held out the shape fit is best with {judged[best].num_bins} bins, {values[best]:.4f} and not "
        f"{values[chosen]:.4f}"
    )


def _polished(
    fine: FineBins, gain: Gain, guard: Guard, one: PartitionCandidate, start: Binning
) -> tuple[Partition, Binning, str]:
    """Partition and binning after edges were moved, if that is worth it, and what was done."""
    fits = shape_fits(fine, one.num_bins)
    others = [training(fine, fold) for fold in range(len(one.of_folds))]
    pairs = [(fine, one.partition), *zip(others, one.of_folds, strict=True)]
    tasks = [PolishTask(events, np.isfinite(events.gains(gain, guard)), partition) for events, partition in pairs]
    partition, *of_folds = polish(fits, tasks)
    if np.array_equal(partition, one.partition):
        return partition, start, "no move of an edge increases the significance of the shape fit"
    significance, outside = _significances(fits, fine, partition, of_folds)
    gained = f"from {start.significance:.4f} to {significance:.4f}"
    if of_folds and not outside >= start.held_out_significance:
        change = f"held out it would go from {start.held_out_significance:.4f} to {outside:.4f}"
        return one.partition, start, f"edges not moved: the shape fit's significance would go {gained}, but {change}"
    value = float(np.sqrt(np.sum(_of_bins(fine, gain, partition)["bin_values"] ** 2)))
    squared, _ = held_out_value(fine, of_folds, gain)
    unknown = "" if of_folds else ", not checked on held-out events"
    moved = Binning(one.num_bins, fine.edges[partition], value, signed_root(squared), np.nan, significance, outside)
    return partition, moved, f"edges moved, the shape fit's significance went {gained}{unknown}"
