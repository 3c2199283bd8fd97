"""The guard on the simulation of each background; the truth is counted event by event with NumPy."""

import hist
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import hepcuts as hc
from hepcuts._core.precision import float64_scope
from hepcuts.binning import bin_edges
from hepcuts.merit.counting import asimov_significance
from hepcuts.optimization.soft.constraints import effective_background as wanted_background
from hepcuts.templates.simulated import LIMIT, SHARE, Backgrounds, counted, effective_background, vanished
from hepcuts.templates.templates import Yields

QCD_WEIGHT = 50.0


def make_samples(seed: int = 1, *, empty: str = "refuse") -> list[hc.Sample]:
    """Of qcd 400 heavy events, of which none is beyond x = 5 or so, where there are some 24 in truth."""
    r = np.random.default_rng(seed)
    return [
        hc.Sample("signal", {"x": r.normal(4.5, 1.0, 5000)}, weights=np.full(5000, 0.01), signal=True),
        hc.Sample("ttbar", {"x": r.exponential(1.0, 20000)}, weights=np.full(20000, 0.05)),
        hc.Sample("qcd", {"x": r.exponential(0.7, 400)}, weights=np.full(400, QCD_WEIGHT), empty=empty),
    ]


SAMPLES = make_samples()
LAST = float(SAMPLES[2].columns["x"].max())
TIGHT = hc.Cut("x", ">", LAST + 0.01)


def passing(samples: list[hc.Sample], threshold: float) -> list[np.ndarray]:
    return [sample.weights[sample.columns["x"] > threshold] for sample in samples]


@pytest.mark.parametrize("metric", ["asimov", "asimov_uncertainty", "profile"])
def test_the_best_cut_is_not_past_the_last_event_of_a_heavy_background(metric: str) -> None:
    result = hc.scan(SAMPLES, hc.Cut("x", ">"), metrics=(metric,), replicas=10, folds=2)
    found = result.optimum(metric)
    _, ttbar, qcd = passing(SAMPLES, found.threshold)
    assert len(qcd) == 10
    assert found.effective_background == pytest.approx(10.0)
    assert found.vanished == ()
    # What would have been better is said, and what one event would be.
    assert "excluded are" in found.message
    assert "qcd: no simulated event left; one event would be 50, and less than 149.8 are expected" in found.message
    # All of the total, as if qcd were known to be zero: the figure that misled.
    _, ttbar, qcd = passing(SAMPLES, LAST)
    assert len(qcd) == 0
    assert ttbar.sum() ** 2 / (ttbar**2).sum() > 100
    assert result.optimum(metric, min_background=0.0).threshold >= LAST


def test_an_optimum_may_be_asked_for_where_nothing_is_left_and_says_so() -> None:
    result = hc.scan(SAMPLES, hc.Cut("x", ">"), metrics=("asimov",), thresholds=[LAST + 0.1], replicas=0, folds=0)
    found = result.optimum("asimov")
    assert "no threshold has 10 effective background events behind it" in found.message
    assert found.vanished[0].startswith("qcd: no simulated event left; one event would be 50")
    assert found.effective_background == 0.0


def test_without_enough_events_anywhere_cuts_that_leave_any_come_first() -> None:
    few = [*SAMPLES[:2], hc.Sample("qcd", {"x": [0.1, 0.5, 1.0, 1.5, 2.0]}, weights=np.full(5, 400.0))]
    found = hc.scan(few, hc.Cut("x", ">"), metrics=("asimov",), replicas=0, folds=0).optimum("asimov")
    assert found.threshold < 2.0
    assert found.effective_background >= 1.0


