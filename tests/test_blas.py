"""The number of BLAS threads: one where systems are small, afterwards the caller's, whatever happens between."""

import concurrent.futures
import os
import subprocess
import sys
import textwrap
import threading

import jax
import numpy as np
import pyhf
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

import hepcuts as hc
from hepcuts._core.blas import LARGE, one_blas_thread, outside
from hepcuts.histfactory import expected_mu_uncertainty, expected_upper_limit, fit
from hepcuts.histfactory.solver import linear, newton, steps
from hepcuts.optimization.solvers import LBFGS

CONTROLLER = ThreadpoolController().select(internal_api="openblas")
POOLS = [pool for pool in CONTROLLER.lib_controllers if pool.threading_layer == "pthreads"]

pytestmark = pytest.mark.skipif(not POOLS, reason="NumPy and SciPy have no OpenBLAS with threads of its own here")


def numbers():
    return [pool.num_threads for pool in POOLS]


@pytest.fixture(autouse=True)
def three():
    """Three threads outside, also where there are fewer cores or a variable has set one."""
    with threadpool_limits(3, user_api="blas"):
        assert numbers() == [3] * len(POOLS)
        yield
        assert numbers() == [3] * len(POOLS)


ONE, THREE = [1] * len(POOLS), [3] * len(POOLS)


def test_one_thread_within():
    with one_blas_thread():
        assert numbers() == ONE
    assert numbers() == THREE


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_restored_after_an_exception(error):
    def failing():
        with one_blas_thread():
            assert numbers() == ONE
            raise error

    with pytest.raises(error):
        failing()
    assert numbers() == THREE


def test_nested():
    with one_blas_thread():
        with one_blas_thread(10):
            assert numbers() == ONE
        assert numbers() == ONE
    assert numbers() == THREE


def test_large_systems_keep_the_cores():
    with one_blas_thread(LARGE):
        assert numbers() == THREE
    with one_blas_thread(LARGE - 1):
        assert numbers() == ONE


def test_the_callers_own_limit_is_kept():
    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            assert numbers() == ONE
        assert numbers() == [2] * len(POOLS)
        with threadpool_limits(1, user_api="blas"):
            with one_blas_thread():
                assert numbers() == ONE
            assert numbers() == ONE
        assert numbers() == [2] * len(POOLS)
    with one_blas_thread(), threadpool_limits(2, user_api="blas"):
        assert numbers() == [2] * len(POOLS)


def test_what_others_set_meanwhile_stays():
    with one_blas_thread():
        for pool in POOLS:
            pool.set_num_threads(2)
    assert numbers() == [2] * len(POOLS)
    for pool in POOLS:
        pool.set_num_threads(3)


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_overlapping_threads_restore_when_the_last_leaves(first_leaves_first):
    entered, one_left = threading.Barrier(2, timeout=20), threading.Barrier(2, timeout=20)
    alone = threading.Event()

    def first():
        with one_blas_thread():
            alone.set()
            entered.wait()
            if not first_leaves_first:
                one_left.wait()
                assert numbers() == ONE
        if first_leaves_first:
            assert numbers() == ONE
            one_left.wait()

    def second():
        assert alone.wait(20)
        with one_blas_thread():
            entered.wait()
            if first_leaves_first:
                one_left.wait()
                assert numbers() == ONE
        if not first_leaves_first:
            assert numbers() == ONE
            one_left.wait()

    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        for done in [executor.submit(first), executor.submit(second)]:
            done.result(timeout=30)
    assert numbers() == THREE


def test_many_threads_that_come_and_go():
    def work(_):
        for _ in range(200):
            with one_blas_thread():
                assert numbers() == ONE

    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        list(executor.map(work, range(8)))
    assert numbers() == THREE


