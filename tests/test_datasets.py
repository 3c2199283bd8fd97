"""Synthetic samples: sizes, distributions, seeds."""

import numpy as np
import pytest
import scipy.stats

from hepcuts import datasets
from hepcuts.errors import InputError

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
