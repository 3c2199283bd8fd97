"""The best cut on the score of any classifier: isotonic posteriors, their calibration, and the rounds to the cut."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.discriminant import calibration, cut_score
from hepcuts.discriminant.reliability import Isotonic, Scored
from hepcuts.merit.price import PriceOfDecisions

NAME = "gauss40x10-gauss50x10"


def posterior_of(problem, x):
    return 1.0 / (1.0 + np.exp(-problem.log_density_ratio(x)))


@pytest.fixture(scope="module")
def problem():
    return hc.theory.CutProblem.of_scenario(NAME)


def with_posterior(problem, seed=1):
    return [
        sample.with_columns({"x": sample.column("x"), "p": posterior_of(problem, sample.column("x"))}, ())
        for sample in hc.datasets.scenario(NAME, seed=seed)
    ]


@pytest.fixture(scope="module")
def samples(problem):
    return with_posterior(problem)


def events(seed, size=400, *, negative=False):
    random = np.random.default_rng(seed)
    signal = random.random(size) < 0.3
    weights = random.lognormal(0.0, 1.0, size)
    if negative:
        weights[random.random(size) < 0.15] *= -1.0
    return Scored(np.round(random.normal(signal, 1.0), 2), weights, signal)


# --- the posterior ---


def test_the_isotonic_posterior_is_scikit_learns():
    given = events(1)
    expected = IsotonicRegression().fit(given.score, given.signal, sample_weight=given.weights).predict(given.score)
    np.testing.assert_allclose(Isotonic.of(given)(given.score), expected, atol=1e-12)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("weight", [0.05, 0.3, 1.0, 4.0])
def test_a_cut_on_it_is_the_best_of_all_cuts_for_any_weight(weight, negative):
    """Brute force over all thresholds."""
    for seed in range(8):
        given = events(seed, negative=negative)
        found = Isotonic.of(given).threshold(weight / (1 + weight))
        worth = given.weights * np.where(given.signal, 1.0, -weight)
        kept = [worth[given.score > t].sum() for t in np.append(np.unique(given.score), -99.0)]
        mine = worth[given.score > found].sum()
        assert mine <= max(kept) + 1e-9
        if not negative:  # where weights cancel, a cell of neighboring scores is not divided
            assert mine == pytest.approx(max(kept), abs=1e-9)


def test_a_threshold_of_the_isotonic_posterior_keeps_what_is_above_it():
    given = events(3)
    found = Isotonic.of(given)
    for p in (-0.1, 0.0, 0.1, 0.35, 0.9, 1.0):
        np.testing.assert_array_equal(given.score > found.threshold(p), found(given.score) > p)


def test_no_positive_weights_no_posterior():
    with pytest.raises(InputError, match="no positive sum"):
        Isotonic.of(Scored(np.arange(3.0), np.array([1.0, -3.0, 1.0]), np.array([True, False, True])))


# --- its calibration ---


def test_the_true_posterior_is_calibrated(problem):
    values = np.array([calibration(with_posterior(problem, seed), "p").p_value for seed in range(60)])
    assert 0.4 < values.mean() < 0.6
    assert values.min() > 1e-3
    assert np.mean(values < 0.5) == pytest.approx(0.5, abs=0.2)


def test_a_posterior_of_other_shares_is_not(problem):
    """As trained with balanced classes."""
    shifted = [s.with_columns({"p": posterior_of(problem, s.column("x")) ** 0.5}, ()) for s in with_posterior(problem)]
    found = calibration(shifted, "p")
    assert found.p_value < 1e-10
    assert found.error > 0.1
    assert "mean distance" in repr(found)


def test_what_cannot_be_a_posterior(samples):
    with pytest.raises(InputError, match="a posterior lies between 0 and 1"):
        calibration(samples, "x")
    with pytest.raises(InputError, match="leave calibrate out"):
        cut_score(samples, "x", calibrate=False)


# --- the cut ---


def test_of_the_true_posterior(problem, samples):
    found, best = cut_score(samples, "p"), problem.optimum("asimov")
    assert not found.calibrated
    assert found.converged
    assert found.threshold == found.posterior_threshold
    assert found.half == 0.5
    # S / B after the cut asks for just this cut.
    last = found.rounds.last
    assert float(hc.theory.posterior_threshold(last.signal / last.background)) == pytest.approx(found.threshold)
    assert found.threshold == pytest.approx(best.density_ratio / (1 + best.density_ratio), abs=0.01)
    passed = [sample.weights[sample.column("p") > found.threshold].sum() for sample in samples]
    assert (last.signal, last.background) == tuple(passed)
    assert found.value == pytest.approx(hc.counting.asimov_significance(*passed))
    # Where the posterior is true and the events fluctuate, a round may lose what they fluctuate by.
    assert found.value > found.rounds.rounds[0].value


@pytest.mark.parametrize("transform", [lambda x: x, lambda x: np.exp(x / 10), lambda x: 1 / (1 + np.exp((45 - x) / 9))])
def test_any_increasing_function_of_a_score_is_cut_at_the_same_events(samples, transform):
    scored = [s.with_columns({"score": transform(s.column("x"))}, ()) for s in samples]
    found, plain = cut_score(scored, "score", calibrate=True), cut_score(samples, "x")
    for one, other in zip(scored, samples, strict=True):
        np.testing.assert_array_equal(one.column("score") > found.threshold, other.column("x") > plain.threshold)
    assert found.value == pytest.approx(plain.value, rel=1e-12)


def test_a_score_of_balanced_classes_is_calibrated_by_itself(problem, samples):
    """Trained with equal weights of both classes its 1/2 is another one; the best cut is the same."""
    odds = [np.exp(problem.log_density_ratio(s.column("x"))) * 10.0 for s in samples]
    balanced = [s.with_columns({"p": o / (1 + o)}, ()) for s, o in zip(samples, odds, strict=True)]
    found = cut_score(balanced, "p")
    assert found.calibrated
    x = np.linspace(20, 80, 6001)
    odds = np.exp(problem.log_density_ratio(x)) * 10.0
    cut = float(np.interp(found.threshold, odds / (1 + odds), x))
    assert problem.value("asimov", cut) > 0.985 * problem.optimum("asimov").value
    assert problem.value("asimov", x[np.searchsorted(odds, 1.0)]) > 0.9 * problem.optimum("asimov").value


def test_of_many_simulations_the_cut_is_worth_more_and_claims_less_than_a_scans(problem):
    """300 simulated events of each: judged by the densities."""
    best, worth, optimism = problem.optimum("asimov").value, [], []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        drawn = (
            ("signal", generator.normal(50, 10, 300), 1000 / 300),
            ("background", generator.normal(40, 10, 300), 10_000 / 300),
        )
        made = [hc.Sample(n, {"x": x}, weights=np.full(300, w), signal=n == "signal") for n, x, w in drawn]
        found = cut_score(made, "x", seed=seed)
        scan = hc.scan(made, hc.Cut("x", ">"), metrics=("asimov",), replicas=0, folds=0).optimum("asimov")
        pairs = ((found.threshold, found.value), (scan.threshold, scan.value))
        true = [float(problem.value("asimov", threshold)) for threshold, _ in pairs]
        worth.append(np.array(true) / best)
        optimism.append([value / t - 1 for (_, value), t in zip(pairs, true, strict=True)])
    (mine, scans), (claimed, scan_claimed) = np.mean(worth, axis=0), np.mean(optimism, axis=0)
    assert mine > 0.96
    assert mine > scans - 0.005
    assert 0.0 < claimed < 0.6 * scan_claimed


def test_weights_are_expected_events(samples):
    """Twice the simulation at half the weight: the same cut."""
    twice = [
        hc.Sample(s.name, {"x": np.repeat(s.column("x"), 2)}, weights=np.repeat(s.weights, 2) / 2, signal=s.signal)
        for s in samples
    ]
    one, other = (Isotonic.of(Scored.of(made, "x")) for made in (samples, twice))
    np.testing.assert_allclose(one.posterior, other.posterior)
    np.testing.assert_allclose(one.starts, other.starts)


def test_negative_weights_are_events(samples):
    random = np.random.default_rng(5)
    some = [
        hc.Sample(
            s.name,
            {"x": s.column("x")},
            weights=np.where(random.random(len(s)) < 0.1, -1.0, 1.25) * s.weights,
            signal=s.signal,
        )
        for s in samples
    ]
    found, plain = cut_score(some, "x"), cut_score(samples, "x")
    assert found.threshold == pytest.approx(plain.threshold, abs=4.0)


def test_the_uncertainty_of_the_background_makes_it_tighter(samples):
    uncertain = [
        s.with_columns({"x": s.column("x")}, () if s.signal else [hc.NormSys("norm", 1.05, 0.95)]) for s in samples
    ]
    truth = hc.theory.CutProblem.of_scenario(NAME, relative_uncertainty=0.05, simulated_background=10_000)
    found = cut_score(uncertain, "x", objective="asimov_uncertainty")
    assert found.threshold > cut_score(samples, "x").threshold + 5
    assert float(truth.value("asimov_uncertainty", found.threshold)) > 0.97 * truth.optimum("asimov_uncertainty").value


def test_a_systematic_variation_of_the_score_is_one_of_the_posterior(samples):
    signal, background = samples
    shifted = hc.HistoSys("scale", up={"x": background.column("x") + 1.0}, down={"x": background.column("x") - 1.0})
    varied = background.with_columns({"x": background.column("x")}, [shifted])
    found = cut_score([signal.with_columns({"x": signal.column("x")}, ()), varied], "x", objective="asimov_uncertainty")
    without = cut_score(samples, "x", objective="asimov_uncertainty")
    assert found.value < 0.8 * without.value
    assert found.threshold > without.threshold


def test_enough_background_is_left():
    samples = hc.datasets.scenario("exp10-exp100", seed=1)
    for least in (10.0, 50.0):
        found = cut_score(samples, "x", min_background=least)
        assert found.rounds.last.background >= least
    assert found.message.endswith("a tighter cut would leave fewer than 50 effective simulated background events")
    with pytest.raises(InputError, match="fewer than 1e\\+06 effective simulated events"):
        cut_score(samples, "x", min_background=1e6)


def test_what_is_refused(samples):
    with pytest.raises(InputError, match="known of closed forms only"):
        cut_score(samples, "x", objective="profile")
    with pytest.raises(InputError, match="background_weight is 0"):
        cut_score(samples, "x", background_weight=0)
    missing = [
        hc.Sample(s.name, {"x": np.where(s.column("x") > 60, np.nan, s.column("x"))}, signal=s.signal, missing=np.nan)
        for s in samples
    ]
    with pytest.raises(InputError, match="have no score 'x'"):
        cut_score(missing, "x")


def test_what_it_shows(samples):
    found = cut_score(samples, "x")
    shown = repr(found)
    assert f"x > {found.threshold:.6g}" in shown
    assert "calibrated out of fold" in shown
    assert next(iter(found.rounds.to_dataframe().columns)) == "background_weight"
    assert str(found.selection) == str(hc.Selection([hc.Cut("x", ">", found.threshold)]))
    drawn = found.plot()
    assert drawn.threshold.get_xdata()[0] == found.threshold
    plt.close(drawn.figure)


# --- the price ---


def test_the_price_is_what_a_wrong_decision_costs(problem):
    """To first order: dZ = (r / Z) |p - p*| (s + b) for a bin that is decided wrongly."""
    best = problem.optimum("asimov")
    found = hc.theory.price_of_decisions(problem, edges=[20.0, 20.001, 55.0, 55.001])
    for number, sign in ((0, 1.0), (2, -1.0)):  # accepted from below, rejected from above
        s, b = (best.signal + sign * found.signal[number], best.background + sign * found.background[number])
        cost = best.value - hc.counting.asimov_significance(s, b)
        assert cost == pytest.approx(best.ratio / best.value * found.price[number], rel=1e-3)


def test_the_price_vanishes_at_the_best_cut(problem):
    best = problem.optimum("asimov").threshold
    found = hc.theory.price_of_decisions(problem, edges=np.linspace(best - 20, best + 20, 41 * 2))
    assert int(np.argmin(found.price)) == 40
    np.testing.assert_allclose(
        found.price, np.abs(found.posterior - found.posterior_threshold) * (found.signal + found.background)
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"edges": [0.0, 0.0, 1.0]}, "ascending order"),
        ({"signal": [1.0]}, "one number for each of 2 bins"),
        ({"background_weight": 0.0}, "background_weight is 0"),
    ],
)
def test_no_price(changes, match):
    given = {"edges": [0.0, 1.0, 2.0], "signal": [1.0, 2.0], "background": [3.0, 1.0], "background_weight": 0.5}
    with pytest.raises(InputError, match=match):
        PriceOfDecisions(**given | changes, threshold=1.0)


def test_no_price_without_a_best_cut():
    problem = hc.theory.CutProblem.of_scenario("exp10-exp100")
    with pytest.raises(InputError, match="no finite best cut"):
        hc.theory.price_of_decisions(problem, "s_over_sqrt_b")
