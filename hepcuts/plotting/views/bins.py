"""What figures of bins and categories ask of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.samples.sample import Sample


class ChoiceView(Protocol):
    """The best edges of one number of bins or categories."""

    @property
    def value(self) -> float:
        """The figure of merit, on the events that chose the edges."""

    @property
    def held_out_value(self) -> float:
        """The same on events that did not; NaN without folds."""


class DividedView(Protocol):
    """Samples that are divided into bins or categories."""

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples."""

    @property
    def selection(self) -> Selection | None:
        """Which of their events, or None for all."""

    @property
    def label(self) -> str:
        """Label of the figure of merit, in mathtext."""


class BinningView(ChoiceView, Protocol):
    """The best bins of one number of them."""

    @property
    def num_bins(self) -> int:
        """Number of bins."""

    @property
    def significance(self) -> float:
        """Discovery significance of the shape fit."""

    @property
    def held_out_significance(self) -> float:
        """The same on events that did not choose the edges; NaN without folds."""


class BinsView(DividedView, Protocol):
    """The best bins of one variable."""

    @property
    def variable(self) -> str:
        """The column."""

    @property
    def edges(self) -> FloatArray:
        """Shape (bin + 1,)."""

    @property
    def num_bins(self) -> int:
        """Number of bins that was chosen."""

    @property
    def value(self) -> float:
        """The figure of merit of all bins."""

    @property
    def bin_values(self) -> FloatArray:
        """That of each bin, shape (bin,)."""

    @property
    def candidates(self) -> Sequence[BinningView]:
        """The best bins of each number of them."""


class CategorizationView(ChoiceView, Protocol):
    """The best categories of one number of them."""

    @property
    def num_categories(self) -> int:
        """Number of categories."""


class CategoriesView(CategorizationView, DividedView, Protocol):
    """The best categories along one or more discriminants."""

    @property
    def edges(self) -> Mapping[str, FloatArray]:
        """Discriminant to the edges of its bins, shape (bin + 1,)."""

    @property
    def kind(self) -> str:
        """How several discriminants make categories: ``"grid"`` or ``"argmax"``."""

    @property
    def signal(self) -> FloatArray:
        """Expected signal, shape (category,)."""

    @property
    def background(self) -> FloatArray:
        """Expected background, shape (category,)."""

    @property
    def candidates(self) -> Sequence[CategorizationView]:
        """The best categories of each number of them."""

    def numbers(self, columns: Any, *, missing: float | None = None) -> Any:
        """Category of each event, shape (event,); -1 where it has none."""
