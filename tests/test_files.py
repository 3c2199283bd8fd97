"""Files are whole or not there."""

import os
from pathlib import Path

import pytest

from hepcuts._core.files import atomic_path, write_text


def test_a_file_is_moved_to_its_place_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "figure.tar.png"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"content")
        assert not target.exists()
    assert target.read_bytes() == b"content"
    assert [*target.parent.iterdir()] == [target]


@pytest.mark.parametrize("existing", [True, False], ids=["existing", "new"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt], ids=["error", "interrupt"])
def test_after_an_exception_nothing_is_left_and_nothing_lost(
    tmp_path: Path, existing: bool, error: type[BaseException]
) -> None:
    target = tmp_path / "table.json"
    if existing:
        target.write_text("old")

    def fail() -> None:
        with atomic_path(str(target)) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == (["table.json"] if existing else [])
    assert not existing or target.read_text() == "old"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], ids=oct)
def test_permissions_are_those_of_any_new_file(tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        write_text(tmp_path / "ours.txt", "x")
        (tmp_path / "plain.txt").write_text("x")
        assert os.umask(umask) == umask
    finally:
        os.umask(previous)
    modes = {name: (tmp_path / name).stat().st_mode for name in ("ours.txt", "plain.txt")}
    assert modes["ours.txt"] == modes["plain.txt"]


def test_write_text_is_utf8_and_returns_the_path(tmp_path: Path) -> None:
    path = write_text(str(tmp_path / "√b"), "S/√B")
    assert path == tmp_path / "√b"
    assert path.read_bytes() == "S/√B".encode()
    write_text(path, "again")
    assert path.read_text() == "again"


def test_a_folder_in_the_way_stays_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="out"):
        write_text(tmp_path / "out", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
