"""A run folder is one run's: made once, and the owner's alone."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from glacier_purge.archive import Vault
from glacier_purge.errors import HostFailed, UsageError
from glacier_purge.storage import file_system
from glacier_purge.storage.folder import RunFolder, run_name
from glacier_purge.storage.pretend_disk import PretendDisk
from tests.reliability.mirror import mirrored

if TYPE_CHECKING:
    from pathlib import Path

VAULT = Vault(account_id="123456789012", region="eu-west-1", name="photos")
URL = "https://glacier.eu-west-1.amazonaws.com"


def test_a_new_folder_is_the_owners_alone(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "deep" / "run")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.write_once("note", b"text")
    assert (folder.path / "note").stat().st_mode & 0o777 == 0o600


def test_a_power_cut_takes_no_folder_away_in_which_was_written(tmp_path: Path) -> None:
    """The names of the folder, and of all that were made above it, are promised before anything lies in it."""
    disk, place = PretendDisk(), tmp_path / "deep" / "run"
    with mirrored(tmp_path, disk):
        RunFolder.create(place).write_once("note", b"text")
    assert disk.promised() == {"deep/run/note": b"text"}


def test_a_folder_whose_maker_was_killed_is_durable_before_it_is_worked_in(tmp_path: Path) -> None:
    disk, place = PretendDisk(), tmp_path / "run"
    with mirrored(tmp_path, disk):
        place.mkdir(mode=0o700)
        RunFolder.open(place).write_once("note", b"text")
    assert disk.promised() == {"run/note": b"text"}


def test_an_empty_folder_may_be_taken_and_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    assert RunFolder.create(tmp_path / "run").path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_that_its_disk_does_not_take_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    if is_there:
        (tmp_path / "run").mkdir()
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(HostFailed, match=f"the run folder {tmp_path / 'run'} cannot be made: Input/output error"):
        RunFolder.create(tmp_path / "run")


def test_nothing_that_is_there_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("full", "file", "link"):
        with pytest.raises(UsageError, match="is not an empty folder"):
            RunFolder.create(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be made"):
        RunFolder.create(tmp_path / "file" / "run")


def test_a_folder_in_which_a_crash_left_only_what_was_tried_there_is_as_empty(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir()
    (place / file_system.PROBE_FILE).touch(0o600)
    RunFolder.create(place)
    assert list(place.iterdir()) == []


def test_only_a_safe_folder_is_opened(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    (tmp_path / "link").symlink_to(folder.path)
    (tmp_path / "file").touch()
    for name, reason in {"nowhere": "No such file", "link": "symbolic links", "file": "not a run folder"}.items():
        with pytest.raises(UsageError, match=reason):
            RunFolder.open(tmp_path / name)
    folder.audit.mkdir()
    for rights in (0o720, 0o702, 0o777):
        folder.path.chmod(rights)
        with pytest.raises(UsageError, match="can be written by other users"):
            RunFolder.open(folder.path)
    folder.path.chmod(0o755)
    assert RunFolder.open(folder.path).path == folder.path


def test_a_file_is_written_once_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.write_once("note", b"first")
    with pytest.raises(UsageError, match="written once"):
        folder.write_once("note", b"second")
    assert os.listdir(folder.path) == ["note"]  # noqa: PTH208 - names
    assert (folder.path / "note").read_bytes() == b"first"


@pytest.mark.parametrize(
    ("vault", "name"),
    [("photos", "photos"), (".hidden", "hidden"), ("-x", "x"), ("._-", "_-"), ("..-", "vault"), ("a.b", "a.b")],
)
def test_a_runs_name_begins_with_its_vaults_and_never_with_a_dot_or_hyphen(vault: str, name: str) -> None:
    now = datetime(2026, 11, 22, 15, 14, 3, tzinfo=UTC)
    assert run_name(vault, now) == f"{name}-2026-11-22T15-14-03Z"
