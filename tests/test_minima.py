"""Several minima: that the lowest is found, that both functions agree on it, and that its rivals are told."""

import json
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jsonpatch
import numpy as np
import pyhf
import pytest
from click.testing import CliRunner

import hepcuts as hc
from hepcuts.cli.commands import main
from hepcuts.histfactory import discovery, fit, fixed_poi_fit
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.minimization import numbers_of
from hepcuts.histfactory.searches import free_parameters, search
from hepcuts.histfactory.solver.sketch import Sketch
from tests.conftest import SHARED

EWK = "C1N2_Wh_hbb_150_0"


def workspace_of(name: str) -> dict[str, Any]:
    """A published workspace; of a patch set ``ewk_1Lbb POINT``, of a patch ``atlas-sbottom FILE``."""
    folder = SHARED / "likelihoods"
    if not folder.is_dir():
        pytest.skip("the published likelihoods are not there")
    name, _, point = name.partition(" ")
    if name == "ewk_1Lbb":
        patches = json.loads((folder / "ewk_1Lbb_patchset.json").read_text())["patches"]
        (patch,) = (p["patch"] for p in patches if p["metadata"]["name"] == point)
        return jsonpatch.apply_patch(json.loads((folder / "ewk_1Lbb_background_only.json").read_text()), patch)
    if name == "atlas-sbottom":
        patch = json.loads((SHARED / name / f"patch.{point}.json").read_text())
        return jsonpatch.apply_patch(json.loads((SHARED / name / "BkgOnly.json").read_text()), patch)
    return json.loads((folder / f"{name}.json").read_text())


def published(name: str) -> hc.HistFactory:
    return hc.HistFactory.from_workspace(workspace_of(name))


