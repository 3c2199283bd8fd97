"""How the cuts of a selection are laid out for soft sums: which edge steps along which row of coordinates.

`Layout` is all that the compiled function has to know; `rows_of` makes the rows of the events' columns.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.executors import in_threads
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.edges import edges_of

from .coordinates import AbstractCoordinate
from .events import Block

_NEVER = 1e30
"""Coordinate of what fails on one side: far beyond the reach of any step."""


@dataclasses.dataclass(frozen=True)
class Edge:
    """One soft step.

    Attributes:
        row: row of the values that it steps along.
        sign: +1 if larger values pass.
        cut: the cut that it belongs to.
        along: row of the variable that the threshold depends on, or None.
        knots: values of that variable at which thresholds are given, between which they are interpolated.
    """

    row: int
    sign: int
    cut: int
    along: int | None = None
    knots: tuple[float, ...] = (0.0,)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the compiled function has to know beforehand.

    Attributes:
        edges: the steps; their thresholds, one for each knot, follow each other in this order.
        inverted: for each cut whether events that fail it are kept.
        missing_passes: whether a value can be NaN, which passes.
    """

    edges: tuple[Edge, ...]
    inverted: tuple[bool, ...]
    missing_passes: bool = False

    @functools.cached_property
    def first(self) -> tuple[int, ...]:
        """Position of the first threshold of each edge."""
        counts = [len(edge.knots) for edge in self.edges]
        return tuple(int(c) for c in np.cumsum([0, *counts[:-1]]))


def loosest_is_low(layout: Layout) -> NDArray[np.bool_]:
    """For each threshold whether lower ones let more events pass, shape (threshold,)."""
    return np.array(
        [(edge.sign > 0) != layout.inverted[edge.cut] for edge in layout.edges for _ in edge.knots], dtype=bool
    )


def layout_of(selection: Selection) -> Layout:
    """What the compiled function has to know of a selection.

    Raises:
        InputError: a cut gives no edges.
    """
    edges: list[Edge] = []
    row = 0
    for number, cut in enumerate(selection.cuts):
        own = edges_of(cut)
        along = _along(cut)
        edges.extend(
            Edge(row, e.sign, number, None if e.along is None else row + 1 + along.index(e.along), e.knots) for e in own
        )
        row += 1 + len(along)
    passes = any(cut.plain.missing == "pass" for cut in selection.cuts)
    return Layout(tuple(edges), tuple(cut.inverted for cut in selection.cuts), passes)


def rows_of(selection: Selection, coordinates: Sequence[AbstractCoordinate], block: Block, dtype: Any) -> NDArray[Any]:
    """Coordinates of the cut's variables, shape (row, event), with what is missing where it passes or fails."""

    def of_cut(one: tuple[AbstractCut, AbstractCoordinate]) -> list[NDArray[Any]]:
        inner, coordinate = one[0].plain, one[1]
        values, absent = inner.measured(block.columns, missing=block.missing)
        scores = coordinate.scores(np.where(absent, 0.0, values))
        found = [np.where(absent, _absent(inner), scores).astype(dtype)]
        return found + [np.where(absent, 0.0, block.columns[along]).astype(dtype) for along in _along(inner)]

    of_cuts = in_threads(of_cut, zip(selection.cuts, coordinates, strict=True))
    return np.stack([row for rows in of_cuts for row in rows])


def _along(cut: AbstractCut) -> list[str]:
    """The columns that thresholds of a cut depend on, each once."""
    return list(dict.fromkeys(edge.along for edge in edges_of(cut) if edge.along is not None))


def _absent(cut: AbstractCut) -> float:
    """Coordinate of a missing value: NaN passes."""
    return float("nan") if cut.missing == "pass" else -cut.signs[0] * _NEVER


def hard_mask(layout: Layout, values: NDArray[Any], thresholds: FloatArray) -> NDArray[np.bool_]:
    """Which events pass hard cuts, shape (event,).

    Args:
        layout: what the rows mean.
        values: coordinates, shape (row, event).
        thresholds: in the coordinates, shape (threshold,).
    """
    passed = np.ones(values.shape[1], dtype=bool)
    for cut, inverted in enumerate(layout.inverted):
        edges = [(e, first) for e, first in zip(layout.edges, layout.first, strict=True) if e.cut == cut]
        if edges:
            of_cut = functools.reduce(
                np.logical_and, [_passes_edge(layout, edge, values, thresholds[first:]) for edge, first in edges]
            )
            passed &= ~of_cut if inverted else of_cut
    return passed


def _passes_edge(layout: Layout, edge: Edge, values: NDArray[Any], thresholds: FloatArray) -> NDArray[np.bool_]:
    """Which events pass one edge, whose thresholds come first, shape (event,)."""
    row, at = values[edge.row], thresholds[0]
    if edge.along is None:
        at = _as_narrow(at, edge.sign, row.dtype)
    else:
        at = np.interp(values[edge.along], edge.knots, thresholds[: len(edge.knots)])
    passed = (row > at) if edge.sign > 0 else (row < at)
    return np.asarray(passed | np.isnan(row) if layout.missing_passes else passed)


def _as_narrow(threshold: float, sign: int, dtype: Any) -> Any:
    """The threshold in the precision of the events, on the side on which it selects the same of them: much faster."""
    with np.errstate(over="ignore"):
        narrow = np.asarray(threshold).astype(dtype)[()]
    beyond = float(narrow) > threshold if sign > 0 else float(narrow) < threshold
    return np.nextafter(narrow, -np.inf * sign, dtype=dtype) if beyond else narrow
