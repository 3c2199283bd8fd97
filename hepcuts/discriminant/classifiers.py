"""Classifiers of other libraries, behind one contract: train a copy, and ask a model for scores.

What has a `fit` is trained: anything of scikit-learn's manners, such as its own classifiers and pipelines, XGBoost and
LightGBM. A function of features, and an ONNX file, were trained elsewhere and are taken as they are.
"""

import copy
import dataclasses
import importlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

Function = Callable[[FloatArray], Any]
"""Features, shape (event, feature), to scores, shape (event,), larger for signal."""


@dataclasses.dataclass(frozen=True)
class OnnxModel:
    """A trained classifier in an ONNX file, run by onnxruntime (``pip install hepcuts[onnx]``), loaded when asked.

    Its first input takes the features, shape (event, feature). Its last output is the score: of one number per event
    that number, of two or more (probabilities of classes) the one of class 1.

    Attributes:
        content: of the file.
        name: of the file.
    """

    content: bytes = dataclasses.field(repr=False)
    name: str

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "OnnxModel":
        """Read a file.

        Raises:
            InputError: it cannot be read.
        """
        try:
            return cls(Path(path).read_bytes(), Path(path).name)
        except OSError as error:
            raise InputError(f"The classifier {os.fspath(path)!r} cannot be read: {error}.") from error

    def __call__(self, features: FloatArray) -> FloatArray:
        """Scores of features."""
        runtime: Any = _library("onnxruntime", "onnx")
        session = runtime.InferenceSession(self.content, providers=["CPUExecutionProvider"])
        entrance = session.get_inputs()[0]
        kind = np.float64 if "double" in entrance.type else np.float32
        found = session.run(None, {entrance.name: features.astype(kind)})[-1]
        if isinstance(found, list):  # a mapping from class to probability for each event
            found = [row[1] for row in found]
        return of_signal(np.asarray(found, dtype=np.float64))


def _library(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not there: pip install hepcuts[{extra}].") from error


def prepared(classifier: Any) -> Any:
    """What is asked for scores, or trained first: an ONNX file is read, everything else is taken as it is.

    Raises:
        InputError: no classifier.
    """
    if isinstance(classifier, str | os.PathLike):
        return OnnxModel.of(cast("str", classifier))
    if isinstance(classifier, type):
        raise InputError(
            f"The classifier is the class {classifier.__name__}; expected an object, {classifier.__name__}()."
        )
    if not trains(classifier) and not callable(classifier):
        raise InputError(
            f"The classifier came as {type(classifier).__name__}; expected one with fit and predict_proba or "
            "decision_function, a function of features of shape (event, feature), or the path of an ONNX file."
        )
    return classifier


def trains(classifier: Any) -> bool:
    """Whether it is to be trained."""
    return hasattr(classifier, "fit")


def told(classifier: Any) -> str:
    """A classifier in one line."""
    if not trains(classifier) and not isinstance(classifier, OnnxModel):
        return str(getattr(classifier, "__name__", type(classifier).__name__))
    return " ".join(repr(classifier).split())


def fitted(classifier: Any, features: FloatArray, labels: Any, weights: FloatArray | None) -> Any:
    """A trained copy.

    Args:
        classifier: stays as it is.
        features: shape (event, feature).
        labels: 1 for signal and 0 for background, shape (event,).
        weights: shape (event,); None for none.

    Raises:
        InputError: it takes no weights, or it cannot be trained.
    """
    given = {} if weights is None else {weight_name(classifier): weights}
    try:
        return copied(classifier).fit(features, labels, **given)
    except Exception as error:
        raise InputError(f"{type(classifier).__name__} cannot be trained on {len(labels)} events: {error}") from error


def copied(classifier: Any) -> Any:
    """A copy that is not trained."""
    if hasattr(classifier, "get_params"):
        return _library("sklearn.base", "sklearn").clone(classifier)
    return copy.deepcopy(classifier)


def weight_name(classifier: Any) -> str:
    """The argument of `fit` that takes the weights of events.

    Raises:
        InputError: there is none.
    """
    if hasattr(classifier, "steps"):
        name, last = classifier.steps[-1]
        return f"{name}__{weight_name(last)}"
    inner = getattr(classifier, "estimator", None)  # of a search for its settings
    if hasattr(inner, "steps"):
        return weight_name(inner)
    parameters = inspect.signature(classifier.fit).parameters.values()
    if any(p.name == "sample_weight" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return "sample_weight"
    raise InputError(
        f"{type(classifier).__name__} takes no sample_weight, so that it would be trained on other shares than those "
        "of the samples' weights. If that is meant, ask for weights=None."
    )


def scores(model: Any, features: FloatArray) -> FloatArray:
    """Scores of events by a trained model, shape (event,), larger for signal.

    The probability of signal if it has one, else its decision function.

    Raises:
        InputError: it has neither, or a score is not a finite number for each event.
    """
    if hasattr(model, "predict_proba"):
        found = of_signal(np.asarray(model.predict_proba(features), dtype=np.float64))
    elif hasattr(model, "decision_function"):
        found = np.asarray(model.decision_function(features), dtype=np.float64)
    elif trains(model):
        raise InputError(f"{type(model).__name__} has neither predict_proba nor decision_function: no score to cut on.")
    else:
        found = of_signal(np.asarray(model(features), dtype=np.float64))
    if found.shape != (len(features),) or not np.all(np.isfinite(found)):
        raise InputError(
            f"{told(model)} gave scores of shape {found.shape}, {np.count_nonzero(~np.isfinite(found))} of them not "
            f"finite, for {len(features)} events; expected one finite score for each."
        )
    return found


def of_signal(found: FloatArray) -> FloatArray:
    """Of one column per class that of class 1, of a single column that one."""
    if found.ndim != 2:
        return found
    return found[:, min(1, found.shape[1] - 1)]
