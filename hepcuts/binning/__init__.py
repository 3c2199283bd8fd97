"""The best bin edges of one variable, for a shape fit.

`bin_edges` does it all. Behind it:

- `hepcuts.binning.fine`: the events are laid once into fine bins, from which all others are merged;
- `hepcuts.binning.gains`: what one bin adds to a figure of merit, and what it is worth on other events;
- `hepcuts.binning.programming`: the best partition, by dynamic programming;
- `hepcuts.binning.choice`: the number of bins, on held-out events;
- `hepcuts.binning.fits`: the significance of the shape fit, and edges moved to increase it;
- `hepcuts.binning.result`: what was found.
"""

from .edges import bin_edges as bin_edges
from .result import Binning as Binning
from .result import BinningResult as BinningResult

__all__ = ["Binning", "BinningResult", "bin_edges"]
