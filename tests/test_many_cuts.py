"""Many cuts at once: truth from closed-form yields, invariance, what the user fixes, and interruptions."""

import json
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts.cuts.steps import step
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization import course
from hepcuts.optimization.options import STAGES, Tuning, Validation
from hepcuts.optimization.polish import polish
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import solver
from hepcuts.samples.datasets import ManyFeatures

GOAL = "asimov_uncertainty"


def many(number: int, seed: int, *, size: int = 20_000) -> list[hc.Sample]:
    """The objective is then exactly the closed form of the truth: no uncertainty but that of the normalization."""
    drawn = hc.datasets.many_features(number, seed=seed, num_signal=size, num_background=5 * size)
    return [
        hc.Sample(s.name, s.columns, weights=s.weights, signal=s.signal, modifiers=s.modifiers, staterror=False)
        for s in drawn
    ]


def cuts(number: int) -> hc.Selection:
    return hc.Selection([hc.Cut(name, ">") for name in ManyFeatures(number).names])


def true_significance(number: int, thresholds) -> float:
    s, b = ManyFeatures(number).yields(np.asarray(thresholds, dtype=float))
    return float(counting.asimov_significance(s, b, 0.1 * b))


def true_optimum(number: int) -> float:
    found = scipy.optimize.minimize(
        lambda x: -true_significance(number, x), np.full(number, 0.5), method="Nelder-Mead", options={"maxiter": 5000}
    )
    return -float(found.fun)


@pytest.mark.parametrize(("number", "share"), [(2, 0.98), pytest.param(5, 0.9, marks=pytest.mark.slow)])
def test_cuts_are_nearly_as_good_as_the_true_optimum(number, share):
    result = hc.optimize(many(number, seed=1), cuts(number), objective=GOAL, holdout=None)
    found = true_significance(number, [result.thresholds[name] for name in ManyFeatures(number).names])
    assert found > share * true_optimum(number)
    # What is quoted as cross-validated is near the truth; the training value is not below it by chance alone.
    assert result.validated == pytest.approx(found, rel=0.15)


@pytest.mark.slow
def test_the_answer_does_not_change_under_monotone_maps():
    plain = many(3, seed=2, size=4000)
    maps = (np.exp, lambda x: x**3 + x, lambda x: -np.exp(-x))
    mapped = [
        hc.Sample(
            s.name,
            {name: f(s.columns[name]) for name, f in zip(s.columns, maps, strict=True)},
            weights=s.weights,
            signal=s.signal,
            modifiers=s.modifiers,
            staterror=False,
        )
        for s in plain
    ]
    first, second = (hc.optimize(samples, cuts(3), objective=GOAL, holdout=None) for samples in (plain, mapped))
    for s, m in zip(plain, mapped, strict=True):
        np.testing.assert_array_equal(first.selection.mask(s.columns), second.selection.mask(m.columns))
    assert second.significance == first.significance
    # Each of the pair stands in the middle of the same gap between two events.
    for name, f in zip(first.thresholds, maps, strict=True):
        x = f(np.sort(np.concatenate([s.columns[name] for s in plain])))
        assert len({int(np.searchsorted(x, t)) for t in (second.thresholds[name], f(first.thresholds[name]))}) == 1


@pytest.mark.slow
def test_a_cut_that_costs_signal_first_is_found_nonetheless():
    """The fifth feature has a local optimum with its cut given up: from there no gradient leads back."""
    result = hc.optimize(many(5, seed=3), cuts(5), objective=GOAL, holdout=None)
    assert result.thresholds["x4"] > 0.5
    x = [result.thresholds[name] for name in ManyFeatures(5).names]
    assert true_significance(5, x) > 1.1 * true_significance(5, [*x[:4], -np.inf])


def test_fixed_and_tied_thresholds():
    selection = hc.Selection([hc.Cut("x0", ">", 1.0), hc.Cut("x1", ">"), hc.Cut("x2", ">")])
    result = hc.optimize(
        many(3, seed=1, size=4000), selection, objective=GOAL, fixed=["x0"], tied=[("x1", "x2")], holdout=None, folds=0
    )
    assert result.thresholds["x0"] == 1.0
    assert result.thresholds["x1"] == result.thresholds["x2"]
    assert np.all(result.history.thresholds[:, 0] == 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": ["x0"]}, "not set"),
        ({"fixed": ["y"]}, "no threshold 'y'"),
        ({"tied": [("x0", "y")]}, "no threshold 'y'"),
        ({"folds": 100_000}, "no more than"),
    ],
    ids=["unset", "unknown", "tied", "folds"],
)
def test_what_cannot_be_fixed_or_tied(options, message):
    with pytest.raises(InputError, match=message):
        hc.optimize(many(2, seed=1, size=200), cuts(2), objective=GOAL, **options)


