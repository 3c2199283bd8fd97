"""What a configuration wants to stand in the figures of the command line."""

import re
from collections.abc import Mapping
from typing import Any

from hepcuts.plotting.heights import with_unit

from .schema import Document


def labeled(drawing: Any, document: Document) -> Any:
    """A drawing with the names of variables and samples, experiment, luminosity and energy of a configuration.

    Args:
        drawing: anything with a ``figure``.
        document: the configuration.

    Returns:
        The drawing.
    """
    figure = drawing.figure.canvas.figure
    axes = figure.get_axes()
    for ax in axes:
        ax.set_xlabel(_named(ax.get_xlabel(), document.labels.variables))
        ax.set_ylabel(with_unit(ax.get_ylabel(), ax.get_xlabel()))
        for text in legend.get_texts() if (legend := ax.get_legend()) else ():
            text.set_text(document.labels.samples.get(text.get_text(), text.get_text()))
    right = _luminosity(document)
    for text, place, some in ((document.labels.experiment, "left", axes[:1]), (right, "right", axes[-1:])):
        for ax in some if text else ():
            # What stands there already stays, over it.
            ax.set_title("\n".join(filter(None, (ax.get_title(loc=place), text))), loc=place)
    return drawing


def _named(text: str, names: Mapping[str, str]) -> str:
    """A text in which variables have other names, each as a whole."""
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{either})(?!\w)", lambda found: names[found[0]], text) if names else text


def _luminosity(document: Document) -> str:
    """Luminosity and energy in mathtext."""
    parts = [rf"${document.luminosity:g}\ \mathrm{{fb}}^{{-1}}$"] if document.luminosity else []
    parts += [f"({document.energy:g} TeV)" if parts else f"{document.energy:g} TeV"] if document.energy else []
    return " ".join(parts)
