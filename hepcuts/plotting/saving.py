"""Saving figures: whole or not at all, and closed afterwards."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from hepcuts._core import files


def save(drawing: Any, path: str | Path, *, dpi: float = 150) -> Path:
    """Save the figure of a drawing and close it.

    Args:
        drawing: what a function of `hepcuts.plotting` returned, or anything else with an attribute ``figure``.
        path: the file; its ending chooses the format.
        dpi: dots per inch of a raster format.

    Returns:
        The path.

    Example:
        >>> import tempfile, hepcuts as hc
        >>> from hepcuts import plotting
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(plotting.distributions(samples, "x"), f"{folder}/x.pdf").name
        'x.pdf'
    """
    figure = drawing.figure.canvas.figure
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    plt.close(figure)
    return Path(path)
