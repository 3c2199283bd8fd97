"""Bin edges by dynamic programming, against enumerations, closed forms and continuum limits."""

import functools
import itertools
import math
import warnings
from typing import Any

import hist
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

import hepcuts as hc
from hepcuts._core.errors import EmptySelectionError, InputError, OutsideAxisWarning, SampleError
from hepcuts.binning import BinningResult, bin_edges
from hepcuts.binning.choice import candidates, choose, deviation, standard_errors
from hepcuts.binning.fine import FineBins, Guard
from hepcuts.binning.fits import PolishTask, polish, shape_fits
from hepcuts.evaluation.resampling import Folds
from hepcuts.merit.registry import FIGURES
from hepcuts.templates.partitions import best_partitions
from hepcuts.templates.workspace import CHOSEN_ON

OFF = -999.0


def gaussians(
    size: int = 4000, *, seed: int = 0, signal: float = 60.0, background: float = 600.0, **options: Any
) -> list[hc.Sample]:
    """Signal N(1, 1), background N(0, 1)."""
    rng = np.random.default_rng(seed)
    return [
        hc.Sample("s", {"x": rng.normal(1, 1, size)}, weights=np.full(size, signal / size), signal=True, **options),
        hc.Sample("b", {"x": rng.normal(0, 1, size)}, weights=np.full(size, background / size), **options),
    ]


def with_systematics(size: int = 3000, seed: int = 0) -> list[hc.Sample]:
    """Two backgrounds with uncertainties that move bins together, of values between 0 and 1."""
    rng = np.random.default_rng(seed)
    xs, xb, xw = rng.beta(5, 2, size), rng.beta(2, 4, size), rng.uniform(0, 1, size)
    lumi = hc.NormSys("lumi", 1.02, 0.98)
    jes = hc.HistoSys("jes", up={"x": xb**0.97}, down={"x": xb**1.03})
    return [
        hc.Sample("s", {"x": xs}, weights=np.full(size, 60 / size), signal=True, modifiers=[lumi]),
        hc.Sample("tt", {"x": xb}, weights=np.full(size, 1000 / size), modifiers=[lumi, jes]),
        hc.Sample("w", {"x": xw}, weights=np.full(size, 300 / size), modifiers=[hc.NormSys("wxs", 1.3, 0.75)]),
    ]


def laid(samples: list[hc.Sample], fine_bins: int, folds: int = 1) -> FineBins:
    parts = Folds(folds) if folds > 1 else None
    return FineBins.of(samples, "x", selection=None, bounds=None, fine_bins=fine_bins, folds=parts)


def squared(s: float, b: float, sigma: float, name: str) -> float:
    """Squared significance of one bin, from the formulas of the papers."""
    s = max(s, 0.0)
    if name == "s_over_sqrt_b":
        return s * s / b
    if name == "s_over_sqrt_b_plus_variance":
        return s * s / (b + sigma**2)
    if name == "asimov" or sigma == 0.0:
        return 2.0 * ((s + b) * math.log(1.0 + s / b) - s)
    v = sigma**2
    on = (s + b) * math.log((s + b) * (b + v) / (b * b + (s + b) * v))
    return 2.0 * (on - b * b / v * math.log(1.0 + v * s / (b * (b + v))))


