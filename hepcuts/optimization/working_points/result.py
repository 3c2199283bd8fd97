"""Working points, what they are worth on which events, and the cuts between them."""

import dataclasses
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.optimization.history import History
from hepcuts.templates.simulated import FEW_EVENTS

from .hard import Efficiencies, HardSelections


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class WorkingPoints(Tabular):
    """Cuts for several signal efficiencies.

    Attributes:
        names: names of the thresholds.
        efficiencies: of the signal that were asked for, increasing, shape (point,).
        thresholds: hard, shape (point, threshold). Of a cut that is of no use: just beyond all events.
        selections: the hard selection of each point.
        training: efficiencies on the events that chose the cuts; the background's are on average too good.
        held_out: the same on events that did not, or None if none were held out.
        positions: the thresholds in the coordinates of the search (normal scores), shape (point, threshold).
        smoothness: weight of the curvature.
        success: whether the search converged.
        message: why it stopped.
        num_steps: number of steps.
        history: the steps of the search with soft cuts. Its values are what is minimized: the mean logarithm of the
            background efficiency, with the penalty on the curvature of the thresholds.
        seed: seed of the split, drawn from a generator if one was given.
        cuts: turns positions into hard selections.
    """

    names: tuple[str, ...]
    efficiencies: FloatArray
    thresholds: FloatArray
    selections: tuple[Selection, ...]
    training: Efficiencies
    held_out: Efficiencies | None
    positions: FloatArray
    smoothness: float
    success: bool
    message: str
    num_steps: int
    history: History
    seed: int
    cuts: HardSelections

    def __len__(self) -> int:
        return len(self.efficiencies)

    @property
    def quoted(self) -> Efficiencies:
        """What to quote: efficiencies on the held-out events if there are any, else those of training."""
        return self.training if self.held_out is None else self.held_out

    @property
    def idle(self) -> NDArray[np.bool_]:
        """Whether a threshold is beyond all training events, so that it removes none, shape (point, threshold)."""
        return np.array([self.cuts.idle(position) for position in self.positions])

    def at(self, efficiency: float) -> Selection:
        """The hard selection of any signal efficiency between the first and the last point.

        Thresholds in between are interpolated in the coordinates; where the cuts change their kind those of either
        neighbor can be better. Whatever is taken is moved, as the points are, to the signal efficiency of the training
        events, and has the least of their background.

        Raises:
            InputError: an efficiency beyond the points.
        """
        first, last = self.efficiencies[[0, -1]]
        if not first <= efficiency <= last:
            raise InputError(f"efficiency is {efficiency}; the working points go from {first:g} to {last:g}.")
        right = int(np.searchsorted(self.efficiencies, efficiency))
        if self.efficiencies[right] == efficiency:
            return self.selections[right]
        low, here, high = scipy.special.ndtri([self.efficiencies[right - 1], efficiency, self.efficiencies[right]])
        share = (here - low) / (high - low)
        left_position, right_position = self.positions[right - 1], self.positions[right]
        candidates = ((1.0 - share) * left_position + share * right_position, left_position, right_position)
        shifted = [self.cuts.shifted(position, float(efficiency)) for position in candidates]
        return self.cuts.at(min(shifted, key=self.cuts.background))

    def to_dataframe(self) -> DataFrame:
        """One row for each point: efficiency asked for, thresholds, efficiencies with uncertainties, rejection."""
        table: dict[str, Any] = {"efficiency": self.efficiencies}
        table |= {name: self.thresholds[:, number] for number, name in enumerate(self.names)}
        for prefix, found in (("training", self.training), ("held_out", self.held_out)):
            if found is not None:
                columns = [field.name for field in dataclasses.fields(Efficiencies)]
                for column in (*columns, "rejection", "rejection_uncertainty"):
                    table[f"{prefix}_{column}"] = getattr(found, column)
        return data_frame(table)

    def plot(self, ax: Any = None) -> Any:
        """Draw rejection against efficiency (`hepcuts.plotting.roc`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.roc(self, ax=ax)

    def plot_thresholds(self, ax: Any = None) -> Any:
        """Draw thresholds against efficiency (`hepcuts.plotting.threshold_curves`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.threshold_curves(self, ax=ax)

    def overview(self) -> SummaryTable:
        """What each point is worth, and its cuts."""
        where = "held-out events" if self.held_out is not None else "the events that chose the cuts (none held out)"
        found, rows = self.quoted, []
        for number, selection in enumerate(self.selections):
            signal = f"{found.signal[number]:.4f} +- {found.signal_uncertainty[number]:.4f}"
            background = f"{found.background[number]:.4g} +- {found.background_uncertainty[number]:.2g}"
            rejection = f"{found.rejection[number]:.4g}"
            rows.append((f"{self.efficiencies[number]:g}", signal, background, rejection, str(selection)))
        title = f"{len(self)} working points, measured on {where}"
        head = "efficiency", "measured", "background efficiency", "rejection", "cuts"
        few = self.efficiencies[found.effective_background < FEW_EVENTS]
        note = f"less than {FEW_EVENTS:g} effective simulated events of the weakest background at: "
        foot = [note + ", ".join(f"{efficiency:g}" for efficiency in few)] if len(few) else []
        return SummaryTable(title, rows, head, [*foot, f"search: {self.message}"], "lllll")
