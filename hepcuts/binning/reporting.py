"""What a result says of the categories that were found."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hepcuts._core.errors import InputError, YieldError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.merit.registry import PROFILE
from hepcuts.samples.sample import Sample
from hepcuts.templates.lattice import FineAxis, Lattice, Partitions
from hepcuts.templates.partitions import Partition

from .categories_result import Candidate
from .choice import WITHIN
from .fine import Bins, gone
from .fine_lattice import LatticePlan, divided_events
from .fits import values_of
from .judging import Judge
from .solving import START, Shape, Solver, Tried
from .starts import even


def kept(best: Tried, judge: Judge) -> tuple[Partitions, float, str]:
    """Categories, their value, and in words how they were found."""
    solution, sign = best.solution, judge.figure.sign
    edges, value = solution.edges[best.way], solution.values[best.way]
    if edges is solution.edges[START]:
        edges, value = solution.edges[START], solution.values[START]
    others = [way for way in solution.edges if solution.edges[way] is not edges]
    text = f"; edges by {best.way}"
    if best.way != START:
        text += f", {judge.figure.name} {sign * value:.4f}"
    if others:
        text += " (" + ", ".join(f"{way}: {sign * solution.values[way]:.4f}" for way in others) + ")"
        text += ", the best held out" if np.isfinite(best.held_out) else ", not checked on held-out events"
    return edges, value, text


def chosen_by(tried: Sequence[Tried]) -> str:
    """How the numbers of bins were chosen, in words."""
    if not tried:
        return "numbers of bins as given"
    return (
        f"smallest numbers of bins, of those up to {tried[-1].categories} categories, held out within one standard "
        f"error or {100 * WITHIN:g} % of the best"
    )


def candidates(
    solver: Solver, tried: Sequence[Tried], deviations: FloatArray, discriminants: int
) -> tuple[Candidate, ...]:
    """The numbers of bins that were tried, as a user reads them."""
    found = []
    for one, deviation in zip(tried, deviations, strict=True):
        judge = solver.judge(one.shape)
        bins, value = one.shape[:discriminants], judge.figure.sign * one.solution.values[one.way]
        found.append(Candidate(bins, one.categories, value, judge.root(one.held_out), float(deviation)))
    return tuple(found)


def of_categories(lattice: Lattice, partitions: Partitions) -> dict[str, FloatArray]:
    """Yields of each category, the observable summed over, each of shape (category,)."""
    bins = Bins.of(lattice.structure, lattice.over_observable(lattice.merged(partitions)))
    return {"signal": bins.signal, "background": bins.background, "effective_background": bins.effective}


def significance(lattice: Lattice, shape: Shape, partitions: Partitions) -> float:
    """Discovery significance of the profile likelihood; NaN if there is none."""
    try:
        return float(values_of(PROFILE, lattice.reference(shape))([lattice.merged(partitions)])[0])
    except YieldError:
        return float("nan")


def uncertainty(samples: Sequence[Sample], plan: LatticePlan, solver: Solver, partitions: Partitions) -> float:
    """Standard deviation of the objective in given categories from finite simulation, to first order.

    The root of the sum over events of the square of what each adds, in all variations together: what a bootstrap over
    events gives in the limit of small fluctuations.
    """
    lattice, shape = solver.everything, tuple(len(p) - 1 for p in partitions)
    _, slopes = solver.judge(shape).value_and_slopes(lattice.sums(partitions))
    added = [np.zeros(len(sample)) for sample in samples]
    for one in divided_events(samples, plan, lattice.structure):
        first = 0
        for number, cells in enumerate(lattice.blocks):
            block = one.of_group(number)
            index = [lattice.axes[a].index(block.values(lattice.axes[a].variable)) for a in cells.axes]
            laid = dataclasses.replace(cells, cell=block.origin, index=np.stack(index))
            category = lattice.categories(laid, partitions)
            at = (first + np.maximum(category, 0)) * lattice.lead[2] + block.bins
            slope = slopes[block.variation, block.sample, at]
            of_events = block.weights * slope[:, 0] + block.squares * slope[:, 1]
            added[block.sample][block.origin] += np.where(category < 0, 0.0, of_events)
            first += int(np.prod(lattice.dims(cells, shape)))
    return float(np.sqrt(sum(np.sum(a**2) for a in added)))


def with_cuts(
    selection: Selection | None, free: Sequence[AbstractCut], axes: Sequence[FineAxis], partitions: Partitions
) -> Selection | None:
    """The selection, with the thresholds that were found."""
    if selection is None:
        return None
    found = {
        cut.variable: cut.at(_thresholds(cut, axis.edges, partition))
        for cut, axis, partition in zip(free, axes, partitions, strict=True)
    }
    return Selection([found.get(cut.variable, cut) for cut in selection.cuts])


def _thresholds(cut: AbstractCut, edges: FloatArray, partition: Partition) -> list[float]:
    """A bin holds its lower edge, a cut does not let its threshold pass."""
    inner = edges[partition[1:-1]]
    return [float(np.nextafter(e, -np.inf) if sign > 0 else e) for e, sign in zip(inner, cut.signs, strict=True)]


def not_allowed(solver: Solver, shape: Shape, smallest: Shape) -> InputError:
    """The error that no categories satisfy the guard."""
    lattice = solver.everything
    there = of_categories(lattice, even(lattice, smallest))
    bins = " x ".join(str(number) for number, least in zip(shape, smallest, strict=True) if least == 1)
    return InputError(
        f"No {bins} bins were found such that {solver.guard} (and the objective has a value). All events together "
        f"expect {there['background'].sum():.4g} background events, simulated by "
        f"{there['effective_background'].sum():.4g} effective ones. Lower the guards, ask for fewer bins, or simulate "
        f"more.{gone(lattice.structure, lattice.merged(even(lattice, smallest)))}"
    )
