"""CLs upper limits: against pyhf's own hypotest and upper_limit, certified refits, closed forms and differences.

How far off pyhf is by itself: with its default fits (scipy's SLSQP) CLs at the limit is wrong by up to 2e-5, and the
limit by up to 7e-5 of itself, however closely it is bracketed. With minuit at strategy 2 and tolerance 1e-6, CLs is
good to about 5e-6 and the limit to 2e-6. What is compared more closely than that is compared with `reference_fits`,
which minimizes by pyhf's rates and certifies each minimum, or with closed forms.
"""

import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pyhf
import pytest
import scipy.optimize
from scipy.stats import norm

import hepcuts as hc
from hepcuts._core.errors import FitError, InputError, PrecisionError, UnsupportedModelError
from hepcuts.histfactory import expected_upper_limit, fit, fixed_poi_fit, postfit_asimov_data, referee, upper_limit
from hepcuts.histfactory.exclusion import cls_of
from hepcuts.histfactory.limits import BANDS

from . import models, reference_fits
from .test_minima import published

FIELDS = ("nominal", "histosys_up", "histosys_down", "normsys_up", "normsys_down", "staterror", "shapesys")


@contextlib.contextmanager
def careful_pyhf() -> Iterator[None]:
    """pyhf with minuit as careful as it goes."""
    with referee.backend(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyhf.set_backend("numpy", custom_optimizer=pyhf.optimize.minuit_optimizer(tolerance=1e-6, strategy=2))
        yield


@contextlib.contextmanager
def default_pyhf() -> Iterator[None]:
    with referee.backend(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def expectation(model: pyhf.Model, mu: float = 0.0) -> np.ndarray:
    pars = model.config.suggested_init()
    pars[model.config.poi_index] = mu
    return np.asarray(model.expected_data(pars), dtype=np.float64)


def counts_above(model: pyhf.Model, factor: float = 1.05, more: float = 1.0) -> np.ndarray:
    """Whole counts that are neither the expectation nor far from it."""
    data = expectation(model)
    main = data[: model.config.nmaindata]
    main[main > 0] = np.round(factor * main[main > 0] + more)
    return data


class Referee:
    """qmu-tilde and CLs of one dataset by certified fits of pyhf's rates. Nothing in it is hepcuts'."""

    def __init__(self, model: pyhf.Model, data: Any, *, asimov: Any = None) -> None:
        self.poi = model.config.poi_index
        self.is_poi = np.arange(model.config.npars) == self.poi
        with referee.backend():
            self.observed = reference_fits.Objective(model, data)
            best = reference_fits.Search(self.observed, self.observed.fixed)
            none = self.conditional(self.observed, 0.0)
            pars, value, edm = best.descend(self.observed.init)
            again = best.descend(none[0])
            self.best = (pars, value, edm) if value <= again[1] else again
            if asimov is None:
                asimov = model.expected_data(none[0])
            self.without_signal = reference_fits.Objective(model, asimov)
        assert self.best[2] < 1e-9

    def conditional(self, objective: reference_fits.Objective, mu: float) -> tuple[np.ndarray, float, float]:
        search = reference_fits.Search(objective, objective.fixed | self.is_poi)
        pars, value, edm = search.descend(np.where(self.is_poi, mu, objective.init))
        assert edm < 1e-9
        return pars, value, edm

    def q(self, mu: float) -> float:
        if self.best[0][self.poi] >= mu:
            return 0.0
        with referee.backend():
            return max(self.conditional(self.observed, mu)[1] - self.best[1], 0.0)

    def q_asimov(self, mu: float) -> float:
        """The best fit of that data is known: mu = 0, deviance zero."""
        with referee.backend():
            return self.conditional(self.without_signal, mu)[1]

    def cls(self, mu: float) -> tuple[float, dict[int, float]]:
        """Observed and expected CLs from pyhf's distributions of the test statistic."""
        return pyhf_cls(self.q(mu), self.q_asimov(mu))


@functools.cache
def any_model() -> pyhf.Model:
    """For a calculator that does not look at it."""
    return models.build("normfactor")


def pyhf_cls(q: float, q_asimov: float) -> tuple[float, dict[int, float]]:
    """Observed and expected CLs by pyhf's calculator, which is given the test statistics."""
    calculator = pyhf.infer.calculators.AsymptoticCalculator([], any_model())
    calculator.sqrtqmuA_v = np.sqrt(q_asimov)
    with_signal, without = calculator.distributions(1.0)
    root, root_asimov = np.sqrt(q), np.sqrt(q_asimov)
    value = root - root_asimov if root <= root_asimov else (q - q_asimov) / (2.0 * root_asimov)
    _, _, observed = calculator.pvalues(np.asarray(value), with_signal, without)
    *_, expected = calculator.expected_pvalues(with_signal, without)
    # pyhf lists the expected values from +2 to -2 standard deviations of the test statistic, which is -2 to 2 of CLs.
    return float(observed), dict(zip(BANDS, map(float, expected), strict=True))


# --- against pyhf ---------------------------------------------------------------------------------------------------


def check_against_upper_limit_of_pyhf(name: str, tolerance: float, **options: Any) -> None:
    model = models.build(name)
    data = counts_above(model)
    ours = upper_limit(hc.HistFactory(model), data)
    assert ours.dataset == "postfit Asimov"
    assert list(ours.expected) == [-2, -1, 0, 1, 2]
    observed, expected = pyhf.infer.intervals.upper_limits.upper_limit(data, model, **options)
    assert ours.observed == pytest.approx(float(observed), rel=tolerance)
    np.testing.assert_allclose(list(ours.expected.values()), expected, rtol=tolerance)


@pytest.mark.parametrize("name", ["normsys", "shapesys"])
def test_agrees_with_upper_limit_of_pyhf(name):
    with default_pyhf():
        check_against_upper_limit_of_pyhf(name, 3e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normsys", "histosys", "shapesys", "staterror-two-channels"])
def test_agrees_with_upper_limit_of_pyhf_where_that_fits_with_minuit(name):
    with careful_pyhf():
        check_against_upper_limit_of_pyhf(name, 1e-5, rtol=1e-6)


@pytest.mark.parametrize("name", models.SPECS)
def test_cls_is_one_minus_the_confidence_level_at_the_limits(name):
    """Of every kind of model, by a referee that is far more exact than pyhf's own fits."""
    model = models.build(name)
    data = counts_above(model)
    limits = upper_limit(hc.HistFactory(model), data)
    referee = Referee(model, data)
    assert referee.cls(limits.observed)[0] == pytest.approx(0.05, abs=1e-9)
    for band in BANDS:
        assert referee.cls(limits.expected[band])[1][band] == pytest.approx(0.05, abs=1e-9), band


def test_observed_and_expected_cls_of_pyhf_on_a_grid():
    """cls_of with the fits of hepcuts, below mu-hat, between and where the data undershoot the Asimov data."""
    model = models.build("histosys")
    likelihood = hc.HistFactory(model)
    branches = set()
    for factor, more in ((1.1, 3.0), (0.9, -4.0)):
        data = counts_above(model, factor, more)
        asimov = postfit_asimov_data(likelihood, data, mu=0.0)
        best = fit(likelihood, data)
        mu_hat = best.parameters[likelihood.poi]
        for mu in (0.3, 1.0, 2.0, 3.5, 5.0):
            q = fixed_poi_fit(likelihood, data, poi=mu).deviance - best.deviance if mu > mu_hat else 0.0
            q_asimov = fixed_poi_fit(likelihood, asimov, poi=mu).deviance
            branches.add((mu > mu_hat, q > q_asimov))
            with careful_pyhf():
                observed, expected = pyhf.infer.hypotest(mu, data, model, test_stat="qtilde", return_expected_set=True)
            assert cls_of(q, q_asimov) == pytest.approx(float(observed), abs=5e-6)
            # The n-th band: mu-hat is n standard deviations from zero; below zero the best fit stays there (eq. 62).
            root = np.sqrt(q_asimov)
            at = {n: (root - n) ** 2 if n >= 0 else q_asimov - 2.0 * n * root for n in BANDS if n < root}
            np.testing.assert_allclose([cls_of(q, q_asimov) for q in at.values()], expected[: len(at)], atol=5e-6)
    assert branches == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize("q_asimov", [1e-8, 0.3, 4.0, 60.0])
def test_cls_of_against_the_calculator_of_pyhf(q_asimov):
    for q in np.array([0.0, 1e-9, 0.5, 0.999, 1.0, 1.001, 2.0, 3.0]) * q_asimov:
        assert cls_of(q, q_asimov) == pytest.approx(pyhf_cls(q, q_asimov)[0], rel=1e-12)
    assert cls_of(0.0, 0.0) == 1.0
    many = np.linspace(0.0, 3.0, 7) * q_asimov
    np.testing.assert_array_equal(cls_of(many, q_asimov), [cls_of(q, q_asimov) for q in many])


# --- closed forms ---------------------------------------------------------------------------------------------------


def one_bin(s: float, b: float) -> pyhf.Model:
    spec = {"channels": [models.channel("c", models.sample("s", [s], models.MU), models.sample("b", [b]))]}
    return pyhf.Model(spec, poi_name="mu")


def closed_q(mu: float, n: float, s: float, b: float) -> float:
    """qmu-tilde of one bin without uncertainties: 2 (r - r_hat - n ln(r / r_hat)) with the rates r."""
    best = max(n, b)
    more = mu * s + b - best
    return 2.0 * (more - (n * np.log1p(more / best) if n else 0.0)) if more > 0 else 0.0


@pytest.mark.parametrize(("s", "b"), [(5.0, 50.0), (0.02, 3.0), (40.0, 1e6), (3.0, 1e-3)])
@pytest.mark.parametrize("confidence_level", [0.68, 0.95, 0.999])
def test_expected_limit_of_one_bin_meets_the_closed_form(s, b, confidence_level):
    likelihood = hc.HistFactory(one_bin(s, b))
    limits = upper_limit(likelihood, confidence_level=confidence_level)
    assert limits.dataset == "prefit Asimov"
    assert np.isnan(limits.observed)
    for band in BANDS:
        # CLb of the band is Phi(band), CLs+b its root's distance from there (Cowan et al. 2011, eq. 89).
        def excess(mu: float, band: int = band) -> float:
            cls = norm.sf(np.sqrt(closed_q(mu, b, s, b)) - band) / norm.cdf(band)
            return cls - (1.0 - confidence_level)

        truth = scipy.optimize.brentq(excess, 1e-3 / s, 100.0 * (1.0 + np.sqrt(b)) / s, xtol=1e-300, rtol=1e-13)
        assert limits.expected[band] == pytest.approx(truth, rel=3e-9)
        single = expected_upper_limit(likelihood, confidence_level=confidence_level, band=band)
        assert single == pytest.approx(truth, rel=3e-9)


@pytest.mark.parametrize("n", [0.0, 40.0, 50.0, 55.0, 70.0, 95.0])
@pytest.mark.parametrize("confidence_level", [0.05, 0.3, 0.68, 0.95, 0.999])
def test_observed_limit_of_one_bin_meets_the_closed_form(n, confidence_level):
    """Levels below one half put it below mu-hat, where qmu-tilde is zero and CLs still falls with mu."""
    s, b = 5.0, 50.0
    observed = upper_limit(hc.HistFactory(one_bin(s, b)), [n], confidence_level=confidence_level).observed

    def excess(mu: float) -> float:
        return pyhf_cls(closed_q(mu, n, s, b), closed_q(mu, b, s, b))[0] - (1.0 - confidence_level)

    assert (observed < max(n - b, 0.0) / s) == (confidence_level < 0.5 and n > b + 2.0)
    assert observed == pytest.approx(scipy.optimize.brentq(excess, 1e-9, 60.0, rtol=1e-13), rel=1e-8)


@pytest.mark.parametrize("n", [0.0, 5000.0, 9000.0])
def test_observed_limit_of_a_deficit_of_up_to_a_hundred_standard_deviations(n):
    """CLs is a ratio of two numbers that do not exist in 64 bits; here they are worked out with fifty digits."""
    s, b = 5.0, 1e4
    observed = upper_limit(hc.HistFactory(one_bin(s, b)), [n]).observed
    with mpmath.workdps(50):
        q, q_asimov = (2 * (observed * s - k * mpmath.log1p(observed * s / b)) for k in (n, b))
        assert q > q_asimov
        shifted = (q - q_asimov) / (2 * mpmath.sqrt(q_asimov))
        cls = mpmath.ncdf(-shifted - mpmath.sqrt(q_asimov)) / mpmath.ncdf(-shifted)
    assert float(cls) == pytest.approx(0.05, abs=1e-8)


def test_a_best_fit_beyond_the_bound_of_mu_gives_no_limit():
    """Twenty events more than expected are a signal strength of 40, and pyhf bounds mu at 10 unless told otherwise."""
    assert upper_limit(hc.HistFactory(one_bin(5.0, 50.0)), [70.0]).observed == pytest.approx(6.942426, rel=1e-6)
    with pytest.raises(FitError, match=r"upper bound 10 of the signal strength.*raise the bound"):
        upper_limit(hc.HistFactory(one_bin(0.5, 50.0)), [70.0])
    spec = {**models.SPECS["normfactor"], "parameters": [{"name": "mu", "bounds": [[0.0, 100.0]]}]}
    spec["channels"] = [models.channel("c", models.sample("s", [0.5], models.MU), models.sample("b", [50.0]))]
    raised = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))
    assert upper_limit(raised, [70.0]).observed == pytest.approx(69.42426, rel=1e-6)


def test_without_background_the_median_limit_of_no_event_is_known():
    """q_mu = 2 mu s if none are expected and none seen; for 95 % its root is 1.96."""
    likelihood = hc.HistFactory(one_bin(4.0, 0.0))
    truth = norm.isf(0.025) ** 2 / 8.0
    assert expected_upper_limit(likelihood) == pytest.approx(truth, rel=1e-9)
    assert upper_limit(likelihood, [0.0]).observed == pytest.approx(truth, rel=1e-8)


def test_the_limit_scales_inversely_with_the_signal():
    """Also beyond the bound of 10 that pyhf gives mu."""
    for scale in (1e-4, 1e-2, 1.0, 1e3):
        assert expected_upper_limit(hc.HistFactory(one_bin(5.0 * scale, 50.0))) * scale == pytest.approx(
            3.0336057436, rel=1e-8
        )


# --- expected limits before there are data ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", models.SPECS)
def test_prefit_limits_are_where_the_definition_has_them(name):
    """sqrt(q_mu) on nominal data without signal, by certified fits, passes its target between mu -+ 1e-8."""
    model = models.build(name)
    limits = upper_limit(hc.HistFactory(model)).expected
    data = expectation(model)
    referee = Referee(model, data, asimov=data)
    for band in BANDS:
        target = norm.isf(0.05 * norm.cdf(band)) + band
        below, above = (np.sqrt(referee.q_asimov(limits[band] * (1.0 + side))) - target for side in (-1e-8, 1e-8))
        assert below < 0.0 < above, band


@pytest.mark.parametrize(
    ("name", "confidence_level", "band"), [("normsys", 0.95, 0.0), ("shapesys", 0.9, 1.0), ("staterror", 0.99, -1.5)]
)
def test_prefit_limit_against_a_root_found_with_minuit(name, confidence_level, band):
    model = models.build(name)
    data = expectation(model)
    level = (1.0 - confidence_level) * norm.cdf(band)

    def excess(mu: float) -> float:
        with careful_pyhf():
            _, fixed = pyhf.infer.mle.fixed_poi_fit(mu, data, model, return_fitted_val=True)
            free = -2.0 * float(model.logpdf(np.array(with_mu(model, 0.0)), data)[0])
        return norm.sf(np.sqrt(max(float(fixed) - free, 0.0)) - band) - level

    truth = scipy.optimize.brentq(excess, 0.2, 9.9, rtol=1e-7)
    ours = expected_upper_limit(hc.HistFactory(model), confidence_level=confidence_level, band=band)
    assert ours == pytest.approx(truth, rel=2e-5)


def with_mu(model: pyhf.Model, mu: float) -> list[float]:
    pars = list(model.config.suggested_init())
    pars[model.config.poi_index] = mu
    return pars


def test_prefit_and_postfit_limits_agree_on_nominal_data_and_differ_elsewhere():
    model = models.build("everything")
    likelihood = hc.HistFactory(model)
    prefit, postfit = upper_limit(likelihood), upper_limit(likelihood, expectation(model))
    np.testing.assert_allclose(list(postfit.expected.values()), list(prefit.expected.values()), rtol=1e-8)
    assert postfit.observed == pytest.approx(postfit.expected[0], rel=1e-7)
    moved = upper_limit(likelihood, counts_above(model))
    assert abs(moved.expected[0] / prefit.expected[0] - 1.0) > 1e-3
    assert list(prefit.expected.values()) == sorted(prefit.expected.values())


# --- derivatives ----------------------------------------------------------------------------------------------------


def central_difference(function, x: float, h: float) -> float:
    """Fourth order: its own error is far below 1e-6 of the derivative."""
    return (8 * (function(x + h) - function(x - h)) - (function(x + 2 * h) - function(x - 2 * h))) / (12 * h)


@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("normsys", -2.0),
        ("staterror", 1.0),
        ("shapesys-zero-bins", 0.0),
        ("everything", 0.0),
    ],
)
@pytest.mark.slow("everything-0.0")
def test_gradient_against_reevaluations(name, band):
    """The largest entries of each kind of template, to 1e-6."""
    likelihood = hc.HistFactory(models.build(name))
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(lambda t: expected_upper_limit(likelihood, t, band=band)))(likelihood.templates)
    checked = 0
    for field in FIELDS:
        values, slopes = np.asarray(getattr(likelihood.templates, field)), np.asarray(getattr(gradient, field))
        order = [np.unravel_index(k, values.shape) for k in np.argsort(-np.abs(slopes).ravel())[:4]]
        for index in order:
            if slopes[index] == 0.0 or values[index] == 0.0:
                continue

            def again(x, field=field, values=values, index=index):
                moved = values.copy()
                moved[index] = x
                return float(
                    expected_upper_limit(
                        likelihood, dataclasses.replace(likelihood.templates, **{field: moved}), band=band
                    )
                )

            expected = central_difference(again, values[index], 3e-4 * abs(values[index]))
            assert slopes[index] == pytest.approx(expected, rel=1e-6, abs=1e-9), (field, index)
            checked += 1
    assert checked >= 3


