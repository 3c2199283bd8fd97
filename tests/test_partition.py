"""Eliminating the parameters of single bins changes the work, not the result: against all elements at once."""

import functools

import jax
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts.histfactory import density
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.searches import free_parameters
from hepcuts.histfactory.solver.arrow import Arrow
from hepcuts.histfactory.solver.expansion import Likelihood
from hepcuts.histfactory.solver.layout import layout_of
from hepcuts.histfactory.solver.minima import CONVERGED
from hepcuts.histfactory.solver.newton import minimize
from hepcuts.histfactory.solver.partition import WORTH_LOCAL
from hepcuts.histfactory.solver.steps import kick, level_step

from . import models
from .test_expansion import CASES, likelihood_of, many_templates, points

EVERY, NONE = 0, 10**9
"""Numbers of local parameters from which on they are eliminated."""
SEEDS = range(12)


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
        {"name": "staterror_three", "bounds": [[0.99, 1.02]] * sizes["three"]},
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
