"""Functions of the yields in pure JAX: a user's own, and many rows side by side."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.precision import float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.templates.simulated import counted
from hepcuts.templates.templates import Structure, Templates, Yields

from .counts import Counts, Totals
from .figures import AbstractTemplateFigure, OfRows, OfYields, in_chunks, only_region
from .rows import Rows
from .stationarity import AbstractStationarity, StationarityOfYields

_LANES = 32
"""Rows that a compiled function takes side by side; chosen by hand."""


@dataclasses.dataclass(frozen=True)
class FunctionOfYields(AbstractTemplateFigure):
    """A user's own function of the yields of one region, in pure JAX.

    Attributes:
        function: of `Yields`, without any axes before those that it has, and `Structure`: one scalar.
    """

    function: Callable[[Yields, Structure], Any] = dataclasses.field(kw_only=True)

    def value(self, yields: Yields, structure: Structure, totals: Totals) -> Any:  # noqa: ARG002
        """See `AbstractRegionFigure.value`."""

        def function(yields: Yields) -> Any:
            return self.function(yields, structure)

        for _ in range(np.ndim(yields.values) - 3):
            function = jax.vmap(function)
        return float64_scope(function)(yields)

    def of_yields(self, references: Sequence[Templates]) -> OfYields:
        """See `AbstractTemplateFigure.of_yields`."""
        structure = only_region(self.name, [reference.structure for reference in references])
        return lambda yields, _: self.function(yields[0], structure)

    def prepared(self, references: Sequence[Templates]) -> OfRows:
        """See `AbstractTemplateFigure.prepared`."""
        structure = only_region(self.name, [reference.structure for reference in references])
        return self._of_rows(structure)

    def values(self, regions: Sequence[Rows]) -> FloatArray:
        """See `AbstractFigureOfMerit.values`."""
        return self._of_rows(only_region(self.name, regions).structure)(regions)

    def _of_rows(self, structure: Structure) -> OfRows:
        compiled = side_by_side(lambda yields: self.function(yields[0], structure))

        def of_rows(regions: Sequence[Rows]) -> FloatArray:
            rows: Rows = only_region(self.name, regions)
            return rows.where_background(in_chunks(lambda yields, *_: compiled([yields]), rows))

        return of_rows

    def of_templates(self, templates: Sequence[Templates], totals: Totals) -> float:
        """See `AbstractTemplateFigure.of_templates`; nothing is compiled."""
        only = only_region(self.name, templates)
        if not float(np.sum(Counts.of(only.yields, only.structure, totals).background)) > 0:
            return float("nan")
        # The yields, too, become arrays of JAX where these have 64 bits.
        yields = counted(only.structure, only.yields)
        return float(float64_scope(lambda yields: self.function(_in_jax(yields), only.structure))(yields))

    @property
    def stationarity(self) -> AbstractStationarity | None:
        """See `AbstractFigureOfMerit.stationarity`; from slopes in JAX."""
        return StationarityOfYields(self.value, self.sign)


def _in_jax(yields: Yields) -> Yields:
    return Yields(jnp.asarray(yields.values, dtype=float), jnp.asarray(yields.variances, dtype=float))


def side_by_side(function: Callable[[Sequence[Yields]], Any]) -> Callable[[Sequence[Yields]], FloatArray]:
    """A scalar function of yields in JAX as one of many rows of yields of NumPy, compiled once for one shape."""
    compiled = jax.jit(jax.vmap(function))

    @float64_scope
    def of_rows(yields: Sequence[Yields]) -> FloatArray:
        size, found = len(np.asarray(yields[0].values)), []
        lanes = _LANES if size <= 64 * _LANES else 64 * _LANES
        for first in range(0, size, lanes):
            rows = np.minimum(np.arange(first, first + lanes), size - 1)
            some = [Yields(np.asarray(y.values)[rows], np.asarray(y.variances)[rows]) for y in yields]
            found.append(np.asarray(compiled([_in_jax(y) for y in some])))
        return np.concatenate(found)[:size].astype(np.float64) if found else np.zeros(0)

    return of_rows
