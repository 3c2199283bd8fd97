"""Workspaces are checked once, before a model is built of them.

What is wrong is said in one kind of error that names file, channel, sample and modifier. What pyhf, jsonpatch and
jsonschema do not mind, but nobody can mean, is refused, too: two things of one name, of which the last one would count,
templates that are no numbers, observations that are missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.lazy import pyhf
from hepcuts._core.texts import listed

from .documents import LONGEST, foreign

ASIMOV = "(observations are Asimov data)"
"""What the name of a measurement ends with if the observations are no data: the schema has no other place for it."""
_PARTS = MappingProxyType(
    {
        "channels": "channel",
        "samples": "sample",
        "modifiers": "modifier",
        "observations": "observation",
        "measurements": "measurement",
        "parameters": "parameter",
    }
)


def check(document: Any, source: str, measurement: str | None, poi: str | None = None) -> None:
    """Check a workspace.

    Args:
        document: as JSON has it.
        source: how messages call it.
        measurement: name of the measurement that is wanted, or None for the first.
        poi: name of the parameter of interest, or None for the measurement's.

    Raises:
        InputError: it is not that of pyhf's schema; two channels, samples, modifiers of a sample, observations,
            measurements or parameters share a name; numbers are missing, too many, not finite or out of range;
            there is no such measurement; or the parameter of interest is in no channel, or several numbers.
    """
    _check_schema(document, source)
    check_channels(document["channels"], source)
    _check_observations(document, source)
    _unique(document["measurements"], "measurement", source)
    names = [found["name"] for found in document["measurements"]]
    if not names or measurement not in {None, *names}:
        known = listed([repr(name) for name in names])
        raise InputError(f"{source} has no measurement {measurement!r}; it has {known}.")
    chosen = document["measurements"][0 if measurement is None else names.index(measurement)]
    _check_parameters(chosen, document["channels"], f"{source}: measurement {chosen['name']!r}")
    _check_poi(chosen["config"]["poi"] if poi is None else poi, document["channels"], source)


def _check_schema(document: Any, source: str) -> None:
    if not isinstance(document, Mapping):
        raise InputError(f"{source} is a {type(document).__name__}; expected a mapping, as pyhf writes it.")
    try:
        with foreign(f"{source} is not valid"):
            pyhf.schema.validate(document, "workspace.json", version=document.get("version"))
    except InputError as error:
        found = getattr(error.__cause__, "parent", None)
        if found is None:
            raise
        place = _place(document, found.absolute_path)
        message = f"{source} is not valid: {place}{found.message[:LONGEST]}"
        raise InputError(f"{message} (pyhf's schema)") from error.__cause__


def _place(document: Any, path: Iterable[Any]) -> str:
    """A place in a workspace by the names that it has there, such as "channel 'c', sample 'b': "."""
    words, at, inside = [], document, ""
    for key in path:
        at = at[key]
        if isinstance(key, int) and inside in _PARTS and isinstance(at, Mapping) and "name" in at:
            words.append(f"{_PARTS[inside]} {at['name']!r}")
        elif key not in _PARTS:
            words.append(f"number {key}" if isinstance(key, int) else str(key))
        inside = str(key)
    return f"{', '.join(words)}: " if words else ""


def _unique(things: Iterable[Mapping[str, Any]], what: str, where: str) -> None:
    names = [thing["name"] for thing in things]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(
            f"{where}: more than one {what} is named {twice[0]!r}, and only one of them would count; give each its own "
            "name."
        )


def check_channels(channels: Sequence[Mapping[str, Any]], source: str) -> None:
    """Check the channels of a workspace or model, each with its samples and modifiers; errors as `check`."""
    _unique(channels, "channel", source)
    for channel in channels:
        where = f"{source}: channel {channel['name']!r}"
        _unique(channel["samples"], "sample", where)
        sizes = {sample["name"]: len(sample["data"]) for sample in channel["samples"]}
        if len(set(sizes.values())) > 1:
            raise InputError(f"{where}: the numbers of bins of its samples differ: {sizes}.")
        for sample in channel["samples"]:
            _check_sample(sample, f"{where}, sample {sample['name']!r}")


def _check_sample(sample: Mapping[str, Any], where: str) -> None:
    _numbers(sample["data"], f"{where}: its template")
    by_type: dict[str, list[Mapping[str, Any]]] = {}
    for modifier in sample["modifiers"]:
        # A normsys and a histosys of one name are common: rate and shape of one uncertainty.
        by_type.setdefault(modifier["type"], []).append(modifier)
    for kind, modifiers in by_type.items():
        _unique(modifiers, f"modifier of the type {kind}", where)
        for modifier in modifiers:
            here = f"{where}, modifier {modifier['name']!r} ({kind})"
            _check_values(kind, modifier["data"], len(sample["data"]), here)


def _check_values(kind: str, data: Any, size: int, where: str) -> None:
    if kind == "histosys":
        for side in ("hi_data", "lo_data"):
            _numbers(data[side], f"{where}: {side}", size)
    elif kind in {"staterror", "shapesys"}:
        _numbers(data, f"{where}: its uncertainty", size)
    elif kind == "normsys":
        for side in ("hi", "lo"):
            if not 0 < data[side] < np.inf:
                raise InputError(
                    f"{where}: {side} is {data[side]:g}; expected a factor above 0 on the yield, such as 1.1 for +10 %."
                )


def _numbers(values: Any, what: str, size: int | None = None, *, negative: bool = True) -> None:
    found = np.asarray(values, dtype=np.float64)
    if size is not None and found.shape != (size,):
        raise InputError(f"{what} has {len(found)} numbers; expected {size}, one for each bin.")
    bad = ~np.isfinite(found) | (False if negative else found < 0)
    if bad.any():
        first = int(bad.argmax())
        wanted = "finite numbers" if negative else "counts, 0 or more"
        raise InputError(f"{what} is {found[first]:g} in bin {first}; expected {wanted}.")


def _check_observations(document: Mapping[str, Any], source: str) -> None:
    _unique(document["observations"], "observation", source)
    observed = {found["name"]: found["data"] for found in document["observations"]}
    for channel in document["channels"]:
        name = channel["name"]
        if name not in observed:
            known = listed([repr(other) for other in observed])
            raise InputError(f"{source}: channel {name!r} has no observation; there are {known}.")
        what = f"{source}: the observation of channel {name!r}"
        _numbers(observed[name], what, len(channel["samples"][0]["data"]), negative=False)


def _check_parameters(measurement: Mapping[str, Any], channels: Iterable[Mapping[str, Any]], source: str) -> None:
    parameters = measurement["config"]["parameters"]
    _unique(parameters, "parameter", source)
    said = {parameter["name"]: parameter for parameter in parameters}
    for name, parameter in said.items():
        _check_parameter(parameter, f"{source}, parameter {name!r}")
    used = {(m["type"], m["name"]) for c in channels for sample in c["samples"] for m in sample["modifiers"]}
    for kind, name in used:
        if kind == "lumi" and not {"auxdata", "sigmas"} <= set(said.get(name, ())):
            raise InputError(
                f"{source}: parameter {name!r} is a luminosity without 'auxdata' and 'sigmas'; pyhf has no default for "
                "its uncertainty."
            )


def _check_parameter(parameter: Mapping[str, Any], where: str) -> None:
    for key in ("inits", "bounds", "auxdata", "sigmas", "factors"):
        given = parameter.get(key, [])
        if key == "bounds" and any(len(pair) != 2 or pair[0] > pair[1] for pair in given):
            raise InputError(f"{where}: bounds are {given}; expected pairs (low, high), low below high.")
        if not np.all(np.isfinite(np.asarray(given, dtype=np.float64))):
            raise InputError(f"{where}: {key} are {given}; expected finite numbers.")


def _check_poi(poi: str, channels: Sequence[Mapping[str, Any]], source: str) -> None:
    if not poi:
        return
    kinds: dict[str, set[str]] = {}
    for modifier in (m for channel in channels for sample in channel["samples"] for m in sample["modifiers"]):
        kinds.setdefault(modifier["name"], set()).add(modifier["type"])
    if poi not in kinds:
        factors = sorted(name for name, types in kinds.items() if types == {"normfactor"})
        others = f"; free normalizations are {listed(factors)}" if factors else ""
        raise InputError(
            f"{source}: the parameter of interest {poi!r} acts on no sample. If this is a background-only workspace, "
            "add its signal with a patch: patches=[...] and, of a patch set, point=... (on the command line --patch "
            f"signal.json, or --patch patchset.json --point NAME). Otherwise name another one with poi=... (--poi)"
            f"{others}."
        )
    sizes = {len(channel["samples"][0]["data"]) for channel in channels}
    if "shapefactor" in kinds[poi] and sizes != {1}:
        raise InputError(
            f"{source}: the parameter of interest {poi!r} is a shapefactor, one number for each bin, and no one signal "
            "strength; name another one with poi=... (--poi)."
        )
