"""The scan against loops over thresholds that share no line with it."""

import itertools
from collections.abc import Callable
from typing import Any

import hist
import numpy as np
import pyhf
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from hepcuts import (
    Cut,
    HistFactory,
    HistoSys,
    Lumi,
    NormFactor,
    NormSys,
    Sample,
    Selection,
    ShapeSys,
    counting,
    datasets,
    discovery_significance,
    fill,
    scan,
    workspace,
)
from hepcuts._core.errors import EmptySelectionError, InputError, OutsideAxisWarning, SampleError, YieldError
from hepcuts.histfactory import referee
from hepcuts.scanning.table import Refinement
from hepcuts.templates.cumulative import Cumulative
from hepcuts.templates.filling import structure_of
from tests.unchecked import unchecked  # noqa: F401

CLOSED = (
    "bce",
    "bce_balanced",
    "s_over_sqrt_b",
    "s_over_sqrt_s_plus_b",
    "s_over_sqrt_b_plus_variance",
    "asimov",
    "asimov_uncertainty",
    "binomial",
    "punzi",
)
OFF = -999.0


def make_samples(seed: int = 0, *, negative: bool = False, size: int = 60) -> list[Sample]:
    """Integer-valued columns, so that ties abound; some values missing."""
    rng = np.random.default_rng(seed)

    def one(name: str, center: float, modifiers: Any = (), **options: Any) -> Sample:
        x = np.round(rng.normal(center, 3.0, size))
        x[rng.uniform(size=size) < 0.1] = OFF
        w = rng.uniform(0.2, 1.0, size) * np.where(rng.uniform(size=size) < 0.15, -1 if negative else 1, 1)
        return Sample(name, {"x": x}, weights=w, modifiers=modifiers, missing=OFF, **options)

    signal, ttbar, wjets = one("sig", 9.0, signal=True), one("ttbar", 5.0), one("wjets", 4.0)
    up = np.where(ttbar.columns["x"] == OFF, OFF, ttbar.columns["x"] + 0.4)
    jes = HistoSys("jes", up={"x": up}, down="mirror")
    return [
        signal,
        Sample("ttbar", ttbar.columns, weights=ttbar.weights, missing=OFF, modifiers=[jes, NormSys("xsec", 1.1, 0.85)]),
        Sample(
            "wjets",
            wjets.columns,
            weights=wjets.weights,
            missing=OFF,
            staterror=False,
            modifiers=[NormSys("xsec", 1.2, 0.9), ShapeSys("closure", 0.1), Lumi(0.05), NormFactor("k")],
        ),
    ]


class BruteForce:
    """Everything of one threshold, from masks."""

    def __init__(self, samples: list[Sample], cut: Cut, threshold: float) -> None:
        self.signal, self.ttbar, self.wjets = samples
        self.samples, self.cut, self.threshold = samples, cut, threshold
        self.s = self.total(self.signal)
        self.b = self.total(self.ttbar) + self.total(self.wjets)
        jes = self.total(self.ttbar, self.ttbar.modifiers[0].up.columns["x"]) - self.total(self.ttbar)
        # Both together, the larger of the two sides.
        sides = ((0.1, 0.2), (-0.15, -0.1))
        xsec = max(abs(t * self.total(self.ttbar) + w * self.total(self.wjets)) for t, w in sides)
        others = (0.1 * self.total(self.wjets)) ** 2 + (0.05 * self.total(self.wjets)) ** 2
        self.sigma = np.sqrt(jes**2 + xsec**2 + others + self.total(self.ttbar, power=2))

    def mask(self, x: np.ndarray) -> np.ndarray:
        passed = x > self.threshold if self.cut.direction == ">" else x < self.threshold
        return np.where(x == OFF, self.cut.missing == "pass", passed)

    def total(self, sample: Sample, x: Any = None, power: int = 1) -> float:
        return float(np.sum(sample.weights[self.mask(sample.columns["x"] if x is None else x)] ** power))

    def decisions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = np.concatenate([np.full(len(s), s.signal) for s in self.samples])
        passed = np.concatenate([self.mask(s.columns["x"]) for s in self.samples])
        return truth, passed, np.concatenate([s.weights for s in self.samples])

    def log_loss(self, *, balanced: bool) -> float:
        truth, passed, w = self.decisions()
        if balanced:
            w = np.where(truth, w / w[truth].sum(), w / w[~truth].sum())
        return sklearn.metrics.log_loss(truth, passed.astype(float), sample_weight=w)

    def value(self, name: str) -> float:
        s, b = self.s, self.b
        formulas: dict[str, Callable[[], float]] = {
            "bce": lambda: self.log_loss(balanced=False),
            "bce_balanced": lambda: self.log_loss(balanced=True),
            "s_over_sqrt_b": lambda: s / np.sqrt(b),
            "s_over_sqrt_s_plus_b": lambda: s / np.sqrt(s + b),
            "s_over_sqrt_b_plus_variance": lambda: s / np.sqrt(b + self.sigma**2),
            "asimov": lambda: counting.asimov_significance(s, b),
            "asimov_uncertainty": lambda: counting.asimov_significance(s, b, self.sigma),
            "binomial": lambda: counting.binomial_significance(s + b, b * b / self.sigma**2, b / self.sigma**2),
            "punzi": lambda: s / self.signal.total / (3.0 / 2 + np.sqrt(b)),
        }
        if name.startswith("bce"):
            return formulas[name]()
        return formulas[name]() if b > 0 else np.nan


