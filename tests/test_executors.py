"""Who does the work on blocks of events: results are the same, whoever it is."""

import gc
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts._core.executors import Executor, Processes, Serial, Threads
from hepcuts.evaluation.bootstrap import bootstrap
from hepcuts.evaluation.resampling import Folds, HeldOut
from hepcuts.optimization.single_cuts import compare_with_single_cuts
from hepcuts.templates.events import blocks_of
from hepcuts.templates.filling import structure_of
from tests import foreign_objects as foreign
from tests.small_functions import blocks_there, power, process_of

SAMPLES = foreign.samples_with(foreign.Percent("norm", 10.0), size=600)


@pytest.fixture(scope="module")
def processes():
    with Processes(2) as found:
        yield found


@pytest.fixture(scope="module")
def usual():
    """The numbers of the default."""
    return foreign.sums_of(SAMPLES, None)


# --- the contract ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["threads", "one thread", "serial", "processes", "foreign"])
def executor(request):
    if request.param == "processes":
        return request.getfixturevalue("processes")
    return {
        "threads": Threads(),
        "one thread": Threads(1),
        "serial": Serial(),
        "foreign": foreign.Mailed(),
    }[request.param]


def test_each_keeps_the_order(executor):
    assert isinstance(executor, Executor)
    handles = executor.lay_out(iter(range(20)))
    assert executor.map(power, handles, (2,)) == [n**2 for n in range(20)]
    assert executor.map(power, handles[3:5], (3,)) == [27, 64]
    assert executor.map(power, [], (3,)) == []


def test_each_raises_the_error_of_a_block(executor):
    handles = executor.lay_out([1, "second", "third"])
    with pytest.raises(ValueError, match="invalid literal"):
        executor.map(power, handles, (2,))
    assert executor.map(power, handles[:1], (2,)) == [1]


def test_what_is_none_is_refused():
    for wrong in (5, "threads", Threads, ProcessPoolExecutor):
        for entry in (
            lambda e: hc.fill(SAMPLES, None, executor=e),
            lambda e: hc.scan(SAMPLES, hc.Cut("x", ">"), metrics=["asimov"], executor=e),
            lambda e: hc.optimize(SAMPLES, hc.Cut("x", ">"), executor=e, holdout=None),
            lambda e: bootstrap(SAMPLES, hc.Cut("x", ">", 0.5), executor=e),
        ):
            with pytest.raises(InputError, match="expected an object with the methods lay_out and map"):
                entry(wrong)
    for kind in (Threads, Processes):
        for number in (0, -1, 1.5, True, "2"):
            with pytest.raises(InputError, match="expected how many"):
                kind(number)


def test_blocks_stay_where_they_are_laid_out(processes):
    handles = processes.lay_out(range(6))
    first, second = processes.map(process_of, handles), processes.map(process_of, handles)
    assert first == second
    assert len(set(first)) == 2
    assert os.getpid() not in first


def test_blocks_are_forgotten_with_their_handles(processes):
    handles = processes.lay_out(range(100))
    before = sum(set(processes.map(blocks_there, handles[:2])))
    del handles
    gc.collect()
    few = processes.lay_out(range(2))
    assert sum(processes.map(blocks_there, few)) <= before - 45


def test_processes_end_and_start_anew():
    processes = Processes(1)
    first = processes.map(process_of, processes.lay_out([1]))
    processes.close()
    assert processes.map(process_of, processes.lay_out([1])) != first
    processes.close()
    processes.close()


def test_executors_pickle(processes):
    assert pickle.loads(pickle.dumps(processes)).number == 2  # noqa: S301
    assert pickle.loads(pickle.dumps(Threads(3))) == Threads(3)  # noqa: S301


def test_threads_are_others():
    names = Threads(2).map(lambda _: threading.current_thread().name, range(50))
    assert threading.current_thread().name not in names


# --- blocks ----------------------------------------------------------------------------------------------------------


def test_a_block_takes_its_events_along_and_not_the_sample():
    structure = structure_of(SAMPLES, axis=None, channel="c")
    whole = sum(len(sample) for sample in SAMPLES)
    block = next(iter(blocks_of(SAMPLES, structure, ["x"], chunk=10)))
    sent = pickle.dumps(block)
    assert len(sent) < 8 * whole  # of three columns
    there = pickle.loads(sent)  # noqa: S301
    np.testing.assert_array_equal(there.identity, SAMPLES[0].identity[:10])
    some = np.array([7, 2])
    for part in (block.take(some), there.take(some), pickle.loads(pickle.dumps(block.take(some)))):  # noqa: S301
        np.testing.assert_array_equal(part.identity, SAMPLES[0].identity[some])
        np.testing.assert_array_equal(part.origin, some)


# --- public entries --------------------------------------------------------------------------------------------------


def equal(found, expected):
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        np.testing.assert_equal(found[name], numbers, err_msg=name)


@pytest.mark.parametrize("executor", [Serial(), Threads()], ids=["serial", "threads"])
def test_results_do_not_depend_on_it(executor, usual):
    equal(foreign.sums_of(SAMPLES, executor), usual)


def test_a_foreign_one_is_used_everywhere(usual):
    mailed = foreign.Mailed()
    equal(foreign.sums_of(SAMPLES, mailed), usual)
    assert set(mailed.mapped) == {
        "block_sums",
        "of",
        "_sums_of",
        "finished_chunk_sums",
        "advanced",
        "started",
        "polished",
    }


