"""Pseudo-experiments: against asymptotic distributions where they hold, exact ones where not, and fits one by one.

All seeds are fixed; tolerances are statistical ones, of three to four standard deviations or p-values above 0.1 %.
"""

import csv
from pathlib import Path

import numpy as np
import pyhf
import pytest
import scipy.stats
from scipy.stats import norm, poisson

import hepcuts as hc
from hepcuts._core.errors import FitError, InputError, UnsupportedModelError
from hepcuts.evaluation.toys import simulation_toys
from hepcuts.histfactory import ToysResult, discovery_toys, expected_mu_uncertainty, fit, fixed_poi_fit
from hepcuts.histfactory.toys import _sample, resampled_templates

from . import models, reference_fits

NUM_TOYS = 20_000


@pytest.fixture(scope="module")
def populated() -> hc.HistFactory:
    """Thousands of events in each bin: asymptotic formulae hold."""
    model = pyhf.simplemodels.uncorrelated_background(
        signal=[3000.0, 2000.0], bkg=[1e6, 5e5], bkg_uncertainty=[700.0, 500.0]
    )
    return hc.HistFactory(model)


@pytest.fixture(scope="module")
def strong() -> hc.HistFactory:
    """Signal enough that mu-hat is never at its bound of zero."""
    model = pyhf.simplemodels.uncorrelated_background(
        signal=[900.0, 400.0], bkg=[1e4, 5e3], bkg_uncertainty=[70.0, 50.0]
    )
    return hc.HistFactory(model)


@pytest.fixture(scope="module")
def without_signal(populated) -> ToysResult:
    return discovery_toys(populated, num_toys=NUM_TOYS, seed=11)


@pytest.fixture(scope="module")
def with_signal(populated) -> ToysResult:
    return discovery_toys(populated, mu=1.0, num_toys=NUM_TOYS, seed=12)


def one_bin(s: float, b: float) -> hc.HistFactory:
    spec = {"channels": [models.channel("c", models.sample("s", [s], models.MU), models.sample("b", [b]))]}
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu"))


def is_compatible(fraction: float, expected: float, number: int = NUM_TOYS) -> bool:
    """Within four binomial standard deviations."""
    return abs(fraction - expected) <= 4.0 * np.sqrt(expected * (1.0 - expected) / number)


# --- where the asymptotic formulae hold -------------------------------------------------------------------------------


def test_without_signal_half_of_q0_is_zero_and_half_is_chi2(without_signal):
    """Cowan et al. 2011, eq. 49."""
    assert without_signal.num_failed == 0
    assert is_compatible(np.mean(without_signal.q0 == 0.0), 0.5)
    positive = without_signal.q0[without_signal.q0 > 0.0]
    assert scipy.stats.kstest(positive, scipy.stats.chi2(1).cdf).pvalue > 1e-3
    for z in (0.0, 0.5, 1.0, 2.0, 3.0):
        if z > 0:
            assert is_compatible(without_signal.p_value(z**2)[0], norm.sf(z)), z
    np.testing.assert_array_equal(without_signal.q0 > 0.0, without_signal.mu_hat > 0.0)


def test_the_stated_intervals_cover_the_asymptotic_p_value(populated):
    """Of 60 independent sets of 1000 toys, 68 % or (Clopper and Pearson) a few more; p is 15.87 %."""
    covered = 0
    for seed in range(60):
        p, low, high = discovery_toys(populated, num_toys=1000, seed=1000 + seed).p_value(1.0)
        assert low < p < high
        covered += low < norm.sf(1.0) < high
    assert 60 * 0.68 - 4 * np.sqrt(60 * 0.68 * 0.32) < covered < 60 * 0.70 + 3 * np.sqrt(60 * 0.7 * 0.3)


def test_with_signal_the_significance_spreads_by_one_around_the_asimov_value(populated, with_signal):
    test = hc.discovery_test(populated)
    z = np.sqrt(with_signal.q0)
    assert test.significance > 2.0
    assert np.median(z) == pytest.approx(test.significance, abs=4.0 * 1.2533 / np.sqrt(NUM_TOYS))
    # Quantiles do not see what q0 = 0 does to the lower end; their own spread is 1.5 / sqrt(2 N) each.
    spread = (np.quantile(z, norm.cdf(1.0)) - np.quantile(z, norm.cdf(-1.0))) / 2.0
    assert spread == pytest.approx(1.0, abs=0.025)


