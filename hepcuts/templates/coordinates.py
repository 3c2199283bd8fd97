"""Coordinates in which thresholds are searched: normal scores, or a multiple of the variable.

The unit of a variable is an accident: a cut on the logarithm of a momentum selects the same events as one on the
momentum. So the search moves thresholds along *normal scores*: the rank of a value among reference events, as the
quantile of a normal distribution. Any increasing map of a variable leaves ranks, and with them all that the search
does, as they are. Only where a cut was given a width in the units of its variable is the coordinate linear.
"""

import abc
import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.special
from numpy.typing import NDArray

from hepcuts._core.decimals import between
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

_KNOTS = 4096
"""Quantiles of signal, and of background, to which a threshold is resolved."""

_BOXES, _MOST_IN_BOX, _MANY = 2**16, 20, 10_000
"""Boxes of equal width that knots are looked up in, the most knots in one of them, and from how many values on."""

LIMIT = 6.0
"""Scores of all events lie between minus and plus this, and thresholds, too."""


class AbstractCoordinate(abc.ABC):
    """Interface of the coordinates: increasing maps from a variable to the axis of the search."""

    @abc.abstractmethod
    def scores(self, values: FloatArray) -> FloatArray:
        """Coordinates of events' values, of the same shape."""

    @abc.abstractmethod
    def score(self, threshold: float, sign: int = 1) -> float:
        """Coordinate of a threshold that larger values pass, or with sign -1 of one that smaller values pass."""

    @abc.abstractmethod
    def threshold(self, score: float, sign: int = 1) -> float:
        """The threshold at a coordinate, as it is quoted; `sign` as in `score`."""

    @abc.abstractmethod
    def between(self, scores: FloatArray) -> FloatArray:
        """Thresholds at any coordinates, interpolated: for the history."""

    @property
    @abc.abstractmethod
    def limits(self) -> tuple[float, float]:
        """Coordinates beyond which a threshold makes no difference."""


@dataclasses.dataclass(frozen=True)
class Linear(AbstractCoordinate):
    """The variable in units of a scale.

    Attributes:
        scale: in the units of the variable, positive.
        range: smallest and largest value of the events.
    """

    scale: float
    range: tuple[float, float]

    def scores(self, values: FloatArray) -> FloatArray:
        """See `AbstractCoordinate.scores`."""
        return np.asarray(values / self.scale)

    def score(self, threshold: float, sign: int = 1) -> float:  # noqa: ARG002
        """See `AbstractCoordinate.score`."""
        return threshold / self.scale

    def threshold(self, score: float, sign: int = 1) -> float:  # noqa: ARG002
        """See `AbstractCoordinate.threshold`."""
        return float(score * self.scale)

    def between(self, scores: FloatArray) -> FloatArray:
        """See `AbstractCoordinate.between`."""
        return np.asarray(scores * self.scale)

    @property
    def limits(self) -> tuple[float, float]:
        """See `AbstractCoordinate.limits`."""
        return self.range[0] / self.scale, self.range[1] / self.scale


