"""A hypothesis strategy for valid pyhf workspaces with every modifier type, and corners that analyses meet.

A workspace is built from the outside in: channels, their samples, yields, modifiers of each sample, and the settings
of parameters that the measurement makes itself. The rules of HistFactory are kept by construction (a shapesys belongs
to one sample of one channel; samples that share a staterror share it in all of its channels; a shapefactor joins
channels with equally many bins; parameters of one name have one kind of constraint), so that no draw is rejected.
"""

import dataclasses
import math
from typing import Any

import pyhf
from hypothesis import strategies as st

Spec = dict[str, Any]

SMALLEST_YIELD, LARGEST_YIELD = 1e-3, 1e7
POI_NAMES = ("mu", "SigXsecOverSM", "signal strength")
CODES = {"normsys": ("code1", "code4"), "histosys": ("code0", "code2", "code4p")}
SYSTEMATICS = ("jes", "xsec", "pileup", "theory")
"""Names of normsys and histosys; one name may be both, on any sample of any channel."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A workspace with what it takes to make a model and data of it.

    Attributes:
        workspace: as `pyhf.Workspace` takes it, with one measurement.
        settings: interpolation codes, as `pyhf.Workspace.model` takes them.
        seed: of all random numbers that a test draws for this example.
    """

    workspace: Spec
    settings: Spec
    seed: int

    def model(self) -> pyhf.Model:
        """The model, validated by pyhf."""
        return pyhf.Workspace(self.workspace).model(modifier_settings=self.settings)

    def structure(self) -> str:
        """What it is made of, without numbers: hypothesis likes to repeat itself with a few numbers changed."""
        modifiers = [
            (
                channel["name"],
                len(sample["data"]),
                sample["name"],
                [(m["type"], m["name"]) for m in sample["modifiers"]],
            )
            for channel in self.workspace["channels"]
            for sample in channel["samples"]
        ]
        return repr((sorted(modifiers), self.settings))


def modifier(kind: str, name: str, data: Any = None) -> Spec:
    return {"type": kind, "name": name, "data": data}


