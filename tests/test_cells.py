"""Histograms of several axes, of which one is cut on."""

import copy
import pickle

import boost_histogram as bh
import hist
import numpy as np
import pytest
import uproot

import hepcuts as hc
from hepcuts._core.cells import Cells
from hepcuts._core.errors import InputError
from hepcuts.cli.configuration import load

BDT = hist.axis.Variable([0.0, 0.1, 0.25, 0.5, 0.9, 1.0], name="bdt", label="score")
MASS = hist.axis.Regular(3, 0, 300, name="mass", underflow=False)
ALL_MASSES = hist.axis.Regular(3, 0, 300, name="mass")
NJET = hist.axis.Integer(0, 4, name="njet")


def events(seed, size=300):
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 0.4, size), rng.normal(150, 150, size), rng.poisson(2, size), rng.normal(1, 0.7, size)


def filled(axes, seed, shift=0.0, weight=1.0):
    """Events beyond the edges of all axes among them, and negative weights."""
    bdt, mass, njet, weights = events(seed)
    columns = {"bdt": bdt + shift, "mass": mass, "njet": njet}
    made = hist.Hist(*axes, storage="weight")
    return made.fill(*(columns[axis.name] for axis in axes), weight=weight * weights)


@pytest.mark.parametrize("axes", [(BDT, MASS), (MASS, BDT), (NJET, BDT, MASS)], ids=lambda axes: f"{len(axes)} axes")
class TestSums:
    def test_are_those_of_the_events(self, axes):
        read = hc.Histogram("b", filled(axes, 1), axis="bdt")
        one = hc.Histogram("b", filled([BDT], 1))
        inside = events(1)[1] >= 0  # the axis of the mass does not keep what lies below
        expected = hist.Hist(BDT, storage="weight").fill(events(1)[0][inside], weight=events(1)[3][inside])
        np.testing.assert_allclose(read.contents.values, expected.values(flow=True), rtol=1e-12)
        np.testing.assert_allclose(read.contents.variances, expected.variances(flow=True), rtol=1e-12)
        assert read.contents.values.shape == one.contents.values.shape
        assert read.variable == "bdt"

    def test_axis_by_name_title_number_and_variable(self, axes):
        given, number = filled(axes, 1), axes.index(BDT)
        expected = hc.Histogram("b", given, axis="bdt").contents.values
        for how in ({"axis": "score"}, {"axis": number}, {"variable": "bdt"}, {"axis": "bdt", "variable": "nn"}):
            np.testing.assert_array_equal(hc.Histogram("b", given, **how).contents.values, expected)

    def test_variations_have_the_same_axis(self, axes):
        jes = hc.HistoSys("jes", up=filled(axes, 1, 0.05), down=filled(axes, 1, -0.05))
        given = hc.Histogram("b", filled(axes, 1), axis="bdt", modifiers=[jes, hc.NormSys("xsec", 1.1, 0.9)])
        up = hc.Histogram("up", filled(axes, 1, 0.05), axis="bdt")
        np.testing.assert_array_equal(given.modifiers[0].up.histogram.values, up.contents.values)
        signal = hc.Histogram("s", filled(axes, 2, 0.3), axis="bdt", signal=True)
        templates = hc.fill([signal, given], hc.Cut("bdt", ">", 0.5))
        assert templates.varied("jes", "up")[1, 0] == pytest.approx(up.contents.values[-3:].sum(), rel=1e-12)


