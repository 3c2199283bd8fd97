"""Asimov datasets, prefit and postfit, and what discovery_test makes of them: against pyhf and certified refits.

How far off pyhf is by itself, in these models: its postfit data by up to 5e-4 (scipy) and 6e-3 (minuit, default
tolerance) of the root of a yield, its expected Z by up to 3e-5 and 2e-4. With minuit at strategy 2 and tolerance 1e-6
it is 2e-5 and 2e-6. What is compared more closely is compared with `reference_fits` or closed forms.
"""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator

import jax
import numpy as np
import pyhf
import pytest
from scipy.stats import norm

import hepcuts as hc
from hepcuts._core.errors import FitError, InputError, PrecisionError, UnsupportedModelError
from hepcuts.histfactory import fit, fixed_poi_fit, postfit_asimov_data, prefit_asimov_data, referee

from . import models, reference_fits

# The model of everything has a free normalization whose best value is at its bound.
pytestmark = pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")

# Without nuisance parameters pyhf cannot make a conditional fit with minuit; nothing is fitted there.
FITTED = [name for name in models.SPECS if name != "normfactor"]


@contextlib.contextmanager
def careful_pyhf() -> Iterator[None]:
    """pyhf with minuit as careful as it goes."""
    with referee.backend(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyhf.set_backend("numpy", custom_optimizer=pyhf.optimize.minuit_optimizer(tolerance=1e-6, strategy=2))
        yield


def nominal_data(model: pyhf.Model, mu: float = 1.0) -> np.ndarray:
    pars = model.config.suggested_init()
    pars[model.config.poi_index] = mu
    return np.asarray(model.expected_data(pars), dtype=np.float64)


def shifted_data(model: pyhf.Model) -> np.ndarray:
    """Main data away from the expectation, auxiliary data too: so that nuisance parameters move."""
    data = nominal_data(model)
    size = model.config.nmaindata
    main, auxiliary = data[:size], data[size:]
    main[main > 0] = np.round(1.08 * main[main > 0] + 2.0)
    # A constraint's measurement may be anything, only a Poisson count may not be negative.
    auxiliary += np.where(auxiliary >= 0.5, 0.01 * auxiliary, 0.2)
    return data


def certified_asimov(model: pyhf.Model, data: np.ndarray, mu: float) -> np.ndarray:
    """By fits that are exact to rounding, of pyhf's rates."""
    with referee.backend():
        objective = reference_fits.Objective(model, data)
        is_poi = np.arange(model.config.npars) == model.config.poi_index
        search = reference_fits.Search(objective, objective.fixed | is_poi)
        pars, _, edm = search.descend(np.where(is_poi, mu, objective.init))
        assert edm < 1e-12
        return np.asarray(model.expected_data(pars), dtype=np.float64)


# --- the data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", models.SPECS)
@pytest.mark.parametrize("mu", [0.0, 1.0, 2.5])
def test_prefit_data_are_the_expectation_of_pyhf(name, mu):
    model = models.build(name)
    data = prefit_asimov_data(hc.HistFactory(model), mu=mu)
    np.testing.assert_allclose(data, nominal_data(model, mu), rtol=1e-14)
    assert np.asarray(data).dtype == np.float64


@pytest.mark.parametrize("name", FITTED)
def test_postfit_data_against_pyhf_with_minuit(name):
    model = models.build(name)
    data = shifted_data(model)
    ours = postfit_asimov_data(hc.HistFactory(model), data)
    config = model.config
    arguments = (config.suggested_init(), config.suggested_bounds(), config.suggested_fixed())
    with careful_pyhf():
        theirs = np.asarray(pyhf.infer.calculators.generate_asimov_data(1.0, data, model, *arguments))
    # The width of each is the square root of main data, and of the order of one elsewhere.
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=3e-5 * np.sqrt(1.0 + theirs.max()))


@pytest.mark.parametrize("name", models.SPECS)
@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_postfit_data_against_certified_fits(name, mu):
    """To rounding, also in a program that left JAX's 64-bit flag off."""
    model = models.build(name)
    data = shifted_data(model)
    ours = np.asarray(postfit_asimov_data(hc.HistFactory(model), data, mu=mu))
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, certified_asimov(model, data, mu), rtol=3e-9, atol=3e-8)


