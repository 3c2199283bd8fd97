"""Learned discriminants: directions and significances known in closed form, exact gradients, honest quotation."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import hepcuts as hc
from hepcuts import counting
from hepcuts._core.errors import InputError, SampleError
from hepcuts.cuts.regions import Region
from hepcuts.discriminant import linear, small_network
from hepcuts.discriminant.training import preparation
from hepcuts.discriminant.training.layout import Laid
from hepcuts.discriminant.training.losses import Classification, EndToEnd
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.evaluation.resampling import hold_out
from hepcuts.merit.cross_entropy import BinaryCrossEntropy, WeightedCrossEntropy
from hepcuts.optimization.solvers import Adam
from hepcuts.samples.datasets import Distribution

FEATURES = ("x", "y", "z")
QUICK = {"anneal": (2.5, 0.6), "seed": 1}


def normal(
    seed: int, means, *, covariance=None, size=8000, yields=(100.0, 20_000.0), shift=0.0, norm_sys=None, staterror=True
) -> tuple[hc.Sample, hc.Sample]:
    """Signal and background of normal features of one covariance; `shift` is the uncertainty of the background's x."""
    generator = np.random.default_rng(seed)
    dimension = len(means)
    mixing = np.linalg.cholesky(np.eye(dimension) if covariance is None else covariance)
    samples = []
    for name, mean, number, total in (
        ("signal", np.asarray(means), size, yields[0]),
        ("background", np.zeros(dimension), 3 * size, yields[1]),
    ):
        events = generator.normal(size=(number, dimension)) @ mixing.T + mean
        modifiers = []
        if name == "background" and shift:
            modifiers.append(hc.HistoSys("scale", up={"x": events[:, 0] + shift}, down={"x": events[:, 0] - shift}))
        if name == "background" and norm_sys:
            modifiers.append(hc.NormSys("norm", 1 + norm_sys, 1 - norm_sys))
        columns = dict(zip(FEATURES, events.T, strict=False))
        weights = np.full(number, total / number)
        samples.append(
            hc.Sample(name, columns, weights=weights, signal=name == "signal", modifiers=modifiers, staterror=staterror)
        )
    return tuple(samples)


def weights_of(discriminant: hc.Discriminant) -> tuple[np.ndarray, float]:
    """A linear discriminant as weights of the features themselves, and its constant."""
    weights = discriminant.parameters / discriminant.scales / discriminant.spread
    constant = -weights @ discriminant.centers - discriminant.location / discriminant.spread
    return weights, constant


def degrees(first, second) -> float:
    """Angle between two directions."""
    return float(np.degrees(np.arccos(first @ second / np.linalg.norm(first) / np.linalg.norm(second))))


# --- known optima ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pretraining", [50, pytest.param(0, marks=pytest.mark.slow)], ids=["warm", "cold"])
def test_the_direction_of_normal_features_is_fishers(pretraining):
    """With equal covariances the likelihood ratio, best for any cut, is linear: inverse covariance times mean."""
    means, covariance = np.array([1.2, 0.2, 0.7]), np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]])
    signal, background = 1000.0, 20_000.0
    fisher = np.linalg.solve(covariance, means)
    separation = np.sqrt(means @ fisher)

    def significance(threshold, separation):
        return counting.asimov_significance(signal * norm.sf(threshold - separation), background * norm.sf(threshold))

    best = -minimize_scalar(lambda t: -significance(t, separation), bounds=(0.0, 4.0), method="bounded").fun
    samples = normal(1, means, covariance=covariance, size=20_000, yields=(signal, background))
    d = linear("d", FEATURES)
    result = hc.train(samples, hc.Cut("d", ">"), d, objective="asimov", pretraining=pretraining, **QUICK)
    weights, constant = weights_of(result.discriminant)
    assert degrees(weights, fisher) < 3.0
    spread = np.sqrt(weights @ covariance @ weights)
    threshold = (result.thresholds["d"] - constant) / spread
    assert significance(threshold, weights @ means / spread) > 0.99 * best
    assert result.success


def best_linear(means, shift, yields, relative):
    """Closed form of Z with a scale uncertainty of the background's first feature, as function of direction and cut."""

    def significance(weights, threshold):
        """`threshold` in standard deviations of the background's score; features are independent, of variance 1."""
        weights = weights / np.linalg.norm(weights)
        s, b = yields[0] * norm.sf(threshold - weights @ means), yields[1] * norm.sf(threshold)
        up, down = (yields[1] * norm.sf(threshold - side * shift * weights[0]) for side in (1.0, -1.0))
        return counting.asimov_significance(s, b, np.hypot(0.5 * (up - down), relative * b))

    return significance


