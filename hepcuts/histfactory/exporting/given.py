"""What is exported: a workspace, checked, with its parameters as pyhf understands them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from hepcuts._core.errors import UnsupportedModelError
from hepcuts.histfactory import patchsets, specification
from hepcuts.histfactory.likelihood import HistFactory

Channel: TypeAlias = Mapping[str, Any]
"""A channel as pyhf's schema has it."""
Workspace: TypeAlias = Mapping[str, Any] | str | Path
"""A pyhf workspace or its path, as `hepcuts.HistFactory.from_workspace` takes it."""


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """A Gaussian constraint.

    Attributes:
        mean: the auxiliary measurement.
        sigma: its width.
    """

    mean: float
    sigma: float


@dataclasses.dataclass(frozen=True)
class Poisson:
    """A Poisson constraint: so many auxiliary events, where the parameter times a factor is expected.

    Attributes:
        observed: the auxiliary events.
        factor: what the parameter is multiplied by.
    """

    observed: float
    factor: float


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One number of a modifier.

    Attributes:
        name: the modifier's, with ``_`` and the number of the bin for one of several.
        init: nominal value.
        low: lower bound.
        high: upper bound.
        fixed: whether it is a constant.
        constraint: what is known of it from elsewhere, or None.
    """

    name: str
    init: float
    low: float
    high: float
    fixed: bool
    constraint: Gaussian | Poisson | None


@dataclasses.dataclass(frozen=True)
class Given:
    """A workspace of one measurement.

    Attributes:
        source: how messages call it.
        measurement: name of the measurement.
        likelihood: its likelihood.
        document: as JSON has it, patches applied.
    """

    source: str
    measurement: str
    likelihood: HistFactory
    document: Mapping[str, Any]

    @property
    def channels(self) -> Sequence[Channel]:
        """The channels as the workspace has them."""
        channels: Sequence[Channel] = self.document["channels"]
        return channels

    @property
    def poi(self) -> str | None:
        """Name of the parameter of interest, or None if the measurement has none."""
        name: str | None = self.likelihood.model.config.poi_name
        return name

    def modifiers(self) -> Iterator[tuple[Channel, Mapping[str, Any], Mapping[str, Any]]]:
        """All modifiers with their channel and sample."""
        return ((c, sample, m) for c in self.channels for sample in c["samples"] for m in sample["modifiers"])

    def observed(self, channel: str) -> list[float]:
        """Observed events of the bins of a channel."""
        return next([float(n) for n in one["data"]] for one in self.document["observations"] if one["name"] == channel)

    def is_fixed(self, modifier: str) -> bool:
        """Whether the measurement makes constants of the parameters of a modifier."""
        chosen = next(one for one in self.document["measurements"] if one["name"] == self.measurement)
        said = [one.get("fixed", False) for one in chosen["config"]["parameters"] if one["name"] == modifier]
        return any(said)

    @cached_property
    def parameters(self) -> Mapping[str, tuple[Parameter, ...]]:
        """Name of a modifier to its parameters: one, or one for each bin."""
        structure, config = self.likelihood.structure, self.likelihood.model.config
        constraints: dict[int, Gaussian | Poisson] = {}
        for number, data, sigma in zip(
            structure.normal_parameter, structure.normal_data, structure.normal_sigma, strict=True
        ):
            constraints[int(number)] = Gaussian(float(structure.auxdata[data]), float(sigma))
        for number, data, factor in zip(
            structure.poisson_parameter, structure.poisson_data, structure.poisson_factor, strict=True
        ):
            constraints[int(number)] = Poisson(float(structure.auxdata[data]), float(factor))
        found = {}
        for modifier in config.par_order:
            numbers = range(*config.par_slice(modifier).indices(config.npars))
            single = config.param_set(modifier).is_scalar
            found[modifier] = tuple(
                Parameter(
                    modifier if single else f"{modifier}_{bin_}",
                    float(structure.init[number]),
                    float(structure.lower[number]),
                    float(structure.upper[number]),
                    bool(structure.fixed[number]),
                    constraints.get(number),
                )
                for bin_, number in enumerate(numbers)
            )
        return found

    def of_bins(self, modifier: str, channel: Channel) -> tuple[Parameter, ...]:
        """The parameters of a modifier with one for each bin, those of a channel's bins."""
        found, bins = self.parameters[modifier], len(channel["samples"][0]["data"])
        if len(found) == bins:
            return found
        # A staterror in several channels has its parameters one after the other, in pyhf's order of channels.
        config = self.likelihood.model.config
        using = {c["name"] for c, _, m in self.modifiers() if m["name"] == modifier}
        before = [name for name in config.channels[: config.channels.index(channel["name"])] if name in using]
        first = sum(config.channel_nbins[name] for name in before)
        return found[first : first + bins]

    def unit_constraint(self, modifier: str) -> bool:
        """Whether a parameter is constrained by a Gaussian around 0 of width 1, as usual."""
        return [one.constraint for one in self.parameters[modifier]] == [Gaussian(0.0, 1.0)]

    def refusal(self, what: str, why: str) -> UnsupportedModelError:
        """The error for what a format cannot express.

        Args:
            what: modifier, sample or channel, by its name.
            why: what is the matter, and what to do about it.
        """
        return UnsupportedModelError(f"{self.source}: {what} {why}")


def given(
    workspace: Workspace, measurement: str | None, patches: Sequence[Any] = (), point: str | None = None
) -> Given:
    """Read and check what is to be exported; arguments and errors as `hepcuts.HistFactory.from_workspace`."""
    source = patchsets.source_of(workspace)
    document = patchsets.read(workspace, patches, point=point)
    specification.check(document, source, measurement)
    likelihood = HistFactory.from_workspace(document, measurement=measurement, validate=False)
    return Given(source, measurement or document["measurements"][0]["name"], likelihood, document)


def place(channel: Channel, sample: Mapping[str, Any], modifier: Mapping[str, Any]) -> str:
    """A modifier by all its names, for messages."""
    return (
        f"modifier {modifier['name']!r} ({modifier['type']}) of sample {sample['name']!r} in channel "
        f"{channel['name']!r}"
    )
