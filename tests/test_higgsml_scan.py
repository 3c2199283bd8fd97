"""Single features of real events, and a classifier trained with BCE: where each metric cuts, and what that is worth.

The script of the documentation, run on the events. What must hold whatever the version of scikit-learn is asserted;
every number is checked against a workspace that is filled and fitted at the threshold.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import hepcuts as hc
from hepcuts.histfactory import referee
from hepcuts.scanning.scan import ScanResult

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "higgsml_scan.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("higgsml_scan", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def features(example, higgsml):
    return example.scans_of_features(higgsml)


@pytest.fixture(scope="module")
def classifier(example, higgsml):
    # On cores that others use, too, threads wait for each other: up to six times as long.
    with threadpool_limits(1):
        return example.scan_of_classifier(higgsml)


def choices(result: ScanResult) -> dict:
    return {choice.metric: choice for choice in result.choices()}


def test_choices_of_features_are_worth_what_a_workspace_says(example, features):
    assert [result.cut.variable for result in features] == [cut.variable for cut in example.CUTS]
    for result in features:
        found = choices(result)
        for choice in found.values():
            if np.isfinite(choice.significance):
                at = result.cut.at(np.atleast_1d(choice.threshold))
                assert choice.significance == pytest.approx(example.significance(result.samples, at), rel=1e-9)
        best = found["profile"]
        spec = hc.workspace(hc.fill(result.samples, result.cut.at(np.atleast_1d(best.threshold))))
        verdict = referee.hypotest(hc.HistFactory.from_workspace(spec).model)
        assert best.significance == pytest.approx(verdict.significance, abs=1e-4)
        # Nothing that rests on as many events is better.
        for choice in found.values():
            if choice.effective_background >= 10:
                assert choice.significance <= best.significance


def test_balanced_cross_entropy_costs_significance_on_events_that_did_not_choose_the_cut(features):
    lost = [1 - choices(result)["bce_balanced"].held_out / choices(result)["profile"].held_out for result in features]
    assert all(fraction > 0 for fraction in lost)
    assert max(lost) > 0.3


def test_hard_cross_entropy_rejects_everything_where_signal_is_rare(features):
    for result in features[:3]:
        assert result.optimum("bce").signal < 0.01 * result.table.all_signal
        assert choices(result)["bce"].effective_background < 10


def test_the_threshold_of_a_classifier_is_not_that_of_the_significance(example, classifier, features):
    result, samples = classifier
    best = choices(result)["profile"]
    # Its ordering is good: more than any feature can give.
    assert best.held_out > max(choices(r)["profile"].held_out for r in features)
    # Its own decision, score > 0.5, is not, and neither is the threshold of its loss.
    assert best.held_out > 1.3 * example.significance(samples, hc.Cut("score", ">", 0.5))
    assert best.held_out > 1.3 * choices(result)["bce_balanced"].held_out
    # Balanced training puts the threshold of its own loss near one half.
    assert 0.3 < result.optimum("bce_balanced").threshold < 0.6 < best.threshold
    # The optimum is too good.
    assert best.held_out < best.significance


@pytest.mark.slow
def test_the_script_prints_all_of_it(example, higgsml, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["higgsml_scan.py", str(higgsml)])
    monkeypatch.setattr(example, "CUTS", example.CUTS[2:3])
    example.main()
    text = capsys.readouterr().out
    assert text.count("Scan of") == 2
    assert "score > 0.5" in text
