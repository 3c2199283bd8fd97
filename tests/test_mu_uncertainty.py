"""Expected uncertainty of the signal strength: closed forms, finite-difference Hessians of pyhf, minuit's HESSE."""

import dataclasses
import warnings
from typing import Any

import equinox as eqx
import iminuit
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts._core.errors import FitError, PrecisionError, UnsupportedModelError
from hepcuts.histfactory import expected_mu_uncertainty, fit, referee

from . import models

FIELDS = ("nominal", "histosys_up", "histosys_down", "normsys_up", "normsys_down", "staterror", "shapesys")


def one_channel(*backgrounds: Any, signal: Any, options: dict[str, Any] | None = None) -> hc.HistFactory:
    spec = {"channels": [models.channel("c", signal, *backgrounds)]}
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu", **(options or {})))


def counting(s: float, b: float, *modifiers: dict[str, Any], **options: Any) -> hc.HistFactory:
    """One bin; the modifiers are the background's."""
    return one_channel(
        models.sample("b", [b], *modifiers), signal=models.sample("s", [s], models.MU), options=options or None
    )


# --- closed forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(("s", "b"), [(5.0, 50.0), (1e-3, 0.7), (3e4, 1e9)])
def test_one_bin_without_uncertainties(s, b, mu):
    """The information of a Poisson mean n = mu s + b on mu is s^2 / n."""
    likelihood = counting(s, b)
    assert expected_mu_uncertainty(likelihood, mu=mu) == pytest.approx(np.sqrt(mu * s + b) / s, rel=1e-13)
    if mu == 1.0:
        assert expected_mu_uncertainty(likelihood) == expected_mu_uncertainty(likelihood, mu=1.0)


@pytest.mark.parametrize("mu", [0.0, 1.0, 3.0])
def test_one_bin_with_an_uncertain_background(mu):
    """n = mu s + theta b, and theta is known to +- sigma / b: of the information matrix

        | s^2/n    s b/n               |
        | s b/n    b^2/n + (b/sigma)^2 |

    the inverse has the element (n + sigma^2) / s^2. A Poisson constraint (shapesys) of tau = (b/sigma)^2 auxiliary
    events has the information tau of theta = 1, a Gaussian one (staterror) by its width; lumi likewise.
    """
    s, b, sigma = 5.0, 50.0, 8.0
    expected = np.sqrt(mu * s + b + sigma**2) / s
    for kind in ("shapesys", "staterror"):
        likelihood = counting(s, b, models.mod(kind, "a", [sigma]))
        assert expected_mu_uncertainty(likelihood, mu=mu) == pytest.approx(expected, rel=1e-12), kind
    lumi = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
    channel = models.channel(
        "c", models.sample("s", [s], models.MU), models.sample("b", [b], models.mod("lumi", "lumi"))
    )
    likelihood = hc.HistFactory(pyhf.Model({"channels": [channel], "parameters": [lumi]}, poi_name="mu"))
    expected = np.sqrt(mu * s + b + (0.02 * b) ** 2) / s
    assert expected_mu_uncertainty(likelihood, mu=mu) == pytest.approx(expected, rel=1e-12)


def test_one_bin_whose_signal_is_uncertain_too():
    """A staterror of both samples moves n itself: var(mu) = (n + (n sigma / (s + b))^2) / s^2, sigma^2 the sum."""
    s, b, sigma_s, sigma_b = 5.0, 50.0, 1.0, 4.0
    likelihood = one_channel(
        models.sample("b", [b], models.mod("staterror", "st", [sigma_b])),
        signal=models.sample("s", [s], models.MU, models.mod("staterror", "st", [sigma_s])),
    )
    for mu in (0.0, 1.0, 2.0):
        n = mu * s + b
        relative = np.hypot(sigma_s, sigma_b) / (s + b)
        expected = np.sqrt(n + (n * relative) ** 2) / s
        assert expected_mu_uncertainty(likelihood, mu=mu) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_one_bin_with_a_normsys(mu):
    """With interpolation code 1 and lo = 1 / hi the factor is exp(alpha ln hi): sigma = b ln hi in the above."""
    s, b, hi = 5.0, 50.0, 1.15
    settings = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
    likelihood = counting(s, b, models.normsys("a", hi, 1.0 / hi), modifier_settings=settings)
    expected = np.sqrt(mu * s + b + (b * np.log(hi)) ** 2) / s
    assert expected_mu_uncertainty(likelihood, mu=mu) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("small", [1e-2, 1e-3])
