"""How far events spread along a variable: the measure of the width of a soft cut."""

from collections.abc import Sequence

import numpy as np

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.samples.sample import Sample

DEFAULT_WIDTH = 0.2
"""Width of a soft cut, in normal scores, or of a linear coordinate in units of the spread."""


def columns_of(samples: Sequence[Sample], variable: str, *, signal: bool) -> FloatArray:
    """Values of a variable that exist, of all signals or all backgrounds, shape (event,)."""
    parts = []
    for sample in samples:
        if sample.signal == signal:
            values = sample.column(variable)
            parts.append(values[~is_missing(values, sample.missing)])
    joined = np.concatenate(parts)
    if len(joined) == 0:
        raise InputError(f"No {'signal' if signal else 'background'} event has a value of {variable!r} to cut on.")
    return joined


def default_widths(samples: Sequence[Sample], selection: Selection) -> FloatArray:
    """Widths, in the units of the variables, of soft cuts that were not given any, shape (threshold,)."""
    return np.array([DEFAULT_WIDTH * spread(samples, selection.variables[cut]) for cut in selection.cut_of_threshold])


def spread(samples: Sequence[Sample], variable: str) -> float:
    """Half the central 68 % of a variable, of signal or background: a soft cut has to be narrow against both."""
    spreads = [
        0.5 * float(np.diff(np.quantile(columns_of(samples, variable, signal=signal), [0.16, 0.84]))[0])
        for signal in (True, False)
    ]
    positive = [spread for spread in spreads if spread > 0]
    if not positive:
        raise InputError(f"The variable {variable!r} has hardly more than one value; there is nothing to cut on.")
    return min(positive)
