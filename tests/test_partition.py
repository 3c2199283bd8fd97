"""Eliminating the parameters of single bins changes the work, not the result: against all elements at once."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts.histfactory import density, expected_mu_uncertainty, fit
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.interpolation import JUMPING
from hepcuts.histfactory.minimization import fitted_parameters
from hepcuts.histfactory.searches import free_parameters
from hepcuts.histfactory.solver.arrow import Arrow
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.linear import solve_scaled
from hepcuts.histfactory.solver.minima import CONVERGED
from hepcuts.histfactory.solver.newton import minimize
from hepcuts.histfactory.solver.partition import WORTH_LOCAL
from hepcuts.histfactory.solver.steps import kick, level_step

from . import models
from .test_expansion import CASES, likelihood_of, many_templates, points

EVERY, NONE = 0, 10**9
"""Numbers of local parameters from which on they are eliminated."""
SEEDS = range(12)
deviance = eqx.filter_jit(density.deviance)


def random_model(seed: int) -> pyhf.Model:
    """A model with all that may meet in a bin, interpolation codes in turn.

    Samples that share a gamma, several gammas of one bin, gammas that two channels share (a shapefactor), both kinds of
    constraint, empty cells, narrow bounds, fixed parameters.
    """
    generator = np.random.default_rng(seed)
    sizes = {"one": 5, "two": 5, "three": int(generator.integers(2, 8)), "four": 1}
    channels = [{"name": name, "samples": _samples(name, size, generator)} for name, size in sizes.items()]
    parameters = [
        {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0], "bounds": [[0.5, 1.5]]},
        {"name": "staterror_three", "bounds": [[0.999, 1.002]] * sizes["three"]},
        {"name": "shapesys_two_1", "fixed": bool(seed % 2)},
        {"name": "rate_1", "fixed": bool(seed % 3 == 0)},
    ]
    workspace = {
        "version": "1.0.0",
        "channels": channels,
        "observations": [{"name": name, "data": [1.0] * size} for name, size in sizes.items()],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
    }
    return pyhf.Workspace(workspace).model(modifier_settings=models.CODES[seed % len(models.CODES)])


def _samples(channel: str, bins: int, generator: np.random.Generator) -> list[dict]:
    def modifier(kind, name, data=None):
        return {"type": kind, "name": name, "data": data}

    signal = generator.uniform(1.0, 9.0, bins)
    samples = [{"name": "signal", "data": signal.tolist(), "modifiers": [modifier("normfactor", "mu")]}]
    for number in range(3):
        nominal = generator.uniform(10.0, 80.0, bins) * (generator.random(bins) > 0.1 * (number == 2))
        up, down = (nominal * generator.uniform(0.9, 1.1, bins) for _ in range(2))
        modifiers = [
            modifier("lumi", "lumi"),
            modifier("normsys", f"rate_{number}", {"hi": 1.1, "lo": 0.93}),
            modifier("normsys", "shape_0", {"hi": 1.03, "lo": 0.98}),
            modifier("staterror", f"staterror_{channel}", (0.1 * nominal).tolist()),
            modifier("shapesys", f"shapesys_{channel}_{number}", (0.2 * nominal).tolist()),
        ]
        modifiers += [
            modifier("histosys", f"shape_{k}", {"hi_data": up.tolist(), "lo_data": down.tolist()})
            for k in range(3)
            if k != number
        ]
        if number == 0 and channel in {"one", "two"}:
            modifiers.append(modifier("shapefactor", "free"))
        elif number == 1:
            modifiers.append(modifier("normfactor", "scale"))
        samples.append({"name": f"background_{number}", "data": nominal.tolist(), "modifiers": modifiers})
    return samples


@functools.cache
def random_likelihood(seed: int) -> hc.HistFactory:
    return hc.HistFactory(random_model(seed))


def pair_of(likelihood: hc.HistFactory, templates, data, *, fix_poi: bool = False) -> tuple[Likelihood, Likelihood]:
    """The solver's likelihood with and without elimination."""
    structure, batch = likelihood.structure, Batch.of(templates, data)
    free = free_parameters(structure, fix_poi=fix_poi)
    layouts = (layout_of(structure, free, worth_local=worth) for worth in (EVERY, NONE))
    nominal = likelihood.nominal_parameters()
    sparse, dense = (Likelihood(layout, structure, batch.templates, batch.data, nominal) for layout in layouts)
    assert dense.layout.partition is None
    return sparse, dense


