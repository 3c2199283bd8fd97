"""Variables of whole numbers, whose cuts read ``n >= 2``."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hepcuts._core.columns import is_missing
from hepcuts.cuts import AbstractCut, Cut, Not, Window
from hepcuts.samples.sample import Sample

_SOME = 1000
"""Events of a sample that are looked at first: nearly always they tell."""


def told_of_integers(samples: Sequence[Sample], cut: AbstractCut) -> AbstractCut:
    """A cut that knows whether its variable takes whole numbers only, so that it is printed accordingly.

    Args:
        samples: checked.
        cut: any cut; those that are neither `Cut` nor `Window` are returned as they are.

    Example:
        >>> import hepcuts as hc
        >>> samples = [hc.Sample("s", {"n": [2, 3]}, signal=True), hc.Sample("b", {"n": [0, 1]})]
        >>> print(told_of_integers(samples, hc.Cut("n", ">", 1.5)))
        n >= 2
    """
    if isinstance(cut, Not):
        return Not(told_of_integers(samples, cut.cut))
    if type(cut) not in {Cut, Window} or not all(_is_whole(sample, cut.variable) for sample in samples):
        return cut
    return dataclasses.replace(cut, integer=True)  # type: ignore[call-arg]


def _is_whole(sample: Sample, variable: str) -> bool:
    values = sample.column(variable)
    for some in (values[:_SOME], values):
        there = some[~is_missing(some, sample.missing)]
        if np.any(there != np.floor(there)):
            return False
    return True
