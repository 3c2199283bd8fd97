"""The keys of configuration files and of results as tables, for the documentation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hepcuts.optimization.record.schema import TITLES as RESULT_TITLES
from hepcuts.optimization.record.schema import ResultRecord

from .schema import Document

Rows = list[tuple[str, str, str, str]]
"""Key, type, default and meaning of each."""


def configuration_keys() -> dict[str, Rows]:
    """Each table of a configuration file and its keys.

    Example:
        >>> configuration_keys()["[axis]"][0]
        ('``variable``', 'text', 'needed', 'column or formula')
    """
    return _keys(Document.model_json_schema(), _TITLES)


def result_keys() -> dict[str, Rows]:
    """Each table of a ``result.json`` and its keys.

    Example:
        >>> result_keys()["inputs"][1]
        ('``size``', 'whole number', 'needed', 'in bytes; null of an address')
    """
    return _keys(ResultRecord.model_json_schema(), RESULT_TITLES)


def _keys(schema: dict[str, Any], titles: Mapping[str, str]) -> dict[str, Rows]:
    return {
        titles[name]: [
            (
                f"``{key}``",
                _type(field),
                "needed" if key in entry.get("required", ()) else _default(field),
                field.get("description", "what it is").replace("`", "``"),
            )
            for key, field in entry["properties"].items()
        ]
        for name, entry in {"": schema, **schema["$defs"]}.items()
    }


_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "": "At the top",
        "SampleEntry": "[[sample]]",
        "ShiftEntry": "up, down of a histosys; what is left out is as in the sample",
        "SumOfWeights": "sum_of_weights",
        "NormSysEntry": '[[sample.systematic]], type = "normsys"',
        "HistoSysEntry": '[[sample.systematic]], type = "histosys"',
        "WeightFamilyEntry": '[[sample.systematic]], type = "weights"',
        "ShapeSysEntry": '[[sample.systematic]], type = "shapesys"',
        "NormFactorEntry": '[[sample.systematic]], type = "normfactor"',
        "LumiEntry": '[[sample.systematic]], type = "lumi"',
        "CutEntry": "[[cut]]",
        "RegionEntry": "[[region]]",
        "AxisEntry": "[axis]",
        "DataEntry": "[data]",
        "LabelsEntry": "[labels]",
        "OptimizeEntry": "[optimize]",
        "ScanEntry": "[scan]",
    }
)
"""Name of an entry to how its table is written."""
_WORDS: Mapping[str, str] = MappingProxyType(
    {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false", "object": "table"}
)


def _type(field: dict[str, Any]) -> str:
    """The type of a key in words."""
    if "$ref" in field:
        return "table"
    if "const" in field:
        return f'"{field["const"]}"'
    if "enum" in field:
        return " or ".join(f'"{one}"' for one in field["enum"])
    kinds = field.get("anyOf") or field.get("oneOf")
    if kinds:
        return " or ".join(dict.fromkeys(_type(one) for one in kinds if one.get("type") != "null"))
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    return _WORDS.get(field.get("type", ""), "")


def _default(field: dict[str, Any]) -> str:
    found = field.get("default")
    return "" if found is None else str(found).lower() if isinstance(found, bool) else str(found)
