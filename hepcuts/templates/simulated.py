"""Simulated events behind the expected backgrounds: how many, what one more would be, and what none counts as.

A background that had events before the cuts and has none after them is not known to be zero: less than
`LIMIT` = -ln 0.05 = 3.0 of its events are expected there with 95 % confidence. So an effective number of events is
asked of *each* background that contributes, or with one event more would contribute, more than `SHARE` of the total.
"""

import dataclasses
from typing import Any

import numpy as np

from hepcuts._core.precision import namespace
from hepcuts._core.types import FloatArray
from hepcuts.samples.sample import LIMITED, REFUSED

from .templates import Structure, Yields, effective_events

SHARE = 0.1
"""A background is guarded if its yield and one event more exceed this share of the total background. Chosen by hand:
with less at stake, the 95 % limit of a background without events is below 0.3 of the total, which is what ten effective
events leave uncertain of it (1 / sqrt(10))."""

FEW_EVENTS = 10.0
"""Effective simulated background events after a cut below which its significance is that of the simulation.

Of ten with a Poisson constraint, at any ratio of simulated to expected events, three standard deviations are found at
most 1.3 times as often as they should be: ``benchmarks/calibration.py``, and the page *Finite simulation*.
"""

FEW_SIGNAL = 10.0
"""Effective simulated signal events that are wanted after cuts. The expected significance does not know how few there
are: in the fit without signal they have no part. Of ten, the signal's yield is uncertain by a third, and so is Z."""

LIMIT = -float(np.log(0.05))
"""Upper limit at 95 % confidence on the number of events that are expected where none was found."""

_NOTHING = 1e-150
"""Stands for no event in a logarithm; its square is not yet zero."""


@dataclasses.dataclass(frozen=True)
class Backgrounds:
    """The backgrounds, and what is asked of their simulation; the first fields have one entry for each of them.

    Attributes:
        positions: among the samples.
        one_event: yield of one simulated event; see `hepcuts.templates.templates.Component`.
        empty: what it counts as where none of its events is left; see `hepcuts.Sample`.
        share: of the total, from which on a background is at stake; with 0 each of them is.
    """

    positions: tuple[int, ...]
    one_event: tuple[float, ...]
    empty: tuple[str, ...]
    share: float = SHARE

    @classmethod
    def of(cls, structure: Structure) -> "Backgrounds":
        """The backgrounds among the samples."""
        found = [(i, c.one_event, c.empty) for i, c in enumerate(structure.components) if not c.signal]
        if len(found) == 1:
            # One alone is the total, whatever one event of it is.
            found = [(found[0][0], 0.0, found[0][2])]
        positions, one_event, empty = zip(*found, strict=True)
        return cls(positions, one_event, empty)

    def weakest(self, total: FloatArray, squares: FloatArray) -> FloatArray:
        """Effective number of simulated events, (sum w)^2 / sum w^2, of the weakest background.

        The smallest of those of each background at stake, and of all together; the latter without those of which none
        counts as one.

        Args:
            total: sums of weights, shape (..., sample).
            squares: sums of squared weights, likewise.

        Returns:
            Shape (...).
        """
        found = effective_events(*(_sum(table, self._together) for table in (total, squares)))
        if len(self.positions) == 1:
            return found
        whole = self.share * _sum(total, self.positions)
        for position, one in self.guarded:
            at_stake = np.maximum(total[..., position], 0.0) + one > whole
            events = effective_events(total[..., position], squares[..., position])
            found = np.where(at_stake, np.minimum(found, events), found)
        return found

    def wanted(self, total: Any, squares: Any, least: float) -> Any:
        """As `weakest`, of each background, differentiable: least^(1 - a) n^a, with a from 0 to 1 as it is at stake.

        a rises smoothly between `share` and twice that, so that each is as large as `least` just where nothing is
        missing. In front, if it is not alone of those guarded, comes the number of all together.

        Args:
            total: sums of weights, of NumPy or JAX, shape (sample, ...).
            squares: sums of squared weights, likewise.
            least: how many events are wanted.

        Returns:
            Shape (guarded, ...).
        """
        xp, together = namespace(total, squares), np.array(self._together)
        found = [_effective(xp, total[together].sum(0), squares[together].sum(0))]
        if len(self.positions) == 1:
            return xp.stack(found)
        whole = total[np.array(self.positions)].sum(0)
        found = [] if len(self.guarded) == len(self.positions) else found
        for position, one in self.guarded:
            at_stake = self._at_stake(xp, xp.maximum(total[position], 0.0) + one, whole)
            events = xp.maximum(_effective(xp, total[position], squares[position]), _NOTHING)
            found.append(xp.exp(at_stake * xp.log(events / least)) * least)
        return xp.stack(found)

    def _at_stake(self, xp: Any, most: Any, whole: Any) -> Any:
        if self.share == 0.0:
            return 1.0
        share = xp.where(whole > 0, most / xp.where(whole > 0, whole, 1.0), 1.0)
        ramp = xp.clip(share / self.share - 1.0, 0.0, 1.0)
        return ramp**2 * (3.0 - 2.0 * ramp)

    @property
    def guarded(self) -> list[tuple[int, float]]:
        """Positions of the backgrounds of which each is guarded, and one event of each."""
        every = zip(self.positions, self.one_event, self.empty, strict=True)
        return [(position, one) for position, one, empty in every if empty == REFUSED]

    @property
    def _together(self) -> tuple[int, ...]:
        """Positions of those that are guarded together."""
        some = [position for position, empty in zip(self.positions, self.empty, strict=True) if empty != LIMITED]
        return tuple(some) or self.positions


