"""Sums of weights in bins, and histograms in files."""

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
