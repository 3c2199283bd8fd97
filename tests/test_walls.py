"""Minima where a bin without data would expect a negative number of events beyond."""

import equinox as eqx
import jax
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.quadratic import Bowl
from hepcuts.histfactory import fit
from hepcuts.histfactory.density import deviance

from . import models
from .models import MU


def with_an_empty_bin(high: float, low: float) -> hc.HistFactory:
    """One bin that counts, and an empty one to which a systematic variation gives events."""
    counting_bin = models.channel("sr", models.sample("b", [0.001]), models.sample("s", [0.11], models.MU))
    empty = models.channel("cr", models.sample("b", [0.0], models.histosys("shift", [high], [low])))
    return hc.HistFactory(pyhf.Model({"channels": [counting_bin, empty]}, poi_name="mu"))


@pytest.mark.parametrize(("high", "low"), [(0.5, 0.0), (0.0, 0.2), (3.0, 0.0)])
def test_a_variation_into_an_empty_bin_does_not_matter(high, low):
    """Nothing pulls the nuisance parameter from zero, where the empty bin's rate is zero: the other bin is alone."""
    z = hc.discovery_significance(with_an_empty_bin(high, low))
    assert z == pytest.approx(float(counting.asimov_significance(0.11, 0.001)), rel=1e-7)


def test_a_wall_has_no_gradient(x64):
    likelihood = with_an_empty_bin(0.5, 0.0)
    gradient = jax.grad(lambda templates: hc.discovery_significance(likelihood, templates))(likelihood.templates)
    assert np.isnan(np.asarray(gradient.nominal)).all()


def test_a_signal_strength_stops_where_the_rate_would_be_negative():
    """Without data the rate wants to be zero: mu-hat is -b/s exactly, and the deviance is zero there."""
    spec = {"channels": [models.channel("c", models.sample("s", [0.5], models.MU), models.sample("b", [1.0]))]}
    spec["parameters"] = [{"name": "mu", "bounds": [[-5, 5]]}]
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))
    result = fit(likelihood, [0.0])
    assert result.parameters == pytest.approx([-2.0], abs=1e-9)
    assert result.deviance == pytest.approx(0.0, abs=1e-9)


def test_two_parameters_at_a_wall_against_the_exact_solution():
    """Rates b + 3 a and n = 0: the minimum of a^2 + 2 (b + 3 a) over b + 3 a >= 0 is a = -b / 3 for b below 9."""
    spec = {
        "channels": [
            models.channel("sr", models.sample("s", [1.0], models.MU), models.sample("b", [50.0])),
            models.channel("cr", models.sample("b", [2.0], models.histosys("shift", [5.0], [-1.0]))),
        ]
    }
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))
    result = fit(likelihood, [0.0, 51.0, 0.0])
    shift = result.parameters[likelihood.parameter_names.index("shift")]
    assert shift == pytest.approx(-2.0 / 3.0, abs=1e-7)
    assert result.deviance == pytest.approx(4.0 / 9.0, abs=1e-7)


@pytest.mark.parametrize(("high", "low", "measured"), [(0.5, 0.0, -1.0), (0.0, 0.2, 1.0), (0.3, 0.0, -0.1)])
def test_no_rate_is_negative_by_rounding(high, low, measured):
    """The measurement pulls towards the wall at zero: the fit ends on it, and pyhf expects no fewer than no events."""
    likelihood = with_an_empty_bin(high, low)
    at = {name: i for i, name in enumerate(likelihood.parameter_names)}
    data = [0.0, 1.0, measured]
    result = fit(likelihood, data)
    rates = np.asarray(likelihood.model.expected_data(result.parameters))[:2]
    assert np.all(rates >= 0.0)
    # The other bin is fitted exactly, by mu; what is left is the pull. Where the side that is measured changes nothing,
    # the bin stays at zero from one standard deviation on: there the fit has no pull at all, if that was measured.
    beyond = (low if measured < 0 else high) == 0.0 and abs(measured) == 1.0
    assert result.parameters[at["shift"]] == pytest.approx(measured if beyond else 0.0, abs=1e-9)
    assert result.deviance == pytest.approx(0.0 if beyond else measured**2, rel=1e-9, abs=1e-9)
    compiled = eqx.filter_jit(deviance)  # at once, not operation by operation
    assert float(compiled(likelihood.structure, likelihood.templates, result.parameters, np.array(data))) < 2.0


