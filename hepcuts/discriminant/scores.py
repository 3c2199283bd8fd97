"""The score of a classifier as one more column, such that no event is scored by a model that it helped to train.

The events are divided into parts, by the identity of each. A model is trained on all parts but one, and scores that
one. So scores of different parts come from different models, and a score tells of an event what the others know of it.

What is honest afterwards?

- The *score* of an event that trained is honest: its model has not seen it. A score on events that trained it is not.
- The *choice* of a threshold, of bins or categories is one more choice, and needs events that did not choose. The
  folds of a scan give them, but not quite: the scores of the events that choose are from models which the judging
  events helped to train, and what fluctuates together between two events raises the score of both. Of the amount by
  which bins of noise are too good on the events that chose, a sixth was left in ``benchmarks/score_of_noise.json``,
  whether the folds agreed with those of the score or not.
- So by default half of the events trains no model (``holdout``), and it is the half that `hepcuts.optimize`,
  `hepcuts.bin_edges`, `hepcuts.categorize` and `hepcuts.working_points` hold out with the same fraction and seed:
  held-out parts are a function of seed and identity. What these quote is then of events that neither trained nor
  chose. With another seed or fraction it is not.
- A scan holds nothing out. Of `OutOfFoldScore.untouched`, the events that trained nothing, it is honest as always.

New events may be scored by the model of their part, too, or by the mean of all models. The mean usually separates
better, and is *another score*: probabilities that are averaged are less extreme, so that another fraction of the
same events passes a threshold. Data, further samples and variations that consist of other events have to be scored as
the samples were that they are compared with: by parts.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing, stacked
from hepcuts._core.counters import Bits, as_seed
from hepcuts._core.errors import InputError
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.types import ColumnsLike, FloatArray
from hepcuts.evaluation.resampling import HOLDOUT, AbstractFolds, AbstractResampling, HoldoutLike, halves_of
from hepcuts.evaluation.splitters import FoldsLike, folds_of
from hepcuts.samples.derived import with_derived
from hepcuts.samples.modifiers import check_name
from hepcuts.samples.sample import Sample, check_samples

from . import classifiers
from .model import checked_features
from .training_events import NegativeWeights, TrainingEvents, Weighting, separation

Models = Literal["part", "mean"]
"""Which models score an event: that of its part, or the mean of all."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OutOfFoldScore(Tabular):
    """A classifier's models, one for each part of the events, which score events.

    Attributes:
        name: of the column.
        features: the columns that the models take, in their order.
        models: one for each part, trained on the others; a single one that was trained elsewhere.
        folds: the parts; None if the classifier was trained elsewhere.
        held_out: the events that trained nothing; None if all did. Give it to what follows as ``holdout``.
        classifier: what was trained, in one line.
        weights: how the events counted in the training, in words.
        trained: identities of the events that trained, ascending, each once.
        areas: area under the ROC curve, signal and background weighed as they are expected: of the scores of events
            that trained, each from the model of its part; of the events held out; and of each model on the events that
            trained it, which says nothing but how closely it follows them. NaN where there are none.
    """

    name: str
    features: tuple[str, ...]
    models: tuple[Any, ...]
    folds: AbstractFolds | None
    held_out: AbstractResampling | None
    classifier: str
    weights: str
    trained: Bits
    areas: tuple[float, float, float]

    def inputs(self, columns: ColumnsLike, *, missing: float | None = None) -> FloatArray:
        """What the models are given, shape (event, feature); NaN for missing values.

        Args:
            columns: feature to values, each of shape (event,).
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a feature has no column.
        """
        values = stacked(columns, self.features, of=f"Score {self.name!r}")
        return np.where(is_missing(values, missing), np.nan, values)

    def apply(self, columns: ColumnsLike, *, missing: float | None = None) -> FloatArray:
        """The mean score of all models, for new events; shape (event,).

        It is not distributed as the column that the models made, see the module: for a threshold that was chosen on
        that column take `samples`.

        Args:
            columns: feature to values, each of shape (event,); a mapping, a data frame or `hepcuts.Sample.columns`. Of
                events that trained none of the models.
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a feature has no column, or a score is not finite.
        """
        features = self.inputs(columns, missing=missing)
        return np.asarray(np.mean([classifiers.scores(model, features) for model in self.models], axis=0))

    def samples(self, samples: Iterable[Sample], *, models: Models = "part") -> tuple[Sample, ...]:
        """Samples with the score as one more column: those that trained, or new ones, such as data.

        A varied event goes through the model of its nominal twin, for they share one identity.

        Args:
            samples: any number of them.
            models: ``"part"``, each event by the model of its part, as the samples that trained; or ``"mean"``, by the
                mean of all, if *all* events of the analysis are new.

        Raises:
            InputError: there is such a column already, a feature has none, a score is not finite, or the mean is asked
                for of events that trained.
        """
        if models not in ("part", "mean"):
            raise InputError(f"models is {models!r}; expected 'part' or 'mean'.")
        return tuple(self._scored(sample, mean=models == "mean") for sample in samples)

    def _scored(self, sample: Sample, *, mean: bool) -> Sample:
        if mean and (known := int(np.isin(sample.identity, self.trained).sum())):
            raise InputError(
                f"Sample {sample.name!r}: {known} of {len(sample)} events trained some of the models, or have the "
                "identity of events that did. Take models='part', or give new events an identity of their own."
            )
        parts = None if mean else self._parts(sample)

        def values(columns: ColumnsLike) -> FloatArray:
            if parts is None:
                return self.apply(columns, missing=sample.missing)
            return self.of_parts(self.inputs(columns, missing=sample.missing), parts)

        return with_derived(sample, self.name, values, self.features)

    def _parts(self, sample: Sample) -> NDArray[np.int64]:
        """Number of the model that each event belongs to, shape (event,)."""
        if self.folds is None:
            return np.zeros(len(sample), dtype=np.int64)
        try:
            return self.folds.part(sample.identity)
        except InputError as error:
            raise InputError(
                f"Sample {sample.name!r}: some of its events are in no part of {type(self.folds).__name__}. Score new "
                "events with models='mean', or divide the events by a number of folds, which knows new ones, too."
            ) from error

    def of_parts(self, features: FloatArray, parts: NDArray[np.int64]) -> FloatArray:
        """Scores by the models of given parts, shape (event,).

        Args:
            features: shape (event, feature).
            parts: number of the part of each event, shape (event,).
        """
        found = np.empty(len(features))
        for number in np.unique(parts):
            rows = parts == number
            found[rows] = classifiers.scores(self.models[number], features[rows])
        return found

    def untouched(self, samples: Iterable[Sample]) -> tuple[Sample, ...]:
        """The events that trained no model, standing for all; for scans, whose folds know nothing of the training.

        Raises:
            InputError: there are none.
        """
        if self.held_out is None:
            raise InputError(f"All events trained the score {self.name!r}, which was made with holdout=None.")
        halves = self.held_out
        return tuple(s.divided(halves.test(0, s.identity) != 0)[0] for s in samples)

    def overview(self) -> SummaryTable:
        """What was trained, how, and what is honest."""
        out_of_fold, held_out, own = self.areas
        if self.folds is None:
            rows = [("trained", "elsewhere; on other events than these, or what is quoted is too good")]
        else:
            size = self.folds.size
            rows = [
                ("models", f"{size}, each for the part of the events that did not train it"),
                ("weights", self.weights),
                ("new events", "by the model of their part; apply(): by the mean of all"),
            ]
        if self.held_out is None:
            rows.append(("held out", "nothing; what is quoted afterwards is a little too good"))
        else:
            rows.append(("held out", f"{self.held_out}: trained nothing; give it as holdout to what follows"))
        areas = (("out of fold", out_of_fold), ("held out", held_out), ("on events that trained", own))
        rows.append(("area under ROC", ", ".join(f"{area:.4f} {what}" for what, area in areas if np.isfinite(area))))
        return SummaryTable(
            f"Score {self.name!r} of {_short(self.classifier)}", [("features", ", ".join(self.features)), *rows]
        )


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def score(
    samples: Iterable[Sample],
    classifier: Any,
    features: Sequence[str],
    *,
    name: str = "score",
    folds: FoldsLike = 5,
    holdout: HoldoutLike = HOLDOUT,
    weights: Weighting = "balanced",
    negative_weights: NegativeWeights = "refuse",
    seed: int | np.random.Generator = 0,
) -> tuple[tuple[Sample, ...], OutOfFoldScore]:
    """Train a classifier of another library, and give each event the score of a model that it did not help to train.

    The column is then cut on, binned or divided into categories as any other. Which use of it is honest, and why half
    of the events trains nothing by default: see `hepcuts.discriminant.scores`.

    Args:
        samples: at least one signal and one background.
        classifier: anything of scikit-learn's manners, with ``fit`` and ``predict_proba`` or ``decision_function``:
            its own, a pipeline, XGBoost, LightGBM. Copies of it are trained. Or, trained elsewhere on other events: a
            function of features, shape (event, feature), or the path of an ONNX file.
        features: the columns, in the order in which the classifier gets them. Missing values come as NaN.
        name: of the new column.
        folds: parts of the events, at least 2, or a resampling, or a splitter of scikit-learn's contract.
        holdout: fraction of the events that trains nothing, or a resampling of one part; None to train on all.
        weights: ``"balanced"``: signal and background count as much together, within each an event counts as its
            weight; ``"expected"``: events count as their weight, with mean 1; None: the classifier is given no weights,
            each simulated event counts as one. The cuts afterwards use the weights of the samples in any case.
        negative_weights: of events that train. ``"refuse"`` them, since many classifiers do or are trained wrongly
            with them; ``"absolute"``: they train with their absolute value, so that the score is not the best possible,
            but cuts on it remain right; ``"keep"``: the classifier is given them as they are.
        seed: of parts and of what is held out, or a generator that it is drawn from.

    Returns:
        The samples with the new column, in which systematic variations of a feature vary the score; and the score
        itself, for new events.

    Raises:
        SampleError: as `hepcuts.Sample`, of the new column.
        InputError: no classifier, a column that is not there or there already, a part without signal or background to
            train on, negative weights, or a classifier that fails, takes no weights or gives no finite scores.

    Example:
        >>> import hepcuts as hc
        >>> from sklearn.linear_model import LogisticRegression
        >>> samples = hc.datasets.many_features(2, seed=1, num_signal=2000, num_background=2000)
        >>> scored, model = hc.score(samples, LogisticRegression(), ["x0", "x1"])
        >>> result = hc.optimize(scored, hc.Cut("score", ">"), objective="asimov", holdout=model.held_out)
        >>> bool(result.held_out.value > hc.counting.asimov_significance(*(sample.total for sample in scored)))
        True
    """
    samples, asked = check_samples(samples), classifiers.prepared(classifier)
    features, seed = checked_features(check_name(name, "score"), features), as_seed(seed)
    parts = folds_of(folds, samples, seed=seed) if classifiers.trains(asked) else None
    if classifiers.trains(asked) and parts is None:
        raise InputError("folds is 0; expected at least 2 parts: without, events would be scored by what they trained.")
    halves = halves_of(holdout, seed=seed) if parts is not None else None
    found = OutOfFoldScore(
        name, features, (asked,), parts, halves, classifiers.told(asked), "", np.zeros(0, np.uint64), (np.nan,) * 3
    )
    if parts is not None:
        events = TrainingEvents.of(samples, found.inputs, parts, halves)
        found = _trained(found, events, events.weighted(weights, negative_weights))
    return found.samples(samples), found


def _trained(untrained: OutOfFoldScore, events: TrainingEvents, weighting: Any) -> OutOfFoldScore:
    """The score with a model for each part, and how well it separates."""
    (classifier,), size = untrained.models, untrained.folds.size if untrained.folds is not None else 0
    models, own = [], []
    for number in range(size):
        rows = events.trains & (events.parts != number)
        weights = weighting.of(rows)
        model = classifiers.fitted(classifier, events.features[rows], events.signal[rows].astype(np.int64), weights)
        models.append(model)
        own.append(separation(classifiers.scores(model, events.features[rows]), events, rows))
    found = dataclasses.replace(
        untrained,
        models=tuple(models),
        weights=weighting.words,
        trained=np.unique(events.identity[events.trains]),
    )
    scores = found.of_parts(events.features, events.parts)
    rows = events.trains, events.nominal & ~events.trains
    areas = [separation(scores[some], events, some) for some in rows]
    return dataclasses.replace(found, areas=(areas[0], areas[1], float(np.mean(own))))
