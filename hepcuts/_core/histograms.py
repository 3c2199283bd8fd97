"""Sums of weights in bins: of events, and those that histograms of others hold; histograms in files."""

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from . import files
from .errors import InputError
from .types import FloatArray


def weighted_histogram(values: FloatArray, edges: FloatArray, weights: FloatArray) -> FloatArray:
    """Sums of weights in bins, shape (bin,); a bin holds its lower edge, the last one its upper edge, too.

    `numpy.histogram` takes differences of cumulative sums where weights are given: beside large weights it loses small
    ones. Here each bin is summed for itself.

    Args:
        values: shape (event,).
        edges: increasing, shape (bin + 1,).
        weights: shape (event,).

    Example:
        >>> weighted_histogram(np.array([0.5, 1.5, 2.0]), np.array([0.0, 1.0, 2.0]), np.array([1e20, 1.0, 2.0]))
        array([1.e+20, 3.e+00])
    """
    number = len(edges) - 1
    bins = np.searchsorted(edges, values, side="right") - 1
    bins[values == edges[-1]] = number - 1
    inside = (bins >= 0) & (bins < number)
    return np.bincount(bins[inside], weights[inside], minlength=number).astype(np.float64)


def is_histogram(given: Any) -> bool:
    """Whether something speaks the protocol of histograms (UHI): those of hist, boost_histogram and uproot do."""
    return all(hasattr(given, name) for name in ("axes", "values", "variances")) and callable(given.values)


@dataclasses.dataclass(frozen=True, eq=False)
class Contents:
    """What is in the bins of a histogram of one axis.

    Attributes:
        name: of the axis, "" if it has none.
        edges: increasing, shape (bin + 1,); those of whole numbers lie halfway between them.
        values: sums of weights, shape (bin + 2,): what lies below all edges, the bins, what lies above them.
        variances: sums of squared weights, likewise.
        integer: whether the axis is one of whole numbers.
    """

    name: str
    edges: FloatArray
    values: FloatArray
    variances: FloatArray
    integer: bool = False

    def __add__(self, other: "Contents") -> "Contents":
        if not self.same_bins(other):
            raise InputError("Histograms of different bins cannot be added.")
        return dataclasses.replace(self, values=self.values + other.values, variances=self.variances + other.variances)

    def scaled(self, factor: float) -> "Contents":
        """The same with all weights multiplied."""
        return dataclasses.replace(self, values=self.values * factor, variances=self.variances * factor**2)

    def same_bins(self, other: "Contents") -> bool:
        """Whether another one has the same bins, to a millionth of the narrowest: edges are computed differently."""
        if len(self.edges) != len(other.edges):
            return False
        return bool(np.all(np.abs(self.edges - other.edges) < 1e-6 * np.diff(self.edges).min()))


def write_histogram(histogram: Any, path: str | Path) -> Path:
    """Write a histogram in UHI's JSON format, which `hist` and others read, and return its path.

    Args:
        histogram: a `hist.Hist`, or anything else with UHI's serialization.
        path: the file to write.

    Raises:
        InputError: the installed libraries cannot serialize histograms.
    """
    try:
        default = importlib.import_module("uhi.io.json").default
    except ImportError:
        default = None
    if default is None or not hasattr(histogram, "_to_uhi_"):
        raise InputError(
            "Histograms are written by hist 2.9 with boost-histogram 1.6 and uhi 0.5, or newer: pip install --upgrade "
            "hist boost-histogram uhi."
        )
    return files.write_text(path, json.dumps(histogram, default=default) + "\n")
