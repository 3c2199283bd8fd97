"""Cuts and classifiers for real events, k-fold: every event is judged by what was chosen without it.

The folds are made here, outside of all tools. Each of them is judged by cuts that were chosen on the others, the
templates of all folds are added, and the profile likelihood of their sum gives the significance.
"""

from collections.abc import Callable
from typing import Any

import higgs_events
import numpy as np
from cut_cabin import CABIN
from cut_events import CutEvents
from cut_searches import SEARCHES
from higgs_events import FEATURES, MISSING
from measure import Measurement, PeakMemory, processor_timed, start_jax
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import hepcuts as hc
from hepcuts.merit.registry import figure_of_merit
from hepcuts.merit.rows import Rows
from hepcuts.templates.templates import Yields

FOLDS = 5
REPLICAS = 100
"""Bootstrap replicas of the events that judge, the same for all tools and divisions."""
Samples = list[hc.Sample]
Chosen = tuple[hc.Selection, Samples]
"""What was chosen, and the events of the left-out fold to apply it to."""
CLASSIFIERS = {
    "boosted_trees": HistGradientBoostingClassifier(max_iter=80, learning_rate=0.05, random_state=0),
    "logistic_regression": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)),
}


def hepcuts(seed: int) -> Measurement:
    """`hepcuts.optimize` on the profile likelihood, of all training events, with nothing else set."""

    def choose(training: Samples, left_out: Samples) -> Chosen:
        return hc.optimize(
            training, hc.Selection(higgs_events.CUTS), objective="profile", holdout=None
        ).selection, left_out

    return _cross_validated(seed, choose)


def other(tool: str, seed: int, budget: float) -> Measurement:
    """Another search, on the closed form with 10 % and the finite simulation; loosened if too little is left."""
    search = (SEARCHES | CABIN)[tool]

    def choose(training: Samples, left_out: Samples) -> Chosen:
        events = higgs_events.cut_events(training)
        thresholds = events.keeping_background(search(events, seed, budget).thresholds)
        return higgs_events.selection(thresholds), left_out

    return _cross_validated(seed, choose)


def classifier(tool: str, seed: int) -> Measurement:
    """A classifier trained with binary cross-entropy, classes balanced, and the best threshold on its score.

    The threshold is chosen on the training events by scores from classifiers that had not seen them.
    """

    def choose(training: Samples, left_out: Samples) -> Chosen:
        x = np.concatenate([_matrix(sample.columns) for sample in training])
        y = np.repeat([1, 0], [len(sample) for sample in training])
        weights = np.concatenate([sample.weights / sample.weights.mean() for sample in training])
        model = clone(CLASSIFIERS[tool])
        step = model.steps[-1][0] + "__sample_weight" if hasattr(model, "steps") else "sample_weight"
        parts = StratifiedKFold(4, shuffle=True, random_state=seed)
        scores = cross_val_predict(model, x, y, cv=parts, params={step: weights}, method="predict_proba")[:, 1]
        threshold = _best_threshold(training, scores[y == 1], scores[y == 0])
        model.fit(x, y, **{step: weights})
        judged = [_scored(sample, lambda columns: model.predict_proba(_matrix(columns))[:, 1]) for sample in left_out]
        return hc.Selection([hc.Cut("score", ">", threshold)]), judged

    with threadpool_limits(1):  # a few thousand events: threads would only wait for each other
        return _cross_validated(seed, choose)


