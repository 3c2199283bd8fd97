"""Figures of merit of known densities alone."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Templates

from . import conditions
from .figures import AbstractFigureOfMerit, Part
from .rows import Rows
from .stationarity import AbstractStationarity, Truth, residual_of


@dataclasses.dataclass(frozen=True)
class FigureOfTruth(AbstractFigureOfMerit):
    """A figure of merit of known densities alone, of which only the theory knows the value.

    Attributes:
        truth: its value and where it is stationary.
    """

    truth: AbstractStationarity = dataclasses.field(kw_only=True)

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`."""
        return self.truth

    def values(self, regions: Sequence[Rows]) -> FloatArray:  # noqa: ARG002
        """It has none of events.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.name!r} is known of densities only (hepcuts.theory), not of events.")

    def hard(self, samples: Sequence[Sample], templates: Sequence[Templates], selection: Any) -> float:  # noqa: ARG002
        """As `values`."""
        return float(self.values(())[0])

    def pooled(self, parts: Sequence[Part]) -> float:  # noqa: ARG002
        """As `values`."""
        return float(self.values(())[0])


@dataclasses.dataclass(frozen=True)
class AsimovGaussian(AbstractStationarity):
    """Asimov significance if the background has a Gaussian constraint, as that of HistFactory's ``staterror``."""

    def value(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        s, b = problem.yields(c)
        k, _ = problem.variance(c)
        good = b > 0
        b = np.where(good, b, 1.0)
        v = conditions.gaussian_excess(s / b, k)
        # (1 + v) ln(1 + v) - v without cancellation.
        kernel = v * np.log1p(v) - conditions.log1p_deficit(v)
        return np.where(good, np.sqrt(2.0 * b * ((1.0 + k * v) * kernel + (k * v) * v / 2.0)), np.nan)

    def residual(self, problem: Truth, c: Any) -> FloatArray:
        """See `AbstractStationarity`."""
        return residual_of(conditions.asimov_gaussian, problem, c)
