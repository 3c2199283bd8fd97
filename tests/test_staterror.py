"""Finite simulation in the likelihood: the choices, what they write, and whether they are calibrated."""

import csv
import functools
from pathlib import Path

import hist
import jax
import numpy as np
import pyhf
import pytest
from scipy import stats

import hepcuts as hc
from hepcuts._core.errors import InputError, SampleError
from hepcuts.evaluation.toys import simulation_toys
from hepcuts.histfactory import discovery_toys
from hepcuts.histfactory.statistic import q0
from hepcuts.merit.binding import TemplateMapper
from hepcuts.templates.workspace import likelihood_of


def samples(*backgrounds, signal=20.0, staterror=True):
    """A signal, and backgrounds of (events, weight); x = 0, 1, 2 ... in each."""
    x = np.linspace(0.0, 1.0, 50)
    found = [hc.Sample("signal", {"x": x}, weights=[signal / 50] * 50, signal=True, staterror=staterror)]
    for number, (events, weight) in enumerate(backgrounds):
        x = np.arange(float(events))
        found.append(hc.Sample(f"b{number}", {"x": x}, weights=np.full(events, weight), staterror=staterror))
    return found


EVERYTHING = hc.Cut("x", ">", -1.0)
AXIS = hist.axis.Regular(3, 0.0, 3.0, name="m")


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (True, [("shapesys", "staterror_signal_region_b0"), ("shapesys", "staterror_signal_region_b1")]),
        ("poisson", [("shapesys", "staterror_signal_region_b0"), ("shapesys", "staterror_signal_region_b1")]),
        ("gaussian", [("staterror", "staterror_signal_region")] * 2),
        (False, []),
    ],
)
def test_what_is_written(given, kinds):
    spec = hc.workspace(hc.fill(samples((10, 2.0), (30, 1.0), staterror=given), EVERYTHING))
    found = [(m["type"], m["name"]) for s in spec["channels"][0]["samples"][1:] for m in s["modifiers"]]
    assert found == kinds


def test_uncertainties_written_are_those_of_the_events():
    spec = hc.workspace(hc.fill(samples((10, 2.0)), EVERYTHING))
    (modifier,) = spec["channels"][0]["samples"][1]["modifiers"]
    assert modifier["data"] == [pytest.approx(np.sqrt(10 * 2.0**2), rel=1e-15)]


@pytest.mark.parametrize("given", ["no", "Poisson", 1, None, 0.5])
def test_other_choices_are_refused(given):
    with pytest.raises(SampleError, match=r"Sample 'signal': staterror is .*; expected True .*'gaussian' or False"):
        samples((10, 2.0), staterror=given)


def test_one_choice_for_a_channel():
    mixed = [samples((10, 2.0))[0], samples((10, 2.0), staterror="gaussian")[1]]
    with pytest.raises(InputError, match="different kinds of staterror: 'signal' 'poisson', 'b0' 'gaussian'"):
        hc.workspace(hc.fill(mixed, EVERYTHING))
    without = [samples((10, 2.0), staterror=False)[0], mixed[1]]
    hc.workspace(hc.fill(without, EVERYTHING))


def shape_samples(staterror):
    """Two backgrounds in three bins, one of which has a ShapeSys of its own; the other leaves a bin empty."""
    draw = np.random.default_rng(3)
    modifiers = {"b0": [hc.ShapeSys("closure", [0.1, 0.2, 0.3])], "b1": [hc.NormSys("xsec", 1.2, 0.9)], "signal": []}
    return [
        hc.Sample(
            name,
            {"m": draw.uniform(0.0, top, size), "x": draw.uniform(0.0, 1.0, size)},
            weights=draw.uniform(0.5, 1.5, size),
            signal=name == "signal",
            modifiers=modifiers[name],
            staterror=staterror,
        )
        for name, size, top in (("signal", 300, 3.0), ("b0", 200, 3.0), ("b1", 100, 2.0))
    ]


