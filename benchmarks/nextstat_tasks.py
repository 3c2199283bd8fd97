"""What NextStat takes (a compiled program that reads pyhf's workspaces), each function for a fresh process."""

import json
from typing import Any

import nextstat
import numpy as np
from measure import Measurement, timed
from problems import PROBLEMS, chosen
from published_tasks import built, measured
from pyhf_tasks import asimov


def batched(problem: str, *, count: int, build: bool = True) -> Measurement:
    """Z on the Asimov data, per template set: median over `count` of them.

    Args:
        problem: name of the problem.
        count: number of template sets, evenly from the first to the last; a problem with one is repeated instead.
        build: whether reading the model belongs to the work, as it does when cuts move. pyhf wrote it before.
    """
    work = PROBLEMS[problem]()
    indices = chosen(work, count)
    texts = {index: _of_asimov(work.model(index)) for index in indices}
    known = {} if build else {index: nextstat.from_pyhf(text) for index, text in texts.items()}

    def evaluate(index: int) -> float:
        return _significance(known.get(index) or nextstat.from_pyhf(texts[index]))

    evaluate(indices[0])  # not timed, as for pyhf
    repeats = count if work.sets == 1 else 1
    times, values = zip(*(timed(lambda i=i: evaluate(i)) for i in indices for _ in range(repeats)), strict=True)
    return Measurement(
        run_s=float(np.median(times)), best_s=min(times), significance=values[::repeats], indices=indices
    )


def _of_asimov(model: Any) -> str:
    return _workspace(model, asimov(model)[1])


def _workspace(model: Any, data: Any) -> str:
    """The model with some data as observations."""
    observations, first = [], 0
    for name in model.config.channels:
        bins = model.config.channel_nbins[name]
        observations.append({"name": name, "data": [float(n) for n in data[first : first + bins]]})
        first += bins
    measurement = {"name": "expected", "config": {"poi": model.config.poi_name, "parameters": []}}
    found = {"channels": model.spec["channels"], "observations": observations, "measurements": [measurement]}
    return json.dumps(found | {"version": "1.0.0"})


def _significance(model: Any) -> float:
    """Only the fit at mu = 0 is made: the other one is known on Asimov data."""
    nominal, poi = model.suggested_init(), model.poi_index()
    nominal[poi] = 1.0
    start, bounds = list(nominal), model.suggested_bounds()
    start[poi], bounds[poi] = 0.0, (0.0, 0.0)
    conditional = nextstat.MaximumLikelihoodEstimator().fit_minimum(model, init_pars=start, bounds=bounds)
    return float(np.sqrt(max(2.0 * (conditional.nll - model.nll(nominal)), 0.0)))


def published(name: str, kind: str) -> Measurement:
    """One published likelihood: Z expected or observed, or the observed and five expected limits by its root finder."""
    model, data = built(name)
    if kind == "expected":
        data = asimov(model)[1]
    theirs = nextstat.from_pyhf(_workspace(model, data))

    def call() -> Any:
        if kind == "expected":
            return _significance(theirs)
        if kind == "observed":
            return _observed_significance(theirs)
        observed, expected = nextstat.upper_limit(theirs, method="root", lo=0.01)  # it finds CLs = 0 at zero
        return [observed, *expected]

    try:
        return measured(call, call)
    except (RuntimeError, ValueError) as error:
        return Measurement(skipped=f"did not converge ({error})"[:80])


def _observed_significance(model: Any) -> float:
    """From a fit with and one without signal."""
    poi, fitter = model.poi_index(), nextstat.MaximumLikelihoodEstimator()
    free = fitter.fit_minimum(model)
    start, bounds = list(model.suggested_init()), model.suggested_bounds()
    start[poi], bounds[poi] = 0.0, (0.0, 0.0)
    none = fitter.fit_minimum(model, init_pars=start, bounds=bounds)
    return float(np.sqrt(max(2.0 * (none.nll - free.nll), 0.0)))
