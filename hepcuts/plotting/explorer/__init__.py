"""A scan as a page to explore: one HTML file with the distributions, the metrics and a cut to drag.

The page needs a browser and nothing else: no server, no network, no Python. It shows the numbers of the result, none
of its own.
"""

from .document import page as page
from .document import write as write
