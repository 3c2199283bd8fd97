"""The study's sentences, of ``texts.txt``, as blocks of its pages and as text."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from hepcuts._core.pages import AbstractBlock, Bullets, Heading, Paragraph


def section(name: str, /, **values: Any) -> list[AbstractBlock]:
    """A section of ``texts.txt`` as blocks: headings (``#``), items of lists (``-``) and paragraphs.

    Args:
        name: of the section, which begins with it in brackets.
        values: what is put in place of the names in braces.

    Example:
        >>> section("answer of a simulation", scenario="a", worth="much")
        [Bullets(items=('Chosen on events and judged by densities, in a cuts are worth much.',))]
    """
    return [_block(text) for text in _texts(name, values)]


def sentences(name: str, /, **values: Any) -> str:
    """A section of ``texts.txt`` without headings or lists, as text."""
    return " ".join(_texts(name, values))


def _texts(name: str, values: Mapping[str, Any]) -> list[str]:
    everything = resources.files(__package__).joinpath("texts.txt").read_text(encoding="utf-8")
    found = everything.partition(f"[{name}]\n")[2].partition("\n[")[0]
    return [" ".join(part.split()).format(**values) for part in found.strip().split("\n\n")]


def _block(text: str) -> AbstractBlock:
    mark, _, content = text.partition(" ")
    if set(mark) == {"#"}:
        return Heading(content, len(mark))
    return Bullets((content,)) if mark == "-" else Paragraph(text)


def percent(fraction: float, digits: int = 0) -> str:
    """A fraction as text, such as "12 %"."""
    return f"{100.0 * fraction:.{digits}f} %"