class TestAxes:
    def test_of_root(self, tmp_path):
        with uproot.recreate(tmp_path / "h.root") as file:
            file["two"], file["three"] = filled([BDT, NJET], 1), filled([NJET, ALL_MASSES, BDT], 1)
        with uproot.open(tmp_path / "h.root") as file:
            for name, axis in (("two", "x"), ("two", "score"), ("two", 0), ("three", "z"), ("three", 2)):
                read = hc.Histogram("b", file[name], axis=axis, variable="bdt")
                expected = hc.Histogram("b", filled([BDT], 1)).contents
                np.testing.assert_allclose(read.contents.values, expected.values, rtol=1e-12)
                np.testing.assert_allclose(read.contents.variances, expected.variances, rtol=1e-12)
            # The title of the axis is the variable.
            assert len(hc.Histogram("b", file["two"], variable="njet")) == 4
            with pytest.raises(InputError, match=r"axes x \(score\), y \(njet\); say which one is meant"):
                hc.Histogram("b", file["two"], variable="bdt")

    def test_of_boost_histogram_by_letter(self):
        axes = bh.axis.Regular(2, 0, 1), bh.axis.Regular(3, 0, 1)
        plain = bh.Histogram(*axes, storage=bh.storage.Weight()).fill([0.2, 0.7], [0.5, 3.0])
        assert hc.Histogram("b", plain, axis="x", variable="bdt").contents.values.tolist() == [0, 1, 1, 0]
        assert hc.Histogram("b", plain, axis="y", variable="bdt").contents.values.tolist() == [0, 0, 1, 0, 1]

    @pytest.mark.parametrize(
        ("how", "reason"),
        [
            ({}, "axes bdt, mass; say which one is meant, as in axis = 'bdt'"),
            ({"variable": "pt"}, "say which one is meant"),
            ({"axis": "pt"}, "no axis 'pt'.* it has bdt .score., mass"),
            ({"axis": 2}, "no axis 2"),
            ({"axis": "x"}, "no axis 'x'"),
        ],
    )
    def test_refused_with_the_axes_that_there_are(self, how, reason):
        with pytest.raises(InputError, match=reason.replace("axes bdt, mass", r"axes bdt \(score\), mass")):
            hc.Histogram("b", filled([BDT, MASS], 1), **how)

    def test_a_profile_holds_no_numbers_of_events(self):
        profile = hist.Hist(BDT, storage="mean").fill([0.2, 0.3], sample=[3.0, 5.0])
        with pytest.raises(InputError, match="holds means of events"):
            hc.Histogram("b", profile)

    def test_survives_a_copy_and_a_process(self):
        jes = hc.HistoSys("jes", up=filled([BDT, MASS], 1, 0.05), down="mirror")
        for again in (copy.deepcopy(jes), pickle.loads(pickle.dumps(jes))):  # noqa: S301 (our own)
            given = hc.Histogram("b", filled([BDT, MASS], 1), axis="bdt", modifiers=again)
            assert given.modifiers[0].up.histogram.edges.tolist() == BDT.edges.tolist()


SYSTEMATIC = hist.axis.StrCategory(["nominal", "jesUp"], name="systematic")
DATASET = hist.axis.StrCategory(["hh", "ttbar"], name="dataset", growth=True)


@pytest.fixture(scope="module")
def coffea():
    made = hist.Hist(DATASET, SYSTEMATIC, BDT, MASS, storage="weight")
    for number, dataset in enumerate(("hh", "ttbar")):
        for systematic, shift in (("nominal", 0.0), ("jesUp", 0.05)):
            bdt, mass, _, weights = events(number)
            made.fill(dataset=dataset, systematic=systematic, bdt=bdt + shift, mass=mass, weight=weights)
    return made


class TestCategories:
    def test_variations_are_never_summed(self, coffea):
        with pytest.raises(
            InputError, match=r"axis dataset has the categories hh, ttbar, which are not summed; choose"
        ):
            hc.Histogram("hh", coffea, axis="bdt")
        with pytest.raises(InputError, match=r"h\[\{'systematic': 'nominal'\}\], in a configuration select = "):
            hc.Histogram("hh", coffea[{"dataset": "hh"}], axis="bdt")

    def test_are_taken_apart_along_the_axis(self, coffea):
        signal, ttbar = hc.io.histograms_of(coffea, signal="hh", axis="bdt")
        assert (signal.variable, ttbar.modifiers[0].name) == ("bdt", "jes")
        expected = hc.Histogram("b", filled([BDT, MASS], 1, 0.05), axis="bdt")
        np.testing.assert_allclose(ttbar.modifiers[0].up.histogram.values, expected.contents.values, rtol=1e-12)

    def test_one_or_several_are_chosen(self, coffea):
        cells = Cells.of(coffea, "h")
        one, two = (
            cells.along("bdt", "h", select={"dataset": name, "systematic": "nominal"}).values
            for name in ("hh", "ttbar")
        )
        both = cells.along("bdt", "h", select={"dataset": ["hh", "ttbar"], "systematic": "nominal"})
        np.testing.assert_allclose(both.values, one + two, rtol=1e-12)
        with pytest.raises(InputError, match="axis dataset has no category zz; it has hh, ttbar"):
            cells.along("bdt", "h", select={"dataset": "zz"})


