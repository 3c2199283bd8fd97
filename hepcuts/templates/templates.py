"""Templates: expected yields of each sample, systematic variation and bin. The narrow waist of hepcuts.

Everything left of the templates is a sum over events and therefore additive: templates of chunks, files or machines
are made apart and added. Everything right of them never sees an event, only these few hundred numbers.

Templates are made by `hepcuts.fill` (hard) and `hepcuts.templates.filling.soft_fill` (soft).
"""

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import hist
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hepcuts._core.errors import InputError
from hepcuts._core.histograms import write_histogram
from hepcuts._core.types import AnyArray, FloatArray
from hepcuts.samples.modifiers import HistoSys, Modifier
from hepcuts.samples.sample import REFUSED
from hepcuts.samples.signals import together
from hepcuts.samples.staterror import StatError

NOMINAL = "nominal"


class Yields(eqx.Module):
    """Sums of weights and of squared weights; a pytree that adds.

    Attributes:
        values: expected events, shape (variation, sample, bin), after the axes of a batch if there are any; variation 0
            is the nominal one.
        variances: sums of squared weights, of the same shape.
    """

    values: Float[AnyArray, "*batch variation sample bin"]
    variances: Float[AnyArray, "*batch variation sample bin"]

    def __add__(self, other: "Yields") -> "Yields":
        return Yields(self.values + other.values, self.variances + other.variances)

    @property
    def nominal(self) -> Float[AnyArray, "*batch sample bin"]:
        """Expected events without any variation, shape (sample, bin)."""
        return self.values[..., 0, :, :]

    @property
    def variance(self) -> Float[AnyArray, "*batch sample bin"]:
        """Variance of the nominal yields from finite simulation, shape (sample, bin)."""
        return self.variances[..., 0, :, :]


def joined(parts: Sequence[Yields]) -> Yields:
    """Yields of NumPy with the axis of a batch in front, one set after the other."""
    together: Yields = jax.tree.map(lambda *tables: np.concatenate(tables), *parts)
    return together


def effective_events(total: FloatArray, squares: FloatArray) -> FloatArray:
    """Effective number of simulated events, (sum w)^2 / sum w^2, of any shape; zero where there are none."""
    found: FloatArray = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Component:
    """What templates keep of a sample: everything but the events.

    Attributes:
        name: as of the sample.
        signal: likewise.
        modifiers: likewise, without their events.
        staterror: likewise.
        empty: likewise.
        simulated: sums of the absolute and of the squared weights before the cuts.
    """

    name: str
    signal: bool
    modifiers: tuple[Modifier, ...]
    staterror: StatError
    empty: str = REFUSED
    simulated: tuple[float, float] = (0.0, 0.0)

    @property
    def one_event(self) -> float:
        """Yield of one simulated event, ``sum w^2 / sum |w|`` before the cuts: the mean weight, weighted by itself."""
        weights, squares = self.simulated
        return squares / weights if weights > 0 else 0.0

    @property
    def signature(self) -> tuple[Any, ...]:
        """What has to be equal for templates to be added."""
        return self.name, self.signal, self.staterror, self.empty, tuple(m.signature() for m in self.modifiers)

    def with_events_of(self, other: "Component") -> "Component":
        """The same sample with the simulated events of both."""
        weights, squares = (one + more for one, more in zip(self.simulated, other.simulated, strict=True))
        return dataclasses.replace(self, simulated=(weights, squares))


