"""The best bins of a discriminant, and categories along several.

Which one do I need? `bin_edges` finds the bins of one variable for a shape fit, in a second. `categorize` finds
categories along one or more discriminants, together with cuts, and with an observable that is fitted in each of them,
for any objective of the likelihood. Behind `bin_edges`:

- `hepcuts.binning.fine`: the events are laid once into fine bins, from which all others are merged;
- `hepcuts.merit.gains`: what one bin adds to a figure of merit, and what it is worth on other events;
- `hepcuts.templates.partitions`: the best partition, by dynamic programming;
- `hepcuts.binning.choice`: the number of bins, on held-out events;
- `hepcuts.binning.fits`: the significance of the shape fit, and edges moved to increase it;
- `hepcuts.binning.result`: what was found.

Behind `categorize`:

- `hepcuts.binning.fine_lattice`, `hepcuts.templates.lattice`: the events in fine bins of several variables;
- `hepcuts.binning.starts`: dynamic programming along one variable after the other;
- `hepcuts.binning.soft_edges`: edges as soft windows, moved along the gradient, and hard ones;
- `hepcuts.binning.judging`: the objective, with its slopes, and continued to events held out;
- `hepcuts.binning.solving`: the best categories, and the number of bins;
- `hepcuts.binning.categories_result`, `hepcuts.binning.reporting`: what was found.
"""

from .categories import categorize as categorize
from .categories_result import Candidate as Candidate
from .categories_result import Categories as Categories
from .edges import bin_edges as bin_edges
from .result import Binning as Binning
from .result import BinningResult as BinningResult

__all__ = ["Binning", "BinningResult", "Candidate", "Categories", "bin_edges", "categorize"]
