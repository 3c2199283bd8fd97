"""Cuts and selections: the hard mask against plain NumPy, the soft pass weights in their limits."""

import dataclasses
import pickle
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hepcuts as hc
from hepcuts import Cut, OneOf, Sample, Selection, SlidingCut, Window
from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut, Not
from hepcuts.cuts.steps import step
from hepcuts.samples.derived import passing
from hepcuts.templates.filling import EventTable, fill, soft_fill
from tests.unchecked import unchecked  # noqa: F401

STEPS = ("sigmoid", "erf", "balanced", "hard")
FINITE = st.floats(-1e6, 1e6)


@settings(max_examples=60, deadline=None)
@given(x=arrays(np.float64, st.integers(1, 20), elements=FINITE), threshold=FINITE, at_event=st.booleans())
def test_masks_are_strict_comparisons(x: np.ndarray, threshold: float, at_event: bool) -> None:
    threshold = float(x[0]) if at_event else threshold
    np.testing.assert_array_equal(Cut("x", ">", threshold).mask(x), x > threshold)
    np.testing.assert_array_equal(Cut("x", "<", threshold).mask(x), x < threshold)
    window = Window("x", threshold, threshold + 10.0)
    np.testing.assert_array_equal(window.mask(x), (threshold < x) & (x < threshold + 10.0))


def test_the_threshold_itself_fails() -> None:
    x = np.array([1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), 2.0])
    assert Cut("x", ">", 1.0).mask(x).tolist() == [False, True, False, True]
    assert Cut("x", "<", 1.0).mask(x).tolist() == [False, False, True, False]
    assert Window("x", 1.0, 2.0).mask(x).tolist() == [False, True, False, False]


@pytest.mark.parametrize("missing", [-999.0, 999.0, np.nan], ids=str)
@pytest.mark.parametrize("policy", ["fail", "pass"])
@pytest.mark.parametrize(
    "make",
    [
        lambda policy: Cut("x", ">", 1.5, missing=policy),
        lambda policy: Cut("x", "<", 1.5, missing=policy),
        lambda policy: Window("x", 0.5, 1.5, missing=policy),
    ],
    ids=["above", "below", "window"],
)
def test_a_missing_value_is_not_compared_but_passes_or_fails(make: Any, policy: str, missing: float) -> None:
    cut = make(policy)
    x = np.array([1.0, missing, 2.0])
    expected = cut.mask(np.array([1.0, 2.0, 2.0]))
    expected[1] = policy == "pass"
    np.testing.assert_array_equal(cut.mask(x, missing=missing), expected)
    # The soft reading: the same for the missing value, at any width.
    values, code = Selection([cut]).events({"x": x}, missing=missing)
    assert np.all(np.isfinite(values))
    thresholds, widths = np.array(cut.thresholds), np.full(len(cut.thresholds), 3.0)
    with jax.enable_x64(True):
        for name in ("sigmoid", "hard"):
            soft = Selection([cut]).pass_weights(values, code, thresholds, widths, step(name))
            log_soft = Selection([cut]).log_pass_weights(values, code, thresholds, widths, step(name))
            assert soft[1] == (1.0 if policy == "pass" else 0.0)
            assert np.exp(float(log_soft[1])) == pytest.approx(float(soft[1]), abs=1e-300)
            slopes = jax.jit(jax.jacobian(Selection([cut]).pass_weights, 2), static_argnums=4)
            gradient = slopes(values, code, thresholds, widths, step(name))
            assert np.all(gradient[1] == 0.0)


COLUMNS = {"x": np.array([0.0, 2.0, 2.0, 5.0]), "m": np.array([120.0, 120.0, 90.0, 139.0])}


@pytest.mark.parametrize(
    "form", [dict, pd.DataFrame, lambda c: {k: v.tolist() for k, v in c.items()}], ids=["arrays", "frame", "lists"]
)
def test_a_selection_is_the_logical_and_of_its_cuts(form: Any) -> None:
    selection = Cut("x", ">", 1.0) & Window("m", 105, 140)
    mask = selection.mask(form(COLUMNS))
    assert isinstance(mask, np.ndarray)
    assert mask.tolist() == [False, True, False, True]


X, Y, M = Cut("x", ">", 1.0), Cut("y", "<", 2.0), Window("m", 3, 4)


