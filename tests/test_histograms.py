"""Histograms in place of events: equal to the events that they were filled with, wherever events are not needed."""

import copy
import dataclasses
import json

import boost_histogram as bh
import click.testing
import hist
import numpy as np
import pytest
import uproot

import hepcuts as hc
from hepcuts._core.errors import EmptySelectionError, InputError, OutsideAxisWarning, SampleError
from hepcuts.cli.commands import main
from hepcuts.cli.configuration import load
from hepcuts.evaluation.resampling import HeldOut

EDGES = np.array([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.85, 0.9, 1.0])
AXIS = hist.axis.Variable(EDGES, name="bdt")
SHAPES = (("signal", True, 4, 2, 400), ("ttbar", False, 2, 4, 1500), ("wjets", False, 2, 2, 500))
CUTS = [hc.Cut("bdt", ">"), hc.Cut("bdt", "<"), hc.Window("bdt")]


def filled(values, weights):
    return hist.Hist(AXIS, storage="weight").fill(values, weight=weights)


@pytest.fixture(scope="module")
def both():
    """The same samples as events and as histograms: negative weights, what lies beyond the edges, three variations."""
    rng, events, histograms = np.random.default_rng(1), [], []
    for name, signal, a, b, size in SHAPES:
        x, w = rng.beta(a, b, size) * 1.04 - 0.02, rng.normal(1.0, 0.7, size)
        moved, scaled, norm = (1.02 * x, 0.98 * x), 1.1 * w, hc.NormSys("xsec", 1.1, 0.9)
        jes = hc.HistoSys("jes", up={"bdt": moved[0]}, down={"bdt": moved[1]})
        weight = hc.HistoSys("w", up=scaled, down="mirror")
        events.append(hc.Sample(name, {"bdt": x}, weights=w, signal=signal, modifiers=[jes, weight, norm]))
        jes = hc.HistoSys("jes", up=filled(moved[0], w), down=filled(moved[1], w))
        weight = hc.HistoSys("w", up=filled(x, scaled), down="mirror")
        histograms.append(hc.Histogram(name, filled(x, w), signal=signal, modifiers=[jes, weight, norm]))
    return events, histograms


