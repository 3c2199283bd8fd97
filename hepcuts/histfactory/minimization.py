"""Fits as functions that JAX can batch and differentiate; the fitting itself is the solver's.

`fitted_parameters` is differentiable by the implicit function theorem, see `hepcuts.histfactory.response`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.errors import InputError
from hepcuts._core.precision import is_traced
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.gradient import gradient
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.minima import CONVERGED

from . import host
from .batch import Batch
from .response import response
from .searches import free_parameters, likelihoods, nominal_parameters, search
from .structure import LikelihoodStructure, LikelihoodTemplates


def numbers_of(structure: LikelihoodStructure, templates: LikelihoodTemplates, data: Any = None) -> Likelihood:
    """The solver's likelihood of one template set, with all parameters free that the model does not fix."""
    batch = Batch.of(templates, data)
    layout = layout_of(structure, free_parameters(structure, fix_poi=False))
    with np.errstate(all="ignore"):
        return Likelihood(layout, structure, batch.templates, batch.data, np.asarray(structure.init, dtype=np.float64))


def gradients(
    structure: LikelihoodStructure, batch: Batch, parameters: FloatArray
) -> tuple[LikelihoodTemplates, FloatArray]:
    """Derivatives of the deviance at fixed parameters with respect to templates and data, with the lanes in front.

    Args:
        structure: of NumPy arrays.
        batch: templates and data. Without data they are the Asimov data, which follow the templates.
        parameters: shape (parameter, lane).
    """
    layout = layout_of(structure, free_parameters(structure, fix_poi=False))
    nominal = nominal_parameters(structure, batch.asimov_mu)
    parts = []
    for lanes, likelihood in likelihoods(structure, layout, batch, nominal):
        at = parameters[:, lanes]
        asimov_at = None if batch.data is not None else np.broadcast_to(nominal[:, None], at.shape)
        tables, by_data = gradient(likelihood, at, asimov_at)
        parts.append([*tables, by_data])
    joined = [np.concatenate(tables, axis=-1) for tables in zip(*parts, strict=True)]
    shapes = [table.shape[:-1] for table in batch.templates]
    moved = [np.moveaxis(t.reshape(*shape, t.shape[-1]), -1, 0) for t, shape in zip(joined[:-1], shapes, strict=True)]
    return LikelihoodTemplates(*moved), np.moveaxis(joined[-1], -1, 0)


def slope_of_poi(structure: LikelihoodStructure, batch: Batch, parameters: FloatArray) -> FloatArray:
    """Derivative of the deviance with respect to the parameter of interest at fixed other ones, shape (lane,)."""
    free = np.zeros(len(structure.init), dtype=bool)
    free[structure.poi] = True
    nominal = nominal_parameters(structure, batch.asimov_mu)
    with one_blas_thread(len(free)):
        parts = [
            likelihood.expand(parameters[:, lanes]).gradient[0]
            for lanes, likelihood in likelihoods(structure, layout_of(structure, free), batch, nominal)
        ]
    return np.concatenate(parts)


def as_operand(structure: LikelihoodStructure) -> tuple[Any, Callable[[Any], LikelihoodStructure]]:
    """What to hand to a JAX transformation of a structure, and how to get it back there.

    A concrete structure is not handed over at all; one that is traced (as an argument of the caller's own jit) is.
    """
    if not is_traced(structure):
        return (), lambda _: structure
    return structure, lambda operand: operand


def on_host(structure: LikelihoodStructure) -> LikelihoodStructure:
    """The structure as the host function gets it, without the axes of a batch."""
    if isinstance(structure.init, np.ndarray) and structure.init.ndim == 1:
        return structure
    ranks = {"factor": 3, "histosys_mask": 3, "normsys_mask": 3, "staterror": 3, "shapesys": 3}

    def unbatched(name: str, value: Any) -> Any:
        rank = ranks.get(name, 1)
        if value.ndim > rank and set(value.shape[: value.ndim - rank]) != {1}:
            raise InputError("A likelihood's structure cannot be batched; batch its templates and data.")
        return value.reshape(value.shape[value.ndim - rank :])

    arrays = {
        field.name: unbatched(field.name, np.asarray(getattr(structure, field.name)))
        for field in dataclasses.fields(structure)
        if not field.metadata.get("static", False)
    }
    result: LikelihoodStructure = dataclasses.replace(structure, **arrays)
    return result


def call_with_derivative(
    structure: LikelihoodStructure,
    function: Callable[..., Any],
    results: Any,
    derivative: Callable[..., tuple[Any, Any]],
    *trees: Any,
) -> Any:
    """Call the solver on the host, with a derivative of its own, inside and outside of JAX's transformations.

    Args:
        structure: of the likelihood.
        function: of the structure of NumPy arrays and `trees`, as `hepcuts.histfactory.host.call` takes it.
        results: as for `host.call`.
        derivative: of the structure, `trees` and their tangents, to the results and their tangents.
        trees: templates, and what else it is differentiated by.
    """
    operand, structure_of = as_operand(structure)

    @jax.custom_jvp
    def called(operand: Any, *trees: Any) -> Any:
        return host.call(lambda held, *at: function(on_host(structure_of(held)), *at), results, operand, *trees)

    @called.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return derivative(structure_of(primals[0]), primals[1:], tangents[1:])

    return called(operand, *trees)


def fitted_parameters(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, data: Any, start: Any, *, fix_poi: bool
) -> Float[Array, " parameter"]:
    """Best-fit parameters, NaN where the fit did not converge; differentiable in templates, data and start's POI.

    Args:
        structure: of the likelihood.
        templates: its templates.
        data: main and auxiliary data, shape (data,).
        start: where to start, shape (parameter,); with `fix_poi` it holds the value of the parameter of interest.
        fix_poi: whether the parameter of interest stays there.
    """

    def host_fit(held: LikelihoodStructure, templates: Any, data: Any, start: Any) -> Any:
        batch = Batch.of(templates, data, start.shape[:-1])
        lanes = np.broadcast_to(start, (*batch.lead, start.shape[-1])).reshape(-1, start.shape[-1]).T
        result = search(held, batch, lanes, fix_poi=fix_poi)
        found = np.where(result.status == CONVERGED, result.parameters, np.nan)
        return found.T.reshape(*batch.lead, -1)

    def derivative(held: LikelihoodStructure, at: Any, change: Any) -> tuple[Any, Any]:
        found = fitted_parameters(held, *at, fix_poi=fix_poi)
        return found, response(held, at[:2], change[:2], found, change[2] if fix_poi else None)

    result: Array = call_with_derivative(structure, host_fit, host.floats(start), derivative, templates, data, start)
    return result


@jax.jit
def contracted(slopes: Any, changes: Any) -> Any:
    """Sum of all derivatives times changes."""
    products = jax.tree.map(lambda slope, change: jnp.sum(slope * change), slopes, changes)
    return sum(jax.tree.leaves(products))
