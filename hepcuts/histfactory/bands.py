"""How far the significance of an experiment lies from the expected one.

To first order in the fluctuations of all data, auxiliary ones included, the variance of Z = sqrt(q0) around an Asimov
dataset is the sum of (dZ/dn)^2 var(n). By the envelope theorem the derivatives are partial ones: with the expectation
lambda of the background-only fit they are ln(n / lambda) / Z for a count and its pull over sigma Z for a Gaussian one,
so that

    width^2 = [ sum n ln^2(n / lambda) + sum pull^2 ] / q0.

For one bin with a known background that is sqrt(S + B) ln(1 + S/B) / Z, the uncertainty of mu at mu = 1 times dZ/dmu.
It is 1 only for a signal much smaller than its background (Wald's approximation with one sigma for mu = 0 and mu = 1;
Cowan et al. 2011 :cite:p:`cowan2011`, eq. 50-52), and 1.29 for 100 signal over 20 background events.

Of fewer than `COUNTED` expected events of one bin with nothing unknown in it, the bands are those of the Poisson count.
"""

import numpy as np

from hepcuts._core.lazy import stats
from hepcuts._core.types import FloatArray

from .batch import Batch
from .likelihood import HistFactory
from .minimization import numbers_of
from .searches import free_parameters
from .statistic import q0_of_batch

NUMBERS = (-2, -1, 0, 1, 2)
"""Standard deviations of the bands."""
COUNTED = 100.0
"""Expected events from which on a count is nearly a Gaussian: the first-order bands hold 68 % of the experiments within
2 % from S = 0.1 B to S = 10 B, unless they end at zero."""

FEW_EXPECTED = 5.0
"""Expected events below which asymptotic formulas are off by 10 % and more, limits more than significances: with a
known background of 1e-4, 0.1, 1, 3 and 5 events the expected upper limit at 95 % is 1.92, 2.24, 3.40, 4.78 and 5.75,
and exactly, at the median count, 3.00, 3.00, 4.11, 5.40 and 6.33."""


def equivalent_events(counts: FloatArray, signal: FloatArray, background: FloatArray) -> float:
    """Events that a test rests on: those of bins weighed as the likelihood ratio does, (sum n l)^2 / sum n l^2.

    With l = ln(1 + s / b) of each bin; for one bin n itself, for bins of equal ratio their sum.

    Args:
        counts: expected events n, shape (bin,).
        signal: of them, or that is tested, shape (bin,).
        background: expected without signal, shape (bin,).
    """
    good = (counts > 0) & (background > 0) & (signal + background > 0)
    n, weights = counts[good], np.log1p(signal[good] / background[good])
    squares = np.sum(n * weights**2)
    return float(np.sum(n * weights) ** 2 / squares) if squares > 0 else float(np.sum(n))


def expected_events(likelihood: HistFactory, *, mu: float = 1.0, of_background: bool = False) -> float:
    """As `equivalent_events`, of a likelihood with nominal nuisance parameters.

    Args:
        likelihood: the likelihood.
        mu: signal strength of the signal.
        of_background: whether to count those that are expected without it.
    """
    numbers = numbers_of(likelihood.structure, likelihood.templates)
    bins = numbers.layout.bins
    both, without = (
        numbers.expected_data(np.asarray(likelihood.nominal_parameters(at))[:, None])[:bins, 0] for at in (mu, 0.0)
    )
    return equivalent_events(without if of_background else both, both - without, without)


def few_expected(events: float) -> str:
    """What to keep in mind where few events are expected, in words."""
    return (
        f"only {events:.2g} events are expected: asymptotic formulas are off by 10 % and more; for one bin see "
        "hepcuts.counting.mean_significance and mean_upper_limit"
    )


def spread_of(likelihood: HistFactory, data: FloatArray, background_only: FloatArray, q0: float) -> float:
    """Standard deviation of Z between experiments, to first order; 1 where Z is zero.

    Args:
        likelihood: the likelihood.
        data: the Asimov dataset, main and auxiliary, shape (data,).
        background_only: parameters of the fit at mu = 0, shape (parameter,).
        q0: the statistic there.
    """
    if not q0 > 0:
        return 1.0
    numbers = numbers_of(likelihood.structure, likelihood.templates)
    expected = numbers.expected_data(background_only[:, None])[:, 0]
    normal = numbers.layout.bins + numbers.layout.normal.data
    variance = np.sum(((data[normal] - expected[normal]) / numbers.sigma[:, 0]) ** 2)
    counts = np.ones(len(data), dtype=bool)
    counts[normal] = False
    counts &= data > 0
    variance += np.sum(data[counts] * np.log(data[counts] / expected[counts]) ** 2)
    return float(np.sqrt(variance / q0))


def bands_of(likelihood: HistFactory, data: FloatArray, significance: float, spread: float) -> dict[int, float]:
    """Z at -2, -1, 0, 1, 2 standard deviations of its own spread; never below zero.

    Args:
        likelihood: the likelihood.
        data: the Asimov dataset, shape (data,).
        significance: Z there.
        spread: as of `spread_of`.
    """
    if len(data) == 1 and data[0] < COUNTED and not np.any(_nuisances(likelihood)):
        counts = stats.poisson.ppf(stats.norm.cdf(NUMBERS), data[0])
        found = np.sqrt(q0_of_batch(likelihood.structure, Batch.of(likelihood.templates, counts[:, None])))
        return dict(zip(NUMBERS, found.tolist(), strict=True))
    return {number: max(0.0, significance + number * spread) for number in NUMBERS}


def _nuisances(likelihood: HistFactory) -> FloatArray:
    """Whether each parameter is fitted besides the signal strength."""
    free: FloatArray = np.asarray(free_parameters(likelihood.structure, fix_poi=True))
    return free
