"""Binary cross-entropy of a soft cut of fixed width along its threshold.

The pass weight is a sigmoid, p = 1 / (1 + exp(-u)) with u the distance to the threshold in units of the width, so the
loss is a sum over events of ln(1 + exp(-u)) for signal and ln(1 + exp(u)) for background. It is smooth on the scale of
the width: at many thresholds it is interpolated between nodes at which value and two derivatives are summed exactly.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.interpolate
import scipy.special

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Cut
from hepcuts.samples.sample import Sample
from hepcuts.templates.events import blocks_of
from hepcuts.templates.filling import structure_of

from .closed_forms import fraction
from .figures import AbstractCurve

_SPACING = 0.2
"""Distance of the nodes in units of the width; the interpolation's error is 1e-9 of the loss of one event or less."""
_FAR = 40.0
"""Distance in units of the width from which on the loss of an event is linear, or zero."""
_NUMBERS = 4_000_000
"""Losses that are held at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class SoftLossCurve(AbstractCurve):
    """The loss of a sigmoid around each threshold, from all events that have a value, ascending in it.

    Attributes:
        x: shape (event,).
        weights: shape (event,).
        truth: +1 for signal, -1 for background, shape (event,).
        sample: number of each event's sample, shape (event,).
        origin: its number within its sample, shape (event,).
        sign: +1 if larger values pass.
        width: of the cut.
        missing: events without a value, for each of them sample, number, weight and loss.
        total: weight of all events.
    """

    x: FloatArray
    weights: FloatArray
    truth: FloatArray
    sample: Any
    origin: Any
    sign: int
    width: float
    missing: tuple[Any, Any, FloatArray, FloatArray]
    total: float

    @classmethod
    def of(cls, samples: Sequence[Sample], cut: Cut, width: float) -> "SoftLossCurve":
        """Lay out the events for a cut of some width.

        Raises:
            InputError: the width is not positive.
        """
        structure = structure_of(samples, axis=None, channel="signal_region")
        blocks = list(blocks_of(samples, structure, [cut.variable], nominal=True))
        x, absent, weights, origin = (
            np.concatenate(parts)
            for parts in zip(
                *((b.values(cut.variable), b.absent(cut.variable), b.weights, b.origin) for b in blocks), strict=True
            )
        )
        sample = np.repeat(np.arange(len(samples)), [len(block) for block in blocks])
        truth = np.where(np.array([s.signal for s in samples])[sample], 1.0, -1.0)
        kept = np.flatnonzero(~absent)
        kept = kept[np.argsort(x[kept])]
        # A wrong decision that was never in doubt costs as much as in hepcuts.merit.classification.
        passes = cut.missing == "pass"
        lost = -float(np.log(np.finfo(np.float64).tiny)) if passes else 700.0
        gone = np.flatnonzero(absent)
        missing = (sample[gone], origin[gone], weights[gone], np.where((truth[gone] < 0) == passes, lost, 0.0))
        if not width > 0:
            raise InputError(f"The width of {cut} is {width}; the BCE of a soft cut needs one that is positive.")
        total = float(np.sum(weights))
        return cls(x[kept], weights[kept], truth[kept], sample[kept], origin[kept], cut.signs[0], width, missing, total)

    def values(self, thresholds: FloatArray) -> FloatArray:
        """See `AbstractCurve.values`."""
        nodes = _nodes(thresholds, _SPACING * self.width)
        sums = np.array([self._at(node) for node in nodes])
        constant = float(np.sum(self.missing[2] * self.missing[3]))
        if nodes is not thresholds:
            values = scipy.interpolate.BPoly.from_derivatives(nodes, sums)(thresholds)
        else:
            values = sums[:, 0]
        result: FloatArray = fraction(values + constant, self.total)
        return result

    def _at(self, threshold: float) -> tuple[float, float, float]:
        """Sum of the losses, and its first two derivatives, at one threshold."""
        first, last = np.searchsorted(self.x, threshold + _FAR * self.width * np.array([-1.0, 1.0]))
        near = slice(first, last)
        slope = self.sign / self.width
        u = slope * (self.x[near] - threshold) * self.truth[near]
        w = self.weights[near]
        wrong = scipy.special.expit(-u)
        value = float(np.sum(w * np.logaddexp(0.0, -u)))
        derivative = float(np.sum(w * wrong * self.truth[near])) * slope
        second = float(np.sum(w * wrong * (1.0 - wrong))) * slope * slope
        # Far on the wrong side the loss is the distance, on the right one zero.
        below, above = self._far
        for (total, moment), truth in ((below[:, first], self.sign), (above[:, last], -self.sign)):
            value -= float(moment - total * (threshold - self._center)) * slope * truth
            derivative += float(total) * slope * truth
        return value, derivative, second

    @property
    def _center(self) -> float:
        """Where distances are summed from, so that their sums have the size of distances and not of values."""
        return float(self.x[len(self.x) // 2]) if len(self.x) else 0.0

    @functools.cached_property
    def _far(self) -> tuple[FloatArray, FloatArray]:
        """Sums of weights, and of weights times distance, of the events that fail though they should pass, or pass.

        The former below each position, the latter from it on, each of shape (2, event + 1).
        """
        sums = []
        for truth in (self.sign, -self.sign):
            w = np.where(self.truth == truth, self.weights, 0.0)
            sums.append(np.stack([w, w * (self.x - self._center)]))
        below = np.cumsum(sums[0], axis=1)
        above = np.cumsum(sums[1][:, ::-1], axis=1)[:, ::-1]
        none = np.zeros((2, 1))
        return np.concatenate([none, below], axis=1), np.concatenate([above, none], axis=1)

    def resampled(self, thresholds: FloatArray, factors: Callable[[Any, Any], FloatArray]) -> FloatArray:
        """See `AbstractCurve.resampled`."""
        size = max(1, _NUMBERS // max(1, len(thresholds)))
        sums: Any = 0.0
        totals: Any = 0.0
        for first in range(0, len(self.x), size):
            part = slice(first, first + size)
            u = (self.x[part, None] - thresholds) * (self.sign * self.truth[part, None] / self.width)
            weights = factors(self.sample[part], self.origin[part]) * self.weights[part]
            sums = sums + weights @ np.logaddexp(0.0, -u)
            totals = totals + weights.sum(axis=1)
        sample, origin, w, lost = self.missing
        weights = factors(sample, origin) * w
        result: FloatArray = fraction(sums + (weights @ lost)[:, None], (totals + weights.sum(axis=1))[:, None])
        return result


def _nodes(thresholds: FloatArray, spacing: float) -> FloatArray:
    """Where the loss is summed up: on both sides of each threshold, or at the thresholds themselves if they are fewer.

    Of an even grid only what lies next to a threshold: one event far out does not make the grid long.
    """
    length = float(thresholds[-1] - thresholds[0])
    if len(thresholds) < 3 or not spacing > length / 2.0**52:
        return thresholds
    spacing = min(spacing, length)
    cells = np.unique(np.floor((thresholds - thresholds[0]) / spacing))
    nodes: FloatArray = np.unique(thresholds[0] + spacing * np.concatenate([cells, cells + 1.0]))
    return nodes if len(nodes) < len(thresholds) else thresholds
