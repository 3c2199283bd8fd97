"""Reading events: columns, and quantities computed from them, of files and of tables in memory."""

import contextlib
import functools
import logging
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.cells import Cells
from hepcuts._core.columns import raw_columns
from hepcuts._core.errors import InputError
from hepcuts._core.formulas import formula
from hepcuts._core.histograms import Contents
from hepcuts._core.jagged import concatenated, is_jagged, optional, plain
from hepcuts._core.types import ColumnsLike

from .formats import FORMATS, FileFormat, format_of
from .histogram import histograms_of  # noqa: F401 (users find it here: hepcuts.io.histograms_of)
from .sources import Files, Source, listed, sources_of

_LONGEST = 1000
"""Characters of what another library says of a file."""


def read_columns(
    files: Files | ColumnsLike,
    *,
    columns: Sequence[str] | None = None,
    tree: str | None = None,
    where: str | None = None,
    define: Mapping[str, str] = MappingProxyType({}),
    friends: Iterable[Files] = (),
    formats: Sequence[FileFormat] = FORMATS,
) -> dict[str, Any]:
    r"""Read columns of events, and what is computed from them.

    Only the columns that are needed are read.

    Args:
        files: a file (CSV and other text, NumPy, ROOT, Parquet, Feather, HDF5; the ending says which), a folder of
            such files, a name with wildcards, ``file.root:tree``, an address that uproot opens, a list of these, whose
            events follow each other, or a table in memory.
        columns: names of columns or formulas (`hepcuts._core.formulas.Formula`), or None for all that are numbers.
        tree: name of the tree of a ROOT file, or of the group of an HDF5 file, in place of what `files` say; None if
            there is only one.
        where: a formula that an event has to pass to be read, or None.
        define: names of quantities and their formulas, to be used in the others.
        friends: files with further columns of the same events, in the same order.
        formats: those that are known; another one is an object of one's own `hepcuts.samples.formats.FileFormat`.

    Returns:
        Name or formula to values, each of shape (event,).

    Raises:
        InputError: a file is not there or cannot be read, its ending is unknown, a column is missing, a formula cannot
            be read or computed, or friends have other numbers of events; the message names the file.

    Example:
        >>> import tempfile, pathlib
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "events.csv")
        >>> _ = path.write_text("pt,eta,trig\n31.5,-2.0,1\n18.0,0.5,0\n")
        >>> read_columns(path, columns=["pt", "abs(eta)"], where="trig")
        {'pt': array([31.5]), 'abs(eta)': array([2.])}
        >>> folder.cleanup()
    """
    needs = Needs(columns, where, define)
    table = read_table(files, [needs], tree=tree, friends=friends, formats=formats)
    with naming(files):
        return needs.values(table)


@contextlib.contextmanager
def naming(files: Files | ColumnsLike) -> Iterator[None]:
    """A block that works on what was read: its errors are told with the names of the files."""
    try:
        yield
    except InputError as error:
        what = listed(sources_of(files)) if isinstance(files, str | Path | list | tuple) else "The table"
        raise InputError(f"{what}: {error}") from error


def read_table(
    files: Files | ColumnsLike,
    needs: Sequence["Needs"],
    *,
    tree: str | None = None,
    friends: Iterable[Files] = (),
    formats: Sequence[FileFormat] = FORMATS,
) -> dict[str, Any]:
    """The columns that all of some needs take, as they are stored; arguments and errors are those of `read_columns`."""
    if not isinstance(files, str | Path | list | tuple):
        raw = raw_columns(files, "(a table)")
        return {name: raw[name] for name in _wanted(needs, "the table", list(raw))}
    beside = [sources_of(one, tree=tree) for one in (files, *friends)]
    there = [_names(sources[0], formats) for sources in beside]
    wanted = _wanted(needs, listed(beside[0]), [name for names in there for name in names])
    table: dict[str, Any] = {}
    for sources, names in zip(beside, there, strict=True):
        table |= _one_after_the_other(sources, [name for name in wanted if name in names], formats)
    rows = {name: len(values) for name, values in table.items()}
    if len(set(rows.values())) > 1:
        raise InputError(f"{listed(beside[0])}: the columns, those of friends included, have unequal lengths: {rows}.")
    return table


