"""The test statistic q0 of batches, on the host, and as a function that JAX can differentiate."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.precision import is_traced
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.minima import CONVERGED, Minima

from . import density, host
from .asimov import nominal_at
from .batch import Batch
from .interest import required_poi, signal_strength
from .minimization import call_with_derivative, contracted, fitted_parameters, gradients, on_host
from .searches import search
from .structure import LikelihoodStructure, LikelihoodTemplates


def q0_of(unconditional: Minima, background_only: Minima) -> FloatArray:
    """q0 from the two fits; NaN where one did not converge."""
    converged = (unconditional.status == CONVERGED) & (background_only.status == CONVERGED)
    with np.errstate(invalid="ignore"):  # both are infinite where nothing could be fitted
        return np.where(converged, np.maximum(background_only.value - unconditional.value, 0.0), np.nan)


def fits_of(structure: LikelihoodStructure, batch: Batch, start: FloatArray | None = None) -> tuple[Minima, Minima]:
    """Unconditional and background-only fit of each lane, on the host."""
    nominal = np.array(structure.init, dtype=np.float64)
    poi = required_poi(structure)
    held = nominal.copy()
    held[poi] = 0.0
    background_only = search(structure, batch, held, fix_poi=True)
    if batch.data is None:
        # The expectation at these parameters is the data: the unconditional fit is known, its deviance is zero.
        nominal[poi] = 1.0
        zero, none = np.zeros(batch.lanes), np.zeros(batch.lanes, dtype=np.int64)
        known = Minima(np.repeat(nominal[:, None], batch.lanes, axis=1), zero, zero, none, none + CONVERGED, none == 0)
        return known, background_only
    unconditional = search(structure, batch, nominal if start is None else start, fix_poi=False)
    go_on_from_background(structure, batch, unconditional, background_only)
    return unconditional, background_only


def go_on_from_background(
    structure: LikelihoodStructure, batch: Batch, unconditional: Minima, background_only: Minima
) -> None:
    """The larger hypothesis cannot fit worse: where it does, or found nothing, it goes on from the other's end."""
    if structure.lower[required_poi(structure)] > 0:
        return
    reached = np.where(unconditional.status == CONVERGED, unconditional.value, np.inf)
    slack = 1e-9 * (1.0 + np.abs(background_only.value))
    worse = np.flatnonzero((background_only.status == CONVERGED) & (background_only.value + slack < reached))
    if len(worse):
        again = search(structure, batch.take(worse), background_only.parameters[:, worse], fix_poi=False)
        better = (again.status == CONVERGED) & (again.value < reached[worse])
        worse, again = worse[better], again.take(better)
        unconditional.replace(worse, again)
        unconditional.rival[worse] = np.minimum(again.rival, reached[worse])


def q0_of_batch(structure: LikelihoodStructure, batch: Batch) -> FloatArray:
    """q0 of each lane, shape (lane,); NaN where a fit did not converge."""
    return signed(structure, *fits_of(structure, batch))


def signed(structure: LikelihoodStructure, unconditional: Minima, background_only: Minima) -> FloatArray:
    """q0 with its sign convention, shape (lane,)."""
    value = q0_of(unconditional, background_only)
    # mu-hat <= 0 is no evidence for a signal.
    return np.where((unconditional.parameters[structure.poi] > 0) | np.isnan(value), value, 0.0)


def _q0_and_gradient_of_batch(structure: LikelihoodStructure, batch: Batch) -> tuple[FloatArray, Any, FloatArray]:
    """q0 of each lane, and its derivatives with respect to templates and data with the lanes in front."""
    unconditional, background_only = fits_of(structure, batch)
    value = signed(structure, unconditional, background_only)
    by_templates, by_data = gradients(structure, batch, background_only.parameters)
    if batch.data is not None:
        # On Asimov data the unconditional deviance is zero whatever the templates.
        minus_templates, minus_data = gradients(structure, batch, unconditional.parameters)
        by_templates = jax.tree.map(np.subtract, by_templates, minus_templates)
        by_data = by_data - minus_data
    regular = unconditional.regular & background_only.regular
    weight = np.where(value > 0, np.where(regular, 1.0, np.nan), value)  # else zero or NaN
    weighted = functools.partial(_weighted, weight)
    return value, jax.tree.map(weighted, by_templates), weighted(by_data)


def _weighted(weight: FloatArray, derivatives: FloatArray) -> FloatArray:
    """Derivatives, shape (lane, ...), as they are where the weight of the lane is one, and the weight elsewhere."""
    factor = weight.reshape((-1,) + (1,) * (derivatives.ndim - 1))
    return np.where(factor == 1.0, derivatives, factor)


