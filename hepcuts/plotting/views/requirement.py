"""Whether a result has what a figure asks of it."""

from typing import Any

from hepcuts._core.errors import InputError


def require(result: Any, view: type[Any], origin: str) -> None:
    """Check that a result has all that a figure asks of it. No attribute is evaluated.

    Args:
        result: what is to be drawn.
        view: the protocol.
        origin: where such results come from, for the message.

    Raises:
        InputError: attributes are missing; the message names them.

    Example:
        >>> from hepcuts.plotting.views import MeritView
        >>> require("x", MeritView, "a figure of merit")
        Traceback (most recent call last):
            ...
        hepcuts._core.errors.InputError: Got a str; expected a figure of merit. It has no name, label, sign.
    """
    asked = [name for kind in reversed(view.__mro__) for name in vars(kind) if not name.startswith("_")]
    known = set(dir(result))
    missing = [name for name in asked if name not in known]
    if missing:
        raise InputError(f"Got a {type(result).__name__}; expected {origin}. It has no {', '.join(missing)}.")
