"""Fits of degenerate, empty and extreme models; several minima; what fits say when they fail."""

import numpy as np
import pytest
import scipy.optimize

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import FitError
from hepcuts.histfactory import fit, fixed_poi_fit

from .models import MU, channel, histosys, mod, normsys, sample
from .test_fit import K, data_of, likelihood_of, one_bin, value_of

# --- degenerate, empty, huge and tiny


def test_two_factors_of_one_sample():
    """Only the product is measured; the fit ends somewhere on its hyperbola."""
    likelihood = likelihood_of(channel("c", sample("s", [10.0], MU, K), sample("b", [5.0])))
    result = fit(likelihood, data_of(likelihood, 20.0))
    assert value_of(result, "mu") * value_of(result, "k") == pytest.approx(1.5, rel=1e-6)
    assert result.deviance == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("bins", [1, 3])
def test_two_factors_of_one_shape(bins):
    data = np.linspace(60.0, 90.0, bins)
    likelihood = likelihood_of(channel("c", sample("s", [10.0] * bins, MU), sample("b", [50.0] * bins, K)))
    result = fit(likelihood, data_of(likelihood, *data))
    total = 10.0 * value_of(result, "mu") + 50.0 * value_of(result, "k")
    assert total == pytest.approx(data.mean(), rel=1e-6)
    assert result.deviance == pytest.approx(float(np.sum(2.0 * data * np.log(data / data.mean()))), abs=1e-9)


def test_what_no_data_can_tell_has_no_uncertainty():
    likelihood = one_bin(50.0, K)
    assert np.all(np.isnan(fit(likelihood, data_of(likelihood, 77.0)).uncertainties))


def test_what_the_data_tell_has_one_beside_it():
    likelihood = likelihood_of(channel("c", sample("s", [0.0], MU), sample("b", [50.0], K)))
    result = fit(likelihood, data_of(likelihood, 77.0))
    uncertainties = dict(zip(result.names, result.uncertainties, strict=True))
    assert uncertainties["k"] == pytest.approx(np.sqrt(77.0) / 50.0, rel=1e-8)
    assert np.isnan(uncertainties["mu"])


def test_a_product_of_two_factors_of_many_events():
    likelihood = likelihood_of(
        channel("a", sample("b", [1e6], K, mod("normfactor", "k2"))),
        channel("c", sample("b", [100.0], K)),
        channel("sr", sample("s", [1.0], MU), sample("d", [9.0])),
    )
    result = fit(likelihood, [1e6, 30.0, 10.0])
    np.testing.assert_allclose(result.parameters, [0.3, 1 / 0.3, 1.0], rtol=1e-6)


def test_a_factor_without_any_effect_stays_where_it_starts():
    likelihood = likelihood_of(channel("c", sample("s", [0.0], MU), sample("b", [50.0], K)))
    result = fit(likelihood, data_of(likelihood, 77.0))
    assert value_of(result, "k") == pytest.approx(1.54, rel=1e-8)
    assert value_of(result, "mu") == 1.0


def test_empty_bins_say_nothing():
    full = likelihood_of(channel("c", sample("s", [10.0], MU), sample("b", [50.0], normsys("a", 1.1, 0.9))))
    empty = likelihood_of(channel("c", sample("s", [10.0, 0.0], MU), sample("b", [50.0, 0.0], normsys("a", 1.1, 0.9))))
    one, two = fit(full, data_of(full, 70.0)), fit(empty, data_of(empty, 70.0, 0.0))
    np.testing.assert_allclose(one.parameters, two.parameters, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [0.0, 1.0])
def test_no_events_are_data_too(n):
    likelihood = one_bin(3.0, mod("shapesys", "sh", [1.0]))
    result = fixed_poi_fit(likelihood, data_of(likelihood, n), poi=0.0)
    assert value_of(result, "sh[0]") == pytest.approx((n + 9.0) / (3.0 + 9.0), rel=1e-8)


YIELDS = 10.0 ** np.arange(-3, 8)


@pytest.mark.parametrize("relative", [None, 1e-4, 0.05, 1.0], ids=lambda r: f"uncertainty {r}")
@pytest.mark.parametrize("scale", [1e-3, 0.03, 1.0])
def test_bins_of_very_different_content_meet_the_closed_form(relative, scale):
    """Bins with uncorrelated uncertainties: on Asimov data their q0 add up."""
    signal = scale * np.sqrt(YIELDS)
    sigma = None if relative is None else relative * YIELDS
    modifiers = () if sigma is None else (mod("shapesys", "sh", list(sigma)),)
    likelihood = likelihood_of(channel("c", sample("s", list(signal), MU), sample("b", list(YIELDS), *modifiers)))
    each = [
        float(counting.asimov_significance(s, b, *(() if relative is None else (relative * b,))))
        for s, b in zip(signal, YIELDS, strict=True)
    ]
    assert float(hc.discovery_significance(likelihood)) == pytest.approx(np.sqrt(np.sum(np.square(each))), rel=1e-8)


@pytest.mark.parametrize("b", [1e-6, 1e-12, 1e-16, 1e-30, 1e-200])
def test_next_to_no_background(b):
    z = hc.discovery_significance(one_bin(b))
    assert float(z) == pytest.approx(float(counting.asimov_significance(10.0, b)), rel=1e-12)


