"""Impacts of nuisance parameters on the signal strength and on Z, and their correlations.

The impact of a parameter is what changes when it is held somewhere else and all others are fitted again: at its best
fit plus and minus its width before the fit (the constraint's) or after it (from the observed information). Held there
in both hypotheses, it moves mu-hat and Z.

From the two fits of a discovery test, without another one, all impacts are known as far as the likelihood is a
parabola: mu-hat moves by cov(mu, theta) / var(theta) times the distance, and the deviance of either hypothesis rises by
the square of the distance from its own minimum over its own variance,

    q0(theta = t) = q0 + (t - theta_0)^2 / var_0 - (t - theta_1)^2 / var_1,

with the background-only fit 0 and the unconditional fit 1. With ``refits=True`` each is a fit instead, and the two
sides may differ: so they do where both variations of a systematic go the same way, and no parabola knows of it.

An impact on Z contains that a parameter which is held is no uncertainty any more; `Impacts.held` is that part alone: Z
if the parameter were known to be at its best fit. Groups are held together.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.histfactory import FitResult, HistFactory, SignificanceResult, discovery_test, prefit_asimov_data
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.searches import search
from hepcuts.histfactory.solver.minima import CONVERGED

from .systematics import Given, Groups, grouped, likelihood_of

_ROWS = 20
"""Rows that are printed."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Impacts(Tabular):
    """Impacts of nuisance parameters, those with the largest on mu after the fit first.

    Attributes:
        dataset: which data were fitted, as `hepcuts.histfactory.SignificanceResult`.
        mu_hat: best fit of the signal strength.
        mu_uncertainty: its standard deviation.
        significance: Z of the data.
        names: of the free parameters other than mu, shape (parameter,).
        values: best fit.
        uncertainties: after the fit.
        prior: center of the constraint; NaN for a free factor.
        prior_uncertainties: width of the constraint; NaN for a free factor.
        mu_postfit: change of mu-hat with the parameter one standard deviation after the fit below and above its best
            fit, shape (parameter, 2).
        mu_prefit: likewise by the width of the constraint.
        z_postfit: change of Z, likewise.
        z_prefit: change of Z, likewise.
        held: change of Z with the parameter at its best fit, shape (parameter,).
        groups: for each group, by how much of the uncertainty of mu it is (in quadrature: what is missing if its
            members are held), and the change of Z if they are.
        correlations: of all free parameters, in the order of `correlated`, shape (free, free).
        correlated: names of these, mu among them.
        refits: whether each impact is a fit.
    """

    dataset: str
    mu_hat: float
    mu_uncertainty: float
    significance: float
    names: tuple[str, ...]
    values: FloatArray
    uncertainties: FloatArray
    prior: FloatArray
    prior_uncertainties: FloatArray
    mu_postfit: FloatArray
    mu_prefit: FloatArray
    z_postfit: FloatArray
    z_prefit: FloatArray
    held: FloatArray
    groups: dict[str, tuple[float, float]]
    correlations: FloatArray
    correlated: tuple[str, ...]
    refits: bool

    @property
    def pulls(self) -> FloatArray:
        """(best fit - center) / width of the constraint; NaN for free factors, shape (parameter,)."""
        return (self.values - self.prior) / self.prior_uncertainties

    @property
    def constraints(self) -> FloatArray:
        """Uncertainty after over that before the fit; NaN for free factors, shape (parameter,)."""
        return self.uncertainties / self.prior_uncertainties

    def overview(self) -> SummaryTable:
        """The largest impacts."""
        rows = [
            (
                name,
                *(
                    (f"{self.pulls[n]:+.2f}", f"{self.constraints[n]:.2f}")
                    if self.prior_uncertainties[n] > 0
                    else ("", "")
                ),
                *(f"{value:+.4f}" for value in (*self.mu_postfit[n], *self.z_postfit[n])),
            )
            for n, name in enumerate(self.names[:_ROWS])
        ]
        foot = [f"and {len(self.names) - _ROWS} more"] if len(self.names) > _ROWS else []
        foot += [f"group {name}: {mu:.4g} of the uncertainty of mu" for name, (mu, _) in self.groups.items()]
        title = (
            f"Impacts on mu = {self.mu_hat:.4g} +- {self.mu_uncertainty:.3g} and Z = {self.significance:.4f}, "
            f"{self.dataset} data{', by fits' if self.refits else ''}"
        )
        head = ("parameter", "pull", "constraint", "mu, -1 sd", "+1 sd", "Z, -1 sd", "+1 sd")
        return SummaryTable(title, rows, head, foot)

    def to_dataframe(self) -> DataFrame:
        """One row for each parameter."""
        columns: dict[str, Any] = {n: getattr(self, n) for n in ("values", "uncertainties", "pulls", "constraints")}
        for name in ("mu_postfit", "mu_prefit", "z_postfit", "z_prefit"):
            columns |= {f"{name}_{side}": getattr(self, name)[:, n] for n, side in enumerate(("down", "up"))}
        return data_frame(columns | {"held": self.held}, index=self.names, name="parameter")

    def to_dict(self) -> dict[str, Any]:
        """All of it but the correlations, for JSON; NaN where there is no number."""
        rows = self.to_dataframe().to_dict(orient="index")
        groups = {name: {"mu": mu, "z": z} for name, (mu, z) in self.groups.items()}
        whole = ("dataset", "mu_hat", "mu_uncertainty", "significance", "refits")
        return {name: getattr(self, name) for name in whole} | {"parameters": rows, "groups": groups}

    def plot(self, *, most: int = 15, axes: Any = None) -> Any:
        """Draw the largest; see `hepcuts.plotting.impacts`."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.impacts(self, most=most, axes=axes)


def impacts(
    workspace: Given,
    data: Any = None,
    *,
    refits: bool = False,
    groups: Groups | None = None,
    **options: Any,
) -> Impacts:
    """Impacts of all nuisance parameters on the signal strength and on Z.

    Args:
        workspace: a workspace, as `HistFactory.from_workspace` takes it, or a likelihood.
        data: main and auxiliary data, shape (data,); None for the prefit Asimov dataset.
        refits: whether each is to be fitted: eight fits for each parameter.
        groups: name of each group and patterns of the names of its parameters, as in a shell.
        options: of `HistFactory.from_workspace`, such as ``measurement``, ``patches`` and ``point``.

    Raises:
        FitError: a fit did not converge.
        InputError: a wrong number of data, or a pattern that matches nothing.
        UnsupportedModelError: the model has no parameter of interest, or fixes it.

    Example:
        >>> import pyhf
        >>> from hepcuts.histfactory import HistFactory
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> found = impacts(HistFactory(model))
        >>> print(found.mu_postfit.round(2))
        [[ 0.7 -0.7]]
    """
    likelihood = likelihood_of(workspace, **options)
    test = discovery_test(likelihood, data)
    free = np.flatnonzero(test.unconditional_fit.uncertainties > 0)
    chosen = free[free != likelihood.poi]
    prior, widths = _constraints(test.unconditional_fit)
    after, before = test.unconditional_fit.uncertainties[chosen], widths[chosen]
    distances = np.stack([-after, after, -before, before, np.zeros(len(chosen))], axis=1)
    if refits:
        tested = np.asarray(prefit_asimov_data(likelihood) if data is None else likelihood.check_data(data))
        mu, z = _fitted(likelihood, test, tested, chosen, distances)
    else:
        mu, z = _parabolic(likelihood.poi, test, chosen, distances)
    order = np.argsort(-np.nan_to_num(np.abs(mu[:, :2]).max(axis=1, initial=0.0)), kind="stable")
    covariance = test.unconditional_fit.covariance[np.ix_(free, free)]
    roots = np.sqrt(np.diagonal(covariance))
    numbers, names = chosen[order], test.names
    return Impacts(
        test.dataset,
        test.mu_hat,
        test.mu_uncertainty,
        test.significance,
        tuple(names[n] for n in numbers),
        test.best_fit[numbers],
        test.unconditional_fit.uncertainties[numbers],
        prior[numbers],
        widths[numbers],
        mu[order, :2],
        mu[order, 2:4],
        z[order, :2],
        z[order, 2:4],
        z[order, 4],
        _of_groups(likelihood.poi, test, [names[n] for n in chosen], groups),
        covariance / np.outer(roots, roots),
        tuple(names[n] for n in free),
        refits,
    )


def _constraints(fitted: FitResult) -> tuple[FloatArray, FloatArray]:
    """Centers and widths of the constraints of all parameters, NaN without one."""
    found = fitted.nuisance_parameters
    columns = found.names, found.prior, found.prior_uncertainties
    rows = {name: (center, width) for name, center, width in zip(*columns, strict=True)}
    table = np.array([rows.get(name, (np.nan, np.nan)) for name in fitted.names])
    return table[:, 0], table[:, 1]


def _change_of_z(test: SignificanceResult, q0: FloatArray, mu: FloatArray) -> FloatArray:
    """Z of test statistics less that of the test; without an excess it is zero."""
    return np.where(np.isnan(q0), np.nan, np.where(mu > 0, np.sqrt(np.maximum(q0, 0.0)), 0.0)) - test.significance


def _parabolic(poi: int, test: SignificanceResult, chosen: NDArray[Any], distances: FloatArray) -> Any:
    """Changes of mu-hat and Z of each parameter and distance, shape (parameter, distance) each."""
    after, before = test.unconditional_fit.covariance, test.background_only_fit.covariance
    variances = np.diagonal(after)[chosen, None]
    mu = after[chosen, poi, None] / variances * distances
    away = (test.best_fit - test.background_only)[chosen, None] + distances
    q0 = test.q0 + away**2 / np.diagonal(before)[chosen, None] - distances**2 / variances
    return mu, _change_of_z(test, q0, test.mu_hat + mu)


def _fitted(
    likelihood: HistFactory, test: SignificanceResult, data: FloatArray, chosen: NDArray[Any], distances: FloatArray
) -> Any:
    """As `_parabolic`, each by two fits; NaN where one did not converge."""
    structure, lanes = likelihood.structure, distances.shape[1]
    batch = Batch.of(likelihood.templates, data).repeated(lanes)
    mu, q0 = np.full(distances.shape, np.nan), np.full(distances.shape, np.nan)
    for row, number in enumerate(chosen):
        fixed = np.array(structure.fixed)
        fixed[number] = True
        held = dataclasses.replace(structure, fixed=fixed)
        ends = []
        for start, fix_poi in ((test.best_fit, False), (test.background_only, True)):
            starts = np.repeat(start[:, None], lanes, axis=1)
            starts[number] = test.best_fit[number] + np.nan_to_num(distances[row])
            ends.append(search(held, batch, starts, fix_poi=fix_poi))
        known = (ends[0].status == CONVERGED) & (ends[1].status == CONVERGED) & np.isfinite(distances[row])
        mu[row] = np.where(known, ends[0].parameters[likelihood.poi] - test.mu_hat, np.nan)
        q0[row] = np.where(known, ends[1].value - ends[0].value, np.nan)
    return mu, _change_of_z(test, q0, test.mu_hat + mu)


def _of_groups(
    poi: int, test: SignificanceResult, names: Sequence[str], groups: Groups | None
) -> dict[str, tuple[float, float]]:
    """What holding each group does to the uncertainty of mu and to Z."""
    found = {}
    after, before = test.unconditional_fit.covariance, test.background_only_fit.covariance
    for group, members in grouped(names, groups).items():
        index = np.array([test.names.index(name) for name in members])
        square, across = np.ix_(index, index), after[index, poi]
        away = (test.best_fit - test.background_only)[index]
        part = math.sqrt(max(float(across @ np.linalg.solve(after[square], across)), 0.0))
        q0 = np.array(test.q0 + away @ np.linalg.solve(before[square], away))
        found[group] = part, float(_change_of_z(test, q0, np.array(test.mu_hat)))
    return found