WAYS = itertools.product(["given", "all"], ["positive", "negative-weights"], ["fail", "pass"], ["above", "below"])
HALF = [case for number, case in enumerate(map("-".join, WAYS)) if number.bit_count() % 2]
"""Of each two ways all four are in the other half, too."""


@pytest.mark.parametrize("direction", [">", "<"], ids=["above", "below"])
@pytest.mark.parametrize("missing", ["fail", "pass"])
@pytest.mark.parametrize("negative", [False, True], ids=["positive", "negative-weights"])
@pytest.mark.parametrize("given", [True, False], ids=["given", "all"])
@pytest.mark.slow(*HALF)
def test_closed_forms_at_every_threshold(direction: Any, missing: Any, negative: bool, given: bool) -> None:
    samples, cut = make_samples(negative=negative), Cut("x", direction, missing=missing)
    # Half of the given thresholds lie exactly on events.
    points = np.arange(-2.0, 20.0, 0.5) if given else None
    result = scan(samples, cut, metrics=CLOSED, thresholds=points, punzi_a=3.0)
    if given:
        np.testing.assert_array_equal(result.thresholds, points)
    for position, threshold in enumerate(result.thresholds):
        brute = BruteForce(samples, cut, threshold)
        # Rounding of sums of a hundred weights, taken in another order.
        assert result.table.signal[position] == pytest.approx(brute.s, rel=1e-12, abs=1e-12)
        assert result.table.background[position] == pytest.approx(brute.b, rel=1e-12, abs=1e-12)
        assert result.table.sigma_background[position] == pytest.approx(brute.sigma, rel=1e-12, abs=1e-12)
        if 0 < abs(brute.b) < 1e-12:
            continue
        for name in CLOSED:
            # Z_Bi of tiny backgrounds loses digits of its arguments, not of its formula.
            expected = brute.value(name)
            found = result.values[name][position]
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), (name, threshold)
            assert (result.reason(name, position) == "") == np.isfinite(found)


@pytest.mark.parametrize("direction", [">", "<"], ids=["above", "below"])
@pytest.mark.parametrize("name", CLOSED)
def test_optimum_and_plateau_by_brute_force(direction: Any, name: str) -> None:
    samples, cut = make_samples(3), Cut("x", direction)
    found = scan(samples, cut, metrics=[name], punzi_a=3.0, min_background=0).optimum(name)
    # All that differ: on, and halfway between, all values of all samples and variations.
    values = [s.columns["x"] for s in samples] + [samples[1].modifiers[0].up.columns["x"]]
    values = np.unique(np.concatenate(values))
    values = values[values != OFF]
    middle = (values[1:] + values[:-1]) / 2
    points = np.concatenate([[values[0] - 1], middle]) if direction == ">" else np.append(middle, values[-1] + 1)
    numbers = np.array([BruteForce(samples, cut, t).value(name) for t in points])
    sign = -1 if name.startswith("bce") else 1
    best = int(np.nanargmax(sign * numbers))
    assert found.value == pytest.approx(numbers[best], rel=1e-9)
    assert found.metric == name
    at_optimum = BruteForce(samples, cut, found.threshold)
    assert at_optimum.value(name) == pytest.approx(numbers[best], rel=1e-9)
    assert (found.signal, found.background) == pytest.approx((at_optimum.s, at_optimum.b))
    good = sign * numbers >= sign * numbers[best] - 0.01 * abs(numbers[best])
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(points) - 1 and good[last + 1]:
        last += 1
    # The outermost thresholds are chosen differently here; they select the same.
    for mine, theirs in zip(found.plateau, (points[first], points[last]), strict=True):
        a, b = (BruteForce(samples, cut, t) for t in (mine, theirs))
        assert (a.s, a.b) == pytest.approx((b.s, b.b))


