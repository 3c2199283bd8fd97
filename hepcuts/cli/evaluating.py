"""Given cuts on given samples: yields, efficiencies and the significance."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts._core.tables import SummaryTable
from hepcuts.cuts import Selection
from hepcuts.evaluation.yields import SampleYield, sample_yields, yields_table
from hepcuts.histfactory import HistFactory, SignificanceResult, discovery_test
from hepcuts.optimization.record.reading import read_result
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import fill
from hepcuts.templates.templates import Templates
from hepcuts.templates.workspace import workspace

from .configuration import Configuration


@dataclasses.dataclass(frozen=True, eq=False)
class CutEvaluation:
    """What cuts leave.

    Attributes:
        samples: the samples.
        selection: the cuts.
        templates: what they leave.
        workspace: of what they leave.
        test: expected discovery significance.
    """

    samples: tuple[Sample, ...]
    selection: Selection
    templates: Templates
    workspace: dict[str, Any]
    test: SignificanceResult

    @functools.cached_property
    def yields(self) -> list[SampleYield]:
        """For each sample what there is before and after the cuts."""
        return sample_yields(self.samples, self.selection, self.templates)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return {
            "cuts": [str(cut) for cut in self.selection.cuts],
            "thresholds": self.selection.to_dict(_thresholds(self.selection)),
            "yields": [dataclasses.asdict(one) for one in self.yields],
            "significance": self.test.significance,
            "p0": self.test.p0,
            "bands": {str(number): z for number, z in self.test.bands.items()},
            "dataset": self.test.dataset,
        }

    def table(self) -> SummaryTable:
        """As it is printed."""
        z = f"expected discovery significance Z = {self.test.significance:.4f} ({self.test.dataset} data)"
        return dataclasses.replace(yields_table(self.yields, f"After {self.selection}"), foot=(z,))


def evaluated(given: Configuration, selection: Selection) -> CutEvaluation:
    """Samples of a configuration after cuts.

    Raises:
        InputError: a threshold is not set; or see `hepcuts.workspace`.
    """
    templates = fill(given.samples, selection, axis=given.optimize.get("axis"))
    document = workspace(templates)
    test = discovery_test(HistFactory.from_workspace(document, validate=False))
    return CutEvaluation(given.samples, selection, templates, document, test)


def with_cuts(given: Configuration, path: Path) -> Selection:
    """The cuts of a ``result.json``, on variables that a configuration reads.

    Raises:
        InputError: it is none, or cuts on something else.
    """
    found = read_result(path).selection
    if absent := [column for column in found.columns if column not in given.selection.columns]:
        raise InputError(
            f"{path}: cuts on {', '.join(absent)}, which the configuration does not; it cuts on "
            f"{', '.join(given.selection.columns)}."
        )
    return found


def _thresholds(selection: Selection) -> list[float]:
    return [float(t) for cut in selection.cuts for t in cut.thresholds if t is not None]
