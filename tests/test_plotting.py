"""Figures: the artists hold the numbers of the results, and matplotlib is left as it was."""

import dataclasses
import subprocess
import sys
import types

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import hepcuts as hc
from hepcuts import plotting
from hepcuts._core.errors import EmptySelectionError, InputError, SampleError
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.history import History
from hepcuts.optimization.landscape import Landscape, landscape
from hepcuts.plotting._style import look
from hepcuts.plotting.curves import normalized

EDGES = np.linspace(0.0, 10.0, 6)
MISSING = -999.0


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def _samples():
    """Events whose numbers are easily written down; one value of the signal is missing."""
    x = np.repeat([1.0, 3.0, 5.0, 7.0, 9.0], [5, 4, 3, 2, 1])
    return (
        hc.Sample(
            "signal",
            {"x": [MISSING, 5.0, 7.0, 7.0, 9.0, 9.0], "y": np.arange(6.0)},
            weights=np.full(6, 0.5),
            signal=True,
            missing=MISSING,
        ),
        hc.Sample("top", {"x": x, "y": np.arange(15.0)}, weights=np.full(15, 2.0)),
        hc.Sample("W + jets", {"x": x[::2], "y": np.arange(8.0)}),
    )


@pytest.fixture(scope="module")
def samples():
    return _samples()


@pytest.fixture(scope="module")
def result(samples):
    points = np.arange(0.0, 10.0, 2.0)
    return hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "asimov"), thresholds=points, min_background=0)


@pytest.fixture(scope="module")
def found():
    """The result of a real search; tests of several thresholds give it a history of their own."""
    data = hc.datasets.scenario("exp10-gauss30x1", seed=1)
    return hc.optimize(data, hc.Cut("x", ">", 15.0), objective="s_over_sqrt_s_plus_b", anneal=(1.0,), holdout=None)


@pytest.fixture
def found_three(found):
    return _with_history(found)


def _with_history(found):
    thresholds = np.array([[1.0, 90.0, 160.0], [2.0, 120.0, 150.0], [4.0, 110.0, 160.0], [5.0, 100.0, 160.0]])
    history = History(
        ("x", "mass:low", "mass:high"),
        thresholds,
        np.array([1.0, 2.0, 2.5, 2.75]),
        np.array([0, 0, 1, 1]),
    )
    training = dataclasses.replace(found.training, value=2.6)
    cuts = hc.Cut("x", ">", 4.9) & hc.Window("mass", 101.0, 159.0)
    names = {"objective": "my_function", "label": "my_function"}
    return dataclasses.replace(found, history=history, selection=cuts, training=training, **names)


def _slid(samples, cut, **options):
    """A scan to move a cut through."""
    defaults = {"metrics": ("bce", "asimov"), "thresholds": range(0, 10, 2), "replicas": 0, "folds": 0}
    return hc.scan(samples, cut, **(defaults | options))


def _landscape():
    thresholds = np.linspace(0.0, 4.0, 9)
    values = (thresholds - 3.0) ** 2
    gradients = 2.0 * (thresholds - 3.0)
    return Landscape(hc.Cut("x", ">"), figure_of_merit("squared_error"), 0.5, thresholds, values, gradients)


@pytest.fixture(scope="module")
def valley():
    return _landscape()


@pytest.fixture
def calls(samples, result, found, valley):
    """Every public function, and how many axes it draws into."""
    cut = hc.Cut("x", ">", 4.0)
    return {
        "distributions": (lambda ax: plotting.distributions(samples, "x", cut=cut, ax=ax), 1),
        "scan": (lambda ax: plotting.scan(result, ax=ax), 1),
        "loss_and_gradient": (lambda ax: plotting.loss_and_gradient(valley, axes=ax), 2),
        "history": (lambda ax: plotting.history(found, ax=ax), 1),
        "before_after": (lambda ax: plotting.before_after(samples, cut, "x", axes=ax), 2),
        "slider": (lambda ax: plotting.slider(_slid(samples, cut), ax=ax), 3),
    }


NAMES = ("distributions", "scan", "loss_and_gradient", "history", "before_after", "slider")


def _labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