def test_another_thread_can_set_its_own_afterwards():
    """A thread that lives on, as those of JAX's callbacks do, leaves no claim to the number of threads behind."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: one_blas_thread().__enter__()).result()
        assert numbers() == ONE
        executor.submit(lambda: one_blas_thread().__exit__(None, None, None)).result()
        with threadpool_limits(2, user_api="blas"):
            assert numbers() == [2] * len(POOLS)
    assert numbers() == THREE


def test_functions_of_the_caller_have_the_callers_threads():
    def failing():
        assert numbers() == THREE
        raise ZeroDivisionError

    with one_blas_thread():
        assert outside(numbers)() == THREE
        assert numbers() == ONE
        with pytest.raises(ZeroDivisionError):
            outside(failing)()
        assert numbers() == ONE


@pytest.fixture
def within(monkeypatch):
    """Numbers of threads whenever a fit solves its equations, by the real solver."""
    found = []

    def watched(*arguments):
        found.append(numbers())
        return linear.solve_scaled(*arguments)

    monkeypatch.setattr(steps, "solve_scaled", watched)
    return found


def likelihood():
    return hc.HistFactory(
        pyhf.simplemodels.uncorrelated_background(signal=[10.0, 3.0], bkg=[50.0, 40.0], bkg_uncertainty=[7.0, 5.0])
    )


CALLS = {
    "significance": hc.discovery_significance,
    "test": hc.discovery_test,
    "limit": expected_upper_limit,
    "fit": lambda held: fit(held, held.expected_data(held.nominal_parameters())),
}


@pytest.mark.parametrize("name", CALLS)
def test_fits_use_one_thread(name, within):
    CALLS[name](likelihood())
    assert within
    assert all(found == ONE for found in within)


@pytest.mark.parametrize(("routine", "name"), [("eigh", "fit"), ("solve", "uncertainty")])
def test_covariances_use_one_thread(routine, name, monkeypatch):
    found, real = [], getattr(np.linalg, routine)

    def watched(*arguments, **options):
        found.append(numbers())
        return real(*arguments, **options)

    monkeypatch.setattr(np.linalg, routine, watched)
    (CALLS | {"uncertainty": expected_mu_uncertainty})[name](likelihood())
    assert found
    assert all(one == ONE for one in found)


def test_fits_inside_of_jax_use_one_thread(within):
    held = likelihood()
    with jax.enable_x64(True):
        jax.block_until_ready(jax.jit(lambda t: hc.discovery_significance(held, t))(held.templates))
    assert within
    assert all(found == ONE for found in within)


def test_restored_after_a_fit_that_fails(monkeypatch):
    def failing(*_):
        assert numbers() == ONE
        raise ZeroDivisionError

    monkeypatch.setattr(newton, "propose", failing)
    with pytest.raises(ZeroDivisionError):
        hc.discovery_significance(likelihood())
    assert numbers() == THREE


def test_lbfgs_leaves_threads_to_its_function():
    found = []

    def function(x):
        found.append(numbers())
        return float(np.sum((x - 0.5) ** 4)), 4.0 * (x - 0.5) ** 3

    bounds = np.full(3, -1.0), np.full(3, 1.0)
    LBFGS().minimize(function, np.zeros(3), bounds, lambda *_: found.append(numbers()))
    assert len(found) > 4
    assert all(one == THREE for one in found)


def test_lbfgs_itself_uses_one_thread():
    seen = []

    class Watched(np.ndarray):
        """A gradient that sees what is done with it after the function has returned."""

        def __array_finalize__(self, _):
            seen.append(numbers())

    def function(x):
        gradient = 2.0 * (x - 0.5)
        seen.clear()
        return float(np.sum((x - 0.5) ** 2)), gradient.view(Watched)

    LBFGS().minimize(function, np.zeros(3), (np.full(3, -1.0), np.full(3, 1.0)), lambda *_: None)
    assert ONE in seen


def test_importing_switches_nothing():
    code = """
        import numpy, scipy.linalg
        from threadpoolctl import threadpool_info
        def numbers():
            return sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info())
        before = numbers()
        import hepcuts, hepcuts.optimization.solvers, hepcuts.histfactory
        assert {pool for pool in numbers() if pool[0] in dict(before)} == set(before)
    """
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)