def test_without_background_a_ratio_is_nan_and_says_so() -> None:
    samples = [Sample("s", {"x": [1.0, 5.0]}, signal=True), Sample("b", {"x": [0.0, 2.0]}, weights=[1.0, 0.5])]
    names = ("s_over_sqrt_b", "asimov", "binomial", "bce")
    result = scan(samples, Cut("x", ">"), metrics=names, thresholds=[1.5, 3.0])
    for name in names[:-1]:
        assert np.isnan(result.values[name][1])
        assert result.reason(name, 1) == "no background is left (1 signal events expected)"
        assert result.reason(name, 0) == ""
    # A classification loss has a value everywhere.
    assert np.all(np.isfinite(result.values["bce"]))


def test_reasons_for_negative_weights() -> None:
    s = Sample("s", {"x": [1.0, 2.0, 3.0]}, weights=[1.0, 1.0, -3.0], signal=True)
    a, b = (Sample(n, {"x": [1.0, 2.5, 3.0]}, weights=w) for n, w in (("a", [9.0, -2, 1]), ("b", [1.0, 0.5, 1.0])))
    result = scan([s, a, b], Cut("x", ">"), metrics=("asimov", "profile"), thresholds=[0.0, 1.5, 2.0, 2.7])
    assert result.reason("asimov", 0) == ""
    # Behind 1.5: s = -2, b = -1 + 1.5; behind 2.7: s = -3, b = 2.
    assert result.reason("asimov", 1) == "signal plus background is negative (-1.5)"
    assert result.reason("profile", 3) == "signal plus background is negative (-1)"
    assert result.reason("profile", 0).startswith("sample 's' has a negative yield (-1)")


def refuses(samples: list[Sample], cut: Cut, axis: Any = None) -> bool:
    try:
        workspace(fill(samples, cut, axis=axis))
    except (YieldError, EmptySelectionError):
        return True
    return False


PROFILES = {
    "systematics": (make_samples(2), Cut("x", ">"), None),
    "below": (make_samples(3), Cut("x", "<", missing="pass"), None),
    "negative-weights": (make_samples(4, negative=True), Cut("x", ">"), None),
    "shape": (
        [
            Sample("s", {"x": [0.1, 0.6, 0.8, 0.9], "y": [0.2, 0.7, 1.5, 1.6]}, signal=True),
            Sample("b", {"x": np.linspace(0, 1, 30), "y": np.linspace(1.9, 0, 30)}, modifiers=NormSys("n", 1.3, 0.7)),
            Sample("c", {"x": np.linspace(0, 0.7, 9), "y": np.linspace(0, 1.9, 9)}, modifiers=ShapeSys("u", 0.2)),
        ],
        Cut("x", ">"),
        hist.axis.Regular(2, 0, 2, name="y"),
    ),
}