class TestManners:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_new_figure_is_made_and_nothing_else_changes(self, calls, name, monkeypatch):
        monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a figure was shown"))
        before = mpl.rcParams.copy()
        draw, _ = calls[name]
        drawn = draw(None)
        assert plt.get_fignums() == [drawn.figure.number]
        drawn.figure.draw_without_rendering()
        assert mpl.rcParams == before

    @pytest.mark.parametrize("name", NAMES)
    def test_draws_into_the_axes_it_is_given(self, calls, name):
        draw, number = calls[name]
        figure, axes = plt.subplots(number, squeeze=False)
        drawn = draw(list(axes.flat) if number > 1 else axes[0, 0])
        assert plt.get_fignums() == [figure.number]
        assert drawn.figure is figure
        mine = drawn.axes if hasattr(drawn, "axes") else (drawn.ax,)
        assert list(mine) == list(axes.flat)

    @pytest.mark.parametrize("name", NAMES)
    def test_wrong_axes_are_refused_and_settings_restored(self, calls, name):
        before = mpl.rcParams.copy()
        draw, number = calls[name]
        figure, axes = plt.subplots(number + 1)
        with pytest.raises(InputError, match=rf"{number + 1} axes.*draws into {number} "):
            draw(axes)
        assert mpl.rcParams == before
        assert plt.get_fignums() == [figure.number]

    def test_something_else_than_axes_is_refused(self, result):
        with pytest.raises(InputError, match=r"\(str\)"):
            plotting.scan(result, ax="here")

    def test_import_changes_no_settings(self):
        program = (
            "import matplotlib as mpl; before = mpl.rcParams.copy(); import mplhep, hepcuts.plotting; "
            "changed = [k for k in before if before[k] != mpl.rcParams[k]]; assert not changed, changed"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_results_plot_themselves(self, result, found, valley):
        assert isinstance(result.plot(), plotting.ScanCurves)
        assert isinstance(found.plot(), plotting.HistoryCurves)
        assert isinstance(valley.plot(), plotting.LossAndGradient)


class TestDistributions:
    def test_histograms_hold_the_weights_and_missing_values_are_not_drawn(self, samples):
        drawn = plotting.distributions(samples, "x", bins=EDGES)
        signal, top, jets = (h.values() for h in drawn.histograms)
        np.testing.assert_array_equal(signal, [0.0, 0.0, 0.5, 1.0, 1.0])
        np.testing.assert_array_equal(top, [10.0, 8.0, 6.0, 4.0, 2.0])
        np.testing.assert_array_equal(jets, [3.0, 2.0, 1.0, 1.0, 1.0])
        np.testing.assert_array_equal(drawn.histograms[1].variances(), 2.0 * top)

    def test_backgrounds_are_stacked_and_signals_are_not(self, samples):
        drawn = plotting.distributions(samples, "x", bins=EDGES)
        bottom, top = (fill.get_data().values for fill in drawn.backgrounds)
        np.testing.assert_array_equal(bottom, [10.0, 8.0, 6.0, 4.0, 2.0])
        np.testing.assert_array_equal(top, [13.0, 10.0, 7.0, 5.0, 3.0])
        np.testing.assert_array_equal(drawn.signals[0].get_data().values, [0.0, 0.0, 0.5, 1.0, 1.0])
        np.testing.assert_allclose(drawn.signals[0].get_data().edges, EDGES)

    def test_band_is_the_uncertainty_of_the_whole_background(self, samples):
        drawn = plotting.distributions(samples, "x", bins=EDGES)
        total, sigma = np.array([13.0, 10.0, 7.0, 5.0, 3.0]), np.sqrt([23.0, 18.0, 13.0, 9.0, 5.0])
        data = drawn.band.get_data()
        np.testing.assert_allclose(data.values, total + sigma)
        np.testing.assert_allclose(data.baseline, total - sigma)

    def test_labels(self, samples):
        drawn = plotting.distributions(samples, "x", cut=hc.Cut("x", ">", 4.0))
        assert _labels(drawn.ax) == ["signal", "W + jets", "top", "stat. uncertainty", "x > 4"]
        assert (drawn.ax.get_xlabel(), drawn.ax.get_ylabel()) == ("x", "Events / bin")

    @pytest.mark.parametrize(
        ("variable", "bins", "label"),
        [
            ("mass [GeV]", np.linspace(0, 5, 11), "Events / 0.5 GeV"),
            ("score", np.linspace(0, 5, 11), "Events / 0.5"),
            ("mass [GeV]", [0.0, 1.0, 5.0], "Events / bin"),
            ("njet", [0.5, 1.5, 2.5, 3.5], "Events / bin"),
        ],
    )
    def test_heights_say_the_width_of_equal_bins(self, variable, bins, label):
        sample = hc.Sample("b", {variable: [0.7, 1.2, 2.9]})
        assert plotting.distributions([sample], variable, bins=bins).ax.get_ylabel() == label

    def test_all_events_are_in_the_default_bins(self, samples):
        drawn = plotting.distributions(samples, "x", bins=7)
        assert drawn.histograms[0].axes[0].size == 7
        assert [h.values().sum() for h in drawn.histograms] == [2.5, 30.0, 8.0]

    @pytest.mark.parametrize("kind", [lambda cut: cut, lambda cut: hc.Selection([cut])], ids=["cut", "selection"])
    def test_selection(self, samples, kind):
        drawn = plotting.distributions(samples, "x", selection=kind(hc.Cut("y", ">", 3.0)), bins=EDGES)
        assert drawn.histograms[0].values().sum() == 1.0

    @pytest.mark.parametrize(
        ("cut", "lines", "shades"),
        [
            (hc.Cut("x", ">", 4.0), [4.0], [(0.0, 4.0)]),
            (hc.Cut("x", "<", 4.0), [4.0], [(4.0, 6.0)]),
            (hc.Window("x", 3.0, 8.0), [3.0, 8.0], [(0.0, 3.0), (8.0, 2.0)]),
        ],
        ids=["above", "below", "window"],
    )
    def test_the_rejected_side_is_shaded(self, samples, cut, lines, shades):
        drawn = plotting.distributions(samples, "x", cut=cut, bins=EDGES)
        assert [list(line.get_xdata()) for line in drawn.cut.lines] == [[x, x] for x in lines]
        np.testing.assert_allclose([(s.get_x(), s.get_width()) for s in drawn.cut.shades], shades)

    def test_a_threshold_beyond_the_events_is_in_the_figure(self, samples):
        drawn = plotting.distributions(samples, "x", cut=hc.Cut("x", ">", 14.0), bins=EDGES)
        assert drawn.ax.get_xlim() == (0.0, 14.0)

    @pytest.mark.parametrize("log", [False, True])
    def test_nothing_is_drawn_beneath_the_legend(self, samples, log):
        drawn = plotting.distributions(samples, "x", bins=EDGES, log=log)
        assert drawn.ax.get_yscale() == ("log" if log else "linear")
        drawn.figure.draw_without_rendering()
        highest = (drawn.band.get_data().values).max()
        legend = drawn.ax.get_legend().get_window_extent()
        assert drawn.ax.transData.transform((0.0, highest))[1] < legend.y0

    def test_only_signals_or_only_backgrounds(self, samples):
        assert plotting.distributions(samples[:1], "x").band is None
        assert plotting.distributions(samples[1:], "x").signals == ()

    @pytest.mark.parametrize(
        ("error", "match", "options"),
        [
            (SampleError, "has no column 'z'", {"variable": "z"}),
            (InputError, "on 'x'", {"cut": hc.Cut("y", ">", 1.0)}),
            (InputError, "on 'x'", {"cut": 4.0}),
            (InputError, "no threshold to draw", {"cut": hc.Cut("x", ">")}),
            (InputError, r"expected a hepcuts\.Selection", {"selection": "x > 4"}),
            (EmptySelectionError, "passes x > 100", {"selection": hc.Cut("x", ">", 100.0)}),
            (InputError, "ascending edges", {"bins": [3.0, 2.0, 1.0]}),
            (InputError, "ascending edges", {"bins": [1.0]}),
            (InputError, "ascending edges", {"bins": 0}),
            (InputError, "ascending edges", {"bins": 2.5}),
            (InputError, "came as nothing", {"samples": []}),
            (InputError, "came as str", {"samples": ["signal"]}),
        ],
    )
    def test_errors_leave_no_figure(self, samples, error, match, options):
        with pytest.raises(error, match=match):
            plotting.distributions(**({"samples": samples, "variable": "x"} | options))
        assert plt.get_fignums() == []

    def test_whole_numbers_get_a_bin_each(self):
        jets = np.repeat([0.0, 1.0, 2.0, 4.0], [3, 2, 1, 1])
        samples = [hc.Sample("s", {"n": jets}, signal=True), hc.Sample("b", {"n": jets})]
        drawn = plotting.distributions(samples, "n", cut=hc.Cut("n", ">", 1.5))
        np.testing.assert_allclose(drawn.histograms[0].axes[0].edges, np.arange(-0.5, 5.0))
        np.testing.assert_array_equal(drawn.histograms[0].values(), [3, 2, 1, 0, 1])
        few = plotting.distributions(samples, "n", bins=3)
        assert len(few.histograms[0].values()) == 3

    def test_a_scaled_signal_is_seen_and_told(self, samples):
        drawn = plotting.distributions(samples, "x", bins=EDGES, signal_scale=7.0)
        np.testing.assert_array_equal(drawn.signals[0].get_data().values, [0.0, 0.0, 3.5, 7.0, 7.0])
        np.testing.assert_array_equal(drawn.histograms[0].values(), [0.0, 0.0, 0.5, 1.0, 1.0])
        assert _labels(drawn.ax)[0] == "signal \N{MULTIPLICATION SIGN} 7"
        auto = plotting.distributions(
            samples, "x", bins=EDGES, signal_scale="auto"
        )  # 13 events of background, 1 of signal
        assert auto.signals[0].get_data().values.max() == 10.0
        assert (
            plotting.distributions(samples, "x", log=True, signal_scale="auto").signals[0].get_data().values.max() < 2
        )
        for scale in (0.0, -1.0, np.nan, "automatic"):
            with pytest.raises(InputError, match="expected a positive number or 'auto'"):
                plotting.distributions(samples, "x", signal_scale=scale)


class TestScan:
    def test_curves_are_the_normalized_values(self, result):
        drawn = plotting.scan(result)
        z, loss = result.values["asimov"], result.values["bce"]
        for name, expected in (("asimov", z / z.max()), ("bce", loss.min() / loss)):
            np.testing.assert_array_equal(drawn.curves[name].get_xdata(), result.thresholds)
            np.testing.assert_allclose(drawn.curves[name].get_ydata(), expected)

    def test_optima_and_legend(self, result):
        drawn = plotting.scan(result)
        for name, label in zip(("bce", "asimov"), _labels(drawn.ax), strict=True):
            best = result.optimum(name).threshold
            assert list(drawn.optima[name].get_data()) == [[best], [1.0]]
            assert label == f"{result.metrics[name].label}, best at {best:g}"

    def test_some_metrics(self, result):
        assert [*plotting.scan(result, metrics=["asimov"]).curves] == ["asimov"]

    def test_no_value_is_open_and_not_evaluated_is_passed_over(self, result):
        values = np.array([1.0, np.nan, 2.0, np.nan, 1.5])
        evaluated = np.array([True, False, True, True, True])
        changed = dataclasses.replace(
            result,
            values={**result.values, "asimov": values},
            evaluated={**result.evaluated, "asimov": evaluated},
        )
        drawn = plotting.scan(changed)
        curve = drawn.curves["asimov"]
        np.testing.assert_array_equal(curve.get_xdata(), [0.0, 4.0, 4.0, 6.0, 8.0])
        np.testing.assert_array_equal(curve.get_ydata(), [0.5, np.nan, 1.0, np.nan, 0.75])
        # What was not evaluated is passed over by a thin dotted line from point to point.
        over = next(line for line in drawn.ax.lines if line.get_linestyle() == ":")
        np.testing.assert_array_equal(over.get_xdata(), [0.0, 4.0, 6.0, 8.0])
        ends = next(line for line in drawn.ax.lines if line.get_marker() == ".")
        np.testing.assert_array_equal(ends.get_xdata(), [0.0, 4.0])

    def test_labels_are_the_users(self, samples):
        """A window's axis was lower-cased."""
        renamed = [
            hc.Sample(s.name, {"$m_{T}$ [GeV]": s.columns["x"]}, weights=s.weights, signal=s.signal) for s in samples
        ]
        for cut, label in ((hc.Window, "Lower threshold"), (lambda name: hc.Cut(name, ">"), "Threshold")):
            options = {"metrics": ("bce",), "thresholds": [0.0, 2.0, 4.0], "replicas": 0, "folds": 0}
            drawn = plotting.scan(hc.scan(renamed, cut("$m_{T}$ [GeV]"), **options))
            assert getattr(drawn, "low", drawn).ax.get_xlabel() == f"{label} of $m_{{T}}$ [GeV]"

    def test_bars_are_the_intervals_of_the_replicas(self, result):
        drawn = plotting.scan(result)
        for name in ("bce", "asimov"):
            np.testing.assert_array_equal(drawn.intervals[name].get_xdata(), result.optimum(name).interval)

    def test_what_the_guard_excludes_is_faint_and_may_exceed_the_best(self, samples):
        points = np.arange(0.0, 10.0, 2.0)
        found = hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "asimov"), thresholds=points, min_background=3)
        few = found.table.effective_background < 3
        assert 0 < few.sum() < 5
        drawn = plotting.scan(found)
        np.testing.assert_array_equal(np.isnan(drawn.curves["asimov"].get_ydata()), few)
        faint = next(line for line in drawn.ax.lines if line.get_alpha() == 0.3)
        np.testing.assert_allclose(faint.get_ydata(), found.values["asimov"] / found.optimum("asimov").value)
        # A loss is not guarded.
        assert np.all(np.isfinite(drawn.curves["bce"].get_ydata()))

    def test_too_few_signal_or_expected_events_are_faint_too(self, samples):
        """Only the simulated background was looked at, and figures of merit that are made small not at all."""
        options = {"metrics": ("asimov", "upper_limit"), "thresholds": np.arange(0.0, 9.0), "replicas": 0, "folds": 0}
        signal = hc.Sample("signal", {"x": np.linspace(0.0, 10.0, 30)}, signal=True)
        found = hc.scan([signal, samples[1]], hc.Cut("x", ">"), min_background=1, **options)
        drawn = plotting.scan(found)
        for name in ("asimov", "upper_limit"):
            some = np.isfinite(found.values[name])
            assert 0 < found.allowed(name)[some].sum() < some.sum()
            np.testing.assert_array_equal(np.isfinite(drawn.curves[name].get_ydata()), found.allowed(name) & some)

    def test_a_window_is_drawn_edge_by_edge(self, samples):
        edges = np.arange(-1.0, 12.0, 2.0)
        found = hc.scan(samples, hc.Window("x"), metrics=("bce", "asimov"), thresholds=edges, min_background=0)
        drawn = plotting.scan(found)
        low, high = found.optimum("asimov").threshold
        for curves, best, held in ((drawn.low, low, 1), (drawn.high, high, 0)):
            x, y = curves.curves["asimov"].get_data()
            rows = [
                int(np.flatnonzero((found.thresholds == pair).all(axis=1))[0])
                for pair in ([(v, high) for v in x] if held else [(low, v) for v in x])
            ]
            np.testing.assert_allclose(y, found.values["asimov"][rows] / found.optimum("asimov").value)
            assert list(curves.optima["asimov"].get_data()) == [[best], [1.0]]
        assert drawn.low.ax.get_xlabel() == "Lower threshold of x"
        assert drawn.figure is drawn.high.ax.figure
        with pytest.raises(InputError, match="draws into 2"):
            plotting.scan(found, ax=drawn.low.ax)

    @pytest.mark.parametrize("sign", [1, -1])
    @pytest.mark.parametrize(
        "values",
        [[3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], [-1.0, 0.0, 2.0], [0.0, 1.0, 3.0], [0.0, 0.0, 0.0], [-2.0, -2.0, -2.0]],
        ids=str,
    )
    def test_normalized_keeps_the_order_and_the_best_is_one(self, values, sign):
        values = np.array([*values, np.nan])
        scaled = normalized(values, sign)
        assert np.isnan(scaled[-1])
        assert np.nanmax(scaled) == 1.0
        better = np.subtract.outer(sign * values[:-1], sign * values[:-1])
        np.testing.assert_array_equal(np.sign(np.subtract.outer(scaled[:-1], scaled[:-1])), np.sign(better))

    def test_errors(self, result):
        with pytest.raises(InputError, match=r"'profile' was not scanned; the scan has bce, asimov"):
            plotting.scan(result, metrics=["profile"])
        with pytest.raises(InputError, match="No metrics"):
            plotting.scan(result, metrics=[])
        with pytest.raises(InputError, match=r"result of hepcuts\.scan"):
            plotting.scan("result")
        assert plt.get_fignums() == []


