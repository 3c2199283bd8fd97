"""Fits of interpolation code 2, whose rates jump at one standard deviation: against scipy in every smooth piece."""

import itertools

import numpy as np
import pyhf
import pytest
import scipy.optimize
import scipy.special

import hepcuts as hc
from hepcuts.histfactory import fit, fixed_poi_fit, referee
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.searches import search

from .models import MU, channel, histosys, mod, normsys, sample

CODES = {"histosys": {"interpcode": "code2"}, "normsys": {"interpcode": "code1"}}
BEYOND = np.nextafter(1.0, 2.0)
PIECES = ((-5.0, -BEYOND), (-1.0, 1.0), (BEYOND, 5.0))


def counting(*modifiers, measured: float = 0.0, bounds: tuple[float, float] = (-5.0, 5.0)) -> hc.HistFactory:
    """One bin with 50 events of background; the parameter ``a`` is measured to be something."""
    setting = {"name": "a", "auxdata": [measured], "bounds": [list(bounds)]}
    spec = {
        "channels": [channel("c", sample("s", [10.0], MU), sample("b", [50.0], *modifiers))],
        "parameters": [setting],
    }
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu", modifier_settings=CODES))


def deviance(likelihood: hc.HistFactory, data: np.ndarray, pars: np.ndarray) -> float:
    """-2 ln of the likelihood over the saturated one, from pyhf's rates; all constraints are Gaussian of width 1."""
    bins = likelihood.model.config.nmaindata
    with referee.backend("numpy"):
        rates = np.asarray(likelihood.model.expected_data(pars))
    counts, main = data[:bins], rates[:bins]
    if np.any(main <= 0):
        return np.inf
    poisson = 2.0 * (main - counts + scipy.special.xlogy(counts, counts / main))
    return float(poisson.sum() + ((data[bins:] - rates[bins:]) ** 2).sum())


def lowest(sides: tuple[float, float], count: float, measured: float, pieces=PIECES) -> float:
    """The lowest deviance without signal of the background of 50 events: a fine grid, and scipy in its lowest cell."""
    up, down = sides
    with referee.backend("numpy"):
        shift = pyhf.interpolators.get(2)(np.array([[[[down], [50.0], [up]]]]))

    def value(a: np.ndarray) -> np.ndarray:
        with referee.backend("numpy"):
            rate = 50.0 + np.asarray(shift(np.atleast_2d(a)))[0, 0, :, 0]
        terms = 2.0 * (rate - count + count * np.log(count / np.maximum(rate, 1e-9)))
        return np.where(rate > 0, terms + (a - measured) ** 2, 1e9)

    best = np.inf
    for low, high in pieces:
        grid = np.linspace(low, high, 2001)
        at = int(np.argmin(value(grid)))
        around = grid[max(at - 1, 0)], grid[min(at + 1, 2000)]
        found = scipy.optimize.minimize_scalar(
            lambda a: value(a)[0], bounds=around, method="bounded", options={"xatol": 1e-10}
        )
        best = min(best, float(found.fun), float(value(grid[at])[0]))
    return best


SIDES = ((58.0, 45.0), (58.0, 56.0), (41.0, 47.0), (50.0, 40.0))


def shifted(sides: tuple[float, float]):
    return histosys("a", [sides[0]], [sides[1]])


@pytest.mark.parametrize("measured", [0.0, pytest.param(-1.0, marks=pytest.mark.slow), 1.0, 1.7])
@pytest.mark.parametrize("sides", SIDES)
def test_the_minimum_is_the_lowest_of_all_pieces(sides, measured):
    """From several starts: a piece itself may have two minima, as the one of a parabola of both sides up."""
    likelihood = counting(shifted(sides), measured=measured)
    for count in (30.0, 45.0, 50.0, 57.0, 63.0, 80.0):
        data = np.array([count, measured])
        result = fixed_poi_fit(likelihood, data, poi=0.0, num_starts=5)
        assert result.deviance == pytest.approx(lowest(sides, count, measured), abs=1e-8)
        assert deviance(likelihood, data, result.parameters) == pytest.approx(result.deviance, abs=1e-9)