def q0(structure: LikelihoodStructure, templates: LikelihoodTemplates, data: Any = None) -> Any:
    """The test statistic q0 on `data`, or on the prefit Asimov dataset if that is None.

    A NumPy number, or inside a JAX transformation something to be differentiated, batched and compiled. NaN if a fit
    did not converge. The derivative is that of the two deviances at the fitted parameters (envelope theorem); further
    derivatives follow the fitted parameters by the implicit function theorem.
    """
    signal_strength(structure)
    return discovery_statistic(structure, templates, data, root=False)


def discovery_statistic(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, data: Any, *, root: bool
) -> Any:
    """q0, or its root."""
    if not is_traced(structure, templates, data):
        batch = Batch.of(templates, data)
        found = q0_of_batch(on_host(structure), batch).reshape(batch.lead)[()]
        return np.sqrt(found) if root else found

    def host_value(held: LikelihoodStructure, templates: Any, data: Any) -> Any:
        batch = Batch.of(templates, data)
        found = q0_of_batch(held, batch).reshape(batch.lead)
        return np.sqrt(found) if root else found

    def derivative(held: LikelihoodStructure, at: Any, change: Any) -> tuple[Any, Any]:
        value, *slopes = _statistic_and_slopes(held, *at, root=root)
        return value, contracted(tuple(slopes), change)

    return call_with_derivative(structure, host_value, host.floats(0.0), derivative, templates, data)


def _statistic_and_slopes(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, data: Any, *, root: bool
) -> Any:
    """q0 or its root, and its derivatives with respect to templates and data (None if that is None).

    The derivatives may be differentiated, too. That of the root is zero where q0 is: there the root has none.
    """

    def host_gradient(held: LikelihoodStructure, templates: Any, data: Any) -> Any:
        batch = Batch.of(templates, data)
        value, *slopes = _q0_and_gradient_of_batch(held, batch)
        if root:
            value = np.sqrt(value)
            half = np.where(value > 0, 0.5 / np.where(value > 0, value, 1.0), 0.0)
            slopes = jax.tree.map(lambda a: a * half.reshape(-1, *[1] * (a.ndim - 1)), slopes)
        answer = (value, slopes[0], slopes[1] if data is not None else None)
        return jax.tree.map(lambda a: a.reshape((*batch.lead, *a.shape[1:])), answer)

    like = host.floats((0.0, templates, data))
    second = functools.partial(_second_order, root=root)
    return call_with_derivative(structure, host_gradient, like, second, templates, data)


@eqx.filter_jit
def _second_order(structure: LikelihoodStructure, at: Any, direction: Any, *, root: bool) -> Any:
    """q0 and its derivatives, and how they change, all by JAX: the fitted parameters follow templates and data."""

    def both(templates: Any, data: Any) -> Any:
        background = nominal_at(structure, 0.0)
        if data is None:
            reference, best = density.expected_data(structure, templates, nominal_at(structure, 1.0)), None
        else:
            start = jnp.asarray(structure.init)
            reference, best = data, fitted_parameters(structure, templates, data, start, fix_poi=False)
        conditional = fitted_parameters(structure, templates, reference, background, fix_poi=True)

        def value_of(templates: Any, data: Any) -> Any:
            value = _difference(structure, templates, data, conditional, best)
            return significance_of(value) if root else value

        value, slopes = jax.value_and_grad(value_of, argnums=(0, 1))(templates, data)
        return value, *slopes

    return jax.jvp(both, at, direction)


def _difference(structure: LikelihoodStructure, templates: Any, data: Any, conditional: Any, best: Any) -> Any:
    """q0 at given fitted parameters."""
    if data is None:
        data = density.expected_data(structure, templates, nominal_at(structure, 1.0))
    value = density.deviance(structure, templates, conditional, data)
    positive = value > 0
    if best is not None:
        value = value - density.deviance(structure, templates, best, data)
        positive = (value > 0) & (best[structure.poi] > 0)
    # mu-hat <= 0 is no evidence for a signal; just above, rounding may leave the difference below zero.
    return jnp.where(positive | jnp.isnan(value), value, 0.0)


def significance_of(q0_value: Any) -> Any:
    """Z = sqrt(q0), with gradient zero where q0 is zero (there the root has none)."""
    if not is_traced(q0_value):
        return np.sqrt(q0_value)
    positive = q0_value > 0
    root = jnp.sqrt(jnp.where(positive, q0_value, 1.0))
    return jnp.where(positive, root, q0_value)  # keeps NaN