def test_the_bands_hold_the_fractions_that_they_state(populated, with_signal):
    bands = hc.discovery_test(populated).bands
    z = np.sqrt(with_signal.q0)
    for number, band in bands.items():
        assert is_compatible(np.mean(z < band), norm.cdf(number)), number
    assert is_compatible(np.mean((bands[-1] < z) & (z < bands[1])), norm.cdf(1.0) - norm.cdf(-1.0))
    assert is_compatible(np.mean((bands[-2] < z) & (z < bands[2])), norm.cdf(2.0) - norm.cdf(-2.0))


@pytest.mark.slow
def test_the_bands_hold_with_a_signal_larger_than_its_background():
    """Where a width of one would hold 78 % (an uncertain background) or 67 %."""
    for signal, background, uncertainty in (([100.0], [20.0], [8.0]), ([300.0, 100.0], [100.0, 30.0], [20.0, 5.0])):
        model = pyhf.simplemodels.uncorrelated_background(signal=signal, bkg=background, bkg_uncertainty=uncertainty)
        likelihood = hc.HistFactory(model)
        test = hc.discovery_test(likelihood)
        z = np.sqrt(discovery_toys(likelihood, mu=1.0, num_toys=NUM_TOYS, seed=3).q0)
        assert np.mean((test.bands[-1] < z) & (z < test.bands[1])) == pytest.approx(0.683, abs=0.02)
        assert np.std(z) == pytest.approx(test.spread, rel=0.03)
        assert abs(test.spread - 1.0) > 0.09


def test_bands_that_are_clipped_at_zero_hold_them_too():
    """Expected Z of about 1: the band at -1 is zero or nearly, that at -2 is zero, where every sixth experiment is."""
    likelihood = hc.HistFactory(
        pyhf.simplemodels.uncorrelated_background(signal=[1000.0], bkg=[1e6], bkg_uncertainty=[500.0])
    )
    bands = hc.discovery_test(likelihood).bands
    z = np.sqrt(discovery_toys(likelihood, mu=1.0, num_toys=NUM_TOYS, seed=5).q0)
    assert bands[-2] == 0.0
    assert is_compatible(np.mean(z == 0.0), norm.cdf(-bands[0]))
    for number in (0, 1, 2):
        assert is_compatible(np.mean(z < bands[number]), norm.cdf(number)), number


def test_pulls_of_mu_hat_are_standard_normal(strong):
    """Each with the uncertainty that its own fit states."""
    number, seed = 300, 3
    data = _sample(strong, strong.nominal_parameters(1.0), number, np.random.default_rng(seed))
    pulls = []
    for row in data:
        result = fit(strong, row)
        pulls.append((result.parameters[strong.poi] - 1.0) / result.uncertainties[strong.poi])
    assert np.mean(pulls) == pytest.approx(0.0, abs=4.0 / np.sqrt(number))
    assert np.std(pulls) == pytest.approx(1.0, abs=4.0 / np.sqrt(2 * number))
    assert scipy.stats.kstest(pulls, norm.cdf).pvalue > 1e-3


def test_mu_hat_is_unbiased_and_as_wide_as_expected(strong):
    for mu in (0.7, 1.0, 1.5):
        toys = discovery_toys(strong, mu=mu, num_toys=NUM_TOYS, seed=7)
        width = float(expected_mu_uncertainty(strong, mu=mu))
        assert np.mean(toys.mu_hat) == pytest.approx(mu, abs=4.0 * width / np.sqrt(NUM_TOYS) + 1e-3)
        assert np.std(toys.mu_hat) == pytest.approx(width, rel=4.0 / np.sqrt(2 * NUM_TOYS) + 1e-3)


# --- where they do not hold, but the truth is known -----------------------------------------------------------------


@pytest.mark.parametrize(("s", "b", "n"), [(3.0, 0.4, 2), (3.0, 0.4, 3), (2.0, 1.5, 4), (5.0, 5.3, 11)])
@pytest.mark.slow("3.0-0.4-2", "2.0-1.5-4", "5.0-5.3-11")
def test_few_events_without_uncertainty_give_the_poisson_tail(s, b, n):
    """q0 rises with the count: its p-value is the probability of so many events, which the asymptotic p0 misses."""
    likelihood = one_bin(s, b)
    number = 100_000
    toys = discovery_toys(likelihood, num_toys=number, seed=21)
    test = hc.discovery_test(likelihood, [float(n)])
    exact = poisson.sf(n - 1, b)
    # The toy's q0 and the test's may differ in the last digit.
    p, low, high = toys.p_value(test.q0 * (1.0 - 1e-9))
    assert is_compatible(p, exact, number)
    assert low < p < high
    assert high - low < 5.0 * np.sqrt(exact / number)
    assert abs(test.p0 - exact) > 4.0 * (high - low)
    z, z_low, z_high = toys.significance(test.q0 * (1.0 - 1e-9))
    assert z_low < z < z_high
    assert z == pytest.approx(norm.isf(p), rel=1e-12)
    assert (z_low, z_high) == pytest.approx((norm.isf(high), norm.isf(low)), rel=1e-12)


