"""Categories along one or more discriminants, against enumerations, dynamic programming and differences."""

import itertools
import math
from typing import Any

import hist
import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, OutsideAxisWarning, SampleError
from hepcuts.binning.categories import _plan
from hepcuts.binning.fine import Guard
from hepcuts.binning.fine_lattice import fine_lattice
from hepcuts.binning.soft_edges import HardEdges, SoftEdges
from hepcuts.binning.solving import Solver
from hepcuts.binning.starts import even
from hepcuts.cuts.steps import Sigmoid
from hepcuts.evaluation.splitters import folds_of
from hepcuts.merit.registry import figure_of_merit
from hepcuts.templates.lattice import Lattice

MASS = hist.axis.Regular(3, 0.0, 1.0, name="mass")


def samples_of(size: int = 1500, seed: int = 0) -> list[hc.Sample]:
    """Two scores, a variable to cut on and a mass; uncertainties that move categories together."""
    rng = np.random.default_rng(seed)

    def columns(x: float, y: float, cut: float, mass: float) -> dict[str, Any]:
        shared = rng.normal(size=size)
        return {
            "x": x + 0.6 * shared + 0.8 * rng.normal(size=size),
            "y": y - 0.3 * shared + 0.9 * rng.normal(size=size),
            "q": cut + rng.normal(size=size),
            "mass": np.clip(rng.normal(0.5, mass, size), 0.0, 0.999),
        }

    s, b, w = columns(1.0, 0.7, 0.8, 0.1), columns(0.0, 0.0, 0.0, 0.4), columns(-0.3, 0.6, 0.2, 0.3)
    lumi = hc.NormSys("lumi", 1.02, 0.98)
    jes = hc.HistoSys("jes", up={"x": b["x"] + 0.1}, down={"x": b["x"] - 0.1})
    return [
        hc.Sample("s", s, weights=np.full(size, 60 / size), signal=True, modifiers=[lumi]),
        hc.Sample("b", b, weights=rng.uniform(0.5, 1.5, size) * 500 / size, modifiers=[lumi, jes]),
        hc.Sample("w", w, weights=np.full(size, 150 / size), modifiers=[hc.NormSys("wxs", 1.2, 0.85)]),
    ]


def lattice_of(samples: Any, names: Any, fine_bins: int, folds: int = 0, **options: Any) -> Lattice:
    selection, kind, axis = options.get("selection"), options.get("kind", "grid"), options.get("axis")
    return fine_lattice(
        samples,
        _plan(samples, names, kind, selection, (axis, fine_bins)),
        folds_of(folds, samples, seed=options.get("seed", 0)),
    )


def solver_of(lattice: Lattice, goal: str, guard: Guard | None = None) -> Solver:
    totals = totals_of_lattice(lattice)
    return Solver(lattice, figure_of_merit(goal), Guard(5.0, 0.5) if guard is None else guard, totals)


def totals_of_lattice(lattice: Lattice) -> tuple[float, float]:
    """Expected signal and background of the events that are laid out."""
    signal = np.array([component.signal for component in lattice.structure.components])
    nominal = np.asarray(lattice.merged(tuple(np.array([0, axis.size]) for axis in lattice.axes)).nominal).sum(axis=1)
    return float(nominal[signal].sum()), float(nominal[~signal].sum())


CUTS = hc.Selection([hc.Cut("q", ">")])
LAYOUTS: dict[str, tuple[Any, dict[str, Any], tuple[int, ...]]] = {
    "one": ("x", {}, (4,)),
    "grid": (["x", "y"], {}, (3, 2)),
    "argmax": (["x", "y"], {"kind": "argmax"}, (3, 2)),
    "cut": ("x", {"selection": CUTS}, (3, 2)),
    "window": ("x", {"selection": hc.Selection([hc.Window("q")])}, (2, 3)),
    "mass": ("x", {"axis": MASS}, (3,)),
}
SLOWLY = {"cut", "argmax"}
"""Layouts that share most of their ways with others."""
layouts = pytest.mark.parametrize(("names", "options", "shape"), LAYOUTS.values(), ids=LAYOUTS)
some_layouts = pytest.mark.parametrize(
    ("names", "options", "shape"),
    [
        pytest.param(*given, id=name, marks=pytest.mark.slow if name in SLOWLY else ())
        for name, given in LAYOUTS.items()
    ],
)


