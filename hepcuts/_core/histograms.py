"""Sums of weights in bins: of events, and those that histograms of others hold; histograms in files."""

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any, Self

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

    @classmethod
    def of(cls, given: Any, what: str) -> Self:
        """Read a histogram.

        Args:
            given: an object with the protocol of histograms, as those of hist, boost_histogram and uproot have it.
            what: for messages.

        Raises:
            InputError: not a histogram, more than one axis, an axis without numbers, no variances, or numbers that are
                not finite.

        Example:
            >>> import hist
            >>> filled = hist.Hist.new.Reg(2, 0, 1, name="bdt").Weight().fill([0.1, 0.9, 2.0], weight=[1.0, 2.0, 3.0])
            >>> Contents.of(filled, "ttbar").values
            array([0., 1., 2., 3.])
        """
        if not is_histogram(given):
            raise InputError(
                f"{what}: came as {type(given).__name__}; expected a histogram of hist, boost_histogram, uproot or "
                "another with their protocol (UHI)."
            )
        if len(given.axes) != 1:
            raise InputError(
                f"{what}: the histogram has {len(given.axes)} axes; expected one: choose in the others and sum over "
                "them, as in h[{'dataset': 'ttbar'}].project('bdt'), for one of uproot h.to_hist().project('xaxis')."
            )
        axis = given.axes[0]
        edges, integer = _edges_of(axis, what)
        tables = (_with_flow(given, kind, axis, what) for kind in ("values", "variances"))
        values, variances = tables
        if not np.all(np.isfinite(values) & np.isfinite(variances)) or np.any(variances < 0):
            raise InputError(f"{what}: contents or variances of the histogram are not finite, or variances negative.")
        name = getattr(axis, "name", "")
        return cls(name if isinstance(name, str) and name not in _NO_NAMES else "", edges, values, variances, integer)

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


_NO_NAMES = frozenset({"xaxis", "yaxis", "zaxis"})
"""What ROOT calls axes by default."""


def _edges_of(axis: Any, what: str) -> tuple[FloatArray, bool]:
    """Edges of the bins, and whether the axis is one of whole numbers."""
    bins = [axis[number] for number in range(len(axis))]
    if all(isinstance(one, int | np.integer) for one in bins):
        edges, integer = np.append(np.asarray(bins, dtype=np.float64) - 0.5, float(bins[-1]) + 0.5), True
        if np.any(np.diff(bins) != 1):
            raise InputError(f"{what}: the axis has the categories {bins}; expected an axis of numbers in their order.")
    elif all(np.ndim(one) == 1 and len(one) == 2 and not isinstance(one, str) for one in bins):
        edges, integer = np.array([bins[0][0], *(high for _, high in bins)], dtype=np.float64), False
    else:
        raise InputError(f"{what}: the axis has no numbers but {bins[:3]}; choose a category and sum over the others.")
    if not np.all(np.isfinite(edges)) or not np.all(np.diff(edges) > 0):
        raise InputError(f"{what}: the edges of the bins are {edges.tolist()}; expected finite numbers, increasing.")
    return edges, integer


def _with_flow(given: Any, kind: str, axis: Any, what: str) -> FloatArray:
    """Contents with those beyond the edges, which are zero where the histogram does not keep them."""
    try:
        found = getattr(given, kind)(flow=True)
    except TypeError:  # the protocol itself does not know them
        found = getattr(given, kind)()
    if found is None:
        raise InputError(
            f"{what}: the histogram does not know its {kind}; fill one that sums squared weights, too, as in "
            "hist.Hist(axis, storage='weight') or TH1::Sumw2."
        )
    table = np.asarray(found, dtype=np.float64)
    missing = len(axis) + 2 - len(table)
    if not missing:
        return table
    below = missing == 2 or not axis.traits.underflow
    return np.concatenate([np.zeros(int(below)), table, np.zeros(missing - int(below))])


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