def test_a_small_normsys_is_linear_whatever_the_interpolation(small):
    """hi = 1 + x, lo = 1 - x: the slope of code 4 at zero is x + O(x^3), so that sigma = b x."""
    s, b = 5.0, 1e6
    likelihood = counting(s, b, models.normsys("a", 1.0 + small, 1.0 - small))
    expected = np.sqrt(s + b + (b * small) ** 2) / s
    assert expected_mu_uncertainty(likelihood) == pytest.approx(expected, rel=small**2)


@pytest.mark.parametrize("code", ["code0", "code4p"])
def test_several_bins_with_a_symmetric_histosys(code):
    """Of unconstrained mu and constrained alpha with n = mu s + b + alpha d (both codes have that slope at zero):
    1 / var(mu) = sum s^2/n - (sum s d/n)^2 / (1 + sum d^2/n)."""
    s, b, d = np.array([5.0, 3.0, 1.0]), np.array([50.0, 30.0, 8.0]), np.array([4.0, -2.0, 1.0])
    likelihood = one_channel(
        models.sample("b", b.tolist(), models.histosys("a", (b + d).tolist(), (b - d).tolist())),
        signal=models.sample("s", s.tolist(), models.MU),
        options={"modifier_settings": {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": code}}},
    )
    for mu in (0.0, 1.0, 4.0):
        n = mu * s + b
        information = np.sum(s**2 / n) - np.sum(s * d / n) ** 2 / (1.0 + np.sum(d**2 / n))
        assert expected_mu_uncertainty(likelihood, mu=mu) == pytest.approx(information**-0.5, rel=1e-12)


def test_a_free_background_of_another_shape():
    """The same without the constraint's one: a normfactor."""
    s, b = np.array([5.0, 3.0, 1.0]), np.array([50.0, 30.0, 28.0])
    likelihood = one_channel(
        models.sample("b", b.tolist(), models.mod("normfactor", "k")),
        signal=models.sample("s", s.tolist(), models.MU),
    )
    n = s + b
    information = np.sum(s**2 / n) - np.sum(s * b / n) ** 2 / np.sum(b**2 / n)
    assert expected_mu_uncertainty(likelihood) == pytest.approx(information**-0.5, rel=1e-11)


# --- any model ------------------------------------------------------------------------------------------------------


def fisher_information(model: pyhf.Model, mu: float) -> tuple[np.ndarray, np.ndarray]:
    """By differences of pyhf's rates and the constraints that pyhf holds; and which parameters are free."""
    config = model.config
    at = np.array(config.suggested_init(), dtype=np.float64)
    at[config.poi_index] = mu
    free = np.flatnonzero(~np.array(config.suggested_fixed()))
    with referee.backend():
        rates = lambda pars: np.asarray(model.expected_data(pars, include_auxdata=False))  # noqa: E731
        jacobian = []
        for i in free:
            unit = 1e-3 * np.eye(len(at))[i]
            differences = 8 * (rates(at + unit) - rates(at - unit)) - (rates(at + 2 * unit) - rates(at - 2 * unit))
            jacobian.append(differences / 0.012)
        expected = rates(at)
    used = expected > 0
    table = np.array(jacobian)[:, used]
    constraints = np.zeros(len(at))
    for name in config.auxdata_order:
        parameters = config.param_set(name)
        where = config.par_slice(name)
        gaussian = parameters.pdf_type == "normal"
        constraints[where] += (
            np.asarray(parameters.width()) ** -2.0 if gaussian else np.asarray(parameters.factors) / at[where]
        )
    return (table / expected[used]) @ table.T + np.diag(constraints[free]), free


@pytest.mark.parametrize("name", models.SPECS)
@pytest.mark.parametrize("mu", [0.0, 1.0, 2.5])
def test_inverse_of_the_fisher_information_of_pyhf(name, mu):
    model = models.build(name)
    information, free = fisher_information(model, mu)
    poi = list(free).index(model.config.poi_index)
    variance = np.linalg.inv(information)[poi, poi]
    assert expected_mu_uncertainty(hc.HistFactory(model), mu=mu) == pytest.approx(np.sqrt(variance), rel=1e-8)


def asimov_problem(model: pyhf.Model) -> tuple[Any, np.ndarray, np.ndarray]:
    """-2 ln L of pyhf on its Asimov data at mu = 1 as a function of the free parameters, where they are, and which."""
    config = model.config
    at = np.array(config.suggested_init(), dtype=np.float64)
    at[config.poi_index] = 1.0
    free = np.flatnonzero(~np.array(config.suggested_fixed()))
    with referee.backend():
        data = np.asarray(model.expected_data(at))

    def twice_nll(values: np.ndarray) -> float:
        pars = at.copy()
        pars[free] = values
        return -2.0 * float(model.logpdf(pars, data)[0])

    return twice_nll, at[free], free


@pytest.mark.parametrize("name", ["normsys", "histosys", "shapesys", "staterror-two-channels", "lumi", "shared-name"])
def test_finite_difference_hessian_of_pyhf_on_asimov_data(name):
    """On Asimov data the Hessian of -ln L is its expectation: it is linear in the data."""
    model = models.build(name)
    twice_nll, at, free = asimov_problem(model)
    size, h = len(at), 3e-3
    hessian = np.zeros((size, size))
    with referee.backend():
        for i in range(size):
            for j in range(size):
                e, f = h * np.eye(size)[i], h * np.eye(size)[j]

                def second(k, e=e, f=f):
                    corners = twice_nll(at + k * (e + f)) + twice_nll(at - k * (e + f))
                    return (corners - twice_nll(at + k * (e - f)) - twice_nll(at - k * (e - f))) / (4 * (k * h) ** 2)

                hessian[i, j] = (4.0 * second(1.0) - second(2.0)) / 3.0
    covariance = np.linalg.inv(0.5 * hessian)
    poi = list(free).index(model.config.poi_index)
    assert expected_mu_uncertainty(hc.HistFactory(model)) == pytest.approx(np.sqrt(covariance[poi, poi]), rel=2e-6)


def test_expectation_of_the_hessian_over_toys():
    """What the information is by definition: the mean over data drawn from the model, here of pyhf's main terms.

    n = mu s + b: the second derivative of -ln L is n_observed s^2 / n^2.
    """
    s, b = np.array([5.0, 3.0]), np.array([20.0, 40.0])
    likelihood = one_channel(models.sample("b", b.tolist()), signal=models.sample("s", s.tolist(), models.MU))
    counts = np.random.default_rng(1).poisson(s + b, size=(200_000, 2))
    mean = np.mean(counts * (s / (s + b)) ** 2, axis=0).sum()
    assert expected_mu_uncertainty(likelihood) == pytest.approx(mean**-0.5, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in models.SPECS if name != "everything"])
def test_minuit_hesse_on_asimov_data(name):
    """HESSE's own differences are good to some 1e-3; to a tenth only for the correlations of the model left out."""
    model = models.build(name)
    twice_nll, at, free = asimov_problem(model)
    with referee.backend(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lowest = twice_nll(at)
        minuit = iminuit.Minuit(lambda values: twice_nll(values) - lowest, at)
        minuit.errordef, minuit.strategy = 1.0, 2
        minuit.errors = 0.1
        minuit.hesse()
    assert minuit.accurate
    error = minuit.errors[list(free).index(model.config.poi_index)]
    assert expected_mu_uncertainty(hc.HistFactory(model)) == pytest.approx(error, rel=3e-3)


@pytest.mark.parametrize("name", ["histosys", "everything", "user-constraints"])
def test_the_observed_information_of_a_fit_to_asimov_data_is_the_same(name):
    likelihood = hc.HistFactory(models.build(name))
    data = likelihood.expected_data(likelihood.nominal_parameters(1.0))
    result = fit(likelihood, data, init=likelihood.nominal_parameters(1.0))
    assert expected_mu_uncertainty(likelihood) == pytest.approx(result.uncertainties[likelihood.poi], rel=1e-6)


def test_the_atlas_likelihood_against_the_fisher_information_of_pyhf(sbottom):
    likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"]["1000_205_60"]])
    information, free = fisher_information(likelihood.model, 1.0)
    unit = np.asarray(free == likelihood.poi, dtype=np.float64)
    assert expected_mu_uncertainty(likelihood) == pytest.approx(
        np.sqrt(unit @ np.linalg.solve(information, unit)), rel=1e-7
    )


# --- JAX ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["normsys-one-sided", "staterror-zero-bins", "shapefactor", "user-constraints", "everything"]
)
def test_eager_and_traced_values_are_one(name, x64):
    likelihood = hc.HistFactory(models.build(name))
    traced = jax.jit(lambda t, mu: expected_mu_uncertainty(likelihood, t, mu=mu))
    for mu in (0.0, 1.0, 2.5):
        eager = expected_mu_uncertainty(likelihood, mu=mu)
        assert isinstance(eager, np.floating)
        assert eager == pytest.approx(float(traced(likelihood.templates, mu)), rel=1e-12)


def central_difference(function, x: float, h: float) -> float:
    """Fourth order: its own error is far below 1e-6 of the derivative."""
    return (8 * (function(x + h) - function(x - h)) - (function(x + 2 * h) - function(x - 2 * h))) / (12 * h)


@pytest.mark.parametrize("name", ["staterror", "shapesys-zero-bins", "everything"])
@pytest.mark.slow("everything")
def test_gradient_against_reevaluations(name):
    likelihood = hc.HistFactory(models.build(name))
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(lambda t: expected_mu_uncertainty(likelihood, t)))(likelihood.templates)
    checked = 0
    for field in FIELDS:
        values, slopes = np.asarray(getattr(likelihood.templates, field)), np.asarray(getattr(gradient, field))
        assert np.all(np.isfinite(slopes)), field
        for index in (np.unravel_index(k, values.shape) for k in np.argsort(-np.abs(slopes).ravel())[:6]):
            if slopes[index] == 0.0 or values[index] == 0.0:
                continue

            def again(x, field=field, values=values, index=index):
                moved = values.copy()
                moved[index] = x
                return float(
                    expected_mu_uncertainty(likelihood, dataclasses.replace(likelihood.templates, **{field: moved}))
                )

            expected = central_difference(again, values[index], 3e-4 * abs(values[index]))
            assert slopes[index] == pytest.approx(expected, rel=1e-7, abs=1e-10), (field, index)
            checked += 1
    assert checked >= 3