def test_gradient_of_one_bin_meets_the_closed_form(x64):
    """With q(mu, b) = 2 (mu - b ln(1 + mu / b)) at its target: d mu / d b = - q_b / q_mu; d mu / d s = - mu / s."""
    s, b = 5.0, 50.0
    likelihood = hc.HistFactory(one_bin(s, b))
    slopes = jax.grad(lambda t: expected_upper_limit(likelihood, t))(likelihood.templates).nominal[:, 0]
    mu = float(expected_upper_limit(likelihood))
    signal = mu * s
    q_b, q_signal = -2.0 * (np.log1p(signal / b) - signal / (b + signal)), 2.0 * signal / (b + signal)
    by_name = dict(zip(likelihood.samples, slopes, strict=True))
    assert by_name["s"] == pytest.approx(-mu / s, rel=1e-9)
    assert by_name["b"] == pytest.approx(-q_b / q_signal / s, rel=1e-9)


def scaled(likelihood: hc.HistFactory, sample: str, factor: Any) -> Any:
    rows = jnp.asarray([[name == sample] for name in likelihood.samples])
    nominal = likelihood.templates.nominal * jnp.where(rows, factor, 1.0)
    return dataclasses.replace(likelihood.templates, nominal=nominal)


def test_jit_vmap_and_grad_compose(x64):
    likelihood = hc.HistFactory(models.build("everything"))
    factors = np.array([0.5, 1.0, 2.0])

    def limit(factor):
        return expected_upper_limit(likelihood, scaled(likelihood, "b1", factor), confidence_level=0.9, band=1.0)

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(limit)))(factors)
    for factor, value, slope in zip(factors, values, slopes, strict=True):
        assert value == pytest.approx(float(limit(factor)), rel=1e-10)
        assert slope == pytest.approx(central_difference(lambda x: float(limit(x)), factor, 1e-3), rel=1e-6)
    assert np.all(np.diff(values) > 0)
    assert eqx.filter_jit(expected_upper_limit)(likelihood) == pytest.approx(
        float(expected_upper_limit(likelihood)), rel=1e-12
    )


