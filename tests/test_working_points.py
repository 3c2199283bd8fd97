"""Working points against closed forms, exact scans and random search."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.optimize
import scipy.special

import hepcuts as hc
from hepcuts import plotting
from hepcuts._core.errors import InputError, OptimizationError, SampleError
from hepcuts.evaluation.resampling import hold_out
from hepcuts.optimization.working_points.curve import second_differences, shares
from hepcuts.optimization.working_points.program import learn, quadratic_step
from hepcuts.samples.datasets import ManyFeatures, many_features

OFF = -999.0
NINE = np.arange(1, 10) / 10


def above(number: int) -> hc.Selection:
    return hc.Selection([hc.Cut(f"x{k}", ">") for k in range(number)])


def gaussians(size: int = 2000, *, seed: int = 0, separation: float = 1.0, **options: Any) -> list[hc.Sample]:
    rng = np.random.default_rng(seed)
    return [
        hc.Sample("s", {"x": rng.normal(separation, 1, size), "y": rng.normal(0.5, 1, size)}, signal=True, **options),
        hc.Sample("b", {"x": rng.normal(0, 1, size), "y": rng.normal(0, 1, size)}, **options),
    ]


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


def yields(truth: ManyFeatures, low: np.ndarray) -> tuple[float, float]:
    """Signal and background efficiency behind lower thresholds: `ManyFeatures.yields` as a short closed form."""
    center = truth.means + truth.sigma * math.sqrt(truth.correlation) * NODES[:, None]
    passed = scipy.special.ndtr((center - low) / (truth.sigma * math.sqrt(1.0 - truth.correlation)))
    background = np.where(truth.exponential, np.exp(-np.maximum(low, 0.0)), scipy.special.ndtr(-low))
    return float(WEIGHTS @ np.prod(passed, axis=1) / WEIGHTS.sum()), float(np.prod(background))


def least_background(truth: ManyFeatures, efficiency: float) -> float:
    """The least background efficiency at a signal efficiency, the best of all sets of cuts that are used."""
    features, best = truth.num_features, math.inf
    for used in range(1, 2**features):
        mask = np.array([bool(used >> k & 1) for k in range(features)])
        low = np.full(features, -50.0)

        def at(t: Any, mask: Any = mask, low: Any = low) -> tuple[float, float]:
            low[mask] = t
            return yields(truth, low)

        found = scipy.optimize.minimize(
            lambda t, at=at: math.log(at(t)[1]),
            np.full(mask.sum(), 0.3),
            method="SLSQP",
            bounds=[(-4.0, 5.0)] * int(mask.sum()),
            constraints={"type": "eq", "fun": lambda t, at=at: math.log(at(t)[0] / efficiency)},
            options={"ftol": 1e-9},
        )
        signal, background = at(found.x)
        if abs(signal / efficiency - 1.0) < 1e-6:
            best = min(best, background)
    return best


def true_ratios(points: Any, truth: ManyFeatures) -> np.ndarray:
    """The least background at the true signal efficiency of the cuts over theirs: 1 is the optimum."""
    rows = [yields(truth, row) for row in points.thresholds]
    return np.array([least_background(truth, signal) / background for signal, background in rows])


def test_the_closed_form_is_that_of_the_data_set():
    truth, low = ManyFeatures(3), np.array([0.4, -0.2, -0.5])
    expected = np.array(truth.yields(low)) / [truth.signal, truth.background]
    np.testing.assert_allclose(yields(truth, low), expected, rtol=1e-9)


class TestAgainstTruth:
    @pytest.mark.parametrize(("features", "least"), [(2, 0.98), pytest.param(3, 0.97, marks=pytest.mark.slow)])
    @pytest.mark.slow("2-0.98")
    def test_rejection_is_that_of_the_best_cuts(self, features, least):
        """Of three features the third is of no use above an efficiency of about one half: the best cuts jump."""
        samples = many_features(features, seed=3, num_signal=20_000, num_background=40_000)
        points = hc.working_points(samples, above(features), holdout=None)
        assert points.success
        ratios = true_ratios(points, ManyFeatures(features))
        assert np.all(ratios <= 1.0 + 1e-6)  # nothing is better than the optimum: the oracle is one
        assert ratios.min() > least
        if features == 3:
            assert points.idle[-1, 2]
            assert not points.idle[0, 2]

    def test_one_cut_has_nothing_to_choose(self):
        samples = gaussians()
        points = hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.25, 0.5, 0.75], holdout=None)
        signal, background = (np.sort(s.columns["x"]) for s in samples)
        for row, efficiency in zip(points.thresholds[:, 0], points.efficiencies, strict=True):
            count = round(2000 * efficiency)
            assert signal[-count - 1] <= row < signal[-count]
        expected = [(background > t).mean() for t in points.thresholds[:, 0]]
        np.testing.assert_allclose(points.training.background, expected, rtol=1e-12)

    def test_close_to_an_exact_scan_of_the_training_events(self):
        """All pairs of thresholds of that signal efficiency, of which the best is the best for fluctuations, too."""
        samples = many_features(2, seed=5, num_signal=5000, num_background=10_000)
        points = hc.working_points(samples, above(2), holdout=None, efficiencies=[0.2, 0.5, 0.8])
        signal, background = (np.stack([s.columns["x0"], s.columns["x1"]]) for s in samples)
        for efficiency, found in zip(points.efficiencies, points.training.background, strict=True):
            number, best = round(5000 * efficiency), 1.0
            for first in np.quantile(signal[0], np.linspace(0.0, 1.0 - efficiency, 400)):
                rest = np.sort(signal[1][signal[0] > first])
                if len(rest) >= number:
                    second = np.nextafter(rest[-number], -np.inf)
                    best = min(best, np.mean((background[0] > first) & (background[1] > second)))
            assert best <= found < 1.05 * best

    @pytest.mark.slow
    def test_better_than_random_search_on_truth(self):
        """As the Monte Carlo sampling of TMVA's cuts: random cuts, the best of each bin of efficiency."""
        samples = many_features(4, seed=2, num_signal=5000, num_background=10_000)
        points = hc.working_points(samples, above(4), holdout=None, efficiencies=[0.3, 0.6])
        truth, rng = ManyFeatures(4), np.random.default_rng(0)
        signal, background = (np.stack([s.columns[n] for n in truth.names]) for s in samples)
        tried = np.array([np.quantile(signal[k], rng.uniform(0, 0.6, 5000)) for k in range(4)]).T
        passed = [np.array([np.mean(np.all(x > t[:, None], axis=0)) for t in tried]) for x in (signal, background)]
        for efficiency, row in zip(points.efficiencies, points.thresholds, strict=True):
            enough = np.flatnonzero(np.abs(passed[0] - efficiency) < 0.01)
            assert len(enough) > 20
            chosen = tried[enough[np.argmin(passed[1][enough])]]
            s, b = truth.yields(chosen)
            mine = truth.yields(row)
            # Signal efficiencies differ by up to a percent of all signal; the rate of exchange is below 4.
            assert mine[1] < b * (mine[0] / s) ** 2