def _sum(table: FloatArray, some: tuple[int, ...]) -> FloatArray:
    """Sum of some columns, without a copy of them."""
    total: FloatArray = table[..., some[0]]
    for number in some[1:]:
        total = total + table[..., number]
    return total


def _effective(xp: Any, total: Any, squares: Any) -> Any:
    """Effective number of events, of NumPy or JAX; zero for a negative sum."""
    some = squares > 0
    return xp.where(some, xp.maximum(total, 0.0) ** 2 / xp.where(some, squares, 1.0), 0.0)


def effective_background(structure: Structure, yields: Yields) -> float:
    """Effective number of simulated events of the weakest background, over all bins; see `Backgrounds.weakest`."""
    total, squares = (np.asarray(table).sum(-1) for table in (yields.nominal, yields.variance))
    return float(Backgrounds.of(structure).weakest(total, squares))


def weakest_background(structure: Structure, yields: Yields) -> str:
    """Name of the background that `effective_background` is the number of; "" if there is one, or it is of all."""
    least, names = effective_background(structure, yields), []
    for number, component in enumerate(structure.components):
        total, squares = (np.asarray(table)[number].sum(-1) for table in (yields.nominal, yields.variance))
        if not component.signal and effective_events(total, squares) == least:
            names.append(component.name)
    several = sum(not component.signal for component in structure.components) > 1
    return names[0] if several and names else ""


def vanished(structure: Structure, left: Any) -> tuple[str, ...]:
    """In words, each background of which no simulated event is left: what one would be, and its limit.

    Args:
        structure: samples with what is known of their events before the cuts.
        left: whether any event of each sample is, or the sum of squared weights, shape (sample,).

    Example:
        >>> import hepcuts as hc
        >>> samples = [
        ...     hc.Sample("signal", {"x": [3.0]}, signal=True),
        ...     hc.Sample("ttbar", {"x": [1.0, 4.0]}),
        ...     hc.Sample("qcd", {"x": [1.0, 2.0]}, weights=[50.0, 50.0]),
        ... ]
        >>> templates = hc.fill(samples, hc.Cut("x", ">", 2.5))
        >>> vanished(templates.structure, templates.variance.sum(axis=-1))
        ('qcd: no simulated event left; one event would be 50, and less than 149.8 are expected at 95 %',)
    """
    words = {LIMITED: "; counts as {0:.4g} +- {0:.4g}", REFUSED: ""}
    found = []
    for component, some in zip(structure.components, np.asarray(left), strict=True):
        if component.signal or some or not component.one_event:
            continue
        one = component.one_event
        said = words.get(component.empty, "; counts as nothing").format(one)
        limit = f"less than {LIMIT * one:.4g} are expected at 95 %"
        found.append(f"{component.name}: no simulated event left; one event would be {one:.4g}, and {limit}{said}")
    return tuple(found)


def counted(structure: Structure, yields: Yields) -> Yields:
    """Yields in which a background with ``empty="limit"`` counts as one event +- one event where it has none.

    That is the mean and the standard deviation of what no event leaves possible (with a flat prior; its limit at 95 %
    is `LIMIT` events). Of n effective events it is exp(-n) of that: the chance that so many expected ones leave none.
    It is spread evenly over the bins.

    Args:
        structure: the samples.
        yields: of NumPy or JAX, shape (..., variation, sample, bin).
    """
    if not any(c.empty == LIMITED and not c.signal for c in structure.components):
        return yields
    xp = namespace(yields.values)
    one = np.array([c.one_event if c.empty == LIMITED and not c.signal else 0.0 for c in structure.components])
    fade = xp.exp(-_effective(xp, yields.nominal.sum(-1), yields.variance.sum(-1)))[..., None, :, None]
    more = fade * one[:, None] / structure.num_bins
    return Yields(yields.values + more, yields.variances + more * one[:, None])
