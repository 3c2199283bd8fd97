"""Where events lie: files by name, wildcard, list and folder, and the tree in each."""

import dataclasses
import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hepcuts._core.errors import InputError

from .formats import FORMATS, format_of

Files = str | Path | Iterable[str | Path]
"""A file, a wildcard, a folder, ``file:tree``, an address such as ``root://...``, or several of these."""

_TREE = re.compile(r"(?P<file>.+\.[A-Za-z0-9]+):(?P<tree>[^:\\]+)")
"""A name with an ending and something after a colon: not the drive of Windows, not an address."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One file or data set.

    Attributes:
        path: its name or address.
        tree: where in it, or None if there is only one place.
    """

    path: str
    tree: str | None

    def __str__(self) -> str:
        return self.path if self.tree is None else f"{self.path}:{self.tree}"


def sources_of(files: Files, *, tree: str | None = None, folder: Path = Path()) -> tuple[Source, ...]:
    """All files that are meant, in the order given; those of a wildcard or folder by name.

    Args:
        files: see `Files`.
        tree: in place of what the files say, such as the tree of a variation.
        folder: what relative names are relative to.

    Raises:
        InputError: nothing is there, or nothing is said.

    Example:
        >>> sources_of("root://server//store/ttbar.root:events")
        (Source(path='root://server//store/ttbar.root', tree='events'),)
    """
    given = [files] if isinstance(files, str | Path) else list(files)
    if not given:
        raise InputError("No file was named; expected at least one.")
    found = [source for one in given for source in _sources(one, tree, folder)]
    paths = [str(source) for source in found]
    if repeated := sorted({path for path in paths if paths.count(path) > 1}):
        raise InputError(f"Named more than once: {', '.join(repeated)}; its events would count twice.")
    return tuple(found)


def _sources(one: Any, tree: str | None, folder: Path) -> list[Source]:
    if not isinstance(one, str | Path) or not str(one).strip():
        raise InputError(f"A file came as {one!r}; expected its name.")
    text = str(one)
    if not Path(text).exists() and not (folder / text).exists() and (parts := _TREE.fullmatch(text)):
        text, tree = parts["file"], tree or parts["tree"]
    if "://" in text:
        return [Source(text, tree)]
    path = folder / text
    if path.is_dir():
        return _of_folder(path, tree)
    if path.is_file():
        return [Source(str(path), tree)]
    matches = sorted(glob.glob(str(path))) if glob.has_magic(text) else []  # noqa: PTH207 (of absolute names, too)
    if not matches:
        what = "no file matches" if glob.has_magic(text) else "there is no file"
        raise InputError(f"{path}: {what}; relative names are relative to {folder.resolve()}.")
    return [
        source
        for match in matches
        for source in (_of_folder(Path(match), tree) if Path(match).is_dir() else [Source(match, tree)])
    ]


def _of_folder(path: Path, tree: str | None) -> list[Source]:
    """A data set that is a folder, or the files in it, which have to be of one format."""
    inside = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith((".", "_")))
    formats = {file_format for one in inside if (file_format := format_of(str(one))) is not None}
    if len(formats) != 1:
        known = ", ".join(ending for file_format in FORMATS for ending in file_format.endings)
        what = "files of several formats" if formats else "no file of a known format"
        raise InputError(f"{path}: the folder has {what}; expected files of one of {known}.")
    if next(iter(formats)).reads_folders:
        return [Source(str(path), tree)]
    return [Source(str(one), tree) for one in inside if format_of(str(one)) is not None]


def listed(sources: Sequence[Source]) -> str:
    """Names for messages, the first few of many."""
    names = [str(source) for source in sources]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
