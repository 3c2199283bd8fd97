"""Prints pip constraints that hold what hepcuts needs at run time at the oldest versions of pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in [*project["dependencies"], *project["optional-dependencies"]["root"]]:
    floor = re.match(r"([\w-]+)>=([\w.]+)", requirement)
    if floor is None:
        sys.exit(f"{requirement!r} has no floor; expected name>=version")
    sys.stdout.write(f"{floor[1]}=={floor[2]}\n")
