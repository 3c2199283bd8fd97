"""Where searches end, and why."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SAME_MINIMUM = 1e-6
"""Minima closer than this in -2 ln L, relative to it where it is large, count as one."""

CONVERGED, STALLED, TOO_MANY_STEPS, NOT_FINITE, TOO_MANY_EVENTS = range(5)


@dataclasses.dataclass
class Minima:
    """Where the searches ended, one for each lane.

    Attributes:
        parameters: shape (parameter, lane).
        value: the deviance there, shape (lane,).
        edm: expected distance to the minimum, shape (lane,).
        num_steps: steps taken, shape (lane,).
        status: 0 if it converged, else what stopped it, shape (lane,).
        regular: whether the minimum moves smoothly with templates and data; not so on a wall, shape (lane,).
        rival: deviance of the lowest other minimum that was found, infinite if there was none, shape (lane,).
        places: from how many other places the lane was searched, shape (lane,).
    """

    parameters: Values
    value: Values
    edm: Values
    num_steps: NDArray[np.int64]
    status: NDArray[np.int64]
    regular: NDArray[np.bool_]
    rival: Values = dataclasses.field(default_factory=lambda: np.zeros(0))
    places: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if self.rival.shape != self.value.shape:
            self.rival = np.full(self.value.shape, np.inf)
            self.places = np.zeros(self.value.shape, dtype=np.int64)

    @classmethod
    def none(cls, start: Values, status: int) -> "Minima":
        """Nothing was searched, for one reason; `start` is of shape (parameter, lane)."""
        lanes = start.shape[1]
        infinite, zero = np.full(lanes, np.inf), np.zeros(lanes, dtype=np.int64)
        return cls(np.array(start), infinite, infinite.copy(), zero, zero + status, zero == 0)

    def take(self, lanes: Any) -> "Minima":
        """Those of some lanes."""
        return Minima(*(getattr(self, field.name)[..., lanes] for field in dataclasses.fields(self)))

    def join(self, other: "Minima") -> "Minima":
        """These and others."""
        names = [field.name for field in dataclasses.fields(self)]
        return Minima(*(np.concatenate([getattr(self, n), getattr(other, n)], axis=-1) for n in names))

    def replace(self, lanes: Any, other: "Minima") -> None:
        """Put others in the place of some lanes."""
        for field in dataclasses.fields(self):
            getattr(self, field.name)[..., lanes] = getattr(other, field.name)

    def settle(self, owners: NDArray[np.int64], found: "Minima") -> NDArray[np.int64]:
        """Go to the lowest of other minima, and remember the lowest of the rest.

        Args:
            owners: lane that each of the others belongs to.
            found: the others.

        Returns:
            The lanes that are lower now.
        """
        lower: set[int] = set()
        for place, lane in enumerate(owners.tolist()):
            self.places[lane] += 1
            self.num_steps[lane] += found.num_steps[place]
            gain = self.value[lane] - found.value[place]
            if found.status[place] != CONVERGED or abs(gain) <= SAME_MINIMUM * (1.0 + self.value[lane]):
                continue
            if gain < 0:
                self.rival[lane] = min(self.rival[lane], found.value[place])
                continue
            rival, places, steps = self.value[lane], self.places[lane], self.num_steps[lane]
            self.replace(np.array([lane]), found.take(np.array([place])))
            self.rival[lane], self.places[lane], self.num_steps[lane] = rival, places, steps
            lower.add(lane)
        return np.array(sorted(lower), dtype=np.int64)