def _cross_validated(seed: int, choose: Callable[[Samples, Samples], Chosen]) -> Measurement:
    """Choose without each fold, judge on it, and add the templates."""
    samples = higgs_events.samples()
    generator = np.random.default_rng(seed)
    folds = [generator.permutation(len(sample)) % FOLDS for sample in samples]
    start_jax()
    memory, seconds = PeakMemory(), []
    judges: list[Chosen] = []
    training_z, training_events = [], []
    for k in range(FOLDS):
        training = [s.take(fold != k, scale=FOLDS / (FOLDS - 1)) for s, fold in zip(samples, folds, strict=True)]
        left_out = [s.take(fold == k) for s, fold in zip(samples, folds, strict=True)]
        spent, (selection, judged) = processor_timed(lambda t=training, left=left_out: choose(t, left))
        seconds.append(spent)
        judges.append((selection, judged))
        if judged is left_out:
            templates = hc.fill(training, selection)
            training_z.append(_significance(templates))
            training_events.append(float(templates.nominal[1, 0] ** 2 / templates.variance[1, 0]))
    pooled = _pooled(judges)
    background = float(pooled.nominal[1, 0])
    remarks = {
        "fresh_Z": _significance(pooled),
        "signal": float(pooled.nominal[0, 0]),
        "background": background,
        "background_events": background**2 / float(pooled.variance[1, 0]) if background else 0.0,
    }
    if training_z:
        remarks["training_Z"] = float(np.mean(training_z))
        remarks["training_background_events"] = min(training_events)
    peak = memory.mib()
    replicas = _significances([_pooled(judges, _copies(folds, replica)) for replica in range(REPLICAS)])
    indices = tuple(range(REPLICAS))
    return Measurement(sum(seconds), peak_mib=peak, significance=replicas, indices=indices, remarks=remarks)


def _pooled(judges: list[Chosen], copies: Any = None) -> Any:
    """The templates of all folds together, of the events as they are or each of them so many times."""
    total: Any = None
    for fold, (selection, samples) in enumerate(judges):
        numbers = [np.ones(len(s), dtype=int) for s in samples] if copies is None else copies[fold]
        judged = [s.take(np.repeat(np.arange(len(s)), n)) for s, n in zip(samples, numbers, strict=True)]
        templates = hc.fill(judged, selection)
        total = templates if total is None else total + templates
    return total


def _copies(folds: list[Any], replica: int) -> list[list[Any]]:
    """How often a replica has each event of each fold and sample: a Poisson number, whatever the division is."""
    generator = np.random.default_rng((20_26, replica))
    numbers = [generator.poisson(1.0, len(fold)) for fold in folds]
    return [[n[fold == k] for n, fold in zip(numbers, folds, strict=True)] for k in range(FOLDS)]


def _significance(templates: Any) -> float:
    return float(hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(templates))))


def _significances(templates: list[Any]) -> tuple[float, ...]:
    """The same of many templates of one structure at once."""
    values, variances = (np.array([getattr(t.yields, name) for t in templates]) for name in ("values", "variances"))
    rows = Rows.of_yields(templates[0].structure, Yields(values, variances), (0.0, 0.0))
    return tuple(figure_of_merit("profile").values([rows]).tolist())


def _matrix(columns: Any) -> Any:
    """Features of shape (event, feature), NaN where one is missing."""
    table = np.array([columns[feature] for feature in FEATURES]).T
    return np.where(table == MISSING, np.nan, table)


def _best_threshold(training: Samples, signal: Any, background: Any) -> float:
    """The best threshold on scores, exactly, by the formula and with the guard of all tools."""
    rows = signal[None], background[None]
    events = CutEvents(*rows, training[0].weights, training[1].weights, finite=True)
    return float(SEARCHES["coordinate_ascent"](events, 0, 0.0).thresholds[0])


def _scored(sample: hc.Sample, score: Callable[[Any], Any]) -> hc.Sample:
    """The sample with the score as its one column, also under its systematic uncertainties."""
    modifiers: list[Any] = []
    for modifier in sample.modifiers:
        if isinstance(modifier, hc.HistoSys):
            sides = {side: {"score": score(sample.varied(v)[0])} for side, v in modifier.sides.items()}
            modifiers.append(hc.HistoSys(modifier.name, up=sides["up"], down=sides["down"]))
        else:
            modifiers.append(modifier)
    columns = {"score": score(sample.columns)}
    return hc.Sample(sample.name, columns, weights=sample.weights, signal=sample.signal, modifiers=modifiers)
