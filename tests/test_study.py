"""The study and the command line, as a user runs them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import hepcuts as hc
from hepcuts import study
from hepcuts._core.errors import InputError
from hepcuts.cli import configuration
from hepcuts.cli.commands import main

CONFIG = """
[[sample]]
name = "signal"
file = "signal.csv"
weight = "w"
signal = true
missing = -999.0

[[sample]]
name = "background"
file = "background.csv"
weight = "w"
scale = 2.0
missing = -999.0

  [[sample.systematic]]
  type = "normsys"
  name = "norm"
  up = 1.1
  down = 0.9

  [[sample.systematic]]
  type = "histosys"
  name = "scale"
  up = {columns = {x = "x_up"}}
  down = "mirror"

[[cut]]
variable = "x"
direction = ">"
threshold = 0.5
bounds = [-3.0, 5.0]

[[cut]]
variable = "mass"
low = 90.0
high = 180.0

[optimize]
objective = "asimov_uncertainty"
holdout = 0.5
seed = 1

[scan]
metrics = ["bce", "asimov"]
"""


@pytest.fixture
def config(tmp_path):
    r = np.random.default_rng(0)
    sizes = {"signal": 1000, "background": 3000}
    for name, size in sizes.items():
        x = r.normal(2.0 if name == "signal" else 0.0, 1.0, size)
        mass = r.normal(125.0, 8.0, size) if name == "signal" else 60.0 + r.exponential(60.0, size)
        mass[:10] = -999.0
        table = np.column_stack([x, 1.02 * x, mass, np.full(size, 0.2)])
        np.savetxt(tmp_path / f"{name}.csv", table, delimiter=",", header="x,x_up,mass,w", comments="")
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_study_without_grids_writes_figures_and_tables(tmp_path):
    result = run("study", "--no-grid", "-o", tmp_path / "out", "--scenario", "exp10-exp100")
    assert result.exit_code == 0
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    figures = [f"figures/exp10-exp100-{kind}.{end}" for kind in ("distributions", "metrics") for end in ("pdf", "png")]
    assert names == [*figures, "report.html", "report.md", "study.json", "study.txt"]
    assert (tmp_path / "out" / "study.txt").read_text().strip() in result.output
    document = json.loads((tmp_path / "out" / "study.json").read_text(), parse_constant=pytest.fail)
    assert "phase_diagrams" not in document
    case = document["scenarios"]["exp10-exp100"]
    none = [i for i, value in enumerate(case["values"]["s_over_sqrt_b"]) if value is None]
    assert none, "after the last cuts there is no background"
    assert "no background is left" in case["reasons"]["s_over_sqrt_b"][f"{case['thresholds'][none[0]]:g}"]


def test_the_study_judges_every_metric_by_the_profile_likelihood():
    (case,) = study.run(["gauss40x10-gauss50x10"], thresholds=range(30, 80))
    by_name = {choice.metric: choice for choice in case.choices}
    assert set(by_name) == set(study.METRICS)
    assert by_name["profile"].fraction == 1.0
    assert all(choice.fraction <= 1.0 for choice in case.choices)
    # Signal is rare: the error rate is best far out, where the densities are equal, and significance is lost there.
    assert by_name["bce"].threshold > by_name["profile"].threshold
    assert by_name["bce"].fraction < 0.8
    at = int(np.flatnonzero(case.scan.thresholds == by_name["bce"].threshold)[0])
    assert by_name["bce"].significance == case.scan.values["profile"][at]


def test_study_of_an_unknown_scenario():
    result = CliRunner().invoke(main, ["study", "--scenario", "nonsense"])
    assert result.exit_code == 1
    assert "choose one of exp10-gauss50x10" in result.output
    assert "Traceback" not in result.output


def test_study_into_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        study.write((), tmp_path / "file", seed=1)
    result = CliRunner().invoke(main, ["study", "-o", str(tmp_path / "file")])
    assert result.exit_code == 2
    assert "is a file" in result.output


def test_study_with_a_negative_seed_is_refused():
    result = CliRunner().invoke(main, ["study", "--seed", "-1"])
    assert result.exit_code == 2
    assert "-1 is not in the range x>=0" in result.output


@pytest.mark.slow
def test_optimize_reads_a_configuration_and_writes_its_results(config):
    config.write_text(CONFIG.replace("[optimize]\n", "[optimize]\nfolds = 0\nanneal = [1.0]\n"))
    result = run("optimize", config, "-o", config.parent / "out")
    assert result.exit_code == 0
    document = json.loads((config.parent / "out" / "result.json").read_text())
    assert document["quoted_on"] == "held-out"
    assert document["significance"] == pytest.approx(document["pyhf"]["significance"], abs=1e-3)
    nothing = next(row for row in document["comparison"] if row["kind"] == "no cut")
    assert document["significance"] > nothing["significance"]
    assert set(document["thresholds"]) == {"x", "mass"}
    # Which values pass is there, too, and as other programs read it.
    assert [cut["operators"] for cut in document["cuts"]] == [[">"], [">", "<"]]
    assert document["cuts"][0]["text"] == f"x > {document['thresholds']['x']:.15g}"
    low, high = document["thresholds"]["mass"]
    of_x = f"(x > {document['thresholds']['x']!r} && x != -999.0)"
    of_mass = f"(mass > {low!r} && mass < {high!r} && mass != -999.0)"
    assert document["expressions"]["root"] == f"{of_x} && {of_mass}"
    assert document["given_up"] == []
    likelihood = hc.HistFactory.from_workspace(config.parent / "out" / "workspace.json")
    assert float(hc.discovery_significance(likelihood)) == pytest.approx(document["significance"], rel=1e-9)
    written = {path.name for path in (config.parent / "out").iterdir()}
    assert written == {
        "before-after-mass.png",
        "before-after-x.png",
        "cuts.log",
        "cuts.txt",
        "history.png",
        "n-minus-one-mass.png",
        "n-minus-one-x.png",
        "report.html",
        "result.json",
        "tables",
        "workspace.json",
    }
    assert len((config.parent / "out" / "cuts.log").read_text().splitlines()) == document["num_steps"]


def test_a_configuration_with_everything_an_optimization_takes(config):
    more = """
