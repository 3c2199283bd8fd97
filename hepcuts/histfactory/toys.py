"""Pseudo-experiments (toys) for q0: does the asymptotic formula hold?"""

import dataclasses
from typing import Any

import numpy as np

from hepcuts._core.errors import FitError, InputError
from hepcuts._core.lazy import stats
from hepcuts._core.progress import steps
from hepcuts._core.types import FloatArray

from .batch import Batch
from .interest import signal_strength
from .likelihood import HistFactory
from .minimization import numbers_of
from .statistic import fits_of, signed

_CHUNK = 500
_MOST = 9e18
"""NumPy counts in whole numbers of 64 bits."""


@dataclasses.dataclass(frozen=True, eq=False)
class ToysResult:
    """q0 of pseudo-experiments.

    Attributes:
        mu: signal strength that they were generated with.
        q0: test statistic of each, NaN where a fit failed, shape (toy,).
        mu_hat: best-fit signal strength of each, shape (toy,).
        seed: seed of the random numbers.
    """

    mu: float
    q0: FloatArray
    mu_hat: FloatArray
    seed: int

    @property
    def num_failed(self) -> int:
        """Number of toys of which a fit did not converge; they are left out."""
        return int(np.sum(np.isnan(self.q0)))

    def p_value(self, q0: float) -> tuple[float, float, float]:
        """Fraction of toys with at least this q0, with its 68 % interval (Clopper and Pearson)."""
        good = self.q0[~np.isnan(self.q0)]
        above = int(np.sum(good >= q0))
        interval = stats.binomtest(above, len(good)).proportion_ci(0.6827)
        return above / len(good), float(interval.low), float(interval.high)

    def significance(self, q0: float) -> tuple[float, float, float]:
        """Z of that p-value, with its 68 % interval; infinite where no toy reaches q0."""
        p, low, high = self.p_value(q0)
        z, up, down = (float(stats.norm.isf(value)) for value in (p, low, high))
        return z, down, up

    def excess(self, significance: float) -> tuple[float, float, float]:
        """How many times as many toys have at least this significance as a Gaussian has, with its 68 % interval.

        With mu = 0 one is right; more means that signals seem to be found where there are none.
        """
        expected = float(stats.norm.sf(significance))
        found, low, high = self.p_value(significance**2)
        return found / expected, low / expected, high / expected

    def __repr__(self) -> str:
        failed = f", {self.num_failed} of them without a converged fit" if self.num_failed else ""
        at = self.q0[~np.isnan(self.q0)]
        zero = float(np.mean(at == 0.0)) if len(at) else float("nan")
        return (
            f"ToysResult({len(self.q0)} toys with mu = {self.mu:g}{failed}; q0 = 0 in {100 * zero:.1f} %, "
            f"median Z = {np.sqrt(np.median(at)):.3f})"
        )


def discovery_toys(
    likelihood: HistFactory, *, mu: float = 0.0, parameters: Any = None, num_toys: int = 10_000, seed: int = 0
) -> ToysResult:
    """Generate toys, auxiliary data included, and fit q0 of each; many at once.

    Args:
        likelihood: the likelihood.
        mu: signal strength to generate with: 0 for the distribution that p0 is defined by, 1 for the spread of the
            expected significance.
        parameters: nuisance parameters to generate with, shape (parameter,), such as those of a background-only fit;
            None for nominal ones.
        num_toys: how many.
        seed: of the random numbers; the same seed gives the same toys.

    Raises:
        FitError: no toy could be fitted.
        InputError: a wrong number of parameters, or negative expected events there, or more than can be counted.
        UnsupportedModelError: the model has no parameter of interest.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> toys = discovery_toys(HistFactory(model), num_toys=2000, seed=1)
        >>> p, low, high = toys.p_value(1.0)
        >>> bool(low < 0.1587 < high + 0.02)
        True
    """
    poi = signal_strength(likelihood.structure, likelihood.model.config.poi_name)
    at = likelihood.nominal_parameters(mu) if parameters is None else np.array(parameters, dtype=np.float64)
    if at.shape != (len(likelihood.parameter_names),):
        raise InputError(f"parameters came with shape {at.shape}; expected ({len(likelihood.parameter_names)},).")
    if num_toys < 1:
        raise InputError(f"num_toys={num_toys}; expected at least 1.")
    at[poi] = mu
    generator = np.random.default_rng(seed)
    values, strengths = [], []
    for first in steps(range(0, num_toys, _CHUNK), "toys", unit_scale=_CHUNK, unit=" toys"):
        data = _sample(likelihood, at, min(_CHUNK, num_toys - first), generator)
        unconditional, background_only = fits_of(likelihood.structure, Batch.of(likelihood.templates, data))
        values.append(signed(likelihood.structure, unconditional, background_only))
        strengths.append(unconditional.parameters[poi])
    result = ToysResult(mu, np.concatenate(values), np.concatenate(strengths), seed)
    if result.num_failed == num_toys:
        raise FitError("No toy could be fitted; look at hepcuts.histfactory.fit with data of one.")
    return result


def _sample(likelihood: HistFactory, parameters: FloatArray, number: int, generator: np.random.Generator) -> FloatArray:
    """Main and auxiliary data, shape (toy, data)."""
    numbers = numbers_of(likelihood.structure, likelihood.templates)
    expected = numbers.expected_data(parameters[:, None])[:, 0]
    layout = numbers.layout
    rates = expected.copy()
    normal = layout.bins + layout.normal.data
    rates[normal] = 0.0
    if np.any(rates < 0) or not np.all(np.isfinite(expected)):
        raise InputError("The expected events at these parameters are negative or not finite; toys need positive ones.")
    data = poisson_counts(generator, rates, (number, len(rates)))
    data[:, normal] = generator.normal(expected[normal], numbers.sigma[:, 0], size=(number, len(normal)))
    return data


def poisson_counts(generator: np.random.Generator, expected: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Poisson numbers of given expectations, as floats.

    Raises:
        InputError: an expectation is too large for whole numbers of 64 bits.
    """
    largest = float(np.max(expected, initial=0.0))
    if largest > _MOST:
        raise InputError(
            f"Toys of {largest:.3g} expected events cannot be drawn, {_MOST:g} at most; check the templates' weights."
        )
    return generator.poisson(expected, size=size).astype(np.float64)
