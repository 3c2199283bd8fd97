"""Objects as plain values, to be told in a file: what was asked, not what could be made of it again."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


def described(value: Any) -> Any:
    """An object as JSON has it: numbers and text as they are, containers by their parts, objects by name or fields.

    Example:
        >>> import hist
        >>> described({"step": np.float64(0.5), "axis": hist.axis.Variable([0, 1, 5], name="m")})
        {'step': 0.5, 'axis': {'variable': 'm', 'edges': [0.0, 1.0, 5.0]}}
    """
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): described(one) for name, one in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [described(one) for one in value]
    return _described_object(value)


def _described_object(value: Any) -> Any:
    if isinstance(getattr(value, "edges", None), np.ndarray):
        return {"variable": value.name, "edges": value.edges.tolist()}
    if isinstance(getattr(value, "name", None), str):
        return value.name
    if dataclasses.is_dataclass(value):
        fields = {field.name: described(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    return type(value).__name__ if " at 0x" in repr(value) else repr(value)
