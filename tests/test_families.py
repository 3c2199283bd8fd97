"""Families of systematics, their envelope, parts of their effect, and what is left out for having hardly any."""

import copy
import json

import click.testing
import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.cli.commands import main
from hepcuts.cli.configuration import load
from hepcuts.optimization.certify import certify
from hepcuts.samples.envelopes import envelope
from hepcuts.templates.pruning import pruned

MEMBERS = ("a", "b", "c")
AXIS = hist.axis.Regular(4, 0, 1, name="y")


def simulated(seed=1, size=400):
    """Signal and background, whose weights vary in three ways that cross each other along x."""
    rng = np.random.default_rng(seed)
    columns = {"x": rng.exponential(1.0, size), "y": rng.uniform(size=size)}
    weights = rng.uniform(0.5, 1.5, size)
    shifts = (0.2 * np.tanh(columns["x"] - 1.0), 0.4 * (columns["y"] - 0.5), 0.05 * np.cos(3 * columns["x"]))
    varied = {name: weights * (1.0 + shift) for name, shift in zip(MEMBERS, shifts, strict=True)}
    signal = hc.Sample("s", {"x": rng.exponential(2.0, size), "y": rng.uniform(size=size)}, signal=True)
    background = hc.Sample("b", columns, weights=weights, modifiers=envelope("pdf", varied))
    return [signal, background], varied


@pytest.fixture(scope="module")
def samples():
    return simulated()


def by_hand(background, varied, passed):
    bins = np.floor(4 * background.columns["y"]).astype(int)
    rows = [
        np.bincount(bins[passed], weights[passed], minlength=4) for weights in (background.weights, *varied.values())
    ]
    return np.max(rows, axis=0), np.min(rows, axis=0)


class TestEnvelope:
    def test_spans_all_members_bin_by_bin_after_the_cuts(self, samples):
        (signal, background), varied = samples
        templates = hc.fill([signal, background], hc.Cut("x", ">", 0.5), axis=AXIS)
        upper, lower = by_hand(background, varied, background.columns["x"] > 0.5)
        np.testing.assert_allclose(templates.varied("pdf", "up")[1], upper, rtol=1e-12)
        np.testing.assert_allclose(templates.varied("pdf", "down")[1], lower, rtol=1e-12)
        np.testing.assert_array_equal(templates.varied("pdf", "up")[0], templates.nominal[0])
        assert np.any(upper != templates.varied("pdf[a]", "up")[1])  # no member is the envelope everywhere

    def test_is_one_parameter_of_the_workspace(self, samples):
        templates = hc.fill(samples[0], hc.Cut("x", ">", 0.5), axis=AXIS)
        modifiers = hc.workspace(templates)["channels"][0]["samples"][1]["modifiers"]
        assert [one["name"] for one in modifiers if one["type"] == "histosys"] == ["pdf"]
        assert modifiers[0]["data"]["hi_data"] == templates.varied("pdf", "up")[1].tolist()

    def test_of_the_sum_of_two_parts(self, samples):
        (signal, background), _ = samples
        even = np.arange(len(background)) % 2 == 0
        parts = [hc.fill([signal.take(some), background.take(some)], None, axis=AXIS) for some in (even, ~even)]
        whole = hc.fill([signal, background], None, axis=AXIS)
        np.testing.assert_allclose((parts[0] + parts[1]).yields.values, whole.yields.values, rtol=1e-12)

    def test_scan_and_search_follow_it(self, samples):
        (signal, background), varied = samples
        scan = hc.scan([signal, background], hc.Cut("x", ">"), thresholds=[0.5, 1.0], metrics=["asimov"], replicas=10)
        found = scan.table.yields_at(slice(None)).values
        for row, threshold in enumerate((0.5, 1.0)):
            passed = background.columns["x"] > threshold
            sums = [weights[passed].sum() for weights in (background.weights, *varied.values())]
            np.testing.assert_allclose(found[row, 1:3, 1, 0], [max(sums), min(sums)], rtol=1e-12)
        assert np.isfinite(scan.optimum("asimov").held_out)
        options = {"objective": "asimov", "holdout": None, "folds": 0, "replicas": 0}
        result = hc.optimize([signal, background], hc.Cut("x", ">", 0.5), **options)
        at = hc.fill([signal, background], result.selection)
        assert result.workspace["channels"][0]["samples"] == hc.workspace(at)["channels"][0]["samples"]

    def test_of_histograms(self):
        def filled(*counts):
            found = hist.Hist(AXIS, storage="weight")
            found.view().value, found.view().variance = counts, np.ones(4)
            return found

        members = envelope("scale", [filled(2, 9, 3, 4), filled(1, 8, 5, 4)])
        background = hc.Histogram("b", filled(1, 10, 3, 4), modifiers=members)
        templates = hc.fill([background, hc.Histogram("s", filled(1, 1, 1, 1), signal=True)], None)
        assert templates.varied("scale", "up")[0].tolist() == [2, 10, 5, 4]
        assert templates.varied("scale", "down")[0].tolist() == [1, 8, 3, 4]

    def test_survives_copies_and_parts(self, samples):
        background = copy.deepcopy(samples[0][1]).take(np.arange(10))
        assert [one.name for one in background.modifiers] == ["pdf", "pdf[a]", "pdf[b]", "pdf[c]"]
        assert background.modifiers[0].members == ("pdf[a]", "pdf[b]", "pdf[c]")

    def test_refused_where_parts_are_added(self, samples):
        for call in (
            lambda: hc.bin_edges(samples[0], "x", num_bins=2),
            lambda: certify(samples[0], hc.Cut("x", ">", 1.0), objective="asimov"),
        ):
            with pytest.raises(InputError, match="the envelope 'pdf' is not possible"):
                call()
        with pytest.raises(InputError, match="has no members"):
            envelope("pdf", {})