class Counted:
    """Sums between edges, event by event."""

    def __init__(self, samples: list[hc.Sample], edges: Any) -> None:
        self.samples, self.edges = samples, edges

    def of_each(self, i: int, j: int) -> list[tuple[np.ndarray, float]]:
        """Weights of the events of each background, and that of one event of it."""
        found = []
        for s in self.samples:
            if not s.signal:
                x = s.columns["x"]
                passed = s.weights[(x >= self.edges[i]) & (x < self.edges[j])]
                found.append((passed, np.sum(s.weights**2) / np.sum(np.abs(s.weights))))
        return found

    def total(self, i: int, j: int, *, signal: bool, power: int = 1) -> float:
        low, high = self.edges[i], self.edges[j]
        return float(
            sum(
                np.sum(s.weights[(s.columns["x"] >= low) & (s.columns["x"] < high)] ** power)
                for s in self.samples
                if s.signal == signal
            )
        )

    def allowed(self, i: int, j: int, min_background: float, min_expected: float) -> bool:
        b, squares = self.total(i, j, signal=False), self.total(i, j, signal=False, power=2)
        if not (b > 0 and b >= min_expected and b * b / squares >= min_background):
            return False
        # Of each background that is, or with one event more would be, a tenth of all.
        at_stake = [w for w, one in self.of_each(i, j) if w.sum() + one > 0.1 * b]
        return all(w.sum() ** 2 >= min_background * (w**2).sum() and (len(w) or not min_background) for w in at_stake)

    def square(self, i: int, j: int, name: str) -> float:
        sigma = math.sqrt(self.total(i, j, signal=False, power=2)) if "uncertainty" in name or "variance" in name else 0
        return squared(self.total(i, j, signal=True), self.total(i, j, signal=False), sigma, name)


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.gain is not None])
@pytest.mark.parametrize("guards", [(0.0, 0.0), (5.0, 1.5)], ids=["free", "guarded"])
@pytest.mark.parametrize("seed", range(3))
def test_dynamic_programming_finds_what_enumeration_finds(name, guards, seed):
    rng = np.random.default_rng(seed)
    samples = [
        hc.Sample("s", {"x": rng.normal(1, 1, 60)}, weights=rng.uniform(0.02, 0.2, 60), signal=True),
        hc.Sample("b", {"x": rng.normal(0, 1, 80)}, weights=rng.uniform(0.05, 0.5, 80)),
        hc.Sample("c", {"x": rng.exponential(1, 30)}, weights=rng.uniform(0.05, 0.5, 30)),
    ]
    fine = laid(samples, 12)
    assert fine.size == 12
    counted = Counted(samples, fine.edges)
    found = best_partitions(fine.gains(FIGURES[name].gain, Guard(*guards)), 4)
    compared = 0
    for k in range(1, 5):
        best = -math.inf
        for inner in itertools.combinations(range(1, 12), k - 1):
            bins = list(itertools.pairwise((0, *inner, 12)))
            if all(counted.allowed(i, j, *guards) for i, j in bins):
                best = max(best, sum(counted.square(i, j, name) for i, j in bins))
        if best == -math.inf:
            assert len(found) < k
            continue
        partition, value = found[k - 1]
        assert value == pytest.approx(best, rel=1e-11)
        pairs = list(itertools.pairwise(partition.tolist()))
        assert (partition[0], partition[-1], len(pairs)) == (0, 12, k)
        assert all(counted.allowed(i, j, *guards) for i, j in pairs)
        assert sum(counted.square(i, j, name) for i, j in pairs) == pytest.approx(best, rel=1e-11)
        compared += 1
    assert compared >= 2


def test_the_guards_matter_in_the_enumeration():
    """Of the cases above, at least one has a better binning that a guard excludes."""
    fine = laid(gaussians(60, signal=6.0, background=20.0), 12)
    free, guarded = (
        best_partitions(fine.gains(FIGURES["asimov"].gain, Guard(*g)), 4) for g in ((0.0, 0.0), (8.0, 2.0))
    )
    assert guarded[3][1] < free[3][1]


def test_negative_weights_and_bins_without_background():
    rng = np.random.default_rng(3)
    w = rng.uniform(0.1, 0.4, 60) * np.where(rng.uniform(size=60) < 0.2, -1, 1)
    samples = [
        hc.Sample("s", {"x": np.append(rng.normal(1, 1, 39), 9.0)}, weights=np.full(40, 0.1), signal=True),
        hc.Sample("b", {"x": rng.normal(0, 1, 60)}, weights=w),
    ]
    fine = laid(samples, 12)
    counted = Counted(samples, fine.edges)
    gains = fine.gains(FIGURES["asimov"].gain, Guard(0.0, 0.0))
    for i, j in itertools.combinations(range(13), 2):
        s, b = (counted.total(i, j, signal=kind) for kind in (True, False))
        if b > 1e-12 and s + b >= 0:
            assert gains[i, j - 1] == pytest.approx(squared(s, b, 0.0, "asimov"), rel=1e-9, abs=1e-12)
        elif b < -1e-12:
            assert gains[i, j - 1] == -math.inf
    assert gains[11, 11] == -math.inf  # only the signal event at 9 and its neighbors
    assert np.all(np.isneginf(gains[np.tril_indices(12, -1)]))


