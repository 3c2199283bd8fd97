"""Yields of each sample before and after cuts, with what the finite simulation leaves uncertain of them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hepcuts._core.decimals import measured
from hepcuts._core.tables import SummaryTable
from hepcuts.cuts import Selection
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Templates


@dataclasses.dataclass(frozen=True)
class SampleYield:
    """A sample before and after the cuts of a region; uncertainties are those of finite simulation.

    Attributes:
        region: the channel's name.
        sample: the sample's name.
        signal: whether it is a signal.
        before: expected events before any cut.
        before_uncertainty: its uncertainty.
        after: expected events after the cuts, in all bins of the fit.
        after_uncertainty: its uncertainty.
        outside: expected events that pass the cuts but lie outside the axis of the fit.
        efficiency: `after` over `before`; NaN where that is zero.
        efficiency_uncertainty: its uncertainty; events that pass and those that fail fluctuate independently.
        events_before: simulated events before any cut, those of weight zero left out; None of a histogram.
        events: simulated events that pass the cuts, likewise.
        effective_events: what `after` rests on, (sum w)^2 / sum w^2.
    """

    region: str
    sample: str
    signal: bool
    before: float
    before_uncertainty: float
    after: float
    after_uncertainty: float
    outside: float
    efficiency: float
    efficiency_uncertainty: float
    events_before: int | None
    events: int | None
    effective_events: float


def passing(sample: Sample | Histogram, selection: Selection | None) -> int | None:
    """Simulated events that count, and pass all cuts; None if only a histogram of them is at hand."""
    if isinstance(sample, Histogram):
        return None
    passed = sample.weights != 0
    if selection is not None:
        passed &= selection.mask(sample.columns, missing=sample.missing)
    return int(np.count_nonzero(passed))


def sample_yields(
    samples: Sequence[Sample | Histogram], selection: Selection, templates: Templates
) -> list[SampleYield]:
    """Yields of all samples in one region.

    Args:
        samples: the samples.
        selection: cuts of the region, with their thresholds.
        templates: what `hepcuts.fill` makes of both.

    Example:
        >>> import hepcuts as hc
        >>> samples, cuts = hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Selection([hc.Cut("x", ">", 28.0)])
        >>> signal, background = sample_yields(samples, cuts, hc.fill(samples, cuts))
        >>> f"{background.efficiency:.4f} +- {background.efficiency_uncertainty:.4f}"
        '0.0607 +- 0.0024'
    """
    nominal, variance = np.asarray(templates.nominal).sum(axis=1), np.asarray(templates.variance).sum(axis=1)
    effective = nominal**2 / np.where(variance > 0, variance, np.inf)
    found = []
    for number, sample in enumerate(samples):
        squares, kept = sample.simulated[1], float(variance[number])
        total = sample.total or np.nan  # of no yield there is no fraction
        efficiency = float(nominal[number]) / total
        spread = (1.0 - efficiency) ** 2 * kept + efficiency**2 * max(squares - kept, 0.0)
        found.append(
            SampleYield(
                region=templates.structure.channel,
                sample=sample.name,
                signal=sample.signal,
                before=sample.total,
                before_uncertainty=squares**0.5,
                after=float(nominal[number]),
                after_uncertainty=kept**0.5,
                outside=float(templates.outside[number]),
                efficiency=efficiency,
                efficiency_uncertainty=spread**0.5 / abs(total),
                events_before=passing(sample, None),
                events=passing(sample, selection),
                effective_events=float(effective[number]),
            )
        )
    return found


def yields_table(yields: Sequence[SampleYield], title: str) -> SummaryTable:
    """The yields as they are printed."""
    several = len({row.region for row in yields}) > 1
    rows = [
        (
            *((row.region,) if several else ()),
            row.sample,
            measured(row.before, row.before_uncertainty),
            measured(row.after, row.after_uncertainty),
            f"({measured(100 * row.efficiency, 100 * row.efficiency_uncertainty)}) %",
            "" if row.events is None else str(row.events),
            f"{row.effective_events:.1f}",
        )
        for row in yields
    ]
    head = ("sample", "before", "after", "efficiency", "simulated", "effective")
    align = "l" * several + "l" + "r" * (len(head) - 1)
    return SummaryTable(title, rows, head=(*(("region",) if several else ()), *head), align=align)
