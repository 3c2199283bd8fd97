"""Coordinates of the search: scores and quoted thresholds select the same events, whatever the unit of a variable."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hepcuts._core.errors import InputError
from hepcuts.templates.coordinates import LIMIT, Linear, NormalScores, normal_scores

MAPS: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "cube": lambda x: x**3,
    "reciprocal": lambda x: -1.0 / (x + 9.0),
}


def events(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of signal and background: few and many, with and without ties."""
    r = np.random.default_rng(7)
    if name == "few":
        return r.normal(1.0, 1.0, 12), r.normal(0.0, 1.0, 9)
    if name == "discrete":
        return r.poisson(4.0, 30_000).astype(float), r.poisson(2.0, 20_000).astype(float)
    if name == "spike":
        return np.where(r.random(9000) < 0.5, 0.0, r.normal(size=9000)), r.normal(size=9000)
    return r.normal(1.0, 1.0, 30_000), r.normal(0.0, 1.0, 20_000)


NAMES = ("few", "discrete", "spike", "many")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1, -1], ids=["above", "below"])
def test_a_quoted_threshold_selects_the_events_that_its_score_selects(name: str, sign: int) -> None:
    signal, background = events(name)
    x = np.concatenate([signal, background])
    coordinate = normal_scores(signal, background)
    scores = coordinate.scores(x)
    r = np.random.default_rng(1)
    on_events = np.unique(scores)[:: max(1, len(np.unique(scores)) // 20)]
    for score in np.concatenate([r.uniform(-LIMIT, LIMIT, 30), r.normal(size=100), on_events, [-LIMIT, LIMIT]]):
        quoted = coordinate.threshold(float(score), sign)
        np.testing.assert_array_equal(sign * (x - quoted) > 0, sign * (scores - score) > 0)


@settings(max_examples=60, deadline=None)
@given(
    x=arrays(np.float64, st.integers(2, 12), elements=st.integers(-4, 4).map(float), unique=False),
    threshold=st.floats(-5, 5),
    sign=st.sampled_from([1, -1]),
)
def test_a_threshold_between_all_values_keeps_its_events_as_a_score(x: np.ndarray, threshold: float, sign: int) -> None:
    """Of a discrete variable, where the next value is far away."""
    assume(len(np.unique(x)) > 1)
    coordinate = normal_scores(x, x)
    scores = coordinate.scores(x)
    score = coordinate.score(threshold, sign)
    np.testing.assert_array_equal(sign * (scores - score) > 0, sign * (x - threshold) > 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", MAPS)
def test_increasing_maps_of_a_variable_change_nothing(name: str, way: str) -> None:
    signal, background = events(name)
    mapping = MAPS[way]
    plain = normal_scores(signal, background)
    mapped = normal_scores(mapping(signal), mapping(background))
    x = np.concatenate([signal, background])
    np.testing.assert_array_equal(plain.scores(x), mapped.scores(mapping(x)))
    for score in np.random.default_rng(2).uniform(-2, 2, 50):
        for sign in (1, -1):
            above = [sign * (v - c.threshold(score, sign)) > 0 for c, v in ((plain, x), (mapped, mapping(x)))]
            np.testing.assert_array_equal(*above)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1, -1])
def test_quoted_thresholds_are_away_from_values(name: str, sign: int) -> None:
    """Between two values, a quarter of the gap or more from either, and with few digits."""
    signal, background = events(name)
    coordinate, x = normal_scores(signal, background), np.unique(np.concatenate([signal, background]))
    for score in (-LIMIT, -1.3, -0.4, 0.0, 0.3, 1.1, LIMIT):
        threshold = coordinate.threshold(score, sign)
        neighbors = x[np.clip(np.searchsorted(x, threshold) + np.array([-1, 0]), 0, len(x) - 1)]
        if neighbors[0] < threshold < neighbors[1]:
            assert np.min(np.abs(neighbors - threshold)) >= 0.2499 * (neighbors[1] - neighbors[0])
            assert len(repr(threshold)) <= 4 - np.log10(neighbors[1] - neighbors[0]) + np.log10(1 + abs(threshold))
        assert not np.any(x == threshold)


def test_scores_are_normal_quantiles() -> None:
    """Of events that stand at the quantiles of a normal distribution, the score of a value is the value."""
    n = 4000
    x = scipy.special.ndtri((np.arange(n) + 0.5) / n)
    coordinate = normal_scores(x, x)
    inner = x[20:-20]
    # One rank of n is worth 1 / (n phi(x)), and phi is at least 0.0145 within the 0.5 % quantiles.
    np.testing.assert_allclose(coordinate.scores(inner), inner, atol=1.0 / (n * 0.0145))
    np.testing.assert_allclose([coordinate.score(t) for t in inner[::50]], inner[::50], atol=1.0 / (n * 0.0145))


def test_signal_and_background_count_half_each_however_many_there_are() -> None:
    r = np.random.default_rng(3)
    signal, background = r.normal(5.0, 0.1, 5000), r.normal(-5.0, 0.1, 500_000)
    coordinate = normal_scores(signal, background)
    assert coordinate.score(0.0) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1, -1], ids=["above", "below"])
