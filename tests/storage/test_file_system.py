from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from glacier_purge.storage import file_system
from glacier_purge.storage.file_system import check_file_system, described, is_lacking, takes_names_for_one

if TYPE_CHECKING:
    from pathlib import Path

MOUNTS = r"""
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:30 / {folder} rw shared:1 - ext4 /dev/vdb rw
31 22 0:31 / {folder} rw - overlay overlay rw,lowerdir=/a
40 30 0:40 / {folder}/a\040share rw,relatime shared:1 master:2 - cifs //nas/my\040share rw
41 30 0:41 / {folder}/a rw propagate_from:2 - nfs4 filer:/a rw
""".lstrip()


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (".", "overlay (overlay at {folder})"),
        ("b/c", "overlay (overlay at {folder})"),
        ("a", "nfs4 (filer:/a at {folder}/a)"),
        ("a/b/c", "nfs4 (filer:/a at {folder}/a)"),
        ("ab", "overlay (overlay at {folder})"),
        ("a share/x", "cifs (//nas/my share at {folder}/a share)"),
        ("..", "ext4 (/dev/vda at /)"),
    ],
)
def test_a_file_system_is_called_by_its_type_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, kind: str
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS.replace("{folder}", str(tmp_path)))
    monkeypatch.setattr(file_system, "_MOUNTS", tmp_path / "mounts")
    assert described(tmp_path / place) == kind.replace("{folder}", str(tmp_path))


def test_this_machines_own_is_called_something_and_is_enough(tmp_path: Path) -> None:
    check_file_system(tmp_path)
    assert not takes_names_for_one(tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names, not paths
    assert " at /" in described(tmp_path)


def test_names_that_are_one_are_found_by_trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Mac, where every spelling is there."""
    monkeypatch.setattr(file_system, "PROBE_FILE", ".1")
    assert takes_names_for_one(tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names, not paths


@pytest.mark.parametrize(("number", "lacking"), [(errno.ENOLCK, True), (errno.EINVAL, True), (errno.EIO, False)])
def test_what_is_not_there_is_told_from_what_fails(number: int, lacking: bool) -> None:
    assert is_lacking(OSError(number, os.strerror(number))) is lacking
