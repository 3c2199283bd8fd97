"""Templates and modifiers as a pyhf workspace, and as a likelihood."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hepcuts._core.columns import Numbers
from hepcuts._core.errors import EmptySelectionError, InputError, YieldError
from hepcuts._core.lazy import pyhf
from hepcuts._core.types import FloatArray
from hepcuts.histfactory import HistFactory, referee
from hepcuts.histfactory.specification import ASIMOV
from hepcuts.samples.histogram import Histogram, are_histograms
from hepcuts.samples.modifiers import ShapeSys

from .filling import fill
from .simulated import counted
from .templates import Component, Templates

POI = "mu"
DISCOVERY = "discovery"
"""Name of the measurement."""
CHOSEN_ON = "discovery (chosen on these events, not to be unblinded with)"
"""Name of the measurement of templates of the very events that chose cuts or bins: their background is too small."""
STATERROR = "staterror_"
"""What the names of all parameters of finite simulation begin with."""
MOST = 1e6
"""Upper bound of the factors of single bins, of ``shapesys`` and ``staterror``.

With pyhf's own, 10, the fit without signal ends at the bound where there is more than about ten times as much signal as
background: then the significance is too large, and draws cuts to where the simulation runs out. With n effective
simulated events the fit finds 1 + S / (B + n), so this bound is out of reach.
"""
_BY_BIN = frozenset({"shapesys", "staterror"})
_SHARED = frozenset({"histosys", "normsys"})
"""Types of modifiers that may share a parameter with each other."""
_KNOWN = frozenset({*_SHARED, "lumi", "normfactor", "shapesys", "staterror"})
"""Types of our own modifiers; those of one type and name always fit together."""


def workspace(
    templates: Templates | Sequence[Templates] | Sequence[Histogram],
    *,
    measurement: str = DISCOVERY,
    observations: Mapping[str, Numbers] | None = None,
) -> dict[str, Any]:
    """Make a HistFactory workspace that pyhf and cabinetry can fit as it is.

    The signal samples are scaled by the parameter of interest ``mu``; every sample has its own modifiers, and one for
    finite simulation as its ``staterror`` says: a ``shapesys``, whose Poisson constraints observe the effective number
    of simulated events of each bin of this sample :cite:p:`barlow1993`, or a ``staterror``, whose Gaussian constraints
    are shared by the backgrounds of a bin, and apart from them by the signals: the uncertainty of a background that few
    simulated events are left of must not be diluted by a signal with many. A background with ``empty="limit"`` counts
    as one event +- one event where none of its simulated ones is left. The parameters of single bins may grow to
    `MOST`, not only to ten as in pyhf by default.

    Args:
        templates: hard or soft templates of one channel, or of several channels; or histograms, whose bins are one
            channel, ``"signal_region"`` (`hepcuts.fill` makes templates of another name of them).
        measurement: name of the measurement. "(observations are Asimov data)" is added to it if they are.
        observations: observed counts of each channel; None for the expectation at mu = 1 and all
            other parameters at their initial values (the Asimov dataset).

    Returns:
        The workspace, validated by pyhf against its schema.

    Raises:
        YieldError: a sample, or all samples or all backgrounds in one bin, have a negative expectation.
        EmptySelectionError: a channel has no event of any sample.
        InputError: two channels share a name, two modifiers of one name contradict each other, samples of one channel
            have different kinds of ``staterror``, observations are not counts of the channels' bins, or pyhf rejects
            the workspace; the message says why.

    Example:
        >>> import hepcuts as hc
        >>> templates = hc.fill(hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Cut("x", ">", 20.0))
        >>> spec = hc.workspace(templates)
        >>> [modifier["type"] for modifier in spec["channels"][0]["samples"][0]["modifiers"]]
        ['normfactor', 'shapesys']
    """
    channels = [templates] if isinstance(templates, Templates) else _filled(templates)
    for channel in channels:
        if not isinstance(channel, Templates):
            raise InputError(f"Templates came as {type(channel).__name__}; expected what hepcuts.fill returns.")
    names = [t.structure.channel for t in channels]
    if not names or len(set(names)) < len(names):
        raise InputError(f"The channels are named {names}; expected at least one, and different names.")
    channels = [dataclasses.replace(t, yields=counted(t.structure, t.yields)) for t in channels]
    for channel in channels:
        _check_yields(channel)
        _check_staterror(channel)
    _check_names(channels)
    if observations is not None and not set(observations) <= set(names):
        raise InputError(f"Observations came for the channels {sorted(observations)}; the channels are {names}.")
    name = measurement if observations is not None else f"{measurement} {ASIMOV}"
    written = [_channel(t) for t in channels]
    config = {"poi": POI, "parameters": [*_parameters(channels), *_factors(written)]}
    specification = {
        "channels": written,
        "observations": [{"name": t.structure.channel, "data": _observed(t, observations)} for t in channels],
        "measurements": [{"name": name, "config": config}],
        "version": "1.0.0",
    }
    _check_with_pyhf(specification)
    return specification


def _filled(given: Sequence[Any]) -> list[Any]:
    """Templates, those of histograms made of all their bins."""
    return [fill(given, None)] if are_histograms(given) else list(given)


def likelihood_of(
    templates: Templates | Sequence[Templates] | Sequence[Histogram],
    *,
    measurement: str = DISCOVERY,
    observations: Mapping[str, Numbers] | None = None,
) -> HistFactory:
    """The likelihood of templates: that of their `workspace`, validated once; arguments and errors are the same.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> likelihood_of(hc.fill(samples, hc.Cut("x", ">", 20.0)))
        HistFactory(1 channels, 2 samples, 1 bins, 3 parameters, parameter of interest 'mu')
    """
    specification = workspace(templates, measurement=measurement, observations=observations)
    return HistFactory.from_workspace(specification, validate=False)


def _check_with_pyhf(specification: dict[str, Any]) -> None:
    try:
        valid = pyhf.Workspace(specification)
        if _needs_a_model(specification):
            # The schema of a workspace has that of its model in it.
            referee.build(valid, validate=False)
    except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidModel) as error:
        raise InputError(f"pyhf rejects the workspace: {error}") from error
    except pyhf.exceptions.InvalidNameReuse as error:
        raise InputError(
            f"Modifiers of one name do not fit together: {error}. Modifiers of equal name share a parameter; give "
            "them different names if they are different uncertainties."
        ) from error


def _needs_a_model(specification: Mapping[str, Any]) -> bool:
    """Whether only pyhf's model can tell that names and parameters fit together: there is none to spare otherwise."""
    types: dict[str, set[str]] = {}
    for channel in specification["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                types.setdefault(modifier["name"], set()).add(modifier["type"])
    fit = all(found <= _SHARED or (len(found) == 1 and found <= _KNOWN) for found in types.values())
    return POI not in types or not fit


def _check_yields(templates: Templates) -> None:
    nominal = np.asarray(templates.nominal)
    totals = nominal.sum(axis=1)
    if not np.all(np.isfinite(nominal)):
        raise YieldError(f"Yields of channel {templates.structure.channel!r} are not finite: {nominal.tolist()}.")
    if not np.any(nominal):
        axis = templates.structure.axis
        hint = "loosen the cuts" if axis is None else f"loosen the cuts, or widen the axis {axis.name!r}"
        raise EmptySelectionError(f"Channel {templates.structure.channel!r} has no event of any sample; {hint}.")
    for name, total in zip(templates.samples, totals, strict=True):
        if total < 0:
            raise YieldError(
                f"Sample {name!r} has a negative yield of {total:.4g} after the cuts: its negative weights outweigh "
                "the positive ones. Such a template has no statistical meaning; loosen the cuts or simulate more."
            )
    background = ~np.array([component.signal for component in templates.structure.components])
    # Without signal, too: that is the hypothesis to test.
    for which, of in ((np.ones_like(background), ""), (background, " of the backgrounds")):
        for number, total in enumerate(nominal[which].sum(axis=0)):
            if total < 0:
                raise YieldError(
                    f"Bin {number} of channel {templates.structure.channel!r} expects {total:.4g} events{of}, which is "
                    "negative; merge bins or loosen the cuts."
                )


def _check_staterror(templates: Templates) -> None:
    kinds = {c.name: c.staterror for c in templates.structure.components if c.staterror}
    if len(set(kinds.values())) > 1:
        said = ", ".join(f"{name!r} {kind!r}" for name, kind in kinds.items())
        raise InputError(
            f"The samples of channel {templates.structure.channel!r} have different kinds of staterror: {said}. Choose "
            "one for all; a sample of its own may have False."
        )


def _check_names(channels: Sequence[Templates]) -> None:
    seen: dict[str, str] = {}
    for channel in channels:
        for component in channel.structure.components:
            where = f"sample {component.name!r} of channel {channel.structure.channel!r}"
            for modifier in component.modifiers:
                if modifier.name == POI:
                    raise InputError(
                        f"A modifier of {where} is named {POI!r}, like the parameter of interest: signal samples have "
                        "it already, and a background would be scaled with the signal. Give it another name."
                    )
                if isinstance(modifier, ShapeSys) and seen.setdefault(modifier.name, where) != where:
                    raise InputError(
                        f"ShapeSys {modifier.name!r} is on {seen[modifier.name]} and on {where}; its parameters are "
                        "those of the bins of one sample. Give each its own name."
                    )


def _channel(templates: Templates) -> dict[str, Any]:
    samples = [_sample(templates, number, c) for number, c in enumerate(templates.structure.components)]
    return {"name": templates.structure.channel, "samples": samples}


def _sample(templates: Templates, number: int, component: Component) -> dict[str, Any]:
    nominal = np.asarray(templates.nominal[number], dtype=np.float64)
    modifiers: list[dict[str, Any]] = []
    if component.signal:
        modifiers.append({"name": POI, "type": "normfactor", "data": None})
    for modifier in (one for one in component.modifiers if one.has_parameter):
        up, down = (_side(templates, number, modifier.name, side) for side in ("up", "down"))
        modifiers.append(modifier.specification(nominal, up, down))
    if component.staterror:
        modifiers.append(_finite_simulation(templates, number, component))
    return {"name": component.name, "data": nominal.tolist(), "modifiers": modifiers}


def _finite_simulation(templates: Templates, number: int, component: Component) -> dict[str, Any]:
    uncertainty = np.sqrt(np.asarray(templates.variance[number], dtype=np.float64)).tolist()
    name = f"{STATERROR}{templates.structure.channel}"
    if component.staterror == "poisson":
        return {"name": f"{name}_{component.name}", "type": "shapesys", "data": uncertainty}
    # One parameter for each bin, shared by the backgrounds (Barlow and Beeston's "lite" form), and one for the signals:
    # shared with a well simulated signal, the parameter of a poorly simulated background would have a small width, and
    # cuts would be drawn to where the background's simulation runs out.
    return {"name": f"{name}_signal" if component.signal else name, "type": "staterror", "data": uncertainty}


def _side(templates: Templates, number: int, systematic: str, side: str) -> FloatArray:
    if systematic not in templates.structure.systematics:
        return np.asarray(templates.nominal[number], dtype=np.float64)
    return np.asarray(templates.varied(systematic, side)[number], dtype=np.float64)


def _observed(templates: Templates, observations: Mapping[str, Numbers] | None) -> list[float]:
    channel = templates.structure.channel
    if observations is None:
        factors = [math.prod(m.expected for m in c.modifiers) for c in templates.structure.components]
        return [float(x) for x in np.asarray(factors) @ np.asarray(templates.nominal)]
    try:
        counts = np.asarray(observations.get(channel), dtype=np.float64)
    except (TypeError, ValueError):
        counts = np.array([np.nan])
    if counts.shape != (templates.structure.num_bins,) or not np.all(np.isfinite(counts) & (counts >= 0)):
        raise InputError(
            f"Observations of channel {channel!r} are {observations.get(channel)}; expected "
            f"{templates.structure.num_bins} counts, 0 or more."
        )
    return [float(x) for x in counts]


def _parameters(channels: Sequence[Templates]) -> list[dict[str, Any]]:
    """What the modifiers say of their parameters in the measurement; equal statements are made once."""
    said: dict[str, dict[str, Any]] = {}
    for templates in channels:
        for component in templates.structure.components:
            for modifier in component.modifiers:
                parameter = modifier.parameter()
                if parameter is None:
                    continue
                if said.setdefault(modifier.name, parameter) != parameter:
                    raise InputError(
                        f"Parameter {modifier.name!r} is described as {said[modifier.name]} and as {parameter}; "
                        "modifiers of one name share one parameter and must agree."
                    )
    return list(said.values())


def _factors(channels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bounds of the factors of single bins, each stated once: see `MOST`; the lower one is pyhf's."""
    bins = {
        modifier["name"]: len(sample["data"])
        for channel in channels
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["type"] in _BY_BIN
    }
    return [{"name": name, "bounds": [[1e-10, MOST]] * number} for name, number in bins.items()]
