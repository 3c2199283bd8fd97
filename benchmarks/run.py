"""Benchmarks: what hepcuts takes against what a user would do otherwise, in one run on one machine.

    python benchmarks/run.py [--output results.json]

Compile time (first call) is shown apart from run time (median of later calls). Ratios are other over hepcuts, so that
larger is better; absolute times depend on the machine. Memory is the peak of NumPy's and Python's own allocations.
"""

import argparse
import json
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyhf
from sklearn.metrics import log_loss

import hepcuts as hc
from hepcuts import _pyhf
from hepcuts.cumulative import distinct_thresholds
from hepcuts.filling import EventTable
from hepcuts.relaxations import Sigmoid

warnings.simplefilter("ignore")


def measure(function: Callable[[], Any], *, repeat: int = 5) -> tuple[float, float]:
    """Time of the first call and median time of later ones, in seconds."""
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return times[0], float(np.median(times[1:]))


def peak_memory(function: Callable[[], Any]) -> float:
    """Peak of traced allocations in MiB."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def single_bin() -> dict[str, float]:
    """One expected Z of one bin with background uncertainty, against pyhf's hypotest."""
    model = pyhf.simplemodels.uncorrelated_background(signal=[12.0], bkg=[50.0], bkg_uncertainty=[7.0])
    likelihood = hc.HistFactory(model)
    first, run = measure(lambda: hc.discovery_significance(likelihood))
    _, other = measure(lambda: _pyhf.hypotest(model))
    return {"compile_s": first, "hepcuts_s": run, "pyhf_scipy_s": other, "ratio": other / run}


def atlas() -> dict[str, float] | None:
    """One expected Z with its gradient to all templates on the ATLAS likelihood, against pyhf's value alone."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "atlas-sbottom"
    if not folder.is_dir():
        return None
    patch = json.loads((folder / "patch.sbottom_1000_205_60.json").read_text())
    likelihood = hc.HistFactory.from_workspace(folder / "BkgOnly.json", patches=[patch])
    with jax.enable_x64(True):
        function = jax.jit(jax.value_and_grad(lambda t: hc.discovery_significance(likelihood, t)))
        first, run = measure(lambda: function(likelihood.templates))
    start = time.perf_counter()
    _pyhf.hypotest(likelihood.model)
    other = time.perf_counter() - start
    return {"compile_s": first, "hepcuts_with_gradient_s": run, "pyhf_scipy_value_s": other, "ratio": other / run}


def closed_forms() -> dict[str, float]:
    """All closed-form metrics at every threshold of the first scenario, against one step of the notebook's loop."""
    samples = hc.datasets.scenario("exp10-gauss50x10", seed=1)
    metrics = ("bce", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "asimov", "asimov_uncertainty", "punzi")
    first, run = measure(lambda: hc.scan(samples, hc.Cut("x", ">"), metrics=metrics), repeat=3)
    values = np.concatenate([sample.columns["x"] for sample in samples])
    truth = np.concatenate([np.full(len(sample), sample.signal) for sample in samples])
    _, loop = measure(lambda: log_loss(truth, values > 40.0), repeat=3)
    thresholds = len(distinct_thresholds(samples, hc.Cut("x", ">")))
    return {
        "thresholds": thresholds,
        "first_s": first,
        "hepcuts_s": run,
        "notebook_per_threshold_s": loop,
        "ratio_per_threshold": loop / (run / thresholds),
        "peak_MiB": peak_memory(lambda: hc.scan(samples, hc.Cut("x", ">"), metrics=metrics)),
    }


def profile_scan() -> dict[str, float]:
    """The profile likelihood at 99 thresholds, against pyhf's hypotest at one."""
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    cut = hc.Cut("x", ">")
    first, run = measure(lambda: hc.scan(samples, cut, metrics=("profile",), thresholds=range(1, 100)), repeat=3)
    model = hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, hc.Cut("x", ">", 47.0)))).model
    _, other = measure(lambda: _pyhf.hypotest(model), repeat=3)
    return {
        "first_s": first,
        "hepcuts_s": run,
        "pyhf_per_threshold_s": other,
        "ratio_per_threshold": other / (run / 99),
    }


def soft_templates() -> dict[str, float]:
    """Soft yields of a million events with two cuts, value and gradient, against NumPy summing the same array once."""
    generator = np.random.default_rng(0)
    size = 500_000
    columns = lambda shift: {"x": generator.normal(shift, 1.0, size), "y": generator.normal(shift, 1.0, size)}  # noqa: E731
    samples = (hc.Sample("s", columns(1.0), signal=True), hc.Sample("b", columns(0.0)))
    table = EventTable.of(samples, hc.Cut("x", ">", 0.5) & hc.Cut("y", ">", 0.5))
    with jax.enable_x64(True):
        table = jax.device_put(table)
        widths, at = np.full(2, 0.2), np.full(2, 0.5)
        function = jax.jit(jax.value_and_grad(lambda t, data: data.soft_yields(t, widths, Sigmoid()).nominal[0, 0]))
        first, run = measure(lambda: function(at, table))
    _, other = measure(lambda: np.sum(table.values))
    return {"compile_s": first, "hepcuts_s": run, "numpy_sum_s": other, "times_numpy_sum": run / other}


CASES = {f.__name__: f for f in (single_bin, atlas, closed_forms, profile_scan, soft_templates)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, help="write the results as JSON, too")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="all if none is named")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.cases or CASES:
        found = CASES[name]()
        if found is None:
            print(f"{name}: skipped, its data are not here")
            continue
        results[name] = found
        print(f"{name}: {CASES[name].__doc__}")
        for key, value in found.items():
            print(f"  {key:<28s}{value:>14.6g}")
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
