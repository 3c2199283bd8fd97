"""Expected signal and background in each bin, and before the cuts."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.precision import namespace
from hepcuts.samples.histogram import Histogram
from hepcuts.samples.modifiers import Modifier, ShapeSys
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Structure, Yields
from hepcuts.templates.uncertainties import background_variance

Totals = tuple[Any, Any]
"""Expected signal and background before the cuts, numbers or arrays of one number for each row."""


def totals_of(samples: Sequence[Sample | Histogram]) -> tuple[float, float]:
    """Expected signal and background of some samples, everything counted."""
    signal, background = (
        sum(float(np.sum(sample.weights)) for sample in samples if sample.signal == kind) for kind in (True, False)
    )
    return signal, background


def background_variance_of_bins(structure: Structure, yields: Yields) -> Any:
    """Variance of the background in each bin, each bin an experiment of its own.

    Args:
        structure: samples and modifiers.
        yields: of shape (..., variation, sample, bin).

    Returns:
        Shape (..., bin).
    """
    if structure.num_bins == 1:
        return background_variance(structure, yields)[..., None]
    xp = namespace(yields.values)
    if any(_differs(m) for component in structure.components for m in component.modifiers):
        parts = (
            Yields(yields.values[..., j : j + 1], yields.variances[..., j : j + 1]) for j in range(structure.num_bins)
        )
        return xp.stack([background_variance(_in_bin(structure, j), part) for j, part in enumerate(parts)], axis=-1)
    alone = (xp.moveaxis(table, -1, -3)[..., None] for table in (yields.values, yields.variances))
    return background_variance(structure, Yields(*alone))


def _differs(modifier: Modifier) -> bool:
    """Whether a modifier says something else of each bin."""
    return isinstance(modifier, ShapeSys) and len(modifier.relative) > 1


def _in_bin(structure: Structure, number: int) -> Structure:
    """The structure with modifiers that know one bin."""

    def alone(modifier: Modifier) -> Modifier:
        if isinstance(modifier, ShapeSys) and _differs(modifier):
            return ShapeSys(modifier.name, modifier.relative[number])
        return modifier

    components = tuple(dataclasses.replace(c, modifiers=tuple(map(alone, c.modifiers))) for c in structure.components)
    return dataclasses.replace(structure, components=components)


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """Expected signal and background in each bin: what closed forms take.

    Attributes:
        signal: after the cuts, shape (..., bin).
        background: after the cuts, shape (..., bin).
        all_signal: before the cuts, a number or shape (...).
        all_background: likewise.
        sigma_of: gives the uncertainty of the background in each bin, shape (..., bin), if it is asked for.
    """

    signal: Any
    background: Any
    all_signal: Any
    all_background: Any
    sigma_of: Callable[[], Any]

    @classmethod
    def of(cls, yields: Yields, structure: Structure, totals: Totals) -> "Counts":
        """From yields of shape (..., variation, sample, bin), of NumPy or JAX."""
        signal, background = totals_of_bins(yields, structure)
        return cls(signal, background, *totals, lambda: _root(background_variance_of_bins(structure, yields)))

    @functools.cached_property
    def sigma(self) -> Any:
        """Uncertainty of the background in each bin, one standard deviation, shape (..., bin)."""
        return self.sigma_of()

    @functools.cached_property
    def passed(self) -> tuple[Any, Any]:
        """Expected signal and background after the cuts, summed over bins, each of shape (...)."""
        return over_bins(self.signal), over_bins(self.background)


def _root(variance: Any) -> Any:
    xp = namespace(variance)
    if xp is np:
        return np.sqrt(variance)
    # The root has no slope at zero.
    positive = variance > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, variance, 1.0)), 0.0)


def totals_of_bins(yields: Yields, structure: Structure) -> tuple[Any, Any]:
    """Expected signal and background, shape (..., bin), from yields of shape (..., variation, sample, bin)."""
    is_signal = np.array([component.signal for component in structure.components])
    nominal = yields.nominal
    return over_samples(nominal, is_signal), over_samples(nominal, ~is_signal)


def over_bins(table: Any) -> Any:
    """Sum of a table of shape (..., bin), shape (...)."""
    return table[..., 0] if table.shape[-1] == 1 else table.sum(-1)


def over_samples(nominal: Any, chosen: NDArray[np.bool_]) -> Any:
    """Sum of some samples of a table of shape (..., sample, bin), shape (..., bin)."""
    positions = np.flatnonzero(chosen)
    return nominal[..., positions[0], :] if len(positions) == 1 else nominal[..., positions, :].sum(-2)
