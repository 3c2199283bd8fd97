"""The main result of a command is on disk before anything secondary begins, and stays there."""

import dataclasses
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import hepcuts as hc
from hepcuts import plotting
from hepcuts import study as study_module
from hepcuts._core.errors import InputError
from hepcuts.cli.commands import main
from hepcuts.optimization import single_cuts
from hepcuts.optimization.single_cuts import OtherCuts, compare_with_single_cuts, comparisons

CONFIG = """
[[sample]]
name = "signal"
file = "signal.csv"
weight = "w"
signal = true

[[sample]]
name = "background"
file = "background.csv"
weight = "w"

  [[sample.systematic]]
  type = "normfactor"
  name = "b_norm"

[[cut]]
variable = "x"
direction = ">"
threshold = 0.5

[[cut]]
variable = "y"
direction = ">"
threshold = -1.0

[[cut]]
variable = "z"
direction = "<"
threshold = 1.0

[[region]]
name = "control"
inverted = ["x"]
without = ["z"]

[optimize]
folds = 0
holdout = 0
anneal = [1.0]
solver = "lbfgs"
objective = "profile"

[scan]
metrics = ["asimov"]
"""
FILES = {"result.json", "workspace.json"}
TABLES = {"tables", "cuts.txt", "report.html"}


def events(size=300):
    r = np.random.default_rng(3)
    for name, at, weight in (("signal", 1.0, 0.1), ("background", 0.0, 2.0)):
        yield name, {"x": r.normal(at, 1, size), "y": r.normal(at, 1, size), "z": r.normal(-at, 1, size)}, weight


def samples():
    return [
        hc.Sample(
            name,
            columns,
            weights=np.full(300, weight),
            signal=name == "signal",
            modifiers=() if name == "signal" else hc.NormFactor("b_norm"),
        )
        for name, columns, weight in events()
    ]


@pytest.fixture
def config(tmp_path):
    for name, columns, weight in events():
        table = np.column_stack([*columns.values(), np.full(300, weight)])
        np.savetxt(tmp_path / f"{name}.csv", table, delimiter=",", header="x,y,z,w", comments="")
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def found():
    """What the command finds with this configuration."""
    regions = hc.Region("control", inverted=["x"], without=["z"])
    return hc.optimize(samples(), CUTS, regions=regions, folds=0, anneal=(1.0,), replicas=0, holdout=None)


@pytest.fixture
def found_before(found, monkeypatch):
    monkeypatch.setattr("hepcuts.optimization.optimize.optimize", lambda *_, **__: found)


@pytest.fixture
def empty_figures(monkeypatch):
    """Where it does not matter what is drawn."""
    for name in ("history", "before_after", "distributions"):
        monkeypatch.setattr(plotting, name, lambda *_, **__: SimpleNamespace(figure=Figure()))


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def failing(error):
    def raise_it(*_, **__):
        raise error

    return raise_it


def read(folder):
    return json.loads((folder / "result.json").read_text())


