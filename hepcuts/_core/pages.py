"""Pages made of blocks, as Markdown and as one self-contained HTML file.

A block knows how to write itself in both. All text is escaped, in both; the only markup is that of the blocks.
"""

import abc
import base64
import dataclasses
import html
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from .tables import SummaryTable, in_markdown


@dataclasses.dataclass(frozen=True)
class AbstractBlock(abc.ABC):
    """Interface of the blocks."""

    @abc.abstractmethod
    def markdown(self) -> str:
        """The block in Markdown, without a newline at its end."""

    @abc.abstractmethod
    def html(self, folder: Path) -> str:
        """The block in HTML; `folder` is where its files are."""


@dataclasses.dataclass(frozen=True)
class Heading(AbstractBlock):
    """A heading of level 1 (the title), 2 or 3."""

    text: str
    level: int = 2

    @property
    def anchor(self) -> str:
        """What a link to it ends in."""
        return re.sub(r"[^a-z0-9]+", "-", self.text.lower()).strip("-")

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return f"{'#' * self.level} {in_markdown(self.text)}"

    def html(self, folder: Path) -> str:  # noqa: ARG002 (the interface's)
        """See `AbstractBlock.html`."""
        return f'<h{self.level} id="{self.anchor}">{html.escape(self.text)}</h{self.level}>'


@dataclasses.dataclass(frozen=True)
class Paragraph(AbstractBlock):
    """Running text."""

    text: str

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return in_markdown(self.text)

    def html(self, folder: Path) -> str:  # noqa: ARG002
        """See `AbstractBlock.html`."""
        return f"<p>{html.escape(self.text)}</p>"


@dataclasses.dataclass(frozen=True)
class Bullets(AbstractBlock):
    """A list."""

    items: tuple[str, ...]

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return "\n".join(f"- {in_markdown(item)}" for item in self.items)

    def html(self, folder: Path) -> str:  # noqa: ARG002
        """See `AbstractBlock.html`."""
        return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in self.items) + "</ul>"


@dataclasses.dataclass(frozen=True)
class TableBlock(AbstractBlock):
    """A table, with what is to be known about it as its title."""

    table: SummaryTable

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return _typeset(self.table.markdown())

    def html(self, folder: Path) -> str:  # noqa: ARG002
        """See `AbstractBlock.html`."""
        return f'<div class="table">{_typeset(self.table.html())}</div>'


@dataclasses.dataclass(frozen=True)
class Cards(AbstractBlock):
    """Numbers to be seen first, each with its label above and a remark below."""

    cards: tuple[tuple[str, str, str], ...]

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return "\n".join(
            f"- {in_markdown(label)}: **{in_markdown(value)}** {in_markdown(note)}".rstrip()
            for label, value, note in self.cards
        )

    def html(self, folder: Path) -> str:  # noqa: ARG002
        """See `AbstractBlock.html`."""
        cells = (
            f"<div><dt>{html.escape(label)}</dt><dd><strong>{html.escape(value)}</strong> "
            f"<span>{html.escape(note)}</span></dd></div>"
            for label, value, note in self.cards
        )
        return f'<dl class="cards">{"".join(cells)}</dl>'


@dataclasses.dataclass(frozen=True)
class Code(AbstractBlock):
    """Text to be copied."""

    text: str

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        fence = "`" * (1 + max(3, *(len(run) for run in re.findall("`+", self.text)), 3))
        return f"{fence}\n{self.text}\n{fence}"

    def html(self, folder: Path) -> str:  # noqa: ARG002
        """See `AbstractBlock.html`."""
        return f"<pre><code>{html.escape(self.text)}</code></pre>"


@dataclasses.dataclass(frozen=True)
class Notice(AbstractBlock):
    """A list that has to be seen, under a title."""

    title: str
    items: tuple[str, ...]

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return f"**{in_markdown(self.title)}**\n\n{Bullets(self.items).markdown()}"

    def html(self, folder: Path) -> str:
        """See `AbstractBlock.html`."""
        items = Bullets(self.items).html(folder)
        return f'<aside class="notice"><strong>{html.escape(self.title)}</strong>{items}</aside>'


