"""Leaving out systematic uncertainties of nearly no effect, each said by name."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.samples.envelopes import Envelope
from hepcuts.samples.modifiers import HistoSys, Modifier, NormSys

from .templates import Component, Templates, Yields


@dataclasses.dataclass(frozen=True)
class Dropped:
    """A systematic that was left out of one sample in one channel.

    Attributes:
        channel: the channel.
        sample: the sample.
        name: the parameter's name.
        effect: the largest relative change of the sample in any bin, of either side.
    """

    channel: str
    sample: str
    name: str
    effect: float

    def __str__(self) -> str:
        return f"{self.name} of {self.sample} in {self.channel}: at most {self.effect:.2g}"


def pruned(templates: Templates, below: float) -> tuple[Templates, tuple[Dropped, ...]]:
    """Templates without the `HistoSys` and `NormSys` that change a sample by less than a fraction in each bin.

    It is decided after the cuts, where a variation that moves events matters. Each sample of each channel loses its
    own; a parameter stays as long as any sample has it. The luminosity, free normalizations, `ShapeSys` and finite
    simulation stay.

    Args:
        templates: of one channel.
        below: the fraction of the sample's yield, such as 0.005.

    Returns:
        The templates, and what was left out.

    Raises:
        InputError: the fraction is not between 0 and 1.

    Example:
        >>> import hepcuts as hc
        >>> small, large = hc.NormSys("trigger", 1.001, 0.999), hc.NormSys("xsec", 1.1, 0.9)
        >>> samples = hc.Sample("s", {"x": [2.0]}, signal=True), hc.Sample("b", {"x": [1.0]}, modifiers=[small, large])
        >>> kept, dropped = pruned(hc.fill(samples, None), 0.005)
        >>> print(*dropped, [modifier.name for modifier in kept.structure.components[1].modifiers])
        trigger of b in signal_region: at most 0.001 ['xsec']
    """
    check_fraction(below)
    structure, dropped = templates.structure, []
    components = []
    for number, component in enumerate(structure.components):
        effects = [(modifier, _effect(templates, number, modifier)) for modifier in component.modifiers]
        small = [(modifier, effect) for modifier, effect in effects if effect is not None and effect < below]
        dropped += [Dropped(structure.channel, component.name, one.name, effect) for one, effect in small]
        components.append(_without(component, [modifier for modifier, _ in small]))
    kept = dataclasses.replace(structure, components=tuple(components))
    rows = [structure.variations.index(name) for name in kept.variations]
    yields = kept.complete(
        *(np.asarray(table)[rows] for table in (templates.yields.values, templates.yields.variances))
    )
    return Templates(kept, Yields(yields.values, yields.variances), templates.outside), tuple(dropped)


def check_fraction(below: float | None) -> None:
    """Check a fraction below which is pruned; None for nothing.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if below is not None and not 0 <= below < 1:
        raise InputError(
            f"Systematics are to be pruned below {below!r}; expected a fraction of the yield, such as 0.005."
        )


def pruned_channels(
    channels: Sequence[Templates], below: float | None
) -> tuple[tuple[Templates, ...], tuple[Dropped, ...]]:
    """The templates of all channels, each as `pruned`, and what was left out of any; as they are for None.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> pruned_channels([hc.fill(samples, hc.Cut("x", ">", 20.0))], None)[1]
        ()
    """
    if below is None:
        return tuple(channels), ()
    found = [pruned(templates, below) for templates in channels]
    return tuple(kept for kept, _ in found), tuple(one for _, dropped in found for one in dropped)


def _effect(templates: Templates, number: int, modifier: Modifier) -> float | None:
    """The largest relative change of a sample in any bin; None of what is not pruned."""
    if isinstance(modifier, NormSys):
        return max(abs(modifier.up - 1.0), abs(modifier.down - 1.0))
    if not isinstance(modifier, HistoSys) or not modifier.has_parameter:
        return None
    nominal: FloatArray = np.asarray(templates.nominal)[number]
    changes = [np.abs(np.asarray(templates.varied(modifier.name, s))[number] - nominal) for s in ("up", "down")]
    change: Any = np.max(changes, axis=0)
    # A bin that only the variation has events in is changed beyond all measure.
    relative = np.divide(change, np.abs(nominal), out=np.where(change > 0, np.inf, 0.0), where=nominal != 0)
    return float(np.max(relative))


def _without(component: Component, dropped: Sequence[Modifier]) -> Component:
    """A sample without some modifiers, and without the members of envelopes that are gone."""
    members = {name for one in dropped if isinstance(one, Envelope) for name in one.members}
    gone = {id(one) for one in dropped}
    kept = tuple(one for one in component.modifiers if id(one) not in gone and one.name not in members)
    return dataclasses.replace(component, modifiers=kept)
