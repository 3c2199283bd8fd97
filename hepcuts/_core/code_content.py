"""The content of code: functions, classes and modules, by what they do and not by what they are called.

Code of an installed library is told by its name and the library's version. A user's own function counts by its
bytecode, constants, defaults, what it closes over and the global names that it refers to; a user's own class by its
bases and all that it defines. Unknown remain names that are made up at run time (``getattr``, ``globals()``).
"""

import dis
import enum
import functools
import importlib
import importlib.util
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError

from .content import Writer, write
from .libraries import found, release_of

_OF_EVERY_CLASS = frozenset(
    {
        *("__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__annotate__", "__annotate_func__"),
        *("__annotations_cache__", "__firstlineno__", "__static_attributes__", "__parameters__", "__orig_bases__"),
        *("__dataclass_fields__", "__dataclass_params__", "__match_args__", "_abc_impl", "__signature__"),
    }
)
"""Attributes of a class that say nothing of what its objects do, or that follow from the others."""


# --- functions -------------------------------------------------------------------------------------------------------


@write.register(types.FunctionType)
def _function(value: Any, to: Writer) -> None:
    if to.again(value) or to.known(value):
        return
    if getattr(value, "__beartype_wrapper", False):
        # The wrapper checks types and is written anew in each process.
        to.add(value.__wrapped__)
        return
    to.token("function")
    to.add((value.__code__, value.__defaults__, value.__kwdefaults__, vars(value), value.__closure__))
    release = release_of(value.__module__)
    if release is None:
        _references(value, to)
    else:
        to.add((value.__module__, value.__qualname__, release))


@write.register(types.CellType)
def _cell(value: types.CellType, to: Writer) -> None:
    try:
        content = value.cell_contents
    except ValueError:
        to.token("empty")
    else:
        to.add(content)


def _references(function: Any, to: Writer) -> None:
    """Add what a function's global names stand for, and the modules that it imports."""
    instructions = list(_instructions(function.__code__))
    attributes = frozenset(i.argval for i, _ in instructions if i.opname in _OF_ATTRIBUTES)
    for name in sorted({i.argval for i, _ in instructions if i.opname in {"LOAD_GLOBAL", "LOAD_NAME"}}):
        to.token("global", name.encode())
        if name in function.__globals__:
            _referred(function.__globals__[name], attributes, to)
    for name, level in sorted({(i.argval, level) for i, level in instructions if i.opname == "IMPORT_NAME"}):
        to.token("import", name.encode())
        _referred(_imported(name, level, function.__globals__), attributes, to)


_OF_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM", "LOAD_SUPER_ATTR"})


def _instructions(code: types.CodeType) -> Iterator[tuple[dis.Instruction, Any]]:
    """Instructions of a code and of those within, each with the argument of the last but one before it."""
    before: list[Any] = [None, None]
    for instruction in dis.get_instructions(code):
        yield instruction, before[-2] if isinstance(before[-2], int) else 0
        before.append(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)


def _imported(name: str, level: int, names: dict[str, Any]) -> Any:
    try:
        full = importlib.util.resolve_name("." * level + name, names.get("__package__"))
        return importlib.import_module(full)
    except ImportError as error:
        raise InputError(f"A function imports {name!r}, which cannot be found ({error}).") from error


def _referred(value: Any, attributes: frozenset[str], to: Writer) -> None:
    """Add a value, or of a user's own module what the code may take from it."""
    if not isinstance(value, types.ModuleType):
        to.add(value)
        return
    release = release_of(value.__name__)
    to.token("module", f"{value.__name__} {release}".encode())
    if release is None and not to.again(value, attributes):
        for name in sorted(attributes & set(vars(value))):
            to.token("attribute", name.encode())
            _referred(vars(value)[name], attributes, to)


@write.register(np.ufunc)
def _ufunc(value: np.ufunc, to: Writer) -> None:
    for module in ("numpy", "scipy.special"):
        if found(module, value.__name__) is value:
            to.token("known", f"{module} {value.__name__} {release_of(module)}".encode())
            return
    raise InputError(f"The ufunc {value.__name__!r} does not tell what it computes; use a function.")


_PARTS: Mapping[type, tuple[str, ...]] = types.MappingProxyType(
    {
        # Neither file nor line: the same code elsewhere is the same code.
        types.CodeType: (
            *("co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_exceptiontable"),
            *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags"),
        ),
        types.MethodType: ("__self__", "__func__"),
        property: ("fget", "fset", "fdel"),
        staticmethod: ("__func__",),
        classmethod: ("__func__",),
        functools.cached_property: ("func",),
    }
)
"""Kinds of objects that are what a few of their attributes are."""


def _parts(value: Any, to: Writer) -> None:
    kind, names = next((kind, names) for kind, names in _PARTS.items() if isinstance(value, kind))
    to.token(kind.__name__)
    to.add(tuple(getattr(value, name) for name in names))


for _kind in _PARTS:
    write.register(_kind, _parts)


# --- classes ---------------------------------------------------------------------------------------------------------


@write.register(type)
def _class(value: type, to: Writer) -> None:
    if to.again(value):
        return
    release = release_of(value.__module__)
    if release is not None and "<locals>" not in value.__qualname__:
        to.token("class", f"{value.__module__} {value.__qualname__} {release}".encode())
        return
    to.token("own class", value.__qualname__.encode())
    to.add((type(value), value.__bases__))
    if issubclass(value, enum.Enum):
        to.add({member.name: member.value for member in value})
        return
    defined = {name: item for name, item in vars(value).items() if name not in _OF_EVERY_CLASS}
    to.add({name: item for name, item in defined.items() if not isinstance(item, types.MemberDescriptorType)})


@write.register(types.ModuleType)
def _module(value: types.ModuleType, to: Writer) -> None:
    _referred(value, frozenset(vars(value)) if release_of(value.__name__) is None else frozenset(), to)
