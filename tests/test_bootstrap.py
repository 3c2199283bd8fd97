"""Replicas of the events against brute force, closed forms, pyhf, and new samples of a known truth."""

import pickle

import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import InputError
from hepcuts.cuts.regions import Region
from hepcuts.evaluation.bootstrap import bootstrap, optimism
from hepcuts.evaluation.presentation import drop_one, rounded
from hepcuts.evaluation.replicas import HardCuts, replicated_yields
from hepcuts.evaluation.resampling import Folds, PoissonReplicas
from hepcuts.histfactory import HistFactory, referee
from hepcuts.merit.classification import LOG_LOSS_EPSILON
from hepcuts.samples.datasets import ManyFeatures
from hepcuts.templates.templates import Templates, Yields

CUTS = hc.Cut("x", ">", 0.8) & hc.Cut("y", "<", 1.5)


def make_samples(seed: int = 0, *, weighted: bool = True, size: int = 600) -> list[hc.Sample]:
    rng = np.random.default_rng(seed)

    def columns(number: int, center: float) -> dict[str, np.ndarray]:
        return {"x": rng.normal(center, 1.0, number), "y": rng.normal(0.5, 1.0, number), "m": rng.uniform(0, 2, number)}

    def weights(number: int, scale: float) -> np.ndarray:
        return scale * rng.uniform(0.5, 1.5, number) if weighted else np.full(number, scale)

    background = columns(5 * size, 0.0)
    shifted = {"x": background["x"] + 0.1}
    modifiers = [hc.HistoSys("scale", up=shifted, down="mirror"), hc.NormSys("xsec", 1.1, 0.9)]
    return [
        hc.Sample("s", columns(size, 1.5), weights=weights(size, 0.05), signal=True),
        hc.Sample("b", background, weights=weights(5 * size, 0.2), modifiers=modifiers),
    ]


def passing(samples: list[hc.Sample], selection: hc.Selection) -> list[np.ndarray]:
    return [sample.weights[selection.mask(sample.columns)] for sample in samples]


def brute_force(samples, selection, formula, *, replicas: int, seed: int = 99) -> np.ndarray:
    """A formula of S and B in replicas that are drawn event by event."""
    rng = np.random.default_rng(seed)
    s, b = (w @ rng.poisson(1.0, (len(w), replicas)) for w in passing(samples, selection))
    return formula(s, b)


# --- yields of replicas ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, hist.axis.Regular(3, 0.0, 2.0, name="m")], ids=["count", "shape"])
@pytest.mark.parametrize("weighted", [True, False], ids=["weighted", "alike"])
def test_row_zero_is_the_events_themselves(axis, weighted):
    samples, region = make_samples(weighted=weighted), Region("control", inverted=["x"])
    structures, ((signal, control),) = replicated_yields(
        samples, [HardCuts((CUTS,))], axis=axis, regions=[region], replicas=PoissonReplicas(3, 1)
    )
    for structure, found, expected in zip(
        structures,
        (signal, control),
        (hc.fill(samples, CUTS, axis=axis), hc.fill(samples, region.selection(CUTS), channel="control")),
        strict=True,
    ):
        assert structure.variations == expected.structure.variations
        np.testing.assert_allclose(found.values[0], expected.yields.values, rtol=1e-12)
        np.testing.assert_allclose(found.variances[0], expected.yields.variances, rtol=1e-12)


@pytest.mark.parametrize("weighted", [True, False], ids=["weighted", "alike"])
def test_replicas_have_the_moments_of_poisson_counts(weighted):
    """Sums of w n have variance sum w^2, and skewness sum w^3 / (sum w^2)^(3/2), whether or not drawn together."""
    samples = make_samples(weighted=weighted)
    _, ((found,),) = replicated_yields(
        samples, [HardCuts((CUTS,))], axis=None, regions=(), replicas=PoissonReplicas(20_000, 2)
    )
    for number, weights in enumerate(passing(samples, CUTS)):
        drawn = np.asarray(found.values)[1:, 0, number, 0]
        sigma = np.sqrt(np.sum(weights**2))
        assert np.mean(drawn) == pytest.approx(weights.sum(), abs=4 * sigma / np.sqrt(20_000))
        # Of 20 000 values a standard deviation is known to 0.5 %, a skewness to 0.017.
        assert np.std(drawn) == pytest.approx(sigma, rel=0.02)
        skewness = np.mean(((drawn - weights.sum()) / sigma) ** 3)
        assert skewness == pytest.approx(np.sum(weights**3) / sigma**3, abs=0.07)
        squares = np.asarray(found.variances)[1:, 0, number, 0]
        assert np.mean(squares) == pytest.approx(sigma**2, abs=4 * np.sqrt(np.sum(weights**4) / 20_000))


