"""One more column that is made of others: where a systematic variation changes those, it changes this one."""

from collections.abc import Callable, Iterable

import numpy as np

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
