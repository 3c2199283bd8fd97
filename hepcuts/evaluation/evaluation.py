"""What a hard selection is worth: significance, pyhf's confirmation, and the events it rests on."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import FitError, YieldError
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.histfactory import HistFactory, discovery_significance, referee
from hepcuts.merit.counts import totals_of
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.merit.rows import Rows
from hepcuts.samples.sample import Sample
from hepcuts.templates.filling import fill
from hepcuts.templates.pruning import Dropped, pruned_channels
from hepcuts.templates.simulated import effective_background, vanished, weakest_background
from hepcuts.templates.templates import Templates
from hepcuts.templates.uncertainties import same_sided
from hepcuts.templates.workspace import CHOSEN_ON, DISCOVERY, workspace


@dataclasses.dataclass(frozen=True, eq=False)
class HardEvaluation:
    """What a hard selection is worth on some events.

    Attributes:
        value: the objective.
        significance: discovery significance of the profile likelihood on the Asimov dataset; NaN if it has none.
        verdict: pyhf's own on the same model, or None if there is no significance, or pyhf was not asked yet.
        effective_background: effective number of simulated events of the weakest background after the cuts; see
            `hepcuts.templates.simulated`.
        templates: the hard templates of the signal region.
        regions: those of the control regions.
        workspace: the pyhf workspace, or None if the templates make none.
        message: why there is no significance, or "".
        vanished: in words, each background of which no simulated event is left.
        effective_signal: effective number of simulated signal events after the cuts.
        expected_events: what a test rests on, see `hepcuts.histfactory.bands.equivalent_events`.
        systematics: in words, what to keep in mind of them, see `hepcuts.templates.uncertainties.same_sided`.
        weakest: name of the background that `effective_background` is the number of; "" if there is only one.
        dropped: systematics that the templates, the workspace and its significance are without, see `pruned`.
    """

    value: float
    significance: float
    verdict: referee.Verdict | None
    effective_background: float
    templates: Templates
    workspace: dict[str, Any] | None
    regions: tuple[Templates, ...] = ()
    message: str = ""
    vanished: tuple[str, ...] = ()
    weakest: str = ""
    systematics: tuple[str, ...] = ()
    expected_events: float = float("inf")
    effective_signal: float = float("nan")
    dropped: tuple[Dropped, ...] = ()

    @functools.cached_property
    def pyhf(self) -> referee.Verdict | None:
        """The verdict of pyhf on the same model, or None if there is no significance; asked now if it was not yet.

        Raises:
            FitError: pyhf's fit failed.
        """
        if self.verdict is not None or self.workspace is None or self.message:
            return self.verdict
        return referee.hypotest(HistFactory.from_workspace(self.workspace, validate=False).model)

    def pruned(self, below: float, *, chose: bool = False) -> "HardEvaluation":
        """The same without systematics of nearly no effect; `value` stays, which is the objective with all of them.

        Args:
            below: the fraction of a sample's yield in each bin, see `hepcuts.templates.pruning`.
            chose: as in `evaluate`.

        Raises:
            InputError: it is not between 0 and 1.
        """
        (templates, *regions), dropped = pruned_channels((self.templates, *self.regions), below)
        return dataclasses.replace(
            self,
            templates=templates,
            regions=tuple(regions),
            systematics=same_sided(templates.structure, templates.yields),
            dropped=(*self.dropped, *dropped),
            **_quotation((templates, *regions), chose=chose, confirm=self.verdict is not None),
        )


def evaluate(
    samples: Sequence[Sample],
    selection: Selection,
    *,
    objective: Given = "profile",
    axis: Any = None,
    regions: Sequence[Region] = (),
    chose: bool = False,
    confirm: bool = True,
) -> HardEvaluation:
    """What a hard selection is worth on some events, with pyhf's confirmation.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        objective: its value is given beside the significance.
        axis: as in `hepcuts.fill`.
        regions: control regions beside it.
        chose: whether these events chose the cuts. Cuts follow the fluctuations of the background downwards, so that
            templates of these events predict too little of it; the workspace then says so in its measurement's name.
        confirm: whether to ask pyhf at once, and not when its verdict is asked for.

    Raises:
        SampleError: as `hepcuts.fill`.
        EmptySelectionError: no event of any sample passes, or none that passes lies on the axis.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> found = evaluate(samples, hc.Selection([hc.Cut("x", ">", 28.0)]))
        >>> abs(found.significance - found.pyhf.significance) < 1e-3
        True
    """
    templates = fill(samples, selection, axis=axis)
    beside = tuple(fill(samples, r.selection(selection), axis=r.axis, channel=r.name) for r in regions)
    together = (templates, *beside)
    value = float(figure_of_merit(objective).hard(samples, together, selection))
    simulated, rows = (templates.structure, templates.yields), Rows.of_templates(templates, totals_of(samples))
    return HardEvaluation(
        value,
        **_quotation(together, chose=chose, confirm=confirm),
        effective_background=effective_background(*simulated),
        templates=templates,
        regions=beside,
        vanished=vanished(templates.structure, np.asarray(templates.variance).sum(axis=-1)),
        weakest=weakest_background(*simulated),
        systematics=same_sided(*simulated),
        expected_events=rows.expected_events(0),
        effective_signal=float(rows.effective_signal[0]),
    )


def _quotation(channels: Sequence[Templates], *, chose: bool, confirm: bool) -> dict[str, Any]:
    """Fields of a `HardEvaluation`: the workspace of all channels, and what is quoted of it."""
    found: dict[str, Any] = {"workspace": None, "significance": float("nan"), "verdict": None, "message": ""}
    try:
        found["workspace"] = workspace(channels, measurement=CHOSEN_ON if chose else DISCOVERY)
        likelihood = HistFactory.from_workspace(found["workspace"], validate=False)
        return found | {
            "significance": float(discovery_significance(likelihood)),
            "verdict": referee.hypotest(likelihood.model) if confirm else None,
        }
    except (FitError, YieldError) as error:
        return found | {"message": str(error)}
