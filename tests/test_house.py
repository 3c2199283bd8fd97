"""The plan of the house: imports go downwards over at most eight floors of rooms, without a circle or an exception.

A room is a package or module directly under hepcuts/. Every import counts, those inside functions and those that only
type checkers see, too; only the package's own `__init__` is left out, which hands out the names that users import.
"""

import ast
import configparser
import functools
import graphlib
from collections import defaultdict
from pathlib import Path

import pytest

import hepcuts as hc

PACKAGE = Path(hc.__file__).parent
SETTINGS = PACKAGE.parent / "setup.cfg"
FLOORS, ROOMS = 8, 15
ENTRANCES = {"__main__", "sklearn"}
"""Thin modules that stand beside the rooms: a command, and names for another library's users."""


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def modules():
    """Names of all modules with their files, the package itself apart."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("hepcuts", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del found["hepcuts"]
    return found


def imported(name, path, known):
    """Modules that a file imports."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            targets = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for target in targets:
            # What is imported is a module, or a name in the nearest module above it.
            while target and target not in known:
                target = target.rpartition(".")[0]  # noqa: PLW2901
            if target and target != name:
                yield target


@functools.cache
def arrows():
    """Module to the modules that it imports. A package is not counted among the imports of what is in it."""
    known = modules()
    return {
        name: {target for target in imported(name, path, known) if not name.startswith(f"{target}.")}
        for name, path in known.items()
    }


def rooms():
    """Room to the rooms that it imports."""
    found = defaultdict(set)
    for name, targets in arrows().items():
        room = name.split(".")[1]
        found[room] |= {target.split(".")[1] for target in targets} - {room}
    return dict(found)


def floors(graph):
    """Room to its floor, the ground floor being 1."""
    found = {}
    for room in graphlib.TopologicalSorter(graph).static_order():
        found[room] = 1 + max((found[below] for below in graph[room]), default=0)
    return found


def layers():
    settings = configparser.ConfigParser()
    settings.read(SETTINGS, encoding="utf-8")
    return settings["importlinter:contract:layers"]


def test_there_is_a_house_to_be_measured():
    graph = rooms()
    assert {"_core", "samples", "cuts", "plotting", "scanning", "optimization"} <= set(graph)
    assert "cuts" in graph["scanning"]
    assert "plotting" in graph["scanning"]  # an import inside a function


def test_no_circle_of_rooms():
    graphlib.TopologicalSorter(rooms()).prepare()


def test_no_circle_of_modules():
    graphlib.TopologicalSorter(arrows()).prepare()


def test_a_circle_would_be_found():
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_the_number_of_rooms():
    assert len(set(rooms()) - ENTRANCES) <= ROOMS


def test_the_number_of_floors():
    found = {room: floor for room, floor in floors(rooms()).items() if room not in ENTRANCES}
    assert max(found.values()) <= FLOORS, found


@pytest.mark.skipif(not SETTINGS.exists(), reason="the contract is part of the repository, not of the package")
def test_the_contract_says_so_without_exception():
    contract = layers()
    assert "ignore_imports" not in contract
    assert contract.getboolean("exhaustive")
    stated = [line.strip() for line in contract["layers"].splitlines() if line.strip()]
    assert len(stated) <= FLOORS
    named = {room.strip() for line in stated for room in line.split("|")}
    assert named | ENTRANCES >= set(rooms())


def test_class_names_are_unique():
    found = defaultdict(list)
    for name, path in modules().items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                found[node.name.strip("_")].append(name)
    assert len(found) > 100
    assert {name: homes for name, homes in found.items() if len(homes) > 1} == {}


MUTABLE = ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp
MAKERS = {"dict", "list", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}


def is_mutable(value):
    if isinstance(value, ast.BinOp):
        return is_mutable(value.left) or is_mutable(value.right)
    maker = getattr(value, "func", None)
    return isinstance(value, MUTABLE) or getattr(maker, "attr", getattr(maker, "id", None)) in MAKERS


def test_no_module_has_state():
    found = []
    for name, path in {"hepcuts": PACKAGE / "__init__.py", **modules()}.items():
        for node in parsed(path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and is_mutable(node.value):
                target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                found += [] if target == "__all__" else [f"{name}.{target}"]
    assert found == []


@pytest.mark.skipif(not SETTINGS.exists(), reason="the contract is part of the repository, not of the package")
def test_figures_stand_below_the_results():
    stated = layers()["layers"].split()
    assert all(stated.index(room) < stated.index("plotting") for room in ("scanning", "optimization", "binning"))