@pytest.mark.slow
def test_the_likelihood_teaches_what_cross_entropy_does_not():
    """A feature that separates best, and whose scale is uncertain: BCE relies on it, the likelihood does not."""
    means, shift, yields, relative = np.array([0.8, 0.6, 0.5]), 0.1, (1500.0, 50_000.0), 0.02
    closed = best_linear(means, shift, yields, relative)
    thresholds = np.linspace(-1.0, 4.5, 551)  # beyond there is no background left
    angles = np.linspace(0.0, np.pi / 2, 181)  # from the first feature to what is best of the others
    others = means * [0.0, 1.0, 1.0] / np.hypot(*means[1:])
    grid = [closed(np.cos(a) * np.array([1.0, 0.0, 0.0]) + np.sin(a) * others, thresholds).max() for a in angles]

    # As in the closed form, simulation is unlimited for the likelihood.
    samples = normal(2, means, yields=yields, shift=shift, norm_sys=relative, staterror=False)
    found = {
        objective: hc.train(samples, hc.Cut("d", ">"), linear("d", FEATURES), objective=objective, holdout=0.4, **QUICK)
        for objective in ("profile", "bce_balanced")
    }
    trained, _ = weights_of(found["profile"].discriminant)
    assert closed(trained, thresholds).max() > 0.98 * max(grid)
    classified, _ = weights_of(found["bce_balanced"].discriminant)
    assert degrees(classified, means) < 5.0  # what BCE is known to find
    # Each at the best of all thresholds.
    assert closed(trained, thresholds).max() > 1.4 * closed(classified, thresholds).max()
    assert found["profile"].significance > 1.2 * found["bce_balanced"].significance
    assert found["profile"].validated > found["profile"].warm_start
    assert np.isnan(found["bce_balanced"].validated)


@pytest.mark.slow
def test_a_network_bends_where_a_plane_does_not():
    """A signal in the middle of the background: no direction tells them apart, the radius does."""
    generator = np.random.default_rng(3)
    inner, outer = generator.normal(0.0, 0.5, (4000, 2)), generator.normal(0.0, 1.5, (12_000, 2))
    samples = [
        hc.Sample("s", {"x": inner[:, 0], "y": inner[:, 1]}, weights=np.full(4000, 0.05), signal=True),
        hc.Sample("b", {"x": outer[:, 0], "y": outer[:, 1]}, weights=np.full(12_000, 1.0)),
    ]
    # Within a circle of radius r, 1 - exp(-r^2 / (2 sigma^2)) of each pass; with unlimited simulation.
    radius = np.linspace(0.1, 4.0, 400)
    passed = [total * -np.expm1(-0.5 * (radius / sigma) ** 2) for total, sigma in ((200.0, 0.5), (12_000.0, 1.5))]
    best = counting.asimov_significance(*passed).max()
    network = small_network("nn", ["x", "y"], hidden=(8,), seed=1)
    result = hc.train(samples, hc.Cut("nn", ">"), network, objective="asimov", holdout=0.3, **QUICK)
    # Held-out events make it 3 % or so uncertain.
    assert result.optimization.held_out.value > 0.93 * best


@pytest.mark.slow
def test_cuts_beside_the_score_are_trained_with_it():
    means, yields = np.array([1.0, 1.0, 1.5]), (1000.0, 20_000.0)
    selection = hc.Cut("d", ">") & hc.Cut("z", ">")
    samples = normal(4, means, yields=yields)
    result = hc.train(samples, selection, linear("d", ["x", "y"]), objective="asimov", **QUICK)
    weights, constant = weights_of(result.discriminant)
    assert degrees(weights, np.ones(2)) < 5.0

    def significance(score, z):
        """Of thresholds on two independent normal quantities; of the first along a direction of unit length."""
        s = yields[0] * norm.sf(score - weights @ means[:2] / np.linalg.norm(weights)) * norm.sf(z - means[2])
        return counting.asimov_significance(s, yields[1] * norm.sf(score) * norm.sf(z))

    grid = np.linspace(-1.0, 3.5, 181)
    threshold = (result.thresholds["d"] - constant) / np.linalg.norm(weights)
    assert significance(threshold, result.thresholds["z"]) > 0.97 * significance(grid[:, None], grid).max()


