"""The least background at each of several signal efficiencies: soft cuts of all working points solved together.

Working points are not independent questions. What the events say about one of them is a little different for its
neighbor by fluctuation alone, and cuts that go to and fro along the efficiency are hard to defend. So the points are
one problem (`curve`): minimize the mean over points of the logarithm of the background, plus a penalty on the curvature
of each threshold along the efficiency, with the signal efficiency of each point given. Where the best cuts change their
kind, since a variable that was of no use begins to be worth its signal, thresholds jump (`branches`); there the penalty
is cut.
"""

from .branches import solve as solve
from .curve import Curve as Curve
from .hard import Efficiencies as Efficiencies
from .hard import HardSelections as HardSelections
from .hard import efficiencies_of as efficiencies_of
from .result import WorkingPoints as WorkingPoints
