"""Cuts and selections: what an event has to pass, as a hard mask or as a soft pass weight.

A selection has two readings. *Hard*: a boolean mask, ``x > threshold``, the numbers one quotes. *Soft*: a pass weight
between 0 and 1, differentiable in the thresholds, the way to find them. Which cut do I need?

- `Cut`: one side of a threshold.
- `Window`: between two thresholds.
- `SlidingCut`: one side of a threshold that depends on another variable.
- `OneOf`: equal to one of some whole numbers, or to none of them; it has no threshold to be found.
- `Not`, made with ``~cut``: the events that a cut removes, as for a control region.

A new kind of cut is a new class derived from `AbstractCut`. It can be filled and evaluated; if it gives its `edges`, it
can be optimized, too.
"""

from .discrete import OneOf as OneOf
from .edges import CutEdge as CutEdge
from .kinds import Cut as Cut
from .kinds import Window as Window
from .selection import AbstractCut as AbstractCut
from .selection import Not as Not
from .selection import Selection as Selection
from .sliding import SlidingCut as SlidingCut
