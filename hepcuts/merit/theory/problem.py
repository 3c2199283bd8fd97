"""One cut on known densities: yields, metrics and their optima, to all digits."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import scipy.optimize

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.merit.stationarity import AbstractStationarity
from hepcuts.samples.datasets import SCENARIOS, Distribution

from .tails import AbstractTail, tail_of

_GRID = 801
"""Cuts in each distribution's own range among which stationary ones are looked for."""
_TIGHT: Mapping[str, float] = MappingProxyType({"xtol": 1e-14, "rtol": 4.0 * float(np.finfo(np.float64).eps)})


@dataclasses.dataclass(frozen=True)
class TheoryOptimum:
    """Where a metric is best.

    Attributes:
        metric: its name.
        threshold: the best cut; infinite if the best is to keep nothing, or to go on without end, and minus infinity
            if the best is no cut.
        value: the metric there; NaN if it has no value (nothing is left).
        signal: expected signal after the cut.
        background: expected background after the cut.
        ratio: S / B after the cut; NaN if nothing is left.
        density_ratio: s / b at the cut; NaN at an infinite cut.
        residual: how well the condition of stationarity holds there, between -1 and 1; zero to rounding.
        message: why the search ended there.
    """

    metric: str
    threshold: float
    value: float
    signal: float
    background: float
    ratio: float
    density_ratio: float
    residual: float
    message: str