class TestPruning:
    def test_what_hardly_matters_is_left_out_and_said(self):
        rng = np.random.default_rng(2)
        x, y = rng.exponential(1.0, 500), rng.uniform(size=500)
        moved = hc.HistoSys("jes", up={"x": 1.05 * x}, down={"x": 0.95 * x})
        small = hc.HistoSys("tiny", up=np.full(500, 1.0004), down="mirror")
        norms = [hc.NormSys("jes", 1.001, 0.999), hc.NormSys("xsec", 1.1, 0.9), hc.Lumi(0.001)]
        background = hc.Sample("b", {"x": x, "y": y}, modifiers=[moved, small, *norms])
        other = hc.Sample("c", {"x": x, "y": y}, modifiers=[hc.HistoSys("tiny", up=np.full(500, 1.2), down="mirror")])
        signal = hc.Sample("s", {"x": 2 * x, "y": y}, signal=True)
        templates = hc.fill([signal, background, other], hc.Cut("x", ">", 1.0), axis=AXIS)
        kept, dropped = pruned(templates, 0.005)
        assert [(one.sample, one.name) for one in dropped] == [("b", "tiny"), ("b", "jes")]
        assert [one.effect for one in dropped] == pytest.approx([0.0004, 0.001])
        assert [type(one).__name__ for one in kept.structure.components[1].modifiers] == ["HistoSys", "NormSys", "Lumi"]
        np.testing.assert_array_equal(kept.varied("jes", "up"), templates.varied("jes", "up"))
        np.testing.assert_array_equal(kept.varied("tiny", "up")[1], kept.nominal[1])
        np.testing.assert_array_equal(kept.varied("tiny", "up")[2], templates.varied("tiny", "up")[2])
        names = [m["name"] for m in hc.workspace(kept)["channels"][0]["samples"][1]["modifiers"]]
        assert names[:3] == ["jes", "xsec", "lumi"]

    def test_a_parameter_that_nobody_has_is_gone(self, samples):
        templates = hc.fill(samples[0], hc.Cut("x", ">", 0.5))
        kept, (dropped,) = pruned(templates, 0.99)
        assert kept.structure.variations == ("nominal",)
        assert str(dropped).startswith("pdf of b in signal_region: at most 0.")
        assert pruned(templates, 1e-9)[1] == ()
        with pytest.raises(InputError, match="expected a fraction"):
            pruned(templates, 5)


CONFIG = """
{top}
[[sample]]
name = "signal"
file = "events.csv"
signal = true

[[sample]]
name = "background"
file = "events.csv"
weight = "w"

  [[sample.systematic]]
  {systematic}

[[cut]]
variable = "x"
direction = ">"
threshold = 0.5
"""
HISTOSYS = 'type = "histosys"\n  name = "e"\n  up = {weight = "w * v_0"}\n  down = {columns = {x = "x + 1"}}\n'


