"""Synthetic samples: sizes, distributions, seeds."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from hepcuts import datasets
from hepcuts._core.errors import InputError

# As the issue states them, spelled out again: background, signal (scipy distribution, number of events).
TRUTH = {
    "exp10-gauss50x10": (scipy.stats.expon(0, 10), 100_000, scipy.stats.norm(50, 10), 50_000),
    "exp10-gauss30x1": (scipy.stats.expon(0, 10), 10_000, scipy.stats.norm(30, 1), 1000),
    "exp10-exp100": (scipy.stats.expon(0, 10), 10_000, scipy.stats.expon(0, 100), 10_000),
    "exp10-gauss50x1": (scipy.stats.expon(0, 10), 10_000, scipy.stats.norm(50, 1), 10),
    "gauss40x10-gauss50x10": (scipy.stats.norm(40, 10), 10_000, scipy.stats.norm(50, 10), 1000),
    "tutorial": (scipy.stats.norm(0, 4), 10_000, scipy.stats.norm(5, 1), 10_000),
}


def draw(name: str, seed: int | np.random.Generator) -> tuple[datasets.Sample, datasets.Sample]:
    return datasets.tutorial(seed=seed) if name == "tutorial" else datasets.scenario(name, seed=seed)


def test_there_are_five_scenarios() -> None:
    assert [*datasets.SCENARIOS] == [name for name in TRUTH if name != "tutorial"]
    assert all(s.cuts == (1.0, 99.0) for s in datasets.SCENARIOS.values())
    with pytest.raises(TypeError, match="item assignment"):
        datasets.SCENARIOS["x"] = datasets.TUTORIAL


@pytest.mark.parametrize("name", TRUTH)
def test_sizes_and_distributions(name: str) -> None:
    signal, background = draw(name, 20240417)
    background_truth, num_background, signal_truth, num_signal = TRUTH[name]
    assert (signal.name, signal.signal, len(signal)) == ("signal", True, num_signal)
    assert (background.name, background.signal, len(background)) == ("background", False, num_background)
    truth = datasets.TUTORIAL if name == "tutorial" else datasets.SCENARIOS[name]
    for sample, distribution, said in (
        (signal, signal_truth, truth.signal),
        (background, background_truth, truth.background),
    ):
        assert sample.total == len(sample)
        assert [*sample.columns] == ["x"]
        # Twelve tests with a fixed seed; each would fail for one seed in 10 000 if the distribution is right, and
        # always if its mean or width were off by a tenth (but for the ten events of one signal).
        assert scipy.stats.kstest(sample.columns["x"], distribution.cdf).pvalue > 1e-4
        # The truth that documentation and tests read is the distribution that was drawn from.
        assert said.size == len(sample)
        for probability in (0.01, 0.5, 0.99):
            assert said.frozen.ppf(probability) == pytest.approx(distribution.ppf(probability), rel=1e-12)


@pytest.mark.parametrize("name", TRUTH)
def test_seeds_reproduce_and_differ(name: str) -> None:
    one, same, other = (draw(name, seed) for seed in (1, np.random.default_rng(1), 2))
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a.columns["x"], b.columns["x"])
        assert not np.array_equal(a.columns["x"], c.columns["x"])
    # Signal and background are drawn one after the other, not from one and the same stream twice.
    u, v = (np.sort(s.columns["x"][:10]) for s in one)
    assert not np.allclose(scipy.stats.rankdata(u), u) or not np.allclose(u, v)


def test_a_generator_goes_on() -> None:
    generator = np.random.default_rng(3)
    first, second = (datasets.tutorial(seed=generator)[0].columns["x"] for _ in range(2))
    assert not np.array_equal(first, second)


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no scenario 'exp10'; choose one of exp10-gauss50x10, exp10-gauss30x1"):
        datasets.scenario("exp10", seed=1)


def test_many_features_have_the_moments_that_are_said() -> None:
    d, ns, nb = 6, 100_000, 200_000
    signal, background = datasets.many_features(d, seed=11, num_signal=ns, num_background=nb)
    truth = datasets.ManyFeatures(d)
    assert [*signal.columns] == [*background.columns] == [f"x{k}" for k in range(d)]
    assert (len(signal), len(background), signal.signal, background.signal) == (ns, nb, True, False)
    assert (signal.total, background.total) == (pytest.approx(120.0), pytest.approx(20_000.0))
    (normalization,) = background.modifiers
    assert (normalization.up, normalization.down) == (1.1, 0.9)
    x = np.array([*signal.columns.values()])
    # Means 0.7 + 0.6^k and 0.6^k in turn, standard deviation 0.9, spelled out; four standard errors.
    np.testing.assert_allclose(x.mean(axis=1), [1.7, 0.6, 1.06, 0.216, 0.8296, 0.07776], atol=4 * 0.9 / ns**0.5)
    np.testing.assert_allclose(truth.means, [1.7, 0.6, 1.06, 0.216, 0.8296, 0.07776], rtol=1e-12)
    np.testing.assert_allclose(x.std(axis=1), 0.9, rtol=4 / (2 * ns) ** 0.5)
    # The standard error of a correlation r is (1 - r^2) / sqrt(n).
    pairs = np.corrcoef(x)[np.triu_indices(d, 1)]
    np.testing.assert_allclose(pairs, 0.2, atol=4 * 0.96 / ns**0.5)
    independent = np.corrcoef(np.array([*background.columns.values()]))[np.triu_indices(d, 1)]
    np.testing.assert_allclose(independent, 0.0, atol=4 / nb**0.5)
    for k, (s, b) in enumerate(zip(signal.columns.values(), background.columns.values(), strict=True)):
        assert scipy.stats.kstest(s, scipy.stats.norm(truth.means[k], 0.9).cdf).pvalue > 1e-4
        assert scipy.stats.kstest(b, ("expon", "norm")[k % 2]).pvalue > 1e-4


def test_yields_of_one_and_two_features_are_the_integrals_of_their_densities() -> None:
    one, normal = datasets.ManyFeatures(1), scipy.stats.norm(1.7, 0.9)
    for low, high in ((1.2, np.inf), (-np.inf, 0.4), (0.3, 2.5)):
        expected = (
            120 * (normal.cdf(high) - normal.cdf(low)),
            20_000 * (scipy.stats.expon.cdf(high) - scipy.stats.expon.cdf(low)),
        )
        assert one.yields([low], [high]) == pytest.approx(expected, rel=1e-12)
    pair = scipy.stats.multivariate_normal([1.7, 0.6], 0.81 * np.array([[1.0, 0.2], [0.2, 1.0]]))
    mass, _ = scipy.integrate.dblquad(lambda y, x: pair.pdf([x, y]), 1.0, 8.0, -0.5, 1.1, epsabs=1e-12, epsrel=1e-12)
    signal, background = datasets.ManyFeatures(2).yields([1.0, -0.5], [8.0, 1.1])
    assert signal == pytest.approx(120 * mass, rel=1e-10)
    gauss = scipy.stats.norm.cdf(1.1) - scipy.stats.norm.cdf(-0.5)
    assert background == pytest.approx(20_000 * (np.exp(-1) - np.exp(-8)) * gauss, rel=1e-12)


def test_yields_of_ten_features_are_those_of_a_large_sample() -> None:
    truth, generator = datasets.ManyFeatures(10), np.random.default_rng(5)
    low = np.array([1.2, 0.2, 0.6, -0.3, 0.4, -0.6, 0.3, -0.8, 0.3, -0.9])
    high = np.where(np.arange(10) == 3, 1.5, np.inf)
    passed, drawn = np.zeros(2), np.zeros(2)
    for _ in range(5):
        samples = datasets.many_features(10, seed=generator, num_signal=200_000, num_background=400_000)
        for i, sample in enumerate(samples):
            columns = [*sample.columns.values()]
            inside = np.all([(x > a) & (x < b) for x, a, b in zip(columns, low, high, strict=True)], axis=0)
            passed[i] += np.count_nonzero(inside)
            drawn[i] += len(sample)
    expected = np.array(truth.yields(low, high)) * drawn / [120, 20_000]
    assert np.all(expected > 500)
    assert np.all(np.abs(passed - expected) < 4 * np.sqrt(expected))


def test_yields_without_cuts_and_behind_impossible_ones() -> None:
    truth = datasets.ManyFeatures(3)
    assert truth.yields(-np.inf) == pytest.approx((120.0, 20_000.0), rel=1e-12)
    assert truth.yields(1.0, 0.5) == (0.0, 0.0)


def test_many_features_are_reproduced_by_their_seed() -> None:
    generator = np.random.default_rng(1)
    one, same, next_, other = (
        datasets.many_features(2, seed=seed, num_signal=10, num_background=10) for seed in (1, generator, generator, 2)
    )
    for a, b, c, e in zip(one, same, next_, other, strict=True):
        np.testing.assert_array_equal(a.columns["x1"], b.columns["x1"])
        assert not np.any(a.columns["x1"] == c.columns["x1"])
        assert not np.any(a.columns["x1"] == e.columns["x1"])


def test_no_features_and_no_events_are_refused() -> None:
    for number in (0, -1, 2.0):
        with pytest.raises(InputError, match=rf"num_features is {number}; expected an integer, 1 or more"):
            datasets.many_features(number, seed=1)
    with pytest.raises(InputError, match="num_background is 0; expected 1 or more"):
        datasets.many_features(2, seed=1, num_background=0)