@dataclasses.dataclass(frozen=True)
class CutProblem:
    """Truth of a cut "keep above": densities, expected yields, uncertainty of the background.

    Attributes:
        signal: distribution of the signal; its size is the expected yield at luminosity and strength 1.
        background: distribution of the background; its size is the expected yield at luminosity 1.
        luminosity: scales both yields.
        signal_strength: scales the signal.
        relative_uncertainty: of the background after any cut, as a fraction of it.
        simulated_background: number of simulated background events before the cut, all of one weight; after the cut
            they add `B (total B / simulated)` to the variance. None for infinitely many.

    Raises:
        InputError: a family of distributions other than ``"norm"`` and ``"expon"``, a yield, luminosity, strength or
            number of simulated events that is not positive, or a negative uncertainty.

    Example:
        >>> problem = CutProblem.of_scenario("exp10-exp100")
        >>> print(f"{problem.optimum('bce').threshold:.9f}")
        25.584278811
        >>> uncertain = CutProblem.of_scenario("exp10-exp100", relative_uncertainty=0.1)
        >>> print(f"{uncertain.optimum('asimov_uncertainty').threshold:.6f}")
        146.468549
    """

    signal: Distribution
    background: Distribution
    luminosity: float = 1.0
    signal_strength: float = 1.0
    relative_uncertainty: float = 0.0
    simulated_background: float | None = None

    def __post_init__(self) -> None:
        _positive("luminosity", self.luminosity)
        _positive("signal strength", self.signal_strength)
        _positive("signal's size", self.signal.size)
        _positive("background's size", self.background.size)
        if self.simulated_background is not None:
            _positive("number of simulated background events", self.simulated_background)
        if not (math.isfinite(self.relative_uncertainty) and self.relative_uncertainty >= 0):
            raise InputError(
                f"The relative uncertainty of the background is {self.relative_uncertainty:g}; "
                "expected zero or more, such as 0.1 for 10 %."
            )
        _ = self.tails  # raises if a family is unknown

    @classmethod
    def of_scenario(cls, name: str, **changes: Any) -> Self:
        """The truth of one of the five scenarios.

        Args:
            name: a key of `hepcuts.samples.datasets.SCENARIOS`.
            **changes: other attributes, such as ``luminosity=2.0``.

        Raises:
            InputError: the name is unknown.
        """
        if name not in SCENARIOS:
            raise InputError(f"There is no scenario {name!r}; choose one of {', '.join(SCENARIOS)}.")
        return cls(SCENARIOS[name].signal, SCENARIOS[name].background, **changes)

    @functools.cached_property
    def tails(self) -> tuple[AbstractTail, AbstractTail]:
        """Signal and background, normalized."""
        return tail_of(self.signal), tail_of(self.background)

    @property
    def totals(self) -> tuple[float, float]:
        """Expected signal and background before the cut."""
        return self.signal.size * self.luminosity * self.signal_strength, self.background.size * self.luminosity

    def yields(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """Expected signal and background after the cut, each in the shape of `c`."""
        (signal, background), totals = self.tails, self.totals
        return totals[0] * np.exp(signal.log_above(c)), totals[1] * np.exp(background.log_above(c))

    def densities(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """Expected events per unit of the variable at the cut, each in the shape of `c`."""
        (signal, background), totals = self.tails, self.totals
        return totals[0] * np.exp(signal.log_density(c)), totals[1] * np.exp(background.log_density(c))

    def ratio(self, c: Any) -> FloatArray:
        """S / B after the cut, in the shape of `c`; accurate also where both are tiny."""
        signal, background = self.tails
        with np.errstate(over="ignore", invalid="ignore"):
            return self.totals[0] / self.totals[1] * np.exp(signal.log_above(c) - background.log_above(c))

    def log_density_ratio(self, c: Any) -> FloatArray:
        """Logarithm of s / b at the cut, in the shape of `c`; NaN where both are zero."""
        signal, background = self.tails
        with np.errstate(invalid="ignore"):
            return math.log(self.totals[0] / self.totals[1]) + signal.log_density(c) - background.log_density(c)

    def variance(self, c: Any) -> tuple[FloatArray, FloatArray]:
        """Variance of the background after the cut.

        Returns:
            `k = sigma_B^2 / B`, and the share of it that is a relative uncertainty (1 if there is none), each in the
            shape of `c`.
        """
        _, b = self.yields(c)
        relative = self.relative_uncertainty**2 * b
        simulation = 0.0 if self.simulated_background is None else self.totals[1] / self.simulated_background
        k = relative + simulation
        return k, np.divide(relative, k, out=np.ones_like(k), where=k > 0)

    def value(self, metric: Given, c: Any) -> FloatArray:
        """A metric at cuts.

        Args:
            metric: a name, an object or a function, see `hepcuts.merit.registry`.
            c: cuts, any shape.

        Returns:
            Values in the shape of `c`; NaN where the metric has none (no background is left).

        Raises:
            InputError: the name is unknown.
        """
        return known_of(metric)[1].value(self, c)

    def residual(self, metric: Given, c: Any) -> FloatArray:
        """The condition of stationarity of a metric at cuts.

        Args:
            metric: a name, an object or a function, see `hepcuts.merit.registry`.
            c: cuts, any shape.

        Returns:
            Between -1 and 1 in the shape of `c`: negative where a higher cut is better, positive where a lower one is.

        Raises:
            InputError: the name is unknown.
        """
        return known_of(metric)[1].residual(self, c)

    @functools.cached_property
    def grid(self) -> FloatArray:
        """Cuts that see all of both distributions, ascending, shape (cut,)."""
        return np.unique(np.concatenate([tail.grid(_GRID) for tail in self.tails]))

    def optimum(self, metric: Given) -> TheoryOptimum:
        """The best cut of all, from the condition of stationarity.

        All cuts where the residual changes sign upwards are local optima; the best of them is compared with no cut and
        with the highest cut that still sees one of the distributions.

        Args:
            metric: a name, an object or a function, see `hepcuts.merit.registry`.

        Raises:
            InputError: the name is unknown, or the figure of merit has no value at any cut, as one that needs an
                uncertainty of the background that this problem has not.
        """
        figure, chosen = known_of(metric)
        grid = chosen.grid(self)
        residual = chosen.residual(self, grid)
        grid, residual = grid[~np.isnan(residual)], residual[~np.isnan(residual)]
        rising = np.flatnonzero((residual[:-1] < 0) & (residual[1:] >= 0))
        candidates = [
            scipy.optimize.brentq(lambda c: float(chosen.residual(self, c)), grid[i], grid[i + 1], **_TIGHT)
            for i in rising
        ]
        # Far out the background is no number any more, and a figure of merit has no value.
        valued = grid[np.isfinite(chosen.value(self, grid))]
        if not len(valued):
            raise InputError(
                f"{figure.name!r} has no value at any cut of this problem: the background's relative uncertainty is "
                f"{self.relative_uncertainty:g} and its simulated events {self.simulated_background}; give one of them."
            )
        ends = {float(valued[0]): -math.inf, float(valued[-1]): math.inf}
        everywhere = np.array([*candidates, *ends])
        best = float(everywhere[np.nanargmax(figure.sign * chosen.value(self, everywhere))])
        return self._at(figure, ends.get(best, best))

    def _at(self, figure: AbstractFigureOfMerit, c: float) -> TheoryOptimum:
        """The figure of merit at an optimum, with everything that is known about it."""
        known = known_of(figure)[1]
        s, b = (float(y) for y in self.yields(c))
        inside = math.isfinite(c)
        message = "stationary" if inside else "no cut is best" if c < 0 else "better the higher the cut, without end"
        return TheoryOptimum(
            figure.name,
            c,
            float(known.value(self, c)),
            s,
            b,
            float(self.ratio(c)) if b > 0 else math.nan,
            float(np.exp(self.log_density_ratio(c))) if inside else math.nan,
            float(known.residual(self, c)) if inside else math.nan,
            message,
        )

    def worth(self, metric: Given, *, judge: Given = "asimov") -> float:
        """What is left of the best value of one metric at the cut that another one chooses.

        Args:
            metric: the one that chooses.
            judge: the one that is quoted; a figure of merit, no loss.

        Returns:
            A fraction between 0 and 1; 0 if the choice is to keep nothing.

        Raises:
            InputError: an unknown name, or the judge is a loss or grows without end.
        """
        judged, known = known_of(judge)
        best = self.optimum(judge)
        if judged.sign < 0 or not math.isfinite(best.value):
            raise InputError(f"{judged.name!r} cannot judge here: it is a loss, or grows without end; take 'asimov'.")
        threshold = self.optimum(metric).threshold
        return 0.0 if threshold == math.inf else float(known.value(self, threshold)) / best.value

    def plateau(self, metric: Given, *, loss: float = 0.01) -> tuple[float, float]:
        """The cuts around the best one at which a figure of merit loses no more than a fraction.

        Args:
            metric: a name, an object or a function, see `hepcuts.merit.registry`.
            loss: fraction of the best value.

        Returns:
            Lowest and highest cut; infinite if the metric never falls that far.

        Raises:
            InputError: an unknown name, a loss outside of 0 to 1, or a metric without a finite optimum.
        """
        (figure, chosen), best = known_of(metric), self.optimum(metric)
        if not 0 < loss < 1:
            raise InputError(f"The plateau was asked for at a loss of {loss:g}; expected a fraction between 0 and 1.")
        if not (math.isfinite(best.threshold) and math.isfinite(best.value)):
            raise InputError(f"{best.metric!r} has no finite best cut ({best.message}), and so no plateau.")
        allowed = abs(best.value) * loss

        def slack(c: float) -> float:
            return figure.sign * (float(chosen.value(self, c)) - best.value) + allowed

        grid = self.grid
        values = figure.sign * (chosen.value(self, grid) - best.value) + allowed
        below = grid[(grid < best.threshold) & (values < 0)]
        above = grid[(grid > best.threshold) & (values < 0)]
        low = scipy.optimize.brentq(slack, below[-1], best.threshold, **_TIGHT) if len(below) else -math.inf
        high = scipy.optimize.brentq(slack, best.threshold, above[0], **_TIGHT) if len(above) else math.inf
        return low, high


def known_of(given: Given) -> tuple[AbstractFigureOfMerit, AbstractStationarity]:
    """A figure of merit, and what it is on known densities.

    Raises:
        InputError: an unknown name, or nothing is known of it.
    """
    figure = figure_of_merit(given)
    known = figure.stationarity
    if known is None:
        raise InputError(
            f"The theory does not know {figure.name!r}: it takes closed forms, functions of the yields, the losses "
            "'bce', 'bce_balanced' and 'bce_steep', and a SoftCrossEntropy(width=...)."
        )
    return figure, known


def _positive(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"The {what} is {value!r}; expected a positive number.")