@some_layouts
@pytest.mark.slow("mass", "window")
def test_gradients_are_differences(names, options, shape):
    lattice, goal = lattice_of(samples_of(), names, 30, **options), "profile" if len(shape) > 1 else "asimov"
    solver = solver_of(lattice, goal, Guard(60.0, 5.0))  # narrow bins pay
    soft = SoftEdges(solver.everything, shape, solver.judge(shape))
    rng = np.random.default_rng(1)
    number = sum(bins - 1 for bins in shape)
    for width, edges in ((0.3, rng.normal(0, 0.6, number)), (0.1, soft.position(even(lattice, shape)))):
        _, gradient = soft.value_and_gradient(edges, width)
        h = 1e-5
        values = [[soft.value_and_gradient(edges + sign * h * e, width)[0] for sign in (1, -1)] for e in np.eye(number)]
        numerical = np.array([(up - down) / (2 * h) for up, down in values])
        np.testing.assert_allclose(gradient, numerical, rtol=2e-6, atol=2e-7 * np.abs(numerical).max())


@layouts
def test_soft_sums_become_hard_ones(names, options, shape):
    """At width zero; and at any width all events of all bins are those of no edges at all."""
    lattice = lattice_of(samples_of(400), names, 20, **options)
    solver = solver_of(lattice, "asimov")
    soft = SoftEdges(solver.everything, shape, solver.judge(shape))
    partitions = even(lattice, shape)
    shares, _ = soft.shares(soft.position(partitions), 1e-6)
    np.testing.assert_allclose(solver.everything.soft_sums(shares), solver.everything.sums(partitions), atol=1e-9)
    wide, _ = soft.shares(soft.position(partitions), 0.5)
    for axis, share in zip(lattice.axes, wide, strict=True):
        if axis.kept is None:
            np.testing.assert_allclose(share.sum(axis=1), 1.0, rtol=1e-12)


def test_the_step_is_that_of_soft_cuts():
    lattice = lattice_of(samples_of(300), "x", 20)
    soft = SoftEdges(lattice, (2,), solver_of(lattice, "asimov").judge((2,)))
    _, (passed,) = soft.shares(np.array([0.3]), 0.2)
    with jax.enable_x64(True):
        expected = Sigmoid().pass_weight(lattice.axes[0].scores - 0.3, 0.2)
    np.testing.assert_allclose(passed[:, 0], expected, rtol=1e-12)


def asimov(samples: Any, numbers: Any, count: int) -> float:
    """Z_A in quadrature from the numbers of the categories of each sample's events; -inf without background."""
    s, b = np.zeros(count), np.zeros(count)
    for sample, number in zip(samples, numbers, strict=True):
        counted = number >= 0
        sums = np.bincount(number[counted], sample.weights[counted], minlength=count)
        s, b = (s + sums, b) if sample.signal else (s, b + sums)
    if np.any(b < 0.5):
        return -math.inf
    return math.sqrt(np.sum(2.0 * ((s + b) * np.log1p(s / b) - s)))


def test_one_variable_is_the_exhaustive_optimum():
    samples = samples_of(300)
    result = hc.categorize(
        samples,
        "x",
        num_bins=4,
        objective="asimov",
        folds=0,
        fine_bins=14,
        min_background=0,
        min_expected=0.5,
        holdout=None,
    )
    edges = lattice_of(samples, "x", 14).axes[0].edges
    best = max(
        asimov(samples, [np.searchsorted(edges[list(inner)], s.columns["x"], side="right") for s in samples], 4)
        for inner in itertools.combinations(range(1, 14), 3)
    )
    assert result.value == pytest.approx(best, rel=1e-12)
    assert result.start_value == result.value
    dynamic = hc.bin_edges(
        samples, "x", num_bins=4, folds=0, fine_bins=14, min_background=0, min_expected=0.5, holdout=None
    )
    np.testing.assert_array_equal(result.edges["x"], dynamic.start.edges)


@pytest.mark.parametrize("seed", range(3))
def test_two_variables_against_all_grids(seed):
    samples = samples_of(400, seed)
    options: dict[str, Any] = {"folds": 0, "fine_bins": 8, "min_background": 0, "min_expected": 0.5}
    result = hc.categorize(samples, ["x", "y"], num_bins=(2, 3), objective="asimov", **options, holdout=None)
    x, y = (axis.edges for axis in lattice_of(samples, ["x", "y"], 8).axes)
    best = -math.inf
    for i in range(1, 8):
        for inner in itertools.combinations(range(1, 8), 2):
            numbers = [
                3 * (s.columns["x"] >= x[i]) + np.searchsorted(y[list(inner)], s.columns["y"], side="right")
                for s in samples
            ]
            best = max(best, asimov(samples, numbers, 6))
    assert 0.995 * best <= result.value <= best * (1.0 + 1e-12)


