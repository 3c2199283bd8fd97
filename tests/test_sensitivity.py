"""Plateaus against exhaustive scans, curvature against second differences, and what is undetermined in closed form."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts import counting
from hepcuts.cuts import SlidingCut
from hepcuts.cuts.regions import Region
from hepcuts.cuts.steps import step
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.sensitivity import sensitivity
from hepcuts.optimization.soft.lines import Line, hard_sums_along
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import solver

OFF = -999.0


def make_search(samples, selection, objective="asimov", **options) -> Search:
    problem = Problem(selection, figure_of_merit(objective), solver("lbfgs"), step("sigmoid"), **options)
    return Search.of(samples, problem)


def make_samples(seed: int = 0, *, size: int = 800) -> list[hc.Sample]:
    """Weighted events with missing values."""
    rng = np.random.default_rng(seed)

    def columns(number: int, center: float) -> dict[str, np.ndarray]:
        x = rng.normal(center, 1.0, number)
        return {
            "x": np.where(rng.uniform(size=number) < 0.05, OFF, x),
            "y": rng.normal(0.5 * center, 1.0, number),
            "z": rng.normal(0.0, 1.0, number),
            "pt": rng.uniform(20.0, 100.0, number),
        }

    shifts = hc.HistoSys("scale", up={"y": columns(4 * size, 0.0)["y"]}, down="mirror")
    return [
        hc.Sample("s", columns(size, 1.5), weights=rng.uniform(0.05, 0.1, size), signal=True, missing=OFF),
        hc.Sample(
            "b", columns(4 * size, 0.0), weights=rng.uniform(0.2, 0.8, 4 * size), modifiers=[shifts], missing=OFF
        ),
    ]


# --- sums along a line -----------------------------------------------------------------------------------------------

SELECTIONS = {
    "cuts": hc.Cut("x", ">", 0.5) & hc.Cut("y", "<", 1.0) & hc.Cut("z", ">", -1.0),
    "missing passes": hc.Cut("x", ">", 0.5, missing="pass") & hc.Cut("y", "<", 1.0),
    "window": hc.Window("x", 0.5, 2.5) & hc.Cut("z", ">", -1.0),
    "inverted window": ~hc.Window("x", 0.2, 1.0) & hc.Cut("z", ">", -1.0),
    "inverted cut": ~hc.Cut("x", ">", 0.2) & hc.Cut("z", "<", 1.0),
    "sliding": SlidingCut("x", ">", along="pt", knots=(30.0, 60.0, 90.0), thresholds=(0.2, 0.5, 0.9))
    & hc.Cut("z", ">", -1.0),
}


@pytest.mark.parametrize("name", list(SELECTIONS))
def test_sums_along_a_line_are_those_of_hard_cuts(name):
    selection = hc.Selection(SELECTIONS[name].cuts)
    search = make_search(make_samples(), selection)
    region, position = search.regions[0], search.space.start
    rng = np.random.default_rng(1)
    for number in range(len(position)):
        members = np.arange(len(position)) == number
        places = np.concatenate([[-6.0, 6.0], position[number] + rng.normal(0.0, 0.7, 20)])
        found = hard_sums_along(region, position, members, places)
        for place, sums in zip(places, found, strict=True):
            expected = region.hard_sums(np.where(members, place, position))
            np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=0.0)


def test_sums_of_tied_thresholds():
    """An event has to pass both; between a lower and an upper threshold it does at some places only."""
    selection = hc.Cut("x", ">", 0.0) & hc.Cut("y", "<", 0.5)
    search = make_search(make_samples(), selection)
    region, places = search.regions[0], np.linspace(-2.0, 2.0, 30)
    both = np.array([True, True])
    found = hard_sums_along(region, search.space.start, both, places)
    expected = [region.hard_sums(np.array([place, place])) for place in places]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=0.0)


# --- plateaus --------------------------------------------------------------------------------------------------------


def test_the_plateau_of_one_cut_is_that_of_an_exhaustive_scan():
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    result = hc.optimize(samples, hc.Cut("x", ">"), objective="asimov", min_background=0.0, holdout=None)
    found = result.sensitivity
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov",))
    values, thresholds = scan.values["asimov"], scan.thresholds
    at = int(np.argmin(np.abs(thresholds - result.thresholds["x"])))

    def reach(fraction: float) -> tuple[int, int]:
        bad = np.flatnonzero(values < fraction * values[at])
        return bad[bad < at].max() + 1, bad[bad > at].min() - 1

    first, last = reach(0.99)
    low, high = found.plateau[0]
    assert low < result.thresholds["x"] < high
    # No further than it goes, but for rows that fluctuate below (by 0.2 %, four signal events); and less than a 200th
    # of signal or background short of it.
    x = np.concatenate([sample.columns["x"] for sample in samples])
    share = np.concatenate([np.full(len(sample), 0.5 / len(sample)) for sample in samples])
    before, after = reach(0.988)
    assert share[(x > low) & (x <= thresholds[before - 1])].sum() < 0.002
    assert share[(x > thresholds[after + 1]) & (x <= high)].sum() < 0.002
    assert share[(x > thresholds[first]) & (x <= low)].sum() < 0.005
    assert share[(x >= high) & (x < thresholds[last])].sum() < 0.005


def test_the_statistical_plateau_in_closed_form():
    """One background of many events, S fixed: by how many of them does S / sqrt(B) change significantly?

    Moving the threshold takes n of N events of weight w away; the gain is Z n / (2 N) and its standard deviation
    Z sqrt(n) / (2 N), so that not a single event is without significance: the loss of one is as large as its
    uncertainty. What matters is a signal that is lost at the same rate: there the two cancel.
    """
    rng = np.random.default_rng(3)
    samples = [
        hc.Sample("s", {"x": rng.uniform(0, 1, 20_000)}, weights=np.full(20_000, 1e-2), signal=True),
        hc.Sample("b", {"x": rng.uniform(0, 1, 20_000) ** 0.5}, weights=np.full(20_000, 1.0)),
    ]
    # Behind x > t: S = 200 (1 - t), B = 20000 (1 - t^2); Z = S / sqrt(B) falls with t from the start.
    search = make_search(samples, hc.Selection([hc.Cut("x", ">", 0.3)]), "s_over_sqrt_b")
    found = sensitivity(search, search.space.start, search.space.widths)
    low, high = found.statistical_plateau[0]

    def judged(t):
        s, b = 200 * (1 - t), 20_000 * (1 - t**2)
        s0, b0 = 200 * 0.7, 20_000 * (1 - 0.09)
        loss = s0 / np.sqrt(b0) - s / np.sqrt(b)
        slope_s = 0.5 * (1 / np.sqrt(b0) + 1 / np.sqrt(b))
        slope_b = 0.5 * (0.5 * s0 / b0**1.5 + 0.5 * s / b**1.5)
        return loss, np.sqrt(slope_s**2 * abs(s - s0) * 1e-2 + slope_b**2 * abs(b - b0))

    loss, sigma = judged(high)
    # At its end the loss is one standard deviation, as far as 20 000 events follow their expectation.
    assert 0.1 < loss / sigma < 2.5
    assert high < 0.4
    assert low == -np.inf


def test_a_threshold_that_rejects_nothing_is_given_up():
    samples = make_samples()
    selection = hc.Cut("x", ">", 0.8) & hc.Cut("z", ">", -50.0) & hc.Cut("y", "<", 1.5)
    search = make_search(samples, selection)
    found = sensitivity(search, search.space.start, search.space.widths)
    assert found.given_up.tolist() == [False, True, False]
    assert found.plateau[1, 0] == -np.inf
    assert found.plateau[1, 1] < 0.0
    assert np.all(found.directions[:, 1] == 0)
    assert len(found.directions) == 2
    assert "given up" in repr(found)
    assert "given up" in found.described()["z"]
    # Upper cuts are given up upwards.
    upper = make_search(samples, hc.Cut("x", ">", 0.8) & hc.Cut("y", "<", 50.0))
    assert sensitivity(upper, upper.space.start, upper.space.widths).plateau[1, 1] == np.inf


def test_bounds_end_a_plateau():
    selection = hc.Selection([hc.Cut("z", ">", -2.5, bounds=(-2.6, 1.0))])
    search = make_search(make_samples(), selection)
    assert sensitivity(search, search.space.start, search.space.widths).plateau[0, 0] == -2.6


def test_tied_thresholds_have_one_plateau():
    selection = hc.Cut("x", ">", 0.5) & hc.Cut("y", ">", 0.5)
    search = make_search(make_samples(), selection, tied=(("x", "y"),))
    found = sensitivity(search, search.space.start, search.space.widths)
    np.testing.assert_array_equal(found.plateau[0], found.plateau[1])
    assert len(found.directions) == 1
    np.testing.assert_allclose(np.abs(found.directions[0]), np.sqrt(0.5))


def test_less_than_sixty_evaluations_for_each_threshold(monkeypatch):
    counted = []
    gains = Line.gains

    def counting_gains(line, places):
        counted.append(len(places))
        return gains(line, places)

    monkeypatch.setattr(Line, "gains", counting_gains)
    search = make_search(make_samples(), hc.Selection([hc.Cut("x", ">", 0.8)]))
    sensitivity(search, search.space.start, search.space.widths)
    assert 10 < sum(counted) <= 60


def test_where_nothing_has_a_value_no_plateau_is_known():
    samples = make_samples()
    search = make_search(samples, hc.Selection([hc.Cut("y", ">", 0.5)]), "bce")
    found = sensitivity(search, search.space.start, search.space.widths)
    assert np.all(np.isnan(found.plateau))
    assert "unknown" in repr(found)
    assert np.isfinite(found.value)


# --- curvature -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", ["asimov", "profile", "bce"])
def test_the_hessian_against_second_differences_of_values(goal):
    selection = hc.Cut("y", ">", 0.5) & hc.Cut("z", ">", -0.8)
    search = make_search(make_samples(), selection, goal, min_background=10.0)
    position, widths = search.space.start, search.space.widths
    found = sensitivity(search, position, widths).hessian
    h = 0.02 * widths

    def value(a: float, b: float) -> float:
        return search.evaluate(position + np.array([a, b]) * h, widths).guarded

    expected = np.empty((2, 2))
    expected[0, 0] = (value(1, 0) - 2 * value(0, 0) + value(-1, 0)) / h[0] ** 2
    expected[1, 1] = (value(0, 1) - 2 * value(0, 0) + value(0, -1)) / h[1] ** 2
    mixed = value(1, 1) - value(1, -1) - value(-1, 1) + value(-1, -1)
    expected[0, 1] = expected[1, 0] = mixed / (4 * h[0] * h[1])
    # Second differences at 2 % of the width are wrong by some (0.02)^2, and by rounding.
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4 * np.abs(expected).max())
    assert np.array_equal(found, found.T)


def test_directions_diagonalize_the_hessian():
    search = make_search(make_samples(), hc.Cut("x", ">", 0.5) & hc.Cut("y", ">", 0.2) & hc.Cut("z", ">", -1.0))
    found = sensitivity(search, search.space.start, search.space.widths)
    np.testing.assert_allclose(
        found.directions @ -found.hessian @ found.directions.T, np.diag(found.curvatures), atol=1e-10
    )
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(3), atol=1e-12)
    assert np.all(np.diff(found.curvatures) >= 0)
    falls = found.curvatures > 0
    lost = 0.5 * found.curvatures[falls] * found.reach[falls] ** 2
    np.testing.assert_allclose(lost, 0.01 * abs(found.value))


SIGNAL_MEAN = 1.5
EXPECTED_SIGNAL, EXPECTED_BACKGROUND = 300.0, 3000.0


@pytest.fixture(scope="module")
def exponentials():
    """Yields behind x > a & y > b are functions of a + b alone: how it is shared between the two is undetermined."""
    rng = np.random.default_rng(5)
    samples = [
        hc.Sample(
            name,
            {"x": rng.exponential(mean, size), "y": rng.exponential(mean, size)},
            weights=np.full(size, total / size),
            signal=name == "s",
            staterror=False,
            modifiers=() if name == "s" else hc.NormSys("rate", 1.1, 0.9),
        )
        for name, mean, size, total in (
            ("s", SIGNAL_MEAN, 50_000, EXPECTED_SIGNAL),
            ("b", 1.0, 150_000, EXPECTED_BACKGROUND),
        )
    ]
    # The optimum of the closed form in a + b = t.
    t = np.linspace(1.0, 8.0, 2001)
    s, b = EXPECTED_SIGNAL * np.exp(-t / SIGNAL_MEAN), EXPECTED_BACKGROUND * np.exp(-t)
    return samples, float(t[np.argmax(counting.asimov_significance(s, b, 0.1 * b))])


def test_a_combination_that_is_undetermined(exponentials):
    """At a = b the scores of both move alike: (1, -1) is undetermined, (1, 1) is not."""
    samples, total = exponentials
    selection = hc.Cut("x", ">", 0.5 * total) & hc.Cut("y", ">", 0.5 * total)
    search = make_search(samples, selection, "asimov_uncertainty", min_background=0.0)
    found = sensitivity(search, search.space.start, search.space.widths)
    np.testing.assert_allclose(np.abs(found.directions), np.sqrt(0.5), atol=0.1)
    assert np.prod(found.directions[0]) < 0 < np.prod(found.directions[1])
    assert abs(found.curvatures[0]) < 0.1 * found.curvatures[1]
    assert found.reach[0] > 3 * found.reach[1]
    print(found, found.curvatures)


def test_of_two_variables_that_say_the_same_one_is_free():
    """Signal and background have x = y up to a little noise: a cut on one makes a looser one on the other needless."""
    rng = np.random.default_rng(6)

    def columns(number: int, center: float) -> dict[str, np.ndarray]:
        common = rng.normal(center, 1.0, number)
        return {name: common + rng.normal(0.0, 0.05, number) for name in ("x", "y")}

    samples = [
        hc.Sample("s", columns(5000, 1.5), weights=np.full(5000, 0.02), signal=True),
        hc.Sample("b", columns(20_000, 0.0), weights=np.full(20_000, 0.1)),
    ]
    search = make_search(samples, hc.Cut("x", ">", 1.2) & hc.Cut("y", ">", 1.15))
    found = sensitivity(search, search.space.start, search.space.widths)
    assert found.plateau[1, 0] == -np.inf
    # One may be loosened as the other is tightened.
    assert np.prod(found.directions[0]) < 0
    assert found.curvatures[0] < 0.4 * found.curvatures[1]
    print(found, found.curvatures, found.directions)


# --- what a result shows ---------------------------------------------------------------------------------------------


def test_a_result_shows_its_thresholds_with_their_plateaus():
    samples = make_samples()
    result = hc.optimize(
        samples, hc.Cut("x", ">") & hc.Cut("y", ">"), objective="asimov", folds=2, replicas=0, holdout=None
    )
    found = result.sensitivity
    assert result.sensitivity is found
    assert found.names == ("x", "y")
    assert found.thresholds.tolist() == [result.thresholds["x"], result.thresholds["y"]]
    assert found.value == pytest.approx(result.hard_value, rel=1e-3)
    assert "threshold x" not in dict(result.overview().rows)
    rows = dict(result.summary().rows)
    assert rows["threshold x"] == found.described()["x"]
    frame = found.to_dataframe()
    assert list(frame.index) == ["x", "y"]
    np.testing.assert_array_equal(frame["plateau_low"], found.plateau[:, 0])
    page = found._repr_html_()
    assert page.count("<tr>") == 3
    assert "within 1%" in page


def test_control_regions_take_part():
    """Of a cut that is inverted in a control region the events move from one region to the other."""
    samples = make_samples()
    search = make_search(
        samples, hc.Cut("y", ">", 0.5) & hc.Cut("z", ">", -1.0), "profile", regions=(Region("control", inverted=["y"]),)
    )
    line = Line(search, search.space.start, np.array([True, False]))
    place = len(line.candidates) // 2
    gain, _ = line.gains(np.array([place]))
    at = np.array([line.candidates[place], search.space.start[1]])
    expected = search.of_sums(search.hard_sums(at))[0] - search.of_sums(search.hard_sums(search.space.start))[0]
    assert gain[0] == pytest.approx(expected, rel=1e-6)
