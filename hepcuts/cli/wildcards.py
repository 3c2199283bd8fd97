"""Wildcards in formulas of weights, where a star may also be a multiplication."""

import fnmatch
import re
from collections.abc import Sequence, Set

from hepcuts._core.errors import InputError

_WILD = re.compile(r"\w[*?]|[*?]\w")
"""A name with a wildcard."""


def wildcard(weight: str, columns: Sequence[str], factors: Set[str]) -> str:
    """The part of a formula that is a column with a wildcard; other stars of it are multiplications.

    Args:
        weight: the formula.
        columns: what the wildcard has to match.
        factors: names that stand beside it.

    Raises:
        InputError: there is none, or no column matches.

    Example:
        >>> wildcard("2*genWeight*w_pdf_*", ["w_pdf_0", "w_pdf_1"], {"genWeight"})
        'w_pdf_*'
    """
    found = (word for part in weight.split("**") for word in re.findall(r"[\w.*?]+", part))
    words = [word for word in found if _WILD.search(word)]
    if not words:
        raise InputError(f"weight is {weight!r}; expected one column with a wildcard, such as 'w_pdf_*'.")
    for parts in (word.split("*") for word in words):
        for size, first in ((n, m) for n in range(1, len(parts) + 1) for m in range(len(parts) - n + 1)):
            pattern = "*".join(parts[first : first + size])
            others = [*parts[:first], *parts[first + size :]]
            beside = all(_is_factor(other, factors) for other in others)
            if beside and _WILD.search(pattern) and fnmatch.filter(columns, pattern):
                return pattern
    raise InputError(f"no column matches {' or '.join(map(repr, words))}; there are {', '.join(columns)}.")


def _is_factor(text: str, names: Set[str]) -> bool:
    """Whether a text beside a star is a factor: a name, a number, or nothing, where a bracket stands."""
    return not text or text in names or re.fullmatch(r"\d+\.?\d*", text) is not None
