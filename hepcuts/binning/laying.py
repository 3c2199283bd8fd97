"""From samples to a lattice: which events lie in which fine bins of the discriminants and of the variables cut on."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, FloatArray
from hepcuts.cuts import AbstractCut, Cut, Selection, Window
from hepcuts.evaluation.resampling import AbstractFolds
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import bins_of, blocks, require_columns, structure_of
from hepcuts.templates.lattice import Block, FineAxis, Lattice
from hepcuts.templates.templates import Structure

from .fine import fine_edges

Kind = Literal["grid", "argmax"]
"""How several discriminants make categories: bins along each, or bins of the one that is largest."""

_KEPT = {">": 1, "<": 0, "window": 1}


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
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
class Events:
    """Events of one sample and variation.

    Attributes:
        variation: its number.
        sample: its number.
        values: of the variables of all axes, shape (axis, event).
        block: number of the block that they belong to, shape (event,).
        observable: bin of the observable, shape (event,).
        weights: shape (event,).
        origin: number of each event within its sample, shape (event,).
        lost: expected events that are selected but outside the axis of the observable.
    """

    variation: int
    sample: int
    values: FloatArray
    block: NDArray[np.int64]
    observable: NDArray[np.int64]
    weights: FloatArray
    origin: NDArray[np.int64]
    lost: float


def lay_out(samples: Sequence[Sample], plan: Plan, folds: AbstractFolds | None) -> Lattice:
    """Lay out the events.

    Args:
        samples: at least one signal and one background.
        plan: along which axes.
        folds: the parts, or None for one part.

    Raises:
        SampleError: a column is missing.
        EmptySelectionError: no signal, or no background, is left.
    """
    structure = structure_of(samples, axis=plan.axis, channel="signal_region")
    events = events_of(samples, plan, structure)
    signal = [sample.signal for sample in samples]
    axes = tuple(_axis(number, events, plan, signal) for number in range(len(plan.variables)))
    found, cells = [], (len(structure.variations), len(samples), structure.num_bins)
    for number, group in enumerate(plan.groups):
        cell, index, weights = [], [], []
        for one in events:
            rows = one.block == number
            part = 0 if folds is None else folds.part(samples[one.sample].identity[one.origin[rows]])
            cell.append(((part * cells[0] + one.variation) * cells[1] + one.sample) * cells[2] + one.observable[rows])
            index.append(np.stack([axes[a].index(one.values[a, rows]) for a in group]))
            weights.append(one.weights[rows])
        w = np.concatenate(weights)
        sizes = tuple(axes[a].size for a in group)
        both = np.stack([w, w**2], axis=1)
        found.append(Block(group, sizes, np.concatenate(cell), np.concatenate(index, axis=1), both).collected())
    outside = np.zeros(len(samples))
    for one in events:
        outside[one.sample] += one.lost if one.variation == 0 else 0.0
    return Lattice(axes, tuple(found), structure, outside, 1 if folds is None else folds.size)


def events_of(samples: Sequence[Sample], plan: Plan, structure: Structure) -> list[Events]:
    """The events of all samples and variations that pass the fixed cuts and have what all axes ask for."""
    return [_present(block, plan, structure) for block in blocks(samples, structure)]


def _present(block: tuple[int, int, Columns, FloatArray, Sample], plan: Plan, structure: Structure) -> Events:
    """The events that pass the fixed cuts and have what all axes ask for."""
    variation, number, columns, weights, sample = block
    require_columns(sample, plan.fixed, plan.axis)
    for variable in plan.variables:
        sample.column(variable)
    passed = np.ones(len(weights), bool) if plan.fixed is None else plan.fixed.mask(columns, missing=sample.missing)
    bins, inside = bins_of(structure, columns, len(weights), missing=sample.missing)
    values = np.stack([columns[variable] for variable in plan.variables])
    absent = np.stack([is_missing(row, sample.missing) for row in values])
    count = len(plan.discriminants)
    category = np.where(absent[:count].any(axis=0), -1, 0)
    if plan.kind == "argmax":
        category = largest(values[:count], absent[:count])
    category = np.where(absent[count:].any(axis=0), -1, category)
    rows = passed & inside & (category >= 0)
    lost = float(weights[passed & ~inside].sum())
    return Events(
        variation, number, values[:, rows], category[rows], bins[rows], weights[rows], np.flatnonzero(rows), lost
    )


def largest(scores: FloatArray, absent: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which score of each event is the largest, the first of equal ones, shape (event,); -1 where all are missing."""
    ranked = np.where(absent, -np.inf, scores)
    return np.where(absent.all(axis=0), -1, np.argmax(ranked, axis=0))


def _axis(number: int, events: Sequence[Events], plan: Plan, signal: Sequence[bool]) -> FineAxis:
    """One axis with its fine bins, between quantiles of the events that it divides."""
    variable, count = plan.variables[number], len(plan.discriminants)
    mine = [(one.variation, one.sample, one.values[number], _divided(one, number, plan), one.weights) for one in events]
    edges = fine_edges(mine, signal, None, plan.fine_bins)
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


def _divided(one: Events, number: int, plan: Plan) -> NDArray[np.bool_]:
    whole = plan.kind == "grid" or number >= len(plan.discriminants)
    return np.ones(len(one.weights), bool) if whole else one.block == number


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
