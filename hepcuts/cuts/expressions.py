"""Selections as text that other programs read, and in which they select the same events.

A cut says by which comparisons it keeps an event (`PrintedCut.clauses`); how these are written is the same for all
cuts, one `Language` each: NumPy, pandas, C++ as ROOT reads it, LaTeX.
"""

import dataclasses
import keyword
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.decimals import exact
from hepcuts._core.errors import InputError


@dataclasses.dataclass(frozen=True)
class Segment:
    """A threshold that is linear in another column between two knots.

    Attributes:
        along: the column.
        knots: two values of it.
        thresholds: at these.
    """

    along: str
    knots: tuple[float, float]
    thresholds: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A column compared to a number.

    Attributes:
        column: the column.
        operator: ``">"``, ``"<"``, ``">="``, ``"<="``, ``"=="`` or ``"!="``.
        value: the number, or a line; None for the column itself, which only NaN differs from.
    """

    column: str
    operator: str
    value: float | Segment | None


Clauses = tuple[tuple[Comparison, ...], ...]
"""Alternatives, of each of which all comparisons have to hold."""


class PrintedCut:
    """What a cut says of itself as text; part of `AbstractCut`."""

    def clauses(self) -> Clauses | None:
        """By which comparisons it keeps an event without missing values; None if that cannot be said so."""
        return None


class PrintedSelection:
    """Selections as text; part of `Selection`.

    Attributes:
        cuts: the cuts.
    """

    cuts: Any

    def expression(
        self, language: str, *, missing: float | None = None, names: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """The selection for another program, in which it selects the same events.

        Thresholds are written with all their digits. A cut that slides is computed in the precision of its columns:
        give them 64 bits.

        Args:
            language: ``"numpy"`` (to be evaluated with the columns and ``np`` as names), ``"pandas"`` (for
                ``DataFrame.query``), ``"root"`` (for ``TTree::Draw``, ``RDataFrame::Filter`` and any C++), or
                ``"latex"`` (for math mode).
            missing: the number that stands for a missing value, or None.
            names: what columns are called there, where it is something else.

        Raises:
            InputError: an unknown language, a threshold that is not set, a cut that does not say what it compares, or
                a column whose name means nothing, or something else, there.

        Example:
            >>> import hepcuts as hc
            >>> selection = hc.Window("mass", 105, 140) & hc.Cut("n", ">", 1.5, integer=True)
            >>> print(selection)
            105 < mass < 140 & n >= 2
            >>> selection.expression("root")
            '(mass > 105.0 && mass < 140.0) && (n >= 2.0)'
            >>> selection.expression("latex", names={"mass": "m"})
            'm > 105 \\\\wedge m < 140 \\\\wedge \\\\mathrm{n} \\\\geq 2'
        """
        if language not in _LANGUAGES:
            raise InputError(f"There is no language {language!r}; choose one of {', '.join(_LANGUAGES)}.")
        writer = _LANGUAGES[language](names)
        return writer.all_of([_of_cut(cut, writer, missing) for cut in self.cuts])


def _of_cut(cut: Any, writer: "_Language", missing: float | None) -> str:
    plain = cut.plain
    if any(threshold is None for threshold in plain.thresholds):
        raise InputError(f"The threshold of {cut} is not set; an expression needs all of them.")
    clauses = plain.clauses()
    if clauses is None:
        raise InputError(
            f"{type(plain).__name__} on {plain.variable!r} does not say what it compares: let its clauses() return it "
            "(hepcuts.cuts.expressions.Comparison), or use the mask of the selection."
        )
    if missing is not None:
        clauses = _with_missing(clauses, plain, missing)
    text = writer.any_of([writer.together([writer.comparison(c) for c in clause]) for clause in clauses])
    return writer.inverted(text) if cut.inverted else text


def _with_missing(clauses: Clauses, cut: Any, missing: float) -> Clauses:
    """The clauses where a column may hold the number that stands for a missing value (or NaN, if that is it)."""
    if np.isnan(missing):  # NaN passes no comparison
        passing = tuple((Comparison(column, "!=", None),) for column in cut.columns)
        return (*clauses, *passing) if cut.missing == "pass" else clauses
    with np.errstate(over="ignore"):
        numbers = dict.fromkeys([float(missing), float(np.float32(missing))])
    numbers = {number: None for number in numbers if np.isfinite(number)}
    if cut.missing == "pass":
        return (*clauses, *((Comparison(column, "==", n),) for column in cut.columns for n in numbers))
    there = tuple(Comparison(column, "!=", n) for column in cut.columns for n in numbers)
    return tuple((*clause, *there) for clause in clauses)


@dataclasses.dataclass(frozen=True)
class _Language:
    """How comparisons are written: as in NumPy; what others do otherwise, they say."""

    names: Mapping[str, str]

    def name(self, column: str) -> str:
        if column in self.names:
            return self.names[column]
        if not column.isidentifier() or keyword.iskeyword(column):
            raise self._no_name(column)
        return column

    def _no_name(self, column: str) -> InputError:
        return InputError(f"The column {column!r} cannot be named there; say what it is called: names={{{column!r}: ...}}.")

    def number(self, value: float) -> str:
        """A number with a point: what is compared or divided as a whole number may be something else."""
        return repr(float(value))

    def comparison(self, one: Comparison) -> str:
        column = self.name(one.column)
        if one.value is None:
            return f"({column} {one.operator} {column})"
        value = self.segment(one.value) if isinstance(one.value, Segment) else self.number(one.value)
        return f"({column} {one.operator} {value})"

    def segment(self, line: Segment) -> str:
        """As `numpy.interp` computes it."""
        slope = (line.thresholds[1] - line.thresholds[0]) / (line.knots[1] - line.knots[0])
        number = self.number
        return f"({number(slope)} * ({self.name(line.along)} - {number(line.knots[0])}) + {number(line.thresholds[0])})"

    def together(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({' & '.join(parts)})"

    def any_of(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"

    def all_of(self, parts: list[str]) -> str:
        return " & ".join(parts)

    def inverted(self, text: str) -> str:
        return f"~({text})"


class _Pandas(_Language):
    def name(self, column: str) -> str:
        if column in self.names:
            return self.names[column]
        if "`" in column:
            raise self._no_name(column)
        return column if column.isidentifier() and not keyword.iskeyword(column) else f"`{column}`"


class _Root(_Language):
    def name(self, column: str) -> str:
        if column in self.names:
            return self.names[column]
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", column, re.ASCII) or column in _WORDS_OF_CPP:
            raise self._no_name(column)
        return column

    def comparison(self, one: Comparison) -> str:
        return super().comparison(one)[1:-1]

    def together(self, parts: list[str]) -> str:
        return f"({' && '.join(parts)})"

    def any_of(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"

    def all_of(self, parts: list[str]) -> str:
        return " && ".join(parts)

    def inverted(self, text: str) -> str:
        return f"!{text}"


class _Latex(_Language):
    def name(self, column: str) -> str:
        if column in self.names:
            return self.names[column]
        if "$" in column:  # a label with formulas, as it is
            return rf"\text{{{column}}}"
        escaped = re.sub(r"([_#%&{} ])", r"\\\1", column)
        return rf"\mathrm{{{escaped}}}"

    def number(self, value: float) -> str:
        mantissa, _, exponent = exact(value).partition("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa

    def comparison(self, one: Comparison) -> str:
        operator = _OPERATORS_OF_LATEX.get(one.operator, one.operator)
        return super().comparison(one)[1:-1].replace(f" {one.operator} ", f" {operator} ", 1)

    def segment(self, line: Segment) -> str:
        rise = line.thresholds[1] - line.thresholds[0]
        share = f"({self.name(line.along)} - {self.number(line.knots[0])}) / {self.number(line.knots[1] - line.knots[0])}"
        return f"{self.number(line.thresholds[0])} {'-' if rise < 0 else '+'} {self.number(abs(rise))} {share}"

    def together(self, parts: list[str]) -> str:
        return r" \wedge ".join(parts)

    def any_of(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else "(" + r" \vee ".join(parts) + ")"

    def all_of(self, parts: list[str]) -> str:
        return r" \wedge ".join(parts)

    def inverted(self, text: str) -> str:
        return rf"\neg ({text})"


_LANGUAGES: Mapping[str, type[_Language]] = MappingProxyType(
    {"numpy": _Language, "pandas": _Pandas, "root": _Root, "latex": _Latex}
)
_OPERATORS_OF_LATEX = MappingProxyType({">=": r"\geq", "<=": r"\leq", "==": "=", "!=": r"\neq"})
_WORDS_OF_CPP = frozenset(
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const constexpr "
    "continue decltype default delete do double else enum explicit export extern false float for friend goto if inline "
    "int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register "
    "requires return short signed sizeof static struct switch template this throw true try typedef typeid typename "
    "union unsigned using virtual void volatile wchar_t while xor xor_eq".split()
)
