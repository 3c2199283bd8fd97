"""A result as a record: all that is known already, nothing is evaluated for it."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts._core.version import __version__
from hepcuts.cuts import AbstractCut
from hepcuts.cuts.languages import LANGUAGES
from hepcuts.cuts.records import as_record
from hepcuts.evaluation.evaluation import HardEvaluation
from hepcuts.evaluation.yields import SampleYield, sample_yields

from .cautions import cautions
from .schema import (
    ConfigurationRecord,
    CutRecord,
    Events,
    FigureRecord,
    InputRecord,
    PrunedRecord,
    ResultRecord,
    YieldRecord,
)
from .views import RecordedResult

LIBRARIES = ("jax", "pyhf", "numpy", "scipy", "hist")
"""Whose versions are recorded."""


def record_of(
    result: RecordedResult,
    *,
    inputs: Iterable[InputRecord] = (),
    configuration: ConfigurationRecord | None = None,
    define: Mapping[str, str] = MappingProxyType({}),
) -> ResultRecord:
    """A result as a record, without the parts that take time (see `hepcuts.optimization.record.completing`).

    Args:
        result: of `hepcuts.optimize`.
        inputs: files that the events were read from.
        configuration: that said so.
        define: formulas of columns that the files do not have.
    """
    quoted, spread = result.quoted, result.bootstrap
    return ResultRecord(
        selection=str(result.selection),
        cuts=[cut_record(cut) for cut in result.selection.cuts],
        thresholds={cut.variable: _value(cut) for cut in result.selection.cuts},
        given_up=list(result.given_up),
        expressions=_expressions(result, define),
        significance=quoted.significance,
        significance_uncertainty=None if spread is None else spread.significance.uncertainty,
        quoted_on="training" if result.held_out is None else "held-out",
        objective=result.objective,
        figures_of_merit=list(_figures(result)),
        pyhf=None if quoted.pyhf is None else dataclasses.asdict(quoted.pyhf),
        optimism=None if result.optimism is None else result.optimism.value,
        careful=cautions(result),
        success=result.success,
        interrupted=result.interrupted,
        message=result.message,
        num_steps=result.num_steps,
        yields=[YieldRecord(**dataclasses.asdict(one)) for one in yields_of(result)],
        pruned=[PrunedRecord(**dataclasses.asdict(one)) for one in quoted.dropped],
        effective_background=quoted.effective_background,
        weakest=quoted.weakest,
        effective_signal=quoted.effective_signal,
        expected_events=quoted.expected_events,
        min_background=result.min_background,
        few_events=result.few_events,
        seed=result.seed,
        options=dict(result.options),
        regions={region.name: str(region.selection(result.selection)) for region in result.regions},
        versions={"hepcuts": __version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in LIBRARIES},
        inputs=list(inputs),
        configuration=configuration,
    )


def cut_record(cut: AbstractCut) -> CutRecord:
    """A cut as a record."""
    try:
        arguments = as_record(cut)["arguments"]
    except InputError:
        arguments = None  # one of the user's own
    return CutRecord(
        text=str(cut),
        variable=cut.variable,
        operators=[">" if sign > 0 else "<" for sign in cut.signs],
        thresholds=_known(cut),
        kind=type(cut).__name__,
        arguments=arguments,
    )


def yields_of(result: RecordedResult) -> list[SampleYield]:
    """Yields in all regions, of the events that are quoted."""
    selections = [result.selection, *(region.selection(result.selection) for region in result.regions)]
    templates = [result.quoted.templates, *result.quoted.regions]
    parts = zip(selections, templates, strict=True)
    return [one for cuts, filled in parts for one in sample_yields(result.samples, cuts, filled)]


def _known(cut: AbstractCut) -> list[float]:
    return [float(threshold) for threshold in cut.thresholds if threshold is not None]


def _value(cut: AbstractCut) -> Any:
    return cut.value(_known(cut))


def _figures(result: RecordedResult) -> Iterator[FigureRecord]:
    """All values that are known: the significance, and the objective if it is another figure of merit."""
    quoted: Events = "training" if result.held_out is None else "held-out"
    spread = result.bootstrap
    known = (None, None) if spread is None else (spread.significance.uncertainty, spread.objective.uncertainty)
    places: list[tuple[Events, HardEvaluation, tuple[float | None, float | None]]] = [(quoted, result.quoted, known)]
    if result.held_out is not None:
        places.append(("training", result.training, (None, None)))
    for events, there, (of_significance, of_objective) in places:
        yield _figure("significance", there.significance, events, of_significance)
        if result.objective != "profile":
            yield _figure(result.objective, there.value, events, of_objective)
    if result.validated is not None:
        yield _figure(result.objective, result.validated, "cross-validation", None)
    yield _figure(result.objective, result.soft_value, "training", None, cuts="soft")


def _figure(name: str, value: float, events: Events, uncertainty: float | None, cuts: Any = "hard") -> FigureRecord:
    return FigureRecord(name=name, value=value, uncertainty=uncertainty, events=events, cuts=cuts)


def _expressions(result: RecordedResult, define: Mapping[str, str]) -> dict[str, str]:
    """The cuts for other programs; why not, where one cannot name or write them."""
    numbers = {sample.missing for sample in result.samples}
    missing = numbers.pop() if len(numbers) == 1 else None
    found = {}
    for language in LANGUAGES:
        try:
            formulas = {} if language == "latex" else define  # people know what a quantity is by its name
            found[language] = result.selection.expression(language, missing=missing, define=formulas)
        except InputError as error:
            found[language] = f"none: {error}"
    return found
