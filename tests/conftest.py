"""Options and fixtures of all tests."""

import functools
import gc
import inspect
import json
import os
import pickle
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")
# What is imported and collected stays to the end: the garbage collector need not look through it again and again.
gc.disable()
# Half of the time goes into compiling what runs once, for microseconds: what has been compiled in one test, process or
# subprocess of a session serves the others. A user's program has the same code, compiled by itself.
OWN_CACHE = "JAX_COMPILATION_CACHE_DIR" not in os.environ
"""Whether what is compiled is kept in a folder of this session's own; its processes are told by the environment."""
if OWN_CACHE:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="hepcuts-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
if "XLA_FLAGS" not in os.environ and "PYTEST_XDIST_WORKER" not in os.environ and "--runslow" not in sys.argv:
    # Compiled four times as fast, for code that is slower by less than that. With --runslow it is as for users.
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    if tuple(map(int, version("jaxlib").split(".")[:2])) >= (0, 6):  # earlier ones do not know this flag, and abort
        os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

import click.testing
import jax
import jax.experimental
import matplotlib as mpl
import pyhf
import pytest
import threadpoolctl

if not hasattr(jax, "enable_x64"):  # before jax 0.8; hepcuts itself may not use it
    jax.enable_x64 = jax.experimental.enable_x64

if "mix_stderr" in inspect.signature(click.testing.CliRunner).parameters:  # click before 8.2 mixes the two by default
    click.testing.CliRunner.__init__ = functools.partialmethod(click.testing.CliRunner.__init__, mix_stderr=False)
    click.testing.Result.output = property(lambda result: result.stdout + result.stderr)

_VALID: set[bytes] = set()
_validate = pyhf.schema.validate


def _validated_once(*arguments: Any, **options: Any) -> None:
    """As pyhf does, which takes a twentieth of all tests; a document that was valid is so the next time."""
    key = pickle.dumps((arguments, options))
    if key not in _VALID:
        _validate(*arguments, **options)
        _VALID.add(key)


pyhf.schema.validate = _validated_once

SAME_TEXT = tuple(map(int, mpl.__version__.split(".")[:2])) >= (3, 11)
"""Whether matplotlib draws text as in the reference images."""
SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real events and a real likelihood, beside the repository; tests that need them skip where they are absent."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that follow each other go to one process: its fixtures are made once, what it compiles is compiled once."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_unconfigure() -> None:
    if OWN_CACHE:
        shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="run the tests marked slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--runslow"):
        skip = pytest.mark.skip(reason="slow; run with --runslow")
        for item in items:
            if any(_is_slow(item, mark) for mark in item.iter_markers("slow")):
                item.add_marker(skip)
    if not SAME_TEXT:
        other = pytest.mark.skip(reason="matplotlib before 3.11 draws text of another height and legends more widely")
        for item in items:
            if "mpl_image_compare" in item.keywords:
                item.add_marker(other)


def _is_slow(item: pytest.Item, mark: pytest.Mark) -> bool:
    """Of a mark with the names of cases, such as ``slow("free-3")``, only those are."""
    callspec = getattr(item, "callspec", None)
    return not mark.args or (callspec is not None and callspec.id in mark.args)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _global_state_is_left_alone():
    """No test, and no call in it, may leave JAX's flag or pyhf's backend other than it found them."""
    flag, backend = jax.config.jax_enable_x64, pyhf.get_backend()
    yield
    if "matplotlib.pyplot" in sys.modules:  # figures of one test are not to be found by another
        sys.modules["matplotlib.pyplot"].close("all")
    assert jax.config.jax_enable_x64 == flag
    assert pyhf.get_backend() == backend


@pytest.fixture
def x64():
    """The caller's own 64-bit scope."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def sbottom() -> dict:
    """The published ATLAS likelihood: background-only workspace and its signal patches by name."""
    folder = SHARED / "atlas-sbottom"
    if not folder.is_dir():
        pytest.skip("the ATLAS sbottom likelihood is not here (HEPData record ins1748602)")
    read = lambda path: json.loads(path.read_text())  # noqa: E731
    patches = {
        p.name.removeprefix("patch.sbottom_").removesuffix(".json"): read(p) for p in folder.glob("patch.*.json")
    }
    return {"workspace": read(folder / "BkgOnly.json"), "patches": patches}


@pytest.fixture(scope="session")
def higgsml() -> Path:
    """The folder of the Higgs ML challenge events."""
    folder = SHARED / "higgsml"
    if not folder.is_dir():
        pytest.skip("the Higgs ML events are not here (CERN Open Data record 328)")
    return folder


@pytest.fixture(scope="module")
def one_thread():
    """Libraries of others in one thread: of few events threads wait for each other, on a busy machine for minutes."""
    with threadpoolctl.threadpool_limits(1):
        yield
