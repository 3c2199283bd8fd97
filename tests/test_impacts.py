"""Impacts against closed forms and fits, groups, and the figures of impacts and prices."""

import equinox as eqx
import matplotlib.pyplot as plt
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts import plotting
from hepcuts._core.errors import InputError
from hepcuts.histfactory import fit, fixed_poi_fit
from tests import models


def likelihood_of(normsys=0.05, scale=10.0):
    """Many events, so that the likelihood is nearly a parabola."""
    background = [500.0 * scale, 50.0 * scale]
    modifiers = [
        models.histosys("a", [b * (1 + normsys) for b in background], [b * (1 - normsys) for b in background]),
        models.mod("shapesys", "stat", [10.0 * scale**0.5, 2.0 * scale**0.5]),
    ]
    samples = models.sample("s", [10.0 * scale, 40.0 * scale], models.MU), models.sample("b", background, *modifiers)
    spec = {"channels": [models.channel("c", *samples)]}
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu"))


def data_of(likelihood):
    data = np.array(likelihood.expected_data(likelihood.nominal_parameters(1.0)))
    data[:2] = np.round(data[:2] * [1.03, 1.02])
    return data


@pytest.mark.parametrize("observed", [False, True])
def test_parabola_and_fits_agree_for_many_events(observed):
    likelihood = likelihood_of(scale=1e4)
    data = data_of(likelihood) if observed else None
    linear, fitted = (hc.impacts(likelihood, data, refits=refits) for refits in (False, True))
    assert linear.names == fitted.names
    for name in ("mu_postfit", "mu_prefit"):
        np.testing.assert_allclose(getattr(linear, name), getattr(fitted, name), rtol=0.02, atol=1e-4)


def test_each_refit_is_a_fit_with_the_parameter_there():
    """Against fits of models in which the constraint itself holds the parameter."""
    likelihood = likelihood_of(scale=1.0)
    data = data_of(likelihood)
    found = hc.impacts(likelihood, data, refits=True)
    row, number = found.names.index("a"), likelihood.parameter_names.index("a")
    best = fit(likelihood, data)
    for side, sign in enumerate((-1.0, 1.0)):
        at = best.parameters[number] + sign * best.uncertainties[number]
        structure = likelihood.structure
        constraint = list(structure.normal_parameter).index(number)
        position = len(structure.channel_of_bin) + structure.normal_data[constraint]
        held = data.copy()
        held[position] = at
        narrow = np.where(likelihood.structure.normal_parameter == number, 1e-6, likelihood.structure.normal_sigma)
        stiff = eqx.tree_at(lambda h: h.structure.normal_sigma, likelihood, narrow)
        start = best.parameters.copy()
        start[number] = at
        free, none = fit(stiff, held, init=start), fixed_poi_fit(stiff, held, poi=0.0, init=start)
        moved = free.parameters[likelihood.poi] - best.parameters[likelihood.poi]
        assert found.mu_postfit[row, side] == pytest.approx(moved, abs=1e-4)
        z = np.sqrt(none.deviance - free.deviance)
        assert found.z_postfit[row, side] == pytest.approx(z - found.significance, abs=1e-3)


def test_a_count_in_closed_form():
    """mu-hat = (n - b (1 + 0.1 alpha)) / s: held one width up, it falls by 0.1 b / s."""
    modifiers = models.histosys("a", [55.0], [45.0])
    samples = models.sample("s", [10.0], models.MU), models.sample("b", [50.0], modifiers)
    likelihood = hc.HistFactory(pyhf.Model({"channels": [models.channel("c", *samples)]}, poi_name="mu"))
    for refits in (False, True):
        found = hc.impacts(likelihood, refits=refits)
        np.testing.assert_allclose(found.mu_prefit, [[0.5, -0.5]], atol=1e-6)
    # Held, there is no uncertainty: the closed form of a known background.
    assert found.significance + found.held[0] == pytest.approx(hc.counting.asimov_significance(10.0, 50.0), abs=1e-6)
    assert found.correlations[0, 1] == pytest.approx(-0.5 / found.mu_uncertainty, abs=1e-6)


def test_groups_add_in_quadrature_as_the_covariance_says():
    found = hc.impacts(likelihood_of(), groups={"stat": "stat*", "all": "*"})
    everything = found.groups["all"][0]
    assert found.groups["stat"][0] < everything < found.mu_uncertainty
    # Nothing but counting is left: mu from two counts with known backgrounds.
    signal, count = np.array([100.0, 400.0]), np.array([5100.0, 900.0])
    counting = 1.0 / (signal**2 / count).sum()
    assert found.mu_uncertainty**2 - everything**2 == pytest.approx(counting, rel=1e-6)


def test_what_is_said():
    found = hc.impacts(likelihood_of(), groups={"all": "*"})
    assert repr(found).startswith("Impacts on mu = 1 +- ")
    assert "group all: " in repr(found)
    assert "<table>" in found._repr_html_()
    assert list(found.to_dataframe().index) == list(found.names)
    assert set(found.to_dict()["parameters"]) == set(found.names)
    with pytest.raises(InputError, match="No systematic matches 'x' of group 'g'"):
        hc.impacts(likelihood_of(), groups={"g": "x"})


def test_bars_are_the_impacts():
    found = hc.impacts(likelihood_of())
    drawn = found.plot(most=2)
    np.testing.assert_allclose([bar.get_width() for bar in drawn.up], found.mu_postfit[:2, 1])
    np.testing.assert_allclose([bar.get_width() for bar in drawn.down], found.mu_postfit[:2, 0])
    np.testing.assert_allclose([bar.get_width() for bar in drawn.prefit[0]], found.mu_prefit[:2, 0])
    np.testing.assert_allclose(drawn.pulls.lines[0].get_xdata(), found.pulls[:2])
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == list(found.names[:2])
    plt.close(drawn.figure)


def test_bars_are_the_prices():
    priced = hc.prices(likelihood_of())
    drawn = priced.plot(most=3)
    assert [bar.get_width() for bar in drawn.bars] == [price.gain for price in priced.prices[:3]]
    plt.close(drawn.figure)


def test_what_cannot_be_drawn():
    with pytest.raises(InputError, match=r"expected the result of hepcuts\.impacts"):
        plotting.impacts("x")
    with pytest.raises(InputError, match=r"expected the result of hepcuts\.prices"):
        plotting.price_list("x")


IMAGE = pytest.mark.mpl_image_compare(
    remove_text=True, style="default", tolerance=10, savefig_kwargs={"dpi": 60}, baseline_dir="baseline"
)


@IMAGE
def test_image_impacts():
    figure = hc.impacts(likelihood_of(scale=1.0), data_of(likelihood_of(scale=1.0)), refits=True).plot().figure
    figure.axes[1].get_legend().remove()
    return figure


@IMAGE
def test_image_price_list():
    return hc.prices(likelihood_of()).plot().figure
