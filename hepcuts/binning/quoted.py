"""What is quoted of bins: templates, workspace and significance of events that did not choose them."""

import abc
import dataclasses
import functools
from typing import Any

from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts.histfactory import discovery_significance
from hepcuts.samples.sample import Sample
from hepcuts.templates.templates import Templates
from hepcuts.templates.workspace import CHOSEN_ON, DISCOVERY, likelihood_of, workspace


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AbstractQuoted(Tabular):
    """Bins that some events chose, with templates of others.

    Attributes:
        samples: the events of which templates and workspace are made: those held out, or all that chose.
        chose: whether these events chose the bins.
    """

    samples: tuple[Sample, ...]
    chose: bool

    @property
    @abc.abstractmethod
    def templates(self) -> Any:
        """Templates of `samples`, of one channel or of several."""

    @functools.cached_property
    def quoted_significance(self) -> float:
        """Discovery significance of `samples`, computed when it is first asked for.

        Raises:
            FitError: the likelihood could not be fitted.
            YieldError: the templates make no likelihood; the message says why.
        """
        return float(discovery_significance(likelihood_of(self.templates, measurement=self._measurement)))

    @property
    def workspace(self) -> dict[str, Any]:
        """The pyhf workspace of `samples`.

        If they chose the bins its background is underestimated; the name of the measurement then says that it is not to
        be unblinded with.

        Raises:
            YieldError: the templates make no workspace; the message says why.
        """
        found: Templates | list[Templates] = self.templates
        return workspace(found, measurement=self._measurement)

    @property
    def _measurement(self) -> str:
        return CHOSEN_ON if self.chose else DISCOVERY

    def summary(self) -> SummaryTable:
        """The same with the significance on events that did not choose; evaluates `quoted_significance`."""
        table = self.overview()
        where = "the events that chose (none were held out)" if self.chose else "held-out events"
        rows = [*table.rows, ("quoted significance", f"{self.quoted_significance:.4f} on {where}")]
        return dataclasses.replace(table, rows=rows)