def one_in(number: int) -> st.SearchStrategy[bool]:
    """True once in `number` draws; shrinks to False."""
    return st.integers(0, number - 1).map(lambda n: n == number - 1)


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers whose logarithm is uniform, of six digits."""
    exponents = st.floats(math.log10(low), math.log10(high))
    return exponents.map(lambda x: min(max(float(f"{10.0**x:.6g}"), low), high))


def relative_sizes() -> st.SearchStrategy[float]:
    """Relative uncertainties: mostly of percents, some tiny, some of the size of the thing itself."""
    return st.one_of(log_uniform(0.01, 0.3), log_uniform(1e-6, 1e-2), log_uniform(0.3, 1.0))


@st.composite
def yields(draw: st.DrawFn, bins: int) -> list[float]:
    """Events of one sample: of one size or of any, some bins without content."""
    size = draw(log_uniform(SMALLEST_YIELD, LARGEST_YIELD))
    if draw(one_in(3)):
        values = [draw(log_uniform(SMALLEST_YIELD, LARGEST_YIELD)) for _ in range(bins)]
    else:
        factors = [draw(log_uniform(0.2, 5.0)) for _ in range(bins)]
        values = [min(max(size * factor, SMALLEST_YIELD), LARGEST_YIELD) for factor in factors]
    return [0.0 if draw(one_in(20)) else value for value in values]


@st.composite
def signal_yields(draw: st.DrawFn, background: list[float]) -> list[float]:
    """A signal that goes with its background (Z of order one), or one of any size."""
    if draw(one_in(4)):
        return draw(yields(len(background)))
    strength = draw(log_uniform(0.03, 10.0))
    shape = [draw(log_uniform(0.1, 1.0)) for _ in background]
    return [min(strength * f * math.sqrt(b), LARGEST_YIELD) for f, b in zip(shape, background, strict=True)]


@st.composite
def sides(draw: st.DrawFn) -> tuple[float, float]:
    """Relative changes by an upward and a downward variation: opposite, one-sided, or to the same side."""
    up, down = draw(relative_sizes()), draw(relative_sizes())
    kind = draw(st.sampled_from(("opposite", "opposite", "opposite", "symmetric", "up only", "down only", "same side")))
    first, second = {
        "opposite": (up, -down),
        "symmetric": (up, -up),
        "up only": (up, 0.0),
        "down only": (0.0, -down),
        "same side": (up, down),
    }[kind]
    return (-first, -second) if draw(st.booleans()) else (first, second)


@st.composite
def normsys(draw: st.DrawFn, name: str) -> Spec:
    """Factors from tiny to huge; always positive."""
    if draw(one_in(10)):
        hi, lo = draw(log_uniform(0.1, 10.0)), draw(log_uniform(0.1, 10.0))
    else:
        up, down = draw(sides())
        hi, lo = max(1.0 + up, 0.05), max(1.0 + down, 0.05)
    return modifier("normsys", name, {"hi": hi, "lo": lo})


@st.composite
def histosys(draw: st.DrawFn, name: str, nominal: list[float]) -> Spec:
    """A normalization, a shape, or unrelated variations bin by bin; a bin without content may get some."""
    common = draw(sides())
    kind = draw(st.sampled_from(("common", "tilt", "any")))
    hi, lo = [], []
    for number, value in enumerate(nominal):
        if value == 0.0:
            hi.append(draw(st.sampled_from((0.0, 0.0, 0.5))))
            lo.append(draw(st.sampled_from((0.0, 0.0, 0.2))))
            continue
        up, down = draw(sides()) if kind == "any" else common
        sign = -1.0 if kind == "tilt" and number % 2 else 1.0
        hi.append(value * max(1.0 + sign * up, 0.0))
        lo.append(value * max(1.0 + sign * down, 0.0))
    return modifier("histosys", name, {"hi_data": hi, "lo_data": lo})


@st.composite
def uncertainties(draw: st.DrawFn, nominal: list[float]) -> list[float]:
    """Absolute uncertainties of bins (shapesys, staterror): of simulation, percents, or none."""
    relative = st.one_of(log_uniform(0.01, 0.5), log_uniform(1e-3, 2.0))
    return [0.0 if draw(one_in(12)) else (value or 1.0) * draw(relative) for value in nominal]


@st.composite
def sample_modifiers(draw: st.DrawFn, channel: str, name: str, nominal: list[float]) -> list[Spec]:
    """Modifiers of one sample that need not know of other samples."""
    found = []
    for systematic in draw(st.lists(st.sampled_from(SYSTEMATICS), max_size=2, unique=True)):
        kinds = draw(st.sampled_from(("normsys", "histosys", "both")))
        if kinds != "histosys":
            found.append(draw(normsys(systematic)))
        if kinds != "normsys":
            found.append(draw(histosys(systematic, nominal)))
    if draw(one_in(6)):
        found.append(modifier("lumi", "lumi"))
    if name != "signal" and draw(one_in(6)):
        found.append(modifier("normfactor", draw(st.sampled_from(("k1", "k2")))))
    for number in range(draw(st.sampled_from((0, 0, 0, 0, 0, 0, 1, 1, 2)))):
        found.append(modifier("shapesys", f"shape {channel} {name} {number}", draw(uncertainties(nominal))))
    return found


@dataclasses.dataclass(frozen=True)
class Size:
    """Largest numbers of channels, of bins of a channel, and of backgrounds."""

    channels: int = 3
    bins: int = 5
    backgrounds: int = 3


@st.composite
def channels(draw: st.DrawFn, poi: str, size: Size) -> list[Spec]:
    """Channels with signal and backgrounds; not every sample is everywhere, but signal is somewhere."""
    backgrounds = [f"background {n}" for n in range(draw(st.integers(1, size.backgrounds)))]
    found = []
    for number in range(draw(st.integers(1, size.channels))):
        bins = draw(st.integers(1, size.bins))
        name = f"channel {number}"
        present = [b for n, b in enumerate(backgrounds) if n == number % len(backgrounds) or draw(st.booleans())]
        samples = [{"name": b, "data": draw(yields(bins)), "modifiers": []} for b in present]
        if number == 0 or draw(st.booleans()):
            total = [sum(values) for values in zip(*(s["data"] for s in samples), strict=True)]
            signal = {"name": "signal", "data": draw(signal_yields(total)), "modifiers": [modifier("normfactor", poi)]}
            samples.insert(draw(st.integers(0, len(samples))), signal)
        for sample in samples:
            sample["modifiers"] += draw(sample_modifiers(name, sample["name"], sample["data"]))
        found.append({"name": name, "samples": samples})
    # pyhf sorts channels and samples; what comes last here may come first there.
    return draw(st.permutations(found))


@st.composite
def with_staterrors(draw: st.DrawFn, found: list[Spec]) -> None:
    """Add staterrors: for some samples of each channel, or one for the same samples of several channels."""
    if len(found) > 1 and draw(one_in(5)):
        everywhere = set.intersection(*({s["name"] for s in c["samples"]} for c in found))
        chosen = [(s, "stat") for c in found for s in c["samples"] if s["name"] in everywhere]
    else:
        some = [c for c in found if draw(st.booleans())]
        chosen = [(s, f"stat {c['name']}") for c in some for s in c["samples"] if not draw(one_in(3))]
    for sample, name in chosen:
        sample["modifiers"].append(modifier("staterror", name, draw(uncertainties(sample["data"]))))


@st.composite
def with_shapefactor(draw: st.DrawFn, found: list[Spec]) -> None:
    """Add a shapefactor to a background, in all channels that have it and as many bins as the first."""
    background = next(s["name"] for s in found[0]["samples"] if s["name"] != "signal")
    bins = len(found[0]["samples"][0]["data"])
    for channel in found:
        for sample in channel["samples"]:
            if (
                sample["name"] == background
                and len(sample["data"]) == bins
                and (channel is found[0] or draw(st.booleans()))
            ):
                sample["modifiers"].append(modifier("shapefactor", "free shape"))


@st.composite
def lumi_setting(draw: st.DrawFn) -> Spec:
    """What pyhf demands of a measurement with luminosity."""
    value = draw(st.sampled_from((1.0, 1.02, 0.9, 3.0)))
    sigma = draw(st.sampled_from((0.017, 0.03, 0.2)))
    bounds = [max(value - 10.0 * sigma, 0.0), value + 10.0 * sigma]
    return {"name": "lumi", "auxdata": [value], "sigmas": [sigma * value], "inits": [value], "bounds": [bounds]}


@st.composite
def systematic_setting(draw: st.DrawFn, name: str) -> Spec:
    """A measurement's own initial value, auxiliary value, bounds or fixed flag of a normsys or histosys."""
    return draw(
        st.sampled_from(
            (
                {"name": name, "fixed": True},
                {"name": name, "inits": [0.5], "fixed": True},
                {"name": name, "bounds": [[-1.0, 1.0]]},
                {"name": name, "bounds": [[-0.1, 0.05]]},
                {"name": name, "auxdata": [0.5], "inits": [0.25], "bounds": [[-3.0, 3.0]]},
                {"name": name, "auxdata": [-1.0]},
            )
        )
    )


