"""Template sets and data side by side, as the solver takes them."""

from typing import Any, NamedTuple

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.rates import Lanes

from .structure import LikelihoodTemplates


class Batch(NamedTuple):
    """Template sets and data side by side.

    Attributes:
        templates: the template sets.
        data: shape (data, lane), or None for the Asimov dataset of each template set.
        lead: shape of the batch.
        asimov_mu: parameter of interest of the Asimov datasets.
    """

    templates: Lanes
    data: FloatArray | None
    lead: tuple[int, ...]
    asimov_mu: float = 1.0

    @classmethod
    def of(cls, templates: LikelihoodTemplates, data: Any, *leads_of_others: tuple[int, ...]) -> "Batch":
        """From arrays with the batch's axes in front, all of them, or none, or of length one."""
        arrays = [np.asarray(getattr(templates, name), dtype=np.float64) for name in Lanes._fields]
        ranks = [2 if name == "nominal" else 3 for name in Lanes._fields]
        leads = [a.shape[: a.ndim - rank] for a, rank in zip(arrays, ranks, strict=True)]
        if data is not None:
            data = np.asarray(data, dtype=np.float64)
            leads.append(data.shape[:-1])
        lead = np.broadcast_shapes(*leads, *leads_of_others)
        lanes = Lanes(*(_lanes_last(a, rank, lead) for a, rank in zip(arrays, ranks, strict=True)))
        return cls(lanes, None if data is None else _lanes_last(data, 1, lead), lead)

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return int(np.prod(self.lead))

    def take(self, lanes: Any) -> "Batch":
        """Some of the lanes (a slice or their numbers), as a batch with one axis."""
        size = len(np.arange(self.lanes)[lanes])
        data = self.data
        if data is not None and data.shape[-1] > 1:
            data = data[..., lanes]
        return Batch(self.templates.take(lanes), data, (size,), self.asimov_mu)

    def repeated(self, number: int) -> "Batch":
        """The first lane `number` times over."""
        return self.take(slice(0, 1))._replace(lead=(number,))


def _lanes_last(array: FloatArray, core: int, lead: tuple[int, ...]) -> FloatArray:
    mine, inner = array.shape[: array.ndim - core], array.shape[array.ndim - core :]
    if all(n == 1 for n in mine) or not array.size:
        return array.reshape(*inner, 1) if array.size else np.zeros((*inner, 1))
    rows = np.broadcast_to(array, (*lead, *inner)).reshape(int(np.prod(lead)), *inner)
    return np.ascontiguousarray(np.moveaxis(rows, 0, -1))
