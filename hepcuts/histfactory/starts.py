"""Where fits start that do not start where pyhf suggests."""

import numpy as np

from hepcuts._core.types import FloatArray

from .structure import LikelihoodStructure


def alternative_starts(structure: LikelihoodStructure, number: int) -> FloatArray:
    """Other places to start than pyhf's, over the ranges that the parameters may well take: (parameter, start).

    Constrained parameters by up to three widths, free factors by up to a factor of four; always the same ones.
    """
    generator = np.random.default_rng(20110)
    init = np.asarray(structure.init, dtype=np.float64)[:, None]
    lower, upper = (np.asarray(side, dtype=np.float64)[:, None] for side in (structure.lower, structure.upper))
    uniform = generator.uniform(-1.0, 1.0, size=(len(init), number))
    # A variation to the same side at both ends makes two minima, one at each: look there first.
    uniform[:, :2] = np.array([[-0.5, 0.5]])[:, :number]
    starts = np.where(lower < 0, init + 3.0 * uniform, init * 4.0**uniform)
    normal = np.asarray(structure.normal_parameter)
    positive = lower[normal] >= 0
    widths = np.clip(np.asarray(structure.normal_sigma, dtype=np.float64)[:, None], 0.0, 0.5)
    starts[normal] = np.where(positive, init[normal] * np.exp(2.0 * widths * uniform[normal]), starts[normal])
    return np.clip(starts, lower, upper)
