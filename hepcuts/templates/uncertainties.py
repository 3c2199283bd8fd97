"""Uncertainty of the total background, to first order in all its systematics: what closed forms know of them.

Uncertainties of one name move together in all samples and bins, different names independently. Of the two sides of one
the larger counts. Half their difference would lose what is known: of a one-sided uncertainty of 10 % half, and all of
one whose sides go the same way. With both sides equal and opposite all conventions agree.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcuts._core.precision import namespace
from hepcuts._core.types import FloatArray

from .templates import Structure, Yields

_SMALL = 1e-3
"""Relative effect on the background below which nothing is said of a systematic."""
_NO_LONGER_ONE_SIDED = 0.1
"""The smaller side over the larger from which on two sides of one direction are not just one and a little noise."""
_HIDDEN, _NOTED = 0.2, 0.01
"""A systematic hides where its effect is below this fraction of that of neighboring cuts, if theirs is so large."""

Shifts = dict[str, tuple[Any, Any]]
"""Name of a systematic to the change of the total background at plus and at minus one standard deviation."""


def background_shifts(structure: Structure, yields: Yields) -> tuple[Shifts, Any]:
    """What each systematic does to the total background, summed over bins, and the variance that is independent.

    Finite simulation and `ShapeSys` of each bin and sample are independent. Free normalizations (`NormFactor`) have no
    prior uncertainty and do not enter.

    Args:
        structure: samples and modifiers.
        yields: of shape (..., variation, sample, bin) with any leading axes.

    Returns:
        Shifts and variance of the shape of the leading axes.
    """
    xp = namespace(yields.values)
    values, variances = xp.asarray(yields.values), xp.asarray(yields.variances)
    shifts: Shifts = {}
    independent: Any = xp.zeros(values.shape[:-3])
    for number, component in enumerate(structure.components):
        if component.signal:
            continue
        if component.staterror:
            independent = independent + variances[..., 0, number, :].sum(-1)
        for modifier in component.modifiers:
            nominal = values[..., 0, number, :]
            up, down = nominal, nominal
            if modifier.name in structure.systematics:
                up, down = (values[..., structure.position(modifier.name, side), number, :] for side in ("up", "down"))
            more, less, spread = modifier.linear_uncertainty(nominal, up, down)
            before = shifts.get(modifier.name, (0.0, 0.0))
            shifts[modifier.name] = before[0] + more, before[1] + less
            independent = independent + spread
    return shifts, independent


def background_variance(structure: Structure, yields: Yields) -> Any:
    """Variance of the total background, summed over bins; of each systematic the larger of its two sides counts.

    Args:
        structure: samples and modifiers.
        yields: of shape (..., variation, sample, bin) with any leading axes.

    Returns:
        Shape of the leading axes.
    """
    shifts, variance = background_shifts(structure, yields)
    xp = namespace(yields.values)
    return sum((xp.maximum(up**2, down**2) for up, down in shifts.values()), start=variance)


def same_sided(structure: Structure, yields: Yields) -> tuple[str, ...]:
    """In words, each systematic both sides of which raise, or lower, the total background.

    A fit cannot move the background the other way with it: of one that only lowers it the profile likelihood knows no
    harm to a discovery.

    Args:
        structure: samples and modifiers.
        yields: shape (variation, sample, bin).
    """
    found, total = [], _background(structure, yields)
    for name, sides in background_shifts(structure, yields)[0].items():
        up, down = (float(side) / total if total > 0 else 0.0 for side in sides)
        smaller, larger = sorted((abs(up), abs(down)))
        if up * down > 0 and larger > _SMALL and smaller > _NO_LONGER_ONE_SIDED * larger:
            way = "raise" if up > 0 else "lower"
            found.append(f"both sides of {name} {way} the background ({100 * up:+.2g} %, {100 * down:+.2g} %)")
    return tuple(found)


def hidden(structure: Structure, yields: Yields, neighbors: Sequence[Yields]) -> tuple[str, ...]:
    """In words, each systematic that has nearly no effect on the background here, but has at neighboring cuts.

    An optimum likes such a place. That its shift happens to cancel there is an accident of the templates.

    Args:
        structure: samples and modifiers.
        yields: at the cuts in question, shape (variation, sample, bin).
        neighbors: the same at neighboring cuts.
    """
    here = _effects(structure, yields)
    there = [_effects(structure, one) for one in neighbors if _background(structure, one) > 0]
    found = []
    for name, effect in here.items():
        usual = float(np.median([one[name] for one in there])) if there else 0.0
        if usual > _NOTED and effect < _HIDDEN * usual:
            percent = f"{100 * effect:.2g} % of the background, {100 * usual:.2g} % at neighboring cuts"
            found.append(f"{name} happens to vanish here ({percent})")
    return tuple(found)


def _background(structure: Structure, yields: Yields) -> float:
    chosen = [number for number, component in enumerate(structure.components) if not component.signal]
    return float(np.asarray(yields.nominal)[chosen].sum())


def _effects(structure: Structure, yields: Yields) -> dict[str, float]:
    """Of each systematic the larger side over the background."""
    total = _background(structure, yields)
    shifts: dict[str, tuple[FloatArray, FloatArray]] = background_shifts(structure, yields)[0]
    return {name: float(max(abs(up), abs(down))) / total if total > 0 else 0.0 for name, (up, down) in shifts.items()}
