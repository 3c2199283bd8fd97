"""From ntuples to cuts: ROOT files as an analysis has them, through every command, and the same from other formats."""

import json
import tomllib

import awkward as ak
import click.testing
import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import uproot
from jsonschema import Draft202012Validator

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.cli.commands import main
from hepcuts.cli.config_commands import as_settings
from hepcuts.cli.configuration import load
from hepcuts.cli.starting import json_schema

CONFIG = """
luminosity = 139.0
preselection = "trig && len(jet_pt) >= 1"

[define]
mt = "sqrt(2*pt*met*(1 - cos(dphi)))"

[[sample]]
name = "signal"
file = "signal.{ending}"
weight = "genWeight * w_btag"
cross_section = 0.004
sum_of_weights = "genWeight"
signal = true
missing = nan
{jes}

[[sample]]
name = "ttbar"
file = "ttbar_*.{ending}"
weight = "genWeight * w_btag"
cross_section = 0.5
k_factor = 1.2
sum_of_weights = {sum}
missing = nan
{jes}

  [[sample.systematic]]
  type = "weights"
  name = "pdf"
  weight = "genWeight * w_btag * w_pdf_*"

  [[sample.systematic]]
  type = "normsys"
  name = "xsec"
  up = 1.05
  down = 0.95

[[sample]]
name = "wjets"
file = "wjets.{ending}"
weight = "genWeight * w_btag"
scale = 0.3
missing = nan

[[cut]]
variable = "mt"
direction = ">"

[[cut]]
variable = "jet_pt[0]"
direction = ">"
bounds = [20.0, 200.0]

[[cut]]
variable = "njet"
direction = ">="

[optimize]
seed = 1
replicas = 0
"""
JES = """
  [[sample.systematic]]
  type = "histosys"
  name = "jes"
  up = {tree = "events_jes_up"}
  down = "mirror"
"""


