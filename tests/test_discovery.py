"""Fits, q0 and Z: against closed forms, minuit, refits and pyhf's own hypotest."""

import dataclasses
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
import scipy.optimize

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import BoundWarning, FitError, InputError, PrecisionError
from hepcuts.histfactory import fit, fixed_poi_fit, referee

from . import models


def minuit_q0(model: pyhf.Model, data: np.ndarray) -> float:
    """q0 by pyhf's own likelihood and minuit at tight tolerance, from pyhf's initial values."""
    with referee.backend(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        pyhf.set_backend("numpy", custom_optimizer=pyhf.optimize.minuit_optimizer(tolerance=1e-6, strategy=2))
        _, free = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
        _, fixed = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)
    return float(fixed - free)


def nominal_data(model: pyhf.Model) -> np.ndarray:
    pars = model.config.suggested_init()
    pars[model.config.poi_index] = 1.0
    return np.asarray(model.expected_data(pars))


# Without nuisance parameters pyhf cannot make a conditional fit with minuit; the closed form below covers that.
FITTED = [name for name in models.SPECS if name != "normfactor"]


@pytest.mark.parametrize("name", FITTED)
def test_expected_significance_against_minuit(name):
    model = models.build(name)
    z = hc.discovery_significance(hc.HistFactory(model))
    assert z == pytest.approx(np.sqrt(minuit_q0(model, nominal_data(model))), abs=2e-5)


@pytest.mark.parametrize("name", FITTED)
def test_observed_significance_against_minuit(name):
    model = models.build(name)
    data = nominal_data(model)
    main = data[: model.config.nmaindata]
    main[main > 0] = np.round(1.05 * main[main > 0] + 1.0)
    z = hc.discovery_significance(hc.HistFactory(model), data=data)
    q0 = minuit_q0(model, data)
    assert z == pytest.approx(np.sqrt(max(q0, 0.0)), abs=1e-4)


@pytest.mark.parametrize("name", ["normsys", "everything", "shapesys"])
@pytest.mark.slow("everything")
def test_agrees_with_hypotest_of_pyhf(name):
    model = models.build(name)
    assert hc.discovery_significance(hc.HistFactory(model)) == pytest.approx(
        referee.hypotest(model).significance, abs=1e-3
    )


@pytest.mark.parametrize("s", [1e-3, 1.0, 12.0, 300.0])
@pytest.mark.parametrize("b", [0.5, 50.0, 1e6])
@pytest.mark.parametrize("relative", [0.02, 0.14, 0.5])
def test_one_bin_meets_the_closed_form_with_background_uncertainty(s, b, relative):
    """An uncorrelated (shapesys) background is the on/off problem, whose Asimov significance is known."""
    sigma = relative * b
    if s > 30 * b:
        pytest.skip("the background factor of the conditional fit is beyond pyhf's bound of 10")
    model = pyhf.simplemodels.uncorrelated_background(signal=[s], bkg=[b], bkg_uncertainty=[sigma])
    expected = counting.asimov_significance(s, b, sigma)
    assert hc.discovery_significance(hc.HistFactory(model)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("s", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("b", [0.1, 50.0, 1e7])
def test_one_bin_without_uncertainty_meets_the_asimov_formula(s, b):
    spec = {"channels": [models.channel("c", models.sample("s", [s], models.MU), models.sample("b", [b]))]}
    z = hc.discovery_significance(hc.HistFactory(pyhf.Model(spec, poi_name="mu")))
    assert z == pytest.approx(float(counting.asimov_significance(s, b)), rel=1e-10)


def test_observed_one_bin_with_uncertainty_is_the_li_ma_significance():
    n_on, b, sigma = 70.0, 50.0, 7.0
    model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[b], bkg_uncertainty=[sigma])
    tau = b / sigma**2
    expected = counting.li_ma_significance(n_on, b * tau, tau)
    z = hc.discovery_significance(hc.HistFactory(model), data=[n_on, *model.config.auxdata])
    assert z == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    ("signal", "expected"), [("1000_205_60", 2.623246), ("1300_205_60", 0.434352), ("600_280_150", 14.784113)]
)
def test_atlas_likelihood(sbottom, signal, expected):
    """q0 on the Asimov dataset, as tests/reference_sbottom.py finds it: the lowest of several minuit fits.

    The conditional likelihood of 600_280_150 has two minima; started where pyhf starts, minuit stops at 14.834.
    """
    likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"][signal]])
    result = hc.discovery_test(likelihood)
    assert result.success
    assert result.q0 == pytest.approx(expected, abs=2e-6)

    model, data = likelihood.model, nominal_data(likelihood.model)

    def twice_nll(pars: np.ndarray) -> float:
        return -2.0 * float(model.logpdf(pars, data)[0])

    # pyhf's likelihood agrees that this is where q0 comes from, and that it is a minimum along every parameter.
    at = np.array(result.background_only)
    assert twice_nll(at) - twice_nll(likelihood.nominal_parameters()) == pytest.approx(result.q0, abs=1e-9)
    for i, (low, high) in enumerate(model.config.suggested_bounds()):
        if i != likelihood.poi and not model.config.suggested_fixed()[i]:
            for step in (-1e-3, 1e-3):
                moved = at.copy()
                moved[i] = np.clip(moved[i] + step, low, high)
                assert twice_nll(moved) >= twice_nll(at) - 1e-11


