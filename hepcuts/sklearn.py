"""The significance in scikit-learn's manners: a classifier whose decision is the best cut on its score.

`SignificanceThreshold` is what `sklearn.model_selection.TunedThresholdClassifierCV` is, with a figure of merit of
hepcuts where that has accuracy. It needs scikit-learn (``pip install hepcuts[sklearn]``). In an analysis
`hepcuts.score` is the better choice: it knows samples, their systematic variations and which events are held out.

Of scikit-learn's checks of estimators three cannot hold. That a weight of 2 is an event given twice: folds are divided
by rows, and the weights that the estimator is given have mean 1. That the decision is the larger probability, and that
it is the sign of the decision function: the threshold is where the significance is largest, and nowhere else.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import check_cv, cross_val_predict
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, indexable

from hepcuts._core import checks
from hepcuts._core.errors import EmptySelectionError, InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Cut, Selection
from hepcuts.discriminant import classifiers
from hepcuts.discriminant.training_events import Weighting, scaled
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.samples.modifiers import NormSys
from hepcuts.samples.sample import Sample
from hepcuts.scanning.scan import scan
from hepcuts.templates.filling import fill
from hepcuts.templates.simulated import FEW_EVENTS

__all__ = ["SignificanceThreshold"]

_SCORE = "score"


def _has(method: str) -> Any:
    """Whether the estimator, trained or not, has a method."""

    def check(self: "SignificanceThreshold") -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class SignificanceThreshold(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A binary classifier that decides where the significance is largest.

    `fit` asks for the scores of all events by cross-validation, so that none is scored by a model that it helped to
    train, takes the threshold with the best figure of merit, with all that `hepcuts.scan` knows of finite simulation,
    and trains the estimator once more on all events. Events above the threshold are those of the signal.

    Attributes:
        estimator_: trained on all events.
        classes_: background and signal label in ascending order.
        best_threshold_: on the probability of signal, or on the decision function.
        best_score_: the figure of merit there, on the events that chose the threshold: a little too good. Of losses
            the negative, as scikit-learn has it.
        held_out_score_: the figure of merit on events that did not choose the threshold, by parts of the events.
        scan_: the result of `hepcuts.scan`.

    Args:
        estimator: to be trained; never changed itself.
        objective: a figure of merit, see `hepcuts.merit.registry`.
        background_uncertainty: relative uncertainty of the expected background, of one bin and a Gaussian in the
            likelihood's parameter; ``"asimov_uncertainty"`` and ``"profile"`` take it into account.
        expected: expected signal and background before the cut, to which the weights are scaled; None if the weights
            of the events, or their number, say how many are expected. Of a part of the events, as in a
            cross-validation, less is expected, and its significance is smaller.
        weights: with which the estimator is trained: ``"balanced"``, ``"expected"`` or None, see `hepcuts.score`.
        min_background: effective number of simulated background events that the cut has to leave.
        pos_label: the label of signal; None for the larger one.
        cv: as in scikit-learn: a number of folds, a splitter, or None for five.
        random_state: seed of the parts for `held_out_score_`.

    Example:
        >>> import hepcuts as hc
        >>> from sklearn.linear_model import LogisticRegression
        >>> signal, background = hc.datasets.many_features(2, seed=1, num_signal=1000, num_background=1000)
        >>> X = np.concatenate([np.stack(list(s.columns.values()), axis=1) for s in (signal, background)])
        >>> y = np.repeat([1, 0], 1000)
        >>> expected = (signal.total, background.total)
        >>> model = SignificanceThreshold(LogisticRegression(), expected=expected).fit(X, y)
        >>> bool(model.best_threshold_ > 0.5 and model.best_score_ > hc.counting.asimov_significance(*expected))
        True
    """

    def __init__(
        self,
        estimator: Any,
        *,
        objective: Given = "asimov",
        background_uncertainty: float = 0.0,
        expected: tuple[float, float] | None = None,
        weights: Weighting = "balanced",
        min_background: float = FEW_EVENTS,
        pos_label: Any = None,
        cv: Any = None,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.objective = objective
        self.background_uncertainty = background_uncertainty
        self.expected = expected
        self.weights = weights
        self.min_background = min_background
        self.pos_label = pos_label
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "SignificanceThreshold":  # noqa: N803
        """Train the estimator, and find the threshold.

        Args:
            X: features, shape (event, feature).
            y: labels of two classes, shape (event,).
            sample_weight: expected number of events that each stands for, shape (event,); used for the training, scaled
                as ``weights`` says, and for the figure of merit as they are. None for 1 each.

        Raises:
            ValueError: not two classes, or what the estimator refuses.
            InputError: as `hepcuts.scan`.
        """
        X, y = indexable(X, y)  # noqa: N806 (scikit-learn's name)
        y = column_or_1d(y, warn=True)
        self.classes_ = _two_classes(y)
        signal = self._is_signal(y)
        weight = np.ones(len(signal)) if sample_weight is None else _check_sample_weight(sample_weight, X)
        if not (np.any(weight[signal]) and np.any(weight[~signal])):
            raise ValueError("All weights of one class are zero; expected events of two classes.")
        self._choose(self._trained(X, y, scaled(weight, signal, self.weights)), signal, weight)
        return self

    def _trained(self, X: Any, y: Any, weight: FloatArray | None) -> FloatArray:  # noqa: N803
        """Train on all events; give scores of models that were trained on others."""
        given = {} if weight is None else {classifiers.weight_name(self.estimator): weight}
        folds, method = check_cv(self.cv, y, classifier=True), self._method
        found = cross_val_predict(self.estimator, X, y, cv=folds, method=method, params=given)
        self.estimator_ = clone(self.estimator).fit(X, y, **given)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self._of_signal(np.asarray(found, dtype=np.float64))

    def _choose(self, scores: FloatArray, signal: Any, weight: FloatArray) -> None:
        figure = figure_of_merit(self.objective)
        self.scan_ = scan(
            self._samples(scores, signal, weight),
            Cut(_SCORE, ">"),
            metrics=[figure],
            min_background=self.min_background,
            replicas=0,
            seed=self.random_state,
        )
        best = self.scan_.optimum(figure.name)
        self.best_threshold_ = float(best.threshold)
        self.best_score_, self.held_out_score_ = figure.sign * best.value, figure.sign * best.held_out

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The label of signal above the threshold, else the other; shape (event,)."""
        check_is_fitted(self, "estimator_")
        scores = self._of_signal(np.asarray(getattr(self.estimator_, self._method)(X), dtype=np.float64))
        above = (scores > self.best_threshold_).astype(np.int64)
        return self.classes_[above if self._position else 1 - above]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """The figure of merit of the events that are decided to be signal; larger is better.

        Args:
            X: features, shape (event, feature).
            y: labels, shape (event,).
            sample_weight: as in `fit`.

        Returns:
            Of losses the negative; NaN if no event is decided to be signal.
        """
        signal = self._is_signal(y)
        weight = np.ones(len(signal)) if sample_weight is None else _check_sample_weight(sample_weight, X)
        passed = (self.predict(X) == self.classes_[self._position]).astype(np.float64)
        samples, figure = self._samples(passed, signal, weight), figure_of_merit(self.objective)
        selection = Selection([Cut(_SCORE, ">", 0.5)])
        try:
            templates = fill(samples, selection)
        except EmptySelectionError:
            return float("nan")
        return figure.sign * figure.hard(samples, [templates], selection)

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """Probabilities of the classes, shape (event, class), as the estimator gives them."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict_proba(X)

    @available_if(_has("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:  # noqa: N803
        """Their logarithms."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict_log_proba(X)

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:  # noqa: N803
        """The estimator's decision function, shape (event,)."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.decision_function(X)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import get_tags  # noqa: PLC0415 (there is none before scikit-learn 1.6)

        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse, tags.input_tags.allow_nan = inner.input_tags.sparse, inner.input_tags.allow_nan
        return tags

    @property
    def _method(self) -> str:
        """Which method of the estimator gives the score."""
        return "predict_proba" if hasattr(self.estimator, "predict_proba") else "decision_function"

    @property
    def _position(self) -> int:
        """Which of the classes is signal."""
        if self.pos_label is None:
            return 1
        found = np.flatnonzero(self.classes_ == self.pos_label)
        if len(found) != 1:
            raise InputError(f"pos_label is {self.pos_label!r}; the classes are {self.classes_.tolist()}.")
        return int(found[0])

    def _is_signal(self, y: Any) -> Any:
        """Which events are signal, shape (event,)."""
        return np.asarray(y) == self.classes_[self._position]

    def _of_signal(self, found: FloatArray) -> FloatArray:
        """The score that is larger for signal, shape (event,)."""
        if found.ndim == 2:
            return found[:, self._position]
        return found if self._position else -found

    def _samples(self, scores: FloatArray, signal: Any, weight: FloatArray) -> list[Sample]:
        """Signal and background with their scores, weights as expected, and the uncertainty of the background."""
        uncertain = checks.amount("background_uncertainty", self.background_uncertainty)
        factors = (1.0 + uncertain, 1.0 / (1.0 + uncertain))
        found = []
        for number, name in enumerate(("signal", "background")):
            rows = signal == (name == "signal")
            scale = 1.0 if self.expected is None else self.expected[number] / np.sum(weight[rows])
            modifiers = [NormSys("background", *factors)] if number and uncertain else []
            found.append(
                Sample(
                    name,
                    {_SCORE: scores[rows]},
                    weights=weight[rows] * scale,
                    signal=not number,
                    modifiers=modifiers,
                )
            )
        return found


def _two_classes(y: Any) -> Any:
    """The labels, ascending.

    Raises:
        ValueError: there are not two of them; in scikit-learn's words.
    """
    if len(y) == 0:
        raise ValueError("Found array with 0 sample(s); expected events of two classes.")
    check_classification_targets(y)
    kind, classes = type_of_target(y, input_name="y"), np.unique(y)
    if kind != "binary":
        raise ValueError(f"Only binary classification is supported. Unknown label type: {kind}")
    if len(classes) != 2:
        raise ValueError(f"There is one class, {classes[0]!r}; expected events of two.")
    return classes
