"""A step, a solver, a modifier and folds that nobody registered: taken everywhere, and in another process.

Cuts are in `test_edges`, figures of merit in `test_figures`, splitters in `test_resampling`, results to be drawn in
`test_plotting`.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, UnsupportedModelError
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.histfactory import discovery_significance
from hepcuts.optimization.landscape import landscape
from hepcuts.templates.filling import soft_fill
from tests import foreign_objects as foreign
from tests.test_edges import Central, SoftCentral, WrongQuantity
from tests.test_resampling import EveryNth

CUT = hc.Cut("x", ">")
QUICK: dict[str, Any] = {"objective": "asimov_uncertainty", "folds": 0, "replicas": 0, "anneal": (2.0, 1.0)}
KNOWN, FOREIGN = (hc.NormSys("norm", 1.1, 0.9), foreign.Percent("norm", 10.0))


def test_a_step_means_what_it_is() -> None:
    """It is the logistic function, so all comes out as with that of hepcuts."""
    samples, step = foreign.samples_with(KNOWN, size=500), foreign.Tangent()
    at = hc.Cut("x", ">", 1.0)
    soft, expected = (soft_fill(samples, at, step=s, widths=0.3).yields for s in (step, "sigmoid"))
    np.testing.assert_allclose(soft.values, expected.values, rtol=1e-9)
    found, known = (hc.optimize(samples, CUT, step=s, **QUICK) for s in (step, "sigmoid"))
    assert found.soft_value == pytest.approx(known.soft_value, rel=1e-9)
    assert found.thresholds["x"] == pytest.approx(known.thresholds["x"], rel=1e-6)
    points = [hc.working_points(samples, CUT, efficiencies=[0.4, 0.7], step=s) for s in (step, "sigmoid")]
    np.testing.assert_allclose(points[0].thresholds, points[1].thresholds, rtol=1e-6)
    along = [landscape(samples, CUT, step=s, thresholds=[0.0, 1.0]) for s in (step, "sigmoid")]
    np.testing.assert_allclose(along[0].gradients, along[1].gradients, rtol=1e-9)


def test_a_step_is_used_and_not_the_usual_one() -> None:
    samples = foreign.samples_with(KNOWN)
    steep, usual = (hc.optimize(samples, CUT, step=s, **QUICK) for s in (foreign.Tangent(stretch=4.0), "sigmoid"))
    assert steep.soft_value > 1.001 * usual.soft_value  # nearer to the hard cut


def test_a_solver_finds_what_the_usual_one_finds() -> None:
    samples, cuts = foreign.samples_with(KNOWN), CUT & hc.Window("eta")
    found, known = (hc.optimize(samples, cuts, solver=s, **QUICK) for s in (foreign.Sequential(), "lbfgs"))
    assert found.success
    assert found.soft_value == pytest.approx(known.soft_value, rel=1e-5)
    assert found.history.lines() != known.history.lines()


def test_a_solver_trains_a_discriminant() -> None:
    samples = foreign.samples_with(KNOWN, size=400)
    discriminant = hc.discriminant.linear("score", ["x", "eta"])
    options = {"objective": "asimov_uncertainty", "anneal": (1.0,), "folds": 0, "patience": 100}
    found, known = (
        hc.train(samples, hc.Cut("score", ">"), discriminant, solver=solver, **options)
        for solver in (foreign.Sequential(), "lbfgs")
    )
    assert found.significance == pytest.approx(known.significance, rel=0.05)


def test_a_checkpoint_knows_them_by_their_content(tmp_path: Any) -> None:
    samples, path = foreign.samples_with(FOREIGN, size=300), tmp_path / "checkpoint.json"
    options = QUICK | {"checkpoint": path, "solver": foreign.Sequential()}
    first = hc.optimize(samples, CUT, step=foreign.Tangent(), **options)
    again = hc.optimize(foreign.samples_with(FOREIGN, size=300), CUT, step=foreign.Tangent(), **options)
    assert again.thresholds == first.thresholds
    with pytest.raises(InputError, match="not the same are step"):
        hc.optimize(samples, CUT, step=foreign.Tangent(stretch=2.0), **options)
    with pytest.raises(InputError, match="not the same are samples"):
        hc.optimize(
            foreign.samples_with(foreign.Percent("norm", 20.0), size=300), CUT, step=foreign.Tangent(), **options
        )


@pytest.mark.parametrize("missing", ["fail", "pass"])
@pytest.mark.parametrize("edges", [1, 2], ids=["one-threshold", "window"])
def test_a_scan_is_that_of_a_column_with_the_quantity_of_the_cut(edges: int, missing: Any) -> None:
    rng = np.random.default_rng(4)

    def sample(name: str, signal: bool, size: int) -> tuple[hc.Sample, hc.Sample]:
        eta = rng.normal(0.0, 0.5 if signal else 2.0, size).round(2)
        eta[::7] = -999.0
        given = {"weights": rng.uniform(0.1, 1.0, size), "signal": signal, "missing": -999.0}
        size_of_eta = np.where(eta == -999.0, -999.0, np.abs(eta))
        return hc.Sample(name, {"eta": eta}, **given), hc.Sample(name, {"size": size_of_eta}, **given)

    foreigners, known = zip(sample("s", True, 200), sample("b", False, 600), strict=True)
    own, cut = SoftCentral(missing=missing), hc.Cut("size", "<", missing=missing)
    if edges == 2:
        own, cut = foreign.AbsoluteWindow(missing=missing), hc.Window("size", missing=missing)
    found, expected = (
        hc.scan(s, c, metrics=["bce", "asimov_uncertainty", "profile"], thresholds=t, replicas=20, folds=2)
        for s, c, t in (
            (foreigners, own, None if edges == 1 else np.linspace(0.005, 3.005, 12)),
            (known, cut, None if edges == 1 else np.linspace(0.005, 3.005, 12)),
        )
    )
    np.testing.assert_array_equal(found.thresholds, expected.thresholds)
    for name, values in expected.values.items():
        np.testing.assert_array_equal(found.values[name], values)
        optimum, other = found.optimum(name), expected.optimum(name)
        assert (optimum.held_out, optimum.uncertainty) == (other.held_out, other.uncertainty)
        chosen = own.at(np.atleast_1d(optimum.threshold).tolist())
        assert float(hc.fill(foreigners, chosen).nominal[1, 0]) == pytest.approx(optimum.background, rel=1e-12)
    assert "eta" in repr(found)
    found.plot()
    with pytest.raises(InputError, match=f"writes hepcuts.Cut or hepcuts.Window of it, got {type(own).__name__}"):
        found.explorer("never-written.html")


UNSCANNABLE = {
    "no-edges": (Central(), r"Central on 'eta' can be filled and evaluated, but gives no edges"),
    "other-quantity": (WrongQuantity(), r"WrongQuantity on 'eta': its edges select other events than it does"),
    "inverted": (~hc.Cut("eta", ">", 1.0), r"A scan takes a cut with one threshold, .*, got Not, not \(eta > 1\); "),
    "sliding": (hc.SlidingCut("eta", ">", along="x", knots=[0.0, 1.0]), r"A scan takes a cut with one .* SlidingCut"),
    "no-cut": (hc.Selection(hc.Cut("x", ">")), r"A scan takes one cut, such as .*, got Selection"),
}


@pytest.mark.parametrize(("cut", "message"), UNSCANNABLE.values(), ids=UNSCANNABLE)
def test_a_scan_refuses_by_name_what_lies_on_no_side_of_a_threshold(cut: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hc.scan(foreign.samples_with(size=100), cut)


MODIFIED: dict[str, Any] = {
    "workspace": lambda s: discovery_significance(
        hc.HistFactory.from_workspace(hc.workspace(hc.fill(s, hc.Cut("x", ">", 1.0))))
    ),
    "evaluate": lambda s: evaluate(s, hc.Selection([hc.Cut("x", ">", 1.0)]), objective="asimov_uncertainty").value,
    "scan": lambda s: list(
        hc.scan(s, CUT, metrics=["profile", "asimov_uncertainty"], thresholds=[0.5, 1.5], replicas=5).values.values()
    ),
    "optimize": lambda s: hc.optimize(s, CUT, **(QUICK | {"objective": "profile"})).significance,
    "bin_edges": lambda s: hc.bin_edges(s, "x", num_bins=3, folds=2, fine_bins=20, holdout=None).significance,
    "categorize": lambda s: hc.categorize(s, "x", num_bins=2, folds=2, fine_bins=20, holdout=None).value,
}


@pytest.mark.parametrize("entry", MODIFIED.values(), ids=MODIFIED)
@pytest.mark.slow("categorize")
def test_a_modifier_means_what_it_writes(entry: Any) -> None:
    """It is a NormSys, so all comes out as with that of hepcuts; and it matters."""
    found, known = (entry(foreign.samples_with(one, size=500)) for one in (FOREIGN, KNOWN))
    np.testing.assert_allclose(found, known, rtol=1e-9)


@pytest.mark.parametrize("name", ["workspace", "evaluate", "scan"])
def test_a_modifier_matters(name: str) -> None:
    found, without = (MODIFIED[name](foreign.samples_with(*some, size=500)) for some in ([FOREIGN], []))
    assert np.all(np.asarray(found) < 0.999 * np.asarray(without))


@pytest.mark.parametrize("kind", ["histosys", "shapesys"])
def test_a_modifier_that_would_be_lost_on_the_way_is_refused(kind: str) -> None:
    """Its numbers follow the cuts in a workspace, but no sum over events would make them for a search."""
    samples = foreign.samples_with(foreign.Unfilled("mine", kind))
    assert hc.workspace(hc.fill(samples, hc.Cut("x", ">", 1.0)))
    for search in (
        lambda: hc.scan(samples, CUT, metrics=["profile"], thresholds=[0.5, 1.5], replicas=0, folds=0),
        lambda: hc.optimize(samples, CUT, **(QUICK | {"objective": "profile"})),
        lambda: hc.categorize(samples, "x", num_bins=2, folds=0, fine_bins=20, holdout=None),
    ):
        with pytest.raises(InputError, match=f"Unfilled 'mine' of sample 'b' writes a {kind}, .* derive it from"):
            search()


def test_a_modifier_of_a_type_that_nobody_reads_is_refused_by_name() -> None:
    samples = foreign.samples_with(foreign.Unfilled("mine", "mysys"))
    with pytest.raises((InputError, UnsupportedModelError), match="mysys"):
        hc.scan(samples, CUT, metrics=["profile"], thresholds=[0.5, 1.5], replicas=0, folds=0)


class Result(Tabular):
    """A result of one's own."""

    def overview(self) -> SummaryTable:
        return SummaryTable("mine", [("x", "1")], head=("cut", "value"))


def test_a_result_shows_itself_as_those_of_hepcuts() -> None:
    assert repr(Result()) == "mine\n  cut  value\n  x        1"
    assert Result()._repr_html_().startswith("<table><caption>mine</caption>")
    assert Result().summary().markdown().startswith("| cut | value |")


def test_all_travel_to_another_process() -> None:
    samples, cut, folds = foreign.samples_with(FOREIGN, size=500), SoftCentral(), EveryNth()
    given: dict[str, Any] = {"step": foreign.Tangent(stretch=2.0), "solver": foreign.Sequential()}
    here = foreign.numbers_of(samples, cut, folds, **given)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(foreign.numbers_of, samples, cut, folds, **given).result()
    for name, numbers in here.items():
        np.testing.assert_allclose(there[name], numbers, rtol=1e-9, err_msg=name)
        assert np.all(np.isfinite(numbers)), name
