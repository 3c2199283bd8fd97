"""Reading what the entries of a configuration name: events of samples with their variations, and observed data."""

import contextlib
import dataclasses
import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import HepcutsError, InputError
from hepcuts._core.histograms import Contents
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.samples.envelopes import Envelope, FamilyMember
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.loading import Normalization, Origin, Shape, Shift, load_sample
from hepcuts.samples.modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeSys, Variation
from hepcuts.samples.readers import column_names, histogram_sum, read_columns, read_histogram
from hepcuts.samples.sample import Sample
from hepcuts.samples.sources import Files
from hepcuts.templates.binned import contents_after

from .schema import (
    DataEntry,
    Document,
    HistoSysEntry,
    OriginEntry,
    SampleEntry,
    ShiftEntry,
    SumOfWeights,
    WeightFamilyEntry,
)
from .wildcards import wildcard


@contextlib.contextmanager
def within(where: str) -> Iterator[None]:
    """A block whose errors are told with the place in the file that they come from."""
    try:
        yield
    except HepcutsError as error:
        raise InputError(f"{where}: {error}") from error


@dataclasses.dataclass(frozen=True)
class SampleReader:
    """One sample of a file."""

    document: Document
    entry: SampleEntry
    folder: Path

    def sample(self, quantities: list[str]) -> Sample | Histogram:
        """The sample with its events, or its histogram."""
        entry = self.entry
        if entry.histogram is not None:
            return self._histogram(quantities[0])
        return load_sample(
            entry.name,
            self._origin(entry),
            quantities,
            systematics=[modifier for number in range(len(entry.systematic)) for modifier in self._systematic(number)],
            identity=_texts(entry.identity),
            signal=entry.signal,
            missing=entry.missing,
            staterror=entry.staterror,
            empty=entry.empty,
        )

    def _histogram(self, variable: str) -> Histogram:
        entry = self.entry
        modifiers = [one for number in range(len(entry.systematic)) for one in self._of_histograms(number, variable)]
        return Histogram(
            entry.name,
            self._contents(entry, variable),
            variable=variable,
            signal=entry.signal,
            modifiers=modifiers,
            staterror=entry.staterror,
            empty=entry.empty,
        )

    def _contents(self, entry: OriginEntry, variable: str) -> Contents:
        given = self._merged(entry)
        if wrong := sorted(entry.model_fields_set & {"columns", "weight", "preselection", "friends", "tree"}):
            raise InputError(
                f"{', '.join(wrong)} is of events, and the sample is a histogram; expected histogram = ..."
            )
        select: dict[str, Any] = {**self.entry.select, **entry.select}
        files, name = self._files(given.file), str(given.histogram)
        found = read_histogram(files, name, axis=given.axis, select=select, variable=variable)
        return found.scaled(1.0 if given.scale is None else given.scale)

    def _of_histograms(self, number: int, variable: str) -> list[Modifier]:
        """A systematic, whose sides are histograms if it has any."""
        entry = self.entry.systematic[number]
        if isinstance(entry, WeightFamilyEntry):
            raise InputError(f"systematic {number + 1} ({entry.name}): weights are of events, and there are none")
        if not isinstance(entry, HistoSysEntry):
            return [one for one in self._systematic(number) if isinstance(one, Modifier)]
        with within(f"systematic {number + 1} ({entry.name})"):
            if entry.effect != "both":
                raise InputError(f"effect = {entry.effect!r} is of events, and there are none")
            up, down = (
                one if isinstance(one, str) else Variation(histogram=self._contents(one, variable))
                for one in (entry.up, entry.down)
            )
            return [HistoSys(entry.name, up=up, down=down)]

    def _files(self, given: Any) -> Files:
        return _files(given, self.folder)

    def _merged(self, entry: OriginEntry) -> OriginEntry:
        """A variation's origin; what it leaves out is the sample's."""
        given = entry.model_fields_set
        # Other files have trees and friends of their own.
        own = {"tree", "friends"} if "file" in given else set()
        fields = {
            name: getattr(entry if name in given or name in own else self.entry, name)
            for name in OriginEntry.model_fields
        }
        return OriginEntry.model_construct(**fields)

    def _origin(self, entry: OriginEntry) -> Origin:
        return Origin(
            self._files(entry.file),
            tree=entry.tree,
            friends=tuple(self._files(one) for one in _texts(entry.friends)),
            where=_conditions(self.document.preselection, entry.preselection),
            weight=entry.weight,
            normalization=self._normalization(entry),
            scale=1.0 if entry.scale is None else entry.scale,
            define=self.document.define,
        )

    def _normalization(self, entry: OriginEntry) -> Normalization | None:
        if entry.cross_section is None or self.document.luminosity is None:
            return None
        total = entry.sum_of_weights
        if isinstance(total, SumOfWeights):
            total = _sum_of_weights(total, self._files(entry.file))
        elif total is None:
            total = entry.weight or "1"
        return Normalization(entry.cross_section, self.document.luminosity, total, entry.k_factor or 1.0)

    def _systematic(self, number: int) -> list[Modifier | Shape]:
        entry = self.entry.systematic[number]
        with within(f"systematic {number + 1} ({entry.name or 'lumi'})"):
            values = entry.given(without=("type",))
            match entry.type:
                case "histosys":
                    down = entry.down if isinstance(entry.down, str) else self._shift(entry.down)
                    return [Shape(entry.name, self._shift(entry.up), down, entry.effect)]
                case "weights":
                    return self._family(entry)
                case "normfactor":
                    if "bounds" in values:
                        values["bounds"] = tuple(values["bounds"])
                    return [NormFactor(**values)]
                case "lumi":
                    return [Lumi(entry.relative)]
                case _:
                    return [(NormSys if entry.type == "normsys" else ShapeSys)(**values)]

    def _shift(self, entry: ShiftEntry) -> Shift:
        elsewhere = entry.model_fields_set - {"columns", "weight"}
        origin = self._origin(self._merged(entry)) if elsewhere else None
        return Shift(entry.columns, entry.weight, origin)

    def _family(self, entry: WeightFamilyEntry) -> list[Modifier | Shape]:
        """One uncertainty for each column that matches the wildcard in a weight, or one that spans them."""
        weight = entry.weight
        there = column_names(self._files(self.entry.file), tree=self.entry.tree)
        pattern = wildcard(weight, there, {*there, *self.document.define})
        found = fnmatch.filter(there, pattern)
        shifts = {column: Shift(weight=weight.replace(pattern, f"`{column}`")) for column in found}
        if entry.combine == "each":
            return [Shape(f"{entry.name}_{column}", one, "mirror", entry.effect) for column, one in shifts.items()]
        members = [
            Shape(f"{entry.name}[{column}]", one, "nominal", entry.effect, FamilyMember)
            for column, one in shifts.items()
        ]
        return [Envelope(entry.name, [member.name for member in members]), *members]