def central_difference(function, x: float, h: float) -> float:
    """Fourth order: its own error is far below 1e-6 of the derivative."""
    return (8 * (function(x + h) - function(x - h)) - (function(x + 2 * h) - function(x - 2 * h))) / (12 * h)


def check_gradients(likelihood: hc.HistFactory, data, *, fields, largest: int = 6) -> None:
    """The envelope gradient against central differences of refits, 1e-6 relative, for the largest entries."""
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(lambda t: hc.discovery_significance(likelihood, t, data)))(likelihood.templates)
    for field in fields:
        values, slopes = np.asarray(getattr(likelihood.templates, field)), np.asarray(getattr(gradient, field))
        order = np.argsort(-np.abs(slopes).ravel())[:largest]
        assert len(order) == 0 or np.any(slopes != 0.0)
        for index in (np.unravel_index(k, values.shape) for k in order):
            if slopes[index] == 0.0 or values[index] == 0.0:
                continue

            def refit(x, field=field, values=values, index=index):
                moved = values.copy()
                moved[index] = x
                return float(
                    hc.discovery_significance(
                        likelihood, dataclasses.replace(likelihood.templates, **{field: moved}), data
                    )
                )

            expected = central_difference(refit, values[index], 3e-4 * abs(values[index]))
            assert slopes[index] == pytest.approx(expected, rel=1e-6, abs=1e-9), (field, index)


FIELDS = ("nominal", "histosys_up", "histosys_down", "normsys_up", "normsys_down", "staterror", "shapesys")


@pytest.mark.parametrize("name", ["normsys", "histosys", "shapesys", "staterror", "shapesys-zero-bins", "everything"])
@pytest.mark.slow("everything")
def test_gradient_of_the_expected_significance_against_refits(name):
    check_gradients(hc.HistFactory(models.build(name)), None, fields=FIELDS)


@pytest.mark.parametrize("name", ["histosys", "shapesys", "everything"])
@pytest.mark.slow("everything")
def test_gradient_of_the_observed_significance_against_refits(name):
    model = models.build(name)
    data = nominal_data(model)
    data[: model.config.nmaindata] = np.round(data[: model.config.nmaindata]) + 3.0
    check_gradients(hc.HistFactory(model), data, fields=FIELDS)


def test_gradient_on_the_atlas_likelihood_against_refits(sbottom):
    likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"]["1000_205_60"]])
    check_gradients(likelihood, None, fields=("nominal", "histosys_up", "staterror", "normsys_up"), largest=3)


def test_jit_vmap_and_grad_compose(x64):
    likelihood = hc.HistFactory(models.build("everything"))
    scales = np.array([0.5, 1.0, 2.0])

    def z(scale):
        signal = jnp.asarray([[name == "s"] for name in likelihood.samples])
        nominal = likelihood.templates.nominal * jnp.where(signal, scale, 1.0)
        return hc.discovery_significance(likelihood, dataclasses.replace(likelihood.templates, nominal=nominal))

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(z)))(scales)
    for scale, value, slope in zip(scales, values, slopes, strict=True):
        assert value == pytest.approx(float(z(scale)), rel=1e-10)
        assert slope == pytest.approx(central_difference(lambda x: float(z(x)), scale, 1e-3), rel=1e-6)
    assert np.all(np.diff(values) > 0)


def test_the_likelihood_is_a_pytree_that_can_be_passed_to_jit(x64):
    likelihood = hc.HistFactory(models.build("normsys"))
    assert eqx.filter_jit(hc.discovery_significance)(likelihood) == pytest.approx(
        float(hc.discovery_significance(likelihood)), rel=1e-12
    )


