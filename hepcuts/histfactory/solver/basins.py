"""Where another minimum may be, seen from one that was found: on the `Sketch` of the likelihood.

A likelihood whose rates were linear in its parameters had one minimum. So the places to look at are those that only
curvature of the rates can make:

- *Constrained parameters whose curvature changes sign.* The profile along a parameter, the others following linearly,
  rises at least as steeply as the parameter's own constraint if nothing is curved. Where it does not, and at the
  mirror image of the point that was found, there may be another valley.
- *Free factors that the data determine loosely.* Such a normalization times a shape has modes of its own: it is tried
  at a multiple (or at the other bound) and a fraction, with all other parameters at their nominal values.

From each place the sketch leads down; what ends elsewhere and not clearly higher is worth a search of the likelihood.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory.structure import LikelihoodStructure

from .rates import Lanes
from .sketch import Sketch
from .sweeps import Sweep

Values = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Lookout:
    """How other minima are looked for.

    Attributes:
        least: deviance below which there is nothing to look for.
        least_of_factors: deviance below which free factors are left alone.
        grid: points of a sweep, in widths of the constraint from its center.
        far: least distance of a point from the minimum, in widths.
        missing: share of the constraint's own rise that has to be missing.
        loose: relative uncertainty of a free factor from which on it is tried elsewhere.
        multiple: by how much it is multiplied and divided.
        most_sweeps: places of one lane from sweeps, at most.
        most_factors: free factors of one lane, at most.
        steps: Gauss-Newton steps on the sketch.
        same: distance in widths within which two places are one.
        higher: deviance by which a place may be higher, and the same relative to it.
        lower: by how much a place has to be lower on the sketch so that higher ones are left alone.
        most: searches of the likelihood for one lane, at most.
        hopeless: deviance of a bin from which on nothing fits: there the walls of the bounds make the minima, and the
            better one of the two places with all variations up, or down, is searched from.
        search_steps: of such a search, after which it goes on only from below the minimum that is known (with 400, slow
            ways back cost more than all else on 60 random workspaces).
        rounds: how often to look again from a lower minimum.
        straight: bend of a variation below which it makes no other minimum: of the mean of its two sides relative to
            the nominal yield of all samples in the bin, or of the sum of the logarithms of its two factors (0.01 for
            +-10 %). With 0.05 one of 25 random workspaces of the tests kept a higher minimum.
        largest: numbers of its table from which on no sketch is made, 40 MB; published likelihoods have a tenth.
    """

    least: float = 0.05
    least_of_factors: float = 1.0
    grid: tuple[float, ...] = (-1.3, -0.6, 0.6, 1.3)
    far: float = 0.5
    missing: float = 0.45
    loose: float = 0.2
    multiple: float = 4.0
    most_sweeps: int = 3
    most_factors: int = 2
    steps: int = 30
    same: float = 0.25
    higher: tuple[float, float] = (0.5, 0.01)
    lower: float = 0.02
    most: int = 2
    search_steps: int = 100
    rounds: int = 1
    hopeless: float = 100.0
    straight: float = 0.02
    largest: int = 5_000_000


STANDARD = Lookout()
_NUMBERS = 1_000_000


def suspicious(structure: LikelihoodStructure, templates: Lanes, free: NDArray[np.bool_], lookout: Lookout) -> bool:
    """Whether anything could make other minima: a variation that is bent, or a free normalization.

    Args:
        structure: the model.
        templates: of all lanes.
        free: parameters that are fitted, shape (parameter,).
        lookout: how bent.
    """
    loose = np.array(free)
    known = [*structure.normal_parameter, *structure.poisson_parameter]
    loose[known if structure.poi is None else [*known, structure.poi]] = False
    factors = np.ravel(structure.factor)
    if np.any(loose[factors[factors < len(free)]]):
        return True
    nominal = templates.nominal
    mask = np.asarray(structure.histosys_mask)[..., None]
    bend = np.where(mask, templates.histosys_up + templates.histosys_down - 2.0 * nominal, 0.0)
    if np.any(np.abs(bend).sum(axis=1) > 2.0 * lookout.straight * np.abs(nominal).sum(axis=0)):
        return True
    mask = np.asarray(structure.normsys_mask)[..., None]
    product = np.where(mask, templates.normsys_up * templates.normsys_down, 1.0)
    return bool(np.any(~(np.abs(np.log(product)) <= lookout.straight)))


def places(sketch: Sketch, found: Values, lookout: Lookout) -> tuple[Values, NDArray[np.int64]]:
    """Where to search each lane again, with the lanes: of shapes (parameter, place) and (place,)."""
    lanes = found.shape[1]
    cells = np.prod(sketch.at(found[:, :1], np.zeros(1, dtype=np.int64)).cells.shape)
    size = max(1, int(_NUMBERS / (cells * (len(lookout.grid) + 1) * max(len(sketch.alphas), 1))))
    starts, owners = [], []
    for first in range(0, lanes, size):
        some = np.arange(first, min(first + size, lanes))
        begin, owner = _starts(sketch, found[:, some], some, lookout)
        starts.append(begin)
        owners.append(owner)
    start, owner = np.concatenate(starts, axis=1), np.concatenate(owners)
    if not len(owner):
        return start, owner
    return _descended(sketch, found, (start, owner), lookout)


def _starts(
    sketch: Sketch, found: Values, lanes: NDArray[np.int64], lookout: Lookout
) -> tuple[Values, NDArray[np.int64]]:
    """Places that curvature makes suspicious."""
    sweep = Sweep(sketch, found, lanes)
    hopeless = sweep.here.value > lookout.hopeless * len(sweep.here.rates)
    pairs = [*_from_sweeps(sweep, lookout), *_from_factors(sweep, lookout)]
    pairs = [(lane, place) for lane, place in pairs if not hopeless[lane]]
    for lane in np.flatnonzero(hopeless).tolist():
        for side in (1.0, -1.0):
            place = sweep.nominal[:, lane].copy()
            place[sweep.alphas] += side * sweep.width[sweep.alphas, lane]
            pairs.append((lane, place))
    if not pairs:
        return np.zeros((len(found), 0)), np.zeros(0, dtype=np.int64)
    return np.stack([place for _, place in pairs], axis=1), lanes[[lane for lane, _ in pairs]]


def _from_sweeps(sweep: Sweep, lookout: Lookout) -> Iterator[tuple[int, Values]]:
    """Lanes and places: parameters beyond which the profile rises too little, the most missing first."""
    missing, target = sweep.constrained(lookout.grid, lookout.far)
    if not missing.size:
        return
    best = missing.argmax(axis=0)
    score = np.take_along_axis(missing, best[None], axis=0)[0]
    order = np.argsort(-score, axis=0)[: lookout.most_sweeps]
    for row, lane in np.argwhere(np.take_along_axis(score, order, axis=0) > lookout.missing).tolist():
        number = order[row, lane]
        place = sweep.found[:, lane].copy()
        place[sweep.alphas[number]] = target[best[number, lane], number, lane]
        yield lane, place


def _from_factors(sweep: Sweep, lookout: Lookout) -> Iterator[tuple[int, Values]]:
    """Lanes and places: free factors at a multiple and a fraction, the loosest first.

    One that has ended at its upper bound is tried at the lower one.
    """
    uncertainty = np.where(sweep.here.value > lookout.least_of_factors, sweep.free(), 0.0)
    order = np.argsort(-uncertainty, axis=0)[: lookout.most_factors]
    for row, lane in np.argwhere(np.take_along_axis(uncertainty, order, axis=0) > lookout.loose).tolist():
        number = sweep.sketch.free_factors[order[row, lane]]
        for multiple in (lookout.multiple, 1.0 / lookout.multiple):
            place = sweep.nominal[:, lane].copy()
            now = sweep.found[number, lane]
            stuck = multiple > 1.0 and now >= sweep.sketch.upper[number, 0]
            place[number] = sweep.sketch.lower[number, 0] if stuck else np.maximum(now, 0.25) * multiple
            yield lane, place


def _descended(
    sketch: Sketch, found: Values, begin: tuple[Values, NDArray[np.int64]], lookout: Lookout
) -> tuple[Values, NDArray[np.int64]]:
    """Places that the sketch leads to, without those that are the minimum itself, are much higher, or the same."""
    start, owner = begin
    base = sketch.at(found, np.arange(found.shape[1])).value[owner]
    home = found[:, owner]
    width = np.where(sketch.constrained, sketch.width, np.maximum(np.abs(home), 0.3))

    def distance(left: Values, right: Values, width: Values) -> Any:
        return np.where(sketch.moved, np.abs(left - right) / width, 0.0).max(axis=0, initial=0.0)

    def back(number: NDArray[np.int64], here: Values, value: Values) -> NDArray[np.bool_]:
        near = distance(here, home[:, number], width[:, number]) < lookout.same
        result: NDArray[np.bool_] = near & (value > base[number] - 1e-2)
        return result

    end, value = sketch.descend(start, owner, steps=lookout.steps, stop=back)
    slack = lookout.higher[0] + lookout.higher[1] * base
    apart = distance(end, home, width) > lookout.same
    # Where there is something lower, the rival to tell of is what was found.
    lowest = np.full(found.shape[1], np.inf)
    np.minimum.at(lowest, owner[apart], value[apart])
    highest = np.where(lowest[owner] < base - lookout.lower, base, base + slack)
    hopeless = base > lookout.hopeless * len(sketch.counts)
    most = np.where(hopeless, 1, lookout.most)
    worth = apart & (hopeless | (value < highest))
    chosen: list[int] = []
    for place in np.argsort(value):
        mine = [other for other in chosen if owner[other] == owner[place]]
        apart = distance(end[:, [place]], end[:, mine], width[:, [place]])
        if worth[place] and len(mine) < most[place] and np.all(apart > lookout.same):
            chosen.append(place)
    return end[:, chosen], owner[chosen]
