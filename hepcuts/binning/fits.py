"""Binnings judged, and their edges moved, by the discovery significance of the profile likelihood."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import hist
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.histfactory import significances
from hepcuts.merit.binding import TemplateMapper
from hepcuts.templates.partitions import Partition
from hepcuts.templates.templates import Templates, Yields
from hepcuts.templates.workspace import likelihood_of

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
_FIELDS = ("values", "variances")


class Fits:
    """The likelihood of some number of bins, to be fitted at many binnings side by side.

    Args:
        reference: templates of so many bins, each of which has what there may be in a bin.

    Raises:
        YieldError: a sample has a negative yield.
    """

    def __init__(self, reference: Templates) -> None:
        self._likelihood = likelihood_of(reference)
        self._mapper = TemplateMapper(self._likelihood, [reference.structure])
        self._signal = np.array([component.signal for component in reference.structure.components])

    @classmethod
    def of(cls, fine: FineBins, num_bins: int) -> "Fits":
        """For some number of bins of one variable."""
        # Only the number of bins matters, and that each bin has what there may be in a bin.
        axis = hist.axis.Regular(num_bins, 0.0, 1.0, name=fine.structure.axis.name)
        structure = dataclasses.replace(fine.structure, axis=axis)
        total = fine.merged(np.array([0, fine.size]))
        values, variances = (np.repeat(np.asarray(t), num_bins, axis=-1) for t in (total.values, total.variances))
        return cls(Templates(structure, Yields(values, variances), fine.outside))

    def __call__(self, binned: Sequence[Yields]) -> FloatArray:
        """Significances of some yields of shape (variation, sample, bin), NaN where there is none, shape (lane,)."""
        values, variances = (np.stack([np.asarray(getattr(one, name)) for one in binned]) for name in _FIELDS)
        nominal = values[:, 0]
        signal, background = nominal[:, self._signal].sum(axis=1), nominal[:, ~self._signal].sum(axis=1)
        # What `hepcuts.workspace` refuses, and a bin with signal alone, has no finite significance.
        possible = (background > 0) | ((background == 0) & (signal == 0))
        usable = np.all(possible & (signal + background >= 0), axis=-1) & np.all(nominal.sum(axis=-1) >= 0, axis=-1)
        found = np.full(len(values), np.nan)
        if usable.any():
            templates = self._mapper([Yields(values[usable], variances[usable])])
            found[usable] = significances(self._likelihood, templates)
        return found


def held_out_significance(fits: Fits, fine: FineBins, partitions: Sequence[Partition]) -> float:
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
        lanes += [_mixed(chose, other, t) for t in (0.0, _SLOPE, -_SLOPE)]
    if not lanes:
        return np.nan
    at, more, less = (fits(lanes) ** 2).reshape(-1, 3).T
    return signed_root(float(np.mean(at + (more - less) / (2.0 * _SLOPE))))


def _mixed(first: Yields, second: Yields, share: float) -> Yields:
    """Yields on the way from the first to the second."""
    parts = ((getattr(first, name), getattr(second, name)) for name in _FIELDS)
    return Yields(*((1.0 - share) * np.asarray(a) + share * np.asarray(b) for a, b in parts))


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


def polish(values_of: Callable[[Sequence[Yields]], FloatArray], tasks: Sequence[Movable[P]]) -> list[P]:
    """Move one edge at a time as long as a value grows; all tasks side by side.

    Args:
        values_of: values of some yields, shape (lane,), such as `Fits`; NaN where there is none.
        tasks: what is to be moved.

    Returns:
        A position for each task, of which no edge can be moved to advantage by any of the steps.
    """
    best = [task.start for task in tasks]
    values = values_of([task.merged(position) for task, position in zip(tasks, best, strict=True)])
    moving = list(range(len(tasks)))
    for _ in range(_ROUNDS):
        tried = [(number, position) for number in moving for position in tasks[number].neighbors(best[number])]
        if not tried:
            break
        found = values_of([tasks[number].merged(position) for number, position in tried])
        moving = []
        for number in range(len(tasks)):
            mine = [at for at, (owner, _) in enumerate(tried) if owner == number and np.isfinite(found[at])]
            top = max(mine, key=lambda at: float(found[at]), default=None)
            if top is not None and found[top] > values[number] + _BETTER * abs(values[number]):
                best[number], values[number] = tried[top][1], found[top]
                moving.append(number)
    return best