class TestLossAndGradient:
    def test_curves_optimum_and_zero(self, valley):
        drawn = plotting.loss_and_gradient(valley)
        np.testing.assert_array_equal(drawn.value.get_data(), [valley.thresholds, valley.values])
        np.testing.assert_array_equal(drawn.gradient.get_data(), [valley.thresholds, valley.gradients])
        assert list(drawn.zero.get_ydata()) == [0.0, 0.0]
        assert list(drawn.optimum.get_data()) == [[3.0], [0.0]]
        upper, lower = drawn.axes
        assert upper.get_shared_x_axes().joined(upper, lower)
        assert upper.get_ylabel() == "Squared error"
        assert _labels(upper) == ["Squared error, width 0.5", "best at 3"]

    def test_a_gain_is_best_where_it_is_largest(self, valley):
        gain = dataclasses.replace(valley, objective=figure_of_merit("asimov"))
        assert list(plotting.loss_and_gradient(gain).optimum.get_xdata()) == [0.0]

    def test_of_a_real_landscape(self):
        found = landscape(
            hc.datasets.tutorial(seed=1), hc.Cut("x", ">", width=1.0), thresholds=[2.0, 3.0, 4.0], objective="bce"
        )
        assert list(plotting.loss_and_gradient(found).optimum.get_xdata()) == [3.0]

    def test_errors(self, valley):
        with pytest.raises(InputError, match=r"result of hepcuts\.optimization\.landscape\.landscape"):
            plotting.loss_and_gradient(valley.values)
        with pytest.raises(InputError, match="no value at any of 9"):
            plotting.loss_and_gradient(dataclasses.replace(valley, values=np.full(9, np.nan)))
        assert plt.get_fignums() == []