@pytest.mark.slow
def test_the_distribution_of_q0_of_few_events_is_the_poisson_one():
    s, b, number = 3.0, 1.5, 100_000
    toys = discovery_toys(one_bin(s, b), num_toys=number, seed=22)
    for n in range(8):
        q0 = 2.0 * (b - n + n * np.log(n / b)) if n > b else 0.0
        share = np.mean(np.isclose(toys.q0, q0, rtol=1e-9, atol=1e-9))
        exact = poisson.pmf(n, b) if n > b else poisson.cdf(np.floor(b), b)
        assert is_compatible(share, exact, number), n
        if n > b:
            at = np.isclose(toys.q0, q0, rtol=1e-9)
            np.testing.assert_allclose(toys.mu_hat[at], (n - b) / s, rtol=1e-6)


def test_on_off_toys_give_the_exact_distribution():
    """A background counted in a control region: sum over all pairs of counts, q0 in closed form (Li and Ma)."""
    b, sigma = 4.0, 2.0
    model = pyhf.simplemodels.uncorrelated_background(signal=[3.0], bkg=[b], bkg_uncertainty=[sigma])
    tau = b / sigma**2
    toys = discovery_toys(hc.HistFactory(model), num_toys=NUM_TOYS, seed=23)
    n_on, n_off = np.meshgrid(np.arange(60.0), np.arange(60.0), indexing="ij")
    weight = poisson.pmf(n_on, b) * poisson.pmf(n_off, b * tau)
    with np.errstate(all="ignore"):
        total = n_on + n_off
        one, two = n_on * np.log(n_on * (1 + tau) / total), n_off * np.log(n_off * (1 + tau) / (tau * total))
    q0 = 2.0 * (np.where(n_on > 0, one, 0.0) + np.where(n_off > 0, two, 0.0))
    q0 = np.where(n_on > n_off / tau, q0, 0.0)
    for threshold in (0.51, 1.02, 2.3, 4.1):
        assert is_compatible(toys.p_value(threshold)[0], weight[q0 >= threshold].sum()), threshold
    # Where the two rates are equal, mu-hat is zero but for rounding.
    assert is_compatible(np.mean(toys.q0 < 1e-9), weight[q0 < 1e-9].sum())


# --- one by one -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")
@pytest.mark.parametrize("name", ["everything", "user-constraints", "shapefactor"])
@pytest.mark.parametrize("mu", [0.0, 2.0])
@pytest.mark.slow("0.0-everything", "2.0-everything")
def test_q0_of_toys_equals_that_of_single_tests(name, mu):
    likelihood = hc.HistFactory(models.build(name))
    number, seed = 25, 31
    toys = discovery_toys(likelihood, mu=mu, num_toys=number, seed=seed)
    data = _sample(likelihood, likelihood.nominal_parameters(mu), number, np.random.default_rng(seed))
    for row, q0, mu_hat in zip(data, toys.q0, toys.mu_hat, strict=True):
        single = hc.discovery_test(likelihood, row, num_starts=1)
        assert q0 == pytest.approx(single.q0, abs=1e-9)
        assert mu_hat == pytest.approx(single.mu_hat, abs=1e-6)
        assert hc.discovery_significance(likelihood, data=row) == pytest.approx(np.sqrt(q0), abs=1e-6)


@pytest.mark.parametrize("name", ["histosys", "staterror", "shapesys-zero-bins"])
def test_q0_of_toys_is_that_of_certified_fits_of_pyhf(name):
    likelihood = hc.HistFactory(models.build(name))
    toys = discovery_toys(likelihood, mu=1.0, num_toys=8, seed=32)
    data = _sample(likelihood, likelihood.nominal_parameters(1.0), 8, np.random.default_rng(32))
    for row, q0, mu_hat in zip(data, toys.q0, toys.mu_hat, strict=True):
        truth = reference_fits.reference(likelihood.model, row, num_starts=1)
        assert np.sqrt(q0) == pytest.approx(truth.significance, abs=1e-6)
        assert mu_hat == pytest.approx(truth.mu_hat, abs=1e-5)


