"""Files of likelihoods as they are published: JSON, compressed or not, in archives; HistFactory's XML.

A path may lead *through* an archive: ``likelihoods.tar.gz/RegionA/BkgOnly.json`` is a file in it, and
``likelihoods.tar.gz/RegionA`` the workspace in that folder of it. Archives are read in memory, nothing is unpacked.
"""

import contextlib
import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

from hepcuts._core.errors import HepcutsError, InputError
from hepcuts._core.texts import listed

Given: TypeAlias = str | os.PathLike[str]

_ENDINGS = (".json", ".json.gz")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
LONGEST = 300
"""Messages of others may hold a whole workspace."""


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
        raise InputError(f"{what}: {reason[:LONGEST]}") from error


def is_path(given: Any) -> bool:
    """Whether something is the path of a document, and not the document."""
    return isinstance(given, str | os.PathLike)


def is_workspace(document: Any) -> bool:
    """Whether a document has the parts of a workspace."""
    return isinstance(document, Mapping) and {"channels", "measurements"} <= set(document)


def is_patch_set(document: Any) -> bool:
    """Whether a document is one of several patches with names."""
    return isinstance(document, Mapping) and "patches" in document


def load(path: Given, name: str, wanted: Callable[[Any], bool] = is_workspace) -> Any:
    """The document at a path.

    Args:
        path: of a JSON file, also one that is compressed; of HistFactory's top-level XML file; of an archive, a folder
            in it or a file in it.
        name: how messages call it.
        wanted: which document of an archive is meant where the path leads to several.

    Raises:
        InputError: it cannot be read, or an archive has none or several such documents there; the message names them.
    """
    with foreign(f"{name} cannot be read or is not valid"):
        file, inside = _located(Path(path))
        if file.suffix == ".xml":
            return _from_xml(file)
        data = file.read_bytes()
        if not _is_archive(data):
            return json.loads(_plain(data))
        documents = dict(_documents(data, inside))
    if inside in documents:
        return documents[inside]
    found = [inner for inner, document in documents.items() if wanted(document)]
    if len(found) == 1:
        return documents[found[0]]
    what = "workspaces or patches of the kind wanted" if documents else "JSON files"
    example = f"; name one of them, such as {file / found[0]}" if found else ""
    raise InputError(f"{name} has {len(found) or 'no'} {what}{': ' if found else ''}{listed(found)}{example}.")


def archive_of(path: Any) -> Path | None:
    """The archive that a path leads to or through, with the folder in it; None for any other file or document."""
    if not is_path(path):
        return None
    try:
        file, inside = _located(Path(path))
        if not _is_archive(file.read_bytes()):
            return None
    except OSError:
        return None
    return file / (str(Path(inside).parent) if inside.endswith(_ENDINGS) else inside)


def _located(path: Path) -> tuple[Path, str]:
    """The file that a path leads to or through, and the rest of the path, which is "" for the file itself."""
    for file in (path, *path.parents):
        if file.is_file():
            inside = path.relative_to(file).as_posix()
            return file, "" if inside == "." else inside
    raise FileNotFoundError(f"there is no file {path}")


def _is_archive(data: bytes) -> bool:
    return zipfile.is_zipfile(io.BytesIO(data)) or tarfile.is_tarfile(io.BytesIO(data))


def _plain(data: bytes) -> str:
    """The text of a file, uncompressed. It is told by its first bytes: browsers drop endings of names, or add some."""
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")


def _documents(data: bytes, inside: str) -> Iterator[tuple[str, Any]]:
    """The JSON documents below a folder of an archive, and of archives in it, with their paths."""
    for path, content in _members(data):
        below = inside in {"", path} or path.startswith(f"{inside}/")
        if path.endswith(_ENDINGS) and below:
            yield path, json.loads(_plain(content))
        elif path.endswith(_ARCHIVES) and (below or inside.startswith(f"{path}/")):
            rest = "" if below else inside.removeprefix(f"{path}/")
            yield from ((f"{path}/{inner}", document) for inner, document in _documents(content, rest))


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of the files of an archive that may be of use."""
    stream = io.BytesIO(data)
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                if _is_of_use(member.filename):
                    yield _clean(member.filename), archive.read(member)
        return
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if _is_of_use(entry.name) else None
            if file is not None:
                yield _clean(entry.name), file.read()


def _is_of_use(name: str) -> bool:
    # Archives made on a Mac have a shadow ._NAME of each file.
    return name.endswith(_ENDINGS + _ARCHIVES) and not Path(name).name.startswith("._")


def _clean(name: str) -> str:
    return name.removeprefix("./")


def _from_xml(file: Path) -> Any:
    """The workspace of HistFactory's XML, by pyhf's reader."""
    try:
        from pyhf import readxml  # noqa: PLC0415 (needs uproot)
    except ImportError as error:
        raise InputError(f"{file}: reading HistFactory's XML needs uproot; install hepcuts[root].") from error
    root = ET.parse(file).getroot()  # noqa: S314 (pyhf reads it in the same way)
    inputs = [found.text for found in root.iter("Input") if found.text]
    # Its paths are those of the folder that hist2workspace was run in, mostly the one above the file's.
    folders = (*file.absolute().parents[:2], Path.cwd())
    for folder in folders:
        if all((folder / path).is_file() for path in inputs):
            return dict(readxml.parse(file, folder))
    raise InputError(
        f"{file}: its inputs, {listed(inputs)}, are in none of {', '.join(map(str, folders))}; run the command in the "
        "folder that their paths start from."
    )
