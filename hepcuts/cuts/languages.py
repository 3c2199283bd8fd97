"""How comparisons are written in other programs: NumPy, awkward arrays, pandas, C++ as ROOT reads it, LaTeX."""

import dataclasses
import keyword
import re
from collections.abc import Mapping
from types import MappingProxyType

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
class Condition:
    """A column compared to a number.

    Attributes:
        column: the column.
        operator: ``">"``, ``"<"``, ``">="``, ``"<="``, ``"=="`` or ``"!="``.
        value: the number, or a line; None for the column itself, which only NaN differs from.
    """

    column: str
    operator: str
    value: float | Segment | None


@dataclasses.dataclass(frozen=True)
class Language:
    """How comparisons are written: as in NumPy; what others do otherwise, they say.

    Attributes:
        names: what columns are called there.
        define: formulas of columns that are computed from others.
    """

    names: Mapping[str, str]
    define: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dialect = "numpy"
    any_name = False
    """Whether a column may have any name: ``pt/GeV`` is one then, and no formula."""

    def quantity(self, column: str) -> str:
        """A column; or, where it is a formula of others that is not named there, what it is computed from."""
        if column in self.define and column not in self.names:
            return self.quantity(self.define[column])
        if column in self.names or _LABEL.search(column) or (self.any_name and not _FORMULA.search(column)):
            return self.name(column)
        from .written_formulas import DIALECTS, written  # noqa: PLC0415 (loaded when a formula is written)

        text = written(column, self._part, DIALECTS[self.dialect])
        return self.name(column) if text is None else text

    def _part(self, column: str) -> str:
        """A column within a formula."""
        return f"({self.quantity(column)})" if column in self.define else self.name(column)

    def name(self, column: str) -> str:
        """What a column is called there."""
        if column in self.names:
            return self.names[column]
        if not column.isidentifier() or keyword.iskeyword(column):
            raise self._no_name(column)
        return column

    def _no_name(self, column: str) -> InputError:
        return InputError(
            f"The column {column!r} cannot be named there; say what it is called: names={{{column!r}: ...}}."
        )

    def number(self, value: float) -> str:
        """A number with a point: what is compared or divided as a whole number may be something else."""
        return repr(float(value))

    def comparison(self, one: Condition) -> str:
        """One comparison."""
        column = self.quantity(one.column)
        if one.value is None:
            return f"({column} {one.operator} {column})"
        value = self.segment(one.value) if isinstance(one.value, Segment) else self.number(one.value)
        return f"({column} {one.operator} {value})"

    def segment(self, line: Segment) -> str:
        """As `numpy.interp` computes it."""
        slope = (line.thresholds[1] - line.thresholds[0]) / (line.knots[1] - line.knots[0])
        number = self.number
        along = self.quantity(line.along)
        return f"({number(slope)} * ({along} - {number(line.knots[0])}) + {number(line.thresholds[0])})"

    def together(self, parts: list[str]) -> str:
        """Comparisons that have to hold all."""
        return parts[0] if len(parts) == 1 else f"({' & '.join(parts)})"

    def any_of(self, parts: list[str]) -> str:
        """Alternatives."""
        return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"

    def all_of(self, parts: list[str]) -> str:
        """Cuts that have to be passed all."""
        return " & ".join(parts)

    def inverted(self, text: str) -> str:
        """What fails a cut."""
        return f"~({text})"


class _Awkward(Language):
    """Columns are fields of a record array named ``events``, whatever they are called."""

    dialect = "awkward"
    any_name = True

    def name(self, column: str) -> str:
        return self.names.get(column, f"events[{column!r}]")


class _Pandas(Language):
    dialect = "pandas"
    any_name = True

    def name(self, column: str) -> str:
        if column in self.names:
            return self.names[column]
        if "`" in column:
            raise self._no_name(column)
        return column if column.isidentifier() and not keyword.iskeyword(column) else f"`{column}`"


class _Root(Language):
    dialect = "root"

    def name(self, column: str) -> str:
        if column in self.names:
            return self.names[column]
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", column, re.ASCII) or _WORDS_OF_CPP.fullmatch(column):
            raise self._no_name(column)
        return column

    def comparison(self, one: Condition) -> str:
        return super().comparison(one)[1:-1]

    def together(self, parts: list[str]) -> str:
        return f"({' && '.join(parts)})"

    def any_of(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"

    def all_of(self, parts: list[str]) -> str:
        return " && ".join(parts)

    def inverted(self, text: str) -> str:
        return f"!{text}"


class _Latex(Language):
    dialect = "latex"
    any_name = True

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

    def comparison(self, one: Condition) -> str:
        operator = _OPERATORS_OF_LATEX.get(one.operator, one.operator)
        return super().comparison(one)[1:-1].replace(f" {one.operator} ", f" {operator} ", 1)

    def segment(self, line: Segment) -> str:
        rise = line.thresholds[1] - line.thresholds[0]
        along, first, last = self.quantity(line.along), line.knots[0], line.knots[1]
        share = f"({along} - {self.number(first)}) / {self.number(last - first)}"
        return f"{self.number(line.thresholds[0])} {'-' if rise < 0 else '+'} {self.number(abs(rise))} {share}"

    def together(self, parts: list[str]) -> str:
        return r" \wedge ".join(parts)

    def any_of(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else "(" + r" \vee ".join(parts) + ")"

    def all_of(self, parts: list[str]) -> str:
        return r" \wedge ".join(parts)

    def inverted(self, text: str) -> str:
        return rf"\neg ({text})"


LANGUAGES: Mapping[str, type[Language]] = MappingProxyType(
    {"numpy": Language, "pandas": _Pandas, "awkward": _Awkward, "root": _Root, "latex": _Latex}
)
_LABEL = re.compile(r"\$| \[")
"""What makes a text a label: mathematics, or a unit in brackets."""
_FORMULA = re.compile(r"[(*<>=&|]|\w\[| [-+/] ")
"""What makes a text a formula where it might be a name."""
_OPERATORS_OF_LATEX = MappingProxyType({">=": r"\geq", "<=": r"\leq", "==": "=", "!=": r"\neq"})
_WORDS_OF_CPP = re.compile(
    "alignas|alignof|and|and_eq|asm|auto|bitand|bitor|bool|break|case|catch|char|class|compl|concept|const|constexpr|"
    "continue|decltype|default|delete|do|double|else|enum|explicit|export|extern|false|float|for|friend|goto|if|inline|"
    "int|long|mutable|namespace|new|noexcept|not|not_eq|nullptr|operator|or|or_eq|private|protected|public|register|"
    "requires|return|short|signed|sizeof|static|struct|switch|template|this|throw|true|try|typedef|typeid|typename|"
    "union|unsigned|using|virtual|void|volatile|wchar_t|while|xor|xor_eq"
)
