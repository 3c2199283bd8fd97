"""hepcuts: choose selection cuts by the significance that the analysis will publish."""

from . import classification as classification
from . import counting as counting
from . import datasets as datasets
from ._version import __version__ as __version__
from .cuts import Cut as Cut
from .cuts import Selection as Selection
from .cuts import Window as Window
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
from .samples import Sample as Sample
from .scan import scan as scan
from .workspace import workspace as workspace

__all__ = [
    "Cut",
    "HistFactory",
    "HistoSys",
    "Lumi",
    "NormFactor",
    "NormSys",
    "Sample",
    "Selection",
    "ShapeSys",
    "Window",
    "__version__",
    "classification",
    "counting",
    "datasets",
    "discovery_significance",
    "discovery_test",
    "fill",
    "optimize",
    "scan",
    "workspace",
]


def __dir__() -> list[str]:
    return __all__
