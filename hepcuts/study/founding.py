"""The founding question in numbers: where the posterior is cut, cut or fit, and where accuracy matters."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from hepcuts import plotting
from hepcuts._core.types import FloatArray
from hepcuts.merit.theory import CutProblem, fitted_significance, posterior_threshold, price_of_decisions
from hepcuts.samples.datasets import SCENARIOS

from .few_events import RULES_OF_FEW, FewEvents
from .sentences import percent

RATIOS_SHOWN = (0.1, 0.5, 1.0, 2.513, 5.0, 10.0)
"""S / B after the cut, in the table of thresholds."""
EXAMPLE = "gauss40x10-gauss50x10"
"""The scenario of the figure of prices."""


@dataclasses.dataclass(frozen=True)
class CutOrFit:
    """What a scenario is worth, from its densities, the background known; in standard deviations.

    Attributes:
        name: of the scenario.
        bce: Asimov significance after the cut of BCE; 0 where it keeps nothing.
        best: after the best cut.
        fit: of a fit of the variable, or of the posterior, in fine bins.
    """

    name: str
    bce: float
    best: float
    fit: float


def cut_or_fit(names: Iterable[str] | None = None) -> tuple[CutOrFit, ...]:
    """Compare the cut of BCE, the best cut and the fit of scenarios.

    Args:
        names: scenarios, or None for all five.

    Raises:
        InputError: an unknown scenario.

    Example:
        >>> cut_or_fit(["gauss40x10-gauss50x10"])[0].fit.__round__(1)
        15.2
    """
    found = []
    for name in SCENARIOS if names is None else names:
        problem = CutProblem.of_scenario(name)
        best = problem.optimum("asimov").value
        found.append(CutOrFit(name, problem.worth("bce") * best, best, fitted_significance(problem)))
    return tuple(found)


def rows_of_thresholds() -> list[tuple[str, ...]]:
    """S / B after the cut, the weight of the background, and the posterior that is cut at."""
    thresholds = posterior_threshold(RATIOS_SHOWN)
    return [
        (f"{r:g}", f"{p / (1 - p):.3g}", f"{p:.3f}") for r, p in zip(RATIOS_SHOWN, map(float, thresholds), strict=True)
    ]


def rows_of_fit() -> list[tuple[str, ...]]:
    """The scenarios with their three significances."""
    return [(one.name, *(f"{z:.3g}" for z in (one.bce, one.best, one.fit))) for one in cut_or_fit()]


def rows_of_few(found: FewEvents) -> list[tuple[str, ...]]:
    """One row for each rule and ratio: what its cuts are worth with each number of events."""

    def cells(worth: FloatArray, uncertainty: FloatArray) -> Iterator[str]:
        return (f"{percent(w, 1)} +- {percent(u, 1)}" for w, u in zip(worth, uncertainty, strict=True))

    return [
        (f"{ratio:g}", name, *cells(found.worth[k, i], found.uncertainty[k, i]))
        for i, ratio in enumerate(found.ratios)
        for k, name in enumerate(RULES_OF_FEW)
    ]


def price_drawing() -> plotting.PriceBars:
    """What a wrong decision costs along the variable of one scenario."""
    return plotting.price(price_of_decisions(CutProblem.of_scenario(EXAMPLE)))


def few_drawing(found: FewEvents) -> plotting.SpreadCurves:
    """What the rules' cuts are worth where BCE and the significance agree, or at the ratio nearest to that."""
    at = int(np.argmin(np.abs(np.log(found.ratios / 2.513))))
    worth, sigma = found.worth[:, at], found.uncertainty[:, at]
    return plotting.spread(
        found.sizes,
        {name: np.stack([w - u, w, w + u]) for name, w, u in zip(RULES_OF_FEW, worth, sigma, strict=True)},
        xlabel="Simulated events of each of signal and background",
        ylabel="True $Z$ at the cut / best true $Z$",
        title=f"$S/B$ = {found.ratios[at]:g} after the best cut",
        reference=1.0,
    )