def test_an_event_counts_as_often_in_all_regions_and_variations():
    samples = make_samples()
    _, ((signal, same),) = replicated_yields(
        samples,
        [HardCuts((CUTS,))],
        axis=None,
        regions=[Region("same")],
        replicas=PoissonReplicas(2000, 3),
    )
    np.testing.assert_allclose(signal.values, same.values, rtol=1e-12)
    # Behind shifted cuts some more events pass; the others count as often as behind the nominal ones.
    background = samples[1]
    moved = {"x": background.columns["x"] + 0.1, "y": background.columns["y"]}
    nominal, up = CUTS.mask(background.columns), CUTS.mask(moved)
    assert np.all(up[nominal])
    difference = np.asarray(signal.values)[:, 1, 1, 0] - np.asarray(signal.values)[:, 0, 1, 0]
    added = background.weights[up & ~nominal]
    assert difference[0] == pytest.approx(added.sum(), rel=1e-9)
    # Of 2000 values a standard deviation is known to 1.6 %.
    assert np.std(difference[1:]) == pytest.approx(np.sqrt(np.sum(added**2)), rel=0.07)


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [True, False], ids=["weighted", "alike"])
@pytest.mark.parametrize("name", ["s_over_sqrt_b", "asimov"])
@pytest.mark.slow("asimov-alike", "s_over_sqrt_b-alike")
def test_spread_of_closed_forms_against_brute_force(name, weighted):
    samples = make_samples(weighted=weighted)
    formula = {"s_over_sqrt_b": lambda s, b: s / np.sqrt(b), "asimov": counting.asimov_significance}[name]
    found = bootstrap(samples, CUTS, objective=name, replicas=3000, seed=4).objective
    expected = np.asarray(brute_force(samples, CUTS, formula, replicas=20_000))
    assert found.value == pytest.approx(float(formula(*(w.sum() for w in passing(samples, CUTS)))), rel=1e-9)
    # 3000 replicas know a standard deviation to 1.3 %.
    assert found.uncertainty == pytest.approx(np.std(expected), rel=0.06)
    assert found.mean == pytest.approx(np.mean(expected), abs=4 * np.std(expected) / np.sqrt(3000))
    np.testing.assert_allclose(
        found.interval, np.quantile(expected, [0.1587, 0.8413]), atol=5 * np.std(expected) / np.sqrt(3000)
    )


def test_significances_of_replicas_are_those_of_pyhf():
    """With a control region, a shifted column and finite simulation; pyhf builds and fits each replica's model."""
    samples, region = make_samples(), Region("control", inverted=["x"])
    found = bootstrap(samples, CUTS, regions=[region], replicas=4, seed=5)
    structures, (yields,) = replicated_yields(
        samples, [HardCuts((CUTS,))], axis=None, regions=[region], replicas=PoissonReplicas(4, 5)
    )
    for row, value in enumerate([found.significance.value, *found.significance.replicas]):
        templates = [
            Templates(structure, Yields(y.values[row], y.variances[row]), np.zeros(2))
            for structure, y in zip(structures, yields, strict=True)
        ]
        model = HistFactory.from_workspace(hc.workspace(templates)).model
        assert value == pytest.approx(referee.hypotest(model).significance, abs=1e-3)
    np.testing.assert_array_equal(found.objective.replicas, found.significance.replicas)


@pytest.mark.parametrize("name", ["mu_uncertainty", "upper_limit"])
def test_other_statistics_of_the_likelihood_are_those_of_each_replicas_model(name):
    from hepcuts.merit.registry import figure_of_merit

    samples, goal = make_samples(), figure_of_merit(name)
    found = bootstrap(samples, CUTS, objective=name, replicas=3, seed=6).objective
    (structure,), ((yields,),) = replicated_yields(
        samples, [HardCuts((CUTS,))], axis=None, regions=(), replicas=PoissonReplicas(3, 6)
    )
    for row, value in enumerate([found.value, *found.replicas]):
        templates = Templates(structure, Yields(yields.values[row], yields.variances[row]), np.zeros(2))
        assert value == pytest.approx(goal.hard(samples, [templates], CUTS), rel=1e-6)


