"""What the search for the best bins found, and how far it can be trusted."""

import dataclasses
from typing import Any

import hist
import numpy as np

from hepcuts._core.tables import DataFrame, SummaryTable, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.samples.signals import together
from hepcuts.templates.filling import fill, without_outside_warnings
from hepcuts.templates.templates import Templates

from .quoted import AbstractQuoted


@dataclasses.dataclass(frozen=True, eq=False)
class Binning:
    """Bins of one number of them. All significances are in standard deviations.

    Attributes:
        num_bins: number of bins.
        edges: shape (bin + 1,).
        value: the metric, summed over bins in quadrature, on the events that chose the edges: on average too good.
        held_out_value: the metric on events that chose neither the edges nor the ratio of signal to background of each
            bin (`hepcuts.merit.gains`), negative where they contradict; NaN without folds.
        held_out_uncertainty: standard error of the difference of the *squared* `held_out_value` to the best one.
        significance: discovery significance of the shape fit with all systematics, on all events; NaN if it has none.
        held_out_significance: the same on events that chose neither the edges nor the templates from which the fit is
            continued to them (`hepcuts.binning.fits.held_out_significance`); NaN without folds.
    """

    num_bins: int
    edges: FloatArray
    value: float
    held_out_value: float
    held_out_uncertainty: float
    significance: float
    held_out_significance: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BinningResult(AbstractQuoted):
    """The best bin edges of one variable.

    Attributes:
        variable: the column.
        metric: name of the figure of merit that was summed over bins.
        label: its label for figures, in mathtext.
        best: the bins.
        start: the bins before their edges were moved to increase the profile likelihood's significance: the global
            optimum of the sum over bins. The same as `best` if that was not done, or was no gain.
        candidates: the best bins for each number of them, before any edge was moved.
        signal: expected signal, shape (bin,).
        background: expected background, shape (bin,).
        effective_background: effective number of simulated background events, shape (bin,).
        bin_values: the metric of each bin, shape (bin,).
        fine_edges: the edges among which those of the bins were chosen, shape (fine + 1,).
        guard: what each bin had to satisfy, in words.
        message: how the bins were chosen and what to keep in mind.
        selection: which of their events, or None for all.
    """

    variable: str
    metric: str
    label: str
    best: Binning
    start: Binning
    candidates: tuple[Binning, ...]
    signal: FloatArray
    background: FloatArray
    effective_background: FloatArray
    bin_values: FloatArray
    fine_edges: FloatArray
    guard: str
    message: str
    selection: Selection | None

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins, shape (bin + 1,)."""
        return self.best.edges

    @property
    def num_bins(self) -> int:
        """Number of bins."""
        return self.best.num_bins

    @property
    def value(self) -> float:
        """The metric, see `Binning`."""
        return self.best.value

    @property
    def significance(self) -> float:
        """Discovery significance of the shape fit on all events, see `Binning`."""
        return self.best.significance

    @property
    def axis(self) -> Any:
        """The axis to fill, as in ``hepcuts.fill(samples, selection, axis=result.axis)``."""
        return hist.axis.Variable(self.edges, name=self.variable)

    @property
    def templates(self) -> Templates:
        """The samples in the bins."""
        return without_outside_warnings(fill)(self.samples, self.selection, axis=self.axis)

    def to_dataframe(self) -> DataFrame:
        """One row for each number of bins: values on the events that chose and on others."""
        fields = [f.name for f in dataclasses.fields(Binning) if f.name != "edges"]
        return data_frame({name: [getattr(one, name) for one in self.candidates] for name in fields})

    def bins(self) -> DataFrame:
        """One row for each bin: edges, yields, metric, effective simulated background events."""
        return data_frame(
            {
                "low": self.edges[:-1],
                "high": self.edges[1:],
                "signal": self.signal,
                "background": self.background,
                "effective_background": self.effective_background,
                self.metric: self.bin_values,
            }
        )

    def plot(self, axes: Any = None) -> Any:
        """Draw the bins (`hepcuts.plotting.binning`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.binning(self, axes=axes)

    def overview(self) -> SummaryTable:
        """What was found, and how."""
        found = self.best
        rows = [
            ("edges", ", ".join(f"{edge:.5g}" for edge in self.edges)),
            ("significance", f"{found.significance:.4f} (shape fit, all systematics)"),
            (f"{self.metric} in quadrature", f"{found.value:.4f}"),
            ("effective background", ", ".join(f"{n:.0f}" for n in self.effective_background) + " events"),
            ("guard", self.guard),
            *(("signals", signals) for signals in [together(self.samples)] if signals),
            ("choice", self.message),
        ]
        if np.isfinite(found.held_out_value):
            rows[1] = rows[1][0], f"{rows[1][1]}; cross-validated {found.held_out_significance:.4f}"
            rows[2] = rows[2][0], f"{rows[2][1]}; cross-validated {found.held_out_value:.4f}"
        return SummaryTable(self._title(), rows)

    def _title(self) -> str:
        return f"{self.num_bins} bin{'' if self.num_bins == 1 else 's'} of {self.variable}"
