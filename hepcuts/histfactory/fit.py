"""Maximum-likelihood fits: unconditional, and conditional at a fixed value of the parameter of interest."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hepcuts._precision import float64_scope
from hepcuts._types import FloatArray
from hepcuts.errors import FitError

from . import density, newton
from .likelihood import HistFactory
from .structure import LikelihoodTemplates, Structure


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult:
    """A maximum-likelihood fit.

    Attributes:
        names: parameter names.
        parameters: best-fit values, shape (parameter,).
        uncertainties: one standard deviation from the inverse of the observed information, shape (parameter,); zero
            for fixed parameters, NaN where the information is singular. For a parameter at a bound it is the
            curvature's, which knows nothing of the bound.
        covariance: inverse of the observed information of the free parameters, shape (parameter, parameter).
        deviance: -2 ln of the likelihood over the saturated likelihood.
        edm: expected distance to the minimum of -2 ln L.
        success: whether the fit converged.
        message: why it stopped.
        num_steps: number of Newton steps.
    """

    names: tuple[str, ...]
    parameters: FloatArray
    uncertainties: FloatArray
    covariance: FloatArray
    deviance: float
    edm: float
    success: bool
    message: str
    num_steps: int

    def __repr__(self) -> str:
        rows = [
            f"  {n:<30s} {p: .5g} +- {u:.3g}"
            for n, p, u in zip(self.names, self.parameters, self.uncertainties, strict=True)
        ]
        return "\n".join([f"Fit: {self.message} ({self.num_steps} steps, deviance {self.deviance:.6g})", *rows])


def minimum(
    structure: Structure, templates: LikelihoodTemplates, data: Any, init: Any, *, fix_poi: bool
) -> newton.Minimum:
    """Minimize the deviance from `init`; with `fix_poi` the parameter of interest stays there. Pure JAX.

    The result is cut off from differentiation: by the envelope theorem the derivative of the minimum's value with
    respect to templates and data is the partial derivative at the fitted parameters.
    """
    structure, templates, data, init = jax.lax.stop_gradient((structure, templates, data, init))
    free = ~(jnp.asarray(structure.fixed) | density.constraints(structure, templates).void)
    if fix_poi:
        free = free.at[structure.poi].set(False)
    result = newton.minimize(
        lambda pars: density.expand(structure, templates, pars, data),
        jnp.asarray(init),
        bounds=(jnp.asarray(structure.lower), jnp.asarray(structure.upper)),
        free=free,
    )
    return jax.lax.stop_gradient(result)


def covariance(
    structure: Structure, templates: LikelihoodTemplates, pars: Any, data: Any, *, fix_poi: bool
) -> Float[Array, "parameter parameter"]:
    """Inverse of the observed information, of which -2 ln L has twice; zero for fixed parameters."""
    information = 0.5 * density.expand(structure, templates, pars, data).hessian
    free = ~(jnp.asarray(structure.fixed) | density.constraints(structure, templates).void)
    if fix_poi:
        free = free.at[structure.poi].set(False)
    both = free[:, None] & free[None, :]
    root = jnp.where(free, jnp.sqrt(jnp.abs(jnp.diagonal(information))), 1.0)
    scaled = jnp.where(both, information / (root[:, None] * root[None, :]), jnp.eye(len(root)))
    return jnp.where(both, jnp.linalg.inv(scaled) / (root[:, None] * root[None, :]), 0.0)


@eqx.filter_jit
def _fit(structure: Structure, templates: Any, data: Any, init: Any, fix_poi: bool) -> Any:
    result = minimum(structure, templates, data, init, fix_poi=fix_poi)
    return result, covariance(structure, templates, result.parameters, data, fix_poi=fix_poi)


def fit(likelihood: HistFactory, data: Any, *, init: Any = None, throw: bool = True) -> FitResult:
    """Unconditional fit: all free parameters within the model's bounds.

    Args:
        likelihood: the likelihood.
        data: main and auxiliary data, shape (data,).
        init: where to start, shape (parameter,); None for pyhf's suggestion.
        throw: whether to raise if the fit does not converge.

    Raises:
        FitError: the fit did not converge and `throw` is set; the message says why and what to try.
        InputError: a wrong number of data.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[5.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(fit(HistFactory(model), [60.0, *model.config.auxdata]))
        Fit: converged (5 steps, deviance ...)
          mu                              2 +- 2.09
          uncorr_bkguncrt[0]              1 +- 0.14
    """
    return _checked_fit(likelihood, data, init, fix_poi=False, throw=throw)


def fixed_poi_fit(likelihood: HistFactory, data: Any, *, poi: float, init: Any = None, throw: bool = True) -> FitResult:
    """Conditional fit with the parameter of interest fixed at `poi`; otherwise as `fit`."""
    start = np.array(likelihood.structure.init if init is None else init)
    start[likelihood.poi] = poi
    return _checked_fit(likelihood, data, start, fix_poi=True, throw=throw)


@float64_scope
def _checked_fit(likelihood: HistFactory, data: Any, init: Any, *, fix_poi: bool, throw: bool) -> FitResult:
    data = likelihood.check_data(data)
    start = np.asarray(likelihood.structure.init if init is None else init, dtype=np.float64)
    result, cov = _fit(likelihood.structure, likelihood.templates, data, start, fix_poi)
    status = int(result.status)
    summary = FitResult(
        likelihood.parameter_names,
        np.asarray(result.parameters),
        np.sqrt(np.diagonal(cov)) if np.all(np.diagonal(cov) >= 0) else np.full(len(start), np.nan),
        np.asarray(cov),
        float(result.value),
        float(result.edm),
        status == newton.CONVERGED,
        newton.MESSAGES[status],
        int(result.num_steps),
    )
    if throw and not summary.success:
        raise FitError(_failure(summary, likelihood))
    return summary


def _failure(summary: FitResult, likelihood: HistFactory) -> str:
    structure = likelihood.structure
    at_bound = [
        name
        for name, value, low, high in zip(
            summary.names, summary.parameters, structure.lower, structure.upper, strict=True
        )
        if value in {low, high}
    ]
    where = f" Parameters at a bound: {', '.join(at_bound)}." if at_bound else ""
    return (
        f"The fit did not converge after {summary.num_steps} steps: {summary.message}. Expected distance to the "
        f"minimum: {summary.edm:.3g}.{where}"
    )
