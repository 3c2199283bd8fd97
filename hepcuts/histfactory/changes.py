"""Changes of a likelihood that an analysis may hope for: yields, simulation, constraints."""

from typing import NamedTuple

import equinox as eqx
import numpy as np

from hepcuts._core.types import FloatArray

from .likelihood import HistFactory
from .structure import LikelihoodTemplates


class Change(NamedTuple):
    """How a likelihood is changed; ones change nothing.

    Attributes:
        yields: factors of the expected events of each sample, at all variations; their relative uncertainties stay,
            shape (sample,).
        simulated: factors of the number of simulated events of each sample: relative uncertainties of its staterror and
            shapesys are divided by the root, shape (sample,).
        widths: factors of the widths of constraints that do not follow the simulation, shape (parameter,).
    """

    yields: FloatArray
    simulated: FloatArray
    widths: FloatArray

    @classmethod
    def none(cls, likelihood: HistFactory) -> "Change":
        """No change, to be replaced in part."""
        samples, parameters = len(likelihood.templates.nominal), len(likelihood.structure.init)
        return cls(np.ones(samples), np.ones(samples), np.ones(parameters))


def changed(likelihood: HistFactory, change: Change) -> HistFactory:
    """The likelihood with a change.

    Example:
        >>> import numpy as np, pyhf
        >>> from hepcuts.histfactory import HistFactory, discovery_significance
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> likelihood = HistFactory(model)
        >>> twice = Change.none(likelihood)._replace(simulated=np.array([2.0, 2.0]))
        >>> print(round(float(discovery_significance(changed(likelihood, twice))), 3))
        1.111
    """
    structure = likelihood.structure
    widths = change.widths
    result: HistFactory = eqx.tree_at(
        lambda held: (held.structure.normal_sigma, held.structure.poisson_factor, held.templates),
        likelihood,
        (
            structure.normal_sigma * widths[structure.normal_parameter],
            structure.poisson_factor / widths[structure.poisson_parameter] ** 2,
            _changed_templates(likelihood.templates, change),
        ),
    )
    return result


def _changed_templates(templates: LikelihoodTemplates, change: Change) -> LikelihoodTemplates:
    yields = change.yields[:, None]
    relative = yields / np.sqrt(change.simulated)[:, None]
    return LikelihoodTemplates(
        templates.nominal * yields,
        templates.histosys_up * yields,
        templates.histosys_down * yields,
        templates.normsys_up,
        templates.normsys_down,
        templates.staterror * relative,
        templates.shapesys * relative,
    )
