"""Upper limits on the signal strength, by the CLs method with the test statistic qmu-tilde, as pyhf defines them.

Which function do I need?

- `expected_upper_limit`: one number, differentiable in the templates: what a search makes small that may exclude.
- `upper_limit`: observed and expected limits of one model with data.

The value of mu is excluded at confidence level 1 - alpha where CLs = CLs+b / CLb < alpha. On the Asimov dataset without
signal, where the n-th band has CLb = Phi(n), this is the mu at which sqrt(q_mu) = Phi^-1(1 - alpha Phi(n)) + n: for the
median and 95 % it is 1.96 (Cowan et al. 2011 :cite:p:`cowan2011`, eq. 89).
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import numpy as np
import scipy.optimize

from hepcuts._core.errors import FitError, InputError
from hepcuts._core.lazy import stats
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.types import FloatArray, Scalar
from hepcuts.histfactory.solver.newton import CONVERGED

from . import density, host
from .abundance import most_events, too_many
from .asimov import nominal_at, postfit_asimov_data
from .bands import FEW_EXPECTED, expected_events, few_expected
from .batch import Batch
from .interest import required_poi, signal_strength
from .likelihood import OBSERVED, HistFactory
from .minimization import call_with_derivative, contracted, fitted_parameters, gradients, slope_of_poi
from .searches import nominal_parameters, search
from .structure import LikelihoodStructure, LikelihoodTemplates

BANDS = (-2, -1, 0, 1, 2)
_MAX_STEPS = 60
_CLOSE = 1e-10
"""Relative change of mu at which the search for a limit stops."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class UpperLimitResult(Tabular):
    """Upper limits on the signal strength.

    Attributes:
        confidence_level: such as 0.95.
        observed: the limit from the data; NaN without data.
        expected: limits expected without signal, by their band: -2, -1, 0 (the median), 1, 2 standard deviations.
        dataset: ``"prefit Asimov"`` or ``"postfit Asimov"``: what `expected` comes from.
        expected_events: background that the limit rests on, see `hepcuts.histfactory.bands.equivalent_events`.
        data: what `observed` comes from: ``"observed"``, or ``"workspace's Asimov"`` if the observations of a workspace
            are no data.
        below_zero: whether the model allows signal strengths below zero. In the test statistic they are not used.
    """

    confidence_level: float
    observed: float
    expected: dict[int, float]
    dataset: str
    expected_events: float = float("inf")
    data: str = OBSERVED
    below_zero: bool = False

    def overview(self) -> SummaryTable:
        """The limits."""
        low2, low1, median, high1, high2 = (self.expected[n] for n in BANDS)
        observed = [(self.data, f"mu < {self.observed:.4g}")] if np.isfinite(self.observed) else []
        expected = ("expected", f"mu < {median:.4g}  ({self.dataset} data without signal)")
        spread = f"68 % of experiments without signal find {low1:.4g} to {high1:.4g}, 95 % {low2:.4g} to {high2:.4g}"
        title = f"Upper limit on the signal strength, CLs at {100 * self.confidence_level:g} %"
        few = [few_expected(self.expected_events)] if self.expected_events < FEW_EXPECTED else []
        zero = ["the model allows mu < 0; here such a best fit counts as mu = 0 (qmu-tilde)"] if self.below_zero else []
        return SummaryTable(title, [*observed, expected], foot=[spread, *zero, *few])


def _target(confidence_level: float, band: float) -> float:
    """sqrt(q_mu) on the Asimov dataset at the limit."""
    if not 0.0 < confidence_level < 1.0:
        raise InputError(f"confidence_level is {confidence_level}; expected a number between 0 and 1, such as 0.95.")
    return float(stats.norm.isf((1.0 - confidence_level) * stats.norm.cdf(band)) + band)


