"""Numbers in files: JSON that any reader takes."""

import json
import math
from pathlib import Path
from typing import Any

from . import files


def as_json(document: Any) -> str:
    """A document as JSON, which has no NaN: null in its place.

    Example:
        >>> print(as_json([float("nan"), 1.5]))
        [
         null,
         1.5
        ]
    """
    return json.dumps(_without_nan(document), indent=1)


def write_json(document: Any, path: Path) -> None:
    """Write a document, whole or not at all."""
    files.write_text(path, as_json(document) + "\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
