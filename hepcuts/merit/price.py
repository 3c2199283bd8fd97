"""What a wrong decision costs along a variable: where the accuracy of a classifier matters, and where it does not."""

import dataclasses
from typing import Any

import numpy as np

from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class PriceOfDecisions:
    """The price of wrong decisions, `|p - p*| (s + b)`, in bins of a variable, such as a score.

    If background counts `kappa` times, an event with the posterior `p = s / (s + b)` belongs into the selection where
    `p` is above `p* = kappa / (1 + kappa)`. To decide wrongly of a bin costs `|s - kappa b|` signal events, which is
    `(1 + kappa)` times the price. It is zero at the threshold, where a decision does not matter; it is large where many
    events lie on one side, but there hardly any classifier is wrong.

    Attributes:
        edges: of the bins, ascending, shape (bin + 1,).
        signal: expected signal in each, shape (bin,).
        background: expected background in each, shape (bin,).
        background_weight: what an accepted background event costs in units of a missed signal event, positive.
        threshold: the best cut on the variable, for the figure.
        half: the cut of BCE, where `p` is 1/2; infinite if there is none.
        variable: its name.

    Raises:
        InputError: other shapes, edges that do not ascend, or a weight that is not positive.

    Example:
        >>> price = PriceOfDecisions([0, 1, 2, 3], [1, 4, 5], [19, 12, 1], background_weight=1 / 3, threshold=1.0)
        >>> print(price.posterior.round(2), price.posterior_threshold, price.price.round(2))
        [0.05 0.25 0.83] 0.25 [4.  0.  3.5]
    """

    edges: FloatArray
    signal: FloatArray
    background: FloatArray
    background_weight: float
    threshold: float
    half: float = float("inf")
    variable: str = "x"

    def __post_init__(self) -> None:
        for name in ("edges", "signal", "background"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        checks.positive("background_weight", self.background_weight)
        size = len(self.edges) - 1
        if size < 1 or not np.all(np.diff(self.edges) > 0):
            raise InputError(f"The edges are {self.edges}; expected two or more numbers in ascending order.")
        if not self.signal.shape == self.background.shape == (size,):
            raise InputError(
                f"Signal and background have shapes {self.signal.shape} and {self.background.shape}; expected one "
                f"number for each of {size} bins."
            )

    @property
    def posterior_threshold(self) -> float:
        """Where the posterior is cut."""
        return self.background_weight / (1.0 + self.background_weight)

    @property
    def posterior(self) -> FloatArray:
        """Probability of signal in each bin, shape (bin,); NaN without events."""
        total = self.signal + self.background
        return np.divide(self.signal, total, out=np.full_like(total, np.nan), where=total > 0)

    @property
    def price(self) -> FloatArray:
        """`|p - p*| (s + b)` in expected events, shape (bin,)."""
        price: FloatArray = np.abs(self.signal - self.background_weight * self.background)
        return price / (1.0 + self.background_weight)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw it; see `hepcuts.plotting.price`."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.price(self, ax=ax)