@pytest.mark.parametrize("staterror", ["poisson", "gaussian"])
def test_templates_from_yields_are_those_of_the_workspace(staterror):
    """The optimizer's way from yields to the likelihood, against a workspace that is written and read anew."""
    loose, tight = (hc.fill(shape_samples(staterror), hc.Cut("x", ">", cut), axis=AXIS) for cut in (0.0, 0.4))
    loose_likelihood, expected = likelihood_of([loose]), likelihood_of([tight])
    found = TemplateMapper(loose_likelihood, [loose.structure])([tight.yields])
    for name in ("nominal", "staterror", "shapesys"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected.templates, name), rtol=1e-14, err_msg=name)
    assert hc.discovery_significance(loose_likelihood, found) == pytest.approx(
        float(hc.discovery_significance(expected)), rel=1e-12
    )


def test_slopes_of_yields_by_finite_differences():
    """An empty bin has no slope of its root; all others have that of a difference."""
    templates = hc.fill(shape_samples("poisson"), hc.Cut("x", ">", 0.2), axis=AXIS)
    likelihood = likelihood_of([templates])
    mapper = TemplateMapper(likelihood, [templates.structure])

    def z(scale):
        yields = jax.tree.map(lambda a: a * scale, templates.yields)
        return hc.discovery_significance(likelihood, mapper([yields]))

    with jax.enable_x64(True):
        slope = float(jax.grad(z)(1.0))
    assert slope == pytest.approx((float(z(1.0 + 1e-4)) - float(z(1.0 - 1e-4))) / 2e-4, rel=1e-6)


def test_one_background_is_the_on_off_problem():
    """Profile likelihood and the closed form with an auxiliary count are the same (Cowan et al. 2011, on-off)."""
    found = samples((12, 1.7), signal=9.0)
    templates = hc.fill(found, EVERYTHING)
    z = float(hc.discovery_significance(likelihood_of([templates])))
    b, sigma = 12 * 1.7, np.sqrt(12) * 1.7
    assert z == pytest.approx(float(hc.counting.asimov_significance(9.0, b, sigma)), rel=1e-10)


def one_bin(s, b, *modifiers, of_signal=()):
    """A likelihood of pyhf, not written by hepcuts."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    both = [
        {"name": "s", "data": [s], "modifiers": [mu, *of_signal]},
        {"name": "b", "data": [b], "modifiers": list(modifiers)},
    ]
    return hc.HistFactory(pyhf.Model({"channels": [{"name": "c", "samples": both}]}, poi_name="mu"))


def uncertainty(kind, size, name="gamma"):
    return {"name": name, "type": kind, "data": [size]}


def test_six_events_of_weight_ten():
    """A review: 110 observed above 60 +- 24; pyhf's staterror says 1.88, a Poisson constraint 1.59, Z_Bi 1.35."""
    for kind, expected in (("staterror", 1.88), ("shapesys", 1.59)):
        likelihood = one_bin(20.0, 60.0, uncertainty(kind, 10.0 * np.sqrt(6.0)))
        data = [110.0, *likelihood.model.config.auxdata]
        assert hc.discovery_test(likelihood, data).significance == pytest.approx(expected, abs=0.005)
    tau = 0.1
    # Of 110 + 6 events as many or more are in the signal region (Linnemann 2003).
    exact = stats.norm.isf(stats.binom.sf(109, 116, 1.0 / (1.0 + tau)))
    assert exact == pytest.approx(1.35, abs=0.005)


@pytest.mark.parametrize(("s", "b", "poisson"), [(10.0, 50.0, 0.696), (100.0, 20.0, 0.587), (3.0, 0.5, 0.576)])
def test_one_simulated_event_for_each_expected_one(s, b, poisson):
    """Over the Asimov significance of a known background: 1 / sqrt 2 for any signal, or less."""
    known = np.sqrt(2.0 * ((s + b) * np.log1p(s / b) - s))
    for kind, expected in (("staterror", np.sqrt(0.5)), ("shapesys", poisson)):
        z = float(hc.discovery_significance(one_bin(s, b, uncertainty(kind, np.sqrt(b)))))
        assert z / known == pytest.approx(expected, abs=5e-4)


TABLES = Path(__file__).parents[1] / "docs" / "tables"


