"""Which code belongs to an installed library, and to which release of it."""

import re
import sys
from typing import Any


def release_of(module: str | None) -> str | None:
    """The version of an installed module's library, or None for a user's own module.

    A library that does not say its version is taken for a user's own: its code counts by its content.

    Example:
        >>> release_of("numpy") is None, release_of("__main__") is None
        (False, True)
    """
    top = (module or "").partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return None if top == "__main__" else sys.version
    if top != __name__.partition(".")[0] and not re.search(r"[/\\](site|dist)-packages[/\\]", _origin(module or "")):
        return None
    version = getattr(sys.modules.get(top), "__version__", None)
    return version if isinstance(version, str) else None


def _origin(module: str) -> str:
    """The file of a module, or of the nearest package around one that a compiled library made up."""
    while module:
        origin = getattr(getattr(sys.modules.get(module), "__spec__", None), "origin", None)
        if isinstance(origin, str):
            return origin
        module = module.rpartition(".")[0]
    return ""


def known_name(value: Any) -> str | None:
    """Module, name and release of something that an installed library offers under its name; None of anything else."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    module = getattr(value, "__module__", None)
    if not isinstance(name, str) or not isinstance(module, str):
        return None
    release = release_of(module)
    return None if release is None or found(module, name) is not value else f"{module} {name} {release}"


def found(module: str, name: str) -> Any:
    """What a loaded module has under a name, which may have dots; None if there is nothing."""
    value: Any = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value
