"""Closed forms: figures of merit that are formulas of signal, background and its uncertainty."""

import abc
import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.precision import namespace
from hepcuts._core.types import FloatArray
from hepcuts.histfactory import significance_of
from hepcuts.templates.templates import Structure, Templates, Yields

from . import counting
from .conditions import Condition
from .counts import Counts, Totals
from .figures import AbstractRegionFigure
from .gains import Gain
from .rows import Rows, in_parts
from .stationarity import AbstractStationarity, StationarityOfYields

_LANES = 1024
"""Rows at which Z_Bi is evaluated at once: JAX compiles for each shape anew. Chosen by hand."""


@dataclasses.dataclass(frozen=True)
class AbstractCountFigure(AbstractRegionFigure):
    """Interface of the figures of merit that are functions of signal, background and its uncertainty in each bin."""

    @abc.abstractmethod
    def of_counts(self, counts: Counts) -> Any:
        """The value of counts of NumPy or JAX, the shape of their leading axes; NaN where there is none."""

    def value(self, yields: Yields, structure: Structure, totals: Totals) -> Any:
        """See `AbstractRegionFigure.value`."""
        return self.of_counts(Counts.of(yields, structure, totals))

    def of_rows(self, rows: Rows) -> FloatArray:
        """See `AbstractRegionFigure.of_rows`."""
        return in_parts(self.of_counts, rows)

    def dependence(self, references: Sequence[Templates]) -> Hashable | None:  # noqa: ARG002
        """See `AbstractTemplateFigure.dependence`; on nothing."""
        return ()


@dataclasses.dataclass(frozen=True)
class ClosedForm(AbstractCountFigure):
    """A formula for one bin; of several bins, independent experiments, the squares add.

    A bin without any event adds nothing, and neither does one whose formula is negative although signal is expected
    in it. In quadrature the uncertainty of the background is that of each bin, taken as independent between bins.

    Attributes:
        formula: of signal and background, of NumPy or JAX and of any common shape; and of the background's uncertainty
            (one standard deviation) if `uncertain`.
        uncertain: whether it takes the uncertainty of the background.
        of_bin: what a bin adds to the square, see `AbstractFigureOfMerit.gain`.
        condition: the ratio of densities that it asks for, see `hepcuts.merit.conditions`; None to find it from slopes.
        proven: whether it is monotone, see `AbstractFigureOfMerit.monotone`.
    """

    formula: Callable[..., Any] = dataclasses.field(kw_only=True)
    uncertain: bool = dataclasses.field(default=False, kw_only=True)
    of_bin: Gain | None = dataclasses.field(default=None, kw_only=True)
    condition: Condition | None = dataclasses.field(default=None, kw_only=True)
    proven: bool = dataclasses.field(default=False, kw_only=True)

    def of_counts(self, counts: Counts) -> Any:
        """See `AbstractCountFigure.of_counts`."""
        given = (counts.signal, counts.background, *((counts.sigma,) if self.uncertain else ()))
        if counts.signal.shape[-1] == 1:
            return self.formula(*(table[..., 0] for table in given))
        xp = namespace(*given)
        s, b, *sigma = given
        empty = (s == 0) & (b == 0)
        values = self.formula(s, xp.where(empty, 1.0, b), *sigma)
        nothing = empty | ((values < 0) & (s >= 0))
        return significance_of((xp.where(nothing, 0.0, values) ** 2).sum(-1))

    def monotone(self, structure: Structure) -> "ClosedForm | None":  # noqa: ARG002
        """See `AbstractFigureOfMerit.monotone`."""
        return self if self.proven else None

    @property
    def gain(self) -> Gain | None:
        """See `AbstractFigureOfMerit.gain`."""
        return self.of_bin

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`."""
        return StationarityOfYields(self.value, self.sign, self.condition)


@dataclasses.dataclass(frozen=True)
class Punzi(AbstractCountFigure):
    """Punzi's figure of merit for a signal of unknown yield, efficiency / (a/2 + sqrt(B)), of the bins' sum.

    Attributes:
        a: number of standard deviations of the claim.

    Example:
        >>> Punzi(a=3.0).name
        'punzi'
    """

    name: str = "punzi"
    label: str = r"Punzi $\epsilon_S/(a/2+\sqrt{B})$"
    a: float = dataclasses.field(default=5.0, kw_only=True)

    def of_counts(self, counts: Counts) -> Any:
        """See `AbstractCountFigure.of_counts`."""
        s, b = counts.passed
        return counting.punzi(fraction(s, counts.all_signal), b, self.a)

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`; from slopes in JAX."""
        return StationarityOfYields(self.value, self.sign)


@dataclasses.dataclass(frozen=True)
class CountingFigure(AbstractCountFigure):
    """An exact number of one count over a known background, of the bins' sum.

    Attributes:
        formula: of signal and background, of NumPy or JAX and of any common shape.
    """

    formula: Callable[..., Any] = dataclasses.field(kw_only=True)

    @property
    def exact(self) -> bool:
        """See `AbstractFigureOfMerit.exact`."""
        return True

    @property
    def expensive(self) -> bool:
        """See `AbstractFigureOfMerit.expensive`: a sum over some hundred counts."""
        return True

    def of_counts(self, counts: Counts) -> Any:
        """See `AbstractCountFigure.of_counts`."""
        return self.formula(*counts.passed)

    def reason(self, rows: Rows, position: int) -> str:
        """See `AbstractFigureOfMerit.reason`."""
        most = max(rows.background[position], rows.signal[position] + rows.background[position])
        if most > counting.MOST_COUNTS:
            return f"{most:.3g} events are expected, too many to sum over all counts: take the closed form 'asimov'"
        return rows.reason(position)


def fraction(part: Any, whole: Any) -> Any:
    """A part of a total; NaN where that is zero, as in replicas of few events."""
    xp = namespace(part, whole)
    return part / xp.where(whole == 0, xp.nan, whole)


def z_bi(s: Any, b: Any, sigma: Any) -> Any:
    """Z_Bi of the Asimov counts: on = S + B, the background known as from tau = B / sigma^2 times as many events."""
    xp = namespace(s, b, sigma)
    variance = sigma**2
    # No event expected at all has a p-value of 1: minus infinity, which nothing can be compared with.
    good = (b > 0) & (variance > 0) & (s + b > 0)
    if xp is np:
        return _z_bi_of_many(np.asarray(s), np.asarray(b), np.asarray(variance), good)
    s, b, variance = (xp.where(good, value, 1.0) for value in (s, b, variance))
    tau = b / variance
    return xp.where(good, counting.binomial_significance(s + b, tau * b, tau), xp.nan)


def _z_bi_of_many(s: FloatArray, b: FloatArray, variance: FloatArray, good: Any) -> FloatArray:
    values = np.full(np.shape(good), np.nan)
    on, off, tau = (s + b)[good], b[good] ** 2 / variance[good], b[good] / variance[good]
    found = np.empty(len(tau))
    for first in range(0, len(tau), _LANES):
        part = slice(first, first + _LANES)
        # The last part is filled up.
        filled = (np.resize(a[part], _LANES) for a in (on, off, tau))
        found[part] = counting.binomial_significance(*filled)[: len(tau[part])]
    values[good] = found
    return values
