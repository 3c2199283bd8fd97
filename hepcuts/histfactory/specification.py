"""Workspaces as they come: read, patched and checked once, before a model is built of them.

What is wrong is said in one kind of error that names file, channel, sample and modifier. What pyhf, jsonpatch and
jsonschema do not mind, but nobody can mean, is refused, too: two things of one name, of which the last one would count,
templates that are no numbers, observations that are missing.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.errors import HepcutsError, InputError
from hepcuts._core.lazy import jsonpatch, pyhf

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
_LONGEST = 300
"""Messages of others may hold a whole workspace."""


def source_of(workspace: Any) -> str:
    """How messages call a workspace: by its file, if it has one."""
    return f"The workspace {workspace}" if isinstance(workspace, (str, Path)) else "The workspace"


def read(workspace: Any, patches: Iterable[Any]) -> Any:
    """The workspace as JSON has it, with its patches applied.

    Args:
        workspace: a workspace or its path.
        patches: lists of operations or their paths.

    Raises:
        InputError: a file cannot be read, or a patch not applied; the message names it.
    """
    document = _document(workspace, source_of(workspace))
    for number, patch in enumerate(patches, start=1):
        name = f"The patch {patch}" if isinstance(patch, (str, Path)) else f"Patch {number}"
        operations = _operations(_document(patch, name), name)
        with foreign(f"{name} cannot be applied to {source_of(workspace).lower()}"):
            document = jsonpatch.JsonPatch(operations).apply(document)
    return document


def _document(given: Any, name: str) -> Any:
    if not isinstance(given, (str, Path)):
        return given
    with foreign(f"{name} cannot be read or is not valid"):
        return json.loads(Path(given).read_text(encoding="utf-8"))


def _operations(patch: Any, name: str) -> Any:
    """The operations of a patch, or of one that was taken out of a patch set with its metadata."""
    if isinstance(patch, pyhf.PatchSet) or (isinstance(patch, Mapping) and "patches" in patch):
        names = [p.name for p in patch] if isinstance(patch, pyhf.PatchSet) else _names_in(patch["patches"])
        raise InputError(
            f"{name} is a patch set; expected one of its patches, {', '.join(names)}. Take it out with 'pyhf patchset "
            "extract', or pass pyhf.PatchSet(...)[name].patch."
        )
    return patch["patch"] if isinstance(patch, Mapping) and "patch" in patch else patch


def _names_in(patches: Any) -> list[str]:
    named = patches if isinstance(patches, Sequence) else ()
    return [str(p["metadata"]["name"]) for p in named if isinstance(p, Mapping) and "name" in p.get("metadata", {})]


@contextlib.contextmanager
def foreign(what: str) -> Iterator[None]:
    """A block in which other libraries work: whatever they raise becomes our error.

    Args:
        what: what could not be done.

    Raises:
        InputError: the block raised anything but one of our own errors.
    """
    try:
        yield
    except HepcutsError:
        raise
    except Exception as error:
        # Any kind: pyhf raises assertions, key and type errors beside its own.
        reason = str(error) or f"no reason is given ({type(error).__name__})"
        raise InputError(f"{what}: {reason[:_LONGEST]}") from error


def check(document: Any, source: str, measurement: str | None) -> None:
    """Check a workspace.

    Args:
        document: as JSON has it.
        source: how messages call it.
        measurement: name of the measurement that is wanted, or None for the first.

    Raises:
        InputError: it is not that of pyhf's schema; two channels, samples, modifiers of a sample, observations,
            measurements or parameters share a name; numbers are missing, too many, not finite or out of range; or
            there is no such measurement.
    """
    _check_schema(document, source)
    check_channels(document["channels"], source)
    _check_observations(document, source)
    _unique(document["measurements"], "measurement", source)
    names = [found["name"] for found in document["measurements"]]
    if not names or measurement not in {None, *names}:
        raise InputError(f"{source} has no measurement {measurement!r}; it has {', '.join(map(repr, names))}.")
    chosen = document["measurements"][0 if measurement is None else names.index(measurement)]
    _check_parameters(chosen, document["channels"], f"{source}: measurement {chosen['name']!r}")


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
        message = f"{source} is not valid: {place}{found.message[:_LONGEST]}"
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
            raise InputError(f"{source}: channel {name!r} has no observation; there are {sorted(observed)}.")
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
        values = np.asarray(parameter.get(key, []), dtype=np.float64)
        if not np.all(np.isfinite(values)):
            raise InputError(f"{where}: {key} are {parameter[key]}; expected finite numbers.")
        if key == "bounds" and not all(low <= high for low, high in values):
            raise InputError(f"{where}: bounds are {parameter[key]}; expected pairs (low, high), low below high.")
