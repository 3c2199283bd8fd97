"""Discovery significance: the test statistic q0 and Z = sqrt(q0).

Which function do I need?

- `discovery_significance`: one number, differentiable in the templates, for scans and optimizers (jit, vmap, grad).
- `discovery_test`: the whole story of one model: q0, p0, Z, mu-hat, pulls, what the fits did.
- `hepcuts.histfactory.discovery_toys`: does the asymptotic formula hold?

q0 = -2 ln lambda(0) if mu-hat >= 0, else 0, with the profile likelihood ratio lambda (Cowan, Cranmer, Gross, Vitells
2011 :cite:p:`cowan2011`, eq. 12), and asymptotically Z = sqrt(q0) (eq. 53).

Which Asimov dataset? Without data, both functions use `hepcuts.histfactory.prefit_asimov_data`: mu = 1, all nuisance
parameters at their *nominal* values: the one known before there are data. There the unconditional fit needs no fitting
(mu-hat = 1, nuisance parameters nominal) and its deviance is exactly zero, so that small significances do not drown in
the difference of two fits. ``pyhf.infer.hypotest(0.0, data, model, test_stat="q0", return_expected=True)`` makes
another one, `hepcuts.histfactory.postfit_asimov_data`: it fits the nuisance parameters *to the data it is given* (at
mu = 1) before it takes the expectation. That is `discovery_test(likelihood, fitted_to=data)`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
import scipy.special

from hepcuts._core.errors import FitError, InputError
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.texts import listed
from hepcuts._core.types import FloatArray, Scalar
from hepcuts.histfactory.solver.minima import Minima

from .asimov import postfit_asimov_data, prefit_asimov_data
from .bands import FEW_EXPECTED, bands_of, expected_events, few_expected, spread_of
from .batch import Batch
from .fit import FitResult, best_of_starts, describe, failure, warn_at_bound
from .interest import check_some_background, signal_strength
from .likelihood import OBSERVED, WORKSPACE_ASIMOV, HistFactory
from .statistic import discovery_statistic, fits_of, q0_of, q0_of_batch
from .structure import LikelihoodStructure, LikelihoodTemplates

NEAR = 0.05
"""Difference in significance below which a competing minimum is told of."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SignificanceResult(Tabular):
    """A test of the background-only hypothesis.

    Attributes:
        dataset: ``"observed"``, ``"prefit Asimov"``, ``"postfit Asimov"``, or ``"workspace's Asimov"`` if the
            observations of a workspace were given that are no data; the latter three with mu = 1.
        q0: the test statistic.
        p0: its p-value in the asymptotic approximation.
        significance: Z in standard deviations.
        mu_hat: best-fit signal strength.
        mu_uncertainty: its standard deviation from the observed information.
        unconditional_fit: the fit of all parameters.
        background_only_fit: the fit at mu = 0.
        success: whether both fits converged.
        message: what the fits did, and which parameters ended at a bound.
        spread: standard deviation of Z between experiments around an Asimov dataset, see `hepcuts.histfactory.bands`;
            NaN for observed data.
        expected_events: what the test rests on, see `hepcuts.histfactory.bands.equivalent_events`.
        searched: how the minima of the two fits were searched for.
        competing: the significance that another minimum of one of the fits would give, the nearest if there are
            several; NaN if none was found.
        bands: expected Z at -2, -1, 0, 1, 2 standard deviations of its spread, never below zero; empty for observed
            data. Of few expected events in one bin, whose median Z is not that of the Asimov dataset, those of counts.
    """

    dataset: str
    q0: float
    p0: float
    significance: float
    mu_hat: float
    mu_uncertainty: float
    unconditional_fit: FitResult
    background_only_fit: FitResult
    success: bool
    message: str
    spread: float = float("nan")
    bands: Mapping[int, float] = dataclasses.field(default_factory=dict)
    expected_events: float = float("inf")
    searched: str = ""
    competing: float = float("nan")

    @property
    def ambiguous(self) -> bool:
        """Whether another minimum gives nearly the same significance, so that small changes may decide between them."""
        return abs(self.competing - self.significance) < NEAR

    @property
    def expected(self) -> bool:
        """Whether the data were an Asimov dataset."""
        return self.dataset != OBSERVED

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names."""
        return self.unconditional_fit.names

    @property
    def best_fit(self) -> FloatArray:
        """Parameters of the unconditional fit, shape (parameter,)."""
        return self.unconditional_fit.parameters

    @property
    def background_only(self) -> FloatArray:
        """Parameters of the fit at mu = 0, shape (parameter,)."""
        return self.background_only_fit.parameters

    @property
    def pulls(self) -> FloatArray:
        """Pulls of the constrained parameters at the background-only fit; NaN for others, shape (parameter,)."""
        found = self.background_only_fit.nuisance_parameters
        by_name = dict(zip(found.names, found.pulls, strict=True))
        return np.array([by_name.get(name, np.nan) for name in self.names])

    @property
    def num_steps(self) -> int:
        """Newton steps of both fits."""
        return self.unconditional_fit.num_steps + self.background_only_fit.num_steps

    def overview(self) -> SummaryTable:
        """Significance, p-value and signal strength."""
        rows = [
            ("significance", f"Z = {self.significance:.4f} standard deviations"),
            ("p-value", f"p0 = {self.p0:.4g}"),
            ("statistic", f"q0 = {self.q0:.6g}"),
            ("signal strength", f"{self.mu_hat:.4g} +- {self.mu_uncertainty:.3g}"),
        ]
        foot = [f"fits: {self.message} ({self.num_steps} steps)", f"searched: {self.searched}"]
        if self.ambiguous:
            foot.append(
                f"another minimum is near: it would give Z = {self.competing:.4f}, and small changes may decide"
            )
        if measured := self.unconditional_fit.nuisance_parameters.over_constrained:
            named = listed([f"{name} ({constraint:.2g} of it)" for name, constraint in measured.items()])
            foot.append(
                f"measured by the fit to less than a third of the assumed uncertainty: {named}; is that earned?"
            )
        if self.expected_events < FEW_EXPECTED:
            foot = [few_expected(self.expected_events), *foot]
        if self.expected:
            foot = [_within(self.bands), *foot]
        return SummaryTable(
            f"Discovery test, {self.dataset} data{' (mu = 1)' if self.expected else ''}", rows, foot=foot
        )


def discovery_significance(
    likelihood: HistFactory, templates: LikelihoodTemplates | None = None, data: Any = None
) -> Scalar:
    """Discovery significance Z = sqrt(q0) of the profile likelihood, in standard deviations.

    Args:
        likelihood: the likelihood.
        templates: templates in place of the model's own.
        data: main and auxiliary data, shape (data,); None for the prefit Asimov dataset: expectation at mu = 1 with
            the nuisance parameters at their nominal values, *not* fitted to data. This is the median expected
            significance. pyhf's ``hypotest(..., return_expected=True)`` differs (see the module's text): pass
            ``postfit_asimov_data(likelihood, observed)`` for that.

    Returns:
        A scalar that may be differentiated, vmapped and jitted with respect to `templates` and `data`; 0 if
        mu-hat <= 0. The gradient uses the envelope theorem and costs no further fit; it is zero where Z is. Fits
        respect the bounds and fixed flags of the model.

    Raises:
        FitError: a fit did not converge, or a bin has more than 1e15 events. Inside a JAX transformation, where no
            error can be raised, the value and its gradient are NaN instead: the same call outside of it, or
            `discovery_test` with ``throw=False``, says why.
        InputError: a wrong number of data.
        UnsupportedModelError: the model has no parameter of interest, or one that is no signal strength, see
            `hepcuts.histfactory.interest.signal_strength`.
        YieldError: no background is expected, in place of a `FitError`.
        PrecisionError: called inside a 32-bit JAX transformation.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(round(float(discovery_significance(HistFactory(model))), 4))
        0.9591
    """
    signal_strength(likelihood.structure, likelihood.model.config.poi_name)
    given = templates
    templates = likelihood.templates if templates is None else templates
    if data is not None:
        data = likelihood.check_data(data)
    z: Scalar = _evaluate(likelihood.structure, templates, data)
    if not is_traced(z) and not np.isfinite(z):
        changed = likelihood if given is None else with_templates(likelihood, given)
        raise FitError(discovery_test(changed, data, num_starts=1, throw=False).message)
    return z


def significances(likelihood: HistFactory, templates: LikelihoodTemplates, data: Any = None) -> FloatArray:
    """Discovery significances of a batch of template sets, shape (batch,), without JAX; NaN where a fit failed.

    Args:
        likelihood: the likelihood.
        templates: arrays with the axes of the batch in front, all of them or none.
        data: shape (batch, data) or (data,); None for the prefit Asimov datasets.
    """
    batch = Batch.of(templates, data)
    return np.sqrt(q0_of_batch(likelihood.structure, batch)).reshape(batch.lead)


def significance_of_structure(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> Any:
    """The expected discovery significance of all likelihoods of one structure, as `discovery_significance`."""
    signal_strength(structure)
    return _evaluate(structure, templates, None)


def with_templates(likelihood: HistFactory, templates: LikelihoodTemplates) -> HistFactory:
    """The likelihood with other templates."""
    result: HistFactory = eqx.tree_at(lambda held: held.templates, likelihood, jax.tree.map(np.asarray, templates))
    return result


@float64_scope
def _evaluate(structure: LikelihoodStructure, templates: LikelihoodTemplates, data: Any) -> Any:
    return discovery_statistic(structure, templates, data, root=True)


def discovery_test(
    likelihood: HistFactory, data: Any = None, *, fitted_to: Any = None, num_starts: int = 1, throw: bool = True
) -> SignificanceResult:
    """Test of the background-only hypothesis, with everything that is behind the significance.

    Args:
        likelihood: the likelihood.
        data: main and auxiliary data, shape (data,), such as `HistFactory.observed_data`; None for an Asimov dataset
            at mu = 1.
        fitted_to: data of shape (data,) to which the nuisance parameters of the Asimov dataset are fitted, as pyhf
            does (`hepcuts.histfactory.postfit_asimov_data`); None for nominal nuisance parameters.
        num_starts: number of starts of each fit, the first where pyhf starts, the others at random. Likelihoods may
            have several minima; the lowest counts, and the message says if there are more. From the first start they
            are looked for where curvature may have made them, as in `discovery_significance`; others are a last resort.
        throw: whether to raise if a fit does not converge; otherwise ``success`` and ``message`` tell.

    Raises:
        FitError: a fit did not converge and `throw` is set.
        InputError: a wrong number of data; or both `data` and `fitted_to`.
        UnsupportedModelError: the model has no parameter of interest, or one that is no signal strength, see
            `hepcuts.histfactory.interest.signal_strength`.
        YieldError: no background is expected.

    Warns:
        BoundWarning: parameters other than a signal strength of zero ended at a bound.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(discovery_test(HistFactory(model)))
        Discovery test, prefit Asimov data (mu = 1)
          significance     Z = 0.9591 standard deviations
          p-value          p0 = 0.1688
          statistic        q0 = 0.919825
          signal strength  1 +- 1.04
          84 % of experiments find Z up to 1.96, 98 % up to 2.96
          fits: unconditional fit: converged; background-only fit: converged (... steps)
          searched: from 1 start, ...
    """
    poi = signal_strength(likelihood.structure, likelihood.model.config.poi_name)
    check_some_background(likelihood.structure, likelihood.templates)
    if data is not None and fitted_to is not None:
        raise InputError(
            "discovery_test got both data and fitted_to; pass one of them: the data to test, or those that an Asimov "
            "dataset is to be fitted to."
        )
    if data is not None:
        tested = likelihood.check_data(data)
        dataset = likelihood.kind_of(tested)
    elif fitted_to is not None:
        dataset, tested = "postfit Asimov", postfit_asimov_data(likelihood, fitted_to)
    else:
        dataset, tested = "prefit Asimov", prefit_asimov_data(likelihood)
    tested = np.asarray(tested, dtype=np.float64)
    unconditional, conditional = _fits_from_starts(likelihood, tested, dataset, num_starts)
    best = describe(likelihood, tested, unconditional, fix_poi=False, num_starts=num_starts)
    background = describe(likelihood, tested, conditional, fix_poi=True, num_starts=num_starts)
    mu_hat = float(best.parameters[poi])
    value = float(q0_of(unconditional.take(slice(0, 1)), conditional.take(slice(0, 1)))[0])
    value = 0.0 if mu_hat <= 0 else value
    success = best.success and background.success
    message = f"unconditional fit: {best.message}; background-only fit: {background.message}"
    if throw and not success:
        kind, failed = ("unconditional", best) if not best.success else ("background-only", background)
        raise FitError(f"{kind} fit: {failure(failed)}")
    warn_at_bound(likelihood, best, background)
    significance = float(np.sqrt(value))
    spread, bands = float("nan"), {}
    if dataset != OBSERVED:
        spread = spread_of(likelihood, tested, background.parameters, value)
        bands = bands_of(likelihood, tested, significance, spread)
    return SignificanceResult(
        dataset,
        value,
        float(scipy.special.ndtr(-significance)),
        significance,
        mu_hat,
        float(best.uncertainties[poi]),
        best,
        background,
        success,
        message,
        spread,
        bands,
        expected_events(likelihood),
        _searched(best, background, known=dataset == "prefit Asimov"),
        _competing(best, background, significance),
    )


def _searched(best: FitResult, background: FitResult, *, known: bool) -> str:
    """How the two fits were searched, in words."""
    fits = {"background-only": background} if known else {"unconditional": best, "background-only": background}
    starts = "1 start" if background.num_starts == 1 else f"{background.num_starts} starts"
    places = " and ".join(f"{fit.num_places} ({kind})" for kind, fit in fits.items())
    return (
        f"from {starts}, sweeps along parameters that may have other minima, and from other places so found: {places}"
    )


def _competing(best: FitResult, background: FitResult, significance: float) -> float:
    """The nearest significance that other minima of the fits give, NaN if there are none, or no minimum at all."""
    if not (best.success and background.success):
        return float("nan")
    pairs = (background.minima[:, None] - best.minima[None, :]).ravel()[1:]
    found = np.sqrt(pairs[pairs > 0])
    return float(found[np.argmin(np.abs(found - significance))]) if len(found) else float("nan")


def _within(bands: Mapping[int, float]) -> str:
    """The bands in words. One that ends at zero has more experiments in it: all that see no excess are there."""
    low2, low1, _, high1, high2 = bands.values()
    one = (
        f"68 % of experiments find Z in {low1:.2f} to {high1:.2f}"
        if low1 > 0
        else f"84 % of experiments find Z up to {high1:.2f}"
    )
    two = f"95 % in {low2:.2f} to {high2:.2f}" if low2 > 0 else f"98 % up to {high2:.2f}"
    return f"{one}, {two}"


def _fits_from_starts(likelihood: HistFactory, data: FloatArray, dataset: str, number: int) -> tuple[Minima, Minima]:
    """All minima of the unconditional and the background-only fit, each the lowest first."""
    structure = likelihood.structure
    batch = Batch.of(likelihood.templates, data)
    if dataset == "prefit Asimov":
        # The solver makes the data itself, so that they are the expectation to the last digit.
        batch = Batch.of(likelihood.templates, None)
    unconditional, first = fits_of(structure, batch)
    held = np.array(structure.init, dtype=np.float64)
    held[likelihood.poi] = 0.0
    conditional = best_of_starts(structure, batch, held, fix_poi=True, number=number) if number > 1 else first
    if dataset in {OBSERVED, WORKSPACE_ASIMOV} and number > 1:
        start = unconditional.parameters[:, 0]
        unconditional = best_of_starts(structure, batch, start, fix_poi=False, number=number)
    return unconditional, conditional
