"""The posterior of each event: the score itself, or what the events of the other folds make of it."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.evaluation.resampling import Folds
from hepcuts.samples.derived import with_derived
from hepcuts.samples.sample import Sample

from .reliability import Calibration, Isotonic, Scored, calibration

SUSPICIOUS = 0.01
"""p-value of the calibration below which a score is calibrated; chosen by hand."""

_COLUMN = "posterior of {}"


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior:
    """The posterior of each event.

    Attributes:
        samples: with a column for it.
        column: the name of that.
        map: from score to posterior, of all events; None if the score is the posterior.
        calibration: of the score as it came, or None.
    """

    samples: tuple[Sample, ...]
    column: str
    map: Isotonic | None
    calibration: Calibration | None

    @classmethod
    def of(cls, samples: tuple[Sample, ...], score: str, calibrate: bool | None, folds: Folds) -> "Posterior":
        """Of a score, calibrated if that is asked for, or if it is None and the score is no posterior.

        Raises:
            InputError: the score goes beyond 0 to 1 and shall not be calibrated.
        """
        events = Scored.of(samples, score)
        told = calibration(samples, score) if events.in_range else None
        if calibrate is False and told is None:
            raise InputError(f"The score {score!r} goes beyond 0 to 1 and is no posterior; leave calibrate out.")
        if not (calibrate or (calibrate is None and (told is None or told.p_value < SUSPICIOUS))):
            return cls(samples, score, None, told)
        parts = [folds.part(sample.identity) for sample in samples]
        maps = [Isotonic.of(Scored.of(samples, score, [part != n for part in parts])) for n in range(folds.size)]
        column = _COLUMN.format(score)
        known = tuple(_calibrated(s, score, column, maps, part) for s, part in zip(samples, parts, strict=True))
        return cls(known, column, Isotonic.of(events), told)

    def on_score(self, posterior: float) -> float:
        """The cut on the score that is this cut on the posterior."""
        return posterior if self.map is None else self.map.threshold(posterior)


def _calibrated(sample: Sample, score: str, column: str, maps: Sequence[Isotonic], part: NDArray[np.int64]) -> Sample:
    """A sample with the posterior as one more column; systematic variations that change the score change it."""

    def posterior(scores: FloatArray) -> FloatArray:
        return np.choose(part, [of_fold(scores) for of_fold in maps])

    return with_derived(sample, column, lambda columns: posterior(np.asarray(columns[score])), [score])
