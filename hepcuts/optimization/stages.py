"""A descent in stages of ever narrower soft cuts: of cuts, of a discriminant's parameters, of working points.

Every such descent is an `AbstractDescent` and is gone through by `descend`, so that an interrupt, a report and what is
kept in a file after each stage (`Checkpoint`) are the same for all; and so is its way (`hepcuts.optimization.history`).
"""

import abc
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hepcuts._core import files
from hepcuts._core.errors import InputError
from hepcuts._core.identity import differing

from .history import History


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

    @property
    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on as if nothing had happened, as JSON can hold it."""

    @abc.abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Be where a descent of the same problem was."""

    @property
    @abc.abstractmethod
    def history(self) -> History:
        """All steps so far."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A file with the state of a descent after its last stage, and whose it may be.

    Attributes:
        path: of the file.
        identity: digests of the parts of the problem, see `hepcuts._core.identity.identify`.
    """

    path: Path
    identity: Mapping[str, str]

    @classmethod
    def at(cls, path: str | Path | None, identify: Callable[[], Mapping[str, str]]) -> "Checkpoint | None":
        """A checkpoint, or None without a path; only with one is the problem identified, which takes time.

        Raises:
            InputError: its folder cannot be written to.
        """
        if path is None:
            return None
        files.try_folder(Path(path).parent)
        return cls(Path(path), identify())

    def keep(self, descent: AbstractDescent) -> None:
        """Replace the file by the state of a descent; if that fails it is a warning, and the descent goes on."""
        state = json.dumps({"problem": dict(self.identity), **descent.state}) + "\n"
        files.write_secondary(self.path, state, "The checkpoint")

    def resume(self, descent: AbstractDescent) -> None:
        """Bring a descent where the file says it was; if there is no file, leave it where it is.

        Raises:
            InputError: the file is no checkpoint, or that of another problem; the message says what differs.
        """
        if not self.path.exists():
            return
        with self._readable():
            found = json.loads(self.path.read_text(encoding="utf-8"))
            problem = dict(found.pop("problem"))
        parts = differing(problem, self.identity)
        if parts:
            raise InputError(
                f"The checkpoint {self.path} is that of another problem: not the same are {', '.join(parts)}. Delete "
                "it, or name another file."
            )
        with self._readable():
            descent.restore(found)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"The checkpoint {self.path} cannot be read ({error}); delete it to start anew."
            ) from error


def descend(
    descent: AbstractDescent,
    done: Callable[[int], object] | None = None,
    *,
    checkpoint: Checkpoint | None = None,
) -> bool:
    """Go through the stages.

    An interrupt (KeyboardInterrupt) ends them; those before count. In the first stage there are none, and the
    interrupt goes on to the caller.

    Args:
        descent: what goes through them.
        done: called with the number of each stage that is done.
        checkpoint: written after each stage, and what a later descent of the same problem goes on from.

    Returns:
        Whether the user interrupted it.

    Raises:
        InputError: the checkpoint is that of another problem.
    """
    if checkpoint is not None:
        checkpoint.resume(descent)
    try:
        for stage in descent.stages():
            descent.advance(stage)
            logging.getLogger(__name__).info("stage %d of the %s is done", stage + 1, type(descent).__name__)
            if checkpoint is not None:
                checkpoint.keep(descent)
            if done is not None:
                done(stage)
    except KeyboardInterrupt:
        if descent.num_stages == 0:
            raise
        descent.back_to(descent.num_stages - 1)
        return True
    return False