@pytest.mark.parametrize("name", ["normsys", "shapesys", "staterror", "lumi", "user-constraints", "everything"])
def test_data_are_drawn_as_pyhf_draws_them(name):
    """Means and variances of main and auxiliary data; pyhf's own samples have the same distribution."""
    model = models.build(name)
    likelihood = hc.HistFactory(model)
    pars = models.random_point(model, np.random.default_rng(1))
    pars = np.where(model.config.suggested_fixed(), model.config.suggested_init(), pars)
    pars[likelihood.poi] = 1.3
    number = 40_000
    data = _sample(likelihood, pars, number, np.random.default_rng(2))
    expected = np.asarray(model.expected_data(pars))
    np.random.seed(3)  # noqa: NPY002
    theirs = np.asarray(model.make_pdf(np.asarray(pars)).sample((number,)))
    assert data.shape == theirs.shape == (number, len(expected))
    for ours, other, mean in zip(data.T, theirs.T, expected, strict=True):
        spread = np.sqrt(np.var(other))
        assert np.mean(ours) == pytest.approx(mean, abs=4.5 * spread / np.sqrt(number) + 1e-9)
        assert scipy.stats.ks_2samp(ours, other).pvalue > 1e-4
    main = data[:, : model.config.nmaindata]
    np.testing.assert_array_equal(main, np.round(main))