def same_side(up: float, down: float, *, observed: float = 130.0) -> hc.HistFactory:
    """Two bins; one variation raises the first by either sign of its parameter, the second tells the signs apart."""
    signal = {"name": "signal", "data": [5.0, 0.1], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    data = {"hi_data": [up, 52.0], "lo_data": [down, 49.0]}
    shape = {"name": "side", "type": "histosys", "data": data}
    background = {"name": "background", "data": [100.0, 50.0], "modifiers": [shape]}
    spec = {"channels": [{"name": "c", "samples": [signal, background]}]}
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu"), observations=[observed, 50.0])


def lowest_on_a_grid(likelihood: hc.HistFactory, data: Any) -> tuple[float, float]:
    """The lowest minima with alpha above and below zero, without signal: pyhf's likelihood on a fine grid."""
    model, data = likelihood.model, np.asarray(data)
    saturated = np.array([n * np.log(n) - n for n in data[:2]]).sum()
    poi = model.config.poi_index
    values = []
    for side in (1.0, -1.0):
        found = np.inf
        for alpha in np.linspace(0.01, 5.0, 5000) * side:
            pars = np.zeros(2)
            pars[1 - poi] = alpha
            rates = np.asarray(model.expected_data(pars))[:2]
            found = min(found, -2 * (data[:2] @ np.log(rates) - rates.sum() - saturated) + alpha**2)
        values.append(float(found))
    return values[0], values[1]


@pytest.mark.parametrize(("up", "down"), [(115.0, 114.0), (114.0, 115.0), (130.0, 110.0), (110.0, 130.0)])
@pytest.mark.slow("114.0-115.0", "110.0-130.0")
def test_a_variation_to_the_same_side_has_two_minima_and_the_lower_counts(up: float, down: float) -> None:
    likelihood = same_side(up, down)
    data = likelihood.observed_data
    above, below = lowest_on_a_grid(likelihood, data)
    found = fixed_poi_fit(likelihood, data, poi=0.0)
    assert found.deviance == pytest.approx(min(above, below), abs=1e-5)
    if abs(above - below) < 0.3:  # one that is clearly higher is left alone
        assert found.minima == pytest.approx(sorted([above, below]), abs=1e-5)
        assert found.num_places >= 1
        assert "there are 2 minima" in found.message


def above_background(
    data: list[float], modifiers: list[dict[str, Any]], observed: list[float], **options: Any
) -> hc.HistFactory:
    """A background with some modifiers, and a small signal."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [0.1 * n + 1.0 for n in data], "modifiers": [mu]},
        {"name": "background", "data": data, "modifiers": modifiers},
    ]
    model = pyhf.Model({"channels": [{"name": "c", "samples": samples}]}, poi_name="mu", **options)
    return hc.HistFactory(model, observations=observed)


def test_beyond_the_bulge_of_an_asymmetric_factor_there_is_another_minimum() -> None:
    """Code 4 rises above its value at one standard deviation before that: there the slope of the sketch is not zero."""
    theory = {"name": "theory", "type": "normsys", "data": {"hi": 1.0295269, "lo": 0.682133}}
    codes = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    likelihood = above_background([52788.3], [theory], [55085.87], modifier_settings=codes)
    model, data = likelihood.model, np.asarray(likelihood.observed_data)
    index = model.config.par_order.index("theory")
    alphas = np.linspace(0.0, 3.0, 3001)
    pars = np.zeros((len(alphas), 2))
    pars[:, index] = alphas
    values = np.array([-2.0 * float(model.logpdf(row, data)[0]) for row in pars])
    found = fixed_poi_fit(likelihood, data, poi=0.0)
    assert found.parameters[index] == pytest.approx(alphas[values.argmin()], abs=2e-3)
    assert found.parameters[index] > 1.0


def test_a_start_is_found_where_rates_are_zero_at_nominal_parameters_and_negative_far_from_them() -> None:
    """Only between -1 and 0 both bins expect events."""
    pileup = {"hi_data": [0.0, 1200.0], "lo_data": [0.2, 0.0]}
    likelihood = above_background([0.0, 600.0], [{"name": "pileup", "type": "histosys", "data": pileup}], [3.0, 500.0])
    found = fixed_poi_fit(likelihood, likelihood.observed_data, poi=0.0)
    assert found.success
    assert -1.0 < found.parameters[likelihood.parameter_names.index("pileup")] < 0.0


def test_a_likelihood_with_one_minimum_is_searched_once() -> None:
    model = pyhf.simplemodels.correlated_background([5.0, 10.0], [50.0, 60.0], [52.0, 63.0], [48.0, 57.0])
    likelihood = hc.HistFactory(model, observations=[70.0, 50.0])
    found = fixed_poi_fit(likelihood, likelihood.observed_data, poi=0.0)
    assert (found.num_places, len(found.minima)) == (0, 1)
    test = hc.discovery_test(likelihood, likelihood.observed_data)
    assert np.isnan(test.competing)
    assert not test.ambiguous


def test_a_competing_minimum_is_told() -> None:
    likelihood = same_side(115.0, 114.9)
    test = hc.discovery_test(likelihood, likelihood.observed_data)
    assert test.background_only_fit.minima[1] > test.background_only_fit.minima[0]
    assert abs(test.competing - test.significance) < discovery.NEAR
    assert test.ambiguous
    assert f"it would give Z = {test.competing:.4f}" in repr(test)
    assert "searched: from 1 start" in repr(test)


def test_batches_and_compiled_functions_search_alike() -> None:
    likelihood = same_side(114.0, 115.0)
    data = np.asarray(likelihood.observed_data) + np.array([[0.0], [1.0], [-5.0], [10.0]]) * [1.0, 0.0, 0.0]
    alone = [float(hc.discovery_significance(likelihood, data=row)) for row in data]
    tests = [hc.discovery_test(likelihood, row).significance for row in data]
    assert tests == pytest.approx(alone, abs=1e-10)
    with jax.enable_x64(True):
        batch = jax.jit(jax.vmap(lambda row: hc.discovery_significance(likelihood, data=row)))(data)
    assert np.asarray(batch) == pytest.approx(alone, abs=1e-10)


def test_template_sets_side_by_side_are_searched_alike() -> None:
    likelihood = same_side(114.0, 115.0)
    shifted = jax.tree.map(lambda a: np.stack([a, 1.05 * a, 0.9 * a]), likelihood.templates)
    start = np.array(likelihood.structure.init)
    start[likelihood.poi] = 0.0
    data = np.asarray(likelihood.observed_data)
    together = search(likelihood.structure, Batch.of(shifted, data), start, fix_poi=True)
    for lane in range(3):
        templates = jax.tree.map(lambda a, lane=lane: a[lane], shifted)
        alone = search(likelihood.structure, Batch.of(templates, data), start, fix_poi=True)
        assert together.value[lane] == pytest.approx(alone.value[0], abs=1e-9)
        assert together.rival[lane] == pytest.approx(alone.rival[0], abs=1e-9)


def test_a_slow_way_back_to_the_minimum_that_is_known_is_given_up() -> None:
    """Searches from other places creep back along a valley: 2400 steps more each, where they are not given up."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    pileup = {"hi_data": [10811.881, 0.0, 13437.74], "lo_data": [11291.341, 0.2, 0.0]}
    background = [
        {"name": "pileup", "type": "histosys", "data": pileup},
        {"name": "k1", "type": "normfactor", "data": None},
        {"name": "stat", "type": "staterror", "data": [3570.6346, 0.035945, 7349.9735]},
        {"name": "free shape", "type": "shapefactor", "data": None},
    ]
    stat = {"name": "stat", "type": "staterror", "data": [303310.955, 0.0, 377.626]}
    first = [
        {"name": "background", "data": [11291.32979, 0.0, 6718.87], "modifiers": background},
        {"name": "signal", "data": [1347827.04746, 350929.0, 131292.014], "modifiers": [mu, stat]},
    ]
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    second = [
        {"name": "signal", "data": [1049.38929, 3041.20408], "modifiers": [mu]},
        {"name": "background", "data": [136290.0, 136290.0], "modifiers": [lumi]},
    ]
    parameters = [
        {"name": "lumi", "auxdata": [0.9], "sigmas": [0.0153], "inits": [0.9], "bounds": [[0.73, 1.07]]},
        {"name": "k1", "inits": [1.1], "bounds": [[0.2, 4.0]]},
        {"name": "stat", "sigmas": [0.05] * 3},
    ]
    spec = {"channels": [{"name": "a", "samples": first}, {"name": "b", "samples": second}], "parameters": parameters}
    codes = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    model = pyhf.Model(spec, poi_name="mu", modifier_settings=codes)
    likelihood = hc.HistFactory(model, observations=[3216939.0, 915825.0, 202143.0, 117069.0, 120812.0])
    found = fit(likelihood, likelihood.observed_data)
    assert found.success
    assert found.num_places == 4
    assert found.num_steps < 500


def test_a_factor_times_a_variation_of_millions_of_events_is_followed_to_its_bound() -> None:
    """A free factor k replaces a pull at the price of none: N (1 + jes) k stays at n, until k is at its bound of 10."""
    expected, count = 3.4e6, 2.3e6
    jes = {"name": "jes", "type": "histosys", "data": {"hi_data": [2.0 * expected], "lo_data": [0.0]}}
    free = [{"name": name, "type": "normfactor", "data": None} for name in ("mu", "k")]
    samples = [
        {"name": "signal", "data": [0.5], "modifiers": free[:1]},
        {"name": "background", "data": [expected], "modifiers": [jes, free[1]]},
    ]
    linear = {"histosys": {"interpcode": "code0"}, "normsys": {"interpcode": "code4"}}
    spec = {"channels": [{"name": "a", "samples": samples}]}
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu", modifier_settings=linear), observations=[count])
    found = fixed_poi_fit(likelihood, [count, -1.0], poi=0.0)
    jes_at_bound = count / (10.0 * expected) - 1.0
    np.testing.assert_allclose(found.parameters, [jes_at_bound, 10.0, 0.0], rtol=1e-6)
    assert found.deviance == pytest.approx((jes_at_bound + 1.0) ** 2, rel=1e-6)
    assert found.at_bound == ("k",)
    assert found.num_steps < 100


def _counted(channel: list[Any], counts: list[float], **codes: str) -> hc.HistFactory:
    """One channel with the observed counts and interpolation codes of normsys and histosys."""
    settings = {kind: {"interpcode": code} for kind, code in codes.items()}
    model = pyhf.Model({"channels": [{"name": "a", "samples": channel}]}, poi_name="mu", modifier_settings=settings)
    return hc.HistFactory(model, observations=counts)


def _free(name: str) -> dict[str, Any]:
    return {"name": name, "type": "normfactor", "data": None}


def _norm(name: str, up: float, down: float) -> dict[str, Any]:
    return {"name": name, "type": "normsys", "data": {"hi": up, "lo": down}}


def test_an_excess_of_millions_of_events_is_explained_by_the_larger_side_of_a_kink() -> None:
    """One percent up and next to nothing down, at four million events: another minimum each side of the kink at zero.

    A bend of half a percent is nothing but where it is worth ten standard deviations of the counts.
    """
    expected, excess = 3885120.0, 2606.0
    background = {"name": "b", "data": [expected], "modifiers": [_norm("theory", 1.01, 1.000001)]}
    signal = {"name": "s", "data": [1.0], "modifiers": [_free("mu")]}
    codes = {"normsys": "code1", "histosys": "code4p"}
    likelihood = _counted([background, signal], [expected + excess], **codes)
    found = fixed_poi_fit(likelihood, likelihood.observed_data, poi=0.0)
    pull = np.log1p(excess / expected) / np.log(1.01)
    assert found.parameters[likelihood.parameter_names.index("theory")] == pytest.approx(pull, rel=0.01)
    assert found.deviance == pytest.approx(pull**2, rel=0.01)
    assert len(found.minima) == 2


@pytest.mark.parametrize(("signal", "deficit"), [(4.0, -100.0), (2.0, -150.0)], ids=["inside", "at its bound"])
def test_a_signal_that_was_not_found_is_looked_for_far_from_zero(signal: float, deficit: float) -> None:
    """A multiple of zero leads nowhere. Two bins with a deficit say that there is none, unless their gammas vanish."""
    loose = {"name": "stat", "type": "staterror", "data": [0.01, 250.0, 250.0]}
    samples = [
        {"name": "s", "data": [signal, 250.0, 250.0], "modifiers": [_free("mu"), loose]},
        {"name": "b", "data": [100.0, 1e4, 1e4], "modifiers": [_norm("theory", 1.05, 1.0)]},
    ]
    likelihood = _counted(samples, [130.0, 1e4 + deficit, 1e4 + deficit], normsys="code4", histosys="code4p")
    found = fit(likelihood, likelihood.observed_data)
    random = fit(likelihood, likelihood.observed_data, num_starts=20)
    assert found.deviance == pytest.approx(random.deviance, abs=1e-6)
    assert found.parameters[likelihood.poi] > 5.0


def test_walls_on_both_sides_of_negative_rates_are_searched() -> None:
    """A bin without data expects mu times 0 to 0.5, and less than nothing between a variation of -1 and zero.

    Newton's first step goes past the wall at zero, where the fit started and the minimum is, to the other at -1.
    """
    theory = {"name": "theory", "type": "histosys", "data": {"hi_data": [0.5, 0.9], "lo_data": [0.0, 0.6]}}
    samples = [
        {"name": "s", "data": [0.0, 0.45], "modifiers": [_free("mu"), theory]},
        {"name": "b", "data": [0.0, 3.0], "modifiers": []},
    ]
    likelihood = _counted(samples, [0.0, 9.0], normsys="code4", histosys="code4p")
    found = fit(likelihood, [0.0, 9.0, -0.19])
    np.testing.assert_allclose(found.parameters, [0.0, 10.0], atol=1e-9)
    expected = 3.0 + 10.0 * 0.45
    assert found.deviance == pytest.approx(0.19**2 + 2.0 * (9.0 * np.log(9.0 / expected) + expected - 9.0), rel=1e-9)


def test_where_nothing_fits_both_sides_of_the_nominal_parameters_are_searched() -> None:
    """Bounds hold the pileup to -0.1 to 0.05, and the data would have it elsewhere: a minimum at either bound."""
    rate = {"name": "pileup", "type": "histosys", "data": {"hi_data": [5.4e4], "lo_data": [6.6e4]}}
    first = {"name": "s", "data": [2e5], "modifiers": [_free("mu"), _norm("pileup", 0.3, 1.1)]}
    second = {"name": "s", "data": [6e4], "modifiers": [_free("mu"), rate]}
    channels = [{"name": name, "samples": [sample]} for name, sample in (("a", first), ("b", second))]
    specification = {"channels": channels, "parameters": [{"name": "pileup", "bounds": [[-0.1, 0.05]]}]}
    codes = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code4p"}}
    likelihood = hc.HistFactory(pyhf.Model(specification, poi_name="mu", modifier_settings=codes))
    data = [2.6e5, 1.2e5, 0.05]
    found = fit(likelihood, data)
    counts, ends = np.array(data[:2]), []
    for pileup, factor in ((-0.1, 1.1**0.1), (0.05, 0.3**0.05)):
        rates = np.array([2e5 * factor, 6e4 - 6e3 * pileup])
        rates *= counts.sum() / rates.sum()  # mu-hat
        poisson = 2.0 * np.sum(rates - counts + counts * np.log(counts / rates))
        ends.append(poisson + (pileup - data[2]) ** 2)
    np.testing.assert_allclose(found.minima, sorted(ends), rtol=1e-9)


def test_a_free_fit_that_ended_above_the_one_without_signal_goes_on_from_there(monkeypatch: Any) -> None:
    """As one of 1000 random workspaces did, at 4.95 and 4.34 in -2 ln L; here a search is made to end too high."""
    background = {"name": "b", "data": [50.0, 40.0], "modifiers": [_norm("theory", 1.1, 0.9)]}
    signal = {"name": "s", "data": [5.0, 1.0], "modifiers": [_free("mu")]}
    likelihood = _counted([signal, background], [56.0, 41.0])
    data = likelihood.observed_data
    best, none = fit(likelihood, data), fixed_poi_fit(likelihood, data, poi=0.0)

    def too_high(structure: Any, batch: Any, start: Any, *, fix_poi: bool, **options: Any) -> Any:
        found = search(structure, batch, start, fix_poi=fix_poi, **options)
        if not fix_poi:
            found.value += none.deviance
            found.places += 1
        return found

    monkeypatch.setattr(sys.modules["hepcuts.histfactory.fit"], "search", too_high)
    found = fit(likelihood, data)
    assert best.deviance < none.deviance < best.deviance + none.deviance
    assert found.deviance == pytest.approx(best.deviance, rel=1e-9)
    np.testing.assert_allclose(found.minima, [best.deviance, best.deviance + none.deviance], rtol=1e-9)


@pytest.fixture
def sketch_of() -> Any:
    def made(likelihood: hc.HistFactory) -> tuple[Sketch, Any]:
        structure = likelihood.structure
        batch = Batch.of(likelihood.templates, likelihood.observed_data)
        exact = numbers_of(structure, likelihood.templates, likelihood.observed_data)
        return Sketch(exact, structure, batch.templates, (structure.lower, structure.upper)), exact

    return made


def test_the_sketch_is_the_likelihood_beyond_one_standard_deviation(sketch_of: Any) -> None:
    likelihood = same_side(114.0, 108.0)
    sketch, exact = sketch_of(likelihood)
    parameters = np.array([[0.5, 2.0, 0.0], [1.5, -2.0, 1.0]])
    here = sketch.at(parameters, np.zeros(3, dtype=np.int64))
    assert here.value == pytest.approx(exact.expand(parameters).value, abs=1e-9)


def test_slopes_of_the_sketch_are_differences_of_its_rates(sketch_of: Any) -> None:
    sketch, _ = sketch_of(same_side(114.0, 108.0))
    parameters, lanes = np.array([[0.7], [-0.4]]), np.zeros(1, dtype=np.int64)
    slopes = sketch.slopes(parameters, sketch.at(parameters, lanes), lanes)
    for number, parameter in enumerate(sketch.several):
        step = np.zeros((2, 1))
        step[parameter] = 1e-6
        up, down = (sketch.at(parameters + sign * step, lanes).rates for sign in (1.0, -1.0))
        assert slopes.several[:, number] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


# --- published likelihoods --------------------------------------------------------------------------------------------


def test_the_lower_minimum_of_a_published_search_for_electroweakinos() -> None:
    """Z = 5.118 in the minimum that pyhf's and our fits find first, 5.0125 in the lower one."""
    likelihood = published(f"ewk_1Lbb {EWK}")
    test = hc.discovery_test(likelihood)
    assert test.significance == pytest.approx(5.01248, abs=1e-5)
    assert float(hc.discovery_significance(likelihood)) == pytest.approx(test.significance, abs=1e-10)
    assert test.background_only_fit.minima[1] - test.background_only_fit.minima[0] == pytest.approx(1.0713, abs=1e-3)
    assert test.competing == pytest.approx(5.11823, abs=1e-4)


def test_no_cliff_where_a_yield_changes_a_little() -> None:
    likelihood = published(f"ewk_1Lbb {EWK}")
    generator = np.random.default_rng(1)
    for _ in range(3):
        factor = 1.0 + 1e-4 * generator.normal(size=likelihood.templates.nominal.shape)
        changed = eqx.tree_at(lambda t: t.nominal, likelihood.templates, likelihood.templates.nominal * factor)
        assert float(hc.discovery_significance(likelihood, changed)) == pytest.approx(5.0125, abs=0.01)


def test_an_excess_that_another_minimum_explains() -> None:
    """Z = 0.272 in the first minimum, none in the lower one."""
    likelihood = published("stau_combined_with_signal")
    test = hc.discovery_test(likelihood, likelihood.observed_data)
    assert test.significance == 0.0
    assert float(hc.discovery_significance(likelihood, data=likelihood.observed_data)) == 0.0
    assert test.background_only_fit.deviance == pytest.approx(2.098444540, abs=1e-6)


@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")
def test_both_functions_agree_where_the_fit_is_bad() -> None:
    likelihood = published("ttbar_ljets")
    test = hc.discovery_test(likelihood)
    assert float(hc.discovery_significance(likelihood)) == pytest.approx(test.significance, abs=1e-9)


def test_a_result_beside_a_competing_minimum_says_so_also_in_json(tmp_path: Path) -> None:
    """Two minima of a published search for bottom squarks differ by 0.05 in -2 ln L, and so by 0.0065 in Z."""
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(workspace_of("atlas-sbottom sbottom_600_280_150")))
    printed = CliRunner().invoke(main, ["significance", str(path)], catch_exceptions=False).output
    assert "another minimum is near: it would give Z = 3.851" in printed
    found = json.loads(CliRunner().invoke(main, ["significance", str(path), "--json"], catch_exceptions=False).output)
    assert found["expected"]["ambiguous"] is True
    assert found["expected"]["competing"] == pytest.approx(3.8515, abs=1e-3)
    assert "from 1 start" in found["expected"]["searched"]