def test_zero_signal_has_zero_significance_and_a_finite_gradient(x64):
    likelihood = hc.HistFactory(models.build("everything"))
    none = dataclasses.replace(
        likelihood.templates, nominal=likelihood.templates.nominal * (np.array(likelihood.samples) != "s")[:, None]
    )
    value, gradient = jax.value_and_grad(lambda t: hc.discovery_significance(likelihood, t))(none)
    assert value == 0.0
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_a_deficit_has_zero_significance_and_a_finite_gradient(x64):
    model = models.build("normsys")
    likelihood = hc.HistFactory(model)
    value, gradient = jax.value_and_grad(lambda d: hc.discovery_significance(likelihood, data=d))(
        jnp.array([30.0, 0.0])
    )
    assert value == 0.0
    assert np.all(np.isfinite(gradient))


def test_results_are_of_64_bits_whatever_the_flag():
    likelihood = hc.HistFactory(models.build("everything"))
    assert not jax.config.jax_enable_x64
    with jax.enable_x64(True):
        expected = float(hc.discovery_significance(likelihood))
    z = hc.discovery_significance(likelihood)
    assert np.asarray(z).dtype == np.float64
    assert float(z) == expected


def test_a_32_bit_transformation_is_refused():
    likelihood = hc.HistFactory(models.build("normsys"))
    with pytest.raises(PrecisionError, match="jax_enable_x64"):
        jax.jit(lambda t: hc.discovery_significance(likelihood, t))(likelihood.templates)


def test_bounds_and_fixed_flags_are_respected():
    spec = dict(models.SPECS["normsys"])
    free = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))
    tight = hc.HistFactory(pyhf.Model({**spec, "parameters": [{"name": "a", "bounds": [[-0.1, 0.1]]}]}, poi_name="mu"))
    fixed = hc.HistFactory(pyhf.Model({**spec, "parameters": [{"name": "a", "fixed": True}]}, poi_name="mu"))
    with pytest.warns(BoundWarning, match="with a at a bound"):
        at_bound = hc.discovery_test(tight)
    assert at_bound.background_only[list(tight.parameter_names).index("a")] == 0.1
    assert hc.discovery_test(fixed).background_only[list(fixed.parameter_names).index("a")] == 0.0
    assert hc.discovery_significance(free) < at_bound.significance < hc.discovery_significance(fixed)
    assert hc.discovery_significance(fixed) == pytest.approx(float(counting.asimov_significance(5.0, 50.0)), rel=1e-10)


def test_the_whole_story():
    model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
    observed = hc.discovery_test(hc.HistFactory(model), [70.0, *model.config.auxdata])
    assert not observed.expected
    assert observed.mu_hat == pytest.approx(2.0, abs=1e-9)
    # The on/off problem's uncertainty: sqrt(n_on + sigma_b^2) in events.
    assert observed.mu_uncertainty == pytest.approx(np.sqrt(70.0 + 49.0) / 10.0, rel=1e-9)
    assert observed.significance == np.sqrt(observed.q0)
    assert observed.p0 == pytest.approx(float(referee.hypotest(model, [70.0, *model.config.auxdata]).p0), rel=1e-4)
    assert "converged" in observed.message
    assert "significance" in repr(observed)
    expected = hc.discovery_test(hc.HistFactory(model))
    assert expected.expected
    assert expected.mu_hat == 1.0


def test_pulls_are_in_units_of_the_prior_width():
    model = models.build("lumi")
    result = hc.discovery_test(hc.HistFactory(model), [70.0, 1.02])
    lumi = list(result.names).index("lumi")
    assert result.pulls[lumi] == pytest.approx((result.background_only[lumi] - 1.02) / 0.03, rel=1e-12)
    assert result.pulls[lumi] > 0
    assert np.isnan(result.pulls[list(result.names).index("mu")])


def test_uncertainties_are_the_inverse_of_the_observed_information():
    model = models.build("histosys")
    likelihood = hc.HistFactory(model)
    data = nominal_data(model)
    result = fit(likelihood, data)
    hessian = np.zeros((2, 2))
    h = 1e-4
    for i in range(2):
        for j in range(2):
            e, f = np.eye(2)[i] * h, np.eye(2)[j] * h
            nll = lambda p: -float(model.logpdf(p, data)[0])  # noqa: E731
            x = result.parameters
            hessian[i, j] = (nll(x + e + f) - nll(x + e - f) - nll(x - e + f) + nll(x - e - f)) / (4 * h * h)
    np.testing.assert_allclose(result.covariance, np.linalg.inv(hessian), rtol=1e-4)


