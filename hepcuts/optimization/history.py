"""The way of a staged descent, step by step: of cuts, of a discriminant's parameters, of working points."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray

_UNKNOWN = np.zeros(0)


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One step, as the search knows it.

    Attributes:
        stage: number of its stage.
        value: of the objective, on the events that choose.
        position: thresholds in the coordinates of the search, shape (threshold,); empty if there are none.
        gradient: of the objective to them, of the same shape, or empty.
        widths: of the soft cuts in the coordinates, of the same shape, or empty.
        validation: the objective on events that validate, NaN if there are none.
    """

    stage: int
    value: float
    position: FloatArray = dataclasses.field(default_factory=_UNKNOWN.copy)
    gradient: FloatArray = dataclasses.field(default_factory=_UNKNOWN.copy)
    widths: FloatArray = dataclasses.field(default_factory=_UNKNOWN.copy)
    validation: float = float("nan")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class History(Tabular):
    """The way of a staged descent: of `hepcuts.optimize`, `hepcuts.train` and `hepcuts.working_points`.

    Attributes:
        names: names of the thresholds; none if what is sought are parameters of a discriminant.
        thresholds: shape (step, threshold).
        values: of the objective, with soft cuts, on the events that choose, shape (step,).
        stages: number of the stage of widths, shape (step,). Values of different stages are of different widths and
            not comparable.
        gradients: of the objective with respect to the thresholds, shape (step, threshold), or None.
        widths: widths of the soft cuts in the coordinates of the search (normal scores, or spreads where a width was
            given), shape (step, threshold), or None.
        scores: the thresholds in these coordinates, shape (step, threshold), or None.
        validation: the objective on events that validate and do not choose, shape (step,), or None.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> points = hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.5, 0.8])
        >>> list(points.history.to_dataframe().columns)
        ['stage', 'value', 'x at 0.5', 'x at 0.8']
    """

    names: tuple[str, ...]
    thresholds: FloatArray
    values: FloatArray
    stages: NDArray[np.int64]
    gradients: FloatArray | None = None
    widths: FloatArray | None = None
    scores: FloatArray | None = None
    validation: FloatArray | None = None

    @classmethod
    def of(
        cls, rows: Sequence[Row], names: Iterable[str] = (), thresholds: FloatArray | None = None, **more: Any
    ) -> Self:
        """A history of steps.

        Args:
            rows: the steps.
            names: of the thresholds.
            thresholds: in the units of their variables, shape (step, threshold); None if there are none.
            more: further attributes.
        """
        values = np.array([row.value for row in rows], dtype=np.float64)
        stages = np.array([row.stage for row in rows], dtype=np.int64)
        none = np.zeros((len(rows), 0))
        return cls(tuple(names), none if thresholds is None else thresholds, values, stages, **more)

    def __len__(self) -> int:
        return len(self.values)

    def to_dataframe(self) -> DataFrame:
        """A data frame with one row for each step."""
        table: dict[str, Any] = {"stage": self.stages, "value": self.values}
        if self.validation is not None:
            table["validation"] = self.validation
        return data_frame(table | {name: self.thresholds[:, i] for i, name in enumerate(self.names)})

    def lines(self) -> list[str]:
        """The log: one line for each step."""
        return [
            f"{step:4d}  {value: .8g}  " + "  ".join(f"{n}={t:.6g}" for n, t in zip(self.names, row, strict=True))
            for step, (value, row) in enumerate(zip(self.values, self.thresholds, strict=True))
        ]

    def overview(self) -> SummaryTable:
        """Where each stage began and ended."""
        rows = []
        for stage in np.unique(self.stages):
            (steps,) = np.nonzero(self.stages == stage)
            first, last = self.values[steps[[0, -1]]]
            cells = [str(stage), str(len(steps)), f"{first:.6g}", f"{last:.6g}"]
            if self.validation is not None:
                cells.append(f"{self.validation[steps[-1]]:.6g}")
            rows.append([*cells, *(f"{threshold:.6g}" for threshold in self.thresholds[steps[-1]])])
        validated = () if self.validation is None else ("validation",)
        head = ("stage", "steps", "first value", "last value", *validated, *self.names)
        return SummaryTable(f"History of {len(self)} steps", rows, head)


def packed(record: Any) -> dict[str, Any]:
    """A dataclass of numbers, texts, arrays and such dataclasses, as JSON can hold it."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return packed(value)
        return value.tolist() if isinstance(value, np.ndarray) else value

    return {field.name: plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def unpacked(state: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of what was `packed`, with arrays."""
    return {name: np.array(value) if isinstance(value, list) else value for name, value in state.items()}
