"""Reading a built `pyhf.Model`: its configuration and its specification, through public attributes only."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import UnsupportedModelError
from hepcuts._core.lazy import pyhf

from . import referee
from .interpolation import ADDITIVE, CODE2_OF_07, MULTIPLICATIVE
from .structure import LikelihoodStructure, LikelihoodTemplates

Entry = tuple[int, slice, Any]
"""Values in one sample's bins of one channel: sample, bins, values."""


def read(model: "pyhf.Model") -> tuple[LikelihoodStructure, LikelihoodTemplates]:
    """Read structure and nominal templates of a model.

    Raises:
        UnsupportedModelError: a modifier, constraint or interpolation code that hepcuts does not reproduce, or a
            batched model.
    """
    if getattr(model, "batch_size", None) is not None:
        raise UnsupportedModelError(
            f"The model was built with batch_size={model.batch_size}; build it without, and use jax.vmap on templates."
        )
    return _Reader(model).result()


def _packed(entries: Sequence[Entry], shape: tuple[int, int], empty: float, dtype: type) -> NDArray[Any]:
    """Lay entries into as few tables of shape (sample, bin) as hold them without overlap: (layer, sample, bin).

    The layer of an entry depends on the cells alone, so that lists of equal cells are packed equally.
    """
    layers: list[NDArray[Any]] = []
    taken: list[NDArray[np.bool_]] = []
    for sample, bins, values in entries:
        layer = next((n for n, used in enumerate(taken) if not used[sample, bins].any()), len(layers))
        if layer == len(layers):
            layers.append(np.full(shape, empty, dtype=dtype))
            taken.append(np.zeros(shape, dtype=bool))
        layers[layer][sample, bins] = values
        taken[layer][sample, bins] = True
    return np.array(layers, dtype=dtype).reshape(-1, *shape)


def _interpolation_code(model: "pyhf.Model", kind: str, known: Any, default: str) -> str:
    # `default` is what pyhf takes for a kind that the model's settings leave out.
    code = model.config.modifier_settings.get(kind, {}).get("interpcode", default)
    if code not in known:
        raise UnsupportedModelError(f"The model interpolates {kind} by {code!r}; hepcuts knows {', '.join(known)}.")
    return str(code)


def as_pyhf_does(code: str) -> str:
    """The additive code as the installed pyhf evaluates it: two of its releases differ in code 2."""
    if code != "code2":
        return code
    alpha = np.array(-2.0)
    found = referee.shifted(code, float(alpha))
    for rule in (code, CODE2_OF_07):
        if np.allclose(found, ADDITIVE[rule](alpha)[0], atol=1e-4):
            return rule
    raise UnsupportedModelError(
        f"The installed pyhf interpolates histosys by {code!r} in a way that hepcuts does not know; use 'code4p', or "
        "another release of pyhf."
    )


