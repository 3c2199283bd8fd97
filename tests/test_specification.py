"""A workspace is checked before a model is built of it; whatever is wrong is one kind of error that names the place."""

import copy
import json

import boost_histogram
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, UnsupportedModelError, YieldError
from hepcuts.histfactory import HistFactory, discovery_test, discovery_toys, fit

from .models import MU, channel, histosys, mod, normsys, sample

NAN = float("nan")


def workspace(*channels, observations=None, parameters=(), poi="mu"):
    """A workspace whose observations are the sums of its templates."""
    if observations is None:
        # Of samples that fit together; the others are refused before.
        observations = [
            {
                "name": c["name"],
                "data": [sum(column) for column in zip(*(s["data"] for s in c["samples"]), strict=False)],
            }
            for c in channels
        ]
    return {
        "channels": list(channels),
        "observations": observations,
        "measurements": [{"name": "m", "config": {"poi": poi, "parameters": list(parameters)}}],
        "version": "1.0.0",
    }


S, B = sample("s", [10.0], MU), sample("b", [50.0], normsys("a", 1.1, 0.9))
GOOD = workspace(channel("c", S, B))


def of(*backgrounds, **more):
    return workspace(channel("c", S, *backgrounds), **more)


def with_modifier(modifier):
    return of(sample("b", [50.0], modifier))


MISTAKES = {
    "two channels": (workspace(channel("c", S, B), channel("c", S, B)), r"more than one channel is named 'c'"),
    # The last of the two counted: Z = 1.74 for 1.10.
    "two samples": (of(sample("b", [50.0]), sample("b", [30.0])), r"channel 'c': more than one sample is named 'b'"),
    "two modifiers": (
        of(sample("b", [50.0], normsys("a", 1.1, 0.9), normsys("a", 1.3, 0.7))),
        r"channel 'c', sample 'b': more than one modifier of the type normsys is named 'a'",
    ),
    "two observations": (
        of(B, observations=[{"name": "c", "data": [n]} for n in (3.0, 4.0)]),
        r"more than one observation is named 'c'",
    ),
    "two measurements": (GOOD | {"measurements": GOOD["measurements"] * 2}, r"more than one measurement is named 'm'"),
    "two parameters": (
        of(B, parameters=[{"name": "a", "inits": [0.0]}, {"name": "a", "inits": [1.0]}]),
        r"measurement 'm': more than one parameter is named 'a'",
    ),
    "bins of samples": (of(sample("b", [50.0, 30.0])), r"channel 'c': the numbers of bins .* \{'s': 1, 'b': 2\}"),
    "bins of observations": (of(B, observations=[{"name": "c", "data": [3.0, 4.0]}]), r"channel 'c' has 2 numbers"),
    "bins of a histosys": (
        with_modifier(histosys("h", [1.0, 2.0], [1.0, 2.0])),
        r"channel 'c', sample 'b', modifier 'h' \(histosys\): hi_data has 2 numbers; expected 1",
    ),
    "bins of a staterror": (with_modifier(mod("staterror", "h", [1.0, 2.0])), r"modifier 'h' \(staterror\).* has 2"),
    "bins of a shapesys": (with_modifier(mod("shapesys", "h", [1.0, 2.0])), r"modifier 'h' \(shapesys\).* has 2"),
    "template": (
        of(sample("b", [NAN]), observations=[{"name": "c", "data": [3.0]}]),
        r"sample 'b': its template is nan",
    ),
    "infinite variation": (with_modifier(histosys("h", [np.inf], [1.0])), r"modifier 'h' .* hi_data is inf in bin 0"),
    "normsys": (
        with_modifier(normsys("a", 1.1, 0.0)),
        r"sample 'b', modifier 'a' \(normsys\): lo is 0; expected a factor",
    ),
    "normsys below zero": (with_modifier(normsys("a", -0.1, 1.0)), r"modifier 'a' \(normsys\): hi is -0\.1"),
    "no observation": (of(B, observations=[{"name": "d", "data": [3.0]}]), r"channel 'c' has no observation.*'d'"),
    "negative observation": (of(B, observations=[{"name": "c", "data": [-3.0]}]), r"is -3 in bin 0; expected counts"),
    "luminosity": (with_modifier(mod("lumi", "lumi")), r"'lumi' is a luminosity without 'auxdata' and 'sigmas'"),
    "bounds": (
        of(B, parameters=[{"name": "a", "bounds": [[5.0, -5.0]]}]),
        r"parameter 'a': bounds are .*low below high",
    ),
    "inits": (of(B, parameters=[{"name": "a", "inits": [NAN]}]), r"parameter 'a': inits are .*finite"),
    "number of inits": (of(B, parameters=[{"name": "a", "inits": [0.0, 1.0]}]), r": .*\(2\) for inits"),
    "one name of two types": (
        workspace(channel("c", sample("s", [10.0], MU, mod("normfactor", "a")), B)),
        r": .*found for a\.",
    ),
    "parameter of interest": (of(B, poi="nu"), r": .*'nu'"),
    "schema": (
        with_modifier({"name": "a", "type": "normsys", "data": {"hi": 1.1}}),
        r"not valid: channel 'c', sample 'b', modifier 'a': .*schema",
    ),
    "text": (
        of(sample("b", ["x"]), observations=[{"name": "c", "data": [3.0]}]),
        r"channel 'c', sample 'b', data, number 0: 'x' is not of type 'number'",
    ),
    "version": (GOOD | {"version": "9.0"}, r"not valid: .*9\.0"),
    "no channels": ({}, r"'channels' is a required property"),
    "list": ([1], r"is a list; expected a mapping"),
}


