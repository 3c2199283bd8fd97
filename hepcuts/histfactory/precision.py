"""How well the signal strength will be measured: its expected uncertainty, from the information matrix."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.errors import FitError
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.types import FloatArray, Scalar
from hepcuts.histfactory.solver.arrow import Arrow
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.linear import solve_scaled

from . import density
from .abundance import most_events, too_many
from .asimov import nominal_at
from .batch import Batch
from .interest import required_poi
from .likelihood import HistFactory
from .searches import free_parameters, likelihoods, nominal_parameters
from .structure import LikelihoodStructure, LikelihoodTemplates

_SINGULAR = 1e11
"""By how much other parameters may dilute the information on the signal strength; more is rounding."""


def expected_mu_uncertainty(
    likelihood: HistFactory, templates: LikelihoodTemplates | None = None, *, mu: float = 1.0
) -> Scalar:
    """Expected standard deviation of the signal strength: root of its element of the inverse Fisher information.

    The information is that of all free parameters, nuisance parameters included, at their nominal values. It knows
    nothing of bounds.

    Args:
        likelihood: the likelihood.
        templates: templates in place of the model's own.
        mu: signal strength at which it is evaluated.

    Returns:
        A scalar that may be differentiated, vmapped and jitted with respect to `templates`.

    Raises:
        FitError: the information is singular: the data cannot tell the signal from something else.
        UnsupportedModelError: the model has no parameter of interest.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(round(float(expected_mu_uncertainty(HistFactory(model))), 4))
        1.044
    """
    required_poi(likelihood.structure)
    templates = likelihood.templates if templates is None else templates
    uncertainty: Scalar = float64_scope(_uncertainty)(likelihood.structure, templates, mu)
    if not is_traced(uncertainty) and not np.isfinite(uncertainty):
        crowded = too_many(float(most_events(Batch.of(templates, None))[0]))
        raise FitError(
            "The information on the signal strength is zero: no signal is expected, or a free parameter has the same "
            f"effect on all bins; fix or constrain one of them.{f' Or {crowded}.' if crowded else ''}"
        )
    return uncertainty


def _uncertainty(structure: LikelihoodStructure, templates: LikelihoodTemplates, mu: float) -> Any:
    if not is_traced(structure, templates, mu):
        return _on_host(structure, templates, mu)
    return _traced(structure, templates, mu)


@eqx.filter_jit
def _traced(structure: LikelihoodStructure, templates: LikelihoodTemplates, mu: Any) -> Any:
    information = density.information(structure, templates, nominal_at(structure, mu))
    free = ~(jnp.asarray(structure.fixed) | density.constraints(structure, templates).void)
    free = free.at[structure.poi].set(True)
    both = free[:, None] & free[None, :]
    root = jnp.where(free, jnp.sqrt(jax.lax.stop_gradient(jnp.diagonal(information))), 1.0)
    root = jnp.where(root > 0, root, 1.0)
    scaled = jnp.where(both, information / (root[:, None] * root[None, :]), jnp.eye(len(root)))
    unit = jnp.zeros(len(root)).at[structure.poi].set(1.0)
    variance = jnp.linalg.solve(scaled, unit)[structure.poi]
    determined = (variance > 0) & (variance < _SINGULAR)
    return jnp.where(determined, jnp.sqrt(jnp.where(determined, variance, 1.0)) / root[structure.poi], jnp.nan)


@float64_scope
def mu_uncertainty_of_structure(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> Any:
    """The expected uncertainty, at mu = 1, of all likelihoods of one structure; as `expected_mu_uncertainty`."""
    return _uncertainty(structure, templates, 1.0)


def expected_mu_uncertainties(likelihood: HistFactory, templates: LikelihoodTemplates) -> FloatArray:
    """As `expected_mu_uncertainty` at mu = 1, of a batch of template sets, without JAX; NaN where there is none.

    Args:
        likelihood: the likelihood.
        templates: arrays with the axes of the batch in front, all of them or none.

    Returns:
        The shape of the batch.
    """
    required_poi(likelihood.structure)
    return _on_host(likelihood.structure, templates, 1.0)


def _on_host(structure: LikelihoodStructure, templates: LikelihoodTemplates, mu: float) -> FloatArray:
    """The same of a batch without anything to compile."""
    free = free_parameters(structure, fix_poi=False)
    free[structure.poi] = True
    layout = layout_of(structure, free)
    at, batch = nominal_parameters(structure, mu), Batch.of(templates, None)
    unit, found = (layout.free == structure.poi).astype(np.float64), []
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        for lanes, likelihood in likelihoods(structure, layout, batch, at):
            parameters = np.repeat(at[:, None], len(range(batch.lanes)[lanes]), axis=1)
            information = 0.5 * likelihood.expand(parameters).information()
            moved = np.broadcast_to(~likelihood.void[layout.free], (len(unit), parameters.shape[1]))
            if isinstance(information, Arrow):
                found += _of_arrow(information, moved, unit).tolist()
            else:
                found += [_of_information(*lane, unit) for lane in zip(information.T, moved.T, strict=True)]
    uncertainties: FloatArray = np.reshape(found, batch.lead)[()]
    return uncertainties


def _of_arrow(information: Arrow, moved: Any, unit: FloatArray) -> FloatArray:
    """As `_of_information`, of all lanes."""
    diagonal = information.diagonal()
    root = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    sides = np.repeat(unit[:, None], moved.shape[1], axis=1)
    solution, positive = solve_scaled(information, root, moved, 1.0 - moved, sides)
    variance = unit @ solution
    determined = positive & (variance > 0) & (variance < _SINGULAR)
    return np.where(determined, np.sqrt(np.where(determined, variance, 1.0)) * (unit @ root), np.nan)


def _of_information(information: FloatArray, moved: Any, unit: FloatArray) -> float:
    """The uncertainty of one of the free parameters that move; NaN where the data do not determine it."""
    information, unit = information[np.ix_(moved, moved)], unit[moved]
    root = np.sqrt(np.diagonal(information))
    root = np.where(root > 0, root, 1.0)
    try:
        variance = float(np.linalg.solve(information / np.outer(root, root), unit) @ unit)
    except np.linalg.LinAlgError:
        return float("nan")
    return float(np.sqrt(variance) / (root @ unit)) if 0 < variance < _SINGULAR else float("nan")