def test_hard_losses_against_brute_force():
    """The log loss of decisions is the error rate, up to constants."""
    samples = make_samples()
    found = bootstrap(samples, CUTS, objective="bce", replicas=300, seed=7).objective
    rng = np.random.default_rng(8)
    parts = []
    for sample in samples:
        passed = CUTS.mask(sample.columns)
        wrong = ~passed if sample.signal else passed
        counts = np.column_stack([np.ones(len(sample)), rng.poisson(1.0, (len(sample), 4000))])
        parts.append(((sample.weights * wrong) @ counts, sample.weights @ counts))
    rate = sum(wrong for wrong, _ in parts) / sum(total for _, total in parts)
    loss = -rate * np.log(LOG_LOSS_EPSILON) - (1 - rate) * np.log1p(-LOG_LOSS_EPSILON)
    assert found.value == pytest.approx(loss[0], rel=1e-12)
    assert found.uncertainty == pytest.approx(np.std(loss[1:]), rel=0.17)
    assert found.mean == pytest.approx(np.mean(loss[1:]), abs=4 * np.std(loss) / np.sqrt(300))


@pytest.mark.slow
def test_the_uncertainty_is_the_spread_of_new_samples_around_the_truth():
    """Closed-form truth at fixed cuts: pulls of new samples have mean 0 and width 1."""
    truth, low = ManyFeatures(2), [1.2, 0.8]
    selection = hc.Cut("x0", ">", low[0]) & hc.Cut("x1", ">", low[1])
    exact = float(counting.asimov_significance(*truth.yields(low)))
    pulls = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n, m = rng.poisson([800, 4000])
        drawn = hc.datasets.many_features(2, seed=rng, num_signal=n, num_background=m)
        # A number of simulated events that is random, each of the same weight.
        samples = [
            hc.Sample(s.name, s.columns, weights=s.weights * len(s) / expected, signal=s.signal)
            for s, expected in zip(drawn, (800, 4000), strict=True)
        ]
        found = bootstrap(samples, selection, objective="asimov", replicas=60, seed=rng).objective
        pulls.append((found.value - exact) / found.uncertainty)
    # 100 samples know a mean to 0.1 and a width to 7 %; 60 replicas add 9 % to each pull.
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.35)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.25)


def test_replicas_without_background_have_no_value():
    """One background event is drawn zero times with probability exp(-1)."""
    samples = [
        hc.Sample("s", {"x": np.full(50, 2.0)}, weights=np.full(50, 0.1), signal=True),
        hc.Sample("b", {"x": [2.0, 0.0, 0.0]}),
    ]
    found = bootstrap(samples, hc.Cut("x", ">", 1.0), objective="s_over_sqrt_b", replicas=2000, seed=1)
    assert found.objective.undefined / 2000 == pytest.approx(np.exp(-1), abs=0.045)
    assert found.significance.undefined == found.objective.undefined
    assert np.isfinite(found.objective.uncertainty)
    assert "without a value" in repr(found)


def test_a_users_function_and_the_table():
    samples = make_samples()
    own = bootstrap(samples, CUTS, objective=lambda y, _: y.nominal[0, 0] / y.nominal[1, 0] ** 0.5, seed=3)
    known = bootstrap(samples, CUTS, objective="s_over_sqrt_b", seed=3)
    np.testing.assert_allclose(own.objective.replicas, known.objective.replicas, rtol=1e-12)
    assert list(known.to_dataframe()) == ["s_over_sqrt_b", "significance"]
    assert ">objective s_over_sqrt_b</th>" in known._repr_html_()
    assert "&lt;lambda&gt;" in own._repr_html_()


