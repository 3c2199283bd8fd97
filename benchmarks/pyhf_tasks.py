"""What pyhf takes, with NumPy, and the precise values to compare with; each function for a fresh process."""

import importlib
from typing import Any

import numpy as np
import pyhf
import scipy.stats
from measure import Measurement, timed
from problems import PROBLEMS, chosen


def hypotest(problem: str, *, optimizer: str, count: int, build: bool = True) -> Measurement:
    """``pyhf.infer.hypotest`` with q0 on the Asimov data, per template set: median over `count` of them.

    Args:
        problem: name of the problem.
        optimizer: ``"scipy"`` or ``"minuit"``, as pyhf sets it up by itself.
        count: number of template sets, evenly from the first to the last; a problem with one is repeated instead.
        build: whether building the model belongs to the work, as it does when cuts move.
    """
    _require(optimizer)
    pyhf.set_backend("numpy", custom_optimizer=optimizer)
    work = PROBLEMS[problem]()
    indices = chosen(work, count)
    known = {} if build else {index: work.model(index) for index in indices}

    def evaluate(index: int) -> float:
        model = known.get(index) or work.model(index)
        _, data = asimov(model)
        p0 = float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0"))
        return float(scipy.stats.norm.isf(p0))

    evaluate(indices[0])  # not timed: pyhf reads its JSON schemas once
    repeats = count if work.sets == 1 else 1
    timings = [timed(lambda i=i: evaluate(i)) for i in indices for _ in range(repeats)]
    times, values = zip(*timings, strict=True)
    alone = [timed(lambda i=i: _statistic_alone(known.get(i) or work.model(i)))[0] for i in indices[:5]]
    return Measurement(
        run_s=float(np.median(times)),
        best_s=min(times),
        significance=values[::repeats],
        indices=indices,
        remarks={"calls": float(len(times)), "q0_alone_s": float(np.median(alone))},
    )


def precise(problem: str, *, count: int) -> Measurement:
    """Z from minuit at tight tolerance.

    Only the fit at mu = 0 is made: the other one is known on Asimov data, whose expectation was made at mu = 1.
    """
    _require("minuit")
    optimizer = pyhf.optimize.minuit_optimizer(tolerance=1e-6, strategy=2, maxiter=1_000_000)
    pyhf.set_backend("numpy", custom_optimizer=optimizer)
    work = PROBLEMS[problem]()
    indices = chosen(work, count)

    def evaluate(index: int) -> float:
        model = work.model(index)
        nominal, data = asimov(model)
        _, conditional = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)
        return float(np.sqrt(conditional + 2.0 * model.logpdf(nominal, data)[0]))

    seconds, values = timed(lambda: [evaluate(index) for index in indices])
    return Measurement(run_s=seconds, sets=len(indices), significance=tuple(values), indices=indices)


def asimov(model: pyhf.Model) -> tuple[list[float], Any]:
    """Nominal parameters with signal strength 1, and the data expected at them."""
    nominal = model.config.suggested_init()
    nominal[model.config.poi_index] = 1.0
    return nominal, model.expected_data(nominal)


def _statistic_alone(model: pyhf.Model) -> Any:
    """The test statistic without its p-value, for which pyhf makes further fits."""
    config = model.config
    bounds, fixed = config.suggested_bounds(), config.suggested_fixed()
    return pyhf.infer.test_statistics.q0(0.0, asimov(model)[1], model, config.suggested_init(), bounds, fixed)


def _require(optimizer: str) -> None:
    """Raise ModuleNotFoundError, which the worker reports, if iminuit is needed and missing."""
    if optimizer == "minuit":
        importlib.import_module("iminuit")
