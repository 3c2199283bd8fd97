"""What a figure of a scan asks of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample


class MeritView(Protocol):
    """A figure of merit."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def label(self) -> str:
        """For figures, in mathtext."""

    @property
    def sign(self) -> int:
        """+1 if larger is better, -1 for a loss."""


class YieldsView(Protocol):
    """Expected events after the cut at each threshold, each of shape (threshold,)."""

    @property
    def signal(self) -> FloatArray:
        """Expected signal."""

    @property
    def background(self) -> FloatArray:
        """Expected background."""

    @property
    def sigma_background(self) -> FloatArray:
        """Uncertainty of the background."""

    @property
    def effective_background(self) -> FloatArray:
        """Effective number of simulated background events."""


class OptimumView(Protocol):
    """The best threshold of one figure of merit. Ranges are pairs (low, high); of a window a pair for either edge."""

    @property
    def threshold(self) -> Any:
        """The best threshold; of a window its two edges."""

    @property
    def value(self) -> float:
        """The figure of merit there."""

    @property
    def interval(self) -> Any:
        """Central 68 % of the best thresholds of replicas; NaN if there are none."""

    @property
    def effective_background(self) -> float:
        """Effective number of simulated background events after the cut."""

    @property
    def message(self) -> str:
        """What to keep in mind."""


class ScanView(Protocol):
    """Figures of merit at all thresholds of one cut."""

    @property
    def cut(self) -> AbstractCut:
        """The cut that was scanned."""

    @property
    def samples(self) -> Sequence[Sample | Histogram]:
        """The samples, events or histograms."""

    @property
    def thresholds(self) -> FloatArray:
        """Shape (threshold,), ascending; of a window (threshold, 2)."""

    @property
    def metrics(self) -> Mapping[str, MeritView]:
        """The figures of merit by name."""

    @property
    def values(self) -> Mapping[str, FloatArray]:
        """Name to values, each of shape (threshold,); NaN where there is none."""

    @property
    def evaluated(self) -> Mapping[str, Any]:
        """Name to where it was evaluated at all, each of shape (threshold,)."""

    @property
    def table(self) -> YieldsView:
        """Expected events after the cut."""

    @property
    def signal_efficiency(self) -> FloatArray:
        """Fraction of the signal after the cut, shape (threshold,)."""

    @property
    def background_efficiency(self) -> FloatArray:
        """Fraction of the background after the cut, shape (threshold,)."""

    @property
    def purity(self) -> FloatArray:
        """S / (S + B) after the cut, shape (threshold,)."""

    def optimum(self, name: str, /) -> OptimumView:
        """The best threshold of a figure of merit; an `InputError` if it is unknown or has no value."""

    def allowed(self, name: str, /) -> NDArray[np.bool_]:
        """Where the optimum of a figure of merit may lie, shape (threshold,)."""

    def reason(self, name: str, position: int, /) -> str:
        """Why there is no value at a threshold, "" where there is one."""
