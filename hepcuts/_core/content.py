"""The content of objects as bytes to be hashed: values, containers, arrays, instances of any class.

Equal content gives equal bytes in every process. A kind of object is one function, registered with `write`.
"""

import contextlib
import dataclasses
import functools
import hashlib
import struct
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from hepcuts._core.errors import InputError

from .libraries import known_name


class Writer:
    """Takes objects one after the other, and hashes their content."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._open: list[int] = []
        # Code refers to code, often to the same: each is written once. What is kept cannot give its id to another.
        self._written: dict[Any, tuple[int, Any]] = {}

    @classmethod
    def digest(cls, *objects: Any) -> str:
        """The digest of objects, apart from all others."""
        writer = cls()
        writer.add(objects)
        return writer._hash.hexdigest()

    def token(self, kind: str, content: bytes = b"") -> None:
        """Add bytes, after their kind and length: what follows cannot be taken for a part of them."""
        self._hash.update(f"{kind} {len(content)}:".encode())
        self._hash.update(content)

    def raw(self, content: Any) -> None:
        """Add a buffer of bytes whose length follows from what was added before."""
        self._hash.update(content)

    def add(self, value: Any) -> None:
        """Add an object."""
        kind = type(value)
        if kind in _PLAIN:
            self.token(kind.__name__, _PLAIN[kind](value))
        elif id(value) in self._open:
            self.token("inside", str(len(self._open) - self._open.index(id(value))).encode())
        else:
            self._open.append(id(value))
            write(value, self)
            self._open.pop()

    def add_all(self, kind: str, values: Iterable[Any], size: int) -> None:
        """Add several objects in their order."""
        self.token(kind, str(size).encode())
        for value in values:
            self.add(value)

    def known(self, value: Any) -> bool:
        """Whether an installed library offers this under its name; then the name and the release are added."""
        name = known_name(value)
        if name is not None:
            self.token("known", name.encode())
        return name is not None

    def again(self, value: Any, key: Any = None) -> bool:
        """Whether a piece of code was added before; then a reference to it is added."""
        place = id(value), key
        if place in self._written:
            self.token("again", str(self._written[place][0]).encode())
            return True
        self._written[place] = len(self._written), value
        return False


_PLAIN: Mapping[type, Callable[[Any], bytes]] = types.MappingProxyType(
    {
        type(None): lambda _: b"",
        type(...): lambda _: b"",
        type(NotImplemented): lambda _: b"",
        bool: lambda value: str(value).encode(),
        int: lambda value: str(value).encode(),
        float: lambda value: struct.pack("<d", value),
        complex: lambda value: struct.pack("<dd", value.real, value.imag),
        str: lambda value: value.encode("utf-8", "surrogatepass"),
        bytes: lambda value: value,
    }
)
"""Content of values without parts, by exact class."""


# --- kinds of objects; those of code are in `hepcuts._core.code_content` --------------------------------------


@functools.singledispatch
def write(value: Any, to: Writer) -> None:
    """Add an instance of any class: its class and its state."""
    if to.known(value):
        return
    if dataclasses.is_dataclass(value):
        to.token("fields")
        fields = [field.name for field in dataclasses.fields(value)]
        state = {field: getattr(value, field) for field in fields if hasattr(value, field)}
        to.add((type(value), state | _without_caches(value, getattr(value, "__dict__", {}))))
    else:
        _reduced(value, to)


def _reduced(value: Any, to: Writer) -> None:
    """Add an instance by what pickle would make it anew from."""
    reduced: Any = None
    with contextlib.suppress(Exception):  # classes refuse in ways of their own; below it is said
        reduced = value.__reduce_ex__(4)
    if isinstance(reduced, tuple):
        make, arguments, state, listed, mapped = (*reduced, None, None, None)[:5]
        to.token("object")
        to.add((make, arguments, _without_caches(value, state) if isinstance(state, dict) else state))
        to.add(([*listed] if listed else [], dict(mapped) if mapped else {}))
    elif callable(getattr(value, "__wrapped__", None)):
        # Compiled or cached by a library that knows the function.
        to.token("wrapped")
        to.add((type(value), value.__wrapped__))
    else:
        raise InputError(f"{_shown(value)} has no content that could be compared with that of another run.")


def _shown(value: Any) -> str:
    kind = type(value)
    name = getattr(value, "__qualname__", None)
    return f"An object of {kind.__module__}.{kind.__qualname__}" + (f" ({name})" if isinstance(name, str) else "")


def _without_caches(value: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes but those that `functools.cached_property` remembers: these follow from the others."""
    kind = type(value)
    return {
        name: item
        for name, item in state.items()
        if not isinstance(getattr(kind, str(name), None), functools.cached_property)
    }


@write.register(list)
@write.register(tuple)
def _sequence(value: Any, to: Writer) -> None:
    if type(value) in {list, tuple}:
        to.add_all(type(value).__name__, value, len(value))
    else:
        write.dispatch(object)(value, to)


@write.register(dict)
@write.register(types.MappingProxyType)
def _mapping(value: Any, to: Writer) -> None:
    if type(value) not in {dict, types.MappingProxyType}:
        write.dispatch(object)(value, to)
        return
    to.token("mapping", str(len(value)).encode())
    # Mappings are equal in whatever order they were made.
    for key in sorted(value, key=Writer.digest):
        to.add(key)
        to.add(value[key])


@write.register(set)
@write.register(frozenset)
def _set(value: Any, to: Writer) -> None:
    to.add_all(type(value).__name__, sorted(Writer.digest(item) for item in value), len(value))


@write.register(np.generic)
def _scalar(value: np.generic, to: Writer) -> None:
    plain = value.item()
    # Dates lose their unit, and what NumPy alone knows stays what it is.
    if type(plain) in _PLAIN and value.dtype.kind not in "mMV":
        to.add(plain)
    else:
        _array(np.asarray(value), to)


@write.register(np.ndarray)
def _array(value: Any, to: Writer) -> None:
    if type(value) not in {np.ndarray, np.memmap}:
        write.dispatch(object)(value, to)
        return
    to.token("array", f"{value.dtype.descr} {value.shape}".encode())
    if value.dtype.hasobject:
        to.add(value.tolist())
        return
    for block in _blocks(value):
        to.raw(block.reshape(-1).view(np.uint8))


def _blocks(array: Any) -> Iterator[Any]:
    """The elements in C order, without a copy of more than a few of them."""
    if array.flags.c_contiguous:
        yield array
    else:
        for block in np.nditer(array, flags=["external_loop", "buffered", "zerosize_ok"], order="C"):
            yield np.ascontiguousarray(block)


@write.register(jax.Array)
def _jax_array(value: Any, to: Writer) -> None:
    if isinstance(value, jax.core.Tracer):
        raise InputError("An array that is being traced by JAX has no content yet.")
    plain = jax.random.key_data(value) if jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key) else value
    to.token("jax", str(value.dtype).encode())
    to.add(np.asarray(plain))