def table(name):
    with (TABLES / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize("row", table("conventions"), ids=lambda row: f"{row[0]} and {row[1]} events")
def test_the_table_of_conventions(row):
    """Made without hepcuts; here by pyhf's models, shared as pyhf and cabinetry share, and as hepcuts writes them."""
    s, b = 50.0, 100.0
    events, signal_events = map(int, row[:2])
    sizes = s / np.sqrt(signal_events), b / np.sqrt(events)
    shared = one_bin(s, b, uncertainty("staterror", sizes[1]), of_signal=[uncertainty("staterror", sizes[0])])
    apart = one_bin(s, b, uncertainty("staterror", sizes[1]), of_signal=[uncertainty("staterror", sizes[0], "other")])
    poisson = one_bin(s, b, uncertainty("shapesys", sizes[1]), of_signal=[uncertainty("shapesys", sizes[0], "other")])
    found = [float(hc.discovery_significance(likelihood)) for likelihood in (shared, apart, poisson)]
    assert found == pytest.approx([float(row[i]) for i in (2, 4, 5)], abs=0.0051)


@pytest.mark.parametrize(("size", "shared"), [(1, 0.986), (3, 1.339), (10, 1.603), (1000, 1.781)])
def test_the_simulated_signal_counts_only_where_its_factor_is_shared(size, shared):
    """A review, 20 over 100 of 400 simulated events: Z = 1.727270 apart, 0.99, 1.34, 1.60, 1.78 shared."""
    of_background, of_signal = uncertainty("staterror", 5.0), 20.0 / np.sqrt(size)
    for name, expected, digits in (("other", 1.727270, 5e-7), ("gamma", shared, 5e-4)):
        likelihood = one_bin(20.0, 100.0, of_background, of_signal=[uncertainty("staterror", of_signal, name)])
        assert float(hc.discovery_significance(likelihood)) == pytest.approx(expected, abs=digits)


def test_a_large_signal_hides_few_background_events_where_the_factor_is_shared():
    """A review, 20 over 10 of two simulated events, 1000 of signal: 4.00 shared, 2.30 apart."""
    of_background, of_signal = uncertainty("staterror", 10.0 / np.sqrt(2)), 20.0 / np.sqrt(1000)
    for name, expected in (("gamma", 4.00), ("other", 2.30)):
        likelihood = one_bin(20.0, 10.0, of_background, of_signal=[uncertainty("staterror", of_signal, name)])
        assert float(hc.discovery_significance(likelihood)) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("row", table("constraint_terms"), ids=lambda row: f"{row[0]} +- {row[2]}")
def test_the_table_of_constraint_terms(row):
    """A review: 2.007, 1.981, 2.027; 1.684, 1.542, 1.926; 1.999, 1.796, 2.994."""
    b, s, f = map(float, row[:3])
    terms = [
        {"name": "n", "type": "normsys", "data": {"hi": 1.0 + f, "lo": 1.0 / (1.0 + f)}},
        uncertainty("shapesys", f * b),
        {"name": "h", "type": "histosys", "data": {"hi_data": [b * (1.0 + f)], "lo_data": [b * (1.0 - f)]}},
    ]
    found = [float(hc.discovery_significance(one_bin(s, b, term))) for term in terms]
    # Between -1 and 1 pyhf interpolates a normsys by a polynomial, and not exponentially.
    assert found == pytest.approx([float(z) for z in row[3:]], abs=3e-3)


def q0_of(likelihood, templates, counts, factor):
    """q0 of some counts, with the auxiliary counts that belong to the templates."""
    return np.asarray(q0(likelihood.structure, templates, np.stack([counts, factor], axis=-1)))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("gaussian", (2.43, 10.7)), ("poisson", (1.19, 1.29))],
)
def test_false_positives_of_one_background(kind, expected):
    """Ten simulated events for a hundred expected ones: the sum over all simulations, by hepcuts' own significance.

    The values are those of the closed forms (`benchmarks/calibration.py`).
    """
    truth, mean, weight = 100.0, 10.0, 10.0
    found = [samples((10, weight), staterror=kind)[1], samples((10, weight), staterror=False)[0]]
    likelihood = likelihood_of([hc.fill(found, EVERYTHING)])
    mapper = TemplateMapper(likelihood, [hc.fill(found, EVERYTHING).structure])
    simulated = np.arange(1.0, 41.0)
    nominal = np.zeros((40, 1, 2, 1))
    nominal[:, 0, 0, 0], nominal[:, 0, 1, 0] = simulated * weight, 20.0
    variances = np.zeros_like(nominal)
    variances[:, 0, 0, 0] = simulated * weight**2
    templates = mapper([type(hc.fill(found, EVERYTHING).yields)(nominal, variances)])
    auxiliary = simulated if kind == "poisson" else np.ones(40)
    for z, rate in zip((2.0, 3.0), expected, strict=True):
        low, high = np.floor(simulated * weight), np.full(40, 4000.0)
        while np.any(high - low > 1):
            middle = np.floor((low + high) / 2)
            enough = q0_of(likelihood, templates, middle, auxiliary) >= z**2
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        weights = stats.poisson.pmf(simulated, mean)
        found_rate = np.sum(weights * stats.poisson.sf(high - 1, truth)) / stats.norm.sf(z)
        assert found_rate == pytest.approx(rate, rel=0.006)