def test_thresholds_that_are_given_are_exact(name: str, sign: int) -> None:
    signal, background = events(name)
    x = np.concatenate([signal, background])
    for threshold in (0.123456, float(signal[3]), 1.0):
        coordinate = normal_scores(signal, background, [(threshold, sign), (1e9, 1), (-1e9, -1)])
        score = coordinate.score(threshold, sign)
        np.testing.assert_array_equal(sign * (coordinate.scores(x) - score) > 0, sign * (x - threshold) > 0)
        quoted = coordinate.threshold(score, sign)
        np.testing.assert_array_equal(sign * (x - quoted) > 0, sign * (x - threshold) > 0)


def test_a_discrete_threshold_reads_as_one_says_it() -> None:
    jets = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    coordinate = normal_scores(jets, jets)
    keeps_up_to_two = 0.5 * (coordinate.scores(jets)[2] + coordinate.scores(jets)[3])
    assert coordinate.threshold(keeps_up_to_two, -1) == 2.5  # which a cut on whole numbers prints as "jets <= 2"
    assert coordinate.threshold(keeps_up_to_two, 1) == 2.5  # "jets >= 3"
    # Thresholds that were given up are away from the events that they keep.
    assert coordinate.threshold(-LIMIT, 1) == -0.5
    assert coordinate.threshold(LIMIT, -1) == 4.5


def test_beyond_all_events() -> None:
    coordinate = normal_scores(np.array([1.0, 2.0]), np.array([3.0]))
    assert coordinate.score(0.0) == -LIMIT
    assert coordinate.score(9.0) == LIMIT
    assert coordinate.limits == (-LIMIT, LIMIT)
    assert coordinate.threshold(LIMIT, 1) > 3.0
    assert NormalScores(np.array([2.0])).threshold(-LIMIT) < 2.0


def test_thresholds_between_knots_for_the_history() -> None:
    x = np.arange(100.0)
    coordinate = normal_scores(x, x)
    scores = np.array([coordinate.score(t) for t in (10.0, 50.0)])
    np.testing.assert_allclose(coordinate.between(scores), [10.0, 50.0])
    middle = float(coordinate.between(np.array([scores.mean()]))[0])
    assert 10.0 < middle < 50.0


def test_linear_is_the_variable_in_another_unit() -> None:
    coordinate = Linear(2.5, (-5.0, 10.0))
    x = np.linspace(-5, 10, 7)
    np.testing.assert_allclose(coordinate.scores(x) * 2.5, x, rtol=1e-15)
    assert coordinate.threshold(coordinate.score(3.7), -1) == pytest.approx(3.7, rel=1e-15)
    assert coordinate.limits == (-2.0, 4.0)
    np.testing.assert_allclose(coordinate.between(np.array([1.0])), [2.5])


def test_one_value_is_nothing_to_cut_on() -> None:
    with pytest.raises(InputError, match="nothing to cut on"):
        normal_scores(np.ones(5), np.ones(3))


def drawn(name: str, size: int) -> np.ndarray:
    r = np.random.default_rng(3)
    if name == "discrete":
        return r.poisson(3.0, size).astype(float)
    if name == "infinite":
        return np.append(r.normal(size=size - 2), [np.inf, -np.inf])
    of_name: dict[str, Callable[[int], Any]] = {
        "normal": r.standard_normal,
        "exponential": r.standard_exponential,
        "cauchy": r.standard_cauchy,
        "tiny": lambda n: 1e-310 * r.standard_normal(n),
        "huge": lambda n: np.exp(100.0 * r.standard_normal(n)),
    }
    return np.asarray(of_name[name](size))


@pytest.mark.parametrize("name", ["normal", "discrete", "exponential", "cauchy", "infinite", "tiny", "huge"])
@pytest.mark.parametrize("absent", [False, True], ids=["all there", "some NaN"])
def test_values_are_looked_up_as_numpy_does(name: str, absent: bool) -> None:
    values = drawn(name, 40_000)
    coordinate = normal_scores(values[:10_000], values[10_000:])
    knots = coordinate.knots
    values = np.concatenate([values, knots, np.nextafter(knots, np.inf), np.nextafter(knots, -np.inf), [1e308, -1e308]])
    if absent:
        values = np.append(values, np.nan)
    expected = coordinate._of_events[np.searchsorted(knots, values)]
    np.testing.assert_array_equal(coordinate.scores(values), expected)
