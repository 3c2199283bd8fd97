"""The deviance and its derivatives as the solver writes them out, against automatic differentiation of the JAX density.

`hepcuts.histfactory.density` itself is compared with pyhf in test_likelihood.py.
"""

import functools

import equinox as eqx
import jax
import numpy as np
import pytest

import hepcuts as hc
from hepcuts.histfactory import density
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.searches import free_parameters
from hepcuts.histfactory.solver.expansion import Expansion, Likelihood
from hepcuts.histfactory.solver.layout import layout_of

from . import models

CODES = {
    # Every specification with the codes in turn; one that has both kinds of variation with all of them.
    **{name: number % 6 for number, name in enumerate(models.SPECS)},
    **{f"shared-name:{number}": number for number in range(6)},
}
CLIPS = {"clip-sample": {"clip_sample_data": 4.5}, "clip-bin": {"clip_bin_data": 45.0}}
CASES = [*(case for case in CODES if case != "shared-name"), *CLIPS, "repeated"]
FIX_POI = pytest.mark.parametrize("fix_poi", [False, True], ids=["all free", "POI fixed"])


@functools.cache
def likelihood_of(case: str) -> hc.HistFactory:
    if case in CLIPS:
        return hc.HistFactory(models.build("shared-name", **CLIPS[case]))
    if case == "repeated":
        return repeated(hc.HistFactory(models.build("shared-name")))
    return hc.HistFactory(models.build(case.split(":", maxsplit=1)[0], modifier_settings=models.CODES[CODES[case]]))


def repeated(likelihood: hc.HistFactory) -> hc.HistFactory:
    """The signal strength squared, and alpha itself beside its exponential: several factors that are one parameter."""
    table = likelihood.structure.factor
    mu, alpha, none = likelihood.poi, int(likelihood.structure.normsys[0]), len(likelihood.structure.init)
    table = np.concatenate([table, np.where(table == mu, mu, alpha), np.full_like(table, none)])
    changed: hc.HistFactory = eqx.tree_at(lambda held: held.structure.factor, likelihood, table.astype(np.int32))
    return changed


@functools.cache
def truth_of(case: str):
    """Value, gradient and Hessian at (templates, parameters, data), by JAX."""
    structure = likelihood_of(case).structure

    def evaluate(templates, parameters, data):
        def slope(p):
            value, gradient = jax.value_and_grad(lambda q: density.deviance(structure, templates, q, data))(p)
            return gradient, (value, gradient)

        hessian, (value, gradient) = jax.jacfwd(slope, has_aux=True)(parameters)
        return value, gradient, hessian

    compiled = jax.jit(evaluate)

    def in_64_bits(*arguments):
        with jax.enable_x64(True):
            return tuple(np.asarray(value) for value in compiled(*arguments))

    return in_64_bits


def expected_parts(case: str, templates, parameters, data, free) -> list[np.ndarray]:
    """What `parts` has to be; the information is half the Hessian on data that equal their expectation."""
    value, gradient, hessian = truth_of(case)(templates, parameters, data)
    assert np.isfinite(value)
    expectation = likelihood_of(case).expected_data(parameters, templates)
    information = truth_of(case)(templates, parameters, expectation)[2]
    some = np.ix_(free, free)
    return [value, gradient[free], hessian[some], information[some]]


def random_data(likelihood: hc.HistFactory, generator: np.random.Generator) -> np.ndarray:
    """Counts around the expectation somewhere else, some of them zero; auxiliary data of that place."""
    data = np.array(likelihood.expected_data(models.random_point(likelihood.model, generator)))
    bins = len(likelihood.structure.channel_of_bin)
    data[:bins] = generator.poisson(np.maximum(data[:bins], 0.0))
    return data


