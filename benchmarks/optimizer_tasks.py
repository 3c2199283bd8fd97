"""One search for many cuts, each for a fresh process: hepcuts, and the tools that one finds elsewhere.

All of them see the same training events, half of 200 000 signal and 1 000 000 background events, and the same
significance with a background known to 10 %. What their cuts are worth on new events is computed, not sampled: the
truth is known (`hepcuts.samples.datasets.ManyFeatures.yields`). Times of searches are those of the processor.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from cut_cabin import CABIN
from cut_events import Array, CutEvents, significance
from cut_searches import SEARCHES
from measure import Measurement, PeakMemory, processor_timed, repeated, start_jax, timed

import hepcuts as hc
from hepcuts.binning.fine import FineBins, Guard
from hepcuts.cuts.steps import Sigmoid
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import solver
from hepcuts.samples.datasets import ManyFeatures, many_features
from hepcuts.templates.partitions import best_partitions

SIGNAL, BACKGROUND = 100_000, 500_000
"""Simulated training events."""
NEW_EVENTS = 10_000_000
"""New events, signal and background in the same ratio, to confirm what is computed."""


def hepcuts(num_features: int, seed: int) -> Measurement:
    """`hepcuts.optimize` of all events with nothing else set; run_s is a second call in the same process."""
    samples = _samples(num_features, seed, SIGNAL, BACKGROUND)
    start_jax()
    memory = PeakMemory()
    first_s, result = processor_timed(lambda: _optimize(samples))
    peak = memory.mib()
    run_s, _ = processor_timed(lambda: _optimize(samples))
    thresholds = _thresholds(result, num_features)
    remarks = kept(_events(samples), thresholds, lambda held: _worth(_events(samples), held))
    remarks["sampled_Z"] = sampled(thresholds, seed=1000 + seed)
    return Measurement(first_s, run_s, run_s, peak_mib=peak, remarks=remarks)


def other(tool: str, num_features: int, seed: int, budget: float) -> Measurement:
    """Another tool."""
    samples = _samples(num_features, seed, SIGNAL, BACKGROUND)
    search = (SEARCHES | CABIN)[tool]
    _import(tool)
    memory = PeakMemory()
    events = _events(samples)
    first_s, found = processor_timed(lambda: search(events, seed, budget))
    peak = memory.mib()
    remarks = kept(events, found.thresholds, lambda thresholds: _worth(events, thresholds))
    if np.isfinite(found.after_s):
        remarks["best_after_s"] = found.after_s
    if np.isfinite(found.first_end_s):
        remarks["first_end_s"] = found.first_end_s
    return Measurement(first_s, peak_mib=peak, remarks=remarks)


def kept(events: CutEvents, found: Array, worth: Callable[[Array], dict[str, float]]) -> dict[str, float]:
    """What cuts are worth once they leave as much background as everybody has to, and whether they did by themselves.

    A guard that acts on soft cuts (CABIN's) does not hold for hard ones.
    """
    held = events.keeping_background(found)
    return worth(held) | {"found_background_events": events.effective_background(found)}


def _thresholds(result: Any, num_features: int) -> Array:
    """All of them; a cut that was given up lets everything pass."""
    return np.array([result.thresholds.get(name, -np.inf) for name in ManyFeatures(num_features).names])


def scaling(num_features: int, num_events: int) -> Measurement:
    """`hepcuts.optimize` on more events or features: the first call alone."""
    num_signal = num_events // 6
    samples = _samples(num_features, 1, num_signal, num_events - num_signal)
    start_jax()
    memory = PeakMemory()
    first_s, result = timed(lambda: _optimize(samples))
    peak = memory.mib()
    thresholds = _thresholds(result, num_features)
    s, b = ManyFeatures(num_features).yields(thresholds)
    return Measurement(first_s, peak_mib=peak, remarks={"fresh_Z": float(significance(s, b, (0.1 * b) ** 2))})


def value_and_gradient(num_features: int, num_events: int) -> Measurement:
    """One soft significance with gradient, at the final widths, against NumPy summing the same array once."""
    num_signal = num_events // 6
    samples = _samples(num_features, 1, num_signal, num_events - num_signal)
    values = np.concatenate([np.array([*sample.columns.values()]) for sample in samples], axis=1)
    start_jax()
    everything, near = _soft_significance(samples)
    memory = PeakMemory()
    first_s, _ = timed(near)
    run_s, best_s = repeated(near, most=15)
    timed(everything)
    all_s, best_all_s = repeated(everything, most=15)
    sum_s, best_sum_s = repeated(lambda: np.sum(values), most=15)
    remarks = {"numpy_sum_s": sum_s, "times_numpy_sum": run_s / sum_s, "fastest_over_fastest": best_s / best_sum_s}
    remarks |= {"all_events_times_sum": all_s / sum_s, "all_events_fastest": best_all_s / best_sum_s}
    return Measurement(first_s, run_s, best_s, peak_mib=memory.mib(), remarks=remarks)


def bin_edges(num_fine: int, num_bins: int) -> Measurement:
    """Dynamic programming over fine bins of a discriminant: the table of all bins and the best edges."""
    generator = np.random.default_rng(0)
    signal = hc.Sample("s", {"x": generator.normal(1, 1, 20_000)}, weights=np.full(20_000, 0.003), signal=True)
    background = hc.Sample("b", {"x": generator.normal(0, 1, 20_000)}, weights=np.full(20_000, 0.03))
    samples = [signal, background]
    fine = FineBins.of(samples, "x", selection=None, bounds=None, fine_bins=num_fine, folds=None)

    def search() -> Any:
        return best_partitions(fine.gains(figure_of_merit("asimov").gain, Guard(10.0, 1.0)), num_bins)

    first_s, _ = timed(search)
    return Measurement(first_s, *repeated(search, most=15))


def _soft_significance(samples: list[hc.Sample]) -> tuple[Any, Any]:
    """One evaluation as the search makes it, near the best cuts: with all events, and with those within reach."""
    cuts = hc.Selection([hc.Cut(name, ">") for name in samples[0].columns])
    goal, walker = figure_of_merit("asimov_uncertainty"), solver("lbfgs")
    search = Search.of(samples, Problem(cuts, goal, walker, Sigmoid(), min_background=10.0))
    at = np.where(np.arange(len(cuts.cuts)) % 2 == 0, 0.9, -0.1)
    position = np.array([c.score(float(t)) for c, t in zip(search.space.coordinates, at, strict=True)])
    near = search.reached(position, search.space.widths)
    return lambda: search.evaluate(position, search.space.widths), lambda: near.evaluate(position, search.space.widths)


def sampled(thresholds: Array, seed: int) -> float:
    """Significance of cuts on ten million new events, drawn in chunks."""
    generator, chunks = np.random.default_rng(seed), 20
    passed = np.zeros(2)
    for _ in range(chunks):
        pair = many_features(
            len(thresholds),
            seed=generator,
            num_signal=NEW_EVENTS // (6 * chunks),
            num_background=NEW_EVENTS * 5 // (6 * chunks),
        )
        for i, sample in enumerate(pair):
            columns = zip(sample.columns.values(), thresholds, strict=True)
            passed[i] += sample.weights[np.all([x > t for x, t in columns], axis=0)].sum()
    s, b = passed / chunks
    return float(significance(s, b, (0.1 * b) ** 2))


def _optimize(samples: list[hc.Sample]) -> Any:
    cuts = [hc.Cut(name, ">") for name in samples[0].columns]
    return hc.optimize(samples, hc.Selection(cuts), objective="asimov_uncertainty", holdout=None)


def _samples(num_features: int, seed: int, num_signal: int, num_background: int) -> list[hc.Sample]:
    """Training events; their finite number does not enter the significance, as it does not for the other tools."""
    pair = many_features(num_features, seed=seed, num_signal=num_signal, num_background=num_background)
    return [
        hc.Sample(s.name, s.columns, weights=s.weights, signal=s.signal, modifiers=s.modifiers, staterror=False)
        for s in pair
    ]


def _events(samples: list[hc.Sample]) -> CutEvents:
    signal, background = samples
    rows = (np.array([*sample.columns.values()]) for sample in samples)
    return CutEvents(*rows, signal.weights, background.weights)


def _worth(events: CutEvents, thresholds: Array) -> dict[str, float]:
    """Significance on the training events and of the truth, and what is left of the simulated background."""
    new_s, new_b = ManyFeatures(len(thresholds)).yields(thresholds)
    return {
        "training_Z": events.value(thresholds),
        "fresh_Z": float(significance(new_s, new_b, (0.1 * new_b) ** 2)),
        "background_events": events.effective_background(thresholds),
    }


def _import(tool: str) -> None:
    """Let a tool be imported before the clock starts."""
    if tool in CABIN:
        import cabin  # noqa: F401, PLC0415
        import torch  # noqa: PLC0415

        torch.ones(1, requires_grad=True).sum().backward()
    if tool == "cma_es":
        import cma  # noqa: F401, PLC0415
