"""Categories that were found, and how far they can be trusted."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.tables import DataFrame, SummaryTable, data_frame
from hepcuts._core.types import Columns, FloatArray
from hepcuts.cuts import Selection, Window
from hepcuts.samples.modifiers import HistoSys, Modifier, Variation
from hepcuts.samples.sample import Sample
from hepcuts.samples.signals import together
from hepcuts.templates.filling import fill, without_outside_warnings
from hepcuts.templates.templates import Templates

from .fine_lattice import Kind, largest
from .quoted import AbstractQuoted

COLUMN = "category"
"""Column of the number of the category."""


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """Numbers of bins that were tried.

    Attributes:
        num_bins: along each discriminant.
        num_categories: of all together.
        value: the objective on the events that chose the edges: on average too good.
        held_out_value: the objective on events that did not, see `Categories.held_out_value`.
        held_out_uncertainty: standard error of the difference of the squared `held_out_value` to the best one.
    """

    num_bins: tuple[int, ...]
    num_categories: int
    value: float
    held_out_value: float
    held_out_uncertainty: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Categories(AbstractQuoted):
    """The best categories along one or more discriminants.

    Attributes:
        edges: discriminant to the edges of its bins, shape (bin + 1,), in the units of the variable.
        kind: how several discriminants make categories.
        selection: which events, with the cuts that were found together with the edges, or None for all.
        objective: name of the objective.
        label: its label for figures, in mathtext.
        value: the objective, on the events that chose the edges.
        start_value: the same in the categories of dynamic programming, where the search began.
        held_out_value: the objective on events that chose neither the edges nor the templates from which it is
            continued to them (`hepcuts.binning.judging.Judge.tangent`), negative where they contradict; NaN without
            folds. Cuts that were found have no say in events left out either.
        uncertainty: standard deviation of `value` from finite simulation, the edges as they are.
        significance: discovery significance of the profile likelihood on all events; NaN if it has none.
        signal: expected signal, shape (category,).
        background: expected background, shape (category,).
        effective_background: effective number of simulated background events, shape (category,).
        candidates: the numbers of bins that were tried.
        guard: what each category had to satisfy, in words.
        message: how the categories were chosen and what to keep in mind.
        observable: axis of the observable in each category, or None.
    """

    edges: Mapping[str, FloatArray]
    kind: Kind
    selection: Selection | None
    objective: str
    label: str
    value: float
    start_value: float
    held_out_value: float
    uncertainty: float
    significance: float
    signal: FloatArray
    background: FloatArray
    effective_background: FloatArray
    candidates: tuple[Candidate, ...]
    guard: str
    message: str
    observable: Any

    @property
    def discriminants(self) -> tuple[str, ...]:
        """The columns that divide."""
        return tuple(self.edges)

    @property
    def num_bins(self) -> tuple[int, ...]:
        """Number of bins along each discriminant."""
        return tuple(len(edges) - 1 for edges in self.edges.values())

    @property
    def num_categories(self) -> int:
        """Number of categories."""
        return len(self.signal)

    @property
    def axis(self) -> Any:
        """The axis to fill.

        Of one discriminant its own, as in ``hepcuts.fill(samples, result.selection, axis=result.axis)``, or in
        `hepcuts.optimize`; of several that of the column that `labeled` adds to samples.
        """
        if len(self.edges) == 1:
            ((name, edges),) = self.edges.items()
            return hist.axis.Variable(edges, name=name)
        return hist.axis.Integer(0, self.num_categories, name=COLUMN)

    def numbers(self, columns: Columns, *, missing: float | None = None) -> NDArray[np.int64]:
        """Category of each event, shape (event,); -1 where a discriminant (of ``"argmax"``: all) is missing.

        Args:
            columns: variable to values, each of shape (event,).
            missing: the number that stands for a missing value, or None.
        """
        values = np.stack([np.asarray(columns[name], dtype=np.float64) for name in self.edges])
        absent = np.stack([is_missing(row, missing) for row in values])
        # Beyond the outermost edges no events were known; what is there belongs to the last category.
        bins = np.stack(
            [
                np.searchsorted(edges[1:-1], row, side="right")
                for edges, row in zip(self.edges.values(), values, strict=True)
            ]
        )
        if self.kind == "grid":
            return np.where(absent.any(axis=0), -1, np.ravel_multi_index(tuple(bins), self.num_bins))
        best = largest(values, absent)
        first = np.cumsum([0, *self.num_bins[:-1]])
        return np.where(best < 0, -1, first[best] + bins[best, np.arange(len(best))])

    def labeled(self, samples: Iterable[Sample] | None = None) -> tuple[Sample, ...]:
        """Samples with a column ``category`` more, in all variations; -1 where there is none.

        Args:
            samples: any with the discriminants, or None for those that chose the categories.

        Raises:
            InputError: there is such a column.
            SampleError: a discriminant is missing.
        """
        return tuple(self._labeled(sample) for sample in (self.samples if samples is None else samples))

    def _labeled(self, sample: Sample) -> Sample:
        if COLUMN in sample.columns:
            raise InputError(f"Sample {sample.name!r} has a column {COLUMN!r}; rename it.")
        for name in self.edges:
            sample.column(name)

        def variation(given: Variation) -> Variation:
            number = self.numbers(sample.varied(given)[0], missing=sample.missing).astype(np.float64)
            return Variation({**given.columns, COLUMN: number}, given.weights)

        modifiers: list[Modifier] = []
        for one in sample.modifiers:
            if isinstance(one, HistoSys):
                sides = {side: variation(given) for side, given in one.sides.items()}
                modifiers.append(one.with_sides(sides))
            else:
                modifiers.append(one)
        number = self.numbers(sample.columns, missing=sample.missing).astype(np.float64)
        return sample.with_columns({**sample.columns, COLUMN: number}, modifiers)

    @property
    def templates(self) -> tuple[Templates, ...]:
        """The samples in the categories: one channel, or with an observable one for each category."""
        if self.observable is None:
            samples = self.samples if len(self.edges) == 1 else self.labeled()
            return (without_outside_warnings(fill)(samples, self.selection, axis=self.axis),)
        samples, found = self.labeled(), []
        for number in range(self.num_categories):
            own = Selection([Window(COLUMN, number - 0.5, number + 0.5)])
            chosen = own if self.selection is None else self.selection & own
            found.append(
                without_outside_warnings(fill)(samples, chosen, axis=self.observable, channel=f"category_{number}")
            )
        return tuple(found)

    def to_dataframe(self) -> DataFrame:
        """One row for each category: its edges along each discriminant (NaN: none), and yields."""
        rows = []
        for number in range(self.num_categories):
            row: dict[str, float] = {}
            for name, (low, high) in self.bounds(number).items():
                row |= {f"{name}:low": low, f"{name}:high": high}
            rows.append(row)
        yields = {name: getattr(self, name) for name in ("signal", "background", "effective_background")}
        return data_frame(rows).assign(**yields)

    def bounds(self, number: int) -> dict[str, tuple[float, float]]:
        """Edges of a category along the discriminants that divide it; of ``"argmax"`` along the largest."""
        if self.kind == "grid":
            bins = np.unravel_index(number, self.num_bins)
            return {n: (float(e[b]), float(e[b + 1])) for (n, e), b in zip(self.edges.items(), bins, strict=True)}
        first = np.cumsum([0, *self.num_bins])
        which = int(np.searchsorted(first, number, side="right")) - 1
        name = self.discriminants[which]
        edges, at = self.edges[name], number - int(first[which])
        return {name: (float(edges[at]), float(edges[at + 1]))}

    def plot(self, axes: Any = None) -> Any:
        """Draw the categories (`hepcuts.plotting.categories`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.categories(self, axes=axes)

    def overview(self) -> SummaryTable:
        """What was found, and how."""
        rows = [(f"edges of {name}", ", ".join(f"{e:.5g}" for e in edges)) for name, edges in self.edges.items()]
        if self.selection is not None:
            rows.append(("cuts", str(self.selection)))
        held_out = f"; cross-validated {self.held_out_value:.4f}" if np.isfinite(self.held_out_value) else ""
        rows += [
            (self.objective, f"{self.value:.4f} +- {self.uncertainty:.2g} (finite simulation){held_out}"),
            ("significance", f"{self.significance:.4f} (profile likelihood, all systematics)"),
            ("effective background", ", ".join(f"{n:.0f}" for n in self.effective_background) + " events"),
            ("guard", self.guard),
            *(("signals", signals) for signals in [together(self.samples)] if signals),
            ("choice", self.message),
        ]
        return SummaryTable(self._title(), rows)

    def _title(self) -> str:
        how = {"grid": " and ", "argmax": " or "}[self.kind].join(self.discriminants)
        return f"{self.num_categories} categor{'y' if self.num_categories == 1 else 'ies'} of {how}"
