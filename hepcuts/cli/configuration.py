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

import contextlib
import dataclasses
import fnmatch
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hist
from pydantic import ValidationError

from hepcuts._core.errors import HepcutsError, InputError
from hepcuts.cuts import AbstractCut, Cut, OneOf, Selection, SlidingCut, Window
from hepcuts.cuts.regions import Region
from hepcuts.samples.loading import Normalization, Origin, Shape, Shift, load_sample
from hepcuts.samples.modifiers import Lumi, Modifier, NormFactor, NormSys, ShapeSys
from hepcuts.samples.readers import column_names, histogram_sum, read_columns
from hepcuts.samples.sample import Sample
from hepcuts.samples.sources import Files

from .mistakes import mistakes
from .schema import CutEntry, Document, OriginEntry, SampleEntry, ShiftEntry, SumOfWeights


@dataclasses.dataclass(frozen=True, eq=False)
class Configuration:
    """What a configuration file says.

    Attributes:
        samples: the samples with their systematics.
        selection: the cuts.
        optimize: keyword arguments of `hepcuts.optimize`.
        scan: keyword arguments of `hepcuts.scan`.
    """

    samples: tuple[Sample, ...]
    selection: Selection
    optimize: dict[str, Any]
    scan: dict[str, Any]


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
        with _within(f"{path}: [[cut]] {number} ({entry.variable})"):
            cuts.append(_cut(entry))
    with _within(str(path)):
        selection = Selection(cuts)
        regions = [Region(one.name, inverted=one.inverted, without=one.without) for one in document.region]
    quantities = list(selection.columns)
    axis: dict[str, Any] = {}
    if document.axis is not None:
        quantities.append(document.axis.variable)
        axis["axis"] = hist.axis.Variable(document.axis.edges, name=document.axis.variable)
    samples = []
    for number, one in enumerate(document.sample, start=1):
        with _within(f"{path}: [[sample]] {number} ({one.name})"):
            samples.append(_Reading(document, one, path.parent).sample(list(dict.fromkeys(quantities))))
    control = {"regions": regions} if regions else {}
    return Configuration(
        tuple(samples), selection, control | axis | document.optimize.given(), axis | document.scan.given()
    )


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


@contextlib.contextmanager
def _within(where: str) -> Iterator[None]:
    """A block whose errors are told with the place in the file that they come from."""
    try:
        yield
    except HepcutsError as error:
        raise InputError(f"{where}: {error}") from error


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


@dataclasses.dataclass(frozen=True)
class _Reading:
    """One sample of a file."""

    document: Document
    entry: SampleEntry
    folder: Path

    def sample(self, quantities: list[str]) -> Sample:
        """The sample with its events."""
        entry = self.entry
        return load_sample(
            entry.name,
            self._origin(entry),
            quantities,
            systematics=[modifier for number in range(len(entry.systematic)) for modifier in self._systematic(number)],
            identity=_texts(entry.identity),
            signal=entry.signal,
            missing=entry.missing,
            staterror=entry.staterror,
            empty=entry.empty,
        )

    def _files(self, given: Any) -> Files:
        """Files relative to the configuration."""
        names = _texts(given)
        found = [one if "://" in one or Path(one).is_absolute() else str(self.folder / one) for one in names]
        return found[0] if len(found) == 1 else found

    def _merged(self, entry: OriginEntry) -> OriginEntry:
        """A variation's origin; what it leaves out is the sample's."""
        given = entry.model_fields_set
        # Other files have trees and friends of their own.
        own = {"tree", "friends"} if "file" in given else set()
        fields = {
            name: getattr(entry if name in given or name in own else self.entry, name)
            for name in OriginEntry.model_fields
        }
        return OriginEntry.model_construct(**fields)

    def _origin(self, entry: OriginEntry) -> Origin:
        conditions = [text for text in (self.document.preselection, entry.preselection) if text is not None]
        return Origin(
            self._files(entry.file),
            tree=entry.tree,
            friends=tuple(self._files(one) for one in _texts(entry.friends)),
            where=" and ".join(f"({text})" for text in conditions) or None,
            weight=entry.weight,
            normalization=self._normalization(entry),
            scale=1.0 if entry.scale is None else entry.scale,
            define=self.document.define,
        )

    def _normalization(self, entry: OriginEntry) -> Normalization | None:
        if entry.cross_section is None or self.document.luminosity is None:
            return None
        total = entry.sum_of_weights
        if isinstance(total, SumOfWeights):
            total = _sum_of_weights(total, self._files(entry.file))
        elif total is None:
            total = entry.weight or "1"
        return Normalization(entry.cross_section, self.document.luminosity, total, entry.k_factor or 1.0)

    def _systematic(self, number: int) -> list[Modifier | Shape]:
        entry = self.entry.systematic[number]
        with _within(f"systematic {number + 1} ({entry.name or 'lumi'})"):
            values = entry.given(without=("type",))
            match entry.type:
                case "histosys":
                    down = entry.down if isinstance(entry.down, str) else self._shift(entry.down)
                    return [Shape(entry.name, self._shift(entry.up), down)]
                case "weights":
                    return self._family(entry.name, entry.weight)
                case "normfactor":
                    if "bounds" in values:
                        values["bounds"] = tuple(values["bounds"])
                    return [NormFactor(**values)]
                case "lumi":
                    return [Lumi(entry.relative)]
                case _:
                    return [(NormSys if entry.type == "normsys" else ShapeSys)(**values)]

    def _shift(self, entry: ShiftEntry) -> Shift:
        elsewhere = entry.model_fields_set - {"columns", "weight"}
        origin = self._origin(self._merged(entry)) if elsewhere else None
        return Shift(entry.columns, entry.weight, origin)

    def _family(self, name: str, weight: str) -> list[Modifier | Shape]:
        """One uncertainty for each column that matches the wildcard in a weight."""
        pattern = next((word for word in re.findall(r"[\w.*?]+", weight) if re.search(r"\w[*?]|[*?]\w", word)), None)
        if pattern is None:
            raise InputError(f"weight is {weight!r}; expected one column with a wildcard, such as 'w_pdf_*'.")
        there = column_names(self._files(self.entry.file), tree=self.entry.tree)
        found = fnmatch.filter(there, pattern)
        if not found:
            raise InputError(f"no column matches {pattern!r}; there are {', '.join(there)}.")
        return [
            Shape(f"{name}_{column}", Shift(weight=weight.replace(pattern, f"`{column}`")), "mirror")
            for column in found
        ]


def _sum_of_weights(total: SumOfWeights, files: Files) -> float:
    if total.histogram is not None:
        return histogram_sum(files, total.histogram, bin_number=total.bin)
    if total.tree is None or total.column is None:
        raise InputError("sum_of_weights: expected {tree = ..., column = ...} or {histogram = ...}.")
    return float(read_columns(files, columns=[total.column], tree=total.tree)[total.column].sum())


def _texts(given: Any) -> list[str]:
    """A text or several as a list."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)
