"""64-bit results whatever JAX's flag says, and nothing left behind: neither a flag nor a backend nor a module."""

import json
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, PrecisionError
from hepcuts._core.precision import array_function, float64_scope, is_traced, to_numpy
from hepcuts.merit.classification import binary_cross_entropy, log_loss
from hepcuts.templates.filling import soft_fill

SAMPLES = [
    hc.Sample("s", {"x": np.linspace(0, 3, 40)}, weights=np.full(40, 1e-3), signal=True),
    hc.Sample("b", {"x": np.linspace(0, 2, 90)}, modifiers=[hc.NormSys("norm", 1.1, 0.9)]),
]
CUT = hc.Cut("x", ">", 0.7)
LIKELIHOOD = hc.HistFactory.from_workspace(hc.workspace(hc.fill(SAMPLES, CUT)))

# Small signals, whose likelihood differences 32 bits cannot resolve.
CALLS = {
    "discovery_significance": lambda: hc.discovery_significance(LIKELIHOOD),
    "discovery_test": lambda: hc.discovery_test(LIKELIHOOD).significance,
    "logpdf": lambda: LIKELIHOOD.logpdf(
        LIKELIHOOD.model.config.suggested_init(), LIKELIHOOD.model.expected_data([1.0] * LIKELIHOOD.model.config.npars)
    ),
    "asimov_significance": lambda: hc.counting.asimov_significance(1e-6, 1e6),
    "log_loss": lambda: log_loss([1, 0, 0], [1, 1, 0], weights=[1.0, 1e-9, 1.0]),
    "binary_cross_entropy": lambda: binary_cross_entropy([0.0], [-1e-17]),
    "soft_fill": lambda: soft_fill(SAMPLES, CUT, widths=1e-9, step="balanced").nominal[0, 0],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_results_do_not_depend_on_the_flag(call: Any) -> None:
    results = []
    for flag in (False, True):
        with jax.enable_x64(flag):
            results.append(call())
            assert jax.config.jax_enable_x64 == flag
            assert np.asarray(results[-1]).dtype == np.float64
    assert isinstance(results[0], float | np.ndarray)
    assert results[0] == results[1] != 0


FAILURES = {
    "input": (lambda: soft_fill(SAMPLES, hc.Cut("x", ">"), widths=1.0), InputError),
    "data": (lambda: hc.discovery_significance(LIKELIHOOD, data=[1.0]), InputError),
    "shapes": (lambda: log_loss([1, 0], [1, 0, 1]), InputError),
}


@pytest.mark.parametrize("flag", [False, True], ids=["32", "64"])
@pytest.mark.parametrize(("call", "error"), FAILURES.values(), ids=FAILURES)
def test_the_flag_is_restored_after_an_exception(call: Any, error: type[Exception], flag: bool) -> None:
    with jax.enable_x64(flag):
        with pytest.raises(error):
            call()
        assert jax.config.jax_enable_x64 == flag
        assert jnp.ones(1).dtype == (jnp.float64 if flag else jnp.float32)


TRACED = {
    "discovery_significance": lambda x: hc.discovery_significance(
        LIKELIHOOD, jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf) * x, LIKELIHOOD.templates)
    ),
    "asimov_significance": lambda x: hc.counting.asimov_significance(x, 100.0),
    "bce": lambda x: binary_cross_entropy(jnp.array([True]), -x[None]),
}


TRANSFORMATIONS = {
    "jit": jax.jit,
    "grad": jax.grad,
    "vmap": lambda f: lambda x: jax.vmap(f)(jnp.stack([x, x])),
}


@pytest.mark.parametrize("transform", TRANSFORMATIONS.values(), ids=TRANSFORMATIONS)
@pytest.mark.parametrize("function", TRACED.values(), ids=TRACED)
def test_inside_a_transformation_in_32_bits_there_is_a_clear_error(function: Any, transform: Any) -> None:
    with jax.enable_x64(False):
        with pytest.raises(PrecisionError, match=r"inside a JAX transformation.*jax_enable_x64.*with jax.enable_x64"):
            transform(function)(jnp.asarray(1.0))
        assert not jax.config.jax_enable_x64
    if function is not TRACED["discovery_significance"]:
        with jax.enable_x64(True):
            assert np.isfinite(transform(function)(jnp.asarray(1.0))).all()


def test_numpy_in_numpy_out_and_jax_in_jax_out() -> None:
    double = array_function(lambda x: 2 * jnp.asarray(x))
    for given, kind in (
        (1.5, np.float64),
        (np.ones(2), np.ndarray),
        ([1.0, 2.0], np.ndarray),
        (jnp.ones(2), jax.Array),
    ):
        assert isinstance(double(given), kind)
    assert double(np.array([1e-17, 1.0]))[0] == 2e-17


def test_trees_come_out_as_numpy_except_what_is_traced() -> None:
    tree = float64_scope(lambda: {"a": jnp.ones(2), "b": (jnp.asarray(3.0), "text", None)})()
    assert isinstance(tree["a"], np.ndarray)
    assert isinstance(tree["b"][0], np.float64)
    assert tree["b"][1:] == ("text", None)
    seen = []
    jax.jit(lambda x: seen.append((is_traced({"x": [x]}), is_traced(1.0), to_numpy(x) is x)))(1.0)
    assert seen == [(True, False, True)]


IMPORT = """
import json, sys
import jax, numpy, pyhf
before = numpy.random.get_state()[1].tolist()
tensorlib, optimizer = pyhf.get_backend()
import hepcuts
print(json.dumps({
    "x64": jax.config.jax_enable_x64,
    "backend": pyhf.get_backend() == (tensorlib, optimizer) and (tensorlib.name, optimizer.name) == ("numpy", "scipy"),
    "random": numpy.random.get_state()[1].tolist() == before,
    "modules": [m for m in ("matplotlib", "mplhep", "uproot", "IPython", "sklearn", "iminuit") if m in sys.modules],
    "names": sorted(dir(hepcuts)),
}))
"""


def test_importing_changes_no_global_state() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, timeout=120)
    state = json.loads(run.stdout)
    assert state.pop("names")
    assert state == {"x64": False, "backend": True, "random": True, "modules": []}


def test_calls_leave_the_random_state_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    samples = hc.datasets.scenario("exp10-gauss50x1", seed=1)
    samples[0].split(0.5, seed=1)
    hc.scan(samples, hc.Cut("x", ">"), metrics=["bce"])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
