"""Bounded Newton minimization of a HistFactory deviance, in pure JAX.

The solver takes the expansion of a function to second order, bounds, and a mask of parameters that move.
Each step solves the Newton equations with the exact Hessian where that is positive, and with the expected information
(Fisher scoring), which always is, elsewhere; damped as by Levenberg and Marquardt if the function did not fall; with
parameters at a bound left out while the gradient pushes them outwards :cite:p:`bertsekas1982`. It has converged when
the expected distance to the minimum (EDM, half of gradient times inverse Hessian times gradient, as in minuit) is
negligible; one last full step then removes what is left of it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .density import Expansion

Vector = Float[Array, " parameter"]

CONVERGED, STALLED, TOO_MANY_STEPS, NOT_FINITE = range(4)

MESSAGES = (
    "converged",
    "no step lowers -2 ln L although the expected distance to the minimum is not small: the likelihood may be flat, "
    "discontinuous (interpolation code 0 or 2) or run into a bound; try other initial values or fix a parameter",
    "the number of steps ran out before the expected distance to the minimum was small; raise max_steps",
    "-2 ln L is not finite at the initial values: a bin with data expects no or negative events there; "
    "check the templates for empty or negative bins",
)

_EDM_DONE = 1e-14
"""Expected distance in -2 ln L at which one more Newton step makes the rest unmeasurable."""
_EDM_ROUNDING = 1e-8
"""Expected distance that may remain where rounding keeps -2 ln L from falling any further."""

_SMALLEST_DAMPING = 0.1


class Minimum(NamedTuple):
    """Where the search ended.

    Attributes:
        parameters: shape (parameter,).
        value: the function there.
        edm: expected distance to the minimum.
        num_steps: number of steps taken.
        status: 0 if it converged, else a position in `MESSAGES`.
    """

    parameters: Vector
    value: Float[Array, ""]
    edm: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class _State(NamedTuple):
    parameters: Vector
    at: Expansion
    damping: Float[Array, ""]
    edm: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]
    done: Bool[Array, ""]


def minimize(
    expand: Callable[[Vector], Expansion],
    init: Vector,
    *,
    bounds: tuple[Vector, Vector],
    free: Bool[Array, " parameter"],
    max_steps: int = 200,
) -> Minimum:
    """Minimize a smooth function within bounds; see the module's text. Not differentiable itself.

    Args:
        expand: value, gradient, Hessian and information (a matrix that is not negative and approximates the Hessian)
            at parameters of shape (parameter,).
        init: where to start; moved into the bounds.
        bounds: lower and upper bounds, each of shape (parameter,).
        free: which parameters move, shape (parameter,).
        max_steps: largest number of expansions.
    """
    lower, upper = bounds
    size = len(init)
    start = jnp.where(free, jnp.clip(init, lower, upper), init)
    # A first step of length zero from an infinite value: the loop's own expansion serves the start, too, and is
    # compiled once.
    nowhere = Expansion(jnp.asarray(jnp.inf), jnp.zeros(size), jnp.eye(size), jnp.eye(size))
    zero = jnp.asarray(0.0)
    state = _State(start, nowhere, zero, jnp.asarray(jnp.inf), jnp.asarray(0), jnp.asarray(TOO_MANY_STEPS), zero > 0)

    def advance(s: _State) -> _State:
        first = s.num_steps == 0
        outwards = ((s.parameters <= lower) & (s.at.gradient > 0)) | ((s.parameters >= upper) & (s.at.gradient < 0))
        moving = free & ~outwards
        step, edm, exact = _newton_step(s.at, s.damping, moving)
        solved = jnp.isfinite(edm) & (edm >= 0)
        proposal = jnp.where(moving & solved, jnp.clip(s.parameters - step, lower, upper), s.parameters)
        new = expand(proposal)
        usable = solved & jnp.isfinite(new.value) & jnp.all(jnp.isfinite(new.gradient))
        accept = usable & (new.value <= s.at.value + 1e-15 * (1.0 + jnp.abs(s.at.value)))
        # A minimum is where the exact Hessian is positive; a parameter without any effect does not count.
        arrived = exact & (s.damping == 0) & (edm < _EDM_DONE) & ~first
        stalled = ~accept & (s.damping > 1e12)
        converged = arrived | (stalled & exact & (edm * s.damping < _EDM_ROUNDING))
        take = accept | (arrived & usable)
        # In units of the information less damping than this makes no difference.
        relaxed = jnp.where(s.damping > _SMALLEST_DAMPING, s.damping / 5.0, 0.0)
        raised = jnp.maximum(5.0 * s.damping, _SMALLEST_DAMPING)
        damping = jnp.where(accept, relaxed, raised)
        # Looks like the minimum: the next step, undamped, tells.
        damping = jnp.where((s.damping > 0) & (edm < _EDM_DONE), 0.0, damping)
        invalid = first & ~accept
        status = jnp.where(converged, CONVERGED, jnp.where(stalled, STALLED, TOO_MANY_STEPS))

        def keep(updated: Array, old: Array) -> Array:
            return jnp.where(take, updated, old)

        return _State(
            keep(proposal, s.parameters),
            jax.tree.map(keep, new, s.at),
            damping,
            jnp.where(solved, edm, s.edm),
            s.num_steps + 1,
            jnp.where(invalid, NOT_FINITE, status),
            converged | stalled | invalid,
        )

    end = jax.lax.while_loop(lambda s: ~s.done & (s.num_steps < max_steps), advance, state)
    return Minimum(end.parameters, end.at.value, end.edm, end.num_steps, end.status)


def _newton_step(
    at: Expansion,
    damping: Float[Array, ""],
    moving: Bool[Array, " parameter"],
) -> tuple[Vector, Float[Array, ""], Bool[Array, ""]]:
    """The damped step of the moving parameters, its EDM, and whether the exact Hessian made it."""
    both = moving[:, None] & moving[None, :]
    diagonal = jnp.where(moving, jnp.diagonal(at.information), 1.0)
    # A parameter without any effect has neither gradient nor curvature; it stays where it is.
    idle = diagonal <= 0
    root = jnp.sqrt(jnp.where(idle, 1.0, diagonal))
    unit = jnp.diag(jnp.where(moving, damping + idle, 1.0))

    def factorize(matrix: Array) -> Array:
        # Scaled by the information: parameters may differ in curvature by many orders of magnitude.
        scaled: Array = jnp.linalg.cholesky(jnp.where(both, matrix / (root[:, None] * root[None, :]), 0.0) + unit)
        return scaled

    factor = factorize(at.hessian)
    exact = jnp.all(jnp.isfinite(factor))
    # The information may be singular (more parameters than data); a trace of damping makes it positive.
    factor = jnp.where(exact, factor, factorize(at.information + 1e-9 * jnp.diag(diagonal)))
    whitened = jax.scipy.linalg.solve_triangular(factor, jnp.where(moving, at.gradient, 0.0) / root, lower=True)
    step = jax.scipy.linalg.solve_triangular(factor, whitened, lower=True, trans=1) / root
    return step, 0.5 * jnp.sum(whitened**2), exact
