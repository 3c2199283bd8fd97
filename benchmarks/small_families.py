"""Families of small samples whose truth is known: what any cuts are worth on events that nobody has seen.

- ``A``: all features are useful (`hepcuts.samples.datasets.ManyFeatures`).
- ``B``: half of them are, the other half is the same in signal and background.
- ``C``: a window on a mass, correlated features, a third of them useless; weights spread, 12 % of them negative.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

import hepcuts as hc

Array = NDArray[np.float64]

EXPECTED_SIGNAL, EXPECTED_BACKGROUND, UNCERTAINTY = 120.0, 20_000.0, 0.1
NEGATIVE, SPREAD = 0.12, 0.61
"""Of family C: fraction of negative weights, and spread of their logarithm; 40 % of the events are then effective."""
SIGNAL_CORRELATION, BACKGROUND_CORRELATION = 0.4, 0.3
MASS, RESOLUTION, LOWEST, SLOPE = 125.0, 12.0, 60.0, 60.0
"""Of family C: the signal's mass is normal, that of the background exponential from a lowest value on."""


@dataclasses.dataclass(frozen=True)
class Family:
    """A truth and the size of its simulation.

    Attributes:
        kind: ``"A"``, ``"B"`` or ``"C"``.
        features: number of features to cut on.
        events: simulated events of each class.
    """

    kind: str
    features: int
    events: int

    @property
    def name(self) -> str:
        """Kind, features and events."""
        return f"{self.kind}{self.features}, {self.events} events"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, the useful ones first, a mass last."""
        names = [f"x{i}" for i in range(self.features)]
        return (*names[:-1], "mass") if self.kind == "C" else tuple(names)

    @property
    def useful(self) -> int:
        """Number of useful features beside the mass."""
        return {"A": self.features, "B": self.features // 2, "C": self.features - self.features // 3 - 1}[self.kind]

    @property
    def selection(self) -> hc.Selection:
        """The cuts to be found."""
        return hc.Selection([hc.Window(name) if name == "mass" else hc.Cut(name, ">") for name in self.names])

    def draw(self, seed: int) -> list[hc.Sample]:
        """Simulated signal and background."""
        generator = np.random.default_rng([ord(self.kind), self.features, self.events, seed])
        signal, background = (self._columns(generator, signal=signal) for signal in (True, False))
        norm = hc.NormSys("normalization", 1.0 + UNCERTAINTY, 1.0 - UNCERTAINTY)
        return [
            hc.Sample("signal", signal, weights=self._weights(generator, EXPECTED_SIGNAL), signal=True),
            hc.Sample(
                "background", background, weights=self._weights(generator, EXPECTED_BACKGROUND), modifiers=[norm]
            ),
        ]

    def significance(self, thresholds: dict[str, Any]) -> float:
        """True significance of cuts, with a background known as well as a simulation of this size knows it.

        Args:
            thresholds: variable to threshold, or to a pair for a window; without those that are given up.
        """
        s, b = self.yields(thresholds)
        if b <= 0.0:
            return 0.0
        one_event = EXPECTED_BACKGROUND / self.events
        if self.kind == "C":
            one_event *= np.exp(SPREAD**2) / (1.0 - 2.0 * NEGATIVE)  # sum of squares over sum of weights
        sigma = np.sqrt((UNCERTAINTY * b) ** 2 + b * one_event)
        return float(hc.counting.asimov_significance(s, b, sigma))

    def yields(self, thresholds: dict[str, Any]) -> tuple[float, float]:
        """Expected signal and background after cuts."""
        low = np.array([thresholds.get(name, -np.inf) for name in self.names if name != "mass"], dtype=np.float64)
        useful, useless = low[: self.useful], float(np.prod(stats.norm.sf(low[self.useful :])))
        if self.kind != "C":
            s, b = hc.datasets.ManyFeatures(self.useful).yields(useful)
            return s * useless, b * useless
        begin, end = (
            infinity if edge is None else edge
            for edge, infinity in zip(thresholds.get("mass", (None, None)), (-np.inf, np.inf), strict=True)
        )
        peak, slope = stats.norm(MASS, RESOLUTION), stats.expon(LOWEST, SLOPE)
        s = _passing(useful, self._means, SIGNAL_CORRELATION) * (peak.cdf(end) - peak.cdf(begin))
        b = _passing(useful, 0.0 * self._means, BACKGROUND_CORRELATION) * (slope.cdf(end) - slope.cdf(begin))
        return EXPECTED_SIGNAL * useless * float(s), EXPECTED_BACKGROUND * useless * float(b)

    @property
    def _means(self) -> Array:
        """Of the signal's useful features in family C."""
        return 1.2 * np.power(0.8, np.arange(self.useful, dtype=np.float64))

    def _columns(self, generator: np.random.Generator, *, signal: bool) -> dict[str, Array]:
        if self.kind == "C":
            correlation = SIGNAL_CORRELATION if signal else BACKGROUND_CORRELATION
            shared = np.sqrt(correlation) * generator.normal(size=self.events)
            own = np.sqrt(1.0 - correlation)
            means = self._means if signal else 0.0 * self._means
            rows = [mean + shared + own * generator.normal(size=self.events) for mean in means]
        else:
            pair = hc.datasets.many_features(
                self.useful, seed=generator, num_signal=self.events, num_background=self.events
            )
            rows = list(pair[0 if signal else 1].columns.values())
        useless = [generator.normal(size=self.events) for _ in range(self.features - len(rows) - (self.kind == "C"))]
        found = dict(zip(self.names, [*rows, *useless], strict=False))
        if self.kind == "C":
            mass = (MASS, RESOLUTION) if signal else (LOWEST, SLOPE)
            draw = generator.normal if signal else lambda low, mean, size: low + generator.exponential(mean, size)
            found["mass"] = draw(*mass, self.events)
        return found

    def _weights(self, generator: np.random.Generator, expected: float) -> Array:
        if self.kind != "C":
            return np.full(self.events, expected / self.events)
        size = generator.lognormal(-0.5 * SPREAD**2, SPREAD, self.events)
        signs = np.where(generator.uniform(size=self.events) < NEGATIVE, -1.0, 1.0)
        return np.asarray(size * signs * expected / (self.events * (1.0 - 2.0 * NEGATIVE)))


def _passing(low: Array, means: Array, correlation: float) -> float:
    """Share of events above thresholds in normal features that share one source of fluctuations."""
    shared = np.linspace(-8.0, 8.0, 801)
    density = stats.norm.pdf(shared) * (shared[1] - shared[0])
    center = means[:, None] + np.sqrt(correlation) * shared
    above = special.ndtr((center - low[:, None]) / np.sqrt(1.0 - correlation))
    return float(np.sum(density * np.prod(above, axis=0)))


FAMILIES = tuple(
    Family(*each)
    for each in (
        ("A", 8, 500),
        ("C", 8, 500),
        ("A", 8, 2000),
        ("B", 12, 2000),
        ("C", 12, 2000),
        ("A", 20, 2000),
        ("B", 20, 2000),
        ("C", 12, 10_000),
    )
)
