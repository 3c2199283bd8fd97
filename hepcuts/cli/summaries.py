"""What ``hepcuts optimize`` writes of a result."""

import dataclasses
from typing import TYPE_CHECKING, Any

from hepcuts._core.errors import InputError
from hepcuts._core.version import __version__
from hepcuts.cuts.languages import LANGUAGES

if TYPE_CHECKING:
    from hepcuts.optimization.result import OptimizationResult


def summary_of(result: "OptimizationResult") -> dict[str, Any]:
    """The content of ``result.json``."""
    return {
        "hepcuts": __version__,
        "cuts": [str(cut) for cut in result.selection.cuts],
        "expressions": _expressions(result),
        "thresholds": result.thresholds,
        "directions": _directions(result),
        "given_up": list(result.given_up),
        "objective": result.objective,
        "significance": result.significance,
        "quoted_on": "training" if result.held_out is None else "held-out",
        "training_significance": result.training.significance,
        "pyhf": None if result.quoted.pyhf is None else dataclasses.asdict(result.quoted.pyhf),
        "soft_value": result.soft_value,
        "hard_value": result.hard_value,
        "cross_validated_value": result.validated,
        "cross_validation_penalty": result.penalty,
        "validation": None if result.validation is None else list(result.validation),
        "significance_uncertainty": None if result.bootstrap is None else result.bootstrap.significance.uncertainty,
        "effective_background": result.quoted.effective_background,
        "few_events": result.few_events,
        "success": result.success,
        "message": result.message,
        "num_steps": result.num_steps,
        "comparison": {},
    }


def _expressions(result: "OptimizationResult") -> dict[str, str]:
    """The cuts for other programs; why not, where one cannot name or write them."""
    numbers = {sample.missing for sample in result.samples}
    missing = numbers.pop() if len(numbers) == 1 else None
    found = {}
    for language in LANGUAGES:
        try:
            found[language] = result.selection.expression(language, missing=missing)
        except InputError as error:
            found[language] = f"none: {error}"
    return found


def _directions(result: "OptimizationResult") -> dict[str, str | list[str]]:
    """Which values pass each threshold, as `thresholds` has them: ``">"`` or ``"<"``, several for several of a cut."""
    signs = {cut.variable: [">" if sign > 0 else "<" for sign in cut.signs] for cut in result.selection.cuts}
    return {variable: found[0] if len(found) == 1 else found for variable, found in signs.items()}
