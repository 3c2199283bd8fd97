"""Objectives and significances in replicas of the events, after hard cuts; all likelihoods fitted side by side."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import FitError, YieldError
from hepcuts._core.types import FloatArray
from hepcuts.cuts.regions import Region
from hepcuts.merit.counts import Counts, Totals, totals_of
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.losses import AbstractDecisionLoss, AbstractEventFigure
from hepcuts.merit.registry import PROFILE
from hepcuts.merit.rows import Rows
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Structure, Yields

from .replicas import AbstractHardCuts, replicated_decisions, replicated_yields
from .resampling import PoissonReplicas

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


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What is to be evaluated in replicas of which events.

    Attributes:
        samples: the events.
        goal: the objective.
        axis: of the signal region.
        regions: further regions.
        replicas: of the events.
    """

    samples: tuple[Sample, ...]
    goal: AbstractFigureOfMerit
    axis: Any
    regions: tuple[Region, ...]
    replicas: PoissonReplicas

    def evaluated(self, cuts: Sequence[AbstractHardCuts]) -> list[Replicated]:
        """The objective after each of some cuts, all with the same replicas."""
        structures, found = self._yields(cuts)
        values = [fitted_significances(structures, y) for y in found] if self._is_fitted else None
        return self._objectives(cuts, structures, found, values)

    def evaluated_with_significance(self, cuts: Sequence[AbstractHardCuts]) -> list[tuple[Replicated, Replicated]]:
        """The objective, and the discovery significance, of which it may be a copy under its own name."""
        structures, found = self._yields(cuts)
        fitted = [fitted_significances(structures, yields) for yields in found]
        significances = [Replicated("significance", float(z[0]), z[1:]) for z in fitted]
        values = fitted if self._is_fitted else None
        return list(zip(self._objectives(cuts, structures, found, values), significances, strict=True))

    @property
    def _is_fitted(self) -> bool:
        """Whether the objective is the significance itself."""
        return self.goal.is_significance

    def _yields(self, cuts: Sequence[AbstractHardCuts]) -> tuple[list[Structure], list[list[Yields]]]:
        return replicated_yields(self.samples, cuts, axis=self.axis, regions=self.regions, replicas=self.replicas)

    def _objectives(
        self,
        cuts: Sequence[AbstractHardCuts],
        structures: Sequence[Structure],
        yields: Sequence[Sequence[Yields]],
        values: Sequence[FloatArray] | None,
    ) -> list[Replicated]:
        """The objective, of values that are known already or else found here."""
        if values is None and isinstance(self.goal, AbstractEventFigure):
            values = self._losses(cuts)
        elif values is None:
            totals = totals_of(self.samples)
            values = [_values(self.goal, structures, of_cuts, totals) for of_cuts in yields]
        return [Replicated(self.goal.name, float(z[0]), z[1:]) for z in values]

    def _losses(self, cuts: Sequence[AbstractHardCuts]) -> list[FloatArray]:
        """A loss of decisions, from the weights of what fails and what passes; another loss has no replicas."""
        if not isinstance(self.goal, AbstractDecisionLoss):
            return [np.full(1 + self.replicas.size, np.nan) for _ in cuts]
        sums = replicated_decisions(self.samples, cuts, axis=self.axis, replicas=self.replicas)
        signal = np.array([sample.signal for sample in self.samples])
        found = []
        for of_cuts in sums:
            passed, everything = of_cuts[..., 1], of_cuts.sum(axis=-1)
            (s, all_s), (b, all_b) = (
                [table[:, kind].sum(axis=1) for table in (passed, everything)] for kind in (signal, ~signal)
            )
            with np.errstate(all="ignore"):
                found.append(self.goal.of_counts(Counts(s[:, None], b[:, None], all_s, all_b, lambda: np.zeros(1))))
        return found


def fitted_significances(structures: Sequence[Structure], yields: Sequence[Yields]) -> FloatArray:
    """Discovery significances of the profile likelihood on the Asimov dataset, side by side.

    Args:
        structures: of each channel.
        yields: of each channel, of shape (row, variation, sample, bin).

    Returns:
        Shape (row,); NaN where there is none.
    """
    return _values(PROFILE, structures, yields, (np.nan, np.nan))


def _values(
    figure: AbstractFigureOfMerit, structures: Sequence[Structure], yields: Sequence[Yields], totals: Totals
) -> FloatArray:
    """A figure of merit of the templates, NaN where it has no value, shape (row,)."""
    regions = [Rows.of_yields(structure, found, totals) for structure, found in zip(structures, yields, strict=True)]
    try:
        values = figure.values(regions)
    except (FitError, YieldError):
        return np.full(len(regions[0]), np.nan)
    return np.where(np.isfinite(values), values, np.nan)