@dataclasses.dataclass(frozen=True, eq=False)
class Structure:
    """Which samples, variations and bins templates have.

    Attributes:
        channel: name of the channel.
        axis: the observable's axis; its name is the column. None for one bin that counts.
        components: the samples, without their events.
    """

    channel: str
    axis: Any
    components: tuple[Component, ...]

    @property
    def systematics(self) -> tuple[str, ...]:
        """Names of the `HistoSys` of any sample."""
        return tuple(dict.fromkeys(m.name for c in self.components for m in c.modifiers if isinstance(m, HistoSys)))

    @property
    def variations(self) -> tuple[str, ...]:
        """Names along the axis ``variation``: nominal, then up and down of each systematic."""
        return (NOMINAL, *(f"{name}_{side}" for name in self.systematics for side in ("up", "down")))

    @property
    def num_bins(self) -> int:
        """Number of bins, under- and overflow not counted."""
        return 1 if self.axis is None else len(self.axis)

    def position(self, systematic: str, side: str) -> int:
        """Position of one side of a systematic along the axis ``variation``."""
        return self.variations.index(f"{systematic}_{side}")

    def complete(self, values: Any, variances: Any) -> Yields:
        """Fill in what has no events of its own.

        A sample without some systematic keeps its nominal yields there; mirrored sides are computed.

        Args:
            values: shape (variation, sample, bin), zero where nothing was filled.
            variances: likewise.
        """
        if not self.systematics:
            return Yields(values, variances)
        rows_values, rows_variances = [], []
        for s, component in enumerate(self.components):
            sides = {
                (m.name, side): m for m in component.modifiers if isinstance(m, HistoSys) for side in ("up", "down")
            }
            row_v, row_w = [values[0, s]], [variances[0, s]]
            for name in self.systematics:
                for side in ("up", "down"):
                    modifier = sides.get((name, side))
                    at = self.position(name, side)
                    if modifier is None:
                        v, w = values[0, s], variances[0, s]
                    elif side in modifier.sides:
                        v, w = values[at, s], variances[at, s]
                    else:
                        v = modifier.completed(side, values[0, s], functools.partial(self._up, values, s))
                        w = variances[0, s]
                    row_v.append(v)
                    row_w.append(w)
            rows_values.append(_stack(row_v))
            rows_variances.append(_stack(row_w))
        return Yields(_stack(rows_values, axis=1), _stack(rows_variances, axis=1))

    def of_added(self, yields: Yields) -> Yields:
        """Yields with the axis of a batch in front that are sums of others: what is derived is made anew."""
        moved = (np.moveaxis(np.asarray(table), 0, -1) for table in (yields.values, yields.variances))
        complete = self.complete(*moved)
        return Yields(*(np.moveaxis(np.asarray(table), -1, 0) for table in (complete.values, complete.variances)))

    def _up(self, values: Any, sample: int, systematic: str) -> Any:
        """Yields of a sample with the up side of a systematic, shape (bin,)."""
        return values[self.position(systematic, "up"), sample]


