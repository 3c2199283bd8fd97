"""The likelihoods of two problems written by hand in JAX, and fitted with everwillow.

This is what one would do without hepcuts to have many template sets fitted at once: write down the density for this
one structure, terms and constraints as HistFactory has them, and let ``jax.vmap`` take the fit over the sets. The fit
is made at mu = 0 only, as hepcuts does: on Asimov data the other one is known.
"""

from collections.abc import Callable
from typing import Any

import everwillow
import jax
import jax.numpy as jnp
import numpy as np
from everwillow import statelib
from measure import Measurement, PeakMemory, repeated, start_jax, timed
from problems import CONTROL, HISTOSYS, NORMSYS, PROBLEMS, SAMPLES, SEARCH, OneBin, TwoChannels

Parameters = dict[str, Any]
Observation = dict[str, Any]
Density = Callable[[Parameters, Observation], Any]


def batched(problem: str) -> Measurement:
    """Z of all template sets at once; the first result is that from the arrays with the templates on."""
    work = PROBLEMS[problem]()
    assert isinstance(work, OneBin | TwoChannels)
    prepared: list[Any] = []

    def first() -> Any:
        nll, nominal, observations = one_bin(work) if isinstance(work, OneBin) else two_channels(work)
        call = jax.jit(jax.vmap(lambda observation: significance(nll, nominal, observation)))
        observations = jax.device_put(observations)
        prepared.extend((call, observations))
        return jax.block_until_ready(call(observations))

    with jax.enable_x64(True):
        start_jax()
        memory = PeakMemory()
        first_s, (values, success) = timed(first)
        call, observations = prepared
        run_s, best_s = repeated(lambda: jax.block_until_ready(call(observations)))
    values, everything = np.asarray(values), range(work.sets)
    failed = {"failed_sets": float(np.count_nonzero(~(np.asarray(success) & np.isfinite(values))))}
    significances, indices = tuple(values.tolist()), tuple(everything)
    return Measurement(first_s, run_s, best_s, work.sets, memory.mib(), significances, indices, failed)


def significance(nll: Density, nominal: Parameters, observation: Observation) -> tuple[Any, Any]:
    """Z of one observation, and whether everwillow's fit (its own choice of solver and tolerance) succeeded."""
    at_zero = statelib.State.from_pytree({"mu": 0.0})
    start = statelib.State.from_pytree(nominal)
    fitted = everwillow.fit(nll, start, observation, fixed=at_zero, throw=False)
    q0 = 2.0 * (fitted.nll - nll(nominal, observation))
    return jnp.sqrt(jnp.maximum(q0, 0.0)), fitted.success


def one_bin(work: OneBin) -> tuple[Density, Parameters, Observation]:
    """Density of one bin, its nominal parameters, and the observations of all cut values."""

    def nll(pars: Parameters, seen: Observation) -> Any:
        rate = pars["mu"] * seen["signal"] + pars["gamma"] * seen["background"]
        return poisson(seen["count"], rate) + poisson(seen["tau"], pars["gamma"] * seen["tau"])

    observations = {
        "signal": work.signal,
        "background": work.background,
        "tau": (work.background / work.uncertainty) ** 2,
        "count": work.signal + work.background,
    }
    return nll, {"mu": 1.0, "gamma": 1.0}, observations


