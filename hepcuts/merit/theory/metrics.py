"""What can be optimal about a cut, as functions of the truth: a value, and a residual that vanishes at its optimum."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.merit.classification import LOG_LOSS_EPSILON

from . import conditions
from .tails import AbstractTail

_NOISE = 40.0
"""Widths to which logistic noise is followed: exp(-40) = 4e-18 of it is beyond."""


class Truth(Protocol):
    """What a metric asks of a problem; see `hepcuts.merit.theory.CutProblem`."""

    @property
    def tails(self) -> tuple[AbstractTail, AbstractTail]:
        """Signal and background, normalized."""

    @property
    def totals(self) -> tuple[float, float]:
        """Expected signal and background before the cut."""

    @property
    def grid(self) -> FloatArray:
        """Cuts that see all of both distributions, ascending, shape (cut,)."""

    def ratio(self, c: Any) -> FloatArray:
        """S / B behind the cut."""

    def log_density_ratio(self, c: Any) -> FloatArray:
        """Logarithm of s / b at the cut."""

    def yields(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """S and B behind the cut."""

    def variance(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """`k = sigma_B^2 / B`, and the share of it that is a relative uncertainty."""


@dataclasses.dataclass(frozen=True)
class AbstractTheoryMetric(abc.ABC):
    """Interface of the metrics.

    Attributes:
        name: that of `hepcuts.scanning.metrics`, where it exists there.
        sign: +1 if larger is better, -1 for a loss.
    """

    name: str
    sign: int = 1

    @abc.abstractmethod
    def value(self, problem: Truth, c: Any) -> FloatArray:
        """The metric at cuts of any shape; NaN where it has no value."""

    @abc.abstractmethod
    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """Between -1 (the cut is too low) and 1 (too high), zero where the metric is stationary."""

    def grid(self, problem: Truth) -> FloatArray:
        """Ascending cuts among which the residual changes its sign at every optimum, shape (cut,)."""
        return problem.grid


def _s_over_sqrt_b(s: Any, b: Any, _k: Any) -> Any:
    return s / np.sqrt(b)


@dataclasses.dataclass(frozen=True)
class OfYields(AbstractTheoryMetric):
    """A figure of merit of the yields behind the cut.

    Attributes:
        formula: from S, B and `k = sigma_B^2 / B` to its value.
        condition: from `r`, `k` and the systematic share of `k` to the density ratio that it asks for.
    """

    formula: Callable[[Any, Any, Any], Any] = _s_over_sqrt_b
    condition: Callable[[Any, Any, Any], Any] = conditions.s_over_sqrt_b

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`."""
        s, b = problem.yields(c)
        k, _ = problem.variance(c)
        good = b > 0
        return np.where(good, self.formula(s, np.where(good, b, 1.0), k), np.nan)

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`."""
        # Far out nothing is left of one distribution or of both; the residual is NaN there.
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            asked = self.condition(problem.ratio(c), *problem.variance(c))
            residual: FloatArray = np.tanh((problem.log_density_ratio(c) - np.log(asked)) / 2.0)
        return residual


@dataclasses.dataclass(frozen=True)
class ErrorRate(AbstractTheoryMetric):
    """Log loss of hard decisions, the error rate times a constant: stationary where a density ratio is reached.

    Attributes:
        balanced: signal and background have equal total weight.
    """

    sign: int = -1
    balanced: bool = False

    def _weights(self, problem: Truth) -> tuple[float, float]:
        signal, background = problem.totals
        return (0.5, 0.5) if self.balanced else (signal / (signal + background), background / (signal + background))

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`."""
        signal, background = problem.tails
        weights = self._weights(problem)
        errors = weights[0] * signal.below(c) + weights[1] * np.exp(background.log_above(c))
        loss: FloatArray = -np.log(LOG_LOSS_EPSILON) * errors - np.log1p(-LOG_LOSS_EPSILON) * (1.0 - errors)
        return loss

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`."""
        totals = problem.totals
        asked = np.log(totals[0] / totals[1]) if self.balanced else 0.0
        residual: FloatArray = np.tanh((problem.log_density_ratio(c) - asked) / 2.0)
        return residual