@pytest.mark.parametrize(
    "combined",
    [X & Y & M, X & (Y & M), (X & Y) & Selection([M]), Selection([X]) & Selection([Y, M]), Selection([X, Y, M])],
    ids=["left", "right", "selection-right", "selections", "list"],
)
def test_every_way_to_combine_gives_the_same_selection(combined: Selection) -> None:
    assert combined == Selection([X, Y, M])
    assert hash(combined) == hash(Selection([X, Y, M]))
    assert combined.variables == ("x", "y", "m")
    assert combined.names == ("x", "y", "m:low", "m:high")
    assert combined.thresholds == (1.0, 2.0, 3.0, 4.0)
    assert combined.signs == (1, -1, 1, -1)
    assert combined.cut_of_threshold == (0, 1, 2, 2)
    assert str(combined) == "x > 1 & y < 2 & 3 < m < 4"


def test_one_cut_is_a_selection_of_one() -> None:
    assert Selection(X) == Selection([X])


def test_at_and_to_dict_take_the_vector_of_thresholds() -> None:
    selection = Cut("x", ">", bounds=(0, 10), width=0.5, missing="pass") & Cut("y", "<") & Window("m", bounds=(0, 9))
    assert selection.thresholds == (None, None, None, None)
    assert str(selection) == "x > ? & y < ? & ? < m < ?"
    moved = selection.at(np.array([1.0, 2.0, 3.0, 4.0]))
    assert moved.thresholds == (1.0, 2.0, 3.0, 4.0)
    # All that is not a threshold stays.
    assert moved.cuts[0] == Cut("x", ">", 1.0, bounds=(0, 10), width=0.5, missing="pass")
    assert moved.cuts[2] == Window("m", 3.0, 4.0, bounds=(0, 9))
    assert selection.to_dict([1, 2, 3, 4]) == {"x": 1.0, "y": 2.0, "m": (3.0, 4.0)}


@pytest.mark.parametrize("number", [0, 3, 5])
@pytest.mark.parametrize("method", ["at", "to_dict"])
def test_thresholds_must_be_as_many_as_there_are(method: str, number: int) -> None:
    with pytest.raises(InputError, match=f"{number} thresholds came for .*; expected 4: x, y, m:low, m:high"):
        getattr(X & Y & M, method)([1.0] * number)


def sliding(**options: Any) -> SlidingCut:
    direction = options.pop("direction", ">")
    return SlidingCut("x", direction, **({"along": "z", "knots": (1, 2, 4), "thresholds": (3, 5, 5)} | options))


