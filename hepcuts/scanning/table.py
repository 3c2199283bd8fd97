"""The table of a scan: yields after each threshold, and what figures of merit are worth there."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.types import FloatArray
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractCurve, AbstractFigureOfMerit, AbstractTemplateFigure
from hepcuts.merit.rows import Rows
from hepcuts.templates.templates import Structure, Yields


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Yields after each threshold; a row is a threshold, or the two edges of a window.

    Attributes:
        thresholds: shape (row,), or (row, 2) for a window.
        rows: the yields.
        curves: name to the values along the cut, of figures of merit of the single events.
    """

    thresholds: FloatArray
    rows: Rows
    curves: Mapping[str, AbstractCurve] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        thresholds: FloatArray,
        structure: Structure,
        yields_at: Callable[[Any], Yields],
        totals: Totals,
        curves: Mapping[str, AbstractCurve] | None = None,
    ) -> "Table":
        """Sum up the yields of all rows.

        Args:
            thresholds: shape (row,) or (row, 2).
            structure: samples and variations.
            yields_at: positions of rows -> their yields, see `hepcuts.merit.rows.Rows`.
            totals: expected signal and background before the cut.
            curves: as the attribute.
        """
        return cls(thresholds, Rows.of(structure, yields_at, len(thresholds), totals), curves or {})

    def take(self, rows: Any) -> "Table":
        """Some of the rows."""
        return dataclasses.replace(self, thresholds=self.thresholds[rows], rows=self.rows.take(rows))

    def values(self, figure: AbstractFigureOfMerit) -> FloatArray:
        """A figure of merit in all rows, shape (row,); NaN where it has no value."""
        curve = self.curves.get(figure.name)
        return figure.values([self.rows]) if curve is None else curve.values(self.thresholds)

    def around_optimum(
        self, figure: AbstractFigureOfMerit, allowed: NDArray[np.bool_], options: "Refinement"
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Values of all rows if they are not too many, else of those around the best, NaN elsewhere.

        Coarse rounds lead to finer ones around every local maximum of the coarse one that may hide the best: of all
        rows, and of those allowed.

        Args:
            figure: of the templates.
            allowed: rows whose value may be trusted, shape (row,).
            options: how many rows are evaluated.

        Returns:
            Values, and where they were evaluated, each of shape (row,).
        """
        size = len(self.thresholds)
        few = size <= options.everywhere or self.thresholds.ndim > 1
        if few or not isinstance(figure, AbstractTemplateFigure) or not self.rows.have_likelihood.any():
            return self.values(figure), np.ones(size, dtype=bool)
        of_rows = figure.prepared([self.rows.take(np.flatnonzero(self.rows.have_likelihood)).reference])
        values, evaluated = np.full(size, np.nan), np.zeros(size, dtype=bool)

        def evaluate(positions: NDArray[np.int64]) -> None:
            wanted = positions[~evaluated[positions]]
            evaluated[wanted] = True
            values[wanted] = of_rows([self.rows.take(wanted)])

        everywhere, spacing = np.arange(size), size // options.batch
        evaluate(everywhere[::spacing])
        while spacing > 1 and np.any(np.isfinite(values)):
            finer = max(1, spacing // options.finer)
            gains = figure.sign * values
            for peak in {*_peaks(gains, spacing), *_peaks(np.where(allowed, gains, np.nan), spacing)}:
                evaluate(everywhere[max(0, peak - 2 * spacing) : peak + 2 * spacing + 1 : finer])
            spacing = finer
        return values, evaluated


@dataclasses.dataclass(frozen=True)
class Refinement:
    """How a figure of merit that takes a fit is evaluated at many thresholds. All numbers are chosen by hand.

    Attributes:
        everywhere: up to so many thresholds it is evaluated at all of them, beyond that around its optimum.
        batch: thresholds of the first round.
        finer: by how much the spacing shrinks in each round.
    """

    everywhere: int = 2048
    batch: int = 256
    finer: int = 8


def _peaks(values: FloatArray, spacing: int) -> list[int]:
    """The best rows that were evaluated, apart from each other: the highest, and what a fluctuation may hide."""
    positions = np.flatnonzero(np.isfinite(values))
    found = values[positions]
    # Between neighbors a value may rise by as much as it changes from row to row, a few times over.
    roughness = 3.0 * float(np.median(np.abs(np.diff(found)))) if len(found) > 1 else 0.0
    peaks: list[int] = []
    for position in positions[np.argsort(-found)]:
        if values[position] < found.max() - roughness or len(peaks) == 5:
            break
        if all(abs(int(position) - peak) > 2 * spacing for peak in peaks):
            peaks.append(int(position))
    return peaks
