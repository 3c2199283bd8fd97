"""What replicas of the events, and parts of them, choose: by themselves, without a look at where all events did."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.rows import Rows

from .optima import best_row, guarded, lowered

SPREAD = 400
"""Rows all over a scan among which replicas and parts choose."""
_COARSE, _CLOSER, _ROUNDS = 40, 12, 2
"""Rows at which a replica fits a likelihood first, and how many more around its own best one, how often.

Chosen by hand: with 40 rows of 400, each of the rows between them is reached.
"""

Points = NDArray[np.int64]
Evaluate = Callable[[NDArray[np.bool_]], FloatArray]
"""From rows of replicas, shape (replica, row), to the values there, in their order."""


def spread(size: int) -> Points:
    """Rows all over a scan of so many, closer to each other towards the ends, where thresholds differ by few events.

    They depend on nothing but the number, so that no event has a say in what the others may choose.
    """
    if size <= SPREAD:
        return np.arange(size)
    from_end = np.geomspace(1, size / 2, SPREAD // 4) - 1
    chosen = [np.linspace(0, size - 1, SPREAD // 2), from_end, size - 1 - from_end]
    return np.unique(np.concatenate(chosen).round().astype(np.int64))


def some(rows: Any, number: int) -> Any:
    """Up to so many of the rows, evenly."""
    return rows[np.linspace(0, len(rows) - 1, min(number, len(rows))).round().astype(int)]


def distances(thresholds: FloatArray) -> NDArray[np.int64]:
    """How many thresholds lie between two rows, of a window by the edge that differs more, shape (row, row)."""
    edges = np.atleast_2d(thresholds.T)
    ranks = np.stack([np.unique(edge, return_inverse=True)[1].ravel() for edge in edges])
    return np.asarray(np.max(np.abs(ranks[:, :, None] - ranks[:, None, :]), axis=0))


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """What replicas may choose.

    Attributes:
        among: rows of a scan that may be chosen, of those that are looked at, shape (row,).
        apart: `distances` of the latter, shape (row, row).
    """

    among: NDArray[np.bool_]
    apart: NDArray[np.int64]

    @classmethod
    def of(cls, thresholds: FloatArray, rows: Points, size: int) -> "Candidates":
        """Of rows of a scan of so many, and their thresholds: those that are spread all over it."""
        return cls(np.isin(rows, spread(size)), distances(thresholds))

    def allowed(
        self, metric: AbstractFigureOfMerit, rows: Rows, min_background: float, share: float = 1.0
    ) -> NDArray[np.bool_]:
        """Those of the first guard that any satisfies, shape (replica, row).

        Args:
            metric: the figure of merit.
            rows: yields of all replicas, the rows of one after those of the other.
            min_background: least effective number of simulated background events.
            share: of the simulated events that each replica has; the guards ask for as much less.
        """
        good = np.zeros((len(rows) // len(self.among), len(self.among)), dtype=bool)
        for wanted in lowered(metric, min_background):
            none = ~np.any(good, axis=1, keepdims=True)
            found = guarded(metric, rows, *wanted, share=share, replicas=len(good))
            good |= none & self.among & found.reshape(good.shape)
        return good

    def choose(
        self, metric: AbstractFigureOfMerit, allowed: NDArray[np.bool_], evaluate: Evaluate, common: Points | None
    ) -> tuple[FloatArray, list[int]]:
        """Values of all replicas, and which row each of them would choose.

        Args:
            metric: the figure of merit.
            allowed: rows that may be chosen, shape (replica, row).
            evaluate: gives the values at some rows of some replicas.
            common: rows at which the values of all replicas are wanted, of a figure that takes time; None for none.

        Returns:
            Values of shape (replica, row), NaN where they are not wanted, and the best row of each replica, -1 where
            none has a value.
        """
        values, known = np.full(allowed.shape, np.nan), np.zeros(allowed.shape, dtype=bool)

        def fill(wanted: NDArray[np.bool_]) -> None:
            new = wanted & ~known
            if new.any():
                values[new] = evaluate(new)
            known[new] = True

        if not metric.expensive:
            fill(np.ones(allowed.shape, dtype=bool))
        else:
            for wanted in self._closer_and_closer(metric, values, allowed):
                fill(wanted)
        # Where none that is guarded has a value, all may be chosen.
        allowed = allowed | (self.among & ~np.any(allowed & np.isfinite(values), axis=1, keepdims=True))
        best = [best_row(metric, *both) for both in zip(values, allowed & known, strict=True)]
        if metric.expensive:
            everywhere = np.zeros(allowed.shape, dtype=bool)
            everywhere[:, [] if common is None else common] = True
            fill(everywhere)
            values[~everywhere] = np.nan
        return values, best

    def _closer_and_closer(
        self, metric: AbstractFigureOfMerit, values: FloatArray, allowed: NDArray[np.bool_]
    ) -> Iterator[NDArray[np.bool_]]:
        """Rows to evaluate, (replica, row): some all over those allowed, then more around each replica's own best."""
        wanted = np.zeros(values.shape, dtype=bool)
        for mine, may in zip(wanted, allowed, strict=True):
            mine[some(np.flatnonzero(may), _COARSE)] = True
        yield wanted
        for _ in range(_ROUNDS):
            wanted = np.zeros(values.shape, dtype=bool)
            for mine, found, may in zip(wanted, values, allowed, strict=True):
                best = best_row(metric, found, may)
                left = np.flatnonzero(may & np.isnan(found))
                if best >= 0 and len(left):
                    nearest = np.argsort(self.apart[best, left], kind="stable")[:_CLOSER]
                    mine[left[nearest]] = True
            yield wanted
