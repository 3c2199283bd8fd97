"""What an optimization found, and what it is worth on which events."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hepcuts._core import files
from hepcuts._core.errors import InputError, YieldError
from hepcuts._core.numbers import as_json
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.cuts.regions import Region
from hepcuts.evaluation.bootstrap import Bootstrap, Optimism
from hepcuts.evaluation.evaluation import HardEvaluation
from hepcuts.evaluation.presentation import DropOneTable, RoundedSelection, drop_one, rounded
from hepcuts.histfactory import FEW_EXPECTED, few_expected
from hepcuts.samples.sample import Sample
from hepcuts.samples.signals import together

from .certificate import Certificate
from .history import History
from .polish import Polished
from .sensitivity import Sensitivity


def _found(sensitivity: Sensitivity) -> Sensitivity:
    return sensitivity


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OptimizationResult(Tabular):
    """Optimized cuts and what they are worth.

    Attributes:
        thresholds: variable to hard threshold, or to a pair for a window.
        selection: the hard selection. A cut that was given up is no cut, and not part of it; but if all were, they are.
        given_up: names of the thresholds that the search put beyond all events: of cuts, and sides of windows, that are
            no longer in `selection`.
        objective: name of the objective.
        label: its label for figures, in mathtext.
        soft_value: its value at the final widths, on the training events.
        training: what the hard selection is worth on the events that chose it.
        held_out: the same on events that did not, or None if none were held out.
        validated: the objective of hard cuts of the chosen width in the cross-validation, on training events each of
            which did not choose the cuts that it was tried with; None if there was none. Without penalties, and
            without what few events add on average, to first order (`hepcuts.optimization.left_out`).
        penalty: by how much the search held this value to be worse, for too few events left in the cross-validation;
            None if there was none.
        start: thresholds before the optimization, shape (threshold,).
        history: the way.
        success: whether the last stage converged (or did all its steps).
        interrupted: whether the user did (Ctrl-C); then this is the best until then.
        message: why it stopped.
        num_steps: number of steps in all stages.
        anneal: the stages of widths that were gone through.
        validation: the same for each stage that was considered (negated for losses), see
            `hepcuts.optimization.validation`. None if there was no choice.
        polish: what the last step, on hard cuts, did.
        polish_validated: by how much it changed the validated value (larger is better); where it made it, with its
            penalty, worse, it was left out. None if it did nothing or there was no cross-validation.
        min_background: effective simulated events of each background that the search was to keep on its own events.
        seed: seed of the split, of the folds and of the starts, drawn from a generator if one was given.
        options: what `hepcuts.optimize` was asked, by argument: numbers and text, other objects by name or fields.
        samples: the events that are quoted: those held out, or else those that chose the cuts.
        axis: axis of the observable, or None.
        regions: control regions.
        bootstrap: how certain the quoted value and significance are, or None.
        hidden: in words, each systematic that happens to have nearly no effect on the background at these cuts.
        optimism: how much better the cuts look on the events that chose them, or None without cross-validation.
    """

    thresholds: dict[str, Any]
    selection: Selection
    given_up: tuple[str, ...]
    objective: str
    label: str
    soft_value: float
    training: HardEvaluation
    held_out: HardEvaluation | None
    validated: float | None
    penalty: float | None
    start: FloatArray
    history: History
    success: bool
    interrupted: bool
    message: str
    num_steps: int
    anneal: tuple[float, ...]
    validation: tuple[float, ...] | None
    polish: Polished
    polish_validated: float | None
    min_background: float
    seed: int
    options: Mapping[str, Any]
    samples: tuple[Sample, ...]
    axis: Any
    regions: tuple[Region, ...]
    bootstrap: Bootstrap | None
    optimism: Optimism | None
    hidden: tuple[str, ...]
    _find_sensitivity: Callable[[], Sensitivity]
    _certify: Callable[..., Certificate]

    @property
    def quoted(self) -> HardEvaluation:
        """What to quote: the held-out evaluation if there is one, else that of training."""
        return self.training if self.held_out is None else self.held_out

    @property
    def few_events(self) -> bool:
        """Whether what is quoted rests on fewer simulated background events than the search had to keep on its own."""
        return self.quoted.effective_background < self.min_background

    @property
    def significance(self) -> float:
        """Discovery significance at the hard cuts, on held-out events if there are any (see `quoted`)."""
        return self.quoted.significance

    @property
    def hard_value(self) -> float:
        """The objective at the hard cuts, on the training events."""
        return self.training.value

    @property
    def quoted_value(self) -> float:
        """The objective at the hard cuts that is quoted, on held-out events if there are any."""
        return self.quoted.value

    @property
    def hard_thresholds(self) -> dict[str, float | None]:
        """Name of each threshold that was searched to that of the hard cuts; None if it was given up."""
        there = dict(zip(self.selection.names, self.selection.thresholds, strict=True))
        # A window of which one side was given up is a cut on the other one.
        return {
            name: there.get(name, None if name in self.given_up else there.get(name.rpartition(":")[0]))
            for name in self.history.names
        }

    @property
    def soft_hard_difference(self) -> float:
        """By how much the soft objective is above that of the hard cuts, on the training events."""
        return self.soft_value - self.hard_value

    @functools.cached_property
    def sensitivity(self) -> Sensitivity:
        """How much each threshold matters on the events that chose the cuts; found when first asked for."""
        return self._find_sensitivity()

    def __getstate__(self) -> dict[str, Any]:
        # A search holds compiled functions, which cannot be sent anywhere; what it finds can.
        return self.__dict__ | {"_find_sensitivity": functools.partial(_found, self.sensitivity)}

    def gap(self, **options: Any) -> Certificate:
        """How much better any cuts are on the events that chose these: `hepcuts.optimization.certify.certify`.

        For up to four cuts, in one bin. Constraints and tied thresholds do not enter: without them cuts can only be
        better. On other events the certified cuts are usually worth less: they follow these most closely.

        Args:
            options: of `hepcuts.optimization.certify.certify`; by default with the objective, the guard and the fixed
                thresholds of the search.

        Raises:
            InputError: a fit of shapes or with control regions, and as `hepcuts.optimization.certify.certify`.
        """
        if self.axis is not None or self.regions:
            raise InputError("Cuts are certified in one bin; this optimization has an axis or control regions.")
        return self._certify(**options)

    def pruned(self, below: float) -> "OptimizationResult":
        """The same result, quoted without systematics that change a sample by less than a fraction in each bin.

        They are left out of the significance, of pyhf's confirmation and of the workspace; ``quoted.dropped`` lists
        them. What compares cuts (the search, N-1 table, replicas, rounding) takes all: they may matter elsewhere.

        Args:
            below: the fraction, such as 0.005; see `hepcuts.templates.pruning`.

        Raises:
            InputError: it is not between 0 and 1.
        """
        held_out = None if self.held_out is None else self.held_out.pruned(below)
        training, options = self.training.pruned(below, chose=True), {**self.options, "prune": below}
        return dataclasses.replace(self, training=training, held_out=held_out, options=options)

    def drop_one(self, **options: Any) -> DropOneTable:
        """Which cuts matter: the N-1 table on the quoted events.

        Args:
            options: ``replicas`` and ``seed`` of `hepcuts.evaluation.presentation.drop_one`.
        """
        return drop_one(self.samples, self.selection, axis=self.axis, regions=self.regions, **options)

    def rounded(self, *, max_loss: float = 0.01) -> RoundedSelection:
        """Presentable thresholds and what they cost on the quoted events (`hepcuts.evaluation.presentation.rounded`).

        Args:
            max_loss: fraction of the significance that all rounding together may cost.

        Raises:
            InputError: `max_loss` is not between 0 and 1, or there is no significance.
        """
        return rounded(self.samples, self.selection, max_loss=max_loss, axis=self.axis, regions=self.regions)

    @property
    def workspace(self) -> dict[str, Any]:
        """The pyhf workspace at the hard cuts, of the events that are quoted.

        If these are the events that chose the cuts (``holdout=None``) its background is underestimated; the name of
        the measurement then says that it is not to be unblinded with.

        Raises:
            YieldError: the hard templates make no workspace; the message says why.
        """
        if self.quoted.workspace is None:
            raise YieldError(f"There is no workspace at the hard cuts: {self.quoted.message}")
        return self.quoted.workspace

    def plot(self, ax: Any = None) -> Any:
        """Draw the history (`hepcuts.plotting.history`) and return the artists."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.history(self, ax=ax)

    def to_dict(self) -> dict[str, Any]:
        """What is known already, as plain numbers and text: the content of ``result.json`` (:doc:`results`).

        Cutflow, N-1 table, systematics and sensitivity, which take time, are None in it; `save` adds them.
        """
        from .record.making import record_of  # noqa: PLC0415 (what a file is checked with is loaded when one is made)

        return record_of(self).model_dump()

    def save(self, path: str | Path) -> Path:
        """Write all that is known as JSON, and return the path; `hepcuts.read_result` reads it (:doc:`results`)."""
        from .record.completing import Recorded  # noqa: PLC0415

        record = Recorded.of(self).completed(self).record
        return files.write_text(path, as_json(record.model_dump()) + "\n")

    def report(self, path: str | Path, *, title: str = "Optimized cuts") -> Path:
        """Write a page that needs no other file and no network: what was found, and what it is worth.

        Args:
            path: the file; usually ends in ``.html``.
            title: its heading.

        Returns:
            The path.
        """
        from .record.report import write_report  # noqa: PLC0415

        return write_report(self, path, title=title)

    def write_log(self, path: str | Path) -> Path:
        """Write the log of cuts, one line for each step, and return its path."""
        return files.write_text(path, "\n".join(self.history.lines()) + "\n")

    def overview(self) -> SummaryTable:
        """What the search knows; how much each threshold matters is in `summary`."""
        return SummaryTable(_TITLE, self._rows(), foot=["how much each threshold matters: summary()"])

    def summary(self) -> SummaryTable:
        """The same with what is known of each threshold; evaluates `sensitivity`."""
        *rows, search = self._rows()
        found = self.sensitivity
        rows += [(f"threshold {name}", text) for name, text in found.described().items()]
        loose = f", half a standard deviation of which costs less than {found.fraction:.0%}"
        rows += [("undetermined", words + loose) for words in found.undetermined]
        return SummaryTable(_TITLE, [*rows, search])

    def _rows(self) -> list[tuple[str, str]]:
        """Pairs of label and text."""
        where = "held-out events" if self.held_out else "the events that chose the cuts (none were held out)"
        verdict = self.quoted.pyhf
        spread = "" if self.bootstrap is None else f" +- {self.bootstrap.significance.uncertainty:.2g}"
        rows = [("cuts", str(self.selection)), ("significance", f"{self.significance:.4f}{spread} on {where}")]
        signals = together(self.samples)
        rows += [("signals", signals)] if signals else []
        if self.given_up:
            rows.insert(1, ("given up", f"{', '.join(self.given_up)} (no event would be rejected)"))
        rows.append(("confirmed by pyhf", f"{verdict.significance:.4f}" if verdict else f"no: {self.quoted.message}"))
        if self.held_out is not None:
            rows.append(("on training events", f"{self.training.significance:.4f}"))
        soft_hard = f"{self.soft_value:.6g} soft, {self.hard_value:.6g} hard"
        rows.append((f"objective {self.objective}", f"{soft_hard}, difference {self.soft_hard_difference:.2g}"))
        if self.validated is not None:
            optimism = "" if self.optimism is None else f", optimism {self.optimism}"
            penalty = f", penalty for few events {self.penalty:.3g}" if self.penalty else ""
            rows.append(("cross-validated", f"{self.validated:.6g}{optimism}{penalty}"))
        weakest = f" of {self.quoted.weakest}, the weakest" if self.quoted.weakest else ""
        effective = f"{self.quoted.effective_background:.1f} effective simulated events{weakest}"
        few = f"; fewer than the {self.min_background:g} that the search kept on its own" if self.few_events else ""
        rows.append(("background after cuts", effective + few))
        rows.append(("signal after cuts", f"{self.quoted.effective_signal:.1f}, {_NOT_IN_Z}"))
        rows += [("vanished", words) for words in self.quoted.vanished]
        if self.quoted.expected_events < FEW_EXPECTED:
            rows.append(("few events", few_expected(self.quoted.expected_events)))
        rows += [("pruned", str(one)) for one in self.quoted.dropped]
        rows += [("systematics", words) for words in (*self.quoted.systematics, *self.hidden)]
        if self.polish_validated is not None:
            taken = "" if self.polish.moves else ", left out"
            gained = f"{self.polish.gain:.2g} on training events, {self.polish_validated:.2g} cross-validated{taken}"
            rows.append(("gained by the polish", gained))
        rows.append(("search", f"{self.message} ({self.num_steps} steps)"))
        return rows


_TITLE = "Optimized cuts"
_NOT_IN_Z = "of whose number, as of any uncertainty of the signal, the expected significance knows nothing"
