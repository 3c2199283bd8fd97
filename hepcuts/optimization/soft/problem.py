"""What an optimization is asked: everything but the events."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.cuts.steps import AbstractStep
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.optimization.solvers import AbstractSolver
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import fill
from hepcuts.templates.templates import Templates


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is asked: everything but the events.

    Attributes:
        selection: the cuts of the signal region, directions known.
        goal: the objective.
        walker: the solver.
        relaxation: the step function.
        axis: axis of the signal region's observable.
        regions: control regions.
        min_background: effective simulated background events wanted.
        constraints: name to least value, see `hepcuts.optimization.soft.constraints`.
        fixed: names of thresholds that stay where they are.
        tied: groups of names of thresholds that are equal in the units of their variables.
        linear: whether all coordinates are the variables themselves.
    """

    selection: Selection
    goal: AbstractFigureOfMerit
    walker: AbstractSolver
    relaxation: AbstractStep
    axis: Any = None
    regions: tuple[Region, ...] = ()
    min_background: float = 0.0
    constraints: Mapping[str, float] | None = None
    fixed: tuple[str, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()
    linear: bool = False

    def selections(self) -> list[Selection]:
        """The selection of each region, the signal region first."""
        return [self.selection, *(region.selection(self.selection) for region in self.regions)]

    def hard_templates(self, samples: Sequence[Sample], thresholds: FloatArray) -> list[Templates]:
        """Hard templates of each region at thresholds of shape (threshold,).

        Raises:
            InputError: as `hepcuts.fill`; the thresholds cannot be those of a selection.
        """
        return self.templates_of(samples, self.selection.at(thresholds))

    def templates_of(self, samples: Sequence[Sample], hard: Selection) -> list[Templates]:
        """Hard templates of each region behind the signal region's hard selection."""
        beside = [
            fill(samples, region.selection(hard), axis=region.axis, channel=region.name) for region in self.regions
        ]
        return [fill(samples, hard, axis=self.axis), *beside]
