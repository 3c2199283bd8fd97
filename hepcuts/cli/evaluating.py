"""Given cuts on given samples: yields, efficiencies and the significance."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.tables import SummaryTable
from hepcuts.cuts import Selection
from hepcuts.histfactory import HistFactory, SignificanceResult, discovery_test
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import fill
from hepcuts.templates.workspace import workspace

from .configuration import Configuration


@dataclasses.dataclass(frozen=True, eq=False)
class CutEvaluation:
    """What cuts leave.

    Attributes:
        samples: the samples.
        selection: the cuts.
        workspace: of what they leave.
        test: expected discovery significance.
    """

    samples: tuple[Sample, ...]
    selection: Selection
    workspace: dict[str, Any]
    test: SignificanceResult

    def rows(self) -> list[dict[str, Any]]:
        """For each sample the sums of weights before and after the cuts, their uncertainties, and the efficiency."""
        found = []
        for sample in self.samples:
            passed = self.selection.mask(sample.columns, missing=sample.missing)
            weights = sample.weights[passed]
            after = float(np.sum(weights))
            found.append(
                {
                    "sample": sample.name,
                    "signal": sample.signal,
                    "before": sample.total,
                    "after": after,
                    "uncertainty": float(np.sum(weights**2)) ** 0.5,
                    "efficiency": after / sample.total,
                    "events": int(np.count_nonzero(weights)),
                }
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return {
            "cuts": [str(cut) for cut in self.selection.cuts],
            "thresholds": self.selection.to_dict(_thresholds(self.selection)),
            "yields": self.rows(),
            "significance": self.test.significance,
            "p0": self.test.p0,
            "bands": {str(number): z for number, z in self.test.bands.items()},
            "dataset": self.test.dataset,
        }

    def table(self) -> SummaryTable:
        """As it is printed."""
        rows = [
            (
                row["sample"],
                f"{row['before']:.5g}",
                f"{row['after']:.5g} +- {row['uncertainty']:.2g}",
                f"{row['efficiency']:.2%}",
                str(row["events"]),
            )
            for row in self.rows()
        ]
        head = ("sample", "before", "after", "efficiency", "simulated")
        foot = (f"expected discovery significance Z = {self.test.significance:.4f} ({self.test.dataset} data)",)
        return SummaryTable(f"After {self.selection}", rows, head=head, foot=foot)


def evaluated(given: Configuration, selection: Selection) -> CutEvaluation:
    """Samples of a configuration after cuts.

    Raises:
        InputError: a threshold is not set; or see `hepcuts.workspace`.
    """
    templates = fill(given.samples, selection, axis=given.optimize.get("axis"))
    document = workspace(templates)
    test = discovery_test(HistFactory.from_workspace(document, validate=False))
    return CutEvaluation(given.samples, selection, document, test)


def with_cuts(selection: Selection, path: Path) -> Selection:
    """The cuts at the thresholds of a ``result.json``.

    Raises:
        InputError: it is none, or of other variables; a cut that was given up there is none here.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        thresholds, given_up = dict(found["thresholds"]), set(found.get("given_up", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as a result of hepcuts optimize ({error!r}).") from error
    kept = [cut for cut in selection.cuts if cut.variable not in given_up]
    absent = [cut.variable for cut in kept if cut.thresholds and cut.variable not in thresholds]
    if absent or not kept:
        raise InputError(f"{path}: has no threshold of {', '.join(absent)}; it has {', '.join(thresholds)}.")
    numbers = [float(t) for cut in kept if cut.thresholds for t in np.ravel(thresholds[cut.variable])]
    return Selection(kept).at(numbers)


def _thresholds(selection: Selection) -> list[float]:
    return [float(t) for cut in selection.cuts for t in cut.thresholds if t is not None]
