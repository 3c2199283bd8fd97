"""Discovery significance: the test statistic q0 and Z = sqrt(q0).

Which function do I need?

- `discovery_significance`: one number, differentiable in the templates, for scans and optimizers (jit, vmap, grad).
- `discovery_test`: the whole story of one model: q0, p0, Z, mu-hat, pulls, what the fits did.

q0 = -2 ln lambda(0) if mu-hat >= 0, else 0, with the profile likelihood ratio lambda (Cowan, Cranmer, Gross, Vitells
2011 :cite:p:`cowan2011`, eq. 12), and asymptotically Z = sqrt(q0) (eq. 53).

Which Asimov dataset? Without data, both functions use the dataset that equals its expectation at mu = 1 with all
nuisance parameters at their *nominal* values (pyhf's initial values): the one known before there are data. There the
unconditional fit needs no fitting (mu-hat = 1, nuisance parameters nominal) and its deviance is exactly zero, so that
small significances do not drown in the difference of two fits. ``pyhf.infer.hypotest(0.0, data, model,
test_stat="q0", return_expected=True)`` makes another one: it fits the nuisance parameters *to the data it is given*
(at mu = 1) before it takes the expectation. The two agree if that data is the nominal expectation itself, which is
how to compare with pyhf: ``hypotest(0.0, model.expected_data(nominal), model, test_stat="q0")``.
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jaxtyping import Array, Float

from hepcuts._precision import float64_scope, is_traced
from hepcuts._types import FloatArray, Scalar
from hepcuts.errors import FitError

from . import density, newton
from .fit import covariance, minimum
from .likelihood import HistFactory, required_poi
from .structure import LikelihoodTemplates, Structure


@dataclasses.dataclass(frozen=True, eq=False)
class SignificanceResult:
    """A test of the background-only hypothesis.

    Attributes:
        expected: True for the Asimov dataset at mu = 1, False for given data.
        q0: the test statistic.
        p0: its p-value in the asymptotic approximation.
        significance: Z in standard deviations.
        mu_hat: best-fit signal strength.
        mu_uncertainty: its standard deviation from the observed information.
        names: parameter names.
        best_fit: parameters of the unconditional fit, shape (parameter,).
        background_only: parameters of the fit at mu = 0, shape (parameter,).
        pulls: (fitted - auxiliary value) / prior width of each parameter with a Gaussian constraint, at the
            background-only fit; NaN for others, shape (parameter,).
        success: whether all fits converged.
        message: what the fits did.
        num_steps: Newton steps of all fits.
    """

    expected: bool
    q0: float
    p0: float
    significance: float
    mu_hat: float
    mu_uncertainty: float
    names: tuple[str, ...]
    best_fit: FloatArray
    background_only: FloatArray
    pulls: FloatArray
    success: bool
    message: str
    num_steps: int

    def __repr__(self) -> str:
        kind = "expected (Asimov, mu = 1, nuisance parameters nominal)" if self.expected else "observed"
        return (
            f"Discovery test, {kind}\n"
            f"  significance  Z  = {self.significance:.4f} standard deviations\n"
            f"  p-value       p0 = {self.p0:.4g}\n"
            f"  statistic     q0 = {self.q0:.6g}\n"
            f"  signal strength  = {self.mu_hat:.4g} +- {self.mu_uncertainty:.3g}\n"
            f"  fits: {self.message} ({self.num_steps} steps)"
        )


class Fits(NamedTuple):
    """The two fits behind q0, with the data that they were made to."""

    data: Float[Array, " data"]
    unconditional: newton.Minimum
    background_only: newton.Minimum


def q0(structure: Structure, templates: LikelihoodTemplates, data: Any = None) -> tuple[Float[Array, ""], Fits]:
    """The test statistic q0 on `data`, or on the Asimov dataset if that is None. Pure JAX.

    NaN if a fit did not converge. The derivative with respect to templates and data is that of the two deviances at
    the fitted parameters (envelope theorem); it is a first derivative only, a second one would be wrong.
    """
    poi = required_poi(structure)
    nominal = jnp.asarray(structure.init).at[poi].set(1.0)
    start = nominal.at[poi].set(0.0)
    if data is None:
        # The expectation at these parameters is the data: the unconditional fit is known, its deviance is zero.
        data = density.expected_data(structure, templates, nominal)
        zero, done = jnp.asarray(0.0), jnp.asarray(newton.CONVERGED)
        unconditional = newton.Minimum(nominal, zero, zero, jnp.asarray(0), done)
        best, positive = zero, jnp.asarray(True)
    else:
        data = jnp.asarray(data)
        unconditional = minimum(structure, templates, data, structure.init, fix_poi=False)
        best = density.deviance(structure, templates, unconditional.parameters, data)
        positive = unconditional.parameters[poi] > 0
    conditional = minimum(structure, templates, data, start, fix_poi=True)
    difference = density.deviance(structure, templates, conditional.parameters, data) - best
    # mu-hat <= 0 is no evidence for a signal; just above, rounding may leave the difference below zero.
    value = jnp.where(positive & (difference > 0), difference, 0.0)
    converged = (unconditional.status == newton.CONVERGED) & (conditional.status == newton.CONVERGED)
    return jnp.where(converged, value, jnp.nan), Fits(data, unconditional, conditional)


def significance_of(q0_value: Float[Array, ""]) -> Float[Array, ""]:
    """Z = sqrt(q0), with gradient zero where q0 is zero (there the root has none)."""
    positive = q0_value > 0
    root = jnp.sqrt(jnp.where(positive, q0_value, 1.0))
    return jnp.where(positive, root, q0_value)  # keeps NaN


@eqx.filter_jit
def _significance(structure: Structure, templates: LikelihoodTemplates, data: Any) -> tuple[Any, Any]:
    value, fits = q0(structure, templates, data)
    return significance_of(value), fits


def discovery_significance(
    likelihood: HistFactory, templates: LikelihoodTemplates | None = None, data: Any = None
) -> Scalar:
    """Discovery significance Z = sqrt(q0) of the profile likelihood, in standard deviations.

    Args:
        likelihood: the likelihood.
        templates: templates in place of the model's own.
        data: main and auxiliary data, shape (data,); None for the Asimov dataset: expectation at mu = 1 with the
            nuisance parameters at their nominal values, *not* fitted to data. This is the median expected
            significance. pyhf's ``hypotest(..., return_expected=True)`` differs: it first fits the nuisance
            parameters to the data it is given (see the module's text).

    Returns:
        A scalar that may be differentiated, vmapped and jitted with respect to `templates` and `data`; 0 if
        mu-hat <= 0. The gradient uses the envelope theorem and costs no further fit; it is zero where Z is. Fits
        respect the bounds and fixed flags of the model.

    Raises:
        FitError: a fit did not converge. Inside a JAX transformation the value is NaN instead.
        InputError: a wrong number of data.
        UnsupportedModelError: the model has no parameter of interest.
        PrecisionError: called inside a 32-bit JAX transformation.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(round(float(discovery_significance(HistFactory(model))), 4))
        0.9591
    """
    required_poi(likelihood.structure)
    templates = likelihood.templates if templates is None else templates
    if data is not None:
        data = likelihood.check_data(data)
    z: Scalar
    z, fits = _evaluate(likelihood.structure, templates, data)
    if not is_traced(z) and not np.isfinite(z):
        raise FitError(_explain(fits))
    return z


@float64_scope
def _evaluate(structure: Structure, templates: LikelihoodTemplates, data: Any) -> tuple[Any, Fits]:
    return _significance(structure, templates, data)


def _explain(fits: Fits) -> str:
    named = {"unconditional": fits.unconditional, "background-only": fits.background_only}
    return "; ".join(f"{name} fit: {newton.MESSAGES[int(fit.status)]}" for name, fit in named.items())


@eqx.filter_jit
def _story(structure: Structure, templates: LikelihoodTemplates, data: Any) -> tuple[Any, ...]:
    value, fits = q0(structure, templates, data)
    spread = covariance(structure, templates, fits.unconditional.parameters, fits.data, fix_poi=False)
    sigma = density.constraints(structure, templates).sigma
    auxiliary = fits.data[len(structure.channel_of_bin) :]
    shifts = fits.background_only.parameters[structure.normal_parameter] - auxiliary[structure.normal_data]
    pulls = jnp.full(len(structure.init), jnp.nan).at[structure.normal_parameter].set(shifts / sigma)
    return value, fits, spread[structure.poi, structure.poi], pulls


def discovery_test(likelihood: HistFactory, data: Any = None, *, throw: bool = True) -> SignificanceResult:
    """Test of the background-only hypothesis, with everything that is behind the significance.

    Args:
        likelihood: the likelihood.
        data: main and auxiliary data, shape (data,), such as `HistFactory.observed_data`; None for the Asimov
            dataset at mu = 1 with nominal nuisance parameters, as in `discovery_significance`.
        throw: whether to raise if a fit does not converge; otherwise ``success`` and ``message`` tell.

    Raises:
        FitError: a fit did not converge and `throw` is set.
        InputError: a wrong number of data.
        UnsupportedModelError: the model has no parameter of interest.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(discovery_test(HistFactory(model)))
        Discovery test, expected (Asimov, mu = 1, nuisance parameters nominal)
          significance  Z  = 0.9591 standard deviations
          p-value       p0 = 0.1688
          statistic     q0 = 0.919825
          signal strength  = 1 +- 1.04
          fits: unconditional fit: converged; background-only fit: converged (5 steps)
    """
    required_poi(likelihood.structure)
    if data is not None:
        data = likelihood.check_data(data)
    value, fits, variance, pulls = float64_scope(_story)(likelihood.structure, likelihood.templates, data)
    success = bool(np.isfinite(value))
    if throw and not success:
        raise FitError(_explain(fits))
    significance = float(np.sqrt(value))
    return SignificanceResult(
        expected=data is None,
        q0=float(value),
        p0=float(scipy.stats.norm.sf(significance)),
        significance=significance,
        mu_hat=float(fits.unconditional.parameters[likelihood.poi]),
        mu_uncertainty=float(np.sqrt(variance)) if variance >= 0 else float("nan"),
        names=likelihood.parameter_names,
        best_fit=np.asarray(fits.unconditional.parameters),
        background_only=np.asarray(fits.background_only.parameters),
        pulls=np.asarray(pulls),
        success=success,
        message=_explain(fits),
        num_steps=int(fits.unconditional.num_steps) + int(fits.background_only.num_steps),
    )
