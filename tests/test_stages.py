"""One staged descent for cuts, discriminants and working points: how it ends, is interrupted and kept."""

import json
from typing import Any

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts._core.identity import identify
from hepcuts.discriminant.training import course
from hepcuts.optimization import walk
from hepcuts.optimization.history import History, Row
from hepcuts.optimization.options import Anneal, Jumps, Tuning
from hepcuts.optimization.stages import AbstractDescent, Checkpoint, descend
from hepcuts.optimization.working_points import curve

SAMPLES = hc.datasets.many_features(2, seed=1, num_signal=1000, num_background=2000)


class Countdown(AbstractDescent):
    """A descent of the test's own: each stage halves a number; one may be interrupted."""

    def __init__(self, number, interrupt_in=None):
        self.values, self._interrupt_in, self._most = [], interrupt_in, number
        self.half_done = None

    @property
    def num_stages(self):
        return len(self.values)

    def stages(self):
        for stage in range(self.num_stages, self._most):
            if self.values and self.values[-1] < 0.1:
                return
            yield stage

    def advance(self, stage):
        self.half_done = stage
        if stage == self._interrupt_in:
            raise KeyboardInterrupt
        self.values.append(0.5 ** (stage + 1))

    def back_to(self, stage):
        self.values, self.half_done = self.values[: stage + 1], stage

    @property
    def state(self):
        return {"values": self.values}

    def restore(self, state):
        self.values = [float(value) for value in state["values"]]

    @property
    def history(self):
        return History.of([Row(stage, value) for stage, value in enumerate(self.values)])


def test_stages_follow_each_other_until_there_are_no_more():
    descent, kept = Countdown(3), []
    assert not descend(descent, kept.append)
    assert descent.values == [0.5, 0.25, 0.125]
    assert kept == [0, 1, 2]


def test_a_descent_may_stop_by_what_it_found():
    descent = Countdown(100)
    assert not descend(descent)
    assert descent.values[-1] == 0.0625


def test_an_interrupt_keeps_the_stages_that_are_done():
    descent, kept = Countdown(4, interrupt_in=2), []
    assert descend(descent, kept.append)
    assert descent.values == [0.5, 0.25]
    assert descent.half_done == 1
    assert kept == [0, 1]


def test_an_interrupt_in_the_first_stage_is_the_callers():
    with pytest.raises(KeyboardInterrupt):
        descend(Countdown(4, interrupt_in=0))


def test_working_points_keep_their_stages_after_an_interrupt(monkeypatch):
    real, calls = curve.Curve.solve_from, []

    def solve_from(self, state, positions, widths):
        calls.append(widths.max())
        if len(set(calls)) > 2:
            raise KeyboardInterrupt
        return real(self, state, positions, widths)

    monkeypatch.setattr(curve.Curve, "solve_from", solve_from)
    cuts = hc.Cut("x0", ">") & hc.Cut("x1", ">")
    points = hc.working_points(SAMPLES, cuts, efficiencies=[0.3, 0.7], holdout=None)
    assert not points.success
    assert points.message.startswith("interrupted; until then: ")
    # Wide soft cuts are no worse at the signal efficiency, which is made exact with hard ones.
    np.testing.assert_allclose(points.training.signal, [0.3, 0.7], atol=0.002)