class TestHistory:
    def test_one_threshold_is_shown_as_it_is(self, found):
        drawn = plotting.history(found)
        np.testing.assert_array_equal(drawn.thresholds["x"].get_ydata(), found.history.thresholds[:, 0])
        np.testing.assert_array_equal(np.concatenate([c.get_ydata() for c in drawn.values]), found.history.values)
        # The hard cuts stand beside the last step.
        (at,), (value,) = drawn.final.get_data()
        assert at > len(found.history) - 1
        assert value == found.quoted.value
        assert [list(part) for part in drawn.ends["x"].get_data()] == [[at], [found.thresholds["x"]]]
        assert len(drawn.values) == 1
        assert drawn.right.get_ylabel() == "Threshold of x"
        assert drawn.ax.get_ylabel() == r"$S/\sqrt{S+B}$"

    def test_several_are_shown_in_units_of_their_range(self, found_three):
        drawn = plotting.history(found_three)
        expected = {
            "x": [0.0, 0.25, 0.75, 1.0],
            "mass:low": [0.0, 1.0, 2 / 3, 1 / 3],
            "mass:high": [0.0, -1.0, 0.0, 0.0],
        }
        assert {name: pytest.approx(list(c.get_ydata())) for name, c in drawn.thresholds.items()} == expected
        assert _labels(drawn.ax)[2:] == ["x: 1 to 4.9", "mass:low: 90 to 101", "mass:high: 160 to 159"]
        assert drawn.ends["x"].get_ydata()[0] == pytest.approx(0.975)

    def test_what_is_quoted_is_shown(self, found_three):
        """The legend had the thresholds of the last step, and the star the value on the training events."""
        held_out = dataclasses.replace(found_three.training, value=1.9)
        drawn = plotting.history(dataclasses.replace(found_three, held_out=held_out))
        assert list(drawn.final.get_ydata()) == [1.9]
        assert _labels(drawn.ax)[1] == "hard cuts, held-out events: 1.9"
        assert _labels(plotting.history(found_three).ax)[1] == "hard cuts, the events that chose them: 2.6"

    def test_a_cut_that_was_given_up_has_no_threshold(self, found_three):
        cuts, names = hc.Cut("mass", ">", 101.0), ("x", "mass:high")
        drawn = plotting.history(dataclasses.replace(found_three, selection=hc.Selection([cuts]), given_up=names))
        assert _labels(drawn.ax)[2:] == ["x: 1, given up", "mass:low: 90 to 101", "mass:high: 160, given up"]
        assert list(drawn.ends) == ["mass:low"]

    def test_stages_are_parted(self, found_three):
        drawn = plotting.history(found_three)
        assert [list(c.get_xdata()) for c in drawn.values] == [[0, 1], [2, 3]]
        assert [list(line.get_xdata()) for line in drawn.boundaries][:-1] == [[1.5, 1.5]]

    def test_a_threshold_that_stays_is_drawn(self, found_three):
        still = dataclasses.replace(found_three.history, thresholds=np.ones((4, 3)))
        drawn = plotting.history(dataclasses.replace(found_three, history=still))
        assert list(drawn.thresholds["x"].get_ydata()) == [0.0] * 4

    def test_an_objective_of_the_users_own_goes_by_its_name(self, found_three):
        assert plotting.history(found_three).ax.get_ylabel() == "My_function"

    def test_errors(self, found):
        with pytest.raises(InputError, match=r"result of hepcuts\.optimize"):
            plotting.history(found.history)
        assert plt.get_fignums() == []


