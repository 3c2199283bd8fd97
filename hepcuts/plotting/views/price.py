"""What a figure of the price of decisions asks of it."""

from typing import Protocol

from hepcuts._core.types import FloatArray


class PriceView(Protocol):
    """The price of wrong decisions in bins of a variable."""

    @property
    def edges(self) -> FloatArray:
        """Of the bins, shape (bin + 1,)."""

    @property
    def signal(self) -> FloatArray:
        """Expected signal, shape (bin,)."""

    @property
    def background(self) -> FloatArray:
        """Expected background, shape (bin,)."""

    @property
    def price(self) -> FloatArray:
        """Of wrong decisions, in expected events, shape (bin,)."""

    @property
    def threshold(self) -> float:
        """The best cut."""

    @property
    def posterior_threshold(self) -> float:
        """The same as a cut on a calibrated posterior."""

    @property
    def half(self) -> float:
        """The cut of BCE; infinite if there is none."""

    @property
    def variable(self) -> str:
        """Name of the variable."""