# --- gradients ------------------------------------------------------------------------------------------------------


def laid_out(objective: str, **options) -> tuple[EndToEnd, np.ndarray, np.ndarray]:
    """An objective of a network, three other thresholds, a scale uncertainty; parameters and thresholds."""
    samples = normal(5, [1.0, 0.5, 0.3], size=300, shift=0.2, norm_sys=0.1)
    network = small_network("d", ["x", "z"], hidden=(3,), seed=1).standardized(samples)
    scored = network.samples(samples)
    selection = hc.Selection([hc.Cut("d", ">"), hc.Cut("y", ">", -0.5), hc.Window("z", -2.0, 3.0)])
    problem = preparation.problem(scored, selection, preparation.figures(objective, None)[0], options)
    laid = Laid(scored, network, [np.ones(len(s), dtype=bool) for s in samples], problem)
    thresholds = laid.search.space.start.copy()
    thresholds[0] = 0.4
    return laid.end_to_end(train=True), laid.scorer.start, thresholds


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ("asimov_uncertainty", {}),
        ("profile", {}),
        ("profile", {"regions": [Region("control", inverted=["d"]), Region("loose", without=["d"])]}),
    ],
    ids=["closed form", "likelihood", "control regions"],
)
@pytest.mark.slow("control regions")
def test_the_gradient_is_that_of_finite_differences(objective, options):
    function, parameters, thresholds = laid_out(objective, **options)
    widths = np.full(4, 0.3)
    found = function.slope(parameters, thresholds, widths)
    assert found.value == pytest.approx(function.value(function.scored(parameters)[0], thresholds, widths), rel=1e-12)
    h = 1e-5

    def along(vector):
        """Central difference along a direction of parameters and thresholds."""
        first, second = vector[: len(parameters)], vector[len(parameters) :]
        above, below = (
            function.slope(parameters + side * h * first, thresholds + side * h * second, widths).value
            for side in (1.0, -1.0)
        )
        return (above - below) / (2.0 * h)

    gradient = np.append(found.to_parameters, found.to_thresholds)
    directions = np.eye(len(gradient))[:: 3 if options else 1]
    expected = [along(direction) for direction in directions]
    assert directions @ gradient == pytest.approx(expected, abs=1e-8 * np.abs(gradient).max() + 1e-8)


@pytest.mark.parametrize("balanced", [True, False])
def test_cross_entropy_and_its_gradient(balanced):
    samples = normal(6, [1.0, 0.5, 0.3], size=200, yields=(30.0, 50.0))
    network = small_network("d", FEATURES, hidden=(2,), seed=1).standardized(samples)
    laid = Laid(
        network.samples(samples),
        network,
        [np.ones(len(s), dtype=bool) for s in samples],
        preparation.problem(
            network.samples(samples), hc.Selection([hc.Cut("d", ">")]), *preparation.figures("asimov", None)[:1], {}
        ),
    )
    loss = Classification(samples, network, laid.scorer, BinaryCrossEntropy("loss", "loss", balanced=balanced))
    vector = np.append(laid.scorer.start, 0.3)
    odds = [np.exp(network.apply(s.columns) + 0.3) for s in samples]
    totals = (0.5, 0.5) if balanced else (30.0 / 80.0, 50.0 / 80.0)
    expected = totals[0] * np.mean(-np.log(odds[0] / (1 + odds[0]))) + totals[1] * np.mean(np.log1p(odds[1]))
    value, gradient = loss.slope(vector)
    assert value == pytest.approx(expected, rel=1e-12)
    assert loss.value(vector) == value
    h = 1e-5
    differences = [(loss.value(vector + h * u) - loss.value(vector - h * u)) / (2 * h) for u in np.eye(len(vector))]
    assert gradient == pytest.approx(differences, abs=1e-9)