def points(likelihood: hc.HistFactory, number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random parameters, shape (parameter, lane), the second without signal; random data, shape (lane, data)."""
    generator = np.random.default_rng(seed)
    parameters = np.stack([models.random_point(likelihood.model, generator) for _ in range(number)], axis=-1)
    if likelihood is likelihood_of("repeated"):
        parameters = np.abs(parameters)
    parameters[likelihood.poi, 1] = 0.0
    return parameters, np.stack([random_data(likelihood, generator) for _ in range(number)])


def solver_likelihood(likelihood: hc.HistFactory, templates, data, *, fix_poi: bool = False) -> Likelihood:
    structure = likelihood.structure
    batch = Batch.of(templates, data)
    layout = layout_of(structure, free_parameters(structure, fix_poi=fix_poi))
    return Likelihood(layout, structure, batch.templates, batch.data, likelihood.nominal_parameters())


def many_templates(likelihood: hc.HistFactory, number: int, fields=None, seed: int = 1):
    """Templates all of whose numbers differ from lane to lane (those of `fields`, if given), the batch in front."""
    generator = np.random.default_rng(seed)

    def changed(table):
        return table * generator.uniform(0.7, 1.3, size=(number, *table.shape))

    templates = likelihood.templates
    chosen = fields or ("nominal", "histosys_up", "histosys_down", "normsys_up", "normsys_down", "staterror")
    return eqx.tree_at(
        lambda t: [getattr(t, name) for name in chosen], templates, [changed(getattr(templates, n)) for n in chosen]
    )


def templates_of_lane(likelihood: hc.HistFactory, templates, lane: int):
    own = Batch.of(templates, None).take([lane]).templates
    return type(templates)(**{name: np.ascontiguousarray(table[..., 0]) for name, table in own._asdict().items()})


def parts(expansion: Expansion, lanes=slice(None)) -> list[np.ndarray]:
    information = expansion.information()
    return [value[..., lanes] for value in (expansion.value, expansion.gradient, expansion.hessian, information)]


def assert_close(found, expected, tolerance: float = 1e-11) -> None:
    """Each entry within `tolerance`, relative to the curvatures of its row and column (or to the gradient's terms)."""
    value, gradient, hessian, information = expected
    root = np.sqrt(np.diagonal(information) + np.abs(np.diagonal(hessian)))
    assert found[0] == pytest.approx(float(value), rel=tolerance, abs=tolerance)
    scale = np.abs(gradient) + root
    np.testing.assert_array_less(np.abs(found[1] - gradient), tolerance * scale + 1e-300)
    for matrix, wanted in zip(found[2:], (hessian, information), strict=True):
        np.testing.assert_array_less(np.abs(matrix - wanted), tolerance * np.outer(root, root) + 1e-300)


@FIX_POI
@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow(*(f"{case}-POI fixed" for case in CASES[1:]), *(f"{case}-all free" for case in CASES[2::2]))
def test_derivatives_against_automatic_differentiation(case, fix_poi):
    """All lanes at once share the templates; the second has no signal."""
    likelihood = likelihood_of(case)
    parameters, data = points(likelihood, 4)
    solver = solver_likelihood(likelihood, likelihood.templates, data, fix_poi=fix_poi)
    found = parts(solver.expand(parameters))
    free = solver.layout.free
    assert (likelihood.poi in free) != fix_poi
    assert solver.layout.repeats == (case == "repeated")
    for lane in range(4):
        expected = expected_parts(case, likelihood.templates, parameters[:, lane], data[lane], free)
        assert_close([part[..., lane] for part in found], expected)


@pytest.mark.parametrize("case", ["everything", "absent-samples", "staterror-zero-bins", "shapesys-zero-bins"])
def test_lanes_of_different_templates_against_automatic_differentiation(case):
    likelihood = likelihood_of(case)
    templates = many_templates(likelihood, 3)
    parameters, data = points(likelihood, 3, seed=4)
    solver = solver_likelihood(likelihood, templates, data)
    found = parts(solver.expand(parameters))
    free = solver.layout.free
    for lane in range(3):
        mine = templates_of_lane(likelihood, templates, lane)
        expected = expected_parts(case, mine, parameters[:, lane], data[lane], free)
        assert_close([part[..., lane] for part in found], expected)


@pytest.mark.parametrize("case", ["everything", "shapefactor"])
def test_information_against_that_of_the_density(case):
    likelihood = likelihood_of(case)
    parameters, data = points(likelihood, 2)
    solver = solver_likelihood(likelihood, likelihood.templates, data)
    free = np.ix_(solver.layout.free, solver.layout.free)
    found = solver.expand(parameters).information()
    with jax.enable_x64(True):
        information = jax.jit(lambda p: density.information(likelihood.structure, likelihood.templates, p))
        for lane in range(2):
            expected = 2.0 * np.asarray(information(parameters[:, lane]))[free]
            np.testing.assert_allclose(found[..., lane], expected, rtol=1e-11, atol=1e-11)


@FIX_POI
@pytest.mark.parametrize("lanes", [2, 9])
@pytest.mark.parametrize("case", [*models.SPECS, "repeated"])
def test_lanes_at_once_equal_each_lane_alone(case, lanes, fix_poi):
    likelihood = likelihood_of(case)
    templates = many_templates(likelihood, lanes)
    parameters, data = points(likelihood, lanes, seed=7)
    together = solver_likelihood(likelihood, templates, data, fix_poi=fix_poi)
    found = parts(together.expand(parameters))
    for lane in range(lanes):
        chosen = np.arange(lanes) == lane
        alone = together.take(chosen).expand(parameters[:, chosen])
        assert_close([part[..., lane] for part in found], parts(alone, 0), 1e-12)


FIELDS = ("nominal", "histosys_up", "normsys_down", "staterror", "shapesys")


@pytest.mark.parametrize("field", FIELDS)
def test_tables_that_all_lanes_share_need_no_lanes_of_their_own(field):
    likelihood = likelihood_of("everything")
    parameters, data = points(likelihood, 3)
    shared = many_templates(likelihood, 3, fields=(field,))
    everything = jax.tree.map(
        lambda table, own: np.broadcast_to(table, (3, *own.shape)).copy(), shared, likelihood.templates
    )
    few = solver_likelihood(likelihood, shared, data).expand(parameters)
    many = solver_likelihood(likelihood, everything, data).expand(parameters)
    for lane in range(3):
        assert_close(parts(few, lane), parts(many, lane), 1e-13)


def test_data_that_all_lanes_share():
    likelihood = likelihood_of("everything")
    parameters, data = points(likelihood, 3)
    templates = many_templates(likelihood, 3)
    shared = solver_likelihood(likelihood, templates, data[0]).expand(parameters)
    repeated_data = solver_likelihood(likelihood, templates, np.repeat(data[:1], 3, axis=0)).expand(parameters)
    for lane in range(3):
        assert_close(parts(shared, lane), parts(repeated_data, lane), 1e-13)


@pytest.mark.parametrize("case", models.SPECS)
def test_expected_data_are_those_of_pyhf(case):
    likelihood = likelihood_of(case)
    parameters, data = points(likelihood, 3)
    found = solver_likelihood(likelihood, likelihood.templates, data[0]).expected_data(parameters)
    for lane in range(3):
        expected = likelihood.model.expected_data(parameters[:, lane])
        np.testing.assert_allclose(found[:, lane], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", models.SPECS)
def test_without_data_it_is_the_expectation_and_a_perfect_fit(case):
    likelihood = likelihood_of(case)
    nominal = likelihood.nominal_parameters()
    solver = solver_likelihood(likelihood, likelihood.templates, None)
    np.testing.assert_allclose(solver.data[:, 0], likelihood.model.expected_data(nominal), rtol=1e-12)
    at = solver.expand(nominal[:, None])
    if case != "user-constraints":  # where it starts from is not what its auxiliary data say
        assert at.value[0] == 0.0
    filled = likelihood.model.expected_data(nominal)[: len(likelihood.structure.channel_of_bin)] > 0
    if filled.all():
        np.testing.assert_allclose(at.hessian, at.information(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", ["staterror-zero-bins", "shapesys-zero-bins", "everything", "user-constraints"])
def test_constraints_without_content_are_void_in_their_own_lanes(case):
    likelihood = likelihood_of(case)
    templates = many_templates(likelihood, 4)
    for field in ("nominal", "staterror"):
        getattr(templates, field)[2:, ..., 0] = 0.0
    solver = solver_likelihood(likelihood, templates, points(likelihood, 4)[1])
    constraints = jax.jit(functools.partial(density.constraints, likelihood.structure))
    for lane in range(4):
        with jax.enable_x64(True):
            terms = constraints(templates_of_lane(likelihood, templates, lane))
        np.testing.assert_array_equal(in_lane(solver.void, lane), terms.void)
        np.testing.assert_allclose(in_lane(solver.sigma, lane), terms.sigma, rtol=1e-13)
        np.testing.assert_allclose(in_lane(solver.factor, lane), terms.factor, rtol=1e-13)


def in_lane(table: np.ndarray, lane: int) -> np.ndarray:
    return table[:, lane % table.shape[1]]


def test_a_rate_that_cannot_make_the_data_is_infinitely_far():
    likelihood = likelihood_of("normfactor")
    solver = solver_likelihood(likelihood, likelihood.templates, np.array([[55.0], [55.0], [0.0], [0.0]]))
    # Signal 5 mu, background 50: rates 55, -5, -5 and 0.
    with np.errstate(all="raise"):
        values = solver.expand(np.array([[1.0, -11.0, -11.0, -10.0]])).value
    np.testing.assert_array_equal(values, [0.0, np.inf, np.inf, 0.0])


def test_information_of_some_lanes_and_its_diagonal():
    likelihood = likelihood_of("everything")
    parameters, data = points(likelihood, 5)
    at = solver_likelihood(likelihood, many_templates(likelihood, 5), data).expand(parameters)
    whole = at.information()
    lanes = np.array([True, False, True, True, False])
    np.testing.assert_allclose(at.information(lanes), whole[:, :, lanes], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(at.information_diagonal(), np.einsum("ppl->pl", whole), rtol=1e-12)
    np.testing.assert_allclose(whole, whole.transpose(1, 0, 2), rtol=1e-12, atol=1e-12)
    assert np.all(np.linalg.eigvalsh(whole.transpose(2, 0, 1)) > -1e-9 * np.abs(whole).max())
    np.testing.assert_allclose(at.hessian, at.hessian.transpose(1, 0, 2), rtol=1e-11, atol=1e-9)


def test_lanes_are_taken_and_put_back():
    likelihood = likelihood_of("shared-name")
    parameters, data = points(likelihood, 3)
    solver = solver_likelihood(likelihood, many_templates(likelihood, 3), data)
    old, new = solver.expand(parameters), solver.expand(0.9 * parameters)
    lanes = np.array([False, True, False])
    mixed = old.replace(lanes, new)
    for lane, source in enumerate((old, new, old)):
        for part, whole in zip(parts(mixed, lane), parts(source, lane), strict=True):
            np.testing.assert_allclose(part, whole, rtol=1e-13)
    np.testing.assert_array_equal(mixed.take(lanes).gradient[:, 0], new.gradient[:, 1])