class TestScan:
    @pytest.mark.parametrize("cut", CUTS, ids=str)
    def test_is_that_of_the_events_at_these_edges(self, both, cut):
        events, histograms = both
        scan = hc.scan(histograms, cut)
        expected = hc.scan(events, cut, thresholds=scan.thresholds, replicas=0, folds=0)
        np.testing.assert_array_equal(scan.thresholds, expected.thresholds)
        for name, values in expected.values.items():
            np.testing.assert_allclose(scan.values[name], values, rtol=1e-12)
        yields, those = (found.table.yields_at(slice(None)) for found in (scan, expected))
        np.testing.assert_allclose(yields.values, those.values, rtol=1e-12)
        # What variances of variations are is used nowhere, but they are the same.
        np.testing.assert_allclose(yields.variances, those.variances, rtol=1e-12)

    def test_effective_events_are_known_unless_bins_hide_negative_weights(self):
        rng, events, histograms = np.random.default_rng(2), [], []
        for name, signal, a, b, size in SHAPES:
            x, w = rng.beta(a, b, size), rng.exponential(1.0, size)
            events.append(hc.Sample(name, {"bdt": x}, weights=w, signal=signal))
            histograms.append(hc.Histogram(name, filled(x, w), signal=signal))
        scan, expected = (hc.scan(s, CUTS[0], metrics=["asimov"], thresholds=EDGES[:-1]) for s in (histograms, events))
        np.testing.assert_allclose(scan.table.effective_background, expected.table.effective_background, rtol=1e-12)
        assert scan.optimum("asimov").threshold == expected.optimum("asimov").threshold

    def test_every_edge_is_a_threshold_and_every_two_a_window(self, both):
        assert hc.scan(both[1], CUTS[0], metrics=["asimov"]).thresholds.tolist() == EDGES.tolist()
        assert len(hc.scan(both[1], CUTS[2], metrics=["asimov"]).thresholds) == 9 * 8 / 2

    def test_an_edge_that_nothing_passes_is_none(self):
        samples = [hc.Histogram(n, filled([0.2, 0.6], [1.0, 1.0]), signal=n == "s") for n in ("s", "b")]
        assert 1.0 not in hc.scan(samples, CUTS[0], metrics=["asimov"]).thresholds
        assert 0.0 not in hc.scan(samples, CUTS[1], metrics=["asimov"]).thresholds

    def test_says_what_there_is_not(self, both):
        scan = hc.scan(both[1], CUTS[0], metrics=["asimov"])
        assert "no held-out values, replicas of bins" in scan.optimum("asimov").message
        assert "no held-out values, replicas of bins" in scan.summary().text()
        assert (scan.replicas, scan.folds) == (100, 0)
        assert np.isnan(scan.optimum("asimov").held_out)
        assert hc.scan(both[1], CUTS[0], metrics=["asimov"], replicas=0).replicas == 0
        with pytest.raises(InputError, match="histograms have none; give a number"):
            hc.scan(both[1], CUTS[0], replicas=HeldOut(0.5))

    @pytest.mark.parametrize("cut", [CUTS[0], CUTS[2]], ids=str)
    def test_bins_fluctuate_as_their_events_do(self, both, cut):
        """Spread of S/sqrt(B) in replicas of bins and of events."""
        options = {"metrics": ["s_over_sqrt_b"], "replicas": 600, "folds": 0, "min_background": 0}
        bins = hc.scan(both[1], cut, **options)
        events = hc.scan(both[0], cut, thresholds=bins.thresholds, **options)
        spreads = [scan.stability.replicas["s_over_sqrt_b"] for scan in (bins, events)]
        enough = bins.table.effective_background[bins.stability.rows] > 30
        assert np.count_nonzero(enough) >= 3
        of_bins, of_events = (np.std(spread[:, enough], axis=0) for spread in spreads)
        np.testing.assert_allclose(of_bins, of_events, rtol=0.15)  # 3.7 standard deviations of twice 600 replicas

    def test_bounds_and_thresholds_of_ones_own(self, both):
        bounded = hc.scan(both[1], hc.Cut("bdt", ">", bounds=(0.2, 0.8)), metrics=["asimov"])
        assert bounded.thresholds.tolist() == [0.25, 0.3, 0.5, 0.7]
        chosen = hc.scan(both[1], CUTS[0], metrics=["asimov"], thresholds=[0.3, 0.1 + 0.2 + 0.2])
        assert chosen.thresholds.tolist() == [0.3, 0.5]
        with pytest.raises(InputError, match=r"0\.33 is no edge of the histograms.*the nearest: 0\.3 and 0\.5\."):
            hc.scan(both[1], CUTS[0], thresholds=[0.33])

    def test_whole_numbers_are_cut_between(self):
        axis = hist.axis.Integer(0, 6, name="njet")
        counts = {"signal": [0, 3, 4, 4, 5], "ttbar": [0, 1, 1, 2, 3, 4]}
        samples = [
            hc.Histogram(n, hist.Hist(axis, storage="weight").fill(x), signal=n == "signal") for n, x in counts.items()
        ]
        scan = hc.scan(samples, hc.Cut("njet", ">"), metrics=["asimov"])
        assert scan.thresholds.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5][:-1]
        assert hc.fill(samples, hc.Cut("njet", ">=", 4)).nominal.tolist() == [[3.0], [1.0]]
        assert str(scan.cut.at([3.5])) == "njet >= 4"

    @pytest.mark.parametrize(
        ("cut", "more", "reason"),
        [
            (hc.Cut("mass", ">"), {}, "the histograms are of 'bdt'"),
            (hc.Cut("bdt", ">"), {"axis": AXIS}, "leave out axis"),
            (hc.Cut("bdt", ">"), {"metrics": ["bce_soft"]}, "single events"),
        ],
    )
    def test_refuses_what_takes_events(self, both, cut, more, reason):
        with pytest.raises(InputError, match=reason):
            hc.scan(both[1], cut, **more)

    def test_events_and_histograms_do_not_mix(self, both):
        with pytest.raises(SampleError, match="got Sample among them"):
            hc.scan([both[1][0], both[0][1]], CUTS[0])
        with pytest.raises(SampleError, match=r"Expected hepcuts\.Sample objects, got Histogram"):
            hc.optimize(both[1], CUTS[0])

    def test_figures_and_page(self, both, tmp_path):
        scan = hc.scan(both[1], CUTS[0], metrics=["asimov"])
        assert scan.plot().ax.lines
        heights = scan.slider(threshold=0.7).distributions.histograms[0].values(flow=True)
        np.testing.assert_array_equal(heights, both[1][0].contents.values)
        assert "0.85" in scan.explorer(tmp_path / "page.html").read_text()


