"""Files that people asked for: nothing is added to what is there already, and what is put in place comes whole."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import DiskFailed, UsageError
from glacier_purge.storage.new_file import add_line, begin_file, put_in_place

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_made_for_its_owner_and_grows_by_lines(tmp_path: Path) -> None:
    path = tmp_path / "new"
    begin_file(path, b"first")
    add_line(path, b"second")
    begin_file(path, b"first")
    assert path.read_bytes() == b"first\nsecond\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["empty", "other", "longer", "folder", "pipe", "link", "dangling"])
def test_what_is_there_already_is_not_touched(tmp_path: Path, there: str) -> None:
    path, elsewhere = tmp_path / "new", tmp_path / "elsewhere"
    if there in {"empty", "other", "longer"}:
        path.write_bytes({"empty": b"", "other": b"another\n", "longer": b"first, but longer\n"}[there])
    elif there == "folder":
        path.mkdir()
    elif there == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(elsewhere)
        if there == "link":
            elsewhere.write_bytes(b"another\n")
    with pytest.raises(UsageError, match=r"exists already and is not written to\. Give another file"):
        begin_file(path, b"first")
    assert elsewhere.exists() is (there == "link")


def test_where_there_can_be_no_file_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be made: No such file or directory"):
        begin_file(tmp_path / "missing" / "new", b"first")
    with pytest.raises(DiskFailed, match="can't be written: No such file or directory"):
        add_line(tmp_path / "gone", b"line")


def test_a_file_is_put_in_place_whole_also_behind_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(path)
    (tmp_path / ".file.new").write_bytes(b"of one that was killed")
    for content in (b"first", b"second" * 100_000):
        put_in_place(link, content)
        assert path.read_bytes() == content
    assert link.is_symlink()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "link"]


def test_what_can_not_be_put_in_place_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        put_in_place(tmp_path / "folder", b"content")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "nowhere/file", b"content")
