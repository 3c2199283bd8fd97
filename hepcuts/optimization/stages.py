"""A descent in stages of ever narrower soft cuts: of cuts, of a discriminant's parameters, of working points.

Every such descent is an `AbstractDescent` and is gone through by `descend`, so that an interrupt, a report and what is
kept after each stage are the same for all.
"""

import abc
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hepcuts._core.lazy import tqdm


class AbstractDescent(abc.ABC):
    """What goes through stages, from the optimum of one to that of the next."""

    @property
    @abc.abstractmethod
    def num_stages(self) -> int:
        """Number of stages that are done."""

    @abc.abstractmethod
    def stages(self) -> Iterable[int]:
        """Numbers of the stages that are still to be done; asked for the next one when the last is done."""

    @abc.abstractmethod
    def advance(self, stage: int) -> None:
        """Go through a stage."""

    @abc.abstractmethod
    def back_to(self, stage: int) -> None:
        """Be where a stage that is done ended, and forget what came after."""


def descend(descent: AbstractDescent, done: Callable[[int], object] | None = None) -> bool:
    """Go through the stages.

    An interrupt (KeyboardInterrupt) ends them; those before count. In the first stage there are none, and the
    interrupt goes on to the caller.

    Args:
        descent: what goes through them.
        done: called with the number of each stage that is done, as to keep it in a file.

    Returns:
        Whether the user interrupted it.
    """
    try:
        for stage in descent.stages():
            descent.advance(stage)
            if done is not None:
                done(stage)
    except KeyboardInterrupt:
        if descent.num_stages == 0:
            raise
        descent.back_to(descent.num_stages - 1)
        return True
    return False


@contextlib.contextmanager
def progress(what: str) -> Iterator[Any]:
    """A progress bar of steps on a terminal, else silence."""
    silent = sys.stderr is None or not sys.stderr.isatty()
    with tqdm.tqdm(total=None, desc=what, unit=" steps", disable=silent, leave=False) as bar:
        yield bar
