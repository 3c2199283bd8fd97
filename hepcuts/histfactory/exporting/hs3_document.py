"""A workspace as HS3 JSON, the HEP Statistics Serialization Standard.

Templates and correlated systematics are ``histfactory_dist`` as they are: both formats have the same words for them.
Parameters of single bins (``staterror``, ``shapesys``) and the luminosity are factors whose constraints stand beside
the channels, as distributions of their own (``gaussian_dist``, ``poisson_dist``). The standard's short forms of them
are read in different ways: the uncertainties of a ``shapesys`` as absolute ones by one program and as relative ones by
another, and several ``staterror`` of a channel as a single one. What is written out needs no reading.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from hepcuts._core.version import __version__

from .given import Channel, Gaussian, Given, Parameter

VERSION = "0.2"
"""Of the standard."""
LIKELIHOOD, DOMAIN, POINT = "likelihood", "default_domain", "default_values"
"""Names in the document; the last two are those that ROOT looks for."""
Part: TypeAlias = dict[str, Any]
Modifier: TypeAlias = Mapping[str, Any]


def document(given: Given) -> Part:
    """The workspace as an HS3 document.

    Names are those of the workspace; the numbers of a modifier with one for each bin are NAME_0, NAME_1 and so on.

    Raises:
        UnsupportedModelError: two parameters would have one name, or a ``normsys`` or ``histosys`` has a constraint
            that is no standard normal distribution.
    """
    parameters = _parameters(given)
    channels = [_channel(channel, given) for channel in given.channels]
    data = [
        {"name": f"observed_{c['name']}", "type": "binned", "axes": _axes(c), "contents": given.observed(c["name"])}
        for c in given.channels
    ]
    functions, constraints = _constraints(parameters, given)
    likelihood = {
        "name": LIKELIHOOD,
        "distributions": [channel["name"] for channel in channels],
        "data": [found["name"] for found in data],
        "aux_distributions": [constraint["name"] for constraint in constraints],
    }
    analysis = {
        "name": given.measurement,
        "likelihood": LIKELIHOOD,
        "parameters_of_interest": [] if given.poi is None else [given.poi],
        "domains": [DOMAIN],
        "init": POINT,
    }
    ranges = [{"name": one.name, "min": one.low, "max": one.high} for one in parameters]
    values = [{"name": one.name, "value": one.init, "const": one.fixed} for one in parameters]
    return {
        "metadata": {"hs3_version": VERSION, "packages": [{"name": "hepcuts", "version": __version__}]},
        "distributions": [*channels, *constraints],
        "functions": functions,
        "data": data,
        "likelihoods": [likelihood],
        "domains": [{"name": DOMAIN, "type": "product_domain", "axes": ranges}],
        "parameter_points": [{"name": POINT, "parameters": values}],
        "analyses": [analysis],
    }


def _parameters(given: Given) -> list[Parameter]:
    found: dict[str, Parameter] = {}
    for modifier, parameters in given.parameters.items():
        for one in parameters:
            if one.name in found:
                raise given.refusal(
                    f"modifier {modifier!r}", f"has a parameter {one.name!r}, and another one, too; rename one of them."
                )
            found[one.name] = one
    return list(found.values())


def _axes(channel: Channel) -> list[Part]:
    """Bins by their number: a workspace does not know their edges."""
    bins = len(channel["samples"][0]["data"])
    return [{"name": f"obs_{channel['name']}", "min": 0.0, "max": float(bins), "nbins": bins}]


def _channel(channel: Channel, given: Given) -> Part:
    samples = [
        {
            "name": sample["name"],
            "data": {"contents": sample["data"]},
            "modifiers": [_MODIFIERS[m["type"]](m, channel, given) for m in sample["modifiers"]],
        }
        for sample in channel["samples"]
    ]
    return {"name": channel["name"], "type": "histfactory_dist", "axes": _axes(channel), "samples": samples}


def _factor(modifier: Modifier, _channel: Channel, _given: Given) -> Part:
    return {"name": modifier["name"], "type": "normfactor", "parameter": modifier["name"]}


def _normsys(modifier: Modifier, _: Channel, given: Given) -> Part:
    return _correlated(modifier, {side: modifier["data"][side] for side in ("hi", "lo")}, given)


def _histosys(modifier: Modifier, _: Channel, given: Given) -> Part:
    sides = {side: {"contents": modifier["data"][f"{side}_data"]} for side in ("hi", "lo")}
    return _correlated(modifier, sides, given)


def _correlated(modifier: Modifier, data: Part, given: Given) -> Part:
    name = modifier["name"]
    if not given.unit_constraint(name):
        raise given.refusal(
            f"modifier {name!r} ({modifier['type']})",
            "has auxdata or sigmas of its own; HS3 knows a Gaussian around 0 of width 1 only. Rescale its variations.",
        )
    return {"name": name, "type": modifier["type"], "parameter": name, "constraint": "Gauss", "data": data}


def _of_each_bin(modifier: Modifier, channel: Channel, given: Given) -> Part:
    parameters = [one.name for one in given.of_bins(modifier["name"], channel)]
    return {"name": modifier["name"], "type": "shapefactor", "parameters": parameters}


_MODIFIERS: Mapping[str, Callable[[Modifier, Channel, Given], Part]] = MappingProxyType(
    {
        "histosys": _histosys,
        "lumi": _factor,
        "normfactor": _factor,
        "normsys": _normsys,
        "shapefactor": _of_each_bin,
        "shapesys": _of_each_bin,
        "staterror": _of_each_bin,
    }
)


def _constraints(parameters: list[Parameter], given: Given) -> tuple[list[Part], list[Part]]:
    """Functions and distributions of the constraints that no modifier implies."""
    implied = {m["name"] for *_, m in given.modifiers() if m["type"] in {"histosys", "normsys"}}
    functions, distributions = [], []
    for one in parameters:
        # What is fixed is a constant in the likelihood.
        if one.constraint is None or one.name in implied or one.fixed:
            continue
        part = {"name": f"{one.name}_constraint"}
        if isinstance(one.constraint, Gaussian):
            numbers = {"x": one.name, "mean": one.constraint.mean, "sigma": one.constraint.sigma}
            distributions.append(part | {"type": "gaussian_dist"} | numbers)
        else:
            expected = f"{one.name}_expected"
            functions.append({"name": expected, "type": "product", "factors": [one.name, one.constraint.factor]})
            # Not an integer, or ROOT rounds the effective number of simulated events.
            numbers = {"x": one.constraint.observed, "mean": expected, "integer": False}
            distributions.append(part | {"type": "poisson_dist"} | numbers)
    return functions, distributions
