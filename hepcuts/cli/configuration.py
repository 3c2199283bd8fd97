"""Configuration files of the command line: samples, cuts and settings in TOML.

A file looks like this::

    [[sample]]
    name = "signal"
    file = "signal.csv"            # relative to the configuration file
    weight = "w"                   # column; left out: 1 each
    scale = 1.5                    # factor on all weights
    signal = true
    missing = -999.0               # value that means "does not exist"

      [[sample.systematic]]        # as often as needed
      type = "normsys"             # normsys, histosys, shapesys, normfactor or lumi
      name = "xsec"
      up = 1.1
      down = 0.9

    [[cut]]
    variable = "pt"
    direction = ">"                # a cut, "auto" to find out; or low = ..., high = ... for a window
    threshold = 20.0               # where the search starts
    bounds = [20.0, 200.0]         # with along = "eta", knots = [0.0, 2.5] the threshold depends on another variable

    [[region]]                     # a control region, if any: an argument of hepcuts.optimize
    name = "control"
    inverted = ["mt"]
    without = ["bdt"]

    [optimize]                     # arguments of hepcuts.optimize
    holdout = 0.5
    seed = 1
    constraints = {signal = 5.0}

    [scan]                         # arguments of hepcuts.scan
    metrics = ["bce", "asimov", "profile"]

A ``histosys`` names columns of the same file: ``up = {columns = {pt = "pt_up"}, weight = "w_up"}`` and ``down``
likewise, or ``down = "mirror"``.
"""

import dataclasses
import tomllib
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut, Cut, Selection, SlidingCut, Window
from hepcuts.cuts.regions import Region
from hepcuts.samples.modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeSys, Variation
from hepcuts.samples.readers import read_columns
from hepcuts.samples.sample import Sample


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


def load(path: str | Path) -> Configuration:
    """Read a configuration file and the events that it names.

    Raises:
        InputError: not valid TOML, an unknown or missing key, or events that cannot be read; the message names the
            place.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    _only(document, {"sample", "cut", "region", "optimize", "scan"}, str(path))
    for needed in ("sample", "cut"):
        if not document.get(needed):
            raise InputError(f"{path}: has no [[{needed}]]; expected at least one.")
    cuts = [_cut(entry, f"{path}, cut {number}") for number, entry in enumerate(document["cut"], start=1)]
    selection = Selection(cuts)
    samples = tuple(
        _sample(entry, path.parent, selection, f"{path}, sample {number}")
        for number, entry in enumerate(document["sample"], start=1)
    )
    optimize, scan = document.get("optimize", {}), document.get("scan", {})
    _only(optimize, _OF_OPTIMIZE, f"{path}, [optimize]")
    _only(scan, {"metrics", "thresholds", "punzi_a", "min_background", "replicas", "folds", "seed"}, f"{path}, [scan]")
    regions = [
        _region(entry, f"{path}, region {number}") for number, entry in enumerate(document.get("region", []), start=1)
    ]
    return Configuration(samples, selection, {"regions": regions} | optimize if regions else optimize, scan)


_OF_OPTIMIZE = frozenset(
    {
        *("objective", "solver", "step", "anneal", "holdout", "folds", "seed", "min_background"),
        *("constraints", "fixed", "tied", "checkpoint"),
    }
)
"""Arguments of `hepcuts.optimize` that a file can give."""


def _region(entry: Mapping[str, Any], where: str) -> Region:
    _only(entry, {"name", "inverted", "without"}, where)
    return Region(_required(entry, "name", where), inverted=entry.get("inverted", ()), without=entry.get("without", ()))


def _only(entry: Mapping[str, Any], known: Set[str], where: str) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise InputError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}.")


def _required(entry: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in entry:
        raise InputError(f"{where}: {key!r} is missing.")
    return entry[key]


def _cut(entry: Mapping[str, Any], where: str) -> AbstractCut:
    known = {"variable", "direction", "threshold", "low", "high", "bounds", "width", "missing"}
    _only(entry, {*known, "along", "knots", "thresholds"}, where)
    variable = _required(entry, "variable", where)
    common: dict[str, Any] = {key: entry[key] for key in ("width", "missing") if key in entry}
    if "bounds" in entry:
        common["bounds"] = tuple(entry["bounds"])
    if "along" in entry:
        direction, knots = (_required(entry, key, where) for key in ("direction", "knots"))
        return SlidingCut(
            variable, direction, along=entry["along"], knots=knots, thresholds=entry.get("thresholds"), **common
        )
    if "direction" in entry:
        return Cut(variable, entry["direction"], entry.get("threshold"), **common)
    return Window(variable, entry.get("low"), entry.get("high"), **common)


def _sample(entry: Mapping[str, Any], folder: Path, selection: Selection, where: str) -> Sample:
    known = {"name", "file", "tree", "weight", "scale", "signal", "missing", "staterror", "empty", "systematic"}
    _only(entry, known, where)
    systematics = entry.get("systematic", [])
    weight = entry.get("weight")
    wanted = [*selection.columns, *([weight] if weight else []), *_varied_columns(systematics)]
    file = folder / _required(entry, "file", where)
    data = read_columns(file, columns=list(dict.fromkeys(wanted)), tree=entry.get("tree"))
    scale = float(entry.get("scale", 1.0))
    size = len(next(iter(data.values())))
    weights = scale * (np.asarray(data[weight], dtype=np.float64) if weight else np.ones(size))
    return Sample(
        _required(entry, "name", where),
        {variable: data[variable] for variable in selection.columns},
        weights=weights,
        signal=entry.get("signal", False),
        missing=entry.get("missing"),
        staterror=entry.get("staterror", True),
        empty=entry.get("empty", "refuse"),
        modifiers=[_modifier(s, data, scale, f"{where}, systematic {n}") for n, s in enumerate(systematics, start=1)],
    )


def _varied_columns(systematics: list[Mapping[str, Any]]) -> list[str]:
    """Columns of the file that only systematic variations need."""
    sides = [s[side] for s in systematics for side in ("up", "down") if isinstance(s.get(side), Mapping)]
    weights = [side["weight"] for side in sides if "weight" in side]
    return [column for side in sides for column in side.get("columns", {}).values()] + weights


def _modifier(entry: Mapping[str, Any], data: Mapping[str, Any], scale: float, where: str) -> Modifier:
    kind, name = _required(entry, "type", where), entry.get("name", "lumi")
    values = {key: value for key, value in entry.items() if key not in {"type", "name"}}

    def side(key: str) -> Variation | str:
        given = _required(values, key, where)
        if isinstance(given, str):
            return given
        _only(given, {"columns", "weight"}, f"{where}, {key}")
        weights = scale * np.asarray(data[given["weight"]], dtype=np.float64) if "weight" in given else None
        return Variation({name: data[column] for name, column in given.get("columns", {}).items()}, weights)

    makers: dict[str, Any] = {
        "normsys": lambda: NormSys(name, _required(values, "up", where), _required(values, "down", where)),
        "histosys": lambda: HistoSys(name, up=side("up"), down=side("down")),
        "shapesys": lambda: ShapeSys(name, _required(values, "relative", where)),
        "normfactor": lambda: NormFactor(name, bounds=tuple(values.get("bounds", (0.0, 10.0)))),
        "lumi": lambda: Lumi(_required(values, "relative", where), name=name),
    }
    if kind not in makers:
        raise InputError(f"{where}: the type is {kind!r}; expected one of {', '.join(makers)}.")
    made: Modifier = makers[kind]()
    return made
