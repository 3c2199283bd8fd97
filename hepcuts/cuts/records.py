"""Cuts as plain values, as files keep them: what a cut was made with, and the same cut made of it again."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from hepcuts._core.errors import InputError

from .selection import AbstractCut, all_kinds


def as_record(cut: AbstractCut) -> dict[str, Any]:
    """The kind of a cut and the arguments that make it, as JSON has them.

    Raises:
        InputError: a kind of one's own with arguments that are no plain values.

    Example:
        >>> import hepcuts as hc
        >>> record = as_record(~hc.Cut("pt", ">", 30.0))
        >>> record["kind"], record["arguments"]["cut"]["arguments"]["threshold"]
        ('Not', 30.0)
        >>> print(from_record(record))
        not (pt > 30)
    """
    fields = [field.name for field in dataclasses.fields(cut) if field.init]
    return {"kind": type(cut).__name__, "arguments": {name: _plain(getattr(cut, name), cut) for name in fields}}


def from_record(record: Mapping[str, Any]) -> AbstractCut:
    """The cut that a record is of.

    Raises:
        InputError: an unknown kind (one's own has to be imported before), or arguments that make none.
    """
    try:
        name, given = record["kind"], record["arguments"]
        kind: Any = next((kind for kind in all_kinds() if kind.__name__ == name), None)
        if kind is None:
            raise InputError(f"There is no kind of cut {name!r}; import the module of one of your own before.")
        cut: AbstractCut = kind(**{key: from_record(one) if _is_record(one) else one for key, one in given.items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{record!r} is no cut ({error}).") from error
    return cut


def _is_record(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"kind", "arguments"}


def _plain(value: Any, cut: AbstractCut) -> Any:
    if isinstance(value, AbstractCut):
        return as_record(value)
    if isinstance(value, tuple | list):
        return [_plain(one, cut) for one in value]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InputError(f"{cut} is made with {value!r}, which a file cannot keep; expected numbers and text.")
