"""Fits as functions that JAX can batch and differentiate; the fitting itself is the solver's.

`fitted_parameters` is differentiable by the implicit function theorem: at a minimum the gradient stays zero, so
d theta = - H^-1 d(gradient), with the Hessian H of the parameters that are free and not at a bound.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hepcuts._precision import is_traced
from hepcuts._types import FloatArray
from hepcuts.errors import InputError

from . import density, host
from .batch import Batch
from .solver.expansion import Likelihood
from .solver.gradient import gradient
from .solver.layout import Layout, layout_of
from .solver.minima import CONVERGED, TOO_MANY_STEPS, Minima
from .solver.newton import minimize
from .solver.walls import search_along_walls
from .structure import LikelihoodTemplates, Structure

_LANES = 4_000_000
"""Numbers in the largest array of a chunk of lanes, roughly: what fits a processor's cache."""
_MORE_STEPS = 2000
"""For lanes that are still on their way when their steps run out: in a narrow, curved valley they are short."""
_MOST_WALLS = 100
"""How many lanes of a batch are searched one by one; more than that have another trouble."""


def free_parameters(structure: Structure, *, fix_poi: bool) -> Any:
    """Which parameters a fit moves, before templates have their say, shape (parameter,)."""
    free = ~np.asarray(structure.fixed)
    if fix_poi:
        free[structure.poi] = False
    return free


def numbers_of(structure: Structure, templates: LikelihoodTemplates, data: Any = None) -> Likelihood:
    """The solver's likelihood of one template set, with all parameters free that the model does not fix."""
    batch = Batch.of(templates, data)
    layout = layout_of(structure, free_parameters(structure, fix_poi=False))
    with np.errstate(all="ignore"):
        return Likelihood(layout, structure, batch.templates, batch.data, np.asarray(structure.init, dtype=np.float64))


def single_search(
    structure: Structure, batch: Batch, start: FloatArray, *, fix_poi: bool, max_steps: int = 400
) -> Minima:
    """Minimize the deviance of each lane on the host.

    Args:
        structure: of NumPy arrays.
        batch: templates and data.
        start: shape (parameter,), or (parameter, lane).
        fix_poi: whether the parameter of interest stays where `start` has it.
        max_steps: largest number of steps.
    """
    layout = layout_of(structure, free_parameters(structure, fix_poi=fix_poi))
    start = np.asarray(start, dtype=np.float64)
    start = np.broadcast_to(start[:, None] if start.ndim == 1 else start, (len(start), batch.lanes))
    nominal = nominal_parameters(structure, batch.asimov_mu)
    init = np.asarray(structure.init, dtype=np.float64)[:, None]
    bounds = np.asarray(structure.lower), np.asarray(structure.upper)
    with np.errstate(all="ignore"):
        parts = [
            # What the templates leave without content is fixed at its nominal value, wherever a fit starts.
            minimize(likelihood, np.where(likelihood.void, init, start[:, lanes]), bounds, max_steps=max_steps)
            for lanes, likelihood in likelihoods(structure, layout, batch, nominal)
        ]
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in dataclasses.fields(Minima)]
    return Minima(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))


