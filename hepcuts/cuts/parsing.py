"""Selections written as text, taken apart into comparisons: ``pt > 30 & 90 < mass < 160 & njet >= ?``."""

import dataclasses
import math
import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from hepcuts._core.errors import InputError

_AND = re.compile(r"&&|&|\band\b")
_OPERATOR = re.compile(r">=|<=|==|!=|>|<|\bnot\s+in\b|\bin\b")
_SET = re.compile(r"\{(?P<braces>.*)\}|\((?P<round>.*)\)|\[(?P<square>.*)\]", re.DOTALL)
_NOT = re.compile(r"(?:not\b|!|~)\s*\((?P<inside>.*)\)", re.DOTALL)
_MIRRORED = MappingProxyType({">": "<", "<": ">", ">=": "<=", "<=": ">="})


@dataclasses.dataclass(frozen=True)
class Compared:
    """What a text says of one variable.

    Attributes:
        variable: column or formula.
        sides: operator and threshold of each side, None for one that is to be found: lower one first; or ``==`` or
            ``!=`` and a value, as often as there are values.
        inverted: whether events have to fail it.
    """

    variable: str
    sides: tuple[tuple[str, float | None], ...]
    inverted: bool = False


def comparisons(text: Any) -> list[Compared]:
    """The comparisons of a selection; one below and one above the same variable are one.

    Raises:
        InputError: a part is no comparison of a variable with numbers or ``?``; the message quotes it.

    Example:
        >>> comparisons("90 < mass < 160 & njet >= ?")
        [Compared(variable='mass', sides=(('>', 90.0), ('<', 160.0)), inverted=False), Compared(variable='njet', \
sides=(('>=', None),), inverted=False)]
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"A selection came as {text!r}; expected text such as 'pt > 30 & 90 < mass < 160'.")
    found: dict[tuple[str, bool], Compared] = {}
    for part in _split(text, _AND):
        one = _comparison(part.strip())
        key = one.variable, one.inverted
        other = found.get(key)
        if other is not None and {one.sides[0][0][0], other.sides[0][0][0]} == {">", "<"} and _are_half(one, other):
            both = sorted((*one.sides, *other.sides), key=lambda side: side[0], reverse=True)
            one = dataclasses.replace(one, sides=tuple(both))
        elif other is not None:
            raise InputError(f"{text!r}: {one.variable} is cut on twice on one side; write the tighter cut only.")
        found[key] = one
    return list(found.values())


def _are_half(*some: Compared) -> bool:
    return all(len(one.sides) == 1 for one in some)


def _comparison(part: str) -> Compared:
    if inverted := _NOT.fullmatch(part):
        return dataclasses.replace(_comparison(inverted["inside"].strip()), inverted=True)
    if part.startswith("(") and _closing(part) == len(part) - 1:
        return _comparison(part[1:-1].strip())
    operands = [operand.strip() for operand in _split(part, _OPERATOR)]
    operators = [part[place.start() : place.end()] for place in _at_top(part, _OPERATOR)]
    _check(part)
    if len(operands) == 2 and operators[0] not in _MIRRORED and operands[0] and _number(operands[0]) is None:
        equal = operators[0] in {"==", "in"}
        return Compared(
            operands[0], tuple(("==" if equal else "!=", n) for n in _values(part, operators[0], operands[1]))
        )
    numbers = [_number(operand) for operand in operands]
    if len(operands) == 2 and numbers[0] is not None and numbers[1] is None and operators[0] in _MIRRORED:
        operands, numbers, operators = operands[::-1], numbers[::-1], [_MIRRORED[operators[0]]]
    if len(operands) == 2 and numbers[0] is None and numbers[1] is not None and operands[0]:
        return Compared(operands[0], ((operators[0], _threshold(numbers[1])),))
    mirrored = all(operator in _MIRRORED for operator in operators)
    if len(operands) == 3 and mirrored and numbers[1] is None and None not in (numbers[0], numbers[2]) and operands[1]:
        first, last = (_MIRRORED[operators[0]], numbers[0]), (operators[1], numbers[2])
        low, high = (first, last) if first[0][0] == ">" else (last, first)
        if (low[0][0], high[0][0]) == (">", "<"):
            return Compared(operands[1], tuple((o, _threshold(n)) for o, n in (low, high)))
    raise InputError(f"{part!r} is no cut; expected a variable, an operator and a number or ?, as in 'pt > 30'.")


def _check(part: str) -> None:
    if any(part.count(opened) != part.count(closed) for opened, closed in ("()", "[]", "{}")):
        raise InputError(f"{part!r}: a bracket is not closed, or not opened.")


def _values(part: str, operator: str, text: str) -> list[float | None]:
    """The number after an operator, or those of a set."""
    if operator in {"==", "!="}:
        texts = [text]
    elif found := _SET.fullmatch(text):
        texts = next(inside for inside in found.groups() if inside is not None).split(",")
    else:
        raise InputError(f"{part!r}: expected a set after in, as in 'njet in {{2, 3}}'.")
    numbers = [_number(one.strip()) for one in texts]
    if None in numbers:
        raise InputError(f"{part!r}: expected whole numbers after {operator}.")
    return [_threshold(number) for number in numbers]


def _number(text: str) -> float | None:
    """A number, NaN for ``?``, None for anything else."""
    if text == "?":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _threshold(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else number


def _at_top(text: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Matches outside of all brackets."""
    depth = [0]
    for character in text:
        depth.append(depth[-1] + (character in "([{") - (character in ")]}"))
    return (found for found in pattern.finditer(text) if depth[found.start()] == 0)


def _split(text: str, pattern: re.Pattern[str]) -> list[str]:
    places = list(_at_top(text, pattern))
    starts = [0, *(place.end() for place in places)]
    return [text[a:b] for a, b in zip(starts, [*(place.start() for place in places), len(text)], strict=True)]


def _closing(text: str) -> int:
    """Where the bracket ends that a text begins with."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place
    return -1
