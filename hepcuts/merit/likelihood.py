"""Figures of merit that the HistFactory likelihood of all regions gives on its prefit Asimov dataset."""

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import FitError, YieldError
from hepcuts._core.identity import digest
from hepcuts._core.types import FloatArray
from hepcuts.histfactory import HistFactory, LikelihoodTemplates
from hepcuts.histfactory.abundance import too_many
from hepcuts.histfactory.structure import LikelihoodStructure
from hepcuts.samples.modifiers import Lumi, Modifier, NormSys, ShapeSys
from hepcuts.templates.templates import Structure, Templates
from hepcuts.templates.workspace import likelihood_of

from .binding import TemplateMapper
from .closed_forms import ClosedForm
from .counts import Totals
from .figures import AbstractTemplateFigure, OfRows, OfYields
from .functions import side_by_side
from .rows import Rows

NO_SIGNIFICANCE = 1e-5
"""Standard deviations that are rounding: the square root of differences of twice the NLL of about 1e-10."""
WITHOUT_SIGNIFICANCE = (
    "the expected significance is 0 wherever the cuts are, since the background can be fitted to all that is seen. "
    "Mostly a background's normalization is free and nothing but the signal region measures it: give its control "
    "region (regions=hepcuts.Region(...)), an axis to tell it from the signal, or its uncertainty (hepcuts.NormSys) in "
    "place of the free normalization"
)


@dataclasses.dataclass(frozen=True)
class LikelihoodFigure(AbstractTemplateFigure):
    """A number that the likelihood gives.

    Attributes:
        statistic: of a likelihood and its templates, differentiable in the latter, such as
            `hepcuts.discovery_significance`.
        many: the same of many template sets side by side, without JAX, if there is such a function; NaN where a fit
            failed.
        significance: whether it is the discovery significance.
        of_structure: the same of a likelihood's structure and its templates, if it asks for nothing else, and not for
            the templates, data and widths of the model as built. What was compiled for the templates of some events
            then serves for those of others.
        of_one_background: the formula that it equals in one bin with one background that nothing but its finite
            simulation, with its Poisson constraint, makes uncertain; None if there is none.
    """

    statistic: Callable[[HistFactory, LikelihoodTemplates], Any] = dataclasses.field(kw_only=True)
    many: Callable[[HistFactory, LikelihoodTemplates], FloatArray] | None = dataclasses.field(
        default=None, kw_only=True
    )
    significance: bool = dataclasses.field(default=False, kw_only=True)
    of_structure: Callable[[LikelihoodStructure, LikelihoodTemplates], Any] | None = dataclasses.field(
        default=None, kw_only=True
    )
    of_one_background: ClosedForm | None = dataclasses.field(default=None, kw_only=True)

    @property
    def expensive(self) -> bool:
        """See `AbstractFigureOfMerit.expensive`."""
        return True

    @property
    def is_significance(self) -> bool:
        """See `AbstractFigureOfMerit.is_significance`."""
        return self.significance

    def monotone(self, structure: Structure) -> AbstractTemplateFigure | None:
        """See `AbstractFigureOfMerit.monotone`: in one bin whose uncertainties all move the backgrounds alike."""
        backgrounds = [component for component in structure.components if not component.signal]
        poisson = all(background.staterror != "gaussian" for background in backgrounds)
        if self.of_one_background is None or structure.num_bins > 1 or not poisson:
            return None
        if len(backgrounds) == 1 and not backgrounds[0].modifiers:
            return self.of_one_background
        return self if move_alike([background.modifiers for background in backgrounds]) else None

    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """See `AbstractTemplateFigure.of_yields`."""
        likelihood, mapper = _bound(references)
        of_structure = self.of_structure
        if of_structure is None:
            return lambda yields, _: self.statistic(likelihood, mapper(yields))
        # What is compiled outlives this search: it holds no model of pyhf's.
        structure = likelihood.structure.of_all_templates()
        return lambda yields, _: of_structure(structure, mapper(yields))

    def dependence(self, references: Sequence[Templates]) -> Hashable | None:
        """See `AbstractTemplateFigure.dependence`; on the likelihood's structure and normsys factors."""
        if self.of_structure is None:
            return None
        likelihood = likelihood_of(references)
        structure, own = likelihood.structure.of_all_templates(), likelihood.templates
        return digest(structure, own.normsys_up, own.normsys_down)

    def prepared(self, references: Sequence[Templates]) -> OfRows:
        """See `AbstractTemplateFigure.prepared`.

        Raises:
            YieldError: a reference has no likelihood.
        """
        likelihood, mapper = _bound(references)
        many = self.many
        compiled = None if many else side_by_side(lambda yields: self.statistic(likelihood, mapper(yields)))

        def of_rows(regions: Sequence[Rows]) -> FloatArray:
            values = np.full(len(regions[0]), np.nan)
            fitted = np.flatnonzero(np.all([rows.have_likelihood for rows in regions], axis=0))
            for part in regions[0].take(fitted).chunks():
                at = fitted[part]
                yields = [rows.yields_at(at) for rows in regions]
                values[at] = compiled(yields) if compiled else many(likelihood, mapper(yields)) if many else np.nan
            return np.where(np.isfinite(values), values, np.nan)

        return of_rows

    def reason(self, rows: Rows, position: int) -> str:
        """See `AbstractFigureOfMerit.reason`."""
        if not rows.have_likelihood[position]:
            return rows.reason(position)
        signal, background = (part[position] for part in rows.bins)
        return too_many(float(np.max(signal + background))) or "no fit converged, or there is no signal"

    def values(self, regions: Sequence[Rows]) -> FloatArray:
        """See `AbstractFigureOfMerit.values`."""
        possible = np.flatnonzero(np.all([rows.have_likelihood for rows in regions], axis=0))
        values = np.full(len(regions[0]), np.nan)
        if len(possible):
            some = [rows.take(possible) for rows in regions]
            values[possible] = self.prepared([rows.reference for rows in some])(some)
        return values

    def of_templates(self, templates: Sequence[Templates], totals: Totals) -> float:  # noqa: ARG002
        """See `AbstractTemplateFigure.of_templates`."""
        try:
            likelihood = likelihood_of(templates)
            return float(self.statistic(likelihood, likelihood.templates))
        except (FitError, YieldError):
            return float("nan")


