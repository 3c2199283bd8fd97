"""What is no data is not called observed: our own workspaces say that their observations are an expectation."""

import json

import pytest
from click.testing import CliRunner

import hepcuts as hc
from hepcuts.cli.commands import main
from hepcuts.histfactory import HistFactory, discovery_test, upper_limit
from hepcuts.templates.workspace import CHOSEN_ON

SAMPLES = hc.datasets.scenario("exp10-gauss30x1", seed=1)
TEMPLATES = hc.fill(SAMPLES, hc.Cut("x", ">", 20.0))
ASIMOV = hc.workspace(TEMPLATES)
DATA = hc.workspace(TEMPLATES, observations={"signal_region": [2345.0]})


def name_of(spec):
    return spec["measurements"][0]["name"]


def test_the_measurement_says_what_the_observations_are():
    assert name_of(ASIMOV) == "discovery (observations are Asimov data)"
    assert name_of(DATA) == "discovery"
    assert name_of(hc.workspace(TEMPLATES, measurement=CHOSEN_ON)) == f"{CHOSEN_ON} (observations are Asimov data)"


@pytest.mark.parametrize(("spec", "asimov"), [(ASIMOV, True), (DATA, False)], ids=["asimov", "data"])
def test_a_test_of_the_observations_knows(spec, asimov):
    likelihood = HistFactory.from_workspace(spec)
    assert likelihood.asimov is asimov
    result = discovery_test(likelihood, likelihood.observed_data)
    assert result.dataset == ("workspace's Asimov" if asimov else "observed")
    assert result.expected is asimov
    assert ("observed" in repr(result)) is not asimov
    limit = upper_limit(likelihood, likelihood.observed_data)
    assert ("observed" in repr(limit)) is not asimov
    if asimov:
        assert result.significance == pytest.approx(discovery_test(likelihood).significance, rel=1e-6)


def test_other_data_of_such_a_workspace_are_observed():
    likelihood = HistFactory.from_workspace(ASIMOV)
    data = likelihood.observed_data
    data[0] += 5.0
    assert discovery_test(likelihood, data).dataset == "observed"


@pytest.mark.parametrize(("spec", "key"), [(ASIMOV, "workspace_asimov"), (DATA, "observed")], ids=["asimov", "data"])
def test_the_command_says_so(spec, key, tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(spec))
    found = json.loads(CliRunner().invoke(main, ["significance", str(path), "--json"]).output)
    assert set(found) == {"expected", "expected_postfit", key}
    text = CliRunner().invoke(main, ["significance", str(path), "--pulls"]).output
    assert ("observed data" in text) is (key == "observed")
    assert f"Unconditional fit to the {found[key]['dataset']} data" in text
