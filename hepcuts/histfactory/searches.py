"""Searches for the minima of a batch, on the host: from one start, then along walls, with more steps, from others."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.memory import reuse_memory
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.basins import Places, places
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.jumps import search_across_jumps
from hepcuts.histfactory.solver.layout import CellIndex, layout_of
from hepcuts.histfactory.solver.lookout import STANDARD, suspicious
from hepcuts.histfactory.solver.minima import CONVERGED, SAME_MINIMUM, TOO_MANY_EVENTS, TOO_MANY_STEPS, Minima
from hepcuts.histfactory.solver.newton import minimize
from hepcuts.histfactory.solver.sketch import Sketch
from hepcuts.histfactory.solver.walls import search_along_walls

from .abundance import MANY_EVENTS, MOST_EVENTS, most_events
from .batch import Batch
from .interpolation import JUMPING
from .starts import alternative_starts
from .structure import LikelihoodStructure

_LANES = 4_000_000
"""Numbers in the largest array of a chunk of lanes, roughly: as large as a block of memory that is used again."""
_STEPS = 400
_MORE_STEPS = 2000
"""For lanes that are still on their way when their steps run out: in a narrow, curved valley they are short."""
_NEARER = 0.3
"""Share of the distance of other starts from nominal parameters at which they are tried once more."""
_MOST_WALLS = 100
"""How many lanes of a batch are searched one by one; more than that have another trouble."""
_MOST_AT_WALLS = 3000
"""Parameters that a search along walls can take: its quadratic programs hold all their second derivatives."""


def free_parameters(structure: LikelihoodStructure, *, fix_poi: bool) -> Any:
    """Which parameters a fit moves, before templates have their say, shape (parameter,)."""
    free = ~np.asarray(structure.fixed)
    if fix_poi:
        free[structure.poi] = False
    return free


def nominal_parameters(structure: LikelihoodStructure, mu: float = 1.0) -> FloatArray:
    """Nominal parameters with the parameter of interest, if there is one, at `mu`."""
    nominal = np.array(structure.init, dtype=np.float64)
    if structure.poi is not None:
        nominal[structure.poi] = mu
    return nominal


def single_search(
    structure: LikelihoodStructure, batch: Batch, start: FloatArray, *, fix_poi: bool, max_steps: int = _STEPS
) -> Minima:
    """Minimize the deviance of each lane on the host.

    Args:
        structure: of NumPy arrays.
        batch: templates and data.
        start: shape (parameter,), or (parameter, lane).
        fix_poi: whether the parameter of interest stays where `start` has it.
        max_steps: largest number of steps.
    """
    reuse_memory()
    layout = layout_of(structure, free_parameters(structure, fix_poi=fix_poi))
    start = np.asarray(start, dtype=np.float64)
    start = np.broadcast_to(start[:, None] if start.ndim == 1 else start, (len(start), batch.lanes))
    nominal = nominal_parameters(structure, batch.asimov_mu)
    init = np.asarray(structure.init, dtype=np.float64)[:, None]
    bounds = np.asarray(structure.lower), np.asarray(structure.upper)
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        parts = []
        for lanes, likelihood in likelihoods(structure, layout, batch, nominal):
            # What the templates leave without content is fixed at its nominal value, wherever a fit starts.
            begin = np.where(likelihood.void, init, start[:, lanes])
            parts.append(minimize(likelihood, begin, bounds, max_steps=max_steps))
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in dataclasses.fields(Minima)]
    return Minima(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))


def likelihoods(
    structure: LikelihoodStructure, layout: CellIndex, batch: Batch, nominal: FloatArray
) -> Iterator[tuple[slice, Likelihood]]:
    """The solver's likelihoods of a batch, chunk by chunk, with the lanes of each chunk."""
    size = max(1, _LANES // layout.numbers)
    for first in range(0, max(batch.lanes, 1), size):  # a batch of none is one chunk without lanes
        lanes = slice(first, first + size)
        part = batch.take(lanes)
        yield lanes, Likelihood(layout, structure, part.templates, part.data, nominal)


def search(
    structure: LikelihoodStructure,
    batch: Batch,
    start: FloatArray,
    *,
    fix_poi: bool,
    retries: int = 4,
    elsewhere: bool = True,
) -> Minima:
    """As `single_search`; lanes that do not converge go on where they are, and try again from other places.

    Where curvature of the rates may have made other minima, these are looked for (`hepcuts.histfactory.solver.basins`).

    Where rates jump, all pieces between the jumps that lead down are searched. Lanes of too many events are not.
    """
    kept = np.broadcast_to(np.reshape(start, (len(structure.init), -1)), (len(structure.init), batch.lanes))
    events = most_events(batch)
    if np.any(events > MOST_EVENTS):
        refused, few = Minima.none(kept, TOO_MANY_EVENTS), np.flatnonzero(~(events > MOST_EVENTS))
        if len(few):
            options = {"fix_poi": fix_poi, "elsewhere": elsewhere}
            refused.replace(few, search(structure, batch.take(few), kept[:, few], retries=retries, **options))
        return refused
    result = _from(structure, batch, start, fix_poi=fix_poi)
    _try_again(structure, batch, kept, result, fix_poi=fix_poi, retries=retries)
    if elsewhere:
        _look_elsewhere(structure, batch, result, fix_poi=fix_poi)
    return result


def _try_again(
    structure: LikelihoodStructure, batch: Batch, kept: FloatArray, result: Minima, *, fix_poi: bool, retries: int
) -> None:
    """Search from other places where lanes did not converge; what is fixed stays as in `kept`."""
    if np.all(result.status == CONVERGED):
        return
    moved, events = free_parameters(structure, fix_poi=fix_poi)[:, None], most_events(batch)
    for other in _other_starts(structure, retries, fix_poi=fix_poi):
        failed = np.flatnonzero((result.status != CONVERGED) & (events <= MANY_EVENTS))
        if not len(failed):
            break
        part, again = batch.take(failed), np.where(moved, other[:, None], kept[:, failed])
        found = _from(structure, part, again, fix_poi=fix_poi)
        better = found.status == CONVERGED
        result.replace(failed[better], found.take(better))


def _look_elsewhere(structure: LikelihoodStructure, batch: Batch, result: Minima, *, fix_poi: bool) -> None:
    """Search from where curvature may have made other minima; each lane ends in the lowest."""
    lanes = np.flatnonzero((result.status == CONVERGED) & (result.value > STANDARD.least))
    for number in range(STANDARD.rounds):
        if not len(lanes):
            return
        there = _places(structure, batch.take(lanes), result.take(lanes), fix_poi=fix_poi, again=number > 0)
        if not len(there.owner):
            return
        owners, sharp = lanes[there.owner], lanes[there.sharp]
        below = _clearly_below(result.value[owners])
        found = _from(structure, batch.take(owners), there.start, fix_poi=fix_poi, below=below)
        lanes = np.intersect1d(result.settle(owners, found), sharp)


def _clearly_below(value: FloatArray) -> FloatArray:
    """What another minimum has to come below to be one."""
    return value - SAME_MINIMUM * (1.0 + value)


def _places(structure: LikelihoodStructure, batch: Batch, found: Minima, *, fix_poi: bool, again: bool) -> Places:
    """Where to search each lane again, chunk by chunk."""
    free = free_parameters(structure, fix_poi=fix_poi)
    shifts = len(structure.histosys) + len(structure.normsys)
    large = 2 * shifts * np.prod(batch.templates.nominal.shape[:2]) > STANDARD.largest
    nowhere = Places.none(len(found.parameters))
    if not shifts or large or not suspicious(structure, batch.templates, free, STANDARD):
        return nowhere
    layout, bounds = layout_of(structure, free), (np.asarray(structure.lower), np.asarray(structure.upper))
    parts = [nowhere]
    with one_blas_thread(len(layout.free)), np.errstate(all="ignore"):
        for lanes, likelihood in likelihoods(structure, layout, batch, nominal_parameters(structure, batch.asimov_mu)):
            sketch = Sketch(likelihood, structure, batch.templates.take(lanes), bounds)
            if not len(sketch.alphas):
                continue
            minima, first = (found.parameters[:, lanes], found.value[lanes]), lanes.start or 0
            part = places(sketch, minima, STANDARD, again=again)
            parts.append(Places(part.start, part.owner + first, part.sharp + first))
    return Places(*(np.concatenate(side, axis=-1) for side in zip(*parts, strict=True)))


def _other_starts(structure: LikelihoodStructure, number: int, *, fix_poi: bool) -> list[FloatArray]:
    """Without signal first, which may be possible where signal is not; each of shape (parameter,).

    Far from nominal parameters rates may be negative, at them zero: the last ones are near.
    """
    signal = not fix_poi and structure.poi is not None and number > 0
    far, nominal = alternative_starts(structure, number).T, np.asarray(structure.init, dtype=np.float64)
    near = nominal + _NEARER * (far - nominal)
    return [nominal_parameters(structure, 0.0)] * signal + [*far, *near]


def _from(
    structure: LikelihoodStructure, batch: Batch, start: FloatArray, *, fix_poi: bool, below: FloatArray | None = None
) -> Minima:
    """The ends of all lanes from one start each.

    Args:
        structure: the model.
        batch: templates and data.
        start: as for `single_search`.
        fix_poi: as for `single_search`.
        below: of each lane the value that a search from another place has to come below, or it is soon given up.
    """
    steps = _STEPS if below is None else STANDARD.search_steps
    below = np.full(batch.lanes, np.inf) if below is None else below
    jumping = np.array([], dtype=np.int64)
    if structure.histosys_code in JUMPING:
        free = np.flatnonzero(free_parameters(structure, fix_poi=fix_poi))
        jumping = np.intersect1d(free, structure.histosys)

    def within(lanes: Any, begin: FloatArray, bounds: tuple[FloatArray, FloatArray]) -> Minima:
        held = dataclasses.replace(structure, lower=bounds[0], upper=bounds[1])
        return _to_the_end(held, batch.take(lanes), begin, below[lanes], fix_poi=fix_poi, max_steps=steps)

    if not len(jumping):
        return _to_the_end(structure, batch, start, below, fix_poi=fix_poi, max_steps=steps)
    begin = np.broadcast_to(np.reshape(start, (len(structure.init), -1)), (len(structure.init), batch.lanes))
    bounds = np.asarray(structure.lower, dtype=np.float64), np.asarray(structure.upper, dtype=np.float64)
    return search_across_jumps(within, begin, bounds, jumping)


def _to_the_end(
    structure: LikelihoodStructure,
    batch: Batch,
    start: FloatArray,
    below: FloatArray,
    *,
    fix_poi: bool,
    max_steps: int,
) -> Minima:
    """As `single_search`, with all that can be done where a lane does not converge."""
    result = single_search(structure, batch, start, fix_poi=fix_poi, max_steps=max_steps)
    begin = np.broadcast_to(np.reshape(start, (len(structure.init), -1)), result.parameters.shape)
    _go_on(structure, batch, result, (begin, below), fix_poi=fix_poi)
    return result


def _go_on(
    structure: LikelihoodStructure,
    batch: Batch,
    result: Minima,
    known: tuple[FloatArray, FloatArray],
    *,
    fix_poi: bool,
) -> None:
    """Lanes that did not converge go on where they ended: along walls, or with more steps, if they are `below` a value.

    A search from another place that has not come below the minimum that is known is most often on its way back to it.
    """
    if np.all(result.status == CONVERGED):
        return
    start, below = known
    few = most_events(batch) <= MANY_EVENTS
    given_up = (result.status == TOO_MANY_STEPS) & (result.value >= below)
    failed = np.flatnonzero((result.status != CONVERGED) & few & ~given_up)
    if not len(failed):
        return
    # Newton's steps know nothing of walls: they may have gone past one that is nearer to the start.
    begins = [result.parameters, start] if np.isinf(below).all() else [result.parameters]
    _along_walls(structure, batch, result, begins, failed[:_MOST_WALLS], fix_poi=fix_poi)
    slow = np.flatnonzero((result.status == TOO_MANY_STEPS) & few & (result.value < below))
    if len(slow):
        here = result.parameters[:, slow]
        found = single_search(structure, batch.take(slow), here, fix_poi=fix_poi, max_steps=_MORE_STEPS)
        found.num_steps += result.num_steps[slow]
        result.replace(slow, found)


def _along_walls(
    structure: LikelihoodStructure, batch: Batch, result: Minima, begins: list[FloatArray], lanes: Any, *, fix_poi: bool
) -> None:
    """Search once more where a bin without data may be in the way, one by one; the lowest end counts."""
    free = free_parameters(structure, fix_poi=fix_poi)
    if np.sum(free) > _MOST_AT_WALLS:
        return
    layout = layout_of(structure, free, worth_local=len(free) + 1)
    nominal = nominal_parameters(structure, batch.asimov_mu)
    bounds = np.asarray(structure.lower), np.asarray(structure.upper)
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        for lane in lanes:
            part = batch.take(np.array([lane]))
            likelihood = Likelihood(layout, structure, part.templates, part.data, nominal)
            ends = [search_along_walls(likelihood, begin[:, lane], bounds) for begin in begins]
            found = [end for end in ends if end is not None]
            if found:
                result.replace(np.array([lane]), min(found, key=lambda end: float(end.value[0])))
