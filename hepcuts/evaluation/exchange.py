"""What a gain in Z costs in one currency or another: luminosity, a systematic, simulation."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.interpolate import PchipInterpolator

from hepcuts._core.types import FloatArray
from hepcuts.histfactory import HistFactory
from hepcuts.histfactory.nearby import Nearby

from .levers import Lever

_SMALLEST, _SMALLEST_OF_EVENTS = 1e-3, 0.1
"""What is left of an uncertainty that is as good as gone; of the luminosity that is a hundred times as much."""
_FAR = 0.05
"""A step to less than this part of a size is one to nearly nothing."""
_CURVED = 5
"""Sizes from which on the two best ones count: where Z bends sharply a curve through all of them leads nowhere."""
_CLOSE = 0.05
"""Relative distance of sizes that have their minima next to each other."""
_ROUNDS, _PRECISE, _STEP = 12, 1e-3, 0.1
"""Rounds of all searches together at most; how close to the gain they end, relative to it; and how much closer Z is."""


@dataclasses.dataclass(frozen=True)
class Exchange:
    """What a gain in Z costs in one currency.

    Attributes:
        kind: as `hepcuts.evaluation.prices.Price`.
        name: likewise.
        factor: that the luminosity, the simulated events or the width of the constraint have to be multiplied by; NaN
            if none will do.
        most: where none will do, the gain with a thousandth of the uncertainty, or with a hundred times the luminosity;
            else NaN.
    """

    kind: str
    name: str
    factor: float
    most: float

    def __str__(self) -> str:
        what = {"luminosity": "the luminosity", "simulation": f"the simulation of {self.name}"}
        called = what.get(self.kind, self.name)
        if np.isfinite(self.factor):
            return f"{self.factor:.4g} times {called}"
        return f"not by {called}" + ("" if np.isnan(self.most) else f" alone (at most {self.most:+.3g})")


def exchange(
    likelihood: HistFactory,
    nearby: Nearby,
    chosen: Mapping[Lever, tuple[float, float]],
    *,
    before: float,
    gain: float,
) -> tuple[Exchange, ...]:
    """What has to become of each of some levers for a gain.

    Args:
        likelihood: the likelihood.
        nearby: those around it.
        chosen: levers, each with a factor and Z there.
        before: Z without any change.
        gain: in Z.
    """
    searches = [_ExchangeSearch(lever, before, *known, before + gain) for lever, known in chosen.items()]
    for _ in range(_ROUNDS):
        open_ = [one for one in searches if one.missing > _PRECISE * gain]
        if not open_:
            break
        sizes = [one.guess() for one in open_]
        changes = [one.lever.change(likelihood, one.factor(size)) for one, size in zip(open_, sizes, strict=True)]
        starts = np.stack([one.start(size, nearby.start) for one, size in zip(open_, sizes, strict=True)], axis=1)
        values, ends = nearby.minima(changes, starts, within=_STEP * _PRECISE * gain)
        for one, size, value, end in zip(open_, sizes, values, ends.T, strict=True):
            one.known[size], one.ends[size] = float(value), end
    return tuple(one.result(_PRECISE * gain) for one in searches)


class _ExchangeSearch:
    """For the size of one uncertainty: that of a systematic, of simulation or, by the luminosity, of counts.

    Args:
        lever: what changes it.
        before: Z without any change.
        factor: another one of the lever.
        value: Z there.
        target: Z that is looked for.
    """

    def __init__(self, lever: Lever, before: float, factor: float, value: float, target: float) -> None:
        self.lever, self._target = lever, target
        self._power = 1.0 if lever.kind in {"systematic", "group"} else -2.0
        self._smallest = _SMALLEST_OF_EVENTS if lever.kind == "luminosity" else _SMALLEST
        self.known = {1.0: before, factor ** (1.0 / self._power): value}
        """Z at sizes that were tried, the first being 1."""
        self.ends: dict[float, FloatArray] = {}
        """Parameters at those of them where they are known."""

    def factor(self, size: float) -> float:
        """The factor of the lever at a size."""
        return float(size**self._power)

    @property
    def missing(self) -> float:
        """How far from the target the closest value is; zero if there is nothing to be found."""
        values = self.known.values()
        if not np.all(np.isfinite(list(values))) or self.known.get(self._smallest, np.inf) < self._target:
            return 0.0
        return min(abs(value - self._target) for value in values)

    def start(self, size: float, otherwise: FloatArray) -> FloatArray:
        """Parameters at a size close by, if there is one: from further away the next minimum may be another one."""
        near = min(self.ends, key=lambda one: abs(one - size), default=np.inf)
        return self.ends[near] if abs(near - size) < _CLOSE * size else otherwise

    def guess(self) -> float:
        """The size at the target: between those that are known, or further down."""
        sizes = sorted(self.known, reverse=True)
        values = np.maximum.accumulate([self.known[size] for size in sizes])
        if values[-1] >= self._target:
            after, straight = int(np.argmax(values >= self._target)), self._straight()
            if len(sizes) > _CURVED and sizes[after] < straight < sizes[after - 1]:
                return straight
            rising = np.append(True, np.diff(values) > 0)
            return float(PchipInterpolator(values[rising], np.array(sizes)[rising])(self._target))
        slope = (values[-1] - values[-2]) / (sizes[-2] - sizes[-1])
        if slope <= 0.0:
            return self._smallest
        # A little further than the slope says: the next guess is then between two.
        guess = sizes[-1] - 1.2 * (self._target - values[-1]) / slope
        return guess if guess > _FAR * sizes[-1] else self._smallest

    def _straight(self) -> float:
        """Where a line through the two best points has the target, NaN if they are level."""
        (near, value), (far, other) = sorted(self.known.items(), key=lambda one: abs(one[1] - self._target))[:2]
        return float(near + (self._target - value) * (far - near) / (other - value)) if other != value else np.nan

    def result(self, close: float) -> Exchange:
        """What was found."""
        best = min(self.known, key=lambda size: abs(self.known[size] - self._target))
        found = abs(self.known[best] - self._target) <= close
        most = self.known.get(self._smallest, np.nan) - self.known[1.0]
        if most > self._target - self.known[1.0]:
            most = np.nan  # Z jumps over the target: between there are two minima
        kind, name = self.lever.kind, self.lever.name
        return Exchange(kind, name, self.factor(best), np.nan) if found else Exchange(kind, name, np.nan, most)