def same_bins(first: BinningResult, second: BinningResult) -> None:
    assert first.num_bins == second.num_bins
    for name in ("signal", "background", "effective_background", "bin_values"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-12)
    assert first.best.held_out_value == pytest.approx(second.best.held_out_value, rel=1e-10)
    assert first.significance == pytest.approx(second.significance, rel=1e-7)
    assert first.best.held_out_significance == pytest.approx(second.best.held_out_significance, rel=1e-5)


def test_a_monotone_map_changes_nothing():
    samples = with_systematics()
    mapped = []
    for s in samples:
        moved = [
            hc.HistoSys(m.name, up={"x": np.exp(m.up.columns["x"])}, down={"x": np.exp(m.down.columns["x"])})
            if isinstance(m, hc.HistoSys)
            else m
            for m in s.modifiers
        ]
        x = {"x": np.exp(s.columns["x"])}
        mapped.append(hc.Sample(s.name, x, weights=s.weights, signal=s.signal, modifiers=moved))
    first, second = (bin_edges(given, "x", max_bins=5, fine_bins=60, holdout=None) for given in (samples, mapped))
    assert first.num_bins > 2
    same_bins(first, second)
    # Edges lie halfway between neighbors, which the map does not keep, but between the same events.
    x = np.sort(np.concatenate([s.columns["x"] for s in samples]))
    inner = first.edges[1:-1], np.log(second.edges[1:-1])
    np.testing.assert_array_equal(*(np.searchsorted(x, edges) for edges in inner))


def test_what_the_scale_of_weights_changes():
    """S/sqrt(B) of all bins grows like the root of a common factor: the same edges, with guards that scale along."""
    samples = gaussians(2000)
    scaled = [hc.Sample(s.name, s.columns, weights=4.0 * s.weights, signal=s.signal) for s in samples]
    first = bin_edges(samples, "x", metric="asimov", fine_bins=80, max_bins=4, min_expected=2.0, holdout=None)
    second = bin_edges(scaled, "x", metric="asimov", fine_bins=80, max_bins=4, min_expected=8.0, holdout=None)
    np.testing.assert_array_equal(first.edges, second.edges)
    assert second.value == pytest.approx(2.0 * first.value, rel=1e-12)
    assert second.best.held_out_value == pytest.approx(2.0 * first.best.held_out_value, rel=1e-12)
    np.testing.assert_allclose(first.effective_background, second.effective_background, rtol=1e-12)


def test_the_scale_of_the_signal_does_not_move_edges_of_s_over_sqrt_b():
    """s/sqrt(b) is linear in the signal."""
    first, second = (
        bin_edges(gaussians(signal=s), "x", metric="s_over_sqrt_b", num_bins=4, holdout=None) for s in (1.0, 300.0)
    )
    np.testing.assert_array_equal(first.start.edges, second.start.edges)
    assert second.start.value == pytest.approx(300.0 * first.start.value, rel=1e-12)


def test_equal_values_stay_together():
    rng = np.random.default_rng(0)
    xs, xb = rng.binomial(6, 0.7, 3000).astype(float), rng.binomial(6, 0.4, 3000).astype(float)
    samples = [
        hc.Sample("s", {"x": xs}, weights=np.full(3000, 0.02), signal=True),
        hc.Sample("b", {"x": xb}, weights=np.full(3000, 0.2)),
    ]
    result = bin_edges(samples, "x", num_bins=5, holdout=None)
    assert len(result.fine_edges) - 1 == 7  # as many as there are values
    np.testing.assert_array_equal(result.fine_edges[1:-1], np.arange(6) + 0.5)
    counts = [np.sum((xb >= low) & (xb < high)) for low, high in itertools.pairwise(result.edges)]
    np.testing.assert_allclose(result.effective_background, counts, rtol=1e-12)
    assert sum(counts) == 3000
    with pytest.raises(InputError, match=r"8 bins of 'x': at most 7 are possible .* All 7 fine bins together"):
        bin_edges(samples, "x", num_bins=8, holdout=None)


@pytest.mark.parametrize("missing", [OFF, math.nan], ids=["number", "nan"])
def test_a_missing_value_is_in_no_bin(missing):
    samples = gaussians(1000)
    rng = np.random.default_rng(1)
    holed = []
    for s in samples:
        x = np.append(s.columns["x"], np.full(400, missing))
        order = rng.permutation(len(x))
        w = np.append(s.weights, np.full(400, 7.0))
        holed.append(hc.Sample(s.name, {"x": x[order]}, weights=w[order], signal=s.signal, missing=missing))
    first, second = (
        bin_edges(given, "x", num_bins=4, folds=0, fine_bins=50, holdout=None) for given in (samples, holed)
    )
    np.testing.assert_array_equal(first.edges, second.edges)
    np.testing.assert_allclose(first.signal, second.signal, rtol=1e-12)
    np.testing.assert_allclose(first.background, second.background, rtol=1e-12)
    assert second.background.sum() == pytest.approx(600.0, rel=1e-12)


