"""What the soft reading knows of a cut: the steps along one quantity whose product it is.

A cut that is to be optimized gives its edges (`AbstractCut.edges`), and nothing else is asked of it: a cut kind of
one's own is searched like those of hepcuts.
"""

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, FloatArray

_COMPARED = 1000
"""Events of each sample that have to pass the edges of a cut as they pass the cut; chosen by hand."""


@dataclasses.dataclass(frozen=True)
class CutEdge:
    """One step along the quantity of a cut.

    Attributes:
        sign: +1 if values above the threshold pass, -1 if values below it pass.
        along: the column that the threshold depends on, or None.
        knots: values of that column at which thresholds are given, between which they are interpolated; one number of
            no meaning for a threshold that depends on nothing.
    """

    sign: int
    along: str | None = None
    knots: tuple[float, ...] = (0.0,)

    def passes(self, quantity: FloatArray, thresholds: FloatArray, columns: Columns) -> NDArray[np.bool_]:
        """Which values pass at thresholds of shape (knot,), shape (event,)."""
        if self.along is None:
            return np.asarray(self.sign * (quantity - thresholds[0]) > 0)
        return np.asarray(self.sign * (quantity - np.interp(columns[self.along], self.knots, thresholds)) > 0)


class SoftCutReading:
    """What a cut says of its soft reading; part of `AbstractCut`.

    Attributes:
        columns: that the cut reads.
    """

    columns: Any

    def edges(self) -> tuple[CutEdge, ...] | None:
        """The steps along `quantity` whose product the soft cut is, in the order of the thresholds.

        None if there are none: such a cut can be filled and evaluated, but not optimized.
        """
        return None

    def quantity(self, *values: FloatArray) -> FloatArray:
        """What the thresholds are compared to, shape (event,): by default the variable itself.

        Args:
            values: for each of `columns`, shape (event,).
        """
        return values[0]

    def measured(self, columns: Columns, *, missing: float | None = None) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The quantity, and which events miss a value that it depends on, both of shape (event,)."""
        values, absent = self.read(columns, missing)
        return self.quantity(*values), absent

    def read(self, columns: Columns, missing: float | None) -> tuple[list[FloatArray], NDArray[np.bool_]]:
        """The values of the cut's columns, and where one of them is missing, each of shape (event,)."""
        values = [np.asarray(columns[column], dtype=np.float64) for column in self.columns]
        absent = (is_missing(column, missing) for column in values)
        return values, functools.reduce(np.logical_or, absent)


def edges_of(cut: Any) -> tuple[CutEdge, ...]:
    """The edges of a cut (`AbstractCut`), or of the one that it inverts.

    Raises:
        InputError: it gives none, or not those of its thresholds.
    """
    plain = cut.plain
    edges: tuple[CutEdge, ...] | None = plain.edges()
    if not edges:
        raise InputError(
            f"{type(plain).__name__} on {plain.variable!r} can be filled and evaluated, but gives no edges, so that "
            "there is no soft cut to search with: let its edges() return the steps whose product it is, one "
            "hepcuts.cuts.CutEdge for each threshold, or set its thresholds and do not optimize it."
        )
    signs = tuple(edge.sign for edge in edges for _ in edge.knots)
    if signs != tuple(plain.signs):
        raise InputError(
            f"{type(plain).__name__} on {plain.variable!r}: the signs of its edges are {signs}, those of its "
            f"thresholds {tuple(plain.signs)}; expected the same."
        )
    return edges


def require_edges(cut: Any, columns: Columns, missing: float | None) -> None:
    """Compare what the edges of a cut select with what the cut does.

    Args:
        cut: an `AbstractCut`.
        columns: of the events, the first of which are compared; each of shape (event,).
        missing: the number that stands for a missing value, or None.

    Raises:
        InputError: it gives no edges, or other events pass them than pass the cut.
    """
    plain, edges = cut.plain, edges_of(cut)
    some = {name: np.asarray(columns[name][:_COMPARED], dtype=np.float64) for name in plain.columns}
    quantity, absent = plain.measured(some, missing=missing)
    there = {name: values[~absent] for name, values in some.items()}
    quantity = quantity[~absent]
    if len(quantity) == 0:
        return
    thresholds = np.quantile(quantity, [0.25 if sign > 0 else 0.75 for sign in plain.signs])
    first = np.cumsum([0, *(len(edge.knots) for edge in edges)])
    parts = [thresholds[low:high] for low, high in itertools.pairwise(first)]
    soft = np.all([edge.passes(quantity, part, there) for edge, part in zip(edges, parts, strict=True)], axis=0)
    hard = plain.compare(thresholds.tolist(), *there.values())
    if differing := int(np.sum(soft != hard)):
        raise InputError(
            f"{type(plain).__name__} on {plain.variable!r}: its edges select other events than it does ({differing} of "
            f"{len(quantity)} differ at thresholds {thresholds}), so that a search would optimize another cut. Let its "
            "quantity() return what its thresholds are compared to."
        )
