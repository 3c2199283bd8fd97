"""What other cuts are worth, for comparison: none, each of a selection alone, and those of the cross-entropy."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hepcuts._core.counters import as_seed
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.evaluation.resampling import HOLDOUT, hold_out
from hepcuts.histfactory import discovery_significance
from hepcuts.optimization.optimize import optimize
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import fill
from hepcuts.templates.workspace import likelihood_of


@dataclasses.dataclass(frozen=True)
class OtherCuts:
    """Other cuts, judged as those of an optimization are.

    Attributes:
        cuts: in words.
        significance: of the events that an optimization quotes.
        training: of the events that chose the cuts.
    """

    cuts: str
    significance: float
    training: float


def compare_with_single_cuts(
    samples: Iterable[Sample],
    selection: Selection,
    *,
    axis: Any = None,
    regions: Iterable[Region] | Region = (),
    **options: Any,
) -> dict[str, float]:
    """Significance without any cut and with each cut of a selection alone, optimized in the same way.

    With control regions the cuts that tell these from the signal region stay: those that a region inverts, or, if it
    inverts none, those that it leaves out. Then the significance is that of these cuts, and of these with each other
    cut. What would be all cuts again, and what would leave a region without any cut, is left out.

    Args:
        samples: as in `hepcuts.optimize`.
        selection: as in `hepcuts.optimize`.
        axis: as in `hepcuts.optimize`.
        regions: as in `hepcuts.optimize`.
        options: further arguments of `hepcuts.optimize`; with the same seed, or with equal generators, the same events
            are held out. What is said of several cuts together (constraints, what is fixed or tied) and files are left
            out.

    Returns:
        Description to significance of the profile likelihood, on held-out events if ``holdout`` is given.

    Raises:
        InputError: as `hepcuts.optimize`.
    """
    steps = comparisons(samples, selection, axis=axis, regions=regions, **options)
    found = [step() for step in steps.values()]
    return {one.cuts: one.significance for one in found}


def comparisons(
    samples: Iterable[Sample],
    selection: Selection,
    *,
    axis: Any = None,
    regions: Iterable[Region] | Region = (),
    **options: Any,
) -> dict[str, Callable[[], OtherCuts]]:
    """The steps of `compare_with_single_cuts`, each to be taken alone.

    Returns:
        What is compared with (the variables, or ``"no cut"``), to a function that finds it.
    """
    samples = check_samples(samples)
    regions = (regions,) if isinstance(regions, Region) else tuple(regions)
    for region in regions:
        region.selection(selection)  # says what is wrong with it
    alone = {name: value for name, value in options.items() if name not in _OF_ALL_CUTS} | {"axis": axis}
    alone["seed"] = as_seed(options.get("seed", 0))  # a generator would be used up by the first of several searches
    kept = {variable for region in regions for variable in region.inverted or region.without}
    steps: dict[str, Callable[[], OtherCuts]] = {}
    if not regions:
        steps["no cut"] = functools.partial(_without_cuts, samples, alone)
    for variable in (*([None] if regions else []), *selection.variables):
        cuts = [cut for cut in selection.cuts if cut.variable in kept or cut.variable == variable]
        names = {cut.variable for cut in cuts}
        if regions and (len(cuts) == len(selection.cuts) or any(names <= set(region.without) for region in regions)):
            continue
        given = alone | {"regions": [_of_variables(region, names) for region in regions]}
        what = Selection(cuts)
        steps.setdefault(" & ".join(what.variables), functools.partial(_with_cuts, samples, what, given))
    return steps


def compare_with_bce(samples: Iterable[Sample], selection: Selection, **options: Any) -> OtherCuts:
    """The cuts of least binary cross-entropy, found with the same options on the same events.

    Args:
        samples: as in `hepcuts.optimize`.
        selection: as in `hepcuts.optimize`.
        options: further arguments of `hepcuts.optimize`; files are left out.

    Raises:
        OptimizationError: there are none, as where it accepts no event.
        InputError: as `hepcuts.optimize`.
    """
    alone = {name: value for name, value in options.items() if name not in _FILES}
    return _with_cuts(check_samples(samples), selection, alone | {"objective": "bce"})


_FILES = frozenset({"log", "checkpoint"})
_OF_ALL_CUTS = frozenset({"constraints", "fixed", "tied", *_FILES})
"""Options of `hepcuts.optimize` that make no sense for some of the cuts."""


def _of_variables(region: Region, names: set[str]) -> Region:
    """A region of a selection that cuts on these variables only."""
    inverted, without = ([v for v in given if v in names] for given in (region.inverted, region.without))
    return Region(region.name, inverted=inverted, without=without, axis=region.axis)


def _without_cuts(samples: Sequence[Sample], options: Mapping[str, Any]) -> OtherCuts:
    training, held_out = hold_out(samples, options.get("holdout", HOLDOUT), seed=options["seed"])

    def significance(events: Sequence[Sample]) -> float:
        return float(discovery_significance(likelihood_of(fill(events, None, axis=options["axis"]))))

    chosen = significance(training)
    return OtherCuts("no cut", chosen if held_out is None else significance(held_out), chosen)


def _with_cuts(samples: Sequence[Sample], cuts: Selection, options: Mapping[str, Any]) -> OtherCuts:
    result = optimize(samples, cuts, **{**options, "replicas": 0})  # only the value is asked for
    if result.interrupted:
        raise KeyboardInterrupt
    return OtherCuts(str(result.selection), result.significance, result.training.significance)
