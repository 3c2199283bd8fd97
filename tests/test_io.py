"""Reading columns from files and tables."""

import importlib
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import uproot

import hepcuts as hc
from hepcuts import io
from hepcuts._core.errors import InputError, SampleError
from hepcuts.samples.formats import FileFormat
from hepcuts.samples.sources import Source, sources_of

EVENTS = {
    "pt": np.array([31.5, 40.25, 0.1], dtype=np.float32),
    "n_jets": np.array([2, 3, 0], dtype=np.int32),
    "w": np.array([1.5, -0.5, 1.0 / 3.0]),
    "trig": np.array([True, False, True]),
}
JET_PT = [[50.0, 20.0], [], [10.0]]


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, values in EVENTS.items():
            file[f"events/{name}"] = values
        file["meta/version"] = 3


def _compound(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["events"] = pd.DataFrame(EVENTS).to_records(index=False)


def _root(path: Path) -> None:
    with uproot.recreate(path) as file:
        file["events"] = EVENTS | {"jet_pt": ak.Array(JET_PT)}


def _table() -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in EVENTS.items()} | {"jet_pt": pa.array(JET_PT)})


def _partitions(path: Path) -> None:
    pyarrow.parquet.write_to_dataset(_table(), path, partition_cols=["n_jets"])


FRAME = pd.DataFrame(EVENTS)
WRITERS = {
    "csv": lambda path: FRAME.assign(label="s").to_csv(path, index=False),
    "csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "csv.bz2": lambda path: FRAME.to_csv(path, index=False),
    "csv.xz": lambda path: FRAME.to_csv(path, index=False),
    "tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "semicolon.csv": lambda path: FRAME.to_csv(path, index=False, sep=";"),
    "spaces.txt": lambda path: FRAME.astype(float).to_csv(path, index=False, sep=" "),
    "npz": lambda path: np.savez(path, **EVENTS),
    "npy": lambda path: np.save(path, FRAME.to_records(index=False)),
    "root": _root,
    "parquet": lambda path: pyarrow.parquet.write_table(_table(), path),
    "feather": lambda path: pyarrow.feather.write_feather(_table(), path),
    "h5": _hdf5,
    "compound.h5": _compound,
    "pandas.h5": lambda path: FRAME.to_hdf(path, key="events", format="table"),
}
TYPED = ("npz", "npy", "root", "parquet", "feather", "h5", "compound.h5", "pandas.h5")
"""Formats that know the types of numbers."""


def write(folder: Path, kind: str) -> Path:
    path = folder / f"events.{kind}"
    WRITERS[kind](path)
    return path


@pytest.mark.parametrize("kind", WRITERS)
def test_reads_all_numeric_columns(tmp_path, kind):
    found = io.read_columns(write(tmp_path, kind))
    assert set(found) - {"njet_pt"} == set(EVENTS)  # uproot before 5.4 lists how long lists are, too
    for name, values in EVENTS.items():
        np.testing.assert_array_equal(found[name].astype(values.dtype), values)
        assert kind not in TYPED or found[name].dtype == values.dtype


@pytest.mark.parametrize("kind", WRITERS)
def test_formulas_are_computed_of_the_events_that_pass(tmp_path, kind):
    found = io.read_columns(write(tmp_path, kind), columns=["n_jets", "2*w"], where="trig && pt > 1")
    assert {name: values.tolist() for name, values in found.items()} == {"n_jets": [2], "2*w": [3.0]}


@pytest.mark.parametrize("kind", ["root", "parquet", "feather"])
def test_lists_of_each_event(tmp_path, kind):
    path = write(tmp_path, kind)
    found = io.read_columns(path, columns=["jet_pt[0]", "len(jet_pt)", "ht"], define={"ht": "sum(jet_pt)"})
    np.testing.assert_array_equal(found["jet_pt[0]"], [50.0, np.nan, 10.0])
    assert found["len(jet_pt)"].tolist() == [2, 0, 1]
    assert found["ht"].tolist() == [70.0, 0.0, 10.0]
    with pytest.raises(InputError, match=r"choose one, as in jet_pt\[0\]"):
        io.read_columns(path, columns=["jet_pt"])


def test_a_folder_with_partitions_is_one_data_set(tmp_path):
    _partitions(tmp_path / "events")
    found = io.read_columns(tmp_path / "events", columns=["n_jets", "pt"])
    assert dict(zip(found["n_jets"].tolist(), found["pt"].tolist(), strict=True)) == {
        0: np.float32(0.1),
        2: 31.5,
        3: 40.25,
    }