@pytest.mark.slow
def test_a_cut_with_an_edge_against_all_of_them():
    """By the profile likelihood, through fill and workspace as any user would."""
    samples = samples_of(300)
    options: dict[str, Any] = {"folds": 0, "fine_bins": 8, "min_background": 5, "min_expected": 0.5}
    result = hc.categorize(samples, "x", num_bins=2, selection=hc.Cut("q", "auto"), **options, holdout=None)
    axes = lattice_of(samples, "x", 8, selection=CUTS).axes
    best = -math.inf
    for edge, threshold in itertools.product(axes[0].edges[1:-1], axes[1].edges[1:-1]):
        chosen = hc.Cut("q", ">", float(np.nextafter(threshold, -np.inf)))
        axis = hist.axis.Variable([axes[0].edges[0], edge, axes[0].edges[-1]], name="x")
        if not np.any(samples[1].columns["q"] > threshold):
            continue
        templates = hc.fill(samples, chosen, axis=axis)
        if np.asarray(templates.nominal)[1:].sum(axis=0).min() > 3:
            best = max(best, significance_of(templates))
    assert 0.99 * best <= result.value <= best * (1.0 + 1e-7)
    assert result.selection is not None
    assert result.selection.cuts[0].signs == (1,)
    assert result.selection.thresholds[0] > -1.5


def significance_of(*templates: Any) -> float:
    return float(hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(templates))))


@pytest.mark.parametrize("bins", [2, 4])
def test_soft_edges_reach_dynamic_programming(bins):
    """The sum over bins, whose global optimum is known, in terms of itself; 20 000 events each."""
    rng = np.random.default_rng(3)
    size = 20_000
    samples = [
        hc.Sample("s", {"x": rng.normal(1, 1, size)}, weights=np.full(size, 60 / size), signal=True),
        hc.Sample("b", {"x": rng.normal(0, 1, size)}, weights=np.full(size, 600 / size)),
    ]
    solver = solver_of(lattice_of(samples, "x", 200), "asimov")
    judge, lattice = solver.judge((bins,)), solver.everything
    soft = SoftEdges(lattice, (bins,), judge)
    value = lambda partitions: float(judge([lattice.merged(partitions)])[0])  # noqa: E731
    dynamic = value(solver.start(lattice, (bins,)))
    assert 0.99 * dynamic <= value(soft.optimum(even(lattice, (bins,)))) <= dynamic * (1 + 1e-12)
    assert 0.997 * dynamic <= value(soft.optimum(solver.start(lattice, (bins,)))) <= dynamic * (1 + 1e-12)


@some_layouts
@pytest.mark.slow("mass", "window")
def test_values_are_those_of_the_workspace(names, options, shape):
    samples = samples_of(1000)
    num_bins = shape[: 1 if isinstance(names, str) else 2]
    result = hc.categorize(
        samples, names, num_bins=num_bins, folds=0, fine_bins=25, min_background=20, **options, holdout=None
    )
    assert result.num_bins == num_bins
    assert result.value >= result.start_value * (1.0 - 1e-12)
    assert significance_of(*result.templates) == pytest.approx(result.value, rel=1e-7)
    assert result.significance == pytest.approx(result.value, rel=1e-7)
    assert result.effective_background.min() >= 20 * (1 - 1e-9)
    assert result.background.min() >= 1 - 1e-9
    nominal = np.concatenate([np.asarray(t.nominal).reshape(3, -1) for t in result.templates], axis=1)
    summed = nominal.reshape(3, result.num_categories, -1).sum(axis=-1)
    np.testing.assert_allclose(summed[0], result.signal, rtol=1e-12)
    np.testing.assert_allclose(summed[1:].sum(axis=0), result.background, rtol=1e-12)


