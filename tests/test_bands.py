"""Bands of the expected significance of one bin against exact sums over Poisson counts."""

import numpy as np
import pyhf
import pytest
from scipy.stats import norm, poisson

import hepcuts as hc

from . import models


def one_bin(s: float, b: float) -> hc.HistFactory:
    spec = {"channels": [models.channel("c", models.sample("s", [s], models.MU), models.sample("b", [b]))]}
    return hc.HistFactory(pyhf.Model(spec, poi_name="mu"))


def z_of(n: np.ndarray, b: float) -> np.ndarray:
    """sqrt(q0) of a count over a known background."""
    n = np.asarray(n, dtype=float)
    excess = np.maximum(n, b)
    return np.sqrt(2.0 * (excess * np.log(excess / b) - excess + b))


def distribution(s: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Z of each count, and its probability."""
    n = np.arange(0, int(s + b + 40.0 * np.sqrt(s + b) + 40))
    return z_of(n, b), poisson.pmf(n, s + b)


# Signal, background, standard deviation of sqrt(q0) at mu = 1 and what an interval of one to either side holds.
REVIEW = [
    (10.0, 10.0, 1.11, 0.62),
    (30.0, 10.0, 1.23, None),
    (5.0, 1.0, 1.31, 0.56),
    (100.0, 20.0, 1.29, 0.56),
    (400.0, 40.0, 1.39, 0.525),
]


@pytest.mark.parametrize(("s", "b", "width", "within"), REVIEW)
def test_the_width_is_not_one(s: float, b: float, width: float, within: float | None) -> None:
    z, p = distribution(s, b)
    spread = float(np.sqrt(np.sum(p * z**2) - np.sum(p * z) ** 2))
    test = hc.discovery_test(one_bin(s, b))
    assert spread == pytest.approx(width, abs=0.02)
    assert test.spread == pytest.approx(width, abs=0.03)
    assert test.spread == pytest.approx(np.sqrt(s + b) * np.log1p(s / b) / test.significance, rel=1e-9)
    # The uncertainty of mu at mu = 1 times dZ/dmu.
    slope = (z_of(s * 1.001 + b, b) - z_of(s * 0.999 + b, b)) / 0.002
    assert test.spread == pytest.approx(test.mu_uncertainty * slope, rel=1e-5)
    if within is not None:
        median = test.significance
        assert np.sum(p[np.abs(z - median) < 1.0]) == pytest.approx(within, abs=0.02)


def test_what_is_cut_off_at_zero_is_not_in_the_spread() -> None:
    """10 over 50: of the counts, 1.03 without the cut, and 0.95 with it."""
    z, p = distribution(10.0, 50.0)
    assert np.sqrt(np.sum(p * z**2) - np.sum(p * z) ** 2) == pytest.approx(0.95, abs=0.006)
    assert hc.discovery_test(one_bin(10.0, 50.0)).spread == pytest.approx(1.03, abs=0.006)


@pytest.mark.parametrize("events", [100.0, 140.0, 300.0, 2000.0])
@pytest.mark.parametrize("ratio", [0.1, 0.3, 1.0, 2.513, 5.0, 10.0])
def test_the_bands_hold_68_percent(events: float, ratio: float) -> None:
    b = events / (1.0 + ratio)
    s = events - b
    z, p = distribution(s, b)
    test = hc.discovery_test(one_bin(s, b))
    low2, low1, _, high1, high2 = test.bands.values()
    if low1 == 0.0:
        # All without an excess lie in it: 84 % are below its upper end.
        assert np.sum(p[z <= high1]) == pytest.approx(norm.cdf(1.0), abs=0.03)
        assert "84 % of experiments find Z up to" in str(test)
        return
    assert np.sum(p[(z >= low1) & (z <= high1)]) == pytest.approx(0.6827, abs=0.02)
    if low2 > 0.0:
        assert np.sum(p[(z >= low2) & (z <= high2)]) == pytest.approx(0.9545, abs=0.02)


@pytest.mark.parametrize(("s", "b"), [(3.0, 0.5), (10.0, 50.0), (5.0, 1.0), (3.0, 0.05), (30.0, 10.0)])
def test_bands_of_few_events_are_those_of_the_count(s: float, b: float) -> None:
    bands = hc.discovery_test(one_bin(s, b)).bands
    z, p = distribution(s, b)
    below = np.cumsum(p)
    for number, found in bands.items():
        # The smallest Z that no more than so many experiments are below.
        assert found == pytest.approx(z[np.searchsorted(below, norm.cdf(number))], rel=1e-7, abs=1e-7)
    assert np.sum(p[(z >= bands[-1] - 1e-9) & (z <= bands[1] + 1e-9)]) >= 0.6827


def test_the_median_of_few_events_is_not_the_asimov_value() -> None:
    """3 over 0.5: Z of the Asimov dataset 2.76, median of sqrt(q0) 2.40."""
    test = hc.discovery_test(one_bin(3.0, 0.5))
    assert test.significance == pytest.approx(2.76, abs=0.005)
    assert test.bands[0] == pytest.approx(2.40, abs=0.005)


def test_without_signal_the_spread_is_one() -> None:
    assert hc.discovery_test(one_bin(0.0, 200.0)).spread == 1.0
    assert hc.discovery_test(one_bin(1e-3, 200.0)).spread == pytest.approx(1.0, abs=1e-4)