def test_a_batch_of_very_different_lanes_equals_single_calls(x64):
    """Lanes that converge at different steps, one of them without a limit."""
    likelihood = hc.HistFactory(models.build("shapesys"))
    factors = np.array([1e-4, 0.0, 0.3, 1.0, 50.0, 1e4])

    def limit(factor):
        return expected_upper_limit(likelihood, scaled(likelihood, "s", factor))

    values = np.asarray(jax.vmap(limit)(factors))
    assert np.isnan(values[1])
    for factor, value in zip(np.delete(factors, 1), np.delete(values, 1), strict=True):
        assert value == pytest.approx(float(limit(factor)), rel=1e-10)
        assert value * factor == pytest.approx(values[3], rel=1e-8)


def test_hessian_against_differences_of_gradients(x64):
    likelihood = hc.HistFactory(models.build("normsys"))
    templates = likelihood.templates
    shape = templates.nominal.shape

    def limit(flat):
        return expected_upper_limit(likelihood, dataclasses.replace(templates, nominal=flat.reshape(shape)))

    at = np.asarray(templates.nominal, dtype=np.float64).ravel()
    hessian = np.asarray(jax.jit(jax.hessian(limit))(at))
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-8, atol=1e-12)
    gradient = jax.jit(jax.grad(limit))
    for i, unit in enumerate(np.eye(len(at))):
        h = 1e-3 * at[i]
        column = [np.asarray(gradient(at + k * h * unit)) for k in (-2, -1, 1, 2)]
        expected = (column[0] - 8 * column[1] + 8 * column[2] - column[3]) / (12 * h)
        np.testing.assert_allclose(hessian[:, i], expected, rtol=1e-5, atol=1e-9)