[[region]]
name = "control"
inverted = ["x"]

[optimize]
objective = "profile"
constraints = {signal = 1.0}
tied = []
fixed = ["mass:low"]
"""
    text = CONFIG.replace("[optimize]\n", more).replace('objective = "asimov_uncertainty"\n', "")
    config.write_text(text)
    given = configuration.load(config)
    assert [region.name for region in given.optimize["regions"]] == ["control"]
    assert given.optimize["constraints"] == {"signal": 1.0}
    sliding = CONFIG.replace("threshold = 0.5", 'along = "x_up"\nknots = [0.0, 2.0]\nthresholds = [0.5, 0.7]')
    config.write_text(sliding)
    cut = configuration.load(config).selection.cuts[0]
    assert isinstance(cut, hc.SlidingCut)
    assert cut.thresholds == (0.5, 0.7)


def test_scan_of_a_configuration(config):
    result = run("scan", config, "-o", config.parent / "out")
    assert result.exit_code == 0
    assert "asimov" in result.output
    assert "< mass <" in result.output
    names = {f"{variable}.{kind}" for variable in ("x", "mass") for kind in ("csv", "html", "png")}
    assert {path.name for path in (config.parent / "out").iterdir()} == names


def test_significance_of_a_workspace(tmp_path):
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    spec = hc.workspace(hc.fill(samples, hc.Cut("x", ">", 47.0)), observations={"signal_region": [3100.0]})
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(spec))
    likelihood = hc.HistFactory.from_workspace(spec)
    document = json.loads(run("significance", path, "--json").output)
    assert document["expected"]["significance"] == pytest.approx(
        float(hc.discovery_significance(likelihood)), rel=1e-12
    )
    observed = hc.discovery_test(likelihood, likelihood.observed_data)
    assert document["observed"]["significance"] == pytest.approx(observed.significance, rel=1e-12)
    assert "standard deviations" in run("significance", path).output


def test_significance_with_a_patch(sbottom, tmp_path):
    background, patch = tmp_path / "background.json", tmp_path / "patch.json"
    background.write_text(json.dumps(sbottom["workspace"]))
    patch.write_text(json.dumps(sbottom["patches"]["1000_205_60"]))
    document = json.loads(run("significance", background, "--patch", patch, "--json").output)
    assert document["expected"]["q0"] == pytest.approx(2.623246, abs=2e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[cut]]", "[[cuts]]", "unknown key .cuts.; do you mean .cut."),
        ('file = "signal.csv"', 'file = "nowhere.csv"', "(?s)signal.*there is no file"),
        ('weight = "w"', 'weight = "weight"', "has no column weight; it has mass, w, x, x_up"),
        (
            'type = "normsys"',
            'type = "norm"',
            "2 .background., systematic 1 .norm.: type came as 'norm'; expected .normsys",
        ),
        ("up = 1.1", "", "'up' is missing"),
        ("threshold = 0.5", "treshold = 0.5", "1 .x.: unknown key .treshold.; do you mean .threshold"),
        ("seed = 1", 'seed = 1\nsolver = "fast"', "lbfgs"),
        ("[optimize]", "[optimize", "cannot be read as TOML"),
    ],
    ids=["section", "file", "column", "type", "factor", "typo", "solver", "syntax"],
)
def test_mistakes_in_a_configuration_are_explained(config, old, new, message):
    config.write_text(CONFIG.replace(old, new))
    result = CliRunner().invoke(main, ["optimize", str(config), "-o", str(config.parent / "out")])
    assert result.exit_code == 1
    import re

    assert re.search(message, result.output), result.output
    assert "Traceback" not in result.output


def test_version():
    assert hc.__version__ in run("--version").output
