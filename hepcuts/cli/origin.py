"""Where a result comes from: the configuration, and the files that it names, with their checksums."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hepcuts.optimization.record.schema import ConfigurationRecord, InputRecord
from hepcuts.samples.sources import sources_of

from .configuration import read_document
from .schema import DataEntry

_FILES = ("file", "friends")
"""Keys that name files, wherever they stand."""


def origin_of(path: Path, settings: Mapping[str, Any], *, start: Path | None = None) -> dict[str, Any]:
    """Configuration and input files, as `hepcuts.optimization.record.making.record_of` takes them.

    Args:
        path: the configuration.
        settings: in place of its values.
        start: file of the thresholds at which the search starts.
    """
    document = read_document(path, settings)
    found = dict.fromkeys(_named(document, path.parent))
    found |= {} if start is None else {str(start): None}
    text = path.read_text(encoding="utf-8")
    configuration = ConfigurationRecord(path=str(path), text=text, settings=dict(settings))
    return {"inputs": [_input(one) for one in found], "configuration": configuration, "define": document.define}


def _named(entry: Any, folder: Path) -> Iterator[str]:
    """Files that a table of the configuration names, those of its tables included."""
    if isinstance(entry, list):
        for one in entry:
            yield from _named(one, folder)
    elif isinstance(entry, BaseModel) and not isinstance(entry, DataEntry):  # observed data are nobody's input
        for key in type(entry).model_fields:
            value = getattr(entry, key)
            if key in _FILES and value is not None:
                yield from (source.path for source in sources_of(value, folder=folder))
            else:
                yield from _named(value, folder)


def _input(path: str) -> InputRecord:
    """A file, or a folder that is one data set, of which all files count."""
    place = Path(path)
    if not place.exists():  # an address
        return InputRecord(path=path, size=None, sha256=None)
    parts = [place] if place.is_file() else sorted(one for one in place.rglob("*") if one.is_file())
    checksum = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                checksum.update(block)
    return InputRecord(path=path, size=sum(part.stat().st_size for part in parts), sha256=checksum.hexdigest())