def test_gradient_of_one_bin_meets_the_closed_form(x64):
    """sigma = sqrt(s + b) / s: d sigma / d b = 1 / (2 s sqrt(s + b)); d sigma / d s = that - sigma / s."""
    s, b = 5.0, 50.0
    likelihood = counting(s, b)
    slopes = jax.jit(jax.grad(lambda t: expected_mu_uncertainty(likelihood, t)))(likelihood.templates).nominal[:, 0]
    by_name = dict(zip(likelihood.samples, slopes, strict=True))
    by_b = 0.5 / (s * np.sqrt(s + b))
    assert by_name["b"] == pytest.approx(by_b, rel=1e-12)
    assert by_name["s"] == pytest.approx(by_b - np.sqrt(s + b) / s**2, rel=1e-12)


def scaled(likelihood: hc.HistFactory, sample: str, factor: Any) -> Any:
    rows = jnp.asarray([[name == sample] for name in likelihood.samples])
    nominal = likelihood.templates.nominal * jnp.where(rows, factor, 1.0)
    return dataclasses.replace(likelihood.templates, nominal=nominal)


def test_jit_vmap_and_grad_compose(x64):
    likelihood = hc.HistFactory(models.build("everything"))
    factors = np.array([0.5, 1.0, 2.0])

    def uncertainty(factor):
        return expected_mu_uncertainty(likelihood, scaled(likelihood, "b1", factor))

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(uncertainty)))(factors)
    for factor, value, slope in zip(factors, values, slopes, strict=True):
        assert value == pytest.approx(float(uncertainty(factor)), rel=1e-11)
        assert slope == pytest.approx(central_difference(lambda x: float(uncertainty(x)), factor, 1e-3), rel=1e-7)
    assert np.all(np.diff(values) > 0)
    assert eqx.filter_jit(expected_mu_uncertainty)(likelihood) == pytest.approx(
        float(expected_mu_uncertainty(likelihood)), rel=1e-12
    )


