"""Bounded Newton minimization of many likelihoods side by side.

Each step solves the Newton equations with the exact Hessian where that is positive, and with the expected information
(Fisher scoring), which always is, elsewhere; damped as by Levenberg and Marquardt if the function did not fall; with
parameters at a bound left out while the gradient pushes them outwards :cite:p:`bertsekas1982`. It has converged when
the expected distance to the minimum (EDM, half of gradient times inverse Hessian times gradient, as in minuit) is
small at a positive Hessian; the step that follows removes what is left of it. At a saddle point the direction of
negative curvature leads on.

Interpolation codes 0 and 1 have a kink where their parameter is zero. Steps end there, and where a lane has come to
rest at one side of kinks, it looks at the other sides: it is at the minimum if all of them rise.

Lanes that are done leave the batch, so that the others do not wait for the slowest.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .curvature import AbstractExpansion, taken
from .expansion import Likelihood
from .linear import finite
from .minima import CONVERGED, NOT_FINITE, STALLED, TOO_MANY_STEPS, Minima
from .steps import EDM_ROUNDING, kick, level_step, newton_step, within_bounds

__all__ = ["CONVERGED", "KINK", "NOT_FINITE", "STALLED", "TOO_MANY_STEPS", "Minima", "minimize"]

Values = NDArray[np.float64]

EDM_DONE = 1e-10
"""Expected distance in -2 ln L, relative to it where it is small, at which the next Newton step is the last."""
_SMALLEST_DAMPING, _FIRST_DAMPING, _LARGEST_DAMPING = 1e-7, 0.1, 1e12
"""In units of the information. Less than the first makes no difference, more than the last no step."""
_GROWTH, _GROWTH_AGAIN = 10.0, 3.0
"""By how much a refused step raises the damping: the first time, and soon after a step was accepted."""
_NOTHING = 1e-14
"""A deviance that no step can lower."""
KINK = 1e-300
"""The right-hand side of a kink at zero; its left-hand side is zero itself."""
_BESIDE_KINK = 1e-8
"""A minimum so near to a kink, in standard deviations, may be on a side that is flat there; the other need not be."""
_LONG = 0.1
"""A last step that is longer than this, in standard deviations of single parameters, is looked at."""
_SETBACKS = 2
"""How often a lane goes from some damping to none at once after a whole step was refused."""
_KICKS = 6
"""How often a lane may be pushed off the same saddle point, by shorter and shorter steps."""


@dataclasses.dataclass
class _Searching:
    """Lanes that are still searching."""

    number: NDArray[np.int64]
    parameters: Values
    at: AbstractExpansion
    damping: Values
    growth: Values
    setbacks: NDArray[np.int64]
    edm: Values
    kicks: NDArray[np.int64]
    free: NDArray[np.bool_]
    tested: NDArray[np.bool_]
    lowest: Values

    def take(self, lanes: NDArray[np.bool_]) -> "_Searching":
        return _Searching(*(taken(getattr(self, field.name), lanes) for field in dataclasses.fields(self)))


def minimize(likelihood: Likelihood, start: Values, bounds: tuple[Values, Values], *, max_steps: int = 400) -> Minima:
    """Minimize the deviance of each lane over the free parameters of the likelihood's layout.

    Args:
        likelihood: a batch of them.
        start: shape (parameter, lane); free parameters are moved into the bounds.
        bounds: lower and upper, each of shape (parameter,).
        max_steps: largest number of expansions.
    """
    free = likelihood.layout.free
    lower, upper = (np.asarray(side, dtype=np.float64)[free][:, None] for side in bounds)
    lanes = start.shape[1]
    movable = np.broadcast_to(~likelihood.void[free], (len(free), lanes))
    parameters = np.array(start)
    parameters[free] = np.where(movable, np.clip(parameters[free], lower, upper), parameters[free])
    infinite, none = np.full(lanes, np.inf), np.zeros(lanes, dtype=np.int64)
    result = Minima(parameters, infinite, infinite.copy(), none, none + NOT_FINITE, np.ones(lanes, dtype=bool))
    here = _begin(likelihood, parameters.copy(), movable)
    valid = np.isfinite(here.at.value) & np.isfinite(here.at.gradient).all(axis=0)
    if not valid.all():
        here, likelihood = here.take(valid), likelihood.take(valid)
    for step in range(1, max_steps + 1):
        if not len(here.number):
            return result
        proposal = _propose(likelihood, here, lower, upper)
        if proposal.arrived.any():
            _look_ahead(likelihood, here, proposal)
            if likelihood.kinks.any():
                _look_across(likelihood, here, proposal)
            # The last step needs no expansion: half its length in the metric of the Hessian is what it gains.
            _store(result, here, proposal.arrived, proposal, step)
            left = ~proposal.arrived
            if not left.any():
                return result
            here, likelihood, proposal = here.take(left), likelihood.take(left), proposal.take(left)
        status = _advance(likelihood, here, proposal)
        done = status != TOO_MANY_STEPS
        if done.any():
            _store(result, here, done, None, step)
            result.status[here.number] = status
            here, likelihood = here.take(~done), likelihood.take(~done)
    _store(result, here, np.ones(len(here.number), dtype=bool), None, max_steps)
    result.status[here.number] = TOO_MANY_STEPS
    return result


def _begin(likelihood: Likelihood, parameters: Values, movable: NDArray[np.bool_]) -> _Searching:
    lanes = parameters.shape[1]
    zero = np.zeros(lanes)
    return _Searching(
        np.arange(lanes),
        parameters,
        likelihood.expand(parameters),
        damping=zero,
        growth=zero + _GROWTH,
        setbacks=np.zeros(lanes, dtype=np.int64),
        edm=zero + np.inf,
        kicks=np.zeros(lanes, dtype=np.int64),
        free=movable,
        tested=np.zeros(movable.shape, dtype=bool),
        lowest=zero + np.inf,
    )


@dataclasses.dataclass
class _Proposal:
    """Steps that the lanes may take.

    Attributes:
        parameters: where they lead, shape (parameter, lane).
        edm: expected gain, shape (lane,).
        exact: whether the exact Hessian made them, shape (lane,).
        solved: whether the equations had a solution, shape (lane,).
        arrived: whether they lead to the minimum, shape (lane,).
        bent: whether a bound has cut the step, or a flat direction made it uncertain, shape (lane,).
    """

    parameters: Values
    edm: Values
    exact: NDArray[np.bool_]
    solved: NDArray[np.bool_]
    arrived: NDArray[np.bool_]
    bent: NDArray[np.bool_]

    def take(self, lanes: NDArray[np.bool_]) -> "_Proposal":
        return _Proposal(*(getattr(self, field.name)[..., lanes] for field in dataclasses.fields(self)))


def _store(result: Minima, here: _Searching, lanes: NDArray[np.bool_], last: _Proposal | None, step: int) -> None:
    """Write down some lanes as they are, or after a last step."""
    number = here.number[lanes]
    parameters, value, edm = here.parameters, here.at.value, here.edm
    if last is not None:
        parameters, value, edm = last.parameters, np.maximum(value - last.edm, 0.0), last.edm
        result.status[number] = CONVERGED
    result.parameters[:, number] = parameters[:, lanes]
    result.value[number], result.edm[number] = value[lanes], edm[lanes]
    result.num_steps[number] = step


def _propose(likelihood: Likelihood, here: _Searching, lower: Values, upper: Values) -> _Proposal:
    """The next steps of all lanes."""
    free = likelihood.layout.free
    now = here.parameters[free]
    gradient = here.at.gradient
    if likelihood.kinks.any():
        kinked = likelihood.kinks[:, None]
        lower = np.where(kinked & (now > 0), np.maximum(lower, KINK), lower)
        upper = np.where(kinked & (now <= 0), np.minimum(upper, 0.0), upper)
    outwards = ((now <= lower) & (gradient > 0)) | ((now >= upper) & (gradient < 0))
    moving = here.free & ~outwards
    step, edm, exact = newton_step(here.at, here.damping, moving)
    step, edm = within_bounds(here.at, here.damping, moving, (step, edm, exact), (now - upper, now - lower))
    solved = np.isfinite(edm) & (edm >= 0)
    done = edm < _tolerance(here.at.value)
    level = ~exact & solved & done
    flat = _at_level(here, moving, step, edm, level) if level.any() else level
    candidate = here.parameters.copy()
    whole = now - step
    within = np.clip(whole, lower, upper)
    bent = flat | (moving & (within != whole)).any(axis=0)
    candidate[free] = np.where(moving & solved, within, now)
    # A minimum is where the exact Hessian is positive; a parameter without any effect does not count.
    arrived = solved & (exact | flat) & (here.damping == 0) & done
    # Nor is there anything to gain from a deviance of zero, whatever the curvature: an empty bin has none.
    nothing = solved & ~exact & (here.at.value < _NOTHING)
    candidate = np.where(nothing, here.parameters, candidate)
    edm = np.where(nothing, np.minimum(edm, here.at.value), edm)
    arrived |= nothing
    return _Proposal(candidate, edm, exact, solved, arrived, bent)


def _at_level(here: _Searching, moving: NDArray[np.bool_], step: Values, edm: Values, level: NDArray[np.bool_]) -> Any:
    """Where the way is level without a positive Hessian: which lanes are in a flat valley, (lane,); push the others.

    Replaces steps and their EDM in place.
    """
    level = level & finite(here.at.curvature(slice(None)))
    flat = level.copy()
    instead, left, flat[level] = level_step(here.at.take(level), moving[:, level])
    step[:, flat], edm[flat] = instead[:, flat[level]], left[flat[level]]
    saddle = level & ~flat & (here.kicks < _KICKS)
    if saddle.any():
        step[:, saddle] = kick(here.at.curvature(saddle), moving[:, saddle], here.kicks[saddle])
        here.kicks[saddle] += 1
    return flat & (edm < _tolerance(here.at.value))


def _look_across(likelihood: Likelihood, here: _Searching, proposal: _Proposal) -> None:
    """Put lanes that have arrived beside kinks to their other sides, unless they were there and found nothing."""
    free = likelihood.layout.free
    now = np.where(proposal.arrived, proposal.parameters[free], here.parameters[free])
    size = np.abs(now) * np.sqrt(here.at.information_diagonal())
    edge = likelihood.kinks[:, None] & here.free & ((size < _BESIDE_KINK) | (np.abs(now) <= KINK))
    here.tested &= edge
    end = here.at.value - proposal.edm
    lanes = proposal.arrived & (end < here.lowest - _tolerance(here.at.value)) & (edge & ~here.tested).any(axis=0)
    if lanes.any():
        turn = edge & ~here.tested & lanes
        here.tested |= turn
        here.lowest = np.where(lanes, end, here.lowest)
        here.parameters = np.where(lanes, proposal.parameters, here.parameters)
        here.parameters[free] = np.where(turn, np.where(now > 0, 0.0, KINK), here.parameters[free])
        here.at = here.at.replace(lanes, likelihood.expand(here.parameters))
        proposal.parameters = np.where(lanes, here.parameters, proposal.parameters)
        proposal.arrived = proposal.arrived & ~lanes


def _look_ahead(likelihood: Likelihood, here: _Searching, proposal: _Proposal) -> None:
    """Do not take a last step that does not lead down: one that a bound has bent, or far along a flat direction."""
    free = likelihood.layout.free
    scale = np.sqrt(here.at.information_diagonal())
    far = np.abs(proposal.parameters[free] - here.parameters[free]) * scale > _LONG
    doubtful = proposal.arrived & (proposal.bent | far.any(axis=0))
    if doubtful.any():
        some = likelihood.take(doubtful)
        value = some.expand(proposal.parameters[:, doubtful]).value
        worse = doubtful.copy()
        worse[doubtful] = ~(value <= here.at.value[doubtful] + _NOTHING * (1.0 + here.at.value[doubtful]))
        proposal.parameters = np.where(worse, here.parameters, proposal.parameters)


def _tolerance(value: Values) -> Values:
    """Expected distance at which one more Newton step makes the rest unmeasurable, also of a small deviance."""
    return EDM_DONE * np.clip(value, 1e-6, 1.0)


def _advance(likelihood: Likelihood, here: _Searching, proposal: _Proposal) -> NDArray[np.int64]:
    """Take the steps that lower the function, in place; damp the others. Returns the status of each lane."""
    new = likelihood.expand(proposal.parameters)
    old, edm = here.at.value, proposal.edm
    usable = proposal.solved & np.isfinite(new.value) & np.isfinite(new.gradient).all(axis=0)
    accept = usable & (new.value <= old + 1e-15 * (1.0 + np.abs(old)))
    # So short a step that it changes nothing may be accepted and refused in turn without end.
    stalled = (here.damping > _LARGEST_DAMPING) & ~(accept & (new.value < old))
    undamped = edm * (1.0 + here.damping)
    # A deviance is never negative: where it is zero already there is nothing left to gain, whatever the gradient.
    converged = stalled & ((proposal.exact & (undamped < EDM_ROUNDING)) | (old < EDM_ROUNDING))
    # A step that gains what it promised needs less damping; each refusal in a row needs much more. Where whole steps
    # were refused again and again, the way is curved, and damping is left behind with care only.
    here.setbacks = here.setbacks + (~accept & (here.damping == 0))
    relaxed = here.damping / np.where(old - new.value > 0.75 * edm, 5.0, 3.0)
    smallest = np.where(here.setbacks > _SETBACKS, _SMALLEST_DAMPING, _FIRST_DAMPING)
    relaxed = np.where(relaxed > smallest, relaxed, 0.0)
    raised = np.maximum(here.growth * here.damping, smallest)
    again = np.where(relaxed > 0, _GROWTH_AGAIN, _GROWTH)
    here.growth = np.where(accept, again, np.minimum(2.0 * here.growth, 1e4))
    damping = np.where(accept, relaxed, raised)
    # Looks like the minimum: the next step, undamped, tells.
    near = (here.damping > 0) & (undamped < _tolerance(old)) & proposal.exact
    here.damping = np.where(near & accept, 0.0, damping)
    lower = accept & (old - new.value > _tolerance(old))
    here.kicks = np.where(lower, 0, here.kicks)
    # Slopes beyond a kink change with the other parameters.
    here.tested &= ~lower
    here.at = here.at.replace(accept, new)
    here.parameters = np.where(accept, proposal.parameters, here.parameters)
    here.edm = np.where(proposal.solved, np.minimum(edm, np.abs(old)), here.edm)
    return np.where(converged, CONVERGED, np.where(stalled, STALLED, TOO_MANY_STEPS))
