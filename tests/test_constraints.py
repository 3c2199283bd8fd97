"""What is wanted after the cuts: read, and made sure of with hard cuts; against sums of NumPy."""

import dataclasses
from typing import Any

import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts.cuts.steps import step
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.feasibility import enforce, short_of
from hepcuts.optimization.soft.constraints import QUANTITIES, read_constraints, violated
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import LBFGS
from tests.unchecked import unchecked  # noqa: F401


def make_samples(size: int = 2000, seed: int = 4) -> list[hc.Sample]:
    r = np.random.default_rng(seed)

    def columns(number: int, shift: float) -> dict[str, np.ndarray]:
        return {
            "x": r.normal(shift, 1.0, number),
            "y": r.normal(shift, 2.0, number),
            "n": r.poisson(3.0 + shift, number).astype(float),
        }

    return [
        hc.Sample("sig", columns(size, 1.0), weights=r.uniform(0.01, 0.03, size), signal=True),
        hc.Sample("ttbar", columns(2 * size, 0.0), weights=r.uniform(0.5, 1.5, 2 * size)),
        hc.Sample("wjets", columns(size // 2, -0.5), weights=r.uniform(1.0, 9.0, size // 2)),
    ]


SAMPLES = make_samples()
EVERYTHING = hc.fill(SAMPLES, None)


def quantity(name: str, passed: list[np.ndarray]) -> float:
    """Spelled out, from which events of each sample pass."""
    chosen = {"sig": [0], "ttbar": [1], "wjets": [2]}.get(name, [0] if "signal" in name else [1, 2])
    w = np.concatenate([SAMPLES[i].weights[passed[i]] for i in chosen])
    if name.startswith("effective"):
        each = [SAMPLES[i].weights[passed[i]] for i in chosen]
        one = [(SAMPLES[i].weights ** 2).sum() / SAMPLES[i].weights.sum() for i in chosen]
        # Of each background that is, or with one event more would be, a tenth of all.
        matter = [part for part, event in zip(each, one, strict=True) if part.sum() + event > 0.1 * w.sum()]
        return min(float(part.sum() ** 2 / (part**2).sum()) if len(part) else 0.0 for part in matter)
    if name.endswith("efficiency"):
        return float(w.sum() / sum(SAMPLES[i].weights.sum() for i in chosen))
    return float(w.sum())


def search_of(selection: hc.Selection, constraints: dict[str, float], **options: Any) -> Search:
    problem = Problem(
        selection, figure_of_merit("asimov"), LBFGS(), step("sigmoid"), constraints=constraints, **options
    )
    return Search.of(SAMPLES, problem)


def masks(selection: hc.Selection) -> list[np.ndarray]:
    return [selection.mask(sample.columns) for sample in SAMPLES]


@pytest.mark.parametrize("name", [*QUANTITIES, "sig", "ttbar", "wjets"])
def test_each_quantity_is_that_of_the_events(name: str) -> None:
    selection = hc.Selection([hc.Cut("x", ">", 0.5), hc.Window("y", -2.0, 1.5)])
    templates = hc.fill(SAMPLES, selection, axis=hist.axis.Integer(0, 20, name="n"))
    passed = masks(selection)
    for factor, holds in ((1.0 - 1e-9, True), (1.0 + 1e-9, False)):
        least = quantity(name, passed) * factor
        constraints = read_constraints({name: least}, EVERYTHING.structure, EVERYTHING)
        found = violated(constraints, templates.yields, templates.structure)
        assert (found == []) == holds
    assert found[0].startswith(f"{name} ")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        ({"sgnal": 1}, r"no constraint 'sgnal'; choose of signal, .* or name a sample \(sig, ttbar, wjets\)"),
        ({"signal": 0}, "'signal' is 0; expected a positive number"),
        ({"signal": -1.0}, "'signal' is -1.0; expected a positive number"),
        ({"signal": np.nan}, "'signal' is nan; expected a positive number"),
        ({"signal": np.inf}, "'signal' is inf; expected a positive number"),
        ({"signal": "5"}, "'signal' is '5'; expected a positive number"),
        ({"signal_efficiency": 1.2}, "'signal_efficiency' is 1.2; expected a number above 0 and up to 1"),
        ({"signal": 1e5}, "wants at least 100000.0; without any cut there are .* expected events. Ask for less"),
        ({"effective_signal": 1e5}, "without any cut there are .* effective simulated events"),
        (["signal"], "constraints came as list; expected a mapping"),
    ],
    ids=["name", "zero", "negative", "nan", "infinite", "text", "efficiency", "yield", "effective", "list"],
)
def test_refusals(wanted: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_constraints(wanted, EVERYTHING.structure, EVERYTHING)


def test_no_constraints() -> None:
    assert read_constraints(None, EVERYTHING.structure, EVERYTHING) == ()


# --- making sure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [">", "<"])
@pytest.mark.parametrize(
    ("name", "least"),
    [("signal", 20.0), ("signal_efficiency", 0.6), ("effective_background", 500.0), ("wjets", 800.0)],
)
def test_one_cut_is_loosened_by_no_more_than_one_event(direction: str, name: str, least: float) -> None:
    tight = {">": 3.0, "<": -3.0}[direction]
    selection = hc.Selection(hc.Cut("x", direction, tight))
    search = search_of(selection, {name: least})
    position = search.space.start
    assert short_of(search, position)
    loosened = enforce(search, position)
    threshold = search.space.thresholds(loosened)[0]
    hard = selection.at([threshold])
    assert quantity(name, masks(hard)) >= least * (1 - 1e-12)
    # The next tighter threshold that can be quoted is worth less than is wanted.
    tighter = search.space.thresholds(loosened + (2e-6 if direction == ">" else -2e-6))[0]
    assert (tighter > threshold) == (direction == ">")
    assert tighter != threshold
    assert quantity(name, masks(selection.at([tighter]))) < least


SELECTION = hc.Selection([hc.Cut("x", ">", 1.5), hc.Window("y", -0.5, 0.5), hc.Cut("n", "<", 3.0)])


def test_all_thresholds_are_loosened_by_the_same_shift_and_windows_on_both_sides() -> None:
    wanted = {"signal": 8.0, "effective_background": 300.0, "ttbar": 100.0}
    search = search_of(SELECTION, wanted)
    loosened = enforce(search, search.space.start)
    shift = search.space.start - loosened
    assert shift[0] > 0
    np.testing.assert_allclose(shift, shift[0] * np.array([1, 1, -1, -1]), rtol=1e-9)
    hard = SELECTION.at(search.space.thresholds(loosened))
    for name, least in wanted.items():
        assert quantity(name, masks(hard)) >= least * (1 - 1e-12)
    # A millionth less is too little.
    assert short_of(search, search.space.start - np.sign(shift) * (abs(shift) - 2e-6))
    # The same numbers come from hepcuts.fill, at the thresholds that are quoted.
    templates = hc.fill(SAMPLES, hard)
    assert violated(search.constraints, templates.yields, templates.structure) == []


def test_where_the_constraints_hold_nothing_moves() -> None:
    search = search_of(SELECTION, {"signal": 0.1})
    np.testing.assert_array_equal(enforce(search, search.space.start), search.space.start)


def test_bounds_fixed_and_tied_thresholds_are_kept() -> None:
    selection = hc.Selection(
        [
            hc.Cut("x", ">", 1.5, bounds=(1.2, 2.0)),
            hc.Window("y", 1.5, 3.0),
            hc.Cut("n", "<", 3.0),
        ]
    )
    search = search_of(selection, {"signal": 1.6}, fixed=("n",), tied=(("y:low", "x"),))
    assert short_of(search, search.space.start)
    loosened = enforce(search, search.space.start)
    found = dict(zip(search.space.names, search.space.thresholds(loosened), strict=True))
    assert found["n"] == 3.0
    assert found["x"] == found["y:low"]
    assert 1.2 <= found["x"] <= 2.0
    assert quantity("signal", masks(selection.at(search.space.thresholds(loosened)))) >= 1.6 * (1 - 1e-12)


def test_an_inverted_window_is_narrowed() -> None:
    selection = hc.Selection([~hc.Window("x", -0.5, 3.0), hc.Cut("y", ">", 0.0)])
    search = search_of(selection, {"signal_efficiency": 0.5})
    loosened = enforce(search, search.space.start)
    hard = selection.at(search.space.thresholds(loosened))
    assert quantity("signal_efficiency", masks(hard)) >= 0.5 * (1 - 1e-12)
    low, high = hard.thresholds[:2]
    assert -0.5 < low < high < 3.0


def test_negative_weights_do_not_hide_what_there_is_at_tighter_cuts() -> None:
    """Loosened all the way, the negative weights at low values would leave too little."""
    x = np.arange(100.0)
    w = np.where(x < 40, -1.0, 1.0)
    samples = [hc.Sample("s", {"x": x}, weights=w, signal=True), hc.Sample("b", {"x": x})]
    problem = Problem(
        hc.Selection(hc.Cut("x", ">", 90.0)),
        figure_of_merit("asimov"),
        LBFGS(),
        step("sigmoid"),
        constraints={"b": 50.0},
    )
    everything = hc.fill(samples, None)
    wanted = read_constraints({"signal": 20.0, "b": 50.0}, everything.structure, everything)
    search = dataclasses.replace(Search.of(samples, problem), constraints=wanted)
    loosened = enforce(search, search.space.start)
    assert search.space.thresholds(loosened)[0] == 49.5  # between two values
    # 20 of signal are there with all events, too (60 - 40), but no more than that.
    search = dataclasses.replace(search, constraints=wanted[:1])
    assert search.space.thresholds(enforce(search, search.space.start))[0] == 79.5


def test_what_cannot_be_is_said() -> None:
    selection = hc.Selection([hc.Cut("x", ">", 1.5, bounds=(1.0, 3.0)), hc.Cut("y", ">", 1.0)])
    search = search_of(selection, {"signal_efficiency": 0.4, "wjets": 10.0}, fixed=("y",))
    with pytest.raises(OptimizationError, match=r"cannot be fulfilled: .* signal_efficiency .* < .*\. Ask for less"):
        enforce(search, search.space.start)


def test_simulated_background_is_wished_for_only() -> None:
    selection = hc.Selection([hc.Cut("x", ">", 3.2), hc.Cut("y", ">", 3.0, bounds=(2.0, 4.0))])
    wishing = search_of(selection, {"signal_efficiency": 0.01}, min_background=40.0)
    hard = selection.at(wishing.space.thresholds(enforce(wishing, wishing.space.start)))
    assert 40.0 <= quantity("effective_background", masks(hard)) < 43.0
    # More than there is at the bounds: the constraint holds, and nothing is refused.
    much = search_of(selection, {"signal_efficiency": 0.01}, min_background=1e6)
    plain = search_of(selection, {"signal_efficiency": 0.01})
    np.testing.assert_array_equal(enforce(much, much.space.start), enforce(plain, plain.space.start))


@pytest.mark.slow
def test_cuts_that_run_out_of_simulation_on_a_discrete_variable_are_loosened() -> None:
    r = np.random.default_rng(1)
    n = {"signal": r.poisson(9.0, 4000), "background": r.poisson(2.0, 4000)}
    signal = hc.Sample("s", {"n": n["signal"].astype(float)}, weights=np.full(4000, 0.05), signal=True)
    samples = [signal, hc.Sample("b", {"n": n["background"].astype(float)})]
    result = hc.optimize(
        samples, hc.Cut("n", ">"), objective="s_over_sqrt_b", min_background=25.0, replicas=0, holdout=None
    )
    assert result.training.effective_background >= 25.0
    # The next tighter cut has too few.
    assert np.sum(n["background"] > np.floor(result.thresholds["n"]) + 1) < 25
