"""What may stand in a configuration file: one typed schema, from which come its reading, its errors and its tables.

Every key is a field with a type, a default and a meaning. Nothing is converted: text in quotes is no number, and a
number is no text. The JSON schema of `JSON_SCHEMA` is what editors use (``hepcuts init --schema``).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0)]
Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]
Texts = Text | list[Text]


def key(meaning: str, default: Any = None, **more: Any) -> Any:
    """A key and what it means."""
    if "default_factory" not in more:
        more["default"] = default
    return Field(description=meaning, **more)


class Entry(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def given(self, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """The keys that stand in the file, and their values."""
        found = {name: getattr(self, name) for name in self.model_fields_set if name not in without}
        return {name: value for name, value in found.items() if value is not None}


class SumOfWeights(Entry):
    """Where the sum of all weights of a simulation is kept."""

    tree: Text | None = key("another tree of the same files, whose entries are summed")
    column: Text | None = key("column or formula of that tree")
    histogram: Text | None = key("a histogram in each of the files, whose contents are summed")
    bin: int | None = key("one bin of the histogram, counted from 0; left out: all", ge=0)


class OriginEntry(Entry):
    """Where events are, and what they weigh."""

    file: Texts | None = key(
        "a file, wildcard, folder, `file.root:tree`, address, or list of these; relative to the configuration file"
    )
    tree: Text | None = key("the tree of a ROOT file, or the group of an HDF5 file, if there are several")
    friends: Texts | None = key("files with further columns of the same events, in the same order")
    preselection: Text | None = key("formula that an event has to pass to be read, beside the one of the whole file")
    weight: Text | None = key("formula of the weights; left out: 1 each")
    scale: Number | None = key("factor on all weights")
    histogram: Text | None = key(
        "in place of events, a histogram in the ROOT files, of the one variable that is cut on; `hepcuts scan` takes it"
    )
    axis: Text | Annotated[int, Field(ge=0)] | None = key(
        "of a histogram of several axes, the one that is cut on: its title, its number from 0, or `x`, `y`, `z`; left "
        "out: the one that is called as the variable. The others are summed, with what lies beyond their edges"
    )
    select: dict[Text, Text | list[Text]] = key(
        'of axes with categories, the one or those that are summed: `{systematic = "jes_up"}`', default_factory=dict
    )
    cross_section: Positive | None = key("in pb; with `luminosity` the weights are normalized to it")
    k_factor: Positive | None = key("further factor on the cross section")
    sum_of_weights: Positive | Text | SumOfWeights | None = key(
        "of all simulated events: a number, a formula whose sum over the events of the files, before any selection, it "
        "is, or a tree or histogram of the files; left out: the sum of `weight`"
    )


class ShiftEntry(OriginEntry):
    """One side of a variation; what is not said is as in the sample."""

    columns: dict[Text, Text] = key(
        'which columns stand for others, `{met = "met_up"}`',
        default_factory=dict,
    )


class NormSysEntry(Entry):
    """Uncertainty of a yield."""

    type: Literal["normsys"]
    name: Text = key("the parameter's name", ...)
    up: Number = key("factor on the yield at +1 standard deviation", ...)
    down: Number = key("factor at -1", ...)


_EFFECT = "`normalization`: what it does to the yield before any cut, and nothing else; `shape`: everything but that"


class HistoSysEntry(Entry):
    """Uncertainty that moves events."""

    type: Literal["histosys"]
    name: Text = key("the parameter's name", ...)
    up: ShiftEntry = key("the events at +1 standard deviation", ...)
    down: Literal["mirror", "nominal"] | ShiftEntry = key('the events at -1, or `"mirror"`, or `"nominal"`', ...)
    effect: Literal["both", "normalization", "shape"] = key(_EFFECT, default="both")

    @property
    def sides(self) -> list[ShiftEntry]:
        """Those that have events of their own."""
        return [one for one in (self.up, self.down) if isinstance(one, ShiftEntry)]


class WeightFamilyEntry(Entry):
    """A family of weights."""

    type: Literal["weights"]
    name: Text = key("what the parameters' names begin with", ...)
    weight: Text = key('formula with a wildcard: `"genWeight * w_pdf_*"`; each column that matches is one up side', ...)
    combine: Literal["each", "envelope"] = key(
        "`each` is an uncertainty of its own, or one spans all of them: their `envelope`, bin by bin", default="each"
    )
    effect: Literal["both", "normalization", "shape"] = key(_EFFECT, default="both")

    @model_validator(mode="after")
    def _of_one_kind(self) -> "WeightFamilyEntry":
        if self.combine == "envelope" and self.effect == "normalization":
            raise ValueError("effect = 'normalization' has no envelope; leave out one of them")
        return self


class ShapeSysEntry(Entry):
    """Uncorrelated uncertainty of each bin."""

    type: Literal["shapesys"]
    name: Text = key("the parameter's name", ...)
    relative: Number | list[Number] = key("relative uncertainty, one number or one for each bin", ...)


class NormFactorEntry(Entry):
    """Free normalization."""

    type: Literal["normfactor"]
    name: Text = key("the parameter's name", ...)
    bounds: Pair | None = key("lower and upper bound")
    init: Number | None = key("value before the fit")
    fixed: bool | None = key("whether it stays there")


class LumiEntry(Entry):
    """Uncertainty of the luminosity."""

    type: Literal["lumi"]
    name: Text | None = key("the parameter's name, which can only be `lumi`")
    relative: Positive = key("relative uncertainty", ...)


SystematicEntry = Annotated[
    NormSysEntry | HistoSysEntry | WeightFamilyEntry | ShapeSysEntry | NormFactorEntry | LumiEntry,
    Field(discriminator="type"),
]


_OF_BINS = frozenset({"histogram", "axis", "select"})
_OF_BOTH = frozenset({"name", "file", "scale", "signal", "staterror", "empty", "systematic"})


def _check_kind(entry: Entry, histogram: str | None) -> None:
    """Check that keys are those of events, or those of a histogram."""
    given = entry.model_fields_set
    if histogram is not None and (wrong := sorted(given - _OF_BINS - _OF_BOTH)):
        raise ValueError(f"{', '.join(wrong)} is of events, and with histogram = ... there are none")
    if histogram is None and (wrong := sorted(given & _OF_BINS)):
        raise ValueError(f"{', '.join(wrong)} is of histograms, and there is no histogram = ...")


class SampleEntry(OriginEntry):
    """Simulated events of one origin."""

    name: Text = key("name in the likelihood and in figures", ...)
    file: Texts = key(str(OriginEntry.model_fields["file"].description), ...)
    signal: bool = key("whether the parameter of interest scales it", default=False)
    missing: float | None = key("number that stands for 'does not exist' (`nan` for lists without the entry)")
    staterror: bool | Literal["poisson", "gaussian"] = key("uncertainty of finite simulation", default=True)
    empty: Literal["refuse", "limit", "ignore"] = key(
        "what a background counts as of which no event passes, see `hepcuts.Sample`", default="refuse"
    )
    identity: Texts | None = key("columns by which an event is known in all files, such as run and event number")
    systematic: list[SystematicEntry] = key("systematic uncertainties", default_factory=list)

    @model_validator(mode="after")
    def _events_or_bins(self) -> "SampleEntry":
        _check_kind(self, self.histogram)
        for modifier in self.systematic if self.histogram is None else []:
            for side in modifier.sides if isinstance(modifier, HistoSysEntry) else ():
                _check_kind(side, None)
        return self


class CutEntry(Entry):
    """A cut."""

    variable: Text = key("column or formula that is cut on", ...)
    direction: Literal[">", "<", ">=", "<=", "==", "!=", "auto", "window"] | None = key(
        "`>=`, `<=`, `==` and `!=` are of whole numbers; `auto`: to be found"
    )
    values: list[int] | None = key("of `==` and `!=`, which are not searched for: one of these, or none of them")
    threshold: Number | None = key("where the search starts; left out: where 95 % of the signal pass")
    low: Number | None = key("lower edge of a window")
    high: Number | None = key("upper edge of a window")
    along: Text | None = key("variable on which the threshold depends")
    knots: list[Number] | None = key("values of it")
    thresholds: list[Number] | None = key("thresholds at the knots, where the search starts")
    bounds: Pair | None = key("range in which the thresholds may be moved")
    width: Positive | None = key("width of the soft cut in the units of the variable")
    missing: Literal["fail", "pass"] | None = key("what happens to an event whose value is missing")

    @property
    def kind(self) -> str:
        """Which kind of cut its keys mean."""
        if self.direction in {"==", "!="}:
            return "set"
        if {"along", "knots", "thresholds"} & self.model_fields_set:
            return "sliding cut"
        return "cut" if self.direction not in {None, "window"} else "window"

    @model_validator(mode="after")
    def _keys_of_one_kind(self) -> "CutEntry":
        if self.kind == "sliding cut" and (self.along is None or self.knots is None or self.direction is None):
            raise ValueError("along, knots and direction belong together: a threshold that depends on another variable")
        if self.kind == "window" and not {"direction", "low", "high"} & self.model_fields_set:
            raise ValueError(
                "has no direction; expected direction = '>' or '<' (or 'auto' to find out) for a cut, low and high for "
                "a window, or direction = 'window' for one whose edges are both to be found"
            )
        if self.kind == "set" and not self.values:
            raise ValueError(f"direction = {self.direction!r} needs values, as in values = [2, 3]")
        own = {
            "cut": {"threshold"},
            "window": {"low", "high"},
            "sliding cut": {"along", "knots", "thresholds"},
            "set": {"values"},
        }
        foreign = set().union(*own.values()) - own[self.kind]
        if wrong := sorted(foreign & self.model_fields_set):
            what = f"direction = {self.direction!r}" if self.direction else f"a {self.kind}"
            raise ValueError(f"{', '.join(wrong)} contradicts {what}; leave one of them out")
        return self


class AxisEntry(Entry):
    """The observable whose histogram is fitted after the cuts; without it events are counted."""

    variable: Text = key("column or formula", ...)
    edges: Annotated[list[Number], Field(min_length=2)] = key("edges of the bins, increasing", ...)

    @model_validator(mode="after")
    def _increasing(self) -> "AxisEntry":
        if any(low >= high for low, high in zip(self.edges[:-1], self.edges[1:], strict=True)):
            raise ValueError("edges do not increase")
        return self


class RegionEntry(Entry):
    """A control region: the same cuts, some of them inverted or left out."""

    name: Text = key("its name", ...)
    inverted: list[Text] = key("variables whose cuts have to be failed", default_factory=list)
    without: list[Text] = key("variables that are not cut on", default_factory=list)
    axis: AxisEntry | None = key("the observable that is fitted there; left out: events are counted")


class DataEntry(Entry):
    """Observed data. Only ``hepcuts evaluate --unblind`` reads them; scans and optimizations never do."""

    file: Texts = key(str(OriginEntry.model_fields["file"].description), ...)
    tree: Text | None = key(str(OriginEntry.model_fields["tree"].description))
    friends: Texts | None = key(str(OriginEntry.model_fields["friends"].description))
    preselection: Text | None = key(str(OriginEntry.model_fields["preselection"].description))
    missing: float | None = key("number that stands for 'does not exist', as in a sample")
    histogram: Text | None = key("in place of events, a histogram in the ROOT files, where the samples are such")
    axis: Text | Annotated[int, Field(ge=0)] | None = key(str(OriginEntry.model_fields["axis"].description))
    select: dict[Text, Text | list[Text]] = key(
        str(OriginEntry.model_fields["select"].description), default_factory=dict
    )

    @model_validator(mode="after")
    def _events_or_bins(self) -> "DataEntry":
        _check_kind(self, self.histogram)
        return self


class LabelsEntry(Entry):
    """What stands in figures."""

    experiment: Text | None = key('above each of them, such as `"ATLAS Internal"`')
    variables: dict[Text, Text] = key('names of axes, `{mt = "$m_T$ [GeV]"}`', default_factory=dict)
    samples: dict[Text, Text] = key("names in legends", default_factory=dict)


class OptimizeEntry(Entry):
    """Arguments of `hepcuts.optimize`."""

    objective: Text | None = key("figure of merit; left out: `profile`")
    solver: Text | None = key("`lbfgs` or `adam`")
    step: Text | None = key("step function of the soft cuts")
    anneal: list[Positive] | None = key("widths of the soft cuts, stage by stage")
    holdout: Annotated[float, Field(ge=0, lt=1)] | None = key("share of the events that is held out; 0: none")
    folds: int | None = key("parts of the cross-validation; 0: none", ge=0)
    seed: int | None = key("seed", ge=0)
    min_background: Annotated[float, Field(ge=0)] | None = key("least effective events of each background")
    constraints: dict[Text, Number] | None = key("least or most of something, `{signal = 5.0}`")
    fixed: Texts | None = key("variables whose cuts stay")
    tied: list[list[Text]] | None = key("variables that share one threshold")
    replicas: int | None = key("bootstrap replicas; 0: no uncertainties", ge=0)
    checkpoint: Text | None = key("file that an interrupted search is resumed from")


class ScanEntry(Entry):
    """Arguments of `hepcuts.scan`."""

    metrics: list[Text] | None = key("figures of merit")
    thresholds: list[Number] | list[Pair] | None = key("thresholds, or edges of windows; left out: all")
    punzi_a: Positive | None = key("standard deviations of `punzi`")
    min_background: Annotated[float, Field(ge=0)] | None = key("least effective events of each background")
    replicas: int | None = key("bootstrap replicas", ge=0)
    folds: int | None = key("parts of the cross-validation", ge=0)
    seed: int | None = key("seed", ge=0)


class Document(Entry):
    """The whole file."""

    luminosity: Positive | None = key("integrated luminosity in 1/fb, for samples with a `cross_section`, and figures")
    energy: Positive | None = key("center-of-mass energy in TeV, for figures")
    preselection: Text | None = key("formula that every event has to pass to be read")
    define: dict[Text, Text] = key("names of quantities and their formulas, used in all others", default_factory=dict)
    sample: Annotated[list[SampleEntry], Field(min_length=1)] = key("the samples, each `[[sample]]`", ...)
    cut: Annotated[list[CutEntry], Field(min_length=1)] = key("the cuts, each `[[cut]]`", ...)
    prune: Annotated[float, Field(gt=0, lt=1)] | None = key(
        "systematics that change a sample by less than this fraction in each bin after the cuts are left out, and "
        "listed: of the workspace and of the significances that are quoted (`optimize`, `evaluate`, `cutflow`). "
        "Searches and scans take all, since what is small at some cuts may not be at others"
    )
    region: list[RegionEntry] = key("control regions of `hepcuts.optimize`, each `[[region]]`", default_factory=list)
    axis: AxisEntry | None = key("the observable that is fitted")
    data: DataEntry | None = key("observed data")
    labels: LabelsEntry = key("what stands in figures", default_factory=LabelsEntry)
    optimize: OptimizeEntry = key("arguments of `hepcuts.optimize`", default_factory=OptimizeEntry)
    scan: ScanEntry = key("arguments of `hepcuts.scan`", default_factory=ScanEntry)

    @model_validator(mode="after")
    def _of_one_variable(self) -> "Document":
        if any(entry.histogram is not None for entry in self.sample):
            if others := [entry.name for entry in self.sample if entry.histogram is None]:
                raise ValueError(f"sample {', '.join(others)} has no histogram, and others have; they do not mix")
            if len(self.cut) > 1 or self.axis is not None or self.region:
                raise ValueError("samples are histograms; expected one [[cut]], and neither [axis] nor [[region]]")
        elif self.data is not None and self.data.histogram is not None:
            raise ValueError("data has a histogram, and the samples have events; expected events")
        return self

    @model_validator(mode="after")
    def _normalized(self) -> "Document":
        for entry in self.sample:
            if entry.cross_section is not None and self.luminosity is None:
                raise ValueError(f"sample {entry.name!r} has a cross_section, and the file no luminosity = ... (1/fb)")
            if entry.cross_section is None and (entry.k_factor or entry.sum_of_weights):
                raise ValueError(f"sample {entry.name!r} has k_factor or sum_of_weights, but no cross_section")
        return self


SECTIONS: Mapping[str, tuple[type[Entry], ...]] = MappingProxyType(
    {
        "": (Document,),
        "sample": (SampleEntry,),
        "systematic": (NormSysEntry, HistoSysEntry, WeightFamilyEntry, ShapeSysEntry, NormFactorEntry, LumiEntry),
        "up": (ShiftEntry,),
        "down": (ShiftEntry,),
        "sum_of_weights": (SumOfWeights,),
        "cut": (CutEntry,),
        "region": (RegionEntry,),
        "axis": (AxisEntry,),
        "data": (DataEntry,),
        "labels": (LabelsEntry,),
        "optimize": (OptimizeEntry,),
        "scan": (ScanEntry,),
    }
)
"""Table of the file to what may stand in it."""
