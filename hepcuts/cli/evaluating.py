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
from hepcuts.templates.pruning import Dropped, pruned
from hepcuts.templates.templates import Templates
from hepcuts.templates.workspace import workspace

from .configuration import Configuration


@dataclasses.dataclass(frozen=True, eq=False)
class CutEvaluation:
    """What cuts leave.

    Attributes:
        samples: the samples.
        selection: the cuts.
        workspace: of what they leave, control regions included.
        test: expected discovery significance.
        templates: yields in each region, the signal region first.
        dropped: systematics that were pruned.
    """

    samples: tuple[Sample, ...]
    selection: Selection
    workspace: dict[str, Any]
    test: SignificanceResult
    templates: tuple[Templates, ...]
    dropped: tuple[Dropped, ...] = ()

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
            "regions": {
                t.structure.channel: dict(zip(t.samples, np.asarray(t.nominal).sum(axis=1).tolist(), strict=True))
                for t in self.templates
            },
            "pruned": [dataclasses.asdict(one) for one in self.dropped],
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
        beside = []
        for region in self.templates[1:]:
            totals = zip(region.samples, np.asarray(region.nominal).sum(axis=1), strict=True)
            beside.append(f"{region.structure.channel}: {', '.join(f'{name} {total:.5g}' for name, total in totals)}")
        beside += [f"pruned: {one}" for one in self.dropped]
        foot = [*beside, f"expected discovery significance Z = {self.test.significance:.4f} ({self.test.dataset} data)"]
        return SummaryTable(f"After {self.selection}", rows, head=head, foot=foot)


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
    templates = tuple(fill(given.samples, cuts, axis=axis, channel=name) for name, cuts, axis in channels)
    dropped: list[Dropped] = []
    if given.document.prune is not None:
        parts = [pruned(one, given.document.prune) for one in templates]
        templates, dropped = tuple(kept for kept, _ in parts), [one for _, some in parts for one in some]
    if unblind and given.data is None:
        raise InputError("There are no observed data to unblind; the configuration has no [data].")
    observations = given.data.counts(channels) if unblind and given.data is not None else None
    expected = workspace(templates)
    test = discovery_test(HistFactory.from_workspace(expected, validate=False))
    document = expected if observations is None else workspace(templates, observations=observations)
    return CutEvaluation(given.samples, selection, document, test, templates, tuple(dropped))


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