@pytest.mark.parametrize("direction", [">", "<"])
def test_the_weakest_background_counts(direction: str) -> None:
    r = np.random.default_rng(7)
    samples = [
        hc.Sample("s", {"x": r.normal(0.0, 1.0, 100)}, signal=True),
        hc.Sample("a", {"x": r.normal(0.0, 1.0, 3000)}, weights=r.uniform(0.5, 2.0, 3000)),
        hc.Sample("b", {"x": r.normal(0.0, 0.7, 300)}, weights=r.exponential(3.0, 300) - 0.5),
        hc.Sample("c", {"x": r.normal(0.0, 0.5, 500)}, weights=np.full(500, 0.01)),
    ]
    rows = hc.scan(samples, hc.Cut("x", direction), metrics=("asimov",), replicas=0, folds=0)
    for row in range(0, len(rows.thresholds), 97):
        selection = hc.Cut("x", direction, rows.thresholds[row])
        weights = [sample.weights[np.asarray(selection.mask(sample.columns["x"]))] for sample in samples[1:]]
        total = sum(w.sum() for w in weights)
        numbers = [np.concatenate(weights)]
        for sample, passed in zip(samples[1:], weights, strict=True):
            one = (sample.weights**2).sum() / np.abs(sample.weights).sum()
            if max(passed.sum(), 0.0) + one > SHARE * total:
                numbers.append(passed)
        expected = min(float(w.sum() ** 2 / (w**2).sum()) if len(w) else 0.0 for w in numbers)
        assert rows.table.effective_background[row] == pytest.approx(expected, rel=1e-9)
        templates = hc.fill(samples, selection) if any(map(len, weights)) else None
        if templates is not None:
            found = effective_background(templates.structure, templates.yields)
            assert found == pytest.approx(expected, rel=1e-9)


def test_a_background_alone_is_the_total() -> None:
    two = [SAMPLES[0], SAMPLES[2]]
    structure = hc.fill(two, None).structure
    squares = np.array([[1.0, 2500.0]])
    assert Backgrounds.of(structure).weakest(np.array([[1.0, 50.0]]), squares) == 1.0
    assert Backgrounds.of(structure).one_event == (0.0,)


def test_the_limit_is_that_of_a_count_of_zero() -> None:
    assert scipy.stats.poisson.cdf(0, LIMIT) == pytest.approx(0.05, rel=1e-12)


@pytest.mark.parametrize(
    ("empty", "background", "spread"), [("refuse", 0.0, 0.0), ("ignore", 0.0, 0.0), ("limit", 50.0, 50.0)]
)
def test_what_a_vanished_background_counts_as(empty: str, background: float, spread: float) -> None:
    samples = make_samples(empty=empty)
    signal, ttbar, _ = (w.sum() for w in passing(samples, TIGHT.threshold))
    squares = (passing(samples, TIGHT.threshold)[1] ** 2).sum() + spread**2
    result = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov_uncertainty",), thresholds=[TIGHT.threshold])
    expected = asimov_significance(signal, ttbar + background, np.sqrt(squares))
    np.testing.assert_allclose(result.values["asimov_uncertainty"], expected, rtol=1e-9)
    # In the workspace, too, and in the likelihood that the scan fits.
    templates = hc.fill(samples, TIGHT)
    channel = hc.workspace(templates)["channels"][0]["samples"][2]
    assert channel["data"] == pytest.approx([background])
    assert channel["modifiers"][-1]["data"] == pytest.approx([spread])
    profile = hc.scan(samples, hc.Cut("x", ">"), metrics=("profile",), thresholds=[TIGHT.threshold], replicas=0)
    z = hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(templates)))
    np.testing.assert_allclose(profile.values["profile"], float(z), rtol=1e-8)
    assert vanished(templates.structure, templates.variance.sum(axis=-1))[0].startswith("qcd: no simulated event left")


def test_one_event_for_none_is_mean_and_spread_of_the_posterior_of_a_flat_prior() -> None:
    x = np.linspace(0.0, 60.0, 600001)
    density = scipy.stats.poisson.pmf(0, x)
    mean = np.trapezoid(x * density, x)
    assert mean == pytest.approx(1.0, abs=1e-6)
    assert np.trapezoid((x - mean) ** 2 * density, x) == pytest.approx(1.0, abs=1e-6)


def test_bins_share_the_one_event() -> None:
    samples = make_samples(empty="limit")
    axis = hist.axis.Regular(5, 5.0, 10.0, name="x")
    templates = hc.fill(samples, hc.Cut("x", ">", 5.2), axis=axis)
    assert templates.variance[2].sum() == 0.0
    filled = counted(templates.structure, templates.yields)
    np.testing.assert_allclose(filled.nominal[2], np.full(5, 10.0))
    assert np.sqrt(filled.variance[2].sum()) == pytest.approx(50.0)
    # What is simulated well stays as it is.
    np.testing.assert_allclose(filled.nominal[:2], templates.nominal[:2], rtol=1e-12)


