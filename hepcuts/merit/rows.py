"""What figures of merit of yields are given: expected events after one selection, or after many at once.

A *row* is one selection: a threshold, a window, some bins, or a replica of the events after any of them.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.histfactory import equivalent_events
from hepcuts.templates.simulated import Backgrounds, counted, vanished
from hepcuts.templates.templates import Structure, Templates, Yields, effective_events
from hepcuts.templates.uncertainties import background_variance

from .counts import Counts, Totals, background_variance_of_bins, over_bins, over_samples

_NUMBERS = 4_000_000
"""Yields that are held at once; chosen by hand: 64 MB of values and variances."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Yields of NumPy after many selections, summed up once for all figures of merit.

    Attributes:
        structure: samples and variations.
        filled_at: positions of rows -> their values and variances as filled, shape (row, variation, sample, bin).
        bins: expected signal and background, each of shape (row, bin).
        totals: expected events of each sample, shape (row, sample).
        sigma: uncertainty of the background in each bin, from systematics and finite simulation, shape (row, bin).
        effective_background: effective number of simulated events of the weakest background, shape (row,).
        effective_signal: effective number of simulated signal events, shape (row,).
        left: whether any simulated event of each sample is, shape (row, sample).
        all_signal: expected signal before the cuts, a number or shape (row,).
        all_background: expected background before the cuts, a number or shape (row,).
    """

    structure: Structure
    filled_at: Callable[[Any], Yields]
    bins: tuple[FloatArray, FloatArray]
    totals: FloatArray
    sigma: FloatArray
    effective_background: FloatArray
    effective_signal: FloatArray
    left: NDArray[np.bool_]
    all_signal: Any
    all_background: Any

    @classmethod
    def of(cls, structure: Structure, filled_at: Callable[[Any], Yields], size: int, totals: Totals) -> "Rows":
        """Sum up the yields of all rows, some rows at a time.

        Args:
            structure: samples and variations.
            filled_at: as the attribute.
            size: number of rows.
            totals: expected signal and background before the cuts.
        """
        # Copies of views, which would keep the yields of all variations of all parts.
        parts = [
            [column if column.base is None else column.copy() for column in _in_short(structure, filled_at(chunk))]
            for chunk in chunks_of(size, structure)
        ]
        joined = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
        signal, background, by_sample, sigma, weakest, of_signal, left = joined
        return cls(structure, filled_at, (signal, background), by_sample, sigma, weakest, of_signal, left, *totals)

    @classmethod
    def of_yields(cls, structure: Structure, yields: Yields, totals: Totals) -> "Rows":
        """Rows of yields of shape (row, variation, sample, bin) that are all at hand."""
        values, variances = (np.asarray(table, dtype=np.float64) for table in (yields.values, yields.variances))
        return cls.of(structure, lambda at: Yields(values[at], variances[at]), len(values), totals)

    @classmethod
    def of_templates(cls, templates: Templates, totals: Totals) -> "Rows":
        """One row."""
        yields = Yields(*(np.asarray(a)[None] for a in (templates.yields.values, templates.yields.variances)))
        return cls.of_yields(templates.structure, yields, totals)

    def __getstate__(self) -> dict[str, Any]:
        # Without what was derived from it, which would travel twice.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __len__(self) -> int:
        return len(self.effective_background)

    def take(self, rows: Any) -> "Rows":
        """Some of the rows."""
        all_signal, all_background = self._before(rows)
        return dataclasses.replace(
            self,
            filled_at=lambda at: self.filled_at(np.arange(len(self))[rows][at]),
            bins=(self.bins[0][rows], self.bins[1][rows]),
            totals=self.totals[rows],
            sigma=self.sigma[rows],
            effective_background=self.effective_background[rows],
            effective_signal=self.effective_signal[rows],
            left=self.left[rows],
            all_signal=all_signal,
            all_background=all_background,
        )

    def yields_at(self, rows: Any) -> Yields:
        """Yields of some rows in which what has no simulated event left is counted as its sample says."""
        return counted(self.structure, self.filled_at(rows))

    def vanished(self, position: int) -> tuple[str, ...]:
        """In words, each background of which no simulated event is left in a row."""
        return vanished(self.structure, self.left[position])

    @functools.cached_property
    def counts(self) -> list[tuple[slice, Counts]]:
        """What closed forms take, some rows at a time: a processor's cache holds what they make on the way."""
        parts = [slice(first, first + _CACHED) for first in range(0, len(self), _CACHED)]
        return [(part, self._counts(part)) for part in parts]

    def _counts(self, part: slice) -> Counts:
        signal, background, sigma = (table[part] for table in (*self.bins, self.sigma))
        all_signal, all_background = self._before(part)
        return Counts(signal, background, all_signal, all_background, lambda: sigma)

    def _before(self, rows: Any) -> Totals:
        """Totals before the cuts of some of the rows."""
        all_signal, all_background = (
            total[rows] if np.ndim(total) else total for total in (self.all_signal, self.all_background)
        )
        return all_signal, all_background

    @functools.cached_property
    def signal(self) -> FloatArray:
        """Expected signal after the cuts, shape (row,)."""
        total: FloatArray = over_bins(self.bins[0])
        return total

    @functools.cached_property
    def background(self) -> FloatArray:
        """Expected background after the cuts, shape (row,)."""
        total: FloatArray = over_bins(self.bins[1])
        return total

    @functools.cached_property
    def sigma_background(self) -> FloatArray:
        """Uncertainty of the background, summed over bins with their correlations, shape (row,)."""
        if self.sigma.shape[1] == 1:
            return self.sigma[:, 0]
        parts = [background_variance(self.structure, self.yields_at(part)) for part in self.chunks()]
        sigma: FloatArray = np.sqrt(np.concatenate(parts))
        return sigma

    @functools.cached_property
    def all_have_background(self) -> bool:
        """Whether background is expected in every row."""
        return bool(np.all(self.background > 0))

    def where_background(self, values: FloatArray) -> FloatArray:
        """Values of a figure of merit, shape (row,), NaN in rows without background."""
        return values if self.all_have_background else np.where(self.background > 0, values, np.nan)

    @functools.cached_property
    def have_likelihood(self) -> NDArray[np.bool_]:
        """Rows whose likelihood has a finite significance, shape (row,).

        A bin with signal but no background has none; one without either does not matter. What `hepcuts.workspace`
        refuses has none either: a sample or a bin with a negative yield.
        """
        signal, background = self.bins
        good = np.all((background > 0) | ((background == 0) & (signal == 0)), axis=-1) & (self.background > 0)
        found: NDArray[np.bool_] = good & np.all(self.totals >= 0, axis=-1) & np.all(signal + background >= 0, axis=-1)
        return found

    @functools.cached_property
    def reference(self) -> Templates:
        """Templates of which every yield is positive that is positive in any row: pyhf builds the model of them.

        Not the templates before the cut: where negative weights cancel there, they may not do so after it.
        """
        structure = self.structure
        shape = (len(structure.variations), len(structure.components), structure.num_bins)
        values, variances = np.zeros(shape), np.zeros(shape)
        for part in self.chunks():
            yields = self.yields_at(part)
            values = np.maximum(values, np.asarray(yields.values).max(axis=0))
            variances = np.maximum(variances, np.asarray(yields.variances).max(axis=0))
        return Templates(structure, Yields(values, variances), np.zeros(len(structure.components)))

    def expected_events(self, position: int) -> float:
        """Events that a test of a row rests on, see `hepcuts.histfactory.bands.equivalent_events`."""
        signal, background = (table[position] for table in self.bins)
        return equivalent_events(signal + background, signal, background)

    def chunks(self) -> list[slice]:
        """Rows in parts whose yields are held at once."""
        return chunks_of(len(self), self.structure)

    def reason(self, position: int) -> str:
        """Why a figure of merit has no value in a row, in words."""
        s, b = self.signal[position], self.background[position]
        if b == 0:
            return f"no background is left ({s:.4g} signal events expected)"
        if b < 0:
            return f"the background's negative weights outweigh the positive ones (sum {b:.4g})"
        if s + b < 0:
            return f"signal plus background is negative ({s + b:.4g})"
        for component, total in zip(self.structure.components, self.totals[position], strict=True):
            if total < 0:
                return f"sample {component.name!r} has a negative yield ({total:.4g})"
        signal, background = (part[position] for part in self.bins)
        bad = np.flatnonzero((background < 0) | ((background == 0) & (signal != 0)))
        if len(bad):
            return f"no positive background is left in bin {', '.join(map(str, bad))}"
        return "the formula has no value here"


