"""Histograms of any number of axes, as hist, boost_histogram and uproot have them, and what is along one of these."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from .errors import InputError
from .histograms import Contents, is_histogram
from .types import FloatArray

_LETTERS = ("x", "y", "z")
_NO_NAMES = frozenset(f"{letter}axis" for letter in _LETTERS)
"""What ROOT calls axes by default."""


@dataclasses.dataclass(frozen=True, eq=False)
class BinAxis:
    """An axis of a histogram.

    Attributes:
        name: "" if it has none.
        title: what stands at it in figures, "" if nothing does.
        number: which of the histogram's axes it is, from 0.
        bins: what each bin is: its edges, a whole number, or text.
        below: how many numbers stand before those of the bins: 1 if it has one for what lies below all edges, else 0.
    """

    name: str
    title: str
    number: int
    bins: tuple[Any, ...]
    below: int

    @classmethod
    def of(cls, given: Any, number: int, size: int, what: str) -> Self:
        """Read an axis along which there are `size` contents."""
        bins = tuple(_bin(given[bin_number]) for bin_number in range(len(given)))
        beyond = size - len(bins)
        if beyond not in {0, 1, 2}:
            raise InputError(f"{what}: the histogram has {size} contents along an axis of {len(bins)} bins.")
        below = beyond == 2 or (beyond == 1 and getattr(getattr(given, "traits", None), "underflow", False))
        known = {"name": getattr(given, "name", ""), "title": getattr(given, "label", "")}
        if hasattr(given, "member"):  # of ROOT
            known["title"] = given.member("fTitle", none_if_missing=True)
        texts = {key: text if isinstance(text, str) and text not in _NO_NAMES else "" for key, text in known.items()}
        return cls(**texts, number=number, bins=bins, below=int(below))

    @property
    def short(self) -> str:
        """What it is called at least: its name, or a letter, as ROOT does."""
        return self.name or (_LETTERS[self.number] if self.number < len(_LETTERS) else str(self.number))

    def __str__(self) -> str:
        return self.short + (f" ({self.title})" if self.title not in {"", self.name} else "")

    def is_called(self, text: str | int) -> bool:
        """Whether it has this name, title, letter or number."""
        return text in {self.short, self.title, self.number} - {""}

    @property
    def of_text(self) -> bool:
        """Whether its bins are categories with a text."""
        return any(isinstance(one, str) for one in self.bins)

    def edges(self, what: str) -> tuple[FloatArray, bool]:
        """Edges of the bins, and whether the axis is one of whole numbers."""
        bins, whole = list(self.bins), all(isinstance(one, int) for one in self.bins)
        if whole:
            edges = np.append(np.asarray(bins, dtype=np.float64) - 0.5, float(bins[-1]) + 0.5)
            if np.any(np.diff(bins) != 1):
                raise InputError(
                    f"{what}: the axis has the categories {bins}; expected an axis of numbers in their order."
                )
        elif all(isinstance(one, tuple) for one in bins):
            edges = np.array([bins[0][0], *(high for _, high in bins)], dtype=np.float64)
        else:
            raise InputError(
                f"{what}: the axis has no numbers but {bins[:3]}; choose a category and sum over the others."
            )
        if not np.all(np.isfinite(edges)) or not np.all(np.diff(edges) > 0):
            raise InputError(
                f"{what}: the edges of the bins are {edges.tolist()}; expected finite numbers, increasing."
            )
        return edges, whole


def _bin(given: Any) -> Any:
    """What a bin is, as plain numbers or text."""
    if isinstance(given, int | np.integer):
        return int(given)
    if not isinstance(given, str) and np.ndim(given) == 1 and len(given) == 2:
        return float(given[0]), float(given[1])
    return str(given)


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """What is in a histogram of any number of axes.

    Attributes:
        axes: in their order.
        values: sums of weights, one dimension for each axis, with what lies beyond its edges if that is kept.
        variances: sums of squared weights, likewise.
    """

    axes: tuple[BinAxis, ...]
    values: FloatArray
    variances: FloatArray

    @classmethod
    def of(cls, given: Any, what: str) -> Self:
        """Read a histogram.

        Args:
            given: an object with the protocol of histograms, as those of hist, boost_histogram and uproot have it.
            what: for messages.

        Raises:
            InputError: not a histogram, one of means, or one without variances.
        """
        if not is_histogram(given):
            raise InputError(
                f"{what}: came as {type(given).__name__}; expected a histogram of hist, boost_histogram, uproot or "
                "another with their protocol (UHI)."
            )
        if str(getattr(given, "kind", "")).upper().endswith("MEAN"):
            raise InputError(f"{what}: holds means of events (a profile); expected a histogram of their numbers.")
        values, variances = (_with_flow(given, kind, what) for kind in ("values", "variances"))
        if values.ndim != len(given.axes) or values.shape != variances.shape:
            raise InputError(f"{what}: the histogram has {len(given.axes)} axes and numbers of shape {values.shape}.")
        sizes = zip(given.axes, values.shape, strict=True)
        axes = tuple(BinAxis.of(axis, number, size, what) for number, (axis, size) in enumerate(sizes))
        return cls(axes, values, variances)

    def along(
        self,
        axis: str | int | None,
        what: str,
        *,
        select: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
        variable: str | None = None,
    ) -> Contents:
        """What is in the bins of one axis, summed over the others with what lies beyond their edges.

        Args:
            axis: the axis, by its name, its title, its number from 0, or, of those without a name, as ``"x"``, ``"y"``
                or ``"z"``; None for the only one, or the one that is called as the variable.
            what: for messages.
            select: axis to the category, or the categories, that are summed of it. An axis of several texts is not
                summed otherwise: it may be one of variations.
            variable: what is wanted.

        Raises:
            InputError: no such axis, several and none is named, a category that there is not, an axis without numbers,
                or numbers that are not finite.

        Example:
            >>> import hist
            >>> both = hist.Hist.new.Reg(2, 0, 1, name="bdt").Reg(2, 0, 200, name="mass").Weight()
            >>> Cells.of(both.fill([0.1, 0.9], [90.0, 500.0]), "ttbar").along("bdt", "ttbar").values
            array([0., 1., 1., 0.])
        """
        cells = self
        for name, categories in select.items():
            cells = cells._at(name, [categories] if isinstance(categories, str) else list(categories), what)
        kept = cells._kept(axis, variable, what)
        others = tuple(number for number in range(len(cells.axes)) if number != kept)
        for number in others:
            cells._check_summed(number, what)
        along = cells.axes[kept]
        edges, integer = along.edges(what)
        values, variances = cells.values.sum(axis=others), cells.variances.sum(axis=others)
        if not np.all(np.isfinite(values) & np.isfinite(variances)) or np.any(variances < 0):
            raise InputError(f"{what}: contents or variances of the histogram are not finite, or variances negative.")
        beyond = (1 - along.below, len(edges) + 1 - (1 - along.below) - len(values))
        return Contents(along.name, edges, np.pad(values, beyond), np.pad(variances, beyond), integer)

    def _kept(self, axis: str | int | None, variable: str | None, what: str) -> int:
        if axis is not None:
            return self._number(axis, what)
        if len(self.axes) == 1:
            return 0
        if variable is not None and any(axis.is_called(variable) for axis in self.axes):
            return self._number(variable, what)
        raise InputError(
            f"{what}: the histogram has the axes {self._told()}; say which one is meant, as in "
            f"axis = {self.axes[0].short!r}. What is on the others is summed."
        )

    def _number(self, axis: str | int, what: str) -> int:
        """Where the axis stands that is called so."""
        found = [place for place, one in enumerate(self.axes) if one.is_called(axis)]
        if len(found) != 1:
            raise InputError(f"{what}: the histogram has no axis {axis!r}, or several; it has {self._told()}.")
        return found[0]

    def _told(self) -> str:
        return ", ".join(map(str, self.axes))

    def _at(self, name: str, categories: Sequence[str], what: str) -> "Cells":
        """Some categories of an axis, summed."""
        number = self._number(name, what)
        axis = self.axes[number]
        if absent := [one for one in categories if one not in axis.bins]:
            there = ", ".join(map(str, axis.bins))
            raise InputError(f"{what}: the axis {name} has no category {', '.join(map(str, absent))}; it has {there}.")
        chosen = [axis.below + axis.bins.index(one) for one in categories]
        tables = (table.take(chosen, axis=number).sum(axis=number) for table in (self.values, self.variances))
        return Cells((*self.axes[:number], *self.axes[number + 1 :]), *tables)

    def _check_summed(self, number: int, what: str) -> None:
        axis, name = self.axes[number], self.axes[number].short
        if axis.of_text and len(axis.bins) > 1:
            raise InputError(
                f"{what}: the axis {name} has the categories {', '.join(axis.bins)}, which are not summed; choose, as "
                f"in h[{{{name!r}: {axis.bins[0]!r}}}], in a configuration select = {{{name} = {axis.bins[0]!r}}}; "
                "hepcuts.io.histograms_of makes a sample of each."
            )


def _with_flow(given: Any, kind: str, what: str) -> FloatArray:
    """Contents with those beyond the edges, if the histogram keeps them."""
    try:
        found = getattr(given, kind)(flow=True)
    except TypeError:  # the protocol itself does not know them
        found = getattr(given, kind)()
    if found is None:
        raise InputError(
            f"{what}: the histogram does not know its {kind}; fill one that sums squared weights, too, as in "
            "hist.Hist(axis, storage='weight') or TH1::Sumw2."
        )
    return np.asarray(found, dtype=np.float64)
