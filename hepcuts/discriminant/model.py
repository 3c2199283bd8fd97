"""The discriminant itself: function, parameters, features; standardized inputs, scores, samples with scores."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from hepcuts._core.columns import is_missing, stacked
from hepcuts._core.errors import InputError
from hepcuts._core.precision import float64_scope
from hepcuts._core.types import ColumnsLike, FloatArray
from hepcuts.samples.derived import with_derived
from hepcuts.samples.modifiers import check_name
from hepcuts.samples.sample import Sample, check_samples

from .scorer import Function, Scorer, chunks_of

_LEVELS = 4096
"""Quantiles that stand for all events of signal, and of background."""


@dataclasses.dataclass(frozen=True, eq=False)
class Discriminant:
    """A function of features, with parameters, in place of a column.

    Attributes:
        name: what a cut calls it.
        function: of the parameters and of standardized features, shape (event, feature); gives scores of shape
            (event,), larger for signal. Written with `jax.numpy`.
        parameters: any pytree of arrays, 64-bit floats.
        features: the columns, in the function's order.
        centers: what is subtracted from each feature, shape (feature,), or None before `standardized`.
        scales: by what each is divided then, shape (feature,), or None.
        location: what is subtracted from the function's value.
        spread: by what it is divided then.

    Args:
        name: see above.
        function: see above.
        parameters: see above; where a training starts.
        features: see above.

    Raises:
        InputError: no name or no features, parameters that are not numbers, or a function that does not take the
            features or gives another shape than one score for each event.

    Example:
        >>> import hepcuts as hc
        >>> radius = hc.Discriminant("r", lambda p, x: p["a"] - (x**2).sum(axis=1), {"a": 1.0}, features=["x", "y"])
        >>> radius.apply({"x": [0.0, 1.0], "y": [0.0, 2.0]})
        array([ 1., -4.])
    """

    name: str
    function: Function
    parameters: Any
    features: tuple[str, ...]
    centers: FloatArray | None
    scales: FloatArray | None
    location: float
    spread: float

    def __init__(self, name: str, function: Function, parameters: Any, *, features: Sequence[str]) -> None:
        object.__setattr__(self, "name", check_name(name, "discriminant"))
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "features", checked_features(name, features))
        object.__setattr__(self, "parameters", _checked_parameters(name, parameters))
        for field, value in (("centers", None), ("scales", None), ("location", 0.0), ("spread", 1.0)):
            object.__setattr__(self, field, value)
        self._check_function()

    @float64_scope
    def _check_function(self) -> None:
        where = f"Discriminant {self.name!r}"
        events = 3 if len(self.features) != 3 else 5  # a number that no other axis has
        given = np.zeros((events, len(self.features)))
        try:
            found = jax.eval_shape(self.function, self.parameters, given)
        except Exception as error:
            raise InputError(
                f"{where}: the function fails on features of shape {given.shape}, (event, feature): {error}"
            ) from error
        shape = getattr(found, "shape", None)
        if shape != (events,):
            raise InputError(
                f"{where}: the function made {found} of features of shape {given.shape}, (event, feature); expected "
                f"one score for each event, shape {(events,)}."
            )

    def _changed(self, **changes: Any) -> "Discriminant":
        other = object.__new__(Discriminant)
        for field in dataclasses.fields(self):
            object.__setattr__(other, field.name, changes.get(field.name, getattr(self, field.name)))
        return other

    def at(self, parameters: Any, *, location: float = 0.0, spread: float = 1.0) -> "Discriminant":
        """The same discriminant with other parameters, and in other units.

        Args:
            parameters: a pytree of the same structure.
            location: what is subtracted from the function's value.
            spread: by what it is divided then, positive.
        """
        if not spread > 0:
            raise InputError(f"Discriminant {self.name!r}: spread is {spread}; expected a positive number.")
        checked = _checked_parameters(self.name, parameters)
        return self._changed(parameters=checked, location=float(location), spread=float(spread))

    def standardized(self, samples: Iterable[Sample]) -> "Discriminant":
        """The same discriminant with centers and scales from events, half of them signal and half background.

        The center of a feature is its median, its scale half the width of its central 68 % (or, where these have one
        value, a quarter of the range of all).

        Args:
            samples: at least one signal and one background.

        Raises:
            SampleError: a sample has no column of a feature's name.
            InputError: a feature has only one value, or none for signal or background.
        """
        samples = check_samples(samples)
        quantiles = [_quantiles(samples, feature) for feature in self.features]
        low, center, high = np.array(quantiles).T
        return self._changed(centers=center, scales=0.5 * (high - low))

    def inputs(self, columns: ColumnsLike, *, missing: float | None = None) -> FloatArray:
        """What the function is given: standardized features, shape (event, feature).

        A missing value becomes 0, the center: it speaks neither for signal nor for background.

        Args:
            columns: feature to values, each of shape (event,).
            missing: the number that stands for a missing value, or None.

        Raises:
            InputError: a feature has no column.
        """
        values = stacked(columns, self.features, of=f"Discriminant {self.name!r}")
        gone = is_missing(values, missing)
        if self.centers is not None and self.scales is not None:
            values = (values - self.centers) / self.scales
        return np.where(gone, 0.0, values)

    def apply(self, columns: ColumnsLike, *, missing: float | None = None) -> FloatArray:
        """Scores of events, shape (event,).

        Args:
            columns: feature to values, each of shape (event,); a mapping, a data frame or `Sample.columns`.
            missing: the number that stands for a missing value, or None; see `inputs`.

        Raises:
            InputError: a feature has no column, or a score is NaN or infinite.
        """
        scorer = Scorer(self.function, self.parameters)
        raw = scorer.scores(scorer.start, chunks_of(self.inputs(columns, missing=missing)))
        bad = ~np.isfinite(raw)
        if np.any(bad):
            raise InputError(
                f"Discriminant {self.name!r}: {int(bad.sum())} of {len(raw)} scores are NaN or infinite (first at row "
                f"{int(bad.argmax())}). Keep the function finite for all events: no logarithm or root of what can be "
                "negative, no quotient by what can be zero."
            )
        return np.asarray((raw - self.location) / self.spread)

    def samples(self, samples: Iterable[Sample]) -> tuple[Sample, ...]:
        """The samples with the score as one more column.

        Systematic variations that change a feature change the score.

        Args:
            samples: at least one signal and one background.

        Raises:
            InputError: a sample has a column of the discriminant's name already, lacks a feature, or a score is not
                finite.

        Example:
            >>> import hepcuts as hc
            >>> sum_of_both = hc.discriminant.linear("sum", ["x0", "x1"])
            >>> signal, _ = sum_of_both.samples(hc.datasets.many_features(2, seed=1, num_signal=9, num_background=9))
            >>> list(signal.columns)
            ['x0', 'x1', 'sum']
        """
        return tuple(
            with_derived(sample, self.name, functools.partial(self.apply, missing=sample.missing), self.features)
            for sample in check_samples(samples)
        )

    def __repr__(self) -> str:
        count = sum(np.size(leaf) for leaf in jax.tree_util.tree_leaves(self.parameters))
        return f"Discriminant({self.name!r}, {count} parameters, features: {', '.join(self.features)})"


def checked_features(name: str, features: Sequence[str]) -> tuple[str, ...]:
    """The features of a discriminant of a name, if they can be.

    Raises:
        InputError: none, one of them twice, or the name itself.
    """
    given = (features,) if isinstance(features, str) else tuple(features)
    if not given or len(set(given)) < len(given):
        raise InputError(f"Discriminant {name!r}: features are {given}; expected names of columns, each once.")
    if name in given:
        raise InputError(f"Discriminant {name!r}: has the name of one of its features; give it another.")
    return given


def _checked_parameters(name: str, parameters: Any) -> Any:
    def read(leaf: Any) -> FloatArray:
        try:
            array = np.asarray(leaf, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"Discriminant {name!r}: a parameter is {type(leaf).__name__}; expected arrays of numbers only. Take "
                "them out of a model with equinox.partition(model, equinox.is_inexact_array)."
            ) from error
        if not np.all(np.isfinite(array)):
            raise InputError(f"Discriminant {name!r}: a parameter is NaN or infinite; expected finite numbers.")
        return array

    if not jax.tree_util.tree_leaves(parameters):
        raise InputError(f"Discriminant {name!r}: has no parameters; add the score as a column instead.")
    return jax.tree_util.tree_map(read, parameters)


def _quantiles(samples: Sequence[Sample], feature: str) -> FloatArray:
    """Quantiles at 16, 50 and 84 % of events of which signal and background are half each."""
    both = []
    for signal in (True, False):
        columns = [(s.column(feature), s.missing) for s in samples if s.signal == signal]
        values = np.concatenate([column[~is_missing(column, missing)] for column, missing in columns])
        if len(values) == 0:
            kind = "signal" if signal else "background"
            raise InputError(f"No {kind} event has a value of {feature!r}; leave it out of the features.")
        both.append(np.quantile(values, (np.arange(_LEVELS) + 0.5) / _LEVELS))
    low, center, high = np.quantile(both, [0.16, 0.5, 0.84])
    if high > low:
        return np.array([low, center, high])
    # Most events have one value, as of a count of jets; then all values together say what the scale is.
    smallest, largest = np.min(both), np.max(both)
    if not largest > smallest:
        raise InputError(f"For a discriminant all values of {feature!r} are {center:.6g}; leave it out.")
    return np.array([center - 0.25 * (largest - smallest), center, center + 0.25 * (largest - smallest)])
