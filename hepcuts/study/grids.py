"""Phase diagrams from known densities: what is BCE's cut worth, and how far is it from the best one?

No event is drawn. For each point of a grid of signal fraction, separation, luminosity and background uncertainty, the
cut "keep above c" with the fewest mistakes is known in closed form (`hepcuts.study.families`), and the best cut is
found from the Asimov significance with the background uncertainty. `hepcuts.merit.theory.CutProblem` gives the same
for one point at a time; here all points are evaluated at once.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hepcuts._core.errors import InputError
from hepcuts._core.tables import DataFrame, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.merit.counting import asimov_significance

from .families import FAMILIES, AbstractFamily

DECISIONS: Mapping[str, str] = MappingProxyType({"bce": "BCE", "bce_balanced": "balanced BCE"})
"""The losses whose cuts are judged, and how to call them."""

PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "signal_fraction": "Signal fraction before the cut",
        "separation": r"Separation / $\sigma$",
        "events": "Expected events before the cut",
        "relative_uncertainty": r"Background uncertainty $\sigma_B/B$",
    }
)
"""What a point of a grid is made of, and its label on an axis."""

_COARSE, _FINE, _ROUNDS = 385, 33, 5
"""Cuts of the first search, and of each of the rounds that zoom into the best of them."""
_MARGIN = 8.0
"""The search goes so many sigma beyond both distributions: less than 1e-15 of either is there."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The cut of one loss against the best one, over a grid.

    Attributes:
        cut: where the loss cuts, in sigma; infinite where it accepts nothing, minus infinity where it accepts all.
        ratio: Asimov significance there over the best one.
        distance: that cut minus the best one, in sigma; zero where both accept all.
        signal_over_background: S / B after the cut; NaN where nothing is left.
        signal_efficiency: fraction of the signal after the cut.
    """

    cut: FloatArray
    ratio: FloatArray
    distance: FloatArray
    signal_over_background: FloatArray
    signal_efficiency: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """The comparison over a grid of two parameters; all arrays are of shape (y, x).

    Attributes:
        family: the densities.
        x: name and values of the parameter along x.
        y: name and values of the parameter along y.
        fixed: the two other parameters.
        best_cut: the cut of the best Asimov significance, in sigma; minus infinity where that is no cut.
        best_significance: that significance, in standard deviations.
        comparisons: loss to its comparison.
    """

    family: AbstractFamily
    x: tuple[str, FloatArray]
    y: tuple[str, FloatArray]
    fixed: Mapping[str, float]
    best_cut: FloatArray
    best_significance: FloatArray
    comparisons: Mapping[str, Comparison]

    def to_dataframe(self) -> DataFrame:
        """One row for each point of the grid."""
        x, y = np.meshgrid(self.x[1], self.y[1])
        columns = {self.x[0]: x.ravel(), self.y[0]: y.ravel()} | {k: np.full(x.size, v) for k, v in self.fixed.items()}
        columns |= {"best_cut": self.best_cut.ravel(), "best_significance": self.best_significance.ravel()}
        for name, comparison in self.comparisons.items():
            for field in dataclasses.fields(comparison):
                columns[f"{name}_{field.name}"] = getattr(comparison, field.name).ravel()
        return data_frame(columns)


def phase_diagram(
    family: str, *, x: tuple[str, ArrayLike], y: tuple[str, ArrayLike], fixed: Mapping[str, float]
) -> PhaseDiagram:
    """Compare the losses' cuts with the best cut over a grid, from densities.

    Luminosity and background uncertainty matter only together: the Asimov significance over the square root of the
    luminosity is a function of the densities and of luminosity times squared relative uncertainty. With a known
    background, luminosity moves no cut.

    Args:
        family: a name in `FAMILIES`.
        x: name and values of the parameter along x, one of `PARAMETERS`.
        y: name and values of the parameter along y.
        fixed: the other two parameters: ``signal_fraction`` (of the expected events before the cut, between 0 and 1),
            ``separation`` (in standard deviations of the signal, positive), ``events`` (expected before the cut,
            positive; proportional to the luminosity), ``relative_uncertainty`` (of the background after the cut, one
            standard deviation over the yield, 0 for a known background).

    Raises:
        InputError: a family or parameter that does not exist, is missing, named twice, or out of range.

    Example:
        >>> found = phase_diagram("normal", x=("signal_fraction", [0.01, 0.1, 0.5]), y=("separation", [1.0, 2.0]),
        ...                       fixed={"events": 1000.0, "relative_uncertainty": 0.0})
        >>> print(found.comparisons["bce"].ratio.round(2))
        [[0.03 0.53 1.  ]
         [0.94 0.99 0.92]]
    """
    known = _checked_family(family)
    grid = _checked_parameters(x, y, fixed)
    shape = np.broadcast_shapes(*(values.shape for values in grid.values()))
    flat = {name: np.broadcast_to(values, shape).ravel() for name, values in grid.items()}
    yields = _TrueYields(known, *(flat[name] for name in PARAMETERS))
    best = _best_cut(yields)
    top = yields.significance(best)
    log_odds = np.log(flat["signal_fraction"]) - np.log1p(-flat["signal_fraction"])
    comparisons = {
        name: _compare(yields, known.decision_cut(flat["separation"], odds), best, shape)
        for name, odds in (("bce", log_odds), ("bce_balanced", np.zeros_like(log_odds)))
    }
    axes = [(name, np.asarray(values, dtype=np.float64)) for name, values in (x, y)]
    return PhaseDiagram(
        known,
        axes[0],
        axes[1],
        MappingProxyType({name: float(value) for name, value in fixed.items()}),
        best.reshape(shape),
        top.reshape(shape),
        MappingProxyType(comparisons),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _TrueYields:
    """Signal and background after cuts, for many points; parameters of shape (point,), cuts (point,) or (point, k)."""

    family: AbstractFamily
    signal_fraction: FloatArray
    separation: FloatArray
    events: FloatArray
    relative_uncertainty: FloatArray

    def efficiency(self, cut: FloatArray) -> FloatArray:
        """Fraction of the signal after the cut."""
        return np.exp(self.family.log_signal(cut, _like(self.separation, cut)))

    def ratio(self, cut: FloatArray) -> FloatArray:
        """Signal over background after the cut, from logarithms: it outlives both."""
        fraction = _like(self.signal_fraction, cut)
        with np.errstate(invalid="ignore"):
            log_ratio = self.family.log_signal(cut, _like(self.separation, cut)) - self.family.log_background(cut)
        return np.exp(log_ratio) * fraction / (1.0 - fraction)

    def significance(self, cut: FloatArray) -> FloatArray:
        """Asimov significance after the cut; its limit 0 where nothing is left."""
        events, fraction = _like(self.events, cut), _like(self.signal_fraction, cut)
        s = events * fraction * self.efficiency(cut)
        b = events * (1.0 - fraction) * np.exp(self.family.log_background(cut))
        z = np.asarray(asimov_significance(s, b, _like(self.relative_uncertainty, cut) * b))
        return np.where((s == 0) | (b == 0), 0.0, z)


def _like(values: FloatArray, cut: FloatArray) -> FloatArray:
    """Parameters of shape (point,) beside cuts of shape (point, k)."""
    return values[:, np.newaxis] if cut.ndim > 1 else values


def _best_cut(yields: _TrueYields) -> FloatArray:
    """The cut of the best significance: the best of many, then zooming in; shape (point,)."""
    low, high = -_MARGIN, yields.separation + _MARGIN
    step = (high - low) / (_COARSE - 1)
    cuts = low + step[:, np.newaxis] * np.arange(_COARSE)
    best = _best_of(yields, cuts)
    around = np.linspace(-1.0, 1.0, _FINE)
    for _ in range(_ROUNDS):
        best = _best_of(yields, best[:, np.newaxis] + step[:, np.newaxis] * around)
        step = step * 2.0 / (_FINE - 1)
    nothing_cut = np.full_like(best, -np.inf)
    # A gain at the level of rounding is none.
    return np.where(yields.significance(best) > yields.significance(nothing_cut) * (1.0 + 1e-13), best, nothing_cut)


def _best_of(yields: _TrueYields, cuts: FloatArray) -> FloatArray:
    return np.take_along_axis(cuts, yields.significance(cuts).argmax(1)[:, np.newaxis], 1)[:, 0]


def _compare(yields: _TrueYields, cut: FloatArray, best: FloatArray, shape: tuple[int, ...]) -> Comparison:
    with np.errstate(invalid="ignore"):
        distance = np.where(cut == best, 0.0, cut - best)
    ratio = yields.significance(cut) / yields.significance(best)
    found = (cut, ratio, distance, yields.ratio(cut), yields.efficiency(cut))
    return Comparison(*(values.reshape(shape) for values in found))


def _checked_family(name: str) -> AbstractFamily:
    if name not in FAMILIES:
        raise InputError(f"There is no family of densities {name!r}; choose one of {', '.join(FAMILIES)}.")
    return FAMILIES[name]


_RANGES: Mapping[str, tuple[Callable[[Any], Any], str]] = MappingProxyType(
    {
        "signal_fraction": (lambda v: (v > 0) & (v < 1), "between 0 and 1"),
        "separation": (lambda v: v > 0, "positive"),
        "events": (lambda v: v > 0, "positive"),
        "relative_uncertainty": (lambda v: v >= 0, "zero or positive"),
    }
)


def _checked_parameters(
    x: tuple[str, ArrayLike], y: tuple[str, ArrayLike], fixed: Mapping[str, float]
) -> dict[str, FloatArray]:
    """All four parameters, of shapes that broadcast to (y, x)."""
    names = [x[0], y[0], *fixed]
    if sorted(names) != sorted(PARAMETERS):
        raise InputError(f"The grid names {', '.join(map(str, names))}; expected each of {', '.join(PARAMETERS)} once.")
    shapes: Sequence[tuple[str, Any, tuple[int, ...]]] = [
        (*x, (1, -1)),
        (*y, (-1, 1)),
        *((name, value, (1, 1)) for name, value in fixed.items()),
    ]
    checked = {}
    for name, given, shape in shapes:
        values = np.asarray(given, dtype=np.float64)
        inside, words = _RANGES[name]
        expected_dimensions = int(-1 in shape)
        if values.ndim != expected_dimensions or values.size == 0:
            kind = "a sequence of numbers" if expected_dimensions else "one number"
            raise InputError(f"{name} is {given!r}; expected {kind}.")
        if not np.all(np.isfinite(values) & inside(values)):
            raise InputError(f"{name} is {given!r}; expected finite numbers, {words}.")
        checked[name] = values.reshape(shape)
    return checked