def two_channels(work: TwoChannels) -> tuple[Density, Parameters, Observation]:
    """Density of two channels, its nominal parameters, and the observations of all template sets."""
    diboson, signal = SAMPLES.index("diboson"), SAMPLES.index("signal")
    factors = np.array([[by_sample.get(sample, (1.0, 1.0)) for sample in SAMPLES] for by_sample in NORMSYS.values()])
    coefficients = exponential_coefficients(factors[..., 0], factors[..., 1])

    def rates(pars: Parameters, seen: Observation) -> Any:
        alpha = pars["histosys"][:, None, None]
        cells = seen["nominal"] + additive(alpha, seen["up"], seen["down"]).sum(axis=0)
        scale = multiplicative(pars["normsys"][:, None], coefficients, factors).prod(axis=0)
        scale = scale * jnp.ones(len(SAMPLES)).at[signal].set(pars["mu"])
        cells = cells * scale[:, None]
        cells = cells.at[diboson, CONTROL].multiply(pars["shapesys"])
        return cells.sum(axis=0).at[SEARCH].multiply(pars["staterror"])

    def nll(pars: Parameters, seen: Observation) -> Any:
        main = poisson(seen["counts"], rates(pars, seen)).sum()
        shape = poisson(seen["tau"], pars["shapesys"] * seen["tau"]).sum()
        stat = 0.5 * (((pars["staterror"] - 1.0) / seen["width"]) ** 2).sum()
        return main + shape + stat + 0.5 * (pars["normsys"] ** 2).sum() + 0.5 * (pars["histosys"] ** 2).sum()

    errors, control = work.staterror[:, :, SEARCH], work.nominal[:, diboson, CONTROL]
    observations = {
        "nominal": work.nominal,
        "up": work.up - work.nominal[:, None],
        "down": work.nominal[:, None] - work.down,
        "tau": (control / work.shapesys[:, diboson, CONTROL]) ** 2,
        "width": np.sqrt((errors**2).sum(axis=1)) / work.nominal[:, :, SEARCH].sum(axis=1),
        "counts": work.nominal.sum(axis=1),
    }
    nominal = {
        "mu": 1.0,
        "normsys": jnp.zeros(len(NORMSYS)),
        "histosys": jnp.zeros(len(HISTOSYS)),
        "shapesys": jnp.ones(CONTROL.stop - CONTROL.start),
        "staterror": jnp.ones(SEARCH.stop - SEARCH.start),
    }
    return nll, nominal, observations


def poisson(count: Any, rate: Any) -> Any:
    """Negative logarithm of a Poisson probability, less what depends on the count alone."""
    return rate - count * jnp.log(rate)


def additive(alpha: Any, up: Any, down: Any) -> Any:
    """HistFactory's additive interpolation (pyhf's code 4p): a polynomial inside of one sigma, lines outside.

    Args:
        alpha: the parameter.
        up: change from nominal to +1 standard deviation.
        down: change from -1 standard deviation to nominal.
    """
    inside = jnp.clip(alpha, -1.0, 1.0)
    square = inside**2
    bend = square * (15.0 + square * (3.0 * square - 10.0)) / 8.0
    smooth = 0.5 * (inside * (up + down) + bend * (up - down))
    return jnp.where(jnp.abs(alpha) <= 1.0, smooth, alpha * jnp.where(alpha > 0, up, down))


def exponential_coefficients(up: Any, down: Any) -> Any:
    """Coefficients of alpha to alpha^6 for which `multiplicative` is smooth to second order, by solving for them."""
    powers = np.arange(1, 7)
    rows = [
        side**order * np.array([np.prod(power - np.arange(order)) for power in powers]) * side**powers
        for order in range(3)
        for side in (1.0, -1.0)
    ]
    wanted = [
        up - 1.0,
        down - 1.0,
        up * np.log(up),
        -down * np.log(down),
        up * np.log(up) ** 2,
        down * np.log(down) ** 2,
    ]
    return np.einsum("pc,c...->...p", np.linalg.inv(np.array(rows)), np.array(wanted))


def multiplicative(alpha: Any, coefficients: Any, factors: Any) -> Any:
    """HistFactory's multiplicative interpolation (pyhf's code 4): a polynomial inside of one sigma, powers outside.

    Args:
        alpha: the parameter.
        coefficients: those of `exponential_coefficients`, last axis power.
        factors: at plus and minus one standard deviation, last axis.
    """
    inside = jnp.clip(alpha, -1.0, 1.0)
    smooth = 0.0
    for power in reversed(range(6)):
        smooth = inside * (coefficients[..., power] + smooth)
    logarithms = np.log(factors)
    outside = jnp.exp(jnp.abs(alpha) * jnp.where(alpha > 0, logarithms[..., 0], logarithms[..., 1]))
    return jnp.where(jnp.abs(alpha) <= 1.0, 1.0 + smooth, outside)
