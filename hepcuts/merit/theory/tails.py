"""What a cut leaves of a distribution: density, tail and mean distances, to full relative accuracy far out."""

import abc
import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.special

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.samples.datasets import Distribution

_FAR = 690.0
"""Where grids end: exp(-690) = 2e-300 of a distribution is about the last that 64 bits can hold."""


@dataclasses.dataclass(frozen=True)
class AbstractTail(abc.ABC):
    """Interface: one normalized distribution, seen from a cut.

    Attributes:
        loc: location, in the unit of the variable.
        scale: scale, in the unit of the variable.
    """

    loc: float
    scale: float

    def _z(self, c: Any) -> FloatArray:
        return (np.asarray(c, dtype=np.float64) - self.loc) / self.scale

    @abc.abstractmethod
    def log_density(self, c: Any) -> FloatArray:
        """Logarithm of the density at the cut, one over the unit of the variable."""

    @abc.abstractmethod
    def log_above(self, c: Any) -> FloatArray:
        """Logarithm of the fraction above the cut."""

    @abc.abstractmethod
    def below(self, c: Any) -> FloatArray:
        """Fraction below the cut."""

    @abc.abstractmethod
    def distance_above(self, c: Any) -> FloatArray:
        """Mean of `max(x - c, 0)`, in the unit of the variable."""

    @abc.abstractmethod
    def distance_below(self, c: Any) -> FloatArray:
        """Mean of `max(c - x, 0)`, in the unit of the variable."""

    @abc.abstractmethod
    def grid(self, points: int) -> FloatArray:
        """Cuts, ascending, from where nothing is cut to where nothing is left; `points` of them where most of it is."""


@dataclasses.dataclass(frozen=True)
class NormalTail(AbstractTail):
    """Of a normal distribution with mean `loc` and standard deviation `scale`."""

    def log_density(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        return -0.5 * self._z(c) ** 2 - math.log(self.scale * math.sqrt(2.0 * math.pi))

    def log_above(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        return np.asarray(scipy.special.log_ndtr(-self._z(c)), dtype=np.float64)

    def below(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        return np.asarray(scipy.special.ndtr(self._z(c)), dtype=np.float64)

    def distance_above(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        return self.scale * _normal_loss(self._z(c))

    def distance_below(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        return self.scale * _normal_loss(-self._z(c))

    def grid(self, points: int) -> FloatArray:
        """See `AbstractTail`."""
        far = np.geomspace(9.0, math.sqrt(2.0 * _FAR), points // 4)
        return self.loc + self.scale * np.concatenate([-far[:0:-1], np.linspace(-9.0, 9.0, points), far[1:]])


@dataclasses.dataclass(frozen=True)
class ExponentialTail(AbstractTail):
    """Of an exponential distribution that starts at `loc` and has the mean `loc + scale`."""

    def log_density(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        z = self._z(c)
        return np.where(z >= 0, -z - math.log(self.scale), -np.inf)

    def log_above(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        return -np.maximum(self._z(c), 0.0)

    def below(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        below: FloatArray = -np.expm1(-np.maximum(self._z(c), 0.0))
        return below

    def distance_above(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        z = self._z(c)
        above: FloatArray = self.scale * (np.exp(-np.maximum(z, 0.0)) + np.maximum(-z, 0.0))
        return above

    def distance_below(self, c: Any) -> FloatArray:
        """See `AbstractTail`."""
        z = np.maximum(self._z(c), 0.0)
        below: FloatArray = self.scale * (z + np.expm1(-z))
        return below

    def grid(self, points: int) -> FloatArray:
        """See `AbstractTail`."""
        far = np.geomspace(40.0, _FAR, points // 4)
        return self.loc + self.scale * np.concatenate([np.linspace(0.0, 40.0, points), far[1:]])


def _normal_loss(z: FloatArray) -> FloatArray:
    """Mean of `max(x - z, 0)` of a standard normal `x`: `phi(z) - z Q(z)`."""
    loss: FloatArray = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) - z * scipy.special.ndtr(-z)
    return loss


_FAMILIES: Mapping[str, type[AbstractTail]] = MappingProxyType({"norm": NormalTail, "expon": ExponentialTail})


def tail_of(distribution: Distribution) -> AbstractTail:
    """The tail of a synthetic sample's distribution.

    Raises:
        InputError: the family is neither ``"norm"`` nor ``"expon"``, or the scale is not positive.

    Example:
        >>> tail = tail_of(Distribution("expon", (0.0, 10.0), 1000))
        >>> print(tail.log_above(20.0), tail.distance_above(0.0))
        -2.0 10.0
    """
    if distribution.family not in _FAMILIES:
        raise InputError(
            f"The theory knows the families {', '.join(map(repr, _FAMILIES))}, got {distribution.family!r}; "
            "scan events drawn from it instead (hepcuts.scan)."
        )
    loc, scale = (float(p) for p in distribution.parameters)
    if not (math.isfinite(loc) and math.isfinite(scale) and scale > 0):
        raise InputError(f"A distribution has the location {loc:g} and the scale {scale:g}; expected a positive scale.")
    return _FAMILIES[distribution.family](loc, scale)