def test_conditional_fit_against_a_bounded_minimizer():
    model = models.build("everything")
    likelihood = hc.HistFactory(model)
    data = nominal_data(model)
    result = fixed_poi_fit(likelihood, data, poi=0.0)
    x0 = np.array(model.config.suggested_init())
    x0[likelihood.poi] = 0.0
    bounds = [
        (x, x) if fixed or i == likelihood.poi else bound
        for i, (x, bound, fixed) in enumerate(
            zip(x0, model.config.suggested_bounds(), model.config.suggested_fixed(), strict=True)
        )
    ]
    best = scipy.optimize.minimize(
        lambda p: -2 * float(model.logpdf(p, data)[0]), result.parameters, bounds=bounds, method="L-BFGS-B"
    )
    ours = -2 * float(model.logpdf(result.parameters, data)[0])
    assert ours <= best.fun + 1e-9


def test_a_bin_with_signal_but_no_background_is_explained():
    signal, background = models.sample("s", [5.0, 1.0], models.MU), models.sample("b", [0.0, 9.0])
    likelihood = hc.HistFactory(pyhf.Model({"channels": [models.channel("c", signal, background)]}, poi_name="mu"))
    with pytest.raises(FitError, match=r"background-only fit.*expects no or negative events"):
        hc.discovery_significance(likelihood)
    result = hc.discovery_test(likelihood, throw=False)
    assert not result.success
    assert np.isnan(result.significance)


def test_a_bin_with_data_that_nothing_can_explain_is_told_and_no_more():
    """Both fits fail, without a warning of the difference of their minima."""
    samples = models.sample("s", [5.0, 0.0], models.MU), models.sample("b", [9.0, 0.0])
    likelihood = hc.HistFactory(pyhf.Model({"channels": [models.channel("c", *samples)]}, poi_name="mu"))
    result = hc.discovery_test(likelihood, [9.0, 1.0], throw=False)
    assert not result.success
    assert np.isnan(result.competing)
    assert "expects no or negative events" in result.message


def test_inside_a_transformation_a_failed_fit_is_nan(x64):
    spec = {"channels": [models.channel("c", models.sample("s", [5.0], models.MU), models.sample("b", [1.0]))]}
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))

    def z(b):
        nominal = jnp.stack([jnp.array([b]) if name == "b" else jnp.array([5.0]) for name in likelihood.samples])
        return hc.discovery_significance(likelihood, dataclasses.replace(likelihood.templates, nominal=nominal))

    values = jax.vmap(z)(jnp.array([1.0, 0.0, 50.0]))
    assert np.isnan(values[1])
    assert np.all(np.isfinite(values[jnp.array([0, 2])]))


def test_wrong_data_are_refused():
    with pytest.raises(InputError, match=r"expects \(2,\)"):
        hc.discovery_significance(hc.HistFactory(models.build("normsys")), data=[50.0])


@pytest.mark.parametrize("control", [10_000.0, 100.0])
def test_a_systematic_that_the_fit_measures_better_than_assumed_is_named(control):
    """10 % on a bin of n events without signal: the fit's own knowledge is 1 / (sqrt(n) ln 1.1)."""
    scale = {"name": "scale", "type": "normsys", "data": {"hi": 1.1, "lo": 1 / 1.1}}
    sample = {"name": "b", "data": [control, 10.0], "modifiers": [scale]}
    mu = {"name": "mu", "type": "normfactor", "data": None}
    signal = {"name": "s", "data": [0.0, 5.0], "modifiers": [mu]}
    model = pyhf.Model({"channels": [{"name": "c", "samples": [signal, sample]}]}, poi_name="mu")
    test = hc.discovery_test(hc.HistFactory(model))
    found = test.unconditional_fit.nuisance_parameters.over_constrained
    # The other bin has a free signal of its own and says nothing.
    truth = 1.0 / np.sqrt(1.0 + control * np.log(1.1) ** 2)
    assert found == (pytest.approx({"scale": truth}, rel=1e-6) if truth < 1 / 3 else {})
    assert ("less than a third of the assumed uncertainty: scale (0.1 of it)" in repr(test)) == (truth < 1 / 3)
