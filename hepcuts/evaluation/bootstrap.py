"""How certain a value is at given hard cuts, and how much too good it is on the events that chose them.

`bootstrap` says how much of a value is the fluctuation of the simulated events: it takes the value in replicas of them.
The cuts stay where they are. So the spread is that of the value of *these* cuts: it contains neither that other events
would have chosen others, nor that these look too good on the events that did. Of the latter `optimism` is the measure:
the value on the events that chose the cuts without that of a cross-validation. Both are of the same events, whose
fluctuations they share, so that the difference is known better than either.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import as_selection

from .replicas import HardCuts
from .replicated import Replicated, Task


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bootstrap(Tabular):
    """Objective and significance of hard cuts in replicas of the events.

    Attributes:
        objective: the objective.
        significance: the discovery significance of the profile likelihood.
    """

    objective: Replicated
    significance: Replicated

    def to_dataframe(self) -> DataFrame:
        """A data frame with one row for each replica."""
        both = {self.objective.name: self.objective.replicas, "significance": self.significance.replicas}
        return data_frame(both)

    def overview(self) -> SummaryTable:
        """Both with their uncertainties."""
        rows = [("significance", str(self.significance))]
        if not np.array_equal(self.objective.replicas, self.significance.replicas, equal_nan=True):
            rows.append((f"objective {self.objective.name}", str(self.objective)))
        return SummaryTable("Bootstrap at fixed cuts", rows)


@dataclasses.dataclass(frozen=True, eq=False)
class Optimism:
    """How much better cuts look on the events that chose them.

    Attributes:
        training: the objective on the events that chose the cuts.
        validated: in the cross-validation, each event behind cuts that it did not choose.
        sign: +1 if larger is better, -1 for a loss.
    """

    training: Replicated
    validated: Replicated
    sign: int

    @property
    def value(self) -> float:
        """By how much the former is better; NaN if either has no value."""
        return self.sign * (self.training.value - self.validated.value)

    @property
    def uncertainty(self) -> float:
        """Standard deviation of the difference over replicas, all cuts where they are.

        At an optimum a value does not depend on the cuts to first order; that other events would have chosen others
        is left out.
        """
        differences = Replicated("", self.value, self.training.replicas - self.validated.replicas)
        return differences.uncertainty

    def __str__(self) -> str:
        return f"{self.value:.2g} +- {self.uncertainty:.2g}"

    def __repr__(self) -> str:
        return (
            f"Optimism {self}: {self.training.value:.4g} on the events that chose the cuts, "
            f"{self.validated.value:.4g} cross-validated"
        )


def bootstrap(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    objective: Given = "profile",
    axis: Any = None,
    regions: Iterable[Region] = (),
    replicas: int = 100,
    seed: int | np.random.Generator = 0,
) -> Bootstrap:
    """Objective and significance at fixed hard cuts in bootstrap replicas of the events.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        objective: a name, an object, or a function of yields and structure; see `hepcuts.merit.registry`. A loss of
            single events is taken to depend on an event by its truth, its weight and whether it passes.
        axis: as in `hepcuts.fill`.
        regions: control regions beside it.
        replicas: number of replicas. In each an event counts as often as a Poisson distribution of mean 1 says, in
            all regions and variations alike.
        seed: of the replicas.

    Raises:
        InputError: a threshold is not set, or fewer than two replicas.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> found = bootstrap(samples, hc.Cut("x", ">", 28.0), objective="s_over_sqrt_b", replicas=400)
        >>> found.objective.value > 5 * found.objective.uncertainty
        True
    """
    samples, chosen = check_samples(samples), as_selection(selection)
    if chosen is None:
        raise InputError("The selection is None; expected cuts with all of their thresholds.")
    task = Task(samples, figure_of_merit(objective), axis, tuple(regions), check_replicas(replicas, none=False))
    (both,) = task.evaluated_with_significance([HardCuts((chosen,))], seed)
    return Bootstrap(*both)


def optimism(
    samples: Iterable[Sample],
    selection: Selection,
    folds: tuple[Sequence[Selection], Sequence[NDArray[Any]]],
    *,
    objective: Given = "profile",
    axis: Any = None,
    regions: Iterable[Region] = (),
    replicas: int = 100,
    seed: int | np.random.Generator = 0,
) -> Optimism:
    """How much better cuts look on the events that chose them than in a cross-validation.

    Args:
        samples: the events that chose the cuts.
        selection: these cuts.
        folds: for each fold the cuts that the other folds chose, and for each sample the fold of each of its events,
            shape (event,).
        objective: as in `bootstrap`.
        axis: likewise.
        regions: likewise.
        replicas: likewise, for the uncertainty.
        seed: likewise.

    Raises:
        InputError: as `bootstrap`.
        SampleError: as `bootstrap`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> tight, loose = (hc.Selection(hc.Cut("x", ">", t)) for t in (28.0, 20.0))
        >>> members = [np.arange(len(sample)) % 2 for sample in samples]
        >>> found = optimism(samples, tight, ([tight, loose], members), objective="asimov")
        >>> found.value > 10 * found.uncertainty
        True
    """
    samples, goal = check_samples(samples), figure_of_merit(objective)
    selections, members = folds
    task = Task(samples, goal, axis, tuple(regions), check_replicas(replicas, none=False))
    of_folds = HardCuts(tuple(selections), tuple(members))
    training, validated = task.evaluated([HardCuts((selection,)), of_folds], seed)
    return Optimism(training, validated, goal.sign)


def check_replicas(replicas: int, *, none: bool = True) -> int:
    """The number of replicas, 0 for none if that is allowed.

    Raises:
        InputError: too few of them.
    """
    if replicas < 2 and not (none and replicas == 0):
        raise InputError(f"replicas is {replicas}; expected at least 2 for a spread.")
    return int(replicas)