_CACHED = 16384
"""Rows of which a formula is evaluated at once: a processor's cache holds what it makes on the way. Chosen by hand."""


def in_parts(of_counts: Callable[[Counts], Any], rows: Rows) -> FloatArray:
    """A function of counts at all rows, some at a time, shape (row,)."""
    values = np.empty(len(rows))
    with np.errstate(all="ignore"):
        for part, counts in rows.counts:
            values[part] = of_counts(counts)
    return values


def chunks_of(rows: int, structure: Structure) -> list[slice]:
    """So many rows in parts whose yields are held at once."""
    size = max(1, _NUMBERS // (len(structure.variations) * len(structure.components) * structure.num_bins))
    return [slice(first, first + size) for first in range(0, rows, size)]


def _in_short(structure: Structure, filled: Yields) -> tuple[NDArray[Any], ...]:
    """Signal and background by bin, totals by sample, uncertainty and events of the background, and what is left."""
    left, yields = over_bins(np.asarray(filled.variances)[:, 0]) > 0, counted(structure, filled)
    values, variances = np.asarray(yields.values)[:, 0], np.asarray(yields.variances)[:, 0]
    is_signal = np.array([component.signal for component in structure.components])
    signal, background = (over_samples(values, chosen) for chosen in (is_signal, ~is_signal))
    by_sample = over_bins(values)
    effective = Backgrounds.of(structure).weakest(by_sample, over_bins(variances))
    variance = np.asarray(background_variance_of_bins(structure, yields), dtype=np.float64)
    of_signal = effective_events(over_bins(signal), over_bins(over_samples(variances, is_signal)))
    return signal, background, by_sample, np.sqrt(variance), effective, of_signal, left