@pytest.mark.parametrize("signal", [30.0, 3000.0], ids=["weak", "strong"])
def test_many_bins_approach_the_continuum(signal):
    """sum of Z^2 -> integral of 2 [(s + b) ln(1 + s/b) - s]; each number of bins below it, and rising towards it.

    A bin of width h around x loses h^3/12 times g = b r'^2 / (1 + r), r = s/b, so that the best of many bins together
    lose (integral of g^(1/3))^3 / (12 k^2) (the high-resolution limit of quantizers, Panter and Dite 1951). Events at
    the quantiles of their distributions, so that nothing fluctuates.
    """
    size, background = 100_000, 3000.0
    u = (np.arange(size) + 0.5) / size
    samples = [
        hc.Sample("s", {"x": scipy.stats.norm.ppf(u, 1.0)}, weights=np.full(size, signal / size), signal=True),
        hc.Sample("b", {"x": scipy.stats.norm.ppf(u)}, weights=np.full(size, background / size)),
    ]

    def density(x: float) -> float:
        s, b = signal * scipy.stats.norm.pdf(x, 1.0), background * scipy.stats.norm.pdf(x)
        return float(2.0 * ((s + b) * np.log1p(s / b) - s))

    def cube_root_of_loss(x: float) -> float:
        ratio = signal / background * math.exp(x - 0.5)
        return float((background * scipy.stats.norm.pdf(x) * ratio**2 / (1.0 + ratio)) ** (1 / 3))

    limit = scipy.integrate.quad(density, -8.0, 9.0, epsabs=1e-12, epsrel=1e-12, limit=400)[0]
    loss = scipy.integrate.quad(cube_root_of_loss, -30.0, 30.0, epsabs=1e-12, limit=400)[0] ** 3 / 12.0
    # The pieces that any edges can have: exact yields between exact edges. No partition beats the best of two bins.
    sf = scipy.stats.norm.sf
    cuts = np.linspace(-3.0, 4.0, 7001)
    s2, b2 = signal * sf(cuts - 1.0), background * sf(cuts)
    two = max(
        squared(s, b, 0.0, "asimov") + squared(signal - s, background - b, 0.0, "asimov")
        for s, b in zip(s2, b2, strict=True)
    )
    found = best_partitions(laid(samples, 1000).gains(FIGURES["asimov"].gain, Guard(0.0, 0.0)), 15)
    values = np.array([value for _, value in found])
    assert values[0] == pytest.approx(squared(signal, background, 0.0, "asimov"), rel=1e-12)
    assert values[1] == pytest.approx(two, rel=2e-4)
    assert np.all(np.diff(values) > 0)
    assert values[-1] < limit
    relative = (limit - values) * np.arange(1, 16) ** 2 / loss
    # Of normal distributions the limit is approached from below; many bins feel that edges lie between fine bins.
    assert np.all(np.diff(relative[:7]) > 0)
    assert 0.8 < relative[-1] < 1.0


@pytest.mark.parametrize("metric", ["asimov", "asimov_uncertainty"])
def test_of_pure_noise_one_bin_is_best(metric):
    """Signal and background of one distribution. On the events that chose them, more bins seem better nonetheless."""
    held_out, training, numbers = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        samples = [
            hc.Sample("s", {"x": rng.normal(size=1500)}, weights=np.full(1500, 0.1), signal=True),
            hc.Sample("b", {"x": rng.normal(size=1500)}, weights=np.full(1500, 1.0)),
        ]
        fine = laid(samples, 50, folds=5)
        found = candidates(fine, FIGURES[metric].gain, Guard(10.0, 1.0), 8)
        values = np.array([one.value for one in found])
        assert np.all(np.diff(values) > 0)
        training.append(values / values[0])
        held_out.append([one.held_out / found[0].held_out for one in found])
        errors = standard_errors(found, functools.partial(deviation, fine))
        numbers.append(choose(np.array([one.held_out for one in found]), errors))
    assert numbers == [0] * 20
    # Of k bins with given edges, (k - 1) (1/1500 + 1/1500) is gained by chance; more if the edges are the best.
    assert np.all(np.mean(training, axis=0)[1:] > 1.0 + np.arange(1, 8) * 2 / 1500)
    # Held out, each further bin loses in the mean.
    assert np.all(np.diff(np.mean(held_out, axis=0)) < 0)