class TestFill:
    @pytest.mark.parametrize(
        "cut", [hc.Cut("bdt", ">", 0.7), hc.Cut("bdt", "<", 0.3), hc.Window("bdt", 0.25, 0.9)], ids=str
    )
    def test_after_a_cut(self, both, cut):
        expected, found = (hc.fill(samples, cut) for samples in both)
        np.testing.assert_allclose(found.yields.values, expected.yields.values, rtol=1e-12)
        np.testing.assert_allclose(found.yields.variances, expected.yields.variances, rtol=1e-12)

    def test_all_bins_and_the_workspace(self, both):
        found, expected = hc.fill(both[1], None), hc.fill(both[0], hc.Window("bdt", -1.0, 2.0), axis=AXIS)
        np.testing.assert_allclose(found.yields.values, expected.yields.values, rtol=1e-12)
        np.testing.assert_allclose(found.outside, expected.outside, rtol=1e-12)
        workspace, those = hc.workspace(both[1]), hc.workspace(expected)
        assert [s["name"] for s in workspace["channels"][0]["samples"]] == ["signal", "ttbar", "wjets"]
        for mine, other in zip(workspace["channels"][0]["samples"], those["channels"][0]["samples"], strict=True):
            np.testing.assert_allclose(mine["data"], other["data"], rtol=1e-12)
            for one, two in zip(mine["modifiers"], other["modifiers"], strict=True):
                assert (one["name"], one["type"]) == (two["name"], two["type"])
                if one["type"] == "histosys":
                    np.testing.assert_allclose(one["data"]["hi_data"], two["data"]["hi_data"], rtol=1e-12)
                    np.testing.assert_allclose(one["data"]["lo_data"], two["data"]["lo_data"], rtol=1e-12)
        z = hc.discovery_significance(hc.HistFactory.from_workspace(workspace))
        assert float(z) == pytest.approx(
            float(hc.discovery_significance(hc.HistFactory.from_workspace(those))), rel=1e-9
        )

    def test_refuses(self, both):
        with pytest.raises(InputError, match="one cut with its thresholds"):
            hc.fill(both[1], hc.Cut("bdt", ">"))
        with pytest.raises(InputError, match="leave out axis"):
            hc.fill(both[1], None, axis=AXIS)
        empty = [hc.Histogram(n, filled([0.2], [1.0]), signal=n == "s") for n in ("s", "b")]
        with pytest.raises(EmptySelectionError):
            hc.fill(empty, hc.Cut("bdt", ">", 0.9))


# What lies beyond the edges is told of; here it is known.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Selected events outside the axis:hepcuts._core.errors.OutsideAxisWarning"
)


def test_what_lies_beyond_the_edges_is_told(both):
    with pytest.warns(OutsideAxisWarning, match="bdt"):
        hc.fill(both[1], None)