# --- a published likelihood -----------------------------------------------------------------------------------------


def sbottom_likelihood(sbottom: dict, signal: str) -> hc.HistFactory:
    return hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"][signal]])


def test_cls_of_the_atlas_likelihood_is_the_published_one(sbottom):
    """Region A, sbottom_1300_205_60 at mu = 1: the values that pyhf's documentation of the published likelihood prints
    and tests against them hold (found by SLSQP; releases differ from the seventh digit on)."""
    likelihood = sbottom_likelihood(sbottom, "1300_205_60")
    data = likelihood.observed_data
    best = fit(likelihood, data)
    q = fixed_poi_fit(likelihood, data, poi=1.0).deviance - best.deviance
    asimov = postfit_asimov_data(likelihood, data, mu=0.0)
    q_asimov = fixed_poi_fit(likelihood, asimov, poi=1.0).deviance
    assert cls_of(q, q_asimov) == pytest.approx(0.24443635754482018, abs=2e-6)
    expected = [0.09022521939741368, 0.19378411715432514, 0.3843236961508878, 0.6557759457699649, 0.8910421945189615]
    root = np.sqrt(q_asimov)
    np.testing.assert_allclose([norm.sf(root - n) / norm.cdf(n) for n in BANDS], expected, atol=5e-6)

    at_limit = upper_limit(likelihood, data).observed
    q = fixed_poi_fit(likelihood, data, poi=at_limit).deviance - best.deviance
    q_asimov = fixed_poi_fit(likelihood, asimov, poi=at_limit).deviance
    assert cls_of(q, q_asimov) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("signal", ["1000_205_60", "1300_205_60", "600_280_150"])
