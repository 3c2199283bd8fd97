"""Maximum-likelihood fits: unconditional, and conditional at a fixed value of the parameter of interest."""

import dataclasses
import functools
import warnings
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.blas import one_blas_thread
from hepcuts._core.errors import BoundWarning, FitError, InputError
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.texts import listed
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.covariance import Covariance
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.minima import SAME_MINIMUM, TOO_MANY_EVENTS
from hepcuts.histfactory.solver.newton import CONVERGED, NOT_FINITE, STALLED, TOO_MANY_STEPS, Minima

from .abundance import most_events, too_many
from .batch import Batch
from .likelihood import HistFactory
from .nuisance import NuisanceParameters
from .searches import free_parameters, search
from .starts import alternative_starts
from .statistic import go_on_from_background
from .structure import LikelihoodStructure

_MESSAGES = MappingProxyType(
    {
        CONVERGED: "converged",
        STALLED: "no step lowers -2 ln L although the expected distance to the minimum is not small: the likelihood "
        "may be flat, discontinuous (interpolation code 0 or 2) or run into a bound; try other initial values "
        "(num_starts=10) or fix a parameter",
        TOO_MANY_STEPS: "the number of steps ran out before the expected distance to the minimum was small; the "
        "likelihood may fall without end along some direction: bound or fix a parameter, or try num_starts=10",
        NOT_FINITE: "-2 ln L is not finite at any of the initial values: a bin with data expects no or negative events "
        "there; check the templates for empty or negative bins",
        TOO_MANY_EVENTS: "there are too many events",
    }
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FitResult(Tabular):
    """A maximum-likelihood fit.

    Attributes:
        names: parameter names.
        parameters: best-fit values, shape (parameter,).
        uncertainties: one standard deviation from the inverse of the observed information, shape (parameter,); zero
            for fixed parameters, NaN for those that the data do not determine. For a parameter at a bound it is the
            curvature's, which knows nothing of the bound.
        curvature: inverse of the observed information, of which `covariance` is made.
        deviance: -2 ln of the likelihood over the saturated likelihood.
        edm: expected distance to the minimum of -2 ln L.
        success: whether the fit converged.
        message: why it stopped, and which parameters ended at a bound.
        num_steps: number of Newton steps.
        at_bound: names of the free parameters that ended at a bound.
        minima: deviances of all minima that the search led to, the lowest first, shape (minimum,).
        num_starts: from how many starts it was searched.
        num_places: from how many other places it was searched, where curvature may have made another minimum; see
            `hepcuts.histfactory.solver.basins`.
        nuisance_parameters: pulls and constraints.
    """

    names: tuple[str, ...]
    parameters: FloatArray
    uncertainties: FloatArray
    curvature: Covariance
    deviance: float
    edm: float
    success: bool
    message: str
    num_steps: int
    at_bound: tuple[str, ...]
    minima: FloatArray
    num_starts: int
    num_places: int
    nuisance_parameters: NuisanceParameters

    @functools.cached_property
    def covariance(self) -> FloatArray:
        """Inverse of the observed information of the free parameters, shape (parameter, parameter).

        Zero for fixed parameters, NaN for those that the data do not determine.
        """
        result = np.zeros((len(self.parameters), len(self.parameters)))
        result[np.ix_(self.curvature.free, self.curvature.free)] = self.curvature.matrix()
        return result

    def overview(self) -> SummaryTable:
        """All parameters with their uncertainties."""
        rows = [
            (name, f"{value:.5g} +- {spread:.3g}", "(at a bound)" if name in self.at_bound else "")
            for name, value, spread in zip(self.names, self.parameters, self.uncertainties, strict=True)
        ]
        title = f"Fit: {self.message} ({self.num_steps} steps, deviance {self.deviance:.6g})"
        return SummaryTable(title, rows)


def fit(likelihood: HistFactory, data: Any, *, init: Any = None, num_starts: int = 1, throw: bool = True) -> FitResult:
    """Unconditional fit: all free parameters within the model's bounds.

    Args:
        likelihood: the likelihood.
        data: main and auxiliary data, shape (data,).
        init: where to start, shape (parameter,); None for pyhf's suggestion.
        num_starts: number of starts, the first of them at `init`, the others at random. The lowest minimum counts; the
            message says so if there are several. From the first one other minima are looked for where curvature may
            have made them, so that more starts are a last resort.
        throw: whether to raise if the fit does not converge.

    Raises:
        FitError: the fit did not converge and `throw` is set; the message says why and what to try.
        InputError: a wrong number of data or initial values.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[5.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(fit(HistFactory(model), [60.0, *model.config.auxdata]))
        Fit: converged (5 steps, deviance ...)
          mu                              2 +- 2.09
          uncorr_bkguncrt[0]              1 +- 0.14
    """
    start = _start(likelihood, init)
    return _fit(likelihood, data, start, fix_poi=False, num_starts=num_starts, throw=throw)


def fixed_poi_fit(
    likelihood: HistFactory, data: Any, *, poi: float, init: Any = None, num_starts: int = 1, throw: bool = True
) -> FitResult:
    """Conditional fit with the parameter of interest fixed at `poi`; otherwise as `fit`."""
    start = _start(likelihood, init)
    start[likelihood.poi] = poi
    return _fit(likelihood, data, start, fix_poi=True, num_starts=num_starts, throw=throw)


def _start(likelihood: HistFactory, init: Any) -> FloatArray:
    start = np.array(likelihood.structure.init if init is None else init, dtype=np.float64)
    if start.shape != (len(likelihood.parameter_names),) or not np.all(np.isfinite(start)):
        raise InputError(
            f"init came with shape {start.shape}; expected {len(likelihood.parameter_names)} finite numbers, one for "
            "each parameter."
        )
    return start


def _fit(
    likelihood: HistFactory, data: Any, start: FloatArray, *, fix_poi: bool, num_starts: int, throw: bool
) -> FitResult:
    data = np.asarray(likelihood.check_data(data))
    found = best_of_starts(likelihood.structure, _batch(likelihood, data), start, fix_poi=fix_poi, number=num_starts)
    summary = describe(likelihood, data, found, fix_poi=fix_poi, num_starts=num_starts)
    if throw and not summary.success:
        raise FitError(failure(summary))
    return summary


def warn_at_bound(likelihood: HistFactory, *summaries: FitResult) -> None:
    """Warn of parameters that ended at a bound.

    A signal strength at its lower bound is none: that is how a deficit of events is fitted.
    """
    structure, names = likelihood.structure, likelihood.parameter_names
    none = None if structure.poi is None else names[structure.poi]
    found = dict.fromkeys(
        name
        for summary in summaries
        for name in summary.at_bound
        if name != none or summary.parameters[structure.poi] > structure.lower[structure.poi]
    )
    if found:
        warnings.warn(
            f"The fit ended with {listed(found)} at a bound: what it finds depends on where the bound is. If it is "
            "no physical one, widen it in the measurement.",
            BoundWarning,
            stacklevel=3,
        )


def _batch(likelihood: HistFactory, data: Any) -> Batch:
    return Batch.of(likelihood.templates, data)


def best_of_starts(
    structure: LikelihoodStructure, batch: Batch, start: FloatArray, *, fix_poi: bool, number: int
) -> Minima:
    """The minima that `number` starts lead to, the lowest first, each once; the first end if none converged."""
    if number < 1:
        raise InputError(f"num_starts={number}; expected at least 1.")
    first = search(structure, batch, start, fix_poi=fix_poi)
    if not fix_poi and structure.poi is not None and first.places.any():
        held = np.array(start)
        held[structure.poi] = 0.0
        go_on_from_background(structure, batch, first, search(structure, batch, held, fix_poi=True))
    if number == 1:
        return first
    starts = alternative_starts(structure, number - 1)
    held = ~free_parameters(structure, fix_poi=fix_poi)
    starts[held] = np.broadcast_to(start[:, None], starts.shape)[held]
    others = search(structure, batch.repeated(number - 1), starts, fix_poi=fix_poi, retries=0, elsewhere=False)
    joined = first.join(others)
    joined = joined.take(joined.status == CONVERGED)
    if not len(joined.value):
        return first
    joined = joined.take(np.argsort(joined.value, kind="stable"))
    places = first.places.sum()
    joined = joined.take(_apart(joined.value))
    joined.places[:] = places
    return joined


def all_minima(found: Minima) -> FloatArray:
    """Deviances of the minima that starts led to, and of what their searches passed by, the lowest first."""
    rivals = found.rival[np.isfinite(found.rival)]
    values = np.concatenate([found.value[:1], np.sort(np.concatenate([found.value[1:], rivals]))])
    result: FloatArray = values[_apart(values)]
    return result


def _apart(values: FloatArray) -> Any:
    """Which of sorted deviances begin another minimum. Two are one if no start ended between them."""
    with np.errstate(invalid="ignore"):
        return np.append(True, np.diff(values) > SAME_MINIMUM * (1.0 + np.abs(values[1:])))


def describe(likelihood: HistFactory, data: Any, found: Minima, *, fix_poi: bool, num_starts: int = 1) -> FitResult:
    """The first of the minima, with covariance and pulls."""
    structure = likelihood.structure
    parameters = found.parameters[:, 0]
    layout = layout_of(structure, free_parameters(structure, fix_poi=fix_poi))
    batch = _batch(likelihood, data)
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        batched = Likelihood(layout, structure, batch.templates, batch.data, parameters)
        moved = ~batched.void[layout.free, 0]
        free = layout.free[moved]
        curvature = Covariance(0.5 * batched.expand(parameters[:, None]).curvature(slice(None)), moved, layout.free)
    variances = np.zeros(len(parameters))
    variances[layout.free] = curvature.variances
    uncertainties = np.sqrt(np.where(variances >= 0, variances, np.nan))
    names = likelihood.parameter_names
    edge = (parameters <= structure.lower) | (parameters >= structure.upper)
    status = int(found.status[0])
    message = _MESSAGES[status]
    crowded = too_many(float(most_events(batch)[0])) if status != CONVERGED else ""
    message += f"; {crowded}" if crowded else ""
    values = all_minima(found)
    if len(values) > 1:
        higher = ", ".join(f"{value - values[0]:.4g}" for value in values[1:4])
        message += f"; there are {len(values)} minima, this is the lowest (others higher by {higher} in -2 ln L)"
    at_bound = tuple(names[i] for i in free if edge[i])
    if at_bound:
        message += f"; at a bound: {listed(at_bound)}"
    loose = [names[i] for i in free if np.isnan(uncertainties[i])]
    if loose and status == CONVERGED:
        message += f"; not determined by the data: {listed(loose)}"
    return FitResult(
        names,
        parameters,
        uncertainties,
        curvature,
        float(found.value[0]),
        float(found.edm[0]),
        status == CONVERGED,
        message,
        int(found.num_steps[0]),
        at_bound,
        values,
        num_starts,
        int(found.places[0]),
        NuisanceParameters.of(likelihood, data, parameters, uncertainties),
    )


def failure(summary: FitResult) -> str:
    """What to say of a fit that did not converge."""
    loose = [name for name, u in zip(summary.names, summary.uncertainties, strict=True) if np.isnan(u)]
    where = f" Parameters that the data do not determine there: {listed(loose)}." if loose else ""
    return (
        f"The fit did not converge after {summary.num_steps} steps: {summary.message}. Expected distance to the "
        f"minimum: {summary.edm:.3g}.{where}"
    )