class TestBeforeAfter:
    def test_of_a_selection(self, samples):
        selection = hc.Selection([hc.Cut("y", ">", 1.5), hc.Window("x", 4.0, 8.0)])
        drawn = plotting.before_after(samples, selection, "x", bins=EDGES)
        np.testing.assert_array_equal(drawn.before.histograms[0].values(), [0.0, 0.0, 0.5, 1.0, 1.0])
        np.testing.assert_array_equal(drawn.after.histograms[0].values(), [0.0, 0.0, 0.0, 1.0, 0.0])
        for panel in (drawn.before, drawn.after):
            assert [line.get_xdata()[0] for line in panel.cut.lines] == [4.0, 8.0]
        assert drawn.before.ax.get_xlim() == drawn.after.ax.get_xlim()

    def test_of_a_result_and_of_another_variable(self, samples, found):
        cut = hc.Selection([hc.Cut("x", ">", 4.0)])
        drawn = plotting.before_after(samples, dataclasses.replace(found, selection=cut), "y", log=True)
        assert drawn.after.cut is None
        assert drawn.after.histograms[0].values().sum() == 2.5
        assert drawn.after.ax.get_title(loc="left") == "After x\N{NO-BREAK SPACE}>\N{NO-BREAK SPACE}4"

    @pytest.mark.parametrize(
        ("match", "selection", "variable"),
        [
            (r"hepcuts\.Selection, a cut, or the result", 4.0, "x"),
            ("has no column", hc.Cut("x", ">", 4.0), "z"),
            ("no threshold to draw", hc.Cut("x", ">"), "x"),
            ("threshold of x > [?] is not set", hc.Cut("x", ">"), "y"),
            ("passes x > 100", hc.Cut("x", ">", 100.0), "x"),
        ],
    )
    def test_errors_leave_no_figure(self, samples, match, selection, variable):
        with pytest.raises(InputError, match=match):
            plotting.before_after(samples, selection, variable)
        assert plt.get_fignums() == []


