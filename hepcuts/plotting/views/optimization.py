"""What figures of optimizations and working points ask of them."""

from collections.abc import Mapping
from typing import Any, Protocol

from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut

from .scan import MeritView


class HistoryView(Protocol):
    """The steps of an optimization."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the thresholds."""

    @property
    def thresholds(self) -> FloatArray:
        """Shape (step, threshold)."""

    @property
    def values(self) -> FloatArray:
        """The soft objective, shape (step,)."""

    @property
    def stages(self) -> Any:
        """Number of the stage of widths, shape (step,)."""


class OptimizationView(Protocol):
    """An optimization and where it ended."""

    @property
    def history(self) -> HistoryView:
        """Its steps."""

    @property
    def label(self) -> str:
        """Label of the objective, in mathtext."""

    @property
    def hard_thresholds(self) -> Mapping[str, float | None]:
        """Name of each threshold of the history to that of the hard cuts; None if it was given up."""

    @property
    def quoted_value(self) -> float:
        """The objective at the hard cuts that is quoted."""

    @property
    def held_out(self) -> Any:
        """What it is quoted on if it is other events than those that chose the cuts, else None."""


class LandscapeView(Protocol):
    """A soft objective along one threshold."""

    @property
    def cut(self) -> AbstractCut:
        """The cut."""

    @property
    def objective(self) -> MeritView:
        """The objective."""

    @property
    def width(self) -> float:
        """Width of the soft cut."""

    @property
    def thresholds(self) -> FloatArray:
        """Shape (threshold,)."""

    @property
    def values(self) -> FloatArray:
        """Shape (threshold,); NaN where there is none."""

    @property
    def gradients(self) -> FloatArray:
        """Derivative of the values, shape (threshold,)."""


class EfficienciesView(Protocol):
    """Measured efficiencies of working points, each of shape (point,)."""

    @property
    def signal(self) -> FloatArray:
        """Signal efficiency."""

    @property
    def background(self) -> FloatArray:
        """Background efficiency."""

    @property
    def background_uncertainty(self) -> FloatArray:
        """One standard deviation of it."""

    @property
    def rejection(self) -> FloatArray:
        """The inverse of the background efficiency."""

    @property
    def rejection_uncertainty(self) -> FloatArray:
        """One standard deviation of it."""


class WorkingPointsView(Protocol):
    """Cuts for several signal efficiencies."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the thresholds."""

    @property
    def efficiencies(self) -> FloatArray:
        """Signal efficiencies that were asked for, shape (point,)."""

    @property
    def positions(self) -> FloatArray:
        """Thresholds in normal scores, shape (point, threshold)."""

    @property
    def idle(self) -> Any:
        """Whether a threshold is beyond all events, shape (point, threshold)."""

    @property
    def training(self) -> EfficienciesView:
        """On the events that chose the cuts."""

    @property
    def held_out(self) -> EfficienciesView | None:
        """On events that did not, or None."""
