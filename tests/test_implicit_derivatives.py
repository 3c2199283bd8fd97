"""Derivatives that follow a fit's minimum: Hessians of Z, fitted parameters, Asimov data made by a fit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts.histfactory import fit, fixed_poi_fit, postfit_asimov_data, prefit_asimov_data
from hepcuts.histfactory.minimization import fitted_parameters

from . import models
from .test_host import SCALES, datasets, difference, likelihood_of, scaled_z, with_signal

# --- second derivatives


def nominal_z(likelihood: hc.HistFactory, data=None):
    return lambda nominal: hc.discovery_significance(
        likelihood, dataclasses.replace(likelihood.templates, nominal=nominal), data
    )


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "observed"),
    [
        ("normsys", False),
        *(pytest.param(*case, marks=SLOW) for case in [("shapesys", False), ("shapesys", True), ("normsys", True)]),
        *(pytest.param(name, seen, marks=SLOW) for name in ("shared-name", "staterror") for seen in (False, True)),
    ],
)
def test_hessian_in_the_yields_against_differences_of_gradients(name, observed, x64):
    likelihood = likelihood_of(name)
    z = nominal_z(likelihood, datasets(likelihood, 2)[1] if observed else None)
    nominal = jnp.asarray(likelihood.templates.nominal)
    hessian = np.asarray(jax.jit(jax.hessian(z))(nominal))
    gradient = jax.grad(z)
    for index in np.ndindex(nominal.shape):
        step = 1e-3 * float(nominal[index])
        slope = lambda x, index=index: np.asarray(gradient(nominal.at[index].set(x)))  # noqa: E731
        expected = difference(slope, float(nominal[index]), step)
        np.testing.assert_allclose(hessian[:, :, *index], expected, rtol=1e-5, atol=1e-6 * np.abs(hessian).max())


@SLOW
def test_a_batch_of_second_derivatives(x64):
    z = scaled_z(likelihood_of("normsys"))
    expected = [difference(lambda x: float(jax.grad(z)(x)), scale, 1e-3) for scale in SCALES]
    many = jax.jit(jax.vmap(jax.jacfwd(jax.grad(z))))(SCALES)
    np.testing.assert_allclose(many, expected, rtol=1e-6)


@SLOW
def test_second_derivatives_backwards(x64):
    z = scaled_z(likelihood_of("normsys"))
    expected = difference(lambda x: float(jax.grad(z)(x)), 1.0, 1e-3)
    assert float(jax.jit(jax.jacrev(jax.grad(z)))(1.0)) == pytest.approx(expected, rel=1e-6)


# --- derivatives of the fitted parameters


def best_fit(likelihood: hc.HistFactory, templates, data, *, poi: float | None = None):
    start = likelihood.nominal_parameters(1.0 if poi is None else poi)
    return fitted_parameters(likelihood.structure, templates, data, jnp.asarray(start), fix_poi=poi is not None)


FITS = pytest.mark.parametrize("poi", [None, 0.0, 0.7], ids=["all free", "mu = 0", "mu = 0.7"])
SOME_FITS = pytest.mark.parametrize(
    "poi", [None, pytest.param(0.0, marks=SLOW), 0.7], ids=["all free", "mu = 0", "mu = 0.7"]
)
SLOWLY_FITTED = [pytest.param(n, marks=SLOW) for n in ("staterror", "shared-name", "lumi", "everything")]


@FITS
@pytest.mark.parametrize("name", list(models.SPECS))
def test_fitted_parameters_are_those_of_the_fit(name, poi, x64):
    likelihood = likelihood_of(name)
    data = datasets(likelihood, 2)[1]
    expected = fit(likelihood, data) if poi is None else fixed_poi_fit(likelihood, data, poi=poi)
    found = best_fit(likelihood, likelihood.templates, data, poi=poi)
    np.testing.assert_allclose(found, expected.parameters, rtol=1e-6, atol=1e-6)


@SOME_FITS
@pytest.mark.parametrize("name", ["normsys", pytest.param("shapesys", marks=SLOW), *SLOWLY_FITTED])
def test_how_fitted_parameters_follow_the_data(name, poi, x64):
    likelihood = likelihood_of(name)
    data = jnp.asarray(datasets(likelihood, 2)[1])
    fitted = lambda d: best_fit(likelihood, likelihood.templates, d, poi=poi)  # noqa: E731
    jacobian = np.asarray(jax.jit(jax.jacrev(fitted))(data))
    for column in range(len(data)):
        step = 1e-3 * max(float(data[column]), 0.1)
        refit = lambda x, k=column: np.asarray(fitted(data.at[k].set(x)))  # noqa: E731
        expected = difference(refit, float(data[column]), step)
        np.testing.assert_allclose(jacobian[:, column], expected, rtol=1e-5, atol=1e-6)


@SOME_FITS
@pytest.mark.parametrize("name", ["shapesys", pytest.param("normsys", marks=SLOW), *SLOWLY_FITTED])
def test_how_fitted_parameters_follow_the_templates(name, poi, x64):
    likelihood = likelihood_of(name)
    data = datasets(likelihood, 2)[1]
    direction = jax.tree.map(lambda t: 0.1 * t * np.cos(np.arange(t.size)).reshape(t.shape), likelihood.templates)

    def fitted(x):
        moved = jax.tree.map(lambda t, d: t + x * d, likelihood.templates, direction)
        return best_fit(likelihood, moved, data, poi=poi)

    slope = np.asarray(jax.jit(jax.jacfwd(fitted))(0.0))
    expected = difference(lambda x: np.asarray(fitted(x)), 0.0, 1e-3)
    assert np.any(slope != 0.0)
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-6)


def test_how_nuisance_parameters_follow_the_signal_strength(x64):
    likelihood = likelihood_of("normsys")
    data = datasets(likelihood, 2)[1]

    def profiled(mu):
        start = jnp.asarray(likelihood.structure.init).at[likelihood.poi].set(mu)
        return fitted_parameters(likelihood.structure, likelihood.templates, data, start, fix_poi=True)

    slope = np.asarray(jax.jit(jax.jacfwd(profiled))(0.8))
    assert slope[likelihood.poi] == 1.0
    np.testing.assert_allclose(slope, difference(lambda mu: np.asarray(profiled(mu)), 0.8, 1e-3), rtol=1e-6)


def tight(bound: float) -> hc.HistFactory:
    """Two systematic uncertainties, one of them held within narrow bounds."""
    background = models.sample(
        "b", [50.0, 40.0], models.normsys("a", 1.1, 0.9), models.histosys("h", [55.0, 37.0], [46.0, 43.0])
    )
    spec = {
        "channels": [models.channel("c", models.sample("s", [5.0, 2.0], models.MU), background)],
        "parameters": [{"name": "a", "bounds": [[-bound, bound]]}],
    }
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu"))


@pytest.mark.parametrize("poi", [None, pytest.param(0.0, marks=SLOW)], ids=["all free", "mu = 0"])
def test_derivatives_of_a_fit_with_a_parameter_at_its_bound(poi, x64):
    likelihood = tight(0.1)
    data = jnp.asarray([63.0, 55.0, *likelihood.structure.auxdata])
    fitted = lambda d: best_fit(likelihood, likelihood.templates, d, poi=poi)  # noqa: E731
    a = likelihood.parameter_names.index("a")
    assert float(fitted(data)[a]) == 0.1
    jacobian = np.asarray(jax.jit(jax.jacfwd(fitted))(data))
    np.testing.assert_array_equal(jacobian[a], 0.0)
    for column in range(len(data)):
        refit = lambda x, k=column: np.asarray(fitted(data.at[k].set(x)))  # noqa: E731
        expected = difference(refit, float(data[column]), 1e-2)
        np.testing.assert_allclose(jacobian[:, column], expected, rtol=1e-5, atol=1e-7)


def test_derivatives_of_a_fit_without_signal(x64):
    """The signal strength ends at its lower bound and does not respond."""
    likelihood = likelihood_of("histosys")
    data = jnp.asarray([45.0, 25.0, 0.0])
    fitted = lambda d: best_fit(likelihood, likelihood.templates, d)  # noqa: E731
    assert float(fitted(data)[likelihood.poi]) == 0.0
    jacobian = np.asarray(jax.jit(jax.jacfwd(fitted))(data))
    np.testing.assert_array_equal(jacobian[likelihood.poi], 0.0)
    expected = difference(lambda x: np.asarray(fitted(data.at[0].set(x))), 45.0, 1e-2)
    np.testing.assert_allclose(jacobian[:, 0], expected, rtol=1e-6, atol=1e-9)


def test_a_fit_that_fails_has_no_parameters_and_disturbs_no_other(x64):
    spec = {"channels": [models.channel("c", models.sample("s", [5.0], models.MU), models.sample("b", [1.0]))]}
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu"))

    def fitted(b):
        nominal = jnp.stack([jnp.array([b]) if name == "b" else jnp.array([5.0]) for name in likelihood.samples])
        templates = dataclasses.replace(likelihood.templates, nominal=nominal)
        return best_fit(likelihood, templates, jnp.array([7.0]), poi=0.0)[0]

    np.testing.assert_array_equal(np.isnan(jax.vmap(fitted)(jnp.array([1.0, 0.0, 3.0]))), [False, True, False])


@pytest.mark.parametrize(
    ("code", "sides", "observed", "at"),
    [
        ("code0", (48.0, 49.0), (60.0, 0.0), 0.0),
        pytest.param("code0", (54.0, 47.0), (60.0, 0.0), None, marks=SLOW),
        ("code2", (50.0, 45.0), (45.0, -1.2), -1.0),
        pytest.param("code2", (58.0, 45.0), (70.0, 2.0), None, marks=SLOW),
    ],
    ids=["on a kink", "beside a kink", "at a jump", "beyond a jump"],
)
@pytest.mark.slow("at a jump")
def test_derivatives_of_a_fit_that_a_corner_holds(code, sides, observed, at, x64):
    """A parameter that rests on a kink or at a jump does not respond, and the other one does as if it were fixed."""
    shift = models.histosys("h", *([side, 40.0] for side in sides))
    background = models.sample("b", [50.0, 40.0], shift, models.normsys("a", 1.1, 0.9))
    spec = {"channels": [models.channel("c", models.sample("s", [5.0, 2.0], models.MU), background)]}
    codes = {"histosys": {"interpcode": code}, "normsys": {"interpcode": "code4"}}
    likelihood = hc.HistFactory(pyhf.Model(spec, poi_name="mu", modifier_settings=codes))
    count, measured = observed
    auxiliary = [measured if name == "h" else 0.0 for name in likelihood.model.config.auxdata_order]
    data = jnp.asarray([count, 44.0, *auxiliary])
    fitted = lambda d: best_fit(likelihood, likelihood.templates, d, poi=0.0)  # noqa: E731
    h = likelihood.parameter_names.index("h")
    if at is not None:
        assert float(fitted(data)[h]) == pytest.approx(at, abs=1e-200)
    jacobian = np.asarray(jax.jit(jax.jacfwd(fitted))(data))
    assert np.any(jacobian[h] != 0.0) == (at is None)
    for column in range(len(data)):
        refit = lambda x, k=column: np.asarray(fitted(data.at[k].set(x)))  # noqa: E731
        expected = difference(refit, float(data[column]), 1e-3)
        np.testing.assert_allclose(jacobian[:, column], expected, rtol=1e-5, atol=1e-7)


# --- Asimov data through a fit


@pytest.mark.parametrize("name", ["shapesys", pytest.param("normsys", marks=SLOW), *SLOWLY_FITTED])
def test_postfit_asimov_data_against_refits(name, x64):
    likelihood = likelihood_of(name)
    data = jnp.asarray(datasets(likelihood, 2)[1])
    made = lambda d: postfit_asimov_data(likelihood, d)  # noqa: E731
    jacobian = np.asarray(jax.jit(jax.jacfwd(made))(data))
    for column in range(min(len(data), 6)):
        refit = lambda x, k=column: np.asarray(made(np.asarray(data.at[k].set(x))))  # noqa: E731
        expected = difference(refit, float(data[column]), 1e-3 * max(float(data[column]), 0.1))
        np.testing.assert_allclose(jacobian[:, column], expected, rtol=1e-5, atol=1e-6)


def test_postfit_asimov_data_follow_the_templates(x64):
    likelihood = likelihood_of("normsys")
    data = datasets(likelihood, 2)[1]
    made = lambda scale: postfit_asimov_data(likelihood, data, with_signal(likelihood, scale))  # noqa: E731
    expected = difference(lambda x: np.asarray(made(x)), 1.3, 1e-3)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(made))(1.3), expected, rtol=1e-6, atol=1e-8)


def test_the_significance_on_postfit_asimov_data_is_differentiable(x64):
    """The chain of a fit to data, the dataset made of it, and the test on that."""
    likelihood = likelihood_of("normsys")
    data = datasets(likelihood, 2)[1]

    def z(scale):
        templates = with_signal(likelihood, scale)
        return hc.discovery_significance(likelihood, templates, postfit_asimov_data(likelihood, data, templates))

    slope = difference(lambda x: float(z(x)), 1.3, 1e-3)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(z)))(jnp.array([1.3, 1.3])), slope, rtol=1e-6)


def test_postfit_asimov_data_of_the_expectation_are_the_prefit_ones(x64):
    likelihood = likelihood_of("everything")
    prefit = prefit_asimov_data(likelihood)
    np.testing.assert_allclose(postfit_asimov_data(likelihood, prefit), prefit, rtol=1e-8)
    expected = likelihood.model.expected_data(likelihood.nominal_parameters())
    np.testing.assert_allclose(prefit, expected, rtol=1e-12)
