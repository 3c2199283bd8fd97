"""What figures ask of the results that they draw.

Figures stand below the searches that find results: they know none of their classes, only the attributes listed here.
Anything that has them can be drawn.
"""

from .bins import BinningView as BinningView
from .bins import BinsView as BinsView
from .bins import CategoriesView as CategoriesView
from .bins import CategorizationView as CategorizationView
from .impacts import ImpactsView as ImpactsView
from .impacts import PriceListView as PriceListView
from .optimization import EfficienciesView as EfficienciesView
from .optimization import HistoryView as HistoryView
from .optimization import LandscapeView as LandscapeView
from .optimization import OptimizationView as OptimizationView
from .optimization import WorkingPointsView as WorkingPointsView
from .points import PointsView as PointsView
from .points import PointView as PointView
from .price import PriceView as PriceView
from .requirement import require as require
from .scan import MeritView as MeritView
from .scan import OptimumView as OptimumView
from .scan import ScanView as ScanView
from .scan import YieldsView as YieldsView