@functools.cache
def toys(staterror, backgrounds, num_toys=20_000):
    return simulation_toys(samples(*backgrounds, staterror=staterror), EVERYTHING, num_toys=num_toys, seed=5)


@pytest.mark.parametrize(
    ("kind", "backgrounds", "expected"),
    [
        ("gaussian", ((10, 10.0),), 2.43),
        ("poisson", ((10, 10.0),), 1.19),
        ("gaussian", ((5, 10.0), (50, 1.0)), 2.41),
        ("poisson", ((5, 10.0), (50, 1.0)), 0.99),
    ],
)
@pytest.mark.slow("gaussian-backgrounds0-2.43", "poisson-backgrounds3-0.99")
def test_toys_that_redraw_the_simulation_agree_with_exact_sums(kind, backgrounds, expected):
    excess, low, high = toys(kind, backgrounds).excess(2.0)
    # The sums are over simulations that have events of each background. Where a large one has none left, it is missing
    # in the prediction, and the data look like a signal almost always.
    gone = np.exp(-5.0) if len(backgrounds) > 1 else 0.0
    expected = (1.0 - gone) * expected + gone / stats.norm.sf(2.0)
    # Three standard deviations of a binomial.
    assert abs(excess - expected) < 1.5 * (high - low) + 0.01


def test_toys_of_the_likelihood_cannot_see_it():
    """Why the former are needed: these draw what constrains the background from the model that is in question."""
    likelihood = likelihood_of([hc.fill(samples((10, 10.0), staterror="gaussian"), EVERYTHING)])
    assert discovery_toys(likelihood, num_toys=20_000, seed=1).excess(2.0)[2] < 1.3


def test_toys_are_reproducible_and_systematics_are_drawn():
    found = samples((1000, 0.1))
    varied = [
        found[0],
        hc.Sample("b0", found[1].columns, weights=found[1].weights, modifiers=[hc.NormSys("n", 1.1, 1 / 1.1)]),
    ]
    first, second = (simulation_toys(varied, EVERYTHING, num_toys=4000, seed=2) for _ in range(2))
    np.testing.assert_array_equal(first.q0, second.q0)
    # Were the systematic's auxiliary data not drawn, the data would scatter by 10 of the 14 that the model allows for.
    assert 0.9 < first.excess(1.0)[0] < 1.15


def test_toys_without_background_count_as_failed():
    result = simulation_toys(samples((2, 5.0)), EVERYTHING, num_toys=2000, seed=3)
    assert abs(result.num_failed / 2000 - np.exp(-2.0)) < 0.03


def test_toys_want_a_number_and_thresholds():
    with pytest.raises(InputError, match="num_toys is 1"):
        simulation_toys(samples((10, 1.0)), EVERYTHING, num_toys=1)
    with pytest.raises(InputError, match="all of their thresholds"):
        simulation_toys(samples((10, 1.0)), hc.Cut("x", ">"), num_toys=10)
