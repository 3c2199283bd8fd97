"""The landscape that an optimizer walks in: a soft objective and its gradient along one threshold."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Cut, Selection
from hepcuts.cuts.steps import AbstractStep
from hepcuts.cuts.steps import step as find_step
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.spreads import default_widths

from .solvers import LBFGS


@dataclasses.dataclass(frozen=True, eq=False)
class Landscape:
    """A soft objective along one threshold.

    Attributes:
        cut: variable and direction.
        objective: the objective.
        width: width of the soft cut, in the units of the variable.
        thresholds: shape (threshold,).
        values: soft value of the objective, shape (threshold,); NaN where it has none.
        gradients: its derivative by automatic differentiation, shape (threshold,).
    """

    cut: Cut
    objective: AbstractFigureOfMerit
    width: float
    thresholds: FloatArray
    values: FloatArray
    gradients: FloatArray

    def plot(self, axes: Any = None) -> Any:
        """Draw value and gradient (`hepcuts.plotting.loss_and_gradient`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.loss_and_gradient(self, axes=axes)


def landscape(
    samples: Iterable[Sample],
    cut: Cut,
    *,
    thresholds: ArrayLike,
    objective: Given = "profile",
    step: str | AbstractStep = "sigmoid",
    axis: Any = None,
) -> Landscape:
    """Evaluate a soft objective and its gradient along the threshold of one cut.

    Args:
        samples: at least one signal and one background.
        cut: variable, direction and (optionally) the width of the soft cut.
        thresholds: where to evaluate, shape (threshold,).
        objective: see `hepcuts.merit.registry`.
        step: the step function of the soft cut.
        axis: as in `hepcuts.fill`.

    Raises:
        InputError: thresholds that are not finite.

    Example:
        >>> import hepcuts as hc
        >>> found = landscape(hc.datasets.tutorial(seed=1), hc.Cut("x", ">", width=1.0), thresholds=[2.0, 5.0],
        ...                   objective="squared_error", step="erf")
        >>> [bool(g > 0) for g in found.gradients]
        [False, True]
    """
    points = np.asarray(thresholds, dtype=np.float64)
    if points.ndim != 1 or not np.all(np.isfinite(points)):
        raise InputError(f"landscape takes finite thresholds, shape (threshold,), got {thresholds!r}.")
    figure = figure_of_merit(objective)
    events, selection = check_samples(samples), Selection([cut])
    search = Search.of(events, Problem(selection, figure, LBFGS(), find_step(step), axis, linear=True))
    widths = default_widths(events, selection) if cut.width is None else search.space.widths
    found = [search.evaluate(np.array([point]), widths) for point in points]
    values, gradients = np.array([f.plain for f in found]), np.array([f.gradient[0] for f in found])
    return Landscape(cut, figure, float(widths[0]), points, values, gradients)
