"""The profile likelihood as a metric of a scan: many thresholds fitted side by side."""

import dataclasses
from typing import Any

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.histfactory import HistFactory, significances
from hepcuts.merit.binding import TemplateMapper
from hepcuts.templates.templates import Templates, Yields
from hepcuts.templates.workspace import workspace

from .metrics import AbstractMetric, Table, chunks_of
from .optima import guarded

_BATCH = 256
"""Rows of one round around the optimum of many."""
_EVERYWHERE = 2048
"""Up to so many thresholds the profile likelihood is evaluated at all of them, beyond that around its optimum."""


@dataclasses.dataclass(frozen=True)
class ProfileSignificance(AbstractMetric):
    """Discovery significance of the HistFactory likelihood on its Asimov dataset, all systematics included."""

    def __call__(self, table: Table) -> FloatArray:
        """See `AbstractMetric.__call__`."""
        return _Fits(table).at(np.arange(len(table.thresholds)))

    def around_optimum(self, table: Table, min_background: float = 0.0) -> tuple[FloatArray, Any]:
        """Values of all rows if they are not too many, else of those around the best, NaN elsewhere.

        Coarse rounds lead to finer ones around every local maximum of the coarse one that may hide the best: of all
        rows, and of those with so much effective background.

        Returns:
            Values, and where they were evaluated, each of shape (row,).
        """
        fits, size = _Fits(table), len(table.thresholds)
        values, evaluated = np.full(size, np.nan), np.zeros(size, dtype=bool)

        def evaluate(positions: Any) -> None:
            wanted = positions[~evaluated[positions]]
            evaluated[wanted] = True
            values[wanted] = fits.at(wanted)

        everywhere = np.arange(size)
        out = ~guarded(self, table, min_background)
        spacing = 1 if size <= _EVERYWHERE or table.thresholds.ndim > 1 else size // _BATCH
        evaluate(everywhere[::spacing])
        while spacing > 1 and np.any(np.isfinite(values)):
            finer = max(1, spacing // 8)
            for peak in {*_peaks(values, spacing), *_peaks(np.where(out, np.nan, values), spacing)}:
                evaluate(everywhere[max(0, peak - 2 * spacing) : peak + 2 * spacing + 1 : finer])
            spacing = finer
        return values, evaluated


PROFILE = ProfileSignificance("profile", r"$Z$ (profile likelihood)")


def _peaks(values: FloatArray, spacing: int) -> list[int]:
    """The best rows that were evaluated, apart from each other: the highest, and what a fluctuation may hide."""
    positions = np.flatnonzero(np.isfinite(values))
    found = values[positions]
    # Between neighbors a metric may rise by as much as it changes from row to row, a few times over.
    roughness = 3.0 * float(np.median(np.abs(np.diff(found)))) if len(found) > 1 else 0.0
    peaks: list[int] = []
    for position in positions[np.argsort(-found)]:
        if values[position] < found.max() - roughness or len(peaks) == 5:
            break
        if all(abs(int(position) - peak) > 2 * spacing for peak in peaks):
            peaks.append(int(position))
    return peaks


class _Fits:
    """The likelihood of a table, ready to be fitted at any rows."""

    def __init__(self, table: Table) -> None:
        self._table = table
        signal, background = table.bins
        # A bin with signal but no background has no finite significance; one without either is no matter. What
        # `hepcuts.workspace` refuses has none either: a sample or a bin with a negative yield.
        possible = np.all((background > 0) | ((background == 0) & (signal == 0)), axis=-1) & (table.background > 0)
        self._possible = possible & np.all(table.totals >= 0, axis=-1) & np.all(background + signal >= 0, axis=-1)
        if self._possible.any():
            reference = _reference(table)
            self._likelihood = HistFactory.from_workspace(workspace(reference))
            self._mapper = TemplateMapper(self._likelihood, [reference.structure])

    def at(self, positions: Any) -> FloatArray:
        """Significances of some rows, NaN where there is none, shape (row,)."""
        values = np.full(len(positions), np.nan)
        fitted = np.flatnonzero(self._possible[positions])
        for part in chunks_of(len(fitted), self._table.structure):
            rows = fitted[part]
            values[rows] = significances(self._likelihood, self._mapper([self._table.yields_at(positions[rows])]))
        return values


def _reference(table: Table) -> Templates:
    """Templates of which every yield is positive that is positive behind any threshold: pyhf builds the model of them.

    Not the templates before the cut: where negative weights cancel there, they may not do so behind it.
    """
    structure = table.structure
    shape = (len(structure.variations), len(structure.components), structure.num_bins)
    values, variances = np.zeros(shape), np.zeros(shape)
    for part in chunks_of(len(table.thresholds), structure):
        yields = table.yields_at(part)
        values = np.maximum(values, np.asarray(yields.values).max(axis=0))
        variances = np.maximum(variances, np.asarray(yields.variances).max(axis=0))
    return Templates(structure, Yields(values, variances), np.zeros(len(structure.components)))