class TestEfficiencies:
    @pytest.mark.slow
    def test_hard_efficiency_of_training_is_exact_to_one_event(self):
        rng = np.random.default_rng(1)
        weights = rng.uniform(0.5, 1.5, 2000)
        signal, background = gaussians()
        samples = [
            hc.Sample("one", signal.columns, weights=weights, signal=True),
            hc.Sample("two", {k: v + 0.3 for k, v in signal.columns.items()}, weights=0.2 * weights, signal=True),
            background,
        ]
        points = hc.working_points(samples, hc.Cut("x", ">") & hc.Cut("y", ">"), holdout=None)
        total = 1.2 * weights.sum()
        assert np.all(np.abs(points.training.signal - NINE) <= 0.5 * 1.5 / total)
        for selection, efficiency in zip(points.selections, points.training.signal, strict=True):
            kept = sum(s.weights[selection.mask(s.columns)].sum() for s in samples[:2])
            assert efficiency == pytest.approx(kept / total, rel=1e-12)

    def test_held_out_events_did_not_choose(self):
        samples = many_features(2, seed=1, num_signal=4000, num_background=4000)
        points = hc.working_points(samples, above(2), efficiencies=[0.2, 0.5], seed=4)
        parts = list(zip(*hold_out(samples, 0.5, seed=4), strict=True))
        for number, selection in enumerate(points.selections):
            for half, found in ((0, points.training), (1, points.held_out)):
                signal, background = (np.mean(selection.mask(part[half].columns)) for part in parts)
                assert found.signal[number] == pytest.approx(signal, rel=1e-12)
                assert found.background[number] == pytest.approx(background, rel=1e-12)
        assert points.quoted is points.held_out

    def test_uncertainties_are_binomial_for_equal_weights_and_that_of_replicas_else(self):
        rng = np.random.default_rng(0)
        equal = hc.working_points(gaussians(), hc.Cut("x", ">"), holdout=None)
        e = equal.training.background
        np.testing.assert_allclose(equal.training.background_uncertainty, np.sqrt(e * (1 - e) / 2000), rtol=1e-12)
        signal, background = gaussians(500)
        weights = rng.exponential(1.0, 500)
        weighted = [signal, hc.Sample("b", background.columns, weights=weights)]
        points = hc.working_points(weighted, hc.Cut("x", ">"), efficiencies=[0.5], holdout=None)
        passed = points.selections[0].mask(background.columns)
        counts = rng.poisson(1.0, (20_000, 500)) * weights
        replicas = counts[:, passed].sum(axis=1) / counts.sum(axis=1)
        # 20 000 replicas know a standard deviation to 0.5 %; second order is of 1/500.
        assert points.training.background_uncertainty[0] == pytest.approx(replicas.std(), rel=0.02)
        np.testing.assert_allclose(
            points.training.effective_background, weights[passed].sum() ** 2 / (weights[passed] ** 2).sum()
        )

    def test_nothing_that_passes_has_no_uncertainty(self):
        samples = [
            hc.Sample("s", {"x": np.linspace(1.0, 3.0, 200)}, signal=True),
            hc.Sample("b", {"x": np.linspace(0.0, 2.0, 200)}),
        ]
        points = hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.2, 0.9], holdout=None, width=0.4)
        assert points.training.background[0] == 0.0
        assert math.isinf(points.training.rejection[0])
        assert math.isnan(points.training.background_uncertainty[0])

    @pytest.mark.slow
    def test_rejection_is_monotone_even_of_few_events(self):
        samples = many_features(4, seed=0, num_signal=300, num_background=400)
        points = hc.working_points(samples, above(4), holdout=None, efficiencies=np.linspace(0.2, 0.95, 7))
        assert np.all(np.diff(points.training.background) >= 0.0)


