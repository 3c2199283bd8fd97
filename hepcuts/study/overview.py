"""All grids of the study: which points they have, and their numbers in short."""

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.progress import steps

from .few_events import RULES_OF_FEW, FewEvents, few_events
from .grids import PhaseDiagram, phase_diagram
from .simulation import SimulationSize, interval, simulation_size

EVENTS = (1e3, 1e5)
"""Expected events before the cut of the phase diagrams."""
UNCERTAINTIES = (0.0, 0.05, 0.2)
"""Relative uncertainties of the background of the phase diagrams."""
SEPARATIONS: Mapping[str, tuple[float, float]] = MappingProxyType({"normal": (0.25, 5.0), "exponential": (0.5, 7.0)})
"""Smallest and largest separation of the phase diagrams of each family, in sigma."""
POINTS: tuple[tuple[str, float, float], ...] = (
    ("normal", 1 / 11, 1.0),
    ("normal", 0.01, 3.0),
    ("exponential", 1 / 3, 5.0),
    ("exponential", 0.01, 6.0),
)
"""Family, signal fraction and separation of the diagrams of luminosity and background uncertainty."""
SCENARIOS_OF_SIZE = ("gauss40x10-gauss50x10", "exp10-gauss50x10", "exp10-exp100")
"""Scenarios of which the size of the simulation is studied if none is named."""

NOTHING = 1e-3
"""Behind a cut with a smaller efficiency for the signal there is "nothing"."""


@dataclasses.dataclass(frozen=True)
class Resolution:
    """How fine the grids are.

    Attributes:
        shape: points along x and y of a diagram.
        sizes: simulated events of each of signal and background.
        repetitions: independent simulations of each size.
        repetitions_of_few: the same of few events, whose simulation takes no time.
    """

    shape: tuple[int, int]
    sizes: tuple[int, ...]
    repetitions: int
    repetitions_of_few: int


FULL = Resolution((49, 40), (100, 300, 1000, 3000, 10_000, 30_000, 100_000), 20, 200)
QUICK = Resolution((17, 14), (100, 1000, 10_000), 5, 20)


@dataclasses.dataclass(frozen=True, eq=False)
class Grids:
    """All grids.

    Attributes:
        phases: over signal fraction and separation; for each family all events and uncertainties.
        luminosities: over luminosity and background uncertainty, at `POINTS`.
        simulations: over the size of the simulation, for each scenario.
        few: what rules choose on few simulated events.
        resolution: how fine they are.
    """

    phases: tuple[PhaseDiagram, ...]
    luminosities: tuple[PhaseDiagram, ...]
    simulations: tuple[SimulationSize, ...]
    few: FewEvents
    resolution: Resolution


def run_grids(names: Iterable[str] | None = None, *, seed: int = 1, quick: bool = False) -> Grids:
    """Compute all grids.

    Args:
        names: scenarios of which the size of the simulation is studied, or None for three of them.
        seed: seed of the simulations; the diagrams come from densities.
        quick: coarse grids.

    Raises:
        InputError: an unknown scenario.

    Example:
        >>> found = run_grids([], quick=True)
        >>> len(found.phases), found.phases[0].best_cut.shape
        (12, (14, 17))
    """
    resolution = QUICK if quick else FULL
    chosen = list(SCENARIOS_OF_SIZE if names is None else names)
    cases = [(family, n, u) for family in SEPARATIONS for n in EVENTS for u in UNCERTAINTIES]
    shown = steps(cases, "phase diagrams")
    phases = [_phase(family, n, u, resolution.shape) for family, n, u in shown]
    luminosities = [_luminosity(family, f, d, resolution.shape) for family, f, d in POINTS]
    simulations = [
        simulation_size(name, sizes=resolution.sizes, repetitions=resolution.repetitions, seed=seed) for name in chosen
    ]
    few = few_events(repetitions=resolution.repetitions_of_few, seed=seed)
    return Grids(tuple(phases), tuple(luminosities), tuple(simulations), few, resolution)