def test_postfit_data_of_millions_of_events_have_64_bits():
    """One bin whose conditional fit is known: background b n_off / tau with the on/off likelihood at mu = 0."""
    b, sigma = 5e8, 1e3
    model = pyhf.simplemodels.uncorrelated_background(signal=[5e3], bkg=[b], bkg_uncertainty=[sigma])
    n_on, n_off = 500_012_345.0, float(model.config.auxdata[0])
    ours = np.asarray(postfit_asimov_data(hc.HistFactory(model), [n_on, n_off], mu=0.0))
    gamma = (n_on + n_off) / (b + n_off)
    np.testing.assert_allclose(ours, [gamma * b, gamma * n_off], rtol=1e-12)


def test_postfit_data_of_one_bin_meet_the_closed_form():
    """The conditional on/off likelihood is a quadratic equation in the background (Cowan 2012, eq. 10)."""
    s, b, sigma, n_on = 10.0, 50.0, 7.0, 78.0
    model = pyhf.simplemodels.uncorrelated_background(signal=[s], bkg=[b], bkg_uncertainty=[sigma])
    tau, n_off = b / sigma**2, float(model.config.auxdata[0])
    for mu in (0.0, 1.0, 4.0):
        total = n_on + n_off - (1.0 + tau) * mu * s
        fitted = (total + np.sqrt(total**2 + 4.0 * (1.0 + tau) * n_off * mu * s)) / (2.0 * (1.0 + tau))
        ours = postfit_asimov_data(hc.HistFactory(model), [n_on, n_off], mu=mu)
        np.testing.assert_allclose(ours, [mu * s + fitted, tau * fitted], rtol=1e-10)


@pytest.mark.parametrize("name", models.SPECS)
def test_both_definitions_agree_on_nominal_data_and_differ_elsewhere(name):
    model = models.build(name)
    likelihood = hc.HistFactory(model)
    prefit = np.asarray(prefit_asimov_data(likelihood))
    # Data that are the expectation of fitted parameters lead back to them. Where a measurement has auxiliary data of
    # its own, the nominal expectation is not what it measured, but it still is the data here.
    np.testing.assert_allclose(postfit_asimov_data(likelihood, prefit), prefit, rtol=1e-9, atol=1e-9)
    moved = np.asarray(postfit_asimov_data(likelihood, shifted_data(model)))
    if name != "normfactor":
        assert np.max(np.abs(moved - prefit)) > 0.05
    else:
        np.testing.assert_array_equal(moved, prefit)


def central_difference(function, x: float, h: float) -> np.ndarray:
    return (8 * (function(x + h) - function(x - h)) - (function(x + 2 * h) - function(x - 2 * h))) / (12 * h)


def test_postfit_data_can_be_differentiated_in_the_data_that_they_are_fitted_to(x64):
    model = models.build("histosys")
    likelihood = hc.HistFactory(model)
    data = shifted_data(model)
    slopes = np.asarray(jax.jit(jax.jacfwd(lambda d: postfit_asimov_data(likelihood, d)))(data))
    for column, unit in zip(slopes.T, np.eye(len(data)), strict=True):
        again = lambda x, unit=unit: np.asarray(postfit_asimov_data(likelihood, data + x * unit))  # noqa: E731
        np.testing.assert_allclose(column, central_difference(again, 0.0, 5e-3), rtol=1e-6, atol=1e-6)


def test_postfit_data_can_be_differentiated_in_templates_and_batched(x64):
    """The nominal yields scale the rates and, through the staterror's relative width, the constraint."""
    model = models.build("staterror")
    likelihood = hc.HistFactory(model)
    data = shifted_data(model)

    def scaled(factor):
        nominal = likelihood.templates.nominal * factor
        return postfit_asimov_data(likelihood, data, dataclasses.replace(likelihood.templates, nominal=nominal))

    factors = np.array([0.9, 1.0, 1.1])
    values, slopes = jax.jit(jax.vmap(lambda x: jax.jvp(scaled, (x,), (1.0,))))(factors)
    for factor, value, slope in zip(factors, values, slopes, strict=True):
        np.testing.assert_allclose(value, scaled(factor), rtol=1e-10)
        expected = central_difference(lambda x: np.asarray(scaled(x)), factor, 1e-3)
        np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-6)


