"""The best there is on known densities: the best cut, in rounds of weighted classification, and the fit."""

import numpy as np
from numpy.typing import ArrayLike

from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts.merit.counting import asimov_significance
from hepcuts.merit.cross_entropy import WeightedCrossEntropy
from hepcuts.merit.price import PriceOfDecisions
from hepcuts.merit.registry import Given
from hepcuts.merit.rounds import Chosen, Rounds, climb, condition_of

from .problem import CutProblem, known_of

_NODES = np.polynomial.legendre.leggauss(16)
"""Of the quadrature between two neighboring cuts of the grid."""


def rounds(
    problem: CutProblem, objective: Given = "asimov", *, background_weight: float | None = None, max_rounds: int = 200
) -> Rounds:
    """Find the best cut by weighted classification: BCE, the weight that its cut asks for, BCE with it, and so on.

    No round is worse than the one before. The rounds end where another one would change nothing, which is not always
    the best cut of all: `CutProblem.optimum` compares all.

    Args:
        problem: densities and yields.
        objective: a closed form, by its name or as an object.
        background_weight: with which to start; None for the better of two climbs: from the weight that no cut at all
            asks for, and from 1, the cut of BCE.
        max_rounds: of a climb.

    Raises:
        InputError: the weight of the background is not known of the objective, a weight is not positive, or nothing is
            kept by the first cut.

    Example:
        >>> found = rounds(CutProblem.of_scenario("exp10-gauss50x10"), background_weight=1.0)
        >>> print(*(f"{one.threshold:.3f}" for one in found.rounds[:4]), "...", f"{found.threshold:.3f}")
        32.115 37.246 38.890 39.387 ... 39.593
    """
    figure, _ = known_of(objective)
    condition = condition_of(figure)
    max_rounds = checks.count("max_rounds", max_rounds, least=1)

    def asked(c: float) -> float:
        return float(condition(problem.ratio(c), *problem.variance(c)))

    def choose(weight: float) -> Chosen | None:
        best = problem.optimum(WeightedCrossEntropy(background_weight=weight))
        if not best.background > 0:
            return None
        c = best.threshold
        return Chosen(c, best.signal, best.background, float(problem.value(figure, c)), asked(c))

    starts = (asked(-np.inf), 1.0) if background_weight is None else (background_weight,)
    return climb(choose, starts, objective=figure.name, max_rounds=max_rounds, tolerance=1e-10)


def fitted_significance(problem: CutProblem) -> float:
    """Asimov significance if the variable is fitted in infinitely fine bins, the background known.

    `Z^2` is then the integral of `2 [(s + b) ln(1 + s/b) - s]`. It is the most that any use of the variable can give,
    and that of a fit of any function of it which orders events by `s/b`, such as a perfectly trained classifier.

    Raises:
        InputError: the background is uncertain.

    Example:
        >>> print(f"{fitted_significance(CutProblem.of_scenario('exp10-gauss50x10')):.2f}")
        470.50
    """
    if problem.relative_uncertainty or problem.simulated_background is not None:
        raise InputError(
            "With an uncertain background the bins of a fit are no independent experiments; give the fit as a "
            "likelihood (hepcuts.discovery_significance)."
        )
    edges, (x, weights) = problem.grid, _NODES
    # Exponential distributions start at a jump, which no interval may straddle.
    edges = np.unique(np.concatenate([edges, [tail.loc for tail in problem.tails]]))
    half = 0.5 * np.diff(edges)
    nodes = edges[:-1, None] + half[:, None] * (1.0 + x)
    s, b = problem.densities(nodes)
    with np.errstate(all="ignore"):
        squares = np.where((s > 0) & (b > 0), asimov_significance(s, np.where(b > 0, b, 1.0)) ** 2, 0.0)
    return float(np.sqrt(np.sum(half[:, None] * weights * squares)))


def price_of_decisions(
    problem: CutProblem, objective: Given = "asimov", *, edges: ArrayLike | None = None
) -> PriceOfDecisions:
    """What a wrong decision costs along the variable, if the best cut of a figure of merit is the aim.

    Args:
        problem: densities and yields.
        objective: a closed form, by its name or as an object.
        edges: of the bins, ascending; None for 60 bins that hold all but a thousandth of both.

    Raises:
        InputError: as `rounds`, or there is no finite best cut.

    Example:
        >>> found = price_of_decisions(CutProblem.of_scenario("gauss40x10-gauss50x10"), edges=[30, 45, 48, 60, 70, 80])
        >>> print(f"{found.posterior_threshold:.3f}", found.price.round(1))
        0.110 [334.4   7.  165.2  97.3  17.6]
    """
    figure, _ = known_of(objective)
    condition, best, bce = condition_of(figure), problem.optimum(figure), problem.optimum("bce")
    if not np.isfinite(best.threshold):
        raise InputError(f"{figure.name!r} has no finite best cut here ({best.message}).")
    if edges is None:
        both = (problem.signal.frozen, problem.background.frozen)
        edges = np.linspace(min(d.ppf(1e-3) for d in both), max(d.isf(1e-3) for d in both), 61)
    s, b = (-np.diff(above) for above in problem.yields(edges))
    weight = float(condition(best.ratio, *problem.variance(best.threshold)))
    return PriceOfDecisions(np.asarray(edges), s, b, weight, best.threshold, bce.threshold)
