"""What a search found is told as it is: cuts that were given up, penalties, and why there is nothing to be found."""

import json

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts.optimization.given_up import without_given_up
from hepcuts.optimization.solvers import LBFGS


def samples(**background: object) -> list[hc.Sample]:
    """A signal at larger x; of y signal and background have the same, of whole numbers n more."""
    rng = np.random.default_rng(1)

    def columns(mean: float) -> dict[str, np.ndarray]:
        return {"x": rng.normal(mean, 1, 3000), "y": rng.exponential(1, 3000), "n": rng.poisson(1 + mean, 3000)}

    signal = hc.Sample("s", columns(2.0), weights=np.full(3000, 0.01), signal=True)
    return [signal, hc.Sample("b", columns(0.0), weights=np.full(3000, 0.1), **background)]


class TestGivenUp:
    def test_it_leaves_selection_workspace_and_printout(self) -> None:
        """Of a bound below all events nothing is rejected; it was printed as a cut."""
        cuts = hc.Cut("x", ">") & hc.Cut("y", ">", bounds=(-2.0, -1.0)) & hc.Window("n", bounds=(-5.0, 4.0))
        result = hc.optimize(samples(), cuts, objective="asimov", replicas=0, folds=0)
        assert result.given_up[0] == "y"
        assert result.selection.variables == ("x", "n") or result.given_up == ("y", "n:low", "n:high")
        assert "y" not in result.thresholds
        assert " y " not in str(result.selection)
        assert "given up" in result.summary().text()
        text = json.dumps(result.workspace)
        assert "y > " not in text
        assert [row.cut.variable for row in result.drop_one(replicas=10).rows] == list(result.selection.variables)
        result.plot()

    def test_the_same_events_pass_without_it(self) -> None:
        data = samples()
        selection = hc.Cut("x", ">", 1.0) & hc.Cut("y", ">", -0.019) & hc.Window("n", -0.5, 4.5)
        left, names = without_given_up(data, selection, ())
        assert names == ("y", "n:low")
        assert str(left) == "x > 1 & n < 4.5"
        for sample in data:
            np.testing.assert_array_equal(left.mask(sample.columns), selection.mask(sample.columns))

    def test_what_rejects_missing_values_stays(self) -> None:
        data = [hc.Sample("s", {"x": [-999, 1.0]}, signal=True, missing=-999.0), hc.Sample("b", {"x": [2.0]})]
        for missing, given_up in (("fail", ()), ("pass", ("x",))):
            selection = hc.Selection([hc.Cut("x", ">", 0.5, missing=missing)])
            assert without_given_up(data, selection, ()) == (selection, given_up)

    def test_cuts_that_were_fixed_or_make_regions_stay(self) -> None:
        selection = hc.Cut("x", ">", 1.0) & hc.Cut("y", ">", -0.019)
        assert without_given_up(samples(), selection, {"y"}) == (selection, ())
        result = hc.optimize(samples(), selection, objective="asimov", replicas=0, folds=0, fixed="y")
        assert result.selection.variables == ("x", "y")


class TestCrossValidated:
    def test_what_is_quoted_has_no_penalty(self) -> None:
        """Few events: the penalty for too few of them made it half of the held-out value, or negative."""
        rng = np.random.default_rng(1)
        data = [
            hc.Sample("s", {v: rng.normal(1.5, 1, 150) for v in "abcdef"}, weights=np.full(150, 0.3), signal=True),
            hc.Sample("b", {v: rng.normal(0, 1, 400) for v in "abcdef"}, weights=rng.exponential(1.0, 400)),
        ]
        cuts = hc.Selection([hc.Cut(v, ">") for v in "abcdef"])
        options = {"objective": "asimov", "holdout": None, "constraints": {"signal": 42.0}, "replicas": 5}
        result = hc.optimize(data, cuts, **options)
        assert result.penalty is not None
        assert result.penalty > 0
        assert result.optimism is not None
        # Of the bootstrap, which knows of no penalty.
        assert result.validated == pytest.approx(result.optimism.validated.value, rel=1e-6)
        assert f"penalty for few events {result.penalty:.3g}" in result.summary().text()


class TestNothingToSearch:
    def test_all_thresholds_fixed(self) -> None:
        with pytest.raises(InputError, match="Every threshold of x > 1 is fixed, so that there is nothing to search"):
            hc.optimize(samples(), hc.Cut("x", ">", 1.0), fixed="x", replicas=0)

    @pytest.mark.parametrize("bounds", [(50, 60), (-60, -50)])
    @pytest.mark.parametrize("objective", ["profile", "asimov"])
    def test_bounds_beyond_all_events(self, bounds: tuple[float, float], objective: str) -> None:
        with pytest.raises(InputError, match="no threshold selects other events than another"):
            hc.optimize(samples(), hc.Cut("x", ">", bounds=bounds), objective=objective, replicas=0)

    @pytest.mark.parametrize("solver", ["lbfgs", pytest.param("adam", marks=pytest.mark.slow)])
    def test_no_significance_anywhere(self, solver: str) -> None:
        """A free normalization that only the signal region measures."""
        data = samples(modifiers=[hc.NormFactor("mu_b")])
        with pytest.raises(OptimizationError, match=r"significance is 0 wherever the cuts are.*control region"):
            hc.optimize(data, hc.Cut("x", ">"), solver=solver, replicas=0, folds=0, anneal=(1.0,))
        found = hc.optimize(data, hc.Cut("x", ">"), solver=solver, replicas=0, folds=0, anneal=(1.0,), throw=False)
        assert not found.success
        scanned = hc.scan(data, hc.Cut("x", ">"), metrics=["profile"], replicas=0, folds=0, thresholds=[0.0, 1.0, 2.0])
        assert "significance is 0" in scanned.optimum("profile").message


def test_no_words_of_scipy() -> None:
    result = hc.optimize(samples(), hc.Cut("x", ">"), objective="asimov", replicas=0, folds=0)
    assert result.message.startswith("converged: ")

    def valley(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(np.sum(x**4)), 4 * x**3

    free = np.array([-np.inf]), np.array([np.inf])
    ended = LBFGS(max_steps=1).minimize(valley, np.array([5.0]), free, lambda *_: None)
    assert ended.message.startswith("not converged after 1 steps")


def test_the_guard_on_what_is_quoted_is_told() -> None:
    """The training events have ten effective events of background left; those held out had 3.7, without a word."""
    result = hc.optimize(samples(), hc.Cut("x", ">"), objective="asimov", replicas=0, folds=0, holdout=0.2)
    assert result.training.effective_background >= 10.0
    assert result.quoted.effective_background < 10.0
    assert result.few_events
    assert "fewer than the 10 that the search kept on its own" in result.summary().text()
    all_quoted = hc.optimize(samples(), hc.Cut("x", ">"), objective="asimov", replicas=0, holdout=None)
    assert not all_quoted.few_events
    assert "fewer than" not in all_quoted.summary().text()