def test_templates_of_chunks_know_what_one_event_is() -> None:
    first = [sample.take(np.arange(0, len(sample), 2)) for sample in SAMPLES]
    second = [sample.take(np.arange(1, len(sample), 2)) for sample in SAMPLES]
    both, whole = hc.fill(first, None) + hc.fill(second, None), hc.fill(SAMPLES, None)
    assert [c.one_event for c in both.structure.components] == pytest.approx(
        [c.one_event for c in whole.structure.components]
    )


@pytest.mark.parametrize("objective", ["asimov_uncertainty", pytest.param("profile", marks=pytest.mark.slow)])
@pytest.mark.slow("asimov_uncertainty")
def test_optimized_cuts_keep_events_of_each_background(objective: str) -> None:
    result = hc.optimize(SAMPLES, hc.Cut("x", ">"), objective=objective, replicas=0, holdout=None)
    assert len(passing(SAMPLES, result.thresholds["x"])[2]) >= 10
    assert "10.0 effective simulated events of qcd, the weakest" in str(result)
    # The folds' cuts, too: a figure of merit without qcd would be ten times as large.
    assert 0.0 < result.validated < 1.0


@pytest.mark.slow
def test_optimized_cuts_say_what_has_vanished() -> None:
    result = hc.optimize(
        make_samples(empty="limit"), hc.Cut("x", ">"), objective="asimov_uncertainty", replicas=0, holdout=None
    )
    assert len(passing(SAMPLES, result.thresholds["x"])[2]) == 0
    assert "counts as 50 +- 50" in str(result)
    assert result.workspace["channels"][0]["samples"][2]["data"] == pytest.approx([50.0])


def test_the_soft_guard_is_zero_where_the_hard_one_holds_and_differentiable() -> None:
    structure = hc.fill(SAMPLES, None).structure
    guard = wanted_background(structure, 10.0)

    def deficit(ttbar: jax.Array, qcd: jax.Array) -> jax.Array:
        values = jnp.array([10.0, 0.0, 0.0]).at[1].set(ttbar).at[2].set(50.0 * qcd)[None, :, None]
        squares = jnp.array([0.1, 0.0, 0.0]).at[1].set(0.05 * ttbar).at[2].set(2500.0 * qcd)[None, :, None]
        found = guard.quantity(Yields(values, squares), structure)
        return jnp.sum(jnp.log(guard.least / jnp.minimum(found, guard.least)))

    both = jax.jit(jax.value_and_grad(deficit, argnums=(0, 1)))
    with_64_bits = float64_scope(lambda *at: jax.tree.map(np.asarray, both(*map(jnp.asarray, at))))
    for ttbar, events in [(7.0, 0.0), (7.0, 1e-6), (7.0, 0.3), (600.0, 2.0), (600.0, 0.5), (1e4, 3.0), (400.0, 12.0)]:
        value, slopes = with_64_bits(ttbar, events)
        hard = Backgrounds.of(structure).weakest(
            np.array([10.0, ttbar, 50.0 * events]), np.array([0.1, 0.05 * ttbar, 2500.0 * events])
        )
        assert (value > 1e-12) == (hard < 10.0), (ttbar, events)
        assert np.all(np.isfinite(slopes))
        if events > 0:
            for number, size in enumerate((1e-5 * ttbar, 1e-5 * events)):
                step = np.eye(2)[number] * size
                more, less = (with_64_bits(*(np.array([ttbar, events]) + sign * step))[0] for sign in (1, -1))
                assert slopes[number] == pytest.approx((more - less) / (2 * size), rel=1e-4, abs=1e-9)
    # Just where it begins to matter there is no jump.
    edge = 10.0 * (50.0 * 1.0 + 50.0) - 50.0
    assert abs(with_64_bits(edge * 1.001, 1.0)[0] - with_64_bits(edge * 0.999, 1.0)[0]) < 1e-4


@pytest.mark.slow
def test_a_constraint_asks_each_background() -> None:
    result = hc.optimize(
        SAMPLES, hc.Cut("x", ">"), objective="asimov", constraints={"effective_background": 25}, replicas=0
    )
    assert len(passing(SAMPLES, result.thresholds["x"])[2]) >= 25
    with pytest.raises(hc.errors.InputError, match=r"'effective_background' wants at least 500; without .* 400"):
        hc.optimize(SAMPLES, hc.Cut("x", ">"), constraints={"effective_background": 500}, holdout=None)


