"""Files that are whole or not there: written beside their place and moved there at once."""

import contextlib
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from .errors import HepcutsWarning, InputError

_TRIED = 65536
"""Bytes written as a trial: more than the block that an empty file may still find on a full disk."""


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder; moved to `path` if the block succeeds, removed if it does not."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The ending is kept: writers of figures and tables choose the format by it.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read; give what any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def named(text: str) -> str:
    """A text as part of a file's name: what may be no part of one becomes an underscore.

    Example:
        >>> named("sqrt(2*pt/met)")
        'sqrt_2_pt_met'
    """
    return re.sub(r"[^\w.+-]+", "_", text).strip("_.") or "unnamed"


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file atomically and return its path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_secondary(path: str | Path, text: str, what: str) -> None:
    """Write what is worth less than the work that is under way: if it cannot be written, that is a warning.

    Args:
        path: as `write_text`.
        text: as `write_text`.
        what: the file, for the warning.

    Warns:
        HepcutsWarning: it cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        warnings.warn(
            f"{what} could not be written to {path}: {error.strerror or error}.", HepcutsWarning, stacklevel=3
        )


def try_folder(folder: Path) -> None:
    """Make the folder and write something there, before any work; only the folder stays.

    Raises:
        InputError: it is a file, may not be written to, or is on a disk that is full.
    """
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if not there.is_dir():
        raise InputError(f"{there} is a file; expected a folder to write to.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_TRIED))
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be written to ({error.strerror or error}); choose another."
        ) from error