@pytest.mark.parametrize(
    "name",
    [
        f"ewk_1Lbb {EWK}",
        "stau_combined_with_signal",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("ewk_1Lbb C1N2_Wh_hbb_275_50", "wz_onshell_with_signal")
        ),
    ],
)
@pytest.mark.parametrize("fix_poi", [True, False])
@pytest.mark.slow("True-ewk_1Lbb C1N2_Wh_hbb_150_0")
def test_no_random_start_finds_anything_lower(name: str, fix_poi: bool) -> None:
    likelihood = published(name)
    structure = likelihood.structure
    data = None if fix_poi else np.asarray(likelihood.observed_data)
    start = np.array(structure.init)
    start[likelihood.poi] = 0.0
    found = search(structure, Batch.of(likelihood.templates, data), start, fix_poi=fix_poi)
    number, generator = 12, np.random.default_rng(3)
    width = np.ones(len(start))
    width[structure.normal_parameter] = structure.normal_sigma
    starts = start[:, None] + width[:, None] * generator.normal(size=(len(start), number))
    factors = np.asarray(structure.lower) >= 0
    starts[factors] = np.maximum(start[factors, None], 0.1) * 3.0 ** generator.uniform(-1, 1, (factors.sum(), number))
    held = ~free_parameters(structure, fix_poi=fix_poi)
    starts[held] = start[held, None]
    starts = np.clip(starts, np.asarray(structure.lower)[:, None], np.asarray(structure.upper)[:, None])
    batch = Batch.of(likelihood.templates, data).repeated(number)
    others = search(structure, batch, starts, fix_poi=fix_poi, retries=0, elsewhere=False)
    assert found.value[0] <= others.value[others.status == 0].min(initial=np.inf) + 1e-6