def test_processes_find_the_same(processes, usual):
    equal(foreign.sums_of(SAMPLES, processes), usual)


def test_a_fill_with_variations_and_many_blocks(processes):
    rng = np.random.default_rng(1)
    samples = [
        hc.Sample(name, {"x": rng.normal(size=200_000)}, weights=rng.random(200_000), signal=name == "s")
        for name in "sb"
    ]
    shifted = hc.HistoSys("scale", up={"x": samples[1].column("x") + 0.1}, down={"x": samples[1].column("x") - 0.1})
    samples[1] = hc.Sample("b", samples[1].columns, weights=samples[1].weights, modifiers=[shifted])
    usual = hc.fill(samples, hc.Cut("x", ">", 0.3)).yields
    for executor in (Serial(), Threads(), processes, foreign.Mailed()):
        found = hc.fill(samples, hc.Cut("x", ">", 0.3), executor=executor).yields
        np.testing.assert_array_equal(found.values, usual.values)
        np.testing.assert_array_equal(found.variances, usual.variances)


@pytest.mark.slow
def test_losses_of_events_are_found_by_a_foreign_one_too():
    options: dict[str, Any] = {"objective": "squared_error", "anneal": (2.0, 1.0), "folds": 2, "replicas": 0}
    found, usual = (
        hc.optimize(SAMPLES, hc.Cut("x", ">") & hc.Cut("eta", "<"), executor=e, **options)
        for e in (foreign.Mailed(), None)
    )
    assert found.thresholds == usual.thresholds
    assert found.validation == usual.validation


@pytest.mark.slow
def test_single_cuts_and_trainings_hand_it_on():
    options: dict[str, Any] = {"objective": "asimov_uncertainty", "folds": 0, "replicas": 0, "anneal": (2.0, 1.0)}
    mailed = foreign.Mailed()
    found = compare_with_single_cuts(SAMPLES, hc.Cut("x", ">") & hc.Cut("eta", "<"), executor=mailed, **options)
    assert "finished_chunk_sums" in mailed.mapped
    assert found == compare_with_single_cuts(SAMPLES, hc.Cut("x", ">") & hc.Cut("eta", "<"), **options)
    mailed = foreign.Mailed()
    score = hc.discriminant.linear("score", ["x", "eta"])
    more: dict[str, Any] = {"objective": "asimov_uncertainty", "folds": 0, "anneal": (1.0,), "patience": 2}
    hc.train(SAMPLES, hc.Cut("score", ">"), score, executor=mailed, **more)
    assert "finished_chunk_sums" in mailed.mapped


def test_a_checkpoint_goes_on_with_another_executor(tmp_path):
    options: dict[str, Any] = {"objective": "asimov_uncertainty", "folds": 0, "replicas": 0, "anneal": (2.0, 1.0)}
    path = tmp_path / "cuts.json"
    first = hc.optimize(SAMPLES, hc.Cut("x", ">"), checkpoint=path, **options)
    again = hc.optimize(SAMPLES, hc.Cut("x", ">"), checkpoint=path, executor=Serial(), **options)
    assert again.thresholds == first.thresholds


@pytest.mark.slow
def test_it_travels_to_another_process(usual):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        equal(pool.submit(foreign.sums_of, SAMPLES, foreign.Mailed()).result(), usual)


# --- replicas of another kind ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_foreign_replicas_are_taken_as_folds_are():
    mine, usual = (foreign.sums_of(SAMPLES, None, replicas) for replicas in (foreign.Exponential(200, seed=1), 200))
    for name in ("fill", "scan of windows", "optimize", "history"):
        np.testing.assert_equal(mine[name], usual[name])
    # Exponential weights have the mean and the variance of Poisson counts.
    for name in ("bootstrap", "optimism"):
        spreads = [np.nanstd(numbers[name]) for numbers in (mine, usual)]
        assert spreads[0] == pytest.approx(spreads[1], rel=0.2)
    assert mine["scan"][-1] == pytest.approx(usual["scan"][-1], rel=0.2)


def test_a_foreign_part_is_held_out():
    held_out = [int(np.count_nonzero(sample.identity % np.uint64(3) == 0)) for sample in SAMPLES]
    options: dict[str, Any] = {"objective": "asimov_uncertainty", "folds": 0, "replicas": 0, "anneal": (1.0,)}
    found = hc.optimize(SAMPLES, hc.Cut("x", ">"), holdout=foreign.Third(), **options)
    assert [len(sample) for sample in found.samples] == held_out
    points = hc.working_points(SAMPLES, hc.Cut("x", ">"), efficiencies=[0.5], holdout=foreign.Third())
    assert points.held_out is not None
    with pytest.raises(InputError, match=r"holdout is .* of 200 parts; expected a fraction"):
        hc.optimize(SAMPLES, hc.Cut("x", ">"), holdout=foreign.Exponential(200))


def test_folds_are_no_replicas():
    with pytest.raises(InputError, match="their spread is too small"):
        bootstrap(SAMPLES, hc.Cut("x", ">", 0.5), replicas=Folds(5))
    with pytest.raises(InputError, match="replicas is 1; expected a whole number, at least 2"):
        hc.scan(SAMPLES, hc.Cut("x", ">"), replicas=HeldOut(0.5))
