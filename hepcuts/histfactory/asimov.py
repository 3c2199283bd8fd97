"""Asimov datasets: data equal to their expectation, auxiliary data included.

Two definitions are in use, and they give different expected significances:

- `prefit_asimov_data`: nuisance parameters at their *nominal* values. Known before there are data; what an
  optimization has to use ("a priori").
- `postfit_asimov_data`: nuisance parameters *fitted to data* with the signal strength fixed, which is what pyhf does in
  ``hypotest(..., return_expected=True)`` ("a posteriori").

They are equal if the data are the nominal expectation itself.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from hepcuts._core.errors import FitError
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.types import AnyArray

from .interest import required_poi
from .likelihood import HistFactory
from .minimization import fitted_parameters
from .structure import LikelihoodStructure, LikelihoodTemplates


def nominal_at(structure: LikelihoodStructure, mu: Any) -> Any:
    """Nominal parameters (pyhf's suggested initial values) with the parameter of interest at `mu`. Pure JAX."""
    return jnp.asarray(structure.init, dtype=float).at[required_poi(structure)].set(mu)


def prefit_asimov_data(
    likelihood: HistFactory, templates: LikelihoodTemplates | None = None, *, mu: float = 1.0
) -> AnyArray:
    """The Asimov dataset with all nuisance parameters at their nominal values, shape (data,).

    Args:
        likelihood: the likelihood.
        templates: templates in place of the model's own.
        mu: signal strength.

    Raises:
        UnsupportedModelError: the model has no parameter of interest.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[5.0], bkg=[50.0], bkg_uncertainty=[10.0])
        >>> print(prefit_asimov_data(HistFactory(model)))
        [55. 25.]
    """
    return likelihood.expected_data(likelihood.nominal_parameters(mu), templates)


def postfit_asimov_data(
    likelihood: HistFactory, data: Any, templates: LikelihoodTemplates | None = None, *, mu: float = 1.0
) -> AnyArray:
    """The Asimov dataset with the nuisance parameters fitted to `data` at `mu`, as pyhf makes it, shape (data,).

    Args:
        likelihood: the likelihood.
        data: main and auxiliary data, shape (data,).
        templates: templates in place of the model's own.
        mu: signal strength.

    Returns:
        An array, differentiable in data and templates (also through the fit).

    Raises:
        FitError: the fit did not converge; inside a JAX transformation the data are NaN instead.
        InputError: a wrong number of data.
        UnsupportedModelError: the model has no parameter of interest.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[5.0], bkg=[50.0], bkg_uncertainty=[10.0])
        >>> print(postfit_asimov_data(HistFactory(model), [70.0, *model.config.auxdata]).round(3))
        [64.729 29.864]
    """
    structure = likelihood.structure
    templates = likelihood.templates if templates is None else templates
    start = likelihood.nominal_parameters(mu)
    fitted = float64_scope(fitted_parameters)(structure, templates, likelihood.check_data(data), start, fix_poi=True)
    if not is_traced(fitted) and np.isnan(fitted).any():
        raise FitError(
            f"The fit at mu = {mu} that makes the Asimov dataset did not converge; look at "
            f"hepcuts.histfactory.fixed_poi_fit(likelihood, data, poi={mu})."
        )
    return likelihood.expected_data(fitted, templates)
