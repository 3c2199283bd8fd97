"""What stands in ``result.json``: one typed schema, from which come its writing, its reading and its tables.

Numbers that have no value are null. A key of later versions is refused, and so is a file of another version: a result
is not guessed at.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

VERSION = 1
"""Of the schema; a key that changes its meaning, or goes, makes a new one."""


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Known = Annotated[float | None, BeforeValidator(_known)]
"""A number, or None where there is none (NaN or infinite)."""
Events = Literal["held-out", "training", "cross-validation"]


def part(meaning: str, default: Any = ..., **more: Any) -> Any:
    """A key and what it means."""
    if "default_factory" not in more:
        more["default"] = default
    return Field(description=meaning, **more)


class Record(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CutRecord(Record):
    """A cut, with all that makes it again."""

    text: str = part("as it is printed, with all digits; of whole numbers as `n >= 2`")
    variable: str = part("column or formula that is cut on")
    operators: list[Literal[">", "<"]] = part("for each threshold, which values pass; the threshold itself does not")
    thresholds: list[float] = part("one number, two of a window, or one for each knot of a sliding cut")
    kind: str = part("class of the cut: `Cut`, `Window`, `SlidingCut`, `Not`, or one of your own")
    arguments: dict[str, Any] | None = part(
        "what the class is called with to make the cut again; null if one of your own cannot be written"
    )


class FigureRecord(Record):
    """A figure of merit."""

    name: str = part("of the figure of merit; `significance` is the discovery significance of the profile likelihood")
    value: Known = part("its value")
    uncertainty: Known = part("standard deviation in replicas of the events, at these cuts; null if not known")
    events: Events = part("of which events: `held-out` ones did not choose the cuts, `training` ones did")
    cuts: Literal["hard", "soft"] = part("`hard` cuts are those of this file; `soft` ones are what was searched with")


class YieldRecord(Record):
    """Yield of a sample before and after the cuts of a region; uncertainties are those of finite simulation."""

    region: str = part("name of the channel")
    sample: str = part("name of the sample")
    signal: bool = part("whether it is a signal")
    before: float = part("expected events before any cut")
    before_uncertainty: float = part("its uncertainty")
    after: float = part("expected events after the cuts, in all bins of the fit")
    after_uncertainty: float = part("its uncertainty")
    outside: float = part("expected events that pass the cuts, but lie outside the axis of the fit")
    efficiency: Known = part("`after` over `before`")
    efficiency_uncertainty: Known = part("its uncertainty")
    events_before: int = part("simulated events before any cut")
    events: int = part("simulated events that pass the cuts")
    effective_events: float = part("what `after` rests on, (sum w)^2 / sum w^2")


class SystematicRecord(Record):
    """A nuisance parameter and its effect, in a fit to the expectation of signal and background."""

    name: str = part("name of the parameter")
    background_up: Known = part("relative change of the signal region's background at +1; null without one")
    background_down: Known = part("the same at -1")
    mu_up: Known = part(
        "change of the fitted signal strength with the parameter one standard deviation up, after the fit"
    )
    mu_down: Known = part("the same with it down")
    known: Known = part("by how much Z would be larger if the parameter were known")
    constraint: Known = part("uncertainty after the fit over that before it; null for a free parameter")


class PrunedRecord(Record):
    """A systematic that was left out of a sample, since it changes it by less than `prune` of the configuration."""

    channel: str = part("name of the channel")
    sample: str = part("name of the sample")
    name: str = part("name of the parameter; other samples may still have it")
    effect: float = part("largest relative change of the sample in any bin after the cuts, of either side")


class CutflowRecord(Record):
    """A sample after one more cut."""

    cut: str = part("the cut that was added; first `all events`")
    sample: str = part("name of the sample")
    expected: float = part("expected events that are left")
    uncertainty: float = part("its uncertainty")
    efficiency: Known = part("of all cuts so far")
    step_efficiency: Known = part("of this cut")
    events: int = part("simulated events that are left")
    significance: Known = part(
        "Z of all samples after this cut; null with control regions, which have cuts of their own"
    )


class DropOneRecord(Record):
    """All cuts but one."""

    without: str = part("the cut that is left out")
    significance: Known = part("Z without it")
    loss: Known = part("by how much that is less than with all cuts")
    uncertainty: Known = part("of the loss, from finite simulation")
    signal: float = part("expected signal without it")
    background: float = part("expected background without it")
    verdict: str = part("what the simulated events tell")


class SensitivityRecord(Record):
    """How much a threshold matters."""

    name: str = part("of the threshold")
    threshold: Known = part("where the search ended")
    low: Known = part("least threshold, the others as they are, at which the objective is within 1 %; null: any")
    high: Known = part("largest one; null: any")
    statistical_low: Known = part("least threshold at which the loss is within its own standard deviation; null: any")
    statistical_high: Known = part("largest one; null: any")


class ComparisonRecord(Record):
    """Other cuts, found in the same way on the same events, and judged on the same events."""

    kind: Literal["no cut", "fewer cuts", "BCE"] = part(
        "`fewer cuts`: one alone, with control regions beside those that tell these apart; `BCE`: all, for the least "
        "binary cross-entropy"
    )
    cuts: str = part("the cuts")
    significance: Known = part("Z, of the events that the result quotes")
    training: Known = part("Z of the events that chose them")


class InputRecord(Record):
    """A file that events, or the thresholds of the start, were read from."""

    path: str = part("as the configuration names it, wildcards expanded")
    size: int | None = part("in bytes; null of an address")
    sha256: str | None = part("checksum; null of an address")


class ConfigurationRecord(Record):
    """The configuration."""

    path: str = part("where it was")
    text: str = part("all of it")
    settings: dict[str, Any] = part("what `--set` put in place of its values")


class ResultRecord(Record):
    """The whole file."""

    schema_version: Literal[1] = part("of this schema", VERSION)
    selection: str = part("the cuts as text")
    cuts: list[CutRecord] = part("the cuts; one that was given up is none of them")
    thresholds: dict[str, float | list[float]] = part("variable to threshold, or to several")
    given_up: list[str] = part("names of thresholds that the search put beyond all events")
    expressions: dict[str, str] = part("the cuts for other programs, see `hepcuts.Selection.expression`; or why not")
    significance: Known = part("expected discovery significance Z: what to quote")
    significance_uncertainty: Known = part("its standard deviation in replicas of the events, at these cuts")
    quoted_on: Literal["held-out", "training"] = part("`held-out` events did not choose the cuts, `training` ones did")
    objective: str = part("name of the figure of merit that was optimized")
    figures_of_merit: list[FigureRecord] = part("all values that are known, with the events that they are of")
    pyhf: dict[str, Any] | None = part("pyhf's own verdict on the same model: `p0`, `significance`, `optimizer`")
    optimism: Known = part("how much better the objective looks on the events that chose, by cross-validation")
    careful: list[str] = part("what to be careful about, as sentences")
    success: bool = part("whether the search converged")
    interrupted: bool = part("whether it was interrupted")
    message: str = part("why it stopped")
    num_steps: int = part("steps of the search")
    yields: list[YieldRecord] = part("each sample in each region, of the events that are quoted")
    effective_background: Known = part("effective simulated events of the weakest background after the cuts")
    weakest: str = part("which background that is; empty if there is only one")
    effective_signal: Known = part("effective simulated signal events after the cuts")
    expected_events: Known = part("what the test rests on; null if without limit")
    min_background: float = part("effective events of each background that the search was to keep on its own events")
    few_events: bool = part("whether what is quoted rests on fewer")
    systematics: list[SystematicRecord] | None = part(
        "nuisance parameters, the largest impact first; null: not yet", None
    )
    pruned: list[PrunedRecord] = part(
        "systematics that were left out of the significance that is quoted and of the workspace", default_factory=list
    )
    cutflow: list[CutflowRecord] | None = part("what each cut leaves, one after the other; null: not yet", None)
    drop_one: list[DropOneRecord] | None = part("the N-1 table; null: not yet", None)
    sensitivity: list[SensitivityRecord] | None = part("how much each threshold matters; null: not yet", None)
    comparison: list[ComparisonRecord] = part("other cuts for comparison", default_factory=list)
    remarks: list[str] = part("steps after the search that failed, and why", default_factory=list)
    seed: int = part("of the split, of the folds, of the starts and of the replicas")
    options: dict[str, Any] = part("arguments of `hepcuts.optimize`; an object as text")
    regions: dict[str, str] = part("control regions and their cuts")
    versions: dict[str, str] = part("of hepcuts, Python, and the libraries that numbers come from")
    inputs: list[InputRecord] = part("files that were read", default_factory=list)
    configuration: ConfigurationRecord | None = part("null if there was none", None)


TITLES: Mapping[str, str] = MappingProxyType(
    {
        "": "At the top",
        "CutRecord": "cuts",
        "FigureRecord": "figures_of_merit",
        "YieldRecord": "yields",
        "SystematicRecord": "systematics",
        "PrunedRecord": "pruned",
        "CutflowRecord": "cutflow",
        "DropOneRecord": "drop_one",
        "SensitivityRecord": "sensitivity",
        "ComparisonRecord": "comparison",
        "InputRecord": "inputs",
        "ConfigurationRecord": "configuration",
    }
)
"""Name of a table to the key that it stands under."""


def json_schema() -> dict[str, Any]:
    """What stands in a ``result.json``, as JSON schema.

    Example:
        >>> json_schema()["properties"]["significance"]["description"]
        'expected discovery significance Z: what to quote'
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ResultRecord.model_json_schema()}
