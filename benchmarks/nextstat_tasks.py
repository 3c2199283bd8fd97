"""What NextStat takes (a compiled program that reads pyhf's workspaces), each function for a fresh process."""

import json
from typing import Any

import nextstat
import numpy as np
from measure import Measurement, timed
from problems import PROBLEMS, chosen
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
    texts = {index: _workspace(work.model(index)) for index in indices}
    known = {} if build else {index: nextstat.from_pyhf(text) for index, text in texts.items()}

    def evaluate(index: int) -> float:
        return _significance(known.get(index) or nextstat.from_pyhf(texts[index]))

    evaluate(indices[0])  # not timed, as for pyhf
    repeats = count if work.sets == 1 else 1
    times, values = zip(*(timed(lambda i=i: evaluate(i)) for i in indices for _ in range(repeats)), strict=True)
    return Measurement(
        run_s=float(np.median(times)), best_s=min(times), significance=values[::repeats], indices=indices
    )


def _workspace(model: Any) -> str:
    """The model with its Asimov data as observations."""
    data, observations, first = asimov(model)[1], [], 0
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
