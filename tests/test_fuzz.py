"""No mistake of a user ends in a traceback: configurations and workspaces with anything in them, and damaged files."""

import copy
import json
import tomllib
import warnings

import click.testing
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepcuts import Selection, io
from hepcuts._core.errors import HepcutsError
from hepcuts.cli.commands import main
from hepcuts.cli.configuration import load
from tests.test_io import WRITERS, write

VALID = tomllib.loads(
    """
luminosity = 10.0
preselection = "y > 0.5"

[define]
r = "x / y"

[[sample]]
name = "signal"
file = "events.csv"
signal = true

[[sample]]
name = "background"
file = "events.csv"
weight = "w"
cross_section = 0.3

  [[sample.systematic]]
  type = "histosys"
  name = "e"
  up = {columns = {x = "x * 1.1"}}
  down = "mirror"

  [[sample.systematic]]
  type = "normsys"
  name = "k"
  up = 1.1
  down = 0.9

[[cut]]
variable = "r"
direction = ">"
bounds = [0.0, 2.0]

[optimize]
seed = 1
constraints = {signal = 5.0}

[scan]
metrics = ["bce"]
"""
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(),
    st.sampled_from(["", "x", "w", "nothing", ">", "sqrt(", "x & 4", "../", "events.csv:tree", "*", "histosys"]),
    st.text(max_size=8),
    st.lists(st.integers(-1, 3), max_size=3),
    st.dictionaries(st.sampled_from(["x", "columns", "tree", "file"]), st.sampled_from(["x", "y", 1]), max_size=2),
)
KEYS = st.one_of(
    st.sampled_from(["file", "weight", "scale", "tree", "friends", "axis", "identity", "threshold", "low", "knots"]),
    st.text(max_size=5),
)


def places(document, path=()):
    """Ways to all values of a document."""
    yield path
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inside:
        yield from places(value, (*path, key))


PLACES = list(places(VALID))


def changed(document, path, kind, key, value):
    """The document with one value replaced, removed or added."""
    document = copy.deepcopy(document)
    *way, last = path or ("sample",)
    inside = document
    for step in way:
        inside = inside[step]
    if kind == "remove":
        del inside[last]
    elif kind == "add" and isinstance(inside[last], dict):
        inside[last][key] = value
    else:
        inside[last] = value
    return document


def refusal(call):
    """What is said if it is refused, None if not; anything else fails."""
    try:
        call()
    except HepcutsError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz")
    columns = np.array([[0.2, 1.0, 1.0], [0.8, 2.0, 1.0], [1.4, 3.0, 0.5]])
    np.savetxt(path / "events.csv", columns, delimiter=",", header="x,y,w", comments="")
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "add"]), KEYS, VALUES)
def test_any_configuration_is_read_or_refused(folder, path, kind, key, value):
    document = changed(VALID, path, kind, key, value)
    (folder / "config.toml").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = refusal(lambda: load(folder / "config.toml", settings=document))
    assert told is None or str(folder / "config.toml") in told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_refused(folder, text):
    (folder / "text.toml").write_text(text, encoding="utf-8", errors="replace")
    found = click.testing.CliRunner().invoke(main, ["check", str(folder / "text.toml")])
    assert found.exit_code == 1
    assert isinstance(found.exception, SystemExit)
    assert "Error: " in found.output


@pytest.mark.parametrize("kind", WRITERS)
def test_damaged_files_are_refused_with_their_name(tmp_path, kind):
    """Cut off, or with a byte that is another: numbers may be others then, but nothing ends in a traceback."""
    path = write(tmp_path, kind)
    whole = path.read_bytes()
    draw = np.random.default_rng(5)
    for number in range(24):
        damaged = bytearray(whole)
        if number % 2:
            damaged = damaged[: draw.integers(len(whole))]
        else:
            damaged[draw.integers(len(whole))] ^= int(draw.integers(1, 256))
        path.write_bytes(bytes(damaged))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = refusal(lambda: io.read_columns(path, columns=["pt", "w"]))
        assert told is None or path.name in told


@given(st.text(alphabet="abn0123456789.+-<>=!&|~()[]? ", max_size=30))
def test_any_text_is_a_selection_or_refused(text):
    if refusal(lambda: Selection.parse(text)) is not None:
        return
    selection = Selection.parse(text)
    assert str(Selection.parse(str(selection))) == str(selection)


WORKSPACE = {
    "channels": [
        {
            "name": "c",
            "samples": [
                {"name": "s", "data": [3.0, 4.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
                {
                    "name": "b",
                    "data": [50.0, 60.0],
                    "modifiers": [
                        {"name": "k", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                        {"name": "e", "type": "histosys", "data": {"hi_data": [52.0, 61.0], "lo_data": [48.0, 59.0]}},
                        {"name": "stat", "type": "staterror", "data": [2.0, 3.0]},
                    ],
                },
            ],
        }
    ],
    "observations": [{"name": "c", "data": [52.0, 61.0]}],
    "measurements": [
        {"name": "m", "config": {"poi": "mu", "parameters": [{"name": "mu", "bounds": [[0.0, 10.0]], "inits": [1.0]}]}}
    ],
    "version": "1.0.0",
}
PATCH = [
    {"op": "replace", "path": "/channels/0/samples/0/data", "value": [5.0, 6.0]},
    {"op": "add", "path": "/channels/0/samples/1/modifiers/-", "value": WORKSPACE["channels"][0]["samples"][0]},
    {"op": "remove", "path": "/channels/0/samples/1/modifiers/0"},
]
OF_PYHF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(),
    st.sampled_from(
        ["", "c", "mu", "k", "shapesys", "lumi", "normfactor", "/channels/0", "/nothing/-", "copy", "1.0.0"]
    ),
    st.lists(st.one_of(st.floats(-2.0, 90.0), st.none()), max_size=3),
    st.dictionaries(st.sampled_from(["hi", "lo", "name", "data"]), st.sampled_from([1.0, "x", [1.0]]), max_size=2),
)


def significance(folder, workspace, patch):
    """What the command says of files as a user may have them, with another reader's words in none of it."""
    for name, document in (("workspace.json", workspace), ("patch.json", patch)):
        (folder / name).write_text(json.dumps(document))
    arguments = ["significance", str(folder / "workspace.json"), "--patch", str(folder / "patch.json")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = click.testing.CliRunner().invoke(main, arguments)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code in {0, 1, 2}
    assert found.exit_code == 0 or "Error: " in found.output
    return found.exit_code


def test_what_is_changed_at_random_is_right_to_begin_with(folder):
    assert significance(folder, WORKSPACE, []) == 0


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(places(WORKSPACE))), st.sampled_from(["replace", "remove", "add"]), KEYS, OF_PYHF)
def test_any_workspace_is_fitted_or_refused(folder, path, kind, key, value):
    significance(folder, value if path == () else changed(WORKSPACE, path, kind, key, value), [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(places(PATCH))), st.sampled_from(["replace", "remove", "add"]), KEYS, OF_PYHF)
def test_any_patch_is_applied_or_refused(folder, path, kind, key, value):
    significance(folder, WORKSPACE, value if path == () else changed(PATCH, path, kind, key, value))
