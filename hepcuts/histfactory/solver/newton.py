"""Bounded Newton minimization of many likelihoods side by side.

Each step solves the Newton equations with the exact Hessian where that is positive, and with the expected information
(Fisher scoring), which always is, elsewhere; damped as by Levenberg and Marquardt if the function did not fall; with
parameters at a bound left out while the gradient pushes them outwards :cite:p:`bertsekas1982`. It has converged when
the expected distance to the minimum (EDM, half of gradient times inverse Hessian times gradient, as in minuit) is
small at a positive Hessian; the step that follows removes what is left of it. At a saddle point the direction of
negative curvature leads on.

Interpolation codes 0 and 1 have a kink where their parameter is zero. Steps end there, and where a lane has come to
rest at one side of kinks, it looks at the other sides: it is at the minimum if all of them rise.

Along a narrow and curved valley, that of a factor times a shape of many events, straight steps lead up its side. Where
whole steps were refused again and again, the steps that follow are made before one is refused: they lead back into the
valley, far along it.

Lanes that are done leave the batch, so that the others do not wait for the slowest.
"""

import numpy as np
from numpy.typing import NDArray

from .expansion import Likelihood
from .minima import CONVERGED, NOT_FINITE, STALLED, TOO_MANY_STEPS, Minima
from .proposals import KINK, NOTHING, Proposal, Searching, back_into_valley, propose, tolerance
from .steps import EDM_ROUNDING

__all__ = ["CONVERGED", "NOT_FINITE", "STALLED", "TOO_MANY_STEPS", "Minima", "minimize"]

Values = NDArray[np.float64]

_SMALLEST_DAMPING, _FIRST_DAMPING, _LARGEST_DAMPING = 1e-7, 0.1, 1e12
"""In units of the information. Less than the first makes no difference, more than the last no step."""
_GROWTH, _GROWTH_AGAIN = 10.0, 3.0
"""By how much a refused step raises the damping: the first time, and soon after a step was accepted."""
_BESIDE_KINK = 1e-8
"""A minimum so near to a kink, in standard deviations, may be on a side that is flat there; the other need not be."""
_LONG = 0.1
"""A last step that is longer than this, in standard deviations of single parameters, is looked at."""
_SETBACKS = 2
"""How often a lane goes from some damping to none at once after a whole step was refused."""


def minimize(likelihood: Likelihood, start: Values, bounds: tuple[Values, Values], *, max_steps: int = 400) -> Minima:
    """Minimize the deviance of each lane over the free parameters of the likelihood's layout.

    Args:
        likelihood: a batch of them.
        start: shape (parameter, lane); free parameters are moved into the bounds.
        bounds: lower and upper, each of shape (parameter,).
        max_steps: largest number of steps.
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
        proposal = propose(likelihood, here, lower, upper)
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
        status = _advance(likelihood, here, proposal, (lower, upper))
        done = status != TOO_MANY_STEPS
        if done.any():
            _store(result, here, done, None, step)
            result.status[here.number] = status
            here, likelihood = here.take(~done), likelihood.take(~done)
    _store(result, here, np.ones(len(here.number), dtype=bool), None, max_steps)
    result.status[here.number] = TOO_MANY_STEPS
    return result


def _begin(likelihood: Likelihood, parameters: Values, movable: NDArray[np.bool_]) -> Searching:
    lanes = parameters.shape[1]
    zero = np.zeros(lanes)
    return Searching(
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


def _store(result: Minima, here: Searching, lanes: NDArray[np.bool_], last: Proposal | None, step: int) -> None:
    """Write down some lanes as they are, or after a last step."""
    number = here.number[lanes]
    parameters, value, edm = here.parameters, here.at.value, here.edm
    if last is not None:
        parameters, value, edm = last.parameters, np.maximum(value - last.edm, 0.0), last.edm
        result.status[number] = CONVERGED
    result.parameters[:, number] = parameters[:, lanes]
    result.value[number], result.edm[number] = value[lanes], edm[lanes]
    result.num_steps[number] = step


def _look_across(likelihood: Likelihood, here: Searching, proposal: Proposal) -> None:
    """Put lanes that have arrived beside kinks to their other sides, unless they were there and found nothing."""
    free = likelihood.layout.free
    now = np.where(proposal.arrived, proposal.parameters[free], here.parameters[free])
    size = np.abs(now) * np.sqrt(here.at.information_diagonal())
    edge = likelihood.kinks[:, None] & here.free & ((size < _BESIDE_KINK) | (np.abs(now) <= KINK))
    here.tested &= edge
    end = here.at.value - proposal.edm
    lanes = proposal.arrived & (end < here.lowest - tolerance(here.at.value)) & (edge & ~here.tested).any(axis=0)
    if lanes.any():
        turn = edge & ~here.tested & lanes
        here.tested |= turn
        here.lowest = np.where(lanes, end, here.lowest)
        here.parameters = np.where(lanes, proposal.parameters, here.parameters)
        here.parameters[free] = np.where(turn, np.where(now > 0, 0.0, KINK), here.parameters[free])
        here.at = here.at.replace(lanes, likelihood.expand(here.parameters))
        proposal.parameters = np.where(lanes, here.parameters, proposal.parameters)
        proposal.arrived = proposal.arrived & ~lanes


def _look_ahead(likelihood: Likelihood, here: Searching, proposal: Proposal) -> None:
    """Do not take a last step that does not lead down: one that a bound has bent, or far along a flat direction."""
    free = likelihood.layout.free
    scale = np.sqrt(here.at.information_diagonal())
    far = np.abs(proposal.parameters[free] - here.parameters[free]) * scale > _LONG
    doubtful = proposal.arrived & (proposal.bent | far.any(axis=0))
    if doubtful.any():
        some = likelihood.take(doubtful)
        value = some.expand(proposal.parameters[:, doubtful]).value
        worse = doubtful.copy()
        worse[doubtful] = ~(value <= here.at.value[doubtful] + NOTHING * (1.0 + here.at.value[doubtful]))
        proposal.parameters = np.where(worse, here.parameters, proposal.parameters)


def _advance(
    likelihood: Likelihood, here: Searching, proposal: Proposal, bounds: tuple[Values, Values]
) -> NDArray[np.int64]:
    """Take the steps that lower the function, in place; damp the others. Returns the status of each lane."""
    new = likelihood.expand(proposal.parameters)
    old, edm = here.at.value, proposal.edm
    usable = proposal.solved & np.isfinite(new.value) & np.isfinite(new.gradient).all(axis=0)
    accept = usable & (new.value <= old + 1e-15 * (1.0 + np.abs(old)))
    beside = usable & ~accept & (here.setbacks > _SETBACKS)
    if beside.any():
        new = back_into_valley(likelihood, here, (proposal, new), beside, bounds)
        accept |= beside & (new.value < old)
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
    near = (here.damping > 0) & (undamped < tolerance(old)) & proposal.exact
    here.damping = np.where(near & accept, 0.0, damping)
    lower = accept & (old - new.value > tolerance(old))
    here.kicks = np.where(lower, 0, here.kicks)
    # Slopes beyond a kink change with the other parameters.
    here.tested &= ~lower
    here.at = here.at.replace(accept, new)
    here.parameters = np.where(accept, proposal.parameters, here.parameters)
    here.edm = np.where(proposal.solved, np.minimum(edm, np.abs(old)), here.edm)
    return np.where(converged, CONVERGED, np.where(stalled, STALLED, TOO_MANY_STEPS))
