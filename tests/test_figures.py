"""Figures of merit: one name means one thing everywhere, and foreign ones are taken everywhere."""

import dataclasses
import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import hist
import numpy as np
import pytest
import scipy.special
from scipy.stats import norm, poisson

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.histfactory import discovery_significance, expected_mu_uncertainty, expected_upper_limit
from hepcuts.merit.closed_forms import Punzi
from hepcuts.merit.cross_entropy import SoftCrossEntropy
from hepcuts.merit.registry import FIGURES, figure_of_merit, figures_of_merit
from hepcuts.merit.theory import CutProblem
from hepcuts.templates.spreads import default_widths
from tests import foreign_figures as foreign

EVENTS = [name for name in FIGURES if name not in {"bce_steep", "asimov_gaussian"}]
"""Those that have a value on events."""
AXIS = hist.axis.Regular(3, 0.0, 3.0, name="m")
CUT = hc.Cut("x", ">")
GIVEN = {
    "class": foreign.Significance(),
    "function": foreign.significance,
    "closed form": foreign.impostor("twice"),
    "likelihood": foreign.double(),
    "loss": foreign.Wrong(),
}
foreigners = pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)


def samples_of(size: int = 400, seed: int = 1) -> list[hc.Sample]:
    """Signal and two backgrounds with an axis; a NormSys, and finite simulation of one of them."""
    rng = np.random.default_rng(seed)

    def one(name: str, center: float, total: float, **options: Any) -> hc.Sample:
        columns = {"x": rng.normal(center, 1.0, size), "m": rng.uniform(0.0, 3.0, size) ** (2.0 if center else 1.0) % 3}
        return hc.Sample(name, columns, weights=rng.uniform(0.5, 1.5, size) * total / size, **options)

    return [
        one("s", 1.5, 30.0, signal=True),
        one("b", 0.0, 200.0, modifiers=[hc.NormSys("norm", 1.2, 0.85)]),
        one("c", 0.3, 60.0, staterror=False, modifiers=[hc.NormSys("norm", 1.1, 0.9)]),
    ]


def by_hand(name: str, samples: list[hc.Sample], threshold: float, axis: Any) -> float:
    """Each registered figure of merit from masks and formulas that share nothing with the code under test."""
    passed = [sample.columns["x"] > threshold for sample in samples]
    edges = [0.0, 3.0] if axis is None else axis.edges
    binned = [
        [np.histogram(s.columns["m"][p], edges, weights=s.weights[p] ** k)[0] for k in (1, 2)]
        for s, p in zip(samples, passed, strict=True)
    ]
    (s, _), (b1, v1), (b2, _) = binned
    b = b1 + b2
    sigma = np.sqrt((0.2 * b1 + 0.1 * b2) ** 2 + v1)
    all_s, all_b = samples[0].weights.sum(), samples[1].weights.sum() + samples[2].weights.sum()
    missed, accepted = all_s - s.sum(), b.sum()
    wrong = -np.log(np.finfo(float).eps)
    tau = b / sigma**2
    weight = (all_s / all_b) / np.log(1 + all_s / all_b) - 1
    likelihood = hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, hc.Cut("x", ">", threshold), axis=axis)))
    of_likelihood = {
        "profile": discovery_significance,
        "mu_uncertainty": expected_mu_uncertainty,
        "upper_limit": expected_upper_limit,
    }
    if name in of_likelihood:
        return float(of_likelihood[name](likelihood))
    if name == "bce_soft":
        # The formula is what is tested here, not the default width.
        width = float(default_widths(samples, hc.Selection(CUT))[0])
        u = [(sample.columns["x"] - threshold) / width for sample in samples]
        losses = [np.logaddexp(0.0, -u[0]), np.logaddexp(0.0, u[1]), np.logaddexp(0.0, u[2])]
        return sum((s.weights * loss).sum() for s, loss in zip(samples, losses, strict=True)) / (all_s + all_b)
    n = s + b
    known = 2 * (n * np.log(n / b) - s)
    uncertain = 2 * (
        n * np.log(n * (b + sigma**2) / (b**2 + n * sigma**2))
        - b**2 / sigma**2 * np.log(1 + sigma**2 * s / (b * (b + sigma**2)))
    )
    z_bi = np.array([hc.counting.binomial_significance(*args) for args in zip(n, tau * b, tau, strict=True)])
    counts = np.arange(0, int(n.sum()) + 100)
    in_all = np.maximum(norm.isf(poisson.sf(counts - 1, b.sum())), 0.0)
    limits = scipy.special.gammainccinv(counts + 1, 0.05 * poisson.cdf(counts, b.sum())) - b.sum()
    return {
        "mean_significance": np.sum(poisson.pmf(counts, n.sum()) * in_all),
        "mean_upper_limit": np.sum(poisson.pmf(counts, b.sum()) * limits) / s.sum(),
        "asimov": np.sqrt(known.sum()),
        "asimov_uncertainty": np.sqrt(uncertain.sum()),
        "s_over_sqrt_b": np.sqrt((s**2 / b).sum()),
        "s_over_sqrt_s_plus_b": np.sqrt((s**2 / n).sum()),
        "s_over_sqrt_b_plus_variance": np.sqrt((s**2 / (b + sigma**2)).sum()),
        "binomial": np.sqrt((z_bi**2).sum()),
        "punzi": s.sum() / all_s / (2.5 + np.sqrt(b.sum())),
        "weighted_bce": wrong * (missed + weight * accepted) / (all_s + weight * all_b),
        "bce": wrong * (missed + accepted) / (all_s + all_b),
        "bce_balanced": wrong * 0.5 * (missed / all_s + accepted / all_b),
        "squared_error": missed + accepted,
    }[name]


