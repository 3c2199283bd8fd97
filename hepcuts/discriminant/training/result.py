"""What a training found, how it went, and what the discriminant with its cuts is worth."""

import dataclasses
import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hepcuts.cuts import Selection
from hepcuts.discriminant import Discriminant
from hepcuts.evaluation.evaluation import HardEvaluation
from hepcuts.optimization.result import OptimizationResult
from hepcuts.samples.sample import Sample


@dataclasses.dataclass(frozen=True)
class Row:
    """One step.

    Attributes:
        stage: ``"bce"``, or the number of the stage of widths from 1 on.
        training: BCE or objective, with its guards, on the events that train.
        validation: the same on the events that validate; NaN if there are none.
    """

    stage: str
    training: float
    validation: float


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained discriminant with the cuts on it and beside it.

    Attributes:
        discriminant: with the parameters that were found, its score in units of its spread.
        optimization: the cuts, found with the score as a column, and what they are worth.
        objective: what was trained on.
        validated: the objective at the parameters that were kept, behind soft cuts of the last stage, on the events
            that validate (on those that trained if there were none); NaN for a classification loss.
        warm_start: the same at the parameters that BCE gave; NaN for a classification loss.
        history: all steps. Values of different stages are of different widths and not comparable.
        success: whether no stage of the training failed and the cuts were found.
        message: why the training stopped.
        seed: of the splits, drawn from a generator if one was given.
    """

    discriminant: Discriminant
    optimization: OptimizationResult
    objective: str
    validated: float
    warm_start: float
    history: Sequence[Row]
    success: bool
    message: str
    seed: int

    @property
    def selection(self) -> Selection:
        """The hard selection, for samples with the score (`samples`)."""
        return self.optimization.selection

    @property
    def thresholds(self) -> dict[str, Any]:
        """Thresholds by variable, see `hepcuts.optimization.result.OptimizationResult`."""
        return self.optimization.thresholds

    @property
    def quoted(self) -> HardEvaluation:
        """What to quote: on held-out events if there are any."""
        return self.optimization.quoted

    @property
    def significance(self) -> float:
        """Discovery significance at the hard cuts, on held-out events if there are any."""
        return self.optimization.significance

    @property
    def num_steps(self) -> int:
        """Number of steps of the training."""
        return len(self.history)

    def samples(self, samples: Sequence[Sample]) -> tuple[Sample, ...]:
        """Samples with the score as one more column; see `Discriminant.samples`."""
        return self.discriminant.samples(samples)

    def to_dataframe(self) -> pd.DataFrame:
        """The history with one row for each step."""
        return pd.DataFrame([dataclasses.asdict(row) for row in self.history])

    def rows(self) -> list[tuple[str, str]]:
        """The summary as pairs of label and text."""
        kept = f"{self.validated:.6g} (of the warm start: {self.warm_start:.6g})"
        trained = [] if np.isnan(self.validated) else [("validated", kept)]
        return [
            ("discriminant", repr(self.discriminant)),
            (f"trained on {self.objective}", f"{self.message} ({self.num_steps} steps)"),
            *trained,
            *self.optimization.rows(),
        ]

    def __repr__(self) -> str:
        return "\n".join(["Trained discriminant", *(f"  {label:<24s} {text}" for label, text in self.rows())])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{html.escape(label)}</th><td>{html.escape(text)}</td></tr>" for label, text in self.rows()
        )
        return f"<table><caption>Trained discriminant</caption>{cells}</table>"