@pytest.mark.parametrize("start", [-3.0, -1.0, 0.0, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("measured", [0.0, -1.7])
def test_every_start_leads_to_the_lowest_piece(start, measured):
    likelihood = counting(shifted(SIDES[0]), measured=measured)
    init = np.where(np.array(likelihood.parameter_names) == "a", start, 0.0)
    for count in (30.0, 50.0, 63.0, 80.0):
        result = fixed_poi_fit(likelihood, [count, measured], poi=0.0, init=init)
        assert result.deviance == pytest.approx(lowest(SIDES[0], count, measured), abs=1e-8)


def test_a_minimum_on_the_edge_of_a_jump():
    """With 45 events and -1.2 measured, the best value within one deviation is its end, where 45 are expected.

    Beyond it, code 2 as pyhf has it expects 50 + 1.5 * 5 * a, 42.5 and less.
    """
    likelihood = counting(histosys("a", [50.0], [45.0]), measured=-1.2)
    data = np.array([45.0, -1.2])
    result = fixed_poi_fit(likelihood, data, poi=0.0)
    assert result.success
    assert result.parameters[likelihood.parameter_names.index("a")] == -1.0
    assert result.deviance == pytest.approx(0.04, abs=1e-12)


@pytest.mark.parametrize("bounds", [(-5.0, 0.5), (1.5, 5.0), (-1.0, 1.0), (-0.5, 2.0)])
def test_bounds_leave_out_pieces(bounds):
    likelihood = counting(shifted(SIDES[0]), bounds=bounds)
    inside = [(max(low, bounds[0]), min(high, bounds[1])) for low, high in PIECES]
    pieces = tuple((low, high) for low, high in inside if low <= high)
    for count in (20.0, 50.0, 90.0):
        data = np.array([count, 0.0])
        result = fixed_poi_fit(likelihood, data, poi=0.0)
        assert bounds[0] <= result.parameters[likelihood.parameter_names.index("a")] <= bounds[1]
        assert result.deviance == pytest.approx(lowest(SIDES[0], count, 0.0, pieces), abs=1e-8)


def two_bins() -> hc.HistFactory:
    """A jump of each of two parameters, one of which also has a kink at zero."""
    background = sample(
        "b", [50.0, 40.0], histosys("a", [56.0, 37.0], [47.0, 45.0]), histosys("h", [44.0, 44.0], [53.0, 42.0])
    )
    other = sample("c", [20.0, 20.0], normsys("a", 1.1, 1.05), mod("normfactor", "k"))
    spec = {
        "channels": [channel("c", sample("s", [5.0, 3.0], MU), background, other)],
        "parameters": [{"name": "k", "fixed": True}],
    }
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu", modifier_settings=CODES))


COUNTS = np.array([(70.0, 60.0), (95.0, 40.0), (60.0, 85.0), (50.0, 45.0), (100.0, 90.0), (74.0, 66.0)])


@pytest.mark.parametrize("counts", COUNTS.tolist())
def test_two_parameters_that_jump(counts):
    likelihood = two_bins()
    data = np.array([*counts, *likelihood.structure.auxdata])
    names = likelihood.parameter_names

    def value(x: np.ndarray) -> float:
        pars = np.array([{"a": x[0], "h": x[1], "k": 1.0, "mu": 0.0}[name] for name in names])
        return min(deviance(likelihood, data, pars), 1e9)

    # A kink at zero in a.
    in_a = (PIECES[0], (-1.0, 0.0), (0.0, 1.0), PIECES[2])
    found = [
        scipy.optimize.minimize(value, np.mean(box, axis=1), bounds=box, method="Nelder-Mead", tol=1e-10).fun
        for box in itertools.product(in_a, PIECES)
    ]
    result = fixed_poi_fit(likelihood, data, poi=0.0)
    assert result.deviance == pytest.approx(min(found), abs=1e-7)


def test_a_batch_ends_where_its_members_do():
    likelihood = two_bins()
    data = np.array([[*counts, *likelihood.structure.auxdata] for counts in COUNTS])
    together = search(
        likelihood.structure,
        Batch.of(likelihood.templates, data),
        np.array(likelihood.structure.init),
        fix_poi=False,
    )
    alone = [fit(likelihood, one) for one in data]
    np.testing.assert_allclose(together.value, [one.deviance for one in alone], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(together.parameters.T, [one.parameters for one in alone], rtol=1e-6, atol=1e-9)
