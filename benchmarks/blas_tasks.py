"""What the threads of BLAS do to a likelihood of many parameters, each function for a fresh process."""

import time
from typing import Any

import numpy as np
import pyhf
from measure import Measurement
from threadpoolctl import ThreadpoolController

import hepcuts as hc

_SECONDS = 15.0


def interleaved(parameters: int, *, most: int = 41) -> Measurement:
    """One expected Z with as many threads as there are by default and, in turn, with one.

    Args:
        parameters: of the likelihood.
        most: how many pairs.
    """
    likelihood = hc.HistFactory(wide_model(parameters))
    significance = float(hc.discovery_significance(likelihood))
    one_thread = ThreadpoolController()
    threads = max(library.num_threads for library in one_thread.select(user_api="blas").lib_controllers)
    default, alone = [], []
    while len(default) < most and sum(default) + sum(alone) < _SECONDS:
        default.append(_seconds(likelihood))
        with one_thread.limit(limits=1, user_api="blas"):
            alone.append(_seconds(likelihood))
    remarks = {
        "ratio": float(np.median(default) / np.median(alone)),
        "of_fastest": min(default) / min(alone),
        "one_thread_s": float(np.median(alone)),
        "threads": float(threads),
    }
    return Measurement(
        run_s=float(np.median(default)),
        best_s=min(default),
        significance=(significance,),
        indices=(0,),
        remarks=remarks,
    )


def _seconds(likelihood: hc.HistFactory) -> float:
    start = time.perf_counter()
    hc.discovery_significance(likelihood)
    return time.perf_counter() - start


def wide_model(parameters: int) -> pyhf.Model:
    """A model with so many parameters: four regions, eight samples; half of the parameters for single bins."""
    generator = np.random.default_rng(parameters)
    bins, shapes = parameters // 8, parameters // 8
    rates = parameters - 1 - 4 * bins - shapes
    channels = []
    for region in range(4):
        samples = [_signal(generator.uniform(0.5, 2.0, bins))]
        for number in range(7):
            nominal = generator.uniform(5.0, 60.0, bins)
            modifiers = [_rate(f"rate_{k}", generator) for k in range(number, rates, 7)]
            modifiers += [_shape(f"shape_{k}", nominal, generator) for k in range(shapes)]
            modifiers.append({"name": f"statistics_{region}", "type": "staterror", "data": (0.04 * nominal).tolist()})
            samples.append({"name": f"background_{number}", "data": nominal.tolist(), "modifiers": modifiers})
        channels.append({"name": f"region_{region}", "samples": samples})
    model = pyhf.Model({"channels": channels}, poi_name="mu")
    assert model.config.npars == parameters
    return model


def _signal(nominal: Any) -> dict[str, Any]:
    return {
        "name": "signal",
        "data": nominal.tolist(),
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }


def _rate(name: str, generator: np.random.Generator) -> dict[str, Any]:
    size = generator.uniform(0.01, 0.1)
    return {"name": name, "type": "normsys", "data": {"hi": 1.0 + size, "lo": 1.0 - size}}


def _shape(name: str, nominal: Any, generator: np.random.Generator) -> dict[str, Any]:
    change = generator.uniform(-0.08, 0.08, len(nominal))
    varied = {"hi_data": (nominal * (1.0 + change)).tolist(), "lo_data": (nominal * (1.0 - change)).tolist()}
    return {"name": name, "type": "histosys", "data": varied}
