"""The optimizer: known optima, the tutorial's numbers, honest quotation, and its failures."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.evaluation.resampling import hold_out
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.landscape import landscape
from hepcuts.optimization.single_cuts import compare_with_single_cuts
from hepcuts.optimization.solvers import Adam, GradientDescent

ONE_STAGE = {"anneal": (1.0,), "folds": 0, "replicas": 0}
"""Where it does not matter how well the optimum is found."""


def two_dimensional(seed: int = 3, *, size: int = 4000) -> tuple[hc.Sample, hc.Sample]:
    """Signal in a corner and in a mass window."""
    r = np.random.default_rng(seed)
    signal = {"x": r.normal(2.0, 1.0, size), "mass": r.normal(125.0, 8.0, size)}
    background = {"x": r.normal(0.0, 1.0, 5 * size), "mass": r.exponential(60.0, 5 * size) + 60.0}
    return (
        hc.Sample("signal", signal, weights=np.full(size, 0.05), signal=True),
        hc.Sample("background", background, weights=np.full(5 * size, 0.5), modifiers=[hc.NormSys("norm", 1.1, 0.9)]),
    )


# --- the tutorial's problem -----------------------------------------------------------------------------------------


def test_the_tutorials_gradient_descent_ends_where_it_ended():
    """Squared error, error-function cut of width 1, from 0, learning rate 5e-4, 50 steps: near 3.3."""
    result = hc.optimize(
        hc.datasets.tutorial(seed=1),
        hc.Cut("x", ">", 0.0, width=1.0),
        objective="squared_error",
        step="erf",
        solver=GradientDescent(learning_rate=5e-4, steps=50),
        anneal=(1.0,),
        holdout=None,
    )
    assert result.thresholds["x"] == pytest.approx(3.3, abs=0.05)
    assert len(result.history) == 51
    assert result.history.thresholds[0, 0] == 0.0
    # Downhill, until steps are below the rounding of the values.
    values = result.history.values
    assert np.all(np.diff(values) <= 4 * np.spacing(values[:-1]))


def test_the_tutorials_optima_of_s_over_sqrt_b():
    """Near 3.7 for the hard cut and near 3.5 with the error function."""
    samples = hc.datasets.tutorial(seed=1)
    hard = hc.scan(samples, hc.Cut("x", ">"), metrics=("s_over_sqrt_b",), thresholds=np.arange(-4, 8, 0.05))
    assert hard.optimum("s_over_sqrt_b").threshold == pytest.approx(3.7, abs=0.2)
    soft = hc.optimize(
        samples, hc.Cut("x", ">", 0.0, width=1.0), objective="s_over_sqrt_b", step="erf", anneal=(1.0,), holdout=None
    )
    assert soft.thresholds["x"] == pytest.approx(3.5, abs=0.1)


@pytest.mark.slow
def test_the_same_cut_found_from_the_final_likelihood():
    """The sentence with which the tutorial ends, made true."""
    samples = hc.datasets.tutorial(seed=1)
    result = hc.optimize(samples, hc.Cut("x", ">", 0.0), objective="profile", replicas=0, holdout=None)
    best = hc.scan(samples, hc.Cut("x", ">"), metrics=("profile",)).optimum("profile")
    assert best.plateau[0] < result.thresholds["x"] < best.plateau[1]
    assert result.significance == pytest.approx(best.value, rel=0.01)
    assert result.quoted.pyhf.significance == pytest.approx(result.significance, abs=1e-3)


# --- against exhaustive scans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "name"),
    [
        *(("asimov", name) for name in hc.datasets.SCENARIOS if name != "exp10-exp100"),
        ("profile", "exp10-gauss30x1"),
        *(
            pytest.param("profile", name, marks=pytest.mark.slow)
            for name in hc.datasets.SCENARIOS
            if name not in {"exp10-exp100", "exp10-gauss30x1"}
        ),
    ],
)
@pytest.mark.slow("profile-exp10-gauss30x1", "asimov-exp10-gauss50x10", "asimov-exp10-gauss50x1")
def test_one_cut_is_nearly_as_good_as_the_true_optimum(name, goal):
    """Judged by the closed-form yields: on its own few events a scan would look better than it is.

    Of the cuts that leave the simulated background that an optimum has to rest on.
    """
    truth = hc.datasets.SCENARIOS[name]

    def significance(x):
        s, b = (d.size * d.frozen.sf(x) for d in (truth.signal, truth.background))
        # The simulation has as many events as are expected, so its uncertainty is sqrt(B).
        return counting.asimov_significance(s, b, np.sqrt(b) if goal == "profile" else None)

    result = hc.optimize(hc.datasets.scenario(name, seed=2), hc.Cut("x", ">"), objective=goal, holdout=None)
    grid = np.linspace(0.0, 70.0, 1401)
    few, allowed = truth.signal.size < 100, truth.background.size * truth.background.frozen.sf(grid) >= 10
    assert significance(result.thresholds["x"]) > (0.9 if few else 0.97) * significance(grid[allowed]).max()
    assert result.success


def test_where_simulation_runs_out_the_guard_holds():
    """Without background the significance grows without limit: the search keeps to some simulated background."""
    result = hc.optimize(
        hc.datasets.scenario("exp10-exp100", seed=1),
        hc.Cut("x", ">"),
        objective="asimov",  # with the uncertainty of the simulation it would turn around long before
        min_background=25.0,
        folds=0,
        replicas=0,
        holdout=None,
    )
    assert result.training.effective_background == pytest.approx(25.0, abs=5.0)
    free = hc.scan(hc.datasets.scenario("exp10-exp100", seed=1), hc.Cut("x", ">"), metrics=("asimov",))
    assert free.optimum("asimov", min_background=0).effective_background < 5


@pytest.mark.slow
def test_a_cut_and_a_window_against_a_grid():
    samples = two_dimensional()
    result = hc.optimize(
        samples, hc.Cut("x", ">", 0.0) & hc.Window("mass", 90.0, 180.0), objective="asimov_uncertainty", holdout=None
    )
    best = 0.0
    for x in np.linspace(0.5, 3.0, 11):
        for low in np.linspace(105.0, 122.0, 9):
            for high in np.linspace(128.0, 150.0, 9):
                hard = hc.Selection([hc.Cut("x", ">", x), hc.Window("mass", low, high)])
                s, b = (sample.weights[hard.mask(sample.columns)] for sample in samples)
                sigma = np.hypot(0.1 * b.sum(), np.sqrt((b**2).sum()))
                best = max(best, float(counting.asimov_significance(s.sum(), b.sum(), sigma)))
    assert result.hard_value > 0.95 * best
    low, high = result.thresholds["mass"]
    assert 100 < low < 125 < high < 150


@pytest.mark.parametrize("solver", ["lbfgs", "adam", Adam(learning_rate=0.1, steps=80)], ids=str)
def test_solvers_agree(solver):
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    result = hc.optimize(
        samples, hc.Cut("x", ">", 40.0), objective="asimov", solver=solver, anneal=(1.0,), holdout=None
    )
    reference = hc.optimize(samples, hc.Cut("x", ">", 40.0), objective="asimov", anneal=(1.0,), holdout=None)
    assert result.soft_value == pytest.approx(reference.soft_value, rel=1e-3)


@pytest.mark.slow
def test_a_users_own_function_is_maximized():
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    own = hc.optimize(
        samples,
        hc.Cut("x", ">"),
        objective=lambda y, _: y.nominal[0, 0] / (y.nominal[1, 0] + 25.0) ** 0.5,
        replicas=0,
        holdout=None,
    )
    known = hc.optimize(samples, hc.Cut("x", ">"), objective="s_over_sqrt_b", replicas=0, holdout=None)
    assert own.thresholds["x"] == pytest.approx(known.thresholds["x"], abs=3.0)
    assert own.objective == "<lambda>"


@pytest.mark.slow
def test_bce_and_significance_choose_different_cuts():
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    bce, profile = (
        hc.optimize(samples, hc.Cut("x", ">"), objective=objective, replicas=0, holdout=None)
        for objective in ("bce", "profile")
    )
    assert bce.thresholds["x"] > profile.thresholds["x"] + 5
    assert profile.significance > 1.2 * bce.significance


# --- gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "goal",
    ["profile", "asimov", "asimov_uncertainty", "s_over_sqrt_s_plus_b", "binomial", "punzi", "bce", "squared_error"],
)
@pytest.mark.parametrize("step", ["sigmoid", "erf", "balanced"])
@pytest.mark.slow("sigmoid-binomial")
def test_gradient_of_soft_objectives_against_differences(goal, step):
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    h = 1e-3
    points = np.array([42.0, 48.0, 55.0])
    along = np.concatenate([points - h, points, points + h])
    found = landscape(samples, hc.Cut("x", ">", width=2.0), thresholds=along, objective=goal, step=step)
    below, _, above = found.values.reshape(3, 3)
    np.testing.assert_allclose(
        found.gradients[3:6], (above - below) / (2 * h), rtol=2e-5, atol=1e-9 * np.abs(above).max()
    )


def test_gradient_flows_through_systematic_variations():
    """A shifted energy scale moves events across the threshold: its template depends on the cut, and so does Z."""
    r = np.random.default_rng(0)
    x = r.normal(40.0, 10.0, 3000)
    background = hc.Sample(
        "background",
        {"x": x},
        weights=np.full(3000, 0.5),
        modifiers=[hc.HistoSys("scale", up={"x": 1.05 * x}, down={"x": 0.95 * x})],
    )
    signal = hc.Sample("signal", {"x": r.normal(50.0, 5.0, 1000)}, weights=np.full(1000, 0.1), signal=True)
    h = 1e-3
    found = landscape([signal, background], hc.Cut("x", ">", width=2.0), thresholds=[45.0 - h, 45.0, 45.0 + h])
    assert found.gradients[1] == pytest.approx((found.values[2] - found.values[0]) / (2 * h), rel=1e-5)
    without = hc.Sample("background", {"x": x}, weights=np.full(3000, 0.5))
    other = landscape([signal, without], hc.Cut("x", ">", width=2.0), thresholds=[45.0])
    assert abs(other.gradients[0] - found.gradients[1]) > 1e-3


# --- what is reported ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held_out_result(tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "cuts.log"
    selection = hc.Cut("x", ">", 0.0) & hc.Window("mass", 90.0, 180.0)
    options = {"folds": 2, "anneal": (2.0, 1.0), "holdout": 0.5, "seed": 4, "log": log}
    return hc.optimize(two_dimensional(size=1000), selection, **options), log


def test_the_significance_is_quoted_on_events_that_did_not_choose_the_cuts(held_out_result):
    result, _ = held_out_result
    assert result.significance == result.held_out.significance
    assert "held-out" in repr(result)
    _, second = hold_out(two_dimensional(size=1000), 0.5, seed=4)
    again = evaluate(second, result.selection)
    assert again.significance == pytest.approx(result.significance, rel=1e-9)


def test_pyhf_confirms_the_hard_cuts(held_out_result):
    result, _ = held_out_result
    for part in (result.training, result.held_out):
        assert part.pyhf.significance == pytest.approx(part.significance, abs=1e-3)


def test_soft_value_hard_value_and_their_difference_are_reported(held_out_result):
    result, _ = held_out_result
    assert result.soft_value == result.history.values[-1]
    assert f"difference {result.soft_value - result.hard_value:.2g}" in repr(result)
    assert "<table>" in result._repr_html_()


def test_the_workspace_is_that_of_the_hard_cuts(held_out_result):
    result, _ = held_out_result
    likelihood = hc.HistFactory.from_workspace(result.workspace)
    assert hc.discovery_significance(likelihood) == pytest.approx(result.significance, rel=1e-12)


def test_the_log_has_one_line_for_each_step(held_out_result):
    result, log = held_out_result
    lines = log.read_text().splitlines()
    assert len(lines) == len(result.history) == result.num_steps
    assert lines[0].split()[0] == "0"
    assert f"x={result.history.thresholds[-1, 0]:.6g}" in lines[-1]
    assert "mass:low=" in lines[-1]


def test_history_as_a_data_frame(held_out_result):
    result, _ = held_out_result
    frame = result.history.to_dataframe()
    assert list(frame.columns) == ["stage", "value", "x", "mass:low", "mass:high"]
    assert frame["value"].iloc[-1] == result.soft_value


def test_the_final_width_is_nearly_the_best_of_the_cross_validation(held_out_result):
    result, _ = held_out_result
    assert len(result.validation) >= len(result.anneal)
    # The usual width stays unless another one is better with evidence; here the best one gains 2.5 %, without any.
    assert result.validation[len(result.anneal) - 1] > 0.95 * np.nanmax(result.validation)


@pytest.mark.slow
def test_the_final_width_is_nearly_the_best_of_all_stages():
    selection = hc.Cut("x", ">", 0.0) & hc.Window("mass", 90.0, 180.0)
    result = hc.optimize(two_dimensional(size=1000), selection, folds=3, holdout=0.5, seed=4)
    assert len(result.validation) >= len(result.anneal)
    assert result.validation[len(result.anneal) - 1] > 0.95 * np.nanmax(result.validation)


def test_the_same_seed_gives_the_same_result():
    selection = hc.Cut("x", ">", 0.0) & hc.Window("mass", 90.0, 180.0)
    first, second = (
        hc.optimize(two_dimensional(size=500), selection, objective="asimov", folds=2, anneal=(3.0, 1.0), seed=9)
        for _ in range(2)
    )
    assert first.thresholds == second.thresholds
    assert first.significance == second.significance


def test_without_held_out_events_it_says_so():
    result = hc.optimize(
        two_dimensional(size=500), hc.Cut("x", ">", 0.0), objective="asimov", holdout=None, **ONE_STAGE
    )
    assert result.held_out is None
    assert "none were held out" in repr(result)


@pytest.mark.slow
def test_comparison_with_single_cuts_and_no_cut():
    samples, selection = two_dimensional(size=1000), hc.Cut("x", ">", 0.0) & hc.Window("mass", 90.0, 180.0)
    options = {"holdout": 0.5, "seed": 1} | ONE_STAGE
    together = hc.optimize(samples, selection, **options)
    alone = compare_with_single_cuts(samples, selection, **options)
    assert len(alone) == 3
    assert together.significance > max(alone.values())
    assert alone["no cut"] == min(alone.values())


# --- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_shape_is_worth_more_than_a_count():
    import hist

    samples = two_dimensional(size=1000)
    axis = hist.axis.Regular(6, 60.0, 240.0, name="mass")
    with pytest.warns(hc_outside_axis()):
        shape = hc.optimize(samples, hc.Cut("x", ">", 0.0), axis=axis, **ONE_STAGE)
    count = hc.optimize(samples, hc.Cut("x", ">", 0.0), **ONE_STAGE)
    assert shape.significance > count.significance
    assert shape.quoted.pyhf.significance == pytest.approx(shape.significance, abs=1e-3)


def hc_outside_axis():
    from hepcuts._core.errors import OutsideAxisWarning

    return OutsideAxisWarning


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "nonsense"}, "profile"),
        ({"solver": "newton"}, "lbfgs"),
        ({"solver": "gradient_descent"}, "learning_rate"),
        ({"step": "tanh"}, "sigmoid"),
        ({"anneal": ()}, "at least one"),
        ({"holdout": 1.5}, "between 0 and 1"),
        ({"folds": 1}, "at least 2"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_unknown_names_and_values(options, message):
    with pytest.raises(InputError, match=message):
        hc.optimize(two_dimensional(size=50), hc.Cut("x", ">", 0.0), **options)


def test_a_start_without_background_is_explained():
    samples = two_dimensional(size=50)
    with pytest.raises(OptimizationError, match=r"no finite value.*looser cuts"):
        hc.optimize(samples, hc.Cut("x", ">", 1e4, bounds=(-1e5, 1e5), width=1e-3), objective="asimov", holdout=None)


def test_running_out_of_steps_is_an_error_or_a_message():
    from hepcuts.optimization.solvers import LBFGS

    options = {"objective": "asimov", "solver": LBFGS(max_steps=1), "anneal": (1.0,)}
    with pytest.raises(OptimizationError, match="not converged after 1 steps"):
        hc.optimize(two_dimensional(), hc.Cut("x", ">", 0.0), **options)
    result = hc.optimize(two_dimensional(), hc.Cut("x", ">", 0.0), throw=False, **options)
    assert not result.success
    assert "not converged after 1 steps" in result.message


def test_a_constant_variable_is_refused():
    samples = [hc.Sample("s", {"x": np.ones(5)}, signal=True), hc.Sample("b", {"x": np.ones(5)})]
    with pytest.raises(InputError, match="nothing to cut on"):
        hc.optimize(samples, hc.Cut("x", ">", 0.5), holdout=None)


def test_every_objective_has_a_label_for_figures():
    for name in ("profile", "asimov", "bce", "squared_error", "s_over_sqrt_b"):
        assert figure_of_merit(name).label
