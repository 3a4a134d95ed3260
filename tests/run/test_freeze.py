"""Uploads denied and allowed again, whatever the policy was, whoever changes it meanwhile, wherever it crashes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from glacier_purge.errors import PlanRefused, ServiceRefused
from glacier_purge.run.folder import RunFolder
from glacier_purge.run.freeze import FREEZE_FILE, freeze, merged, read_frozen, thaw, without
from glacier_purge.simulator.faults import Rule
from tests.doors import simulated
from tests.simulator.raw_client import ask

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.simulator import SimulatedGlacier

THEIRS = """{
  "Version": "2012-10-17",
  "Statement": {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteVault", "Resource": "*"}
}"""
FILM = b"film"
UPLOAD = {
    "x-amz-content-sha256": hashlib.sha256(FILM).hexdigest(),
    "x-amz-sha256-tree-hash": hashlib.sha256(FILM).hexdigest(),
}


async def upload(glacier: SimulatedGlacier) -> int:
    return (await ask(glacier.endpoint_url, "POST", "/-/vaults/photos/archives", FILM, **UPLOAD)).status


def sids(policy: str | None) -> list[str]:
    assert policy is not None
    found: Any = json.loads(policy)["Statement"]
    return [statement["Sid"] for statement in found]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


@pytest.mark.parametrize("theirs", [None, THEIRS])
async def test_uploads_are_denied_and_then_the_policy_is_as_it_was(theirs: str | None, folder: RunFolder) -> None:
    async with simulated() as (glacier, door):
        if theirs is not None:
            await door.set_access_policy(theirs)
        await freeze(door, folder)
        assert await upload(glacier) == 403
        assert (await ask(glacier.endpoint_url, "GET", "/-/vaults/photos")).status == 200
        await freeze(door, folder)
        await thaw(door, folder)
        assert await door.access_policy() == theirs
        assert await upload(glacier) == 201
        await thaw(door, folder)
        assert await door.access_policy() == theirs


async def test_a_policy_changed_meanwhile_keeps_its_changes(folder: RunFolder) -> None:
    async with simulated() as (_, door):
        await door.set_access_policy(THEIRS)
        await freeze(door, folder)
        current = json.loads(await door.access_policy() or "")
        current["Statement"].append({**current["Statement"][0], "Sid": "b"})
        await door.set_access_policy(json.dumps(current))
        await thaw(door, folder)
        assert sids(await door.access_policy()) == ["a", "b"]


async def test_a_policy_replaced_or_removed_meanwhile_is_left_alone(folder: RunFolder) -> None:
    async with simulated() as (_, door):
        await freeze(door, folder)
        await door.set_access_policy(THEIRS)
        await thaw(door, folder)
        assert await door.access_policy() == THEIRS
        await freeze(door, folder)
        await door.delete_access_policy()
        await thaw(door, folder)
        assert await door.access_policy() is None


async def test_a_crash_between_writing_down_and_asking_is_thawed_and_frozen_again(folder: RunFolder) -> None:
    async with simulated() as (glacier, door):
        await door.set_access_policy(THEIRS)
        glacier.desk.faults.replace([Rule("access-denied", operation="SetVaultAccessPolicy")])
        with pytest.raises(ServiceRefused):
            await freeze(door, folder)
        frozen = read_frozen(folder)
        assert frozen is not None
        assert frozen.original == THEIRS
        glacier.desk.faults.replace([])
        await thaw(door, folder)
        assert await door.access_policy() == THEIRS
        await freeze(door, folder)
        assert await upload(glacier) == 403
        await thaw(door, folder)
        assert await door.access_policy() == THEIRS


async def test_a_thaw_that_failed_is_done_by_the_next(folder: RunFolder) -> None:
    async with simulated() as (glacier, door):
        await freeze(door, folder)
        glacier.desk.faults.replace([Rule("access-denied", operation="DeleteVaultAccessPolicy")])
        with pytest.raises(ServiceRefused):
            await thaw(door, folder)
        assert await upload(glacier) == 403
        glacier.desk.faults.replace([])
        await thaw(door, folder)
        assert await upload(glacier) == 201


async def test_a_vault_that_is_gone_needs_no_thawing(folder: RunFolder) -> None:
    async with simulated(archives=0) as (_, door):
        await freeze(door, folder)
        await door.delete_vault()
        await thaw(door, folder)
    frozen = read_frozen(folder)
    assert frozen is not None
    assert frozen.thawed


async def test_two_runs_freeze_and_thaw_each_for_itself(tmp_path: Path) -> None:
    one, other = RunFolder.create(tmp_path / "one"), RunFolder.create(tmp_path / "other")
    async with simulated() as (glacier, door):
        await freeze(door, one)
        await freeze(door, other)
        await thaw(door, one)
        assert await upload(glacier) == 403
        await thaw(door, other)
        assert await upload(glacier) == 201


async def test_a_policy_that_cannot_take_the_statement_is_left_alone(folder: RunFolder) -> None:
    padded = THEIRS.replace('"a"', f'"{"a" * 20_100}"')
    async with simulated() as (_, door):
        await door.set_access_policy(padded)
        with pytest.raises(ServiceRefused, match="no room"):
            await freeze(door, folder)
        assert await door.access_policy() == padded
    assert read_frozen(folder) is None


@pytest.mark.parametrize("policy", ["not JSON", "[]", '{"Statement": ["x"]}'])
def test_what_is_no_policy_is_refused(policy: str) -> None:
    with pytest.raises(ServiceRefused, match="not touched"):
        merged(policy, {})
    with pytest.raises(ServiceRefused, match="not touched"):
        without(policy, "a")


async def test_a_backup_of_another_vault_or_damaged_is_refused(folder: RunFolder) -> None:
    async with simulated() as (_, door):
        await freeze(door, folder)
        file = folder.path / FREEZE_FILE
        file.write_bytes(file.read_bytes().replace(b"vaults/photos", b"vaults/films "))
        with pytest.raises(PlanRefused, match="is about"):
            await thaw(door, folder)
        file.write_bytes(b"{")
        with pytest.raises(PlanRefused, match="by hand"):
            await thaw(door, folder)