class TestSources:
    def test_of_root_files(self, tmp_path):
        with uproot.recreate(tmp_path / "h.root") as file:
            file["ttbar"] = filled([0.2, 0.6, 3.0], [1.0, -2.0, 4.0])
        with uproot.open(tmp_path / "h.root") as file:
            read = hc.Histogram("ttbar", file["ttbar"], variable="bdt")
        assert read.contents.values.tolist() == [0, 0, 1, 0, 0, -2, 0, 0, 0, 4]
        assert read.contents.variances.tolist() == [0, 0, 1, 0, 0, 4, 0, 0, 0, 16]
        assert read.variable == "bdt"

    def test_of_boost_histogram_and_without_flow(self):
        plain = bh.Histogram(bh.axis.Regular(2, 0, 1, underflow=False), storage=bh.storage.Weight())
        plain.fill([0.2, 0.7, 3.0])
        assert hc.Histogram("b", plain, variable="x").contents.values.tolist() == [0, 1, 1, 1]
        closed = hist.Hist(hist.axis.Regular(2, 0, 1, name="x", flow=False), storage="weight").fill([0.2, 3.0])
        assert hc.Histogram("b", closed).contents.values.tolist() == [0, 1, 0, 0]

    def test_of_the_protocol_alone(self):
        class Foreign:
            axes = (((0.0, 0.5), (0.5, 1.0)),)

            def values(self):
                return [1.0, 2.0]

            def variances(self):
                return [0.5, 1.0]

        assert hc.Histogram("b", Foreign(), variable="x").contents.variances.tolist() == [0, 0.5, 1, 0]

    def test_coffea_writes_samples_and_variations_into_one(self, both):
        templates = hc.fill(both[1], None)
        found = hc.io.histograms_of(templates.to_hist(), signal="signal", sample="sample", variation="variation")
        again = hc.fill(found, None)
        assert again.samples == templates.samples
        assert again.structure.variations == templates.structure.variations
        np.testing.assert_array_equal(again.yields.values, templates.yields.values)
        np.testing.assert_array_equal(again.yields.variances, templates.yields.variances)

    def test_a_mapping_of_histograms(self, both):
        given = {one.name: filled([0.3, 0.6], [1.0, 2.0]) for one in both[1]}
        more = {"ttbar": [hc.NormSys("xsec", 1.1, 0.9)]}
        found = hc.io.histograms_of(given, signal=["signal"], modifiers=more)
        assert [(one.name, one.signal, len(one.modifiers)) for one in found] == [
            ("signal", True, 0),
            ("ttbar", False, 1),
            ("wjets", False, 0),
        ]
        with pytest.raises(InputError, match="no sample hh; there are signal"):
            hc.io.histograms_of(given, signal="hh")

    def test_survives_a_copy(self, both):
        again = copy.deepcopy(both[1][1])
        np.testing.assert_array_equal(
            again.modifiers[0].up.histogram.values, both[1][1].modifiers[0].up.histogram.values
        )

    @pytest.mark.parametrize(
        ("histogram", "reason"),
        [
            (
                hist.Hist(AXIS, hist.axis.Regular(2, 0, 1, name="m"), storage="weight"),
                r"has the axes bdt, m; say which one is meant, as in axis = 'bdt'",
            ),
            (hist.Hist(hist.axis.StrCategory(["a", "b"], name="c"), storage="weight"), "no numbers but"),
            (hist.Hist(hist.axis.Regular(2, 0, 1), storage="weight"), "axis has no name"),
            (hist.Hist(AXIS).fill([0.2], weight=[2.0]), "does not know its variances"),
            (hist.Hist(AXIS, storage="weight"), "all 8 bins are empty"),
            (np.ones(8), "came as ndarray"),
        ],
    )
    def test_refused_with_a_reason(self, histogram, reason):
        with pytest.raises(InputError, match=reason):
            hc.Histogram("b", histogram)

    def test_edges_may_differ_by_rounding(self):
        edges = np.linspace(-0.3, 0.3, 7)
        other = edges + np.array([0, 0, 0, 5e-17, 0, 1e-12, 0])
        nominal, up = (hist.Hist(hist.axis.Variable(e, name="x"), storage="weight").fill([0.2]) for e in (edges, other))
        assert len(hc.Histogram("b", nominal, modifiers=hc.HistoSys("jes", up=up, down="mirror"))) == 6

    def test_variations_have_to_fit(self):
        other = hist.Hist(hist.axis.Regular(8, 0, 1, name="bdt"), storage="weight").fill([0.2])
        nominal = filled([0.2], [1.0])
        with pytest.raises(SampleError, match="has other bins"):
            hc.Histogram("b", nominal, modifiers=hc.HistoSys("jes", up=other, down="mirror"))
        with pytest.raises(SampleError, match="expected a histogram"):
            hc.Histogram("b", nominal, modifiers=hc.HistoSys("jes", up=np.ones(8), down="mirror"))
        with pytest.raises(SampleError, match="is a histogram, and the sample has events"):
            hc.Sample("b", {"bdt": [0.2]}, modifiers=hc.HistoSys("jes", up=nominal, down="mirror"))