def test_a_wall_beside_a_bin_of_a_million_events():
    """The empty bin expects 1 + 2 a and stops a at -1/2; a free factor follows, known a thousand times better."""
    spec = {
        "channels": [
            models.channel(
                "many",
                models.sample("b", [1e6], models.histosys("shift", [1.1e6], [0.9e6]), models.mod("normfactor", "k")),
            ),
            models.channel(
                "none",
                models.sample("b", [1.0], models.histosys("shift", [3.0], [-1.0])),
                models.sample("s", [0.0], MU),
            ),
        ]
    }
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))
    result = fit(likelihood, [1e6, 0.0, 0.0])
    found = dict(zip(likelihood.parameter_names, result.parameters, strict=True))
    assert found["shift"] == pytest.approx(-0.5, abs=1e-9)
    assert found["k"] == pytest.approx(1.0 / 0.95, rel=1e-7)
    assert result.deviance == pytest.approx(0.25, abs=1e-9)


def test_a_wall_beyond_a_kink():
    """With code 0 the empty bin expects (1 + a) / 2 below zero and (1 - a) / 2 above it, where a is measured as 1.

    The fit starts on the left side of the kink. The minimum of (a - 1)^2 + 1 - a is at 3/2, beyond the wall at 1.
    """
    empty = models.channel(
        "c", models.sample("b", [0.5], models.histosys("a", [0.0], [0.0])), models.sample("s", [1.0], MU)
    )
    codes = {"histosys": {"interpcode": "code0"}, "normsys": {"interpcode": "code1"}}
    likelihood = hc.HistFactory(pyhf.Model({"channels": [empty]}, poi_name="mu", modifier_settings=codes))
    result = fit(likelihood, [0.0, 1.0])
    assert result.parameters[likelihood.parameter_names.index("a")] == pytest.approx(1.0, abs=1e-9)
    assert result.deviance == pytest.approx(0.0, abs=1e-9)


def test_limits_that_contradict_each_other_have_no_solution():
    bowl = Bowl(np.array([1.0, 0.0]), np.eye(2), np.ones(2), 0.0)
    assert bowl.solve(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, 1.0])) is None


@pytest.mark.parametrize("seed", range(10))
def test_quadratic_programs_against_the_conditions_for_a_minimum(seed):
    """Karush, Kuhn and Tucker: forces of the limits that are reached balance the slope; nothing else pushes."""
    generator = np.random.default_rng(seed)
    root, gradient = generator.normal(size=(4, 4)), generator.normal(size=4)
    hessian, scale = root @ root.T + 0.1 * np.eye(4), 10.0 ** generator.uniform(-3, 3, size=4)
    hessian, gradient = hessian / np.outer(scale, scale), gradient / scale
    rows = generator.normal(size=(6, 4)) / scale
    # The limits leave room around some point.
    inside = scale * generator.normal(size=4)
    limits = rows @ inside - generator.uniform(0.0, 1.0, size=6)
    found = Bowl(gradient, hessian, scale, 0.0).solve(rows, limits)
    room = rows @ found.step - limits
    assert np.all(room > -1e-10)
    assert np.all(found.forces >= -1e-10)
    np.testing.assert_allclose(found.forces * room, 0.0, atol=1e-9)
    balance = (gradient + hessian @ found.step - rows.T @ found.forces) * scale
    np.testing.assert_allclose(balance, 0.0, atol=1e-9)
    assert found.gain == pytest.approx(-(gradient @ found.step + 0.5 * found.step @ hessian @ found.step), rel=1e-8)
