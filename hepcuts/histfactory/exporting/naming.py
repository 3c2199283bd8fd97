"""Names for programs that split lines at spaces and folders at slashes, and make names of variables of them."""

import re
from collections.abc import Iterable, Mapping

from .effects import Cell, Effects
from .given import Given


class Names:
    """What channels, samples and parameters are called in a file.

    Args:
        given: the workspace.
        found: its modifiers.
        reserved: names of samples and of modifiers that mean something else there.

    Raises:
        UnsupportedModelError: two things would have one name, or one that is reserved.
    """

    def __init__(self, given: Given, found: Effects, reserved: Mapping[str, Iterable[str]]) -> None:
        parameters = [*found.rates, *found.shapes, *found.factors]
        self.channels = plain_names([channel["name"] for channel in given.channels], "channel", given)
        self.samples = plain_names([sample["name"] for c in given.channels for sample in c["samples"]], "sample", given)
        self.parameters = plain_names(parameters, "modifier", given)
        for what, names in (("sample", self.samples), ("modifier", self.parameters)):
            for old, new in names.items():
                if new in reserved.get(what, ()):
                    raise given.refusal(f"{what} {old!r}", f"would be {new!r}, which means something else there.")

    def cell(self, cell: Cell) -> tuple[str, str]:
        """A channel and a sample."""
        return self.channels[cell[0]], self.samples[cell[1]]


def plain_names(names: Iterable[str], what: str, given: Given) -> dict[str, str]:
    """Names of letters, digits and underscores that begin with no digit; those that are so stay what they are.

    Args:
        names: as the workspace has them.
        what: what they are the names of.
        given: the workspace.

    Raises:
        UnsupportedModelError: two of them would be the same.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = f"_{plain}" if not plain or plain[0].isdigit() else plain
        if plain in found.values():
            other = next(old for old, new in found.items() if new == plain)
            raise given.refusal(f"{what} {name!r}", f"and {other!r} would both be {plain!r}; rename one of them.")
        found[name] = plain
    return found
