"""Samples made of samples: with a column that is made of others, or with the events that pass a selection.

Where a systematic variation changes a column, it changes what is made of it, and what passes.
"""

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, FloatArray

from .modifiers import HistoSys, Modifier, Variation
from .sample import Sample


def with_derived(sample: Sample, name: str, values: Callable[[Columns], FloatArray], of: Iterable[str]) -> Sample:
    """A sample with one more column, in its events and in their systematic variations.

    Args:
        sample: the events.
        name: of the column.
        values: from columns, each of shape (event,), to the new one. A variation has a row for each event, too, so
            that what belongs to an event may be taken by its row.
        of: names of the columns that it depends on: a variation of none of them does not change it.

    Raises:
        InputError: there is such a column already, or a value is the number that stands for a missing one.
        SampleError: a value is infinite.

    Example:
        >>> met = Sample("met", {"x": [3.0], "y": [4.0]}, modifiers=[HistoSys("scale", up={"x": [0.0]}, down="mirror")])
        >>> found = with_derived(met, "r", lambda c: np.hypot(c["x"], c["y"]), ["x", "y"])
        >>> found.column("r"), found.modifiers[0].up.columns["r"]
        (array([5.]), array([4.]))
    """
    if name in sample.columns:
        raise InputError(f"Sample {sample.name!r} has a column {name!r} already; choose another name.")
    needed = set(of)

    def made(columns: Columns) -> FloatArray:
        found = values(columns)
        if sample.missing is not None and np.any(is_missing(found, sample.missing)):
            raise InputError(
                f"Sample {sample.name!r}: a value of {name!r} is {sample.missing:g}, which stands for a missing value."
            )
        return found

    def varied(variation: Variation) -> Variation:
        if not set(variation.columns) & needed:
            return variation
        return Variation({**variation.columns, name: made(sample.varied(variation)[0])}, variation.weights)

    def modified(modifier: Modifier) -> Modifier:
        if not isinstance(modifier, HistoSys):
            return modifier
        sides = {side: varied(variation) for side, variation in modifier.sides.items()}
        return modifier.with_sides(sides)

    columns = {**sample.columns, name: made(sample.columns)}
    return sample.with_columns(columns, [modified(modifier) for modifier in sample.modifiers])


class Requirement(Protocol):
    """A cut or a selection, with all its thresholds."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""

    def mask(self, columns: Columns, *, missing: float | None = None) -> NDArray[np.bool_]:
        """Which events pass, shape (event,)."""


def passing(sample: Sample, selection: Requirement) -> Sample:
    """The events that pass a selection, in the nominal sample or in any of its variations.

    One that passes in some of them only weighs nothing in the others. So a selection that stays is out of the way of
    a search, and its variations still move events into it and out of it.

    Args:
        sample: the events.
        selection: a `hepcuts.Selection` with its thresholds.

    Raises:
        InputError: a threshold is not set, or a column is missing.
        SampleError: nothing passes.

    Example:
        >>> import hepcuts as hc
        >>> jes = hc.HistoSys("jes", up={"njet": [2, 4, 4]}, down="mirror")
        >>> ttbar = hc.Sample("ttbar", {"njet": [2, 3, 4], "mt": [50.0, 60.0, 70.0]}, modifiers=[jes])
        >>> found = passing(ttbar, hc.Selection.parse("njet in {4, 5}"))
        >>> found.column("mt"), found.weights, found.modifiers[0].up.weights
        (array([60., 70.]), array([0., 1.]), array([1., 1.]))
    """

    def passed(columns: Columns) -> NDArray[np.bool_]:
        return selection.mask(columns, missing=sample.missing)

    nominal, masks = passed(sample.columns), []

    def varied(variation: Variation) -> Variation:
        columns, weights = sample.varied(variation)
        masks.append(passed(columns))
        return Variation(variation.columns, np.where(masks[-1], weights, 0.0))

    def modified(modifier: Modifier) -> Modifier:
        if not isinstance(modifier, HistoSys):
            return modifier
        return modifier.with_sides({side: varied(variation) for side, variation in modifier.sides.items()})

    modifiers = [modified(modifier) for modifier in sample.modifiers]
    kept = functools.reduce(operator.or_, masks, nominal)
    return sample.with_weights(np.where(nominal, sample.weights, 0.0), modifiers).take(kept)