class TestSmoothness:
    @pytest.mark.slow
    def test_more_smoothness_bends_less_and_costs_training_background(self):
        samples = many_features(2, seed=7, num_signal=2000, num_background=2000)
        axis = scipy.special.ndtri(NINE)
        rows, _ = second_differences(axis)
        bent, background = [], []
        for smoothness in (0.0, 0.01, 1.0):
            points = hc.working_points(samples, above(2), holdout=None, smoothness=smoothness)
            # Their difference: all thresholds together follow the hard efficiency of these very events.
            bent.append(np.sum((rows @ np.diff(points.positions, axis=1)) ** 2))
            background.append(float(shares(axis) @ np.log(points.training.background)))
        assert bent[0] > bent[1] > bent[2]
        assert background[2] > background[0]

    @pytest.mark.slow
    def test_more_points_between_do_not_change_the_others(self):
        samples = many_features(2, seed=7, num_signal=20_000, num_background=20_000)
        few, many = (
            hc.working_points(samples, above(2), holdout=None, efficiencies=np.linspace(0.1, 0.9, n)) for n in (9, 17)
        )
        np.testing.assert_allclose(few.positions, many.positions[::2], atol=0.06)

    @pytest.mark.slow
    def test_a_monotone_map_changes_nothing(self):
        samples = gaussians()
        mapped = [
            hc.Sample(s.name, {"x": np.exp(s.columns["x"]), "y": s.columns["y"]}, signal=s.signal) for s in samples
        ]
        cuts = hc.Cut("x", ">") & hc.Cut("y", ">")
        first, second = (hc.working_points(given, cuts) for given in (samples, mapped))
        np.testing.assert_allclose(first.positions, second.positions, atol=1e-4)
        np.testing.assert_allclose(first.held_out.background, second.held_out.background, atol=2e-3)

    def test_same_seed_same_result(self):
        samples = gaussians(500)
        first, second, other = (hc.working_points(samples, hc.Cut("x", ">"), seed=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first.thresholds, second.thresholds)
        assert not np.array_equal(first.thresholds, other.thresholds)


class TestCuts:
    def test_missing_values_count_as_the_cuts_say(self):
        signal, background = gaussians(1000)
        x = signal.columns["x"].copy()
        x[:300] = OFF
        samples = [hc.Sample("s", {"x": x}, signal=True, missing=OFF), background]
        with pytest.raises(InputError, match=r"efficiency of 0\.8, 0\.9: .* from 0 to 0\.7, relative to all signal"):
            hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.5, 0.8, 0.9], holdout=None)
        points = hc.working_points(samples, hc.Cut("x", ">"), efficiencies=[0.5], holdout=None)
        assert np.mean((x > points.thresholds[0, 0]) & (x != OFF)) == pytest.approx(0.5)
        with pytest.raises(InputError, match=r"efficiency of 0\.2: .* from 0\.3 to 1"):
            hc.working_points(samples, hc.Cut("x", ">", missing="pass"), efficiencies=[0.2, 0.5], holdout=None)
        points = hc.working_points(samples, hc.Cut("x", ">", missing="pass"), efficiencies=[0.5], holdout=None)
        assert np.mean((x > points.thresholds[0, 0]) | (x == OFF)) == pytest.approx(0.5)

    def test_bounds_are_kept_and_limit_what_is_reached(self):
        samples = gaussians()
        cut = hc.Cut("x", ">", bounds=(0.0, 1.5))
        share = [np.mean(samples[0].columns["x"] > t) for t in (1.5, 0.0)]
        points = hc.working_points(samples, cut & hc.Cut("y", ">"), efficiencies=[0.2, 0.5, 0.8], holdout=None)
        assert np.all((points.thresholds[:, 0] >= 0.0) & (points.thresholds[:, 0] <= 1.5))
        np.testing.assert_allclose(points.training.signal, [0.2, 0.5, 0.8], atol=1e-3)
        with pytest.raises(InputError, match=f"from {share[0]:.4g} to {share[1]:.4g}".replace(".", r"\.")):
            hc.working_points(samples, cut, efficiencies=[0.5, 0.9], holdout=None)

    @pytest.mark.parametrize(
        "selection",
        [
            hc.Window("x") & hc.Cut("y", ">"),
            ~hc.Cut("x", "<") & hc.Cut("y", "auto"),
            hc.Cut("x", ">", width=0.3) & hc.Cut("y", ">"),
            hc.Selection([hc.SlidingCut("x", ">", along="y", knots=(-1.0, 1.0))]),
        ],
        ids=["window", "inverted", "width", "sliding"],
    )
    @pytest.mark.slow("inverted", "width")
    def test_all_kinds_of_cuts(self, selection):
        samples = gaussians(3000)
        points = hc.working_points(samples, selection, efficiencies=[0.3, 0.6, 0.9], holdout=None)
        np.testing.assert_allclose(points.training.signal, [0.3, 0.6, 0.9], atol=2e-3)
        # No worse than what one cut on x alone does, up to fluctuations: Phi(Phi^-1(e) - 1).
        alone = scipy.special.ndtr(scipy.special.ndtri([0.3, 0.6, 0.9]) - 1.0)
        assert np.all(points.training.background < 1.1 * alone)


