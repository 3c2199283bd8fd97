"""From samples to a lattice: which events lie in which fine bins of the discriminants and of the variables cut on."""

import dataclasses
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Selection, Window
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.samples.envelopes import require_no_envelope
from hepcuts.samples.sample import Sample
from hepcuts.templates.events import Block, Multiplicity, blocks_of
from hepcuts.templates.filling import structure_of
from hepcuts.templates.lattice import FineAxis, FineCells, Lattice
from hepcuts.templates.templates import Structure

from .fine import fine_edges

Kind = Literal["grid", "argmax"]
"""How several discriminants make categories: bins along each, or bins of the one that is largest."""

_KEPT = MappingProxyType({">": 1, "<": 0, "window": 1})


@dataclasses.dataclass(frozen=True, eq=False)
class LatticePlan:
    """What is to be laid along which axes.

    Attributes:
        discriminants: their columns.
        kind: how several of them make categories.
        fixed: cuts that stay as they are, or None.
        free: cuts whose thresholds are to be found.
        axis: of the observable, or None.
        fine_bins: number of fine bins along each axis.
    """

    discriminants: tuple[str, ...]
    kind: Kind
    fixed: Selection | None
    free: tuple[AbstractCut, ...]
    axis: Any
    fine_bins: int

    @property
    def variables(self) -> tuple[str, ...]:
        """The column of each axis: discriminants first, then what is cut on."""
        return (*self.discriminants, *(cut.variable for cut in self.free))

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """Axes of each block."""
        number = len(self.discriminants)
        cuts = tuple(range(number, number + len(self.free)))
        return [tuple(range(number)) + cuts] if self.kind == "grid" else [(d, *cuts) for d in range(number)]


@dataclasses.dataclass(frozen=True, eq=False)
class DividedEvents:
    """Events of one sample and variation that have what all axes ask for.

    Attributes:
        events: with the columns of all axes.
        group: number of the group of axes that divides each into categories, shape (event,).
        lost: expected events that are selected but outside the axis of the observable.
    """

    events: Block
    group: NDArray[np.int64]
    lost: float

    def of_group(self, number: int) -> Block:
        """The events of one group of axes."""
        return self.events.take(np.flatnonzero(self.group == number))


def fine_lattice(
    samples: Sequence[Sample],
    plan: LatticePlan,
    folds: AbstractFolds | None,
    multiplicity: Multiplicity | None = None,
) -> Lattice:
    """Lay the events into fine bins.

    Args:
        samples: at least one signal and one background.
        plan: along which axes.
        folds: the parts, or None for one part.
        multiplicity: how often each event counts, or None for once.

    Raises:
        SampleError: a column is missing.
        EmptySelectionError: no signal, or no background, is left.
    """
    for sample in samples:
        require_no_envelope(sample.modifiers, "Categorizing")
    structure = structure_of(samples, axis=plan.axis, channel="signal_region")
    divided = divided_events(samples, plan, structure)
    axes = tuple(_axis(number, divided, plan) for number in range(len(plan.variables)))
    found, cells = [], len(structure.variations) * len(samples) * structure.num_bins
    for number, group in enumerate(plan.groups):
        cell, index, weights = [], [], []
        for block in (one.of_group(number) for one in divided):
            part = 0 if folds is None else folds.part(block.identity)
            cell.append(part * cells + block.cells())
            index.append(np.stack([axes[a].index(block.values(plan.variables[a])) for a in group]))
            weights.append(
                np.stack([block.weights, block.squares], axis=1) * np.reshape(block.times(multiplicity), (-1, 1))
            )
        sizes = tuple(axes[a].size for a in group)
        joined = FineCells(group, sizes, np.concatenate(cell), np.concatenate(index, axis=1), np.concatenate(weights))
        found.append(joined.collected())
    outside = np.zeros(len(samples))
    for one in divided:
        outside[one.events.sample] += one.lost if one.events.variation == 0 else 0.0
    return Lattice(axes, tuple(found), structure, outside, 1 if folds is None else folds.size)


def divided_events(samples: Sequence[Sample], plan: LatticePlan, structure: Structure) -> list[DividedEvents]:
    """The events of all samples and variations that pass the fixed cuts and have what all axes ask for."""
    columns = (*(() if plan.fixed is None else plan.fixed.columns), *plan.variables)
    return [_divided(block, plan) for block in blocks_of(samples, structure, columns)]


def _divided(block: Block, plan: LatticePlan) -> DividedEvents:
    """The events that pass the fixed cuts and have what all axes ask for."""
    passed = np.ones(len(block), bool) if plan.fixed is None else plan.fixed.mask(block.columns, missing=block.missing)
    count = len(plan.discriminants)
    absent = np.stack([block.absent(variable) for variable in plan.variables])
    group = np.where(absent[:count].any(axis=0), -1, 0)
    if plan.kind == "argmax":
        group = largest(np.stack([block.values(variable) for variable in plan.discriminants]), absent[:count])
    group = np.where(absent[count:].any(axis=0), -1, group)
    rows = np.flatnonzero(passed & block.inside & (group >= 0))
    return DividedEvents(block.take(rows), group[rows], float(block.weights[passed & ~block.inside].sum()))


def largest(scores: FloatArray, absent: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which score of each event is the largest, the first of equal ones, shape (event,); -1 where all are missing."""
    ranked = np.where(absent, -np.inf, scores)
    return np.where(absent.all(axis=0), -1, np.argmax(ranked, axis=0))


def _axis(number: int, divided: Sequence[DividedEvents], plan: LatticePlan) -> FineAxis:
    """One axis with its fine bins, between quantiles of the events that it divides."""
    variable, count = plan.variables[number], len(plan.discriminants)
    whole = plan.kind == "grid" or number >= count
    edges = fine_edges(
        [one.events if whole else one.of_group(number) for one in divided], variable, None, plan.fine_bins
    )
    if number < count:
        return FineAxis(variable, edges)
    cut = plan.free[number - count]
    inner = edges[1:-1]
    if cut.bounds is not None:
        inner = inner[(inner >= cut.bounds[0]) & (inner <= cut.bounds[1])]
    # Empty fine bins beyond all events, so that a cut can be given up.
    outer = (np.nextafter(edges[0], -np.inf), edges[0]), (edges[-1], np.nextafter(edges[-1], np.inf))
    edges = (
        np.concatenate([outer[0], inner, outer[1]])
        if cut.bounds is None
        else np.concatenate([outer[0][:1], inner, outer[1][1:]])
    )
    if len(edges) < 2 + len(cut.thresholds):
        raise InputError(f"The bounds {cut.bounds} of the cut on {variable!r} leave no place for its threshold.")
    return FineAxis(variable, edges, _KEPT[cut.direction if isinstance(cut, Cut) else "window"])


def divide(selection: Selection | None) -> tuple[Selection | None, tuple[AbstractCut, ...]]:
    """Cuts that stay as they are, and those whose thresholds are to be found.

    Raises:
        InputError: a threshold to be found is not that of a plain cut or window, or a missing value is to pass it.
    """
    cuts = () if selection is None else selection.cuts
    free = tuple(cut for cut in cuts if None in cut.thresholds)
    for cut in free:
        if not isinstance(cut, Cut | Window) or cut.missing != "fail" or set(cut.thresholds) != {None}:
            raise InputError(
                f"{cut}: together with categories the thresholds of plain cuts and windows are found, all of a cut, "
                "and an event without a value fails; give the threshold, or find it with hepcuts.optimize."
            )
    kept = [cut for cut in cuts if None not in cut.thresholds]
    return Selection(kept) if kept else None, free
