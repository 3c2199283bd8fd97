"""Configuration files of the command line: samples, cuts and settings in TOML.

A file looks like this::

    [[sample]]
    name = "signal"
    file = "signal.csv"            # relative to the configuration file
    weight = "w"                   # column; left out: 1 each
    scale = 1.5                    # factor on all weights
    signal = true
    missing = -999.0               # value that means "does not exist"
    staterror = true               # finite simulation: true (which is "poisson"), "gaussian" or false
    empty = "refuse"               # a background of which no event passes: or "limit" or "ignore", see hepcuts.Sample

      [[sample.systematic]]        # as often as needed
      type = "normsys"             # normsys, histosys, shapesys, normfactor or lumi
      name = "xsec"
      up = 1.1
      down = 0.9

    [[cut]]
    variable = "pt"
    direction = ">"                # or "<", or "auto" to find out; "window", or low = ..., high = ..., for a window
    threshold = 20.0               # where the search starts
    bounds = [20.0, 200.0]         # with along = "eta", knots = [0.0, 2.5] the threshold depends on another variable

    [[region]]                     # a control region, if any: an argument of hepcuts.optimize
    name = "control"
    inverted = ["mt"]
    without = ["bdt"]

    [optimize]                     # arguments of hepcuts.optimize
    holdout = 0.5                  # the default; TOML has no None: 0 means that no events are held out
    seed = 1
    constraints = {signal = 5.0}

    [scan]                         # arguments of hepcuts.scan
    metrics = ["bce", "asimov", "profile"]

Of the systematics ``normsys`` has ``up`` and ``down``, factors on the yield; ``shapesys`` has ``relative``, one number
or one for each bin; ``normfactor`` may have ``bounds``, ``init`` and ``fixed``; ``lumi`` has ``relative`` and needs no
name. A ``histosys`` names columns of the same file: ``up = {columns = {pt = "pt_up"}, weight = "w_up"}`` and ``down``
likewise, or ``down = "mirror"``.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut, Cut, Selection, SlidingCut, Window
from hepcuts.cuts.regions import Region
from hepcuts.samples.modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeSys, Variation
from hepcuts.samples.readers import read_columns
from hepcuts.samples.sample import IGNORED, LIMITED, REFUSED, Sample

from .entries import ANY_NUMBER, FLAG, NUMBER, TABLE, TEXT, WHOLE, check, list_of, one_of, tables

_PAIR = list_of(NUMBER, 2)
_NAMES = list_of(TEXT)
_SIDE = one_of("mirror", "nominal") | TABLE
_SAMPLE = MappingProxyType(
    {
        "name": TEXT,
        "file": TEXT,
        "tree": TEXT,
        "weight": TEXT,
        "scale": NUMBER,
        "signal": FLAG,
        "missing": ANY_NUMBER,
        "staterror": FLAG | one_of("poisson", "gaussian"),
        "empty": one_of(REFUSED, LIMITED, IGNORED),
        "systematic": list_of(TABLE),
    }
)
_SYSTEMATICS = MappingProxyType(
    {
        "normsys": {"up": NUMBER, "down": NUMBER},
        "histosys": {"up": TABLE, "down": _SIDE},
        "shapesys": {"relative": NUMBER | list_of(NUMBER)},
        "normfactor": {"bounds": _PAIR, "init": NUMBER, "fixed": FLAG},
        "lumi": {"relative": NUMBER},
    }
)
"""Type to what it has beside type and name; a ``normfactor`` may leave it out."""
_ANY_CUT = MappingProxyType(
    {
        "variable": TEXT,
        "direction": one_of(">", "<", "auto", "window"),
        "bounds": _PAIR,
        "width": NUMBER,
        "missing": one_of("fail", "pass"),
    }
)
_CUTS = MappingProxyType(
    {
        "cut": {"threshold": NUMBER},
        "window": {"low": NUMBER, "high": NUMBER},
        "sliding cut": {"along": TEXT, "knots": list_of(NUMBER), "thresholds": list_of(NUMBER)},
    }
)
"""Kind of cut to the keys that only it has."""
_OPTIMIZE = MappingProxyType(
    {
        "objective": TEXT,
        "solver": TEXT,
        "step": TEXT,
        "anneal": list_of(NUMBER),
        "holdout": NUMBER,
        "folds": WHOLE,
        "seed": WHOLE,
        "min_background": NUMBER,
        "constraints": TABLE,
        "fixed": TEXT | _NAMES,
        "tied": list_of(_NAMES),
        "checkpoint": TEXT,
    }
)
"""Arguments of `hepcuts.optimize` that a file can give."""
_SCAN = MappingProxyType(
    {
        "metrics": _NAMES,
        "thresholds": list_of(NUMBER) | list_of(_PAIR),
        "punzi_a": NUMBER,
        "min_background": NUMBER,
        "replicas": WHOLE,
        "folds": WHOLE,
        "seed": WHOLE,
    }
)
"""Those of `hepcuts.scan`."""
_DOCUMENT = MappingProxyType(
    {"sample": list_of(TABLE), "cut": list_of(TABLE), "region": list_of(TABLE), "optimize": TABLE, "scan": TABLE}
)


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
        InputError: not valid TOML, an unknown or missing key, a value of a wrong type, keys that contradict each other,
            or events that cannot be read; the message names the place.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    listed = {key: tables(document, key, str(path)) for key in ("sample", "cut", "region")}
    check(document, _DOCUMENT, str(path))
    for needed in ("sample", "cut"):
        if not listed[needed]:
            raise InputError(f"{path}: has no [[{needed}]]; expected at least one.")
    optimize, scan = document.get("optimize", {}), document.get("scan", {})
    check(optimize, _OPTIMIZE, f"{path}, [optimize]")
    check(scan, _SCAN, f"{path}, [scan]")
    regions = [_region(entry, f"{path}, region {n}") for n, entry in enumerate(listed["region"], start=1)]
    selection = Selection([_cut(entry, f"{path}, cut {n}") for n, entry in enumerate(listed["cut"], start=1)])
    samples = tuple(
        _sample(entry, path.parent, selection, f"{path}, sample {n}")
        for n, entry in enumerate(listed["sample"], start=1)
    )
    return Configuration(samples, selection, {"regions": regions} | optimize if regions else optimize, scan)


def _region(entry: Mapping[str, Any], where: str) -> Region:
    check(entry, {"name": TEXT, "inverted": _NAMES, "without": _NAMES}, where, needed=["name"])
    return Region(entry["name"], inverted=entry.get("inverted", ()), without=entry.get("without", ()))


def _cut(entry: Mapping[str, Any], where: str) -> AbstractCut:
    of_all = {key: kind for kinds in (_ANY_CUT, *_CUTS.values()) for key, kind in kinds.items()}
    check(entry, of_all, where, needed=["variable"])
    kind = _kind_of_cut(entry, where)
    contradicting = set(entry) - set(_ANY_CUT) - set(_CUTS[kind])
    if contradicting:
        with_it = f"direction = {entry['direction']!r}" if "direction" in entry else f"a {kind}"
        raise InputError(f"{where}: {', '.join(sorted(contradicting))} contradicts {with_it}; leave one of them out.")
    variable, direction = entry["variable"], entry.get("direction", "")
    common: dict[str, Any] = {key: entry[key] for key in ("bounds", "width", "missing") if key in entry}
    if kind == "window":
        return Window(variable, entry.get("low"), entry.get("high"), **common)
    if kind == "cut":
        return Cut(variable, direction, entry.get("threshold"), **common)
    for needed in ("direction", "knots"):
        if needed not in entry:
            raise InputError(f"{where}: {needed!r} is missing.")
    return SlidingCut(
        variable, direction, along=entry["along"], knots=entry["knots"], thresholds=entry.get("thresholds"), **common
    )


def _kind_of_cut(entry: Mapping[str, Any], where: str) -> str:
    if entry.keys() & {"along", "knots", "thresholds"}:
        if "along" not in entry:
            raise InputError(f"{where}: knots and thresholds are those of a sliding cut; 'along' is missing.")
        return "sliding cut"
    if entry.get("direction", "window") != "window":
        return "cut"
    if entry.keys() & {"direction", "low", "high"}:
        return "window"
    raise InputError(
        f"{where}: has no direction; expected direction = '>' or '<' (or 'auto' to find out) for a cut, low and high "
        "for a window, or direction = 'window' for one whose edges are both to be found."
    )


def _sample(entry: Mapping[str, Any], folder: Path, selection: Selection, where: str) -> Sample:
    check(entry, _SAMPLE, where, needed=["name", "file"])
    systematics = [
        _checked_systematic(s, f"{where}, systematic {n}") for n, s in enumerate(entry.get("systematic", []), start=1)
    ]
    weight = entry.get("weight")
    wanted = [*selection.columns, *([weight] if weight else []), *_varied_columns(systematics)]
    data = read_columns(folder / entry["file"], columns=list(dict.fromkeys(wanted)), tree=entry.get("tree"))
    scale = float(entry.get("scale", 1.0))
    size = len(next(iter(data.values())))
    weights = scale * (np.asarray(data[weight], dtype=np.float64) if weight else np.ones(size))
    return Sample(
        entry["name"],
        {variable: data[variable] for variable in selection.columns},
        weights=weights,
        signal=entry.get("signal", False),
        missing=entry.get("missing"),
        staterror=entry.get("staterror", True),
        empty=entry.get("empty", REFUSED),
        modifiers=[_modifier(systematic, data, scale) for systematic in systematics],
    )


def _checked_systematic(entry: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    kind = str(entry.get("type"))
    if kind not in _SYSTEMATICS:
        raise InputError(f"{where}: the type is {kind!r}; expected one of {', '.join(_SYSTEMATICS)}.")
    own = _SYSTEMATICS[kind]
    # The schema has one name for the luminosity; everything else shares a parameter with what has its name.
    needed = [*([] if kind == "lumi" else ["name"]), *([] if kind == "normfactor" else own)]
    check(entry, {"type": TEXT, "name": TEXT, **own}, f"{where}, {kind}", needed=needed)
    for side in ("up", "down"):
        if isinstance(entry.get(side), dict):
            check(entry[side], {"columns": TABLE, "weight": TEXT}, f"{where}, {kind}, {side}")
            columns = entry[side].get("columns", {})
            check(columns, dict.fromkeys(columns, TEXT), f"{where}, {kind}, {side}, columns")
    return entry


def _varied_columns(systematics: list[Mapping[str, Any]]) -> list[str]:
    """Columns of the file that only systematic variations need."""
    sides = [s[side] for s in systematics for side in ("up", "down") if isinstance(s.get(side), Mapping)]
    weights = [side["weight"] for side in sides if "weight" in side]
    return [column for side in sides for column in side.get("columns", {}).values()] + weights


def _modifier(entry: Mapping[str, Any], data: Mapping[str, Any], scale: float) -> Modifier:
    kind = entry["type"]
    values = {key: value for key, value in entry.items() if key != "type"}

    def side(given: Any) -> Any:
        if isinstance(given, str):
            return given
        weights = scale * np.asarray(data[given["weight"]], dtype=np.float64) if "weight" in given else None
        return Variation({name: data[column] for name, column in given.get("columns", {}).items()}, weights)

    if kind == "histosys":
        return HistoSys(entry["name"], up=side(entry["up"]), down=side(entry["down"]))
    if "bounds" in values:
        values["bounds"] = tuple(values["bounds"])
    made: Modifier = _MAKERS[kind](**values)
    return made


_MAKERS: Mapping[str, Any] = MappingProxyType(
    {"normsys": NormSys, "shapesys": ShapeSys, "normfactor": NormFactor, "lumi": Lumi}
)