@dataclasses.dataclass(frozen=True)
class SteepCrossEntropy(AbstractTheoryMetric):
    """Limit of the BCE of `sigmoid((x - c) / w)`, times `w`, for `w` to zero: mean distance of wrong decisions.

    Not the error rate: a wrong decision costs its distance from the cut. Stationary where as much signal is missed as
    background is accepted.
    """

    name: str = "bce_steep"
    sign: int = -1

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`; in the unit of the variable."""
        (signal, background), totals = problem.tails, problem.totals
        wrong = totals[0] * signal.distance_below(c) + totals[1] * background.distance_above(c)
        mean: FloatArray = wrong / (totals[0] + totals[1])
        return mean

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`."""
        (signal, background), totals = problem.tails, problem.totals
        missed, accepted = totals[0] * signal.below(c), totals[1] * np.exp(background.log_above(c))
        return (missed - accepted) / (missed + accepted)


@functools.cache
def _panel(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on (0, 1)."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (x + 1.0) / 2.0, w / 2.0


@dataclasses.dataclass(frozen=True)
class SoftCrossEntropy(AbstractTheoryMetric):
    """BCE of the sigmoid `1 / (1 + exp(-(x - c) / width))` of a fixed width.

    A soft cut is a hard cut that trembles: the sigmoid is the distribution function of logistic noise in the cut, and
    so the loss is that of the steep sigmoid, averaged over that noise, over the width.

    Attributes:
        width: in the unit of the variable.

    Raises:
        InputError: the width is not positive and finite.

    Example:
        >>> from hepcuts.merit.theory import CutProblem
        >>> problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
        >>> print(round(problem.optimum(SoftCrossEntropy(width=10.0)).threshold, 6))
        68.025851
    """

    name: str = "bce_soft"
    sign: int = -1
    width: float = dataclasses.field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.width) and self.width > 0):
            raise InputError(f"The width of the sigmoid is {self.width:g}; expected a positive number.")

    def _tremble(self, problem: Truth, c: Any) -> tuple[FloatArray, FloatArray]:
        """Cuts `c + width v`, shape (*c, node), and the weights of logistic `v` by piecewise quadrature."""
        c = np.asarray(c, dtype=np.float64)[..., None]
        step = min(1.0, *(tail.scale / self.width for tail in problem.tails))
        smooth = np.linspace(-_NOISE, _NOISE, int(np.ceil(2.0 * _NOISE / step)) + 1)
        # An exponential distribution has a kink where it starts; no panel may straddle it.
        kinks = [np.clip((tail.loc - c) / self.width, -_NOISE, _NOISE) for tail in problem.tails]
        edges = np.sort(np.concatenate([np.broadcast_to(smooth, (*c.shape[:-1], len(smooth))), *kinks], axis=-1))
        x, w = _panel(10)
        v = edges[..., :-1, None] + np.diff(edges)[..., None] * x
        weights = np.diff(edges)[..., None] * w / (4.0 * np.cosh(v / 2.0) ** 2)
        flat = (*c.shape[:-1], -1)
        return c + self.width * v.reshape(flat), weights.reshape(flat)

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`; dimensionless, in natural units of information."""
        cuts, weights = self._tremble(problem, c)
        loss: FloatArray = np.sum(weights * SteepCrossEntropy().value(problem, cuts), axis=-1) / self.width
        return loss

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractTheoryMetric`."""
        (signal, background), totals = problem.tails, problem.totals
        cuts, weights = self._tremble(problem, c)
        missed = totals[0] * np.sum(weights * signal.below(cuts), axis=-1)
        accepted = totals[1] * np.sum(weights * np.exp(background.log_above(cuts)), axis=-1)
        residual: FloatArray = (missed - accepted) / (missed + accepted)
        return residual

    def grid(self, problem: Truth) -> FloatArray:
        """Both ends: the loss is convex in the cut."""
        reach = _NOISE * self.width
        return np.array([problem.grid[0] - reach, problem.grid[-1] + reach])


def _kernel(v: Any) -> Any:
    """`(1 + v) ln(1 + v) - v`: the Asimov significance is `sqrt(2 B kernel(S / B))`."""
    return v * np.log1p(v) - conditions.log1p_deficit(v)


def _asimov(s: Any, b: Any, k: Any) -> Any:
    t, v = conditions.poisson_excess(s / b, k)
    return np.sqrt(2.0 * b * ((1.0 + k * t) * _kernel(v) + conditions.deficit_over(k, t)))


def _asimov_gaussian(s: Any, b: Any, k: Any) -> Any:
    v = conditions.gaussian_excess(s / b, k)
    return np.sqrt(2.0 * b * ((1.0 + k * v) * _kernel(v) + (k * v) * v / 2.0))


def _known(condition: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """The same for a known background, whatever the problem says about its uncertainty."""
    return lambda r, *_: condition(r, 0.0, 1.0)


METRICS: Mapping[str, AbstractTheoryMetric] = MappingProxyType(
    {
        m.name: m
        for m in (
            ErrorRate("bce"),
            ErrorRate("bce_balanced", balanced=True),
            SteepCrossEntropy(),
            OfYields("s_over_sqrt_b", formula=_s_over_sqrt_b, condition=conditions.s_over_sqrt_b),
            OfYields(
                "s_over_sqrt_s_plus_b",
                formula=lambda s, b, _: s / np.sqrt(s + b),
                condition=conditions.s_over_sqrt_s_plus_b,
            ),
            OfYields(
                "s_over_sqrt_b_plus_variance",
                formula=lambda s, b, k: s / np.sqrt(b * (1.0 + k)),
                condition=conditions.s_over_sqrt_b_plus_variance,
            ),
            OfYields("asimov", formula=lambda s, b, _: _asimov(s, b, 0.0), condition=_known(conditions.asimov)),
            OfYields("asimov_uncertainty", formula=_asimov, condition=conditions.asimov),
            OfYields("asimov_gaussian", formula=_asimov_gaussian, condition=conditions.asimov_gaussian),
        )
    }
)
"""The metrics by name. A `SoftCrossEntropy` has a width and is given as an object."""


def theory_metric(metric: str | AbstractTheoryMetric) -> AbstractTheoryMetric:
    """A metric by its name, or itself.

    Raises:
        InputError: the name is unknown.
    """
    if isinstance(metric, AbstractTheoryMetric):
        return metric
    if metric not in METRICS:
        raise InputError(
            f"The theory has no metric {metric!r}; choose among {', '.join(METRICS)}, "
            "or pass a SoftCrossEntropy(width=...)."
        )
    return METRICS[metric]