@pytest.mark.slow
def test_a_weighted_cross_entropy_cuts_where_the_significance_does():
    """Its own threshold, odds of 1, is the best cut of the Asimov significance, which is known in closed form."""
    means, yields = [1.2, 0.9, 0.0], (1000.0, 20_000.0)
    problem = hc.theory.CutProblem(
        Distribution("norm", (1.5, 1.0), yields[0]), Distribution("norm", (0.0, 1.0), yields[1])
    )
    best, half = problem.optimum("asimov"), problem.optimum("bce")
    samples = normal(4, means, yields=yields, size=20_000)
    found = hc.train(
        samples, hc.Cut("d", ">"), linear("d", FEATURES), objective="weighted_bce", cut_objective="asimov", **QUICK
    )
    assert found.rounds.converged
    assert found.rounds.background_weight == pytest.approx(best.density_ratio, rel=0.1)
    last = found.rounds.last
    # The yields are those of a quarter of the events, which validate.
    assert 4 * last.signal == pytest.approx(best.signal, rel=0.1)
    assert 4 * last.background == pytest.approx(best.background, rel=0.2)
    assert 4 * last.background > 2 * half.background
    assert problem.worth(WeightedCrossEntropy(background_weight=found.rounds.background_weight)) > 0.999
    assert f"{found.rounds.background_weight:.4g} after {len(found.rounds.rounds)} rounds" in repr(found)
    trained, _ = weights_of(found.discriminant)
    assert degrees(trained, np.array(means)) < 5.0


@pytest.mark.slow
def test_the_rounds_are_in_the_checkpoint(tmp_path):
    samples = normal(4, [1.2, 0.9, 0.0], yields=(1000.0, 20_000.0), size=500)
    options = {"objective": "weighted_bce", "cut_objective": "asimov", "checkpoint": tmp_path / "train.json", **QUICK}
    one, again = (hc.train(samples, hc.Cut("d", ">"), linear("d", FEATURES), **options) for _ in range(2))
    assert again.rounds.rounds == one.rounds.rounds
    assert again.rounds.message == one.rounds.message


@pytest.mark.slow
def test_a_weight_of_ones_own_is_kept():
    samples = normal(4, [1.2, 0.9, 0.0], yields=(1000.0, 20_000.0), size=300)
    options = {"cut_objective": "asimov", **QUICK}
    figures = ("bce", WeightedCrossEntropy(background_weight=1.0), WeightedCrossEntropy(background_weight=0.2))
    one, same, other = (
        hc.train(samples, hc.Cut("d", ">"), linear("d", FEATURES), objective=figure, **options) for figure in figures
    )
    assert same.rounds is None
    np.testing.assert_allclose(same.discriminant.parameters, one.discriminant.parameters, rtol=1e-6)
    assert not np.allclose(other.discriminant.parameters, one.discriminant.parameters, rtol=1e-3)


# --- scores as columns ----------------------------------------------------------------------------------------------


def test_scores_are_those_of_the_formula():
    d = linear("d", ["x", "y"]).at(np.array([2.0, -1.0]), location=1.0, spread=4.0)
    assert d.apply({"x": [1.0, 2.0], "y": [0.0, 3.0]}) == pytest.approx([(2 - 1) / 4, (4 - 3 - 1) / 4])


def test_features_are_standardized_by_robust_scales():
    """A normal distribution's median and half its central 68 %; one wild value changes nothing."""
    generator = np.random.default_rng(7)
    x = generator.normal(50.0, 8.0, 20_000)
    wild = np.append(x, 1e9)
    jets = np.minimum(np.arange(20_000) % 10, 2)  # 0 and 1 for a tenth of the events each, else 2
    signal = hc.Sample("s", {"x": x, "jets": jets}, signal=True)
    d = linear("d", ["x", "jets"]).standardized([signal, hc.Sample("b", {"x": wild, "jets": np.append(jets, 2)})])
    assert d.centers == pytest.approx([50.0, 2.0], abs=0.3)
    assert d.scales == pytest.approx([8.0, 0.5], rel=0.03)


def test_a_feature_with_one_value():
    constant = [hc.Sample("s", {"x": np.ones(3)}, signal=True), hc.Sample("b", {"x": np.ones(3)})]
    with pytest.raises(InputError, match="all values of 'x' are 1"):
        linear("d", ["x"]).standardized(constant)


def test_variations_move_the_score():
    samples = normal(8, [1.0, 1.0], size=50, shift=0.3)
    d = linear("d", ["x", "y"])
    _, background = d.samples(samples)
    up = background.modifiers[0].up
    # Each weight is 2^-0.5.
    assert up.columns["d"] - background.column("d") == pytest.approx(0.3 / np.sqrt(2.0))
    only_y = linear("d", ["y"]).samples(samples)[1]
    assert "d" not in only_y.modifiers[0].up.columns


