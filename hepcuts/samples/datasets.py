"""Seeded synthetic samples with known truth, for tests, documentation and first steps.

The five scenarios are those of the question that hepcuts grew from: does the cut that minimizes binary cross-entropy
maximize the significance? They differ in separation, in the number of events and in the ratio of signal to
background. Each is made of one exponential or normal distribution for each sample, so that densities, yields after
a cut and optimal cuts are known in closed form.

`many_features` is the problem of many cuts at once: few simulated background events are left where the significance
is largest, so a search that trusts its own events too far finds cuts that are worth less on others. What any cuts are
worth is known without events (`ManyFeatures.yields`).
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from hepcuts._core.columns import Numbers
from hepcuts._core.errors import InputError
from hepcuts._core.lazy import stats
from hepcuts._core.types import FloatArray

from .modifiers import NormSys
from .sample import Sample


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
        return getattr(stats, self.family)(loc=loc, scale=scale)

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


@dataclasses.dataclass(frozen=True)
class ManyFeatures:
    """Truth of `many_features`: features ``x0``, ``x1``, ..., each less separated than the second before it.

    The features of the signal are normal and share one source of fluctuations, so each pair has the same correlation.
    Those of the background are independent: exponential of mean 1 and standard normal in turn. All cuts keep large
    values; the significance of the best has one maximum, which `yields` tells without events.

    Attributes:
        num_features: number of features.
        correlation: of any two features of the signal.
        signal: expected number of signal events.
        background: expected number of background events.
        uncertainty: relative standard deviation of the background's normalization.

    Raises:
        InputError: there are no features, or their number is not an integer.
    """

    num_features: int
    correlation: float = 0.2
    signal: float = 120.0
    background: float = 20_000.0
    uncertainty: float = 0.1

    def __post_init__(self) -> None:
        given: object = self.num_features
        if not isinstance(given, int | np.integer) or given < 1:
            raise InputError(f"num_features is {self.num_features!r}; expected an integer, 1 or more.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(f"x{k}" for k in range(self.num_features))

    @property
    def exponential(self) -> NDArray[np.bool_]:
        """Whether the background is exponential in a feature (normal otherwise), shape (feature,)."""
        return np.equal(np.arange(self.num_features) % 2, 0)

    @property
    def means(self) -> FloatArray:
        """Means of the signal, shape (feature,)."""
        return np.power(0.6, np.arange(self.num_features, dtype=np.float64)) + np.where(self.exponential, 0.7, 0.0)

    @property
    def sigma(self) -> float:
        """Standard deviation of each feature of the signal."""
        return 0.9

    def yields(self, low: Numbers, high: Numbers = np.inf) -> tuple[float, float]:
        """Expected signal and background between thresholds, to 1e-12 of them.

        After the cuts the background is a product. The signal is one, too, at a given value of what its features
        share, and the trapezoidal rule, which converges exponentially here, takes the mean over that.

        Args:
            low: lower thresholds, shape (feature,) or one for all; minus infinity for no cut.
            high: upper thresholds, likewise; infinity for no cut.

        Example:
            >>> ManyFeatures(2).yields([0.0, -np.inf])[1]
            20000.0
        """
        low, high = (np.broadcast_to(np.asarray(t, dtype=float), self.num_features) for t in (low, high))
        exponential, normal = (np.maximum(f.cdf(high) - f.cdf(low), 0.0) for f in (stats.expon(), stats.norm()))
        background = np.prod(np.where(self.exponential, exponential, normal))
        shared = np.linspace(-10.0, 10.0, 401)[:, None]
        center = self.means + self.sigma * np.sqrt(self.correlation) * shared
        spread = self.sigma * np.sqrt(1.0 - self.correlation)
        above, below = (scipy.special.ndtr((t - center) / spread) for t in (low, high))
        passed = np.prod(np.maximum(below - above, 0.0), axis=1)
        signal = np.trapezoid(passed * stats.norm().pdf(shared[:, 0]), shared[:, 0])
        return self.signal * float(signal), self.background * float(background)


def many_features(
    num_features: int,
    *,
    seed: int | np.random.Generator,
    num_signal: int = 200_000,
    num_background: int = 1_000_000,
) -> tuple[Sample, Sample]:
    """Signal and background with many features to cut on, 120 and 20 000 events expected whatever is simulated.

    Args:
        num_features: number of features, 1 or more.
        seed: seed, or generator to draw from; one that is drawn from again gives new events.
        num_signal: number of simulated signal events.
        num_background: number of simulated background events.

    Returns:
        Signal and background with the columns ``x0``, ``x1``, ...; the background's normalization is known to 10 %.

    Raises:
        InputError: there are no features, or no events.

    Example:
        >>> signal, background = many_features(3, seed=1, num_signal=1000, num_background=5000)
        >>> background
        Sample('background', background, 5000 events, yield 2e+04 +- 283, columns: x0, x1, x2)
    """
    truth = ManyFeatures(num_features)
    for what, count in (("num_signal", num_signal), ("num_background", num_background)):
        if count < 1:
            raise InputError(f"{what} is {count!r}; expected 1 or more simulated events.")
    generator = np.random.default_rng(seed)
    shared = np.sqrt(truth.correlation) * generator.standard_normal(num_signal)
    own = np.sqrt(1.0 - truth.correlation)
    signal = {
        name: mean + truth.sigma * (shared + own * generator.standard_normal(num_signal))
        for name, mean in zip(truth.names, truth.means, strict=True)
    }
    background = {
        name: (generator.standard_exponential if exponential else generator.standard_normal)(num_background)
        for name, exponential in zip(truth.names, truth.exponential, strict=True)
    }
    normalization = NormSys("background_normalization", 1.0 + truth.uncertainty, 1.0 - truth.uncertainty)
    return (
        Sample("signal", signal, weights=np.full(num_signal, truth.signal / num_signal), signal=True),
        Sample(
            "background",
            background,
            weights=np.full(num_background, truth.background / num_background),
            modifiers=[normalization],
        ),
    )
