"""Densities of the phase diagrams: a normal signal of width 1 over one kind of background.

All lengths are in units of the signal's standard deviation sigma. The error rate is stationary where the densities of
the expected events are equal, `s(c) = b(c)`; balanced, where `s(c) / S0 = b(c) / B0`. For a normal background that is
its only minimum. For an exponential one, `s / b` falls again far out; then accepting nothing, or everything, may make
fewer mistakes than the crossing, and the smallest of the three is taken. Accepting nothing is a cut at infinity,
accepting everything one at minus infinity.
"""

import abc
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.special import log_ndtr, ndtr

from hepcuts._core.types import FloatArray


@dataclasses.dataclass(frozen=True)
class AbstractFamily(abc.ABC):
    """A normal signal of width 1 at a distance from one kind of background, each normalized to 1.

    Attributes:
        name: short name, for files.
        title: in words.
    """

    name: str
    title: str

    @abc.abstractmethod
    def log_background(self, cut: FloatArray) -> FloatArray:
        """Logarithm of the fraction of the background above a cut."""

    @abc.abstractmethod
    def decision_cut(self, separation: FloatArray, log_odds: FloatArray) -> FloatArray:
        """The cut with the fewest mistakes.

        Args:
            separation: of signal and background, in sigma.
            log_odds: logarithm of expected signal over expected background before the cut.
        """

    def log_signal(self, cut: FloatArray, separation: FloatArray) -> FloatArray:
        """Logarithm of the fraction of the signal above a cut."""
        return np.asarray(log_ndtr(separation - cut))


@dataclasses.dataclass(frozen=True)
class NormalBackground(AbstractFamily):
    """A background of the same width: the separation is the distance of the means."""

    def log_background(self, cut: FloatArray) -> FloatArray:
        """See `AbstractFamily.log_background`."""
        return np.asarray(log_ndtr(-cut))

    def decision_cut(self, separation: FloatArray, log_odds: FloatArray) -> FloatArray:
        """See `AbstractFamily.decision_cut`: the densities cross once."""
        return np.asarray(0.5 * separation - log_odds / separation)


@dataclasses.dataclass(frozen=True)
class ExponentialBackground(AbstractFamily):
    """A background that starts at 0 and falls with a mean of 1: the separation is the signal's mean."""

    def log_background(self, cut: FloatArray) -> FloatArray:
        """See `AbstractFamily.log_background`."""
        return np.minimum(-cut, 0.0, dtype=np.float64)

    def decision_cut(self, separation: FloatArray, log_odds: FloatArray) -> FloatArray:
        """See `AbstractFamily.decision_cut`: the densities cross twice, once, or not at all."""
        # s = b where (c - d - 1)^2 = 1 + 2 d + 2 (log odds) - ln(2 pi); the error rate has its minimum at the lower c.
        square = 1.0 + 2.0 * separation + 2.0 * log_odds - np.log(2.0 * np.pi)
        crossing = separation + 1.0 - np.sqrt(np.maximum(square, 0.0))
        crosses = (square > 0) & (crossing > 0)
        odds = np.exp(log_odds)
        candidates = np.stack(np.broadcast_arrays(crossing, np.inf, -np.inf))
        at_crossing = odds * ndtr(crossing - separation) + np.exp(self.log_background(crossing))
        mistakes = np.stack(np.broadcast_arrays(np.where(crosses, at_crossing, np.inf), odds, 1.0))
        fewest: FloatArray = np.take_along_axis(candidates, mistakes.argmin(0)[np.newaxis], 0)[0]
        return fewest


FAMILIES: Mapping[str, AbstractFamily] = MappingProxyType(
    {
        family.name: family
        for family in (
            NormalBackground("normal", "normal background of the signal's width"),
            ExponentialBackground("exponential", "exponential background, its mean as long as the signal is wide"),
        )
    }
)
"""The families by name."""
