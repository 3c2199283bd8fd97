"""Minima where a bin without data would expect a negative number of events beyond."""

import jax
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts import counting
from hepcuts.histfactory import fit

from . import models


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
