"""One published likelihood: its file, what it costs pyhf, and how calls are measured; for a fresh process."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import numpy as np
import pyhf
from measure import Measurement, timed
from pyhf_tasks import asimov

FOLDER = Path(__file__).parents[2] / "shared" / "data"
POINT = "C1N2_Wh_hbb_150_0"
"""Of the patch set."""


def document(name: str) -> dict[str, Any]:
    """The workspace of a file, with the first or the chosen signal where these are apart.

    Raises:
        FileNotFoundError: the published likelihoods are not beside this repository.
    """
    if name == "atlas-sbottom":
        base, patch = (_read(f"{name}/{file}.json") for file in ("BkgOnly", "patch.sbottom_600_280_150"))
    elif name == "ewk_1Lbb":
        base, patches = (_read(f"likelihoods/{name}_{part}.json") for part in ("background_only", "patchset"))
        (patch,) = (p["patch"] for p in patches["patches"] if p["metadata"]["name"] == POINT)
    else:
        return dict(_read(f"likelihoods/{name}.json"))
    return dict(jsonpatch.apply_patch(base, patch))


def by_pyhf(name: str, kind: str, optimizer: str) -> Measurement:
    """Its test statistic alone, without the further fits of a p-value; or its limits, found by bisection."""
    pyhf.set_backend("numpy", custom_optimizer=optimizer)
    model, observed = built(name)
    config = model.config
    data = observed if kind != "expected" else asimov(model)[1]
    settings = config.suggested_init(), config.suggested_bounds(), config.suggested_fixed()

    def call() -> Any:
        if kind == "limits":
            found = pyhf.infer.intervals.upper_limits.upper_limit(data, model)
            return [float(found[0]), *map(float, found[1])]
        return math.sqrt(float(pyhf.infer.test_statistics.q0(0.0, data, model, *settings)))

    try:
        return measured(call, call)
    except (pyhf.exceptions.FailedMinimization, AttributeError, ValueError) as error:
        # Where minuit has no covariance pyhf 0.7 asks for it, and a limit may lie beyond the bounds.
        return Measurement(skipped=f"did not converge ({type(error).__name__})")


def built(name: str) -> tuple[pyhf.Model, Any]:
    """pyhf's model of a file, and its observed and auxiliary data."""
    workspace = pyhf.Workspace(document(name))
    model = workspace.model()
    return model, np.asarray(workspace.data(model), dtype=np.float64)


def measured(
    first: Callable[[], Any], again: Callable[[], Any], values: Callable[[Any], Any] = lambda result: result
) -> Measurement:
    """The first call, and others if that did not take long; the least processor time is a remark, all threads counted.

    On a busy machine processor time says more than time.
    """
    spent, first_s, result = _both(first)
    times = [_both(again)[:2] for _ in range(7 if first_s < 1.0 else 2 if first_s < 3.0 else 0)] or [(spent, first_s)]
    numbers = tuple(np.atleast_1d(np.asarray(values(result), dtype=np.float64)).tolist())
    return Measurement(
        first_s,
        float(np.median([seconds for _, seconds in times])),
        min(seconds for _, seconds in times),
        significance=numbers,
        indices=tuple(range(len(numbers))),
        remarks={"first_processor_s": spent, "processor_s": min(times)[0]},
    )


def _both(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Processor time and time of a call, in seconds, and its result."""
    before = time.process_time()
    seconds, result = timed(call)
    return time.process_time() - before, seconds, result


def _read(path: str) -> Any:
    return json.loads((FOLDER / path).read_text())