def test_the_held_out_value_is_that_of_infinitely_many_events():
    """Edges and ratios from a training half, judged by closed-form yields; the folds must say the same in the mean."""
    differences, errors = [], []
    cdf = scipy.stats.norm.cdf
    for seed in range(40):
        samples = gaussians(1500, seed=seed)
        fine = laid(samples, 60, folds=2)
        one = candidates(fine, FIGURES["asimov"].gain, Guard(10.0, 1.0), 6)[-1]
        expected = 0.0
        for fold, partition in enumerate(one.of_folds):
            edges = fine.edges[partition].copy()
            edges[[0, -1]] = -np.inf, np.inf
            other = [np.arange(2) != fold]
            s, b = (2.0 * fine.values[other[0], 0, k].sum(axis=0) for k in (0, 1))
            ratio = np.add.reduceat(s, partition[:-1]) / np.add.reduceat(b, partition[:-1])
            true_s, true_b = 60.0 * np.diff(cdf(edges - 1.0)), 600.0 * np.diff(cdf(edges))
            # Twice the expected log-likelihood ratio of the likelihood that was trained.
            expected += 0.5 * np.sum(2.0 * ((true_s + true_b) * np.log1p(ratio) - ratio * true_b))
            exact = 2.0 * ((true_s + true_b) * np.log1p(true_s / true_b) - true_s)
            assert np.sum(2.0 * ((true_s + true_b) * np.log1p(ratio) - ratio * true_b)) <= np.sum(exact)
        differences.append(one.held_out - expected)
        errors.append(one.value - expected)
    spread = np.std(differences, ddof=1) / math.sqrt(len(differences))
    assert abs(np.mean(differences)) < 3.0 * spread
    # The value on the events that chose is too large, significantly so.
    assert np.mean(errors) > 5.0 * np.std(errors, ddof=1) / math.sqrt(len(errors))


def test_the_standard_error_is_the_spread_of_the_difference():
    """Held-out parts drawn anew for one choice of bins."""
    samples = gaussians(2000, seed=5)
    fine = laid(samples, 40, folds=2)
    found = candidates(fine, FIGURES["asimov"].gain, Guard(10.0, 1.0), 6)
    best = max(found, key=lambda one: one.held_out)
    estimated = standard_errors(found, functools.partial(deviation, fine))
    assert estimated[found.index(best)] == 0.0
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(2000):
        counts = rng.poisson(fine.values[:, 0] * 2000 / np.array([60.0, 600.0])[:, None])
        sums = counts * np.array([60.0, 600.0])[:, None] / 2000
        drawn.append([np.sum((one.factors - best.factors) * sums) for one in found])
    expected = np.std(drawn, axis=0, ddof=1)
    np.testing.assert_allclose(estimated, expected, rtol=0.08)  # 5 standard errors of a spread of 2000


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.gain is not None])
def test_tangents_are_derivatives_and_lie_below(name):
    rng = np.random.default_rng(0)
    s, b, v = (np.exp(rng.normal(0, 1.5, 200)) for _ in range(3))
    formula, relative = FIGURES[name].gain, v / b
    slope, per_background = formula.tangent(s, b, relative)
    np.testing.assert_allclose(s * slope + b * per_background, formula(s, b, v), rtol=1e-9)
    h = 1e-5 * s
    np.testing.assert_allclose(slope, (formula(s + h, b, v) - formula(s - h, b, v)) / (2.0 * h), rtol=1e-7)
    other = np.exp(rng.normal(0, 1.5, (50, 200)))
    assert np.all(other * slope + b * per_background <= formula(other, b, v) * (1.0 + 1e-12))
    expected = [squared(*numbers, name) for numbers in zip(s, b, np.sqrt(v), strict=True)]
    np.testing.assert_allclose(formula(s, b, v), expected, rtol=1e-8)


