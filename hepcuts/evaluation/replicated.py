"""Objectives and significances in replicas of the events, after hard cuts; all likelihoods fitted side by side."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import FitError, SampleError, YieldError
from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.histfactory import HistFactory, discovery_significance, significances
from hepcuts.merit.binding import TemplateMapper
from hepcuts.merit.objectives import (
    AbstractObjective,
    AbstractTemplateObjective,
    LikelihoodObjective,
    TemplateObjective,
)
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Structure, Templates, Yields
from hepcuts.templates.workspace import workspace

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
    goal: AbstractObjective
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
        return isinstance(self.goal, LikelihoodObjective) and self.goal.statistic is discovery_significance

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
        if values is None and isinstance(self.goal, AbstractTemplateObjective):
            values = [_values(self.goal, structures, of_cuts) for of_cuts in yields]
        elif values is None:
            values = self._losses(cuts)
        return [Replicated(self.goal.name, float(z[0]), z[1:]) for z in values]

    def _losses(self, cuts: Sequence[AbstractHardCuts]) -> list[FloatArray]:
        """A loss of single events: those of one sample that pass, and those that fail, are one event each."""
        sums = replicated_decisions(self.samples, cuts, replicas=self.replicas)
        found = []
        for of_cuts, hard in zip(sums, cuts, strict=True):
            selection = hard.first
            merged = [_Merged.of(sample, selection) for sample in self.samples]
            found.append(np.array([self._loss(row, merged, selection) for row in of_cuts]))
        return found

    def _loss(self, weights: FloatArray, merged: Sequence["_Merged"], selection: Selection) -> float:
        try:
            samples = [sample.weighing(row) for sample, row in zip(merged, weights, strict=True)]
        except SampleError:
            return np.nan  # nothing of a sample was drawn
        return float(self.goal.hard(samples, (), selection))


@dataclasses.dataclass(frozen=True, eq=False)
class _Merged:
    """A sample of one event that fails and one that passes, if there are such.

    Attributes:
        sample: these events.
        decisions: which of the two there are, shape (event,).
    """

    sample: Sample
    decisions: NDArray[np.int64]

    @classmethod
    def of(cls, sample: Sample, selection: Selection) -> "_Merged":
        """The first of each kind."""
        decisions, first = np.unique(selection.mask(sample.columns, missing=sample.missing), return_index=True)
        columns = {name: values[first] for name, values in sample.columns.items()}
        return cls(
            Sample(sample.name, columns, signal=sample.signal, missing=sample.missing), decisions.astype(np.int64)
        )

    def weighing(self, weights: FloatArray) -> Sample:
        """With weights of shape (2,) of what fails and what passes."""
        mine = self.sample
        return Sample(
            mine.name, mine.columns, weights=weights[self.decisions], signal=mine.signal, missing=mine.missing
        )


def _has_model(structures: Sequence[Structure], yields: Sequence[Yields]) -> NDArray[np.bool_]:
    """Rows with a likelihood: no negative yields, and background wherever there is signal; shape (row,)."""
    good = np.ones(len(np.asarray(yields[0].values)), dtype=bool)
    for structure, found in zip(structures, yields, strict=True):
        signal = np.array([component.signal for component in structure.components])
        nominal = np.asarray(found.nominal)
        s, b = nominal[:, signal].sum(axis=1), nominal[:, ~signal].sum(axis=1)
        good &= np.all(nominal.sum(axis=2) >= 0, axis=1) & np.all(s + b >= 0, axis=1)
        good &= np.all((b > 0) | ((b == 0) & (s == 0)), axis=1) & (b.sum(axis=1) > 0)
    return good


def _references(structures: Sequence[Structure], yields: Sequence[Yields], rows: NDArray[np.bool_]) -> list[Templates]:
    """Templates of which every yield is positive that is in any row: pyhf builds the model of them."""
    return [
        Templates(
            structure,
            Yields(*(np.asarray(a)[rows].max(axis=0) for a in (found.values, found.variances))),
            np.zeros(len(structure.components)),
        )
        for structure, found in zip(structures, yields, strict=True)
    ]


def fitted_significances(structures: Sequence[Structure], yields: Sequence[Yields]) -> FloatArray:
    """Discovery significances of the profile likelihood on the Asimov dataset, side by side.

    Args:
        structures: of each channel.
        yields: of each channel, of shape (row, variation, sample, bin).

    Returns:
        Shape (row,); NaN where there is none.
    """
    rows = _has_model(structures, yields)
    found = np.full(len(rows), np.nan)
    if rows.any():
        try:
            likelihood = HistFactory.from_workspace(workspace(_references(structures, yields, rows)))
            taken = [Yields(np.asarray(y.values)[rows], np.asarray(y.variances)[rows]) for y in yields]
            found[rows] = significances(likelihood, TemplateMapper(likelihood, structures)(taken))
        except (FitError, YieldError):
            pass
    return found


def _values(goal: AbstractTemplateObjective, structures: Sequence[Structure], yields: Sequence[Yields]) -> FloatArray:
    """An objective of the templates, NaN where it has no value, shape (row,)."""
    rows = _has_model(structures, yields)
    if not isinstance(goal, LikelihoodObjective):
        signal = np.array([component.signal for component in structures[0].components])
        rows = np.asarray(yields[0].nominal)[:, ~signal].sum(axis=(1, 2)) > 0
    if not rows.any():
        return np.full(len(rows), np.nan)
    if isinstance(goal, TemplateObjective) and goal.batched:
        values = np.asarray(goal.of_rows(yields, _references(structures, yields, rows)), dtype=np.float64)
        return np.where(rows & np.isfinite(values), values, np.nan)
    stand_in = int(np.argmax(rows))
    # All rows at once, in one shape for which JAX has compiled before; those without a value have that of another.
    taken = [np.where(rows, np.arange(len(rows)), stand_in)] * len(yields)
    batch = [Yields(np.asarray(y.values)[at], np.asarray(y.variances)[at]) for y, at in zip(yields, taken, strict=True)]

    def evaluated(batch: Any) -> Any:
        of_yields = goal.of_yields(_references(structures, yields, rows))
        return jax.vmap(of_yields)(jax.tree.map(lambda a: jnp.asarray(a, dtype=float), batch))

    try:
        values = np.array(float64_scope(evaluated)(batch), dtype=np.float64)
    except (FitError, YieldError):
        return np.full(len(rows), np.nan)
    return np.where(rows & np.isfinite(values), values, np.nan)
