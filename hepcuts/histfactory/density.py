"""The HistFactory density as pure functions of structure, templates, parameters and data.

Two forms of the same likelihood. `logpdf` is pyhf's, normalization included. `deviance` is -2 ln of the likelihood
over its saturated value (every bin predicted exactly as observed): it differs by a constant of the data, vanishes
where expectation equals data, and keeps its precision where the former is the difference of large numbers. Fits and
test statistics use the deviance.

These functions serve where something is differentiated with respect to templates or data. The fits themselves use the
same likelihood as written out in `hepcuts.histfactory.solver`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Bool, Float

from .interpolation import ADDITIVE, Multiplicative
from .structure import LikelihoodStructure, LikelihoodTemplates

Parameters = Float[Any, " parameter"]
Data = Float[Any, " data"]


class Constraints(NamedTuple):
    """Widths and rate factors of the constraint terms at given templates.

    Attributes:
        sigma: widths of the Gaussian constraints, shape (normal,); 1 where finite simulation contributes nothing.
        factor: rate factors of the Poisson constraints, shape (poisson,); 1 likewise.
        void: parameters whose constraint has no content at these templates and which are fixed, shape (parameter,).
    """

    sigma: Float[Array, " normal"]
    factor: Float[Array, " poisson"]
    void: Bool[Array, " parameter"]


def constraints(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> Constraints:
    """Constraint terms at given templates.

    The width of a staterror is the root of the summed squares of the uncertainties over the summed yields of the
    samples that share it; the rate factor of a shapesys is the squared ratio of yield and uncertainty. As in pyhf,
    either is replaced by 1 and its parameter fixed where yield or uncertainty is zero.
    """
    num_normal, num_poisson = len(structure.normal_parameter), len(structure.poisson_parameter)

    def collect(values: Any, target: Any, size: int) -> Any:
        return jnp.zeros(size + 1).at[target].add(values)[:-1]

    def targeted(target: Any, size: int) -> Any:
        return jnp.zeros(size + 1, dtype=bool).at[target].set(True)[:-1]

    nominal = jnp.asarray(templates.nominal)
    stat = jnp.asarray(templates.staterror)
    squares = collect(stat**2, structure.staterror, num_normal)
    total = collect(jnp.broadcast_to(nominal, stat.shape), structure.staterror, num_normal)
    dynamic = targeted(structure.staterror, num_normal)
    filled = (squares > 0) & (total > 0)
    width = jnp.sqrt(jnp.where(filled, squares, 1.0)) / jnp.where(filled, total, 1.0)
    sigma = jnp.where(dynamic, width, structure.normal_sigma)

    shape = jnp.asarray(templates.shapesys)
    uncertainty = collect(shape, structure.shapesys, num_poisson)
    rate = collect(jnp.broadcast_to(nominal, shape.shape), structure.shapesys, num_poisson)
    dynamic_poisson = targeted(structure.shapesys, num_poisson)
    usable = (uncertainty > 0) & (rate > 0)
    tau = (jnp.where(usable, rate, 1.0) / jnp.where(usable, uncertainty, 1.0)) ** 2
    factor = jnp.where(dynamic_poisson, tau, structure.poisson_factor)

    void = jnp.zeros(len(structure.init), dtype=bool)
    void = void.at[structure.normal_parameter].set(dynamic & ~filled)
    void = void.at[structure.poisson_parameter].max(dynamic_poisson & ~usable)
    return Constraints(sigma, factor, void)


def sample_rates(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters
) -> Float[Array, "sample bin"]:
    """Expected events of each sample in each bin, before the sum over samples."""
    pars = jnp.asarray(pars)
    nominal = jnp.asarray(templates.nominal)
    alpha = pars[structure.histosys][:, None, None]
    shift, _, _ = ADDITIVE[structure.histosys_code](alpha)
    mask = jnp.asarray(structure.histosys_mask)
    # What a mask excludes is replaced before it is used, so that its gradient cannot be NaN.
    up, down = (jnp.where(mask, side, nominal) for side in (templates.histosys_up, templates.histosys_down))
    shifts = shift.up * (up - nominal) + shift.down * (nominal - down)
    rates = nominal + jnp.where(mask, shifts, 0.0).sum(axis=0)

    alpha = pars[structure.normsys][:, None, None]
    mask = jnp.asarray(structure.normsys_mask)
    up, down = (jnp.where(mask, side, 1.0) for side in (templates.normsys_up, templates.normsys_down))
    factors = jnp.where(mask, Multiplicative(structure.normsys_code, down, up).value(alpha), 1.0).prod(axis=0)
    rates = rates * factors[:, structure.channel_of_bin]

    extended = jnp.concatenate([pars, jnp.ones(1, dtype=pars.dtype)])
    rates = rates * extended[structure.factor].prod(axis=0)
    return rates if structure.clip_sample is None else jnp.maximum(rates, structure.clip_sample)


def main_rates(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters
) -> Float[Array, " bin"]:
    """Expected events in each bin."""
    rates = sample_rates(structure, templates, pars).sum(axis=0)
    return rates if structure.clip_bin is None else jnp.maximum(rates, structure.clip_bin)


def expected_data(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters
) -> Float[Array, " data"]:
    """Expected main and auxiliary data."""
    pars = jnp.asarray(pars)
    terms = constraints(structure, templates)
    auxiliary = jnp.zeros(len(structure.auxdata))
    auxiliary = auxiliary.at[structure.normal_data].set(pars[structure.normal_parameter])
    auxiliary = auxiliary.at[structure.poisson_data].set(pars[structure.poisson_parameter] * terms.factor)
    return jnp.concatenate([main_rates(structure, templates, pars), auxiliary])


def _parts(structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters, data: Data) -> Any:
    """Observed and expected counts of all Poisson terms; pulls and widths of all Gaussian ones."""
    pars, data = jnp.asarray(pars), jnp.asarray(data)
    num_main = len(structure.channel_of_bin)
    main, auxiliary = data[:num_main], data[num_main:]
    terms = constraints(structure, templates)
    counts = jnp.concatenate([main, auxiliary[structure.poisson_data]])
    poisson_rates = pars[structure.poisson_parameter] * terms.factor
    rates = jnp.concatenate([main_rates(structure, templates, pars), poisson_rates])
    pulls = (auxiliary[structure.normal_data] - pars[structure.normal_parameter]) / terms.sigma
    return counts, rates, pulls, terms.sigma


def logpdf(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters, data: Data
) -> Float[Array, ""]:
    """Logarithm of the density, as `pyhf.Model.logpdf`."""
    counts, rates, pulls, sigma = _parts(structure, templates, pars, data)
    poisson = xlogy(counts, rates) - rates - gammaln(counts + 1.0)
    normal = -0.5 * pulls**2 - jnp.log(sigma) - 0.5 * jnp.log(2.0 * jnp.pi)
    total: Array = poisson.sum() + normal.sum()
    return total


def deviance(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters, data: Data
) -> Float[Array, ""]:
    """-2 ln of the likelihood over the saturated likelihood: zero where the expectation equals the data.

    It is infinite where a rate is negative, or zero with events observed.
    """
    counts, rates, pulls, _ = _parts(structure, templates, pars, data)
    total: Array = poisson_deviance(counts, rates).sum() + (pulls**2).sum()
    return total


def information(
    structure: LikelihoodStructure, templates: LikelihoodTemplates, pars: Parameters
) -> Float[Array, "parameter parameter"]:
    """Expected (Fisher) information of all parameters at `pars`: the mean of the Hessian of -ln L over data."""
    pars = jnp.asarray(pars)
    terms = constraints(structure, templates)

    def rates(p: Any) -> Any:
        return jnp.concatenate([main_rates(structure, templates, p), p[structure.poisson_parameter] * terms.factor])

    expected, push = jax.linearize(rates, pars)
    slopes = jax.vmap(push, out_axes=-1)(jnp.eye(len(pars)))
    positive = expected > 0
    weights = jnp.where(positive, 1.0 / jnp.where(positive, expected, 1.0), 0.0)
    prior = jnp.zeros_like(pars).at[structure.normal_parameter].add(1.0 / terms.sigma**2)
    total: Array = slopes.T @ (weights[:, None] * slopes) + jnp.diag(prior)
    return total


@jax.custom_jvp
def poisson_deviance(counts: Float[Array, "..."], rates: Float[Array, "..."]) -> Float[Array, "..."]:
    """-2 ln [Pois(n | rate) / Pois(n | n)] = 2 (rate - n - n ln(rate / n)), without cancellation."""
    possible = (rates > 0) | ((rates == 0) & (counts == 0))
    some = (counts > 0) & possible
    n, rate = jnp.where(some, counts, 1.0), jnp.where(some, rates, 1.0)
    x = (rate - n) / n
    # Where the rate is much below the count, x is -1 to the last digit and ln(1 + x) has none left.
    excess = jnp.where(jnp.abs(x) < 0.5, minus_log1p(x), x - jnp.log(rate / n))
    return jnp.where(some, 2.0 * n * excess, jnp.where(possible, 2.0 * rates, jnp.inf))


@poisson_deviance.defjvp
def _poisson_deviance_jvp(primals: Any, tangents: Any) -> Any:
    # Written out, because automatic differentiation of the above would lose precision where rate and count are close.
    counts, rates = primals
    some = (counts > 0) & (rates > 0)
    n, rate = jnp.where(some, counts, 1.0), jnp.where(some, rates, 1.0)
    by_rate = jnp.where(some, 2.0 * (rate - n) / rate, 2.0)
    x = (rate - n) / n
    log_ratio = jnp.where(jnp.abs(x) < 0.5, jnp.log1p(jnp.where(jnp.abs(x) < 0.5, x, 0.0)), jnp.log(rate / n))
    by_count = jnp.where(some, -2.0 * log_ratio, 0.0)
    return poisson_deviance(counts, rates), by_rate * tangents[1] + by_count * tangents[0]


def minus_log1p(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The difference x - ln(1 + x), accurate for small x too.

    With r = x / (2 + x) it is x r - 2 (r^3/3 + r^5/5 + ...), a sum without cancellation; used for |x| < 1/4.
    """
    small = jnp.abs(x) < 0.25
    y = jnp.where(small, x, 0.0)
    r = y / (2.0 + y)
    series = sum(r ** (2 * k) / (2 * k + 1) for k in range(9, 0, -1))
    return jnp.where(small, r * (y - 2.0 * series), x - jnp.log1p(jnp.where(small, 0.0, x)))