def test_systematics_enter_the_metric_with_uncertainty():
    samples = with_systematics()
    fine = laid(samples, 10)
    gains = fine.gains(FIGURES["asimov_uncertainty"].gain, Guard(0.0, 0.0))
    counted = Counted(samples, fine.edges)
    tt, w = samples[1], samples[2]
    for i, j in [(0, 10), (0, 3), (4, 8)]:
        low, high = fine.edges[i], fine.edges[j]

        def inside(x: Any, weights: Any, low: float = low, high: float = high) -> float:
            return float(np.sum(weights[(x >= low) & (x < high)]))

        # The larger side of each counts.
        nominal, scale = inside(tt.columns["x"], tt.weights), tt.modifiers[1]
        jes = max(abs(inside(side.columns["x"], tt.weights) - nominal) for side in (scale.up, scale.down))
        lumi = 0.02 * nominal
        wxs = max(1.3 - 1.0, 1.0 - 0.75) * inside(w.columns["x"], w.weights)
        variance = jes**2 + lumi**2 + wxs**2 + counted.total(i, j, signal=False, power=2)
        s, b = (counted.total(i, j, signal=kind) for kind in (True, False))
        assert gains[i, j - 1] == pytest.approx(squared(s, b, math.sqrt(variance), "asimov_uncertainty"), rel=1e-9)


def significance_of(samples: list[hc.Sample], edges: Any) -> float:
    """By the way of any user: fill, workspace, likelihood."""
    templates = hc.fill(samples, None, axis=hist.axis.Variable(edges, name="x"))
    return float(hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(templates))))


def test_significances_are_those_of_the_filled_workspace():
    samples = with_systematics()
    result = bin_edges(samples, "x", max_bins=4, fine_bins=40, holdout=None)
    assert [one.num_bins for one in result.candidates] == [1, 2, 3, 4]
    for one in (*result.candidates, result.best, result.start):
        assert one.significance == pytest.approx(significance_of(samples, one.edges), rel=1e-7)
    templates = hc.fill(samples, None, axis=result.axis)
    np.testing.assert_allclose(templates.nominal[0], result.signal, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(templates.nominal)[1:].sum(axis=0), result.background, rtol=1e-12)
    assert result.workspace == hc.workspace(templates, measurement=CHOSEN_ON)
    np.testing.assert_array_equal(np.asarray(result.templates.nominal), np.asarray(templates.nominal))
    assert np.sqrt(np.sum(result.bin_values**2)) == pytest.approx(result.value, rel=1e-12)


def test_without_uncertainties_the_shape_fit_is_the_sum_over_bins_held_out_too():
    result = bin_edges(gaussians(2000, staterror=False), "x", max_bins=5, fine_bins=60, holdout=None)
    for one in result.candidates:
        assert one.significance == pytest.approx(one.value, rel=1e-8)
        # The tangent of q0, by differences of fits, and the expected likelihood ratio.
        assert one.held_out_significance == pytest.approx(one.held_out_value, rel=1e-5)
    assert result.best is result.start  # nothing beats the global optimum


def test_moved_edges_are_better_and_none_of_their_neighbors_is():
    samples = with_systematics()
    fine = laid(samples, 30)
    guard = Guard(10.0, 1.0)
    gains = fine.gains(FIGURES["asimov"].gain, guard)
    start = best_partitions(gains, 3)[-1][0]
    (moved,) = polish(shape_fits(fine, 3), [PolishTask(fine, np.isfinite(gains), start)])
    best = significance_of(samples, fine.edges[moved])
    assert best > 1.01 * significance_of(samples, fine.edges[start])
    counted = Counted(samples, fine.edges)
    assert all(counted.allowed(i, j, 10.0, 1.0) for i, j in itertools.pairwise(moved.tolist()))
    for edge, step in itertools.product((1, 2), (-2, -1, 1, 2)):
        other = moved.copy()
        other[edge] += step
        if np.all(np.diff(other) > 0):
            assert significance_of(samples, fine.edges[other]) <= best * (1.0 + 2e-6)


def test_edges_are_moved_only_if_held_out_events_agree():
    kept, refused = 0, 0
    for seed in range(8):
        result = bin_edges(with_systematics(1000, seed), "x", num_bins=4, fine_bins=40, metric="asimov", holdout=None)
        first, last = result.start, result.best
        if last is first:
            refused += "edges not moved" in result.message
            continue
        kept += 1
        assert "edges moved" in result.message
        assert last.significance > first.significance
        assert last.held_out_significance >= first.held_out_significance
        assert last.value <= first.value  # the global optimum of the sum
    assert kept > 0
    unmoved = bin_edges(with_systematics(1000), "x", num_bins=4, fine_bins=40, polish_edges=False, holdout=None)
    assert unmoved.best is unmoved.start