@pytest.fixture(scope="module")
def points():
    samples = many_features(3, seed=0, num_signal=3000, num_background=3000)
    return hc.working_points(samples, above(3))


class TestResult:
    def test_between_points(self, points):
        assert points.at(0.5) == points.selections[4]
        signal, background = points.cuts.samples
        for efficiency in (0.17, 0.45, 0.83):
            selection = points.at(efficiency)
            assert np.mean(selection.mask(signal.columns)) == pytest.approx(efficiency, abs=0.5 / 1500 + 1e-12)
            low, high = (points.training.background[np.searchsorted(NINE, efficiency) - k] for k in (1, 0))
            assert low < np.mean(selection.mask(background.columns)) < high
        with pytest.raises(InputError, match=r"efficiency is 0\.95; the working points go from 0\.1 to 0\.9"):
            points.at(0.95)

    def test_table(self, points):
        table = points.to_dataframe()
        np.testing.assert_array_equal(table["efficiency"], NINE)
        np.testing.assert_array_equal(table[["x0", "x1", "x2"]], points.thresholds)
        np.testing.assert_allclose(table["held_out_rejection"] * table["held_out_background"], 1.0)
        relative = table["held_out_background_uncertainty"] / table["held_out_background"]
        np.testing.assert_allclose(table["held_out_rejection_uncertainty"] / table["held_out_rejection"], relative)
        assert len(points) == 9

    def test_shown(self, points):
        lines = repr(points).splitlines()
        assert lines[0] == "9 working points, measured on held-out events"
        assert len(lines) == 12
        assert str(points.selections[0]) in lines[2]
        assert points._repr_html_().count("<tr>") == 10
        assert "x0 &gt; " in points._repr_html_()

    def test_roc(self, points):
        drawn = points.plot()
        for name, found in (("training", points.training), ("held_out", points.held_out)):
            np.testing.assert_array_equal(drawn.curves[name].get_data(), [found.signal, found.rejection])
            band = drawn.bands[name].get_paths()[0].vertices[:, 1]
            assert band.max() == pytest.approx((found.rejection + found.rejection_uncertainty).max())
        e = np.linspace(0.1, 0.9, 5)
        figure, ax = plt.subplots()
        drawn = plotting.roc(points, quantity="efficiency", others={"BDT": (e, e**3)}, ax=ax)
        assert drawn.figure is figure
        np.testing.assert_allclose(drawn.others["BDT"].get_data(), [e, e**3])
        np.testing.assert_array_equal(drawn.curves["training"].get_ydata(), points.training.background)
        assert [t.get_text() for t in drawn.legend.get_texts()][-1] == "BDT"
        plt.close("all")

    def test_threshold_curves(self, points):
        drawn = points.plot_thresholds()
        expected = np.where(points.idle, np.nan, points.positions)
        for number, name in enumerate(points.names):
            np.testing.assert_array_equal(drawn.curves[name].get_data(), [NINE, expected[:, number]])
        assert np.isnan(expected[:, 2]).any()
        plt.close("all")

    def test_figures_refuse(self, points):
        with pytest.raises(InputError, match="expected 'rejection' or 'efficiency'"):
            plotting.roc(points, quantity="purity")
        with pytest.raises(InputError, match=r"'BDT' has signal efficiencies of shape \(2,\)"):
            plotting.roc(points, others={"BDT": ([0.1, 0.2], [0.1])})
        with pytest.raises(InputError, match="'BDT' came as float"):
            plotting.roc(points, others={"BDT": 0.5})
        for function in (plotting.roc, plotting.threshold_curves):
            with pytest.raises(InputError, match=r"result of hepcuts\.working_points"):
                function(1.0)
        assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"efficiencies": [0.5, 1.0]}, "all between 0 and 1"),
        ({"efficiencies": [0.0]}, "all between 0 and 1"),
        ({"efficiencies": []}, "at least one"),
        ({"efficiencies": ["tight"]}, "expected numbers"),
        ({"efficiencies": [math.nan]}, "all between 0 and 1"),
        ({"holdout": 1.0}, "holdout is 1.0"),
        ({"width": 0.0}, "width is 0.0"),
        ({"smoothness": -1.0}, "smoothness is -1.0"),
        ({"selection": None}, "came as None"),
        ({"selection": "x > 1"}, "came as str"),
    ],
)
def test_what_is_refused(options, match):
    arguments = {"samples": gaussians(100), "selection": hc.Cut("x", ">")} | options
    with pytest.raises(InputError, match=match):
        hc.working_points(arguments.pop("samples"), arguments.pop("selection"), **arguments)