def test_second_derivative_and_derivative_in_mu_of_one_bin(x64):
    s, b = 5.0, 50.0
    likelihood = counting(s, b)

    def by_background(factor):
        return expected_mu_uncertainty(likelihood, scaled(likelihood, "b", factor))

    assert jax.jit(jax.hessian(by_background))(1.0) == pytest.approx(-0.25 * b**2 * (s + b) ** -1.5 / s, rel=1e-10)
    slope = jax.jit(jax.grad(lambda mu: expected_mu_uncertainty(likelihood, mu=mu)))(1.0)
    assert slope == pytest.approx(0.5 / np.sqrt(s + b), rel=1e-10)


# --- errors ---------------------------------------------------------------------------------------------------------


SINGULAR = r"The information on the signal strength is zero: no signal is expected, or .* fix or constrain one"


def test_without_signal_there_is_no_information(x64):
    likelihood = hc.HistFactory(models.build("everything"))
    none = scaled(likelihood, "s", 0.0)
    with pytest.raises(FitError, match=SINGULAR):
        expected_mu_uncertainty(likelihood, none)
    assert np.isnan(jax.jit(lambda t: expected_mu_uncertainty(likelihood, t))(none))


@pytest.mark.parametrize("seed", range(30))
def test_a_free_background_of_the_shape_of_the_signal_is_recognized(seed):
    """Numbers for which rounding leaves a small pivot of either sign, or none."""
    generator = np.random.default_rng(seed)
    shape = generator.uniform(0.5, 2.0, size=1 + seed % 4)
    s, b = generator.uniform(1.0, 20.0), generator.uniform(10.0, 100.0)
    likelihood = one_channel(
        models.sample("b", (b * shape).tolist(), models.mod("normfactor", "k")),
        signal=models.sample("s", (s * shape).tolist(), models.MU),
    )
    with pytest.raises(FitError, match=SINGULAR):
        expected_mu_uncertainty(likelihood)
    if seed < 4:
        with jax.enable_x64(True):
            traced = jax.jit(lambda t: expected_mu_uncertainty(likelihood, t))(likelihood.templates)
        assert np.isnan(traced)


