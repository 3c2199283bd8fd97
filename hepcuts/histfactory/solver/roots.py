"""Where rising functions of one variable each are zero, side by side."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Function = Callable[[NDArray[np.int64], Values, NDArray[np.bool_]], tuple[Values, Values, NDArray[np.bool_]]]

_MAX_STEPS = 60
_NEAR = 1e-3
"""Relative length of a step after which a value is likely to be the last one."""
_CLOSE = 1e-6
"""Relative length of a last step: the error after it is about its square."""
_NARROW = 1e-12
"""Relative width of a bracket at which a root is found, whatever the slopes say."""
_GROWTH, _MOST_GROWTH = 4.0, 1e3
"""By how much a value is raised that nothing bounds, without a proposal and by a proposal at most."""
_LARGEST = 1e12
"""Multiple of the start beyond which there is no root."""


def rising_roots(function: Function, start: Values) -> Values:
    """Newton's method, safeguarded by the bracket that it leaves behind; roots are above zero.

    Args:
        function: of lanes, of a value for each, and of whether that value may be the last one, so that it has to be
            exact; it returns for each of the lanes its value, its slope, and whether there is a value.
        start: where to begin, above zero, shape (lane,).

    Returns:
        The roots, NaN where none was found, shape (lane,).
    """
    lanes = len(start)
    at = np.array(start, dtype=np.float64)
    exact, trusted = np.zeros(lanes, dtype=bool), np.zeros(lanes, dtype=bool)
    low, high = np.zeros(lanes), np.full(lanes, np.inf)
    roots, active = np.full(lanes, np.nan), np.arange(lanes)
    for _ in range(_MAX_STEPS):
        now, below, above = at[active], low[active], high[active]
        value, slope, good = function(active, now, exact[active])
        with np.errstate(divide="ignore", invalid="ignore"):
            step = -value / np.where(slope > 0, slope, np.nan)
        length = np.abs(step) / now
        # The first exact value may say that those before it were not: then their bracket is none.
        wrong = exact[active] & ~trusted[active] & (length > _CLOSE)
        trusted[active] |= exact[active]
        above, below = np.where(wrong, np.inf, above), np.where(wrong, 0.0, below)
        above, below = np.where(value > 0, now, above), np.where(value > 0, below, now)
        found = good & exact[active] & ((length <= _CLOSE) | (above - below <= _NARROW * now))
        roots[active[found]] = (now + np.where(length <= _CLOSE, step, 0.0))[found]
        exact[active] |= (length <= _NEAR) | (above - below <= _NARROW * now)
        at[active], low[active], high[active] = _next(now, step, below, above), below, above
        # Without any slope the bracket never closes.
        active = active[good & ~found & (at[active] < _LARGEST * start[active])]
        if not len(active):
            break
    return roots


def _next(now: Values, step: Values, below: Values, above: Values) -> Any:
    """Where to look next: Newton's proposal, or the middle of the bracket if that is outside of it."""
    proposal = now + step
    inside = (proposal > below) & (proposal < np.minimum(above, _MOST_GROWTH * now))
    middle = np.where(np.isinf(above), _GROWTH * now, 0.5 * (below + above))
    # A short step that rounding has put on the other side is as good as none.
    return np.where(inside, proposal, np.where(np.abs(step) <= _CLOSE * now, now, middle))