# --- seeds, parameters, errors --------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_toys():
    likelihood = hc.HistFactory(models.build("shapesys"))
    first, second, other = (discovery_toys(likelihood, num_toys=3000, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.q0, second.q0)
    np.testing.assert_array_equal(first.mu_hat, second.mu_hat)
    assert np.any(first.q0 != other.q0)
    assert (first.seed, first.mu, len(first.q0)) == (1, 0.0, 3000)


def test_toys_of_later_chunks_are_new_ones():
    """More than fit into one chunk: none of them repeats another chunk's."""
    toys = discovery_toys(hc.HistFactory(models.build("shapesys")), mu=1.0, num_toys=4001, seed=1)
    assert len(toys.q0) == 4001
    assert not np.array_equal(toys.q0[:2000], toys.q0[2000:4000])
    first = discovery_toys(hc.HistFactory(models.build("shapesys")), mu=1.0, num_toys=2000, seed=1)
    np.testing.assert_array_equal(toys.q0[:2000], first.q0)


def test_parameters_of_a_fit_are_generated_with():
    """Around nuisance parameters that were fitted to data, with mu replaced by what is asked for."""
    model = models.build("histosys")
    likelihood = hc.HistFactory(model)
    data = np.array([75.0, 22.0, 0.0])
    fitted = fixed_poi_fit(likelihood, data, poi=0.0).parameters
    assert abs(fitted[0]) > 0.5
    kept = fitted.copy()
    toys = discovery_toys(likelihood, mu=1.0, parameters=fitted, num_toys=500, seed=4)
    np.testing.assert_array_equal(fitted, kept)
    at = np.where(np.arange(2) == likelihood.poi, 1.0, fitted)
    rows = _sample(likelihood, at, 500, np.random.default_rng(4))
    singles = [hc.discovery_significance(likelihood, data=row) for row in rows[:20]]
    assert np.max(singles) > 1.0
    np.testing.assert_allclose(np.sqrt(toys.q0[:20]), singles, atol=1e-7)
    np.testing.assert_allclose(rows.mean(axis=0), model.expected_data(at), rtol=0.02, atol=0.2)


def test_wrong_arguments_are_refused():
    likelihood = hc.HistFactory(models.build("histosys"))
    with pytest.raises(InputError, match=r"parameters came with shape \(3,\); expected \(2,\)"):
        discovery_toys(likelihood, parameters=[0.0, 1.0, 2.0])
    with pytest.raises(InputError, match="num_toys=0; expected at least 1"):
        discovery_toys(likelihood, num_toys=0)
    with pytest.raises(InputError, match="negative or not finite; toys need positive ones"):
        discovery_toys(likelihood, mu=-50.0, num_toys=10)
    with pytest.raises(InputError, match="negative or not finite; toys need positive ones"):
        discovery_toys(likelihood, parameters=[np.nan, np.nan], num_toys=10)
    with pytest.raises(UnsupportedModelError, match="no parameter of interest"):
        discovery_toys(hc.HistFactory(pyhf.Model(models.SPECS["normsys"], poi_name=None)), num_toys=10)


def test_toys_none_of_which_can_be_fitted_are_an_error():
    """Signal without background: the background-only hypothesis is impossible."""
    with pytest.raises(FitError, match=r"No toy could be fitted.*histfactory\.fit"):
        discovery_toys(one_bin(50.0, 0.0), mu=1.0, num_toys=20, seed=1)


def test_toys_that_fail_are_counted_and_left_out():
    toys = discovery_toys(one_bin(1.0, 0.0), mu=1.0, num_toys=400, seed=1)
    none_seen = np.isclose(toys.q0, 0.0)
    assert toys.num_failed == 400 - none_seen.sum()
    assert is_compatible(none_seen.mean(), np.exp(-1.0), 400)
    assert toys.p_value(0.5)[0] == 0.0
    assert "without a converged fit" in repr(toys)


def test_beyond_all_toys_the_significance_is_infinite():
    toys = ToysResult(0.0, np.array([0.0, 0.0, 1.0, 4.0]), np.zeros(4), 0)
    p, low, high = toys.p_value(9.0)
    assert (p, low) == (0.0, 0.0)
    # Clopper and Pearson: (1 - high)^4 = (1 - 0.6827) / 2.
    assert high == pytest.approx(1.0 - (0.31730 / 2.0) ** 0.25, rel=1e-9)
    z, z_low, z_high = toys.significance(9.0)
    assert (z, z_high) == (np.inf, np.inf)
    assert z_low == pytest.approx(norm.isf(high), rel=1e-12)
    assert toys.p_value(1.0)[0] == 0.5
    assert toys.p_value(0.0)[0] == 1.0


def test_the_result_says_what_it_is():
    text = repr(discovery_toys(hc.HistFactory(models.build("shapesys")), num_toys=100, seed=3))
    assert "100 toys with mu = 0" in text
    assert "median Z" in text


# --- finite simulation ----------------------------------------------------------------------------------------------


def of_finite_simulation(background=100.0, events=10.0, signal=10.0, **more):
    """One bin whose background was simulated with so many events of equal weight."""
    b = models.sample("b", [background], models.mod("staterror", "stat", [background / np.sqrt(events)]))
    spec = {"channels": [models.channel("c", models.sample("s", [signal], models.MU), b)]}
    return hc.HistFactory(pyhf.Model(spec | more, poi_name="mu"))


def test_templates_are_redrawn_with_the_moments_of_events_of_equal_weight():
    histosys = models.histosys("a", [33.0, 6.0], [27.0, 5.5])
    b = models.sample("b", [30.0, -5.0], models.mod("staterror", "stat", [6.0, 2.5]), histosys)
    shapesys = models.mod("shapesys", "k", [1.0, 0.0])
    other = models.sample("o", [8.0, 0.0], models.mod("staterror", "stat", [2.0, 0.0]), shapesys)
    signal = models.sample("s", [5.0, 7.0], models.MU)
    likelihood = hc.HistFactory(pyhf.Model({"channels": [models.channel("c", signal, b, other)]}, poi_name="mu"))
    drawn = resampled_templates(likelihood, 40_000, np.random.default_rng(1))
    at = {name: likelihood.samples.index(name) for name in "sbo"}
    for name, number, mean, sigma in (("b", 0, 30.0, 6.0), ("b", 1, -5.0, 2.5), ("o", 0, 8.0, 2.0)):
        values = drawn.nominal[:, at[name], number]
        assert np.mean(values) == pytest.approx(mean, abs=4 * sigma / 200)
        assert np.std(values) == pytest.approx(sigma, rel=0.03)
    assert np.all(drawn.nominal[:, at["s"]] == [5.0, 7.0])
    assert np.all(drawn.nominal[:, at["o"], 1] == 0.0)
    some = drawn.nominal[:, at["b"], 0] > 0
    np.testing.assert_allclose(drawn.histosys_up[some, 0, at["b"], 0] / drawn.nominal[some, at["b"], 0], 1.1)
    np.testing.assert_allclose(drawn.histosys_down[some, 0, at["b"], 0] / drawn.nominal[some, at["b"], 0], 0.9)
    # The sum of squared weights goes with the number of events.
    np.testing.assert_allclose(
        drawn.staterror[:, 0, at["b"], 0] ** 2 / 36.0, drawn.nominal[:, at["b"], 0] / 30.0, rtol=1e-12
    )
    np.testing.assert_allclose(drawn.shapesys[:, 0, at["o"], 0], drawn.nominal[:, at["o"], 0] / 8.0, rtol=1e-12)


@pytest.mark.parametrize("events", [10, 30, 100])
@pytest.mark.slow("100", "30")
def test_the_excess_is_that_of_an_independent_calculation(events):
    """docs/tables/one_background.csv, made by benchmarks/calibration.py without any code of hepcuts.

    Ten events simulated, one for ten expected ones: Z > 3 eleven times as often as a Gaussian.
    """
    path = Path(__file__).parents[1] / "docs" / "tables" / "one_background.csv"
    with path.open(encoding="utf-8") as file:
        rows = {(row["simulated per expected"], row["simulated"]): row for row in csv.DictReader(file)}
    likelihood = of_finite_simulation(background=10.0 * events, events=events, signal=10.0 * events)
    toys = discovery_toys(likelihood, num_toys=20_000, seed=3, simulation=True)
    for z in (2, 3):
        expected = float(rows["0.1", str(events)][f"Gaussian, Z > {z}"])
        found, low, high = toys.excess(z)
        assert found == pytest.approx(expected, abs=2.0 * (high - low))
    assert discovery_toys(likelihood, num_toys=20_000, seed=3).excess(2.0)[0] < 1.2


def test_events_and_their_templates_agree():
    """Where all weights are equal, nothing is lost between the events and the templates of their workspace."""
    x = np.arange(12.0)
    samples = [
        hc.Sample("s", {"x": x}, weights=np.full(12, 2.0), signal=True, staterror="gaussian"),
        hc.Sample("b", {"x": x}, weights=np.full(12, 10.0), staterror="gaussian"),
    ]
    cut = hc.Cut("x", ">", -1.0)
    likelihood = hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, cut)))
    by_events = simulation_toys(samples, cut, num_toys=20_000, seed=1)
    by_templates = discovery_toys(likelihood, num_toys=20_000, seed=2, simulation=True)
    for z in (1.0, 2.0, 3.0):
        one, two = by_events.excess(z), by_templates.excess(z)
        spread = np.hypot(one[2] - one[1], two[2] - two[1])
        assert one[0] == pytest.approx(two[0], abs=2.0 * spread)
    assert by_templates.excess(2.0)[0] > 1.8


