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

from hepcuts._core.executors import Executor
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.losses import AbstractDecisionLoss, AbstractEventFigure
from hepcuts.merit.registry import PROFILE, Given, figure_of_merit
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.templates import Yields

from .replicas import (
    HardCuts,
    complete_selection,
    replicated_totals,
    replicated_yields,
    values_in_rows,
)
from .resampling import AbstractFolds, AbstractResampling, ReplicasLike, some_replicas_of

_CENTRAL = (0.15865525393145707, 0.8413447460685429)
"""Quantiles of a normal distribution one standard deviation below and above its mean."""


@dataclasses.dataclass(frozen=True, eq=False)
class Replicated:
    """A quantity on the events and on replicas of them.

    Attributes:
        name: of the quantity.
        value: on the events.
        replicas: on replicas, shape (replica,); NaN where there is no value.
    """

    name: str
    value: float
    replicas: FloatArray

    @property
    def known(self) -> FloatArray:
        """The values of those replicas that have one, shape (at most replica,)."""
        return self.replicas[np.isfinite(self.replicas)]

    @property
    def undefined(self) -> int:
        """Number of replicas without a value, such as those that have no background."""
        return len(self.replicas) - len(self.known)

    @property
    def mean(self) -> float:
        """Mean over the replicas; NaN without any."""
        return float(np.mean(self.known)) if len(self.known) else np.nan

    @property
    def uncertainty(self) -> float:
        """Standard deviation over the replicas; NaN if fewer than two have a value."""
        return float(np.std(self.known, ddof=1)) if len(self.known) > 1 else np.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The central 68 % of the replicas."""
        if len(self.known) < 2:
            return np.nan, np.nan
        low, high = np.quantile(self.known, _CENTRAL)
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval
        missing = f", {self.undefined} without a value" if self.undefined else ""
        return (
            f"{self.value:.4g} +- {self.uncertainty:.2g} (68 % of {len(self.replicas)} replicas: {low:.4g} to "
            f"{high:.4g}{missing})"
        )


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
        validated: in the cross-validation, each event after cuts that it did not choose.
        sign: +1 if larger is better, -1 for a loss.
    """

    training: Replicated
    validated: Replicated
    sign: int

    def corrected(self, excess: float) -> "Optimism":
        """The same with an excess of the cross-validated value taken off, which replicas have alike."""
        one = self.validated
        return dataclasses.replace(self, validated=Replicated(one.name, one.value - excess, one.replicas - excess))

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
    replicas: ReplicasLike = 100,
    seed: int | np.random.Generator = 0,
    executor: Executor | None = None,
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
            all regions and variations alike. Or a resampling of another kind, see `hepcuts.evaluation.resampling`.
        seed: of the replicas.
        executor: who sums the events, see `hepcuts._core.executors`; None for threads.

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
    samples, chosen = check_samples(samples), complete_selection(selection)
    figure, drawn = figure_of_merit(objective), some_replicas_of(replicas, seed=seed)
    figures = [figure] if figure.is_significance else [figure, PROFILE]
    (found,) = _replicated(
        samples, [HardCuts((chosen,))], figures, where=(axis, tuple(regions)), replicas=drawn, executor=executor
    )
    return Bootstrap(found[0], dataclasses.replace(found[-1], name="significance"))


def optimism(
    samples: Iterable[Sample],
    selection: Selection,
    chosen: tuple[Sequence[Selection], AbstractFolds],
    *,
    objective: Given = "profile",
    axis: Any = None,
    regions: Iterable[Region] = (),
    replicas: ReplicasLike = 100,
    seed: int | np.random.Generator = 0,
    executor: Executor | None = None,
) -> Optimism:
    """How much better cuts look on the events that chose them than in a cross-validation.

    Args:
        samples: the events that chose the cuts.
        selection: these cuts.
        chosen: for each fold the cuts that the other folds chose, and the folds.
        objective: as in `bootstrap`.
        axis: likewise.
        regions: likewise.
        replicas: likewise, for the uncertainty.
        seed: likewise.
        executor: likewise.

    Raises:
        InputError: as `bootstrap`.
        SampleError: as `bootstrap`.

    Example:
        >>> import hepcuts as hc
        >>> from hepcuts.evaluation.resampling import Folds
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> tight, loose = (hc.Selection(hc.Cut("x", ">", t)) for t in (28.0, 20.0))
        >>> found = optimism(samples, tight, ([tight, loose], Folds(2)), objective="asimov")
        >>> found.value > 10 * found.uncertainty
        True
    """
    samples, figure, drawn = (
        check_samples(samples),
        figure_of_merit(objective),
        some_replicas_of(replicas, seed=seed),
    )
    cuts = [HardCuts((selection,)), HardCuts(tuple(chosen[0]), chosen[1])]
    (training,), (validated,) = _replicated(
        samples, cuts, [figure], where=(axis, tuple(regions)), replicas=drawn, executor=executor
    )
    return Optimism(training, validated, figure.sign)


def _replicated(
    samples: Sequence[Sample],
    cuts: Sequence[HardCuts],
    figures: Sequence[AbstractFigureOfMerit],
    *,
    where: tuple[Any, Sequence[Region]],
    replicas: AbstractResampling,
    executor: Executor | None,
) -> list[list[Replicated]]:
    """Figures of merit after each of some cuts, all with the same replicas of the events."""
    structures, yields = replicated_yields(
        samples, cuts, axis=where[0], regions=where[1], replicas=replicas, executor=executor
    )

    def values(figure: AbstractFigureOfMerit, of_cuts: Sequence[Yields]) -> FloatArray:
        if not isinstance(figure, AbstractEventFigure):
            return values_in_rows(figure, structures, of_cuts, totals_of(samples))
        if not isinstance(figure, AbstractDecisionLoss):
            # A loss of soft cuts has no replicas.
            return np.full(1 + replicas.size, np.nan)
        return values_in_rows(figure, structures, of_cuts, replicated_totals(samples, replicas, executor))

    every = [[(figure.name, values(figure, of_cuts)) for figure in figures] for of_cuts in yields]
    return [[Replicated(name, float(z[0]), z[1:]) for name, z in of_cuts] for of_cuts in every]
