"""Which side of a threshold to keep, where the user leaves it to the events."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Cut, Selection
from hepcuts.samples.sample import Sample


def find_directions(samples: Sequence[Sample], selection: Selection) -> Selection:
    """The selection with each direction ``"auto"`` replaced by the side on which signal outweighs background more.

    The side is that of the larger Youden index, the largest difference of signal and background efficiency along all
    thresholds. Efficiencies alone decide, so that it depends neither on the number of expected events nor on any
    monotone map of the variable.

    Args:
        samples: at least one signal and one background.
        selection: the cuts.

    Raises:
        InputError: a variable that no event has a value of, or an inverted cut without a direction.
    """
    return Selection([_with_direction(samples, cut) for cut in selection.cuts])


def _with_direction(samples: Sequence[Sample], cut: AbstractCut) -> AbstractCut:
    if not (isinstance(cut.plain, Cut) and cut.plain.direction == "auto"):
        return cut
    if not isinstance(cut, Cut):
        raise InputError(
            f"The cut {cut} is inverted, and its direction is to be found: is it the best one that shall be inverted, "
            "or the side that is kept that shall be the best? Give the direction, or do not invert it."
        )
    return dataclasses.replace(cut, direction=_direction(samples, cut.variable))


def _direction(samples: Sequence[Sample], variable: str) -> Literal[">", "<"]:
    values, weights, signal = _joined(samples, variable)
    order = np.argsort(values, kind="stable")
    values, weights, signal = values[order], weights[order], signal[order]
    below = [
        np.cumsum(np.where(signal == kind, weights, 0.0)) / np.sum(weights[signal == kind]) for kind in (True, False)
    ]
    # Thresholds lie between different values only.
    ends = np.append(values[1:] > values[:-1], True)
    difference = (below[1] - below[0])[ends]  # of the efficiencies above the threshold
    return ">" if difference.max() >= -difference.min() else "<"


def _joined(samples: Sequence[Sample], variable: str) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    parts: list[tuple[FloatArray, FloatArray, NDArray[np.bool_]]] = []
    for sample in samples:
        values = sample.column(variable)
        there = ~is_missing(values, sample.missing)
        parts.append((values[there], sample.weights[there], np.full(int(there.sum()), sample.signal)))
    values, weights, signal = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    for kind, name in ((True, "signal"), (False, "background")):
        if not np.any(signal == kind) or not np.sum(weights[signal == kind]) > 0:
            raise InputError(f"No {name} with positive yield has a value of {variable!r}; give the cut's direction.")
    return values, weights, signal