@st.composite
def settings_of_parameters(draw: st.DrawFn, found: list[Spec], poi: str) -> list[Spec]:
    """Settings of some of the parameters that are there."""
    sizes = {(m["type"], m["name"]): len(s["data"]) for c in found for s in c["samples"] for m in s["modifiers"]}
    names = sorted({name for _, name in sizes})
    result = [draw(lumi_setting())] if "lumi" in names else []
    result += [draw(systematic_setting(name)) for name in SYSTEMATICS if name in names and draw(one_in(6))]
    for (kind, name), bins in sizes.items():
        if kind == "shapesys" and draw(one_in(10)):
            result.append({"name": name, "fixed": True})
        if kind == "staterror" and name != "stat" and draw(one_in(10)):
            result.append({"name": name, "sigmas": [draw(st.sampled_from((0.05, 0.3)))] * bins})
        if kind == "normfactor" and name != poi and draw(one_in(4)):
            result.append({"name": name, "inits": [1.1], "bounds": [[0.2, 4.0]]})
    if draw(one_in(6)):
        result.append({"name": poi, "bounds": [draw(st.sampled_from(([-5.0, 5.0], [0.0, 100.0], [0.0, 1.5])))]})
    return result


@st.composite
def examples(draw: st.DrawFn, size: Size | None = None) -> Example:
    """Workspaces, interpolation codes (the jumping code 2 less often) and a seed."""
    poi = draw(st.sampled_from(POI_NAMES))
    found = draw(channels(poi, Size() if size is None else size))
    draw(with_staterrors(found))
    if draw(one_in(6)):
        draw(with_shapefactor(found))
    config = {"poi": poi, "parameters": draw(settings_of_parameters(found, poi))}
    observations = [{"name": c["name"], "data": [0.0] * len(c["samples"][0]["data"])} for c in found]
    codes = {
        "normsys": {"interpcode": draw(st.sampled_from(("code4", "code4", "code1")))},
        "histosys": {"interpcode": draw(st.sampled_from(("code4p", "code4p", "code4p", "code0", "code0", "code2")))},
    }
    workspace = {
        "channels": found,
        "observations": observations,
        "measurements": [{"name": "random", "config": config}],
        "version": "1.0.0",
    }
    return Example(workspace, codes, draw(st.integers(0, 2**32 - 1)))