def test_the_rule_for_the_number_of_bins():
    result = bin_edges(gaussians(20_000), "x", max_bins=8, holdout=None)
    held_out = [math.copysign(one.held_out_value**2, one.held_out_value) for one in result.candidates]
    best = max(held_out)
    good = [
        one.num_bins
        for one, value in zip(result.candidates, held_out, strict=True)
        if value >= best - one.held_out_uncertainty or value >= 0.99**2 * best
    ]
    assert result.num_bins == min(good)
    assert result.num_bins > 2
    assert "smallest number of bins, of up to 8, " in result.message


def test_guards_hold_and_are_told():
    samples = gaussians(800, background=40.0)
    free = bin_edges(samples, "x", num_bins=4, min_background=0, min_expected=0, holdout=None)
    assert free.background.min() < 3.0
    result = bin_edges(samples, "x", num_bins=4, min_background=80.0, min_expected=3.0, holdout=None)
    assert result.effective_background.min() >= 80.0
    assert result.background.min() >= 3.0
    assert result.guard == (
        "each bin expects at least 3 background events and has at least 80 effective simulated ones "
        "of each background that matters"
    )
    few = bin_edges(samples, "x", max_bins=20, min_expected=12.0, holdout=None)
    assert len(few.candidates) == 3
    assert "of up to 3 (no more are possible)" in few.message
    with pytest.raises(InputError, match=r"1 bin of 'x': not even one .* 60 signal and 40 background .* 800 effective"):
        bin_edges(samples, "x", min_background=900.0, holdout=None)


def test_bounds_selection_and_what_lies_outside():
    samples = gaussians(1000)
    with pytest.warns(OutsideAxisWarning, match="outside the axis 'x'"):
        result = bin_edges(samples, "x", num_bins=3, bounds=(-1.0, 2.0), holdout=None)
    assert (result.edges[0], result.edges[-1]) == (-1.0, 2.0)
    selection = hc.Selection([hc.Window("x", -1.0, 2.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", OutsideAxisWarning)
        selected = bin_edges(samples, "x", num_bins=3, selection=selection, bounds=(-1.0, 2.0), holdout=None)
    np.testing.assert_array_equal(selected.edges, result.edges)
    x, w = samples[1].columns["x"], samples[1].weights
    assert selected.background.sum() == pytest.approx(w[(x > -1.0) & (x < 2.0)].sum(), rel=1e-12)
    np.testing.assert_allclose(np.asarray(selected.templates.nominal)[1], selected.background, rtol=1e-12)


def test_events_at_the_upper_bound_are_counted():
    x = np.append(np.linspace(0.0, 1.0, 500), np.ones(50))
    samples = [hc.Sample("s", {"x": x}, signal=True), hc.Sample("b", {"x": x[::-1] ** 2})]
    result = bin_edges(samples, "x", num_bins=2, bounds=(0.0, 1.0), holdout=None)
    assert result.signal.sum() == 550
    assert result.edges[-1] == pytest.approx(1.0, abs=1e-15)


def test_the_same_seed_gives_the_same_result():
    first, second, other = (bin_edges(gaussians(800), "x", max_bins=4, seed=seed, holdout=None) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.edges, second.edges)
    assert first.candidates[2].held_out_value == second.candidates[2].held_out_value
    assert first.candidates[2].held_out_value != other.candidates[2].held_out_value
    assert first.candidates[2].value == other.candidates[2].value


def test_without_folds_nothing_is_held_out():
    result = bin_edges(gaussians(500), "x", num_bins=3, folds=0, holdout=None)
    assert math.isnan(result.best.held_out_value)
    assert math.isnan(result.best.held_out_significance)
    assert "held out" not in repr(result)


def test_representations():
    result = bin_edges(gaussians(500), "x", num_bins=2, holdout=None)
    text = repr(result)
    assert text.startswith("2 bins of x\n  edges")
    for part in (f"{result.significance:.4f}", "cross-validated", result.guard, result.message):
        assert part in text
    page = result._repr_html_()
    assert page.startswith("<table><caption>2 bins of x</caption>")
    assert page.count("<tr>") == len(result.overview().rows)
    frame = result.to_dataframe()
    assert list(frame["num_bins"]) == [2]
    assert frame["significance"][0] == result.start.significance
    bins = result.bins()
    assert list(bins["low"]) == list(result.edges[:-1])
    assert list(bins["background"]) == list(result.background)


def test_a_sample_of_negative_yield_has_no_shape_fit():
    rng = np.random.default_rng(0)
    odd = hc.Sample("odd", {"x": rng.normal(size=100)}, weights=np.full(100, -0.1))
    result = bin_edges([*gaussians(500), odd], "x", num_bins=3, holdout=None)
    assert math.isnan(result.significance)
    assert result.value > 0
    assert "no shape fit: Sample 'odd' has a negative yield" in result.message


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"metric": "profit"}, "There is no figure of merit 'profit'"),
        ({"metric": "profile"}, "'profile' is no root of a sum of squares over bins; choose among asimov, asimov_unc"),
        ({"num_bins": 0}, "num_bins is 0; expected a whole number, 1 or more"),
        ({"num_bins": 300}, "300 bins were asked for among 200 fine bins"),
        ({"max_bins": 0}, "max_bins is 0; expected a whole number, 1 or more"),
        ({"fine_bins": 1, "max_bins": 1}, "fine_bins is 1; expected a whole number, 2 or more"),
        ({"fine_bins": 5000}, "2 to 2000 fine bins"),
        ({"folds": 1}, "folds is 1"),
        ({"folds": 0}, "folds is 0 and num_bins is not given"),
        ({"min_background": -1.0}, "min_background is -1.0"),
        ({"min_expected": math.nan}, "min_expected is nan"),
        ({"bounds": (1.0, 0.0)}, "bounds are \\(1.0, 0.0\\)"),
        ({"bounds": 3.0}, "bounds are 3.0"),
        ({"bounds": (0.0, math.inf)}, "two finite numbers"),
        ({"selection": "x > 3"}, "selection came as str"),
    ],
    ids=lambda v: "" if isinstance(v, str) else "-".join(f"{k}={x}" for k, x in v.items()),
)
def test_input_errors(options, match):
    with pytest.raises(InputError, match=match):
        bin_edges(gaussians(50), "x", **options)


