"""Files that are made new: nothing that is there already is written to."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import DiskFailed, UsageError
from glacier_purge.storage.new_file import add_line, begin_file

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