def test_with_much_simulation_nothing_changes():
    likelihood = of_finite_simulation(events=1e6, signal=100.0)
    toys = discovery_toys(likelihood, num_toys=10_000, seed=4, simulation=True)
    _, low, high = toys.p_value(1.0)
    assert low - 0.005 < 0.1587 < high + 0.005
    toys = discovery_toys(likelihood, mu=1.0, num_toys=10_000, seed=4, simulation=True, intervals=True)
    assert toys.coverage()[0] == pytest.approx(0.6827, abs=0.015)


@pytest.mark.parametrize("mu", [1.0, 2.0])
def test_intervals_of_a_gaussian_problem_cover(mu):
    """So many events that q_mu is a chi-squared."""
    likelihood = of_finite_simulation(background=1e6, events=1e9, signal=1e4)
    toys = discovery_toys(likelihood, mu=mu, num_toys=10_000, seed=5, intervals=True)
    for level in (0.6827, 0.95):
        found, low, high = toys.coverage(level)
        assert low - 0.01 < level < high + 0.01, found
    assert toys.q_mu.shape == (10_000,)


def test_intervals_have_to_be_asked_for():
    toys = discovery_toys(of_finite_simulation(), num_toys=20, seed=1)
    with pytest.raises(InputError, match=r"no intervals; make them with discovery_toys\(\.\.\., intervals=True\)"):
        toys.coverage()


def test_without_staterror_there_is_no_simulation_to_draw():
    likelihood = hc.HistFactory(models.build("normsys"))
    with pytest.raises(InputError, match="No sample has a staterror"):
        discovery_toys(likelihood, num_toys=10, simulation=True)


def test_toys_with_simulation_of_a_published_likelihood(sbottom):
    likelihood = hc.HistFactory.from_workspace(
        sbottom["workspace"], patches=[sbottom["patches"]["1000_205_60"]], validate=False
    )
    toys = discovery_toys(likelihood, num_toys=60, seed=1, simulation=True)
    assert toys.num_failed <= 3
    again = discovery_toys(likelihood, num_toys=60, seed=1, simulation=True)
    np.testing.assert_array_equal(toys.q0, again.q0)
