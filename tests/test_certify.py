"""Certified cuts: against every cut there is, as the referee of the optimizer, and what is refused."""

import dataclasses
import itertools
import pickle

import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts.merit.registry import FIGURES, figure_of_merit
from hepcuts.optimization.box_bounds import BoxBounds
from hepcuts.optimization.box_guard import BoxGuard
from hepcuts.optimization.certify import Effort, certify
from hepcuts.templates.corners import RankedEvents

PROVEN = ("s_over_sqrt_b", "s_over_sqrt_s_plus_b", "s_over_sqrt_b_plus_variance", "asimov", "asimov_uncertainty")
SMALL = Effort(corners=16)
"""Grids so small that even few events need many of them."""


def some_events(seed, *, variables=2, size=60, weights="equal", values="continuous", backgrounds=1, varied=False):
    """Signal at larger values of all variables; many equal values where they are whole numbers."""
    r = np.random.default_rng(seed)

    def columns(mean, count):
        drawn = {f"x{i}": r.normal(mean, 1.0, count) for i in range(variables)}
        return drawn if values == "continuous" else {name: np.round(2 * x) for name, x in drawn.items()}

    def weighted(count, mean):
        equal = np.full(count, mean)
        if weights == "equal":
            return equal
        spread = mean * r.lognormal(0.0, 1.5, count)
        return np.where(r.random(count) < 0.15, -0.3 * spread, spread) if weights == "negative" else spread

    def modifiers(number):
        sizes = ((1.2, 0.8), (0.9, 1.05), (1.3, 0.8))
        found = [hc.NormSys("norm", *sizes[number]), hc.NormSys(f"own{number}", 1.1, 0.95)]
        found += [hc.ShapeSys(f"shape{number}", 0.1), hc.Lumi(0.02)]
        if varied:
            found.append(hc.HistoSys("scale", up={"x0": tables[number]["x0"] + 0.2}, down="mirror"))
        return found

    tables = [columns(-0.2 * number, size) for number in range(backgrounds)]
    signal = hc.Sample("signal", columns(1.0, size // 2), weights=weighted(size // 2, 0.3), signal=True)
    return [
        signal,
        *(
            hc.Sample(f"background{n}", table, weights=weighted(size, 2.0), modifiers=modifiers(n))
            for n, table in enumerate(tables)
        ),
    ]


def every_cut(samples, selection):
    """All selections that differ: thresholds halfway between neighboring values of any events, and around them."""
    tables = [sample.columns for sample in samples]
    tables += [{**s.columns, **v.columns} for s in samples for m in s.modifiers for v in m.variations]
    along = []
    for cut in selection.cuts:
        values = np.unique(np.concatenate([table[cut.variable] for table in tables]))
        middles = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
        along += [middles] * len(cut.thresholds)
    for thresholds in itertools.product(*along):
        first = 0
        good = True
        for cut in selection.cuts:
            if len(cut.thresholds) == 2 and not thresholds[first] < thresholds[first + 1]:
                good = False
            first += len(cut.thresholds)
        if good:
            yield thresholds


def events_of(total, squares):
    return total**2 / squares if squares > 0 else 0.0


def guarded(samples, templates, least):
    """The guard, written down as it is described: all backgrounds, each that may be a tenth of them, and the signal."""
    chosen = [i for i, sample in enumerate(samples) if not sample.signal]
    totals, squares = (np.asarray(table)[:, 0] for table in (templates.nominal, templates.variance))
    everything = samples[0].weights
    if totals[chosen].sum() <= 0 or events_of(totals[chosen].sum(), squares[chosen].sum()) < least * (1 - 1e-9):
        return False
    for i in chosen if len(chosen) > 1 else ():
        one_event = np.sum(samples[i].weights ** 2) / np.sum(np.abs(samples[i].weights))
        at_stake = max(totals[i], 0.0) + one_event > 0.1 * totals[chosen].sum()
        if at_stake and events_of(totals[i], squares[i]) < least * (1 - 1e-9):
            return False
    enough = events_of(everything.sum(), np.sum(everything**2)) >= 10.0
    return least == 0 or not enough or events_of(totals[0], squares[0]) >= 10.0 * (1 - 1e-9)


def best_of_all(samples, selection, objectives, guards):
    """By filling templates after each cut and evaluating it as a scan does: the truth, without any bound.

    Returns:
        The best value of each objective under each guard, -infinity where no cut is allowed.
    """
    best = dict.fromkeys(itertools.product(objectives, guards), -np.inf)
    for thresholds in every_cut(samples, selection):
        hard = selection.at(thresholds)
        if not any(np.any(hard.mask(sample.columns)) for sample in samples):
            continue
        templates = hc.fill(samples, hard)
        allowed = [least for least in guards if guarded(samples, templates, least)]
        if not allowed:
            continue
        for objective in objectives:
            value = figure_of_merit(objective).hard(samples, [templates], hard)
            for least in allowed:
                best[objective, least] = max(best[objective, least], value)
    return best


def value_at(samples, selection, objective):
    return figure_of_merit(objective).hard(samples, [hc.fill(samples, selection)], selection)


@pytest.mark.parametrize("weights", ["equal", "spread", "negative"])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_one_cut_is_that_of_an_exhaustive_search(seed, weights):
    samples = some_events(seed, variables=1, weights=weights, size=100)
    cut = hc.Selection(hc.Cut("x0", ">"))
    for (objective, least), best in best_of_all(samples, cut, PROVEN, (0.0, 3.0)).items():
        found = certify(samples, cut, objective=objective, min_background=least, effort=SMALL)
        assert found.value == pytest.approx(best, rel=1e-10)
        assert found.gap == 0.0
        assert value_at(samples, found.selection, objective) == pytest.approx(found.value, rel=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weights": "spread"},
        {"weights": "negative"},
        {"values": "whole"},
        {"backgrounds": 3, "size": 20, "values": "whole"},
        {"varied": True, "size": 24},
        {"varied": True, "backgrounds": 2, "weights": "negative", "size": 20, "values": "whole"},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
@pytest.mark.slow("True 24", "spread")
def test_two_cuts_are_those_of_an_exhaustive_search(options):
    selection = hc.Cut("x0", ">") & hc.Cut("x1", ">")
    samples = some_events(5, **({"size": 30} | options))
    objectives = ("asimov_uncertainty", "s_over_sqrt_b_plus_variance")
    for (objective, least), best in best_of_all(samples, selection, objectives, (0.0, 2.0)).items():
        if best == -np.inf:
            with pytest.raises(OptimizationError):
                certify(samples, selection, objective=objective, min_background=least)
            continue
        found = certify(samples, selection, objective=objective, min_background=least, effort=SMALL)
        assert found.value == pytest.approx(best, rel=1e-10)
        assert found.gap == 0.0


@pytest.mark.parametrize("weights", ["equal", "spread"])
def test_a_window_is_that_of_an_exhaustive_search(weights):
    samples, window = some_events(7, variables=1, size=40, weights=weights), hc.Selection(hc.Window("x0"))
    for (objective, least), best in best_of_all(samples, window, ("asimov_uncertainty", "asimov"), (4.0,)).items():
        found = certify(samples, window, objective=objective, min_background=least, effort=SMALL)
        assert found.value == pytest.approx(best, rel=1e-10)
        assert found.gap == 0.0
        low, high = found.thresholds["x0"]
        assert low < high


def test_three_cuts_of_either_direction_are_those_of_an_exhaustive_search():
    samples = some_events(3, variables=3, size=24, values="whole")
    flipped = [
        hc.Sample(
            s.name, {**s.columns, "x1": -s.columns["x1"]}, weights=s.weights, signal=s.signal, modifiers=s.modifiers
        )
        for s in samples
    ]
    selection = hc.Selection([hc.Cut("x0", ">"), hc.Cut("x1", "<"), hc.Cut("x2", ">")])
    (best,) = best_of_all(flipped, selection, ("asimov_uncertainty",), (3.0,)).values()
    found = certify(flipped, selection, objective="asimov_uncertainty", min_background=3.0, effort=SMALL)
    assert found.value == pytest.approx(best, rel=1e-10)
    assert found.gap == 0.0


@pytest.mark.parametrize("weights", ["equal", "spread", "negative"])
@pytest.mark.parametrize("objective", PROVEN)
def test_no_cut_of_a_box_exceeds_its_bound(weights, objective):
    """Each box of a grid against all cuts in it."""
    for seed, (backgrounds, varied) in enumerate(itertools.product((1, 2), (False, True))):
        samples = some_events(seed, size=30, weights=weights, backgrounds=backgrounds, varied=varied)
        selection = hc.Cut("x0", ">") & hc.Cut("x1", "<")
        events = RankedEvents.of(samples, selection)
        for least in (0.0, 3.0):
            guard = BoxGuard.of(events, least, 0.0)
            bounds = BoxBounds.of(FIGURES[objective], events, (9.0, 60.0 * backgrounds), guard)
            coarse, fine = events.corners(events.whole, 16), events.corners(events.whole, 10**6)
            values = bounds.form.values([_rows(fine, events, bounds)])
            sizes = [len(levels) for levels in fine.levels]
            allowed = guard.holds(_rows(fine, events, bounds))
            values = np.where(allowed & np.isfinite(values), values, -np.inf).reshape(sizes)
            shape = coarse.cells
            for box, bound in zip(np.ndindex(*shape), bounds.of_boxes(coarse), strict=True):
                low, high = ([int(along[i + up]) for along, i in zip(coarse.levels, box, strict=True)] for up in (0, 1))
                inside = values[low[0] : high[0] + 1, low[1] : high[1] + 1]
                assert inside.max() <= max(bound, 0.0) * (1 + 1e-11)


def _rows(corners, events, bounds):
    from hepcuts.merit.rows import Rows

    return Rows.of_yields(events.structure, corners.yields(events.structure), bounds.totals)


def test_for_a_fixed_sigma_the_significance_may_rise_with_the_background():
    """Why the uncertainty is bounded as a B + r^2 B^2, and not by its smallest value."""
    few, more = (float(hc.counting.asimov_significance(1000.0, b, sigma_b=5.0)) for b in (1.0, 2.0))
    assert more > few
    given = np.linspace(0.5, 50.0, 200)
    for a, r in itertools.product((0.0, 0.5, 20.0), (0.0, 0.1, 2.0)):
        falls = hc.counting.asimov_significance(1000.0, given, sigma_b=np.sqrt(a * given + (r * given) ** 2))
        assert np.all(np.diff(falls) < 0)


# --- what is asked for --------------------------------------------------------------------------------------------


def test_events_with_missing_values_pass_or_fail_as_the_cut_says():
    r = np.random.default_rng(1)

    def table(mean, count):
        x = r.normal(mean, 1.0, count)
        return {"x": np.where(r.random(count) < 0.3, -999.0, x)}

    samples = [
        hc.Sample("signal", table(1.0, 60), weights=np.full(60, 0.3), signal=True, missing=-999.0),
        hc.Sample("background", table(0.0, 60), weights=np.full(60, 2.0), missing=-999.0),
    ]
    best = {}
    for missing in ("fail", "pass"):
        found = certify(samples, hc.Cut("x", ">", missing=missing), objective="asimov", effort=SMALL)
        assert value_at(samples, found.selection, "asimov") == pytest.approx(found.value, rel=1e-12)
        scan = hc.scan(samples, hc.Cut("x", ">", missing=missing), metrics=("asimov",))
        assert found.value == pytest.approx(scan.optimum("asimov").value, rel=1e-12)
        best[missing] = found.value
    assert best["fail"] != best["pass"]


def test_bounds_and_fixed_thresholds_are_kept():
    samples = some_events(2, size=200)
    free = certify(samples, hc.Cut("x0", ">") & hc.Cut("x1", ">"), objective="asimov")
    bounded = certify(samples, hc.Cut("x0", ">", bounds=(-0.31, 0.12)) & hc.Cut("x1", ">"), objective="asimov")
    assert -0.31 <= bounded.thresholds["x0"] <= 0.12
    assert bounded.value <= free.value
    inside = [
        certify(samples, hc.Cut("x0", ">", x) & hc.Cut("x1", ">"), objective="asimov", fixed="x0")
        for x in np.linspace(-0.31, 0.12, 200)
    ]
    assert all(one.thresholds["x0"] == x for one, x in zip(inside, np.linspace(-0.31, 0.12, 200), strict=True))
    assert max(one.value for one in inside) == pytest.approx(bounded.value, rel=1e-12)


def test_certified_at_some_levels():
    samples, selection = some_events(2, size=500), hc.Cut("x0", ">") & hc.Cut("x1", ">")
    every, some = (
        certify(samples, selection, objective="asimov", effort=Effort(levels=levels)) for levels in (None, 20)
    )
    assert some.gap == 0.0
    assert 0.9 * every.value < some.value <= every.value
    assert some.cuts == 400
    assert "at 20 levels" in some.message


def test_the_limit_of_boxes_is_told():
    samples, selection = some_events(2, size=2000, weights="spread"), hc.Cut("x0", ">") & hc.Cut("x1", ">")
    whole = certify(samples, selection, objective="asimov_uncertainty")
    stopped = certify(samples, selection, objective="asimov_uncertainty", effort=Effort(boxes=300, corners=256))
    assert whole.gap == 0.0
    assert stopped.gap > 0
    assert stopped.value <= whole.value <= stopped.bound
    assert "stopped after" in stopped.message
    assert "stopped after" in repr(stopped)
    small = certify(samples, selection, objective="asimov_uncertainty", effort=Effort(within=0.01, corners=256))
    assert 0.0 <= small.gap <= 0.01 * small.value
    assert small.value <= whole.value * (1 + 1e-12)
    assert whole.value <= small.bound
    assert small.boxes < certify(samples, selection, objective="asimov_uncertainty", effort=Effort(corners=256)).boxes


def test_what_is_not_proven_is_refused():
    samples, cut = some_events(1), hc.Cut("x0", ">")
    for objective in ("binomial", "upper_limit", "bce", lambda yields, _: yields.nominal[0, 0]):
        with pytest.raises(InputError, match="not proven"):
            certify(samples, cut, objective=objective)
    with pytest.raises(InputError, match="one to 4"):
        certify(samples, hc.Selection([hc.Cut(f"y{i}", ">") for i in range(5)]))
    with pytest.raises(InputError, match="inverted"):
        certify(samples, ~hc.Cut("x0", ">", 0.5))
    with pytest.raises(InputError, match="depends on 'x1'"):
        certify(samples, hc.SlidingCut("x0", ">", along="x1", knots=(0.0, 1.0)))
    with pytest.raises(InputError, match="fixed names 'x0'"):
        certify(samples, cut, fixed="x0")
    limited = [samples[0], hc.Sample("b", samples[1].columns, empty="limit")]
    with pytest.raises(InputError, match="counts as one event"):
        certify(limited, cut, objective="asimov")
    with pytest.raises(OptimizationError, match="effective simulated"):
        certify(samples, cut, min_background=1000.0)


@pytest.mark.parametrize("weight", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("staterror", [True, False])
def test_the_profile_likelihood_of_one_background_is_certified(weight, staterror):
    """Its value is that of the fit, also with much signal over hardly any background."""
    r = np.random.default_rng(3)
    x, weights = r.normal(0.0, 1.0, 400), r.uniform(0.5, 2.0, 400)
    samples = [
        hc.Sample("signal", {"x": r.normal(2.0, 1.0, 300)}, weights=np.full(300, weight), signal=True),
        hc.Sample("background", {"x": x}, weights=weights, staterror=staterror),
    ]
    found = certify(samples, hc.Cut("x", ">"), objective="profile")
    assert found.gap == 0.0
    assert value_at(samples, found.selection, "profile") == pytest.approx(found.value, rel=1e-6)
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=("profile",))
    assert scan.optimum("profile").value <= found.value * (1 + 1e-6)
    gaussian = [samples[0], hc.Sample("background", {"x": x}, weights=weights, staterror="gaussian")]
    with pytest.raises(InputError, match="not proven"):
        certify(gaussian, hc.Cut("x", ">"), objective="profile")


SYSTEMATICS = {
    "norm": [[hc.NormSys("norm", 1.2, 0.9)]],
    "own shape": [[hc.NormSys("norm", 0.7, 1.2), hc.ShapeSys("shape", 0.2), hc.Lumi(0.05)]],
    "two": [
        [hc.NormSys("norm", 1.2, 0.8), hc.Lumi(0.05)],
        [hc.NormSys("norm", 1.05, 0.9), hc.NormSys("own", 1.5, 0.7)],
    ],
}


@pytest.mark.parametrize("name", ["norm", *(pytest.param(n, marks=pytest.mark.slow) for n in ("own shape", "two"))])
def test_the_profile_likelihood_with_systematics_is_certified(name):
    r = np.random.default_rng(4)

    def table(mean, count):
        return {f"x{i}": np.round(2 * r.normal(mean, 1.0, count)) / 2 for i in range(2)}

    samples = [hc.Sample("signal", table(1.5, 200), weights=np.full(200, 0.2), signal=True)]
    for number, modifiers in enumerate(SYSTEMATICS[name]):
        weights = r.uniform(0.1, 1.0 + 2 * number, 300)
        samples.append(hc.Sample(f"background{number}", table(0.3 * number, 300), weights=weights, modifiers=modifiers))
    found = certify(samples, hc.Cut("x0", ">") & hc.Cut("x1", ">"), objective="profile", effort=SMALL)
    assert found.gap == 0.0
    assert value_at(samples, found.selection, "profile") == pytest.approx(found.value, rel=1e-7)
    best = -np.inf
    for x in np.arange(-3.0, 5.0, 0.5) - 0.25:
        for y in np.arange(-3.0, 5.0, 0.5) - 0.25:
            hard = hc.Cut("x0", ">", x) & hc.Cut("x1", ">", y)
            if sum(np.sum(hard.mask(sample.columns)) for sample in samples[1:]) < 10:
                continue
            templates = hc.fill(samples, hard)
            if guarded(samples, templates, 10.0):
                best = max(best, figure_of_merit("profile").of_templates([templates], (1.0, 1.0)))
    assert best == pytest.approx(found.value, rel=1e-7)


def test_systematics_that_move_backgrounds_apart_are_refused_for_the_profile_likelihood():
    samples = some_events(1, backgrounds=2)
    with pytest.raises(InputError, match="not proven"):
        certify(samples, hc.Cut("x0", ">"), objective="profile")


# --- as the referee of the optimizer -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_optimizer_is_never_above_and_not_far_below(seed):
    r = np.random.default_rng(seed)
    signal = {"x": r.normal(2.0, 1.0, 3000), "y": r.exponential(1.0, 3000)}
    background = {"x": r.normal(0.0, 1.0, 10_000), "y": r.exponential(0.5, 10_000)}
    samples = [
        hc.Sample("signal", signal, weights=np.full(3000, 0.02), signal=True),
        hc.Sample("b", background, weights=np.full(10_000, 0.2), modifiers=[hc.NormSys("norm", 1.1, 0.9)]),
    ]
    selection = hc.Cut("x", ">") & hc.Cut("y", ">")
    options = {"folds": 0, "replicas": 0, "min_background": 50.0}
    result = hc.optimize(samples, selection, objective="asimov_uncertainty", **options)
    found = result.gap()
    assert found.gap == 0.0
    assert found.given == pytest.approx(result.training.value, rel=1e-12)
    if found.given_allowed:
        assert result.training.value <= found.value * (1 + 1e-9)
    assert result.training.value > 0.9 * found.value
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 (our own)
    assert repr(again) == repr(found)
    with pytest.raises(InputError, match="in one bin"):
        dataclasses.replace(result, axis=hist.axis.Regular(2, 0, 1, name="y")).gap()


def test_a_result_of_a_users_function_can_be_sent_and_is_not_certified():
    samples = some_events(1, variables=1, size=400)
    result = hc.optimize(samples, hc.Cut("x0", ">", 0.0), objective=lambda y, _: y.nominal[0, 0], folds=0, replicas=0)
    again = pickle.loads(pickle.dumps(result))  # noqa: S301 (our own)
    with pytest.raises(InputError, match="no figure of merit"):
        again.gap()
    assert again.gap(objective="asimov").gap == 0.0