# --- the test that uses them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*(name for name in FITTED if name != "everything")])
def test_expected_p0_is_that_of_hypotest_and_its_bands_are_one_apart_there(name):
    """pyhf lists p-values, the smallest last, and does not stop at Z = 0; its width of one is Wald's approximation."""
    model = models.build(name)
    data = shifted_data(model)
    test = hc.discovery_test(hc.HistFactory(model), fitted_to=data)
    assert test.dataset == "postfit Asimov"
    assert test.expected
    with careful_pyhf():
        _, median = pyhf.infer.hypotest(0.0, data, model, test_stat="q0", return_expected=True)
        _, bands = pyhf.infer.hypotest(0.0, data, model, test_stat="q0", return_expected_set=True)
    assert norm.isf(test.p0) == pytest.approx(norm.isf(float(median)), abs=5e-6)
    theirs = sorted(norm.isf(np.asarray(bands, dtype=np.float64)))
    assert list(test.bands) == [-2, -1, 0, 1, 2]
    np.testing.assert_allclose(theirs, test.significance + np.arange(-2, 3), atol=5e-6)
    if len(data) > 1:
        ours = np.maximum(test.significance + test.spread * np.arange(-2, 3), 0.0)
        np.testing.assert_allclose(list(test.bands.values()), ours, rtol=1e-12)
    assert min(test.bands.values()) >= 0.0


@pytest.mark.parametrize("optimizer", [pytest.param("scipy", marks=pytest.mark.slow), "minuit"])
def test_expected_p0_is_that_of_hypotest_as_users_call_it(optimizer):
    """With pyhf's default settings, to what they are good for."""
    model = models.build("everything")
    data = shifted_data(model)
    test = hc.discovery_test(hc.HistFactory(model), fitted_to=data)
    with referee.backend(optimizer=optimizer), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, median = pyhf.infer.hypotest(0.0, data, model, test_stat="q0", return_expected=True)
    assert test.significance == pytest.approx(norm.isf(float(median)), abs=1e-3)


@pytest.mark.parametrize("name", ["histosys", "everything", "shapesys-zero-bins", "user-constraints"])
def test_expected_significance_against_certified_fits(name):
    model = models.build(name)
    data = shifted_data(model)
    truth = reference_fits.reference(model, certified_asimov(model, data, 1.0), num_starts=2)
    test = hc.discovery_test(hc.HistFactory(model), fitted_to=data)
    assert test.significance == pytest.approx(truth.significance, abs=1e-6)
    assert test.mu_hat == pytest.approx(1.0, abs=1e-5)
    assert test.mu_uncertainty == pytest.approx(truth.mu_uncertainty, rel=1e-3)


@pytest.mark.parametrize("name", models.SPECS)
def test_both_expected_significances_agree_on_nominal_data(name):
    model = models.build(name)
    likelihood = hc.HistFactory(model)
    prefit = hc.discovery_test(likelihood)
    postfit = hc.discovery_test(likelihood, fitted_to=nominal_data(model))
    assert (prefit.dataset, postfit.dataset) == ("prefit Asimov", "postfit Asimov")
    assert postfit.significance == pytest.approx(prefit.significance, abs=1e-6)
    assert prefit.significance == pytest.approx(float(hc.discovery_significance(likelihood)), abs=1e-9)


@pytest.mark.parametrize("name", ["normsys", "shapesys", "everything"])
def test_the_expected_significances_differ_on_other_data(name):
    """More background than foreseen was fitted: the same signal is worth less, or more if the luminosity rose."""
    model = models.build(name)
    likelihood = hc.HistFactory(model)
    data = nominal_data(model)
    data[: model.config.nmaindata] *= 1.4
    prefit, postfit = hc.discovery_test(likelihood), hc.discovery_test(likelihood, fitted_to=data)
    assert abs(postfit.significance - prefit.significance) > 0.01
    assert (postfit.significance < prefit.significance) == (name != "everything")
    # The documented way to a differentiable number.
    direct = hc.discovery_significance(likelihood, data=postfit_asimov_data(likelihood, data))
    assert postfit.significance == pytest.approx(float(direct), abs=1e-7)


