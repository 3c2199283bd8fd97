"""Fits: against closed forms, minuit's HESSE and bounded minimizers of SciPy.

Degenerate, empty and extreme models, and fits that fail, are in test_fit_extremes.py.
"""

import re
import warnings

import numpy as np
import pyhf
import pytest
import scipy.optimize

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import InputError
from hepcuts.histfactory import fit, fixed_poi_fit

from . import models
from .models import MU, channel, histosys, mod, normsys, sample

K = mod("normfactor", "k")


def likelihood_of(*channels, parameters=(), codes: int = 5, poi: str = "mu") -> hc.HistFactory:
    spec = {"channels": list(channels), "parameters": list(parameters)}
    return hc.HistFactory(pyhf.Model(spec, poi_name=poi, modifier_settings=models.CODES[codes]))


def one_bin(background: float, *modifiers, signal: float = 10.0, **options) -> hc.HistFactory:
    """Signal and background in one bin."""
    return likelihood_of(channel("c", sample("s", [signal], MU), sample("b", [background], *modifiers)), **options)


def data_of(likelihood: hc.HistFactory, *counts: float) -> np.ndarray:
    return np.array([*counts, *likelihood.structure.auxdata])


def value_of(result, name: str) -> float:
    return float(result.parameters[result.names.index(name)])


# --- closed forms


@pytest.mark.parametrize(
    ("b", "delta", "n"), [(50.0, 5.0, 62.0), (50.0, 5.0, 20.0), (1e6, 3e3, 1.002e6), (0.5, 0.2, 4)]
)
def test_gaussian_constraint_with_a_linear_effect(b, delta, n):
    """Rate b + alpha delta: the score, linear in alpha times the rate, is a quadratic equation."""
    likelihood = one_bin(b, histosys("a", [b + delta], [b - delta]), codes=0)
    result = fixed_poi_fit(likelihood, data_of(likelihood, n), poi=0.0)
    alpha = max(np.roots([delta, b + delta**2, delta * (b - n)]))
    rate = b + alpha * delta
    nuisance = result.nuisance_parameters
    assert nuisance.names == ("a",)
    assert nuisance.pulls[0] == pytest.approx(alpha, rel=1e-7)
    assert nuisance.constraints[0] == pytest.approx((1.0 + n * delta**2 / rate**2) ** -0.5, rel=1e-7)
    assert result.deviance == pytest.approx(2.0 * (rate - n - n * np.log(rate / n)) + alpha**2, rel=1e-9)


def test_normsys_in_the_linear_limit():
    """Many events and a small effect: pull and constraint of a Gaussian measurement of variance b."""
    b, delta, excess = 1e10, 1e-5, 1.3e5
    likelihood = one_bin(b, normsys("a", 1.0 + delta, 1.0 - delta))
    nuisance = fixed_poi_fit(likelihood, data_of(likelihood, b + excess), poi=0.0).nuisance_parameters
    information = delta**2 * b
    assert nuisance.pulls[0] == pytest.approx(delta * excess / (1.0 + information), rel=1e-4)
    assert nuisance.constraints[0] == pytest.approx((1.0 + information) ** -0.5, rel=1e-4)


@pytest.mark.parametrize("n", [0.0, 7.0, 50.0, 90.0])
def test_shapesys_is_the_on_off_problem(n):
    """Both measurements of the background add up; the prior's width is that of its Poisson count."""
    b, sigma = 50.0, 7.0
    tau = (b / sigma) ** 2
    likelihood = one_bin(b, mod("shapesys", "sh", [sigma]))
    result = fixed_poi_fit(likelihood, data_of(likelihood, n), poi=0.0)
    gamma = (n + tau) / (b + tau)
    nuisance = result.nuisance_parameters
    assert nuisance.prior_uncertainties[0] == pytest.approx(sigma / b, rel=1e-12)
    assert nuisance.values[0] == pytest.approx(gamma, rel=1e-8)
    assert nuisance.uncertainties[0] == pytest.approx(gamma / np.sqrt(n + tau), rel=1e-7)
    assert nuisance.pulls[0] == pytest.approx((gamma - 1.0) * b / sigma, rel=1e-7, abs=1e-8)


def test_a_free_signal_explains_the_excess_and_leaves_the_background_alone():
    b, sigma, s, n = 50.0, 7.0, 10.0, 75.0
    likelihood = one_bin(b, mod("shapesys", "sh", [sigma]), signal=s)
    result = fit(likelihood, data_of(likelihood, n))
    assert value_of(result, "mu") == pytest.approx((n - b) / s, rel=1e-8)
    assert result.uncertainties[result.names.index("mu")] == pytest.approx(np.sqrt(n + sigma**2) / s, rel=1e-8)
    assert result.nuisance_parameters.pulls[0] == pytest.approx(0.0, abs=1e-8)
    assert result.nuisance_parameters.constraints[0] == pytest.approx(1.0, rel=1e-8)
    assert result.deviance == pytest.approx(0.0, abs=1e-12)