def test_unknown_columns_and_backgrounds_without_yield_are_refused():
    signal, background = gaussians(200)
    with pytest.raises(SampleError, match="no column 'z'"):
        hc.working_points([signal, background], hc.Cut("z", ">"))
    x = background.columns["x"]
    negative = hc.Sample("b", {"x": x}, weights=np.where(x > 0.5, -1.0, 1.0))
    with pytest.raises(OptimizationError, match="not positive"):
        hc.working_points([signal, negative], hc.Cut("x", ">"), efficiencies=[0.1, 0.3], holdout=None)


def test_efficiencies_are_sorted_and_each_is_there_once():
    points = hc.working_points(gaussians(500), hc.Cut("x", ">"), efficiencies=[0.8, 0.2, 0.8])
    assert points.efficiencies.tolist() == [0.2, 0.8]


@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")  # of scipy's own, before 1.15
class TestProgram:
    @pytest.mark.parametrize("seed", range(5))
    def test_a_step_is_that_of_scipy(self, seed):
        """Minimum of a random convex model on linear constraints, inside of a box that is far away."""
        rng = np.random.default_rng(seed)
        roots, rows = rng.normal(size=(4, 3, 3)), rng.normal(size=(2, 4))
        hessians, coupling = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(3), rows.T @ rows
        gradient, values, slopes = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=(4, 3))

        def model(p: Any) -> float:
            p = p.reshape(4, 3)
            own = np.einsum("pi,pij,pj->", p, hessians, p) + np.einsum("pi,pq,qi->", p, coupling, p)
            return float(0.5 * own + np.sum(gradient * p))

        box = np.full((4, 3), -50.0), np.full((4, 3), 50.0)
        step, multipliers = quadratic_step((hessians, coupling), gradient, (values, slopes), box, np.zeros(4))
        np.testing.assert_allclose(values + np.sum(slopes * step, axis=1), 0.0, atol=1e-9)
        constraint = {"type": "eq", "fun": lambda p: values + np.sum(slopes * p.reshape(4, 3), axis=1)}
        found = scipy.optimize.minimize(model, np.zeros(12), method="SLSQP", constraints=constraint, tol=1e-14)
        np.testing.assert_allclose(step.ravel(), found.x, atol=1e-4)
        assert model(step.ravel()) <= found.fun + 1e-9
        stationary = gradient + np.einsum("pij,pj->pi", hessians, step) + coupling @ step
        np.testing.assert_allclose(stationary + multipliers[:, None] * slopes, 0.0, atol=1e-9)

    @pytest.mark.parametrize("seed", range(8))
    def test_on_walls_it_is_that_of_scipy(self, seed):
        rng = np.random.default_rng(seed)
        roots, gradient, slopes = rng.normal(size=(2, 4, 4)), 3.0 * rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
        hessians, coupling = roots @ roots.transpose(0, 2, 1) + np.eye(4), np.array([[1.0, -1.0], [-1.0, 1.0]])
        # Constraints that some point of the box fulfills.
        values = -np.sum(slopes * rng.uniform(-0.2, 0.2, size=(2, 4)), axis=1)
        box = np.full((2, 4), -0.3), np.full((2, 4), 0.3)
        step, _ = quadratic_step((hessians, coupling), gradient, (values, slopes), box, np.zeros(2))

        def model(p: Any) -> float:
            p = p.reshape(2, 4)
            own = np.einsum("pi,pij,pj->", p, hessians, p) + np.einsum("pi,pq,qi->", p, coupling, p)
            return float(0.5 * own + np.sum(gradient * p))

        constraint = {"type": "eq", "fun": lambda p: values + np.sum(slopes * p.reshape(2, 4), axis=1)}
        bounds = [(-0.3, 0.3)] * 8
        found = scipy.optimize.minimize(
            model, np.zeros(8), method="SLSQP", constraints=constraint, bounds=bounds, tol=1e-14
        )
        assert np.sum(np.abs(step) > 0.3 - 1e-9) > 0
        np.testing.assert_allclose(step.ravel(), found.x, atol=1e-4)

    def test_steps_stay_in_the_box_where_constraints_cannot_be_met(self):
        box = np.full((2, 2), -0.1), np.full((2, 2), 0.1)
        linear = np.array([1.0, 0.0]), np.ones((2, 2))
        model = np.tile(np.eye(2), (2, 1, 1)), np.zeros((2, 2))
        step, multipliers = quadratic_step(model, np.zeros((2, 2)), linear, box, np.ones(2))
        np.testing.assert_allclose(step, [[-0.1, -0.1], [0.0, 0.0]], atol=1e-12)
        assert np.all(np.isfinite(multipliers))

    def test_learning_makes_the_secant_equation_hold_and_stays_positive(self):
        rng = np.random.default_rng(0)
        root = rng.normal(size=(3, 3))
        true = root @ root.T + np.eye(3)
        hessians, step = np.eye(3)[None].copy(), rng.normal(size=(1, 3))
        learn(hessians, step, step @ true)
        np.testing.assert_allclose(hessians[0] @ step[0], true @ step[0], rtol=1e-10)
        learn(hessians, step, -step @ true)  # negative curvature
        assert np.linalg.eigvalsh(hessians[0]).min() > 0.0

    def test_curvature_is_that_of_parabolas(self):
        """Of a + b x + c x^2 the squared second derivative is 4 c^2 everywhere, also between uneven points."""
        axis = np.array([-1.0, -0.4, 0.1, 0.8, 2.0])
        rows, distances = second_differences(axis)
        curve = 1.0 - 2.0 * axis + 0.7 * axis**2
        around = 0.5 * (axis[2:] - axis[:-2])
        assert np.sum((rows @ curve) ** 2) == pytest.approx(4 * 0.7**2 * around.sum())
        straight = [np.interp(axis[k], axis[[k - 1, k + 1]], curve[[k - 1, k + 1]]) for k in (1, 2, 3)]
        np.testing.assert_allclose(distances @ curve, curve[1:-1] - straight)
        assert shares(axis).sum() == pytest.approx(3.0)