def _sum_of_weights(total: SumOfWeights, files: Files) -> float:
    if total.histogram is not None:
        return histogram_sum(files, total.histogram, bin_number=total.bin)
    if total.tree is None or total.column is None:
        raise InputError("sum_of_weights: expected {tree = ..., column = ...} or {histogram = ...}.")
    return float(read_columns(files, columns=[total.column], tree=total.tree)[total.column].sum())


def _texts(given: Any) -> list[str]:
    """A text or several as a list."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _files(given: Any, folder: Path) -> Files:
    """Files relative to the configuration."""
    names = _texts(given)
    found = [one if "://" in one or Path(one).is_absolute() else str(folder / one) for one in names]
    return found[0] if len(found) == 1 else found


def _conditions(*texts: str | None) -> str | None:
    """All of some preselections."""
    return " and ".join(f"({text})" for text in texts if text is not None) or None


@dataclasses.dataclass(frozen=True)
class ObservedData:
    """Observed data, which are not read before somebody counts them.

    Attributes:
        entry: where they are.
        document: the file.
        folder: what names of files are relative to.
    """

    entry: DataEntry
    document: Document
    folder: Path

    def counts(self, channels: Sequence[tuple[str, Selection, Any]]) -> dict[str, FloatArray]:
        """How many events there are after cuts, for each channel an array of shape (bin,).

        Args:
            channels: of each its name, cuts and axis, or None to count.

        Raises:
            InputError: they cannot be read, see `hepcuts.io.read_columns`.
        """
        if self.entry.histogram is not None:
            return self._of_bins(channels)
        axes = [axis.name for _, _, axis in channels if axis is not None]
        quantities = dict.fromkeys([*axes, *(column for _, selection, _ in channels for column in selection.columns)])
        entry = self.entry
        with within("[data]"):
            columns = read_columns(
                _files(entry.file, self.folder),
                columns=list(quantities),
                tree=entry.tree,
                where=_conditions(self.document.preselection, entry.preselection),
                define=self.document.define,
                friends=[_files(one, self.folder) for one in _texts(entry.friends)],
            )
        return {name: self._counted(columns, selection, axis) for name, selection, axis in channels}

    def _of_bins(self, channels: Sequence[tuple[str, Selection, Any]]) -> dict[str, FloatArray]:
        entry, variable = self.entry, channels[0][1].columns[0]
        files = _files(entry.file, self.folder)
        with within("[data]"):
            contents = read_histogram(
                files, str(entry.histogram), axis=entry.axis, select=entry.select, variable=variable
            )
            observed = Histogram("data", contents, variable=variable)
            return {name: np.array([contents_after(observed, selection)]) for name, selection, _ in channels}

    def _counted(self, columns: dict[str, Any], selection: Selection, axis: Any) -> FloatArray:
        missing = self.entry.missing
        passed = selection.mask(columns, missing=missing)
        if axis is None:
            return np.array([np.count_nonzero(passed)], dtype=np.float64)
        values = np.asarray(columns[axis.name], dtype=np.float64)
        bins = axis.index(values[passed & ~is_missing(values, missing)])
        inside = bins[(bins >= 0) & (bins < len(axis))]
        return np.bincount(inside, minlength=len(axis)).astype(np.float64)
