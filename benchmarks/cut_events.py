"""The events that a search for cuts looks at, for all tools but hepcuts: yields, effective events and significance.

One formula, one guard, one set of training events and one range of thresholds for everybody. Every cut is a lower
threshold on a row; a cut that keeps small values, and the upper end of a window, are rows of negative values.
"""

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Array = npt.NDArray[np.float64]

MIN_BACKGROUND = 10.0
"""Effective simulated background events that everybody has to leave: hepcuts' default."""


def significance(s: Any, b: Any, variance: Any) -> Any:
    """Asimov significance of `s` over `b` events that are known with a variance (Cowan et al., with uncertainty)."""
    n = s + b
    inner = n * np.log(n * (b + variance) / (b**2 + n * variance))
    outer = b**2 / variance * np.log1p(variance * s / (b * (b + variance)))
    return np.sqrt(np.maximum(2.0 * (inner - outer), 0.0))


@dataclasses.dataclass(frozen=True)
class CutEvents:
    """Training events.

    Attributes:
        signal: values that must be above a threshold, shape (threshold, event); minus infinity never passes.
        background: likewise.
        signal_weights: shape (event,).
        background_weights: shape (event,).
        relative: standard deviation of the background's normalization, relative.
        finite: whether the finite simulation of the background adds to its uncertainty.
    """

    signal: Array
    background: Array
    signal_weights: Array
    background_weights: Array
    relative: float = 0.1
    finite: bool = False

    @functools.cached_property
    def levels(self) -> Array:
        """Thresholds that a fraction 0, 1/1000, ..., 1 of the signal fails, shape (threshold, level)."""
        rows = [np.quantile(row[np.isfinite(row)], np.linspace(0.0, 1.0, 1001)) for row in self.signal]
        # Nothing of the signal is lost at level 0, where the thresholds are just below its events.
        return np.array([np.concatenate([[np.nextafter(row[0], -np.inf)], row[1:]]) for row in rows])

    @functools.cached_property
    def _sorted(self) -> tuple["_Sorted", "_Sorted"]:
        """Signal and background, sorted by the row in which a cut that loses 30 % of the signal leaves least."""
        at = self.thresholds(np.full(len(self.signal), 0.3))
        left = [self.background_weights[row > t].sum() for row, t in zip(self.background, at, strict=True)]
        first = int(np.argmin(left))
        return (
            _Sorted.of(self.signal, self.signal_weights, first),
            _Sorted.of(self.background, self.background_weights, first),
        )

    def thresholds(self, failing: Any) -> Array:
        """Thresholds from the fraction of the signal that fails each of them, between 0 and 1."""
        steps = np.linspace(0.0, 1.0, self.levels.shape[1])
        return np.array([np.interp(u, steps, row) for u, row in zip(failing, self.levels, strict=True)])

    def yields(self, thresholds: Array) -> tuple[float, float, float]:
        """Signal, background, and the sum of the squared weights of the background."""
        signal, background = (sample.passing(thresholds) for sample in self._sorted)
        return float(signal.sum()), float(background.sum()), float(background @ background)

    def effective_background(self, thresholds: Array) -> float:
        """Effective number of simulated background events."""
        _, b, squares = self.yields(thresholds)
        return b**2 / squares if squares else 0.0

    def significances(self, s: Any, b: Any, squares: Any) -> Any:
        """Significance from yields of any shape; below zero, and the lower the fewer, where the guard forbids it."""
        b, squares = np.maximum(b, 0.0), np.maximum(squares, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = np.where(squares > 0, b**2 / squares, 0.0)
            z = significance(s, b, (self.relative * b) ** 2 + (squares if self.finite else 0.0))
        return np.where(effective >= MIN_BACKGROUND * (1 - 1e-9), z, effective / MIN_BACKGROUND - 1.0)

    def value(self, thresholds: Array) -> float:
        """Significance behind thresholds, or less than zero; see `significances`."""
        return float(self.significances(*self.yields(thresholds)))

    def keeping_background(self, thresholds: Array) -> Array:
        """The thresholds, or looser ones that leave enough background, as `hepcuts.optimize` loosens its own.

        All of them move by one shift of the normal scores of the fractions of signal that fail, the smallest that
        does. Where even the loosest leave too few events, these are returned, and `yields` tells.
        """
        steps = np.linspace(0.0, 1.0, self.levels.shape[1])
        failing = np.array([np.interp(t, row, steps) for t, row in zip(thresholds, self.levels, strict=True)])
        scores = ndtri(np.clip(failing, 1e-6, 1.0 - 1e-6))

        def moved(shift: float) -> Array:
            return np.minimum(thresholds, self.thresholds(ndtr(scores - shift)))

        if self.value(thresholds) >= 0.0:
            return thresholds
        shifts = np.linspace(0.0, 10.0, 401)
        enough = next((n for n, shift in enumerate(shifts) if self.value(moved(shift)) >= 0.0), len(shifts) - 1)
        low, high = shifts[max(enough - 1, 0)], shifts[enough]
        for _ in range(20):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self.value(moved(middle)) >= 0.0 else (middle, high)
        return moved(high)

    def value_of_levels(self, failing: Any) -> float:
        """The same from fractions of the signal that fail."""
        return self.value(self.thresholds(failing))


@dataclasses.dataclass(frozen=True)
class _Sorted:
    """Events sorted by one row, so that all others are read for events only that pass the cut on this one."""

    first: int
    rows: Array
    weights: Array

    @classmethod
    def of(cls, rows: Array, weights: Array, first: int) -> "_Sorted":
        order = np.argsort(rows[first])
        return cls(first, np.ascontiguousarray(rows[:, order]), weights[order])

    def passing(self, thresholds: Array) -> Array:
        """Weights of the events above all thresholds."""
        start = int(np.searchsorted(self.rows[self.first], thresholds[self.first], side="right"))
        passed = np.ones(self.rows.shape[1] - start, dtype=bool)
        for k, (row, threshold) in enumerate(zip(self.rows, thresholds, strict=True)):
            if k != self.first:
                passed &= row[start:] > threshold
        return self.weights[start:][passed]
