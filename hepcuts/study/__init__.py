"""The study: does the cut that minimizes binary cross-entropy maximize the significance?

Five ways to ask, and one report of all of them:

- `run`: five simulated scenarios. Every metric is scanned, and the cut that each would choose is judged by the
  discovery significance of the profile likelihood, the number that an analysis publishes.
- `phase_diagram`: known densities and no events. Over signal fraction, separation, luminosity and background
  uncertainty, what is the loss's cut worth, and how far is it from the best one?
- `cut_or_fit`: known densities; the cut of BCE, the best cut, and a fit of the score.
- `few_events`: cuts chosen on few simulated events, judged by the densities: where BCE is the better choice.
- `simulation_size`: cuts chosen on simulations of several sizes, judged by the densities they were drawn from.

`run_grids` computes the last two, and the diagrams, at the points of the report, and `write` writes it: figures,
tables, JSON, and a page in Markdown and in HTML.
"""

from hepcuts.scanning.optima import Choice as Choice

from .few_events import RULES_OF_FEW as RULES_OF_FEW
from .few_events import FewEvents as FewEvents
from .few_events import few_events as few_events
from .founding import CutOrFit as CutOrFit
from .founding import cut_or_fit as cut_or_fit
from .grids import Comparison as Comparison
from .grids import PhaseDiagram as PhaseDiagram
from .grids import phase_diagram as phase_diagram
from .overview import Grids as Grids
from .overview import run_grids as run_grids
from .report import write as write
from .report import write_numbers as write_numbers
from .scenarios import CUTS as CUTS
from .scenarios import METRICS as METRICS
from .scenarios import Case as Case
from .scenarios import choices as choices
from .scenarios import drawings as drawings
from .scenarios import run as run
from .scenarios import summary as summary
from .scenarios import to_json as to_json
from .simulation import RULES as RULES
from .simulation import Rule as Rule
from .simulation import SimulationSize as SimulationSize
from .simulation import simulation_size as simulation_size

__all__ = [
    "CUTS",
    "METRICS",
    "RULES",
    "RULES_OF_FEW",
    "Case",
    "Choice",
    "Comparison",
    "CutOrFit",
    "FewEvents",
    "Grids",
    "PhaseDiagram",
    "Rule",
    "SimulationSize",
    "choices",
    "cut_or_fit",
    "drawings",
    "few_events",
    "phase_diagram",
    "run",
    "run_grids",
    "simulation_size",
    "summary",
    "to_json",
    "write",
    "write_numbers",
]
