"""What to print of a selection: which of its cuts matter, and presentable values of its thresholds.

Both ask what other selections of the same events are worth: without one of the cuts (the N-1 table), or with rounded
thresholds. Their profile likelihoods are fitted side by side.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from hepcuts._core import checks
from hepcuts._core.decimals import exact, measured
from hepcuts._core.errors import InputError
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.merit.counts import totals_of_bins
from hepcuts.merit.registry import PROFILE
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.templates import joined

from .bootstrap import Replicated
from .replicas import HardCuts, complete_selection, replicated_yields, values_in_rows
from .resampling import ReplicasLike, some_replicas_of

NEXT_TO_NOTHING = 0.02
"""Fraction of the significance that a cut may cost and does not matter; chosen by hand."""

_STEPS = (1.0, 2.0, 2.5, 5.0)
"""Presentable thresholds are multiples of these, times a power of ten."""
_FINEST = 4
"""Steps to try: down to that many digits beyond the first of a threshold."""
_NEAR = 0.1
"""Largest relative change of a threshold that is still called rounding; chosen by hand."""


@dataclasses.dataclass(frozen=True)
class WithoutCut:
    """A selection without one of its cuts.

    Attributes:
        cut: the cut that is left out.
        significance: discovery significance without it; NaN if it has none.
        loss: by how much that is less than with all cuts.
        uncertainty: one standard deviation of the loss from the finite simulation, by replicas of the events.
        signal: expected signal without the cut.
        background: expected background without the cut.
        whole: discovery significance with all cuts.
    """

    cut: AbstractCut
    significance: float
    loss: float
    uncertainty: float
    signal: float
    background: float
    whole: float

    @property
    def largest_loss(self) -> float:
        """The largest loss that is compatible with the simulation: two standard deviations above the one found."""
        return self.loss + 2.0 * self.uncertainty

    @property
    def verdict(self) -> Literal["matters", "undecided", "does not matter"]:
        """What the simulated events tell; that they do not show a loss does not show that there is none.

        ``"does not matter"`` if even the largest compatible loss is less than 2 % of the significance, ``"matters"`` if
        the loss is more than two standard deviations, else ``"undecided"``.
        """
        if self.largest_loss < NEXT_TO_NOTHING * self.whole:
            return "does not matter"
        return "matters" if self.loss > 2.0 * self.uncertainty else "undecided"

    @property
    def matters(self) -> bool:
        """Whether the verdict is ``"matters"``."""
        return self.verdict == "matters"

    def __str__(self) -> str:
        if not np.isfinite(self.largest_loss):
            return self.verdict
        return self.verdict if self.matters else f"{self.verdict}, loss up to {max(self.largest_loss, 0.0):.2g}"


@dataclasses.dataclass(frozen=True, repr=False)
class DropOneTable(Tabular):
    """The N-1 table of a selection.

    Attributes:
        selection: all cuts.
        significance: discovery significance with all cuts.
        rows: without each of them, in their order.
    """

    selection: Selection
    significance: float
    rows: tuple[WithoutCut, ...]

    def overview(self) -> SummaryTable:
        """What is lost without each cut."""
        cells = [
            (
                str(row.cut),
                f"{row.significance:.4g}",
                measured(row.loss, row.uncertainty),
                f"{row.signal:.5g}",
                f"{row.background:.5g}",
                str(row),
            )
            for row in self.rows
        ]

        head = ("without", "Z", "loss", "signal", "background", "")
        return SummaryTable(f"Z = {self.significance:.4g} with all cuts", cells, head, align="lrrrrl")


@dataclasses.dataclass(frozen=True)
class RoundedSelection:
    """A selection with presentable thresholds.

    Attributes:
        selection: with rounded thresholds.
        significance: discovery significance with them.
        exact: with the thresholds that were given.
        loss: fraction of `exact` that the rounding costs; negative if it gains, which on the same few events is chance.
        given: the selection with the thresholds that were given.
    """

    selection: Selection
    significance: float
    exact: float
    loss: float
    given: Selection

    @property
    def changes(self) -> dict[str, tuple[float, float]]:
        """Name of each threshold that was rounded, to what it was and what it is."""
        pairs = zip(self.given.names, self.given.thresholds, self.selection.thresholds, strict=True)
        return {name: (old, new) for name, old, new in pairs if old is not None and new is not None and old != new}

    def __repr__(self) -> str:
        size = f"{abs(self.loss):.2%} {'more' if self.loss < 0 else 'less'} than {self.exact:.4g}"
        done = "".join(f"\n  {name}: {exact(old)} to {exact(new)}" for name, (old, new) in self.changes.items())
        as_they_were = [name for name in self.given.names if name not in self.changes]
        left = f"\n  as they were: {', '.join(as_they_were)}" if as_they_were else ""
        return f"{self.selection}: Z = {self.significance:.4g}, {size}{done}{left}"


def drop_one(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    axis: Any = None,
    regions: Iterable[Region] = (),
    replicas: ReplicasLike = 100,
    seed: int | np.random.Generator = 0,
) -> DropOneTable:
    """Which cuts matter: the significance without each of them, the others where they are.

    On events that did not choose the cuts, a cut that lowers the significance is one to leave out. A control region
    loses the cut, too; one that inverts it is what fails the cut, and goes with it.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        axis: as in `hepcuts.fill`.
        regions: control regions beside it.
        replicas: number of bootstrap replicas of the events (Poisson) for the uncertainty of the loss, or a
            resampling of another kind.
        seed: of the replicas.

    Returns:
        One row for each cut.

    Raises:
        InputError: a threshold is not set, or fewer than two replicas.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> rng = np.random.default_rng(1)
        >>> s = hc.Sample("s", {"x": rng.normal(2, 1, 900), "y": rng.normal(0, 1, 900)}, signal=True)
        >>> b = hc.Sample("b", {"x": rng.normal(0, 1, 9000), "y": rng.normal(0, 1, 9000)})
        >>> table = drop_one([s, b], hc.Cut("x", ">", 1.5) & hc.Cut("y", ">", -4.0))
        >>> [row.verdict for row in table.rows]
        ['matters', 'does not matter']
    """
    drawn = some_replicas_of(replicas, seed=seed)
    samples, chosen, regions = check_samples(samples), complete_selection(selection), tuple(regions)
    behind = [HardCuts((chosen,), without=variable) for variable in (None, *chosen.variables)]
    structures, yields = replicated_yields(samples, behind, axis=axis, regions=regions, replicas=drawn)
    values = np.empty((len(behind), 1 + drawn.size))
    channels = [_channels(hard, regions) for hard in behind]
    for some in sorted(set(channels)):
        # Those with the same channels have the same likelihood, and are fitted together.
        rows = [row for row, mine in enumerate(channels) if mine == some]
        stacked = [joined([yields[row][channel] for row in rows]) for channel in some]
        fitted = values_in_rows(PROFILE, [structures[channel] for channel in some], stacked)
        values[rows] = fitted.reshape(len(rows), -1)
    losses = values[0] - values
    found = []
    for row, cut in enumerate(chosen.cuts, start=1):
        signal, background = (float(table[0].sum()) for table in totals_of_bins(yields[row][0], structures[0]))
        loss = Replicated("loss", float(losses[row, 0]), losses[row, 1:])
        significance = float(values[row, 0])
        found.append(
            WithoutCut(cut, significance, loss.value, loss.uncertainty, signal, background, float(values[0, 0]))
        )
    return DropOneTable(chosen, float(values[0, 0]), tuple(found))


def _channels(hard: HardCuts, regions: Sequence[Region]) -> tuple[int, ...]:
    """Which channels there are without a cut: the signal region, and control regions that do not invert it."""
    return (0, *(number for number, region in enumerate(regions, start=1) if hard.without not in region.inverted))


def rounded(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    max_loss: float = 0.01,
    axis: Any = None,
    regions: Iterable[Region] = (),
) -> RoundedSelection:
    """Presentable thresholds: the coarsest multiples of 1, 2, 2.5 or 5 times a power of ten that cost next to nothing.

    Threshold by threshold, the others where they are, so that the fraction that all of them cost stays below
    `max_loss`. None moves by more than a tenth of itself: that would be another cut. That the rounded cuts are worth
    what the exact ones are is judged on these events; on those that are quoted it costs them a little of their
    innocence, the less the smaller `max_loss`.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        max_loss: fraction of the significance that all rounding together may cost.
        axis: as in `hepcuts.fill`.
        regions: control regions beside it, whose thresholds are rounded alike.

    Raises:
        InputError: a threshold is not set, `max_loss` is not between 0 and 1, or the selection has no significance.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> rounded(samples, hc.Cut("x", ">", 46.40730103875879), max_loss=0.005)
        x > 46: Z = 8.228, 0.16% less than 8.241
          x: 46.40730103875879 to 46
    """
    max_loss = checks.fraction("max_loss", max_loss)
    samples, chosen, regions = check_samples(samples), complete_selection(selection), tuple(regions)

    def significances(selections: Sequence[Selection]) -> FloatArray:
        cuts = [HardCuts((one,)) for one in selections]
        structures, yields = replicated_yields(samples, cuts, axis=axis, regions=regions, replicas=None)
        return values_in_rows(PROFILE, structures, [joined(channel) for channel in zip(*yields, strict=True)])

    thresholds = np.array(chosen.thresholds, dtype=np.float64)
    (before,) = significances([chosen])
    if not before > 0:
        raise InputError(f"{chosen} has no significance on these events; there is nothing to round.")
    found, significance = chosen, float(before)
    for number in range(len(thresholds)):
        tried = _possible(chosen, thresholds, number)
        values = significances(tried)
        allowed = before * (1.0 - max_loss * (number + 1) / len(thresholds))
        good = np.flatnonzero(values >= allowed)
        if len(good):
            found, significance = tried[good[0]], float(values[good[0]])
            thresholds = np.array(found.thresholds, dtype=np.float64)
    return RoundedSelection(found, significance, float(before), 1.0 - significance / float(before), chosen)


def _possible(selection: Selection, thresholds: FloatArray, number: int) -> list[Selection]:
    """The selection with rounded values of one threshold, the coarsest first, where a window's edges are in order."""
    found = []
    for value in _candidates(thresholds[number]):
        points = thresholds.copy()
        points[number] = value
        try:
            found.append(selection.at(points))
        except InputError:
            continue
    return found


def _candidates(threshold: float) -> list[float]:
    """Rounded values of a threshold, the coarsest first."""
    if threshold == 0:
        return [0.0]
    digits = int(np.floor(np.log10(abs(threshold))))
    found: dict[float, None] = {}
    for power in range(digits, digits - _FINEST, -1):
        for step in sorted(_STEPS, reverse=True):
            # Divided by the inverse of a negative power, 46.4 comes out as 46.4.
            unit = step * 10.0**power if power >= 0 else step / 10.0**-power
            multiple = round(threshold / unit)
            value = multiple * step * 10.0**power if power >= 0 else multiple * step / 10.0**-power
            if abs(value - threshold) <= _NEAR * abs(threshold):
                found[float(value)] = None
    return list(found)