def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Stack NumPy arrays with NumPy and JAX arrays with JAX."""
    namespace = jnp if any(isinstance(a, jax.Array) for a in arrays) else np
    return namespace.stack(arrays, axis=axis)


@dataclasses.dataclass(frozen=True, eq=False)
class Templates:
    """Yields of one channel with their structure.

    Templates of the same structure add; so hundreds of files are filled one by one.

    Attributes:
        structure: channel, axis, samples and variations.
        yields: the numbers.
        outside: expected events that were selected but lie outside the axis, shape (sample,).
    """

    structure: Structure
    yields: Yields
    outside: FloatArray

    def __add__(self, other: "Templates") -> "Templates":
        mine, theirs = self.structure, other.structure
        same_axis = (mine.axis is None) == (theirs.axis is None) and (mine.axis is None or mine.axis == theirs.axis)
        same = [c.signature for c in mine.components] == [c.signature for c in theirs.components]
        if not (same_axis and same and mine.channel == theirs.channel):
            raise InputError(
                f"Templates of channel {mine.channel!r} with samples {self.samples} and of channel "
                f"{theirs.channel!r} with samples {other.samples} cannot be added; they must agree in channel, axis, "
                "samples and their modifiers."
            )
        both = zip(mine.components, theirs.components, strict=True)
        structure = dataclasses.replace(mine, components=tuple(one.with_events_of(other) for one, other in both))
        together = self.yields + other.yields
        # What is made of other variations, such as an envelope, is that of the sums.
        yields = structure.complete(together.values, together.variances)
        return Templates(structure, yields, self.outside + other.outside)

    @property
    def samples(self) -> tuple[str, ...]:
        """Names along the axis ``sample``."""
        return tuple(component.name for component in self.structure.components)

    @property
    def nominal(self) -> Float[AnyArray, "sample bin"]:
        """Expected events, shape (sample, bin)."""
        return self.yields.nominal

    @property
    def variance(self) -> Float[AnyArray, "sample bin"]:
        """Their variance from finite simulation, shape (sample, bin)."""
        return self.yields.variance

    def varied(self, systematic: str, side: str) -> Float[AnyArray, "sample bin"]:
        """Expected events under one side (``"up"``, ``"down"``) of a `HistoSys`, shape (sample, bin)."""
        if systematic not in self.structure.systematics or side not in {"up", "down"}:
            raise InputError(
                f"There is no variation {systematic!r}, {side!r}; the templates have up and down of "
                f"{', '.join(self.structure.systematics) or 'no HistoSys'}."
            )
        return self.yields.values[self.structure.position(systematic, side)]

    @property
    def effective_events(self) -> Float[AnyArray, "sample bin"]:
        """Effective number of simulated events, (sum w)^2 / sum w^2, shape (sample, bin); 0 where there are none."""
        nominal, variance = np.asarray(self.nominal), np.asarray(self.variance)
        return effective_events(nominal, variance)

    def to_hist(self) -> "hist.Hist[Any]":
        """The templates as `hist.Hist` with axes sample, variation, observable and `Weight` storage.

        A sample that a systematic does not touch has its nominal yields there. Flow bins are empty: what was
        selected outside the axis is in `outside`.

        Example:
            >>> import hepcuts as hc
            >>> templates = hc.fill(hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Cut("x", ">", 20.0))
            >>> templates.to_hist().axes.name
            ('sample', 'variation', 'count')
        """
        histogram = empty_histogram(self.structure)
        view: Any = histogram.view(flow=False)
        view["value"] = np.moveaxis(np.asarray(self.yields.values), 0, 1)
        view["variance"] = np.moveaxis(np.asarray(self.yields.variances), 0, 1)
        return histogram

    def save(self, path: str | Path) -> Path:
        """Write `to_hist` in UHI's JSON format, and return the path.

        ``hist.Hist(json.loads(path.read_text()))`` reads it back.

        Raises:
            InputError: hist, boost-histogram or uhi are too old for it; the message says which versions are not.
        """
        return write_histogram(self.to_hist(), path)

    def __repr__(self) -> str:
        totals = np.asarray(self.nominal).sum(axis=-1)
        spread = np.sqrt(np.asarray(self.variance).sum(axis=-1))
        rows = [f"  {n}: {t:.5g} +- {e:.3g}" for n, t, e in zip(self.samples, totals, spread, strict=True)]
        bins = self.structure.num_bins
        what = f"{bins} bin{'s' if bins > 1 else ''}, variations {', '.join(self.structure.variations)}"
        signals = together(self.structure.components)
        rows += [f"  signals: {signals}"] if signals else []
        return "\n".join([f"Templates of channel {self.structure.channel!r} ({what})", *rows])


def _observable_axis(structure: Structure) -> Any:
    if structure.axis is None:
        return hist.axis.Integer(0, 1, name="count", label="Selected events", flow=False)
    return structure.axis


def empty_histogram(structure: Structure) -> "hist.Hist[Any]":
    """A histogram with axes sample, variation, observable and `Weight` storage, not filled yet."""
    axes = (
        hist.axis.StrCategory([c.name for c in structure.components], name="sample"),
        hist.axis.StrCategory(structure.variations, name="variation"),
        _observable_axis(structure),
    )
    with warnings.catch_warnings():
        # hist warns because its fill() has an argument "sample" for Mean storages. The field's word for the axis is
        # "sample" (cabinetry, pyhf), it serves for indexing and plotting, and fill() takes the axes in their order.
        warnings.filterwarnings("ignore", message="sample is a protected keyword", category=UserWarning)
        return hist.Hist(*axes, storage=hist.storage.Weight())