class TestSlider:
    @pytest.fixture
    def drawn(self, samples):
        return _slid(samples, hc.Cut("x", ">", 4.2)).slider()

    @staticmethod
    def check(drawn, position):
        """Everything that moves shows the numbers of the scan."""
        threshold = float(drawn.result.thresholds[position])
        assert drawn.threshold == threshold
        assert list(drawn.line.get_xdata()) == [threshold] * 2
        assert list(drawn.distributions.cut.lines[0].get_xdata()) == [threshold] * 2
        assert drawn.distributions.cut.label.get_text() == f"x > {threshold:g}"
        assert drawn.slider.valtext.get_text() == f"{threshold:g}"
        curves = [drawn.curves.curves[name].get_ydata()[position] for name in ("bce", "asimov")]
        np.testing.assert_array_equal(drawn.points.get_data(), [[threshold] * 2, curves])
        head, values = drawn.text.get_text().split("\n")
        table = drawn.result.table
        assert head.startswith(
            f"x > {threshold:g}:   $S$ = {table.signal[position]:g},   $B$ = {table.background[position]:g}"
        )
        for name, value in drawn.result.values.items():
            shown = "no value" if np.isnan(value[position]) else f"{value[position]:.4g}"
            assert f"{drawn.result.metrics[name].label}: {shown}" in values

    def test_moves(self, drawn):
        # It starts at the threshold of the cut.
        self.check(drawn, 2)
        for value, position in ((6.0, 3), (0.9, 0), (7.1, 4)):
            drawn.slider.set_val(value)
            self.check(drawn, position)
        drawn.set(5.2)
        assert drawn.slider.val == 6.0
        self.check(drawn, 3)

    def test_values_are_those_of_a_scan(self, drawn, result):
        for name in ("bce", "asimov"):
            np.testing.assert_array_equal(drawn.result.values[name], result.values[name])

    def test_distributions_may_be_logarithmic(self, samples):
        drawn = _slid(samples, hc.Cut("x", ">"), metrics=("bce",)).slider(log=True)
        assert drawn.distributions.ax.get_yscale() == "log"

    def test_shows_the_numbers_of_the_scan_and_evaluates_none(self, result):
        drawn = plotting.slider(result)
        assert drawn.result is result
        known = vars(result).copy()
        drawn.set(2.0)
        drawn.set(6.0)
        assert vars(result) == known

    def test_starts_where_it_is_told_to(self, result):
        assert plotting.slider(result, threshold=5.1).threshold == 6.0

    def test_starts_at_the_optimum_of_the_last_metric(self, samples, result):
        drawn = _slid(samples, hc.Cut("x", ">")).slider()
        # The guard of a scan holds here, too; it gives way to any event where nothing passes it.
        assert drawn.threshold == result.optimum("asimov", min_background=10).threshold

    def test_says_why_there_is_no_value(self, samples):
        few = (*samples[:1], hc.Sample("b", {"x": [1.0, 2.0, 3.0]}))
        drawn = _slid(few, hc.Cut("x", ">", 6.0)).slider()
        assert "no background is left" in drawn.text.get_text()
        assert r"$Z_A$: no value" in drawn.text.get_text()

    @pytest.mark.parametrize(
        ("match", "cut", "options"),
        [
            (r"moves one threshold, and 1 < x < 2 has two", hc.Window("x", 1.0, 2.0), {"metrics": ("bce",)}),
            ("at least two thresholds", hc.Cut("x", ">"), {"thresholds": [4.0], "metrics": ("bce",)}),
        ],
    )
    def test_errors_leave_no_figure(self, samples, match, cut, options):
        with pytest.raises(InputError, match=match):
            _slid(samples, cut, **options).slider()
        with pytest.raises(InputError, match=r"result of hepcuts\.scan"):
            plotting.slider(samples)
        assert plt.get_fignums() == []