BAD = {
    "direction": (lambda: Cut("x", "=>", 1), "Cut on 'x': the direction is '=>'; expected '>', '<' or 'auto'"),
    "fraction": (lambda: Cut("x", ">=", 1.5), "Cut on 'x': >= 1.5 is no comparison of whole numbers"),
    "unhashable-direction": (lambda: Cut("x", [">"], 1), "the direction is "),
    "variable": (lambda: Cut("", ">", 1), "A cut's variable is ''; expected the name of a column"),
    "variable-number": (lambda: Window(3, 1, 2), "A cut's variable is 3"),
    "nan": (lambda: Cut("x", ">", np.nan), "Cut on 'x': the threshold is nan; expected a finite number"),
    "infinite": (lambda: Window("x", -np.inf, 1), "the threshold is -inf; expected a finite number"),
    "text": (lambda: Cut("x", ">", "forty"), "the threshold is 'forty'; expected a number, or None"),
    "text-low": (lambda: Window("x", "a", 1), "Window on 'x': low is 'a'; expected a number, or None"),
    "order": (lambda: Window("x", 2, 1), "Window on 'x': low 2.0 is not below high 1.0"),
    "empty-window": (lambda: Window("x", 2, 2), "low 2.0 is not below high 2.0"),
    "bounds-order": (lambda: Cut("x", ">", bounds=(2, 1)), r"bounds are \(2.0, 1.0\); expected \(low, high\), low <"),
    "bounds-equal": (lambda: Cut("x", ">", bounds=(1, 1)), r"expected \(low, high\), low < high"),
    "bounds-nan": (lambda: Window("x", bounds=(np.nan, 1)), r"bounds are \(nan, 1.0\)"),
    "bounds-infinite": (lambda: Cut("x", ">", bounds=(0, np.inf)), r"bounds are \(0.0, inf\)"),
    "bounds-three": (lambda: Cut("x", ">", bounds=(0, 1, 2)), r"bounds are \(0, 1, 2\); expected two numbers"),
    "bounds-number": (lambda: Cut("x", ">", bounds=5), r"bounds are 5; expected two numbers, \(low, high\)"),
    "width-negative": (lambda: Cut("x", ">", width=-1), "width is -1.0; expected a finite number, 0 or more"),
    "width-nan": (lambda: Window("x", width=np.nan), "width is nan; expected a finite number"),
    "width-infinite": (lambda: Cut("x", ">", width=np.inf), "width is inf; expected a finite number"),
    "width-text": (lambda: Cut("x", ">", width="wide"), "width is 'wide'; expected a number, or None"),
    "missing": (lambda: Cut("x", ">", missing="drop"), "missing is 'drop'; expected 'fail' or 'pass'"),
    "no-cuts": (lambda: Selection([]), "A selection has no cuts"),
    "not-a-cut": (lambda: Selection(["x > 1"]), "A selection is made of Cut and Window objects, got str"),
    "twice": (lambda: X & Cut("x", "<", 5), r"More than one cut on x; use hepcuts.Window\(variable, low, high\)"),
    "twice-window": (lambda: Window("x", 0, 5) & Y & X, "More than one cut on x"),
    "unset": (lambda: Cut("x", ">").mask(np.ones(1)), r"The threshold of x > \? is not set, and a hard"),
    "half-a-window": (lambda: Window("x", 1, None).mask(np.ones(1)), r"The threshold of 1 < x < \? is not set"),
    "sliding-direction": (lambda: sliding(direction="auto"), "'x' along 'z': the direction is 'auto'; expected '>' or"),
    "sliding-knot": (lambda: sliding(knots=(1,)), r"the knots are \(1.0,\); expected at least two numbers, increasing"),
    "sliding-order": (lambda: sliding(knots=(2, 1, 3)), "expected at least two numbers, increasing"),
    "sliding-nan": (lambda: sliding(knots=(1, np.nan, 3)), "expected at least two numbers, increasing"),
    "sliding-number": (lambda: sliding(knots=3), "a knot is one of 3; expected several numbers"),
    "sliding-text": (lambda: sliding(thresholds=("a", 1, 2)), "a threshold is 'a'; expected a number"),
    "sliding-count": (lambda: sliding(thresholds=(1, 2)), "2 thresholds came for 3 knots"),
    "sliding-along": (lambda: sliding(along="x"), "'x' along 'x': expected the name of another column"),
    "sliding-mask": (lambda: sliding().mask(np.ones(1)), r"depends on 'z'; use passes\(\{'x': ..., 'z': ...\}\)"),
    "sliding-unset": (lambda: sliding(thresholds=None).passes({"x": np.ones(1), "z": np.ones(1)}), "is not set, and a"),
    "sliding-along-column": (
        lambda: Selection(sliding()).mask({"x": np.ones(1)}),
        "there is no column 'z'; there are x",
    ),
    "auto-mask": (lambda: Cut("x", "auto", 1).mask(np.ones(1)), "The direction of the cut on 'x' is still to be found"),
    "not-of-nothing": (lambda: Not("x > 1"), "Only a cut can be inverted, got str"),
    "not-of-a-selection": (lambda: Not(X & Y), "Only a cut can be inverted, got Selection; invert the cuts one by one"),
    "not-not": (lambda: Not(~X), r"The cut not \(x > 1\) is inverted already"),
    "unknown-column": (lambda: (X & Y).mask({"x": np.ones(1)}), "y < 2: there is no column 'y'; there are x"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("make", "match"), BAD.values(), ids=BAD)
def test_refusals_say_what_was_expected(make: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()


def test_a_selection_combines_with_nothing_else() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        X & 3


@settings(max_examples=40, deadline=None)
@given(
    x=arrays(np.float64, 12, elements=st.floats(-10, 10)),
    y=arrays(np.float64, 12, elements=st.floats(-10, 10)),
    thresholds=st.tuples(st.floats(-9, 9), st.floats(-9, 0), st.floats(0.5, 9)),
    name=st.sampled_from(STEPS),
)
def test_soft_goes_to_hard_as_the_width_goes_to_zero(
    x: np.ndarray, y: np.ndarray, thresholds: tuple[float, float, float], name: str
) -> None:
    selection = Selection([Cut("x", "<"), Window("y")]).at(thresholds)
    mask = selection.mask({"x": x, "y": y})
    distance = np.abs(np.stack([x - thresholds[0], y - thresholds[1], y - thresholds[2]])).min(axis=0)
    values, code = selection.events({"x": x, "y": y})
    with jax.enable_x64(True):
        for width in (1e-2, 1e-6, 1e-12, 1e-200, 0.0):
            widths = np.full(3, width)
            soft = np.asarray(selection.pass_weights(values, code, np.array(thresholds), widths, step(name)))
            assert np.all((soft >= 0) & (soft <= 1))
            # Three factors, each at most 1/(4 z^2) from its limit (balanced has the longest tails of all steps).
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                bound = np.where(distance > 0, 0.75 * (width / distance) ** 2, 1.0) + 1e-15
            # Exactly on a threshold the hard cut fails, and the soft one only when its width is zero. Subnormal
            # distances are zero for JAX's compiler, but not for NumPy.
            bound = np.where((distance > 0) & (distance < np.finfo(float).tiny), 1.0, bound)
            assert np.all(np.abs(soft - mask) <= np.where((distance == 0) & (width == 0), 0.0, bound))


def test_soft_pass_weights_are_the_product_over_thresholds() -> None:
    selection = Cut("x", "<", 1.0) & Window("y", 2.0, 5.0)
    x, y = np.linspace(-3, 3, 7), np.linspace(0, 7, 7)
    values, code = selection.events({"x": x, "y": y})
    widths = np.array([0.5, 1.0, 2.0])
    expected = (
        scipy.special.expit((1.0 - x) / 0.5)
        * scipy.special.expit((y - 2.0) / 1.0)
        * scipy.special.expit((5.0 - y) / 2.0)
    )
    with jax.enable_x64(True):
        arguments = (values, code, np.array(selection.thresholds), widths, step("sigmoid"))
        np.testing.assert_allclose(selection.pass_weights(*arguments), expected, rtol=1e-14)
        np.testing.assert_allclose(selection.log_pass_weights(*arguments), np.log(expected), rtol=1e-13)


@pytest.mark.parametrize("name", ["sigmoid", "erf", "balanced"])
def test_gradients_in_thresholds_and_widths_equal_finite_differences(name: str) -> None:
    selection = Cut("x", "<") & Window("y")
    rng = np.random.default_rng(3)
    columns = {"x": rng.normal(size=50), "y": rng.normal(3, 2, size=50)}
    values, code = selection.events(columns)
    point = np.array([0.3, 2.0, 5.0, 0.7, 0.4, 1.1])

    def total(p: Any) -> Any:
        return jnp.sum(selection.pass_weights(values, code, p[:3], p[3:], step(name)) ** 2)

    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(total))(point)
        # Central differences of fourth order: truncation h^4 = 1e-12, rounding 1e-16 / h = 1e-13, times the sum of 50.
        h = 1e-3
        for i, shift in enumerate(h * np.eye(6)):
            first = (total(point + shift) - total(point - shift)) / (2 * h)
            second = (total(point + 2 * shift) - total(point - 2 * shift)) / (4 * h)
            assert float(gradient[i]) == pytest.approx(float(4 * first - second) / 3, abs=1e-9)


# --- cuts that are inverted, and cuts that slide ----------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["fail", "pass"])
@pytest.mark.parametrize("cut", [X, Y, M, sliding()], ids=str)
def test_every_event_passes_a_cut_or_its_inversion(cut: AbstractCut, missing: Any) -> None:
    cut = dataclasses.replace(cut, missing=missing)
    rng = np.random.default_rng(5)
    # Values on thresholds, and missing ones, among them.
    columns = {name: rng.choice([1.0, 2.0, 3.0, 3.5, 4.0, 5.0, -999.0], 200) for name in "xymz"}
    passed, failed = (c.passes(columns, missing=-999.0) for c in (cut, ~cut))
    assert np.all(passed != failed)
    assert np.any(passed)
    assert np.any(failed)
    absent = np.any([columns[name] == -999.0 for name in cut.columns], axis=0)
    assert np.all(passed[absent] == (missing == "pass"))
    assert (~cut).missing != missing


def test_an_inverted_cut_is_that_of_the_other_side() -> None:
    inverted = ~M
    assert ~inverted is M
    assert (inverted.plain, inverted.inverted) == (M, True)
    assert (M.plain, M.inverted) == (M, False)
    assert inverted.signs == (-1, 1)
    assert (~X).signs == (-1,)
    assert str(inverted) == "not (3 < m < 4)"
    assert inverted.at([1.0, 2.0]) == ~Window("m", 1.0, 2.0)
    selection = ~X & M & ~Y
    assert selection.names == ("x", "m:low", "m:high", "y")
    assert selection.thresholds == (1.0, 3.0, 4.0, 2.0)
    assert selection.to_dict([5, 6, 7, 8]) == {"x": 5.0, "m": (6.0, 7.0), "y": 8.0}


@settings(max_examples=40, deadline=None)
@given(
    x=arrays(np.float64, 10, elements=st.floats(-10, 10)),
    z=arrays(np.float64, 10, elements=st.floats(-3, 8)),
    thresholds=st.tuples(*[st.floats(-9, 9)] * 3),
    direction=st.sampled_from([">", "<"]),
)
def test_a_threshold_that_slides_is_linear_between_knots(
    x: np.ndarray, z: np.ndarray, thresholds: tuple[float, ...], direction: Any
) -> None:
    cut = sliding(direction=direction).at(thresholds)
    for value, along, passed in zip(x, z, cut.passes({"x": x, "z": z}), strict=True):
        knots = [-np.inf, 1.0, 2.0, 4.0, np.inf]
        heights = [thresholds[0], *thresholds, thresholds[-1]]
        k = int(np.searchsorted(knots, along, side="right")) - 1
        if np.isinf(knots[k]) or np.isinf(knots[k + 1]):
            threshold = heights[k] if np.isinf(knots[k + 1]) else heights[k + 1]
        else:
            share = (along - knots[k]) / (knots[k + 1] - knots[k])
            threshold = heights[k] + share * (heights[k + 1] - heights[k])
        if abs(value - threshold) > 1e-12:
            assert passed == ((value > threshold) == (direction == ">"))


def test_a_sliding_cut_in_a_selection() -> None:
    cut = sliding(bounds=(0, 9), width=0.5)
    selection = Y & cut
    assert str(selection) == "y < 2 & x > (3, 5, 5) at z = (1, 2, 4)"
    assert selection.names == ("y", "x:z=1", "x:z=2", "x:z=4")
    assert selection.columns == ("y", "x", "z")
    assert selection.signs == (-1, 1, 1, 1)
    assert selection.cut_of_threshold == (0, 1, 1, 1)
    assert selection.at([7, 1, 2, 3]).cuts[1] == sliding(thresholds=(1, 2, 3), bounds=(0, 9), width=0.5)
    assert selection.to_dict([7, 1, 2, 3]) == {"y": 7.0, "x": (1.0, 2.0, 3.0)}
    assert sliding(thresholds=(1, None, 3)).thresholds == (1.0, None, 3.0)
    columns = {"x": np.array([3.5, 3.5, -999.0, 9.0]), "y": np.zeros(4), "z": np.array([1.0, 2.0, 1.0, -999.0])}
    assert selection.mask(columns, missing=-999.0).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    "cut",
    [X, M, ~M, sliding(), ~sliding(thresholds=None), Cut("x", "auto"), OneOf("n", {2, 3}), ~OneOf("n", 1)],
    ids=str,
)
def test_cuts_are_values(cut: AbstractCut) -> None:
    """Equal, hashed, copied and sent to other processes by what they are."""
    assert pickle.loads(pickle.dumps(cut)) == cut  # noqa: S301
    assert dataclasses.replace(cut) == cut
    assert hash(dataclasses.replace(cut)) == hash(cut)


