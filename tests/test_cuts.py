"""Cuts and selections: the hard mask against plain NumPy, the soft pass weights in their limits."""

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

from hepcuts import Cut, Selection, Window
from hepcuts.errors import InputError
from hepcuts.relaxations import step
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
            gradient = jax.jacobian(Selection([cut]).pass_weights, 2)(values, code, thresholds, widths, step(name))
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


BAD = {
    "direction": (lambda: Cut("x", ">=", 1), "Cut on 'x': the direction is '>='; expected '>', '<' or 'auto'"),
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
