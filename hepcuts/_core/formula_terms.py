"""The parts of a formula: what may stand in one, and what it computes from columns."""

import ast
import functools
import math
import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .columns import numbers
from .errors import InputError
from .jagged import awkward, filled, is_jagged, plain, real, wide

_LONGEST = 10_000
"""Characters; Python's parser needs a stack for nested brackets."""
_RENAMED = (
    (re.compile(r"\b(?:TMath|std|ROOT::VecOps)::"), ""),
    (re.compile(r"&&|&"), " and "),
    (re.compile(r"\|\||\|"), " or "),
    (re.compile(r"!(?!=)"), "~"),
)
"""How ROOT and NumPy write what Python's grammar calls otherwise."""
Term = Callable[[Mapping[str, Any]], Any]
"""A part of a formula: a function of the columns."""
_CONSTANTS: Mapping[str, Any] = MappingProxyType({"pi": math.pi, "true": True, "false": False, "nan": math.nan})
_ARITHMETIC: Mapping[type[ast.AST], Callable[..., Any]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.Pow: operator.pow,
    }
)
_OF_INTEGERS: Mapping[type[ast.AST], Callable[..., Any]] = MappingProxyType(
    {ast.Mod: operator.mod, ast.FloorDiv: operator.floordiv}
)
"""Numbers of events may be larger than floats count."""
_COMPARISONS: Mapping[type[ast.AST], Callable[..., Any]] = MappingProxyType(
    {
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    }
)
_FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = MappingProxyType(
    {name: (1, getattr(np, name)) for name in ("exp", "expm1", "floor", "ceil", "log", "log10", "log1p", "log2")}
    | {name: (1, getattr(np, name)) for name in ("sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign", "isnan")}
    | {
        "abs": (1, np.abs),
        "fabs": (1, np.abs),
        "asin": (1, np.arcsin),
        "acos": (1, np.arccos),
        "atan": (1, np.arctan),
        "arcsin": (1, np.arcsin),
        "arccos": (1, np.arccos),
        "arctan": (1, np.arctan),
        "atan2": (2, np.arctan2),
        "arctan2": (2, np.arctan2),
        "hypot": (2, np.hypot),
        "fmod": (2, np.fmod),
        "min": (2, np.minimum),
        "max": (2, np.maximum),
        "pow": (2, operator.pow),
    }
)
"""Functions of numbers: of how many, and which."""
_OF_LISTS = MappingProxyType({"len": "num", "sum": "sum", "min": "min", "max": "max", "any": "any", "all": "all"})
"""Functions of the list that each event has in a jagged branch, and awkward's name of them."""


def _first_of(values: Any) -> str:
    """The first value that is no number, and its row, in words."""
    for row, value in enumerate(np.ravel(values).tolist()):
        try:
            float(value)
        except (TypeError, ValueError):
            return f" (first {value!r}, in row {row} counted from 0)"
    return ""