def column_names(
    files: Files, *, tree: str | None = None, friends: Iterable[Files] = (), formats: Sequence[FileFormat] = FORMATS
) -> list[str]:
    """Names of the columns that files have; arguments and errors are those of `read_columns`."""
    beside = [sources_of(one, tree=tree) for one in (files, *friends)]
    return [name for sources in beside for name in _names(sources[0], formats)]


def histogram_sum(files: Files, name: str, *, bin_number: int | None = None) -> float:
    """Sum of the contents of a histogram in each of some ROOT files.

    Args:
        files: see `read_columns`.
        name: the histogram.
        bin_number: one bin, counted from 0; None for all, without what lies beyond its edges.

    Raises:
        InputError: a file cannot be read, or has no such histogram or bin.
    """
    total = 0.0
    for source in sources_of(files):
        with _reading(source), optional("uproot", "root").open(source.path) as file:
            if name not in file:
                raise InputError(f"it has no histogram {name!r}")
            values = np.asarray(file[name].values()).ravel()
            if bin_number is not None and bin_number >= len(values):
                raise InputError(f"the histogram {name!r} has {len(values)} bins, and no number {bin_number}")
            total += float(values.sum() if bin_number is None else values[bin_number])
    return total


def read_histogram(
    files: Files,
    name: str,
    *,
    axis: str | int | None = None,
    select: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
    variable: str | None = None,
) -> Contents:
    """The sum of a histogram in each of some ROOT files along one axis, with what lies beyond its edges.

    Args:
        files: see `read_columns`.
        name: the histogram.
        axis: see `hepcuts._core.cells.Cells.along`.
        select: likewise.
        variable: likewise.

    Raises:
        InputError: a file cannot be read, has no such histogram, or one with other bins; see
            `hepcuts._core.cells.Cells.along`.
    """
    found: list[Contents] = []
    for source in sources_of(files):
        with _reading(source), optional("uproot", "root").open(source.path) as file:
            if name not in file:
                raise InputError(f"it has no histogram {name!r}")
            cells = Cells.of(file[name], repr(name))
            found.append(cells.along(axis, repr(name), select=select, variable=variable))
            if not found[0].same_bins(found[-1]):
                raise InputError(f"the histogram {name!r} has other bins than in the files before")
    return functools.reduce(operator.add, found)


def _wanted(needs: Sequence["Needs"], what: str, there: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(name for one in needs for name in one.choose(what, there)))


def _one_after_the_other(
    sources: Sequence[Source], names: Sequence[str], formats: Sequence[FileFormat]
) -> dict[str, Any]:
    """The events of all files; every file has to have all columns."""
    tables = []
    for number, source in enumerate(sources):
        if number and (absent := [name for name in names if name not in _names(source, formats)]):
            raise InputError(f"{source}: has no column {', '.join(absent)}, which {sources[0]} has.")
        with _reading(source):
            tables.append(_format(source, formats).read(source.path, source.tree, names))
        rows = len(next(iter(tables[-1].values()), ()))
        logging.getLogger(__name__).info("%s: %d events, columns %s", source, rows, ", ".join(names))
    return {name: concatenated([table[name] for table in tables]) for name in names}


def _names(source: Source, formats: Sequence[FileFormat]) -> list[str]:
    with _reading(source):
        return _format(source, formats).names(source.path, source.tree)


def _format(source: Source, formats: Sequence[FileFormat]) -> FileFormat:
    found = format_of(source.path, formats)
    if found is None and Path(source.path).is_dir():
        found = next(one for one in formats if one.reads_folders)
    if found is None:
        known = ", ".join(ending for one in formats for ending in one.endings)
        raise InputError(f"the ending {Path(source.path).suffix!r} is unknown; expected one of {known}")
    return found