def test_the_same_seed_gives_the_same_replicas():
    samples = make_samples()
    first, second, other = (bootstrap(samples, CUTS, seed=seed).significance.replicas for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("selection", "options", "message"),
    [
        (CUTS, {"replicas": 1}, "at least 2"),
        (CUTS, {"replicas": 0}, "at least 2"),
        (hc.Cut("x", ">"), {}, r"x > \?; expected cuts with all"),
        (None, {}, "expected cuts"),
    ],
)
def test_what_makes_no_bootstrap_is_refused(selection, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap(make_samples(), selection, **options)


# --- optimism --------------------------------------------------------------------------------------------------------


def test_optimism_against_brute_force():
    samples = make_samples()
    chosen = [hc.Cut("x", ">", t) & hc.Cut("y", "<", 1.5) for t in (0.5, 1.1, 0.9)]
    rng = np.random.default_rng(9)
    folds = Folds(3, seed=9)
    members = [folds.part(sample.identity) for sample in samples]
    found = optimism(samples, CUTS, (chosen, folds), objective="s_over_sqrt_b", replicas=3000, seed=10)

    def sums(sample, member, counts):
        masks = np.stack([selection.mask(sample.columns) for selection in chosen])
        left_out = masks[member, np.arange(len(sample))]
        return [(sample.weights * passed) @ counts for passed in (CUTS.mask(sample.columns), left_out)]

    drawn = [np.column_stack([np.ones(len(s)), rng.poisson(1.0, (len(s), 4000))]) for s in samples]
    signal, background = (sums(*given) for given in zip(samples, members, drawn, strict=True))
    training, validated = (s / np.sqrt(b) for s, b in zip(signal, background, strict=True))
    assert found.training.value == pytest.approx(training[0], rel=1e-12)
    assert found.validated.value == pytest.approx(validated[0], rel=1e-12)
    assert found.value == pytest.approx(training[0] - validated[0], rel=1e-9)
    assert found.uncertainty == pytest.approx(np.std(training[1:] - validated[1:]), rel=0.08)
    # The two share most of their events.
    assert found.uncertainty < 0.5 * np.std(training[1:])
    assert "cross-validated" in repr(found)


def test_optimism_of_a_loss_is_positive_where_training_looks_better():
    samples = make_samples()
    loose = hc.Selection([hc.Cut("x", ">", -3.0)])
    tight = hc.Selection([hc.Cut("x", ">", 2.0)])
    found = optimism(samples, tight, ([loose, tight], Folds(2)), objective="bce", replicas=20)
    assert found.sign == -1
    assert found.training.value < found.validated.value
    assert found.value > 0


# --- what an optimization says of itself -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    samples = hc.datasets.many_features(2, seed=1, num_signal=2000, num_background=8000)
    return hc.optimize(samples, hc.Cut("x0", ">") & hc.Cut("x1", ">"), objective="asimov", holdout=0.5, folds=2)


def test_a_result_carries_its_bootstrap_of_the_quoted_events(result):
    assert result.bootstrap.significance.value == pytest.approx(result.significance, rel=1e-6)
    assert result.bootstrap.objective.value == pytest.approx(result.held_out.value, rel=1e-9)
    assert len(result.bootstrap.objective.replicas) == 100
    again = bootstrap(result.samples, result.selection, objective="asimov", seed=1, replicas=400)
    assert result.bootstrap.objective.uncertainty == pytest.approx(again.objective.uncertainty, rel=0.35)
    assert f"+- {result.bootstrap.significance.uncertainty:.2g}" in repr(result)


def test_a_result_carries_its_optimism(result):
    assert result.optimism.training.value == pytest.approx(result.hard_value, rel=1e-9)
    assert result.optimism.validated.value == pytest.approx(result.validated, rel=1e-6)
    assert result.optimism.value == pytest.approx(result.hard_value - result.validated, abs=1e-6)
    assert f"optimism {result.optimism}" in repr(result)


def test_soft_and_hard(result):
    assert result.soft_hard_difference == result.soft_value - result.hard_value


def test_a_result_makes_its_tables_of_the_quoted_events(result):
    table = result.drop_one(replicas=5)
    assert table.significance == pytest.approx(result.significance, rel=1e-6)
    assert repr(table) == repr(drop_one(result.samples, result.selection, replicas=5))
    assert result.rounded().selection == rounded(result.samples, result.selection).selection
    assert result.rounded(max_loss=0.1).loss < 0.1


def test_a_result_can_be_sent_elsewhere(result):
    assert repr(pickle.loads(pickle.dumps(result))) == repr(result)  # noqa: S301


def test_without_replicas_or_folds_there_is_neither():
    samples = hc.datasets.many_features(1, seed=1, num_signal=500, num_background=2000)
    bare = hc.optimize(samples, hc.Cut("x0", ">"), objective="asimov", folds=0, anneal=(1.0,), replicas=0, holdout=None)
    assert bare.bootstrap is None
    assert bare.optimism is None
    assert "+-" not in dict(bare.summary().rows)["significance"]
    with pytest.raises(InputError, match="replicas is 1"):
        hc.optimize(samples, hc.Cut("x0", ">"), replicas=1, holdout=None)


@pytest.mark.slow
def test_tables_of_several_regions():
    samples = make_samples()
    regions = [Region("control", inverted=["x"])]
    result = hc.optimize(samples, CUTS, regions=regions, folds=0, anneal=(1.0,), replicas=5, holdout=None)
    assert result.bootstrap.significance.value == pytest.approx(result.significance, rel=1e-6)
    assert result.drop_one(replicas=5).significance == pytest.approx(result.significance, rel=1e-6)
    assert result.rounded().exact == pytest.approx(result.significance, rel=1e-6)
