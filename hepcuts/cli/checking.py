"""What a configuration reads, and what looks suspicious in it: told before any search."""

from collections.abc import Iterator, Sequence

import numpy as np

from hepcuts._core.columns import is_missing
from hepcuts._core.tables import SummaryTable
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample

from .configuration import Configuration

_FEW = 100.0
"""Effective events before any cut below which there is little to search in."""
_OTHER_UNIT = 100.0
"""Ratio of typical values of two samples above which one is hardly in the same unit as the other."""
_LARGE = 0.5
"""Relative effect of a systematic before any cut that is rarely meant."""


def yields(samples: Sequence[Sample | Histogram]) -> SummaryTable:
    """Events and expected yield of each sample, before any cut."""
    rows = []
    for sample in samples:
        simulated, squares = sample.simulated
        total = sample.total
        effective = total**2 / squares
        negative = (simulated - total) / (2.0 * simulated)
        kind = "signal" if sample.signal else "background"
        rows.append(
            (
                sample.name,
                kind,
                f"{len(sample)} bins" if isinstance(sample, Histogram) else str(np.count_nonzero(sample.weights)),
                f"{effective:.0f}",
                f"{negative:.1%}",
                f"{total:.5g} +- {squares**0.5:.2g}",
            )
        )
    head = ("sample", "", "events", "effective", "negative", "expected")
    return SummaryTable("Samples, before any cut", rows, head=head, align="llrrrr")


def ranges(configuration: Configuration) -> SummaryTable:
    """Where the events of each variable are."""
    rows = []
    for column in configuration.selection.columns:
        for sample in _of_events(configuration):
            values = _values(sample, column)
            absent = 1.0 - len(values) / len(sample)
            low, middle, high = np.quantile(values, [0.0, 0.5, 1.0]) if len(values) else (np.nan,) * 3
            rows.append((column, sample.name, f"{low:.4g}", f"{middle:.4g}", f"{high:.4g}", f"{absent:.1%}"))
    head = ("variable", "sample", "lowest", "median", "highest", "missing")
    return SummaryTable("Variables", rows, head=head, align="llrrrr")


def suspicions(configuration: Configuration) -> Iterator[str]:
    """What may be a mistake, each as a sentence."""
    samples = _of_events(configuration)
    for sample in samples:
        yield from _of_weights(sample)
        yield from _of_systematics(sample)
    for cut in configuration.selection.cuts if samples else ():
        values = [_values(sample, cut.variable) for sample in samples]
        everything = np.concatenate(values)
        if len(everything):
            yield from _outside(cut, float(everything.min()), float(everything.max()))
        typical = {s.name: float(np.median(np.abs(v))) for s, v in zip(samples, values, strict=True) if len(v)}
        low, high = min(typical, key=typical.__getitem__), max(typical, key=typical.__getitem__)
        if typical[low] > 0 and typical[high] > _OTHER_UNIT * typical[low]:
            yield (
                f"{cut.variable}: typically {typical[high]:.3g} in {high!r} and {typical[low]:.3g} in {low!r}; are "
                "they in the same unit (MeV, GeV)?"
            )


def _of_events(configuration: Configuration) -> list[Sample]:
    """The samples that are no histograms."""
    return [sample for sample in configuration.samples if isinstance(sample, Sample)]


def _outside(cut: AbstractCut, low: float, high: float) -> Iterator[str]:
    """Thresholds that no search would find, since no event is near them."""
    where = f"all events, which lie from {low:.4g} to {high:.4g}; is it in the same unit?"
    for threshold in cut.thresholds:
        if threshold is not None and not low <= threshold <= high:
            yield f"{cut.variable}: the threshold {threshold:g} lies outside of {where}"
    if cut.bounds is not None and (cut.bounds[1] < low or cut.bounds[0] > high):
        yield f"{cut.variable}: the bounds {cut.bounds} lie outside of {where}"


def _values(sample: Sample, column: str) -> FloatArray:
    """Values of the nominal events that have one."""
    values = sample.column(column)
    found: FloatArray = values[~is_missing(values, sample.missing) & (sample.weights != 0)]
    return found


def _of_weights(sample: Sample) -> Iterator[str]:
    _, squares = sample.simulated
    if sample.total <= 0:
        yield f"sample {sample.name!r}: the expected yield is {sample.total:.4g}, not above zero"
    elif sample.total**2 / squares < _FEW:
        yield f"sample {sample.name!r}: only {sample.total**2 / squares:.0f} effective events before any cut"


def _of_systematics(sample: Sample) -> Iterator[str]:
    for modifier in sample.modifiers:
        for side, variation in getattr(modifier, "sides", {}).items():
            change = float(np.sum(sample.varied(variation)[1])) / sample.total - 1.0
            if abs(change) > _LARGE:
                yield (
                    f"sample {sample.name!r}, {modifier.name} {side}: changes the yield before any cut by "
                    f"{change:+.0%}; are its weights those of the nominal events, and its files normalized alike?"
                )
