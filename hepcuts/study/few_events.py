"""Few simulated events: where a classifier's cut beats the best significance of the events, judged by the densities.

The best significance of a few events rests on the few background events after the cut, and looks for the place where
these happen to be fewest. The error rate is a sum over all events, and a fitted posterior has two parameters.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
import scipy.optimize

from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.merit.conditions import posterior_threshold
from hepcuts.merit.counting import asimov_significance
from hepcuts.merit.theory import CutProblem
from hepcuts.samples.datasets import Distribution

RATIOS = (0.5, 2.513, 10.0)
"""S / B after the best cut."""
SIZES = (30, 100, 300, 1000)
"""Simulated events of each of signal and background."""
EVENTS = 10_000
"""Expected background before the cut. It cancels in all that is shown."""
_STEPS, _RIDGE = 30, 1e-9
"""Newton's steps to the least BCE, each at most 1 in logarithms of odds per standard deviation, and what is added to
the curvature: events that a cut separates entirely have no finite best slope. Chosen by hand."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Simulation:
    """One simulation of equally many events of each kind.

    Attributes:
        x: of all events, ascending, shape (event,).
        signal: expected signal of each, likewise.
        background: expected background of each, likewise.
    """

    x: FloatArray
    signal: FloatArray
    background: FloatArray

    @classmethod
    def of(cls, problem: CutProblem, size: int, generator: np.random.Generator) -> "_Simulation":
        parts = (problem.signal, problem.background)
        x = np.concatenate([dataclasses.replace(part, size=size).draw(generator) for part in parts])
        kind, order = np.repeat([1.0, 0.0], size), np.argsort(x)
        s, b = (total / size for total in problem.totals)
        return cls(x[order], s * kind[order], b * (1.0 - kind[order]))

    def after(self) -> tuple[FloatArray, FloatArray]:
        """Signal and background from each event on, each of shape (event,)."""
        s, b = (np.cumsum(w[::-1])[::-1] for w in (self.signal, self.background))
        return s, b

    def cut_before(self, event: int) -> float:
        """A cut that keeps what is from an event on: in the middle to the one below it."""
        return float(self.x[0] - 1.0) if event == 0 else float(0.5 * (self.x[event - 1] + self.x[event]))

    @functools.cached_property
    def posterior(self) -> tuple[float, float]:
        """Offset and slope of the logarithm of the odds that BCE fits, the expected events being its weights."""
        center, scale, w = float(np.mean(self.x)), float(np.std(self.x)), self.signal + self.background
        inputs = np.stack([np.ones_like(self.x), (self.x - center) / scale])
        v = np.array([math.log(self.signal.sum() / self.background.sum()), 0.0])
        for _ in range(_STEPS):
            p = 1.0 / (1.0 + np.exp(-(v @ inputs)))
            curvature = (inputs * (w * p * (1.0 - p))) @ inputs.T + _RIDGE * w.sum() * np.eye(2)
            step = np.linalg.solve(curvature, inputs @ (self.signal - w * p))
            v = v + step / max(1.0, float(np.abs(step).max()))
        offset, slope = v
        return float(offset - slope * center / scale), float(slope / scale)


def _best_significance(simulation: _Simulation) -> float:
    s, b = simulation.after()
    some = b > 0
    z = np.where(some, asimov_significance(s, np.where(some, b, 1.0)), 0.0)
    return simulation.cut_before(int(np.argmax(z)))


def _fewest_errors(simulation: _Simulation) -> float:
    s, b = simulation.after()
    return simulation.cut_before(int(np.argmax(s - b)))


def _posterior_half(simulation: _Simulation) -> float:
    offset, slope = simulation.posterior
    return -offset / slope if slope > 0 else -math.inf


def _posterior_star(simulation: _Simulation) -> float:
    """Cut at the posterior that S / B after the cut asks for, in rounds from no cut.

    S and B are what the posterior makes of the events, of both kinds: where no background is left, its tail still is.
    """
    offset, slope = simulation.posterior
    if not slope > 0:
        return -math.inf
    w, p = simulation.signal + simulation.background, 1.0 / (1.0 + np.exp(-(offset + slope * simulation.x)))
    s, b = (np.cumsum((w * share)[::-1])[::-1] for share in (p, 1.0 - p))
    event = 0
    while True:
        star = float(posterior_threshold(s[event] / b[event]))
        cut = (math.log(star / (1.0 - star)) - offset) / slope
        # The rounds only go up.
        at = int(np.searchsorted(simulation.x, cut))
        if at <= event or at >= len(b):
            return cut
        event = at


