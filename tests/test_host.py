"""Fits inside JAX's transformations: batching, compiling and differentiating what runs on the host.

Derivatives that follow the fitted parameters are in test_implicit_derivatives.py.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepcuts as hc
from hepcuts.histfactory import host
from hepcuts.histfactory.discovery import significances

from . import models

SCALES = np.array([0.3, 1.0, 1.7, 2.5])


def likelihood_of(name: str = "shared-name") -> hc.HistFactory:
    return hc.HistFactory(models.build(name))


def with_signal(likelihood: hc.HistFactory, scale):
    """Templates with the signal scaled."""
    signal = np.array([[name == "s"] for name in likelihood.samples])
    nominal = likelihood.templates.nominal * jnp.where(signal, scale, 1.0)
    return dataclasses.replace(likelihood.templates, nominal=nominal)


def scaled_z(likelihood: hc.HistFactory):
    return lambda scale: hc.discovery_significance(likelihood, with_signal(likelihood, scale))


def datasets(likelihood: hc.HistFactory, number: int = 3) -> np.ndarray:
    """Data with an excess where events are expected, shape (number, data)."""
    data = np.tile(likelihood.expected_data(likelihood.nominal_parameters(1.0)), (number, 1))
    main = data[:, : len(likelihood.structure.channel_of_bin)]
    main[:] = np.where(main > 0, np.round(main) + 3.0 * np.arange(number)[:, None], 0.0)
    return data


def difference(function, x: float, h: float):
    """Central difference of fourth order."""
    return (8 * (function(x + h) - function(x - h)) - (function(x + 2 * h) - function(x - 2 * h))) / (12 * h)


# --- the bridge itself

ODD_NUMBERS = np.array([0.0, -0.0, 1.0 + 2**-52, 5e-324, 2.0**-1030, 1.8e308, np.inf, -np.inf, np.nan, 1 / 3])


def sums(tree):
    """Numbers of two shapes from numbers, integers and flags."""
    chosen = np.where(tree["flags"], tree["integers"], -1).astype(np.float64)
    return {"all": 2.0 * tree["floats"] + chosen, "one": tree["floats"].sum(axis=-1)}


TREE = {
    "floats": np.array([1 / 3, 2.0, 0.1]),
    "integers": np.array([2**31 - 1, 2, 3], dtype=np.int32),
    "flags": np.array([True, False, True]),
}
SHAPES = {"all": jax.ShapeDtypeStruct((3,), np.float64), "one": jax.ShapeDtypeStruct((), np.float64)}


def test_numbers_pass_unharmed_bit_by_bit(x64):
    identity = lambda x: host.call(lambda a: a, jax.ShapeDtypeStruct(x.shape, np.float64), x)  # noqa: E731
    np.testing.assert_array_equal(
        np.asarray(jax.jit(identity)(ODD_NUMBERS)).view(np.uint64), ODD_NUMBERS.view(np.uint64)
    )


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["directly", "jit"])
def test_trees_of_floats_integers_and_flags(transform, x64):
    found = transform(lambda tree: host.call(sums, SHAPES, tree))(TREE)
    for name, expected in sums(TREE).items():
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], expected)


def test_batches_of_trees(x64):
    many = jax.tree.map(lambda leaf: np.stack([leaf, leaf[::-1]]), TREE)
    found = jax.jit(jax.vmap(lambda tree: host.call(sums, SHAPES, tree)))(many)
    for lane in range(2):
        expected = sums(jax.tree.map(lambda leaf, lane=lane: leaf[lane], many))
        np.testing.assert_array_equal(found["all"][lane], expected["all"])
        np.testing.assert_array_equal(found["one"][lane], expected["one"])


@pytest.mark.parametrize("jitted", [False, True])
def test_a_batch_is_one_call(jitted, x64):
    calls = []

    def counted(x):
        calls.append(x.shape)
        return x.sum(axis=-1)

    one = lambda x: host.call(counted, jax.ShapeDtypeStruct((), np.float64), x)  # noqa: E731
    many = jax.vmap(jax.vmap(one))
    x = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_array_equal((jax.jit(many) if jitted else many)(x), x.sum(axis=-1))
    assert calls == [(2, 4, 3)]


def test_arguments_that_are_not_batched_come_with_axes_of_length_one(x64):
    shapes = []

    def product(x, y):
        shapes.append((x.shape, y.shape))
        return x * y

    one = lambda x, y: host.call(product, jax.ShapeDtypeStruct((), np.float64), x, y)  # noqa: E731
    found = jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))(np.arange(2.0), np.arange(3.0))
    np.testing.assert_array_equal(found, np.outer(np.arange(2.0), np.arange(3.0)))
    assert shapes == [((2, 1), (1, 3))]


def test_outside_of_transformations_no_array_becomes_jaxs():
    received = host.call(lambda x: x, jax.ShapeDtypeStruct((3,), np.float64), np.arange(3.0))
    assert type(received) is np.ndarray
    assert received.dtype == np.float64


# --- batches of likelihoods


def test_templates_along_one_axis_and_data_along_another(x64):
    likelihood = likelihood_of()
    data = datasets(likelihood)
    z = lambda scale, d: hc.discovery_significance(likelihood, with_signal(likelihood, scale), d)  # noqa: E731
    both = jax.vmap(jax.vmap(z, in_axes=(None, 0)), in_axes=(0, None))
    expected = np.array([[float(z(scale, d)) for d in data] for scale in SCALES])
    np.testing.assert_allclose(both(SCALES, data), expected, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(both)(SCALES, data), expected, rtol=1e-10)
    swapped = jax.vmap(jax.vmap(z, in_axes=(0, None)), in_axes=(None, 0))
    np.testing.assert_allclose(swapped(SCALES, data), expected.T, rtol=1e-10)
    together = jax.vmap(z)(SCALES[:3], data)
    np.testing.assert_allclose(together, np.diagonal(expected), rtol=1e-10)


@pytest.mark.parametrize("field", ["nominal", "histosys_up", "normsys_up", "normsys_down", "staterror"])
def test_leaves_that_are_not_batched(field, x64):
    likelihood = likelihood_of("everything")
    table = getattr(likelihood.templates, field)
    tables = np.stack([table, 1.02 * table, 1.05 * table])
    z = lambda t: hc.discovery_significance(  # noqa: E731
        likelihood, dataclasses.replace(likelihood.templates, **{field: t})
    )
    expected = [float(z(t)) for t in tables]
    np.testing.assert_allclose(jax.vmap(z)(tables), expected, rtol=1e-10)
    assert len(set(expected)) == 3


@pytest.mark.parametrize("axis", [1, -1])
def test_a_batch_along_another_than_the_first_axis(axis, x64):
    likelihood = likelihood_of()
    tables = np.stack([likelihood.templates.nominal, 1.3 * likelihood.templates.nominal], axis=axis)
    z = lambda n: hc.discovery_significance(likelihood, dataclasses.replace(likelihood.templates, nominal=n))  # noqa: E731
    expected = [float(z(likelihood.templates.nominal)), float(z(1.3 * likelihood.templates.nominal))]
    np.testing.assert_allclose(jax.vmap(z, in_axes=axis)(tables), expected, rtol=1e-10)


def test_a_batch_without_any_likelihood(x64):
    likelihood = likelihood_of()
    nominal = np.zeros((0, *likelihood.templates.nominal.shape))
    templates = dataclasses.replace(likelihood.templates, nominal=nominal)
    assert significances(likelihood, templates).shape == (0,)


def test_a_batch_of_gradients(x64):
    likelihood = likelihood_of("everything")
    z = scaled_z(likelihood)
    many = jax.vmap(jax.grad(z))(SCALES)
    np.testing.assert_allclose(many, [float(jax.grad(z)(scale)) for scale in SCALES], rtol=1e-9)
    np.testing.assert_allclose(many, [difference(lambda x: float(z(x)), s, 1e-3) for s in SCALES], rtol=1e-6)


def test_gradients_of_a_batch(x64):
    likelihood = likelihood_of()
    total = lambda scales: jax.vmap(scaled_z(likelihood))(scales).sum()  # noqa: E731
    np.testing.assert_allclose(
        jax.grad(total)(SCALES), [float(jax.grad(scaled_z(likelihood))(s)) for s in SCALES], rtol=1e-9
    )


@pytest.mark.parametrize("loop", [jax.lax.map, lambda f, x: jax.lax.scan(lambda c, s: (c, f(s)), 0.0, x)[1]])
def test_compiled_inside_a_loop(loop, x64):
    z = scaled_z(likelihood_of())
    expected = [float(z(scale)) for scale in SCALES]
    np.testing.assert_allclose(loop(jax.jit(z), SCALES), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(lambda x: loop(z, x))(SCALES), expected, rtol=1e-12)


def test_gradients_inside_a_loop_and_through_it(x64):
    z = scaled_z(likelihood_of())
    expected = [float(jax.grad(z)(scale)) for scale in SCALES]
    np.testing.assert_allclose(jax.lax.map(jax.grad(z), SCALES), expected, rtol=1e-9)
    through = jax.grad(lambda x: jax.lax.map(z, x).sum())
    np.testing.assert_allclose(jax.jit(through)(SCALES), expected, rtol=1e-9)


def test_compiled_once_for_all_numbers(x64):
    likelihood, traces = likelihood_of(), []

    @jax.jit
    def z(scale):
        traces.append(scale)
        return scaled_z(likelihood)(scale)

    values = [float(z(scale)) for scale in SCALES]
    assert len(traces) == 1
    assert np.all(np.diff(values) > 0)


def test_a_branch_that_is_not_taken_is_not_fitted(x64):
    z = scaled_z(likelihood_of())
    either = jax.jit(lambda s: jax.lax.cond(s > 1.0, z, lambda _: -1.0, s))
    assert float(either(0.5)) == -1.0
    assert float(either(2.0)) == pytest.approx(float(z(2.0)), rel=1e-12)


# --- precision and traced structures


def test_in_a_local_scope_with_the_flag_off():
    assert not jax.config.jax_enable_x64
    likelihood = likelihood_of("everything")
    outside = float(hc.discovery_significance(likelihood))
    with jax.enable_x64(True):
        jitted = jax.jit(lambda t: hc.discovery_significance(likelihood, t))(likelihood.templates)
        gradient = jax.jit(jax.grad(scaled_z(likelihood)))(1.0)
    assert np.asarray(jitted).dtype == np.asarray(gradient).dtype == np.float64
    # Digits that 32 bits do not have.
    assert float(jitted) == pytest.approx(outside, rel=1e-13)
    slope = difference(lambda x: float(hc.discovery_significance(likelihood, scaled(likelihood, x))), 1.0, 1e-3)
    assert float(gradient) == pytest.approx(slope, rel=1e-8)


def scaled(likelihood: hc.HistFactory, scale: float):
    """As `with_signal`, in NumPy."""
    factor = np.where(np.array([[name == "s"] for name in likelihood.samples]), scale, 1.0)
    return dataclasses.replace(likelihood.templates, nominal=likelihood.templates.nominal * factor)


@pytest.mark.parametrize("name", ["normsys", "everything", "shapesys-zero-bins"])
def test_a_likelihood_that_is_an_argument_of_jit(name, x64):
    likelihood = likelihood_of(name)
    expected = float(hc.discovery_significance(likelihood))
    assert float(eqx.filter_jit(hc.discovery_significance)(likelihood)) == pytest.approx(expected, rel=1e-12)
    data = datasets(likelihood, 1)[0]
    found = eqx.filter_jit(lambda held, d: hc.discovery_significance(held, data=d))(likelihood, data)
    assert float(found) == pytest.approx(float(hc.discovery_significance(likelihood, data=data)), rel=1e-10)


def test_the_gradient_of_a_likelihood_that_is_an_argument_of_jit(x64):
    likelihood = likelihood_of()
    gradient = eqx.filter_jit(lambda held: jax.grad(lambda t: hc.discovery_significance(held, t))(held.templates))(
        likelihood
    )
    expected = jax.grad(lambda t: hc.discovery_significance(likelihood, t))(likelihood.templates)
    for found, wanted in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_batch_beside_a_traced_structure(x64):
    likelihood = likelihood_of()
    found = eqx.filter_jit(lambda held: jax.vmap(scaled_z(held))(SCALES))(likelihood)
    np.testing.assert_allclose(found, [float(scaled_z(likelihood)(s)) for s in SCALES], rtol=1e-10)
