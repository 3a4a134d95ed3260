"""Planning leaves a whole run folder or none."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import UsageError
from glacier_purge.inventory.snapshot import spool
from glacier_purge.inventory.source import Source
from glacier_purge.plan.document import read_plan
from glacier_purge.run.folder import RunFolder
from glacier_purge.run.planning import new_folder, write_plan
from tests.plan.archives import TARGET, archive_id

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_plan_and_who_made_it_lie_in_the_folder(tmp_path: Path, inventory: Path) -> None:
    with Source(str(inventory)) as source, new_folder(tmp_path / "run") as folder:
        plan = write_plan(folder, spool(source, folder.path), TARGET, set_aside_defects=False)
    opened = RunFolder.open(tmp_path / "run")
    assert read_plan(opened.plan_file) == plan
    identity = opened.identity()
    assert (identity.run, identity.vault_arn, identity.endpoint_url) == ("run", TARGET.vault.arn, TARGET.endpoint_url)
    assert len(identity.package_sha256) == 64


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
    with pytest.raises(UsageError, match=r"No space left on device\. Nothing was sent"):
        fail_while_planning(tmp_path / "run", OSError(errno.ENOSPC, "No space left on device"))
    assert not (tmp_path / "run").exists()


def plan_and_fail(path: Path, inventory: Path) -> None:
    with Source(str(inventory)) as source, new_folder(path) as folder:
        write_plan(folder, spool(source, folder.path), TARGET, set_aside_defects=False)
        raise KeyboardInterrupt


def test_a_folder_with_a_plan_is_never_taken_away(tmp_path: Path, inventory: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        plan_and_fail(tmp_path / "run", inventory)
    assert read_plan(tmp_path / "run" / "plan.json").counts.selected == 3
