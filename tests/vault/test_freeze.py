"""Uploads denied and allowed again, whatever the policy was, whoever changes it meanwhile, wherever it is killed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from glacier_purge.errors import PlanRefused, RunStopped, ServiceRefused
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.guard.upload_denial import (
    SID_PREFIX,
    denial,
    is_same,
    ours_in,
    sid_for,
    sids_of,
    with_statement,
    without,
)
from glacier_purge.lifecycle.phases import Phase
from glacier_purge.lifecycle.steps_file import LifecycleFile
from glacier_purge.vault.freeze import FREEZE_FILE, freeze, read_frozen, thaw
from glacier_simulator.faults import Rule
from tests.clients import VAULT, simulated
from tests.glacier_simulator.raw_client import ask
from tests.vault.kills import (
    ANOTHERS,
    THEIRS,
    Between,
    Fate,
    KilledError,
    a_lifecycle,
    edits,
    kill_at_writes,
    live,
    nothing,
    replaces,
    takes_away,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.storage.folder import RunFolder
    from glacier_simulator import SimulatedGlacier

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
    return a_lifecycle(tmp_path / "run")


async def deaf(*_: object) -> None:
    """An answer that says yes, and nothing that happened."""


# -- killed anywhere --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "owner", "after"),
    [
        (None, nothing, None),
        (THEIRS, nothing, THEIRS),
        (ANOTHERS, nothing, ANOTHERS),
        (THEIRS, takes_away, None),
        (THEIRS, replaces, THEIRS.replace('"a"', '"of another day"')),
    ],
    ids=["no policy", "the owner's", "another lifecycle's", "taken away meanwhile", "replaced meanwhile"],
)
async def test_killed_anywhere_and_moved_the_policy_ends_as_it_was(
    before: str | None,
    owner: Callable[[GlacierControl], Awaitable[None]],
    after: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with simulated(archives=1) as (_, client):
        points = await killed_everywhere(client, before, owner, tmp_path, monkeypatch)
    assert len(points) > 15
    assert set(points) == {after}


async def test_killed_anywhere_and_edited_meanwhile_the_owners_changes_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(archives=1) as (_, client):
        for left in await killed_everywhere(client, THEIRS, edits, tmp_path, monkeypatch):
            assert sids(left) == ["a", "b"]


async def killed_everywhere(
    client: GlacierControl,
    before: str | None,
    owner: Callable[[GlacierControl], Awaitable[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str | None]:
    """Kill a lifecycle at one point after another, move its folder, let the owner act, and let it go on to its end.

    Returns the policy at the end of each.
    """
    ends: list[str | None] = []
    while True:
        await (client.delete_access_policy() if before is None else client.set_access_policy(before))
        place = tmp_path / f"run-{len(ends)}"
        a_lifecycle(place)
        fate = Fate(len(ends) + 1)
        with monkeypatch.context() as patched:
            kill_at_writes(patched, fate)
            try:
                await live(fate.mortal(client), place)
            except KilledError:
                pass
            else:
                return ends
        await owner(client)
        await live(client, place.rename(tmp_path / f"moved-{len(ends)}"))
        ends.append(await client.access_policy())


async def test_killed_anywhere_a_frozen_vault_that_is_gone_needs_no_thawing(tmp_path: Path) -> None:
    async with simulated(archives=0) as (glacier, client):
        for number in range(1, 40):
            place = tmp_path / f"run-{number}"
            a_lifecycle(place)
            try:
                await live(Fate(number).mortal(client), place)
            except KilledError:
                await client.delete_vault()
                if LifecycleFile(place, lambda: datetime(2026, 11, 30, tzinfo=UTC)).phase is Phase.FREEZE:
                    with pytest.raises(ControlRefused, match="Vault not found"):
                        await live(client, place)
                else:
                    await live(client, place)
                glacier.service.create_vault("photos", glacier.clock.now())
            else:
                assert number > 8
                return
    raise AssertionError("never came to its end")


# -- in good order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theirs", [None, THEIRS])
async def test_uploads_are_denied_and_then_the_policy_is_as_it_was(theirs: str | None, folder: RunFolder) -> None:
    async with simulated() as (glacier, client):
        if theirs is not None:
            await client.set_access_policy(theirs)
        await freeze(client, folder)
        assert await upload(glacier) == 403
        assert (await ask(glacier.endpoint_url, "GET", "/-/vaults/photos")).status == 200
        await freeze(client, folder)
        await thaw(client, folder)
        assert await client.access_policy() == theirs
        assert await upload(glacier) == 201
        await thaw(client, folder)
        assert await client.access_policy() == theirs


async def test_a_policy_changed_meanwhile_keeps_its_changes(folder: RunFolder) -> None:
    async with simulated() as (_, client):
        await client.set_access_policy(THEIRS)
        await freeze(client, folder)
        await edits(client)
        await freeze(client, folder)
        await thaw(client, folder)
        assert sids(await client.access_policy()) == ["a", "b"]


async def test_a_statement_that_was_weakened_is_made_whole_and_taken_out(folder: RunFolder) -> None:
    async with simulated() as (glacier, client):
        await client.set_access_policy(THEIRS)
        await freeze(client, folder)
        weakened = (await client.access_policy() or "").replace("glacier:UploadArchive", "glacier:ListParts")
        await client.set_access_policy(weakened)
        await freeze(client, folder)
        assert await upload(glacier) == 403
        await thaw(client, folder)
        assert await client.access_policy() == THEIRS


async def test_a_policy_replaced_or_removed_meanwhile_is_left_alone(folder: RunFolder) -> None:
    async with simulated() as (_, client):
        await freeze(client, folder)
        await client.set_access_policy(THEIRS)
        await thaw(client, folder)
        assert await client.access_policy() == THEIRS
        await freeze(client, folder)
        await client.delete_access_policy()
        await thaw(client, folder)
        assert await client.access_policy() is None


async def test_a_thaw_that_failed_is_done_by_the_next(folder: RunFolder) -> None:
    async with simulated() as (glacier, client):
        await freeze(client, folder)
        glacier.desk.faults.replace([Rule("access-denied", operation="DeleteVaultAccessPolicy")])
        with pytest.raises(ServiceRefused):
            await thaw(client, folder)
        assert await upload(glacier) == 403
        glacier.desk.faults.replace([])
        await thaw(client, folder)
        assert await upload(glacier) == 201


async def test_two_lifecycles_freeze_and_thaw_each_for_itself(tmp_path: Path) -> None:
    one, other = a_lifecycle(tmp_path / "one"), a_lifecycle(tmp_path / "other", "2026-11-30T12:00:01Z")
    async with simulated() as (glacier, client):
        await freeze(client, one)
        sid = await freeze(client, other)
        assert await thaw(client, one) == [sid], "and that uploads are denied all the same is told"
        assert await upload(glacier) == 403
        assert await thaw(client, other) == []
        assert await upload(glacier) == 201


# -- what is not believed ---------------------------------------------------------------------------------------------


async def test_only_what_the_service_has_afterwards_counts(folder: RunFolder) -> None:
    async with simulated() as (_, client):
        await client.set_access_policy(THEIRS)
        with pytest.raises(RunStopped, match="does not have it"):
            await freeze(Between(client, set_access_policy=deaf), folder)
        await freeze(client, folder)
        with pytest.raises(RunStopped, match=r"uploads may still be denied.*glacier-purge thaw photos"):
            await thaw(Between(client, set_access_policy=deaf), folder)
        frozen = read_frozen(folder)
        assert frozen is not None
        assert (frozen.thawed, frozen.original) == (False, THEIRS)
        await thaw(client, folder)
        assert await client.access_policy() == THEIRS


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "{}", "null", '{"Statement": ["x"]}', "<html>log in</html>"])
async def test_what_is_no_policy_is_never_overwritten_and_never_deleted(text: str, folder: RunFolder) -> None:
    async def garbled() -> str:
        return text

    async with simulated() as (_, client):
        between: Any = Between(client, access_policy=garbled)
        with pytest.raises(ServiceRefused, match="not touched"):
            await freeze(between, folder)
        assert read_frozen(folder) is None
        await freeze(client, folder)
        with pytest.raises(ServiceRefused, match="not touched"):
            await thaw(between, folder)
    frozen = read_frozen(folder)
    assert frozen is not None
    assert not frozen.thawed
    assert "set_access_policy" not in between.called
    assert "delete_access_policy" not in between.called


@pytest.mark.parametrize(
    "change",
    [
        {"original": None},
        {"original": '{"Version":"2012-10-17","Statement":[]}'},
        {"original": THEIRS.replace("glacier:DeleteVault", "glacier:DeleteArchive")},
        {"original": "no policy"},
        {"made": "{}"},
        {"thawed": True},
        {"sid": f"{SID_PREFIX}0123456789abcdef"},
        None,
    ],
)
async def test_a_freeze_file_that_was_edited_or_lost_harms_nobody(
    change: dict[str, object] | None, folder: RunFolder
) -> None:
    async with simulated() as (glacier, client):
        await client.set_access_policy(THEIRS)
        await freeze(client, folder)
        if change is None:
            (folder.path / FREEZE_FILE).unlink()
        else:
            frozen = read_frozen(folder)
            assert frozen is not None
            edited = msgspec.structs.replace(frozen, **change)
            folder.replace(FREEZE_FILE, msgspec.json.encode(edited))
        await thaw(client, folder)
        left = await client.access_policy()
        assert is_same(left, THEIRS)
        assert await upload(glacier) == 201


async def test_a_freeze_file_that_is_lost_before_its_step_is_made_again(folder: RunFolder) -> None:
    async with simulated() as (_, client):
        await client.set_access_policy(THEIRS)
        await freeze(client, folder)
        (folder.path / FREEZE_FILE).unlink()
        await freeze(client, folder)
        frozen = read_frozen(folder)
        assert frozen is not None
        assert is_same(frozen.original, THEIRS)
        assert len(ours_in(await client.access_policy())) == 1
        await thaw(client, folder)
        assert is_same(await client.access_policy(), THEIRS)


async def test_a_policy_that_cannot_take_the_statement_is_left_alone(folder: RunFolder) -> None:
    padded = THEIRS.replace('"a"', f'"{"a" * 20_100}"')
    async with simulated() as (_, client):
        await client.set_access_policy(padded)
        with pytest.raises(ServiceRefused, match="no room"):
            await freeze(client, folder)
        assert await client.access_policy() == padded
    assert read_frozen(folder) is None


async def test_a_file_of_another_vault_or_damaged_is_refused(folder: RunFolder) -> None:
    async with simulated() as (_, client):
        await freeze(client, folder)
        file = folder.path / FREEZE_FILE
        whole = file.read_bytes()
        for old, new, said in (
            (b"vaults/photos", b"vaults/films ", "is about"),
            (SID_PREFIX.encode(), b"SomebodyElses", "no statement of ours"),
            (whole, b"{", "move it aside, and the same command"),
        ):
            file.write_bytes(whole.replace(old, new))
            with pytest.raises(PlanRefused, match=said):
                await thaw(client, folder)
        file.write_bytes(whole)
        (folder.path / "terms.json").unlink()
        with pytest.raises(PlanRefused, match="was not touched"):
            await freeze(client, folder)


# -- policies as texts ------------------------------------------------------------------------------------------------


def test_a_statement_is_known_by_the_terms_and_not_by_the_place(tmp_path: Path) -> None:
    assert sid_for(b"one") == sid_for(b"one") != sid_for(b"other")
    assert sid_for(b"one").isalnum()


@pytest.mark.parametrize("policy", [None, THEIRS, ANOTHERS, '{"Statement": [], "Version": "2012-10-17"}'])
def test_a_statement_put_in_and_taken_out_leaves_what_was_there(policy: str | None) -> None:
    statement = denial(sid_for(b"mine"), VAULT.arn)
    made = with_statement(policy, statement)
    assert statement in ours_in(made)
    assert is_same(without(made, sids_of([statement])), policy)
    assert not is_same(made, policy)


@pytest.mark.parametrize("policy", ["not JSON", "[]", "{}", '{"Statement": ["x"]}'])
def test_what_is_no_policy_is_refused(policy: str) -> None:
    for ask_of in (lambda: with_statement(policy, {}), lambda: without(policy, "a"), lambda: ours_in(policy)):
        with pytest.raises(ServiceRefused, match="not touched"):
            ask_of()
    assert not is_same(policy, None)
