"""What hepcuts takes, each function for a fresh process."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.monitoring
import numpy as np
from measure import Measurement, PeakMemory, repeated, start_jax, timed
from problems import PROBLEMS, OneBin
from published_tasks import built, measured

import hepcuts as hc
from hepcuts.histfactory import LikelihoodTemplates, upper_limit

COMPILATION = "/jax/core/compile/backend_compile_duration"
"""JAX's name for the event of one compilation."""


def batched(problem: str, *, gradient: bool) -> Measurement:
    """Z of all template sets at once, with or without its gradient to all templates that vary.

    The first result is that from the built `pyhf.Model` on.
    """
    work = PROBLEMS[problem]()
    model = work.model(0)
    prepared: list[Any] = []

    def first() -> Any:
        likelihood = hc.HistFactory(model)
        templates, axes = work.batch(likelihood)

        def significance(t: LikelihoodTemplates) -> Any:
            return hc.discovery_significance(likelihood, t)

        function = jax.value_and_grad(significance) if gradient else significance
        call = jax.jit(jax.vmap(function, in_axes=(axes,)))
        templates = jax.device_put(templates)
        prepared.extend((call, templates))
        return jax.block_until_ready(call(templates))

    with jax.enable_x64(True):
        start_jax()
        memory = PeakMemory()
        first_s, result = timed(first)
        call, templates = prepared
        run_s, best_s = repeated(lambda: jax.block_until_ready(call(templates)))
    values = np.asarray(result[0] if gradient else result)
    everything = range(work.sets)
    return Measurement(
        first_s, run_s, best_s, work.sets, memory.mib(), tuple(values.tolist()), tuple(everything), _failed(values)
    )


def single(problem: str, *, gradient: bool, jitted: bool = False, second: bool = False) -> Measurement:
    """One expected Z as in a notebook, from the built `pyhf.Model` on; then again, and with a second model.

    Args:
        problem: name of the problem.
        gradient: whether with the gradient to all templates.
        jitted: whether inside of the caller's `jax.jit`.
        second: whether to take a second model of the same structure, too: what it takes to its first result, and
            how many programs it compiles, are remarks.
    """
    work = PROBLEMS[problem]()
    positions = (0, work.sets // 2) if second else (0,)
    models = [work.model(position) for position in positions]
    compilations: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration, **_: compilations.append(duration) if event == COMPILATION else None
    )
    with jax.enable_x64(True):
        start_jax()
        compilations.clear()
        memory = PeakMemory()
        first_s, (call, result) = timed(lambda: _start(models[0], gradient=gradient, jitted=jitted))
        remarks = {"compilations": float(len(compilations)), "compiling_s": sum(compilations)}
        values = [result]
        if second:
            compilations.clear()
            second_s, (_, result) = timed(lambda: _start(models[1], gradient=gradient, jitted=jitted))
            remarks |= {"second_first_s": second_s, "second_compilations": float(len(compilations))}
            values.append(result)
        run_s, best_s = repeated(call)
    return Measurement(first_s, run_s, best_s, 1, memory.mib(), tuple(values), positions, remarks)


def _start(model: Any, *, gradient: bool, jitted: bool) -> tuple[Callable[[], Any], float]:
    """Make the likelihood and a function of nothing that evaluates it; and its first value."""
    likelihood = hc.HistFactory(model)

    def significance(t: LikelihoodTemplates) -> Any:
        return hc.discovery_significance(likelihood, t)

    function = jax.value_and_grad(significance) if gradient else significance
    function = jax.jit(function) if jitted else function

    def call() -> Any:
        return jax.block_until_ready(function(likelihood.templates))

    result = call()
    return call, float(result[0] if gradient else result)


def published(name: str, kind: str) -> Measurement:
    """One published likelihood, from the built `pyhf.Model` on: the first call, which compiles, and later ones.

    Args:
        name: of the likelihood.
        kind: ``"expected"``, ``"observed"``, ``"gradient"`` (the expected Z with all its slopes) or ``"limits"``.
    """
    model, data = built(name)
    likelihood: list[hc.HistFactory] = []

    def significance(templates: Any = None) -> Any:
        return hc.discovery_significance(likelihood[0], templates, **({"data": data} if kind == "observed" else {}))

    def limits() -> list[float]:
        found = upper_limit(likelihood[0], data)
        return [found.observed, *found.expected.values()]

    def call() -> Any:
        if kind == "gradient":
            return jax.block_until_ready(jax.value_and_grad(significance)(likelihood[0].templates))
        return limits() if kind == "limits" else float(significance())

    def first() -> Any:
        likelihood.append(hc.HistFactory(model))
        return call()

    with jax.enable_x64(True):
        start_jax()
        return measured(first, call, lambda result: result[0] if kind == "gradient" else result)


def ways(name: str, sets: int) -> Measurement:
    """Processor time of one expected Z of a published likelihood: called plainly, in `jax.jit`, and of a batch.

    The batch has all nominal yields moved by up to a percent, each of its `sets` by others. Remarks are the least of
    some calls; for the batch it is for one set, with all threads that work at it.
    """
    model, _ = built(name)
    likelihood = hc.HistFactory(model)
    nominal = np.asarray(likelihood.templates.nominal)
    moved = nominal * (1.0 + 0.01 * np.random.default_rng(1).uniform(-1.0, 1.0, (sets, *nominal.shape)))

    def significance(nominal: Any) -> Any:
        return hc.discovery_significance(likelihood, dataclasses.replace(likelihood.templates, nominal=nominal))

    with jax.enable_x64(True):
        calls = {"plain": significance, "jit": jax.jit(significance), "vmap": jax.jit(jax.vmap(significance))}
        remarks, values = {}, ()
        for way, call in calls.items():
            given = moved if way == "vmap" else nominal
            found = measured(*[lambda c=call, g=given: jax.block_until_ready(c(g))] * 2)
            remarks[way] = found.remarks["processor_s"] / (sets if way == "vmap" else 1)
            values += found.significance
    return Measurement(significance=values, indices=tuple(range(len(values))), remarks=remarks)


def priced(name: str) -> Measurement:
    """Processor time of a price list of a published likelihood, and of discovery tests of observed and Asimov data."""
    model, data = built(name)
    likelihood = hc.HistFactory(model)
    calls = {
        "prices": lambda: [price.gain for price in hc.prices(likelihood).prices],
        "observed test": lambda: hc.discovery_test(likelihood, data).significance,
        "expected test": lambda: hc.discovery_test(likelihood).significance,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters at bounds
        found = {what: measured(call, call) for what, call in calls.items()}
    remarks = {what: one.remarks["processor_s"] for what, one in found.items()}
    values = found["prices"].significance
    return Measurement(significance=values, indices=tuple(range(len(values))), remarks=remarks)


def closed_form(problem: str) -> Measurement:
    """The closed form of Z at all template sets of one bin."""
    work = PROBLEMS[problem]()
    assert isinstance(work, OneBin)
    seconds, values = timed(lambda: hc.counting.asimov_significance(work.signal, work.background, work.uncertainty))
    return Measurement(
        run_s=seconds, sets=work.sets, significance=tuple(values.tolist()), indices=tuple(range(work.sets))
    )


def _failed(values: Any) -> dict[str, float]:
    return {"failed_sets": float(np.count_nonzero(~np.isfinite(values)))}
