"""How best-fit parameters follow a change of templates and data: the implicit function theorem, in JAX.

d theta = - H^-1 d(gradient), with the Hessian H of the parameters that are free and not held by a bound or by a kink or
jump of the interpolation. Of many parameters of single bins, H is never formed: JAX multiplies by it, and the solver
divides, on the host (`hepcuts.histfactory.solver.arrow`). Both may be differentiated further.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.precision import is_traced
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.arrow import Arrow
from hepcuts.histfactory.solver.jumps import BEYOND
from hepcuts.histfactory.solver.layout import CellIndex, layout_of
from hepcuts.histfactory.solver.linear import solve_scaled
from hepcuts.histfactory.solver.proposals import KINK

from . import density, host
from .batch import Batch
from .interpolation import JUMPING
from .searches import free_parameters, likelihoods, nominal_parameters
from .structure import LikelihoodStructure

_NO_SLOPE = 1e-12
"""Square of a slope of -2 ln L over its curvature that is none."""


def response(structure: LikelihoodStructure, at: Any, direction: Any, found: Any, moved: Any) -> Any:
    """The change of the best-fit parameters, shape (parameter,).

    Args:
        structure: of the likelihood.
        at: templates and data.
        direction: how they change.
        found: best-fit parameters there.
        moved: how the start changes, if the parameter of interest is fixed there; else None.
    """
    if not is_traced(structure) and isinstance(structure.init, np.ndarray):
        layout = layout_of(structure, free_parameters(structure, fix_poi=moved is not None))
        if layout.partition is not None:
            return _of_many(structure, layout, at, (direction, found, moved))
    return _of_few(structure, at, direction, found, moved)


def _gradient(structure: LikelihoodStructure) -> Callable[[Any, Any, Any], Any]:
    """Of the deviance with respect to the parameters: a function of templates, data and parameters."""
    return lambda templates, data, pars: jax.grad(density.deviance, argnums=2)(structure, templates, pars, data)


@eqx.filter_jit
def _of_few(structure: LikelihoodStructure, at: Any, direction: Any, found: Any, moved: Any) -> Any:
    """With all elements of the Hessian."""
    gradient = _gradient(structure)
    hessian = jax.jacfwd(gradient, argnums=2)(*at, found)
    slope, change = jax.jvp(lambda t, d: gradient(t, d, found), at, direction)
    free, shift = _moving(structure, at[0], (found, moved), slope, jnp.diagonal(hessian))
    change = change + hessian @ shift
    both = free[:, None] & free[None, :]
    root = jnp.where(free, jnp.sqrt(jnp.where(free, jnp.diagonal(hessian), 1.0)), 1.0)
    scaled = jnp.where(both, hessian / (root[:, None] * root[None, :]), jnp.eye(len(root)))
    return shift - jnp.where(free, jnp.linalg.solve(scaled, jnp.where(free, change, 0.0) / root) / root, 0.0)


def _of_many(structure: LikelihoodStructure, layout: CellIndex, at: Any, followed: Any) -> Any:
    """Without: products with the Hessian by JAX, divisions by the solver."""
    direction, found, moved = followed
    gradient = _gradient(structure)
    slope, change = jax.jvp(lambda t, d: gradient(t, d, found), at, direction)
    held = jax.lax.stop_gradient((*at, found))

    def on_host(kind: Callable[..., FloatArray], *more: Any) -> Any:
        call = lambda *arrays: _on_lanes(structure, layout, kind, *arrays)  # noqa: E731
        return host.call(call, host.floats(found), *held, *more)

    def product(vector: Any) -> Any:
        return jax.jvp(lambda pars: gradient(at[0], at[1], pars), (found,), (vector,))[1]

    free, shift = _moving(structure, held[0], (found, moved), jax.lax.stop_gradient(slope), on_host(_diagonal))
    change = change + product(shift)
    solution = jax.lax.custom_linear_solve(
        lambda vector: jnp.where(free, product(jnp.where(free, vector, 0.0)), vector),
        jnp.where(free, change, 0.0),
        lambda _, side: on_host(_quotient, jnp.where(free, 1.0, 0.0), side),
        symmetric=True,
    )
    return shift - jnp.where(free, solution, 0.0)


def _moving(structure: LikelihoodStructure, templates: Any, start: Any, slope: Any, diagonal: Any) -> tuple[Any, Any]:
    """Which parameters respond, and how those move that are told to, both of shape (parameter,)."""
    found, moved = start
    free = ~(jnp.asarray(structure.fixed) | density.constraints(structure, templates).void)
    shift = jnp.zeros_like(found)
    if moved is not None:
        free = free.at[structure.poi].set(False)
        shift = shift.at[structure.poi].set(moved[structure.poi])
    free = free & (found > jnp.asarray(structure.lower)) & (found < jnp.asarray(structure.upper))
    # A slope holds a parameter in a corner; without one, the minimum happens to be there and moves on.
    free = free & ~(_at_corner(structure, found) & (slope**2 > _NO_SLOPE * diagonal))
    # A parameter without any effect stays where it is.
    return free & (diagonal > 0), shift


def _at_corner(structure: LikelihoodStructure, found: Any) -> Any:
    """Which parameters are where the rates have a kink or a jump, shape (parameter,)."""
    nowhere = jnp.zeros(len(structure.init), dtype=bool)
    kinked = jumping = nowhere
    if structure.histosys_code == "code0":
        kinked = kinked.at[structure.histosys].set(True)
    if structure.normsys_code == "code1":
        kinked = kinked.at[structure.normsys].set(True)
    if structure.histosys_code in JUMPING:
        jumping = nowhere.at[structure.histosys].set(True)
    size = jnp.abs(found)
    return (kinked & (size <= KINK)) | (jumping & ((size == 1.0) | (size == BEYOND)))


def _on_lanes(
    structure: LikelihoodStructure,
    layout: CellIndex,
    function: Callable[..., FloatArray],
    *arrays: Any,
) -> FloatArray:
    """A function of the Hessian (an `Arrow`) and of free parameters, of each lane; axes of the batch in front.

    Args:
        structure: of NumPy arrays.
        layout: with a partition.
        function: of an `Arrow` and arrays of shape (free, lane) to one such array.
        arrays: templates, data, parameters, and what else the function takes.
    """
    templates, data, *rows = arrays
    batch = Batch.of(templates, data, *(row.shape[:-1] for row in rows))
    at, *more = (np.broadcast_to(row, (*batch.lead, row.shape[-1])).reshape(-1, row.shape[-1]).T for row in rows)
    result = np.zeros_like(at)
    nominal = nominal_parameters(structure, batch.asimov_mu)
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        for lanes, likelihood in likelihoods(structure, layout, batch, nominal):
            hessian = likelihood.expand(np.ascontiguousarray(at[:, lanes])).curvature(slice(None))
            result[layout.free, lanes] = function(hessian, *(row[layout.free, lanes] for row in more))
    return result.T.reshape(*batch.lead, len(at))


def _diagonal(hessian: Arrow) -> FloatArray:
    return hessian.diagonal()


def _quotient(hessian: Arrow, free: FloatArray, side: FloatArray) -> FloatArray:
    """The side over the Hessian of the free parameters; NaN where that is not positive."""
    diagonal, moving = hessian.diagonal(), free > 0
    root = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    solution, positive = solve_scaled(hessian, root, moving, 1.0 - free, side * root)
    return np.where(moving, np.where(positive, solution * root, np.nan), side)