@pytest.mark.parametrize("cut", [X, M, sliding(thresholds=(1, None, 3))], ids=str)
def test_one_property_is_replaced_and_all_others_stay(cut: AbstractCut) -> None:
    changed = dataclasses.replace(cut, width=0.25)
    assert changed.width == 0.25
    assert dataclasses.replace(changed, width=None) == cut
    assert dataclasses.replace(~cut, cut=changed) == ~changed


@pytest.mark.parametrize("cut", [~X, ~M, sliding(), ~sliding()], ids=str)
def test_soft_templates_refuse_what_they_cannot_do(cut: AbstractCut) -> None:
    columns = {name: np.array([1.0, 2.0]) for name in "xymz"}
    samples = [Sample("s", columns, signal=True), Sample("b", columns)]
    for call in (lambda: soft_fill(samples, Selection(cut), widths=1.0), lambda: EventTable.of(samples, cut)):
        with pytest.raises(InputError, match=r"take Cut and Window only, not .*; hepcuts.optimize takes all cuts"):
            call()


class TestSets:
    CUT, OTHERS = OneOf("n", {2, 3}), OneOf("n", (3, 2.0, 2), excluded=True)
    N = np.array([1.0, 2.0, 3.0, 4.0, -999.0])

    def test_keep_their_values_or_all_others(self):
        assert self.CUT.mask(self.N).tolist() == [False, True, True, False, False]
        assert (~self.CUT).mask(self.N).tolist() == [True, False, False, True, True]
        assert self.OTHERS.mask(self.N, missing=-999.0).tolist() == [True, False, False, True, False]
        assert OneOf("n", 3).mask(self.N.astype(np.float32)).tolist() == [False, False, True, False, False]

    def test_are_filled_and_evaluated_beside_others(self):
        rng = np.random.default_rng(1)
        samples = [
            Sample(name, {"n": rng.integers(0, 5, 500), "x": rng.normal(shift, 1.0, 500)}, signal=name == "s")
            for name, shift in (("s", 1.0), ("b", 0.0))
        ]
        selection = Cut("x", ">", 0.5) & self.CUT
        expected = [int(np.sum((s.columns["x"] > 0.5) & np.isin(s.columns["n"], [2, 3]))) for s in samples]
        assert fill(samples, selection).nominal.ravel().tolist() == expected
        assert selection.thresholds == (0.5,)
        assert selection.names == ("x",)
        assert selection.to_dict([0.5]) == {"x": 0.5}
        assert selection.at([1.0]).cuts == (Cut("x", ">", 1.0), self.CUT)
        flow = hc.cutflow(samples, selection)
        assert "n in {2, 3}" in flow.summary().text()

    def test_get_out_of_the_way_of_a_search(self):
        """What passes is that of the whole selection, with variations that move events into it and out of it."""
        rng, samples = np.random.default_rng(1), []
        for name, mean in (("s", 3.0), ("b", 1.0)):
            columns = {"n": rng.integers(0, 6, 300), "x": rng.exponential(mean, 300)}
            moved = {"n": columns["n"] + (rng.uniform(size=300) < 0.2), "x": 1.1 * columns["x"]}
            modifiers = [
                hc.HistoSys("jes", up=moved, down="mirror"),
                *hc.envelope("pdf", rng.uniform(0.9, 1.1, (2, 300))),
            ]
            weights = rng.uniform(0.5, 1.5, 300)
            samples.append(Sample(name, columns, weights=weights, signal=name == "s", modifiers=modifiers))
        kept = [passing(sample, Selection(self.CUT)) for sample in samples]
        assert len(kept[0]) < len(samples[0])
        for threshold in (0.5, 2.0):
            whole = fill(samples, Cut("x", ">", threshold) & self.CUT)
            found = fill(kept, Cut("x", ">", threshold))
            np.testing.assert_allclose(found.yields.values, whole.yields.values, rtol=1e-12)
            np.testing.assert_allclose(found.yields.variances, whole.yields.variances, rtol=1e-12)

    def test_have_no_threshold_to_be_found(self):
        samples = [Sample("s", {"n": [2, 3]}, signal=True), Sample("b", {"n": [1, 2]})]
        for search in (hc.scan, hc.optimize):
            with pytest.raises(InputError, match=r"n in \{2, 3\} has no threshold.*preselection"):
                search(samples, self.CUT)

    @pytest.mark.parametrize(
        ("values", "message"),
        [([], "no value came"), (1.5, "no whole number"), ("two", "expected a number"), (np.nan, "no whole")],
    )
    def test_refuse(self, values, message):
        with pytest.raises(InputError, match=message):
            OneOf("n", values)


