r"""Labels of metrics for a page: the part of mathtext that they use, as a tree of text.

A tree is a list of pieces. A piece is upright text, or a pair of a kind (``"i"``: italic, ``"sub"``, ``"sup"``,
``"sqrt"``: under a root) and a list of pieces.
"""

import re
import unicodedata
from types import MappingProxyType
from typing import Any

_GREEK = MappingProxyType(
    {
        name: unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda').upper()}")
        for name in (
            *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu"),
            *("xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"),
        )
    }
)
_SYMBOLS = MappingProxyType(
    _GREEK
    | {
        "Delta": "\N{GREEK CAPITAL LETTER DELTA}",
        "cdot": "\N{MIDDLE DOT}",
        "times": "\N{MULTIPLICATION SIGN}",
        "pm": "\N{PLUS-MINUS SIGN}",
        "leq": "\N{LESS-THAN OR EQUAL TO}",
        "geq": "\N{GREATER-THAN OR EQUAL TO}",
        ",": "\N{THIN SPACE}",
        " ": " ",
        "%": "%",
    }
)
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}_^]|\s+|.", re.DOTALL)
_UPRIGHT = ("mathrm", "text", "rm", "operatorname")

Tree = list[Any]
"""Pieces of a label."""


def tree(label: str) -> Tree:
    r"""A label as a tree; what is no known mathtext stays as it is written.

    Args:
        label: text with formulas between dollar signs.

    Example:
        >>> tree(r"$S/\sqrt{B}$")
        [['i', ['S']], '/', ['sqrt', [['i', ['B']]]]]
        >>> tree(r"$\oint$ of 5 %")
        ['$\\oint$ of 5 %']
    """
    parts = label.split("$")
    if len(parts) % 2 == 0:
        return [label]
    pieces: Tree = []
    try:
        for number, part in enumerate(parts):
            pieces += _MathtextParser(part).group() if number % 2 else [part] * bool(part)
    except ValueError:
        return [label]
    return pieces


def plain(label: str) -> str:
    r"""A label as text without any markup.

    Args:
        label: as for `tree`.

    Example:
        >>> plain(r"$S/\sqrt{S+B}$")
        'S/√(S+B)'
    """
    return _plain(tree(label))


def _plain(pieces: Tree) -> str:
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        kind, inner = piece[0], _plain(piece[1])
        if kind == "sqrt":
            inner = inner if len(inner) == 1 else f"({inner})"
        text += {"i": "", "sub": "_", "sup": "^", "sqrt": "√"}[kind] + inner
    return text


class _MathtextParser:
    """Reads one formula, token by token."""

    def __init__(self, formula: str) -> None:
        self.tokens = _TOKEN.findall(formula)
        self.at = 0

    def group(self, closing: str = "") -> Tree:
        """Pieces up to the closing brace, or to the end."""
        pieces: Tree = []
        while self.at < len(self.tokens):
            if self.tokens[self.at] == closing:
                self.at += 1
                return pieces
            pieces += self.piece()
        if closing:
            raise ValueError("a brace is not closed")
        return pieces

    def piece(self) -> Tree:
        """The next piece, as a list of none, one or several."""
        if self.at == len(self.tokens):
            raise ValueError("something is missing at the end")
        read = self.tokens[self.at]
        self.at += 1
        if read == "{":
            return self.group("}")
        if read in "_^":
            return [["sub" if read == "_" else "sup", self.piece()]]
        if read.startswith("\\"):
            return self.command(read[1:])
        if read == "}":
            raise ValueError("a brace was not opened")
        return [] if read.isspace() else [["i", [read]]] if read.isalpha() else [read]

    def command(self, name: str) -> Tree:
        """What follows a backslash."""
        if name == "sqrt":
            return [["sqrt", self.piece()]]
        if name in _UPRIGHT:
            return [_plain(self.piece())]
        if name not in _SYMBOLS:
            raise ValueError(f"unknown command {name}")
        symbol = _SYMBOLS[name]
        return [["i", [symbol]]] if name in _GREEK else [symbol]