RULES_OF_FEW: MappingProxyType[str, Callable[[_Simulation], float]] = MappingProxyType(
    {
        "best Z of the events": _best_significance,
        "fewest errors": _fewest_errors,
        "fitted p > 1/2": _posterior_half,
        "fitted p > p*": _posterior_star,
    }
)
"""How a cut is chosen: the best Asimov significance; the error rate, which is BCE of decisions; and BCE's posterior, of
two parameters, cut at 1/2 or at the posterior that the significance asks for."""


@dataclasses.dataclass(frozen=True, eq=False)
class FewEvents:
    """What rules choose on few simulated events, judged by the densities.

    Attributes:
        ratios: S / B after the best cut, shape (ratio,).
        sizes: simulated events of each of signal and background, shape (size,).
        worth: mean of the true significance at the chosen cut over the best one, shape (rule, ratio, size); the rules
            are those of `RULES_OF_FEW`.
        uncertainty: of that mean, likewise.
    """

    ratios: FloatArray
    sizes: FloatArray
    worth: FloatArray
    uncertainty: FloatArray


def few_events(
    ratios: Sequence[float] = RATIOS,
    sizes: Sequence[int] = SIZES,
    *,
    separation: float = 2.0,
    repetitions: int = 200,
    seed: int = 1,
) -> FewEvents:
    """Choose cuts on few simulated events, and judge them by the densities: two normal distributions of one width.

    Args:
        ratios: S / B after the best cut, positive; the signal's yield is chosen so.
        sizes: simulated events of each of signal and background.
        separation: distance of the two, in standard deviations.
        repetitions: independent simulations of each.
        seed: of all of them.

    Raises:
        InputError: a number that is not positive.

    Example:
        >>> found = few_events([2.513], [30], repetitions=50)
        >>> errors, best = found.worth[1, 0, 0], found.worth[0, 0, 0]
        >>> bool(errors > best)
        True
    """
    repetitions, seed = checks.count("repetitions", repetitions, least=2), checks.count("seed", seed)
    sizes = [checks.count("sizes", size, least=2) for size in sizes]
    separation = checks.positive("separation", separation)
    worth = np.empty((len(RULES_OF_FEW), len(ratios), len(sizes), repetitions))
    for i, ratio in enumerate(ratios):
        problem = _with_ratio(checks.positive("ratios", ratio), separation)
        best = problem.optimum("asimov").value
        for j, size in enumerate(sizes):
            generator = np.random.default_rng([seed, i, j])
            drawn = [_Simulation.of(problem, size, generator) for _ in range(repetitions)]
            cuts = np.array([[rule(simulation) for simulation in drawn] for rule in RULES_OF_FEW.values()])
            worth[:, i, j] = np.nan_to_num(problem.value("asimov", cuts)) / best
    mean, spread = worth.mean(-1), worth.std(-1, ddof=1) / math.sqrt(repetitions)
    return FewEvents(np.asarray(ratios, dtype=np.float64), np.asarray(sizes, dtype=np.float64), mean, spread)


def _with_ratio(ratio: float, separation: float) -> CutProblem:
    """The problem whose best cut leaves this S / B."""
    signal, background = (Distribution("norm", (mean, 1.0), EVENTS) for mean in (separation, 0.0))

    def problem(log_strength: float) -> CutProblem:
        return CutProblem(signal, background, signal_strength=math.exp(log_strength))

    def excess(log_strength: float) -> float:
        return math.log(problem(log_strength).optimum("asimov").ratio / ratio)

    low, high = -12.0, 6.0
    if not excess(low) < 0 < excess(high):
        raise InputError(f"No yield of the signal leaves S / B = {ratio:g} after the best cut; choose another ratio.")
    return problem(scipy.optimize.brentq(excess, low, high, xtol=1e-6))