def test_bins_keep_events_of_each_background() -> None:
    for result in (
        bin_edges(SAMPLES, "x", num_bins=3, folds=0, holdout=None),
        hc.categorize(SAMPLES, "x", num_bins=3, folds=0, holdout=None),
    ):
        edges = np.asarray(result.edges if hasattr(result, "variable") else result.edges["x"])
        counts = [np.histogram(s.columns["x"], edges)[0] for s in SAMPLES[1:]]
        yields = counts[0] * 0.05, counts[1] * QCD_WEIGHT
        matters = yields[1] + QCD_WEIGHT > SHARE * sum(yields)
        assert np.all(counts[1][matters] >= 10)
        np.testing.assert_allclose(
            result.effective_background, np.minimum(np.where(matters, counts[1], np.inf), counts[0]), rtol=1e-9
        )


def test_bins_of_what_has_vanished_are_refused_by_name() -> None:
    with pytest.raises(hc.errors.InputError, match=r"qcd: no simulated event left; one event would be 50.*empty="):
        bin_edges(SAMPLES, "x", num_bins=1, selection=TIGHT, folds=0, holdout=None)
    allowed = bin_edges(make_samples(empty="limit"), "x", num_bins=1, selection=TIGHT, folds=0, holdout=None)
    assert allowed.background[0] == pytest.approx(passing(SAMPLES, TIGHT.threshold)[1].sum() + 50.0)


def test_working_points_count_the_weakest_background() -> None:
    found = hc.working_points(SAMPLES, hc.Cut("x", ">"), efficiencies=(0.3, 0.95), holdout=None)
    for number, selection in enumerate(found.selections):
        threshold = selection.thresholds[0]
        assert found.training.effective_background[number] == len(passing(SAMPLES, threshold)[2])
    assert "less than 10 effective simulated events of the weakest background at: 0.3" in str(found)


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(hc.errors.SampleError, match="empty is 'zero'; expected 'refuse', 'limit' or 'ignore'"):
        hc.Sample("b", {"x": [1.0]}, empty="zero")


def test_the_choice_goes_with_the_sample() -> None:
    sample = make_samples(empty="limit")[2]
    assert sample.take(np.arange(3)).empty == "limit"
    assert all(part.empty == "limit" for part in sample.split(0.5, seed=1))
    component = hc.fill([*SAMPLES[:2], sample], None).structure.components[2]
    assert component.empty == "limit"
    assert component.one_event == QCD_WEIGHT


def few_signal(size: int = 40) -> list[hc.Sample]:
    r = np.random.default_rng(3)
    return [
        hc.Sample("s", {"x": r.normal(1.0, 1.0, size)}, weights=np.full(size, 30.0 / size), signal=True),
        hc.Sample("b", {"x": r.normal(0.0, 1.0, 200_000)}, weights=np.full(200_000, 1e-3)),
    ]


def test_an_optimum_rests_on_ten_simulated_signal_events() -> None:
    samples = few_signal()
    found = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov",), replicas=0, folds=0)
    assert np.sum(samples[0].columns["x"] > found.optimum("asimov").threshold) >= 10
    free = found.optimum("asimov", min_background=0.0)
    assert np.sum(samples[0].columns["x"] > free.threshold) < 10
    result = hc.optimize(samples, hc.Cut("x", ">"), objective="asimov", replicas=0, folds=0, holdout=None)
    assert np.sum(samples[0].columns["x"] > result.thresholds["x"]) >= 10
    assert "of whose number" in str(result)


@pytest.mark.parametrize("size", [1, 3, 10, 1000])
def test_the_expected_significance_does_not_know_the_signals_simulation(size: int) -> None:
    """A review: Z the same for 1, 3, 10 and 1000 simulated signal events, and with 50 % on the signal."""
    background = hc.Sample("b", {"x": np.zeros(100)}, weights=np.full(100, 1.0))
    for modifiers in ([], [hc.NormSys("theory", 1.5, 0.5)]):
        signal = hc.Sample(
            "s", {"x": np.zeros(size)}, weights=np.full(size, 20.0 / size), signal=True, modifiers=modifiers
        )
        spec = hc.workspace(hc.fill([signal, background], None))
        z = float(hc.discovery_significance(hc.HistFactory.from_workspace(spec)))
        one = hc.Sample("s", {"x": [0.0]}, weights=[20.0], signal=True, staterror=False)
        known = hc.HistFactory.from_workspace(hc.workspace(hc.fill([one, background], None)))
        assert z == pytest.approx(float(hc.discovery_significance(known)), rel=1e-9)