def move_alike(modifiers: Sequence[Sequence[Modifier]]) -> bool:
    """Whether each systematic scales all backgrounds that have it, and either raises or lowers all of them.

    Args:
        modifiers: those of each background.

    Example:
        >>> import hepcuts as hc
        >>> move_alike([[hc.NormSys("xsec", 1.1, 0.9)], [hc.NormSys("xsec", 1.2, 0.8), hc.Lumi(0.02)]])
        True
        >>> move_alike([[hc.NormSys("migration", 1.1, 0.9)], [hc.NormSys("migration", 0.8, 1.2)]])
        False
    """
    every = [modifier for some in modifiers for modifier in some]
    if not all(isinstance(modifier, NormSys | Lumi | ShapeSys) for modifier in every):
        return False
    scales = [(m.name, m.up > 1 > m.down, m.down > 1 > m.up) for m in every if isinstance(m, NormSys)]
    ways = {name: {(up, down) for other, up, down in scales if other == name} for name, _, _ in scales}
    return len(modifiers) == 1 or all(len(way) == 1 and (False, False) not in way for way in ways.values())


def _bound(references: Sequence[Templates]) -> tuple[HistFactory, TemplateMapper]:
    """The likelihood of some templates, and the way from yields to its templates."""
    likelihood = likelihood_of(references)
    return likelihood, TemplateMapper(likelihood, [reference.structure for reference in references])
