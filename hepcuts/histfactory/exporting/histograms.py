"""The ROOT file beside a datacard or a configuration: CHANNEL/SAMPLE, CHANNEL/SAMPLE_SYSTEMATICUp and ...Down."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hist
import numpy as np
from numpy.typing import ArrayLike

from hepcuts._core import files
from hepcuts._core.jagged import optional

from .effects import Effects
from .given import Channel, Given
from .naming import Names

DATA = "data_obs"
"""The histogram of observed events."""
_OF_SIMULATION = frozenset({"shapesys", "staterror"})


def histogram(values: ArrayLike, variances: ArrayLike | None = None) -> "hist.Hist[Any]":
    """A histogram over the numbers of bins: a workspace does not know their edges.

    Args:
        values: contents, shape (bin,).
        variances: of the same shape; zero if None.
    """
    contents = np.asarray(values, dtype=np.float64)
    made: hist.Hist[Any] = hist.Hist(hist.axis.Regular(contents.size, 0, contents.size), storage=hist.storage.Weight())
    view: Any = made.view()
    view["value"], view["variance"] = contents, 0.0 if variances is None else variances
    return made


def uncertainties(channel: Channel, sample: Mapping[str, Any]) -> list[float]:
    """Absolute uncertainties of the bins, those of its ``shapesys`` and ``staterror``; 0 where they act on nothing."""
    variance = np.zeros(len(sample["data"]))
    for modifier in sample["modifiers"]:
        if modifier["type"] in _OF_SIMULATION:
            total = sum(np.asarray(s["data"]) for s in channel["samples"] if _has(s, modifier["name"]))
            variance += np.where(np.asarray(total) > 0, np.square(modifier["data"]), 0.0)
    return [float(x) for x in np.sqrt(variance)]


def _has(sample: Mapping[str, Any], modifier: str) -> bool:
    return any(modifier == m["name"] for m in sample["modifiers"])


def write(path: Path, histograms: Mapping[str, "hist.Hist[Any]"]) -> None:
    """Write histograms by their paths in the file.

    Raises:
        InputError: uproot is not installed.
    """
    with files.atomic_path(path) as temporary, optional("uproot", "root").recreate(temporary) as file:
        for name, one in histograms.items():
            file[name] = one


def templates(given: Given, found: Effects, names: Names) -> dict[str, "hist.Hist[Any]"]:
    """All histograms by their path in the file: templates with their uncertainties, data, and varied templates."""
    made = {}
    for channel in given.channels:
        for sample in channel["samples"]:
            path = "/".join(names.cell((channel["name"], sample["name"])))
            made[path] = histogram(sample["data"], np.square(uncertainties(channel, sample)))
        observed = given.observed(channel["name"])
        made[f"{names.channels[channel['name']]}/{DATA}"] = histogram(observed, observed)
    for name, shapes in found.shapes.items():
        for cell, (down, up) in shapes.items():
            base = f"{'/'.join(names.cell(cell))}_{names.parameters[name]}"
            made |= {f"{base}Down": histogram(down), f"{base}Up": histogram(up)}
    return made
