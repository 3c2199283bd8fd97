"""The cross-validation of the stages: what a fold may know, what its cuts are worth, and the start that is kept."""

import numpy as np
import pytest
import scipy.stats

import hepcuts as hc
from hepcuts._core.executors import Serial
from hepcuts.evaluation.resampling import Folds
from hepcuts.merit import counting
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.left_out import LeftOut
from hepcuts.optimization.options import STAGES, Anneal, Polish, Tuning
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.validation import Validator

GOAL = "asimov_uncertainty"
CUTS = hc.Selection([hc.Cut(name, ">") for name in ("x0", "x1", "x2")])


def few_events() -> list[hc.Sample]:
    return list(hc.datasets.many_features(3, seed=5, num_signal=1500, num_background=3000))


def with_other_events(samples: list[hc.Sample], folds: Folds, fold: int) -> list[hc.Sample]:
    """The events of one fold replaced by others: other values, other weights, the same members."""
    generator, found = np.random.default_rng(1), []
    for s in samples:
        out = folds.part(s.identity) == fold
        columns = {k: np.where(out, generator.normal(2.0, 3.0, len(s)), v) for k, v in s.columns.items()}
        weights = np.where(out, 3.0 * s.weights * generator.uniform(size=len(s)), s.weights)
        found.append(
            hc.Sample(s.name, columns, weights=weights, signal=s.signal, modifiers=s.modifiers, identity=s.identity)
        )
    return found


def ends_of_folds(samples: list[hc.Sample], objective: str, stages: int) -> np.ndarray:
    """Thresholds of soft and hard cuts, shape (stage, fold, soft or hard, threshold)."""
    search = Search.of(samples, Problem.of(CUTS, figure_of_merit(objective)))
    folds = Folds(3, seed=0)
    validator = Validator(search, samples, STAGES, folds=folds, report=lambda: None, executor=Serial())
    for _ in range(stages):
        validator.advance()
    ends = validator.state["ends"]
    return np.array([[[end["soft"], end["hard"]] for end in stage] for stage in ends])


@pytest.mark.parametrize("objective", [GOAL, "bce"])
@pytest.mark.slow("asimov_uncertainty")
def test_a_fold_does_not_change_with_what_it_leaves_out(objective: str) -> None:
    samples, stages = few_events(), 5 if objective == GOAL else 1
    first = ends_of_folds(samples, objective, stages)
    second = ends_of_folds(with_other_events(samples, Folds(3, seed=0), 1), objective, stages)
    np.testing.assert_array_equal(first[:, 1], second[:, 1])
    assert np.all(np.any(first[:, [0, 2]] != second[:, [0, 2]], axis=(0, 2, 3)))  # the others have seen them


@pytest.mark.parametrize("events", [15, 40])
def test_the_excess_of_few_events_is_that_of_poisson_counts(events: int) -> None:
    samples = few_events()
    search = Search.of(samples, Problem.of(CUTS, figure_of_merit(GOAL)))
    parts = [Folds(2).part(s.identity) for s in samples]
    left_out = LeftOut(search, samples, parts, 2)

    def value(n: float) -> float:
        return float(counting.asimov_significance(4.0, n, np.sqrt((0.1 * n) ** 2 + n)))

    counts = np.arange(1, 10 * events)
    mean = np.sum(scipy.stats.poisson.pmf(counts, events) * [value(n) for n in counts])
    found = left_out._excess([np.array([[4.0, 0.0], [float(events), float(events)]])])
    assert found == pytest.approx(mean - value(events), rel=0.25)
    assert found > 0.0


@pytest.mark.parametrize("folds", [0, 3])
def test_no_result_is_worse_than_the_start(folds: int) -> None:
    """A search that only knows very wide cuts, and does not polish, ends far from the optimum."""
    generator = np.random.default_rng(3)
    signal = hc.Sample("s", {"x": generator.normal(200, 60, 4000)}, weights=np.full(4000, 0.01), signal=True)
    background = hc.Sample("b", {"x": generator.exponential(50, 40_000)}, weights=np.full(40_000, 1.0))
    tuning = Tuning(anneal=Anneal(stages=(9.0, 8.0)), polish=Polish(most_sweeps=0))
    options = {"objective": GOAL, "holdout": None, "replicas": 0, "folds": folds, "tuning": tuning}
    result = hc.optimize([signal, background], hc.Cut("x", ">", 180.0), **options)
    found = hc.optimize([signal, background], hc.Cut("x", ">", 20.0), **options)
    assert result.thresholds["x"] == pytest.approx(180.0, abs=1.0)
    assert "start" in result.message
    assert found.hard_value < result.hard_value
    if folds:
        assert result.validated == pytest.approx(result.hard_value, rel=0.1)
