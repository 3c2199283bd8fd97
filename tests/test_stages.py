"""One staged descent for cuts, discriminants and working points: how it ends, is interrupted and kept."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts.optimization.options import Anneal, Jumps, Tuning
from hepcuts.optimization.stages import AbstractDescent, descend
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
