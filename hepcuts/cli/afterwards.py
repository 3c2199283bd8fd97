"""What a command does after its main result is on disk: a failure there is a remark and takes nothing away."""

import contextlib
import traceback
from collections.abc import Callable, Iterator, Sequence

import click

from hepcuts._core.errors import HepcutsError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


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
        except HepcutsError as error:
            self.remark(f"{what}: {error}")
        except KeyboardInterrupt:
            self.stop(f"{what}: interrupted")
        except Exception as error:  # noqa: BLE001 (a bug: its traceback is wanted, and so is the result)
            click.echo(traceback.format_exc(), err=True)
            self.remark(f"{what}: {type(error).__name__}: {error}")

    def remark(self, text: str) -> None:
        """Keep a remark, and say it."""
        self.remarks.append(text)
        click.echo(f"Warning: {text}", err=True)
        self._keep(self.remarks)

    def stop(self, why: str) -> None:
        """End the command after an interrupt; what was left out is a remark.

        Raises:
            Exit: always, with status 130.
        """
        self.remark(f"{why}; what comes afterwards was left out, the result is kept")
        raise click.exceptions.Exit(INTERRUPTED)