def test_comparisons_of_whole_numbers():
    cut = Cut("n", ">=", 4) & Cut("m", "<=", 2)
    assert str(cut) == "n >= 4 & m <= 2"
    columns = {"n": np.array([3.0, 4.0, 5.0, 4.0]), "m": np.array([1.0, 2.0, 3.0, 0.0])}
    assert cut.mask(columns).tolist() == [False, True, False, True]


@pytest.mark.parametrize("text", ["n >= ?", "n <= ?", "2 <= n <= ?", "? <= n <= 5", "? <= n <= ?", "n >= 4", "n > 3.5"])
def test_whole_numbers_are_whole_numbers_again(text):
    """That an unknown threshold is one of whole numbers is not forgotten in the text."""
    cut = Selection.parse(text).cuts[0]
    assert str(cut) == text
    assert Selection.parse(str(cut)).cuts[0].integer == cut.integer == ("=" in text)


PARSED = {
    "pt > 30": "pt > 30",
    "30 < pt": "pt > 30",
    "pt>30&&90<mass<160": "pt > 30 & 90 < mass < 160",
    "160 > mass > 90": "90 < mass < 160",
    "mass > 90 and mass < 160": "90 < mass < 160",
    "njet >= 4 & nb <= 1": "njet >= 4 & nb <= 1",
    "2 <= n < 5": "2 <= n <= 4",
    "not (mt > 100) & (pt < -1.5e-3)": "not (mt > 100) & pt < -0.0015",
    "abs(eta) < 2.5 & jet_pt[0] > ?": "abs(eta) < 2.5 & jet_pt[0] > ?",
    "sqrt(2*pt*(met & trig)) > ?": "sqrt(2*pt*(met & trig)) > ?",
    "? < mass < ?": "? < mass < ?",
    "njet == 2 && charge != 0": "njet == 2 & charge != 0",
    "abs(pdgId) in {13, 11}": "abs(pdgId) in {11, 13}",
    "njet not in (3, 2)": "njet not in {2, 3}",
    "not (njet in [2]) & main > 2": "not (njet == 2) & main > 2",
}