@contextlib.contextmanager
def _reading(source: Source) -> Iterator[None]:
    """A block that reads a file: whatever goes wrong in it is told with the file's name."""
    try:
        yield
    except Exception as error:
        # Any kind: readers of damaged files fail with errors of all kinds.
        said = str(error) or type(error).__name__
        reason = said if isinstance(error, InputError) else f"it cannot be read: {said}"
        raise InputError(f"{source}: {reason[:_LONGEST].rstrip('.')}.") from error


class Needs:
    """What is asked for: which columns that takes, and its values."""

    def __init__(self, columns: Sequence[str] | None, where: str | None, define: Mapping[str, str]) -> None:
        self.columns = columns
        self.where = where
        self.define = define

    def choose(self, what: str, there: Sequence[str]) -> list[str]:
        """Of the columns that there are those that are needed.

        Args:
            what: the file, for messages.
            there: the columns of this file and of its friends.

        Raises:
            InputError: one is missing or there twice, or a formula cannot be read.
        """
        if repeated := sorted({name for name in there if list(there).count(name) > 1}):
            raise InputError(f"{what}: has more than one column named {', '.join(repeated)}.")
        if self.columns is None:
            return list(there)
        needed: dict[str, None] = {}
        for text in [*self.columns, *([] if self.where is None else [self.where])]:
            self._add(needed, text, (), set(there), what)
        return [name for name in there if name in needed]

    def _add(self, needed: dict[str, None], text: str, within: tuple[str, ...], there: Set[str], what: str) -> None:
        """Add the columns that a name or formula takes; a definition may use the column of its own name."""
        if text in self.define and text not in within:
            names, within = formula(self.define[text]).names, (*within, text)
        elif text in there:
            needed[text] = None
            return
        else:
            names = formula(text).names
            if text in names:
                raise InputError(f"{what}: has no column {text}; it has {', '.join(sorted(there))}.")
        for name in names:
            self._add(needed, name, within, there, what)

    def values(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked for, of the events that pass."""
        quantities = Quantities(table, self.define)
        if self.where is not None:
            passed = quantities.condition(self.where)
            quantities = Quantities({name: values[passed] for name, values in table.items()}, self.define)
        if self.columns is not None:
            return {text: quantities.value(text) for text in self.columns}
        flat = {name: plain(quantities[name]) for name in quantities if not is_jagged(quantities[name])}
        return {name: values for name, values in flat.items() if values.dtype.kind in "biuf"}


class Quantities(Mapping[str, Any]):
    """Columns of events by name, and quantities that are defined by formulas of them.

    Args:
        table: name to values, which may be lists of each event.
        define: names of quantities and their formulas; one may use the column of its own name.
    """

    def __init__(self, table: Mapping[str, Any], define: Mapping[str, str] = MappingProxyType({})) -> None:
        self._table = table
        self._define = define
        self._made: dict[str, Any] = {}
        self._within: list[str] = []

    def __getitem__(self, name: str) -> Any:
        if name in self._made:
            return self._made[name]
        if name in self._define and name not in self._within:
            self._within.append(name)
            made = formula(self._define[name]).lists(self)
            self._within.pop()
            # What was made inside of a definition of its own name is not what others mean by it.
            return made if self._within else self._made.setdefault(name, made)
        if name not in self._table:
            raise InputError(f"There is no column {name!r}, or it is defined by itself.")
        return self._table[name]

    def __contains__(self, name: object) -> bool:
        return name in self._define or name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._table, *self._define]))

    def __len__(self) -> int:
        return len({*self._table, *self._define})

    def value(self, text: str) -> NDArray[Any]:
        """A column or formula, shape (event,).

        Raises:
            InputError: each event has a list of it, or it cannot be computed.
        """
        return formula(f"`{text}`" if text in self else text)(self)

    def condition(self, text: str) -> NDArray[np.bool_]:
        """A formula as true or false, shape (event,).

        Raises:
            InputError: it has other values than 0 and 1, or cannot be computed.
        """
        found = self.value(text)
        if not np.all((found == 0) | (found == 1)):
            raise InputError(f"{text!r} is no condition: it has values other than 0 and 1. Compare it with something.")
        return np.asarray(found != 0)
