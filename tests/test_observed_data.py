"""Observed data, control regions and labels of a configuration: read when they are asked for, and only then."""

import json
import re
from pathlib import Path

import click.testing
import matplotlib.pyplot as plt
import numpy as np
import pytest

import hepcuts as hc
from hepcuts import plotting
from hepcuts._core.errors import InputError
from hepcuts.cli.commands import main
from hepcuts.cli.configuration import load
from hepcuts.cli.figure_labels import labeled
from hepcuts.cli.origin import origin_of
from hepcuts.histfactory import HistFactory

CONFIG = """
luminosity = 139.0
energy = 13.6
preselection = "trig"

[labels]
experiment = "ATLAS Internal"
variables = {x = "$m_T$ [GeV]"}
samples = {background = '$t\\bar{t}$'}

[[sample]]
name = "signal"
file = "signal.csv"
scale = 0.01
signal = true

[[sample]]
name = "background"
file = "background.csv"
scale = 0.1

  [[sample.systematic]]
  type = "normfactor"
  name = "k"

[data]
file = "data.csv"
preselection = "good"

[[cut]]
variable = "x"
direction = ">"
threshold = 2.0

[[cut]]
variable = "y"
direction = "<"
threshold = 0.9

[axis]
variable = "z"
edges = [0.0, 0.5, 1.0]

[[region]]
name = "control"
inverted = ["x"]
"""
# Events of this file lie outside of the axis.
pytestmark = pytest.mark.filterwarnings("ignore:Selected events outside the axis")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("observed"), np.random.default_rng(4)
    for name, size, mean in (("signal", 500, 3.0), ("background", 2000, 1.0), ("data", 250, 1.2)):
        columns = [rng.exponential(mean, size), *rng.uniform(size=(2, size)), *(rng.integers(0, 8, (2, size)) > 0)]
        columns[2][:3] = 1.5
        np.savetxt(path / f"{name}.csv", np.transpose(columns), delimiter=",", header="x,y,z,trig,good", comments="")
    (path / "config.toml").write_text(CONFIG)
    return path


def run(*arguments, status=0):
    found = click.testing.CliRunner().invoke(main, [str(one) for one in arguments])
    assert found.exit_code == status, found.output
    return found.output


def test_the_counts_are_those_of_the_file(folder, tmp_path):
    told = run("evaluate", folder / "config.toml", "--unblind", "-o", tmp_path)
    x, y, z, trig, good = np.loadtxt(folder / "data.csv", delimiter=",", skiprows=1, unpack=True)
    passed = (trig > 0) & (good > 0) & (y < 0.9)
    signal, control = passed & (x > 2.0), passed & ~(x > 2.0)
    workspace = json.loads((tmp_path / "workspace.json").read_text())
    found = {one["name"]: one["data"] for one in workspace["observations"]}
    assert found == {
        "signal_region": np.histogram(z[signal], [0.0, 0.5, 1.0])[0].tolist(),
        "control": [np.count_nonzero(control)],
    }
    assert "Asimov" not in workspace["measurements"][0]["name"]
    # What data say is told by the command for it.
    assert "observed" not in told.replace("The observed counts are in", "")
    assert "observed" in run("significance", tmp_path / "workspace.json")


def test_without_a_word_nobody_reads_the_data(folder, tmp_path):
    blind = folder / "blind.toml"
    blind.write_text(CONFIG.replace("data.csv", "is-not-there.csv"))
    told = run("evaluate", blind, "-o", tmp_path)
    workspace = json.loads((tmp_path / "workspace.json").read_text())
    assert "Asimov" in workspace["measurements"][0]["name"]
    assert [channel["name"] for channel in workspace["channels"]] == ["signal_region", "control"]
    assert [line.split()[:2] for line in told.splitlines() if "control" in line] == [
        ["control", "signal"],
        ["control", "background"],
    ]
    run("check", blind)
    run("cutflow", blind)
    # Nor are they among the inputs whose checksums a result keeps.
    assert [Path(one.path).name for one in origin_of(blind, {})["inputs"]] == ["signal.csv", "background.csv"]
    assert "is-not-there.csv" in run("evaluate", blind, "--unblind", "-o", tmp_path, status=1)


def test_data_change_nothing_that_is_expected(folder, tmp_path):
    run("evaluate", folder / "config.toml", "-o", tmp_path / "blind")
    run("evaluate", folder / "config.toml", "--unblind", "-o", tmp_path / "open")
    documents = [json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("blind", "open")]
    assert documents[0] == documents[1]
    expected = HistFactory.from_workspace(json.loads((tmp_path / "blind" / "workspace.json").read_text()))
    assert documents[0]["significance"] == pytest.approx(float(hc.discovery_significance(expected)), rel=1e-9)


def test_without_data_there_is_nothing_to_unblind(folder, tmp_path):
    text = CONFIG[: CONFIG.index("[data]")] + CONFIG[CONFIG.index("[[cut]]") :]
    (folder / "none.toml").write_text(text)
    assert "no observed data" in run("evaluate", folder / "none.toml", "--unblind", "-o", tmp_path, status=1)


def test_labels_stand_in_the_figures(folder):
    given = load(folder / "config.toml")
    drawing = labeled(plotting.distributions(given.samples, "x"), given.document)
    assert drawing.ax.get_xlabel() == "$m_T$ [GeV]"
    assert re.fullmatch(r"Events / [\d.]+ GeV", drawing.ax.get_ylabel())
    legend = [text.get_text() for text in drawing.ax.get_legend().get_texts()]
    assert legend[:2] == ["signal", r"$t\bar{t}$"]
    assert drawing.ax.get_title(loc="left") == "ATLAS Internal"
    assert drawing.ax.get_title(loc="right") == r"$139\ \mathrm{fb}^{-1}$ (13.6 TeV)"
    plt.close(drawing.figure)
    drawing = labeled(plotting.before_after(given.samples, given.selection, "x"), given.document)
    left = drawing.axes[0].get_title(loc="left")
    assert left == "Before the selection\nATLAS Internal"
    plt.close(drawing.figure)


def test_regions_have_axes_of_their_own(folder):
    text = CONFIG + 'axis = {variable = "w", edges = [0.0, 1.0]}\n'
    (folder / "axes.toml").write_text(text.replace("[labels]", '[define]\nw = "x * z"\n[labels]'))
    given = load(folder / "axes.toml")
    assert [region.axis.name for region in given.regions] == ["w"]
    assert "w" in given.samples[0].columns
    assert given.optimize["regions"] == list(given.regions)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[data]", "[data]\nweight = 2", r"unknown key 'weight'.*Known are axis, .*histogram, .*tree"),
        ('file = "data.csv"', "", r"\[data\]: 'file' is missing"),
        ("energy = 13.6", "energy = 0", "energy came as 0; expected a number greater than 0"),
        ('inverted = ["x"]', "axis = 3", "axis came as 3"),
    ],
)
def test_mistakes_name_the_place(folder, old, new, message):
    (folder / "wrong.toml").write_text(CONFIG.replace(old, new))
    with pytest.raises(InputError, match=message):
        load(folder / "wrong.toml")
