"""Control regions: shared, inverted and left-out cuts in one likelihood; against closed forms and differences."""

from typing import Any

import hist
import numpy as np
import pyhf
import pytest
import scipy.special

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.cuts.regions import Region, positions
from hepcuts.cuts.steps import step
from hepcuts.histfactory import referee
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import LBFGS

SELECTION = hc.Selection(
    [
        hc.Cut("x", ">", 0.5),
        hc.Window("m", -1.0, 1.0),
        hc.SlidingCut("y", "<", along="z", knots=(-1, 1), thresholds=(1.0, 1.5)),
    ]
)


def test_a_region_shares_inverts_and_leaves_out_cuts() -> None:
    region = hc.Region("control", inverted=["x"], without="m")
    found = region.selection(SELECTION)
    assert found.cuts == (~SELECTION.cuts[0], SELECTION.cuts[2])
    assert positions(found, SELECTION) == [0, 3, 4]
    # The thresholds are those of the signal region, wherever they are.
    moved = region.selection(SELECTION.at([2.0, -3.0, 3.0, 4.0, 5.0]))
    assert moved.thresholds == (2.0, 4.0, 5.0)
    assert Region("all").selection(SELECTION) == SELECTION


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Region(""), "A region has no name"),
        (lambda: Region("c", inverted=["x"], without=["x"]), "'c': x cannot be both inverted and left out"),
        (
            lambda: Region("c", inverted=["pt"]).selection(SELECTION),
            "'c': pt is not cut on; the cuts are x > 0.5",
        ),
        (lambda: Region("c", without=["x", "m", "y"]).selection(SELECTION), "Region 'c' has no cut left"),
    ],
    ids=["name", "both", "unknown", "nothing"],
)
def test_refusals(make: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()


# --- a background that only the control region knows ------------------------------------------------------------------


def on_off(size: int = 20_000) -> list[hc.Sample]:
    """Signal above background; the normalization of the background is free, and simulation has no uncertainty."""
    r = np.random.default_rng(2)
    return [
        hc.Sample("s", {"x": r.normal(2, 1, size)}, weights=np.full(size, 0.003), signal=True, staterror=False),
        hc.Sample(
            "b",
            {"x": r.normal(0, 1, size)},
            weights=np.full(size, 0.03),
            staterror=False,
            modifiers=[hc.NormFactor("b_norm")],
        ),
    ]


def closed_form(samples: list[hc.Sample], threshold: float) -> float:
    """Z of two Poisson counts whose background has one free factor k in both.

    Without signal the best k is the sum of the counts over the sum of the backgrounds; with it all is as expected.
    """
    (s, b) = (
        [float(x.weights[m].sum()) for m in (x.column("x") > threshold, x.column("x") <= threshold)] for x in samples
    )
    counts, backgrounds = np.add(s, b), np.array(b)
    rates = backgrounds * counts.sum() / backgrounds.sum()
    return float(np.sqrt(2.0 * np.sum(scipy.special.kl_div(counts, rates))))


@pytest.fixture(scope="module")
def found() -> Any:
    return hc.optimize(
        on_off(), hc.Cut("x", ">"), regions=[Region("control", inverted=["x"])], folds=0, replicas=0, holdout=None
    )


def test_the_best_cut_is_that_of_the_closed_form(found: Any) -> None:
    samples = on_off()
    best = max(closed_form(samples, t) for t in np.linspace(-1, 3.5, 200))
    assert found.hard_value == pytest.approx(closed_form(samples, found.thresholds["x"]), rel=1e-6)
    assert found.hard_value > 0.99 * best


def test_the_workspace_has_both_channels_and_pyhf_confirms_it(found: Any) -> None:
    workspace = pyhf.Workspace(found.workspace)
    assert sorted(workspace.channels) == ["control", "signal_region"]
    verdict = referee.hypotest(workspace.model())
    assert found.significance == pytest.approx(verdict.significance, abs=1e-3)
    likelihood = hc.HistFactory.from_workspace(found.workspace)
    assert hc.discovery_significance(likelihood) == pytest.approx(found.significance, rel=1e-9)


def test_an_objective_of_one_region_says_so() -> None:
    with pytest.raises(InputError, match="is a function of one region; there are 2: signal_region, control"):
        hc.optimize(
            on_off(200), hc.Cut("x", ">"), objective="asimov", regions=[Region("control", inverted=["x"])], holdout=None
        )


# --- gradients through all that is there -----------------------------------------------------------------------------


def everything(size: int = 1500) -> list[hc.Sample]:
    """Variations of columns and of weights, rate uncertainties, a free normalization, finite simulation."""
    r = np.random.default_rng(8)

    def columns(number: int, shift: float) -> dict[str, np.ndarray]:
        return {name: r.normal(shift if name in "xy" else 0.0, 1.0, number) for name in ("x", "y", "z", "m")}

    signal, background, other = columns(size, 1.0), columns(2 * size, 0.0), columns(size, -0.3)
    wb = r.uniform(0.1, 0.3, 2 * size)
    return [
        hc.Sample(
            "s",
            signal,
            weights=np.full(size, 0.03),
            signal=True,
            modifiers=[hc.HistoSys("scale", up={"x": signal["x"] * 1.05}, down={"x": signal["x"] * 0.95})],
        ),
        hc.Sample(
            "b",
            background,
            weights=wb,
            modifiers=[
                hc.NormFactor("b_norm"),
                hc.HistoSys("scale", up={"x": background["x"] + 0.1}, down={"x": background["x"] - 0.1}),
                hc.HistoSys("tilt", up=wb * (1.0 + 0.1 * background["m"]), down="mirror"),
            ],
        ),
        hc.Sample("c", other, weights=np.full(size, 0.1), modifiers=[hc.NormSys("c_xsec", 1.2, 0.85)]),
    ]


CUTS = {
    "cuts": hc.Selection([hc.Cut("x", ">", 0.4), hc.Cut("y", ">", -0.2)]),
    "window": hc.Selection([hc.Cut("x", ">", 0.4), hc.Window("y", -0.5, 1.5)]),
    "sliding": hc.Selection(
        [hc.Cut("x", ">", 0.4, width=0.3), hc.SlidingCut("y", ">", along="z", knots=(-1, 1), thresholds=(-0.5, 0.0))]
    ),
}


def search_of(selection: hc.Selection, **options: Any) -> Search:
    problem = Problem(
        selection,
        figure_of_merit("profile"),
        LBFGS(),
        step("sigmoid"),
        axis=hist.axis.Regular(3, -4, 4, name="m"),
        regions=(Region("control", inverted=["x"]), Region("top", without=["y"], inverted=["x"], axis=None)),
        **options,
    )
    return Search.of(everything(), problem)


@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.OutsideAxisWarning")
@pytest.mark.parametrize("selection", CUTS.values(), ids=CUTS)
def test_the_gradient_of_the_profile_likelihood_equals_differences(selection: hc.Selection) -> None:
    search = search_of(selection, min_background=1e6, constraints={"signal": 20.0, "c": 30.0})
    widths = search.space.widths
    position = search.space.start
    found = search.evaluate(position, widths)
    assert found.plain > 0.5
    assert found.guarded < found.plain  # the guards have a say in the gradient

    def value(at: np.ndarray) -> float:
        return search.evaluate(at, widths).guarded

    # Of fourth order: truncation (h / width)^4 / 30 of the value's variation, rounding of the fits 1e-12 / h.
    h = 2e-3
    for number in range(len(position)):
        shift = h * np.eye(len(position))[number]
        near, far = (value(position + k * shift) - value(position - k * shift) for k in (1, 2))
        assert found.gradient[number] == pytest.approx((8 * near - far) / (12 * h), rel=1e-6, abs=1e-7)


@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.OutsideAxisWarning")
@pytest.mark.parametrize("selection", CUTS.values(), ids=CUTS)
def test_hard_sums_are_those_of_fill_in_every_region(selection: hc.Selection) -> None:
    """At thresholds in the coordinates, and at those that are quoted for them."""
    search, r = search_of(selection), np.random.default_rng(1)
    for _ in range(5):
        position = search.space.start + r.uniform(-0.3, 0.3, len(search.space.start))
        templates = search.problem.templates_of(
            everything(), search.problem.selection.at(search.space.thresholds(position))
        )
        for sums, region, expected in zip(search.hard_sums(position), search.regions, templates, strict=True):
            yields = region.structure.complete(*(sums[:, k].reshape(region.shape) for k in (0, 1)))
            np.testing.assert_allclose(yields.values, expected.yields.values, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(yields.variances, expected.yields.variances, rtol=1e-12, atol=1e-12)


# --- thresholds that do not move freely ------------------------------------------------------------------------------


def plain(size: int = 2000) -> list[hc.Sample]:
    r = np.random.default_rng(6)
    return [
        hc.Sample("s", {n: r.normal(1, 1, size) for n in "xyz"}, weights=np.full(size, 0.02), signal=True),
        hc.Sample("b", {n: r.normal(0, 1, 2 * size) for n in "xyz"}),
    ]


def test_fixed_tied_and_bounded_thresholds() -> None:
    selection = hc.Selection(
        [hc.Cut("x", ">"), hc.Cut("y", ">"), hc.Cut("z", ">", 0.3), hc.Cut("w", "<", bounds=(0.0, 0.25))]
    )
    samples = [
        hc.Sample(s.name, dict(s.columns) | {"w": -s.column("x")}, weights=s.weights, signal=s.signal) for s in plain()
    ]
    result = hc.optimize(
        samples, selection, objective="asimov", fixed=["z"], tied=[("x", "y")], folds=0, anneal=(3, 1), holdout=None
    )
    assert result.thresholds["z"] == 0.3
    assert result.thresholds["x"] == result.thresholds["y"]
    assert 0.0 <= result.thresholds["w"] <= 0.25
    # What is tied is a compromise, not where it started.
    assert result.history.thresholds[0, 0] != result.thresholds["x"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"fixed": ["q"]}, "no threshold 'q' to be fixed or tied; there are x, y"),
        ({"tied": [("x", "q")]}, "no threshold 'q'"),
        ({"fixed": ["y"]}, "'y' is to stay where it is, but is not set"),
        ({"fixed": ["x"], "tied": [("x", "y")]}, "x, y, which are tied, some are fixed; fix all or none"),
    ],
    ids=["fixed", "tied", "unset", "both"],
)
def test_what_cannot_be_fixed_or_tied(options: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        hc.optimize(plain(100), hc.Selection([hc.Cut("x", ">", 0.1), hc.Cut("y", ">")]), **options)


@pytest.mark.parametrize("cut", [hc.Cut("n", "<"), hc.Cut("n", ">"), ~hc.Cut("n", "<", 5.0)], ids=str)
def test_the_quoted_cut_on_a_discrete_variable_is_the_one_that_was_found(cut: Any) -> None:
    """A threshold between two values is quoted as one that selects as it does, not one value off."""
    r = np.random.default_rng(4)
    above = not (cut.plain == cut and cut.direction == "<")
    means = (5.0, 1.0) if above else (1.0, 5.0)
    # Some background is everywhere, so that the best cut keeps enough of it.
    flat = np.where(r.random(4000) < 0.2, r.integers(0, 12, 4000), r.poisson(means[1], 4000))
    samples = [
        hc.Sample("s", {"n": r.poisson(means[0], 2000).astype(float)}, weights=np.full(2000, 0.02), signal=True),
        hc.Sample("b", {"n": flat.astype(float)}),
    ]
    result = hc.optimize(samples, cut, objective="asimov", folds=0, replicas=0, holdout=None)
    best = 0.0
    for threshold in np.arange(-0.5, 12):
        s, b = (float(x.weights[(x.column("n") > threshold) == above].sum()) for x in samples)
        if min(s, b) > 0:
            best = max(best, float(np.sqrt(2 * ((s + b) * np.log1p(s / b) - s))))
    assert result.hard_value > 0.999 * best


def test_results_are_of_64_bits_in_a_process_of_32() -> None:
    """The widest and the narrowest of sums: the host's flag is off here."""
    import jax

    assert not jax.config.jax_enable_x64
    search = Search.of(plain(), Problem(CUTS["cuts"], figure_of_merit("asimov"), LBFGS(), step("sigmoid")))
    found = search.evaluate(search.space.start, search.space.widths)
    assert found.gradient.dtype == np.float64
    with jax.enable_x64(True):
        same = search.evaluate(search.space.start, search.space.widths)
    assert found.guarded == same.guarded
    np.testing.assert_array_equal(found.gradient, same.gradient)
