"""What to be careful about in a result, as sentences; each of them is a condition that is looked at."""

from collections.abc import Iterable, Iterator

from hepcuts.histfactory import FEW_EXPECTED, few_expected
from hepcuts.samples.signals import together
from hepcuts.templates.simulated import FEW_SIGNAL

from .schema import SystematicRecord
from .views import RecordedResult

_GUARDED = 1.25
"""Effective background events, over those that were wanted, below which the cuts stop where the simulation does: with a
quarter more the penalty of the search is not zero yet. Chosen by hand."""
_UNCERTAIN = 0.2
"""Relative uncertainty of Z from finite simulation that is told. Chosen by hand."""
_CONSTRAINED = 0.7
"""Uncertainty of a systematic after the fit over that before it, from which on the fit measures it. Chosen by hand."""


def cautions(result: RecordedResult) -> list[str]:
    """What is known without another fit."""
    return [*_of_search(result), *_of_events(result), *_of_model(result)]


def _of_search(result: RecordedResult) -> Iterator[str]:
    if not result.success:
        yield f"The search did not converge: {result.message}."
    if result.held_out is None:
        yield (
            "The significance is of the events that chose the cuts, and therefore too large; hold events out to quote "
            "one. The workspace is not to be unblinded with."
        )
    if result.quoted.pyhf is None:
        yield f"pyhf does not confirm the significance: {result.quoted.message}"
    if result.given_up:
        yield f"Given up, as no event would be rejected: {', '.join(result.given_up)}."
    spread = result.bootstrap.significance.uncertainty if result.bootstrap else float("nan")
    if result.held_out is not None and result.training.significance - result.quoted.significance > 2.0 * spread:
        yield (
            f"On the events that chose the cuts Z is {result.training.significance:.3g}, more than two standard "
            "deviations above what is quoted: the cuts follow their fluctuations."
        )


def _of_events(result: RecordedResult) -> Iterator[str]:
    quoted = result.quoted
    effective, wanted = quoted.effective_background, result.min_background
    whose = f"of {quoted.weakest}" if quoted.weakest else "of the background"
    if result.few_events:
        yield (
            f"Only {effective:.1f} effective simulated events {whose} are left, fewer than the {wanted:g} that the "
            "search kept on its own: Z is one of the simulation."
        )
    elif result.training.effective_background < _GUARDED * wanted:
        yield (
            f"The cuts stop where the simulation does: {result.training.effective_background:.1f} effective background "
            f"events are left of those that chose, at least {wanted:g} were wanted. With more simulation tighter cuts "
            "may be better."
        )
    if quoted.effective_signal < FEW_SIGNAL:
        yield f"Only {quoted.effective_signal:.1f} effective simulated signal events are left; Z does not know of it."
    spread = result.bootstrap.significance.uncertainty if result.bootstrap else float("nan")
    if spread > _UNCERTAIN * quoted.significance:
        yield f"From finite simulation alone Z is uncertain by {spread / quoted.significance:.0%}."
    yield from (f"{words[:1].upper()}{words[1:]}." for words in quoted.vanished)
    if quoted.expected_events < FEW_EXPECTED:
        yield f"{few_expected(quoted.expected_events).capitalize()}."


def _of_model(result: RecordedResult) -> Iterator[str]:
    for words in (*result.quoted.systematics, *result.hidden):
        yield f"{words[:1].upper()}{words[1:]}."
    if signals := together(result.samples):
        yield f"{signals}."


def constrained(systematics: Iterable[SystematicRecord]) -> list[str]:
    """Of systematics that the fit itself measures: their effect on Z is that of the data, not of the prior."""
    return [
        f"The fit constrains {one.name} to {one.constraint:.0%} of its uncertainty: is the model as good as that?"
        for one in systematics
        if one.background_up is not None and one.constraint is not None and one.constraint < _CONSTRAINED
    ]