def test_a_search_takes_other_numbers():
    cuts = hc.Cut("x0", ">") & hc.Cut("x1", ">")
    options = {"objective": "asimov", "folds": 0, "replicas": 0}
    tuning = Tuning(anneal=Anneal(stages=(3.0, 1.0)), jumps=Jumps(most=0))
    tuned, given = (hc.optimize(SAMPLES, cuts, **options, **more) for more in ({"tuning": tuning}, {"anneal": (3, 1)}))
    assert tuned.anneal == given.anneal == (3.0, 1.0)
    assert tuned.training.value == pytest.approx(given.training.value, rel=0.05)
    assert hc.optimize(SAMPLES, cuts, **options, tuning=tuning, anneal=(2.0,)).anneal == (2.0,)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_foreign_descent_goes_on_where_its_file_ends(tmp_path):
    checkpoint = Checkpoint(tmp_path / "deep" / "numbers.json", identify(number=1))
    assert descend(Countdown(4, interrupt_in=2), checkpoint=checkpoint)
    resumed, stages = Countdown(4), []
    assert not descend(resumed, stages.append, checkpoint=checkpoint)
    assert resumed.values == [0.5, 0.25, 0.125, 0.0625]
    assert stages == [2, 3]
    other = Checkpoint(checkpoint.path, identify(number=2))
    with pytest.raises(InputError, match="another problem: not the same are number"):
        descend(Countdown(4), checkpoint=other)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"problem": 5}', '{"problem": {}}', "7"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, text):
    path = tmp_path / "numbers.json"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        descend(Countdown(4), checkpoint=Checkpoint(path, {}))
    assert path.read_text() == text


class CrashError(RuntimeError):
    """The machine went down."""


def failing(function, calls):
    """A method that fails after so many calls."""
    left = [calls]

    def called(*args, **kwargs):
        if left[0] == 0:
            raise CrashError
        left[0] -= 1
        return function(*args, **kwargs)

    return called


SUM = hc.discriminant.linear("sum", ["x0", "x1"])
CUTS = hc.Cut("x0", ">") & hc.Cut("x1", ">")
GIVEN: dict[str, dict[str, Any]] = {
    "optimize": {"objective": "asimov", "anneal": (3.0, 2.0, 1.0), "folds": 2, "replicas": 0},
    "train": {"objective": "asimov", "anneal": (3.0, 2.0, 1.0), "folds": 0, "patience": 3, "pretraining": 5},
    "train on BCE": {"objective": "bce", "folds": 0, "patience": 3, "cut_objective": "asimov"},
    "working_points": {"efficiencies": [0.3, 0.7]},
}
CALLS: dict[str, Any] = {
    "optimize": lambda **more: hc.optimize(SAMPLES, CUTS, **more),
    "train": lambda **more: hc.train(SAMPLES, hc.Cut("sum", ">"), SUM, **more),
    "train on BCE": lambda **more: hc.train(SAMPLES, hc.Cut("sum", ">"), SUM, **more),
    "working_points": lambda **more: hc.working_points(SAMPLES, CUTS, **more),
}
# What goes through a stage, and after how many calls it fails in the course of a later one.
STAGE: dict[str, Any] = {
    "optimize": (walk.Walk, "advance", 5),
    "train": (course.Course, "stage", 2),
    "train on BCE": (course.Course, "point", 0),
    "working_points": (curve.Curve, "solve_from", 2),
}


def answers(name, result):
    """All numbers of a result that a resumed search has to find again."""
    history = result.to_dataframe() if name.startswith("train") else result.history.to_dataframe()
    numbers = {f"history {column}": list(history[column]) for column in history if column != "stage"}
    if name == "working_points":
        return numbers | {"thresholds": result.thresholds, "positions": result.positions, "steps": result.num_steps}
    numbers |= {"thresholds": list(result.thresholds.values()), "validated": result.validated}
    if name.startswith("train"):
        return numbers | {"warm": result.warm_start, "parameters": result.discriminant.parameters}
    return numbers | {"soft": result.soft_value, "validation": result.validation, "gradients": result.history.gradients}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.slow("train on BCE")
def test_a_resumed_descent_has_the_same_answer(name, tmp_path, monkeypatch):
    call, given, (owner, method, calls) = CALLS[name], GIVEN[name], STAGE[name]
    whole, path = call(**given), tmp_path / "state.json"
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, failing(getattr(owner, method), calls))
        with pytest.raises(CrashError):
            call(**given, checkpoint=path)
    before = json.loads(path.read_text())
    resumed = call(**given, checkpoint=path)
    assert json.loads(path.read_text())["problem"] == before["problem"]
    found, expected = answers(name, resumed), answers(name, whole)
    for what, numbers in expected.items():
        np.testing.assert_equal(found[what], numbers, err_msg=what)
    assert resumed.message == whole.message
    finished = path.read_bytes()
    np.testing.assert_equal(answers(name, call(**given, checkpoint=path)), expected)
    assert path.read_bytes() == finished


