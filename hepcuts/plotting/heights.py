"""What the height of a bin counts, as it stands at an axis: events in the width of the bins, with the unit if known."""

import re

import numpy as np

from hepcuts._core.types import FloatArray

_UNIT = re.compile(r"\[(?P<unit>[^\[\]]+)\]\s*$")
_WIDTH = re.compile(r"Events / [\d.e+-]+$")


def height_label(edges: FloatArray, label: str) -> str:
    """Label of the y axis: events in the width of the bins, if all are equally wide and not one for a whole number.

    Args:
        edges: of the bins, increasing, shape (bin + 1,).
        label: of the x axis, which perhaps ends with a unit in brackets.

    Example:
        >>> height_label(np.linspace(0.0, 100.0, 21), "$m_T$ [GeV]"), height_label(np.array([0.0, 1.0, 5.0]), "x")
        ('Events / 5 GeV', 'Events / bin')
    """
    widths = np.diff(edges)
    width = float(np.mean(widths))
    whole = np.allclose(edges - 0.5, np.round(edges - 0.5)) and np.isclose(width, 1.0)
    if whole or not np.allclose(widths, width, rtol=1e-6, atol=0.0):
        return "Events / bin"
    return with_unit(f"Events / {width:.3g}", label)


def with_unit(height: str, label: str) -> str:
    """A label of `height_label` with the unit that another label of the x axis ends with.

    Example:
        >>> with_unit("Events / 5", "mass [GeV]"), with_unit("Events / bin", "mass [GeV]"), with_unit("Events / 5", "x")
        ('Events / 5 GeV', 'Events / bin', 'Events / 5')
    """
    found = _UNIT.search(label)
    return f"{height} {found['unit'].strip()}" if found and _WIDTH.match(height) else height
