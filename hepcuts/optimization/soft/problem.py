"""What an optimization is asked: everything but the events."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hepcuts._core import checks
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region, regions_of
from hepcuts.cuts.steps import AbstractStep
from hepcuts.cuts.steps import step as find_step
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.optimization.options import DEFAULT_TUNING, Tuning
from hepcuts.optimization.solvers import AbstractSolver
from hepcuts.optimization.solvers import solver as find_solver
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import fill
from hepcuts.templates.simulated import FEW_EVENTS
from hepcuts.templates.templates import Templates


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is asked: everything but the events.

    Attributes:
        selection: the cuts of the signal region, directions known.
        objective: what is made large, or small if it is a loss.
        solver: of each stage.
        step: the step function of the soft cuts.
        axis: axis of the signal region's observable.
        regions: control regions.
        min_background: effective simulated background events wanted.
        constraints: name to least value, see `hepcuts.optimization.soft.constraints`.
        fixed: names of thresholds that stay where they are.
        tied: groups of names of thresholds that are equal in the units of their variables.
        linear: whether all coordinates are the variables themselves.
        tuning: the numbers that steer the search.
    """

    selection: Selection
    objective: AbstractFigureOfMerit
    solver: AbstractSolver
    step: AbstractStep
    axis: Any = None
    regions: tuple[Region, ...] = ()
    min_background: float = 0.0
    constraints: Mapping[str, float] | None = None
    fixed: tuple[str, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()
    linear: bool = False
    tuning: Tuning = DEFAULT_TUNING

    @classmethod
    def of(
        cls,
        selection: Selection,
        objective: AbstractFigureOfMerit,
        *,
        solver: str | AbstractSolver = "lbfgs",
        step: str | AbstractStep = "sigmoid",
        axis: Any = None,
        regions: Iterable[Region] | Region = (),
        min_background: float = FEW_EVENTS,
        constraints: Mapping[str, float] | None = None,
        fixed: Iterable[str] | str = (),
        tied: Iterable[Sequence[str]] = (),
        tuning: Tuning | None = None,
    ) -> "Problem":
        """A problem as a user asks it: names instead of objects, one name instead of several.

        Raises:
            InputError: a number or names that make no sense, or an unknown solver or step.
        """
        chosen = find_solver(solver)
        return cls(
            selection,
            objective,
            chosen,
            find_step(step),
            axis,
            regions_of(regions),
            checks.min_background(min_background),
            constraints,
            checks.names("fixed", fixed),
            checks.groups("tied", tied),
            linear=chosen.unit == "variable",
            tuning=DEFAULT_TUNING if tuning is None else tuning,
        )

    @property
    def parts(self) -> dict[str, Any]:
        """All that can be told from another problem, by name.

        The stages are among the options of a descent, as they are gone through; and the solver says whether coordinates
        are linear.
        """
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "linear"}
        anneal = dataclasses.replace(self.tuning.anneal, stages=None)
        return parts | {"tuning": dataclasses.replace(self.tuning, anneal=anneal)}

    def selections(self) -> list[Selection]:
        """The selection of each region, the signal region first."""
        return [self.selection, *(region.selection(self.selection) for region in self.regions)]

    def templates_of(self, samples: Sequence[Sample], hard: Selection) -> list[Templates]:
        """Hard templates of each region after the signal region's hard selection.

        Raises:
            InputError: as `hepcuts.fill`.
        """
        beside = [
            fill(samples, region.selection(hard), axis=region.axis, channel=region.name) for region in self.regions
        ]
        return [fill(samples, hard, axis=self.axis), *beside]
