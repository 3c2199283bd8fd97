"""Scans of simulated events against the cuts that theory knows: how fast they converge, and where they cannot."""

import math

import numpy as np
import pytest

import hepcuts as hc
from hepcuts.merit.theory import CutProblem

METRICS = ("bce", "s_over_sqrt_b", "asimov")


def simulate(problem, size, seed, proposal=None):
    """`size` events of each sample, weighted to the yields of the problem; the background from a wider exponential."""
    generator = np.random.default_rng(seed)
    x = problem.signal.frozen.rvs(size=size, random_state=generator)
    signal = hc.Sample("signal", {"x": x}, weights=np.full(size, problem.totals[0] / size), signal=True)
    drawn = problem.background.frozen if proposal is None else proposal
    x = drawn.rvs(size=size, random_state=generator)
    weights = problem.totals[1] / size * problem.background.frozen.pdf(x) / drawn.pdf(x)
    return [signal, hc.Sample("background", {"x": x}, weights=weights)]


def deviations(problem, size, seeds, **options):
    """For each metric: distances of the scanned from the known cuts, and the fractions lost by them, by truth."""
    known = {metric: problem.optimum(metric) for metric in METRICS}
    away, lost = {m: [] for m in METRICS}, {m: [] for m in METRICS}
    for seed in range(seeds):
        scan = hc.scan(simulate(problem, size, seed, **options), hc.Cut("x", ">"), metrics=METRICS)
        for metric, best in known.items():
            found = scan.optimum(metric).threshold
            away[metric].append(found - best.threshold)
            lost[metric].append(abs(1 - float(problem.value(metric, found)) / best.value))
    return away, lost


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize(
    ("name", "sizes", "seeds"),
    [
        ("gauss40x10-gauss50x10", (1000, 6000, 36_000), (24, 16, 12)),
        pytest.param("exp10-gauss50x10", (3000, 30_000, 300_000), (30, 20, 10), marks=pytest.mark.slow),
        pytest.param("gauss40x10-gauss50x10", (10_000, 100_000, 10**6), (24, 12, 8), marks=pytest.mark.slow),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.slow("gauss40x10-gauss50x10-sizes0-seeds0")
def test_scans_converge_to_the_known_cuts(name, sizes, seeds):
    """The place of a noisy maximum with quadratic top converges like N^(-1/3), what is lost there like N^(-2/3).

    Small samples, whose cuts lie beyond the quadratic part of the top, may fall off up to as fast as N^(-1/2) and N^-1.
    The slopes are fitted to root mean squares of a few seeds; they get three standard deviations of that, given that a
    root mean square of n normal values is known to 1/sqrt(2n) of itself.
    """
    problem = CutProblem.of_scenario(name)
    found = [deviations(problem, size, n) for size, n in zip(sizes, seeds, strict=True)]
    log_size = np.log(sizes)
    uncertainty = math.sqrt(0.5 / seeds[0] + 0.5 / seeds[-1]) / (log_size[-1] - log_size[0])
    assert uncertainty < 0.08
    for metric in METRICS:
        cut = np.polyfit(log_size, [math.log(rms(away[metric])) for away, _ in found], 1)[0]
        loss = np.polyfit(log_size, [math.log(np.mean(lost[metric])) for _, lost in found], 1)[0]
        assert -1 / 2 - 3 * uncertainty < cut < -1 / 3 + 3 * uncertainty, metric
        assert -1 - 6 * uncertainty < loss < -2 / 3 + 6 * uncertainty, metric
        assert loss < cut, metric


def test_scan_ends_where_the_simulation_ends():
    """The significance of exp10-exp100 wants 0.15 background events: one in 66 000 of those before the cut."""
    problem = CutProblem.of_scenario("exp10-exp100")
    best = problem.optimum("asimov")
    assert best.background == pytest.approx(0.15, abs=0.001)
    size = 10_000
    scan = hc.scan(simulate(problem, size, seed=1), hc.Cut("x", ">"), metrics=METRICS)
    # BCE's cut is where events are. The others stop where ten simulated events are left: 10 ln(N / 10).
    assert scan.optimum("bce").threshold == pytest.approx(100 / 9 * math.log(10), abs=3 * 1.7)
    for metric in ("asimov", "s_over_sqrt_b"):
        end = scan.optimum(metric)
        assert end.effective_background < 20
        assert end.threshold == pytest.approx(10 * math.log(size / end.effective_background), abs=3 * 10 / 10**0.5)
        assert end.threshold < best.threshold - 30


def test_scan_finds_the_distant_cut_with_events_drawn_there():
    """The same with the background drawn from an exponential of mean 50 and weighted back."""
    problem = CutProblem.of_scenario("exp10-exp100")
    wide = {"proposal": hc.datasets.Distribution("expon", (0.0, 50.0), 1).frozen}
    best = problem.optimum("asimov")
    few, many = (deviations(problem, size, 6, **wide) for size in (3000, 30_000))
    assert rms(many[0]["asimov"]) < 0.7 * rms(few[0]["asimov"])
    assert np.mean(many[1]["asimov"]) < 0.5 * np.mean(few[1]["asimov"])
    assert max(many[1]["asimov"]) < 0.01
    # What is lost is little because the top is flat: one percent over 40 units.
    low, high = problem.plateau("asimov")
    assert high - low == pytest.approx(40.23, abs=0.01)
    assert low < best.threshold < high
