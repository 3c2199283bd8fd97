"""What two versions of hepcuts are compared by: each function for a fresh process, through public names only."""

from collections.abc import Callable
from typing import Any

import hist
import jax
import numpy as np
from measure import Measurement, processor_timed, start_jax
from problems import PROBLEMS

import hepcuts as hc

Call = Callable[[], Any]
CLOSED = ("bce", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "asimov", "asimov_uncertainty", "punzi")


def one(task: str) -> Measurement:
    """Seconds of the processor: the first call, and the median of later ones."""
    start_jax()
    with jax.enable_x64(True):
        call = TASKS[task]()
        first, _ = processor_timed(call)
        times: list[float] = []
        while len(times) < 15 and sum(times) < 3.0:
            times.append(processor_timed(call)[0])
    return Measurement(first_s=first, run_s=float(np.median(times)), best_s=min(times))


def _events(number: int, *, equal: bool = False) -> list[hc.Sample]:
    """One signal and one background of a normal variable ``x``, with an observable ``m``."""
    generator = np.random.default_rng(1)
    third = number // 3

    def sample(name: str, mean: float, size: int) -> hc.Sample:
        columns = {"x": generator.normal(mean, 1.0, size), "m": generator.random(size)}
        weights = np.full(size, 0.01) if equal else 0.01 * generator.random(size)
        return hc.Sample(name, columns, weights=weights, signal=name == "signal")

    return [sample("signal", 1.0, third), sample("background", 0.0, number - third)]


def _scan(samples: list[hc.Sample], cut: Any, **options: Any) -> Call:
    options = {"metrics": ("asimov", "s_over_sqrt_b"), "replicas": 0, "folds": 0} | options
    return lambda: hc.scan(samples, cut, **options)


def _batch(problem: str, *, gradient: bool) -> Call:
    work = PROBLEMS[problem]()
    likelihood = hc.HistFactory(work.model(0))
    templates, axes = work.batch(likelihood)

    def significance(held: Any) -> Any:
        return hc.discovery_significance(likelihood, held)

    function = jax.value_and_grad(significance) if gradient else significance
    call, templates = jax.jit(jax.vmap(function, in_axes=(axes,))), jax.device_put(templates)
    return lambda: jax.block_until_ready(call(templates))


def _single(problem: str, *, gradient: bool) -> Call:
    likelihood = hc.HistFactory(PROBLEMS[problem]().model(0))

    def significance(held: Any) -> Any:
        return hc.discovery_significance(likelihood, held)

    function = jax.value_and_grad(significance) if gradient else significance
    return lambda: [jax.block_until_ready(function(likelihood.templates)) for _ in range(20)]


def _scenario(**options: Any) -> Call:
    return _scan(hc.datasets.scenario("gauss40x10-gauss50x10", seed=1), hc.Cut("x", ">"), **options)


def _replicas() -> Call:
    scan = _scan(_events(100_000), hc.Cut("x", ">"), replicas=100, folds=5)
    return lambda: scan().optimum("asimov")


def _features() -> list[hc.Sample]:
    return hc.datasets.many_features(2, seed=3, num_signal=4000, num_background=8000)


def _optimize(objective: str) -> Call:
    samples, selection = _features(), hc.Selection([hc.Cut("x0", ">"), hc.Cut("x1", ">")])
    return lambda: hc.optimize(samples, selection, objective=objective, folds=0)


def _fill() -> Call:
    samples, selection = _events(1_000_000), hc.Cut("x", ">", 0.5) & hc.Cut("m", "<", 0.8)
    axis = hist.axis.Regular(10, 0, 1, name="m")
    return lambda: hc.fill(samples, selection, axis=axis)


def _bins() -> Call:
    samples = _events(100_000)
    return lambda: hc.bin_edges(samples, "x", max_bins=4)


GRID = np.linspace(-2.0, 3.0, 500)
TASKS: dict[str, Callable[[], Call]] = {
    "batch, one bin": lambda: _batch("one_bin", gradient=False),
    "batch, one bin, gradient": lambda: _batch("one_bin", gradient=True),
    "batch, two channels": lambda: _batch("two_channels", gradient=False),
    "batch, two channels, gradient": lambda: _batch("two_channels", gradient=True),
    "20 Z, two channels": lambda: _single("two_channels", gradient=False),
    "20 Z, two channels, gradient": lambda: _single("two_channels", gradient=True),
    "20 Z, ATLAS": lambda: _single("atlas", gradient=False),
    "20 Z, ATLAS, gradient": lambda: _single("atlas", gradient=True),
    "fill, 1e6 events": _fill,
    "scan, 1e6 events, 500 thresholds": lambda: _scan(_events(1_000_000), hc.Cut("x", ">"), thresholds=GRID),
    "scan, equal weights": lambda: _scan(_events(1_000_000, equal=True), hc.Cut("x", ">"), thresholds=GRID),
    "scan, all thresholds": lambda: _scan(_events(1_000_000), hc.Cut("x", ">")),
    "scan, windows": lambda: _scan(_events(1_000_000), hc.Window("x"), thresholds=np.linspace(-2.0, 3.0, 60)),
    "scan, closed forms": lambda: _scenario(metrics=CLOSED),
    "scan, profile likelihood": lambda: _scenario(metrics=("profile",), thresholds=np.linspace(1.0, 70.0, 1000)),
    "scan, replicas and folds": _replicas,
    "optimize, asimov": lambda: _optimize("asimov"),
    "optimize, profile": lambda: _optimize("profile"),
    "bins of a variable": _bins,
    "categories": lambda: lambda: hc.categorize(_features(), ["x0", "x1"], num_bins=2, objective="asimov", folds=0),
}