@pytest.mark.parametrize(("samples", "cut", "axis"), PROFILES.values(), ids=PROFILES)
def test_profile_equals_the_significance_of_a_workspace_at_each_threshold(
    samples: list[Sample], cut: Cut, axis: Any
) -> None:
    result = scan(samples, cut, metrics=["profile"], axis=axis)
    checked = 0
    for position, threshold in list(enumerate(result.thresholds))[:: max(1, len(result.thresholds) // 8)]:
        value, at = result.values["profile"][position], cut.at([threshold])
        if np.isnan(value):
            b = result.table.bins[1][position]
            assert refuses(samples, at, axis) or np.any(b <= 0), result.reason("profile", position)
            assert result.reason("profile", position) not in {"", "the formula has no value here"}
            continue
        spec = workspace(fill(samples, at, axis=axis))
        assert value == pytest.approx(
            float(discovery_significance(HistFactory.from_workspace(spec))), rel=1e-9, abs=1e-7
        )
        checked += 1
        if checked % 4 == 1:
            # pyhf's own fit, whose minimizer stops at a relative change of 1e-6 or so of the likelihood.
            verdict = referee.hypotest(pyhf.Workspace(spec).model())
            assert value == pytest.approx(verdict.significance, rel=1e-4, abs=1e-3)
    assert checked >= 4


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["gauss40x10-gauss50x10", "exp10-gauss30x1"])
def test_refinement_finds_what_exhaustive_evaluation_finds(name: str, seed: int) -> None:
    s, b = (sample.take(np.arange(0, len(sample), 3)) for sample in datasets.scenario(name, seed=seed))
    b = b.take(np.arange(len(b)), scale=1.5)
    samples = [s, Sample("b", b.columns, weights=b.weights, modifiers=NormSys("norm", 1.05, 0.95))]
    refined = scan(samples, Cut("x", ">"), metrics=["profile"])
    assert len(refined.thresholds) > 2048
    exhaustive = scan(samples, Cut("x", ">"), metrics=["profile"], refinement=Refinement(everywhere=10**9))
    evaluated = np.isfinite(refined.values["profile"])
    assert evaluated.sum() < 0.5 * np.isfinite(exhaustive.values["profile"]).sum()
    np.testing.assert_array_equal(refined.values["profile"][evaluated], exhaustive.values["profile"][evaluated])
    one, other = (r.optimum("profile", min_background=0) for r in (refined, exhaustive))
    assert one.threshold == other.threshold
    skipped = int(np.flatnonzero(~evaluated & np.isfinite(exhaustive.values["profile"]))[0])
    assert refined.reason("profile", skipped).startswith("not evaluated: of many thresholds")


@settings(max_examples=50, deadline=None)
@given(
    x=st.lists(st.floats(-1e3, 1e3) | st.sampled_from([0.0, 1.0, np.nextafter(1.0, 2.0), 5e-324]), min_size=1),
    direction=st.sampled_from([">", "<"]),
)
def test_distinct_thresholds_select_every_different_set_once(x: list[float], direction: Any) -> None:
    cut = Cut("x", direction)
    samples = [Sample("s", {"x": x})]
    points = Cumulative(samples, cut, structure_of(samples, axis=None, channel="c")).distinct().thresholds
    numbers = [int(cut.at([t]).mask(np.array(x)).sum()) for t in points]
    values = np.unique(x)
    expected = [sum(v >= u for v in x) if direction == ">" else sum(v <= u for v in x) for u in values]
    assert numbers == expected
    assert np.all(np.diff(points) > 0)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100.0), seed=st.integers(0, 50))
def test_scaling_all_weights_scales_the_ratios_and_leaves_the_log_loss(scale: float, seed: int) -> None:
    samples = make_samples(seed)
    scaled = [s.take(np.ones(len(s), bool), scale=scale) for s in samples]
    names = ("bce", "s_over_sqrt_b", "asimov")
    one, other = (scan(given, Cut("x", ">"), metrics=names) for given in (samples, scaled))
    np.testing.assert_allclose(other.values["bce"], one.values["bce"], rtol=1e-10)
    for name in names[1:]:
        np.testing.assert_allclose(other.values[name], np.sqrt(scale) * one.values[name], rtol=1e-9)


def test_bins_are_combined_in_quadrature() -> None:
    samples, cut, axis = PROFILES["shape"]
    result = scan(samples, cut, metrics=("asimov", "s_over_sqrt_b"), thresholds=[0.05, 0.5, 0.95], axis=axis)
    for position, threshold in enumerate(result.thresholds[:2]):
        s, b, c = fill(samples, cut.at([threshold]), axis=axis).nominal
        assert result.values["s_over_sqrt_b"][position] == pytest.approx(np.sqrt(np.sum(s**2 / (b + c))))
        z = counting.asimov_significance(s, b + c)
        assert result.values["asimov"][position] == pytest.approx(np.sqrt(np.sum(z**2)))


def test_a_bin_with_signal_but_without_background_has_no_significance() -> None:
    samples, cut, axis = PROFILES["shape"]
    # Behind 0.75 both backgrounds have only small y left, and the signal has large y.
    result = scan(samples, cut, metrics=("asimov", "profile"), thresholds=[-1.0, 0.75], axis=axis)
    for name in ("asimov", "profile"):
        assert np.isfinite(result.values[name][0])
        assert np.isnan(result.values[name][1])
        assert result.reason(name, 1) == "no positive background is left in bin 1"


def test_events_outside_the_axis_are_pointed_out() -> None:
    samples, cut, _ = PROFILES["shape"]
    with pytest.warns(OutsideAxisWarning, match=r"outside the axis 'y'.*\(s: 2, b: 14, c: 4 expected") as caught:
        scan(samples, cut, metrics=["asimov"], axis=hist.axis.Regular(1, 0, 1, name="y"))
    # The run-time type checker puts a frame of its own between.
    assert hasattr(scan, "__wrapped__") or caught[0].filename == __file__


