"""Objectives: what an optimizer makes as large (or a loss as small) as it can.

Which one do I need?

- ``"profile"``: the discovery significance of the profile likelihood, with all systematics and finite simulation: the
  number that the analysis will quote. Everything else is for comparison or for speed.
- ``"mu_uncertainty"``, ``"upper_limit"``: the expected uncertainty of the signal strength, and the expected CLs upper
  limit on it, from the same likelihood; both to be made small. What a measurement or an exclusion wants instead.
- ``"asimov"``, ``"asimov_uncertainty"``: closed forms for one bin (several bins are added in quadrature), without
  and with the uncertainty of the background.
- ``"s_over_sqrt_b"``, ``"s_over_sqrt_s_plus_b"``, ``"s_over_sqrt_b_plus_variance"``: their limits.
- ``"binomial"``: Z_Bi, exact for a background known from a control region; ``"punzi"``: for a signal of unknown yield.
- ``"bce"``, ``"squared_error"``: classification losses of the soft pass weights.
- any function ``f(yields, structure)`` of `hepcuts.templates.templates.Yields`: your own, to be maximized.

An objective is a class. One of the templates alone derives from `AbstractTemplateObjective`, which never sees an event
and takes the templates of any number of regions; a loss of the single events derives from `AbstractEventObjective`.
Both are differentiated when soft, and give a value at a hard selection.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from hepcuts._core.errors import FitError, InputError, YieldError
from hepcuts._core.precision import float64_scope, namespace
from hepcuts.cuts.steps import AbstractStep
from hepcuts.histfactory import (
    HistFactory,
    LikelihoodTemplates,
    discovery_significance,
    expected_mu_uncertainty,
    expected_upper_limit,
    significance_of,
)
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import EventTable
from hepcuts.templates.templates import Structure, Templates, Yields, background_variance
from hepcuts.templates.workspace import workspace

from . import classification, counting
from .binding import TemplateMapper

OfYields = Callable[[Sequence[Yields]], Any]
"""A function of the yields of each region: one scalar. Pure JAX."""

OfEvents = Callable[[EventTable, Any, Any], Any]
"""A function of events, thresholds and widths, the last two of shape (threshold,): one scalar. Pure JAX."""

Part = tuple[Sequence[Sample], Sequence[Templates], Any]
"""Events, their hard templates in each region, and the selection of the first region."""


@dataclasses.dataclass(frozen=True)
class AbstractObjective(abc.ABC):
    """Interface of the objectives.

    Attributes:
        name: the name by which `objective` finds it.
        label: for axes of figures, in mathtext.
        sign: +1 if larger is better, -1 for a loss.
    """

    name: str
    label: str
    sign: int = 1

    @abc.abstractmethod
    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:
        """The value at a hard selection.

        Args:
            samples: the events.
            templates: their hard templates, one for each region.
            selection: that of the first region.
        """

    @abc.abstractmethod
    def pooled(self, parts: Sequence[Part]) -> float:
        """The value of several parts of the events, each behind a selection of its own.

        Used in cross-validation: the sum of folds is as large as the whole, and does not fluctuate as each fold does.
        """


@dataclasses.dataclass(frozen=True)
class AbstractTemplateObjective(AbstractObjective):
    """Interface of the objectives that are functions of the templates."""

    @abc.abstractmethod
    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """The differentiable objective.

        Args:
            references: templates of the same structures, one for each region, behind loose cuts.

        Raises:
            InputError: the objective does not know what to do with so many regions.
        """

    def pooled(self, parts: Sequence[Part]) -> float:
        """See `AbstractObjective.pooled`; the value of the summed templates."""
        samples, total, selection = parts[0]
        for _, more, _ in parts[1:]:
            total = [first + second for first, second in zip(total, more, strict=True)]
        return self.hard(samples, total, selection)


@dataclasses.dataclass(frozen=True)
class AbstractEventObjective(AbstractObjective):
    """Interface of the losses of single events."""

    @abc.abstractmethod
    def of_events(self, step: AbstractStep) -> OfEvents:
        """The differentiable loss, with the step function of the soft cuts."""

    def pooled(self, parts: Sequence[Part]) -> float:
        """See `AbstractObjective.pooled`; a loss of events has the mean of its parts."""
        return sum(self.hard(*part) for part in parts) / len(parts)


@dataclasses.dataclass(frozen=True)
class TemplateObjective(AbstractTemplateObjective):
    """A function of the templates of one region.

    Attributes:
        function: of `Yields` and `Structure`, differentiable.
        batched: whether it takes yields of NumPy, too, and any axes before those that `Yields` has.
    """

    function: Callable[[Yields, Structure], Any] = lambda yields, _: yields.nominal.sum()
    batched: bool = False

    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """See `AbstractTemplateObjective.of_yields`."""
        structure = self._only(references).structure
        return lambda yields: self.function(yields[0], structure)

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """See `AbstractObjective.hard`."""
        only = self._only(templates)
        if self.batched:
            return float(self.of_rows([only.yields], templates))
        # The yields, too, become arrays of JAX where these have 64 bits.
        function = float64_scope(lambda yields: self.function(_jax_yields(yields), only.structure))
        return float(function(only.yields))

    def of_rows(self, yields: Sequence[Yields], references: Sequence[Templates]) -> Any:
        """Values of many rows of yields of NumPy, if `batched`: shape of their leading axes. Nothing is compiled."""
        with np.errstate(all="ignore"):
            return self.function(yields[0], self._only(references).structure)

    def _only(self, templates: Sequence[Templates]) -> Templates:
        if len(templates) > 1:
            names = ", ".join(t.structure.channel for t in templates)
            raise InputError(
                f"The objective {self.name!r} is a function of one region; there are {len(templates)}: {names}. "
                "Use objective='profile', whose likelihood knows what a control region tells of a background."
            )
        return templates[0]


def _jax_yields(yields: Yields) -> Yields:
    return Yields(jnp.asarray(yields.values, dtype=float), jnp.asarray(yields.variances, dtype=float))


@dataclasses.dataclass(frozen=True)
class LikelihoodObjective(AbstractTemplateObjective):
    """A number that the HistFactory likelihood of all regions gives on its prefit Asimov dataset.

    Attributes:
        statistic: of a likelihood and its templates, differentiable in the latter, such as
            `hepcuts.discovery_significance`.
    """

    statistic: Callable[[HistFactory, LikelihoodTemplates], Any] = discovery_significance

    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """See `AbstractTemplateObjective.of_yields`."""
        likelihood = HistFactory.from_workspace(workspace(references))
        mapper = TemplateMapper(likelihood, [reference.structure for reference in references])
        return lambda yields: self.statistic(likelihood, mapper(yields))

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """See `AbstractObjective.hard`; NaN if the templates have no such number."""
        try:
            likelihood = HistFactory.from_workspace(workspace(templates))
            return float(self.statistic(likelihood, likelihood.templates))
        except (FitError, YieldError):
            return float("nan")


@dataclasses.dataclass(frozen=True)
class BinaryCrossEntropy(AbstractEventObjective):
    """BCE of the soft pass weights; of a hard selection the log loss as scikit-learn defines it.

    Attributes:
        balanced: whether signal and background count equally in total.
    """

    balanced: bool = False

    def of_events(self, step: AbstractStep) -> OfEvents:
        """See `AbstractEventObjective.of_events`."""

        def soft(table: EventTable, thresholds: Any, widths: Any) -> Any:
            n = table.num_nominal
            log_pass = table.selection.log_pass_weights(
                table.values[:, :n], table.missing[:, :n], thresholds, widths, step
            )
            return classification.binary_cross_entropy(
                table.is_signal, log_pass, weights=table.weights[:n], balanced=self.balanced
            )

        return soft

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """See `AbstractObjective.hard`."""
        return float(classification.log_loss(**_decisions(samples, selection), balanced=self.balanced))


@dataclasses.dataclass(frozen=True)
class SquaredError(AbstractEventObjective):
    """Squared difference of truth and pass weight, summed over all events.

    Attributes:
        balanced: whether signal and background count equally in total.
    """

    balanced: bool = False

    def of_events(self, step: AbstractStep) -> OfEvents:
        """See `AbstractEventObjective.of_events`."""

        def soft(table: EventTable, thresholds: Any, widths: Any) -> Any:
            n = table.num_nominal
            passed = table.selection.pass_weights(table.values[:, :n], table.missing[:, :n], thresholds, widths, step)
            return classification.squared_error(
                table.is_signal, passed, weights=table.weights[:n], balanced=self.balanced, normalize=False
            )

        return soft

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """See `AbstractObjective.hard`."""
        decisions = _decisions(samples, selection)
        decisions["pass_weights"] = decisions.pop("passed")
        return float(classification.squared_error(**decisions, balanced=self.balanced, normalize=False))


def _decisions(samples: Sequence[Sample], selection: Any) -> dict[str, Any]:
    """Truth, decision and weight of all events."""
    return {
        "is_signal": np.concatenate([np.full(len(s), s.signal) for s in samples]),
        "passed": np.concatenate([selection.mask(s.columns, missing=s.missing) for s in samples]),
        "weights": np.concatenate([s.weights for s in samples]),
    }


def totals(yields: Yields, structure: Structure) -> tuple[Any, Any]:
    """Expected signal and background, shape (..., bin), from yields of shape (..., variation, sample, bin)."""
    signal = np.array([component.signal for component in structure.components])[:, None]
    nominal = yields.nominal
    xp = namespace(nominal)
    return xp.where(signal, nominal, 0.0).sum(-2), xp.where(signal, 0.0, nominal).sum(-2)


def _in_quadrature(formula: Callable[[Any, Any], Any]) -> Callable[[Yields, Structure], Any]:
    """A formula for one bin as an objective: bins are independent experiments, their squares add."""

    def function(yields: Yields, structure: Structure) -> Any:
        squares = (formula(*totals(yields, structure)) ** 2).sum(-1)
        return significance_of(squares)

    return function


def _with_uncertainty(formula: Callable[[Any, Any, Any], Any]) -> Callable[[Yields, Structure], Any]:
    """A formula of the summed yields with the uncertainty of the summed background."""

    def function(yields: Yields, structure: Structure) -> Any:
        s, b = totals(yields, structure)
        variance = background_variance(structure, yields)
        positive, xp = variance > 0, namespace(variance)
        sigma = xp.where(positive, xp.sqrt(xp.where(positive, variance, 1.0)), 0.0)
        return formula(s.sum(-1), b.sum(-1), sigma)

    return function


def _binomial(s: Any, b: Any, sigma: Any) -> Any:
    """Z_Bi of the Asimov counts: on = S + B, the background known as from tau = B / sigma_B^2 times as many events."""
    tau = b / sigma**2
    return counting.binomial_significance(s + b, tau * b, tau)


def _punzi(yields: Yields, structure: Structure) -> Any:
    """Punzi's figure of merit with a = 3, for the signal yield in place of the efficiency: a constant factor."""
    s, b = totals(yields, structure)
    return counting.punzi(s.sum(-1), b.sum(-1), 3.0)


