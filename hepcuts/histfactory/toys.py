"""Pseudo-experiments (toys) for q0: does the asymptotic formula hold, and does the model of finite simulation?

Toys that are drawn from the likelihood alone cannot see whether it describes finite simulation well: they draw what
constrains the background from the very model that is in question. With ``simulation=True`` each toy has a simulation of
its own, `resampled_templates`, that is fitted to data of the likelihood's expectation (:cite:t:`alexe2024`).
"""

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
from .searches import search
from .statistic import fits_of, q0_of, signed
from .structure import LikelihoodTemplates

_CHUNK = 500
_NUMBERS = 10_000_000
"""Numbers in the largest array of templates of a chunk of toys. Chosen by hand."""
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
        q_mu: -2 ln lambda(mu) of each at the signal strength that it was generated with; NaN where it was not asked
            for, shape (toy,).
    """

    mu: float
    q0: FloatArray
    mu_hat: FloatArray
    seed: int
    q_mu: FloatArray = dataclasses.field(default_factory=lambda: np.array([]))

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

    def coverage(self, level: float = 0.6827) -> tuple[float, float, float]:
        """Fraction of toys whose interval of this confidence level holds their mu, with its own 68 % interval.

        The interval is that of the profile likelihood, q_mu below the quantile of a chi-squared distribution; `level`
        is right, less means that uncertainties of the signal strength are too small. At a bound, such as mu = 0, it is
        more by itself: generate with a mu inside of them.

        Raises:
            InputError: the toys were made without ``intervals=True``.
        """
        good = self.q_mu[~np.isnan(self.q_mu)]
        if not len(good):
            raise InputError("These toys have no intervals; make them with discovery_toys(..., intervals=True).")
        inside = int(np.sum(good <= stats.chi2.ppf(level, 1)))
        interval = stats.binomtest(inside, len(good)).proportion_ci(0.6827)
        return inside / len(good), float(interval.low), float(interval.high)

    def __repr__(self) -> str:
        failed = f", {self.num_failed} of them without a converged fit" if self.num_failed else ""
        at = self.q0[~np.isnan(self.q0)]
        zero = float(np.mean(at == 0.0)) if len(at) else float("nan")
        return (
            f"ToysResult({len(self.q0)} toys with mu = {self.mu:g}{failed}; q0 = 0 in {100 * zero:.1f} %, "
            f"median Z = {np.sqrt(np.median(at)):.3f})"
        )


def discovery_toys(
    likelihood: HistFactory,
    *,
    mu: float = 0.0,
    parameters: Any = None,
    num_toys: int = 10_000,
    seed: int = 0,
    simulation: bool = False,
    intervals: bool = False,
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
        simulation: whether the templates are redrawn within their staterror, see `resampled_templates`: each toy's
            simulation makes the model that is fitted, and the data come from the expectation of the likelihood at hand.
            The parameters of the staterrors are generated at their nominal values.
        intervals: whether to fit at `mu`, too, for `ToysResult.coverage`.

    Raises:
        FitError: no toy could be fitted.
        InputError: a wrong number of parameters, or negative expected events there, or more than can be counted; or,
            with `simulation`, no sample has a staterror.
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
    generator, chunk = np.random.default_rng(seed), _CHUNK
    simulated = _of_staterror(likelihood)
    if simulation:
        if not simulated.any():
            raise InputError("No sample has a staterror, so that there is no finite simulation to draw again.")
        at[simulated] = likelihood.structure.init[simulated]
        # Each lane has templates of its own.
        chunk = max(1, min(_CHUNK, _NUMBERS // max(1, likelihood.templates.histosys_up.size)))
    parts = []
    for first in steps(range(0, num_toys, chunk), "toys", unit_scale=chunk, unit=" toys"):
        size = min(chunk, num_toys - first)
        if simulation:
            templates = resampled_templates(likelihood, size, generator)
            data = data_of_truth(likelihood, templates, at, simulated, generator)
        else:
            templates, data = likelihood.templates, _sample(likelihood, at, size, generator)
        parts.append(_fitted(likelihood, Batch.of(templates, data), mu if intervals else None))
    q0, mu_hat, q_mu = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    result = ToysResult(mu, q0, mu_hat, seed, q_mu)
    if result.num_failed == num_toys:
        raise FitError("No toy could be fitted; look at hepcuts.histfactory.fit with data of one.")
    return result


def _fitted(likelihood: HistFactory, batch: Batch, mu: float | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """q0, best-fit signal strength and q of `mu` of each toy; the latter NaN if that is None."""
    structure = likelihood.structure
    unconditional, background_only = fits_of(structure, batch)
    q0, mu_hat = signed(structure, unconditional, background_only), unconditional.parameters[likelihood.poi]
    if mu is None:
        return q0, mu_hat, np.full(len(q0), np.nan)
    at_truth = search(structure, batch, likelihood.nominal_parameters(mu), fix_poi=True)
    return q0, mu_hat, q0_of(unconditional, at_truth)


def _of_staterror(likelihood: HistFactory) -> Any:
    """Which parameters are those of staterrors, shape (parameter,)."""
    config = likelihood.model.config
    found = np.zeros(config.npars, dtype=bool)
    for name, kind in config.modifiers:
        if kind == "staterror":
            found[config.par_slice(name)] = True
    return found


def resampled_templates(likelihood: HistFactory, size: int, generator: np.random.Generator) -> LikelihoodTemplates:
    """Templates as other simulations of the same size would find them, within their staterror.

    A yield n with the uncertainty d is taken for that of (n / d)^2 events of equal weight. Their number is drawn from a
    Poisson distribution for each cell. Variations of a cell are made of the same events and keep their ratio to it, as
    do its shapesys; its staterror goes with the root of the number. Cells without yield or staterror stay what they
    are.

    Args:
        likelihood: the likelihood.
        size: how many.
        generator: of the random numbers.

    Returns:
        Templates with the axis of the simulations in front of all arrays.
    """
    own = likelihood.templates
    squares = (np.asarray(own.staterror) ** 2).sum(axis=0)
    some = (squares > 0) & (own.nominal != 0)
    events = np.where(some, own.nominal**2, 1.0) / np.where(some, squares, 1.0)
    ratio = np.where(some, poisson_counts(generator, events, (size, *events.shape)) / events, 1.0)
    each = ratio[:, None]

    def repeated(values: Any) -> FloatArray:
        return np.broadcast_to(values, (size, *np.shape(values)))

    return LikelihoodTemplates(
        own.nominal * ratio,
        own.histosys_up * each,
        own.histosys_down * each,
        repeated(own.normsys_up),
        repeated(own.normsys_down),
        own.staterror * np.sqrt(each),
        own.shapesys * each,
    )


def data_of_truth(
    likelihood: HistFactory, templates: LikelihoodTemplates, at: FloatArray, given: Any, generator: np.random.Generator
) -> FloatArray:
    """Main data from the truth, auxiliary data from the toys' own constraints, shape (toy, data).

    Args:
        likelihood: the truth.
        templates: of the toys.
        at: true parameters, shape (parameter,).
        given: parameters whose auxiliary data are not drawn: what observes a toy's simulation is given with it, shape
            (parameter,).
        generator: of the random numbers.
    """
    truth = numbers_of(likelihood.structure, likelihood.templates)
    toy = numbers_of(likelihood.structure, templates)
    expected, bins, size = toy.expected_data(at[:, None]), truth.layout.bins, len(np.asarray(templates.nominal))
    data = np.ascontiguousarray(np.broadcast_to(expected, (len(expected), size)).T)
    rates = truth.expected_data(at[:, None])[:bins, 0]
    if not np.all(rates >= 0):
        raise InputError("The expected events at these parameters are negative or not finite; toys need positive ones.")
    data[:, :bins] = poisson_counts(generator, rates, (size, bins))
    normal, poisson = truth.layout.normal, truth.layout.poisson
    some = ~given[normal.parameter]
    at_normal = bins + normal.data[some]
    data[:, at_normal] += truth.sigma[some, 0] * generator.normal(size=(size, len(at_normal)))
    at_poisson = bins + poisson.data[~given[poisson.parameter]]
    data[:, at_poisson] = poisson_counts(generator, data[:, at_poisson], (size, len(at_poisson)))
    return data


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