def simulated(rng, size, *, hard, scale=1.0, keep=1.0):
    """Events with the branches of an analysis, jagged ones included."""
    counts = rng.poisson(2.5, size)
    jets = ak.unflatten(
        (scale * rng.exponential(60.0 if hard else 35.0, counts.sum()) + 20.0).astype(np.float32), counts
    )
    events = {
        "pt": (rng.exponential(70.0 if hard else 40.0, size) * scale).astype(np.float32),
        "met": rng.exponential(80.0 if hard else 45.0, size).astype(np.float32),
        "dphi": rng.uniform(-np.pi, np.pi, size).astype(np.float32),
        "trig": rng.uniform(size=size) < 0.9,
        "njet": np.asarray(ak.num(jets), dtype=np.int32),
        "jet_pt": jets,
        "genWeight": rng.choice([1.3, -1.3], size, p=[0.92, 0.08]),
        "w_btag": rng.normal(1.0, 0.05, size).astype(np.float32),
        "w_pdf_0": rng.normal(1.02, 0.01, size),
        "w_pdf_1": rng.normal(0.99, 0.01, size),
    }
    kept = rng.uniform(size=size) < keep
    return {name: values[kept] for name, values in events.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ROOT, Parquet and one configuration for each."""
    path = tmp_path_factory.mktemp("ntuples")
    rng = np.random.default_rng(3)
    samples = {"signal": (3000, True), "ttbar_1": (4000, False), "ttbar_2": (2500, False), "wjets": (3000, False)}
    for name, (size, hard) in samples.items():
        nominal = simulated(rng, size, hard=hard)
        with uproot.recreate(path / f"{name}.root") as file:
            file["events"] = nominal
            file["events_jes_up"] = simulated(rng, size, hard=hard, scale=1.05, keep=0.97)
            file["Runs"] = {"genEventSumw": np.array([1000.0, 2000.0])}
        table = ak.to_arrow_table(ak.zip(nominal, depth_limit=1))
        pyarrow.parquet.write_table(table, path / f"{name}.parquet")
    sums = '{tree = "Runs", column = "genEventSumw"}'
    root = CONFIG.replace("{ending}", "root:events").replace("{sum}", sums).replace("{jes}", JES)
    (path / "root.toml").write_text(root)
    plain = CONFIG.replace("{sum}", "6000.0").replace("{jes}", "")
    (path / "plain-root.toml").write_text(plain.replace("{ending}", "root:events"))
    (path / "parquet.toml").write_text(plain.replace("{ending}", "parquet"))
    return path


def run(*arguments, status=0):
    found = click.testing.CliRunner().invoke(main, [str(one) for one in arguments])
    assert found.exit_code == status, found.output
    return found.output


def by_hand(folder, name, tree="events"):
    """Weights and variables of the events that pass the preselection, with awkward and NumPy alone."""
    events = uproot.open(folder / f"{name}.root")[tree].arrays()
    passed = events["trig"] & (ak.num(events["jet_pt"]) >= 1)
    events = events[passed]
    wide = {key: np.asarray(events[key], dtype=np.float64) for key in ("pt", "met", "dphi", "genWeight", "w_btag")}
    mt = np.sqrt(2 * wide["pt"] * wide["met"] * (1 - np.cos(wide["dphi"])))
    return wide["genWeight"] * wide["w_btag"], mt, np.asarray(events["jet_pt"][:, 0]), np.asarray(events["njet"])


def test_the_samples_are_what_the_files_hold(folder):
    given = load(folder / "root.toml")
    signal, ttbar, wjets = given.samples
    weights = np.concatenate([by_hand(folder, name)[0] for name in ("ttbar_1", "ttbar_2")])
    assert ttbar.total == pytest.approx(weights.sum() * 0.5 * 1000 * 139.0 * 1.2 / 6000.0, rel=1e-9)
    gen = uproot.open(folder / "signal.root")["events"]["genWeight"].array().to_numpy().sum()
    assert signal.total == pytest.approx(by_hand(folder, "signal")[0].sum() * 0.004 * 1000 * 139.0 / gen, rel=1e-9)
    assert wjets.total == pytest.approx(0.3 * by_hand(folder, "wjets")[0].sum(), rel=1e-9)
    assert [modifier.name for modifier in ttbar.modifiers] == ["jes", "pdf_w_pdf_0", "pdf_w_pdf_1", "xsec"]
    _, mt, leading, njet = by_hand(folder, "wjets")
    np.testing.assert_array_equal(wjets.column("mt"), mt)
    np.testing.assert_array_equal(wjets.column("jet_pt[0]"), leading)
    np.testing.assert_array_equal(wjets.column("njet"), njet)
    shifted = signal.varied(signal.modifiers[0].up)[1]
    other = uproot.open(folder / "signal.root")["events_jes_up"]["genWeight"].array().to_numpy().sum()
    expected = by_hand(folder, "signal", "events_jes_up")[0].sum() * 0.004 * 1000 * 139.0 / other
    assert shifted.sum() == pytest.approx(expected, rel=1e-9)


def test_check_prints_yields_first_and_what_is_suspicious(folder):
    told = run("check", folder / "root.toml")
    assert told.index("Samples, before any cut") < told.index("Variables")
    assert "mt > ? & jet_pt[0] > ? & njet >= ?" in told
    assert "Warning" not in told
    told = run("check", folder / "root.toml", "--set", "cut.mt.threshold=2e6")
    assert "mt: the threshold 2e+06 lies outside of all events" in told
    told = run("check", folder / "root.toml", "--set", "cut.mt.bounds=[2e5, 3e5]")
    assert "mt: the bounds (200000.0, 300000.0) lie outside of all events" in told
    told = run("check", folder / "root.toml", "--set", "sample.wjets.weight=genWeight*0", status=1)
    assert "[[sample]] 3 (wjets): " in told
    assert "wjets.root:events: Sample 'wjets': all" in told
    assert "weights are zero" in told


def selects_the_same(folder, expression, passed):
    """Whether the cuts that were found keep the same events in awkward, formulas and jagged branches included."""
    events = uproot.open(folder / "wjets.root")["events"].arrays()
    events = events[events["trig"] & (ak.num(events["jet_pt"]) >= 1)]
    kept = eval(expression, {"ak": ak, "np": np, "events": events})  # noqa: S307 -- as a user pastes it
    np.testing.assert_array_equal(np.asarray(kept), passed)
    assert 0 < passed.sum() < len(passed)


def test_optimize_and_evaluate(folder, tmp_path):
    short = ("--set", "optimize.folds=0", "--set", "optimize.anneal=[1.0]")  # which cuts are found matters little here
    run("optimize", folder / "root.toml", "-o", tmp_path / "found", "--no-compare", *short)
    result = json.loads((tmp_path / "found" / "result.json").read_text())
    assert set(result["thresholds"]) <= {"mt", "jet_pt[0]", "njet"}
    told = run("evaluate", folder / "root.toml", "--cuts", tmp_path / "found" / "result.json", "-o", tmp_path / "there")
    assert "expected discovery significance Z" in told
    found = json.loads((tmp_path / "there" / "evaluation.json").read_text())
    weights, mt, leading, njet = by_hand(folder, "wjets")
    columns = {"mt": mt, "jet_pt[0]": leading, "njet": njet}
    passed = np.all([columns[name] > threshold for name, threshold in found["thresholds"].items()], axis=0)
    assert found["yields"][2]["after"] == pytest.approx(0.3 * weights[passed].sum(), rel=1e-9)
    selects_the_same(folder, result["expressions"]["awkward"], passed)
    told = run("cutflow", folder / "root.toml", "--cuts", tmp_path / "found/result.json", "--format", "csv")
    last = told.splitlines()[-1].split(",")
    assert float(last[2]) == pytest.approx(found["yields"][2]["after"], rel=1e-12)
    more = tmp_path / "more"
    run(
        "evaluate",
        folder / "root.toml",
        "--cuts",
        tmp_path / "found/result.json",
        "--set",
        "luminosity=278",
        "-o",
        more,
    )
    again = json.loads((more / "evaluation.json").read_text())
    assert again["yields"][0]["after"] == pytest.approx(2 * found["yields"][0]["after"], rel=1e-12)


def test_root_and_parquet_give_the_same_to_the_last_digit(folder, tmp_path):
    results = []
    for kind in ("plain-root", "parquet"):
        run("scan", folder / f"{kind}.toml", "-o", tmp_path / kind, "--set", "scan.replicas=5")
        results.append({path.name: pd.read_csv(path) for path in (tmp_path / kind).glob("*.csv")})
    assert set(results[0]) == set(results[1]) == {"mt.csv", "jet_pt_0.csv", "njet.csv"}
    for name, table in results[0].items():
        pd.testing.assert_frame_equal(table, results[1][name], check_exact=True)


def test_awkward_records_give_the_same_to_the_last_digit(folder):
    columns, where = ["mt", "jet_pt[0]", "njet", "genWeight * w_btag"], "trig && len(jet_pt) >= 1"
    asked = {"columns": columns, "where": where, "define": {"mt": "sqrt(2*pt*met*(1 - cos(dphi)))"}}
    scans = []
    for kind in ("files", "memory"):
        samples = []
        for name in ("signal", "ttbar_1", "wjets"):
            path = f"{folder / name}.root:events"
            given = path if kind == "files" else uproot.open(path).arrays()
            found = hc.io.read_columns(given, **asked)
            samples.append(
                hc.Sample(name, found, weights="genWeight * w_btag", signal=name == "signal", missing=np.nan)
            )
        scans.append(hc.scan(samples, hc.Cut("mt", ">"), metrics=("asimov", "bce"), replicas=0, folds=0))
    for name, values in scans[0].values.items():
        np.testing.assert_array_equal(values, scans[1].values[name])
    np.testing.assert_array_equal(scans[0].thresholds, scans[1].thresholds)


def test_init_writes_what_check_reads(folder, tmp_path):
    files = [folder / f"{name}.root:events" for name in ("signal", "wjets")]
    path = tmp_path / "new.toml"
    run("init", *files, "-o", path)
    assert "# columns: dphi, genWeight, jet_pt, met, njet, pt, trig" in path.read_text()
    told = run("check", path, "--set", "cut.1.variable=met", "--set", "cut.1.direction=>")
    assert "met > ?" in told
    assert "is there already" in run("init", *files, "-o", path, status=1)
    assert "No file was named" in run("init", status=1)
    Draft202012Validator.check_schema(json_schema())
    validator = Draft202012Validator(json_schema())
    assert not list(validator.iter_errors(tomllib.loads((folder / "root.toml").read_text().replace("nan", "-1.0"))))
    assert list(validator.iter_errors({"sample": [{"name": "a", "file": "x", "signal": "yes"}], "cut": []}))


def test_init_proposes_no_cut_on_what_tells_events_apart(tmp_path):
    for name in ("signal", "background"):
        columns = {"EventId": [1, 2], "run": [1, 1], "KaggleWeight": [1.0, 2.0], "pt": [30.0, 40.0], "w": [1.0, 1.0]}
        pd.DataFrame(columns).to_csv(tmp_path / f"{name}.csv", index=False)
    told = run("init", tmp_path / "signal.csv", tmp_path / "background.csv")
    assert [line for line in told.splitlines() if "variable =" in line] == ['variable = "pt"']


def test_init_begins_with_what_can_be_cut_on_and_names_samples_apart(tmp_path):
    for name in ("signal", "background"):
        (tmp_path / name).mkdir()
        with uproot.recreate(tmp_path / name / "events.root") as file:
            file["events"] = {"a_jets": ak.Array([[30.0], [], [4.0, 5.0]]), "pt": [1.0, 2.0, 3.0]}
    config = tmp_path / "config.toml"
    run("init", *(tmp_path / name / "events.root" for name in ("signal", "background")), "-o", config)
    told = run("check", config)
    assert "Cuts: pt ? ?" in told
    assert "events_1" in told
    assert "events_2" in told


def test_files_of_histograms_are_told_apart(tmp_path):
    with uproot.recreate(tmp_path / "h.root") as file:
        file["ttbar/bdt"] = np.histogram([0.2, 0.3], bins=3)
    assert "it has no tree of events, but histograms (ttbar/bdt)" in run("init", tmp_path / "h.root", status=1)


def test_a_preselection_that_nothing_passes(folder):
    told = run("check", folder / "root.toml", "--set", "sample.wjets.preselection=pt > 1e6", status=1)
    assert "[[sample]] 3 (wjets): " in told
    assert "none of the 3000 events passes '(trig && len(jet_pt) >= 1) and (pt > 1e6)'" in told


def test_settings_are_read_as_in_the_file():
    assert as_settings(["a.b=3", "c= true", "d=met", 'e="x y"', "f=[1, 2]"]) == {
        "a.b": 3,
        "c": True,
        "d": "met",
        "e": "x y",
        "f": [1, 2],
    }
    with pytest.raises(InputError, match="expected KEY=VALUE"):
        as_settings(["a"])