class _Reader:
    """Walks a model's specification once and collects the tables."""

    def __init__(self, model: "pyhf.Model") -> None:
        self.model, self.config = model, model.config
        self.samples, self.channels = list(self.config.samples), list(self.config.channels)
        sizes = [self.config.channel_nbins[channel] for channel in self.channels]
        ends = np.cumsum(sizes)
        self.bins = {c: slice(int(e - n), int(e)) for c, e, n in zip(self.channels, ends, sizes, strict=True)}
        self.channel_of_bin = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        self.cells = (len(self.samples), int(ends[-1]))
        self.names = {
            kind: sorted({n for n, k in self.config.modifiers if k == kind}) for kind in ("histosys", "normsys")
        }
        self.entries: dict[str, list[Entry]] = {
            key: [] for key in ("factor", "staterror", "staterror:parameter", "shapesys", "shapesys:parameter")
        }
        h, n = len(self.names["histosys"]), len(self.names["normsys"])
        self.nominal = np.zeros(self.cells)
        self.histosys = {side: np.zeros((h, *self.cells)) for side in ("hi_data", "lo_data")}
        self.histosys_mask = np.zeros((h, *self.cells), dtype=bool)
        self.normsys = {side: np.ones((n, len(self.samples), len(sizes))) for side in ("hi", "lo")}
        self.normsys_mask = np.zeros((n, len(self.samples), len(sizes)), dtype=bool)
        self.staterror_channels = self._staterror_channels()
        for channel, sample, modifier in self._modifiers():
            self._read(channel, sample, modifier)

    def _modifiers(self) -> Iterator[tuple[str, int, Any]]:
        """All modifiers with their channel and sample; nominal yields are read on the way."""
        for channel in self.model.spec["channels"]:
            for sample in channel["samples"]:
                number = self.samples.index(sample["name"])
                self.nominal[number, self.bins[channel["name"]]] = sample["data"]
                for modifier in sample["modifiers"]:
                    yield channel["name"], number, modifier

    def _staterror_channels(self) -> dict[str, list[str]]:
        """The channels, in order, in which each staterror is used: its parameters are their bins in this order."""
        used: dict[str, set[str]] = {}
        for channel, _, modifier in self._modifiers():
            if modifier["type"] == "staterror":
                used.setdefault(modifier["name"], set()).add(channel)
        return {name: [c for c in self.channels if c in channels] for name, channels in used.items()}

    def _read(self, channel: str, sample: int, modifier: Any) -> None:
        readers: dict[str, Callable[[str, int, Any], Any]] = {
            "normfactor": self._factor,
            "lumi": self._factor,
            "shapefactor": self._factor_of_each_bin,
            "normsys": self._normsys,
            "histosys": self._histosys,
            "staterror": self._staterror,
            "shapesys": self._shapesys,
        }
        if modifier["type"] not in readers:
            raise UnsupportedModelError(
                f"Modifier {modifier['name']!r} of sample {self.samples[sample]!r} in channel {channel!r} has the type "
                f"{modifier['type']!r}, which hepcuts cannot evaluate; it knows {', '.join(readers)}."
            )
        readers[modifier["type"]](channel, sample, modifier)

    def _factor(self, channel: str, sample: int, modifier: Any) -> None:
        parameter = self.config.par_slice(modifier["name"]).start
        self.entries["factor"].append((sample, self.bins[channel], parameter))

    def _factor_of_each_bin(self, channel: str, sample: int, modifier: Any, *, before: int = 0) -> NDArray[np.int64]:
        bins = self.bins[channel]
        first = self.config.par_slice(modifier["name"]).start + before
        parameters = np.arange(first, first + bins.stop - bins.start)
        self.entries["factor"].append((sample, bins, parameters))
        return parameters

    def _normsys(self, channel: str, sample: int, modifier: Any) -> None:
        where = (self.names["normsys"].index(modifier["name"]), sample, self.channels.index(channel))
        self.normsys_mask[where] = True
        for side in ("hi", "lo"):
            self.normsys[side][where] = modifier["data"][side]

    def _histosys(self, channel: str, sample: int, modifier: Any) -> None:
        where = (self.names["histosys"].index(modifier["name"]), sample, self.bins[channel])
        self.histosys_mask[where] = True
        for side in ("hi_data", "lo_data"):
            self.histosys[side][where] = modifier["data"][side]

    def _staterror(self, channel: str, sample: int, modifier: Any) -> None:
        channels = self.staterror_channels[modifier["name"]]
        before = sum(self.config.channel_nbins[c] for c in channels[: channels.index(channel)])
        parameters = self._factor_of_each_bin(channel, sample, modifier, before=before)
        self.entries["staterror"].append((sample, self.bins[channel], modifier["data"]))
        self.entries["staterror:parameter"].append((sample, self.bins[channel], parameters))

    def _shapesys(self, channel: str, sample: int, modifier: Any) -> None:
        parameters = self._factor_of_each_bin(channel, sample, modifier)
        self.entries["shapesys"].append((sample, self.bins[channel], modifier["data"]))
        self.entries["shapesys:parameter"].append((sample, self.bins[channel], parameters))

    def _constraints(self) -> dict[str, tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]]:
        """For each kind of constraint: parameters, positions of their auxiliary data, widths or rate factors."""
        rows: dict[str, list[tuple[int, int, float]]] = {"normal": [], "poisson": []}
        position = 0
        for name in self.config.auxdata_order:
            parameters = self.config.param_set(name)
            if parameters.pdf_type not in rows:
                raise UnsupportedModelError(f"Parameter {name!r} has a {parameters.pdf_type!r} constraint.")
            unit = [1.0] * parameters.n_parameters
            numbers = parameters.factors if parameters.pdf_type == "poisson" else getattr(parameters, "sigmas", unit)
            first = self.config.par_slice(name).start
            for offset, number in enumerate(numbers):
                rows[parameters.pdf_type].append((first + offset, position + offset, number))
            position += parameters.n_parameters
        return {
            kind: (
                np.array([row[0] for row in table], dtype=np.int32),
                np.array([row[1] for row in table], dtype=np.int32),
                np.array([row[2] for row in table], dtype=np.float64),
            )
            for kind, table in rows.items()
        }

    def _targets(self, key: str, parameters: NDArray[np.int32]) -> NDArray[np.int32]:
        """For each cell the constraint that it contributes to; one past the last where it does not."""
        position = np.full(self.config.npars, len(parameters), dtype=np.int32)
        position[parameters] = np.arange(len(parameters))
        entries = [(sample, bins, position[p]) for sample, bins, p in self.entries[key]]
        return _packed(entries, self.cells, len(parameters), np.int32)

    def result(self) -> tuple[LikelihoodStructure, LikelihoodTemplates]:
        config, constraints = self.config, self._constraints()
        bounds = np.array(config.suggested_bounds(), dtype=np.float64)
        templates = LikelihoodTemplates(
            self.nominal,
            self.histosys["hi_data"],
            self.histosys["lo_data"],
            self.normsys["hi"],
            self.normsys["lo"],
            _packed(self.entries["staterror"], self.cells, 0.0, np.float64),
            _packed(self.entries["shapesys"], self.cells, 0.0, np.float64),
        )
        normal, poisson = constraints["normal"], constraints["poisson"]
        structure = LikelihoodStructure(
            factor=_packed(self.entries["factor"], self.cells, config.npars, np.int32),
            histosys=self._parameters("histosys"),
            histosys_mask=self.histosys_mask,
            normsys=self._parameters("normsys"),
            normsys_mask=self.normsys_mask,
            channel_of_bin=self.channel_of_bin,
            normal_parameter=normal[0],
            normal_data=normal[1],
            normal_sigma=normal[2],
            staterror=self._targets("staterror:parameter", normal[0]),
            poisson_parameter=poisson[0],
            poisson_data=poisson[1],
            poisson_factor=poisson[2],
            shapesys=self._targets("shapesys:parameter", poisson[0]),
            init=np.array(config.suggested_init(), dtype=np.float64),
            lower=bounds[:, 0],
            upper=bounds[:, 1],
            fixed=np.array(config.suggested_fixed(), dtype=bool),
            auxdata=np.array(config.auxdata, dtype=np.float64),
            poi=None if config.poi_index is None else int(config.poi_index),
            histosys_code=as_pyhf_does(_interpolation_code(self.model, "histosys", ADDITIVE, "code0")),
            normsys_code=_interpolation_code(self.model, "normsys", MULTIPLICATIVE, "code1"),
            clip_sample=self.model.main_model.clip_sample_data,
            clip_bin=self.model.main_model.clip_bin_data,
        )
        return structure, templates

    def _parameters(self, kind: str) -> NDArray[np.int32]:
        return np.array([self.config.par_slice(name).start for name in self.names[kind]], dtype=np.int32)
