"""Edges as soft windows: found by gradient, made narrower in stages, and made hard in the end.

The share of an event at x in the bin between e_k and e_(k+1) is p(x - e_k) - p(x - e_(k+1)) with the logistic step p of
`hepcuts.cuts.steps.Sigmoid`, in normal scores; shares in all bins of a variable add to one. Along several variables
shares multiply, and a cut is a variable of whose bins one is kept. The templates are sums of w times shares; their
objective goes through the likelihood, and its slopes to the templates are carried back to the edges.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import scipy.special

from hepcuts._core.types import FloatArray
from hepcuts.optimization.solvers import LBFGS
from hepcuts.templates.lattice import Lattice, Partitions
from hepcuts.templates.templates import Yields

from .fits import neighbors
from .judging import Judge

WIDTHS = (0.1, 0.05, 0.025)
"""Widths of the soft edges, in normal scores, stage by stage.

Wider ones see no shape between near edges, and put them together."""

_SOLVER = LBFGS(max_steps=100, tolerance=1e-7)

_LIMIT = 4.0
"""Edges stay between minus and plus this, in normal scores: hardly an event lies beyond."""

_MOST_REPAIRS = 200

_NO_VALUE = 1e6


@dataclasses.dataclass(frozen=True, eq=False)
class SoftEdges:
    """Soft categories of one part of the events.

    Attributes:
        lattice: the events, of one part.
        shape: number of bins along each axis.
        judge: the objective.
    """

    lattice: Lattice
    shape: tuple[int, ...]
    judge: Judge

    @property
    def _ends(self) -> list[int]:
        """Where each axis' edges end among all."""
        return [int(end) for end in np.cumsum([bins - 1 for bins in self.shape])]

    def position(self, partitions: Partitions) -> FloatArray:
        """Inner edges in normal scores, axis by axis, shape (edge,)."""
        pairs = zip(self.lattice.axes, partitions, strict=True)
        scores = [axis.coordinate.score(edge) for axis, p in pairs for edge in axis.edges[p[1:-1]]]
        return np.asarray(np.clip(np.array(scores), -_LIMIT, _LIMIT))

    def partitions(self, position: FloatArray) -> Partitions:
        """The nearest hard edges, none of them twice."""
        found = []
        for axis, edges in zip(self.lattice.axes, np.split(position, self._ends[:-1]), strict=True):
            thresholds = np.array([axis.coordinate.threshold(float(edge)) for edge in np.sort(edges)])
            inner = np.searchsorted(axis.edges, thresholds)
            # Ascending, with room for those below and above.
            room = np.arange(1, len(inner) + 1)
            inner = np.minimum(np.maximum.accumulate(np.maximum(inner, room) - room) + room, axis.size)
            inner = np.minimum(inner, axis.size - len(inner) - 1 + room)
            found.append(np.array([0, *inner, axis.size], dtype=np.int64))
        return tuple(found)

    def shares(self, position: FloatArray, width: float) -> tuple[list[FloatArray], list[FloatArray]]:
        """Shares of the fine bins in the categories along each axis, and pass weights of the edges.

        Args:
            position: edges in normal scores, shape (edge,), of each axis ascending.
            width: of the edges.

        Returns:
            For each axis arrays of shape (fine, category) and (fine, edge).
        """
        shares, passed = [], []
        for axis, edges in zip(self.lattice.axes, np.split(position, self._ends[:-1]), strict=True):
            p = scipy.special.expit((axis.scores[:, None] - edges) / width)
            padded = np.concatenate([np.ones((axis.size, 1)), p, np.zeros((axis.size, 1))], axis=1)
            shares.append(axis.chosen(padded[:, :-1] - padded[:, 1:]))
            passed.append(p)
        return shares, passed

    def value_and_gradient(self, position: FloatArray, width: float) -> tuple[float, FloatArray]:
        """The guarded objective (negated for a loss) and its gradient to the edges, shape (edge,).

        Edges may come in any order: bins lie between neighbors.
        """
        order = np.concatenate(
            [
                first + np.argsort(edges, kind="stable")
                for first, edges in zip([0, *self._ends], np.split(position, self._ends[:-1]), strict=False)
            ]
        ).astype(np.int64)
        shares, passed = self.shares(position[order], width)
        value, by_sums = self.judge.value_and_slopes(self.lattice.soft_sums(shares))
        gradient = []
        for axis, p, slope in zip(self.lattice.axes, passed, self.lattice.slopes(shares, by_sums), strict=True):
            everywhere = np.zeros((axis.size, p.shape[1] + 1))
            axis.chosen(everywhere)[...] = slope
            # An edge takes from the bin below what it gives to the bin above.
            by_edge = everywhere[:, 1:] - everywhere[:, :-1]
            gradient.append(-np.sum(by_edge * p * (1.0 - p), axis=0) / width)
        back = np.empty(len(position))
        back[order] = np.concatenate(gradient)
        return value, back

    def optimum(self, partitions: Partitions, widths: Sequence[float] = WIDTHS) -> Partitions:
        """From hard edges through stages of soft ones to hard edges."""
        position = self.position(partitions)
        limits = np.full(len(position), -_LIMIT), np.full(len(position), _LIMIT)
        for width in widths:
            function = functools.partial(self._function, width=width)
            if function(position)[0] < _NO_VALUE:
                position = _SOLVER.minimize(function, position, limits, lambda *_: None).position
        return self.partitions(position)

    def _function(self, position: FloatArray, *, width: float) -> tuple[float, FloatArray]:
        value, gradient = self.value_and_gradient(position, width)
        if not np.isfinite(value) or not np.all(np.isfinite(gradient)):
            return _NO_VALUE, np.zeros_like(position)
        return -value, -gradient