CHANGES = {
    ("train", "objective"): "profile",
    ("train", "solver"): "adam",
    ("train", "anneal"): (3.0, 1.0),
    ("train", "pretraining"): 6,
    ("train", "patience"): 4,
    ("train", "weight_decay"): 0.1,
    ("train", "validation"): 0.3,
    ("train", "holdout"): 0.4,
    ("train", "seed"): 2,
    ("train", "min_background"): 11.0,
    ("working_points", "efficiencies"): [0.3, 0.8],
    ("working_points", "holdout"): 0.4,
    ("working_points", "width"): 0.2,
    ("working_points", "smoothness"): 0.1,
    ("working_points", "step"): "balanced",
    ("working_points", "seed"): 2,
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Files of finished searches."""
    folder = tmp_path_factory.mktemp("kept")
    for name in ("train", "working_points"):
        CALLS[name](**GIVEN[name], checkpoint=folder / name)
    return folder


@pytest.mark.parametrize(("name", "option"), CHANGES, ids="-".join)
def test_a_checkpoint_of_another_problem_is_refused(name, option, kept):
    given = GIVEN[name] | {option: CHANGES[name, option], "checkpoint": kept / name}
    before = (kept / name).read_bytes()
    with pytest.raises(InputError, match=f"another problem: not the same are .*{option}"):
        CALLS[name](**given)
    assert (kept / name).read_bytes() == before


def test_a_checkpoint_of_other_events_or_parameters_is_refused(kept):
    others = hc.datasets.many_features(2, seed=2, num_signal=1000, num_background=2000)
    given = {name: GIVEN[name] | {"checkpoint": kept / name} for name in ("train", "working_points")}
    with pytest.raises(InputError, match="not the same are samples"):
        hc.train(others, hc.Cut("sum", ">"), SUM, **given["train"])
    with pytest.raises(InputError, match=r"not the same are discriminant\."):
        hc.train(SAMPLES, hc.Cut("sum", ">"), SUM.at(np.array([1.0, 0.5])), **given["train"])
    with pytest.raises(InputError, match=r"not the same are .*selection"):
        hc.train(SAMPLES, hc.Cut("sum", ">") & hc.Cut("x0", ">"), SUM, **given["train"])
    with pytest.raises(InputError, match=r"not the same are samples\."):
        hc.working_points(others, CUTS, **given["working_points"])
    with pytest.raises(InputError, match=r"not the same are .*selection"):
        hc.working_points(SAMPLES, hc.Cut("x0", ">") & hc.Cut("x1", "<"), **given["working_points"])


def test_the_search_after_a_training_has_a_file_of_its_own(kept):
    assert "walk" in json.loads((kept / "train.cuts").read_text())


# --- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_all_have_one_history(name):
    history = CALLS[name](**GIVEN[name]).history
    assert isinstance(history, History)
    frame = history.to_dataframe()
    assert list(frame.columns[:2]) == ["stage", "value"]
    assert len(frame) == len(history) == len(history.lines()) > 1
    assert np.all(np.diff(history.stages) >= 0)
    assert repr(history).startswith(f"History of {len(history)} steps\n  stage  steps  first value  last value")
    assert len(history.overview().rows) == len(np.unique(history.stages))


def test_the_history_of_working_points_leads_to_them():
    points = CALLS["working_points"](**GIVEN["working_points"])
    assert points.history.names == ("x0 at 0.3", "x1 at 0.3", "x0 at 0.7", "x1 at 0.7")
    assert len(points.history) == points.num_steps
    # Afterwards all thresholds of a point are moved by the same distance, until the signal efficiency is exact.
    moved = points.positions - points.history.scores[-1].reshape(2, 2)
    np.testing.assert_allclose(moved[:, 0], moved[:, 1], atol=1e-9)
    assert np.all(np.abs(moved) < 0.1)
