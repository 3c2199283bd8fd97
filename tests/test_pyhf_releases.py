"""What differs between the releases of pyhf that hepcuts takes: 0.7 and the coming 0.8, each by a stand-in.

pyhf 0.8 evaluates interpolation code 2 otherwise below -1 standard deviation (its pull request 2668), refuses names
that are used twice (2396), gives no model a parameter of interest that it does not name, and knows the backends numpy
and jax only.
"""

import copy

import equinox as eqx
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, UnsupportedModelError
from hepcuts.histfactory import HistFactory, discovery_test, fixed_poi_fit, interpolation, referee, upper_limit

from .models import MU, channel, histosys, sample
from .test_specification import workspace

CODES = {"histosys": {"interpcode": "code2"}, "normsys": {"interpcode": "code4"}}
NOMINAL, UP, DOWN = 50.0, 58.0, 45.0
SPEC = {
    "channels": [
        channel(
            "c",
            sample("s", [5.0, 4.0], MU),
            sample("b", [NOMINAL, 80.0], histosys("a", [UP, 84.0], [DOWN, 90.0])),
        )
    ]
}


def code2(below):
    """pyhf's class with the rule (b - 2 a)(alpha + below) below -1: 0 is that of pyhf 0.7, 1 that of 0.8."""

    class StandIn(pyhf.interpolators.code2):
        def __call__(self, alphasets):
            alphas = np.asarray(alphasets)
            inside = np.asarray(super().__call__(alphasets))
            beyond = np.einsum("sa,shb->shab", alphas + below, np.asarray(self.b_minus_2a))
            return np.where((alphas < -1.0)[:, None, :, None], beyond, inside)

    return StandIn


@pytest.fixture(params=[0.0, 1.0], ids=["pyhf 0.7", "pyhf 0.8"])
def below(request, monkeypatch):
    monkeypatch.setattr(pyhf.interpolators, "code2", code2(request.param))
    return request.param


@pytest.fixture
def likelihood(below):
    return HistFactory(pyhf.Model(SPEC, poi_name="mu", modifier_settings=CODES))


def test_the_rule_is_that_of_the_installed_release(likelihood, below):
    a, b = (UP + DOWN) / 2 - NOMINAL, (UP - DOWN) / 2
    for alpha in (-3.5, -2.0, -1.25):
        expected = NOMINAL + (b - 2 * a) * (alpha + below)
        pars = [alpha, 0.0]
        assert likelihood.model.expected_data(pars)[0] == pytest.approx(expected, rel=1e-12)  # of the stand-in
        assert likelihood.expected_data(pars)[0] == pytest.approx(expected, rel=1e-12)


def test_the_likelihood_is_that_of_the_installed_release(likelihood):
    data = [48.0, 91.0, 0.3]
    for alpha in (-4.0, -2.0, -1.0 - 1e-12, -1.0, -0.4, 0.0, 0.7, 1.0, 1.5, 3.0):
        for mu in (0.0, 1.3):
            expected = float(likelihood.model.logpdf([alpha, mu], data)[0])
            assert float(likelihood.logpdf([alpha, mu], data)) == pytest.approx(expected, rel=1e-13, abs=1e-12)


@pytest.mark.parametrize("auxiliary", [-3.0, -1.5, 0.0])
def test_fits_find_the_lowest_of_the_installed_release(likelihood, auxiliary):
    """The minimum of pyhf's own likelihood on a fine grid, at a signal strength of zero."""
    data = [52.0, 100.0, auxiliary]
    grid = np.linspace(-5.0, 5.0, 100_001)
    found = fixed_poi_fit(likelihood, data, poi=0.0, num_starts=5)
    best = max(float(likelihood.model.logpdf([alpha, 0.0], data)[0]) for alpha in grid[::20])
    at_found = float(likelihood.model.logpdf(found.parameters, data)[0])
    assert at_found >= best - 1e-9


def test_derivatives_of_the_interpolation(likelihood):
    """The solver's are those of the differentiable likelihood."""
    interpolate = interpolation.ADDITIVE[likelihood.structure.histosys_code]
    assert likelihood.structure.histosys_code in interpolation.JUMPING
    for alpha in (-2.5, -0.5, 0.5, 2.5):
        (value, slope, _), h = interpolate(np.array(alpha)), 1e-6
        above, under = (interpolate(np.array(alpha + sign * h))[0] for sign in (1, -1))
        for number in range(2):
            assert slope[number] == pytest.approx((above[number] - under[number]) / (2 * h), abs=1e-8)
        assert np.all(np.isfinite(value))


def test_an_unknown_rule_is_refused(monkeypatch):
    monkeypatch.setattr(pyhf.interpolators, "code2", code2(0.5))
    with pytest.raises(UnsupportedModelError, match=r"'code2' in a way that hepcuts does not know"):
        HistFactory(pyhf.Model(SPEC, poi_name="mu", modifier_settings=CODES))


def test_asking_needs_no_parameter_of_interest_and_leaves_the_backend_alone():
    before = pyhf.get_backend()
    up, down = referee.shifted("code0", -2.0)
    assert (up, down) == (0.0, -2.0)
    assert pyhf.get_backend() == before


def test_a_model_without_a_parameter_of_interest_is_a_message():
    """pyhf.Model(spec) has had the one called mu up to pyhf 0.7, and has none from 0.8 on."""
    model = pyhf.Model(SPEC, poi_name=None)
    likelihood = HistFactory(model)
    data = likelihood.expected_data([0.0, 1.0])
    for quote in (discovery_test, hc.discovery_significance, upper_limit):
        with pytest.raises(UnsupportedModelError, match=r"no parameter of interest.*poi_name"):
            quote(likelihood)
    with pytest.raises(UnsupportedModelError, match=r"no parameter of interest.*poi_name"):
        referee.hypotest(model)
    assert hc.histfactory.fit(likelihood, data).success


TWICE = {
    "channels": (lambda spec: spec["channels"].append(copy.deepcopy(spec["channels"][0])), "more than one channel"),
    "samples": (
        lambda spec: spec["channels"][0]["samples"].append(sample("b", [1.0, 1.0])),
        "more than one sample is named 'b'",
    ),
    "modifiers": (
        lambda spec: spec["channels"][0]["samples"][1]["modifiers"].append(histosys("a", [1.0, 1.0], [2.0, 2.0])),
        "more than one modifier of the type histosys is named 'a'",
    ),
}


@pytest.mark.parametrize(("change", "message"), TWICE.values(), ids=TWICE)
@pytest.mark.parametrize("validate", [True, False])
def test_names_that_are_used_twice_are_refused(change, message, validate):
    spec = workspace(*copy.deepcopy(SPEC["channels"]), observations=[{"name": "c", "data": [50.0, 80.0]}])
    change(spec)
    # Without our check of the workspace it is pyhf that refuses them, or ours of the model.
    with pytest.raises(InputError, match=message if validate else None):
        HistFactory.from_workspace(spec, validate=validate)


def test_no_other_backend_is_asked_for():
    """Only numpy is switched to, whatever the caller has set; jax arrays are no arrays of pyhf's."""
    with referee.backend():
        assert pyhf.tensorlib.name == "numpy"
    assert eqx.is_array_like(HistFactory(pyhf.Model(SPEC, poi_name="mu")).templates.nominal)
