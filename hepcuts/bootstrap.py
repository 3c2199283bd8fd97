"""How certain a value is at given hard cuts, and how much too good it is on the events that chose them.

`bootstrap` says how much of a value is the fluctuation of the simulated events: it takes the value in replicas of them.
The cuts stay where they are. So the spread is that of the value of *these* cuts: it contains neither that other events
would have chosen others, nor that these look too good on the events that did. Of the latter `optimism` is the measure:
the value on the events that chose the cuts without that of a cross-validation. Both are of the same events, whose
fluctuations they share, so that the difference is known better than either.

The asymptotic likelihoods of all replicas are fitted side by side.
"""

import dataclasses
import html
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._precision import float64_scope
from ._types import FloatArray
from .cuts import AbstractCut, Selection
from .errors import FitError, InputError, SampleError, YieldError
from .filling import as_selection
from .histfactory import HistFactory, TemplateMapper, discovery_significance, significances
from .objectives import AbstractObjective, AbstractTemplateObjective, LikelihoodObjective
from .objectives import objective as find_objective
from .regions import Region
from .replicas import HardCuts, replicated_decisions, replicated_yields
from .samples import Sample, check_samples
from .templates import Structure, Templates, Yields
from .workspace import workspace

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
class Bootstrap:
    """Objective and significance of hard cuts in replicas of the events.

    Attributes:
        objective: the objective.
        significance: the discovery significance of the profile likelihood.
    """

    objective: Replicated
    significance: Replicated

    def to_dataframe(self) -> Any:
        """A pandas data frame with one row for each replica."""
        both = {self.objective.name: self.objective.replicas, "significance": self.significance.replicas}
        return pd.DataFrame(both)

    def rows(self) -> list[tuple[str, str]]:
        """The summary as pairs of label and text."""
        rows = [("significance", str(self.significance))]
        if self.objective.replicas is not self.significance.replicas:
            rows.append((f"objective {self.objective.name}", str(self.objective)))
        return rows

    def __repr__(self) -> str:
        return "\n".join(["Bootstrap at fixed cuts", *(f"  {label:<24s} {text}" for label, text in self.rows())])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{html.escape(label)}</th><td>{html.escape(text)}</td></tr>" for label, text in self.rows()
        )
        return f"<table><caption>Bootstrap at fixed cuts</caption>{cells}</table>"


@dataclasses.dataclass(frozen=True, eq=False)
class Optimism:
    """How much better cuts look on the events that chose them.

    Attributes:
        training: the objective on the events that chose the cuts.
        validated: in the cross-validation, each event behind cuts that it did not choose.
        sign: +1 if larger is better, -1 for a loss.
        choice: by how much the validated value is too good because it is the best of several: the best of several
            cross-validations is so by fluctuations, too. The mean over replicas of the best value in a replica,
            without the value on the events of what is best there; 0 if there was no choice.
    """

    training: Replicated
    validated: Replicated
    sign: int
    choice: float = 0.0

    @property
    def value(self) -> float:
        """By how much the former is better; NaN if either has no value."""
        return self.sign * (self.training.value - self.validated.value)

    @property
    def corrected(self) -> float:
        """The validated value without what the choice of the best adds to it."""
        return self.validated.value - self.sign * self.choice

    @property
    def uncertainty(self) -> float:
        """Standard deviation of the difference over replicas, all cuts where they are.

        At an optimum a value does not depend on the cuts to first order; that other events would have chosen others
        is left out.
        """
        differences = Replicated("", self.value, self.training.replicas - self.validated.replicas)
        return differences.uncertainty

    def __str__(self) -> str:
        choice = f", and {self.choice:.2g} by choosing the best of several" if self.choice else ""
        return f"{self.value:.2g} +- {self.uncertainty:.2g}{choice}"

    def __repr__(self) -> str:
        return (
            f"Optimism {self}: {self.training.value:.4g} on the events that chose the cuts, "
            f"{self.validated.value:.4g} cross-validated"
        )