def constrained_factor(b: float, center: float, width: float, n: float) -> tuple[float, float]:
    """Estimate and uncertainty of a factor with a Gaussian constraint, of rate b times the factor."""
    gamma = max(np.roots([1.0, b * width**2 - center, -n * width**2]))
    return gamma, (width**-2 + n / gamma**2) ** -0.5


@pytest.mark.parametrize("n", [30.0, 50.0, 80.0])
def test_staterror_follows_the_uncertainty_of_the_simulation(n):
    b, sigma = 50.0, 6.0
    likelihood = one_bin(b, mod("staterror", "st", [sigma]))
    nuisance = fixed_poi_fit(likelihood, data_of(likelihood, n), poi=0.0).nuisance_parameters
    gamma, uncertainty = constrained_factor(b, 1.0, sigma / b, n)
    assert nuisance.values[0] == pytest.approx(gamma, rel=1e-8)
    assert nuisance.uncertainties[0] == pytest.approx(uncertainty, rel=1e-8)
    assert nuisance.prior_uncertainties[0] == pytest.approx(sigma / b, rel=1e-12)


@pytest.mark.parametrize("auxiliary", [0.9, 1.02, 1.1])
def test_luminosity_is_pulled_from_its_auxiliary_value(auxiliary):
    likelihood = hc.HistFactory(models.build("lumi"))
    result = fixed_poi_fit(likelihood, [65.0, auxiliary], poi=0.0)
    lumi, uncertainty = constrained_factor(50.0, auxiliary, 0.03, 65.0)
    nuisance = result.nuisance_parameters
    assert nuisance.prior[0] == auxiliary
    assert nuisance.values[0] == pytest.approx(lumi, rel=1e-8)
    assert nuisance.uncertainties[0] == pytest.approx(uncertainty, rel=1e-8)
    assert nuisance.pulls[0] == pytest.approx((lumi - auxiliary) / 0.03, rel=1e-6)


def test_nominal_luminosity_is_that_of_the_measurement():
    """The expectation at the nominal parameters is a perfect fit, although its luminosity is 1.02."""
    likelihood = hc.HistFactory(models.build("lumi"))
    result = fit(likelihood, likelihood.expected_data(likelihood.nominal_parameters()))
    np.testing.assert_allclose(result.parameters, likelihood.nominal_parameters(), rtol=1e-9)
    assert result.deviance == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(result.nuisance_parameters.pulls, 0.0, atol=1e-7)


# --- covariance


def covariance_by_differences(model: pyhf.Model, data: np.ndarray, result, free: np.ndarray) -> np.ndarray:
    """Inverse of pyhf's Hessian, by differences extrapolated to step zero.

    Minuit's HESSE is no reference here: it stops refining its second derivatives when they change by less than 2 %,
    and with nearly degenerate parameters that is tens of percent in the covariance.
    """
    lowest = float(model.logpdf(result.parameters, data)[0])

    def twice_nll(*moves: tuple[int, float]) -> float:
        pars = result.parameters.copy()
        for index, move in moves:
            pars[free[index]] += move
        return -2.0 * float(model.logpdf(pars, data)[0] - lowest)

    def second(i: int, j: int, steps: np.ndarray) -> float:
        a, b = (i, steps[i]), (j, steps[j])
        minus = [(index, -step) for index, step in (a, b)]
        if i == j:
            return (twice_nll(a) + twice_nll(minus[0])) / steps[i] ** 2
        mixed = twice_nll(a, b) - twice_nll(a, minus[1]) - twice_nll(minus[0], b) + twice_nll(*minus)
        return mixed / (4.0 * steps[i] * steps[j])

    every = range(len(free))
    steps = 1e-3 * result.uncertainties[free]
    steps = 0.02 * np.sqrt([2.0 / second(i, i, steps) for i in every])
    fine, coarse = (np.array([[second(i, j, size * steps) for j in every] for i in every]) for size in (1.0, 2.0))
    return np.linalg.inv(0.5 * (4.0 * fine - coarse) / 3.0)


MEASURED = ["normsys", "histosys", "shapesys", "staterror", "shapefactor", "lumi", "shared-name", "everything"]


def excess_of(likelihood: hc.HistFactory) -> np.ndarray:
    data = likelihood.expected_data(likelihood.nominal_parameters(1.4))
    bins = len(likelihood.structure.channel_of_bin)
    data[:bins] = np.round(data[:bins])
    return data


