"""hepcuts: choose selection cuts by the significance that the analysis will publish.

Nothing is loaded before it is used: a name below is fetched from its home at the first access.
"""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; a test holds it to the tables below
    from . import discriminant as discriminant
    from . import plotting as plotting
    from . import study as study
    from ._core import errors as errors
    from ._core import executors as executors
    from ._core.version import __version__ as __version__
    from .binning import bin_edges as bin_edges
    from .binning import categorize as categorize
    from .cuts import Cut as Cut
    from .cuts import OneOf as OneOf
    from .cuts import Selection as Selection
    from .cuts import SlidingCut as SlidingCut
    from .cuts import Window as Window
    from .cuts.regions import Region as Region
    from .discriminant import Discriminant as Discriminant
    from .discriminant.scores import score as score
    from .discriminant.training.train import train as train
    from .evaluation.cutflow import cutflow as cutflow
    from .evaluation.impacts import impacts as impacts
    from .evaluation.prices import prices as prices
    from .histfactory import HistFactory as HistFactory
    from .histfactory import discovery_significance as discovery_significance
    from .histfactory import discovery_test as discovery_test
    from .histfactory import exporting as export
    from .merit import classification as classification
    from .merit import counting as counting
    from .merit import theory as theory
    from .optimization.optimize import optimize as optimize
    from .optimization.record.reading import read_result as read_result
    from .optimization.working_points.search import working_points as working_points
    from .plotting import explorer as explorer
    from .samples import datasets as datasets
    from .samples import readers as io
    from .samples.envelopes import envelope as envelope
    from .samples.histogram import Histogram as Histogram
    from .samples.modifiers import HistoSys as HistoSys
    from .samples.modifiers import Lumi as Lumi
    from .samples.modifiers import NormFactor as NormFactor
    from .samples.modifiers import NormSys as NormSys
    from .samples.modifiers import ShapeSys as ShapeSys
    from .samples.sample import Sample as Sample
    from .scanning.scan import scan as scan
    from .templates.filling import fill as fill
    from .templates.workspace import workspace as workspace

_NAMES = MappingProxyType(
    {
        "Cut": "cuts",
        "Discriminant": "discriminant",
        "HistFactory": "histfactory",
        "Histogram": "samples.histogram",
        "HistoSys": "samples.modifiers",
        "Lumi": "samples.modifiers",
        "NormFactor": "samples.modifiers",
        "NormSys": "samples.modifiers",
        "OneOf": "cuts",
        "Region": "cuts.regions",
        "Sample": "samples.sample",
        "Selection": "cuts",
        "ShapeSys": "samples.modifiers",
        "SlidingCut": "cuts",
        "Window": "cuts",
        "__version__": "_core.version",
        "bin_edges": "binning",
        "categorize": "binning",
        "cutflow": "evaluation.cutflow",
        "discovery_significance": "histfactory",
        "discovery_test": "histfactory",
        "envelope": "samples.envelopes",
        "fill": "templates.filling",
        "impacts": "evaluation.impacts",
        "optimize": "optimization.optimize",
        "prices": "evaluation.prices",
        "read_result": "optimization.record.reading",
        "scan": "scanning.scan",
        "score": "discriminant.scores",
        "train": "discriminant.training.train",
        "working_points": "optimization.working_points.search",
        "workspace": "templates.workspace",
    }
)
"""Where the names that users import live."""

_MODULES = MappingProxyType(
    {
        "classification": "merit.classification",
        "counting": "merit.counting",
        "datasets": "samples.datasets",
        "discriminant": "discriminant",
        "errors": "_core.errors",
        "executors": "_core.executors",
        "explorer": "plotting.explorer",
        "export": "histfactory.exporting",
        "io": "samples.readers",
        "plotting": "plotting",
        "sklearn": "sklearn",
        "study": "study",
        "theory": "merit.theory",
    }
)
"""Where the modules that users type live."""

__all__ = [
    "Cut",
    "Discriminant",
    "HistFactory",
    "HistoSys",
    "Histogram",
    "Lumi",
    "NormFactor",
    "NormSys",
    "OneOf",
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
    "cutflow",
    "datasets",
    "discovery_significance",
    "discovery_test",
    "discriminant",
    "envelope",
    "fill",
    "impacts",
    "optimize",
    "prices",
    "read_result",
    "scan",
    "score",
    "train",
    "working_points",
    "workspace",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        found = importlib.import_module(f".{_MODULES[name]}", __name__)
    elif name in _NAMES:
        found = getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
