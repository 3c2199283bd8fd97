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
from hepcuts.samples.histogram import Histogram, check_any
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import fill
from hepcuts.templates.pruning import Dropped, pruned_channels
from hepcuts.templates.templates import Templates
from hepcuts.templates.workspace import workspace

from .configuration import Configuration


@dataclasses.dataclass(frozen=True, eq=False)
class CutEvaluation:
    """What cuts leave.

    Attributes:
        samples: the samples.
        selection: the cuts.
        channels: cuts of each region, the signal region first.
        templates: what they leave there.
        workspace: of that.
        test: expected discovery significance.
        dropped: systematics that were pruned.
    """

    samples: tuple[Sample, ...] | tuple[Histogram, ...]
    selection: Selection
    channels: tuple[Selection, ...]
    templates: tuple[Templates, ...]
    workspace: dict[str, Any]
    test: SignificanceResult
    dropped: tuple[Dropped, ...] = ()

    @functools.cached_property
    def yields(self) -> list[SampleYield]:
        """For each region and sample what there is before and after the cuts."""
        regions = zip(self.channels, self.templates, strict=True)
        return [one for cuts, templates in regions for one in sample_yields(self.samples, cuts, templates)]

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return {
            "cuts": [str(cut) for cut in self.selection.cuts],
            "thresholds": self.selection.to_dict(_thresholds(self.selection)),
            "yields": [dataclasses.asdict(one) for one in self.yields],
            "pruned": [dataclasses.asdict(one) for one in self.dropped],
            "significance": self.test.significance,
            "p0": self.test.p0,
            "bands": {str(number): z for number, z in self.test.bands.items()},
            "dataset": self.test.dataset,
        }

    def table(self) -> SummaryTable:
        """As it is printed."""
        z = f"expected discovery significance Z = {self.test.significance:.4f} ({self.test.dataset} data)"
        foot = (*(f"pruned: {one}" for one in self.dropped), z)
        return dataclasses.replace(yields_table(self.yields, f"After {self.selection}"), foot=foot)


def evaluated(given: Configuration, selection: Selection, *, unblind: bool = False) -> CutEvaluation:
    """Samples of a configuration after cuts, in the signal region and in the control regions.

    Args:
        given: the configuration.
        selection: the cuts of the signal region.
        unblind: whether the observed data are read; their counts are the observations of the workspace, and nothing
            else depends on them.

    Raises:
        InputError: a threshold is not set, there are no data; or see `hepcuts.workspace`.
    """
    channels = [("signal_region", selection, given.axis)]
    channels += [(region.name, region.selection(selection), region.axis) for region in given.regions]
    samples = check_any(given.samples)
    filled = [fill(samples, cuts, axis=axis, channel=name) for name, cuts, axis in channels]
    templates, dropped = pruned_channels(filled, given.document.prune)
    if unblind and given.data is None:
        raise InputError("There are no observed data to unblind; the configuration has no [data].")
    observations = given.data.counts(channels) if unblind and given.data is not None else None
    expected = workspace(templates)
    test = discovery_test(HistFactory.from_workspace(expected, validate=False))
    document = expected if observations is None else workspace(templates, observations=observations)
    cuts = tuple(chosen for _, chosen, _ in channels)
    return CutEvaluation(samples, selection, cuts, templates, document, test, dropped)


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
