"""Prices against fits to the changed likelihood, against the closed form of one bin, and what is said of them."""

import dataclasses
import json

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from click.testing import CliRunner

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.cli.commands import main
from hepcuts.evaluation.levers import levers
from hepcuts.histfactory import density, discovery_test
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.changed_lanes import Changer
from hepcuts.histfactory.changes import Change, changed
from hepcuts.histfactory.nearby import ChordSteps, Nearby
from hepcuts.histfactory.searches import search
from hepcuts.histfactory.solver.gradient import by_parameters
from tests import models
from tests.conftest import SHARED
from tests.random_workspaces import examples

pytestmark = pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")
LIKELIHOODS = ("four_tops", "stau_combined_with_signal", "compressed_ewkinos_with_signal", "wz_onshell_with_signal")
FEW = ("stau_combined_with_signal", "wz_onshell_with_signal")


def one_bin(signal=10.0, background=50.0, relative=0.1, *modifiers):
    normsys = models.normsys("a", 1.0 + relative, 1.0 - relative)
    samples = models.sample("s", [signal], models.MU), models.sample("b", [background], normsys, *modifiers)
    return hc.HistFactory(pyhf.Model({"channels": [models.channel("c", *samples)]}, poi_name="mu"))


def z_of(likelihood, start):
    """Z by a fit of its own: from where that of the unchanged likelihood ended, and from pyhf's start."""
    structure = likelihood.structure
    batch = Batch.of(likelihood.templates, None)
    cold = np.array(structure.init)
    cold[structure.poi] = 0.0
    ends = [search(structure, batch, begin, fix_poi=True) for begin in (start, cold)]
    return float(np.sqrt(min(end.value[0] for end in ends if end.status[0] == 0)))


def compare(likelihood, rows, groups=None, tolerance=0.01):
    """Prices of some rows of a list against fits: differences are counted in the largest price."""
    priced = hc.prices(likelihood, gain=None, groups=groups)
    start = discovery_test(likelihood).background_only_fit.parameters
    found = {(one.kind, one.name): one for one in levers(likelihood, groups)}
    largest = max(abs(price.gain) for price in priced.prices)
    for price in priced.prices[:rows]:
        other = changed(likelihood, found[price.kind, price.name].change(likelihood, price.factor))
        assert abs(z_of(other, start) - priced.significance - price.gain) <= tolerance * largest, price
    return priced


# --- truth in closed form --------------------------------------------------------------------------------------------


def poisson_z(signal, background, sigma):
    """Z of a count with a Gaussian uncertainty of the background: the minimum over it on a fine grid, in 64 bits."""
    n = signal + background
    alpha = np.linspace(-10.0, 10.0, 2_000_001) * sigma / background
    rate = background * (1.0 + alpha)
    fine = rate > 0
    deviance = 2.0 * (rate[fine] - n + n * np.log(n / rate[fine])) + (alpha[fine] * background / sigma) ** 2
    return np.sqrt(deviance.min())


def test_one_bin_with_a_linear_systematic_in_closed_form():
    histosys = models.histosys("a", [56.0], [44.0])
    model = pyhf.Model(
        {
            "channels": [
                models.channel("c", models.sample("s", [10.0], models.MU), models.sample("b", [50.0], histosys))
            ]
        },
        poi_name="mu",
        modifier_settings={"histosys": {"interpcode": "code0"}, "normsys": {"interpcode": "code1"}},
    )
    priced = hc.prices(hc.HistFactory(model), gain=0.05)
    before = poisson_z(10.0, 50.0, 6.0)
    assert priced.significance == pytest.approx(before, abs=1e-6)
    expected = {
        ("systematic", "a"): (10.0, 50.0, 5.4),
        ("luminosity", ""): (11.0, 55.0, 6.6),
        ("signal", "s"): (11.0, 50.0, 6.0),
        ("background", "b"): (10.0, 45.0, 5.4),
    }
    for key, numbers in expected.items():
        assert priced[key].gain == pytest.approx(poisson_z(*numbers) - before, abs=1e-6)
    factor = {one.kind: one.factor for one in priced.exchanges}
    assert poisson_z(10.0, 50.0, 6.0 * factor["systematic"]) == pytest.approx(before + 0.05, abs=1e-4)
    scale = factor["luminosity"]
    assert poisson_z(10.0 * scale, 50.0 * scale, 6.0 * scale) == pytest.approx(before + 0.05, abs=1e-4)


def test_twice_the_simulation_is_a_relative_uncertainty_over_root_two():
    of = lambda sigma: models.mod("shapesys", "stat", [sigma])  # noqa: E731
    half = one_bin(10.0, 50.0, 0.05, of(5.0 / np.sqrt(2.0)))
    priced = hc.prices(one_bin(10.0, 50.0, 0.05, of(5.0)))
    wanted = discovery_test(half).significance - priced.significance
    assert priced["simulation", "b"].gain == pytest.approx(wanted, abs=1e-7)
    assert priced["systematic", "a"].factor == 0.9


def test_what_no_factor_will_do_is_said():
    exchanges = {one.kind: one for one in hc.prices(one_bin(relative=0.01), gain=0.5).exchanges}
    assert np.isnan(exchanges["systematic"].factor)
    assert exchanges["systematic"].most < 0.1
    assert "not by a alone (at most +0." in str(exchanges["systematic"])


# --- fits to the changed likelihood ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in models.SPECS if n not in {"no-poi", "shapefactor"}])
def test_models_of_every_modifier(name):
    likelihood = hc.HistFactory(models.build(name))
    compare(likelihood, rows=None, tolerance=1e-3)


