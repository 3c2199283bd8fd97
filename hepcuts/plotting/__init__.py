"""Figures of samples and results, in the style of high-energy physics. They receive finished numbers.

Every function draws into axes that are given, or into a new figure, and returns the artists. None of them shows or
saves a figure, or changes matplotlib's settings.
"""

from ._stack import Distributions as Distributions
from ._style import Panel as Panel
from ._style import Panels as Panels
from .binning import BinFigure as BinFigure
from .binning import binning as binning
from .categories import CategoryFigure as CategoryFigure
from .categories import categories as categories
from .curves import ScanCurves as ScanCurves
from .curves import WindowCurves as WindowCurves
from .curves import scan as scan
from .histograms import BeforeAfter as BeforeAfter
from .histograms import before_after as before_after
from .histograms import distributions as distributions
from .impacts import ImpactBars as ImpactBars
from .impacts import PriceListBars as PriceListBars
from .impacts import impacts as impacts
from .impacts import price_list as price_list
from .interactive import CutSlider as CutSlider
from .interactive import slider as slider
from .optimization import HistoryCurves as HistoryCurves
from .optimization import LossAndGradient as LossAndGradient
from .optimization import history as history
from .optimization import loss_and_gradient as loss_and_gradient
from .phase import PhaseMap as PhaseMap
from .phase import PhasePanel as PhasePanel
from .phase import phase as phase
from .points import PointsFigure as PointsFigure
from .points import points as points
from .price import PriceBars as PriceBars
from .price import price as price
from .roc import RocCurves as RocCurves
from .roc import ThresholdCurves as ThresholdCurves
from .roc import roc as roc
from .roc import threshold_curves as threshold_curves
from .spread import SpreadCurves as SpreadCurves
from .spread import spread as spread
