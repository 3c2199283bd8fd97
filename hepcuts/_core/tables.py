"""Tables of results: the same rows as text, HTML, Markdown, LaTeX and CSV, and columns as a data frame."""

import abc
import csv
import dataclasses
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from .lazy import pd

DataFrame: TypeAlias = Any
"""A `pandas.DataFrame`. pandas is imported when one is made, and not for its name."""

_LATEX = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "+-": r"$\pm$",
    }
    | {character: f"\\{character}" for character in "&%$#_{}"}
)
_IN_LATEX = re.compile("|".join(map(re.escape, sorted(_LATEX, key=len, reverse=True))))


@dataclasses.dataclass(frozen=True, repr=False)
class SummaryTable:
    r"""Rows of text under a title.

    Attributes:
        title: what it is a table of, or "".
        rows: cells of each row.
        head: names of the columns; of rows that are pairs of label and text, none.
        foot: lines below the table.
        align: ``"l"`` or ``"r"`` for each column; by default the first to the left and the others to the right, or,
            without a head, all to the left.

    Example:
        >>> table = SummaryTable("Cuts & <values>", [("x", "28.1 +- 0.2"), ("m_T", "5")], head=("cut", "value"))
        >>> table
        Cuts & <values>
          cut        value
          x    28.1 +- 0.2
          m_T            5
        >>> print(table.markdown())
        | cut | value |
        | --- | ---: |
        | x | 28.1 +- 0.2 |
        | m\_T | 5 |
        <BLANKLINE>
        Cuts & \<values\>
        >>> print(table.latex())
        % Cuts & <values>
        \begin{tabular}{lr}
        cut & value \\
        \hline
        x & 28.1 $\pm$ 0.2 \\
        m\_T & 5 \\
        \end{tabular}
        >>> print(table.csv())
        cut,value
        x,28.1 +- 0.2
        m_T,5
        <BLANKLINE>
        >>> table.html()[:50]
        '<table><caption>Cuts &amp; &lt;values&gt;</caption'
    """

    title: str
    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()
    foot: Sequence[str] = ()
    align: str = ""

    @property
    def _lines(self) -> list[Sequence[str]]:
        """The head, if there is one, and the rows."""
        return [self.head, *self.rows] if self.head else [*self.rows]

    @property
    def _sides(self) -> str:
        columns = max(map(len, self._lines), default=0)
        return self.align or ("l" + "r" * (columns - 1) if self.head else "l" * columns)[:columns]

    def text(self) -> str:
        """As text; what belongs to the title is indented."""
        lines, sides = self._lines, self._sides
        widths = [max(len(line[column]) for line in lines) for column in range(len(sides))]
        indent = "  " if self.title else ""
        rows = [
            indent + "  ".join(c.rjust(w) if s == "r" else c.ljust(w) for c, w, s in zip(r, widths, sides, strict=True))
            for r in lines
        ]
        return "\n".join([*filter(None, [self.title]), *map(str.rstrip, rows), *(indent + line for line in self.foot)])

    def html(self) -> str:
        """As an HTML table, all text escaped; lines of the foot are paragraphs after it."""
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        sides = self._sides
        head = "<tr>" + _html_cells("th", self.head, sides, ' scope="col"') + "</tr>" if self.head else ""
        first = "td" if self.head else "th"
        body = "\n".join(
            f"<tr>{_html_cells(first, row[:1], sides)}{_html_cells('td', row[1:], sides[1:])}</tr>" for row in self.rows
        )
        foot = "".join(f"<p>{html.escape(line)}</p>" for line in self.foot)
        return f"<table>{caption}<thead>{head}</thead>\n<tbody>{body}</tbody></table>{foot}"

    def markdown(self) -> str:
        """As a table in Markdown with the title below it, all text escaped; without a newline at its end."""
        head = self.head or [""] * len(self._sides)
        rule = [{"l": "---", "r": "---:"}[side] for side in self._sides]
        lines = [_escaped(head), rule, *map(_escaped, self.rows)]
        below = [in_markdown(line) for line in (self.title, *self.foot) if line]
        return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + [x for b in below for x in ("", b)])

    def latex(self) -> str:
        """As a LaTeX tabular, all text escaped; title and foot are comments."""
        lines = [" & ".join(map(in_latex, line)) + r" \\" for line in self._lines]
        if self.head:
            lines.insert(1, r"\hline")
        title, foot = ([f"% {line}" for line in part if line] for part in ((self.title,), self.foot))
        return "\n".join([*title, rf"\begin{{tabular}}{{{self._sides}}}", *lines, r"\end{tabular}", *foot])

    def csv(self) -> str:
        """The head and the rows as comma-separated values, without title and foot, and a newline at the end."""
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows(self._lines)
        return written.getvalue()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


class Tabular(abc.ABC):
    """What can be shown as a table. A dataclass derived from it is made with ``repr=False``."""

    @abc.abstractmethod
    def overview(self) -> SummaryTable:
        """What is known already. Nothing is evaluated for it: it is the echo of a notebook's cell."""

    def summary(self) -> SummaryTable:
        """All there is to say; what takes time is evaluated for it."""
        return self.overview()

    def __repr__(self) -> str:
        return self.overview().text()

    def _repr_html_(self) -> str:
        return self.overview().html()


def data_frame(
    columns: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    index: Sequence[str] | None = None,
    name: str | None = None,
) -> DataFrame:
    """A data frame of columns, or of rows.

    Args:
        columns: name to values, or rows of name and value; what a row does not have is NaN.
        index: labels of the rows, or None for their numbers.
        name: of the index.

    Example:
        >>> data_frame({"pull": [0.5]}, index=["lumi"], name="parameter").loc["lumi", "pull"].item()
        0.5
    """
    return pd.DataFrame(columns, index=None if index is None else pd.Index(index, name=name))


def in_markdown(text: str) -> str:
    """Text whose characters mean themselves in Markdown."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)


def in_latex(text: str) -> str:
    r"""Text whose characters mean themselves in LaTeX, but that ``+-`` becomes the sign.

    Example:
        >>> print(in_latex("40 < m_T, 5 % +- 1"))
        40 \textless{} m\_T, 5 \% $\pm$ 1
    """
    return _IN_LATEX.sub(lambda found: _LATEX[found[0]], text)


def _escaped(cells: Iterable[str]) -> list[str]:
    return [in_markdown(cell) for cell in cells]


def _html_cells(tag: str, cells: Sequence[str], sides: str, attributes: str = "") -> str:
    """Cells, those of a column to the left being of the class ``l``."""
    classes = {"l": ' class="l"'}
    return "".join(
        f"<{tag}{attributes}{classes.get(side, '')}>{html.escape(cell)}</{tag}>"
        for cell, side in zip(cells, sides, strict=False)
    )
