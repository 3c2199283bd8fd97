"""Configuration files of the command line: samples, cuts and settings in TOML.

A file looks like this::

    luminosity = 139.0             # 1/fb
    preselection = "trig && njet >= 2"

    [define]                       # quantities, used in all other formulas
    mt = "sqrt(2*pt*met*(1 - cos(dphi)))"

    [[sample]]
    name = "signal"
    file = "signal_*.root:events"  # relative to this file
    weight = "genWeight * w_btag"
    cross_section = 0.05           # pb
    sum_of_weights = {tree = "Runs", column = "genEventSumw"}
    signal = true

    [[sample]]
    name = "ttbar"
    file = ["ttbar_1.root", "ttbar_2.root"]
    scale = 1.5                    # factor on all weights

      [[sample.systematic]]        # as often as needed
      type = "histosys"
      name = "jes"
      up = {columns = {met = "met_up"}}
      down = {tree = "events_jes_down"}

    [[cut]]
    variable = "mt"
    direction = ">"
    bounds = [20.0, 200.0]

    [[cut]]
    variable = "njet"
    direction = ">="               # of whole numbers

    [optimize]
    seed = 1
    constraints = {signal = 5.0}

    [scan]
    metrics = ["bce", "asimov", "profile"]

``hepcuts init`` writes one for given files, ``hepcuts check`` says what is read, and what is suspicious. Formulas are
those of `hepcuts._core.formulas.Formula`. TOML has no None: ``holdout = 0`` holds no events out.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hist
from pydantic import ValidationError

from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut, Cut, OneOf, Selection, SlidingCut, Window
from hepcuts.cuts.regions import Region
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.sample import Sample

from .mistakes import mistakes
from .reading import ObservedData, SampleReader, within
from .schema import AxisEntry, CutEntry, Document


@dataclasses.dataclass(frozen=True, eq=False)
class Configuration:
    """What a configuration file says.

    Attributes:
        samples: the samples with their systematics, each a `hepcuts.Sample`, or each a `hepcuts.Histogram`.
        selection: the cuts.
        optimize: keyword arguments of `hepcuts.optimize`.
        scan: keyword arguments of `hepcuts.scan`.
        regions: control regions.
        axis: the observable that is fitted, or None.
        data: observed data, not read yet; None if there are none. Scans and optimizations do not ask for them.
        document: the file itself.
    """

    samples: tuple[Any, ...]
    selection: Selection
    optimize: dict[str, Any]
    scan: dict[str, Any]
    regions: tuple[Region, ...]
    axis: Any
    data: ObservedData | None
    document: Document


def load(path: str | Path, *, settings: Mapping[str, Any] | None = None) -> Configuration:
    """Read a configuration file and the events that it names.

    Args:
        path: the file.
        settings: values in place of those in the file, by key: ``{"optimize.seed": 3}``.

    Raises:
        InputError: not valid TOML, unknown or missing keys, values of a wrong type, or keys that contradict each other,
            all of them in one message; or events that cannot be read. The message names the place.
    """
    path = Path(path)
    document = read_document(path, settings or {})
    cuts = []
    for number, entry in enumerate(document.cut, start=1):
        with within(f"{path}: [[cut]] {number} ({entry.variable})"):
            cuts.append(_cut(entry))
    axis = _axis(document.axis)
    with within(str(path)):
        selection = Selection(cuts)
        regions = tuple(
            Region(one.name, inverted=one.inverted, without=one.without, axis=_axis(one.axis))
            for one in document.region
        )
    axes = [one.name for one in (axis, *(region.axis for region in regions)) if one is not None]
    quantities = list(dict.fromkeys([*selection.columns, *axes]))
    samples: list[Sample | Histogram] = []
    for number, one in enumerate(document.sample, start=1):
        with within(f"{path}: [[sample]] {number} ({one.name})"):
            samples.append(SampleReader(document, one, path.parent).sample(quantities))
    fitted = {} if axis is None else {"axis": axis}
    control: dict[str, Any] = {"regions": list(regions)} if regions else {}
    return Configuration(
        tuple(samples),
        selection,
        control | fitted | document.optimize.given(),
        fitted | document.scan.given(),
        regions,
        axis,
        None if document.data is None else ObservedData(document.data, document, path.parent),
        document,
    )


def _axis(entry: AxisEntry | None) -> Any:
    return None if entry is None else hist.axis.Variable(entry.edges, name=entry.variable)


def read_document(path: Path, settings: Mapping[str, Any]) -> Document:
    """A configuration file, checked, but without its events; arguments and errors are those of `load`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    for name, value in settings.items():
        _set(document, name, value)
    try:
        return Document.model_validate(document)
    except ValidationError as error:
        found = mistakes(error, document)
        raise InputError("\n".join(f"{path}: {line}" for line in found)) from error


def _set(document: dict[str, Any], name: str, value: Any) -> None:
    """Set a key, whose tables are told apart by dots, those of which there are several by number or name."""
    *tables, last = name.split(".")
    inside: Any = document
    for step in tables:
        if isinstance(inside, list):
            chosen = [
                one for n, one in enumerate(inside, start=1) if step in {str(n), one.get("name"), one.get("variable")}
            ]
            if len(chosen) != 1:
                raise InputError(f"--set {name}: {step!r} is none of its tables; give the number or name of one.")
            inside = chosen[0]
        else:
            inside = inside.setdefault(step, {})
    if not isinstance(inside, dict):
        raise InputError(f"--set {name}: expected KEY or TABLE.KEY, for several tables TABLE.NUMBER.KEY.")
    inside[last] = value


def _cut(entry: CutEntry) -> AbstractCut:
    own = ("variable", "direction", "threshold", "low", "high", "along", "knots", "thresholds", "values")
    common = entry.given(without=own)
    if "bounds" in common:
        common["bounds"] = tuple(common["bounds"])
    variable, direction = entry.variable, entry.direction
    if entry.values is not None:
        excluded = direction == "!="
        return OneOf(variable, entry.values, excluded=excluded, missing=common.get("missing", "fail"))
    if entry.kind == "window":
        return Window(variable, entry.low, entry.high, **common)
    if entry.kind == "cut":
        return Cut(variable, direction, entry.threshold, **common)  # type: ignore[arg-type]  # no window
    return SlidingCut(
        variable,
        direction,  # type: ignore[arg-type]  # the schema wants one
        along=entry.along,  # type: ignore[arg-type]  # see above
        knots=entry.knots,  # type: ignore[arg-type]  # see above
        thresholds=entry.thresholds,
        **common,
    )