@dataclasses.dataclass(frozen=True)
class ForeignOptimum:
    """Written down by hand."""

    threshold: float
    value: float
    effective_background: float = 100.0
    interval: tuple[float, float] = (np.nan, np.nan)
    message: str = "somebody else's"


@dataclasses.dataclass(frozen=True)
class ForeignMerit:
    name: str
    label: str
    sign: int = 1


@dataclasses.dataclass(frozen=True)
class ForeignScan:
    """Somebody else's scan, which knows nothing of hepcuts.scan."""

    samples: tuple[hc.Sample, ...]
    cut: hc.Cut = dataclasses.field(default_factory=lambda: hc.Cut("x", ">"))
    thresholds: np.ndarray = dataclasses.field(default_factory=lambda: np.array([2.0, 4.0, 6.0]))

    @property
    def metrics(self):
        return {"mine": ForeignMerit("mine", "$Q$")}

    @property
    def values(self):
        return {"mine": np.array([1.0, 4.0, 2.0])}

    @property
    def evaluated(self):
        return {"mine": np.ones(3, dtype=bool)}

    @property
    def table(self):
        numbers = np.array([3.0, 2.0, 1.0])
        return types.SimpleNamespace(
            signal=numbers, background=numbers, sigma_background=numbers, effective_background=100.0 * numbers
        )

    signal_efficiency = background_efficiency = purity = np.array([0.5, 0.4, 0.3])

    def optimum(self, name):
        return ForeignOptimum(4.0, self.values[name][1])

    def allowed(self, name):
        return np.ones(len(self.values[name]), dtype=bool)

    def reason(self, name, position):
        return "" if np.isfinite(self.values[name][position]) else "no reason"


def _foreign_points():
    """Working points of somebody else's."""
    half = np.array([0.5, 0.25])
    efficiencies = types.SimpleNamespace(
        signal=half, background=half, background_uncertainty=0.1 * half, rejection=1 / half, rejection_uncertainty=half
    )
    return types.SimpleNamespace(
        names=("x",),
        efficiencies=half,
        positions=half[:, None],
        idle=np.zeros((2, 1), dtype=bool),
        training=efficiencies,
        held_out=None,
    )


def _foreign_optimization():
    steps = types.SimpleNamespace(
        names=("x",), thresholds=np.array([[1.0], [2.0]]), values=np.array([3.0, 4.0]), stages=np.array([0, 0])
    )
    return types.SimpleNamespace(
        history=steps, label="$Q$", quoted_value=3.5, hard_thresholds={"x": 2.5}, held_out=None
    )


def _foreign_bins(samples):
    tried = types.SimpleNamespace(
        num_bins=2, value=1.0, held_out_value=0.8, significance=1.1, held_out_significance=0.9
    )
    return types.SimpleNamespace(
        samples=samples,
        selection=None,
        variable="x",
        label="$Q$",
        edges=np.array([0.0, 5.0, 10.0]),
        num_bins=2,
        value=1.0,
        bin_values=np.array([0.6, 0.8]),
        candidates=(tried,),
    )


def _foreign_categories(samples):
    tried = types.SimpleNamespace(num_categories=2, value=1.0, held_out_value=0.9)
    return types.SimpleNamespace(
        samples=samples,
        selection=None,
        edges={"x": np.array([0.0, 5.0, 10.0])},
        kind="grid",
        label="$Q$",
        num_categories=2,
        value=1.0,
        held_out_value=0.9,
        signal=np.array([1.0, 2.0]),
        background=np.array([3.0, 1.0]),
        candidates=(tried,),
        numbers=lambda columns, *, missing=None: np.where(np.asarray(columns["x"]) == missing, -1, 0),
    )