@pytest.mark.parametrize("text", PARSED)
def test_a_selection_is_read_from_text(text):
    assert str(Selection.parse(text)) == PARSED[text]


@pytest.mark.parametrize(
    ("text", "message"),
    {
        "": "expected text such as",
        "pt": "'pt' is no cut",
        "pt > met": "is no cut",
        "pt > 30 & pt > 40": "pt is cut on twice on one side",
        "n == 3 & n == 4": "n is cut on twice",
        "n == 3 & n > 4": "n is cut on twice",
        "n == 1.5": "no whole number",
        "n == ?": "only thresholds are searched for",
        "n in {2, ?}": "only thresholds are searched for",
        "n in {}": "expected whole numbers after in",
        "n in 3": "expected a set after in",
        "3 in n": "is no cut",
        "3 == n": "is no cut",
        "n in {2, 3": "a bracket is not closed",
        "30 < pt > 40": "is no cut",
        "pt >= 1.5": "no comparison of whole numbers",
        "pt > 30 &": "'' is no cut",
        "pt > inf": "is no cut",
        "30 > 20": "is no cut",
    }.items(),
)
def test_what_is_no_selection_is_refused(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Selection.parse(text)


@given(
    st.lists(
        st.one_of(
            st.builds(lambda d, t: ("cut", d, t), st.sampled_from("<>"), st.floats(-1e9, 1e9)),
            st.builds(lambda n: ("integer", ">", n + 0.5), st.integers(-1000, 1000)),
            st.builds(
                lambda n, e: ("set", n, e), st.sets(st.integers(-1000, 1000), min_size=1, max_size=4), st.booleans()
            ),
            st.builds(lambda a, b: ("window", a, a + abs(b) + 1.0), st.floats(-1e6, 1e6), st.floats(0, 1e6)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_printed_is_read_back_to_itself(parts):
    cuts = []
    for number, (kind, first, second) in enumerate(parts):
        name = f"x{number}"
        kinds = {"window": Window, "set": lambda n, v, e: OneOf(n, v, excluded=e)}
        cuts.append(
            kinds[kind](name, first, second) if kind in kinds else Cut(name, first, second, integer=kind == "integer")
        )
    selection = Selection(cuts)
    again = Selection.parse(str(selection))
    assert again == selection
    assert str(again) == str(selection)