@pytest.mark.parametrize("axis", [None, AXIS], ids=["one bin", "three bins"])
@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.slow("mean_upper_limit-one bin")
def test_one_name_means_one_thing(name: str, axis: Any) -> None:
    samples, threshold = samples_of(), 0.7
    expected = by_hand(name, samples, threshold, axis)
    scan = hc.scan(samples, CUT, metrics=[name], thresholds=[0.2, threshold], axis=axis, replicas=0, folds=0)
    assert scan.values[name][1] == pytest.approx(expected, rel=1e-7 if name == "upper_limit" else 1e-8)
    at = hc.Selection([hc.Cut("x", ">", threshold)])
    assert evaluate(samples, at, objective=name, axis=axis).value == pytest.approx(scan.values[name][1], rel=1e-8)


@pytest.mark.parametrize("axis", [None, pytest.param(AXIS, marks=pytest.mark.slow)], ids=["one bin", "three bins"])
@pytest.mark.parametrize(
    "name", ["profile", "asimov", "asimov_uncertainty", pytest.param("binomial", marks=pytest.mark.slow)]
)
def test_one_name_means_the_same_of_categories(name: str, axis: Any) -> None:
    samples, threshold = samples_of(), 0.7
    chosen = [sample.take(sample.columns["x"] > threshold) for sample in samples]
    found = hc.categorize(chosen, "x", num_bins=1, objective=name, axis=axis, folds=0, min_background=0.0, holdout=None)
    assert found.value == pytest.approx(by_hand(name, samples, threshold, axis), rel=1e-7)


