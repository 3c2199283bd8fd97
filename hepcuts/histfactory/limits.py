"""Upper limits on the signal strength, by the CLs method with the test statistic qmu-tilde, as pyhf defines them.

Which function do I need?

- `expected_upper_limit`: one number, differentiable in the templates: what a search makes small that may exclude.
- `upper_limit`: observed and expected limits of one model with data.

The value of mu is excluded at confidence level 1 - alpha where CLs = CLs+b / CLb < alpha, see
`hepcuts.histfactory.exclusion`.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import numpy as np

from hepcuts._core.errors import FitError
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.types import FloatArray, Scalar
from hepcuts.histfactory.solver.minima import CONVERGED, Minima

from . import density, host
from .abundance import most_events, too_many
from .asimov import nominal_at
from .bands import FEW_EXPECTED, expected_events, few_expected
from .batch import Batch
from .exclusion import ObservedCLs, asimov_limits, observed_limit, target_of
from .interest import signal_strength
from .likelihood import OBSERVED, HistFactory
from .minimization import call_with_derivative, contracted, fitted_parameters, gradients, slope_of_poi
from .searches import nominal_parameters
from .statistic import fits_of
from .structure import LikelihoodStructure, LikelihoodTemplates

BANDS = (-2, -1, 0, 1, 2)


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


def _limits_and_slopes(structure: LikelihoodStructure, batch: Batch, target: float) -> tuple[FloatArray, Any]:
    """Expected limits of a batch, and their derivatives with respect to the templates with the lanes in front."""
    known = np.repeat(nominal_parameters(structure, 0.0)[:, None], batch.lanes, axis=1)
    limits, parameters = asimov_limits(structure, batch, known, np.full(batch.lanes, target))
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
    limit: Scalar = float64_scope(_limit)(likelihood.structure, templates, target_of(confidence_level, band))
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
    return _limit(structure, templates, target_of(0.95, 0.0))


def expected_upper_limits(likelihood: HistFactory, templates: LikelihoodTemplates) -> FloatArray:
    """As `expected_upper_limit` with 95 %, of a batch of template sets, without JAX; NaN where there is none.

    Args:
        likelihood: the likelihood.
        templates: arrays with the axes of the batch in front, all of them or none.

    Returns:
        The shape of the batch.
    """
    return _limits(likelihood.structure, Batch.of(templates, None), target_of(0.95, 0.0))


def _limits(structure: LikelihoodStructure, batch: Batch, target: float) -> FloatArray:
    """Expected limits, the shape of the batch; NaN where there is none."""
    known = np.repeat(nominal_parameters(structure, 0.0)[:, None], batch.lanes, axis=1)
    limits, _ = asimov_limits(structure, batch._replace(asimov_mu=0.0), known, np.full(batch.lanes, target))
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
    structure, alpha = likelihood.structure, 1.0 - confidence_level
    poi = signal_strength(structure, likelihood.model.config.poi_name)
    targets = np.array([target_of(confidence_level, band) for band in BANDS])
    dataset, known, fits = "prefit Asimov", likelihood.nominal_parameters(0.0), None
    if data is not None:
        data = np.asarray(likelihood.check_data(data), dtype=np.float64)
        fits = _fits(likelihood, data)
        dataset, known = "postfit Asimov", fits[1].parameters[:, 0]
    asimov = np.asarray(likelihood.expected_data(known))
    batch = Batch.of(likelihood.templates, asimov).repeated(len(BANDS))
    limits, parameters = asimov_limits(structure, batch, np.repeat(known[:, None], len(BANDS), axis=1), targets)
    if not np.all(np.isfinite(limits)):
        raise FitError("No expected upper limit was found: the expected signal is zero, or a fit did not converge.")
    observed, kind = np.nan, OBSERVED
    if data is not None and fits is not None:
        kind = likelihood.kind_of(data)
        anchor = parameters[:, 2], float(targets[2])
        at = ObservedCLs(structure, likelihood.templates, (data, asimov), fits[0], anchor)
        observed = observed_limit(at, alpha, at.guess(alpha, uncertainty=float(limits[2] / targets[2])))
        if not np.isfinite(observed):
            raise FitError("No observed upper limit was found: CLs does not fall below its threshold, or a fit failed.")
    expected = dict(zip(BANDS, limits.tolist(), strict=True))
    events = expected_events(likelihood, mu=expected[0], of_background=True)
    below_zero = bool(structure.lower[poi] < 0)
    return UpperLimitResult(confidence_level, observed, expected, dataset, events, kind, below_zero)


def _fits(likelihood: HistFactory, data: FloatArray) -> tuple[Minima, Minima]:
    """Best fit with a signal strength that is not negative, and the fit without signal."""
    lower = np.array(likelihood.structure.lower)
    lower[likelihood.poi] = 0.0  # qmu-tilde compares with the best fit of a signal strength that is not negative
    structure = eqx.tree_at(lambda held: held.lower, likelihood.structure, lower)
    best, background_only = fits_of(structure, Batch.of(likelihood.templates, data))
    if background_only.status[0] != CONVERGED:
        raise FitError(
            "The fit at mu = 0 that makes the Asimov dataset did not converge; look at "
            "hepcuts.histfactory.fixed_poi_fit(likelihood, data, poi=0.0)."
        )
    if best.status[0] != CONVERGED:
        raise FitError("The unconditional fit did not converge; look at hepcuts.histfactory.fit.")
    bound = float(structure.upper[likelihood.poi])
    if best.parameters[likelihood.poi, 0] >= bound:
        raise FitError(
            f"The best fit is at the upper bound {bound:g} of the signal strength, so that qmu-tilde would be too "
            "small and the limit wrong; raise the bound in the measurement."
        )
    return best, background_only
