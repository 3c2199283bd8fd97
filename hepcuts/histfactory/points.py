"""The discovery tests of one likelihood, and those of all points of a patch set."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hepcuts._core.errors import HepcutsError
from hepcuts._core.progress import steps
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame

from . import patchsets
from .discovery import SignificanceResult, discovery_test
from .likelihood import OBSERVED, HistFactory

WORKSPACE_ASIMOV = "workspace_asimov"
"""Name of the test of a workspace's observations that are no data."""


def discovery_tests(likelihood: HistFactory) -> dict[str, SignificanceResult]:
    """All discovery tests of a workspace: expected before and after its data, and of the data.

    Args:
        likelihood: of a workspace.

    Returns:
        ``expected`` (prefit Asimov data), ``expected_postfit``, and ``observed``, or ``workspace_asimov`` if the
        workspace was written before there were data.

    Raises:
        FitError, InputError, UnsupportedModelError, YieldError: as `hepcuts.discovery_test`.
    """
    data = likelihood.observed_data
    observed = OBSERVED if likelihood.kind_of(data) == OBSERVED else WORKSPACE_ASIMOV
    return {
        "expected": discovery_test(likelihood),
        "expected_postfit": discovery_test(likelihood, fitted_to=data),
        observed: discovery_test(likelihood, data),
    }


def shown(value: float | str) -> str:
    """A value of a point in words."""
    return value if isinstance(value, str) else f"{value:g}"


@dataclasses.dataclass(frozen=True, eq=False)
class SignalPoint:
    """One point of a patch set.

    Attributes:
        name: its name.
        values: what it stands for, such as masses, as many as the patch set has labels.
        tests: as `discovery_tests` returns them; none if they failed.
        error: why they failed, or "".
    """

    name: str
    values: tuple[float | str, ...]
    tests: Mapping[str, SignificanceResult] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    error: str = ""

    def significance(self, kind: str) -> float:
        """Z of one of the tests; NaN if there is none."""
        return self.tests[kind].significance if kind in self.tests else float("nan")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SignalPoints(Tabular):
    """The points of a patch set with their discovery tests.

    Attributes:
        labels: what the values of a point are.
        points: the points.
    """

    labels: tuple[str, ...]
    points: tuple[SignalPoint, ...]

    @property
    def failed(self) -> tuple[SignalPoint, ...]:
        """Points whose tests failed."""
        return tuple(point for point in self.points if point.error)

    @property
    def observed(self) -> str:
        """Name of the test of the workspace's observations."""
        return WORKSPACE_ASIMOV if any(WORKSPACE_ASIMOV in point.tests for point in self.points) else OBSERVED

    def to_dataframe(self) -> DataFrame:
        """A table, one row for each point: its values, Z of each test, and the best-fit signal strength."""
        rows = []
        for point in self.points:
            row: dict[str, Any] = dict(zip(self.labels, point.values, strict=True))
            row |= {kind: point.significance(kind) for kind in ("expected", "expected_postfit", self.observed)}
            data = point.tests.get(self.observed)
            row |= {"mu_hat": data.mu_hat, "mu_uncertainty": data.mu_uncertainty} if data else {}
            rows.append(row | {"error": point.error})
        return data_frame(rows, index=[point.name for point in self.points], name="point")

    def overview(self) -> SummaryTable:
        """Significance and signal strength of each point."""
        head = ("point", *self.labels, "expected Z", f"{self.observed.replace('_', ' ')} Z", "signal strength")
        rows = [[point.name, *map(shown, point.values), *self._found(point)] for point in self.points]
        foot = [f"{point.name}: {point.error}" for point in self.failed]
        return SummaryTable(f"Discovery tests of {len(self.points)} signals", rows, head, foot)

    def _found(self, point: SignalPoint) -> list[str]:
        if point.error:
            return ["", "", "failed"]
        data = point.tests[self.observed]
        zs = [f"{point.significance(kind):.3f}" for kind in ("expected", self.observed)]
        return [*zs, f"{data.mu_hat:.3g} +- {data.mu_uncertainty:.2g}"]


def tested_points(workspace: Any, patches: Iterable[Any], **options: Any) -> Iterator[SignalPoints]:
    """Test all points of a patch set, one after the other.

    Args:
        workspace: as `hepcuts.HistFactory.from_workspace` takes it.
        patches: likewise, one of them the patch set; none if it is in the archive of the workspace.
        options: likewise, but for the point.

    Yields:
        After each point all that there are up to it. What is wrong with one point does not end the others: it is its
        `SignalPoint.error`.

    Raises:
        InputError: there is no patch set or more than one, or the workspace cannot be read.
    """
    document, changes = patchsets.loaded(workspace, patches)
    found = patchsets.patch_set(document, changes)
    labels, points = tuple(found.labels), []
    for name, values in steps(patchsets.point_values(found), "points", unit=" points"):
        try:
            likelihood = HistFactory.from_workspace(document, patches=changes, point=name, **options)
            points.append(SignalPoint(name, values, discovery_tests(likelihood)))
        except HepcutsError as error:
            points.append(SignalPoint(name, values, error=str(error)))
        yield SignalPoints(labels, tuple(points))