def test_the_data_frame_holds_yields_efficiencies_and_metrics() -> None:
    samples = make_samples(5)
    result = scan(samples, Cut("x", ">"), metrics=("bce", "asimov"), thresholds=[0.0, 5.0, 50.0])
    frame = result.to_dataframe()
    assert [*frame.columns] == [
        *("threshold", "signal", "background", "signal_efficiency", "background_efficiency", "purity"),
        *("effective_background", "bce", "asimov"),
    ]
    brute = BruteForce(samples, Cut("x", ">"), 5.0)
    row = frame.iloc[1]
    assert row["signal_efficiency"] == pytest.approx(brute.s / samples[0].total)
    assert row["background_efficiency"] == pytest.approx(brute.b / (samples[1].total + samples[2].total))
    assert row["purity"] == pytest.approx(brute.s / (brute.s + brute.b))
    each = [brute.total(s) ** 2 / brute.total(s, power=2) for s in samples[1:]]
    assert all(brute.total(s) > 0.1 * brute.b for s in samples[1:])
    assert row["effective_background"] == pytest.approx(min(each)), "that of the weakest background"
    # Nothing is left: no purity, no effective events.
    assert np.isnan(frame.iloc[2]["purity"])
    assert frame.iloc[2]["effective_background"] == 0.0


def test_few_effective_events_are_pointed_out() -> None:
    samples = [Sample("s", {"x": [1.0] * 50}, signal=True), Sample("b", {"x": [0.0] * 50 + [2.0] * 3})]
    message = scan(samples, Cut("x", ">"), metrics=["asimov"]).optimum("asimov", min_background=0).message
    assert message == "rests on 3.0 effective simulated background events; chosen and evaluated on the same events"


def test_text_forms_name_the_optima() -> None:
    result = scan(make_samples(1), Cut("x", ">"), metrics=("bce", "asimov"))
    for text in (repr(result), result._repr_html_()):
        assert "asimov" in text
        assert f"{result.optimum('asimov').value:.5g}" in text
    assert "x &gt;= ?" in result._repr_html_()  # of whole numbers


S, B = Sample("s", {"x": [1.0, 2.0]}, signal=True), Sample("b", {"x": [1.0, 2.0]})

BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "metric": (
        lambda: scan([S, B], Cut("x", ">"), metrics=["auc"]),
        InputError,
        "no figure of merit 'auc'; choose one of profile",
    ),
    "no-metric": (lambda: scan([S, B], Cut("x", ">"), metrics=[]), InputError, "No metrics were named"),
    "one-string": (lambda: scan([S, B], Cut("x", ">"), metrics="bce"), InputError, "metrics are 'bce'; expected"),
    "selection": (lambda: scan([S, B], Selection([Cut("x", ">")])), InputError, "hepcuts.Window, got Selection"),
    "thresholds-nan": (lambda: scan([S, B], Cut("x", ">"), thresholds=[np.nan]), InputError, "finite numbers"),
    "thresholds-none": (lambda: scan([S, B], Cut("x", ">"), thresholds=[]), InputError, "finite numbers"),
    "thresholds-text": (lambda: scan([S, B], Cut("x", ">"), thresholds=["a"]), InputError, "finite numbers"),
    "column": (lambda: scan([S, B], Cut("pt", ">")), SampleError, "'s' has no column 'pt'"),
    "column-given": (lambda: scan([S, B], Cut("pt", ">"), thresholds=[1]), SampleError, "'s' has no column 'pt'"),
    "observable": (
        lambda: scan([S, B], Cut("x", ">"), axis=hist.axis.Regular(2, 0, 1, name="m")),
        SampleError,
        "'s' has no column 'm'",
    ),
    "no-signal": (lambda: scan([B], Cut("x", ">")), SampleError, "No signal"),
    "nothing-left": (lambda: scan([S, B], Cut("x", ">"), thresholds=[9]), EmptySelectionError, "passes x > ? at any"),
    "all-missing": (
        lambda: scan([Sample(n, {"x": [OFF]}, missing=OFF, signal=n == "s") for n in "sb"], Cut("x", ">")),
        InputError,
        "No event has a value of 'x' to cut on",
    ),
    "not-scanned": (
        lambda: scan([S, B], Cut("x", ">"), metrics=["bce"]).optimum("asimov"),
        InputError,
        "Metric 'asimov' was not scanned; the scan has bce",
    ),
    "no-value": (
        lambda: scan([S, Sample("b", {"x": [0.0]})], Cut("x", ">"), metrics=["asimov"], thresholds=[0.5, 1.5]).optimum(
            "asimov"
        ),
        InputError,
        "Metric 'asimov' has no value at any of 2 thresholds: no background is left",
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "error", "match"), BAD.values(), ids=BAD)
def test_refusals_say_what_was_expected(call: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match.replace("?", r"\?")):
        call()
