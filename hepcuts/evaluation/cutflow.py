"""The cutflow: what each cut of a selection leaves, one after the other."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hepcuts._core.decimals import measured
from hepcuts._core.errors import EmptySelectionError, HepcutsError, InputError
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.samples.histogram import Histogram, are_histograms, check_any
from hepcuts.samples.sample import Sample
from hepcuts.templates.binned import binned_templates
from hepcuts.templates.filling import fill, structure_of
from hepcuts.templates.pruning import Dropped, check_fraction, pruned_channels
from hepcuts.templates.templates import Templates

from .yields import passing

_ALL = "all events"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Cutflow(Tabular):
    """What is left after each cut. Cutflows of parts of the events add to that of all.

    Attributes:
        steps: what each row is after: ``"all events"``, then the cuts in their order.
        templates: of each step; None where no event is left.
        events: simulated events that are left, shape (step, sample); NaN of histograms.
        objective: the figure of merit of each step.
        prune: the fraction below which systematics have no part in that; see `hepcuts.templates.pruning`.
    """

    steps: tuple[str, ...]
    templates: tuple[Templates | None, ...]
    events: FloatArray
    objective: Given = "profile"
    prune: float | None = None

    def __add__(self, other: "Cutflow") -> "Cutflow":
        if not isinstance(other, Cutflow):
            return NotImplemented
        if self.steps != other.steps:
            raise InputError(f"Cutflows of {self.steps} and {other.steps} do not add; expected the same cuts.")
        both = zip(self.templates, other.templates, strict=True)
        added = [a if b is None else b if a is None else a + b for a, b in both]
        return Cutflow(self.steps, tuple(added), self.events + other.events, self.objective, self.prune)

    @functools.cached_property
    def _first(self) -> Templates:
        found = self.templates[0]
        if found is None:
            raise EmptySelectionError("There are no events.")
        return found

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the samples."""
        return self._first.samples

    @functools.cached_property
    def yields(self) -> FloatArray:
        """Expected events, shape (step, sample)."""
        return self._sums("nominal")

    @functools.cached_property
    def uncertainties(self) -> FloatArray:
        """Uncertainties of the yields from finite simulation, shape (step, sample)."""
        return np.sqrt(self._sums("variance"))

    def _sums(self, what: str) -> FloatArray:
        zeros = np.zeros(len(self.samples))
        rows = [zeros if one is None else np.asarray(getattr(one, what)).sum(axis=1) for one in self.templates]
        return np.array(rows)

    @property
    def efficiencies(self) -> FloatArray:
        """Yields over those of all events, shape (step, sample)."""
        found: FloatArray = self.yields / self.yields[0]
        return found

    @property
    def step_efficiencies(self) -> FloatArray:
        """Yields over those of the step before, shape (step, sample); 1 at first."""
        before = np.concatenate([self.yields[:1], self.yields[:-1]])
        found: FloatArray = np.divide(self.yields, before, out=np.full_like(before, np.nan), where=before != 0)
        return found

    @functools.cached_property
    def values(self) -> FloatArray:
        """The figure of merit after each step, shape (step,); NaN where there is none."""
        figure, first = figure_of_merit(self.objective), self._first
        if not isinstance(figure, AbstractTemplateFigure):
            raise InputError(f"{figure.name} is of events, not of yields; a cutflow shows figures of merit of yields.")
        signal = np.array([component.signal for component in first.structure.components])
        totals = float(self.yields[0][signal].sum()), float(self.yields[0][~signal].sum())
        found = []
        for templates in self.templates:
            try:
                kept, _ = pruned_channels([] if templates is None else [templates], self.prune)
                found.append(figure.of_templates(kept, totals) if kept else np.nan)
            except HepcutsError:
                found.append(np.nan)  # negative yields, or no background: what a cutflow shows without a number
        return np.array(found, dtype=np.float64)

    @property
    def pruned(self) -> tuple[Dropped, ...]:
        """Systematics that have no part in the figure of merit after all cuts."""
        return pruned_channels([one for one in self.templates[-1:] if one is not None], self.prune)[1]

    def overview(self) -> SummaryTable:
        """See `Tabular.overview`: yields and efficiencies."""
        return self._table(())

    def summary(self) -> SummaryTable:
        """With the figure of merit of each step."""
        name = figure_of_merit(self.objective).name
        name = "Z" if name == "profile" else name
        table = self._table([name, *("" if np.isnan(value) else f"{value:.4g}" for value in self.values)])
        return dataclasses.replace(table, foot=[f"pruned after all cuts: {one}" for one in self.pruned])

    def _table(self, values: Sequence[str]) -> SummaryTable:
        head = ["cut", *(f"{name}{what}" for name in self.samples for what in ("", " eff.", " events"))]
        rows = []
        for step, text in enumerate(self.steps):
            cells = [text]
            for number in range(len(self.samples)):
                cells.append(measured(self.yields[step, number], self.uncertainties[step, number]))
                cells.append(f"{self.efficiencies[step, number]:.2%}")
                cells.append("" if np.isnan(self.events[step, number]) else f"{self.events[step, number]:.0f}")
            rows.append(cells)
        # The figure of merit stands beside the cut: with many samples the end of a row is far away.
        for line, value in zip([head, *rows], values, strict=bool(values)):
            line.insert(1, value)
        return SummaryTable("Cutflow", rows, head=head)

    def to_dataframe(self) -> DataFrame:
        """One row for each step and sample."""
        return data_frame(
            [
                {
                    "cut": text,
                    "sample": name,
                    "yield": self.yields[step, number],
                    "uncertainty": self.uncertainties[step, number],
                    "efficiency": self.efficiencies[step, number],
                    "step_efficiency": self.step_efficiencies[step, number],
                    "events": None if np.isnan(self.events[step, number]) else int(self.events[step, number]),
                    figure_of_merit(self.objective).name: self.values[step],
                }
                for step, text in enumerate(self.steps)
                for number, name in enumerate(self.samples)
            ]
        )