@dataclasses.dataclass(frozen=True)
class Folded(AbstractBlock):
    """Blocks under a title that opens them."""

    title: str
    blocks: tuple[AbstractBlock, ...]

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return "\n\n".join([f"**{in_markdown(self.title)}**", *(block.markdown() for block in self.blocks)])

    def html(self, folder: Path) -> str:
        """See `AbstractBlock.html`."""
        inside = "\n".join(block.html(folder) for block in self.blocks)
        return f"<details><summary>{html.escape(self.title)}</summary>{inside}</details>"


@dataclasses.dataclass(frozen=True)
class Figure(AbstractBlock):
    """A PNG file below the page's folder, with what it shows; a wide one has a row of its own in a `Gallery`."""

    path: str
    caption: str
    wide: bool = False

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        name = Path(self.path).stem
        return f"![{in_markdown(name)}](<{self.path}>)\n\n{in_markdown(self.caption)}"

    def html(self, folder: Path) -> str:
        """See `AbstractBlock.html`."""
        data = base64.b64encode((folder / self.path).read_bytes()).decode("ascii")
        name, wide = html.escape(Path(self.path).stem), ' class="wide"' if self.wide else ""
        return (
            f'<figure{wide}><img src="data:image/png;base64,{data}" alt="{name}">'
            f"<figcaption>{html.escape(self.caption)}</figcaption></figure>"
        )


@dataclasses.dataclass(frozen=True)
class Gallery(AbstractBlock):
    """Figures beside each other, where there is room."""

    figures: tuple[Figure, ...]

    def markdown(self) -> str:
        """See `AbstractBlock.markdown`."""
        return "\n\n".join(figure.markdown() for figure in self.figures)

    def html(self, folder: Path) -> str:
        """See `AbstractBlock.html`."""
        return f'<div class="gallery">{"".join(figure.html(folder) for figure in self.figures)}</div>'


def to_markdown(blocks: Sequence[AbstractBlock]) -> str:
    r"""A page in Markdown.

    Example:
        >>> print(to_markdown([Heading("a_b"), TableBlock(SummaryTable("Two numbers.", [("1", "2")], ("x", "y")))]))
        ## a\_b
        <BLANKLINE>
        | x | y |
        | --- | ---: |
        | 1 | 2 |
        <BLANKLINE>
        Two numbers.
        <BLANKLINE>
    """
    return "\n\n".join(block.markdown() for block in blocks) + "\n"


def to_html(blocks: Sequence[AbstractBlock], folder: Path) -> str:
    """A page in HTML that needs no other file and no network.

    Args:
        blocks: what is on it; the first heading of level 1 is its title, those of level 2 are its contents, which
            stand before the first of them.
        folder: where the files of the blocks are; they are embedded.

    Example:
        >>> page = to_html([Heading("A & B", 1), Heading("More"), Paragraph("x < 1")], Path())
        >>> "<title>A &amp; B</title>" in page, '<a href="#more">More</a>' in page, "x &lt; 1" in page
        (True, True, True)
    """
    headings = [block for block in blocks if isinstance(block, Heading)]
    title = next((heading.text for heading in headings if heading.level == 1), "")
    links = "".join(f'<li><a href="#{h.anchor}">{html.escape(h.text)}</a></li>' for h in headings if h.level == 2)
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if links else ""
    first = next((n for n, block in enumerate(blocks) if isinstance(block, Heading) and block.level == 2), 1)
    body, style = [block.html(folder) for block in blocks], _style()
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Nothing may be loaded, and nothing is run.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            "style-src 'unsafe-inline'\">",
            f"<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>",
            *body[:first],
            contents,
            *body[first:],
            "</body>\n</html>\n",
        ]
    )


def joined(blocks: Iterable[AbstractBlock]) -> list[AbstractBlock]:
    """The same blocks, neighboring lists put together."""
    found: list[AbstractBlock] = []
    for block in blocks:
        last = found[-1] if found else None
        if isinstance(block, Bullets) and isinstance(last, Bullets):
            found[-1] = Bullets(last.items + block.items)
        else:
            found.append(block)
    return found


def _typeset(table: str) -> str:
    return table.replace(" +- ", " ± ")


def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