def _closed_form(name: str, label: str, function: Callable[[Yields, Structure], Any]) -> TemplateObjective:
    return TemplateObjective(name, label, function=function, batched=True)


_OBJECTIVES: tuple[AbstractObjective, ...] = (
    LikelihoodObjective("profile", r"$Z$ (profile likelihood)"),
    LikelihoodObjective("mu_uncertainty", r"expected uncertainty of $\mu$", -1, expected_mu_uncertainty),
    LikelihoodObjective("upper_limit", r"expected upper limit on $\mu$", -1, expected_upper_limit),
    _closed_form("asimov", r"$Z_A$", _in_quadrature(counting.asimov_significance)),
    _closed_form("asimov_uncertainty", r"$Z_A$ with $\sigma_B$", _with_uncertainty(counting.asimov_significance)),
    _closed_form("s_over_sqrt_b", r"$S/\sqrt{B}$", _in_quadrature(counting.s_over_sqrt_b)),
    _closed_form("s_over_sqrt_s_plus_b", r"$S/\sqrt{S+B}$", _in_quadrature(counting.s_over_sqrt_s_plus_b)),
    _closed_form(
        "s_over_sqrt_b_plus_variance",
        r"$S/\sqrt{B+\sigma_B^2}$",
        _with_uncertainty(counting.s_over_sqrt_b_plus_variance),
    ),
    _closed_form("binomial", r"$Z_\mathrm{Bi}$", _with_uncertainty(_binomial)),
    _closed_form("punzi", r"$S/(3/2+\sqrt{B})$", _punzi),
    BinaryCrossEntropy("bce", "binary cross-entropy", sign=-1),
    BinaryCrossEntropy("bce_balanced", "balanced binary cross-entropy", sign=-1, balanced=True),
    SquaredError("squared_error", "squared error", sign=-1),
)


def objective(given: str | AbstractObjective | Callable[[Yields, Structure], Any]) -> AbstractObjective:
    """An objective by its name, or a user's own function of the templates.

    Raises:
        InputError: the name is unknown; the message lists the known ones.

    Example:
        >>> objective("profile").label
        '$Z$ (profile likelihood)'
        >>> objective(lambda yields, structure: yields.nominal[0, 0]).name
        '<lambda>'
    """
    if isinstance(given, AbstractObjective):
        return given
    if callable(given):
        name = getattr(given, "__name__", "custom")
        return TemplateObjective(name, name, function=given)
    by_name = {o.name: o for o in _OBJECTIVES}
    if given not in by_name:
        raise InputError(f"There is no objective {given!r}; choose one of {', '.join(by_name)}, or pass a function.")
    return by_name[given]
