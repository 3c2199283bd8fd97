"""Yields behind every threshold at once: one sort, cumulative sums."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._columns import is_missing
from ._types import FloatArray
from .cuts import Cut
from .errors import InputError
from .filling import bins_of, blocks
from .samples import Sample
from .templates import Structure, Yields


def distinct_thresholds(samples: Sequence[Sample], cut: Cut) -> FloatArray:
    """All thresholds that make a difference, shape (threshold,), ascending.

    Halfway between neighboring values of any sample or variation, and one on either side of all values would select
    all or none: the one that selects all is included.

    Raises:
        InputError: no event has a value of the variable.
    """
    parts = []
    for sample in samples:
        sample.column(cut.variable)
        for columns in [sample.columns, *(sample.varied(v)[0] for m in sample.modifiers for v in m.variations)]:
            values = columns[cut.variable]
            parts.append(values[~is_missing(values, sample.missing)])
    values = np.unique(np.concatenate(parts))
    if len(values) == 0:
        raise InputError(f"No event has a value of {cut.variable!r} to cut on.")
    middle = 0.5 * (values[1:] + values[:-1])
    # Of neighbors that differ in the last bit the middle may round to the upper one, which then would not pass.
    middle = np.where(middle >= values[1:], values[:-1], middle) if cut.direction == ">" else middle
    middle = np.maximum(middle, np.nextafter(values[:-1], np.inf)) if cut.direction == "<" else middle
    first = [np.nextafter(values[0], -np.inf)] if cut.direction == ">" else []
    last = [np.nextafter(values[-1], np.inf)] if cut.direction == "<" else []
    return np.concatenate([first, middle, last])


def yields_behind(samples: Sequence[Sample], cut: Cut, thresholds: FloatArray, structure: Structure) -> Yields:
    """Hard yields behind each threshold: values and variances of shape (threshold, variation, sample, bin)."""
    shape = (len(thresholds), len(structure.variations), len(samples), structure.num_bins)
    values, variances = np.zeros(shape), np.zeros(shape)
    for variation, s, columns, weights, sample in blocks(samples, structure):
        x = columns[cut.variable]
        absent = is_missing(x, sample.missing)
        bins, inside = bins_of(structure, columns, len(weights), missing=sample.missing)
        for b in range(structure.num_bins):
            here = inside & (bins == b)
            always = here & absent & (cut.missing == "pass")
            for target, power in ((values, 1), (variances, 2)):
                behind = _behind(x[here & ~absent], weights[here & ~absent] ** power, thresholds, cut.direction)
                target[:, variation, s, b] = behind + np.sum(weights[always] ** power)
    moved = structure.complete(np.moveaxis(values, 0, -1), np.moveaxis(variances, 0, -1))
    return Yields(np.moveaxis(np.asarray(moved.values), -1, 0), np.moveaxis(np.asarray(moved.variances), -1, 0))


def _behind(x: FloatArray, weights: FloatArray, thresholds: FloatArray, direction: str) -> Any:
    """Sum of weights of x > threshold (or x < threshold) for each threshold."""
    order = np.argsort(x, kind="stable")
    x, weights = x[order], weights[order]
    if direction == ">":
        # Summed from the far end, where few events are left, so that the tail is exact.
        tail = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
        return tail[np.searchsorted(x, thresholds, side="right")]
    return np.append(0.0, np.cumsum(weights))[np.searchsorted(x, thresholds, side="left")]