def test_the_held_out_value_is_that_of_bin_edges():
    """Both continue from the other folds' templates along the tangent; there by differences of fits."""
    samples = samples_of(1000)
    options: dict[str, Any] = {"num_bins": 3, "fine_bins": 60, "seed": 4}
    other = hc.bin_edges(samples, "x", polish_edges=False, **options, holdout=None)
    result = hc.categorize(samples, "x", objective="asimov", **options, holdout=None)
    assert result.held_out_value == pytest.approx(other.best.held_out_value, rel=1e-9)
    lattice = lattice_of(samples, "x", 60, folds=5, seed=1)
    solver = Solver(lattice, figure_of_merit("profile"), Guard(10.0, 1.0), (1.0, 1.0))
    starts = [solver.start(lattice, (3,)) for lattice in solver.training]
    # The same folds; of other seeds the step of the difference quotient costs up to 4e-5.
    reference = hc.bin_edges(samples, "x", polish_edges=False, **(options | {"seed": 1}), holdout=None)
    squared, _ = solver._held_out((3,), starts)
    assert math.sqrt(squared) == pytest.approx(reference.best.held_out_significance, rel=1e-5)


@pytest.mark.slow
def test_the_uncertainty_is_the_spread_over_simulations():
    """Events drawn anew, nominal and variations together, and as many as sums of squared weights stand for."""
    samples = samples_of(1000)
    result = hc.categorize(samples, "x", num_bins=2, folds=0, fine_bins=20, holdout=None)
    rng = np.random.default_rng(0)
    edge, found = result.edges["x"][1], []
    axis = hist.axis.Variable([-9.0, edge, 9.0], name="x")
    for _ in range(200):
        drawn = [s.take(np.repeat(np.arange(len(s)), rng.poisson(1.0, len(s)))) for s in samples]
        found.append(significance_of(hc.fill(drawn, None, axis=axis)))
    assert result.uncertainty == pytest.approx(np.std(found, ddof=1), rel=0.2)  # four standard errors of a spread


@pytest.mark.slow
def test_of_pure_noise_one_category_is_best():
    rng = np.random.default_rng(5)
    samples = [
        hc.Sample(name, {"x": rng.normal(size=800), "y": rng.normal(size=800)}, weights=np.full(800, w), signal=w < 0.2)
        for name, w in (("s", 0.1), ("b", 1.0))
    ]
    result = hc.categorize(samples, ["x", "y"], objective="asimov", fine_bins=20, holdout=None)
    assert result.num_categories == 1
    assert len(result.candidates) < 6  # two that are worse end it
    values = [one.value for one in result.candidates]
    assert values == sorted(values)


@pytest.mark.slow
def test_the_number_of_bins_is_chosen_held_out():
    samples = samples_of(1500)
    result = hc.categorize(
        samples, ["x", "y"], objective="asimov", fine_bins=12, folds=3, max_categories=6, holdout=None
    )
    held_out = np.array([one.held_out_value for one in result.candidates]) ** 2
    best = held_out.max()
    tolerated = [
        v >= best - one.held_out_uncertainty or v >= 0.99**2 * best
        for v, one in zip(held_out, result.candidates, strict=True)
    ]
    assert result.num_bins == result.candidates[tolerated.index(True)].num_bins
    assert result.num_categories > 2
    for one, other in itertools.pairwise(result.candidates):
        assert sum(other.num_bins) == sum(one.num_bins) + 1


@pytest.mark.slow
def test_a_monotone_map_changes_nothing():
    samples = samples_of(600)
    mapped = []
    for s in samples:
        modifiers = [
            hc.HistoSys(m.name, up={"x": np.exp(m.up.columns["x"])}, down={"x": np.exp(m.down.columns["x"])})
            if isinstance(m, hc.HistoSys)
            else m
            for m in s.modifiers
        ]
        columns = {**s.columns, "x": np.exp(s.columns["x"])}
        mapped.append(hc.Sample(s.name, columns, weights=s.weights, signal=s.signal, modifiers=modifiers))
    first, second = (
        hc.categorize(given, ["x", "y"], num_bins=2, folds=2, fine_bins=20, holdout=None) for given in (samples, mapped)
    )
    np.testing.assert_allclose(first.background, second.background, rtol=1e-12)
    assert first.value == pytest.approx(second.value, rel=1e-9)
    assert first.held_out_value == pytest.approx(second.held_out_value, rel=1e-7)


