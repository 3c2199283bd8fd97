"""Figures of merit that are one fraction: signal over a root of something, and Punzi's."""

from typing import Any

import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hepcuts._core.precision import namespace, native_function

from ._exact import float_arrays


@native_function
def s_over_sqrt_b(s: ArrayLike, b: ArrayLike) -> Array:
    """Signal over the square root of the background, `s / sqrt(b)`.

    The limit of the discovery significance for small `s / b`, and no significance otherwise: it overstates few events
    over little background without bound.

    Behavior at zero: `b = 0` or negative has no value, NaN. `s = 0` gives 0, a negative `s` a negative ratio.

    Args:
        s: expected signal events, any shape that broadcasts with `b`.
        b: expected background events.

    Returns:
        The ratio in standard deviations, in the common shape.

    Reference: Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71 (2011) 1554, arXiv:1007.1727, eq. 98 (leading term).

    Example:
        >>> import numpy as np
        >>> print(s_over_sqrt_b(10.0, np.array([25.0, 0.0])))
        [ 2. nan]
    """
    signal, background = float_arrays(s, b)
    ratio: Array = _over_root(signal, background, background > 0)
    return ratio


@native_function
def s_over_sqrt_s_plus_b(s: ArrayLike, b: ArrayLike) -> Array:
    """Signal over the square root of all events, `s / sqrt(s + b)`.

    The inverse relative uncertainty of a measured signal yield, for a signal known to exist: not a discovery
    significance.

    Behavior at zero: `s + b = 0` or negative has no value, NaN, and neither has a negative `b`. `b = 0` gives
    `sqrt(s)`; `s = 0` gives 0, a negative `s` a negative ratio.

    Args:
        s: expected signal events, any shape that broadcasts with `b`.
        b: expected background events.

    Returns:
        The ratio in standard deviations, in the common shape.

    Reference: the Poisson variance of `s + b`; Punzi, PHYSTAT 2003, arXiv:physics/0308063, compares it with others.

    Example:
        >>> import numpy as np
        >>> print(s_over_sqrt_s_plus_b(np.array([9.0, 9.0, 0.0]), np.array([16.0, 0.0, 0.0])))
        [1.8 3.  nan]
    """
    signal, background = float_arrays(s, b)
    total = signal + background
    ratio: Array = _over_root(signal, total, (background >= 0) & (total > 0))
    return ratio


@native_function
def s_over_sqrt_b_plus_variance(s: ArrayLike, b: ArrayLike, sigma_b: ArrayLike) -> Array:
    """Signal over the background's total uncertainty, `s / sqrt(b + sigma_b^2)`.

    The limit of `asimov_significance(s, b, sigma_b)` for small `s / b`.

    Behavior at zero: `b + sigma_b^2 = 0` has no value, NaN, and neither has a negative `b` or `sigma_b`. `b = 0` gives
    `s / sigma_b`, `sigma_b = 0` gives `s / sqrt(b)`; `s = 0` gives 0, a negative `s` a negative ratio.

    Args:
        s: expected signal events, any shape that broadcasts with the others.
        b: expected background events.
        sigma_b: uncertainty of `b`, one standard deviation, in events.

    Returns:
        The ratio in standard deviations, in the common shape.

    Reference: Cowan, "Discovery sensitivity for a counting experiment with background uncertainty" (2012), where it
    follows from eq. 20.

    Example:
        >>> import numpy as np
        >>> print(s_over_sqrt_b_plus_variance(10.0, 16.0, np.array([0.0, 3.0])))
        [2.5 2. ]
    """
    signal, background, sigma = float_arrays(s, b, sigma_b)
    variance = background + sigma**2
    ratio: Array = _over_root(signal, variance, (background >= 0) & (sigma >= 0) & (variance > 0))
    return ratio


@native_function
def punzi(efficiency: ArrayLike, b: ArrayLike, a: ArrayLike) -> Array:
    """Punzi's figure of merit for a search, `efficiency / (a/2 + sqrt(b))`.

    Inversely proportional to the smallest signal for which the experiment both claims a discovery at `a` standard
    deviations and, if there is no signal, excludes it at as many (his b = a: both confidence levels equal). It needs no
    assumed signal cross-section.

    Behavior at zero: `b = 0` gives `2 efficiency / a`, with an infinite slope in `b`; `a/2 + sqrt(b) = 0` has no
    value, NaN, and neither has a negative `b` or `a`.

    Args:
        efficiency: fraction of the signal that is selected, any shape that broadcasts with the others.
        b: expected background events.
        a: significance of the claim, in standard deviations, for example 3 or 5.

    Returns:
        The figure of merit, in the unit of `efficiency` per standard deviation, in the common shape.

    Reference: Punzi, PHYSTAT 2003, arXiv:physics/0308063, eq. 7.

    Example:
        >>> import numpy as np
        >>> print(punzi(0.8, np.array([25.0, 0.0]), 6.0))
        [0.1        0.26666667]
    """
    selected, background, level = float_arrays(efficiency, b, a)
    xp = namespace(background)
    valid = (background >= 0) & (level >= 0) & (level + background > 0)
    if xp is np and valid.all():
        fraction: Array = selected / (level / 2 + np.sqrt(background))
        return fraction
    denominator = xp.where(valid, level, 1.0) / 2 + xp.sqrt(xp.where(valid, background, 1.0))
    figure: Array = xp.where(valid, selected / denominator, xp.nan)
    return figure


def _over_root(s: Any, variance: Any, valid: Any) -> Any:
    xp = namespace(variance)
    if xp is np and valid.all():
        return s / np.sqrt(variance)
    return xp.where(valid, s / xp.sqrt(xp.where(valid, variance, 1.0)), xp.nan)