@pytest.mark.parametrize(
    "name",
    [
        *("bce", "punzi", "asimov_uncertainty", "bce_soft", "squared_error"),
        pytest.param("upper_limit", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow("bce_soft")
def test_what_an_optimizer_quotes_is_what_a_scan_says_there(name: str) -> None:
    samples = samples_of(200)
    result = hc.optimize(samples, CUT, objective=name, folds=0, axis=AXIS, replicas=0, holdout=None)
    scan = hc.scan(samples, CUT, metrics=[name], thresholds=[result.thresholds["x"]], axis=AXIS, replicas=0, folds=0)
    assert result.training.value == pytest.approx(scan.values[name][0], rel=1e-8)
    best = hc.scan(samples, CUT, metrics=[name], axis=AXIS, replicas=0, folds=0).optimum(name)
    sign = FIGURES[name].sign
    assert sign * result.training.value <= sign * best.value * (1.0 + sign * 1e-9)


@pytest.mark.parametrize("a", [3.0, 5.0])
def test_punzi_is_an_object_with_a(a: float) -> None:
    samples, options = samples_of(), {"thresholds": [0.7], "replicas": 0, "folds": 0}
    as_object = hc.scan(samples, CUT, metrics=[Punzi(a=a)], **options).values["punzi"][0]
    as_argument = hc.scan(samples, CUT, metrics=["punzi"], punzi_a=a, **options).values["punzi"][0]
    # An object says itself what its a is.
    assert hc.scan(samples, CUT, metrics=[Punzi(a=a)], punzi_a=1.0, **options).values["punzi"][0] == as_object
    s, b, c = (sample.weights[sample.columns["x"] > 0.7].sum() for sample in samples)
    assert as_object == as_argument == pytest.approx(s / samples[0].weights.sum() / (a / 2 + np.sqrt(b + c)))
    at = hc.Selection([hc.Cut("x", ">", 0.7)])
    assert evaluate(samples, at, objective=Punzi(a=a)).value == pytest.approx(as_object, rel=1e-12)


def test_bins_are_added_in_quadrature_with_their_own_uncertainties() -> None:
    """An empty bin adds nothing, and the relative uncertainties of a ShapeSys are those of its bins."""
    m = np.repeat([0.5, 1.5, 2.5], [10, 20, 0])
    samples = [
        hc.Sample("s", {"x": np.ones(30), "m": m}, weights=np.full(30, 0.2), signal=True),
        hc.Sample("b", {"x": np.ones(30), "m": m}, staterror=False, modifiers=hc.ShapeSys("u", [0.1, 0.5, 0.3])),
    ]
    names = ("s_over_sqrt_b_plus_variance", "asimov_uncertainty")
    found = hc.scan(samples, CUT, metrics=names, thresholds=[0.0], axis=AXIS, replicas=0, folds=0).values
    s, b, sigma = np.array([2.0, 4.0]), np.array([10.0, 20.0]), np.array([1.0, 10.0])
    assert found[names[0]][0] == pytest.approx(np.sqrt((s**2 / (b + sigma**2)).sum()), rel=1e-12)
    expected = np.sqrt((np.asarray(hc.counting.asimov_significance(s, b, sigma)) ** 2).sum())
    assert found[names[1]][0] == pytest.approx(expected, rel=1e-12)


def test_a_loss_of_a_negative_background_is_refused() -> None:
    samples = [
        hc.Sample("s", {"x": [1.0, 2.0, 3.0]}, signal=True),
        hc.Sample("b", {"x": [0.0, 1.0, 2.0, 3.0]}, weights=[10.0, 1.0, 1.0, -5.0]),
    ]
    names = ("bce", "bce_balanced", "squared_error")
    result = hc.scan(samples, CUT, metrics=names, thresholds=[-1.0, 0.5, 2.5], replicas=0, folds=0)
    for name in names:
        np.testing.assert_array_equal(np.isfinite(result.values[name]), [True, False, False])
        assert "background's negative weights outweigh the positive ones (sum -5)" in result.reason(name, 2)
    at = hc.Selection([hc.Cut("x", ">", 2.5)])
    assert np.isnan(figure_of_merit("bce").hard(samples, [hc.fill(samples, at)], at))


def test_a_loss_of_a_negative_missed_signal_is_refused() -> None:
    samples = [
        hc.Sample("s", {"x": [0.0, 1.0, 2.0]}, weights=[-1.0, 2.0, 2.0], signal=True),
        hc.Sample("b", {"x": [0.0, 1.0, 3.0]}),
    ]
    result = hc.scan(samples, CUT, metrics=["bce"], thresholds=[0.5, 1.5], replicas=0, folds=0)
    assert "signal that fails outweigh the positive ones (sum -1)" in result.reason("bce", 0)
    assert result.reason("bce", 1) == ""


# --- bounds of a scanned cut ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("thresholds", [None, np.arange(0.0, 100.0)], ids=["all", "given"])
def test_a_scan_stays_within_the_bounds(thresholds: Any) -> None:
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    options: dict[str, Any] = {"metrics": ["asimov"], "replicas": 0, "folds": 0, "thresholds": thresholds}
    free, bounded = (hc.scan(samples, hc.Cut("x", ">", bounds=b), **options) for b in (None, (20, 40)))
    assert free.optimum("asimov").threshold > 40
    assert (bounded.thresholds.min(), bounded.thresholds.max()) == (20.0, 40.0)
    within = free.values["asimov"][(free.thresholds >= 20) & (free.thresholds <= 40)]
    assert bounded.optimum("asimov").value >= within.max()


def test_a_window_stays_within_the_bounds() -> None:
    samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
    result = hc.scan(samples, hc.Window("x", bounds=(30, 60)), metrics=["asimov"], replicas=0, folds=0)
    assert result.thresholds.min() >= 30
    assert result.thresholds.max() <= 60


def test_no_threshold_within_the_bounds() -> None:
    with pytest.raises(InputError, match=r"None of .* thresholds lies within the bounds 1000 to 2000"):
        hc.scan(samples_of(), hc.Cut("x", ">", bounds=(1000, 2000)), metrics=["asimov"])


# --- figures of merit that nobody knows ------------------------------------------------------------------------------


@foreigners
def test_foreign_ones_are_scanned(given: Any) -> None:
    samples, thresholds = samples_of(), [0.2, 0.7, 1.2]
    result = hc.scan(samples, CUT, metrics=["bce", given], thresholds=thresholds, replicas=10, folds=2)
    name = figure_of_merit(given).name
    for threshold, value in zip(thresholds, result.values[name], strict=True):
        s, b, c = (sample.weights[sample.columns["x"] > threshold].sum() for sample in samples)
        expected = {
            "foreign": s / np.sqrt(b + c + 0.01 * (b + c) ** 2),
            "significance": s / np.sqrt(b + c + 0.01 * (b + c) ** 2),
            "twice": 2 * s / np.sqrt(b + c),
            "doubled": 2 * by_hand("profile", samples, threshold, None),
            "wrong": samples[0].weights.sum() - s + 0.2 * (b + c),
        }[name]
        assert value == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(result.optimum(name).held_out)
    assert result.optimum(name).uncertainty > 0


@foreigners
@pytest.mark.slow("likelihood")
def test_foreign_ones_are_optimized(given: Any) -> None:
    samples = samples_of()
    result = hc.optimize(samples, CUT, objective=given, folds=0, min_background=0.0, replicas=0, holdout=None)
    name = figure_of_merit(given).name
    scan = hc.scan(samples, CUT, metrics=[given], min_background=0.0, replicas=0, folds=0)
    assert result.objective == name
    sign, best = scan.metrics[name].sign, scan.optimum(name).value
    assert sign * result.training.value > sign * best - 0.1 * abs(best)
    at = hc.scan(samples, CUT, metrics=[given], thresholds=[result.thresholds["x"]], replicas=0, folds=0)
    assert result.training.value == pytest.approx(at.values[name][0], rel=1e-9)


@foreigners
@pytest.mark.slow("likelihood", "closed form")
def test_foreign_ones_in_bins_and_in_theory(given: Any) -> None:
    samples, figure = samples_of(), figure_of_merit(given)
    if figure.needs_background:
        options: dict[str, Any] = {"num_bins": 2, "folds": 0, "fine_bins": 20, "min_background": 1.0}
        found = hc.categorize(samples, "x", objective=given, **options)
        one = hc.categorize(samples, "x", objective=given, **(options | {"num_bins": 1}))
        assert found.value >= one.value * (1.0 - 1e-9)
    if figure.gain is None:
        with pytest.raises(InputError, match="is no root of a sum of squares over bins"):
            hc.bin_edges(samples, "x", metric=given, holdout=None)
    else:
        doubled, plain = (
            hc.bin_edges(samples, "x", metric=m, num_bins=3, folds=0, holdout=None) for m in (given, "s_over_sqrt_b")
        )
        np.testing.assert_array_equal(doubled.edges, plain.edges)
        assert (doubled.metric, doubled.start.value) == ("twice", pytest.approx(2 * plain.start.value))
    problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
    if figure.stationarity is None:
        with pytest.raises(InputError, match="theory does not know"):
            problem.optimum(given)
        return
    best = problem.optimum(given)
    cuts = np.linspace(best.threshold - 5, best.threshold + 5, 101)
    assert best.value == pytest.approx(problem.value(given, cuts).max(), rel=1e-12)
    if figure.name == "twice":
        assert best.threshold == pytest.approx(problem.optimum("s_over_sqrt_b").threshold, rel=1e-9)


@pytest.fixture(scope="module")
def other_process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@foreigners
def test_foreign_ones_travel_to_another_process(given: Any, other_process: ProcessPoolExecutor) -> None:
    samples, thresholds = samples_of(100), [0.2, 0.7]
    found = other_process.submit(foreign.scanned, figure_of_merit(given), samples, CUT, thresholds).result()
    np.testing.assert_allclose(found, foreign.scanned(given, samples, CUT, thresholds), rtol=1e-12)


@pytest.mark.parametrize("name", FIGURES)
def test_all_of_them_pickle(name: str) -> None:
    again = pickle.loads(pickle.dumps(FIGURES[name]))  # noqa: S301 (what was just written)
    assert again == FIGURES[name]


def test_an_own_one_with_a_known_name_stays_itself() -> None:
    mine = foreign.impostor()
    again = pickle.loads(pickle.dumps(mine))  # noqa: S301 (what was just written)
    assert again == mine != FIGURES["asimov"]


# --- nothing depends on a name ----------------------------------------------------------------------------------------


def test_a_function_is_the_same_whatever_it_is_called() -> None:
    samples = hc.datasets.many_features(1, seed=3, num_signal=1000, num_background=1000)
    found = [
        hc.categorize(samples, "x0", num_bins=3, objective=f, folds=0, fine_bins=40, holdout=None)
        for f in (foreign.significance, foreign.asimov)
    ]
    assert found[0].value == found[1].value
    np.testing.assert_array_equal(found[0].edges["x0"], found[1].edges["x0"])


def test_a_likelihood_figure_is_judged_by_itself_whatever_it_is_called() -> None:
    samples = samples_of()
    options: dict[str, Any] = {"num_bins": 2, "folds": 0, "fine_bins": 10, "min_background": 5.0, "soft": False}
    known, mine = (
        hc.categorize(samples, "x", objective=o, **options) for o in ("mu_uncertainty", foreign.precision("profile"))
    )
    assert known.value == mine.value
    scan = hc.scan(samples, CUT, metrics=[foreign.precision("profile")], thresholds=[0.7], replicas=0, folds=0)
    assert scan.values["profile"][0] == pytest.approx(by_hand("mu_uncertainty", samples, 0.7, None))
    with pytest.raises(InputError, match="'profile' was not scanned, and no other discovery significance"):
        scan.choices()


def test_two_of_one_name() -> None:
    with pytest.raises(InputError, match="Two different figures of merit are named 'asimov'"):
        hc.scan(samples_of(), CUT, metrics=["asimov", foreign.impostor()])
    assert len(figures_of_merit(["asimov", FIGURES["asimov"]])) == 1
    both = hc.scan(samples_of(), CUT, metrics=["asimov", foreign.impostor("mine")], replicas=0, folds=0)
    assert set(both.values) == {"asimov", "mine"}


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("asimov", "expected a sequence of figures of merit"),
        (foreign.significance, "expected a sequence of figures of merit"),
        ([], "No metrics were named"),
        (["auc"], "no figure of merit 'auc'"),
        (["bce_steep"], "known of densities only"),
    ],
    ids=["name", "function", "nothing", "unknown", "of densities"],
)
def test_refusals(given: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        hc.scan(samples_of(), CUT, metrics=given)


def test_a_figure_of_densities_cannot_be_optimized() -> None:
    with pytest.raises(InputError, match="'bce_steep' is a function of neither templates nor events"):
        hc.optimize(samples_of(), CUT, objective="bce_steep", holdout=None)


def test_two_regions_need_a_likelihood() -> None:
    samples = samples_of()
    at = hc.Selection([hc.Cut("x", ">", 0.7)])
    region = hc.Region("control", inverted=("x",))
    for given in ("asimov", foreign.significance, foreign.Significance()):
        with pytest.raises(InputError, match="is a function of one region; there are 2"):
            evaluate(samples, at, objective=given, regions=[region])


def test_the_width_of_a_soft_loss_is_checked_and_used() -> None:
    with pytest.raises(InputError, match=r"width of the sigmoid is -1"):
        SoftCrossEntropy(width=-1.0)
    samples, options = samples_of(), {"thresholds": [0.3, 0.7], "replicas": 0, "folds": 0}
    own = hc.scan(samples, hc.Cut("x", ">", width=0.4), metrics=["bce_soft"], **options).values["bce_soft"]
    given = hc.scan(samples, CUT, metrics=[SoftCrossEntropy(width=0.4)], **options).values["bce_soft"]
    np.testing.assert_array_equal(own, given)


def test_objects_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FIGURES["asimov"].sign = -1
