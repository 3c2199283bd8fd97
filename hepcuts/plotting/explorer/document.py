"""The HTML document: markup, style and script of the page with the numbers of one scan in it."""

import base64
import hashlib
import html
import re
from importlib import resources
from pathlib import Path

from hepcuts._core import files
from hepcuts._core.errors import InputError
from hepcuts.cuts import Cut, Window
from hepcuts.plotting.views import ScanView, require

from .payload import as_json, payload

_SCRIPTS = ("numbers.js", "model.js", "figure.js", "panel.js", "main.js")
"""Parts of the script, in their order."""


def write(result: ScanView, path: str | Path, *, title: str | None = None) -> Path:
    """Write a scan as a page to explore in a browser.

    Args:
        result: from `hepcuts.scan`.
        path: the file; usually ends in ``.html``. It is replaced as a whole, or not at all.
        title: heading of the page, or None to name the variable.

    Returns:
        The path.

    Raises:
        InputError: not the result of a scan.

    Example:
        >>> import tempfile
        >>> import hepcuts as hc
        >>> samples = hc.datasets.tutorial(seed=1)
        >>> result = hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "asimov"), thresholds=range(-4, 8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(result, f"{folder}/scan.html").name
        'scan.html'
    """
    return files.write_text(path, page(result, title=title))


def page(result: ScanView, *, title: str | None = None) -> str:
    """The page as text.

    The page shows the samples' distributions, each metric relative to its best value, and every number of the result
    at the cut, which is dragged with mouse or finger or moved with the arrow keys. It shows at most about a thousand
    thresholds: all optima and the ends of their plateaus, and of the others as many evenly by rank; it says how many.
    Its script is admitted by its checksum and may not load anything: names of samples are shown, never run.

    Args:
        result: from `hepcuts.scan`.
        title: heading of the page, or None to name the variable.

    Returns:
        An HTML document.

    Raises:
        InputError: not the result of a scan, or one of a cut kind of one's own.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.tutorial(seed=1)
        >>> result = hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "asimov"), thresholds=range(-4, 8))
        >>> page(result, title="Signal & background").splitlines()[5]
        '<title>Signal &amp; background</title>'
    """
    require(result, ScanView, "the result of hepcuts.scan")
    if not isinstance(result.cut, Cut | Window):
        raise InputError(
            f"The page draws a column and writes hepcuts.Cut or hepcuts.Window of it, got {type(result.cut).__name__}; "
            "the result's plot() draws the scan of any cut."
        )
    heading = f"Scan of {result.cut.variable}" if title is None else title
    style = _part("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_part, _SCRIPTS)) + "})();\n"
    checksums = f"style-src '{_checksum(style)}'; script-src '{_checksum(script)}'"
    parts = {
        "policy": f"default-src 'none'; img-src data:; {checksums}",
        "title": html.escape(heading),
        "style": style,
        "data": as_json(payload(result)),
        "script": script,
    }
    # All at once: what was put in is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
