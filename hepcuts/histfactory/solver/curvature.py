"""What all expansions of a deviance have in common, however they hold its second derivatives."""

import abc
import dataclasses
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclasses.dataclass
class AbstractExpansion(abc.ABC):
    """The deviance of each lane at a point, to second order.

    Attributes:
        value: shape (lane,).
        gradient: with respect to the free parameters, shape (free, lane).
        weights: expected curvature of each bin, 2 / rate, shape (bin, lane).
        prior: expected curvature of the constraint terms, shape (free, lane).
    """

    value: Values
    gradient: Values
    weights: Values
    prior: Values

    @abc.abstractmethod
    def curvature(self, lanes: Any) -> Any:
        """The Hessian matrices of some lanes: an array of shape (free, free, lane) or an `Arrow`."""

    @abc.abstractmethod
    def information(self, lanes: Any = slice(None)) -> Any:
        """Twice the Fisher information, which is never negative, of some lanes; as `curvature`."""

    @abc.abstractmethod
    def information_diagonal(self) -> Values:
        """Its diagonal alone, shape (free, lane)."""

    def take(self, lanes: Any) -> Self:
        """The same of some lanes."""
        return type(self)(*(taken(getattr(self, field.name), lanes) for field in dataclasses.fields(self)))

    def replace(self, lanes: NDArray[np.bool_], other: Self) -> Self:
        """With the numbers of `other` in some lanes."""
        if lanes.all():
            return other
        if not lanes.any():
            return self
        names = [field.name for field in dataclasses.fields(self)]
        return type(self)(*(_chosen(lanes, getattr(other, name), getattr(self, name)) for name in names))


def taken(value: Any, lanes: Any) -> Any:
    """Some lanes of an array, which has them on its last axis, or of what has a method for that."""
    return value[..., lanes] if isinstance(value, np.ndarray) else value.take(lanes)


def _chosen(lanes: NDArray[np.bool_], new: Any, old: Any) -> Any:
    return np.where(lanes, new, old) if isinstance(old, np.ndarray) else old.where(lanes, new)


class Here(NamedTuple):
    """Where a deviance is expanded, and what all ways to do that start from.

    Attributes:
        parameters: shape (parameter, lane).
        value: the deviance of the bins, shape (lane,).
        slope: its derivative with respect to the rate of each bin, shape (bin, lane).
        bend: its second derivative, shape (bin, lane).
        cell_slope: `slope` of each cell's bin, shape (cell, lane).
        rates: of each cell, shape (cell, lane).
        product: product of the factors of each cell, shape (cell, lane).
        shifts: coefficients of the additive variations with their derivatives, or None.
        scales: factors of the multiplicative variations with their derivatives, or None.
    """

    parameters: Values
    value: Values
    slope: Values
    bend: Values
    cell_slope: Values
    rates: Values
    product: Values
    shifts: Any
    scales: Any
