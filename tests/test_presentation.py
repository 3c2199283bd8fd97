"""The N-1 table and rounded thresholds, against selections that are filled and fitted one by one."""

import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.cuts.regions import Region
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.evaluation.presentation import (
    DropOneTable,
    RoundedSelection,
    WithoutCut,
    _candidates,
    drop_one,
    rounded,
)

from .unchecked import unchecked  # noqa: F401

OFF = -999.0


def make_samples(seed: int = 0) -> list[hc.Sample]:
    rng = np.random.default_rng(seed)

    def columns(size: int, center: float) -> dict[str, np.ndarray]:
        x = rng.normal(center, 1.0, size)
        return {
            "x": np.where(rng.uniform(size=size) < 0.05, OFF, x),
            "mass": rng.normal(125, 5, size) if center else rng.uniform(90, 160, size),
            "noise": rng.normal(0.0, 1.0, size),
            "y": rng.uniform(0.0, 2.0, size),
        }

    background = columns(3000, 0.0)
    shifted = {"mass": background["mass"] + 1.0}
    modifiers = [hc.HistoSys("scale", up=shifted, down="mirror"), hc.NormSys("xsec", 1.05, 0.95)]
    return [
        hc.Sample("s", columns(800, 1.5), weights=np.full(800, 0.1), signal=True, missing=OFF),
        hc.Sample("b", background, weights=rng.uniform(0.2, 0.8, 3000), modifiers=modifiers, missing=OFF),
    ]


CUTS = hc.Cut("x", ">", 0.512345) & hc.Window("mass", 114.2345, 137.7654) & hc.Cut("noise", ">", -3.9, missing="pass")


def significance(samples, selection, axis=None) -> float:
    spec = hc.workspace(hc.fill(samples, selection, axis=axis))
    return float(hc.discovery_significance(hc.HistFactory.from_workspace(spec)))


@pytest.mark.parametrize("axis", [None, hist.axis.Regular(2, 0.0, 2.0, name="y")], ids=["count", "shape"])
def test_drop_one_is_what_the_other_cuts_are_worth(axis):
    samples = make_samples()
    table = drop_one(samples, CUTS, axis=axis, replicas=20)
    assert table.significance == pytest.approx(significance(samples, CUTS, axis), rel=1e-9)
    for number, row in enumerate(table.rows):
        others = hc.Selection([cut for n, cut in enumerate(CUTS.cuts) if n != number])
        assert row.cut == CUTS.cuts[number]
        assert row.significance == pytest.approx(significance(samples, others, axis), rel=1e-9)
        assert row.loss == pytest.approx(table.significance - row.significance, abs=1e-12)
        filled = hc.fill(samples, others, axis=axis)
        assert row.signal == pytest.approx(filled.nominal[0].sum())
        assert row.background == pytest.approx(filled.nominal[1].sum())
    assert [row.matters for row in table.rows] == [True, True, False]
    text = repr(table)
    assert text.count("does not matter") == 1
    assert "114.2345 &lt; mass" in table._repr_html_()


def test_the_uncertainty_of_a_loss_is_its_spread_over_simulations():
    selection = hc.Cut("x", ">", 1.0) & hc.Cut("noise", ">", 0.5)

    def draw(rng: np.random.Generator, size: int, center: float) -> dict[str, np.ndarray]:
        return {"x": rng.normal(center, 1.0, size), "noise": rng.normal(0.0, 1.0, size)}

    def loss(seed: int) -> tuple[float, float]:
        rng = np.random.default_rng(seed)
        n, m = rng.poisson([800, 3000])
        s = hc.Sample("s", draw(rng, n, 1.5), weights=np.full(n, 0.1), signal=True)
        b = hc.Sample("b", draw(rng, m, 0.0), weights=np.full(m, 0.5))
        row = drop_one([s, b], selection, replicas=60, seed=seed).rows[1]
        return row.loss, row.uncertainty

    losses, uncertainties = np.transpose([loss(seed) for seed in range(60)])
    # 60 simulations know a standard deviation to 9 %.
    assert np.mean(uncertainties) == pytest.approx(np.std(losses, ddof=1), rel=0.25)


def test_rounding_costs_no_more_than_allowed():
    samples = make_samples(1)
    exact = significance(samples, CUTS)
    for max_loss in (0.001, 0.01, 0.1):
        found = rounded(samples, CUTS, max_loss=max_loss)
        assert found.exact == pytest.approx(exact, rel=1e-9)
        assert found.significance == pytest.approx(significance(samples, found.selection), rel=1e-9)
        assert found.loss == pytest.approx(1.0 - found.significance / exact, abs=1e-12)
        assert found.loss <= max_loss
        for threshold in found.selection.thresholds:
            assert len(f"{threshold:.10g}".replace("-", "").replace(".", "").strip("0")) <= 5
    # A cut on noise that rejects nothing may be rounded to anything that rejects nothing, but not to another cut.
    assert rounded(samples, CUTS, max_loss=0.1).selection.thresholds[-1] == -4.0


def test_rounded_values_are_exact_decimals():
    # 3 * 0.1 is not 0.3, and would print as 0.30000000000000004.
    for threshold, wanted in ((0.300001, 0.3), (46.40730103875879, 46.4), (-1234.5678, -1235.0), (7e-5, 7e-5)):
        found = _candidates(threshold)
        assert wanted in found
        assert all(float(f"{value:.12g}") == value for value in found)
        distances = [abs(value - threshold) for value in found]
        assert distances[-1] <= 1e-3 * abs(threshold)