@pytest.mark.slow
def test_directions_that_are_left_to_the_events():
    samples = many(3, seed=1, size=4000)
    turned = [
        hc.Sample(
            s.name,
            s.columns | {"x1": -s.columns["x1"]},
            weights=s.weights,
            signal=s.signal,
            modifiers=s.modifiers,
            staterror=False,
        )
        for s in samples
    ]
    result = hc.optimize(
        turned, hc.Selection([hc.Cut(f"x{i}", "auto") for i in range(3)]), objective=GOAL, holdout=None
    )
    assert [cut.direction for cut in result.selection.cuts] == [">", "<", ">"]
    plain = hc.optimize(samples, cuts(3), objective=GOAL, holdout=None)
    assert result.hard_value == pytest.approx(plain.hard_value, rel=0.02)


@pytest.mark.slow
def test_a_window_and_a_control_region_share_thresholds():
    generator = np.random.default_rng(1)
    signal = hc.Sample(
        "signal",
        {"x": generator.normal(2, 1, 4000), "mt": generator.normal(100, 20, 4000)},
        weights=np.full(4000, 0.01),
        signal=True,
    )
    background = hc.Sample(
        "background",
        {"x": generator.normal(0, 1, 20_000), "mt": generator.normal(60, 25, 20_000)},
        weights=np.full(20_000, 0.1),
        modifiers=[hc.NormFactor("norm")],
    )
    selection = hc.Cut("x", ">", 0.5) & hc.Cut("mt", ">", 70.0)
    region = hc.Region("control", inverted=["mt"])
    result = hc.optimize([signal, background], selection, regions=[region], holdout=None)
    assert result.significance > 0.5  # without the control region the free background hides any signal
    assert [c["name"] for c in result.workspace["channels"]] == ["signal_region", "control"]
    assert result.training.pyhf.significance == pytest.approx(result.significance, abs=1e-3)
    inverted = background.columns["mt"] <= result.thresholds["mt"]
    beyond = background.columns["x"] > result.thresholds["x"]
    control = result.training.regions[0]
    assert control.nominal[1, 0] == pytest.approx(0.1 * np.sum(inverted & beyond), rel=1e-12)
    with pytest.raises(InputError, match=r"one region.*profile"):
        hc.optimize([signal, background], selection, regions=[region], objective="asimov", holdout=None)


@pytest.mark.slow
def test_constraints_hold_for_the_hard_cuts():
    samples = many(2, seed=1, size=4000)
    free = hc.optimize(samples, cuts(2), objective=GOAL, replicas=0, holdout=None)
    wanted = {"signal": 20.0, "effective_background": 2000.0}
    result = hc.optimize(samples, cuts(2), objective=GOAL, constraints=wanted, replicas=0, holdout=None)
    s = result.training.templates.nominal[0, 0]
    assert s >= 20.0
    assert free.training.templates.nominal[0, 0] < 20.0
    assert result.training.effective_background >= 2000.0
    assert result.hard_value > 0.5 * free.hard_value


# --- polish -----------------------------------------------------------------------------------------------------------


def test_the_polish_moves_where_the_events_warrant_it_and_not_elsewhere():
    samples = hc.datasets.scenario("exp10-gauss50x10", seed=1)
    problem = Problem(hc.Selection([hc.Cut("x", ">")]), figure_of_merit("asimov"), solver("lbfgs"), step("sigmoid"))
    search = Search.of(samples, problem)

    def hard(position):
        templates = problem.templates_of(samples, problem.selection.at(search.space.thresholds(position)))
        return problem.objective.hard(samples, templates, None)

    far = np.array([search.space.coordinates[0].score(44.0)])
    moved = polish(search, far, np.array([0.2]))
    assert moved.moves >= 1
    assert moved.gain == pytest.approx(hard(moved.position) - hard(far), abs=0.02 * hard(far))
    assert moved.gain > 2 * moved.uncertainty
    best = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov",)).optimum("asimov").threshold
    assert polish(search, np.array([search.space.coordinates[0].score(best)]), np.array([0.2])).moves == 0


# --- widths ---


@pytest.mark.parametrize("likely", [0.0, pytest.param(1e6, marks=pytest.mark.slow)], ids=["best", "usual"])
def test_another_width_is_taken_with_evidence_only(likely: float) -> None:
    tuning = Tuning(validation=Validation(likely=likely, confirmed_at=0.0))
    for seed in range(2):
        result = hc.optimize(
            many(3, seed=seed, size=1000), cuts(3), objective=GOAL, replicas=0, holdout=None, tuning=tuning
        )
        best = STAGES[int(np.argmax(result.validation))]
        assert result.anneal[-1] == (1.1 if likely else best)


@pytest.fixture(scope="module")
def of_few_events() -> Any:
    """Searches among few events, and the true significances of what they found."""
    results = [
        hc.optimize(many(4, seed=seed, size=2000), cuts(4), objective=GOAL, replicas=0, holdout=None)
        for seed in range(18)
    ]
    return results, [true_significance(4, list(result.thresholds.values())) for result in results]


@pytest.mark.slow
def test_few_events_mostly_keep_the_usual_width(of_few_events: Any) -> None:
    results, truths = of_few_events
    assert np.median([result.anneal[-1] for result in results]) == 1.1
    assert np.mean([result.hard_value for result in results]) > np.mean(truths)


