"""What is certified of cuts: `hepcuts.optimization.certify`."""

import dataclasses
from typing import Any

import numpy as np

from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts.cuts import Selection


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificate(Tabular):
    """The best cuts that were found, and what no cuts exceed.

    Attributes:
        thresholds: variable to hard threshold, or to a pair for a window.
        selection: the best cuts that were found.
        objective: name of the figure of merit.
        label: its label for figures, in mathtext.
        value: of the best cuts that were found, on these events.
        bound: no cuts of these variables have a larger value on these events.
        given: value of the cuts that were given with all their thresholds; NaN if they were not.
        given_allowed: whether those keep the effective number of simulated background events that is asked for.
        boxes: number of boxes of thresholds that were looked at.
        cuts: number of cuts that differ in any event, all thresholds combined.
        message: what is certified, in words.
    """

    thresholds: dict[str, Any]
    selection: Selection
    objective: str
    label: str
    value: float
    bound: float
    given: float
    given_allowed: bool
    boxes: int
    cuts: float
    message: str

    @property
    def gap(self) -> float:
        """By how much cuts that were not found may be better than those that were; 0 if none are."""
        return self.bound - self.value

    def overview(self) -> SummaryTable:
        """The cuts, their value, and what is certified."""
        rows = [("best cuts", str(self.selection)), (self.objective, f"{self.value:.6g}")]
        rows.append(("none above", f"{self.bound:.6g} (gap {self.gap:.2g})"))
        if np.isfinite(self.given):
            guard = "" if self.given_allowed else ", with too few simulated background events"
            rows.append(("given cuts", f"{self.given:.6g} ({self.given / self.bound:.2%} of the bound{guard})"))
        rows.append(("looked at", f"{self.boxes} boxes for {self.cuts:.3g} different cuts"))
        return SummaryTable("Certified cuts", rows, foot=[self.message])