def test_control_regions_lose_the_cut_or_go_with_it():
    samples = make_samples()
    regions = [Region("side", inverted=["mass"]), Region("loose", without=["noise"], inverted=["x"])]
    table = drop_one(samples, CUTS, regions=regions, replicas=20)

    def worth(cuts: hc.Selection, *beside: Region) -> float:
        return evaluate(samples, cuts, regions=beside).significance

    x, mass, noise = CUTS.cuts
    assert table.significance == pytest.approx(worth(CUTS, *regions), rel=1e-9)
    without_x, without_mass, without_noise = (row.significance for row in table.rows)
    assert without_x == pytest.approx(worth(mass & noise, regions[0]), rel=1e-9)
    assert without_mass == pytest.approx(worth(x & noise, regions[1]), rel=1e-9)
    # "loose" does not cut on noise in the first place.
    assert without_noise == pytest.approx(worth(x & mass, regions[0], Region("loose", inverted=["x"])), rel=1e-9)
    assert all(row.uncertainty > 0 for row in table.rows[:2])


def test_thresholds_are_rounded_in_all_regions():
    samples, region = make_samples(1), Region("side", inverted=["x"])
    found = rounded(samples, CUTS, max_loss=0.01, regions=[region])
    exact, significance = (evaluate(samples, s, regions=[region]).significance for s in (CUTS, found.selection))
    assert found.exact == pytest.approx(exact, rel=1e-9)
    assert found.significance == pytest.approx(significance, rel=1e-9)
    assert found.loss <= 0.01


BAD = {
    "no-threshold": (lambda: drop_one(make_samples(), hc.Cut("x", ">")), r"x > \?; expected cuts with all"),
    "no-selection": (lambda: rounded(make_samples(), None), "selection is None"),
    "replicas": (lambda: drop_one(make_samples(), CUTS, replicas=1), "replicas is 1"),
    "loss": (lambda: rounded(make_samples(), CUTS, max_loss=1.0), "max_loss is 1.0"),
    "nothing-left": (lambda: rounded(make_samples(), hc.Cut("x", ">", 50.0)), "no significance on these events"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "match"), BAD.values(), ids=BAD)
def test_refusals_say_what_was_expected(call, match):
    with pytest.raises(InputError, match=match):
        call()


@pytest.mark.parametrize(
    ("loss", "uncertainty", "verdict", "said"),
    [
        (0.168, 0.094, "undecided", "undecided, loss up to 0.36"),  # was "does not matter", of 0.614
        (0.3, 0.1, "matters", "matters"),
        (0.001, 0.004, "does not matter", "does not matter, loss up to 0.009"),
        (0.008, 0.001, "does not matter", "does not matter, loss up to 0.01"),
        (0.0, 0.0, "does not matter", "does not matter, loss up to 0"),
        (-0.2, 0.01, "does not matter", "does not matter, loss up to 0"),
        (float("nan"), 0.1, "undecided", "undecided"),
    ],
)
def test_verdicts_have_bounds(loss, uncertainty, verdict, said):
    row = WithoutCut(hc.Cut("x", ">", 1.0), 0.614 - loss, loss, uncertainty, 1.0, 1.0, 0.614)
    assert row.verdict == verdict
    assert row.matters == (verdict == "matters")
    assert str(row) == said
    table = DropOneTable(hc.Selection([row.cut]), 0.614, (row,))
    assert said in table.overview().text()


def test_a_weak_cut_is_not_called_superfluous():
    """Dropping two cuts that "do not matter" took half of the significance."""
    rng = np.random.default_rng(5)
    s = hc.Sample("s", {v: rng.normal(1.0, 1.0, 300) for v in "xyz"}, weights=np.full(300, 0.02), signal=True)
    b = hc.Sample("b", {v: rng.normal(0.0, 1.0, 150) for v in "xyz"}, weights=np.full(150, 1.0))
    table = drop_one([s, b], hc.Cut("x", ">", 0.8) & hc.Cut("y", ">", 0.3) & hc.Cut("z", ">", 0.0), replicas=100)
    for row in table.rows:
        if row.verdict == "does not matter":
            assert row.largest_loss < 0.02 * table.significance
    assert any(row.verdict == "undecided" for row in table.rows)


def test_rounding_says_what_it_did():
    """Another threshold is not a rounded one, and a gain is no loss of less than nothing."""
    rng = np.random.default_rng(2)
    s = hc.Sample("s", {"x": rng.normal(120, 25, 400)}, weights=np.full(400, 0.05), signal=True)
    b = hc.Sample("b", {"x": rng.exponential(60, 400)}, weights=np.full(400, 1.0))
    found = rounded([s, b], hc.Cut("x", ">", 82.5), max_loss=0.2)
    (new,) = found.selection.thresholds
    assert abs(new - 82.5) <= 8.25
    assert found.changes == {"x": (82.5, new)}
    assert f"x: 82.5 to {new:g}" in repr(found)
    gain = RoundedSelection(found.selection, 1.06, 1.0, -0.06, found.given)
    assert "6.00% more than 1" in repr(gain)
    assert "less" not in repr(gain)
    kept = rounded([s, b], hc.Cut("x", ">", 80.0), max_loss=1e-9)
    assert kept.changes == {}
    assert "as they were: x" in repr(kept)
