"""The event half: cuts, closed-form metrics and soft templates, against what one would write with NumPy."""

import dataclasses
import tracemalloc
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from measure import repeated, timed
from report import Result, Target
from session import Session
from sklearn.metrics import log_loss

import hepcuts as hc
from hepcuts.cuts.steps import Sigmoid
from hepcuts.histfactory import referee
from hepcuts.templates.filling import EventTable


def closed_forms(session: Session) -> Result:
    """All closed-form metrics at every threshold of a scenario, against one step of the notebook's loop.

    The loop goes over 99 thresholds and asks scikit-learn for the log loss, and NumPy for S/sqrt(B) and the Asimov
    significance in each. Z_Bi, an incomplete beta integral, is no closed form and told apart.
    """
    samples = hc.datasets.scenario("exp10-gauss50x10", seed=1)
    cut = hc.Cut("x", ">")
    metrics = ("bce", "bce_balanced", "s_over_sqrt_b", "s_over_sqrt_s_plus_b", "s_over_sqrt_b_plus_variance")
    metrics += ("asimov", "asimov_uncertainty", "punzi")
    session.progress("hepcuts")
    first, run = _first_and_run(lambda: hc.scan(samples, cut, metrics=metrics))
    binomial = repeated(lambda: hc.scan(samples, cut, metrics=("binomial",)), most=3)[0]
    values = np.concatenate([sample.columns["x"] for sample in samples])
    truth = np.concatenate([np.full(len(sample), sample.signal) for sample in samples])
    session.progress("notebook")
    signal, background = (sample.columns["x"] for sample in samples)

    def step(threshold: float) -> tuple[Any, ...]:
        s, b = np.sum(signal > threshold), np.sum(background > threshold)
        return log_loss(truth, values > threshold), s / np.sqrt(b), np.sqrt(2 * ((s + b) * np.log(1 + s / b) - s))

    loop = timed(lambda: [step(threshold) for threshold in range(1, 100)])[0] / 99
    thresholds = len(hc.scan(samples, cut, metrics=("bce",)).thresholds)
    found = {
        "thresholds": float(thresholds),
        "first_s": first,
        "hepcuts_s": run,
        "notebook_per_threshold_s": loop,
        "binomial_s": binomial,
        "ratio_per_threshold": loop / (run / thresholds),
        "peak_MiB": _traced_memory(lambda: hc.scan(samples, cut, metrics=metrics)),
    }
    goals = (
        Target("one step of the notebook's loop over all thresholds of hepcuts", loop / run, 1.0),
        Target("first result over the notebook's whole loop", first / (99 * loop), 1.0, at_least=False),
    )
    return _result(closed_forms, found, goals)


def profile_scan(session: Session) -> Result:
    """The profile likelihood at 1000 thresholds, against pyhf's hypotest at one."""
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    cut, points = hc.Cut("x", ">"), np.linspace(1.0, 70.0, 1000)
    session.progress("hepcuts")
    first, run = _first_and_run(lambda: hc.scan(samples, cut, metrics=("profile",), thresholds=points))
    model = hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, hc.Cut("x", ">", 47.0)))).model
    session.progress("pyhf")
    other = repeated(lambda: referee.hypotest(model), most=4)[0]
    found = {
        "first_s": first,
        "hepcuts_s": run,
        "pyhf_per_threshold_s": other,
        "ratio_per_threshold": other / (run / 1000),
    }
    return _result(profile_scan, found, (Target("seconds for 1000 thresholds, warm", run, 1.0, at_least=False),))


def optima(session: Session) -> Result:
    """What stands beside the optima of a scan: 100 replicas and 5 folds of 150 000 events, for five metrics."""
    samples = hc.datasets.scenario("exp10-gauss50x10", seed=1)
    metrics = ("bce", "s_over_sqrt_b", "asimov", "asimov_uncertainty", "profile")
    session.progress("hepcuts")
    result = hc.scan(samples, hc.Cut("x", ">"), metrics=metrics)
    seconds = timed(lambda: result.optimum("asimov"))[0]
    memory = _traced_memory(lambda: dataclasses.replace(result).optimum("asimov"))
    session.progress("loop")
    other = timed(lambda: hc.scan(samples, hc.Cut("x", ">"), metrics=metrics, replicas=0, folds=0))[0]
    found = {"hepcuts_s": seconds, "one_scan_s": other, "scans_of_105_replicas_over_it": 105 * other / seconds}
    return _result(optima, found | {"peak_MiB": memory})


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
    case.__name__: case for case in (closed_forms, profile_scan, optima, soft_templates)
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


def _result(case: Callable[[Session], Result], found: dict[str, float], targets: tuple[Target, ...] = ()) -> Result:
    return Result((case.__doc__ or "").split("\n")[0].rstrip("."), targets=targets, values=found)
