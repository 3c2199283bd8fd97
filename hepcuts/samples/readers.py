"""Reading events from files: CSV, NumPy archives (``.npz``) and ROOT files (extra ``root``)."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.lazy import pd
from hepcuts._core.types import FloatArray


def read_columns(path: str | Path, *, columns: Sequence[str] | None = None, tree: str | None = None) -> dict[str, Any]:
    r"""Read columns of events from a file; the format is that of its ending.

    Args:
        path: ``.csv`` (also compressed, ``.csv.gz``), ``.npz`` or ``.root``.
        columns: names to read, or None for all numeric ones.
        tree: name of the tree in a ROOT file; None if there is only one.

    Returns:
        Name to values, each of shape (event,).

    Raises:
        InputError: the file is not there or cannot be read, the ending is unknown, or a column is missing; the
            message lists the columns that there are.

    Example:
        >>> import tempfile, pathlib
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "events.csv")
        >>> _ = path.write_text("pt,mass\n31.5,91.2\n")
        >>> read_columns(path, columns=["pt"])
        {'pt': array([31.5])}
        >>> folder.cleanup()
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}; relative names are relative to the current folder.")
    readers = {".csv": _read_csv, ".gz": _read_csv, ".npz": _read_npz, ".root": _read_root}
    if path.suffix not in readers:
        raise InputError(f"{path}: the ending {path.suffix!r} is unknown; expected one of {', '.join(readers)}.")
    try:
        return readers[path.suffix](path, columns, tree)
    except (ValueError, KeyError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {error}") from error


def _check(path: Path, wanted: Sequence[str] | None, present: Sequence[str]) -> None:
    absent = [name for name in wanted or () if name not in present]
    if absent:
        raise InputError(f"{path}: has no column {', '.join(absent)}; it has {', '.join(present)}.")


def _read_csv(path: Path, columns: Sequence[str] | None, _: str | None) -> dict[str, Any]:
    header = pd.read_csv(path, nrows=0)
    _check(path, columns, list(header.columns))
    # pandas renames a repeated column to "x.1"; names are compared with what stands in the file.
    frame = pd.read_csv(path, usecols=None if columns is None else list(columns))
    numeric = frame if columns is not None else frame.select_dtypes("number")
    return {str(name): numeric[name].to_numpy() for name in numeric.columns}


def _read_npz(path: Path, columns: Sequence[str] | None, _: str | None) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        _check(path, columns, archive.files)
        return {name: archive[name] for name in (columns or archive.files)}


def _read_root(path: Path, columns: Sequence[str] | None, tree: str | None) -> dict[str, Any]:
    try:
        uproot = importlib.import_module("uproot")
    except ImportError as error:
        raise InputError(f"{path}: reading ROOT files needs uproot; install hepcuts[root].") from error
    with uproot.open(path) as file:
        trees = sorted(
            {key.split(";")[0] for key, kind in file.classnames().items() if kind in {"TTree", "ROOT::RNTuple"}}
        )
        if tree is None and len(trees) != 1:
            raise InputError(f"{path}: has the trees {trees}; say which with tree=...")
        name = trees[0] if tree is None else tree
        if name not in trees:
            raise InputError(f"{path}: has no tree {name!r}; it has {', '.join(trees)}.")
        events = file[name]
        _check(path, columns, list(events.keys()))
        arrays = events.arrays(list(columns) if columns else None, library="np")
    flat: dict[str, FloatArray] = {key: values for key, values in arrays.items() if values.dtype.kind in "biuf"}
    return flat