def test_all_limits_of_the_atlas_likelihood_against_hypotest_of_pyhf(sbottom, signal):
    likelihood = sbottom_likelihood(sbottom, signal)
    data = likelihood.observed_data
    limits = upper_limit(likelihood, data)
    for number, mu in enumerate([limits.observed, *limits.expected.values()]):
        with default_pyhf():
            observed, expected = pyhf.infer.hypotest(
                mu, data, likelihood.model, test_stat="qtilde", return_expected_set=True
            )
        assert float([observed, *expected][number]) == pytest.approx(0.05, abs=1e-4)


def test_limits_of_a_likelihood_with_many_parameters_at_their_bounds():
    """ttbar_ljets is tested at mu = 0, which its data exclude by 300 standard deviations: 35 s before, now 0.5 s.

    At the limits fits from nominal parameters give the CLs that is asked for.
    """
    likelihood = published("ttbar_ljets")
    data = likelihood.observed_data
    limits = upper_limit(likelihood, data)
    best = fit(likelihood, data)
    assert best.num_steps < 40
    assert fixed_poi_fit(likelihood, data, poi=0.0).num_steps < 100  # 134 before
    root = np.sqrt(fixed_poi_fit(likelihood, data, poi=limits.observed).deviance - best.deviance)
    assert norm.sf(root) == pytest.approx(0.05, abs=1e-9)  # CLb is one
    asimov = postfit_asimov_data(likelihood, data, mu=0.0)
    for band in (-2, 0, 2):
        found = fixed_poi_fit(likelihood, asimov, poi=limits.expected[band])
        assert norm.sf(np.sqrt(found.deviance) - band) / norm.cdf(band) == pytest.approx(0.05, abs=1e-8)


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 95.0, float("nan")])
def test_a_confidence_level_outside_zero_to_one_is_refused(level):
    likelihood = hc.HistFactory(models.build("normsys"))
    with pytest.raises(InputError, match=r"confidence_level is .* expected a number between 0 and 1"):
        expected_upper_limit(likelihood, confidence_level=level)
    with pytest.raises(InputError, match=r"confidence_level is .* expected a number between 0 and 1"):
        upper_limit(likelihood, [50.0, 0.0], confidence_level=level)


