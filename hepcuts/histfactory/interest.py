"""The parameter of interest, and whether there is something to be tested.

A test for a signal compares signal strengths with none, mu = 0. That needs a parameter that is free, may be zero, and
of which nothing else is known, and a background that may be counted.
"""

from typing import Any

import equinox as eqx
import numpy as np

from hepcuts._core.errors import UnsupportedModelError, YieldError
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.texts import listed

from . import density
from .minimization import numbers_of
from .searches import nominal_parameters
from .structure import LikelihoodStructure, LikelihoodTemplates

_sample_rates = float64_scope(eqx.filter_jit(density.sample_rates))


def required_poi(structure: LikelihoodStructure, name: str | None = None) -> int:
    """Position of the parameter of interest.

    Args:
        structure: of the likelihood.
        name: its name, for messages.

    Raises:
        UnsupportedModelError: the model has none, or fixes it.
    """
    if structure.poi is None:
        raise UnsupportedModelError(
            "The model has no parameter of interest, so there is no signal to discover; choose a measurement that "
            "names one, or name it with poi=... (of a pyhf.Model, poi_name=...)."
        )
    if not is_traced(structure.fixed) and structure.fixed[structure.poi]:
        raise UnsupportedModelError(
            f"{_called(name)} is fixed, so that no signal strength can be fitted; set it free in the "
            "measurement ('fixed': false), or choose another measurement."
        )
    return structure.poi


def signal_strength(structure: LikelihoodStructure, name: str | None = None) -> int:
    """Position of the parameter of interest, which has to be the strength of a signal that may be absent.

    Args:
        structure: of the likelihood.
        name: its name, for messages.

    Raises:
        UnsupportedModelError: the model has none, fixes or constrains it, or excludes that it is zero.
    """
    poi = required_poi(structure, name)
    if is_traced(structure.lower, structure.upper, structure.normal_parameter, structure.poisson_parameter):
        return poi
    low, high = float(structure.lower[poi]), float(structure.upper[poi])
    if low == high:
        raise UnsupportedModelError(
            f"{_called(name)} has the bounds {low:g} and {high:g}, so that no signal strength can be fitted; "
            "set it free in the measurement."
        )
    if not low <= 0.0 <= high:
        raise UnsupportedModelError(
            f"{_called(name)} may be {low:g} to {high:g}, so that there is no hypothesis without a signal "
            "(0) to test it against: name the strength of a signal with poi=... (on the command line --poi), or widen "
            "its bounds in the measurement."
        )
    if poi in structure.normal_parameter or poi in structure.poisson_parameter:
        raise UnsupportedModelError(
            f"{_called(name)} is constrained by auxiliary data, as those of systematic uncertainties are: a test of "
            "zero would test these data. Name the strength of a signal with poi=... (on the command line "
            "--poi)."
        )
    return poi


def _called(name: str | None) -> str:
    return f"The parameter of interest{'' if name is None else f' {name!r}'}"


def background(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> Any:
    """Expected events of each bin at mu = 0, the other parameters nominal, shape (bin,)."""
    numbers = numbers_of(structure, templates)
    at = nominal_parameters(structure, 0.0)[:, None]
    return numbers.expected_data(at)[: numbers.layout.bins, 0]


def check_background(structure: LikelihoodStructure, templates: LikelihoodTemplates, config: Any, source: str) -> None:
    """Refuse a negative background: no count has that expectation.

    Args:
        structure: of the likelihood.
        templates: its templates.
        config: pyhf's configuration of the model, for the names.
        source: how the message calls the workspace.

    Raises:
        YieldError: the background of a bin is negative, and no lower limit (``clip_sample_data``, ``clip_bin_data``)
            makes it zero or more.
    """
    bins = np.flatnonzero(background(structure, templates) < 0)
    if not len(bins):
        return
    at = nominal_parameters(structure, 0.0)
    rates = np.asarray(_sample_rates(structure, templates, at))
    places = [f"{_place(config, int(bin_))} ({rates[:, bin_].sum():.3g} events)" for bin_ in bins]
    first = rates[:, bins[0]]
    negative = [f"{config.samples[i]!r} {first[i]:.3g}" for i in np.argsort(first) if first[i] < 0]
    raise YieldError(
        f"{source}: the background of {listed(places, 3)} is negative, in the first by the samples {listed(negative)}. "
        "Merge such bins with others, or say what the least expectation is: clip_bin_data=1e-6 (of each bin) or "
        "clip_sample_data=0.0 (of each sample in it); on the command line --clip-bin and --clip-sample."
    )


def check_some_background(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> None:
    """Refuse to discover a signal beside which nothing is expected.

    Raises:
        YieldError: no background is expected in any bin.
    """
    if not np.any(background(structure, templates) > 0):
        raise YieldError(
            "No background is expected in any bin: without a signal there would be no event, and each event is a "
            "discovery of infinite significance. Add the samples of the background; hepcuts.histfactory.upper_limit "
            "needs none."
        )


def _place(config: Any, number: int) -> str:
    """A bin by its channel and its number there."""
    for channel in config.channels:
        size = config.channel_nbins[channel]
        if number < size:
            return f"channel {channel!r}, bin {number}"
        number -= size
    raise AssertionError(number)