def likelihoods(
    structure: Structure, layout: Layout, batch: Batch, nominal: FloatArray
) -> Iterator[tuple[slice, Likelihood]]:
    """The solver's likelihoods of a batch, chunk by chunk, with the lanes of each chunk."""
    cells = layout.samples * layout.bins
    size = max(1, _LANES // (cells * (len(layout.to) + len(layout.shifts.to) + 8)))
    for first in range(0, max(batch.lanes, 1), size):  # a batch of none is one chunk without lanes
        lanes = slice(first, first + size)
        part = batch.take(lanes)
        yield lanes, Likelihood(layout, structure, part.templates, part.data, nominal)


def gradients(structure: Structure, batch: Batch, parameters: FloatArray) -> tuple[LikelihoodTemplates, FloatArray]:
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


def nominal_parameters(structure: Structure, mu: float = 1.0) -> FloatArray:
    """Nominal parameters with the parameter of interest, if there is one, at `mu`."""
    nominal = np.array(structure.init, dtype=np.float64)
    if structure.poi is not None:
        nominal[structure.poi] = mu
    return nominal


def slope_of_poi(structure: Structure, batch: Batch, parameters: FloatArray) -> FloatArray:
    """Derivative of the deviance with respect to the parameter of interest at fixed other ones, shape (lane,)."""
    free = np.zeros(len(structure.init), dtype=bool)
    free[structure.poi] = True
    nominal = nominal_parameters(structure, batch.asimov_mu)
    parts = [
        likelihood.expand(parameters[:, lanes]).gradient[0]
        for lanes, likelihood in likelihoods(structure, layout_of(structure, free), batch, nominal)
    ]
    return np.concatenate(parts)


def alternative_starts(structure: Structure, number: int) -> FloatArray:
    """Other places to start than pyhf's, over the ranges that the parameters may well take: (parameter, start).

    Constrained parameters by up to three widths, free factors by up to a factor of four; always the same ones.
    """
    generator = np.random.default_rng(20110)
    init = np.asarray(structure.init, dtype=np.float64)[:, None]
    lower, upper = (np.asarray(side, dtype=np.float64)[:, None] for side in (structure.lower, structure.upper))
    uniform = generator.uniform(-1.0, 1.0, size=(len(init), number))
    # A variation to the same side at both ends makes two minima, one at each: look there first.
    uniform[:, :2] = np.array([[-0.5, 0.5]])[:, :number]
    starts = np.where(lower < 0, init + 3.0 * uniform, init * 4.0**uniform)
    normal = np.asarray(structure.normal_parameter)
    positive = lower[normal] >= 0
    widths = np.clip(np.asarray(structure.normal_sigma, dtype=np.float64)[:, None], 0.0, 0.5)
    starts[normal] = np.where(positive, init[normal] * np.exp(2.0 * widths * uniform[normal]), starts[normal])
    return np.clip(starts, lower, upper)


def search(structure: Structure, batch: Batch, start: FloatArray, *, fix_poi: bool, retries: int = 4) -> Minima:
    """As `single_search`; lanes that do not converge go on where they are, and try again from other places."""
    result = single_search(structure, batch, start, fix_poi=fix_poi)
    if np.all(result.status == CONVERGED):
        return result
    _go_on(structure, batch, result, fix_poi=fix_poi)
    moved = free_parameters(structure, fix_poi=fix_poi)[:, None]
    kept = np.broadcast_to(np.reshape(start, (len(moved), -1)), (len(moved), batch.lanes))
    for other in alternative_starts(structure, retries).T:
        failed = np.flatnonzero(result.status != CONVERGED)
        if not len(failed):
            break
        part, again = batch.take(failed), np.where(moved, other[:, None], kept[:, failed])
        found = single_search(structure, part, again, fix_poi=fix_poi)
        _go_on(structure, part, found, fix_poi=fix_poi)
        better = found.status == CONVERGED
        result.replace(failed[better], found.take(better))
    return result


def _go_on(structure: Structure, batch: Batch, result: Minima, *, fix_poi: bool) -> None:
    """Lanes that did not converge go on where they ended: along walls, or with more steps."""
    failed = np.flatnonzero(result.status != CONVERGED)
    if not len(failed):
        return
    _along_walls(structure, batch, result, failed[:_MOST_WALLS], fix_poi=fix_poi)
    slow = np.flatnonzero(result.status == TOO_MANY_STEPS)
    if len(slow):
        here = result.parameters[:, slow]
        found = single_search(structure, batch.take(slow), here, fix_poi=fix_poi, max_steps=_MORE_STEPS)
        found.num_steps += result.num_steps[slow]
        result.replace(slow, found)


def _along_walls(structure: Structure, batch: Batch, result: Minima, lanes: Any, *, fix_poi: bool) -> None:
    """Search once more where a bin without data may be in the way, one by one."""
    layout = layout_of(structure, free_parameters(structure, fix_poi=fix_poi))
    nominal = nominal_parameters(structure, batch.asimov_mu)
    bounds = np.asarray(structure.lower), np.asarray(structure.upper)
    with np.errstate(all="ignore"):
        for lane in lanes:
            part = batch.take(np.array([lane]))
            likelihood = Likelihood(layout, structure, part.templates, part.data, nominal)
            found = search_along_walls(likelihood, result.parameters[:, lane], bounds)
            if found is not None:
                result.replace(np.array([lane]), found)


def as_operand(structure: Structure) -> tuple[Any, Callable[[Any], Structure]]:
    """What to hand to a JAX transformation of a structure, and how to get it back there.

    A concrete structure is not handed over at all; one that is traced (as an argument of the caller's own jit) is.
    """
    if not is_traced(structure):
        return (), lambda _: structure
    return structure, lambda operand: operand


def on_host(structure: Structure) -> Structure:
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
    result: Structure = dataclasses.replace(structure, **arrays)
    return result


def fitted_parameters(
    structure: Structure, templates: LikelihoodTemplates, data: Any, start: Any, *, fix_poi: bool
) -> Float[Array, " parameter"]:
    """Best-fit parameters, NaN where the fit did not converge; differentiable in templates, data and start's POI.

    Args:
        structure: of the likelihood.
        templates: its templates.
        data: main and auxiliary data, shape (data,).
        start: where to start, shape (parameter,); with `fix_poi` it holds the value of the parameter of interest.
        fix_poi: whether the parameter of interest stays there.
    """
    operand, structure_of = as_operand(structure)

    def host_fit(operand: Any, templates: Any, data: Any, start: Any) -> Any:
        batch = Batch.of(templates, data, start.shape[:-1])
        lanes = np.broadcast_to(start, (*batch.lead, start.shape[-1])).reshape(-1, start.shape[-1]).T
        result = search(on_host(structure_of(operand)), batch, lanes, fix_poi=fix_poi)
        found = np.where(result.status == CONVERGED, result.parameters, np.nan)
        return found.T.reshape(*batch.lead, -1)

    @jax.custom_jvp
    def fitted(operand: Any, templates: Any, data: Any, start: Any) -> Any:
        return host.call(host_fit, host.floats(start), operand, templates, data, start)

    @fitted.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        found = fitted(*primals)
        held = structure_of(primals[0])
        return found, _response(held, primals[1:3], tangents[1:3], found, tangents[3] if fix_poi else None)

    result: Array = fitted(operand, templates, data, start)
    return result


@eqx.filter_jit
def _response(structure: Structure, at: Any, direction: Any, found: Any, moved: Any) -> Any:
    """How the best-fit parameters follow a change of templates and data (and of the fixed parameter of interest)."""
    terms = density.constraints(structure, at[0])
    free = ~(jnp.asarray(structure.fixed) | terms.void)
    shift = jnp.zeros_like(found)
    if moved is not None:
        free = free.at[structure.poi].set(False)
        shift = shift.at[structure.poi].set(moved[structure.poi])
    free = free & (found > jnp.asarray(structure.lower)) & (found < jnp.asarray(structure.upper))

    def gradient(templates: Any, data: Any, parameters: Any) -> Any:
        return jax.grad(density.deviance, argnums=2)(structure, templates, parameters, data)

    hessian = jax.jacfwd(gradient, argnums=2)(*at, found)
    _, change = jax.jvp(lambda t, d: gradient(t, d, found), at, direction)
    change = change + hessian @ shift
    # A parameter without any effect stays where it is.
    free = free & (jnp.diagonal(hessian) > 0)
    both = free[:, None] & free[None, :]
    root = jnp.where(free, jnp.sqrt(jnp.where(free, jnp.diagonal(hessian), 1.0)), 1.0)
    scaled = jnp.where(both, hessian / (root[:, None] * root[None, :]), jnp.eye(len(root)))
    return shift - jnp.where(free, jnp.linalg.solve(scaled, jnp.where(free, change, 0.0) / root) / root, 0.0)


@jax.jit
def contracted(slopes: Any, changes: Any) -> Any:
    """Sum of all derivatives times changes."""
    products = jax.tree.map(lambda slope, change: jnp.sum(slope * change), slopes, changes)
    return sum(jax.tree.leaves(products))