def _phase(family: str, events: float, uncertainty: float, shape: tuple[int, int]) -> PhaseDiagram:
    odds = np.geomspace(1e-4, 9.0, shape[0])
    return phase_diagram(
        family,
        x=("signal_fraction", odds / (1.0 + odds)),
        y=("separation", np.linspace(*SEPARATIONS[family], shape[1])),
        fixed={"events": events, "relative_uncertainty": uncertainty},
    )


def _luminosity(family: str, fraction: float, separation: float, shape: tuple[int, int]) -> PhaseDiagram:
    return phase_diagram(
        family,
        x=("events", np.geomspace(1e2, 1e6, shape[0])),
        y=("relative_uncertainty", np.geomspace(0.005, 0.5, shape[1])),
        fixed={"signal_fraction": fraction, "separation": separation},
    )


@dataclasses.dataclass(frozen=True)
class Share:
    """A diagram in short; shares are of its points.

    Attributes:
        median: median of Z at the loss's cut over the best Z.
        worst: the smallest.
        good: share with at least 95 %.
        bad: share with less than 50 %.
        too_hard: share where the loss cuts harder than the best cut.
        nothing: share where the loss accepts less than `NOTHING` of the signal.
    """

    median: float
    worst: float
    good: float
    bad: float
    too_hard: float
    nothing: float


def share(diagram: PhaseDiagram, loss: str) -> Share:
    """The numbers of one loss over one diagram.

    Args:
        diagram: from `phase_diagram`.
        loss: a key of its comparisons.
    """
    found = diagram.comparisons[loss]
    return Share(
        float(np.median(found.ratio)),
        float(found.ratio.min()),
        float(np.mean(found.ratio >= 0.95)),
        float(np.mean(found.ratio < 0.5)),
        float(np.mean(found.distance > 0)),
        float(np.mean(found.signal_efficiency < NOTHING)),
    )


def grids_to_json(grids: Grids) -> dict[str, Any]:
    """The grids as JSON: the diagrams in short (their points are in tables), the simulations in full."""
    return {
        "phase_diagrams": [_diagram_to_json(diagram) for diagram in (*grids.phases, *grids.luminosities)],
        "few_events": _few_to_json(grids.few),
        "simulation_size": [_simulation_to_json(found) for found in grids.simulations],
    }


def _few_to_json(found: FewEvents) -> dict[str, Any]:
    return {
        "ratios": found.ratios.tolist(),
        "sizes": found.sizes.tolist(),
        "rules": {
            rule: {"worth": worth.tolist(), "uncertainty": uncertainty.tolist()}
            for rule, worth, uncertainty in zip(RULES_OF_FEW, found.worth, found.uncertainty, strict=True)
        },
    }


def _diagram_to_json(diagram: PhaseDiagram) -> dict[str, Any]:
    return {
        "family": diagram.family.name,
        "x": {"name": diagram.x[0], "values": diagram.x[1].tolist()},
        "y": {"name": diagram.y[0], "values": diagram.y[1].tolist()},
        "fixed": dict(diagram.fixed),
        "losses": {loss: dataclasses.asdict(share(diagram, loss)) for loss in diagram.comparisons},
    }


def _simulation_to_json(found: SimulationSize) -> dict[str, Any]:
    quantities = {
        "cut": found.cuts,
        "worth": found.worth,
        "worth_with_simulation": found.worth_with_simulation,
        "optimism": found.optimism(),
    }
    return {
        "scenario": found.scenario,
        "sizes": found.sizes.tolist(),
        "best_cut": found.best_cut,
        "best_significance": found.best_significance,
        "best_cut_with_simulation": _null_for_nan(found.best_cut_with_simulation),
        "best_cut_gaussian": _null_for_nan(found.best_cut_gaussian),
        "rules": [
            dataclasses.asdict(rule)
            | {name: _null_for_nan(values[i]) for name, values in quantities.items()}
            | {f"{name}_interval": _null_for_nan(interval(values)[:, i]) for name, values in quantities.items()}
            for i, rule in enumerate(found.rules)
        ],
    }


def _null_for_nan(values: Any) -> list[Any]:
    """Nested lists, with null where there is no number."""
    known = np.array(values, dtype=object)
    known[~np.isfinite(values)] = None
    rows: list[Any] = known.tolist()
    return rows