def test_variations_of_weights_stay_what_they_are():
    x = np.arange(4.0)
    both = hc.HistoSys("w", up=np.full(4, 1.1), down="mirror")
    samples = [hc.Sample("s", {"x": x}, signal=True), hc.Sample("b", {"x": x}, modifiers=[both])]
    modifier = linear("d", ["x"]).samples(samples)[1].modifiers[0]
    assert modifier.down == "mirror"
    assert modifier.up.weights == pytest.approx(1.1)


def test_missing_features_count_as_their_center():
    samples = [
        hc.Sample("s", {"x": [1.0, 2.0, 3.0, -999.0]}, signal=True, missing=-999.0),
        hc.Sample("b", {"x": [0.0, 1.0, 2.0, -999.0]}, missing=-999.0),
    ]
    d = linear("d", ["x"]).standardized(samples)
    assert d.centers[0] == pytest.approx(1.5)
    assert d.apply(samples[0].columns, missing=-999.0)[-1] == 0.0


def test_the_result_is_what_its_parts_say():
    """The quoted significance, once more by hand from the held-out events' score."""
    samples = normal(9, [1.0, 1.0], size=2000)
    result = hc.train(samples, hc.Cut("d", ">"), linear("d", ["x", "y"]), objective="asimov", holdout=0.5, seed=3)
    _, held_out = hold_out(samples, 0.5, seed=3)
    again = evaluate(result.samples(held_out), result.selection)
    assert again.significance == pytest.approx(result.significance, rel=1e-12)
    assert result.significance != result.optimization.training.significance
    nominal = np.concatenate([s.column("d") for s in result.samples(samples)])
    assert np.abs(nominal).max() < 20.0  # in units of its spread
    history = result.to_dataframe()
    assert list(history.columns) == ["stage", "training", "validation"]
    assert history.stage.iloc[0] == "bce"
    assert len(history) == result.num_steps
    assert "2 parameters" in repr(result)
    assert "<caption>" in result._repr_html_()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result():
    samples = normal(10, [1.0, 1.0], size=1500)
    network = small_network("d", ["x", "y"], hidden=(3,), seed=1)
    first, second = (
        hc.train(samples, hc.Cut("d", ">"), network, objective="asimov", seed=5, folds=0, anneal=(2.0,), holdout=None)
        for _ in range(2)
    )
    assert first.thresholds == second.thresholds
    assert np.array_equal(first.discriminant.parameters["last"], second.discriminant.parameters["last"])
    assert first.to_dataframe().equals(second.to_dataframe())


@pytest.mark.slow
def test_any_function_solver_and_regularization():
    """A radius with one parameter; Adam; decay draws the parameter to zero."""
    samples = normal(11, [1.0, 1.0], size=1500)

    def tilted(parameters, features):
        return features[:, 0] + parameters["slope"] * features[:, 1]

    discriminant = hc.Discriminant("d", tilted, {"slope": 0.2}, features=["x", "y"])
    options = {"objective": "asimov", "solver": Adam(0.1, 40), "anneal": (2.0,), "seed": 1, "folds": 0}
    free = hc.train(samples, hc.Cut("d", ">"), discriminant, **options)
    held = hc.train(samples, hc.Cut("d", ">"), discriminant, weight_decay=100.0, validation=0.0, **options)
    assert free.discriminant.parameters["slope"] == pytest.approx(1.0, abs=0.4)
    assert abs(held.discriminant.parameters["slope"]) < 0.5 * free.discriminant.parameters["slope"]
    assert held.to_dataframe().validation.isna().all()


# --- errors ---------------------------------------------------------------------------------------------------------

