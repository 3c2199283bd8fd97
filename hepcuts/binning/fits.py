"""Binnings judged, and their edges moved, by the discovery significance of the profile likelihood."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import hist
import jax
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.registry import PROFILE
from hepcuts.merit.rows import Rows
from hepcuts.templates.partitions import Partition
from hepcuts.templates.templates import Templates, Yields

from .choice import training
from .fine import FineBins

_ROUNDS = 50
"""Most moves of an edge."""
STEPS = tuple(sign * size for size in (1, 2, 4, 8, 16, 32) for sign in (-1, 1))
"""By how many fine bins an edge is moved."""
_BETTER = 1e-6
"""Relative gain in significance that is worth a move."""
_SLOPE = 0.01
"""Step of the difference quotient along which held-out templates are mixed in. They are not negative for less."""
Values = Callable[[Sequence[Yields]], FloatArray]
"""What some yields of shape (variation, sample, bin) are worth, NaN where they have no value, shape (lane,)."""


def values_of(figure: AbstractTemplateFigure, reference: Templates, totals: Totals = (np.nan, np.nan)) -> Values:
    """A figure of merit of many binnings side by side.

    Args:
        figure: the figure of merit.
        reference: templates of so many bins, each of which has what there may be in a bin.
        totals: expected signal and background before any selection.

    Raises:
        YieldError: a sample has a negative yield, and the figure of merit is one of the likelihood.
    """
    of_rows = figure.prepared([reference])

    def values(binned: Sequence[Yields]) -> FloatArray:
        yields = jax.tree.map(lambda *tables: np.stack(tables), *binned)
        return of_rows([Rows.of_yields(reference.structure, yields, totals)])

    return values


def shape_fits(fine: FineBins, num_bins: int) -> Values:
    """Significances of the shape fit in some number of bins of one variable; raises as `values_of`."""
    # Only the number of bins matters, and that each bin has what there may be in a bin.
    axis = hist.axis.Regular(num_bins, 0.0, 1.0, name=fine.structure.axis.name)
    total = jax.tree.map(lambda table: np.repeat(table, num_bins, axis=-1), fine.merged(np.array([0, fine.size])))
    return values_of(PROFILE, Templates(dataclasses.replace(fine.structure, axis=axis), total, fine.outside))


def held_out_significance(fits: Values, fine: FineBins, partitions: Sequence[Partition]) -> float:
    """Significance on the events of each fold in bins of the others, free of the bias of their finite simulation.

    Templates fluctuate, and every fit takes differences between bins for shape. As in `hepcuts.merit.gains`, q0 is
    therefore continued from the templates T of the other folds along its tangent to the templates H of the fold,

        q0(T) + d/dt q0(T + t (H - T)) at t = 0,

    the mean over folds of which is linear in what was held out. H counts as many events as the whole.

    Returns:
        The root of the mean, negative where that is; NaN without folds or where there is a fit that failed.
    """
    lanes = []
    for fold, partition in enumerate(partitions):
        chose = training(fine, fold).merged(partition)
        other = fine.chosen([fold]).merged(partition)
        for share in (0.0, _SLOPE, -_SLOPE):
            lanes.append(jax.tree.map(lambda a, b, t=share: (1.0 - t) * a + t * b, chose, other))
    if not lanes:
        return np.nan
    at, more, less = (fits(lanes) ** 2).reshape(-1, 3).T
    return signed_root(float(np.mean(at + (more - less) / (2.0 * _SLOPE))))


def signed_root(squared: float) -> float:
    """Significance of a held-out square, which may be negative."""
    return float(np.sign(squared) * np.sqrt(abs(squared)))


def neighbors(partition: Partition) -> list[Partition]:
    """All partitions that differ in one edge, by one of the steps."""
    found = []
    for edge in range(1, len(partition) - 1):
        for step in STEPS:
            moved = partition.copy()
            moved[edge] += step
            if moved[edge - 1] < moved[edge] < moved[edge + 1]:
                found.append(moved)
    return found


P = TypeVar("P")


class Movable(Protocol[P]):
    """Edges to be moved, wherever they lie."""

    @property
    def start(self) -> P:
        """Where to begin."""

    def neighbors(self, at: P, /) -> list[P]:
        """All allowed positions that differ in one edge, by one of the steps."""

    def merged(self, at: P, /) -> Yields:
        """Yields in the bins at a position."""


@dataclasses.dataclass(frozen=True, eq=False)
class PolishTask:
    """Edges of one variable to be moved; a `Movable`.

    Attributes:
        fine: the events that judge them.
        allowed: whether a bin from fine bin i to j is allowed, shape (fine, fine).
        start: where to begin.
    """

    fine: FineBins
    allowed: NDArray[np.bool_]
    start: Partition

    def neighbors(self, partition: Partition) -> list[Partition]:
        """See `Movable.neighbors`."""
        return [moved for moved in neighbors(partition) if self.allowed[moved[:-1], moved[1:] - 1].all()]

    def merged(self, partition: Partition) -> Yields:
        """See `Movable.merged`."""
        return self.fine.merged(partition)


def polish(fits: Values, tasks: Sequence[Movable[P]]) -> list[P]:
    """Move one edge at a time as long as a value grows; all tasks side by side.

    Args:
        fits: values of some yields, such as `shape_fits`.
        tasks: what is to be moved.

    Returns:
        A position for each task, of which no edge can be moved to advantage by any of the steps.
    """
    best = [task.start for task in tasks]
    values = fits([task.merged(position) for task, position in zip(tasks, best, strict=True)])
    moving = list(range(len(tasks)))
    for _ in range(_ROUNDS):
        tried = [(number, position) for number in moving for position in tasks[number].neighbors(best[number])]
        if not tried:
            break
        found = fits([tasks[number].merged(position) for number, position in tried])
        moving = []
        for number in range(len(tasks)):
            mine = [at for at, (owner, _) in enumerate(tried) if owner == number and np.isfinite(found[at])]
            top = max(mine, key=lambda at: float(found[at]), default=None)
            if top is not None and found[top] > values[number] + _BETTER * abs(values[number]):
                best[number], values[number] = tried[top][1], found[top]
                moving.append(number)
    return best
