"""hepcuts: choose selection cuts by the significance that the analysis will publish."""

from . import classification as classification
from . import counting as counting
from . import datasets as datasets
from . import discriminant as discriminant
from ._version import __version__ as __version__
from .binning import bin_edges as bin_edges
from .binning import categorize as categorize
from .cuts import Cut as Cut
from .cuts import Selection as Selection
from .cuts import SlidingCut as SlidingCut
from .cuts import Window as Window
from .discriminant import Discriminant as Discriminant
from .filling import fill as fill
from .histfactory import HistFactory as HistFactory
from .histfactory import discovery_significance as discovery_significance
from .histfactory import discovery_test as discovery_test
from .modifiers import HistoSys as HistoSys
from .modifiers import Lumi as Lumi
from .modifiers import NormFactor as NormFactor
from .modifiers import NormSys as NormSys
from .modifiers import ShapeSys as ShapeSys
from .optimize import optimize as optimize
from .regions import Region as Region
from .samples import Sample as Sample
from .scan import scan as scan
from .training import train as train
from .working_points import working_points as working_points
from .workspace import workspace as workspace

__all__ = [
    "Cut",
    "Discriminant",
    "HistFactory",
    "HistoSys",
    "Lumi",
    "NormFactor",
    "NormSys",
    "Region",
    "Sample",
    "Selection",
    "ShapeSys",
    "SlidingCut",
    "Window",
    "__version__",
    "bin_edges",
    "categorize",
    "classification",
    "counting",
    "datasets",
    "discovery_significance",
    "discovery_test",
    "discriminant",
    "fill",
    "optimize",
    "scan",
    "train",
    "working_points",
    "workspace",
]


def __dir__() -> list[str]:
    return __all__