@pytest.mark.slow
def test_the_cross_validated_value_of_few_events_is_honest(of_few_events: Any) -> None:
    results, truths = of_few_events
    validated = [result.validated for result in results]
    assert abs(np.mean(validated) - np.mean(truths)) < 0.15 * np.mean(truths)


# --- interruptions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("finished", "compared"), [(5, 5), (2, 2), (0, None)])
def test_an_interrupted_search_keeps_the_best_so_far(monkeypatch, finished, compared):
    stages = []
    real = course.advance_stage

    def interrupted(walk, factor):
        if len(stages) == finished:
            raise KeyboardInterrupt
        stages.append(factor)
        real(walk, factor)

    monkeypatch.setattr(course, "advance_stage", interrupted)
    if finished == 0:
        with pytest.raises(KeyboardInterrupt):
            hc.optimize(many(2, seed=1, size=1000), cuts(2), objective=GOAL, holdout=None)
        return
    result = hc.optimize(many(2, seed=1, size=1000), cuts(2), objective=GOAL, holdout=None)
    assert not result.success
    assert "interrupted" in result.message
    assert (None if result.validation is None else len(result.validation)) == compared
    assert len(result.anneal) <= finished
    assert np.isfinite(result.significance)


def test_a_checkpoint_resumes_to_the_same_result(tmp_path, monkeypatch):
    path = tmp_path / "cuts.json"
    samples = many(2, seed=1, size=1000)
    whole = hc.optimize(samples, cuts(2), objective=GOAL, holdout=None, folds=2)
    real, stages = course.advance_stage, []

    def failing(walk, factor):
        if len(stages) == 3:
            raise RuntimeError("the machine went down")
        stages.append(factor)
        real(walk, factor)

    monkeypatch.setattr(course, "advance_stage", failing)
    with pytest.raises(RuntimeError, match="went down"):
        hc.optimize(samples, cuts(2), objective=GOAL, checkpoint=path, holdout=None, folds=2)
    assert len(json.loads(path.read_text())["walk"]["endings"]) == 3

    def counting_stages(walk, factor):
        stages.append(factor)
        real(walk, factor)

    monkeypatch.setattr(course, "advance_stage", counting_stages)
    resumed = hc.optimize(samples, cuts(2), objective=GOAL, checkpoint=path, holdout=None, folds=2)
    assert len(stages) == len(whole.validation)
    assert resumed.thresholds == whole.thresholds
    np.testing.assert_array_equal(resumed.validation, whole.validation)
    with pytest.raises(InputError, match="another problem"):
        hc.optimize(samples, cuts(2), objective="asimov", checkpoint=path, holdout=None, folds=2)
    path.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        hc.optimize(samples, cuts(2), objective=GOAL, checkpoint=path, holdout=None, folds=2)


def test_a_search_that_ends_without_any_value_says_so():
    samples = [
        hc.Sample("s", {"x": np.linspace(2.0, 3.0, 50)}, signal=True),
        hc.Sample("b", {"x": np.linspace(0.0, 1.0, 50)}),
    ]
    result = hc.optimize(samples, hc.Cut("x", ">"), objective="asimov", folds=0, holdout=None)
    # Separated altogether: the guard keeps ten simulated background events.
    assert result.training.effective_background >= 9.0
    with pytest.raises(OptimizationError, match="no finite value"):
        hc.optimize(
            samples, hc.Cut("x", ">", 2.9, width=1e-4), objective="asimov", folds=0, anneal=(1.0,), holdout=None
        )


def islands(seed: int = 3) -> list[hc.Sample]:
    """Most of the signal under the background, the rest in a corner that no single cut leads to."""
    r = np.random.default_rng(seed)

    def blob(size: int, x: float, y: float) -> np.ndarray:
        return r.normal([[x], [y]], 0.4, (2, size))

    signal = np.concatenate([blob(7000, 0, 0), blob(3000, 4, 4)], axis=1)
    background = np.concatenate([blob(20_000, 0, 0), blob(20_000, 4, 0), blob(20_000, 0, 4), blob(1500, 4, 4)], axis=1)
    return [
        hc.Sample("s", {"x": signal[0], "y": signal[1]}, weights=np.full(10_000, 0.01), signal=True),
        hc.Sample("b", {"x": background[0], "y": background[1]}, weights=np.full(61_500, 0.1)),
    ]


@pytest.mark.slow
def test_several_starts_find_what_no_single_threshold_leads_to() -> None:
    samples = islands()
    result = hc.optimize(samples, hc.Cut("x", ">") & hc.Cut("y", ">"), objective="asimov", replicas=0, holdout=None)
    corner = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov",)).optimum("asimov").value
    assert result.hard_value > 1.2 * corner  # better than any single cut
    assert min(result.thresholds.values()) > 1.5


def test_a_start_that_is_given_is_kept() -> None:
    result = hc.optimize(
        islands(),
        hc.Cut("x", ">", 0.1) & hc.Cut("y", ">", 0.2),
        objective="asimov",
        anneal=(0.3,),
        folds=0,
        replicas=0,
        holdout=None,
    )
    np.testing.assert_allclose(result.start, [0.1, 0.2], atol=0.01)