class TestBinsAsEvents:
    def test_a_histogram_is_no_table(self):
        with pytest.raises(SampleError, match=r"take hepcuts\.Histogram\('b', histogram\)"):
            hc.Sample("b", filled([0.2], [1.0]))

    def test_centers_with_contents_as_weights(self):
        contents = hist.Hist(hist.axis.Regular(20, 0, 1)).fill(np.random.default_rng(1).beta(2, 4, 500))
        for centers in (contents.axes[0].centers, contents.axes[0].centers.astype(np.float32)):
            with pytest.raises(SampleError, match="20 values in equal steps"):
                hc.Sample("b", {"bdt": centers}, weights=contents.values())
        assert len(hc.Sample("b", {"bdt": centers}, weights=contents.values(), staterror=False)) == 20

    def test_what_looks_like_it_and_is_not(self):
        hc.Sample("b", {"n": np.arange(20)})
        hc.Sample("b", {"n": np.arange(20)}, weights=np.where(np.arange(20) < 5, -1.3, 1.3))
        hc.Sample("b", {"event": np.arange(20), "x": np.arange(20.0) ** 2}, weights=np.arange(20.0))
        hc.Sample("b", {"x": np.sort(np.random.default_rng(1).uniform(size=20))}, weights=np.arange(20.0))


