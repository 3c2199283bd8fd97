"""Several signals, which are one hypothesis: one strength mu scales them all."""

from collections.abc import Iterable
from typing import Protocol


class SignalOrNot(Protocol):
    """A sample, or what is kept of it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def signal(self) -> bool:
        """Whether the signal strength scales it."""


def together(samples: Iterable[SignalOrNot]) -> str:
    """Which signals are one hypothesis, in words; an empty string if there is one signal at most.

    That is right of the production modes of one signal, and wrong of two hypotheses.

    Example:
        >>> import hepcuts as hc
        >>> modes = [hc.Sample(name, {"x": [1.0]}, signal=True) for name in ("ggF", "VBF")]
        >>> together([*modes, hc.Sample("top", {"x": [0.0]})])
        'ggF, VBF scaled together by one mu'
    """
    names = [sample.name for sample in samples if sample.signal]
    return f"{', '.join(names)} scaled together by one mu" if len(names) > 1 else ""