TINY = normal(12, [1.0, 1.0], size=20)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hc.Discriminant("d", lambda p, x: x * p, 1.0, features=["x", "y"]), "expected one score for each"),
        (lambda: hc.Discriminant("d", lambda p, x: x @ p, np.ones(3), features=["x", "y"]), "function fails on"),
        (lambda: hc.Discriminant("d", lambda _, x: x[:, 0], {}, features=["x"]), "no parameters"),
        (lambda: hc.Discriminant("d", lambda _, x: x[:, 0], [np.tanh], features=["x"]), "equinox.partition"),
        (lambda: hc.Discriminant("d", lambda _, x: x[:, 0], np.nan, features=["x"]), "NaN or infinite"),
        (lambda: linear("d", []), "expected names of columns"),
        (lambda: linear("d", ["x", "x"]), "each once"),
        (lambda: linear("x", ["x", "y"]), "name of one of its features"),
        (lambda: linear("", ["x"]), "not empty"),
        (lambda: small_network("d", ["x"], hidden=()), "at least one positive integer"),
        (lambda: small_network("d", ["x"], hidden=(0,)), "at least one positive integer"),
        (lambda: linear("d", ["x"]).at(np.ones(1), spread=0.0), "positive number"),
        (lambda: linear("y", ["x"]).samples(TINY), "has a column 'y' already"),
        (lambda: linear("d", ["pt"]).apply(TINY[0].columns), "no column pt; there are x, y"),
        (lambda: hc.Discriminant("d", _logarithm, 1.0, features=["x"]).samples(TINY), "scores are NaN or infinite"),
    ],
)
def test_discriminants_that_cannot_be(make, message):
    with pytest.raises(InputError, match=message):
        make()


def _logarithm(parameters, features):
    import jax.numpy as jnp

    return parameters * jnp.log(features[:, 0])


@pytest.mark.parametrize(
    ("selection", "options", "message"),
    [
        (hc.Cut("x", ">"), {}, "no cut on the discriminant 'd'"),
        (None, {}, "no cut on the discriminant 'd'"),
        (hc.Cut("d", "<"), {}, "expected hepcuts.Cut"),
        (hc.Cut("d", ">", 1.0), {}, "without threshold"),
        (hc.Cut("d", ">", width=1.0), {}, "without threshold"),
        (hc.Window("d"), {}, "expected hepcuts.Cut"),
        (hc.Cut("d", ">"), {"objective": "squared_error"}, "cannot be trained on 'squared_error'"),
        (hc.Cut("d", ">"), {"objective": "auc"}, "no figure of merit 'auc'"),
        (hc.Cut("d", ">"), {"holdout": 1.0}, "between 0 and 1"),
        (hc.Cut("d", ">"), {"validation": 1.0}, "validation is 1.0; expected 0, or a fraction between 0 and 1"),
        (hc.Cut("d", ">"), {"validation": 0.001}, "leaves none"),
        (hc.Cut("d", ">"), {"anneal": ()}, "at least one positive"),
        (hc.Cut("d", ">"), {"patience": 0}, "patience is 0; expected a whole number of steps, 1 or more"),
        (hc.Cut("d", ">"), {"learning_rate": 0.1}, "no option learning_rate"),
    ],
)
def test_trainings_that_cannot_be(selection, options, message):
    with pytest.raises(InputError, match=message):
        hc.train(TINY, selection, linear("d", ["x", "y"]), **options)


def test_a_feature_without_a_column():
    with pytest.raises(SampleError, match="no column 'pt'"):
        hc.train(TINY, hc.Cut("d", ">"), linear("d", ["x", "pt"]), holdout=None)


def test_what_is_no_discriminant():
    with pytest.raises(InputError, match=r"expected a hepcuts\.Discriminant"):
        hc.train(TINY, hc.Cut("d", ">"), "d", holdout=None)


def test_a_function_that_ignores_its_features():
    constant = hc.Discriminant("d", lambda p, x: p + 0.0 * x[:, 0], 1.0, features=["x"])
    with pytest.raises(InputError, match="does not depend on its features"):
        hc.train(TINY, hc.Cut("d", ">"), constant, objective="asimov", pretraining=0, holdout=None)


def test_replicas_are_those_of_the_events_that_are_quoted() -> None:
    """An option like others: it was refused, and the uncertainty was that of the training events."""
    samples = hc.datasets.many_features(2, seed=1, num_signal=2000, num_background=4000)
    both = hc.discriminant.linear("sum", ["x0", "x1"])
    options = {"objective": "asimov", "holdout": 0.1, "pretraining": 5, "anneal": (1.0,), "folds": 0}
    found = hc.train(samples, hc.Cut("sum", ">"), both, replicas=30, **options).optimization
    assert found.bootstrap is not None
    assert len(found.bootstrap.significance.replicas) == 30
    assert found.bootstrap.significance.value == pytest.approx(found.significance, rel=1e-6)
    assert sum(map(len, found.samples)) == pytest.approx(600, abs=100)
    assert hc.train(samples, hc.Cut("sum", ">"), both, replicas=0, **options).optimization.bootstrap is None