@pytest.mark.parametrize("fix_poi", [False, True], ids=["all free", "POI fixed"])
@pytest.mark.parametrize("name", MEASURED)
def test_covariance_against_differences_of_pyhf(name, fix_poi):
    likelihood = hc.HistFactory(models.build(name))
    data = excess_of(likelihood)
    result = fixed_poi_fit(likelihood, data, poi=1.0) if fix_poi else fit(likelihood, data)
    free = np.flatnonzero(result.uncertainties > 0)
    assert (likelihood.poi in free) != fix_poi
    expected = covariance_by_differences(likelihood.model, data, result, free)
    root = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(result.uncertainties[free], root, rtol=1e-4)
    ours = result.covariance[np.ix_(free, free)] / np.outer(root, root)
    np.testing.assert_allclose(ours, expected / np.outer(root, root), atol=1e-4)


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.slow("everything")
def test_no_bounded_minimizer_finds_less(name):
    likelihood = hc.HistFactory(models.build(name))
    data = excess_of(likelihood)
    result = fit(likelihood, data)
    config = likelihood.model.config
    bounds = [
        (x, x) if fixed else bound
        for x, fixed, bound in zip(
            config.suggested_init(), config.suggested_fixed(), config.suggested_bounds(), strict=True
        )
    ]
    twice_nll = lambda p: -2.0 * float(likelihood.model.logpdf(p, data)[0])  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        best = scipy.optimize.minimize(twice_nll, config.suggested_init(), bounds=bounds, method="L-BFGS-B")
        ours = twice_nll(result.parameters)
    assert ours <= best.fun + 1e-8
    assert ours == pytest.approx(best.fun, abs=1e-2)


# --- bounds, signs, fixed parameters


def test_parameters_at_a_bound_are_named():
    tight = [{"name": "a", "bounds": [[-0.1, 0.1]]}]
    likelihood = one_bin(50.0, normsys("a", 1.1, 0.9), parameters=tight)
    result = fixed_poi_fit(likelihood, data_of(likelihood, 70.0), poi=0.0)
    assert result.at_bound == ("a",)
    assert value_of(result, "a") == 0.1
    assert re.search(r"\n  a +0\.1 \+- ", repr(result))
    assert "(at a bound)" in repr(result)
    assert fixed_poi_fit(likelihood, data_of(likelihood, 50.0), poi=0.0).at_bound == ()


@pytest.mark.parametrize(("n", "mu", "rest"), [(30.0, 0.0, 50.0), (400.0, 10.0, 150.0)], ids=["lower", "upper"])
def test_the_signal_strength_at_a_bound(n, mu, rest):
    likelihood = one_bin(50.0)
    result = fit(likelihood, data_of(likelihood, n))
    assert value_of(result, "mu") == mu
    assert result.at_bound == ("mu",)
    assert result.deviance == pytest.approx(2.0 * (rest - n - n * np.log(rest / n)), rel=1e-10)


def test_negative_signal_where_the_measurement_allows_it():
    likelihood = one_bin(50.0, parameters=[{"name": "mu", "bounds": [[-4.0, 10.0]]}])
    result = fit(likelihood, data_of(likelihood, 37.0))
    assert value_of(result, "mu") == pytest.approx(-1.3, rel=1e-8)
    assert result.uncertainties[0] == pytest.approx(np.sqrt(37.0) / 10.0, rel=1e-8)
    assert result.at_bound == ()
    test = hc.discovery_test(likelihood, data_of(likelihood, 37.0))
    assert test.mu_hat == pytest.approx(-1.3, rel=1e-8)
    assert test.q0 == test.significance == 0.0
    excess = hc.discovery_test(likelihood, data_of(likelihood, 70.0))
    assert excess.significance == pytest.approx(float(counting.asimov_significance(20.0, 50.0)), rel=1e-9)


def test_no_data_at_all_and_a_signal_that_may_be_negative():
    likelihood = one_bin(50.0, parameters=[{"name": "mu", "bounds": [[-10.0, 10.0]]}])
    result = fit(likelihood, data_of(likelihood, 0.0))
    assert value_of(result, "mu") == pytest.approx(-5.0, rel=1e-6)


def test_fixed_parameters_have_no_uncertainty_and_void_ones_no_pull():
    result = fit(hc.HistFactory(models.build("everything")), excess_of(hc.HistFactory(models.build("everything"))))
    by_name = dict(zip(result.names, result.uncertainties, strict=True))
    assert by_name["xs"] == 0.0
    assert value_of(result, "xs") == 0.0
    zero_bins = hc.HistFactory(models.build("staterror-zero-bins"))
    zeros = fit(zero_bins, excess_of(zero_bins))
    assert zeros.nuisance_parameters.names == ("st[1]",)
    np.testing.assert_array_equal(zeros.uncertainties[[zeros.names.index(f"st[{k}]") for k in (0, 2)]], 0.0)


