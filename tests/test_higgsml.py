"""The main job on real input: ATLAS simulation, loose cuts, the command line, a held-out half, pyhf's confirmation."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import hepcuts as hc
from hepcuts.cli import configuration
from hepcuts.cli.commands import main
from hepcuts.evaluation.resampling import hold_out
from hepcuts.histfactory import referee

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "higgsml.toml"


@pytest.fixture(scope="module")
def job(higgsml, tmp_path_factory):
    """The documentation's example, run as a user runs it; and what it wrote."""
    folder = tmp_path_factory.mktemp("higgsml")
    (folder / EXAMPLE.name).write_text(EXAMPLE.read_text())
    for name in ("signal.csv", "background.csv"):
        (folder / name).symlink_to(higgsml / name)
    result = CliRunner().invoke(
        main, ["optimize", str(folder / EXAMPLE.name), "-o", str(folder / "out")], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    given = configuration.load(folder / EXAMPLE.name)
    return given, json.loads((folder / "out" / "result.json").read_text()), folder / "out"


def halves(given):
    """Training and held-out half, as the search split them."""
    return hold_out(given.samples, given.optimize["holdout"], seed=given.optimize["seed"])


def significance(samples, selection) -> float:
    return float(hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, selection)))))


def test_the_events_are_those_of_the_challenge(job):
    given, _, _ = job
    signal, background = given.samples
    assert signal.total == pytest.approx(717, abs=1)
    assert background.total == pytest.approx(413_046, abs=1)
    assert signal.missing == background.missing == -999.0
    assert [type(m).__name__ for m in background.modifiers] == ["NormSys"]


def test_at_least_four_cuts_one_of_them_a_window_on_the_mass(job):
    given, document, _ = job
    assert len(given.selection.cuts) >= 4
    low, high = document["thresholds"]["DER_mass_MMC"]
    assert 80 <= low < 125 < high <= 200
    assert given.optimize["objective"] == "profile"


def test_the_result_is_quoted_on_the_held_out_half_and_confirmed_by_pyhf(job):
    given, document, folder = job
    assert document["quoted_on"] == "held-out"
    kept = [(cut, document["thresholds"].get(cut.variable)) for cut in given.selection.cuts]  # some are given up
    cuts = hc.Selection(
        [
            hc.Window(cut.variable, *value) if isinstance(value, list) else hc.Cut(cut.variable, cut.direction, value)
            for cut, value in kept
            if value is not None
        ]
    )
    assert significance(halves(given)[1], cuts) == pytest.approx(document["significance"], rel=1e-9)
    likelihood = hc.HistFactory.from_workspace(folder / "workspace.json")
    assert referee.hypotest(likelihood.model).significance == pytest.approx(document["significance"], abs=1e-4)
    assert document["effective_background"] > 10


def test_better_than_no_cut_and_than_the_best_single_cut(job):
    """The best single cut by a scan of the training half, judged on the held-out half, as the result is."""
    given, document, _ = job
    training, held_out = halves(given)
    assert document["significance"] > 2 * significance(held_out, None)
    best = {}
    for cut in given.selection.cuts:
        if isinstance(cut, hc.Cut):
            thresholds = np.quantile(hc.scan(training, cut, metrics=("bce",)).thresholds, np.linspace(0.0, 1.0, 400))
            scan = hc.scan(training, cut, metrics=("profile",), thresholds=thresholds)
            # As the search, the scan wants ten effective background events.
            values = np.where(scan.table.effective_background >= 10, scan.values["profile"], -np.inf)
            chosen = hc.Selection([cut.at([scan.thresholds[int(np.nanargmax(values))]])])
            best[str(chosen)] = significance(held_out, chosen)
    alone = {row["cuts"]: row["significance"] for row in document["comparison"] if row["kind"] == "fewer cuts"}
    windows = {cuts: z for cuts, z in alone.items() if "DER_mass_MMC" in cuts}
    assert len(windows) == 1
    assert document["significance"] > max(*best.values(), *windows.values()), (best, windows)


def test_figures_log_and_workspace_are_written(job):
    _, document, folder = job
    names = {path.name for path in folder.iterdir()}
    assert {"history.png", "before-after-DER_mass_MMC.png", "cuts.log", "workspace.json", "result.json"} <= names
    assert len((folder / "cuts.log").read_text().splitlines()) == document["num_steps"]


def test_missing_values_never_pass_and_are_never_numbers(job):
    given, _, _ = job
    sample = given.samples[1]
    absent = sample.columns["DER_mass_MMC"] == -999.0
    assert absent.sum() > 100
    below = hc.Selection([hc.Cut("DER_mass_MMC", "<", 90.0)])
    assert not np.any(below.mask(sample.columns, missing=sample.missing) & absent)