@pytest.mark.parametrize("kind", ["grid", "argmax"])
def test_numbers_of_categories(kind):
    samples = samples_of(400)
    result = hc.categorize(
        samples, ["x", "y"], num_bins=(2, 2), kind=kind, folds=0, fine_bins=20, objective="asimov", holdout=None
    )
    ex, ey = result.edges["x"][1], result.edges["y"][1]
    off = 100.0
    columns = {"x": np.array([ex - 1, ex, off, ex, off]), "y": np.array([ey - 1, ey + 9, ey, off, off])}
    if kind == "grid":
        expected = [0, 3, -1, -1, -1]
    else:
        expected = [int(ex > ey) * -2 + 2, 3, 3, 1, -1]
        assert ex != ey
    np.testing.assert_array_equal(result.numbers(columns, missing=off), expected)
    labeled = result.labeled(samples)
    assert [len(s) for s in labeled] == [400] * 3
    jes = labeled[1].modifiers[1]
    assert isinstance(jes, hc.HistoSys)
    varied = {**samples[1].columns, **samples[1].modifiers[1].up.columns}
    np.testing.assert_array_equal(jes.up.columns["category"], result.numbers(varied))
    with pytest.raises(InputError, match="has a column 'category'"):
        result.labeled(labeled)
    with pytest.raises(SampleError, match="'y'"):
        result.labeled([hc.Sample("s", {"x": [1.0]}, signal=True)])


def test_a_missing_value_is_in_no_category():
    samples = samples_of(400)
    holed = []
    for s in samples[:1] + samples[2:]:
        columns = {name: np.append(values, np.full(50, -99.0)) for name, values in s.columns.items()}
        weights = np.append(s.weights, np.full(50, 3.0))
        holed.append(hc.Sample(s.name, columns, weights=weights, signal=s.signal, missing=-99.0))
    plain = [hc.Sample(s.name, s.columns, weights=s.weights, signal=s.signal) for s in samples[:1] + samples[2:]]
    first, second = (
        hc.categorize(
            given, ["x", "y"], num_bins=2, selection=CUTS, folds=0, fine_bins=20, objective="asimov", holdout=None
        )
        for given in (plain, holed)
    )
    np.testing.assert_allclose(first.signal, second.signal, rtol=1e-12)
    np.testing.assert_array_equal(first.edges["y"], second.edges["y"])


def test_guards_are_repaired_or_refused():
    samples = samples_of(400)
    options: dict[str, Any] = {"num_bins": 3, "folds": 0, "fine_bins": 30, "objective": "asimov", "holdout": None}
    result = hc.categorize(samples, ["x", "y"], min_background=15, min_expected=20, **options)
    assert result.effective_background.min() >= 15 * (1 - 1e-9)
    assert result.background.min() >= 20 * (1 - 1e-9)
    total = sum(s.total for s in samples if not s.signal)
    with pytest.raises(InputError, match=rf"No 3 x 3 bins were found .* {total:.4g} background .* Lower the guards"):
        hc.categorize(samples, ["x", "y"], min_background=400, **options)


def test_repair_moves_edges_into_allowed_places():
    lattice = lattice_of(samples_of(400), "x", 40)
    solver = solver_of(lattice, "asimov", Guard(50.0, 0.0))
    squeezed = (np.array([0, 1, 2, 40]),)
    repaired = HardEdges(lattice, solver.judge((3,)), squeezed).repaired()
    assert repaired is not None
    assert solver.judge((3,)).deficit(lattice.merged(repaired)) == 0
    assert solver.judge((3,)).deficit(lattice.merged(squeezed)) > 0


