"""The parts of a record that take time: cutflow, N-1 table, systematics, sensitivity; each as rows and as a table."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.errors import YieldError
from hepcuts._core.tables import SummaryTable
from hepcuts.evaluation.cutflow import cutflow
from hepcuts.evaluation.impacts import impacts
from hepcuts.evaluation.yields import yields_table
from hepcuts.templates.filling import without_outside_warnings
from hepcuts.templates.uncertainties import background_shifts

from .cautions import constrained
from .making import record_of, yields_of
from .schema import CutflowRecord, DropOneRecord, ResultRecord, SensitivityRecord, SystematicRecord
from .views import RecordedResult

FEWEST_REPLICAS = 2
"""For the uncertainties of the N-1 table; with fewer than these it takes its own number."""


_ROWS = 20
"""Nuisance parameters in the table of them; the record has all."""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A record, and its parts as tables.

    Attributes:
        record: the record.
        tables: key of a part to its table.
    """

    record: ResultRecord
    tables: Mapping[str, SummaryTable]

    @classmethod
    def of(cls, result: RecordedResult, **origin: Any) -> "Recorded":
        """What is known already; `origin` are further arguments of `record_of`."""
        record = record_of(result, **origin)
        events = "the events that chose the cuts" if result.held_out is None else "held-out events"
        title = f"Yields of {events}, uncertainties from finite simulation"
        tables = {"yields": yields_table(yields_of(result), title)}
        rows = [(one.name, one.sample, one.channel, f"{one.effect:.2g}") for one in record.pruned]
        pruned = SummaryTable("Pruned systematics", rows, ("parameter", "sample", "channel", "effect"), align="lllr")
        return cls(record, tables | ({"pruned": pruned} if rows else {}))

    def updated(self, **parts: Any) -> "Recorded":
        """With other parts of the record."""
        return dataclasses.replace(self, record=self.record.model_copy(update=parts))

    def completed(self, result: RecordedResult) -> "Recorded":
        """With all `PARTS`."""
        found = self
        for part in PARTS.values():
            found = part(found, result)
        return found

    def _with(self, key: str, table: SummaryTable, rows: list[Any], **more: Any) -> "Recorded":
        return dataclasses.replace(self.updated(**{key: rows}, **more), tables={**self.tables, key: table})

    def with_cutflow(self, result: RecordedResult) -> "Recorded":
        """What each cut leaves; Z of each step where there is no control region, which has no part in it."""
        flow = without_outside_warnings(cutflow)(
            result.samples, result.selection, axis=result.axis, prune=result.options.get("prune")
        )
        values = np.full(len(flow.steps), np.nan) if result.regions else flow.values
        rows = [
            CutflowRecord(
                cut=step,
                sample=name,
                expected=flow.yields[n, s],
                uncertainty=flow.uncertainties[n, s],
                efficiency=flow.efficiencies[n, s],
                step_efficiency=flow.step_efficiencies[n, s],
                events=int(flow.events[n, s]),
                significance=float(values[n]),
            )
            for n, step in enumerate(flow.steps)
            for s, name in enumerate(flow.samples)
        ]
        table = flow.overview() if result.regions else flow.summary()
        return self._with("cutflow", table, rows)

    def with_drop_one(self, result: RecordedResult) -> "Recorded":
        """What is lost without each cut; with the replicas of the search, if it had some."""
        asked = result.options.get("replicas")
        enough = isinstance(asked, int) and asked >= FEWEST_REPLICAS
        found = result.drop_one(**({"replicas": asked} if enough else {}), seed=result.seed)
        rows = [
            DropOneRecord(
                without=str(row.cut),
                significance=row.significance,
                loss=row.loss,
                uncertainty=row.uncertainty,
                signal=row.signal,
                background=row.background,
                verdict=str(row),
            )
            for row in found.rows
        ]
        return self._with("drop_one", found.overview(), rows)

    def with_systematics(self, result: RecordedResult) -> "Recorded":
        """All nuisance parameters of the workspace and what they do, the largest impact first.

        Raises:
            YieldError: there is no workspace.
        """
        if result.quoted.workspace is None:
            raise YieldError(f"There is no workspace: {result.quoted.message}")
        structure, yields = result.quoted.templates.structure, result.quoted.templates.yields
        shifts, _ = background_shifts(structure, yields)
        signal = np.array([component.signal for component in structure.components])
        total = float(np.asarray(yields.nominal)[~signal].sum())
        found = impacts(result.quoted.workspace)
        rows = []
        for n, name in enumerate(found.names):
            known = name in shifts and np.isfinite(found.prior_uncertainties[n])  # a free parameter has no +1
            up, down = (float(side) / total for side in shifts[name]) if known else (None, None)
            low, high = found.mu_postfit[n].tolist()
            rows.append(
                SystematicRecord(
                    name=name,
                    background_up=up,
                    background_down=down,
                    mu_up=high,
                    mu_down=low,
                    known=float(found.held[n]),
                    constraint=float(found.constraints[n]),
                )
            )
        careful = [*self.record.careful, *constrained(rows)]
        return self._with("systematics", _systematics_table(rows), rows, careful=careful)

    def with_sensitivity(self, result: RecordedResult) -> "Recorded":
        """How much each threshold matters on the events that chose it."""
        found = result.sensitivity
        rows = [
            SensitivityRecord(
                name=name,
                threshold=float(found.thresholds[n]),
                low=found.plateau[n, 0].item(),
                high=found.plateau[n, 1].item(),
                statistical_low=found.statistical_plateau[n, 0].item(),
                statistical_high=found.statistical_plateau[n, 1].item(),
            )
            for n, name in enumerate(found.names)
        ]
        return self._with("sensitivity", found.overview(), rows)


PARTS: Mapping[str, Callable[[Recorded, RecordedResult], Recorded]] = MappingProxyType(
    {
        "the cutflow": Recorded.with_cutflow,
        "the N-1 table": Recorded.with_drop_one,
        "the systematics": Recorded.with_systematics,
        "the sensitivity": Recorded.with_sensitivity,
    }
)
"""What takes time, by what it is called."""


def _systematics_table(rows: list[SystematicRecord]) -> SummaryTable:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{100 * value:+.2g} %"

    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    cells = [
        (
            one.name,
            percent(one.background_up),
            percent(one.background_down),
            number(one.mu_up, "+.3f"),
            number(one.mu_down, "+.3f"),
            number(one.known, "+.3f"),
            number(one.constraint, ".2f"),
        )
        for one in rows[:_ROWS]
    ]
    head = ("parameter", "background, +1", "-1", "mu, +1", "-1", "Z if known", "after / before the fit")
    foot = [f"and {len(rows) - _ROWS} more with less impact"] if len(rows) > _ROWS else []
    return SummaryTable("Nuisance parameters, in a fit to the expectation", cells, head, foot)