class TestForeignResults:
    """A figure asks for attributes, not for a class."""

    def test_scan(self, samples):
        drawn = plotting.scan(ForeignScan(samples))
        assert list(drawn.optima["mine"].get_xdata()) == [4.0]
        assert list(drawn.curves["mine"].get_ydata()) == [0.25, 1.0, 0.5]

    def test_slider_and_page(self, samples):
        drawn = plotting.slider(ForeignScan(samples))
        drawn.set(6.0)
        assert "$Q$: 2" in drawn.text.get_text()
        assert "somebody else" in hc.explorer.page(ForeignScan(samples))

    def test_searches(self):
        assert list(plotting.history(_foreign_optimization()).final.get_ydata()) == [3.5]
        valley = types.SimpleNamespace(
            cut=hc.Cut("x", ">"),
            objective=ForeignMerit("mine", "$Q$"),
            width=1.0,
            thresholds=np.array([1.0, 2.0, 3.0]),
            values=np.array([0.0, 1.0, 0.5]),
            gradients=np.array([1.0, 0.0, -1.0]),
        )
        assert list(plotting.loss_and_gradient(valley).optimum.get_xdata()) == [2.0]

    def test_working_points(self):
        drawn = plotting.roc(_foreign_points())
        assert list(drawn.curves["training"].get_ydata()) == [2.0, 4.0]
        assert list(plotting.threshold_curves(_foreign_points()).curves) == ["x"]

    def test_bins_and_categories(self, samples):
        assert plotting.binning(_foreign_bins(samples)).axes[1].get_ylabel() == "$Q$ of the bin"
        assert len(plotting.categories(_foreign_categories(samples)).bars[0]) == 2

    def test_what_is_missing_is_named(self, samples):
        bins = _foreign_bins(samples)
        del bins.label, bins.edges
        with pytest.raises(InputError, match=r"SimpleNamespace; .* hepcuts\.bin_edges\. It has no label, edges\.$"):
            plotting.binning(bins)
        assert plt.get_fignums() == []

    def test_no_attribute_is_evaluated_to_find_out(self):
        class Slow:
            @property
            def history(self):
                raise AssertionError

        with pytest.raises(InputError, match=r"It has no label, hard_thresholds, quoted_value, held_out\.$"):
            plotting.history(Slow())


def _bare(figure):
    """Without any text: fonts differ between machines."""
    for ax in figure.axes:
        if ax.get_legend() is not None:
            ax.get_legend().remove()
        ax.set(xlabel="", ylabel="")
        ax.set_title("", loc="left")
        for text in ax.texts:
            text.remove()
    return figure


image = pytest.mark.mpl_image_compare(
    remove_text=True, style="default", tolerance=10, savefig_kwargs={"dpi": 60}, baseline_dir="baseline"
)


class TestImages:
    @image
    def test_image_distributions(self, samples):
        return _bare(plotting.distributions(samples, "x", cut=hc.Window("x", 3.0, 8.0), bins=EDGES).figure)

    @image
    def test_image_distributions_log(self, samples):
        return _bare(plotting.distributions(samples, "x", bins=EDGES[1:], log=True).figure)

    @image
    def test_image_scan(self, result):
        return _bare(plotting.scan(result).figure)

    @image
    def test_image_loss_and_gradient(self, valley):
        return _bare(plotting.loss_and_gradient(valley).figure)

    @image
    def test_image_history(self, found_three):
        return _bare(plotting.history(found_three).figure)

    @image
    def test_image_before_after(self, samples):
        return _bare(plotting.before_after(samples, hc.Cut("x", ">", 4.0), "x", bins=EDGES).figure)

    @image
    def test_image_slider(self, samples):
        drawn = _slid(samples, hc.Cut("x", ">")).slider()
        drawn.set(2.0)
        return _bare(drawn.figure)


class TestColors:
    def test_no_two_samples_share_one(self):
        """Nine backgrounds had seven colors."""
        rng = np.random.default_rng(1)
        names = [f"b{number}" for number in range(9)]
        many = [hc.Sample(name, {"x": rng.normal(size=50)}) for name in names]
        many += [hc.Sample(f"s{number}", {"x": rng.normal(size=50)}, signal=True) for number in range(5)]
        drawn = plotting.distributions(many, "x")
        fills = {tuple(patch.get_facecolor()) for patch in drawn.backgrounds}
        lines = {tuple(patch.get_edgecolor()) for patch in drawn.signals}
        assert (len(fills), len(lines)) == (9, 5)

    def test_the_first_lines_are_not_gray(self):
        """The profile likelihood is often the fifth of the metrics."""
        for number in range(8):
            assert np.ptp(mpl.colors.to_rgb(look(number)["color"])) > 0.2


def test_spreads_stand_at_their_x():
    """Points were shifted by a factor."""
    x = np.array([30.0, 100.0, 1000.0])
    values = np.stack([np.ones(3), 2 * np.ones(3), 3 * np.ones(3)])
    drawn = plotting.spread(x, {"a": values, "b": values, "c": values}, xlabel="n", ylabel="y")
    widths = []
    for bars in drawn.curves.values():
        np.testing.assert_array_equal(bars.lines[0].get_xdata(), x)
        (collection,) = bars.lines[2]
        np.testing.assert_array_equal([segment[0, 0] for segment in collection.get_segments()], x)
        widths.append(collection.get_linewidths()[0])
    # Narrower ones lie above wider ones, so that all are seen.
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