def test_several_starts_leave_alone_what_pyhf_fixes():
    """A shapesys of an empty bin has a parameter that pyhf fixes; a histosys gives the bin events that it multiplies.

    It is moved by no start of any fit: one minimum, the same q0 as from one start, and as from certified fits.
    """
    spec = {
        "channels": [
            models.channel(
                "c",
                models.sample("s", [5.0, 3.0], models.MU),
                models.sample(
                    "b", [50.0, 0.0], models.mod("shapesys", "sh", [5.0, 0.0]), models.histosys("a", [52, 2], [48, 0])
                ),
                models.sample("rest", [0.0, 5.0]),
            )
        ]
    }
    model = pyhf.Model(spec, poi_name="mu")
    likelihood = hc.HistFactory(model)
    fixed = np.array(model.config.suggested_fixed())
    assert fixed.sum() == 1
    data = np.array([60.0, 9.0, *model.config.auxdata])
    for arguments in ({"data": data}, {"fitted_to": data}, {}):
        several = hc.discovery_test(likelihood, **arguments)
        assert several.q0 == pytest.approx(hc.discovery_test(likelihood, **arguments, num_starts=1).q0, abs=1e-10)
        assert "minima" not in several.message
        for found in (several.best_fit, several.background_only):
            np.testing.assert_array_equal(found[fixed], 1.0)
    truth = reference_fits.reference(model, data)
    assert hc.discovery_test(likelihood, data).q0 == pytest.approx(truth.q0, abs=1e-7)
    assert len(fit(likelihood, data, num_starts=10).minima) == 1


def test_observed_data_have_no_bands():
    test = hc.discovery_test(hc.HistFactory(models.build("normfactor")), [60.0])
    assert test.bands == {}
    assert np.isnan(test.spread)


@pytest.mark.slow
def test_the_atlas_likelihood_against_hypotest_of_pyhf(sbottom):
    """Its bands, too; pyhf fits with its defaults, which is good to some 1e-3 of Z here."""
    likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"]["1000_205_60"]])
    data = likelihood.observed_data
    test = hc.discovery_test(likelihood, fitted_to=data)
    with referee.backend(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, bands = pyhf.infer.hypotest(0.0, data, likelihood.model, test_stat="q0", return_expected_set=True)
    theirs = sorted(norm.isf(np.asarray(bands, dtype=np.float64)))
    np.testing.assert_allclose(theirs, test.significance + np.arange(-2, 3), atol=2e-3)


# --- errors ---------------------------------------------------------------------------------------------------------


def test_data_and_fitted_to_exclude_each_other():
    likelihood = hc.HistFactory(models.build("normsys"))
    with pytest.raises(InputError, match="both data and fitted_to; pass one of them"):
        hc.discovery_test(likelihood, [60.0, 0.0], fitted_to=[60.0, 0.0])


def test_wrong_data_and_a_missing_poi_are_refused():
    likelihood = hc.HistFactory(models.build("normsys"))
    with pytest.raises(InputError, match=r"expects \(2,\)"):
        postfit_asimov_data(likelihood, [60.0])
    with pytest.raises(InputError, match=r"expects \(2,\)"):
        hc.discovery_test(likelihood, fitted_to=[60.0])
    with pytest.raises(InputError, match="expected finite numbers"):
        postfit_asimov_data(likelihood, [np.nan, 0.0])
    without = hc.HistFactory(pyhf.Model(models.SPECS["normsys"], poi_name=None))
    with pytest.raises(UnsupportedModelError, match="no parameter of interest"):
        prefit_asimov_data(without)
    with pytest.raises(UnsupportedModelError, match="no parameter of interest"):
        postfit_asimov_data(without, [60.0, 0.0])


def test_a_32_bit_transformation_is_refused():
    likelihood = hc.HistFactory(models.build("normsys"))
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="jax_enable_x64"):
        jax.jit(lambda d: postfit_asimov_data(likelihood, d))(np.array([60.0, 0.0]))


def test_a_fit_that_fails_is_explained_and_nan_inside_a_transformation(x64):
    spec = {"channels": [models.channel("c", models.sample("s", [5.0], models.MU), models.sample("b", [0.0]))]}
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))
    with pytest.raises(FitError, match=r"fit at mu = 0.* did not converge.*fixed_poi_fit\(likelihood, data, poi=0"):
        postfit_asimov_data(likelihood, [3.0], mu=0.0)
    data = jax.jit(lambda d: postfit_asimov_data(likelihood, d, mu=0.0))(np.array([3.0]))
    assert np.all(np.isnan(data))


def test_the_fit_of_postfit_data_is_the_conditional_fit():
    model = models.build("user-constraints")
    likelihood = hc.HistFactory(model)
    data = shifted_data(model)
    fitted = fixed_poi_fit(likelihood, data, poi=1.0).parameters
    np.testing.assert_allclose(
        postfit_asimov_data(likelihood, data), likelihood.expected_data(fitted), rtol=1e-12, atol=1e-12
    )
