"""What the figure of signal points asks of them."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


class PointView(Protocol):
    """One signal with its tests."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def values(self) -> Sequence[float | str]:
        """What it stands for, such as masses."""

    @property
    def tests(self) -> Any:
        """Its tests by their kind, each with ``significance``, ``bands`` and ``dataset``."""

    def significance(self, kind: str) -> float:
        """Z of one of the tests; NaN if there is none."""


@runtime_checkable
class PointsView(Protocol):
    """Signals with their tests."""

    @property
    def labels(self) -> Sequence[str]:
        """What the values of a point are."""

    @property
    def points(self) -> Sequence[PointView]:
        """The points."""

    @property
    def observed(self) -> str:
        """Name of the test of the workspace's observations."""
