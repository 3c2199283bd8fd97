"""The figures of the grids: finished numbers are arranged in panels."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts import plotting
from hepcuts.merit.theory import agreement
from hepcuts.samples.datasets import SCENARIOS, Scenario

from .grids import DECISIONS, PARAMETERS, PhaseDiagram
from .overview import NOTHING, Grids
from .sentences import percent
from .simulation import SimulationSize, interval

SCENARIO_OF: Mapping[str, str] = MappingProxyType(
    {"normal": "gauss40x10-gauss50x10", "exponential": "exp10-gauss50x10"}
)
"""The scenario of `hepcuts.samples.datasets` whose densities are those of a family."""

_AXES = MappingProxyType(
    {"signal_fraction": "logit", "separation": "linear", "events": "log", "relative_uncertainty": "log"}
)


def phase_drawings(grids: Grids) -> dict[str, Any]:
    """Phase diagrams by name: for each family and loss, what its cut is worth, and how far it is from the best."""
    drawn = {}
    for family in dict.fromkeys(diagram.family.name for diagram in grids.phases):
        diagrams = [diagram for diagram in grids.phases if diagram.family.name == family]
        for loss in DECISIONS:
            drawn[f"phase-{family}-{loss}-ratio"] = _ratio(diagrams, loss)
            drawn[f"phase-{family}-{loss}-distance"] = _distance(diagrams, loss)
    return drawn


def luminosity_drawing(grids: Grids) -> Any:
    """What BCE's cut is worth, over luminosity and background uncertainty."""
    return _ratio(grids.luminosities, "bce", columns=2)


def simulation_drawings(found: SimulationSize) -> dict[str, Any]:
    """The figures of one scenario by kind: chosen cuts, their worth, and their worth with the simulation's part."""
    labels = [rule.label for rule in found.rules]

    def draw(values: Any, ylabel: str, reference: float) -> Any:
        return plotting.spread(
            found.sizes,
            {label: interval(values)[:, i] for i, label in enumerate(labels)},
            xlabel="Simulated events of each of signal and background",
            ylabel=ylabel,
            title=found.scenario,
            reference=reference,
        )

    return {
        "cut": draw(found.cuts, "Chosen cut on x", found.best_cut),
        "worth": draw(found.worth, "True $Z$ at the cut / best true $Z$", 1.0),
        "worth-with-simulation": draw(
            found.worth_with_simulation, r"True $Z$ with the simulation's $\sigma_B$ / its best", 1.0
        ),
    }


def _ratio(diagrams: Sequence[PhaseDiagram], loss: str, *, columns: int = 3) -> Any:
    panels = [_panel(diagram, loss, diagram.comparisons[loss].ratio) for diagram in diagrams]
    return plotting.phase(
        panels, label=f"$Z$ at the cut of {DECISIONS[loss]} / best $Z$", columns=columns, **_axes(diagrams[0])
    )


def _distance(diagrams: Sequence[PhaseDiagram], loss: str) -> Any:
    panels = [_panel(diagram, loss, diagram.comparisons[loss].distance) for diagram in diagrams]
    label = rf"(cut of {DECISIONS[loss]} $-$ best cut) / $\sigma$"
    return plotting.phase(panels, label=label, limits=(-3.0, 3.0), diverging=True, **_axes(diagrams[0]))


def _axes(diagram: PhaseDiagram) -> dict[str, Any]:
    x, y = diagram.x[0], diagram.y[0]
    return {"xlabel": PARAMETERS[x], "ylabel": PARAMETERS[y], "xscale": _AXES[x], "yscale": _AXES[y]}


def _panel(diagram: PhaseDiagram, loss: str, values: Any) -> plotting.PhasePanel:
    found = diagram.comparisons[loss]
    lines = {"the two cuts agree": (found.distance, 0.0)}
    if loss == "bce":
        # A statement about a cut: where all or nothing is accepted there is none.
        behind = np.where(np.isfinite(found.cut), found.signal_over_background, np.nan)
        lines[f"$S/B$ = {agreement():.3f} after the cut of BCE"] = (behind, agreement())
        lines[f"BCE accepts {percent(NOTHING, 1)} of the signal"] = (found.signal_efficiency, NOTHING)
    points = {}
    if "separation" not in diagram.fixed:
        points[f"scenario {SCENARIO_OF[diagram.family.name]}"] = _place(SCENARIOS[SCENARIO_OF[diagram.family.name]])
    return plotting.PhasePanel(diagram.x[1], diagram.y[1], values, title=_title(diagram), lines=lines, points=points)


def _place(truth: Scenario) -> tuple[float, float]:
    """Signal fraction and separation of a scenario, in units of its signal's standard deviation."""
    mean, sigma = truth.signal.parameters
    fraction = truth.signal.size / (truth.signal.size + truth.background.size)
    return fraction, (mean - truth.background.parameters[0]) / sigma


def _title(diagram: PhaseDiagram) -> str:
    fixed = diagram.fixed
    if "separation" in fixed:
        return (
            f"{diagram.family.name}, signal fraction {fixed['signal_fraction']:.2g}, "
            rf"separation {fixed['separation']:g}$\,\sigma$"
        )
    uncertainty = fixed["relative_uncertainty"]
    about = rf"$\sigma_B/B$ = {percent(uncertainty)}" if uncertainty else "$B$ known"
    return f"{fixed['events']:.0f} events, {about}"