def _asimov_limits(
    structure: LikelihoodStructure, batch: Batch, known: FloatArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Where sqrt(q_mu) reaches its target on Asimov data of which the best fit, with mu = 0, is known.

    Newton's method on sqrt(q_mu), which is nearly linear in mu; safeguarded by the bracket that it leaves behind.

    Args:
        structure: of NumPy arrays.
        batch: templates, with data or with ``asimov_mu`` of zero.
        known: parameters that the data are the expectation of, shape (parameter, lane).
        target: shape (lane,).

    Returns:
        The limits, NaN where a fit failed, shape (lane,), and the parameters of the fits there.
    """
    poi = required_poi(structure)
    lanes = batch.lanes
    mu = np.ones(lanes)
    low, high = np.zeros(lanes), np.full(lanes, np.inf)
    parameters = np.array(known)
    active = np.arange(lanes)
    limits = np.full(lanes, np.nan)
    for _ in range(_MAX_STEPS):
        start = parameters[:, active]
        start[poi] = mu[active]
        part = batch.take(active)
        found = search(structure, part, start, fix_poi=True)
        parameters[:, active] = found.parameters
        root = np.sqrt(np.maximum(found.value, 0.0))
        slope = slope_of_poi(structure, part, found.parameters) / (2.0 * np.maximum(root, 1e-300))
        above = root > target[active]
        high[active] = np.where(above, np.minimum(high[active], mu[active]), high[active])
        low[active] = np.where(above, low[active], np.maximum(low[active], mu[active]))
        step = (target[active] - root) / np.where(slope > 0, slope, np.nan)
        proposal = mu[active] + step
        outside = ~((proposal > low[active]) & (proposal < high[active]))
        middle = np.where(np.isinf(high[active]), 4.0 * mu[active], 0.5 * (low[active] + high[active]))
        close = np.abs(step) <= _CLOSE * mu[active]
        proposal = np.where(outside & ~close, middle, np.where(np.isfinite(proposal), proposal, mu[active]))
        good = found.status == CONVERGED
        narrow = high[active] - low[active] <= _CLOSE * mu[active]
        done = good & (close | narrow)
        limits[active[done]] = proposal[done]
        mu[active] = proposal
        # Without any effect of mu (no signal expected) the bracket never closes.
        active = active[good & ~done & (proposal < 1e12)]
        if not len(active):
            break
    parameters[poi] = np.where(np.isnan(limits), parameters[poi], limits)
    return limits, parameters


def _limits_and_slopes(structure: LikelihoodStructure, batch: Batch, target: float) -> tuple[FloatArray, Any]:
    """Expected limits of a batch, and their derivatives with respect to the templates with the lanes in front."""
    known = np.repeat(nominal_parameters(structure, 0.0)[:, None], batch.lanes, axis=1)
    limits, parameters = _asimov_limits(structure, batch, known, np.full(batch.lanes, target))
    by_templates, _ = gradients(structure, batch, parameters)
    by_mu = slope_of_poi(structure, batch, parameters)
    return limits, jax.tree.map(lambda a: -a / by_mu.reshape(-1, *[1] * (a.ndim - 1)), by_templates)


def expected_upper_limit(
    likelihood: HistFactory,
    templates: LikelihoodTemplates | None = None,
    *,
    confidence_level: float = 0.95,
    band: float = 0.0,
) -> Scalar:
    """Expected CLs upper limit on the signal strength, on the prefit Asimov dataset without signal.

    Args:
        likelihood: the likelihood.
        templates: templates in place of the model's own.
        confidence_level: of the limit.
        band: standard deviations from the median.

    Returns:
        A scalar that may be differentiated, vmapped and jitted with respect to `templates`.

    Raises:
        FitError: no limit was found; inside a JAX transformation it is NaN instead.
        InputError: a confidence level outside (0, 1).
        UnsupportedModelError: the model has no parameter of interest.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(round(float(expected_upper_limit(HistFactory(model))), 4))
        1.9709
    """
    signal_strength(likelihood.structure, likelihood.model.config.poi_name)
    templates = likelihood.templates if templates is None else templates
    limit: Scalar = float64_scope(_limit)(likelihood.structure, templates, _target(confidence_level, band))
    if not is_traced(limit) and not np.isfinite(limit):
        crowded = too_many(float(most_events(Batch.of(templates, None))[0]))
        raise FitError(
            "No upper limit was found: the expected signal is zero, or a fit did not converge; look at "
            "hepcuts.histfactory.fixed_poi_fit at some values of the signal strength."
            f"{f' Or {crowded}.' if crowded else ''}"
        )
    return limit


@float64_scope
def upper_limit_of_structure(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> Any:
    """The expected limit, with 95 %, of all likelihoods of one structure; as `expected_upper_limit`."""
    return _limit(structure, templates, _target(0.95, 0.0))


def expected_upper_limits(likelihood: HistFactory, templates: LikelihoodTemplates) -> FloatArray:
    """As `expected_upper_limit` with 95 %, of a batch of template sets, without JAX; NaN where there is none.

    Args:
        likelihood: the likelihood.
        templates: arrays with the axes of the batch in front, all of them or none.

    Returns:
        The shape of the batch.
    """
    return _limits(likelihood.structure, Batch.of(templates, None), _target(0.95, 0.0))


def _limits(structure: LikelihoodStructure, batch: Batch, target: float) -> FloatArray:
    """Expected limits, the shape of the batch; NaN where there is none."""
    known = np.repeat(nominal_parameters(structure, 0.0)[:, None], batch.lanes, axis=1)
    limits, _ = _asimov_limits(structure, batch._replace(asimov_mu=0.0), known, np.full(batch.lanes, target))
    return limits.reshape(batch.lead)


def _limit(structure: LikelihoodStructure, templates: LikelihoodTemplates, target: float) -> Any:
    """The expected limit; NaN where there is none."""

    def on_the_host(held: LikelihoodStructure, templates: Any) -> Any:
        return _limits(held, Batch.of(templates, None), target)

    def derivative(held: LikelihoodStructure, at: Any, change: Any) -> tuple[Any, Any]:
        value, slopes = _limit_and_slopes(held, at[0], target)
        return value, contracted(slopes, change[0])

    return call_with_derivative(structure, on_the_host, host.floats(0.0), derivative, templates)


def _limit_and_slopes(structure: LikelihoodStructure, templates: LikelihoodTemplates, target: float) -> Any:
    """The expected limit and its derivatives with respect to the templates, themselves differentiable."""

    def on_the_host(held: LikelihoodStructure, templates: Any) -> Any:
        batch = Batch.of(templates, None)._replace(asimov_mu=0.0)
        answer = _limits_and_slopes(held, batch, target)
        return jax.tree.map(lambda a: a.reshape((*batch.lead, *a.shape[1:])), answer)

    def derivative(held: LikelihoodStructure, at: Any, change: Any) -> tuple[Any, Any]:
        found: tuple[Any, Any] = jax.jvp(lambda t: _slopes_by_jax(held, t, _limit(held, t, target)), at, change)
        return found

    return call_with_derivative(structure, on_the_host, host.floats((0.0, templates)), derivative, templates)


@eqx.filter_jit
def _slopes_by_jax(structure: LikelihoodStructure, templates: LikelihoodTemplates, mu: Any) -> Any:
    """The same of a limit that is known, by the implicit function theorem and automatic differentiation."""
    nothing = nominal_at(structure, 0.0)
    data = density.expected_data(structure, templates, nothing)
    held = nothing.at[structure.poi].set(mu)
    fitted = fitted_parameters(structure, templates, data, held, fix_poi=True)

    def statistic(mu: Any, templates: Any) -> Any:
        data = density.expected_data(structure, templates, nothing)
        return density.deviance(structure, templates, fitted.at[structure.poi].set(mu), data)

    by_mu, by_templates = jax.grad(statistic, argnums=(0, 1))(mu, templates)
    return mu, jax.tree.map(lambda a: -a / by_mu, by_templates)


def upper_limit(likelihood: HistFactory, data: Any = None, *, confidence_level: float = 0.95) -> UpperLimitResult:
    """CLs upper limits on the signal strength, observed and expected, as `pyhf.infer.intervals.upper_limits`.

    Args:
        likelihood: the likelihood. If its signal strength may be negative, a negative best fit counts as zero, which is
            the definition of qmu-tilde (Cowan et al. 2011, eq. 16): the limits are those of the same model with the
            lower bound 0. (pyhf's ``qmu_tilde`` uses the best fit below zero, too, where the bounds allow it, and warns
            that this is no qmu-tilde.)
        data: main and auxiliary data, shape (data,); the expected limits then use the Asimov dataset whose nuisance
            parameters are fitted to them at mu = 0, as pyhf does. None for expected limits before there are data.
        confidence_level: of the limits.

    Raises:
        FitError: a fit did not converge, or there is no limit.
        InputError: a wrong number of data, or a confidence level outside (0, 1).
        UnsupportedModelError: the model has no parameter of interest, or one that is no signal strength, see
            `hepcuts.histfactory.interest.signal_strength`.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(upper_limit(HistFactory(model), [55.0, *model.config.auxdata]))
        Upper limit on the signal strength, CLs at 95 %
          observed  mu < 2.38
          expected  mu < 2.018  (postfit Asimov data without signal)
          68 % of experiments without signal find 1.447 to 2.832, 95 % 1.076 to 3.847
    """
    structure = likelihood.structure
    poi = signal_strength(structure, likelihood.model.config.poi_name)
    targets = np.array([_target(confidence_level, band) for band in BANDS])
    if data is None:
        dataset, asimov = "prefit Asimov", likelihood.expected_data(likelihood.nominal_parameters(0.0))
        known = likelihood.nominal_parameters(0.0)
    else:
        data = likelihood.check_data(data)
        dataset, asimov = "postfit Asimov", postfit_asimov_data(likelihood, data, mu=0.0)
        known = _conditional(likelihood, data, 0.0).parameters[:, 0]
    batch = Batch.of(likelihood.templates, np.asarray(asimov)).repeated(len(BANDS))
    limits, _ = _asimov_limits(structure, batch, np.repeat(known[:, None], len(BANDS), axis=1), targets)
    if not np.all(np.isfinite(limits)):
        raise FitError("No expected upper limit was found: the expected signal is zero, or a fit did not converge.")
    observed, kind = np.nan, OBSERVED
    if data is not None:
        kind = likelihood.kind_of(data)
        observed = _observed_limit(likelihood, data, np.asarray(asimov), 1.0 - confidence_level, float(limits[2]))
    expected = dict(zip(BANDS, limits.tolist(), strict=True))
    events = expected_events(likelihood, mu=expected[0], of_background=True)
    below_zero = bool(structure.lower[poi] < 0)
    return UpperLimitResult(confidence_level, float(observed), expected, dataset, events, kind, below_zero)


def _conditional(likelihood: HistFactory, data: Any, mu: float) -> Any:
    start = likelihood.nominal_parameters(mu)
    found = search(likelihood.structure, Batch.of(likelihood.templates, data), start, fix_poi=True)
    if found.status[0] != CONVERGED:
        raise FitError(f"The fit at mu = {mu:.6g} did not converge; try hepcuts.histfactory.fixed_poi_fit there.")
    return found


def _observed_limit(likelihood: HistFactory, data: Any, asimov: Any, alpha: float, guess: float) -> float:
    """The mu at which CLs of the data is alpha."""
    poi = likelihood.poi
    structure = likelihood.structure
    # qmu-tilde compares with the best fit of a signal strength that is not negative.
    lower = np.array(structure.lower)
    lower[poi] = 0.0
    structure = eqx.tree_at(lambda s: s.lower, structure, lower)
    best = search(structure, Batch.of(likelihood.templates, data), np.asarray(structure.init), fix_poi=False)
    if best.status[0] != CONVERGED:
        raise FitError("The unconditional fit did not converge; look at hepcuts.histfactory.fit.")
    mu_hat, lowest = float(best.parameters[poi, 0]), float(best.value[0])
    bound = float(structure.upper[poi])
    if mu_hat >= bound:
        raise FitError(
            f"The best fit is at the upper bound {bound:g} of the signal strength, so that qmu-tilde would be too "
            "small and the limit wrong; raise the bound in the measurement."
        )

    def excess(mu: float) -> float:
        q_asimov = float(_conditional(likelihood, asimov, mu).value[0])
        q = max(0.0, float(_conditional(likelihood, data, mu).value[0]) - lowest) if mu > mu_hat else 0.0
        return float(cls_of(q, q_asimov)) - alpha

    low, high = 1e-9 * guess, max(2.0 * guess, 1.5 * mu_hat)
    while excess(high) > 0.0:
        low, high = high, 2.0 * high
        if high > 1e9 * guess:
            raise FitError("No observed upper limit was found: CLs does not fall below its threshold.")
    return float(scipy.optimize.brentq(excess, low, high, rtol=1e-9))


def cls_of(q: Any, q_asimov: Any) -> Any:
    """CLs from qmu-tilde of the data and of the Asimov dataset without signal (Cowan et al. 2011, eq. 64-66)."""
    root, root_asimov = np.sqrt(q), np.sqrt(q_asimov)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (q - q_asimov) / (2.0 * root_asimov)
    shifted = np.where(root <= root_asimov, root - root_asimov, beyond)
    # By logarithms: both tails may be too small for a number of their own.
    return np.exp(stats.norm.logsf(shifted + root_asimov) - stats.norm.logsf(shifted))
