"""The size of the simulation: cuts are chosen on events and judged by the densities that the events were drawn from.

An optimum that is judged on the events that chose it is on average too good. Here the judge is the truth, so that two
things show which no scan of one simulation can: how far a choice scatters, and what it is worth on average.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts._core.progress import steps
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Cut
from hepcuts.merit.theory import CutProblem
from hepcuts.samples.datasets import SCENARIOS, Scenario
from hepcuts.samples.sample import Sample
from hepcuts.scanning.scan import ScanResult, scan

NUM_THRESHOLDS = 400
"""Thresholds of each scan; what a finer one would gain is far below what the events scatter."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A way to choose a cut.

    Attributes:
        metric: name of the metric that is to be best.
        min_background: effective number of simulated background events that a cut must leave.
        label: for figures and tables.
    """

    metric: str
    min_background: float
    label: str


RULES: tuple[Rule, ...] = (
    Rule("bce", 0.0, "BCE"),
    Rule("s_over_sqrt_b", 0.0, "S/√B"),
    Rule("asimov", 0.0, "Asimov"),
    Rule("asimov", 10.0, "Asimov, at least 10 events"),
    Rule("asimov_uncertainty", 0.0, "Asimov with finite simulation"),
    Rule("profile", 0.0, "profile likelihood"),
    Rule("profile", 10.0, "profile likelihood, at least 10 events"),
)
"""The rules that are compared. "At least 10 events": effective simulated background events after the cut."""


@dataclasses.dataclass(frozen=True, eq=False)
class SimulationSize:
    """What the rules choose on simulations of several sizes, and what that is worth.

    Attributes:
        scenario: name of the scenario.
        sizes: simulated events of signal and of background, each, shape (size,). Expected yields stay the same.
        rules: the rules.
        cuts: the chosen cuts, shape (rule, size, repetition); NaN where a rule had no choice.
        worth: Asimov significance of the true yields after the chosen cut, the background known, over the best one;
            shape (rule, size, repetition).
        worth_with_simulation: the same, with the uncertainty that a simulation of this size gives the true yield.
        claimed: the metric on the events that chose the cut, same shape.
        best_cut: the best cut according to the densities, the background known.
        best_significance: the Asimov significance there.
        best_cut_with_simulation: the best cut with the uncertainty of the simulation, shape (size,): of an auxiliary
            Poisson count of the simulated events.
        best_cut_gaussian: the same for a Gaussian constraint of the same width, as of pyhf's ``staterror``.
    """

    scenario: str
    sizes: FloatArray
    rules: tuple[Rule, ...]
    cuts: FloatArray
    worth: FloatArray
    worth_with_simulation: FloatArray
    claimed: FloatArray
    best_cut: float
    best_significance: float
    best_cut_with_simulation: FloatArray
    best_cut_gaussian: FloatArray

    def optimism(self) -> FloatArray:
        """Claimed Asimov significance over the true one at the same cut, shape (rule, size, repetition).

        NaN for rules whose metric is another one than ``"asimov"``.
        """
        asimov = np.array([rule.metric == "asimov" for rule in self.rules])[:, np.newaxis, np.newaxis]
        true = self.worth * self.best_significance
        return np.divide(self.claimed, true, out=np.full_like(true, np.nan), where=asimov & (true > 0))


def interval(values: FloatArray) -> FloatArray:
    """16 % quantile, median and 84 % quantile over the repetitions, shape (3, rule, size); NaN is left out."""
    known = np.isfinite(values).any(-1)
    found = np.full((3, *values.shape[:-1]), np.nan)
    if known.any():
        found[:, known] = np.nanquantile(values[known], [0.16, 0.5, 0.84], axis=-1)
    return found


def simulation_size(
    name: str, *, sizes: ArrayLike, repetitions: int, seed: int, rules: Sequence[Rule] = RULES
) -> SimulationSize:
    """Choose cuts on simulations of several sizes and judge them by the densities.

    Args:
        name: a scenario of `hepcuts.samples.datasets.SCENARIOS`; its expected yields and densities.
        sizes: numbers of simulated events of each of signal and background.
        repetitions: independent simulations of each size.
        seed: seed of all of them.
        rules: how cuts are chosen.

    Raises:
        InputError: an unknown scenario, or numbers that are not positive integers.

    Example:
        >>> found = simulation_size("gauss40x10-gauss50x10", sizes=[100, 1000], repetitions=2, seed=1)
        >>> found.worth.shape, bool(np.all(found.worth <= 1.0))
        ((7, 2, 2), True)
    """
    if name not in SCENARIOS:
        raise InputError(f"There is no scenario {name!r}; choose one of {', '.join(SCENARIOS)}.")
    numbers = np.asarray(sizes)
    if numbers.ndim != 1 or not numbers.size or numbers.dtype.kind not in "iu" or numbers.min() < 1:
        raise InputError(f"sizes are {sizes!r}; expected positive whole numbers.")
    repetitions, seed = checks.count("repetitions", repetitions, least=1), checks.count("seed", seed)
    truth = SCENARIOS[name]
    exact = _ScenarioTruth(name, None)
    own = [_ScenarioTruth(name, int(number)) for number in numbers]
    both = (truth.signal.frozen, truth.background.frozen)
    thresholds = np.linspace(min(d.ppf(1e-3) for d in both), max(d.isf(1e-3) for d in both), NUM_THRESHOLDS)
    shape = (len(rules), len(numbers), repetitions)
    cuts, claimed, worth, with_simulation = (np.full(shape, np.nan) for _ in range(4))
    cases = [(i, r) for i in range(len(numbers)) for r in range(repetitions)]
    for i, r in steps(cases, f"simulating {name}"):
        samples = _simulate(truth, int(numbers[i]), np.random.default_rng([seed, i, r]))
        metrics = tuple(dict.fromkeys(rule.metric for rule in rules))
        result = scan(samples, Cut("x", ">"), metrics=metrics, thresholds=thresholds, replicas=0, folds=0)
        cuts[:, i, r], claimed[:, i, r] = _chosen(result, rules)
        worth[:, i, r] = exact.worth(cuts[:, i, r])
        with_simulation[:, i, r] = own[i].worth(cuts[:, i, r])
    return SimulationSize(
        name,
        numbers.astype(np.float64),
        tuple(rules),
        cuts,
        worth,
        with_simulation,
        claimed,
        exact.best.threshold,
        exact.best.value,
        np.array([one.best.threshold for one in own]),
        np.array([one.problem.optimum("asimov_gaussian").threshold for one in own]),
    )


class _ScenarioTruth:
    """The truth of a scenario: what any cut is worth, with as many simulated background events as given."""

    def __init__(self, name: str, simulated: int | None) -> None:
        self.problem = CutProblem.of_scenario(name, simulated_background=simulated)
        self.best = self.problem.optimum("asimov_uncertainty")

    def worth(self, cuts: FloatArray) -> FloatArray:
        """Significance over the best one, shape as the cuts; NaN at a cut that is NaN."""
        return self.problem.value("asimov_uncertainty", cuts) / self.best.value


def _simulate(truth: Scenario, size: int, generator: np.random.Generator) -> tuple[Sample, Sample]:
    """Samples of so many events each, with weights that keep the expected yields."""
    drawn = [dataclasses.replace(part, size=size).draw(generator) for part in (truth.signal, truth.background)]
    weights = [np.full(size, part.size / size) for part in (truth.signal, truth.background)]
    return (
        Sample("signal", {"x": drawn[0]}, weights=weights[0], signal=True),
        Sample("background", {"x": drawn[1]}, weights=weights[1]),
    )


def _chosen(result: ScanResult, rules: Iterable[Rule]) -> tuple[list[float], list[float]]:
    """Cut and claimed value of each rule; NaN where it has no choice."""
    cuts, claimed = [], []
    for rule in rules:
        try:
            optimum = result.optimum(rule.metric, min_background=rule.min_background)
        except InputError:
            cuts.append(np.nan)
            claimed.append(np.nan)
        else:
            cuts.append(float(optimum.threshold))
            claimed.append(float(optimum.value))
    return cuts, claimed