def random_data(likelihood: hc.HistFactory, number: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    data = np.repeat(np.asarray(likelihood.expected_data(likelihood.nominal_parameters()))[None], number, axis=0)
    bins = len(likelihood.structure.channel_of_bin)
    data[:, :bins] = generator.poisson(data[:, :bins])
    return data


def all_elements(matrix) -> np.ndarray:
    return matrix.dense() if isinstance(matrix, Arrow) else matrix


def assert_equal_expansions(sparse, dense) -> None:
    """All derivatives, relative to the curvatures of their row and column (or to the gradient's terms)."""
    information = dense.information()
    root = np.sqrt(np.abs(np.einsum("iil->il", dense.hessian)) + np.einsum("iil->il", information))
    np.testing.assert_allclose(sparse.value, dense.value, rtol=1e-12, atol=1e-12)
    slack = 1e-11 * (root + np.abs(dense.gradient)) + 1e-300
    np.testing.assert_array_less(np.abs(sparse.gradient - dense.gradient), slack)
    slack = 1e-11 * root[:, None] * root[None, :] + 1e-300
    for mine, wanted in ((sparse.hessian, dense.hessian), (sparse.information(), information)):
        np.testing.assert_array_less(np.abs(all_elements(mine) - wanted), slack)
    np.testing.assert_allclose(sparse.information_diagonal(), dense.information_diagonal(), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("fix_poi", [False, True], ids=["free", "fixed"])
@pytest.mark.parametrize("case", CASES)
def test_expansions_of_small_models(case, fix_poi):
    likelihood = likelihood_of(case)
    parameters, data = points(likelihood, 4)
    sparse, dense = pair_of(likelihood, many_templates(likelihood, 4), data, fix_poi=fix_poi)
    if sparse.layout.partition is None:
        return
    assert_equal_expansions(sparse.expand(parameters), dense.expand(parameters))


@pytest.mark.parametrize("seed", SEEDS)
def test_expansions_of_random_models(seed):
    """Parameters far from their initial values, one lane without signal; templates differ from lane to lane."""
    likelihood = random_likelihood(seed)
    parameters, data = points(likelihood, 4, seed)
    sparse, dense = pair_of(likelihood, many_templates(likelihood, 4), data)
    partition = sparse.layout.partition
    assert {tier.size for tier in partition.tiers} >= {4}  # one staterror, three shapesys
    np.testing.assert_array_equal(np.sort([*partition.core, *partition.local]), np.arange(len(sparse.layout.free)))
    assert len(partition.core) < len(partition.local)
    mine, wanted = sparse.expand(parameters), dense.expand(parameters)
    assert_equal_expansions(mine, wanted)
    lanes = np.array([False, True, False, True])
    assert_equal_expansions(mine.take(lanes), wanted.take(lanes))
    other, other_wanted = sparse.expand(1.01 * parameters), dense.expand(1.01 * parameters)
    assert_equal_expansions(mine.replace(lanes, other), wanted.replace(lanes, other_wanted))


def test_gammas_that_two_channels_share_are_one_block():
    """A shapefactor of two channels joins the gammas of its bin in both: 1 + 4 + 4."""
    likelihood = random_likelihood(0)
    names = np.array(likelihood.parameter_names)
    sparse, _ = pair_of(likelihood, likelihood.templates, random_data(likelihood, 1, 0))
    partition = sparse.layout.partition
    free = sparse.layout.free
    joined = [tier for tier in partition.tiers if tier.size == 9]
    assert [tier.number for tier in joined] == [5]
    members = free[partition.local[joined[0].locals]].reshape(9, 5)
    for k in range(5):
        assert set(names[members[:, k]]) >= {f"free[{k}]", f"staterror_one[{k}]", f"staterror_two[{k}]"}


def test_a_few_parameters_of_single_bins_are_not_worth_it():
    for bins in (WORTH_LOCAL // 2 - 1, WORTH_LOCAL // 2):
        structure = hc.HistFactory(wide_model(bins)).structure
        worth = layout_of(structure, free_parameters(structure, fix_poi=True)).partition is not None
        assert worth == (2 * bins >= WORTH_LOCAL)


@pytest.mark.parametrize("seed", SEEDS)
def test_systems_have_the_same_solutions(seed):
    """With some parameters left out, and something added to the diagonal; not positive in the second lane."""
    likelihood = random_likelihood(seed)
    generator = np.random.default_rng(seed)
    parameters, data = points(likelihood, 3, seed)
    sparse, dense = pair_of(likelihood, likelihood.templates, data)
    mine, wanted = sparse.expand(parameters).information(), dense.expand(parameters).information()
    root = 1.0 / np.sqrt(np.einsum("iil->il", wanted))
    moving, added = generator.random(root.shape) < 0.8, generator.uniform(0.1, 0.5, root.shape)
    added[:, 1] = -2.0
    sides = np.where(moving, generator.normal(size=root.shape), 0.0)
    (ours, possible), (theirs, expected) = (
        solve_scaled(matrix, root, moving, added, sides) for matrix in (mine, wanted)
    )
    np.testing.assert_array_equal(possible, [True, False, True])
    np.testing.assert_array_equal(expected, possible)
    np.testing.assert_allclose(ours[:, possible], theirs[:, possible], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_products_with_vectors_are_those_of_all_elements(seed):
    likelihood = random_likelihood(seed)
    parameters, data = points(likelihood, 3, seed)
    sparse, dense = pair_of(likelihood, likelihood.templates, data)
    mine, wanted = sparse.expand(parameters).hessian, dense.expand(parameters).hessian
    vectors = np.random.default_rng(seed).normal(size=wanted.shape[1:])
    expected = np.einsum("pql,ql->pl", wanted, vectors)
    np.testing.assert_allclose(mine.product(vectors), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_curvatures_below_zero_are_found_in_the_small_matrix(seed):
    """A push off a saddle point: along negative curvature, as far in -2 ln L, and only where parameters may move."""
    likelihood = random_likelihood(seed)
    parameters, data = points(likelihood, 2, seed)
    sparse, dense = pair_of(likelihood, likelihood.templates, data)
    hessian = dense.expand(parameters).hessian.copy()
    mine = sparse.expand(parameters).hessian
    moving = np.random.default_rng(seed).random(hessian.shape[1:]) < 0.8
    down = -3.0 * np.abs(mine.diagonal()) * (np.arange(len(moving)) % 7 == 0)[:, None]
    every = np.arange(len(moving))
    hessian[every, every] += down
    step = kick(mine.scaled(np.ones_like(down), down), moving, np.zeros(2, dtype=int))
    assert not step[~moving].any()
    for lane in range(2):
        curvature = step[:, lane] @ hessian[:, :, lane] @ step[:, lane]
        assert -2.0 * (1.0 + 1e-9) <= curvature < 0


@pytest.mark.parametrize("seed", SEEDS)
def test_valleys_are_found_in_the_small_matrix(seed):
    """One gamma without curvature, and without slope in the first lane only: a valley there, and none in the second."""
    likelihood = random_likelihood(seed)
    parameters, data = points(likelihood, 2, seed)
    sparse, dense = pair_of(likelihood, likelihood.templates, data)
    at, wanted = sparse.expand(parameters), dense.expand(parameters)
    flat = sparse.layout.partition.local[seed]
    root = np.ones_like(at.gradient)
    root[flat] = 0.0
    at.hessian = at.information().scaled(root, np.zeros_like(root))
    wanted.hessian = wanted.information() * root[:, None] * root
    for one in (at, wanted):
        one.gradient[flat] = [0.0, 1.0]
    moving = np.ones_like(at.gradient, dtype=bool)
    ours, theirs = level_step(at, moving), level_step(wanted, moving)
    np.testing.assert_array_equal(ours[2], [True, False])
    np.testing.assert_array_equal(theirs[2], ours[2])
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-8)
    scale = np.sqrt(wanted.information_diagonal())
    np.testing.assert_allclose(ours[0] * scale, theirs[0] * scale, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("fix_poi", [False, True], ids=["free", "fixed"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.slow(
    "1-free",
    "1-fixed",
    "3-free",
    "3-fixed",
    "4-free",
    "4-fixed",
    "6-free",
    "6-fixed",
    "7-free",
    "7-fixed",
    "9-free",
    "9-fixed",
    "10-free",
    "10-fixed",
    "11-free",
    "11-fixed",
)
def test_fits_end_at_the_same_minimum(seed, fix_poi):
    """At bounds, too; and the deviance there differs from that elsewhere as pyhf's density does."""
    likelihood = random_likelihood(seed)
    structure, data = likelihood.structure, random_data(likelihood, 3, seed)
    bounds = np.asarray(structure.lower), np.asarray(structure.upper)
    if structure.histosys_code in JUMPING:  # its jumps are left to others: here one smooth piece
        bounds = np.where(np.isin(np.arange(len(bounds[0])), structure.histosys), [[-1.0], [1.0]], bounds)
    start = np.repeat(likelihood.nominal_parameters(0.0 if fix_poi else 1.0)[:, None], 3, axis=1)
    with np.errstate(all="ignore"):
        ours, theirs = (
            minimize(solver, start, bounds)
            for solver in pair_of(likelihood, likelihood.templates, data, fix_poi=fix_poi)
        )
    np.testing.assert_array_equal(ours.status, CONVERGED)
    np.testing.assert_array_equal(theirs.status, CONVERGED)
    np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=1e-6, atol=1e-6)
    gamma = np.array([name.startswith("staterror_three") for name in likelihood.parameter_names])
    assert ((ours.parameters == bounds[0][:, None]) | (ours.parameters == bounds[1][:, None]))[gamma].any()
    for lane in range(3):
        there, nominal = ours.parameters[:, lane], likelihood.nominal_parameters()
        fall = 2.0 * (likelihood.model.logpdf(there, data[lane]) - likelihood.model.logpdf(nominal, data[lane]))[0]
        with jax.enable_x64(True):
            before = deviance(structure, likelihood.templates, nominal, data[lane])
        assert float(before) - ours.value[lane] == pytest.approx(float(fall), rel=1e-9, abs=1e-8)


def wide_model(bins: int) -> pyhf.Model:
    """One region of many bins: a shape, a rate, finite simulation and an unknown shape of one background."""
    generator = np.random.default_rng(bins)
    signal, background = generator.uniform(0.5, 2.0, bins), generator.uniform(10.0, 50.0, bins)
    change = generator.uniform(-0.1, 0.1, bins) * background
    varied = {"hi_data": (background + change).tolist(), "lo_data": (background - change).tolist()}
    modifiers = [
        {"name": "shape", "type": "histosys", "data": varied},
        {"name": "rate", "type": "normsys", "data": {"hi": 1.05, "lo": 0.95}},
        {"name": "simulation", "type": "staterror", "data": (0.05 * background).tolist()},
        {"name": "control", "type": "shapesys", "data": (0.1 * background).tolist()},
    ]
    mu = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": "signal", "data": signal.tolist(), "modifiers": mu},
        {"name": "background", "data": background.tolist(), "modifiers": modifiers},
    ]
    return pyhf.Model({"channels": [{"name": "region", "samples": samples}]}, poi_name="mu")


@functools.cache
def wide_likelihood() -> hc.HistFactory:
    likelihood = hc.HistFactory(wide_model(40))
    structure = likelihood.structure
    partition = layout_of(structure, free_parameters(structure, fix_poi=True)).partition
    assert partition is not None
    assert (len(partition.core), len(partition.local)) == (2, 80)
    return likelihood


def test_significance_and_gradient_of_many_bins():
    """Against finite differences, plainly, in jit and in vmap."""
    likelihood = wide_likelihood()
    with jax.enable_x64(True):
        slope = jax.value_and_grad(lambda templates: hc.discovery_significance(likelihood, templates))
        value, gradient = slope(likelihood.templates)
        compiled, same = jax.jit(slope)(likelihood.templates)
        twice = jax.tree.map(lambda table: np.stack([table, table]), likelihood.templates)
        both, stacked = jax.vmap(slope)(twice)
    np.testing.assert_allclose([compiled, *both], value, rtol=1e-12)
    for name in ("nominal", "staterror", "shapesys", "histosys_up"):
        table = np.asarray(getattr(gradient, name))
        np.testing.assert_allclose(getattr(same, name), table, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(getattr(stacked, name)[1], table, rtol=1e-10, atol=1e-14)
        where = np.unravel_index(np.argmax(np.abs(table)), table.shape)
        step = 1e-4 * getattr(likelihood.templates, name)[where]

        def shifted(size, name=name, where=where):
            changed = np.array(getattr(likelihood.templates, name))
            changed[where] += size
            return hc.discovery_significance(likelihood, with_table(likelihood, name, changed))

        difference = (shifted(step) - shifted(-step)) / (2.0 * step)
        assert table[where] == pytest.approx(float(difference), rel=1e-5, abs=1e-10)


def with_table(likelihood: hc.HistFactory, name: str, table):
    return dataclasses.replace(likelihood.templates, **{name: table})


def test_uncertainties_of_many_bins():
    """Of a fit, and the expected one of the signal strength, against all elements at once."""
    likelihood = wide_likelihood()
    structure, data = likelihood.structure, random_data(likelihood, 1, 3)[0]
    found = fit(likelihood, data)
    layout = layout_of(structure, free_parameters(structure, fix_poi=False), worth_local=NONE)
    batch = Batch.of(likelihood.templates, data)
    dense = Likelihood(layout, structure, batch.templates, batch.data, likelihood.nominal_parameters())
    covariance = np.linalg.inv(0.5 * dense.expand(found.parameters[:, None]).hessian[:, :, 0])
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.uncertainties, np.sqrt(np.diagonal(covariance)), rtol=1e-9)
    nominal = likelihood.nominal_parameters()[:, None]
    expected = np.linalg.inv(0.5 * dense.expand(nominal).information()[:, :, 0])
    assert expected_mu_uncertainty(likelihood) == pytest.approx(
        np.sqrt(expected[likelihood.poi, likelihood.poi]), rel=1e-9
    )


@pytest.mark.parametrize("second", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["first", "second"])
@pytest.mark.parametrize("fix_poi", [False, True], ids=["free", "fixed"])
@pytest.mark.slow("fixed-first")
def test_how_fitted_parameters_of_many_bins_follow(fix_poi, second):
    """Templates, data and a fixed signal strength, at first and second order, in jit and vmap."""
    likelihood = wide_likelihood()
    structure = likelihood.structure
    data = random_data(likelihood, 1, 5)[0]
    start = likelihood.nominal_parameters(0.6)
    weights = np.cos(np.arange(len(start)))

    def follow(x):
        nominal = likelihood.templates.nominal * (1.0 + 0.1 * x * jnp.cos(jnp.arange(40)))
        templates = dataclasses.replace(likelihood.templates, nominal=nominal)
        changed = jnp.asarray(data) * (1.0 + 0.05 * x * jnp.sin(jnp.arange(len(data))))
        begin = jnp.asarray(start).at[likelihood.poi].add(0.3 * x)
        return weights @ fitted_parameters(structure, templates, changed, begin, fix_poi=fix_poi)

    def difference(function, step=1e-3):
        values = [float(function(k * step)) for k in (-2, -1, 1, 2)]
        return (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / (12.0 * step)

    with jax.enable_x64(True):
        slope = jax.grad(follow)
        compiled = jax.jit(slope)
        if second:
            found = float(jax.jit(jax.jacfwd(slope))(0.0))
            assert found == pytest.approx(difference(compiled), rel=1e-5)
            assert float(slope(0.0)) == pytest.approx(float(compiled(0.0)), rel=1e-10)
            return
        first = float(compiled(0.0))
        assert first == pytest.approx(difference(follow), rel=1e-6)
        assert float(jax.jit(jax.jacfwd(follow))(0.0)) == pytest.approx(first, rel=1e-10)
        np.testing.assert_allclose(jax.jit(jax.vmap(slope))(jnp.zeros(2)), first, rtol=1e-10)