def test_a_free_normalization_is_compared_with_its_control_region(config, tmp_path):
    without_z = CONFIG.replace('[[cut]]\nvariable = "z"\ndirection = "<"\nthreshold = 1.0\n', "")
    config.write_text(without_z.replace('without = ["z"]', ""))
    result = invoke("optimize", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written = read(tmp_path / "out")
    assert written["remarks"] == []
    alone, bce = written["comparison"]
    assert alone["cuts"].startswith("x > ")
    assert 0.0 < alone["significance"] < written["significance"] + 0.05
    assert (alone["kind"], bce["kind"]) == ("fewer cuts", "BCE")
    assert f"{alone['significance']:.4f}" in result.output
    assert written["regions"] == {"control": written["regions"]["control"]}
    assert [row["region"] for row in written["yields"]] == ["signal_region"] * 2 + ["control"] * 2
    assert {row["significance"] for row in written["cutflow"]} == {None}
    # A free normalization has no uncertainty before the fit, and is no shift of the background.
    (free,) = (row for row in written["systematics"] if row["name"] == "b_norm")
    assert (free["background_up"], free["constraint"]) == (None, None)
    assert "Gained over the best of fewer cuts" in (tmp_path / "out" / "report.html").read_text()


ERRORS = {
    "own": (InputError("no such thing"), "no such thing"),
    "bug": (ZeroDivisionError("oh"), "ZeroDivisionError: oh"),
}


@pytest.mark.usefixtures("found_before", "empty_figures")
@pytest.mark.parametrize(("error", "message"), ERRORS.values(), ids=ERRORS)
def test_a_comparison_that_fails_is_a_remark(config, tmp_path, monkeypatch, error, message):
    first, last = OtherCuts("x > 1", 1.0, 1.1), OtherCuts("x > 1 & z < 1", 2.0, 2.1)
    steps = {"x": lambda: first, "x & y": failing(error), "x & z": lambda: last}
    monkeypatch.setattr(single_cuts, "comparisons", lambda *_, **__: steps)
    monkeypatch.setattr(single_cuts, "compare_with_bce", lambda *_, **__: OtherCuts("x > 2", 0.5, 0.6))
    result = invoke("optimize", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written = read(tmp_path / "out")
    assert written["remarks"] == [f"the comparison with x & y: {message}"]
    found = [(row["kind"], row["cuts"], row["significance"], row["training"]) for row in written["comparison"]]
    rows = [("fewer cuts", "x > 1", 1.0, 1.1), ("fewer cuts", "x > 1 & z < 1", 2.0, 2.1), ("BCE", "x > 2", 0.5, 0.6)]
    assert found == rows
    assert f"Warning: the comparison with x & y: {message}" in result.stderr
    assert ("Traceback" in result.stderr) == (message != "no such thing")


@pytest.mark.usefixtures("found_before", "empty_figures")
def test_an_interrupted_comparison_keeps_the_result(config, tmp_path, monkeypatch):
    seen = []

    def interrupted(*_, **__):
        seen.extend(path.name for path in (tmp_path / "out").iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(single_cuts, "optimize", interrupted)
    result = invoke("optimize", config, "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert set(seen) >= FILES
    written = read(tmp_path / "out")
    assert written["success"]
    assert written["comparison"] == []
    assert written["remarks"] == [
        "the comparison with x: interrupted; what comes afterwards was left out, the result is kept"
    ]
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_search_of_the_comparison_that_was_interrupted_is_not_quoted(found, monkeypatch):
    cut_short = dataclasses.replace(found, interrupted=True, success=False)
    monkeypatch.setattr(single_cuts, "optimize", lambda *_, **__: cut_short)
    with pytest.raises(KeyboardInterrupt):
        comparisons(samples(), CUTS, holdout=None)["x"]()


@pytest.mark.usefixtures("found_before", "empty_figures")
def test_a_figure_that_fails_is_a_remark(config, tmp_path, monkeypatch):
    monkeypatch.setattr(plotting, "history", failing(RuntimeError("no ink")))
    result = invoke("optimize", "--no-compare", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert read(tmp_path / "out")["remarks"] == ["the figure of the history: RuntimeError: no ink"]
    figures = {f"{kind}-{variable}.png" for kind in ("before-after", "n-minus-one") for variable in "xyz"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | TABLES | figures


@pytest.mark.usefixtures("empty_figures")
def test_an_interrupted_search_is_written_and_not_compared(config, tmp_path, found, monkeypatch):
    cut_short = dataclasses.replace(found, interrupted=True, success=False, message="interrupted; until then: fine")
    monkeypatch.setattr("hepcuts.optimization.optimize.optimize", lambda *_, **__: cut_short)
    result = invoke("optimize", config, "-o", tmp_path / "out")
    assert result.exit_code == 130
    written = read(tmp_path / "out")
    assert written["message"].startswith("interrupted")
    assert written["comparison"] == []
    assert (tmp_path / "out" / "history.png").exists()


@pytest.mark.usefixtures("empty_figures")
def test_a_result_without_a_workspace_is_written_all_the_same(config, tmp_path, found, monkeypatch):
    nothing = {"workspace": None, "verdict": None, "significance": np.nan, "message": "the background is negative"}
    without = dataclasses.replace(found, training=dataclasses.replace(found.training, **nothing))
    monkeypatch.setattr("hepcuts.optimization.optimize.optimize", lambda *_, **__: without)
    result = invoke("optimize", "--no-compare", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written = read(tmp_path / "out")
    assert written["significance"] is None
    assert "no workspace: the background is negative" in written["remarks"]
    assert "the systematics: There is no workspace: the background is negative" in written["remarks"]
    assert "the background is negative" in (tmp_path / "out" / "report.html").read_text()


def test_interrupted_uncertainties_leave_the_cuts(monkeypatch):
    monkeypatch.setattr(
        sys.modules["hepcuts.optimization.optimize"], "bootstrap_and_optimism", failing(KeyboardInterrupt())
    )
    result = hc.optimize(samples(), hc.Cut("x", ">", 0.5), objective="asimov", folds=0, anneal=(1.0,), holdout=None)
    assert result.interrupted
    assert not result.success
    assert result.bootstrap is None
    assert np.isfinite(result.significance)


def test_what_cannot_be_written_is_found_before_the_work(config, tmp_path, monkeypatch):
    for name in ("optimization.optimize.optimize", "scanning.scan.scan", "study.run"):
        monkeypatch.setattr(f"hepcuts.{name}", failing(AssertionError("worked")))
    (tmp_path / "file").write_text("")
    for command in (("optimize", config), ("scan", config), ("study",)):
        result = invoke(*command, "-o", tmp_path / "file" / "out")
        assert result.exit_code == 1
        assert "is a file; expected a folder" in result.output


def test_the_table_of_a_scan_comes_before_its_figure(config, tmp_path, monkeypatch):
    monkeypatch.setattr(plotting, "scan", failing(RuntimeError("no ink")))
    result = invoke("scan", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = {f"{variable}.{kind}" for variable in "xyz" for kind in ("csv", "html")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert "Warning: the figure of y: RuntimeError: no ink" in result.stderr


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("no"), 0), (KeyboardInterrupt(), 130)], ids=["bug", "stop"]
)
def test_a_study_without_its_report_has_its_numbers(tmp_path, monkeypatch, error, status):
    monkeypatch.setattr(study_module, "write", failing(error))
    result = invoke("study", "--no-grid", "--scenario", "exp10-exp100", "-o", tmp_path / "out")
    assert result.exit_code == status, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"study.json", "study.txt"}


@pytest.mark.parametrize("kind", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(("error", "status"), [(InputError("no"), 0), (KeyboardInterrupt(), 130)], ids=["own", "stop"])
def test_toys_that_fail_leave_the_tests(tmp_path, monkeypatch, kind, error, status):
    spec = hc.workspace(hc.fill(samples(), hc.Cut("x", ">", 0.5)), observations={"signal_region": [200.0]})
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(spec))
    monkeypatch.setattr("hepcuts.cli.significances.discovery_toys", failing(error))
    result = invoke("significance", path, "--toys", "10", *kind)
    assert result.exit_code == status, result.output
    assert "Warning: the toys: " in result.stderr
    if kind:
        assert set(json.loads(result.stdout)) == {"expected", "expected_postfit", "observed"}
    else:
        assert "standard deviations" in result.stdout


# --- comparison with single cuts -------------------------------------------------------------------------------------

CUTS = hc.Selection([hc.Cut("x", ">", 0.5), hc.Cut("y", ">", -1.0), hc.Cut("z", "<", 1.0)])
REGIONS = {
    "none": ((), ["no cut", "x", "y", "z"]),
    "inverted": (hc.Region("c", inverted=["x"]), ["x", "x & y", "x & z"]),
    "two": ([hc.Region("c", inverted=["x"]), hc.Region("d", inverted=["y"], without=["x"])], ["x & y"]),
    "left out": (hc.Region("c", without=["z"]), ["x & z", "y & z"]),
    "all": (hc.Region("c", inverted=["x", "y", "z"]), []),
}


@pytest.mark.parametrize(("regions", "names"), REGIONS.values(), ids=REGIONS)
def test_cuts_that_define_the_regions_stay_in_the_comparison(regions, names):
    assert list(comparisons(samples(), CUTS, regions=regions, holdout=None)) == names


def test_a_region_of_an_unknown_variable_is_refused():
    with pytest.raises(InputError, match="m is not cut on"):
        comparisons(samples(), CUTS, regions=hc.Region("c", inverted=["m"]), holdout=None)


def test_the_comparison_holds_out_what_an_equal_generator_does():
    given = {"objective": "asimov", "folds": 0, "anneal": (1.0,), "holdout": 0.5, "replicas": 0}
    whole = [hc.Sample(s.name, s.columns, weights=s.weights, signal=s.signal) for s in samples()]
    alone = hc.optimize(whole, hc.Cut("y", ">", -1.0), seed=np.random.default_rng(2), **given)
    found = compare_with_single_cuts(whole, CUTS, seed=np.random.default_rng(2), **given)
    assert found[str(alone.selection)] == alone.significance
    assert found == compare_with_single_cuts(whole, CUTS, seed=alone.seed, **given)
