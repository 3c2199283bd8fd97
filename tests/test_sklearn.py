"""A classifier of scikit-learn that decides where the significance is largest."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.sklearn import SignificanceThreshold

pytestmark = pytest.mark.usefixtures("one_thread")

EXPECTED = (30.0, 600.0)
X, Y = make_classification(1500, 6, class_sep=0.8, random_state=1)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 1.5, len(Y))


def significances(scores, y, weights, expected, *, relative=0.0, least=10.0):
    """The Asimov significance above every score, by its formula, where enough background is left."""
    best = []
    for threshold in np.unique(scores):
        s, b = (
            e * np.sum(weights[(scores > threshold) & (y == k)]) / np.sum(weights[y == k])
            for e, k in zip(expected, (1, 0), strict=True)
        )
        w = weights[(scores > threshold) & (y == 0)]
        enough = np.sum(w) ** 2 >= least * np.sum(w**2) and len(w)
        sigma = np.sqrt((relative * b) ** 2 + np.sum(w**2) * (expected[1] / np.sum(weights[y == 0])) ** 2)
        value = hc.counting.asimov_significance(s, b, sigma if relative else None) if enough else -1.0
        best.append((float(value), threshold))
    return best


@pytest.fixture(scope="module")
def model():
    return SignificanceThreshold(LogisticRegression(), expected=EXPECTED).fit(X, Y, sample_weight=WEIGHTS)


@pytest.mark.parametrize("relative", [0.0, 0.2])
def test_the_threshold_is_the_best_of_all(relative):
    objective = "asimov_uncertainty" if relative else "asimov"
    found = SignificanceThreshold(
        LogisticRegression(),
        objective=objective,
        background_uncertainty=relative,
        expected=EXPECTED,
        weights="expected",
    ).fit(X, Y, sample_weight=WEIGHTS)
    scores = cross_val_predict(
        LogisticRegression(),
        X,
        Y,
        cv=StratifiedKFold(5),
        method="predict_proba",
        params={"sample_weight": WEIGHTS / WEIGHTS.mean()},
    )[:, 1]
    values = significances(scores, Y, WEIGHTS, EXPECTED, relative=relative)
    best = max(values)
    # An uncertainty has the factors 1.2 and 1 / 1.2, of which closed forms take the mean.
    assert found.best_score_ == pytest.approx(best[0], rel=0.02 if relative else 1e-9)
    if not relative:
        np.testing.assert_array_equal(scores > found.best_threshold_, scores > best[1])


def test_the_uncertainty_of_the_background_moves_the_threshold(model):
    uncertain = SignificanceThreshold(
        LogisticRegression(), objective="asimov_uncertainty", background_uncertainty=0.3, expected=EXPECTED
    ).fit(X, Y, sample_weight=WEIGHTS)
    assert uncertain.best_threshold_ > model.best_threshold_
    assert uncertain.best_score_ < model.best_score_


def test_it_predicts_by_the_threshold(model):
    p = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict(X), (p[:, 1] > model.best_threshold_).astype(int))
    np.testing.assert_array_equal(model.predict_log_proba(X), np.log(p))
    assert model.decision_function(X).shape == (len(X),)
    assert model.held_out_score_ <= model.best_score_
    assert model.scan_.optimum("asimov").threshold == model.best_threshold_


def test_the_score_is_the_significance_of_what_passes(model):
    passed = model.predict(X) == 1
    s, b = (e * WEIGHTS[passed & (k == Y)].sum() / WEIGHTS[k == Y].sum() for e, k in zip(EXPECTED, (1, 0), strict=True))
    assert model.score(X, Y, WEIGHTS) == pytest.approx(float(hc.counting.asimov_significance(s, b)), rel=1e-12)
    nothing = clone(model).set_params(expected=None).fit(X, Y)
    nothing.best_threshold_ = 2.0
    assert np.isnan(nothing.score(X, Y))


def test_of_a_loss_scikit_learn_wants_the_negative():
    found = SignificanceThreshold(LogisticRegression(), objective="bce").fit(X, Y)
    assert found.best_score_ < 0.0
    assert found.score(X, Y) < 0.0


def test_weights_go_to_the_training_and_to_the_score():
    """Weights that leave one half of the events alone: as if the other were not there."""
    half = np.arange(len(Y)) % 2 == 0
    first = SignificanceThreshold(LogisticRegression(), expected=EXPECTED).fit(X, Y, sample_weight=half.astype(float))
    second = SignificanceThreshold(LogisticRegression(), expected=EXPECTED).fit(X[half], Y[half])
    np.testing.assert_allclose(
        first.estimator_.coef_ / np.linalg.norm(first.estimator_.coef_),
        second.estimator_.coef_ / np.linalg.norm(second.estimator_.coef_),
        atol=0.01,
    )
    assert first.score(X, Y, half.astype(float)) == pytest.approx(first.score(X[half], Y[half]), rel=1e-12)


def test_the_label_of_signal():
    names = np.where(Y == 1, "b", "s")  # the signal is the smaller label
    found = SignificanceThreshold(LogisticRegression(), pos_label="b", expected=EXPECTED).fit(X, names)
    other = SignificanceThreshold(LogisticRegression(), expected=EXPECTED).fit(X, Y)
    np.testing.assert_array_equal(found.predict(X) == "b", other.predict(X) == 1)
    svc = SignificanceThreshold(LinearSVC(), pos_label="b", expected=EXPECTED).fit(X, names)
    np.testing.assert_array_equal(
        svc.predict(X) == "b", SignificanceThreshold(LinearSVC(), expected=EXPECTED).fit(X, Y).predict(X) == 1
    )
    with pytest.raises(InputError, match="pos_label is 'x'"):
        SignificanceThreshold(LogisticRegression(), pos_label="x").fit(X, names)


def test_parameters_clone_and_search():
    model = SignificanceThreshold(make_pipeline(StandardScaler(), LogisticRegression()), expected=EXPECTED)
    assert clone(model).get_params()["expected"] == EXPECTED
    search = GridSearchCV(model, {"estimator__logisticregression__C": [1e-4, 1.0]}, cv=2).fit(X, Y)
    assert search.best_params_["estimator__logisticregression__C"] in {1e-4, 1.0}
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    assert np.all(cross_val_score(model, X, Y, cv=2) > 0.0)


def test_what_an_estimator_has_not_it_has_not():
    assert not hasattr(SignificanceThreshold(LinearSVC()), "predict_proba")
    assert hasattr(SignificanceThreshold(LinearSVC()), "decision_function")
    with pytest.raises(NotFittedError):
        SignificanceThreshold(LinearSVC()).predict(X)


def test_an_estimator_without_weights():
    with pytest.raises(InputError, match="takes no sample_weight"):
        SignificanceThreshold(KNeighborsClassifier()).fit(X, Y)
    assert SignificanceThreshold(KNeighborsClassifier(), weights=None).fit(X, Y).best_score_ > 0.0


def test_three_classes_or_one():
    with pytest.raises(ValueError, match="Only binary classification"):
        SignificanceThreshold(LogisticRegression()).fit(X, np.arange(len(Y)) % 3)
    with pytest.raises(ValueError, match="one class"):
        SignificanceThreshold(LogisticRegression()).fit(X, np.zeros(len(Y)))


ROWS = "folds are divided by rows, and weights have mean 1"
ELSEWHERE = "the threshold is where the significance is largest"
CANNOT_HOLD = {
    "check_sample_weight_equivalence_on_dense_data": ROWS,
    "check_sample_weight_equivalence_on_sparse_data": ROWS,
    "check_classifiers_train": ELSEWHERE,
    "check_classifiers_classes": ELSEWHERE,
}


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 6), reason="expected failures are of scikit-learn 1.6"
)
@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(LogisticRegression(), id="probability"),
        pytest.param(LinearSVC(), id="decision", marks=pytest.mark.slow),
    ],
)
def test_the_checks_of_scikit_learn(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of their tiny data
        # The guard against few simulated events would refuse what has a dozen of them.
        check_estimator(SignificanceThreshold(estimator, min_background=0), expected_failed_checks=CANNOT_HOLD)
