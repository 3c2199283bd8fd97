"""What a figure of merit is: the one contract that scans, optimizers, bins, working points and the theory ask.

Which class do I need?

- A function ``f(yields, structure)``, in pure JAX, to be made large: no class at all. Pass the function.
- A formula of signal, background and its uncertainty in one bin: a `hepcuts.merit.closed_forms.ClosedForm`.
- Anything else of the yields of one region: derive from `AbstractYieldFigure`, whose `value` takes any number of
  selections at once.
- A number that the likelihood of all regions gives: a `hepcuts.merit.likelihood.LikelihoodFigure`.
- A loss of decisions, event by event: derive from `hepcuts.merit.losses.AbstractDecisionLoss`.

Any of these is given in place of a name wherever a name is taken. What it can do beside having a value, it says itself:
`AbstractFigureOfMerit.gain` (bins), `AbstractFigureOfMerit.stationarity` (theory), `AbstractFigureOfMerit.expensive`
(scans), and so on. To be sent to another process an object must pickle: its functions are named ones of a module.
"""

import abc
import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Structure, Templates, Yields

from .counts import Totals, totals_of
from .gains import Gain
from .rows import Rows
from .stationarity import AbstractStationarity, StationarityOfYields

OfYields = Callable[[Sequence[Yields], Totals], Any]
"""A function of the yields of each region and of the totals before the cuts: one scalar. Pure JAX."""

OfRows = Callable[[Sequence[Rows]], FloatArray]
"""A function of the rows of each region: values of shape (row,), NaN where there is none. NumPy."""

Part = tuple[Sequence[Sample], Sequence[Templates], Any]
"""Events, their hard templates in each region, and the selection of the first region."""


class AbstractCurve(abc.ABC):
    """What a figure of merit of the single events is worth along one cut."""

    @abc.abstractmethod
    def values(self, thresholds: FloatArray) -> FloatArray:
        """At ascending thresholds, both of shape (threshold,)."""

    @abc.abstractmethod
    def resampled(self, thresholds: FloatArray, factors: Callable[[Any, Any], FloatArray]) -> FloatArray:
        """With other weights.

        Args:
            thresholds: shape (point,).
            factors: numbers of the samples and of the events within them, each of shape (event,), -> by how much their
                weights are multiplied, shape (replica, event).

        Returns:
            Shape (replica, point).
        """


@dataclasses.dataclass(frozen=True)
class AbstractFigureOfMerit(abc.ABC):
    """Interface of the figures of merit.

    Attributes:
        name: by which results know it.
        label: for axes of figures, in mathtext.
        sign: +1 if larger is better, -1 for a loss.
        min_expected: expected background below which it is not to be believed: no optimum is there. With another number
            it is another figure of merit: ``dataclasses.replace(FIGURES["upper_limit"], min_expected=0.0)``.
    """

    name: str
    label: str
    sign: int = 1
    min_expected: float = dataclasses.field(default=0.0, kw_only=True)

    @abc.abstractmethod
    def values(self, regions: Sequence[Rows]) -> FloatArray:
        """Values of many selections at once, shape (row,); NaN where there is none.

        Args:
            regions: the rows of each region, the signal region first.

        Raises:
            InputError: it is no function of the yields of so many regions.
        """

    @abc.abstractmethod
    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:
        """The value at a hard selection; NaN if there is none.

        Args:
            samples: the events.
            templates: their hard templates, one for each region.
            selection: that of the first region.
        """

    @abc.abstractmethod
    def pooled(self, parts: Sequence[Part]) -> float:
        """The value of several parts of the events together, each after a selection of its own.

        Used in cross-validation: the sum of folds is as large as the whole, and does not fluctuate as each fold does.
        """

    def reason(self, rows: Rows, position: int) -> str:
        """Why it has no value in a row, in words."""
        return rows.reason(position)

    def curve(self, samples: Sequence[Sample], cut: AbstractCut) -> AbstractCurve | None:  # noqa: ARG002
        """Its values along one cut if it is a function of the single events; None if of the yields.

        Raises:
            InputError: it has none along such a cut.
        """
        return None

    @property
    def needs_background(self) -> bool:
        """Whether it divides by the background: where a fluctuation has left few events of it, it is best."""
        return True

    @property
    def exact(self) -> bool:
        """Whether it is right for however few expected events: no asymptotic formula."""
        return False

    @property
    def expensive(self) -> bool:
        """Whether a value takes so long (a fit) that a scan of many thresholds evaluates around the optimum only."""
        return False

    @property
    def is_significance(self) -> bool:
        """Whether it is the discovery significance, which results quote beside every other figure of merit."""
        return False

    @property
    def gain(self) -> Gain | None:
        """What a bin adds to its square, if that is a sum over bins: dynamic programming then finds the best bins."""
        return None

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """What it is on known densities, and where it is stationary; None if the theory cannot say."""
        return None


