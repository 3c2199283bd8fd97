"""What figures of impacts and of prices ask of them."""

from collections.abc import Sequence
from typing import Protocol

from hepcuts._core.types import FloatArray


class ImpactsView(Protocol):
    """Pulls of parameters and their impacts on the signal strength, the largest first."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters, shape (parameter,)."""

    @property
    def pulls(self) -> FloatArray:
        """In widths of the constraints, shape (parameter,); NaN without one."""

    @property
    def constraints(self) -> FloatArray:
        """Uncertainty after over that before the fit, shape (parameter,); NaN without a constraint."""

    @property
    def mu_postfit(self) -> FloatArray:
        """Change of mu-hat by one standard deviation after the fit downwards and upwards, shape (parameter, 2)."""

    @property
    def mu_prefit(self) -> FloatArray:
        """Likewise before the fit, shape (parameter, 2)."""


class OnePriceView(Protocol):
    """One price."""

    @property
    def label(self) -> str:
        """What it is of."""

    @property
    def change(self) -> str:
        """The step."""

    @property
    def gain(self) -> float:
        """In Z."""

    @property
    def kind(self) -> str:
        """Of what kind it is."""


class PriceListView(Protocol):
    """Gains in Z, the largest first."""

    @property
    def significance(self) -> float:
        """Z as it is."""

    @property
    def prices(self) -> Sequence[OnePriceView]:
        """All of them."""