@dataclasses.dataclass(frozen=True, eq=False)
class NormalScores(AbstractCoordinate):
    """Normal quantiles of the rank among reference events; use `normal_scores` to make one.

    Values up to a knot, and above the one before, have one score: that of the middle between two ranks. So a threshold
    is resolved to the knots, and one that is quoted selects exactly the reference events that it selected as a score:
    it is a number with few digits between two values, so that it selects them however it is compared or printed.

    Attributes:
        knots: thresholds that can be quoted, values of reference events among them; increasing, shape (knot,).
        above: for each knot the next larger value of any event, varied ones included, shape (knot,), or None where
            these are the knots themselves.
        given: knots that stand for a threshold that was given, to this threshold.
    """

    knots: FloatArray
    above: FloatArray | None = None
    given: Mapping[float, float] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def _of_knots(self) -> FloatArray:
        """Scores of thresholds at the knots, shape (knot,)."""
        return np.asarray(scipy.special.ndtri(np.arange(1, len(self.knots) + 1) / (len(self.knots) + 1)))

    @functools.cached_property
    def _of_events(self) -> FloatArray:
        """Scores of values between the knots, shape (knot + 1,); rounded to 32 bits, which is how events hold them."""
        size = len(self.knots) + 1
        between = scipy.special.ndtri((np.arange(size) + 0.5) / size)
        return np.asarray(between.astype(np.float32).astype(np.float64))

    def scores(self, values: FloatArray) -> FloatArray:
        """See `AbstractCoordinate.scores`."""
        return np.asarray(self._of_events[self._number_below(values)])

    def _number_below(self, values: FloatArray) -> NDArray[np.int64]:
        """Number of knots below each value: `numpy.searchsorted`, several times faster where it matters."""
        starts, most, scale = self._boxes
        boxes = np.zeros(0)
        if len(values) >= _MANY and most <= _MOST_IN_BOX:
            with np.errstate(over="ignore", invalid="ignore"):
                boxes = np.clip((values - self.knots[0]) * scale, 0, _BOXES - 1)
        if len(boxes) == 0 or np.isnan(boxes.sum()):
            return np.searchsorted(self.knots, values)
        found = starts[boxes.astype(np.int32)]
        # One after the other: no knot of a later box is below the value.
        knots = np.append(self.knots, np.inf)
        for _ in range(most):
            found += knots[found] < values
        return found

    @functools.cached_property
    def _boxes(self) -> tuple[NDArray[np.int64], int, float]:
        """Number of the first knot in, or after, each of many boxes of equal width; most knots in one; the scale."""
        with np.errstate(all="ignore"):
            scale = float(_BOXES / (self.knots[-1] - self.knots[0]))
            boxes = np.clip((self.knots - self.knots[0]) * scale, 0, _BOXES - 1)
        if not (np.all(np.isfinite(boxes)) and 0 < scale < np.inf):
            return np.zeros(0, dtype=np.int64), len(self.knots), scale
        counts = np.bincount(boxes.astype(np.int32), minlength=_BOXES)
        return np.cumsum(counts) - counts, int(counts.max()), scale

    def score(self, threshold: float, sign: int = 1) -> float:
        """See `AbstractCoordinate.score`."""
        if not self.knots[0] <= threshold <= self.knots[-1]:
            return -LIMIT if threshold < self.knots[0] else LIMIT
        below = int(np.searchsorted(self.knots, threshold, side="right" if sign > 0 else "left"))
        return float(self._of_knots[below - 1]) if below else -LIMIT

    def threshold(self, score: float, sign: int = 1) -> float:
        """See `AbstractCoordinate.threshold`: a short decimal between a knot and the next value above it."""
        below = int(np.searchsorted(self._of_events, score, side="right" if sign > 0 else "left"))
        if not 0 < below <= len(self.knots):
            return between(*self._beyond(1 if below else -1), sign)
        knot = float(self.knots[below - 1])
        return self.given[knot] if knot in self.given else between(knot, self._next(below - 1), sign)

    def _next(self, knot: int) -> float:
        above = np.append(self.knots[1:], np.inf) if self.above is None else self.above
        return min(float(above[knot]), self._beyond(1)[1])

    def _beyond(self, side: int) -> tuple[float, float]:
        """From the outermost knot outwards, as far as it is from the next one: zero is no threshold to keep zeros."""
        outermost = self.knots[::-side][:2]
        far = 2.0 * outermost[0] - outermost[-1] if len(outermost) > 1 else outermost[0] + side
        outermost = outermost[0]
        ends = outermost, side * max(side * far, side * np.nextafter(outermost, side * np.inf))
        return float(min(ends)), float(max(ends))

    def between(self, scores: FloatArray) -> FloatArray:
        """See `AbstractCoordinate.between`."""
        return np.interp(scores, self._of_knots, self.knots)

    @property
    def limits(self) -> tuple[float, float]:
        """See `AbstractCoordinate.limits`."""
        return -LIMIT, LIMIT


def normal_scores(
    signal: FloatArray,
    background: FloatArray,
    exact: Sequence[tuple[float, int]] = (),
    varied: FloatArray | None = None,
) -> NormalScores:
    """Normal scores among reference events of which signal and background are half each.

    Args:
        signal: values of the variable, shape (event,).
        background: likewise.
        exact: thresholds with their signs (+1 if larger values pass) that are to be knots, too: as scores they then
            select the same events as they do themselves.
        varied: values of varied events, which a quoted threshold has to select as its score does, too.

    Raises:
        InputError: hardly more than one value.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(1.0, 2.0, 1000)
        >>> plain, mapped = normal_scores(x, x + 0.5), normal_scores(np.exp(x), np.exp(x + 0.5))
        >>> bool(np.all(plain.scores(x) == mapped.scores(np.exp(x))))
        True
    """
    ordered = [np.sort(values) for values in (signal, background)]
    knots = np.unique(np.concatenate([_quantiles(values) for values in ordered]))
    if len(knots) < 2:
        raise InputError("The variable has hardly more than one value; there is nothing to cut on.")
    # Values below a threshold pass up to the last number before it.
    more = {float(t if sign > 0 else np.nextafter(t, -np.inf)): t for t, sign in exact}
    more = {knot: t for knot, t in more.items() if knots[0] < knot < knots[-1]}
    knots = np.union1d(knots, np.array([*more]))
    ordered += [] if varied is None else [np.sort(varied)]
    above = [np.append(values, np.inf)[np.searchsorted(values, knots, side="right")] for values in ordered]
    return NormalScores(knots, np.min(above, axis=0), more)


def _quantiles(ordered: FloatArray) -> FloatArray:
    """Values of events at equal steps of rank, the smallest and the largest among them."""
    return np.asarray(ordered[np.linspace(0, len(ordered) - 1, min(_KNOTS, len(ordered))).round().astype(np.int64)])
