"""File formats that columns of events are read from; each is one class, chosen by the ending of the file's name."""

import abc
import bz2
import contextlib
import csv
import gzip
import lzma
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.jagged import of_arrow, optional
from hepcuts._core.lazy import pd


class FileFormat(abc.ABC):
    """How columns are read from one file.

    Attributes:
        endings: of the names of such files.
        reads_folders: whether a folder is one data set of this format, and not so many files.
    """

    endings: tuple[str, ...]
    reads_folders: bool = False

    @abc.abstractmethod
    def names(self, path: str, tree: str | None) -> list[str]:
        """Names of the columns.

        Args:
            path: the file.
            tree: where in the file, or None if there is only one place.
        """

    @abc.abstractmethod
    def read(self, path: str, tree: str | None, names: Sequence[str]) -> dict[str, Any]:
        """Some of the columns: name to values, each of shape (event,); lists of each event as an awkward array."""


_COMPRESSED: Mapping[str, Callable[..., IO[str]]] = MappingProxyType(
    {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
)


class TextFormat(FileFormat):
    """Columns of numbers as text, with a line of names; separated by commas, semicolons, tabs, bars or spaces.

    Lines that begin with ``#`` are comments; the last of them before the events is the line of names if it has as many
    as the first event has values, as `numpy.savetxt` writes it.
    """

    endings = (".csv", ".tsv", ".txt", ".dat")

    def names(self, path: str, tree: str | None) -> list[str]:  # noqa: ARG002 (one place only)
        """See `FileFormat.names`."""
        return self._layout(path)[1]

    def read(self, path: str, tree: str | None, names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002 (see above)
        """See `FileFormat.read`."""
        separator, header, before = self._layout(path)
        places = [header.index(name) for name in names]
        options: dict[str, Any] = {"sep": separator, "skipinitialspace": True, "comment": "#", "header": None}
        if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):
            # Before, decimals were off by the last bit by default, and a cut on the boundary would be another.
            options["float_precision"] = "round_trip"
        frame = pd.read_csv(path, usecols=places, skiprows=before, names=range(len(header)), **options)
        if frame.empty:
            raise InputError("it has names of columns, but no events")
        return {header[number]: frame[number].to_numpy() for number in places}

    def _layout(self, path: str) -> tuple[str, list[str], int]:
        """The separator, the names, and how many lines stand before the first event."""
        with _COMPRESSED.get(Path(path).suffix, open)(path, "rt", encoding="utf-8-sig") as file:
            lines = [line.strip() for line, _ in zip(file, range(100), strict=False)]
        events = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
        if not events:
            raise InputError("it has no line of names and no events")
        first = lines[events[0]]
        separator = max(",;\t|", key=first.count)
        separator = separator if separator in first else r"\s+"
        fields = _fields(first, separator)
        # Names are no numbers; an event has one, or nothing but flags and missing values.
        if any(map(_is_number, fields)) or all(field.lower() in _NO_NAMES for field in fields):
            commented = [_fields(line.lstrip("# "), separator) for line in lines[: events[0]]]
            named = [names for names in commented if len(names) == len(fields)]
            if not named:
                raise InputError("it begins with numbers; expected a first line with the names of the columns")
            return separator, named[-1], events[0]
        return separator, fields, events[0] + 1


_NO_NAMES = frozenset({"", "true", "false"})
"""What is no name of a column, and no number."""


def _fields(line: str, separator: str) -> list[str]:
    fields = line.split() if separator == r"\s+" else next(csv.reader([line], delimiter=separator))
    return [field.strip() for field in fields]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class NumpyFormat(FileFormat):
    """NumPy's archives of named arrays, and structured arrays."""

    endings = (".npz", ".npy")

    def names(self, path: str, tree: str | None) -> list[str]:  # noqa: ARG002 (one place only)
        """See `FileFormat.names`."""
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(found, np.ndarray):
            if found.dtype.names is None:
                raise InputError("it has an array without names; expected a structured array, or an .npz file")
            return list(found.dtype.names)
        with found:
            return list(found.files)

    def read(self, path: str, tree: str | None, names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002 (see above)
        """See `FileFormat.read`."""
        found = np.load(path, allow_pickle=False)
        with contextlib.nullcontext() if isinstance(found, np.ndarray) else found:
            return {name: found[name] for name in names}


class RootFormat(FileFormat):
    """Trees of ROOT files, TTree and RNTuple, by uproot."""

    endings = (".root",)

    def names(self, path: str, tree: str | None) -> list[str]:
        """See `FileFormat.names`."""
        with self._events(path, tree) as events:
            return [str(name) for name in events.keys()]  # noqa: SIM118 (a tree is no mapping)

    def read(self, path: str, tree: str | None, names: Sequence[str]) -> dict[str, Any]:
        """See `FileFormat.read`."""
        with self._events(path, tree) as events:
            return {name: events[name].array(library="ak") for name in names}

    @contextlib.contextmanager
    def _events(self, path: str, tree: str | None) -> Iterator[Any]:
        with optional("uproot", "root").open(path) as file:
            kinds = {key.split(";")[0]: kind for key, kind in file.classnames(recursive=True).items()}
            trees = sorted(key for key, kind in kinds.items() if kind in {"TTree", "ROOT::RNTuple"})
            histograms = sorted(key for key, kind in kinds.items() if re.match(r"TH[123]", kind))
            if not trees and histograms:
                raise InputError(
                    f"it has no tree of events, but histograms ({', '.join(histograms[:20])}): take hepcuts.Histogram, "
                    f'in a configuration histogram = "{histograms[0]}"'
                )
            yield file[place("tree", tree, trees)]


class ArrowFormat(FileFormat):
    """Parquet and Feather files, and folders of them with their partitions, by pyarrow."""

    endings = (".parquet", ".pq", ".feather", ".arrow")
    reads_folders = True

    def names(self, path: str, tree: str | None) -> list[str]:  # noqa: ARG002 (one place only)
        """See `FileFormat.names`."""
        return list(self._events(path).schema.names)

    def read(self, path: str, tree: str | None, names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002 (see above)
        """See `FileFormat.read`."""
        table = self._events(path).to_table(columns=list(names))
        return {name: of_arrow(table[name].combine_chunks()) for name in names}

    def _events(self, path: str) -> Any:
        inside = Path(path)
        first = next((str(one) for one in sorted(inside.rglob("*")) if one.suffix in self.endings), path)
        kind = "feather" if Path(first).suffix in {".feather", ".arrow"} else "parquet"
        return optional("pyarrow.dataset", "parquet").dataset(path, format=kind, partitioning="hive")


class Hdf5Format(FileFormat):
    """HDF5 files: groups of arrays and compound arrays, by h5py, and the tables of pandas."""

    endings = (".h5", ".hdf5", ".hdf")

    def names(self, path: str, tree: str | None) -> list[str]:
        """See `FileFormat.names`."""
        with self._events(path, tree) as (events, of_pandas):
            if of_pandas:
                return [str(name) for name in pd.read_hdf(path, key=events.name).columns]
            return list(events.dtype.names if hasattr(events, "dtype") else _arrays(events))

    def read(self, path: str, tree: str | None, names: Sequence[str]) -> dict[str, Any]:
        """See `FileFormat.read`."""
        with self._events(path, tree) as (events, of_pandas):
            if not of_pandas:
                return {name: np.asarray(events[name]) for name in names}
            key = events.name
        frame = pd.read_hdf(path, key=key)
        return {name: frame[name].to_numpy() for name in names}

    @contextlib.contextmanager
    def _events(self, path: str, tree: str | None) -> Iterator[tuple[Any, bool]]:
        with optional("h5py", "hdf5").File(path, "r") as file:
            events = file[place("group", tree, _tables_of(file))]
            of_pandas = "pandas_type" in events.attrs
            if of_pandas:
                optional("tables", "hdf5")
            yield events, of_pandas


def _arrays(group: Any) -> list[str]:
    """Names of the arrays with one entry or list for each event."""
    return [name for name, entry in group.items() if getattr(entry, "ndim", 0) and entry.dtype.names is None]


def _tables_of(file: Any) -> list[str]:
    """Whatever holds columns: groups of arrays, compound arrays, tables of pandas; not what is inside of these."""
    found: list[str] = []

    def visit(name: str, entry: Any) -> None:
        inside = any(name.startswith(f"{parent}/") for parent in found)
        compound = hasattr(entry, "dtype") and entry.dtype.names is not None
        if not inside and (compound or "pandas_type" in entry.attrs or (hasattr(entry, "items") and _arrays(entry))):
            found.append(name)

    if _arrays(file):
        return ["/"]
    file.visititems(visit)
    return sorted(found)


def place(what: str, wanted: str | None, there: Sequence[str]) -> str:
    """Where in a file the events are.

    Raises:
        InputError: it is not there, or not said and there are several.
    """
    if wanted is None and len(there) == 1:
        return there[0]
    listed = f"it has {', '.join(there[:20]) or 'none'}"
    if wanted is None:
        raise InputError(f"say which {what}, as in FILE:NAME or with tree; {listed}")
    if wanted.strip("/") not in {name.strip("/") for name in there}:
        raise InputError(f"it has no {what} {wanted!r}; {listed}")
    return wanted


FORMATS: tuple[FileFormat, ...] = (TextFormat(), NumpyFormat(), RootFormat(), ArrowFormat(), Hdf5Format())


def format_of(path: str, formats: Sequence[FileFormat] = FORMATS) -> FileFormat | None:
    """The format of a file's name, whose compression may be its last ending; None if it is none of these."""
    suffixes = Path(path).suffixes[-2:]
    if len(suffixes) == 2 and suffixes[-1] in _COMPRESSED:
        return next((f for f in formats if isinstance(f, TextFormat) and suffixes[0] in f.endings), None)
    return next((f for f in formats if suffixes and suffixes[-1] in f.endings), None)