@pytest.mark.parametrize("size", [1e-9, 1e-4, 0.3, 3.0, 30.0])
def test_uncertainties_from_negligible_to_huge(size):
    """An uncertainty of the rate alone; at the huge ones the data decide, at the negligible ones the prior."""
    likelihood = one_bin(50.0, normsys("a", 1.0 + size, 1.0 / (1.0 + size)), codes=0)
    n = 60.0
    result = fixed_poi_fit(likelihood, data_of(likelihood, n), poi=0.0)
    log = np.log1p(size)
    score = lambda alpha: 2.0 * log * (50.0 * np.exp(log * alpha) - n) + 2.0 * alpha  # noqa: E731
    alpha = scipy.optimize.brentq(score, -1.0, 5.0, xtol=1e-15)
    assert value_of(result, "a") == pytest.approx(alpha, rel=1e-6, abs=1e-12)
    expected = (1.0 + 50.0 * np.exp(log * alpha) * log**2) ** -0.5
    assert result.nuisance_parameters.constraints[0] == pytest.approx(expected, rel=1e-6)


# --- several minima, failures, input


def test_two_minima_of_an_atlas_likelihood_are_told(sbottom):
    """Of the background-only fit to Asimov data; tests/reference_sbottom.py finds the same two with minuit."""
    likelihood = hc.HistFactory.from_workspace(sbottom["workspace"], patches=[sbottom["patches"]["600_280_150"]])
    data = likelihood.expected_data(likelihood.nominal_parameters())
    single = fixed_poi_fit(likelihood, data, poi=0.0)
    result = fixed_poi_fit(likelihood, data, poi=0.0, num_starts=10)
    assert single.message.startswith("converged; there are 2 minima, this is the lowest (others higher by 0.04995")
    np.testing.assert_allclose(single.minima, [14.784113, 14.834064], atol=2e-6)
    np.testing.assert_allclose(result.minima[:2], [14.784113, 14.834064], atol=2e-6)
    assert result.deviance == result.minima[0]
    assert result.deviance <= single.deviance + 1e-9
    assert f"{len(result.minima)} minima, this is the lowest (others higher by 0.04995" in result.message


def test_two_minima_of_an_effect_to_the_same_side_against_a_scan():
    likelihood = one_bin(5000.0, normsys("a", 1.2, 1.1))
    data = data_of(likelihood, 5800.0)
    result = fixed_poi_fit(likelihood, data, poi=0.0, num_starts=5)

    def twice_nll(alpha: float) -> float:
        pars = [alpha if name == "a" else 0.0 for name in likelihood.parameter_names]
        return -2.0 * float(likelihood.model.logpdf(pars, data)[0])

    up, down = (
        scipy.optimize.minimize_scalar(twice_nll, bounds=side, method="bounded") for side in ((0.0, 3.0), (-3.0, 0.0))
    )
    assert value_of(result, "a") == pytest.approx(up.x, abs=1e-4)
    np.testing.assert_allclose(result.minima - result.minima[0], [0.0, down.fun - up.fun], rtol=1e-5)
    start = [-2.0 if name == "a" else 0.0 for name in likelihood.parameter_names]
    assert fixed_poi_fit(likelihood, data, poi=0.0, init=start).deviance == pytest.approx(result.minima[1])
    several = fixed_poi_fit(likelihood, data, poi=0.0, init=start, num_starts=5)
    assert several.deviance == pytest.approx(result.minima[0])


def test_a_bin_with_data_that_expects_nothing_is_explained():
    likelihood = likelihood_of(
        channel("c", sample("s", [5.0], MU, K), sample("b", [0.0])),
        parameters=[{"name": "k", "bounds": [[1.0, 4.0]]}],
    )
    data = data_of(likelihood, 5.0)
    with pytest.raises(FitError, match=r"a bin with data expects no.*check the templates.*at a bound: k\."):
        fixed_poi_fit(likelihood, data, poi=0.0)
    result = fixed_poi_fit(likelihood, data, poi=0.0, throw=False)
    assert not result.success
    assert result.deviance == np.inf


def test_a_minimum_at_the_kink_of_an_interpolation_code():
    """Both variations lower the background, the data exceed it: the best value is no variation at all."""
    likelihood = one_bin(50.0, histosys("a", [48.0], [49.0]), codes=0)
    result = fixed_poi_fit(likelihood, data_of(likelihood, 60.0), poi=0.0)
    assert value_of(result, "a") == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("bounds", [(0.2, 3.0), (-3.0, -0.2), (0.0, 3.0)])
@pytest.mark.parametrize("count", [30.0, 45.0, 50.0, 55.0, 80.0])
def test_bounds_beside_a_kink_are_kept(bounds, count):
    setting = {"name": "a", "bounds": [list(bounds)]}
    likelihood = one_bin(50.0, histosys("a", [54.0], [47.0]), codes=0, parameters=[setting])
    result = fixed_poi_fit(likelihood, data_of(likelihood, count), poi=0.0)

    def value(a: float) -> float:
        rate = 50.0 + (4.0 if a > 0 else 3.0) * a
        return 2.0 * (rate - count + count * np.log(count / rate)) + a**2

    expected = scipy.optimize.minimize_scalar(value, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    truth = min(expected.fun, value(bounds[0]), value(bounds[1]))
    assert result.deviance == pytest.approx(truth, abs=1e-9)
    assert bounds[0] <= value_of(result, "a") <= bounds[1]
