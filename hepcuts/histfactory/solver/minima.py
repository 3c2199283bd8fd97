"""Where searches end, and why."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

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
    """

    parameters: Values
    value: Values
    edm: Values
    num_steps: NDArray[np.int64]
    status: NDArray[np.int64]
    regular: NDArray[np.bool_]

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