@pytest.fixture
def write(tmp_path):
    columns = np.array([[0.2, 1.0, 1.1, 0.9], [0.8, 1.0, 1.0, 1.2], [1.4, 0.5, 0.9, 1.1]])
    np.savetxt(tmp_path / "events.csv", columns, delimiter=",", header="x,w,v_0,v_1", comments="")

    def write(systematic, top=""):
        (tmp_path / "config.toml").write_text(CONFIG.replace("{systematic}", systematic).replace("{top}", top))
        return tmp_path / "config.toml"

    return write


class TestConfiguration:
    def test_envelope_of_a_pattern(self, write):
        given = load(write('type = "weights"\n  name = "pdf"\n  weight = "w * v_*"\n  combine = "envelope"'))
        templates = hc.fill(given.samples, given.selection)
        assert [m.name for m in given.samples[1].modifiers] == ["pdf", "pdf[v_0]", "pdf[v_1]"]
        assert templates.varied("pdf", "up")[1].tolist() == [pytest.approx(1.2 + 0.55)]
        assert templates.varied("pdf", "down")[1].tolist() == [pytest.approx(1.0 + 0.45)]

    @pytest.mark.parametrize(
        "weight", ["w*v_*", "w * v_*", "2*w*v_*", "v_* * w", "v_?*w", "(w)*v_*", "w*v_*/(2*w)", "w**2*v_*"]
    )
    def test_stars_are_wildcards_or_multiplications(self, write, weight):
        given = load(write(f'type = "weights"\n  name = "pdf"\n  weight = "{weight}"'))
        assert [m.name for m in given.samples[1].modifiers] == ["pdf_v_0", "pdf_v_1"]

    @pytest.mark.parametrize("weight", ["w", "w * x", "2*w", "w*u_*"])
    def test_no_family(self, write, weight):
        with pytest.raises(
            InputError, match=r"expected one column with a wildcard|no column matches .*; there are x, w"
        ):
            load(write(f'type = "weights"\n  name = "pdf"\n  weight = "{weight}"'))

    def test_normalization_only(self, write):
        background = load(write(HISTOSYS + '  effect = "normalization"')).samples[1]
        assert background.modifiers == (hc.NormSys("e", (1.1 + 1.0 + 0.45) / 2.5, 1.0),)
        mirrored = HISTOSYS.replace('{columns = {x = "x + 1"}}', '"mirror"')
        background = load(write(mirrored + '  effect = "normalization"')).samples[1]
        assert background.modifiers[0].down == pytest.approx(2.0 - 2.55 / 2.5)

    def test_shape_only(self, write):
        background = load(write(HISTOSYS + '  effect = "shape"')).samples[1]
        (modifier,) = background.modifiers
        np.testing.assert_allclose(modifier.up.weights, np.array([1.1, 1.0, 0.45]) * 2.5 / 2.55)
        assert np.sum(modifier.up.weights) == pytest.approx(background.total, rel=1e-12)
        # What only moves events has no normalization before the cuts.
        np.testing.assert_array_equal(modifier.down.columns["x"], [1.2, 1.8, 2.4])
        np.testing.assert_allclose(background.varied(modifier.down)[1], background.weights)

    def test_pruned_systematics_are_listed(self, write, tmp_path):
        path = write('type = "normsys"\n  name = "trigger"\n  up = 1.001\n  down = 0.999', "prune = 0.005")
        found = click.testing.CliRunner().invoke(main, ["evaluate", str(path), "-o", str(tmp_path / "out")])
        assert "pruned: trigger of background in signal_region: at most 0.001" in found.output
        document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
        assert [(one["name"], one["sample"]) for one in document["pruned"]] == [("trigger", "background")]
        assert "trigger" not in (tmp_path / "out" / "workspace.json").read_text()

    def test_refused(self, write):
        family = 'type = "weights"\n  name = "pdf"\n  weight = "w * v_*"\n  combine = "envelope"\n'
        with pytest.raises(InputError, match="effect = 'normalization' has no envelope"):
            load(write(family + '  effect = "normalization"'))
        with pytest.raises(InputError, match=r"prune came as 5; expected a number less than 1"):
            load(write(HISTOSYS, "prune = 5"))
