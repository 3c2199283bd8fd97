"""What to print of a selection: which of its cuts matter, and presentable values of its thresholds.

Both ask what other selections of the same events are worth: without one of the cuts (the N-1 table), or with rounded
thresholds. All of them are filled in one pass, and their profile likelihoods are fitted side by side.
"""

import dataclasses
import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ._types import FloatArray
from .cuts import AbstractCut, Selection
from .errors import InputError
from .filling import as_selection, bins_of, blocks, require_columns, structure_of
from .metrics import Table
from .profiling import PROFILE
from .samples import Sample, check_samples
from .templates import Structure, Yields

_NUMBERS = 4_000_000
"""Numbers that are held at once."""
_STEPS = (1.0, 2.0, 2.5, 5.0)
"""Presentable thresholds are multiples of these, times a power of ten."""
_FINEST, _COARSEST = 4, 1
"""Steps to try: from that many digits beyond the first of a threshold to that many before it."""


@dataclasses.dataclass(frozen=True)
class WithoutCut:
    """A selection without one of its cuts.

    Attributes:
        cut: the cut that is left out.
        significance: discovery significance without it; NaN if it has none.
        loss: by how much that is less than with all cuts.
        uncertainty: one standard deviation of the loss from the finite simulation, by replicas of the events.
        signal: expected signal without the cut.
        background: expected background without the cut.
    """

    cut: AbstractCut
    significance: float
    loss: float
    uncertainty: float
    signal: float
    background: float

    @property
    def matters(self) -> bool:
        """Whether the loss is more than two standard deviations."""
        return bool(self.loss > 2.0 * self.uncertainty)