@pytest.mark.parametrize(("spec", "message"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("as_file", [False, True], ids=["dict", "file"])
def test_mistakes_are_named(spec, message, as_file, tmp_path):
    given = copy.deepcopy(spec)
    if as_file:
        given = tmp_path / "likelihood.json"
        given.write_text(json.dumps(spec))
        message = rf"likelihood\.json(?s:.*){message}"
    with pytest.raises(InputError, match=message):
        HistFactory.from_workspace(given)


def test_a_model_that_was_built_elsewhere_is_checked_too():
    spec = {"channels": [channel("c", S, sample("b", [50.0]), sample("b", [30.0]))]}
    # From 0.8 on pyhf builds no such model.
    with pytest.raises(
        (InputError, pyhf.exceptions.InvalidModel), match=r"more than one sample is named 'b'|Duplicate"
    ):
        HistFactory(pyhf.Model(spec, poi_name="mu"))


def test_rate_and_shape_of_one_uncertainty_share_a_name():
    spec = of(sample("b", [50.0], normsys("a", 1.1, 0.9), histosys("a", [51.0], [49.0])))
    assert HistFactory.from_workspace(spec).parameter_names == ("a", "mu")


@pytest.mark.parametrize("init", [0.0, 1.0, 2.0])
def test_a_fixed_parameter_of_interest_is_not_quoted(init):
    """Z was 0, 2.16 and 2.76 where 2.98 is right; pyhf refuses."""
    likelihood = HistFactory.from_workspace(of(B, parameters=[{"name": "mu", "fixed": True, "inits": [init]}]))
    for quote in (discovery_test, hc.discovery_significance, discovery_toys, hc.histfactory.upper_limit):
        with pytest.raises(UnsupportedModelError, match="parameter of interest 'mu' is fixed"):
            quote(likelihood)
    assert fit(likelihood, likelihood.observed_data).parameters[0] == init


SET = {
    "metadata": {
        "description": "signals",
        "digests": {"sha256": pyhf.utils.digest(GOOD)},
        "labels": ["mass"],
        "references": {"hepdata": "ins1234567"},
    },
    "patches": [
        {"metadata": {"name": name, "values": [mass]}, "patch": []} for mass, name in enumerate(("light", "heavy"))
    ],
    "version": "1.0.0",
}
PATCHES = {
    "a patch set": (SET, r"Patch 2 is a patch set; expected one of its patches, light, heavy"),
    "of another workspace": ([{"op": "replace", "path": "/channels/7/name", "value": "d"}], r"Patch 2 .*index '7'"),
    "a failed test": ([{"op": "test", "path": "/channels/0/name", "value": "d"}], r"Patch 2 cannot be applied"),
    "a number": (3, r"Patch 2 cannot be applied"),
    "not operations": ([{"channels": []}], r"Patch 2 cannot be applied"),
    "one that spoils": ([{"op": "add", "path": "/channels/0/samples/-", "value": B}], r"more than one sample .* 'b'"),
}


@pytest.mark.parametrize(("patch", "message"), PATCHES.values(), ids=PATCHES)
def test_patches_that_cannot_be_applied(patch, message):
    with pytest.raises(InputError, match=message):
        HistFactory.from_workspace(GOOD, patches=[[], patch])


def test_a_patch_is_named_by_its_file(tmp_path):
    path = tmp_path / "signal.json"
    path.write_text("[")
    with pytest.raises(InputError, match=r"signal\.json cannot be read"):
        HistFactory.from_workspace(GOOD, patches=[path])
    path.write_text(json.dumps([{"op": "replace", "path": "/channels/0/samples/0/data/0", "value": 20.0}]))
    assert HistFactory.from_workspace(GOOD, patches=[path]).templates.nominal.max() == 50.0
    assert sorted(HistFactory.from_workspace(GOOD, patches=[path]).templates.nominal.ravel()) == [20.0, 50.0]


def test_a_patch_changes_the_whole_workspace():
    changes = [
        {"op": "replace", "path": "/observations/0/data/0", "value": 77.0},
        {"op": "replace", "path": "/measurements/0/name", "value": "n"},
    ]
    likelihood = HistFactory.from_workspace(GOOD, patches=[{"metadata": {}, "patch": changes}], measurement="n")
    assert likelihood.observations == [77.0]


def test_an_unknown_measurement_is_told_with_those_there_are():
    with pytest.raises(InputError, match="no measurement 'n'; it has 'm'"):
        HistFactory.from_workspace(GOOD, measurement="n")


def test_toys_of_more_events_than_can_be_counted_are_refused():
    likelihood = HistFactory.from_workspace(of(sample("b", [1e19])))
    with pytest.raises(InputError, match=r"1e\+19 expected events cannot be drawn"):
        discovery_toys(likelihood, num_toys=2)


EVENTS = [
    hc.Sample("s", {"x": [0.5, 1.5]}, signal=True, staterror=False),
    hc.Sample("b", {"x": [0.5, 0.5, 1.5]}, weights=[-0.7, 0.2, 5.0], staterror=False),
]


def test_an_axis_of_boost_histogram_has_no_name():
    with pytest.raises(InputError, match="axis came as Regular of boost_histogram"):
        hc.fill(EVENTS, None, axis=boost_histogram.axis.Regular(2, 0.0, 2.0))


def test_a_bin_that_cannot_be_fitted_without_signal_is_not_written():
    import hist

    templates = hc.fill(EVENTS, None, axis=hist.axis.Regular(2, 0.0, 2.0, name="x"))
    with pytest.raises(YieldError, match=r"Bin 0 of channel .* expects -0\.5 events of the backgrounds"):
        hc.workspace(templates)
