"""Progress on a terminal, and silence elsewhere: in a file, in a daemon that has no stderr, after it was closed."""

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from .lazy import tqdm

T = TypeVar("T")


def shown() -> bool:
    """Whether there is a terminal to show progress on, and the logger of hepcuts lets warnings through."""
    # Python has no stderr (None) in a daemon or after "2>&-".
    stream = sys.stderr
    terminal = stream is not None and not stream.closed and stream.isatty()
    return terminal and logging.getLogger("hepcuts").isEnabledFor(logging.WARNING)


def steps(items: Iterable[T], what: str, **options: Any) -> Iterable[T]:
    """The items, one after the other, with a bar that says how many are done.

    Args:
        items: what is worked on.
        what: said in front of the bar.
        options: passed on to `tqdm.tqdm`.

    Example:
        >>> list(steps([1, 2], "counting"))
        [1, 2]
    """
    bar: Iterable[T] = tqdm.tqdm(items, desc=what, leave=False, **options) if shown() else items
    return bar


class _Silence:
    """A bar that nobody sees."""

    def update(self, number: float = 1) -> None:
        """Nothing."""

    def set_postfix_str(self, text: str) -> None:
        """Nothing."""


@contextlib.contextmanager
def progress(what: str) -> Iterator[Any]:
    """A bar of steps whose number is not known; its ``update`` and ``set_postfix_str`` are those of tqdm."""
    if not shown():
        yield _Silence()
        return
    with tqdm.tqdm(total=None, desc=what, unit=" steps", leave=False) as bar:
        yield bar
