"""Seeded synthetic samples with known truth, for tests, documentation and first steps.

The five scenarios are those of the question that hepcuts grew from: does the cut that minimizes binary cross-entropy
maximize the significance? They differ in separation, in the number of events and in the ratio of signal to
background. Each is made of one exponential or normal distribution for each sample, so that densities, yields behind
a cut and optimal cuts are known in closed form.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.stats

from ._types import FloatArray
from .errors import InputError
from .samples import Sample


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Truth of one synthetic sample.

    Attributes:
        family: ``"expon"`` (mean = scale) or ``"norm"``, as scipy.stats names them.
        parameters: location and scale of the scipy distribution.
        size: number of events, each of weight 1.
    """

    family: str
    parameters: tuple[float, float]
    size: int

    @property
    def frozen(self) -> Any:
        """The scipy distribution, with its density, its survival function and its quantiles."""
        loc, scale = self.parameters
        return getattr(scipy.stats, self.family)(loc=loc, scale=scale)

    def draw(self, generator: np.random.Generator) -> FloatArray:
        """Draw the events, shape (event,)."""
        return np.asarray(self.frozen.rvs(size=self.size, random_state=generator), dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Truth of a pair of samples and the cuts to scan, "keep above"."""

    signal: Distribution
    background: Distribution
    cuts: tuple[float, float] = (1.0, 99.0)


def _exponential(mean: float, size: int) -> Distribution:
    return Distribution("expon", (0.0, mean), size)


def _normal(mean: float, sigma: float, size: int) -> Distribution:
    return Distribution("norm", (mean, sigma), size)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "exp10-gauss50x10": Scenario(_normal(50.0, 10.0, 50_000), _exponential(10.0, 100_000)),
        "exp10-gauss30x1": Scenario(_normal(30.0, 1.0, 1000), _exponential(10.0, 10_000)),
        "exp10-exp100": Scenario(_exponential(100.0, 10_000), _exponential(10.0, 10_000)),
        "exp10-gauss50x1": Scenario(_normal(50.0, 1.0, 10), _exponential(10.0, 10_000)),
        "gauss40x10-gauss50x10": Scenario(_normal(50.0, 10.0, 1000), _normal(40.0, 10.0, 10_000)),
    }
)
"""The five scenarios; a name reads background-signal, a normal distribution mean x sigma."""

TUTORIAL = Scenario(_normal(5.0, 1.0, 10_000), _normal(0.0, 4.0, 10_000), cuts=(-4.0, 8.0))
"""The tutorial's problem: a wide background centered at 0, a narrow signal at 5, equally many events."""


def _draw(truth: Scenario, seed: int | np.random.Generator) -> tuple[Sample, Sample]:
    generator = np.random.default_rng(seed)
    return (
        Sample("signal", {"x": truth.signal.draw(generator)}, signal=True),
        Sample("background", {"x": truth.background.draw(generator)}),
    )


def scenario(name: str, *, seed: int | np.random.Generator) -> tuple[Sample, Sample]:
    """One of the five scenarios.

    Args:
        name: a key of `SCENARIOS`.
        seed: seed, or generator to draw from.

    Returns:
        Signal and background with one column ``x`` and weights 1.

    Raises:
        InputError: the name is unknown.

    Example:
        >>> signal, background = scenario("exp10-gauss50x10", seed=1)
        >>> len(signal), len(background)
        (50000, 100000)
    """
    if name not in SCENARIOS:
        raise InputError(f"There is no scenario {name!r}; choose one of {', '.join(SCENARIOS)}.")
    return _draw(SCENARIOS[name], seed)


def tutorial(*, seed: int | np.random.Generator) -> tuple[Sample, Sample]:
    """The tutorial's problem: background N(0, 4), signal N(5, 1), 10 000 events each.

    Args:
        seed: seed, or generator to draw from.

    Returns:
        Signal and background with one column ``x`` and weights 1.

    Example:
        >>> signal, background = tutorial(seed=1)
        >>> signal.columns["x"].mean().round(1).item()
        5.0
    """
    return _draw(TUTORIAL, seed)
