"""Planning leaves a whole run folder or none."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import DiskFailed, UsageError
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.document import read_plan
from glacier_purge.plan.identity import read_identity
from glacier_purge.run.planned import clear_unfinished, keep_plan, new_folder
from glacier_purge.storage.folder import RunFolder
from tests.plan.archives import TARGET, archive_id, plan_of
from tests.reliability.own_disk import on_own_disk

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.plan.document import Plan
    from tests.reliability.own_disk import OwnDisk


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    records = [
        {
            "ArchiveId": archive_id(number),
            "ArchiveDescription": "",
            "CreationDate": "2020-01-01T00:00:00Z",
            "Size": 1,
            "SHA256TreeHash": "0" * 64,
        }
        for number in range(3)
    ]
    path = tmp_path / "inventory"
    path.write_text(json.dumps({"VaultARN": TARGET.vault.arn, "InventoryDate": None, "ArchiveList": records}))
    return path


def planned(folder: RunFolder, source: Source) -> Plan:
    return plan_of(spool(source, folder.path), TARGET)


def test_a_plan_and_who_made_it_lie_in_the_folder(tmp_path: Path, inventory: Path) -> None:
    with Source(str(inventory)) as source, new_folder(tmp_path / "run") as folder:
        plan = planned(folder, source)
        keep_plan(folder, plan, retrievals_looked_at=True)
    opened = RunFolder.open(tmp_path / "run")
    assert read_plan(opened.plan_file) == plan
    identity = read_identity(opened, plan)
    assert (identity.run, identity.vault_arn, identity.endpoint_url) == ("run", TARGET.vault.arn, TARGET.endpoint_url)
    assert len(identity.package_sha256) == 64
    assert identity.retrievals_looked_at is True


def fail_while_planning(path: Path, failure: BaseException) -> None:
    with new_folder(path) as folder:
        folder.write_once("half", b"done")
        raise failure


@pytest.mark.parametrize("failure", [UsageError("no"), KeyboardInterrupt(), RuntimeError("bug")])
def test_whatever_fails_takes_the_folder_with_it(tmp_path: Path, failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        fail_while_planning(tmp_path / "run", failure)
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fails_is_said_and_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(DiskFailed, match=r"No space left on device\. Nothing was sent; mend the disk"):
        fail_while_planning(tmp_path / "run", DiskFailed("x can't be written: No space left on device. Mend the disk."))
    assert not (tmp_path / "run").exists()


def test_planning_that_was_killed_halfway_can_be_done_again(tmp_path: Path, inventory: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with Source(str(inventory)) as source:
        snapshot = spool(source, folder.path)
    first = plan_of(snapshot, TARGET)
    folder.write_once("run.json", b"killed here")
    clear_unfinished(folder)
    assert plan_of(snapshot, TARGET) == first
    keep_plan(folder, first, retrievals_looked_at=False)
    assert read_plan(folder.plan_file) == first


def plan_and_fail(path: Path, inventory: Path) -> None:
    with Source(str(inventory)) as source, new_folder(path) as folder:
        keep_plan(folder, planned(folder, source), retrievals_looked_at=False)
        raise KeyboardInterrupt


def test_a_folder_with_a_plan_is_never_taken_away(tmp_path: Path, inventory: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        plan_and_fail(tmp_path / "run", inventory)
    assert read_plan(tmp_path / "run" / "plan.json").counts.selected == 3


def test_what_failed_is_told_where_the_folder_cannot_be_taken_away(tmp_path: Path) -> None:
    """A disk of its own is mounted there."""

    def fails(disk: OwnDisk) -> Counter[str]:
        with pytest.raises(DiskFailed, match=r"it is full\. Nothing was sent"), new_folder(disk.folder):
            raise DiskFailed("it is full")
        return Counter(left=len([*disk.folder.iterdir()]))

    assert on_own_disk(tmp_path / "run", 64, fails) == Counter(left=0)
