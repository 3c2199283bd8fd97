"""Closed-form figures of merit of counting experiments.

Which one do I need?

- I plan a search and know the expected signal `s` and background `b`: `asimov_significance(s, b)`. It is the median
  discovery significance; this is the number to maximize with a cut.
- The same, and the background has an uncertainty: `asimov_significance(s, b, sigma_b)`.
- I expect few events, some tens or less: `mean_significance(s, b)` and `mean_upper_limit(s, b)`, exact sums over
  Poisson counts for a known background. `median_significance` and `median_upper_limit` are exact, too, but come in
  steps; `poisson_significance(n, b)` and `poisson_upper_limit(n, b)` are of an observed count.
- I have data, and a region that measures the background: `binomial_significance(n_on, n_off, tau)` from the exact
  p-value, right for any counts; `li_ma_significance(n_on, n_off, tau)` from the likelihood ratio, the custom of
  gamma-ray astronomy, good from about ten events on.
- I know neither the cross-section nor the mass of the signal, only its efficiency: `punzi(efficiency, b, a)`.
- I measure the rate of a signal known to exist: `s_over_sqrt_s_plus_b(s, b)`, the inverse of its relative uncertainty.
- I compare with an older analysis: `s_over_sqrt_b(s, b)` and `s_over_sqrt_b_plus_variance(s, b, sigma_b)`. They are
  limits of the Asimov significance for `s` far below `b`, and overstate it otherwise.
- I have several bins or systematic uncertainties: none of these; see `hepcuts.discovery_significance`.

All are functions of arrays that broadcast. NumPy arrays and scalars give NumPy in 64 bits, whatever JAX's flags;
JAX arrays give JAX arrays. All can be jitted, mapped and differentiated in each argument, but the medians and
`poisson_upper_limit`, which jump from one whole count to the next and are NumPy's. No constant is invented where a
formula has no value: the result is NaN there, and each function says where that is.

Example:
    >>> import numpy as np
    >>> from hepcuts.merit.counting import asimov_significance
    >>> print(asimov_significance(np.array([10.0, 20.0]), 50.0).round(3))
    [1.371 2.666]
"""

from ._asymptotic import asimov_significance as asimov_significance
from ._asymptotic import li_ma_significance as li_ma_significance
from ._binomial import binomial_significance as binomial_significance
from ._poisson import MOST_COUNTS as MOST_COUNTS
from ._poisson import mean_significance as mean_significance
from ._poisson import mean_upper_limit as mean_upper_limit
from ._poisson import median_significance as median_significance
from ._poisson import median_upper_limit as median_upper_limit
from ._poisson import poisson_significance as poisson_significance
from ._poisson import poisson_upper_limit as poisson_upper_limit
from ._ratios import punzi as punzi
from ._ratios import s_over_sqrt_b as s_over_sqrt_b
from ._ratios import s_over_sqrt_b_plus_variance as s_over_sqrt_b_plus_variance
from ._ratios import s_over_sqrt_s_plus_b as s_over_sqrt_s_plus_b

__all__ = [
    "MOST_COUNTS",
    "asimov_significance",
    "binomial_significance",
    "li_ma_significance",
    "mean_significance",
    "mean_upper_limit",
    "median_significance",
    "median_upper_limit",
    "poisson_significance",
    "poisson_upper_limit",
    "punzi",
    "s_over_sqrt_b",
    "s_over_sqrt_b_plus_variance",
    "s_over_sqrt_s_plus_b",
]
