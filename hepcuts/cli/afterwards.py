"""What a command does when its main result is found: nothing of it is lost.

If it cannot be written it is printed. A failure afterwards is a remark and takes nothing away.
"""

import contextlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from hepcuts._core.errors import HepcutsError, InputError

from .verbosity import warn

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def say(text: str) -> None:
    """Print what is also written to files; a stdout that is closed or full does not end the command."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(text)


@contextlib.contextmanager
def result_of(text: Callable[[], str], folder: Path) -> Iterator[None]:
    """A block that writes the main result; if it cannot, or Ctrl-C ends it, the result is printed.

    Args:
        text: the result.
        folder: where to.

    Raises:
        InputError: it cannot be written.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(text())
        raise
    except OSError as error:
        say(text())
        raise InputError(f"The result above could not be written to {folder} ({error.strerror or error}).") from error


class Afterwards:
    """Secondary steps of a command, and the remarks on those that failed.

    Args:
        keep: told all remarks whenever there is a new one, to write them beside the result.

    Example:
        >>> steps = Afterwards(lambda remarks: None)
        >>> with steps.step("the figure"):
        ...     raise HepcutsError("nothing to draw")
        >>> steps.remarks
        ['the figure: nothing to draw']
    """

    def __init__(self, keep: Callable[[Sequence[str]], object] = lambda _: None) -> None:
        self.remarks: list[str] = []
        self._keep = keep

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step; Ctrl-C in it ends the command with status 130.

        Args:
            what: the step, as the remark calls it.
        """
        try:
            yield
        except (HepcutsError, OSError) as error:
            self.remark(f"{what}: {error}")
        except KeyboardInterrupt:
            self.stop(f"{what}: interrupted")
        except Exception as error:  # noqa: BLE001 (a bug: its traceback is wanted, and so is the result)
            with contextlib.suppress(OSError, ValueError):
                click.echo(traceback.format_exc(), err=True)
            self.remark(f"{what}: {type(error).__name__}: {error}")

    def remark(self, text: str) -> None:
        """Keep a remark, and say it."""
        self.remarks.append(text)
        with contextlib.suppress(OSError, ValueError):
            warn(text)
        # On a full disk there is no place for a remark either.
        with contextlib.suppress(OSError):
            self._keep(self.remarks)

    def stop(self, why: str) -> None:
        """End the command after an interrupt; what was left out is a remark.

        Raises:
            Exit: always, with status 130.
        """
        self.remark(f"{why}; what comes afterwards was left out, the result is kept")
        raise click.exceptions.Exit(INTERRUPTED)
