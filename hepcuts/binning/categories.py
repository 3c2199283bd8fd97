"""The best categories: bins of one or more discriminants, together with cuts."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.evaluation.resampling import HOLDOUT, HoldoutLike, hold_out
from hepcuts.evaluation.splitters import FoldsLike, folds_of
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.optimization.soft.directions import find_directions
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import as_selection, warn_outside
from hepcuts.templates.simulated import FEW_EVENTS

from .categories_result import Categories
from .choice import choose, require_folds, standard_errors
from .fine import Guard
from .fine_lattice import Kind, LatticePlan, divide, fine_lattice
from .reporting import candidates, chosen_by, kept, not_allowed, of_categories, significance, uncertainty, with_cuts
from .solving import START, Shape, Solver, Tried, with_more_bins

_FINE = MappingProxyType({1: 200, 2: 100})
_FINE_OF_MANY = 50
"""Fine bins along each axis, by default, for so many axes."""

_MOST_AXES = 8
_MOST_FINE = 2000


def categorize(
    samples: Iterable[Sample],
    discriminants: str | Sequence[str],
    *,
    num_bins: int | Sequence[int] | None = None,
    max_categories: int = 12,
    objective: Given = "profile",
    kind: Kind = "grid",
    selection: Selection | AbstractCut | None = None,
    axis: Any = None,
    min_background: float = FEW_EVENTS,
    min_expected: float = 1.0,
    fine_bins: int | None = None,
    holdout: HoldoutLike = HOLDOUT,
    folds: FoldsLike = 5,
    seed: int | np.random.Generator = 0,
    soft: bool = True,
) -> Categories:
    """Find the bins of one or more discriminants, and cuts with them, that optimize an objective of the likelihood.

    Edges lie among fine bins. The search starts where dynamic programming finds the largest sum of squared
    significances over categories, along one variable after the other; for one variable that is the global optimum of
    the sum. From there soft edges (`hepcuts.binning.soft_edges`) follow the gradient of the objective through the
    likelihood, narrower in each stage. From the start, and from the hard edges next to the soft ones, single edges are
    moved as long as the objective grows. Of all these that is taken which is best on events held out: what gains most
    on the events that choose may follow their fluctuations.

    Args:
        samples: at least one signal and one background.
        discriminants: column or columns. An event without a value is in no category.
        num_bins: number of bins along each discriminant (one number: along all), or None to choose. Then bins are
            added one at a time, along the discriminant where they help most; the smallest number is taken whose
            held-out value is hardly worse than the best, by not more than one standard error or 1 %.
        max_categories: largest number to choose from.
        objective: a name, an object or a function, see `hepcuts.merit.registry`; no loss of single events.
        kind: ``"grid"``, or ``"argmax"`` for discriminants that are scores of one kind each: an event belongs to the
            largest of its scores, along which it is binned.
        selection: which events, or None for all. Cuts with thresholds stay as they are, those of plain cuts and windows
            without are found together with the edges.
        axis: of an observable that is fitted in each category (an axis of `hist.axis`), or None to count.
        min_background: least effective number of simulated events, (sum w)^2 / sum w^2, in a category, of each
            background that matters there (`hepcuts.templates.simulated`).
        min_expected: least expected number of background events in a category.
        fine_bins: number of quantiles, of equal parts signal and background, along each variable; by default 200 for
            one variable, 100 for two, 50 for more.
        holdout: fraction of events, between 0 and 1, that does not choose, and of which templates and workspace are
            made: those of events that chose follow their own fluctuations. None to use all events for both; the
            workspace is then not to be unblinded with, as the name of its measurement says.
        folds: number of parts of the other events, for the values on events left out, or 0; then `num_bins` has to be
            given. Or a splitter with scikit-learn's ``split`` and ``get_n_splits``, that tests every event once.
        seed: of the events held out and of the parts, or a generator that it is drawn from.
        soft: whether to search with soft edges, too, and not only to move hard ones.

    Returns:
        Edges, cuts and axis, with values on the events that chose them and on others.

    Raises:
        InputError: an unknown objective, a number that makes no sense, or no categories that satisfy the guard.
        SampleError: as `hepcuts.fill`.
        EmptySelectionError: no signal, or no background, is left.
        YieldError: a sample has a negative yield, and the objective is one of the likelihood.

    Warns:
        OutsideAxisWarning: selected events lie outside the axis of the observable and are not counted.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.many_features(2, seed=1, num_signal=3000, num_background=6000)
        >>> result = hc.categorize(samples, ["x0", "x1"], num_bins=2, folds=0)
        >>> result.num_categories, bool(result.value >= result.start_value)
        (4, True)
    """
    seed = as_seed(seed)
    samples, held_out = hold_out(check_samples(samples), holdout, seed=seed)
    figure = figure_of_merit(objective)
    if not isinstance(figure, AbstractTemplateFigure):
        raise InputError(f"The objective {figure.name!r} is a loss of single events; choose one of the templates.")
    plan = _plan(samples, discriminants, kind, as_selection(selection), (axis, fine_bins))
    guard = Guard(min_background, min_expected)
    most = checks.count("max_categories", max_categories, least=1)
    shape = _shape(num_bins, plan)
    parts = folds_of(folds, samples, seed=seed)
    if shape is None:
        require_folds(parts)
    lattice = fine_lattice(samples, plan, parts)
    warn_outside(lattice.outside, lattice.structure)
    solver = Solver(lattice, figure, guard, totals_of(samples))
    smallest = (1,) * len(plan.discriminants) + _of_cuts(plan)
    tried = [] if shape is not None else with_more_bins(solver, smallest, len(plan.discriminants), most)
    deviations = standard_errors(tried, solver.deviation)
    if shape is None:
        chosen = choose(np.array([one.held_out for one in tried]), deviations) if tried else 0
        shape = tried[chosen].shape if tried else smallest
    best = solver.attempt(shape, soft=soft)
    if best is None:
        raise not_allowed(solver, shape, smallest)
    return _result(
        solver, plan, best, (tried, deviations), events=(samples, held_out), selection=as_selection(selection)
    )


def _plan(
    samples: Sequence[Sample],
    discriminants: str | Sequence[str],
    kind: Kind,
    selection: Selection | None,
    options: tuple[Any, int | None],
) -> LatticePlan:
    names = (discriminants,) if isinstance(discriminants, str) else tuple(discriminants)
    if kind not in ("grid", "argmax"):
        raise InputError(f"kind is {kind!r}; expected 'grid' or 'argmax'.")
    fixed, free = divide(None if selection is None else find_directions(samples, selection))
    count = len(names) + len(free)
    if not names or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise InputError(f"discriminants are {discriminants!r}; expected one column, or several different ones.")
    if count > _MOST_AXES:
        raise InputError(f"{count} variables were given, with those of cuts to be found; at most {_MOST_AXES} can be.")
    fine_bins = _FINE.get(count, _FINE_OF_MANY) if options[1] is None else options[1]
    if not 2 <= checks.count("fine_bins", fine_bins) <= _MOST_FINE:
        raise InputError(f"fine_bins is {fine_bins}; expected 2 to {_MOST_FINE}.")
    return LatticePlan(names, kind, fixed, free, options[0], fine_bins)


def _shape(num_bins: int | Sequence[int] | None, plan: LatticePlan) -> Shape | None:
    """Number of bins along each axis, cuts included; None to choose."""
    if num_bins is None:
        return None
    names = plan.discriminants
    each = tuple(num_bins) if isinstance(num_bins, Sequence | np.ndarray) else (num_bins,) * len(names)
    bins = [checks.count("num_bins", number) for number in each]
    if len(bins) != len(names) or not all(1 <= number <= plan.fine_bins for number in bins):
        raise InputError(
            f"num_bins is {num_bins!r}; expected one number from 1 to {plan.fine_bins} fine bins, or one for each of "
            f"{', '.join(names)}."
        )
    return (*bins, *_of_cuts(plan))


def _of_cuts(plan: LatticePlan) -> Shape:
    return tuple(1 + len(cut.thresholds) for cut in plan.free)


def _result(
    solver: Solver,
    plan: LatticePlan,
    best: Tried,
    tried: tuple[Sequence[Tried], FloatArray],
    *,
    events: tuple[tuple[Sample, ...], tuple[Sample, ...] | None],
    selection: Selection | None,
) -> Categories:
    training, held_out = events
    lattice, judge = solver.everything, solver.judge(best.shape)
    partitions, value, message = kept(best, judge)
    sign, count = judge.figure.sign, len(plan.discriminants)
    return Categories(
        edges={a.variable: a.edges[p] for a, p in zip(lattice.axes[:count], partitions[:count], strict=True)},
        kind=plan.kind,
        selection=with_cuts(selection, plan.free, lattice.axes[count:], partitions[count:]),
        objective=judge.figure.name,
        label=judge.figure.label,
        value=sign * value,
        start_value=sign * best.solution.values[START],
        held_out_value=judge.root(best.held_out),
        uncertainty=uncertainty(training, plan, solver, partitions),
        significance=significance(lattice, best.shape, partitions),
        **of_categories(lattice, partitions),
        candidates=candidates(solver, *tried, count),
        guard=f"each category{str(solver.guard).removeprefix('each bin')}",
        message=chosen_by(tried[0]) + message,
        samples=training if held_out is None else held_out,
        chose=held_out is None,
        observable=plan.axis,
    )