@dataclasses.dataclass(frozen=True)
class AbstractTemplateFigure(AbstractFigureOfMerit):
    """Interface of the figures of merit that are functions of the templates."""

    @abc.abstractmethod
    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """The differentiable figure of merit.

        Args:
            references: templates of the same structures, one for each region, after loose cuts.

        Raises:
            InputError: it does not know what to do with so many regions.
        """

    @abc.abstractmethod
    def prepared(self, references: Sequence[Templates]) -> OfRows:
        """As `values`, with what can be made once for all rows of these structures made now.

        Args:
            references: templates in which every yield is positive that is positive in any row.
        """

    @abc.abstractmethod
    def of_templates(self, templates: Sequence[Templates], totals: Totals) -> float:
        """The value of templates of each region; NaN if there is none."""

    def dependence(self, references: Sequence[Templates]) -> Hashable | None:  # noqa: ARG002
        """What `of_yields` depends on beside the figure's fields and the structures of the references.

        Where it is equal, what was compiled for other references serves again. None if nobody can tell.
        """
        return None

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """See `AbstractFigureOfMerit.hard`."""
        return self.of_templates(templates, totals_of(samples))

    def pooled(self, parts: Sequence[Part]) -> float:
        """See `AbstractFigureOfMerit.pooled`."""
        return self.of_templates(*summed(parts))


def summed(parts: Sequence[Part]) -> tuple[list[Templates], tuple[float, float]]:
    """Templates of each region, and totals before the cuts, of several parts together."""
    _, first, _ = parts[0]
    together = list(first)
    for _, more, _ in parts[1:]:
        together = [one + other for one, other in zip(together, more, strict=True)]
    signal, background = zip(*(totals_of(samples) for samples, _, _ in parts), strict=True)
    return together, (sum(signal), sum(background))


@dataclasses.dataclass(frozen=True)
class AbstractRegionFigure(AbstractTemplateFigure):
    """Interface of the figures of merit that are functions of the yields of one region, for many selections at once."""

    @abc.abstractmethod
    def value(self, yields: Yields, structure: Structure, totals: Totals) -> Any:
        """The value of yields of NumPy or JAX, for many selections at once.

        Args:
            yields: with any axes before those that `Yields` has.
            structure: samples and variations.
            totals: expected signal and background before the cuts, numbers or of the shape of the leading axes.

        Returns:
            The shape of the leading axes; NaN where there is no value.
        """

    @abc.abstractmethod
    def of_rows(self, rows: Rows) -> FloatArray:
        """The value in all rows, shape (row,); anything where no background is left."""

    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """See `AbstractTemplateFigure.of_yields`."""
        structure = only_region(self.name, [reference.structure for reference in references])
        return lambda yields, totals: self.value(yields[0], structure, totals)

    def prepared(self, references: Sequence[Templates]) -> OfRows:  # noqa: ARG002
        """See `AbstractTemplateFigure.prepared`."""
        return self.values

    def values(self, regions: Sequence[Rows]) -> FloatArray:
        """See `AbstractFigureOfMerit.values`; NaN, too, where no background is left."""
        rows: Rows = only_region(self.name, regions)
        return rows.where_background(self.of_rows(rows))

    def of_templates(self, templates: Sequence[Templates], totals: Totals) -> float:
        """See `AbstractTemplateFigure.of_templates`."""
        return float(self.values([Rows.of_templates(one, totals) for one in templates])[0])


@dataclasses.dataclass(frozen=True)
class AbstractYieldFigure(AbstractRegionFigure):
    """Interface for a figure of merit of one's own: nothing but its `value` is asked for."""

    def of_rows(self, rows: Rows) -> FloatArray:
        """See `AbstractRegionFigure.of_rows`."""
        return in_chunks(self.value, rows)

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`; from slopes in JAX."""
        return StationarityOfYields(self.value, self.sign)


def in_chunks(value: Callable[[Yields, Structure, Totals], Any], rows: Rows) -> FloatArray:
    """A function of yields, structure and totals in all rows, some at a time, shape (row,)."""
    found = np.full(len(rows), np.nan)
    for part in rows.chunks():
        some = rows.take(part)
        with np.errstate(all="ignore"):
            found[part] = value(some.yields_at(slice(None)), some.structure, (some.all_signal, some.all_background))
    return found


def only_region(name: str, regions: Sequence[Any]) -> Any:
    """The rows, or the structure, of the only region.

    Raises:
        InputError: there are several.
    """
    if len(regions) > 1:
        names = ", ".join(getattr(region, "structure", region).channel for region in regions)
        raise InputError(
            f"{name!r} is a function of one region; there are {len(regions)}: {names}. "
            "Use 'profile', whose likelihood knows what a control region tells of a background."
        )
    return regions[0]
