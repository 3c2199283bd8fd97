"""Minima on a wall: where a bin without data would expect a negative number of events beyond.

Nothing keeps a parameter from making a bin's expectation negative, but a Poisson rate cannot be. In a bin with events
the deviance grows without limit before that; in a bin without, it falls to zero and ends. A minimum there has a slope,
and Newton's method does not see it. This slow, sequential search does: it continues the deviance of such bins linearly,
and holds their rates at zero or above as constraints.
"""

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from .expansion import Likelihood
from .newton import CONVERGED, Minima
from .steps import EDM_ROUNDING

Values = NDArray[np.float64]

_ACTIVE = 1e-9
"""A rate below this lies on its wall."""


def search_along_walls(likelihood: Likelihood, start: Values, bounds: tuple[Values, Values]) -> Minima | None:
    """The minimum of one lane that has bins without data, or None if there is none, or none was found.

    Args:
        likelihood: of one lane.
        start: shape (parameter,).
        bounds: lower and upper, each of shape (parameter,).
    """
    empty = np.flatnonzero(likelihood.counts[:, 0] == 0)
    free = likelihood.layout.free[~likelihood.void[likelihood.layout.free, 0]]
    moved = np.isin(likelihood.layout.free, free)
    if not len(empty) or not len(free) or likelihood.kinks.any():
        return None
    lower, upper = (np.asarray(side, dtype=np.float64)[free] for side in bounds)

    def whole(x: Values) -> Values:
        parameters = np.array(start, dtype=np.float64)
        parameters[free] = x
        return parameters[:, None]

    def value_and_slope(x: Values) -> tuple[float, Values]:
        at = likelihood.expand(whole(x), beyond_walls=True)
        return float(at.value[0]), at.gradient[moved, 0]

    found = scipy.optimize.minimize(
        value_and_slope,
        np.clip(np.asarray(start)[free], lower, upper),
        jac=True,
        method="SLSQP",
        bounds=list(zip(lower, upper, strict=True)),
        constraints={
            "type": "ineq",
            "fun": lambda x: likelihood.rates(whole(x)).main[empty, 0],
            "jac": lambda x: likelihood.expand(whole(x), beyond_walls=True).slopes[moved][:, empty, 0].T,
        },
        options={"ftol": 1e-15, "maxiter": 500},
    )
    x = np.clip(found.x, lower, upper)
    edm = _remaining(likelihood, whole(x), moved, empty, (x <= lower, x >= upper))
    if not np.isfinite(found.fun) or not edm < EDM_ROUNDING:
        return None
    value, not_regular = np.array([max(found.fun, 0.0)]), np.zeros(1, dtype=bool)
    return Minima(whole(x), value, np.array([edm]), np.array([found.nit]), np.array([CONVERGED]), not_regular)


def _remaining(
    likelihood: Likelihood,
    parameters: Values,
    moved: NDArray[np.bool_],
    empty: NDArray[np.int64],
    edges: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> float:
    """Expected distance to the minimum along walls and bounds; infinite if one of them does not hold it there."""
    at = likelihood.expand(parameters, beyond_walls=True)
    rates = likelihood.rates(parameters).main[empty, 0]
    if np.any(rates < -_ACTIVE):
        return np.inf
    gradient = at.gradient[moved, 0]
    walls = at.slopes[moved][:, empty[rates < _ACTIVE], 0]
    ends = np.eye(len(gradient))
    held = np.concatenate([walls, ends[:, edges[0]], -ends[:, edges[1]]], axis=1)
    # A combination of walls with positive weights has to balance the gradient (Karush, Kuhn and Tucker).
    scale = np.sqrt(np.maximum(at.information()[:, :, 0].diagonal()[moved], 1e-300))
    weights, _ = scipy.optimize.nnls(held / scale[:, None], gradient / scale) if held.shape[1] else (np.zeros(0), 0.0)
    rest = (gradient - held @ weights) / scale
    return float(0.5 * rest @ rest)