@pytest.mark.slow
@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(example=examples())
def test_random_workspaces(example):
    likelihood = hc.HistFactory(example.model())
    test = discovery_test(likelihood, throw=False)
    hypothesis.assume(test.success and test.significance > 0.01 and not test.background_only_fit.at_bound)
    compare(likelihood, rows=8)


def published(name):
    path = SHARED / "likelihoods" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the published likelihood {name} is not here (HEPData)")
    return hc.HistFactory.from_workspace(path)


@pytest.mark.parametrize("name", [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in LIKELIHOODS])
def test_published_likelihoods(name):
    compare(published(name), rows=20)


def test_sbottom(sbottom):
    for patch in sbottom["patches"].values():
        likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[patch])
        priced = compare(likelihood, rows=20, groups={"jets": "JET_*"})
        members = priced.members["jets"]
        alone = [priced["systematic", name].gain for name in members]
        assert max(alone) < priced["group", "jets"].gain < priced["group", "all"].gain


@pytest.mark.slow
def test_a_published_patch_set():
    path = SHARED / "likelihoods" / "ewk_1Lbb_patchset.json"
    if not path.is_file():
        pytest.skip("the patch set of ewk_1Lbb is not here (HEPData record ins1755298)")
    for patch in json.loads(path.read_text())["patches"]:
        background = path.with_name("ewk_1Lbb_background_only.json")
        likelihood = hc.HistFactory.from_workspace(background, patches=[patch["patch"]])
        compare(likelihood, rows=20)


@pytest.mark.parametrize(("name", "fits"), [("stau_combined_with_signal", 0), ("ttbar_ljets", 10)])
def test_what_it_takes(name, fits):
    """Hardly a fit, also where half of the parameters are at a bound, and two gradients of each likelihood at most."""
    likelihood = published(name)
    nearby = Nearby(likelihood, discovery_test(likelihood).background_only)
    found = [one.change(likelihood, one.factor(0.1)) for one in levers(likelihood)]
    assert np.isfinite(nearby.significances(found)).all()
    assert nearby.fits <= fits
    assert len(found) <= nearby.gradients <= 2 * len(found)


def test_without_steps_all_are_fitted(sbottom):
    likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"]["600_280_150"]])
    fitted = discovery_test(likelihood).background_only_fit
    some = [one.change(likelihood, one.factor(0.1)) for one in levers(likelihood)[:12]]
    both = [
        Nearby(likelihood, fitted.parameters, steps=steps).significances(some)
        for steps in (ChordSteps(), ChordSteps(most=0))
    ]
    np.testing.assert_allclose(*both, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "staterror",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("everything", "shared-name", "shapesys", "lumi")),
    ],
)
def test_gradients_by_parameters(name, x64):
    likelihood = hc.HistFactory(models.build(name))
    structure = likelihood.structure
    fitted = discovery_test(likelihood, throw=False).background_only_fit
    at = np.array(fitted.parameters) + 0.01
    data = np.asarray(likelihood.expected_data(likelihood.nominal_parameters(1.0)))
    main = len(structure.channel_of_bin)

    def of_bins(parameters):
        rates = density.main_rates(structure, likelihood.templates, parameters)
        return density.poisson_deviance(jnp.asarray(data[:main]), rates).sum()

    numbers = Changer(likelihood).numbers
    rates = numbers.rates(at[:, None])
    by_bin = 2.0 * (1.0 - data[:main] / rates.main[:, 0])
    by_cell = np.tile(by_bin, len(likelihood.samples))[:, None]
    found = by_parameters(numbers, at[:, None], rates, by_cell)[:, 0]
    np.testing.assert_allclose(found, jax.grad(of_bins)(at), rtol=1e-9, atol=1e-9)


def test_a_change_of_nothing_is_nothing():
    likelihood = one_bin()
    same = changed(likelihood, Change.none(likelihood))
    assert discovery_test(same).significance == discovery_test(likelihood).significance


# --- what is said ----------------------------------------------------------------------------------------------------


def test_table_frame_and_dictionary():
    priced = hc.prices(one_bin())
    assert repr(priced).startswith("Prices: expected Z = 1.1201 (prefit Asimov data, mu = 1)")
    assert "times the luminosity" in repr(priced)
    assert "<table>" in priced._repr_html_()
    frame = priced.to_dataframe()
    assert list(frame.columns) == ["kind", "name", "factor", "gain", "change"]
    assert (np.diff(frame.gain) <= 0).all()
    assert json.loads(json.dumps(priced.to_dict()))["prices"][0]["gain"] == frame.gain[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        priced.gain = 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 1.0}, "step is 1.0"),
        ({"gain": -1.0}, "gain is -1.0"),
        ({"groups": {"jets": "JES*"}}, "No systematic matches 'JES\\*' of group 'jets'; there are a"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        hc.prices(one_bin(), **options)


def test_command(tmp_path):
    samples = models.sample("s", [10.0], models.MU), models.sample("b", [50.0], models.normsys("xsec", 1.1, 0.9))
    workspace = pyhf.Workspace.build(pyhf.Model({"channels": [models.channel("c", *samples)]}, poi_name="mu"), [55.0])
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(workspace))
    done = CliRunner().invoke(main, ["prices", str(path), "--group", "theory=x*", "--step", "20"])
    assert done.exit_code == 0, done.output
    assert "group theory" in done.output
    assert "20 % less" in done.output
    done = CliRunner().invoke(main, ["prices", str(path), "--json", "--gain", "0"])
    assert json.loads(done.output)["exchanges"] == []
    done = CliRunner().invoke(main, ["prices", str(path), "--group", "theory"])
    assert done.exit_code == 1
    assert "expected NAME=PATTERN" in done.output
