"""The likelihoods of the benchmarks, and template sets for them such as a moving cut makes.

Each problem gives the same template sets in two forms: one pyhf model per set, which is what pyhf needs, and arrays
with the leading axis ``set``, from which hepcuts and a likelihood written by hand take what they need.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyhf

import hepcuts as hc
from hepcuts.histfactory import LikelihoodTemplates

Array = npt.NDArray[np.float64]


class Problem(Protocol):
    """A likelihood with many template sets."""

    @property
    def sets(self) -> int:
        """How many template sets there are."""

    def model(self, index: int) -> pyhf.Model:
        """Build the model of one template set with pyhf."""

    def batch(self, likelihood: hc.HistFactory) -> tuple[LikelihoodTemplates, LikelihoodTemplates]:
        """All template sets, and what `jax.vmap` calls ``in_axes``: 0 for leaves with the axis ``set``, else None."""


class OneBin:
    """One bin, one background with an uncertainty, at 10 000 values of one cut.

    Attributes:
        signal: shape (set,).
        background: shape (set,).
        uncertainty: of the background, absolute, shape (set,).
    """

    def __init__(self, sets: int = 10_000) -> None:
        cut = np.linspace(0.0, 10.0, sets)
        self.sets = sets
        self.signal: Array = 40.0 * np.exp(-cut / 8.0)
        self.background: Array = 400.0 * np.exp(-cut / 2.0) + 5.0
        self.uncertainty: Array = np.sqrt((0.1 * self.background) ** 2 + 0.05 * self.background)

    def model(self, index: int) -> pyhf.Model:
        """Build the model of one cut value with pyhf."""
        return pyhf.simplemodels.uncorrelated_background(
            signal=[float(self.signal[index])],
            bkg=[float(self.background[index])],
            bkg_uncertainty=[float(self.uncertainty[index])],
        )

    def batch(self, likelihood: hc.HistFactory) -> tuple[LikelihoodTemplates, LikelihoodTemplates]:
        """All cut values; yields and uncertainty vary."""
        signal, background = (likelihood.samples.index(name) for name in ("signal", "background"))
        nominal = np.zeros((self.sets, 2, 1))
        nominal[:, signal, 0], nominal[:, background, 0] = self.signal, self.background
        shapesys = np.zeros((self.sets, 1, 2, 1))
        shapesys[:, 0, background, 0] = self.uncertainty
        return _batched(likelihood, nominal=nominal, shapesys=shapesys)


CONTROL, SEARCH = slice(0, 2), slice(2, 5)
"""Bins of the two channels."""
SAMPLES = ("diboson", "signal", "top")
NORMSYS = {
    "diboson_xsec": {"diboson": (1.15, 0.88)},
    "luminosity": {"diboson": (1.02, 0.98), "signal": (1.02, 0.98), "top": (1.02, 0.98)},
    "top_xsec": {"top": (1.08, 0.93)},
}
"""Factors at plus and minus one standard deviation."""
HISTOSYS = ("energy_scale", "resolution")


class TwoChannels:
    """Two channels with five bins, signal and two backgrounds, ten nuisance parameters of all constrained kinds.

    Three normsys, two histosys, two shapesys (diboson in the control channel), three staterror (search channel). The
    yields fall with a cut, each at its own pace, and fluctuate from set to set.

    Attributes:
        nominal: shape (set, sample, bin).
        up: yields at +1 standard deviation, shape (set, histosys, sample, bin).
        down: yields at -1 standard deviation, shape (set, histosys, sample, bin).
        staterror: absolute uncertainty from finite simulation in the search channel, shape (set, sample, bin).
        shapesys: absolute uncertainty of diboson in the control channel, shape (set, sample, bin).
    """

    def __init__(self, sets: int = 1000) -> None:
        generator = np.random.default_rng(7)
        cut = np.linspace(0.0, 1.0, sets)[:, None, None]
        start = np.array([[60.0, 40, 30, 15, 6], [0.5, 0.4, 6, 9, 8], [300, 220, 80, 30, 9]])
        pace = np.array([1.5, 0.4, 2.0])[:, None]
        self.sets = sets
        self.nominal: Array = start * np.exp(-pace * cut) * generator.normal(1.0, 0.03, (sets, 3, 5))
        shift = np.array([[0.01, 0.02, 0.03, 0.05, 0.08], [0.06, 0.03, -0.02, -0.03, 0.04]])[:, None, :]
        relative = shift * generator.normal(1.0, 0.2, (2, sets, 2, 3, 5))
        self.up: Array = self.nominal[:, None] * (1.0 + relative[0])
        self.down: Array = self.nominal[:, None] * (1.0 - 0.8 * relative[1])
        self.staterror: Array = np.sqrt(0.3 * self.nominal)
        self.staterror[:, :, CONTROL] = 0.0
        self.shapesys: Array = np.zeros_like(self.nominal)
        self.shapesys[:, 0, CONTROL] = 0.15 * self.nominal[:, 0, CONTROL]

    def model(self, index: int) -> pyhf.Model:
        """Build the model of one template set with pyhf."""
        channels = {"control": CONTROL, "search": SEARCH}
        return pyhf.Model(
            {
                "channels": [
                    {"name": name, "samples": [self._sample(index, sample, name, bins) for sample in range(3)]}
                    for name, bins in channels.items()
                ]
            },
            poi_name="mu",
        )

    def _sample(self, index: int, sample: int, channel: str, bins: slice) -> dict[str, Any]:
        name = SAMPLES[sample]
        modifiers: list[dict[str, Any]] = [
            {"name": key, "type": "normsys", "data": {"hi": factors[name][0], "lo": factors[name][1]}}
            for key, factors in NORMSYS.items()
            if name in factors
        ]
        for position, key in enumerate(HISTOSYS):
            up, down = (side[index, position, sample, bins].tolist() for side in (self.up, self.down))
            modifiers.append({"name": key, "type": "histosys", "data": {"hi_data": up, "lo_data": down}})
        if name == "signal":
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        if channel == "search":
            data = self.staterror[index, sample, bins].tolist()
            modifiers.append({"name": "staterror_search", "type": "staterror", "data": data})
        elif name == "diboson":
            data = self.shapesys[index, sample, bins].tolist()
            modifiers.append({"name": "diboson_shape", "type": "shapesys", "data": data})
        return {"name": name, "data": self.nominal[index, sample, bins].tolist(), "modifiers": modifiers}

    def batch(self, likelihood: hc.HistFactory) -> tuple[LikelihoodTemplates, LikelihoodTemplates]:
        """All template sets; everything varies but the factors of the normsys."""
        assert likelihood.samples == SAMPLES
        return _batched(
            likelihood,
            nominal=self.nominal,
            histosys_up=self.up,
            histosys_down=self.down,
            staterror=self.staterror[:, None],
            shapesys=self.shapesys[:, None],
        )


class AtlasSbottom:
    """The ATLAS search for bottom squarks, signal region A: 64 parameters, and one template set, its own."""

    sets = 1

    def model(self, index: int) -> pyhf.Model:  # noqa: ARG002
        """Build the model with the signal of one mass point.

        Raises:
            FileNotFoundError: the published likelihood is not beside this repository.
        """
        folder = Path(__file__).parents[2] / "shared" / "data" / "atlas-sbottom"
        background_only = json.loads((folder / "BkgOnly.json").read_text())
        patch = json.loads((folder / "patch.sbottom_1000_205_60.json").read_text())
        return pyhf.Workspace(background_only).model(patches=[patch])

    def batch(self, likelihood: hc.HistFactory) -> tuple[LikelihoodTemplates, LikelihoodTemplates]:
        """The one template set, with the axis ``set``."""
        fields = dataclasses.fields(LikelihoodTemplates)
        return _batched(likelihood, **{f.name: getattr(likelihood.templates, f.name)[None] for f in fields})


def _batched(likelihood: hc.HistFactory, **varied: Array) -> tuple[LikelihoodTemplates, LikelihoodTemplates]:
    """The likelihood's templates with some leaves replaced by arrays with a leading axis, and their ``in_axes``."""
    templates = dataclasses.replace(likelihood.templates, **varied)
    nowhere = dict.fromkeys((field.name for field in dataclasses.fields(LikelihoodTemplates)), None)
    axes: dict[str, Any] = nowhere | dict.fromkeys(varied, 0)
    return templates, LikelihoodTemplates(**axes)


PROBLEMS: dict[str, type[OneBin | TwoChannels | AtlasSbottom]] = {
    "one_bin": OneBin,
    "two_channels": TwoChannels,
    "atlas": AtlasSbottom,
}


def chosen(problem: Problem, count: int) -> tuple[int, ...]:
    """Up to `count` template sets from the first to the last, evenly."""
    return tuple(int(i) for i in np.unique(np.linspace(0, problem.sets - 1, count).round()))