class HardEdges:
    """Hard edges to be moved one at a time: a `hepcuts.binning.fits.Movable`.

    Args:
        lattice: the events, of one part.
        judge: knows the guards.
        start: where to begin.
    """

    def __init__(self, lattice: Lattice, judge: Judge, start: Partitions) -> None:
        self.lattice, self.judge, self.start = lattice, judge, start
        self._known: dict[bytes, Yields] = {}

    def neighbors(self, at: Partitions) -> list[Partitions]:
        """All allowed partitions that differ in one edge, by one of the steps."""
        near = self._around(at)
        return [one for one in near if self.judge.deficit(self._known[_key(one)]) == 0]

    def merged(self, at: Partitions) -> Yields:
        """Yields in the categories."""
        return self._known[_key(at)] if _key(at) in self._known else self.lattice.merged(at)

    def _around(self, at: Partitions) -> list[Partitions]:
        """All that differ in one edge; their yields are remembered, no others."""
        found: list[Partitions] = []
        self._known = {}
        for number, partition in enumerate(at):
            tables = self.lattice.along(number, at) if len(partition) > 2 else []
            for moved in neighbors(partition):
                other = (*at[:number], moved, *at[number + 1 :])
                self._known[_key(other)] = self.lattice.merged_along(number, tables, other)
                found.append(other)
        return found

    def repaired(self) -> Partitions | None:
        """Allowed edges near the start, moved one at a time to where the guards are not missed by more.

        None if that leads nowhere.
        """
        at, deficit = self.start, self.judge.deficit(self.merged(self.start))
        seen = {_key(at)}
        for _ in range(_MOST_REPAIRS):
            if deficit == 0:
                return at
            near = [one for one in self._around(at) if _key(one) not in seen]
            missed = [self.judge.deficit(self._known[_key(one)]) for one in near]
            # Equal ones, too: an edge may have to make room for another one.
            if not near or min(missed) > deficit:
                return None
            seen.add(_key(near[int(np.argmin(missed))]))
            best = int(np.argmin(missed))
            at, deficit = near[best], missed[best]
        return None


def _key(partitions: Partitions) -> bytes:
    return b"|".join(partition.tobytes() for partition in partitions)