def test_errors_of_samples():
    samples = gaussians(50)
    with pytest.raises(SampleError, match="y"):
        bin_edges(samples, "y", num_bins=2, holdout=None)
    with pytest.raises(SampleError, match="No background"):
        bin_edges(samples[:1], "x", num_bins=2, holdout=None)
    with pytest.raises(EmptySelectionError, match="No signal event has a value to lay into bins from 50 to 60"):
        bin_edges(samples, "x", num_bins=2, bounds=(50.0, 60.0), holdout=None)
    with pytest.raises(EmptySelectionError, match="No signal event"):
        bin_edges(samples, "x", num_bins=2, selection=hc.Cut("x", ">", 100.0), holdout=None)


def test_the_figure_holds_the_numbers_of_the_result():
    before = mpl.rcParams.copy()
    result = bin_edges(with_systematics(1000), "x", max_bins=4, fine_bins=40, holdout=None)
    drawn = result.plot()
    assert plt.get_fignums() == [drawn.figure.number]
    np.testing.assert_array_equal(drawn.values.get_data().values, result.bin_values)
    np.testing.assert_array_equal(drawn.values.get_data().edges, result.edges)
    np.testing.assert_allclose(drawn.distributions.histograms[0].values(), result.signal, rtol=1e-12)
    fields = ("value", "held_out_value", "significance", "held_out_significance")
    for curve, field in zip(drawn.curves, fields, strict=True):
        np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(curve.get_ydata(), [getattr(one, field) for one in result.candidates])
    assert list(drawn.chosen.get_xdata()) == [result.num_bins] * 2
    assert mpl.rcParams == before
    with pytest.raises(InputError, match="draws into 3"):
        result.plot(axes=drawn.axes[0])
    # Nothing held out, one candidate.
    single = bin_edges(gaussians(300), "x", num_bins=2, folds=0, holdout=None).plot(axes=plt.subplots(1, 3)[1])
    assert single.curves[0].get_ydata().shape == (1,)
    plt.close("all")