def test_several_files_follow_each_other(tmp_path):
    for name in ("b", "a"):
        _root(tmp_path / f"{name}.root")
        np.savez(tmp_path / f"{name}.npz", pt=np.full(2, ord(name)))
    found = io.read_columns([tmp_path / "b.root", f"{tmp_path}/?.npz"], columns=["pt"])["pt"]
    assert found.tolist() == [*EVENTS["pt"].tolist(), 97.0, 97.0, 98.0, 98.0]
    assert len(io.read_columns(f"{tmp_path}/*.root:events")["pt"]) == 6
    with pytest.raises(InputError, match=r"a\.npz: has no column w, which .*b\.root has"):
        io.read_columns([tmp_path / "b.root", tmp_path / "a.npz"], columns=["w"])
    with pytest.raises(InputError, match=r"Named more than once.*count twice"):
        io.read_columns([tmp_path / "a.npz", f"{tmp_path}/a*.npz"])
    (tmp_path / "c.npz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"c\.npz: it cannot be read"):
        io.read_columns(f"{tmp_path}/*.npz")


def test_friends_bring_columns_of_the_same_events(tmp_path):
    _root(tmp_path / "events.root")
    np.savez(tmp_path / "scores.npz", score=[0.1, 0.2, 0.3])
    np.savez(tmp_path / "short.npz", score=[0.1, 0.2])
    found = io.read_columns(
        tmp_path / "events.root", columns=["score", "pt"], where="trig", friends=[tmp_path / "scores.npz"]
    )
    assert found["score"].tolist() == [0.1, 0.3]
    with pytest.raises(InputError, match=r"unequal lengths: .*'score': 2"):
        io.read_columns(tmp_path / "events.root", columns=["score", "pt"], friends=[tmp_path / "short.npz"])


def test_a_definition_may_use_the_column_of_its_own_name():
    define = {"pt": "pt / 1000", "ratio": "pt / met"}
    found = io.read_columns({"pt": [2000.0], "met": [4.0]}, columns=["pt", "ratio"], define=define)
    assert {name: values.tolist() for name, values in found.items()} == {"pt": [2.0], "ratio": [0.5]}
    with pytest.raises(InputError, match="has no column a"):
        io.read_columns({"pt": [1.0]}, columns=["a"], define={"a": "b", "b": "a + 1"})


TABLES = {
    "mapping": lambda: dict(EVENTS),
    "pandas": lambda: FRAME,
    "polars": lambda: pl.DataFrame(EVENTS),
    "pyarrow": lambda: _table().select(list(EVENTS)),
    "awkward": lambda: ak.zip(EVENTS, depth_limit=1),
    "structured": lambda: FRAME.to_records(index=False),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_in_memory(kind):
    table = TABLES[kind]()
    sample = hc.Sample("s", table, weights="w")
    assert sample.columns["pt"].dtype == np.float32
    np.testing.assert_array_equal(sample.column("n_jets"), EVENTS["n_jets"])
    assert io.read_columns(table, columns=["w * 2"])["w * 2"].tolist() == (2 * EVENTS["w"]).tolist()


def test_null_in_tables_is_nan_and_categories_of_text_are_no_numbers():
    for table in (pl.DataFrame({"x": [1, None]}), pa.table({"x": [1, None]}), pd.DataFrame({"x": pd.array([1, None])})):
        np.testing.assert_array_equal(hc.Sample("s", table, missing=np.nan).column("x"), [1.0, np.nan])
    with pytest.raises(SampleError, match="text"):
        hc.Sample("s", pl.DataFrame({"x": ["a", "b"]}))


def test_lists_in_a_sample_are_told_how_to_choose():
    with pytest.raises(SampleError, match=r"has a list of numbers for each event; .*'jet_pt\[0\]'"):
        hc.Sample("s", ak.Array({"jet_pt": JET_PT}))
    assert io.read_columns(_table(), columns=["jet_pt[0] > 1"])["jet_pt[0] > 1"].tolist() == [True, False, True]


def test_objects_that_are_lists_of_each_event(tmp_path):
    """What RDataFrame.AsNumpy and uproot's NumPy make of vectors, and pandas of lists."""
    with uproot.recreate(tmp_path / "a.root") as file:
        file["events"] = {"jet_pt": ak.Array(JET_PT), "n": np.arange(3)}
    arrays = uproot.open(tmp_path / "a.root")["events"].arrays(library="np")
    assert arrays["jet_pt"].dtype == object
    for table in (
        arrays,
        pd.DataFrame({"jet_pt": JET_PT}),
        {"jet_pt": np.array([*JET_PT[:1], None, [10.0]], dtype=object)},
    ):
        found = io.read_columns(table, columns=["jet_pt[0]", "len(jet_pt)"])
        np.testing.assert_array_equal(found["jet_pt[0]"], [50.0, np.nan, 10.0])
        assert found["len(jet_pt)"].tolist() == [2, 0, 1]
    with pytest.raises(SampleError, match=r"column 'jet_pt': has a list of numbers for each event; choose one"):
        hc.Sample("b", arrays)


def test_a_format_of_ones_own(tmp_path):
    class Json(FileFormat):
        endings = (".json",)

        def names(self, path, tree):  # noqa: ARG002 (one place only)
            return list(pd.read_json(path).columns)

        def read(self, path, tree, names):  # noqa: ARG002 (one place only)
            return {name: pd.read_json(path)[name].to_numpy() for name in names}

    FRAME.to_json(tmp_path / "events.json")
    assert io.read_columns(tmp_path / "events.json", columns=["n_jets"], formats=[Json()])["n_jets"].tolist() == [
        2,
        3,
        0,
    ]
    with pytest.raises(InputError, match=r"'\.json' is unknown"):
        io.read_columns(tmp_path / "events.json")


def test_text_with_comments_and_without_names(tmp_path):
    (tmp_path / "a.txt").write_text("# made by hand\n# pt n\n1.5 2\n0.1 3\n")
    assert io.read_columns(tmp_path / "a.txt")["pt"].tolist() == [1.5, 0.1]
    for first in ("1.5,True,", "-1,False,2", ",True,"):
        (tmp_path / "a.csv").write_text(f"# by hand\n# pt,trig,n\n{first}\n0.1,False,3\n")
        found = io.read_columns(tmp_path / "a.csv")
        assert list(found) == ["pt", "trig", "n"]
        assert [len(values) for values in found.values()] == [2, 2, 2]
    (tmp_path / "b.csv").write_text("1.5,2\n0.1,3\n")
    with pytest.raises(InputError, match=r"b\.csv: it begins with numbers; expected a first line with the names"):
        io.read_columns(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("pt,n\n")
    with pytest.raises(InputError, match="but no events"):
        io.read_columns(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("pt,pt\n1,2\n")
    with pytest.raises(InputError, match="more than one column named pt"):
        io.read_columns(tmp_path / "d.csv")


def test_where_files_are(tmp_path):
    assert sources_of("root://s//d/f.root:t") == (Source("root://s//d/f.root", "t"),)
    (tmp_path / "odd.root:name.npz").write_bytes(b"")
    assert sources_of(tmp_path / "odd.root:name.npz")[0].tree is None
    (tmp_path / "mixed").mkdir()
    for name in ("a.npz", "b.csv"):
        (tmp_path / "mixed" / name).write_bytes(b"")
    with pytest.raises(InputError, match="files of several formats"):
        sources_of(tmp_path / "mixed")
    with pytest.raises(InputError, match="no file matches"):
        sources_of(f"{tmp_path}/nothing*.root")
    with pytest.raises(InputError, match="No file was named"):
        sources_of([])


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
    with uproot.recreate(tmp_path / "two.root") as file:
        for name in ("up", "down"):
            file.mktree(name, {"pt": np.float64}).extend({"pt": np.ones(2)})
    with pytest.raises(InputError, match=r"say which tree.*it has down, up"):
        io.read_columns(tmp_path / "two.root")


def test_without_uproot_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path, "root")
    present = importlib.import_module
    absent = {"uproot": "no_such_module"}
    monkeypatch.setattr(importlib, "import_module", lambda name: present(absent.get(name, name)))
    with pytest.raises(InputError, match=r"hepcuts\[root\]"):
        io.read_columns(path)


def test_unknown_endings_and_absent_files(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        io.read_columns(tmp_path / "nowhere.csv")
    (tmp_path / "events.doc").write_text("")
    with pytest.raises(InputError, match=r"'\.doc' is unknown; expected one of \.csv"):
        io.read_columns(tmp_path / "events.doc")


def test_a_broken_file_is_an_input_error(tmp_path):
    (tmp_path / "events.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match="cannot be read"):
        io.read_columns(tmp_path / "events.npz")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="no line of names and no events"):
        io.read_columns(tmp_path / "empty.csv")