@pytest.mark.parametrize("seed", range(10))
def test_a_signal_that_free_backgrounds_add_up_to_is_recognized(seed):
    generator = np.random.default_rng(100 + seed)
    shapes = generator.uniform(1.0, 20.0, size=(6, 10))
    signal = generator.uniform(0.1, 1.0, size=6) @ shapes
    backgrounds = [
        models.sample(f"b{i}", shape.tolist(), models.mod("normfactor", f"k{i}")) for i, shape in enumerate(shapes)
    ]
    likelihood = one_channel(*backgrounds, signal=models.sample("s", signal.tolist(), models.MU))
    with pytest.raises(FitError, match=SINGULAR):
        expected_mu_uncertainty(likelihood)


def test_free_bins_without_a_control_region_leave_nothing():
    likelihood = one_channel(
        models.sample("b", [5.0, 6.0], models.mod("shapefactor", "f")),
        signal=models.sample("s", [3.0, 4.0], models.MU),
    )
    with pytest.raises(FitError, match=SINGULAR):
        expected_mu_uncertainty(likelihood)


def test_a_shape_that_is_almost_the_signals_is_still_told_from_it():
    """1 / var(mu) is what the shapes differ by: mu is poorly known, but it is known."""
    shape, delta = np.array([1.0, 1.0]), 1e-4
    b = 50.0 * shape * np.array([1.0 + delta, 1.0 - delta])
    s = 5.0 * shape
    likelihood = one_channel(
        models.sample("b", b.tolist(), models.mod("normfactor", "k")),
        signal=models.sample("s", s.tolist(), models.MU),
    )
    n = s + b
    # The determinant of the 2 x 2 matrix without cancellation: (s_1 b_2 - s_2 b_1)^2 / (n_1 n_2).
    information = (s[0] * b[1] - s[1] * b[0]) ** 2 / (n[0] * n[1]) / np.sum(b**2 / n)
    assert expected_mu_uncertainty(likelihood) == pytest.approx(information**-0.5, rel=1e-6)


def test_a_missing_poi_and_32_bits_are_refused():
    without = hc.HistFactory(pyhf.Model(models.SPECS["normsys"], poi_name=None))
    with pytest.raises(UnsupportedModelError, match="no parameter of interest"):
        expected_mu_uncertainty(without)
    likelihood = hc.HistFactory(models.build("normsys"))
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="jax_enable_x64"):
        jax.jit(lambda t: expected_mu_uncertainty(likelihood, t))(likelihood.templates)
