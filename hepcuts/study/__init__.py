"""The study: does the cut that minimizes binary cross-entropy maximize the significance?

Three ways to ask, and one report of all of them:

- `run`: five simulated scenarios. Every metric is scanned, and the cut that each would choose is judged by the
  discovery significance of the profile likelihood, the number that an analysis publishes.
- `phase_diagram`: known densities and no events. Over signal fraction, separation, luminosity and background
  uncertainty, what is the loss's cut worth, and how far is it from the best one?
- `simulation_size`: cuts chosen on simulations of several sizes, judged by the densities they were drawn from.

`run_grids` computes the last two at the points of the report, and `write` writes it: figures, tables, JSON, and a page
in Markdown and in HTML.
"""

from hepcuts.scanning.optima import Choice as Choice

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
    "Case",
    "Choice",
    "Comparison",
    "Grids",
    "PhaseDiagram",
    "Rule",
    "SimulationSize",
    "choices",
    "drawings",
    "phase_diagram",
    "run",
    "run_grids",
    "simulation_size",
    "summary",
    "to_json",
    "write",
    "write_numbers",
]