def test_without_signal_there_is_no_limit(x64):
    likelihood = hc.HistFactory(models.build("normsys"))
    none = scaled(likelihood, "s", 0.0)
    with pytest.raises(FitError, match=r"No upper limit was found: the expected signal is zero.*fixed_poi_fit"):
        expected_upper_limit(likelihood, none)
    assert np.isnan(jax.jit(lambda t: expected_upper_limit(likelihood, t))(none))
    changed = eqx.tree_at(lambda held: held.templates, likelihood, jax.tree.map(np.asarray, none))
    for data in (None, [50.0, 0.0]):
        with pytest.raises(FitError, match="expected signal is zero"):
            upper_limit(changed, data)


def test_a_fit_that_cannot_be_made_is_explained():
    """Three events where no background is expected: the background-only Asimov dataset does not exist."""
    with pytest.raises(FitError, match=r"fit at mu = 0.*fixed_poi_fit"):
        upper_limit(hc.HistFactory(one_bin(5.0, 0.0)), [3.0])


def test_wrong_data_a_missing_poi_and_32_bits_are_refused():
    likelihood = hc.HistFactory(models.build("normsys"))
    with pytest.raises(InputError, match=r"expects \(2,\)"):
        upper_limit(likelihood, [50.0])
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="jax_enable_x64"):
        jax.jit(lambda t: expected_upper_limit(likelihood, t))(likelihood.templates)
    without = hc.HistFactory(pyhf.Model(models.SPECS["normsys"], poi_name=None))
    for function in (expected_upper_limit, upper_limit):
        with pytest.raises(UnsupportedModelError, match="no parameter of interest"):
            function(without)


def test_the_result_says_what_it_is():
    likelihood = hc.HistFactory(models.build("shapesys"))
    text = repr(upper_limit(likelihood, counts_above(likelihood.model), confidence_level=0.9))
    assert "CLs at 90 %" in text
    assert "observed" in text
    assert "postfit Asimov data without signal" in text
    assert "observed" not in repr(upper_limit(likelihood))
