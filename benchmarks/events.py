"""The event half: cuts, closed-form metrics and soft templates, against what one would write with NumPy."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from measure import repeated, timed
from report import Result
from session import Session
from sklearn.metrics import log_loss

import hepcuts as hc
from hepcuts import _pyhf
from hepcuts.cumulative import distinct_thresholds
from hepcuts.filling import EventTable
from hepcuts.relaxations import Sigmoid


def closed_forms(session: Session) -> Result:
    """All closed-form metrics at every threshold of a scenario, against one step of the notebook's loop."""
    samples = hc.datasets.scenario("exp10-gauss50x10", seed=1)
    cut = hc.Cut("x", ">")
    metrics = ("bce", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "asimov", "asimov_uncertainty", "punzi")
    session.progress("hepcuts")
    first, run = _first_and_run(lambda: hc.scan(samples, cut, metrics=metrics))
    values = np.concatenate([sample.columns["x"] for sample in samples])
    truth = np.concatenate([np.full(len(sample), sample.signal) for sample in samples])
    session.progress("notebook")
    loop = repeated(lambda: log_loss(truth, values > 40.0), most=3)[0]
    thresholds = len(distinct_thresholds(samples, cut))
    found = {
        "thresholds": float(thresholds),
        "first_s": first,
        "hepcuts_s": run,
        "notebook_per_threshold_s": loop,
        "ratio_per_threshold": loop / (run / thresholds),
        "peak_MiB": _traced_memory(lambda: hc.scan(samples, cut, metrics=metrics)),
    }
    return _result(closed_forms, found)


def profile_scan(session: Session) -> Result:
    """The profile likelihood at 99 thresholds, against pyhf's hypotest at one."""
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    cut = hc.Cut("x", ">")
    session.progress("hepcuts")
    first, run = _first_and_run(lambda: hc.scan(samples, cut, metrics=("profile",), thresholds=range(1, 100)))
    model = hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, hc.Cut("x", ">", 47.0)))).model
    session.progress("pyhf")
    other = repeated(lambda: _pyhf.hypotest(model), most=4)[0]
    found = {
        "first_s": first,
        "hepcuts_s": run,
        "pyhf_per_threshold_s": other,
        "ratio_per_threshold": other / (run / 99),
    }
    return _result(profile_scan, found)


def soft_templates(session: Session) -> Result:
    """Soft yields of a million events with two cuts, with gradient, against NumPy summing the same array once."""
    generator = np.random.default_rng(0)
    samples = (hc.Sample("s", _columns(generator, 1.0), signal=True), hc.Sample("b", _columns(generator, 0.0)))
    table = EventTable.of(samples, hc.Cut("x", ">", 0.5) & hc.Cut("y", ">", 0.5))
    values = np.asarray(table.values)
    session.progress("hepcuts")
    with jax.enable_x64(True):
        table = jax.device_put(table)
        widths, at = np.full(2, 0.2), np.full(2, 0.5)
        function = jax.jit(jax.value_and_grad(lambda t, data: data.soft_yields(t, widths, Sigmoid()).nominal[0, 0]))
        first, run = _first_and_run(lambda: jax.block_until_ready(function(at, table)))
    other = repeated(lambda: np.sum(values), most=5)[0]
    found = {"first_s": first, "hepcuts_s": run, "numpy_sum_s": other, "times_numpy_sum": run / other}
    return _result(soft_templates, found)


CASES: dict[str, Callable[[Session], Result]] = {
    case.__name__: case for case in (closed_forms, profile_scan, soft_templates)
}


def _columns(generator: np.random.Generator, mean: float) -> dict[str, Any]:
    return {name: generator.normal(mean, 1.0, 500_000) for name in ("x", "y")}


def _first_and_run(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the first call, and the median of later ones."""
    return timed(function)[0], repeated(function, most=5)[0]


def _traced_memory(function: Callable[[], Any]) -> float:
    """Peak of NumPy's and Python's own allocations in MiB."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def _result(case: Callable[[Session], Result], found: dict[str, float]) -> Result:
    return Result((case.__doc__ or "").rstrip("."), values=found)
