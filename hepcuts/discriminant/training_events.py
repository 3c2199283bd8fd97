"""The events that a classifier is trained on: features, labels, parts, and what each event counts."""

import dataclasses
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.counters import Bits
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import AbstractFolds, AbstractResampling
from hepcuts.samples.sample import Sample

Weighting = Literal["balanced", "expected"] | None
"""What events count in a training; see `hepcuts.score`."""

NegativeWeights = Literal["refuse", "absolute", "keep"]
"""What is done with negative ones; see `hepcuts.score`."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingEvents:
    """The nominal events of samples, one after the other.

    Attributes:
        features: shape (event, feature).
        weights: shape (event,).
        signal: whether it is, shape (event,).
        identity: shape (event,).
        parts: number of the part of each, shape (event,).
        trains: which events train, shape (event,): those that are not held out. Events of no nominal weight never do;
            they are there for a systematic variation.
    """

    features: FloatArray
    weights: FloatArray
    signal: NDArray[np.bool_]
    identity: Bits
    parts: NDArray[np.int64]
    trains: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        samples: Sequence[Sample],
        inputs: Callable[..., FloatArray],
        folds: AbstractFolds,
        held_out: AbstractResampling | None,
    ) -> "TrainingEvents":
        """Put the events together.

        Args:
            samples: signal and background.
            inputs: from columns to features.
            folds: the parts.
            held_out: the events that do not train; None if all do.

        Raises:
            InputError: without one of the parts there is no signal or no background to train on.
        """
        weights, identity = (np.concatenate([getattr(s, of) for s in samples]) for of in ("weights", "identity"))
        out = np.zeros(len(weights), dtype=bool) if held_out is None else held_out.test(0, identity) != 0
        found = cls(
            np.concatenate([inputs(s.columns, missing=s.missing) for s in samples]),
            weights,
            np.concatenate([np.full(len(sample), sample.signal) for sample in samples]),
            identity,
            folds.part(identity),
            ~out & (weights != 0),
        )
        for number in range(folds.size):
            kinds = found.signal[found.trains & (found.parts != number)]
            if np.all(kinds) or not np.any(kinds):
                raise InputError(
                    f"Without part {number} of {folds.size} there are {np.count_nonzero(kinds)} signal and "
                    f"{np.count_nonzero(~kinds)} background events to train on; expected some of both. Hold out less, "
                    "or simulate more."
                )
        return found

    @property
    def nominal(self) -> NDArray[np.bool_]:
        """Which events have a nominal weight, shape (event,)."""
        return np.asarray(self.weights != 0)

    def weighted(self, weighting: Weighting, negative: NegativeWeights) -> "TrainingWeights":
        """What the events count.

        Raises:
            InputError: neither is known, or weights are negative and refused.
        """
        if weighting not in ("balanced", "expected", None):
            raise InputError(f"weights is {weighting!r}; expected 'balanced', 'expected' or None.")
        if negative not in ("refuse", "absolute", "keep"):
            raise InputError(f"negative_weights is {negative!r}; expected 'refuse', 'absolute' or 'keep'.")
        below = self.trains & (self.weights < 0)
        count, words = int(np.count_nonzero(below)), _WORDS[weighting]
        if not count or weighting is None:
            return TrainingWeights(self, self.weights, weighting, words)
        if negative == "refuse":
            raise InputError(
                f"{count} of {np.count_nonzero(self.trains)} events that would train have negative weights, which many "
                "classifiers refuse and others are trained wrongly with. With negative_weights='absolute' they train "
                "with their absolute value: cuts, which use the true weights, stay right, and only the score is not "
                "the best possible. With 'keep' the classifier is given them as they are."
            )
        if negative == "keep":
            return TrainingWeights(self, self.weights, weighting, f"{words}; {count} negative ones as they are")
        return TrainingWeights(self, np.abs(self.weights), weighting, f"{words}; of {count} negative ones the absolute")


_WORDS = MappingProxyType(
    {
        "balanced": "balanced: signal and background count as much together",
        "expected": "as expected, with mean 1",
        None: "none: each simulated event counts as one",
    }
)


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingWeights:
    """What events count in a training.

    Attributes:
        events: all of them.
        values: of all, shape (event,).
        weighting: how they are scaled.
        words: the same in words.
    """

    events: TrainingEvents
    values: FloatArray
    weighting: Weighting
    words: str

    def of(self, rows: NDArray[np.bool_]) -> FloatArray | None:
        """Of some events, shape (row,), with mean 1; None for no weights.

        Raises:
            InputError: the weights of the signal or of the background have no positive sum.
        """
        return scaled(self.values[rows], self.events.signal[rows], self.weighting)


def scaled(weights: FloatArray, signal: NDArray[np.bool_], weighting: Weighting) -> FloatArray | None:
    """Weights as a classifier is given them, with mean 1, shape (event,); None for no weights.

    Args:
        weights: shape (event,).
        signal: whether it is, shape (event,).
        weighting: see `hepcuts.score`.

    Raises:
        InputError: the weights of the signal or of the background have no positive sum.

    Example:
        >>> scaled(np.array([1.0, 1.0, 8.0]), np.array([True, True, False]), "balanced")
        array([0.75, 0.75, 1.5 ])
    """
    if weighting is None:
        return None
    background, of_signal = (float(np.sum(weights[signal == kind])) for kind in (False, True))
    if min(background, of_signal) <= 0:
        kind = "signal" if of_signal <= 0 else "background"
        raise InputError(f"The weights of the {kind} that would train sum up to {min(background, of_signal):.4g}.")
    if weighting == "expected":
        return weights * (len(weights) / (background + of_signal))
    balanced: FloatArray = weights * (0.5 * len(weights) / np.where(signal, of_signal, background))
    return balanced


def separation(scores: FloatArray, events: TrainingEvents, rows: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of some events, by their weights; NaN without signal or background.

    Args:
        scores: of those events, shape (row,).
        events: all of them.
        rows: which, shape (event,).
    """
    weights, signal = events.weights[rows], events.signal[rows]
    if len(scores) == 0:
        return float("nan")
    _, at = np.unique(scores, return_inverse=True)
    s, b = (np.bincount(at, np.where(signal == kind, weights, 0.0)) for kind in (True, False))
    if not (s.sum() > 0 and b.sum() > 0):
        return float("nan")
    # Of equal scores half is right.
    return float(np.sum(b * (s.sum() - np.cumsum(s) + 0.5 * s)) / (s.sum() * b.sum()))
