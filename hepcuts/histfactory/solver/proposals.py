"""The next step of each lane: where it leads, what it promises, and whether it is the last."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .curvature import AbstractExpansion, taken
from .expansion import Likelihood
from .linear import finite
from .steps import kick, level_step, newton_step, within_bounds

Values = NDArray[np.float64]

EDM_DONE = 1e-10
"""Expected distance in -2 ln L, relative to it where it is small, at which the next Newton step is the last."""
NOTHING = 1e-14
"""A deviance that no step can lower."""
KINK = 1e-300
"""The right-hand side of a kink at zero; its left-hand side is zero itself."""
_KICKS = 6
"""How often a lane may be pushed off the same saddle point, by shorter and shorter steps."""
_BACK = 2
"""So many steps may lead back into a valley; with one, a workspace of 3e6 events took 220 steps in place of 14."""


@dataclasses.dataclass
class Searching:
    """Lanes that are still searching.

    Attributes:
        number: which lanes they are, shape (lane,).
        parameters: where they are, shape (parameter, lane).
        at: the expansion there.
        damping: in units of the information, shape (lane,).
        growth: by how much the next refused step raises the damping, shape (lane,).
        setbacks: how often a whole step was refused, shape (lane,).
        edm: expected gain of the last step, shape (lane,).
        kicks: how often a lane was pushed off the same saddle point, shape (lane,).
        free: parameters that may move, shape (free, lane).
        tested: kinks whose other side was tried, shape (free, lane).
        lowest: the lowest end at one side of a kink, shape (lane,).
    """

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

    def take(self, lanes: NDArray[np.bool_]) -> "Searching":
        """Some of them."""
        return Searching(*(taken(getattr(self, field.name), lanes) for field in dataclasses.fields(self)))


@dataclasses.dataclass
class Proposal:
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

    def take(self, lanes: NDArray[np.bool_]) -> "Proposal":
        """Those of some lanes."""
        return Proposal(*(getattr(self, field.name)[..., lanes] for field in dataclasses.fields(self)))


def propose(likelihood: Likelihood, here: Searching, lower: Values, upper: Values) -> Proposal:
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
    done = edm < tolerance(here.at.value)
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
    nothing = solved & ~exact & (here.at.value < NOTHING)
    candidate = np.where(nothing, here.parameters, candidate)
    edm = np.where(nothing, np.minimum(edm, here.at.value), edm)
    arrived |= nothing
    return Proposal(candidate, edm, exact, solved, arrived, bent)


def _at_level(here: Searching, moving: NDArray[np.bool_], step: Values, edm: Values, level: NDArray[np.bool_]) -> Any:
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
    return flat & (edm < tolerance(here.at.value))


def tolerance(value: Values) -> Values:
    """Expected distance at which one more Newton step makes the rest unmeasurable, also of a small deviance."""
    return EDM_DONE * np.clip(value, 1e-6, 1.0)


def back_into_valley(
    likelihood: Likelihood,
    here: Searching,
    there: tuple[Proposal, AbstractExpansion],
    lanes: NDArray[np.bool_],
    bounds: tuple[Values, Values],
) -> AbstractExpansion:
    """Go on from steps that led up: the straight way along a curved valley leaves it, and the next step leads back.

    In a factor times a variation, of a bin of millions of events, the steps that lead down at once are a thousand
    times shorter than the valley.

    Args:
        likelihood: of all lanes.
        here: where they are.
        there: steps, which are changed in place where going on leads lower, and the expansion at their ends.
        lanes: which of them to go on from, shape (lane,).
        bounds: lower and upper, each of shape (free, 1).

    Returns:
        The expansion at the ends of the steps as they are then.
    """
    proposal, new = there
    left, goal, part = np.flatnonzero(lanes), here.at.value[lanes], likelihood.take(lanes)
    off = dataclasses.replace(here, parameters=proposal.parameters, at=new).take(lanes)
    for _ in range(_BACK):
        onwards = propose(part, off, *bounds)
        at = part.expand(onwards.parameters)
        usable = onwards.solved & np.isfinite(at.value) & np.isfinite(at.gradient).all(axis=0)
        lower = usable & (at.value < goal - tolerance(goal))
        if lower.any():
            found, rank = np.isin(np.arange(len(lanes)), left[lower]), np.zeros(len(lanes), dtype=np.int64)
            rank[left] = np.arange(len(left))
            proposal.parameters = np.where(found, onwards.parameters[:, rank], proposal.parameters)
            new = new.replace(found, at.take(rank))
        going = usable & ~lower
        if not going.any():
            break
        off = dataclasses.replace(off, parameters=onwards.parameters, at=at).take(going)
        part, goal, left = part.take(going), goal[going], left[going]
    return new
