"""Families of variations of which the envelope is one systematic uncertainty, such as those of scales and PDFs."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hepcuts._core.columns import Numbers
from hepcuts._core.errors import InputError
from hepcuts._core.precision import namespace

from .modifiers import HistoSys, Modifier, Variation


def envelope(name: str, members: Mapping[str, Any] | Iterable[Any]) -> tuple[HistoSys, ...]:
    """A systematic uncertainty that is the envelope of several variations, bin by bin and after the cuts.

    At +1 standard deviation it is the largest of the nominal yield and those of all members, at -1 the smallest.

    Args:
        name: the parameter's name.
        members: by name, or as many as there are: each as a side of `hepcuts.HistoSys`, such as an array of weights.

    Returns:
        Modifiers for a sample: the envelope, and its members, which have no parameter of their own.

    Raises:
        InputError: no members, or as `hepcuts.HistoSys`.

    Example:
        >>> import hepcuts as hc
        >>> scales = envelope("scale", {"up": [1.2, 1.1], "down": [0.7, 0.9]})
        >>> ttbar = hc.Sample("ttbar", {"x": [1.0, 2.0]}, modifiers=scales)
        >>> templates = hc.fill([ttbar, hc.Sample("s", {"x": [2.0]}, signal=True)], hc.Cut("x", ">", 0.0))
        >>> [templates.varied("scale", side)[0].round(6).tolist() for side in ("up", "down")]
        [[2.3], [1.6]]
    """
    named = dict(members) if isinstance(members, Mapping) else {str(n): one for n, one in enumerate(members)}
    if not named:
        raise InputError(f"Envelope {name!r}: has no members; expected at least one variation.")
    found = [FamilyMember(f"{name}[{one}]", up=side, down="nominal") for one, side in named.items()]
    return (Envelope(name, [member.name for member in found]), *found)


class FamilyMember(HistoSys):
    """A variation that an `Envelope` is made of: it has events, but no parameter of its own."""

    has_parameter = False

    def linear_uncertainty(self, nominal: Any, up: Any, down: Any) -> tuple[Any, Any, Any]:  # noqa: ARG002
        """See `Modifier.linear_uncertainty`: none."""
        return 0.0, 0.0, 0.0


class Envelope(HistoSys):
    """The uncertainty that spans all of some variations; made by `envelope`, together with these.

    Attributes:
        name: the parameter's name.
        members: names of the variations, which are modifiers of the same sample.
    """

    members: tuple[str, ...]

    def __init__(self, name: str, members: Iterable[str]) -> None:
        object.__setattr__(self, "name", name)
        Modifier.__post_init__(self)
        object.__setattr__(self, "up", Variation())
        object.__setattr__(self, "down", "envelope")
        object.__setattr__(self, "members", tuple(members))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.members)

    @property
    def sides(self) -> dict[str, Variation]:
        """See `hepcuts.HistoSys.sides`: none of its own."""
        return {}

    def signature(self) -> tuple[Any, ...]:
        """See `Modifier.signature`."""
        return type(self).__name__, self.name, self.members

    def take(self, events: Any) -> "Envelope":  # noqa: ARG002 (it has none)
        """See `Modifier.take`."""
        return self

    def with_sides(self, sides: Mapping[str, Variation | Mapping[str, Numbers]]) -> "Envelope":  # noqa: ARG002
        """See `hepcuts.HistoSys.with_sides`: the same."""
        return self

    def without_events(self) -> "Envelope":
        """See `Modifier.without_events`."""
        return self

    def completed(self, side: str, nominal: Any, up_of: Callable[[str], Any]) -> Any:
        """See `hepcuts.HistoSys.completed`: the outermost of the nominal yields and those of all members."""
        rows = [nominal, *map(up_of, self.members)]
        xp = namespace(*rows)
        return functools.reduce(xp.maximum if side == "up" else xp.minimum, rows)


def require_no_envelope(modifiers: Iterable[Modifier], what: str) -> None:
    """Refuse envelopes where yields are added after they were made: that of a sum is no sum of envelopes.

    Args:
        modifiers: of a sample.
        what: is not possible, for the message.

    Raises:
        InputError: there is one.
    """
    for modifier in modifiers:
        if isinstance(modifier, Envelope):
            raise InputError(
                f"{what} with the envelope {modifier.name!r} is not possible: it is not the sum of those of parts. "
                "Take its members each for itself."
            )
