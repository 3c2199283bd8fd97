"""What is wrong in a configuration file: all of it at once, each mistake with its place, and what to do."""

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from .schema import SECTIONS

_EXPECTED: Mapping[str, str] = MappingProxyType(
    {
        "bool_type": "true or false, without quotes",
        "float_type": "a number, without quotes",
        "finite_number": "a finite number",
        "int_type": "a whole number, without quotes",
        "int_from_float": "a whole number, without quotes",
        "string_type": "text in quotes",
        "string_too_short": "text that is not empty",
        "string_pattern_mismatch": "text that is not empty",
        "list_type": "a list, [...]",
        "dict_type": "a table, {...}",
        "model_type": "a table, {...}",
    }
)
"""What is expected where pydantic finds an error of a type."""
_LISTS = frozenset({"sample", "cut", "region", "systematic"})
"""Tables of which there are several."""


def mistakes(error: ValidationError, document: Mapping[str, Any]) -> list[str]:
    """One line for each mistake: where, what came, what was expected.

    Args:
        error: what the schema says.
        document: the file.

    Example:
        >>> from hepcuts.cli.schema import Document
        >>> document = {"sample": [{"name": "ttbar", "file": "a.root", "signal": "no"}], "cut": [{"variable": "pt"}]}
        >>> try:
        ...     Document.model_validate(document)
        ... except ValidationError as error:
        ...     print(mistakes(error, document)[0])
        [[sample]] 1 (ttbar): signal came as 'no'; expected true or false, without quotes.
    """
    found = [(_path(one["loc"], document), one) for one in error.errors(include_url=False)]
    found = [((*path, "type") if one["type"] == "union_tag_invalid" else path, one) for path, one in found]
    longest = [path for path, _ in found]
    words: dict[tuple[Any, ...], list[str]] = {}
    for path, one in found:
        # Of a value that may be several things the most exact complaint counts.
        if one["type"].endswith("_type") and any(len(p) > len(path) and p[: len(path)] == path for p in longest):
            continue
        sentences = words.setdefault(path, [])
        if (sentence := _sentence(path, one)) not in sentences:
            sentences.append(sentence)
    return [f"{_place(path, document)}{_said(path, sentences, document)}." for path, sentences in words.items()]


def _path(loc: Sequence[int | str], document: Any) -> tuple[Any, ...]:
    """The keys and numbers on the way to a value; pydantic's also has names of the types that it tried."""
    path: list[Any] = []
    inside = document
    for number, step in enumerate(loc):
        last = number == len(loc) - 1
        try:
            inside = inside[step]
        except (KeyError, IndexError, TypeError):
            if not (last and isinstance(inside, Mapping) and isinstance(step, str) and step.isidentifier()):
                continue
            if any(step == name for name in ("str", "float", "int", "bool")):
                continue
            inside = None
        path.append(step)
    return tuple(path)


def _sentence(path: tuple[Any, ...], one: Mapping[str, Any]) -> str:
    """What is expected, or what else is to be said."""
    kind, context = one["type"], one.get("ctx", {})
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind in {"too_short", "too_long"}:
        size = context.get("min_length", context.get("max_length"))
        return f"[[{path[-1]}]], at least one" if path[-1] in _LISTS else f"a list, [...], of {size}"
    if kind == "union_tag_invalid":
        return str(context["expected_tags"]).replace("'", '"')
    if kind.startswith(("greater_than", "less_than")):
        return (
            str(one["msg"])
            .removeprefix("Input should be ")
            .replace("greater", "a number greater")
            .replace("less", "a number less")
        )
    return f"!{one['msg'].removeprefix('Value error, ')}" if kind == "value_error" else f"!{_of_keys(path, one)}"


def _of_keys(path: tuple[Any, ...], one: Mapping[str, Any]) -> str:
    """What is wrong with a key, not with its value."""
    name = str(path[-1]) if path else ""
    if one["type"] == "missing":
        return f"{name!r} is missing"
    if one["type"] == "union_tag_not_found":
        return "'type' is missing"
    if one["type"] != "extra_forbidden":
        return str(one["msg"])
    section = next((step for step in reversed(path[:-1]) if step in SECTIONS), "")
    entries = SECTIONS[section]
    tagged = [
        entry
        for entry in entries
        if getattr(entry.model_fields.get("type"), "annotation", None) and _tag(entry) in one["loc"]
    ]
    known = sorted({name for entry in (tagged or entries) for name in entry.model_fields})
    near = difflib.get_close_matches(name, known, n=1)
    return f"unknown key {name!r}; {f'do you mean {near[0]!r}? ' if near else ''}Known are {', '.join(known)}"


def _tag(entry: Any) -> str:
    return str(entry.model_fields["type"].annotation.__args__[0])


def _place(path: tuple[Any, ...], document: Any) -> str:
    """The tables on the way, those of which there are several with number and name."""
    words: list[str] = []
    inside = document
    for step in path[:-1] if not isinstance(path[-1] if path else 0, int) else path:
        inside = inside[step]
        if isinstance(step, int):
            name = next((inside[k] for k in ("name", "variable") if isinstance(inside, Mapping) and k in inside), None)
            words[-1] += f" {step + 1}" + (f" ({name})" if isinstance(name, str) else "")
        elif not words:
            words.append(f"[[{step}]]" if step in _LISTS else f"[{step}]")
        else:
            words.append(step)
    return ", ".join(words) + (": " if words else "")


def _said(path: tuple[Any, ...], sentences: list[str], document: Any) -> str:
    whole = [sentence[1:] for sentence in sentences if sentence.startswith("!")]
    if whole:
        return "; ".join(whole)
    inside = document
    for step in path:
        inside = inside[step]
    name = "" if isinstance(path[-1], int) else f"{path[-1]} "
    if isinstance(path[-1], str) and path[-1] in _LISTS and not isinstance(inside, list):
        return f"{path[-1]} is one table or value; write [[{path[-1]}]], with two brackets, for each"
    return f"{name}came as {inside!r}; expected {' or '.join(sentences)}"
