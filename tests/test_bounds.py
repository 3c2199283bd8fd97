"""A fit that ends at a bound says so: in its message, its repr, JSON and a warning."""

import functools
import json
import warnings

import pytest
from click.testing import CliRunner

from hepcuts._core.errors import BoundWarning
from hepcuts.cli.commands import main
from hepcuts.histfactory import HistFactory, discovery_test, fit, fixed_poi_fit

from .models import MU, channel, normsys, sample
from .test_specification import workspace

BOUND = [{"name": "a", "bounds": [[-0.1, 0.1]], "inits": [0.0]}]


def spec(parameters=(), observed=90.0):
    b = sample("b", [50.0], normsys("a", 1.3, 0.7))
    observations = [{"name": "c", "data": [observed]}]
    return workspace(channel("c", sample("s", [30.0], MU), b), parameters=parameters, observations=observations)


def test_a_bound_of_a_nuisance_parameter_is_told():
    free = discovery_test(HistFactory.from_workspace(spec()))
    with pytest.warns(BoundWarning, match="with a at a bound"):
        bound = discovery_test(HistFactory.from_workspace(spec(BOUND)))
    # Why it matters.
    assert bound.significance > 1.5 * free.significance
    assert "background-only fit: converged; at a bound: a" in bound.message
    assert "at a bound: a" in repr(bound)
    assert "bound" not in free.message
    assert bound.success


@pytest.mark.parametrize("quote", [fit, functools.partial(fixed_poi_fit, poi=0.0)], ids=["fit", "fixed"])
def test_fits_tell_too(quote):
    likelihood = HistFactory.from_workspace(spec(BOUND, observed=10.0))
    result = quote(likelihood, likelihood.observed_data)
    assert "at a bound: " in result.message
    assert "a" in result.at_bound
    assert result.message in repr(result)


def test_no_signal_is_no_reason_to_warn():
    likelihood = HistFactory.from_workspace(spec(observed=45.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = discovery_test(likelihood, likelihood.observed_data)
    assert result.significance == 0.0
    assert result.unconditional_fit.at_bound == ("mu",)
    assert "unconditional fit: converged; at a bound: mu" in result.message


def test_a_signal_strength_at_its_upper_bound_is_one():
    likelihood = HistFactory.from_workspace(spec([{"name": "mu", "bounds": [[0.0, 0.5]], "inits": [0.1]}]))
    with pytest.warns(BoundWarning, match="with mu at a bound"):
        discovery_test(likelihood, likelihood.observed_data)


def test_the_command_says_so(tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(spec(BOUND)))
    with warnings.catch_warnings():
        warnings.filterwarnings("default", category=BoundWarning)
        result = CliRunner().invoke(main, ["significance", str(path), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["expected"]["at_bound"] == {"unconditional": [], "background_only": ["a"]}
    assert "Warning: The fit ended with a at a bound" in result.stderr
    assert "BoundWarning" not in result.stderr
