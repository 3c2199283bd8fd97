"""How far events spread along a variable: the measure of the width of a soft cut."""

from collections.abc import Sequence

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.quantiles import WeightedQuantiles
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.samples.sample import Sample

DEFAULT_WIDTH = 0.2
"""Width of a soft cut, in normal scores, or of a linear coordinate in units of the spread."""


def quantities_of(samples: Sequence[Sample], cut: AbstractCut, *, signal: bool) -> tuple[FloatArray, FloatArray]:
    """What a cut's thresholds are compared to where it exists, with weights, both of shape (event,).

    Args:
        samples: checked.
        cut: the cut.
        signal: whether of all signals, or of all backgrounds.

    Raises:
        InputError: no event has a value.
    """
    parts = []
    for sample in samples:
        if sample.signal == signal:
            values, absent = cut.measured({c: sample.column(c) for c in cut.columns}, missing=sample.missing)
            parts.append((values[~absent], sample.weights[~absent]))
    values, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    if len(values) == 0:
        kind = "signal" if signal else "background"
        raise InputError(f"No {kind} event has a value of {' and '.join(map(repr, cut.columns))} to cut on.")
    return values, weights


def varied_quantities(samples: Sequence[Sample], cut: AbstractCut) -> FloatArray:
    """What a cut's thresholds are compared to in all variations that change it, of all samples, shape (event,)."""
    found = [np.zeros(0)]
    for sample in samples:
        for variation in (v for modifier in sample.modifiers for v in modifier.variations):
            if any(column in variation.columns for column in cut.columns):
                columns, _ = sample.varied(variation)
                values, absent = cut.measured({c: columns[c] for c in cut.columns}, missing=sample.missing)
                found.append(values[~absent])
    return np.concatenate(found)


def default_widths(samples: Sequence[Sample], selection: Selection) -> FloatArray:
    """Widths, in the units of the variables, of soft cuts that were not given any, shape (threshold,)."""
    return np.array([DEFAULT_WIDTH * spread(samples, selection.cuts[cut]) for cut in selection.cut_of_threshold])


def spread(samples: Sequence[Sample], cut: AbstractCut) -> float:
    """Half the central 68 % of what a cut's thresholds are compared to.

    Of signal or background, whichever is narrower: a soft cut has to be narrow against both.
    """
    both = [WeightedQuantiles.of(*quantities_of(samples, cut, signal=signal)) for signal in (True, False)]
    spreads = [0.5 * (one.at(0.84) - one.at(0.16)) for one in both]
    positive = [spread for spread in spreads if spread > 0]
    if not positive:
        raise InputError(f"The variable {cut.variable!r} has hardly more than one value; there is nothing to cut on.")
    return min(positive)
