"""What figures of merit say of events that did not choose: of all parts together, each after the cut of the others."""

from collections.abc import Mapping, Sequence

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.evaluation.convexity import Nudged
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.rows import Rows
from hepcuts.templates.templates import Structure, Yields

Values = dict[str, float]
"""By the name of the figure of merit that chose."""


def pooled_values(
    metrics: Sequence[AbstractFigureOfMerit],
    judge: AbstractFigureOfMerit | None,
    structure: Structure,
    yields: Mapping[str, Yields],
    whole: tuple[float, float],
) -> tuple[Values, Values]:
    """Each figure of merit, and a judge of all of them, without what they are too large of few events on average.

    Args:
        metrics: figures of merit; those without yields are left out.
        judge: a significance, or None.
        structure: of the yields.
        yields: after the cuts that a figure of merit chose, by its name, of shape (1, variation, sample, bin).
        whole: expected signal and background before the cuts.

    Returns:
        The value of each figure of merit, and the judge's value after its cuts, NaN without one.
    """
    nudged = {name: Nudged.of([_table(found)]) for name, found in yields.items()}
    shape = (-1, *next(iter(yields.values())).values.shape[1:])
    stacked = np.concatenate([one.tables[0] for one in nudged.values()])
    moved = (stacked[..., number].reshape(shape) for number in (0, 1))
    rows = Rows.of_yields(structure, structure.of_added(Yields(*moved)), whole)
    ends = np.cumsum([len(one) for one in nudged.values()])
    parts = {name: slice(end - len(one), end) for (name, one), end in zip(nudged.items(), ends, strict=True)}

    def less_excess(name: str, values: FloatArray) -> float:
        return float(values[0]) - nudged[name].excess(values)

    own = {m.name: less_excess(m.name, m.values([rows.take(parts[m.name])])) for m in metrics if m.name in parts}
    if judge is None:
        return own, dict.fromkeys(parts, float("nan"))
    judged = judge.values([rows])
    return own, {name: less_excess(name, judged[part]) for name, part in parts.items()}


def _table(yields: Yields) -> FloatArray:
    """Sums of weights and of their squares of one row, shape (variation, cell, 2)."""
    both = np.stack([np.asarray(yields.values)[0], np.asarray(yields.variances)[0]], axis=-1)
    return both.reshape(len(both), -1, 2)
