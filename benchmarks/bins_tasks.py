"""What bins cost: likelihoods of up to ten thousand of them, each function for a fresh process."""

import itertools
import time
from typing import Any

import jax
import numpy as np
import pyhf
from measure import Measurement, PeakMemory, repeated, timed

import hepcuts as hc


def significance(bins: int, others: int, gammas: int, *, kind: str = "expected") -> Measurement:
    """One Z.

    Args:
        bins: of the likelihood.
        others: parameters that do not belong to single bins.
        gammas: parameters of each bin, one or two.
        kind: ``"expected"``, ``"gradient"`` (expected, with its gradient to all templates) or ``"observed"``.
    """
    _warm_up()
    start = time.perf_counter()
    model = many_bins(bins, others, gammas)
    build = time.perf_counter() - start
    peak = PeakMemory()
    reading, likelihood = timed(lambda: hc.HistFactory(model))
    data = _observed(likelihood) if kind == "observed" else None

    def slope() -> Any:
        with jax.enable_x64(True):
            return jax.value_and_grad(lambda templates: hc.discovery_significance(likelihood, templates))(
                likelihood.templates
            )

    def call() -> float:
        return float(slope()[0] if kind == "gradient" else hc.discovery_significance(likelihood, data=data))

    first, value = timed(call)
    calls, processor = itertools.count(), time.process_time()
    run, best = repeated(lambda: (next(calls), call()), most=7, seconds=20.0)
    # Seconds of processors, of which other work on the machine takes none away.
    processor = (time.process_time() - processor) / next(calls)
    remarks = {"processor_s": processor, "pyhf_s": build, "reading_s": reading}
    return Measurement(
        first_s=first,
        best_first_s=first,
        run_s=run,
        best_s=best,
        peak_mib=peak.mib(),
        significance=(value,),
        indices=(0,),
        remarks=remarks,
    )


def _warm_up() -> None:
    """All that is imported late, and what JAX does once for each process."""
    likelihood = hc.HistFactory(pyhf.simplemodels.uncorrelated_background([5.0], [50.0], [7.0]))
    with jax.enable_x64(True):
        jax.value_and_grad(lambda templates: hc.discovery_significance(likelihood, templates))(likelihood.templates)


def _observed(likelihood: hc.HistFactory) -> Any:
    data = np.array(likelihood.expected_data(likelihood.nominal_parameters()))
    counts = data[: len(likelihood.structure.channel_of_bin)]
    counts[:] = np.random.default_rng(0).poisson(counts)
    return data


def many_bins(bins: int, others: int, gammas: int) -> pyhf.Model:
    """A model of up to ten channels: a signal and three backgrounds, each with rates and shapes, and gammas.

    Args:
        bins: of all channels together.
        others: mu, rates and shapes; as many of these as of those, up to one.
        gammas: parameters of each bin: 1 for that of finite simulation, 2 for one of the first background, too.
    """
    generator = np.random.default_rng(bins)
    shapes = (others - 1) // 2
    channels = []
    for number, part in enumerate(np.array_split(np.arange(bins), max(1, min(10, bins // 10)))):
        nominal = generator.uniform(5.0, 60.0, (3, len(part)))
        signal = generator.uniform(0.5, 2.0, len(part)) * (10.0 / np.sqrt(bins))
        samples = [_sample("signal", signal, [_modifier("mu", "normfactor")])]
        for background, rates in enumerate(nominal):
            modifiers = [
                _rate(f"rate_{k}", generator) for k in range(others - 1 - shapes) if k < 3 or k % 3 == background
            ]
            modifiers += [_shape(f"shape_{k}", rates, generator) for k in range(shapes)]
            modifiers.append(_modifier(f"simulation_{number}", "staterror", (0.04 * rates).tolist()))
            if gammas > 1 and not background:
                modifiers.append(_modifier(f"control_{number}", "shapesys", (0.1 * rates).tolist()))
            samples.append(_sample(f"background_{background}", rates, modifiers))
        channels.append({"name": f"channel_{number}", "samples": samples})
    model = pyhf.Model({"channels": channels}, poi_name="mu", validate=False)
    assert model.config.npars == others + gammas * bins
    return model


def _sample(name: str, nominal: Any, modifiers: list[Any]) -> dict[str, Any]:
    return {"name": name, "data": nominal.tolist(), "modifiers": modifiers}


def _modifier(name: str, kind: str, data: Any = None) -> dict[str, Any]:
    return {"name": name, "type": kind, "data": data}


def _rate(name: str, generator: np.random.Generator) -> dict[str, Any]:
    size = generator.uniform(0.01, 0.1)
    return _modifier(name, "normsys", {"hi": 1.0 + size, "lo": 1.0 - size})


def _shape(name: str, nominal: Any, generator: np.random.Generator) -> dict[str, Any]:
    change = generator.uniform(-0.08, 0.08, len(nominal))
    varied = {"hi_data": (nominal * (1.0 + change)).tolist(), "lo_data": (nominal * (1.0 - change)).tolist()}
    return _modifier(name, "histosys", varied)
