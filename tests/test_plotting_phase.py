"""Phase diagrams and spreads: the artists hold the numbers that they were given, and matplotlib is left as it was."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hepcuts import plotting
from hepcuts._core.errors import InputError

X, Y = np.array([0.001, 0.01, 0.1, 0.5]), np.array([1.0, 2.0, 3.0])
VALUES = np.array([[0.0, 0.2, 0.4, 0.6], [0.1, 0.3, 0.5, 0.7], [0.5, 0.7, 0.9, 1.0]])
HEIGHT = np.broadcast_to(Y[:, np.newaxis], VALUES.shape)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def _panel(title="one", values=VALUES):
    return plotting.PhasePanel(
        X, Y, values, title=title, lines={"agree": (HEIGHT, 1.5), "nowhere": (HEIGHT, 9.0)}, points={"here": (0.1, 2.0)}
    )


def _intervals():
    middle = np.array([1.0, 2.0, 2.5])
    return {"bce": np.stack([middle - 0.5, middle, middle + 1.0]), "asimov": np.stack([middle, 2 * middle, 3 * middle])}


SIZES = np.array([10.0, 100.0, 1000.0])
CALLS = {
    "phase": (lambda ax: plotting.phase(_panel(), label="ratio", ax=ax), 1),
    "phase_panels": (lambda ax: plotting.phase([_panel(), _panel("two")], label="ratio", xscale="logit", ax=ax), 2),
    "spread": (lambda ax: plotting.spread(SIZES, _intervals(), xlabel="events", ylabel="cut", ax=ax), 1),
}


class TestManners:
    @pytest.mark.parametrize("name", CALLS)
    def test_a_new_figure_is_made_and_nothing_else_changes(self, name, monkeypatch):
        monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a figure was shown"))
        before = mpl.rcParams.copy()
        drawn = CALLS[name][0](None)
        assert plt.get_fignums() == [drawn.figure.number]
        drawn.figure.draw_without_rendering()
        assert mpl.rcParams == before

    @pytest.mark.parametrize("name", CALLS)
    def test_draws_into_the_axes_it_is_given(self, name):
        draw, number = CALLS[name]
        figure, axes = plt.subplots(number, squeeze=False)
        drawn = draw(list(axes.flat) if number > 1 else axes[0, 0])
        assert plt.get_fignums() == [figure.number]
        assert drawn.figure is figure
        assert list(drawn.axes if hasattr(drawn, "axes") else (drawn.ax,)) == list(axes.flat)

    @pytest.mark.parametrize("name", CALLS)
    def test_wrong_axes_are_refused_and_settings_restored(self, name):
        before = mpl.rcParams.copy()
        draw, number = CALLS[name]
        _, axes = plt.subplots(number + 1)
        with pytest.raises(InputError, match=rf"{number + 1} axes.*draws into {number} "):
            draw(axes)
        assert mpl.rcParams == before


class TestPhase:
    def test_colors_are_the_values(self):
        drawn = plotting.phase([_panel(), _panel("two", 2 * VALUES)], label="ratio")
        np.testing.assert_array_equal(drawn.meshes[0].get_array(), VALUES)
        np.testing.assert_array_equal(drawn.meshes[1].get_array(), 2 * VALUES)
        assert [mesh.get_clim() for mesh in drawn.meshes] == [(0.0, 1.0)] * 2
        assert drawn.meshes[0].get_cmap().name == "viridis"
        assert [ax.get_title() for ax in drawn.axes] == ["one", "two"]
        assert drawn.colorbar.ax.get_ylabel() == "ratio"

    @pytest.mark.parametrize(
        ("values", "extend"),
        [
            (VALUES, "neither"),
            (VALUES + 0.5, "max"),
            (VALUES - 0.5, "min"),
            (np.where(VALUES > 0.9, np.inf, VALUES), "max"),
            (np.where(VALUES > 0.9, -np.inf, VALUES), "min"),
            (4 * VALUES - 2, "both"),
        ],
        ids=["inside", "above", "below", "infinite", "minus infinite", "both"],
    )
    def test_the_scale_has_arrows_where_values_lie_beyond_it(self, values, extend):
        drawn = plotting.phase(_panel(values=values), label="ratio")
        assert drawn.colorbar.extend == extend
        # Infinite values are drawn, too.
        assert not np.ma.getmaskarray(drawn.meshes[0].get_array()).any()
        assert np.all(np.isfinite(drawn.meshes[0].get_array()))

    def test_no_number_no_color(self):
        values = VALUES.copy()
        values[1, 1] = np.nan
        drawn = plotting.phase(_panel(values=values), label="ratio", diverging=True, limits=(-1.0, 1.0))
        assert np.isnan(np.ma.filled(drawn.meshes[0].get_array(), np.nan)[1, 1])
        assert drawn.meshes[0].get_cmap().name == "RdBu_r"

    def test_lines_are_where_the_level_is_and_only_those_are_in_the_legend(self):
        drawn = plotting.phase(_panel(), label="ratio")
        assert [*drawn.lines[0]] == ["agree"]
        (path,) = drawn.lines[0]["agree"].get_paths()
        np.testing.assert_allclose(path.vertices[:, 1], 1.5)
        np.testing.assert_allclose([path.vertices[:, 0].min(), path.vertices[:, 0].max()], [X[0], X[-1]])
        assert list(map(float, drawn.points[0]["here"].get_xydata().ravel())) == [0.1, 2.0]
        (legend,) = drawn.figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["agree", "here"]

    def test_cells_end_halfway_on_the_scale_of_the_axis(self):
        x = np.array([0.001, 0.1, 0.95])
        panel = plotting.PhasePanel(x, Y, VALUES[:, :3])
        for scale, to in (("linear", np.array), ("log", np.log), ("logit", lambda v: np.log(v / (1 - v)))):
            drawn = plotting.phase(panel, label="ratio", xscale=scale)
            edges = drawn.meshes[0].get_coordinates()[0, 1:3, 0]
            np.testing.assert_allclose(to(edges), [np.mean(to(x[:2])), np.mean(to(x[1:]))])

    def test_an_unknown_scale_is_refused(self):
        with pytest.raises(InputError, match="xscale is 'symlog'; expected one of linear, log, logit"):
            plotting.phase(_panel(), label="ratio", xscale="symlog")
        assert plt.get_fignums() == []

    def test_a_line_ends_where_its_quantity_does(self):
        field = np.where(X > 0.05, np.inf, HEIGHT)
        drawn = plotting.phase(plotting.PhasePanel(X, Y, VALUES, lines={"agree": (field, 1.5)}), label="ratio")
        (path,) = drawn.lines[0]["agree"].get_paths()
        assert path.vertices[:, 0].max() == 0.01

    def test_fractions_have_ticks_that_can_be_read(self):
        drawn = plotting.phase(_panel(), label="ratio", xscale="logit", xlabel="fraction", ylabel="separation")
        ax = drawn.axes[0]
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.001", "0.01", "0.1", "0.5"]
        assert (ax.get_xlim(), ax.get_ylim()) == ((0.001, 0.5), (1.0, 3.0))
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("fraction", "separation")

    def test_panels_that_are_too_few_for_their_rows(self):
        drawn = plotting.phase([_panel(str(i)) for i in range(3)], label="ratio", columns=2)
        assert len(drawn.axes) == 3
        shown = [ax for ax in drawn.figure.axes if ax.get_visible()]
        assert len(shown) == 3 + 1

    @pytest.mark.parametrize(
        ("panels", "message"),
        [
            ([], "got nothing"),
            ("panel", "got str"),
            (plotting.PhasePanel(X, Y, VALUES.T, title="a"), r"'a': values has the shape \(4, 3\); expected \(3, 4\)"),
            (plotting.PhasePanel(X, Y, VALUES, lines={"b": (VALUES[0], 1.0)}), r"b has the shape \(4,\)"),
            (plotting.PhasePanel(X, Y[:1], VALUES[:1]), "two values along each axis"),
        ],
        ids=["none", "type", "shape", "line", "thin"],
    )
    def test_mistakes_leave_no_figure(self, panels, message):
        with pytest.raises(InputError, match=message):
            plotting.phase(panels, label="ratio")
        assert plt.get_fignums() == []


class TestSpread:
    def test_markers_and_bars(self):
        drawn = plotting.spread(SIZES, _intervals(), xlabel="events", ylabel="cut", title="t", reference=2.0)
        line, _, (bars,) = drawn.curves["bce"].lines
        np.testing.assert_allclose(line.get_ydata(), [1.0, 2.0, 2.5])
        np.testing.assert_allclose([s[:, 1] for s in bars.get_segments()], [[0.5, 2.0], [1.5, 3.0], [2.0, 3.5]])
        assert list(drawn.reference.get_ydata()) == [2.0, 2.0]
        assert drawn.ax.get_xscale() == "log"
        assert [text.get_text() for text in drawn.ax.get_legend().get_texts()] == ["bce", "asimov"]
        assert (drawn.ax.get_xlabel(), drawn.ax.get_ylabel(), drawn.ax.get_title()) == ("events", "cut", "t")

    def test_choices_are_where_they_are_and_inside(self):
        """They were shifted by a factor, to stand beside each other."""
        drawn = plotting.spread(SIZES, _intervals(), xlabel="", ylabel="")
        for name in ("bce", "asimov"):
            np.testing.assert_array_equal(drawn.curves[name].lines[0].get_xdata(), SIZES)
        low, high = drawn.ax.get_xlim()
        assert low < SIZES[0]
        assert SIZES[-1] < high

    @pytest.mark.filterwarnings("ignore:Conversion of an array with ndim")  # matplotlib 3.9, of one point
    def test_one_size(self):
        values = {"bce": np.array([[1.0], [2.0], [3.0]])}
        drawn = plotting.spread(np.array([10.0]), values, xlabel="", ylabel="")
        np.testing.assert_allclose(drawn.curves["bce"].lines[0].get_xdata(), [10.0])
        assert drawn.reference is None

    @pytest.mark.parametrize(
        ("x", "intervals", "message"),
        [
            (SIZES[::-1], _intervals(), "ascending"),
            (SIZES - 10.0, _intervals(), "positive"),
            (np.array([]), _intervals(), "positive"),
            (SIZES, {}, "no intervals"),
            (SIZES, {"bce": np.zeros((2, 3))}, r"'bce' has the shape \(2, 3\); expected \(3, 3\)"),
        ],
        ids=["order", "zero", "empty", "none", "shape"],
    )
    def test_mistakes_leave_no_figure(self, x, intervals, message):
        with pytest.raises(InputError, match=message):
            plotting.spread(x, intervals, xlabel="", ylabel="")
        assert plt.get_fignums() == []


def _bare(figure):
    """Without any text: fonts differ between machines."""
    for legend in figure.legends:
        legend.remove()
    for ax in figure.axes:
        if ax.get_legend() is not None:
            ax.get_legend().remove()
        ax.set(xlabel="", ylabel="")
        ax.set_title("")
    return figure


image = pytest.mark.mpl_image_compare(
    remove_text=True, style="default", tolerance=10, savefig_kwargs={"dpi": 60}, baseline_dir="baseline"
)


class TestImages:
    @image
    def test_image_phase(self):
        return _bare(plotting.phase([_panel(), _panel("two", VALUES + 0.3)], label="ratio", xscale="logit").figure)

    @image
    def test_image_phase_diverging(self):
        panel = _panel(values=np.where(VALUES > 0.9, np.inf, VALUES - 0.5))
        return _bare(plotting.phase(panel, label="distance", limits=(-0.5, 0.5), diverging=True).figure)

    @image
    def test_image_spread(self):
        drawn = plotting.spread(SIZES, _intervals(), xlabel="events", ylabel="cut", reference=2.0)
        return _bare(drawn.figure)
