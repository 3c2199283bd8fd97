"""The figures of merit that have a name.

Which one do I need?

- ``"profile"``: the discovery significance of the profile likelihood, with all systematics and finite simulation: the
  number that the analysis will quote. Everything else is for comparison or for speed.
- ``"mu_uncertainty"``, ``"upper_limit"``: the expected uncertainty of the signal strength, and the expected CLs upper
  limit on it, from the same likelihood; both to be made small. What a measurement or an exclusion wants instead.
  The limit is asymptotic, and too good where few events are expected: by default no optimum is where less than five
  background events are.
- ``"asimov"``, ``"asimov_uncertainty"``: closed forms, without and with the uncertainty of the background. Of several
  bins the squares add.
- ``"s_over_sqrt_b"``, ``"s_over_sqrt_s_plus_b"``, ``"s_over_sqrt_b_plus_variance"``: their limits.
- ``"mean_significance"``, ``"mean_upper_limit"``: exact sums over the Poisson counts of one bin with a known
  background, for few expected events; the second is to be made small.
- ``"binomial"``: Z_Bi, exact for a background known from a control region.
- ``"punzi"``: for a signal of unknown yield, the efficiency over a/2 + sqrt(B) with a = 5; another a is given as
  `hepcuts.merit.closed_forms.Punzi`.
- ``"bce"``, ``"bce_balanced"``, ``"squared_error"``: classification losses. What is quoted, of a threshold in a scan
  as of the cuts of an optimizer, is the loss of decisions; an optimizer minimizes that of soft pass weights.
  ``"bce_soft"`` is quoted of soft cuts.
- ``"weighted_bce"``: BCE in which background counts as the Asimov significance without any cut asks; another weight is
  given as `hepcuts.merit.cross_entropy.WeightedCrossEntropy`.
- ``"bce_steep"``, ``"asimov_gaussian"``: of known densities only (`hepcuts.theory`).
- any function ``f(yields, structure)`` of `hepcuts.templates.templates.Yields`, in pure JAX: your own, to be made
  large; or an object, see `hepcuts.merit.figures`.

By one name scans, optimizers, bins, working points, the theory and the study mean the same.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts.histfactory import (
    FEW_EXPECTED,
    discovery_significance,
    expected_mu_uncertainties,
    expected_mu_uncertainty,
    expected_upper_limit,
    expected_upper_limits,
    mu_uncertainty_of_structure,
    significance_of_structure,
    significances,
    upper_limit_of_structure,
)
from hepcuts.templates.templates import Structure, Yields

from . import conditions, counting, gains
from .closed_forms import ClosedForm, CountingFigure, Punzi, z_bi
from .cross_entropy import BinaryCrossEntropy, SoftCrossEntropy, WeightedCrossEntropy
from .figures import AbstractFigureOfMerit
from .functions import FunctionOfYields
from .likelihood import LikelihoodFigure
from .losses import SquaredError
from .stationarity import WrongDistance
from .truth import AsimovGaussian, FigureOfTruth

Given = str | AbstractFigureOfMerit | Callable[[Yields, Structure], Any]
"""A figure of merit as users give it: a name, an object, or a function of yields and structure."""

PROFILE = LikelihoodFigure(
    "profile",
    r"$Z$ (profile likelihood)",
    statistic=discovery_significance,
    many=significances,
    significance=True,
    of_structure=significance_of_structure,
    of_one_background=ClosedForm(
        "profile",
        r"$Z$ (profile likelihood)",
        formula=counting.asimov_significance,
        uncertain=True,
        proven=True,
    ),
)
"""The discovery significance of the profile likelihood."""

_FIGURES: tuple[AbstractFigureOfMerit, ...] = (
    PROFILE,
    LikelihoodFigure(
        "mu_uncertainty",
        r"expected uncertainty of $\mu$",
        -1,
        statistic=expected_mu_uncertainty,
        many=expected_mu_uncertainties,
        of_structure=mu_uncertainty_of_structure,
    ),
    LikelihoodFigure(
        "upper_limit",
        r"expected upper limit on $\mu$",
        -1,
        statistic=expected_upper_limit,
        min_expected=FEW_EXPECTED,
        many=expected_upper_limits,
        of_structure=upper_limit_of_structure,
    ),
    ClosedForm(
        "asimov",
        r"$Z_A$",
        formula=counting.asimov_significance,
        of_bin=gains.ASIMOV,
        condition=conditions.asimov_known,
        proven=True,
    ),
    ClosedForm(
        "asimov_uncertainty",
        r"$Z_A$ with $\sigma_B$",
        formula=counting.asimov_significance,
        uncertain=True,
        of_bin=gains.ASIMOV_UNCERTAINTY,
        condition=conditions.asimov,
        proven=True,
    ),
    ClosedForm(
        "s_over_sqrt_b",
        r"$S/\sqrt{B}$",
        formula=counting.s_over_sqrt_b,
        of_bin=gains.S_OVER_SQRT_B,
        condition=conditions.s_over_sqrt_b,
        proven=True,
    ),
    ClosedForm(
        "s_over_sqrt_s_plus_b",
        r"$S/\sqrt{S+B}$",
        formula=counting.s_over_sqrt_s_plus_b,
        condition=conditions.s_over_sqrt_s_plus_b,
        proven=True,
    ),
    ClosedForm(
        "s_over_sqrt_b_plus_variance",
        r"$S/\sqrt{B+\sigma_B^2}$",
        formula=counting.s_over_sqrt_b_plus_variance,
        uncertain=True,
        of_bin=gains.S_OVER_SQRT_B_PLUS_VARIANCE,
        condition=conditions.s_over_sqrt_b_plus_variance,
        proven=True,
    ),
    CountingFigure("mean_significance", r"mean $Z$ of a count", formula=counting.mean_significance),
    CountingFigure("mean_upper_limit", r"mean upper limit of a count", -1, formula=counting.mean_upper_limit),
    ClosedForm("binomial", r"$Z_\mathrm{Bi}$", formula=z_bi, uncertain=True),
    Punzi(),
    BinaryCrossEntropy("bce", "log loss (BCE)"),
    BinaryCrossEntropy("bce_balanced", "balanced log loss", balanced=True),
    WeightedCrossEntropy(),
    SoftCrossEntropy(),
    SquaredError("squared_error", "squared error"),
    FigureOfTruth("bce_steep", "BCE of a steep sigmoid", -1, truth=WrongDistance()),
    FigureOfTruth("asimov_gaussian", r"$Z_A$ with Gaussian $\sigma_B$", truth=AsimovGaussian()),
)

FIGURES: Mapping[str, AbstractFigureOfMerit] = MappingProxyType({figure.name: figure for figure in _FIGURES})
"""By name."""


def figure_of_merit(given: Given) -> AbstractFigureOfMerit:
    """A figure of merit by its name, an object, or a user's own function of the yields of one region.

    Raises:
        InputError: the name is unknown; the message lists the known ones.

    Example:
        >>> figure_of_merit("profile").label
        '$Z$ (profile likelihood)'
        >>> figure_of_merit(lambda yields, structure: yields.nominal[0, 0]).name
        '<lambda>'
    """
    if isinstance(given, AbstractFigureOfMerit):
        return given
    if callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        return FunctionOfYields(name, name, function=given)
    if given not in FIGURES:
        raise InputError(
            f"There is no figure of merit {given!r}; choose one of {', '.join(FIGURES)}, "
            "or pass an object or a function."
        )
    return FIGURES[given]


def figures_of_merit(given: Iterable[Given]) -> tuple[AbstractFigureOfMerit, ...]:
    """Several, each with a name of its own; one that is given twice counts once.

    Raises:
        InputError: no sequence, nothing, an unknown name, or two different ones of one name.
    """
    if isinstance(given, (str, AbstractFigureOfMerit)) or callable(given):
        what = repr(given) if isinstance(given, str) else figure_of_merit(given).name
        raise InputError(f"metrics are {what}; expected a sequence of figures of merit, such as [{what}].")
    found: dict[str, AbstractFigureOfMerit] = {}
    for figure in map(figure_of_merit, given):
        if found.setdefault(figure.name, figure) != figure:
            raise InputError(f"Two different figures of merit are named {figure.name!r}; give one another name.")
    if not found:
        raise InputError("No metrics were named; choose for example ('bce', 'asimov', 'profile').")
    return tuple(found.values())
