"""What a record asks of a result: `hepcuts.optimization.result.OptimizationResult` has it."""

from collections.abc import Mapping
from typing import Any, Protocol

from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.evaluation.bootstrap import Bootstrap, Optimism
from hepcuts.evaluation.evaluation import HardEvaluation
from hepcuts.evaluation.presentation import DropOneTable
from hepcuts.optimization.history import History
from hepcuts.optimization.sensitivity import Sensitivity
from hepcuts.samples.sample import Sample


class RecordedResult(Protocol):
    """An optimization that can be written; each attribute as in `hepcuts.optimization.result.OptimizationResult`."""

    @property
    def history(self) -> History:
        """The steps of the search."""

    @property
    def label(self) -> str:
        """Label of the objective, in mathtext."""

    @property
    def hard_thresholds(self) -> dict[str, float | None]:
        """Name of each threshold of the search to that of the hard cuts; None if it was given up."""

    @property
    def quoted_value(self) -> float:
        """The objective that is quoted."""

    @property
    def held_out(self) -> HardEvaluation | None:
        """What the cuts are worth on events that did not choose them, or None."""

    @property
    def selection(self) -> Selection:
        """The cuts."""

    @property
    def given_up(self) -> tuple[str, ...]:
        """Names of thresholds that were given up."""

    @property
    def objective(self) -> str:
        """Name of the objective."""

    @property
    def soft_value(self) -> float:
        """Its value with soft cuts, of the events that chose."""

    @property
    def training(self) -> HardEvaluation:
        """What the cuts are worth on the events that chose them."""

    @property
    def quoted(self) -> HardEvaluation:
        """What they are worth on the events that are quoted."""

    @property
    def few_events(self) -> bool:
        """Whether these are fewer than the search kept on its own."""

    @property
    def validated(self) -> float | None:
        """The objective in the cross-validation."""

    @property
    def success(self) -> bool:
        """Whether the search converged."""

    @property
    def interrupted(self) -> bool:
        """Whether it was interrupted."""

    @property
    def message(self) -> str:
        """Why it stopped."""

    @property
    def num_steps(self) -> int:
        """Its steps."""

    @property
    def min_background(self) -> float:
        """Effective background events that it was to keep."""

    @property
    def seed(self) -> int:
        """The seed."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What was asked."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The events that are quoted."""

    @property
    def axis(self) -> Any:
        """Axis of the fit, or None."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """Control regions."""

    @property
    def bootstrap(self) -> Bootstrap | None:
        """Uncertainties of what is quoted."""

    @property
    def optimism(self) -> Optimism | None:
        """How much better the cuts look on the events that chose them."""

    @property
    def hidden(self) -> tuple[str, ...]:
        """Systematics that happen to vanish at these cuts, in words."""

    @property
    def sensitivity(self) -> Sensitivity:
        """How much each threshold matters."""

    def drop_one(self, **options: Any) -> DropOneTable:
        """The N-1 table."""
