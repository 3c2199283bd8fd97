"""The identity of a problem: a digest of everything that could change its answer.

Two objects of equal digest give the same answer, in this process or in another: nothing depends on addresses, on
`hash` or on the order of a set. Values count by their content, objects by their class and state, functions by their
code with all that it refers to (`hepcuts._core.code_content`). What cannot be told by its content (a lock, an open
file) is refused with a reason: a name alone proves nothing.
"""

from collections.abc import Mapping
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts._core.version import __version__

from . import code_content as _code  # noqa: F401 (registers what code is)
from .content import Writer


def digest(*objects: Any) -> str:
    """A digest of the content of objects, the same in every process.

    Args:
        objects: numbers, texts, arrays, containers, functions, classes and instances of any class that tells its
            state.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: something has no content that could be compared; the message names it.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
        >>> digest(lambda x: x + 1) == digest(lambda x: x + 2)
        False
    """
    try:
        return Writer.digest(*objects)
    except RecursionError as error:
        raise InputError("Objects are nested too deeply to be compared with those of another run.") from error


def identify(**parts: Any) -> dict[str, str]:
    """Digests of the named parts of a problem, the version of hepcuts among them.

    Raises:
        InputError: a part has no content that could be compared; the message names both.

    Example:
        >>> sorted(identify(samples=(1, 2), options={"seed": 3}))
        ['options', 'samples', 'version of hepcuts']
    """
    found = {}
    for name, part in ({"version of hepcuts": __version__} | parts).items():
        try:
            found[name] = digest(part)
        except InputError as error:
            raise InputError(f"The {name} of this problem cannot be told from others: {error}") from error
    return found


def differing(found: Mapping[str, str], expected: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the parts in which two identities differ, in the order of the second.

    Example:
        >>> differing(identify(samples=1, seed=2), identify(samples=1, seed=3))
        ('seed',)
    """
    names = [*expected, *(name for name in found if name not in expected)]
    return tuple(name for name in names if found.get(name) != expected.get(name))