CONFIG = """
[[sample]]
name = "signal"
file = "h.root"
histogram = "signal"
scale = 2.0
signal = true

[[sample]]
name = "ttbar"
file = ["h.root", "more.root"]
histogram = "ttbar/nominal"

  [[sample.systematic]]
  type = "histosys"
  name = "jes"
  up = {histogram = "ttbar/jes_up"}
  down = "mirror"

  [[sample.systematic]]
  type = "normsys"
  name = "xsec"
  up = 1.1
  down = 0.9

[[cut]]
variable = "bdt"
direction = ">"

[scan]
metrics = ["asimov", "profile"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("bins"), np.random.default_rng(3)
    for name in ("h.root", "more.root"):
        with uproot.recreate(path / name) as file:
            file["signal"] = filled(rng.beta(4, 2, 300), 0.1)
            file["ttbar/nominal"] = filled(rng.beta(2, 4, 900), 0.5)
            file["ttbar/jes_up"] = filled(rng.beta(2.1, 4, 900), 0.5)
    (path / "config.toml").write_text(CONFIG)
    return path


class TestConfiguration:
    def run(self, *arguments, status=0):
        found = click.testing.CliRunner().invoke(main, [str(one) for one in arguments])
        assert found.exit_code == status, found.output
        return found.output

    def test_is_scanned(self, folder, tmp_path):
        given = load(folder / "config.toml")
        parts = [uproot.open(folder / name) for name in ("h.root", "more.root")]
        signal, ttbar = given.samples
        np.testing.assert_allclose(signal.contents.values, 2 * parts[0]["signal"].values(flow=True), rtol=1e-12)
        np.testing.assert_allclose(signal.contents.variances, 4 * parts[0]["signal"].variances(flow=True), rtol=1e-12)
        for found, name in ((ttbar.contents, "nominal"), (ttbar.modifiers[0].up.histogram, "jes_up")):
            expected = sum(part[f"ttbar/{name}"].values(flow=True) for part in parts)
            np.testing.assert_allclose(found.values, expected, rtol=1e-12)
        told = self.run("scan", folder / "config.toml", "-o", tmp_path)
        assert "8 bins" in told
        assert "no held-out values, replicas of bins" in told
        assert {path.name for path in tmp_path.iterdir()} == {"bdt.csv", "bdt.png", "bdt.html"}

    def test_is_checked_and_not_optimized(self, folder, tmp_path):
        assert "ttbar   background  8 bins" in self.run("check", folder / "config.toml")
        told = self.run("optimize", folder / "config.toml", "-o", tmp_path, status=1)
        assert "got Histogram; a histogram can be scanned" in told

    def test_cuts_are_evaluated(self, folder, tmp_path):
        signal, ttbar = load(folder / "config.toml").samples
        told = self.run("evaluate", folder / "config.toml", "-o", tmp_path, "--set", "cut.1.threshold=0.7")
        templates = hc.fill([signal, ttbar], hc.Cut("bdt", ">", 0.7))
        z = float(hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(templates))))
        assert f"Z = {z:.4f}" in told
        found = json.loads((tmp_path / "evaluation.json").read_text())
        assert found["significance"] == pytest.approx(z, rel=1e-9)
        assert found["thresholds"] == {"bdt": 0.7}
        for row, sample in zip(found["yields"], (signal, ttbar), strict=True):
            assert row["after"] == pytest.approx(sample.contents.values[-4:].sum(), rel=1e-12)
            assert row["before"] == pytest.approx(sample.total, rel=1e-12)
            assert (row["events"], row["events_before"]) == (None, None)

    def test_cuts_of_a_result_are_evaluated_if_they_are_at_edges(self, folder, tmp_path):
        rng = np.random.default_rng(1)
        events = [hc.Sample(n, {"bdt": rng.beta(a, b, 300)}, signal=n == "s") for n, a, b in (("s", 5, 2), ("b", 2, 5))]
        found = hc.optimize(
            events, hc.Cut("bdt", ">"), folds=0, anneal=(1.0,), replicas=0, objective="asimov", holdout=None
        )
        path = tmp_path / "result.json"
        given = ("evaluate", folder / "config.toml", "-o", tmp_path, "--cuts", path)
        found.save(path)
        told = " ".join(self.run(*given, status=1).split())
        assert "is no edge of the histograms" in told
        dataclasses.replace(found, selection=hc.Selection([hc.Cut("bdt", ">", 0.5)])).save(path)
        assert "After bdt > 0.5" in self.run(*given)

    def test_cutflow(self, folder):
        signal, ttbar = load(folder / "config.toml").samples
        told = self.run("cutflow", folder / "config.toml", "--set", "cut.1.threshold=0.7", "--format", "csv")
        rows = [line.split(",") for line in told.splitlines()[1:]]
        assert [row[0] for row in rows] == ["all events", "all events", "bdt > 0.7", "bdt > 0.7"]
        expected = [sample.contents.values[start:].sum() for start in (0, -4) for sample in (signal, ttbar)]
        assert [float(row[2]) for row in rows] == pytest.approx(expected, rel=1e-12)
        z = hc.discovery_significance(
            hc.HistFactory.from_workspace(hc.workspace(hc.fill([signal, ttbar], hc.Cut("bdt", ">", 0.7))))
        )
        assert float(rows[-1][-1]) == pytest.approx(float(z), rel=1e-6)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (
                ("cut.1.threshold=0.72",),
                "0.72 is no edge of the histograms, so that what passes is not known; the nearest: 0.7 and 0.85",
            ),
            ((), "Histograms of one variable take one cut with its thresholds, not bdt > ?"),
        ],
    )
    def test_other_thresholds_are_refused(self, folder, tmp_path, settings, message):
        given = [word for one in settings for word in ("--set", one)]
        for command in (("evaluate", "-o", tmp_path), ("cutflow",)):
            assert message in " ".join(
                self.run(command[0], folder / "config.toml", *command[1:], *given, status=1).split()
            )

    def test_observed_data_are_a_histogram_too(self, folder, tmp_path):
        with uproot.recreate(folder / "data.root") as file:
            file["bdt"] = filled([0.2, 0.75, 0.95, 1.5], 1.0)
        (folder / "data.toml").write_text(CONFIG + '[data]\nfile = "data.root"\nhistogram = "bdt"\n')
        given = ("evaluate", folder / "data.toml", "-o", tmp_path, "--set", "cut.1.threshold=0.7")
        self.run(*given)
        assert json.loads((tmp_path / "workspace.json").read_text())["observations"][0]["data"] != [3.0]
        self.run(*given, "--unblind")
        assert json.loads((tmp_path / "workspace.json").read_text())["observations"][0]["data"] == [3.0]

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("scale = 2.0", 'weight = "w"', "weight is of events, and with histogram = ... there are none"),
            ('histogram = "signal"', "", "sample signal has no histogram, and others have"),
            ('histogram = "signal"', 'histogram = "s"', "h.root: it has no histogram 's'"),
            ('{histogram = "ttbar/jes_up"}', '{columns = {x = "y"}}', "columns is of events, and the sample is"),
            ('type = "histosys"', 'type = "histosys"\n  effect = "shape"', "effect = 'shape' is of events"),
            ("[scan]", '[data]\nfile = "h.root"\nhistogram = "h"\ntree = "t"\n[scan]', "tree is of events"),
            ("[scan]", '[data]\nfile = "h.root"\naxis = 1\n[scan]', "axis is of histograms, and there is no"),
            ("[scan]", '[[region]]\nname = "c"\n[scan]', "expected one .*cut.*, and neither .*axis.* nor .*region"),
        ],
    )
    def test_mistakes(self, folder, old, new, message):
        (folder / "wrong.toml").write_text(CONFIG.replace(old, new))
        with pytest.raises(InputError, match=message):
            load(folder / "wrong.toml")