def cutflow(
    samples: Iterable[Sample | Histogram],
    selection: Selection | AbstractCut,
    *,
    objective: Given = "profile",
    axis: Any = None,
    prune: float | None = None,
) -> Cutflow:
    """What each cut leaves, one after the other, in the order of the selection.

    Args:
        samples: at least one signal and one background; events, or `hepcuts.Histogram` of one variable.
        selection: cuts with their thresholds; of histograms one cut at an edge of their bins.
        objective: figure of merit of each step.
        axis: as in `hepcuts.fill`.
        prune: systematics that change a sample by less than this fraction in each bin after a step have no part in its
            figure of merit; None for none.

    Raises:
        InputError: a threshold is not set, or a fraction to prune below that is none.
        SampleError: see `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> flow = hc.cutflow(hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Cut("x", ">", 20.0))
        >>> flow
        Cutflow
          cut             signal  signal eff.  signal events    background  background eff.  background events
          all events  1000 +- 32      100.00%           1000  10000 +- 100          100.00%              10000
          x > 20      1000 +- 32      100.00%           1000    1309 +- 36           13.09%               1309
        >>> flow.values.round(2)
        array([ 6.9 , 16.73])
    """
    check_fraction(prune)
    samples = check_any(samples)
    cuts = selection.cuts if isinstance(selection, Selection) else (selection,)
    parts = [None, *(Selection(cuts[:number]) for number in range(1, len(cuts) + 1))]
    templates = tuple(_filled(samples, part, axis) for part in parts)
    events = np.array([[passing(sample, part) for sample in samples] for part in parts], dtype=np.float64)
    return Cutflow((_ALL, *map(str, cuts)), templates, events, objective, prune)


def _filled(samples: Any, part: Selection | None, axis: Any) -> Templates | None:
    """Templates of what is left, or None. All bins of histograms are counted in one, as after a cut."""
    if part is None and axis is None and are_histograms(samples):
        return binned_templates(samples, None, structure_of(samples, axis=None, channel="signal_region"))
    try:
        return fill(samples, part, axis=axis)
    except EmptySelectionError:
        return None