class TermReader:
    """Reads a text once: what is not in the tables above is refused, the rest becomes functions of columns.

    Attributes:
        names: columns that were found.
        tree: the formula as Python's grammar has it.
        term: the whole formula.
        is_name: whether it is the name of a column.
    """

    def __init__(self, text: Any) -> None:
        if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
            raise InputError(f"A formula came as {str(text)[:80]!r}; expected text such as 'abs(eta) < 2.5'.")
        self.text: str = text
        self.names: dict[str, None] = {}
        self._quoted: dict[str, str] = {}
        self.tree = self._parsed()
        self.is_name = isinstance(self.tree, ast.Name | ast.Attribute)
        self.term = self._read(self.tree)

    def column_name(self, name: str) -> str:
        """The column that a name in the tree means: one between backticks has another name there."""
        return self._quoted.get(name, name)

    def _parsed(self) -> ast.expr:
        text = re.sub(r"`([^`]+)`", self._placeholder, self.text)
        for pattern, by in _RENAMED:
            text = pattern.sub(by, text)
        try:
            return ast.parse(" ".join(text.split()), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            hint = " For condition ? a : b write where(condition, a, b)." if "?" in text else ""
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise InputError(f"The formula {self.text!r} cannot be read: {reason}.{hint}") from error

    def _placeholder(self, found: re.Match[str]) -> str:
        name = f"_quoted_{len(self._quoted)}"
        self._quoted[name] = found[1]
        return name

    def _refused(self, what: str) -> InputError:
        return InputError(f"The formula {self.text!r}: {what}.")

    def _read(self, node: ast.expr) -> Term:
        read = getattr(self, f"_read_{type(node).__name__.lower()}", None)
        if read is None:
            raise self._refused(f"{ast.unparse(node)!r} is nothing that can stand in a formula")
        term: Term = read(node)
        return term

    def _read_constant(self, node: ast.Constant) -> Term:
        if not isinstance(node.value, bool | int | float):
            raise self._refused(f"{node.value!r} is no number")
        return lambda _: node.value

    def _read_name(self, node: ast.Name) -> Term:
        if node.id in _CONSTANTS:
            return lambda _: _CONSTANTS[node.id]
        return self._column(self.column_name(node.id))

    def _read_attribute(self, node: ast.Attribute) -> Term:
        name = ast.unparse(node)
        if not re.fullmatch(r"\w+(\.\w+)+", name):
            raise self._refused(f"{name!r} is no column")
        return self._column(name)

    def _column(self, name: str) -> Term:
        self.names[name] = None

        def term(columns: Mapping[str, Any]) -> Any:
            if name not in columns:
                raise self._refused(f"there is no column {name!r}; there are {', '.join(columns)}")
            values = plain(columns[name])
            try:
                # Text, dates and objects are refused, null in objects is NaN; the rest stays as it is.
                return values if is_jagged(values) or values.dtype.kind in "biuf" else numbers(values)
            except (TypeError, ValueError) as error:
                said = f"the column {name!r} is no number but {error}{_first_of(values)}"
                raise (InputError(f"T{said[1:]}.") if self.is_name else self._refused(said)) from error

        return term

    def _read_unaryop(self, node: ast.UnaryOp) -> Term:
        operand, written = self._read(node.operand), ast.unparse(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return lambda columns: ~self._condition(operand(columns), written)
        if isinstance(node.op, ast.USub):
            return lambda columns: -real(operand(columns))
        return operand

    def _read_binop(self, node: ast.BinOp) -> Term:
        left, right = self._read(node.left), self._read(node.right)
        if type(node.op) in _ARITHMETIC:
            combine, prepared = _ARITHMETIC[type(node.op)], real
        elif type(node.op) in _OF_INTEGERS:
            combine, prepared = _OF_INTEGERS[type(node.op)], wide
        else:
            raise self._refused(f"the operator of {ast.unparse(node)!r} is not known; a power is written **")
        return lambda columns: combine(prepared(left(columns)), prepared(right(columns)))

    def _read_boolop(self, node: ast.BoolOp) -> Term:
        parts = [(self._read(value), ast.unparse(value)) for value in node.values]
        combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return lambda columns: functools.reduce(combine, [self._condition(t(columns), what) for t, what in parts])

    def _read_compare(self, node: ast.Compare) -> Term:
        if any(type(op) not in _COMPARISONS for op in node.ops):
            raise self._refused(f"{ast.unparse(node)!r} is no comparison of numbers")
        terms = [self._read(value) for value in (node.left, *node.comparators)]
        operators = [_COMPARISONS[type(op)] for op in node.ops]

        def term(columns: Mapping[str, Any]) -> Any:
            values = [wide(t(columns)) for t in terms]
            pairs = zip(operators, values[:-1], values[1:], strict=True)
            return functools.reduce(operator.and_, [compare(a, b) for compare, a, b in pairs])

        return term

    def _read_call(self, node: ast.Call) -> Term:
        name = ast.unparse(node.func)
        terms = [self._read(argument) for argument in node.args]
        if node.keywords:
            raise self._refused(f"{name} takes no named arguments")
        if name in _OF_LISTS and len(terms) == 1:
            return lambda columns: self._of_list(name, terms[0](columns))
        if name.lower() in _FUNCTIONS:
            number, function = _FUNCTIONS[name.lower()]
            self._check_number(name, number, terms)
            return lambda columns: function(*[real(t(columns)) for t in terms])
        if name == "where":
            self._check_number(name, 3, terms)
            return lambda columns: self._where(*[t(columns) for t in terms])
        known = ", ".join(sorted({*_FUNCTIONS, *_OF_LISTS, "where"}))
        raise self._refused(f"there is no function {name!r}; there are {known}")

    def _check_number(self, name: str, number: int, terms: list[Term]) -> None:
        if len(terms) != number:
            raise self._refused(f"{name} came with {len(terms)} arguments; expected {number}")

    def _where(self, condition: Any, first: Any, second: Any) -> Any:
        chosen = self._condition(condition, "the first argument of where")
        library = next((awkward() for v in (condition, first, second) if is_jagged(v)), np)
        return library.where(chosen, real(first), real(second))

    def _of_list(self, name: str, values: Any) -> Any:
        if not is_jagged(values):
            raise self._refused(f"{name}(...) is of a jagged branch, and this one has one number for each event")
        if name in {"any", "all"}:
            values = self._condition(values, f"the argument of {name}")
        found = getattr(awkward(), _OF_LISTS[name])(values, axis=1)
        return filled(found)

    def _read_subscript(self, node: ast.Subscript) -> Term:
        of = self._read(node.value)
        try:
            number = ast.literal_eval(node.slice)
        except ValueError:
            chosen, written = self._read(node.slice), ast.unparse(node.slice)
            return lambda columns: self._jagged(of(columns))[self._condition(chosen(columns), written)]
        if not isinstance(number, int) or isinstance(number, bool):
            raise self._refused(f"the index of {ast.unparse(node)!r} is no whole number")
        return lambda columns: self._entry(self._jagged(of(columns)), number)

    def _jagged(self, values: Any) -> Any:
        if not is_jagged(values):
            raise self._refused("square brackets choose from a jagged branch; this one has one number for each event")
        return values

    def _entry(self, values: Any, number: int) -> Any:
        """One entry of each list, NaN where there are fewer."""
        place = number if number >= 0 else -number - 1
        ordered = values if number >= 0 else values[:, ::-1]
        return filled(awkward().pad_none(ordered, place + 1, axis=1)[:, place])

    def _condition(self, values: Any, what: str) -> Any:
        """As true or false; what is neither that nor 0 and 1 is no condition, such as bits that are to be tested."""
        flat = awkward().to_numpy(awkward().flatten(values, axis=None)) if is_jagged(values) else np.asarray(values)
        if flat.dtype.kind != "b" and not np.all((flat == 0) | (flat == 1)):
            raise self._refused(
                f"{what!r} is no condition: it has values other than 0 and 1. Compare it with something"
            )
        return values != 0
