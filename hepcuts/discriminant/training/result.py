"""What a training found, how it went, and what the discriminant with its cuts is worth."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts.cuts import Selection
from hepcuts.discriminant import Discriminant
from hepcuts.evaluation.evaluation import HardEvaluation
from hepcuts.merit.rounds import Rounds
from hepcuts.optimization.history import History
from hepcuts.optimization.result import OptimizationResult
from hepcuts.samples.sample import Sample


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TrainingResult(Tabular):
    """A trained discriminant with the cuts on it and beside it.

    Attributes:
        discriminant: with the parameters that were found, its score in units of its spread.
        optimization: the cuts, found with the score as a column, and what they are worth.
        objective: what was trained on.
        validated: the objective at the parameters that were kept, after soft cuts of the last stage, on the events
            that validate (on those that trained if there were none); NaN for a classification loss.
        warm_start: the same at the parameters that BCE gave; NaN for a classification loss.
        rounds: those of a weighted BCE whose weight was to be found, the cut being one on the logarithm of the odds
            without offset; or None.
        history: all steps. Stage 0 is BCE, with its values, the others are those of the widths; values are the
            objective with its guards. Values of different stages are of different widths and not comparable.
        success: whether no stage of the training failed and the cuts were found.
        message: why the training stopped.
        seed: of the splits, drawn from a generator if one was given.
    """

    discriminant: Discriminant
    optimization: OptimizationResult
    objective: str
    validated: float
    warm_start: float
    rounds: Rounds | None
    history: History
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

    def to_dataframe(self) -> DataFrame:
        """The history with one row for each step: stage (``"bce"``, or its number), and values in both parts."""
        stages = ["bce" if stage == 0 else str(stage) for stage in self.history.stages]
        validation = self.history.validation
        return data_frame({"stage": stages, "training": self.history.values, "validation": validation})

    def overview(self) -> SummaryTable:
        """The training, and what the search for the cuts knows."""
        return self._below(self.optimization.overview())

    def summary(self) -> SummaryTable:
        """The training, and the summary of the search for the cuts."""
        return self._below(self.optimization.summary())

    def _below(self, cuts: SummaryTable) -> SummaryTable:
        """Rows of the training above those of the cuts."""
        kept = f"{self.validated:.6g} (of the warm start: {self.warm_start:.6g})"
        trained = [] if np.isnan(self.validated) else [("validated", kept)]
        found = self.rounds
        weighted = (
            []
            if found is None
            else [
                (
                    "weight of background",
                    f"{found.background_weight:.4g} after {len(found.rounds)} rounds; {found.message}",
                )
            ]
        )
        rows = [
            ("discriminant", repr(self.discriminant)),
            (f"trained on {self.objective}", f"{self.message} ({self.num_steps} steps)"),
            *weighted,
            *trained,
            *cuts.rows,
        ]
        return SummaryTable("Trained discriminant", rows, foot=cuts.foot)
