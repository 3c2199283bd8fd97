"""How much the commands say beside their results: ``-q`` and ``-v``, by the loggers of Python's ``logging``."""

import logging
import sys
from typing import Any

import click

LOGGER = "hepcuts"
"""The logger above those of all modules."""


def options() -> tuple[click.Option, ...]:
    """``-q`` and ``-v`` for a command; what they switch is restored when the command ends."""
    return (
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=lambda context, _, given: _listen(context, logging.ERROR) if given else None,
            help="Say nothing but results and errors: no warnings, no progress.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            is_eager=True,
            callback=lambda context, _, given: _listen(context, max(logging.DEBUG, 30 - 10 * given)) if given else None,
            help="Say what is read and done; twice: more of it.",
        ),
    )


def warn(text: str) -> None:
    """A warning on stderr, unless warnings are not wanted."""
    if logging.getLogger(LOGGER).isEnabledFor(logging.WARNING):
        click.echo(f"Warning: {text}", err=True)


def _listen(context: Any, level: int) -> None:
    """Show the records of hepcuts from a level on, until the command ends."""
    logger = logging.getLogger(LOGGER)
    handler, before = logging.StreamHandler(sys.stderr), logger.level
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level)

    def restore() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before)

    context.find_root().call_on_close(restore)