def test_moves_know_their_yields():
    """What is merged along one axis is what is merged from all rows."""
    for names, options, shape in LAYOUTS.values():
        lattice = lattice_of(samples_of(200), names, 12, **options)
        at = even(lattice, shape)
        for number in range(len(shape)):
            merged = lattice.merged_along(number, lattice.along(number, at), at)
            np.testing.assert_allclose(merged.values, lattice.merged(at).values, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(merged.variances, lattice.merged(at).variances, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_a_loss_is_made_small():
    samples = samples_of(600)
    one, three = (
        hc.categorize(samples, "x", num_bins=k, objective="mu_uncertainty", folds=2, fine_bins=20, holdout=None)
        for k in (1, 3)
    )
    assert 0 < three.value < one.value
    assert three.value <= three.start_value
    # On events that did not choose it is larger, but for the chance of 600 events.
    assert three.held_out_value > three.value - three.uncertainty


def test_events_outside_the_axis_of_the_observable_are_warned_of():
    narrow = hist.axis.Regular(2, 0.3, 0.7, name="mass")
    with pytest.warns(OutsideAxisWarning, match="mass"):
        hc.categorize(
            samples_of(300), "x", num_bins=2, folds=0, fine_bins=10, axis=narrow, objective="asimov", holdout=None
        )


def test_bounds_of_a_cut_are_kept():
    cut = hc.Cut("q", ">", bounds=(-2.0, -1.0))
    result = hc.categorize(
        samples_of(400), "x", num_bins=2, selection=cut, folds=0, fine_bins=40, objective="asimov", holdout=None
    )
    assert result.selection is not None
    assert -2.0 - 1e-9 <= result.selection.thresholds[0] <= -1.0


def test_the_same_seed_gives_the_same_result():
    first, second = (
        hc.categorize(samples_of(300), "x", num_bins=3, fine_bins=20, seed=2, objective="asimov", holdout=None)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.edges["x"], second.edges["x"])
    assert first.held_out_value == second.held_out_value


def test_representations():
    options: dict[str, Any] = {"folds": 2, "fine_bins": 10, "objective": "asimov"}
    result = hc.categorize(samples_of(300), ["x", "y"], num_bins=2, selection=CUTS, **options, holdout=None)
    text = repr(result)
    assert text.startswith("4 categories of x and y\n  edges of x")
    for part in (f"{result.value:.4f} +- ", "cross-validated", result.guard, result.message, "q > "):
        assert part in text
    assert result._repr_html_().count("<tr>") == len(result.overview().rows)
    frame = result.to_dataframe()
    assert list(frame["x:low"]) == [*result.edges["x"][[0, 0]], *result.edges["x"][[1, 1]]]
    assert list(frame["background"]) == list(result.background)
    assert result.axis == hist.axis.Integer(0, 4, name="category")
    assert result.guard.startswith("each category expects at least 1 background events")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"objective": "bce"}, "loss of single events"),
        ({"kind": "best"}, "kind is 'best'"),
        ({"discriminants": []}, "expected one column"),
        ({"discriminants": ["x", "x"]}, "several different ones"),
        ({"num_bins": (2, 2)}, r"num_bins is \(2, 2\)"),
        ({"num_bins": 0}, "num_bins is 0"),
        ({"num_bins": None, "folds": 0}, "folds is 0"),
        ({"folds": 1}, "folds is 1"),
        ({"fine_bins": 1, "num_bins": 1}, "fine_bins is 1"),
        ({"max_categories": 0}, "max_categories is 0"),
        ({"min_expected": -1.0}, "min_expected is -1.0"),
        ({"selection": hc.Cut("q", ">", missing="pass")}, "an event without a value fails"),
        ({"selection": hc.Cut("q", ">", bounds=(50, 60))}, "leave no place"),
        ({"discriminants": [f"x{i}" for i in range(9)]}, "9 variables were given"),
    ],
    ids=lambda v: "" if isinstance(v, str) else "-".join(v),
)
def test_input_errors(options, match):
    given: dict[str, Any] = {"discriminants": "x", "num_bins": 2} | options
    with pytest.raises(InputError, match=match):
        hc.categorize(samples_of(60), given.pop("discriminants"), **given, holdout=None)


@pytest.mark.parametrize("kind", ["grid", "argmax", "one"])
@pytest.mark.slow
def test_the_figure_holds_the_numbers_of_the_result(kind):
    before = mpl.rcParams.copy()
    names: Any = "x" if kind == "one" else ["x", "y"]
    options: dict[str, Any] = {} if kind == "one" else {"kind": kind}
    result = hc.categorize(
        samples_of(300), names, fine_bins=12, folds=2, objective="asimov", max_categories=4, **options
    )
    drawn = result.plot()
    assert [bar.get_height() for bar in drawn.bars[0]] == list(result.signal)
    assert [bar.get_height() for bar in drawn.bars[1]] == list(result.background)
    np.testing.assert_array_equal(drawn.curves[0].get_ydata(), [one.value for one in result.candidates])
    np.testing.assert_array_equal(drawn.curves[2].get_ydata(), [one.held_out_value for one in result.candidates])
    inner = sum(bins - 1 for bins in result.num_bins)
    assert len(drawn.edges.get_segments()) == inner + (kind == "argmax")
    assert mpl.rcParams == before
    with pytest.raises(InputError, match="draws into 3"):
        result.plot(axes=drawn.axes[0])
    plt.close("all")
