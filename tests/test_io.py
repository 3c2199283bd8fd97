"""Reading columns from files."""

import builtins

import numpy as np
import pandas as pd
import pytest

from hepcuts import io
from hepcuts._core.errors import InputError

EVENTS = {"pt": np.array([31.5, 40.25]), "n_jets": np.array([2, 3])}


def write(folder, kind):
    path = folder / f"events.{kind}"
    if kind == "csv":
        pd.DataFrame(EVENTS | {"label": ["s", "b"]}).to_csv(path, index=False)
    elif kind == "csv.gz":
        pd.DataFrame(EVENTS).to_csv(path, index=False)
    elif kind == "npz":
        np.savez(path, **EVENTS)
    else:
        uproot = pytest.importorskip("uproot")
        with uproot.recreate(path) as file:
            file.mktree("events", {name: values.dtype for name, values in EVENTS.items()}).extend(EVENTS)
    return path


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "npz", "root"])
def test_reads_all_numeric_columns(tmp_path, kind):
    found = io.read_columns(write(tmp_path, kind))
    assert set(found) == set(EVENTS)
    for name, values in EVENTS.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("kind", ["csv", "npz", "root"])
def test_reads_the_named_columns_only(tmp_path, kind):
    assert list(io.read_columns(write(tmp_path, kind), columns=["pt"])) == ["pt"]


@pytest.mark.parametrize("kind", ["csv", "npz", "root"])
def test_a_missing_column_is_named_with_those_there_are(tmp_path, kind):
    with pytest.raises(InputError, match=r"has no column eta; it has .*pt"):
        io.read_columns(write(tmp_path, kind), columns=["eta"])


def test_a_tree_by_its_name(tmp_path):
    path = write(tmp_path, "root")
    assert "pt" in io.read_columns(path, tree="events")
    with pytest.raises(InputError, match="no tree 'nominal'; it has events"):
        io.read_columns(path, tree="nominal")


def test_two_trees_need_a_name(tmp_path):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "two.root") as file:
        for name in ("up", "down"):
            file.mktree(name, {"pt": np.float64}).extend({"pt": np.ones(2)})
    with pytest.raises(InputError, match="say which"):
        io.read_columns(tmp_path / "two.root")


def test_without_uproot_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path, "root")
    monkeypatch.setattr(io.importlib, "import_module", lambda name: builtins.__import__("no_such_" + name))
    with pytest.raises(InputError, match=r"hepcuts\[root\]"):
        io.read_columns(path)


def test_unknown_endings_and_absent_files(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        io.read_columns(tmp_path / "nowhere.csv")
    (tmp_path / "events.txt").write_text("")
    with pytest.raises(InputError, match=r"'\.txt' is unknown; expected one of \.csv"):
        io.read_columns(tmp_path / "events.txt")


def test_a_broken_file_is_an_input_error(tmp_path):
    (tmp_path / "events.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match="cannot be read"):
        io.read_columns(tmp_path / "events.npz")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="cannot be read"):
        io.read_columns(tmp_path / "empty.csv")
