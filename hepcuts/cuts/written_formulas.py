"""Formulas of columns as other programs read them, where a variable that is cut on is one."""

import ast
import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

from hepcuts._core.decimals import exact
from hepcuts._core.errors import InputError
from hepcuts._core.formula_terms import TermReader

Write = Callable[..., str]
"""Texts of the operands to that of the whole."""
_SYMBOLS: Mapping[type[ast.AST], str] = MappingProxyType(
    {
        ast.Add: "+",
        ast.Sub: "-",
        ast.Mult: "*",
        ast.Div: "/",
        ast.Pow: "**",
        ast.Gt: ">",
        ast.GtE: ">=",
        ast.Lt: "<",
        ast.LtE: "<=",
        ast.Eq: "==",
        ast.NotEq: "!=",
    }
)
_CONSTANTS = MappingProxyType({"pi": 3.141592653589793, "true": 1.0, "false": 0.0})
_ALIKE = ("exp", "expm1", "floor", "ceil", "log", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
"""Functions of one name everywhere."""
_SHORT = MappingProxyType({"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "fabs": "abs"})
"""Those of ROOT that NumPy calls otherwise."""
_OF_CONDITIONS = frozenset({"any", "all"})
_OF_TWO = frozenset({"min", "max"})
"""Functions that are of a list of each event if they have one argument."""
_LONG = MappingProxyType({long: short for short, long in _SHORT.items() if short != "fabs"})


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How formulas are written in a language.

    Attributes:
        functions: name to how a call of it is written.
        number: a number.
        column: the name of a column, as the language has it, where it is computed with.
        binary: an operator between two operands, by its symbol in Python.
        both: two conditions that have to hold.
        either: one of two.
        fails: a condition that must not hold.
        lists: name of a function of the list that each event has, to how a call of it is written.
        of_each: functions that have another name where they are of each entry of lists.
        entry: an entry of that list, by its number.
        chosen: those entries for which a condition holds.
    """

    functions: Mapping[str, Write]
    number: Callable[[float], str] = lambda value: repr(float(value))
    column: Write = lambda name: name
    binary: Write = lambda left, symbol, right: f"({left} {symbol} {right})"
    both: Write = lambda left, right: f"({left} & {right})"
    either: Write = lambda left, right: f"({left} | {right})"
    fails: Write = lambda condition: f"~{condition}"
    lists: Mapping[str, Write] = dataclasses.field(default_factory=dict)
    of_each: Mapping[str, Write] = dataclasses.field(default_factory=dict)
    entry: Callable[[str, int], str] | None = None
    chosen: Write = lambda values, condition: f"{values}[{condition}]"


def written(formula: str, name: Callable[[str], str], dialect: Dialect) -> str | None:
    """A formula in another language; None if it is none, or cannot be written there.

    Args:
        formula: the text.
        name: a column to what it is called there.
        dialect: of the language.

    Example:
        >>> written("sqrt(2*pt) / TMath::Abs(eta)", str, DIALECTS["root"])
        '(1.0 * sqrt((2.0 * (1.0 * pt))) / fabs((1.0 * eta)))'
    """
    try:
        reader = TermReader(formula)
        return None if reader.is_name else _FormulaWriter(reader, name, dialect).text(reader.tree)
    except (InputError, _NotWrittenError):
        return None


class _NotWrittenError(Exception):
    """There is nothing for it in the language."""


class _FormulaWriter:
    """Goes through the parts of a formula."""

    def __init__(self, reader: TermReader, name: Callable[[str], str], dialect: Dialect) -> None:
        self.reader, self.name, self.dialect = reader, name, dialect
        self.functions = dialect.functions

    def of_lists(self) -> "_FormulaWriter":
        """The same within a function of lists."""
        inside = _FormulaWriter(self.reader, self.name, self.dialect)
        inside.functions = {**self.functions, **self.dialect.of_each}
        return inside

    def text(self, node: ast.expr) -> str:
        """A part."""
        write: Callable[[ast.expr], str] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            raise _NotWrittenError
        return write(node)

    def _condition(self, node: ast.expr) -> str:
        """A part as true or false: numbers are compared with zero."""
        logical = isinstance(node, ast.Compare | ast.BoolOp)
        logical = logical or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert))
        return self.text(node) if logical else self.dialect.binary(self.text(node), "!=", self.dialect.number(0.0))

    def _constant(self, node: ast.Constant) -> str:
        return self.dialect.number(float(node.value))  # type: ignore[arg-type]  # a number, or it would not be read

    def _name(self, node: ast.Name) -> str:
        if node.id in _CONSTANTS:
            return self.dialect.number(_CONSTANTS[node.id])
        if node.id == "nan":
            raise _NotWrittenError
        return self.dialect.column(self.name(self.reader.column_name(node.id)))

    def _attribute(self, node: ast.Attribute) -> str:
        return self.dialect.column(self.name(ast.unparse(node)))

    def _unaryop(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not | ast.Invert):
            return self.dialect.fails(self._condition(node.operand))
        return f"(-{self.text(node.operand)})" if isinstance(node.op, ast.USub) else self.text(node.operand)

    def _binop(self, node: ast.BinOp) -> str:
        if type(node.op) not in _SYMBOLS:
            raise _NotWrittenError
        return self.dialect.binary(self.text(node.left), _SYMBOLS[type(node.op)], self.text(node.right))

    def _boolop(self, node: ast.BoolOp) -> str:
        join = self.dialect.both if isinstance(node.op, ast.And) else self.dialect.either
        first, *others = map(self._condition, node.values)
        for other in others:
            first = join(first, other)
        return first

    def _compare(self, node: ast.Compare) -> str:
        values = [self.text(value) for value in (node.left, *node.comparators)]
        symbols = [_SYMBOLS[type(op)] for op in node.ops]
        first, *others = map(self.dialect.binary, values[:-1], symbols, values[1:])
        for other in others:
            first = self.dialect.both(first, other)
        return first

    def _subscript(self, node: ast.Subscript) -> str:
        if self.dialect.entry is None:
            raise _NotWrittenError
        inside = self.of_lists()
        values = inside.text(node.value)
        try:
            return self.dialect.entry(values, ast.literal_eval(node.slice))
        except ValueError:
            return self.dialect.chosen(values, inside._condition(node.slice))

    def _call(self, node: ast.Call) -> str:
        name = ast.unparse(node.func)
        if len(node.args) == 1 and name in self.dialect.lists:
            inside = self.of_lists()
            part = inside._condition if name in _OF_CONDITIONS else inside.text
            return self.dialect.lists[name](part(node.args[0]))
        name = name if name == "where" else _SHORT.get(name.lower(), name.lower())
        if name == "pow":
            return self.dialect.binary(self.text(node.args[0]), "**", self.text(node.args[1]))
        if name not in self.functions or (name in _OF_TWO and len(node.args) == 1):
            raise _NotWrittenError
        if name != "where":
            return self.functions[name](*map(self.text, node.args))
        condition, *sides = node.args
        return self.functions[name](self._condition(condition), *map(self.text, sides))


def _called(name: str) -> Write:
    return lambda *arguments: f"{name}({', '.join(arguments)})"


def _in_cpp(left: str, symbol: str, right: str) -> str:
    if symbol == "**":
        return f"pow({left}, {right})"
    # Whole numbers would be divided as such.
    return f"({'1.0 * ' * (symbol == '/')}{left} {symbol} {right})"


def _entry_in_awkward(values: str, number: int) -> str:
    ordered, place = (values, number) if number >= 0 else (f"{values}[:, ::-1]", -number - 1)
    return f"ak.fill_none(ak.pad_none({ordered}, {place + 1}, axis=1)[:, {place}], np.nan)"


def _entry_in_cpp(values: str, number: int) -> str:
    least, place = (number + 1, str(number)) if number >= 0 else (-number, f"{values}.size() - {-number}")
    return f"({values}.size() >= {least} ? {values}[{place}] : NAN)"


def _in_latex(left: str, symbol: str, right: str) -> str:
    forms = {
        "/": rf"\frac{{{left}}}{{{right}}}",
        "**": rf"{{{left}}}^{{{right}}}",
        "*": rf"{left} \, {right}",
        "+": f"({left} + {right})",
        "-": f"({left} - {right})",
    }
    compared = {">=": r"\geq", "<=": r"\leq", "==": "=", "!=": r"\neq"}
    return forms.get(symbol, f"{left} {compared.get(symbol, symbol)} {right}")


def _number_in_latex(value: float) -> str:
    mantissa, _, exponent = exact(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


_OF_NUMPY: Mapping[str, Write] = MappingProxyType(
    {name: _called(f"np.{name}") for name in (*_ALIKE, "log2", "sign", "isnan", "hypot", "fmod", "abs", *_LONG)}
    | {"min": _called("np.minimum"), "max": _called("np.maximum")}
)
_OF_PANDAS: Mapping[str, Write] = MappingProxyType({name: _called(name) for name in (*_ALIKE, *_LONG, "abs")})
_OF_CPP: Mapping[str, Write] = MappingProxyType(
    {name: _called(_LONG.get(name, name)) for name in (*_ALIKE, *_LONG, "log2", "hypot", "fmod")}
    | {
        "abs": _called("fabs"),
        "isnan": lambda x: f"({x} != {x})",
        # What is no number stays none, as in NumPy.
        "min": lambda a, b: f"({a} != {a} || {a} < {b} ? {a} : {b})",
        "max": lambda a, b: f"({a} != {a} || {a} > {b} ? {a} : {b})",
        "where": lambda condition, a, b: f"({condition} ? {a} : {b})",
    }
)
_LISTS_OF_AWKWARD: Mapping[str, Write] = MappingProxyType(
    {
        "len": lambda values: f"ak.num({values}, axis=1)",
        "sum": lambda values: f"ak.sum({values}, axis=1)",
        "min": lambda values: f"ak.fill_none(ak.min({values}, axis=1), np.nan)",
        "max": lambda values: f"ak.fill_none(ak.max({values}, axis=1), np.nan)",
        "any": lambda condition: f"ak.any({condition}, axis=1)",
        "all": lambda condition: f"ak.all({condition}, axis=1)",
    }
)
_LISTS_OF_ROOT: Mapping[str, Write] = MappingProxyType(
    {
        "len": lambda values: f"double({values}.size())",
        "sum": lambda values: f"ROOT::VecOps::Sum({values})",
        "min": lambda values: f"({values}.empty() ? NAN : ROOT::VecOps::Min({values}))",
        "max": lambda values: f"({values}.empty() ? NAN : ROOT::VecOps::Max({values}))",
        "any": lambda condition: f"ROOT::VecOps::Any({condition})",
        "all": lambda condition: f"ROOT::VecOps::All({condition})",
    }
)
"""Of ``RVec``, as RDataFrame has lists."""
_NAMED_IN_LATEX = (
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arcsin",
    "arccos",
    "arctan",
    "min",
    "max",
)
_OF_LATEX: Mapping[str, Write] = MappingProxyType(
    {name: _called(rf"\{name}") for name in _NAMED_IN_LATEX}
    | {"sqrt": lambda x: rf"\sqrt{{{x}}}", "abs": lambda x: rf"|{x}|"}
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "numpy": Dialect({**_OF_NUMPY, "where": _called("np.where")}, column=_called("np.float64")),
        "awkward": Dialect(_OF_NUMPY, lists=_LISTS_OF_AWKWARD, entry=_entry_in_awkward),
        "pandas": Dialect(_OF_PANDAS),
        "root": Dialect(
            _OF_CPP,
            # In 64 bits, whatever the column has.
            column=lambda name: f"(1.0 * {name})",
            binary=_in_cpp,
            both=lambda left, right: f"({left} && {right})",
            either=lambda left, right: f"({left} || {right})",
            fails=lambda condition: f"(!{condition})",
            lists=_LISTS_OF_ROOT,
            of_each={"abs": _called("ROOT::VecOps::abs")},
            entry=_entry_in_cpp,
        ),
        "latex": Dialect(
            _OF_LATEX,
            number=_number_in_latex,
            binary=_in_latex,
            both=lambda left, right: rf"({left} \wedge {right})",
            either=lambda left, right: rf"({left} \vee {right})",
            fails=lambda condition: rf"\neg ({condition})",
        ),
    }
)
"""Languages in which formulas can be written."""