@dataclasses.dataclass(frozen=True)
class DropOneTable:
    """The N-1 table of a selection.

    Attributes:
        selection: all cuts.
        significance: discovery significance with all cuts.
        rows: without each of them, in their order.
    """

    selection: Selection
    significance: float
    rows: tuple[WithoutCut, ...]

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                str(row.cut),
                f"{row.significance:.4g}",
                f"{row.loss:.3g} +- {row.uncertainty:.2g}",
                f"{row.signal:.5g}",
                f"{row.background:.5g}",
                "" if row.matters else "does not matter",
            )
            for row in self.rows
        ]

    def __repr__(self) -> str:
        table = [_HEAD, *self._cells()]
        widths = [max(len(row[i]) for row in table) for i in range(len(_HEAD))]
        lines = ["  ".join(["", row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table]
        return "\n".join([f"Z = {self.significance:.4g} with all cuts", *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{cell}</th>" for cell in _HEAD)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in self._cells())
        return f"<table><caption>Z = {self.significance:.4g} with all cuts</caption><tr>{head}</tr>{body}</table>"


_HEAD = ("without", "Z", "loss", "signal", "background", "")


@dataclasses.dataclass(frozen=True)
class RoundedSelection:
    """A selection with presentable thresholds.

    Attributes:
        selection: with rounded thresholds.
        significance: discovery significance with them.
        exact: with the thresholds that were given.
        loss: fraction of `exact` that the rounding costs; negative if it gains.
    """

    selection: Selection
    significance: float
    exact: float
    loss: float

    def __repr__(self) -> str:
        return f"{self.selection}: Z = {self.significance:.4g}, {self.loss:.2%} less than {self.exact:.4g}"


def drop_one(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    axis: Any = None,
    replicas: int = 100,
    seed: int = 0,
) -> DropOneTable:
    """Which cuts matter: the significance without each of them, the others where they are.

    On events that did not choose the cuts, a cut that lowers the significance is one to leave out.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        axis: as in `hepcuts.fill`.
        replicas: number of bootstrap replicas of the events (Poisson) for the uncertainty of the loss.
        seed: of the replicas.

    Returns:
        One row for each cut.

    Raises:
        InputError: a threshold is not set, or fewer than two replicas.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> rng = np.random.default_rng(1)
        >>> s = hc.Sample("s", {"x": rng.normal(2, 1, 900), "y": rng.normal(0, 1, 900)}, signal=True)
        >>> b = hc.Sample("b", {"x": rng.normal(0, 1, 9000), "y": rng.normal(0, 1, 9000)})
        >>> table = drop_one([s, b], hc.Cut("x", ">", 1.5) & hc.Cut("y", ">", -4.0))
        >>> [row.matters for row in table.rows]
        [True, False]
    """
    if replicas < 2:
        raise InputError(f"replicas is {replicas}; expected at least 2 for a spread.")
    events = _Events(samples, selection, axis)
    cuts = events.selection.cuts
    masks = [np.ones(len(cuts), dtype=bool), *(np.arange(len(cuts)) != left_out for left_out in range(len(cuts)))]
    table = events.table(masks, 1)
    values = PROFILE(table)
    random = np.random.default_rng(seed)
    replicated = PROFILE(events.table(masks, replicas, random)).reshape(len(masks), replicas)
    losses = replicated[0] - replicated
    rows = [
        WithoutCut(
            cut,
            float(values[row]),
            float(values[0] - values[row]),
            _spread(losses[row]),
            float(table.signal[row]),
            float(table.background[row]),
        )
        for row, cut in enumerate(cuts, start=1)
    ]
    return DropOneTable(events.selection, float(values[0]), tuple(rows))


def _spread(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else np.nan


def rounded(
    samples: Iterable[Sample], selection: Selection | AbstractCut, *, max_loss: float = 0.01, axis: Any = None
) -> RoundedSelection:
    """Presentable thresholds: the coarsest multiples of 1, 2, 2.5 or 5 times a power of ten that cost next to nothing.

    Threshold by threshold, the others where they are, so that the fraction that all of them cost stays below
    `max_loss`.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        max_loss: fraction of the significance that all rounding together may cost.
        axis: as in `hepcuts.fill`.

    Raises:
        InputError: a threshold is not set, `max_loss` is not between 0 and 1, or the selection has no significance.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> rounded(samples, hc.Cut("x", ">", 46.40730103875879), max_loss=0.005)
        x > 46: Z = 8.379, 0.21% less than 8.396
    """
    if not 0 < max_loss < 1:
        raise InputError(f"max_loss is {max_loss}; expected a fraction between 0 and 1, such as 0.01.")
    events = _Events(samples, selection, axis)
    thresholds = np.array(events.selection.thresholds, dtype=np.float64)
    (exact,) = PROFILE(events.table([np.ones(len(events.selection.cuts), dtype=bool)], 1))
    if not np.isfinite(exact):
        raise InputError(f"{events.selection} has no significance on these events; there is nothing to round.")
    significance = float(exact)
    for number in range(len(thresholds)):
        tried = [
            np.where(np.arange(len(thresholds)) == number, value, thresholds)
            for value in _candidates(thresholds[number])
        ]
        tried = [points for points in tried if events.possible(points)]
        values = PROFILE(events.table_at(tried))
        allowed = exact * (1.0 - max_loss * (number + 1) / len(thresholds))
        good = np.flatnonzero(values >= allowed)
        if len(good):
            thresholds, significance = tried[good[0]], float(values[good[0]])
    found = events.selection.at(thresholds)
    return RoundedSelection(found, significance, float(exact), 1.0 - significance / float(exact))


def _candidates(threshold: float) -> list[float]:
    """Rounded values of a threshold, the coarsest first."""
    if threshold == 0:
        return [0.0]
    digits = int(np.floor(np.log10(abs(threshold))))
    found: dict[float, None] = {}
    for power in range(digits + _COARSEST, digits - _FINEST, -1):
        for step in sorted(_STEPS, reverse=True):
            # Divided by the inverse of a negative power, 46.4 comes out as 46.4.
            unit = step * 10.0**power if power >= 0 else step / 10.0**-power
            multiple = round(threshold / unit)
            value = multiple * step * 10.0**power if power >= 0 else multiple * step / 10.0**-power
            found[float(value)] = None
    return list(found)


class _Events:
    """The events, to be filled behind many selections at once."""

    def __init__(self, samples: Iterable[Sample], selection: Selection | AbstractCut, axis: Any) -> None:
        self.samples = check_samples(samples)
        chosen = as_selection(selection)
        if chosen is None or None in chosen.thresholds:
            raise InputError(f"The selection is {chosen}; expected cuts with all of their thresholds.")
        self.selection = chosen
        self.structure: Structure = structure_of(self.samples, axis=axis, channel="signal_region")
        for sample in self.samples:
            require_columns(sample, chosen, axis)
        self._blocks = list(blocks(self.samples, self.structure))

    def possible(self, thresholds: FloatArray) -> bool:
        """Whether a window's edges are in order."""
        try:
            self.selection.at(thresholds)
        except InputError:
            return False
        return True

    def table(self, kept: Sequence[Any], replicas: int, random: np.random.Generator | None = None) -> Table:
        """The selection with only some of its cuts: rows are selections, and replicas of each.

        Args:
            kept: for each row which cuts are kept, shape (cut,).
            replicas: number of replicas of each.
            random: draws them, or None for the events themselves.
        """

        def masks(columns: Any, missing: Any) -> Any:
            passed = np.stack([cut.passes(columns, missing=missing) for cut in self.selection.cuts])
            return np.stack([passed[keep].all(axis=0) for keep in kept])

        counts = None if random is None else [random.poisson(1.0, (len(s), replicas)) for s in self.samples]
        return self._filled(masks, len(kept), replicas, counts)

    def table_at(self, thresholds: Sequence[FloatArray]) -> Table:
        """The selection at other thresholds, each of shape (threshold,)."""
        selections = [self.selection.at(points) for points in thresholds]

        def masks(columns: Any, missing: Any) -> Any:
            return np.stack([selection.mask(columns, missing=missing) for selection in selections])

        return self._filled(masks, len(selections), 1, None)

    def _filled(self, masks: Any, rows: int, replicas: int, counts: Any) -> Table:
        structure = self.structure
        shape = (rows, replicas, len(structure.variations), len(structure.components), structure.num_bins)
        values, variances = np.zeros(shape), np.zeros(shape)
        for variation, s, columns, weights, sample in self._blocks:
            bins, inside = bins_of(structure, columns, len(weights), missing=sample.missing)
            passed = masks(columns, sample.missing)
            for b in range(structure.num_bins):
                for part in _parts(np.flatnonzero(inside & (bins == b)), replicas + rows):
                    here = passed[:, part].astype(np.float64)
                    times = np.ones((len(part), 1)) if counts is None else counts[s][part]
                    for target, power in ((values, 1), (variances, 2)):
                        target[:, :, variation, s, b] += here @ (weights[part, None] ** power * times)
        flat = [np.moveaxis(a.reshape(rows * replicas, *shape[2:]), 0, -1) for a in (values, variances)]
        complete = structure.complete(*flat)
        yields = Yields(*(np.moveaxis(np.asarray(a), -1, 0) for a in (complete.values, complete.variances)))
        totals = [sum(s.total for s in self.samples if s.signal == signal) for signal in (True, False)]
        return Table.of(
            np.zeros(rows * replicas),
            structure,
            lambda at: Yields(yields.values[at], yields.variances[at]),
            (totals[0], totals[1]),
        )


def _parts(events: Any, columns: int) -> list[Any]:
    return np.array_split(events, max(1, len(events) * columns // _NUMBERS)) if len(events) else []