def test_the_table_of_nuisance_parameters():
    likelihood = hc.HistFactory(models.build("everything"))
    nuisance = fit(likelihood, excess_of(likelihood)).nuisance_parameters
    order = [likelihood.parameter_names.index(name) for name in nuisance.names]
    assert order == sorted(order)
    assert not {"mu", "k1", "free[0]"} & set(nuisance.names)
    table = nuisance.to_dataframe()
    assert list(table.columns) == ["prior", "prior_uncertainties", "values", "uncertainties", "pull", "constraint"]
    assert tuple(table.index) == nuisance.names
    np.testing.assert_array_equal(table["pull"], nuisance.pulls)
    assert len(repr(nuisance).splitlines()) == 1 + len(nuisance.names)


def test_the_prior_follows_the_auxiliary_data():
    likelihood = hc.HistFactory(models.build("user-constraints"))
    nuisance = fit(likelihood, excess_of(likelihood)).nuisance_parameters
    prior = dict(zip(nuisance.names, nuisance.prior, strict=True))
    assert prior["a"] == 0.25  # the auxiliary value of data made at the initial parameters
    assert prior["sh[0]"] == pytest.approx(1.0, rel=1e-12)


# --- input, names, measurements


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lk, data: fit(lk, data, init=[1.0]), r"init came with shape \(1,\); expected 2 finite numbers"),
        (lambda lk, data: fit(lk, data, init=[1.0, np.nan]), "finite numbers"),
        (lambda lk, data: fixed_poi_fit(lk, data, poi=0.0, init=[[1.0, 0.0]]), r"shape \(1, 2\)"),
        (lambda lk, data: fit(lk, data, num_starts=0), "num_starts=0; expected at least 1"),
        (lambda lk, data: fit(lk, data[:1]), r"shape \(1,\); the model expects \(2,\)"),
        (lambda lk, data: fit(lk, -data), "not negative"),
    ],
    ids=["init", "nan", "two axes", "starts", "data", "negative"],
)
def test_bad_input(call, message):
    likelihood = one_bin(50.0, normsys("a", 1.1, 0.9))
    with pytest.raises(InputError, match=message):
        call(likelihood, data_of(likelihood, 50.0) + np.array([0.0, 1.0]))


@pytest.mark.parametrize("init", [[0.0, 0.0], [9.0, -4.0], [10.0, 5.0]], ids=str)
def test_the_minimum_does_not_depend_on_the_start(init):
    likelihood = likelihood_of(
        channel("c", sample("s", [10.0, 2.0], MU), sample("b", [50.0, 40.0], normsys("a", 1.1, 0.9)))
    )
    data = data_of(likelihood, 70.0, 47.0)
    expected = fit(likelihood, data)
    np.testing.assert_allclose(fit(likelihood, data, init=init).parameters, expected.parameters, rtol=1e-6)


def workspace() -> dict:
    spec = [channel("c", sample("s", [10.0], MU), sample("b", [50.0], K)), channel("cr", sample("b", [500.0], K))]
    fixed = {"name": "k", "fixed": True, "inits": [1.2]}
    return {
        "channels": spec,
        "observations": [{"name": "c", "data": [75.0]}, {"name": "cr", "data": [550.0]}],
        "measurements": [
            {"name": "signal", "config": {"poi": "mu", "parameters": []}},
            {"name": "background", "config": {"poi": "k", "parameters": []}},
            {"name": "known", "config": {"poi": "mu", "parameters": [fixed]}},
        ],
        "version": "1.0.0",
    }


@pytest.mark.parametrize(
    ("measurement", "poi", "expected"),
    [
        (None, "mu", {"k": 1.1, "mu": 2.0}),
        ("signal", "mu", {"k": 1.1, "mu": 2.0}),
        ("background", "k", {"k": 1.1, "mu": 2.0}),
        ("known", "mu", {"k": 1.2, "mu": 1.5}),
    ],
    ids=str,
)
def test_each_measurement_of_a_workspace(measurement, poi, expected):
    likelihood = hc.HistFactory.from_workspace(workspace(), measurement=measurement)
    assert likelihood.parameter_names[likelihood.poi] == poi
    result = fit(likelihood, likelihood.observed_data)
    assert {name: value_of(result, name) for name in result.names} == pytest.approx(expected, rel=1e-7)


def test_the_parameter_of_interest_is_the_measurements():
    likelihood = hc.HistFactory.from_workspace(workspace(), measurement="background")
    result = fixed_poi_fit(likelihood, likelihood.observed_data, poi=0.9)
    assert value_of(result, "k") == 0.9
    assert value_of(result, "mu") == pytest.approx(3.0, rel=1e-8)
    assert result.uncertainties[result.names.index("k")] == 0.0
