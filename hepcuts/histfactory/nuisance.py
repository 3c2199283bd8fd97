"""Pulls and constraints: what a fit learned of the nuisance parameters."""

import dataclasses
from typing import Any

import numpy as np

from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray

from .likelihood import HistFactory
from .minimization import numbers_of

OVER_CONSTRAINED = 1.0 / 3.0
"""Constraint below which a fit claims to know a systematic uncertainty better than is likely: nine times the
information of those who estimated it."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NuisanceParameters(Tabular):
    """The constrained nuisance parameters of a fit, in pyhf's order.

    Attributes:
        names: their names.
        prior: what the auxiliary data say: for a Gaussian constraint the auxiliary value, for a Poisson constraint
            (shapesys) auxiliary count over rate factor, shape (nuisance,).
        prior_uncertainties: widths of the constraints; of a Poisson constraint the Gaussian approximation,
            shape (nuisance,).
        values: best-fit values, shape (nuisance,).
        uncertainties: their standard deviations; zero for fixed parameters, shape (nuisance,).

    Example:
        >>> import pyhf
        >>> from hepcuts.histfactory import fixed_poi_fit
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[5.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> print(fixed_poi_fit(HistFactory(model), [60.0, *model.config.auxdata], poi=0.0).nuisance_parameters)
        nuisance parameter      pull  constraint
        uncorr_bkguncrt[0]      0.71        0.75
    """

    names: tuple[str, ...]
    prior: FloatArray
    prior_uncertainties: FloatArray
    values: FloatArray
    uncertainties: FloatArray

    @classmethod
    def of(
        cls, likelihood: HistFactory, data: Any, parameters: FloatArray, uncertainties: FloatArray
    ) -> "NuisanceParameters":
        """From a fit to data of shape (data,)."""
        structure = likelihood.structure
        terms = numbers_of(structure, likelihood.templates, data)
        auxiliary = np.asarray(data, dtype=np.float64)[len(structure.channel_of_bin) :]
        normal, poisson = np.asarray(structure.normal_parameter), np.asarray(structure.poisson_parameter)
        counts, factor = auxiliary[structure.poisson_data], terms.factor[:, 0]
        index = np.concatenate([normal, poisson])
        prior = np.concatenate([auxiliary[structure.normal_data], counts / factor])
        widths = np.concatenate([terms.sigma[:, 0], np.sqrt(counts) / factor])
        order = np.argsort(index)
        order = order[~terms.void[index[order], 0]]
        chosen = index[order]
        names = likelihood.parameter_names
        return cls(
            tuple(names[i] for i in chosen), prior[order], widths[order], parameters[chosen], uncertainties[chosen]
        )

    @property
    def pulls(self) -> FloatArray:
        """(fitted - prior value) / prior uncertainty, shape (nuisance,)."""
        return (self.values - self.prior) / self.prior_uncertainties

    @property
    def constraints(self) -> FloatArray:
        """Fitted over prior uncertainty: 1 if the data say nothing, shape (nuisance,)."""
        return self.uncertainties / self.prior_uncertainties

    @property
    def over_constrained(self) -> dict[str, float]:
        """Constraints below a third, by parameter, smallest first; without parameters of single bins and fixed ones."""
        found = {
            name: float(constraint)
            for name, constraint in zip(self.names, self.constraints, strict=True)
            if 0.0 < constraint < OVER_CONSTRAINED and not name.endswith("]")
        }
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def to_dataframe(self) -> DataFrame:
        """A table, one row for each nuisance parameter."""
        columns = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "names"}
        columns |= {"pull": self.pulls, "constraint": self.constraints}
        return data_frame(columns, index=self.names, name="parameter")

    def overview(self) -> SummaryTable:
        """Pull and constraint of each."""
        rows = [
            (name, f"{pull:.2f}", f"{constraint:.2f}")
            for name, pull, constraint in zip(self.names, self.pulls, self.constraints, strict=True)
        ]
        return SummaryTable("", rows, ("nuisance parameter", "pull", "constraint"))
