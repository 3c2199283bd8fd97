"""A first configuration for given files: what they hold, as comments to be edited."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hepcuts._core.errors import InputError
from hepcuts.samples.readers import column_names, read_columns

from .schema import Document

_WEIGHTS = ("weight", "genweight", "gen_weight", "mcweight", "mc_weight", "w")
"""What columns of weights are usually called."""


def json_schema() -> dict[str, Any]:
    """What may stand in a configuration, as JSON schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Document.model_json_schema()}


def starting(inputs: Sequence[str]) -> str:
    """A configuration in TOML for files, the first of which is the signal.

    Raises:
        InputError: no file, or one cannot be read.
    """
    if not inputs:
        raise InputError("No file was named; expected those of the samples, first the signal: hepcuts init FILE...")
    names = [column_names(one) for one in inputs]
    common = [name for name in names[0] if all(name in others for others in names[1:])]
    weight = next((name for name in common if name.lower() in _WEIGHTS), None)
    variables = [name for name in common if name != weight and not _no_variable(name)]
    first = next((name for name in variables if _is_number(inputs[0], name)), "?")
    called = _sample_names(inputs)
    lines = [
        "# Keys and their meaning: the page 'Configuration' of the documentation, or hepcuts init --schema.",
        "# luminosity = 139.0            # 1/fb, with cross_section (pb) of each sample",
        '# preselection = "njet >= 2"     # formula that every event has to pass',
        "",
        "# [define]                      # quantities, used in all other formulas",
        '# mt = "sqrt(2*pt*met*(1 - cos(dphi)))"',
    ]
    for number, (one, there) in enumerate(zip(inputs, names, strict=True)):
        lines += [
            "",
            "[[sample]]",
            f"name = {_quoted(called[number])}",
            f"file = {_quoted(one)}",
            f"# columns: {', '.join(there)}",
        ]
        lines.append(
            f"weight = {_quoted(weight)}" if weight else '# weight = "genWeight * w_btag"  # a formula; now 1 each'
        )
        lines += ["signal = true"] if number == 0 else ["# cross_section = 831.8         # pb"]
        if number:
            lines += [
                "",
                "  # [[sample.systematic]]",
                '  # type = "normsys"',
                f"  # name = {_quoted(f'xsec_{called[number]}')}",
            ]
            lines += ["  # up = 1.05", "  # down = 0.95"]
    lines += [
        "",
        "[[cut]]",
        f"variable = {_quoted(first)}",
        'direction = "auto"          # or ">", "<", ">=", "<="',
    ]
    others = [name for name in variables if name != first][:20]
    lines += [f'\n# [[cut]]\n# variable = {_quoted(name)}\n# direction = "auto"' for name in others]
    lines += ["", "[optimize]", "seed = 1", "# constraints = {signal = 3.0}  # at least three expected signal events"]
    return "\n".join(lines) + "\n"


def _no_variable(name: str) -> bool:
    """Whether a column tells events apart, or weighs them: nobody cuts on that."""
    return bool(re.match(r"event|run|lumi|entry|index|label", name, re.IGNORECASE)) or "weight" in name.lower()


def _is_number(file: str, name: str) -> bool:
    """Whether a column has one number for each event, so that it may be cut on."""
    try:
        read_columns(file, columns=[f"`{name}`"])
    except InputError:
        return False
    return True


def _sample_names(inputs: Sequence[str]) -> list[str]:
    """Names of the samples, those of equal files with their numbers."""
    names = [_name(one) for one in inputs]
    return [name if names.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(names, start=1)]


def _name(file: str) -> str:
    """A sample's name from that of its file."""
    stem = Path(file.partition(".root:")[0]).name.split(".")[0]
    return stem.strip("*_?") or "sample"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
