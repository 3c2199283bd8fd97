"""Where another minimum may be, seen from one that was found: on the `Sketch` of the likelihood.

A likelihood whose rates were linear in its parameters had one minimum. So the places to look at are those that only
curvature of the rates can make:

- *Constrained parameters whose curvature changes sign.* The profile along a parameter, the others following linearly,
  rises at least as steeply as the parameter's own constraint if nothing is curved. Where it does not, and at the
  mirror image of the point that was found, there may be another valley.
- *Free factors that the data determine loosely.* Such a normalization times a shape has modes of its own: it is tried
  at a multiple (or at the other bound) and a fraction, with all other parameters at their nominal values.

From each place the sketch leads down; what ends elsewhere and not clearly higher is worth a search of the likelihood.

In a bin of so many events that a variation's bend is worth several standard deviations of its counts, the minima are
where the curved rates of several such bins meet. Those are too near to each other for sweeps and for the sketch, and
which of them a search ends in depends on where it comes from: there the likelihood is searched from both sides. Where
nothing fits, the walls of the bounds make the minima: it is searched from both sides of the nominal parameters.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lookout import Lookout
from .sketch import Sketch
from .sweeps import Sweep, from_factors, from_sweeps

Values = NDArray[np.float64]

_NUMBERS = 1_000_000


class Places(NamedTuple):
    """Where to search again.

    Attributes:
        start: shape (parameter, place).
        owner: the lane of each, shape (place,).
        sharp: lanes that are searched again from both sides.
    """

    start: Values
    owner: NDArray[np.int64]
    sharp: NDArray[np.int64]

    @classmethod
    def none(cls, parameters: int) -> "Places":
        """Nowhere."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(np.zeros((parameters, 0)), nothing, nothing)


def places(sketch: Sketch, minima: tuple[Values, Values], lookout: Lookout, *, again: bool) -> Places:
    """Where to search each lane again.

    Args:
        sketch: of the likelihoods.
        minima: parameters of shape (parameter, lane), and deviances.
        lookout: how to look.
        again: whether this is not the first time: then only from both sides of sharp bends.
    """
    found, value = minima
    lanes = found.shape[1]
    # By the likelihood: where bends are sharp its sketch may be far off.
    hopeless = value > lookout.hopeless * len(sketch.counts)
    cells = np.prod(sketch.at(found[:, :1], np.zeros(1, dtype=np.int64)).cells.shape)
    size = max(1, int(_NUMBERS / (cells * (len(lookout.grid) + 1) * max(len(sketch.alphas), 1))))
    starts, owners, sharp = [], [], []
    for first in range(0, lanes, size):
        some = np.arange(first, min(first + size, lanes))
        sweep = Sweep(sketch, found[:, some], some)
        sharp.append(sweep.sharp(lookout) & ~hopeless[some])
        begin, owner = _starts(sweep, hopeless[some] | again, lookout)
        starts.append(begin)
        owners.append(owner)
    start, owner = np.concatenate(starts, axis=1), np.concatenate(owners)
    if len(owner):
        start, owner = _descended(sketch, found, (start, owner), lookout)
    bent, lost = np.flatnonzero(np.concatenate(sharp)), np.flatnonzero(hopeless & (not again))
    nominal = np.where(sketch.constrained & sketch.moved, sketch.center_of(lost), found[:, lost])
    both, sides = list(_beside(sketch, found[:, bent], bent, lookout)), list(_beside(sketch, nominal, lost, lookout))
    owners = [owner, bent, bent, lost, lost]
    if len(sketch.alphas) > lookout.many:
        up, down = (sketch.at(side, lost).value for side in sides)
        sides, owners = [np.where(up < down, *sides)], owners[:-1]
    return Places(np.concatenate([start, *both, *sides], axis=1), np.concatenate(owners), bent)


def _beside(sketch: Sketch, home: Values, lanes: NDArray[np.int64], lookout: Lookout) -> Iterator[Values]:
    """All variations moved to either side, and farther where a rate would be negative."""
    alphas = sketch.alphas[sketch.moved[sketch.alphas, 0]]
    for side in (1.0, -1.0):
        near, far = home.copy(), home.copy()
        for place, distance in zip((near, far), lookout.beside, strict=True):
            place[alphas] += side * distance * sketch.width[alphas]
        near, far = (np.clip(place, sketch.lower, sketch.upper) for place in (near, far))
        forbidden = (sketch.at(near, lanes).cells.sum(axis=1) < 0).any(axis=0)
        yield np.where(forbidden, far, near)


def _starts(sweep: Sweep, without: NDArray[np.bool_], lookout: Lookout) -> tuple[Values, NDArray[np.int64]]:
    """Places that curvature makes suspicious, but of some lanes none."""
    found, lanes = sweep.found, sweep.lanes
    if without.all():
        return found[:, :0], lanes[:0]
    pairs = [*from_sweeps(sweep, lookout), *from_factors(sweep, lookout)]
    pairs = [(lane, place) for lane, place in pairs if not without[lane]]
    if not pairs:
        return found[:, :0], lanes[:0]
    return np.stack([place for _, place in pairs], axis=1), lanes[[lane for lane, _ in pairs]]


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
    worth = apart & (value < highest)
    chosen: list[int] = []
    for place in np.argsort(value):
        mine = [other for other in chosen if owner[other] == owner[place]]
        apart = distance(end[:, [place]], end[:, mine], width[:, [place]])
        if worth[place] and len(mine) < lookout.most and np.all(apart > lookout.same):
            chosen.append(place)
    return end[:, chosen], owner[chosen]