def bootstrap(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    objective: str | AbstractObjective | Any = "profile",
    axis: Any = None,
    regions: Iterable[Region] = (),
    replicas: int = 100,
    seed: int | np.random.Generator = 0,
) -> Bootstrap:
    """Objective and significance at fixed hard cuts in bootstrap replicas of the events.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        objective: a name, an object, or a function of yields and structure; see `hepcuts.objectives`. A loss of
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
    task = _Task(samples, find_objective(objective), axis, tuple(regions), check_replicas(replicas, none=False))
    (found,) = task.evaluated([HardCuts((chosen,))], seed)
    return found


def optimism(
    samples: Iterable[Sample],
    selection: Selection,
    folds: tuple[Sequence[Selection], Sequence[NDArray[Any]]],
    *,
    objective: str | AbstractObjective | Any = "profile",
    axis: Any = None,
    regions: Iterable[Region] = (),
    rejected: Sequence[Sequence[Selection]] = (),
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
        rejected: cuts of the folds, as in `folds`, of what the cross-validation was tried with besides and found
            worse, such as other widths.
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
    samples, goal = check_samples(samples), find_objective(objective)
    selections, members = folds
    task = _Task(samples, goal, axis, tuple(regions), check_replicas(replicas, none=False))
    parts = [HardCuts(tuple(cuts), tuple(members)) for cuts in (selections, *rejected)]
    training, *validated = (found.objective for found in task.evaluated([HardCuts((selection,)), *parts], seed))
    return Optimism(training, validated[0], goal.sign, _of_choice(validated, goal.sign))


def _of_choice(tried: Sequence[Replicated], sign: int) -> float:
    """By how much the best of some values is too good because it is the best."""
    replicas = sign * np.array([one.replicas for one in tried])
    values = sign * np.array([one.value for one in tried])
    known = np.flatnonzero(np.isfinite(values))
    replicas = np.where(np.isfinite(replicas[known]), replicas[known], -np.inf)
    some = np.isfinite(replicas).any(axis=0)
    if len(known) < 2 or not some.any():
        return 0.0
    best = np.argmax(replicas[:, some], axis=0)
    return float(np.mean(replicas[:, some][best, np.arange(len(best))] - values[known][best]))


def check_replicas(replicas: int, *, none: bool = True) -> int:
    """The number of replicas, 0 for none if that is allowed.

    Raises:
        InputError: too few of them.
    """
    if replicas < 2 and not (none and replicas == 0):
        raise InputError(f"replicas is {replicas}; expected at least 2 for a spread.")
    return int(replicas)


@dataclasses.dataclass(frozen=True, eq=False)
class _Task:
    """What is to be evaluated in replicas of which events."""

    samples: tuple[Sample, ...]
    goal: AbstractObjective
    axis: Any
    regions: tuple[Region, ...]
    replicas: int

    def evaluated(self, cuts: Sequence[HardCuts], seed: int | np.random.Generator) -> list[Bootstrap]:
        """Objective and significance behind each of some cuts, all with the same replicas."""
        generator = np.random.default_rng(seed)
        structures, found = replicated_yields(
            self.samples, cuts, axis=self.axis, regions=self.regions, replicas=self.replicas, generator=generator
        )
        fitted = [_significances(structures, yields) for yields in found]
        if isinstance(self.goal, LikelihoodObjective) and self.goal.statistic is discovery_significance:
            values = fitted
        elif isinstance(self.goal, AbstractTemplateObjective):
            values = [_values(self.goal, structures, yields) for yields in found]
        else:
            values = self._losses(cuts, generator)
        both = []
        for of_goal, z in zip(values, fitted, strict=True):
            significance = Replicated("significance", float(z[0]), z[1:])
            replicas = significance.replicas if of_goal is z else of_goal[1:]
            both.append(Bootstrap(Replicated(self.goal.name, float(of_goal[0]), replicas), significance))
        return both

    def _losses(self, cuts: Sequence[HardCuts], generator: np.random.Generator) -> list[FloatArray]:
        """A loss of single events: those of one sample that pass, and those that fail, are one event each."""
        sums = replicated_decisions(self.samples, cuts, replicas=self.replicas, generator=generator)
        found = []
        for of_cuts, hard in zip(sums, cuts, strict=True):
            selection = hard.selections[0]
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


def _significances(structures: Sequence[Structure], yields: Sequence[Yields]) -> FloatArray:
    """Significances of the profile likelihood, NaN where there is none, shape (row,)."""
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
