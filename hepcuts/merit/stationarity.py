"""What figures of merit are on known densities: a value, and a residual that vanishes where they are stationary."""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.samples.modifiers import ShapeSys
from hepcuts.samples.staterror import StatError
from hepcuts.templates.templates import Component, Structure, Yields

from .classification import LOG_LOSS_EPSILON
from .conditions import Condition

_NOISE = 40.0
"""Widths to which logistic noise is followed: exp(-40) = 4e-18 of it is beyond."""


class Tail(Protocol):
    """What is asked of one normalized distribution; see `hepcuts.merit.theory.tails.AbstractTail`."""

    @property
    def loc(self) -> float:
        """Location."""

    @property
    def scale(self) -> float:
        """Scale."""

    def log_above(self, c: Any) -> FloatArray:
        """Logarithm of the fraction above the cut."""

    def below(self, c: Any) -> FloatArray:
        """Fraction below the cut."""

    def distance_below(self, c: Any) -> FloatArray:
        """Mean distance below the cut."""

    def distance_above(self, c: Any) -> FloatArray:
        """Mean distance above the cut."""


class Truth(Protocol):
    """What is asked of a problem; see `hepcuts.merit.theory.CutProblem`."""

    @property
    def tails(self) -> tuple[Tail, Tail]:
        """Signal and background, normalized."""

    @property
    def totals(self) -> tuple[float, float]:
        """Expected signal and background before the cut."""

    @property
    def grid(self) -> FloatArray:
        """Cuts that see all of both distributions, ascending, shape (cut,)."""

    @property
    def relative_uncertainty(self) -> float:
        """Of the background after any cut."""

    def ratio(self, c: Any) -> FloatArray:
        """S / B after the cut."""

    def log_density_ratio(self, c: Any) -> FloatArray:
        """Logarithm of s / b at the cut."""

    def yields(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """S and B after the cut."""

    def variance(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """`k = sigma_B^2 / B`, and the share of it that is a relative uncertainty."""

    @property
    def simulated_background(self) -> float | None:
        """Number of simulated background events before the cut; None for infinitely many."""


@dataclasses.dataclass(frozen=True)
class AbstractStationarity(abc.ABC):
    """Interface: a figure of merit on known densities."""

    @abc.abstractmethod
    def value(self, problem: Truth, c: Any) -> FloatArray:
        """The figure of merit at cuts of any shape; NaN where it has no value."""

    @abc.abstractmethod
    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """Between -1 (the cut is too low) and 1 (too high), zero where the figure of merit is stationary."""

    def grid(self, problem: Truth) -> FloatArray:
        """Ascending cuts among which the residual changes its sign at every optimum, shape (cut,)."""
        return problem.grid


@dataclasses.dataclass(frozen=True)
class StationarityOfYields(AbstractStationarity):
    """Of a figure of merit of the yields after the cut.

    Attributes:
        figure: its value, of yields, structure and totals, as `hepcuts.merit.figures.AbstractRegionFigure.value`.
        sign: +1 if larger is better, -1 for a loss.
        condition: the ratio of densities that it asks for; None to find it from slopes, to the accuracy of these.
    """

    figure: Callable[[Yields, Structure, Any], Any]
    sign: int = 1
    condition: Condition | None = None

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        s, b = (np.asarray(yields) for yields in problem.yields(c))
        good, flat = b > 0, (a.ravel() for a in (s, np.where(b > 0, b, 1.0)))
        with np.errstate(all="ignore"):
            found = self._values(problem, *flat)
        return np.where(good, found.reshape(good.shape), np.nan)

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        if self.condition is None:
            return self._from_slopes(problem, c)
        return residual_of(self.condition, problem, c)

    def _values(self, problem: Truth, s: FloatArray, b: FloatArray) -> FloatArray:
        """Of signal and background, each of shape (cut,)."""
        yields = (np.stack(pair, axis=-1)[:, None, :, None] for pair in ((s, b), (0.0 * s, _simulated(problem) * b)))
        return np.asarray(self.figure(Yields(*yields), _structure(problem), problem.totals), dtype=np.float64)

    def _from_slopes(self, problem: Truth, c: Any) -> FloatArray:
        s, b = (np.asarray(yields) for yields in problem.yields(c))
        structure, simulated = _structure(problem), _simulated(problem)

        def of_one(s: Any, b: Any) -> Any:
            values, variances = (jnp.stack(pair).reshape(1, 2, 1) for pair in ((s, b), (0.0 * s, simulated * b)))
            return self.figure(Yields(values, variances), structure, problem.totals)

        by_s, by_b = float64_scope(jax.vmap(jax.grad(of_one, argnums=(0, 1))))(s.ravel(), b.ravel())
        with np.errstate(all="ignore"):
            # What the signal at the cut adds and the background there takes away, in units of the latter's density.
            added, taken = by_s.reshape(s.shape) * np.exp(problem.log_density_ratio(c)), by_b.reshape(s.shape)
            residual: FloatArray = self.sign * (added + taken) / (np.abs(added) + np.abs(taken))
        return residual


def residual_of(condition: Condition, problem: Truth, c: Any) -> FloatArray:
    """The residual of a condition, see `AbstractStationarity.residual`."""
    # Far out nothing is left of one distribution or of both; the residual is NaN there.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        asked = condition(problem.ratio(c), *problem.variance(c))
        residual: FloatArray = np.tanh((problem.log_density_ratio(c) - np.log(asked)) / 2.0)
    return residual


def _simulated(problem: Truth) -> float:
    """Variance from finite simulation, in units of the background after the cut."""
    simulated = problem.simulated_background
    return 0.0 if simulated is None else problem.totals[1] / simulated


def _structure(problem: Truth) -> Structure:
    """Signal and background as samples."""
    relative = problem.relative_uncertainty
    systematic = (ShapeSys("background", relative),) if relative else ()
    staterror: StatError = "poisson" if _simulated(problem) > 0 else False
    background = Component("background", signal=False, modifiers=systematic, staterror=staterror)
    return Structure("cut", None, (Component("signal", signal=True, modifiers=(), staterror=False), background))


@dataclasses.dataclass(frozen=True)
class ErrorRate(AbstractStationarity):
    """Log loss of hard decisions, the error rate times a constant: stationary where a density ratio is reached.

    Attributes:
        background_weight: of expected signal and background before the cut -> what an accepted background event costs
            in units of a missed signal event, the density ratio that is asked for.
    """

    background_weight: Callable[[float, float], float]

    def _weights(self, problem: Truth) -> tuple[float, float]:
        signal, background = problem.totals
        background *= self.background_weight(*problem.totals)
        return signal / (signal + background), background / (signal + background)

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        signal, background = problem.tails
        weights = self._weights(problem)
        errors = weights[0] * signal.below(c) + weights[1] * np.exp(background.log_above(c))
        loss: FloatArray = -np.log(LOG_LOSS_EPSILON) * errors - np.log1p(-LOG_LOSS_EPSILON) * (1.0 - errors)
        return loss

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        asked = np.log(self.background_weight(*problem.totals))
        residual: FloatArray = np.tanh((problem.log_density_ratio(c) - asked) / 2.0)
        return residual


@dataclasses.dataclass(frozen=True)
class WrongDistance(AbstractStationarity):
    """Limit of the BCE of `sigmoid((x - c) / w)`, times `w`, for `w` to zero: mean distance of wrong decisions.

    Not the error rate: a wrong decision costs its distance from the cut. Stationary where as much signal is missed as
    background is accepted.
    """

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`; in the unit of the variable."""
        (signal, background), totals = problem.tails, problem.totals
        wrong = totals[0] * signal.distance_below(c) + totals[1] * background.distance_above(c)
        mean: FloatArray = wrong / (totals[0] + totals[1])
        return mean

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        (signal, background), totals = problem.tails, problem.totals
        missed, accepted = totals[0] * signal.below(c), totals[1] * np.exp(background.log_above(c))
        return (missed - accepted) / (missed + accepted)


@functools.cache
def _panel(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on (0, 1)."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (x + 1.0) / 2.0, w / 2.0


@dataclasses.dataclass(frozen=True)
class TremblingCut(AbstractStationarity):
    """BCE of the sigmoid `1 / (1 + exp(-(x - c) / width))` of a fixed width.

    A soft cut is a hard cut that trembles: the sigmoid is the distribution function of logistic noise in the cut, and
    so the loss is that of the steep sigmoid, averaged over that noise, over the width.

    Attributes:
        width: in the unit of the variable.
    """

    width: float

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
        """See `AbstractStationarity`; dimensionless, in natural units of information."""
        cuts, weights = self._tremble(problem, c)
        loss: FloatArray = np.sum(weights * WrongDistance().value(problem, cuts), axis=-1) / self.width
        return loss

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
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
