"""The names that users import are frozen here."""

import importlib
import pkgutil
import subprocess
import sys
import types

import hepcuts as hc

PUBLIC = [
    "Cut",
    "Discriminant",
    "HistFactory",
    "HistoSys",
    "Histogram",
    "Lumi",
    "NormFactor",
    "NormSys",
    "OneOf",
    "Region",
    "Sample",
    "Selection",
    "ShapeSys",
    "SlidingCut",
    "Window",
    "__version__",
    "bin_edges",
    "categorize",
    "classification",
    "counting",
    "cutflow",
    "datasets",
    "discovery_significance",
    "discovery_test",
    "discriminant",
    "envelope",
    "fill",
    "impacts",
    "optimize",
    "prices",
    "read_result",
    "scan",
    "score",
    "train",
    "working_points",
    "workspace",
]


def test_the_public_names_are_frozen():
    assert dir(hc) == PUBLIC
    assert hc.__all__ == PUBLIC
    assert all(hasattr(hc, name) for name in PUBLIC)


def test_modules_that_users_type_are_attributes():
    for name in (
        "classification",
        "counting",
        "datasets",
        "discriminant",
        "errors",
        "executors",
        "explorer",
        "io",
        "plotting",
    ):
        assert isinstance(getattr(hc, name), types.ModuleType)
    assert isinstance(hc.study, types.ModuleType)
    assert isinstance(hc.theory, types.ModuleType)


def test_no_function_shadows_a_package():
    """What is reached by import is what is reached by attribute."""
    for module in pkgutil.walk_packages(hc.__path__, "hepcuts."):
        if module.ispkg:
            found = importlib.import_module(module.name)
            parent, _, name = module.name.rpartition(".")
            assert getattr(importlib.import_module(parent), name) is found


def test_the_formulas_of_counting_are_there():
    for name in (
        "asimov_significance",
        "s_over_sqrt_b",
        "s_over_sqrt_s_plus_b",
        "s_over_sqrt_b_plus_variance",
        "punzi",
        "binomial_significance",
        "li_ma_significance",
    ):
        assert callable(getattr(hc.counting, name))


def test_importing_hepcuts_changes_no_global_state():
    """In a fresh process: JAX's flag, pyhf's backend, NumPy's random state; matplotlib is not even imported."""
    code = """
import sys
import jax, numpy, pyhf
flag, backend, state = jax.config.jax_enable_x64, pyhf.get_backend(), numpy.random.get_state()
import hepcuts
assert jax.config.jax_enable_x64 == flag
assert pyhf.get_backend() == backend
assert all(numpy.array_equal(a, b) for a, b in zip(state, numpy.random.get_state()))
assert "mplhep" not in sys.modules and "matplotlib.pyplot" not in sys.modules, "drawing libraries were imported"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