CONFIG = """
[[sample]]
name = "signal"
file = "h.root"
histogram = "signal"
axis = "y"
signal = true

[[sample]]
name = "ttbar"
file = "h.root"
histogram = "all"
axis = 2
select = {dataset = "ttbar", systematic = "nominal"}

  [[sample.systematic]]
  type = "histosys"
  name = "jes"
  up = {select = {systematic = "jesUp"}}
  down = "mirror"

[[cut]]
variable = "bdt"
direction = ">"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells")
    made = hist.Hist(DATASET, SYSTEMATIC, BDT, storage="weight")
    for systematic, shift in (("nominal", 0.0), ("jesUp", 0.05)):
        bdt, _, _, weights = events(1)
        made.fill(dataset="ttbar", systematic=systematic, bdt=bdt + shift, weight=weights)
    with uproot.recreate(path / "h.root") as file:
        file["signal"], file["all"] = filled([NJET, BDT], 2, 0.2), made
        file["h"] = filled([BDT], 1)
    return path


class TestConfiguration:
    def read(self, folder, text):
        (folder / "config.toml").write_text(text)
        return load(folder / "config.toml").samples

    def test_axis_and_categories(self, folder):
        signal, ttbar = self.read(folder, CONFIG)
        np.testing.assert_allclose(
            signal.contents.values, hc.Histogram("s", filled([BDT], 2, 0.2)).contents.values, rtol=1e-12
        )
        nominal, up = (hc.Histogram("b", filled([BDT], 1, shift)).contents.values for shift in (0.0, 0.05))
        # uproot writes what lies beyond the edges only if all axes keep it, which those of categories do not.
        np.testing.assert_allclose(ttbar.contents.values[1:-1], nominal[1:-1], rtol=1e-12)
        np.testing.assert_allclose(ttbar.modifiers[0].up.histogram.values[1:-1], up[1:-1], rtol=1e-12)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('axis = "y"\n', "", r"h\.root: 'signal': the histogram has the axes x \(njet\), y \(score\); say which"),
            ('axis = "y"\n', 'axis = "w"\n', r"no axis 'w', or several; it has x \(njet\), y \(score\)"),
            (
                'select = {dataset = "ttbar", systematic = "nominal"}\n',
                "",
                "categories hh, ttbar, which are not summed",
            ),
            ('axis = "y"\n', "axis = -1\n", "axis came as -1; expected"),
        ],
    )
    def test_mistakes(self, folder, old, new, message):
        with pytest.raises(InputError, match=message):
            self.read(folder, CONFIG.replace(old, new))

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            ('axis = "x"', "axis is of histograms, and there is no histogram"),
            ('select = {a = "b"}', "select is of histograms"),
            (
                '[[sample.systematic]]\ntype = "histosys"\nname = "jes"\nup = {histogram = "h"}\ndown = "mirror"',
                "histogram is of histograms, and there is no histogram",
            ),
        ],
    )
    def test_of_events_there_are_no_axes(self, folder, key, message):
        text = f'[[sample]]\nname = "s"\nfile = "h.root"\n{key}\n[[cut]]\nvariable = "x"\ndirection = ">"\n'
        with pytest.raises(InputError, match=message):
            self.read(folder, text)
